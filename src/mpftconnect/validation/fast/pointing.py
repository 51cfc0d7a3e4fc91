"""References of the usual kind: `Type/id` outside a Bundle, of a type that is allowed, followed nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.fast.forms import is_id
from mpftconnect.validation.fast.recipes import Refers

if TYPE_CHECKING:
    from mpftconnect.validation.check.compiler import Checks
    from mpftconnect.validation.check.run import Run

__all__ = ["quick_reference"]

_TYPE = re.compile(r"[A-Z][A-Za-z]+").fullmatch


def quick_reference(checks: Checks, recipe: Refers, *, lone: bool = False) -> Callable[[dict[str, Any], Run], bool]:
    """Whether a Reference surely leads where it may. `lone`: and holds nothing but an address, of the right form."""
    if not recipe.plain:
        return lambda value, run: False
    fitting: set[str] = set()
    by_reference = checks.definitions.by_reference

    def fits(code: str) -> bool:
        if not _TYPE(code) or not checks.is_resource(code):
            return False
        if not recipe.anything and not checks.is_a(code, recipe.targets):
            return False
        fitting.add(code)  # never more than there are types
        return True

    def leads(value: dict[str, Any], run: Run) -> bool:
        reference = value.get("reference")
        if reference.__class__ is not str:
            return reference is None and "type" not in value
        if "type" in value or not run.follows_nothing or run.frame is None or run.frame.outer is not None:
            return False
        code, _, identifier = reference.partition("/")
        return (code in fitting or fits(code)) and is_id(identifier) and by_reference(reference) is None

    def leads_alone(value: dict[str, Any], run: Run) -> bool:
        if len(value) != 1 or not run.follows_nothing or run.frame is None or run.frame.outer is not None:
            return False
        reference = value.get("reference")
        if reference.__class__ is not str:
            return False
        code, _, identifier = reference.partition("/")
        return (code in fitting or fits(code)) and is_id(identifier) and by_reference(reference) is None

    return leads_alone if lone else leads
