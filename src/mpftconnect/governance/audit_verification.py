"""Whether an audit trail is whole: what was changed, removed, put in, moved or cut off, by number and in words.

The examination reads everything and repairs nothing. It never repeats what an entry says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mpftconnect.governance.anchor import Anchor, Anchored
from mpftconnect.governance.audit_store import (
    AuditStore,
    Checkpoint,
    Row,
    StoreFailed,
    columns_of,
    parse_event,
)
from mpftconnect.governance.seal import NOTHING_BEFORE
from mpftconnect.governance.second_sink import SecondSink, WaitingLine

__all__ = ["CANNOT_SEE", "Finding", "Verification", "examine"]

CANNOT_SEE = (
    "An attacker who holds the key can write a trail that fits: the key must be kept where the trail is not.",
    "If the store and the anchor were both put back to the same earlier moment, nothing here shows it.",
    "What was never written is not missed: this says nothing of reading done outside this software.",
    "A seal shows that an entry was not changed since it was written, not that what it says was true.",
)
_MOST_FINDINGS = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Args:
        code: What sort; permanent.
        seq: Number of the entry concerned; None where it is not about one.
        words: The same for people.
    """

    code: str
    seq: int | None
    words: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What an examination found.

    Args:
        findings: What is wrong, in order; at most a thousand, the last of which then says how many more.
        cannot_see: What no examination of this kind can show.
        entries: Entries in the store.
        anchored: Number of the newest entry that the anchor knows.
        unanchored: How many of the newest entries the anchor does not know yet, as after a crash.
        waiting: Entries in the second sink that are not in the store yet.
        purged: Entries deleted at the end of their retention, under a seal.
        notes: What is not wrong and worth knowing.
    """

    findings: tuple[Finding, ...]
    entries: int
    anchored: int
    unanchored: int
    waiting: int
    purged: int
    notes: tuple[str, ...] = ()
    cannot_see: tuple[str, ...] = CANNOT_SEE

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


@dataclass
class _Examination:
    """What has been seen so far."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unsaid: int = 0
    fitting: int = 0
    misfitting: int = 0
    entries: int = 0
    purged: int = 0
    newest: int = 0

    def find(self, code: str, seq: int | None, words: str) -> None:
        if len(self.findings) < _MOST_FINDINGS - 1:
            self.findings.append(Finding(code, seq, words))
        else:
            self.unsaid += 1

    def judge_seal(self, fits: bool) -> bool:
        self.fitting += fits
        self.misfitting += not fits
        return fits


def examine(store: AuditStore, anchor: Anchor, sink: SecondSink) -> Verification:
    """Examine the whole trail. Raises nothing for a trail that is damaged: that is what it reports."""
    seen = _Examination()
    # The anchor is read before the sink, and both before the store: entries only ever move towards the store, and are
    # anchored only once they are durable. So work that goes on meanwhile cannot look like a loss.
    with sink.steady():
        heads, anchored = _examine_anchor(anchor, seen)
        waiting = _read_sink(sink, seen)
    newest = max(heads, default=0)
    stored = _examine_store(store, heads, newest, {line.id for line in waiting}, seen)
    waits = _examine_sink(waiting, anchored, stored, seen)
    if seen.misfitting and not seen.fitting:
        words = (
            "not one seal fits: this is not the key (or not the name) of this trail, or all of it was sealed anew with "
            "another key"
        )
        seen.findings[:] = [Finding("wrong-key", None, words)]
        seen.unsaid = 0
    if seen.unsaid:
        seen.findings.append(Finding("and-more", None, f"and {seen.unsaid} findings more"))
    unanchored = max(0, seen.newest - newest)
    if unanchored:
        seen.notes.append(f"{unanchored} newest entries are not anchored yet; the next one anchors them too")
    if waits:
        seen.notes.append(f"{waits} entries wait in the second sink; reconcile moves them into the store")
    if seen.purged:
        seen.notes.append(f"{seen.purged} entries were purged at the end of their retention, under a seal")
    return Verification(
        findings=tuple(seen.findings),
        entries=seen.entries,
        anchored=newest,
        unanchored=unanchored,
        waiting=waits,
        purged=seen.purged,
        notes=tuple(seen.notes),
    )


def _read_sink(sink: SecondSink, seen: _Examination) -> list[WaitingLine]:
    try:
        return list(sink.read())
    except OSError:
        seen.find("sink-unreadable", None, "the second sink is there and cannot be read")
        return []


def _examine_anchor(anchor: Anchor, seen: _Examination) -> tuple[dict[int, str], Anchored | None]:
    """Every head that was anchored, by number, and the newest line."""
    heads: dict[int, str] = {}
    newest: Anchored | None = None
    try:
        for line in anchor.lines():
            if line.state == "torn":
                seen.notes.append(f"line {line.number} of the anchor has no end, as a crash leaves it")
                continue
            if not seen.judge_seal(line.said is not None) or line.said is None:
                words = f"line {line.number} of the anchor was changed: its seal does not fit"
                seen.find("anchor-changed", None, words)
                continue
            if newest is None and line.said != Anchored():
                seen.find("anchor-cut", None, "the anchor does not begin where the trail began: its beginning is lost")
            if newest is not None and line.said.entries < newest.entries:
                words = f"line {line.number} of the anchor counts fewer entries than the line before it"
                seen.find("anchor-reordered", line.said.entries, words)
            newest = line.said
            heads[newest.entries] = newest.head
    except OSError:
        seen.find("anchor-unreadable", None, "the anchor is there and cannot be read")
    return heads, newest


def _examine_store(
    store: AuditStore, heads: dict[int, str], newest: int, sought: set[str], seen: _Examination
) -> set[str]:
    """Examine checkpoints and entries; returns which of the sought events are there, by id."""
    stored: set[str] = set()
    try:
        if not store.present():
            if newest:
                words = f"the store is gone or empty, and the anchor knows of {newest} entries: put the store back"
                seen.find("store-missing", None, words)
            elif not heads:
                seen.notes.append("nothing has been written yet")
            return stored
        with store.snapshot() as (rows, points, sound):
            if not sound:
                words = "the database is damaged, or holds tables, indexes or triggers that are not ours"
                seen.find("store-damaged", None, words)
            _examine_entries(store, rows, _examine_checkpoints(store, points, seen), heads, sought, seen, stored)
    except StoreFailed as failure:
        seen.find("store-unreadable", None, f"the store cannot be read to its end ({failure.reason})")
        return stored
    if not heads and (seen.entries or seen.purged):
        seen.find("anchor-missing", None, "no anchor is left: whether the newest entries were cut off cannot be said")
    if seen.newest < newest:
        words = (
            f"the newest entries are missing: the anchor counts to {newest}, the store ends at {seen.newest}. They "
            "were cut off, or an older copy of the store was put back"
        )
        seen.find("truncated", seen.newest + 1, words)
    return stored


def _examine_checkpoints(store: AuditStore, points: Iterable[Checkpoint], seen: _Examination) -> dict[int, Checkpoint]:
    """The checkpoints that fit, by the first number that each stands for."""
    fitting: dict[int, Checkpoint] = {}
    for point in points:
        if not seen.judge_seal(store.checkpoint_fits(point)):
            seen.find("checkpoint-changed", point.through, "a checkpoint was changed: its seal does not fit")
            continue
        fitting[point.first] = point
        if point.kind == "loss":
            words = f"entries {point.first} to {point.through} are lost; that was declared at the time"
            seen.find("declared-loss", point.first, words)
        else:
            seen.purged += point.through - point.first + 1
    return fitting


def _examine_entries(
    store: AuditStore,
    rows: Iterator[Row],
    points: dict[int, Checkpoint],
    heads: dict[int, str],
    sought: set[str],
    seen: _Examination,
    stored: set[str],
) -> None:
    expected, previous = _past_checkpoints(1, NOTHING_BEFORE, points)
    for row in rows:
        seen.entries += 1
        if row.seq != expected:
            missing = (
                f"entries {expected} to {row.seq - 1} are missing" if row.seq > expected else "an entry is too many"
            )
            seen.find("missing" if row.seq > expected else "inserted", min(expected, row.seq), missing)
        elif row.previous != previous:
            seen.find("chain-broken", row.seq, f"entry {row.seq} does not follow the entry before it")
        if not seen.judge_seal(store.entry_fits(row)):
            seen.find("changed", row.seq, f"entry {row.seq} was changed or put in: its seal does not fit")
        event = parse_event(row.event)
        columns = columns_of(event) if event is not None else None
        if columns is None or (columns.id, columns.at, columns.patient, columns.user) != (
            row.id,
            row.at,
            row.patient,
            row.user,
        ):
            seen.find("column-changed", row.seq, f"entry {row.seq}: its columns do not say what its event says")
        if row.seq in heads and heads[row.seq] != row.seal:
            seen.find("not-as-anchored", row.seq, f"entry {row.seq} is not the entry that was anchored")
        if columns is not None and columns.id in sought:
            stored.add(columns.id)
        seen.newest = row.seq
        expected, previous = _past_checkpoints(row.seq + 1, row.seal, points)
    seen.newest = max(seen.newest, expected - 1)


def _past_checkpoints(expected: int, previous: object, points: dict[int, Checkpoint]) -> tuple[int, object]:
    while expected in points:
        point = points[expected]
        expected, previous = point.through + 1, point.head
    return expected, previous


def _examine_sink(lines: list[WaitingLine], anchored: Anchored | None, stored: set[str], seen: _Examination) -> int:
    """Examine the second sink; returns how many entries wait in it that are not in the store."""
    previous, expected, waits, last = NOTHING_BEFORE, 1, 0, 0
    anchored_seal: str | None = None
    for line in lines:
        if line.state == "torn":
            seen.notes.append(f"line {line.number} of the second sink has no end, as a crash leaves it")
            continue
        if not seen.judge_seal(line.state == "sealed"):
            seen.find("sink-changed", None, f"line {line.number} of the second sink was changed: its seal does not fit")
            continue
        if line.n != expected or line.previous != previous:
            words = f"line {line.number} of the second sink does not follow the line before it"
            seen.find("sink-broken", None, words)
        if line.id not in stored:
            waits += 1
        last, expected, previous = line.n, line.n + 1, line.seal
        if anchored and line.n == anchored.waiting:
            anchored_seal = line.seal
    if anchored and anchored.waiting:
        if last < anchored.waiting:
            words = f"the anchor knows of {anchored.waiting} waiting entries, the second sink ends at {last}"
            seen.find("sink-truncated", None, words)
        elif anchored_seal != anchored.waiting_head:
            seen.find("sink-broken", None, "the second sink does not hold the entry that was anchored")
    return waits
