"""Every dependency has its reason in the decision record, and the record names none that is not there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

DEVELOPMENT = {"test", "lint", "docs", "bench", "fuzz", "sbom"}


def named(requirement: str) -> str:
    return re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0]


def test_every_dependency_has_its_reason(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {name: needs for name, needs in project["optional-dependencies"].items() if name not in DEVELOPMENT}
    needed = {named(need) for need in project["dependencies"]}
    offered = {named(need) for needs in extras.values() for need in needs if not need.startswith("mpftconnect")}

    text = (root / "docs" / "decisions" / "0002-dependencies.md").read_text(encoding="utf-8")
    run_time = text.partition("### At run time")[2].partition("### Extras")[0]
    extra = text.partition("### Extras")[2].partition("### For development only")[0]
    rows = set(re.findall(r"^\| `([\w.-]+)`", run_time, re.MULTILINE))
    assert rows == needed
    assert set(re.findall(r"^\| `([\w-]+)`", extra, re.MULTILINE)) == set(extras)
    assert {name for name in offered if f"`{name}`" not in extra} == set()

    development = text.partition("### For development only")[2]
    used = {named(need) for name in DEVELOPMENT for need in project["optional-dependencies"][name]}
    assert {name for name in used - offered if f"`{name}`" not in development} == set()
