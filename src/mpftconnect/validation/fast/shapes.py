"""Objects of the same shape: those that have the same properties in the same order.

Which properties are known, required or exclusive, and much of what invariants ask, is the same for all objects of a
shape. So when an object of a shape was met some times, a function for it is written (`source.py`), compiled and kept.
It tests each value quickly, and hands whatever does not pass to the check that the property has anyway: that
says what is wrong, and where. A shape that is not met often, or that is wrong itself, has no such function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mpftconnect.errors import DefinitionBroken, PackageNotFound
from mpftconnect.validation.fast.codes import Codings
from mpftconnect.validation.fast.recipes import Check, Later, Parts, Properties, recipe_of

if TYPE_CHECKING:
    from mpftconnect.validation.check.compiler import Checks
    from mpftconnect.validation.check.run import Run
    from mpftconnect.validation.places import Place

__all__ = ["Shapes", "Unit", "flattened", "resolved", "unit_of"]

Keys = tuple[str, ...]
Plan = Callable[[dict[str, Any], "Place", "Run"], None]

# To write and compile one takes as long as some twenty objects of the shape the slow way.
OFTEN = 12
# So much of one check, and of all, is kept; what goes beyond takes the slow way.
MOST_PLANS = 64
MOST_SHAPES = 512
MOST_IN_ALL = 4096


class Unit:
    """The check of an object's properties and of all that follows them, with its plans by shape."""

    __slots__ = ("_met", "check", "parts", "plans", "properties", "shapes")

    def __init__(self, shapes: Shapes, check: Check, properties: Properties, parts: tuple[Check, ...]) -> None:
        self.shapes = shapes
        self.check = check
        self.properties = properties
        self.parts = parts
        self.plans: dict[Keys, Plan] = {}
        self._met: dict[Keys, int] = {}

    def meet(self, keys: Keys) -> None:
        """Count an object that was checked the slow way, and write the plan of its shape when it is time."""
        met, often = self._met, self.shapes.often
        count = met.get(keys, 0) + 1
        if count > often:
            return
        # Names that are unknown are not kept: they may be anything.
        if count == 1 and (len(met) >= MOST_SHAPES or not all(key in self.properties.table for key in keys)):
            return
        met[keys] = count
        if count == often and len(self.plans) < MOST_PLANS and self.shapes.written < MOST_IN_ALL:
            from mpftconnect.validation.fast.source import write_plan

            written = write_plan(self, keys)
            if written is not None:
                self.shapes.written += 1
                self.plans[keys] = written.compiled()


class Shapes:
    """Gives checks their quicker way."""

    def __init__(self, checks: Checks) -> None:
        self.checks = checks
        self.codings = Codings(checks.coded)
        # After how many objects of a shape its plan is written.
        self.often = OFTEN
        self.written = 0

    def quickened(self, check: Check) -> Check:
        """The check, by the plan of the object's shape where there is one."""
        parts = flattened(check)
        properties = recipe_of(parts[0])
        if not isinstance(properties, Properties):
            return check
        unit = Unit(self, check, properties, parts)
        plans, meet = unit.plans, unit.meet

        def entry(value: Any, place: Place, run: Run) -> None:
            if not run.quick or value.__class__ is not dict:
                check(value, place, run)
                return
            keys = tuple(value)
            plan = plans.get(keys)
            if plan is not None:
                plan(value, place, run)
            else:
                meet(keys)
                check(value, place, run)

        entry.__dict__.update(unit=unit, recipe=recipe_of(check))
        return entry


def flattened(check: Check) -> tuple[Check, ...]:
    """The single checks that a check runs on its value, in their order. A later one with properties stays whole."""
    recipe = recipe_of(check)
    if not isinstance(recipe, Parts):
        return (check,)
    found: list[Check] = []
    for part in recipe.checks:
        inner = flattened(part)
        if found and isinstance(recipe_of(inner[0]), Properties):
            found.append(part)
        else:
            found.extend(inner)
    return tuple(found)


def resolved(check: Check) -> Check:
    """The check that is meant, where one is made when it is first needed; itself, where none can be made."""
    recipe = recipe_of(check)
    if not isinstance(recipe, Later):
        return check
    try:
        return recipe.make()
    except (DefinitionBroken, PackageNotFound):
        return check


def unit_of(check: Check) -> Unit | None:
    """The unit of a check that `quickened` gave."""
    found: Unit | None = getattr(check, "unit", None)
    return found
