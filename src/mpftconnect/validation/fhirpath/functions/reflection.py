"""FHIRPath N1 (2.0.0), 6.3 "Types" in the form of functions, and 10 "Reflection"."""

from __future__ import annotations

from typing import Any

from mpftconnect.errors import NotEvaluable
from mpftconnect.validation.fhirpath.code import Code
from mpftconnect.validation.fhirpath.functions.registry import Call, function
from mpftconnect.validation.fhirpath.items import Items, Scope
from mpftconnect.validation.fhirpath.paths import type_of
from mpftconnect.validation.fhirpath.type_tests import as_type, is_type, of_type

__all__: list[str] = []


@function("is", 1)
def _is(call: Call) -> Code:
    return is_type(call.source, call.type_name(0), call.types, call.position)


@function("as", 1)
def _as(call: Call) -> Code:
    return as_type(call.source, call.type_name(0), call.types, call.position)


@function("ofType", 1)
def _of_type(call: Call) -> Code:
    return of_type(call.source, call.type_name(0), call.types, call.position)


@function("type")
def _type(call: Call) -> Code:
    """For each item, an object with `namespace` and `name`."""
    items, known = call.source.items, call.source.type

    def kinds(this: Any, scope: Scope) -> Items:
        found = []
        for item in items(this, scope):
            kind = type_of(item, known)
            if kind is None:
                raise NotEvaluable("the type of an element is not known")
            space, _, name = kind.rpartition(".") if kind.startswith("System.") else ("FHIR", "", kind)
            found.append({"namespace": space, "name": name})
        return found

    return Code(kinds, position=call.position)
