"""The privacy officer's list of break-glass: each use once, who repeats it, and that the officer looked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from mpftconnect.errors import AccessRefused
from mpftconnect.governance.audit import Withholding
from mpftconnect.governance.break_glass import read_break_glass


@pytest.fixture
def officer(audit_who: Any) -> Any:
    return audit_who.model_copy(update={"user": "p.officer", "role": "privacy-officer", "relationship": "none"})


def broken(audit_record: Any, who: Any, n: int, **changes: Any) -> Any:
    hurried = who.model_copy(update={"relationship": "break-glass", "reason": f"reason {n}"})
    return audit_record(n, action="break-glass", who=hurried, shown=(), **changes)


def test_each_use_once_with_its_reason_and_how_often(
    audit_place: Any, audit_record: Any, audit_who: Any, officer: Any
) -> None:
    stream = audit_place.privacy()
    sam = audit_who.model_copy(update={"user": "sam", "name": "Sam Poe"})
    # A read by a local id is told of three times: before the number is known, by it, and by the current one.
    for patient in (None, "9990000026", "9990000018"):
        stream.append(broken(audit_record, audit_who, 0, patient=patient))
    stream.record_withheld(audit_record(0), (Withholding("rio", "x", "p", "problems"),))
    stream.append(broken(audit_record, audit_who, 1))
    stream.append(broken(audit_record, audit_who, 2, patient="9990000034"))
    stream.append(broken(audit_record, sam, 3))
    stream.append(audit_record(4))
    found = read_break_glass(stream, officer)
    assert [(one.user, one.patient, one.reason, one.by_user, one.on_patient) for one in found] == [
        ("jane.doe", "9990000018", "reason 0", 3, 2),
        ("jane.doe", "9990000018", "reason 1", 3, 2),
        ("jane.doe", "9990000034", "reason 2", 3, 1),
        ("sam", "9990000018", "reason 3", 1, 1),
    ]
    assert [one.correlation_id for one in found] == [f"request-{n}" for n in range(4)]
    assert [one.user for one in read_break_glass(stream, officer, at_least=2)] == ["jane.doe"] * 3
    period = {"since": audit_record(1).at, "until": audit_record(2).at + timedelta(minutes=1)}
    assert [(one.reason, one.by_user) for one in read_break_glass(stream, officer, **period)] == [
        ("reason 1", 2),
        ("reason 2", 2),
    ]


def test_that_the_officer_looked_is_written_and_nobody_else_may(
    audit_place: Any, audit_record: Any, audit_who: Any, officer: Any
) -> None:
    stream = audit_place.privacy()
    stream.append(broken(audit_record, audit_who, 0))
    read_break_glass(stream, officer)
    with pytest.raises(AccessRefused):
        read_break_glass(stream, audit_who)
    codes = [entry.event["type"]["code"] for entry in stream.entries()]
    assert codes == ["110113", "110101", "110113"]
    assert len(read_break_glass(stream, officer)) == 1
