"""What the twin lets nobody do: the locator's rules for pointers, one by one, and who may call."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from mpftconnect.adapters import Fault, NewPointer
from mpftconnect_nrl.outcomes import NrlCode, codes_of

CONSUMER = "/record-locator/consumer/FHIR/R4/DocumentReference"
PRODUCER = "/record-locator/producer/FHIR/R4/DocumentReference"
ODS = "https://fhir.nhs.uk/Id/ods-organization-code"


@pytest.fixture
def good(line: Any, pointer: NewPointer) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(line.adapter.draft_pointer(line.reading(), pointer, ()).body)
    return body


def told(response: Any) -> tuple[int, list[str], str | None]:
    body = json.loads(response.body)
    return response.status, sorted(codes_of(body)), body["issue"][0].get("expression", [None])[0]


def put(path: str, value: Any) -> Callable[[Any], None]:
    """A change of one place in a pointer; `...` takes it away."""

    def change(body: Any) -> None:
        *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in way:
            body = body[part]
        if value is ...:
            del body[last]
        else:
            body[last] = value

    return change


EXTENSION = "content.0.extension.0.valueCodeableConcept.coding.0"
RESOURCE = "INVALID_RESOURCE"
BROKEN = [
    # NRL-01: the mandatory set of 2026
    *[
        (put(name, ...), RESOURCE, name)
        for name in ("status", "subject", "custodian", "author", "type", "category", "content", "context")
    ],
    (put("content.0.attachment.url", ...), RESOURCE, "content[0].attachment.url"),
    (put("content.0.attachment.contentType", ...), RESOURCE, "content[0].attachment.contentType"),
    (put("content.0.format", ...), RESOURCE, "content[0].format"),
    (put("content.0.extension", ...), RESOURCE, "content[0].extension"),
    (put("context.practiceSetting", ...), RESOURCE, "context.practiceSetting"),
    (put("content", []), RESOURCE, "content"),
    (put("author", [{}]), RESOURCE, "author[0].identifier"),
    (put("author", [{"identifier": {"system": ODS, "value": "A"}}] * 2), RESOURCE, "author"),
    (put("status", "superseded"), RESOURCE, "status"),
    (put("docStatus", "done"), RESOURCE, "docStatus"),
    # NRL-02
    (put("subject.identifier.system", "urn:x"), "INVALID_IDENTIFIER_SYSTEM", "subject.identifier.system"),
    (put("subject.identifier.value", "9990000019"), "INVALID_NHS_NUMBER", "subject.identifier.value"),
    (put("subject.identifier.value", "999 000 0018"), "INVALID_NHS_NUMBER", "subject.identifier.value"),
    # NRL-03
    (put("custodian.identifier.value", "ZZ502"), "BAD_REQUEST", "custodian.identifier.value"),
    (put("custodian.identifier.system", "urn:x"), "INVALID_IDENTIFIER_SYSTEM", "custodian.identifier.system"),
    (put("author.0.identifier.system", "urn:x"), "INVALID_IDENTIFIER_SYSTEM", "author[0].identifier.system"),
    # NRL-04
    (put("type.coding.0.code", "410970009"), "AUTHOR_CREDENTIALS_ERROR", "type.coding[0].code"),
    (put("type.coding.0.display", "Crisis plan"), RESOURCE, "type.coding[0].display"),
    (put("type.coding.0.system", "http://loinc.org"), RESOURCE, "type.coding[0].system"),
    (put("category.0.coding.0.code", "410970009"), RESOURCE, "category[0].coding[0].code"),
    (put("category.0.coding.0.display", "care plan"), RESOURCE, "category[0].coding[0].display"),
    (
        put("category.0.coding.0", {"system": "http://snomed.info/sct", "code": "423876004",
                                    "display": "Clinical document"}),
        RESOURCE, "category[0].coding[0].code",
    ),
    (lambda body: body["category"].append(body["category"][0]), RESOURCE, "category"),
    # NRL-06
    (put("context.related", ...), RESOURCE, "context.related"),
    (put("context.related.0.identifier.value", "12345"), "INVALID_IDENTIFIER_VALUE",
     "context.related[0].identifier.value"),
    (lambda body: body["context"]["related"].append(body["context"]["related"][0]), RESOURCE, "context.related"),
    # The rest of the content
    (put("content.0.attachment.contentType", "a pdf"), RESOURCE, "content[0].attachment.contentType"),
    (put("content.0.attachment.url", "ftp://x/y"), RESOURCE, "content[0].attachment.url"),
    (put("content.0.format.display", "Unstructured document"), RESOURCE, "content[0].format.code"),
    (put("content.0.attachment.contentType", "text/html"), RESOURCE, "content[0].format.code"),
    (put(f"{EXTENSION}.display", "static"), RESOURCE, "content[0].extension[0].valueCodeableConcept.coding"),
    (put("content.0.extension.0.url", "urn:x"), RESOURCE, "content[0].extension"),
    # NRL-10
    (put("relatesTo", [{"code": "replaces", "target": {"type": "DocumentReference"}}]), "INVALID_IDENTIFIER_VALUE",
     "relatesTo[0].target.identifier.value"),
    (put("relatesTo", [{"code": "eats", "target": {}}]), RESOURCE, "relatesTo[0].target"),
    (put("relatesTo", [{"code": "replaces", "target": {"identifier": {"value": "ZZ502-full-eol"}}}]), "BAD_REQUEST",
     "relatesTo[0].target.identifier.value"),
    (put("relatesTo", [{"code": "replaces", "target": {"identifier": {"value": "RRE-nothing"}}}]), "BAD_REQUEST",
     "relatesTo[0].target.identifier.value"),
    (put("relatesTo", [{"code": "replaces", "target": {"identifier": {"value": "RRE-conflicting-crisis"}}}]),
     "BAD_REQUEST", "relatesTo[0].target.identifier.value"),
    # NRL-14: what it does not know, at every depth
    (put("text", {"status": "empty"}), RESOURCE, "DocumentReference"),
    (put("subject.reference", "Patient/1"), RESOURCE, "subject"),
    (put("content.0.attachment.creationDate", "2025"), RESOURCE, "content[0].attachment"),
    (put("context.practiceSetting.coding.0.extension", []), RESOURCE, "context.practiceSetting.coding[0]"),
    # Wrong types
    (put("subject", []), RESOURCE, "subject"),
    (put("content", {}), RESOURCE, "content"),
    (put("status", ["current"]), RESOURCE, "status"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "code", "place"), BROKEN)
def test_a_pointer_that_breaks_one_rule_is_refused(
    caller: Any, good: dict[str, Any], change: Callable[[Any], None], code: str, place: str
) -> None:
    assert caller.send("POST", PRODUCER, good).status == 201
    bad = copy.deepcopy(good)
    change(bad)
    held = len(caller.twin.pointers)
    status, codes, where = told(caller.send("POST", PRODUCER, bad))
    assert (status, codes, where) == (403 if code == "AUTHOR_CREDENTIALS_ERROR" else 400, [code], where)
    assert where == place or (where or "").removeprefix("DocumentReference.") == place
    assert len(caller.twin.pointers) == held


def test_a_type_of_another_pointer_is_not_superseded(caller: Any, good: dict[str, Any]) -> None:
    made = caller.send("POST", PRODUCER, good).headers["Location"].rpartition("/")[2]
    good["type"]["coding"][0] |= {"code": "325691000000100", "display": "Contingency plan"}
    good["relatesTo"] = [{"code": "replaces", "target": {"identifier": {"value": made}}}]
    assert told(caller.send("POST", PRODUCER, good))[1] == ["BAD_REQUEST"]
    assert made in {each["id"] for each in caller.twin.pointers}


def test_a_new_pointer_is_seen_by_consumers_and_a_superseded_one_is_not(caller: Any, good: dict[str, Any]) -> None:
    first = caller.send("POST", PRODUCER, good).headers["Location"].rpartition("/")[2]
    good["relatesTo"] = [{"code": "replaces", "target": {"identifier": {"value": first}}}]
    second = caller.send("POST", PRODUCER, good)
    assert json.loads(second.body)["issue"][0]["details"]["coding"][0]["code"] == "RESOURCE_SUPERSEDED"
    ids = {entry["resource"]["id"] for entry in json.loads(caller.search().body)["entry"]}
    assert first not in ids
    assert second.headers["Location"].rpartition("/")[2] in ids


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"text"', b'{"a": 1, "a": 2}', b"\xff"])
@pytest.mark.parametrize("path", [PRODUCER, f"{CONSUMER}/_search"])
def test_a_body_that_is_no_object_is_not_well_formed(caller: Any, body: bytes, path: str) -> None:
    assert told(caller.send("POST", path, body))[:2] == (400, ["MESSAGE_NOT_WELL_FORMED"])


class TestSearching:
    def ids(self, response: Any) -> list[str]:
        return sorted(entry["resource"]["id"] for entry in json.loads(response.body)["entry"])

    def test_by_type_category_and_custodian(self, caller: Any) -> None:
        sct, ods = "http://snomed.info/sct|", f"{ODS}|"
        assert self.ids(caller.search()) == ["RRE-full-crisis", "ZZ502-full-eol", "ZZ503-full-respect"]
        assert self.ids(caller.search(type=f"{sct}736253002")) == ["RRE-full-crisis"]
        both = f"{sct}736253002,{sct}736373009"
        assert self.ids(caller.search(type=both)) == ["RRE-full-crisis", "ZZ502-full-eol"]
        assert self.ids(caller.search(category=f"{sct}423876004")) == []
        assert len(self.ids(caller.search(category=f"{sct}734163000"))) == 3
        assert self.ids(caller.search(**{"custodian:identifier": f"{ods}ZZ502"})) == ["ZZ502-full-eol"]

    def test_a_producer_sees_its_own_alone(self, caller: Any) -> None:
        assert self.ids(caller.search(PRODUCER)) == ["RRE-full-crisis"]

    def test_by_get(self, caller: Any) -> None:
        asked = "subject:identifier=https://fhir.nhs.uk/Id/nhs-number|9990000018&type=http://snomed.info/sct|736253002"
        assert self.ids(caller.send("GET", f"{CONSUMER}?{asked}")) == ["RRE-full-crisis"]

    @pytest.mark.parametrize(
        ("asked", "code"),
        [
            ({}, "INVALID_PARAMETER"),
            ({"subject:identifier": "9990000018"}, "INVALID_NHS_NUMBER"),
            ({"subject:identifier": "https://fhir.nhs.uk/Id/nhs-number|9990000019"}, "INVALID_NHS_NUMBER"),
            ({"patient": "1"}, "INVALID_PARAMETER"),
            ({"type": "http://loinc.org|1"}, "INVALID_CODE_SYSTEM"),
            ({"custodian:identifier": "RRE"}, "INVALID_PARAMETER"),
            ({"_summary": "true"}, "INVALID_PARAMETER"),
            ({"type": ["a"]}, "INVALID_PARAMETER"),
        ],
    )
    def test_what_makes_no_sense(self, caller: Any, asked: dict[str, Any], code: str) -> None:
        subject = {"subject:identifier": "https://fhir.nhs.uk/Id/nhs-number|9990000018"} if asked else {}
        assert told(caller.send("POST", f"{CONSUMER}/_search", subject | asked))[:2] == (400, [code])


class TestWhoMayCall:
    @pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer wrong", "Basic abc"])
    def test_a_token_is_needed(self, caller: Any, authorization: str | None) -> None:
        assert told(caller.send("GET", CONSUMER, Authorization=authorization))[:2] == (401, ["ACCESS_DENIED"])

    def test_a_stale_token(self, caller: Any) -> None:
        with caller.twin.faults.on(Fault.STALE_TOKEN):
            assert caller.search().status == 401

    @pytest.mark.parametrize("name", ["X_Request_ID", "NHSD_End_User_Organisation_ODS"])
    @pytest.mark.parametrize("value", [None, "", "not one"])
    def test_headers_are_needed(self, caller: Any, name: str, value: str | None) -> None:
        response = caller.send("POST", f"{CONSUMER}/_search", {}, **{name: value})
        assert told(response)[:2] == (400, ["MISSING_OR_INVALID_HEADER"])

    def test_the_denial_is_spelt_with_a_space(self, caller: Any) -> None:
        with caller.twin.answering(NrlCode.ACCESS_DENIED):
            coding = json.loads(caller.search().body)["issue"][0]["details"]["coding"][0]
        assert coding["code"] == "ACCESS DENIED"

    def test_another_organisations_pointer_is_neither_read_nor_deleted_as_a_producer(self, caller: Any) -> None:
        for method in ("GET", "DELETE"):
            status, codes, _ = told(caller.send(method, f"{PRODUCER}/ZZ502-full-eol"))
            assert (status, codes) == (403, ["AUTHOR_CREDENTIALS_ERROR"])
        assert caller.send("GET", f"{CONSUMER}/ZZ502-full-eol").status == 200

    def test_what_is_not_there(self, caller: Any) -> None:
        assert told(caller.send("DELETE", f"{PRODUCER}/RRE-nothing"))[:2] == (404, ["NO_RECORD_FOUND"])
        assert told(caller.send("PUT", f"{PRODUCER}/RRE-full-crisis"))[0] == 405
        assert caller.send("GET", "/elsewhere").status == 404

    def test_ids_of_the_request_are_mirrored(self, caller: Any) -> None:
        response = caller.send("GET", f"{CONSUMER}/none", X_Correlation_ID="c-1")
        assert response.headers["X-Correlation-ID"] == "c-1"
        assert response.headers["X-Request-ID"]


def test_a_lost_answer_is_a_write_that_was_done(caller: Any, good: dict[str, Any]) -> None:
    with caller.twin.faults.on(Fault.LOST_ANSWER):
        assert caller.send("POST", PRODUCER, good).status == 504
        assert caller.search().status == 200
    assert len(caller.twin.written) == 1
