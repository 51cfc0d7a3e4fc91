"""The second sink: where entries wait, durable and sealed, while the store cannot take them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mpftconnect.governance.audit_store import parse_event
from mpftconnect.governance.seal import NOTHING_BEFORE, Seal
from mpftconnect.governance.sealed_lines import SealedLines

__all__ = ["SecondSink", "WaitingLine"]


@dataclass(frozen=True, slots=True)
class WaitingLine:
    """A line of the sink as it was found; `n`, `id` and `event` mean something only if it is sealed.

    Args:
        number: Line in the file, from 1.
        n: Number of the entry among those that wait, from 1.
        previous: Seal of the entry that waits before it.
        event: The AuditEvent as canonical JSON.
    """

    number: int
    state: Literal["sealed", "damaged", "torn"]
    n: int = 0
    previous: str = ""
    id: str = ""
    event: str = ""
    seal: str = ""


class SecondSink:
    """An append-only file of sealed entries, chained from the last time that it was emptied."""

    def __init__(self, path: Path, seal: Seal, lock_seconds: float) -> None:
        self._lines = SealedLines(path, seal, "waiting", lock_seconds)

    @property
    def path(self) -> Path:
        return self._lines.path

    def lock(self) -> AbstractContextManager[None]:
        """Hold the sink; `append` and `clear` want it. Raises OSError if it cannot be had."""
        return self._lines.lock()

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Hold the sink if it can be held; a reader goes on without, where only reading is possible."""
        if not self._lines.exists():
            yield
            return
        held = self.lock()
        try:
            held.__enter__()
        except OSError:
            yield
            return
        try:
            yield
        finally:
            held.__exit__(None, None, None)

    def read(self) -> Iterator[WaitingLine]:
        """Every line, oldest first. Raises OSError if it is there and cannot be read."""
        for line in self._lines.read():
            said = line.fields
            if said is None:
                yield WaitingLine(line.number, line.state)
                continue
            n, previous, text, seal = (said.get(key) for key in ("n", "previous", "event", "seal"))
            event = parse_event(text)
            if (
                isinstance(n, int)
                and isinstance(previous, str)
                and isinstance(text, str)
                and isinstance(seal, str)
                and event
            ):
                yield WaitingLine(line.number, "sealed", n, previous, str(event.get("id")), text, seal)
            else:
                yield WaitingLine(line.number, "damaged")

    def append(self, event: str) -> tuple[int, str]:
        """Add one entry, durable on return; its number among those that wait, and its seal. Raises OSError."""
        said, _ = self._lines.last()
        n, previous = (said["n"], said["seal"]) if said else (0, NOTHING_BEFORE)
        seal = self._lines.append({"n": n + 1, "previous": previous, "event": event})
        return n + 1, seal

    def clear(self) -> None:
        """Empty it, once the store has everything. Raises OSError."""
        self._lines.clear()
