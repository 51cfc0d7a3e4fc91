"""Single invariants: whether one holds, quickly, and the whole answer where it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mpftconnect.errors import FhirPathError
from mpftconnect.validation.fhirpath import Compiled
from mpftconnect.validation.fhirpath.items import FAULTS

if TYPE_CHECKING:
    from mpftconnect.validation.check.run import Run
    from mpftconnect.validation.places import Place

__all__ = ["one_constraint", "quick_truth"]


def quick_truth(compiled: Compiled | str) -> Callable[[Any, Run], bool] | None:
    """Whether an invariant surely holds for a value; None where it cannot be evaluated at all."""
    if isinstance(compiled, str):
        return None
    truth = compiled.truth_of()
    if truth is None:
        return None

    def holds(value: Any, run: Run) -> bool:
        frame = run.frame
        if frame is None:
            return False
        scope = frame.scope(run)
        if scope.memo:
            scope.memo = {}
        scope.context = value
        try:
            return truth(value, scope) is True
        except (FhirPathError, *FAULTS):
            return False

    return holds


def one_constraint(constraint: tuple[Any, Any], profile: str | None) -> Callable[[Any, Place, Run], None]:
    """The check of one invariant, with all that it has to say."""
    listed = [constraint]

    def check(value: Any, place: Place, run: Run) -> None:
        run.checks.invariants.check(listed, value, place, run, profile)

    return check
