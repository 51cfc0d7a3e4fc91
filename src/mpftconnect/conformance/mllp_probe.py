"""Speaks MLLP for a probe: sends and keeps what was answered, listens and keeps what came. It raises for nothing that
the other side does; how an exchange ended is a fact of it: `answered`, `silent`, `closed`.
"""

from __future__ import annotations

import hashlib
import secrets
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mpftconnect.adapters import Deadline
from mpftconnect.adapters.failures import adapter_error
from mpftconnect.adapters.mllp_frames import Frame, FrameReader, Oversize
from mpftconnect.adapters.mllp_server import MllpServer, Reply
from mpftconnect.adapters.mllp_settings import SendSettings
from mpftconnect.conformance.evidence import Recorded
from mpftconnect.conformance.mllp_lines import SenderLine
from mpftconnect.errors import ConfigurationError, MpftConnectError
from mpftconnect.events import Code, Event, EventStream
from mpftconnect.hl7v2 import ack, parse

__all__ = ["deliver", "listen", "recorded_message"]

_MOST_MESSAGES = 500
# A sender that floods is listened to, and of what it sends no more than this is kept.
_MOST_BYTES = 50_000_000


def deliver(
    settings: SendSettings,
    step: str,
    messages: Sequence[bytes],
    *,
    pieces: Sequence[bytes],
    deadline: Deadline,
    pause: float = 0.05,
    expect: int | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Recorded:
    """Send pieces over one connection of their own, and take acknowledgements until there are enough or time is spent.

    Args:
        messages: What the pieces hold, for the record.
        pieces: Bytes as they go out, one write each.
        expect: How many acknowledgements are waited for; as many as messages if not said.
    """
    wanted = len(messages) if expect is None else expect
    limit = deadline.earlier(settings.answer_seconds)
    began, ended, rule = time.monotonic(), "answered", ""
    answers: list[bytes] = []
    error: str | None = None
    line: socket.socket | None = None
    certificates: list[str] = []
    try:
        tls = settings.context()
        line = socket.create_connection((settings.host, settings.port), settings.connect_timeout)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            agreed = tls.wrap_socket(line, server_hostname=settings.host)
            line = agreed
            certificates = [hashlib.sha256(agreed.getpeercert(binary_form=True) or b"").hexdigest()]
    except (OSError, MpftConnectError) as failure:
        known = adapter_error(failure) if isinstance(failure, OSError) else None
        error, rule, ended = "unreachable", known.rule if known else "no connection", "unreachable"
    if line is not None and error is None:
        reader = FrameReader(settings.max_bytes)
        try:
            for number, piece in enumerate(pieces):
                if number:
                    time.sleep(min(pause, max(0.0, limit.remaining())))
                line.settimeout(max(0.001, limit.remaining()))
                line.sendall(piece)
            while len(answers) < wanted:
                line.settimeout(max(0.001, limit.remaining()))
                if limit.passed:
                    ended = "silent"
                    break
                data = line.recv(65_536)
                if not data:
                    ended = "closed"
                    break
                found = reader.feed(data)
                answers += [each.data for each in found if isinstance(each, Frame)]
                if any(isinstance(each, Oversize) for each in found):
                    ended = "too-long"
                    break
        except TimeoutError:
            ended = "silent"
        except ssl.SSLEOFError:
            ended = "closed"
        except ssl.SSLError as failure:
            # In TLS 1.3 a client learns only here that its certificate is not taken (RFC 8446, 4.4.2.4 and 6.2).
            ended = "closed"
            if not answers:
                known = adapter_error(failure)
                error, rule, ended = "unreachable", known.rule if known else "no secure connection", "unreachable"
        except OSError:
            ended = "closed"
    if line is not None:
        with suppress(OSError):
            line.close()
    return Recorded(
        id="",
        step=step,
        method="MLLP",
        url=f"mllp://{settings.host}:{settings.port}",
        protocol="mllp",
        request_body=b"".join(_ended(message) for message in messages),
        response_body=b"".join(_ended(answer) for answer in answers) or None,
        error=error,
        error_rule=rule,
        facts={
            "ended": ended,
            "sent": len(messages),
            "answers": len(answers),
            **({"certificates": certificates} if certificates else {}),
            **(facts or {}),
        },
        duration_ms=round((time.monotonic() - began) * 1000, 1),
    )


def listen(
    line: SenderLine,
    *,
    deadline: Deadline,
    facts: Callable[[bytes], Mapping[str, Any]],
    step: str = "message received",
    mark: Callable[[str], str] = lambda _: "",
) -> list[Recorded]:
    """Listen until the product is quiet or time is spent. The first message is not answered and its connection closed,
    once: a sender sends it again. Every other one is acknowledged by AA.

    Args:
        mark: How MSH-10 of our acknowledgements begins in answer to a buyer's challenge, by step.
    """
    if line.listen is None:
        return []
    taken: list[_Taken] = []
    begins = mark(step)
    lock = threading.Lock()
    last = [time.monotonic()]

    def handle(batch: Sequence[bytes]) -> Sequence[Reply]:
        replies = []
        for raw in batch:
            with lock:
                first = not taken
                one = _Taken(raw, "closed" if first else "AA")
                if len(taken) < _MOST_MESSAGES and sum(len(each.raw) for each in taken) + len(raw) <= _MOST_BYTES:
                    taken.append(one)
                last[0] = time.monotonic()
            if first:
                raise _NotAnsweredError
            try:
                one.answer = bytes(ack(parse(raw), "AA", control_id=_control_id(begins) if begins else None))
            except MpftConnectError:
                replies.append(Reply(()))
                continue
            replies.append(Reply((one.answer,), "AA"))
        return replies

    ends: Counter[str] = Counter()
    server = MllpServer(line.listen, handle, events=EventStream([lambda event: _count(event, ends)]))
    limit = deadline.earlier(line.seconds)
    try:
        server.start()
    except ConfigurationError as error:
        return [_line(line, step="line", error="unreachable", rule="; ".join(error.problems))]
    try:
        while not limit.passed and len(taken) < _MOST_MESSAGES:
            time.sleep(0.02)
            if taken and time.monotonic() - last[0] > line.quiet_seconds:
                break
    finally:
        server.stop(1.0)
    with lock:
        found = list(taken)
    said: dict[str, Any] = {"messages": len(found), "stray": _stray(server), "listened": True}
    if server.peers:
        said["certificates"] = list(server.peers[:5])
    # Connections that brought no whole message: to a line that should have one they say why none came.
    if trouble := {**ends, **_broken(server)}:
        said["trouble"] = dict(sorted(trouble.items()))
    made = [_line(line, step="line", facts=said)]
    for one in found:
        known = {"answered": one.answered, **facts(one.raw)}
        made.append(_line(line, step=step, body=one.raw, answer=one.answer, facts=known))
    return made


def _stray(server: MllpServer) -> list[str]:
    """Rules of what stood between or inside messages of a peer that speaks MLLP.

    What never was MLLP is another's (a health check, a scanner, TLS on a line in clear); what was cut off by the end of
    a connection, or is longer than this side takes, is no mistake of framing.
    """
    found = (each for each in server.findings if each.connection in server.talked and not each.ended)
    return sorted({each.rule for each in found if each.rule != "too-long"})


def _broken(server: MllpServer) -> dict[str, int]:
    many: Counter[str] = Counter()
    for each in server.findings:
        if each.rule == "too-long":
            many["too-long"] += 1
        elif each.ended:
            many["cut-off"] += 1
        elif each.connection not in server.talked:
            many["no-mllp"] += 1
    return dict(many)


def _count(event: Event, ends: Counter[str]) -> None:
    if event.code is Code.LINE_CLOSED and event.reason in ("tls", "too-slow", "connection-lost", "idle", "no-room"):
        ends[str(event.reason)] += 1


@dataclass(slots=True)
class _Taken:
    raw: bytes
    answered: str
    answer: bytes | None = None


def _control_id(begins: str) -> str:
    return begins + "".join(secrets.choice("ABCDEFGHIJKLMNOP") for _ in range(20 - len(begins)))


class _NotAnsweredError(Exception):
    """Ends a connection without an answer, as a crash of the receiver would."""


def _line(
    line: SenderLine,
    *,
    step: str,
    body: bytes | None = None,
    answer: bytes | None = None,
    facts: Mapping[str, Any] | None = None,
    error: str | None = None,
    rule: str = "",
) -> Recorded:
    port = line.listen.port if line.listen else 0
    return Recorded(
        id="",
        step=step,
        method="MLLP",
        url=f"mllp://{line.listen.host if line.listen else 'file'}:{port}",
        protocol="mllp",
        direction="received",
        request_body=None if body is None else _ended(body),
        response_body=None if answer is None else _ended(answer),
        error=error,
        error_rule=rule,
        facts=dict(facts or {}),
    )


def recorded_message(raw: bytes, facts: Mapping[str, Any], step: str = "message received") -> Recorded:
    """A message that the supplier gives as evidence: it came from a file and was answered by nobody."""
    return Recorded(
        id="",
        step=step,
        method="MLLP",
        url="file",
        protocol="mllp",
        direction="received",
        request_body=_ended(raw),
        facts={"answered": "file", **facts},
    )


def _ended(message: bytes) -> bytes:
    """With its last carriage return, so that the next one begins a line."""
    return message if message.endswith((b"\r", b"\n")) else message + b"\r"
