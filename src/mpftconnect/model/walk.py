"""Visits every part of an item: policies look for codes, places and references wherever they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any

from mpftconnect.model.schema import Model

__all__ = ["parts"]


def parts(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every nested model object and leaf of `value`, with its path, depth first, `value` itself first.

    >>> from mpftconnect.model import concept
    >>> [path for path, part in parts(concept("Asthma", "195967001")) if isinstance(part, str)]
    ['text', 'coding[0].system', 'coding[0].code']
    """
    yield path, value
    if isinstance(value, Model):
        for name in type(value).model_fields:
            child = getattr(value, name)
            if child is not None and child != ():
                yield from parts(child, f"{path}.{name}" if path else name)
    elif isinstance(value, tuple):
        for index, child in enumerate(value):
            yield from parts(child, f"{path}[{index}]")
    elif is_dataclass(value) and not isinstance(value, type):
        yield f"{path}.text" if path else "text", getattr(value, "text", None)
