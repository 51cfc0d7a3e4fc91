"""The evidence of one message over MLLP: an `Exchange` like that of HTTP, for the same recorders (rule 13)."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from mpftconnect.adapters.recorder import Exchange, Recorder, digest
from mpftconnect.errors import ConfigurationError
from mpftconnect.events import Code, EventStream

__all__ = ["Evidence", "MllpAttempt"]


@dataclass(frozen=True, slots=True)
class MllpAttempt:
    """One message as it began its way.

    Args:
        label: `mllp-receive` or `mllp-send`.
        message: Its bytes.
        number: Which attempt at it, from 1.
        request_id: The same for all attempts; made when it is first needed, if empty.
    """

    label: str
    message: bytes = field(repr=False)
    number: int = 1
    request_id: str = ""
    started: float = field(default_factory=time.monotonic)


class Evidence:
    """Records and announces the exchanges of one line.

    Args:
        system: Configured name of the line.
        environment: `test` or `live`.
        place: `mllp://host:port`, for the record of a test environment.
        recorder: Takes every exchange.
        events: Takes `EXCHANGE_FINISHED`.
    Raises:
        ConfigurationError: The recorder keeps bodies, which a live environment does not allow.
    """

    def __init__(
        self,
        system: str,
        environment: Literal["test", "live"],
        place: str,
        recorder: Recorder | None,
        events: EventStream,
    ) -> None:
        if environment == "live" and recorder is not None and recorder.test_only:
            raise ConfigurationError([f"{system}: this recorder keeps bodies, which a live environment does not allow"])
        self.system, self.environment, self.place = system, environment, place
        self._recorder, self.events = recorder, events

    @property
    def wanted(self) -> bool:
        """Whether anybody takes what is recorded or announced."""
        return self._recorder is not None or self.events.listened_to

    def keep(self, tried: MllpAttempt, answer: bytes, acknowledged: str | None, error: str | None = None) -> None:
        """Record what came of a message. Whatever a recorder raises is its caller's to judge."""
        if not self.wanted:
            return
        duration = (time.monotonic() - tried.started) * 1000
        request_id = tried.request_id or str(uuid.uuid4())
        if self._recorder is not None:
            said = (
                {"url": self.place, "request_body": tried.message, "response_body": answer}
                if self.environment == "test"
                else {}
            )
            self._recorder.record(
                Exchange(
                    id=str(uuid.uuid4()),
                    system=self.system,
                    environment=self.environment,
                    label=tried.label,
                    method="MLLP",
                    request_id=request_id,
                    correlation_id=request_id,
                    attempt=tried.number,
                    sent_at=datetime.now(UTC) - timedelta(milliseconds=duration),
                    duration_ms=duration,
                    status=None,
                    acknowledged=acknowledged,
                    error=error,
                    request_bytes=len(tried.message),
                    response_bytes=len(answer),
                    request_digest=digest(tried.message, self.environment),
                    response_digest=digest(answer, self.environment),
                    **said,  # type: ignore[arg-type]
                )
            )
        self.events.emit(
            Code.EXCHANGE_FINISHED,
            system=self.system,
            step=tried.label,
            reason=error or (acknowledged if acknowledged not in ("AA", "CA") else None),
            count=len(tried.message),
            duration_ms=duration,
            request_id=request_id,
        )
