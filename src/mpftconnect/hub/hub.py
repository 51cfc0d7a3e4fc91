"""The hub: one call, one person's record from every connected system that answered and may be shown."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Any

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
from mpftconnect.hl7v2 import Subject
from mpftconnect.hub.account import Account
from mpftconnect.hub.asking import failure_of, method, not_to_be_asked
from mpftconnect.hub.assemble import screen
from mpftconnect.hub.configuration import Configuration
from mpftconnect.hub.documents import Documents, FetchedDocument
from mpftconnect.hub.fan_out import Failure, call
from mpftconnect.hub.gathering import Gathering
from mpftconnect.hub.ledger import Ledger
from mpftconnect.hub.people import People
from mpftconnect.hub.publication import Preview, Publication, Wish
from mpftconnect.hub.publishing import Publishing
from mpftconnect.hub.pushed import LISTENER, TraceResolver, open_inbox
from mpftconnect.hub.record import Gap, Record
from mpftconnect.hub.systems import OpenSystem, open_system
from mpftconnect.hub.trails import open_identities, shown_systems
from mpftconnect.inbox import Inbox, Resolution
from mpftconnect.model import (
    AccessContext,
    CarePlan,
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
        # A system that a silent policy excludes is never opened: nothing later can ask, time or name it.
        shown = shown_systems(configuration)
        self._account = Account.of(configuration, events)
        self.inbox = self._open_inbox()
        self._systems = tuple(open_system(system, configuration, events, self.inbox) for system in shown)
        self.audit, self.privacy = self._account.audit, self._account.privacy
        self.identities = open_identities(configuration, self.audit, events)
        self._gathering = Gathering(configuration, self._systems, self._policies, self._account, self.identities)
        self._identity = self._gathering.identity
        self._documents = Documents(self._systems, self._gathering, self._account)
        self._publishing = Publishing(configuration, self._systems, self._gathering, self._account)
        self._closed = threading.Event()

    def _open_inbox(self) -> Inbox | None:
        configured = self._configuration.inbox
        if configured is None:
            return None
        who = configured.settings.who or self._configuration.who or LISTENER

        def resolve(subject: Subject) -> Resolution:
            # Asked only when messages are processed, when the systems are open.
            seconds = self._configuration.hub.system_deadline_seconds
            return TraceResolver(self._identity, self.audit, who, seconds)(subject)

        silent = [policy for spec, policy in self._policies if spec.kind == "silent"]
        return open_inbox(configured, events=self.events, silent=silent, privacy=self._account.privacy, resolve=resolve)

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
            if self.inbox is not None:
                closing.callback(self.inbox.close)
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
        writing = [s.name for s in self._systems if s.configured.settings.allow_writes]
        said += [f"writes to {name} are allowed (allow_writes)" for name in writing]
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
            sections: Sections to ask for; by default all. Systems are asked for no more, unless a silent policy needs
                more to judge by (decision 0018); nothing of that is shown.
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

    # Publishing

    @property
    def published(self) -> Ledger:
        """What was published where: `rows()`, `purge()` and `forget()`."""
        return self._publishing.ledger

    def preview_plan(
        self,
        plan: CarePlan | str,
        who: AccessContext,
        *,
        identifier: str | Identifier | None = None,
        kind: str | None = None,
        author: str | None = None,
        to: str | None = None,
        deadline: float | None = None,
    ) -> Preview:
        """What `publish_plan` would do now, with exactly the requests that it would send. Nothing is written.

        Args:
            plan: A plan of a record, or its key.
            who: Who asks, and why.
            identifier: Whose plan it is; may be left out where the plan names its subject by NHS number.
            kind: As which document: `crisis`, `contingency`, `personalised` or a SNOMED CT code; by default as
                `mpftconnect.hub.plan_pointers.kind_of` says.
            author: ODS code of the organisation that wrote the plan, where the plan does not say so.
            to: Configured name of the system; by default the one that takes pointers.
            deadline: Seconds for the whole of it; by default as configured.
        Raises:
            ItemNotShown: The record shows no such plan, for whatever reason.
            AccessRefused: Governance refuses, or the tracing service did not confirm that the person is unrestricted.
            OutcomeUnknown: Nobody knows what became of an earlier write: `reconcile_plan`.
            UsageError, AdapterError, PersonUnknown, AuditUnavailable: As for `fetch_document`.
        """
        wish = self._wish(plan, who, identifier, kind=kind, author=author, to=to)
        return self._publishing.preview(wish, who, self._gathering.until(deadline))

    def publish_plan(
        self,
        plan: CarePlan | str,
        who: AccessContext,
        *,
        identifier: str | Identifier | None = None,
        kind: str | None = None,
        author: str | None = None,
        to: str | None = None,
        deadline: float | None = None,
    ) -> Publication:
        """Make a plan known elsewhere by a pointer, or bring what is known there up to date.

        An active plan gets a pointer; one that has changed gets a new one, which supersedes the old; nothing is sent
        for one that has not. The pointer goes if the plan has ended or was entered in error, or if the person is
        restricted or has died. Calling it again is harmless. Both the intent and the outcome are audited.

        Args:
            plan, who, identifier, kind, author, to, deadline: As for `preview_plan`.
        Raises:
            AccessRefused: As for `preview_plan`; or writes to the system are off (`writes-off`).
            OutcomeUnknown: It may have been done. It is never sent again blindly: call `reconcile_plan`.
            LedgerUnavailable: The ledger cannot be written, so nothing was sent.
            ItemNotShown, UsageError, AdapterError, PersonUnknown, AuditUnavailable: As for `preview_plan`.
        """
        wish = self._wish(plan, who, identifier, kind=kind, author=author, to=to)
        return self._publishing.publish(wish, who, self._gathering.until(deadline))

    def withdraw_plan(
        self,
        plan: CarePlan | str,
        who: AccessContext,
        *,
        identifier: str | Identifier | None = None,
        to: str | None = None,
        deadline: float | None = None,
    ) -> Publication:
        """Remove the pointer of a plan, whatever the plan says. As `publish_plan` otherwise."""
        wish = self._wish(plan, who, identifier, to=to, mode="withdraw")
        return self._publishing.publish(wish, who, self._gathering.until(deadline))

    def reconcile_plan(
        self,
        plan: CarePlan | str,
        who: AccessContext,
        *,
        identifier: str | Identifier | None = None,
        to: str | None = None,
        deadline: float | None = None,
    ) -> Publication:
        """Ask the system what stands there for a plan, and set the ledger right. Nothing is written there.

        For after a lost answer: wait until the system can have done what it was sent.
        """
        wish = self._wish(plan, who, identifier, to=to)
        return self._publishing.reconcile(wish, who, self._gathering.until(deadline))

    def review_published(
        self, identifier: str | Identifier, who: AccessContext, *, deadline: float | None = None
    ) -> tuple[Publication, ...]:
        """Look at every published plan of a person, and do for each what `publish_plan` does.

        A plan that its system, having answered wholly, no longer holds has ended. What could not be looked at says so
        in `problem`, and stays as it is.
        """
        self._check_open(who)
        return self._publishing.review(_about(identifier), who, self._gathering.until(deadline))

    def _wish(self, plan: CarePlan | str, who: AccessContext, identifier: str | Identifier | None, **more: Any) -> Wish:
        self._check_open(who)
        if not isinstance(plan, CarePlan | str):
            raise UsageError("plan: expected a CarePlan of a record, or its key")
        if identifier is None:
            subject = plan.subject.identifier if isinstance(plan, CarePlan) and plan.subject else None
            if subject is None or not subject.is_nhs_number:
                raise UsageError("identifier: the plan does not say by NHS number whose it is")
            identifier = subject
        if isinstance(plan, str):
            return Wish(plan, _about(identifier), **more)
        return Wish(plan.key, _about(identifier), plan=plan, **more)

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
            self._configuration.roles.sections(who)  # a role that may see nothing may not look for people either
            self._account.tell_of_break_glass(entry)
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
