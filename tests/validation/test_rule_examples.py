"""The examples of the page of rules: each broken one breaks its rule, each mended one is valid and does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.validation import Options, Report, Validator
from mpftconnect.validation.findings import RULES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "validation" / "rule-examples.json"
EXAMPLES: dict[str, dict[str, Any]] = json.loads(PAGE.read_text(encoding="utf-8"))["examples"]
# Of no single resource: files, limits, and what is not the resource's fault.
ELSEWHERE = {
    *("unreadable", "encoding", "too-deep", "too-large", "not-checked", "must-support", "narrative-control"),
    *("code-inactive", "restated-rules"),  # they need an imported terminology, or a pack that is asked for
}


def judged(core: Validator, example: dict[str, Any], which: str) -> Report:
    validator = core.with_resources(example.get("definitions", []))
    profiles = [example["profile"]] if "profile" in example else []
    return validator.validate(example[which], profiles, options=Options.from_mapping(example.get("options", {})))


def broken(report: Report) -> set[str]:
    return {item.rule for item in (*report.findings, *report.not_checked)}


@pytest.mark.parametrize("rule", sorted(EXAMPLES))
def test_an_example_breaks_its_rule_and_mended_does_not(core: Validator, rule: str) -> None:
    example = EXAMPLES[rule]
    assert rule in broken(judged(core, example, "broken"))
    mended = judged(core, example, "mended")
    assert rule not in broken(mended)
    assert [f for f in mended.findings if f.severity in ("error", "fatal")] == []


def test_every_rule_that_a_resource_can_break_has_an_example() -> None:
    assert set(RULES) - set(EXAMPLES) - ELSEWHERE == set()
    assert set(EXAMPLES) <= set(RULES)
