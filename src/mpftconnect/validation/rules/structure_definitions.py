"""StructureDefinition: consistent in itself, with its base, and with what it refers to.

FHIR R4 "StructureDefinition" 5.3 and "ElementDefinition" 2.27; "Defining Extensions"; the definitions of the
extensions `obligation-profile`, `inherit-obligations` and `compliesWithProfile` (hl7.fhir.uv.extensions 5.3.0).
Not a publisher's tool: only what makes a definition unusable or self-contradictory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mpftconnect.errors import DefinitionBroken, FhirPathError, PackageNotFound
from mpftconnect.validation.definitions.store import split_canonical
from mpftconnect.validation.fhirpath import compile_expression
from mpftconnect.validation.places import Place
from mpftconnect.validation.rules.element_definitions import element_rules
from mpftconnect.validation.rules.obligations import obligation_rules

if TYPE_CHECKING:
    from mpftconnect.validation.check.run import Run

__all__ = ["structure_definition_rules"]

_EXTENSION = "http://hl7.org/fhir/StructureDefinition/Extension"
_COMPLIES = "http://hl7.org/fhir/StructureDefinition/structuredefinition-compliesWithProfile"
# Interfaces that R4 names without defining them all as types: every resource with a url has their elements.
_INTERFACES = {"CanonicalResource": "CodeSystem", "MetadataResource": "PlanDefinition"}


def structure_definition_rules(value: dict[str, Any], place: Place, run: Run) -> None:
    """What a StructureDefinition must agree with."""
    for view in ("differential", "snapshot"):
        keys: dict[str, str] = {}
        for row, here in _rows(value, view, place):
            element_rules(value, row, here, run)
            _expressions(row, here, run, keys)
            if value.get("type") == "Extension" and row.get("path") == "Extension.url":
                _own_url(value, row, here, run)
    _agrees_with_base(value, place, run)
    _has_url(value, place, run)
    _derived(value, place, run)
    _contexts(value, place, run)
    _complies(value, place, run)
    obligation_rules(value, place, run)


def _rows(value: dict[str, Any], view: str, place: Place) -> list[tuple[dict[str, Any], Place]]:
    part = value.get(view)
    rows = part.get("element") if isinstance(part, dict) else None
    return [
        (row, ((place, view, None, None), "element", index, None))
        for index, row in enumerate(rows if isinstance(rows, list) else ())
        if isinstance(row, dict)
    ]


def _expressions(row: dict[str, Any], place: Place, run: Run, keys: dict[str, str]) -> None:
    """Expressions can be read, and a key means one of them throughout (ElementDefinition.constraint.key)."""
    listed = row.get("constraint")
    for index, constraint in enumerate(listed if isinstance(listed, list) else ()):
        expression = constraint.get("expression") if isinstance(constraint, dict) else None
        if not isinstance(expression, str):
            continue
        here = (place, "constraint", index, None)
        try:
            compile_expression(expression, version="3.0" if run.checks.version == "3.0" else "4.0")
        except FhirPathError as error:
            run.error("definition", here, f"has an expression that cannot be read: {error}")
        key = constraint.get("key")
        if isinstance(key, str) and key != "ele-1" and keys.setdefault(key, expression) != expression:
            run.error("definition", here, "has the key of another constraint of this structure")


def _own_url(value: dict[str, Any], row: dict[str, Any], place: Place, run: Run) -> None:
    fixed = row.get("fixedUri")
    element_id = row.get("id")
    if isinstance(fixed, str) and element_id in (None, "Extension.url") and fixed != value.get("url"):
        run.error("definition", place, "must fix the url of the extension to its own address")


def _has_url(value: dict[str, Any], place: Place, run: Run) -> None:
    """An extension's definition fixes the url by which instances name it."""
    if (
        value.get("type") != "Extension"
        or value.get("baseDefinition") != _EXTENSION
        or value.get("derivation") != "constraint"
        or not isinstance(value.get("url"), str)
    ):
        return
    stated = [row for view in ("differential", "snapshot") for row, _ in _rows(value, view, place)]
    if stated and not any(
        row.get("path") == "Extension.url" and isinstance(row.get("fixedUri"), str) for row in stated
    ):
        run.error("definition", place, "must fix the url of the extension")


def _agrees_with_base(value: dict[str, Any], place: Place, run: Run) -> None:
    """A constraint is of the type and kind of its base; a specialization is a type of its own."""
    base = value.get("baseDefinition")
    definition = run.checks.definitions.structure(base) if isinstance(base, str) else None
    own, derivation = value.get("type"), value.get("derivation")
    if definition is None or not isinstance(own, str) or not isinstance(derivation, str):
        return
    type_place = (place, "type", None, None)
    if derivation == "constraint" and own != definition.get("type"):
        run.error("definition", type_place, "must have the type of its base, because it constrains that")
    elif derivation == "specialization" and own == definition.get("type"):
        run.error("definition", type_place, "must have a type of its own, because it specializes its base")
    kind = value.get("kind")
    if derivation == "constraint" and isinstance(kind, str) and kind != definition.get("kind"):
        run.error("definition", (place, "kind", None, None), "must be of the kind of its base")


def _derived(value: dict[str, Any], place: Place, run: Run) -> None:
    """An extension that is derived from another keeps its url, so it cannot have an address of its own."""
    base = value.get("baseDefinition")
    if value.get("type") != "Extension" or value.get("derivation") != "constraint" or not isinstance(base, str):
        return
    if base.endswith("/StructureDefinition/Extension") or not run.checks.has(base):
        return
    try:
        url = (run.checks.trees.tree(base).children or {}).get("url")
    except (DefinitionBroken, PackageNotFound):
        return
    if url is not None and url.fixed is not None and url.fixed[1] != value.get("url"):
        run.error("definition", place, "is derived from an extension whose url is fixed to another address")


def _contexts(value: dict[str, Any], place: Place, run: Run) -> None:
    """The elements on which an extension may stand exist, where their type is loaded (R4; STU3 names paths freely)."""
    listed = value.get("context")
    for index, context in enumerate(listed if isinstance(listed, list) else ()):
        if not isinstance(context, dict) or context.get("type") != "element" or "extension" in context:
            continue  # one with an extension may be of other FHIR versions only
        path = context.get("expression")
        if isinstance(path, str) and _exists(path, run) is False:
            run.error("definition", (place, "context", index, None), "must name an element that there is")


def _exists(path: str, run: Run) -> bool | None:
    """Whether a path (`Patient.contact.name`, or a profile's address and `#` before it) is of an element."""
    address, _, inner = path.rpartition("#")
    names = inner.split(".")
    names[0] = _INTERFACES.get(names[0], names[0])
    trees = run.checks.trees
    try:
        if address:
            if not run.checks.has(address):
                return None
            element = trees.tree(address)
        elif ":" in inner or "/" in inner:
            return None
        elif not trees.has_type(names[0]):
            return False
        else:
            element = trees.type_tree(names[0])
        for depth, name in enumerate(names[1:]):
            if depth > 30:
                return None
            element = element.clone()
            trees.unfold(element)
            children = element.children or {}
            stem, _, slice_name = name.partition(":")
            found = children.get(stem) or children.get(stem + "[x]")
            if found is not None and slice_name:
                found = found.slices.get(slice_name, found)
            if found is None:
                return False
            element = found
    except (DefinitionBroken, PackageNotFound):
        return None
    return True


def _complies(value: dict[str, Any], place: Place, run: Run) -> None:
    listed = value.get("extension")
    for index, extension in enumerate(listed if isinstance(listed, list) else ()):
        if not isinstance(extension, dict) or extension.get("url") != _COMPLIES:
            continue
        claimed = extension.get("valueCanonical")
        here = (place, "extension", index, None)
        if not isinstance(claimed, str):
            continue
        if not run.checks.has(split_canonical(claimed)[0]):
            run.error("definition", here, "must name a profile that is loaded as one that it complies with")
        else:
            run.not_checked(
                "definition", here, "whether a profile complies with another is not compared", decisive=True
            )
