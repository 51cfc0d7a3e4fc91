"""FHIR R4 data types: identifiers, concepts, quantities, names, references, dosages.

Element names and cardinalities: FHIR R4 (4.0.1), Data Types, Metadata Types and References.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from mpftconnect.fhir import extensions as ext
from mpftconnect.fhir.codecs import (
    DATE_TIME,
    FLAG,
    NUMBER,
    TEXT,
    WHOLE,
    Codec,
)
from mpftconnect.fhir.fields import Choice, Ext, Extensions, Field, Many, Nested, One, Struct
from mpftconnect.fhir.reading import ABSENT, Reading, Unreadable, join
from mpftconnect.model import (
    ODS_ORGANIZATION_SYSTEM,
    Actor,
    Address,
    Attachment,
    Coding,
    Concept,
    ContactPoint,
    Dosage,
    HumanName,
    Identifier,
    Period,
    Quantity,
    Range,
    Ratio,
    Reference,
    When,
)

__all__ = [
    "ACTOR",
    "ADDRESS",
    "ATTACHMENT",
    "CODING",
    "CONCEPT",
    "CONTACT_POINT",
    "DOSAGE",
    "DOSAGE_FIELDS",
    "DOSE_AND_RATE",
    "HUMAN_NAME",
    "IDENTIFIER",
    "NOTE",
    "ORGANIZATION_ACTOR",
    "PERIOD",
    "QUANTITY",
    "RANGE",
    "RATIO",
    "REFERENCE",
    "UK_CORE_VERIFICATION_SYSTEMS",
    "VALUES",
    "WORDS",
    "CodedText",
    "DisplayOnly",
    "NearWords",
    "VerificationStatus",
    "reference_type",
    "timing_words",
]

CODING: Final = Struct(
    Coding,
    One("system", "system", TEXT),
    One("version", "version", TEXT),
    One("code", "code", TEXT),
    One("display", "display", TEXT),
)
CONCEPT: Final = Struct(Concept, Many("coding", "coding", CODING), One("text", "text", TEXT))
QUANTITY: Final = Struct(
    Quantity,
    One("value", "value", NUMBER),
    One("comparator", "comparator", TEXT),
    One("unit", "unit", TEXT),
    One("system", "system", TEXT),
    One("code", "code", TEXT),
)
RANGE: Final = Struct(Range, One("low", "low", QUANTITY), One("high", "high", QUANTITY))
RATIO: Final = Struct(Ratio, One("numerator", "numerator", QUANTITY), One("denominator", "denominator", QUANTITY))
PERIOD: Final = Struct(Period, One("start", "start", DATE_TIME), One("end", "end", DATE_TIME))


class _Words(Codec):
    """Words where FHIR has a CodeableConcept: written as its text alone.

    What a concept says beside its text is kept; one without a text is read as its first display, and kept whole.
    """

    primitive = False

    def read(self, raw: Any, path: str, ctx: Reading) -> str:
        if type(raw) is not dict:
            raise Unreadable
        text = raw.get("text")
        if type(text) is str:
            for key, value in raw.items():
                if key != "text":
                    ctx.keep(join(path, key), value)
            return text
        concept = CONCEPT.read(raw, path, ctx.aside())
        words = concept.text or next((c.display for c in concept.coding if c.display), None)
        if words is None:
            raise Unreadable
        ctx.keep(path, raw)
        return str(words)

    def write(self, value: str) -> dict[str, Any]:
        return {"text": value}


class CodedText(Codec):
    """A bare code of one system where FHIR has a CodeableConcept; any other words are written as its text.

    Args:
        system: The code system.
        known: Its codes.
    """

    primitive = False

    def __init__(self, system: str, known: Collection[str]) -> None:
        self._system = system
        self._known = frozenset(known)

    def read(self, raw: Any, path: str, ctx: Reading) -> str:
        if type(raw) is not dict:
            raise Unreadable
        text, codings = raw.get("text"), raw.get("coding")
        first = codings[0] if type(codings) is list and codings else None
        code = first.get("code") if type(first) is dict else None
        value = code if type(code) is str else text
        if type(value) is not str:
            raise Unreadable
        if raw != self.write(value):
            ctx.keep(path, raw)
        return value

    def write(self, value: str) -> dict[str, Any]:
        if value in self._known:
            return {"coding": [{"system": self._system, "code": value}]}
        return {"text": value}


WORDS: Final = _Words()

# UK Core, CodeSystem UKCore-NHSNumberVerificationStatusEngland: 01 to 08. The PDS FHIR API sends these codes under
# the name without a country, under which UK Core has words since, and older UK Core (R4 1.2.0) sent them under
# fhir.nhs.uk. The Welsh code system numbers otherwise (its 01 is "present & traced"), so it is not read as ours.
_UK_CORE_SYSTEM = "https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatus"
UK_CORE_VERIFICATION_SYSTEMS: Final = frozenset(
    (
        _UK_CORE_SYSTEM,
        f"{_UK_CORE_SYSTEM}England",
        "https://fhir.nhs.uk/R4/CodeSystem/UKCore-NHSNumberVerificationStatus",
        "https://fhir.nhs.uk/CodeSystem/UKCore-NHSNumberVerificationStatus",
    )
)
_VERIFICATION: Final = {
    "01": ("number-present-and-verified", "Number present and verified"),
    "02": ("number-present-but-not-traced", "Number present but not traced"),
    "03": ("trace-required", "Trace required"),
    "04": ("trace-attempted", "Trace attempted - No match or multiple match found"),
    "05": ("trace-needs-to-be-resolved", "Trace needs to be resolved - (NHS number or patient detail conflict)"),
    "06": ("trace-in-progress", "Trace in progress"),
    "07": ("number-not-present-and-trace-not-required", "Number not present and trace not required"),
    "08": ("trace-postponed", "Trace postponed (baby under six weeks old)"),
}
_VERIFICATION_WORDS: Final = {words: code for code, (words, _) in _VERIFICATION.items()}


class VerificationStatus(Codec):
    """NHS number verification status: the English code. A status of any other code system is kept, not read.

    Args:
        systems: Code systems that number as the English one does.
        written: The one of them that is written.
    """

    primitive = False

    def __init__(self, systems: Collection[str], written: str) -> None:
        self._systems, self._written = frozenset(systems), written

    def read(self, raw: Any, path: str, ctx: Reading) -> str:
        if type(raw) is not dict:
            raise Unreadable
        text, codings = raw.get("text"), raw.get("coding")
        if len(raw) == 1 and type(text) is str and text in _VERIFICATION_WORDS:
            return text
        first = codings[0] if type(codings) is list and len(codings) == 1 else None
        system = first.get("system") if type(first) is dict else None
        if type(first) is not dict or type(system) is not str or system not in self._systems:
            raise Unreadable
        code = first.get("code")
        if type(code) is not str:
            raise Unreadable
        if code in _VERIFICATION_WORDS:
            ctx.keep(path, raw)
            return _VERIFICATION_WORDS[code]
        written = self.write(code)["coding"][0]
        for key, value in first.items():
            if key not in written or written[key] != value:
                ctx.keep(f"{path}.coding[0].{key}", value)
        for key, value in raw.items():
            if key != "coding":
                ctx.keep(join(path, key), value)
        return code

    def write(self, value: str) -> dict[str, Any]:
        if value in _VERIFICATION_WORDS:  # a word from elsewhere, which as a code would be read as its number
            return {"text": value}
        coding = {"system": self._written, "code": value}
        if value in _VERIFICATION:
            coding["display"] = _VERIFICATION[value][1]
        return {"coding": [coding]}


IDENTIFIER: Final = Struct(
    Identifier,
    Extensions(
        Ext(
            "verification_status",
            ext.NHS_NUMBER_VERIFICATION_STATUS,
            {"CodeableConcept": VerificationStatus(UK_CORE_VERIFICATION_SYSTEMS, _UK_CORE_SYSTEM)},
        )
    ),
    One("use", "use", TEXT),
    One("type", "type", WORDS),
    One("system", "system", TEXT),
    One("value", "value", TEXT),
)
REFERENCE: Final = Struct(
    Reference,
    One("reference", "reference", TEXT),
    One("type", "type", TEXT),
    One("identifier", "identifier", IDENTIFIER),
    One("display", "display", TEXT),
)
HUMAN_NAME: Final = Struct(
    HumanName,
    One("use", "use", TEXT),
    One("text", "text", TEXT),
    One("family", "family", TEXT),
    Many("given", "given", TEXT),
    Many("prefix", "prefix", TEXT),
    Many("suffix", "suffix", TEXT),
    One("period", "period", PERIOD),
)
ADDRESS: Final = Struct(
    Address,
    One("use", "use", TEXT),
    One("type", "type", TEXT),
    One("text", "text", TEXT),
    Many("line", "line", TEXT),
    One("city", "city", TEXT),
    One("district", "district", TEXT),
    One("postal_code", "postalCode", TEXT),
    One("country", "country", TEXT),
    One("period", "period", PERIOD),
)
CONTACT_POINT: Final = Struct(
    ContactPoint,
    One("system", "system", TEXT),
    One("value", "value", TEXT),
    One("use", "use", TEXT),
    One("rank", "rank", WHOLE),
    One("period", "period", PERIOD),
)


ATTACHMENT: Final = Struct(
    Attachment,
    One("content_type", "contentType", TEXT),
    One("language", "language", TEXT),
    One("data_base64", "data", TEXT),
    One("url", "url", TEXT),
    One("size", "size", WHOLE),
    One("hash", "hash", TEXT),
    One("title", "title", TEXT),
    One("created", "creation", DATE_TIME),
)


class _Note(Codec):
    """A line of free text as an Annotation. Who annotated and when is kept as left over."""

    primitive = False

    def read(self, raw: Any, path: str, ctx: Reading) -> str:
        if type(raw) is not dict or type(raw.get("text")) is not str:
            raise Unreadable
        for key, value in raw.items():
            if key != "text":
                ctx.keep(join(path, key), value)
        text: str = raw["text"]
        return text

    def write(self, value: str) -> dict[str, Any]:
        return {"text": value}


class DisplayOnly(Codec):
    """Words where FHIR has a Reference: written as its display alone."""

    primitive = False

    def read(self, raw: Any, path: str, ctx: Reading) -> str:
        if type(raw) is not dict or type(raw.get("display")) is not str:
            raise Unreadable
        if len(raw) > 1:
            ctx.keep(path, raw)
        display: str = raw["display"]
        return display

    def write(self, value: str) -> dict[str, Any]:
        return {"display": value}


NOTE: Final = _Note()

_REFERENCE = re.compile(r"(?:.*/)?(?P<type>[A-Z][A-Za-z]+)/[^/]+(?:/_history/[^/]+)?", re.DOTALL)


def reference_type(reference: str | None) -> str | None:
    """The resource type that a literal reference names.

    >>> reference_type("https://fhir.example/r4/Patient/17"), reference_type("#p1")
    ('Patient', None)
    """
    found = _REFERENCE.fullmatch(reference) if reference else None
    return found["type"] if found else None


def _person_words(resource: Mapping[str, Any]) -> str | None:
    names = resource.get("name")
    name = names[0] if type(names) is list and names else None
    if type(name) is not dict:
        return None
    if type(name.get("text")) is str:
        return str(name["text"])
    parts = [part for key in ("prefix", "given") for part in (name.get(key) or ()) if type(part) is str]
    if type(name.get("family")) is str:
        parts.append(name["family"])
    return " ".join(parts) or None


def _text_at(value: Any, key: str) -> str | None:
    found = value.get(key) if type(value) is dict else None
    return found if type(found) is str and found else None


def _ods_code(resource: Mapping[str, Any]) -> str | None:
    identifiers = resource.get("identifier")
    for identifier in identifiers if type(identifiers) is list else ():
        if _text_at(identifier, "system") == ODS_ORGANIZATION_SYSTEM:
            return _text_at(identifier, "value")
    return None


def _described(resource: Mapping[str, Any], ctx: Reading) -> dict[str, Any]:
    """What a resource that a reference points to says of the actor, in the words of `Actor`."""
    kind = resource.get("resourceType")
    if kind == "Organization":
        told = {"organization": _text_at(resource, "name"), "organization_code": _ods_code(resource)}
    elif kind == "PractitionerRole":
        person, organization = resource.get("practitioner"), resource.get("organization")
        name = _text_at(person, "display")
        if name is None and (reference := _text_at(person, "reference")):
            found = ctx.resolve(reference)
            name = _person_words(found) if found else None
        employer = _text_at(organization, "display")
        code = None
        if reference := _text_at(organization, "reference"):
            found = ctx.resolve(reference)
            if found and found.get("resourceType") == "Organization":
                employer, code = employer or _text_at(found, "name"), _ods_code(found)
        codes = resource.get("code")
        role = CONCEPT.read(codes[0], "", ctx.aside()).words() if type(codes) is list and _is_concept(codes) else None
        told = {"name": name, "role": role, "organization": employer, "organization_code": code}
    elif kind in ("CareTeam", "Location", "HealthcareService"):
        told = {"name": _text_at(resource, "name")}
    else:
        told = {"name": _person_words(resource)}
    return {attr: value for attr, value in told.items() if value is not None}


def _is_concept(codes: list[Any]) -> bool:
    return bool(codes) and type(codes[0]) is dict and ("text" in codes[0] or "coding" in codes[0])


class _ActorIdentifier(Field):
    """`Reference.identifier` of an actor: an ODS code names the organisation, anything else the actor."""

    keys = ("identifier",)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        raw, place = obj["identifier"], join(path, "identifier")
        if type(raw) is not dict:
            ctx.keep(place, raw)
        elif raw.get("system") != ODS_ORGANIZATION_SYSTEM:
            if "identifier" in into:
                ctx.keep(place, raw)
            else:
                into["identifier"] = IDENTIFIER.read(raw, place, ctx)
        elif type(raw.get("value")) is not str or "organization_code" in into:
            ctx.keep(place, raw)
        else:
            into["organization_code"] = raw["value"]
            for key, value in raw.items():
                if key not in ("system", "value"):
                    ctx.keep(join(place, key), value)

    def write(self, model: Actor, out: dict[str, Any]) -> None:
        if model.identifier is not None and model.identifier.system != ODS_ORGANIZATION_SYSTEM:
            out["identifier"] = IDENTIFIER.write(model.identifier)
        elif model.organization_code is not None:
            out["identifier"] = {"system": ODS_ORGANIZATION_SYSTEM, "value": model.organization_code}


class _OdsIdentifier(Codec):
    """An actor's own identifier that happens to be an ODS code: only such a one stands in our extension, and any other
    there would be written back in the place that the organisation's code has."""

    primitive = False

    def read(self, raw: Any, path: str, ctx: Reading) -> Any:
        if type(raw) is not dict or raw.get("system") != ODS_ORGANIZATION_SYSTEM:
            raise Unreadable
        return IDENTIFIER.read(raw, path, ctx)

    def write(self, value: Any) -> Any:
        return IDENTIFIER.write(value)


def _ods_identifier(actor: Actor) -> Identifier | None:
    identifier = actor.identifier
    return identifier if identifier is not None and identifier.system == ODS_ORGANIZATION_SYSTEM else None


class _Actor(Struct):
    """An actor as a Reference.

    `display` names what the reference names: an organisation, or a person, team or place. Where the reference does
    not say, the element decides. What a Reference cannot say stands in our extensions on it.

    Args:
        organization: The element mostly holds organisations.
    """

    def __init__(self, *, organization: bool) -> None:
        self._organization = organization
        super().__init__(
            Actor,
            Extensions(
                Ext(
                    "name",
                    ext.ACTOR_NAME,
                    {"String": TEXT},
                    get=lambda actor: actor.name if self._display_attr(actor.reference) != "name" else None,
                ),
                Ext("role", ext.ACTOR_ROLE, {"String": TEXT}),
                Ext(
                    "organization",
                    ext.ACTOR_ORGANIZATION,
                    {"String": TEXT},
                    get=lambda actor: actor.organization if self._display_attr(actor.reference) == "name" else None,
                ),
                Ext(
                    "organization_code",
                    ext.ACTOR_ORGANIZATION_CODE,
                    {"String": TEXT},
                    get=lambda actor: (
                        actor.organization_code if actor.identifier is not None and not _ods_identifier(actor) else None
                    ),
                ),
                Ext("identifier", ext.ACTOR_IDENTIFIER, {"Identifier": _OdsIdentifier()}, get=_ods_identifier),
                Ext("telecom", ext.ACTOR_TELECOM, {"ContactPoint": CONTACT_POINT}, many=True),
            ),
            One("reference", "reference", TEXT),
            _ActorIdentifier(),
            One(
                "display",
                "display",
                TEXT,
                get=lambda actor: getattr(actor, self._display_attr(actor.reference)),
            ),
        )

    def _display_attr(self, reference: str | None) -> str:
        kind = reference_type(reference)
        if kind is None:
            return "organization" if self._organization else "name"
        return "organization" if kind == "Organization" else "name"

    def finish(self, into: dict[str, Any], raw: Mapping[str, Any], path: str, ctx: Reading) -> None:
        reference = into.get("reference")
        display = into.pop("display", ABSENT)
        if display is not ABSENT:
            attr = self._display_attr(reference)
            if attr in into:
                ctx.keep(join(path, "display"), display)
            else:
                into[attr] = display
        if reference and ctx.can_resolve and (into.get("name") or into.get("organization")) is None:
            found = ctx.resolve(reference)
            if found:
                into.update({attr: value for attr, value in _described(found, ctx).items() if attr not in into})


ACTOR: Final = _Actor(organization=False)
ORGANIZATION_ACTOR: Final = _Actor(organization=True)


# --- dosage ----------------------------------------------------------------------------------------------------


def timing_words(raw: Any) -> str | None:
    """A Timing in words, each number and unit as sent; None where there is nothing to say.

    >>> timing_words({"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}})
    '2 per 1 d'
    """
    if type(raw) is not dict:
        return None
    code, repeat = raw.get("code"), raw.get("repeat")
    if type(code) is dict:
        codings = code.get("coding")
        first = codings[0] if type(codings) is list and codings else None
        words = _text_at(code, "text") or _text_at(first, "display") or _text_at(first, "code")
        if words:
            return words
    if type(repeat) is not dict:
        return None
    parts = []
    rest = dict(repeat)
    if _is_plain(rest.get("frequency")) and _is_plain(rest.get("period")) and _is_plain(rest.get("periodUnit")):
        times, span = _up_to(rest, "frequency"), _up_to(rest, "period")
        parts.append(f"{times} per {span} {rest.pop('periodUnit')}")
    for key, value in rest.items():
        values = value if type(value) is list else [value]
        if values and all(_is_plain(part) for part in values):
            parts.append(f"{key} {', '.join(str(part) for part in values)}")
        else:
            parts.append(f"{key} as the source states")
    return "; ".join(parts) or None


def _is_plain(value: Any) -> bool:
    return value is not None and type(value) not in (dict, list, bool)


def _up_to(repeat: dict[str, Any], key: str) -> str:
    low, most = repeat.pop(key), repeat.pop(f"{key}Max", None)
    return f"{low} to {most}" if _is_plain(most) else str(low)


class NearWords(Codec):
    """Reads something as words, for `Choice(also_read=...)`; never writes."""

    primitive = False

    def __init__(self, words: Any) -> None:
        self._words = words

    def read(self, raw: Any, path: str, ctx: Reading) -> str:
        words = self._words(raw)
        if not words:
            raise Unreadable
        return str(words)


class _TimingWords(Codec):
    """`Dosage.timing`: words as `Timing.code.text`.

    A structured timing is put into words mechanically, so that no reader misses it, and kept as sent beside that.
    """

    primitive = False

    def read(self, raw: Any, path: str, ctx: Reading) -> str:
        code = raw.get("code") if type(raw) is dict and len(raw) == 1 else None
        if type(code) is dict and len(code) == 1 and type(code.get("text")) is str:
            text: str = code["text"]
            return text
        words = timing_words(raw)
        if words is None:
            raise Unreadable
        ctx.keep(path, raw)
        return words

    def write(self, value: str) -> dict[str, Any]:
        return {"code": {"text": value}}


DOSE_AND_RATE: Final = (
    Choice("dose", "dose", {Range: ("Range", RANGE), Quantity: ("Quantity", QUANTITY)}),
    Choice("rate", "rate", {Ratio: ("Ratio", RATIO), Range: ("Range", RANGE), Quantity: ("Quantity", QUANTITY)}),
)
DOSAGE_FIELDS: Final = (
    One("sequence", "sequence", WHOLE),
    One("text", "text", TEXT),
    One("patient_instruction", "patientInstruction", TEXT),
    One("timing", "timing", _TimingWords()),
    Choice("as_needed", "asNeeded", {bool: ("Boolean", FLAG), Concept: ("CodeableConcept", CONCEPT)}),
    One("site", "site", CONCEPT),
    One("route", "route", CONCEPT),
    One("method", "method", CONCEPT),
    One("max_dose", "maxDosePerPeriod", RATIO),
)
DOSAGE: Final = Struct(Dosage, *DOSAGE_FIELDS, Nested("doseAndRate", *DOSE_AND_RATE, first=True))

VALUES: Final[dict[type, tuple[str, Codec]]] = {
    Quantity: ("Quantity", QUANTITY),
    Concept: ("CodeableConcept", CONCEPT),
    str: ("String", TEXT),
    bool: ("Boolean", FLAG),
    int: ("Integer", WHOLE),
    Range: ("Range", RANGE),
    Ratio: ("Ratio", RATIO),
    When: ("DateTime", DATE_TIME),
    Period: ("Period", PERIOD),
}
