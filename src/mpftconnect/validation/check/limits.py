"""Least and greatest values: numbers, dates to the precision that both have, and quantities by their units."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from mpftconnect.validation.terminology.code_systems import UCUM
from mpftconnect.validation.terminology.ucum import comparable, read_unit

__all__ = ["compare"]

_LARGEST_EXPONENT = 1000


def compare(value: Any, limit: Any) -> int | None:
    """-1, 0 or 1 as the value is under, at or over the limit; None where they cannot be compared."""
    if isinstance(value, dict) and isinstance(limit, dict):
        return _quantities(value, limit)
    if isinstance(value, bool) or isinstance(limit, bool):
        return None
    numbers = (int, float, Decimal)
    if isinstance(value, numbers) and isinstance(limit, numbers):
        left, right = Decimal(str(value)), Decimal(str(limit))
        return (left > right) - (left < right)
    if isinstance(value, str) and isinstance(limit, str):
        return _texts(value, limit)
    return None


def _texts(value: str, limit: str) -> int | None:
    """Dates, dateTimes and times compare as text up to the precision that both have; zones are taken out first."""
    if "T" in value and "T" in limit and (value[-1] != "Z" or limit[-1] != "Z"):
        left, right = _moment(value), _moment(limit)
        if left is not None and right is not None:
            return (left > right) - (left < right)
    size = min(len(value), len(limit), 10 if "-" in value and "T" not in value + limit else 1000)
    left_text, right_text = value[:size], limit[:size]
    if left_text == right_text:
        return 0
    return (left_text > right_text) - (left_text < right_text)


def _moment(text: str) -> float | None:
    import datetime

    try:
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return None


def _quantities(value: dict[str, Any], limit: dict[str, Any]) -> int | None:
    left, right = value.get("value"), limit.get("value")
    numbers = (int, float, Decimal)
    if (
        not isinstance(left, numbers)
        or not isinstance(right, numbers)
        or isinstance(left, bool)
        or isinstance(right, bool)
    ):
        return None
    first, second = Decimal(str(left)), Decimal(str(right))
    if any(abs(number.adjusted()) > _LARGEST_EXPONENT for number in (first, second) if number):
        # Written out, 1e999999999 takes a gigabyte.
        if value.get("system") == limit.get("system") and value.get("code") == limit.get("code"):
            return (first > second) - (first < second)
        return None
    a, b = Fraction(first), Fraction(second)
    if value.get("system") != limit.get("system") or value.get("code") != limit.get("code"):
        if value.get("system") != UCUM or limit.get("system") != UCUM:
            return None
        unit_a, unit_b = read_unit(str(value.get("code"))), read_unit(str(limit.get("code")))
        if unit_a is None or unit_b is None or not comparable(unit_a, unit_b):
            return None
        a, b = a * unit_a.factor, b * unit_b.factor
    return (a > b) - (a < b)
