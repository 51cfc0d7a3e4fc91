"""What is removed for good: messages whose time is over, and one person's. Within a transaction of the caller's."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence

from mpftconnect.inbox import projection
from mpftconnect.inbox.protection import Protection

__all__ = ["erase", "purge"]


def purge(db: sqlite3.Connection, protection: Protection, before: str) -> int:
    """Remove processed and discarded messages that were received before then; see `SqliteStore.purge`."""
    settled = "SELECT seq FROM log WHERE at < ? AND state IN ('processed', 'discarded') ORDER BY seq"
    gone = [seq for (seq,) in db.execute(settled, (before,))]
    touched: dict[str, None] = {}
    for seq in gone:
        for (thing,) in db.execute("SELECT DISTINCT thing FROM changes WHERE seq = ?", (seq,)):
            touched[thing] = None
    for thing in touched:
        projection.ground_thing(db, protection, thing, gone)
    for seq in gone:
        # Whom a hospital number stands for is still needed by messages that give no other.
        db.execute(
            "UPDATE numbers SET kept = 1 WHERE identifier IN (SELECT identifier FROM subjects WHERE seq = ?)", (seq,)
        )
        db.execute("DELETE FROM subjects WHERE seq = ?", (seq,))
        db.execute("DELETE FROM log WHERE seq = ?", (seq,))
    return len(gone)


def erase(db: sqlite3.Connection, protection: Protection, number: str, identifiers: Sequence[str]) -> int:
    """Remove all messages and things of one person."""
    seqs, _ = projection.forget_person(db, protection, number, identifiers)
    seqs |= _naming(db, protection, number, identifiers)
    for seq in sorted(seqs):
        projection.forget_message(db, protection, seq)
        db.execute("DELETE FROM log WHERE seq = ?", (seq,))
    return len(seqs)


def _naming(db: sqlite3.Connection, protection: Protection, number: str, identifiers: Sequence[str]) -> set[int]:
    """Messages that nobody has understood yet, or could, and that hold the number, spaced or not, or an identifier."""
    words = [" ?-?".join(number), *(re.escape(each.rpartition("|")[2]) for each in identifiers)]
    looked_for = re.compile("|".join(rf"(?<![0-9A-Za-z]){word}(?![0-9A-Za-z])" for word in words).encode())
    return {
        seq
        for seq, digest, body in db.execute(
            "SELECT seq, digest, body FROM log WHERE seq NOT IN (SELECT seq FROM subjects)"
        ).fetchall()
        if looked_for.search(protection.open(body, digest))
    }
