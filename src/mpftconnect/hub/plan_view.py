"""The single care plan: a view over all active plans in which every line keeps its own origin (rule 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from mpftconnect.model import (
    Action,
    Actor,
    AdditionalPlan,
    Agreement,
    CarePlan,
    ContingencyPlan,
    Goal,
    Line,
    Need,
    Participant,
    Section,
    SectionStatus,
    When,
)

__all__ = ["CarePlanView", "FromPlan", "PlanLine", "newest_first"]

L = TypeVar("L", bound=Line)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PlanLine(Generic[L]):
    """One line of one plan, with where it comes from.

    Args:
        line: The line as its source holds it.
        plan: The plan that it belongs to.
    """

    line: L
    plan: CarePlan

    @property
    def description(self) -> str:
        return self.line.description

    @property
    def author(self) -> Actor | None:
        """Who wrote the line; the plan's author where the line names none."""
        return self.line.author or self.plan.author

    @property
    def recorded(self) -> When | None:
        """When the line was written; the plan's date where the line has none."""
        return self.line.recorded or self.plan.clinical_date

    @property
    def organization(self) -> str | None:
        """The organisation that it comes from: the author's, else that of the plan's author, by name or ODS code."""
        return _organization(self.line.author) or _organization(self.plan.author)

    @property
    def agreement(self) -> Agreement:
        """Whether the person agreed to the plan; `agreed=None` where its source does not say."""
        return self.plan.agreement or Agreement()

    def words(self) -> str:
        return self.line.words()


@dataclass(frozen=True, slots=True)
class FromPlan(Generic[T]):
    """A part of a plan that is not a line, with its plan: who wrote that, when, and whether the person agreed."""

    value: T
    plan: CarePlan

    @property
    def author(self) -> Actor | None:
        return self.plan.author

    @property
    def recorded(self) -> When | None:
        return self.plan.clinical_date

    @property
    def organization(self) -> str | None:
        return _organization(self.plan.author)

    @property
    def agreement(self) -> Agreement:
        """Whether the person agreed to the plan; `agreed=None` where its source does not say."""
        return self.plan.agreement or Agreement()


def _organization(actor: Actor | None) -> str | None:
    return (actor.organization or actor.organization_code) if actor else None


def newest_first(plans: Iterable[CarePlan]) -> tuple[CarePlan, ...]:
    """Plans by their date, newest first; undated ones last, then by key so that the order is always the same."""
    by_key = sorted(plans, key=lambda plan: plan.key)
    return tuple(sorted(by_key, key=lambda p: p.clinical_date.sort_key if p.clinical_date else "", reverse=True))


@dataclass(frozen=True, slots=True)
class CarePlanView:
    """All active plans as one, in the sections of the PRSB personalised care and support plan.

    Args:
        plans: The active plans, newest first. More than one is a conflict for a person to settle, not for us.
        status: Of the section `care_plans` that this looks at: empty never means none.
        missing: Systems that could hold a plan and did not (fully) answer.
    """

    plans: tuple[CarePlan, ...]
    status: SectionStatus
    missing: tuple[str, ...] = ()
    complete: bool = False

    @classmethod
    def of(cls, section: Section[CarePlan]) -> CarePlanView:
        active = newest_first(plan for plan in section if plan.is_active)
        return cls(active, section.status, section.missing, section.complete)

    def _lines(self, pick: Callable[[CarePlan], Iterable[L]]) -> tuple[PlanLine[L], ...]:
        return tuple(PlanLine(line, plan) for plan in self.plans for line in pick(plan))

    @property
    def about_me(self) -> tuple[PlanLine[Line], ...]:
        return self._lines(lambda plan: plan.about_me)

    @property
    def strengths(self) -> tuple[PlanLine[Line], ...]:
        return self._lines(lambda plan: plan.strengths)

    @property
    def needs(self) -> tuple[PlanLine[Need], ...]:
        return self._lines(lambda plan: plan.needs)

    @property
    def goals(self) -> tuple[PlanLine[Goal], ...]:
        return self._lines(lambda plan: plan.goals)

    @property
    def actions(self) -> tuple[PlanLine[Action], ...]:
        return self._lines(lambda plan: plan.actions)

    @property
    def formulation(self) -> tuple[PlanLine[Line], ...]:
        return self._lines(lambda plan: plan.formulation)

    @property
    def contingency(self) -> tuple[FromPlan[ContingencyPlan], ...]:
        """Contingency and crisis plans, whole."""
        return tuple(FromPlan(part, plan) for plan in self.plans for part in plan.contingency)

    @property
    def additional_plans(self) -> tuple[FromPlan[AdditionalPlan], ...]:
        return tuple(FromPlan(part, plan) for plan in self.plans for part in plan.additional_plans)

    @property
    def team(self) -> tuple[FromPlan[Participant], ...]:
        return tuple(FromPlan(part, plan) for plan in self.plans for part in plan.team)

    @property
    def coordinators(self) -> tuple[FromPlan[Actor], ...]:
        return tuple(FromPlan(plan.coordinator, plan) for plan in self.plans if plan.coordinator)

    @property
    def reviews(self) -> tuple[FromPlan[When], ...]:
        return tuple(FromPlan(plan.review, plan) for plan in self.plans if plan.review)
