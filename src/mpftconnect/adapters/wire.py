"""The wire: everything that an adapter says to a system, and hears from it, goes through here.

It limits time, size and rate, sends again only what is safe to send again, ties requests and answers together by
their ids, keeps the evidence, and turns every failure into an `AdapterError` that holds no value.
"""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.util.retry import Retry

from mpftconnect.adapters.answer import Answer
from mpftconnect.adapters.ask import (
    CORRELATION_ID,
    PASSING,
    REQUEST_ID,
    Ask,
    Params,
    address,
    checked_label,
    fault,
    is_lost,
    pause_seconds,
    prepared,
    with_body,
)
from mpftconnect.adapters.auth import Auth
from mpftconnect.adapters.budget import RateBudget
from mpftconnect.adapters.deadline import Deadline
from mpftconnect.adapters.endpoint import Endpoint, is_cleartext, origin
from mpftconnect.adapters.evidence import Tried
from mpftconnect.adapters.failures import is_worth_another_try
from mpftconnect.adapters.http_attempt import Attempt, Received, WatchedTransport, within
from mpftconnect.adapters.local_file import file_error, read_unchanged
from mpftconnect.adapters.recorder import Recorder
from mpftconnect.errors import AdapterError, AnswerRejected, ConfigurationError, OutcomeUnknown, UsageError
from mpftconnect.events import Code, EventStream

__all__ = ["Answer", "Endpoint", "Wire"]

_JSON_ACCEPT = "application/fhir+json, application/json;q=0.9"


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
        self._in_full = True

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
        in_full: bool | None = None,
    ) -> Wire:
        """This wire for one reading. Whatever is not given stays as it is.

        Args:
            deadline: For all that goes through it.
            correlation_id: Sent with every request; made anew if there is none yet.
            auth: In place of this wire's; None for none.
            headers: Sent with every request, beside those that are sent already.
            in_full: Whether the recorder may keep what is said, in a test environment; once False, it stays so.
        """
        wire = copy.copy(self)
        if in_full is not None:
            wire._in_full = self._in_full and in_full
        if deadline is not None:
            wire._deadline = deadline
        wire._correlation_id = correlation_id or self._correlation_id or str(uuid.uuid4())
        if not isinstance(auth, _Keep):
            wire._auth = auth
        if headers:
            wire._headers = {**self._headers, **headers}
        return wire

    def elsewhere(self, base_url: str, *, client_certificate: bool = False, max_bytes: int | None = None) -> Wire:
        """The way to another address that belongs to the same system: a proxy, or the place of a document.

        It shares limits, budget, recorder, connections, deadline and correlation id. It takes none of the credentials
        and headers along: they are for the system itself.

        Args:
            base_url: `https://host/base`; who may be there is for the caller to have decided, by settings.
            client_certificate: Whether the configured certificate of mutual TLS goes along.
            max_bytes: Largest answer, if less than the system's own limit.
        Raises:
            AnswerRejected: It is no such address, or a live system's is not https.
        """
        ours = self.endpoint
        limit = ours.max_bytes if max_bytes is None else min(max_bytes, ours.max_bytes)
        endpoint = replace(ours, headers={}, max_bytes=limit)
        try:
            endpoint = replace(endpoint, base_url=base_url)
            if not client_certificate:
                endpoint = replace(endpoint, client_certificate=None, client_key=None)
        except UsageError as error:
            raise AnswerRejected(f"an address cannot be used: {error}", system=self.system) from None
        if ours.environment == "live" and is_cleartext(base_url) and self._speaks_sockets:
            raise AnswerRejected("an address of a live system must begin with https://", system=self.system)
        wire = copy.copy(self)
        wire._line = replace(self._line, endpoint=endpoint)
        wire._auth, wire._headers = None, {}
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
        ask = self._ask("POST", path, None, headers, label, accept=_JSON_ACCEPT, safe=safe)
        return self._send(with_body(ask, json, data))

    def put(
        self, path: str, *, json: Any, headers: Mapping[str, str] | None = None, label: str | None = None
    ) -> Answer:
        """PUT below the base URL. Sent once.

        Args:
            json: Sent as JSON, decimals as numbers.
        Raises:
            OutcomeUnknown: As for `post`.
            AdapterError: As for `get`; then nothing was done.
        """
        ask = self._ask("PUT", path, None, headers, label, accept=_JSON_ACCEPT, safe=False)
        return self._send(with_body(ask, json, None))

    def delete(self, path: str, *, headers: Mapping[str, str] | None = None, label: str | None = None) -> Answer:
        """DELETE below the base URL. Sent once.

        Raises:
            OutcomeUnknown: As for `post`.
            AdapterError: As for `get`; then nothing was done.
        """
        return self._send(self._ask("DELETE", path, None, headers, label, accept=_JSON_ACCEPT, safe=False))

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
        ask = Ask(
            "POST",
            url,
            "token",
            str(uuid.uuid4()),
            CaseInsensitiveDict({"User-Agent": "mpftconnect", "Accept": "application/json"}),
            repeatable=False,
            secret=True,
        )
        return self.bound(deadline=deadline, auth=None)._send(with_body(ask, None, form))

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
        ask = Ask("READ", path.name, "file", str(uuid.uuid4()), CaseInsensitiveDict(), repeatable=False)
        limit = self.endpoint.max_bytes
        self._require_open()
        tried, received, failure = self._tried(ask, {}, 1), Received(), None
        try:
            received = within(self._until(), lambda: read_unchanged(path, limit), lambda: None)
        except AdapterError as error:
            failure = error
        except OSError as error:
            failure = file_error(error)
        self._record(tried, received, failure)
        if failure is not None:
            raise self._named(failure)
        return self._answer(ask, received)

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
        safe: bool = True,
    ) -> Ask:
        merged: CaseInsensitiveDict[str] = CaseInsensitiveDict({"User-Agent": "mpftconnect", "Accept": accept})
        for more in (self.endpoint.headers, self._headers, headers or {}):
            merged.update(more)
        label = checked_label(label) if label else method
        try:
            url = address(self.endpoint, method, path, params)
        except AdapterError as error:
            raise self._named(error) from None
        return Ask(method, url, label, str(uuid.uuid4()), merged, repeatable=safe, write=not safe)

    def _send(self, ask: Ask) -> Answer:
        self._require_open()
        deadline, attempt, renewed = self._until(), 0, False
        # What may not be sent again has no tries left from the start.
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
            passing = is_worth_another_try(failure) if failure is not None else received.status in PASSING
            if not passing:
                break
            try:
                retry = retry.increment(ask.method, None, error=HTTPError("passing"))
            except MaxRetryError:
                break
            pause = pause_seconds(retry, received)
            if pause >= deadline.remaining() or self._line.closed.is_set():
                break
            self._tell_retry(ask, attempt, str(failure.reason) if failure else f"status-{received.status}")
            self._line.closed.wait(pause)
            self._require_open()
        if failure is not None:
            raise self._named(failure)
        return self._answer(ask, received)

    def _tell_retry(self, ask: Ask, attempt: int, reason: str) -> None:
        self.events.emit(
            Code.EXCHANGE_RETRIED,
            system=self.system,
            step=ask.label,
            reason=reason,
            count=attempt + 1,
            request_id=ask.request_id,
        )

    def _signed(self, ask: Ask, deadline: Deadline) -> CaseInsensitiveDict[str]:
        headers = CaseInsensitiveDict(ask.headers)
        if self._auth is not None:
            headers = CaseInsensitiveDict(self._auth.apply(headers, deadline))
        # Last, so that nothing can replace them.
        headers[REQUEST_ID] = ask.request_id
        headers[CORRELATION_ID] = self._correlation_id or ask.request_id
        # Only what `http_attempt` can decompress within limits.
        headers["Accept-Encoding"] = "gzip"
        return headers

    def _try(
        self, ask: Ask, headers: CaseInsensitiveDict[str], number: int, deadline: Deadline
    ) -> tuple[Received, AdapterError | None]:
        """One attempt, recorded; what came of it, and what went wrong."""
        line = self._line
        if line.budget is not None and not ask.secret:
            try:
                line.budget.take(deadline)
            except AdapterError as error:
                raise self._named(error) from None
        attempt, tried = Attempt(), self._tried(ask, headers, number)
        failure: AdapterError | None = None
        with line.lock:
            line.under_way.add(attempt)
        try:
            self._require_open()
            deadline.check("preparing a request")
            failure = fault(attempt.make(line.transport, prepared(ask, headers), line.endpoint, deadline), ask)
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
        if ask.write and attempt.sent and is_lost(failure, received):
            failure = OutcomeUnknown("the request left here and its answer was lost: check before sending it again")
        self._record(tried, received, failure)
        return received, failure

    def _tried(self, ask: Ask, headers: Mapping[str, str], number: int) -> Tried:
        return Tried(ask, headers, number, self._correlation_id or ask.request_id, self._in_full)

    def _record(self, tried: Tried, received: Received, failure: AdapterError | None) -> None:
        exchange = tried.exchange(self.system, self.endpoint.environment, received, failure)
        try:
            self._line.recorder.record(exchange)
        except Exception as error:  # noqa: BLE001 - a full disk, or whatever a stranger's recorder raises
            kind = OutcomeUnknown if tried.ask.write else AdapterError
            raise kind(
                f"an exchange took place and could not be recorded ({type(error).__name__})", system=self.system
            ) from None
        self.events.emit(
            Code.EXCHANGE_FINISHED,
            system=self.system,
            step=exchange.label,
            reason=exchange.error,
            status=exchange.status,
            count=exchange.response_bytes,
            duration_ms=exchange.duration_ms,
            request_id=exchange.request_id,
        )

    def _answer(self, ask: Ask, received: Received) -> Answer:
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
