"""Which must-support elements of a profile an instance does not have. Asked for by `Options(must_support=True)`.

What must-support obliges a system to is for each profile to say (FHIR R4, "Profiling", 5.1.0.6); an instance without
the element breaks no rule. So this is information, never an error, and silent unless it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.check.children import slices_of
from mpftconnect.validation.check.run import Run
from mpftconnect.validation.check.slices import Belongs
from mpftconnect.validation.compile.element import Element
from mpftconnect.validation.places import Place

if TYPE_CHECKING:
    from mpftconnect.validation.check.compiler import Checks, Structure

__all__ = ["Node", "must_support_of", "show_absent"]

# A value (None where only its extensions stand), what stands beside it, its type and its place.
_Item = tuple[Any, Any, str | None, Place]


@dataclass(frozen=True, slots=True)
class Node:
    """An element that is must-support, or has one below it."""

    element: Element
    children: tuple[Node, ...]
    slices: tuple[tuple[Belongs | None, Node], ...]


def must_support_of(checks: Checks, structure: Structure) -> Node | None:
    """What of a profile is must-support, as a tree; None if nothing is."""
    return _node(checks, structure.element, structure.url)


def _node(checks: Checks, element: Element, profile: str) -> Node | None:
    children = [node for child in (element.children or {}).values() if (node := _node(checks, child, profile))]
    slices: list[tuple[Belongs | None, Node]] = []
    inside = {name: _node(checks, piece, profile) for name, piece in element.slices.items()}
    if any(inside.values()):
        compiled = slices_of(checks, element, profile)
        for piece in compiled.pieces if compiled is not None else ():
            node = inside.get(piece.name)
            if node is not None:
                slices.append((piece.belongs, node))
    if not element.must_support and not children and not slices:
        return None
    return Node(element, tuple(children), tuple(slices))


def show_absent(node: Node, value: dict[str, Any], place: Place, run: Run, profile: str) -> None:
    """Add a finding for each must-support element that is absent where it could stand."""
    for child in node.children:
        items = list(_items(child.element, value, place))
        if not items and child.element.must_support:
            _show(child, (place, child.element.stem, None, None), run, profile)
            continue
        for item in items:
            _inside(child, item, run, profile)
        for belongs, piece in child.slices:
            _of_slice(belongs, piece, items, (place, child.element.stem, None, None), run, profile)


def _of_slice(belongs: Belongs | None, piece: Node, items: list[_Item], place: Place, run: Run, profile: str) -> None:
    if belongs is None:  # how it is told apart could not be compiled, which the check itself says
        return
    told = [(belongs(value, code, where, run), (value, beside, code, where)) for value, beside, code, where in items]
    mine = [item for verdict, item in told if verdict]
    if not mine and piece.element.must_support and not any(verdict is None for verdict, _ in told):
        _show(piece, place, run, profile)
    for item in mine:
        _inside(piece, item, run, profile)


def _inside(node: Node, item: _Item, run: Run, profile: str) -> None:
    value, beside, _, place = item
    held = value if isinstance(value, dict) else beside
    if isinstance(held, dict):
        show_absent(node, held, place, run, profile)


def _items(element: Element, holder: dict[str, Any], place: Place) -> Iterator[_Item]:
    """Each value that stands for an element, under whichever of its names."""
    names: list[tuple[str, str | None]] = [(element.name, element.types[0].code if element.types else None)]
    if element.is_choice:
        names = [(element.stem + ref.code[:1].upper() + ref.code[1:], ref.code) for ref in element.types]
    for name, code in names:
        value, beside = holder.get(name), holder.get("_" + name)
        if value is None and beside is None:
            continue
        values = value if isinstance(value, list) else [value]
        besides = beside if isinstance(beside, list) else [beside]
        many = isinstance(value, list) or isinstance(beside, list)
        for index in range(max(len(values), len(besides))):
            yield (
                values[index] if index < len(values) else None,
                besides[index] if index < len(besides) else None,
                code,
                (place, name, index if many else None, None),
            )


def _show(node: Node, place: Place, run: Run, profile: str) -> None:
    slice_ = node.element.slice_name
    what = f"has no item of slice {slice_}" if slice_ else "is absent"
    run.add("information", "must-support", place, f"{what}, which the profile marks as must-support", profile)
