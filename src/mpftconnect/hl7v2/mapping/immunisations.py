"""VXU: each RXA as an `Immunization`.

HL7 v2.5.1, sections 4A.4.7 (RXA), 4A.4.2 (RXR) and chapter 4A.7 (VXU^V04).
"""

from __future__ import annotations

from typing import Any, Final

from mpftconnect.hl7v2.changes import Key
from mpftconnect.hl7v2.mapping.datatypes import coded_in, concept, entity_identifier, moment, person, words
from mpftconnect.hl7v2.mapping.draft import Draft, Row
from mpftconnect.hl7v2.mapping.leaves import Segment
from mpftconnect.hl7v2.mapping.making import make
from mpftconnect.hl7v2.mapping.results import notes
from mpftconnect.hl7v2.mapping.tables import COMPLETION
from mpftconnect.hl7v2.mapping.work import Part, Person, Work, digest, key_of
from mpftconnect.model import Actor, Concept, Identifier, Immunization, Quantity, Reference

__all__ = ["ROUTE", "VACCINATION", "read_immunisations"]


def _manufacturer(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> Actor | None:
    said = words(draft, segment, field, repetition, f"{path}.organization")
    return make(Actor, organization=said) if said else None


def _place(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> Actor | None:
    """LA2 (2.A.38): the facility is component 4."""
    said = draft.take(segment, field, repetition, 4, 1, f"{path}.name")
    return make(Actor, name=said) if said else None


def _day_of(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> Any:
    return draft.take_time(segment, field, repetition, path)


_NUMBERS: Final = (
    Row(3, "identifiers", entity_identifier, many=True, removable=False),
    Row(2, "identifiers", entity_identifier, many=True, removable=False),
)
VACCINATION: Final = (
    Row(3, "occurrence", moment, removable=False),
    Row(5, "vaccine", concept, removable=False),
    Row(10, "performers", person, many=True),
    Row(11, "location", _place),
    Row(15, "lot_number", words),
    Row(16, "expiration", _day_of),
    Row(17, "manufacturer", _manufacturer),
    Row(18, "status_reason", concept),
    Row(19, "reason", concept, many=True),
    Row(20, "status", coded_in(COMPLETION), removable=False),
)
ROUTE: Final = (Row(1, "route", concept), Row(2, "site", concept))


def read_immunisations(work: Work, part: Part, someone: Person, encounter: Reference | None) -> None:
    """Each vaccination of a part; RXA-21 D withdraws one."""
    groups: list[list[Segment]] = []
    pending: list[Segment] = []
    for segment in part.segments:
        if segment.name == "ORC":
            pending = [segment]
        elif segment.name == "RXA":
            groups.append([*pending, segment])
            pending = []
        elif groups and not pending:
            groups[-1].append(segment)
    if not groups:
        work.park("no-vaccination", "a vaccination message without RXA", "RXA")
    for group in groups:
        _read_one(work, group, someone, encounter)


def _read_one(work: Work, group: list[Segment], someone: Person, encounter: Reference | None) -> None:
    rxa = next(segment for segment in group if segment.name == "RXA")
    draft = work.draft(Immunization)
    draft.fill(rxa, VACCINATION)
    values = draft.values
    if "vaccine" not in values:
        work.undo(draft)
        work.park("no-vaccine", "a vaccination does not say which vaccine (RXA-5)", rxa.where)
        return
    for segment in group:
        if segment.name == "ORC":
            draft.fill(segment, _NUMBERS)
        elif segment.name == "RXR":
            draft.fill(segment, ROUTE)
    _dose(draft, rxa)
    notes(draft, [segment for segment in group if segment.name == "NTE"])
    work.own(draft, *group)
    values.setdefault("status", "completed" if rxa.get(18) is None else "not-done")
    identifiers: list[Identifier] = values.get("identifiers", [])
    vaccine: Concept = values["vaccine"]
    first = vaccine.coding[0] if vaccine.coding else None
    own = digest(rxa.get(3), first.system if first else None, first.code if first else vaccine.text)
    if identifiers and identifiers[0].value not in _NO_NUMBER:
        first_key = key_of("Immunization", identifiers[0])
        key = Key(kind="Immunization", authority=first_key.authority, value=work.once(first_key.value))
    else:
        key = Key(kind="Immunization", authority=someone.key.authority, value=work.once(f"{someone.key.value}-{own}"))
    about: dict[str, Any] = {"subject": someone.reference, "encounter": encounter}
    if rxa.get(21) == "D":
        values["status"] = "entered-in-error"
        reason = "the sender deleted the vaccination (RXA-21 D)"
        draft.add("note", reason)
        work.retract(draft, someone, key, about, code="RXA-21 D", reason=reason)
    elif rxa.get(21) == "U":
        work.replace(draft, someone, key, about)
    else:
        work.upsert(draft, someone, key, about)


# CDC 2.5.1 implementation guide for immunization messaging, ORC-3: 9999 where a refused or historical one has none.
_NO_NUMBER: Final = frozenset(("9999",))


def _dose(draft: Draft, rxa: Segment) -> None:
    """RXA-6 and RXA-7; 999 means that the amount is not known (section 4A.4.7.6), so it is no amount."""
    if rxa.get(6) in (None, "999"):
        return
    value = draft.take_number(rxa, 6, 1, 1, "dose.value")
    if value is None:
        return
    unit = words(draft, rxa, 7, 1, "dose.unit")
    draft.values["dose"] = make(Quantity, value=value, unit=unit)
