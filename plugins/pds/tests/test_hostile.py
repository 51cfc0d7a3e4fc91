"""Whatever JSON comes under status 200, the adapter gives an outcome or an AdapterError that repeats nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpftconnect.adapters import Refusal, TwinResponse
from mpftconnect.errors import AdapterError, TooManyMatches
from mpftconnect.model import Demographics, Identifier, Notice, PartialDate, Patient, RelatedPerson

FULL = "9990000018"
SECRET = "Zzyzxborough"
ROOT = f"https://pds.example/Patient/{FULL}/RelatedPerson/A1"

leaves = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-1, 1) | st.sampled_from(
    [SECRET, "", FULL, "9990000077", "Patient", "Bundle", "searchset", "OperationOutcome", "RelatedPerson", ROOT, "U",
     "1971-03-09", "2024-02-30T25:00:00", "https://fhir.nhs.uk/Id/nhs-number"]
)  # fmt: skip
names = st.sampled_from(
    ["resourceType", "id", "identifier", "system", "value", "meta", "security", "code", "coding", "versionId", "name",
     "family", "given", "birthDate", "deceasedDateTime", "address", "line", "period", "start", "extension", "url",
     "contact", "telecom", "relationship", "entry", "resource", "fullUrl", "total", "type", "issue", "details",
     "patient", "link", "other", "multipleBirthInteger", "generalPractitioner", SECRET]
)  # fmt: skip
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6), max_leaves=25
)
objects = st.dictionaries(names, values, max_size=10)
patients = objects.map(lambda more: more | {"resourceType": "Patient", "id": FULL})
bundles = st.lists(st.fixed_dictionaries({"fullUrl": st.just(ROOT), "resource": objects}) | values, max_size=4).map(
    lambda entries: {"resourceType": "Bundle", "type": "searchset", "entry": entries}
)
bodies = patients | bundles | objects | values

many = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def under_200(body: Any) -> TwinResponse:
    return TwinResponse(200, {"Content-Type": "application/fhir+json"}, json.dumps(body).encode())


@many
@given(body=bodies)
def test_a_trace(script: Any, body: Any) -> None:
    line, _ = script({f"Patient/{FULL}": under_200(body)})
    try:
        trace = line.adapter.trace_person(line.reading())
    except AdapterError as error:
        assert SECRET not in f"{error} {error!r}"
    else:
        assert trace.outcome == "invalidated" or trace.patient.nhs_number == FULL
        assert trace.patient is None or trace.patient.restriction is not None


@many
@given(body=bodies)
def test_related_people(script: Any, body: Any) -> None:
    line, _ = script({f"Patient/{FULL}/RelatedPerson": under_200(body)})
    source = line.reading().source(f"Patient/{FULL}")
    patient = Patient(source=source, identifiers=(Identifier.nhs(FULL),))
    try:
        found = list(line.adapter.read_contacts(line.reading(patient=patient)))
    except AdapterError as error:
        assert SECRET not in f"{error} {error!r}"
    else:
        assert all(isinstance(each, RelatedPerson | Notice | Refusal) for each in found)
        assert not [each for each in found if isinstance(each, Refusal) and SECRET in repr(each)]


@many
@given(body=bodies)
def test_a_search(script: Any, body: Any) -> None:
    line, _ = script({"Patient": under_200(body)})
    wanted = Demographics(family="Quillfeather", birth_date=PartialDate("1971"))
    try:
        found = list(line.adapter.search_people(line.reading(None), wanted))
    except (AdapterError, TooManyMatches) as error:
        assert SECRET not in f"{error} {error!r}"
    else:
        assert all(patient.nhs_number and patient.restriction for patient in found)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"id": 1e999999999}', b"\xff\xfe", b"NaN"])
def test_what_breaks_parsers_is_an_adapter_error(script: Any, body: bytes) -> None:
    line, _ = script({f"Patient/{FULL}": TwinResponse(200, {"Content-Type": "application/fhir+json"}, body)})
    with pytest.raises(AdapterError):
        line.adapter.trace_person(line.reading())
