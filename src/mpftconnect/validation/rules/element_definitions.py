"""One ElementDefinition of a StructureDefinition: its types, profiles, limits and slicing fit each other.

FHIR R4 "ElementDefinition" 2.27 (`fixed[x]`, `minValue[x]`, `maxLength`: of which types) and "Profiling" 5.1.0.14
(what can be sliced). What the eld-* and sdf-* invariants say is not said again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mpftconnect.errors import DefinitionBroken, PackageNotFound
from mpftconnect.validation.compile.element import first_value
from mpftconnect.validation.compile.facets import read_types
from mpftconnect.validation.places import Place

if TYPE_CHECKING:
    from mpftconnect.validation.check.run import Run
    from mpftconnect.validation.compile.element import Element

__all__ = ["element_rules"]

_ABSTRACT = {"Resource", "DomainResource", "Element", "BackboneElement"}
_TEXTS = {"string", "code", "id", "markdown", "uri", "url", "canonical", "oid", "uuid", "base64Binary", "xhtml"}
_ORDERED = {
    "date", "dateTime", "instant", "time", "decimal", "integer", "positiveInt", "unsignedInt", "integer64",
    "Quantity", "SimpleQuantity", "Age", "Count", "Distance", "Duration", "Money",
}  # fmt: skip


def element_rules(value: dict[str, Any], row: dict[str, Any], place: Place, run: Run) -> None:
    """Judge one row of a differential or snapshot."""
    _types(row, place, run)
    codes = {ref.code for ref in read_types(row.get("type")) if isinstance(row.get("type"), list)}
    known = {code for code in codes if run.checks.trees.has_type(code)}
    if codes and codes == known:
        _limits(row, codes, place, run)
    _sliceable(value, row, place, run)


def _limits(row: dict[str, Any], codes: set[str], place: Place, run: Run) -> None:
    for name in ("fixed", "pattern", "defaultValue"):
        found = first_value(row, name)
        if found is None:
            continue
        code = found[0] if run.checks.trees.has_type(found[0]) else _lower(found[0])
        if not run.checks.trees.has_type(code):
            continue  # no type, and said to be none where the element itself is judged
        if not any(code == own or (own in run.checks.ancestors(code) and own not in _ABSTRACT) for own in codes):
            run.error(
                "definition", (place, name + found[0], None, None), f"must be of the element's type: {_words(codes)}"
            )
    if "maxLength" in row and not codes & _TEXTS:
        run.error("definition", (place, "maxLength", None, None), f"must be left out: a {_words(codes)} has no length")
    for name in ("minValue", "maxValue"):
        found = first_value(row, name)
        if found is not None and run.checks.trees.has_type(_lower(found[0])) and not codes & _ORDERED:
            run.error(
                "definition", (place, name + found[0], None, None), f"must be left out: a {_words(codes)} has no order"
            )


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _words(codes: set[str]) -> str:
    return " or ".join(sorted(codes)[:5])


def _sliceable(value: dict[str, Any], row: dict[str, Any], place: Place, run: Run) -> None:
    """Only what repeats, or is a choice of types, has slices."""
    path, code = row.get("path"), value.get("type")
    if "slicing" not in row or not isinstance(path, str) or "." not in path or not isinstance(code, str):
        return
    element = _of_type(path, code, run)
    if element is not None and not element.is_choice and not element.is_list and element.max is not None:
        run.error("definition", (place, "slicing", None, None), "must be left out: the element does not repeat")


def _of_type(path: str, code: str, run: Run) -> Element | None:
    """The element that a path names in the type itself, without going into data types."""
    trees = run.checks.trees
    if not trees.has_type(code):
        return None
    try:
        element = trees.type_tree(code)
    except (DefinitionBroken, PackageNotFound):
        return None
    for name in path.split(".")[1:]:
        found = (element.children or {}).get(name)
        if found is None:
            return None
        element = found
    return element


def _types(row: dict[str, Any], place: Place, run: Run) -> None:
    listed = row.get("type")
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        if not isinstance(entry, dict) or not isinstance(entry.get("code"), str):
            continue
        code = entry["code"]
        here = (place, "type", index, None)
        points = code in ("Reference", "canonical", "CodeableReference", "uri") or not run.checks.trees.has_type(code)
        if entry.get("targetProfile") and not points:
            run.error("definition", here, "must have no targetProfile: its type points nowhere")
        profiles = entry.get("profile")
        for number, profile in enumerate(profiles if isinstance(profiles, list) else [profiles]):
            if not isinstance(profile, str):
                continue
            definition = run.checks.definitions.structure(profile)
            inner = (here, "profile", number if isinstance(profiles, list) else None, None)
            if definition is None:
                continue
            found = str(definition.get("type"))
            # STU3 has Money, Age and others as constraints of Quantity, R4 as types of their own.
            above = code in _ABSTRACT or run.checks.version == "3.0" or definition.get("derivation") == "constraint"
            if found != code and not (above and code in run.checks.ancestors(found)):
                run.error("definition", inner, "must be a profile of this type, and is one of another")
            elif code == "Extension":
                _modifier(row, profile, inner, run)


def _modifier(row: dict[str, Any], profile: str, place: Place, run: Run) -> None:
    path = str(row.get("path"))
    known = run.checks.extensions.known(profile.split("|")[0])
    if known is None:
        return
    if known.is_modifier and path.endswith(".extension"):
        run.error("definition", place, "is a modifier extension, and the element is not modifierExtension")
    elif not known.is_modifier and path.endswith(".modifierExtension"):
        run.error("definition", place, "is no modifier extension, and the element is modifierExtension")
