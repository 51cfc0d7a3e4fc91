"""The order of segments as an automaton: linear in the message, whatever the message is.

A structure (groups, optional and repeating) becomes its positions and which may follow which (Glushkov's construction);
the positions that the message may stand at are one state, and states are made when they are first needed. Nothing is
ever tried and taken back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from mpftconnect.hl7v2.tables import Child, Group, Tables

__all__ = ["Automaton", "Misplaced"]

ANY = "ANYHL7SEGMENT"
_MOST_STATES = 5_000
State = frozenset[int]


@dataclass(frozen=True)
class Misplaced:
    """One fault of order: a code, the segment's index (their number, for the end), and the name it is about."""

    code: str
    index: int
    name: str


@dataclass
class _Piece:
    first: set[int]
    last: set[int]
    empty: bool


class Automaton:
    """One structure of one version. Safe for several threads: what they add to it is the same."""

    def __init__(self, structure: Group, tables: Tables) -> None:
        self.names: list[str] = [""]  # position 0 stands before the first segment
        self.follow: list[set[int]] = [set()]
        self._tables = tables
        whole = self._group(structure, frozenset())
        self.follow[0] = whole.first
        self.accepting: frozenset[int] = frozenset(whole.last | ({0} if whole.empty else set()))
        self.alphabet = frozenset(self.names[1:])
        self._steps: dict[tuple[State, str], tuple[State, tuple[str, ...]] | None] = {}

    def _group(self, group: Group, within: frozenset[str]) -> _Piece:
        pieces = [self._child(child, within) for child in group.children]
        if not pieces:
            return _Piece(set(), set(), True)
        if group.is_choice:
            return _Piece(
                set().union(*(piece.first for piece in pieces)),
                set().union(*(piece.last for piece in pieces)),
                any(piece.empty for piece in pieces),
            )
        whole = pieces[0]
        for piece in pieces[1:]:
            for position in whole.last:
                self.follow[position] |= piece.first
            whole = _Piece(
                whole.first | piece.first if whole.empty else whole.first,
                whole.last | piece.last if piece.empty else piece.last,
                whole.empty and piece.empty,
            )
        return whole

    def _child(self, child: Child, within: frozenset[str]) -> _Piece:
        if child.is_group:
            known = self._tables.groups.get(child.name)
            # A group within itself would have no end; no version has one.
            if known is None or child.name in within:
                return _Piece(set(), set(), True)
            piece = self._group(known, within | {child.name})
        else:
            position = len(self.names)
            self.names.append(child.name)
            self.follow.append(set())
            piece = _Piece({position}, {position}, False)
        if child.most != 1:
            for position in piece.last:
                self.follow[position] |= piece.first
        return _Piece(piece.first, piece.last, piece.empty or child.least == 0)

    def _step(self, state: State, name: str) -> tuple[State, tuple[str, ...]] | None:
        """Where a segment leads, and the required segments that are missing before it; None if it leads nowhere."""
        key = (state, name)
        if key in self._steps:
            return self._steps[key]
        reached = self._reached(state, name)
        found = (frozenset(reached), ()) if reached else self._bridged(state, name)
        if len(self._steps) < _MOST_STATES:
            self._steps[key] = found
        return found

    def _reached(self, state: Iterable[int], name: str) -> set[int]:
        names, follow = self.names, self.follow
        return {position for origin in state for position in follow[origin] if names[position] in (name, ANY)}

    def _bridged(self, state: State, name: str) -> tuple[State, tuple[str, ...]] | None:
        """The fewest segments that would have to stand before this one."""
        seen = set(state)
        waiting: deque[tuple[int, tuple[str, ...]]] = deque((position, ()) for position in sorted(state))
        while waiting:
            position, missing = waiting.popleft()
            for after in sorted(self.follow[position]):
                if after in seen:
                    continue
                seen.add(after)
                path = (*missing, self.names[after])
                reached = self._reached((after,), name)
                if reached:
                    return frozenset(reached), path
                waiting.append((after, path))
        return None

    def _ending(self, state: State) -> tuple[str, ...]:
        if state & self.accepting:
            return ()
        seen = set(state)
        waiting: deque[tuple[int, tuple[str, ...]]] = deque((position, ()) for position in sorted(state))
        while waiting:
            position, missing = waiting.popleft()
            for after in sorted(self.follow[position]):
                if after in seen:
                    continue
                seen.add(after)
                if after in self.accepting:
                    return (*missing, self.names[after])
                waiting.append((after, (*missing, self.names[after])))
        return ()

    def faults(self, names: list[str], skipped: frozenset[int] | set[int]) -> list[Misplaced]:
        """What is wrong with the order of a message's segments.

        Args:
            names: All segments.
            skipped: Indexes that the structure says nothing of: Z-segments, unknown ones, ADD.
        """
        state: State = frozenset((0,))
        found: list[Misplaced] = []
        steps = self._steps
        late: dict[str, int] | None = None  # where a name stands last, worked out when first needed
        awaited: set[str] = set()  # told as out of place already: it stands later than it should
        for index, name in enumerate(names):
            if index in skipped:
                continue
            step = steps.get((state, name)) or self._step(state, name)
            if step is not None and not step[1]:
                state = step[0]
                continue
            if name not in self.alphabet and ANY not in self.alphabet:
                found.append(Misplaced("segment-unexpected", index, name))
                continue
            if step is None:
                if name in awaited:
                    continue
                here = {self.names[position] for position in state}
                found.append(Misplaced("segment-repeats" if name in here else "segment-order", index, name))
                continue
            if late is None:
                late = {known: place for place, known in enumerate(names)}
            swapped = False
            for missing in step[1]:
                if late.get(missing, -1) > index:
                    awaited.add(missing)
                    swapped = True
                else:
                    found.append(Misplaced("segment-missing", index, missing))
            if swapped:
                found.append(Misplaced("segment-order", index, name))
            state = step[0]
        found += [Misplaced("segment-missing", len(names), missing) for missing in self._ending(state)]
        return found
