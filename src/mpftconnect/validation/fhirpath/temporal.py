"""Dates, dateTimes and times of FHIRPath: partial, and compared only as far as both sides are known.

Nothing is padded: `2014` is a year, not its first of January, and comparing it with a day of 2014 gives None.

Source:
    FHIRPath N1 (2.0.0), 4.1.5 to 4.1.7 (literals), 6.1.1 (equality), 6.2 (comparison), 6.6.7 and 6.6.8 (arithmetic).
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias

__all__ = ["Date", "DateTime", "Temporal", "Time", "compare", "read_date", "read_date_time", "read_time"]

_CLOCK = r"(\d{2})(?::(\d{2})(?::(\d{2}(?:\.\d{1,40})?))?)?"
_TIME = re.compile(_CLOCK, re.ASCII)
_MOMENT = re.compile(rf"(\d{{4}})(?:-(\d{{2}})(?:-(\d{{2}})(?:T(?:{_CLOCK}(Z|[+-]\d{{2}}:\d{{2}})?)?)?)?)?T?", re.ASCII)

Part: TypeAlias = int | Decimal
# Offsets beyond these do not exist, so moments further apart are in order whatever the missing offset is.
_WIDEST_OFFSETS = timedelta(hours=26)


@dataclass(frozen=True, slots=True)
class Date:
    """A date of year, month or day precision. `parts` has one to three numbers; `str()` gives it as written."""

    text: str
    parts: tuple[Part, ...] = field(compare=False, repr=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class DateTime:
    """A moment of any precision from year to fraction of a second; `offset` in minutes, None where none is stated."""

    text: str
    parts: tuple[Part, ...] = field(compare=False, repr=False)
    offset: int | None = field(compare=False, repr=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Time:
    """A time of day of hour, minute or second precision."""

    text: str
    parts: tuple[Part, ...] = field(compare=False, repr=False)

    def __str__(self) -> str:
        return self.text


Temporal: TypeAlias = Date | DateTime | Time


def _clock(hour: str | None, minute: str | None, second: str | None) -> tuple[Part, ...] | None:
    parts: list[Part] = []
    for text, most in ((hour, 23), (minute, 59), (second, 60)):
        if text is None:
            break
        number = Decimal(text) if "." in text else int(text)
        if number >= most + 1:
            return None
        parts.append(number)
    return tuple(parts)


def _day(year: str, month: str | None, day: str | None) -> tuple[Part, ...] | None:
    if year == "0000" or (month is not None and not 1 <= int(month) <= 12):
        return None
    if month is None:
        return (int(year),)
    if day is None:
        return int(year), int(month)
    if not 1 <= int(day) <= calendar.monthrange(int(year), int(month))[1]:
        return None
    return int(year), int(month), int(day)


@lru_cache(maxsize=4096)
def read_date_time(text: str) -> DateTime | None:
    """A DateTime from FHIR's or FHIRPath's form (a `T` may close a partial one); None where it is none.

    >>> str(read_date_time("2014-01T"))
    '2014-01'
    >>> read_date_time("2014-02-30") is None
    True
    """
    found = _MOMENT.fullmatch(text) if len(text) <= 80 else None
    if found is None:
        return None
    year, month, day, hour, minute, second, offset = found.groups()
    if text.endswith("T") and hour is not None:
        return None
    parts, clock = _day(year, month, day), _clock(hour, minute, second)
    if parts is None or clock is None:
        return None
    shift = None
    if offset is not None:
        shift = 0 if offset == "Z" else int(offset[1:3]) * 60 + int(offset[4:6])
        if shift > 14 * 60 or int(offset[4:6] if offset != "Z" else 0) > 59:
            return None
        shift = -shift if offset[0] == "-" else shift
    return DateTime(text.removesuffix("T"), parts + clock, shift)


@lru_cache(maxsize=4096)
def read_date(text: str) -> Date | None:
    """A Date from `YYYY`, `YYYY-MM` or `YYYY-MM-DD`; None where it is none."""
    if len(text) > 10 or "T" in text:
        return None
    moment = read_date_time(text)
    return None if moment is None else Date(text, moment.parts)


@lru_cache(maxsize=1024)
def read_time(text: str) -> Time | None:
    """A Time from `hh`, `hh:mm` or `hh:mm:ss.f`; None where it is none."""
    found = _TIME.fullmatch(text) if len(text) <= 80 else None
    parts = _clock(*found.groups()) if found is not None else None
    return None if parts is None else Time(text, parts)


def _naive(parts: tuple[Part, ...]) -> datetime:
    whole = [int(part) for part in parts[:6]]
    if len(whole) == 6:
        whole[5] = min(whole[5], 59)
    return datetime(*[*whole, *(1, 1, 1, 0, 0, 0)[len(whole) :]])  # type: ignore[arg-type]  # noqa: DTZ001 - no zone is known


def _in_utc(moment: DateTime) -> tuple[Part, ...]:
    """The parts as they would be written in UTC, as many as there were."""
    parts = moment.parts
    shifted = _naive(parts) - timedelta(minutes=moment.offset or 0)
    fields: tuple[Part, ...] = (shifted.year, shifted.month, shifted.day, shifted.hour, shifted.minute)
    return (fields + parts[5:])[: len(parts)]


def compare(left: Temporal, right: Temporal) -> int | None:
    """-1, 0 or 1 as left is before, the same as or after right; None where their precisions do not tell.

    A Date stands beside a DateTime as the DateTime of the same parts. A Time beside either gives None.
    """
    if isinstance(left, Time) != isinstance(right, Time):
        return None
    first, second = left.parts, right.parts
    if isinstance(left, DateTime) and isinstance(right, DateTime) and len(first) > 3 and len(second) > 3:
        try:
            if left.offset is not None and right.offset is not None:
                if left.offset != right.offset:
                    first, second = _in_utc(left), _in_utc(right)
            elif left.offset is not right.offset:
                apart = _naive(first) - _naive(second)
                if abs(apart) <= _WIDEST_OFFSETS:
                    return None
        except OverflowError:
            return None
    for one, other in zip(first, second, strict=False):
        if one != other:
            return -1 if one < other else 1
    return 0 if len(first) == len(second) else None


# ---- Arithmetic ------------------------------------------------------------------------------------------------

_FIELD = {"year": 1, "month": 2, "week": 3, "day": 3, "hour": 4, "minute": 5, "second": 6, "millisecond": 6}
# N1, 6.6.7: a duration finer than the date is first turned into the date's own precision, ignoring the remainder.
_DAYS_OF_A_YEAR, _DAYS_OF_A_MONTH = 365, 30
_SECONDS = {
    "week": Decimal(604_800),
    "day": Decimal(86_400),
    "hour": Decimal(3_600),
    "minute": Decimal(60),
    "second": Decimal(1),
    "millisecond": Decimal("0.001"),
}


def add(value: Temporal, amount: Decimal, unit: str) -> Temporal | None:
    """A date or time moved by a calendar duration; None where the result is no year from 1 to 9999.

    Args:
        amount: How many; a fraction counts only for seconds and milliseconds (N1, 6.6.7).
        unit: `year`, `month`, `week`, `day`, `hour`, `minute`, `second` or `millisecond`.

    >>> str(add(read_date("2014-01-31"), Decimal(1), "month"))
    '2014-02-28'
    >>> str(add(read_date("2014"), Decimal(24), "month"))
    '2016'
    """
    if abs(amount) > 10**15:
        return None
    if unit not in ("second", "millisecond"):
        amount = Decimal(int(amount))
    if isinstance(value, Time):
        return _time_moved(value, amount, unit)
    fields = len(value.parts)
    if _FIELD[unit] > fields:
        amount, unit = _coarser(amount, unit, fields)
    try:
        if unit in ("year", "month"):
            return _rewritten(value, _months_moved(value.parts, int(amount) * (12 if unit == "year" else 1)))
        return _rewritten(value, _seconds_moved(value.parts, amount * _SECONDS[unit]))
    except (OverflowError, ValueError):
        return None


def _coarser(amount: Decimal, unit: str, fields: int) -> tuple[Decimal, str]:
    if unit == "month":
        return Decimal(int(amount / 12)), "year"
    days = amount * _SECONDS[unit] / 86_400
    if fields == 1:
        return Decimal(int(days / _DAYS_OF_A_YEAR)), "year"
    if fields == 2:
        return Decimal(int(days / _DAYS_OF_A_MONTH)), "month"
    target = {3: "day", 4: "hour", 5: "minute"}[fields]
    return Decimal(int(days * 86_400 / _SECONDS[target])), target


def _months_moved(parts: tuple[Part, ...], months: int) -> tuple[Part, ...]:
    year, month = divmod(int(parts[0]) * 12 + (int(parts[1]) - 1 if len(parts) > 1 else 0) + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError
    if len(parts) < 3:
        return (year, month + 1)[: len(parts)]
    return (year, month + 1, min(int(parts[2]), calendar.monthrange(year, month + 1)[1]), *parts[3:])


def _seconds_moved(parts: tuple[Part, ...], seconds: Decimal) -> tuple[Part, ...]:
    second = parts[5] if len(parts) > 5 else 0
    fraction = (Decimal(second) + seconds) % 1
    fraction = fraction + 1 if fraction < 0 else fraction
    whole = int(Decimal(second) + seconds - fraction)
    moved = _naive(parts[:5]) + timedelta(seconds=whole)
    last: Part = moved.second if isinstance(second, int) and not fraction else Decimal(moved.second) + fraction
    if len(parts) < 6 and fraction:
        last = moved.second
    return (moved.year, moved.month, moved.day, moved.hour, moved.minute, last)[: len(parts)]


def _time_moved(value: Time, amount: Decimal, unit: str) -> Time | None:
    if unit in ("year", "month"):
        return None
    if _FIELD[unit] - 3 > len(value.parts):
        amount, unit = _coarser(amount, unit, len(value.parts) + 3)
    moved = _seconds_moved((2000, 1, 1, *value.parts), (amount * _SECONDS[unit]) % 86_400)
    return Time(clock_text(moved[3:], value.text), moved[3:])


def clock_text(parts: tuple[Part, ...], like: str = "") -> str:
    """`hh:mm:ss.f` of up to three numbers, with at least as many decimals as `like` has."""
    texts = [f"{int(part):02}" for part in parts[:3]]
    if len(parts) > 2 and isinstance(parts[2], Decimal):
        found = re.search(r":\d{2}\.(\d+)", like)
        places = max(len(found[1]) if found else 0, len(str(parts[2].normalize()).partition(".")[2]))
        texts[2] = f"{parts[2]:0{3 + places}.{places}f}" if places else texts[2]
    return ":".join(texts)


def date_text(parts: tuple[Part, ...]) -> str:
    """`YYYY-MM-DD` of up to three numbers."""
    return "-".join((f"{int(part):04}", f"{int(part):02}")[at > 0] for at, part in enumerate(parts[:3]))


def _rewritten(value: Date | DateTime, parts: tuple[Part, ...]) -> Date | DateTime:
    text = date_text(parts)
    if isinstance(value, Date):
        return Date(text, parts)
    if len(parts) > 3:
        zone = re.search(r"(Z|[+-]\d{2}:\d{2})$", value.text[10:])
        text += "T" + clock_text(parts[3:], value.text) + (zone[1] if zone else "")
    return DateTime(text, parts, value.offset)


def key(value: Temporal) -> tuple[object, ...]:
    """Something hashable that two dates or times share exactly if `compare` gives 0."""
    parts = value.parts
    stated = isinstance(value, DateTime) and value.offset is not None and len(parts) > 3
    if stated and isinstance(value, DateTime):
        try:
            parts = _in_utc(value)
        except OverflowError:
            return ("moment", value.text)
    return ("time" if isinstance(value, Time) else "moment", stated, parts)
