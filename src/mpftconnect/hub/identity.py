"""Who a record is about, and whether the user may: tracing, local identifiers, verified relationships.

The tracing service comes first (rule 3); a relationship is a claim that a system verifies (rule 9). No clinical data is
read here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mpftconnect.adapters.contract import Capability, Reading, Trace, Verified
from mpftconnect.adapters.deadline import Deadline
from mpftconnect.errors import GapReason, NotAnNhsNumber, PersonUnknown
from mpftconnect.events import Code, EventStream
from mpftconnect.governance.admission import BREAK_GLASS
from mpftconnect.hub.asking import ask, failure_of, method, not_to_be_asked
from mpftconnect.hub.assemble import Person
from mpftconnect.hub.configuration import HubSettings
from mpftconnect.hub.fan_out import Call, Failure, call
from mpftconnect.hub.systems import OpenSystem
from mpftconnect.model import AccessContext, Identifier, NhsNumber, Notice, Patient, SectionName, nhs_number

__all__ = ["Identity", "Traced", "Verification", "Verifying"]

# A trace may be kept for as long as is configured, and no more of them than a busy day brings.
_MOST_TRACES = 1000


@dataclass(frozen=True, slots=True)
class Traced:
    """What is known of who this is, before any record is read."""

    person: Person
    failure: Failure | None
    reading: Reading | None
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class Verification:
    """Who confirmed the relationship, if anybody; and who could have and was silent."""

    by: str | None = None
    silent: tuple[str, ...] = ()


class Verifying:
    """The systems that are being asked whether the relationship is real."""

    def __init__(self, calls: list[tuple[str, Call[Any], Deadline]]) -> None:
        self._calls = calls

    def __add__(self, other: Verifying) -> Verifying:
        return Verifying([*self._calls, *other._calls])

    def result(self) -> Verification:
        silent = []
        by = None
        for name, asking, deadline in self._calls:
            verified, error = asking.result(deadline)
            if isinstance(verified, Verified):
                by = by or f"{name}: {verified.how}"
            elif error is not None:
                silent.append(name)
        return Verification(by, tuple(silent))


class Identity:
    """Asks the connected systems who somebody is. Safe between threads.

    Args:
        systems: Those that may be asked.
        settings: Which system traces, and how long a trace may be used.
        new_reading: Makes a reading of one system within a deadline.
    """

    def __init__(
        self,
        systems: Sequence[OpenSystem],
        settings: HubSettings,
        events: EventStream,
        new_reading: Callable[..., Reading],
    ) -> None:
        self._systems, self._settings, self._events, self._new_reading = systems, settings, events, new_reading
        self._traces: dict[str, tuple[float, Trace]] = {}
        self._lock = threading.Lock()

    def tracer(self) -> OpenSystem | None:
        """The system that says who people are; None if none is connected."""
        chosen = self._settings.trace
        able = [system for system in self._systems if system.offers(Capability.TRACE_PERSON)]
        if chosen is not None:
            return next((system for system in able if system.name == chosen), None)
        return able[0] if able else None

    def trace(
        self, number: NhsNumber, who: AccessContext, wanted: frozenset[SectionName], until: Deadline, correlation: str
    ) -> Traced:
        """Who has the number. If the tracing service is silent, `person.traced` is None and `failure` says why.

        Raises:
            PersonUnknown: It says that the number is not known, or must not be used.
        """
        tracer = self.tracer()
        if tracer is None:
            return Traced(Person(number, frozenset({number}), None, None), None, None)
        reading = self._new_reading(tracer, who, until, correlation, number=number, sections=wanted)
        trace, failure = self._asked_trace(tracer, reading, number, who)
        if trace is None:
            return Traced(Person(number, frozenset({number}), None, tracer.name), failure, None)
        if trace.outcome != "found" or trace.patient is None:
            said = {
                "invalidated": "says that this NHS number must no longer be used",
                "not-found": "knows no person under this NHS number",
            }.get(trace.outcome, "gave no person")
            raise PersonUnknown(f"{tracer.name} {said}; no other system was asked")
        # What systems file under a former number is found only where the trace names that number.
        held = (i.value or "" for i in trace.patient.identifiers if i.is_nhs_number)
        former = frozenset(n for value in held if (n := _valid(value)) is not None)
        current = _valid(trace.patient.nhs_number or "") or number
        notices: tuple[Notice, ...] = ()
        if current != number:
            text = "The NHS number that was asked for has been replaced; the record is read under the current number."
            notices = (Notice("number-superseded", text, tracer.name),)
        person = Person(current, former | {number, current}, trace.patient, tracer.name)
        return Traced(person, None, reading, notices)

    def leads_to(self, former: NhsNumber, current: str, who: AccessContext, until: Deadline, correlation: str) -> bool:
        """Whether the tracing service, asked by the former number, gives the current one. False if it is silent."""
        try:
            traced = self.trace(former, who, frozenset(), until, correlation)
        except PersonUnknown:
            return False
        return traced.person.traced is not None and traced.person.number == current

    def _asked_trace(
        self, tracer: OpenSystem, reading: Reading, number: str, who: AccessContext
    ) -> tuple[Trace | None, Failure | None]:
        if failure := not_to_be_asked(tracer, who):
            return None, self._gap(tracer, failure)
        limit = self._settings.trace_max_age_seconds
        with self._lock:
            kept = self._traces.get(number)
        if kept is not None and time.monotonic() - kept[0] <= limit:
            return kept[1], None
        asking = call(lambda: method(tracer, Capability.TRACE_PERSON)(reading), f"trace-{tracer.name}")
        trace, error = asking.result(reading.deadline)
        failure = failure_of(error) or _fault_in(trace, tracer.name)
        if failure is not None:
            return None, self._gap(tracer, failure)
        if limit > 0 and trace is not None:
            with self._lock:
                self._traces.pop(number, None)
                while len(self._traces) >= _MOST_TRACES:
                    del self._traces[next(iter(self._traces))]
                self._traces[number] = (time.monotonic(), trace)
        return trace, None

    def _gap(self, tracer: OpenSystem, failure: Failure) -> Failure:
        self._events.emit(Code.SYSTEM_GAP, system=tracer.name, step="trace_person", reason=str(failure.reason))
        return failure

    def resolve(self, identifier: Identifier, who: AccessContext, until: Deadline, correlation: str) -> NhsNumber:
        """Whose local identifier it is.

        Raises:
            PersonUnknown: No system can say, or they disagree.
        """
        calls: list[tuple[str, Call[Any], Deadline]] = []
        numbers: set[NhsNumber] = set()
        silent: list[str] = []
        for system in self._systems:
            if not system.offers(Capability.RESOLVE_IDENTIFIER):
                continue
            if not_to_be_asked(system, who):
                silent.append(system.name)
                continue
            reading = self._new_reading(system, who, until, correlation, identifiers=(identifier,))
            resolve = partial(ask, system, Capability.RESOLVE_IDENTIFIER, reading, identifier)
            calls.append((system.name, call(resolve, f"resolve-{system.name}"), reading.deadline))
        for name, asking, deadline in calls:
            said, error = asking.result(deadline)
            number = _valid(said) if isinstance(said, str) else None
            if number is not None:
                numbers.add(number)
            elif error is not None or said is not None:
                silent.append(name)
        if len(numbers) == 1:
            return numbers.pop()
        if numbers:
            raise PersonUnknown("connected systems give different NHS numbers for this identifier; ask by NHS number")
        names = f" ({', '.join(silent)} did not answer or may not be asked)" if silent else ""
        raise PersonUnknown(f"no connected system could say whose identifier this is{names}")

    def verifying(self, number: NhsNumber, who: AccessContext, until: Deadline, correlation: str) -> Verifying:
        """Start asking every system that can whether the claimed relationship is real."""
        able = [s for s in self._systems if s.offers(Capability.VERIFY_RELATIONSHIP)]
        calls: list[tuple[str, Call[Any], Deadline]] = []
        if who.relationship != BREAK_GLASS:
            # A system that is slow to confirm must leave the others time to answer.
            until = until.earlier(until.remaining() / 3)
            for system in able:
                if not_to_be_asked(system, who):
                    continue
                reading = self._new_reading(system, who, until, correlation, number=number)
                verify = partial(ask, system, Capability.VERIFY_RELATIONSHIP, reading)
                calls.append((system.name, call(verify, f"verify-{system.name}"), reading.deadline))
        return Verifying(calls)


def _valid(number: str) -> NhsNumber | None:
    """The number, if it is one: what a system says must not break the read."""
    try:
        return nhs_number(number)
    except NotAnNhsNumber:
        return None


def _fault_in(trace: object, tracer: str) -> Failure | None:
    """What makes a trace unfit to go by: everything hangs on it."""
    if not isinstance(trace, Trace):
        return Failure(GapReason.ADAPTER_FAULT, "trace_person gave no Trace")
    if trace.outcome != "found":
        return None
    patient = trace.patient
    if not isinstance(patient, Patient) or patient.source.system != tracer:
        return Failure(GapReason.ADAPTER_FAULT, "trace_person found somebody and gave no Patient of its own")
    if patient.nhs_number is not None and _valid(patient.nhs_number) is None:
        return Failure(GapReason.ANSWER_REJECTED, "the person traced has an NHS number that is none")
    return None
