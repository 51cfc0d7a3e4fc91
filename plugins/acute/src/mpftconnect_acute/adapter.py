"""Reads what a hospital's feeds have pushed, from the inbox."""

from __future__ import annotations

from mpftconnect.adapters import AdapterContext, PushedAdapter, reads_pushed
from mpftconnect.model import SectionName
from mpftconnect_acute.settings import AcuteSettings

__all__ = ["AcuteAdapter"]


class AcuteAdapter(PushedAdapter):
    """One hospital, by its feeds. Things that their sender took back stand as withdrawn, with the reason.

    Nothing here tells a sender that a result was seen: viewing is not acknowledging.
    """

    def __init__(self, context: AdapterContext) -> None:
        settings = context.settings
        super().__init__(context, site=settings.site if isinstance(settings, AcuteSettings) else "")

    read_results = reads_pushed(SectionName.RESULTS)
    read_reports = reads_pushed(SectionName.REPORTS)
    read_documents = reads_pushed(SectionName.DOCUMENTS)
    read_encounters = reads_pushed(SectionName.ENCOUNTERS)
    read_appointments = reads_pushed(SectionName.APPOINTMENTS)
    read_referrals = reads_pushed(SectionName.REFERRALS)
    read_immunisations = reads_pushed(SectionName.IMMUNISATIONS)
    read_allergies = reads_pushed(SectionName.ALLERGIES)
    read_problems = reads_pushed(SectionName.PROBLEMS)
