"""One request, one audit entry, however the request ends (rule 11)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal

from mpftconnect.errors import AccessRefused, AdapterError, AuditUnavailable, TooManyMatches
from mpftconnect.events import Code, EventStream
from mpftconnect.governance.audit import AuditRecord, AuditTrail, Sent, Shown
from mpftconnect.hub.record import Gap, Record
from mpftconnect.model import AccessContext, Patient, Source

__all__ = ["AuditEntry"]

_FAILED: dict[type[BaseException], str] = {TooManyMatches: "too-many-matches", KeyboardInterrupt: "interrupted"}


class AuditEntry:
    """The audit entry of one request: a block that is left with exactly one entry written, however it is left."""

    def __init__(
        self,
        trail: AuditTrail,
        events: EventStream,
        who: AccessContext,
        action: Literal["read", "find", "fetch", "write"],
        correlation: str,
        patient: str | None,
        sections: tuple[str, ...],
    ) -> None:
        self._trail, self._events = trail, events
        self.who, self._action, self._correlation = who, action, correlation
        self.patient, self._sections = patient, sections
        self.verified_by: str | None = None
        self.sent: tuple[Sent, ...] = ()
        self.not_for_role: tuple[str, ...] = ()
        self._tried = False

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or self._tried:
            return
        if isinstance(error, AccessRefused):
            self._events.emit(Code.ACCESS_REFUSED, reason=error.code)
            self.write(self._made("refused", reason_code=error.code))
            return
        code = str(error.reason) if isinstance(error, AdapterError) else type(error).__name__
        failed = self._made("failure", reason_code=_FAILED.get(type(error), code))
        if isinstance(error, Exception):
            self.write(failed)
            return
        # Ctrl-C is not to be turned into another error; the trail has raised its own alarm.
        with suppress(AuditUnavailable):
            self.write(failed)

    def write(self, record: AuditRecord) -> None:
        """Make the entry durable. Tried once: where it cannot be, `AuditUnavailable` says so, and nothing is shown."""
        self._tried = True
        self._trail.append(record)

    def beginning(self) -> AuditRecord:
        """The entry for what is about to be asked of systems."""
        return self._made("success")

    def showing(self, record: Record, asked: Sequence[str]) -> AuditRecord:
        """The entry for a record that is about to be shown."""
        by_system: dict[str, list[str]] = {}
        for item in (record.patient, *record.held_as, *record.items()):
            for source in item.sources:
                by_system.setdefault(source.system, []).append(source.id)
        return self._made(
            "partial" if record.gaps else "success",
            systems_asked=tuple(asked),
            gaps=tuple(dict.fromkeys((gap.system, str(gap.reason)) for gap in record.gaps)),
            shown=tuple(Shown(system, tuple(ids)) for system, ids in sorted(by_system.items())),
        )

    def fetching(self, source: Source) -> AuditRecord:
        """The entry for a document whose bytes are about to be given out."""
        return self._made("success", systems_asked=(source.system,), shown=(Shown(source.system, (source.id,)),))

    def intend(self, what: str) -> None:
        """Make durable what is about to be written elsewhere; `write` follows, however that ends.

        Args:
            what: Permanent code: `create`, `supersede`, `remove`.
        Raises:
            AuditUnavailable: Nothing may be sent.
        """
        self._trail.append(self._made("intended", reason_code=what))

    def wrote(self, what: str, *, certain: bool = True) -> AuditRecord:
        """The entry for what was written elsewhere, or may have been."""
        return self._made("success" if certain else "failure", reason_code=what if certain else f"{what}-unknown")

    def finding(self, people: Sequence[Patient], gaps: Sequence[Gap], system: str) -> AuditRecord:
        """The entry for people who are about to be shown."""
        return self._made(
            "partial" if gaps else "success",
            systems_asked=(system,),
            gaps=tuple((gap.system, str(gap.reason)) for gap in gaps),
            shown=(Shown(system, tuple(patient.source.id for patient in people)),) if people else (),
        )

    def _made(
        self,
        outcome: Literal["intended", "success", "partial", "failure", "refused"],
        *,
        systems_asked: tuple[str, ...] = (),
        gaps: tuple[tuple[str, str], ...] = (),
        shown: tuple[Shown, ...] = (),
        reason_code: str | None = None,
    ) -> AuditRecord:
        return AuditRecord(
            action="refused" if outcome == "refused" else self._action,
            outcome=outcome,
            who=self.who,
            patient=self.patient,
            verified_by=self.verified_by,
            purpose=self.who.purpose,
            sections=self._sections,
            not_for_role=self.not_for_role,
            systems_asked=systems_asked,
            gaps=gaps,
            shown=shown,
            sent=self.sent,
            correlation_id=self._correlation,
            reason_code=reason_code,
            at=datetime.now(UTC),
        )
