"""The twin's days: one seed gives the same bytes, and what it tells is what our own checks call right."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from mpftconnect.hl7v2 import check, map_message, parse
from mpftconnect.sandbox import PEOPLE
from mpftconnect_acute import faults
from mpftconnect_acute.day import FULL, OTHERS
from mpftconnect_acute.twin import NORTHMERE, WESTLEY, HospitalTwin, configure

NOW = datetime(2026, 1, 14, 18, 30, tzinfo=UTC)


def twin(*on: str, seed: int = 0) -> HospitalTwin:
    made = HospitalTwin(PEOPLE, NORTHMERE, seed)
    made.faults.set(*on)
    return made


def test_one_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    assert twin().sent(NOW) == twin().sent(NOW)
    assert twin(seed=1).sent(NOW) != twin().sent(NOW)
    assert HospitalTwin(PEOPLE, WESTLEY).sent(NOW) != twin().sent(NOW)


@pytest.mark.parametrize("seed", range(6))
def test_every_message_is_right_by_our_own_check_and_is_mapped(seed: int) -> None:
    for sent in twin(seed=seed).sent(NOW):
        message = parse(sent.body)
        assert check(message) == [], message.type
        mapped = map_message(message)
        assert mapped.changes and not mapped.parked, message.type
        assert all(entry.outcome != "dropped" for entry in mapped.ledger), message.type


def test_a_day_has_in_it_what_usual_days_have() -> None:
    sent = twin().sent(NOW)
    kinds = Counter(parse(each.body).type.rsplit("^", 1)[0] for each in sent)
    assert {"ADT^A01", "ADT^A02", "ADT^A03", "ADT^A08", "ADT^A13", "ADT^A40", "ADT^A11"} <= kinds.keys()
    assert {"ORU^R01", "MDM^T02", "MDM^T08", "SIU^S12", "SIU^S13", "SIU^S15", "REF^I12", "VXU^V04"} <= kinds.keys()
    controls = Counter(parse(each.body).control_id for each in sent)
    assert any(count > 1 for count in controls.values()), "nothing is repeated"
    statuses = {parse(each.body)["OBX-11"] for each in sent}
    assert {"P", "F", "C", "W"} <= statuses
    stated = [(each.at, parse(each.body)["MSH-7"]) for each in sent]
    assert [at for at, _ in stated] == sorted(at for at, _ in stated)
    assert any(later < earlier for (_, earlier), (_, later) in pairwise(stated)), "none overtakes"


def test_every_story_is_told_by_somebody() -> None:
    assert len(OTHERS) <= len(PEOPLE) - 2 and set(FULL) - set(OTHERS)


@pytest.mark.parametrize("hour", range(24))
def test_nothing_comes_from_the_future_and_no_feed_is_overdue_at_any_hour(hour: int) -> None:
    now = datetime(2026, 7, 14, hour, 59, tzinfo=UTC)
    sent = twin().sent(now)
    assert sent and max(each.at for each in sent) <= now
    for name, feed in configure(twin())["feeds"].items():
        applications = [sender["application"] for sender in feed["senders"]]
        heard = max(each.at for each in sent if any(_of(each.body, application) for application in applications))
        assert now - heard < timedelta(minutes=feed["expected_minutes"]), name


@pytest.mark.parametrize("hour", [0, 9, 15, 18, 23])
def test_a_silent_laboratory_was_last_heard_at_two_minutes_past_two(hour: int) -> None:
    now = datetime(2026, 1, 14, hour, 7, tzinfo=UTC)
    last = max(each.at for each in twin(faults.SILENT).sent(now) if _of(each.body, "LIMS") or _of(each.body, "RIS"))
    assert (last.hour, last.minute) == (14, 2)
    assert now - last > timedelta(minutes=60)


def _of(body: bytes, application: str) -> bool:
    return body.split(b"|")[2].endswith(application.encode())


def test_each_fault_shows_in_the_messages_and_only_when_it_is_on() -> None:
    usual = {each.body for each in twin().sent(NOW)}
    for fault in faults.FAULTS - {faults.SILENT}:
        assert {each.body for each in twin(fault).sent(NOW)} - usual, fault
    broken = [each.body for each in twin(faults.BROKEN_STRUCTURE).sent(NOW) if b"\rPID" not in each.body]
    assert len(broken) == 1 and [one for one in check(parse(broken[0])) if one.severity == "error"]


def test_people_whom_no_hospital_could_name_are_in_no_message() -> None:
    said = b"".join(each.body for each in twin().sent(NOW))
    for person in PEOPLE:
        if not person.patient.names or any("invalidated" in view.settings for view in person.systems.values()):
            assert person.nhs_number.encode() not in said, person.role


def test_its_feeds_name_every_application_that_sends() -> None:
    feeds = configure(twin())["feeds"]
    named = {(one["application"], one["facility"]) for feed in feeds.values() for one in feed["senders"]}
    said = {tuple(part.decode() for part in each.body.split(b"|")[2:4]) for each in twin(*faults.FAULTS).sent(NOW)}
    assert said == named


def test_a_day_can_be_told_of_any_date() -> None:
    told = twin().day(date(2026, 3, 29))  # the clocks go forward
    assert all(parse(each.body)["MSH-7"].startswith("20260329") for each in told.told)
