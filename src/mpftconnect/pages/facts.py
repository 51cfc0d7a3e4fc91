"""An item as labelled facts for people, so that a page shows every field of every type and drops none.

There is no list of fields per type to forget one in: every field is walked. What a type's `words()` already says
is not said twice, and that only where the words are really there. Codes, identifiers and pointers are kept apart
(`technical_facts`), since they help few readers and are needed by some.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mpftconnect.model import (
    DEFAULT_ZONE,
    SNOMED,
    Action,
    Actor,
    AdditionalPlan,
    Address,
    Agreement,
    AllergyIntolerance,
    Appointment,
    Attachment,
    CarePlan,
    CareTeam,
    ClinicalItem,
    Coding,
    CommunicationNeed,
    Concept,
    Condition,
    Consent,
    ContactPoint,
    DiagnosticReport,
    DocumentReference,
    Dosage,
    Encounter,
    Flag,
    Goal,
    HumanName,
    Identifier,
    Immunization,
    Item,
    LegalStatus,
    Line,
    Location,
    MedicationStatement,
    Model,
    Need,
    NoteHeading,
    Observation,
    ObservationComponent,
    PartialDate,
    Participant,
    Patient,
    Period,
    ProblemLink,
    ProgressNote,
    Quantity,
    Range,
    Ratio,
    Reaction,
    Reference,
    ReferenceRange,
    RelatedPerson,
    ServiceRequest,
    Specimen,
    When,
    format_nhs_number,
    parts,
)

__all__ = ["Fact", "facts_of", "moment_words", "technical_facts", "value_words"]


@dataclass(frozen=True, slots=True)
class Fact:
    """One labelled field with its values in words."""

    label: str
    texts: tuple[str, ...]


# Between parts of one line: unlike a comma or a semicolon it never runs into the source's own punctuation.
_JOINT = " · "

# The fields that a type's `words()` can say. A field is left out of the facts only if it is named here *and* its
# text is found in those words.
_SAYS: dict[type[Model], str] = {
    Actor: "name role organization organization_code telecom",
    AdditionalPlan: "type description location",
    Address: "line city district postal_code country text use",
    Agreement: "by date",
    AllergyIntolerance: "code",
    Appointment: "description type service",
    CarePlan: "title description category",
    CareTeam: "name participants",
    CommunicationNeed: "language note",
    Condition: "code",
    Consent: "scope category decision",
    ContactPoint: "value use system",
    DiagnosticReport: "code conclusion",
    DocumentReference: "description type",
    Dosage: "text dose route timing",
    Encounter: "type service",
    Flag: "code",
    HumanName: "text family given prefix use",
    Immunization: "vaccine procedure status",
    LegalStatus: "code",
    Line: "heading description",
    Need: "heading description",
    Goal: "heading description",
    Action: "heading description",
    MedicationStatement: "medication dosage",
    Observation: "code value components data_absent_reason note",
    ObservationComponent: "code value",
    Participant: "actor role",
    ProgressNote: "text",
    Reaction: "manifestation",
    ReferenceRange: "low high text",
    RelatedPerson: "relationship names",
    ProblemLink: "problem type",
    NoteHeading: "title topic",
    ServiceRequest: "code service description reason",
    Specimen: "type collected",
    Location: "name description",
}
_SAID_BY_WORDS = {kind: frozenset(fields.split()) for kind, fields in _SAYS.items()}
# Answers of yes and no that the words of their type always say, whichever way they fall.
_ANSWERED_BY_WORDS: dict[type[Model], frozenset[str]] = {
    Agreement: frozenset({"agreed"}),
    CommunicationNeed: frozenset({"preferred", "interpreter_required"}),
}

# Ids of other lines of the same plan: technical.
_POINTERS: dict[type[Model], frozenset[str]] = {Goal: frozenset({"addresses"}), Action: frozenset({"goals"})}

# Shown elsewhere on the page (source, statuses) or among the technical facts.
_ELSEWHERE = frozenset({"source", "also", "extra", "subject"})
STATUS_FIELDS = frozenset({"status", "doc_status", "clinical_status", "verification_status"})
_TECHNICAL = frozenset({"id", "identifier", "identifiers", "reference", "url", "hash", "data_base64"})

_LABELS = {
    "author": "Recorded by",
    "authored": "Written",
    "content_type": "Format",
    "effective": "Date or period",
    "encounter_class": "Setting",
    "expressed_by": "Whose goal",
    "issued": "Issued",
    "kind": "Recorded as",
    "lot_number": "Batch number",
    "max_dose": "Maximum dose",
    "minutes": "Length in minutes",
    "note": "Note",
    "organization_code": "ODS code",
    "members": "Made up of",
    "postal_code": "Postcode",
    "rank": "Order of preference",
    "reactions": "Reaction",
    "reference_ranges": "Reference range as sent",
    "system": "By",
    "telecom": "Reach by",
    "text": "As written",
    "who": "Who does it",
}

_CODE_SYSTEMS = {
    SNOMED: "SNOMED CT",
    "http://loinc.org": "LOINC",
    "http://unitsofmeasure.org": "UCUM",
    "http://hl7.org/fhir/sid/icd-10": "ICD-10",
    "https://dmd.nhs.uk": "dm+d",
    "http://read.info/readv2": "Read v2",
    "http://read.info/ctv3": "Read CTV3",
}


def _label(field: str) -> str:
    return _LABELS.get(field) or field.replace("_", " ").capitalize()


def _lower(label: str) -> str:
    return label[0].lower() + label[1:] if label[1:2].islower() else label


def moment_words(moment: When) -> str:
    """A moment for people; a zone other than the trust's is named.

    >>> moment_words(When("2024-06-01T09:00", zone="Europe/Paris"))
    '1 June 2024, 09:00 (Europe/Paris)'
    """
    abroad = f" ({moment.zone})" if moment.has_time and moment.zone != DEFAULT_ZONE else ""
    return moment.words() + abroad


def value_words(value: Any) -> str:
    """Any value of the model in one line, with every field that its own words leave out.

    >>> value_words(Actor(name="Sam Patel", telecom=(ContactPoint(system="phone", value="01632 960001"),)))
    'Sam Patel, phone 01632 960001'
    """
    match value:
        case bool():
            return "yes" if value else "no"
        case str():
            return value
        case int() | Decimal():
            return str(value)
        case When():
            return moment_words(value)
        case PartialDate() | Concept() | Range() | Ratio() | Period() | Quantity():
            return value.words()
        case Identifier():
            return identifier_words(value)
        case Reference():
            return value.display or ""
        case Attachment():
            return _attachment_words(value)
        case tuple():
            return ", ".join(text for text in map(value_words, value) if text)
        case Model():
            return _model_words(value)
    return ""


def _head(model: Model) -> str:
    """What a person reads first of it: its own words, filled out where they leave out what is needed at once."""
    words: str = model.words() if hasattr(model, "words") else ""
    match model:
        case ContactPoint(system=str() as system):
            return f"{system} {words}"
        case HumanName(use=str() as use):
            return f"{words} ({use})" if use == "nickname" else f"{words} ({use} name)"
        case Address(use=str() as use):
            return f"{words} ({use})"
        case Actor():
            code = model.organization_code if model.organization else None
            named = f"{words} ({code})" if code else words
            return ", ".join((named, *map(value_words, model.telecom)))
        case Participant():
            role = f" ({model.role.words()})" if model.role else ""
            return value_words(model.actor) + role
        case Reaction():
            return ", ".join(concept.words() for concept in model.manifestation)
    return words


def _model_words(model: Model) -> str:
    head = _head(model)
    rest = (f"{_lower(fact.label)}: {', '.join(fact.texts)}" for fact in _facts(model, head))
    return _JOINT.join(part for part in (head, *rest) if part)


def _attachment_words(attachment: Attachment) -> str:
    rest = [f"{_lower(fact.label)}: {', '.join(fact.texts)}" for fact in _facts(attachment, attachment.title or "")]
    if attachment.data_base64 is not None:
        rest.append("its content came with it")
    elif attachment.url is not None:
        rest.append("its content stays at the source")
    return _JOINT.join(rest)


def identifier_words(identifier: Identifier) -> str:
    """An identifier with its namespace and what is known of it."""
    value = identifier.value or "value not stated"
    if identifier.is_nhs_number:
        value = f"{format_nhs_number(value)} (NHS number)"
    known = (identifier.type, identifier.use, None if identifier.is_nhs_number else identifier.system)
    verified = f"verification status {identifier.verification_status}" if identifier.verification_status else None
    return _JOINT.join(part for part in (value, *known, verified) if part)


def _facts(model: Model, head: str, left_out: Iterable[str] = ()) -> Iterator[Fact]:
    said, answered = (table.get(type(model), frozenset()) for table in (_SAID_BY_WORDS, _ANSWERED_BY_WORDS))
    folded = head.casefold()
    for field in _in_reading_order(type(model)):
        value = getattr(model, field)
        if value is None or value == () or field in _TECHNICAL or field in answered or field in left_out:
            continue
        if field in _POINTERS.get(type(model), ()):
            continue
        values = value if isinstance(value, tuple) else (value,)
        texts = tuple(text for text in map(value_words, values) if text)
        if field in said:
            texts = tuple(text for text in texts if text.casefold() not in folded)
        if texts:
            yield Fact(_label(field), texts)


def facts_of(item: Model, *, left_out: Iterable[str] = ()) -> tuple[Fact, ...]:
    """What an item or a line of a plan says beyond its own words, field by field; statuses and sources stand apart.

    >>> from mpftconnect.model import concept
    >>> facts_of(Need(description="Sleeps badly", priority="high"))
    (Fact(label='Priority', texts=('high',)),)
    """
    head = "" if isinstance(item, Patient) or not hasattr(item, "words") else item.words()
    return tuple(_facts(item, head, _ELSEWHERE | STATUS_FIELDS | frozenset(left_out)))


def _in_reading_order(kind: type[Model]) -> Iterator[str]:
    """A type's own fields first; then what every item has, such as who recorded it and when."""
    shared = ClinicalItem.model_fields if issubclass(kind, ClinicalItem) else Item.model_fields
    yield from (field for field in kind.model_fields if field not in shared)
    yield from (field for field in kind.model_fields if field in shared)


def technical_facts(item: Item) -> tuple[Fact, ...]:
    """Codes, identifiers and pointers of an item, wherever they stand in it, and its ids in its sources."""
    found: dict[str, list[str]] = {}
    for path, part in parts(item):
        if path.startswith(("source", "also", "extra")):
            continue
        place = path.split(".", 1)[0].split("[", 1)[0]
        if text := _technical_words(part):
            found.setdefault(place, []).append(text)
    for source in item.sources:
        version = f", version {source.version}" if source.version else ""
        changed = f", last changed there {moment_words(source.updated)}" if source.updated else ""
        found.setdefault("", []).append(f"{source.system}: {source.id}{version}{changed}")
    return tuple(Fact(_label(place) if place else "Id at the source", tuple(texts)) for place, texts in found.items())


def _technical_words(part: Any) -> str:
    match part:
        case Coding():
            return _coding_words(part)
        case Quantity(code=str() as code) if code != part.unit or part.system:
            return f"unit code {code} ({_CODE_SYSTEMS.get(part.system or '', part.system or 'system not stated')})"
        case Identifier():
            return identifier_words(part)
        case Reference():
            return ", ".join(text for text in (part.display, part.type, part.reference) if text)
        case Actor(reference=str() as pointer):
            return pointer
        case Attachment():
            return "; ".join(text for text in (part.url, part.hash) if text)
        case Line(id=str() as own):
            others = getattr(part, "goals", ()) or (part.addresses if isinstance(part, Goal) else ())
            return f"line {own}" + (f", serves {', '.join(others)}" if others else "")
        case Goal() | Action():
            others = part.addresses if isinstance(part, Goal) else part.goals
            return f"serves {', '.join(others)}" if others else ""
    return ""


def _coding_words(coding: Coding) -> str:
    system = _CODE_SYSTEMS.get(coding.system or "", coding.system or "system not stated")
    version = f", version {coding.version}" if coding.version else ""
    shown = f" {coding.display}" if coding.display else ""
    return f"{coding.code or 'code not stated'}{shown} ({system}{version})"
