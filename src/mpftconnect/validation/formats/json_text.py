"""JSON as FHIR has it: a fast reader, and a careful one that says what is wrong and where.

The fast reader is `msgspec` with decimals kept as written. It cannot see repeated properties, so it counts:
written again, a value has as many colons as the text that it was read from, one for each property and those
inside texts, and fewer only if a property was dropped (RFC 8259 section 4; FHIR R4 "JSON", "duplicate property
names"). Where a colon may have been written as an escape, the `":` of the text are counted and compared with
the properties that were read, which are never more. Where the counts
differ, or the text is refused, the careful reader runs. It goes on after common mistakes, so that one
comma too many does not hide the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

__all__ = ["DEEPEST", "Careful", "Pointer", "Problem", "read_carefully", "read_fast"]

Pointer = tuple[str | int, ...]
DEEPEST = 256

_FAST = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder()
_FEW_ESCAPES = 16
_COLON = re.compile(rb'"\s+:')
_SPACES = re.compile(r"[ \t\r\n]*")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?(?![0-9A-Za-z.+-])")
_LOOSE_NUMBER = re.compile(r"[-+0-9.eE]+")
_WORD = re.compile(r"[A-Za-z_$][A-Za-z0-9_$\-]*")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the text: rule, where, and a sentence."""

    rule: str
    pointer: Pointer
    line: int
    column: int
    message: str
    severity: str = "error"


@dataclass(slots=True)
class Careful:
    """What the careful reader made of a text."""

    value: Any = None
    problems: list[Problem] = field(default_factory=list)
    positions: dict[Pointer, tuple[int, int]] = field(default_factory=dict)


def read_fast(data: bytes) -> Any | None:
    """The value, or None where the careful reader must look (an error, or properties that may repeat)."""
    try:
        value = _FAST.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, InvalidOperation):
        return None
    if not _names_a_letter(data):
        try:
            written = _ENCODER.encode(value)
        except (OverflowError, RecursionError, msgspec.MsgspecError):  # a whole number of more than 64 bits
            return None
        return value if written.count(b":") == data.count(b":") else None
    expected = data.count(b'":') + len(_COLON.findall(data))
    return value if _properties(value) == expected else None


def _names_a_letter(data: bytes) -> bool:
    """Whether a text may have an escape that stands for any letter (`\\u003a`); one too many is no harm."""
    at = data.find(b"\\")
    for _ in range(_FEW_ESCAPES):
        if at < 0:
            return False
        if data[at + 1 : at + 2] == b"u":
            return True
        at = data.find(b"\\", at + 2)
    return at >= 0 and b"\\u" in data


def _properties(value: Any) -> int:
    """How many properties all objects of a value have."""
    total = 0
    stack = [value]
    pop, push = stack.pop, stack.extend
    while stack:
        item = pop()
        if item.__class__ is dict:
            total += len(item)
            push(item.values())
        elif item.__class__ is list:
            push(item)
    return total


class _Stop(Exception):
    """The text cannot be read on."""


def read_carefully(text: str, *, allow_comments: bool = False) -> Careful:
    """Read JSON with positions, going on after what can be mended."""
    reader = _Reader(text, allow_comments)
    result = Careful(problems=reader.problems, positions=reader.positions)
    try:
        reader.spaces()
        result.value = reader.value((), 0)
        reader.spaces()
        if reader.at < len(text):
            reader.problem("json-syntax", (), "has more text after its end")
    except _Stop:
        result.value = None
    return result


class _Reader:
    def __init__(self, text: str, allow_comments: bool) -> None:
        self.text = text
        self.at = 0
        self.problems: list[Problem] = []
        self.positions: dict[Pointer, tuple[int, int]] = {}
        self._comments = allow_comments
        self._lines = [match.end() for match in re.finditer("\n", text)]
        self._pointer: Pointer = ()

    def where(self, at: int | None = None) -> tuple[int, int]:
        from bisect import bisect_right

        at = self.at if at is None else at
        line = bisect_right(self._lines, at)
        return line + 1, at - (self._lines[line - 1] if line else 0) + 1

    def problem(self, rule: str, pointer: Pointer, message: str) -> None:
        if len(self.problems) < 1000:
            line, column = self.where()
            self.problems.append(Problem(rule, pointer, line, column, message))

    def stop(self, pointer: Pointer, message: str) -> _Stop:
        self.problem("json-syntax", pointer, message)
        return _Stop()

    def spaces(self) -> None:
        text = self.text
        while True:
            match = _SPACES.match(text, self.at)
            self.at = match.end() if match else self.at
            if text.startswith("//", self.at):
                end = text.find("\n", self.at)
                self._comment(len(text) if end < 0 else end)
            elif text.startswith("/*", self.at):
                end = text.find("*/", self.at + 2)
                self._comment(len(text) if end < 0 else end + 2)
            elif text.startswith("\ufeff", self.at) and self.at == 0:
                self.at = 1
            else:
                return

    def _comment(self, end: int) -> None:
        if not self._comments:
            self.problem("json-comment", self._pointer, "has a comment, which JSON does not allow")
        self.at = end

    def value(self, pointer: Pointer, depth: int) -> Any:
        if depth > DEEPEST:
            self.problem("too-deep", pointer, f"is nested deeper than {DEEPEST} levels")
            raise _Stop
        text = self.text
        self._pointer = pointer
        self.positions.setdefault(pointer, self.where())
        mark = text[self.at : self.at + 1]
        if mark == "{":
            return self._object(pointer, depth)
        if mark == "[":
            return self._array(pointer, depth)
        if mark == '"':
            return self._string(pointer)
        number = _NUMBER.match(text, self.at)
        if number:
            self.at = number.end()
            try:
                return Decimal(number[0]) if number[2] or number[3] else _whole(number[0])
            except InvalidOperation:
                self.problem("json-syntax", pointer, "has a number whose exponent is beyond what can be held")
                return number[0]
        word = _WORD.match(text, self.at)
        if word:
            self.at = word.end()
            if word[0] in ("true", "false", "null"):
                return {"true": True, "false": False, "null": None}[word[0]]
            self.problem("json-syntax", pointer, "has a value without quotes")
            return word[0]
        loose = _LOOSE_NUMBER.match(text, self.at)
        if loose:
            self.at = loose.end()
            self.problem("json-syntax", pointer, "has a number that JSON does not allow")
            return loose[0]
        raise self.stop(
            pointer, "ends where a value is expected" if not mark else "has a mark where a value is expected"
        )

    def _object(self, pointer: Pointer, depth: int) -> dict[str, Any]:
        self.at += 1
        result: dict[str, Any] = {}
        after_comma = False
        while True:
            self._pointer = pointer
            self.spaces()
            mark = self.text[self.at : self.at + 1]
            if mark == "}":
                if after_comma:
                    self.problem("json-syntax", pointer, "has a comma too many at the end of an object")
                self.at += 1
                return result
            if mark == '"':
                key = self._string(pointer)
            else:
                word = _WORD.match(self.text, self.at)
                if word is None:
                    raise self.stop(
                        pointer,
                        "has an object that is not closed"
                        if not mark
                        else "has a mark where a property or } is expected",
                    )
                self.at = word.end()
                self.problem("json-syntax", pointer, "has a property without quotes around its name")
                key = word[0]
            self.spaces()
            if self.text[self.at : self.at + 1] != ":":
                raise self.stop(pointer, "has a property without a colon")
            self.at += 1
            inner = (*pointer, key)
            self._pointer = inner
            self.spaces()
            if key in result:
                self.problem("json-duplicate", inner, "repeats a property")
            result[key] = self.value(inner, depth + 1)
            self._pointer = pointer
            self.spaces()
            after_comma = self._comma(pointer, "}")

    def _array(self, pointer: Pointer, depth: int) -> list[Any]:
        self.at += 1
        result: list[Any] = []
        after_comma = False
        while True:
            self._pointer = pointer
            self.spaces()
            if self.text[self.at : self.at + 1] == "]":
                if after_comma:
                    self.problem("json-syntax", pointer, "has a comma too many at the end of an array")
                self.at += 1
                return result
            result.append(self.value((*pointer, len(result)), depth + 1))
            self._pointer = pointer
            self.spaces()
            after_comma = self._comma(pointer, "]")

    def _comma(self, pointer: Pointer, end: str) -> bool:
        mark = self.text[self.at : self.at + 1]
        if mark == ",":
            self.at += 1
            self._pointer = pointer
            self.spaces()
            while self.text[self.at : self.at + 1] == ",":
                self.problem("json-syntax", pointer, "has a comma too many")
                self.at += 1
                self.spaces()
            return True
        if mark == end:
            return False
        if mark == "" or mark in "]}:":
            raise self.stop(pointer, f"is not closed with {end} where it should be")
        self.problem("json-syntax", pointer, "lacks a comma")
        return False

    def _string(self, pointer: Pointer) -> str:
        text = self.text
        start = self.at
        self.at += 1
        pieces: list[str] = []
        while True:
            match = _PLAIN.match(text, self.at)
            end = match.end() if match else self.at
            pieces.append(text[self.at : end])
            self.at = end
            mark = text[end : end + 1]
            if mark == '"':
                self.at += 1
                return "".join(pieces)
            if mark == "":
                self.at = start
                raise self.stop(pointer, "has a text whose quotes are not closed")
            if mark == "\\":
                pieces.append(self._escape(pointer))
                continue
            self.problem("json-syntax", pointer, "has a control character in a text")
            pieces.append(" ")
            self.at += 1

    def _escape(self, pointer: Pointer) -> str:
        text = self.text
        mark = text[self.at + 1 : self.at + 2]
        if mark in _ESCAPES:
            self.at += 2
            return _ESCAPES[mark]
        digits = text[self.at + 2 : self.at + 6]
        if mark == "u" and re.fullmatch("[0-9A-Fa-f]{4}", digits):
            self.at += 6
            code = int(digits, 16)
            if 0xD800 <= code < 0xDC00 and text.startswith("\\u", self.at):
                low = text[self.at + 2 : self.at + 6]
                if re.fullmatch("[Dd][C-Fc-f][0-9A-Fa-f]{2}", low):
                    self.at += 6
                    return chr(0x10000 + ((code - 0xD800) << 10) + (int(low, 16) - 0xDC00))
            if 0xD800 <= code < 0xE000:
                self.problem("json-syntax", pointer, "has half of a surrogate pair")
                return "\ufffd"
            return chr(code)
        self.problem("json-syntax", pointer, "has an escape that JSON does not know")
        self.at += 2 if mark else 1
        return mark


def _whole(digits: str) -> int | Decimal:
    # int() of very long digits is refused by Python itself; as a decimal it is judged like any other.
    return int(digits) if len(digits) < 400 else Decimal(digits)
