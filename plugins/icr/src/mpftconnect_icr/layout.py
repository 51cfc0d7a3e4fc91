"""What is asked of the CareCentric APIs, and what their answers are taken to look like.

Published (Graphnet developer portal, api.graphnethealth.com, "CareCentric APIs (CCAPI)" and the pages of single
operations, read in November 2026; repository Graphnet-Health/fhir-api-specs, `docs/cc_apis.md`):

- the patient is located first, by the operation "Find Patient" of the Demographics bundle, whose criteria stand in the
  request's *body*: `NhsNumber`, `Surname`, `DateOfBirth`, `PatientNumber`, `AllTenancies`, `RetrieveMinorNumbers`,
  `PageNumber`, `PageSize` and others (`PatientSearch_Search`);
- other operations take a patient detail id, not an NHS number; linked records are one person's, and any detail id of
  the group should give what there is for all of them;
- the names of members marked `published` below, and `TotalItemCount`.

Assumed, since no page that says it could be read: every path, the answer of Find Patient, the bundles of Acute, ADT,
Alerts and documents, what a pathology result holds beyond the names on its page, and the names of paging parameters
other than Find Patient's. Paths, collections and members can each be configured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mpftconnect.model import SectionName

__all__ = ["FIND", "FIND_PATH", "OPERATIONS", "PART", "PATIENT", "WORDS", "Operation", "of_section"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation by patient detail id.

    Args:
        section: What its rows are.
        path: Below the endpoint; `{detail_id}` stands for the patient detail id.
        collection: The member of the answer that holds the rows.
        members: Where in a row each field stands, as a path of member names.
        published: Whether the names of its members are; its path never is.
        paged: Whether it takes `PageNumber` and `PageSize`.
    """

    section: SectionName
    path: str
    collection: str
    members: Mapping[str, str]
    published: bool = False
    paged: bool = True


# Where one investigation stands once it is taken out of its result, to be a row of its own.
PART = "Investigation"

FIND = "find_patient"
FIND_PATH = "demographics/patients/search"

# Of Find Patient's answer. The criteria of the request are published, and what comes back is taken to be named alike.
PATIENT: Mapping[str, str] = {
    "detail_id": "PatientDetailId",
    "patient_number": "PatientNumber",
    "nhs_number": "NhsNumber",
    "nhs_number_status": "NhsNumberStatus",
    "title": "Title",
    "forename": "Forename",
    "middle_names": "MiddleNames",
    "surname": "Surname",
    "known_as": "KnownAs",
    "previous_surname": "PreviousSurname",
    "birth_date": "DateOfBirth",
    "death_date": "DateOfDeath",
    "gender": "Gender",
    "address_line_1": "Address.Line1",
    "address_line_2": "Address.Line2",
    "address_line_3": "Address.Line3",
    "town": "Address.Town",
    "district": "Address.County",
    "postcode": "PostCode",
    "home_phone": "HomeTelephone",
    "mobile_phone": "MobileTelephone",
    "email": "Email",
    "gp_code": "GPCode",
    "gp_name": "GPName",
    "practice_code": "GPPracticeCode",
    "practice_name": "GPPracticeName",
    "organisation": "TenancyDescription",
    "linked": "LinkedPatients",
}

# What every assumed row is taken to say of itself: its id, whose record it is of, and which organisation sent it.
_OF = {"id": "Id", "detail_id": "PatientDetailId", "organisation": "TenancyDescription"}
_SITE = {"site": "Site.Description", "site_code": "Site.Code", "organisation_code": "OrganisationCode"}
_SPECIALTY = {"service": "Specialty.Description", "service_code": "Specialty.Code"}
# GP bundle, published: `GpRepeatMedicationsList`, operation
# GpRepeatMedications_GetGpRepeatMedicationsResultsByPatientDetailId.
_GP_MEDICINE = {
    "recorded": "Date",
    "code": "ReadCode",
    "text": "Rubric",
    "quantity": "Quantity",
    "units": "Units",
    "dosage": "Dosage",
    "last_issued": "LastIssuedDate",
    "organisation": "TenancyDescription",
}
# GP bundle, published: `AdditionalProblemsCollection`, operation
# GpAdditionalProblems_GetGpIssuedMedicationsByPatientDetailId.
_GP_PROBLEM = {
    "recorded": "Date",
    "text": "Rubric",
    "code": "ReadCode",
    "note": "Notes",
    "further_note": "Notes1",
    "organisation": "TenancyDescription",
}

OPERATIONS: Mapping[str, Operation] = {
    "gp_repeat_medications": Operation(
        SectionName.MEDICATIONS,
        "gp/repeatmedications/{detail_id}",
        "GpRepeatMedicationsList",
        _GP_MEDICINE,
        published=True,
    ),
    "gp_issued_medications": Operation(
        SectionName.MEDICATIONS,
        "gp/issuedmedications/{detail_id}",
        "GpIssuedMedicationsList",
        _GP_MEDICINE | {"status": "Status", "detail_id": "PatientDetailId"},
    ),
    "gp_additional_problems": Operation(
        SectionName.PROBLEMS,
        "gp/additionalproblems/{detail_id}",
        "AdditionalProblemsCollection",
        _GP_PROBLEM,
        published=True,
    ),
    "gp_problems": Operation(
        SectionName.PROBLEMS,
        "gp/problems/{detail_id}",
        "ProblemsCollection",
        _GP_PROBLEM | {"snomed": "SnomedCode", "status": "Status", "detail_id": "PatientDetailId"},
    ),
    "gp_allergies": Operation(
        SectionName.ALLERGIES,
        "gp/allergies/{detail_id}",
        "AllergiesCollection",
        {
            **_OF,
            "recorded": "Date",
            "text": "Rubric",
            "code": "ReadCode",
            "snomed": "SnomedCode",
            "reaction": "Reaction",
            "severity": "Severity",
            "note": "Notes",
        },
    ),
    "gp_immunisations": Operation(
        SectionName.IMMUNISATIONS,
        "gp/immunisations/{detail_id}",
        "ImmunisationsCollection",
        {
            **_OF,
            "given": "Date",
            "text": "Rubric",
            "code": "ReadCode",
            "snomed": "SnomedCode",
            "batch": "Batch",
            "status": "Status",
        },
    ),
    # Pathology bundle, published: `PathologyResults`, operation Pathology_GetResults, down to `Specimen`. Its page
    # shows a list of the culture investigations with `Type`, `AuthorisedDateTime` and `InvestigationComments`; that
    # other investigations stand in a list beside it, and what else one says, is assumed.
    "pathology_results": Operation(
        SectionName.RESULTS,
        "pathology/results/{detail_id}",
        "PathologyResults",
        {
            "type_code": "ResultTypeIdentifier.Code",
            "type_text": "ResultTypeIdentifier.Description",
            "nhs_number": "PatientIdentifier.NhsNumber",
            "birth_date": "PatientIdentifier.DateOfBirth",
            "performer": "Provider.Department.CodeDescription",
            "performer_code": "Provider.Department.Code",
            "issued": "Report.DateTime",
            "status": "Report.Status",
            "note": "Report.ReportComments",
            "collected": "Specimen.Collected",
            "detail_id": "PatientDetailId",
            "investigations": "Specimen.InvestigationDetailsList",
            "id": f"{PART}.Id",
            "text": f"{PART}.Type.Description",
            "code": f"{PART}.Type.Code",
            "authorised": f"{PART}.AuthorisedDateTime",
            "part_note": f"{PART}.InvestigationComments",
            "value": f"{PART}.Value",
            "units": f"{PART}.Units.Description",
            "unit_code": f"{PART}.Units.Code",
            "unit_system": f"{PART}.Units.CodingSystem",
            "range": f"{PART}.ReferenceRange",
            "flag": f"{PART}.AbnormalFlag",
            "part_status": f"{PART}.Status",
            "reason": f"{PART}.StatusReason",
        },
        published=True,
        paged=False,
    ),
    "radiology_reports": Operation(
        SectionName.REPORTS,
        "acute/radiology/{detail_id}",
        "RadiologyReports",
        {
            **_OF,
            "text": "Examination.Description",
            "code": "Examination.Code",
            "performed": "Performed",
            "issued": "Report.DateTime",
            "status": "Report.Status",
            "conclusion": "Report.Text",
            "performer": "Provider.Department.CodeDescription",
            "performer_code": "Provider.Department.Code",
        },
    ),
    # The members of `DocumentInformation` are published for orders (Pathology bundle,
    # OrderRequest_GetSingleOrdersAndRequestsResultByPatientDetailId); that documents are listed so is assumed.
    "documents": Operation(
        SectionName.DOCUMENTS,
        "acute/documents/{detail_id}",
        "Documents",
        {
            "id": "DocumentInformation.DocumentId",
            "detail_id": "PatientDetailId",
            "date": "DocumentInformation.DocumentDate",
            "recorded": "DocumentInformation.CreationDate",
            "organisation_code": "DocumentInformation.OrganisationCode",
            "organisation": "DocumentInformation.TenancyDescription",
            "text": "Type.Description",
            "code": "Type.Code",
            "title": "Title",
            "author": "Author.Name",
            "author_role": "Author.Role",
            "status": "Status",
            "content_type": "ContentType",
            "content": "Content",
            **_SPECIALTY,
        },
    ),
    "adt_episodes": Operation(
        SectionName.ENCOUNTERS,
        "adt/episodes/{detail_id}",
        "Episodes",
        {
            **_OF,
            "class": "Class",
            "text": "Type",
            "status": "Status",
            "start": "AdmissionDate",
            "end": "DischargeDate",
            "clinician": "Consultant",
            "reason": "Reason",
            "ward": "Ward",
            **_SITE,
            **_SPECIALTY,
        },
    ),
    "adt_appointments": Operation(
        SectionName.APPOINTMENTS,
        "adt/appointments/{detail_id}",
        "Appointments",
        {
            **_OF,
            "text": "Type",
            "status": "Status",
            "start": "DateTime",
            "end": "EndDateTime",
            "clinician": "Clinician",
            "reason": "Reason",
            "description": "Description",
            "instruction": "Instructions",
            **_SITE,
            **_SPECIALTY,
        },
    ),
    "alerts": Operation(
        SectionName.ALERTS,
        "alerts/{detail_id}",
        "Alerts",
        {
            **_OF,
            "text": "Description",
            "code": "Code",
            "snomed": "SnomedCode",
            "category": "Category",
            "status": "Status",
            "start": "StartDate",
            "end": "EndDate",
            "note": "Notes",
            "author": "Author",
            "organisation_code": "OrganisationCode",
        },
    ),
}

# What the words of coded fields mean, in small letters; assumed. Any other word is kept as it came.
WORDS: Mapping[str, Mapping[str, str]] = {
    "gender": {"f": "female", "m": "male", "female": "female", "male": "male"},
    # HL7 v2.5.1, table 0123 (result status): F final, C corrected, P preliminary, X no results available.
    "result_status": {
        "f": "final",
        "final": "final",
        "c": "corrected",
        "corrected": "corrected",
        "p": "preliminary",
        "preliminary": "preliminary",
        "x": "cancelled",
        "cancelled": "cancelled",
        "w": "entered-in-error",
        "withdrawn": "entered-in-error",
        "entered in error": "entered-in-error",
    },
    "encounter_status": {"discharged": "finished", "finished": "finished", "admitted": "in-progress"},
    "appointment_status": {
        "booked": "booked",
        "attended": "fulfilled",
        "cancelled": "cancelled",
        "did not attend": "noshow",
        "entered in error": "entered-in-error",
    },
    "alert_status": {"active": "active", "inactive": "inactive", "entered in error": "entered-in-error"},
    "document_status": {"final": "current", "superseded": "superseded", "entered in error": "entered-in-error"},
    "immunisation_status": {"given": "completed", "not given": "not-done", "entered in error": "entered-in-error"},
    "medication_status": {"active": "active", "stopped": "stopped", "completed": "completed"},
    "problem_status": {"active": "active", "inactive": "inactive", "resolved": "resolved"},
}


def of_section(section: SectionName) -> tuple[str, ...]:
    """The operations that feed a section."""
    return tuple(name for name, operation in OPERATIONS.items() if operation.section is section)
