"""The published specifications, held against all that the adapter sends and all that the twin answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator

from mpftconnect.adapters import Draft, NewPointer
from mpftconnect.model import SNOMED, Coding, DocumentReference, When
from mpftconnect.sandbox import PEOPLE
from mpftconnect_nrl.outcomes import NrlCode
from mpftconnect_nrl.pointer_types import CATEGORIES, TYPES
from mpftconnect_nrl.twin.refusals import TABLE

CONSUMER = "/record-locator/consumer/FHIR/R4/DocumentReference"
PRODUCER = "/record-locator/producer/FHIR/R4/DocumentReference"
HELD = [someone for someone in PEOPLE if "nrl" in someone.systems]


def complaints(schema: Mapping[str, Any], body: Any) -> list[str]:
    """What breaks the schema, and which fields it does not know: the schemas leave them open, the locator does not."""
    broken = [f"{'.'.join(map(str, e.absolute_path))}: {e.message}" for e in OAS30Validator(schema).iter_errors(body)]
    return broken + [f"{path}: not in the schema" for path in unknown_fields(schema, body, "")]


def unknown_fields(schema: Mapping[str, Any], body: Any, path: str) -> Iterator[str]:
    known: dict[str, Any] = {}
    items: Mapping[str, Any] | None = None
    for part in (schema, *schema.get("allOf", ())):
        for deeper in (part, *part.get("allOf", ())):
            known |= deeper.get("properties", {})
            items = deeper.get("items", items)
    options = items.get("oneOf") if items else None
    if isinstance(body, dict) and known:
        for name, value in body.items():
            if name not in known:
                yield f"{path}.{name}"
            else:
                yield from unknown_fields(known[name], value, f"{path}.{name}")
    elif isinstance(body, list) and items:
        for index, value in enumerate(body):
            tried = [list(unknown_fields(each, value, f"{path}[{index}]")) for each in options or (items,)]
            yield from min(tried, key=len)


def body_of(response: Any) -> Any:
    return json.loads(response.body)


def body(draft: Draft) -> Any:
    assert draft.body is not None
    return json.loads(draft.body)


class TestWhatIsSent:
    """Every request of the adapter, by the schemas of the producer's and the consumer's parameters and bodies."""

    @pytest.mark.parametrize("code", TYPES)
    @pytest.mark.parametrize(
        "address", ["https://plans.example.nhs.uk/{reference}", "ssp://plans.example.nhs.uk/{reference}"]
    )
    def test_every_kind_of_pointer(
        self, published: Any, line_to: Any, twin: Any, pointer: NewPointer, code: str, address: str
    ) -> None:
        publish = {
            "document_url": address, "asid": "990000000002", "stability": "dynamic",
            "practice_setting": {"code": "788002001", "display": "Adult mental health service"},
        }  # fmt: skip
        line = line_to(twin, publish=publish)
        new = replace(pointer, kind=Coding(system=SNOMED, code=code), created=When("2025-05-20T10:15:00"))
        draft = line.adapter.draft_pointer(line.reading(), new, ())
        assert complaints(published.schema("producer", "DocumentReference"), body(draft)) == []

    def test_one_that_supersedes(self, published: Any, line: Any, pointer: NewPointer) -> None:
        draft = line.adapter.draft_pointer(line.reading(), pointer, ("RRE-1", "RRE-2"))
        assert complaints(published.schema("producer", "DocumentReference"), body(draft)) == []
        assert [each["target"]["identifier"]["value"] for each in body(draft)["relatesTo"]] == ["RRE-1", "RRE-2"]

    def test_one_of_contact_details(self, published: Any, line_to: Any, twin: Any, pointer: NewPointer) -> None:
        publish = {
            "document_url": "https://www.example.nhs.uk/whom-to-ask/{reference}", "content_type": "text/html",
            "practice_setting": {"code": "788002001", "display": "Adult mental health service"},
        }  # fmt: skip
        line = line_to(twin, publish=publish)
        draft = line.adapter.draft_pointer(line.reading(), pointer, ())
        assert body(draft)["content"][0]["format"]["code"] == "urn:nhs-ic:record-contact"
        assert complaints(published.schema("producer", "DocumentReference"), body(draft)) == []

    def test_searches_and_counts(self, published: Any, line_to: Any, twin: Any) -> None:
        line = line_to(twin, types=["736253002", "736373009"])
        line.documents()
        line.adapter.count_pointers(line.reading())
        list(line.adapter.find_pointers(line.reading(), "736253002"))
        asked = [request for request in line.transport.asked if request.path.endswith("/_search")]
        assert len(asked) == 3
        for request in asked:
            api = "consumer" if "/consumer/" in request.path else "producer"
            assert complaints(published.schema(api, "RequestParams"), json.loads(request.body)) == []

    def test_headers(self, published: Any, line: Any, pointer: NewPointer) -> None:
        draft = line.adapter.draft_pointer(line.reading(), pointer, ())
        line.adapter.write_pointer(line.reading(), draft, ())
        line.documents()
        parameters = published.producer["components"]["parameters"]
        needed = {p["name"] for p in parameters.values() if p["in"] == "header" and p["required"]}
        assert needed == {"NHSD-End-User-Organisation-ODS", "X-Request-ID"}
        uuid = published.schema("producer", "RequestHeaderRequestId")["pattern"]
        for request in line.transport.asked:
            if request.path != "/oauth2/token":
                assert needed <= {name for name in needed if request.headers.get(name)}
                assert re.fullmatch(uuid, request.headers["X-Request-ID"])
                assert request.headers["Authorization"].startswith("Bearer ")

    def test_no_request_holds_the_number_in_its_address(self, line: Any, pointer: NewPointer) -> None:
        line.documents()
        line.adapter.count_pointers(line.reading())
        list(line.adapter.find_pointers(line.reading(), None))
        line.adapter.write_pointer(line.reading(), line.adapter.draft_pointer(line.reading(), pointer, ()), ())
        for request in line.transport.asked:
            address = request.path + "".join(f"{name}={value}" for name, value in request.query)
            assert "9990000018" not in address

    def test_an_unknown_field_would_be_noticed(self, published: Any, line: Any, pointer: NewPointer) -> None:
        draft = body(line.adapter.draft_pointer(line.reading(), pointer, ()))
        schema = published.schema("producer", "DocumentReference")
        assert complaints(schema, draft | {"text": {"status": "empty"}}) == [".text: not in the schema"]
        draft["content"][0]["attachment"]["creationDate"] = "2025"
        assert complaints(schema, draft) == [".content[0].attachment.creationDate: not in the schema"]
        del draft["context"]["practiceSetting"]
        assert len(complaints(schema, draft)) == 2


class TestWhatTheTwinAnswers:
    @pytest.mark.parametrize("someone", HELD, ids=lambda someone: someone.role)
    @pytest.mark.parametrize(("api", "path"), [("consumer", CONSUMER), ("producer", PRODUCER)])
    def test_searches(self, published: Any, caller: Any, someone: Any, api: str, path: str) -> None:
        answer = caller.search(path, someone.nhs_number)
        assert answer.status == 200
        assert complaints(published.schema(api, "Bundle"), body_of(answer)) == []

    def test_a_count_and_nobody(self, published: Any, caller: Any) -> None:
        for answer in (caller.search(_summary="count"), caller.search(number="9990000026")):
            assert complaints(published.schema("consumer", "Bundle"), body_of(answer)) == []
        assert "entry" not in body_of(caller.search(_summary="count"))
        assert body_of(caller.search(number="9990000026"))["entry"] == []

    def test_reads(self, published: Any, caller: Any) -> None:
        for pointer in caller.twin.pointers:
            answer = caller.send("GET", f"{CONSUMER}/{pointer['id']}")
            assert complaints(published.schema("consumer", "DocumentReference"), body_of(answer)) == []
            assert body_of(answer)["id"] == pointer["id"]

    def test_what_was_published_and_what_is_said_of_it(
        self, published: Any, caller: Any, line: Any, pointer: NewPointer
    ) -> None:
        outcome = published.schema("producer", "OperationOutcome")
        made = caller.send("POST", PRODUCER, line.adapter.draft_pointer(line.reading(), pointer, ()).body)
        assert (made.status, complaints(outcome, body_of(made))) == (201, [])
        pointer_id = made.headers["Location"].rpartition("/")[2]
        draft = line.adapter.draft_pointer(line.reading(), pointer, (pointer_id,))
        again = caller.send("POST", PRODUCER, draft.body)
        assert (again.status, complaints(outcome, body_of(again))) == (201, [])
        new_id = again.headers["Location"].rpartition("/")[2]
        shown = caller.send("GET", f"{PRODUCER}/{new_id}")
        assert complaints(published.schema("producer", "DocumentReference"), body_of(shown)) == []
        gone = caller.send("DELETE", f"{PRODUCER}/{new_id}")
        assert (gone.status, complaints(outcome, body_of(gone))) == (200, [])

    @pytest.mark.parametrize("code", TABLE)
    @pytest.mark.parametrize("api", ["consumer", "producer"])
    def test_every_refusal_it_can_give(self, published: Any, caller: Any, code: NrlCode, api: str) -> None:
        with caller.twin.answering(code):
            answer = caller.search(f"/record-locator/{api}/FHIR/R4/DocumentReference")
        assert answer.status == TABLE[code].status
        assert complaints(published.schema(api, "OperationOutcome"), body_of(answer)) == []


class TestTypes:
    def test_they_are_those_of_the_published_table_with_their_categories(self, published: Any) -> None:
        rows = re.findall(
            r"^\| ([A-Z][^(\n|]*?) *\(\[(\d+)\][^|\n]*\| ([^|\n]*?) +\(\[(\d+)\]",
            published.producer["info"]["description"],
            re.MULTILINE,
        )
        told = {code: (display, category) for _, category, display, code in rows}
        assert len(told) == 15
        assert told == {code: (display, category) for code, (display, category) in TYPES.items()}

    def test_displays_of_categories_are_those_of_the_parameter(self, published: Any) -> None:
        examples = published.producer["components"]["parameters"]["category"]["examples"]
        told = {each["value"].partition("|")[2]: each["summary"] for name, each in examples.items() if "SNOMED" in name}
        ours = {code: display for code, display in CATEGORIES.items() if code in told}
        assert ours == {code: told[code] for code in ours}
        assert len(ours) == len(CATEGORIES) - 1  # "Clinical document" stands in the table alone


class TestPublishedExamples:
    def test_every_example_of_the_specifications_is_read(self, published: Any, script: Any) -> None:
        from mpftconnect.adapters import json_response

        read = 0
        for specification in (published.consumer, published.producer):
            for resource in examples_in(specification):
                subject = resource["subject"]["identifier"]["value"]
                resource = {"id": "Y05868-1", **resource}
                bundle = {"resourceType": "Bundle", "type": "searchset", "total": 1, "entry": [{"resource": resource}]}
                found = script(json_response(bundle)).documents(subject)
                assert [type(each) for each in found] == [DocumentReference]
                assert found[0].type.coding[0].code == resource["type"]["coding"][0]["code"]
                assert found[0].custodian.organization_code == resource["custodian"]["identifier"]["value"]
                read += 1
        assert read >= 8

    def test_the_one_way_in_which_the_schemas_are_not_taken_at_their_word(self, published: Any) -> None:
        (example,) = examples_in(published.producer["components"]["requestBodies"])
        schema = published.schema("producer", "DocumentReference", as_published=True)
        assert [e.json_path for e in OAS30Validator(schema).iter_errors(example)] == [
            "$.content[0].extension[0]", "$.content[0].extension[1]",
        ]  # fmt: skip
        assert complaints(published.schema("producer", "DocumentReference"), example) == []

    def test_the_test_data_of_the_locator_is_read(self, published: Any, script: Any) -> None:
        from mpftconnect.adapters import json_response

        assert len(published.examples) == 4
        for resource in published.examples.values():
            bundle = {"resourceType": "Bundle", "type": "searchset", "total": 1, "entry": [{"resource": resource}]}
            found = script(json_response(bundle)).documents(resource["subject"]["identifier"]["value"])
            assert [type(each) for each in found] == [DocumentReference]
            assert found[0].attachments[0].url == resource["content"][0]["attachment"]["url"]


def examples_in(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        if value.get("resourceType") == "DocumentReference" and "content" in value:
            yield value
        for each in value.values():
            yield from examples_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from examples_in(each)
