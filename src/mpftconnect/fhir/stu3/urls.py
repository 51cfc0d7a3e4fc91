"""The published STU3 extensions that are read, by what they hold.

Sources: Care Connect profiles (package careconnect.stu3) and GP Connect 1.x profiles (package nhs.stu3.gpconnect),
StructureDefinition of each. GP Connect took most of Care Connect's extensions over under an address of its own; both
are read, the first of each pair is written.
"""

from __future__ import annotations

from typing import Final

__all__ = ["GPC", "both"]

GPC: Final = "https://fhir.nhs.uk/STU3/StructureDefinition/"
_CARE_CONNECT: Final = "https://fhir.hl7.org.uk/STU3/StructureDefinition/"
_HL7: Final = "http://hl7.org/fhir/StructureDefinition/"


def both(name: str) -> tuple[str, str]:
    """The addresses of an extension that GP Connect took over from Care Connect.

    >>> both("PrescribingAgency")[1]
    'https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-PrescribingAgency-1'
    """
    return f"{GPC}Extension-CareConnect-GPC-{name}-1", f"{_CARE_CONNECT}Extension-CareConnect-{name}-1"


# --- people
NHS_NUMBER_VERIFICATION_STATUS: Final = both("NHSNumberVerificationStatus")
ETHNIC_CATEGORY: Final = both("EthnicCategory")
DEATH_NOTIFICATION_STATUS: Final = both("DeathNotificationStatus")
NHS_COMMUNICATION: Final = both("NHSCommunication")
NOMINATED_PHARMACY: Final = both("NominatedPharmacy")
BIRTH_PLACE: Final = (_HL7 + "birthPlace", _HL7 + "patient-birthPlace")

# --- problems and allergies. The problem header's extensions are Care Connect's; systems send GP Connect's address too.
PROBLEM_SIGNIFICANCE: Final = both("ProblemSignificance")[::-1]
CONDITION_EPISODE: Final = both("ConditionEpisode")[::-1]
ACTUAL_PROBLEM: Final = both("ActualProblem")[::-1]
RELATED_PROBLEM_HEADER: Final = both("RelatedProblemHeader")[::-1]
RELATED_CLINICAL_CONTENT: Final = both("RelatedClinicalContent")[::-1]
ALLERGY_INTOLERANCE_END: Final = both("AllergyIntoleranceEnd")
# FHIR STU3, extension encounter-associatedEncounter: for resources without an element for the contact.
ASSOCIATED_ENCOUNTER: Final = (_HL7 + "encounter-associatedEncounter",)

# --- medicines
PRESCRIPTION_TYPE: Final = both("PrescriptionType")
MEDICATION_STATUS_REASON: Final = both("MedicationStatusReason")
MEDICATION_REPEAT_INFORMATION: Final = both("MedicationRepeatInformation")
MEDICATION_QUANTITY_TEXT: Final = both("MedicationQuantityText")
LAST_ISSUE_DATE: Final = both("MedicationStatementLastIssueDate")
PRESCRIBING_AGENCY: Final = both("PrescribingAgency")
# In use under three addresses; GP Connect's page on MedicationStatement names the extension `dosageLastChanged`.
DOSAGE_LAST_CHANGED: Final = (
    _CARE_CONNECT + "Extension-CareConnect-MedicationStatementDosageLastChanged-1",
    _CARE_CONNECT + "Extension-CareConnect-MedicationDosageLastChanged-1",
    _CARE_CONNECT + "Extension-CareConnect-GPC-DosageLastChanged-1",
)

# --- immunisations
VACCINATION_PROCEDURE: Final = both("VaccinationProcedure")[::-1]
PARENT_PRESENT: Final = both("ParentPresent")[::-1]
DATE_RECORDED: Final = both("DateRecorded")[::-1]

# --- contacts
# FHIR R4's Encounter.serviceType, sent in STU3 as FHIR says elements of later versions are.
SERVICE_TYPE: Final = ("http://hl7.org/fhir/4.0/StructureDefinition/extension-Encounter.serviceType",)
CANCELLATION_REASON: Final = (GPC + "Extension-GPConnect-AppointmentCancellationReason-1",)
