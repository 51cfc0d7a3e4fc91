"""Where something stands in a resource.

A place is a chain of cells `(outer, key, index, label)`, made as the validator descends and rendered only for
findings. `key` is the name in JSON; `label` is how FHIRPath writes it, where that differs
(`value.ofType(Quantity)` for `valueQuantity`). An empty label is not written: the cell only says where in the file.
"""

from __future__ import annotations

from typing import Any, TypeAlias

__all__ = ["Place", "child", "expression_of", "pointer_of", "property_of", "root"]

Place: TypeAlias = tuple[Any, str, int | None, str | None]


def root(name: str) -> Place:
    """The place of a resource itself."""
    return (None, name, None, None)


def child(outer: Place, key: str, index: int | None = None, label: str | None = None) -> Place:
    """The place of an element inside another."""
    return (outer, key, index, label)


def property_of(outer: Place, key: str) -> Place:
    """The place of a property that is no element: FHIRPath can name only what holds it; in the file it has its own."""
    return (outer, key, None, "")


def expression_of(place: Place | None) -> str:
    """FHIRPath of a place.

    >>> component = child(root("Observation"), "component", 1)
    >>> expression_of(child(component, "valueQuantity", None, "value.ofType(Quantity)"))
    'Observation.component[1].value.ofType(Quantity)'
    """
    if place is None:
        return ""
    outer, key, index, label = place
    text = "" if label == "" else label or key
    if index is not None and text:
        text = f"{text}[{index}]"
    while outer is not None:
        outer, key, index, label = outer
        if label == "":
            continue
        name = label or key if index is None else f"{label or key}[{index}]"
        text = f"{name}.{text}" if text else name
    return text


def pointer_of(place: Place | None) -> tuple[str | int, ...]:
    """Keys and indices from the root of the document, by which positions in files are kept."""
    parts: list[str | int] = []
    while place is not None and place[0] is not None:
        outer, key, index, _ = place
        if index is not None:
            parts.append(index)
        parts.append(key)
        place = outer
    return tuple(reversed(parts))
