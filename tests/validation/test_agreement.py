"""Published cases and packages: agreement with the reference validator, and with publishers' snapshots, never falls."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def benchmark(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"mpft_{name}", REPOSITORY / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def outcomes(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    parity = benchmark("validation_parity")
    folder = parity.unpacked("validator-cases", tmp_path_factory.mktemp("material"))
    rows = [json.loads(line) for line in (folder / "cases.jsonl").read_text(encoding="utf-8").splitlines()]
    runner = parity.Runner(folder)
    # Every other row, so that the suite stays quick; `python benchmarks/validation_parity.py` runs all.
    return [runner.run(row) for row in rows[::2] if row["runnableLocalFiles"] and not parity.APART.get(row["module"])]


def test_no_published_case_makes_it_fail(outcomes: list[Any]) -> None:
    assert [o.reason for o in outcomes if o.verdict == "error"] == []


def test_agreement_with_the_reference_validator(outcomes: list[Any]) -> None:
    wrong = [o for o in outcomes if not o.agrees and not o.excused]
    assert len(outcomes) > 100
    assert len(wrong) / len(outcomes) <= 0.03, [o.row["id"] for o in wrong]


def test_where_both_say_invalid_an_error_stands_at_the_same_element(outcomes: list[Any]) -> None:
    placed = [o.same_element for o in outcomes if o.agrees and o.verdict == "invalid" and o.same_element is not None]
    assert sum(placed) / len(placed) >= 0.85


@pytest.mark.parametrize(
    ("name", "needed", "most"),
    [("UK.Core.r4@1.2.0", ["UK.Core.r4@1.2.0"], 4), ("hl7.fhir.us.core@3.1.1", ["hl7.fhir.us.core@3.1.1"], 3)],
)
def test_snapshots_agree_with_the_published_ones(packages: Path, name: str, needed: list[str], most: int) -> None:
    compared, found = benchmark("validation_snapshots").of_package(name, needed)
    assert compared >= 30
    assert len(found) <= most, sorted(found)
