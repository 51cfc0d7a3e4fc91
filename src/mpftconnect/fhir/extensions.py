"""The extensions: what the model holds and FHIR R4 has no element for.

Published extensions (HL7 and UK Core) are used where there is one. Ours stand under one base, so that a reader
can tell them at a glance. Each constant carries a sentence that says what it holds.

The ending `.example` of the base is reserved for documentation (RFC 2606, section 2): the addresses name the
extensions and promise no page.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

__all__ = ["BASE", "CODE_SYSTEM_BASE"]

BASE: Final = "https://mpftconnect.example/fhir/StructureDefinition/"
CODE_SYSTEM_BASE: Final = "https://mpftconnect.example/fhir/CodeSystem/"

# --- provenance, on `meta` and on the resource -----------------------------------------------------------------
SOURCE: Final = BASE + "source"  # on meta: system, id, version, fetched, mode, asOf and updated of where it comes from
ALSO: Final = BASE + "also"  # on meta: a further system that says the same, in the shape of `source`
EXTRA: Final = BASE + "extra"  # path and JSON text of something the source sent and the model cannot hold
RECORDED: Final = BASE + "recorded"  # when it was written down, where the resource has no element for it

# --- elements of any type --------------------------------------------------------------------------------------
AS_SENT: Final = BASE + "date-as-sent"  # a date's original text and assumed zone, where R4 cannot say them
EMPTY: Final = BASE + "empty-element"  # the element was there and nothing in it could be read
NONE_STATED: Final = BASE + "none-stated"  # a value that could be read into a neighbour element is not stated

# --- actors, on a Reference ------------------------------------------------------------------------------------
ACTOR_NAME: Final = BASE + "actor-name"  # the person's or team's name, where `display` holds the organisation's
ACTOR_ROLE: Final = BASE + "actor-role"  # in what role the actor acted
ACTOR_ORGANIZATION: Final = BASE + "actor-organization"  # name of the actor's organisation
ACTOR_ORGANIZATION_CODE: Final = BASE + "actor-organization-code"  # ODS code of the actor's organisation
ACTOR_IDENTIFIER: Final = BASE + "actor-identifier"  # an ODS identifier that is the actor's own, as it stands
ACTOR_TELECOM: Final = BASE + "actor-telecom"  # how to reach the actor

# --- every clinical item, where its resource has no element ----------------------------------------------------
AUTHOR: Final = BASE + "author"  # who recorded or asserted it
SERVICE: Final = BASE + "service"  # the service, specialty or department it comes from
NOTE: Final = BASE + "note"  # free text beside it
ENCOUNTER: Final = BASE + "encounter"  # the contact in which it arose
BASED_ON: Final = BASE + "based-on"  # what asked for it or led to it

# --- people ----------------------------------------------------------------------------------------------------
INTERPRETER_REQUIRED: Final = BASE + "interpreter-required"  # on Patient.communication: whether one is needed
COMMUNICATION_NOTE: Final = BASE + "communication-note"  # on Patient.communication: what else helps
REASONABLE_ADJUSTMENT: Final = BASE + "reasonable-adjustment"  # an adjustment that the person needs
EMERGENCY_CONTACT: Final = BASE + "emergency-contact"  # whether to call this person in an emergency
PRACTITIONER_ROLE: Final = BASE + "practitioner-role"  # the professional's role
PRACTITIONER_ORGANIZATION: Final = BASE + "practitioner-organization"  # where the professional works
NO_ODS_CODE: Final = BASE + "no-ods-code"  # no identifier of the organisation is its ODS code

# --- clinical items --------------------------------------------------------------------------------------------
MEDICATION_INTENT: Final = BASE + "medication-intent"  # FHIR request intent, on a statement
MEDICATION_CATEGORY: Final = BASE + "medication-category"  # a second or further category of a statement
MEDICATION_STATUS_REASON: Final = BASE + "medication-status-reason"  # a second or further reason of a request's status
MEDICATION_COURSE: Final = BASE + "medication-course"  # repeat, acute and the like, on a statement
MEDICATION_EFFECTIVE: Final = BASE + "medication-effective"  # when it is taken, on a request
MEDICATION_AUTHORED: Final = BASE + "medication-authored"  # when the request was written, on a statement
MEDICATION_LAST_ISSUED: Final = BASE + "medication-last-issued"  # when it was last issued, on a request
MEDICATION_QUANTITY: Final = BASE + "medication-quantity"  # amount supplied, on a statement
MEDICATION_REPEATS_ALLOWED: Final = BASE + "medication-repeats-allowed"  # repeats allowed, on a statement
MEDICATION_REPEATS: Final = BASE + "medication-repeats"  # issued and authorisedUntil, on a statement
MEDICATION_QUANTITY_TEXT: Final = BASE + "medication-quantity-text"  # amount supplied, in words
MEDICATION_SUPPLY: Final = BASE + "medication-supply"  # how long the amount is to last, on a statement
MEDICATION_VALIDITY: Final = BASE + "medication-validity"  # from when until when it is authorised, on a statement
MEDICATION_STATUS_CHANGED: Final = BASE + "medication-status-changed"  # when it was stopped or held
MEDICATION_DOSAGE_CHANGED: Final = BASE + "medication-dosage-changed"  # when the dosage was last changed
MEDICATION_AGENCY: Final = BASE + "medication-agency"  # where it was prescribed or bought
PROBLEM_CONTENT: Final = BASE + "problem-content"  # an entry of the record that has to do with the problem
REQUEST_DESCRIPTION: Final = BASE + "request-description"  # a request in words, beside its codes
NOTE_HEADING: Final = BASE + "note-heading"  # on a note: title, topic, problems and items of one heading
PARTICIPANT_STATUS: Final = BASE + "participant-status"  # whether the participant said yes
PARTICIPANT_KIND: Final = BASE + "participant-kind"  # on Appointment.participant: subject, participant or location
CONSENT_DECISION: Final = BASE + "consent-decision"  # a decision in other words than permit and deny
CONSENT_ATTACHMENT: Final = BASE + "consent-attachment"  # a second or further document of a consent
NOT_A_NOTE: Final = BASE + "not-a-note"  # this looks like a progress note and is a document

# --- legal status, on Basic ------------------------------------------------------------------------------------
LEGAL_STATUS: Final = BASE + "legal-status"  # the legal status itself: a section, an authorisation, an attorney
LEGAL_STATUS_STATUS: Final = BASE + "legal-status-status"  # whether it is in force, as the source words it
LEGAL_STATUS_PERIOD: Final = BASE + "legal-status-period"  # from when until when it holds
LEGAL_STATUS_REVIEW: Final = BASE + "legal-status-review"  # by when it is to be reviewed
LEGAL_STATUS_AUTHORITY: Final = BASE + "legal-status-authority"  # who authorised it
LEGAL_STATUS_CONDITIONS: Final = BASE + "legal-status-conditions"  # conditions attached to it

# --- care plans ------------------------------------------------------------------------------------------------
REVIEW: Final = BASE + "review"  # when the plan is to be reviewed next
COORDINATOR: Final = BASE + "coordinator"  # who coordinates the plan
AGREEMENT: Final = BASE + "agreement"  # whether the person agreed: agreed, by, date, note
LINE_ID: Final = BASE + "line-id"  # the source's own id of a line, where it cannot be an id in FHIR
LINE_HEADING: Final = BASE + "line-heading"  # under which heading of its section the line stands
LINE_WORDS: Final = BASE + "line-words"  # the line's or heading's words, where the code's own words differ
LINE_CODE: Final = BASE + "line-code"  # a code without codings, which would be read as the line's words
LINE_AUTHOR: Final = BASE + "line-author"  # who wrote the line
NEED_PRIORITY: Final = BASE + "need-priority"  # priority of a need, as recorded
GOAL_IMPORTANCE: Final = BASE + "goal-importance"  # how much the goal matters to the person, as recorded
GOAL_CONFIDENCE: Final = BASE + "goal-confidence"  # how confident the person is, as recorded
ACTION_REFERENCE: Final = BASE + "action-reference"  # what carries the action, where its detail is held as well
PLAN_LOCATION: Final = BASE + "plan-location"  # where another plan is kept

# --- our code systems and naming systems -----------------------------------------------------------------------
BASIC_KIND: Final = CODE_SYSTEM_BASE + "basic-kind"  # legal-status
LINE_KIND: Final = CODE_SYSTEM_BASE + "plan-line-kind"  # about-me, strength, formulation, trigger, early-sign, other
PLAN_KIND: Final = CODE_SYSTEM_BASE + "plan-kind"  # contingency, crisis, additional
LINE_ID_SYSTEM: Final = "https://mpftconnect.example/fhir/Id/plan-line"  # ids of needs and goals, in a Reference

# --- published by others ---------------------------------------------------------------------------------------
_UK_CORE = "https://fhir.hl7.org.uk/StructureDefinition/"
_HL7 = "http://hl7.org/fhir/StructureDefinition/"

# FHIR R4 4.0.1, extension data-absent-reason: a required value that is not there, and why.
DATA_ABSENT: Final = _HL7 + "data-absent-reason"
# FHIR R4 4.0.1, extension patient-birthPlace.
BIRTH_PLACE: Final = _HL7 + "patient-birthPlace"
# FHIR R4 4.0.1, extension patient-interpreterRequired.
PATIENT_INTERPRETER_REQUIRED: Final = _HL7 + "patient-interpreterRequired"
# FHIR R5 DiagnosticReport.note, used in R4 as UK Core does (Extension-UKCore-DiagnosticReportNote).
DIAGNOSTIC_REPORT_NOTE: Final = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport.note"
# UK Core STU3 sequence and the PDS FHIR API (specification/components/schemas/extensions).
NHS_NUMBER_VERIFICATION_STATUS: Final = _UK_CORE + "Extension-UKCore-NHSNumberVerificationStatus"
ETHNIC_CATEGORY: Final = _UK_CORE + "Extension-UKCore-EthnicCategory"
DEATH_NOTIFICATION_STATUS: Final = _UK_CORE + "Extension-UKCore-DeathNotificationStatus"
NHS_COMMUNICATION: Final = _UK_CORE + "Extension-UKCore-NHSCommunication"
NOMINATED_PHARMACY: Final = _UK_CORE + "Extension-UKCore-NominatedPharmacy"
CONTACT_PREFERENCE: Final = _UK_CORE + "Extension-UKCore-ContactPreference"
MEDICATION_LAST_ISSUE_DATE: Final = _UK_CORE + "Extension-UKCore-MedicationStatementLastIssueDate"
MEDICATION_REPEAT_INFORMATION: Final = _UK_CORE + "Extension-UKCore-MedicationRepeatInformation"
ALLERGY_INTOLERANCE_END: Final = _UK_CORE + "Extension-UKCore-AllergyIntoleranceEnd"  # on clinicalStatus
CONDITION_EPISODE: Final = _UK_CORE + "Extension-UKCore-ConditionEpisode"
# Retired in the newest builds of UK Core, and what GP systems' problems still need.
PROBLEM_SIGNIFICANCE: Final = _UK_CORE + "Extension-UKCore-ProblemSignificance"
ACTUAL_PROBLEM: Final = _UK_CORE + "Extension-UKCore-ActualProblem"
RELATED_PROBLEM_HEADER: Final = _UK_CORE + "Extension-UKCore-RelatedProblemHeader"
VACCINATION_PROCEDURE: Final = _UK_CORE + "Extension-UKCore-VaccinationProcedure"
PARENT_PRESENT: Final = _UK_CORE + "Extension-UKCore-ParentPresent"

DATA_ABSENT_ELEMENT: Final[dict[str, Any]] = {"extension": [{"url": DATA_ABSENT, "valueCode": "unknown"}]}
EMPTY_ELEMENT: Final[dict[str, Any]] = {"extension": [{"url": EMPTY, "valueBoolean": True}]}


def data_absent() -> dict[str, Any]:
    """`DATA_ABSENT_ELEMENT`, made anew: what is written belongs to whoever asked for it and may be changed by them."""
    return deepcopy(DATA_ABSENT_ELEMENT)
