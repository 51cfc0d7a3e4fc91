"""Who was shown an item: from a trail of any length, of several processes, saying what it cannot see."""

from __future__ import annotations

import itertools
import os
import sqlite3
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import mpftconnect
from mpftconnect.errors import AuditUnavailable
from mpftconnect.governance.affected import NEVER_SEEN
from mpftconnect.governance.audit import Shown, Withholding, to_audit_event
from mpftconnect.governance.audit_query import read_affected
from mpftconnect.governance.seal import canonical

SOURCE = Path(mpftconnect.__file__).parents[1]


def test_a_showing_says_who_under_which_relationship_and_by_which_request(
    audit_place: Any, audit_record: Any, audit_who: Any
) -> None:
    trail = audit_place.trail()
    trail.append(audit_record(who=audit_who.model_copy(update={"relationship": "break-glass"})))
    (one,) = trail.showings(source="rio", item="Condition/0")
    assert (one.user, one.role, one.organisation) == ("jane.doe", "community-nurse", "RRE")
    assert (one.correlation_id, one.relationship, one.sealed) == ("request-0", "break-glass", True)


def test_only_one_persons_record_if_wanted(audit_place: Any, audit_record: Any) -> None:
    trail = audit_place.trail()
    trail.append(audit_record(0))
    trail.append(audit_record(1, patient="9990000026"))
    assert [one.seq for one in trail.showings(source="rio")] == [1, 2]
    assert [one.seq for one in trail.showings(source="rio", patient="999 000 0026")] == [2]


def test_what_it_cannot_see_is_said(audit_place: Any, audit_record: Any) -> None:
    trail = audit_place.trail()
    assert trail.unseen() == NEVER_SEEN
    trail.append(audit_record(0))
    trail.append(audit_record(1, shown=()))
    trail.append(audit_record(2, shown=(), outcome="failure"))
    trail.append(audit_record(3))
    assert trail.unseen() == (
        "1 reads in the period name no item: nothing was shown in them, or they were written before entries named "
        "items.",
        *NEVER_SEEN,
    )
    assert trail.unseen(since=audit_record(2).at) == NEVER_SEEN
    assert trail.unseen(until=audit_record(1).at) == NEVER_SEEN
    trail.purge(audit_record(1).at)
    assert trail.unseen()[0] == "Entries 1 to 1 are gone: their retention was over."


def test_what_waits_in_the_second_sink_is_seen_and_what_is_damaged_there_is_counted(
    audit_place: Any, audit_record: Any
) -> None:
    trail = audit_place.trail()
    audit_place.store.mkdir(parents=True)
    trail.append(audit_record(0))
    with audit_place.sink.open("ab") as file:
        file.write(b'{"event": "junk"}\n')
    audit_place.store.rmdir()
    trail.append(audit_record(1))
    assert [one.seq for one in trail.showings(source="rio")] in ([1, -1], [-2, -1], [-1, -2])
    assert trail.unseen()[0] == "1 lines in the second sink are damaged and say nothing."


def test_a_trail_that_cannot_be_looked_through_says_so(audit_place: Any, audit_record: Any) -> None:
    trail = audit_place.trail()
    trail.append(audit_record(0))
    audit_place.store.write_bytes(b"junk" * 999)
    with pytest.raises(AuditUnavailable):
        list(trail.showings(source="rio"))
    with pytest.raises(AuditUnavailable):
        trail.unseen()


def test_a_changed_entry_is_shown_as_such(audit_place: Any, audit_record: Any) -> None:
    trail = audit_place.trail()
    trail.append(audit_record(0))
    db = sqlite3.connect(audit_place.store)
    db.execute("UPDATE entries SET event = replace(event, 'jane.doe', 'john.roe')")
    db.commit()
    db.close()
    (one,) = trail.showings(source="rio")
    assert (one.user, one.sealed) == ("john.roe", False)


def test_what_was_kept_back_silently_is_listed_on_neither_trail(audit_place: Any, audit_record: Any) -> None:
    trail, privacy = audit_place.trail(), audit_place.privacy()
    hidden = Withholding("rio", "Condition/secret", "never-shown", "problems")
    trail.append(audit_record())
    privacy.record_withheld(audit_record(), (hidden,))
    for one in (trail, privacy):
        assert list(one.showings(source="rio", item="Condition/secret")) == []
        assert "secret" not in str([*one.showings(source="rio"), *one.unseen()])


WRITER = textwrap.dedent("""
    import sys
    from datetime import UTC, datetime
    from pathlib import Path
    from mpftconnect.events import EventStream
    from mpftconnect.governance.audit import AuditRecord, AuditTrail, Shown
    from mpftconnect.model import AccessContext
    root, user = Path(sys.argv[1]), sys.argv[2]
    trail = AuditTrail(root / "store" / "audit.db", key=bytes(range(32)), anchor=root / "anchor" / "audit.anchor",
                       fallback=root / "sink" / "audit.waiting", events=EventStream(), lock_seconds=60.0)
    who = AccessContext(user=user, name=user, role="nurse", organisation="RRE", purpose="direct-care",
                        relationship="caseload")
    for n in range(10):
        trail.append(AuditRecord(action="read", outcome="success", who=who, patient="9990000018",
                                 shown=(Shown("rio", ("Observation/17",)),), correlation_id=f"{user}-{n}",
                                 at=datetime.now(UTC)))
""")


def test_the_showings_of_several_processes_are_all_found(audit_place: Any, audit_who: Any) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    users = ("one", "two", "three")
    arguments = [sys.executable, "-c", WRITER, str(audit_place.root)]
    writers = [subprocess.Popen([*arguments, user], env=environment) for user in users]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    officer = audit_who.model_copy(update={"role": "privacy-officer"})
    found = list(read_affected(audit_place.trail(), officer, source="rio", item="Observation/17"))
    assert sorted(one.correlation_id for one in found) == sorted(f"{user}-{n}" for user in users for n in range(10))


def fill(trail: Any, event: dict[str, Any], count: int) -> None:
    """Many entries at once; every hundredth showed Observation/1. Nobody sealed them, which reading does not mind."""
    begin = datetime(2026, 4, 1, tzinfo=UTC)
    plain = canonical(event)
    marked = plain.replace("Observation/0", "Observation/1")

    def rows() -> Iterator[tuple[object, ...]]:
        for n in range(count):
            at = (begin + timedelta(seconds=n)).isoformat(timespec="microseconds")
            yield n + 2, f"id-{n}", at, "9990000018", "jane.doe", plain if n % 100 else marked, "", ""

    db = sqlite3.connect(trail._store.path)
    with db:
        db.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows())
    db.close()


def test_a_hundred_thousand_entries_are_looked_through_in_little_memory(audit_place: Any, audit_record: Any) -> None:
    trail = audit_place.trail()
    trail.append(audit_record(0, shown=(Shown("rio", ("x",)),)))
    event = to_audit_event(audit_record(0, shown=(Shown("rio", ("Observation/0",)),)))
    # What a lookup needs, so that the file stays small enough for a test.
    slim = {key: event[key] for key in ("agent", "entity", "outcome", "recorded", "subtype")}
    slim["agent"] = event["agent"][:1]
    fill(trail, slim, 100_000)
    tracemalloc.start()
    try:
        marked = sum(1 for _ in trail.showings(source="rio", item="Observation/1"))
        anything = sum(1 for _ in itertools.islice(trail.showings(source="rio"), 3000))
        since = datetime(2026, 4, 1, tzinfo=UTC)
        early = trail.affected(source="rio", item="Observation/1", since=since, until=since + timedelta(seconds=150))
        unseen = trail.unseen()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (marked, anything, len(early), unseen) == (1000, 3000, 2, NEVER_SEEN)
    # A page of five hundred entries at a time; a hundred thousand would be over a hundred megabytes.
    assert peak < 4_000_000
