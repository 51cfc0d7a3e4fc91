"""A wire to another address of the same system takes the limits along, and no credentials."""

from __future__ import annotations

from typing import Any

import pytest

from mpftconnect.adapters import ApiKeyHeader, Deadline, Endpoint, MemoryRecorder, Wire, json_response
from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.errors import AnswerRejected
from mpftconnect.events import EventStream


class Echo:
    def __init__(self) -> None:
        self.asked: list[Any] = []

    def handle(self, request: Any) -> Any:
        self.asked.append(request)
        return json_response({"path": request.path})


def wire_to(echo: Echo, **more: Any) -> Wire:
    endpoint = Endpoint(base_url="http://one.example/a", environment="test", headers={"X-Own": "secret"}, **more)
    transport = TwinTransport(echo, "http://one.example")  # type: ignore[arg-type]
    return Wire(
        "one",
        endpoint,
        events=EventStream(),
        recorder=MemoryRecorder(),
        auth=ApiKeyHeader("s3cret"),
        transport=transport,
    )


def test_goes_there_without_what_was_meant_for_here() -> None:
    echo = Echo()
    wire = wire_to(echo).bound(headers={"X-Bound": "secret"}, deadline=Deadline.after(5), correlation_id="c-1")
    there = wire.elsewhere("http://two.example/b")
    # A proxy takes the address that it is to ask as the rest of its own.
    assert there.get_json("/https://three.example/Base/Patient/$op") == {
        "path": "/b/https://three.example/Base/Patient/$op"
    }
    (request,) = echo.asked
    assert not {"X-Own", "X-Bound", "apikey"} & {str(name) for name in request.headers}
    assert request.headers["X-Correlation-ID"] == "c-1"
    assert there.endpoint.base_url == "http://two.example/b"
    assert wire.endpoint.base_url == "http://one.example/a"
    wire.get("x")
    assert echo.asked[-1].headers["apikey"] == "s3cret"


def test_certificates_go_along_only_if_they_are_to() -> None:
    wire = wire_to(Echo(), client_certificate=__file__)
    assert wire.elsewhere("http://two.example").endpoint.client_certificate is None
    assert wire.elsewhere("http://two.example", client_certificate=True).endpoint.client_certificate == __file__


def test_a_smaller_limit_and_no_larger_one() -> None:
    wire = wire_to(Echo(), max_bytes=1000)
    assert wire.elsewhere("http://two.example", max_bytes=10).endpoint.max_bytes == 10
    assert wire.elsewhere("http://two.example", max_bytes=10_000).endpoint.max_bytes == 1000


@pytest.mark.parametrize("address", ["two.example", "ftp://two.example", "https://u:p@two.example", "https://x:y"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(AnswerRejected):
        wire_to(Echo()).elsewhere(address)


def test_closing_one_closes_both() -> None:
    wire = wire_to(Echo())
    there = wire.elsewhere("http://two.example")
    wire.close()
    with pytest.raises(Exception, match="closed"):
        there.get("x")
