"""Every published answer that the adapter may meet, replayed unmodified."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.adapters import Refusal, TwinResponse
from mpftconnect.errors import AdapterError, AnswerRejected, NotPermitted, TooManyMatches
from mpftconnect.fhir import write_resource
from mpftconnect.model import Demographics, Identifier, Item, PartialDate, Patient, RelatedPerson
from mpftconnect_pds.outcomes import PdsCode, codes_of

STUBS = "files/karate-tests/src/test/java/mocks/stubs"


def published(material: Path, *patterns: str) -> dict[str, bytes]:
    files = [file for pattern in patterns for file in sorted(material.glob(pattern))]
    return {str(file.relative_to(material)): file.read_bytes() for file in files}


def answer(body: bytes, status: int = 200) -> TwinResponse:
    return TwinResponse(status, {"Content-Type": "application/fhir+json"}, body)


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    else:
        yield json.dumps(value)


def lost(raw: Any, item: Item) -> list[str]:
    """The values of the raw resource that stand neither in what the model writes nor in what it kept aside."""
    written = json.loads(json.dumps(write_resource(item.model_copy(update={"extra": ()})), default=float))
    kept = set(leaves(written)) | {leaf for extra in item.extra for leaf in leaves(extra.value)}
    return [leaf for leaf in leaves(raw) if leaf not in kept]


class TestPatients:
    def test_every_retrieval_is_mapped_without_loss(self, material: Path, script: Any) -> None:
        bodies = published(
            material, f"{STUBS}/patientResponses/*.json", f"{STUBS}/searchResponses/*atient*.json",
            "files/sandbox/mocks/Sensitive_Patient.json",
        )  # fmt: skip
        patients = {name: body for name, body in bodies.items() if json.loads(body)["resourceType"] == "Patient"}
        assert len(patients) >= 10
        restrictions: Counter[str | None] = Counter()
        for name, body in patients.items():
            raw = json.loads(body)
            line, _ = script({f"Patient/{raw['id']}": answer(body)})
            patient = line.adapter.trace_person(line.reading(raw["id"])).patient
            assert (patient.nhs_number, lost(raw, patient)) == (raw["id"], []), name
            restrictions[patient.restriction] += 1
            if patient.restriction != "U":
                assert not (patient.addresses or patient.telecom or patient.general_practitioner), name
        assert restrictions["U"]
        assert restrictions["R"]

    def test_every_search_result_is_mapped_without_loss(self, material: Path, script: Any) -> None:
        bodies = published(material, f"{STUBS}/searchResponses/*.json", "files/sandbox/mocks/*Search.json")
        mapped, unsound = 0, []
        for name, body in bodies.items():
            bundle = json.loads(body)
            if bundle["resourceType"] != "Bundle":
                continue
            raws = [entry["resource"] for entry in bundle["entry"]]
            wanted = Demographics(family="Any", birth_date=PartialDate(raws[0]["birthDate"]))
            line, _ = script({"Patient": answer(body)})
            try:
                found = list(line.adapter.search_people(line.reading(None), wanted))
            except AnswerRejected as error:
                unsound.append((name.rpartition("/")[2], str(error)))
                continue
            assert [patient.nhs_number for patient in found] == [raw["id"] for raw in raws], name
            for raw, patient in zip(raws, found, strict=True):
                assert lost(raw, patient) == [], name
                mapped += 1
        assert mapped >= 35
        # Both are published under a number whose check digit is wrong.
        refusal = "Patient.id: a valid NHS number is expected"
        assert sorted(unsound) == [("PatientCompoundName.json", refusal), ("john_paul_smith_searchset.json", refusal)]

    def test_every_related_person_is_mapped_without_loss(self, material: Path, script: Any, line: Any) -> None:
        bodies = published(
            material, f"{STUBS}/relatedPersonResponses/*.json", "files/sandbox/mocks/*RelatedPersonBundle.json"
        )
        assert len(bodies) >= 2
        for name, body in bodies.items():
            bundle = json.loads(body)
            number = bundle["entry"][0]["fullUrl"].split("/")[-3]
            scripted, _ = script({f"Patient/{number}/RelatedPerson": answer(body)})
            patient = Patient(source=line.reading().source(f"Patient/{number}"), identifiers=(Identifier.nhs(number),))
            found = list(scripted.adapter.read_contacts(scripted.reading(number, patient=patient)))
            assert not [each for each in found if isinstance(each, Refusal)], name
            people = [each for each in found if isinstance(each, RelatedPerson)]
            for entry, person in zip(bundle["entry"], people, strict=True):
                assert lost(entry["resource"], person) == [], name


# Each published refusal with the status that its table in the specification gives it.
STATUSES = {
    PdsCode.ACCESS_DENIED: 401,
    PdsCode.ADDITIONAL_PROPERTIES: 400,
    PdsCode.FORBIDDEN_UPDATE: 403,
    PdsCode.INVALIDATED_RESOURCE: 404,
    PdsCode.INVALID_RESOURCE_ID: 400,
    PdsCode.INVALID_VALUE: 400,
    PdsCode.RESOURCE_VERSION_MISMATCH: 409,
    PdsCode.TOO_MANY_MATCHES: 200,
}
DENIED = {PdsCode.ACCESS_DENIED, PdsCode.FORBIDDEN_UPDATE}


class TestRefusals:
    @pytest.fixture
    def outcomes(self, material: Path) -> dict[str, bytes]:
        bodies = published(
            material, f"{STUBS}/errorResponses/*.json", f"{STUBS}/searchResponses/TOO*.json",
            "files/tests/functional/data/responses/*.json",
        )  # fmt: skip
        found = {name: body for name, body in bodies.items() if json.loads(body)["resourceType"] == "OperationOutcome"}
        assert len(found) >= 14
        return found

    def test_every_one_is_told_apart(self, outcomes: Mapping[str, bytes], script: Any) -> None:
        number = "9990000018"
        seen = set()
        for name, body in outcomes.items():
            codes = codes_of(json.loads(body))
            code = next(iter(codes), None)
            seen.add(code)
            line, _ = script({f"Patient/{number}": answer(body, STATUSES.get(code, 400) if code else 200)})
            if code is PdsCode.INVALIDATED_RESOURCE:
                assert line.adapter.trace_person(line.reading()).outcome == "invalidated", name
                continue
            with pytest.raises(AdapterError) as caught:
                line.adapter.trace_person(line.reading())
            assert type(caught.value) is (NotPermitted if code in DENIED else AnswerRejected), name
            assert str(caught.value).endswith(code or "no known code"), name
        # None: the sandbox's own "no example response", which has no code.
        assert seen == {*STATUSES, None}

    def test_too_many_matches_under_200_ends_a_search(self, outcomes: Mapping[str, bytes], script: Any) -> None:
        bodies = [body for body in outcomes.values() if codes_of(json.loads(body)) == {PdsCode.TOO_MANY_MATCHES}]
        assert len(bodies) == 2
        wanted = Demographics(family="Any", birth_date=PartialDate("1970-01-24"))
        for body in bodies:
            line, _ = script({"Patient": answer(body)})
            with pytest.raises(TooManyMatches):
                list(line.adapter.search_people(line.reading(None), wanted))
