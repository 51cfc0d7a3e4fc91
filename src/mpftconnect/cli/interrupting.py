"""Ctrl-C between lines, never within one: what was written before it can be read."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["whole_lines"]


class _Interrupts:
    def __init__(self) -> None:
        self._writing = self._waits = False

    def handle(self, *ignored: Any) -> None:
        # A second one does not wait: whoever reads our output may have stopped reading.
        if not self._writing or self._waits:
            raise KeyboardInterrupt
        self._waits = True

    @contextmanager
    def writing(self) -> Iterator[None]:
        """While in here, an interruption waits."""
        self._writing = True
        try:
            yield
        finally:
            self._writing = False
        if self._waits:
            self._waits = False
            raise KeyboardInterrupt


@contextmanager
def whole_lines() -> Iterator[_Interrupts]:
    """Within this, `writing()` of what it gives puts Ctrl-C off until what is written is whole."""
    made = _Interrupts()
    # Only the main thread may take signals, and one that is ignored (`nohup`, a job in the background) stays so.
    usual = signal.default_int_handler
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not usual:
        yield made
        return
    signal.signal(signal.SIGINT, made.handle)
    try:
        yield made
    finally:
        signal.signal(signal.SIGINT, usual)
