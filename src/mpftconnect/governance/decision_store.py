"""Where identity decisions are kept: an SQLite database under one seal, anchored at a second place.

A decision that is lost or changed could merge two people, so the whole is sealed at once: one seal covers the revision
and every row, and the anchor knows the newest revision. A row that was changed, added or taken away, and a database
that was put back to an older copy, do not fit, and then nothing here is believed. What no seal can see: database and
anchor rolled back together, and whoever holds the key.

As with the audit trail (decision record 0005) each operation opens the database anew, so that every process sees at
once what another one wrote, and no thread or forked process inherits a connection.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mpftconnect.governance.seal import NOTHING_BEFORE, Seal
from mpftconnect.governance.sealed_lines import SealedLines, create_private_file, create_private_folder

__all__ = ["Change", "DecisionStore", "StoreUnsound"]

_TABLES = {
    "decisions": "CREATE TABLE decisions (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID",
    "state": (
        "CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL, at TEXT NOT NULL, "
        "seal TEXT NOT NULL)"
    ),
}


class StoreUnsound(Exception):
    """What is kept cannot be believed, or not be read. `reason` is a permanent code that names no value."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Change:
    """What to write: bodies by id to add or replace, and ids to remove."""

    put: Mapping[str, str] = field(default_factory=dict)
    remove: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _State:
    revision: int = 0
    at: str = ""
    seal: str = NOTHING_BEFORE


class DecisionStore:
    """The database and its anchor. Every method raises `StoreUnsound` and nothing else of its own.

    Args:
        path: The database; made on first use, as is its folder (0700).
        anchor: The anchor file; on another disk, or it proves less.
        key: At least 32 random bytes, kept elsewhere. The audit's will do: a seal made for one place fits no other.
        lock_seconds: How long to wait for another process.
    Raises:
        ConfigurationError: The key is too short.
    """

    def __init__(self, path: Path, *, anchor: Path, key: bytes, lock_seconds: float = 5.0) -> None:
        self.path = path
        self._seal = Seal(key, "identity")
        self._anchor = SealedLines(anchor, self._seal, "identity-anchor", lock_seconds)
        self._lock_seconds = lock_seconds

    @property
    def anchor_path(self) -> Path:
        return self._anchor.path

    def bodies(self) -> list[str]:
        """Every body, by id, once the seal over all of them and the anchor have been checked."""
        with self._failing_plainly():
            # The anchor first: what another process commits meanwhile is then newer than it, and never older.
            anchored = self._anchored()
            if not self._present():
                self._compare(_State(), anchored)
                return []
            with closing(self._connect()) as db:
                db.execute("BEGIN")
                return list(self._checked(db, anchored)[1].values())

    def change(self, decide: Callable[[list[str]], Change]) -> bool:
        """Let `decide` look at all bodies and write what it returns, while nobody else can write.

        What `decide` raises leaves everything as it was.

        Returns:
            Whether the anchor knows of it. If not, the change stands, and the next one's anchor covers it too.
        """
        with self._failing_plainly():
            create_private_folder(self.path.parent)
            if not self._present():
                self._compare(_State(), self._anchored())
                # It does not begin without an anchor: one that is missing later is then known to be lost.
                self._reached(_State(), begin=True)
            create_private_file(self.path)
            with closing(self._connect()) as db:
                if _blank(db):
                    db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                db.execute("PRAGMA fullfsync = ON")
                db.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten, not only unlinked
                state = self._write(db, decide)
                if state is not None:
                    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # nor does it live on in the log
            try:
                if state is not None:
                    self._reached(state)
            except (OSError, StoreUnsound):
                return False
            return True

    def _write(self, db: sqlite3.Connection, decide: Callable[[list[str]], Change]) -> _State | None:
        db.execute("BEGIN IMMEDIATE")
        try:
            if _blank(db):
                for statement in _TABLES.values():
                    db.execute(statement)
                self._seal_state(db, 0)
            known, bodies = self._checked(db, self._anchored())
            change = decide(list(bodies.values()))
            if not change.put and not change.remove:
                db.execute("ROLLBACK")
                return None
            db.executemany("INSERT OR REPLACE INTO decisions (id, body) VALUES (?, ?)", change.put.items())
            db.executemany("DELETE FROM decisions WHERE id = ?", [(id,) for id in change.remove])
            state = self._seal_state(db, known.revision + 1)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return state

    def _seal_state(self, db: sqlite3.Connection, revision: int) -> _State:
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        seal = self._seal.of("decisions", revision, at, _digest(_rows(db)))
        db.execute("INSERT OR REPLACE INTO state (one, revision, at, seal) VALUES (1, ?, ?, ?)", (revision, at, seal))
        return _State(revision, at, seal)

    def _checked(self, db: sqlite3.Connection, anchored: _State | None) -> tuple[_State, dict[str, str]]:
        shape = dict(db.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_autoindex_%'"))
        found = db.execute("SELECT revision, at, seal FROM state").fetchone() if shape == _TABLES else None
        if found is None:
            raise StoreUnsound("store-damaged")
        revision, at, seal = found
        rows = list(_rows(db))
        whole = all(isinstance(id, str) and isinstance(body, str) for id, body in rows)
        if not (whole and isinstance(revision, int) and isinstance(at, str)):
            raise StoreUnsound("store-damaged")
        if not self._seal.fits(seal, "decisions", revision, at, _digest(rows)):
            raise StoreUnsound("seal-does-not-fit")
        state = _State(revision, at, seal)
        self._compare(state, anchored)
        return state, dict(rows)

    def _compare(self, state: _State, anchored: _State | None) -> None:
        if anchored is None:
            if state.revision or state.seal != NOTHING_BEFORE:
                raise StoreUnsound("anchor-missing")
        elif anchored.revision > state.revision:
            raise StoreUnsound("older-than-anchor" if state.revision else "store-missing")
        elif anchored.revision == state.revision != 0 and anchored.seal != state.seal:
            raise StoreUnsound("differs-from-anchor")

    def _anchored(self) -> _State | None:
        said, any_whole = self._anchor.last()
        if said is None:
            if any_whole:
                raise StoreUnsound("anchor-damaged")
            return None
        revision, seal = said.get("revision"), said.get("store")
        if not isinstance(revision, int) or not isinstance(seal, str):
            raise StoreUnsound("anchor-damaged")
        return _State(revision, "", seal)

    def _reached(self, state: _State, *, begin: bool = False) -> None:
        with self._anchor.lock():
            known = self._anchored()
            # Another process may have anchored a later revision already.
            if known is None if begin else known is None or known.revision < state.revision:
                self._anchor.append({"revision": state.revision, "store": state.seal, "at": state.at})

    def _present(self) -> bool:
        try:
            if not self.path.stat().st_size:
                return False
        except FileNotFoundError:
            return False
        with closing(self._connect()) as db:
            return not _blank(db)

    def _connect(self) -> sqlite3.Connection:
        # mode=rw: only `create_private_file` makes the file, with its rights; a lost file must not come back empty.
        uri = self.path.absolute().as_uri() + "?mode=rw"
        return sqlite3.connect(uri, uri=True, timeout=self._lock_seconds, isolation_level=None)

    @contextmanager
    def _failing_plainly(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            # The text of these errors may hold a value or a path; the reason code does not.
            name = getattr(error, "sqlite_errorname", None) or ""
            locked = name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
            raise StoreUnsound("store-locked" if locked else "store-unreadable") from None
        except sqlite3.Error:
            raise StoreUnsound("store-damaged") from None
        except OSError:
            raise StoreUnsound("store-unreadable") from None


def _rows(db: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    yield from db.execute("SELECT id, body FROM decisions ORDER BY id")


def _digest(rows: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over length-prefixed ids and bodies, so that no two different lists give the same bytes."""
    made = hashlib.sha256()
    for row in rows:
        for part in row:
            data = part.encode("utf-8", "surrogatepass")
            made.update(len(data).to_bytes(8, "big") + data)
    return made.hexdigest()


def _blank(db: sqlite3.Connection) -> bool:
    """Whether nothing was ever made in it."""
    return bool(db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,))
