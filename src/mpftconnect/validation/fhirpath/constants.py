"""`%name`: what the environment gives.

Source:
    FHIRPath N1 (2.0.0), 9 "Environment Variables"; FHIR R4 (4.0.1), 2.9.1.3.
"""

from __future__ import annotations

from typing import Any

from mpftconnect.errors import NotEvaluable
from mpftconnect.validation.fhirpath.code import Code
from mpftconnect.validation.fhirpath.items import EMPTY, UCUM, Items, Scope

__all__ = ["constant"]

_TEXTS = {"sct": "http://snomed.info/sct", "loinc": "http://loinc.org", "ucum": UCUM}
_URLS = {"vs-": "http://hl7.org/fhir/ValueSet/", "ext-": "http://hl7.org/fhir/StructureDefinition/"}


def _resource(this: Any, scope: Scope) -> Items:
    return EMPTY if scope.resource is None else (scope.resource,)


def _root(this: Any, scope: Scope) -> Items:
    return EMPTY if scope.root is None else (scope.root,)


def _context(this: Any, scope: Scope) -> Items:
    return EMPTY if scope.context is None else (scope.context,)


def constant(name: str, focus: str | None, position: int) -> Code:
    """The code of `%name`; `focus` is the type of `%context`. One that is not given cannot be judged."""
    match name:
        case "resource":
            return Code(_resource, type="Resource", position=position)
        case "rootResource":
            return Code(_root, type="Resource", position=position)
        case "context":
            return Code(_context, type=focus, position=position)
    known = _TEXTS.get(name) or next(
        (url + name[len(mark) :] for mark, url in _URLS.items() if name.startswith(mark)), None
    )

    def value(this: Any, scope: Scope) -> Items:
        if scope.environment is not None and name in scope.environment:
            found = scope.environment[name]
            return tuple(found) if isinstance(found, list | tuple) else EMPTY if found is None else (found,)
        if known is None:
            raise NotEvaluable("a variable that is not given", position=position)
        return (known,)

    return Code(value, type="System.String" if known is not None else None, position=position)
