"""What a hospital's messages are mapped to, section by section."""

from __future__ import annotations

from typing import Final

from mpftconnect.model import SectionName

__all__ = ["SECTIONS"]

SECTIONS: Final = (
    SectionName.RESULTS,
    SectionName.REPORTS,
    SectionName.DOCUMENTS,
    SectionName.ENCOUNTERS,
    SectionName.APPOINTMENTS,
    SectionName.REFERRALS,
    SectionName.IMMUNISATIONS,
    SectionName.ALLERGIES,
    SectionName.PROBLEMS,
)
