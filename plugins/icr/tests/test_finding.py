"""Find Patient first: whom it may find, what it refuses, and that nothing is asked before it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest

from mpftconnect.adapters import TwinResponse
from mpftconnect.errors import AnswerRejected, NotPermitted, UsageError, WrongPerson
from mpftconnect.model import Identifier
from mpftconnect_icr.layout import FIND_PATH, OPERATIONS
from mpftconnect_icr.settings import PATIENT_NUMBER_SYSTEM

from .conftest import FORMER, OTHER, OURS, Bench, record

SECTIONS = sorted({str(operation.section) for operation in OPERATIONS.values()})
Make = Callable[..., Bench]


def test_the_number_stands_in_the_body_of_one_request_and_in_no_address(ccapi: Make) -> None:
    bench = ccapi()
    bench.server.records = [record(linked=[502]), record(502, linked=[501])]
    reading = bench.found()
    for section in SECTIONS:
        assert bench.read(section, reading).error is None
    first, *others = bench.server.asked
    assert (first.method, first.path) == ("POST", f"/cc/{FIND_PATH}")
    asked = json.loads(first.body)
    assert asked["NhsNumber"] == OURS
    assert asked["AllTenancies"] is True
    for request in bench.server.asked:
        target = unquote(request.path) + repr(request.query) + repr(dict(request.headers))
        assert OURS not in target
        assert "999 000 0018" not in target
    assert all(OURS.encode() not in request.body for request in others)
    assert {request.path.rpartition("/")[2] for request in others} == {"501", "502"}
    assert len(others) == 2 * len(OPERATIONS)


def test_every_request_carries_the_subscription_key_and_the_token(ccapi: Make) -> None:
    bench = ccapi()
    bench.read("alerts")
    for request in bench.server.asked:
        assert request.headers["Ocp-Apim-Subscription-Key"] == "secret-subscription_key"
        assert request.headers["Authorization"] == "Bearer secret-token"


def test_a_token_is_fetched_with_the_clients_own_secret(ccapi: Make) -> None:
    bench = ccapi(auth="client-credentials", token_url="http://icr.invalid/cc/token")
    assert bench.adapter.find_patient(bench.reading()) is not None
    token, find = bench.server.asked
    assert token.path == "/cc/token"
    form = "grant_type=client_credentials&client_id=secret-client_id&client_secret=secret-client_secret"
    assert token.body.decode() == form
    assert "Ocp-Apim-Subscription-Key" not in token.headers
    assert find.headers["Authorization"] == "Bearer fresh"


@pytest.mark.parametrize("section", SECTIONS)
def test_no_bundle_is_asked_before_find_patient(ccapi: Make, section: str) -> None:
    bench = ccapi()
    with pytest.raises(UsageError, match="find_patient comes before"):
        list(getattr(bench.adapter, f"read_{section}")(bench.reading()))
    assert bench.server.asked == []
    # Nor in a reading whose patient was found in another: it finds them itself, and only then asks.
    elsewhere = bench.found()
    fresh = bench.reading().found(elsewhere.patient)  # type: ignore[arg-type]
    bench.server.asked.clear()
    assert bench.read(section, fresh).error is None
    assert bench.server.labels()[0] == FIND_PATH
    assert FIND_PATH not in bench.server.labels()[1:]


def test_a_reading_whose_person_is_found_under_another_record_asks_no_more(ccapi: Make) -> None:
    bench = ccapi()
    elsewhere = bench.found()
    bench.server.records = [record(777)]
    bench.server.asked.clear()
    found = bench.read("alerts", bench.reading().found(elsewhere.patient))  # type: ignore[arg-type]
    assert isinstance(found.error, AnswerRejected)
    assert bench.server.labels() == [FIND_PATH]


def test_nobody_is_found_where_nobody_is_held_and_nothing_asked_without_a_number(ccapi: Make) -> None:
    bench = ccapi()
    bench.server.records = []
    assert bench.adapter.find_patient(bench.reading()) is None
    assert len(bench.server.asked) == 1
    assert bench.adapter.find_patient(bench.reading(nhs_number=None)) is None
    assert len(bench.server.asked) == 1


def test_linked_records_are_one_person_and_each_is_asked(ccapi: Make) -> None:
    bench = ccapi()
    bench.server.records = [record(509, linked=[501, 77]), record(501, linked=[509]), record(503, linked=[77])]
    reading = bench.found()
    patient = reading.patient
    assert patient is not None
    assert patient.source.id == "Patient/501"
    kept = [extra.value for extra in patient.extra if extra.path == "find_patient.linked"]
    assert {each["PatientDetailId"] for each in kept} == {509, 503}
    assert {"Hospital of 509", "Hospital of 503"} <= {each["TenancyDescription"] for each in kept}
    bench.read("alerts", reading)
    # 77 is linked and came without a record of its own: still theirs.
    assert [label.rpartition("/")[2] for label in bench.server.labels()[1:]] == ["501", "77", "503", "509"]


def test_the_same_row_is_taken_once_whatever_detail_ids_give_it_and_twice_where_it_is_held_twice(ccapi: Make) -> None:
    bench = ccapi()
    bench.server.records = [record(501, linked=[502]), record(502, linked=[501])]
    row = {"Rubric": "Asthma", "TenancyDescription": "A surgery"}
    other = {"Rubric": "Eczema", "TenancyDescription": "A surgery"}
    bench.server.answers[("gp_additional_problems", "501")] = [row, row]
    bench.server.answers[("gp_additional_problems", "502")] = [row, other]
    found = bench.read("problems")
    assert [item.code.text for item in found.items] == ["Asthma", "Asthma", "Eczema"]
    assert len({item.key for item in found.items}) == 3
    assert {item.author.organization for item in found.items} == {"A surgery"}


def test_each_contribution_names_its_record_and_its_organisation(ccapi: Make) -> None:
    bench = ccapi()
    bench.server.records = [record(501, linked=[502]), record(502, linked=[501])]
    bench.server.answers["alerts"] = [
        {"Id": 7, "PatientDetailId": 501, "Description": "Falls", "TenancyDescription": "One hospital"},
        {"Id": 7, "PatientDetailId": 502, "Description": "Falls", "TenancyDescription": "Another hospital"},
    ]
    found = bench.read("alerts")
    assert [(i.source.id, i.author.organization) for i in found.items] == [
        ("alerts/501/7", "One hospital"),
        ("alerts/502/7", "Another hospital"),
    ]


@pytest.mark.parametrize(
    ("records", "error", "rule"),
    [
        ([record(501), record(502)], AnswerRejected, "several people"),
        ([record(501, linked=[503]), record(502, linked=[504])], AnswerRejected, "several people"),
        ([record(501, OTHER)], WrongPerson, "not of the person"),
        ([record(501, linked=[502]), record(502, OTHER)], WrongPerson, "not of the person"),
        ([record(501, None)], WrongPerson, "says whose it is"),
        (
            [record(501, linked=[502]), record(502, DateOfBirth="1951-12-03T00:00:00")],
            AnswerRejected,
            "different dates of birth",
        ),
        ([record(501), record(501, Surname="Haverstock")], AnswerRejected, "stands for two records"),
        ([record(OURS)], AnswerRejected, "is an NHS number"),
        ([record("999-000-0018")], AnswerRejected, "is an NHS number"),
        ([record(501, linked=[OURS])], AnswerRejected, "is an NHS number"),
        ([record("5/../1")], AnswerRejected, "not a patient detail id"),
        ([record("")], AnswerRejected, "not a patient detail id"),
        ([record(501) | {"PatientDetailId": None}], AnswerRejected, "not a patient detail id"),
        ([record(501) | {"PatientDetailId": True}], AnswerRejected, "not a patient detail id"),
        ([record(501) | {"LinkedPatients": "502"}], AnswerRejected, "is not a list"),
        ([record(501) | {"LinkedPatients": [None]}], AnswerRejected, "not a patient detail id"),
        (["a stranger"], AnswerRejected, "is not an object"),
        ([record(501, "9990000019")], AnswerRejected, "check digit"),
    ],
)
def test_whoever_is_not_certainly_one_person_is_refused(
    ccapi: Make, records: list[Any], error: type[Exception], rule: str
) -> None:
    bench = ccapi()
    bench.server.find = lambda asked: {"Patients": records, "TotalItemCount": len(records)}
    with pytest.raises(error, match=rule) as caught:
        bench.adapter.find_patient(bench.reading())
    for value in (OURS, OTHER, "9990000019", "Threlkeld", "Rosalind", "1951"):
        assert value not in str(caught.value)


def test_superseded_numbers_are_asked_too_and_join_what_nobody_linked(ccapi: Make) -> None:
    bench = ccapi()
    bench.server.records = [record(501), record(502, FORMER)]
    reading = bench.found(former_numbers=(FORMER,))
    assert [json.loads(request.body)["NhsNumber"] for request in bench.server.asked] == [OURS, FORMER]
    bench.read("alerts", reading)
    assert {label.rpartition("/")[2] for label in bench.server.labels()[2:]} == {"501", "502"}
    # What the trace says of the numbers does not make two people of different birth dates one.
    bench.server.records[1]["DateOfBirth"] = "1950-01-01T00:00:00"
    with pytest.raises(AnswerRejected, match="different dates of birth"):
        bench.adapter.find_patient(bench.reading(former_numbers=(FORMER,)))


def test_find_patient_comes_in_pages(ccapi: Make) -> None:
    bench = ccapi(page_size=1)
    rows = [record(501, linked=[502]), record(502, linked=[501])]
    bench.server.find = lambda asked: {"Patients": [rows[asked["PageNumber"] - 1]], "TotalItemCount": 2}
    assert bench.adapter.find_patient(bench.reading()) is not None
    assert [json.loads(request.body)["PageNumber"] for request in bench.server.asked] == [1, 2]
    # A page that is lost could hold a second person.
    bench.server.find = lambda asked: {"Patients": rows[:1] if asked["PageNumber"] == 1 else [], "TotalItemCount": 2}
    with pytest.raises(AnswerRejected, match="as many as is stated"):
        bench.adapter.find_patient(bench.reading())


def test_demographics_are_read_as_they_stand(ccapi: Make) -> None:
    bench = ccapi()
    bench.server.records = [
        record(
            Title="Mrs",
            MiddleNames="Philippa",
            PreviousSurname="Haverstock",
            Gender="F",
            Address={"Line1": "14 Quillfeather Lane", "Town": "Mossbridge", "Flat": "2"},
            PostCode="ZZ99 7TK",
            MobileTelephone="07700 900018",
            GPPracticeCode="ZZ101",
            PatientNumber="H-1",
            DateOfDeath="0001-01-01T00:00:00",
            Religion="Chapel",
        )
    ]
    patient = bench.found().patient
    assert patient is not None
    assert patient.nhs_number == OURS
    assert patient.verification_status == "01"
    assert [(n.use, n.family) for n in patient.names] == [("usual", "Threlkeld"), ("old", "Haverstock")]
    assert patient.names[0].given == ("Rosalind", "Philippa")
    assert patient.birth_date is not None
    assert patient.birth_date.text == "1951-03-12"
    assert (patient.gender, patient.deceased) == ("female", None)
    assert patient.addresses[0].line == ("14 Quillfeather Lane",)
    assert patient.telecom[0].value == "07700 900018"
    assert patient.general_practitioner[0].organization_code == "ZZ101"
    assert patient.managing_organization is not None
    assert patient.managing_organization.organization == "Hospital of 501"
    kept = {extra.path: extra.value for extra in patient.extra}
    assert kept["find_patient.Religion"] == "Chapel"
    assert kept["find_patient.Address.Flat"] == "2"
    assert kept["find_patient.DateOfDeath"] == "0001-01-01T00:00:00"
    assert kept["find_patient.Gender"] == "F"


def test_local_numbers(ccapi: Make) -> None:
    bench = ccapi()
    bench.server.records = [record(PatientNumber="H-1")]
    own = Identifier(system=PATIENT_NUMBER_SYSTEM, value="H-1")
    reading = bench.reading(nhs_number=None)
    assert bench.adapter.resolve_identifier(reading, own) == OURS
    assert json.loads(bench.server.asked[-1].body)["PatientNumber"] == "H-1"
    assert bench.adapter.resolve_identifier(reading, own.model_copy(update={"value": "H-2"})) is None
    asked = len(bench.server.asked)
    assert bench.adapter.resolve_identifier(reading, Identifier(system="urn:x", value="H-1")) is None
    assert bench.adapter.resolve_identifier(reading, Identifier(system=PATIENT_NUMBER_SYSTEM)) is None
    assert len(bench.server.asked) == asked
    bench.server.find = lambda _: {"Patients": [record(PatientNumber="H-9")], "TotalItemCount": 1}
    with pytest.raises(AnswerRejected, match="does not have the number"):
        bench.adapter.resolve_identifier(reading, own)
    twice = [record(501, PatientNumber="H-1", linked=[502]), record(502, OTHER, PatientNumber="H-1")]
    bench.server.find = lambda _: {"Patients": twice, "TotalItemCount": 2}
    with pytest.raises(AnswerRejected, match="different NHS numbers"):
        bench.adapter.resolve_identifier(reading, own)
    bench.server.find = lambda _: {"Patients": [record(501, None, PatientNumber="H-1")], "TotalItemCount": 1}
    assert bench.adapter.resolve_identifier(reading, own) is None


def test_the_connection_is_tried_without_naming_anybody(ccapi: Make) -> None:
    bench = ccapi(auth="client-credentials", token_url="http://icr.invalid/cc/token")
    assert [(step.name, step.ok) for step in bench.adapter.check_connection(bench.wire)] == [
        ("token", True),
        ("endpoint", True),
    ]
    assert [(request.method, request.path) for request in bench.server.asked] == [
        ("POST", "/cc/token"),
        ("GET", "/cc/"),
    ]


def test_the_step_that_is_refused_is_named(ccapi: Make) -> None:
    bench = ccapi()
    bench.server.handle = lambda _: TwinResponse(401)
    steps = list(bench.adapter.check_connection(bench.wire))
    assert [(step.name, step.ok) for step in steps] == [("token", True), ("permission", False)]
    with pytest.raises(NotPermitted):
        bench.adapter.find_patient(bench.reading())
