"""Dates as a report prints them, in the formats that the configuration states. Nothing is guessed.

`datetime.strptime` is not used: it reads month names by the machine's locale, gives a year of two digits a century of
its own choosing, and turns a month into its first day. Here a format names its parts, the parts make an ISO text as
precise as they are, and the common model decides whether such a day exists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["DateFormat", "date_format", "iso_text"]

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_PARTS = {
    "%d": r"(?P<day>\d{1,2})",
    "%m": r"(?P<month>\d{1,2})",
    "%Y": r"(?P<year>\d{4})",
    "%b": r"(?P<name>[A-Za-z]{3})",
    "%B": r"(?P<name>[A-Za-z]+)",
    "%H": r"(?P<hour>\d{1,2})",
    "%M": r"(?P<minute>\d{2})",
    "%S": r"(?P<second>\d{2})",
    "%f": r"(?P<fraction>\d{1,9})",
    "%z": r"(?P<offset>Z|[+-]\d{2}:\d{2})",
}
# What must stand before a part can: an hour without its day, or a day without its month, says nothing.
_NEEDS = (
    ("day", "month"),
    ("hour", "day"),
    ("hour", "minute"),
    ("minute", "hour"),
    ("second", "minute"),
    ("fraction", "second"),
    ("offset", "minute"),
)


@dataclass(frozen=True, slots=True)
class DateFormat:
    """A format and the pattern that reads it. `order` is the same for formats that could read the same text."""

    text: str
    pattern: re.Pattern[str]
    order: str


@lru_cache(maxsize=64)
def date_format(text: str) -> DateFormat:
    """A format in the terms of `strptime`: `%d %m %b %B %Y %H %M %S %f %z` and plain characters.

    Raises:
        ValueError: Another directive (`%y`: a century would be guessed), one given twice, or one without what it
            needs.

    >>> iso_text("03-Mar-2024 9:05", (date_format("%d-%b-%Y %H:%M"),))
    '2024-03-03T09:05'
    >>> date_format("%d/%m/%y")
    Traceback (most recent call last):
    ValueError: %y cannot be read; use %d %m %Y %b %B %H %M %S %f %z
    """
    pieces = re.split(r"(%.?)", text)
    pattern: list[str] = []
    for piece in pieces:
        if piece.startswith("%"):
            if piece not in _PARTS:
                raise ValueError(f"{piece} cannot be read; use {' '.join(_PARTS)}")
            pattern.append(_PARTS[piece])
        else:
            pattern.append(re.escape(piece))
    try:
        compiled = re.compile("".join(pattern), re.ASCII)
    except re.error:
        raise ValueError("a part of the date is given twice") from None
    has = {"month" if name == "name" else name for name in compiled.groupindex}
    if "month" in compiled.groupindex and "name" in compiled.groupindex:
        raise ValueError("a part of the date is given twice")
    lacking = [f"{part} without {need}" for part, need in _NEEDS if part in has and need not in has]
    if "year" not in has:
        lacking.append("no year")
    if lacking:
        raise ValueError("; ".join(lacking))
    return DateFormat(text, compiled, re.sub("%[dm]", "%#", text))


def iso_text(text: str, formats: tuple[DateFormat, ...]) -> str | None:
    """The ISO text, as precise as the format that reads `text`; None where none of the formats does.

    Whether the day exists is not decided here.

    >>> formats = (date_format("%d/%m/%Y %H:%M"), date_format("%d/%m/%Y"), date_format("%m/%Y"))
    >>> iso_text("31/02/2024", formats), iso_text("7/2024", formats), iso_text("soon", formats)
    ('2024-02-31', '2024-07', None)
    """
    for form in formats:
        found = form.pattern.fullmatch(text)
        if found is None:
            continue
        part = found.groupdict()
        month = _month(part)
        if month is None:
            continue
        date = "-".join(
            [part["year"], *([month] if month else []), *([part["day"].zfill(2)] if part.get("day") else [])]
        )
        if part.get("hour") is None:
            return date
        time = f"{part['hour'].zfill(2)}:{part['minute']}"
        if part.get("second"):
            time += f":{part['second']}"
        if part.get("fraction"):
            time += f".{part['fraction']}"
        return f"{date}T{time}{part.get('offset') or ''}"
    return None


def _month(part: dict[str, str | None]) -> str | None:
    """Two digits; empty where the format has no month; None where the name is no month's."""
    name = part.get("name")
    if name is None:
        return (part.get("month") or "").zfill(2) if part.get("month") else ""
    for number, month in enumerate(_MONTHS, start=1):
        if name.lower() in (month, month[:3]):
            return f"{number:02d}"
    return None
