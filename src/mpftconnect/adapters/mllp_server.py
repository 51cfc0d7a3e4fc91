"""An MLLP server: a thread for each connection, which answers a message only after its handler took it.

Commit and acknowledgement happen in the connection's own thread, so back-pressure needs no queue: while the handler
works, nothing more is read from that connection, and TCP tells the sender. What senders send without waiting is
handed over together, in order, so that one flush can stand for several messages.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from mpftconnect.adapters.mllp_exchange import Evidence, MllpAttempt
from mpftconnect.adapters.mllp_frames import Frame, FrameReader, Oversize, Stray, framed
from mpftconnect.adapters.mllp_settings import ListenSettings
from mpftconnect.adapters.recorder import Recorder
from mpftconnect.errors import ConfigurationError, UsageError
from mpftconnect.events import Code, EventStream

__all__ = ["Finding", "Handler", "MllpServer", "Reply"]

_CHUNK_BYTES = 65_536
# A handler is given no more at once, so that no acknowledgement waits for a long row of others.
_TOGETHER = 256
_TICK_SECONDS = 0.25
_MOST_PEERS = 100
# A sender that is gone without a word (a firewall, a power cut) is noticed after two minutes, not after `idle_seconds`:
# else a hundred of them would keep everybody out for an hour. When TCP asks whether anybody is there, how long it waits
# for an answer, how often it asks; systems that lack one of them use their own.
_KEEP_ALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))


class Reply(NamedTuple):
    """What is said to one message.

    Args:
        answers: Acknowledgements, each sent as a block of its own; none where the sender asked for none.
        code: The first one's code, for the record.
        quiet: Leave no record and no event: a silent policy decided about the message (rule 6).
    """

    answers: tuple[bytes, ...]
    code: str | None = None
    quiet: bool = False

    def __repr__(self) -> str:
        return f"<Reply {self.code}>"


Handler = Callable[[Sequence[bytes]], Sequence[Reply]]
"""Takes messages in order, and returns a reply for each. It runs in several threads at once."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Bytes that were no message: which connection (counted from 1), where in its stream, how many, and why.

    Args:
        ended: Whether the connection ended there: what was cut off is no mistake of framing.
    """

    connection: int
    offset: int
    count: int
    rule: str
    ended: bool = False


class _Room:
    """How much all connections hold together of messages that are not whole yet."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._changed = threading.Condition()

    def take(self, count: int, until: float) -> bool:
        """Wait for room until then (monotonic); False if there was none."""
        with self._changed:
            while self._left < count:
                rest = until - time.monotonic()
                if rest <= 0 or not self._changed.wait(rest):
                    return False
            self._left -= count
            return True

    def give(self, count: int) -> None:
        with self._changed:
            self._left += count
            self._changed.notify_all()


class MllpServer:
    """Listens, from `start` to `stop`.

    Args:
        settings: Where, with which limits.
        handler: Takes messages. What it raises is its own fault: the connection is closed without an answer, so that
            the sender knows nothing and sends again.
        refuse: Makes the reply to a message that is longer than allowed, from its beginning.
        name: Configured name of the line, for events and records.
        events: Takes what happens; no message's content.
        recorder: Takes every exchange.
    Raises:
        ConfigurationError: See `ListenSettings.context`; or the recorder is not meant for a live environment.
    """

    def __init__(
        self,
        settings: ListenSettings,
        handler: Handler,
        *,
        refuse: Callable[[bytes], Reply] | None = None,
        name: str = "mllp",
        events: EventStream | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.settings = settings
        self._handler, self._refuse = handler, refuse
        self._tls = settings.context()
        self._events = events or EventStream()
        place = f"mllp://{settings.host}:{settings.port}"
        self._evidence = Evidence(name, settings.environment, place, recorder, self._events)
        self._listener: socket.socket | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._accepting: threading.Thread | None = None
        self._room = _Room(settings.max_waiting_bytes)
        self._count = 0
        self._stray_bytes = 0
        self._findings: deque[Finding] = deque(maxlen=100)
        self._talked: deque[int] = deque(maxlen=1_000)
        self._peers: dict[str, None] = {}

    @property
    def port(self) -> int:
        """Where it listens."""
        if self._listener is None:
            raise UsageError("the server is not started")
        return int(self._listener.getsockname()[1])

    @property
    def stray_bytes(self) -> int:
        """How many bytes were no message, since the start."""
        return self._stray_bytes

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The newest hundred places where something was no message."""
        with self._lock:
            return tuple(self._findings)

    @property
    def talked(self) -> frozenset[int]:
        """The newest thousand connections, counted from 1, on which a whole message came."""
        with self._lock:
            return frozenset(self._talked)

    @property
    def peers(self) -> tuple[str, ...]:
        """SHA-256, in hex, of the certificates that clients showed: at most a hundred."""
        with self._lock:
            return tuple(self._peers)

    @property
    def connections(self) -> int:
        """How many are open."""
        with self._lock:
            return len(self._open)

    def start(self) -> MllpServer:
        """Listen, in threads.

        Raises:
            ConfigurationError: The address cannot be listened at.
        """
        if self._listener is not None:
            raise UsageError("the server was started before")
        try:
            family = socket.AF_INET6 if ":" in self.settings.host else socket.AF_INET
            self._listener = socket.create_server((self.settings.host, self.settings.port), family=family)
        except OSError as error:
            raise ConfigurationError(
                [f"listen: the address cannot be listened at ({type(error).__name__}): is the port taken?"]
            ) from None
        self._listener.settimeout(_TICK_SECONDS)
        self._accepting = threading.Thread(target=self._accept, name="mpftconnect-mllp", daemon=True)
        self._accepting.start()
        return self

    def stop(self, grace_seconds: float = 30.0) -> bool:
        """Take nothing more; finish and acknowledge what was taken whole.

        Returns:
            Whether all connections had ended in time. What had not is shut: its sender got no answer.
        """
        self._stopping.set()
        if self._listener is not None:
            self._listener.close()
        if self._accepting is not None:
            self._accepting.join(grace_seconds)
        with self._lock:
            left = dict(self._open)
        for line in left:
            with suppress(OSError):
                # Wakes a thread that waits for bytes; what it already has it finishes.
                socket.socket.shutdown(line, socket.SHUT_RD)
        until = time.monotonic() + grace_seconds
        for thread in left.values():
            thread.join(max(0.0, until - time.monotonic()))
        late = [line for line, thread in left.items() if thread.is_alive()]
        for line in late:
            with suppress(OSError):
                socket.socket.shutdown(line, socket.SHUT_RDWR)
        return not late

    def __enter__(self) -> MllpServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # What follows runs in the server's threads.

    def _accept(self) -> None:
        listener = self._listener
        assert listener is not None  # noqa: S101 - start made it
        while not self._stopping.is_set():
            try:
                line, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                if self._stopping.wait(_TICK_SECONDS):  # closed, or out of handles for a moment
                    return
                continue
            with self._lock:
                full = len(self._open) >= self.settings.max_connections
                if not full:
                    self._count += 1
                    number = self._count
                    thread = threading.Thread(
                        target=self._serve, args=(line, number), name=f"mpftconnect-mllp-{number}", daemon=True
                    )
                    self._open[line] = thread
            if full:
                line.close()
                self._tell(Code.LINE_REFUSED, reason="too-many-connections")
                continue
            thread.start()

    def _tell(self, code: Code, **details: object) -> None:
        self._events.emit(code, system=self._evidence.system, **details)

    def _serve(self, plain: socket.socket, number: int) -> None:
        spoken, reason = plain, "closed"
        try:
            _tuned(plain)
            if self._tls is not None:
                plain.settimeout(self.settings.message_seconds)
                spoken = self._tls.wrap_socket(plain, server_side=True)
                shown = spoken.getpeercert(binary_form=True)
                with self._lock:
                    if shown and len(self._peers) < _MOST_PEERS:
                        self._peers[hashlib.sha256(shown).hexdigest()] = None
                    self._open[spoken] = self._open.pop(plain)
                    if self._stopping.is_set():
                        return
            self._tell(Code.LINE_OPENED, count=number)
            reason = self._converse(spoken, number)
        except ssl.SSLError:
            reason = "tls"
        except TimeoutError:
            reason = "too-slow"
        except OSError:
            reason = "connection-lost"
        except Exception as error:  # noqa: BLE001 - the handler's or recorder's own fault ends this connection alone
            reason = f"fault-{type(error).__name__}"
        finally:
            with self._lock:
                self._open.pop(spoken, None)
                self._open.pop(plain, None)
            with suppress(OSError):
                spoken.close()
            self._tell(Code.LINE_CLOSED, count=number, reason=reason)

    def _converse(self, line: socket.socket, number: int) -> str:
        """Read, hand over, answer, until there is no more; returns why it ended."""
        settings = self.settings
        reader, held = FrameReader(settings.max_bytes), 0
        began: float | None = None
        talked = False
        heard = time.monotonic()
        # Looked at in short turns, so that no call is needed to change how long the next one may wait.
        line.settimeout(_TICK_SECONDS)
        try:
            while not self._stopping.is_set():
                try:
                    data = line.recv(_CHUNK_BYTES)
                except TimeoutError as silence:
                    if silence.errno is not None:
                        return "connection-lost"  # not our turn's end: TCP asked, and nobody was there
                    data = None
                now = time.monotonic()
                if began is not None and now - began > settings.message_seconds:
                    return "too-slow"
                if data is None:
                    if began is None and now - heard > settings.idle_seconds:
                        return "idle"
                    continue
                heard = now
                if not data:
                    return "closed"
                until = (began or now) + settings.message_seconds
                found = reader.feed(data)
                if not talked and any(isinstance(each, Frame) for each in found):
                    talked = True
                    with self._lock:
                        self._talked.append(number)
                if found:
                    if len(found) != 1 or not isinstance(found[0], Frame):
                        self._note(number, found)
                    if not self._answer(line, number, found):
                        return "refused"
                # Accounted for after what was whole has gone: what stays is the beginning of one message.
                held, grown = reader.held, reader.held - held
                if grown > 0 and not self._room.take(grown, until):
                    held -= grown
                    return "no-room"
                if grown < 0:
                    self._room.give(-grown)
                if not reader.inside:
                    began = None
                elif began is None or found:
                    began = time.monotonic()
            return "stopped"
        finally:
            self._room.give(held)
            self._note(number, reader.end(), ended=True)

    def _note(self, number: int, found: Sequence[Frame | Stray | Oversize], *, ended: bool = False) -> None:
        for each in found:
            if isinstance(each, Frame):
                continue
            rule = each.rule if isinstance(each, Stray) else "too-long"
            with self._lock:
                self._stray_bytes += each.count
                self._findings.append(Finding(number, each.offset, each.count, rule, ended))
            self._tell(Code.FRAME_REFUSED, reason=rule, count=each.count)

    def _answer(self, line: socket.socket, number: int, found: Sequence[Frame | Stray | Oversize]) -> bool:
        """Hand whole messages over and send the replies, in order; False if the connection should end."""
        batch: list[bytes] = []
        for each in found:
            if isinstance(each, Frame):
                batch.append(each.data)
                if len(batch) == _TOGETHER:
                    self._handle(line, batch)
                    batch = []
            elif isinstance(each, Oversize):
                self._handle(line, batch)
                batch = []
                if self._refuse is None:
                    return False
                self._send(line, [self._refuse(each.head)])
        self._handle(line, batch)
        return True

    def _handle(self, line: socket.socket, batch: Sequence[bytes]) -> None:
        if not batch:
            return
        if not self._evidence.wanted:
            self._send(line, self._handler(batch))
            return
        tried = [MllpAttempt("mllp-receive", message) for message in batch]
        replies = self._handler(batch)
        lost: str | None = "unreachable"  # taken, but its sender may not know: it will send again
        try:
            self._send(line, replies)
            lost = None
        finally:
            for attempt, reply in zip(tried, replies, strict=True):
                if not reply.quiet:
                    self._evidence.keep(attempt, b"".join(reply.answers), reply.code, lost)

    def _send(self, line: socket.socket, replies: Sequence[Reply]) -> None:
        data = b"".join([framed(answer) for reply in replies for answer in reply.answers])
        if not data:
            return
        # Short as they are, acknowledgements nearly always go at once.
        try:
            sent = line.send(data)
        except TimeoutError:
            sent = 0
        if sent < len(data):
            line.settimeout(self.settings.send_seconds)
            line.sendall(memoryview(data)[sent:])
            line.settimeout(_TICK_SECONDS)


def _tuned(line: socket.socket) -> None:
    """Acknowledgements go at once, and TCP itself asks whether a silent sender is still there."""
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE:
        if (option := getattr(socket, name, None)) is not None:
            line.setsockopt(socket.IPPROTO_TCP, option, value)
