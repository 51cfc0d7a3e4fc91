"""Going from items to the elements that they hold.

Where the type of the items is known, a step is one look-up of a JSON member. Where it is not, the step asks each item.

Source:
    FHIRPath N1 (2.0.0), 4.2 "Path selection"; FHIR R4 (4.0.1), 2.6.2 "JSON representation" (`_name`, `value[x]`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mpftconnect.validation.fhirpath.code import Code
from mpftconnect.validation.fhirpath.items import EMPTY, Item, Items, Node, Scope, plain_type
from mpftconnect.validation.fhirpath.types import ABSTRACT, Element, Types

__all__ = ["children_of", "is_primitive", "step", "step_by_instance", "type_of"]

# Beyond this many types of a choice it is quicker to look at the members that there are than for each that might be.
_MANY_TYPES = 6


def is_primitive(kind: str) -> bool:
    """FHIR's primitive types begin with a small letter, its complex ones with a capital."""
    return kind[:1].islower() and "." not in kind


def type_of(item: Item, kind: str | None) -> str | None:
    """The type of an item: what it carries, what a resource says of itself, or what the expression told."""
    if item.__class__ is Node:
        kind, item = item.type, item.value
    if item.__class__ is dict:
        if kind is None or kind in ABSTRACT:
            stated = item.get("resourceType")
            return stated if stated.__class__ is str else kind
        return kind
    return kind if kind is not None else plain_type(item)


def _primitive_items(value: Any, beside: Any, kind: str) -> Items:
    """The items of a primitive whose extensions stand beside it."""
    if beside.__class__ is not list and value.__class__ is not list:
        element = beside if beside.__class__ is dict and beside else None
        return EMPTY if value is None and element is None else (Node(value, kind, element),)
    values = value if value.__class__ is list else [] if value is None else [value]
    elements = beside if beside.__class__ is list else [beside]
    found = []
    for at in range(max(len(values), len(elements))):
        one = values[at] if at < len(values) else None
        element = elements[at] if at < len(elements) and elements[at].__class__ is dict and elements[at] else None
        if one is not None or element is not None:
            found.append(Node(one, kind, element))
    return found


def _present(value: Any) -> bool:
    """Whether a JSON member holds any item: null and an empty array hold none."""
    if value.__class__ is list:
        return any(each is not None for each in value)
    return value is not None


def step(source: Code | None, element: Element, position: int) -> Code:
    """The code for one element of items whose type is known; `source` None means `$this`."""
    if element.choice:
        return _choice(source, element, position)
    member, kind = element.members[0]
    return _plain_step(source, member, kind, position)


def _plain_step(source: Code | None, member: str, kind: str, position: int) -> Code:
    if is_primitive(kind):
        return _primitive_step(source, member, kind, position)
    if source is None:

        def of_this(this: Any, scope: Scope) -> Items:
            value = this.get(member) if this.__class__ is dict else None
            if value.__class__ is list:
                return value if None not in value else [each for each in value if each is not None]
            return EMPTY if value is None else (value,)

        def exists(this: Any, scope: Scope) -> bool:
            value = this.get(member) if this.__class__ is dict else None
            return value is not None and (value.__class__ is not list or _present(value))

        return Code(of_this, exists=exists, type=kind, position=position)
    items = source.items

    def of_items(this: Any, scope: Scope) -> Items:
        found: list[Item] = []
        for item in items(this, scope):
            value = item.get(member) if item.__class__ is dict else None
            if value is not None:
                if value.__class__ is list:
                    found += value if None not in value else [each for each in value if each is not None]
                else:
                    found.append(value)
        return found

    return Code(of_items, type=kind, ordered=source.ordered, position=position)


def _primitive_step(source: Code | None, member: str, kind: str, position: int) -> Code:
    beside = "_" + member
    if source is None:

        def of_this(this: Any, scope: Scope) -> Items:
            if this.__class__ is not dict:
                return EMPTY
            value = this.get(member)
            if beside in this:
                return _primitive_items(value, this[beside], kind)
            if value.__class__ is list:
                return value if None not in value else [each for each in value if each is not None]
            return EMPTY if value is None else (value,)

        def exists(this: Any, scope: Scope) -> bool:
            if this.__class__ is not dict:
                return False
            value = this.get(member)
            return (value is not None and (value.__class__ is not list or _present(value))) or (
                beside in this and bool(_primitive_items(value, this[beside], kind))
            )

        return Code(of_this, exists=exists, type=kind, position=position)
    items = source.items

    def of_items(this: Any, scope: Scope) -> Items:
        found: list[Item] = []
        for item in items(this, scope):
            if item.__class__ is not dict:
                continue
            value = item.get(member)
            if beside in item:
                found += _primitive_items(value, item[beside], kind)
            elif value.__class__ is list:
                found += value if None not in value else [each for each in value if each is not None]
            elif value is not None:
                found.append(value)
        return found

    return Code(of_items, type=kind, ordered=source.ordered, position=position)


def _choice(source: Code | None, element: Element, position: int) -> Code:
    kinds = dict(element.members)
    names = frozenset(kinds) | {"_" + member for member in kinds}
    few = element.members if len(element.members) <= _MANY_TYPES else None

    def of_item(item: Item) -> Items:
        if item.__class__ is not dict or names.isdisjoint(item):
            return EMPTY
        found: list[Item] = []
        members = few or [(member, kinds[member]) for member in _named(item, kinds)]
        for member, kind in members:
            found += _typed(item, member, kind)
        return found

    def exists(this: Any, scope: Scope) -> bool:
        if this.__class__ is not dict or names.isdisjoint(this):
            return False
        return any(_present(this[name]) for name in this if name in kinds) or bool(of_item(this))

    def narrow(kind: str) -> Code | None:
        member = next((member for member, each in element.members if each == kind), None)
        return None if member is None else _plain_step(source, member, kind, position)

    if source is None:
        return Code(lambda this, scope: of_item(this), exists=exists, narrow=narrow, position=position)
    items = source.items

    def of_items(this: Any, scope: Scope) -> Items:
        found: list[Item] = []
        for item in items(this, scope):
            found += of_item(item)
        return found

    return Code(of_items, ordered=source.ordered, narrow=narrow, position=position)


def _named(item: dict[str, Any], kinds: dict[str, str]) -> Iterator[str]:
    for name in item:
        if name in kinds:
            yield name
        elif name[:1] == "_" and name[1:] in kinds and name[1:] not in item:
            yield name[1:]


def _typed(item: dict[str, Any], member: str, kind: str) -> Items:
    """The items of one JSON member, each carrying its type."""
    value = item.get(member)
    if is_primitive(kind):
        beside = item.get("_" + member)
        return EMPTY if value is None and beside is None else _primitive_items(value, beside, kind)
    if value.__class__ is list:
        return [Node(each, kind) for each in value if each is not None]
    return EMPTY if value is None else (Node(value, kind),)


def step_by_instance(source: Code | None, name: str, types: Types, position: int) -> Code:
    """The code for one element of items whose types are known only when they are there."""
    known = source.type if source is not None else None
    plans: dict[str, tuple[tuple[str, str], ...] | None] = {}

    def plan(kind: str) -> tuple[tuple[str, str], ...] | None:
        if kind not in plans:
            element = types.element(kind, name) if types.known(kind) else None
            plans[kind] = element.members if element is not None else () if types.known(kind) else None
        return plans[kind]

    def of_item(item: Item) -> Items:
        kind, element = type_of(item, known), None
        if item.__class__ is Node:
            item, element = item.value, item.element
        if item.__class__ is not dict:
            if element is None or name not in ("extension", "id"):
                return EMPTY
            return _typed(dict(element), name, "Extension" if name == "extension" else "string")
        members = plan(kind) if kind is not None else None
        if members is None:
            return _untyped(item, name)
        if len(members) == 1:
            return _typed(item, *members[0])
        found: list[Item] = []
        for member, each in members:
            if member in item or "_" + member in item:
                found += _typed(item, member, each)
        return found

    if source is None:
        return Code(lambda this, scope: of_item(this), position=position)
    items = source.items

    def of_items(this: Any, scope: Scope) -> Items:
        found: list[Item] = []
        for item in items(this, scope):
            found += of_item(item)
        return found

    return Code(of_items, ordered=source.ordered, position=position)


def _untyped(item: dict[str, Any], name: str) -> Items:
    """A member of an object of which nothing is known: by its name alone."""
    value = item.get(name)
    if "_" + name in item:
        return [Node(each.value, None, each.element) for each in _primitive_items(value, item["_" + name], "")]
    if value.__class__ is list:
        return [each for each in value if each is not None]
    return EMPTY if value is None else (value,)


def children_of(types: Types, known: str | None) -> Callable[[Item], list[Item]]:
    """A function that gives the items directly in an item, each carrying its type (N1, 5.8.1 `children`)."""

    def children(item: Item) -> list[Item]:
        kind = type_of(item, known)
        if item.__class__ is Node:
            element, item = item.element, item.value
            if item.__class__ is not dict:
                item, kind = element, "Element"
        if item.__class__ is not dict:
            return []
        members = types.members(kind) if kind is not None else {}
        found: list[Item] = []
        for member, value in item.items():
            if member == "resourceType" or (member[:1] == "_" and member[1:] in item):
                continue
            member = member[1:] if member[:1] == "_" else member
            stated = members.get(member)
            if stated is not None:
                found += _typed(item, member, stated[1])
            elif "_" + member in item:
                found += [Node(each.value, None, each.element) for each in _untyped(item, member)]
            else:
                found += [
                    Node(each, None) for each in (value if value.__class__ is list else (value,)) if each is not None
                ]
        return found

    return children
