"""Which message is mapped how. What is not listed here is parked with a reason."""

from __future__ import annotations

from typing import Final

from mpftconnect.hl7v2.mapping.bookings import STATUS, read_booking
from mpftconnect.hl7v2.mapping.documents import read_document
from mpftconnect.hl7v2.mapping.draft import Draft
from mpftconnect.hl7v2.mapping.facts import read_allergies, read_diagnoses
from mpftconnect.hl7v2.mapping.immunisations import read_immunisations
from mpftconnect.hl7v2.mapping.leaves import Segment
from mpftconnect.hl7v2.mapping.local_fields import read_local_fields
from mpftconnect.hl7v2.mapping.merging import MERGES, MOVES, read_link, read_merge, read_move
from mpftconnect.hl7v2.mapping.orders import read_orders, read_referral
from mpftconnect.hl7v2.mapping.patients import read_next_of_kin, read_person
from mpftconnect.hl7v2.mapping.results import read_observations, read_results
from mpftconnect.hl7v2.mapping.visits import CANCELS, EVENTS, read_visit
from mpftconnect.hl7v2.mapping.work import Part, Person, Work

__all__ = ["HANDLED", "map_parts"]

_UPDATES: Final = frozenset((*EVENTS, *CANCELS, "A08", "A28", "A31"))
_LINKS: Final = frozenset(("A24", "A37"))

HANDLED: Final[dict[str, frozenset[str]]] = {
    "ADT": _UPDATES | _LINKS | frozenset(("A60",)) | frozenset(MERGES) | frozenset(MOVES),
    "ORU": frozenset(("R01",)),
    "MDM": frozenset(f"T{number:02}" for number in range(1, 12)),
    "SIU": frozenset((*STATUS, "S14")),
    "REF": frozenset(("I12", "I13", "I14", "I15")),
    "ORM": frozenset(("O01",)),
    "OML": frozenset(("O21",)),
    "VXU": frozenset(("V04",)),
}


def _parts(segments: list[Segment]) -> tuple[list[Segment], list[Part]]:
    """What stands before the first PID, and a part for each PID."""
    before: list[Segment] = []
    parts: list[list[Segment]] = []
    for segment in segments:
        if segment.name == "PID":
            parts.append([segment])
        elif parts:
            parts[-1].append(segment)
        else:
            before.append(segment)
    return before, [Part(part) for part in parts]


def map_parts(work: Work, code: str) -> None:
    """Map every part of a message, or park what cannot be."""
    trigger = work.trigger
    if trigger not in HANDLED.get(code, ()):
        work.park("trigger-not-handled", "messages of this type and event are not mapped", "MSH-9")
        return
    before, parts = _parts(work.segments)
    if not parts:
        work.park("no-patient", "the message says nowhere whom it is about: it has no PID", "PID")
        return
    before = [segment for segment in before if segment.name not in ("MSH", "EVN", "SFT", "UAC")]
    mentions = code != "ADT" or trigger not in _UPDATES
    people: list[tuple[Person, Draft]] = []
    for number, part in enumerate(parts):
        found = read_person(work, part, mentions=mentions)
        if found is None:
            work.parked_segments.extend(part.segments)
            continue
        people.append(found)
        someone, draft = found
        leading = before if number == 0 else []
        _map_part(work, code, part, someone, draft, leading, mentions=mentions)
        read_local_fields(work, part, someone, draft)
        work.finish([*leading, *part.segments], draft)
    if code == "ADT" and trigger in _LINKS:
        read_link(work, parts, people)


def _map_part(
    work: Work, code: str, part: Part, someone: Person, draft: Draft, before: list[Segment], *, mentions: bool
) -> None:
    trigger = work.trigger
    if code == "ADT" and trigger in MERGES:
        read_merge(work, part, someone, draft)
        return
    if code == "ADT" and trigger in MOVES:
        read_move(work, part, someone, draft)
        return
    if code == "ADT" and trigger in _LINKS:
        return
    encounter = read_visit(work, part, someone, mentions=mentions)
    read_allergies(work, part, someone)
    if code == "ADT":
        read_next_of_kin(work, part, someone)
        read_diagnoses(work, part.all("DG1"), someone, encounter)
        if part.first("OBX") is not None:
            lines = part.all("OBX")
            read_observations(work, lines, part.segments, someone, encounter, "", None, work.stated)
    elif code == "ORU":
        read_next_of_kin(work, part, someone)
        read_results(work, part, someone, encounter)
    elif code == "MDM":
        read_document(work, part, someone, encounter)
    elif code == "SIU":
        read_booking(work, part, someone, before)
    elif code == "REF":
        read_diagnoses(work, part.all("DG1"), someone, encounter)
        read_referral(work, part, someone, before, encounter)
        if part.first("OBR") is not None:
            read_results(work, part, someone, encounter)
    elif code in ("ORM", "OML"):
        read_orders(work, part, someone, encounter)
    else:
        read_next_of_kin(work, part, someone)
        read_immunisations(work, part, someone, encounter)
