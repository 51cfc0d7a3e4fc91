"""What a system's feeds have pushed to us, as its adapter sees it: `AdapterContext.inbox`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from mpftconnect.model import Item, Notice, Patient, SectionName

__all__ = ["Pushed"]


class Pushed(Protocol):
    """The projections of one system's feeds. Methods are called from several threads at once.

    An adapter's `read_results` is in full:
        yield from self.inbox.read(reading.nhs_number, SectionName.RESULTS)
    """

    def patients(self, number: str) -> Sequence[Patient]:
        """The person as each of the system's records has them; empty if none of its messages was about them.

        Args:
            number: NHS number.
        Raises:
            SystemFailed: The inbox does not answer.
        """

    def read(self, number: str, section: SectionName) -> Iterator[Item | Notice]:
        """What stands of a section, withdrawn things marked as such; then, if a feed is overdue, `FeedOverdue`.

        Raised after the last item, it keeps them all and marks the section as partial.

        Raises:
            FeedOverdue: A feed that serves the section is silent for too long; the message says since when.
            SystemFailed: The inbox does not answer.
        """

    def serves(self, section: SectionName) -> bool:
        """Whether any of the system's feeds brings the section; of one that none brings, nothing can be said."""

    def overdue(self, section: SectionName | None = None) -> str | None:
        """Since when a feed that serves the section, or any, is silent for too long: `last heard 14:02`; else None."""
