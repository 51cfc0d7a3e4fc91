"""The hazard log: every tested control names tests that exist, and the page says what is not yet controlled."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@dataclass(frozen=True)
class TestClass:
    """A test class as its source has it."""

    __test__ = False

    tests: frozenset[str]
    bases: tuple[str, ...]


def parsed(files: Iterable[Path]) -> Iterator[tuple[Path, ast.Module]]:
    for file in files:
        yield file, ast.parse(file.read_text(encoding="utf-8"), str(file))


def names_of_tests(body: list[ast.stmt]) -> frozenset[str]:
    functions = (node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    machines = (
        target.id
        for node in body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.startswith("Test")
    )
    return frozenset({node.name for node in functions if node.name.startswith("test")} | set(machines))


def names_of_bases(node: ast.ClassDef) -> tuple[str, ...]:
    return tuple(ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases)


def node_ids(root: Path) -> set[str]:
    """The node ids of every test below `root`, read from the source and not by running it.

    A class inherits the tests of its bases, wherever they are defined: the contract tests for adapters are.
    """
    files = sorted(
        {
            *root.glob("tests/**/test_*.py"),
            *root.glob("plugins/*/tests/**/test_*.py"),
            *root.glob("src/**/contract_tests.py"),
        }
    )
    modules = dict(parsed(files))
    classes: dict[str, TestClass] = {}
    for module in modules.values():
        for node in module.body:
            if isinstance(node, ast.ClassDef):
                classes[node.name] = TestClass(names_of_tests(node.body), names_of_bases(node))

    def inherited(name: str, seen: frozenset[str] = frozenset()) -> frozenset[str]:
        known = classes.get(name)
        if known is None or name in seen:
            return frozenset()
        return known.tests.union(*(inherited(base, seen | {name}) for base in known.bases))

    found: set[str] = set()
    for file, module in modules.items():
        if not file.name.startswith("test_"):
            continue
        place = file.relative_to(root).as_posix()
        found |= {f"{place}::{name}" for name in names_of_tests(module.body)}
        for node in module.body:
            if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
                names = names_of_tests(node.body).union(*(inherited(base) for base in names_of_bases(node)))
                found |= {f"{place}::{node.name}::{name}" for name in names}
    return found


@pytest.fixture(scope="module")
def hazards(root: Path, hazard_log: ModuleType) -> tuple[Any, ...]:
    loaded: tuple[Any, ...] = hazard_log.load(root / "docs" / "safety" / "hazards.toml")
    return loaded


def test_every_tested_control_names_tests_that_exist(root: Path, hazards: tuple[Any, ...]) -> None:
    existing = node_ids(root)
    named = [(control.id, test) for hazard in hazards for control in hazard.controls for test in control.tests]
    missing = [f"{control}: {test}" for control, test in named if test not in existing]
    assert not missing, "no such test:\n" + "\n".join(missing)


def test_there_are_at_least_twenty_hazards(hazards: tuple[Any, ...]) -> None:
    assert len(hazards) >= 20


def test_the_page_says_what_is_not_yet_controlled(hazard_log: ModuleType, hazards: tuple[Any, ...]) -> None:
    text = hazard_log.render(hazards)
    assert text.count('!!! warning "Not yet controlled"') == sum(bool(hazard.planned) for hazard in hazards)
    for hazard in hazards:
        assert f"{hazard.id}: {hazard.title}" in text
        assert ("not yet controlled" in hazard.state) == any(c.status == "planned" for c in hazard.controls)


def test_the_page_leaves_the_final_score_to_the_safety_officer(
    hazard_log: ModuleType, hazards: tuple[Any, ...]
) -> None:
    assert hazard_log.render(hazards).count("to be scored by the clinical safety officer") == len(hazards)


HAZARD = """
version = 1
[[hazard]]
id = "HAZ-90"
title = "T"
causes = ["c"]
effect = "e"
harm = "h"
severity = "major"
likelihood = "low"
transferred = ["t"]
[[hazard.control]]
id = "HAZ-90-A"
text = "x"
status = "tested"
tests = ["tests/docs/test_hazard_log.py::test_there_are_at_least_twenty_hazards"]
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("version = 1", "version = 2", "version: 1 is expected"),
        ('severity = "major"', 'severity = "bad"', "HAZ-90.severity: one of minor"),
        ('likelihood = "low"', 'likelihood = "never"', "HAZ-90.likelihood: one of very low"),
        ('harm = "h"', "", "HAZ-90.harm: text is expected"),
        ('causes = ["c"]', "causes = []", "HAZ-90.causes: a list of texts is expected"),
        ('status = "tested"', 'status = "done"', "HAZ-90-A.status: tested or planned"),
        ('status = "tested"', 'status = "planned"', "HAZ-90-A: a planned control has no tests yet"),
        ('id = "HAZ-90-A"', 'id = "HAZ-91-A"', "HAZ-91-A: the id of a control of HAZ-90 begins with it"),
        ('harm = "h"', 'harm = "h"\nscore = 3', "HAZ-90.score: not a field of a hazard"),
        ('text = "x"', 'text = "x"\nowner = "y"', "HAZ-90-A.owner: not a field of a control"),
        ("tests = [", "not_tests = [", "HAZ-90-A: a tested control names its tests"),
    ],
)
def test_a_mistake_in_the_log_is_named(
    hazard_log: ModuleType, tmp_path: Path, old: str, new: str, expected: str
) -> None:
    file = tmp_path / "hazards.toml"
    file.write_text(HAZARD, encoding="utf-8")
    assert hazard_log.load(file)[0].rating == 3
    assert old in HAZARD
    file.write_text(HAZARD.replace(old, new), encoding="utf-8")
    with pytest.raises(hazard_log.HazardLogError) as caught:
        hazard_log.load(file)
    assert expected in str(caught.value)


def test_an_id_is_used_once(hazard_log: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "hazards.toml"
    file.write_text(HAZARD + HAZARD.replace("version = 1", ""), encoding="utf-8")
    with pytest.raises(hazard_log.HazardLogError, match="HAZ-90: used twice"):
        hazard_log.load(file)


def test_node_ids_are_read_from_the_source(tmp_path: Path) -> None:
    tests = tmp_path / "tests" / "room"
    tests.mkdir(parents=True)
    (tests / "test_one.py").write_text(
        "class Shared:\n    def test_inherited(self): ...\n"
        "class TestIt(Shared):\n    def test_own(self): ...\n    def not_a_test(self): ...\n"
        "def test_alone(): ...\ndef helper(): ...\n",
        encoding="utf-8",
    )
    assert node_ids(tmp_path) == {
        "tests/room/test_one.py::test_alone",
        "tests/room/test_one.py::TestIt::test_own",
        "tests/room/test_one.py::TestIt::test_inherited",
    }


def test_the_matrix_grows_with_severity_and_likelihood(hazard_log: ModuleType) -> None:
    matrix = hazard_log.MATRIX
    assert len(matrix) == len(hazard_log.LIKELIHOODS)
    for row, above in itertools.pairwise(matrix):
        assert list(row) == sorted(row)
        assert len(row) == len(hazard_log.SEVERITIES)
        assert all(low <= high for low, high in zip(row, above, strict=True))
    assert (matrix[0][0], matrix[-1][-1]) == (1, 5)
