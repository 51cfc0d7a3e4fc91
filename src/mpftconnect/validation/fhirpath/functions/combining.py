"""FHIRPath N1 (2.0.0), 5.4 "Combining"."""

from __future__ import annotations

from typing import Any

from mpftconnect.validation.fhirpath.code import Code, same_kind
from mpftconnect.validation.fhirpath.functions.registry import Call, function
from mpftconnect.validation.fhirpath.items import Item, Items, Scope
from mpftconnect.validation.fhirpath.operators import union

__all__: list[str] = []


@function("union", 1)
def _union(call: Call) -> Code:
    return union([call.source, call.value(0)], call.position)


@function("combine", 1, 2)
def _combine(call: Call) -> Code:
    """Repeats are kept. The second argument of later drafts (keep the order) changes nothing: the order is kept."""
    kind, fetches = same_kind([call.source, call.value(0)])

    def combined(this: Any, scope: Scope) -> Items:
        gathered: list[Item] = []
        for fetch in fetches:
            gathered += fetch(this, scope)
        scope.spend(len(gathered))
        return gathered

    return Code(combined, type=kind, ordered=False, position=call.position)
