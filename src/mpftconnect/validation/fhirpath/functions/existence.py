"""FHIRPath N1 (2.0.0), 5.1 "Existence"."""

from __future__ import annotations

from typing import Any

from mpftconnect.validation.fhirpath.code import Code, Fetch
from mpftconnect.validation.fhirpath.functions.registry import Call, function, numbered
from mpftconnect.validation.fhirpath.items import Item, Node, Scope, key_of
from mpftconnect.validation.fhirpath.operators import distinct
from mpftconnect.validation.fhirpath.paths import children_of
from mpftconnect.validation.fhirpath.syntax import Function

__all__: list[str] = []


@function("empty")
def _empty(call: Call) -> Code:
    exists = call.source.exists
    return Code(truth=lambda this, scope: not exists(this, scope), position=call.position)


@function("exists", 0, 1)
def _exists(call: Call) -> Code:
    if not call.given(0):
        return Code(truth=call.source.exists, position=call.position)
    items, criteria, indexed = call.source.items, call.each(0).truth, call.indexed(0)

    def truth(this: Any, scope: Scope) -> bool:
        found = items(this, scope)
        scope.spend(len(found))
        each = numbered(found, scope) if indexed else found
        return any(criteria(item, scope) is True for item in each)

    return Code(truth=truth, position=call.position)


@function("all", 1)
def _all(call: Call) -> Code:
    items, criteria, indexed = call.source.items, call.each(0).truth, call.indexed(0)

    def truth(this: Any, scope: Scope) -> bool:
        found = items(this, scope)
        scope.spend(len(found))
        each = numbered(found, scope) if indexed else found
        return all(criteria(item, scope) is True for item in each)

    return Code(truth=truth, position=call.position)


def _register_truths(name: str, wanted: bool, decides: bool) -> None:
    @function(name)
    def build(call: Call) -> Code:
        items = call.source.items

        def truth(this: Any, scope: Scope) -> bool:
            told = []
            for item in items(this, scope):
                value = item.value if item.__class__ is Node else item
                if value.__class__ is not bool:
                    raise call.fault(f"{name}() takes booleans")
                told.append(value is wanted)
            return any(told) if decides else all(told)

        return Code(truth=truth, position=call.position)


_register_truths("allTrue", wanted=True, decides=False)
_register_truths("anyTrue", wanted=True, decides=True)
_register_truths("allFalse", wanted=False, decides=False)
_register_truths("anyFalse", wanted=False, decides=True)


def _within(small: Fetch, small_kind: str | None, large: Fetch, large_kind: str | None, call: Call) -> Code:
    def truth(this: Any, scope: Scope) -> bool:
        items = small(this, scope)
        if not items:
            return True
        others = large(this, scope)
        scope.spend(len(items) + len(others))
        keys = {key_of(other, large_kind) for other in others}
        return all(key_of(item, small_kind) in keys for item in items)

    return Code(truth=truth, position=call.position)


@function("subsetOf", 1)
def _subset_of(call: Call) -> Code:
    other = call.value(0)
    return _within(call.source.items, call.source.type, other.items, other.type, call)


@function("supersetOf", 1)
def _superset_of(call: Call) -> Code:
    other = call.value(0)
    return _within(other.items, other.type, call.source.items, call.source.type, call)


@function("count")
def _count(call: Call) -> Code:
    match call.written_source:
        case Function(source=None, name="children", arguments=()):
            # What ele-1 asks of every element: the items are counted and not made.
            children = children_of(call.types, call.this)
            return Code(lambda this, scope: (_number_of_children(this, children),), type="System.Integer")
    items = call.source.items
    return Code(lambda this, scope: (len(items(this, scope)),), type="System.Integer", position=call.position)


def _number_of_children(this: Item, children: Any) -> int:
    if this.__class__ is not dict:
        return len(children(this))
    count = 0
    for member, value in this.items():
        if member[:1] == "_" or "_" + member in this:
            return len(children(this))
        if member != "resourceType" and value is not None:
            count += sum(each is not None for each in value) if value.__class__ is list else 1
    return count


@function("distinct")
def _distinct(call: Call) -> Code:
    items, kind = call.source.items, call.source.type
    return Code(
        lambda this, scope: distinct(items(this, scope), kind, scope), type=kind, ordered=False, position=call.position
    )


@function("isDistinct")
def _is_distinct(call: Call) -> Code:
    items, kind = call.source.items, call.source.type

    def truth(this: Any, scope: Scope) -> bool:
        found = items(this, scope)
        if len(found) < 2:
            return True
        scope.spend(len(found))
        return len({key_of(item, kind) for item in found}) == len(found)

    return Code(truth=truth, position=call.position)
