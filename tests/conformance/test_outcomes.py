"""Outcomes keep their promises, verdicts follow the rule, and packs say all their mistakes at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpftconnect.conformance import Cause, CauseKind, Finding, Level, Outcome, Requirement, Severity, Status, VerifiedBy
from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.outcome import ORDER, worst
from mpftconnect.conformance.pack_file import read_pack
from mpftconnect.conformance.reporting.verdict import counted, verdict_of
from mpftconnect.conformance.requirement import RequirementSource
from mpftconnect.conformance.run import Judged
from mpftconnect.errors import ConfigurationError, UsageError

CAUSE = Cause(kind=CauseKind.UNCLEAR, because="it was seen")
FINDING = Finding(rule="a-rule", message="it is not so")


def outcome(status: Status) -> Outcome:
    if status is Status.PASS:
        return Outcome.passed(1)
    if status is Status.FAIL:
        return Outcome.failed([FINDING], CAUSE)
    return Outcome(status=status, reason="since it is")


def judged(status: Status, *, level: Level = Level.MUST, advisory: bool = False) -> Judged:
    requirement = Requirement(
        id="p#1",
        pack="p",
        ref="P-01",
        level=level,
        severity=Severity.MAJOR,
        title="t",
        text="t",
        source=RequirementSource(document="d", section="s", date="2026"),
        hazard="h",
        verified_by=VerifiedBy.CHECK,
        advisory=advisory,
    )
    return Judged(requirement, outcome(status))


def test_a_pass_without_observation_is_none() -> None:
    assert Outcome.passed(0).status is Status.INCONCLUSIVE
    with pytest.raises(UsageError, match="observation"):
        Outcome(status=Status.PASS)


def test_a_failure_needs_a_finding_and_a_cause() -> None:
    with pytest.raises(UsageError):
        Outcome.failed([], CAUSE)
    with pytest.raises(UsageError):
        Outcome(status=Status.FAIL, findings=(FINDING,))


def test_the_supplier_is_named_only_where_something_rules_the_others_out() -> None:
    with pytest.raises(UsageError, match="rules the others out"):
        Cause(kind=CauseKind.SUPPLIER, because="it failed")
    assert Cause(kind=CauseKind.SUPPLIER, because="it failed", ruled_out="it came whole").ruled_out


def test_findings_beyond_the_limit_are_counted() -> None:
    made = Outcome.failed([FINDING] * 100, CAUSE)
    assert len(made.findings) + made.more_findings == 100


@given(st.lists(st.sampled_from(list(Status)), min_size=1))
def test_the_worst_is_the_first_in_order(statuses: list[Status]) -> None:
    ranked = [status for status in statuses if status in ORDER]
    assert worst(statuses) == (min(ranked, key=ORDER.index) if ranked else None)


@given(st.lists(st.sampled_from(list(Status)), min_size=1, max_size=8))
def test_the_verdict_follows_the_rule(statuses: list[Status]) -> None:
    verdict, because = verdict_of(counted([judged(status) for status in statuses]))
    if Status.FAIL in statuses:
        assert verdict == "not-met"
    elif {Status.ERROR, Status.INCONCLUSIVE, Status.NOT_TESTED} & set(statuses) or Status.PASS not in statuses:
        assert verdict == "undetermined"
    else:
        assert verdict == "met-the-checks-run"
    assert because


@pytest.mark.parametrize(
    "others",
    [judged(Status.FAIL, advisory=True), judged(Status.FAIL, level=Level.SHOULD), judged(Status.FAIL, level=Level.MAY)],
)
def test_what_does_not_decide_does_not_decide(others: Judged) -> None:
    assert verdict_of(counted([judged(Status.PASS), others]))[0] == "met-the-checks-run"


GOOD = """
version = 1
name = "ward"
title = "Ward"
revision = "2026.11.25"
summary = "What wards need."
[standard]
title = "Ward"
publisher = "A trust"
version = "1"
date = 2026-01-01
[[requirement]]
id = 1
ref = "W-01"
level = "must"
severity = "major"
title = "Something"
text = "Something is so."
source = { document = "Ward", section = "1", date = "2026" }
hazard = "Somebody is harmed."
verified_by = "check"
"""


def read(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "ward.toml"
    file.write_text(text, encoding="utf-8")
    try:
        read_pack(file)
    except ConfigurationError as error:
        return list(error.problems)
    return []


def test_a_good_pack_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD) == []


def test_every_mistake_is_said_at_once(tmp_path: Path) -> None:
    wrong = (
        GOOD.replace('revision = "2026.11.25"', 'revision = "1"')
        .replace('level = "must"', 'level = "shall"')
        .replace('hazard = "Somebody is harmed."', 'hazard = "  "')
        .replace('section = "1"', 'sektion = "1"')
        .replace('verified_by = "check"', 'verified_by = "untestable"')
    )
    problems = read(tmp_path, wrong)
    for expected in ("revision", "level", "hazard: is blank", "sektion", "section: is blank", "not_tested_because"):
        assert any(expected in problem for problem in problems), expected
    assert all(problem.startswith("ward.toml: ") for problem in problems)


@pytest.mark.parametrize("field", ["ref", "title", "text", "hazard", "level", "severity", "verified_by", "source"])
def test_no_field_may_be_missing(tmp_path: Path, field: str) -> None:
    lines = [line for line in GOOD.splitlines() if not line.startswith(f"{field} =") or "[" in line]
    kept = "\n".join(lines)
    if field == "title":
        kept = kept.replace("[standard]", '[standard]\ntitle = "Ward"')
    assert any(field in problem for problem in read(tmp_path, kept))


def test_an_id_is_never_used_twice(tmp_path: Path) -> None:
    again = GOOD + GOOD[GOOD.index("[[requirement]]") :]
    assert sum("permanent" in problem for problem in read(tmp_path, again)) == 2


def test_no_installed_requirement_has_a_blank(catalog: Catalog) -> None:
    """What `conform coverage` promises: every requirement is verified somehow, or says why not."""
    for pack in catalog.packs.values():
        for requirement in pack.requirements:
            strong = requirement.verified_by in (VerifiedBy.CHECK, VerifiedBy.SAMPLE)
            assert not strong or requirement.id in catalog.checks, requirement.id
            assert requirement.verified_by is not VerifiedBy.UNTESTABLE or requirement.not_tested_because
            assert requirement.verified_by is not VerifiedBy.SAMPLE or requirement.limits, requirement.id
            assert all((requirement.text, requirement.hazard, requirement.source.document, requirement.source.date))
