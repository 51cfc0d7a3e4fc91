"""FHIRPath N1 (2.0.0), 5.7 "Math". Decimals throughout, never binary floating point."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, DecimalException
from typing import Any

from mpftconnect.validation.fhirpath.functions.registry import Call, value_function
from mpftconnect.validation.fhirpath.items import ARITHMETIC
from mpftconnect.validation.fhirpath.quantity import Quantity

__all__: list[str] = []

# What is worked out with 34 digits is given with 28 (N1, 4.1.4), so that 16.log(2) is 4.
_GIVEN = Context(prec=28, Emax=9999, Emin=-9999)


def _number(call: Call, value: Any) -> Decimal:
    if value.__class__ not in (int, Decimal):
        raise call.fault(f"{call.name}() takes numbers")
    return Decimal(value)


def _worked(call: Call, work: Callable[[Decimal], Decimal], value: Any) -> Decimal | None:
    """A result rounded to what is given; None where there is none (5.7: empty if it cannot be represented)."""
    number = _number(call, value)
    try:
        return _GIVEN.plus(work(number))
    except (DecimalException, OverflowError):
        return None


def _integer(call: Call, value: Any, rounding: str) -> int | Decimal | None:
    number = _number(call, value)
    try:
        whole = number.to_integral_value(rounding=rounding)
    except DecimalException:
        return None
    return int(whole) if abs(whole) < 2**31 else whole


@value_function("abs")
def _abs(call: Call, value: Any) -> Any:
    if value.__class__ is Quantity:
        return Quantity(abs(value.value), value.unit, value.calendar)
    _number(call, value)
    return abs(value)


@value_function("ceiling")
def _ceiling(call: Call, value: Any) -> int | Decimal | None:
    return _integer(call, value, ROUND_CEILING)


@value_function("floor")
def _floor(call: Call, value: Any) -> int | Decimal | None:
    return _integer(call, value, ROUND_FLOOR)


@value_function("truncate")
def _truncate(call: Call, value: Any) -> int | Decimal | None:
    return _integer(call, value, ROUND_DOWN)


@value_function("exp", type="System.Decimal")
def _exp(call: Call, value: Any) -> Decimal | None:
    return _worked(call, ARITHMETIC.exp, value)


@value_function("ln", type="System.Decimal")
def _ln(call: Call, value: Any) -> Decimal | None:
    return _worked(call, ARITHMETIC.ln, value) if _number(call, value) > 0 else None


@value_function("log", 1, type="System.Decimal")
def _log(call: Call, value: Any, base: Any) -> Decimal | None:
    number, to_base = _number(call, value), _number(call, base)
    if number <= 0 or to_base <= 0 or to_base == 1:
        return None
    return _worked(call, lambda each: ARITHMETIC.divide(ARITHMETIC.ln(each), ARITHMETIC.ln(to_base)), value)


@value_function("sqrt", type="System.Decimal")
def _sqrt(call: Call, value: Any) -> Decimal | None:
    return _worked(call, ARITHMETIC.sqrt, value) if _number(call, value) >= 0 else None


@value_function("power", 1)
def _power(call: Call, value: Any, exponent: Any) -> int | Decimal | None:
    to = _number(call, exponent)
    found = _worked(call, lambda each: ARITHMETIC.power(each, to), value)
    if found is not None and value.__class__ is int and exponent.__class__ is int and exponent >= 0:
        return int(found) if abs(found) < 2**31 else None
    return found


@value_function("round", 0, 1, type="System.Decimal")
def _round(call: Call, value: Any, places: Any) -> Any:
    number = _number(call, value)
    if places is not None and (places.__class__ is not int or not 0 <= places <= 28):
        raise call.fault("round() takes 0 to 28 decimals")
    try:
        return number.quantize(Decimal(1).scaleb(-(places or 0)), ROUND_HALF_UP)
    except DecimalException:
        return number
