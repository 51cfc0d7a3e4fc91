"""What is missing from a record, in as few lines as it takes: one for each system and reason, what failed first.

A reader who must find "the GP's system is down" among twenty lines of what a system never offers will miss it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mpftconnect.errors import GapReason
from mpftconnect.hub.record import Gap
from mpftconnect.model import SectionName

__all__ = ["GapLine", "gap_lines"]

# What was never to be had, as opposed to what failed today.
_STANDING = frozenset({GapReason.NOT_DECLARED, GapReason.NO_AGREEMENT})


@dataclass(frozen=True, slots=True)
class GapLine:
    """Gaps of one system for one reason.

    Args:
        gap: The first of them, without a section.
        sections: The sections concerned; empty where all that was asked of the system is.
        is_standing: Nothing failed: the system does not offer this, or no agreement covers it.
    """

    gap: Gap
    sections: tuple[SectionName, ...]
    is_standing: bool

    def words(self) -> str:
        """In one sentence."""
        about = ", ".join(section.replace("_", " ") for section in self.sections)
        return f"{self.gap.words().rstrip('.')}: {about}." if about else self.gap.words()


def gap_lines(gaps: Iterable[Gap]) -> tuple[GapLine, ...]:
    """The gaps, gathered; failures before what is never offered, each in the order in which they stand.

    >>> for one in gap_lines([Gap(system="icr", section="notes", reason="not-declared"),
    ...                     Gap(system="icr", section="contacts", reason="not-declared"),
    ...                     Gap(system="gp", reason="timed-out")]):
    ...     print(one.words())
    gp did not answer in time.
    icr may hold this, but does not offer it to us, or its adapter does not read it: notes, contacts.
    """
    # A gap of all that was asked never hides behind a list of sections, so the two have lines of their own.
    gathered: dict[tuple[Gap, bool], list[SectionName]] = {}
    for gap in gaps:
        held = gathered.setdefault((gap.model_copy(update={"section": None}), gap.section is None), [])
        if gap.section is not None:
            held.append(gap.section)
    found = [GapLine(gap, tuple(sections), gap.reason in _STANDING) for (gap, _), sections in gathered.items()]
    return tuple(sorted(found, key=lambda one: one.is_standing))
