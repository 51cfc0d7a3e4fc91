"""The pages of validation say what the code does."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from mpftconnect.validation import Options
from mpftconnect.validation.findings import RULES

DOCS = Path(__file__).resolve().parents[2] / "docs" / "validation"
SOURCE = Path(__file__).resolve().parents[2] / "src" / "mpftconnect" / "validation"


def test_every_rule_has_its_place_on_the_page() -> None:
    titles = re.findall(r"^## (\S+)$", (DOCS / "rules.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert titles == list(RULES)


def test_every_rule_says_what_it_means_what_breaks_it_and_how_to_mend_it() -> None:
    page = (DOCS / "rules.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    for rule, (code, words) in RULES.items():
        assert f"{words}. Issue type `{code}`." in sections[rule], rule
        assert re.search(r"^- Breaks it: \S.{3,}$", sections[rule], re.MULTILINE), rule
        assert re.search(r"^- To mend it: \S.{8,}\.$", sections[rule], re.MULTILINE), rule


def test_every_rule_that_is_used_is_listed() -> None:
    used = set()
    for file in SOURCE.rglob("*.py"):
        if "fhirpath" not in file.relative_to(SOURCE).parts:
            text = file.read_text(encoding="utf-8")
            used |= set(re.findall(r'run\.(?:error|not_checked)\(\s*"([a-z-]+)"', text))
            used |= set(re.findall(r'self\.(?:_)?problem\(\s*"([a-z-]+)"', text))
    assert {rule for rule in used if not re.fullmatch(r"[a-z]+-[0-9]+", rule)} <= set(RULES)
    assert len(used) > 40


def test_options_on_the_page_exist() -> None:
    page = (DOCS / "index.md").read_text(encoding="utf-8")
    table = page[page.index("| Option |") : page.index("## Packages")]
    names = [
        name for cell in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    ]
    assert sorted(names) == sorted(field.name for field in dataclasses.fields(Options))


def test_no_module_is_long() -> None:
    long = {f.name: n for f in SOURCE.rglob("*.py") if (n := len(f.read_text(encoding="utf-8").splitlines())) > 600}
    assert long == {}
