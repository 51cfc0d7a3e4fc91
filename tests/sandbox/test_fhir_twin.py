"""What every twin that speaks FHIR R4 does, and what a plugin's own can add."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from mpftconnect.adapters import Fault, TwinRequest, TwinResponse
from mpftconnect.model import NHS_NUMBER_SYSTEM
from mpftconnect.sandbox import PEOPLE, FhirTwin, Person, person

FULL = person("full").systems["synthetic"].local_id
OBSERVATIONS = f"/fhir/Observation?patient=Patient/{FULL}"
NOTHING = OBSERVATIONS.replace(FULL, person("sparse").systems["synthetic"].local_id)


@pytest.fixture
def twin() -> FhirTwin:
    return FhirTwin(PEOPLE, "synthetic")


def call(twin: FhirTwin, target: str, method: str = "GET", token: str | None = None) -> TwinResponse:
    headers = {"Authorization": f"Bearer {twin.token if token is None else token}", "X-Request-ID": "r-1"}
    return twin.handle(TwinRequest.of(method, target, headers, base_url="http://twin.invalid"))


def bundle(twin: FhirTwin, target: str) -> dict[str, Any]:
    answer = call(twin, target)
    assert answer.status == 200
    found: dict[str, Any] = json.loads(answer.body)
    return found


def test_it_lets_in_only_its_own_token(twin: FhirTwin) -> None:
    assert call(twin, "/fhir/metadata").status == 200
    assert twin.handle(TwinRequest.of("GET", "/fhir/metadata")).status == 401
    for token in ("", "other", twin.token + "x", "é"):
        answer = call(twin, "/fhir/metadata", token=token)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    for scheme, status in [("bearer", 200), ("Basic", 401)]:
        headers = {"Authorization": f"{scheme} {twin.token}"}
        assert twin.handle(TwinRequest.of("GET", "/fhir/metadata", headers)).status == status
    with twin.faults.on(Fault.STALE_TOKEN):
        assert call(twin, "/fhir/metadata").status == 401
    assert FhirTwin(PEOPLE, "synthetic").token != twin.token


@pytest.mark.parametrize(
    ("method", "target", "status", "code"),
    [
        ("POST", "/fhir/Patient", 405, "not-supported"),
        ("GET", "/elsewhere", 404, "not-found"),
        ("GET", "/fhir/", 404, "not-found"),
        ("GET", "/fhir/Binary?patient=sy-7410018", 404, "not-found"),
        ("GET", "/fhir/EpisodeOfCare?patient=sy-7410018", 404, "not-found"),
        ("GET", "/fhir/tracing/Patient/9990000018", 404, "not-found"),
        ("GET", "/fhir/Patient/sy-0", 404, "not-found"),
        ("GET", "/fhir/Patient/sy-7410018/more", 404, "not-found"),
        ("GET", "/fhir/Patient", 400, "required"),
        ("GET", "/fhir/Patient?identifier=a&identifier=b", 400, "not-supported"),
        ("GET", "/fhir/Patient?family=A", 400, "not-supported"),
        ("GET", "/fhir/Condition", 400, "required"),
        ("GET", "/fhir/Condition?patient=sy-0", 404, "not-found"),
        ("GET", "/fhir/Condition?patient=sy-7410018&category=x", 400, "not-supported"),
        ("GET", "/fhir/Condition?patient=sy-7410018&_offset=-1", 400, "value"),
        ("GET", "/fhir/Condition?patient=sy-7410018&_offset=99999999999", 400, "value"),
        ("GET", "/fhir/Condition?patient=sy-7410018&_count=many", 400, "value"),
    ],
)
def test_a_request_that_makes_no_sense_is_answered_with_an_operation_outcome(
    twin: FhirTwin, method: str, target: str, status: int, code: str
) -> None:
    answer = call(twin, target, method)
    body = json.loads(answer.body)
    assert (answer.status, body["resourceType"], body["issue"][0]["code"]) == (status, "OperationOutcome", code)
    assert answer.headers["X-Request-ID"] == "r-1"


def test_people_are_found_by_any_of_several_identifiers(twin: FhirTwin) -> None:
    someone, other = person("full"), person("sparse")
    own = f"{twin.local_id_system}|{other.systems['synthetic'].local_id}"
    asked = f"{NHS_NUMBER_SYSTEM}|{someone.nhs_number},{own}"
    found = bundle(twin, f"/fhir/Patient?identifier={asked}")
    assert {entry["resource"]["id"] for entry in found["entry"]} == {FULL, other.systems["synthetic"].local_id}
    assert bundle(twin, f"/fhir/Patient?identifier=urn:other|{someone.nhs_number}")["total"] == 0


def test_every_page_is_reached_by_the_links_alone(twin: FhirTwin) -> None:
    url, seen, pages = f"http://twin.invalid{OBSERVATIONS}", [], 0
    while url:
        split = urlsplit(url)
        page = bundle(twin, f"{split.path}?{split.query}")
        seen += [entry["resource"]["id"] for entry in page["entry"]]
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
        pages += 1
    assert len(seen) == len(set(seen)) == page["total"]
    assert pages > 1


@pytest.mark.parametrize(("asked", "given"), [("1", 1), ("0", 1), ("2", 2), ("500", 2)])
def test_a_page_is_as_long_as_asked_for_and_never_longer_than_its_own(twin: FhirTwin, asked: str, given: int) -> None:
    page = bundle(twin, f"{OBSERVATIONS}&_count={asked}")
    assert len(page["entry"]) == given
    (following,) = [link["url"] for link in page["link"] if link["relation"] == "next"]
    assert f"_count={asked}" in following
    assert following.endswith(f"_offset={given}")


def test_each_of_its_faults_shows(twin: FhirTwin) -> None:
    twin.page_size = 1
    good = bundle(twin, OBSERVATIONS)
    assert bundle(twin, NOTHING)["total"] == 0
    with twin.faults.on(Fault.LYING_TOTAL):
        assert bundle(twin, OBSERVATIONS)["total"] > good["total"]
    with twin.faults.on(Fault.REPEATED_PAGE):
        assert bundle(twin, OBSERVATIONS)["link"][1]["url"].endswith("_offset=0")
        assert bundle(twin, NOTHING)["link"][1]["url"].endswith("_offset=0")
    with twin.faults.on(Fault.DROPPED_PAGE):
        assert bundle(twin, OBSERVATIONS)["link"][1]["url"].endswith("_offset=2")
    with twin.faults.on(Fault.WRONG_PATIENT):
        others = bundle(twin, f"/fhir/Patient?identifier={NHS_NUMBER_SYSTEM}|{person('full').nhs_number}")
        assert others["entry"][0]["resource"]["id"] != FULL
        assert bundle(twin, OBSERVATIONS) != good
    assert bundle(twin, OBSERVATIONS) == good


def test_the_neighbour_of_every_person_is_somebody_else(twin: FhirTwin) -> None:
    for someone in twin.held.values():
        assert twin.neighbour(someone).nhs_number != someone.nhs_number
    alone = FhirTwin([person("full")], "synthetic")
    assert alone.neighbour(person("full")) == person("full")


def test_what_it_sends_holds_nothing_of_the_sdk_s_own_account_of_provenance(twin: FhirTwin) -> None:
    answer = call(twin, f"/fhir/CarePlan?patient={FULL}").body.decode()
    assert FULL in answer
    assert "placeholder" not in answer
    assert '"sandbox"' not in answer


def test_decimals_leave_it_with_their_digits(twin: FhirTwin) -> None:
    bodies = [call(twin, f"{OBSERVATIONS}&_offset={offset}").body for offset in (0, 2)]
    assert any(b'"value":72.50' in body for body in bodies)


def test_a_server_of_its_own_ways_is_a_few_lines() -> None:
    class Own(FhirTwin):
        base_path = "/own/"
        page_size = 1
        local_id_system = "https://own.example/id"
        also_by: Mapping[str, str] = {**FhirTwin.also_by, "Device": "status"}

        def resources_of(self, person: Person) -> Iterator[dict[str, Any]]:
            yield from super().resources_of(person)
            for id_, status in [("d1", "active"), ("d2", "inactive"), ("d3", "active")]:
                yield {"resourceType": "Device", "id": id_, "status": status}

    twin = Own(PEOPLE, "synthetic")
    assert call(twin, f"/fhir/Patient/{FULL}").status == 404
    active = bundle(twin, f"/own/Device?patient={FULL}&status=active")
    assert (active["total"], len(active["entry"])) == (2, 1)
    assert active["entry"][0]["fullUrl"] == "http://twin.invalid/own/Device/d1"
    assert bundle(twin, f"/own/Device?patient={FULL}&status:not=active")["entry"][0]["resource"]["id"] == "d2"
    assert bundle(twin, f"/own/Patient?identifier=https://own.example/id|{FULL}")["total"] == 1
    types = {each["type"] for each in bundle(twin, "/own/metadata")["rest"][0]["resource"]}
    assert {"Device", "Patient", "Condition"} <= types
