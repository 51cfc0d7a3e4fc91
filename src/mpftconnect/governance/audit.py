"""The audit trail: who asked for whose record, why, what they were shown; on the disk before they see it.

Entries are FHIR R4 AuditEvents in a chain of keyed seals. The chain's newest seal and length are anchored at a second
place, so that change, removal, reordering and truncation show. If the store cannot take an entry, a second sink does,
and an alarm is raised; only if both fail is the work refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from mpftconnect.errors import AuditUnavailable, UsageError
from mpftconnect.events import Code, EventStream
from mpftconnect.governance.affected import NEVER_SEEN, Affected, showings
from mpftconnect.governance.anchor import Anchor, KeyDoesNotFit
from mpftconnect.governance.audit_event import (
    AuditRecord,
    Sent,
    Shown,
    Withholding,
    fhir_text,
    housekeeping_event,
    recorded_of,
    to_audit_event,
)
from mpftconnect.governance.audit_store import AuditStore, Head, Row, StoreFailed, columns_of, parse_event
from mpftconnect.governance.audit_verification import CANNOT_SEE, Finding, Verification, examine
from mpftconnect.governance.seal import Seal, canonical
from mpftconnect.governance.second_sink import SecondSink, WaitingLine
from mpftconnect.model import nhs_number

__all__ = [
    "CANNOT_SEE",
    "Affected",
    "AuditRecord",
    "AuditTrail",
    "Entry",
    "Finding",
    "PrivacyStream",
    "Sent",
    "Shown",
    "Verification",
    "Withholding",
    "to_audit_event",
]

LOCK_SECONDS = 5.0
_WRONG_KEY = "key-does-not-fit"
# As canonical JSON writes a read that came to its end, and an item that was shown in one.
_READ_DONE = ('"subtype":[{"code":"read"', '"outcome":"0"')
_SHOWN = ('"type":"shown"',)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the trail.

    Args:
        seq: Its number; negative for one that waits in the second sink.
        at: When it happened, UTC.
        event: The AuditEvent; empty if the stored text is no longer JSON.
        sealed: Whether its own seal fits. `AuditTrail.verify` says more.
    """

    seq: int
    at: datetime
    event: dict[str, Any]
    sealed: bool = True


class AuditTrail:
    """One trail, shared by threads and processes; it holds no connection between calls.

    Args:
        path: The store, an SQLite file on a local disk.
        key: At least 32 random bytes, kept elsewhere.
        anchor: The anchor file, at another place than the store.
        fallback: The second sink, on another disk than the store if there is one.
        events: Where alarms go.
        name: Name of the trail; part of every seal.
        lock_seconds: How long to wait for another process before the second sink is used.
    Raises:
        ConfigurationError: The key is too short.
        UsageError: Two of the three places are the same.

    >>> from tempfile import TemporaryDirectory
    >>> from mpftconnect.model import AccessContext
    >>> who = AccessContext(user="jane.doe", name="Jane Doe", role="community-nurse", organisation="RRE",
    ...                     purpose="direct-care", relationship="caseload")
    >>> record = AuditRecord(action="read", outcome="success", who=who, patient="999 000 0018", verified_by="rio",
    ...                      shown=(Shown("rio", ("CarePlan/1",)),), correlation_id="c-1",
    ...                      at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC))
    >>> with TemporaryDirectory() as folder:
    ...     trail = AuditTrail(Path(folder, "audit.db"), key=bytes(range(32)), anchor=Path(folder, "elsewhere"),
    ...                        fallback=Path(folder, "waiting"), events=EventStream())
    ...     trail.append(record), trail.verify().ok, trail.affected(source="rio", item="CarePlan/1")[0].user
    (1, True, 'jane.doe')
    """

    announces_entries = True

    def __init__(
        self,
        path: Path,
        *,
        key: bytes,
        anchor: Path,
        fallback: Path,
        events: EventStream,
        name: str = "audit",
        lock_seconds: float = LOCK_SECONDS,
    ) -> None:
        if len({place.absolute() for place in (path, anchor, fallback)}) < 3:
            raise UsageError(f"trail {name}: store, anchor and second sink are three different files")
        seal = Seal(key, name)
        self.name = name
        self._store = AuditStore(path, seal, lock_seconds)
        self._anchor = Anchor(anchor, seal, lock_seconds)
        self._sink = SecondSink(fallback, seal, lock_seconds)
        self._events = events

    def append(self, record: AuditRecord) -> int:
        """Make one entry durable.

        Returns:
            Its sequence number; a negative number if it waits in the second sink, as the alarm then says too.
        Raises:
            UsageError: A break-glass event, which belongs to the privacy officer's stream. What was read under
                break-glass is an ordinary `read`, whose relationship says so.
            AuditUnavailable: Neither the store nor the second sink took it: show nothing.
        """
        if record.action == "break-glass":
            raise UsageError("a break-glass event belongs to the privacy officer's stream, not to the ordinary trail")
        return self._write(to_audit_event(record))

    def entries(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        patient: str | None = None,
        user: str | None = None,
        containing: str | None = None,
    ) -> Iterator[Entry]:
        """The entries, in order of number, then those that wait in the second sink.

        This is the bare store. Give users `read_audit`, which asks who they are and writes that they looked.

        Args:
            since: From this time on; aware.
            until: Before this time; aware.
            patient: NHS number.
            user: `AccessContext.user`.
            containing: Only entries whose JSON, as it is stored, holds this text.
        Raises:
            AuditUnavailable: The store cannot be read. What waits in the second sink comes first, so that it can be
                seen even then.
        """
        wanted = _Wanted(
            since=_as_recorded(since),
            until=_as_recorded(until),
            patient=None if patient is None else nhs_number(patient),
            user=None if user is None else fhir_text(user),
            containing=containing,
        )
        return self._entries(wanted)

    def affected(
        self, *, source: str, item: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> list[Affected]:
        """Who was shown something of a source, and when.

        Args:
            source: Configured name of the system.
            item: The source's own id of the item; None for anything of that source.
            since: From this time on; aware.
            until: Before this time; aware.
        Raises:
            AuditUnavailable: The trail cannot be read to its end, so the list would not be whole.
        """
        return list(self.showings(source=source, item=item, since=since, until=until))

    def showings(
        self,
        *,
        source: str,
        item: str | None = None,
        patient: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Affected]:
        """As `affected`, one after the other, so that a trail of any length can be looked through.

        Args:
            patient: NHS number: only in that person's record.
        """
        found = self.entries(
            since=since, until=until, patient=patient, containing=canonical(fhir_text(source if item is None else item))
        )
        return showings(found, source, item)

    def unseen(self, *, since: datetime | None = None, until: datetime | None = None) -> tuple[str, ...]:
        """What looking through the entries of a period cannot show, in sentences.

        Raises:
            AuditUnavailable: The store does not answer.
        """
        try:
            points = self._store.checkpoints()
            blind = self._store.count(
                since=_as_recorded(since), until=_as_recorded(until), holding=_READ_DONE, lacking=_SHOWN
            )
            damaged = sum(line.state == "damaged" for line in self._sink.read())
        except (StoreFailed, OSError) as error:
            why = error.reason if isinstance(error, StoreFailed) else type(error).__name__
            raise AuditUnavailable(f"trail {self.name}: it cannot be looked through ({why})") from None
        said = [
            f"Entries {point.first} to {point.through} are gone: "
            + ("their retention was over." if point.kind == "purge" else "they were lost.")
            for point in points
        ]
        if blind:
            said.append(
                f"{blind} reads in the period name no item: nothing was shown in them, or they were written before "
                "entries named items."
            )
        if damaged:
            said.append(f"{damaged} lines in the second sink are damaged and say nothing.")
        return (*said, *NEVER_SEEN)

    def verify(self) -> Verification:
        """Examine the whole trail; a damaged one is reported, not raised."""
        found = examine(self._store, self._anchor, self._sink)
        open_to_others = [p for p in self._places() if _open_to_others(p)]
        if open_to_others:
            note = "open to other users of this machine: " + ", ".join(str(p) for p in open_to_others)
            return replace(found, notes=(*found.notes, note))
        return found

    def reconcile(self) -> int:
        """Move what waits in the second sink into the store; returns how many entries were moved.

        A line whose seal does not fit stays where it is, and so does the file, as evidence; the rest is moved.

        Raises:
            AuditUnavailable: The store still does not take them, or the sink cannot be read. Nothing is lost.
        """
        try:
            with self._sink.lock():
                lines = list(self._sink.read())
                good = [line for line in lines if line.state == "sealed"]
                if not good:
                    return 0
                waiting = [line for line in good if not self._store.has(line.id)]
                if waiting:
                    self._commit([line.event for line in waiting])
                if not any(line.state == "damaged" for line in lines):
                    # Anchored first: after a crash between the two, the entries are known to be in the store.
                    self._anchor.sink_reached(0, Head().seal)
                    self._sink.clear()
                return len(waiting)
        except StoreFailed as failure:
            raise AuditUnavailable(f"trail {self.name}: the store does not take entries ({failure.reason})") from None
        except (OSError, KeyDoesNotFit) as error:
            raise AuditUnavailable(
                f"trail {self.name}: the second sink or the anchor does not answer ({type(error).__name__})"
            ) from None

    def purge(self, before: datetime) -> int:
        """Delete entries older than `before`, at the end of their retention; returns how many.

        Entries go in order of number, up to the first that is young enough to stay. A sealed checkpoint stands for
        them, so that the rest verifies, and an entry says how many went. What waits in the second sink stays.

        Raises:
            UsageError: The trail does not verify. Purging would destroy the evidence; nothing was deleted.
            AuditUnavailable: The store does not answer.
        """
        limit = _as_recorded(before)
        wrong = [finding.code for finding in self.verify().findings if finding.code != "declared-loss"]
        if wrong:
            raise UsageError(
                f"trail {self.name} does not verify ({', '.join(dict.fromkeys(wrong))}); nothing was purged: "
                "look into it first (mpftconnect audit verify)"
            )
        if not limit or not self._has_entries():
            return 0

        def make_event(count: int, through: int) -> str:
            words = f"purged {count} entries, through number {through}, older than {limit}"
            return self._with_id(housekeeping_event("purge", words, datetime.now(UTC)))

        try:
            count = self._store.purge(limit, make_event)
            self._anchor_head(self._store.head())
        except StoreFailed as failure:
            raise AuditUnavailable(f"trail {self.name}: the store cannot be purged ({failure.reason})") from None
        self._events.emit(Code.STEP_FINISHED, step=f"{self.name}-purge", count=count)
        return count

    def accept_loss(self) -> int:
        """Go on with a store that has lost entries which the anchor knows of; returns how many are lost.

        Until this is called, such a store takes nothing: put back the newest copy first, and `reconcile`. The loss
        stays a finding of every later `verify`.

        Raises:
            AuditUnavailable: The store or the anchor does not answer.
        """
        try:
            anchored = self._anchor.newest()
            if anchored is None:
                return 0

            def make_event(lost: int) -> str:
                words = f"{lost} entries, through number {anchored.entries}, were declared lost"
                return self._with_id(housekeeping_event("loss", words, datetime.now(UTC)))

            lost = self._store.declare_loss(anchored.entries, anchored.head, make_event)
            self._anchor_head(self._store.head())
        except StoreFailed as failure:
            raise AuditUnavailable(f"trail {self.name}: the store does not answer ({failure.reason})") from None
        except (OSError, KeyDoesNotFit) as error:
            raise AuditUnavailable(f"trail {self.name}: the anchor does not answer ({type(error).__name__})") from None
        if lost:
            self._events.emit(Code.AUDIT_FALLBACK, step=self.name, reason="loss-declared", count=lost)
        return lost

    def _write(self, event: dict[str, Any]) -> int:
        text = self._with_id(event)
        try:
            seq = self._commit([text]).seq
        except StoreFailed as failure:
            return self._write_to_sink(text, failure.reason)
        if self.announces_entries:
            self._events.emit(Code.AUDIT_WRITTEN, step=self.name, count=seq)
        return seq

    def _commit(self, events: Sequence[str]) -> Head:
        head = self._store.append(events, self._check_before_append)
        self._anchor_head(head)
        return head

    def _check_before_append(self, head: Head, head_fits: bool) -> None:
        """Refuse the store where writing to it would hide what happened to it."""
        anchored, trouble = None, None
        try:
            anchored = self._anchor.newest()
            if head.seq == 0 and anchored is None:
                # A trail does not begin without an anchor: one that is missing later is then known to be lost.
                self._anchor.begin()
        except KeyDoesNotFit:
            trouble = _WRONG_KEY
        except OSError:
            trouble = "anchor-unavailable"
        if head.seq == 0 and trouble:
            raise StoreFailed(trouble)
        if anchored is None and not head_fits:
            raise StoreFailed(_WRONG_KEY)
        if anchored is not None and anchored.entries > head.seq:
            raise StoreFailed("store-behind-anchor" if head.seq else "store-missing")

    def _anchor_head(self, head: Head) -> None:
        try:
            self._anchor.store_reached(head.seq, head.seal)
        except (OSError, KeyDoesNotFit):
            # The entry is durable, so the work goes on; the next entry's anchor covers this one too.
            self._events.emit(Code.AUDIT_FALLBACK, step=self.name, reason="anchor-unavailable", count=head.seq)

    def _write_to_sink(self, text: str, reason: str) -> int:
        try:
            with self._sink.lock():
                waiting, seal = self._sink.append(text)
                if reason != _WRONG_KEY:
                    self._anchor_sink(waiting, seal)
        except OSError as error:
            self._events.emit(Code.AUDIT_FAILED, step=self.name, reason=reason)
            raise AuditUnavailable(
                f"trail {self.name}: the entry could not be made durable, so nothing is shown. The store at "
                f"{self._store.path} failed ({reason}), and so did the second sink at {self._sink.path} "
                f"({type(error).__name__}). Make one of them writable (space, rights, mount), then ask again; "
                "mpftconnect audit verify says more"
            ) from None
        self._events.emit(Code.AUDIT_FALLBACK, step=self.name, reason=reason, count=waiting)
        return -waiting

    def _anchor_sink(self, waiting: int, seal: str) -> None:
        try:
            if waiting == 1 and not self._store.path.is_file():
                self._anchor.begin()
            self._anchor.sink_reached(waiting, seal)
        except (OSError, KeyDoesNotFit):
            return  # the entry is durable, and an alarm is on its way for the store already

    def _entries(self, wanted: _Wanted) -> Iterator[Entry]:
        # The sink is read first: what moves from it to the store meanwhile is then seen once, and never missed.
        readable = True
        waiting: dict[str, WaitingLine] = {}
        try:
            waiting = {line.id: line for line in self._sink.read() if line.state == "sealed"}
        except OSError:
            readable = False
        try:
            for row in self._store.rows(
                since=wanted.since,
                until=wanted.until,
                patient=wanted.patient,
                user=wanted.user,
                containing=wanted.containing,
            ):
                waiting.pop(row.id, None)
                yield self._entry(row)
        except StoreFailed:
            readable = False
        for line in waiting.values():
            event = parse_event(line.event)
            if event is not None and wanted.fits(event, line.event):
                yield Entry(-line.n, _time(recorded_of(event)), event)
        if not readable:
            raise AuditUnavailable(
                f"trail {self.name}: it cannot be read to its end, so what was given is not whole; "
                "mpftconnect audit verify says why"
            )

    def _entry(self, row: Row) -> Entry:
        event = parse_event(row.event)
        at = recorded_of(event) if event else None
        return Entry(int(row.seq), _time(at), event or {}, sealed=self._store.entry_fits(row))

    def _has_entries(self) -> bool:
        try:
            return self._store.head().seq > 0
        except StoreFailed as failure:
            raise AuditUnavailable(f"trail {self.name}: the store does not answer ({failure.reason})") from None

    def _places(self) -> tuple[Path, ...]:
        return (self._store.path, self._anchor.path, self._sink.path)

    @staticmethod
    def _with_id(event: dict[str, Any]) -> str:
        return canonical({**event, "id": str(uuid4())})


class PrivacyStream(AuditTrail):
    """The privacy officer's own trail: break-glass events, and what silent policies kept back.

    It needs a path and a key of its own. It announces no entry, since a log line would be the trace that a silent
    policy must not leave. Write to it at *every* read, whether anything was kept back or not, so that the time that a
    read takes, and an alarm, tell nothing either.
    """

    announces_entries = False

    def __init__(
        self,
        path: Path,
        *,
        key: bytes,
        anchor: Path,
        fallback: Path,
        events: EventStream,
        name: str = "privacy",
        lock_seconds: float = LOCK_SECONDS,
    ) -> None:
        super().__init__(
            path, key=key, anchor=anchor, fallback=fallback, events=events, name=name, lock_seconds=lock_seconds
        )

    def append(self, record: AuditRecord) -> int:
        """As `AuditTrail.append`; break-glass events belong here."""
        return self._write(to_audit_event(record))

    def record_withheld(self, record: AuditRecord, withheld: Sequence[Withholding]) -> int:
        """Write what silent policies kept back from a read; `withheld` may be empty. See `append`."""
        return self._write(to_audit_event(record, withheld))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which entries are wanted; times as `AuditEvent.recorded` is written here."""

    since: str | None = None
    until: str | None = None
    patient: str | None = None
    user: str | None = None
    containing: str | None = None

    def fits(self, event: dict[str, Any], text: str) -> bool:
        columns = columns_of(event)
        return (
            (self.since is None or columns.at >= self.since)
            and (self.until is None or columns.at < self.until)
            and (self.patient is None or columns.patient == self.patient)
            and (self.user is None or columns.user == self.user)
            and (self.containing is None or self.containing in text)
        )


def _as_recorded(at: datetime | None) -> str | None:
    if at is None:
        return None
    if at.tzinfo is None:
        raise UsageError("a time with an offset is expected")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _time(text: str | None) -> datetime:
    try:
        return datetime.fromisoformat(text or "").astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.fromtimestamp(0, UTC)  # only where somebody changed the entry; `sealed` says so


def _open_to_others(path: Path) -> bool:
    if os.name != "posix":
        return False
    try:
        return bool(path.parent.stat().st_mode & 0o077) or bool(path.stat().st_mode & 0o077)
    except OSError:
        return False
