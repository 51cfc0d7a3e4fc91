"""Tables for code systems whose releases are lists: LOINC and dm+d."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

__all__ = ["ListedRows", "make_tables"]

_BATCH = 20_000


def make_tables(db: sqlite3.Connection) -> None:
    """Codes, further names, properties, and what is above what."""
    db.executescript(
        """
        CREATE TABLE concept (code TEXT PRIMARY KEY, active INTEGER, kind TEXT, display TEXT) WITHOUT ROWID;
        CREATE TABLE name (code TEXT, term TEXT, PRIMARY KEY (code, term)) WITHOUT ROWID;
        CREATE TABLE property (code TEXT, name TEXT, value TEXT, PRIMARY KEY (code, name, value)) WITHOUT ROWID;
        CREATE TABLE parent (child TEXT, parent TEXT, PRIMARY KEY (child, parent)) WITHOUT ROWID;
        """
    )


class ListedRows:
    """Rows on their way into the tables, written in batches."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._rows: dict[str, list[tuple[object, ...]]] = {"concept": [], "name": [], "property": [], "parent": []}
        self._count = 0

    def concept(self, code: str, kind: str, display: str, *, active: bool, names: Iterable[str] = ()) -> None:
        self._put("concept", (code, int(active), kind, display))
        for term in names:
            if term and term != display:
                self._put("name", (code, term))

    def property(self, code: str, name: str, value: str) -> None:
        self._put("property", (code, name, value))

    def parent(self, child: str, parent: str) -> None:
        self._put("parent", (child, parent))

    def _put(self, table: str, row: tuple[object, ...]) -> None:
        self._rows[table].append(row)
        self._count += 1
        if self._count >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        self._db.execute("BEGIN")
        for table, rows in self._rows.items():
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                # The first row of a code stands: a superseded identifier never hides a current one.
                self._db.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", rows)  # noqa: S608 - our own names
                rows.clear()
        self._db.execute("COMMIT")
        self._count = 0
