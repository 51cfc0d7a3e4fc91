"""A record as a page of plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mpftconnect.hub import PlanLine, Record
from mpftconnect.hub.gap_lines import gap_lines
from mpftconnect.model import CommunicationNeed, Concept, Item, SectionName, format_nhs_number

__all__ = ["caution_mark", "summary"]


def summary(record: Record, *, most: int = 5) -> str:
    """The record for a terminal: warnings first, then the crisis plan, the care plan, and each section's status.

    Args:
        most: How many items of a section are shown; the rest is counted.
    """
    return "\n".join(_lines(record, most))


def _lines(record: Record, most: int) -> Iterator[str]:
    patient = record.patient
    number = format_nhs_number(patient.nhs_number) if patient.nhs_number else "no NHS number"
    born = f", born {patient.birth_date.words()}" if patient.birth_date else ""
    yield f"{patient.words()}   NHS {number}{born}   (from {patient.source.system})"
    for held in (patient, *record.held_as):
        needs: tuple[CommunicationNeed | Concept, ...] = (*held.communication, *held.reasonable_adjustments)
        for need in needs:
            yield f"  Needs: {need.words()}   (from {held.source.system})"
    if not record.identity_confirmed:
        yield "  ! Identity not confirmed by the tracing service: treated as restricted."
    if record.is_restricted and record.identity_confirmed:
        yield "  ! Restricted person: nothing that could reveal a location is shown."
    for mismatch in record.mismatches:
        yield f"  ! Differs from what you expected: {mismatch}."
    for gap in gap_lines(record.gaps):
        yield f"  {'-' if gap.is_standing else '!'} {gap.words()}"
    for apart in record.unmatched:
        kinds = ", ".join(kind.replace("_", " ") for kind in apart.kinds) or "no items"
        yield f"  ! Set apart: {apart.system} ({apart.text}); it holds {kinds}."
    for conflict in record.conflicts:
        yield f"  ! {conflict.text} ({', '.join(conflict.systems)})"
    for notice in record.notices:
        yield f"  - {notice.text}"
    yield from _plan(record)
    for name, section in record.sections.items():
        yield f"\n{_title(name)}: {len(section)} shown. {section.words()}"
        if section.caution:
            yield f"  ! {section.caution}"
        for warning in section.warnings:
            yield f"  ! {warning.system}: {warning.text}"
        for item in section.items[:most]:
            gone = f"WITHDRAWN ({item.withdrawn}): " if item.withdrawn else ""
            yield f"  - {gone}{item.words()}  [{_origin(item)}]{caution_mark(item)}"
        if len(section) > most:
            yield f"  ... and {len(section) - most} more"
    for kept in record.withheld:
        yield f"\nWithheld: {kept.text}"
    yield f"\n{record.never_shown}\n{record.not_for}"
    yield f"Made {record.made:%d %b %Y %H:%M} UTC."
    left = sum(len(item.extra) for item in record.items())
    yield f"{left} values that the model cannot hold are kept beside the items (extra)."


def _plan(record: Record) -> Iterator[str]:
    view = record.care_plan
    for part in view.contingency:
        yield f"\n{part.value.kind.title()} plan ({part.plan.source.system}):"
        groups = (
            ("Triggers", part.value.triggers),
            ("Early signs", part.value.early_signs),
            ("What to do", part.value.what_to_do),
            ("What not to do", part.value.what_not_to_do),
            ("Also", part.value.other),
        )
        for title, lines in groups:
            for one in lines:
                yield f"  {title}: {one.words()}"
        for actor in part.value.whom_to_call:
            phones = ", ".join(point.words() for point in actor.telecom)
            yield f"  Call: {actor.words()}" + (f" {phones}" if phones else "")
    if view.plans:
        yield f"\nSingle care plan, from {len(view.plans)} active plan(s):"
    parts: tuple[tuple[str, Sequence[PlanLine[Any]]], ...] = (
        ("About me", view.about_me),
        ("Strength", view.strengths),
        ("Need", view.needs),
        ("Goal", view.goals),
        ("Action", view.actions),
        ("Formulation", view.formulation),
    )
    for title, planned in parts:
        for line in planned:
            author = line.author.words() if line.author else "author not stated"
            date = line.recorded.words() if line.recorded else "date not stated"
            yield f"  {title}: {line.words()}  [{author}; {date}; {line.agreement.words()}; {line.plan.source.system}]"


def caution_mark(item: Item) -> str:
    """What stands beside the item, short, since many stand below one another: its section says the whole of it."""
    return f"  ({item.caution.partition(':')[0]})" if item.caution else ""


def _title(name: SectionName) -> str:
    return name.replace("_", " ").capitalize()


def _origin(item: Item) -> str:
    date = item.clinical_date.words() if item.clinical_date else "undated"
    systems = ", ".join(source.system for source in item.sources)
    return f"{date}; {systems}, fetched {item.source.fetched:%d %b %Y %H:%M} UTC"
