"""Regular expressions as a tree: the part of the common flavours (Java, PCRE, XML Schema) that profiles use.

What is not read here is refused, never passed on in the hope that another engine means the same by it.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "Alternatives",
    "Anchor",
    "BackReference",
    "Characters",
    "Group",
    "Look",
    "NotAPattern",
    "Pattern",
    "Repeat",
    "Sequence",
    "Unsupported",
    "read",
]

_MOST_REPEATS = 1000
_DEEPEST = 40


class NotAPattern(ValueError):
    """Not a regular expression."""


class Unsupported(ValueError):
    """A regular expression of a kind that is not read here."""


@dataclass(frozen=True, slots=True)
class Characters:
    """One character out of ranges and Unicode categories, or none of them."""

    ranges: tuple[tuple[int, int], ...] = ()
    categories: tuple[tuple[str, bool], ...] = ()
    negated: bool = False
    folded: bool = False

    def has(self, character: str) -> bool:
        if self.folded:
            return (
                any(self._has(each) for each in {character, character.lower(), character.upper()}) is not self.negated
            )
        return self._has(character) is not self.negated

    def _has(self, character: str) -> bool:
        code = ord(character)
        return any(low <= code <= high for low, high in self.ranges) or any(
            unicodedata.category(character).startswith(name) is wanted for name, wanted in self.categories
        )


@dataclass(frozen=True, slots=True)
class Anchor:
    """`^`, `$`, `b` (edge of a word), `B` (no edge) or `z` (the very end)."""

    kind: str


@dataclass(frozen=True, slots=True)
class BackReference:
    group: int


@dataclass(frozen=True, slots=True)
class Sequence:
    parts: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Alternatives:
    parts: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    part: Pattern
    least: int
    most: int | None
    lazy: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    part: Pattern
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    part: Pattern
    behind: bool
    negated: bool


Pattern: TypeAlias = Characters | Anchor | BackReference | Sequence | Alternatives | Repeat | Group | Look

_DIGIT = ((48, 57),)
_SPACE = ((9, 13), (32, 32))
_WORD = ((48, 57), (65, 90), (95, 95), (97, 122))
_CLASSES = {"d": _DIGIT, "s": _SPACE, "w": _WORD, "h": ((9, 9), (32, 32), (160, 160)), "v": ((10, 13), (133, 133))}
_CONTROLS = {"n": 10, "r": 13, "t": 9, "f": 12, "v": 11, "a": 7, "e": 27, "0": 0}
_ANY = Characters((), negated=True)


def _inverse(ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    found, at = [], 0
    for low, high in sorted(ranges):
        if low > at:
            found.append((at, low - 1))
        at = max(at, high + 1)
    if at <= 0x10FFFF:
        found.append((at, 0x10FFFF))
    return tuple(found)


def read(text: str) -> Pattern:
    """The tree of a pattern. `.` is any character, line ends included (the official suite's single-line mode)."""
    reader = _Reader(text)
    tree = reader.alternatives()
    if reader.at < len(text):
        raise NotAPattern("a bracket is closed that was not opened")
    return tree


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.groups = 0
        self.folded = False
        self.depth = 0

    def _peek(self, length: int = 1) -> str:
        return self.text[self.at : self.at + length]

    def _take(self) -> str:
        if self.at >= len(self.text):
            raise NotAPattern("it ends too soon")
        self.at += 1
        return self.text[self.at - 1]

    def _takes(self, wanted: str) -> bool:
        if self.text.startswith(wanted, self.at):
            self.at += len(wanted)
            return True
        return False

    def alternatives(self) -> Pattern:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise Unsupported("it nests too deep")
        parts = [self._sequence()]
        while self._takes("|"):
            parts.append(self._sequence())
        self.depth -= 1
        return parts[0] if len(parts) == 1 else Alternatives(tuple(parts))

    def _sequence(self) -> Pattern:
        parts: list[Pattern] = []
        while self.at < len(self.text) and self._peek() not in "|)":
            parts.append(self._quantified())
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _quantified(self) -> Pattern:
        part = self._atom()
        while self._peek() and self._peek() in "*+?{":
            bounds = self._bounds()
            if bounds is None:
                break
            least, most = bounds
            if self._takes("+"):
                raise Unsupported("possessive repeats are not read")
            if isinstance(part, Anchor | Repeat):
                raise NotAPattern("there is nothing to repeat")
            part = Repeat(part, least, most, self._takes("?"))
        return part

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._takes(sign):
                return bounds
        end = self.text.find("}", self.at)
        inside = self.text[self.at + 1 : end] if end > 0 else ""
        low, comma, high = inside.partition(",")
        if not (low.isascii() and low.isdigit()) or not (high == "" or (high.isascii() and high.isdigit())):
            return None  # a brace that stands for itself
        self.at = end + 1
        least = int(low[:6])
        most = least if not comma else int(high[:6]) if high else None
        if least > _MOST_REPEATS or (most is not None and most > _MOST_REPEATS):
            raise Unsupported("it repeats more often than is allowed")
        if most is not None and most < least:
            raise NotAPattern("a repeat has its bounds exchanged")
        return least, most

    def _atom(self) -> Pattern:
        character = self._take()
        match character:
            case "(":
                return self._group()
            case "[":
                return self._set()
            case ".":
                return _ANY
            case "^" | "$":
                return Anchor(character)
            case "\\":
                return self._escape()
            case "*" | "+" | "?":
                raise NotAPattern("there is nothing to repeat")
            case _:
                return self._one(ord(character))

    def _one(self, code: int) -> Characters:
        return Characters(((code, code),), folded=self.folded)

    def _group(self) -> Pattern:
        if not self._takes("?"):
            self.groups += 1
            return Group(self._closed())
        if self._takes(":"):
            return Sequence((self._closed(),))
        for sign, behind, negated in (("=", False, False), ("!", False, True), ("<=", True, False), ("<!", True, True)):
            if self._takes(sign):
                return Look(self._closed(), behind, negated)
        if self._peek() in ("i", "s"):
            return self._flags()
        if self._takes("P<") or self._takes("<"):
            name, _, _ = self.text[self.at :].partition(">")
            if not name.isidentifier() or not name.isascii():
                raise NotAPattern("a group has no name")
            self.at += len(name) + 1
            self.groups += 1
            return Group(self._closed(), name)
        raise Unsupported("a group of a kind that is not read")

    def _flags(self) -> Pattern:
        if self.at != 2:
            raise Unsupported("flags are read at the start only")
        flags, closed, _ = self.text[self.at :].partition(")")
        if not closed or set(flags) - {"i", "s"}:
            raise Unsupported("flags that are not read")
        self.folded = "i" in flags
        self.at += len(flags) + 1
        return Sequence(())

    def _closed(self) -> Pattern:
        part = self.alternatives()
        if not self._takes(")"):
            raise NotAPattern("a bracket is not closed")
        return part

    def _escape(self) -> Pattern:
        character = self._take()
        if character in ("b", "B"):
            return Anchor(character)
        if character in ("A", "Z", "z"):
            return Anchor({"A": "^", "Z": "$", "z": "z"}[character])
        if character in "123456789":
            if int(character) > self.groups:
                raise NotAPattern("it refers to a group that is not there")
            return BackReference(int(character))
        ranges, categories = self._class(character)
        return Characters(ranges, categories, folded=self.folded)

    def _class(self, character: str) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[str, bool], ...]]:
        """What an escape stands for, in a set or alone."""
        if character in _CLASSES:
            return _CLASSES[character], ()
        if character.lower() in _CLASSES:
            return _inverse(_CLASSES[character.lower()]), ()
        if character in ("p", "P"):
            name = self._property()
            return (), ((name, character == "p"),)
        if character in ("u", "x"):
            length = 4 if character == "u" else 2
            digits = self._peek(length)
            if len(digits) != length or not all(each in "0123456789abcdefABCDEF" for each in digits):
                raise NotAPattern("an escape has too few digits")
            self.at += length
            return ((int(digits, 16), int(digits, 16)),), ()
        if character in _CONTROLS:
            return ((_CONTROLS[character], _CONTROLS[character]),), ()
        if character.isascii() and character.isalnum():
            raise Unsupported("an escape that is not read")
        return ((ord(character), ord(character)),), ()

    def _property(self) -> str:
        if not self._takes("{"):
            return self._take()
        name, closed, _ = self.text[self.at :].partition("}")
        self.at += len(name) + 1
        known = {
            "Lu",
            "Ll",
            "Lt",
            "Lm",
            "Lo",
            "Mn",
            "Mc",
            "Me",
            "Nd",
            "Nl",
            "No",
            "Pc",
            "Pd",
            "Ps",
            "Pe",
            "Pi",
            "Pf",
            "Po",
        }
        known |= {"Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn", *"LMNPSZC"}
        name = name.removeprefix("Is")
        if not closed or name not in known:
            raise Unsupported("a property of characters that is not read")
        return name

    def _set(self) -> Pattern:
        negated = self._takes("^")
        ranges: list[tuple[int, int]] = []
        categories: list[tuple[str, bool]] = []
        first = True
        while first or self._peek() != "]":
            character = self._take()
            if character == "[" and self._peek() == ":":
                raise Unsupported("named classes are not read")
            if self._peek(2) == "&&":
                raise Unsupported("the intersection of sets is not read")
            first = False
            if character == "\\":
                escaped = self._take()
                more, kinds = ((((8, 8),), ())) if escaped == "b" else self._class(escaped)
            else:
                more, kinds = ((ord(character), ord(character)),), ()
            if self._peek() == "-" and self._peek(2) != "-]" and len(more) == 1 and more[0][0] == more[0][1]:
                self.at += 1
                character = self._take()
                end = self._class(self._take())[0] if character == "\\" else ((ord(character), ord(character)),)
                if len(end) != 1 or end[0][0] != end[0][1] or end[0][0] < more[0][0]:
                    raise NotAPattern("a range has its ends exchanged")
                more = ((more[0][0], end[0][0]),)
            ranges += more
            categories += kinds
        self.at += 1
        return Characters(tuple(ranges), tuple(categories), negated, self.folded)
