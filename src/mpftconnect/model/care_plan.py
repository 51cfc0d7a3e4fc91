"""The personalised care and support plan.

Sections are those of the PRSB Personalised Care and Support Plan standard v2.0 (DAPB4022 Amd 38/2021): about me;
strengths; needs, concerns and problems; goals and hopes; actions; contingency (crisis) plan; agreement; review;
team and coordinator; formulation; additional supporting plans. Cardinalities of the PRSB data set are not
enforced: a plan is kept as its author wrote it.
"""

from __future__ import annotations

from typing import Literal

from mpftconnect.model.clinical import ClinicalItem, Participant
from mpftconnect.model.coded import Concept, Period, Reference
from mpftconnect.model.dates import When
from mpftconnect.model.people import Actor
from mpftconnect.model.schema import Model

__all__ = [
    "Action",
    "AdditionalPlan",
    "Agreement",
    "CarePlan",
    "ContingencyPlan",
    "Goal",
    "Line",
    "Need",
]


class Line(Model):
    """One statement of a plan, with who wrote it and when, where the source says so.

    Args:
        heading: Under which heading of its section: "What is important to me", "How best to support me".
        description: The statement.
        code: The same as a code, where there is one.
        id: The source's own id of the line.
    """

    id: str | None = None
    heading: str | None = None
    description: str
    code: Concept | None = None
    author: Actor | None = None
    recorded: When | None = None

    def words(self) -> str:
        return f"{self.heading}: {self.description}" if self.heading else self.description


class Need(Line):
    """A need, concern or problem that the plan addresses."""

    status: str | None = None
    priority: str | None = None


class Goal(Line):
    """A goal or hope (FHIR `Goal`), in the person's words where it is theirs.

    Args:
        status: FHIR `Goal.lifecycleStatus`.
        achievement: How far it is reached.
        expressed_by: Whose goal it is.
        target: By when.
        importance: How much it matters to the person, as recorded.
        confidence: How confident the person is, as recorded.
        addresses: Ids of the needs that it answers.
    """

    status: str | None = None
    achievement: Concept | None = None
    expressed_by: Actor | None = None
    start: When | None = None
    target: When | None = None
    importance: str | None = None
    confidence: str | None = None
    addresses: tuple[str, ...] = ()


class Action(Line):
    """What is to be done, by whom, when, and what came of it (FHIR `CarePlan.activity`).

    Args:
        status: FHIR `CarePlan.activity.detail.status`.
        who: Who does it.
        scheduled: When.
        outcome: What came of it.
        goals: Ids of the goals that it serves.
        reference: A request, task or appointment that carries it.
    """

    status: str | None = None
    status_reason: str | None = None
    who: tuple[Actor, ...] = ()
    scheduled: When | Period | str | None = None
    location: str | None = None
    outcome: str | None = None
    goals: tuple[str, ...] = ()
    reference: Reference | None = None


class ContingencyPlan(Model):
    """What to do when things get worse. Nothing of it may be dropped anywhere (rule 8).

    Args:
        kind: `contingency` or `crisis`.
        triggers: What sets a crisis off.
        early_signs: How one sees it coming.
        what_to_do: What helps, in order.
        what_not_to_do: What makes it worse.
        whom_to_call: People and services, with how to reach them.
        other: Statements under other headings.
    """

    kind: Literal["contingency", "crisis"] = "contingency"
    triggers: tuple[Line, ...] = ()
    early_signs: tuple[Line, ...] = ()
    what_to_do: tuple[Line, ...] = ()
    what_not_to_do: tuple[Line, ...] = ()
    whom_to_call: tuple[Actor, ...] = ()
    other: tuple[Line, ...] = ()


class Agreement(Model):
    """Whether the person agreed to the plan. `agreed=None`: the source does not say."""

    agreed: bool | None = None
    by: Actor | None = None
    date: When | None = None
    note: str | None = None

    def words(self) -> str:
        said = {
            True: "agreed with the person",
            False: "not agreed with the person",
            None: "agreement not stated",
        }
        who = f" ({self.by.words()})" if self.by else ""
        return said[self.agreed] + who + (f", {self.date.words()}" if self.date else "")


class AdditionalPlan(Model):
    """Another plan that goes with this one: ReSPECT, advance decision, hospital passport, ..."""

    type: Concept
    description: str | None = None
    location: str | None = None
    date: When | None = None
    reference: Reference | None = None

    def words(self) -> str:
        return ": ".join(part for part in (self.type.words(), self.description, self.location) if part)


class CarePlan(ClinicalItem):
    """One care plan as one source holds it (FHIR `CarePlan` with what it contains)."""

    status: str | None = None
    intent: str | None = None
    title: str | None = None
    description: str | None = None
    category: tuple[Concept, ...] = ()
    period: Period | None = None
    created: When | None = None
    contributors: tuple[Actor, ...] = ()
    about_me: tuple[Line, ...] = ()
    strengths: tuple[Line, ...] = ()
    needs: tuple[Need, ...] = ()
    goals: tuple[Goal, ...] = ()
    actions: tuple[Action, ...] = ()
    contingency: tuple[ContingencyPlan, ...] = ()
    formulation: tuple[Line, ...] = ()
    additional_plans: tuple[AdditionalPlan, ...] = ()
    agreement: Agreement | None = None
    review: When | None = None
    team: tuple[Participant, ...] = ()
    coordinator: Actor | None = None
    part_of: tuple[Reference, ...] = ()
    replaces: tuple[Reference, ...] = ()

    @property
    def clinical_date(self) -> When | None:
        return self.created or (self.period.start if self.period else None) or self.recorded

    @property
    def is_active(self) -> bool:
        """Whether the source calls it in force (FHIR `CarePlan.status` active)."""
        return self.status == "active"

    def words(self) -> str:
        category = ", ".join(concept.words() for concept in self.category)
        return self.title or self.description or category or "care plan, title not stated"
