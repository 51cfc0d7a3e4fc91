"""The tables of docs/matching.md and docs/merging.md say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from mpftconnect.hub.conflicts import KINDS
from mpftconnect.hub.match import RULES
from mpftconnect.hub.person_conflicts import PERSON_KINDS
from mpftconnect.hub.sameness import MOST_ASKED


def between(text: str, mark: str) -> str:
    found = re.search(rf"<!-- {mark}: begin -->(.*?)<!-- {mark}: end -->", text, re.S)
    assert found, mark
    return found[1].strip()


def test_the_table_of_agreement_rules_is_the_modules(root: Path) -> None:
    lines = ["| Code | If | Then |", "|---|---|---|"]
    lines += [f"| `{rule.code}` | {rule.when} | {'joined' if rule.joins else 'set apart'} |" for rule in RULES]
    assert between((root / "docs" / "matching.md").read_text(encoding="utf-8"), "rules") == "\n".join(lines)


# What these ask a person to look at need not be said by two systems.
WITHIN_ONE = ("several-active-plans", "allergy-against-none-known")


def test_the_table_of_conflicts_is_the_modules(root: Path) -> None:
    text = (root / "docs" / "merging.md").read_text(encoding="utf-8")
    lines = ["| Kind | Section | The reader is told |", "|---|---|---|"]
    for code, kind in KINDS.items():
        star = " *" if code in WITHIN_ONE else ""
        lines.append(f"| `{code}`{star} | `{kind.section.replace(', ', '`, `')}` | {kind.text.format(count='N')} |")
    assert between(text, "kinds") == "\n".join(lines)
    assert re.findall(r"`([a-z-]+)`", between(text, "person kinds")) == list(PERSON_KINDS)
    assert f"at most {MOST_ASKED} different concepts" in text


def test_the_page_quotes_a_run_of_a_hundred_thousand_pairs(root: Path) -> None:
    """What was printed; tests/hub/test_near_twins.py judges the same pairs anew."""
    table = between((root / "docs" / "matching.md").read_text(encoding="utf-8"), "near twins")
    counts = [int(cell) for cell in re.findall(r"^\| [^|]+ \| (\d+) \|", table, re.M)]
    assert sum(counts) == 100_000
    assert re.search(r"\*\*Two people, \d+ pairs: 0 joined\.\*\*", table)
    assert re.search(r"\*\*One person, \d+ pairs: \d+ set apart \(\d+\.\d%\)\.\*\*", table)
    unseen = re.search(r"birth order tells apart, (\d+) pairs: (\d+) joined, (\d+) of them flagged", table)
    assert unseen and unseen[2] == unseen[3]
