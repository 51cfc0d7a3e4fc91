"""Small values of the model, made without a second look at what was just read as text.

Every value that is given here has its type already, so pydantic's checks would find nothing: most of a message's time
would go into them. Items as a whole are made by their constructors, which check.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

from mpftconnect.model import Coding, Concept, Extra, Model

__all__ = ["coding_of", "concept_of", "extra_of"]

M = TypeVar("M", bound=Model)
_set = object.__setattr__


def _made(kind: type[M], values: dict[str, Any], stated: set[str]) -> M:
    made = kind.__new__(kind)
    _set(made, "__dict__", values)
    _set(made, "__pydantic_fields_set__", stated)
    _set(made, "__pydantic_extra__", None)
    _set(made, "__pydantic_private__", None)
    return made


_EXTRA = {"path", "json_text"}
_CODING = {"system", "code", "display", "version"}
_CONCEPT = {"text", "coding"}


def extra_of(path: str, json_text: str) -> Extra:
    """`Extra(path=path, json_text=json_text)`."""
    return _made(Extra, {"path": path, "json_text": json_text}, _EXTRA)


@lru_cache(maxsize=4096)
def coding_of(system: str | None, code: str | None, display: str | None, version: str | None) -> Coding:
    """`Coding(...)`; the codes of a feed are few, and a frozen one serves all that say the same."""
    return _made(Coding, {"system": system, "code": code, "display": display, "version": version}, _CODING)


def concept_of(text: str | None, coding: tuple[Coding, ...]) -> Concept:
    """`Concept(text=text, coding=coding)`."""
    return _made(Concept, {"text": text, "coding": coding}, _CONCEPT)
