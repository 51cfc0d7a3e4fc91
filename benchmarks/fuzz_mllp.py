"""Frames that nobody means well: 100,000 of them at the reader, the answering and a listener over sockets.

python benchmarks/fuzz_mllp.py
python benchmarks/fuzz_mllp.py --frames 2000 --seed 7
"""

from __future__ import annotations

import argparse
import random
import socket
import sys
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mpftconnect.adapters.mllp_frames import Frame, FrameReader, Oversize, Stray
from mpftconnect.adapters.mllp_server import MllpServer, Reply
from mpftconnect.adapters.mllp_settings import ListenSettings
from mpftconnect.events import Event, EventStream
from mpftconnect.inbox import Answering, Inbox, SqliteStore

__all__ = ["Outcome", "run"]

_MOST = 4000
_GOOD = (
    b"MSH|^~\\&|PAS|ZZ1|US|RRE|20260102090000||ADT^A01|%d|P|2.4\rPID|1||9990000018^^^NHS^NH||SEEDEDVALUE^A\rPV1|1|I\r"
)
_PIECES = (b"\x0b", b"\x1c\r", b"\x1c", b"\r", b"\n", b"MSH", b"|", b"^~\\&", b"\x00", b"\xff\xfe", b"FHS|^~\\&|\r")


@dataclass
class Outcome:
    """What was seen.

    Args:
        frames: How many were made.
        answers: Acknowledgement codes of what was given to the answering.
        crashes: Kinds of exception that came out of it.
        unaccounted: Streams of which a byte was neither taken nor reported.
        peak_bytes: Most memory that all of it held at one time.
        values: Acknowledgements and events that held a seeded value.
    """

    frames: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    unaccounted: int = 0
    peak_bytes: int = 0
    values: int = 0

    @property
    def ok(self) -> bool:
        return not (self.crashes or self.unaccounted or self.values) and self.peak_bytes < 64_000_000

    def words(self) -> str:
        answers = ", ".join(f"{count} {code}" for code, count in sorted(self.answers.items()))
        verdict = "met" if self.ok else "NOT MET"
        return (
            f"{self.frames} frames; answers: {answers}; {sum(self.crashes.values())} crashes {dict(self.crashes)}, "
            f"{self.unaccounted} streams not accounted for, {self.values} seeded values shown, "
            f"at most {self.peak_bytes / 1e6:.1f} MB held: {verdict}"
        )


def _broken(number: int, chance: random.Random) -> bytes:
    """A block, damaged in one of several ways, or not at all."""
    message = _GOOD % number
    way = chance.randrange(8)
    if way == 1:
        message = chance.randbytes(chance.randrange(200))
    elif way == 2:
        message = b"".join(chance.choice(_PIECES) for _ in range(chance.randrange(60)))
    elif way == 3:
        at = chance.randrange(len(message))
        message = message[:at] + chance.choice(_PIECES) + message[at + chance.randrange(5) :]
    elif way == 4:
        message = message[: chance.randrange(len(message))]
    elif way == 5:
        message += b"NTE|1||" + b"x" * chance.randrange(3 * _MOST)
    elif way == 6:
        message = message.replace(b"|", chance.choice((b"!", b"\xa7", b"A", b" ", b"")))
    block = b"\x0b" + message + b"\x1c\r"
    if chance.randrange(10) == 0:
        block = block[chance.randrange(3) : len(block) - chance.randrange(3)]
    return block


def _streams(frames: int, chance: random.Random) -> list[bytes]:
    blocks = [_broken(number, chance) for number in range(frames)]
    out, at = [], 0
    while at < len(blocks):
        size = chance.randrange(1, 40)
        out.append(b"".join(blocks[at : at + size]))
        at += size
    return out


def run(frames: int, seed: int, *, over_sockets: int = 200) -> Outcome:
    """Make so many frames; every stream is cut at random, and some go over sockets to a listener."""
    chance, outcome = random.Random(seed), Outcome()
    events: list[Event] = []
    with tempfile.TemporaryDirectory() as name:
        stream = EventStream([events.append])
        inbox = Inbox(SqliteStore(Path(name) / "inbox", synchronous="OFF"), {}, default_feed="default", events=stream)
        answering = Answering(inbox, events=stream)
        tracemalloc.start()
        left = frames
        while left > 0:
            part = min(left, 2000)
            for data in _streams(part, chance):
                _read(data, chance, answering, outcome)
            left -= part
            outcome.frames += part
        _listen(_streams(min(over_sockets * 20, frames), chance)[:over_sockets], answering, stream, outcome)
        outcome.peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        inbox.close()
    outcome.values += sum("SEEDEDVALUE" in str(event.as_dict()) for event in events)
    return outcome


def _read(data: bytes, chance: random.Random, answering: Answering, outcome: Outcome) -> None:
    reader = FrameReader(_MOST)
    found: list[Frame | Stray | Oversize] = []
    try:
        at = 0
        while at < len(data):
            size = chance.choice((1, 7, 100, 5000))
            found += reader.feed(data[at : at + size])
            at += size
        found += reader.end()
        messages = [each.data for each in found if isinstance(each, Frame)]
        for replies in (answering(messages), [answering.refuse(e.head) for e in found if isinstance(e, Oversize)]):
            _noted(replies, outcome)
    except Exception as error:  # noqa: BLE001 - that none comes out is what is tried
        outcome.crashes[type(error).__name__] += 1
        return
    stray = sum(each.count for each in found if not isinstance(each, Frame))
    taken = sum(len(message) for message in messages)
    if not 0 <= len(data) - stray - taken <= 3 * len(messages):
        outcome.unaccounted += 1


def _noted(replies: Sequence[Reply], outcome: Outcome) -> None:
    for reply in replies:
        outcome.answers[reply.code or "none"] += 1
        outcome.values += any(b"SEEDEDVALUE" in answer for answer in reply.answers)


def _listen(streams: Sequence[bytes], answering: Answering, events: EventStream, outcome: Outcome) -> None:
    """The same over sockets; afterwards the listener still takes a good message."""
    settings = ListenSettings(environment="test", max_bytes=_MOST, max_waiting_bytes=50_000, message_seconds=2)
    with MllpServer(settings, answering, refuse=answering.refuse, events=events) as server:
        for number, data in enumerate(streams):
            with socket.create_connection(("127.0.0.1", server.port)) as line, suppress(OSError):
                line.sendall(data)
                if number % 3:
                    line.shutdown(socket.SHUT_WR)
                    line.settimeout(5)
                    while answer := line.recv(65_536):
                        outcome.values += b"SEEDEDVALUE" in answer
        with socket.create_connection(("127.0.0.1", server.port)) as line:
            line.settimeout(10)
            line.sendall(b"\x0b" + _GOOD % 999_999_999 + b"\x1c\r")
            if b"MSA|AA|999999999" not in line.recv(65_536):
                outcome.crashes["ListenerGone"] += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    outcome = run(given.frames, given.seed)
    print(outcome.words())
    return 0 if outcome.ok else 1


if __name__ == "__main__":
    sys.exit(main())
