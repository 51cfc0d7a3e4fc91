"""The pack hl7v2-uk on its twins: named faults caught, no false alarm, nothing decided by an empty or broken peer."""

from __future__ import annotations

import pytest

from mpftconnect.conformance import Status
from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.power.named import twin_run
from mpftconnect.conformance.run import RunResult
from mpftconnect.plugins import PluginRegistry
from mpftconnect_conformance.checks.hl7v2_uk import CHECKS

PACK = "hl7v2-uk"
TWINS = ("hl7v2-receiver", "hl7v2-sender")
FAULTS = sorted((catch.twin, catch.fault, check.name) for check in CHECKS for catch in check.catches)


def statuses(result: RunResult) -> dict[str, Status]:
    return {
        judged.requirement.ref: judged.outcome.status
        for judged in result.judged
        if judged.outcome.status is not Status.NOT_APPLICABLE and judged.requirement.ref != "V2-10"
    }


@pytest.fixture(scope="module", params=TWINS)
def clean(request: pytest.FixtureRequest, registry: PluginRegistry, catalog: Catalog) -> RunResult:
    return twin_run(registry.twins[request.param], catalog.choose([PACK]), catalog)


def test_the_clean_twin_raises_no_alarm(clean: RunResult) -> None:
    assert {ref: status for ref, status in statuses(clean).items() if status is not Status.PASS} == {}


@pytest.mark.parametrize(("twin", "fault", "requirement"), FAULTS, ids=[f"{t}-{f}" for t, f, _ in FAULTS])
def test_a_named_fault_is_caught(
    twin: str, fault: str, requirement: str, registry: PluginRegistry, catalog: Catalog
) -> None:
    chosen = catalog.choose([PACK], only=[requirement])
    result = twin_run(registry.twins[twin], chosen, catalog, faults=[fault])
    assert result.judged[0].outcome.status is Status.FAIL, result.judged[0].outcome


@pytest.mark.parametrize("twin", TWINS)
def test_an_empty_system_leaves_everything_undecided(twin: str, registry: PluginRegistry, catalog: Catalog) -> None:
    result = twin_run(registry.twins[twin], catalog.choose([PACK]), catalog, empty=True)
    assert set(statuses(result).values()) <= {Status.INCONCLUSIVE, Status.NOT_TESTED}
