"""An audit trail of its own for each test, and records to put in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.events import Code, Event, EventStream
from mpftconnect.governance.audit import AuditRecord, AuditTrail, PrivacyStream, Shown
from mpftconnect.model import AccessContext

AUDIT_KEY = bytes(range(32))
PRIVACY_KEY = bytes(range(100, 132))
BEGINNING = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@dataclass
class AuditPlace:
    """Three separate folders, as three disks would be, and the events that a trail there emitted."""

    root: Path
    seen: list[Event] = field(default_factory=list)

    @property
    def store(self) -> Path:
        return self.root / "store" / "audit.db"

    @property
    def anchor(self) -> Path:
        return self.root / "anchor" / "audit.anchor"

    @property
    def sink(self) -> Path:
        return self.root / "sink" / "audit.waiting"

    def trail(self, **changes: Any) -> AuditTrail:
        given: dict[str, Any] = {"key": AUDIT_KEY, "lock_seconds": 5.0} | changes
        return AuditTrail(
            self.store, anchor=self.anchor, fallback=self.sink, events=EventStream([self.seen.append]), **given
        )

    def privacy(self) -> PrivacyStream:
        place = AuditPlace(self.root / "privacy", self.seen)
        return PrivacyStream(
            place.store,
            key=PRIVACY_KEY,
            anchor=place.anchor,
            fallback=place.sink,
            events=EventStream([self.seen.append]),
        )

    def alarms(self) -> list[tuple[Code, str | None]]:
        return [(event.code, event.reason) for event in self.seen if event.code is not Code.AUDIT_WRITTEN]


@pytest.fixture
def audit_place(tmp_path: Path) -> AuditPlace:
    return AuditPlace(tmp_path)


@pytest.fixture
def audit_who() -> AccessContext:
    return AccessContext(
        user="jane.doe",
        name="Jane Doe",
        role="community-nurse",
        organisation="RRE",
        purpose="direct-care",
        relationship="caseload",
        reason="telephoned about the Wollstonecraft household",
        practitioner_id="555000111",
        role_profile_id="777000222",
        device="ward-tablet-4",
        session="s-1",
    )


@pytest.fixture
def audit_record(audit_who: AccessContext) -> Callable[..., AuditRecord]:
    """A read of one person's record; the nth an hour after the one before."""

    def make(number: int = 0, **changes: Any) -> AuditRecord:
        given: dict[str, Any] = {
            "action": "read",
            "outcome": "success",
            "who": audit_who,
            "patient": "9990000018",
            "verified_by": "rio",
            "sections": ("allergies", "problems"),
            "systems_asked": ("pds", "rio"),
            "gaps": (),
            "shown": (Shown("rio", (f"Condition/{number}", "AllergyIntolerance/7")),),
            "correlation_id": f"request-{number}",
            "at": BEGINNING + timedelta(hours=number),
        }
        return AuditRecord(**(given | changes))

    return make
