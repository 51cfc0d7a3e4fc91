"""Conformance resources: consistency that the specification states in prose.

Not a publisher's tool: only what makes a definition unusable or self-contradictory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.places import Place
from mpftconnect.validation.rules.structure_definitions import structure_definition_rules

if TYPE_CHECKING:
    from mpftconnect.validation.check.run import Run

__all__ = ["DEFINITION_RULES"]

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


DEFINITION_RULES: dict[str, tuple[Rule, ...]] = {
    "SearchParameter": (_search_parameter,),
    "StructureDefinition": (structure_definition_rules,),
}
