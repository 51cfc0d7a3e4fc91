"""Published structured records: all are read; what is refused is refused because of a named fault of the example.

The examples are those that `docs/rendering/gp_connect_mapping.py` measures; they may not be copied into this
repository.
"""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mpftconnect.adapters import Refusal
from mpftconnect.errors import AnswerRejected
from mpftconnect.fhir.stu3 import STU3_READS_TYPES
from mpftconnect.model import NHS_NUMBER_SYSTEM, Item
from mpftconnect_gpconnect.structured import StructuredRecord

_Read = tuple[str, dict[str, Any], StructuredRecord | AnswerRejected]

REPOSITORY = Path(__file__).resolve().parents[3]

_NOBODY = "does not say whom it is about"
_STRANGER = "is about somebody else"
_SAME_ID = "has the id of another entry and differs from it"
# Stub records of two publishers, put together from pieces of several test patients.
_PATCHWORK = {
    "correctPatientStructuredRecordResponse3AbsentAttachmentDocuments.json": {
        ("Location", _SAME_ID): 1,
        ("PractitionerRole", _SAME_ID): 1,
        ("List", _STRANGER): 3,
        ("DocumentReference", _STRANGER): 3,
        ("Observation", _NOBODY): 1,
    },
    "correctPatientStructuredRecordResponseForLargeDocs.json": {("DocumentReference", _STRANGER): 1},
    "correctPatientStructuredRecordResponseNormal.json": {
        ("Location", _SAME_ID): 1,
        ("PractitionerRole", _SAME_ID): 1,
        ("List", _STRANGER): 3,
        ("DocumentReference", _STRANGER): 1,
        ("Observation", _NOBODY): 1,
    },
    "correctPatientStructuredRecordResponseOneLargeDocOneNormal.json": {
        ("Location", _SAME_ID): 1,
        ("PractitionerRole", _SAME_ID): 1,
        ("List", _STRANGER): 3,
        ("DocumentReference", _STRANGER): 2,
        ("Observation", _NOBODY): 1,
    },
    "correctPatientStructuredRecordWithLargeDocxAttachment.json": {
        ("Location", _SAME_ID): 1,
        ("PractitionerRole", _SAME_ID): 1,
        ("List", _STRANGER): 1,
        ("DocumentReference", _STRANGER): 1,
        ("Observation", _NOBODY): 1,
    },
    "correctPatientNoDocsStructuredRecordResponse.json": {("Observation", _NOBODY): 1},
}
# Fragments that test one mapper: entries without a subject, or with another test's.
_FRAGMENTS = {
    "non_consultation_bundles/contained-miscellaneous-records-bundle.json": {("Observation", _STRANGER): 1},
    "mapper/referral/fhir-bundle.json": {
        ("RelatedPerson", _STRANGER): 2,
        ("DocumentReference", _NOBODY): 3,
        ("MedicationRequest", _NOBODY): 2,
        ("ReferralRequest", _NOBODY): 2,
        ("DiagnosticReport", _NOBODY): 2,
        ("Observation", _NOBODY): 4,
    },
    "fhir/input/1-consultation-resource.json": {("AllergyIntolerance", _NOBODY): 1},
    "fhir/input/fhir-bundle-without-effective-time.json": {("AllergyIntolerance", _NOBODY): 1},
}
FAULTS = _PATCHWORK | _FRAGMENTS


@pytest.fixture(scope="module")
def measuring() -> ModuleType:
    """The script of the documentation that measures; skips where the examples are not at hand."""
    spec = importlib.util.spec_from_file_location(
        "gp_connect_mapping", REPOSITORY / "docs" / "rendering" / "gp_connect_mapping.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    if not module.archive().is_file():
        pytest.skip("the published examples are not here; MPFT_MATERIAL names the folder that holds their archives")
    return module


@pytest.fixture(scope="module")
def collections(measuring: ModuleType) -> list[_Read]:
    """Every collection Bundle: its name, its content, and the record or why there is none."""
    made = measuring.examples(measuring.archive())
    return [(name, content, measuring.record_of(content)) for name, content in made if measuring.is_record(content)]


def _entries(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in content["entry"]]


def _key(resource: dict[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource.get('id')}"


def _shown(record: StructuredRecord) -> Iterator[Item]:
    yield record.patient
    yield from record.others
    yield from (one for found in record.sections.values() for one in found if isinstance(one, Item))


def test_a_collection_with_a_patient_is_a_record(collections: list[_Read]) -> None:
    rejected: Counter[str] = Counter()
    for name, content, record in collections:
        if isinstance(record, AnswerRejected):
            rejected[record.rule] += 1
            assert not any(one["resourceType"] == "Patient" for one in _entries(content)), name
    assert set(rejected) == {"holds no patient"}
    assert len(collections) - rejected.total() > 80


def test_every_entry_is_shown_kept_or_refused(measuring: ModuleType, collections: list[_Read]) -> None:
    for name, content, record in collections:
        if isinstance(record, AnswerRejected):
            continue
        shown = {item.source.id for item in _shown(record)}
        kept = {extra.path: extra.value for extra in record.kept}
        left_out = [refusal.content for refusal in measuring.refusals(record)]
        for resource in _entries(content):
            if _key(resource) in shown:
                continue
            assert resource in left_out or _is_kept(resource, kept), (name, resource["resourceType"])
        # What an ended-allergies list contains is shown, and so is what any other list contains.
        for resource in (one for one in _entries(content) if one["resourceType"] == "List" and "id" in one):
            for inner in resource.get("contained", ()):
                assert f"{_key(resource)}#{inner['id']}" in shown or inner in left_out, name


def _is_kept(resource: dict[str, Any], kept: dict[str, Any]) -> bool:
    if isinstance(resource.get("id"), str):
        return _key(resource) in kept
    prefix = f"{resource['resourceType']}/without-id-"
    return any(path.startswith(prefix) and value.get("code") == resource.get("code") for path, value in kept.items())


def test_what_is_refused_is_refused_because_of_a_fault_of_the_example(
    measuring: ModuleType, collections: list[_Read]
) -> None:
    found: dict[str, Counter[tuple[str, str]]] = {}
    for name, content, record in collections:
        if isinstance(record, AnswerRejected):
            continue
        for refusal in measuring.refusals(record):
            kind = refusal.content["resourceType"]
            if kind not in STU3_READS_TYPES | {"List"}:
                assert refusal.rule == f"is a {kind}, which is not read here"
                continue
            assert _has_the_fault(refusal, content), (name, refusal.place, refusal.rule)
            found.setdefault(name, Counter())[kind, refusal.rule] += 1
    assert {name: dict(faults) for name, faults in found.items()} == {name: _expected(name) for name in found}
    assert {ending for ending in FAULTS if not any(name.endswith(ending) for name in found)} == set()


def _expected(name: str) -> dict[tuple[str, str], int]:
    return next((faults for ending, faults in FAULTS.items() if name.endswith(ending)), {})


def _has_the_fault(refusal: Refusal, content: dict[str, Any]) -> bool:
    """Whether the example itself has the fault that the refusal names, looked up without the code under test."""
    resource = refusal.content
    (patient,) = (one for one in _entries(content) if one["resourceType"] == "Patient")
    subject = resource.get("subject", resource.get("patient"))
    if refusal.rule == _NOBODY:
        return subject is None
    if refusal.rule == _STRANGER:
        numbers = {one["value"] for one in patient["identifier"] if one["system"] == NHS_NUMBER_SYSTEM}
        other_number = subject.get("identifier", {}).get("value", next(iter(numbers))) not in numbers
        return other_number or subject.get("reference", _key(patient)) != _key(patient)
    same = [one for one in _entries(content) if _key(one) == _key(resource)]
    return refusal.rule == _SAME_ID and any(one != same[0] for one in same)


def test_at_most_one_entry_in_fifty_is_refused(measuring: ModuleType) -> None:
    done = measuring.measure(measuring.archive())
    assert done.entries > 10_000
    assert done.faults.total() + done.not_read.total() <= done.entries / 50
    assert all(row.dropped == 0 and row.refused == 0 for row in done.rows.values())
    # The page says what is measured now: `python docs/rendering/gp_connect_mapping.py --write` renews it.
    assert measuring.render(done) in measuring.PAGE.read_text(encoding="utf-8")
