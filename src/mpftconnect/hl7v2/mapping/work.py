"""One message in the mapping: its segments, who sent it, whom it is about, and the changes that come of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from mpftconnect.hl7v2.changes import Change, Key, Parked, Replace, Retract, Stated, Subject, Upsert
from mpftconnect.hl7v2.mapping.draft import EXTRA, Draft
from mpftconnect.hl7v2.mapping.leaves import Place, Segment
from mpftconnect.hl7v2.mapping.making import key_to, make
from mpftconnect.hl7v2.mapping.site import AUTHORITY, Site
from mpftconnect.model import Actor, Identifier, Item, Reference, Source, When

__all__ = ["Part", "Person", "Work", "digest", "digest_of_code", "key_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom a part of a message is about.

    Args:
        subject: The identifiers, for the change.
        key: Of the person, in the sender's terms.
        aliases: By the person's other identifiers.
        reference: What the items name as their subject.
    """

    subject: Subject
    key: Key
    aliases: tuple[Key, ...]
    reference: Reference


class Part:
    """What of a message is about one person: the PID and what follows it, in order."""

    def __init__(self, segments: list[Segment]) -> None:
        self.segments = segments
        self._named: dict[str, list[Segment]] = {}
        for segment in segments:
            self._named.setdefault(segment.name, []).append(segment)

    def first(self, name: str) -> Segment | None:
        found = self._named.get(name)
        return found[0] if found else None

    def all(self, name: str) -> list[Segment]:
        return self._named.get(name, [])


_Pending = tuple[Draft, dict[str, Any], Callable[[Item], Change]]
"""An item that is made when its draft has all its extras: what comes from no leaf, and the change to make of it."""


class Work:
    """The mapping of one message, from its segments to its changes.

    Args:
        segments: Of the message.
        site: What is agreed with the sender.
        stated: When the message was stated; parts may state their own time.
        received: When it came in.
        authority: The sender's name: who numbers what has no assigning authority.
        trigger: `A01`, `R01`.
        organisation: The sender's ODS code, where the site file gives one.
    """

    def __init__(
        self,
        segments: list[Segment],
        site: Site,
        *,
        stated: Stated,
        received: datetime,
        authority: str,
        trigger: str,
        organisation: str | None = None,
    ) -> None:
        self.segments, self.site, self.stated, self.received = segments, site, stated, received
        self.authority, self.trigger = authority, trigger
        self.organisation = make(Actor, organization_code=organisation) if organisation else None
        self.drafts: list[Draft] = []
        self.changes: list[Change] = []
        self.parked: list[Parked] = []
        self.dropped: list[tuple[Segment, Place, str]] = []
        self.parked_segments: list[Segment] = []
        self._pending: list[_Pending] = []
        self._owners: dict[int, Draft] = {}
        self._seen: dict[str, int] = {}

    # --- making --------------------------------------------------------------------------------------------------

    def draft(self, kind: type[Item] | None) -> Draft:
        """A new item in the making."""
        draft = Draft(kind, self.site, self.authority)
        self.drafts.append(draft)
        return draft

    def undo(self, draft: Draft) -> None:
        """No item comes of the draft after all: what it took is left again."""
        for segment, place, _, _ in draft.taken:
            segment.left[place] = segment.sent[place]
        draft.taken.clear()
        draft.extras.clear()
        if self.drafts and self.drafts[-1] is draft:
            self.drafts.pop()

    def own(self, draft: Draft, *segments: Segment | None) -> None:
        """What is left of these segments in the end is kept as extra by this draft."""
        for segment in segments:
            if segment is not None:
                self._owners[id(segment)] = draft

    def park(self, code: str, reason: str, location: str) -> None:
        """Something cannot be mapped: it is kept for a person to look at."""
        self.parked.append(Parked(code=code, reason=reason, location=location))

    def drop(self, segment: Segment, place: Place, why: str) -> None:
        """A leaf is left out of the items, on purpose; the ledger says why."""
        if place in segment.left:
            del segment.left[place]
            self.dropped.append((segment, place, why))

    def source(self, key: Key, stated: Stated) -> Source:
        return make(
            Source,
            system=self.site.name,
            id=key.reference,
            version=stated.control_id,
            fetched=self.received,
            mode="feed",
            updated=stated.at or stated.sent,
        )

    def upsert(
        self,
        draft: Draft,
        person: Person,
        key: Key,
        made: dict[str, Any],
        *,
        aliases: tuple[Key, ...] = (),
        mentions: bool = False,
        stated: Stated | None = None,
    ) -> None:
        """The draft becomes an update of what stands under the key; `made` is what comes from no leaf."""
        when = stated or self.stated

        def change(item: Item) -> Change:
            return Upsert(
                subject=person.subject,
                key=key,
                aliases=aliases,
                item=item,
                removed=tuple(draft.removed),
                mentions=mentions,
                stated=when,
            )

        self._wait(draft, key, when, made, change)

    def replace(
        self,
        draft: Draft,
        person: Person,
        key: Key,
        made: dict[str, Any],
        *,
        aliases: tuple[Key, ...] = (),
        stated: Stated | None = None,
    ) -> None:
        """The draft takes the place of all that stands under the key."""
        when = stated or self.stated

        def change(item: Item) -> Change:
            return Replace(subject=person.subject, key=key, aliases=aliases, item=item, stated=when)

        self._wait(draft, key, when, made, change)

    def retract(
        self,
        draft: Draft,
        person: Person,
        key: Key,
        made: dict[str, Any],
        *,
        code: str,
        reason: str,
        aliases: tuple[Key, ...] = (),
        stated: Stated | None = None,
    ) -> None:
        """What stands under the key is withdrawn, and stays to be seen as that."""
        when = stated or self.stated

        def change(item: Item) -> Change:
            return Retract(
                subject=person.subject, key=key, aliases=aliases, reason=reason, code=code, item=item, stated=when
            )

        self._wait(draft, key, when, made, change)

    def _wait(
        self, draft: Draft, key: Key, stated: Stated, made: dict[str, Any], change: Callable[[Item], Change]
    ) -> None:
        made["source"] = self.source(key, stated)
        self._pending.append((draft, made, change))

    def state(self, draft: Draft, change: Change) -> None:
        """A change of no item, such as a merge; the draft holds what was taken for it.

        A change has no `extra`: what would be kept there is left again, and kept with the person.
        """
        for segment, place, _, way in draft.taken:
            if way is EXTRA:
                segment.left[place] = segment.sent[place]
        draft.taken = [taken for taken in draft.taken if taken[3] is not EXTRA]
        draft.extras.clear()
        draft.result = change
        self.changes.append(change)

    def finish(self, part: Iterable[Segment], last: Draft) -> None:
        """Keep what is left of a part's segments, and make its items and changes in order."""
        for segment in part:
            if segment.left:
                self._owners.get(id(segment), last).keep(segment)
        for draft, made, change in self._pending:
            self.changes.append(change(draft.made(made)))
        self._pending.clear()

    def once(self, value: str) -> str:
        """A value that names one thing within the message: the second of the same becomes `value#2`."""
        count = self._seen[value] = self._seen.get(value, 0) + 1
        return value if count == 1 else f"{value}#{count}"

    def at(self, when: When) -> Stated:
        """The message's time, but for a part of it that has the time of its own event."""
        stated = self.stated
        return Stated(at=when, basis="event", sent=stated.sent, sequence=stated.sequence, control_id=stated.control_id)


def key_of(kind: str, identifier: Identifier) -> Key:
    """The key of what an identifier names."""
    system = identifier.system or ""
    authority = unquote(system.removeprefix(AUTHORITY)) if system.startswith(AUTHORITY) else system
    return key_to(kind, authority, identifier.value or "")


def digest(*parts: str | None) -> str:
    """A stable short name of what has no number of its own, made from what it says; tells nothing of it."""
    joined = "\x1f".join([part.casefold().strip() if part else "" for part in parts])
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@lru_cache(maxsize=4096)
def digest_of_code(system: str | None, code: str | None, sub_id: str | None) -> str:
    """`digest` of what a code says: the codes of a feed are few. Not for what tells of a person."""
    return digest(system, code, sub_id)
