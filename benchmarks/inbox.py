"""Messages received by MLLP, each on the disk before it is acknowledged, beside bare durable commits in the same run.

The sender is a process of its own that does as little as can be, so that what is measured is receiving; and so is the
receiver, as a listener is.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from result import Goal, Result
from size import Size
from timing import Samples, wall_clock

from mpftconnect.adapters.mllp_server import MllpServer
from mpftconnect.adapters.mllp_settings import ListenSettings
from mpftconnect.governance.exclusion import ExclusionSettings, exclusion_spec
from mpftconnect.inbox import Answering, Feed, Inbox, SqliteStore

__all__ = ["run"]

# Sends so many messages over so many connections, and prints the seconds. On each connection a message goes after the
# answer to the one before it; or, where more than one may be on its way, as soon as another of them is answered.
_SENDER = r"""
import itertools, selectors, socket, sys, time
port = int(sys.argv[1])
for line in sys.stdin:
    connections, messages, serial, ahead = map(int, line.split())
    lines = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
    body = b"\rPID|1||9990000018^^^NHS^NH~M1^^^ZZ1^MR||TESTWORTH^ADA||19500304|F\rNTE|1||" + b"x" * 500 + b"\r\x1c\r"
    head = b"\x0bMSH|^~\\&|PAS|ZZ1|US|RRE|20260102090000||ADT^A01|%d-%d|P|2.4"
    blocks = iter([head % (serial, number) + body for number in range(messages)])
    waiting = selectors.DefaultSelector()
    for each in lines:
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        waiting.register(each, selectors.EVENT_READ, bytearray())
    left, begun = messages, time.perf_counter()
    for each in lines:
        each.sendall(next(blocks))
    if connections == 1:
        # One connection needs no waiting for several: what the sender computes itself is not what is measured.
        one, heard = lines[0], b""
        if ahead == 1:
            # The message that follows is ready before it may go, and answers are looked at when all have come.
            answers = []
            for block in [*blocks, None]:
                answers.append(one.recv(65536))
                while not answers[-1].endswith(b"\x1c\r"):
                    answers[-1] += one.recv(65536)
                if block is not None:
                    one.sendall(block)
            left = 0
            assert len(answers) == messages and all(b"MSA|AA|" in answer for answer in answers)
        else:
            one.sendall(b"".join(next(blocks) for _ in range(ahead - 1)))
        while left:
            heard += one.recv(65536)
            if heard.endswith(b"\x1c\r"):
                answers = heard.count(b"\x1c\r")
                left -= answers
                one.sendall(b"".join(itertools.islice(blocks, answers)))
                assert heard.count(b"MSA|AA|") == answers
                heard = b""
    while left:
        for key, _ in waiting.select():
            key.data.extend(key.fileobj.recv(65536))
            if key.data.endswith(b"\x1c\r"):
                assert b"MSA|AA|" in key.data
                key.data.clear()
                left -= 1
                block = next(blocks, None)
                if block is not None:
                    key.fileobj.sendall(block)
    print(time.perf_counter() - begun, flush=True)
    for each in lines:
        each.close()
"""
_FEED = Feed.model_validate(
    {
        "senders": [{"application": "PAS", "facility": "ZZ1"}],
        "expected_minutes": 60,
        "sections": ["encounters"],
        "agreement": {
            "name": "ISA",
            "parties": ["RRE"],
            "purposes": ["direct-care"],
            "sections": ["all"],
            "expires": "2099-01-01",
        },
    }
)
_CONNECTIONS = 8
_AHEAD = 8


def run(size: Size) -> list[Result]:
    """What a process of its own found."""
    command = [sys.executable, __file__, str(min(100, size.items)), str(size.rounds * 16)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    rows = json.loads(done.stdout)
    return [Result(**row | {"goal": Goal(**row["goal"])}) for row in rows]


def _received(messages: int, rounds: int) -> list[Result]:
    # Short turns: a shared disk is quiet for moments only, and the least of many turns is what counts.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        silent = (exclusion_spec.build(ExclusionSettings()),)
        inbox = Inbox(SqliteStore(folder / "inbox"), {"pas": _FEED}, silent=silent)
        with (
            MllpServer(ListenSettings(environment="test"), Answering(inbox)) as server,
            closing(sqlite3.connect(folder / "bare.sqlite", isolation_level=None)) as db,
            subprocess.Popen(
                [sys.executable, "-c", _SENDER, str(server.port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            ) as sender,
        ):
            one, ahead, many, bare = _measured(sender, db, messages, rounds)
            assert sender.stdin is not None
            sender.stdin.close()
        inbox.close()
    return [
        Result(
            "one message received, on the disk and acknowledged, one connection, wall",
            one.least * 1e6,
            "us",
            "a bare SQLite commit, flushed",
            bare.least * 1e6,
            one.spread,
            Goal("ratio", 2.0),
        ),
        Result(
            f"the same, of a sender that has {_AHEAD} messages on their way, one connection, wall",
            ahead.least * 1e6,
            "us",
            "a bare SQLite commit, flushed",
            bare.least * 1e6,
            ahead.spread,
            Goal("ratio", 2.0),
        ),
        Result(
            f"one message received, on the disk and acknowledged, {_CONNECTIONS} connections, wall",
            many.least * 1e6,
            "us",
            "one connection",
            one.least * 1e6,
            many.spread,
            Goal("ratio", 1.0),
        ),
    ]


def _measured(
    sender: subprocess.Popen[str], db: sqlite3.Connection, messages: int, rounds: int
) -> tuple[Samples, Samples, Samples, Samples]:
    """Seconds for each message over one connection, over one with several on their way, over several, and for each bare
    commit: the same bytes for a message, the same settings, on the same file system; in turns.
    """
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE log (seq INTEGER PRIMARY KEY, body BLOB)")
    serial = itertools.count(1)
    assert sender.stdin is not None and sender.stdout is not None

    def sent(connections: int, ahead: int = 1) -> float:
        assert sender.stdin is not None and sender.stdout is not None
        sender.stdin.write(f"{connections} {messages} {next(serial)} {ahead}\n")
        sender.stdin.flush()
        return float(sender.stdout.readline()) / messages

    def committed() -> float:
        begun = wall_clock()
        for _ in range(messages):
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT INTO log (body) VALUES (?)", (b"x" * 700,))
            db.execute("COMMIT")
        return (wall_clock() - begun) / messages

    one, ahead, many, bare = [], [], [], []
    for _ in range(rounds):
        bare.append(committed())
        one.append(sent(1))
        ahead.append(sent(1, min(_AHEAD, messages)))
        many.append(sent(_CONNECTIONS))
    return Samples(tuple(one)), Samples(tuple(ahead)), Samples(tuple(many)), Samples(tuple(bare))


if __name__ == "__main__":
    print(json.dumps([asdict(result) for result in _received(int(sys.argv[1]), int(sys.argv[2]))]))
