"""What an inbox keeps, and what a store of it must do. `SqliteStore` is the one that comes with the SDK."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from mpftconnect.errors import InboxUnavailable
from mpftconnect.hl7v2.changes import Change
from mpftconnect.model import Item, SectionName

__all__ = [
    "DISCARDED_IN_PART",
    "Arrival",
    "Entry",
    "FeedCounts",
    "LinkRow",
    "Outcome",
    "Projected",
    "Proposal",
    "Receipt",
    "Settlement",
    "State",
    "Store",
    "StoreFailed",
]

State = Literal["received", "processed", "parked", "discarded"]
Outcome = Literal["kept", "repeat", "parked", "excluded"]


# The reason of a message of which a part was applied and a person settled the rest.
DISCARDED_IN_PART = "discarded-in-part"


class StoreFailed(InboxUnavailable):
    """The store did not do what was asked. `reason` is a permanent code that names no value."""


class Arrival(NamedTuple):
    """A message as it comes in.

    Args:
        feed: Configured name of the feed; empty for one whose pulse does not count.
        at: When, UTC.
        sender: MSH-3 and MSH-4.
        control_id: MSH-10.
        kind: MSH-9.
        body: The bytes as received; None for one that is not kept, of which only the feed's pulse counts.
        parked: Why it is parked at once; None to have it processed.
    """

    feed: str
    at: datetime
    sender: str
    control_id: str
    kind: str
    body: bytes | None
    parked: str | None = None

    def __repr__(self) -> str:
        return f"<Arrival of {self.feed}>"


class Receipt(NamedTuple):
    """What became of an arrival.

    Args:
        seq: Its number in the log; None if it was not kept. Of a repeat, the number of the first.
        outcome: `kept`; `repeat`: same sender, control id and content as `seq`; `parked`; `excluded`.
        reason: Why it is parked.
    """

    seq: int | None
    outcome: Outcome
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message of the log.

    Args:
        seq: Its number; later is larger.
        state: `received` (waits to be processed), `processed`, `parked` or `discarded`.
        reason: Code of why it is parked or discarded.
        person: NHS number that it was processed under, if it was.
        size: Bytes.
        repeats: How often it came again.
        via: Merges without which its person would not have been found.
        body: As received.
    """

    seq: int
    feed: str
    at: datetime
    sender: str
    control_id: str
    kind: str
    state: State
    reason: str | None
    size: int
    repeats: int
    digest: str = field(repr=False)
    via: tuple[str, ...] = ()
    person: str | None = field(default=None, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What processing found of one message.

    Args:
        seq: Which.
        state: What becomes of it; None to take it out of the log altogether (excluded).
        reason: Code, for `parked`.
        system: Configured name of the system that the feed belongs to.
        at: When the message was received: what its items show as fetched.
        person: The NHS number that the tracing service or a known hospital number gave.
        identifiers: All identifiers of the subject, as `authority|value`; the local ones are learned.
        via: Ids of the merges without which the person would not have been found.
        learns: The message gives NHS number and hospital numbers together: what it says of them is remembered.
        changes: To apply, in order.
    """

    seq: int
    state: Literal["processed", "parked"] | None
    reason: str | None = None
    system: str = ""
    at: datetime | None = None
    person: str | None = field(default=None, repr=False)
    identifiers: tuple[str, ...] = field(default=(), repr=False)
    via: tuple[str, ...] = ()
    learns: bool = False
    changes: tuple[Change, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Projected:
    """A thing as the messages so far leave it.

    Args:
        item: The thing; a withdrawn one says so.
        withdrawn: Why, with the sender's code, if it was withdrawn.
        restricted: Fields that asked for confidence, such as `PV1-16`.
        seq: Number of the message that changed it last.
    """

    item: Item = field(repr=False)
    withdrawn: str | None = None
    restricted: tuple[str, ...] = ()
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRow:
    """A merge, move or link between people, by the sender.

    Args:
        id: Names it when it is undone.
        kind: `merge`, `move-identifier`, `change-identifier`, `visit`, `account` or `link`.
        state: `in-force`, `undone` (by two people here) or `taken-back` (by the sender, of a link).
        seq: Number of its message.
    """

    id: str
    system: str
    kind: str
    state: Literal["in-force", "undone", "taken-back"]
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """That somebody wants a merge or move undone; somebody else must approve.

    Args:
        link: Its id.
        user: Who proposed it.
        reason: Why, in their words.
        at: When.
    """

    link: str
    user: str
    reason: str = field(repr=False)
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedCounts:
    """A feed's pulse and its messages.

    Args:
        heard: When anything came last.
        depth: How many wait to be processed.
        oldest: When the oldest of those came.
        parked: How many are parked.
        total: How many are in the log.
        repeats: How many came again.
    """

    feed: str
    heard: datetime | None = None
    depth: int = 0
    oldest: datetime | None = None
    parked: int = 0
    total: int = 0
    repeats: int = 0


class Store(Protocol):
    """A durable log and what is projected from it. Methods raise `StoreFailed`; they are called from many threads."""

    def append(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """Keep messages, all or none, in order; they are on the disk when this returns."""

    def pending(self, limit: int, *, after: int = 0) -> list[Entry]:
        """The oldest messages that wait to be processed, with their bodies."""

    def known_people(self, identifiers: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """NHS numbers that local identifiers are known to stand for, each with the merges that this took."""

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Write what processing found, and apply the changes, all or none."""

    def items(self, systems: Sequence[str], person: str, kind: SectionName | Literal["patient"]) -> list[Projected]:
        """What stands of a person, by section, or as a patient."""

    def entry(self, seq: int) -> Entry | None:
        """One message, with its body."""

    def entries(self, states: Sequence[State], *, feed: str | None = None) -> Iterator[Entry]:
        """Messages without their bodies, oldest first."""

    def decide(self, seq: int, to: Literal["received", "discarded"], reason: str) -> bool:
        """Release a parked message to be processed again, or discard it; False if it is not parked."""

    def links(self) -> list[LinkRow]:
        """All merges, moves and links."""

    def propose_undoing(self, proposal: Proposal) -> None:
        """Keep a proposal, in place of an earlier one about the same link."""

    def proposals(self) -> list[Proposal]:
        """All that are open."""

    def undo_link(self, id: str) -> int:
        """Take a merge or move out of force; returns how many messages are parked anew because they relied on it."""

    def since(self) -> datetime | None:
        """When the store was made; None if it is not there yet."""

    def feeds(self) -> list[FeedCounts]:
        """Every feed that was heard."""

    def begin_replay(self) -> int:
        """Forget all projections and have every processed message processed again; returns how many."""

    def projection_digest(self) -> str:
        """Names all that is projected, order apart: equal after a replay."""

    def purge(self, before: datetime) -> int:
        """Remove what was received and settled before then, see `SqliteStore.purge`; returns how many messages."""

    def erase(self, person: str, identifiers: Sequence[str] = ()) -> int:
        """Remove everything of one person, from free space too; returns how many messages."""

    def close(self) -> None: ...
