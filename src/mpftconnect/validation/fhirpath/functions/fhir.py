"""The functions that FHIR adds (FHIR R4 (4.0.1), 2.9.1.4 "Additional functions")."""

from __future__ import annotations

from typing import Any

from mpftconnect.errors import NotEvaluable
from mpftconnect.validation.fhirpath.code import Code, one
from mpftconnect.validation.fhirpath.functions.registry import Call, function
from mpftconnect.validation.fhirpath.items import EMPTY, Item, Items, Node, Scope, plain
from mpftconnect.validation.fhirpath.narrative import is_narrative

__all__: list[str] = []


@function("extension", 1)
def _extension(call: Call) -> Code:
    items, url = call.source.items, one(call.value(0))

    def found(this: Any, scope: Scope) -> Items:
        sources = items(this, scope)
        wanted = url(this, scope) if sources else None
        if wanted is None:
            return EMPTY
        gathered: list[Item] = []
        for item in sources:
            if item.__class__ is Node:
                item = item.value if item.value.__class__ is dict else item.element
            extensions = item.get("extension") if item.__class__ is dict else None
            if extensions.__class__ is list:
                gathered += [each for each in extensions if each.__class__ is dict and each.get("url") == wanted]
        return gathered

    return Code(found, type="Extension", position=call.position)


def _value(item: Item) -> Any:
    return item.value if item.__class__ is Node else item


@function("hasValue")
def _has_value(call: Call) -> Code:
    items = call.source.items

    def truth(this: Any, scope: Scope) -> bool:
        found = items(this, scope)
        if len(found) != 1:
            return False
        value = _value(found[0])
        return value is not None and value.__class__ is not dict

    return Code(truth=truth, position=call.position)


@function("getValue")
def _get_value(call: Call) -> Code:
    items, kind = call.source.items, call.source.type

    def value(this: Any, scope: Scope) -> Items:
        found = items(this, scope)
        if len(found) != 1 or _value(found[0]) is None or _value(found[0]).__class__ is dict:
            return EMPTY
        return (plain(found[0], kind),)

    return Code(value, position=call.position)


@function("resolve")
def _resolve(call: Call) -> Code:
    items = call.source.items

    def resolved(this: Any, scope: Scope) -> Items:
        gathered: list[Item] = []
        for item in items(this, scope):
            reference = _value(item)
            if reference.__class__ is dict:
                reference = reference.get("reference")
            if reference.__class__ is not str:
                continue
            target = _contained(reference[1:], scope) if reference.startswith("#") else _asked(reference, scope)
            if target is not None:
                gathered.append(target)
        return gathered

    return Code(resolved, type="Resource", position=call.position)


def _contained(identifier: str, scope: Scope) -> Any:
    root = scope.root if scope.root is not None else scope.resource
    if root.__class__ is not dict:
        return None
    contained = root.get("contained")
    if not identifier:
        return root
    return next(
        (each for each in contained if each.__class__ is dict and each.get("id") == identifier)
        if contained.__class__ is list
        else iter(()),
        None,
    )


def _asked(reference: str, scope: Scope) -> Any:
    if scope.resolve is None:
        raise NotEvaluable("resolve() needs something that resolves references")
    scope.spend(1)
    return scope.resolve(reference)


def _judged(call: Call, service: str, need: str) -> Code:
    """A truth that somebody else tells of the one item of the source and of a canonical URL."""
    items, url = call.source.items, one(call.value(0))

    def truth(this: Any, scope: Scope) -> bool | None:
        found, canonical = items(this, scope), url(this, scope)
        if not found or canonical is None:
            return None
        if len(found) > 1:
            raise call.fault(f"{call.name}() takes one item")
        judge = getattr(scope, service)
        if judge is None:
            raise NotEvaluable(f"{call.name}() needs {need}")
        told = judge(_value(found[0]), canonical)
        if told is None:
            raise NotEvaluable(f"{call.name}() could not be told")
        return bool(told)

    return Code(truth=truth, position=call.position)


@function("conformsTo", 1)
def _conforms_to(call: Call) -> Code:
    return _judged(call, "conforms", "profiles to judge by")


@function("memberOf", 1)
def _member_of(call: Call) -> Code:
    return _judged(call, "member_of", "a terminology service")


@function("htmlChecks")
def _html_checks(call: Call) -> Code:
    value = one(call.source)

    def truth(this: Any, scope: Scope) -> bool | None:
        found = value(this, scope)
        return None if found is None else found.__class__ is str and is_narrative(found)

    return Code(truth=truth, position=call.position)


# As STU3 writes it (3.0.2, txt-1).
function("htmlchecks")(_html_checks)


def _register_missing(name: str, most: int, need: str) -> None:
    @function(name, 0, most)
    def build(call: Call) -> Code:
        def items(this: Any, scope: Scope) -> Items:
            raise NotEvaluable(f"{name}() needs {need}")

        return Code(items, position=call.position)


_register_missing("elementDefinition", 0, "the definition of the element")
_register_missing("slice", 2, "the definition of the element")
_register_missing("checkModifiers", 99, "to know which extensions are understood")
_register_missing("subsumes", 1, "a terminology service")
_register_missing("subsumedBy", 1, "a terminology service")
