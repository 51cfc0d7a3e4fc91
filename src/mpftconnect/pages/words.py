"""What pages call the sections of a record, and how systems took part."""

from __future__ import annotations

from mpftconnect.model import SectionName

__all__ = ["OUTCOMES", "TITLES"]

# The order of reading: what can harm first, paperwork last.
TITLES: dict[SectionName, str] = {
    SectionName.ALERTS: "Alerts and risks",
    SectionName.ALLERGIES: "Allergies and intolerances",
    SectionName.LEGAL_STATUS: "Legal status",
    SectionName.MEDICATIONS: "Medicines",
    SectionName.PROBLEMS: "Problems and diagnoses",
    SectionName.RESULTS: "Results and measurements",
    SectionName.REPORTS: "Reports of investigations",
    SectionName.NOTES: "Progress notes",
    SectionName.ENCOUNTERS: "Contacts with services",
    SectionName.APPOINTMENTS: "Appointments",
    SectionName.REFERRALS: "Referrals",
    SectionName.DOCUMENTS: "Letters and documents",
    SectionName.IMMUNISATIONS: "Vaccinations",
    SectionName.CONSENTS: "Consent and advance statements",
    SectionName.CARE_TEAM: "Care team",
    SectionName.CONTACTS: "Family, carers and other contacts",
    SectionName.CARE_PLANS: "Every care plan, as each system holds it",
}
OUTCOMES = {
    "answered": "Answered in full",
    "holds-nothing": "Answered that it holds nothing for this person",
    "partly": "Answered in part",
    "silent": "Did not answer",
    "set-apart": "Answered, but set apart: it may be about somebody else",
}
