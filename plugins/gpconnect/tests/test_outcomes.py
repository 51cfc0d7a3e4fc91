"""Every error of GP Connect and of the proxy, under every status, becomes the right error in our words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mpftconnect.adapters import TwinResponse, json_response
from mpftconnect.errors import (
    AdapterError,
    AnswerRejected,
    GapReason,
    NotPermitted,
    NotShown,
    RateLimited,
    SystemFailed,
)
from mpftconnect.model import SectionName
from mpftconnect.sandbox import PEOPLE
from mpftconnect_gpconnect.outcomes import CODES, PROXY, failure
from mpftconnect_gpconnect.twin import GpConnectTwin
from mpftconnect_gpconnect.twin.refusals import ERRORS, PROXY_ERRORS, error_response, proxy_response

ALLERGIES = SectionName.ALLERGIES
SECRET = "9990000018 Threlkeld"
# GP Connect, "Error handling", by code: what it must become here. Written out, so that a slip in the table shows.
EXPECTED: dict[str, tuple[int, str, type[AdapterError]]] = {
    "INVALID_IDENTIFIER_SYSTEM": (400, "value", AnswerRejected),
    "INVALID_IDENTIFIER_VALUE": (400, "value", AnswerRejected),
    "INVALID_NHS_NUMBER": (400, "value", AnswerRejected),
    "INVALID_PATIENT_DEMOGRAPHICS": (400, "business-rule", NotShown),
    "PATIENT_NOT_FOUND": (404, "not-found", NotShown),
    "ORGANISATION_NOT_FOUND": (404, "not-found", AnswerRejected),
    "PRACTITIONER_NOT_FOUND": (404, "not-found", AnswerRejected),
    "NO_RECORD_FOUND": (404, "not-found", NotShown),
    "NO_PATIENT_CONSENT": (403, "forbidden", NotShown),
    "NO_ORGANISATION_CONSENT": (403, "forbidden", NotPermitted),
    "ACCESS_DENIED": (403, "forbidden", NotPermitted),
    "DUPLICATE_REJECTED": (409, "duplicate", AnswerRejected),
    "INVALID_RESOURCE": (422, "invalid", AnswerRejected),
    "INVALID_PARAMETER": (422, "invalid", AnswerRejected),
    "REFERENCE_NOT_FOUND": (422, "invalid", AnswerRejected),
    "BAD_REQUEST": (400, "invalid", AnswerRejected),
    "NOT_IMPLEMENTED": (501, "not-supported", SystemFailed),
    "INTERNAL_SERVER_ERROR": (500, "processing", SystemFailed),
}
PROXY_EXPECTED: dict[int, type[AdapterError]] = {
    400: AnswerRejected,
    403: NotPermitted,
    405: AnswerRejected,
    415: AnswerRejected,
    502: SystemFailed,
    504: SystemFailed,
}
STATUSES = (200, 400, 401, 403, 404, 405, 409, 415, 422, 429, 500, 501, 502, 503, 504)


def test_the_tables_are_whole() -> None:
    assert {code: (m.status, m.issue, m.kind) for code, m in CODES.items()} == EXPECTED
    assert {code: (status, issue) for code, (status, issue, _) in ERRORS.items()} == {
        code: (status, issue) for code, (status, issue, _) in EXPECTED.items()
    }
    assert {status: meaning.kind for status, meaning in PROXY.items()} == PROXY_EXPECTED
    assert PROXY.keys() == PROXY_ERRORS.keys()


def caught(line: Any, response: TwinResponse, sections: tuple[SectionName, ...] = (ALLERGIES,)) -> AdapterError:
    with line.twin.answering(response), pytest.raises(AdapterError) as found:
        line.adapter.find_patient(line.reading("full", *sections))
    return found.value


@pytest.mark.parametrize("code", EXPECTED)
def test_each_code_under_its_own_status_and_any_other(line: Any, code: str) -> None:
    usual, _, kind = EXPECTED[code]
    for status in (usual, *STATUSES):
        error = caught(line, error_response(code, f"about {SECRET}", status))
        assert type(error) is kind, status
        assert error.system == "gpconnect"
        assert SECRET not in f"{error} {error!r} {error.args}"


@pytest.mark.parametrize("sections", [(ALLERGIES,), (SectionName.DOCUMENTS,)])
def test_not_found_is_worded_as_it_is_meant(line: Any, sections: Any) -> None:
    error = caught(line, error_response("PATIENT_NOT_FOUND"), sections)
    assert error.reason is GapReason.NOT_SHOWN
    assert error.rule == "the GP practice's system does not show this person"
    assert "no such" not in str(error)
    assert "found" not in str(error)


def test_dissent_is_worded_as_it_is_meant(line: Any) -> None:
    error = caught(line, error_response("NO_PATIENT_CONSENT"))
    assert (error.reason, error.rule) == (GapReason.NOT_SHOWN, "not shared by the source")


def test_the_code_with_a_space(line: Any) -> None:
    body = json.loads(error_response("ACCESS_DENIED").body)
    body["issue"][0]["details"]["coding"][0]["code"] = "ACCESS DENIED"
    assert isinstance(caught(line, json_response(body, 403)), NotPermitted)


@pytest.mark.parametrize("status", PROXY_EXPECTED)
def test_each_error_of_the_proxy(line: Any, status: int) -> None:
    error = caught(line, proxy_response(status, f"ENDPOINT_{SECRET}"))
    assert type(error) is PROXY_EXPECTED[status]
    assert "roxy" in error.rule
    assert SECRET not in str(error)


def outcome(*codings: Any, **issue: Any) -> dict[str, Any]:
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "details": {"coding": [coding]}, **issue} for coding in codings],
    }


SPINE = "https://fhir.nhs.uk/STU3/ValueSet/Spine-ErrorOrWarningCode-1"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(outcome({"system": SPINE, "code": SECRET}), id="a code that nobody knows"),
        pytest.param(outcome({"system": "urn:x", "code": "PATIENT_NOT_FOUND"}), id="a known code of another system"),
        pytest.param(outcome({"code": "PATIENT_NOT_FOUND"}), id="a known code of no system"),
        pytest.param(
            outcome({"system": SPINE, "code": "PATIENT_NOT_FOUND"}, {"system": SPINE, "code": "BAD_REQUEST"}),
            id="two codes",
        ),
        pytest.param({"resourceType": "OperationOutcome"}, id="no issue"),
        pytest.param({"resourceType": "OperationOutcome", "issue": [None, 7, {"details": 1}]}, id="spoilt issues"),
        pytest.param({"issue": "PATIENT_NOT_FOUND"}, id="no resource"),
        pytest.param([SECRET], id="a list"),
        pytest.param(SECRET, id="a text"),
        pytest.param(None, id="nothing"),
    ],
)
@pytest.mark.parametrize("status", STATUSES)
def test_what_is_not_known_goes_by_its_status_and_is_not_repeated(line: Any, status: int, body: Any) -> None:
    error = caught(line, json_response(body, status))
    expected = {401: NotPermitted, 403: NotPermitted, 429: RateLimited}.get(
        status, SystemFailed if status >= 500 else AnswerRejected
    )
    assert type(error) is expected
    assert SECRET not in f"{error} {error!r}"
    assert not isinstance(error, NotShown)


@pytest.mark.parametrize(
    "answer",
    [
        TwinResponse(200, {"Content-Type": "text/html"}, b"<h1>Threlkeld</h1>"),
        TwinResponse(404, {"Content-Type": "text/html"}, b"<h1>Threlkeld was not found</h1>"),
        TwinResponse(404, {}, b""),
        TwinResponse(200, {"Content-Type": "application/fhir+json"}, b'{"resourceType": "Bundle"'),
        TwinResponse(200, {"Content-Type": "application/fhir+xml"}, b"<Bundle/>"),
        TwinResponse(201, {"Content-Type": "application/fhir+json"}, b'{"resourceType": "Bundle"}'),
        TwinResponse(204, {}, b""),
        TwinResponse(302, {"Location": "https://elsewhere.example/"}, b""),
    ],
)
def test_what_is_no_fhir(line: Any, answer: TwinResponse) -> None:
    error = caught(line, answer)
    assert isinstance(error, AnswerRejected)
    assert "Threlkeld" not in str(error)


def test_an_unlikely_body_never_raises_anything_else() -> None:
    for body in (
        None,
        7,
        [],
        {"resourceType": ["OperationOutcome"]},
        {"resourceType": "OperationOutcome", "issue": {}},
    ):
        assert isinstance(failure(404, body, "gp"), AnswerRejected)


def test_an_error_reaches_every_section_once(line: Any) -> None:
    """The answer is asked for once; every section that needs it learns the same, and nothing else is kept of it."""
    person = line.adapter.find_patient(line.reading("full", ALLERGIES))
    reading = line.reading("full", ALLERGIES, SectionName.PROBLEMS).found(person)
    before = len(line.practices())
    with line.twin.answering(error_response("INTERNAL_SERVER_ERROR", SECRET)):
        for read in (line.adapter.read_allergies, line.adapter.read_problems):
            with pytest.raises(SystemFailed) as found:
                list(read(reading))
            assert SECRET not in str(vars(found.value))
    assert len(line.practices()) == before + 1


@pytest.mark.parametrize("not_enabled", ["documents", "structured"])
def test_one_capability_without_the_other(line_to: Any, not_enabled: str) -> None:
    line = line_to(GpConnectTwin(PEOPLE, not_enabled=[not_enabled]))
    reading = line.reading("full", ALLERGIES, SectionName.DOCUMENTS)
    found = reading.found(line.adapter.find_patient(reading))
    reads = {"structured": line.adapter.read_allergies, "documents": line.adapter.read_documents}
    with pytest.raises(NotPermitted, match="not be enabled"):
        list(reads.pop(not_enabled)(found))
    if not_enabled == "documents":
        assert list(reads["structured"](found))
        return
    # What the document server has is shown before it is said that the record's own links are missing.
    seen = iter(reads["documents"](found))
    assert [next(seen).source.id.partition("/")[0] for _ in range(3)] == ["DocumentReference"] * 3
    with pytest.raises(NotPermitted):
        next(seen)


def test_neither_capability(line_to: Any) -> None:
    line = line_to(GpConnectTwin(PEOPLE, not_enabled=["documents", "structured"]))
    with pytest.raises(NotPermitted, match="not be enabled"):
        line.adapter.find_patient(line.reading("full", ALLERGIES, SectionName.DOCUMENTS))


def test_whoever_dissents_is_not_asked_about_twice(line: Any) -> None:
    with line.twin.answering(error_response("NO_PATIENT_CONSENT")), pytest.raises(NotShown):
        line.adapter.find_patient(line.reading("full", ALLERGIES, SectionName.DOCUMENTS))
    assert len(line.practices()) == 1
