"""Obligation profiles, and profiles that inherit obligations from them.

The definitions of the extensions `obligation-profile` ("cannot introduce new structural elements or slicing, but
they can change the cardinality, add additional bindings, and additional obligations on the elements that are already
defined") and `inherit-obligations` ("the other profile must be an Obligation Profile") in hl7.fhir.uv.extensions
5.3.0. Both were first published under `tools`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mpftconnect.errors import DefinitionBroken, PackageNotFound
from mpftconnect.validation.definitions.store import split_canonical
from mpftconnect.validation.places import Place
from mpftconnect.validation.shown import address_shown

if TYPE_CHECKING:
    from mpftconnect.validation.check.run import Run

__all__ = ["obligation_rules"]

_HOMES = ("http://hl7.org/fhir/StructureDefinition/", "http://hl7.org/fhir/tools/StructureDefinition/")
_FLAG = {home + "obligation-profile" for home in _HOMES}
_INHERITS = {home + "inherit-obligations" for home in _HOMES}
_OBLIGATION = {home + "obligation" for home in _HOMES}
_ADDITIONAL = {home + "additional-binding" for home in _HOMES}
_ALLOWED = {"id", "path", "min", "max", "mustSupport", "extension", "binding"}
_DEMANDING = {"maximum", "required", "extensible"}


def _listed(value: Mapping[str, Any]) -> list[Any]:
    held = value.get("extension")
    return held if isinstance(held, list) else []


def _is_obligation_profile(definition: Mapping[str, Any]) -> bool:
    return any(
        isinstance(e, Mapping) and e.get("url") in _FLAG and e.get("valueBoolean") is True for e in _listed(definition)
    )


def obligation_rules(value: dict[str, Any], place: Place, run: Run) -> None:
    """Judge what a StructureDefinition says of obligations."""
    for index, extension in enumerate(_listed(value)):
        if isinstance(extension, dict) and extension.get("url") in _INHERITS:
            _inherits(value, extension.get("valueCanonical"), (place, "extension", index, None), run)
    if _is_obligation_profile(value):
        if value.get("derivation") != "constraint":
            run.error("definition", place, "must be a constraint, because it is an obligation profile")
        _only_obligations(value, place, run)


def _inherits(value: dict[str, Any], address: Any, place: Place, run: Run) -> None:
    if not isinstance(address, str):
        run.error("definition", place, "must name the profile whose obligations are inherited")
        return
    other = run.checks.definitions.structure(address)
    if other is None:
        run.not_checked("definition", place, f"profile {address_shown(address)} is in no loaded package", decisive=True)
    elif not _is_obligation_profile(other):
        run.error("definition", place, "must name an obligation profile, and names another profile")
    elif _base(other) != _base(value):
        run.error("definition", place, "must name an obligation profile on the same base")


def _base(definition: Mapping[str, Any]) -> str:
    return split_canonical(str(definition.get("baseDefinition")))[0]


def _only_obligations(value: dict[str, Any], place: Place, run: Run) -> None:
    part = value.get("differential")
    rows = part.get("element") if isinstance(part, dict) else None
    for index, row in enumerate(rows if isinstance(rows, list) else ()):
        if not isinstance(row, dict):
            continue
        here = ((place, "differential", None, None), "element", index, None)
        if {key.removeprefix("_") for key in row} - _ALLOWED:
            run.error("definition", here, "must state no constraint: an obligation profile adds only obligations")
        for number, extension in enumerate(_listed(row)):
            if isinstance(extension, dict) and extension.get("url") not in _OBLIGATION:
                run.error("definition", (here, "extension", number, None), "must be an obligation")
        if not _in_base(value, row, run):
            run.error("definition", here, "must be about an element of the base, which an obligation profile adds to")
        if isinstance(row.get("binding"), dict):
            _binding(row["binding"], (here, "binding", None, None), run)


def _in_base(value: dict[str, Any], row: dict[str, Any], run: Run) -> bool:
    """Whether the base has the element; held to where the base cannot be used."""
    name = row.get("id") if isinstance(row.get("id"), str) else row.get("path")
    if not isinstance(name, str) or not run.checks.has(_base(value)):
        return True
    try:
        element = run.checks.trees.tree(_base(value))
        for step in name.split(".")[1:]:
            stem, _, slice_name = step.partition(":")
            element = element.clone()
            run.checks.trees.unfold(element)
            found = (element.children or {}).get(stem)
            if found is not None and slice_name:
                found = found.slices.get(slice_name)
            if found is None:
                return False
            element = found
    except (DefinitionBroken, PackageNotFound):
        return True
    return True


def _binding(binding: dict[str, Any], place: Place, run: Run) -> None:
    if {key.removeprefix("_") for key in binding} - {"id", "strength", "extension"}:
        run.error("definition", place, "must state no binding itself: an obligation profile adds only further bindings")
    for number, extension in enumerate(_listed(binding)):
        here = (place, "extension", number, None)
        if not isinstance(extension, dict) or extension.get("url") not in _ADDITIONAL:
            run.error("definition", here, "must be an additional binding")
            continue
        purposes = {
            part.get("valueCode")
            for part in _listed(extension)
            if isinstance(part, dict) and part.get("url") == "purpose"
        }
        if purposes & _DEMANDING:
            run.error(
                "definition", here, "must not restrict the codes: an obligation profile adds only further bindings"
            )
