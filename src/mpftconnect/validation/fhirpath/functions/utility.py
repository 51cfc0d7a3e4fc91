"""FHIRPath N1 (2.0.0), 5.9 "Utility functions" and 6.5.3 `not()`."""

from __future__ import annotations

from typing import Any

from mpftconnect.validation.fhirpath.code import Code
from mpftconnect.validation.fhirpath.functions.registry import Call, function, value_function
from mpftconnect.validation.fhirpath.items import Items, Scope, as_quantity
from mpftconnect.validation.fhirpath.quantity import comparable
from mpftconnect.validation.fhirpath.temporal import read_date, read_date_time, read_time

__all__: list[str] = []


@function("not")
def _not(call: Call) -> Code:
    truth = call.source.truth

    def negation(this: Any, scope: Scope) -> bool | None:
        told = truth(this, scope)
        return None if told is None else not told

    return Code(truth=negation, position=call.position)


@function("trace", 1, 2)
def _trace(call: Call) -> Code:
    """The source as it is. Nothing is written anywhere: what it holds may be a patient's."""
    if call.given(1):
        call.each(1)
    call.value(0)
    return call.source


def _register_clock(name: str, kind: str, read: Any, part: slice) -> None:
    @function(name)
    def build(call: Call) -> Code:
        def items(this: Any, scope: Scope) -> Items:
            return (read(scope.now().isoformat(timespec="milliseconds")[part]),)

        return Code(items, type=kind, position=call.position)


_register_clock("now", "System.DateTime", read_date_time, slice(None))
_register_clock("today", "System.Date", read_date, slice(10))
_register_clock("timeOfDay", "System.Time", read_time, slice(11, 23))


@value_function("comparable", 1, type="System.Boolean")
def _comparable(call: Call, value: Any, other: Any) -> bool:
    first, second = as_quantity(value, None), as_quantity(other, None)
    if first is None or second is None:
        raise call.fault("comparable() takes quantities")
    return comparable(first, second)
