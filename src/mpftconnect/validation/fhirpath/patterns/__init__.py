"""Regular expressions of `matches()` and `replaceMatches()`. They come from profiles, so they may be hostile.

Python's `re` tries one way after another and may take longer than anybody waits. It is used only where the number of
ways is bounded: it is counted from the pattern and the length of the text. Otherwise the pattern is run by an automaton
that takes time in proportion to the text. What neither can do (look-around or back references in a pattern with
unbounded ways; replacing by such a pattern) is `NotEvaluable`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

from mpftconnect.errors import FhirPathError, NotEvaluable
from mpftconnect.validation.fhirpath.patterns.automaton import Automaton
from mpftconnect.validation.fhirpath.patterns.syntax import (
    Alternatives,
    Anchor,
    BackReference,
    Characters,
    Group,
    Look,
    NotAPattern,
    Pattern,
    Repeat,
    Sequence,
    Unsupported,
    read,
)

__all__ = ["RegularExpression", "pattern"]

LONGEST_PATTERN = 10_000
LONGEST_TEXT = 1_000_000
# So many ways, times the places where a match may begin, that `re` may try: some milliseconds.
_MOST_WAYS = 200_000
_UNBOUNDED = 10**9


Spend: TypeAlias = Callable[[int], None]


def _freely(amount: int) -> None:
    """Nobody counts."""


@lru_cache(maxsize=512)
def pattern(text: str, position: int | None = None) -> RegularExpression:
    """A pattern made ready.

    Raises:
        FhirPathError: It is no regular expression.
        NotEvaluable: It is of a kind that is not supported.

    >>> pattern("^(a+)+$").found_in("a" * 5000 + "!")
    False
    """
    return RegularExpression(text, position)


class RegularExpression:
    """One pattern, matched safely."""

    def __init__(self, text: str, position: int | None) -> None:
        if len(text) > LONGEST_PATTERN:
            raise NotEvaluable("a pattern too long to be matched safely", position=position)
        self._python: re.Pattern[str] | None = None
        try:
            self._tree = read(text)
            self._python = re.compile(_written(self._tree), re.DOTALL | re.ASCII)
        except NotAPattern as wrong:
            raise FhirPathError(f"not a regular expression: {wrong}", position=position) from None
        except Unsupported as wrong:
            raise NotEvaluable(f"a regular expression that is not supported: {wrong}", position=position) from None
        except _NotForPython:
            pass
        except (re.error, OverflowError, RecursionError):
            raise NotEvaluable("a regular expression that is not supported", position=position) from None
        # A pattern is asked for parts or for the whole; the states of the two differ.
        self._automata: dict[bool, Automaton] = {}
        self._ways: dict[int, int] = {}

    def _safe(self, text: str) -> re.Pattern[str] | None:
        """Python's pattern, if it cannot run away on this text."""
        if len(text) > LONGEST_TEXT:
            raise NotEvaluable("a text too long to be matched")
        if self._python is None:
            return None
        length = 1 << len(text).bit_length()
        if length not in self._ways:
            self._ways[length] = _ways(self._tree, length) * length
        return self._python if self._ways[length] <= _MOST_WAYS else None

    def _linear(self, *, anywhere: bool) -> Automaton:
        if anywhere not in self._automata:
            self._automata[anywhere] = Automaton(self._tree)
        return self._automata[anywhere]

    def found_in(self, text: str, spend: Spend = _freely) -> bool:
        """Whether it matches some part of the text. `spend` is told of work beyond the length of the text."""
        python = self._safe(text)
        if python is not None:
            return python.search(text) is not None
        return self._linear(anywhere=True).matches(text, spend, anywhere=True)

    def is_whole(self, text: str, spend: Spend = _freely) -> bool:
        """Whether it matches the whole text. `spend` as of `found_in`."""
        python = self._safe(text)
        if python is not None:
            return python.fullmatch(text) is not None
        return self._linear(anywhere=False).matches(text, spend, anywhere=False)

    def replaced(self, text: str, instead: str) -> str:
        """The text with every match replaced; `$1` and `${name}` in `instead` are what a group matched."""
        python = self._safe(text)
        if python is None:
            raise NotEvaluable("a pattern that cannot be replaced safely")
        parts = _REFERENCE.split(instead)
        if (len(text) + 1) * len(instead) > 100 * LONGEST_TEXT:
            raise NotEvaluable("a replacement too long")

        def replacement(found: re.Match[str]) -> str:
            made = [parts[0]]
            for at in range(1, len(parts), 4):
                number, name, escaped, plain = parts[at : at + 4]
                group: int | str = int(number) if number else name
                try:
                    made.append(escaped[1:] if escaped else found[group] or "")
                except IndexError:
                    raise FhirPathError("the replacement refers to a group that is not there") from None
                made.append(plain)
            return "".join(made)

        return python.sub(replacement, text)


_REFERENCE = re.compile(r"\$(\d)|\$\{([A-Za-z]\w*)\}|(\\.)", re.ASCII | re.DOTALL)


def _ways(tree: Pattern, length: int) -> int:
    """At most how many ways a backtracking engine tries at one place of a text of so many characters."""
    match tree:
        case Characters() | Anchor() | BackReference():
            return 1
        case Group(part=part) | Look(part=part):
            return _ways(part, length)
        case Sequence(parts=parts):
            ways = 1
            for part in parts:
                ways = min(_UNBOUNDED, ways * _ways(part, length))
            return ways
        case Alternatives(parts=parts):
            return min(_UNBOUNDED, sum(_ways(part, length) for part in parts))
        case Repeat(part=part, least=least, most=most):
            inner = _ways(part, length)
            most = length if most is None else min(most, length) if isinstance(part, Characters) else most
            if inner == 1:
                # A body that can match nothing might be repeated without end.
                return max(1, most - min(least, most) + 1) if not _may_be_empty(part) else _UNBOUNDED
            ways = 0
            for times in range(least, most + 1):
                ways += inner**times
                if ways > _UNBOUNDED:
                    return _UNBOUNDED
            return ways


def _may_be_empty(tree: Pattern) -> bool:
    match tree:
        case Characters():
            return False
        case Group(part=part):
            return _may_be_empty(part)
        case Sequence(parts=parts):
            return all(_may_be_empty(part) for part in parts)
        case Alternatives(parts=parts):
            return any(_may_be_empty(part) for part in parts)
        case Repeat(part=part, least=least):
            return least == 0 or _may_be_empty(part)
        case _:
            return True


class _NotForPython(Exception):
    pass


def _written(tree: Pattern) -> str:
    """The pattern in Python's own form."""
    match tree:
        case Characters():
            return _written_set(tree)
        case Anchor(kind=kind):
            return {"^": r"\A", "$": "$", "z": r"\Z", "b": r"\b", "B": r"\B"}[kind]
        case BackReference(group=group):
            return rf"(?:\{group})"
        case Group(part=part, name=name):
            return f"(?P<{name}>{_written(part)})" if name else f"({_written(part)})"
        case Sequence(parts=parts):
            return "(?:" + "".join(_written(part) for part in parts) + ")"
        case Alternatives(parts=parts):
            return "(?:" + "|".join(_written(part) for part in parts) + ")"
        case Look(part=part, behind=behind, negated=negated):
            return f"(?{'<' if behind else ''}{'!' if negated else '='}{_written(part)})"
        case Repeat(part=part, least=least, most=most, lazy=lazy):
            bounds = f"{{{least},{'' if most is None else most}}}"
            return f"(?:{_written(part)}){bounds}{'?' if lazy else ''}"


def _written_set(characters: Characters) -> str:
    if characters.categories:
        raise _NotForPython
    if not characters.ranges:
        return "." if characters.negated else "(?!)"
    inside = "".join(
        _escaped(low) if low == high else f"{_escaped(low)}-{_escaped(high)}" for low, high in characters.ranges
    )
    written = f"[{'^' if characters.negated else ''}{inside}]"
    return f"(?i:{written})" if characters.folded else written


def _escaped(code: int) -> str:
    return f"\\U{code:08x}"
