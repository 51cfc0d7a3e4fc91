"""An MLLP client that keeps its order: the next message goes out only when the one before it has its answer.

If a connection is lost while an answer is awaited, nobody knows whether the message was taken. Then the same bytes are
sent again, by a new connection, before anything else. A receiver that knows a repeat by sender, control id and content
(as `mpftconnect.inbox` does) takes it once. A receiver that does not may take it twice: then set `attempts` to 1.
"""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from mpftconnect.adapters.deadline import Deadline
from mpftconnect.adapters.failures import adapter_error
from mpftconnect.adapters.mllp_exchange import Evidence, MllpAttempt
from mpftconnect.adapters.mllp_frames import Frame, FrameReader, Oversize, Stray, framed
from mpftconnect.adapters.mllp_settings import SendSettings
from mpftconnect.adapters.recorder import Recorder
from mpftconnect.errors import AdapterError, AnswerRejected, OutcomeUnknown, TimedOut, Unreachable, UsageError
from mpftconnect.events import Code, EventStream

__all__ = ["Acknowledged", "Acknowledgement", "MllpClient", "read_acknowledgement"]

_LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """An acknowledgement as far as sending needs it.

    Args:
        code: MSA-1: AA, AE, AR, or in enhanced mode CA, CE, CR.
        control_id: MSA-2: the message that it answers.
        errors: Codes of the ERR segments (HL7 table 0357), in order.
    """

    code: str
    control_id: str
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What became of one message.

    Args:
        number: Which one of those given, from 1.
        control_id: MSH-10.
        outcome: `accepted`; `error` (AE, CE: it may be sent again later); `rejected` (AR, CR: it is wrong as it is).
        code: The code that decided.
        errors: See `Acknowledgement`.
        attempts: How often it was sent.
    """

    number: int
    control_id: str
    outcome: Literal["accepted", "error", "rejected"]
    code: str
    errors: tuple[str, ...]
    attempts: int


_OUTCOMES: dict[str, Literal["accepted", "error", "rejected"]] = {
    "AA": "accepted",
    "CA": "accepted",
    "AE": "error",
    "CE": "error",
    "AR": "rejected",
    "CR": "rejected",
}


def _text(field: bytes) -> str:
    return field.decode("latin-1")


def _fields(segment: bytes, separator: bytes) -> list[bytes]:
    return segment.split(separator)


def read_acknowledgement(raw: bytes) -> Acknowledgement:
    r"""Read MSA and the codes of ERR.

    Raises:
        AnswerRejected: It is no acknowledgement.

    >>> read_acknowledgement(b"MSH|^~\\&|\rMSA|AE|7\rERR||PID^1|207^x^HL70357|E")
    Acknowledgement(code='AE', control_id='7', errors=('207',))
    """
    lines = [line for line in raw.replace(b"\n", b"\r").split(b"\r") if line]
    if not lines or not lines[0].startswith(b"MSH") or len(lines[0]) < 5:
        raise AnswerRejected("the answer is no HL7 v2 message", place="MSH")
    separator, component = lines[0][3:4], lines[0][4:5]
    answer = next((_fields(line, separator) for line in lines if line[:4] == b"MSA" + separator), None)
    if answer is None or len(answer) < 3 or answer[1].decode("latin-1") not in _OUTCOMES:
        raise AnswerRejected("the answer is no acknowledgement", place="MSA-1")
    errors = []
    for line in lines:
        if line[:4] == b"ERR" + separator:
            fields = _fields(line, separator)
            # ERR-3 from version 2.5 on; before, the fourth component of ERR-1, whose sub-components are a code.
            code = fields[3] if len(fields) > 3 and fields[3] else (fields[1].split(component) + [b""] * 4)[3]
            errors.append(_text(code.split(component)[0].split(b"&")[0]))
    return Acknowledgement(_text(answer[1]), _text(answer[2]), tuple(e for e in errors if e.isalnum() and len(e) < 9))


@dataclass(frozen=True, slots=True)
class _Header:
    control_id: str
    wants_application: bool
    wants_commit: bool


def _header(message: bytes) -> _Header:
    first = message.replace(b"\n", b"\r").split(b"\r", 1)[0]
    if not first.startswith(b"MSH") or len(first) < 8:
        raise UsageError("a message begins with MSH")
    fields = _fields(first, first[3:4])
    control = _text(fields[9]) if len(fields) > 9 else ""
    if not control:
        raise UsageError("MSH-10: a message needs a control id, or its acknowledgement cannot be told from another's")
    accept = _text(fields[14]) if len(fields) > 14 else ""
    application = _text(fields[15]) if len(fields) > 15 else ""
    enhanced = bool(accept or application)  # HL7 v2.5.1, section 2.9.3: enhanced if either is valued
    return _Header(
        control,
        wants_application=not enhanced or application in ("AL", "SU", "ER"),
        wants_commit=enhanced and accept in ("AL", "SU", "ER"),
    )


class MllpClient:
    """Sends messages in order over one connection at a time. For one thread; `close` may come from another.

    Args:
        settings: Where to, and how patiently.
        name: Configured name of the line, for events and records.
        events: Takes what happens; no message's content.
        recorder: Takes every exchange.
        pause: Waits so many seconds; for tests.
    Raises:
        ConfigurationError: See `SendSettings.context`; or the recorder is not meant for a live environment.
    """

    def __init__(
        self,
        settings: SendSettings,
        *,
        name: str = "mllp",
        events: EventStream | None = None,
        recorder: Recorder | None = None,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self.settings = settings
        self._tls = settings.context()
        self._events = events or EventStream()
        place = f"mllp://{settings.host}:{settings.port}"
        self._evidence = Evidence(name, settings.environment, place, recorder, self._events)
        self._line: socket.socket | None = None
        self._reader = FrameReader(settings.max_bytes)
        self._early: list[bytes] = []
        self._closed = threading.Event()
        self._pause = pause or self._closed.wait

    def send_all(self, messages: Iterable[bytes]) -> Iterator[Acknowledged]:
        """Send messages one after the other, and say of each what became of it.

        A message that is answered by `error` is sent again, as often as the settings allow: the next one must not
        overtake it. Whether to go on after an `error` or `rejected` is for the caller, who may stop to iterate.

        Raises:
            OutcomeUnknown: A message left and no answer came, at the last attempt too: it may have been taken. Send the
                same bytes again before any other.
            Unreachable: No connection, and the message never left.
        """
        for number, message in enumerate(messages, 1):
            yield self._send(number, message)

    def send(self, message: bytes) -> Acknowledged:
        """Send one message; see `send_all`."""
        return self._send(1, message)

    def close(self) -> None:
        """Close the connection; whatever waits ends at once."""
        self._closed.set()
        self._drop()

    def __enter__(self) -> MllpClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, number: int, message: bytes) -> Acknowledged:
        header, block = _header(message), framed(message)
        request_id = str(uuid.uuid4())
        left = False  # whether a byte of it may have arrived
        pause = self.settings.pause_seconds
        attempt = 0
        while True:
            attempt += 1
            tried = MllpAttempt("mllp-send", message, attempt, request_id)
            failure: AdapterError | None = None
            answer: Acknowledgement | None = None
            raw = b""
            try:
                line = self._connected()
                left = True
                answer, raw = self._exchange(line, block, header)
            except AdapterError as error:
                failure = error
            except OSError as error:
                failure = adapter_error(error) or Unreachable("TCP: the connection failed")
            except BaseException:
                self._drop()
                raise
            self._evidence.keep(tried, raw, answer.code if answer else None, str(failure.reason) if failure else None)
            if failure is not None:
                self._drop()
            outcome = _OUTCOMES[answer.code] if answer else None
            if answer is not None and outcome is not None and (outcome != "error" or attempt >= self.settings.attempts):
                return Acknowledged(number, header.control_id, outcome, answer.code, answer.errors, attempt)
            if attempt >= self.settings.attempts or self._closed.is_set():
                break
            self._events.emit(
                Code.EXCHANGE_RETRIED,
                system=self._evidence.system,
                step="mllp-send",
                reason=answer.code if answer else str(failure.reason) if failure else None,
                count=attempt + 1,
                request_id=request_id,
            )
            self._pause(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        if left:
            raise OutcomeUnknown(
                "a message left here and no answer came: send the same bytes again, before any other",
                system=self._evidence.system,
            )
        assert failure is not None  # noqa: S101 - nothing left and nothing came
        raise type(failure)(failure.rule, system=self._evidence.system)

    def _connected(self) -> socket.socket:
        if self._closed.is_set():
            raise UsageError("the client is closed")
        if self._line is not None:
            return self._line
        settings = self.settings
        failure: AdapterError | None = None
        try:
            line = socket.create_connection((settings.host, settings.port), settings.connect_timeout)
            try:
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls is not None:
                    line = self._tls.wrap_socket(line, server_hostname=settings.host)
            except BaseException:
                line.close()
                raise
        except OSError as error:
            failure = adapter_error(error) or Unreachable("TCP: the connection failed")
        if failure is not None:
            raise failure  # outside the handler, so that it carries no context
        self._line, self._reader, self._early = line, FrameReader(settings.max_bytes), []
        return line

    def _drop(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            with suppress(OSError):
                socket.socket.shutdown(line, socket.SHUT_RDWR)
            line.close()

    def _exchange(self, line: socket.socket, block: bytes, header: _Header) -> tuple[Acknowledgement, bytes]:
        deadline = Deadline.after(self.settings.answer_seconds)
        if self._early:
            # An answer before its question belongs to something else; nothing on this line can be trusted.
            raise AnswerRejected("an acknowledgement came that nothing had asked for", place="MSA-2")
        line.settimeout(deadline.remaining())
        line.sendall(block)
        if not (header.wants_commit or header.wants_application):
            return Acknowledgement("CA", header.control_id), b""
        answer, raw = self._answer(line, header, deadline)
        if header.wants_commit and header.wants_application and answer.code == "CA":
            answer, more = self._answer(line, header, deadline)
            raw += more
        return answer, raw

    def _answer(self, line: socket.socket, header: _Header, deadline: Deadline) -> tuple[Acknowledgement, bytes]:
        while not self._early:
            deadline.check("waiting for an acknowledgement")
            line.settimeout(max(0.001, deadline.remaining()))
            try:
                data = line.recv(65_536)
            except TimeoutError:
                data = None
            if data is None:
                raise TimedOut("no acknowledgement in time")
            if not data:
                raise Unreachable("TCP: the connection was lost before the acknowledgement")
            for found in self._reader.feed(data):
                if isinstance(found, Oversize) or (isinstance(found, Stray) and found.rule == "frame-without-end"):
                    raise AnswerRejected("the answer is no whole MLLP block", place="MLLP")
                if isinstance(found, Frame):
                    self._early.append(found.data)
        raw = self._early.pop(0)
        answer = read_acknowledgement(raw)
        if answer.control_id != header.control_id:
            raise AnswerRejected("the acknowledgement is of another message", place="MSA-2")
        return answer, raw
