"""The listener is killed at random points of a stream: is every acknowledged message there, once, in order?

python benchmarks/inbox_kills.py                       # 100 kills within 20,000 messages
python benchmarks/inbox_kills.py --kills 5 --messages 2000 --seed 7

A killed process does not lose what the system has in memory: that each commit was flushed before its acknowledgement is
proved apart, by a trace of system calls (tests/inbox/test_flushed_first.py).
"""

from __future__ import annotations

import argparse
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mpftconnect.adapters.mllp_client import MllpClient
from mpftconnect.adapters.mllp_settings import SendSettings
from mpftconnect.errors import AdapterError
from mpftconnect.inbox import SqliteStore

__all__ = ["Outcome", "run"]

_LISTEN = "from mpftconnect.cli import main; main()"


@dataclass
class Outcome:
    """What was found.

    Args:
        kills: How often the listener was killed.
        acknowledged: Messages that their sender was told are kept.
        stored: Messages in the log.
        missing: Acknowledged messages that are not in the log.
        twice: Messages that are in the log more than once.
        disordered: Senders whose messages are not in the order in which they were sent.
        repeats: Messages that were sent again since their answer was lost, and taken once.
    """

    kills: int = 0
    acknowledged: int = 0
    stored: int = 0
    missing: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    disordered: list[int] = field(default_factory=list)
    repeats: int = 0

    @property
    def ok(self) -> bool:
        return not (self.missing or self.twice or self.disordered) and self.acknowledged == self.stored

    def words(self) -> str:
        verdict = "nothing lost, nothing twice, all in order" if self.ok else "NOT MET"
        return (
            f"{self.kills} kills; {self.acknowledged} acknowledged, {self.stored} stored, {self.repeats} taken once "
            f"though sent again; missing {len(self.missing)}, twice {len(self.twice)}, senders out of order "
            f"{len(self.disordered)}: {verdict}"
        )


def _message(sender: int, number: int) -> bytes:
    head = f"MSH|^~\\&|PAS{sender}|ZZ1|US|RRE|20260102090000||ORU^R01|{sender}-{number}|P|2.4"
    return f"{head}\rPID|1||M{number}^^^ZZ1^MR\rOBX|1|NM|K^Potassium^L||4.{number % 10}\r".encode()


class _Listener:
    """The real command, in a process of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self._command = [sys.executable, "-c", _LISTEN, "hl7", "listen", "--environment", "test"]
        self._command += ["--port", str(port), "--store", str(folder)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stderr=subprocess.PIPE)
        assert self._process.stderr is not None
        if not self._process.stderr.readline().startswith(b"listening"):
            raise RuntimeError("the listener did not start")

    def end(self, number: int) -> int:
        process = self._process
        assert process is not None and process.stderr is not None
        process.send_signal(number)
        code = process.wait(60)
        process.stderr.close()
        return code


def run(*, kills: int, messages: int, senders: int = 4, seed: int = 1, folder: Path | None = None) -> Outcome:
    """Send so many messages in all, kill the listener so often meanwhile, and compare."""
    with tempfile.TemporaryDirectory() as name:
        return _run(kills, messages, senders, random.Random(seed), folder or Path(name))


def _run(kills: int, messages: int, senders: int, chance: random.Random, folder: Path) -> Outcome:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    told: dict[int, list[str]] = {sender: [] for sender in range(senders)}
    each = messages // senders
    sent = threading.Event()

    def send(sender: int) -> None:
        settings = SendSettings(
            host="127.0.0.1", port=port, environment="test", attempts=100_000, pause_seconds=0.01, answer_seconds=10.0
        )
        with MllpClient(settings, pause=lambda seconds: time.sleep(0.02)) as client:
            for number in range(each):
                while True:
                    try:
                        result = client.send(_message(sender, number))
                    except AdapterError:
                        continue
                    break
                if result.outcome != "accepted":
                    raise RuntimeError("a good message was refused")
                told[sender].append(result.control_id)
                sent.set()

    listener, outcome = _Listener(folder, port), Outcome()
    listener.start()
    threads = [threading.Thread(target=send, args=(sender,), daemon=True) for sender in told]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        # Spread over what is left to be sent, at random within.
        done = sum(len(ids) for ids in told.values())
        share = (messages - done) / max(1, kills - outcome.kills + 1)
        target = done + chance.uniform(0.1, 1.9) * share
        while any(thread.is_alive() for thread in threads):
            if outcome.kills < kills and sum(len(ids) for ids in told.values()) >= target:
                break
            time.sleep(0.001)
        else:
            break
        time.sleep(chance.uniform(0, 0.01))
        listener.end(signal.SIGKILL)
        outcome.kills += 1
        listener.start()
    if listener.end(signal.SIGTERM) != 0:
        raise RuntimeError("the listener did not stop as it should")
    return _compared(folder, told, outcome)


def _compared(folder: Path, told: dict[int, list[str]], outcome: Outcome) -> Outcome:
    store = SqliteStore(folder)
    stored: dict[int, list[int]] = {sender: [] for sender in told}
    for entry in store.entries(["received", "processed", "parked", "discarded"]):
        sender, _, number = entry.control_id.partition("-")
        stored[int(sender)].append(int(number))
        outcome.repeats += entry.repeats
        outcome.stored += 1
    store.close()
    for sender, ids in told.items():
        there = stored[sender]
        outcome.acknowledged += len(ids)
        known = Counter(there)
        outcome.missing += [id_ for id_ in ids if int(id_.partition("-")[2]) not in known]
        outcome.twice += [f"{sender}-{number}" for number, count in known.items() if count > 1]
        if there != sorted(there):
            outcome.disordered.append(sender)
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    outcome = run(kills=given.kills, messages=given.messages, seed=given.seed)
    print(outcome.words())
    return 0 if outcome.ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
