"""What happens when the store, the anchor or the second sink fails."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from contextlib import closing

import pytest

from mpftconnect.errors import AuditUnavailable
from mpftconnect.events import Code
from mpftconnect.governance.seal import Seal
from mpftconnect.governance.sealed_lines import SealedLines

AUDIT_KEY = bytes(range(32))  # the key of the fixtures


def break_by_directory(place):
    place.store.parent.mkdir(parents=True)
    place.store.mkdir()


def break_by_file_for_folder(place):
    place.root.mkdir(exist_ok=True)
    place.store.parent.write_text("a file, where the folder should be")


def break_by_garbage(place):
    place.store.parent.mkdir(parents=True)
    place.store.write_bytes(b"this is no database " * 500)


@pytest.mark.parametrize(
    ("breaking", "reason"),
    [
        (break_by_directory, "store-unreachable"),
        (break_by_file_for_folder, "store-unreachable"),
        (break_by_garbage, "store-corrupt"),
    ],
)
def test_a_store_that_cannot_be_made_sends_entries_to_the_second_sink(audit_place, audit_record, breaking, reason):
    breaking(audit_place)
    trail = audit_place.trail()
    assert [trail.append(audit_record(n)) for n in range(2)] == [-1, -2]
    assert audit_place.alarms() == [(Code.AUDIT_FALLBACK, reason)] * 2
    assert trail.verify().waiting == 2


@pytest.fixture
def pragma_at_each_connection(monkeypatch):
    """Put a limit on every connection to the store, as a full or read-only disk would."""
    real = sqlite3.connect

    def limit(pragma):
        def connect(target, **settings):
            db = real(target, **settings)
            if settings.get("uri"):
                db.execute(pragma)
            return db

        monkeypatch.setattr("mpftconnect.governance.audit_store.sqlite3.connect", connect)

    yield limit
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("pragma", "reason"), [("PRAGMA max_page_count = 1", "store-full"), ("PRAGMA query_only = ON", "store-read-only")]
)
def test_a_full_or_read_only_store_sends_entries_to_the_second_sink(
    audit_place, audit_record, pragma_at_each_connection, monkeypatch, pragma, reason
):
    trail = audit_place.trail()
    for n in range(3):
        trail.append(audit_record(n))
    pragma_at_each_connection(pragma)
    huge = audit_record(3, correlation_id="c" * 100_000)
    assert trail.append(huge) == -1
    assert audit_place.alarms() == [(Code.AUDIT_FALLBACK, reason)]
    with pytest.raises(AuditUnavailable, match=reason):
        trail.reconcile()
    assert trail.verify().waiting == 1
    monkeypatch.undo()
    assert trail.reconcile() == 1
    assert trail.verify().ok
    assert [entry.seq for entry in trail.entries()] == [1, 2, 3, 4]


def test_a_store_that_somebody_keeps_locked_does_not_hold_up_the_work(audit_place, audit_record):
    trail = audit_place.trail(lock_seconds=0.05)
    trail.append(audit_record(0))
    with closing(sqlite3.connect(audit_place.store, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        assert trail.append(audit_record(1)) == -1
        assert audit_place.alarms() == [(Code.AUDIT_FALLBACK, "store-locked")]
        with pytest.raises(AuditUnavailable, match="store-locked"):
            trail.reconcile()
        db.execute("ROLLBACK")
    assert trail.append(audit_record(2)) == 2
    assert trail.reconcile() == 1
    assert trail.verify().ok


def test_a_folder_that_vanishes_sends_entries_to_the_second_sink(audit_place, audit_record):
    trail = audit_place.trail()
    trail.append(audit_record(0))
    shutil.rmtree(audit_place.store.parent)
    assert trail.append(audit_record(1)) == -1
    assert audit_place.alarms() == [(Code.AUDIT_FALLBACK, "store-missing")]
    assert {finding.code for finding in trail.verify().findings} == {"store-missing"}


def test_waiting_entries_show_and_count_until_they_are_moved(audit_place, audit_record):
    trail = audit_place.trail()
    trail.append(audit_record(0))
    shutil.move(audit_place.store, audit_place.root / "away")
    for n in (1, 2):
        trail.append(audit_record(n, patient="9990000026" if n == 2 else "9990000018"))
    shutil.move(audit_place.root / "away", audit_place.store)

    found = trail.verify()
    assert found.ok
    assert (found.entries, found.waiting) == (1, 2)
    assert any("2 entries wait" in note for note in found.notes)
    assert [entry.seq for entry in trail.entries()] == [1, -1, -2]
    assert [entry.seq for entry in trail.entries(patient="9990000026")] == [-2]
    assert [entry.seq for entry in trail.entries(since=audit_record(1).at, until=audit_record(2).at)] == [-1]
    assert [entry.seq for entry in trail.entries(since=audit_record(2).at)] == [-2]
    assert [a.seq for a in trail.affected(source="rio", item="Condition/2")] == [-2]

    assert trail.reconcile() == 2
    assert [entry.seq for entry in trail.entries()] == [1, 2, 3]
    assert [entry.at for entry in trail.entries()] == [audit_record(n).at for n in range(3)]
    found = trail.verify()
    assert found.ok
    assert (found.entries, found.waiting, found.anchored) == (3, 0, 3)
    assert audit_place.sink.read_bytes() == b""
    assert trail.reconcile() == 0


def test_a_trail_whose_first_entries_waited_verifies_afterwards(audit_place, audit_record):
    audit_place.store.parent.mkdir(parents=True)
    audit_place.store.mkdir()
    trail = audit_place.trail()
    assert trail.append(audit_record(0)) == -1
    audit_place.store.rmdir()
    assert trail.reconcile() == 1
    assert trail.append(audit_record(1)) == 2
    assert trail.verify().findings == ()


def test_an_unreadable_store_shows_what_waits_and_then_says_that_it_is_not_all(audit_place, audit_record):
    trail = audit_place.trail()
    trail.append(audit_record(0))
    audit_place.store.write_bytes(b"no database" * 1000)
    trail.append(audit_record(1))
    reader = trail.entries()
    assert next(reader).seq == -1
    with pytest.raises(AuditUnavailable, match="not whole"):
        next(reader)
    with pytest.raises(AuditUnavailable, match="not whole"):
        trail.affected(source="rio")
    assert ("store-unreadable", None) in {(f.code, f.seq) for f in trail.verify().findings}
    with pytest.raises(AuditUnavailable, match="store-corrupt"):
        trail.accept_loss()


def test_work_that_was_moved_but_not_cleared_is_not_moved_twice(audit_place, audit_record, monkeypatch):
    trail = audit_place.trail()
    trail.append(audit_record(0))
    shutil.move(audit_place.store, audit_place.root / "away")
    trail.append(audit_record(1))
    shutil.move(audit_place.root / "away", audit_place.store)

    def crash(self):
        raise OSError(errno.EIO, "the machine stopped here")

    monkeypatch.setattr("mpftconnect.governance.second_sink.SecondSink.clear", crash)
    with pytest.raises(AuditUnavailable):
        trail.reconcile()
    monkeypatch.undo()
    assert [entry.seq for entry in trail.entries()] == [1, 2]
    assert trail.verify().ok
    assert trail.verify().waiting == 0
    assert trail.reconcile() == 0
    assert trail.verify().entries == 2
    assert audit_place.sink.read_bytes() == b""


def test_only_if_both_fail_is_the_work_refused_with_what_to_do(audit_place, audit_record):
    break_by_directory(audit_place)
    audit_place.sink.mkdir(parents=True)
    with pytest.raises(AuditUnavailable) as caught:
        audit_place.trail().append(audit_record())
    assert audit_place.alarms() == [(Code.AUDIT_FAILED, "store-unreachable")]
    message = str(caught.value)
    assert str(audit_place.store) in message
    assert str(audit_place.sink) in message
    assert "nothing is shown" in message
    assert "then ask again" in message
    for value in ("9990000018", "Jane", "Condition/0", "Wollstonecraft"):
        assert value not in message
    assert caught.value.__cause__ is None


def test_a_sink_that_somebody_keeps_locked_fails_too(audit_place, audit_record):
    break_by_directory(audit_place)
    trail = audit_place.trail(lock_seconds=0.05)
    trail.append(audit_record())
    with closing(sqlite3.connect(audit_place.sink.with_name("audit.waiting.lock"), isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        with pytest.raises(AuditUnavailable):
            trail.append(audit_record())
    assert trail.append(audit_record()) == -2


def test_a_full_disk_leaves_no_half_line_behind(audit_place, audit_record, monkeypatch):
    break_by_directory(audit_place)
    trail = audit_place.trail()
    trail.append(audit_record(0))
    before = audit_place.sink.read_bytes()
    real = os.write

    def half(handle, data):
        if len(data) < 200:
            raise OSError(errno.ENOSPC, "no space left")
        return real(handle, bytes(data[: len(data) // 2]))

    monkeypatch.setattr("mpftconnect.governance.sealed_lines.os.write", half)
    with pytest.raises(AuditUnavailable):
        trail.append(audit_record(1))
    monkeypatch.undo()
    assert audit_place.sink.read_bytes() == before
    assert trail.append(audit_record(2)) == -2


def test_a_trail_does_not_begin_without_an_anchor(audit_place, audit_record):
    audit_place.anchor.mkdir(parents=True)
    trail = audit_place.trail()
    assert trail.append(audit_record(0)) == -1
    assert audit_place.alarms() == [(Code.AUDIT_FALLBACK, "anchor-unavailable")]
    audit_place.anchor.rmdir()
    assert trail.reconcile() == 1
    assert trail.verify().findings == ()


def test_an_anchor_that_fails_later_raises_an_alarm_and_costs_no_entry(audit_place, audit_record):
    trail = audit_place.trail()
    trail.append(audit_record(0))
    shutil.move(audit_place.anchor, audit_place.root / "away")
    audit_place.anchor.mkdir()
    assert trail.append(audit_record(1)) == 2
    assert audit_place.alarms() == [(Code.AUDIT_FALLBACK, "anchor-unavailable")]
    assert "anchor-unreadable" in {finding.code for finding in trail.verify().findings}
    audit_place.anchor.rmdir()
    shutil.move(audit_place.root / "away", audit_place.anchor)
    found = trail.verify()
    assert found.ok
    assert found.unanchored == 1
    assert trail.append(audit_record(2)) == 3
    assert trail.verify().unanchored == 0


def test_a_crash_between_commit_and_anchor_is_not_tampering(audit_place, audit_record):
    trail = audit_place.trail()
    trail.append(audit_record(0))
    before = audit_place.anchor.read_bytes()
    trail.append(audit_record(1))
    audit_place.anchor.write_bytes(before)
    found = trail.verify()
    assert found.ok
    assert found.notes == ("1 newest entries are not anchored yet; the next one anchors them too",)


def test_a_line_that_a_crash_tore_is_not_tampering_and_spoils_no_other(audit_place, audit_record):
    trail = audit_place.trail()
    trail.append(audit_record(0))
    whole = audit_place.anchor.read_bytes()
    audit_place.anchor.write_bytes(whole + whole.splitlines(keepends=True)[-1][:60])
    found = trail.verify()
    assert found.ok
    assert "no end" in found.notes[0]
    assert trail.append(audit_record(1)) == 2
    found = trail.verify()
    assert found.ok
    assert (found.anchored, found.unanchored) == (2, 0)


@pytest.fixture
def waiting(audit_place, audit_record):
    """A place where three entries wait and the store is well again."""
    trail = audit_place.trail()
    trail.append(audit_record(0))
    shutil.move(audit_place.store, audit_place.root / "away")
    for n in (1, 2, 3):
        trail.append(audit_record(n))
    shutil.move(audit_place.root / "away", audit_place.store)
    return audit_place


def sink_lines(place):
    return place.sink.read_bytes().splitlines(keepends=True)


def codes(place):
    return {finding.code for finding in place.trail().verify().findings}


def test_a_changed_waiting_entry_is_found_and_kept_back(waiting):
    waiting.sink.write_bytes(waiting.sink.read_bytes().replace(b"request-2", b"request-9"))
    assert "sink-changed" in codes(waiting)
    trail = waiting.trail()
    assert trail.reconcile() == 2
    assert len(sink_lines(waiting)) == 3, "the file is evidence and stays"
    assert "sink-changed" in codes(waiting)
    assert trail.reconcile() == 0
    assert trail.verify().waiting == 0
    assert [entry.seq for entry in trail.entries()] == [1, 2, 3]


def test_a_removed_waiting_entry_is_found(waiting):
    lines = sink_lines(waiting)
    waiting.sink.write_bytes(b"".join([lines[0], lines[2]]))
    assert "sink-broken" in codes(waiting)


def test_waiting_entries_cut_off_are_found_against_the_anchor(waiting):
    waiting.sink.write_bytes(b"".join(sink_lines(waiting)[:2]))
    assert codes(waiting) == {"sink-truncated"}
    waiting.sink.unlink()
    assert codes(waiting) == {"sink-truncated"}


def test_waiting_entries_in_another_order_are_found(waiting):
    waiting.sink.write_bytes(b"".join(reversed(sink_lines(waiting))))
    assert "sink-broken" in codes(waiting)


@pytest.mark.parametrize(
    "junk",
    [
        b"no json\n",
        b"[]\n",
        b"[" * 200_000 + b"\n",
        b'{"n":1}\n',
        b"\xff\xfe}\n",
        b"9" * 6000 + b"}\n",
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"\n",
        b"{}",
    ],
)
def test_junk_in_the_sink_and_the_anchor_is_reported_and_harms_nothing(waiting, audit_record, junk):
    for path in (waiting.sink, waiting.anchor):
        path.write_bytes(path.read_bytes() + junk)
    trail = waiting.trail()
    found = trail.verify()
    assert found.findings or found.notes
    assert trail.append(audit_record(4)) == 2
    assert trail.reconcile() == 3
    assert [entry.seq for entry in trail.entries()] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("line", [b"{}\n", b"\xff\xfe}\n", b"[]\n", b'{"n":1,,}\n'])
def test_a_whole_line_that_does_not_fit_is_a_finding_and_no_crash(waiting, line):
    for path in (waiting.sink, waiting.anchor):
        path.write_bytes(path.read_bytes() + line)
    assert codes(waiting) == {"sink-changed", "anchor-changed"}


def test_a_sealed_line_without_an_event_counts_as_damaged(waiting):
    lines = SealedLines(waiting.sink, Seal(AUDIT_KEY, "audit"), "waiting", 1)
    lines.append({"n": 4, "previous": "", "event": "[]"})
    assert codes(waiting) == {"sink-changed"}


def test_a_line_that_cannot_be_flushed_was_not_written(audit_place, audit_record, monkeypatch):
    break_by_directory(audit_place)
    trail = audit_place.trail()
    trail.append(audit_record(0))
    before = audit_place.sink.read_bytes()

    def fail(handle):
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr("mpftconnect.governance.sealed_lines.os.fsync", fail)
    with pytest.raises(AuditUnavailable):
        trail.append(audit_record(1))
    assert audit_place.sink.read_bytes() == before


def test_the_store_is_told_to_flush_at_each_commit(audit_place, audit_record, monkeypatch):
    audit_place.trail().append(audit_record(0))
    said: list[str] = []
    real = sqlite3.connect

    def connect(target, **settings):
        db = real(target, **settings)
        db.set_trace_callback(said.append)
        return db

    monkeypatch.setattr("mpftconnect.governance.audit_store.sqlite3.connect", connect)
    audit_place.trail().append(audit_record(1))
    assert said.index("PRAGMA synchronous = FULL") < said.index("BEGIN IMMEDIATE") < said.index("COMMIT")
    with closing(real(audit_place.store)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_an_unreadable_sink_is_reported(audit_place, audit_record):
    trail = audit_place.trail()
    trail.append(audit_record())
    audit_place.sink.mkdir(parents=True)
    assert codes(audit_place) == {"sink-unreadable"}
    with pytest.raises(AuditUnavailable, match="not whole"):
        list(trail.entries())
    with pytest.raises(AuditUnavailable, match="second sink"):
        trail.reconcile()
