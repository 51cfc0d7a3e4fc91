"""What a listener logs to standard error: a line has time, level and `key=value`, and nothing of a patient.

Lines are written by a thread of its own, past Python's own stream: whoever has stopped to read them (a pager, a full
pipe) holds up no message, and no exit either.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from contextlib import suppress
from io import UnsupportedOperation

from mpftconnect.cli.output import printable
from mpftconnect.events import ALARMS, Code, Event

__all__ = ["ListenerLog"]

# What whoever looks after a listener has to know. Not each exchange: that would be a line or more for every message.
_LOGGED = ALARMS | {
    Code.LINE_OPENED,
    Code.LINE_CLOSED,
    Code.LINE_REFUSED,
    Code.FRAME_REFUSED,
    Code.MESSAGE_PARKED,
}
_MOST_LINES = 1000


class ListenerLog:
    """Takes events and words; as a context manager it writes them. What nobody reads in time is dropped, and said.

    Args:
        alarms_only: Leave out each connection, refused frame and parked message.
    """

    def __init__(self, *, alarms_only: bool = False) -> None:
        self._codes = ALARMS if alarms_only else _LOGGED
        self._lines: queue.Queue[str | None] = queue.Queue(_MOST_LINES)
        self._lost = 0
        self._began = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mpftconnect-log", daemon=True)

    def __call__(self, event: Event) -> None:
        """Take an event."""
        if event.code in self._codes:
            level = "ERROR" if event.code in ALARMS else "INFO"
            text = " ".join(f"{key}={value}" for key, value in event.as_dict().items() if key != "at")
            at = f"{event.at:%Y-%m-%dT%H:%M:%SZ} " if event.at else ""
            self._put(f"{at}{level} {text}")

    def say(self, words: str) -> None:
        """Write these words, after what was taken before."""
        self._put(words)

    def begin(self, words: str) -> None:
        """Write these words before anything else, and then what was taken before and comes after."""
        _write(words)
        self._began.set()

    def __enter__(self) -> ListenerLog:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._began.set()
        with suppress(queue.Full):
            self._lines.put_nowait(None)
            self._thread.join(2.0)

    def _put(self, line: str) -> None:
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._lost += 1

    def _run(self) -> None:
        self._began.wait()
        while (line := self._lines.get()) is not None:
            _write(line)
            if self._lost:
                lost, self._lost = self._lost, 0
                _write(f"{lost} lines were not written: nobody read them in time")


def _write(line: str) -> None:
    data = (printable(line) + "\n").encode("utf-8", "backslashreplace")
    try:
        handle = sys.stderr.fileno()
    except (AttributeError, UnsupportedOperation, ValueError):  # none, or a stand-in, as in a program that captures it
        return
    with suppress(OSError):  # nobody can be told that nobody can be told
        while data:
            data = data[os.write(handle, data) :]
