"""The pack uk-core-r4 on its twin: every named fault is caught, no false alarm, an empty system leaves it undecided."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.conformance import Status
from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.definitions import Definitions
from mpftconnect.conformance.power.mutations import mutation_power
from mpftconnect.conformance.power.named import twin_run
from mpftconnect.plugins import PluginRegistry
from mpftconnect.sandbox import PEOPLE
from mpftconnect.validation.terminology.releases.importing import import_release
from mpftconnect_conformance.twins.uk_core import UkCoreTwin

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


def test_where_nothing_may_be_written_the_rest_is_judged_and_said(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    spec = registry.twins["uk-core"]
    reading = replace(spec, supplier={**spec.supplier, "target": {**spec.supplier["target"], "allow_writes": False}})
    chosen = catalog.choose([PACK], only=["uk-core-r4#10", "uk-core-r4#11"])
    result = twin_run(reading, chosen, catalog, definitions=definitions)
    assert {each.method for each in result.exchanges} == {"GET"}
    linked, coded = (judged.outcome for judged in result.judged)
    assert (linked.status, coded.status) == (Status.PASS, Status.PASS)
    assert "that a version moves was not seen" in " ".join(linked.notes)
    assert "nothing was written and read back" in " ".join(coded.notes)


def test_what_was_made_is_taken_away(registry: PluginRegistry, catalog: Catalog, definitions: Definitions) -> None:
    chosen = catalog.choose([PACK], only=["uk-core-r4#7", "uk-core-r4#10", "uk-core-r4#11"])
    result = twin_run(registry.twins["uk-core"], chosen, catalog, definitions=definitions)
    made = [each for each in result.exchanges if each.method == "POST" and each.ok]
    gone = [each for each in result.exchanges if each.method == "DELETE" and each.ok]
    assert len(made) == len(gone) > 3


ULCER = "95344007"


def release_of(folder: Path, ulcer: tuple[str, ...], *, active: bool = True) -> Path:
    """A made-up SNOMED CT release with every code of the twin's full person; of one, other terms or none."""
    path = Path(__file__).parents[1] / "validation" / "releases.py"
    spec = importlib.util.spec_from_file_location("releases_for_conformance", path)
    assert spec is not None and spec.loader is not None
    releases = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(releases)
    waiting: list[Any] = list(UkCoreTwin(PEOPLE).record_of("full"))
    terms: dict[str, str] = {}
    while waiting:
        value = waiting.pop()
        waiting.extend(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())
        if isinstance(value, dict) and value.get("system") == "http://snomed.info/sct":
            terms[value["code"]] = value["display"]
    rf2 = releases.Rf2()
    for code, term in terms.items():
        if code != ULCER:
            rf2.concept(code, term)
    if ulcer:
        rf2.concept(ULCER, *ulcer, active=active)
    import_release([releases.zipped(folder / "s.zip", rf2.files())], store=folder / "store")
    return folder / "store"


@pytest.mark.parametrize(
    ("terms", "active", "status", "rules"),
    [
        (("Ulcer of lower extremity",), True, Status.PASS, set()),
        (("Leg ulcer", "Ulcer of lower extremity"), True, Status.PASS, set()),
        (("Ulcer of lower extremity",), False, Status.PASS, set()),
        (("Leg ulcer",), True, Status.FAIL, {"display"}),
        ((), True, Status.FAIL, {"code-exists"}),
    ],
)
def test_codes_and_displays_are_compared_with_the_release_that_is_imported(
    terms: tuple[str, ...],
    active: bool,
    status: Status,
    rules: set[str],
    registry: PluginRegistry,
    catalog: Catalog,
    tmp_path: Path,
) -> None:
    given = Definitions(terminology=release_of(tmp_path, terms, active=active))
    chosen = catalog.choose([PACK], only=["uk-core-r4#11"])
    result = twin_run(registry.twins["uk-core"], chosen, catalog, definitions=given)
    outcome = result.judged[0].outcome
    assert (outcome.status, {finding.rule for finding in outcome.findings}) == (status, rules)
    assert ("inactive" in " ".join(outcome.notes)) is not active
    assert any(each.startswith("http://snomed.info/sct ") for each in result.evidence.definitions.used)
