"""Care plans: several rows a plan, one line of it in each. Every word of every row stays (rule of the record: nothing
of a contingency plan may be dropped).

What is said of the whole plan stands on each of its rows. Where rows disagree, the first that says anything is shown
and the others are kept in `extra`, and the reader is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mpftconnect.model import (
    Action,
    Actor,
    AdditionalPlan,
    Agreement,
    CarePlan,
    Concept,
    ContactPoint,
    ContingencyPlan,
    Extra,
    Goal,
    Line,
    Need,
    extra_from,
)
from mpftconnect_rio.cells import Cells
from mpftconnect_rio.extracts import PersonRow
from mpftconnect_rio.layout import LAYOUTS
from mpftconnect_rio.mapping import Told, subject
from mpftconnect_rio.settings import RioExtractSettings

__all__ = ["LINE_FIELDS", "care_plan", "line_of", "merged"]

# Fields that are said of one line; all others are said of the plan.
LINE_FIELDS = (
    *("line_id", "line_type", "heading", "text", "line_status", "priority", "who", "phone", "when", "outcome"),
    *("line_author", "line_date"),
)


def merged(rows: Sequence[PersonRow]) -> tuple[PersonRow, tuple[Extra, ...], bool]:
    """What the rows of one plan say of the whole plan: as one row, what else they say, and whether they disagree."""
    plan_fields = [field for field in LAYOUTS["care_plans"].columns if field not in LINE_FIELDS]
    first = rows[0]
    cells: dict[str, str] = {}
    others: dict[str, str] = {}
    more: list[Extra] = []
    disagree = False
    seen_others: dict[str, set[str]] = {}
    for index, row in enumerate(rows):
        for field in plan_fields:
            cell = row.cells.get(field, "").strip()
            said = cells.setdefault(field, cell) or cell
            cells[field] = said
            if cell and cell != said:
                disagree = True
                more.append(extra_from(f"care_plans[{index}].{row.headings[field]}", cell))
        for heading, cell in row.others.items():
            seen = seen_others.setdefault(heading, set())
            if heading not in others:
                others[heading] = cell
            elif cell not in seen:
                more.append(extra_from(f"care_plans[{index}].{heading}", cell))
            seen.add(cell)
    return replace(first, cells=cells, others=others), tuple(more), disagree


def line_of(row: PersonRow) -> PersonRow:
    """The row without what it says of the whole plan."""
    return replace(row, cells={field: cell for field, cell in row.cells.items() if field in LINE_FIELDS}, others={})


_PLAIN = ("about_me", "strengths", "formulation")


class _Lines:
    """The lines of one plan, each put where its type belongs."""

    def __init__(self, settings: RioExtractSettings, organisation: str) -> None:
        self._settings, self._organisation = settings, organisation
        self.plain: dict[str, list[Line]] = {name: [] for name in _PLAIN}
        self.needs: list[Need] = []
        self.goals: list[Goal] = []
        self.actions: list[Action] = []
        self.additional: list[AdditionalPlan] = []
        self.unplaced: list[str] = []
        # By kind of plan, then by part of it.
        self._contingency: dict[str, dict[str, list[Line | Actor]]] = {}

    def add(self, cells: Cells) -> None:
        """Place one row. What its kind of line cannot hold is left in `cells`."""
        word = cells.text("line_type")
        heading, text = cells.text("heading"), cells.text("text")
        kind = self._settings.line_kind(word) if word else None
        if kind is None:
            # Nobody has said what this type is: shown as a note of the plan rather than in a place that we guess.
            said = ": ".join(part for part in (word, heading, text) if part)
            self.unplaced += [said] if said else []
        elif kind == "additional_plans":
            self.additional.append(
                AdditionalPlan(
                    type=Concept(text=heading or text),
                    description=text if heading else None,
                    date=cells.when("line_date"),
                )
            )
        elif kind.endswith(".whom_to_call"):
            self._place(kind).append(_whom_to_call(cells, heading, text))
        else:
            self._line(kind, cells, heading, text)

    def _line(self, kind: str, cells: Cells, heading: str | None, text: str | None) -> None:
        author = cells.text("line_author")
        said: dict[str, Any] = {
            "id": cells.text("line_id"),
            "heading": heading if text else None,
            "description": text or heading or "",
            "author": Actor(name=author, organization_code=self._organisation) if author else None,
            "recorded": cells.when("line_date"),
        }
        if kind == "needs":
            self.needs.append(Need(**said, status=cells.word("line_status"), priority=cells.text("priority")))
        elif kind == "goals":
            self.goals.append(_goal(cells, said))
        elif kind == "actions":
            self.actions.append(_action(cells, said))
        else:
            # Such a line has no place for who, when or a telephone number, and must not lose them.
            beside = cells.told("who", "phone", "when", "outcome", "line_status", "priority")
            said["description"] = "; ".join(part for part in (said["description"], beside) if part)
            if kind in self.plain:
                self.plain[kind].append(Line(**said))
            else:
                self._place(kind).append(Line(**said))

    def _place(self, kind: str) -> list[Line | Actor]:
        plan, _, part = kind.partition(".")
        return self._contingency.setdefault(plan, {}).setdefault(part, [])

    def contingency(self) -> tuple[ContingencyPlan, ...]:
        return tuple(
            ContingencyPlan.model_validate({"kind": plan, **{part: tuple(lines) for part, lines in parts.items()}})
            for plan, parts in self._contingency.items()
        )


def _whom_to_call(cells: Cells, heading: str | None, text: str | None) -> Actor:
    phone, who = cells.text("phone"), cells.text("who")
    return Actor(
        name=", ".join(part for part in (who, text) if part) or None,
        role=heading,
        telecom=(ContactPoint(system="phone", value=phone),) if phone else (),
    )


def _goal(cells: Cells, said: dict[str, Any]) -> Goal:
    who = cells.text("who")
    return Goal(
        **said,
        status=cells.word("line_status"),
        achievement=cells.concept("outcome"),
        expressed_by=Actor(name=who) if who else None,
        target=cells.when("when"),
        importance=cells.text("priority"),
    )


def _action(cells: Cells, said: dict[str, Any]) -> Action:
    who = cells.text("who")
    return Action(
        **said,
        status=cells.word("line_status"),
        who=(Actor(name=who),) if who else (),
        scheduled=cells.when_or_text("when"),
        outcome=cells.text("outcome"),
    )


def care_plan(
    whole: Cells, rows: Sequence[Cells], told: Told, settings: RioExtractSettings, more: tuple[Extra, ...]
) -> CarePlan:
    """One plan.

    Args:
        whole: What is said of the plan as a whole (see `merged`).
        rows: Its rows, of which only the lines are taken.
        more: What rows say of the whole besides.
    """
    lines = _Lines(settings, told.organisation)
    for cells in rows:
        lines.add(cells)
    author, coordinator, phone = whole.text("author"), whole.text("coordinator"), whole.text("coordinator_phone")
    agreement = _agreement(whole)
    return CarePlan(
        source=told.source,
        subject=subject(whole, told),
        service=whole.team(),
        title=whole.text("title"),
        category=whole.concepts("category"),
        status=whole.word("status"),
        created=whole.when("created"),
        period=whole.period("start", "end"),
        review=whole.when("review"),
        author=Actor(name=author, organization_code=told.organisation) if author else None,
        coordinator=Actor(
            name=coordinator,
            role="care coordinator",
            telecom=(ContactPoint(system="phone", value=phone),) if phone else (),
        )
        if coordinator or phone
        else None,
        agreement=agreement,
        about_me=tuple(lines.plain["about_me"]),
        strengths=tuple(lines.plain["strengths"]),
        formulation=tuple(lines.plain["formulation"]),
        needs=tuple(lines.needs),
        goals=tuple(lines.goals),
        actions=tuple(lines.actions),
        additional_plans=tuple(lines.additional),
        contingency=lines.contingency(),
        note=tuple(lines.unplaced),
        extra=(*whole.extra(), *(extra for cells in rows for extra in cells.extra()), *more),
    )


def _agreement(cells: Cells) -> Agreement | None:
    agreed, by, date = cells.yes("agreed"), cells.text("agreed_by"), cells.when("agreed_date")
    if agreed is None and by is None and date is None:
        return None
    return Agreement(agreed=agreed, by=Actor(name=by) if by else None, date=date)
