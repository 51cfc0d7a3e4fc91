"""Whom a message is about: PID and PD1 as a `Patient`, NK1 as `RelatedPerson`s.

HL7 v2.5.1, sections 3.4.2 (PID), 3.4.10 (PD1) and 3.4.5 (NK1); the NHS number's verification status in PID-32 as the
HSCIC ITK HL7 v2 Message Specifications 1.0.15 have it.
"""

from __future__ import annotations

import re
from typing import Any, Final

from mpftconnect.hl7v2.changes import Key, Subject
from mpftconnect.hl7v2.mapping.datatypes import (
    address,
    coded_in,
    concept,
    date,
    identifier,
    moment,
    name,
    organisation,
    person,
    telecom_of,
    words,
)
from mpftconnect.hl7v2.mapping.draft import Draft, Row
from mpftconnect.hl7v2.mapping.leaves import Segment
from mpftconnect.hl7v2.mapping.making import changed, make
from mpftconnect.hl7v2.mapping.tables import GENDER
from mpftconnect.hl7v2.mapping.ways import TEXT, Way
from mpftconnect.hl7v2.mapping.work import Part, Person, Work, digest, key_of
from mpftconnect.model import (
    NHS_NUMBER_SYSTEM,
    Address,
    Coding,
    CommunicationNeed,
    Concept,
    HumanName,
    Identifier,
    Patient,
    Period,
    Reference,
    RelatedPerson,
)

__all__ = ["NEXT_OF_KIN", "PATIENT", "PATIENT_MORE", "confidence", "read_next_of_kin", "read_person"]


def _alias(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> HumanName | None:
    found = name(draft, segment, field, repetition, path)
    return found if found is None or found.use else changed(found, "use", "nickname")


# ISO 639-1 codes are language tags of BCP 47 (RFC 5646, section 2.2.1), which FHIR R4 binds the language to; the names
# of table 0396 under which senders write them.
_LANGUAGES: Final = frozenset(("ISO639", "ISO639-1", "ISO6391", "HL70296", "BCP47"))
_TAG: Final = re.compile(r"[a-z]{2}", re.ASCII)


def _language(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> CommunicationNeed | None:
    """A language tag as that; any other code or word as a note, since FHIR has no place for other codes."""
    sent = segment.left.get((field, repetition, 1, 1), "")
    if segment.left.get((field, repetition, 3, 1)) in _LANGUAGES and _TAG.fullmatch(sent):
        coding = Coding(system="urn:ietf:bcp:47", code=sent)
        draft.take(segment, field, repetition, 1, 1, f"{path}.language.coding[0].code")
        said = draft.take(segment, field, repetition, 2, 1, f"{path}.language.text")
        return make(CommunicationNeed, language=Concept(text=said, coding=(coding,)))
    found = words(draft, segment, field, repetition, f"{path}.note")
    return make(CommunicationNeed, note=found) if found else None


def _birth_place(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> Address | None:
    found = draft.take(segment, field, repetition, 1, 1, f"{path}.text")
    return make(Address, text=found) if found else None


def _flag(value: Any) -> str | None:
    return {True: "Y", False: "N"}.get(value) if isinstance(value, bool) else None


FLAG: Final = Way("table 0136", _flag)


def yes_or_no(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> bool | None:
    """Table 0136: Y or N."""
    value = segment.left.get((field, repetition, 1, 1))
    if value not in ("Y", "N"):
        return None
    draft.take(segment, field, repetition, 1, 1, path, FLAG)
    return value == "Y"


def _birth_order(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> int | None:
    return draft.take_whole(segment, field, path)


PATIENT: Final = (
    Row(3, "identifiers", identifier, many=True),
    Row(2, "identifiers", identifier, many=True, removable=False),
    Row(4, "identifiers", identifier, many=True, removable=False),
    Row(5, "names", name, many=True),
    Row(9, "names", _alias, many=True, removable=False),
    Row(7, "birth_date", date),
    Row(8, "gender", coded_in(GENDER)),
    Row(11, "addresses", address, many=True),
    Row(13, "telecom", telecom_of("home"), many=True),
    Row(14, "telecom", telecom_of("work"), many=True),
    Row(15, "communication", _language, many=True),
    Row(16, "marital_status", concept),
    Row(22, "ethnic_category", concept),
    Row(23, "birth_place", _birth_place),
    Row(25, "multiple_birth", _birth_order),
    Row(24, "multiple_birth", yes_or_no),
    Row(29, "deceased", moment),
    Row(30, "deceased", yes_or_no),
    Row(33, "recorded", moment, removable=False),
)
PATIENT_MORE: Final = (
    Row(4, "general_practitioner", person, many=True),
    Row(3, "general_practitioner", organisation, many=True, removable=False),
)

NEXT_OF_KIN: Final = (
    Row(2, "names", name, many=True),
    Row(3, "relationship", concept, many=True),
    Row(4, "addresses", address, many=True),
    Row(5, "telecom", telecom_of("home"), many=True),
    Row(6, "telecom", telecom_of("work"), many=True),
    Row(8, "period.start", moment),
    Row(9, "period.end", moment),
    Row(15, "gender", coded_in(GENDER)),
    Row(16, "birth_date", date),
    Row(31, "telecom", telecom_of(None), many=True),
)

# What in a message asks for confidence, by segment and field: v2.5.1 PD1-12 protection indicator, PV1-16 VIP
# indicator, PV2-22 visit protection indicator, ORC-28 confidentiality code, TXA-18 document confidentiality status;
# v2.8.2 ARV access restriction. What it means for reading is governance's to say.
_CONFIDENCE: Final = {"PD1": (12,), "PV1": (16,), "PV2": (22,), "ORC": (28,), "TXA": (18,), "ARV": (3,)}
# Codes that ask for nothing: N no; table 0177 U usual control, UWM unrestricted; table 0272 U usual control.
_USUAL: Final = frozenset(("N", "U", "UWM", "NO", "0"))


def confidence(part: Part) -> tuple[str, ...]:
    """The fields of a part by which the sender asks for confidence: `PV1-16`, `PD1-12`."""
    found = []
    for segment in part.segments:
        for field in _CONFIDENCE.get(segment.name, ()):
            value = segment.get(field)
            if value is not None and value.strip().upper() not in _USUAL:
                found.append(f"{segment.name}-{field}")
    return tuple(dict.fromkeys(found))


def read_person(work: Work, part: Part, *, mentions: bool) -> tuple[Person, Draft] | None:
    """The person that a part is about; the update of the person is the part's first change. None: parked.

    Args:
        mentions: The message is not about the person as such (a result, a letter).
    """
    pid = part.first("PID")
    if pid is None:
        work.park("no-patient", "the message says nowhere whom it is about: it has no PID", "PID")
        return None
    draft = work.draft(Patient)
    draft.fill(pid, PATIENT)
    identifiers: list[Identifier] = draft.values.get("identifiers", [])
    if not identifiers:
        work.undo(draft)
        work.park(
            "no-person-identifier", "the person has no identifier that can be read (PID-3, PID-2, PID-4)", pid.where
        )
        return None
    _verification(draft, pid, identifiers)
    if (more := part.first("PD1")) is not None:
        draft.fill(more, PATIENT_MORE)
        if more.left.get((12, 1, 1, 1)) == "Y":
            draft.take(more, 12, 1, 1, 1, "restriction", RESTRICTED)
            draft.values["restriction"] = "R"
    subject = Subject(identifiers=tuple(identifiers), restricted=confidence(part))
    keys = [key_of("Patient", known) for known in _own_first(identifiers)]
    number = next((known.value for known in identifiers if known.is_nhs_number), None)
    someone = Person(
        subject=subject,
        key=keys[0],
        aliases=tuple(keys[1:]),
        reference=make(
            Reference,
            reference=keys[0].reference,
            type="Patient",
            identifier=make(Identifier, system=NHS_NUMBER_SYSTEM, value=number) if number else None,
        ),
    )
    work.upsert(draft, someone, someone.key, {}, aliases=someone.aliases, mentions=mentions)
    return someone, draft


RESTRICTED: Final = Way("table 0136", lambda value: "Y" if value == "R" else None)


def _own_first(identifiers: list[Identifier]) -> list[Identifier]:
    """The sender's own numbers before the NHS number: a person may be sent before the NHS number is known."""
    return [known for known in identifiers if not known.is_nhs_number] + [
        known for known in identifiers if known.is_nhs_number
    ]


_STATUS: Final = frozenset(f"0{number}" for number in range(1, 9))


def _verification(draft: Draft, pid: Segment, identifiers: list[Identifier]) -> None:
    status = pid.left.get((32, 1, 1, 1))
    if status not in _STATUS:
        return
    for index, known in enumerate(identifiers):
        if known.is_nhs_number:
            draft.take(pid, 32, 1, 1, 1, f"identifiers[{index}].verification_status", TEXT)
            identifiers[index] = changed(known, "verification_status", status)
            return


def read_next_of_kin(work: Work, part: Part, someone: Person) -> None:
    """Each NK1 as a person to contact."""
    for segment in part.all("NK1"):
        draft = work.draft(RelatedPerson)
        draft.fill(segment, NEXT_OF_KIN)
        values = draft.values
        if not values.get("names") and not values.get("telecom"):
            work.undo(draft)
            continue
        start, end = values.pop("period.start", None), values.pop("period.end", None)
        if start or end:
            values["period"] = make(Period, start=start, end=end)
        if segment.left.get((7, 1, 1, 1)) in ("C", "EC"):  # Table 0131: C emergency contact.
            values["emergency_contact"] = True
        # NK1-1 counts the lines of this message; the names and the relationship are what stays.
        called = values.get("names") or (HumanName(),)
        relation = values["relationship"][0].words() if values.get("relationship") else None
        own = digest(called[0].family, *called[0].given, relation)
        key = Key(kind="RelatedPerson", authority=someone.key.authority, value=work.once(f"{someone.key.value}-{own}"))
        work.own(draft, segment)
        work.upsert(draft, someone, key, {"reference": someone.reference})
