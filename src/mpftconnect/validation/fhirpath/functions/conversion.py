"""FHIRPath N1 (2.0.0), 5.5 "Conversion"."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from mpftconnect.validation.fhirpath.code import Code, one, same_kind
from mpftconnect.validation.fhirpath.functions.registry import Call, function
from mpftconnect.validation.fhirpath.items import ARITHMETIC, EMPTY, Items, Scope, as_quantity, limited, text_of
from mpftconnect.validation.fhirpath.quantity import CALENDAR_UNITS, Quantity, comparable, converted
from mpftconnect.validation.fhirpath.temporal import Date, DateTime, Time, read_date, read_date_time, read_time

__all__: list[str] = []

_TRUE = frozenset(("true", "t", "yes", "y", "1", "1.0"))
_FALSE = frozenset(("false", "f", "no", "n", "0", "0.0"))
_INTEGER = re.compile(r"[+-]?\d{1,10}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?\d{1,400}(?:\.\d{1,400})?", re.ASCII)
_QUANTITY = re.compile(r"([+-]?\d{1,400}(?:\.\d{1,400})?)\s*(?:'([^']+)'|([a-z]+))?", re.ASCII)


@function("iif", 2, 3)
def _iif(call: Call) -> Code:
    """The criterion and the chosen result see the one item of the source as `$this`."""
    source = call.source.items
    criterion = call.each(0)
    if call.compiler.strict and criterion.type not in (None, "System.Boolean", "boolean"):
        raise call.fault("iif() takes a boolean first")
    chosen = [call.each(at) for at in range(1, len(call.arguments))]
    kind, fetches = same_kind(chosen)
    truth = criterion.truth
    otherwise = fetches[1] if len(fetches) > 1 else None

    def result(this: Any, scope: Scope) -> Items:
        found = source(this, scope)
        if len(found) > 1:
            raise call.fault("iif() takes one item")
        item = found[0] if found else None
        if truth(item, scope) is True:
            return fetches[0](item, scope)
        return otherwise(item, scope) if otherwise is not None else EMPTY

    return Code(result, type=kind, position=call.position)


def to_boolean(value: Any) -> bool | None:
    if value.__class__ is bool:
        return value
    if value.__class__ in (int, Decimal):
        return False if value == 0 else True if value == 1 else None
    if value.__class__ is str:
        word = value.lower()
        return True if word in _TRUE else False if word in _FALSE else None
    return None


def to_integer(value: Any) -> int | None:
    if value.__class__ is int:
        return value
    if value.__class__ is bool:
        return int(value)
    if value.__class__ is str and _INTEGER.fullmatch(value):
        number = int(value)
        return number if -(2**31) <= number < 2**31 else None
    return None


def to_decimal(value: Any) -> Decimal | None:
    if value.__class__ is Decimal:
        return value
    if value.__class__ in (int, bool):
        return Decimal(value)
    if value.__class__ is str and _DECIMAL.fullmatch(value):
        return Decimal(value)
    return None


def to_text(value: Any) -> str | None:
    found = text_of(value)
    return None if found is None else limited(found)


def to_date(value: Any) -> Date | None:
    if value.__class__ is Date:
        return value
    if value.__class__ is DateTime:
        return read_date(value.text[:10])
    return read_date(value) if value.__class__ is str else None


def to_date_time(value: Any) -> DateTime | None:
    if value.__class__ is DateTime:
        return value
    if value.__class__ is Date:
        return DateTime(value.text, value.parts, None)
    return read_date_time(value) if value.__class__ is str else None


def to_time(value: Any) -> Time | None:
    if value.__class__ is Time:
        return value
    return read_time(value.removeprefix("T")) if value.__class__ is str else None


def to_quantity(value: Any) -> Quantity | None:
    if value.__class__ is bool:
        return Quantity(Decimal(int(value)), "1")
    if value.__class__ is not str:
        return as_quantity(value, None)
    found = _QUANTITY.fullmatch(value)
    if found is None:
        return None
    number, unit, word = found.groups()
    if word is None:
        return Quantity(Decimal(number), unit or "1")
    return Quantity(Decimal(number), CALENDAR_UNITS[word], calendar=True) if word in CALENDAR_UNITS else None


def _register(name: str, convert: Callable[[Any], Any]) -> None:
    kind = f"System.{name}"
    with_unit = 1 if name == "Quantity" else 0

    def conversion(call: Call) -> Callable[[Any, Scope], Any]:
        value = one(call.source)
        unit = one(call.value(0)) if call.given(0) else None

        def converted_value(this: Any, scope: Scope) -> Any:
            found = value(this, scope)
            if found is None:
                return None
            found = convert(found)
            if unit is None or found is None:
                return (found,)
            wanted = unit(this, scope)
            if wanted.__class__ is not str:
                return None
            target = Quantity(Decimal(1), CALENDAR_UNITS.get(wanted, wanted), wanted in CALENDAR_UNITS)
            return (converted(found, target, ARITHMETIC) if comparable(found, target) else None,)

        return converted_value

    @function(f"to{name}", 0, with_unit)
    def to(call: Call) -> Code:
        convert_one = conversion(call)

        def items(this: Any, scope: Scope) -> Items:
            found = convert_one(this, scope)
            return EMPTY if found is None or found[0] is None else found

        return Code(items, type=kind, position=call.position)

    @function(f"convertsTo{name}", 0, with_unit)
    def converts(call: Call) -> Code:
        convert_one = conversion(call)

        def truth(this: Any, scope: Scope) -> bool | None:
            found = convert_one(this, scope)
            return None if found is None else found[0] is not None

        return Code(truth=truth, position=call.position)


for _name, _convert in (
    ("Boolean", to_boolean),
    ("Integer", to_integer),
    ("Decimal", to_decimal),
    ("String", to_text),
    ("Date", to_date),
    ("DateTime", to_date_time),
    ("Time", to_time),
    ("Quantity", to_quantity),
):
    _register(_name, _convert)
