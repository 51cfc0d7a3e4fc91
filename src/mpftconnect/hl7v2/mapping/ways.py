"""How a leaf's text becomes a value of the model, and how the same text is made from the value again.

The way back is what the ledger's round-trip figure runs. A way that loses something says so, and then the leaf is
kept as extra beside its value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from mpftconnect.errors import NotADate
from mpftconnect.model import PartialDate, When

__all__ = [
    "ASSUMED_ZONE",
    "DATE",
    "DATE_TIME",
    "NUMBER",
    "TEXT",
    "Way",
    "coded",
    "read_date",
    "read_number",
    "read_time",
    "sliced",
    "timed",
]


@dataclass(frozen=True, slots=True)
class Way:
    """One way from text to value and back.

    Args:
        name: What the ledger calls it.
        back: The text that the value is written back as.
        defaulted: What was assumed beside the text, if anything.
    """

    name: str
    back: Callable[[Any], str | None]
    defaulted: str | None = None


TEXT: Final = Way("text", lambda value: value if isinstance(value, str) else None)


# --- dates and times -------------------------------------------------------------------------------------------

# HL7 v2.5.1, chapter 2A, section 2.A.22 (DTM): YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ].
_TIME: Final = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(\.\d{1,9})?)?)?)?)?)?([+-]\d{4})?", re.ASCII
)


def _written(value: Any) -> str | None:
    text = value.text if isinstance(value, When | PartialDate) else None
    if text is None:
        return None
    day, _, time = text.partition("T")
    if time.endswith("Z"):
        time = time[:-1] + "+0000"
    return day.replace("-", "") + time.replace(":", "")


DATE_TIME: Final = Way("time", _written)
ASSUMED_ZONE: Final = Way("time", _written, "time-zone")
DATE: Final = Way("date", _written)


@lru_cache(maxsize=1024)
def timed(text: str, zone: str) -> tuple[When | None, Way, bool]:
    """`read_time`, and whether the moment is written back exactly."""
    when, way = read_time(text, zone)
    return when, way, when is not None and _written(when) == text


def read_time(text: str, zone: str) -> tuple[When | None, Way]:
    """A DTM or TS as a moment as precise as it was written; None where it is none.

    An hour without minutes has no form in the model: it is cut to its day, which the way back shows.

    >>> read_time("202403311015", "Europe/London")[0].text
    '2024-03-31T10:15'
    >>> read_time("2024033110+0100", "Europe/London")[0].text, read_time("20240230", "Europe/London")[0]
    ('2024-03-31', None)
    """
    found = _TIME.fullmatch(text)
    if found is None:
        return None, DATE_TIME
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    written = "-".join(part for part in (year, month, day) if part)
    if minute:
        written += f"T{hour}:{minute}" + (f":{second}" if second else "") + (fraction or "")
        if offset:
            written += f"{offset[:3]}:{offset[3:]}"
    try:
        return When(written, zone), DATE_TIME if offset or not minute else ASSUMED_ZONE
    except NotADate:
        return None, DATE_TIME


@lru_cache(maxsize=1024)
def read_date(text: str) -> PartialDate | None:
    """A date of year, month or day; of a time, its day.

    >>> read_date("195003").text, read_date("19500301083000").text
    ('1950-03', '1950-03-01')
    """
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    try:
        return PartialDate("-".join(part for part in found.groups()[:3] if part))
    except NotADate:
        return None


# --- numbers ---------------------------------------------------------------------------------------------------

# HL7 v2.5.1, chapter 2A, section 2.A.47 (NM): an optional sign, digits, and an optional decimal point.
_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,400}\.?\d{0,400}|\.\d{1,400})", re.ASCII)
NUMBER: Final = Way("number", lambda value: f"{value:f}" if isinstance(value, Decimal) else None)


def read_number(text: str) -> Decimal | None:
    """An NM, with its digits as sent; None where it is no number.

    >>> read_number("7.50"), read_number("1e9"), read_number("+.5")
    (Decimal('7.50'), None, Decimal('0.5'))
    """
    return Decimal(text) if _NUMBER.fullmatch(text) else None


# --- tables and text -------------------------------------------------------------------------------------------


def coded(name: str, table: Mapping[str, str]) -> tuple[Mapping[str, str], Way]:
    """A table of codes with its way back. Of several codes with one meaning the first is written back.

    >>> table, way = coded("0001", {"M": "male", "F": "female"})
    >>> way.back("female")
    'F'
    """
    back: dict[str, str] = {}
    for code, meaning in table.items():
        back.setdefault(meaning, code)
    return table, Way(f"table {name}", lambda value: back.get(value) if isinstance(value, str) else None)


@lru_cache(maxsize=4096)
def sliced(start: int, end: int) -> Way:
    """One of several texts that were joined."""
    return Way("text", lambda value: value[start:end] if isinstance(value, str) else None)
