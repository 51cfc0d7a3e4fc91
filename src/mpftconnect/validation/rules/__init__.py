"""Rules of whole resources that no StructureDefinition states."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.places import Place

if TYPE_CHECKING:
    from mpftconnect.validation.check.run import Run

__all__ = ["RESOURCE_RULES"]

Rule = Callable[[dict[str, Any], Place, "Run"], None]

RESOURCE_RULES: dict[str, tuple[Rule, ...]] = {"*": ()}
