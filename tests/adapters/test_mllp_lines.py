"""A server and a client over real sockets: order, limits, slow and broken lines, and stopping with what was taken."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from mpftconnect.adapters import FolderRecorder, MemoryRecorder
from mpftconnect.adapters.mllp_client import MllpClient, read_acknowledgement
from mpftconnect.adapters.mllp_frames import framed
from mpftconnect.adapters.mllp_server import MllpServer, Reply
from mpftconnect.adapters.mllp_settings import ListenSettings, SendSettings
from mpftconnect.errors import AnswerRejected, ConfigurationError, OutcomeUnknown, Unreachable, UsageError
from mpftconnect.events import Code, Event, EventStream


def message(control: str, rest: str = "") -> bytes:
    return f"MSH|^~\\&|PAS|ZZ1|US|RRE|2026||ADT^A01|{control}|P|2.4\rPID|1||SEEDEDVALUE\r{rest}".encode()


def answer(raw: bytes, code: str = "AA") -> bytes:
    control = raw.split(b"|")[9].decode()
    return f"MSH|^~\\&|US|RRE|PAS|ZZ1|2026||ACK|a{control}|P|2.4\rMSA|{code}|{control}\r".encode()


class Taking:
    """A handler that remembers what it took."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.codes: list[str] = []

    def __call__(self, messages: Sequence[bytes]) -> list[Reply]:
        self.gate.wait(10)
        self.taken += messages
        self.batches.append(len(messages))
        codes = [self.codes.pop(0) if self.codes else "AA" for _ in messages]
        return [Reply((answer(raw, code),), code) for raw, code in zip(messages, codes, strict=True)]


@pytest.fixture
def listening() -> Iterator[Callable[..., tuple[MllpServer, Taking]]]:
    with ExitStack() as stack:

        def start(
            handler: Any = None, *, events: Any = None, recorder: Any = None, refuse: Any = None, **given: Any
        ) -> Any:
            taking = handler or Taking()
            settings = ListenSettings(**{"environment": "test", **given})
            server = MllpServer(
                settings, taking, events=EventStream(events or []), recorder=recorder, refuse=refuse, name="line"
            )
            stack.enter_context(server)
            return server, taking

        yield start


def connect(server: MllpServer) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", server.port), 5)
    line.settimeout(5)
    return line


@pytest.mark.skipif(not hasattr(socket, "TCP_KEEPIDLE"), reason="this system says it in another way")
def test_a_sender_that_is_gone_without_a_word_is_noticed_in_minutes(listening):
    server, _ = listening()
    with connect(server) as line:
        line.sendall(framed(message("1")))
        assert line.recv(65_536)
        (taken,) = server._open
        asked = {
            name: taken.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
            for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
        }
        assert taken.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert asked["TCP_KEEPIDLE"] + asked["TCP_KEEPINTVL"] * asked["TCP_KEEPCNT"] <= 120


def test_a_line_that_tcp_gave_up_is_lost_and_a_turn_without_bytes_is_not(listening):
    said = [TimeoutError("timed out"), TimeoutError(errno.ETIMEDOUT, "Connection timed out"), b""]

    class Line:
        def settimeout(self, seconds: float) -> None: ...

        def recv(self, count: int) -> bytes:
            following = said.pop(0)
            if isinstance(following, Exception):
                raise following
            return following

    server, _ = listening()
    assert server._converse(Line(), 1) == "connection-lost"
    assert server._converse(Line(), 1) == "closed"


def client(server: MllpServer, **given: Any) -> MllpClient:
    more = {each: given.pop(each) for each in ("events", "recorder", "pause") if each in given}
    settings = SendSettings(**{"host": "127.0.0.1", "port": server.port, "environment": "test", **given})
    return MllpClient(settings, **{"pause": lambda seconds: None, **more})


def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.005)
    assert true()


def test_messages_arrive_in_order_and_each_is_answered(listening):
    server, taking = listening()
    with client(server) as sending:
        results = list(sending.send_all(message(str(n)) for n in range(50)))
    assert [each.control_id for each in results] == [str(n) for n in range(50)]
    assert {each.outcome for each in results} == {"accepted"}
    assert taking.taken == [message(str(n)) for n in range(50)]


def test_what_is_sent_without_waiting_is_handed_over_together_and_answered_in_order(listening):
    server, taking = listening()
    taking.gate.clear()
    with connect(server) as line:
        line.sendall(b"".join(framed(message(str(n))) for n in range(20)))
        taking.gate.set()
        got = b""
        while got.count(b"\x1c\r") < 20:
            got += line.recv(65_536)
    answers = [read_acknowledgement(each.lstrip(b"\x0b")).control_id for each in got.split(b"\x1c\r")[:-1]]
    assert answers == [str(n) for n in range(20)] and max(taking.batches) > 1


def test_a_message_byte_by_byte_with_junk_around_it(listening):
    server, taking = listening()
    with connect(server) as line:
        for piece in b"junk" + framed(message("1")) + b"\n":
            line.sendall(bytes([piece]))
        assert b"MSA|AA|1" in line.recv(65_536)
    until(lambda: server.stray_bytes == 5)
    assert {(each.offset, each.rule) for each in server.findings} >= {(0, "between-frames")}
    assert sum(each.count for each in server.findings) == 5 and taking.taken == [message("1")]


def test_half_a_message_is_not_a_message(listening):
    server, taking = listening()
    with connect(server) as line:
        line.sendall(framed(message("1"))[:-2])
    until(lambda: any(each.rule == "frame-without-end" for each in server.findings))
    assert taking.taken == []


def test_a_slow_drip_and_an_idle_line_end(listening):
    events: list[Event] = []
    server, taking = listening(events=[events.append], message_seconds=0.3, idle_seconds=0.3)
    with connect(server) as line:
        line.sendall(b"\x0bMSH")
        with suppress(OSError):
            for _ in range(200):
                line.sendall(b"x")
                time.sleep(0.02)
            pytest.fail("a message that never ends held the line")
    with connect(server) as line:
        assert line.recv(1) == b""
    until(lambda: {"too-slow", "idle"} <= {e.reason for e in events if e.code == Code.LINE_CLOSED})
    assert taking.taken == []


def test_too_many_connections_are_closed_at_once_and_the_others_live(listening):
    events: list[Event] = []
    server, _ = listening(events=[events.append], max_connections=2)
    with connect(server) as first, connect(server) as second:
        until(lambda: server.connections == 2)
        with connect(server) as third, suppress(ConnectionError):
            assert third.recv(1) == b""
        for line in (first, second):
            line.sendall(framed(message("1")))
            assert b"MSA|AA" in line.recv(65_536)
    assert [e.reason for e in events if e.code == Code.LINE_REFUSED] == ["too-many-connections"]
    until(lambda: server.connections == 0)
    with connect(server) as line:
        line.sendall(framed(message("2")))
        assert b"MSA|AA|2" in line.recv(65_536)


def test_a_message_that_is_too_long_is_answered_and_the_line_goes_on(listening):
    server, taking = listening(max_bytes=1000, refuse=lambda head: Reply((answer(head, "AR"),), "AR"))
    with connect(server) as line:
        line.sendall(framed(message("1", "x" * 5000)) + framed(message("2")))
        got = b""
        while got.count(b"\x1c\r") < 2:
            got += line.recv(65_536)
    assert b"MSA|AR|1" in got and b"MSA|AA|2" in got and taking.taken == [message("2")]


def test_while_the_handler_works_nothing_more_is_read(listening):
    server, taking = listening()
    taking.gate.clear()
    sent = 0
    with connect(server) as line:
        line.setblocking(False)
        block = framed(message("1", "x" * 60_000))
        try:
            for _ in range(2000):
                sent += line.send(block)
        except BlockingIOError:
            pass
        else:
            pytest.fail("the server read all of it while its handler was busy")
        taking.gate.set()
    assert sent < 100_000_000


def test_unfinished_messages_share_one_limit(listening):
    server, _ = listening(max_bytes=100_000, max_waiting_bytes=150_000, message_seconds=0.5)
    lines = [connect(server) for _ in range(4)]
    for line in lines:
        line.sendall(b"\x0bMSH|" + b"x" * 60_000)
    # Not all fit; those that do not are let go when their time is over, and then there is room again.
    until(lambda: server.connections < 4, 10)
    for line in lines:
        line.close()
    until(lambda: server.connections == 0, 10)
    with connect(server) as line:
        line.sendall(framed(message("1", "y" * 90_000)))
        assert b"MSA|AA|1" in line.recv(65_536)


def test_stopping_finishes_what_was_taken(listening):
    server, taking = listening()
    taking.gate.clear()
    with connect(server) as line:
        line.sendall(framed(message("1")) + framed(message("2"))[:-1])
        until(lambda: server.connections == 1)
        time.sleep(0.1)
        stopped: list[bool] = []
        stopper = threading.Thread(target=lambda: stopped.append(server.stop()))
        stopper.start()
        time.sleep(0.1)
        taking.gate.set()
        stopper.join(10)
        assert stopped == [True]
        assert b"MSA|AA|1" in line.recv(65_536)
        with suppress(ConnectionError):
            assert line.recv(65_536) == b""
    assert taking.taken == [message("1")]
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", server.settings.port or 1), 1)


def test_a_handler_that_fails_answers_nothing_and_spoils_no_other_line(listening):
    def failing(messages: Sequence[bytes]) -> list[Reply]:
        if b"|bad|" in messages[0]:
            raise ValueError("SEEDEDVALUE")
        return [Reply((answer(raw),), "AA") for raw in messages]

    events: list[Event] = []
    server, _ = listening(failing, events=[events.append])
    with connect(server) as good, connect(server) as bad:
        bad.sendall(framed(message("bad")))
        assert bad.recv(65_536) == b""
        good.sendall(framed(message("good")))
        assert b"MSA|AA|good" in good.recv(65_536)
    until(lambda: any(e.reason == "fault-ValueError" for e in events))
    assert "SEEDEDVALUE" not in repr([e.as_dict() for e in events])


# --- the client ---


def test_an_unknown_result_is_resolved_by_the_same_bytes_before_anything_else(listening):
    """The line breaks after a message was taken and before its answer: it is sent again, then the rest, in order."""
    server, taking = listening()
    dropped = []

    class Dropping(Taking):
        def __call__(self, messages: Sequence[bytes]) -> list[Reply]:
            replies = super().__call__(messages)
            if b"|5|" in messages[0] and not dropped:
                dropped.append(True)
                raise ConnectionError
            return replies

    server, taking = listening(Dropping())
    events: list[Event] = []
    with client(server, events=EventStream([events.append])) as sending:
        results = list(sending.send_all(message(str(n)) for n in range(8)))
    assert [each.attempts for each in results] == [1, 1, 1, 1, 1, 2, 1, 1]
    assert taking.taken == [message(str(n)) for n in (0, 1, 2, 3, 4, 5, 5, 6, 7)]
    assert [e.code for e in events].count(Code.EXCHANGE_RETRIED) == 1


def test_an_error_is_sent_again_and_a_rejection_is_not(listening):
    server, taking = listening()
    taking.codes = ["AE", "AE", "AA", "AR", "AA"]
    with client(server) as sending:
        results = list(sending.send_all([message("1"), message("2"), message("3")]))
    assert [(each.outcome, each.attempts) for each in results] == [("accepted", 3), ("rejected", 1), ("accepted", 1)]
    taking.codes = ["AE"] * 9
    with client(server, attempts=2) as sending:
        assert (sending.send(message("4")).outcome, len(taking.taken)) == ("error", 7)


def test_no_answer_at_all_is_an_unknown_outcome(listening):
    server, _ = listening(lambda messages: [Reply(()) for _ in messages])
    with client(server, answer_seconds=0.1, attempts=2) as sending, pytest.raises(OutcomeUnknown) as lost:
        sending.send(message("1"))
    assert "same bytes" in str(lost.value) and "SEEDED" not in str(lost.value)


def test_nobody_there_is_unreachable_and_nothing_left():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    sending = MllpClient(SendSettings(host="127.0.0.1", port=port, attempts=2), pause=lambda seconds: None)
    with sending, pytest.raises(Unreachable, match="TCP: connection refused"):
        sending.send(message("1"))


@pytest.mark.parametrize(
    "said",
    [
        b"nonsense",
        b"MSH|^~\\&|\rMSA|XX|1\r",
        b"MSH|^~\\&|\rPID|1\r",
        b"MSH|^~\\&|a|b|c|d|e|f|ACK|1|P|2.4\rMSA|AA|other\r",
        b"MSH|",
    ],
)
def test_an_answer_to_something_else_is_not_believed(listening, said: bytes):
    server, _ = listening(lambda messages: [Reply((said,), None) for _ in messages])
    with client(server, attempts=2) as sending, pytest.raises(OutcomeUnknown):
        sending.send(message("1"))


def test_errors_of_an_acknowledgement_are_codes_alone():
    new = read_acknowledgement(
        b"MSH|^~\\&|\rMSA|AE|1|SEEDEDVALUE\rERR||PID^1^5|101^Required^HL70357|E||||SEEDEDVALUE\r"
    )
    old = read_acknowledgement(b"MSH|^~\\&|\rMSA|AR|1\rERR|PID^1^5^101&Required&HL70357\r")
    assert new.errors == old.errors == ("101",) and "SEEDED" not in repr(new)
    with pytest.raises(AnswerRejected):
        read_acknowledgement(b"")


def test_enhanced_mode_waits_for_both_answers(listening):
    def both(messages: Sequence[bytes]) -> list[Reply]:
        return [Reply((answer(raw, "CA"), answer(raw, "AR")), "CA") for raw in messages]

    server, _ = listening(both)
    raw = message("1").replace(b"|P|2.4", b"|P|2.4|||AL|AL")
    with client(server) as sending:
        assert sending.send(raw).outcome == "rejected"


def test_a_message_without_a_control_id_is_not_sent(listening):
    server, taking = listening()
    with client(server) as sending:
        for raw in (b"PID|1", b"MSH|^~\\&|a|b|c|d|e||ADT^A01||P|2.4\r"):
            with pytest.raises(UsageError):
                sending.send(raw)
    assert taking.taken == []


# --- TLS ---


def test_mutual_tls(listening, certificates, tmp_path: Path):
    folder = certificates.authority.parent
    server, taking = listening(certificate=folder / "server.pem", client_ca=certificates.authority)
    trusted = {"host": "localhost", "tls": True, "ca_bundle": certificates.authority}
    with client(server, **trusted, client_certificate=certificates.client) as sending:
        assert [each.outcome for each in sending.send_all([message("1"), message("2")])] == ["accepted"] * 2
    with client(server, **trusted, attempts=1) as nobody, pytest.raises((OutcomeUnknown, Unreachable)):
        nobody.send(message("3"))
    with (
        client(server, host="localhost", tls=True, attempts=1) as distrusting,
        pytest.raises(Unreachable, match="TLS: "),
    ):
        distrusting.send(message("4"))
    stranger = {**trusted, "client_certificate": folder / "stranger.pem"}
    with client(server, **stranger, attempts=1) as unknown, pytest.raises((OutcomeUnknown, Unreachable)):
        unknown.send(message("5"))
    with client(server, attempts=1) as plain, pytest.raises((OutcomeUnknown, Unreachable)):
        plain.send(message("6"))
    assert taking.taken == [message("1"), message("2")]
    # A client that never agrees on TLS is let go, and holds up nobody.
    assert isinstance(server.settings.context(), ssl.SSLContext)


def test_a_client_that_never_begins_tls_is_let_go(listening, certificates):
    server, _ = listening(certificate=certificates.authority.parent / "server.pem", message_seconds=0.3)
    with connect(server) as line, suppress(ConnectionError):
        assert line.recv(1) == b""
    until(lambda: server.connections == 0)


def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path):
    for given in ({"max_bytes": 0}, {"port": 70_000}, {"key": "x"}, {"client_ca": "x"}, {"max_waiting_bytes": 5}):
        with pytest.raises(UsageError):
            ListenSettings(**given)
    with pytest.raises(ConfigurationError, match="no such file"):
        ListenSettings(certificate=tmp_path / "none.pem").context()
    with pytest.raises(ConfigurationError, match="needs TLS"):
        ListenSettings(host="0.0.0.0").context()
    with pytest.raises(ConfigurationError, match="needs TLS"):
        SendSettings(host="pas.example", port=1).context()
    (tmp_path / "junk.pem").write_text("junk")
    with pytest.raises(ConfigurationError, match="no certificate"):
        ListenSettings(certificate=tmp_path / "junk.pem").context()


def test_a_key_with_a_pass_phrase_is_said_and_asks_nobody(certificates, tmp_path: Path, capfd):
    """OpenSSL would ask at the terminal, where a service has none and a person waits for a listener."""
    server = (certificates.authority.parent / "server.pem").read_bytes()
    key = serialization.load_pem_private_key(server, None)
    shut = serialization.BestAvailableEncryption(b"a pass phrase")
    sealed = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, shut)
    (tmp_path / "sealed.pem").write_bytes(sealed + server[server.index(b"-----BEGIN CERTIFICATE") :])
    with pytest.raises(ConfigurationError, match="or the key has a pass phrase"):
        ListenSettings(certificate=tmp_path / "sealed.pem").context()
    assert "pass phrase" not in "".join(capfd.readouterr())


# --- evidence ---


def test_a_live_line_records_digests_alone_and_a_test_line_bodies(listening, tmp_path: Path):
    for environment, kept in (("live", None), ("test", message("1"))):
        recorder, events = MemoryRecorder(), []
        server, _ = listening(environment=environment, recorder=recorder, events=[events.append])
        sent = MemoryRecorder()
        with client(server, environment=environment, recorder=sent) as sending:
            sending.send(message("1"))
        until(lambda r=recorder: len(r.exchanges) == 1)
        for exchange in (*recorder.exchanges, *sent.exchanges):
            assert (exchange.method, exchange.acknowledged, exchange.request_body) == ("MLLP", "AA", kept)
            assert exchange.request_bytes == len(message("1"))
            assert (environment == "test") == (
                "SEEDEDVALUE" in str(exchange.as_dict()) or exchange.request_body is not None
            )
        assert [e.code for e in events if e.code == Code.EXCHANGE_FINISHED] == [Code.EXCHANGE_FINISHED]
    with pytest.raises(ConfigurationError):
        MllpServer(ListenSettings(), Taking(), recorder=FolderRecorder(tmp_path / "bodies"))


def test_what_is_quiet_leaves_no_record_and_no_event(listening):
    recorder, events = MemoryRecorder(), []
    server, _ = listening(
        lambda messages: [Reply((answer(raw),), "AA", quiet=True) for raw in messages],
        recorder=recorder,
        events=[events.append],
    )
    with client(server) as sending:
        assert sending.send(message("1")).outcome == "accepted"
    until(lambda: any(e.code == Code.LINE_CLOSED for e in events))
    assert recorder.exchanges == () and all(e.code != Code.EXCHANGE_FINISHED for e in events)
