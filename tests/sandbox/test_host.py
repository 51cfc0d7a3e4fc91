"""What a plain client sees of a host, well and with each fault, over real sockets."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time

import pytest
import requests

from mpftconnect.adapters.twin import WIRE_FAULTS, Fault, FaultSwitch, TwinRequest, TwinResponse, json_response
from mpftconnect.errors import UsageError
from mpftconnect.sandbox.host import FaultTiming, Host

BODY = {"resourceType": "Bundle", "type": "searchset", "entry": [{"n": n} for n in range(200)]}
SHORT = FaultTiming(slow_seconds=0.4, drip_seconds=0.01, retry_after_seconds=7, oversized_bytes=50_000_000)


class Recording:
    """Answers every path with the same Bundle, and some with what its name says; remembers what it was asked."""

    def __init__(self) -> None:
        self.faults = FaultSwitch()
        self.requests: list[TwinRequest] = []

    def handle(self, request: TwinRequest) -> TwinResponse:
        self.requests.append(request)
        if request.path == "/empty":
            return TwinResponse(204)
        if request.path == "/broken":
            raise RuntimeError("OKONKWO-SECRET")
        if request.path == "/unmodified":
            return TwinResponse(304, {"ETag": 'W/"1"'})
        return json_response(BODY, headers={"X-Own": "kept", "Content-Length": "3"})


@pytest.fixture
def twin():
    return Recording()


@pytest.fixture
def host(twin):
    with Host(twin, name="demo", control=True, timing=SHORT) as host:
        yield host


@pytest.fixture
def http_session():
    with requests.Session() as session:
        session.trust_env = False
        yield session


def raw(host: Host, data: bytes, seconds: float = 3.0) -> bytes:
    """What comes back to these bytes until the host closes."""
    port = int(host.base_url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(data)
        received = b""
        while len(received) < 5_000_000 and (block := connection.recv(65_536)):
            received += block
        return received


def wait_until(true) -> None:
    until = time.monotonic() + 5
    while not true() and time.monotonic() < until:
        time.sleep(0.01)
    assert true()


def test_a_request_reaches_the_twin_as_it_was_sent(host, twin, http_session):
    answer = http_session.post(
        host.base_url + "/Patient/a%2Fb?family=O%27Neil&family=Two&empty=",
        data=b"\x00body",
        headers={"X-Request-ID": "r-1"},
        timeout=5,
    )
    assert (answer.status_code, answer.json(), answer.headers["X-Own"]) == (200, BODY, "kept")
    (request,) = twin.requests
    assert (request.method, request.path, request.body) == ("POST", "/Patient/a%2Fb", b"\x00body")
    assert request.query == (("family", "O'Neil"), ("family", "Two"), ("empty", ""))
    assert request.headers["x-request-id"] == "r-1"
    assert request.base_url == host.base_url


def test_one_connection_carries_many_requests_with_true_lengths(host):
    connection = http.client.HTTPConnection(host.base_url.removeprefix("http://"), timeout=5)
    try:
        sockets = set()
        for method, path in [("GET", "/a"), ("HEAD", "/a"), ("GET", "/empty"), ("GET", "/unmodified"), ("GET", "/b")]:
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
            sockets.add(connection.sock.getsockname())
            if method == "HEAD" or path in ("/empty", "/unmodified"):
                assert body == b""
            else:
                assert answer.getheader("Content-Length") == str(len(body))
                assert json.loads(body) == BODY
            if path in ("/empty", "/unmodified"):
                assert answer.getheader("Content-Length") is None
        assert len(sockets) == 1
    finally:
        connection.close()


def test_the_answer_to_head_ends_with_its_head(host):
    answer = raw(host, b"HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\n")
    assert answer.count(b"\r\n\r\n") == 1


def test_a_twin_that_raises_becomes_a_500_that_says_nothing_of_the_request(host, http_session, caplog):
    answer = http_session.get(host.base_url + "/broken?family=OKONKWO", timeout=5)
    assert answer.status_code == 500
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert "OKONKWO" not in answer.text + caplog.text
    assert "RuntimeError" in caplog.text
    assert http_session.get(host.base_url + "/a", timeout=5).status_code == 200


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"NONSENSE SEEDEDVALUE\r\n\r\n", b"400"),
        (b"SEEDEDVALUE\r\n\r\n", b"400"),
        (b"GET / SEEDEDVALUE\r\n\r\n", b"400"),
        (b"GET /" + b"SEEDEDVALUE" * 7000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"BREW /SEEDEDVALUE HTTP/1.1\r\nHost: x\r\n\r\n", b"501"),
        (b"GET http://[SEEDEDVALUE/ HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: SEEDEDVALUE\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 10000001\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
    ],
    ids=lambda value: value[:60].decode() if len(value) > 3 else value.decode(),
)
def test_a_request_that_cannot_be_read_is_refused_without_repeating_it(host, twin, request_bytes, status, caplog):
    answer = raw(host, request_bytes)
    assert answer.split()[1] == status
    assert b"SEEDEDVALUE" not in answer
    assert "SEEDEDVALUE" not in caplog.text
    assert twin.requests == []


def test_every_wire_fault_has_a_test_here():
    tested = {"slow", "drip", "timeout", "refused", "too-many-requests", "server-error", "server-error-once"}
    assert tested | {"truncated", "malformed", "oversized", "wrong-type"} == set(WIRE_FAULTS)


def test_slow_answers_well_but_late(host, twin, http_session):
    with twin.faults.on(Fault.SLOW):
        started = time.monotonic()
        assert http_session.get(host.base_url + "/a", timeout=5).json() == BODY
        assert time.monotonic() - started >= SHORT.slow_seconds
        with pytest.raises(requests.ReadTimeout):
            http_session.get(host.base_url + "/a", timeout=0.1)


def test_drip_sends_a_byte_at_a_time_and_never_ends(host, twin, http_session):
    with (
        twin.faults.on(Fault.DRIP),
        http_session.get(host.base_url + "/a", timeout=2, stream=True) as answer,
    ):
        blocks = answer.raw.stream(decode_content=True)
        assert [len(next(blocks)) for _ in range(10)] == [1] * 10
    whole = json.dumps(BODY, separators=(",", ":")).encode()
    with twin.faults.on(Fault.DRIP), Host(twin, timing=FaultTiming(drip_seconds=0.0)) as quick:
        connection = http.client.HTTPConnection(quick.base_url.removeprefix("http://"), timeout=5)
        connection.request("GET", "/a")
        with connection.getresponse() as dripped:
            received = dripped.read(len(whole) + 500)
        connection.close()
    assert received == whole + b" " * 500


def test_timeout_takes_the_request_and_says_nothing(host, twin, http_session):
    with twin.faults.on(Fault.TIMEOUT), pytest.raises(requests.ReadTimeout):
        http_session.post(host.base_url + "/a", data=b"x", timeout=0.2)
    assert [request.body for request in twin.requests] == [b"x"]


def test_refused_closes_the_connection_unanswered(host, twin, http_session):
    assert http_session.get(host.base_url + "/a", timeout=5).ok  # an open connection is not spared
    with twin.faults.on(Fault.REFUSED), pytest.raises(requests.ConnectionError):
        http_session.get(host.base_url + "/a", timeout=5)
    assert len(twin.requests) == 1
    assert http_session.get(host.base_url + "/a", timeout=5).ok


def test_too_many_requests_says_when_to_come_again(host, twin, http_session):
    with twin.faults.on(Fault.TOO_MANY_REQUESTS):
        answer = http_session.get(host.base_url + "/a", timeout=5)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert answer.json()["issue"][0]["code"] == "throttled"
    assert twin.requests == []


def test_server_error_stays(host, twin, http_session):
    with twin.faults.on(Fault.SERVER_ERROR):
        assert [http_session.get(host.base_url + "/a", timeout=5).status_code for _ in range(3)] == [503] * 3
    assert http_session.get(host.base_url + "/a", timeout=5).status_code == 200


def test_server_error_once_fails_the_first_request_of_each_kind_each_time_it_is_switched_on(host, twin, http_session):
    for _ in range(2):
        with twin.faults.on(Fault.SERVER_ERROR_ONCE):
            seen = [
                http_session.request(method, host.base_url + path, timeout=5).status_code
                for method, path in [("GET", "/a"), ("GET", "/a?page=2"), ("POST", "/a"), ("GET", "/b"), ("GET", "/b")]
            ]
        assert seen == [503, 200, 503, 503, 200]


@pytest.mark.parametrize("path", ["/a", "/broken"])
def test_truncated_promises_more_than_it_sends(host, twin, path):
    connection = http.client.HTTPConnection(host.base_url.removeprefix("http://"), timeout=5)
    try:
        with twin.faults.on(Fault.TRUNCATED):
            connection.request("GET", path)
            answer = connection.getresponse()
            with pytest.raises(http.client.IncompleteRead) as cut:
                answer.read()
            answer.close()
    finally:
        connection.close()
    assert 0 < len(cut.value.partial) < int(answer.getheader("Content-Length"))


def test_malformed_is_a_200_of_the_right_type_that_does_not_parse(host, twin, http_session):
    with twin.faults.on(Fault.MALFORMED):
        answer = http_session.get(host.base_url + "/a", timeout=5)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/fhir+json")
    with pytest.raises(ValueError, match=r"utf-8|Expecting"):
        json.loads(answer.content)
    with pytest.raises(UnicodeDecodeError):
        answer.content.decode("utf-8")


def test_oversized_sends_more_than_any_sensible_limit(host, twin, http_session):
    received = 0
    with (
        twin.faults.on(Fault.OVERSIZED),
        http_session.get(host.base_url + "/a", timeout=5, stream=True) as answer,
    ):
        assert answer.status_code == 200
        for block in answer.iter_content(65_536):
            received += len(block)
            if received > 30_000_000:
                break
    assert received > 30_000_000


def test_oversized_ends_by_itself_if_the_client_never_does(twin):
    with Host(twin, timing=FaultTiming(oversized_bytes=1_000_000)) as host, twin.faults.on(Fault.OVERSIZED):
        received = raw(host, b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
    assert 900_000 < len(received) < 1_100_000
    assert not received.endswith(b"0\r\n\r\n")  # the last chunk never comes


def test_wrong_type_is_a_page_where_data_is_expected(host, twin, http_session):
    with twin.faults.on(Fault.WRONG_TYPE):
        answer = http_session.get(host.base_url + "/a", timeout=5)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_twin_s_own_faults_leave_the_wire_alone(host, twin, http_session):
    with twin.faults.on(Fault.LYING_TOTAL, Fault.WRONG_PATIENT):
        assert http_session.get(host.base_url + "/a", timeout=5).json() == BODY


def test_faults_are_read_and_switched_over_http_even_while_the_wire_refuses(host, twin, http_session):
    url = host.base_url + "/_sandbox/faults"
    assert http_session.get(url, timeout=5).json() == {"on": [], "known": sorted(WIRE_FAULTS)}
    assert http_session.put(url, json={"on": ["refused", "slow"]}, timeout=5).json()["on"] == ["refused", "slow"]
    assert list(twin.faults) == [Fault.REFUSED, Fault.SLOW]
    assert http_session.get(url, timeout=5).json()["on"] == ["refused", "slow"]
    assert http_session.put(url, json={"on": []}, timeout=5).status_code == 200
    assert list(twin.faults) == []
    page = http_session.get(host.base_url + "/_sandbox/", timeout=5)
    assert page.headers["Content-Type"].startswith("text/html")
    assert f"curl -X PUT {url}" in page.text
    assert twin.requests == []


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"on": ["no-such-fault"]}', {}, 400),
        (b'{"on": ["lying-total"]}', {}, 400),  # a fault that this twin cannot show
        (b'{"on": "slow"}', {}, 400),
        (b'{"on": [["slow"]]}', {}, 400),
        (b"[]", {}, 400),
        (b"not json", {}, 400),
        (b"\xff", {}, 400),
        (b"[" * 200_000, {}, 400),
        (b'{"on": ["slow"]}', {"Content-Type": "text/plain"}, 415),
        (b'{"on": ["slow"]}', {"Host": "attacker.example"}, 403),
    ],
)
def test_a_switch_that_makes_no_sense_is_refused_and_changes_nothing(host, twin, http_session, body, headers, status):
    given = {"Content-Type": "application/json", **headers}
    answer = http_session.put(host.base_url + "/_sandbox/faults", data=body, headers=given, timeout=5)
    assert (answer.status_code, list(twin.faults)) == (status, [])


def test_control_answers_only_what_it_has_and_only_when_asked_for(host, twin, http_session):
    assert http_session.delete(host.base_url + "/_sandbox/faults", timeout=5).status_code == 405
    assert http_session.get(host.base_url + "/_sandbox/other", timeout=5).status_code == 404
    with Host(twin) as plain:
        assert http_session.get(plain.base_url + "/_sandbox/faults", timeout=5).json() == BODY


@pytest.mark.parametrize("fault", [None, Fault.SLOW, Fault.TIMEOUT, Fault.DRIP, Fault.OVERSIZED])
def test_stop_ends_everything_within_a_second_whatever_hangs(twin, fault):
    before = set(threading.enumerate())
    host = Host(twin, timing=FaultTiming(slow_seconds=600)).start()
    port = int(host.base_url.rpartition(":")[2])
    twin.faults.set(*([fault] if fault else []))
    clients = [socket.create_connection(("127.0.0.1", port), timeout=3) for _ in range(5)]
    try:
        for client in clients[:4]:  # the fifth says nothing at all
            client.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: len(set(threading.enumerate()) - before) == 6)
        started = time.monotonic()
        host.stop()
        assert time.monotonic() - started < 1.0
        assert set(threading.enumerate()) - before == set()
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
    finally:
        for client in clients:
            client.close()
    host.stop()  # and once more does no harm


def test_a_client_that_leaves_frees_its_thread_at_once(twin):
    before = set(threading.enumerate())
    with Host(twin, timing=FaultTiming(slow_seconds=600)) as host, twin.faults.on(Fault.SLOW):
        with socket.create_connection(("127.0.0.1", int(host.base_url.rpartition(":")[2])), timeout=3) as client:
            client.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_until(lambda: len(set(threading.enumerate()) - before) == 2)
        wait_until(lambda: len(set(threading.enumerate()) - before) == 1)


def test_a_host_says_when_it_is_not_running_or_cannot_start(twin):
    host = Host(twin)
    with pytest.raises(UsageError, match="not running"):
        host.base_url  # noqa: B018
    with host, pytest.raises(UsageError, match="already running"):
        host.start()
    with Host(twin) as first, pytest.raises(UsageError, match="cannot listen"):
        Host(twin, port=int(first.base_url.rpartition(":")[2])).start()


def test_many_clients_at_once_are_all_answered(host, twin):
    def ask() -> None:
        with requests.Session() as session:
            session.trust_env = False
            results.extend(session.get(f"{host.base_url}/{n}", timeout=10).status_code for n in range(5))

    results: list[int] = []
    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == [200] * 100
