"""One object: every property is known, every required one is there, choices are one of their types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mpftconnect.validation.check.children import Handler, compile_child, slices_of
from mpftconnect.validation.check.run import Run
from mpftconnect.validation.check.slices import Slices
from mpftconnect.validation.compile.element import Element, TypeRef
from mpftconnect.validation.compile.placing import choice_of
from mpftconnect.validation.fast import recipes
from mpftconnect.validation.fast.recipes import described
from mpftconnect.validation.places import Place, property_of
from mpftconnect.validation.shown import name_told

if TYPE_CHECKING:
    from mpftconnect.validation.check.children import ValueCheck
    from mpftconnect.validation.check.compiler import Checks

__all__ = ["compile_object"]

# Up to so many properties, which one is meant is said by its number.
_FEW = 100


def compile_object(
    checks: Checks,
    children: dict[str, Element],
    path: str,
    profile: str | None,
    *,
    is_resource: bool,
    partial: bool = False,
    beside: bool = False,
) -> ValueCheck:
    """The check of an object's own properties.

    Args:
        children: Its elements, by name.
        path: Path of the element, for messages.
        profile: Who demands it.
        is_resource: `resourceType` belongs here.
        partial: Other properties may stand here (the object's real type is checked elsewhere).
        beside: The object stands beside a primitive's value, so that an id alone is something.
    """
    table: dict[str, Handler] = {}
    choices: list[tuple[Element, tuple[str, ...]]] = []
    required: list[tuple[str, str, Element]] = []
    absent_slices: list[tuple[str, Slices]] = []
    if is_resource:
        table["resourceType"] = _nothing
    for name, child in children.items():
        if child.xml_attribute and name == "id" and not child.types:
            continue
        slices = slices_of(checks, child, profile)
        if child.is_choice:
            keys = []
            for ref in child.types:
                key = child.stem + ref.code[:1].upper() + ref.code[1:]
                table.update(compile_child(checks, child, ref, key, profile, slices))
                keys.append(key)
            choices.append((child, tuple(keys)))
            continue
        refs = child.types
        if is_resource and name == "id":
            refs = (TypeRef("id"),)  # the definitions of R4 and STU3 call it a string, the prose an id
        if not refs:
            refs = (checks.type_of_reference(child),)
        if len(refs) > 1:
            table.update(compile_child(checks, child, checks.common(refs), name, profile, slices))
        else:
            table.update(compile_child(checks, child, refs[0], name, profile, slices))
        if child.min > 0:
            required.append((name, "_" + name, child))
        required_slices = [s for s in child.slices.values() if s.min > 0]
        if required_slices and slices is not None and child.min == 0:
            absent_slices.append((name, slices))
    get = table.get

    def unknown(key: str, obj: Any, place: Place, run: Run) -> None:
        if partial:
            return
        here = property_of(place, key)
        if key == "fhir_comments":  # DSTU2 kept XML comments so; readers still meet it
            run.add("warning", "element-unknown", here, "has fhir_comments, which FHIR has given up", profile)
            return
        choice = choice_of(children, key.removeprefix("_"))
        if choice is not None:
            words = ", ".join(ref.code for ref in choice.types)
            run.error("choice", here, f"{path}.{choice.name} must be of one of the types: {words}", profile)
            return
        if run.is_full:  # each costs a comparison with all names
            run.error("element-unknown", here, "", profile)
            return
        which = f"property {list(obj).index(key) + 1} of" if len(obj) <= _FEW else "one of"
        told = f"{which} {len(obj)}, with a name {name_told(key, table)}"
        run.error("element-unknown", here, f"has a property that is no element: {told}", profile)

    def check(obj: Any, place: Place, run: Run) -> None:
        for key, value in obj.items():
            handler = get(key)
            if handler is None:
                unknown(key, obj, place, run)
            else:
                handler(value, obj, place, run)
        for name, under, child in required:
            if name not in obj and under not in obj:
                run.error(
                    "cardinality-min",
                    place,
                    f"{child.path} must stand at least {child.min} time(s), and is absent",
                    profile,
                )
        for name, slices in absent_slices:
            if name not in obj:
                slices.check([], place, run)
        for choice, keys in choices:
            _check_choice(choice, keys, obj, place, run, profile)
        if not obj or (len(obj) == 1 and "id" in obj and not is_resource and not beside):
            run.error("element-empty", place, "must have a value or children (ele-1)")

    choices = [c for c in choices if c[0].min > 0 or len(c[1]) > 1 or _needs_slice(c[0])]
    if partial:
        return check
    recipe = recipes.Properties(
        table,
        tuple(name for name, _, _ in required),
        tuple(recipes.Choice(keys, choice.min > 0 or _needs_slice(choice)) for choice, keys in choices),
        tuple(name for name, _ in absent_slices),
        is_resource or beside,
    )
    return described(check, recipe)


def _needs_slice(choice: Element) -> bool:
    return any(piece.min > 0 for piece in choice.slices.values())


def _check_choice(
    choice: Element, keys: tuple[str, ...], obj: dict[str, Any], place: Place, run: Run, profile: str | None
) -> None:
    count = 0
    for key in keys:
        if key in obj or "_" + key in obj:
            count += 1
    if count > 1:
        run.error("cardinality-max", place, f"{choice.path} may stand once, and stands with {count} types", profile)
    elif count == 0:
        if choice.min > 0:
            run.error(
                "cardinality-min",
                place,
                f"{choice.path} must stand at least {choice.min} time(s), and is absent",
                profile,
            )
        for piece in choice.slices.values():
            if piece.min > 0:
                run.error(
                    "slice-min",
                    place,
                    f"slice {choice.path}:{piece.slice_name} must have at least {piece.min} item(s), and has 0",
                    profile,
                )


def _nothing(value: Any, obj: dict[str, Any], place: Place, run: Run) -> None:
    """`resourceType` was read before."""


described(_nothing, recipes.Nothing())
