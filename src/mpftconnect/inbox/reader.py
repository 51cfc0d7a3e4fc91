"""An inbox as the adapter of one system sees it; see `mpftconnect.adapters.pushed`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from mpftconnect.errors import FeedOverdue, SystemFailed
from mpftconnect.inbox.inbox import Inbox
from mpftconnect.inbox.store import Projected, StoreFailed
from mpftconnect.model import Item, Notice, Patient, SectionName

__all__ = ["FeedReader"]


class FeedReader:
    """The projections of one system's feeds.

    Args:
        inbox: Of the configuration.
        system: Configured name of the system.
        clock: For tests.
    """

    def __init__(self, inbox: Inbox, system: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._inbox, self._system, self._clock = inbox, system, clock

    def patients(self, number: str) -> Sequence[Patient]:
        return tuple(one.item for one in self._items(number, "patient") if isinstance(one.item, Patient))

    def read(self, number: str, section: SectionName) -> Iterator[Item | Notice]:
        found = self._items(number, section)
        for one in found:
            yield _marked(one)
        if any(one.restricted for one in found):
            yield Notice(
                "confidential-items", "The sender marked some of this as confidential.", self._system, incomplete=False
            )
        silent = self.overdue(section)
        if silent is not None:
            raise FeedOverdue(silent, system=self._system)

    def serves(self, section: SectionName) -> bool:
        return any(section in feed.sections for feed in self._inbox.configured(self._system))

    def overdue(self, section: SectionName | None = None) -> str | None:
        try:
            feeds = self._inbox.feeds(system=self._system)
        except StoreFailed as failure:
            reason = failure.reason
        else:
            now = self._clock()
            served = [feed for feed in feeds if section is None or section in feed.sections]
            late = [feed for feed in served if feed.overdue or feed.waits(now)]
            # Of several, the one that has been silent for longest.
            late.sort(key=lambda feed: (not feed.overdue, feed.heard is not None, feed.heard or now))
            return late[0].words(now) if late else None
        raise SystemFailed(f"the inbox does not answer ({reason})", system=self._system)

    def _items(self, number: str, kind: SectionName | Literal["patient"]) -> list[Projected]:
        try:
            return self._inbox.items((self._system,), number, kind)
        except StoreFailed as failure:
            reason = failure.reason
        raise SystemFailed(f"the inbox does not answer ({reason})", system=self._system)


def _marked(one: Projected) -> Item:
    """The item, which says that it is withdrawn if it is (rule 8), whatever its sender's last status was."""
    if one.withdrawn is None:
        return one.item
    changed: dict[str, Any] = {}
    fields = type(one.item).model_fields
    if one.item.withdrawn is None and "status" in fields:
        changed["status"] = "entered-in-error"
    notes = getattr(one.item, "note", ())
    if "note" in fields and not any(note and note in one.withdrawn for note in notes):
        changed["note"] = (*notes, f"Withdrawn by its sender: {one.withdrawn}")
    return one.item.model_copy(update=changed)
