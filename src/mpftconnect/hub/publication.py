"""What is wanted of a plan elsewhere, what would be done, and what was done: the words of publishing."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Literal

from mpftconnect.adapters.pointers import Draft
from mpftconnect.model import CarePlan, Identifier, NhsNumber

__all__ = ["WHY", "Action", "Preview", "Publication", "Wish"]

Action = Literal["create", "supersede", "remove", "nothing"]

WHY = {
    "new": "the plan is active and not yet published",
    "changed": "the plan has changed since it was published",
    "unchanged": "what is published is this version of the plan",
    "ended": "the plan has ended",
    "entered-in-error": "the plan was entered in error",
    "restricted": "the person is restricted",
    "deceased": "the person has died",
    "gone": "the system no longer holds the plan",
    "withdrawn": "somebody withdraws it",
    "not-published": "nothing is published",
}


@dataclass(frozen=True, slots=True)
class Preview:
    """What publishing would do now, and exactly what it would send.

    Args:
        system: Where.
        action: `create`, `supersede`, `remove` or `nothing`.
        why: Permanent code of the reason; `words()` says it.
        reference: Name under which the plan is published.
        pointers: Ids of the pointers that stand there now.
        drafts: The requests, in order; none for `nothing`.
        writes_allowed: Whether the configuration allows them to be sent.
    """

    system: str
    action: Action
    why: str
    reference: str
    pointers: tuple[str, ...]
    drafts: tuple[Draft, ...]
    writes_allowed: bool
    correlation_id: str

    def words(self) -> str:
        """In one sentence."""
        does = {"nothing": "nothing would be sent", "remove": "the pointer would be removed"}
        what = does.get(self.action, f"a pointer would be sent ({self.action})")
        off = "" if self.writes_allowed else " Writes are off for this system."
        return f"{self.system}: {what}, because {WHY[self.why]}.{off}"


@dataclass(frozen=True, slots=True)
class Publication:
    """What was done.

    Args:
        action: What was sent: `create`, `supersede`, `remove`; or `nothing`.
        pointers: Ids of the pointers that stand there now.
        gone: Ids of those that went.
        problem: For `review_published`: why this plan could not be looked at; empty otherwise.
    """

    system: str
    action: Action
    why: str
    reference: str
    pointers: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    correlation_id: str = ""
    problem: str = ""

    def words(self) -> str:
        """In one sentence."""
        if self.problem:
            return f"{self.system}: not looked at: {self.problem}"
        does = {
            "create": "published",
            "supersede": "published anew, in place of what was there",
            "remove": "taken back",
            "nothing": "nothing was sent",
        }
        return f"{self.system}: {does[self.action]}, because {WHY[self.why]}."


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller wants of one plan.

    Args:
        key: `Item.key` of the plan.
        plan: The plan as the caller read it; None if only its key is known.
        to: Configured name of the system; None where only one can take pointers.
        mode: `publish`: as the plan demands; `review`: the same, and a plan that is no longer held has ended;
            `withdraw`: take it back, whatever the plan says.
    """

    key: str
    about: NhsNumber | Identifier
    plan: CarePlan | None = None
    kind: str | None = None
    author: str | None = None
    to: str | None = None
    mode: Literal["publish", "review", "withdraw"] = "publish"
    correlation: str = field(default_factory=lambda: str(uuid.uuid4()))
