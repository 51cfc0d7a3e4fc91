"""Runs checks against a system and keeps what they stand on. Whatever the system does, a run ends and says so."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from requests.adapters import BaseAdapter

from mpftconnect.adapters import AdapterContext, Deadline, Wire, auth_from
from mpftconnect.conformance.breaker import Breaker
from mpftconnect.conformance.catalog import Chosen
from mpftconnect.conformance.check import Check, decide
from mpftconnect.conformance.definitions import Definitions
from mpftconnect.conformance.er7_redaction import Er7Redactor  # noqa: F401 - registers itself for MLLP
from mpftconnect.conformance.evidence import Evidence, Recorded
from mpftconnect.conformance.guard import RealPersonSeen, refuse_real_people
from mpftconnect.conformance.outcome import Cause, CauseKind, Outcome, Status
from mpftconnect.conformance.preflight import PreflightFinding, missing_before, reach_finding
from mpftconnect.conformance.probe import Ledger, Probe, ProbeEnded, Tap
from mpftconnect.conformance.redaction import Redactor
from mpftconnect.conformance.requirement import Pack, Requirement, VerifiedBy
from mpftconnect.conformance.supplier import Supplier
from mpftconnect.errors import ConfigurationError
from mpftconnect.events import Code, EventStream

__all__ = ["Judged", "Run", "RunResult", "standing"]

CHECK_SECONDS = 60.0
RUN_SECONDS = 900.0
_MOST_KEPT_OF_A_FAILURE = 10_000


@dataclass(frozen=True, slots=True)
class Judged:
    """A requirement, its outcome, and the ids of the exchanges that the outcome stands on.

    Args:
        by_judge: Whether a judge decided it; otherwise the run did, and a judgement repeated later cannot.
        errata: Mistakes of ours that bear on it.
    """

    requirement: Requirement
    outcome: Outcome
    exchanges: tuple[str, ...] = ()
    by_judge: bool = False
    errata: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """All that a run gave; exchanges and people are redacted.

    Args:
        partial: Why it did not come to its end; empty if it did.
        started: UTC; `finished` likewise.
        preset: The use to which it was narrowed; empty if it was not.
    """

    supplier: Supplier
    packs: tuple[Pack, ...]
    judged: tuple[Judged, ...]
    evidence: Evidence
    exchanges: tuple[Recorded, ...]
    preflight: tuple[PreflightFinding, ...]
    definitions: tuple[str, ...]
    started: datetime
    finished: datetime
    partial: str = ""
    preset: str = ""


@dataclass
class Run:
    """One run.

    Args:
        clock: For tests.
        transport: In place of HTTP over sockets, for tests.
        mark: Of a buyer's challenge, by step: sent with every request.
        definitions: Those of an earlier run, so that packages are read once.
        check_seconds: Longest that one check's probe may take; `run_seconds` all of them together.
    """

    supplier: Supplier
    chosen: Chosen
    checks: Mapping[str, Check]
    events: EventStream = field(default_factory=EventStream)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    transport: BaseAdapter | None = None
    check_seconds: float = CHECK_SECONDS
    run_seconds: float = RUN_SECONDS
    redactor: Redactor = field(default_factory=Redactor)
    mark: Callable[[str], str] | None = None
    definitions: Definitions | None = None

    def go(self) -> RunResult:
        """Run to the end, or to where it was interrupted.

        Raises:
            RealPersonSeen: A real person's number came; all evidence is gone.
            ConfigurationError: The credentials cannot be made of what supplier.toml gives.
        """
        started = self.clock()
        self.events.emit(Code.RUN_STARTED, system=self.supplier.subject.adapter, count=len(self.chosen.requirements))
        self._exchanges: list[Recorded] = []
        self._outcomes: dict[str, Outcome] = {}
        self._by_judge: set[str] = set()
        self._deadline = Deadline.after(self.run_seconds)
        self._breaker, self._tap, self._ledger = Breaker(), Tap(), Ledger()
        self._definitions = (self.definitions or Definitions(self.supplier.package_path)).again()
        self._today = started.date().isoformat()
        preflight = missing_before(self.supplier, self.chosen.requirements, self.checks)
        partial = ""
        wire = self._wire() if not any(finding.blocks for finding in preflight) else None
        try:
            preflight += self._reach(wire)
            for finding in preflight:
                self.events.emit(Code.PREFLIGHT_FINDING, reason=finding.code, step=finding.kind)
            for number, requirement in enumerate(self.chosen.requirements, start=1):
                self._one(requirement, wire, number)
        except KeyboardInterrupt:
            partial = "interrupted"
        except RealPersonSeen:
            self._exchanges.clear()
            self._outcomes.clear()
            self._ledger = Ledger()
            self.events.emit(Code.RUN_FINISHED, reason="real-person-seen", count=0)
            raise
        finally:
            if wire is not None:
                wire.close()
        result = self._result(started, tuple(preflight), partial)
        self.events.emit(
            Code.RUN_FINISHED,
            reason=partial or None,
            count=len(result.judged),
            duration_ms=(self.clock() - started).total_seconds() * 1000,
        )
        return result

    # One requirement

    def _one(self, requirement: Requirement, wire: Wire | None, number: int) -> None:
        self.events.emit(Code.REQUIREMENT_STARTED, step=requirement.id, count=number)
        begun = time.monotonic()
        check = self.checks.get(requirement.id)
        outcome = standing(requirement, check, self.supplier)
        if outcome is None and check is not None:
            outcome = self._probed(check, wire)
            if outcome is None:
                outcome = decide(check, self._evidence(check, self._exchanges, self.supplier))
                self._by_judge.add(requirement.id)
        self._outcomes[requirement.id] = outcome or _no_check(requirement, self.supplier.answers)
        self.events.emit(
            Code.REQUIREMENT_JUDGED,
            step=requirement.id,
            reason=str(self._outcomes[requirement.id].status),
            count=number,
            duration_ms=(time.monotonic() - begun) * 1000,
        )

    def _probed(self, check: Check, wire: Wire | None) -> Outcome | None:
        """Make the exchanges; an outcome only where the probe could not, and why."""
        if check.probe is None:
            return None
        probe = Probe(
            wire,
            self._tap,
            subject=self.supplier.subject,
            people=self.supplier.people,
            ledger=self._ledger,
            keep=self._keep,
            gate=self._breaker.gate,
            patient=check.patient,
            writes=check.writes or check.may_write,
            deadline=self._deadline.earlier(self.check_seconds),
            mark=self.mark,
            lines=self.supplier.mllp,
            tls=getattr(self.transport, "tls", None),
        )
        try:
            check.probe(probe)
        except ProbeEnded as ended:
            return _ended(ended, self._breaker)
        except RealPersonSeen:
            raise
        except Exception as error:  # noqa: BLE001 - a probe meets hostile answers; its fault is an outcome, not a crash
            return Outcome.error(
                f"the probe failed ({type(error).__name__})",
                Cause(
                    kind=CauseKind.HARNESS,
                    because=f"the probe of {check.name} raised {type(error).__name__}",
                    otherwise="an answer of a shape that the probe did not foresee",
                    mend="report it with report reproduce",
                ),
            )
        return None

    def _keep(self, recorded: Recorded) -> None:
        if self.supplier.subject.environment == "test":
            refuse_real_people(recorded)
        if recorded.error is not None and len(recorded.response_body or b"") > _MOST_KEPT_OF_A_FAILURE:
            recorded = replace(recorded, response_body=None, dropped="it did not come whole, and is large")
        self._exchanges.append(recorded)
        self._breaker.saw(recorded, credentials=recorded.facts.get("credentials", True))

    def _evidence(self, check: Check | None, exchanges: Sequence[Recorded], supplier: Supplier) -> Evidence:
        wanted = check.after if check is not None else ()
        return Evidence(
            exchanges,
            subject=supplier.subject,
            people=supplier.people,
            files=supplier.files,
            answers=supplier.answers,
            outcomes={i: o.status for i, o in self._outcomes.items() if i.partition("#")[0] in wanted},
            definitions=self._definitions,
            today=self._today,
        )

    # The way to the system

    def _wire(self) -> Wire | None:
        supplier = self.supplier
        if supplier.endpoint is None:
            return None
        wire = Wire(
            supplier.subject.adapter,
            supplier.endpoint,
            events=self.events,
            recorder=self._tap,
            transport=self.transport,
        )

        def secret(name: str) -> str:
            if not supplier.auth.secrets.get(name):
                raise ConfigurationError([f"supplier.toml: target.secrets.{name}: is needed"])
            return supplier.auth.secrets[name]

        context = AdapterContext(
            name=supplier.subject.adapter,
            environment=supplier.endpoint.environment,
            settings=None,
            secret=secret,
            wire=wire,
            events=self.events,
            folder=supplier.folder,
        )
        auth = auth_from(supplier.auth.kind, context, token_url=supplier.auth.token_url, key_id=supplier.auth.key_id)
        return wire if auth is None else wire.bound(auth=auth)

    def _reach(self, wire: Wire | None) -> list[PreflightFinding]:
        """The first request, which names nobody: says whether the way is clear before any check begins."""
        asking = [
            c.name
            for r in self.chosen.requirements
            if (c := self.checks.get(r.id)) and c.probe and c.protocol == "http"
        ]
        if wire is None or not asking:
            return []
        probe = Probe(
            wire,
            self._tap,
            subject=self.supplier.subject,
            people={},
            ledger=self._ledger,
            keep=self._keep,
            patient=False,
            deadline=self._deadline.earlier(self.check_seconds),
            mark=self.mark,
        )
        first = probe.get("metadata", step="metadata")
        finding = reach_finding(first, asking)
        if finding is None:
            return []
        if finding.code == "unreachable":
            self._breaker.trip("unreachable")
        return [finding]

    # The end

    def _result(self, started: datetime, preflight: tuple[PreflightFinding, ...], partial: str) -> RunResult:
        raw = tuple(self._exchanges)
        self.redactor.learn(raw, self.supplier.people.values())
        redacted = tuple(self._redacted(each) for each in raw)
        people = {role: self.redactor.person(person) for role, person in self.supplier.people.items()}
        supplier = replace(self.supplier, people=people)
        if supplier.subject.environment == "live":
            redacted = tuple(_for_live(each) for each in redacted)
        judged = tuple(
            self._settled(requirement, redacted, supplier, partial) for requirement in self.chosen.requirements
        )
        return RunResult(
            supplier=supplier,
            packs=self.chosen.packs,
            judged=judged,
            evidence=self._evidence(None, redacted, supplier),
            exchanges=redacted,
            preflight=preflight,
            definitions=self._definitions.used,
            started=started,
            finished=self.clock(),
            partial=partial,
            preset=self.chosen.preset,
        )

    def _settled(
        self, requirement: Requirement, redacted: Sequence[Recorded], supplier: Supplier, partial: str
    ) -> Judged:
        """The outcome that the report gives: that of the redacted evidence, which must be the same as before."""
        outcome = self._outcomes.get(requirement.id)
        check = self.checks.get(requirement.id)
        if outcome is None:
            return Judged(requirement, Outcome.not_tested(f"the run was {partial or 'stopped'} before it"))
        if check is None or requirement.id not in self._by_judge:
            return Judged(requirement, outcome)
        # Judged on all that the run gathered: checks that came later may have asked for more of the same.
        outcome = decide(check, self._evidence(check, self._exchanges, self.supplier))
        evidence = self._evidence(check, redacted, supplier)
        after = decide(check, evidence)
        if supplier.subject.environment == "live":  # nothing that was said is kept: the outcome is that of the day
            return Judged(requirement, outcome, evidence.used, by_judge=True)
        if after.status is not outcome.status:
            return Judged(requirement, _changed(outcome, after), evidence.used)
        return Judged(requirement, after, evidence.used, by_judge=True)

    def _redacted(self, each: Recorded) -> Recorded:
        made = self.redactor.redact(each)
        if not self.redactor.remains(made):
            return made
        # Rather less evidence than a person's value in it.
        kept = tuple(header for header in made.response_headers if header[0].lower() == "content-type")
        bare = replace(made, request_headers=(), response_headers=kept, request_body=None, response_body=None)
        address = made.url if not self.redactor.remains(bare) else "(dropped)"
        return replace(bare, url=address, dropped="could not be redacted")


def standing(requirement: Requirement, check: Check | None, supplier: Supplier) -> Outcome | None:
    """The outcome of a requirement that is not to be asked about; None where its check decides."""
    subject = supplier.subject
    if requirement.actors and subject.actors and not set(requirement.actors) & set(subject.actors):
        return Outcome.stated(Status.NOT_APPLICABLE, f"it binds {' and '.join(requirement.actors)} alone")
    lacking = [need for need in requirement.needs if subject.offers is not None and need not in subject.offers]
    if lacking:
        return Outcome.stated(
            Status.NOT_OFFERED, f"the supplier declares that the product does not offer {', '.join(lacking)}"
        )
    if requirement.verified_by is VerifiedBy.UNTESTABLE:
        return Outcome.not_tested(requirement.not_tested_because)
    if check is None:
        return None
    if check.probe is not None and check.patient and subject.environment == "live":
        return Outcome.not_tested(
            "the environment is live: nothing is asked that could carry a patient's data",
            Cause(
                kind=CauseKind.ENVIRONMENT,
                because="supplier.toml does not declare a test environment",
                mend='run against a test system with target.environment = "test"',
            ),
        )
    missing = [role for role in check.people if role not in supplier.people]
    if missing:
        return Outcome.not_tested(
            f"supplier.toml names no test person of the role {', '.join(missing)}",
            Cause(
                kind=CauseKind.TEST_DATA,
                because="a person whom the check asks about is not named",
                mend=f"enter the sheet of {', '.join(missing)} and name the number in people",
            ),
        )
    if check.writes and not subject.allow_writes:
        return Outcome.not_tested(
            "it changes something in the system, and supplier.toml does not allow writes",
            Cause(
                kind=CauseKind.ENVIRONMENT,
                because="target.allow_writes is not set",
                mend="set target.allow_writes = true for a system whose data may be changed",
            ),
        )
    return None


def _ended(ended: ProbeEnded, breaker: Breaker) -> Outcome:
    causes = {
        "breaker": breaker.cause(),
        "deadline": Cause(
            kind=CauseKind.ENVIRONMENT,
            because="the time for this check, or for the run, was spent",
            otherwise="the product is slow",
            mend="time one request by hand; run with --only-failed to give the check more room",
        ),
    }
    cause = causes.get(ended.kind) or Cause(
        kind=CauseKind.TEST_DATA if ended.kind == "person" else CauseKind.ENVIRONMENT, because=str(ended)
    )
    return Outcome.not_tested(str(ended), cause)


def _no_check(requirement: Requirement, answers: Mapping[str, Any] | None = None) -> Outcome:
    said = (answers or {}).get(requirement.ref)
    if requirement.verified_by is VerifiedBy.ATTESTATION and isinstance(said, Mapping):
        by, day, text = (str(said.get(name, "")).strip() for name in ("attested_by", "date", "text"))
        if by and day and text:
            return Outcome.stated(Status.ATTESTED, f"{by} says so on {day}: {text}")
        return Outcome.not_tested(f"answers.{requirement.ref} needs attested_by, date and text")
    if requirement.verified_by is VerifiedBy.RECORDED:
        return Outcome.stated(Status.RECORDED, requirement.not_tested_because or "taken down, not judged")
    return Outcome.not_tested(f"verified by {requirement.verified_by}, and nothing was given")


def _changed(before: Outcome, after: Outcome) -> Outcome:
    return Outcome.error(
        f"redaction changed the outcome from {before.status} to {after.status}, so neither is given",
        Cause(
            kind=CauseKind.HARNESS,
            because="the judge gave another outcome on the redacted evidence",
            mend="report it with report reproduce: it is our fault, not the product's",
        ),
    )


def _for_live(each: Recorded) -> Recorded:
    """What may be kept of a live environment: counts, times and ids (rule 13)."""
    return replace(
        each, request_headers=(), request_body=None, response_headers=(), response_body=None, dropped="live environment"
    )
