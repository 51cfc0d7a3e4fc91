"""Values of the model, made without a second look at what was just read as text.

Every value that is given here has its type already, so pydantic's checks would find nothing, and most of a message's
time would go into them. A test makes every item of the published messages anew through the constructors, which check.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

from mpftconnect.model import Coding, Concept, Extra, Model

__all__ = ["coding_of", "concept_of", "extra_of", "make"]

M = TypeVar("M", bound=Model)
_set = object.__setattr__
_new = object.__new__


@lru_cache(maxsize=256)
def _defaults(kind: type[Model]) -> dict[str, Any]:
    return {
        name: field.get_default(call_default_factory=True)
        for name, field in kind.model_fields.items()
        if not field.is_required()
    }


def make(kind: type[M], /, **values: Any) -> M:
    """`kind(**values)`, of values that have their types already. None and empty tuples count as not stated."""
    made = _new(kind)
    _set(made, "__dict__", _defaults(kind) | values)
    _set(made, "__pydantic_fields_set__", set(values))
    _set(made, "__pydantic_extra__", None)
    _set(made, "__pydantic_private__", None)
    return made


def extra_of(path: str, json_text: str) -> Extra:
    """`Extra(path=path, json_text=json_text)`."""
    made = _new(Extra)
    _set(made, "__dict__", {"path": path, "json_text": json_text})
    _set(made, "__pydantic_fields_set__", _EXTRA)
    _set(made, "__pydantic_extra__", None)
    _set(made, "__pydantic_private__", None)
    return made


_EXTRA = {"path", "json_text"}


@lru_cache(maxsize=4096)
def coding_of(system: str | None, code: str | None, display: str | None, version: str | None) -> Coding:
    """`Coding(...)`; the codes of a feed are few, and a frozen one serves all that say the same."""
    return make(Coding, system=system, code=code, display=display, version=version)


def concept_of(text: str | None, coding: tuple[Coding, ...]) -> Concept:
    """`Concept(text=text, coding=coding)`."""
    return make(Concept, text=text, coding=coding)
