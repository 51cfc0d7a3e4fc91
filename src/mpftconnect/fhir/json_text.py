"""JSON text in and out, with decimals exactly as they were written.

The standard parser is used for reading, not the faster msgspec, because only it can see that an object names a
member twice: of two values of one element, taking the last in silence could be taking the wrong one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from mpftconnect.errors import AnswerRejected, UsageError

__all__ = ["dump_json", "know_names", "parse_json"]

# Names that may be shown in a place. Any other name came from the sender, and could itself be a patient's value.
_KNOWN: set[str] = {"entry", "resource", "link", "issue", "parameter", "search", "response", "request"}
_MOST_DIGITS: Final = 4000  # CPython refuses to convert longer integers (sys.set_int_max_str_digits)

_ENCODER = msgspec.json.Encoder(decimal_format="number")


def know_names(names: Iterable[str]) -> None:
    """Let these element names be shown in the places of errors."""
    _KNOWN.update(names)


class _Twice(dict[str, Any]):
    """An object that names a member more than once; `name` is that member."""

    name: str = ""


_NESTED = frozenset((dict, list, _Twice))


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    twice, seen = _Twice(members), set[str]()
    for name, _ in pairs:
        if name in seen:
            twice.name = name
            break
        seen.add(name)
    return twice


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise _Refused("holds a number of too many digits")
    return int(digits)


def _decimal(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:
        raise _Refused("holds a number with an exponent out of range") from None


def _not_json(name: str) -> Any:
    raise _Refused("holds NaN or Infinity, which JSON does not have")


class _Refused(Exception):
    pass


def _step(path: str, name: str) -> str:
    shown = name if name.removeprefix("_") in _KNOWN else "?"
    return f"{path}.{shown}" if path else shown


def _check(content: Any, max_depth: int) -> None:
    waiting: list[tuple[Any, str, int]] = [(content, "", 1)]
    while waiting:
        value, path, depth = waiting.pop()
        kind = type(value)
        if kind is str:
            if not value.isascii():
                try:
                    value.encode()
                except UnicodeEncodeError:
                    raise AnswerRejected("holds half of a surrogate pair", place=path or None) from None
            continue
        if kind is not dict and kind is not list and kind is not _Twice:
            continue
        if depth > max_depth:
            raise AnswerRejected(f"is nested deeper than {max_depth}", place=path or None)
        if kind is _Twice:
            raise AnswerRejected("names a member twice", place=_step(path, value.name))
        if kind is list:
            waiting.extend(
                (part, f"{path}[{index}]", depth + 1)
                for index, part in enumerate(value)
                if type(part) is not str or not part.isascii()
            )
            continue
        for name, part in value.items():
            if type(part) is not str or not part.isascii():
                waiting.append((part, _step(path, name), depth + 1))
            if not name.isascii():
                waiting.append((name, _step(path, "?"), depth + 1))


def parse_json(data: bytes, *, max_depth: int = 100) -> Any:
    """Read JSON, strictly and without losing a digit.

    Args:
        data: UTF-8 text; a byte order mark is allowed (RFC 8259, section 8.1).
        max_depth: How deep objects and arrays may be nested.
    Returns:
        dicts, lists, str, int, bool, None, and `Decimal` for every number with a fraction or an exponent.
    Raises:
        AnswerRejected: Not UTF-8, not JSON, NaN or Infinity, a member named twice, or nested too deeply. The
            message has the rule and the place; of names that it does not know it shows `?`, and no value ever.

    >>> parse_json(b'{"value": 72.50}')
    {'value': Decimal('72.50')}
    >>> parse_json(b'{"resource": {"id": "a", "id": "b"}}')
    Traceback (most recent call last):
    mpftconnect.errors.AnswerRejected: resource.id: names a member twice
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnswerRejected("is not UTF-8", place=f"byte {error.start}") from None
    try:
        content = json.loads(
            text, object_pairs_hook=_members, parse_float=_decimal, parse_int=_whole, parse_constant=_not_json
        )
    except json.JSONDecodeError as error:
        raise AnswerRejected("is not JSON", place=f"line {error.lineno}, column {error.colno}") from None
    except _Refused as error:
        raise AnswerRejected(str(error)) from None
    except RecursionError:
        raise AnswerRejected(f"is nested deeper than {max_depth}") from None
    # Only an escape can stand for half of a surrogate pair, since the text itself is UTF-8.
    if "\\u" in text or _looks_wrong(content, max_depth):
        _check(content, max_depth)
    return content


def _looks_wrong(content: Any, max_depth: int) -> bool:
    """Whether `_check` will find something other than half of a surrogate pair; quicker, since it notes no places."""
    level = [content]
    for _ in range(max_depth):
        below: list[Any] = []
        for value in level:
            kind = type(value)
            if kind is dict:
                below.extend(part for part in value.values() if type(part) in _NESTED)
            elif kind is list:
                below.extend(part for part in value if type(part) in _NESTED)
            elif kind is _Twice:
                return True
        if not below:
            return False
        level = below
    return True


def _must_be_json(value: Any) -> None:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list | tuple):
            waiting.extend(part)
        elif (isinstance(part, float) and not math.isfinite(part)) or (
            isinstance(part, Decimal) and not part.is_finite()
        ):
            raise UsageError("JSON has no NaN and no Infinity")


def dump_json(value: Any, *, indent: bool = False) -> bytes:
    """Write JSON as UTF-8, each `Decimal` as a number with the digits it has.

    Raises:
        UsageError: The value holds NaN or Infinity, half of a surrogate pair, or something that is not JSON.

    >>> from decimal import Decimal
    >>> dump_json({"value": Decimal("72.50")})
    b'{"value":72.50}'
    """
    try:
        _must_be_json(value)
        text = _ENCODER.encode(value)
        return msgspec.json.format(text, indent=2) if indent else text
    except (TypeError, UnicodeEncodeError, RecursionError):
        raise UsageError("the value is not JSON") from None
