"""The pack uk-core-r4 on its twin: every named fault is caught, no false alarm, an empty system leaves it undecided."""

from __future__ import annotations

import pytest

from mpftconnect.conformance import Status
from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.definitions import Definitions
from mpftconnect.conformance.power.mutations import mutation_power
from mpftconnect.conformance.power.named import twin_run
from mpftconnect.plugins import PluginRegistry

PACK = "uk-core-r4"


@pytest.fixture(scope="module")
def clean(registry: PluginRegistry, catalog: Catalog, definitions: Definitions) -> dict[str, Status]:
    result = twin_run(registry.twins["uk-core"], catalog.choose([PACK]), catalog, definitions=definitions)
    return {judged.requirement.id: judged.outcome.status for judged in result.judged}


def test_the_clean_twin_raises_no_alarm(clean: dict[str, Status]) -> None:
    assert {id_: status for id_, status in clean.items() if status is not Status.PASS} == {}


FAULTS = sorted(
    (catch.fault, check.name)
    for check in __import__("mpftconnect_conformance.checks.uk_core_r4", fromlist=["CHECKS"]).CHECKS
    for catch in check.catches
)


@pytest.mark.parametrize(("fault", "requirement"), FAULTS, ids=[fault for fault, _ in FAULTS])
def test_a_named_fault_is_caught(
    fault: str, requirement: str, registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    chosen = catalog.choose([PACK], only=[requirement])
    result = twin_run(registry.twins["uk-core"], chosen, catalog, faults=[fault], definitions=definitions)
    outcome = result.judged[0].outcome
    assert outcome.status is Status.FAIL, outcome
    assert outcome.cause is not None
    assert outcome.findings


def test_an_empty_system_leaves_everything_undecided(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    result = twin_run(registry.twins["uk-core"], catalog.choose([PACK]), catalog, empty=True, definitions=definitions)
    assert {judged.outcome.status for judged in result.judged} == {Status.INCONCLUSIVE}


def test_every_check_that_asks_names_a_fault(catalog: Catalog) -> None:
    assert [c.name for c in catalog.checks.values() if c.probe is not None and not c.catches] == []


def test_a_package_that_is_not_installed_is_said_with_the_line_that_installs_it(
    registry: PluginRegistry, catalog: Catalog
) -> None:
    from dataclasses import replace

    spec = registry.twins["uk-core"]
    target = {**spec.supplier["target"], "package": "fhir.r4.ukcore.nowhere@9.9.9"}
    other = replace(spec, supplier={**spec.supplier, "target": target})
    result = twin_run(other, catalog.choose([PACK], only=["uk-core-r4#2"]), catalog, definitions=Definitions())
    outcome = result.judged[0].outcome
    assert outcome.status is Status.NOT_TESTED
    assert "mpftconnect packages install fhir.r4.ukcore.nowhere@9.9.9" in outcome.reason


def test_a_verdict_under_restated_rules_says_so(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    chosen = catalog.choose([PACK], only=["uk-core-r4#2"])
    result = twin_run(registry.twins["uk-core"], chosen, catalog, definitions=definitions)
    notes = " ".join(result.judged[0].outcome.notes)
    assert "restated rules" in notes
    assert "not clinically validated" in notes


def test_mutants_are_counted_and_survivors_listed(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    chosen = catalog.choose([PACK], only=["uk-core-r4#1"])
    result = twin_run(registry.twins["uk-core"], chosen, catalog, definitions=definitions)
    power = mutation_power(result, catalog, most=100)
    assert power.tried == power.noticed + sum(power.survivors.values())
    assert "drop-element CapabilityStatement.fhirVersion" in power.tried_of
    assert "drop-element CapabilityStatement.fhirVersion" not in power.survivors
    assert "alter-text CapabilityStatement.software.name" in power.survivors
