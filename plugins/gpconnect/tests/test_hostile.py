"""Whatever JSON comes under status 200, the adapter gives what is good or an AdapterError that repeats nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpftconnect.adapters import DocumentContent, Refusal, TwinResponse
from mpftconnect.errors import AdapterError
from mpftconnect.model import Attachment, DocumentReference, Item, Notice, Patient, SectionName

SECRET = "Zzyzxborough"
NUMBER, OTHER = "9990000018", "9990000212"
STRUCTURED_URN = "urn:nhs:names:services:gpconnect:fhir:operation:gpc.getstructuredrecord-1"
GOOD = "https://gp-systems.example/ZZ101/STU3/1/GPConnect/Structured"

leaves = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-1, 1) | st.sampled_from(
    [SECRET, "", NUMBER, OTHER, "Patient", "Bundle", "searchset", "collection", "OperationOutcome", "Device",
     "Endpoint", "List", "active", "next", GOOD, "200000000111", "ZZ101-1", "https://fhir.nhs.uk/Id/nhs-number",
     "https://fhir.nhs.uk/Id/nhsSpineASID", "https://fhir.nhs.uk/Id/nhsMhsPartyKey", "1", "DocumentReference",
     "Patient/1", "List/1", "Binary", "application/pdf", "JVBERi0="]
)  # fmt: skip
names = st.sampled_from(
    ["resourceType", "id", "identifier", "system", "value", "entry", "resource", "type", "total", "link", "relation",
     "url", "search", "mode", "extension", "address", "status", "issue", "details", "coding", "code", "subject",
     "reference", "item", "contained", "name", "birthDate", "content", "contentType", "attachment", "meta", SECRET]
)  # fmt: skip
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5), max_leaves=20
)
objects = st.dictionaries(names, values, max_size=8)
patient = objects.map(
    lambda more: {
        **more, "resourceType": "Patient", "id": "1",
        "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": NUMBER}],
    }
)  # fmt: skip


def bundles(type_: str, *first: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    entries = st.tuples(*first, st.lists(objects, max_size=3)).map(
        lambda made: [{"resource": one} for one in (*made[:-1], *made[-1])]
    )
    return st.builds(
        lambda more, held: {**more, "resourceType": "Bundle", "type": type_, "entry": held}, objects, entries
    )


many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def under_200(body: Any) -> TwinResponse:
    return TwinResponse(200, {"Content-Type": "application/fhir+json"}, json.dumps(body).encode())


def silent(error: AdapterError) -> None:
    assert SECRET not in f"{error} {error!r}"
    assert NUMBER not in f"{error} {error!r}"


@many
@given(
    device=bundles("searchset", objects.map(lambda more: more | {"resourceType": "Device"})) | objects | values,
    endpoint=bundles("searchset", objects.map(lambda more: more | {"resourceType": "Endpoint"})) | values,
)
def test_the_directory(line_to: Any, device: Any, endpoint: Any) -> None:
    line = line_to(answers={"Device": under_200(device), "Endpoint": under_200(endpoint)})
    with pytest.raises(AdapterError) as caught:
        line.adapter.find_patient(line.reading("full", SectionName.ALLERGIES))
    silent(caught.value)
    for exchange in line.recorder.exchanges:
        assert exchange.url.startswith("http://spine.example/")


@many
@given(body=bundles("collection", patient) | bundles("collection") | objects | values)
def test_a_structured_record(line_to: Any, body: Any) -> None:
    line = line_to(answers={"$gpc.getstructuredrecord": under_200(body)})
    wanted = (SectionName.ALLERGIES, SectionName.PROBLEMS, SectionName.NOTES)
    try:
        found = line.adapter.find_patient(reading := line.reading("full", *wanted))
        held = [one for name in wanted for one in getattr(line.adapter, f"read_{name}")(reading.found(found))]
    except AdapterError as error:
        silent(error)
    else:
        assert isinstance(found, Patient)
        assert found.nhs_number == NUMBER
        assert all(isinstance(one, Item | Notice | Refusal) for one in held)


@many
@given(
    found=bundles("searchset", patient) | bundles("searchset") | values,
    listed=bundles("searchset", patient, objects.map(lambda more: more | {"resourceType": "DocumentReference"}))
    | values,
)
def test_documents(line_to: Any, found: Any, listed: Any) -> None:
    line = line_to(answers={"Patient": under_200(found), "DocumentReference": under_200(listed)})
    try:
        reading = line.reading("full", SectionName.DOCUMENTS)
        held = list(line.adapter.read_documents(reading.found(line.adapter.find_patient(reading))))
    except AdapterError as error:
        silent(error)
    else:
        assert all(isinstance(one, DocumentReference | Notice | Refusal) for one in held)


@many
@given(body=objects.map(lambda more: more | {"resourceType": "Binary"}) | values)
def test_a_binary(line_to: Any, body: Any) -> None:
    line = line_to(answers={"full-gp-eye-letter": under_200(body)})
    reading = line.reading("full", SectionName.DOCUMENTS)
    url = "https://gp-systems.example/ZZ101/STU3/1/GPConnect/Documents/Binary/full-gp-eye-letter"
    attachment = Attachment(url=url)
    document = DocumentReference(source=reading.source("DocumentReference/1"), attachments=(attachment,))
    try:
        content = line.adapter.fetch_document(reading, document, attachment)
    except AdapterError as error:
        silent(error)
    else:
        assert isinstance(content, DocumentContent)


@pytest.mark.parametrize("deep", [b"[" * 100_000, b'{"entry":' * 50_000, b'{"a":1e' + b"9" * 5000 + b"}"])
@pytest.mark.parametrize("name", ["Device", "$gpc.getstructuredrecord"])
def test_deep_and_huge(line_to: Any, name: str, deep: bytes) -> None:
    line = line_to(answers={name: TwinResponse(200, {"Content-Type": "application/fhir+json"}, deep)})
    with pytest.raises(AdapterError):
        line.adapter.find_patient(line.reading("full", SectionName.ALLERGIES))
