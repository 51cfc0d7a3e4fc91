"""A deadline, a size and an end hold whatever the other side does (rule 20)."""

from __future__ import annotations

import gzip
import socket
import subprocess
import sys
import textwrap
import threading
import tracemalloc
import zlib

import pytest

from mpftconnect.adapters import Deadline
from mpftconnect.errors import AdapterError, AnswerRejected, RateLimited, SystemFailed, TimedOut, Unreachable

from .conftest import FOR_EVER_SECONDS, Talk, http, zipped

SHORT = 0.3


def slow_headers(talk: Talk) -> None:
    talk.drip(http(), FOR_EVER_SECONDS / 30)


def slow_body(talk: Talk) -> None:
    head, _, _ = http(body=b"x" * 100).partition(b"\r\n\r\n")
    talk.send(head + b"\r\n\r\n")
    talk.drip(b"x" * 100, FOR_EVER_SECONDS / 100)


def slow_chunks(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    talk.drip(b"1\r\nx\r\n" * 20 + b"0\r\n\r\n", FOR_EVER_SECONDS / 100)


def stall(talk: Talk) -> None:
    talk.wait(FOR_EVER_SECONDS)
    talk.answer()


def stall_in_body(talk: Talk) -> None:
    whole = http(body=b"x" * 100)
    talk.send(whole[:-50])
    talk.wait(FOR_EVER_SECONDS)
    talk.send(whole[-50:])


def slow_without_length(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    talk.drip(b"x" * 60, FOR_EVER_SECONDS / 60)
    talk.close()


SLOW = [slow_headers, slow_body, slow_chunks, stall, stall_in_body, slow_without_length]


@pytest.mark.parametrize("script", SLOW)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_the_deadline_holds(serve, line, certificates, script, tls):
    server = serve(script, certificates.server if tls else None)
    wire = line(server.url, ca_bundle=certificates.authority if tls else None, deadline_seconds=SHORT, retries=3)
    with pytest.raises(TimedOut, match="acme: no whole answer"):
        wire.get("x")
    (exchange,) = line.recorder.exchanges
    assert exchange.error == "timed-out"


def test_a_bound_deadline_holds_where_the_endpoint_is_more_patient(serve, line):
    wire = line(serve(stall).url, deadline_seconds=60).bound(deadline=Deadline.after(SHORT))
    with pytest.raises(TimedOut):
        wire.get("x")
    with pytest.raises(TimedOut):
        wire.get("x")


def test_what_came_before_the_deadline_is_evidence(serve, line):
    with pytest.raises(TimedOut):
        line(serve(stall_in_body).url, deadline_seconds=SHORT).get("x")
    (exchange,) = line.recorder.exchanges
    assert exchange.status == 200
    assert dict(exchange.response_headers or ())["Content-Length"] == "100"


def test_a_name_look_up_that_stalls_does_not_hold_the_caller(line, monkeypatch):
    release = threading.Event()

    def getaddrinfo(*_: object, **__: object) -> list[object]:
        release.wait(FOR_EVER_SECONDS)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    try:
        with pytest.raises(TimedOut):
            line("http://system.invalid", deadline_seconds=SHORT).get("x")
    finally:
        release.set()


def test_a_late_write_does_not_leave_after_its_caller_was_told(serve, line, monkeypatch):
    server = serve(lambda talk: talk.answer())
    real, release, done = socket.getaddrinfo, threading.Event(), threading.Event()

    def getaddrinfo(*args: object, **options: object) -> object:
        release.wait(FOR_EVER_SECONDS)
        done.set()
        return real(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(TimedOut):
        line(server.url, deadline_seconds=SHORT).post("Task", json={})
    late = [thread for thread in threading.enumerate() if thread.name == "mpftconnect-wire"]
    release.set()
    assert done.wait(FOR_EVER_SECONDS)
    for thread in late:
        thread.join(FOR_EVER_SECONDS)
    assert late
    assert server.talks == []


def test_tls_that_stalls_does_not_hold_the_caller(line):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        wire = line(f"https://localhost:{silent.getsockname()[1]}", deadline_seconds=SHORT)
        with pytest.raises(AdapterError) as caught:
            wire.get("x")
    assert isinstance(caught.value, TimedOut | Unreachable)


@pytest.mark.parametrize("seconds", ["3600", "Fri, 31 Dec 2100 23:59:59 GMT"])
@pytest.mark.parametrize(("status", "error"), [(429, RateLimited), (503, SystemFailed)])
def test_retry_after_beyond_the_deadline_is_not_waited_for(serve, line, seconds, status, error):
    server = serve(lambda talk: talk.answer(status, Retry_After=seconds))
    with pytest.raises(error, match=f"status {status}"):
        line(server.url, retries=3, deadline_seconds=3600).get("x").require_ok()
    assert len(server.talks) == 1


def test_closing_the_wire_ends_what_is_under_way(serve, line):
    asked = threading.Event()

    def script(talk: Talk) -> None:
        asked.set()
        stall(talk)

    wire = line(serve(script).url, retries=3)
    caught: list[BaseException] = []

    def read() -> None:
        try:
            wire.get("x")
        except Exception as error:
            caught.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert asked.wait(FOR_EVER_SECONDS)
    wire.close()
    reader.join(FOR_EVER_SECONDS / 2)
    assert [type(error) for error in caught] == [Unreachable]


def test_an_exchange_under_way_does_not_keep_the_interpreter(serve):
    server = serve(lambda talk: talk.wait(FOR_EVER_SECONDS * 10))
    script = textwrap.dedent(f"""
        import threading, time
        from mpftconnect.adapters import Endpoint, MemoryRecorder, Wire
        from mpftconnect.events import EventStream
        endpoint = Endpoint(base_url="{server.url}", environment="test", deadline_seconds=3600)
        wire = Wire("acme", endpoint, events=EventStream(), recorder=MemoryRecorder())
        threading.Thread(target=wire.get, args=("x",), daemon=True).start()
        while not any(thread.name == "mpftconnect-wire" for thread in threading.enumerate()):
            time.sleep(0.01)
        print("leaving")
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=FOR_EVER_SECONDS * 5)
    assert (done.returncode, done.stdout, done.stderr) == (0, "leaving\n", "")


@pytest.mark.parametrize("declared", [True, False])
def test_an_answer_larger_than_the_limit_is_rejected(serve, line, declared):
    def script(talk: Talk) -> None:
        if declared:
            talk.answer(body=b"x" * 1001)
        else:
            talk.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            for _ in range(1000):
                talk.send(b"x" * 65_536)

    wire = line(serve(script).url, max_bytes=1000)
    with pytest.raises(AnswerRejected, match="larger than 1000 bytes"):
        wire.get("x")
    assert line.recorder.exchanges[0].response_bytes <= 1000


def test_an_answer_of_just_the_limit_is_read(serve, line):
    server = serve(lambda talk: talk.answer(body=b"x" * 1000))
    assert len(line(server.url, max_bytes=1000).get("x").body) == 1000


def test_a_compression_bomb_is_stopped_at_the_limit(serve, line):
    bomb = zipped(b"\0" * 50_000_000)
    assert len(bomb) < 60_000
    server = serve(lambda talk: talk.answer(body=bomb, Content_Encoding="gzip"))
    wire = line(server.url, max_bytes=100_000)
    tracemalloc.start()
    try:
        with pytest.raises(AnswerRejected, match="larger than 100000 bytes"):
            wire.get("x")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000  # not even for a moment was it inflated
    assert line.recorder.exchanges[0].response_bytes <= 100_000


def test_compressed_answers_are_read_whole(serve, line):
    content = b"".join(b"%d," % number for number in range(50_000))
    said = {"/one": zipped(content), "/two": zipped(content[:9]) + zipped(content[9:]), "/none": zipped(b"")}
    server = serve(lambda talk: talk.answer(body=said[talk.target], Content_Encoding="GZIP"))
    wire = line(server.url)
    assert [wire.get(path).body for path in ("one", "two", "none")] == [content, content, b""]
    assert server.talks[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("encoding", "body", "rule"),
    [
        ("gzip", zipped(b"Zzyzx" * 100)[:-9], "truncated"),
        ("gzip", b"Zzyzx", "encoding is broken"),
        ("gzip", zipped(b"x")[:-4] + b"0000", "encoding is broken"),
        ("deflate", zlib.compress(b"Zzyzx"), "not asked for"),
        ("br", b"Zzyzx", "not asked for"),
        ("gzip, gzip", gzip.compress(zipped(b"Zzyzx"), mtime=0), "not asked for"),
    ],
)
def test_an_encoding_that_is_not_whole_or_not_ours_is_rejected(serve, line, encoding, body, rule):
    server = serve(lambda talk: talk.answer(body=body, Content_Encoding=encoding))
    with pytest.raises(AnswerRejected, match=rule):
        line(server.url).get("x")


@pytest.mark.parametrize(
    "said",
    [
        http(body=b"x" * 100)[:-1],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZzyzx\r\n",
    ],
)
def test_a_truncated_answer_is_rejected(serve, line, said):
    def script(talk: Talk) -> None:
        talk.send(said)
        talk.close()

    with pytest.raises(AnswerRejected):
        line(serve(script).url, retries=2).get("x")
    assert len(line.recorder.exchanges) == 1
    assert line.recorder.exchanges[0].error == "answer-rejected"


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-Zzyzx\r\n\r\n",
        b"HTTP/1.1 Zzyzx\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: Zzyzx\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"Zzyzx" * 30_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\nabcd",
    ],
)
def test_what_is_not_http_is_rejected_without_being_repeated(serve, line, said):
    def script(talk: Talk) -> None:
        talk.send(said)
        talk.close()

    with pytest.raises(AnswerRejected) as caught:
        line(serve(script).url).get("x")
    assert "Zzyzx" not in repr(caught.value)
