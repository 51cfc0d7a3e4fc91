"""Silence is the usual failure: a feed that is overdue, or whose messages wait, is a gap on what it serves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from mpftconnect.errors import FeedOverdue, GapReason, SystemFailed
from mpftconnect.inbox import FeedReader, header_of
from mpftconnect.inbox.feeds import feed_of
from mpftconnect.model import Notice, SectionName

from .conftest import ADA, NOW, feed, message


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-01-{text}+00:00")


@pytest.mark.parametrize(
    ("quiet", "heard", "now", "overdue"),
    [
        ((), "02 14:00", "02 15:00", False),
        ((), "02 14:00", "02 15:01", True),
        # Nothing is expected at night, and the time before and after it counts together.
        (("22:00-06:00",), "02 21:30", "03 05:59", False),
        (("22:00-06:00",), "02 21:30", "03 06:29", False),
        (("22:00-06:00",), "02 21:30", "03 06:32", True),
        (("22:00-06:00",), "02 20:59", "02 22:30", True),
        (("12:00-13:00", "22:00-06:00"), "02 11:30", "02 13:20", False),
        (("12:00-13:00", "22:00-06:00"), "02 11:30", "02 13:32", True),
        (("00:00-00:00",), "01 00:00", "02 00:00", True),
        ((), "01 00:00", "31 00:00", True),
    ],
)
def test_when_a_feed_is_overdue(bench, quiet: tuple[str, ...], heard: str, now: str, overdue: bool):
    one = bench(feeds={"pas": feed(quiet=quiet)})
    one.clock[0] = at(heard)
    one.inbox.receive(message("1"))
    one.clock[0] = at(now)
    assert one.inbox.feeds()[0].overdue is overdue


def test_a_clock_that_was_ahead_hides_no_silence(bench):
    one = bench()
    one.clock[0] = at("20 14:02")
    one.inbox.receive(message("1"))
    one.clock[0] = at("02 14:02")  # put right; nothing has come since
    (status,) = one.inbox.feeds()
    assert status.overdue
    assert (
        status.words(one.clock[0]) == "last heard 20 January 2026, 14:02, which is still to come: the clock was wrong"
    )
    # A clock that is put back by less than the feed may be silent says nothing.
    one.clock[0] = at("20 13:30")
    assert not one.inbox.feeds()[0].overdue
    one.clock[0] = at("20 15:03")
    (status,) = one.inbox.feeds()
    assert status.overdue and status.words(one.clock[0]) == "last heard 14:02"


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("ahead", ["message", "repeat"])
def test_a_feed_that_is_heard_again_is_well_again_after_a_clock_was_ahead(bench, counted: bool, ahead: str):
    one = bench()
    now = datetime.now(UTC)
    one.clock[0] = now - timedelta(hours=3)
    one.inbox.receive(message("1"))
    one.clock[0] = now + timedelta(days=900)
    one.inbox.receive(message("1" if ahead == "repeat" else "2"))
    if counted:
        one.inbox.process()
        one.store.purge(now - timedelta(days=900))  # it counts the log of every feed
    one.clock[0] = now
    assert one.inbox.feeds()[0].overdue
    one.clock[0] = now - timedelta(seconds=1)
    one.inbox.receive(message("3"))
    (status,) = one.inbox.feeds()
    assert not status.overdue and status.heard == one.clock[0]
    if counted:
        one.store.purge(now - timedelta(days=900))
        assert one.inbox.feeds()[0].heard == one.clock[0]


def test_quiet_hours_are_the_feeds_own_zones(bench):
    one = bench(feeds={"pas": feed(quiet=("22:00-06:00",), zone="Australia/Perth")})
    one.clock[0] = at("02 14:00")  # 22:00 in Perth
    one.inbox.receive(message("1"))
    one.clock[0] = at("02 21:59")
    assert not one.inbox.feeds()[0].overdue
    one.clock[0] = at("02 23:02")
    assert one.inbox.feeds()[0].overdue


def test_a_feed_that_was_never_heard_is_overdue_after_its_time(bench):
    one = bench()
    (status,) = one.inbox.feeds()
    assert status.heard is None and status.overdue  # no store yet: nobody can say since when one listens
    other = bench("other", feeds={"pas": feed(), "lab": feed(senders=({"facility": "ZZ2"},))})
    other.inbox.receive(message("1"))
    other.clock[0] = datetime.now(UTC) + timedelta(minutes=30)
    assert [status.overdue for status in other.inbox.feeds()] == [False, True]
    other.clock[0] += timedelta(minutes=31)
    assert [status.overdue for status in other.inbox.feeds()] == [True, True]


def test_repeats_and_what_is_parked_are_signs_of_life_too(bench):
    one = bench()
    one.inbox.receive(message("1"))
    one.tick(minutes=59)
    one.inbox.receive(message("1"))
    one.tick(minutes=59)
    one.inbox.receive(message("1", family="OTHER"))
    one.tick(minutes=59)
    assert not one.inbox.feeds()[0].overdue


def test_status_counts(bench):
    one = bench()
    one.inbox.receive(message("1", "ZCH|visit-upsert|V1"))
    one.tick(minutes=1)
    one.inbox.receive(message("2", "ZCH|visit-upsert|V1", nhs="9990000042", local=None))
    one.inbox.receive(message("3", sender="X|Y"))
    pas, stray = sorted(one.inbox.feeds(), key=lambda each: each.feed, reverse=True)
    assert (pas.depth, pas.oldest, pas.parked, pas.total) == (2, NOW, 0, 2)
    assert (stray.feed, stray.parked, stray.total) == ("(no feed)", 1, 1)
    one.inbox.process()
    (pas,) = (each for each in one.inbox.feeds() if each.feed == "pas")
    assert (pas.depth, pas.oldest, pas.parked, pas.total, pas.heard) == (0, None, 1, 2, NOW + timedelta(minutes=1))


def read(one: Any, section: SectionName = SectionName.RESULTS) -> tuple[list[Any], str | None]:
    reader = FeedReader(one.inbox, "pas", clock=lambda: one.clock[0])
    found = []
    try:
        for each in reader.read(ADA, section):
            found.append(each)
    except FeedOverdue as overdue:
        assert overdue.reason == GapReason.FEED_OVERDUE
        return found, overdue.rule
    return found, None


def test_an_overdue_feed_is_a_gap_after_what_there_is(bench):
    one = bench()
    one.take(message("1", "ZCH|result-replace|R1|4"))
    assert read(one)[1] is None
    one.tick(minutes=61)
    found, gap = read(one)
    assert len(found) == 1 and gap == "last heard 14:02"
    # A section that the feed does not serve is not touched by it.
    assert read(one, SectionName.ALLERGIES) == ([], None)
    one.tick(days=2)
    assert read(one)[1] == "last heard 2 January 2026, 14:02"


def test_messages_that_wait_too_long_are_a_gap_too(bench):
    one = bench()
    one.inbox.receive(message("1", "ZCH|result-replace|R1|4"))
    one.tick(minutes=61)
    one.inbox.receive(message("2"))
    found, gap = read(one)
    assert found == [] and gap == "messages since 14:02 wait to be processed"


def test_what_is_withdrawn_says_so_to_its_reader(bench):
    one = bench()
    one.take(message("1", "ZCH|result-replace|R1|4"), message("2", "ZCH|result-retract|R1"))
    ((item,), _) = read(one)
    assert item.withdrawn and any("withdrawn by the laboratory" in line for line in item.note)


def test_a_mark_of_confidence_is_shown(bench):
    from mpftconnect.hl7v2 import Subject

    from .conftest import small_mapper

    def marking(raw: bytes, name: str) -> Any:
        from dataclasses import replace

        mapped = small_mapper(raw, name)
        subject = Subject(identifiers=mapped.changes[0].subject.identifiers, restricted=("PV1-16",))
        mapped.changes = [replace(change, subject=subject) for change in mapped.changes]
        return mapped

    one = bench(mapper=marking)
    one.take(message("1", "ZCH|result-replace|R1|4"))
    found, _ = read(one)
    assert [each.code for each in found if isinstance(each, Notice)] == ["confidential-items"]


def test_a_store_that_fails_is_the_systems_failure(bench):
    one = bench()
    one.take(message("1", "ZCH|result-replace|R1|4"))
    one.inbox.close()
    one.store.path.write_bytes(b"no database, and SEEDEDVALUE")
    for suffix in ("-wal", "-shm"):
        one.store.path.with_name(one.store.path.name + suffix).unlink(missing_ok=True)
    with pytest.raises(SystemFailed, match=r"store-corrupt") as failed:
        read(one)
    assert "SEEDED" not in str(failed.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"senders": ()},
        {"senders": ({},)},
        {"expected_minutes": 0},
        {"quiet": ("22-06",)},
        {"quiet": ("25:00-06:00",)},
        {"zone": "Mars/Olympus"},
        {"sections": ()},
        {"sections": ("secrets",)},
        {"nonsense": 1},
    ],
)
def test_a_feed_that_cannot_be_meant_is_refused(wrong: dict[str, Any]):
    with pytest.raises(ValidationError):
        feed(**wrong)


def test_whose_message_it_is():
    feeds = {
        "pas": feed(senders=({"application": "PAS", "facility": "ZZ1"},)),
        "lab": feed(senders=({"application": "LAB"}, {"facility": "ZZ9"})),
        "also": feed(senders=({"application": "BOTH", "facility": "ZZ9"},)),
    }
    for sender, expected in (
        ("PAS|ZZ1", "pas"),
        ("PAS|ZZ1^2.16.1^ISO", "pas"),
        ("PAS|ZZ2", None),
        ("LAB|any", "lab"),
        ("other|ZZ9", "lab"),
        ("BOTH|ZZ9", None),  # two feeds' is nobody's
    ):
        assert feed_of(feeds, header_of(message("1", sender=sender))) == expected
