"""A twin in process sees what it would see over HTTP, and its answers arrive as they would."""

from __future__ import annotations

import pytest

from mpftconnect.adapters import TwinRequest, TwinResponse, json_response
from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.errors import AnswerRejected, SystemFailed

from .conftest import zipped


class Recording:
    def __init__(self, said: TwinResponse) -> None:
        self.said = said
        self.asked: list[TwinRequest] = []

    def handle(self, request: TwinRequest) -> TwinResponse:
        self.asked.append(request)
        return self.said


def test_the_twin_sees_method_path_query_headers_and_body(line):
    twin = Recording(json_response({"ok": True}))
    transport = TwinTransport(twin, "http://twin.invalid/")
    wire = line("http://twin.invalid/fhir", transport=transport)
    assert wire.get_json("Patient/a%20b", {"name": "Zoë & Co", "code": ["1", "2"]}) == {"ok": True}
    wire.post("Task", json={"a": 1}, headers={"X-Kind": "write"})
    read, write = twin.asked
    assert (read.method, read.path, read.base_url) == ("GET", "/fhir/Patient/a%20b", "http://twin.invalid")
    assert read.query == (("name", "Zoë & Co"), ("code", "1"), ("code", "2"))
    assert read.headers["x-request-id"]
    assert (write.method, write.body, write.headers["X-KIND"]) == ("POST", b'{"a":1}', "write")
    assert transport.asked == (read, write)


def test_answers_meet_the_same_checks_as_over_http(line):
    def wire_to(said: TwinResponse, **settings: int):
        transport = TwinTransport(Recording(said), "http://twin.invalid")
        return line("http://twin.invalid", transport=transport, **settings)

    assert wire_to(TwinResponse(200, {"Content-Encoding": "gzip"}, zipped(b"whole"))).get("x").body == b"whole"
    with pytest.raises(AnswerRejected, match="larger"):
        wire_to(TwinResponse(200, {}, b"x" * 11), max_bytes=10).get("x")
    with pytest.raises(AnswerRejected, match="truncated"):
        wire_to(TwinResponse(200, {"Content-Length": "9"}, b"x")).get("x")
    with pytest.raises(AnswerRejected, match="redirects"):
        wire_to(TwinResponse(302, {"Location": "/y"})).get("x")
    with pytest.raises(AnswerRejected, match="not ours"):
        wire_to(TwinResponse(200, {"X-Request-ID": "another"})).get("x")


def test_answers_can_be_spoilt_on_their_way(line):
    transport = TwinTransport(Recording(json_response({})), "http://twin.invalid", spoil=lambda _: TwinResponse(500))
    wire = line("http://twin.invalid", transport=transport)
    with pytest.raises(SystemFailed):
        wire.get_json("x")
    transport.spoil = None
    assert wire.get_json("x") == {}
