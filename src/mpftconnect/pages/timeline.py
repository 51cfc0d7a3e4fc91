"""Everything that has a date, in the order in which it happened, whichever system says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from mpftconnect.hub.record import Record
from mpftconnect.model import Item, SectionName

__all__ = ["Moment", "Period", "timeline"]


@dataclass(frozen=True, slots=True)
class Moment:
    """One item where it stands in time.

    Args:
        section: The section that holds it, to which the page links.
        title: What the page calls that section.
    """

    item: Item
    section: SectionName
    title: str


@dataclass(frozen=True, slots=True)
class Period:
    """The moments of one year, of what is still to come, or without a date.

    Args:
        name: `To come`, `2025` or `Date not stated`.
        moments: Newest first; of what is to come, soonest first.
    """

    name: str
    moments: tuple[Moment, ...]


_TO_COME, _UNDATED = "To come", "Date not stated"


def timeline(record: Record, titles: Mapping[SectionName, str]) -> tuple[Period, ...]:
    """All items of the record by their clinical date: what is to come, then year by year, then what has no date.

    Nothing is left out: an item that its source withdrew stands where it happened, and its tags say so.
    """
    moments = [Moment(item, name, title) for name, title in titles.items() for item in record.section(name)]
    today = record.made.date().isoformat()
    dated = sorted((m for m in moments if m.item.clinical_date), key=_when, reverse=True)
    to_come = tuple(reversed([moment for moment in dated if _day(moment) > today]))
    past = [moment for moment in dated if _day(moment) <= today]
    periods = [Period(_TO_COME, to_come)] if to_come else []
    periods += [Period(year, tuple(group)) for year, group in groupby(past, key=lambda moment: _day(moment)[:4])]
    if undated := tuple(sorted((m for m in moments if not m.item.clinical_date), key=lambda m: m.item.key)):
        periods.append(Period(_UNDATED, undated))
    return tuple(periods)


def _when(moment: Moment) -> tuple[str, str]:
    date = moment.item.clinical_date
    return (date.sort_key if date else "", moment.item.key)


def _day(moment: Moment) -> str:
    """The date, as far as it is known; a year alone is not later than a day of the same year."""
    return _when(moment)[0][:10]
