"""One attempt at one HTTP request, which ends by its deadline whatever the other side does (rule 20).

A timeout of sockets is one for each receive: a server that sends a byte a second is never late by it, and a name
look-up has none at all. So the attempt runs in a daemon thread of its own while the caller waits until the
deadline, shuts the socket and goes. Shutting wakes the thread wherever it reads, under TLS too.
"""

from __future__ import annotations

import http.client
import logging
import socket
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from mpftconnect.adapters.deadline import Deadline
from mpftconnect.adapters.endpoint import Endpoint
from mpftconnect.adapters.failures import adapter_error
from mpftconnect.errors import AdapterError, AnswerRejected, TimedOut

__all__ = ["Attempt", "Received", "WatchedTransport", "within"]

T = TypeVar("T")

_CHUNK_BYTES = 65_536

# Which attempt this thread makes. Only threads that `within` starts have one.
_here = threading.local()


class _Silence(logging.Filter):
    """Drops what urllib3 logs in our threads: its lines hold addresses, at WARNING too. Others' lines pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(_here, "silent", False)


for _name in ("connectionpool", "connection", "poolmanager", "response", "util.retry", "util.connection"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_Silence())


def within(deadline: Deadline, work: Callable[[], T], abandon: Callable[[], None]) -> T:
    """The result of `work`, done in a daemon thread.

    Args:
        abandon: Called if the deadline passes first, or the caller is interrupted; should make `work` end soon.
    Raises:
        TimedOut: The deadline passed first. What `work` does afterwards is nobody's business.
        BaseException: Whatever `work` raised.
    """
    done = threading.Event()
    outcome: list[tuple[bool, Any]] = []

    def run() -> None:
        _here.silent = True
        try:
            outcome.append((True, work()))
        except BaseException as error:  # noqa: BLE001 - carried to the caller's thread, which raises it
            outcome.append((False, error))
        finally:
            done.set()

    threading.Thread(target=run, name="mpftconnect-wire", daemon=True).start()
    try:
        finished = done.wait(deadline.remaining())
    except BaseException:
        abandon()
        raise
    if not finished:
        abandon()
        raise TimedOut("no whole answer before the deadline")
    ok, value = outcome[0]
    if not ok:
        raise value
    return cast("T", value)


@dataclass(slots=True)
class Received:
    """What has come so far; evidence even where the answer broke off."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=CaseInsensitiveDict)
    body: bytearray = field(default_factory=bytearray)


class Attempt:
    """One attempt, and the handle by which another thread stops it.

    Attributes:
        sent: Whether anything of the request left here.
        received: What has come so far.
    """

    def __init__(self) -> None:
        self.sent = False
        self.received = Received()
        self._stopped = False
        self._socket: socket.socket | None = None
        self._reply: http.client.HTTPResponse | None = None
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Shut the connection. After this no byte of the request leaves, if none has left yet."""
        with self._lock:
            self._stopped = True
            watched = self._socket
        if watched is not None:
            with suppress(OSError):
                # Not SSLSocket.shutdown, which takes the TLS layer from under the thread that reads from it.
                socket.socket.shutdown(watched, socket.SHUT_RDWR)

    def leaving(self, sock: Any) -> None:
        """Called with the connected socket before bytes of the request leave by it."""
        with self._lock:
            if self._stopped:
                raise ConnectionAbortedError("stopped")
            # urllib3 wraps TLS within TLS (a proxy spoken to by HTTPS) in an object of its own.
            self._socket = sock if isinstance(sock, socket.socket) else getattr(sock, "socket", None)
            self.sent = True

    def connected(self, sock: Any) -> None:
        """Called with the socket as soon as there is one, before a proxy or TLS is spoken to."""
        with self._lock:
            if isinstance(sock, socket.socket):
                self._socket = sock

    def replying(self, reply: http.client.HTTPResponse) -> None:
        """Called with the answer before its first byte is read."""
        self._reply = reply

    def make(
        self, transport: BaseAdapter, request: requests.PreparedRequest, endpoint: Endpoint, deadline: Deadline
    ) -> Received:
        """Send the request and read the whole answer.

        Raises:
            AdapterError: Whatever went wrong, without chain; `received` keeps what had come.
        """
        try:
            within(deadline, lambda: self._perform_and_close(transport, request, endpoint, deadline), self.stop)
        except AdapterError:
            raise
        except Exception as error:
            failure = adapter_error(error)
            if failure is None:
                raise
        else:
            return self.received
        # Raised here, outside the handler, so that it carries no context.
        raise failure

    def _perform_and_close(
        self, transport: BaseAdapter, request: requests.PreparedRequest, endpoint: Endpoint, deadline: Deadline
    ) -> None:
        _here.attempt = self
        try:
            self._perform(transport, request, endpoint, deadline)
        except BaseException:
            # urllib3 loses hold of an answer whose headers it refuses, and with it of an open socket.
            if self._reply is not None:
                self._reply.close()
            raise

    def _perform(
        self, transport: BaseAdapter, request: requests.PreparedRequest, endpoint: Endpoint, deadline: Deadline
    ) -> None:
        # A transport of another kind does not say when it sends, so it is taken to have sent.
        self.sent = not isinstance(transport, WatchedTransport)
        certificate = str(endpoint.client_certificate) if endpoint.client_certificate else None
        answer = transport.send(
            request,
            stream=True,
            timeout=(min(endpoint.connect_timeout, deadline.remaining()), deadline.remaining() + 1),
            verify=str(endpoint.ca_bundle) if endpoint.ca_bundle else True,
            cert=(certificate, str(endpoint.client_key)) if certificate and endpoint.client_key else certificate,
            proxies={"http": endpoint.proxy, "https": endpoint.proxy} if endpoint.proxy else {},
        )
        whole = False
        try:
            self.received.status = answer.status_code
            self.received.headers = CaseInsensitiveDict(answer.headers)
            for piece in _decoded(_pieces(answer.raw, endpoint.max_bytes), self.received.headers, endpoint.max_bytes):
                self.received.body += piece
            whole = True
        finally:
            if not whole:
                answer.raw.close()
            answer.raw.release_conn()


def _too_large(limit: int) -> AnswerRejected:
    return AnswerRejected(f"the answer is larger than {limit} bytes")


def _pieces(raw: Any, limit: int) -> Iterator[bytes]:
    total = 0
    while piece := raw.read(_CHUNK_BYTES, decode_content=False):
        total += len(piece)
        if total > limit:
            raise _too_large(limit)
        yield piece


def _decoded(pieces: Iterator[bytes], headers: Mapping[str, str], limit: int) -> Iterator[bytes]:
    """The content, decompressed no further than `limit` bytes: a small body may stand for a very large one."""
    coding = headers.get("Content-Encoding", "identity").strip().lower()
    if coding in ("identity", ""):
        yield from pieces
        return
    if coding not in ("gzip", "x-gzip"):
        raise AnswerRejected("the answer's content encoding was not asked for")
    total, inflate, begun = 0, zlib.decompressobj(wbits=31), False
    for piece in pieces:
        data = piece
        while data:
            if inflate.eof:  # RFC 1952, section 2.2: a file may consist of several members
                inflate = zlib.decompressobj(wbits=31)
            try:
                out = inflate.decompress(data, limit - total + 1)
            except zlib.error:
                raise AnswerRejected("the answer's encoding is broken") from None
            begun, total = True, total + len(out)
            if total > limit:
                raise _too_large(limit)
            yield out
            data = inflate.unconsumed_tail or inflate.unused_data
    if begun and not inflate.eof:
        raise AnswerRejected("the answer is truncated")


@contextmanager
def _connecting(connection: Any) -> Iterator[None]:
    connection.connecting = True
    try:
        yield
    finally:
        connection.connecting = False


class _WatchedReply(http.client.HTTPResponse):
    """Tells the attempt of this thread that it is there."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        attempt = getattr(_here, "attempt", None)
        if attempt is not None:
            attempt.replying(self)


class _Watched:
    """Tells the attempt of this thread which socket it uses, and when the request itself begins to leave."""

    connecting = False
    response_class: Any = _WatchedReply
    sock: Any
    auto_open: Any

    def connect(self) -> None:
        with _connecting(self):
            super().connect()  # type: ignore[misc]
        self._attempt_does(lambda attempt: attempt.connected(self.sock))

    def send(self, data: Any) -> None:
        if self.sock is None and self.auto_open:
            self.connect()
        # While connecting, what is sent is the CONNECT to a proxy, not the request.
        step = Attempt.connected if self.connecting else Attempt.leaving
        self._attempt_does(lambda attempt: step(attempt, self.sock))
        super().send(data)  # type: ignore[misc]

    def _attempt_does(self, step: Callable[[Attempt], None]) -> None:
        attempt = getattr(_here, "attempt", None)
        if attempt is not None:
            step(attempt)


class _WatchedHttp(_Watched, HTTPConnection):
    pass


class _WatchedHttps(_Watched, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHttp


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHttps


_POOLS: dict[str, Any] = {"http": _HttpPool, "https": _HttpsPool}


class WatchedTransport(HTTPAdapter):
    """The transport of requests, without retries of its own, over connections that an `Attempt` can shut."""

    def __init__(self) -> None:
        super().__init__(pool_connections=4, pool_maxsize=32, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **settings: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **settings)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **settings: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **settings)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager
