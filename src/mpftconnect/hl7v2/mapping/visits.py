"""A contact with the hospital: PV1 and PV2 as an `Encounter`, and what an ADT event says of its state.

HL7 v2.5.1, sections 3.4.3 (PV1), 3.4.4 (PV2) and 3.3.1 to 3.3.13 (the events).
"""

from __future__ import annotations

from typing import Any, Final

from mpftconnect.hl7v2.changes import Key
from mpftconnect.hl7v2.mapping.datatypes import (
    coded_in,
    concept,
    identifier,
    moment,
    person,
    place_as,
)
from mpftconnect.hl7v2.mapping.draft import Draft, Reader, Row
from mpftconnect.hl7v2.mapping.leaves import Segment
from mpftconnect.hl7v2.mapping.making import make
from mpftconnect.hl7v2.mapping.tables import ENCOUNTER_CLASS
from mpftconnect.hl7v2.mapping.work import Part, Person, Work, digest, key_of
from mpftconnect.model import Coding, Concept, Encounter, Participant, Period, Reference

__all__ = ["CANCELS", "EVENTS", "VISIT", "VISIT_MORE", "read_visit"]

# HL7 v3 ParticipationType.
_PARTICIPATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"


def _taking_part(code: str, display: str) -> Reader:
    role = Concept(coding=(Coding(system=_PARTICIPATION, code=code, display=display),))

    def read(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> Participant | None:
        actor = person(draft, segment, field, repetition, f"{path}.actor")
        return make(Participant, actor=actor, role=role) if actor else None

    return read


VISIT: Final = (
    Row(19, "identifiers", identifier, many=True, removable=False),
    Row(50, "identifiers", identifier, many=True, removable=False),
    Row(2, "encounter_class", coded_in(ENCOUNTER_CLASS), removable=False),
    Row(3, "location", place_as("current location"), many=True),
    Row(6, "location", place_as("prior location"), many=True, removable=False),
    Row(11, "location", place_as("temporary location"), many=True, removable=False),
    Row(42, "location", place_as("pending location"), many=True, removable=False),
    Row(43, "location", place_as("prior temporary location"), many=True, removable=False),
    Row(4, "type", concept, many=True),
    Row(7, "participants", _taking_part("ATND", "attender"), many=True),
    Row(8, "participants", _taking_part("REF", "referrer"), many=True, removable=False),
    Row(9, "participants", _taking_part("CON", "consultant"), many=True, removable=False),
    Row(17, "participants", _taking_part("ADM", "admitter"), many=True, removable=False),
    Row(52, "participants", _taking_part("PART", "Participation"), many=True, removable=False),
    Row(10, "service", concept),
    Row(44, "period.start", moment),
    Row(45, "period.end", moment),
)
VISIT_MORE: Final = (Row(3, "reason", concept, many=True),)

# What an event says of the contact (FHIR R4 encounter-status). A08 and the rest say nothing of it.
EVENTS: Final[dict[str, str | None]] = {
    "A01": "in-progress",
    "A02": "in-progress",
    "A03": "finished",
    "A04": "in-progress",
    "A05": "planned",
    "A06": "in-progress",
    "A07": "in-progress",
    "A12": "in-progress",
    "A13": "in-progress",
    "A14": "planned",
    **dict.fromkeys(("A09", "A10", "A15", "A16", "A25", "A26")),
}
# What takes a contact back (sections 3.3.11, 3.3.27 and 3.3.38), and why in our words.
CANCELS: Final = {
    "A11": "the admission or visit was cancelled (A11)",
    "A27": "the pending admission was cancelled (A27)",
    "A38": "the pre-admission was cancelled (A38)",
}


_OF_A_VISIT: Final = frozenset((*EVENTS, *CANCELS))


def _visit_key(draft: Draft, segment: Segment, work: Work, someone: Person, pid: Segment | None) -> Key | None:
    """The key of a contact: PV1-19, else PV1-50, else PID-18, else the person and PV1-44, in the sender's numbers."""
    identifiers = draft.values.get("identifiers")
    if identifiers:
        return key_of("Encounter", identifiers[0])
    if pid is not None and 18 in pid.repetitions:
        account = identifier(Draft(None, work.site, work.authority), _copy(pid, 18), 18, 1, "")
        if account is not None:
            return key_of("Encounter", account)
    if admitted := segment.get(44):
        return Key(kind="Encounter", authority=someone.key.authority, value=f"{someone.key.value}-{digest(admitted)}")
    return None


def _copy(segment: Segment, field: int) -> Segment:
    """The field alone, so that reading the key takes nothing from the segment."""
    sent = {place: value for place, value in segment.sent.items() if place[0] == field}
    held = {key: bits for key, bits in segment.components.items() if key[0] == field}
    return Segment(segment.name, segment.number, sent, {field: 1}, held)


def read_visit(work: Work, part: Part, someone: Person, *, mentions: bool) -> Reference | None:
    """The contact of a part, and the reference by which other items name it; None where it has none.

    A11, A27 and A38 withdraw the contact; A13 removes its end; A12 states where the person is again.
    """
    segment = part.first("PV1")
    if segment is None:
        return None
    draft = work.draft(Encounter)
    draft.fill(segment, VISIT)
    key = _visit_key(draft, segment, work, someone, part.first("PID"))
    if key is None:
        work.undo(draft)
        if not mentions and work.trigger in _OF_A_VISIT:
            work.park(
                "no-visit-number", "the visit has no number (PV1-19, PV1-50, PID-18) and no admission time", "PV1"
            )
        return None
    work.own(draft, segment)
    if (more := part.first("PV2")) is not None:
        draft.fill(more, VISIT_MORE)
        work.own(draft, more)
    for owned in ("ROL", "PDA", "ACC"):
        work.own(draft, *part.all(owned))
    values = draft.values
    start, end = values.pop("period.start", None), values.pop("period.end", None)
    if work.trigger == "A13" and not mentions:
        # The discharge did not take place: whatever PV1-45 says, nothing ended (v2.5.1, section 3.3.13).
        end = None
        if "period.end" not in draft.removed:
            draft.removed.append("period.end")
    if start or end:
        values["period"] = make(Period, start=start, end=end)
    about: dict[str, Any] = {"subject": someone.reference, "provider": work.organisation}
    if not mentions and (reason := CANCELS.get(work.trigger)):
        values["status"] = "cancelled"
        work.retract(draft, someone, key, about, code=work.trigger, reason=reason)
    else:
        if not mentions and (status := EVENTS.get(work.trigger)):
            values["status"] = status
        elif end is not None:
            values["status"] = "finished"
        work.upsert(draft, someone, key, about, mentions=mentions)
    return make(Reference, reference=key.reference, type="Encounter")
