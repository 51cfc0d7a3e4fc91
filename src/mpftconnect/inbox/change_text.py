"""Changes and items as text and back, exactly: each object says its type, decimals keep their digits.

Not pickle: what is read back can only become one of the types that are listed here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from mpftconnect import model
from mpftconnect.hl7v2 import changes
from mpftconnect.model import Model, PartialDate, When

__all__ = ["NotStored", "from_text", "to_text"]


class NotStored(ValueError):
    """The text is none that `to_text` wrote. Holds nothing of it."""


_TYPES: dict[str, Callable[..., Any]] = {
    **{
        name: cast("Callable[..., Any]", kind)
        for name in model.__all__
        if isinstance(kind := getattr(model, name), type) and (issubclass(kind, Model) or kind in (When, PartialDate))
    },
    **{
        f"~{kind.__name__}": kind
        for kind in (
            *(changes.Key, changes.Subject, changes.Stated, changes.Upsert, changes.Replace, changes.Retract),
            *(changes.MergePerson, changes.Move, changes.Link, changes.Unlink),
        )
    },
}

_LEAVES: dict[str, Callable[[str], Any]] = {
    "decimal": Decimal,
    "datetime": datetime.fromisoformat,
    "bytes": bytes.fromhex,
}


def to_text(value: Any) -> str:
    """The value as JSON.

    >>> from_text(to_text((When("2026-01"), Decimal("1.20"), None)))
    (When(text='2026-01', zone='Europe/London'), Decimal('1.20'), None)
    """
    return json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Model):
        # Only what was set, so that "not said" and "said to be empty" stay two things.
        set_ = {name: _plain(getattr(value, name)) for name in sorted(value.model_fields_set)}
        return {"": type(value).__name__, **set_}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, Decimal):
        return {"": "#", "decimal": str(value)}
    if isinstance(value, datetime):
        return {"": "#", "datetime": value.isoformat()}
    if isinstance(value, bytes):
        return {"": "#", "bytes": value.hex()}
    if is_dataclass(value) and not isinstance(value, type):
        name = type(value).__name__
        known = name if isinstance(value, When | PartialDate) else f"~{name}"
        return {"": known, **{f.name: _plain(getattr(value, f.name)) for f in fields(value) if f.init}}
    raise NotStored(f"a value of type {type(value).__name__} cannot be kept")


def from_text(text: str) -> Any:
    """The opposite of `to_text`; lists come back as tuples.

    Raises:
        NotStored: It was not written by `to_text`.
    """
    try:
        return _made(json.loads(text))
    except NotStored:
        raise
    except (ValueError, TypeError, RecursionError, KeyError, ArithmeticError) as error:
        kind = type(error).__name__
    raise NotStored(f"not as it was written ({kind})")


def _made(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_made(each) for each in value)
    if not isinstance(value, dict):
        return value
    name = value.pop("", None)
    if name == "#":
        ((kind, text),) = value.items()
        return _LEAVES[kind](text)
    make = _TYPES.get(name)
    if make is None:
        raise NotStored("a type that this version does not know")
    return make(**{key: _made(each) for key, each in value.items()})
