"""Several active plans as one view: newest first, every line with its origin, and nothing of any of them dropped."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from strategies import items

from mpftconnect.hub.plan_view import CarePlanView
from mpftconnect.model import (
    Actor,
    Agreement,
    CarePlan,
    ContingencyPlan,
    Item,
    Line,
    Period,
    Section,
    SectionName,
    SectionStatus,
    Source,
    When,
    parts,
)

NURSE = Actor(name="Ifeoma Adeyemi", role="nurse", organization="Northmere Community Services")
DOCTOR = Actor(name="Rhys Bevan", organization_code="ZZ101")


def plan(system: str, **more: Any) -> CarePlan:
    source = Source(system=system, id="1", fetched=datetime(2026, 1, 1, tzinfo=UTC))
    return CarePlan(source=source, **({"status": "active"} | more))


def view(*plans: CarePlan) -> CarePlanView:
    return CarePlanView.of(Section(SectionName.CARE_PLANS, plans, SectionStatus.ITEMS, ("gp", "rio")))


def test_active_plans_stand_newest_first_and_undated_ones_last() -> None:
    old = plan("gp", created=When("2024-05-01"))
    new = plan("rio", period=Period(start=When("2025-05-01")))
    undated, ended = plan("icr"), plan("acute", status="completed", created=When("2026-01-01"))
    assert view(undated, old, ended, new).plans == (new, old, undated)


def test_each_line_keeps_author_organisation_agreement_and_date() -> None:
    own = Line(description="Sit by the window", author=DOCTOR, recorded=When("2025-02-03"))
    bare = Line(description="No visits before ten")
    agreement = Agreement(agreed=True, date=When("2025-01-02"))
    one = plan("gp", author=NURSE, created=When("2025-01-01"), about_me=(own, bare), agreement=agreement)
    first, second = view(one).about_me
    assert (first.author, first.organization, first.recorded) == (DOCTOR, "ZZ101", When("2025-02-03"))
    assert (second.author, second.organization) == (NURSE, "Northmere Community Services")
    assert second.recorded == When("2025-01-01")
    assert first.agreement == second.agreement == agreement
    (unknown,) = view(plan("rio", about_me=(bare,))).about_me
    assert (unknown.author, unknown.organization, unknown.recorded) == (None, None, None)
    assert unknown.agreement.agreed is None


def test_a_crisis_plan_stands_whole_with_its_origin() -> None:
    crisis = ContingencyPlan(kind="crisis", triggers=(Line(description="Loud noise"),), whom_to_call=(DOCTOR,))
    agreement = Agreement(agreed=False)
    (part,) = view(
        plan("gp", author=NURSE, created=When("2025-01-01"), contingency=(crisis,), agreement=agreement)
    ).contingency
    assert part.value is crisis
    assert (part.author, part.organization) == (NURSE, "Northmere Community Services")
    assert (part.recorded, part.agreement) == (When("2025-01-01"), agreement)


_LISTED = ("about_me", "strengths", "needs", "goals", "actions", "formulation")
_WHOLE = ("contingency", "additional_plans", "team")


@given(st.lists(items(CarePlan), max_size=2))
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
def test_nothing_of_an_active_plan_is_dropped(drawn: list[Item]) -> None:
    plans = [item.model_copy(update={"status": "active"}) for item in drawn if isinstance(item, CarePlan)]
    seen = view(*plans)
    assert Counter(map(id, seen.plans)) == Counter(map(id, plans))
    for name in _LISTED:
        assert Counter(id(line.line) for line in getattr(seen, name)) == Counter(
            id(line) for each in plans for line in getattr(each, name)
        )
    for name in _WHOLE:
        assert Counter(id(part.value) for part in getattr(seen, name)) == Counter(
            id(part) for each in plans for part in getattr(each, name)
        )
    shown = [path for part in seen.contingency for path, _ in parts(part.value)]
    assert Counter(shown) == Counter(path for each in plans for c in each.contingency for path, _ in parts(c))
    assert [c.value for c in seen.coordinators] == [p.coordinator for p in seen.plans if p.coordinator]
    assert [r.value for r in seen.reviews] == [p.review for p in seen.plans if p.review]
