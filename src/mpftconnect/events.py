"""One typed stream of events, which feeds progress, logs, NDJSON and, as an extra, OpenTelemetry.

An event holds enumerated codes, configured names, counts and durations. It has no field that could carry a
patient value (rule 16), so nothing that listens can leak one.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import IO, Any

__all__ = [
    "Code",
    "Event",
    "EventStream",
    "Listener",
    "NdjsonListener",
    "log_listener",
    "open_telemetry_listener",
]


class Code(StrEnum):
    """What happened. Codes are permanent: people search their logs by them."""

    READ_STARTED = "read-started"
    READ_FINISHED = "read-finished"
    SYSTEM_STARTED = "system-started"
    SYSTEM_FINISHED = "system-finished"
    SYSTEM_GAP = "system-gap"
    EXCHANGE_FINISHED = "exchange-finished"
    EXCHANGE_RETRIED = "exchange-retried"
    TOKEN_FETCHED = "token-fetched"  # noqa: S105 - a code, not a secret
    ACCESS_REFUSED = "access-refused"
    AUDIT_WRITTEN = "audit-written"
    AUDIT_FALLBACK = "audit-fallback"
    AUDIT_FAILED = "audit-failed"
    DECISIONS_UNSOUND = "decisions-unsound"
    PLUGIN_BROKEN = "plugin-broken"
    LINE_OPENED = "line-opened"
    LINE_CLOSED = "line-closed"
    LINE_REFUSED = "line-refused"
    FRAME_REFUSED = "frame-refused"
    MESSAGE_PARKED = "message-parked"
    MESSAGES_PROCESSED = "messages-processed"
    MESSAGES_WAIT = "messages-wait"
    INBOX_FAILED = "inbox-failed"
    FEED_OVERDUE = "feed-overdue"
    STEP_STARTED = "step-started"
    STEP_FINISHED = "step-finished"
    RUN_STARTED = "run-started"
    RUN_FINISHED = "run-finished"
    PREFLIGHT_FINDING = "preflight-finding"
    REQUIREMENT_STARTED = "requirement-started"
    REQUIREMENT_JUDGED = "requirement-judged"
    ENVIRONMENT_FINDING = "environment-finding"


ALARMS = frozenset(
    {
        Code.AUDIT_FALLBACK,
        Code.AUDIT_FAILED,
        Code.DECISIONS_UNSOUND,
        Code.INBOX_FAILED,
        Code.FEED_OVERDUE,
        Code.LINE_REFUSED,
        Code.MESSAGES_WAIT,
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Args:
        code: What.
        system: Configured name of the system concerned.
        step: Capability, command step or plugin name.
        reason: A `GapReason` or another enumerated code.
        status: HTTP status.
        count: Items, attempts or bytes, as the code means it.
        duration_ms: How long it took, milliseconds.
        request_id: The `X-Request-ID` that the system saw.
    """

    code: Code
    system: str | None = None
    step: str | None = None
    reason: str | None = None
    status: int | None = None
    count: int | None = None
    duration_ms: float | None = None
    request_id: str | None = None
    at: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """The fields that are set, ready for JSON.

        >>> Event(Code.READ_FINISHED, count=3).as_dict()
        {'code': 'read-finished', 'count': 3}
        """
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        out = {name: value for name, value in given.items() if value is not None}
        out["code"] = str(self.code)
        if self.at is not None:
            out["at"] = self.at.isoformat()
        return out


Listener = Callable[[Event], None]


class EventStream:
    """Hands each event to every listener, in order. A listener that raises is dropped, not the work.

    A listener runs in the thread that does the work, which waits for it: hand on, as to a queue, what takes time.

    >>> seen = []
    >>> stream = EventStream([seen.append])
    >>> stream.emit(Code.READ_STARTED, count=2)
    >>> seen[0].count
    2
    """

    def __init__(self, listeners: list[Listener] | None = None) -> None:
        self._listeners: tuple[Listener, ...] = tuple(listeners or ())
        self._lock = threading.Lock()

    def listen(self, listener: Listener) -> None:
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def forget(self, listener: Listener) -> None:
        with self._lock:
            self._listeners = tuple(known for known in self._listeners if known != listener)

    @property
    def listened_to(self) -> bool:
        """Whether anybody listens: what nobody hears need not be made."""
        return bool(self._listeners)

    def emit(self, code: Code, **details: Any) -> None:
        if not self._listeners:
            return
        event = Event(code, at=datetime.now(UTC), **details)
        for listener in self._listeners:
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 - a progress bar must not cost a patient's record
                self.forget(listener)
                logging.getLogger("mpftconnect").warning(
                    "event listener dropped", extra={"error_type": type(error).__name__}
                )


def log_listener(event: Event) -> None:
    """Write the event to the logger `mpftconnect`, one line of `key=value`; alarms at ERROR."""
    level = logging.ERROR if event.code in ALARMS else logging.INFO
    text = " ".join(f"{key}={value}" for key, value in event.as_dict().items() if key != "at")
    logging.getLogger("mpftconnect").log(level, "%s", text)


class NdjsonListener:
    """Writes each event as one line of JSON.

    >>> import io
    >>> out = io.StringIO()
    >>> NdjsonListener(out)(Event(Code.READ_STARTED))
    >>> out.getvalue()
    '{"code": "read-started"}\\n'
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._stream.write(json.dumps(event.as_dict()) + "\n")
            self._stream.flush()


def open_telemetry_listener() -> Listener:
    """A listener that counts events, times exchanges and marks the current span. Needs the extra `otel`.

    Raises:
        ImportError: The extra is not installed.
    """
    from opentelemetry import metrics, trace

    meter = metrics.get_meter("mpftconnect")
    counter = meter.create_counter("mpftconnect.events", description="Events by code, system and reason")
    duration = meter.create_histogram("mpftconnect.duration", unit="ms", description="Exchanges and reads")

    def listen(event: Event) -> None:
        labels = {k: v for k in ("code", "system", "step", "reason", "status") if (v := getattr(event, k)) is not None}
        counter.add(1, labels)
        if event.duration_ms is not None:
            duration.record(event.duration_ms, labels)
        trace.get_current_span().add_event(str(event.code), event.as_dict())

    return listen
