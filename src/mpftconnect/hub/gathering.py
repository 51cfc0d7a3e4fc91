"""Gathering what may be shown of a person: admission, identity, relationship, systems and policies, in that order.

Whatever shows something of a person, or does something on the strength of it, goes through here, so that no way round
governance exists (rules 3 to 10). Nothing is audited here: that is for whoever shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from mpftconnect.adapters.contract import READS, Reading, Support
from mpftconnect.adapters.deadline import Deadline
from mpftconnect.errors import UsageError
from mpftconnect.events import Code
from mpftconnect.governance.admission import BREAK_GLASS, admit, require_relationship
from mpftconnect.governance.identity_decisions import IdentityDecisions
from mpftconnect.governance.policies import Policy, PolicySpec
from mpftconnect.hub.account import Account
from mpftconnect.hub.assemble import Asked, Assembled, assemble
from mpftconnect.hub.audit_entry import AuditEntry
from mpftconnect.hub.configuration import LONGEST_SECONDS, Configuration
from mpftconnect.hub.fan_out import SystemRead, SystemReading
from mpftconnect.hub.former_numbers import notices_of, silent_systems, stated_former_numbers, with_numbers
from mpftconnect.hub.identity import Identity, Traced
from mpftconnect.hub.systems import OpenSystem
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

__all__ = ["Gathered", "Gathering"]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was asked for one request and may be shown of it."""

    traced: Traced
    asked: tuple[Asked, ...]
    assembled: Assembled

    @property
    def systems_asked(self) -> tuple[str, ...]:
        return tuple(one.system for one in self.asked if one.read is not None)

    def of(self, system: str) -> Asked | None:
        """That system's part."""
        return next((one for one in self.asked if one.system == system), None)


class Gathering:
    """Asks the connected systems, under one configuration. Safe between threads."""

    def __init__(
        self,
        configuration: Configuration,
        systems: Sequence[OpenSystem],
        policies: Sequence[tuple[PolicySpec, Policy]],
        account: Account,
        identities: IdentityDecisions,
    ) -> None:
        self._configuration, self._systems, self._policies = configuration, systems, policies
        self._account, self._identities, self._events = account, identities, account.events
        self._judges_by_links = any(
            getattr(policy, "judges_by_links", False) for spec, policy in policies if spec.kind == "silent"
        )
        self.identity = Identity(systems, configuration.hub, account.events, self.reading)

    def gather(
        self,
        entry: AuditEntry,
        who: AccessContext,
        about: NhsNumber | Identifier,
        wanted: frozenset[SectionName],
        until: Deadline,
        correlation: str,
        *,
        of: str | None = None,
        expect: Demographics | None = None,
    ) -> Gathered:
        """All that governance asks before anything is shown, and then what may be shown; nothing is audited here.

        Args:
            entry: Learns whom it is about, and who verified the relationship.
            about: NHS number, or a local identifier.
            wanted: Sections that are wanted of the record; those that the user's role may not see are not shown.
            of: The one system to be read, beside the tracing service; None for all. Of that one everything is read,
                whatever is wanted: what is excluded can show by what another item points at.
        """
        admit(who)
        outside = wanted - self._configuration.roles.sections(who)
        entry.not_for_role = tuple(sorted(outside))
        wanted -= outside
        reads = wanted if of is None else frozenset(SectionName)
        self._account.tell_of_break_glass(entry)
        self._events.emit(Code.READ_STARTED, count=len(self._systems) if of is None else 1)
        if isinstance(about, Identifier):
            number = self.identity.resolve(about, who, until, correlation)
            entry.patient = number
            self._account.tell_of_break_glass(entry)
        else:
            number = about
        # Verifying needs only the number, so it runs beside the trace and costs no time of its own.
        verifying = self.identity.verifying(number, who, until, correlation)
        traced = self.identity.trace(number, who, wanted, until, correlation)
        entry.patient = traced.person.number
        if traced.person.number != number:
            self._account.tell_of_break_glass(entry)
            verifying += self.identity.verifying(nhs_number(traced.person.number), who, until, correlation)
        given = (about,) if isinstance(about, Identifier) else ()
        if self._must_be_verified(who):
            # Nothing may be read before somebody confirmed the relationship.
            verified = verifying.result()
            require_relationship(who, verified.by, silent=verified.silent)
            asked = self._read(traced, who, reads, until, correlation, given, of=of)
        else:
            asked = self._read(traced, who, reads, until, correlation, given, of=of)
            verified = verifying.result()
        entry.verified_by = verified.by
        traced, asked = self._read_by_former_numbers(traced, asked, who, reads, until, correlation, given, of=of)
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
            decisions=self._identities.about(traced.person.numbers, _held(asked)),
            not_for_role=outside,
            sameness=self._configuration.sameness,
        )
        return Gathered(traced, tuple(asked), assembled)

    def until(self, deadline: float | None) -> Deadline:
        seconds = self._configuration.hub.deadline_seconds if deadline is None else deadline
        if not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST_SECONDS:
            raise UsageError(f"deadline: expected seconds, more than 0 and at most {LONGEST_SECONDS}")
        return Deadline.after(seconds)

    def _must_be_verified(self, who: AccessContext) -> bool:
        """Whether a claim of a relationship is not enough: a live system is asked, and nothing says otherwise."""
        live = any(system.configured.settings.environment == "live" for system in self._systems)
        allowed = self._configuration.hub.allow_asserted_relationship
        return live and not allowed and who.relationship != BREAK_GLASS

    def reading(
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

    def reading_of(
        self, system: OpenSystem, traced: Traced, who: AccessContext, until: Deadline, correlation: str, **more: Any
    ) -> Reading:
        """A reading of somebody who has been traced."""
        person = traced.person
        return self.reading(
            system,
            who,
            until,
            correlation,
            number=nhs_number(person.number),
            former=tuple(nhs_number(n) for n in sorted(person.numbers - {person.number})),
            traced=person.traced,
            in_full=not person.is_restricted,
            **more,
        )

    def _read(
        self,
        traced: Traced,
        who: AccessContext,
        wanted: frozenset[SectionName],
        until: Deadline,
        correlation: str,
        identifiers: tuple[Identifier, ...] = (),
        *,
        of: str | None = None,
        only: frozenset[str] | None = None,
    ) -> list[Asked]:
        person = traced.person
        running: list[tuple[Asked, SystemReading | None, Deadline]] = []
        for system in self._systems:
            if only is not None and system.name not in only:
                continue
            if of is not None and system.name not in (of, person.tracer):
                continue
            # Of the tracing service no more is wanted than who this is, unless it is the one that is to be read.
            asked = self._asked(system, who, wanted if of in (None, system.name) else frozenset())
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
            sections = asked.could_hold
            if sections and self._judges_by_links:
                # What is excluded can show by what an item of another section points at, so that is read too (rule 6).
                sections = self._asked(system, who, frozenset(SectionName)).could_hold
            reading = self.reading_of(
                system, traced, who, until, correlation, sections=sections, identifiers=identifiers
            )
            if is_tracer and traced.reading is not None and not reading.former_numbers:
                reading = traced.reading.continued(reading)
            # A system that traces may keep its records under another id than its register: the trace stands in for
            # finding the patient only where no record is read.
            known = person.traced if is_tracer and not asked.could_hold else None
            one = SystemReading(
                system.adapter,
                reading,
                sorted(sections),
                parallel=self._configuration.hub.parallel_per_system,
                events=self._events,
                known=known,
            )
            running.append((asked, one.start(), reading.deadline))
        done = [asked if one is None else _with(asked, one.result(deadline)) for asked, one, deadline in running]
        for asked in done:
            if asked.read is not None and asked.read.failure is not None:
                self._events.emit(Code.SYSTEM_GAP, system=asked.system, reason=str(asked.read.failure.reason))
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
        *,
        of: str | None,
    ) -> tuple[Traced, list[Asked]]:
        """Ask systems that hold nobody once more, by former numbers that another states and the trace confirms."""
        person = traced.person
        decided = partial(self._identities.about, person.numbers, _held(asked))
        stated = tuple(
            replace(one, confirmed=self.identity.leads_to(one.number, person.number, who, until, correlation))
            for one in stated_former_numbers(person, asked, self._policies, decided)
        )
        if not stated or person.tracer is None:
            return traced, asked
        notices = (*traced.notices, *notices_of(stated, person.tracer))
        traced = replace(traced, person=with_numbers(person, stated), notices=notices)
        only = silent_systems(asked, stated)
        read = self._read(traced, who, wanted, until, correlation, identifiers, of=of, only=only)
        again = {one.system: one for one in read}
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
            keeps_demographics=spec.keeps_demographics,
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
