"""One budget of requests a second, for every thread and process of a machine (rule 3)."""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from mpftconnect.adapters.deadline import Deadline
from mpftconnect.errors import RateLimited, UsageError

__all__ = ["RateBudget"]


class RateBudget:
    """Lets at most N requests begin in any window: N = 5 in one second for 5 a second.

    A turn is reserved in one short transaction, so turns are given in order, a caller whose turn would come after
    its deadline is told at once, and nobody polls. Turns are moments on the monotonic clock, which all processes of
    a machine share and which setting the time does not move; a clock that went back all the same (a restart, the
    file copied from another machine) is noticed, and then one window is waited out.

    Args:
        path: A SQLite file that the processes share; it holds moments and nothing else. None for threads of one
            process only.
        per_second: Requests a second; below 1 the window is longer than a second.
        clock: Seconds; for tests.
        sleep: For tests.
    Raises:
        UsageError: `per_second` is not a positive number.

    >>> budget = RateBudget(None, 100)
    >>> budget.take(Deadline.after(1)) <= time.monotonic()
    True
    """

    def __init__(
        self,
        path: Path | None,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not (per_second > 0 and math.isfinite(per_second)):
            raise UsageError("a rate budget needs a positive number of requests a second")
        self.in_window = max(1, math.floor(per_second))
        self.window_seconds = self.in_window / per_second
        self._path, self._clock, self._sleep = path, clock, sleep
        self._lock = threading.Lock()
        self._turns: list[tuple[float, float]] = []

    def take(self, deadline: Deadline) -> float:
        """Wait for a turn, and take it.

        Returns:
            The moment of the turn on the clock; never later than now.
        Raises:
            RateLimited: The turn would come after the deadline (none is taken), or the file cannot be used.
        """
        turn = self._reserve(deadline) if self._path is None else self._reserve_in_file(self._path, deadline)
        while (wait := turn - self._clock()) > 0:
            self._sleep(wait)
        return turn

    def _next(self, turns: Sequence[tuple[float, float]], now: float) -> list[tuple[float, float]]:
        """The newest N turns, each with when it was reserved, the new one last."""
        if any(reserved > now for _, reserved in turns):
            turns = [(now, now)] * self.in_window
        newest = sorted(turns)[-self.in_window :]
        turn = max(now, newest[0][0] + self.window_seconds) if len(newest) == self.in_window else now
        # Never before a turn that was given already: the order is the order of asking.
        turn = max(turn, newest[-1][0]) if newest else turn
        return [*newest, (turn, now)][-self.in_window :]

    def _in_time(self, turn: float, now: float, deadline: Deadline) -> float:
        if turn - now > deadline.remaining():
            raise RateLimited("our own budget of requests a second is spent until after the deadline")
        return turn

    def _reserve(self, deadline: Deadline) -> float:
        with self._lock:
            now = self._clock()
            turns = self._next(self._turns, now)
            turn = self._in_time(turns[-1][0], now, deadline)
            self._turns = turns
            return turn

    def _reserve_in_file(self, path: Path, deadline: Deadline) -> float:
        problem = "the file of the rate budget cannot be used: delete it, or see that its folder can be written"
        try:
            # The whole budget is worth one second: what a power cut loses need not be written to the disk.
            with closing(sqlite3.connect(path, timeout=deadline.remaining(), isolation_level=None)) as store:
                store.execute("PRAGMA synchronous = OFF")
                store.execute("BEGIN IMMEDIATE")
                try:
                    turn = self._reserve_in(store, deadline)
                except BaseException:
                    store.execute("ROLLBACK")
                    raise
                store.execute("COMMIT")
                return turn
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
                problem = "the rate budget was in use until the deadline"
        except sqlite3.Error:
            pass
        raise RateLimited(problem)

    def _reserve_in(self, store: sqlite3.Connection, deadline: Deadline) -> float:
        store.execute("CREATE TABLE IF NOT EXISTS turns (turn REAL NOT NULL, reserved REAL NOT NULL)")
        now = self._clock()
        turns = self._next(store.execute("SELECT turn, reserved FROM turns").fetchall(), now)
        turn = self._in_time(turns[-1][0], now, deadline)
        store.execute("DELETE FROM turns")
        store.executemany("INSERT INTO turns VALUES (?, ?)", turns)
        return turn
