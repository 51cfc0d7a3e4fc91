"""FHIRPath N1 (2.0.0), 5.6 "String Manipulation", with what the official suite has of later drafts."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from typing import Any

from mpftconnect.errors import NotEvaluable
from mpftconnect.validation.fhirpath.code import Code, one
from mpftconnect.validation.fhirpath.functions.registry import Call, function, value_function
from mpftconnect.validation.fhirpath.items import EMPTY, LONGEST_TEXT, Items, Scope, limited, plain
from mpftconnect.validation.fhirpath.patterns import pattern
from mpftconnect.validation.fhirpath.temporal import Date, DateTime, Time

__all__: list[str] = []

_TEXT, _NUMBER, _BOOLEAN = "System.String", "System.Integer", "System.Boolean"


def text(call: Call, value: Any) -> str:
    """The value if it is a text; dates and times count as the text that they were written as."""
    if value.__class__ is str:
        return value
    if value.__class__ in (Date, DateTime, Time):
        return str(value)
    raise call.fault(f"{call.name}() takes texts")


def _whole(call: Call, value: Any) -> int:
    if value.__class__ is not int:
        raise call.fault(f"{call.name}() takes whole numbers")
    return value


@value_function("indexOf", 1, type=_NUMBER)
def _index_of(call: Call, value: Any, part: Any) -> int:
    return text(call, value).find(text(call, part))


@value_function("lastIndexOf", 1, type=_NUMBER)
def _last_index_of(call: Call, value: Any, part: Any) -> int:
    return text(call, value).rfind(text(call, part))


@value_function("substring", 1, 2, type=_TEXT)
def _substring(call: Call, value: Any, start: Any, length: Any) -> str | None:
    whole, begin = text(call, value), _whole(call, start)
    if not 0 <= begin < len(whole):
        return None
    return whole[begin:] if length is None else whole[begin : begin + max(0, _whole(call, length))]


@value_function("startsWith", 1, type=_BOOLEAN)
def _starts_with(call: Call, value: Any, part: Any) -> bool:
    return text(call, value).startswith(text(call, part))


@value_function("endsWith", 1, type=_BOOLEAN)
def _ends_with(call: Call, value: Any, part: Any) -> bool:
    return text(call, value).endswith(text(call, part))


@value_function("contains", 1, type=_BOOLEAN)
def _contains(call: Call, value: Any, part: Any) -> bool:
    return text(call, part) in text(call, value)


@value_function("upper", type=_TEXT)
def _upper(call: Call, value: Any) -> str:
    return text(call, value).upper()


@value_function("lower", type=_TEXT)
def _lower(call: Call, value: Any) -> str:
    return text(call, value).lower()


@value_function("trim", type=_TEXT)
def _trim(call: Call, value: Any) -> str:
    return text(call, value).strip()


@value_function("length", type=_NUMBER)
def _length(call: Call, value: Any) -> int:
    return len(text(call, value))


@value_function("replace", 2, type=_TEXT)
def _replace(call: Call, value: Any, old: Any, new: Any) -> str:
    whole, part, instead = text(call, value), text(call, old), text(call, new)
    if len(whole) + whole.count(part) * len(instead) > LONGEST_TEXT:
        raise NotEvaluable("replace() makes too long a text")
    return whole.replace(part, instead)


def _register_matching(name: str, *, whole: bool) -> None:
    @function(name, 1)
    def build(call: Call) -> Code:
        value, written = one(call.source), one(call.value(0))

        def truth(this: Any, scope: Scope) -> bool | None:
            found, expression = value(this, scope), written(this, scope)
            if found is None or expression is None:
                return None
            ready = pattern(text(call, expression), call.position)
            searched = text(call, found)
            scope.spend(1 + (len(searched) >> 1))
            return ready.is_whole(searched, scope.spend) if whole else ready.found_in(searched, scope.spend)

        return Code(truth=truth, position=call.position)


# Anywhere in the text, as the official suite has it. How patterns are kept from running away: see `patterns`.
_register_matching("matches", whole=False)
_register_matching("matchesFull", whole=True)


@value_function("replaceMatches", 2, type=_TEXT, weighs=1)
def _replace_matches(call: Call, value: Any, written: Any, instead: Any) -> str:
    whole, expression = text(call, value), text(call, written)
    if not expression:
        return whole
    return limited(pattern(expression, call.position).replaced(whole, text(call, instead)))


@function("toChars")
def _to_chars(call: Call) -> Code:
    value = one(call.source)

    def characters(this: Any, scope: Scope) -> Items:
        found = value(this, scope)
        if found is None:
            return EMPTY
        scope.spend(len(text(call, found)))
        return list(text(call, found))

    return Code(characters, type=_TEXT, position=call.position)


@function("split", 1)
def _split(call: Call) -> Code:
    value, by = one(call.source), one(call.value(0))

    def parts(this: Any, scope: Scope) -> Items:
        found, separator = value(this, scope), by(this, scope)
        if found is None or separator is None:
            return EMPTY
        whole, mark = text(call, found), text(call, separator)
        scope.spend(len(whole))
        return whole.split(mark) if mark else list(whole)

    return Code(parts, type=_TEXT, position=call.position)


@function("join", 0, 1)
def _join(call: Call) -> Code:
    items, kind = call.source.items, call.source.type
    by = one(call.value(0)) if call.given(0) else None

    def joined(this: Any, scope: Scope) -> Items:
        found = items(this, scope)
        if not found:
            return EMPTY
        scope.spend(len(found))
        given = by(this, scope) if by is not None else ""
        if given is None:
            return EMPTY
        separator = text(call, given)
        parts = [text(call, value) for value in (plain(item, kind) for item in found) if value is not None]
        if sum(map(len, parts)) + len(separator) * len(parts) > LONGEST_TEXT:
            raise NotEvaluable("join() makes too long a text")
        return (separator.join(parts),)

    return Code(joined, type=_TEXT, position=call.position)


@value_function("encode", 1, type=_TEXT)
def _encode(call: Call, value: Any, form: Any) -> str | None:
    data = text(call, value).encode()
    match form:
        case "base64":
            return base64.b64encode(data).decode()
        case "urlbase64":
            return base64.urlsafe_b64encode(data).decode()
        case "hex":
            return data.hex()
        case _:
            return None


@value_function("decode", 1, type=_TEXT)
def _decode(call: Call, value: Any, form: Any) -> str | None:
    coded = text(call, value)
    try:
        match form:
            case "base64":
                return base64.b64decode(coded, validate=True).decode()
            case "urlbase64":
                return base64.b64decode(coded, altchars=b"-_", validate=True).decode()
            case "hex":
                return bytes.fromhex(coded).decode()
            case _:
                return None
    except (binascii.Error, ValueError):
        return None


@value_function("escape", 1, type=_TEXT)
def _escape(call: Call, value: Any, form: Any) -> str | None:
    match form:
        case "html":
            return html.escape(text(call, value), quote=True)
        case "json":
            return json.dumps(text(call, value), ensure_ascii=False)[1:-1]
        case _:
            return None


# RFC 8259, 7 "Strings".
_JSON_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|([\"\\/bfnrt]))", re.ASCII)
_MEANING = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else _MEANING.get(found[2], found[2])


@value_function("unescape", 1, type=_TEXT)
def _unescape(call: Call, value: Any, form: Any) -> str | None:
    match form:
        case "html":
            return html.unescape(text(call, value))
        case "json":
            return _JSON_ESCAPE.sub(_unescaped, text(call, value))
        case _:
            return None
