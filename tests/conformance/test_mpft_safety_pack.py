"""The pack mpft-safety on the UK Core twin, and what its judges make of hostile answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mpftconnect.conformance import Evidence, Outcome, Recorded, Status, Subject
from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.check import decide
from mpftconnect.conformance.definitions import Definitions
from mpftconnect.conformance.power.named import twin_run
from mpftconnect.plugins import PluginRegistry
from mpftconnect_conformance.checks.mpft_safety import CHECKS, IMPOSSIBLE

PACK = "mpft-safety"
NUMBERS, VERIFICATION = CHECKS
FAULTS = sorted((catch.fault, check.name) for check in CHECKS for catch in check.catches)


def test_the_clean_twin_raises_no_alarm(registry: PluginRegistry, catalog: Catalog, definitions: Definitions) -> None:
    result = twin_run(registry.twins["uk-core"], catalog.choose([PACK]), catalog, definitions=definitions)
    assert [judged.outcome.status for judged in result.judged] == [Status.PASS, Status.PASS]
    assert [judged.outcome.notes for judged in result.judged] == [("a rule of ours, in no standard's conformance",)] * 2


@pytest.mark.parametrize(("fault", "requirement"), FAULTS, ids=[fault for fault, _ in FAULTS])
def test_a_named_fault_is_caught(
    fault: str, requirement: str, registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    chosen = catalog.choose([PACK], only=[requirement])
    result = twin_run(registry.twins["uk-core"], chosen, catalog, faults=[fault], definitions=definitions)
    assert result.judged[0].outcome.status is Status.FAIL, result.judged[0].outcome


def test_an_empty_system_leaves_everything_undecided(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    result = twin_run(registry.twins["uk-core"], catalog.choose([PACK]), catalog, empty=True, definitions=definitions)
    assert {judged.outcome.status for judged in result.judged} == {Status.INCONCLUSIVE}


def test_house_rules_never_decide_a_standard(catalog: Catalog) -> None:
    pack = catalog.pack(PACK)
    assert not pack.decides_standard
    assert [requirement.text.startswith("Our own rule.") for requirement in pack.requirements] == [True, True]


def test_no_digit_makes_the_impossible_number_valid() -> None:
    assert sum(int(d) * w for d, w in zip(IMPOSSIBLE[:9], range(10, 1, -1), strict=True)) % 11 == 1


STATUS = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus"
CODES = "https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatusEngland"


def judged_of(identifiers: Any, *, clinical: bool = True) -> Outcome:
    """The verification of one person with those identifiers."""
    patient = {"resourceType": "Patient", "id": "p", "identifier": identifiers}
    exchanges = [_found("x001", "Patient of full", patient)]
    if clinical:
        exchanges.append(_found("x002", "Condition of full", {"resourceType": "Condition", "id": "c"}))
    subject = Subject(product="P", version="1", entity="E", environment="test")
    return decide(VERIFICATION, Evidence(exchanges, subject=subject))


def _found(id_: str, step: str, resource: Any) -> Recorded:
    body = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": resource}]}
    return Recorded(id=id_, step=step, method="GET", url="x", status=200, response_body=json.dumps(body).encode())


def number(*codes: str, system: str = CODES) -> dict[str, Any]:
    return {
        "system": "https://fhir.nhs.uk/Id/nhs-number",
        "value": "9990000018",
        "extension": [
            {"url": STATUS, "valueCodeableConcept": {"coding": [{"system": system, "code": code}]}} for code in codes
        ],
    }


@pytest.mark.parametrize(
    ("identifiers", "rule"),
    [
        ([number()], "verification-unsaid"),
        ([number("01", "02")], "verification-code"),
        ([number("01", system="urn:other")], "verification-code"),
        ([number("07")], "verification-contradicts"),
        ([number("03")], "unverified-shared"),
        ([number("01"), number("02")], "unverified-shared"),
    ],
)
def test_what_a_number_says_of_its_verification(identifiers: Any, rule: str) -> None:
    outcome = judged_of(identifiers)
    assert outcome.status is Status.FAIL
    assert [finding.rule for finding in outcome.findings] == [rule]


def test_a_number_that_is_not_verified_may_stand_where_no_record_is_given_by_it() -> None:
    assert judged_of([number("02")], clinical=False).status is Status.PASS


@pytest.mark.parametrize("hostile", [None, 7, "text", [], {}, [None, 7, [[]], {}], [{"extension": {"url": 3}}]])
def test_a_hostile_shape_is_undecided_and_no_error(hostile: Any) -> None:
    assert judged_of(hostile).status is Status.INCONCLUSIVE


@pytest.mark.parametrize("extension", [7, [7], [{"url": STATUS, "valueCodeableConcept": 7}], [{"url": STATUS}]])
def test_a_status_of_a_hostile_shape_is_none(extension: Any) -> None:
    outcome = judged_of([{**number("01"), "extension": extension}])
    assert [finding.rule for finding in outcome.findings] == ["verification-unsaid"]
