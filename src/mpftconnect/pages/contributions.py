"""Which system contributed what to a record: counted from the record itself, so that nothing withheld can show."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from mpftconnect.hub.gap_lines import GapLine, gap_lines
from mpftconnect.hub.record import Record, SystemAnswer, Unmatched
from mpftconnect.model import SectionName

__all__ = ["Contribution", "contributions"]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one system contributed, and what it did not.

    Args:
        system: Its configured name.
        answer: How it took part; None where the record does not say.
        items: By section, how many of the items shown it states.
        shared: By section, how many of those another system states too.
        person: Whether it says who the person is: the tracing service, and every system that holds them and was joined.
        apart: Its contribution that was set apart, if it was.
        gaps: What it could have told and did not.
    """

    system: str
    answer: SystemAnswer | None
    items: Counter[SectionName]
    shared: Counter[SectionName]
    person: bool
    apart: Unmatched | None
    gaps: tuple[GapLine, ...]


def contributions(record: Record) -> tuple[Contribution, ...]:
    """One for each system that was asked or is named, in the order of the record's systems."""
    items: dict[str, Counter[SectionName]] = {answer.system: Counter() for answer in record.systems}
    shared: dict[str, Counter[SectionName]] = {}
    for name, section in record.sections.items():
        for item in section:
            systems = dict.fromkeys(source.system for source in item.sources)
            for system in systems:
                items.setdefault(system, Counter())[name] += 1
                if len(systems) > 1:
                    shared.setdefault(system, Counter())[name] += 1
    for gap in record.gaps:
        items.setdefault(gap.system, Counter())
    persons = {patient.source.system for patient in (record.patient, *record.held_as)}
    answers = {answer.system: answer for answer in record.systems}
    apart = {one.system: one for one in record.unmatched}
    return tuple(
        Contribution(
            system,
            answers.get(system),
            counted,
            shared.get(system, Counter()),
            system in persons,
            apart.get(system),
            gap_lines(gap for gap in record.gaps if gap.system == system),
        )
        for system, counted in items.items()
    )
