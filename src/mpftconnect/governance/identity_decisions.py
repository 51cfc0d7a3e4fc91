"""Identity decisions by two people: proposed by one, approved by another, reversed the same way (rule 5).

What is decided holds at the next read of every process on the same store, since each read looks at the store anew. If
the store cannot be believed, a read goes by `Decisions.unsound`, and nothing joins: a lost decision must not merge two
people.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from mpftconnect.errors import AccessRefused, DecisionsUnsound, UsageError
from mpftconnect.events import Code, EventStream
from mpftconnect.governance.admission import BREAK_GLASS, admit
from mpftconnect.governance.audit import AuditRecord, AuditTrail
from mpftconnect.governance.audit_event import Action as AuditAction
from mpftconnect.governance.decision import Decision, Decisions, Kind, State, Step
from mpftconnect.governance.decision_store import Change, DecisionStore, StoreUnsound
from mpftconnect.governance.seal import canonical
from mpftconnect.model import AccessContext, nhs_number

__all__ = ["ANYBODY", "CLOCKS_MAY_DIFFER", "IdentityDecisions"]

ANYBODY = "any"
# Two machines that keep time by NTP are well within it. A clock that is further behind would keep a proposal alive.
CLOCKS_MAY_DIFFER = timedelta(minutes=5)
_LONGEST_REASON, _LONGEST_ID = 1000, 256
_LOOK = "look at identity decisions"


class IdentityDecisions:
    """Proposes, approves, reverses and lists identity decisions. Safe between threads and processes.

    Args:
        store: Where they are kept.
        audit: The ordinary trail; each step is in it before it holds.
        systems: Configured names of the systems about whose records may be decided.
        proposers: Roles that may propose; `any` for every role.
        approvers: Roles that may approve, reject, list and show.
        open_for: How long a proposal may be approved.
        now: The clock.
    """

    def __init__(
        self,
        store: DecisionStore,
        audit: AuditTrail,
        events: EventStream,
        *,
        systems: Collection[str],
        proposers: Collection[str] = (ANYBODY,),
        approvers: Collection[str] = ("privacy-officer",),
        open_for: timedelta = timedelta(hours=72),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._audit, self._events = store, audit, events
        self._systems = frozenset(systems)
        self._proposers, self._approvers = frozenset(proposers), frozenset(approvers)
        self._open_for, self._now = open_for, now

    # Deciding

    def propose_link(
        self,
        number: str,
        system: str,
        record: str,
        who: AccessContext,
        *,
        reason: str,
        other_number: str | None = None,
    ) -> Decision:
        """Propose that the system's record is the person with this NHS number.

        Args:
            number: The person's NHS number.
            system: Configured name of the system.
            record: The system's own id of its record, as `Unmatched.record` or `Patient.source.id` gives it.
            who: Who proposes.
            reason: Why; nothing of it reaches the record, the audit or a log.
            other_number: The NHS number that the system's record gives, if it is another one than the person's. Only
                a link that names it joins such a record, and whoever approves must name it too.
        Raises:
            AccessRefused: The role may not, or not under this relationship; audited. `.code` says which.
            UsageError: A number, system, record or reason is missing or wrong; or it is decided or proposed already;
                or the record is linked to another number, which must be reversed first.
            AuditUnavailable: The step could not be audited, so nothing was changed.
            DecisionsUnsound: What was decided before cannot be believed, so nothing was changed.
        """
        other = None if other_number is None else nhs_number(other_number)
        if other == nhs_number(number):
            raise UsageError("the other number is the person's own: leave it out")
        return self._propose("link", number, system, record, who, reason, other)

    def propose_unlink(self, number: str, system: str, record: str, who: AccessContext, *, reason: str) -> Decision:
        """Propose that the system's record is *not* the person with this NHS number; else as `propose_link`."""
        return self._propose("unlink", number, system, record, who, reason, None)

    def propose_reversal(self, id: str, who: AccessContext, *, reason: str) -> Decision:
        """Propose that a decision no longer hold. Until somebody approves that, it does. Raises as `propose_link`."""
        reason = _reason(reason)

        def decide(known: list[Decision], now: datetime) -> list[Decision]:
            one = _find(known, id)
            if one.state(now) != "in-force":
                raise UsageError(f"only what is in force can be reversed; this is {one.state(now)}")
            return [_with(one, self._step("reversal-proposed", who, now, reason, opens=True))]

        return self._decide(who, self._proposers, "propose", decide)

    def approve(self, id: str, who: AccessContext, *, other_number: str | None = None) -> Decision:
        """Approve a proposal, or the reversal of a decision. It holds at the next read of every process.

        Args:
            other_number: For a link of a record that gives another NHS number: that number, stated again.
        Raises:
            AccessRefused: Besides what `propose_link` says: `same-person`, who proposed it; `proposal-expired`;
                `clock-behind`; `other-number-not-confirmed`.
            UsageError: No such proposal, or it is decided already.
        """
        other = None if other_number is None else nhs_number(other_number)

        def decide(known: list[Decision], now: datetime) -> list[Decision]:
            one = _find(known, id)
            proposal = one.steps[-1]
            self._check_open(one, now)
            if _same_person(proposal, who):
                raise AccessRefused("same-person", "whoever proposed it may not approve it: a second person must")
            if proposal.action == "reversal-proposed":
                return [_with(one, self._step("reversal-approved", who, now))]
            if one.other_number != other:
                raise AccessRefused(
                    "other-number-not-confirmed",
                    "the proposal and the approval must name the same other NHS number, or both none",
                )
            self._check_free(known, one.kind, one.system, one.record, one.nhs_number)
            before = [each for each in known if each.in_force and _same_matter(each, one)]
            replaced = [_with(each, self._step("replaced", who, now)) for each in before]
            return [_with(one, self._step("approved", who, now)), *replaced]

        return self._decide(who, self._approvers, "approve", decide)

    def reject(self, id: str, who: AccessContext, *, reason: str = "") -> Decision:
        """Reject a proposal, or withdraw one's own. What it was about stays as it was."""

        def decide(known: list[Decision], now: datetime) -> list[Decision]:
            one = _find(known, id)
            self._check_open(one, now)
            own = _same_person(one.steps[-1], who)
            if not own and not _may(who, self._approvers):
                raise _role_refused("reject another's proposal", self._approvers)
            action = "rejected" if one.steps[-1].action == "proposed" else "reversal-rejected"
            return [_with(one, self._step(action, who, now, reason.strip()[:_LONGEST_REASON]))]

        return self._decide(who, self._proposers | self._approvers, "reject", decide)

    # Looking

    def find(self, who: AccessContext, *, number: str | None = None) -> tuple[Decision, ...]:
        """All decisions and proposals, newest first; with a number, those about that person. Audited.

        Raises:
            AccessRefused: The role is not among those that may approve.
            AuditUnavailable, DecisionsUnsound: As for `propose_link`.
        """
        about = None if number is None else nhs_number(number)
        self._look(who, about, {})
        found = [one for one in self._shown() if about is None or about in (one.nhs_number, one.other_number)]
        return tuple(sorted(found, key=lambda one: one.steps[0].at, reverse=True))

    def show(self, id: str, who: AccessContext) -> Decision:
        """One decision with all its steps. Raises as `find`, and UsageError if there is none of that id."""
        self._admitted(who, self._approvers, _LOOK, None)
        one = _find(self._shown(), id)
        self._look(who, one.nhs_number, {"decision": one.id})
        return one

    def state(self, one: Decision) -> State:
        """Where it stands now."""
        return one.state(self._now())

    def about(self, numbers: Collection[str], records: Iterable[tuple[str, str]]) -> Decisions:
        """What a read of the person with these numbers, and of these (system, id) pairs, must go by. Never raises."""
        wanted = [canonical(text) for text in (*numbers, *(record for _, record in records))]
        try:
            bodies = self._store.bodies()
            found = [_parsed(body) for body in bodies if any(text in body for text in wanted)]
        except (StoreUnsound, DecisionsUnsound) as error:
            reason = error.reason
            self._events.emit(Code.DECISIONS_UNSOUND, step="identity", reason=reason)
            return Decisions(unsound=reason)
        now = self._now()
        disputed = (one for one in found if one.state(now) == "proposed" and one.nhs_number in numbers)
        return Decisions(tuple(one for one in found if one.in_force), tuple(disputed))

    def open_proposals(self) -> tuple[tuple[str, Kind, str, datetime], ...]:
        """Id, kind, system and last moment of every proposal that waits; nothing of any person, so anybody may ask.

        Raises:
            DecisionsUnsound: The store cannot be believed.
        """
        now = self._now()
        waiting = [one for one in self._shown() if one.state(now) in ("proposed", "reversal-proposed")]
        return tuple((one.id, one.kind, one.system, one.steps[-1].expires or now) for one in waiting)

    def check(self) -> int:
        """How many decisions and proposals there are, if all can be believed.

        Raises:
            DecisionsUnsound: They cannot.
        """
        return len(self._known())

    # Forgetting

    def purge(self, before: datetime, who: AccessContext) -> int:
        """Remove what ended, or expired unapproved, before that time. What is in force stays. Raises as `approve`."""
        return self._forget(who, "purge", None, lambda one, over: over is not None and over < before)

    def erase(self, number: str, who: AccessContext) -> int:
        """Remove everything about one person that has ended.

        Raises:
            UsageError: Something about the person is in force or open: reverse or reject it first, since removing it
                would join or part records unseen.
        """
        number = nhs_number(number)
        return self._forget(
            who, "erase", number, lambda one, over: number in (one.nhs_number, one.other_number), strict=True
        )

    def _forget(
        self,
        who: AccessContext,
        step: str,
        number: str | None,
        goes: Callable[[Decision, datetime | None], bool],
        *,
        strict: bool = False,
    ) -> int:
        self._admitted(who, self._approvers, step, number)
        count = 0

        def decide(bodies: list[str]) -> Change:
            nonlocal count
            now = self._now()
            gone = []
            for one in map(_parsed, bodies):
                last = one.steps[-1]
                expired = last.expires if last.action == "proposed" and one.state(now) == "expired" else None
                over = one.ended or expired
                if not goes(one, over):
                    continue
                if over is not None:
                    gone.append(one.id)
                elif strict:
                    raise UsageError(f"something about this person is {one.state(now)}: reverse or reject it first")
            count = len(gone)
            if gone:
                self._audit.append(self._event(who, "identity-erase", number, {"step": step, "count": str(count)}))
            return Change(remove=gone)

        self._change(decide)
        return count

    # Working

    def _propose(
        self, kind: Kind, number: str, system: str, record: str, who: AccessContext, reason: str, other: str | None
    ) -> Decision:
        number, record, reason = nhs_number(number), record.strip(), _reason(reason)
        if system not in self._systems:
            raise UsageError(f"no such system; systems are {', '.join(sorted(self._systems))}")
        if not record or len(record) > _LONGEST_ID:
            raise UsageError(f"record: expected the system's own id of its record, at most {_LONGEST_ID} characters")

        def decide(known: list[Decision], now: datetime) -> list[Decision]:
            made = Decision(
                id=str(uuid4()),
                kind=kind,
                system=system,
                record=record,
                nhs_number=number,
                other_number=other,
                steps=(self._step("proposed", who, now, reason, opens=True),),
            )
            for one in known:
                if _same_matter(one, made) and one.kind == kind and one.other_number == other:
                    if one.in_force:
                        raise UsageError(f"that is decided already: {one.id}")
                    if one.state(now) == "proposed":
                        raise UsageError(f"that is proposed already: {one.id}")
            self._check_free(known, kind, system, record, number)
            return [made]

        return self._decide(who, self._proposers, "propose", decide)

    def _decide(
        self,
        who: AccessContext,
        roles: frozenset[str],
        step: str,
        decide: Callable[[list[Decision], datetime], list[Decision]],
    ) -> Decision:
        self._admitted(who, roles, step, None)
        done: Decision | None = None

        def change(bodies: list[str]) -> Change:
            nonlocal done
            changed = decide([_parsed(body) for body in bodies], self._now())
            done = changed[0]
            for one in changed:
                # In the trail before it holds; were the trail to fail, nothing is changed.
                self._audit.append(self._event(who, f"identity-{one.kind}", one.nhs_number, _details(one)))
            return Change({one.id: canonical(one.model_dump(mode="json")) for one in changed})

        try:
            self._change(change)
        except AccessRefused as refused:
            self._refused(who, refused, None)
            raise
        except DecisionsUnsound:
            if done is not None:
                # The trail says that it was done, and it was not.
                details = {**_details(done), "step": f"{done.steps[-1].action}: not kept"}
                self._audit.append(self._event(who, f"identity-{done.kind}", done.nhs_number, details, failed=True))
            raise
        assert done is not None  # noqa: S101 - `decide` returned it, or raised
        return done

    def _change(self, decide: Callable[[list[str]], Change]) -> None:
        try:
            anchored = self._store.change(decide)
        except StoreUnsound as error:
            self._events.emit(Code.DECISIONS_UNSOUND, step="identity", reason=error.reason)
            raise DecisionsUnsound(error.reason) from None
        if not anchored:
            self._events.emit(Code.DECISIONS_UNSOUND, step="identity", reason="anchor-unavailable")

    def _known(self) -> list[Decision]:
        try:
            return [_parsed(body) for body in self._store.bodies()]
        except StoreUnsound as error:
            raise DecisionsUnsound(error.reason) from None

    def _shown(self) -> list[Decision]:
        # A system that a silent policy excludes by now is named nowhere.
        return [one for one in self._known() if one.system in self._systems]

    def _check_open(self, one: Decision, now: datetime) -> None:
        last = one.steps[-1]
        if last.action not in ("proposed", "reversal-proposed"):
            raise UsageError(f"nothing is proposed here; it is {one.state(now)}")
        if now < last.at - CLOCKS_MAY_DIFFER:
            raise AccessRefused("clock-behind", "by this machine's clock it was proposed in the future: set the clock")
        if last.expires is None or now > last.expires:
            raise AccessRefused("proposal-expired", "nobody approved it in time: propose it again")

    def _check_free(self, known: list[Decision], kind: Kind, system: str, record: str, number: str) -> None:
        if kind != "link":
            return
        for one in known:
            taken = one.in_force and one.kind == "link" and (one.system, one.record) == (system, record)
            if taken and one.nhs_number != number:
                raise UsageError(f"the record is linked to another NHS number by {one.id}: reverse that first")

    def _admitted(self, who: AccessContext, roles: frozenset[str], step: str, number: str | None) -> None:
        try:
            _check_may(who, roles, step)
        except AccessRefused as refused:
            self._refused(who, refused, number)
            raise

    def _look(self, who: AccessContext, number: str | None, details: dict[str, str]) -> None:
        self._admitted(who, self._approvers, _LOOK, number)
        self._audit.append(self._event(who, "identity-read", number, details))

    def _refused(self, who: AccessContext, refused: AccessRefused, number: str | None) -> None:
        self._events.emit(Code.ACCESS_REFUSED, reason=refused.code)
        self._audit.append(
            AuditRecord(
                action="refused",
                outcome="refused",
                who=who,
                patient=number,
                purpose=who.purpose,
                correlation_id=str(uuid4()),
                reason_code=refused.code,
                at=datetime.now(UTC),
            )
        )

    def _event(
        self, who: AccessContext, action: Any, number: str | None, details: dict[str, str], *, failed: bool = False
    ) -> AuditRecord:
        known: AuditAction = action
        return AuditRecord(
            action=known,
            outcome="failure" if failed else "success",
            who=who,
            patient=number,
            purpose=who.purpose,
            correlation_id=str(uuid4()),
            decision=tuple(details.items()),
            reason_code="not-kept" if failed else None,
            at=datetime.now(UTC),
        )

    def _step(self, action: Any, who: AccessContext, now: datetime, reason: str = "", *, opens: bool = False) -> Step:
        return Step(
            action=action,
            user=who.user,
            name=who.name,
            role=who.role,
            organisation=who.organisation,
            practitioner_id=who.practitioner_id,
            at=now,
            reason=reason,
            expires=now + self._open_for if opens else None,
        )


def _check_may(who: AccessContext, roles: Collection[str], step: str) -> None:
    admit(who)
    if who.relationship == BREAK_GLASS:
        raise AccessRefused("not-under-break-glass", "break-glass is for reading in an emergency")
    if not _may(who, roles):
        raise _role_refused(step, roles)


def _may(who: AccessContext, roles: Collection[str]) -> bool:
    return ANYBODY in roles or who.role in roles


def _role_refused(step: str, roles: Collection[str]) -> AccessRefused:
    return AccessRefused("identity-role", f"to {step} is for {', '.join(sorted(roles))} alone")


def _same_person(step: Step, who: AccessContext) -> bool:
    """Whether it is the same user, or the same practitioner under another user id."""
    if _plain(step.user) == _plain(who.user):
        return True
    return step.practitioner_id is not None and _plain(step.practitioner_id) == _plain(who.practitioner_id or "")


def _plain(user: str) -> str:
    # Directories do not tell `Jane.Doe` from `jane.doe`.
    return user.strip().casefold()


def _same_matter(one: Decision, other: Decision) -> bool:
    return (one.system, one.record, one.nhs_number) == (other.system, other.record, other.nhs_number)


def _details(one: Decision) -> dict[str, str]:
    return {"decision": one.id, "step": one.steps[-1].action, "system": one.system, "record": one.record}


def _with(one: Decision, step: Step) -> Decision:
    return one.model_copy(update={"steps": (*one.steps, step)})


def _find(known: list[Decision], id: str) -> Decision:
    found = next((one for one in known if one.id == id.strip()), None)
    if found is None:
        raise UsageError("there is no decision or proposal of that id")
    return found


def _reason(text: str) -> str:
    text = text.strip()
    if not text or len(text) > _LONGEST_REASON:
        raise UsageError(f"reason: expected why, in at most {_LONGEST_REASON} characters")
    return text


def _parsed(body: str) -> Decision:
    try:
        return Decision.model_validate_json(body)
    except ValueError:
        # Its seal fits, so a newer version wrote it: what it decides is not known here.
        raise DecisionsUnsound("decision-not-understood") from None
