"""STU3 resources as a GP system sends them: what each element becomes, and that no modifier is passed over."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from leaves import lost
from strategies import SOURCE

from mpftconnect.errors import NotADate
from mpftconnect.fhir import NotMapped, read_resource, write_resource
from mpftconnect.fhir.stu3 import read_stu3_resource, write_stu3_resource
from mpftconnect.model import (
    AllergyIntolerance,
    Appointment,
    CarePlan,
    CareTeam,
    Condition,
    DiagnosticReport,
    DocumentReference,
    Encounter,
    Flag,
    Immunization,
    Location,
    MedicationStatement,
    Observation,
    Patient,
    Practitioner,
    Reference,
    RelatedPerson,
    ServiceRequest,
    Specimen,
    When,
)

GPC = "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-"
CARE_CONNECT = "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-"
R4 = "http://terminology.hl7.org/CodeSystem/"
PATIENT = {"reference": "Patient/1"}


def read(resource: dict[str, Any], **bundle: dict[str, Any]) -> Any:
    """The item; everything sent is in it or in what it kept, in STU3 and in R4."""
    known = {part.replace("_", "/"): content for part, content in bundle.items()}
    source = SOURCE.model_copy(update={"id": f"{resource['resourceType']}/1"})
    item = read_stu3_resource(resource, source=source, contained_or_bundle=known.get)
    assert not lost(resource, item, write_stu3_resource)
    assert read_resource(write_resource(item)) == item
    return item


def extension(url: str, **value: Any) -> dict[str, Any]:
    return {"url": url, **value}


def parts(url: str, **values: Any) -> dict[str, Any]:
    return {"url": url, "extension": [{"url": name, **value} for name, value in values.items()]}


# --- problems ---------------------------------------------------------------------------------------------------


def problem(**members: Any) -> Condition:
    item = read({"resourceType": "Condition", "subject": PATIENT, "code": {"text": "Asthma"}, **members})
    assert isinstance(item, Condition)
    return item


def test_a_problem_has_its_dates_and_its_recorder() -> None:
    item = problem(
        onsetDateTime="2009-03",
        abatementDateTime="2011-01-05",
        assertedDate="2009-04-01T10:00:00+01:00",
        asserter={"reference": "Practitioner/1", "display": "Dr Ann Other"},
        context={"reference": "Encounter/4"},
        note=[{"text": "Worse in spring."}],
    )
    assert item.onset == When("2009-03")
    assert item.abatement == When("2011-01-05")
    assert item.recorded == When("2009-04-01T10:00:00+01:00")
    assert item.author is not None
    assert item.author.name == "Dr Ann Other"
    assert item.encounter == Reference(reference="Encounter/4")
    assert item.note == ("Worse in spring.",)


@pytest.mark.parametrize("code", ["active", "recurrence", "inactive", "remission", "resolved"])
def test_a_status_that_r4_has_too_reads_as_r4_writes_it(code: str) -> None:
    status = problem(clinicalStatus=code).clinical_status
    assert status is not None
    assert status.has(R4 + "condition-clinical", code)


def test_a_status_that_r4_does_not_have_stays_the_word_it_was() -> None:
    item = problem(clinicalStatus="smouldering", verificationStatus="unknown")
    assert item.clinical_status is not None
    assert item.verification_status is not None
    assert (item.clinical_status.text, item.clinical_status.coding) == ("smouldering", ())
    assert (item.verification_status.text, item.verification_status.coding) == ("unknown", ())


@pytest.mark.parametrize("base", [GPC, CARE_CONNECT])
def test_a_problem_header_keeps_its_links(base: str) -> None:
    item = problem(
        extension=[
            extension(base + "ProblemSignificance-1", valueCode="major"),
            extension(base + "ConditionEpisode-1", valueCode="first"),
            extension(base + "ActualProblem-1", valueReference={"reference": "Observation/3"}),
            extension(base + "RelatedClinicalContent-1", valueReference={"reference": "Encounter/4"}),
            extension(base + "RelatedClinicalContent-1", valueReference={"display": "not supported"}),
            parts(
                base + "RelatedProblemHeader-1",
                type={"valueCode": "parent"},
                target={"valueReference": {"reference": "Condition/2"}},
            ),
        ]
    )
    assert item.significance == "major"
    assert item.episode is not None
    assert item.episode.words() == "code first"
    assert item.actual == Reference(reference="Observation/3")
    assert item.content == (Reference(reference="Encounter/4"), Reference(display="not supported"))
    assert [(link.type, link.problem.reference) for link in item.related] == [("parent", "Condition/2")]


def test_the_second_address_of_an_extension_is_kept_with_what_it_said() -> None:
    item = problem(extension=[extension(GPC + "ActualProblem-1", valueReference={"reference": "Observation/3"})])
    assert [(extra.path, extra.value) for extra in item.extra] == [("extension[0].url", GPC + "ActualProblem-1")]


def test_of_two_extensions_that_say_the_same_the_second_is_kept_whole() -> None:
    item = problem(
        extension=[
            extension(CARE_CONNECT + "ProblemSignificance-1", valueCode="major"),
            extension(GPC + "ProblemSignificance-1", valueCode="minor"),
        ]
    )
    assert item.significance == "major"
    assert [extra.path for extra in item.extra] == ["extension[1]"]


# --- allergies --------------------------------------------------------------------------------------------------


def allergy(**members: Any) -> AllergyIntolerance:
    item = read({"resourceType": "AllergyIntolerance", "patient": PATIENT, "code": {"text": "Penicillin"}, **members})
    assert isinstance(item, AllergyIntolerance)
    return item


def test_an_ended_allergy_says_when_and_why() -> None:
    item = allergy(
        clinicalStatus="resolved",
        verificationStatus="unconfirmed",
        assertedDate="2007-05-01",
        extension=[
            parts(
                GPC + "AllergyIntoleranceEnd-1",
                endDate={"valueDateTime": "2018-03-01"},
                reasonEnded={"valueString": "Tolerated since"},
            ),
            extension(
                "http://hl7.org/fhir/StructureDefinition/encounter-associatedEncounter",
                valueReference={"reference": "Encounter/4"},
            ),
        ],
    )
    assert (item.ended, item.reason_ended) == (When("2018-03-01"), "Tolerated since")
    assert item.clinical_status is not None
    assert item.clinical_status.has(R4 + "allergyintolerance-clinical", "resolved")
    assert item.recorded == When("2007-05-01")
    assert item.encounter == Reference(reference="Encounter/4")
    assert item.subject == Reference(reference="Patient/1")
    assert not item.extra


def test_an_end_without_a_date_or_a_reason_is_kept_as_it_came() -> None:
    sent = parts(GPC + "AllergyIntoleranceEnd-1", other={"valueString": "x"})
    item = allergy(extension=[sent])
    assert (item.ended, item.reason_ended) == (None, None)
    assert [extra.value for extra in item.extra] == [sent]


def test_two_ends_are_not_made_one() -> None:
    first = parts(GPC + "AllergyIntoleranceEnd-1", endDate={"valueDateTime": "2018-03-01"})
    second = parts(GPC + "AllergyIntoleranceEnd-1", reasonEnded={"valueString": "Tolerated since"})
    item = allergy(extension=[first, second])
    assert (item.ended, item.reason_ended) == (When("2018-03-01"), None)
    assert [extra.value for extra in item.extra] == [second]


def test_no_known_allergies_is_an_assertion() -> None:
    code = {"coding": [{"system": "http://snomed.info/sct", "code": "716186003", "display": "No known allergy"}]}
    assert allergy(code=code).asserts_none


# --- medicines --------------------------------------------------------------------------------------------------

MEDICATION = {"resourceType": "Medication", "id": "7", "code": {"text": "Amoxicillin 500mg capsules"}}


def test_a_statement_says_what_is_taken_and_since_when() -> None:
    item = read(
        {
            "resourceType": "MedicationStatement",
            "status": "active",
            "taken": "unk",
            "subject": PATIENT,
            "basedOn": [{"reference": "MedicationRequest/2"}],
            "medicationReference": {"reference": "Medication/7"},
            "effectivePeriod": {"start": "2018-07-12"},
            "dateAsserted": "2018-07-12",
            "dosage": [{"text": "One three times a day", "doseQuantity": {"value": Decimal("1.0"), "unit": "capsule"}}],
            "extension": [
                extension(GPC + "MedicationStatementLastIssueDate-1", valueDateTime="2018-08-01"),
                extension(GPC + "PrescribingAgency-1", valueCodeableConcept={"text": "at the practice"}),
                extension(CARE_CONNECT + "MedicationStatementDosageLastChanged-1", valueDateTime="2018-08-17"),
            ],
        },
        Medication_7=MEDICATION,
    )
    assert isinstance(item, MedicationStatement)
    assert item.kind == "statement"
    assert item.words() == "Amoxicillin 500mg capsules: One three times a day"
    assert (item.status, item.last_issued, item.dosage_changed) == ("active", When("2018-08-01"), When("2018-08-17"))
    assert item.agency is not None
    assert item.agency.text == "at the practice"
    assert item.based_on == (Reference(reference="MedicationRequest/2"),)
    assert item.dosage[0].dose is not None
    assert item.dosage[0].dose.words() == "1.0 capsule"
    assert [extra.path for extra in item.extra] == ["medicationReference"]


@pytest.mark.parametrize(
    ("status", "taken", "read_as"),
    [("active", "n", "not-taken"), ("active", "unk", "active"), ("active", "y", "active"), (None, "n", "not-taken")],
)
def test_a_medicine_that_is_not_taken_never_reads_as_one_that_is(status: str | None, taken: str, read_as: str) -> None:
    said = {"status": status} if status else {}
    item = read({"resourceType": "MedicationStatement", "taken": taken, "subject": PATIENT, **said})
    assert item.status == read_as
    assert write_resource(item)["status"] == read_as


def request(**members: Any) -> MedicationStatement:
    item = read(
        {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "plan",
            "subject": PATIENT,
            "medicationCodeableConcept": {"text": "Doxazosin 4mg tablets"},
            **members,
        }
    )
    assert isinstance(item, MedicationStatement)
    return item


def test_a_request_says_course_amount_and_repeats() -> None:
    item = request(
        authoredOn="2020-02-06",
        dispenseRequest={
            "validityPeriod": {"start": "2020-02-06", "end": "2020-08-06"},
            "quantity": {
                "value": 28,
                "extension": [extension(GPC + "MedicationQuantityText-1", valueString="28 tablets")],
            },
            "expectedSupplyDuration": {"value": 28, "unit": "day"},
        },
        extension=[
            extension(GPC + "PrescriptionType-1", valueCodeableConcept={"coding": [{"code": "repeat"}]}),
            parts(
                GPC + "MedicationRepeatInformation-1",
                numberOfRepeatPrescriptionsAllowed={"valuePositiveInt": 6},
                numberOfRepeatPrescriptionsIssued={"valueUnsignedInt": 0},
                authorisationExpiryDate={"valueDateTime": "2021-01-31"},
            ),
        ],
    )
    assert (item.kind, item.intent) == ("request", "plan")
    assert item.course is not None
    assert item.course.coding[0].code == "repeat"
    assert (item.repeats_allowed, item.repeats_issued, item.authorised_until) == (6, 0, When("2021-01-31"))
    assert item.quantity is not None
    assert (item.quantity.words(), item.quantity_text) == ("28", "28 tablets")
    assert item.supply is not None
    assert item.supply.words() == "28 day"
    assert item.validity is not None
    assert item.validity.words() == "6 February 2020 to 6 August 2020"


def test_an_amount_in_words_alone_stays_in_words() -> None:
    text = extension(GPC + "MedicationQuantityText-1", valueString="1 tube")
    item = request(dispenseRequest={"quantity": {"extension": [text]}})
    assert (item.quantity, item.quantity_text) == (None, "1 tube")


def test_a_stopped_request_says_why_and_when() -> None:
    item = request(
        status="stopped",
        extension=[
            parts(
                GPC + "MedicationStatusReason-1",
                statusReason={"valueCodeableConcept": {"text": "Contra-indicated"}},
                statusChangeDate={"valueDateTime": "2010-01-18"},
            )
        ],
    )
    assert [reason.text for reason in item.status_reason] == ["Contra-indicated"]
    assert item.status_changed == When("2010-01-18")


def test_repeats_of_base_fhir_give_way_to_those_of_the_profile() -> None:
    native = {"numberOfRepeatsAllowed": 5}
    allowed = parts(GPC + "MedicationRepeatInformation-1", numberOfRepeatPrescriptionsAllowed={"valuePositiveInt": 6})
    assert request(dispenseRequest=native).repeats_allowed == 5
    for members in (
        {"dispenseRequest": native, "extension": [allowed]},
        {"extension": [allowed], "dispenseRequest": native},
    ):
        assert request(**members).repeats_allowed == 6


def test_the_requester_is_the_author_and_else_the_recorder() -> None:
    asked = {"agent": {"display": "Dr One"}, "onBehalfOf": {"reference": "Organization/1"}}
    both = request(requester=asked, recorder={"display": "Clerk"})
    alone = request(recorder={"display": "Clerk"})
    assert both.author is not None
    assert alone.author is not None
    assert (both.author.name, alone.author.name) == ("Dr One", "Clerk")
    assert {extra.path for extra in both.extra} == {"requester.onBehalfOf", "recorder"}


# --- immunisations ----------------------------------------------------------------------------------------------


def vaccination(**members: Any) -> Immunization:
    item = read({"resourceType": "Immunization", "patient": PATIENT, "vaccineCode": {"text": "MMR"}, **members})
    assert isinstance(item, Immunization)
    return item


def test_a_vaccination_says_who_what_and_why() -> None:
    item = vaccination(
        status="completed",
        notGiven=False,
        date="2019-10-02",
        primarySource=True,
        lotNumber="AB12",
        practitioner=[{"actor": {"display": "Nurse Joy"}, "role": {"text": "administering"}}],
        explanation={"reason": [{"text": "routine"}]},
        vaccinationProtocol=[{"doseSequence": 2, "targetDisease": [{"text": "measles"}]}],
        extension=[
            extension(CARE_CONNECT + "VaccinationProcedure-1", valueCodeableConcept={"text": "Second MMR vaccination"}),
            extension(CARE_CONNECT + "ParentPresent-1", valueBoolean=True),
            extension(CARE_CONNECT + "DateRecorded-1", valueDateTime="2019-10-03"),
        ],
    )
    assert item.words() == "MMR"
    assert (item.status, item.occurrence, item.recorded) == ("completed", When("2019-10-02"), When("2019-10-03"))
    assert (item.dose_number, item.parent_present, item.primary_source) == ("2", True, True)
    assert item.procedure is not None
    assert item.procedure.text == "Second MMR vaccination"
    assert item.performers[0].words() == "Nurse Joy, administering"
    assert [reason.text for reason in item.reason] == ["routine"]


@pytest.mark.parametrize(
    ("status", "not_given", "read_as"),
    [
        ("completed", True, "not-done"),
        (None, True, "not-done"),
        ("completed", "yes", "not-done"),
        ("entered-in-error", True, "entered-in-error"),
        ("completed", False, "completed"),
        ("completed", None, "completed"),
    ],
)
def test_a_vaccination_that_was_not_given_never_reads_as_given(
    status: str | None, not_given: Any, read_as: str
) -> None:
    said = {"status": status} if status else {}
    item = vaccination(notGiven=not_given, explanation={"reasonNotGiven": [{"text": "declined"}]}, **said)
    assert item.status == read_as
    assert item.status_reason is not None
    assert item.status_reason.text == "declined"


def test_where_only_the_procedure_was_coded_it_names_the_vaccination() -> None:
    unknown = {"coding": [{"system": "http://hl7.org/fhir/v3/NullFlavor", "code": "UNK"}]}
    url = CARE_CONNECT + "VaccinationProcedure-1"
    item = vaccination(
        status="completed",
        notGiven=False,
        vaccineCode=unknown,
        extension=[extension(url, valueCodeableConcept={"text": "First meningitis B vaccination"})],
    )
    assert item.words() == "First meningitis B vaccination"


# --- results ----------------------------------------------------------------------------------------------------


def test_a_group_of_results_names_its_members_and_keeps_other_relations() -> None:
    item = read(
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "Full blood count"},
            "subject": PATIENT,
            "related": [
                {"type": "has-member", "target": {"reference": "Observation/2"}},
                {"type": "derived-from", "target": {"reference": "Observation/3"}},
            ],
        }
    )
    assert isinstance(item, Observation)
    assert item.members == (Reference(reference="Observation/2"),)
    assert [extra.path for extra in item.extra] == ["related[1]"]


def test_a_finding_with_a_comment_reads_as_that() -> None:
    item = read(
        {
            "resourceType": "Observation",
            "status": "unknown",
            "code": {"text": "Comment note"},
            "subject": PATIENT,
            "comment": "Feels better.",
            "interpretation": {"text": "normal"},
        }
    )
    assert item.words() == "Comment note: Feels better."
    assert [one.text for one in item.interpretation] == ["normal"]


def test_a_report_names_results_specimens_and_who_made_it() -> None:
    item = read(
        {
            "resourceType": "DiagnosticReport",
            "status": "final",
            "category": {"text": "haematology"},
            "code": {"text": "Blood report"},
            "subject": PATIENT,
            "issued": "2020-01-01T10:00:00Z",
            "performer": [{"actor": {"display": "Laboratory"}}],
            "specimen": [{"reference": "Specimen/1"}],
            "result": [{"reference": "Observation/1"}],
            "codedDiagnosis": [{"text": "anaemia"}],
        }
    )
    assert isinstance(item, DiagnosticReport)
    assert item.specimens == (Reference(reference="Specimen/1"),)
    assert item.results == (Reference(reference="Observation/1"),)
    assert (item.category[0].text, item.conclusion_codes[0].text) == ("haematology", "anaemia")
    assert item.performers[0].name == "Laboratory"


def test_a_specimen_says_what_and_when() -> None:
    item = read(
        {
            "resourceType": "Specimen",
            "subject": PATIENT,
            "type": {"text": "Serum"},
            "accessionIdentifier": {"value": "A1"},
            "receivedTime": "2020-01-02",
            "collection": {"collectedDateTime": "2020-01-01", "collector": {"display": "Nurse Joy"}},
        }
    )
    assert isinstance(item, Specimen)
    assert item.words() == "Serum, collected 1 January 2020"
    assert item.author is not None
    assert item.author.name == "Nurse Joy"


# --- contacts and requests --------------------------------------------------------------------------------------


def test_an_encounter_says_type_people_and_place() -> None:
    item = read(
        {
            "resourceType": "Encounter",
            "status": "finished",
            "subject": PATIENT,
            "type": [{"text": "Home visit"}],
            "reason": [{"text": "cough"}],
            "period": {"start": "2020-01-01T10:00:00+00:00"},
            "participant": [{"type": [{"text": "recorder"}], "individual": {"display": "Dr One"}}],
            "location": [{"location": {"reference": "Location/1"}}],
            "incomingReferral": [{"reference": "ReferralRequest/1"}],
        },
        Location_1={"resourceType": "Location", "id": "1", "name": "Branch surgery"},
    )
    assert isinstance(item, Encounter)
    assert item.words() == "Home visit"
    assert item.location[0].name == "Branch surgery"
    assert item.participants[0].words() == "Dr One (recorder)"
    assert (item.reason[0].text, item.based_on[0].reference) == ("cough", "ReferralRequest/1")


def test_a_referral_says_to_whom_and_why() -> None:
    item = read(
        {
            "resourceType": "ReferralRequest",
            "status": "active",
            "intent": "order",
            "subject": PATIENT,
            "type": {"text": "outpatient"},
            "specialty": {"text": "Cardiology"},
            "requester": {"agent": {"display": "Dr One"}},
            "recipient": [{"display": "Heart clinic"}],
            "reasonCode": [{"text": "murmur"}],
            "description": "Please see.",
        }
    )
    assert isinstance(item, ServiceRequest)
    assert item.words() == "Cardiology"
    assert (item.description, item.performers[0].name) == ("Please see.", "Heart clinic")
    assert item.author is not None
    assert item.author.name == "Dr One"


def test_what_must_not_be_done_is_refused() -> None:
    sent = {"resourceType": "ProcedureRequest", "subject": PATIENT, "doNotPerform": True}
    with pytest.raises(NotMapped, match="must not be done"):
        read(sent)


def test_a_planned_procedure_is_a_request() -> None:
    item = read(
        {
            "resourceType": "ProcedureRequest",
            "status": "active",
            "intent": "plan",
            "subject": PATIENT,
            "code": {"text": "Asthma review"},
            "occurrenceDateTime": "2021-04-01",
            "performer": {"display": "Practice nurse"},
        }
    )
    assert (item.words(), item.intent, item.occurrence) == ("Asthma review", "plan", When("2021-04-01"))
    assert item.performers[0].name == "Practice nurse"


def test_a_document_says_when_it_was_made_and_when_it_was_filed() -> None:
    item = read(
        {
            "resourceType": "DocumentReference",
            "status": "current",
            "subject": PATIENT,
            "created": "2020-01-01",
            "indexed": "2020-01-02T10:00:00Z",
            "class": {"text": "letter"},
            "description": "Discharge letter",
            "content": [{"attachment": {"contentType": "application/pdf", "url": "https://gp.example/Binary/1"}}],
            "context": {"encounter": {"reference": "Encounter/4"}},
        }
    )
    assert isinstance(item, DocumentReference)
    assert (item.recorded, item.date) == (When("2020-01-01"), When("2020-01-02T10:00:00Z"))
    assert (item.category[0].text, item.encounter) == ("letter", Reference(reference="Encounter/4"))
    assert item.attachments[0].url == "https://gp.example/Binary/1"


def test_an_appointment_says_why_it_was_cancelled() -> None:
    url = "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-GPConnect-AppointmentCancellationReason-1"
    item = read(
        {
            "resourceType": "Appointment",
            "status": "cancelled",
            "start": "2020-01-01T10:00:00Z",
            "participant": [{"actor": PATIENT, "status": "accepted"}, {"actor": {"reference": "Location/1"}}],
            "extension": [extension(url, valueString="clinic closed")],
        }
    )
    assert isinstance(item, Appointment)
    assert item.subject == Reference(reference="Patient/1")
    assert item.cancellation_reason is not None
    assert item.cancellation_reason.text == "clinic closed"


def test_a_prohibited_activity_of_a_plan_never_reads_as_one_to_do() -> None:
    detail = {"description": "Give penicillin", "status": "not-started"}
    item = read(
        {
            "resourceType": "CarePlan",
            "status": "active",
            "intent": "plan",
            "subject": PATIENT,
            "activity": [{"detail": detail | {"prohibited": True}}, {"detail": detail | {"prohibited": False}}],
        }
    )
    assert isinstance(item, CarePlan)
    assert [action.heading for action in item.actions] == ["Do not do this", None]


def test_teams_and_flags_have_one_role_and_one_category() -> None:
    team = read(
        {
            "resourceType": "CareTeam",
            "subject": PATIENT,
            "name": "Heart team",
            "participant": [{"role": {"text": "lead"}, "member": {"display": "Dr One"}}],
        }
    )
    flag = read({"resourceType": "Flag", "subject": PATIENT, "category": {"text": "safety"}, "code": {"text": "Dog"}})
    assert isinstance(team, CareTeam)
    assert isinstance(flag, Flag)
    assert team.participants[0].words() == "Dr One (lead)"
    assert flag.category[0].text == "safety"


# --- people and places ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", [GPC, CARE_CONNECT])
def test_a_patient_has_a_verified_number_and_needs(base: str) -> None:
    status = {"system": "https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-NHSNumberVerificationStatus-1", "code": "01"}
    item = read(
        {
            "resourceType": "Patient",
            "identifier": [
                {
                    "system": "https://fhir.nhs.uk/Id/nhs-number",
                    "value": "9990000018",
                    "extension": [
                        extension(base + "NHSNumberVerificationStatus-1", valueCodeableConcept={"coding": [status]})
                    ],
                }
            ],
            "name": [{"use": "official", "family": "Okafor", "given": ["Grace"]}],
            "birthDate": "1950-03-02",
            "extension": [
                parts(
                    base + "NHSCommunication-1",
                    language={"valueCodeableConcept": {"text": "Polish"}},
                    interpreterRequired={"valueBoolean": True},
                )
            ],
        }
    )
    assert isinstance(item, Patient)
    assert (item.nhs_number, item.verification_status) == ("9990000018", "01")
    assert [need.words() for need in item.communication] == ["Polish, interpreter required"]


def test_a_status_of_another_list_is_not_taken_for_a_verification() -> None:
    url = GPC + "NHSNumberVerificationStatus-1"
    wrong = extension(url, valueCodeableConcept={"coding": [{"system": "urn:other", "code": "01"}]})
    number = {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018", "extension": [wrong]}
    assert read({"resourceType": "Patient", "identifier": [number]}).verification_status is None


def test_a_role_is_a_professional_with_the_name_of_the_person() -> None:
    item = read(
        {
            "resourceType": "PractitionerRole",
            "practitioner": {"reference": "Practitioner/1"},
            "organization": {"reference": "Organization/1"},
            "code": [{"text": "General practitioner"}],
        },
        Practitioner_1={"resourceType": "Practitioner", "id": "1", "name": [{"family": "One", "prefix": ["Dr"]}]},
        Organization_1={"resourceType": "Organization", "id": "1", "name": "Elm Surgery"},
    )
    assert isinstance(item, Practitioner)
    assert item.words() == "ONE (Dr), General practitioner"
    assert item.organization is not None
    assert item.organization.organization == "Elm Surgery"


def test_related_people_and_places_are_read() -> None:
    person = read(
        {
            "resourceType": "RelatedPerson",
            "patient": PATIENT,
            "relationship": {"coding": [{"system": "http://hl7.org/fhir/v2/0131", "code": "C"}]},
            "name": [{"text": "Sam"}],
        }
    )
    place = read({"resourceType": "Location", "name": "Branch surgery", "managingOrganization": {"display": "Elm"}})
    assert isinstance(person, RelatedPerson)
    assert isinstance(place, Location)
    assert person.emergency_contact is True
    assert place.words() == "Branch surgery"


# --- what cannot be an item -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent", [{}, {"resourceType": "Medication"}, {"resourceType": "List"}, {"resourceType": ["Patient"]}, 1, None]
)
def test_what_is_no_item_is_refused_without_a_value(sent: Any) -> None:
    with pytest.raises(NotMapped, match=r"names no resource type that is read here|is not a JSON object"):
        read_stu3_resource(sent, source=SOURCE)


def test_a_source_and_a_zone_are_needed() -> None:
    with pytest.raises(NotMapped, match="names no source"):
        read_stu3_resource({"resourceType": "Patient"})
    with pytest.raises(NotADate):
        read_stu3_resource({"resourceType": "Patient"}, source=SOURCE, zone="Mars/Olympus")
