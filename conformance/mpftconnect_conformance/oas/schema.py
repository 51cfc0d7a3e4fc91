"""Holds a value against a schema of an OpenAPI document, in a bounded number of steps and without fetching.

Source: OpenAPI 3.0.3, "Schema Object" (its own dialect: `nullable`, `exclusiveMinimum` as truth value); OpenAPI 3.1.0,
"Schema Object", and JSON Schema 2020-12, Validation. Keywords that are not listed here are passed over, `format` with
them, so that what is found wrong is wrong, and what is found good may not be.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from mpftconnect.errors import MpftConnectError
from mpftconnect_conformance.oas.document import Document

__all__ = ["Problem", "Schemas", "TooMuch"]

_MOST_DEPTH = 200
_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (Mapping,),
    "array": (list,),
    "string": (str,),
    "number": (int, float, Decimal),
    "integer": (int, float, Decimal),
    "boolean": (bool,),
    "null": (type(None),),
}
# Patterns that could take for ever: a group that repeats, or several repeats without end.
_SLOW = re.compile(r"\)[*+{?]|\\[1-9]|\(\?")
_MOST_PATTERN, _MOST_MATCHED = 200, 2_000

Problem = tuple[str, str]
"""Where in the value, and the keyword that it breaks."""


class TooMuch(MpftConnectError):
    """The schema asks for more steps than are taken for any document."""


class Schemas:
    """The schemas of one document.

    Args:
        steps: Taken at most, over all calls.
    """

    def __init__(self, document: Document, *, steps: int = 200_000) -> None:
        self._document, self._left = document, steps

    def problems(self, schema: Any, value: Any) -> list[Problem]:
        """What of the value breaks the schema, the first hundred.

        Raises:
            TooMuch: It cannot be said in as many steps; a circle of references that no value ends is such a case.
        """
        found = self._held(schema, value, "", 0)
        return [problem for problem, _ in zip(found, range(100), strict=False)]

    def _fits(self, schema: Any, value: Any, place: str, depth: int) -> bool:
        return next(self._held(schema, value, place, depth), None) is None

    def _held(self, schema: Any, value: Any, place: str, depth: int) -> Iterator[Problem]:
        self._left -= 1
        if self._left < 0 or depth > _MOST_DEPTH:
            raise TooMuch("the schema needs more steps than are taken")
        if schema is False:
            yield place, "false"
        if not isinstance(schema, Mapping):
            return
        if isinstance(schema.get("$ref"), str):
            reference = schema["$ref"]
            if reference.startswith("#"):
                yield from self._held(self._document.at(reference), value, place, depth + 1)
            if self._document.version.startswith("3.0"):
                return  # beside a reference nothing counts (3.0.3, Reference Object)
        if value is None and schema.get("nullable") is True:
            return
        yield from self._typed(schema, value, place)
        if isinstance(value, Mapping):
            yield from self._object(schema, value, place, depth)
        elif isinstance(value, list):
            yield from self._array(schema, value, place, depth)
        elif isinstance(value, str):
            yield from _text(schema, value, place)
        elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            yield from _number(schema, value, place)
        yield from self._combined(schema, value, place, depth)

    def _typed(self, schema: Mapping[str, Any], value: Any, place: str) -> Iterator[Problem]:
        given = schema.get("type")
        names = given if isinstance(given, list) else [given]
        known = [name for name in names if isinstance(name, str) and name in _TYPES]
        if known and not any(_is(value, name) for name in known):
            yield place, "type"
        options = schema.get("enum")
        if isinstance(options, list) and not any(_same(value, each) for each in options):
            yield place, "enum"
        if "const" in schema and not _same(value, schema["const"]):
            yield place, "const"

    def _object(self, schema: Mapping[str, Any], value: Mapping[str, Any], place: str, depth: int) -> Iterator[Problem]:
        required = schema.get("required")
        for name in required if isinstance(required, list) else ():
            if isinstance(name, str) and name not in value:
                yield f"{place}.{name}", "required"
        given = schema.get("properties")
        properties = given if isinstance(given, Mapping) else {}
        others = schema.get("additionalProperties", True)
        for name, part in value.items():
            if name in properties:
                yield from self._held(properties[name], part, f"{place}.{name}", depth + 1)
            elif others is False and "patternProperties" not in schema:
                yield f"{place}.{name}", "additionalProperties"
            elif isinstance(others, Mapping) and "patternProperties" not in schema:
                yield from self._held(others, part, f"{place}.{name}", depth + 1)

    def _array(self, schema: Mapping[str, Any], value: list[Any], place: str, depth: int) -> Iterator[Problem]:
        yield from _sized(schema, len(value), place, "minItems", "maxItems")
        first = schema.get("prefixItems")
        skip = len(first) if isinstance(first, list) else 0
        items = schema.get("items")
        if isinstance(items, Mapping):
            for index, part in enumerate(value[skip:], start=skip):
                yield from self._held(items, part, f"{place}[{index}]", depth + 1)

    def _combined(self, schema: Mapping[str, Any], value: Any, place: str, depth: int) -> Iterator[Problem]:
        for part in _rows(schema, "allOf"):
            yield from self._held(part, value, place, depth + 1)
        options = _rows(schema, "anyOf")
        if options and not any(self._fits(part, value, place, depth + 1) for part in options):
            yield place, "anyOf"
        options = _rows(schema, "oneOf")
        if options and sum(self._fits(part, value, place, depth + 1) for part in options) != 1:
            yield place, "oneOf"
        if isinstance(schema.get("not"), Mapping) and self._fits(schema["not"], value, place, depth + 1):
            yield place, "not"


def _rows(schema: Mapping[str, Any], name: str) -> list[Any]:
    given = schema.get(name)
    return given if isinstance(given, list) else []


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float | Decimal):
        return value == value.__floor__() if _finite(value) else False
    return isinstance(value, _TYPES[name])


def _finite(value: float | Decimal) -> bool:
    return value == value and abs(value) != Decimal("Infinity")


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _limit(schema: Mapping[str, Any], name: str) -> Any:
    given = schema.get(name)
    return given if isinstance(given, int | float | Decimal) and not isinstance(given, bool) else None


def _sized(schema: Mapping[str, Any], size: int, place: str, least: str, most: str) -> Iterator[Problem]:
    low, high = _limit(schema, least), _limit(schema, most)
    if low is not None and size < low:
        yield place, least
    if high is not None and size > high:
        yield place, most


def _text(schema: Mapping[str, Any], value: str, place: str) -> Iterator[Problem]:
    yield from _sized(schema, len(value), place, "minLength", "maxLength")
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and len(value) <= _MOST_MATCHED and _quick(pattern):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of Python's about the pattern: another dialect has other nests
                misses = re.search(pattern, value) is None
        except (re.error, RecursionError, OverflowError):
            return  # another dialect than Python's: nothing is said
        if misses:
            yield place, "pattern"


def _quick(pattern: str) -> bool:
    """Whether a pattern of a stranger may be tried: it can only take time in proportion to a small power."""
    return len(pattern) <= _MOST_PATTERN and not _SLOW.search(pattern) and len(re.findall(r"[*+]|,\}", pattern)) <= 2


def _number(schema: Mapping[str, Any], value: Any, place: str) -> Iterator[Problem]:
    number = Decimal(str(value))
    for name, beyond in (("minimum", -1), ("maximum", 1)):
        limit = _limit(schema, name)
        if limit is None:
            continue
        compared = number.compare(Decimal(str(limit)))
        shut = f"exclusive{name.capitalize()}"
        if compared == beyond or (compared == 0 and schema.get(shut) is True):
            yield place, name
    for name, wrong in (("exclusiveMinimum", (-1, 0)), ("exclusiveMaximum", (1, 0))):
        limit = _limit(schema, name)
        if limit is not None and int(number.compare(Decimal(str(limit)))) in wrong:
            yield place, name
