"""Equality and patterns, as FHIR's `fixed[x]` and `pattern[x]` mean them.

FHIR R4 ElementDefinition: `fixed[x]` is exact, including what is absent; `pattern[x]` demands only what it
says, each item of a list by some item of the value's list.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

__all__ = ["equal", "fits"]


def _scalar(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    numbers = (int, float, Decimal)
    if isinstance(left, numbers) and isinstance(right, numbers):
        return Decimal(str(left)) == Decimal(str(right))
    return bool(left == right)


def equal(value: Any, fixed: Any) -> bool:
    """Whether a value is exactly the fixed one; ids and the values' own extensions are compared too."""
    if isinstance(fixed, dict):
        if not isinstance(value, dict) or len(value) != len(fixed):
            return False
        return all(key in value and equal(value[key], fixed[key]) for key in fixed)
    if isinstance(fixed, list):
        return isinstance(value, list) and len(value) == len(fixed) and all(map(equal, value, fixed))
    return not isinstance(value, dict | list) and _scalar(value, fixed)


def fits(value: Any, pattern: Any) -> bool:
    """Whether a value has all that the pattern says.

    >>> fits({"coding": [{"system": "a", "code": "1"}, {"system": "b"}]}, {"coding": [{"system": "b"}]})
    True
    """
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(key in value and fits(value[key], pattern[key]) for key in pattern)
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(fits(item, wanted) for item in value) for wanted in pattern)
    return not isinstance(value, dict | list) and _scalar(value, pattern)
