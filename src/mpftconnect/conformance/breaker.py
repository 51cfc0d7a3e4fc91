"""Notices that the environment is at fault, and not requirement after requirement: then nothing more is asked."""

from __future__ import annotations

import threading

from mpftconnect.conformance.evidence import Recorded
from mpftconnect.conformance.outcome import Cause, CauseKind
from mpftconnect.conformance.probe import ProbeEnded
from mpftconnect.conformance.trouble import TROUBLES, trouble_of_status
from mpftconnect.errors import GapReason

__all__ = ["Breaker", "trouble_of"]

_IN_A_ROW = 3
# A write whose answer was lost, or one exchange that failed beyond this machine, says nothing of the next.
_OPENS = frozenset(TROUBLES) - {str(GapReason.OUTCOME_UNKNOWN), str(GapReason.SYSTEM_FAILED)}
_AT_FAULT = Cause(
    kind=CauseKind.ENVIRONMENT,
    because="the environment is at fault",
    mend="try one request by hand from this machine",
)


def trouble_of(recorded: Recorded) -> str | None:
    """What of the environment an exchange shows to be at fault, as a code; None if nothing."""
    if recorded.error is not None:
        return recorded.error if recorded.error in _OPENS else None
    return trouble_of_status(recorded.status or 0)


class Breaker:
    """Opens after the same trouble three times in a row; a refusal counts only until one request was let in."""

    def __init__(self) -> None:
        self._last: str | None = None
        self._times = 0
        self._let_in = False
        self._open: str | None = None
        self._lock = threading.Lock()

    def saw(self, recorded: Recorded, *, credentials: bool = True) -> None:
        """Take an exchange into account; those that went without credentials prove nothing about them."""
        trouble = trouble_of(recorded)
        with self._lock:
            if recorded.ok and credentials:
                self._let_in = True
            if trouble in ("401", "403") and (self._let_in or not credentials):
                return
            if trouble is None:
                self._last, self._times = None, 0
                return
            self._times = self._times + 1 if trouble == self._last else 1
            self._last = trouble
            if self._times >= _IN_A_ROW:
                self._open = trouble

    def trip(self, trouble: str) -> None:
        """Open at once, as the preflight does where there is nothing to reach."""
        with self._lock:
            self._open = trouble

    @property
    def open(self) -> str | None:
        return self._open

    def gate(self) -> None:
        """
        Raises:
            ProbeEnded: It is open.
        """
        if self._open is not None:
            raise ProbeEnded("breaker", f"not asked, since {self.words}")

    @property
    def words(self) -> str:
        return self.cause().because

    def cause(self) -> Cause:
        return TROUBLES.get(self._open or "", _AT_FAULT)
