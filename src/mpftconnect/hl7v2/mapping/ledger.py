"""The loss ledger: what became of every populated field, and whether it can be written back.

A leaf is one populated sub-component. Each leaf of a message has one entry:

| What became of it | |
|---|---|
| `mapped` | it is a value of an item or a change, at the path that the entry names |
| `defaulted` | the same, and something that the message does not say was assumed beside it |
| `extra` | the model has no place for it: it is kept with the item, under its place in the message |
| `dropped` | it is in no item, on purpose, and the entry says why |
| `parked` | its part of the message could not be mapped; the whole message is kept for a person to look at |

The round-trip figure is computed: each leaf is written back from the items and changes alone, by the path and the way
that its entry names, and compared with what was sent.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from mpftconnect.hl7v2.mapping.draft import EXTRA, Draft, Taken
from mpftconnect.hl7v2.mapping.leaves import Place, Segment

__all__ = ["Entry", "Ledger", "Total", "build_ledger"]

Outcome = Literal["mapped", "defaulted", "extra", "dropped", "parked"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("mapped", "defaulted", "extra", "dropped", "parked")


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one populated leaf. It names places and never a value.

    Args:
        location: Where it stands: `PID-3[2].1`.
        outcome: What became of it.
        target: Where its value is now: `Patient.identifiers[1].value`, `extra`; "" where nowhere.
        why: What was assumed (`defaulted`), or why it is nowhere (`dropped`, `parked`).
        written_back: Whether the same text can be made again from the items and changes.
    """

    location: str
    outcome: Outcome
    target: str
    why: str
    written_back: bool

    @property
    def segment(self) -> str:
        return self.location[:3] if "-" not in self.location else self.location.partition("-")[0].partition("[")[0]


@dataclass(frozen=True, slots=True)
class Ledger:
    """The entries of one message, in the order of its segments and fields."""

    entries: tuple[Entry, ...]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def total(self) -> Total:
        """The counts of this one message."""
        return Total.of((self,))

    @property
    def lost(self) -> tuple[Entry, ...]:
        """The entries of leaves that cannot be written back."""
        return tuple(entry for entry in self.entries if not entry.written_back)


@dataclass(slots=True)
class Total:
    """The counts of a feed: add each message's ledger to it.

    Args:
        messages: How many messages.
        counts: By segment and outcome.
        fields: By field (`PID-22`) and outcome.
        written: Leaves that can be written back, by segment.
        why: By outcome and reason.
    """

    messages: int = 0
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    fields: Counter[tuple[str, str]] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    why: Counter[tuple[str, str]] = field(default_factory=Counter)

    @classmethod
    def of(cls, ledgers: Iterable[Ledger]) -> Total:
        """The counts of several ledgers."""
        total = cls()
        for ledger in ledgers:
            total.add(ledger)
        return total

    def add(self, ledger: Ledger) -> None:
        """Count one more message."""
        self.messages += 1
        for entry in ledger.entries:
            segment = entry.segment
            self.counts[segment, entry.outcome] += 1
            self.fields[_field_of(entry.location), entry.outcome] += 1
            if entry.written_back:
                self.written[segment] += 1
            if entry.why:
                self.why[entry.outcome, entry.why] += 1

    @property
    def leaves(self) -> int:
        """How many populated leaves there were."""
        return sum(self.counts.values())

    @property
    def round_trip(self) -> float | None:
        """The share of populated leaves that can be written back; None where there was no leaf.

        Parked leaves count as not written back: they are in no item.
        """
        return sum(self.written.values()) / self.leaves if self.leaves else None

    @property
    def round_trip_of_mapped(self) -> float | None:
        """The same share of the leaves that were not parked."""
        mapped = self.leaves - self.outcome("parked")
        return sum(self.written.values()) / mapped if mapped else None

    def outcome(self, outcome: Outcome) -> int:
        """How many leaves had one outcome."""
        return sum(count for (_, known), count in self.counts.items() if known == outcome)

    def by_segment(self) -> Mapping[str, Mapping[str, int]]:
        """Segment to its counts by outcome, and `written-back`."""
        names = sorted({segment for segment, _ in self.counts})
        return {
            name: {outcome: self.counts[name, outcome] for outcome in OUTCOMES} | {"written-back": self.written[name]}
            for name in names
        }


def _field_of(location: str) -> str:
    segment, _, rest = location.partition("-")
    return f"{segment.partition('[')[0]}-{rest.partition('.')[0].partition('[')[0]}"


# --- from the trace of one message -----------------------------------------------------------------------------


def build_ledger(
    segments: Iterable[Segment],
    drafts: Iterable[Draft],
    dropped: Iterable[tuple[Segment, Place, str]],
    parked: Iterable[tuple[Segment, str]],
) -> Ledger:
    """The ledger of one message.

    Args:
        segments: All of it.
        drafts: Of every item and change, each with what it took.
        dropped: What was left out on purpose, and why.
        parked: Segments of parts that were parked, and by which code.
    """
    found: dict[tuple[int, Place], Entry] = {}
    for draft in drafts:
        kind = type(draft.result).__name__ if draft.result is not None else ""
        for taken in draft.taken:
            key = (id(taken[0]), taken[1])
            entry = _entry(kind, draft, taken)
            known = found.get(key)
            found[key] = entry if known is None else _both(known, entry)
    for segment, place, why in dropped:
        found.setdefault((id(segment), place), Entry(segment.location(place), "dropped", "", why, False))
    for segment, code in parked:
        for place in segment.sent:
            found.setdefault((id(segment), place), Entry(segment.location(place), "parked", "", code, False))
    entries = []
    for segment in segments:
        for place in segment.sent:
            known = found.get((id(segment), place))
            # Nothing reaches this: the mapping keeps what it does not take. Were it to, it must show.
            entries.append(known or Entry(segment.location(place), "dropped", "", "not-accounted-for", False))
    return Ledger(tuple(entries))


def _both(one: Entry, other: Entry) -> Entry:
    """A leaf that is a value and is kept as sent beside it: mapped, and written back by either."""
    first, second = (one, other) if one.outcome != "extra" else (other, one)
    return Entry(first.location, first.outcome, first.target, first.why, first.written_back or second.written_back)


def _entry(kind: str, draft: Draft, taken: Taken) -> Entry:
    segment, place, path, way = taken
    location = segment.location(place)
    outcome: Outcome = "extra" if way is EXTRA else "defaulted" if way.defaulted else "mapped"
    target = "extra" if way is EXTRA else f"{kind}.{path}"
    return Entry(location, outcome, target, way.defaulted or "", _written_back(draft, taken))


def _written_back(draft: Draft, taken: Taken) -> bool:
    segment, place, path, way = taken
    if way.name == "null":
        return path in draft.removed and way.back(None) == segment.sent[place]
    value = _at(draft.result, path)
    return value is not None and way.back(value) == segment.sent[place]


_STEP: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]")


def _at(value: Any, path: str) -> Any:
    """What stands at a path of an item; None where nothing does."""
    for name, index in _STEP.findall(path):
        if name:
            value = getattr(value, name, None)
        else:
            value = value[int(index)] if isinstance(value, tuple) and int(index) < len(value) else None
        if value is None:
            return None
    return value
