"""The site is whole: pages, links, words, and every code, key, command and fault that the SDK has is explained."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from mpftconnect import errors
from mpftconnect.adapters import Fault, Support
from mpftconnect.errors import AdapterError, GapReason, MpftConnectError
from mpftconnect.model import SectionName, SectionStatus
from mpftconnect.plugins import Plugin, PluginRegistry

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if page.name != "template.md")


def text(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def in_nav(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for part in node:
            yield from in_nav(part)
    else:
        for part in node.values():
            yield from in_nav(part)


def test_every_page_is_in_the_navigation_once() -> None:
    listed = list(in_nav(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))
    assert sorted(listed) == sorted(page.relative_to(DOCS).as_posix() for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_links_lead_to_pages_that_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:|#", target):
            assert (page.parent / target.partition("#")[0]).resolve().is_file(), target


# Rule 17: we say what was checked. A word in quotation marks is one that is talked about, not used.
_CLAIMS = re.compile(r"(?<![\"\w])(?:compliant|compliance|certified|conformant|guaranteed?)\b", re.IGNORECASE)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_no_page_claims_more_than_was_checked(page: Path) -> None:
    assert _CLAIMS.findall(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", ["index.md", "safety/intended-use.md", "safety/safety-case.md"])
def test_the_pages_that_matter_say_not_for_live_care(page: str) -> None:
    assert re.search(r"not for live care", text(page), re.IGNORECASE)


def test_the_dpia_inputs_have_the_twelve_topics() -> None:
    # DTAC v2.0, question C2.2.2.
    headings = re.findall(r"^## (\d+)\. ", text("governance/dpia.md"), re.MULTILINE)
    assert headings == [str(number) for number in range(1, 13)]
    assert "This is not a DTAC assessment" in text("governance/dpia.md")


def test_the_safety_case_has_the_headings_of_the_standard() -> None:
    # DCB0129 v4.2, clinical safety case report, and its implementation guidance.
    assert re.findall(r"^## \d+\. (.+)$", text("safety/safety-case.md"), re.MULTILINE) == [
        "Introduction",
        "System definition and overview",
        "Clinical risk management system",
        "Clinical risk analysis",
        "Clinical risk evaluation",
        "Clinical risk control",
        "Hazard log",
        "Test issues",
        "Summary safety statement",
        "Quality assurance and document approval",
        "Configuration control and management",
    ]


def rows(page: str) -> set[str]:
    """What stands in backticks at the beginning of a table row."""
    return {
        name
        for row in re.findall(r"^\| ([^|]+) \|", text(page), re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", row)
    }


def test_every_status_and_gap_reason_is_explained() -> None:
    explained = rows("record-status.md")
    assert {str(status) for status in SectionStatus} <= explained
    assert {str(reason) for reason in GapReason} <= explained
    assert explained <= {str(code) for code in (*SectionStatus, *GapReason)}


def test_every_section_is_listed() -> None:
    assert {str(name) for name in SectionName} <= rows("model.md")


def test_every_fault_is_explained() -> None:
    assert {str(fault) for fault in Fault} <= rows("sandbox.md")


def test_every_support_is_explained() -> None:
    assert {support.name for support in Support} <= rows("plugin-authors.md")


def test_every_error_is_explained() -> None:
    raised = {
        name
        for name in errors.__all__
        if isinstance(found := getattr(errors, name), type)
        and issubclass(found, MpftConnectError)
        and (found is AdapterError or not issubclass(found, AdapterError))
    }
    assert raised - {"MpftConnectError"} == rows("errors.md")


def test_every_exit_code_is_explained() -> None:
    from mpftconnect.cli.exits import Exit

    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", text("errors.md"), re.MULTILINE)}
    assert listed == {int(code) for code in Exit}


def test_every_command_is_shown() -> None:
    import click

    from mpftconnect.cli.app import commands

    page = text("command-line.md")
    context = click.Context(commands)
    for name in commands.list_commands(context):
        found = commands.get_command(context, name)
        inner = found.list_commands(context) if isinstance(found, click.Group) else []
        for path in [f"{name} {part}" for part in inner] or [name]:
            assert f"mpftconnect {path}" in page, path


def test_every_setting_is_explained() -> None:
    from mpftconnect.governance.agreements import Agreement
    from mpftconnect.hub.configuration import AuditSettings, HubSettings, SystemSettings
    from mpftconnect.inbox import Feed
    from mpftconnect.inbox.settings import InboxSettings

    explained = rows("configuration.md")
    assert set(InboxSettings.model_fields) - {"feeds"} - explained == set()
    for kind in (HubSettings, AuditSettings, Agreement, Feed):
        assert set(kind.model_fields) - explained == set(), kind.__name__
    tables = {"settings", "secrets", "agreement"}
    assert set(SystemSettings.model_fields) - tables - explained == set()
    assert {f"[systems.NAME.{table}]" for table in tables} <= explained


@pytest.fixture(scope="session")
def hooks(hazard_log: ModuleType, plugin_table: ModuleType) -> ModuleType:
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    sys.path.insert(0, str(DOCS / "rendering"))
    try:
        spec = importlib.util.spec_from_file_location("docs_rendering_hooks", DOCS / "rendering" / "hooks.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(DOCS / "rendering"))
    return module


class _Page:
    class file:  # noqa: N801 - as mkdocs has it
        src_uri = "x.md"


@pytest.mark.parametrize(
    "element",
    [
        '<script src="https://cdn.example/x.js"></script>',
        "<img alt='x' src=//cdn.example/x.png>",
        '<link rel="stylesheet" href="https://cdn.example/x.css">',
        '<link href="https://fonts.example" rel="preconnect">',
        '<iframe src="http://cdn.example/"></iframe>',
    ],
)
def test_a_page_that_loads_from_another_site_is_refused(hooks: ModuleType, element: str) -> None:
    with pytest.raises(Exception, match=r"x\.md loads something from another site"):
        hooks.on_post_page(f"<html>{element}</html>", page=_Page(), config={})


@pytest.mark.parametrize(
    "element",
    [
        '<a href="https://example.org">read on</a>',
        '<script src="assets/x.js"></script>',
        '<link rel="canonical" href="https://example.org/">',
    ],
)
def test_links_and_own_files_are_allowed(hooks: ModuleType, element: str) -> None:
    assert hooks.on_post_page(element, page=_Page(), config={}) == element


def test_the_site_builds_strictly(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    pytest.importorskip("mkdocstrings", reason="the extra docs is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "site" / "safety" / "hazard-log.html").read_text(encoding="utf-8")
    assert "HAZ-01" in page
    assert "rendered:" not in page
    assert not list((tmp_path / "site").rglob("*.py"))


def test_a_broken_plugin_is_shown_with_its_reason(plugin_table: ModuleType) -> None:
    registry = PluginRegistry((Plugin("acme", "mpftconnect-acme", "1", "ImportError: no such module"),))
    shown = plugin_table.render(registry)
    assert "Plugin acme could not be loaded" in shown
    assert "ImportError: no such module" in shown


def test_sections_of_docstrings_are_parted(reference_pages: ModuleType) -> None:
    part = reference_pages.part_sections
    assert part("Args:\n    a: b\nRaises:\n    C: d") == "Args:\n    a: b\n\nRaises:\n    C: d"
    assert part("The Raises: part") == "The Raises: part"


def test_doctests_become_code(reference_pages: ModuleType) -> None:
    fence = reference_pages.fence_doctests
    assert fence("Adds.\n\n>>> 1 + 1\n2\n") == "Adds.\n\n```pycon\n>>> 1 + 1\n2\n```\n"
    assert fence("No code > here.") == "No code > here."
