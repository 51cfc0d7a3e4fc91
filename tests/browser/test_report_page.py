"""The conformance report in a real browser: accessible at every width, filtered by its script, unmoved by hostile text.

Skipped where Chromium or axe-core is missing; `check_pages.py` says how to get both.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.conformance.catalog import load_catalog
from mpftconnect.conformance.demonstration import supplier_of_twin
from mpftconnect.conformance.reporting.document import exchanges_shown, report_of
from mpftconnect.conformance.reporting.page import page_bytes
from mpftconnect.conformance.reporting.summary import summary_of
from mpftconnect.conformance.run import Run
from mpftconnect.plugins import load_plugins
from mpftconnect.sandbox import PEOPLE

HERE = Path(__file__).parent
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")


@pytest.fixture(scope="module")
def made() -> tuple[dict[str, Any], list[Any]]:
    registry = load_plugins()
    catalog = load_catalog(registry)
    spec = registry.twins["uk-core"]
    twin = spec.build(PEOPLE)
    twin.faults.set("vital-sign-unit", "wrong-display")
    supplier = supplier_of_twin(spec, twin, "http://twin.invalid", PEOPLE)
    chosen = catalog.choose(["uk-core-r4", "dtac-2.0"])
    result = Run(supplier, chosen, catalog.checks, transport=TwinTransport(twin, "http://twin.invalid")).go()
    return json.loads(json.dumps(report_of(result, catalog.checks, power=catalog.power))), exchanges_shown(
        result.exchanges
    )


def look(page: Path, *options: str) -> dict[str, Any]:
    command = [sys.executable, HERE / "check_pages.py", page, *options]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode == 3:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    (found,) = json.loads(done.stdout)
    return dict(found)


def test_it_is_accessible_and_readable_at_every_width(made: tuple[dict[str, Any], list[Any]], tmp_path: Path) -> None:
    report, exchanges = made
    asked = {"reason": "mended in 4.3", "owner": "R. Okafor", "expires": "2027-01-01", "hazard": "H-1"}
    report["results"][0]["exception"] = asked
    report["results"][1]["response"] = {"text": "We disagree.", "by": "R. Okafor", "date": "2026-11-01"}
    page = tmp_path / "report.html"
    page.write_bytes(page_bytes(summary_of(report, exchanges[:12])))
    found = look(page)
    assert found["wrong"] == []
    assert all(view["rules_passed"] > 20 for view in found["views"].values())


def test_hostile_text_neither_runs_nor_breaks_it(
    made: tuple[dict[str, Any], list[Any]], tmp_path: Path, hostile_summary: Any
) -> None:
    report, _ = made
    page = tmp_path / "report.html"
    page.write_bytes(page_bytes(hostile_summary({**report, "results": report["results"][:3]})))
    assert look(page, "--views", "phone,desktop")["wrong"] == []


def test_filter_and_search_narrow_the_list_and_without_script_all_is_there(
    made: tuple[dict[str, Any], list[Any]], tmp_path: Path
) -> None:
    report, exchanges = made
    page = tmp_path / "report.html"
    page.write_bytes(page_bytes(summary_of(report, exchanges[:2])))
    look(page, "--views", "phone")  # skips where no browser is
    chromium = os.environ.get("MPFT_CHROMIUM") or next(filter(None, map(shutil.which, _BROWSERS)), None)
    told = subprocess.run(
        [str(shutil.which("node")), HERE / "filter.cjs", str(chromium), page],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    seen = json.loads(told.stdout)
    of = {status: sum(r["outcome"]["status"] == status for r in report["results"]) for status in ("fail", "pass")}
    total = len(report["results"])
    assert seen["all"] == total and seen["failed"] == of["fail"] > 0
    assert seen["searched"] == 1 and seen["said"] == f"1 of {total} requirements shown"
    assert seen["nothing"] == 0
    assert seen["linked"] is True
    assert seen["without_script"] == total and seen["finder_without_script"] is False
