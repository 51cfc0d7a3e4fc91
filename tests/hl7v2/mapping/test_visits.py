"""Contacts: what an ADT event says of them, and what takes it back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mpftconnect.hl7v2 import Mapped, Retract, Site, Upsert, applied
from mpftconnect.model import Encounter

Mapper = Callable[..., Mapped]
PID = "PID|1||77^^^RRE||DOE^Jane"


def pv1(location: str = "W1^R2^B3", admitted: str = "202603010900", discharged: str = "") -> str:
    fields = {2: "I", 3: location, 7: "C1^Patel^Sam", 10: "CARD", 19: "V1^^^RRE", 44: admitted, 45: discharged}
    return "PV1|" + "|".join(fields.get(number, "") for number in range(1, 46))


def visit(mapped: Mapped) -> Encounter:
    return next(item for item in mapped.items if isinstance(item, Encounter))


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("A01", "in-progress"),
        ("A02", "in-progress"),
        ("A03", "finished"),
        ("A04", "in-progress"),
        ("A05", "planned"),
        ("A06", "in-progress"),
        ("A07", "in-progress"),
        ("A12", "in-progress"),
        ("A13", "in-progress"),
        ("A08", None),
    ],
)
def test_what_an_event_says_of_the_contact(mapped: Mapper, event: str, status: str | None) -> None:
    found = visit(mapped(f"ADT^{event}", f"EVN|{event}|202603011000", PID, pv1()))
    assert found.status == status and found.encounter_class == "IMP"
    assert found.location[0].name == "W1, R2, B3" and found.participants[0].actor.name == "Sam Patel"


def test_a_transfer_states_both_places(mapped: Mapper) -> None:
    found = visit(mapped("ADT^A02", PID, "PV1||I|W2^R1^B1|||W1^R2^B3" + "|" * 13 + "V1^^^RRE"))
    assert [(place.name, place.role) for place in found.location] == [
        ("W2, R1, B1", "current location"),
        ("W1, R2, B3", "prior location"),
    ]


def test_a_cancelled_admission_stays_as_withdrawn(mapped: Mapper) -> None:
    admitted = mapped("ADT^A01", PID, pv1()).changes[1]
    change = mapped("ADT^A11", PID, pv1()).changes[1]
    assert isinstance(change, Retract) and isinstance(admitted, Upsert)
    assert (change.code, change.key) == ("A11", admitted.key)
    after = applied(admitted.item, change)
    assert after.withdrawn == "Cancelled" and isinstance(after, Encounter) and after.location


def test_a_cancelled_discharge_removes_the_end(mapped: Mapper) -> None:
    discharged = mapped("ADT^A03", PID, pv1(discharged="202603021200")).changes[1]
    cancelled = mapped("ADT^A13", PID, pv1(discharged="202603021200")).changes[1]
    assert isinstance(discharged, Upsert) and isinstance(cancelled, Upsert)
    before = applied(None, discharged)
    after = applied(before, cancelled)
    assert isinstance(before, Encounter) and isinstance(after, Encounter)
    assert before.period is not None and before.period.end is not None
    assert after.status == "in-progress" and after.period is not None and after.period.end is None
    assert after.period.start is not None, "an A13 does not take the admission back"


def test_a_cancelled_transfer_restores_the_place(mapped: Mapper) -> None:
    moved, back = mapped("ADT^A02", PID, pv1("W2")).changes[1], mapped("ADT^A12", PID, pv1("W1")).changes[1]
    assert isinstance(moved, Upsert) and isinstance(back, Upsert)
    after = applied(moved.item, back)
    assert isinstance(after, Encounter) and [place.name for place in after.location] == ["W1"]


def test_a_visit_without_a_number_is_parked_and_the_person_is_not(mapped: Mapper) -> None:
    result = mapped("ADT^A01", PID, "PV1||I|W1")
    assert [parked.code for parked in result.parked] == ["no-visit-number"] and len(result.changes) == 1
    assert "W1" in [extra.value for item in result.items for extra in item.extra]


def test_the_event_orders_the_changes(mapped: Mapper) -> None:
    stated = mapped("ADT^A01", "EVN|A01|202603010930", PID, pv1()).changes[1].stated
    assert stated.at is not None and stated.at.text == "2026-03-01T09:30" and stated.basis == "event"
    assert stated.control_id == "C1"
    stated = mapped("ADT^A01", PID, pv1()).changes[1].stated
    assert stated.at is not None and stated.basis == "sent"


@pytest.mark.parametrize("event", ["A99", "A17", "B01"])
def test_an_event_that_is_not_handled_is_parked_whole(mapped: Mapper, event: str) -> None:
    result = mapped(f"ADT^{event}", PID, pv1())
    assert result.changes == () and [parked.code for parked in result.parked] == ["trigger-not-handled"]
    assert {entry.outcome for entry in result.ledger if entry.segment in ("PID", "PV1")} == {"parked"}


@pytest.mark.parametrize("sender", ["RRE", "PAS|RRE"])
def test_the_senders_ods_code_is_the_provider(mapped: Mapper, sender: str) -> None:
    result = mapped("ADT^A01", PID, pv1(), site=Site(senders={sender: "ZZ123"}))
    provider = visit(result).provider
    assert provider is not None and provider.organization_code == "ZZ123" == result.envelope.organisation
    assert visit(mapped("ADT^A01", PID, pv1())).provider is None
