"""The benchmarks run, say what they compare, and the page says what they found. No time is asserted here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

REPOSITORY = Path(__file__).parent.parent
BENCHMARKS = REPOSITORY / "benchmarks"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any], str]:
    """Every benchmark once with tiny sizes: what was printed, the results, the page."""
    folder = tmp_path_factory.mktemp("benchmarks")
    page = folder / "page.md"
    page.write_text("before\n<!-- measured: begin -->\nstale row\n<!-- measured: end -->\nafter\n", encoding="utf-8")
    results = folder / "results.json"
    command = [sys.executable, "run.py", "--small", "--results", str(results), "--write-docs", "--page", str(page)]
    done = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(results.read_text(encoding="utf-8")), page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "measured",
    [
        r"^import mpftconnect, wall$",
        r"^import mpftconnect, wall, net of the bare interpreter$",
        r"^from mpftconnect import AccessContext, connect, CPU$",
        r"^first record, from the start of the process, wall$",
        r"^first record, from the end of connect\(\), wall$",
        r"^added by the hub to systems that answer after .* \(all sections\)$",
        r"^a record of all sections, warm, CPU$",
        r"^a record of \d+ items made$",
        r"^for each item of \d+$",
        r"^Observation read$",
        r"^CarePlan written$",
        r"^record_page of \d+ items$",
        r"^one audit entry made durable$",
        r"^one GET, recorded and limited, wall$",
        r"^one message received, on the disk and acknowledged, one connection, wall$",
        r"^one message received, on the disk and acknowledged, \d+ connections, wall$",
        r"^invariant dom-3$",
        r"^five fields of ADT",
        r"^parse and check ORU",
        r"^median .* validated, CPU$",
        r"^each entry of a Bundle of \d+ that refer to each other, CPU$",
        r"^an admission \(ADT\^A01\) parsed, mapped, items made, CPU$",
        r"^peak memory, \d+ lines of NDJSON$",
        r"^mpftconnect validate one-patient\.json .*, wall$",
        r"^first event of conform run, from the start of the process, wall$",
        r"^conform run of \d+ packs?, clean twins, until all is judged, wall$",
        r"^conform run of \d+ packs?, clean twins, all forms of the report written, wall$",
        r"^longest time without an event in it, wall$",
    ],
)
def test_each_benchmark_gives_a_number_beside_a_peer(small: tuple[str, dict[str, Any], str], measured: str) -> None:
    printed, document, page = small
    found = [one for one in document["results"] if re.search(measured, one["name"])]
    assert found, measured
    for one in found:
        assert one["peer"] > 0 and one["ratio"] == pytest.approx(one["measured"] / one["peer"])
        assert one["name"] in printed
        assert f"| {one['name']} |" in page


def test_the_page_keeps_what_stands_around_the_table(small: tuple[str, dict[str, Any], str]) -> None:
    page = small[2]
    assert page.startswith("before\n<!-- measured: begin -->")
    assert page.endswith("<!-- measured: end -->\nafter\n")
    assert "stale row" not in page


def test_results_name_no_place_on_the_machine(small: tuple[str, dict[str, Any], str]) -> None:
    for text in (json.dumps(small[1]), (BENCHMARKS / "results.json").read_text(encoding="utf-8")):
        assert not re.search(r"/(home|tmp|usr|root|work|Users)\b|[A-Z]:\\", text)


@pytest.fixture
def result(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import result

    return result


@pytest.mark.parametrize(
    ("of", "measured", "peer", "met"),
    [
        ("measured", 30.0, 1.0, True),
        ("measured", 30.1, 1000.0, False),
        ("ratio", 30.0, 15.0, True),
        ("ratio", 30.1, 15.0, False),
        ("ratio", 1.0, 0.0, None),
    ],
)
def test_a_goal_is_of_the_value_or_of_the_ratio(
    result: ModuleType, of: str, measured: float, peer: float, met: bool | None
) -> None:
    goal = result.Goal(of, 30.0 if of == "measured" else 2.0)
    one = result.Result("a", measured, "ms", "b", peer, 0.0, goal)
    assert one.met is met
    assert ("not met" in result.as_text([one])) is (met is False)
    assert one.met is not None or one.ratio is None


def test_the_documentation_shows_the_results_that_are_kept(result: ModuleType) -> None:
    kept = json.loads((BENCHMARKS / "results.json").read_text(encoding="utf-8"))
    page = (REPOSITORY / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert result.as_markdown(kept) in page


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_an_import_loads_only_what_is_asked_for() -> None:
    heavy = {"pydantic", "requests", "sqlite3", "pluggy", "jinja2", "cryptography"}
    assert loaded_by("import mpftconnect") & heavy == set()
    names = loaded_by("from mpftconnect import AccessContext, connect")
    assert "pydantic" in names
    assert names & {"requests", "sqlite3", "mpftconnect.hub.hub", "mpftconnect.sandbox"} == set()


@pytest.mark.parametrize("command", ["conform", "report", "keys"])
def test_a_command_says_that_it_began_before_it_loads_what_it_runs(command: str) -> None:
    loaded = loaded_by(f"import mpftconnect.cli.{command}_command")
    assert loaded & {"pydantic", "requests", "sqlite3", "pluggy", "jinja2", "cryptography", "joserfc"} == set()
