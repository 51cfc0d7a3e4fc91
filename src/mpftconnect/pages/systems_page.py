"""Which system contributed what, drawn: one HTML file for one or several people's records.

The drawing is inline SVG; the table below it says the same in words, since a picture must not be the only way to know
(WCAG 2.2, 1.1.1 and 1.4.1). See `rendering` for what keeps outside text from running.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Environment

from mpftconnect.hub.record import Record
from mpftconnect.model import SectionName
from mpftconnect.pages.contributions import Contribution, contributions
from mpftconnect.pages.words import OUTCOMES, TITLES
from mpftconnect.rendering import clock_words, style_sheet, templates

__all__ = ["systems_page"]

_WIDTH, _ROW, _TOP = 1080, 44, 12
_LEFT, _RIGHT = 300, 640  # where lines begin and end; what they join stands outside
_THINNEST, _THICKEST = 2.0, 14.0
# What systems contribute to: who the person is, and the sections.
_KINDS: dict[SectionName | None, str] = {None: "The person"}
_KINDS.update(TITLES.items())


@dataclass(frozen=True, slots=True)
class _Box:
    words: str
    note: str
    middle: float
    hollow: bool


@dataclass(frozen=True, slots=True)
class _Band:
    path: str
    thickness: float
    words: str


@dataclass(frozen=True, slots=True)
class _Drawing:
    width: int
    height: int
    left: tuple[_Box, ...]
    right: tuple[_Box, ...]
    bands: tuple[_Band, ...]
    words: str


@dataclass(frozen=True, slots=True)
class _View:
    title: str
    record: Record
    made: str
    contributed: tuple[Contribution, ...]
    drawing: _Drawing


def systems_page(records: Sequence[tuple[str, Record]], *, demonstration: bool = False) -> str:
    """Which system contributed what to each record, as one self-contained HTML page.

    Args:
        records: Each with its heading, which must name nobody where the page leaves the building.
        demonstration: True where the systems are stand-ins: the page then says so first.
    Returns:
        HTML 5 text, to be written as UTF-8.
    """
    style = style_sheet()
    views = tuple(_view(title, record) for title, record in records)
    return (
        _templates()
        .get_template("systems.html")
        .render(views=views, demonstration=demonstration, style=style.text, policy=style.policy)
    )


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return templates("mpftconnect.pages", titles=TITLES, outcome_words=OUTCOMES)


def _view(title: str, record: Record) -> _View:
    contributed = contributions(record)
    return _View(title, record, clock_words(record.made), contributed, _draw(contributed))


def _draw(contributed: Sequence[Contribution]) -> _Drawing:
    kinds = [kind for kind in _KINDS if any(_count(one, kind) for one in contributed)]
    height = max(len(contributed), len(kinds), 1) * _ROW + 2 * _TOP
    begins = [_middle(number, len(contributed), height) for number in range(len(contributed))]
    ends = [_middle(number, len(kinds), height) for number in range(len(kinds))]
    most = max((_count(one, kind) for one in contributed for kind in kinds), default=1)
    bands = tuple(
        _Band(
            _path(begin, end),
            round(_THINNEST + (_THICKEST - _THINNEST) * count / most, 1),
            f"{one.system}: {count}, {_KINDS[kind]}",
        )
        for one, begin in zip(contributed, begins, strict=True)
        for kind, end in zip(kinds, ends, strict=True)
        if (count := _count(one, kind))
    )
    left = (
        _Box(one.system, _note(one), begin, hollow=not (one.person or one.items.total()))
        for one, begin in zip(contributed, begins, strict=True)
    )
    right = (
        _Box(_KINDS[kind], _from(kind, contributed), end, hollow=False) for kind, end in zip(kinds, ends, strict=True)
    )
    words = "; ".join(f"{one.system} contributed {_note(one)}" for one in contributed) or "no system"
    return _Drawing(_WIDTH, height, tuple(left), tuple(right), bands, words)


def _count(one: Contribution, kind: SectionName | None) -> int:
    return int(one.person) if kind is None else one.items[kind]


def _path(begin: float, end: float) -> str:
    half = (_LEFT + _RIGHT) / 2
    return f"M{_LEFT} {begin:.1f}C{half:.1f} {begin:.1f} {half:.1f} {end:.1f} {_RIGHT} {end:.1f}"


def _middle(number: int, of: int, height: int) -> float:
    return height * (number + 0.5) / of


def _note(one: Contribution) -> str:
    if one.apart is not None:
        return "set apart"
    if total := one.items.total():
        return f"{total} items" if total > 1 else "1 item"
    if one.person:
        return "the person"
    return "silent" if one.answer is not None and one.answer.outcome == "silent" else "no items"


def _from(kind: SectionName | None, contributed: Sequence[Contribution]) -> str:
    count = sum(1 for one in contributed if _count(one, kind))
    return f"from {count} systems" if count > 1 else "from 1 system"
