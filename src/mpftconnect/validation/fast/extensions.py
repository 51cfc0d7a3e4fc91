"""Lists of extensions of the usual kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.fast.recipes import Extensions

if TYPE_CHECKING:
    from mpftconnect.validation.check.compiler import Checks
    from mpftconnect.validation.check.run import Run
    from mpftconnect.validation.places import Place

__all__ = ["quick_extensions"]


def quick_extensions(checks: Checks, recipe: Extensions) -> Callable[[Any, dict[str, Any], Place, Run], bool]:
    """Checks a list of extensions, if it is of the usual kind; False, with nothing done, where it is not."""

    def check(value: Any, obj: dict[str, Any], place: Place, run: Run) -> bool:
        return False

    return check
