"""Servers that answer whatever a test put there, and adapters open on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from mpftconnect.adapters import (
    AdapterContext,
    Deadline,
    Endpoint,
    FaultSwitch,
    Found,
    MemoryRecorder,
    Reading,
    Refusal,
    TwinRequest,
    TwinResponse,
    Wire,
    json_response,
)
from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.errors import AdapterError
from mpftconnect.events import EventStream
from mpftconnect.model import AccessContext, Item, NhsNumber, Notice
from mpftconnect_icr.ccapi import CcapiAdapter
from mpftconnect_icr.fhir import IcrFhirAdapter
from mpftconnect_icr.layout import FIND_PATH, OPERATIONS
from mpftconnect_icr.settings import CcapiSettings, IcrFhirSettings

OURS, FORMER, OTHER = NhsNumber("9990000018"), NhsNumber("9990000107"), NhsNumber("9990000026")
WHO = AccessContext(
    user="jane.doe",
    name="Jane Doe",
    role="community-nurse",
    organisation="RRE",
    purpose="direct-care",
    relationship="caseload",
)
HOST = "http://icr.invalid"


@dataclass
class Section:
    """What a read method gave, and how it ended."""

    items: list[Any] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    error: AdapterError | None = None


def collect(read: Callable[[], Any]) -> Section:
    section = Section()
    try:
        for found in read():
            sort: dict[type, list[Any]] = {Notice: section.notices, Refusal: section.refusals}
            next((kept for kind, kept in sort.items() if isinstance(found, kind)), section.items).append(found)
    except AdapterError as error:
        section.error = error
    assert all(isinstance(item, Item) for item in section.items)
    return section


def record(detail_id: int | str = 501, number: str | None = OURS, linked: Any = (), **more: Any) -> dict[str, Any]:
    """A row of Find Patient."""
    return {
        "PatientDetailId": detail_id,
        "NhsNumber": number,
        "NhsNumberStatus": "01",
        "Surname": "Threlkeld",
        "Forename": "Rosalind",
        "DateOfBirth": "1951-03-12T00:00:00",
        "TenancyDescription": f"Hospital of {detail_id}",
        "LinkedPatients": [{"PatientDetailId": each, "TenancyDescription": f"Hospital of {each}"} for each in linked],
    } | more


class CcapiServer:
    """Finds `records`, by the number in each, and gives `answers[operation, detail id]` or `answers[operation]`."""

    def __init__(self) -> None:
        self.faults = FaultSwitch()
        self.records: list[Any] = []
        self.answers: dict[Any, Any] = {}
        self.asked: list[TwinRequest] = []
        self.find: Callable[[dict[str, Any]], Any] | None = None

    def handle(self, request: TwinRequest) -> TwinResponse:
        self.asked.append(request)
        path = request.path.removeprefix("/cc/")
        if path == "token":
            return json_response({"access_token": "fresh"}, content_type="application/json")
        if path == FIND_PATH:
            asked = json.loads(request.body)
            return json_response(self._found(asked), content_type="application/json")
        for name, operation in OPERATIONS.items():
            prefix = operation.path.removesuffix("{detail_id}")
            if path.startswith(prefix):
                held = self.answers.get((name, path.removeprefix(prefix)), self.answers.get(name, []))
                if isinstance(held, TwinResponse):
                    return held
                answer = {operation.collection: held, "TotalItemCount": len(held)} if isinstance(held, list) else held
                return json_response(answer, content_type="application/json")
        return json_response({"message": "no such path"}, 404, content_type="application/json")

    def _found(self, asked: dict[str, Any]) -> Any:
        if self.find is not None:
            return self.find(asked)
        key = "NhsNumber" if "NhsNumber" in asked else "PatientNumber"
        found = [row for row in self.records if not isinstance(row, dict) or row.get(key) in (asked[key], None)]
        return {"Patients": found, "TotalItemCount": len(found)}

    def labels(self) -> list[str]:
        return [request.path.removeprefix("/cc/") for request in self.asked]


class FhirServer:
    """Answers searches with whatever a test put there."""

    def __init__(self) -> None:
        self.faults = FaultSwitch()
        self.answers: dict[str, list[Any]] = {}
        self.files: dict[str, TwinResponse] = {}
        self.offered: Any = None
        self.asked: list[TwinRequest] = []

    def handle(self, request: TwinRequest) -> TwinResponse:
        self.asked.append(request)
        path = request.path.removeprefix("/fhir/")
        if path == "metadata":
            return json_response(self.offered) if not isinstance(self.offered, TwinResponse) else self.offered
        if path in self.files:
            return self.files[path]
        if "/" in path:
            return json_response({"resourceType": "OperationOutcome", "issue": []}, 404)
        entries = [{"resource": each, "search": {"mode": "match"}} for each in self.answers.get(path, [])]
        return json_response({"resourceType": "Bundle", "type": "searchset", "entry": entries})

    def paths(self) -> list[str]:
        return [request.path.removeprefix("/fhir/") for request in self.asked]


def statement(*types: str) -> dict[str, Any]:
    resources = [{"type": type_, "interaction": [{"code": "search-type"}]} for type_ in ("Patient", *types)]
    return {
        "resourceType": "CapabilityStatement",
        "fhirVersion": "4.0.1",
        "rest": [{"mode": "server", "resource": resources}],
    }


class Bench:
    """An adapter, and readings of it."""

    def __init__(self, server: Any, wire: Wire, adapter: Any) -> None:
        self.server, self.wire, self.adapter = server, wire, adapter

    def reading(self, **more: Any) -> Reading:
        deadline = Deadline.after(10)
        given = {"system": "icr", "who": WHO, "nhs_number": OURS} | more
        return Reading(wire=self.wire.bound(deadline=deadline), deadline=deadline, **given)

    def found(self, **more: Any) -> Reading:
        reading = self.reading(**more)
        patient = self.adapter.find_patient(reading)
        assert patient is not None
        return reading.found(patient)

    def read(self, section: str, reading: Reading | None = None) -> Section:
        at = reading or self.found()
        return collect(lambda: getattr(self.adapter, f"read_{section}")(at))


@pytest.fixture
def wires() -> Iterator[list[Wire]]:
    opened: list[Wire] = []
    yield opened
    for wire in opened:
        wire.close()


def _wire(server: Any, path: str, wires: list[Wire]) -> Wire:
    wire = Wire(
        "icr",
        Endpoint(base_url=f"{HOST}{path}", environment="test", retries=0),
        events=EventStream(),
        recorder=MemoryRecorder(limit=500),
        transport=TwinTransport(server, HOST),
    )
    wires.append(wire)
    return wire


def _context(settings: Any, wire: Wire) -> AdapterContext:
    return AdapterContext(
        name="icr",
        environment="test",
        settings=settings,
        secret=lambda name: f"secret-{name}",
        wire=wire,
        events=EventStream(),
    )


@pytest.fixture
def ccapi(wires: list[Wire]) -> Callable[..., Bench]:
    def build(**settings: Any) -> Bench:
        server = CcapiServer()
        server.records = [record()]
        wire = _wire(server, "/cc", wires)
        given = {"auth": "bearer"} | settings
        return Bench(server, wire, CcapiAdapter(_context(CcapiSettings(**given), wire)))

    return build


@pytest.fixture
def fhir(wires: list[Wire]) -> Callable[..., Bench]:
    def build(**settings: Any) -> Bench:
        server = FhirServer()
        server.offered = statement("AllergyIntolerance", "Immunization", "MedicationStatement", "MedicationRequest")
        server.answers["Patient"] = [
            {
                "resourceType": "Patient",
                "id": "p1",
                "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": OURS}],
            }
        ]
        wire = _wire(server, "/fhir", wires)
        return Bench(server, wire, IcrFhirAdapter(_context(IcrFhirSettings(**settings), wire)))

    return build


__all__ = ["FORMER", "HOST", "OTHER", "OURS", "WHO", "Bench", "Found", "Section", "collect", "record", "statement"]
