"""Quantities: a number and a unit, compared through UCUM.

Source:
    FHIRPath N1 (2.0.0), 4.1.8 (literals; calendar durations and UCUM), 6.1.1, 6.1.2, 6.2 and 6.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, DecimalException
from functools import lru_cache

from mpftconnect.errors import NotEvaluable
from mpftconnect.validation.fhirpath.ucum import LONGEST_UNIT, Size, size_of

__all__ = ["CALENDAR_UNITS", "Quantity", "comparable", "compare", "equivalent", "multiplied", "summed"]

# Singular and plural name the same calendar unit.
CALENDAR_UNITS = {
    name + plural: name
    for name in ("year", "month", "week", "day", "hour", "minute", "second", "millisecond")
    for plural in ("", "s")
}
# N1, 4.1.8.1: a calendar duration of weeks or less is the UCUM unit; years and months are only equivalent to it.
_UCUM_OF = {
    "week": "wk",
    "day": "d",
    "hour": "h",
    "minute": "min",
    "second": "s",
    "millisecond": "ms",
    "year": "a",
    "month": "mo",
}
CALENDAR_OF = {ucum: name for name, ucum in _UCUM_OF.items() if name not in ("year", "month")}
_LONG = {"year", "month"}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit: a UCUM code, or a calendar unit in the singular (`calendar` is then true).

    >>> print(Quantity(Decimal("4.0"), "mg"), Quantity(Decimal(1), "week", calendar=True))
    4.0 'mg' 1 week
    """

    value: Decimal
    unit: str
    calendar: bool = False

    def __str__(self) -> str:
        if not self.calendar:
            return f"{self.value:f} '{self.unit}'"
        return f"{self.value:f} {self.unit}" + ("" if self.value == 1 else "s")


@lru_cache(maxsize=1024)
def _size(unit: str, calendar: bool) -> Size | None:
    if not calendar:
        return size_of(unit)
    if unit in _LONG:
        return Size(Decimal(12 if unit == "year" else 1), (("calendar month", 1),))
    return size_of(_UCUM_OF[unit])


def comparable(left: Quantity, right: Quantity) -> bool:
    """Whether the units are of one dimension, or written alike."""
    if left.unit == right.unit and left.calendar == right.calendar:
        return True
    one, other = _size(left.unit, left.calendar), _size(right.unit, right.calendar)
    return one is not None and other is not None and one.dimensions == other.dimensions


def _in_unit_of(value: Quantity, other: Quantity) -> Decimal | None:
    """The number that `value` has in the other's unit; None where they cannot be compared."""
    if value.unit == other.unit and value.calendar == other.calendar:
        return value.value
    one, target = _size(value.unit, value.calendar), _size(other.unit, other.calendar)
    if one is None or target is None or one.dimensions != target.dimensions:
        return None
    try:
        return value.value * one.factor / target.factor
    except DecimalException:
        return None


def compare(left: Quantity, right: Quantity) -> int | None:
    """-1, 0 or 1; None where the units cannot be compared."""
    number = _in_unit_of(right, left)
    if number is None:
        return None
    return (left.value > number) - (left.value < number)


def equivalent(left: Quantity, right: Quantity) -> bool:
    """Equal once both are rounded to the coarser of their precisions (N1, 6.1.2)."""
    if (left.calendar and left.unit in _LONG) != (right.calendar and right.unit in _LONG):
        left, right = _as_ucum(left), _as_ucum(right)
    number = _in_unit_of(right, left)
    return number is not None and same_when_rounded(left.value, number)


def _as_ucum(value: Quantity) -> Quantity:
    return Quantity(value.value, _UCUM_OF[value.unit]) if value.calendar else value


def same_when_rounded(left: Decimal, right: Decimal) -> bool:
    """Whether two numbers agree at the precision of the one with fewer decimals.

    >>> same_when_rounded(Decimal("0.67"), Decimal("0.6666667"))
    True
    """
    places = min(decimals(left), decimals(right))
    try:
        step = Decimal(1).scaleb(-places)
        return left.quantize(step, ROUND_HALF_UP) == right.quantize(step, ROUND_HALF_UP)
    except DecimalException:
        return left == right


def decimals(value: Decimal) -> int:
    """How many decimals a number has, trailing zeros ignored."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def summed(left: Quantity, right: Quantity, sign: int) -> Quantity | None:
    """left + sign * right in the left's unit; None where they cannot be added."""
    number = _in_unit_of(right, left)
    return None if number is None else Quantity(left.value + sign * number, left.unit, left.calendar)


def multiplied(left: Quantity, right: Quantity, *, divide: bool) -> Quantity | None:
    """The product or the quotient, in a unit put together from both; None where that unit would be a calendar's."""
    if left.calendar or right.calendar:
        left, right = _definite(left), _definite(right)
        if left.calendar or right.calendar:
            return None
    if divide:
        if not right.value:
            return None
        return Quantity(left.value / right.value, _joined(left.unit, right.unit, "/"))
    return Quantity(left.value * right.value, _joined(left.unit, right.unit, "."))


def _definite(value: Quantity) -> Quantity:
    return value if value.unit in _LONG else _as_ucum(value)


def _joined(left: str, right: str, by: str) -> str:
    if len(left) + len(right) > LONGEST_UNIT:
        raise NotEvaluable("a unit too long to reckon with")
    if right == "1":
        return left
    if by == "/" and left == right:
        return "1"
    if left == "1" and by == ".":
        return right
    bracketed = f"({right})" if "." in right or "/" in right else right
    return f"{left}{by}{bracketed}"


def key(value: Quantity) -> tuple[object, ...]:
    """Something hashable that two quantities share if `compare` gives 0."""
    size = _size(value.unit, value.calendar)
    if size is None:
        return ("quantity", value.unit, value.value)
    return ("quantity", size.dimensions, (value.value * size.factor).normalize())


def converted(value: Quantity, unit: Quantity, context: Context) -> Quantity | None:
    """The same amount in the unit of another quantity; None where there is none."""
    number = _in_unit_of(value, unit)
    return None if number is None else Quantity(context.plus(number), unit.unit, unit.calendar)
