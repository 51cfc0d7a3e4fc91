"""What no check notices is looked at: every kind that survives has a class, and every class a reason and survivors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mpftconnect.cli.conform_packs import power as power_command
from mpftconnect.cli.exits import Exit
from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.definitions import Definitions
from mpftconnect.conformance.power.mutations import mutation_power
from mpftconnect.conformance.power.named import twin_run
from mpftconnect.conformance.power.survivors import WHY, Classes, SurvivorClass, read_classes
from mpftconnect.errors import ConfigurationError
from mpftconnect.plugins import PluginRegistry

MEASURED = (
    *(("uk-core-r4", "uk-core"), ("mpft-safety", "uk-core"), ("open-api", "uk-core")),
    *(("hl7v2-uk", "hl7v2-receiver"), ("hl7v2-uk", "hl7v2-sender")),
)


@pytest.mark.parametrize(("pack", "twin"), MEASURED)
def test_every_kind_of_survivor_has_a_class(
    pack: str, twin: str, registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    result = twin_run(registry.twins[twin], catalog.choose([pack]), catalog, definitions=definitions)
    figure = mutation_power(result, catalog, most=200, seed=7)
    told = figure.as_dict(read_classes(registry.packs[pack].survivors))
    assert told["without_class"] == []
    assert sum(each["survived"] for each in told["classes"]) == figure.tried - figure.noticed > 0


@pytest.mark.parametrize("pack", sorted({pack for pack, _ in MEASURED}))
def test_what_was_measured_is_whole_and_every_class_took_something(
    pack: str, registry: PluginRegistry, catalog: Catalog
) -> None:
    classes = read_classes(registry.packs[pack].survivors)
    measured = catalog.power[pack]["mutations"]
    assert set(measured) == {twin for name, twin in MEASURED if name == pack}
    taken = dict.fromkeys((each.name for each in classes.classes), 0)
    for figure in measured.values():
        assert figure["tried"] == figure["mutants"]
        assert figure["without_class"] == []
        for each in figure["classes"]:
            taken[each["name"]] += each["survived"]
    assert [name for name, number in taken.items() if not number] == []


def test_packs_that_ask_no_system_have_nothing_to_mutate(registry: PluginRegistry, catalog: Catalog) -> None:
    asking = {check.pack for check in catalog.checks.values() if check.catches}
    assert {pack for pack, _ in MEASURED} == asking & {p for p in registry.packs if registry.packs[p].survivors}


def test_the_first_class_that_takes_a_change_counts_and_steps_narrow_it() -> None:
    made = SurvivorClass("made", "unread", "r", ("*",), ("create *",))
    units = SurvivorClass("units", "limit", "r", ("alter-code *.unit",))
    classes = Classes((made, units))
    assert classes.of("alter-code Observation.unit", "create one") is made
    assert classes.of("alter-code Observation.unit", "Observation of full") is units
    assert classes.of("drop-element Observation.unit", "Observation of full") is None


def test_every_mistake_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x.survivors.toml"
    path.write_text(
        '[[class]]\nname = "a"\nwhy = "because"\nreason = "r"\nchanges = ["* *"]\n'
        '[[class]]\nname = "b"\nwhy = "hole"\nreason = " "\nchanges = "x"\nmore = 1\n'
        '[[class]]\nname = "c"\nwhy = "hole"\nreason = "r"\nchanges = ["* A.b"]\n'
        '[[class]]\nname = "c"\nwhy = "hole"\nreason = "r"\nchanges = ["* A.b"]\nsteps = []\n'
    )
    with pytest.raises(ConfigurationError) as raised:
        read_classes(path)
    told = "\n".join(raised.value.problems)
    for part in ("version", "class 1: why", "class 1: changes: * * would take", "2: reason", "2: changes", "4: steps"):
        assert part in told
    assert "2: more: is not known" in told
    path.write_text("version = 1\n[[class]")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_classes(path)
    assert read_classes(tmp_path / "none.toml") == read_classes(None) == Classes()


def test_the_command_prints_classes_and_refuses_what_has_none(
    registry: PluginRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["mpft-safety", "--mutants", "40", "--quiet"]
    good = CliRunner().invoke(power_command, arguments, standalone_mode=False)
    assert good.return_value == Exit.DONE
    assert "other-resources (" in good.output and WHY["unread"] in good.output
    monkeypatch.setattr("mpftconnect.conformance.power.survivors.read_classes", lambda path: Classes())
    new = CliRunner().invoke(power_command, [*arguments, "--format", "json"], standalone_mode=False)
    assert new.return_value == Exit.NOT_MET
    told = json.loads(new.output)["mutations"]["uk-core"]
    assert len(told["without_class"]) > 10
    assert told["classes"] == []
