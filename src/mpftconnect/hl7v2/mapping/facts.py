"""What an ADT message says of a person's health beside the contact: AL1, IAM, DG1 and loose OBX.

HL7 v2.5.1, sections 3.4.6 (AL1), 3.4.7 (IAM) and 6.5.2 (DG1).
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from mpftconnect.hl7v2.changes import Key
from mpftconnect.hl7v2.mapping.datatypes import coded_in, concept, entity_identifier, moment, person, words
from mpftconnect.hl7v2.mapping.draft import Draft, Row
from mpftconnect.hl7v2.mapping.leaves import Segment
from mpftconnect.hl7v2.mapping.making import changed, key_to, make
from mpftconnect.hl7v2.mapping.tables import ALLERGY_CATEGORY, ALLERGY_SEVERITY
from mpftconnect.hl7v2.mapping.ways import coded
from mpftconnect.hl7v2.mapping.work import Part, Person, Work, digest, key_of
from mpftconnect.model import AllergyIntolerance, Coding, Concept, Condition, Reaction, Reference

__all__ = ["ALLERGY", "DIAGNOSIS", "INTOLERANCE", "read_allergies", "read_diagnoses"]

_CLINICAL: Final = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
_VERIFICATION: Final = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_CONDITION_VERIFICATION: Final = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
# 0436 Sensitivity to causative agent code.
_KIND: Final = coded("0436", {"AL": "allergy", "IN": "intolerance"})


def _reaction(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> Reaction | None:
    said = draft.take(segment, field, repetition, 1, 1, f"{path}.manifestation[0].text")
    return make(Reaction, manifestation=(make(Concept, text=said),)) if said else None


def _category(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> str | None:
    return draft.take_coded(segment, field, repetition, 1, path, draft.site.table(ALLERGY_CATEGORY))


ALLERGY: Final = (
    Row(2, "category", _category, many=True),
    Row(3, "code", concept, removable=False),
    Row(5, "reactions", _reaction, many=True),
    Row(6, "onset", moment),
)
INTOLERANCE: Final = (
    *ALLERGY[:3],
    Row(7, "identifiers", entity_identifier, many=True, removable=False),
    Row(8, "note", words, many=True),
    Row(9, "type", coded_in(_KIND)),
    Row(11, "onset", moment),
    Row(12, "onset", words),
    Row(13, "recorded", moment),
    Row(14, "author", person, removable=False),
)
DIAGNOSIS: Final = (
    Row(20, "identifiers", entity_identifier, many=True, removable=False),
    Row(3, "code", concept, removable=False),
    Row(5, "onset", moment),
    Row(6, "category", concept, many=True),
    Row(16, "author", person, removable=False),
    Row(19, "recorded", moment, removable=False),
)


@cache
def _status(system: str, code: str) -> Concept:
    return Concept(coding=(Coding(system=system, code=code),))


def _severity(draft: Draft, segment: Segment) -> None:
    """AL1-4, IAM-4: how bad the reactions were (FHIR has it of a reaction)."""
    reactions = draft.values.get("reactions")
    severity = (
        draft.take_coded(segment, 4, 1, 1, "reactions[0].severity", draft.site.table(ALLERGY_SEVERITY))
        if reactions
        else None
    )
    if severity is not None and reactions:
        reactions[0] = changed(reactions[0], "severity", severity)


def _own_key(kind: str, someone: Person, draft: Draft, work: Work) -> Key:
    """By its own number if it has one, else by person and code: the set id counts lines of one message only."""
    identifiers = draft.values.get("identifiers")
    if identifiers:
        return key_of(kind, identifiers[0])
    code: Concept = draft.values["code"]
    first = code.coding[0] if code.coding else Coding(display=code.text)
    own = digest(first.system, first.code or first.display)
    return key_to(kind, someone.key.authority, work.once(f"{someone.key.value}-{own}"))


def read_allergies(work: Work, part: Part, someone: Person) -> None:
    """AL1 and IAM. A line that is not sent again is not gone: only IAM-6 D withdraws one."""
    for segment in part.segments:
        if segment.name not in ("AL1", "IAM"):
            continue
        draft = work.draft(AllergyIntolerance)
        draft.fill(segment, ALLERGY if segment.name == "AL1" else INTOLERANCE)
        if "code" not in draft.values:
            work.undo(draft)
            continue
        _severity(draft, segment)
        work.own(draft, segment)
        about: dict[str, Any] = {"subject": someone.reference}
        key = _own_key("AllergyIntolerance", someone, draft, work)
        if segment.name == "IAM" and segment.get(6) == "D":
            about["verification_status"] = _status(_VERIFICATION, "entered-in-error")
            work.retract(draft, someone, key, about, code="IAM-6 D", reason="the sender deleted the allergy")
        elif segment.name == "IAM" and segment.get(17) == "E":
            about["verification_status"] = _status(_VERIFICATION, "entered-in-error")
            work.retract(draft, someone, key, about, code="IAM-17 E", reason="the allergy was recorded in error")
        else:
            inactive = segment.name == "IAM" and segment.get(17) == "I"
            about["clinical_status"] = _status(_CLINICAL, "inactive" if inactive else "active")
            if segment.name == "IAM" and segment.get(17) == "C":
                about["verification_status"] = _status(_VERIFICATION, "confirmed")
            work.upsert(draft, someone, key, about)


def read_diagnoses(work: Work, segments: list[Segment], someone: Person, encounter: Reference | None) -> None:
    """DG1; DG1-21 D withdraws one."""
    for segment in segments:
        draft = work.draft(Condition)
        draft.fill(segment, DIAGNOSIS)
        code: Concept | None = draft.values.get("code")
        if segment.left.get((4, 1, 1, 1)) and (code is None or code.text is None):
            said = draft.take(segment, 4, 1, 1, 1, "code.text")
            draft.values["code"] = changed(code, "text", said) if code else make(Concept, text=said)
        if "code" not in draft.values:
            work.undo(draft)
            continue
        work.own(draft, segment)
        about: dict[str, Any] = {"subject": someone.reference, "encounter": encounter}
        key = _own_key("Condition", someone, draft, work)
        if segment.get(21) == "D":
            about["verification_status"] = _status(_CONDITION_VERIFICATION, "entered-in-error")
            work.retract(draft, someone, key, about, code="DG1-21 D", reason="the sender deleted the diagnosis")
        else:
            work.upsert(draft, someone, key, about)
