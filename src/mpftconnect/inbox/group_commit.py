"""Many receivers, one flush: whoever comes first commits for all who wait.

No thread of its own: a receiver that finds nobody committing takes what waits, its own work among it, and commits;
those who come meanwhile wait, and one of them commits for all of them next. So one receiver alone pays no hand-over,
and many share the flush.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

__all__ = ["GroupCommit"]

W = TypeVar("W")
R = TypeVar("R")


class _Ticket(Generic[W, R]):
    __slots__ = ("done", "error", "results", "work")

    def __init__(self, work: Sequence[W]) -> None:
        self.work = work
        self.results: list[R] = []
        self.error: Exception | None = None
        self.done = False


class GroupCommit(Generic[W, R]):
    """See the module's text.

    Args:
        commit: Makes work durable, all or none, and returns a result for each, in order. One thread at a time
            calls it.
        most: How much work one commit takes.

    >>> together = GroupCommit(lambda work: [each * 2 for each in work])
    >>> together.submit([1, 2])
    [2, 4]
    """

    def __init__(self, commit: Callable[[Sequence[W]], Sequence[R]], most: int = 1000) -> None:
        self._commit, self._most = commit, most
        self._waiting: list[_Ticket[W, R]] = []
        # A plain lock: the condition is for those who wait, and one receiver alone never does.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._busy = False

    def submit(self, work: Sequence[W]) -> list[R]:
        """Make it durable; returns when it is.

        Raises:
            Exception: Whatever `commit` raised, to everybody whose work it held. None of that work was taken.
        """
        with self._lock:
            alone = not self._busy and not self._waiting
            self._busy = self._busy or alone
        if alone:
            return self._alone(work)
        return self._with_others(_Ticket(work))

    def _alone(self, work: Sequence[W]) -> list[R]:
        """Nobody commits and nobody waits: nothing has to be handed over."""
        try:
            return list(self._commit(work))
        finally:
            with self._lock:
                self._leave(0)

    def _with_others(self, mine: _Ticket[W, R]) -> list[R]:
        with self._lock:
            if self._busy:
                self._waiting.append(mine)
                while self._busy and not mine.done:
                    self._changed.wait()
                batch = [] if mine.done else self._next()
            else:
                self._waiting.append(mine)
                batch = self._next()
            if not mine.done:
                self._busy = True
        if not mine.done:
            self._lead(batch, mine)
        if mine.error is not None:
            # A fresh one for each: an exception that several threads raise gathers all their tracebacks.
            raise type(mine.error)(*mine.error.args)
        return mine.results

    def _next(self) -> list[_Ticket[W, R]]:
        """The oldest tickets, at most `most` pieces of work, at least one ticket."""
        batch: list[_Ticket[W, R]] = []
        size = 0
        while self._waiting and (not batch or size + len(self._waiting[0].work) <= self._most):
            batch.append(self._waiting.pop(0))
            size += len(batch[-1].work)
        return batch

    def _lead(self, batch: list[_Ticket[W, R]], mine: _Ticket[W, R]) -> None:
        """Commit for all of the batch, and go on until one's own work is done."""
        try:
            while True:
                self._do(batch)
                with self._lock:
                    if mine.done:
                        self._leave(len(batch) - 1)
                        return
                    self._changed.notify_all()
                    batch = self._next()
        except BaseException:
            with self._lock:
                self._leave(len(batch) - 1)
            raise

    def _leave(self, others: int) -> None:
        """Let another commit. Nobody is woken where nobody waits: that would cost as much as the rest."""
        self._busy = False
        if self._waiting or others > 0:
            self._changed.notify_all()

    def _do(self, batch: list[_Ticket[W, R]]) -> None:
        error: Exception | None = None
        results: Sequence[R] = ()
        try:
            results = self._commit([piece for ticket in batch for piece in ticket.work])
        except Exception as failed:  # noqa: BLE001 - given to everybody who waits
            error = failed
        except BaseException:
            for ticket in batch:
                ticket.error, ticket.done = RuntimeError("interrupted"), True
            raise
        at = 0
        for ticket in batch:
            ticket.results = list(results[at : at + len(ticket.work)])
            at += len(ticket.work)
            ticket.error, ticket.done = error, True
