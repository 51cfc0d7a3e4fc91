"""The least and the greatest value that something of limited precision may stand for.

Source:
    FHIRPath 3.0.0-ballot, "Functions - Utility" (lowBoundary, highBoundary, precision), which the official suite for R4
    has although N1 has not. Where the suite differs from that text, `docs/validation/fhirpath.md` says so.
"""

from __future__ import annotations

import calendar
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, DecimalException
from typing import Any

from mpftconnect.validation.fhirpath.functions.registry import Call, value_function
from mpftconnect.validation.fhirpath.items import ARITHMETIC
from mpftconnect.validation.fhirpath.quantity import Quantity
from mpftconnect.validation.fhirpath.temporal import Date, DateTime, Part, Time, clock_text, date_text

__all__: list[str] = []

_MOST_DECIMALS = 28
# How many digits a date or time has with so many parts: YYYY, YYYYMM, YYYYMMDD, +hh, +mm, +ssfff.
_DIGITS = {1: 4, 2: 6, 3: 8, 4: 10, 5: 12, 6: 17}
_TIME_DIGITS = {1: 2, 2: 4, 3: 9}


@value_function("lowBoundary", 0, 1)
def _low(call: Call, value: Any, precision: Any) -> Any:
    return _boundary(call, value, precision, low=True)


@value_function("highBoundary", 0, 1)
def _high(call: Call, value: Any, precision: Any) -> Any:
    return _boundary(call, value, precision, low=False)


def _boundary(call: Call, value: Any, precision: Any, *, low: bool) -> Any:
    if precision is not None and precision.__class__ is not int:
        raise call.fault(f"{call.name}() takes a whole number")
    match value:
        case bool():
            raise call.fault(f"{call.name}() takes numbers, quantities, dates and times")
        case int() | Decimal():
            return _of_number(Decimal(value), precision, low=low)
        case Quantity():
            number = _of_number(value.value, precision, low=low)
            return None if number is None else Quantity(number, value.unit, value.calendar)
        case Date():
            parts = _filled(value.parts, _parts_of(_DIGITS, precision, 3), low=low)
            return None if parts is None or len(parts) > 3 else Date(date_text(parts), parts)
        case DateTime():
            return _of_moment(value, precision, low=low)
        case Time():
            filled = _filled((2000, 1, 1, *value.parts), _parts_of(_TIME_DIGITS, precision, 3, 3), low=low)
            return None if filled is None else Time(clock_text(filled[3:], ":00.000"), filled[3:])
        case _:
            raise call.fault(f"{call.name}() takes numbers, quantities, dates and times")


def _of_number(value: Decimal, precision: int | None, *, low: bool) -> Decimal | None:
    places = 8 if precision is None else precision
    if not 0 <= places <= _MOST_DECIMALS:
        return None
    exponent = value.as_tuple().exponent
    half = Decimal(5).scaleb((exponent if isinstance(exponent, int) else 0) - 1)
    try:
        edge = ARITHMETIC.subtract(value, half) if low else ARITHMETIC.add(value, half)
        return edge.quantize(Decimal(1).scaleb(-places), ROUND_FLOOR if low else ROUND_CEILING, ARITHMETIC)
    except DecimalException:
        return None


def _parts_of(digits: dict[int, int], precision: int | None, most: int, before: int = 0) -> int | None:
    if precision is None:
        return most + before
    return next((parts + before for parts, each in digits.items() if each == precision), None)


def _filled(parts: tuple[Part, ...], wanted: int | None, *, low: bool) -> tuple[Part, ...] | None:
    """As many parts as wanted: cut, or filled with the least or greatest that there is."""
    if wanted is None:
        return None
    filled = list(parts[:wanted])
    while len(filled) < wanted:
        at = len(filled)
        if at == 2:
            greatest: Part = calendar.monthrange(int(filled[0]), int(filled[1]))[1]
        else:
            greatest = (9999, 12, 31, 23, 59, Decimal("59.999"))[at]
        filled.append((1, 1, 1, 0, 0, Decimal("0.000"))[at] if low else greatest)
    if len(filled) == 6 and not isinstance(filled[5], Decimal):
        filled[5] = Decimal(filled[5]) + (Decimal("0.000") if low else Decimal("0.999"))
    return tuple(filled)


def _of_moment(value: DateTime, precision: int | None, *, low: bool) -> DateTime | None:
    parts = _filled(value.parts, _parts_of(_DIGITS, precision, 6), low=low)
    if parts is None:
        return None
    text = date_text(parts)
    if len(parts) <= 3:
        return DateTime(text, parts, None)
    offset = value.offset
    if offset is None:
        offset = 14 * 60 if low else -12 * 60
    sign, minutes = ("-", -offset) if offset < 0 else ("+", offset)
    zone = f"{sign}{minutes // 60:02}:{minutes % 60:02}"
    return DateTime(f"{text}T{clock_text(parts[3:], ':00.000')}{zone}", parts, offset)


@value_function("precision", type="System.Integer")
def _precision(call: Call, value: Any) -> int:
    match value:
        case bool():
            raise call.fault("precision() takes numbers, dates and times")
        case int():
            return 0
        case Decimal():
            exponent = value.as_tuple().exponent
            return max(0, -exponent) if isinstance(exponent, int) else 0
        case Date() | DateTime():
            return _with_fraction(_DIGITS, value.parts)
        case Time():
            return _with_fraction(_TIME_DIGITS, value.parts)
        case _:
            raise call.fault("precision() takes numbers, dates and times")


def _with_fraction(digits: dict[int, int], parts: tuple[Part, ...]) -> int:
    found = digits[len(parts)]
    return found - 3 if found in (17, 9) and not isinstance(parts[-1], Decimal) else found
