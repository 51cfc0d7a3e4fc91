"""What a profile demands of a narrative's sources and languages, by two extensions of its element.

HL7 extensions `narrative-source-control` and `narrative-language-control` (hl7.fhir.uv.extensions 5.x).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpftconnect.validation.check.run import Run
from mpftconnect.validation.compile.element import Element
from mpftconnect.validation.places import Place
from mpftconnect.validation.xhtml import read_narrative

__all__ = ["narrative_control"]

_SOURCE = "http://hl7.org/fhir/StructureDefinition/narrative-source-control"
_LANGUAGE = "http://hl7.org/fhir/StructureDefinition/narrative-language-control"


def narrative_control(element: Element, profile: str | None) -> list[Callable[[Any, Place, Run], None]]:
    """The checks that an element's extensions ask for."""
    facets: list[Callable[[Any, Place, Run], None]] = []
    if element.extensions.get(_SOURCE):
        facets.append(lambda value, place, run: _sources(value, place, run, profile))
    languages = [str(code) for code in element.extensions.get(_LANGUAGE) or ()]
    if languages:
        facets.append(lambda value, place, run: _languages(value, languages, place, run, profile))
    return facets


def _div(value: Any) -> str | None:
    div = value.get("div") if isinstance(value, dict) else None
    return div if isinstance(div, str) else None


def _sources(value: Any, place: Place, run: Run, profile: str | None) -> None:
    div = _div(value)
    if div is not None and read_narrative(div).without_source:
        run.error(
            "narrative-control",
            place,
            "must say of each part of its narrative, by class, whether it is boilerplate, generated or original",
            profile,
        )


def _languages(value: Any, wanted: list[str], place: Place, run: Run, profile: str | None) -> None:
    div = _div(value)
    if div is None:
        return
    found = read_narrative(div).languages
    for code in wanted:
        if code == "_no":
            if found:
                run.error("narrative-control", place, "must have no language sections in its narrative", profile)
        elif code == "_yes":
            if not found:
                run.error("narrative-control", place, "must have language sections in its narrative", profile)
        else:
            language = run.frame.resource.get("language") if code == "_resource" and run.frame else code
            if isinstance(language, str) and language not in found and (found or code != "_resource"):
                run.error(
                    "narrative-control",
                    place,
                    f"must have a section in its narrative for {'its own language' if code == '_resource' else code}",
                    profile,
                )
