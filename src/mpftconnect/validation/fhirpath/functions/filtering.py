"""FHIRPath N1 (2.0.0), 5.2 "Filtering and projection", and 5.8 "Tree navigation"."""

from __future__ import annotations

from typing import Any

from mpftconnect.validation.fhirpath.code import Code, Fetch, labelled
from mpftconnect.validation.fhirpath.functions.registry import Call, function, numbered
from mpftconnect.validation.fhirpath.items import EMPTY, Item, Items, Scope, key_of
from mpftconnect.validation.fhirpath.paths import children_of

__all__: list[str] = []


@function("where", 1)
def _where(call: Call) -> Code:
    items, criteria, indexed = call.source.items, call.each(0).truth, call.indexed(0)

    def chosen(this: Any, scope: Scope) -> Items:
        found = items(this, scope)
        if not found:
            return EMPTY
        scope.spend(len(found))
        each = numbered(found, scope) if indexed else found
        return [item for item in each if criteria(item, scope) is True]

    def exists(this: Any, scope: Scope) -> bool:
        found = items(this, scope)
        scope.spend(len(found))
        return any(criteria(item, scope) is True for item in found)

    return Code(
        chosen,
        exists=None if indexed else exists,
        type=call.source.type,
        ordered=call.source.ordered,
        position=call.position,
    )


@function("select", 1)
def _select(call: Call) -> Code:
    items, projection, indexed = call.source.items, call.each(0), call.indexed(0)
    project = projection.items

    def projected(this: Any, scope: Scope) -> Items:
        found = items(this, scope)
        if not found:
            return EMPTY
        scope.spend(len(found))
        gathered: list[Item] = []
        for item in numbered(found, scope) if indexed else found:
            part = project(item, scope)
            if len(part) > 1:
                scope.spend(len(part))
            gathered += part
        return gathered

    ordered = call.source.ordered and projection.ordered
    return Code(projected, type=projection.type, ordered=ordered, position=call.position)


def _projections(call: Call) -> tuple[Fetch, Fetch, Fetch, str | None]:
    """For `repeat`: the source, the projection of its items, that of what comes of them, and their type."""
    first = call.each(0)
    if first.type is not None:
        again = call.compiler.compile(call.arguments[0], first.type)
        if again.type == first.type:
            return call.source.items, first.items, again.items, first.type
    untyped = call.compiler.compile(call.arguments[0], None)
    return labelled(call.source), labelled(untyped), labelled(untyped), untyped.type


@function("repeat", 1)
def _repeat(call: Call) -> Code:
    """Each item once, so a cycle ends. `repeatAll` would keep repeats, and is not in N1."""
    items, project, again, kind = _projections(call)

    def repeated(this: Any, scope: Scope) -> Items:
        found: dict[Any, Item] = {}
        waiting: list[Item] = []
        for item in items(this, scope):
            waiting += project(item, scope)
        scope.spend(len(waiting))
        at = 0
        while at < len(waiting):
            item = waiting[at]
            at += 1
            key = key_of(item, kind)
            if key not in found:
                found[key] = item
                more = again(item, scope)
                scope.spend(1 + len(more))
                waiting += more
        return list(found.values())

    return Code(repeated, type=kind, position=call.position)


@function("children")
def _children(call: Call) -> Code:
    items, children = call.source.items, children_of(call.types, call.source.type)

    def found(this: Any, scope: Scope) -> Items:
        gathered: list[Item] = []
        for item in items(this, scope):
            gathered += children(item)
        scope.spend(len(gathered))
        return gathered

    return Code(found, ordered=False, position=call.position)


@function("descendants")
def _descendants(call: Call) -> Code:
    items = call.source.items
    children, below = children_of(call.types, call.source.type), children_of(call.types, None)

    def found(this: Any, scope: Scope) -> Items:
        gathered: list[Item] = []
        for item in items(this, scope):
            waiting = children(item)[::-1]
            while waiting:
                scope.spend(1)
                descendant = waiting.pop()
                gathered.append(descendant)
                waiting += reversed(below(descendant))
        return gathered

    return Code(found, ordered=False, position=call.position)
