"""Published UK Core examples as recorded answers: judges decide or say why not, and never fall over.

The examples belong to others and are read where they lie; nothing of them is kept.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.conformance import Evidence, Outcome, Recorded, Status, Subject, TestPerson, decide
from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.definitions import Definitions

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def examples() -> list[dict[str, Any]]:
    material = Path(os.environ.get("MPFT_MATERIAL") or REPOSITORY.parent / "shared" / "material")
    archive = material / "uk-fhir.tgz"
    if not archive.is_file():
        pytest.skip("no published material: set MPFT_MATERIAL to the folder that holds uk-fhir.tgz")
    return list(_resources(archive))


def _resources(archive: Path) -> Iterator[dict[str, Any]]:
    with tarfile.open(archive) as tar:
        files = {m.name.partition("files/")[2]: m for m in tar.getmembers() if "/files/" in f"/{m.name}"}
        listing = next(m for m in tar.getmembers() if m.name.endswith("cases.jsonl"))
        for line in io.TextIOWrapper(tar.extractfile(listing) or io.BytesIO(), encoding="utf-8"):
            case = json.loads(line)
            member = files.get(case["file"])
            if not str(case["fhirVersion"]).startswith("4") or case["format"] != "json" or member is None:
                continue
            try:
                resource = json.loads((tar.extractfile(member) or io.BytesIO()).read())
            except ValueError:
                continue
            if isinstance(resource, dict) and isinstance(resource.get("resourceType"), str):
                yield resource


def evidence_of(resources: list[dict[str, Any]], definitions: Definitions) -> Evidence:
    patient = next(r for r in resources if r["resourceType"] == "Patient")
    by_type: dict[str, list[dict[str, Any]]] = {"Patient": [patient]}
    for resource in resources:
        if resource["resourceType"] not in ("Patient", "Bundle"):
            by_type.setdefault(resource["resourceType"], []).append(resource)
    exchanges = []
    for role in ("full", "sparse"):
        for type_, held in by_type.items():
            entries = [{"resource": r, "search": {"mode": "match"}} for r in held]
            body = {"resourceType": "Bundle", "type": "searchset", "total": len(held), "entry": entries}
            exchanges.append(
                Recorded(
                    id=f"x{len(exchanges)}",
                    step=f"{type_} of {role}",
                    method="GET",
                    url=f"https://f.example/{type_}",
                    status=200,
                    response_headers=(("Content-Type", "application/fhir+json"),),
                    response_body=json.dumps(body).encode(),
                )
            )
    people = {role: TestPerson(role=role, nhs_number="9990000018", entered="2026-01-01") for role in ("full", "sparse")}
    subject = Subject(product="p", version="1", entity="e", package="mpftconnect.ukcore-rules")
    return Evidence(exchanges, subject=subject, people=people, definitions=definitions)


@pytest.fixture(scope="module")
def outcomes(examples: list[dict[str, Any]], catalog: Catalog, definitions: Definitions) -> dict[str, Outcome]:
    checks = [c for c in catalog.checks.values() if c.pack == "uk-core-r4"]
    return {check.name: decide(check, evidence_of(examples, definitions)) for check in checks}


def test_there_are_examples(examples: list[dict[str, Any]]) -> None:
    assert len(examples) > 100


def test_no_judge_falls_over(outcomes: dict[str, Outcome]) -> None:
    assert {name: o.reason for name, o in outcomes.items() if o.status is Status.ERROR} == {}


def test_what_examples_can_decide_is_decided(outcomes: dict[str, Outcome]) -> None:
    """ODS identifiers, codes, Observations, invariants, plans: there is enough of each to come to an outcome."""
    for number in (2, 5, 11, 12, 13, 14, 15):
        assert outcomes[f"uk-core-r4#{number}"].status in (Status.PASS, Status.FAIL), number
        assert outcomes[f"uk-core-r4#{number}"].observations > 0


def test_what_examples_do_not_have_is_not_tested(outcomes: dict[str, Outcome]) -> None:
    for number in (1, 7):
        assert outcomes[f"uk-core-r4#{number}"].status is Status.NOT_TESTED


def test_the_invariants_hold_in_what_was_published(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["uk-core-r4#13"]
    assert [finding.rule for finding in outcome.findings if finding.rule != "ukcore-obs-vs-001"] == []
