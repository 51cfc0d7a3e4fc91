"""Progress on standard error: of a read, from the same events as logs; of many inputs, by their number."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import click

from mpftconnect.events import Code, Event, Listener

__all__ = ["Tally", "progress_listener"]

_SECONDS = 2.0
_LARGE = 16 * 1024 * 1024


def progress_listener() -> Listener:
    """Writes a line when a system starts, answers or fails. Holds no patient value, since events hold none."""

    def listen(event: Event) -> None:
        text = _line(event)
        if text:
            click.echo(text, err=True)

    return listen


def _line(event: Event) -> str | None:
    seconds = f" in {event.duration_ms / 1000:.2f} s" if event.duration_ms is not None else ""
    if event.code is Code.READ_STARTED:
        return f"reading from {event.count} systems ..."
    if event.code is Code.SYSTEM_FINISHED and event.reason is None:
        return f"  {event.system}: answered{seconds}"
    if event.code is Code.SYSTEM_GAP:
        return f"  {event.system}: {event.reason}"
    if event.code is Code.READ_FINISHED:
        return f"done{seconds}"
    if event.code is Code.AUDIT_FALLBACK:
        return "  ALARM: the audit store failed; entries go to the second sink"
    if event.code is Code.PLUGIN_BROKEN:
        return f"  plugin {event.step} is broken: see mpftconnect plugins"
    return None


class Tally:
    """Says every few seconds how many inputs were judged, and names a large one before its turn."""

    def __init__(self, *, shown: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._shown, self._clock = shown, clock
        self._verdicts: Counter[str] = Counter()
        self._last = clock()

    def begin(self, name: str, size: int) -> None:
        """An input of `size` bytes is judged next."""
        if self._shown and size >= _LARGE:
            click.echo(f"  judging {name} ({size // 1024 // 1024} MiB) ...", err=True)

    def count(self, verdict: str) -> None:
        """An input was judged."""
        self._verdicts[verdict] += 1
        if self._shown and self._clock() - self._last >= _SECONDS:
            self._last = self._clock()
            found = ", ".join(f"{self._verdicts[verdict]} {verdict}" for verdict in ("invalid", "undecided"))
            click.echo(f"  {self._verdicts.total()} inputs judged: {found} ...", err=True)
