"""The sharing agreement under which a system is read: outside it the system is not asked (rule 10)."""

from __future__ import annotations

import datetime
from typing import Literal

from mpftconnect.model import Model, SectionName

__all__ = ["WARN_DAYS", "Agreement"]

# Long enough to renew an agreement between organisations.
WARN_DAYS = 90


class Agreement(Model):
    """Who agreed to share what, for what purpose, until when.

    Args:
        name: What the parties call it, such as the number of the information sharing agreement.
        parties: ODS codes, or names for those who have none. A user's organisation must be one of them.
        purposes: Purposes that it covers.
        sections: Sections that it covers; `["all"]` for every one.
        expires: Last day of its validity.

    >>> agreement = Agreement(name="ISA-7", parties=("RRE",), purposes=("direct-care",), sections=("all",),
    ...                       expires="2026-03-31")
    >>> agreement.refusal("direct-care", SectionName.NOTES, datetime.date(2026, 4, 1), organisation="RRE")
    'agreement ISA-7 expired'
    """

    name: str
    parties: tuple[str, ...]
    purposes: tuple[str, ...]
    sections: tuple[SectionName | Literal["all"], ...]
    expires: datetime.date

    def refusal(
        self, purpose: str, section: SectionName | None, today: datetime.date, *, organisation: str
    ) -> str | None:
        """Why the agreement does not cover this; None if it does.

        Args:
            section: None where nothing of a record is asked for, as when somebody is traced.
            organisation: ODS code of the organisation that the user acts for.
        """
        if today > self.expires:
            return f"agreement {self.name} expired"
        if _plain(organisation) not in {_plain(party) for party in self.parties}:
            return f"agreement {self.name} does not name the user's organisation"
        if purpose not in self.purposes:
            return f"agreement {self.name} does not cover the purpose"
        if section is not None and "all" not in self.sections and section not in self.sections:
            return f"agreement {self.name} does not cover this section"
        return None

    def days_left(self, today: datetime.date) -> int:
        """Days until its last day; 0 on it, negative after it."""
        return (self.expires - today).days

    def standing(self, today: datetime.date, within: int = WARN_DAYS) -> Literal["in-force", "expiring", "expired"]:
        """Whether it has expired, or will within so many days."""
        left = self.days_left(today)
        return "expired" if left < 0 else "expiring" if left <= within else "in-force"


def _plain(party: str) -> str:
    return " ".join(party.casefold().split())
