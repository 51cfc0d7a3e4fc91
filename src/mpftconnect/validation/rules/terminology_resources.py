"""CodeSystem and ValueSet: what the specification states in prose and a reader must be able to rely on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mpftconnect.validation.places import Place
from mpftconnect.validation.shown import address_shown

if TYPE_CHECKING:
    from mpftconnect.validation.check.run import Run

__all__ = ["code_system_rules", "value_set_rules"]

_PROPERTIES = "http://hl7.org/fhir/concept-properties#"
# Types of the properties that FHIR defines (R4 CodeSystem, 4.8.11 "Defined Concept Properties").
_TYPES = {
    "inactive": "boolean",
    "notSelectable": "boolean",
    "deprecated": "dateTime",
    "deprecationDate": "dateTime",
    "parent": "code",
    "child": "code",
    "status": "code",
}


def code_system_rules(value: dict[str, Any], place: Place, run: Run) -> None:
    """Content and supplements, and properties that are declared once and as FHIR types them."""
    content, concepts = value.get("content"), value.get("concept")
    if content == "not-present" and concepts:
        run.error(
            "definition", (place, "concept", 0, None), "must be left out, because the content is said not to be present"
        )
    if "supplements" in value and content != "supplement":
        run.error(
            "definition",
            (place, "content", None, None),
            "must be supplement, because the code system supplements another",
        )
    elif content == "supplement" and "supplements" not in value:
        run.error("definition", place, "must say which code system it supplements")
    if content == "supplement" or "supplements" in value:
        _supplement(value, place, run)
    _properties(value, place, run)


def _supplement(value: dict[str, Any], place: Place, run: Run) -> None:
    base = value.get("supplements")
    known = run.checks.coded.systems.find(base.split("|")[0]) if isinstance(base, str) else None
    concepts = value.get("concept")
    if known is None or not known.complete or not isinstance(concepts, list):
        return
    for index, concept in enumerate(concepts):
        if isinstance(concept, dict) and isinstance(concept.get("code"), str) and known.has(concept["code"]) is False:
            run.error(
                "definition",
                (place, "concept", index, None),
                f"must be a code of {address_shown(str(base))}, which is supplemented",
            )


def _properties(value: dict[str, Any], place: Place, run: Run) -> None:
    listed = value.get("property")
    codes: set[str] = set()
    addresses: set[str] = set()
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        if not isinstance(entry, dict):
            continue
        here = (place, "property", index, None)
        code, uri, kind = entry.get("code"), entry.get("uri"), entry.get("type")
        if isinstance(code, str):
            if code in codes:
                run.error("definition", here, "declares a property whose code is declared already")
            codes.add(code)
        if isinstance(uri, str):
            if uri in addresses:
                run.error("definition", here, "declares a property whose URI is declared already")
            addresses.add(uri)
            wanted = _TYPES.get(uri.removeprefix(_PROPERTIES)) if uri.startswith(_PROPERTIES) else None
            if wanted is not None and isinstance(kind, str) and kind != wanted:
                run.error("definition", here, f"must be of type {wanted}, because its URI is that of a FHIR property")


def value_set_rules(value: dict[str, Any], place: Place, run: Run) -> None:
    """Code systems are named by absolute addresses; listed codes exist where the code system is loaded."""
    compose = value.get("compose")
    if not isinstance(compose, dict):
        return
    for name in ("include", "exclude"):
        listed = compose.get(name)
        for index, include in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(include, dict):
                _include(include, ((place, "compose", None, None), name, index, None), run)


def _include(include: dict[str, Any], place: Place, run: Run) -> None:
    system = include.get("system")
    if not isinstance(system, str):
        return
    if ":" not in system:
        run.error("definition", place, "must name its code system by an absolute address")
        return
    known = run.checks.coded.systems.find(system)
    concepts = include.get("concept")
    if known is None or not known.complete:
        return
    for index, concept in enumerate(concepts if isinstance(concepts, list) else ()):
        if isinstance(concept, dict) and isinstance(concept.get("code"), str) and known.has(concept["code"]) is False:
            run.add(
                "warning",
                "code-unknown",
                (place, "concept", index, None),
                f"should be a code of {address_shown(system)}",
            )
