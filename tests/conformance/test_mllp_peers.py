"""A product that sends and goes wrong on the line: the run ends, and nothing is held against it that is not its own."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from mpftconnect.conformance import CauseKind, Status
from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.run import Run, RunResult
from mpftconnect.conformance.supplier_file import supplier_from
from mpftconnect.sandbox import PEOPLE
from mpftconnect_conformance.twins.hl7v2_sender import SenderTwin

SENDING = tuple(f"hl7v2-uk#{number}" for number in (1, 3, 4, 5, 6, 7, 11, 13, 15))
GOOD = (
    b"MSH|^~\\&|A|ZZ101|B|ZZ999|20250901090000||ADT^A28^ADT_A05|M1|T|2.4\rEVN|A28|20250901090000\r"
    b"PID|1||9990000018^^^NHS^NH||Quillfeather^Tamsin||19560312|F||||||||||||||||||||||||01\rPV1|1|N\r"
)
Act = Callable[[socket.socket, threading.Event], None]


def hangs(line: socket.socket, over: threading.Event) -> None:
    over.wait(10)


def hangs_inside(line: socket.socket, over: threading.Event) -> None:
    line.sendall(b"\x0b" + GOOD[:60])
    over.wait(10)


def drips(line: socket.socket, over: threading.Event) -> None:
    for at in range(len(GOOD)):
        line.sendall((b"\x0b" + GOOD)[at : at + 1])
        if over.wait(0.05):
            return


def resets(line: socket.socket, over: threading.Event) -> None:
    line.sendall(b"\x0b" + GOOD[:80])
    over.wait(0.05)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def crashes_inside(line: socket.socket, over: threading.Event) -> None:
    line.sendall(b"\x0b" + GOOD[:80])


def speaks_http(line: socket.socket, over: threading.Event) -> None:
    line.sendall(b"GET /health HTTP/1.1\r\nHost: feed\r\n\r\n" + bytes(range(12, 256)))
    over.wait(0.1)


def speaks_tls(line: socket.socket, over: threading.Event) -> None:
    line.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x5a" * 500)
    over.wait(0.1)


def never_ends(line: socket.socket, over: threading.Event) -> None:
    line.sendall(b"\x0b" + GOOD)
    while not over.is_set():
        line.sendall(b"NTE|1||x\r" * 7_000)


def is_far_too_long(line: socket.socket, over: threading.Event) -> None:
    line.sendall(b"\x0b" + GOOD + b"NTE|1||x\r" * 2_400_000 + b"\x1c\r")
    over.wait(0.2)


BROKEN: tuple[Act, ...] = (
    *(hangs, hangs_inside, drips, resets, crashes_inside, speaks_http, speaks_tls, never_ends, is_far_too_long),
)


class Peer:
    """Connects again and again until it is stopped, and does the same each time."""

    def __init__(self, port: int, act: Act) -> None:
        self._port, self._act, self._over = port, act, threading.Event()
        self.acted = 0
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(5)

    def _work(self) -> None:
        while not self._over.wait(0.05):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1.0) as line:
                self.acted += 1
                self._act(line, self._over)


@pytest.fixture
def peer() -> Iterator[Callable[[int, Act], Peer]]:
    peers: list[Peer] = []

    def start(port: int, act: Act) -> Peer:
        peers.append(Peer(port, act))
        return peers[-1]

    yield start
    for each in peers:
        each.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def run(catalog: Catalog, port: int, only: tuple[str, ...] = SENDING, *, seconds: float = 0.8) -> RunResult:
    table: dict[str, Any] = {
        "version": 1,
        "product": {"name": "P", "version": "1", "supplier": "S", "ods": "ZZ999", "actors": ["sender"]},
        "target": {"environment": "test"},
        "authorised_by": {"name": "N", "organisation": "O", "date": "2025-09-01", "scope": "all"},
        "mllp": {"sender": {"port": port, "seconds": seconds, "quiet_seconds": 0.3}},
    }
    return Run(supplier_from(table), catalog.choose(["hl7v2-uk"], only=only), catalog.checks).go()


@pytest.mark.parametrize("act", BROKEN, ids=lambda act: act.__name__)
def test_a_broken_sender_decides_nothing_and_ends(act: Act, catalog: Catalog, peer: Callable[[int, Act], Peer]) -> None:
    port = free_port()
    broken = peer(port, act)
    result = run(catalog, port)
    assert broken.acted
    assert result.partial == ""
    for judged in result.judged:
        assert judged.outcome.status in (Status.INCONCLUSIVE, Status.NOT_TESTED), judged.outcome
        assert judged.outcome.cause is not None
        assert judged.outcome.cause.kind is not CauseKind.SUPPLIER
        if act is not hangs:  # who says nothing at all may have nothing to send
            assert judged.outcome.cause.kind is CauseKind.ENVIRONMENT, judged.outcome


@pytest.mark.parametrize("act", [hangs, crashes_inside, speaks_http, drips], ids=lambda act: act.__name__)
def test_a_broken_peer_beside_a_good_one_is_not_held_against_it(
    act: Act, catalog: Catalog, peer: Callable[[int, Act], Peer]
) -> None:
    twin = SenderTwin(PEOPLE)
    try:
        peer(twin.port, act)
        result = run(catalog, twin.port, seconds=3.0)
    finally:
        twin.close()
    assert {judged.outcome.status for judged in result.judged} == {Status.PASS}, [
        (judged.requirement.ref, judged.outcome) for judged in result.judged if judged.outcome.status is not Status.PASS
    ]


def test_a_sender_that_crashes_after_its_first_message_decides_nothing_of_framing(
    catalog: Catalog, peer: Callable[[int, Act], Peer]
) -> None:
    once = threading.Event()

    def crashes(line: socket.socket, over: threading.Event) -> None:
        if not once.is_set():
            once.set()
            line.sendall(b"\x0b" + GOOD + b"\x1c\r\x0b" + GOOD[:70])

    port = free_port()
    peer(port, crashes)
    (judged,) = run(catalog, port, ("hl7v2-uk#7",)).judged
    assert judged.outcome.status is Status.INCONCLUSIVE, judged.outcome


def test_a_block_that_holds_no_message_is_that_and_nothing_else(
    catalog: Catalog, peer: Callable[[int, Act], Peer]
) -> None:
    def lies(line: socket.socket, over: threading.Event) -> None:
        line.sendall(b"\x0bno message at all\x1c\r")
        over.wait(0.05)

    port = free_port()
    peer(port, lies)
    result = run(catalog, port)
    failed = {judged.requirement.ref for judged in result.judged if judged.outcome.status is Status.FAIL}
    assert failed == {"V2-01"}


def test_a_flood_is_kept_only_so_far(
    catalog: Catalog, peer: Callable[[int, Act], Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mpftconnect.conformance.mllp_probe._MOST_BYTES", 500_000)
    big = b"\x0b" + GOOD + b"NTE|1||" + b"x" * 90_000 + b"\r\x1c\r"

    def floods(line: socket.socket, over: threading.Event) -> None:
        line.settimeout(2)
        while not over.is_set():
            line.sendall(big)
            line.recv(65_536)

    port = free_port()
    peer(port, floods)
    result = run(catalog, port, ("hl7v2-uk#7",))
    assert sum(1 for each in result.exchanges if each.step == "message received") == 5


def test_a_block_that_is_too_long_after_a_good_one_is_no_mistake_of_framing(
    catalog: Catalog, peer: Callable[[int, Act], Peer]
) -> None:
    def sends(line: socket.socket, over: threading.Event) -> None:
        line.sendall(b"\x0b" + GOOD + b"\x1c\r")
        if line.recv(65_536):
            is_far_too_long(line, over)

    port = free_port()
    peer(port, sends)
    (judged,) = run(catalog, port, ("hl7v2-uk#7",)).judged
    assert judged.outcome.status is Status.PASS, judged.outcome  # its first message came again


def test_a_port_that_is_taken_is_the_environment(catalog: Catalog) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run(catalog, taken.getsockname()[1])
    assert {judged.outcome.cause.kind for judged in result.judged if judged.outcome.cause} == {CauseKind.ENVIRONMENT}
