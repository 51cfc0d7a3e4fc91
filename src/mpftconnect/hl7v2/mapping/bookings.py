"""SIU: SCH and its resources as an `Appointment`.

HL7 v2.5.1, chapter 10: sections 10.3 (the events S12 to S26), 10.6.1 (SCH), 10.6.3 (RGS) to 10.6.7 (AIP).
"""

from __future__ import annotations

from typing import Any, Final

from mpftconnect.hl7v2.mapping.datatypes import (
    coded_in,
    concept,
    entity_identifier,
    moment_in,
    person,
    place_as,
)
from mpftconnect.hl7v2.mapping.draft import Draft, Row
from mpftconnect.hl7v2.mapping.leaves import Segment
from mpftconnect.hl7v2.mapping.making import make
from mpftconnect.hl7v2.mapping.results import notes
from mpftconnect.hl7v2.mapping.tables import APPOINTMENT_STATUS
from mpftconnect.hl7v2.mapping.work import Part, Person, Work, key_of
from mpftconnect.model import Appointment, Identifier, Participant, Reference

__all__ = ["BOOKING", "read_booking"]

BOOKING: Final = (
    Row(2, "identifiers", entity_identifier, many=True, removable=False),
    Row(1, "identifiers", entity_identifier, many=True, removable=False),
    Row(7, "reason", concept, many=True),
    Row(8, "type", concept),
    Row(11, "start", moment_in(4)),
    Row(11, "end", moment_in(5)),
    Row(25, "status", coded_in(APPOINTMENT_STATUS), removable=False),
)
# What each event says of the booking (FHIR R4 appointmentstatus). S14 changes it and says nothing of that.
STATUS: Final = {
    "S12": "booked",
    "S13": "booked",
    "S15": "cancelled",
    "S16": "cancelled",
    "S17": "entered-in-error",
    "S26": "noshow",
}
_REASONS: Final = {
    "S15": "the appointment was cancelled",
    "S16": "the appointment was discontinued",
    "S17": "the appointment was deleted by the sender",
}
_MINUTES: Final = frozenset(("MIN", "MINS", "M", "MINUTE", "MINUTES"))


def read_booking(work: Work, part: Part, someone: Person, before: list[Segment]) -> None:
    """The appointment of a part; SCH stands before the PID."""
    sch = next((segment for segment in (*before, *part.segments) if segment.name == "SCH"), None)
    if sch is None:
        work.park("no-booking", "an appointment message without SCH", "SCH")
        return
    draft = work.draft(Appointment)
    draft.fill(sch, BOOKING)
    identifiers: list[Identifier] = draft.values.get("identifiers", [])
    if not identifiers:
        work.undo(draft)
        work.park("no-booking-number", "the appointment has no number (SCH-1, SCH-2)", "SCH-1")
        return
    work.own(draft, sch, *(one for one in (*before, *part.segments) if one.name in _OWNED))
    _resources(draft, part)
    _minutes(draft, sch)
    notes(draft, [one for one in (*before, *part.segments) if one.name == "NTE"])
    values, trigger = draft.values, work.trigger
    said = STATUS.get(trigger)
    # SCH-25 may lag behind the event that is sent; a cancellation is never shown as booked.
    if said is not None and (trigger in _REASONS or trigger == "S26" or "status" not in values):
        if "status" in values and values["status"] != said:
            _give_back(draft, sch, 25)
        values["status"] = said
    keys = [key_of("Appointment", known) for known in identifiers]
    about: dict[str, Any] = {"subject": someone.reference}
    if trigger in _REASONS:
        # FHIR R4, Appointment, constraint app-4: only a cancelled one has a reason for that.
        cause = concept(draft, sch, 6, 1, "cancellation_reason") if said == "cancelled" else None
        if cause is not None:
            values["cancellation_reason"] = cause
        work.retract(draft, someone, keys[0], about, aliases=tuple(keys[1:]), code=trigger, reason=_REASONS[trigger])
    else:
        work.upsert(draft, someone, keys[0], about, aliases=tuple(keys[1:]))


_OWNED: Final = frozenset(("TQ1", "NTE", "RGS", "AIS", "AIG", "AIL", "AIP", "DG1", "OBX", "PV1", "PV2"))


def _give_back(draft: Draft, segment: Segment, field: int) -> None:
    """What the item does not say after all is left again, and kept as extra."""
    for taken in [one for one in draft.taken if one[0] is segment and one[1][0] == field]:
        _, place, _, way = taken
        if way.name != "extra":
            draft.taken.remove(taken)
            if not any(one[0] is segment and one[1] == place for one in draft.taken):
                segment.left[place] = segment.sent[place]


def _minutes(draft: Draft, sch: Segment) -> None:
    if (sch.get(10) or "").upper() in _MINUTES and (minutes := draft.take_whole(sch, 9, "minutes")) is not None:
        draft.values["minutes"] = minutes


def _resources(draft: Draft, part: Part) -> None:
    """AIS: what is booked; AIL: where; AIP and AIG: who or what takes part; TQ1: when."""
    values = draft.values
    for segment in part.segments:
        if segment.name == "AIS":
            if "service" not in values and (service := concept(draft, segment, 3, 1, "service")):
                values["service"] = service
            if "start" not in values and (start := draft.take_time(segment, 4, 1, "start")):
                values["start"] = start
        elif segment.name == "AIL":
            path = draft.next_path("location")
            draft.add("location", place_as("location")(draft, segment, 3, 1, path))
        elif segment.name == "AIP":
            path = draft.next_path("participants")
            actor = person(draft, segment, 3, 1, f"{path}.actor")
            if actor is not None:
                role = concept(draft, segment, 4, 1, f"{path}.role")
                draft.add("participants", make(Participant, actor=actor, role=role))
        elif segment.name == "TQ1":
            if "start" not in values and (start := draft.take_time(segment, 7, 1, "start")):
                values["start"] = start
            if "end" not in values and (end := draft.take_time(segment, 8, 1, "end")):
                values["end"] = end


def booking_reference(identifier: Identifier) -> Reference:
    """How another item names a booking."""
    return make(Reference, reference=key_of("Appointment", identifier).reference, type="Appointment")
