"""The store on SQLite: a log of messages, flushed before anything is acknowledged, and the tables projected from it.

Write-ahead log, `synchronous = FULL`: each commit returns after the log file's flush (sqlite.org/pragma.html,
sqlite.org/wal.html). The log needs a local disk, not a network share. Receivers share one writing connection and one
flush (see `group_commit`); everything else opens a connection of its own.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from mpftconnect.inbox import projection
from mpftconnect.inbox.group_commit import GroupCommit
from mpftconnect.inbox.protection import Protection, Unencrypted, Unreadable
from mpftconnect.inbox.removal import erase, purge
from mpftconnect.inbox.store import (
    DISCARDED_IN_PART,
    Arrival,
    Entry,
    FeedCounts,
    LinkRow,
    Projected,
    Proposal,
    Receipt,
    Settlement,
    State,
    StoreFailed,
)
from mpftconnect.model import SectionName

__all__ = ["SqliteStore"]

_VERSION = "1"
_LOG = (
    "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE log (seq INTEGER PRIMARY KEY, feed TEXT NOT NULL, at TEXT NOT NULL, "
    "sender TEXT NOT NULL, control TEXT NOT NULL, kind TEXT NOT NULL, digest TEXT NOT NULL, body BLOB NOT NULL, "
    "size INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT, repeats INTEGER NOT NULL DEFAULT 0, person BLOB, "
    "via TEXT NOT NULL DEFAULT '')",
    "CREATE INDEX log_by_control ON log (sender, control)",
    # Receiving must touch as few pages as it can, since each is flushed: so nothing but the two above is written then.
    # What waits is looked for beyond a mark below which nothing does; what is parked was never so when it came, but for
    # what no feed sends.
    "CREATE INDEX log_parked ON log (seq) WHERE state = 'parked'",
    # Counts of the log up to `counted`, and the pulse of what is not in the log: repeats, and what is withheld.
    "CREATE TABLE feeds (feed TEXT PRIMARY KEY, heard TEXT NOT NULL, total INTEGER NOT NULL DEFAULT 0, "
    "repeats INTEGER NOT NULL DEFAULT 0, counted INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID",
)
_COLUMNS = "seq, feed, at, sender, control, kind, digest, size, state, reason, repeats, via, person"
_REASONS = {
    "SQLITE_BUSY": "store-locked",
    "SQLITE_LOCKED": "store-locked",
    "SQLITE_FULL": "store-full",
    "SQLITE_CORRUPT": "store-corrupt",
    "SQLITE_NOTADB": "store-corrupt",
    "SQLITE_READONLY": "store-read-only",
    "SQLITE_CANTOPEN": "store-unreachable",
    "SQLITE_PERM": "store-unreachable",
    "SQLITE_IOERR": "store-input-output",
}
_FAILURES = (sqlite3.Error, Unreadable, ValueError, TypeError, AttributeError, LookupError, OSError)
_PAGE = 200
# Numbers are never used twice, although the newest may be taken out again.
_LAST = (
    "SELECT max(coalesce((SELECT max(seq) FROM log), 0), "
    "(SELECT cast(value AS INTEGER) FROM about WHERE name = 'last'))"
)
_ADD = (
    "INSERT INTO log (seq, feed, at, sender, control, kind, digest, body, size, state, reason) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
)
# Where the sender has used the control id before, the number is that message's: nothing is added then.
_ADD_NEW = _ADD.replace("INSERT INTO", "INSERT OR IGNORE INTO").replace(
    "(?1,",
    f"(coalesce((SELECT seq FROM log WHERE sender = ?4 AND control = ?5), ({_LAST}) + 1),",  # noqa: S608 - ours
)
# How many messages may lie beyond what is counted before they are counted.
_COUNTED_BY = 1000
# When a feed was heard is the latest of its times, but for those that are still to come: a clock was ahead when they
# were written, and for as long they would hide a silence, or say of a feed that is well that it is not.
_NOW = "strftime('%Y-%m-%dT%H:%M:%f', 'now')"
_NEWEST = f"coalesce(max(CASE WHEN at <= {_NOW} THEN at END), max(at))"
_HEARD = (
    "ON CONFLICT (feed) DO UPDATE SET "
    f"heard = CASE WHEN feeds.heard > {_NOW} THEN excluded.heard "
    f"WHEN excluded.heard > {_NOW} THEN feeds.heard ELSE max(feeds.heard, excluded.heard) END"
)
_MARK = "(SELECT cast(value AS INTEGER) FROM about WHERE name = 'mark')"


def _text(at: datetime) -> str:
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).isoformat(timespec="microseconds")


class SqliteStore:
    """A folder with one database, for its owner alone (0700, 0600).

    Args:
        folder: Made on first use.
        protection: How bodies are sealed.
        lock_seconds: How long to wait for another process before a message is answered by AE.
        synchronous: SQLite's setting. Anything but `FULL` loses acknowledged messages when the power fails; it is here
            so that a test can show that the proof of durability notices.
        max_pages: Most pages of the database; for tests of a full disk.
    """

    def __init__(
        self,
        folder: Path,
        *,
        protection: Protection | None = None,
        lock_seconds: float = 5.0,
        synchronous: Literal["FULL", "OFF"] = "FULL",
        max_pages: int | None = None,
    ) -> None:
        self.path = folder / "inbox.sqlite"
        self._file = str(self.path)  # looked at for every flush
        self.protection: Protection = protection or Unencrypted()
        self._lock_seconds, self._synchronous, self._max_pages = lock_seconds, synchronous, max_pages
        self._together: GroupCommit[Arrival, Receipt] = GroupCommit(self._append)
        self._writer: sqlite3.Connection | None = None
        self._writer_of: tuple[int, int] | None = None
        self._opening = threading.Lock()

    def __repr__(self) -> str:
        return f"<SqliteStore, protection {self.protection.name}>"

    # --- the log ---

    def append(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        return self._together.submit(arrivals)

    def _append(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        # Only one thread at a time comes here: see `GroupCommit`.
        try:
            db = self._writing_connection()
            if len(arrivals) == 1 and (receipt := self._add_new(db, arrivals[0])) is not None:
                return [receipt]
            return self._add_all(db, arrivals)
        except _FAILURES as error:
            reason = _reason(error)
        raise StoreFailed(reason) from None

    def _add_new(self, db: sqlite3.Connection, arrival: Arrival) -> Receipt | None:
        """One message by one statement, which is a transaction of its own; None, and nothing done, if it is not new.

        Most senders wait for each answer, and what they wait for is this.
        """
        if arrival.body is None:
            return None
        cursor = db.execute(_ADD_NEW, self._row(arrival, None, self.protection.digest(arrival.body), arrival.parked))
        if not cursor.rowcount:
            return None
        return Receipt(cursor.lastrowid, "parked" if arrival.parked else "kept", arrival.parked)

    def _add_all(self, db: sqlite3.Connection, arrivals: Sequence[Arrival]) -> list[Receipt]:
        db.execute("BEGIN IMMEDIATE")
        try:
            (last,) = db.execute(_LAST).fetchone()
            receipts = []
            for arrival in arrivals:
                receipts.append(self._add(db, arrival, last + 1))
                last = max(last, receipts[-1].seq or 0)
            self._pulse(db, arrivals, receipts)
            db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                if db.in_transaction:
                    db.execute("ROLLBACK")
            raise
        return receipts

    @staticmethod
    def _pulse(db: sqlite3.Connection, arrivals: Sequence[Arrival], receipts: Sequence[Receipt]) -> None:
        """What is not in the log is a sign of life too. Of what is, the log itself tells."""
        for arrival, receipt in zip(arrivals, receipts, strict=True):
            if arrival.feed and receipt.outcome in ("repeat", "excluded"):
                db.execute(
                    f"INSERT INTO feeds (feed, heard, repeats) VALUES (?, ?, ?) {_HEARD}, "  # noqa: S608 - ours
                    "repeats = repeats + excluded.repeats",
                    (arrival.feed, _text(arrival.at), int(receipt.outcome == "repeat")),
                )

    def _add(self, db: sqlite3.Connection, arrival: Arrival, seq_if_new: int) -> Receipt:
        if arrival.body is None:
            return Receipt(None, "excluded")
        digest = self.protection.digest(arrival.body)
        same = db.execute(
            "SELECT seq, digest, state, reason FROM log WHERE sender = ? AND control = ? ORDER BY seq",
            (arrival.sender, arrival.control_id),
        ).fetchall()
        for seq, known, state, reason in same:
            if known == digest:
                db.execute("UPDATE log SET repeats = repeats + 1 WHERE seq = ?", (seq,))
                return Receipt(seq, "repeat", reason if state == "parked" else None)
        # The same number for other content: nobody can say which one the sender means.
        parked = "control-id-reused" if same else arrival.parked
        db.execute(_ADD, self._row(arrival, seq_if_new, digest, parked))
        return Receipt(seq_if_new, "parked" if parked else "kept", parked)

    def _row(self, arrival: Arrival, seq: int | None, digest: str, parked: str | None) -> tuple[object, ...]:
        body = arrival.body or b""
        return (
            *(seq, arrival.feed, _text(arrival.at), arrival.sender, arrival.control_id, arrival.kind, digest),
            *(self.protection.seal(body, digest), len(body), "parked" if parked else "received", parked),
        )

    def pending(self, limit: int, *, after: int = 0) -> list[Entry]:
        asked = (
            f"SELECT {_COLUMNS}, body FROM log WHERE state = 'received' AND seq > max(?, {_MARK}) "  # noqa: S608 - ours
            "ORDER BY seq LIMIT ?"
        )
        with self._reading() as db:
            return [self._entry(row) for row in db.execute(asked, (after, limit))]

    def entry(self, seq: int) -> Entry | None:
        with self._reading() as db:
            row = db.execute(f"SELECT {_COLUMNS}, body FROM log WHERE seq = ?", (seq,)).fetchone()  # noqa: S608 - ours
            return self._entry(row) if row else None

    def entries(self, states: Sequence[State], *, feed: str | None = None) -> Iterator[Entry]:
        marks = ", ".join("?" for _ in states)
        asked = (
            f"SELECT {_COLUMNS} FROM log WHERE state IN ({marks}) AND seq > ? AND feed = coalesce(?, feed) "  # noqa: S608 - ours
            "ORDER BY seq LIMIT ?"
        )
        after = 0
        while True:
            with self._reading() as db:
                page = [self._entry(row) for row in db.execute(asked, (*states, after, feed, _PAGE))]
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].seq

    def _entry(self, row: tuple[object, ...]) -> Entry:
        seq, feed, at, sender, control, kind, digest, size, state, reason, repeats, via, person, *body = row
        held = bytes(body[0]) if body else None  # type: ignore[call-overload]
        return Entry(
            seq=int(seq),  # type: ignore[call-overload]
            feed=str(feed),
            at=datetime.fromisoformat(str(at)),
            sender=str(sender),
            control_id=str(control),
            kind=str(kind),
            state=state,  # type: ignore[arg-type]
            reason=None if reason is None else str(reason),
            size=int(size),  # type: ignore[call-overload]
            repeats=int(repeats),  # type: ignore[call-overload]
            digest=str(digest),
            via=tuple(str(via).split()),
            person=None if person is None else self.protection.open(person, "person").decode(),  # type: ignore[arg-type]
            body=None if held is None else self.protection.open(held, str(digest)),
        )

    def decide(self, seq: int, to: Literal["received", "discarded"], reason: str) -> bool:
        with self._writing() as db:
            # A message of which a part was applied stays one that was: a replay applies it again.
            part = (
                to == "discarded"
                and db.execute("SELECT 1 FROM log WHERE seq = ? AND person IS NOT NULL", (seq,)).fetchone()
            )
            state, said = ("processed", DISCARDED_IN_PART) if part else (to, reason)
            changed = db.execute(
                "UPDATE log SET state = ?, reason = ? WHERE seq = ? AND state = 'parked'", (state, said, seq)
            )
            _unmark(db, seq)
            return changed.rowcount == 1

    def since(self) -> datetime | None:
        if not self.path.exists():
            return None
        with self._reading() as db:
            (since,) = db.execute("SELECT value FROM about WHERE name = 'since'").fetchone()
            return datetime.fromisoformat(since)

    def feeds(self) -> list[FeedCounts]:
        found: dict[str, FeedCounts] = {}
        with self._reading() as db:
            counted = 0
            for feed, heard, total, repeats, through in db.execute(
                "SELECT feed, heard, total, repeats, counted FROM feeds"
            ):
                heard_at = datetime.fromisoformat(heard)
                found[feed] = FeedCounts(feed=feed, heard=heard_at, total=total, repeats=repeats)
                counted = max(counted, through)
            for feed, count, newest in db.execute(
                f"SELECT feed, count(*), {_NEWEST} FROM log WHERE seq > ? GROUP BY feed",  # noqa: S608 - ours
                (counted,),
            ):
                known, heard_at = found.get(feed, FeedCounts(feed=feed)), datetime.fromisoformat(newest)
                if known.heard is not None and not known.heard > datetime.now(UTC) >= heard_at:
                    heard_at = max(known.heard, heard_at)
                found[feed] = replace(known, total=known.total + count, heard=heard_at)
            for state, count, oldest, feed in db.execute(
                f"SELECT state, count(*), min(at), feed FROM log WHERE state = 'received' AND seq > {_MARK} "  # noqa: S608 - ours
                "GROUP BY feed UNION ALL "
                "SELECT state, count(*), min(at), feed FROM log WHERE state = 'parked' GROUP BY feed"
            ):
                known = found.get(feed, FeedCounts(feed=feed))
                if state == "parked":
                    found[feed] = replace(known, parked=count)
                else:
                    found[feed] = replace(known, depth=count, oldest=datetime.fromisoformat(oldest))
        return [found[feed] for feed in sorted(found)]

    # --- what is projected ---

    def known_people(self, identifiers: Sequence[str]) -> dict[str, tuple[str, ...]]:
        with self._reading() as db:
            return projection.known_people(db, self.protection, identifiers)

    def settle(self, settlements: Sequence[Settlement]) -> None:
        with self._writing() as db:
            for one in settlements:
                if one.state is None:
                    _take_out(db, self.protection, one)
                    continue
                settled = db.execute(
                    "UPDATE log SET state = ?, reason = ?, person = ?, via = ? WHERE seq = ? AND state = 'received'",
                    (
                        *(one.state, one.reason),
                        self.protection.seal(one.person.encode(), "person") if one.person else None,
                        *(" ".join(one.via), one.seq),
                    ),
                )
                if settled.rowcount:
                    # Else it was erased, or settled by somebody else, while this was found out: it stays so.
                    projection.apply(db, self.protection, one)
            _mark(db)

    def items(self, systems: Sequence[str], person: str, kind: SectionName | Literal["patient"]) -> list[Projected]:
        with self._reading() as db:
            return projection.items(db, self.protection, systems, person, str(kind))

    def links(self) -> list[LinkRow]:
        with self._reading() as db:
            return projection.links(db)

    def propose_undoing(self, proposal: Proposal) -> None:
        text = json.dumps([proposal.user, proposal.reason, _text(proposal.at)])
        with self._writing() as db:
            body = self.protection.seal(text.encode(), proposal.link)
            db.execute("INSERT OR REPLACE INTO proposals VALUES (?, ?)", (proposal.link, body))

    def proposals(self) -> list[Proposal]:
        out = []
        with self._reading() as db:
            for link, body in db.execute("SELECT id, body FROM proposals ORDER BY id"):
                user, reason, at = json.loads(self.protection.open(body, link))
                out.append(Proposal(link=link, user=user, reason=reason, at=datetime.fromisoformat(at)))
        return out

    def undo_link(self, id: str) -> int:
        with self._writing() as db:
            db.execute("DELETE FROM proposals WHERE id = ?", (id,))
            return projection.undo_link(db, self.protection, id)

    def begin_replay(self) -> int:
        with self._writing() as db:
            projection.clear(db)
            _unmark(db, 1)
            return db.execute(
                "UPDATE log SET state = 'received' "
                "WHERE state = 'processed' OR (state = 'parked' AND person IS NOT NULL)"
            ).rowcount

    def projection_digest(self) -> str:
        with self._reading() as db:
            return projection.digest(db, self.protection)

    # --- removal ---

    def purge(self, before: datetime) -> int:
        """Remove messages that were received and settled before then.

        What is parked stays: nobody has dealt with it. A thing that was changed last before then goes; of a thing that
        was changed since, what those messages left is kept as its ground, and later replays start from it.
        """
        with self._writing() as db:
            _count(db)
            gone = purge(db, self.protection, _text(before))
        self._shrink()
        return gone

    def erase(self, person: str, identifiers: Sequence[str] = ()) -> int:
        """Remove all messages and things of one person, from free pages and the write-ahead log too."""
        with self._writing() as db:
            _count(db)
            gone = erase(db, self.protection, person, identifiers)
        self._shrink()
        return gone

    def _shrink(self) -> None:
        # secure_delete overwrote it in its pages; VACUUM leaves no free page, and the checkpoint empties the log.
        with self._failing_plainly(), closing(self._connect()) as db:
            db.execute("VACUUM")
            busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StoreFailed("store-in-use")

    def close(self) -> None:
        with self._opening:
            writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    # --- connections ---

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=self._lock_seconds, isolation_level=None, check_same_thread=False)
        try:
            db.execute(f"PRAGMA synchronous = {self._synchronous}")
            db.execute("PRAGMA fullfsync = ON")  # on macOS a plain flush stops at the drive's own memory
            db.execute("PRAGMA secure_delete = ON")  # what is removed is overwritten, not only unlinked
            if self._max_pages is not None:
                db.execute(f"PRAGMA max_page_count = {self._max_pages}")
        except BaseException:
            db.close()
            raise
        return db

    def _writing_connection(self) -> sqlite3.Connection:
        """The receivers' connection; opened anew where the file was moved or replaced, so as not to write unseen."""
        with self._opening:
            try:
                found = os.stat(self._file)  # noqa: PTH116 - a third of the time of Path.stat
                now = (found.st_dev, found.st_ino)
            except FileNotFoundError:
                now = None
            if self._writer is not None and now == self._writer_of:
                return self._writer
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            self._prepare()
            found = self.path.stat()
            self._writer, self._writer_of = self._connect(), (found.st_dev, found.st_ino)
            # Sixteen megabytes of log before it is moved into the database: seldom, and in longer strokes.
            self._writer.execute("PRAGMA wal_autocheckpoint = 4000")
            return self._writer

    def _prepare(self) -> None:
        """Make folder, file and tables if they are not there, and check that the key is the store's."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.path.exists():
            os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
            _sync_folder(self.path.parent)
        with closing(self._connect()) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("BEGIN IMMEDIATE")
            try:
                if db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None:
                    for statement in (*_LOG, *projection.TABLES):
                        db.execute(statement)
                    check = self.protection.digest(b"mpftconnect inbox")
                    db.executemany(
                        "INSERT INTO about VALUES (?, ?)",
                        (
                            *(("version", _VERSION), ("protection", self.protection.name), ("key", check)),
                            *(("since", _text(datetime.now(UTC))), ("mark", "0"), ("last", "0")),
                        ),
                    )
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            self._check(db)

    def _check(self, db: sqlite3.Connection) -> None:
        about = dict(db.execute("SELECT name, value FROM about"))
        if about.get("version") != _VERSION:
            raise StoreFailed("store-of-another-version")
        if about.get("key") != self.protection.digest(b"mpftconnect inbox"):
            raise StoreFailed("key-does-not-fit")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._failing_plainly():
            if not self.path.exists():
                # To look makes nothing: what is not there yet is empty.
                with closing(sqlite3.connect(":memory:", isolation_level=None)) as nothing:
                    for statement in (*_LOG, *projection.TABLES):
                        nothing.execute(statement)
                    yield nothing
                return
            with closing(self._connect()) as db:
                self._check(db)
                yield db

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._failing_plainly():
            if not self.path.exists():
                self._prepare()
            with closing(self._connect()) as db:
                self._check(db)
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise

    @contextmanager
    def _failing_plainly(self) -> Iterator[None]:
        # Raised outside the handler, so that nothing is chained: SQLite's own words may repeat a value.
        try:
            yield
        except _FAILURES as error:
            reason = _reason(error)
        else:
            return
        raise StoreFailed(reason) from None


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return "store-unreachable"
    if not isinstance(error, sqlite3.Error):
        # Of a row that is not as it was written anything may come; its words might repeat a value.
        return "entry-unreadable"
    name = getattr(error, "sqlite_errorname", None) or ""
    for known, reason in _REASONS.items():
        if name.startswith(known):
            return reason
    return "store-schema" if name == "SQLITE_ERROR" else "store-corrupt"


def _take_out(db: sqlite3.Connection, protection: Protection, settlement: Settlement) -> None:
    """Remove a message that must not be kept. That its feed was heard stays, and nothing else."""
    row = db.execute("SELECT feed, at FROM log WHERE seq = ?", (settlement.seq,)).fetchone()
    if row is not None:
        db.execute(
            f"INSERT INTO feeds (feed, heard) VALUES (?, ?) {_HEARD}",  # noqa: S608 - ours
            row,
        )
    projection.forget_message(db, protection, settlement.seq)
    db.execute("DELETE FROM log WHERE seq = ?", (settlement.seq,))


def _mark(db: sqlite3.Connection) -> None:
    """Move the mark up to the first message that waits; count what lies below it."""
    (first,) = db.execute(f"SELECT min(seq) FROM log WHERE state = 'received' AND seq > {_MARK}").fetchone()  # noqa: S608 - ours
    if first is None:
        (last,) = db.execute(_LAST).fetchone()
        first = last + 1
    db.execute("UPDATE about SET value = ? WHERE name = 'mark'", (str(first - 1),))
    (counted,) = db.execute("SELECT coalesce(max(counted), 0) FROM feeds").fetchone()
    if first - counted > _COUNTED_BY:
        _count(db)


def _unmark(db: sqlite3.Connection, seq: int) -> None:
    """That message waits, or some after it."""
    db.execute("UPDATE about SET value = ? WHERE name = 'mark' AND cast(value AS INTEGER) >= ?", (str(seq - 1), seq))


def _count(db: sqlite3.Connection) -> None:
    """Write down what the log tells of its feeds, so that it need not be read again, and the newest number."""
    (last,) = db.execute(_LAST).fetchone()
    (counted,) = db.execute("SELECT coalesce(max(counted), 0) FROM feeds").fetchone()
    db.execute(
        f"INSERT INTO feeds (feed, heard, total) SELECT feed, {_NEWEST}, count(*) FROM log "  # noqa: S608 - ours
        f"WHERE seq > ? GROUP BY feed {_HEARD}, total = total + excluded.total",
        (counted,),
    )
    db.execute("UPDATE feeds SET counted = ?", (last,))
    db.execute("UPDATE about SET value = ? WHERE name = 'last'", (str(last),))


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # Windows has no handle on a folder to flush; NTFS journals the entry
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
