"""The pages in a real browser: accessible, readable at every width, and unmoved by hostile text.

Skipped where Chromium or axe-core is missing; `check_pages.py` says how to get both.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.hub.record import Record
from mpftconnect.model import SECTION_TYPES, Section, SectionName, SectionStatus
from mpftconnect.pages import record_page, systems_page

CHECK = Path(__file__).with_name("check_pages.py")


def look_at(folder: Path, views: str = "desktop", **pages: str) -> list[dict[str, Any]]:
    files = []
    for name, text in pages.items():
        files.append(folder / f"{name}.html")
        files[-1].write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, CHECK, *files], capture_output=True, text=True, encoding="utf-8", check=False
    )
    if done.returncode == 3:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert done.returncode == (1 if any(page["wrong"] for page in found) else 0)
    return found


def test_the_page_is_accessible_and_readable_at_every_width(
    tmp_path: Path, lifelike: Callable[..., Record], record_of: Callable[..., Record], record_of_results: Record
) -> None:
    doubts = {"identity_confirmed": False, "restriction": "V", "mismatches": ("the family name differs",)}
    full = record_page(lifelike(**doubts), demonstration=True)
    found = look_at(tmp_path, "desktop,phone,zoomed,print", full=full) + look_at(
        tmp_path, empty=record_page(record_of()), results=record_page(record_of_results)
    )
    assert [page["wrong"] for page in found] == [[], [], []]
    assert all(view["rules_passed"] > 20 for page in found for view in page["views"].values())


def test_the_page_of_systems_is_accessible_and_readable_at_every_width(
    tmp_path: Path, lifelike: Callable[..., Record]
) -> None:
    page = systems_page([("One", lifelike()), ("Another", lifelike(restriction="R"))], demonstration=True)
    found = look_at(tmp_path, "desktop,phone,zoomed,print", systems=page)
    assert found[0]["wrong"] == []


def test_hostile_text_neither_runs_nor_breaks_the_page(
    tmp_path: Path, filled: Callable[..., Any], record_of: Callable[..., Record], hostile: Any
) -> None:
    everything = "".join(hostile.texts) + "W" * 300
    sections = {
        name: Section(name, (filled(SECTION_TYPES[name], text=lambda _: everything),), SectionStatus.PARTIAL)
        for name in (SectionName.NOTES, SectionName.CONTACTS)
    }
    found = look_at(tmp_path, "phone", hostile=record_page(record_of(sections), title=everything))
    assert found[0]["wrong"] == []


def test_a_bad_page_is_found_out(tmp_path: Path, record_of: Callable[..., Record]) -> None:
    page = record_page(record_of())
    broken = page.replace("<h2 id=", "<h5 id=").replace("</body>", "<script>alert(1)</script><img src='x.png'></body>")
    wrong = " ".join(look_at(tmp_path, broken=broken)[0]["wrong"])
    assert "axe image-alt" in wrong and "axe heading-order" in wrong
    assert "console: " in wrong  # the policy refused both the script and the picture
    assert "a dialog opened" not in wrong
