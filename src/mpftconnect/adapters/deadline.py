"""A total deadline that travels with a read (rule 20)."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mpftconnect.errors import TimedOut

__all__ = ["Deadline"]


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock after which nobody waits any longer.

    >>> Deadline.after(60).remaining() > 59
    True
    """

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left; never negative."""
        return max(0.0, self.at - time.monotonic())

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self.at

    def earlier(self, seconds: float) -> Deadline:
        """This deadline, or one `seconds` from now if that is sooner."""
        return min(self, Deadline.after(seconds), key=lambda deadline: deadline.at)

    def check(self, doing: str) -> None:
        """Raise `TimedOut` once it has passed; `doing` names the step, never a value."""
        if self.passed:
            raise TimedOut(f"deadline passed while {doing}")
