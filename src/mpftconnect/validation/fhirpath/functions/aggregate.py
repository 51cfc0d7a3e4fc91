"""FHIRPath N1 (2.0.0), 7 "Aggregates"."""

from __future__ import annotations

from typing import Any

from mpftconnect.validation.fhirpath.code import Code
from mpftconnect.validation.fhirpath.functions.registry import Call, function, numbered
from mpftconnect.validation.fhirpath.items import EMPTY, Items, Scope

__all__: list[str] = []


@function("aggregate", 1, 2)
def _aggregate(call: Call) -> Code:
    items, work = call.source.items, call.each(0).items
    start = call.value(1).items if call.given(1) else None

    def total(this: Any, scope: Scope) -> Items:
        found = items(this, scope)
        scope.spend(len(found))
        before = scope.total
        result = start(this, scope) if start is not None else EMPTY
        try:
            for item in numbered(found, scope):
                scope.total = result
                result = work(item, scope)
                scope.spend(len(result))
        finally:
            scope.total = before
        return result

    return Code(total, position=call.position)
