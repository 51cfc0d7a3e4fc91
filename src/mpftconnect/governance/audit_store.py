"""The trail's own database: one table of sealed entries, one of sealed checkpoints, in SQLite.

Each entry's seal covers its number, the seal before it and its event, so the entries are a chain. A checkpoint stands
for entries that are no longer there: purged when their time was over, or declared lost.

Every operation opens the database anew. That costs well under a millisecond beside the flush that durability needs, and
it means that no thread or forked process inherits a connection, and that a file which was moved or replaced is noticed
instead of written to unseen. SQLite's write-ahead log needs a local disk, not a network share (sqlite.org/wal.html).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mpftconnect.governance.audit_event import patient_of, recorded_of, user_of
from mpftconnect.governance.seal import NOTHING_BEFORE, Seal
from mpftconnect.governance.sealed_lines import create_private_file, create_private_folder

__all__ = ["AuditStore", "Checkpoint", "Columns", "Head", "Row", "StoreFailed", "columns_of", "parse_event"]

_TABLES = {
    "entries": (
        "CREATE TABLE entries (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at TEXT NOT NULL, patient TEXT, "
        "user TEXT, event TEXT NOT NULL, previous TEXT NOT NULL, seal TEXT NOT NULL)"
    ),
    "checkpoints": (
        "CREATE TABLE checkpoints (through INTEGER PRIMARY KEY, first INTEGER NOT NULL, kind TEXT NOT NULL, "
        "head TEXT NOT NULL, at TEXT NOT NULL, seal TEXT NOT NULL)"
    ),
    "entries_by_patient": "CREATE INDEX entries_by_patient ON entries (patient)",
}
_SELECT = "SELECT seq, id, at, patient, user, event, previous, seal FROM entries"
_PAGE = 500


class StoreFailed(Exception):
    """The database did not do what was asked. `reason` is a permanent code that names no value."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


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


def _reason(error: Exception) -> str:
    if isinstance(error, sqlite3.Error):
        name = getattr(error, "sqlite_errorname", None) or ""
        for known, reason in _REASONS.items():
            if name.startswith(known):
                return reason
        return "store-schema" if name == "SQLITE_ERROR" else "store-corrupt"
    return "store-unreachable" if isinstance(error, OSError) else "store-corrupt"


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry, or the checkpoint that stands for it."""

    seq: int = 0
    seal: str = NOTHING_BEFORE


@dataclass(frozen=True, slots=True)
class Columns:
    """What is repeated beside an event so that it can be looked up."""

    id: str
    at: str
    patient: str | None
    user: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as it was found: of any type, since somebody may have changed it."""

    seq: Any
    id: Any
    at: Any
    patient: Any
    user: Any
    event: Any
    previous: Any
    seal: Any


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Entries `first` to `through` are no longer here. `kind` is `purge` or `loss`, `head` the seal of the last."""

    through: Any
    first: Any
    kind: Any
    head: Any
    at: Any
    seal: Any


def parse_event(text: object) -> dict[str, Any] | None:
    """The event that a row holds; None if it holds none."""
    if not isinstance(text, str):
        return None
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def columns_of(event: dict[str, Any]) -> Columns:
    """The columns that belong to an event."""
    return Columns(str(event.get("id")), recorded_of(event) or "", patient_of(event), user_of(event))


class AuditStore:
    """The database. Every method raises `StoreFailed` and nothing else.

    Args:
        path: Its file; made on first use, as is its folder.
        seal: The trail's seals.
        lock_seconds: How long to wait for another process.
    """

    def __init__(self, path: Path, seal: Seal, lock_seconds: float) -> None:
        self.path = path
        self._seal = seal
        self._lock_seconds = lock_seconds

    def seal_of(self, seq: int, previous: str, event: str) -> str:
        return self._seal.of("entry", seq, previous, event)

    def entry_fits(self, row: Row) -> bool:
        """Whether the entry's own seal fits its number, the seal before it, and its event."""
        if not (isinstance(row.seq, int) and isinstance(row.previous, str) and isinstance(row.event, str)):
            return False
        return self._seal.fits(row.seal, "entry", row.seq, row.previous, row.event)

    def checkpoint_fits(self, point: Checkpoint) -> bool:
        return self._seal.fits(point.seal, "checkpoint", point.through, point.first, point.kind, point.head, point.at)

    def present(self) -> bool:
        """Whether there is a database with something in it."""
        with self._failing_plainly():
            try:
                if not self.path.stat().st_size:
                    return False
            except FileNotFoundError:
                return False
            with closing(self._connect()) as db:
                return not _blank(db)

    def append(self, events: Sequence[str], before: Callable[[Head, bool], None]) -> Head:
        """Add events that are not here yet, all or none; they are on the disk when this returns.

        Args:
            events: Canonical JSON, each with its `id`.
            before: Called with the head, and whether its seal fits, while nobody else can write; may raise
                `StoreFailed` to refuse.
        Returns:
            The new head.
        """
        with self._writing() as db:
            head = self._head(db)
            before(head, self._head_fits(db, head))
            for text in events:
                head = self._insert(db, head, text)
        return head

    def purge(self, before: str, make_event: Callable[[int, int], str]) -> int:
        """Delete the oldest entries, up to the first that is not older than `before`, and leave a checkpoint.

        Args:
            before: As `AuditEvent.recorded` is written here.
            make_event: From how many, and through which number, the event to append in the same stroke.
        Returns:
            How many were deleted.
        """
        with self._writing() as db:
            (kept,) = db.execute("SELECT min(seq) FROM entries WHERE at >= ?", (before,)).fetchone()
            found = db.execute(
                "SELECT count(*), min(seq), max(seq) FROM entries WHERE seq < coalesce(?, 9223372036854775807)", (kept,)
            )
            count, first, through = found.fetchone()
            if not count:
                return 0
            (head,) = db.execute("SELECT seal FROM entries WHERE seq = ?", (through,)).fetchone()
            self._insert(db, self._head(db), make_event(count, through))
            self._checkpoint(db, Checkpoint(through, first, "purge", head, _now(), None))
            db.execute("DELETE FROM entries WHERE seq <= ?", (through,))
        with self._failing_plainly(), closing(self._connect()) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # what was deleted must not live on in the log
        return int(count)

    def declare_loss(self, through: int, head: str, make_event: Callable[[int], str]) -> int:
        """Go on after entries that the anchor knows and the store has not; returns how many are lost."""
        with self._writing() as db:
            mine = self._head(db)
            if mine.seq >= through:
                return 0
            lost = through - mine.seq
            self._checkpoint(db, Checkpoint(through, mine.seq + 1, "loss", head, _now(), None))
            self._insert(db, Head(through, head), make_event(lost))
        return lost

    def head(self) -> Head:
        """The newest entry's number and seal."""
        if not self.present():
            return Head()
        with self._failing_plainly(), closing(self._connect()) as db:
            return self._head(db)

    def has(self, id: str) -> bool:
        """Whether the event of that id is here."""
        if not self.present():
            return False
        with self._failing_plainly(), closing(self._connect()) as db:
            return db.execute("SELECT 1 FROM entries WHERE id = ?", (id,)).fetchone() is not None

    def rows(
        self,
        *,
        since: str | None = None,
        until: str | None = None,
        patient: str | None = None,
        user: str | None = None,
        containing: str | None = None,
    ) -> Iterator[Row]:
        """Entries in order, a page at a time, so that a slow reader holds up nobody.

        Args:
            since: From this time on, as `AuditEvent.recorded` is written here.
            until: Before this time.
            containing: Only events whose JSON holds this text.
        """
        if not self.present():
            return
        # Only the conditions that are asked for, so that SQLite can use its index of patients.
        asked = {
            "at >= ?": since,
            "at < ?": until,
            "patient = ?": patient,
            "user = ?": user,
            "instr(event, ?) > 0": containing,
        }
        given = {condition: value for condition, value in asked.items() if value is not None}
        query = " AND ".join((f"{_SELECT} WHERE seq > ?", *given)) + " ORDER BY seq LIMIT ?"
        after = -(2**63)
        while True:
            with self._failing_plainly(), closing(self._connect()) as db:
                page = [Row(*found) for found in db.execute(query, (after, *given.values(), _PAGE))]
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].seq

    def count(
        self, *, since: str | None, until: str | None, holding: Sequence[str] = (), lacking: Sequence[str] = ()
    ) -> int:
        """How many entries of that time hold all of some texts and none of others."""
        if not self.present():
            return 0
        conditions = [
            "at >= ?",
            "at < ?",
            *["instr(event, ?) > 0"] * len(holding),
            *["instr(event, ?) = 0"] * len(lacking),
        ]
        query = f"SELECT count(*) FROM entries WHERE {' AND '.join(conditions)}"  # noqa: S608 - no value in it
        with self._failing_plainly(), closing(self._connect()) as db:
            (found,) = db.execute(query, (since or "", until or "~", *holding, *lacking)).fetchone()
        return int(found)

    def checkpoints(self) -> list[Checkpoint]:
        """What stands for entries that are no longer here, oldest first."""
        if not self.present():
            return []
        with self._failing_plainly(), closing(self._connect()) as db:
            return _checkpoints(db)

    @contextmanager
    def snapshot(self) -> Iterator[tuple[Iterator[Row], list[Checkpoint], bool]]:
        """All rows, all checkpoints, and whether the database is sound and shaped as we made it, at one moment."""
        with self._failing_plainly(), closing(self._connect()) as db:
            db.execute("BEGIN")
            shape = dict(db.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_autoindex_%'"))
            sound = shape == _TABLES and db.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",)
            points = _checkpoints(db)
            rows = db.execute(f"{_SELECT} ORDER BY seq")
            yield (Row(*found) for found in rows), points, sound

    def _insert(self, db: sqlite3.Connection, head: Head, text: str) -> Head:
        event = parse_event(text)
        if event is None:
            raise StoreFailed("event-not-json")
        columns = columns_of(event)
        if db.execute("SELECT 1 FROM entries WHERE id = ?", (columns.id,)).fetchone():
            return head
        seq = head.seq + 1
        made = self.seal_of(seq, head.seal, text)
        db.execute(
            "INSERT INTO entries (seq, id, at, patient, user, event, previous, seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (seq, columns.id, columns.at, columns.patient, columns.user, text, head.seal, made),
        )
        return Head(seq, made)

    def _checkpoint(self, db: sqlite3.Connection, point: Checkpoint) -> None:
        made = self._seal.of("checkpoint", point.through, point.first, point.kind, point.head, point.at)
        db.execute(
            "INSERT INTO checkpoints (through, first, kind, head, at, seal) VALUES (?, ?, ?, ?, ?, ?)",
            (point.through, point.first, point.kind, point.head, point.at, made),
        )

    def _head(self, db: sqlite3.Connection) -> Head:
        found = db.execute(
            "SELECT seq, seal FROM (SELECT seq, seal FROM entries UNION ALL SELECT through, head FROM checkpoints) "
            "ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        if found is None:
            return Head()
        seq, seal = found
        if not (isinstance(seq, int) and isinstance(seal, str) and 0 < seq < 2**62):
            raise StoreFailed("store-corrupt")
        return Head(seq, seal)

    def _head_fits(self, db: sqlite3.Connection, head: Head) -> bool:
        found = db.execute(f"{_SELECT} WHERE seq = ?", (head.seq,)).fetchone()
        return found is None or self.entry_fits(Row(*found))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._failing_plainly():
            create_private_folder(self.path.parent)
            create_private_file(self.path)
            with closing(self._connect()) as db:
                if _blank(db):
                    db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")  # the log is flushed at each commit (sqlite.org/pragma.html)
                db.execute("PRAGMA fullfsync = ON")  # on macOS a plain flush stops at the drive's own memory
                db.execute("PRAGMA secure_delete = ON")  # what is purged is overwritten, not only unlinked
                db.execute("BEGIN IMMEDIATE")
                try:
                    if _blank(db):
                        for statement in _TABLES.values():
                            db.execute(statement)
                    yield db
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise

    def _connect(self) -> sqlite3.Connection:
        # mode=rw: only `create_private_file` makes the file, with its rights; a lost file must not come back empty.
        uri = self.path.absolute().as_uri() + "?mode=rw"
        db = sqlite3.connect(uri, uri=True, timeout=self._lock_seconds, isolation_level=None)
        # A damaged file may hold bytes that are not UTF-8; they must come out as a finding, not as an exception.
        db.text_factory = _text
        return db

    @contextmanager
    def _failing_plainly(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, OverflowError, ValueError) as error:
            # The text of these errors may hold a value or a path; the reason code does not.
            raise StoreFailed(_reason(error)) from None


def _blank(db: sqlite3.Connection) -> bool:
    """Whether nothing was ever made in it, or its first writer was refused."""
    return bool(db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,))


def _checkpoints(db: sqlite3.Connection) -> list[Checkpoint]:
    found = db.execute("SELECT through, first, kind, head, at, seal FROM checkpoints ORDER BY through")
    return [Checkpoint(*one) for one in found]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
