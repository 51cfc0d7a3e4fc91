"""The wire: everything that an adapter says to a system, and hears from it, goes through here.

It limits time, size and rate, sends again only what is safe to send again, ties requests and answers together by
their ids, keeps the evidence, and turns every failure into an `AdapterError` that holds no value.
"""

from __future__ import annotations

import copy
import re
import stat
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.response import HTTPResponse
from urllib3.util.retry import Retry

from mpftconnect.adapters.answer import Answer
from mpftconnect.adapters.auth import Auth
from mpftconnect.adapters.budget import RateBudget
from mpftconnect.adapters.deadline import Deadline
from mpftconnect.adapters.endpoint import Endpoint, is_cleartext, origin
from mpftconnect.adapters.failures import adapter_error, is_worth_another_try
from mpftconnect.adapters.http_attempt import Attempt, Received, WatchedTransport, within
from mpftconnect.adapters.recorder import (
    Exchange,
    Recorder,
    digest,
    is_secret_name,
    url_without_secrets,
    without_secrets,
)
from mpftconnect.errors import (
    AdapterError,
    AnswerRejected,
    ConfigurationError,
    NotPermitted,
    OutcomeUnknown,
    Unreachable,
    UsageError,
)
from mpftconnect.events import Code, EventStream

__all__ = ["Answer", "Endpoint", "Wire"]

Params = Mapping[str, Any] | list[tuple[str, str]] | tuple[tuple[str, str], ...]

_REQUEST_ID, _CORRELATION_ID = "X-Request-ID", "X-Correlation-ID"
_JSON_ACCEPT = "application/fhir+json, application/json;q=0.9"

# RFC 9110, section 15: what may pass by itself. A gateway's 502 or 504 leaves open whether a write was done.
_PASSING = frozenset({429, 502, 503, 504})
_GATEWAY_LOST_THE_ANSWER = frozenset({502, 504})

# Labels reach logs and reports: words, and no run of digits that could be a number of a person.
_LABEL = re.compile(r"(?!.*\d{5})[A-Za-z][\w .:/$-]{0,59}", re.ASCII)


class _Keep:
    """Stands for "as it is" where None means "none"."""


_KEEP = _Keep()


@dataclass(slots=True)
class _Line:
    """What a wire and all that are bound from it share."""

    system: str
    endpoint: Endpoint
    events: EventStream
    recorder: Recorder
    budget: RateBudget | None
    transport: BaseAdapter
    closed: threading.Event = field(default_factory=threading.Event)
    under_way: set[Attempt] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class _Ask:
    """One request, before it is tried."""

    method: str
    url: str
    label: str
    request_id: str
    headers: Mapping[str, str]
    body: bytes | None = None
    # `repeatable`: may be sent again. `write`: it changes something, so a lost answer is an unknown outcome.
    # `secret`: bodies are never recorded, not even in test.
    repeatable: bool = True
    write: bool = False
    secret: bool = False


class Wire:
    """The way to one system.

    Safe between threads. `bound` makes cheap copies for one reading, which share connections, budget and recorder.

    Args:
        system: Configured name of the system.
        endpoint: Address, limits and transport settings.
        events: Takes `EXCHANGE_FINISHED` and `EXCHANGE_RETRIED`.
        recorder: Takes every exchange.
        budget: Shared between processes; made for this process alone if the endpoint states a rate and this is None.
        auth: Adds credentials.
        transport: In place of HTTP over sockets, for tests and twins.
    Raises:
        ConfigurationError: A file of the TLS settings is not there; patient data would go unencrypted to another
            machine in a live environment; or the recorder is not meant for a live one.
    """

    def __init__(
        self,
        system: str,
        endpoint: Endpoint,
        *,
        events: EventStream,
        recorder: Recorder,
        budget: RateBudget | None = None,
        auth: Auth | None = None,
        transport: BaseAdapter | None = None,
    ) -> None:
        problems = _problems(system, endpoint, recorder, checks_encryption=transport is None)
        if problems:
            raise ConfigurationError(problems)
        if budget is None and endpoint.rate_per_second is not None:
            budget = RateBudget(None, endpoint.rate_per_second)
        self._line = _Line(system, endpoint, events, recorder, budget, transport or WatchedTransport())
        self._auth = auth
        self._deadline: Deadline | None = None
        self._correlation_id: str | None = None
        self._headers: Mapping[str, str] = {}

    @property
    def system(self) -> str:
        return self._line.system

    @property
    def endpoint(self) -> Endpoint:
        return self._line.endpoint

    @property
    def events(self) -> EventStream:
        return self._line.events

    @property
    def correlation_id(self) -> str | None:
        """The `X-Correlation-ID` of all requests of this bound wire; None before `bound`."""
        return self._correlation_id

    def __repr__(self) -> str:
        return f"<Wire to {self.system}, {self.endpoint.environment}>"

    def bound(
        self,
        *,
        deadline: Deadline | None = None,
        correlation_id: str | None = None,
        auth: Auth | _Keep | None = _KEEP,
        headers: Mapping[str, str] | None = None,
    ) -> Wire:
        """This wire for one reading. Whatever is not given stays as it is.

        Args:
            deadline: For all that goes through it.
            correlation_id: Sent with every request; made anew if there is none yet.
            auth: In place of this wire's; None for none.
            headers: Sent with every request, beside those that are sent already.
        """
        wire = copy.copy(self)
        if deadline is not None:
            wire._deadline = deadline
        wire._correlation_id = correlation_id or self._correlation_id or str(uuid.uuid4())
        if not isinstance(auth, _Keep):
            wire._auth = auth
        if headers:
            wire._headers = {**self._headers, **headers}
        return wire

    def get(
        self,
        path: str,
        params: Params | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        label: str | None = None,
    ) -> Answer:
        """GET an address below the base URL, or a link of the same origin that a system gave.

        Args:
            path: Below the base URL, its parts percent-encoded; or an absolute URL of the same origin.
            params: Query parameters; a sequence as value is sent as several parameters.
            headers: For this request.
            label: What events and records call the request; words, never a value.
        Returns:
            The answer, whatever its status save 3xx; see `Answer.require_ok`. A passing failure (429, 502, 503, 504,
            or no connection) has then been tried again as often as the endpoint allows, unless `Retry-After` lies
            beyond the deadline.
        Raises:
            Unreachable: No connection; the rule says whether name look-up, TCP, TLS or the proxy failed.
            TimedOut: No whole answer before the deadline.
            RateLimited: Our own budget is spent until after the deadline.
            NotPermitted: No credentials were to be had.
            AnswerRejected: Too large, truncated, a redirect, not HTTP, another request's answer, or the link leads
                to another origin.
        """
        return self._send(self._ask("GET", path, params, headers, label, accept="*/*"))

    def get_json(
        self,
        path: str,
        params: Params | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        label: str | None = None,
    ) -> Any:
        """GET, insist on success, and parse: `get`, `Answer.require_ok` and `Answer.json` in one.

        Raises:
            AdapterError: As those three do.
        """
        return self._send(self._ask("GET", path, params, headers, label, accept=_JSON_ACCEPT)).require_ok().json()

    def post(
        self,
        path: str,
        *,
        json: Any = None,
        data: bytes | str | Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        safe: bool = False,
        label: str | None = None,
    ) -> Answer:
        """POST below the base URL. Sent once, unless `safe`.

        Args:
            json: Sent as JSON, decimals as numbers.
            data: Sent as it is, or, if a mapping, as a form.
            safe: It is a read by POST, such as a search: changes nothing and may be sent again.
        Raises:
            OutcomeUnknown: It left here and no whole answer of its own came back: it may have been done.
            AdapterError: As for `get`; then nothing was done.
        """
        if json is not None and data is not None:
            raise UsageError("post takes json or data, not both")
        ask = self._ask("POST", path, None, headers, label, accept=_JSON_ACCEPT, repeatable=safe, write=not safe)
        return self._send(_with_body(ask, json, data))

    def fetch_token(self, url: str, form: Mapping[str, str], *, deadline: Deadline) -> Answer:
        """POST credentials to a token endpoint, which may be of another origin.

        Sent once, without this wire's `auth`, outside its rate budget; its bodies are recorded in no environment.

        Raises:
            AdapterError: As for `get`.
        """
        try:
            split = urlsplit(url)
            where = origin(split)
        except ValueError:
            where, split = ("", "", None), urlsplit("")
        if where[0] not in ("http", "https") or not where[1] or split.username is not None:
            raise UsageError("the token endpoint's address is not an http(s) URL without user name")
        if self.endpoint.environment == "live" and is_cleartext(url) and self._speaks_sockets:
            raise UsageError("the token endpoint of a live system must be spoken to by https")
        ask = _Ask(
            "POST",
            url,
            "token",
            str(uuid.uuid4()),
            CaseInsensitiveDict({"User-Agent": "mpftconnect", "Accept": "application/json"}),
            repeatable=False,
            secret=True,
        )
        return self.bound(deadline=deadline, auth=None)._send(_with_body(ask, None, form))

    def read_file(self, path: Path) -> Answer:
        """Read a local file, such as a report's extract, within the same limits and with the same evidence.

        Returns:
            Its bytes with status 200; `Last-Modified` says when it was last written.
        Raises:
            Unreachable: It is not there.
            NotPermitted: It must not be read.
            AnswerRejected: It is no regular file, too large, or was written to meanwhile.
            TimedOut: As for `get`; a file share can stall too.
        """
        ask = _Ask("READ", path.name, "file", str(uuid.uuid4()), {}, repeatable=False)
        limit, attempt = self.endpoint.max_bytes, Attempt()

        def work() -> None:
            modified, content = _read_unchanged(path, limit)
            attempt.received.body += content
            attempt.received.headers = CaseInsensitiveDict({"Last-Modified": format_datetime(modified, usegmt=True)})
            attempt.received.status = 200

        self._require_open()
        sent_at, started, failure = datetime.now(UTC), time.monotonic(), None
        try:
            within(self._until(), work, attempt.stop)
        except AdapterError as error:
            failure = error
        except OSError as error:
            failure = _file_error(error)
        self._record(ask, 1, sent_at, started, attempt.received, failure, ())
        if failure is not None:
            raise self._named(failure)
        return self._answer(ask, attempt.received)

    def close(self) -> None:
        """Close all connections; whatever is under way ends at once. Also closes every wire bound from this one."""
        line = self._line
        line.closed.set()
        with line.lock:
            attempts = tuple(line.under_way)
        for attempt in attempts:
            attempt.stop()
        line.transport.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What follows is one request's way out and back.

    @property
    def _speaks_sockets(self) -> bool:
        return isinstance(self._line.transport, WatchedTransport)

    def _require_open(self) -> None:
        if self._line.closed.is_set():
            raise UsageError("the wire is closed")

    def _until(self) -> Deadline:
        seconds = self.endpoint.deadline_seconds
        return self._deadline.earlier(seconds) if self._deadline is not None else Deadline.after(seconds)

    def _named(self, error: AdapterError) -> AdapterError:
        """The same error, with the system's name if it has none: a message is composed when an error is made."""
        if error.system is not None:
            return error
        return type(error)(error.rule, system=self.system, place=error.place)

    def _ask(
        self,
        method: str,
        path: str,
        params: Params | None,
        headers: Mapping[str, str] | None,
        label: str | None,
        *,
        accept: str,
        repeatable: bool = True,
        write: bool = False,
    ) -> _Ask:
        if label is not None and not _LABEL.fullmatch(label):
            raise UsageError("a label is up to 60 letters, digits and . : / $ - beginning with a letter, and no number")
        merged = CaseInsensitiveDict({"User-Agent": "mpftconnect", "Accept": accept})
        for more in (self.endpoint.headers, self._headers, headers or {}):
            merged.update(more)
        url = self._address(path)
        if params:
            try:
                url = str(requests.Request(method, url, params=params).prepare().url)
            except (requests.RequestException, ValueError):
                raise AdapterError("the parameters cannot be written as a URL", system=self.system) from None
        return _Ask(method, url, label or method, str(uuid.uuid4()), merged, repeatable=repeatable, write=write)

    def _address(self, path: str) -> str:
        if not self.endpoint.base_url or urlsplit(self.endpoint.base_url).scheme == "file":
            raise UsageError(f"{self.system} has no HTTP address")
        try:
            split = urlsplit(path)
            where = origin(split)
        except ValueError:
            raise AnswerRejected("a link is not a URL", system=self.system) from None
        # Ids that a server gave may stand in a path: no part of it may climb out of the base.
        if any(part.lower().replace("%2e", ".") in (".", "..") for part in re.split(r"[/\\]", split.path)):
            raise AnswerRejected("a path holds dot segments", system=self.system)
        if not split.scheme and not path.startswith("//"):
            return f"{self.endpoint.base_url.rstrip('/')}/{path.lstrip('/')}"
        if where != origin(urlsplit(self.endpoint.base_url)) or split.username is not None:
            raise AnswerRejected("a link leads to another origin, where credentials must not go", system=self.system)
        return path

    def _send(self, ask: _Ask) -> Answer:
        self._require_open()
        deadline, attempt, renewed = self._until(), 0, False
        retry = Retry(total=self.endpoint.retries if ask.repeatable else 0, backoff_factor=0.1, backoff_jitter=0.1)
        while True:
            attempt += 1
            headers = self._signed(ask, deadline)
            received, failure = self._try(ask, headers, attempt, deadline)
            if failure is None and received.status == 401 and self._auth is not None and not renewed:
                renewed = self._auth.renew(headers)
                if renewed:
                    self._tell_retry(ask, attempt, "stale-credentials")
                    continue
            passing = is_worth_another_try(failure) if failure is not None else received.status in _PASSING
            if not passing or not ask.repeatable:
                break
            try:
                retry = retry.increment(ask.method, None, error=HTTPError("passing"))
            except MaxRetryError:
                break
            pause = _pause_seconds(retry, received)
            if pause >= deadline.remaining() or self._line.closed.is_set():
                break
            self._tell_retry(ask, attempt, str(failure.reason) if failure else f"status-{received.status}")
            self._line.closed.wait(pause)
            self._require_open()
        if failure is not None:
            raise self._named(failure)
        return self._answer(ask, received)

    def _tell_retry(self, ask: _Ask, attempt: int, reason: str) -> None:
        self.events.emit(
            Code.EXCHANGE_RETRIED,
            system=self.system,
            step=ask.label,
            reason=reason,
            count=attempt + 1,
            request_id=ask.request_id,
        )

    def _signed(self, ask: _Ask, deadline: Deadline) -> CaseInsensitiveDict[str]:
        headers = CaseInsensitiveDict(ask.headers)
        if self._auth is not None:
            headers = CaseInsensitiveDict(self._auth.apply(headers, deadline))
        # Last, so that nothing can replace them.
        headers[_REQUEST_ID] = ask.request_id
        headers[_CORRELATION_ID] = self._correlation_id or ask.request_id
        # Only what `http_attempt` can decompress within limits.
        headers["Accept-Encoding"] = "gzip"
        return headers

    def _try(
        self, ask: _Ask, headers: CaseInsensitiveDict[str], number: int, deadline: Deadline
    ) -> tuple[Received, AdapterError | None]:
        """One attempt, recorded; what came of it, and what went wrong."""
        line = self._line
        if line.budget is not None and not ask.secret:
            try:
                line.budget.take(deadline)
            except AdapterError as error:
                raise self._named(error) from None
        attempt = Attempt()
        sent_at, started = datetime.now(UTC), time.monotonic()
        failure: AdapterError | None = None
        with line.lock:
            line.under_way.add(attempt)
        try:
            self._require_open()
            deadline.check("preparing a request")
            request = _prepared(ask, headers)
            failure = _fault(attempt.make(line.transport, request, line.endpoint, deadline), ask)
        except AdapterError as error:
            failure = error
        except UsageError:
            raise
        except Exception as error:
            # Not an exception of HTTP: our own fault or a twin's. In live its text may hold a value.
            if line.endpoint.environment == "test":
                raise
            failure = AdapterError(f"{type(error).__name__} inside the transport")
        finally:
            with line.lock:
                line.under_way.discard(attempt)
        received = attempt.received
        secret_names = frozenset(name.lower() for name, value in headers.items() if ask.headers.get(name) != value)
        secret_names -= {_REQUEST_ID.lower(), _CORRELATION_ID.lower(), "accept-encoding"}
        if ask.write and attempt.sent and _is_lost(failure, received):
            failure = OutcomeUnknown("the request left here and its answer was lost: check before sending it again")
        self._record(ask, number, sent_at, started, received, failure, headers, secret_names)
        return received, failure

    def _record(
        self,
        ask: _Ask,
        attempt: int,
        sent_at: datetime,
        started: float,
        received: Received,
        failure: AdapterError | None,
        headers: Any,
        secret_names: frozenset[str] = frozenset(),
    ) -> None:
        environment = self.endpoint.environment
        duration_ms = (time.monotonic() - started) * 1000
        asked, answered = ask.body or b"", bytes(received.body)
        details: dict[str, Any] = {}
        if environment == "test":
            details = _details(ask, headers, secret_names, received, answered)
        exchange = Exchange(
            id=str(uuid.uuid4()),
            system=self.system,
            environment=environment,
            label=ask.label,
            method=ask.method,
            request_id=ask.request_id,
            correlation_id=self._correlation_id or ask.request_id,
            attempt=attempt,
            sent_at=sent_at,
            duration_ms=duration_ms,
            status=received.status,
            error=str(failure.reason) if failure else None,
            request_bytes=len(asked),
            response_bytes=len(answered),
            request_digest=_request_digest(ask, environment),
            response_digest="" if ask.secret else digest(answered, environment),
            **details,
        )
        try:
            self._line.recorder.record(exchange)
        except Exception as error:  # noqa: BLE001 - a full disk, or whatever a stranger's recorder raises
            kind = OutcomeUnknown if ask.write else AdapterError
            raise kind(
                f"an exchange took place and could not be recorded ({type(error).__name__})", system=self.system
            ) from None
        self.events.emit(
            Code.EXCHANGE_FINISHED,
            system=self.system,
            step=ask.label,
            reason=exchange.error,
            status=received.status,
            count=exchange.response_bytes,
            duration_ms=duration_ms,
            request_id=ask.request_id,
        )

    def _answer(self, ask: _Ask, received: Received) -> Answer:
        assert received.status is not None  # noqa: S101 - an attempt without failure has one
        return Answer(
            received.status,
            received.headers,
            bytes(received.body),
            fetched=datetime.now(UTC),
            request_id=ask.request_id,
            system=self.system,
        )


def _problems(system: str, endpoint: Endpoint, recorder: Recorder, *, checks_encryption: bool) -> list[str]:
    problems = [
        f"{system}: endpoint.{name}: no such file"
        for name in ("ca_bundle", "client_certificate", "client_key")
        if (given := getattr(endpoint, name)) and not Path(given).is_file()
    ]
    if endpoint.environment == "live":
        if recorder.test_only:
            problems.append(f"{system}: this recorder keeps bodies, which a live environment does not allow")
        if checks_encryption and is_cleartext(endpoint.base_url):
            problems.append(f"{system}: endpoint.base_url: must begin with https:// in a live environment")
    return problems


def _with_body(ask: _Ask, json: Any, data: bytes | str | Mapping[str, Any] | None) -> _Ask:
    headers: CaseInsensitiveDict[str] = CaseInsensitiveDict(ask.headers)
    if json is not None:
        from mpftconnect.fhir import dump_json

        body = dump_json(json)
        headers.setdefault("Content-Type", "application/json")
    elif isinstance(data, Mapping):
        body = urlencode(data, doseq=True).encode()
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    else:
        body = data.encode() if isinstance(data, str) else data or b""
    return replace(ask, headers=headers, body=body)


def _prepared(ask: _Ask, headers: CaseInsensitiveDict[str]) -> requests.PreparedRequest:
    """The request as requests would send it, without what its sessions add: cookies, ~/.netrc, default headers."""
    try:
        return requests.Request(ask.method, ask.url, headers=dict(headers), data=ask.body).prepare()
    except (requests.RequestException, ValueError) as error:
        failure = adapter_error(error) or AdapterError("the request cannot be written as HTTP")
    raise failure


def _fault(received: Received, ask: _Ask) -> AdapterError | None:
    """What is wrong with an answer that came whole."""
    status = received.status or 0
    if 300 <= status < 400:
        return AnswerRejected(f"status {status}: redirects are not followed")
    mirrored = received.headers.get(_REQUEST_ID)
    if mirrored is not None and mirrored.strip().lower() != ask.request_id:
        return AnswerRejected("the answer names another request: its X-Request-ID is not ours")
    return None


def _is_lost(failure: AdapterError | None, received: Received) -> bool:
    if failure is None:
        return received.status in _GATEWAY_LOST_THE_ANSWER
    # A redirect is a whole answer, which says that nothing was done here.
    return not (received.status is not None and 300 <= received.status < 400)


def _pause_seconds(retry: Retry, received: Received) -> float:
    """How long to wait: as `Retry-After` says (RFC 9110, section 10.2.3), else longer each time, with jitter."""
    if received.status is not None and "Retry-After" in received.headers:
        shell = HTTPResponse(status=received.status, headers=dict(received.headers))
        try:
            return max(0.0, float(retry.get_retry_after(shell) or 0.0))
        except (HTTPError, ValueError, OverflowError):
            pass  # not a number, not a date: as if it had not been sent
    return retry.get_backoff_time()


def _request_digest(ask: _Ask, environment: Literal["test", "live"]) -> str:
    if ask.secret:
        return ""
    return digest(b"\n".join((ask.method.encode(), ask.url.encode(), ask.body or b"")), environment)


def _details(
    ask: _Ask, headers: Any, secret_names: frozenset[str], received: Received, answered: bytes
) -> dict[str, Any]:
    """What a test environment keeps beside: everything but what opens doors."""
    headers = CaseInsensitiveDict(headers)
    doors = [
        value.rpartition(" ")[2].encode()
        for name, value in headers.items()
        if (name.lower() in secret_names or is_secret_name(name)) and len(value) >= 8
    ]
    form = headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
    hides = ask.secret or (form and is_secret_name((ask.body or b"").decode("latin-1")))
    echoed = any(door in answered for door in doors)
    return {
        "url": url_without_secrets(ask.url),
        "request_headers": without_secrets(headers, secret_names),
        "request_body": None if hides else ask.body or b"",
        "response_headers": without_secrets(received.headers),
        "response_body": None if ask.secret or echoed else answered,
    }


def _read_unchanged(path: Path, limit: int) -> tuple[datetime, bytes]:
    with path.open("rb") as file:
        before = path.stat()
        if not stat.S_ISREG(before.st_mode):
            raise AnswerRejected("it is not a regular file")
        content = file.read(limit + 1)
        after = path.stat()
    if len(content) > limit:
        raise AnswerRejected(f"the file is larger than {limit} bytes")
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, len(content)):
        raise AnswerRejected("the file was written to while it was read")
    return datetime.fromtimestamp(after.st_mtime, UTC), content


def _file_error(error: OSError) -> AdapterError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Unreachable("the file is not there")
    if isinstance(error, PermissionError):
        return NotPermitted("the file must not be read by this account")
    if isinstance(error, IsADirectoryError):
        return AnswerRejected("it is not a regular file")
    return Unreachable(f"the file cannot be read ({type(error).__name__})")
