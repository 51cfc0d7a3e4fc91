"""Serves a twin over real HTTP on the loopback interface, and breaks the wire as told.

A twin answers; the host only carries what it says, or fails to: slow, cut short, endless, refused. Which of the
wire's faults are on is read from the twin's `FaultSwitch` at every request, so they can be switched while it runs.

With `control=True` the host also answers, whatever faults are on:

- `GET /_sandbox/` : a page that says what is served and how to switch faults;
- `GET /_sandbox/faults` : `{"on": [...], "known": [...]}`;
- `PUT /_sandbox/faults` with `{"on": ["slow"]}` : switches on exactly these.
"""

from __future__ import annotations

import html
import json
import logging
import selectors
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self

from requests.structures import CaseInsensitiveDict

from mpftconnect.adapters.twin import WIRE_FAULTS, Fault, Twin, TwinRequest, TwinResponse, json_response
from mpftconnect.errors import UsageError

__all__ = ["FaultTiming", "Host"]

CONTROL = "/_sandbox/"
MAX_REQUEST_BYTES = 10_000_000
IDLE_SECONDS = 60.0  # a client that keeps a connection open and says nothing for so long loses it
STOP_SECONDS = 1.0
_BLOCK = b"a" * 65_536


@dataclass(frozen=True, slots=True)
class FaultTiming:
    """How the faults of the wire behave in time and size.

    Args:
        slow_seconds: How long `slow` waits before it answers; longer than a reader's default deadline.
        drip_seconds: Pause between the single bytes of `drip`.
        retry_after_seconds: What `too-many-requests` states in `Retry-After`.
        oversized_bytes: Where `oversized` stops if the client never does.
    """

    slow_seconds: float = 15.0
    drip_seconds: float = 0.05
    retry_after_seconds: int = 30
    oversized_bytes: int = 1 << 30


class Host:
    """One twin, served at `base_url` from `start()` until `stop()`; a context manager.

    Args:
        twin: What answers.
        name: What the control page calls it.
        port: 0 for any free port.
        control: Whether `/_sandbox/` is served.
        own_faults: The twin's own faults, for the control endpoint's list of known ones.
        timing: How the wire's faults behave.

    >>> class Echo:
    ...     def __init__(self):
    ...         self.faults = FaultSwitch()
    ...     def handle(self, request):
    ...         return json_response({"path": request.path})
    >>> from mpftconnect.adapters.twin import FaultSwitch
    >>> import requests
    >>> with Host(Echo()) as host:
    ...     requests.get(host.base_url + "/Patient", timeout=5).json()
    {'path': '/Patient'}
    """

    def __init__(
        self,
        twin: Twin,
        *,
        name: str = "twin",
        port: int = 0,
        control: bool = False,
        own_faults: frozenset[str] = frozenset(),
        timing: FaultTiming | None = None,
    ) -> None:
        self.twin = twin
        self.name = name
        self.control = control
        self.known_faults: frozenset[str] = WIRE_FAULTS | own_faults
        self.timing = timing or FaultTiming()
        self._port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        """Where it is served, without a trailing slash.

        Raises:
            UsageError: It is not running.
        """
        if self._server is None:
            raise UsageError("the host is not running")
        return self._server.base_url

    @property
    def running(self) -> bool:
        return self._server is not None

    def start(self) -> Self:
        """Bind and serve.

        Raises:
            UsageError: It is running already, or the port is taken.
        """
        if self._server is not None:
            raise UsageError("the host is already running")
        try:
            self._server = _Server(self, self._port)
        except OSError as error:
            raise UsageError(f"cannot listen on loopback port {self._port}: {type(error).__name__}") from None
        self._thread = threading.Thread(target=self._server.serve, name=f"sandbox-{self.name}", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving, cut every connection and close every socket; harmless when it is not running."""
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        self._server = self._thread = None
        server.stop(thread)

    def __enter__(self) -> Self:
        return self if self.running else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    """The listening socket with every connection that came from it, so that all can be ended at once."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = sys.platform != "win32"  # on Windows it would let two servers share a port
    request_queue_size = 128

    def __init__(self, host: Host, port: int) -> None:
        self.host = host
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._answering: list[threading.Thread] = []  # longer than `_open`: a thread outlives its connection a little
        self._kinds_failed: tuple[int, set[tuple[str, str]]] = (-1, set())
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's: that asks the name service for the host's name, which can take seconds.
        if self.allow_reuse_address:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]
        self.base_url = f"http://127.0.0.1:{self.server_port}"

    def serve(self) -> None:
        # Blocks without polling; `stop` wakes it with a connection of its own.
        while not self.stopping.is_set():
            self.handle_request()

    def stop(self, serving: threading.Thread) -> None:
        self.stopping.set()
        try:
            with socket.create_connection(("127.0.0.1", self.server_port), timeout=STOP_SECONDS):
                serving.join(STOP_SECONDS)
        except OSError:
            serving.join(STOP_SECONDS)
        self.server_close()
        with self._lock:
            connections, threads = list(self._open), list(self._answering)
        for connection in connections:
            _shut(connection)
        until = time.monotonic() + STOP_SECONDS
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name=f"sandbox-{self.host.name}-connection",
            daemon=True,
        )
        with self._lock:
            self._open.add(request)
            thread.start()
            self._answering = [known for known in self._answering if known.is_alive()] + [thread]

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return not self.stopping.is_set()

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are the ordinary case here; anything else is a fault of ours, and is said."""
        error = sys.exception()
        if not isinstance(error, OSError):
            logging.getLogger("mpftconnect").error("sandbox connection failed: %s", type(error).__name__)

    def fails_first(self, kind: tuple[str, str]) -> bool:
        """Whether this is the first request of its kind since the faults were last set."""
        with self._lock:
            changes = self.host.twin.faults.changes
            if self._kinds_failed[0] != changes:
                self._kinds_failed = (changes, set())
            seen = self._kinds_failed[1]
            if kind in seen:
                return False
            seen.add(kind)
            return True


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


class _Refusal(Exception):
    """A request that never reaches the twin."""

    def __init__(self, status: HTTPStatus, words: str) -> None:
        self.status, self.words = status, words
        super().__init__(words)


class _Handler(BaseHTTPRequestHandler):
    """One connection: reads requests, asks the twin, writes what it says as the faults allow."""

    server: _Server
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # what cannot be parsed is answered with a status line too
    server_version = "sandbox"
    sys_version = ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together: two small packets would wait for each other's acknowledgement

    def answer(self) -> None:
        host = self.server.host
        try:
            request = self._read()
        except _Refusal as refusal:
            self.close_connection = True
            self._write(_outcome(refusal.status, refusal.words))
            return
        if host.control and request.path.startswith(CONTROL):
            self._write(_Control(host, self.server.base_url).handle(request))
            return
        on = frozenset(host.twin.faults) & WIRE_FAULTS
        if on:
            self._answer_badly(request, on)
        else:
            self._write(self._ask(request))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a request's target holds identifiers (rule 16)."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the standard library cannot parse; its own words would repeat the request line."""
        self.close_connection = True
        self.command = getattr(self, "command", None) or "GET"
        self._write(_outcome(HTTPStatus(code), "the request cannot be read"))

    def _read(self) -> TwinRequest:
        headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
        for name, value in self.headers.items():
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        if "Transfer-Encoding" in headers:
            raise _Refusal(HTTPStatus.LENGTH_REQUIRED, "state the length of the body")
        stated = headers.get("Content-Length", "0")
        # RFC 9110, section 8.6: digits alone; anything else, a list of equal numbers too, is refused here.
        if not (stated.isascii() and stated.isdigit()):
            raise _Refusal(HTTPStatus.BAD_REQUEST, "Content-Length is not a number")
        if len(stated) > 12 or int(stated) > MAX_REQUEST_BYTES:
            raise _Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large")
        body = self.rfile.read(int(stated))
        if len(body) < int(stated):
            raise _Refusal(HTTPStatus.BAD_REQUEST, "the body is shorter than stated")
        try:
            return TwinRequest.of(self.command, self.path, headers, body, self.server.base_url)
        except ValueError:
            raise _Refusal(HTTPStatus.BAD_REQUEST, "the request target cannot be read") from None

    def _ask(self, request: TwinRequest) -> TwinResponse:
        try:
            return self.server.host.twin.handle(request)
        except Exception as error:  # noqa: BLE001 - a twin's fault must look like a server's, not like a lost wire
            failed = (self.server.host.name, type(error).__name__)
            logging.getLogger("mpftconnect").error("twin %s failed: %s", *failed)  # noqa: TRY400 - no values in logs
            return _outcome(HTTPStatus.INTERNAL_SERVER_ERROR, "the twin failed")

    def _write(self, response: TwinResponse, *, cut: int | None = None) -> None:
        """The whole answer, or its first `cut` bytes under a length that promises more."""
        length = len(response.body) if cut is None else max(len(response.body), cut + 1)
        self._head(response, {} if _bodiless(response) else {"Content-Length": str(length)})
        if self.command != "HEAD" and not _bodiless(response):
            self.wfile.write(response.body if cut is None else response.body[:cut])
        self.wfile.flush()

    def _head(self, response: TwinResponse, framing: Mapping[str, str]) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        for name, value in framing.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _answer_badly(self, request: TwinRequest, on: frozenset[str]) -> None:
        timing = self.server.host.timing
        if Fault.REFUSED in on:
            self._reset()
            return
        if Fault.TIMEOUT in on:
            self._ask(request)  # it took the request: what it changes is changed, and nobody learns of it
            self._hold(None)
            self._drop()
            return
        if Fault.SLOW in on and not self._hold(timing.slow_seconds):
            self._drop()
            return
        if Fault.TOO_MANY_REQUESTS in on:
            retry_after = {"Retry-After": str(timing.retry_after_seconds)}
            self._write(_outcome(HTTPStatus.TOO_MANY_REQUESTS, "too many requests", "throttled", retry_after))
            return
        once = Fault.SERVER_ERROR_ONCE in on and self.server.fails_first((request.method, request.path))
        if Fault.SERVER_ERROR in on or once:
            self._write(_outcome(HTTPStatus.SERVICE_UNAVAILABLE, "the service is unavailable", "transient"))
            return
        self._spoil(self._ask(request), on)

    def _spoil(self, good: TwinResponse, on: frozenset[str]) -> None:
        """Write the answer with what is on done to its body; an answer without a body cannot be spoilt."""
        timing = self.server.host.timing
        type_ = {"Content-Type": good.headers.get("Content-Type", "application/json")}
        if Fault.TRUNCATED in on:
            self.close_connection = True
            self._write(good, cut=len(good.body) // 2)
        elif Fault.DRIP in on:
            self._stream(good, _dripped(good.body), timing.drip_seconds)
        elif Fault.OVERSIZED in on:
            endless = TwinResponse(200, type_)
            self._stream(endless, _oversized(timing.oversized_bytes), 0.0)
        elif Fault.MALFORMED in on:
            # No JSON, no UTF-8, and an open quotation mark for readers of CSV.
            self._write(TwinResponse(200, type_, good.body[: len(good.body) // 3] + b'{"entry": [\xff\xfe "\x00'))
        elif Fault.WRONG_TYPE in on:
            page = b"<!DOCTYPE html><title>Sign in</title><h1>Please sign in to the network</h1>"
            self._write(TwinResponse(200, {"Content-Type": "text/html; charset=utf-8"}, page))
        else:
            self._write(good)

    def _stream(self, response: TwinResponse, blocks: Iterator[bytes], pause_seconds: float) -> None:
        """A chunked body that is never finished, until the client or the host has had enough."""
        self.close_connection = True
        self._head(response, {"Transfer-Encoding": "chunked"})
        self.wfile.flush()
        for block in blocks:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block))
            self.wfile.flush()
            if self.server.stopping.is_set() or (pause_seconds and not self._hold(pause_seconds)):
                break

    def _hold(self, seconds: float | None) -> bool:
        """Wait. False as soon as the client has gone or the host stops (which shuts the connection)."""
        until = None if seconds is None else time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.connection, selectors.EVENT_READ)
            while not self.server.stopping.is_set():
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    return True
                if selector.select(left):
                    if not self.connection.recv(1, socket.MSG_PEEK):
                        return False
                    # The client sent its next request early; it says nothing more, so only time can pass.
                    return not self.server.stopping.wait(left)
        return False

    def _drop(self) -> None:
        self.close_connection = True

    def _reset(self) -> None:
        """Close so that the client sees a reset, as from a port that nobody serves."""
        self.close_connection = True
        linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()


def _bodiless(response: TwinResponse) -> bool:
    """RFC 9110, section 6.4.1: 1xx, 204 and 304 carry no content."""
    return response.status < 200 or response.status in (204, 304)


def _dripped(body: bytes) -> Iterator[bytes]:
    for index in range(len(body)):
        yield body[index : index + 1]
    while True:
        yield b" "


def _oversized(limit: int) -> Iterator[bytes]:
    yield b'{"resourceType": "Bundle", "type": "searchset", "id": "'
    for _ in range(limit // len(_BLOCK)):
        yield _BLOCK


def _outcome(
    status: HTTPStatus, words: str, code: str = "exception", headers: Mapping[str, str] | None = None
) -> TwinResponse:
    """FHIR R4 (4.0.1), OperationOutcome: the form in which every NHS FHIR API reports errors."""
    issue = {"severity": "error", "code": code, "diagnostics": words}
    return json_response({"resourceType": "OperationOutcome", "issue": [issue]}, int(status), headers)


@dataclass(frozen=True, slots=True)
class _Control:
    """The `/_sandbox/` endpoint of one host."""

    host: Host
    base_url: str

    JSON: ClassVar[str] = "application/json"

    def handle(self, request: TwinRequest) -> TwinResponse:
        # A page of another site could be made to resolve to 127.0.0.1; its requests name that site as the host.
        here = self.base_url.removeprefix("http://")
        if request.headers.get("Host") not in (here, here.replace("127.0.0.1", "localhost")):
            return self._say({"error": "only from this machine"}, HTTPStatus.FORBIDDEN)
        match request.method, request.path.removeprefix(CONTROL):
            case "GET", "":
                return TwinResponse(200, {"Content-Type": "text/html; charset=utf-8"}, self._page().encode())
            case "GET", "faults":
                return self._faults()
            case "PUT", "faults":
                return self._switch(request)
            case _, "" | "faults":
                return self._say({"error": "GET or PUT is expected"}, HTTPStatus.METHOD_NOT_ALLOWED)
            case _:
                return self._say({"error": "only / and /faults exist here"}, HTTPStatus.NOT_FOUND)

    def _faults(self) -> TwinResponse:
        return self._say({"on": list(self.host.twin.faults), "known": sorted(self.host.known_faults)})

    def _switch(self, request: TwinRequest) -> TwinResponse:
        # A page of another site cannot send this type without asking first, and is then refused.
        if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != self.JSON:
            return self._say({"error": "Content-Type: application/json is expected"}, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        try:
            asked = json.loads(request.body)
        except (ValueError, RecursionError):
            asked = None
        names = asked.get("on") if isinstance(asked, dict) else None
        known = {str(fault) for fault in self.host.known_faults}
        if not isinstance(names, list) or not all(isinstance(name, str) and name in known for name in names):
            expected = {"error": 'expected {"on": [names of known faults]}', "known": sorted(known)}
            return self._say(expected, HTTPStatus.BAD_REQUEST)
        self.host.twin.faults.set(*names)
        return self._faults()

    def _page(self) -> str:
        url = self.base_url
        known = "".join(f"<li><code>{html.escape(fault)}</code></li>" for fault in sorted(self.host.known_faults))
        return (
            '<!DOCTYPE html><html lang="en-GB"><head><meta charset="utf-8"><title>Sandbox</title></head><body>'
            f"<h1>Sandbox: {html.escape(self.host.name)}</h1>"
            "<p>A stand-in with synthetic people. It says nothing about any product.</p>"
            f"<p>Base URL: <code>{url}</code></p><h2>Faults</h2><ul>{known}</ul>"
            f"<pre>curl -X PUT {url}{CONTROL}faults -H 'Content-Type: {self.JSON}' "
            "-d '{&quot;on&quot;: [&quot;slow&quot;]}'</pre></body></html>"
        )

    def _say(self, body: Any, status: HTTPStatus = HTTPStatus.OK) -> TwinResponse:
        return json_response(body, int(status), content_type=self.JSON)
