"""The trail in ordinary service: append, look up, verify, purge."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import mpftconnect
from mpftconnect.errors import ConfigurationError, NotAnNhsNumber, UsageError
from mpftconnect.events import Code
from mpftconnect.governance.audit import CANNOT_SEE, Shown

SOURCE = Path(mpftconnect.__file__).parents[1]


def test_entries_come_back_in_order_as_they_were_written(audit_place, audit_record):
    trail = audit_place.trail()
    assert [trail.append(audit_record(n)) for n in range(3)] == [1, 2, 3]
    entries = list(trail.entries())
    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert [entry.at for entry in entries] == [audit_record(n).at for n in range(3)]
    assert all(entry.sealed for entry in entries)
    assert len({entry.event["id"] for entry in entries}) == 3


def test_an_entry_is_on_the_disk_when_append_returns(audit_place, audit_record):
    audit_place.trail().append(audit_record())
    assert [entry.seq for entry in audit_place.trail().entries()] == [1]


def test_entries_are_chosen_by_time_patient_and_user(audit_place, audit_record, audit_who):
    trail = audit_place.trail()
    trail.append(audit_record(0))
    trail.append(audit_record(1, patient="9990000026"))
    trail.append(audit_record(2, who=audit_who.model_copy(update={"user": "o'neil \x00"})))
    trail.append(audit_record(3, patient=None))

    def seqs(**wanted):
        return [entry.seq for entry in trail.entries(**wanted)]

    assert seqs(patient="999 000 0018") == [1, 3]
    assert seqs(user="o'neil \x00") == [3]
    assert seqs(since=audit_record(1).at) == [2, 3, 4]
    assert seqs(since=audit_record(1).at.astimezone(timezone(timedelta(hours=9)))) == [2, 3, 4]
    assert seqs(until=audit_record(1).at) == [1]
    assert seqs(since=audit_record(1).at, until=audit_record(3).at, patient="9990000026") == [2]
    assert seqs(user="nobody") == []


def test_more_entries_than_one_page_come_back_once_each(audit_place, audit_record, monkeypatch):
    monkeypatch.setattr("mpftconnect.governance.audit_store._PAGE", 3)
    trail = audit_place.trail()
    for n in range(7):
        trail.append(audit_record(n))
    assert [entry.seq for entry in trail.entries()] == [1, 2, 3, 4, 5, 6, 7]


def test_looking_up_wants_an_nhs_number_and_aware_times(audit_place):
    trail = audit_place.trail()
    with pytest.raises(NotAnNhsNumber):
        trail.entries(patient="9990000019")
    with pytest.raises(UsageError, match="offset"):
        trail.entries(since=datetime(2026, 1, 1))


def test_affected_names_everyone_who_was_shown_an_item(audit_place, audit_record, audit_who):
    trail = audit_place.trail()
    other = audit_who.model_copy(update={"user": "sam", "name": "Sam Poe", "role": "doctor", "organisation": "RL4"})
    trail.append(audit_record(1))
    trail.append(audit_record(2, who=other, shown=(Shown("rio", ("Condition/1",)), Shown("gp", ("Condition/9",)))))
    trail.append(audit_record(3, shown=(Shown("gp", ("Condition/1",)),)))
    trail.append(audit_record(4, shown=(), systems_asked=("rio",)))

    found = trail.affected(source="rio", item="Condition/1")
    assert [(a.seq, a.user, a.name, a.role, a.organisation) for a in found] == [
        (1, "jane.doe", "Jane Doe", "community-nurse", "RRE"),
        (2, "sam", "Sam Poe", "doctor", "RL4"),
    ]
    assert found[0].patient == "9990000018"
    assert found[0].at == audit_record(1).at
    assert found[0].items == ("Condition/1",)
    assert [a.seq for a in trail.affected(source="rio")] == [1, 2]
    assert [a.seq for a in trail.affected(source="rio", item="Condition/1", since=audit_record(2).at)] == [2]
    assert [a.seq for a in trail.affected(source="rio", item="Condition/1", until=audit_record(2).at)] == [1]
    assert trail.affected(source="rio", item="Condition") == []


@pytest.mark.parametrize("item", ['quote " backslash \\ é', " leading", "100%_", "line\nfeed", "nul\x00"])
def test_affected_finds_items_whatever_their_ids_are_made_of(audit_place, audit_record, item):
    trail = audit_place.trail()
    trail.append(audit_record(shown=(Shown("rio", (item,)),)))
    assert len(trail.affected(source="rio", item=item)) == 1


def test_a_whole_trail_verifies_and_says_what_that_cannot_show(audit_place, audit_record):
    trail = audit_place.trail()
    for n in range(5):
        trail.append(audit_record(n))
    found = trail.verify()
    assert found.ok
    assert (found.findings, found.entries, found.anchored, found.unanchored) == ((), 5, 5, 0)
    assert found.cannot_see == CANNOT_SEE
    assert len(CANNOT_SEE) >= 3


def test_a_trail_that_was_never_written_is_told_from_a_lost_one(audit_place):
    found = audit_place.trail().verify()
    assert found.ok
    assert found.notes == ("nothing has been written yet",)
    assert not audit_place.store.parent.exists(), "looking must not make anything"


def test_every_entry_is_announced_by_number_alone(audit_place, audit_record):
    audit_place.trail().append(audit_record())
    (event,) = audit_place.seen
    assert (event.code, event.step, event.count) == (Code.AUDIT_WRITTEN, "audit", 1)
    assert "9990000018" not in json.dumps(event.as_dict())


@pytest.mark.skipif(os.name != "posix", reason="this system has no modes")
def test_folders_and_files_are_their_owners_alone(audit_place, audit_record):
    trail = audit_place.trail()
    trail.append(audit_record())
    made = [path for path in audit_place.root.rglob("*") if path.is_file()]
    assert len(made) >= 3
    assert {path.stat().st_mode & 0o777 for path in made} == {0o600}
    assert {path.parent.stat().st_mode & 0o777 for path in made} == {0o700}
    assert trail.verify().notes == ()
    audit_place.store.parent.chmod(0o755)
    (note,) = trail.verify().notes
    assert "open to other users" in note


def test_a_short_key_and_shared_places_are_refused(audit_place):
    with pytest.raises(ConfigurationError, match="32 bytes"):
        audit_place.trail(key=b"short")
    with pytest.raises(UsageError, match="three different files"):
        type(audit_place.trail())(
            audit_place.store, key=bytes(32), anchor=audit_place.store, fallback=audit_place.sink, events=None
        )


def test_purge_deletes_by_age_and_the_rest_still_verifies(audit_place, audit_record):
    trail = audit_place.trail()
    for n in range(6):
        trail.append(audit_record(n))
    assert trail.purge(audit_record(4).at) == 4
    entries = list(trail.entries())
    assert [entry.seq for entry in entries] == [5, 6, 7]
    purge = entries[-1].event
    assert (purge["action"], purge["type"]["code"]) == ("D", "destroy")
    assert "4 entries" in purge["outcomeDesc"]
    found = trail.verify()
    assert found.ok
    assert found.purged == 4
    assert any("4 entries were purged" in note for note in found.notes)
    assert (Code.STEP_FINISHED, None) in audit_place.alarms()
    assert trail.append(audit_record(7)) == 8
    assert trail.purge(audit_record(6).at) == 2
    assert trail.verify().ok
    assert trail.verify().purged == 6


def test_what_was_purged_is_not_left_in_any_file(audit_place, audit_record):
    trail = audit_place.trail()
    trail.append(audit_record(0, patient="9990000026", correlation_id="only-in-the-first"))
    trail.append(audit_record(1))
    trail.purge(audit_record(1).at)
    left = b"".join(path.read_bytes() for path in audit_place.root.rglob("*") if path.is_file())
    assert b"only-in-the-first" not in left
    assert b"9990000026" not in left


def test_purge_takes_nothing_while_an_older_number_is_young_enough_to_stay(audit_place, audit_record):
    trail = audit_place.trail()
    trail.append(audit_record(5))
    trail.append(audit_record(1))
    assert trail.purge(audit_record(3).at) == 0
    assert trail.verify().entries == 2


def test_purge_refuses_a_trail_that_does_not_verify(audit_place, audit_record):
    trail = audit_place.trail()
    for n in range(4):
        trail.append(audit_record(n))
    audit_place.anchor.unlink()
    with pytest.raises(UsageError, match="anchor-missing"):
        trail.purge(audit_record(2).at)
    assert len(list(trail.entries())) == 4


def test_purge_of_nothing_makes_nothing(audit_place, audit_record):
    assert audit_place.trail().purge(audit_record().at) == 0
    assert not audit_place.store.exists()


def test_threads_share_one_trail_object(audit_place, audit_record):
    # Long enough that a busy machine sends nothing to the second sink, which is another test's matter.
    trail = audit_place.trail(lock_seconds=120.0)
    with ThreadPoolExecutor(8) as pool:
        seqs = list(pool.map(lambda n: trail.append(audit_record(n)), range(40)))
    assert sorted(seqs) == list(range(1, 41))
    found = trail.verify()
    assert found.ok
    assert (found.entries, found.anchored) == (40, 40)


_WRITER = textwrap.dedent(
    """
    import sys
    from datetime import UTC, datetime
    from pathlib import Path
    from mpftconnect.events import EventStream
    from mpftconnect.governance.audit import AuditRecord, AuditTrail
    from mpftconnect.model import AccessContext

    root, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    who = AccessContext(user=name, name=name, role="nurse", organisation="RRE", purpose="direct-care",
                        relationship="caseload")
    trail = AuditTrail(root / "store" / "audit.db", key=bytes(range(32)), anchor=root / "anchor" / "audit.anchor",
                       fallback=root / "sink" / "audit.waiting", events=EventStream(), lock_seconds=30)
    for n in range(count):
        seq = trail.append(AuditRecord(action="read", outcome="success", who=who, patient="9990000018",
                                       correlation_id=f"{name}-{n}", at=datetime.now(UTC)))
        print(seq, flush=True)
    """
)


def _writer(root: Path, name: str, count: int) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    arguments = [sys.executable, "-c", _WRITER, str(root), name, str(count)]
    return subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True)


def test_four_processes_make_one_unbroken_chain(audit_place):
    writers = [_writer(audit_place.root, f"writer-{n}", 50) for n in range(4)]
    outputs = [writer.communicate(timeout=120)[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0, 0]
    seqs = [int(line) for output in outputs for line in output.split()]
    assert sorted(seqs) == list(range(1, 201))
    trail = audit_place.trail()
    found = trail.verify()
    assert found.ok
    assert (found.entries, found.anchored, found.waiting) == (200, 200, 0)
    said = [entry.event["entity"][2]["what"]["identifier"]["value"] for entry in trail.entries()]
    assert sorted(said) == sorted(f"writer-{w}-{n}" for w in range(4) for n in range(50))


def test_a_process_that_is_killed_leaves_a_trail_that_verifies(audit_place, audit_record):
    writer = _writer(audit_place.root, "killed", 100_000)
    try:
        promised = [int(writer.stdout.readline()) for _ in range(20)][-1]
    finally:
        writer.kill()
        promised = max([promised, *(int(line) for line in writer.communicate()[0].split("\n")[:-1] if line)])
    trail = audit_place.trail()
    found = trail.verify()
    assert found.ok
    assert found.entries >= promised
    assert found.unanchored <= 1
    assert trail.append(audit_record()) == found.entries + 1
    assert trail.verify().unanchored == 0


def test_reading_goes_on_beside_writing(audit_place, audit_record):
    trail = audit_place.trail()
    for n in range(3):
        trail.append(audit_record(n))
    reader = trail.entries()
    next(reader)
    assert trail.append(audit_record(3)) == 4
    assert trail.verify().ok
    assert len(list(reader)) >= 2


def test_an_entry_long_ago_or_far_ahead_keeps_its_time(audit_place, audit_record):
    trail = audit_place.trail()
    times = [audit_record().at - timedelta(days=300_000), audit_record().at + timedelta(days=900_000)]
    for at in times:
        trail.append(audit_record(at=at))
    assert [entry.at for entry in trail.entries()] == times
