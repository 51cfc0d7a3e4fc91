"""The pack open-api on the twin of UK Core: every named fault is caught, and there is no false alarm."""

from __future__ import annotations

import pytest

from mpftconnect.conformance import Status
from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.definitions import Definitions
from mpftconnect.conformance.power.named import twin_run
from mpftconnect.plugins import PluginRegistry

PACK = "open-api"


@pytest.fixture(scope="module")
def clean(registry: PluginRegistry, catalog: Catalog, definitions: Definitions) -> dict[str, Status]:
    result = twin_run(registry.twins["uk-core"], catalog.choose([PACK]), catalog, definitions=definitions)
    return {judged.requirement.id: judged.outcome.status for judged in result.judged}


def test_the_clean_twin_raises_no_alarm(clean: dict[str, Status]) -> None:
    assert {id_: status for id_, status in clean.items() if status is not Status.PASS} == {
        "open-api#4": Status.NOT_TESTED,
        "open-api#15": Status.NOT_TESTED,
    }


FAULTS = sorted(
    (catch.fault, check.name)
    for check in __import__("mpftconnect_conformance.checks.open_api", fromlist=["CHECKS"]).CHECKS
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
    asking = {j.requirement.id: j.outcome.status for j in result.judged if catalog.checks[j.requirement.id].probe}
    assert {id_: status for id_, status in asking.items() if status is not Status.INCONCLUSIVE} == {}
