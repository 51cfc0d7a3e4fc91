"""Writes by DELETE and PUT; and that going elsewhere leads to no third place, and leaves evidence all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.adapters import ApiKeyHeader, Deadline, Endpoint, MemoryRecorder, TwinRequest, TwinResponse, Wire
from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.errors import AnswerRejected, OutcomeUnknown, UsageError
from mpftconnect.events import EventStream


class Answering:
    def __init__(self, status: int = 200, body: bytes = b"ok") -> None:
        self.status, self.body = status, body

    def handle(self, request: TwinRequest) -> TwinResponse:
        return TwinResponse(self.status, {"Content-Type": "text/plain"}, self.body)


MakeWire = Callable[..., tuple[Wire, TwinTransport, MemoryRecorder]]


@pytest.fixture
def wire_to(tmp_path: Path) -> MakeWire:
    def make(twin: Any = None, **endpoint: Any) -> tuple[Wire, TwinTransport, MemoryRecorder]:
        transport, recorder = TwinTransport(twin or Answering(), "http://api.example"), MemoryRecorder()
        given = {"base_url": "http://api.example/base", "environment": "test", "retries": 2, **endpoint}
        wire = Wire(
            "sys", Endpoint(**given), events=EventStream(), recorder=recorder, transport=transport,
            auth=ApiKeyHeader("s3cret"),
        )  # fmt: skip
        return wire, transport, recorder

    return make


def test_credentials_and_headers_stay_at_home(wire_to: MakeWire) -> None:
    wire, transport, _ = wire_to(headers={"X-Ours": "1"})
    bound = wire.bound(correlation_id="c-1", headers={"X-More": "2"})
    bound.get("a")
    bound.elsewhere("http://documents.example").get("b", headers={"Accept": "application/pdf"})
    home, away = transport.asked
    assert {"apikey", "X-Ours", "X-More"} <= set(home.headers)
    assert not {"apikey", "X-Ours", "X-More"} & set(away.headers)
    assert away.headers["X-Correlation-ID"] == "c-1"
    assert away.headers["Accept"] == "application/pdf"
    bound.get("c")
    assert transport.asked[-1].headers["apikey"] == "s3cret"


def test_what_goes_there_is_recorded_and_limited_all_the_same(wire_to: MakeWire) -> None:
    wire, _, recorder = wire_to(Answering(body=b"x" * 5000), max_bytes=4096)
    with pytest.raises(AnswerRejected, match="larger than 4096"):
        wire.elsewhere("http://documents.example", max_bytes=100_000).get("a")
    with pytest.raises(AnswerRejected, match="larger than 10 "):
        wire.elsewhere("http://documents.example", max_bytes=10).get("a")
    assert len(recorder.exchanges) == 2
    assert wire.endpoint.base_url == "http://api.example/base"


def test_nothing_leads_from_there_to_another_origin(wire_to: MakeWire) -> None:
    wire, transport, _ = wire_to()
    away = wire.elsewhere("http://documents.example/base")
    for url in ("http://api.example/base/x", "http://documents.example:81/x", "https://documents.example/x"):
        with pytest.raises(AnswerRejected, match="another origin"):
            away.get(url)
    assert transport.asked == ()


@pytest.mark.parametrize(
    "url", ["", "x", "ftp://x.example", "http://u:p@x.example", "http://x.example?a=b", "http://[x"]
)
def test_what_is_no_address(wire_to: MakeWire, url: str) -> None:
    wire, transport, _ = wire_to()
    with pytest.raises((AnswerRejected, UsageError)):
        wire.elsewhere(url).get("a")
    assert transport.asked == ()


def test_a_live_system_is_left_by_https_alone() -> None:
    endpoint = Endpoint(base_url="https://api.example")
    with Wire("sys", endpoint, events=EventStream(), recorder=MemoryRecorder()) as wire:
        with pytest.raises(AnswerRejected, match="https"):
            wire.elsewhere("http://documents.example")
        assert wire.elsewhere("https://documents.example").endpoint.environment == "live"


class TestPut:
    def test_it_is_sent_once_with_its_body(self, wire_to: MakeWire) -> None:
        wire, transport, recorder = wire_to(Answering(503))
        answer = wire.put("thing/1", json={"a": 1}, headers={"If-Match": 'W/"1"'}, label="change")
        (sent,) = transport.asked
        assert (answer.status, sent.method, sent.path, sent.body) == (503, "PUT", "/base/thing/1", b'{"a":1}')
        assert sent.headers["If-Match"] == 'W/"1"'
        assert [e.label for e in recorder.exchanges] == ["change"]

    def test_a_lost_answer_is_an_unknown_outcome(self, wire_to: MakeWire) -> None:
        wire, transport, _ = wire_to(Answering(504))
        with pytest.raises(OutcomeUnknown):
            wire.put("thing/1", json={})
        assert len(transport.asked) == 1


class TestDelete:
    def test_it_is_sent_once_with_credentials(self, wire_to: MakeWire) -> None:
        wire, transport, recorder = wire_to()
        answer = wire.bound(deadline=Deadline.after(5)).delete("thing/1", headers={"X-For": "RRE"}, label="remove")
        (sent,) = transport.asked
        assert (answer.status, sent.method, sent.path, sent.body) == (200, "DELETE", "/base/thing/1", b"")
        assert (sent.headers["apikey"], sent.headers["X-For"]) == ("s3cret", "RRE")
        assert [e.label for e in recorder.exchanges] == ["remove"]

    @pytest.mark.parametrize(("status", "tries"), [(503, 1), (429, 1), (500, 1), (404, 1)])
    def test_a_refusal_is_not_sent_again(self, wire_to: MakeWire, status: int, tries: int) -> None:
        wire, transport, _ = wire_to(Answering(status))
        assert wire.delete("thing/1").status == status
        assert len(transport.asked) == tries

    @pytest.mark.parametrize("status", [502, 504])
    def test_a_lost_answer_is_an_unknown_outcome(self, wire_to: MakeWire, status: int) -> None:
        wire, transport, _ = wire_to(Answering(status))
        with pytest.raises(OutcomeUnknown):
            wire.delete("thing/1")
        assert len(transport.asked) == 1
