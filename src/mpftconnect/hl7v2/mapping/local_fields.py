"""Fields of a sender's own Z-segments that a site file makes part of an item."""

from __future__ import annotations

from typing import Any, Final

from mpftconnect.hl7v2.changes import Key
from mpftconnect.hl7v2.mapping.datatypes import concept, words
from mpftconnect.hl7v2.mapping.draft import EXTRA, Draft
from mpftconnect.hl7v2.mapping.leaves import Segment
from mpftconnect.hl7v2.mapping.making import make
from mpftconnect.hl7v2.mapping.work import Part, Person, Work, digest
from mpftconnect.model import CommunicationNeed, Concept, Encounter, Flag

__all__ = ["read_local_fields"]

_MANY: Final = frozenset(("reason", "reasonable_adjustments", "communication", "note"))


def read_local_fields(work: Work, part: Part, someone: Person, patient: Draft) -> None:
    """The fields that the site file names; an item that the message does not have leaves its field as extra."""
    fields = work.site.fields
    if not fields:
        return
    encounter = next((draft for draft in reversed(work.drafts) if draft.kind is Encounter), None)
    for segment in part.segments:
        if not segment.name.startswith("Z"):
            continue
        for field in segment.repetitions:
            target = fields.get(f"{segment.name}-{field}")
            if target is None:
                continue
            kind, _, attribute = target.partition(".")
            if kind == "Flag":
                _flag(work, segment, field, someone)
            elif (draft := patient if kind == "Patient" else encounter) is not None:
                _put(draft, segment, field, attribute)


def _put(draft: Draft, segment: Segment, field: int, attribute: str) -> None:
    many = attribute in _MANY
    if not many and attribute in draft.values:
        return
    for repetition in range(1, segment.repetitions[field] + 1 if many else 2):
        path = draft.next_path(attribute) if many else attribute
        value: Any
        if attribute == "note":
            value = words(draft, segment, field, repetition, path)
        elif attribute == "communication":
            said = words(draft, segment, field, repetition, f"{path}.note")
            value = make(CommunicationNeed, note=said) if said else None
        else:
            value = concept(draft, segment, field, repetition, path)
        if value is None:
            continue
        if many:
            draft.add(attribute, value)
        else:
            draft.values[attribute] = value


def _flag(work: Work, segment: Segment, field: int, someone: Person) -> None:
    draft = work.draft(Flag)
    code = concept(draft, segment, field, 1, "code")
    if code is None:
        work.undo(draft)
        return
    if code.text is None and len(code.coding) == 1 and code.coding[0].system is None and code.coding[0].display is None:
        # A bare text without a coding system is what the alert says, not a code.
        draft.taken = [
            (segment, place, path if way is EXTRA else "code.text", way) for segment, place, path, way in draft.taken
        ]
        code = Concept(text=code.coding[0].code)
    draft.values["code"] = code
    own = digest(f"{segment.name}-{field}", code.words())
    key = Key(kind="Flag", authority=someone.key.authority, value=work.once(f"{someone.key.value}-{own}"))
    work.upsert(draft, someone, key, {"subject": someone.reference, "status": "active"})
