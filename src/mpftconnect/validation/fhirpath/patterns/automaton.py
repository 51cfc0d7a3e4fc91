"""Matching in time linear in the text, whatever the pattern: every way to match is followed at once.

States of the automaton are made when a text first leads to them, and kept.

Source:
    K. Thompson, "Regular expression search algorithm", Communications of the ACM 11(6), 1968.
"""

from __future__ import annotations

from collections.abc import Callable

from mpftconnect.errors import NotEvaluable
from mpftconnect.validation.fhirpath.patterns.syntax import (
    Alternatives,
    Anchor,
    Characters,
    Group,
    Pattern,
    Repeat,
    Sequence,
)

__all__ = ["Automaton"]

MOST_STEPS = 20_000
_MOST_STATES = 4_000

_START, _END, _LAST_LINE_END, _EDGE = 1, 2, 4, 8
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


class _Step:
    """One step of the program: a set of characters, an anchor, a fork (several `to`) or the end (no `to`)."""

    __slots__ = ("anchor", "characters", "to")

    def __init__(self) -> None:
        self.to: list[int] = []
        self.characters: Characters | None = None
        self.anchor: str | None = None


class _State:
    """Steps that may be reached, before anchors are looked at; for each kind of place what follows."""

    __slots__ = ("places", "steps")

    def __init__(self, steps: frozenset[int]) -> None:
        self.steps = steps
        self.places: dict[int, _Place] = {}


class _Place:
    __slots__ = ("accepts", "moves", "steps")

    def __init__(self, steps: list[int], accepts: bool) -> None:
        self.steps, self.accepts = steps, accepts
        self.moves: dict[str, _State] = {}


class Automaton:
    """A pattern made ready.

    Raises:
        NotEvaluable: It has look-around or back references, or becomes too large.
    """

    def __init__(self, pattern: Pattern) -> None:
        self._steps: list[_Step] = []
        self._anchors: set[str] = set()
        begin, ends = self._laid_out(pattern)
        final = self._new()
        for end in ends:
            self._steps[end].to.append(final)
        self._begin, self._final = begin, final
        self._states: dict[frozenset[int], _State] = {}

    def _new(self) -> int:
        if len(self._steps) >= MOST_STEPS:
            raise NotEvaluable("a pattern too large to be matched safely")
        self._steps.append(_Step())
        return len(self._steps) - 1

    def _laid_out(self, pattern: Pattern) -> tuple[int, list[int]]:
        """Where the steps of a pattern begin, and those that have yet to be told where to go on."""
        match pattern:
            case Characters():
                at = self._new()
                self._steps[at].characters = pattern
                return at, [at]
            case Anchor(kind=kind):
                at = self._new()
                self._steps[at].anchor = kind
                self._anchors.add(kind)
                return at, [at]
            case Group(part=part):
                return self._laid_out(part)
            case Sequence(parts=parts):
                begin = at = self._new()
                ends = [at]
                for part in parts:
                    start, new_ends = self._laid_out(part)
                    for end in ends:
                        self._steps[end].to.append(start)
                    ends = new_ends
                return begin, ends
            case Alternatives(parts=parts):
                begin = self._new()
                all_ends: list[int] = []
                for part in parts:
                    start, new_ends = self._laid_out(part)
                    self._steps[begin].to.append(start)
                    all_ends += new_ends
                return begin, all_ends
            case Repeat(part=part, least=least, most=most):
                return self._repeated(part, least, most)
            case _:
                raise NotEvaluable("a pattern of a kind that cannot be matched safely")

    def _repeated(self, part: Pattern, least: int, most: int | None) -> tuple[int, list[int]]:
        begin = self._new()
        ends = [begin]
        for _ in range(least):
            start, new_ends = self._laid_out(part)
            for end in ends:
                self._steps[end].to.append(start)
            ends = new_ends
        if most is None:
            fork = self._new()
            for end in ends:
                self._steps[end].to.append(fork)
            start, new_ends = self._laid_out(part)
            self._steps[fork].to.append(start)
            for end in new_ends:
                self._steps[end].to.append(fork)
            return begin, [fork]
        finished: list[int] = list(ends)
        for _ in range(most - least):
            start, new_ends = self._laid_out(part)
            for end in ends:
                self._steps[end].to.append(start)
            ends = new_ends
            finished += new_ends
        return begin, finished

    # ---- Matching ----------------------------------------------------------------------------------------------

    def matches(self, text: str, spend: Callable[[int], None], *, anywhere: bool) -> bool:
        """Whether it matches some part of the text, or the whole.

        Args:
            spend: Is told of the work that is done beyond looking at each character once.
        """
        spend(len(self._steps))
        state = self._state(frozenset((self._begin,)))
        length = len(text)
        edges = not self._anchors.isdisjoint("bB")
        for at in range(length + 1):
            kind = self._kind_of_place(text, at) if edges or not 0 < at < length - 1 else 0
            place = state.places.get(kind)
            if place is None:
                place = state.places[kind] = self._place(state, kind)
                spend(len(place.steps))
            if place.accepts and (anywhere or at == length):
                return True
            if at == length:
                return False
            following = place.moves.get(text[at])
            if following is None:
                following = place.moves[text[at]] = self._moved(place, text[at], anywhere=anywhere)
                spend(len(place.steps))
            state = following
            if not state.steps:
                return False
        return False

    @staticmethod
    def _kind_of_place(text: str, at: int) -> int:
        before, after = text[at - 1] if at else "", text[at : at + 1]
        return (
            (_START if at == 0 else 0)
            | (_END if at == len(text) else 0)
            | (_LAST_LINE_END if at == len(text) - 1 and after == "\n" else 0)
            | (_EDGE if (before in _WORD) is not (after in _WORD) else 0)
        )

    def _state(self, steps: frozenset[int]) -> _State:
        known = self._states.get(steps)
        if known is None:
            if len(self._states) > _MOST_STATES:
                self._states.clear()
            known = self._states[steps] = _State(steps)
        return known

    def _place(self, state: _State, kind: int) -> _Place:
        waiting, seen = list(state.steps), set(state.steps)
        reading: list[int] = []
        while waiting:
            at = waiting.pop()
            step = self._steps[at]
            if step.characters is not None:
                reading.append(at)
                continue
            if step.anchor is not None and not _holds(step.anchor, kind):
                continue
            for to in step.to:
                if to not in seen:
                    seen.add(to)
                    waiting.append(to)
        return _Place(reading, self._final in seen)

    def _moved(self, place: _Place, character: str, *, anywhere: bool) -> _State:
        reached = {self._begin} if anywhere else set()
        for at in place.steps:
            step = self._steps[at]
            if step.characters is not None and step.characters.has(character):
                reached.update(step.to)
        return self._state(frozenset(reached))


def _holds(anchor: str, kind: int) -> bool:
    if anchor == "$":
        return bool(kind & (_END | _LAST_LINE_END))
    if anchor == "B":
        return not kind & _EDGE
    return bool(kind & {"^": _START, "z": _END, "b": _EDGE}[anchor])
