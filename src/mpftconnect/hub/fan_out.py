"""Reads one system in the background, keeps what arrived, and never waits longer than the deadline.

Threads are daemons: a system that hangs can hold up neither another system nor the interpreter's exit. What was
yielded before a failure or the deadline is kept, and the section says that it is partial.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mpftconnect.adapters.contract import READS, Adapter, Found, Reading, Refusal
from mpftconnect.adapters.deadline import Deadline
from mpftconnect.errors import AdapterError, GapReason, MpftConnectError
from mpftconnect.events import Code, EventStream
from mpftconnect.model import SECTION_TYPES, Item, Notice, Patient, SectionName

__all__ = ["Failure", "SectionRead", "SystemRead", "SystemReading", "call"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something is missing, without any value."""

    reason: GapReason
    detail: str = ""

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        if isinstance(error, AdapterError):
            return cls(error.reason, ": ".join(part for part in (error.place, error.rule) if part))
        if isinstance(error, MpftConnectError):
            return cls(GapReason.ADAPTER_FAULT, str(error))
        # A stranger's exception may hold anything, so only its kind is kept.
        return cls(GapReason.ADAPTER_FAULT, type(error).__name__)


TIMED_OUT = Failure(GapReason.TIMED_OUT, "no whole answer before the deadline")

# An adapter that never stops yielding must not fill the memory before the deadline. No section of one person is near.
MOST_ENTRIES = 100_000
TOO_MANY = Failure(GapReason.ANSWER_REJECTED, f"more than {MOST_ENTRIES} entries in one section")


@dataclass(frozen=True, slots=True)
class SectionRead:
    """What a system said of one section: what came, and why the rest did not, if it did not."""

    found: tuple[Found, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class SystemRead:
    """What a system said of the person.

    Args:
        patient: The person as it knows them; None if it holds no such person or did not answer.
        answered: Whether it said at least whether it knows the person.
        failure: Why it did not.
        sections: What it was asked for and said.
    """

    patient: Patient | None
    answered: bool
    failure: Failure | None
    sections: dict[SectionName, SectionRead]


@dataclass
class _Section:
    found: list[Found] = field(default_factory=list)
    finished: bool = False
    failure: Failure | None = None


class Call(Generic[T]):
    """One function in a thread of its own."""

    def __init__(self, function: Callable[[], T], name: str) -> None:
        self._function = function
        self._done = threading.Event()
        self._value: T | None = None
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        try:
            self._value = self._function()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits; nobody else hears this thread
            self._error = error
        finally:
            self._done.set()

    def result(self, deadline: Deadline) -> tuple[T | None, BaseException | Failure | None]:
        """The value and what went wrong, at the latest at the deadline."""
        if not self._done.wait(deadline.remaining()):
            return None, TIMED_OUT
        return self._value, self._error


def call(function: Callable[[], T], name: str) -> Call[T]:
    """Start `function` in a daemon thread."""
    return Call(function, name)


class SystemReading:
    """The reading of one system: `start()`, then `result()`."""

    def __init__(
        self,
        adapter: Adapter,
        reading: Reading,
        sections: Iterable[SectionName],
        *,
        parallel: int,
        events: EventStream,
        known: Patient | None = None,
    ) -> None:
        self._adapter, self._reading, self._events = adapter, reading, events
        self._known, self._parallel = known, parallel
        self._lock = threading.Lock()
        self._closed = False
        self._sections = {name: _Section() for name in sections}
        self._waiting = deque(self._sections)
        self._unfinished = len(self._sections)
        self._answered = False
        self._patient: Patient | None = None
        self._failure: Failure | None = None
        self._done = threading.Event()
        self._started = time.monotonic()

    def start(self) -> SystemReading:
        self._events.emit(Code.SYSTEM_STARTED, system=self._reading.system, count=len(self._sections))
        self._spawn(self._begin)
        return self

    def _spawn(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name=f"mpftconnect-{self._reading.system}", daemon=True).start()

    def _begin(self) -> None:
        try:
            patient = self._known or _patient(self._adapter.find_patient(self._reading), self._reading.system)
        except BaseException as error:  # noqa: BLE001 - a stranger's code, `sys.exit` included, becomes this gap
            with self._lock:
                self._failure = Failure.of(error)
            self._done.set()
            return
        with self._lock:
            self._answered, self._patient = True, patient
        if patient is None or not self._sections:
            self._done.set()
            return
        self._reading = self._reading.found(patient)
        for _ in range(min(self._parallel, len(self._sections)) - 1):
            self._spawn(self._lane)
        self._lane()

    def _lane(self) -> None:
        while True:
            with self._lock:
                if self._closed or not self._waiting:
                    return
                name = self._waiting.popleft()
            failure = self._read(name)
            with self._lock:
                section = self._sections[name]
                section.finished, section.failure = True, failure
                self._unfinished -= 1
                if self._unfinished == 0:
                    self._done.set()

    def _read(self, name: SectionName) -> Failure | None:
        section, expected = self._sections[name], SECTION_TYPES[name]
        try:
            for number, found in enumerate(getattr(self._adapter, READS[name])(self._reading)):
                taken = found
                if isinstance(found, Item) and not isinstance(found, expected):
                    wrong = f"is a {type(found).__name__}, not a {expected.__name__}"
                    taken = Refusal(f"item {number}", wrong, content=found)
                elif isinstance(found, Item) and found.source.system != self._reading.system:
                    # Policies, matching and the audit go by the source: nobody speaks in another's name.
                    taken = Refusal(f"item {number}", "names another system as its source", content=found)
                elif not isinstance(found, Item | Notice | Refusal):
                    taken = Refusal(f"item {number}", f"is a {type(found).__name__}", content=found)
                with self._lock:
                    if self._closed:
                        return TIMED_OUT
                    if len(section.found) >= MOST_ENTRIES:
                        return TOO_MANY
                    section.found.append(taken)
        except BaseException as error:  # noqa: BLE001 - what came before it stays
            return Failure.of(error)
        return None

    def result(self, deadline: Deadline) -> SystemRead:
        """What has come by the time that the system is done or the deadline has passed.

        The event says nothing of how much: no policy has looked at it yet, and a log must not count what one takes.
        """
        self._done.wait(deadline.remaining())
        with self._lock:
            self._closed = True
            failure = self._failure or (None if self._answered else TIMED_OUT)
            sections = {
                name: SectionRead(tuple(section.found), section.failure if section.finished else TIMED_OUT)
                for name, section in self._sections.items()
            }
            read = SystemRead(self._patient, self._answered, failure, sections)
        self._events.emit(
            Code.SYSTEM_FINISHED,
            system=self._reading.system,
            reason=str(failure.reason) if failure else None,
            duration_ms=round((time.monotonic() - self._started) * 1000, 1),
        )
        return read


def _patient(found: object, system: str) -> Patient | None:
    if found is None:
        return None
    if not isinstance(found, Patient):
        raise AdapterError("find_patient gave something that is no Patient")
    if found.source.system != system:
        raise AdapterError("find_patient names another system as its source")
    return found
