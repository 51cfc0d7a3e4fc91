"""FHIRPath N1 (2.0.0), 5.3 "Subsetting", and the sorting that the official suite has of later drafts."""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any

from mpftconnect.validation.fhirpath.code import Code, one
from mpftconnect.validation.fhirpath.functions.registry import Call, function
from mpftconnect.validation.fhirpath.items import EMPTY, Items, Scope, key_of, plain
from mpftconnect.validation.fhirpath.operators import distinct, order_of
from mpftconnect.validation.fhirpath.syntax import Unary

__all__: list[str] = []


@function("single")
def _single(call: Call) -> Code:
    items = call.source.items

    def single(this: Any, scope: Scope) -> Items:
        found = items(this, scope)
        if len(found) > 1:
            raise call.fault("single() found several items")
        return found

    return Code(single, type=call.source.type, position=call.position)


def _part(call: Call, start: int | None, stop: int | None) -> Code:
    items = call.source.items
    part = slice(start, stop)
    return Code(lambda this, scope: items(this, scope)[part], type=call.source.type, position=call.position)


@function("first", needs_order=True)
def _first(call: Call) -> Code:
    return _part(call, None, 1)


@function("last", needs_order=True)
def _last(call: Call) -> Code:
    return _part(call, -1, None)


@function("tail", needs_order=True)
def _tail(call: Call) -> Code:
    return _part(call, 1, None)


def _counted(call: Call, *, keep: bool) -> Code:
    items, number = call.source.items, one(call.value(0))

    def part(this: Any, scope: Scope) -> Items:
        count = number(this, scope)
        if count.__class__ is not int:
            raise call.fault(f"{call.name}() takes a whole number")
        count = max(count, 0)
        return items(this, scope)[:count] if keep else items(this, scope)[count:]

    return Code(part, type=call.source.type, position=call.position)


@function("skip", 1, needs_order=True)
def _skip(call: Call) -> Code:
    return _counted(call, keep=False)


@function("take", 1, needs_order=True)
def _take(call: Call) -> Code:
    return _counted(call, keep=True)


@function("intersect", 1)
def _intersect(call: Call) -> Code:
    items, kind, other = call.source.items, call.source.type, call.value(0)
    others, other_kind = other.items, other.type

    def common(this: Any, scope: Scope) -> Items:
        found = items(this, scope)
        if not found:
            return EMPTY
        rest = others(this, scope)
        scope.spend(len(found) + len(rest))
        keys = {key_of(item, other_kind) for item in rest}
        return distinct([item for item in found if key_of(item, kind) in keys], kind, scope)

    return Code(common, type=kind, ordered=False, position=call.position)


@function("exclude", 1)
def _exclude(call: Call) -> Code:
    items, kind, other = call.source.items, call.source.type, call.value(0)
    others, other_kind = other.items, other.type

    def rest(this: Any, scope: Scope) -> Items:
        found = items(this, scope)
        gone = others(this, scope)
        scope.spend(len(found) + len(gone))
        keys = {key_of(item, other_kind) for item in gone}
        return [item for item in found if key_of(item, kind) not in keys]

    return Code(rest, type=kind, ordered=call.source.ordered, position=call.position)


@function("sort", 0, 99)
def _sort(call: Call) -> Code:
    """By the items or by keys; `-key` turns one round. What has no key comes last, or first if turned round."""
    items, kind = call.source.items, call.source.type
    keys = []
    for written in call.arguments:
        turned = isinstance(written, Unary) and written.operator == "-"
        node = written.operand if isinstance(written, Unary) and turned else written
        code = call.compiler.compile(node, kind)
        keys.append((one(code), code.type, -1 if turned else 1))

    signs = [(key_kind, sign) for _, key_kind, sign in keys] or [(kind, 1)]

    def compared(left: Any, right: Any) -> int:
        for one_key, other, (key_kind, sign) in zip(left[1], right[1], signs, strict=True):
            if one_key is None or other is None:
                order: int | None = (one_key is None) - (other is None)
            else:
                order = order_of(one_key, key_kind, other, key_kind, call.position)
            if order:
                return order * sign
        return 0

    def ordered(this: Any, scope: Scope) -> Items:
        found = items(this, scope)
        scope.spend(len(found) * max(1, len(found).bit_length()))
        if keys:
            pairs = [(item, [key(item, scope) for key, _, _ in keys]) for item in found]
        else:
            pairs = [(item, [plain(item, kind)]) for item in found]
        return [item for item, _ in sorted(pairs, key=cmp_to_key(compared))]

    return Code(ordered, type=kind, position=call.position)
