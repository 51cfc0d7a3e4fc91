"""Notices that the environment is at fault, and not requirement after requirement: then nothing more is asked."""

from __future__ import annotations

import threading

from mpftconnect.conformance.evidence import Recorded
from mpftconnect.conformance.outcome import Cause, CauseKind
from mpftconnect.conformance.probe import ProbeEnded
from mpftconnect.errors import GapReason

__all__ = ["Breaker", "trouble_of"]

_IN_A_ROW = 3
_WORDS = {
    "401": "the system answers 401: the credentials are missing, wrong or expired",
    "403": "the system answers 403: the credentials are known there and not allowed",
    "429": "the system's rate limit is reached",
    "5xx": "the system, or a gateway before it, answers with errors of its own",
    str(GapReason.UNREACHABLE): "no connection is to be had",
    str(GapReason.TIMED_OUT): "no whole answer comes before the deadline",
    str(GapReason.RATE_LIMITED): "the rate limit is reached",
    str(GapReason.NOT_PERMITTED): "no credentials are to be had",
    str(GapReason.ANSWER_REJECTED): "no whole HTTP answer of the system itself comes",
}
_MEND = {
    "401": "check the secrets that supplier.toml refers to, and where a token comes from",
    "403": "ask for the permissions that the pack needs",
    "429": "set target.rate_per_second, and run again with --only-failed",
    "5xx": "look in the system's log; run again with --only-failed",
    str(GapReason.UNREACHABLE): "check name look-up, firewall, proxy and certificates between here and base_url",
    str(GapReason.TIMED_OUT): "time one request by hand; target.deadline_seconds allows more",
    str(GapReason.ANSWER_REJECTED): "look at what answers at base_url from this machine: a proxy may stand between",
}


def trouble_of(recorded: Recorded) -> str | None:
    """What of the environment an exchange shows to be at fault, as a code; None if nothing."""
    if recorded.error is not None:
        return recorded.error if recorded.error in _WORDS else None
    status = recorded.status or 0
    if status in (401, 403, 429):
        return str(status)
    return "5xx" if status >= 500 else None


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
        return _WORDS.get(self._open or "", "the environment is at fault")

    def cause(self) -> Cause:
        return cause_of(self._open or "")


def cause_of(trouble: str) -> Cause:
    return Cause(
        kind=CauseKind.ENVIRONMENT,
        because=_WORDS.get(trouble, "the environment is at fault"),
        otherwise="the product itself fails so",
        mend=_MEND.get(trouble, "try one request by hand from this machine"),
    )
