"""The evidence: every exchange with a system, kept as far as its environment allows (rule 13).

In a live environment an exchange holds counts, times, ids and keyed digests. A plain digest would not do: whoever
reads it could hash all NHS numbers and find the one whose address was asked for. In a test environment it holds
addresses, headers and bodies too, without whatever opens a door: credentials are struck out in both. Where a wire is
bound not to keep what is said, as for a restricted person, a test environment holds no more than a live one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import tempfile
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from mpftconnect.errors import UsageError

__all__ = ["STRUCK_OUT", "Exchange", "FolderRecorder", "MemoryRecorder", "Recorder", "digest", "is_secret_name"]

STRUCK_OUT = "(not recorded)"

# Made anew in each process and never written down, so that no digest can be guessed back or compared across runs.
_DIGEST_KEY = secrets.token_bytes(32)

_SECRET_NAME = re.compile(
    r"authori[sz]ation|authenticat|[-_]auth|cookie|token|secret|passw|assertion|signature|credential"
    r"|(api|subscription|access)[-_]?key",
    re.I,
)


@lru_cache(maxsize=256)
def is_secret_name(name: str) -> bool:
    """Whether a header, query or form field of that name opens doors.

    >>> is_secret_name("Ocp-Apim-Subscription-Key"), is_secret_name("X-Request-ID")
    (True, False)
    """
    return _SECRET_NAME.search(name) is not None


def digest(data: bytes, environment: Literal["test", "live"]) -> str:
    """A digest of `data`: plain SHA-256 in test, keyed with a key of this process in live.

    >>> digest(b"x", "test")[:14], digest(b"x", "live")[:12]
    ('sha256:2d71164', 'hmac-sha256:')
    """
    if environment == "test":
        return f"sha256:{hashlib.sha256(data).hexdigest()}"
    return f"hmac-sha256:{hmac.new(_DIGEST_KEY, data, hashlib.sha256).hexdigest()}"


def without_secrets(headers: Mapping[str, str], also: frozenset[str] = frozenset()) -> tuple[tuple[str, str], ...]:
    """The headers in order, the values of credentials struck out; `also` names more of them, in lower case."""
    return tuple(
        (name, STRUCK_OUT if name.lower() in also or is_secret_name(name) else value) for name, value in headers.items()
    )


def url_without_secrets(url: str) -> str:
    """The address with the values of credentials in its query struck out.

    >>> url_without_secrets("https://x.example/a?access_token=123&name=Ann")
    'https://x.example/a?access_token=%28not+recorded%29&name=Ann'
    """
    split = urlsplit(url)
    pairs = parse_qsl(split.query, keep_blank_values=True)
    if not any(is_secret_name(name) for name, _ in pairs):
        return url
    query = urlencode([(name, STRUCK_OUT if is_secret_name(name) else value) for name, value in pairs])
    return urlunsplit(split._replace(query=query))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One attempt at one request, and what came of it.

    Args:
        id: Names this exchange.
        system: Configured name of the system.
        environment: Of the system.
        label: What the adapter calls the request; never a value.
        method: HTTP method; `READ` for a file, `MLLP` for an HL7 v2 message.
        request_id: `X-Request-ID`: the same for all attempts at one request.
        correlation_id: `X-Correlation-ID`: the same for all requests of one reading.
        attempt: 1, 2, ...
        sent_at: UTC.
        duration_ms: Until the answer was whole or given up.
        status: HTTP status, if one came.
        error: `GapReason` of what went wrong on the wire; None if a whole answer came, whatever its status.
        request_bytes: Size of the request's body.
        response_bytes: Size of the answer's body, decompressed, as far as it was read.
        request_digest: Of method, address and body; see `digest`.
        response_digest: Of the answer's body.
        acknowledged: Of MLLP: the acknowledgement code (MSA-1), if one came.
        url: Address asked. This and all below: in the test environment alone.
        request_body: None where it held credentials.
        response_body: None where it held credentials.
    """

    id: str
    system: str
    environment: Literal["test", "live"]
    label: str
    method: str
    request_id: str
    correlation_id: str
    attempt: int
    sent_at: datetime
    duration_ms: float
    status: int | None
    error: str | None
    request_bytes: int
    response_bytes: int
    request_digest: str
    response_digest: str
    acknowledged: str | None = None
    url: str | None = field(default=None, repr=False)
    request_headers: tuple[tuple[str, str], ...] | None = field(default=None, repr=False)
    request_body: bytes | None = field(default=None, repr=False)
    response_headers: tuple[tuple[str, str], ...] | None = field(default=None, repr=False)
    response_body: bytes | None = field(default=None, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """The fields that are set, ready for JSON; bodies in base64."""
        out: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, bytes):
                value = base64.b64encode(value).decode()
            elif isinstance(value, datetime):
                value = value.isoformat()
            if value is not None:
                out[each.name] = value
        return out


class Recorder(Protocol):
    """Takes every exchange, from several threads at once."""

    @property
    def test_only(self) -> bool:
        """Whether a live system must not be connected with it."""

    def record(self, exchange: Exchange) -> None: ...


class MemoryRecorder:
    """Keeps the newest exchanges in memory.

    Args:
        limit: How many.
    """

    test_only = False

    def __init__(self, limit: int = 1000) -> None:
        self._kept: deque[Exchange] = deque(maxlen=limit)
        self._lock = threading.Lock()

    def record(self, exchange: Exchange) -> None:
        with self._lock:
            self._kept.append(exchange)

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """What is kept, oldest first."""
        with self._lock:
            return tuple(self._kept)

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()


class FolderRecorder:
    """Keeps each exchange as a JSON file, unencrypted, for test environments only.

    The folder is 0700 and its files 0600 where the system has such modes; a file is named by when it was sent and
    its id. Nothing is removed by itself: call `purge`.

    Args:
        path: The folder; made if it is not there.
    """

    test_only = True

    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.name == "posix":
            path.chmod(0o700)

    def record(self, exchange: Exchange) -> None:
        """Write one exchange; it is there in full or not at all.

        Raises:
            UsageError: It is of a live environment.
            OSError: It could not be written.
        """
        if exchange.environment != "test":
            raise UsageError("exchanges with a live system are never kept in files")
        # Written beside and renamed, so that nobody reads half a file; mkstemp makes it 0600.
        handle, name = tempfile.mkstemp(dir=self._path, prefix=".", suffix=".part")
        part = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                json.dump(exchange.as_dict(), out)
            part.replace(self._path / f"{exchange.sent_at.strftime('%Y%m%dT%H%M%S')}-{exchange.id}.json")
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def purge(self, older_than: timedelta) -> int:
        """Remove what was sent longer ago than that, and half-written files; how many files went.

        The age is that in a file's name: copying a folder does not make its content younger.
        """
        limit = (datetime.now(UTC) - older_than).strftime("%Y%m%dT%H%M%S")
        gone = 0
        for file in [*self._path.glob("*.json"), *self._path.glob(".*.part")]:
            if file.suffix == ".part" or file.name.partition("-")[0] <= limit:
                file.unlink(missing_ok=True)
                gone += 1
        return gone
