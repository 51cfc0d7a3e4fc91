"""The UK Core read API against servers of a kind: what they declare, what is asked of them, and their documents."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from typing import Any

import pytest

from mpftconnect.adapters import TwinResponse, json_response
from mpftconnect.errors import (
    AdapterError,
    AnswerRejected,
    GapReason,
    NotDeclared,
    NotShown,
    SystemFailed,
)
from mpftconnect.model import Attachment, DocumentReference
from mpftconnect_icr.settings import ALSO

from .conftest import HOST, Bench, statement

Make = Callable[..., Bench]
ALLERGY = {
    "resourceType": "AllergyIntolerance",
    "id": "a1",
    "patient": {"reference": "Patient/p1"},
    "code": {"text": "Penicillin"},
}
MEDICINE = {
    "resourceType": "MedicationStatement",
    "id": "m1",
    "status": "active",
    "subject": {"reference": "Patient/p1"},
    "medicationCodeableConcept": {"text": "Losartan"},
}
# Section by section, what is searched for it.
SEARCHED = {
    "care_plans": "CarePlan",
    "problems": "Condition",
    "results": "Observation",
    "reports": "DiagnosticReport",
    "documents": "DocumentReference",
    "encounters": "Encounter",
    "appointments": "Appointment",
    "referrals": "ServiceRequest",
    "alerts": "Flag",
}


def test_what_the_draft_names_is_read_by_patient(fhir: Make) -> None:
    bench = fhir(page_size=9)
    bench.server.answers["AllergyIntolerance"] = [ALLERGY]
    reading = bench.found()
    found = bench.read("allergies", reading)
    assert [item.code.text for item in found.items] == ["Penicillin"]
    assert found.error is None
    search = bench.server.asked[-1]
    assert dict(search.query) == {"patient": "Patient/p1", "_count": "9"}
    assert search.headers["Authorization"] == "Bearer secret-token"
    assert bench.read("immunisations", reading).error is None
    assert bench.read("medications", reading).error is None
    assert bench.server.paths()[-2:] == ["MedicationStatement", "MedicationRequest"]


def test_a_type_that_the_server_does_not_offer_is_a_gap_and_not_an_empty_section(fhir: Make) -> None:
    bench = fhir()
    bench.server.offered = statement("Immunization", "MedicationStatement")
    bench.server.answers["MedicationStatement"] = [MEDICINE]
    reading = bench.found()
    found = bench.read("allergies", reading)
    assert isinstance(found.error, NotDeclared)
    assert found.error.reason is GapReason.NOT_DECLARED
    assert "AllergyIntolerance" in str(found.error)
    assert "AllergyIntolerance" not in bench.server.paths()
    # Of two types of one section the one that is offered is read all the same, whichever it is.
    medicines = bench.read("medications", reading)
    assert (len(medicines.items), type(medicines.error)) == (1, NotDeclared)
    bench = fhir()
    bench.server.offered = statement("MedicationRequest")
    request = MEDICINE | {"resourceType": "MedicationRequest", "intent": "order"}
    bench.server.answers["MedicationRequest"] = [request]
    medicines = bench.read("medications")
    assert (len(medicines.items), type(medicines.error)) == (1, NotDeclared)


@pytest.mark.parametrize(
    "offered",
    [
        {"resourceType": "CapabilityStatement", "rest": [{"mode": "client", "resource": [{"type": "x"}]}]},
        {"resourceType": "CapabilityStatement", "rest": []},
        {"resourceType": "CapabilityStatement", "rest": ["odd", {"mode": "server"}]},
        {"resourceType": "CapabilityStatement", "rest": [{"mode": "server", "resource": "AllergyIntolerance"}]},
        {
            "resourceType": "CapabilityStatement",
            "rest": [
                {"mode": "server", "resource": [{"type": "AllergyIntolerance", "interaction": [{"code": "read"}]}]}
            ],
        },
        {
            "resourceType": "CapabilityStatement",
            "rest": [{"mode": "server", "resource": [{"type": ["AllergyIntolerance"], "interaction": None}]}],
        },
    ],
)
def test_only_what_a_server_says_may_be_searched_counts(fhir: Make, offered: Any) -> None:
    bench = fhir()
    bench.server.offered = offered
    assert isinstance(bench.read("allergies").error, NotDeclared)


@pytest.mark.parametrize(
    ("offered", "error"),
    [
        ({"resourceType": "Patient"}, AnswerRejected),
        ({"resourceType": "CapabilityStatement"}, AnswerRejected),
        ([], AnswerRejected),
        (TwinResponse(503), SystemFailed),
    ],
)
def test_without_a_statement_the_section_is_a_gap_and_the_next_reading_asks_again(
    fhir: Make, offered: Any, error: type[AdapterError]
) -> None:
    bench = fhir()
    bench.server.offered = offered
    assert isinstance(bench.read("allergies").error, error)
    assert "AllergyIntolerance" not in bench.server.paths()
    bench.server.offered = statement("AllergyIntolerance")
    assert bench.read("allergies").error is None


def test_the_statement_is_asked_for_once_per_hub(fhir: Make) -> None:
    bench = fhir()
    for _ in range(3):
        bench.read("allergies")
        bench.read("immunisations")
    assert bench.server.paths().count("metadata") == 1


def test_threads_of_one_reading_ask_for_the_statement_once(fhir: Make) -> None:
    bench = fhir()
    reading = bench.found()
    start = threading.Barrier(8)

    def run() -> None:
        start.wait(10)
        bench.read("allergies", reading)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert bench.server.paths().count("metadata") == 1


@pytest.mark.parametrize("section", SEARCHED)
def test_what_lies_beyond_the_draft_needs_both_the_setting_and_the_statement(fhir: Make, section: str) -> None:
    type_ = SEARCHED[section]
    bench = fhir()
    bench.server.offered = statement(*ALSO)
    without = bench.read(section)
    assert isinstance(without.error, NotDeclared)
    assert "also_reads" in str(without.error)
    assert type_ not in bench.server.paths()
    bench = fhir(also_reads=[type_])
    assert isinstance(bench.read(section).error, NotDeclared)
    bench = fhir(also_reads=[type_])
    bench.server.offered = statement(type_)
    assert bench.read(section).error is None
    assert type_ in bench.server.paths()


def test_credentials(fhir: Make) -> None:
    bench = fhir(auth="none")
    bench.found()
    assert "Authorization" not in bench.server.asked[0].headers
    bench = fhir(auth="client-credentials", token_url=f"{HOST}/fhir/token")
    bench.server.files["token"] = json_response({"access_token": "fresh", "expires_in": 300})
    bench.found()
    assert bench.server.asked[-1].headers["Authorization"] == "Bearer fresh"
    assert b"client_secret=secret-client_secret" in bench.server.asked[0].body


# Documents


def fetch(bench: Bench, **fields: Any) -> Any:
    attachment = Attachment(**fields)
    document = DocumentReference(source=bench.reading().source("DocumentReference/d1"), attachments=(attachment,))
    return bench.adapter.fetch_document(bench.reading(), document, attachment)


@pytest.mark.parametrize("url", ["Binary/b1", f"{HOST}/fhir/Binary/b1"])
def test_a_document_is_fetched_as_it_is(fhir: Make, url: str) -> None:
    bench = fhir()
    bench.server.files["Binary/b1"] = TwinResponse(200, {"Content-Type": "application/pdf"}, b"%PDF-1.7\x00\xff")
    got = fetch(bench, url=url, content_type="application/pdf", size=9)
    assert (got.content_type, got.data) == ("application/pdf", b"%PDF-1.7\x00\xff")
    request = bench.server.asked[-1]
    assert request.headers["Accept"] == "application/pdf"
    assert request.headers["Authorization"] == "Bearer secret-token"


def test_a_binary_resource_is_unpacked(fhir: Make) -> None:
    bench = fhir()
    data = base64.b64encode(b"Dear doctor").decode()
    bench.server.files["Binary/b1"] = json_response(
        {"resourceType": "Binary", "contentType": "text/plain", "data": data}
    )
    got = fetch(bench, url="Binary/b1", content_type="text/plain")
    assert (got.content_type, got.data) == ("text/plain", b"Dear doctor")
    for wrong in ({"resourceType": "Patient"}, {"resourceType": "Binary"}, {"resourceType": "Binary", "data": "~"}):
        bench.server.files["Binary/b1"] = json_response(wrong)
        with pytest.raises(AnswerRejected):
            fetch(bench, url="Binary/b1", content_type="text/plain")


def test_content_that_the_document_holds_is_not_asked_for(fhir: Make) -> None:
    bench = fhir()
    got = fetch(bench, data_base64=base64.b64encode(b"Here").decode(), content_type="text/plain")
    assert (got.content_type, got.data) == ("text/plain", b"Here")
    assert bench.server.asked == []
    with pytest.raises(AnswerRejected, match="not base64"):
        fetch(bench, data_base64="~~")
    with pytest.raises(NotShown):
        fetch(bench)


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/Binary/b1",
        "//elsewhere.example/Binary/b1",
        f"{HOST}/other/Binary/b1",  # the same host, not below the base
        f"{HOST}.elsewhere.example/fhir/Binary/b1",
        "http://user@icr.invalid/fhir/Binary/b1",
        "/Binary/b1",
        "Binary/../../admin",
        "Binary/%2e%2e/admin",
        "\\\\elsewhere\\share",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "urn:uuid:0",
    ],
)
def test_a_document_elsewhere_is_never_asked_for(fhir: Make, url: str) -> None:
    bench = fhir()
    with pytest.raises(AnswerRejected):
        fetch(bench, url=url, content_type="text/plain")
    assert bench.server.asked == []


def test_a_document_that_is_too_large_is_not_taken(fhir: Make) -> None:
    bench = fhir(document_max_bytes=10)
    bench.server.files["Binary/b1"] = TwinResponse(200, {"Content-Type": "text/plain"}, b"x" * 11)
    with pytest.raises(AnswerRejected, match="larger than 10 bytes"):
        fetch(bench, url="Binary/b1", size=11)
    assert bench.server.asked == []
    with pytest.raises(AnswerRejected, match="larger than 10 bytes"):
        fetch(bench, url="Binary/b1", size=3)
    with pytest.raises(AnswerRejected, match="larger than 10 bytes"):
        fetch(bench, data_base64=base64.b64encode(b"x" * 11).decode())
    with pytest.raises(AnswerRejected, match="status 404"):
        fetch(bench, url="Binary/b2")
