"""The forms of FHIR's primitive types, as the wire carries them.

Sources: FHIR R4 (4.0.1) "Data Types", "Primitive Types" (regular expressions and the prose beside them) and
"Resource Representations in JSON"; STU3 3.0.2 likewise (it lacks `url`, `canonical` and `uuid`).

Each check takes the value as parsed and returns None, or a sentence that says what is expected. A sentence
never repeats the value.
"""

from __future__ import annotations

import binascii
import datetime
import re
from base64 import b64decode
from collections.abc import Callable
from decimal import Decimal
from typing import Any

__all__ = ["JSON_KIND", "PRIMITIVES", "check_for", "real_date"]

Check = Callable[[Any], str | None]

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_SPACE = re.compile(r"\s")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_OID = re.compile(r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+")
_UUID = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CODE = re.compile(r"[^\s]+( [^\s]+)*")
_DATE = re.compile(r"([0-9]{4})(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?")
_ZONE = r"(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
_DATE_TIME = re.compile(rf"([0-9]{{4}})(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01])(T{_TIME}{_ZONE})?)?)?")
_NO_ZONE = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_TIME}")
_NO_SECONDS = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}{_ZONE}?")
_INSTANT = re.compile(rf"([0-9]{{4}})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T{_TIME}{_ZONE}")
_ONLY_TIME = re.compile(_TIME)
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_MAXIMUM_STRING = 1024 * 1024
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DECIMAL_DIGITS = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def real_date(text: str) -> bool:
    """Whether the day that a date or dateTime names exists.

    >>> real_date("2024-02-29"), real_date("2023-02-29"), real_date("2023")
    (True, False, True)
    """
    if len(text) < 10:
        return not text.startswith("0000")
    day, month = int(text[8:10]), int(text[5:7])
    if day <= 28:
        return not text.startswith("0000")
    if day > _DAYS[month - 1]:
        return False
    try:
        datetime.date(int(text[:4]), month, day)
    except ValueError:
        return False
    return True


def _not_text(value: Any) -> str:
    kind = (
        "a number" if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else type(value).__name__
    )
    kinds = {"bool": "true or false", "dict": "an object", "list": "an array", "NoneType": "null"}
    return f"must be text in quotes, not {kinds.get(kind, kind)}"


def string(value: Any) -> str | None:
    if value.__class__ is not str:
        return _not_text(value)
    if value.isprintable() and len(value) <= _MAXIMUM_STRING and not value.isspace() and value:
        return None  # the usual case
    if not value:
        return "must not be empty"
    if _CONTROL.search(value):
        return "holds a control character, which FHIR does not allow"
    if len(value) > _MAXIMUM_STRING:
        return "is longer than 1 MB"
    if value.isspace():
        return "must not be only white space"
    return None


def markdown(value: Any) -> str | None:
    return string(value)


def boolean(value: Any) -> str | None:
    if value.__class__ is bool:
        return None
    return "must be true or false, without quotes"


def _integer(least: int, words: str) -> Check:
    def check(value: Any) -> str | None:
        if value.__class__ is not int:
            return f"must be {words}, without quotes or decimal point"
        if not least <= value <= 2147483647:
            return f"must be {words}, from {least} to 2147483647"
        return None

    return check


def decimal(value: Any) -> str | None:
    kind = value.__class__
    if kind is Decimal or kind is int or kind is float:
        if kind is Decimal and not value.is_finite():
            return "must be a finite number"
        return None
    return "must be a decimal number, without quotes"


def _uri_form(value: str) -> str | None:
    if value.startswith("urn:oid:") and not _OID.fullmatch(value):
        return "must be a valid OID after urn:oid:"
    if value.startswith("urn:uuid:") and not _UUID.fullmatch(value):
        return "must be a valid UUID, in lower case, after urn:uuid:"
    if value.startswith(("oid:", "uuid:")):
        return "must start with urn: before oid: or uuid:"
    return None


def uri(value: Any) -> str | None:
    if value.__class__ is not str:
        return _not_text(value)
    if not value:
        return "must not be empty"
    if _SPACE.search(value):
        return "must be a URI, which holds no white space"
    if _CONTROL.search(value):
        return "holds a control character, which FHIR does not allow"
    return _uri_form(value) if value[0] in "uo" else None


def canonical(value: Any) -> str | None:
    problem = uri(value)
    if problem is None and ":" not in value.split("/")[0] and not value.startswith("#"):
        return "must be an absolute URL (or start with # for what is contained)"
    return problem


def oid(value: Any) -> str | None:
    if value.__class__ is not str:
        return _not_text(value)
    return None if _OID.fullmatch(value) else "must be urn:oid: and a valid OID"


def uuid(value: Any) -> str | None:
    if value.__class__ is not str:
        return _not_text(value)
    return None if _UUID.fullmatch(value) else "must be urn:uuid: and a valid UUID in lower case"


def identifier(value: Any) -> str | None:
    if value.__class__ is not str:
        return _not_text(value)
    if _ID.fullmatch(value):
        return None
    if len(value) > 64:
        return f"must have at most 64 characters, and has {len(value)}"
    return "must be 1 to 64 of A-Z, a-z, 0-9, - and ."


def code(value: Any) -> str | None:
    if value.__class__ is not str:
        return _not_text(value)
    if not value:
        return "must not be empty"
    if not _CODE.fullmatch(value):
        return "must be a code: no white space at its ends, single spaces inside"
    return None


def date(value: Any) -> str | None:
    if value.__class__ is not str:
        return _not_text(value)
    if not _DATE.fullmatch(value):
        return "must be a date: YYYY, YYYY-MM or YYYY-MM-DD"
    return None if real_date(value) else "names a day that does not exist"


def date_time(value: Any) -> str | None:
    if value.__class__ is not str:
        return _not_text(value)
    if not _DATE_TIME.fullmatch(value):
        if _NO_ZONE.fullmatch(value):
            return "has a time, so it must have a time zone"
        if _NO_SECONDS.fullmatch(value):
            return "has a time, so it must have seconds"
        return "must be a dateTime: YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss+zz:zz"
    return None if real_date(value) else "names a day that does not exist"


def instant(value: Any) -> str | None:
    if value.__class__ is not str:
        return _not_text(value)
    if not _INSTANT.fullmatch(value):
        return "must be an instant: YYYY-MM-DDThh:mm:ss.sss+zz:zz"
    return None if real_date(value) else "names a day that does not exist"


def time(value: Any) -> str | None:
    if value.__class__ is not str:
        return _not_text(value)
    return None if _ONLY_TIME.fullmatch(value) else "must be a time: hh:mm:ss"


def base64_binary(value: Any) -> str | None:
    if value.__class__ is not str:
        return _not_text(value)
    compact = value if value.isalnum() else _SPACE.sub("", value)
    if not compact:
        return "must not be empty"
    if len(compact) % 4 or not _BASE64.fullmatch(compact):
        return "must be valid base64"
    try:
        b64decode(compact, validate=True)
    except (binascii.Error, ValueError):
        return "must be valid base64"
    return None


def xhtml(value: Any) -> str | None:
    """Only that it is text; its rules are the narrative's (`xhtml.py`)."""
    return None if value.__class__ is str and value else "must be an XHTML div as text"


PRIMITIVES: dict[str, Check] = {
    "base64Binary": base64_binary,
    "boolean": boolean,
    "canonical": canonical,
    "code": code,
    "date": date,
    "dateTime": date_time,
    "decimal": decimal,
    "id": identifier,
    "instant": instant,
    "integer": _integer(-2147483648, "a whole number"),
    "markdown": markdown,
    "oid": oid,
    "positiveInt": _integer(1, "a positive whole number"),
    "string": string,
    "time": time,
    "unsignedInt": _integer(0, "a whole number that is not negative"),
    "uri": uri,
    "url": uri,
    "uuid": uuid,
    "xhtml": xhtml,
}
# What a primitive is in JSON; all others are text.
JSON_KIND = {
    "boolean": "boolean",
    "decimal": "number",
    "integer": "number",
    "positiveInt": "number",
    "unsignedInt": "number",
}


def check_for(code_: str) -> Check:
    """The check of a primitive type; a type that is not FHIR's is held to be a string."""
    return PRIMITIVES.get(code_, string)
