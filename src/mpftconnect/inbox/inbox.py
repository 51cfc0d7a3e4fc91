"""The inbox: what is pushed to us, kept before it is acknowledged, then mapped, judged and projected."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from mpftconnect.errors import UsageError
from mpftconnect.events import Code, EventStream
from mpftconnect.governance.policies import Contribution, Policy
from mpftconnect.hl7v2.changes import Change, MergePerson, Replace, Retract, Subject, Upsert
from mpftconnect.inbox.feeds import Feed, FeedStatus, feed_of, status_of, unexpected
from mpftconnect.inbox.header import Header, header_of
from mpftconnect.inbox.people import Belonging, Remembered, Resolve, belonging, local_identifiers
from mpftconnect.inbox.store import (
    DISCARDED_IN_PART,
    Arrival,
    Entry,
    LinkRow,
    Projected,
    Proposal,
    Receipt,
    Settlement,
    Store,
)
from mpftconnect.inbox.withholding import Withholding
from mpftconnect.model import SECTION_TYPES, Item, Patient, SectionName

__all__ = ["Inbox", "Mapped", "Mapper", "Processed", "Withheld"]

UNKNOWN_FEED = "(no feed)"
_BATCH = 50
# Senders that are remembered: a stranger may call itself anything.
_MOST_SENDERS = 256


class Mapped(Protocol):
    """What mapping gives, as far as the inbox needs it (`mpftconnect.hl7v2.Mapped`)."""

    @property
    def changes(self) -> Sequence[Change]: ...

    @property
    def parked(self) -> Sequence[Any]: ...


Mapper = Callable[[bytes, str], Mapped]
"""Maps a message's bytes by the site file of the feed of that name. Whatever it raises parks the message."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """A message that was acknowledged and not kept: all that is ever known of it, for the privacy officer alone."""

    control_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Processed:
    """What one round did.

    Args:
        processed: Messages whose changes were applied.
        parked: Messages that wait for a person now.
        waiting: Whether the tracing service did not answer, so that the rest waits.
    """

    processed: int = 0
    parked: int = 0
    waiting: bool = False


class Inbox:
    """See the module's text. Safe between threads and, as far as its store is, between processes.

    Args:
        store: Where it is kept.
        feeds: Who may send, by name.
        mapper: Maps messages; without one they are kept and wait.
        resolve: Asks the tracing service; without one messages are kept and wait.
        silent: Silent policies: what they exclude is acknowledged and not kept.
        privacy: Told of each message that is not kept. It may raise: then the message is answered by AE.
        events: Takes codes and counts; nothing of what is withheld.
        default_feed: Where messages go whose sender no feed names; without it they are parked.
        clock: For tests.
    """

    def __init__(
        self,
        store: Store,
        feeds: Mapping[str, Feed],
        *,
        mapper: Mapper | None = None,
        resolve: Resolve | None = None,
        silent: Sequence[Policy] = (),
        privacy: Callable[[Withheld], object] | None = None,
        events: EventStream | None = None,
        default_feed: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.store = store
        self._feeds = dict(feeds)
        self._mapper, self._resolve = mapper, resolve
        self._silent, self._privacy = tuple(silent), privacy
        self._withholding = Withholding(silent, {name: feed.system or name for name, feed in feeds.items()})
        self._events = events or EventStream()
        self._default, self._clock = default_feed, clock
        self._one_at_a_time = threading.Lock()
        self._senders: dict[tuple[str, str, str], str | None] = {}

    # --- receiving ---

    def receive(self, raw: bytes, at: datetime | None = None, *, feed: str | None = None) -> Receipt:
        """Keep one message; it is on the disk when this returns.

        Args:
            raw: Its bytes.
            at: When it came; now, by default.
            feed: Which feed's it is; by default the one whose sender it names.
        Raises:
            NotAMessage: It cannot be kept and answered, since its header cannot be read.
            StoreFailed: It was not kept.
        """
        return self.receive_all([(header_of(raw), raw)], at, feed=feed)[0]

    def receive_all(
        self, messages: Sequence[tuple[Header, bytes]], at: datetime | None = None, *, feed: str | None = None
    ) -> list[Receipt]:
        """Keep messages in order, by one flush; see `receive`."""
        if feed is not None and feed not in self._feeds:
            raise UsageError("no feed of that name is configured")
        at = at or self._clock()
        if at.tzinfo is None:
            raise UsageError("a time with an offset is expected")
        arrivals = [self._arrival(header, raw, at, feed) for header, raw in messages]
        receipts = self.store.append(arrivals)
        for place, receipt in enumerate(receipts):
            if receipt.outcome == "parked":
                arrival = arrivals[place]
                self._events.emit(Code.MESSAGE_PARKED, system=arrival.feed, reason=receipt.reason, count=receipt.seq)
        return receipts

    def _arrival(self, header: Header, raw: bytes, at: datetime, feed: str | None) -> Arrival:
        name = feed or self._feed_of(header) or self._default
        if self._withholding.withholds(name, header, raw):
            # Told before it is answered: an account that fails must not be a message that is gone without one.
            if self._privacy is not None:
                self._privacy(Withheld(header.control_id, at))
            body, parked = None, None
        else:
            body, parked = raw, None if name is not None else "sender-unknown"
        return Arrival(
            # Of what is withheld under no feed not even that something came may show.
            feed=name or ("" if body is None else UNKNOWN_FEED),
            at=at,
            sender=header.sender,
            control_id=header.control_id,
            kind=header.kind,
            body=body,
            parked=parked,
        )

    def _feed_of(self, header: Header) -> str | None:
        """As `feed_of`, remembered: the same few senders send all day."""
        sender = header.application, header.facility, header.separators
        if sender in self._senders:
            return self._senders[sender]
        found = feed_of(self._feeds, header)
        if len(self._senders) < _MOST_SENDERS:
            self._senders[sender] = found
        return found

    # --- processing ---

    @property
    def can_process(self) -> bool:
        return self._mapper is not None and self._resolve is not None

    def process(self, limit: int | None = None) -> Processed:
        """Map, judge and project what waits, in order of arrival.

        Args:
            limit: How many messages at most; all, by default.
        Raises:
            UsageError: There is no mapper or no tracing service.
            StoreFailed: The store did not take it; what was not settled is processed again.
        """
        if self._mapper is None or self._resolve is None:
            raise UsageError("to process messages an inbox needs a mapper and a tracing service")
        resolve = Remembered(self._resolve)
        done, parked, left = 0, 0, limit
        with self._one_at_a_time:
            while left is None or left > 0:
                entries = self.store.pending(_BATCH if left is None else min(left, _BATCH))
                if not entries:
                    break
                for entry in entries:
                    settlement = self._settled(entry, self._mapper, resolve)
                    if settlement is None:
                        return self._told(Processed(done, parked, waiting=True))
                    self.store.settle([settlement])
                    done += settlement.state == "processed"
                    parked += settlement.state == "parked"
                    if settlement.state == "parked":
                        self._events.emit(
                            Code.MESSAGE_PARKED, system=entry.feed, reason=settlement.reason, count=entry.seq
                        )
                if left is not None:
                    left -= len(entries)
        return self._told(Processed(done, parked))

    def _told(self, result: Processed) -> Processed:
        if result.processed:
            self._events.emit(Code.MESSAGES_PROCESSED, count=result.processed)
        return result

    def _settled(self, entry: Entry, mapper: Mapper, resolve: Resolve) -> Settlement | None:
        """What becomes of a message; None if the tracing service has to be waited for."""
        name = self._feed_now(entry)
        feed = self._feeds.get(name)
        system = (feed.system if feed else None) or name
        base = Settlement(seq=entry.seq, state="parked", system=system, at=entry.at)
        if name == UNKNOWN_FEED:
            # Nobody's still: what is filed under no system is on no record, so it is not called processed.
            return replace(base, reason="sender-unknown")
        if feed is None and name != self._default:
            return replace(base, reason="feed-not-configured")
        body = entry.body or b""
        if entry.feed == UNKNOWN_FEED and self._withholding.withholds(name, header_of(body), body):
            # When it came it was nobody's; whose it is decides too.
            return self._withheld(entry, base)
        released = entry.reason is not None and entry.reason.startswith("released")
        try:
            mapped = mapper(body, name)
            changes, parked = tuple(mapped.changes), tuple(mapped.parked)
            subject = _subject(changes)
        except Exception as error:  # noqa: BLE001 - a message that breaks the mapping is parked, not lost
            return replace(base, reason=f"mapping-failed-{type(error).__name__}")
        if self._taken(system, changes):
            return self._withheld(entry, base)
        base = replace(base, identifiers=local_identifiers(subject))
        reason = str(parked[0].code) if parked else None
        if not changes and reason:
            return replace(base, reason=reason)
        if not changes:
            return replace(base, state="processed", reason="nothing-to-change")
        learns = subject.nhs_number is not None
        if entry.person is not None:
            # A replay: what was decided then stands, and the tracing service is not asked again.
            whose = Belonging(entry.person, via=entry.via)
        else:
            whose = belonging(subject, self.store, resolve, released=released)
            if whose.waits:
                return None
            if whose.number is None:
                return replace(base, reason=whose.parked)
            if not released and (crossing := self._crossing(changes)) is not None:
                return replace(base, reason=crossing)
        # What of a message can be mapped is shown, although the rest waits for a person.
        settled_before = entry.reason == DISCARDED_IN_PART
        return replace(
            base,
            state="parked" if reason and not settled_before else "processed",
            person=whose.number,
            via=whose.via,
            learns=learns,
            changes=changes,
            reason=DISCARDED_IN_PART if settled_before else reason or ("released" if released else None),
        )

    def _feed_now(self, entry: Entry) -> str:
        """The feed of a message; of one that came as nobody's, the one that names its sender by now."""
        if entry.feed != UNKNOWN_FEED:
            return entry.feed
        return feed_of(self._feeds, header_of(entry.body or b"")) or UNKNOWN_FEED

    def _withheld(self, entry: Entry, base: Settlement) -> Settlement:
        """Told to the privacy officer, and taken out of the log."""
        if self._privacy is not None:
            self._privacy(Withheld(entry.control_id, entry.at))
        return replace(base, state=None, reason=None)

    def _crossing(self, changes: Sequence[Change]) -> str | None:
        """A merge of what stands for two NHS numbers is for the tracing service or a person to decide, not for us."""
        for change in changes:
            if isinstance(change, MergePerson):
                people: set[str] = set()
                for side in (change.survivor, change.retired):
                    people |= set(self.store.known_people(local_identifiers(side)))
                    if side.nhs_number:
                        people.add(side.nhs_number)
                if len(people) > 1:
                    return "merge-across-nhs-numbers"
        return None

    def _taken(self, system: str, changes: Sequence[Change]) -> bool:
        """Whether a silent policy keeps anything of the message back."""
        items: dict[SectionName, tuple[Item, ...]] = {}
        patient: Patient | None = None
        for change in changes:
            if not isinstance(change, Upsert | Replace | Retract):
                continue
            if isinstance(change.item, Patient):
                patient = change.item
                continue
            for name, kind in SECTION_TYPES.items():
                if isinstance(change.item, kind):
                    items[name] = (*items.get(name, ()), change.item)
        whole = Contribution(system, patient, items)
        for policy in self._silent:
            shown, taken = policy.apply(whole)
            if taken or shown.patient != patient:
                return True
        return False

    # --- reading ---

    def items(self, systems: Sequence[str], person: str, kind: SectionName | Literal["patient"]) -> list[Projected]:
        """What stands of a person, of the feeds of these systems.

        Args:
            systems: Configured names of systems.
            person: NHS number.
            kind: A section; or `patient`, for the demographics.
        Raises:
            StoreFailed: It cannot be read.
        """
        return self.store.items(systems, person, kind)

    def configured(self, system: str) -> tuple[Feed, ...]:
        """The feeds of one system, as they are configured."""
        return tuple(feed for name, feed in self._feeds.items() if (feed.system or name) == system)

    def feeds(self, *, system: str | None = None) -> list[FeedStatus]:
        """Every configured feed, and how it is. What came under no configured feed has a line of its own.

        Raises:
            StoreFailed: It cannot be read.
        """
        now, since = self._clock(), self.store.since()
        counts = {each.feed: each for each in self.store.feeds()}
        out = [
            status_of(name, feed, counts.get(name), now, since)
            for name, feed in sorted(self._feeds.items())
            if system is None or (feed.system or name) == system
        ]
        if system is None:
            out += [unexpected(counts[name]) for name in sorted(counts.keys() - self._feeds.keys())]
        return out

    # --- mending ---

    def release(self, seq: int, reason: str) -> bool:
        """Have a parked message processed again, its NHS number believed; False if it is not parked."""
        _worded(reason)
        return self.store.decide(seq, "received", "released")

    def discard(self, seq: int, reason: str) -> bool:
        """Settle a parked message as one that changes nothing; False if it is not parked."""
        _worded(reason)
        return self.store.decide(seq, "discarded", "discarded")

    def links(self) -> list[LinkRow]:
        """Merges, moves and links, by their senders."""
        return self.store.links()

    def propose_undoing(self, id: str, user: str, reason: str) -> None:
        """Say that a merge or move was wrong. It stands until somebody else approves.

        Raises:
            UsageError: There is none of that id in force, or no reason.
        """
        _worded(reason)
        self._in_force(id)
        self.store.propose_undoing(Proposal(link=id, user=user, reason=reason, at=self._clock()))

    def approve_undoing(self, id: str, user: str) -> int:
        """Take a merge or move out of force that somebody else proposed to undo.

        Returns:
            How many messages are parked anew, since they were taken for the person by that merge alone.
        Raises:
            UsageError: Nobody proposed it, or the same user did.
        """
        self._in_force(id)
        proposal = next((one for one in self.store.proposals() if one.link == id), None)
        if proposal is None:
            raise UsageError("nobody proposed to undo that merge or move")
        if " ".join(proposal.user.split()).casefold() == " ".join(user.split()).casefold():
            raise UsageError("whoever proposed it cannot approve it: somebody else must")
        return self.store.undo_link(id)

    def _in_force(self, id: str) -> None:
        if not any(row.id == id and row.state == "in-force" for row in self.store.links()):
            raise UsageError("no merge or move of that id is in force")

    def replay(self) -> Processed:
        """Forget what is projected, and project it anew from the log, asking the tracing service nothing again."""
        self.store.begin_replay()
        return self.process()

    def close(self) -> None:
        """Close the store."""
        self.store.close()


def _subject(changes: Sequence[Change]) -> Subject:
    return changes[0].subject if changes else Subject()


def _worded(reason: str) -> None:
    if not reason.strip():
        raise UsageError("a reason is needed")
