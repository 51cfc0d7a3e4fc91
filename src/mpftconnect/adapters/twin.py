"""What a twin is: an honest stand-in for a supplier's system, written from the clause that it cites.

A twin is a plain object that turns a request into a response. The sandbox serves it over HTTP and adds the faults
of the wire (slow, drip, truncated, ...); a twin adds the faults that only it can know (wrong patient, lying total).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import msgspec
from requests.structures import CaseInsensitiveDict

from mpftconnect.adapters.contract import TriedAgainst

if TYPE_CHECKING:
    from mpftconnect.sandbox.people import Person

__all__ = [
    "WIRE_FAULTS",
    "Fault",
    "FaultSwitch",
    "Sent",
    "Twin",
    "TwinRequest",
    "TwinResponse",
    "TwinSpec",
    "json_response",
]


class Fault(StrEnum):
    """What can be switched on in a twin, by name. The first group is the host's, the second the twin's own."""

    SLOW = "slow"  # answers, later than a reader would wait
    DRIP = "drip"  # one byte at a time, for ever
    TIMEOUT = "timeout"  # takes the request and says nothing
    REFUSED = "refused"  # closes the connection at once
    TOO_MANY_REQUESTS = "too-many-requests"  # 429 with Retry-After
    SERVER_ERROR = "server-error"  # 503, for ever
    SERVER_ERROR_ONCE = "server-error-once"  # 503 to the first request of each kind, then well
    TRUNCATED = "truncated"  # closes half-way through the body
    MALFORMED = "malformed"  # 200 and a body that does not parse
    OVERSIZED = "oversized"  # 200 and a body that does not end within any sensible limit
    WRONG_TYPE = "wrong-type"  # 200 and an HTML page

    WRONG_PATIENT = "wrong-patient"  # somebody else's data under the right address
    STALE_TOKEN = "stale-token"  # noqa: S105 - every token counts as expired
    DROPPED_PAGE = "dropped-page"  # one page of a paged answer is missing
    REPEATED_PAGE = "repeated-page"  # the next link leads to a page already seen
    LYING_TOTAL = "lying-total"  # the stated total is not the number of entries
    NO_CONSENT = "no-consent"  # says of everybody that they do not share their record
    WRONG_DOCUMENT = "wrong-document"  # a document of another type than was promised
    LOST_ANSWER = "lost-answer"  # a write is done, and a gateway's 504 is all that comes back


WIRE_FAULTS = frozenset(
    {
        Fault.SLOW,
        Fault.DRIP,
        Fault.TIMEOUT,
        Fault.REFUSED,
        Fault.TOO_MANY_REQUESTS,
        Fault.SERVER_ERROR,
        Fault.SERVER_ERROR_ONCE,
        Fault.TRUNCATED,
        Fault.MALFORMED,
        Fault.OVERSIZED,
        Fault.WRONG_TYPE,
    }
)


class FaultSwitch:
    """Which faults are on; shared by a twin and its host, safe between threads.

    >>> switch = FaultSwitch()
    >>> with switch.on(Fault.SLOW):
    ...     Fault.SLOW in switch
    True
    >>> Fault.SLOW in switch
    False
    """

    def __init__(self) -> None:
        self._on: frozenset[str] = frozenset()
        self._changes = 0
        self._lock = threading.Lock()

    def set(self, *faults: str) -> None:
        """Switch on exactly these."""
        with self._lock:
            self._on = frozenset(faults)
            self._changes += 1

    @property
    def changes(self) -> int:
        """How often it was set: whatever a fault remembers (`server-error-once`) is forgotten when this moves."""
        return self._changes

    @contextmanager
    def on(self, *faults: str) -> Iterator[None]:
        before = self._on
        self.set(*before, *faults)
        try:
            yield
        finally:
            self.set(*before)

    def __contains__(self, fault: object) -> bool:
        return fault in self._on

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._on))


@dataclass(frozen=True, slots=True)
class TwinRequest:
    """A request as a twin sees it.

    Args:
        path: Path below the twin's base URL, beginning with `/`, not decoded.
        query: Parameters in order, decoded.
        headers: Case-insensitive.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=CaseInsensitiveDict)
    body: bytes = b""
    base_url: str = ""

    @classmethod
    def of(
        cls,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        base_url: str = "",
    ) -> TwinRequest:
        """From a request target such as `/Patient?family=Smith`."""
        split = urlsplit(target)
        query = tuple(parse_qsl(split.query, keep_blank_values=True))
        return cls(method, split.path, query, CaseInsensitiveDict(headers or {}), body, base_url)

    def first(self, name: str) -> str | None:
        """The first value of a query parameter."""
        return next((value for key, value in self.query if key == name), None)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.query if key == name]


@dataclass(frozen=True, slots=True)
class TwinResponse:
    """What a twin answers."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


_ENCODER = msgspec.json.Encoder(decimal_format="number")


def json_response(
    body: Any,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    content_type: str = "application/fhir+json",
) -> TwinResponse:
    """A JSON answer, decimals exact."""
    return TwinResponse(status, {"Content-Type": content_type, **(headers or {})}, _ENCODER.encode(body))


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a twin pushes.

    Args:
        at: When it arrives, with an offset.
        body: Its bytes: one HL7 v2 message.
    """

    at: datetime
    body: bytes = field(repr=False)


class Twin(Protocol):
    """A stand-in for one system. `handle` is called from several threads at once."""

    faults: FaultSwitch

    def handle(self, request: TwinRequest) -> TwinResponse: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinSpec:
    """A twin as a plugin registers it.

    Args:
        name: What the sandbox calls the system.
        adapter: Name of the adapter that it serves.
        written_from: The published clause or document that it was written from; `assumed: ...` where none is.
        tried_against: As for adapters (rule 18).
        build: Makes the twin for the synthetic people; deterministic for the same people.
        configure: From the twin and its base URL, the system's table for a configuration file: `adapter`,
            `endpoint`, `settings`, and `secrets` as plain values, which only the sandbox may hold.
        faults: The faults of its own that it can show: `Fault`s, or names of its own beside them.
        supplier: What a supplier.toml would say of it, for a conformance run: tables over those that the engine makes.
        default: Whether the sandbox serves it without being asked for it by name.
        sends: Of a system that pushes instead of answering: what its feeds have sent by a moment, in order of arrival.
            Its `configure` then gives `feeds` too, the tables of `[inbox.feeds]`, and it is not served over HTTP.
    """

    name: str
    adapter: str
    written_from: str
    tried_against: TriedAgainst
    build: Callable[[Sequence[Person]], Twin]
    configure: Callable[[Any, str], dict[str, Any]]
    faults: frozenset[str] = frozenset()
    supplier: Mapping[str, Any] = field(default_factory=dict)
    default: bool = True
    sends: Callable[[Any, datetime], Sequence[Sent]] | None = None
