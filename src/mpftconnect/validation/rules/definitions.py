"""Conformance resources: consistency that the specification states in prose.

Not a publisher's tool: only what makes a definition unusable or self-contradictory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mpftconnect.errors import FhirPathError
from mpftconnect.validation.fhirpath import compile_expression
from mpftconnect.validation.places import Place

if TYPE_CHECKING:
    from mpftconnect.validation.check.run import Run

__all__ = ["DEFINITION_RULES"]

_ABSTRACT = {"Resource", "DomainResource", "Element", "BackboneElement"}
Rule = Callable[[dict[str, Any], Place, "Run"], None]


def _search_parameter(value: dict[str, Any], place: Place, run: Run) -> None:
    components = value.get("component")
    if value.get("type") == "composite" and (not isinstance(components, list) or len(components) < 2):
        run.error("definition", place, "must have two or more components, because it is composite")
    origin = value.get("derivedFrom")
    entry = run.checks.definitions.find(origin, "SearchParameter") if isinstance(origin, str) else None
    if entry is not None:
        base = entry.resource
        for key in ("type", "code"):
            if key in value and key in base and value[key] != base[key]:
                run.error("definition", place, f"must have the same {key} as what it is derived from")


def _structure_definition(value: dict[str, Any], place: Place, run: Run) -> None:
    for view in ("differential", "snapshot"):
        part = value.get(view)
        rows = part.get("element") if isinstance(part, dict) else None
        for index, row in enumerate(rows if isinstance(rows, list) else ()):
            if isinstance(row, dict):
                _types(row, ((place, view, None, None), "element", index, None), run)
                _expressions(row, ((place, view, None, None), "element", index, None), run)
                if value.get("type") == "Extension" and row.get("path") == "Extension.url":
                    _own_url(value, row, ((place, view, None, None), "element", index, None), run)
    _derived(value, place, run)


def _expressions(row: dict[str, Any], place: Place, run: Run) -> None:
    listed = row.get("constraint")
    for index, constraint in enumerate(listed if isinstance(listed, list) else ()):
        expression = constraint.get("expression") if isinstance(constraint, dict) else None
        if not isinstance(expression, str):
            continue
        try:
            compile_expression(expression, version="3.0" if run.checks.version == "3.0" else "4.0")
        except FhirPathError as error:
            run.error(
                "definition", (place, "constraint", index, None), f"has an expression that cannot be read: {error}"
            )


def _own_url(value: dict[str, Any], row: dict[str, Any], place: Place, run: Run) -> None:
    fixed = row.get("fixedUri")
    element_id = row.get("id")
    if isinstance(fixed, str) and element_id in (None, "Extension.url") and fixed != value.get("url"):
        run.error("definition", place, "must fix the url of the extension to its own address")


def _derived(value: dict[str, Any], place: Place, run: Run) -> None:
    """An extension that is derived from another keeps its url, so it cannot have an address of its own."""
    base = value.get("baseDefinition")
    if value.get("type") != "Extension" or value.get("derivation") != "constraint" or not isinstance(base, str):
        return
    if base.endswith("/StructureDefinition/Extension") or not run.checks.has(base):
        return
    try:
        url = (run.checks.trees.tree(base).children or {}).get("url")
    except ValueError:
        return
    if url is not None and url.fixed is not None and url.fixed[1] != value.get("url"):
        run.error("definition", place, "is derived from an extension whose url is fixed to another address")


def _types(row: dict[str, Any], place: Place, run: Run) -> None:
    listed = row.get("type")
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        if not isinstance(entry, dict) or not isinstance(entry.get("code"), str):
            continue
        code = entry["code"]
        profiles = entry.get("profile")
        for number, profile in enumerate(profiles if isinstance(profiles, list) else [profiles]):
            if not isinstance(profile, str):
                continue
            definition = run.checks.definitions.structure(profile)
            here = ((place, "type", index, None), "profile", number if isinstance(profiles, list) else None, None)
            if definition is None:
                continue
            found = str(definition.get("type"))
            if found != code and not (code in _ABSTRACT and code in run.checks.ancestors(found)):
                run.error("definition", here, f"must be a profile of {code}, and is one of {found}")
            elif code == "Extension":
                _modifier(row, profile, here, run)


def _modifier(row: dict[str, Any], profile: str, place: Place, run: Run) -> None:
    path = str(row.get("path"))
    known = run.checks.extensions.known(profile.split("|")[0])
    if known is None:
        return
    if known.is_modifier and path.endswith(".extension"):
        run.error("definition", place, "is a modifier extension, and the element is not modifierExtension")
    elif not known.is_modifier and path.endswith(".modifierExtension"):
        run.error("definition", place, "is no modifier extension, and the element is modifierExtension")


DEFINITION_RULES: dict[str, tuple[Rule, ...]] = {
    "SearchParameter": (_search_parameter,),
    "StructureDefinition": (_structure_definition,),
}
