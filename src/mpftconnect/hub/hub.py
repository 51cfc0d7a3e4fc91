"""The hub: one call, one person's record from every connected system that answered and may be shown."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType

from mpftconnect.adapters.contract import Capability
from mpftconnect.adapters.deadline import Deadline
from mpftconnect.errors import (
    AdapterError,
    TooManyMatches,
    UsageError,
)
from mpftconnect.events import Code, EventStream
from mpftconnect.governance.admission import admit
from mpftconnect.governance.policies import Contribution, Policy, PolicySpec
from mpftconnect.governance.restriction import restrict_patient
from mpftconnect.hub.account import Account
from mpftconnect.hub.asking import failure_of, method, not_to_be_asked
from mpftconnect.hub.assemble import screen
from mpftconnect.hub.configuration import Configuration
from mpftconnect.hub.documents import Documents, FetchedDocument
from mpftconnect.hub.fan_out import Failure, call
from mpftconnect.hub.gathering import Gathering
from mpftconnect.hub.people import People
from mpftconnect.hub.record import Gap, Record
from mpftconnect.hub.systems import OpenSystem, open_system
from mpftconnect.model import (
    AccessContext,
    Demographics,
    Identifier,
    NhsNumber,
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
        silent = [policy for spec, policy in self._policies if spec.kind == "silent"]
        # A system that a silent policy excludes is never opened: nothing later can ask, time or name it.
        shown = [s for s in configuration.systems if not any(policy.withholds_system(s.name) for policy in silent)]
        self._systems = tuple(open_system(system, configuration, events) for system in shown)
        self._account = Account.of(configuration, events)
        self.audit, self.privacy = self._account.audit, self._account.privacy
        self._gathering = Gathering(configuration, self._systems, self._policies, events)
        self._identity = self._gathering.identity
        self._documents = Documents(self._systems, self._gathering, self._account)
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
        about = _about(identifier)
        correlation = str(uuid.uuid4())
        until = self._gathering.until(deadline)
        entry = self._account.entry(who, "read", correlation, about, wanted)
        with entry:
            gathered = self._gathering.gather(entry, who, about, wanted, until, correlation, expect=expect)
            assembled = gathered.assembled
            record = assembled.record
            showing = entry.showing(record, gathered.systems_asked)
            # The privacy officer first: should that fail nothing is shown, and the trail must not say that it was.
            self._account.tell_privacy_officer(showing, assembled.taken)
            entry.write(showing)
        self.events.emit(
            Code.READ_FINISHED,
            count=sum(1 for _ in record.items()),
            duration_ms=round((time.monotonic() - started) * 1000, 1),
        )
        return record

    def fetch_document(
        self,
        identifier: str | Identifier,
        key: str,
        who: AccessContext,
        *,
        attachment: int = 0,
        deadline: float | None = None,
    ) -> FetchedDocument:
        """The bytes of a document that the person's record shows, from the system that holds or points at it.

        The record's documents are read again, of that system alone, so that what may no longer be shown cannot be had.

        Args:
            identifier: As for `record`.
            key: `Item.key` of the document.
            who: Who asks, and why.
            attachment: Which of its attachments.
            deadline: Seconds for the whole of it; by default as configured.
        Raises:
            ItemNotShown: The record shows no such document, for whatever reason.
            AdapterError: The system, or whoever holds the document, did not give it, or not in a shape to be trusted.
            UsageError: It has no such attachment, or its system cannot fetch documents.
            AccessRefused, PersonUnknown, AuditUnavailable: As for `record`.
        """
        self._check_open(who)
        about, until = _about(identifier), self._gathering.until(deadline)
        return self._documents.fetch(about, key, who, attachment, until)

    def find(self, demographics: Demographics, who: AccessContext, *, deadline: float | None = None) -> People:
        """People who fit the demographics, by the tracing service.

        Raises:
            TooManyMatches: More fit than may be shown: ask with more demographics.
            AccessRefused, AuditUnavailable: As for `record`.
        """
        self._check_open(who)
        correlation = str(uuid.uuid4())
        until = self._gathering.until(deadline)
        entry = self._account.entry(who, "find", correlation)
        with entry:
            admit(who)
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
            finding = entry.finding(shown, gaps, system.name)
            self._account.tell_of_break_glass(finding)
            entry.write(finding)
        return People(shown, gaps)

    def _search(
        self, system: OpenSystem, demographics: Demographics, who: AccessContext, until: Deadline, correlation: str
    ) -> tuple[tuple[Patient, ...], Failure | None]:
        if failure := not_to_be_asked(system, who):
            return (), failure
        reading = self._gathering.reading(system, who, until, correlation)

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


def _about(identifier: object) -> NhsNumber | Identifier:
    """Whom a request is about: an NHS number, or a local identifier that a system must resolve."""
    if isinstance(identifier, Identifier) and not identifier.is_nhs_number:
        return identifier
    return nhs_number(_number(identifier))


def _number(identifier: object) -> str:
    if isinstance(identifier, Identifier):
        return identifier.value or ""
    if not isinstance(identifier, str):
        raise UsageError("identifier: expected an NHS number as text, or an Identifier")
    return identifier
