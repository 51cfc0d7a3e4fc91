"""A server over real loopback sockets that does exactly what a test tells it, down to the byte."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from mpftconnect.adapters import Endpoint, MemoryRecorder, Wire
from mpftconnect.events import Event, EventStream

# A server that misbehaves for ever would hang the test whose code does not mind; so "for ever" ends here.
FOR_EVER_SECONDS = 6.0


class Gone(Exception):
    """The client, or the test, has gone."""


@dataclass
class Talk:
    """One request, and the means to answer it."""

    number: int
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    socket: socket.socket
    _stopping: threading.Event
    closing: bool = False

    def send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except OSError:
            raise Gone from None

    def wait(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise Gone

    def drip(self, data: bytes, seconds: float = 0.05) -> None:
        for index in range(len(data)):
            self.send(data[index : index + 1])
            self.wait(seconds)

    def close(self) -> None:
        self.closing = True

    def answer(self, status: int = 200, body: bytes = b"{}", **headers: str) -> None:
        self.send(http(status, body, **headers))


def http(status: int = 200, body: bytes = b"{}", **headers: str) -> bytes:
    """An answer; header names are given with underscores."""
    given = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value)
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + body


class Server:
    """Answers every request by calling `script` in a thread of the connection's own."""

    def __init__(self, script: Callable[[Talk], None], tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.talks: list[Talk] = []
        self.connections = 0
        self._tls = tls
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://localhost:{self.port}"
        self._start(self._accept)

    def _start(self, work: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            if self._stopping.is_set():
                plain.close()
                return
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                self._open.append(plain)
            self._start(self._serve, plain)

    def _serve(self, plain: socket.socket) -> None:
        spoken: socket.socket = plain
        try:
            if self._tls:
                spoken = self._tls.wrap_socket(plain, server_side=True)
                with self._lock:
                    self._open.append(spoken)
            with spoken.makefile("rb") as stream:
                while talk := self._read(stream, spoken):
                    with self._lock:
                        self.talks.append(talk)
                    self.script(talk)
                    if talk.closing:
                        return
        except (OSError, Gone, ValueError):
            pass
        finally:
            for each in (spoken, plain):
                with suppress(OSError):
                    each.close()

    def _read(self, stream: Any, spoken: socket.socket) -> Talk | None:
        first = stream.readline().decode("latin-1").split()
        if len(first) != 3:
            return None
        headers: dict[str, str] = {}
        while line := stream.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", "0")))
        with self._lock:
            number = len(self.talks) + 1
        return Talk(number, first[0], first[1], headers, body, spoken, self._stopping)

    def stop(self) -> None:
        self._stopping.set()
        with suppress(OSError):  # wakes accept, which closing alone does not on every system
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        self._listener.close()
        with self._lock:
            still_open, threads = list(self._open), list(self._threads)
        for each in still_open:
            with suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)
        for thread in threads:
            thread.join(FOR_EVER_SECONDS)
        for each in still_open:
            with suppress(OSError):
                each.close()


@pytest.fixture(autouse=True)
def nothing_but_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that are not of this machine do not exist, without asking the network."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        if host not in ("localhost", "127.0.0.1", "::1"):
            raise socket.gaierror(socket.EAI_NONAME, "not of this machine")
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers, and stops them when the test is over."""
    servers: list[Server] = []

    def start(script: Callable[[Talk], None], tls: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(script, tls))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@dataclass
class Line:
    """Opens wires and keeps what they told."""

    recorder: MemoryRecorder = field(default_factory=MemoryRecorder)
    events: list[Event] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)

    def __call__(self, base_url: str, *, auth: Any = None, budget: Any = None, **settings: Any) -> Wire:
        settings = {"environment": "test", "deadline_seconds": FOR_EVER_SECONDS - 1, "retries": 0} | settings
        recorder = settings.pop("recorder", self.recorder)
        transport = settings.pop("transport", None)
        wire = Wire(
            "acme",
            Endpoint(base_url=base_url, **settings),
            events=EventStream([self.events.append]),
            recorder=recorder,
            auth=auth,
            budget=budget,
            transport=transport,
        )
        self.wires.append(wire)
        return wire

    def codes(self) -> list[str]:
        return [str(event.code) for event in self.events]


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    for wire in made.wires:
        wire.close()


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)
