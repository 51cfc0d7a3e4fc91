"""The hub: one call, one person's record from every connected system that answered and may be shown."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any, Literal, overload

from mpftconnect.adapters.contract import READS, Capability, Reading, Support, Trace, Verified
from mpftconnect.adapters.deadline import Deadline
from mpftconnect.errors import (
    AccessRefused,
    AdapterError,
    AuditUnavailable,
    GapReason,
    NotAnNhsNumber,
    PersonUnknown,
    TooManyMatches,
    UsageError,
)
from mpftconnect.events import Code, EventStream
from mpftconnect.governance.admission import BREAK_GLASS, admit, require_relationship
from mpftconnect.governance.audit import AuditRecord, AuditTrail, PrivacyStream, Shown, Withholding
from mpftconnect.governance.policies import Contribution, Policy, PolicySpec, Taken
from mpftconnect.governance.restriction import restrict_patient
from mpftconnect.hub.assemble import Asked, Person, assemble, screen
from mpftconnect.hub.configuration import LONGEST_SECONDS, Configuration
from mpftconnect.hub.fan_out import Call, Failure, SystemRead, SystemReading, call
from mpftconnect.hub.record import Gap, Record
from mpftconnect.hub.systems import OpenSystem, open_system
from mpftconnect.model import (
    AccessContext,
    Demographics,
    Identifier,
    NhsNumber,
    Notice,
    Patient,
    SectionName,
    nhs_number,
)

__all__ = ["Hub", "People"]


# A trace may be kept for as long as is configured, and no more of them than a busy day brings.
_MOST_TRACES = 1000
_MOST_PEOPLE = 100
_FAILED: dict[type[BaseException], str] = {TooManyMatches: "too-many-matches", KeyboardInterrupt: "interrupted"}


@dataclass(frozen=True, slots=True)
class People(Sequence[Patient]):
    """Candidates from a search. Empty never means that there is no such person.

    Args:
        people: Who fits, as the tracing service knows them; of restricted people no location.
        gaps: Systems that could search and did not answer.
    """

    people: tuple[Patient, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def complete(self) -> bool:
        return not self.gaps

    def words(self) -> str:
        found = f"{len(self.people)} fit." if self.people else "Nobody was found who fits. This does not mean none."
        return " ".join([found, *(gap.words() for gap in self.gaps)])

    def __len__(self) -> int:
        return len(self.people)

    @overload
    def __getitem__(self, index: int) -> Patient: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Patient]: ...
    def __getitem__(self, index: int | slice) -> Patient | Sequence[Patient]:
        return self.people[index]

    def __iter__(self) -> Iterator[Patient]:
        return iter(self.people)


@dataclass(frozen=True, slots=True)
class _Traced:
    """What is known of who this is, before any record is read."""

    person: Person
    failure: Failure | None
    reading: Reading | None
    notices: tuple[Notice, ...] = ()


class Hub:
    """Connected systems, governance and audit. Thread-safe; a context manager. Make one with `connect()`."""

    def __init__(self, configuration: Configuration, *, events: EventStream) -> None:
        self._configuration, self.events = configuration, events
        self._resources = ExitStack()
        self._policies: list[tuple[PolicySpec, Policy]] = [(p.spec, p.policy) for p in configuration.policies]
        silent = [policy for spec, policy in self._policies if spec.kind == "silent"]
        # A system that a silent policy excludes is never opened: nothing later can ask, time or name it.
        shown = [s for s in configuration.systems if not any(policy.withholds_system(s.name) for policy in silent)]
        self._systems = tuple(open_system(system, configuration, events) for system in shown)
        self.audit = _trail(configuration, events)
        self.privacy = _stream(configuration, events)
        self._traces: dict[str, tuple[float, Trace]] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()

    # As a context manager

    def __enter__(self) -> Hub:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def own(self, resources: ExitStack) -> None:
        """Stop these too when the hub closes."""
        self._resources.push(resources)

    def close(self) -> None:
        """Close every connection and stop what `connect()` started."""
        self._closed.set()
        with ExitStack() as closing:
            # One that fails to close keeps none of the others open.
            closing.callback(self._resources.close)
            for system in self._systems:
                closing.callback(system.wire.close)

    @property
    def systems(self) -> tuple[OpenSystem, ...]:
        """The systems that may be read, in the order of the configuration."""
        return self._systems

    @property
    def cautions(self) -> tuple[str, ...]:
        """What the configured policies want whoever runs them to know."""
        return tuple(f"policy {spec.name}: {said}" for spec, policy in self._policies for said in policy.cautions)

    @property
    def configured_user(self) -> AccessContext | None:
        """The `[who]` of the configuration, for command-line use."""
        return self._configuration.who

    # One person's record

    def record(
        self,
        identifier: str | Identifier,
        who: AccessContext,
        *,
        sections: Iterable[SectionName | str] | None = None,
        deadline: float | None = None,
        expect: Demographics | None = None,
    ) -> Record:
        """One person's record from every connected system that answered and may be shown.

        Args:
            identifier: An NHS number, or an `Identifier` (a local id) that a connected system can resolve.
            who: Who asks, and why.
            sections: Sections to ask for; systems are asked for no more. By default all.
            deadline: Seconds for the whole read; by default as configured.
            expect: What the user has in front of them; differences stand in `record.mismatches`.
        Raises:
            NotAnNhsNumber: The identifier is a string and no NHS number.
            UsageError: No such section or deadline, or the hub is closed.
            AccessRefused: Governance refuses; the refusal is audited.
            PersonUnknown: The tracing service says that the number is not known or must not be used, or no system
                can resolve the local identifier.
            AuditUnavailable: No audit entry could be made durable, so nothing is shown.
        """
        started = time.monotonic()
        self._check_open(who)
        wanted = _wanted(sections)
        local = identifier if isinstance(identifier, Identifier) and not identifier.is_nhs_number else None
        number = None if local else nhs_number(_number(identifier))
        correlation = str(uuid.uuid4())
        until = self._until(deadline)
        entry = _Entry(self, who, "read", correlation, number, tuple(sorted(wanted)))
        with entry:
            admit(who)
            self.events.emit(Code.READ_STARTED, count=len(self._systems))
            if local is not None:
                number = self._resolve(local, who, until, correlation)
                entry.patient = number
            assert number is not None  # noqa: S101 - one of the two branches above set it
            # Verifying needs only the number, so it runs beside the trace and costs no time of its own.
            verifying = self._verifying(number, who, until, correlation)
            traced = self._trace_person(number, who, wanted, until, correlation)
            entry.patient = traced.person.number
            if traced.person.number != number:
                verifying += self._verifying(nhs_number(traced.person.number), who, until, correlation)
            given = () if local is None else (local,)
            if self._must_be_verified(who):
                # Nothing may be read before somebody confirmed the relationship.
                verified = verifying.result()
                require_relationship(who, verified.by, silent=verified.silent)
                asked = self._read(traced, who, wanted, until, correlation, given)
            else:
                asked = self._read(traced, who, wanted, until, correlation, given)
                verified = verifying.result()
            entry.verified_by = verified.by
            assembled = assemble(
                traced.person,
                asked,
                wanted=wanted,
                policies=self._policies,
                made=datetime.now(UTC),
                correlation_id=correlation,
                expect=expect,
                trace_failure=traced.failure,
                notices=(*traced.notices, *_relationship_notice(who, verified.by)),
            )
            record = assembled.record
            showing = entry.showing(record, [one.system for one in asked if one.read is not None])
            # The privacy officer first: should that fail nothing is shown, and the trail must not say that it was.
            self._tell_privacy_officer(showing, assembled.taken)
            entry.write(showing)
        self.events.emit(
            Code.READ_FINISHED,
            count=sum(1 for _ in record.items()),
            duration_ms=round((time.monotonic() - started) * 1000, 1),
        )
        return record

    def find(self, demographics: Demographics, who: AccessContext, *, deadline: float | None = None) -> People:
        """People who fit the demographics, by the tracing service.

        Raises:
            TooManyMatches: More fit than may be shown: ask with more demographics.
            AccessRefused, AuditUnavailable: As for `record`.
        """
        self._check_open(who)
        correlation = str(uuid.uuid4())
        until = self._until(deadline)
        entry = _Entry(self, who, "find", correlation, None, ())
        with entry:
            admit(who)
            searching = [s for s in self._systems if s.offers(Capability.SEARCH_PEOPLE)]
            tracer = self._tracer()
            searching = [tracer] if tracer in searching else searching[:1]
            if not searching:
                raise UsageError("no connected system can search by demographics")
            system = searching[0]
            people, failure = self._search(system, demographics, who, until, correlation)
            gaps = (Gap(system=system.name, reason=failure.reason, detail=failure.detail),) if failure else ()
            shown = tuple(
                patient if patient.restriction == "U" else restrict_patient(patient)
                for found in people
                if (patient := screen(Contribution(system.name, found), self._policies).patient) is not None
            )
            finding = entry.finding(shown, gaps, system.name)
            self._tell_of_break_glass(finding)
            entry.write(finding)
        return People(shown, gaps)

    def _search(
        self, system: OpenSystem, demographics: Demographics, who: AccessContext, until: Deadline, correlation: str
    ) -> tuple[tuple[Patient, ...], Failure | None]:
        if failure := _not_to_be_asked(system, who):
            return (), failure
        reading = self._reading(system, who, until, correlation)

        def search() -> tuple[Patient, ...]:
            found: list[Patient] = []
            for patient in _method(system, Capability.SEARCH_PEOPLE)(reading, demographics):
                if not isinstance(patient, Patient) or patient.source.system != system.name:
                    raise AdapterError("search_people gave something that is no Patient of this system")
                if len(found) >= _MOST_PEOPLE:
                    raise TooManyMatches("more people fit than may be shown: give more demographics")
                found.append(patient)
            return tuple(found)

        people, error = call(search, f"find-{system.name}").result(reading.deadline)
        if isinstance(error, TooManyMatches):
            raise error
        return people or (), _failure(error)

    def _check_open(self, who: AccessContext) -> None:
        if self._closed.is_set():
            raise UsageError("the hub is closed")
        if not isinstance(who, AccessContext):
            raise UsageError("who: expected an AccessContext")

    def _until(self, deadline: float | None) -> Deadline:
        seconds = self._configuration.hub.deadline_seconds if deadline is None else deadline
        if not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST_SECONDS:
            raise UsageError(f"deadline: expected seconds, more than 0 and at most {LONGEST_SECONDS}")
        return Deadline.after(seconds)

    # Who this is

    def _tracer(self) -> OpenSystem | None:
        chosen = self._configuration.hub.trace
        able = [system for system in self._systems if system.offers(Capability.TRACE_PERSON)]
        if chosen is not None:
            return next((system for system in able if system.name == chosen), None)
        return able[0] if able else None

    def _trace_person(
        self, number: NhsNumber, who: AccessContext, wanted: frozenset[SectionName], until: Deadline, correlation: str
    ) -> _Traced:
        tracer = self._tracer()
        if tracer is None:
            return _Traced(Person(number, frozenset({number}), None, None), None, None)
        reading = self._reading(tracer, who, until, correlation, number=number, sections=wanted)
        trace, failure = self._trace(tracer, reading, number, who)
        if trace is None:
            return _Traced(Person(number, frozenset({number}), None, tracer.name), failure, None)
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
        return _Traced(person, None, reading, notices)

    def _trace(
        self, tracer: OpenSystem, reading: Reading, number: str, who: AccessContext
    ) -> tuple[Trace | None, Failure | None]:
        if failure := _not_to_be_asked(tracer, who):
            return None, failure
        limit = self._configuration.hub.trace_max_age_seconds
        with self._lock:
            kept = self._traces.get(number)
        if kept is not None and time.monotonic() - kept[0] <= limit:
            return kept[1], None
        asking = call(lambda: _method(tracer, Capability.TRACE_PERSON)(reading), f"trace-{tracer.name}")
        trace, error = asking.result(reading.deadline)
        failure = _failure(error) or _fault_in(trace, tracer.name)
        if failure is not None:
            self.events.emit(Code.SYSTEM_GAP, system=tracer.name, step="trace_person", reason=str(failure.reason))
            return None, failure
        if limit > 0 and trace is not None:
            with self._lock:
                self._traces.pop(number, None)
                while len(self._traces) >= _MOST_TRACES:
                    del self._traces[next(iter(self._traces))]
                self._traces[number] = (time.monotonic(), trace)
        return trace, None

    def _resolve(self, identifier: Identifier, who: AccessContext, until: Deadline, correlation: str) -> NhsNumber:
        calls: list[tuple[str, Call[Any], Deadline]] = []
        numbers: set[NhsNumber] = set()
        silent: list[str] = []
        for system in self._systems:
            if not system.offers(Capability.RESOLVE_IDENTIFIER):
                continue
            if _not_to_be_asked(system, who):
                silent.append(system.name)
                continue
            reading = self._reading(system, who, until, correlation, identifiers=(identifier,))
            resolve = partial(_ask, system, Capability.RESOLVE_IDENTIFIER, reading, identifier)
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

    # Whether the user may

    def _verifying(self, number: NhsNumber, who: AccessContext, until: Deadline, correlation: str) -> _Verifying:
        able = [s for s in self._systems if s.offers(Capability.VERIFY_RELATIONSHIP)]
        calls: list[tuple[str, Call[Any], Deadline]] = []
        if who.relationship != BREAK_GLASS:
            # A system that is slow to confirm must leave the others time to answer.
            until = until.earlier(until.remaining() / 3)
            for system in able:
                if _not_to_be_asked(system, who):
                    continue
                reading = self._reading(system, who, until, correlation, number=number)
                verify = partial(_ask, system, Capability.VERIFY_RELATIONSHIP, reading)
                calls.append((system.name, call(verify, f"verify-{system.name}"), reading.deadline))
        return _Verifying(calls)

    def _must_be_verified(self, who: AccessContext) -> bool:
        """Whether a claim of a relationship is not enough: a live system is asked, and nothing says otherwise."""
        live = any(system.configured.settings.environment == "live" for system in self._systems)
        allowed = self._configuration.hub.allow_asserted_relationship
        return live and not allowed and who.relationship != BREAK_GLASS

    # Reading

    def _reading(
        self,
        system: OpenSystem,
        who: AccessContext,
        until: Deadline,
        correlation: str,
        *,
        number: NhsNumber | None = None,
        sections: frozenset[SectionName] = frozenset(),
        identifiers: tuple[Identifier, ...] = (),
        former: tuple[NhsNumber, ...] = (),
        traced: Patient | None = None,
    ) -> Reading:
        settings = system.configured.settings
        limit = settings.deadline_seconds or self._configuration.hub.system_deadline_seconds
        deadline = until.earlier(limit)
        return Reading(
            system=system.name,
            who=who,
            wire=system.wire.bound(deadline=deadline, correlation_id=correlation),
            deadline=deadline,
            nhs_number=number,
            former_numbers=former,
            identifiers=identifiers,
            sections=sections,
            traced=traced,
            zone=settings.zone,
        )

    def _read(
        self,
        traced: _Traced,
        who: AccessContext,
        wanted: frozenset[SectionName],
        until: Deadline,
        correlation: str,
        identifiers: tuple[Identifier, ...] = (),
    ) -> list[Asked]:
        person = traced.person
        running: list[tuple[Asked, SystemReading | None, Deadline]] = []
        for system in self._systems:
            asked = self._asked(system, who, wanted)
            if asked.withheld_by:
                running.append((asked, None, until))
                continue
            is_tracer = system.name == person.tracer
            if is_tracer and traced.reading is None:
                silent = SystemRead(None, False, traced.failure, {})
                running.append((_with(asked, silent), None, until))
                continue
            if system.adapter is None:
                running.append((_with(asked, SystemRead(None, False, system.failure, {})), None, until))
                continue
            if asked.refused and not asked.could_hold:
                running.append((asked, None, until))
                continue
            if not asked.could_hold and not is_tracer:
                running.append((asked, None, until))
                continue
            former = tuple(nhs_number(n) for n in sorted(person.numbers - {person.number}))
            reading = self._reading(
                system,
                who,
                until,
                correlation,
                number=nhs_number(person.number),
                sections=asked.could_hold,
                identifiers=identifiers,
                former=former,
                traced=person.traced,
            )
            if is_tracer and traced.reading is not None and not former:
                reading = traced.reading.continued(reading)
            # A system that traces may keep its records under another id than its register: the trace stands in for
            # finding the patient only where no record is read.
            known = person.traced if is_tracer and not asked.could_hold else None
            one = SystemReading(
                system.adapter,
                reading,
                sorted(asked.could_hold),
                parallel=self._configuration.hub.parallel_per_system,
                events=self.events,
                known=known,
            )
            running.append((asked, one.start(), reading.deadline))
        done = [asked if one is None else _with(asked, one.result(deadline)) for asked, one, deadline in running]
        for asked in done:
            if asked.read is not None and asked.read.failure is not None:
                self.events.emit(Code.SYSTEM_GAP, system=asked.system, reason=str(asked.read.failure.reason))
        return done

    def _asked(self, system: OpenSystem, who: AccessContext, wanted: frozenset[SectionName]) -> Asked:
        spec, settings = system.configured.spec, system.configured.settings
        today = datetime.now(UTC).date()
        holds = frozenset(name for name in wanted if system.offers(READS[name]))
        hides = frozenset(name for name in wanted if system.hides(name, READS[name]))
        refused = {name: why for name in holds | hides if (why := settings.agreement.refusal(who.purpose, name, today))}
        return Asked(
            system=system.name,
            supplier=spec.supplier,
            product=spec.product,
            tried_against=spec.tried_against.words(),
            assumed=spec.tried_against.assumed,
            environment=settings.environment,
            could_hold=holds - refused.keys(),
            undeclared=hides - refused.keys(),
            partly=frozenset(name for name in holds if system.support(READS[name]) == Support.PARTIAL),
            refused=refused,
            withheld_by=tuple(
                spec
                for spec, policy in self._policies
                if spec.kind == "declared" and policy.withholds_system(system.name)
            ),
        )

    # Telling

    def _tell_privacy_officer(self, read: AuditRecord, taken: Sequence[tuple[str, Taken]]) -> None:
        """Written at every read, whether anything was taken or not, so that the time it takes tells nothing."""
        self._tell_of_break_glass(read)
        withheld = [Withholding(one.system, one.item, policy, str(one.section)) for policy, one in taken]
        self.privacy.record_withheld(read, withheld)

    def _tell_of_break_glass(self, done: AuditRecord) -> None:
        if done.who.relationship == BREAK_GLASS:
            self.privacy.append(replace(done, action="break-glass"))


@dataclass(frozen=True, slots=True)
class _Verification:
    """Who confirmed the relationship, if anybody; and who could have and was silent."""

    by: str | None = None
    silent: tuple[str, ...] = ()


class _Verifying:
    """The systems that are being asked whether the relationship is real."""

    def __init__(self, calls: list[tuple[str, Call[Any], Deadline]]) -> None:
        self._calls = calls

    def __add__(self, other: _Verifying) -> _Verifying:
        return _Verifying([*self._calls, *other._calls])

    def result(self) -> _Verification:
        silent = []
        by = None
        for name, asking, deadline in self._calls:
            verified, error = asking.result(deadline)
            if isinstance(verified, Verified):
                by = by or f"{name}: {verified.how}"
            elif error is not None:
                silent.append(name)
        return _Verification(by, tuple(silent))


class _Entry:
    """The audit entry of one request: a block that is left with exactly one entry written, however it is left."""

    def __init__(
        self,
        hub: Hub,
        who: AccessContext,
        action: Literal["read", "find"],
        correlation: str,
        patient: str | None,
        sections: tuple[str, ...],
    ) -> None:
        self._hub, self._who, self._action, self._correlation = hub, who, action, correlation
        self.patient, self._sections = patient, sections
        self.verified_by: str | None = None
        self._tried = False

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or self._tried:
            return
        if isinstance(error, AccessRefused):
            self._hub.events.emit(Code.ACCESS_REFUSED, reason=error.code)
            self.write(self._made("refused", reason_code=error.code))
            return
        failed = self._made("failure", reason_code=_FAILED.get(type(error), type(error).__name__))
        if isinstance(error, Exception):
            self.write(failed)
            return
        # Ctrl-C is not to be turned into another error; the trail has raised its own alarm.
        with suppress(AuditUnavailable):
            self.write(failed)

    def write(self, record: AuditRecord) -> None:
        """Make the entry durable. Tried once: where it cannot be, `AuditUnavailable` says so, and nothing is shown."""
        self._tried = True
        self._hub.audit.append(record)

    def showing(self, record: Record, asked: Sequence[str]) -> AuditRecord:
        """The entry for a record that is about to be shown."""
        by_system: dict[str, list[str]] = {}
        for item in (record.patient, *record.held_as, *record.items()):
            for source in item.sources:
                by_system.setdefault(source.system, []).append(source.id)
        return self._made(
            "partial" if record.gaps else "success",
            systems_asked=tuple(asked),
            gaps=tuple(dict.fromkeys((gap.system, str(gap.reason)) for gap in record.gaps)),
            shown=tuple(Shown(system, tuple(ids)) for system, ids in sorted(by_system.items())),
        )

    def finding(self, people: Sequence[Patient], gaps: Sequence[Gap], system: str) -> AuditRecord:
        """The entry for people who are about to be shown."""
        return self._made(
            "partial" if gaps else "success",
            systems_asked=(system,),
            gaps=tuple((gap.system, str(gap.reason)) for gap in gaps),
            shown=(Shown(system, tuple(patient.source.id for patient in people)),) if people else (),
        )

    def _made(
        self,
        outcome: Literal["success", "partial", "failure", "refused"],
        *,
        systems_asked: tuple[str, ...] = (),
        gaps: tuple[tuple[str, str], ...] = (),
        shown: tuple[Shown, ...] = (),
        reason_code: str | None = None,
    ) -> AuditRecord:
        return AuditRecord(
            action="refused" if outcome == "refused" else self._action,
            outcome=outcome,
            who=self._who,
            patient=self.patient,
            verified_by=self.verified_by,
            purpose=self._who.purpose,
            sections=self._sections,
            systems_asked=systems_asked,
            gaps=gaps,
            shown=shown,
            correlation_id=self._correlation,
            reason_code=reason_code,
            at=datetime.now(UTC),
        )


def _trail(configuration: Configuration, events: EventStream) -> AuditTrail:
    settings = configuration.audit
    return AuditTrail(
        configuration.path(settings.store),
        key=configuration.audit_key,
        anchor=configuration.path(settings.anchor),
        fallback=configuration.path(settings.fallback),
        events=events,
    )


def _stream(configuration: Configuration, events: EventStream) -> PrivacyStream:
    settings = configuration.privacy
    return PrivacyStream(
        configuration.path(settings.store),
        key=configuration.privacy_key,
        anchor=configuration.path(settings.anchor),
        fallback=configuration.path(settings.fallback),
        events=events,
    )


def _wanted(sections: Iterable[SectionName | str] | None) -> frozenset[SectionName]:
    if sections is None:
        return frozenset(SectionName)
    try:
        wanted = frozenset(SectionName(name) for name in sections)
    except ValueError:
        raise UsageError(f"no such section; sections are {', '.join(SectionName)}") from None
    if not wanted:
        raise UsageError("no section is asked for")
    return wanted


def _number(identifier: object) -> str:
    if isinstance(identifier, Identifier):
        return identifier.value or ""
    if not isinstance(identifier, str):
        raise UsageError("identifier: expected an NHS number as text, or an Identifier")
    return identifier


def _valid(number: str) -> NhsNumber | None:
    """The number, if it is one: what a system says must not break the read."""
    try:
        return nhs_number(number)
    except NotAnNhsNumber:
        return None


def _not_to_be_asked(system: OpenSystem, who: AccessContext) -> Failure | None:
    """Why nothing at all may be asked of it: it could not be opened, or no agreement covers the asking (rule 10)."""
    if system.failure is not None:
        return system.failure
    refusal = system.configured.settings.agreement.refusal(who.purpose, None, datetime.now(UTC).date())
    return Failure(GapReason.NO_AGREEMENT, refusal) if refusal else None


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


def _ask(system: OpenSystem, capability: Capability, *arguments: Any) -> Any:
    # Looked up in the thread that calls it: a method that an adapter declares and lacks is that system's failure.
    return _method(system, capability)(*arguments)


def _method(system: OpenSystem, capability: Capability) -> Callable[..., Any]:
    method: Callable[..., Any] = getattr(system.adapter, str(capability))
    return method


def _failure(error: BaseException | Failure | None) -> Failure | None:
    return error if error is None or isinstance(error, Failure) else Failure.of(error)


def _with(asked: Asked, read: SystemRead) -> Asked:
    return replace(asked, read=read)


def _relationship_notice(who: AccessContext, verified_by: str | None) -> tuple[Notice, ...]:
    if who.relationship == BREAK_GLASS:
        return (Notice("break-glass", "Opened by break-glass; the privacy officer has been told.", "mpftconnect"),)
    if verified_by is None:
        text = "Nobody verified the relationship to this person; it is as the user states it."
        return (Notice("relationship-asserted", text, "mpftconnect"),)
    return ()
