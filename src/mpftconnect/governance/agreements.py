"""The sharing agreement under which a system is read: outside it the system is not asked (rule 10)."""

from __future__ import annotations

import datetime
from typing import Literal

from mpftconnect.model import Model, SectionName

__all__ = ["Agreement"]


class Agreement(Model):
    """Who agreed to share what, for what purpose, until when.

    Args:
        name: What the parties call it, such as the number of the information sharing agreement.
        parties: Names or ODS codes.
        purposes: Purposes that it covers.
        sections: Sections that it covers; `["all"]` for every one.
        expires: Last day of its validity.

    >>> agreement = Agreement(name="ISA-7", parties=("RRE",), purposes=("direct-care",), sections=("all",),
    ...                       expires="2026-03-31")
    >>> agreement.refusal("direct-care", SectionName.NOTES, datetime.date(2026, 4, 1))
    'agreement ISA-7 expired'
    """

    name: str
    parties: tuple[str, ...]
    purposes: tuple[str, ...]
    sections: tuple[SectionName | Literal["all"], ...]
    expires: datetime.date

    def refusal(self, purpose: str, section: SectionName | None, today: datetime.date) -> str | None:
        """Why the agreement does not cover this; None if it does."""
        if today > self.expires:
            return f"agreement {self.name} expired"
        if purpose not in self.purposes:
            return f"agreement {self.name} does not cover the purpose"
        if section is not None and "all" not in self.sections and section not in self.sections:
            return f"agreement {self.name} does not cover this section"
        return None
