"""What was published where: a small durable ledger, shared by threads and processes of one machine.

It holds no clinical content: NHS numbers, ids and the kind of document. A row says what stands at the system, or that a
write is under way or of unknown outcome, in which case nothing may be sent before somebody has looked (rule 12).
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from mpftconnect.errors import LedgerUnavailable, UsageError

__all__ = ["Ledger", "Row", "State"]

State = Literal["published", "absent", "sending", "unknown"]
_LOCK_SECONDS = 5.0
_TABLE = """
CREATE TABLE IF NOT EXISTS published (
    destination TEXT NOT NULL, reference TEXT NOT NULL, patient TEXT NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL,
    version TEXT NOT NULL, pointers TEXT NOT NULL, state TEXT NOT NULL, doing TEXT NOT NULL, changed TEXT NOT NULL,
    PRIMARY KEY (destination, reference)
)
"""
_COLUMNS = "destination, reference, patient, key, kind, version, pointers, state, doing, changed"
_PUT = f"INSERT OR REPLACE INTO published ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - ours


@dataclass(frozen=True, slots=True)
class Row:
    """One plan at one system.

    Args:
        destination: Configured name of the system that holds the pointer.
        reference: Name under which the plan is published.
        patient: NHS number.
        key: `Item.key` of the plan.
        kind: SNOMED CT code of the type of document.
        version: Of the plan that is published; while a write is under way or unknown, of the one that was sent.
        pointers: Ids of the pointers that stand, or stood before the write.
        state: `published`; `absent`; `sending`: under way, here or elsewhere, or interrupted; `unknown`.
        doing: `create`, `supersede` or `remove`, while that is under way or unknown; else empty.
        changed: When, UTC.
    """

    destination: str
    reference: str
    patient: str
    key: str
    kind: str
    version: str = ""
    pointers: tuple[str, ...] = ()
    state: State = "absent"
    doing: str = ""
    changed: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    @property
    def is_open(self) -> bool:
        """Whether nobody knows what stands at the system."""
        return self.state in ("sending", "unknown")


class Ledger:
    """The ledger of one configuration. It holds no connection between calls.

    Args:
        path: An SQLite file; its folder is made, mode 0700, on first use.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def row(self, destination: str, reference: str) -> Row | None:
        """What is known of a plan at a system."""
        where = "destination = ? AND reference = ?"
        return next(iter(self._rows(where, (destination, reference))), None)

    def rows(self, *, patient: str | None = None, key: str | None = None) -> tuple[Row, ...]:
        """All rows, or those of one person or one plan."""
        wanted = {name: value for name, value in (("patient", patient), ("key", key)) if value is not None}
        where = " AND ".join(f"{name} = ?" for name in wanted) or "1"
        return self._rows(where, tuple(wanted.values()))

    def change(self, before: Row | None, after: Row) -> bool:
        """Put a row in place of the one that was read, if that one still stands.

        Returns:
            False if somebody else was quicker: read again, and decide again.
        Raises:
            LedgerUnavailable: It cannot be written.
        """
        with self._open() as store:
            store.execute("BEGIN IMMEDIATE")
            try:
                found = self._read(store, "destination = ? AND reference = ?", (after.destination, after.reference))
                same = (found[0] if found else None) == before
                if same:
                    placed = replace(after, changed=datetime.now(UTC))
                    store.execute(_PUT, _values(placed))
            except BaseException:
                store.execute("ROLLBACK")
                raise
            store.execute("COMMIT")
        return same

    def purge(self, before: datetime) -> int:
        """Delete rows of pointers that went before that time; returns how many. What stands, or may stand, stays."""
        if before.tzinfo is None:
            raise UsageError("a time with an offset is expected")
        return self._delete(
            "state = 'absent' AND changed < ?", (before.astimezone(UTC).isoformat(timespec="microseconds"),)
        )

    def forget(self, patient: str) -> int:
        """Delete all rows of a person; returns how many.

        Raises:
            UsageError: A pointer of theirs stands or may stand: withdraw it first, or nobody would remove it.
        """
        if any(row.state != "absent" for row in self.rows(patient=patient)):
            raise UsageError("a pointer of this person stands, or may stand: withdraw or reconcile it first")
        return self._delete("patient = ? AND state = 'absent'", (patient,))

    def _delete(self, where: str, values: tuple[str, ...]) -> int:
        with self._open() as store:
            store.execute("PRAGMA secure_delete = ON")
            return store.execute(f"DELETE FROM published WHERE {where}", values).rowcount  # noqa: S608 - ours

    def _rows(self, where: str, values: tuple[str, ...]) -> tuple[Row, ...]:
        if not self.path.is_file():
            return ()
        with self._open() as store:
            return self._read(store, where, values)

    @staticmethod
    def _read(store: sqlite3.Connection, where: str, values: tuple[str, ...]) -> tuple[Row, ...]:
        asked = f"SELECT {_COLUMNS} FROM published WHERE {where} ORDER BY changed, reference"  # noqa: S608 - ours
        return tuple(_row(found) for found in store.execute(asked, values))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self.path.exists():
                os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
            with closing(sqlite3.connect(self.path, timeout=_LOCK_SECONDS, isolation_level=None)) as store:
                store.execute("PRAGMA synchronous = FULL")
                store.execute(_TABLE)
                yield store
        except (sqlite3.Error, OSError, ValueError) as error:
            # Its own words could repeat a value.
            kind = type(error).__name__
        else:
            return
        raise LedgerUnavailable(
            f"the ledger of what was published cannot be used ({kind}): see that {self.path} can be written"
        )


def _values(row: Row) -> tuple[str, ...]:
    return (
        *(row.destination, row.reference, row.patient, row.key, row.kind, row.version),
        *(json.dumps(row.pointers), row.state, row.doing, row.changed.isoformat(timespec="microseconds")),
    )


def _row(found: tuple[str, ...]) -> Row:
    destination, reference, patient, key, kind, version, pointers, state, doing, changed = found
    if state not in ("published", "absent", "sending", "unknown"):
        raise ValueError("a state that this version does not know")
    stands: State = state  # type: ignore[assignment]
    return Row(
        *(destination, reference, patient, key, kind, version),
        pointers=tuple(json.loads(pointers)),
        state=stands,
        doing=doing,
        changed=datetime.fromisoformat(changed),
    )
