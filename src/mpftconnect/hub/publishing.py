"""Making a plan known elsewhere, keeping that right, and taking it back (rules 7 and 12).

Asking what stands and what should stand is one thing, writing is another: a preview does the first and never the
second. Nothing is sent twice on a guess: a write whose answer was lost leaves the plan's row in the ledger open, and
until somebody has looked at the system nothing more is sent for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mpftconnect.adapters.contract import Capability, Reading
from mpftconnect.adapters.deadline import Deadline
from mpftconnect.adapters.pointers import Draft, NewPointer, PublishedPointer, Written
from mpftconnect.errors import (
    AccessRefused,
    AdapterError,
    AuditUnavailable,
    ItemNotShown,
    MpftConnectError,
    OutcomeUnknown,
    UsageError,
)
from mpftconnect.governance.audit import Sent
from mpftconnect.hub.account import Account
from mpftconnect.hub.asking import ask, not_to_be_asked
from mpftconnect.hub.audit_entry import AuditEntry
from mpftconnect.hub.configuration import Configuration
from mpftconnect.hub.documents import error_of, system_of
from mpftconnect.hub.fan_out import Failure, call
from mpftconnect.hub.gathering import Gathered, Gathering
from mpftconnect.hub.ledger import Ledger, Row
from mpftconnect.hub.plan_pointers import ENDED, kind_of, new_pointer, reference_of
from mpftconnect.hub.publication import Action, Preview, Publication, Wish
from mpftconnect.hub.systems import OpenSystem
from mpftconnect.model import AccessContext, CarePlan, Identifier, NhsNumber, SectionName

__all__ = ["Publishing"]

_CHECK = (
    "unknown, check: it may or may not have been done at {}. Nothing more is sent for this plan until reconcile_plan "
    "(mpftconnect plan reconcile) has looked there"
)


@dataclass(frozen=True, slots=True)
class _Situation:
    """What stands, what should stand, and what follows."""

    system: OpenSystem
    reading: Reading
    row: Row | None
    found: tuple[PublishedPointer, ...]
    action: Action
    why: str
    reference: str
    key: str
    pointer: NewPointer | None = None
    drafts: tuple[Draft, ...] = ()

    @property
    def standing(self) -> tuple[str, ...]:
        return tuple(each.id for each in self.found)

    def row_after(self, state: Literal["published", "absent", "sending", "unknown"], **more: object) -> Row:
        stands = Row(
            self.system.name,
            self.reference,
            str(self.reading.nhs_number),
            self.key,
            (self.pointer.kind.code or "") if self.pointer else next((f.kind or "" for f in self.found), ""),
            version=self.pointer.version if self.pointer else "",
            pointers=self.standing,
            state=state,
            doing=self.action if state in ("sending", "unknown") else "",
        )
        return replace(stands, **more)  # type: ignore[arg-type]


class Publishing:
    """Publishes plans for one configuration. Safe between threads and processes, which share the ledger."""

    def __init__(
        self, configuration: Configuration, systems: Sequence[OpenSystem], gathering: Gathering, account: Account
    ) -> None:
        self._configuration, self._systems = configuration, systems
        self._gathering, self._account = gathering, account
        self.ledger = Ledger(configuration.state / "published" / "ledger.sqlite")

    def preview(self, wish: Wish, who: AccessContext, until: Deadline) -> Preview:
        """See `Hub.preview_plan`."""
        entry = self._account.entry(who, "read", wish.correlation, wish.about, (SectionName.CARE_PLANS,))
        with entry:
            gathered, now = self._situation(entry, wish, who, until)
            showing = entry.showing(gathered.assembled.record, gathered.systems_asked)
            self._account.tell_privacy_officer(showing, gathered.assembled.taken)
            entry.write(showing)
        return Preview(
            now.system.name,
            now.action,
            now.why,
            now.reference,
            now.standing,
            now.drafts,
            now.system.configured.settings.allow_writes,
            wish.correlation,
        )

    def publish(self, wish: Wish, who: AccessContext, until: Deadline) -> Publication:
        """See `Hub.publish_plan` and `Hub.withdraw_plan`."""
        entry = self._account.entry(who, "write", wish.correlation, wish.about, (SectionName.CARE_PLANS,))
        with entry:
            destination = self._destination(wish.to)
            if not destination.configured.settings.allow_writes:
                raise AccessRefused(
                    "writes-off", f"writes to {destination.name} are off; allow_writes of its configuration allows them"
                )
            gathered, now = self._situation(entry, wish, who, until)
            while not self._claim(now):
                # Another process was quicker: what stands, and what should, is another question now.
                gathered, now = self._situation(entry, wish, who, until)
            stands, gone = now.standing, tuple[str, ...]()
            if now.action != "nothing":
                stands, gone = self._write(entry, now)
            done = entry.wrote(now.action)
            self._account.tell_privacy_officer(done, gathered.assembled.taken)
            entry.write(done)
        return Publication(now.system.name, now.action, now.why, now.reference, stands, gone, wish.correlation)

    def reconcile(self, wish: Wish, who: AccessContext, until: Deadline) -> Publication:
        """See `Hub.reconcile_plan`."""
        entry = self._account.entry(who, "read", wish.correlation, wish.about, (SectionName.CARE_PLANS,))
        with entry:
            destination = self._destination(wish.to)
            nothing = frozenset({SectionName.DOCUMENTS})
            gathered = self._gathering.gather(entry, who, wish.about, nothing, until, wish.correlation, of="")
            self._allow(destination, who)
            reading = self._gathering.reading_of(destination, gathered.traced, who, until, wish.correlation)
            reference = reference_of(self._publisher(who), wish.key)
            row = self.ledger.row(destination.name, reference)
            found = self._find(destination, reading, reference)
            settled = Row(
                destination.name,
                reference,
                str(reading.nhs_number),
                wish.key,
                next((each.kind or "" for each in found), row.kind if row else ""),
                version=next((each.version or "" for each in found), ""),
                pointers=tuple(each.id for each in found),
                state="published" if found else "absent",
            )
            if not self.ledger.change(row, settled):
                raise UsageError("the plan is being published by another process just now: look again")
            showing = entry.showing(gathered.assembled.record, gathered.systems_asked)
            self._account.tell_privacy_officer(showing, gathered.assembled.taken)
            entry.write(showing)
        why = "unchanged" if found else "not-published"
        return Publication(
            destination.name, "nothing", why, reference, settled.pointers, correlation_id=wish.correlation
        )

    def review(self, about: NhsNumber | Identifier, who: AccessContext, until: Deadline) -> tuple[Publication, ...]:
        """See `Hub.review_published`."""
        if isinstance(about, Identifier):
            raise UsageError("published plans are looked up by NHS number")
        done = []
        for row in self.ledger.rows(patient=about):
            if row.state == "absent":
                continue
            wish = Wish(row.key, about, kind=row.kind or None, to=row.destination, mode="review")
            try:
                done.append(self.publish(wish, who, until))
            except (AccessRefused, AuditUnavailable):
                raise
            except MpftConnectError as error:
                done.append(
                    Publication(
                        row.destination, "nothing", "unchanged", row.reference, row.pointers, problem=str(error)
                    )
                )
        return tuple(done)

    # What stands, and what should

    def _situation(
        self, entry: AuditEntry, wish: Wish, who: AccessContext, until: Deadline
    ) -> tuple[Gathered, _Situation]:
        destination = self._destination(wish.to)
        self._allow(destination, who)
        holder = system_of(wish.key, self._systems)
        of = holder.name if holder else ""
        wanted = frozenset({SectionName.CARE_PLANS})
        gathered = self._gathering.gather(entry, who, wish.about, wanted, until, wish.correlation, of=of)
        person = gathered.traced.person
        if person.traced is None:
            raise AccessRefused(
                "identity-unconfirmed",
                "the tracing service did not confirm that the person is unrestricted, so nothing is written",
            )
        reading = self._gathering.reading_of(destination, gathered.traced, who, until, wish.correlation)
        reference = reference_of(self._publisher(who), wish.key)
        row = self.ledger.row(destination.name, reference)
        if row is not None and row.is_open:
            raise OutcomeUnknown(_CHECK.format(destination.name), system=destination.name)
        if row is None:
            found = self._find(destination, reading, reference)
        else:
            found = tuple(
                PublishedPointer(id=each, reference=reference, version=row.version, kind=row.kind)
                for each in row.pointers
            )
        why, plan = self._demand(gathered, wish, of)
        situation = _Situation(destination, reading, row, found, "nothing", why, reference, wish.key)
        return gathered, self._decide(situation, plan, wish)

    def _demand(self, gathered: Gathered, wish: Wish, of: str) -> tuple[str, CarePlan | None]:
        """Why the plan should be known elsewhere, with the plan; or why not, without it."""
        person, record = gathered.traced.person, gathered.assembled.record
        if wish.mode == "withdraw":
            return "withdrawn", None
        if person.is_restricted:
            return "restricted", None
        if person.traced is not None and person.traced.deceased not in (None, False):
            return "deceased", None
        plan = next((p for p in record.care_plans if wish.key in {s.key for s in p.sources}), None)
        if plan is None:
            gap = next((g for g in record.gaps if g.system == of and g.section in (None, "care_plans")), None)
            if gap is not None:
                raise error_of(Failure(gap.reason, gap.detail), of)
            if wish.mode == "review" and record.care_plans.complete:
                return "gone", None
            raise ItemNotShown("the record shows no such care plan; it may not exist, or may not be shown")
        if wish.plan is not None and _content(wish.plan) != _content(plan):
            raise UsageError("the plan has changed in its system since it was read: read it again")
        if plan.status in ENDED:
            return ("entered-in-error" if plan.status == "entered-in-error" else "ended"), None
        if not plan.is_active:
            raise UsageError("only an active plan is published, and only one that has ended is taken back")
        return "new", plan

    def _decide(self, now: _Situation, plan: CarePlan | None, wish: Wish) -> _Situation:
        """What follows, with the requests that it takes."""
        if plan is None:
            if not now.found:
                return replace(now, why=now.why if now.why != "withdrawn" else "not-published")
            drafts = tuple(self._draft(now, Capability.DRAFT_REMOVAL, each.id) for each in now.found)
            return replace(now, action="remove", drafts=drafts)
        kind = kind_of(plan, wish.kind)
        pointer = new_pointer(plan, now.reference, kind=kind, author=wish.author)
        now = replace(now, pointer=pointer)
        if [each.version for each in now.found] == [pointer.version]:
            return replace(now, why="unchanged")
        if {each.kind for each in now.found} - {kind}:
            raise UsageError("the plan is published as another kind of document: withdraw it first")
        if now.found and now.row is not None and now.row.patient != now.reading.nhs_number:
            raise UsageError("the plan is published under a former NHS number: withdraw it first")
        draft = self._draft(now, Capability.DRAFT_POINTER, pointer, now.standing)
        if not now.found:
            return replace(now, action="create", drafts=(draft,))
        return replace(now, action="supersede", why="changed", drafts=(draft,))

    @staticmethod
    def _draft(now: _Situation, capability: Capability, *arguments: object) -> Draft:
        draft = ask(now.system, capability, now.reading, *arguments)
        if not isinstance(draft, Draft):
            raise AdapterError(f"{capability} gave no Draft", system=now.system.name)
        return draft

    def _find(self, system: OpenSystem, reading: Reading, reference: str) -> tuple[PublishedPointer, ...]:
        """The pointers that stand there for this plan, by the system's own word."""

        def find() -> tuple[PublishedPointer, ...]:
            found = tuple(ask(system, Capability.FIND_POINTERS, reading, None))
            if not all(isinstance(each, PublishedPointer) for each in found):
                raise AdapterError("find_pointers gave something that is no PublishedPointer")
            return found

        found, error = call(find, f"find-{system.name}").result(reading.deadline)
        if error is not None:
            failure = error if isinstance(error, Failure) else Failure.of(error)
            raise error_of(failure, system.name)
        return tuple(each for each in found or () if each.reference == reference)

    # Writing

    def _claim(self, now: _Situation) -> bool:
        """Put into the ledger what is about to be sent; False if what stands there is no longer what was read."""
        if now.action != "nothing":
            return self.ledger.change(now.row, now.row_after("sending"))
        if now.row is None and now.found:
            # Found at the system without a row here: the ledger was lost, or another machine published it.
            return self.ledger.change(None, now.row_after("published", version=now.found[0].version or ""))
        return True

    def _write(self, entry: AuditEntry, now: _Situation) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Send the drafts, one after the other; what stands afterwards, and what went."""
        sending = self.ledger.row(now.system.name, now.reference)
        if sending is None or sending.state != "sending":
            raise OutcomeUnknown(_CHECK.format(now.system.name), system=now.system.name)
        entry.sent = tuple(Sent(now.system.name, _request(draft)) for draft in now.drafts)
        try:
            entry.intend(now.action)
        except AuditUnavailable:
            self._settle(sending, now.row or replace(sending, state="absent", doing="", version="", pointers=()))
            raise
        stands, gone = list(now.standing), list[str]()
        replaces = now.standing if now.action == "supersede" else ()
        for index, draft in enumerate(now.drafts):
            written = self._send(entry, now, sending, draft, replaces, tuple(stands))
            entry.sent = (*entry.sent[:index], _answered(now.system.name, written), *entry.sent[index + 1 :])
            if now.action == "remove":
                gone.append(stands.pop(0))
            else:
                gone += replaces
                stands = [written.pointer]
        state: Literal["published", "absent"] = "published" if stands else "absent"
        self._settle(sending, now.row_after(state, pointers=tuple(stands)))
        return tuple(stands), tuple(gone)

    def _send(
        self,
        entry: AuditEntry,
        now: _Situation,
        sending: Row,
        draft: Draft,
        replaces: tuple[str, ...],
        stands: tuple[str, ...],
    ) -> Written:
        asking = call(
            lambda: ask(now.system, Capability.WRITE_POINTER, now.reading, draft, replaces), f"write-{now.system.name}"
        )
        written, error = asking.result(now.reading.deadline)
        if isinstance(written, Written):
            return written
        if isinstance(error, AdapterError | UsageError) and not isinstance(error, OutcomeUnknown):
            # Refused before anything was done: what stood still stands.
            before = now.row or now.row_after("published" if stands else "absent")
            version = before.version if before.pointers == stands else ""
            state: Literal["published", "absent"] = "published" if stands else "absent"
            self._settle(sending, replace(before, pointers=stands, version=version, state=state, doing=""))
            if isinstance(error, UsageError):
                raise error
            raise type(error)(error.rule, system=error.system or now.system.name, place=error.place)
        # Its answer was lost, or the adapter broke on the way: nobody here knows.
        self._settle(sending, replace(sending, state="unknown", pointers=stands))
        raise OutcomeUnknown(_CHECK.format(now.system.name), system=now.system.name)

    def _settle(self, sending: Row, after: Row) -> None:
        if not self.ledger.change(sending, after):
            raise OutcomeUnknown(_CHECK.format(sending.destination), system=sending.destination)

    # Who and where

    def _destination(self, to: str | None) -> OpenSystem:
        able = [s for s in self._systems if s.offers(Capability.WRITE_POINTER) and (to is None or s.name == to)]
        if len(able) != 1:
            names = ", ".join(s.name for s in self._systems if s.offers(Capability.WRITE_POINTER)) or "none"
            raise UsageError(f"to: name one system that takes pointers (there are: {names})")
        return able[0]

    @staticmethod
    def _allow(system: OpenSystem, who: AccessContext) -> None:
        if failure := not_to_be_asked(system, who):
            if failure.reason == "no-agreement":
                raise AccessRefused("no-agreement", failure.detail)
            raise error_of(failure, system.name)

    def _publisher(self, who: AccessContext) -> str:
        return self._configuration.hub.publisher or who.organisation


def _content(plan: CarePlan) -> str:
    """What the plan says; what merging with other systems adds beside it is left out."""
    return plan.model_dump_json(exclude={"source", "also", "extra", "identifiers"})


def _request(draft: Draft) -> tuple[tuple[str, str], ...]:
    """What the audit keeps of a request (NRL producer specification, "Audit Logs": verb, URL, ODS code, body)."""
    body = () if draft.body is None else (("body", draft.body.decode("utf-8", "replace")),)
    return (("verb", draft.method), ("url", draft.url), *sorted(draft.headers.items()), *body)


def _answered(system: str, written: Written) -> Sent:
    answer = written.answer[:20_000].decode("utf-8", "replace")
    told = (("status", str(written.status)), ("pointer", written.pointer), ("request-id", written.request_id))
    return Sent(system, (*_request(written.sent), *told, *((("answer", answer),) if answer else ())))
