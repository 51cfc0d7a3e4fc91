"""`rio-adt`: what RiO's ADT feed has pushed. That there is such a feed, and its form, is *assumed*.

Demographics and admissions, from A01 to A08, A11 to A13, A28, A31 and A40.
"""

from __future__ import annotations

from mpftconnect.adapters import PushedAdapter, reads_pushed
from mpftconnect.model import SectionName

__all__ = ["RioAdtAdapter"]


class RioAdtAdapter(PushedAdapter):
    """RiO by its feed; see `PushedAdapter` for what silence becomes. The feed tells nothing beside contacts, so no
    other section is read.
    """

    read_encounters = reads_pushed(SectionName.ENCOUNTERS)
