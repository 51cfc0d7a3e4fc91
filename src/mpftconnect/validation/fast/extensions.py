"""Lists of extensions of the usual kind: each is defined, and stands where it stood rightly before."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.fast.recipes import Extensions
from mpftconnect.validation.fast.slicing import keyed_slices

if TYPE_CHECKING:
    from mpftconnect.validation.check.compiler import Checks
    from mpftconnect.validation.check.run import Run
    from mpftconnect.validation.places import Place

__all__ = ["quick_extensions"]

_MOST_PLACES = 500
_DEEPEST = 12


def quick_extensions(checks: Checks, recipe: Extensions) -> Callable[[Any, dict[str, Any], Place, Run], bool]:
    """Checks a list of extensions; False, with nothing done, where it is not of the usual kind."""
    key, least, most, inline = recipe.key, recipe.least, recipe.most, recipe.inline
    modifier = key == "modifierExtension"
    keyed = keyed_slices(recipe.slices, "Extension") if recipe.slices is not None else None
    slices = keyed.check if keyed is not None else recipe.slices.check if recipe.slices is not None else None
    silent = slices is None or (keyed is not None and keyed.silent)
    facets = recipe.facets
    extensions = checks.extensions
    known_so_far = extensions.known_so_far
    rightly: set[tuple[str, tuple[str, ...]]] = set()

    def check(value: Any, obj: dict[str, Any], place: Place, run: Run) -> bool:
        if value.__class__ is not list or not value:
            return False
        count = len(value)
        if count < least or (most is not None and count > most):
            return False
        for item in value:
            if item.__class__ is not dict or item.get("url").__class__ is not str:
                return False
        for index, item in enumerate(value):
            here: Place = (place, key, index, None)
            url = item["url"]
            known = known_so_far.get(url)
            names = _names_to(place, run) if known is not None and known.by_path else None
            if known is None or names is None:
                extensions.check(item, here, run, modifier=modifier, inside=obj, sliced=url in inline)
            elif (url, names) in rightly:
                known.check(item, here, run)
            else:
                known.check(item, here, run)
                said = len(run.findings) + len(run.unchecked)
                extensions.standing(known, item, here, run, modifier=modifier, inside=obj)
                if said == len(run.findings) + len(run.unchecked) and len(rightly) < _MOST_PLACES:
                    rightly.add((url, names))
            for facet in facets:
                facet(item, here, run)
        if slices is not None and not (silent and count == 1):
            slices([(item, "Extension", (place, key, i, None)) for i, item in enumerate(value)], place, run)
        return True

    return check


def _names_to(place: Place, run: Run) -> tuple[str, ...] | None:
    """The names from the resource at hand to a place, nearest first; None where that is far."""
    frame = run.frame
    if frame is None:
        return None
    stop = frame.place
    names: list[str] = []
    cell: Any = place
    while cell is not stop:
        if cell is None or len(names) > _DEEPEST:
            return None
        names.append(cell[1])
        cell = cell[0]
    names.append(str(frame.resource.get("resourceType")))
    return tuple(names)
