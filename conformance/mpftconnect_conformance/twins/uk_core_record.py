"""What the UK Core twin holds: made-up resources that fit UK Core's profiles, with every must-support element filled.

Each constraint is that of the UK Core profile named in `meta.profile` (STU3 sequence, June 2025). Organisations have
ODS codes that begin with `ZZ`, telephone numbers are of Ofcom's ranges for drama, nobody is real.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mpftconnect.model import NHS_NUMBER_SYSTEM
from mpftconnect.sandbox import Person

__all__ = ["LOCAL_ID", "full_record", "shared_resources", "sparse_record"]

Resource = dict[str, Any]

LOCAL_ID = "https://mpftconnect.example/sandbox/id/uk-core"
PROFILE = "https://fhir.hl7.org.uk/StructureDefinition/"
HL7 = "http://terminology.hl7.org/CodeSystem/"
SNOMED, LOINC, UCUM, DMD = (
    "http://snomed.info/sct",
    "http://loinc.org",
    "http://unitsofmeasure.org",
    "https://dmd.nhs.uk",
)
ODS = "https://fhir.nhs.uk/Id/ods-organization-code"
_UPDATED = "2025-09-01T09:00:00+01:00"


def full_record(person: Person, local_id: str) -> Iterator[Resource]:
    """Everything of the full person."""
    who = {"reference": f"Patient/{local_id}"}
    yield _patient(person, local_id, full=True)
    yield from _problems(who)
    yield from _medicines(who)
    yield from _observations(who)
    yield from _plan(who)
    yield _resource(
        "Immunization",
        "influenza",
        status="completed",
        vaccineCode=_sct("822851000000102", "Seasonal influenza vaccination"),
        patient=who,
        occurrenceDateTime="2024-10-08",
        manufacturer={"reference": "Organization/amberwell"},
        lotNumber="QX2417B",
        doseQuantity=_quantity(0.5, "mL", "mL"),
    )
    yield _resource(
        "Immunization",
        "shingles",
        status="not-done",
        statusReason={"coding": [_coding(HL7 + "v3-ActReason", "PATOBJ", "patient objection")]},
        vaccineCode=_sct("859641000000109", "Herpes zoster vaccination"),
        patient=who,
        occurrenceDateTime="2024-10-08",
    )
    kind: dict[str, Any] = {"class": _coding(HL7 + "v3-ActCode", "HH", "home health")}
    yield _resource(
        "Encounter",
        "home-visit",
        identifier=[{"system": LOCAL_ID, "value": "visit-31"}],
        status="finished",
        **kind,
        subject=who,
        participant=[{"individual": {"reference": "Practitioner/nurse"}}],
        reasonCode=[_sct("95344007", "Ulcer of lower extremity")],
        reasonReference=[{"reference": "Condition/ulcer"}],
        period={"start": "2025-08-25T09:30:00+01:00", "end": "2025-08-25T10:00:00+01:00"},
    )
    yield _resource(
        "Flag",
        "dog",
        status="active",
        code={"text": "A large dog: ring before you enter"},
        subject=who,
    )


def sparse_record(person: Person, local_id: str) -> Iterator[Resource]:
    """Hardly anything of the sparse person, and nothing in place of what is not known."""
    who = {"reference": f"Patient/{local_id}"}
    yield _patient(person, local_id, full=False)
    yield _resource(
        "Condition",
        "sparse-asthma",
        clinicalStatus=_concept(HL7 + "condition-clinical", "active", "Active"),
        code=_sct("195967001", "Asthma"),
        subject=who,
    )


def shared_resources() -> Iterator[Resource]:
    """Organisations and practitioners, to whom everything else points."""
    yield _resource(
        "Organization",
        "mossbridge",
        identifier=[{"system": ODS, "value": "ZZ101"}],
        active=True,
        name="Mossbridge Surgery",
        telecom=[{"system": "phone", "value": "01632 960100", "use": "work"}],
        address=[{"line": ["1 Mill Street"], "city": "Mossbridge", "postalCode": "ZZ99 7TA"}],
    )
    yield _resource(
        "Organization",
        "amberwell",
        identifier=[{"system": ODS, "value": "ZZ301"}],
        active=True,
        name="Amberwell Vaccines",
        telecom=[{"system": "phone", "value": "01632 960310", "use": "work"}],
        address=[{"line": ["4 Chandler Row"], "city": "Amberwell", "postalCode": "ZZ99 7TB"}],
    )
    yield _resource(
        "Practitioner",
        "nurse",
        identifier=[{"system": LOCAL_ID, "value": "nurse-7"}],
        name=[{"use": "official", "family": "Adeyemi-Clarke", "given": ["Ifeoma"]}],
        telecom=[{"system": "phone", "value": "01632 960140", "use": "work"}],
    )


def _patient(person: Person, local_id: str, *, full: bool) -> Resource:
    known = person.patient
    name = known.names[0]
    nhs: Resource = {"system": NHS_NUMBER_SYSTEM, "value": person.nhs_number}
    if full:
        status = "UKCore-NHSNumberVerificationStatusEngland"
        nhs["extension"] = [
            {
                "url": PROFILE + "Extension-UKCore-NHSNumberVerificationStatus",
                "valueCodeableConcept": _concept(
                    f"https://fhir.hl7.org.uk/CodeSystem/{status}", "01", "Number present and verified"
                ),
            }
        ]
    made = _resource(
        "Patient",
        local_id,
        identifier=[nhs, {"system": LOCAL_ID, "value": local_id}],
        active=True,
        name=[{"use": "official", "family": name.family, "given": list(name.given)}],
    )
    if known.birth_date is not None:
        made["birthDate"] = known.birth_date.text
    if not full:
        return made
    made |= {
        "gender": known.gender or "unknown",
        "telecom": [{"system": "phone", "value": "01632 960018", "use": "home"}],
        "address": [
            {
                "use": "home",
                "extension": [
                    {
                        "url": PROFILE + "Extension-UKCore-AddressKey",
                        "extension": [
                            {
                                "url": "type",
                                "valueCodeableConcept": _concept(
                                    "https://fhir.hl7.org.uk/CodeSystem/UKCore-AddressKeyType",
                                    "PAF",
                                    "Royal Mail Postcode Address File (PAF) Address Key",
                                ),
                            },
                            {"url": "value", "valueString": "99118877"},
                        ],
                    }
                ],
                "line": ["14 Quillfeather Lane"],
                "city": "Mossbridge",
                "postalCode": "ZZ99 7TK",
            }
        ],
        "managingOrganization": {"reference": "Organization/mossbridge"},
    }
    return made


def _problems(who: Resource) -> Iterator[Resource]:
    active = _concept(HL7 + "condition-clinical", "active", "Active")
    confirmed = _concept(HL7 + "condition-ver-status", "confirmed", "Confirmed")
    for id_, code, display, severity in (
        ("diabetes", "44054006", "Type 2 diabetes mellitus", ("6736007", "Moderate")),
        ("ulcer", "95344007", "Ulcer of lower extremity", ("24484000", "Severe")),
    ):
        yield _resource(
            "Condition",
            id_,
            clinicalStatus=active,
            verificationStatus=confirmed,
            category=[_concept(HL7 + "condition-category", "problem-list-item", "Problem List Item")],
            severity=_sct(*severity),
            code=_sct(code, display),
            subject=who,
            recorder={"reference": "Practitioner/nurse"},
            recordedDate="2025-06-09",
        )
    yield _resource(
        "AllergyIntolerance",
        "penicillin",
        clinicalStatus=_concept(HL7 + "allergyintolerance-clinical", "active", "Active"),
        verificationStatus=_concept(HL7 + "allergyintolerance-verification", "confirmed", "Confirmed"),
        code=_sct("91936005", "Allergy to penicillin"),
        patient=who,
        recordedDate="1998-06",
        reaction=[{"manifestation": [_sct("247472004", "Hives")], "severity": "severe"}],
    )


def _medicines(who: Resource) -> Iterator[Resource]:
    metformin = {
        "coding": [_coding(DMD, "325278007", "Metformin 500mg tablets")],
        "text": "Metformin 500mg tablets",
    }
    dosage = {
        "text": "One tablet twice a day with meals",
        "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
        "doseAndRate": [
            {
                "doseQuantity": {"value": 1, "unit": "tablet"},
                "rateRatio": {"numerator": {"value": 2, "unit": "tablet"}, "denominator": _quantity(1, "day", "d")},
            }
        ],
    }
    yield _resource(
        "MedicationRequest",
        "metformin-request",
        identifier=[{"system": LOCAL_ID, "value": "rx-12"}],
        status="active",
        intent="order",
        category=[
            _concept(
                "https://fhir.hl7.org.uk/CodeSystem/UKCore-MedicationRequestCategory", "primary-care", "Primary Care"
            )
        ],
        medicationCodeableConcept=metformin,
        subject=who,
        authoredOn="2025-05-20",
        requester={"reference": "Practitioner/nurse"},
        dosageInstruction=[dosage],
        dispenseRequest={"quantity": {"value": 56, "unit": "tablet"}},
        substitution={"allowedBoolean": False},
    )
    yield _resource(
        "MedicationStatement",
        "metformin",
        identifier=[{"system": LOCAL_ID, "value": "ms-12"}],
        basedOn=[{"reference": "MedicationRequest/metformin-request"}],
        status="active",
        category=_concept(HL7 + "medication-statement-category", "community", "Community"),
        medicationCodeableConcept=metformin,
        subject=who,
        effectivePeriod={"start": "2025-05-20"},
        dateAsserted="2025-05-20",
        informationSource={"reference": "Practitioner/nurse"},
        derivedFrom=[{"reference": "MedicationRequest/metformin-request"}],
        dosage=[{"text": "One tablet twice a day with meals"}],
    )


def _observations(who: Resource) -> Iterator[Resource]:
    vital = [_concept(HL7 + "observation-category", "vital-signs", "Vital Signs")]
    common: dict[str, Any] = {
        "status": "final",
        "subject": who,
        "performer": [{"reference": "Practitioner/nurse"}],
    }
    yield _resource(
        "Observation",
        "weight",
        profile="UKCore-Observation-VitalSigns-BodyWeight",
        category=vital,
        code=_vital("29463-7", "Body weight", "27113001", "Body weight"),
        effectiveDateTime="2025-08-25T09:35:00+01:00",
        valueQuantity=_quantity(72.5, "kilogram", "kg"),
        **common,
    )
    yield _resource(
        "Observation",
        "heart-rate",
        profile="UKCore-Observation-VitalSigns-HeartRate",
        category=vital,
        code=_vital("8867-4", "Heart rate", "364075005", "Heart rate"),
        effectiveDateTime="2025-08-25T09:36:00+01:00",
        valueQuantity=_quantity(76, "per minute", "/min"),
        **common,
    )
    yield _resource(
        "Observation",
        "blood-pressure",
        profile="UKCore-Observation-VitalSigns-BloodPressure",
        category=vital,
        code=_vital("85354-9", "Blood pressure panel with all children optional", "75367002", "Blood pressure"),
        effectiveDateTime="2025-08-25T09:40:00+01:00",
        component=[
            {
                "code": {**_vital(loinc, words, sct, words), "text": words},
                "valueQuantity": _quantity(value, "millimeter of mercury", "mm[Hg]"),
            }
            for loinc, sct, words, value in (
                ("8480-6", "271649006", "Systolic blood pressure", 138),
                ("8462-4", "271650006", "Diastolic blood pressure", 82),
            )
        ],
        **common,
    )
    yield _resource(
        "Observation",
        "hba1c",
        category=[_concept(HL7 + "observation-category", "laboratory", "Laboratory")],
        code=_sct("999791000000106", "Haemoglobin A1c level (IFCC standardised)"),
        effectiveDateTime="2025-07-14T08:20:00+01:00",
        valueQuantity=_quantity(58, "mmol/mol", "mmol/mol"),
        specimen={"reference": "Specimen/blood"},
        **common,
    )
    yield _resource(
        "Specimen",
        "blood",
        status="available",
        type=_sct("122555007", "Venous blood specimen"),
        subject=who,
        receivedTime="2025-07-14T10:00:00+01:00",
        collection={"collector": {"reference": "Practitioner/nurse"}},
    )
    yield _resource(
        "DiagnosticReport",
        "hba1c-report",
        status="final",
        category=[_concept(HL7 + "v2-0074", "LAB", "Laboratory")],
        code=_sct("999791000000106", "Haemoglobin A1c level (IFCC standardised)"),
        subject=who,
        encounter={"reference": "Encounter/home-visit"},
        effectiveDateTime="2025-07-14",
        issued="2025-07-15T12:00:00+01:00",
        result=[{"reference": "Observation/hba1c"}],
    )


def _plan(who: Resource) -> Iterator[Resource]:
    yield _resource(
        "Goal",
        "walk",
        profile=None,  # UK Core has no profile of Goal
        lifecycleStatus="active",
        description={"text": "To walk to the shop and back by October"},
        subject=who,
    )
    yield _resource(
        "CareTeam",
        "team",
        status="active",
        subject=who,
        participant=[
            {
                "role": [_sct("224535009", "Registered nurse")],
                "member": {"reference": "Practitioner/nurse"},
            }
        ],
    )
    yield _resource(
        "CarePlan",
        "plan",
        status="active",
        intent="plan",
        category=[_sct("734163000", "Care plan")],
        subject=who,
        period={"start": "2025-06-09"},
        addresses=[{"reference": "Condition/ulcer"}],
        goal=[{"reference": "Goal/walk"}],
        careTeam=[{"reference": "CareTeam/team"}],
        activity=[{"detail": {"status": "in-progress", "description": "Dressing every Monday and Thursday"}}],
    )
    yield _resource(
        "Consent",
        "sharing",
        status="active",
        scope=_concept(HL7 + "consentscope", "patient-privacy", "Privacy Consent"),
        category=[_concept(LOINC, "59284-0", "Patient Consent")],
        patient=who,
        dateTime="2025-06-09",
        performer=[who],
        organization=[{"reference": "Organization/mossbridge"}],
        sourceReference={"reference": "Consent/sharing"},
        policy=[{"uri": "https://mpftconnect.example/policy/sharing"}],
    )
    yield _resource(
        "Provenance",
        "plan-provenance",
        target=[{"reference": "CarePlan/plan"}],
        recorded="2025-06-09T14:00:00+01:00",
        agent=[{"who": {"reference": "Practitioner/nurse"}}],
        signature=[
            {
                "type": [_coding("urn:iso-astm:E1762-95:2013", "1.2.840.10065.1.12.1.1", "Author's Signature")],
                "when": "2025-06-09T14:00:00+01:00",
                "who": {"reference": "Practitioner/nurse"},
            }
        ],
    )


def _resource(type_: str, id_: str, /, profile: str | None = "", **elements: Any) -> Resource:
    claimed = f"UKCore-{type_}" if profile == "" else profile
    meta: Resource = {"versionId": "1", "lastUpdated": _UPDATED}
    if claimed:
        meta["profile"] = [PROFILE + claimed]
    return {"resourceType": type_, "id": id_, "meta": meta, **elements}


def _coding(system: str, code: str, display: str) -> Resource:
    return {"system": system, "code": code, "display": display}


def _concept(system: str, code: str, display: str) -> Resource:
    return {"coding": [_coding(system, code, display)]}


def _sct(code: str, display: str) -> Resource:
    return _concept(SNOMED, code, display)


def _vital(loinc: str, loinc_display: str, sct: str, sct_display: str) -> Resource:
    return {"coding": [_coding(LOINC, loinc, loinc_display), _coding(SNOMED, sct, sct_display)]}


def _quantity(value: float, unit: str, code: str) -> Resource:
    return {"value": value, "unit": unit, "system": UCUM, "code": code}
