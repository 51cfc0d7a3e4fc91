"""Quick tests of primitives: each is met only by what the type's own check (`primitives.py`) says nothing about.

What is not met is no mistake yet: the type's own check looks again. A test is a piece of Python on the value `{v}`,
written into what is generated; the functions that it names are in `NAMES`. Tests hold this against `primitives.py`.
"""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from typing import Any

from mpftconnect.validation.primitives import PRIMITIVES

__all__ = ["NAMES", "SYSTEMS", "form_test", "is_id"]

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}").fullmatch
_MOST_SYSTEMS = 2_000
_LONGEST_SYSTEM = 200
_date = datetime.date.fromisoformat
_date_time = datetime.datetime.fromisoformat
_slow_date, _slow_date_time, _slow_uri = PRIMITIVES["date"], PRIMITIVES["dateTime"], PRIMITIVES["uri"]
# Addresses of systems and extensions that were met, and are of the form of a URI: the same few come again and again.
SYSTEMS: set[str] = set()


def is_date(value: Any) -> bool:
    """Whether a value is a date. `fromisoformat` knows which days exist; other forms that it takes are kept out."""
    if value.__class__ is str and len(value) == 10 and value[4] == "-" == value[7]:
        try:
            _date(value)
        except ValueError:
            return False
        return True
    return _slow_date(value) is None


def is_date_time(value: Any) -> bool:
    """Whether a value is a dateTime."""
    if value.__class__ is not str:
        return False
    size = len(value)
    if size == 10:
        return is_date(value)
    if (
        (size == 20 or size == 25)
        and value[4] == "-" == value[7]
        and value[10] == "T"
        and value[13] == ":" == value[16]
        and (value[19] == "Z" if size == 20 else value[22] == ":" and value[19] in "+-" and value[20:22] < "14")
    ):
        try:
            _date_time(value)
        except ValueError:
            return _slow_date_time(value) is None  # a leap second
        return True
    return _slow_date_time(value) is None


def is_not_after(first: Any, then: Any) -> bool:
    """Whether two dates or times of the same form and zone, both of which exist, stand in order."""
    return (
        first.__class__ is str
        and then.__class__ is str
        and len(first) == len(then)
        and len(first) in (10, 20, 25)
        and first[19:] == then[19:]
        and first[17:19] != "60" != then[17:19]
        and first <= then
        and is_date_time(first)
        and is_date_time(then)
    )


def is_id(value: str) -> bool:
    """Whether a text is an id."""
    if value.replace("-", "").isalnum() and value.isascii():
        return len(value) <= 64
    return _ID(value) is not None


def is_system(value: str) -> bool:
    """Whether a text has the form of a URI; if so it is kept in `SYSTEMS`."""
    if _slow_uri(value) is not None:
        return False
    if len(value) <= _LONGEST_SYSTEM and len(SYSTEMS) < _MOST_SYSTEMS:
        SYSTEMS.add(value)
    return True


NAMES: dict[str, Any] = {
    "is_date": is_date,
    "is_date_time": is_date_time,
    "is_id": is_id,
    "is_not_after": is_not_after,
    "is_system": is_system,
    "is_code": re.compile(r"[^\s]+( [^\s]+)*").fullmatch,
    "SYSTEMS": SYSTEMS,
    "Decimal": Decimal,
    "NUMBERS": (int, Decimal),
}
_STRING = "{v}.__class__ is str and {v} >= '!' and {v}.isprintable() and len({v}) <= 1048576"
# Printable text holds no white space but the space itself, and no control characters.
_URI = "{v}.__class__ is str and {v} and {v}[0] not in 'uo' and {v}.isprintable() and ' ' not in {v}"
_TESTS = {
    "boolean": "{v}.__class__ is bool",
    "code": "{v}.__class__ is str and ({v}.isalnum() or is_code({v}))",
    "date": "is_date({v})",
    "dateTime": "is_date_time({v})",
    "decimal": "({v}.__class__ is int or {v}.__class__ is Decimal and {v}.is_finite())",
    "id": "{v}.__class__ is str and is_id({v})",
    "integer": "{v}.__class__ is int and -2147483648 <= {v} <= 2147483647",
    "markdown": _STRING,
    "positiveInt": "{v}.__class__ is int and 1 <= {v} <= 2147483647",
    "string": _STRING,
    "unsignedInt": "{v}.__class__ is int and 0 <= {v} <= 2147483647",
    "uri": _URI,
    "url": _URI,
    "xhtml": "{v}.__class__ is str and {v} != ''",
}
_KNOWN_SYSTEM = "{v}.__class__ is str and ({v} in SYSTEMS or is_system({v}))"


def form_test(code: str, form: object, key: str) -> str | None:
    """The test of a primitive type; None where there is none, or `form` is another check than the type's own."""
    if form is not PRIMITIVES.get(code):
        return None
    if code == "uri" and key in ("system", "url"):
        return _KNOWN_SYSTEM
    return _TESTS.get(code)
