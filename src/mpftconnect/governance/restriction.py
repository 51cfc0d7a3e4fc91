"""What is shown of a restricted person: nothing that could reveal where they are (rule 7).

This works by what is *allowed*, not by what is known to be dangerous: a field that is not named here is dropped, so
a field added to the model later stays hidden until somebody decides otherwise. Free text is not known to be safe and
goes; so do whole sections that exist to say where and with whom. Two kinds of text are kept as far as they are known
to be safe (see `safe_words`), because losing them is a danger too, and the hazard log says so: the display of a code
that a standards body wrote, and how to take a medicine in words that can name no place.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from mpftconnect.errors import NotAnNhsNumber
from mpftconnect.governance.safe_words import has_published_displays, is_safe_direction, safe_quantity
from mpftconnect.model import (
    AllergyIntolerance,
    Coding,
    CommunicationNeed,
    Concept,
    Condition,
    Consent,
    Dosage,
    Flag,
    HumanName,
    Identifier,
    Immunization,
    Item,
    LegalStatus,
    MedicationStatement,
    Observation,
    ObservationComponent,
    Patient,
    Quantity,
    Range,
    Ratio,
    Reaction,
    ReferenceRange,
    SectionName,
    Source,
)

__all__ = ["HIDDEN_TEXT", "SHOWN_SECTIONS", "WORDS", "restrict", "restrict_patient", "restricted_sections"]

WORDS = (
    "This person's location is protected. Addresses, contacts, places, organisations, documents, care plan text and "
    "other free text are not shown; look in the source system if you are allowed to."
)
HIDDEN_TEXT = "text not shown"

_COMMON = frozenset({"source", "also", "recorded"})
_ALLOWED: dict[type[Item], frozenset[str]] = {
    Condition: _COMMON
    | {"code", "clinical_status", "verification_status", "category", "severity", "body_site", "onset", "abatement"}
    | {"significance", "episode"},
    AllergyIntolerance: _COMMON
    | {"code", "clinical_status", "verification_status", "type", "category", "criticality", "onset"}
    | {"last_occurrence", "reactions", "ended"},
    MedicationStatement: _COMMON
    | {"kind", "status", "status_reason", "intent", "category", "medication", "course", "effective", "authored"}
    | {"last_issued", "dosage", "quantity", "repeats_allowed", "reason", "status_changed", "supply", "validity"}
    | {"repeats_issued", "authorised_until", "dosage_changed"},
    Observation: _COMMON
    | {"code", "status", "category", "effective", "issued", "value", "data_absent_reason", "interpretation"}
    | {"reference_ranges", "components", "body_site", "method"},
    Flag: _COMMON | {"status", "category", "code", "period"},
    LegalStatus: _COMMON | {"code", "status", "period", "review"},
    Consent: _COMMON | {"status", "scope", "category", "decision", "given", "period"},
    Immunization: _COMMON
    | {"status", "status_reason", "vaccine", "occurrence", "primary_source", "lot_number", "expiration", "site"}
    | {"route", "dose", "dose_number", "target_disease", "procedure", "reason", "parent_present"},
}
SHOWN_SECTIONS = frozenset(
    {
        SectionName.PROBLEMS,
        SectionName.ALLERGIES,
        SectionName.MEDICATIONS,
        SectionName.RESULTS,
        SectionName.ALERTS,
        SectionName.LEGAL_STATUS,
        SectionName.CONSENTS,
        SectionName.IMMUNISATIONS,
    }
)
_TITLE = re.compile(r"[A-Za-z]{1,6}\.?", re.ASCII)
_ONE_WORD = re.compile(r"[\w./+-]{1,40}", re.ASCII)
_NO_SPACE = re.compile(r"\S{1,200}")
# FHIR R4, value set quantity-comparator.
_COMPARATORS = (None, "<", "<=", ">=", ">")
# Inside those, plain strings that are codes or amounts rather than somebody's words.
_SAFE_STRINGS = frozenset(
    {"status", "kind", "intent", "type", "category", "criticality", "severity", "comparator", "unit", "system", "code"}
    | {"version", "decision", "lot_number", "dose_number", "significance"}
)


def restricted_sections(sections: Iterable[SectionName]) -> frozenset[SectionName]:
    """Those of the sections that are not shown at all."""
    return frozenset(sections) - SHOWN_SECTIONS


def restrict_patient(patient: Patient) -> Patient:
    """Demographics without anything that reveals a place. A name is kept where the source gives one.

    >>> from datetime import UTC, datetime
    >>> from mpftconnect.model import Address
    >>> someone = Patient(source=Source(system="s", id="1", fetched=datetime.now(UTC)),
    ...                   addresses=(Address(postal_code="ST1 1AA"),))
    >>> restrict_patient(someone).addresses
    ()
    """
    return Patient(
        source=_bare(patient.source),
        identifiers=_nhs(patient),
        names=tuple(
            HumanName(
                use=_code(n.use), family=n.family, given=n.given, prefix=_titles(n.prefix), suffix=_titles(n.suffix)
            )
            for n in patient.names
        ),
        gender=_code(patient.gender),
        birth_date=patient.birth_date,
        deceased=patient.deceased,
        communication=tuple(
            CommunicationNeed(
                language=_concept(need.language) if need.language else None,
                preferred=need.preferred,
                interpreter_required=need.interpreter_required,
            )
            for need in patient.communication
        ),
        reasonable_adjustments=tuple(_concept(adjustment) for adjustment in patient.reasonable_adjustments),
        restriction=patient.restriction,
    )


def _titles(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Those of what stands before or after a name that can be a title: `Mrs`, `Dr`, `OBE`."""
    return tuple(part for part in parts if _TITLE.fullmatch(part))


def _nhs(patient: Patient) -> tuple[Identifier, ...]:
    """Current NHS numbers that are numbers: what else a source writes there could be anything."""
    kept = []
    for identifier in patient.identifiers:
        if identifier.is_nhs_number and identifier.use != "old":
            with suppress(NotAnNhsNumber):
                kept.append(Identifier.nhs(identifier.value or "", _code(identifier.verification_status)))
    return tuple(kept)


def restrict(item: Item) -> Item | None:
    """The item as far as it may be shown of a restricted person; None if nothing of it may."""
    allowed = _ALLOWED.get(type(item))
    if allowed is None:
        return None
    values = {name: _safe(name, getattr(item, name)) for name in allowed}
    values["source"] = _bare(item.source)
    values["also"] = tuple(_bare(source) for source in item.also)
    return type(item).model_validate({name: value for name, value in values.items() if value is not None})


def _bare(source: Source) -> Source:
    named = source.id
    if source.mode == "feed":
        # What is pushed has ids that are made of its sender's names: the ODS code of a hospital, an application.
        kind, _, own = named.rpartition("/")
        digest = hashlib.sha256(own.encode("utf-8", "surrogatepass")).hexdigest()[:40]
        named = f"{kind}/{digest}" if kind else digest
    return Source(system=source.system, id=named, fetched=source.fetched, mode=source.mode, as_of=source.as_of)


def _safe(name: str, value: Any) -> Any:
    if value is None or name in ("source", "also"):
        return value
    if isinstance(value, Concept):
        return _concept(value)
    if isinstance(value, tuple):
        return tuple(safe for part in value if (safe := _safe(name, part)) is not None)
    if isinstance(value, Reaction):
        return Reaction(
            manifestation=_safe("", value.manifestation),
            substance=_safe("", value.substance),
            severity=_code(value.severity),
            onset=value.onset,
        )
    if isinstance(value, Dosage):
        return _directions(value)
    if isinstance(value, ObservationComponent):
        return ObservationComponent(
            code=_concept(value.code),
            value=_safe("value", value.value),
            data_absent_reason=_safe("", value.data_absent_reason),
            interpretation=_safe("", value.interpretation),
            reference_ranges=_safe("", value.reference_ranges),
        )
    if isinstance(value, ReferenceRange):
        return ReferenceRange(low=_amount(value.low), high=_amount(value.high), type=_safe("", value.type))
    if isinstance(value, Quantity):
        return _amount(value) or _hidden(name)
    if isinstance(value, Range):
        low, high = _amount(value.low), _amount(value.high)
        return Range(low=low, high=high) if (low, high) == (value.low, value.high) else _hidden(name)
    if isinstance(value, Ratio):
        top, bottom = _amount(value.numerator), _amount(value.denominator)
        same = (top, bottom) == (value.numerator, value.denominator)
        return Ratio(numerator=top, denominator=bottom) if same else _hidden(name)
    if isinstance(value, str):
        return _code(value) if name in _SAFE_STRINGS else _hidden(name)
    return value


def _directions(dosage: Dosage) -> Dosage:
    """How to take a medicine, as far as its words are known to be safe; that there is more is said."""
    told = {name: getattr(dosage, name) for name in ("text", "patient_instruction", "timing")}
    shown = {name: text if is_safe_direction(text) else HIDDEN_TEXT for name, text in told.items() if text}
    parts = ("dose", "rate", "max_dose", "route", "site", "method", "as_needed")
    # A dose whose unit is not known must not vanish without a word: another's dosage would seem to be meant.
    safe = {name: _safe("part", getattr(dosage, name)) for name in parts}
    if any(safe[name] is None and getattr(dosage, name) is not None for name in parts):
        shown["text"] = HIDDEN_TEXT
    return Dosage(sequence=dosage.sequence, **shown, **safe)


def _hidden(name: str) -> str | None:
    """What stands for something dropped: a result says that it is not shown, anything else is left out."""
    return HIDDEN_TEXT if name == "value" else None


def _code(text: str | None) -> str | None:
    """The text if it can be a code, a batch or an ordinal: one word. Anything longer may be a place."""
    return text if text is not None and _ONE_WORD.fullmatch(text) else None


def _concept(value: Concept) -> Concept:
    coded = tuple(
        Coding(
            system=_unbroken(c.system),
            code=c.code,
            display=c.display if has_published_displays(c) else None,
            version=_unbroken(c.version),
        )
        for c in value.coding
        if _unbroken(c.code)
    )
    return Concept(coding=coded) if coded else Concept(text=HIDDEN_TEXT)


def _amount(value: Quantity | None) -> Quantity | None:
    """The amount as it is, or nothing of it: a comparator that is dropped alone would change what it says."""
    if value is None or value.comparator not in _COMPARATORS:
        return None
    coded = value.model_copy(update={"system": _unbroken(value.system), "code": _unbroken(value.code)})
    return safe_quantity(coded)


def _unbroken(text: str | None) -> str | None:
    """The text if it can be a URI or a code: without white space (FHIR R4, datatypes uri and code)."""
    return text if text is not None and _NO_SPACE.fullmatch(text) else None
