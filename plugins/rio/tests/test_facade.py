"""The FHIR facade against answers that a server of a kind might give."""

from __future__ import annotations

import json
from collections.abc import Callable
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
    json_response,
)
from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.errors import AnswerRejected, UsageError, WrongPerson
from mpftconnect.events import EventStream
from mpftconnect.model import NHS_NUMBER_SYSTEM, Identifier
from mpftconnect_rio.facade import RioFhirAdapter
from mpftconnect_rio.settings import RioFhirSettings

from .conftest import FORMER, OTHER, OURS, WHO, with_relationship

BASE = "http://rio.invalid/FHIR/R4"


def patient(number: str | None = OURS, id: str = "p1", **more: Any) -> dict[str, Any]:
    identifier = [{"system": NHS_NUMBER_SYSTEM, "value": number}] if number else []
    local = {"system": "https://rio.example/id", "value": f"local-{id}"}
    return {
        "resourceType": "Patient",
        "id": id,
        "identifier": [*identifier, local],
        "name": [{"family": "Testfamily"}],
        "birthDate": "1950-03-02",
        **more,
    }


def episode(**changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "EpisodeOfCare",
        "id": "e1",
        "status": "active",
        "patient": {"reference": "Patient/p1"},
        "managingOrganization": {
            "identifier": {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "RRE"}
        },
        "careManager": {"identifier": {"value": "555000001"}},
        "type": [{"coding": [{"code": "T1"}]}],
    } | changes


class Server:
    """Answers searches with whatever a test put there, and keeps what it was asked."""

    def __init__(self) -> None:
        self.faults = FaultSwitch()
        self.answers: dict[str, list[Any]] = {}
        self.asked: list[TwinRequest] = []

    def handle(self, request: TwinRequest) -> TwinResponse:
        self.asked.append(request)
        type_ = request.path.rpartition("/")[2]
        if type_ == "metadata":
            return json_response(self.answers.get("metadata", [{"fhirVersion": "4.0.1"}])[0])
        entries = [{"resource": each, "search": {"mode": "match"}} for each in self.answers.get(type_, [])]
        return json_response({"resourceType": "Bundle", "type": "searchset", "entry": entries})


class Bench:
    def __init__(self, server: Server, wire: Wire, settings: RioFhirSettings) -> None:
        self.server, self.wire = server, wire
        self.adapter = RioFhirAdapter(
            AdapterContext(
                name="rio",
                environment="test",
                settings=settings,
                secret=lambda name: f"secret-{name}",
                wire=wire,
                events=EventStream(),
            )
        )

    def reading(self, **more: Any) -> Reading:
        deadline = Deadline.after(10)
        given = {"system": "rio", "who": WHO, "nhs_number": OURS} | more
        return Reading(wire=self.wire.bound(deadline=deadline), deadline=deadline, **given)


@pytest.fixture
def make() -> Any:
    wires: list[Wire] = []

    def build(**settings: Any) -> Bench:
        server = Server()
        wire = Wire(
            "rio",
            Endpoint(base_url=BASE, environment="test", retries=0),
            events=EventStream(),
            recorder=MemoryRecorder(limit=50),
            transport=TwinTransport(server, "http://rio.invalid"),
        )
        wires.append(wire)
        return Bench(server, wire, RioFhirSettings(**({"organisation": "RRE"} | settings)))

    yield build
    for wire in wires:
        wire.close()


Make = Callable[..., Bench]


def test_people_are_asked_for_by_every_number_and_with_the_token(make: Make) -> None:
    bench = make()
    bench.server.answers["Patient"] = [patient(FORMER)]
    found = bench.adapter.find_patient(bench.reading(former_numbers=(FORMER,)))
    assert found is not None
    assert found.source.id == "Patient/p1"
    [request] = bench.server.asked
    assert request.first("identifier") == f"{NHS_NUMBER_SYSTEM}|{OURS},{NHS_NUMBER_SYSTEM}|{FORMER}"
    assert request.headers["Authorization"] == "Bearer secret-token"


def test_nobody_is_found_where_nobody_is_held_and_nothing_asked_without_a_number(make: Make) -> None:
    bench = make()
    assert bench.adapter.find_patient(bench.reading()) is None
    assert bench.adapter.find_patient(bench.reading(nhs_number=None)) is None
    assert len(bench.server.asked) == 1


@pytest.mark.parametrize("stranger", [patient(OTHER), patient(None)])
def test_a_stranger_is_refused(make: Make, stranger: dict[str, Any]) -> None:
    bench = make()
    bench.server.answers["Patient"] = [stranger]
    with pytest.raises(WrongPerson, match="not the one who was asked for"):
        bench.adapter.find_patient(bench.reading())


def test_merged_patients_are_passed_over_and_two_in_use_are_refused(make: Make) -> None:
    bench = make()
    merged = patient(id="p0", link=[{"type": "replaced-by", "other": {"reference": "Patient/p1"}}])
    bench.server.answers["Patient"] = [merged, patient(id="p2", active=False), patient()]
    found = bench.adapter.find_patient(bench.reading())
    assert found is not None
    assert found.source.id == "Patient/p1"
    bench.server.answers["Patient"].append(patient(id="p3"))
    with pytest.raises(AnswerRejected, match="several active patients"):
        bench.adapter.find_patient(bench.reading())


def test_local_identifiers(make: Make) -> None:
    bench = make()
    own = Identifier(system="https://rio.example/id", value="local-p1")
    bench.server.answers["Patient"] = [patient()]
    assert bench.adapter.resolve_identifier(bench.reading(), own) == OURS
    assert bench.server.asked[-1].first("identifier") == "https://rio.example/id|local-p1"
    # A server that ignores the parameter answers with anybody.
    with pytest.raises(WrongPerson, match="not the one who was asked for"):
        bench.adapter.resolve_identifier(bench.reading(), own.model_copy(update={"value": "local-p9"}))
    bench.server.answers["Patient"] = [patient("9990000019")]
    with pytest.raises(AnswerRejected, match="check digit"):
        bench.adapter.resolve_identifier(bench.reading(), own)
    bench.server.answers["Patient"] = [patient(None)]
    assert bench.adapter.resolve_identifier(bench.reading(), own) is None
    asked = len(bench.server.asked)
    for nothing in (Identifier(value="x"), Identifier(system="https://rio.example/id", value="a,b")):
        assert bench.adapter.resolve_identifier(bench.reading(), nothing) is None
    assert len(bench.server.asked) == asked


@pytest.mark.parametrize(
    ("found", "verified"),
    [
        (episode(), True),
        (episode(patient={"reference": f"{BASE}/Patient/p1"}), True),
        (episode(status="finished"), False),  # a server that ignores `status`
        (episode(patient={"reference": "Patient/p2"}), False),
        (episode(patient={}), False),
        (episode(managingOrganization={"identifier": {"value": "RRE"}}), False),
        (episode(managingOrganization={"display": "RRE"}), False),
        (episode(type=[{"coding": [{"code": "SH"}]}]), False),
        (episode(type="odd"), True),
        (episode(type=[None, {"coding": [None]}]), True),
    ],
)
def test_an_episode_of_care_in_the_users_organisation(make: Make, found: dict[str, Any], verified: bool) -> None:
    bench = make(teams_not_counted=["SH"])
    bench.server.answers |= {"Patient": [patient()], "EpisodeOfCare": [found]}
    result = bench.adapter.verify_relationship(bench.reading())
    assert (result is not None) is verified
    assert bench.server.asked[-1].first("status") == "active"


def test_an_episode_of_another_organisation_lets_nobody_in(make: Make) -> None:
    """Neither the trust's own staff nor those of the other: whose RiO it is decides whom its caseload is for."""
    theirs = {"identifier": {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "RXX"}}
    bench = make()
    bench.server.answers |= {"Patient": [patient()], "EpisodeOfCare": [episode(managingOrganization=theirs)]}
    for organisation in ("RRE", "RXX"):
        reading = bench.reading(who=with_relationship(organisation=organisation))
        assert bench.adapter.verify_relationship(reading) is None


def test_an_episode_of_care_under_the_user(make: Make) -> None:
    bench = make(caseload_by="staff")
    bench.server.answers |= {"Patient": [patient()], "EpisodeOfCare": [episode()]}
    assert bench.adapter.verify_relationship(bench.reading()) is not None
    for who in (with_relationship(practitioner_id="1"), with_relationship(practitioner_id=None)):
        assert bench.adapter.verify_relationship(bench.reading(who=who)) is None
    assert bench.adapter.verify_relationship(bench.reading(who=with_relationship(relationship="admission"))) is None


def test_nobody_is_on_the_caseload_who_is_not_known(make: Make) -> None:
    assert make().adapter.verify_relationship(make().reading()) is None


def test_sections_are_asked_for_by_patient_and_page_size(make: Make) -> None:
    bench = make(page_size=7)
    bench.server.answers["Patient"] = [patient()]
    reading = bench.reading()
    found = bench.adapter.find_patient(reading)
    assert found is not None
    assert list(bench.adapter.read_notes(reading.found(found))) == []
    assert dict(bench.server.asked[-1].query) == {"patient": "Patient/p1", "_count": "7", "category": "clinical-note"}
    with pytest.raises(UsageError):
        list(bench.adapter.read_notes(reading))


def test_without_credentials_where_none_are_configured(make: Make) -> None:
    bench = make(auth="none", page_size=None)
    bench.adapter.find_patient(bench.reading())
    assert "Authorization" not in bench.server.asked[0].headers


def test_a_server_that_speaks_another_version_is_told(make: Make) -> None:
    bench = make()
    assert [step.ok for step in bench.adapter.check_connection(bench.wire)] == [True]
    for other in ({"fhirVersion": "3.0.1"}, {}, []):
        bench.server.answers["metadata"] = [other]
        [step] = bench.adapter.check_connection(bench.wire)
        assert (step.ok, "4.0.1" in step.advice) == (False, True)


def test_signed_jwt(make: Make) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

    class TokenServer(Server):
        def handle(self, request: TwinRequest) -> TwinResponse:
            if request.path == "/token":
                self.asked.append(request)
                return json_response({"access_token": "fresh", "expires_in": "600", "token_type": "Bearer"})
            return super().handle(request)

    server = TokenServer()
    wire = Wire(
        "rio",
        Endpoint(base_url=BASE, environment="test", retries=0),
        events=EventStream(),
        recorder=MemoryRecorder(limit=50),
        transport=TwinTransport(server, "http://rio.invalid"),
    )
    settings = RioFhirSettings(organisation="RRE", auth="signed-jwt", token_url="http://rio.invalid/token", key_id="k1")
    secrets = {"api_key": "key", "private_key": key.decode()}
    with wire:
        adapter = RioFhirAdapter(
            AdapterContext(
                name="rio",
                environment="test",
                settings=settings,
                secret=secrets.__getitem__,
                wire=wire,
                events=EventStream(),
            )
        )
        deadline = Deadline.after(10)
        reading = Reading(system="rio", who=WHO, wire=wire.bound(deadline=deadline), deadline=deadline, nhs_number=OURS)
        assert adapter.find_patient(reading) is None
    assert [request.path for request in server.asked] == ["/token", "/FHIR/R4/Patient"]
    assert server.asked[1].headers["Authorization"] == "Bearer fresh"
    assert json.dumps(settings.model_dump()).count("key") == 1  # its id, and no secret
