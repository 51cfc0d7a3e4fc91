"""Makes the record of one attempt: how much of it may be kept depends on the environment alone (rule 13)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from mpftconnect.adapters.ask import CORRELATION_ID, REQUEST_ID, Ask
from mpftconnect.adapters.http_attempt import Received
from mpftconnect.adapters.recorder import Exchange, digest, is_secret_name, url_without_secrets, without_secrets
from mpftconnect.errors import AdapterError

__all__ = ["Tried"]

_OURS = frozenset({REQUEST_ID.lower(), CORRELATION_ID.lower(), "accept-encoding"})


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt as it begins.

    Args:
        headers: As sent; those that `ask` has not are credentials.
        in_full: Whether a test environment may keep what was said.
    """

    ask: Ask
    headers: Mapping[str, str]
    number: int
    correlation_id: str
    in_full: bool = True
    sent_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=time.monotonic)

    def exchange(
        self, system: str, environment: Literal["test", "live"], received: Received, failure: AdapterError | None
    ) -> Exchange:
        """The attempt as it ended."""
        ask, answered = self.ask, bytes(received.body)
        kept: Literal["test", "live"] = environment if self.in_full else "live"
        asked = b"\n".join((ask.method.encode(), ask.url.encode(), ask.body or b""))
        return Exchange(
            id=str(uuid.uuid4()),
            system=system,
            environment=environment,
            label=ask.label,
            method=ask.method,
            request_id=ask.request_id,
            correlation_id=self.correlation_id,
            attempt=self.number,
            sent_at=self.sent_at,
            duration_ms=(time.monotonic() - self.started) * 1000,
            status=received.status,
            error=str(failure.reason) if failure else None,
            request_bytes=len(ask.body or b""),
            response_bytes=len(answered),
            request_digest="" if ask.secret else digest(asked, kept),
            response_digest="" if ask.secret else digest(answered, kept),
            **(self._said(received, answered) if kept == "test" else {}),
        )

    def _said(self, received: Received, answered: bytes) -> dict[str, Any]:
        """What a test environment keeps beside: everything but what opens doors."""
        ask = self.ask
        credentials = frozenset(
            name.lower() for name, value in self.headers.items() if ask.headers.get(name) != value
        ).difference(_OURS)
        doors = [
            value.rpartition(" ")[2].encode()
            for name, value in self.headers.items()
            if name.lower() in credentials or is_secret_name(name)
        ]
        form = self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
        hides = ask.secret or (form and is_secret_name((ask.body or b"").decode("latin-1")))
        # An answer that repeats the credentials is dropped whole. A door of a few letters would be found anywhere.
        echoes = ask.secret or any(len(door) >= 8 and door in answered for door in doors)
        return {
            "url": url_without_secrets(ask.url),
            "request_headers": without_secrets(self.headers, credentials),
            "request_body": None if hides else ask.body or b"",
            "response_headers": without_secrets(received.headers),
            "response_body": None if echoes else answered,
        }
