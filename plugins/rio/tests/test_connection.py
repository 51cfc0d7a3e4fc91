"""What `doctor` is told, and how extracts are fetched."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from mpftconnect.adapters import (
    AdapterContext,
    Deadline,
    Endpoint,
    FaultSwitch,
    MemoryRecorder,
    Reading,
    TwinRequest,
    TwinResponse,
    Wire,
)
from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.errors import AnswerRejected, NotPermitted, Unreachable
from mpftconnect.events import EventStream
from mpftconnect_rio.adapter import RioExtractAdapter
from mpftconnect_rio.settings import ExtractSettings, RioExtractSettings
from mpftconnect_rio.twin import render

from .conftest import OURS, WHO, everyone


def steps(rio: Any) -> dict[str, str | None]:
    """The failed steps, with their advice."""
    return {step.name: step.advice for step in rio.adapter.check_connection(rio.wire) if not step.ok}


def test_files_are_looked_at_and_no_further_than_their_heading(make: Any) -> None:
    rio = make()
    assert steps(rio) == {}
    path = rio.folder / "alerts.csv"
    path.write_bytes(path.read_bytes().partition(b"\n")[0] + b'\n"never closed')
    assert steps(rio) == {}


def test_the_failing_file_is_named(make: Any) -> None:
    rio = make(raw={"alerts": None, "contacts": b"Wrong,Heading\n", "caseload": b""})
    failed = steps(rio)
    assert sorted(failed) == ["extract alerts", "extract caseload", "extract contacts"]
    assert "cannot be opened (FileNotFoundError)" in str(failed["extract alerts"])
    assert "lacks the column 'Contact ID'" in str(failed["extract contacts"])
    assert "Wrong" not in str(failed)


class ReportServer:
    """Serves the client index to one user."""

    def __init__(self) -> None:
        self.faults = FaultSwitch()
        self.answer = render("client_index", everyone()["client_index"], ExtractSettings(path="x"))
        self.headers = {"Content-Type": "text/csv", "Last-Modified": "Mon, 01 Sep 2025 05:00:00 -0000"}
        self.status = 200

    def handle(self, request: TwinRequest) -> TwinResponse:
        if request.headers.get("Authorization") != "Basic " + b64encode(b"svc:secret-password").decode():
            return TwinResponse(401)
        return TwinResponse(self.status, self.headers, self.answer)


def served(server: ReportServer, user: str | None = "svc") -> tuple[RioExtractAdapter, Reading, Wire]:
    wire = Wire(
        "rio",
        Endpoint(base_url="http://rio.invalid/reports", environment="test", retries=0),
        events=EventStream(),
        recorder=MemoryRecorder(limit=10),
        transport=TwinTransport(server, "http://rio.invalid"),
    )
    settings = RioExtractSettings.model_validate(
        {"organisation": "RRE", "user": user, "extracts": {"client_index": {"url": "index.csv"}}}
    )
    context = AdapterContext(
        name="rio",
        environment="test",
        settings=settings,
        secret=lambda name: f"secret-{name}",
        wire=wire,
        events=EventStream(),
    )
    deadline = Deadline.after(10)
    reading = Reading(system="rio", who=WHO, wire=wire.bound(deadline=deadline), deadline=deadline, nhs_number=OURS)
    return RioExtractAdapter(context), reading, wire


def test_extracts_are_fetched_as_the_configured_user() -> None:
    adapter, reading, wire = served(ReportServer())
    with wire:
        patient = adapter.find_patient(reading)
        assert patient is not None
        # A date without a zone, as some servers write it, is taken for the UTC that HTTP prescribes.
        assert str(patient.source.as_of) == "2025-09-01 05:00:00+00:00"
        done = {step.name: step.ok for step in adapter.check_connection(wire)}
    assert done.pop("server of the extracts") is True
    assert not any(done.values())  # the other extracts are not configured, and are said to be missing
    adapter, reading, wire = served(ReportServer(), user=None)
    with wire, pytest.raises(NotPermitted):
        adapter.find_patient(reading)


@pytest.mark.parametrize("status", [404, 410])
def test_an_extract_that_the_server_does_not_have_is_named(status: int) -> None:
    server = ReportServer()
    server.status = status
    adapter, reading, wire = served(server)
    with wire, pytest.raises(Unreachable, match="the client_index extract is not where the configuration says"):
        adapter.find_patient(reading)


def test_a_page_in_place_of_an_extract_is_named() -> None:
    server = ReportServer()
    server.headers = {"Content-Type": "text/html; charset=utf-8"}
    adapter, reading, wire = served(server)
    with wire, pytest.raises(AnswerRejected, match="an HTML page came in place of the client_index extract"):
        adapter.find_patient(reading)


def test_a_server_that_states_no_time_leaves_the_age_unknown() -> None:
    server = ReportServer()
    server.headers = {"Last-Modified": "yesterday"}
    adapter, reading, wire = served(server)
    with wire:
        patient = adapter.find_patient(reading)
        assert patient is not None
        assert patient.source.as_of is None


def test_a_server_that_fails_is_told() -> None:
    server = ReportServer()
    server.status = 503
    adapter, _, wire = served(server)
    with wire:
        failed = [step for step in adapter.check_connection(wire) if step.name == "server of the extracts"]
    assert [(step.ok, step.advice) for step in failed] == [(False, "status 503")]
