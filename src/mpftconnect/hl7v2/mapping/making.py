"""Values of the model, made without a second look at what was just read as text.

Every value that is given here has its type already, so pydantic's checks would find nothing, and most of a message's
time would go into them. A test makes every item of the published messages anew through the constructors, which check.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from mpftconnect.hl7v2.changes import Key
from mpftconnect.hl7v2.references import reference_of
from mpftconnect.model import Coding, Concept, Extra, Model

__all__ = [
    "alias_to",
    "changed",
    "coding_of",
    "concept_of",
    "concept_of_one",
    "extra_of",
    "key_to",
    "make",
    "make_of",
]

M = TypeVar("M", bound=Model)
_new: Final[Any] = object.__new__
# The places in which pydantic keeps what a model holds: it freezes the model by refusing to set them by name.
_set_values: Final[Any] = BaseModel.__dict__["__dict__"].__set__
_set_stated: Final[Any] = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_set_extra: Final[Any] = BaseModel.__dict__["__pydantic_extra__"].__set__
_set_private: Final[Any] = BaseModel.__dict__["__pydantic_private__"].__set__


_set_kind: Final[Any] = Key.__dict__["kind"].__set__
_set_authority: Final[Any] = Key.__dict__["authority"].__set__
_set_value: Final[Any] = Key.__dict__["value"].__set__
_set_reference: Final[Any] = Key.__dict__["_reference"].__set__


def key_to(kind: str, authority: str, value: str) -> Key:
    """`Key(kind=kind, authority=authority, value=value)`, its reference worked out: of what an item is made of."""
    made: Key = _new(Key)
    _set_kind(made, kind)
    _set_authority(made, authority)
    _set_value(made, value)
    _set_reference(made, reference_of(kind, authority, value))
    return made


def alias_to(kind: str, authority: str, value: str) -> Key:
    """The same without its reference, which most other names of a thing never need."""
    made: Key = _new(Key)
    _set_kind(made, kind)
    _set_authority(made, authority)
    _set_value(made, value)
    _set_reference(made, None)
    return made


_DEFAULTS: Final[dict[type[Model], dict[str, Any]]] = {}


def _defaults(kind: type[Model]) -> dict[str, Any]:
    _DEFAULTS[kind] = found = {
        name: field.get_default(call_default_factory=True)
        for name, field in kind.model_fields.items()
        if not field.is_required()
    }
    return found


def make(kind: type[M], /, **values: Any) -> M:
    """`kind(**values)`, of values that have their types already. None and empty tuples count as not stated."""
    return make_of(kind, values)


def make_of(kind: type[M], values: dict[str, Any]) -> M:
    """The same, of a dictionary."""
    made: M = _new(kind)
    _set_values(made, (_DEFAULTS.get(kind) or _defaults(kind)) | values)
    _set_stated(made, set(values))
    _set_extra(made, None)
    _set_private(made, None)
    return made


def changed(model: M, attribute: str, value: Any) -> M:
    """`model.model_copy(update={attribute: value})`."""
    made: M = _new(type(model))
    _set_values(made, model.__dict__ | {attribute: value})
    _set_stated(made, model.model_fields_set | {attribute})
    _set_extra(made, None)
    _set_private(made, None)
    return made


def extra_of(path: str, json_text: str) -> Extra:
    """`Extra(path=path, json_text=json_text)`."""
    made: Extra = _new(Extra)
    _set_values(made, {"path": path, "json_text": json_text})
    _set_stated(made, _EXTRA)
    _set_extra(made, None)
    _set_private(made, None)
    return made


_EXTRA: Final = {"path", "json_text"}


@lru_cache(maxsize=4096)
def coding_of(system: str | None, code: str | None, display: str | None, version: str | None) -> Coding:
    """`Coding(...)`; the codes of a feed are few, and a frozen one serves all that say the same."""
    return make(Coding, system=system, code=code, display=display, version=version)


@lru_cache(maxsize=4096)
def concept_of_one(system: str | None, code: str | None, display: str | None, version: str | None) -> Concept:
    """`Concept(coding=(Coding(...),))`, one for all that say the same."""
    return make(Concept, text=None, coding=(coding_of(system, code, display, version),))


def concept_of(text: str | None, coding: tuple[Coding, ...]) -> Concept:
    """`Concept(text=text, coding=coding)`."""
    return make(Concept, text=text, coding=coding)
