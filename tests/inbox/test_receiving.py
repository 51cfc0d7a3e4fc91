"""Kept before it is acknowledged; a repeat is taken once; the same number for something else is parked."""

from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpftconnect.events import Code, EventStream
from mpftconnect.inbox import Answering, NotAMessage, SqliteStore, StoreFailed, header_of
from mpftconnect.inbox.acknowledgement import Problem, acknowledgement
from mpftconnect.inbox.group_commit import GroupCommit

from .conftest import ADA, BEA, NOW, message


def codes(replies: Any) -> list[str]:
    return [
        line.split(b"|")[1].decode()
        for reply in replies
        for answer in reply.answers
        for line in answer.split(b"\r")
        if line.startswith(b"MSA")
    ]


def test_what_is_kept_is_there_as_it_came(bench):
    one = bench()
    raw = message("1", "OBX|1|ST|X||\xe9".encode("latin-1").decode("latin-1"))
    receipt = one.inbox.receive(raw)
    assert (receipt.seq, receipt.outcome) == (1, "kept")
    entry = one.store.entry(1)
    assert entry.body == raw and entry.feed == "pas" and entry.sender == "PAS|ZZ1" and entry.control_id == "1"


def test_a_repeat_is_acknowledged_and_not_kept_again(bench):
    one = bench()
    first, again = (one.inbox.receive(message("1")) for _ in range(2))
    assert (again.outcome, again.seq) == ("repeat", first.seq)
    one.inbox.process()
    assert one.inbox.receive(message("1")).outcome == "repeat"
    assert len(list(one.store.entries(["received", "processed"]))) == 1
    assert one.inbox.feeds()[0].repeats == 2


def test_what_is_parked_when_it_comes_is_said(bench):
    one = bench()
    one.inbox.receive(message("1", sender="X|Y"))
    one.inbox.receive(message("2"))
    one.inbox.receive(message("2", family="OTHER"))
    said = [(e.system, e.reason, e.count) for e in one.events if e.code == Code.MESSAGE_PARKED]
    assert said == [("(no feed)", "sender-unknown", 1), ("pas", "control-id-reused", 3)]


def test_the_same_number_for_something_else_is_parked(bench):
    one = bench()
    one.inbox.receive(message("1"))
    other = one.inbox.receive(message("1", family="OTHERMAN"))
    assert (other.outcome, other.reason) == ("parked", "control-id-reused")
    # And that one's own repeat is a repeat of it.
    assert one.inbox.receive(message("1", family="OTHERMAN")).seq == other.seq
    # Another sender has numbers of its own.
    assert one.inbox.receive(message("1", sender="PAS|ZZ2")).reason == "sender-unknown"
    assert codes(Answering(one.inbox)([message("1", family="OTHERMAN")])) == ["AA"]


def test_folder_and_file_are_for_their_owner_alone(bench, tmp_path: Path):
    bench().inbox.receive(message("1"))
    assert stat.S_IMODE((tmp_path / "inbox").stat().st_mode) == 0o700
    assert all(stat.S_IMODE(each.stat().st_mode) == 0o600 for each in (tmp_path / "inbox").iterdir())


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"", "MSH"),
        (b"PID|1", "MSH"),
        (b"MSHA", "MSH"),
        (b"MSH\rPID|1|2|3", "MSH-1"),
        (b"MSHA^~\\&APASA", "MSH-1"),
        (b"FHS|^~\\&|", "MSH"),
        (b"MSH|^~\\&|A|B|C|D|2026||ADT^A01||P|2.4\r", "MSH-10"),
        (b"MSH|^~\\&|A|B|C|D|2026|||7|P|2.4\r", "MSH-9"),
        (b"MSH|^~\\&|A|B|C|D|2026||ADT^A01|" + b"x" * 200 + b"|P|2.4\r", "MSH-10"),
    ],
)
def test_what_is_no_message_is_refused_with_its_place(bench, raw: bytes, place: str):
    with pytest.raises(NotAMessage) as refused:
        header_of(raw)
    assert refused.value.place == place
    one = bench()
    (reply,) = Answering(one.inbox)([raw])
    assert codes([reply]) == ["AR"] and b"ERR|" in reply.answers[0]
    assert list(one.store.entries(["received", "parked"])) == []


@pytest.mark.parametrize(
    ("modes", "wanted"),
    [
        ("|", ["AA"]),
        ("AL|AL", ["CA", "AA"]),
        ("AL|NE", ["CA"]),
        ("NE|AL", ["AA"]),
        ("NE|NE", []),
        ("SU|ER", ["CA"]),
        ("ER|ER", []),
        ("|AL", ["AA"]),
    ],
)
def test_enhanced_mode_answers_as_it_is_asked_to(bench, modes: str, wanted: list[str]):
    assert codes(Answering(bench().inbox)([message("1", modes=modes)])) == wanted


@pytest.mark.parametrize(("modes", "wanted"), [("|", ["AE"]), ("AL|AL", ["CE"]), ("ER|NE", ["CE"]), ("NE|ER", ["AE"])])
def test_a_store_that_fails_is_said_and_nothing_is_lost(bench, modes: str, wanted: list[str]):
    one = bench(lock_seconds=0.05)
    one.inbox.receive(message("1"))
    other = sqlite3.connect(one.store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    seen: list[Any] = []
    answering = Answering(one.inbox, events=EventStream([seen.append]))
    replies = answering([message("2", modes=modes)])
    assert codes(replies) == wanted
    assert b"207" in replies[0].answers[0] and b"TESTWORTH" not in replies[0].answers[0]
    assert [event.reason for event in seen] == ["store-locked"]
    other.execute("ROLLBACK")
    other.close()
    # Sent again, as its sender now knows that it must.
    assert codes(answering([message("2")])) == ["AA"]
    assert [entry.control_id for entry in one.store.entries(["received"])] == ["1", "2"]


def test_a_full_disk_is_said_and_nothing_is_lost(bench, tmp_path: Path):
    one = bench(max_pages=40)
    answering = Answering(one.inbox)
    answers = {}
    for number in range(200):
        (answers[str(number)],) = codes(answering([message(str(number), "NTE|1||" + "x" * 2000)]))
    assert set(answers.values()) == {"AA", "AE"}
    kept = [entry.control_id for entry in one.store.entries(["received"])]
    assert kept == [control for control, code in answers.items() if code == "AA"]
    # With room again the same messages are taken, in order.
    one.inbox.close()
    roomy = bench()
    for control in (control for control, code in answers.items() if code == "AE"):
        assert codes(Answering(roomy.inbox)([message(control, "NTE|1||" + "x" * 2000)])) == ["AA"]


def test_a_file_system_that_takes_no_more_is_said(bench, monkeypatch: pytest.MonkeyPatch):
    one = bench()
    one.inbox.receive(message("1"))
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
        answers = [codes(Answering(one.inbox)([message(f"x{n}", "NTE|1||" + "y" * 9000)]))[0] for n in range(60)]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert {"AA", "AE"} == set(answers)
    kept = [entry.control_id for entry in one.store.entries(["received"])]
    assert kept == ["1", *(f"x{n}" for n, code in enumerate(answers) if code == "AA")]
    assert codes(Answering(one.inbox)([message("after")])) == ["AA"]


def test_a_file_that_was_moved_is_not_written_to_unseen(bench, tmp_path: Path):
    one = bench()
    one.inbox.receive(message("1"))
    (tmp_path / "inbox").rename(tmp_path / "elsewhere")
    one.inbox.receive(message("2"))
    assert [entry.control_id for entry in one.store.entries(["received"])] == ["2"]


def test_many_receivers_share_commits_and_each_gets_its_own_answer():
    commits: list[int] = []
    gate = threading.Event()

    def commit(work: Any) -> list[int]:
        gate.wait(5)
        commits.append(len(work))
        return [each * 10 for each in work]

    together: GroupCommit[int, int] = GroupCommit(commit)
    answers: dict[int, list[int]] = {}
    threads = [
        threading.Thread(target=lambda n=n: answers.__setitem__(n, together.submit([n, n + 1000]))) for n in range(16)
    ]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join(10)
    assert answers == {n: [n * 10, (n + 1000) * 10] for n in range(16)}
    assert sum(commits) == 32 and len(commits) < 16


def test_a_commit_that_fails_fails_for_all_who_waited_and_for_nobody_later():
    failing = [True]

    def commit(work: Any) -> list[int]:
        if failing[0]:
            raise StoreFailed("store-full")
        return list(work)

    together: GroupCommit[int, int] = GroupCommit(commit)
    with pytest.raises(StoreFailed, match="store-full"):
        together.submit([1])
    failing[0] = False
    assert together.submit([2]) == [2]


def test_a_store_of_another_key_is_refused(bench, tmp_path: Path):
    from mpftconnect.inbox import Encrypted

    one = bench(protection=Encrypted(bytes(range(32))))
    one.inbox.receive(message("1"))
    for other in (None, Encrypted(bytes(32))):
        with pytest.raises(StoreFailed, match="key-does-not-fit"):
            SqliteStore(tmp_path / "inbox", protection=other).entry(1)


def test_two_processes_worth_of_stores_share_one_file(bench, tmp_path: Path):
    one = bench()
    other = SqliteStore(tmp_path / "inbox")
    first = one.inbox.receive(message("1"))
    assert (
        other.append([one.inbox._arrival(header_of(message("1")), message("1"), one.clock[0], None)])[0].outcome
        == "repeat"
    )
    assert first.outcome == "kept"
    other.close()


@given(st.lists(st.sampled_from([b"MSH", b"|", b"^~\\&", b"\r", b"\n", b"A", b"\xff", b"\x00", b" ", b"2.4"])))
def test_whatever_begins_like_a_message_is_one_or_is_refused(pieces: list[bytes]):
    raw = b"MSH" + b"".join(pieces)
    try:
        header = header_of(raw)
    except NotAMessage as refused:
        header_or_none = refused.header
    else:
        header_or_none = header
        assert header.control_id and header.kind
    for code in ("AA", "AR"):
        said = acknowledgement(header_or_none, code, NOW, Problem("101", "MSH-10", "missing"))
        assert said.startswith(b"MSH")


@pytest.mark.parametrize("together", [False, True])
def test_the_number_of_a_message_that_was_removed_is_not_given_again(bench, together: bool):
    """What names a message by its number (a release, a link) must never come to name another."""
    one = bench()
    last = [one.inbox.receive(message(str(number))).seq for number in (1, 2)][-1]
    one.inbox.process()
    assert one.store.erase(ADA) == 2
    following = [message(str(number), nhs=BEA, local="M2") for number in ((3, 4) if together else (3,))]
    receipts = one.inbox.receive_all([(header_of(raw), raw) for raw in following])
    assert [receipt.seq for receipt in receipts] == [last + 1 + place for place in range(len(following))]
