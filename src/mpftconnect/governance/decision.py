"""One identity decision: that a system's record is, or is not, the person with this NHS number (rule 5).

A decision is never edited. Each step that somebody takes is added to it, so that it is its own history.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime

from mpftconnect.model import Model

__all__ = ["Decision", "Decisions", "Kind", "State", "Step"]

Kind = Literal["link", "unlink"]
State = Literal["proposed", "expired", "rejected", "in-force", "reversal-proposed", "reversed", "replaced"]
Action = Literal[
    "proposed", "approved", "rejected", "reversal-proposed", "reversal-approved", "reversal-rejected", "replaced"
]

_IN_FORCE = frozenset({"approved", "reversal-proposed", "reversal-rejected"})
_ENDED: dict[str, State] = {"rejected": "rejected", "reversal-approved": "reversed", "replaced": "replaced"}


class Step(Model):
    """What somebody did about a decision.

    Args:
        user: `AccessContext.user`, as for the next four.
        at: When.
        reason: In the user's words, which may name anything: shown where decisions are shown, and nowhere else.
        expires: Until when a proposal may be approved.
    """

    action: Action
    user: str
    name: str
    role: str
    organisation: str
    practitioner_id: str | None = None
    at: AwareDatetime
    reason: str = ""
    expires: AwareDatetime | None = None


class Decision(Model):
    """That a system's record of a person is, or is not, the person with this NHS number.

    Args:
        kind: `link`: it is; `unlink`: it is not.
        system: Configured name of the system.
        record: The system's own id of its record, as `Patient.source.id` says it.
        nhs_number: Whose number.
        other_number: For a link: the other NHS number that the system gives, which both people confirmed.
        steps: What was done, oldest first.
    """

    id: str
    kind: Kind
    system: str
    record: str
    nhs_number: str
    other_number: str | None = None
    steps: tuple[Step, ...]

    @property
    def in_force(self) -> bool:
        """Whether it holds now; an open proposal to reverse it changes nothing yet."""
        return self.steps[-1].action in _IN_FORCE

    @property
    def ended(self) -> datetime | None:
        """When it was rejected, reversed or replaced; None if it was not."""
        return self.steps[-1].at if self.steps[-1].action in _ENDED else None

    @property
    def approved(self) -> Step | None:
        """The step by which it came into force; None if it never did."""
        return next((step for step in self.steps if step.action == "approved"), None)

    def state(self, now: datetime) -> State:
        """Where it stands at that moment.

        A proposal that nobody approved in time has expired; of one to reverse, what it was about stays in force.
        """
        last = self.steps[-1]
        open_still = last.expires is not None and now <= last.expires
        if last.action == "proposed":
            return "proposed" if open_still else "expired"
        if last.action == "reversal-proposed":
            return "reversal-proposed" if open_still else "in-force"
        return _ENDED.get(last.action, "in-force")

    def words(self) -> str:
        """Who decided and when, for whoever sees the record: names of staff, nothing of the person."""
        proposed, approved = self.steps[0], self.approved
        if approved is None:
            return f"proposed by {proposed.name} on {proposed.at:%d %b %Y}"
        return f"proposed by {proposed.name}, approved by {approved.name} on {approved.at:%d %b %Y}"


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a read goes by.

    Args:
        in_force: Those in force that concern the person, or a record that a system gave for them.
        disputed: Proposals that are still open.
        unsound: Why the store cannot be believed; then nothing may join. A permanent code.
    """

    in_force: tuple[Decision, ...] = ()
    disputed: tuple[Decision, ...] = ()
    unsound: str | None = None

    def unlinking(self, system: str, record: str, numbers: Collection[str]) -> Decision | None:
        """The decision that this record is not the person's: said of them, or of it that it is somebody else's."""
        ours = [one for one in self._of(system, record) if one.nhs_number in numbers]
        # Under two numbers of one person both may have been said. What sets apart is the safer of the two.
        for one in ours:
            if one.kind == "unlink":
                return one
        elsewhere = (one for one in self._of(system, record) if one.kind == "link" and one.nhs_number not in numbers)
        return None if ours else next(elsewhere, None)

    def linking(self, system: str, record: str, numbers: Collection[str]) -> Decision | None:
        """The decision that this record is the person's."""
        found = (one for one in self._of(system, record) if one.kind == "link" and one.nhs_number in numbers)
        return next(found, None)

    def _of(self, system: str, record: str) -> Iterable[Decision]:
        return (one for one in self.in_force if one.system == system and one.record == record)
