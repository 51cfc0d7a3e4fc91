"""A terminology service: what is handed in, and how its answers and outages are kept.

This room makes no connection. It collects the questions of one validation, hands them over together, and validates
again with the answers. Only answers are remembered; an outage counts for the validation in which it happened, and after
several in a row the service is left alone for a while.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mpftconnect.errors import MpftConnectError

__all__ = ["Asked", "Question", "ServiceAnswers", "TerminologyService"]

_REMEMBERED = 20_000
_SECONDS_REMEMBERED = 3600.0
_FAILURES = 3
_SECONDS_CLOSED = 60.0


@dataclass(frozen=True, slots=True)
class Question:
    """Is a code of a system, or (with `value_set`) of a value set? Nothing else of a resource is in it."""

    system: str
    code: str
    value_set: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer. `result`: True, False, or None if the service cannot say; `reason` says why."""

    result: bool | None
    reason: str = ""


class TerminologyService(Protocol):
    """Answers questions about codes, as FHIR `$validate-code` does."""

    def validate_codes(self, questions: Sequence[Question], /) -> Sequence[Asked]:
        """One answer for each question, in their order.

        Raises:
            MpftConnectError: No answer was to be had; the message says why, without a value of a resource.
        """
        ...


class ServiceAnswers:
    """The answers of a service for one validator. Thread-safe; each thread's questions are its own."""

    def __init__(self, service: TerminologyService, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._service = service
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[Question, tuple[float, Asked]] = OrderedDict()
        self._failures = 0
        self._closed_until = 0.0
        self._here = threading.local()

    def begin(self) -> None:
        """A validation begins: outages of the last are forgotten."""
        self._here.waiting = {}
        self._here.failed = {}

    def ask(self, question: Question) -> Asked:
        """What is known; what is not is noted, to be asked with the others."""
        failed: dict[Question, Asked] = getattr(self._here, "failed", {})
        if question in failed:
            return failed[question]
        with self._lock:
            held = self._known.get(question)
            if held is not None and held[0] > self._clock():
                self._known.move_to_end(question)
                return held[1]
        waiting: dict[Question, None] | None = getattr(self._here, "waiting", None)
        if waiting is not None:
            waiting[question] = None
        return Asked(None, "the terminology service has not been asked")

    def fetch(self) -> bool:
        """Ask what was noted. Whether there was anything: then it is worth validating again."""
        waiting: dict[Question, None] = getattr(self._here, "waiting", {})
        if not waiting:
            return False
        questions = list(waiting)
        self._here.waiting = {}
        reason = self._closed()
        answers: Sequence[Asked] = ()
        if not reason:
            try:
                answers = self._service.validate_codes(questions)
            except MpftConnectError as error:
                reason = self._failed(f"the terminology service gave no answer: {error}")
            except Exception as error:  # noqa: BLE001 - an object from outside: whatever it raises is an outage
                reason = self._failed(f"the terminology service gave no answer ({type(error).__name__})")
            else:
                if len(answers) == len(questions):
                    with self._lock:
                        self._failures = 0
                else:
                    reason = self._failed("the terminology service gave not one answer for each question")
        if reason:
            answers = [Asked(None, reason)] * len(questions)
        until = self._clock() + _SECONDS_REMEMBERED
        for question, answer in zip(questions, answers, strict=True):
            if answer.result is None:
                self._here.failed[question] = answer
                continue
            with self._lock:
                self._known[question] = (until, answer)
                while len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        return True

    def _closed(self) -> str:
        with self._lock:
            left = self._closed_until - self._clock()
            if left <= 0:
                return ""
            return f"the terminology service failed {self._failures} times in a row and is not asked for a while"

    def _failed(self, reason: str) -> str:
        with self._lock:
            self._failures += 1
            if self._failures >= _FAILURES:
                self._closed_until = self._clock() + _SECONDS_CLOSED
        return reason
