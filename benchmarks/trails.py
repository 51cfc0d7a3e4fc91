"""The audit trail, whose every entry is on the disk before anything is shown."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from result import Result
from size import Size
from timing import interleaved

from mpftconnect import AccessContext
from mpftconnect.events import EventStream
from mpftconnect.governance.audit import AuditRecord, AuditTrail, Shown

__all__ = ["run"]

_WHO = AccessContext(
    user="jane.doe", name="Jane Doe", role="community-nurse", organisation="RRE", purpose="direct-care",
    relationship="caseload",
)  # fmt: skip


def run(size: Size) -> list[Result]:
    shown = tuple(Shown(system, tuple(f"Observation/{n}" for n in range(30))) for system in ("pds", "rio", "gp"))
    record = AuditRecord(
        action="read", outcome="success", who=_WHO, patient="9990000018", verified_by="rio", shown=shown,
        correlation_id="benchmark", at=datetime.now(UTC),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trail = AuditTrail(
            folder / "trail" / "audit.sqlite",
            key=bytes(range(32)),
            anchor=folder / "anchor" / "anchor.jsonl",
            fallback=folder / "fallback" / "entries.jsonl",
            events=EventStream(),
        )
        anchor = (folder / "bare.jsonl").open("ab", buffering=0)
        with anchor, closing(sqlite3.connect(folder / "bare.sqlite", isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("CREATE TABLE entries (seq INTEGER PRIMARY KEY, event TEXT)")
            db.execute("PRAGMA synchronous = FULL")

            def bare() -> None:
                db.execute("INSERT INTO entries (event) VALUES (?)", ("x" * 4000,))
                anchor.write(b"x" * 300 + b"\n")
                os.fsync(anchor.fileno())

            samples = interleaved({"trail": lambda: trail.append(record), "bare": bare}, rounds=size.rounds * 5)
        if not trail.verify().ok:
            raise RuntimeError("the trail that was written does not verify")
    own, peer = samples["trail"], samples["bare"]
    words = "an SQLite commit and a line of a file, both flushed, both kept open"
    return [
        Result("one audit entry made durable", own.least * 1e3, "ms", words, peer.least * 1e3, own.spread),
        Result("audit entries in a second", 1 / own.least, "/s", words, 1 / peer.least, own.spread),
    ]
