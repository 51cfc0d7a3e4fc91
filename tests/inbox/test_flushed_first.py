"""The commit's flush returned before the acknowledgement's bytes were written; and this check notices if it did not."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mpftconnect.adapters.mllp_client import MllpClient
from mpftconnect.adapters.mllp_settings import SendSettings

from .conftest import message
from .flush_order import CALLS, Verdict, judge

# The listener as it is, but for the one setting.
LISTENER = """
import sys, threading
from pathlib import Path
from mpftconnect.adapters.mllp_server import MllpServer
from mpftconnect.adapters.mllp_settings import ListenSettings
from mpftconnect.inbox import Answering, Inbox, SqliteStore

inbox = Inbox(SqliteStore(Path(sys.argv[1]), synchronous=sys.argv[2]), {}, default_feed="default")
server = MllpServer(ListenSettings(environment="test"), Answering(inbox)).start()
print(server.port, flush=True)
sys.stdin.read()
server.stop()
inbox.close()
"""
TRACER = shutil.which("strace")


def traced(folder: Path, synchronous: str, connections: int, each: int) -> Verdict:
    trace = folder / "trace"
    command = [TRACER or "strace", "-f", "-y", "-s", "65536", "-o", str(trace), "-e", f"trace={CALLS}"]
    command += [sys.executable, "-c", LISTENER, str(folder / "store"), synchronous]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdin and process.stdout and process.stderr
        first = process.stdout.readline()
        if not first.strip():
            pytest.skip(f"strace cannot trace here: {process.stderr.read()[:200]}")
        port = int(first)

        def send(number: int) -> None:
            with MllpClient(SendSettings(host="127.0.0.1", port=port, environment="test")) as client:
                for one in range(each):
                    assert client.send(message(f"c{number}-{one}")).outcome == "accepted"

        threads = [threading.Thread(target=send, args=(number,)) for number in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        process.stdin.close()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait(10)
        for each_pipe in (process.stdin, process.stdout, process.stderr):
            if each_pipe:
                each_pipe.close()
    with trace.open(encoding="utf-8", errors="replace") as lines:
        return judge(lines)


needs_strace = pytest.mark.skipif(TRACER is None, reason="needs strace (Debian package strace)")


@needs_strace
@pytest.mark.parametrize(("connections", "each"), [(1, 20), (4, 8)])
def test_every_message_was_flushed_before_it_was_acknowledged(tmp_path: Path, connections: int, each: int):
    verdict = traced(tmp_path, "FULL", connections, each)
    assert verdict.too_early == [] and len(verdict.in_order) == connections * each
    assert verdict.flushes > 0


@needs_strace
def test_a_store_that_does_not_flush_is_found_out(tmp_path: Path):
    verdict = traced(tmp_path, "OFF", 1, 10)
    assert not verdict.ok and len(verdict.too_early) == 10 and verdict.flushes == 0


# The judge itself, on traces written by hand.

WRITE = '7 pwrite64(5</s/inbox.sqlite-wal>, "MSH|^~\\\\&|A|B|C|D|E||ADT|{0}|P", 60, 0) = 60'
FLUSH = "7 fdatasync(5</s/inbox.sqlite-wal>) = 0"
ANSWER = '7 sendto(9<socket:[1]>, "\\vMSH|..\\rMSA|AA|{0}\\r\\34\\r", 60, 0, NULL, 0) = 60'


@pytest.mark.parametrize(
    ("lines", "early"),
    [
        ([WRITE.format(1), FLUSH, ANSWER.format(1)], []),
        ([WRITE.format(1), ANSWER.format(1), FLUSH], ["1"]),
        ([WRITE.format(1), ANSWER.format(1)], ["1"]),
        ([FLUSH, WRITE.format(1), ANSWER.format(1)], ["1"]),
        ([ANSWER.format(1)], ["1"]),
        ([WRITE.format(11), FLUSH, ANSWER.format(1)], ["1"]),
        ([WRITE.format(1), FLUSH.replace("-wal", ""), ANSWER.format(1)], ["1"]),
        ([WRITE.format(1), FLUSH.replace("= 0", "= -1 EIO"), ANSWER.format(1)], ["1"]),
        # The next commit wrote the page again, with its own message beside it.
        ([WRITE.format(1), FLUSH, WRITE.format("1|Q|P|2.4|MSH|^~\\\\&|A|B|C|D|E||ADT|2"), ANSWER.format(1)], []),
        ([WRITE.format(1), FLUSH, WRITE.format("1|Q|P|2.4|MSH|^~\\\\&|A|B|C|D|E||ADT|2"), ANSWER.format(2)], ["2"]),
        # A flush that has begun and not returned when the answer is written.
        (
            [
                WRITE.format(1),
                "8 fdatasync(5</s/inbox.sqlite-wal> <unfinished ...>",
                ANSWER.format(1),
                "8 <... fdatasync resumed>) = 0",
            ],
            ["1"],
        ),
        # One that returned in time, although its line is in two parts.
        (
            [
                WRITE.format(1),
                "8 fdatasync(5</s/inbox.sqlite-wal> <unfinished ...>",
                "8 <... fdatasync resumed>) = 0",
                ANSWER.format(1),
            ],
            [],
        ),
        # A write that another thread made while the flush had begun already.
        (
            [
                "8 fdatasync(5</s/inbox.sqlite-wal> <unfinished ...>",
                WRITE.format(1),
                "8 <... fdatasync resumed>) = 0",
                ANSWER.format(1),
            ],
            ["1"],
        ),
    ],
)
def test_the_judge_of_traces(lines: list[str], early: list[str]):
    assert judge(lines).too_early == early
