"""The anchor: at a second place, how long the trail was and which seal was its newest.

A chain of seals shows change, removal from the middle and reordering by itself. That its end was cut off only a count
kept elsewhere can show. Each line is the state at one moment: the store's entries and head, and those of the second
sink.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from mpftconnect.governance.seal import NOTHING_BEFORE, Seal
from mpftconnect.governance.sealed_lines import SealedLines

__all__ = ["Anchor", "AnchorLine", "Anchored", "KeyDoesNotFit"]


class KeyDoesNotFit(Exception):
    """Not one line of the anchor fits the key."""


@dataclass(frozen=True, slots=True)
class Anchored:
    """What one line of the anchor says.

    Args:
        entries: Sequence number of the store's newest entry; 0 before the first.
        head: That entry's seal.
        waiting: How many entries waited in the second sink.
        waiting_head: Seal of the newest of them.
    """

    entries: int = 0
    head: str = NOTHING_BEFORE
    waiting: int = 0
    waiting_head: str = NOTHING_BEFORE


@dataclass(frozen=True, slots=True)
class AnchorLine:
    """A line of the anchor as it was found; `said` is None unless its seal fits."""

    number: int
    said: Anchored | None
    state: Literal["sealed", "damaged", "torn"]


class Anchor:
    """The anchor file. Its folder should be on another disk, or another machine's share, than the trail's."""

    def __init__(self, path: Path, seal: Seal, lock_seconds: float) -> None:
        self._lines = SealedLines(path, seal, "anchor", lock_seconds)

    @property
    def path(self) -> Path:
        return self._lines.path

    def exists(self) -> bool:
        return self._lines.exists()

    def newest(self) -> Anchored | None:
        """The newest state; None before the first.

        Raises:
            KeyDoesNotFit: There are lines, and none fits the key.
            OSError: It cannot be read.
        """
        fields, any_whole = self._lines.last()
        said = _anchored(fields)
        if said is None and any_whole:
            raise KeyDoesNotFit
        return said

    def lines(self) -> Iterator[AnchorLine]:
        """Every line, oldest first.

        Raises:
            OSError: It cannot be read.
        """
        for line in self._lines.read():
            said = _anchored(line.fields)
            state = "damaged" if line.state == "sealed" and said is None else line.state
            yield AnchorLine(line.number, said, state)

    def begin(self) -> None:
        """Write the first line, unless there is one. Only a trail that begins may call it.

        An anchor that is lost later stays visibly without a beginning.

        Raises:
            KeyDoesNotFit: See `newest`.
            OSError: The line could not be made durable.
        """
        with self._lines.lock():
            if self.newest() is None:
                self._append(Anchored())

    def store_reached(self, entries: int, head: str) -> None:
        """The store's newest entry is now this one. Errors as for `begin`."""
        with self._lines.lock():
            known = self.newest() or Anchored()
            # Another process may have anchored a later entry already; its seal covers ours through the chain.
            if known.entries < entries:
                self._append(replace(known, entries=entries, head=head))

    def sink_reached(self, waiting: int, head: str) -> None:
        """The newest of the entries that wait in the second sink is now this one. Errors as for `begin`."""
        with self._lines.lock():
            self._append(replace(self.newest() or Anchored(), waiting=waiting, waiting_head=head))

    def _append(self, state: Anchored) -> None:
        self._lines.append(
            {
                "entries": state.entries,
                "head": state.head,
                "waiting": state.waiting,
                "waiting_head": state.waiting_head,
                "at": datetime.now(UTC).isoformat(timespec="microseconds"),
            }
        )


def _anchored(fields: dict[str, Any] | None) -> Anchored | None:
    if fields is None:
        return None
    entries, head = fields.get("entries"), fields.get("head")
    waiting, waiting_head = fields.get("waiting"), fields.get("waiting_head")
    if (
        isinstance(entries, int)
        and isinstance(head, str)
        and isinstance(waiting, int)
        and isinstance(waiting_head, str)
    ):
        return Anchored(entries, head, waiting, waiting_head)
    return None
