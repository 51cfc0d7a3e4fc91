"""The threat model: every line of what somebody could do names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "conformance" / "threat-model.md").read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_every_line_names_tests_that_exist() -> None:
    threats, _, shown = PAGE.partition("## What shows it")
    claims = {row[1] for row in rows(threats)}
    named = dict(rows(shown))
    assert len(claims) == len(rows(threats)) > 10
    for claim in claims:
        (line,) = [key for key in named if claim.startswith(key)]
        tests = re.findall(r"`([^`:]+)::(test_\w+)`", named.pop(line))
        assert tests, claim
        for file, name in tests:
            assert f"\ndef {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{name}"
    assert not named, "lines that the table does not have"
