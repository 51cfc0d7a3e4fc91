"""ORM, OML and REF: what is asked for, as a `ServiceRequest`; an order for a medicine as a medication request.

HL7 v2.5.1, chapter 4: sections 4.5.1 (ORC, and table 0119 order control), 4.5.3 (OBR), 4.14.1 (RXO); chapter 11:
section 11.6.1 (RF1), 11.6.3 (PRD).
"""

from __future__ import annotations

from typing import Any, Final

from mpftconnect.hl7v2.changes import Key
from mpftconnect.hl7v2.mapping.datatypes import (
    coded_in,
    concept,
    entity_identifier,
    joined,
    moment,
    moment_in,
    person,
)
from mpftconnect.hl7v2.mapping.draft import Draft, Row
from mpftconnect.hl7v2.mapping.facts import read_diagnoses
from mpftconnect.hl7v2.mapping.leaves import Segment
from mpftconnect.hl7v2.mapping.making import make
from mpftconnect.hl7v2.mapping.results import notes, read_observations, read_specimens
from mpftconnect.hl7v2.mapping.tables import ORDER_STATUS, PRIORITY
from mpftconnect.hl7v2.mapping.ways import coded
from mpftconnect.hl7v2.mapping.work import Part, Person, Work, digest, key_of
from mpftconnect.model import Actor, Identifier, MedicationStatement, Reference, ServiceRequest

__all__ = ["ORDER", "ORDER_DETAIL", "REFERRAL", "read_orders", "read_referral"]

_NUMBERS: Final = (
    Row(2, "identifiers", entity_identifier, many=True, removable=False),
    Row(3, "identifiers", entity_identifier, many=True, removable=False),
)
ORDER: Final = (
    *_NUMBERS,
    Row(5, "status", coded_in(ORDER_STATUS), removable=False),
    Row(9, "authored", moment),
    Row(12, "author", person),
    Row(16, "reason", concept, many=True),
)
ORDER_DETAIL: Final = (
    Row(4, "code", concept, removable=False),
    Row(5, "priority", coded_in(PRIORITY), removable=False),
    Row(27, "priority", coded_in(PRIORITY, 6), removable=False),
    Row(27, "occurrence", moment_in(4), removable=False),
    Row(16, "author", person, removable=False),
    Row(24, "category", concept, many=True, removable=False),
    Row(31, "reason", concept, many=True, removable=False),
)
_MEDICINE: Final = (Row(1, "medication", concept, removable=False),)
_GIVEN_MEDICINE: Final = (Row(2, "medication", concept, removable=False),)
_TIMING: Final = (
    Row(7, "occurrence", moment),
    Row(9, "priority", coded_in(PRIORITY), removable=False),
)
# 0119 Order control: what withdraws an order, and why in our words; and what the others say of its state.
_CANCELS: Final = {
    "CA": "the order was cancelled by who placed it (ORC-1 CA)",
    "OC": "the order was cancelled by who fills it (ORC-1 OC)",
    "CR": "the order was cancelled as asked (ORC-1 CR)",
    "DC": "the order was discontinued by who placed it (ORC-1 DC)",
    "OD": "the order was discontinued by who fills it (ORC-1 OD)",
    "DR": "the order was discontinued as asked (ORC-1 DR)",
    "OE": "the order was released in error (ORC-1 OE)",
}
_STATES: Final = {"NW": "active", "OK": "active", "SN": "active", "NA": "active", "HD": "on-hold", "OH": "on-hold"}
_INTENT: Final = "order"


def read_orders(work: Work, part: Part, someone: Person, encounter: Reference | None) -> None:
    """Each order of a part."""
    groups = _groups(part)
    if not groups:
        work.park("no-order", "an order message without ORC and OBR", "ORC")
    for group in groups:
        _read_order(work, group, someone, encounter)


def _groups(part: Part) -> list[list[Segment]]:
    """Each ORC with what follows it; an OBR that comes without its own ORC is an order too."""
    groups: list[list[Segment]] = []
    for segment in part.segments:
        begins = segment.name == "ORC" or (
            segment.name in ("OBR", "RXO")
            and (not groups or any(one.name in ("OBR", "RXO", "RXE") for one in groups[-1]))
        )
        if begins:
            groups.append([segment])
        elif groups:
            groups[-1].append(segment)
    return groups


def _one(group: list[Segment], name: str) -> Segment | None:
    return next((segment for segment in group if segment.name == name), None)


def _read_order(work: Work, group: list[Segment], someone: Person, encounter: Reference | None) -> None:
    orc, obr = _one(group, "ORC"), _one(group, "OBR")
    medicine = _one(group, "RXO") or _one(group, "RXE")
    medicinal = medicine is not None and obr is None
    draft = work.draft(MedicationStatement if medicinal else ServiceRequest)
    if orc is not None:
        draft.fill(orc, ORDER)
    if medicinal and medicine is not None:
        draft.fill(medicine, _MEDICINE if medicine.name == "RXO" else _GIVEN_MEDICINE)
    elif obr is not None:
        draft.fill(obr, _NUMBERS if not draft.values.get("identifiers") else ())
        draft.fill(obr, ORDER_DETAIL)
    values = draft.values
    timing = _one(group, "TQ1")
    if timing is not None and not medicinal:
        draft.fill(timing, _TIMING)
    identifiers: list[Identifier] = values.get("identifiers", [])
    if not identifiers or (medicinal and "medication" not in values):
        location = (orc or group[0]).where
        work.undo(draft)
        if identifiers:
            work.park("no-medicine", "an order for a medicine does not say which (RXO-1, RXE-2)", location)
        else:
            work.park("no-order-number", "the order has no number (ORC-2, ORC-3, OBR-2, OBR-3)", location)
        return
    work.own(draft, *(segment for segment in group if segment.name not in ("OBX", "SPM", "DG1")))
    kind = "MedicationStatement" if medicinal else "ServiceRequest"
    placer = [key_of(kind, known) for known in identifiers]
    code = values.get("code") or values.get("medication")
    keys = _told_apart(work, placer, digest(code.words()) if code else "")
    control = (orc.get(1) if orc is not None else None) or "NW"
    _control(draft, control)
    about: dict[str, Any] = {"subject": someone.reference, "encounter": encounter, "intent": _INTENT}
    if medicinal:
        about["kind"] = "request"
        values.pop("occurrence", None)
    _notes(draft, group)
    if control in _CANCELS:
        values["status"] = ("cancelled" if medicinal else "revoked") if control != "OE" else "entered-in-error"
        draft.add("note", _CANCELS[control])
        work.retract(
            draft,
            someone,
            keys[0],
            about,
            aliases=tuple(keys[1:]),
            code=f"ORC-1 {control}",
            reason=_CANCELS[control],
        )
    else:
        work.upsert(draft, someone, keys[0], about, aliases=tuple(keys[1:]))
    read_diagnoses(work, [one for one in group if one.name == "DG1"], someone, encounter)
    base = f"{keys[0].value}-order"
    specimens = read_specimens(work, group, someone, keys[0].authority, base)
    lines = [one for one in group if one.name == "OBX"]
    if lines:
        read_observations(
            work,
            lines,
            group,
            someone,
            encounter,
            base,
            None,
            work.stated,
            authority=keys[0].authority,
            specimen=specimens[0] if len(specimens) == 1 else None,
        )


def _told_apart(work: Work, keys: list[Key], own: str) -> list[Key]:
    """Several orders may share one number and differ by what is asked for: the second is told apart by that."""
    if work.once(f"{keys[0].text}") == keys[0].text:
        return keys
    return [Key(kind=key.kind, authority=key.authority, value=work.once(f"{key.value}-{own}")) for key in keys]


_CONTROL: Final = coded("0119", _STATES)


def _control(draft: Draft, control: str) -> None:
    if "status" not in draft.values and control in _STATES:
        draft.values["status"] = _STATES[control]


def _notes(draft: Draft, group: list[Segment]) -> None:
    lines = []
    for segment in group:
        if segment.name == "NTE":
            lines.append(segment)
        elif segment.name in ("OBX", "SPM"):
            break
    notes(draft, lines)


# --- referrals -------------------------------------------------------------------------------------------------

# 0283 Referral status, and 0280 Referral priority.
_REFERRAL_STATUS: Final = coded("0283", {"A": "active", "E": "completed", "R": "revoked"})
_REFERRAL_PRIORITY: Final = coded("0280", {"R": "routine", "S": "stat", "A": "asap"})
REFERRAL: Final = (
    Row(6, "identifiers", entity_identifier, many=True, removable=False),
    Row(11, "identifiers", entity_identifier, many=True, removable=False),
    Row(1, "status", coded_in(_REFERRAL_STATUS), removable=False),
    Row(2, "priority", coded_in(_REFERRAL_PRIORITY), removable=False),
    Row(3, "code", concept),
    Row(5, "category", concept, many=True),
    Row(7, "authored", moment),
    Row(10, "reason", concept, many=True),
)
_SENDS: Final = frozenset(("RP",))  # 0286 Provider role: RP referring provider, RT referred-to provider.
_TAKES: Final = frozenset(("RT",))


def read_referral(work: Work, part: Part, someone: Person, before: list[Segment], encounter: Reference | None) -> None:
    """REF: RF1 stands before the PID, and the providers (PRD) with it. I14 cancels the referral."""
    segments = [*before, *part.segments]
    rf1 = next((segment for segment in segments if segment.name == "RF1"), None)
    if rf1 is None:
        work.park("no-referral", "a referral message without RF1", "RF1")
        return
    draft = work.draft(ServiceRequest)
    draft.fill(rf1, REFERRAL)
    identifiers: list[Identifier] = draft.values.get("identifiers", [])
    if not identifiers:
        work.undo(draft)
        work.park("no-referral-number", "the referral has no number (RF1-6, RF1-11)", "RF1-6")
        return
    work.own(draft, rf1)
    for segment in segments:
        if segment.name in ("PRD", "CTD"):
            work.own(draft, segment)
        if segment.name == "PRD":
            _provider(draft, segment)
    keys = [key_of("ServiceRequest", known) for known in identifiers]
    about: dict[str, Any] = {"subject": someone.reference, "encounter": encounter, "intent": _INTENT}
    if work.trigger == "I14":
        if "status" in draft.values:
            from mpftconnect.hl7v2.mapping.bookings import _give_back

            _give_back(draft, rf1, 1)
        draft.values["status"] = "revoked"
        reason = "the referral was cancelled (I14)"
        draft.add("note", reason)
        work.retract(draft, someone, keys[0], about, aliases=tuple(keys[1:]), code="I14", reason=reason)
        return
    draft.values.setdefault("status", "active")
    work.upsert(draft, someone, keys[0], about, aliases=tuple(keys[1:]))


def _provider(draft: Draft, segment: Segment) -> None:
    role = segment.get(1)
    if role in _SENDS and "author" not in draft.values:
        path, add = "author", False
    elif role in _TAKES:
        path, add = draft.next_path("performers"), True
    else:
        return
    called = joined(draft, segment, 2, 1, (5, 2, 3, 1, 4), f"{path}.name", " ")
    number = segment.left.get((7, 1, 1, 1))
    known = None
    if number and number != '""' and not number.isspace():
        value = draft.take(segment, 7, 1, 1, 1, f"{path}.identifier.value")
        sort = draft.take(segment, 7, 1, 2, 1, f"{path}.identifier.type")
        known = make(Identifier, system=draft.site.system_of(draft.authority), value=value, type=sort)
    if called is None and known is None:
        return
    actor = make(Actor, name=called, identifier=known)
    if add:
        draft.add("performers", actor)
    else:
        draft.values["author"] = actor
