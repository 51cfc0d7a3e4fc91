"""The hub: one call, one person's record from every connected system that answered and may be shown."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType

from mpftconnect.adapters.contract import READS, Capability, Reading, Support
from mpftconnect.adapters.deadline import Deadline
from mpftconnect.errors import (
    AdapterError,
    TooManyMatches,
    UsageError,
)
from mpftconnect.events import Code, EventStream
from mpftconnect.governance.admission import BREAK_GLASS, admit, require_relationship
from mpftconnect.governance.audit import AuditRecord, Withholding
from mpftconnect.governance.policies import Contribution, Policy, PolicySpec, Taken
from mpftconnect.governance.restriction import restrict_patient
from mpftconnect.hub.asking import failure_of, method, not_to_be_asked
from mpftconnect.hub.assemble import Asked, assemble, screen
from mpftconnect.hub.audit_entry import AuditEntry
from mpftconnect.hub.configuration import LONGEST_SECONDS, Configuration
from mpftconnect.hub.fan_out import Failure, SystemRead, SystemReading, call
from mpftconnect.hub.former_numbers import notices_of, silent_systems, stated_former_numbers, with_numbers
from mpftconnect.hub.identity import Identity, Traced
from mpftconnect.hub.people import People
from mpftconnect.hub.record import Gap, Record
from mpftconnect.hub.systems import OpenSystem, open_system
from mpftconnect.hub.trails import open_identities, open_privacy_stream, open_trail, shown_systems
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

__all__ = ["Hub"]


_MOST_PEOPLE = 100


class Hub:
    """Connected systems, governance and audit. Thread-safe; a context manager. Make one with `connect()`."""

    def __init__(self, configuration: Configuration, *, events: EventStream) -> None:
        self._configuration, self.events = configuration, events
        self._resources = ExitStack()
        self._policies: list[tuple[PolicySpec, Policy]] = [(p.spec, p.policy) for p in configuration.policies]
        # A system that a silent policy excludes is never opened: nothing later can ask, time or name it.
        shown = shown_systems(configuration)
        self._systems = tuple(open_system(system, configuration, events) for system in shown)
        self.audit = open_trail(configuration, events)
        self.privacy = open_privacy_stream(configuration, events)
        self.identities = open_identities(configuration, self.audit, events)
        self._identity = Identity(self._systems, configuration.hub, events, self._reading)
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
        """What whoever runs this configuration ought to know of it."""
        said = [f"policy {spec.name}: {said}" for spec, policy in self._policies for said in policy.cautions]
        live = any(system.configured.settings.environment == "live" for system in self._systems)
        if live and self._configuration.hub.allow_asserted_relationship:
            said.append("[hub] allow_asserted_relationship: live systems are read where nobody verified a relationship")
        if live and self._configuration.roles.unlisted == "all":
            said.append("[hub] unlisted_role: a role that is not listed sees every section of live systems")
        if not self._configuration.roles.roles and self._configuration.roles.unlisted == "none":
            said.append("[roles]: no role is listed, so every read is refused")
        return tuple(said)

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
        entry = AuditEntry(self.audit, self.events, who, "read", correlation, number, tuple(sorted(wanted)))
        with entry:
            admit(who)
            outside = wanted - self._configuration.roles.sections(who)
            entry.not_for_role = tuple(sorted(outside))
            wanted -= outside
            self._tell_of_break_glass(entry)
            self.events.emit(Code.READ_STARTED, count=len(self._systems))
            if local is not None:
                number = self._identity.resolve(local, who, until, correlation)
                entry.patient = number
                self._tell_of_break_glass(entry)
            assert number is not None  # noqa: S101 - one of the two branches above set it
            # Verifying needs only the number, so it runs beside the trace and costs no time of its own.
            verifying = self._identity.verifying(number, who, until, correlation)
            traced = self._identity.trace(number, who, wanted, until, correlation)
            entry.patient = traced.person.number
            if traced.person.number != number:
                self._tell_of_break_glass(entry)
                verifying += self._identity.verifying(nhs_number(traced.person.number), who, until, correlation)
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
            traced, asked = self._read_by_former_numbers(traced, asked, who, wanted, until, correlation, given)
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
                decisions=self.identities.about(traced.person.numbers, _held(asked)),
                not_for_role=outside,
                sameness=self._configuration.sameness,
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
        entry = AuditEntry(self.audit, self.events, who, "find", correlation, None, ())
        with entry:
            admit(who)
            self._configuration.roles.sections(who)  # a role that may see nothing may not look for people either
            self._tell_of_break_glass(entry)
            searching = [s for s in self._systems if s.offers(Capability.SEARCH_PEOPLE)]
            tracer = self._identity.tracer()
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
            entry.write(entry.finding(shown, gaps, system.name))
        return People(shown, gaps)

    def _search(
        self, system: OpenSystem, demographics: Demographics, who: AccessContext, until: Deadline, correlation: str
    ) -> tuple[tuple[Patient, ...], Failure | None]:
        if failure := not_to_be_asked(system, who):
            return (), failure
        reading = self._reading(system, who, until, correlation)

        def search() -> tuple[Patient, ...]:
            found: list[Patient] = []
            for patient in method(system, Capability.SEARCH_PEOPLE)(reading, demographics):
                if not isinstance(patient, Patient) or patient.source.system != system.name:
                    raise AdapterError("search_people gave something that is no Patient of this system")
                if len(found) >= _MOST_PEOPLE:
                    raise TooManyMatches("more people fit than may be shown: give more demographics")
                found.append(patient)
            return tuple(found)

        people, error = call(search, f"find-{system.name}").result(reading.deadline)
        if isinstance(error, TooManyMatches):
            raise error
        return people or (), failure_of(error)

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
        in_full: bool = False,
    ) -> Reading:
        """One reading of one system. Nothing is recorded in full before it is known that the person is unrestricted."""
        settings = system.configured.settings
        limit = settings.deadline_seconds or self._configuration.hub.system_deadline_seconds
        deadline = until.earlier(limit)
        return Reading(
            system=system.name,
            who=who,
            wire=system.wire.bound(deadline=deadline, correlation_id=correlation, in_full=in_full),
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
        traced: Traced,
        who: AccessContext,
        wanted: frozenset[SectionName],
        until: Deadline,
        correlation: str,
        identifiers: tuple[Identifier, ...] = (),
        only: frozenset[str] | None = None,
    ) -> list[Asked]:
        person = traced.person
        running: list[tuple[Asked, SystemReading | None, Deadline]] = []
        for system in self._systems:
            if only is not None and system.name not in only:
                continue
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
                in_full=not person.is_restricted,
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

    def _read_by_former_numbers(
        self,
        traced: Traced,
        asked: list[Asked],
        who: AccessContext,
        wanted: frozenset[SectionName],
        until: Deadline,
        correlation: str,
        identifiers: tuple[Identifier, ...],
    ) -> tuple[Traced, list[Asked]]:
        """Ask systems that hold nobody once more, by former numbers that another states and the trace confirms."""
        person = traced.person
        stated = tuple(
            replace(one, confirmed=self._identity.leads_to(one.number, person.number, who, until, correlation))
            for one in stated_former_numbers(person, asked, self._policies)
        )
        if not stated or person.tracer is None:
            return traced, asked
        notices = (*traced.notices, *notices_of(stated, person.tracer))
        traced = replace(traced, person=with_numbers(person, stated), notices=notices)
        only = silent_systems(asked, stated)
        again = {one.system: one for one in self._read(traced, who, wanted, until, correlation, identifiers, only)}
        return traced, [again.get(one.system, one) for one in asked]

    def _asked(self, system: OpenSystem, who: AccessContext, wanted: frozenset[SectionName]) -> Asked:
        spec, settings = system.configured.spec, system.configured.settings
        holds = frozenset(name for name in wanted if system.offers(READS[name]))
        hides = frozenset(name for name in wanted if system.hides(name, READS[name]))
        refused = {name: why for name in holds | hides if (why := system.agreement_refusal(who, name))}
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
        withheld = [Withholding(one.system, one.item, policy, str(one.section)) for policy, one in taken]
        self.privacy.record_withheld(read, withheld)

    def _tell_of_break_glass(self, entry: AuditEntry) -> None:
        """Before anything is asked of any system; should that fail nothing is. Again for each number it leads to."""
        if entry.who.relationship == BREAK_GLASS:
            self.privacy.append(replace(entry.beginning(), action="break-glass"))


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


def _held(asked: Sequence[Asked]) -> list[tuple[str, str]]:
    """System and id of each record that was found."""
    return [(one.system, one.read.patient.source.id) for one in asked if one.read and one.read.patient]


def _with(asked: Asked, read: SystemRead) -> Asked:
    return replace(asked, read=read)


def _relationship_notice(who: AccessContext, verified_by: str | None) -> tuple[Notice, ...]:
    if who.relationship == BREAK_GLASS:
        return (Notice("break-glass", "Opened by break-glass; the privacy officer has been told.", "mpftconnect"),)
    if verified_by is None:
        text = "Nobody verified the relationship to this person; it is as the user states it."
        return (Notice("relationship-asserted", text, "mpftconnect"),)
    return ()
