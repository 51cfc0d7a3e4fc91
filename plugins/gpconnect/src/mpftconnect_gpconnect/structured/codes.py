"""What a structured record's lists and resources are called, and in which section they belong.

Sources: GP Connect 1.x, accessrecord_structured_development_lists_for_message_structure (primary and secondary lists,
warning codes), ..._list_consultation (structure of a consultation); FHIR STU3 (3.0.2), value set list-empty-reason.
"""

from __future__ import annotations

from typing import Final

from mpftconnect.model import SectionName

__all__ = [
    "AREAS",
    "BESIDE",
    "CATEGORY",
    "CONSULTATION",
    "EMPTY_REASONS",
    "MISSED_IN",
    "PRIMARY",
    "SECONDARY_LISTS",
    "SECTION_OF",
    "SUPPORTING",
    "TOPIC",
    "UNKNOWN",
    "UNREAD",
    "WARNINGS",
]

SECONDARY_LISTS: Final = "https://fhir.hl7.org.uk/STU3/CodeSystem/GPConnect-SecondaryListValues-1"

# Structure of a consultation, SNOMED CT: consultation > topic > heading > entries.
CONSULTATION: Final = "325851000000107"
TOPIC: Final = "25851000000105"
CATEGORY: Final = "24781000000107"

# Clinical areas, in our words and by section. What GP Connect calls uncategorised data are coded entries with a value
# or a comment: results, as FHIR has it. Diary entries are things that are to be done, as referrals are.
AREAS: Final[dict[str, tuple[str, tuple[SectionName, ...]]]] = {
    "allergies": ("allergies", (SectionName.ALLERGIES,)),
    "allergies-that-have-been-ended": ("ended allergies", (SectionName.ALLERGIES,)),
    "consultations": ("consultations", (SectionName.ENCOUNTERS, SectionName.NOTES)),
    "diary-entries": ("diary entries", (SectionName.REFERRALS,)),
    "documents": ("documents", (SectionName.DOCUMENTS,)),
    "immunisations": ("immunisations", (SectionName.IMMUNISATIONS,)),
    "investigations": ("investigations", (SectionName.REPORTS, SectionName.RESULTS)),
    "linked-problems": ("linked problems", (SectionName.PROBLEMS,)),
    "medications": ("medicines", (SectionName.MEDICATIONS,)),
    "outbound-referrals": ("referrals", (SectionName.REFERRALS,)),
    "problems": ("problems", (SectionName.PROBLEMS,)),
    "uncategorised-data": ("uncategorised data", (SectionName.RESULTS,)),
}

# SNOMED CT code of a primary list -> area.
PRIMARY: Final[dict[str, str]] = {
    "886921000000105": "allergies",
    "1103671000000101": "allergies-that-have-been-ended",
    "1149501000000101": "consultations",
    "714311000000108": "diary-entries",
    "1102181000000102": "immunisations",
    "887191000000108": "investigations",
    "933361000000108": "medications",
    "792931000000107": "outbound-referrals",
    "717711000000103": "problems",
    "826501000000100": "uncategorised-data",
    CONSULTATION: "consultations",
    TOPIC: "consultations",
    CATEGORY: "consultations",
}

# CareConnect-ListWarningCode-1. All three say that there is more than was sent.
WARNINGS: Final[dict[str, str]] = {
    "confidential-items": "Items are held back here, because they are confidential or the patient prefers it.",
    "data-in-transit": "The record of a previous practice has not arrived in full: older entries may be missing.",
    "data-awaiting-filing": "The practice has received items that nobody has reviewed yet; they are not among these.",
}

# FHIR STU3, value set list-empty-reason, and CareConnect-ListEmptyReasonCode-1: whether more may exist, and in words.
EMPTY_REASONS: Final[dict[str, tuple[bool, str]]] = {
    "no-content-recorded": (False, "The practice has nothing recorded here. That does not say that there is none."),
    "nilknown": (False, "The practice states that none are known."),
    "nil-known": (False, "The practice states that none are known."),
    "notasked": (True, "The practice states that nobody has asked."),
    "withheld": (True, "The practice states that this is withheld."),
    "unavailable": (True, "The practice states that this is not available."),
    "notstarted": (True, "The practice states that this list was not begun."),
    "closed": (False, "The practice states that this list is closed."),
}

SECTION_OF: Final[dict[str, SectionName]] = {
    "AllergyIntolerance": SectionName.ALLERGIES,
    "Condition": SectionName.PROBLEMS,
    "MedicationStatement": SectionName.MEDICATIONS,
    "MedicationRequest": SectionName.MEDICATIONS,
    "Immunization": SectionName.IMMUNISATIONS,
    "Encounter": SectionName.ENCOUNTERS,
    "Observation": SectionName.RESULTS,
    "DiagnosticReport": SectionName.REPORTS,
    "ProcedureRequest": SectionName.REFERRALS,
    "ReferralRequest": SectionName.REFERRALS,
    "DocumentReference": SectionName.DOCUMENTS,
    "Appointment": SectionName.APPOINTMENTS,
    "Flag": SectionName.ALERTS,
    "RelatedPerson": SectionName.CONTACTS,
    "CareTeam": SectionName.CARE_TEAM,
    "CarePlan": SectionName.CARE_PLANS,
}
# What items refer to and no section shows. Specimens are of the patient, the others are not.
SUPPORTING: Final = ("Location", "Organization", "Practitioner", "PractitionerRole", "Specimen")

# What says nothing of the patient by itself: read with the item that refers to it, or how it was sent.
BESIDE: Final = frozenset(
    (
        *("Binary", "Device", "Endpoint", "Group", "HealthcareService", "List", "Medication", "OperationOutcome"),
        *("Patient", "Person", "Provenance", "Schedule", "Slot", "Substance", *SUPPORTING),
    )
)

# What is missed where one of those cannot be told from another of the same id.
MISSED_IN: Final[dict[str, SectionName]] = {
    "Medication": SectionName.MEDICATIONS,
    "Specimen": SectionName.RESULTS,
    **dict.fromkeys(("HealthcareService", "Location", "Organization"), SectionName.ENCOUNTERS),
    **dict.fromkeys(("Practitioner", "PractitionerRole"), SectionName.ENCOUNTERS),
}

# Where a reader learns that something came of a kind that nobody here knows: where uncategorised data stand.
UNKNOWN: Final = SectionName.RESULTS
# Clinical resources that are known and not read yet -> where a reader must learn that there is something.
UNREAD: Final[dict[str, SectionName]] = {
    "ClinicalImpression": SectionName.NOTES,
    "Communication": SectionName.NOTES,
    "Composition": SectionName.DOCUMENTS,
    "Consent": SectionName.CONSENTS,
    "EpisodeOfCare": SectionName.ENCOUNTERS,
    "FamilyMemberHistory": SectionName.RESULTS,
    "Goal": SectionName.CARE_PLANS,
    "ImagingStudy": SectionName.REPORTS,
    "MedicationAdministration": SectionName.MEDICATIONS,
    "MedicationDispense": SectionName.MEDICATIONS,
    "Procedure": SectionName.RESULTS,
    "QuestionnaireResponse": SectionName.RESULTS,
    "RiskAssessment": SectionName.RESULTS,
    "Task": SectionName.REFERRALS,
}
