"""What the region's own integrated care record holds of the synthetic people.

Everything is written as such a record could tell it: a medicine in the words of a GP's list, a result with the
laboratory that sent it, a document with its content.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from mpftconnect.model import (
    Actor,
    AllergyIntolerance,
    Appointment,
    Attachment,
    Concept,
    Condition,
    DiagnosticReport,
    DocumentReference,
    Dosage,
    Encounter,
    Flag,
    HumanName,
    Immunization,
    MedicationStatement,
    Observation,
    Participant,
    Period,
    Quantity,
    Reaction,
    ReferenceRange,
    When,
    concept,
)
from mpftconnect.sandbox.chart import Chart
from mpftconnect.sandbox.people import SystemView
from mpftconnect.sandbox.portraits import known_as, portrait
from mpftconnect.sandbox.services import LABORATORY, SURGERY, coded, service, ucum
from mpftconnect.sandbox.sexual_health import CLINIC, CLINIC_CODE, SERVICE, SERVICE_CODE

__all__ = ["HOSPITAL", "views"]

HOSPITAL = Actor(
    name="Northmere General Hospital", organization="Northmere General Hospital", organization_code="ZZ220"
)
HOSPITAL_LABORATORY = Actor(organization="Northmere General Hospital, pathology", organization_code="ZZ221")
RADIOLOGY = Actor(organization="Northmere General Hospital, radiology", organization_code="ZZ222")
VASCULAR = service("Vascular surgery", "107")
_EMERGENCY = service("Emergency medicine", "180")
_MEDICINE = service("General internal medicine", "300")
_ACTIVE = coded("active", "Active", "condition-clinical")
_LABORATORY = (coded("laboratory", "Laboratory", "observation-category"),)


def views(*, with_excluded: bool = True) -> Mapping[str, SystemView]:
    """By the person's role."""
    return {
        "full": _full(),
        "conflicting": _conflicting(),
        "cross-border": _cross_border(),
        "restricted": _restricted(),
        "very-restricted": _very_restricted(),
        "deceased": _deceased(),
        "superseded": _superseded(),
        "birth-date-differs": _birth_date_differs(),
        "sexual-health": _sexual_health(with_excluded),
        "twin-a": _twin("0131", "a", "Asthma review in the hospital's clinic"),
        "twin-b": _twin("0158", "b", "Gluten-free meals on the ward"),
        "changed-name": _changed_name(),
    }


def _chart(last_four: str, prefix: str) -> Chart:
    return Chart(f"7741{last_four}", prefix)


def _records(last_four: str, *tenancies: str) -> dict[str, Any]:
    """The linked records, each with the number that its own system gives the person."""
    return {
        "records": tuple(
            {"detail_id": f"77{41 + place}{last_four}", "tenancy": tenancy, "number": f"SR{41 + place}-{last_four}"}
            for place, tenancy in enumerate(tenancies)
        )
    }


def _letter(text: str, title: str) -> tuple[Attachment, ...]:
    return (Attachment(content_type="text/plain", data_base64=base64.b64encode(text.encode()).decode(), title=title),)


def _full() -> SystemView:
    chart = _chart("0018", "full")
    _full_gp(chart)
    _full_hospital(chart)
    held_by = dict.fromkeys(
        (
            *("MedicationStatement/full-atorvastatin", "MedicationStatement/full-doxycycline"),
            *("Condition/full-cerumen", "Condition/full-kidney", "AllergyIntolerance/full-elastoplast"),
            "Immunization/full-pneumococcal",
        ),
        1,
    )
    return chart.view(settings=_records("0018", "Northmere General Hospital", SURGERY) | {"held_by": held_by})


def _full_gp(chart: Chart) -> None:
    chart.add(
        MedicationStatement,
        "atorvastatin",
        medication=concept("Atorvastatin 20mg tablets"),
        course=Concept(text="Repeat"),
        recorded=When("2024-11-04"),
        last_issued=When("2025-08-11"),
        dosage=(Dosage(text="One tablet at night."),),
        quantity=Quantity(value="28", unit="tablet"),
    )
    chart.add(
        MedicationStatement,
        "doxycycline",
        medication=concept("Doxycycline 100mg capsules"),
        course=Concept(text="Issued"),
        status="completed",
        recorded=When("2024-03-11"),
        last_issued=When("2024-03-11"),
        dosage=(Dosage(text="Two on the first day, then one each day for six days."),),
        quantity=Quantity(value="8", unit="capsule"),
    )
    chart.add(
        Condition,
        "cerumen",
        code=concept("Impacted cerumen of both ears"),
        recorded=When("2023-09-19"),
        note=("Cannot hear it clearing; the interpreter should come along.",),
    )
    chart.add(
        Condition,
        "kidney",
        code=concept("Chronic kidney disease stage 2", "431856006"),
        clinical_status=_ACTIVE,
        recorded=When("2022-05-16"),
    )
    chart.add(
        AllergyIntolerance,
        "elastoplast",
        code=concept("Allergy to adhesive plaster"),
        recorded=When("2015-06-02"),
        reactions=(Reaction(manifestation=(concept("Blistering under the plaster"),), severity="mild"),),
    )
    chart.add(
        Immunization,
        "pneumococcal",
        status="completed",
        vaccine=concept("Pneumococcal polysaccharide vaccination"),
        occurrence=When("2016-10-11"),
        lot_number="PN4471",
    )


def _full_hospital(chart: Chart) -> None:
    chart.add(
        Encounter,
        "emergency",
        status="finished",
        encounter_class="EMER",
        type=(concept("Emergency attendance"),),
        reason=(concept("Fell on the icy back step and hurt the left wrist"),),
        period=Period(start=When("2025-02-09T21:14:00"), end=When("2025-02-10T02:40:00")),
        service=_EMERGENCY,
        provider=HOSPITAL,
        location=(HOSPITAL,),
    )
    chart.add(
        Encounter,
        "cellulitis-stay",
        status="finished",
        encounter_class="IMP",
        type=(concept("Emergency admission"),),
        reason=(concept("Cellulitis of the left lower leg"),),
        period=Period(start=When("2024-03-11T18:05:00"), end=When("2024-03-14T11:30:00")),
        participants=(Participant(actor=Actor(name="Dr Lysander Okonkwo-Hythe")),),
        service=_MEDICINE,
        provider=HOSPITAL,
        location=(HOSPITAL.model_copy(update={"name": "Ward 7"}),),
    )
    # The laboratory sent this one to the mental health trust too, in the same words.
    chart.add(
        Observation,
        "egfr",
        status="final",
        category=_LABORATORY,
        code=concept("Estimated glomerular filtration rate"),
        effective=When("2025-08-19T07:50:00+01:00"),
        issued=When("2025-08-19T16:05:00+01:00"),
        value=ucum("61", "mL/min/1.73m2", "mL/min/{1.73_m2}"),
        performers=(LABORATORY,),
    )
    chart.add(
        Observation,
        "potassium",
        status="final",
        category=_LABORATORY,
        code=concept("Serum potassium"),
        effective=When("2025-02-09T22:10:00+00:00"),
        issued=When("2025-02-09T22:58:00+00:00"),
        value=ucum("4.60", "mmol/L"),
        reference_ranges=(ReferenceRange(text="3.50 to 5.30"),),
        performers=(HOSPITAL_LABORATORY,),
    )
    chart.add(
        Observation,
        "crp",
        status="final",
        category=_LABORATORY,
        code=concept("C-reactive protein"),
        effective=When("2025-02-09T22:10:00+00:00"),
        issued=When("2025-02-09T23:05:00+00:00"),
        value="<5 mg/L",
        performers=(HOSPITAL_LABORATORY,),
    )
    chart.add(
        Observation,
        "troponin",
        status="entered-in-error",
        category=_LABORATORY,
        code=concept("High sensitivity troponin T"),
        effective=When("2025-02-09T22:10:00+00:00"),
        issued=When("2025-02-10T00:20:00+00:00"),
        value=ucum("212", "ng/L"),
        performers=(HOSPITAL_LABORATORY,),
        note=("Withdrawn on 10 February 2025: the sample was another patient's, mislabelled in the department.",),
    )
    chart.add(
        DiagnosticReport,
        "wrist",
        status="final",
        code=concept("Radiograph of the left wrist"),
        effective=When("2025-02-09"),
        issued=When("2025-02-10T09:12:00+00:00"),
        conclusion="No fracture is seen. Soft tissue swelling over the back of the wrist.",
        performers=(RADIOLOGY,),
    )
    chart.add(
        DocumentReference,
        "discharge-letter",
        status="current",
        type=concept("Discharge letter"),
        date=When("2024-03-14"),
        description="Discharge letter after three days with cellulitis",
        author=Actor(name="Dr Lysander Okonkwo-Hythe", role="consultant physician"),
        custodian=HOSPITAL,
        service=_MEDICINE,
        attachments=_letter(
            "Treated with doxycycline because of the penicillin allergy. Compression to restart in one week.",
            "Discharge letter after three days with cellulitis",
        ),
    )
    chart.add(
        Appointment,
        "vascular",
        status="booked",
        description="Vascular outpatients, first appointment with duplex scan",
        service=VASCULAR,
        start=When("2025-10-02T14:00:00"),
        end=When("2025-10-02T14:40:00"),
        location=(HOSPITAL,),
        patient_instruction="Please come an hour early for the scan.",
    )
    chart.add(
        Flag,
        "mrsa",
        status="active",
        category=(concept("Infection control"),),
        code=concept("Carries meticillin-resistant Staphylococcus aureus", "432415000"),
        period=Period(start=When("2024-03-12")),
        author=HOSPITAL,
    )


def _conflicting() -> SystemView:
    chart = _chart("0212", "conflicting")
    chart.add(
        AllergyIntolerance,
        "penicillin",
        code=concept("Allergy to penicillin", "91936005"),
        recorded=When("2009-03-30"),
        reactions=(Reaction(manifestation=(concept("Swelling of the tongue"),), severity="severe"),),
    )
    chart.add(
        MedicationStatement,
        "amlodipine",
        medication=concept("Amlodipine 5mg tablets"),
        course=Concept(text="Repeat"),
        recorded=When("2025-06-03"),
        last_issued=When("2025-08-18"),
        dosage=(Dosage(text="Two tablets each morning."),),
    )
    return chart.view(settings=_records("0212", SURGERY))


def _cross_border() -> SystemView:
    chart = _chart("0093", "border")
    chart.add(
        Observation,
        "creatinine",
        status="final",
        category=_LABORATORY,
        code=concept("Serum creatinine"),
        effective=When("2025-06-18"),
        issued=When("2025-06-18T17:20:00+01:00"),
        value=ucum("99", "umol/L"),
        performers=(HOSPITAL_LABORATORY,),
    )
    chart.add(
        Encounter,
        "memory-clinic",
        status="finished",
        encounter_class="AMB",
        type=(concept("Outpatient attendance"),),
        period=Period(start=When("2025-06-18T10:15:00"), end=When("2025-06-18T11:00:00")),
        service=_MEDICINE,
        provider=HOSPITAL,
        location=(HOSPITAL,),
    )
    return chart.view(settings=_records("0093", "Northmere General Hospital"))


def _restricted() -> SystemView:
    """The hospital knows of no restriction, and everything here says where she is."""
    place = Actor(name="Pippin Lane Birth Centre", organization="Pippin Lane Birth Centre", organization_code="ZZ223")
    chart = _chart("0034", "restricted")
    chart.add(
        Encounter,
        "birth-centre",
        status="finished",
        type=(concept("Antenatal visit"),),
        period=Period(start=When("2025-05-22T09:00:00"), end=When("2025-05-22T09:40:00")),
        provider=place,
        location=(place,),
    )
    chart.add(
        Flag,
        "safeguarding",
        status="active",
        category=(concept("Safeguarding"),),
        code=concept("Domestic abuse", "371772001"),
        note=("Collects the children from the school beside Pippin Lane at three.",),
        author=place,
    )
    chart.add(
        DocumentReference,
        "birth-plan",
        status="current",
        type=concept("Letter"),
        date=When("2025-05-23"),
        description="Letter to the surgery in Hollyhock Mews",
        custodian=place,
        attachments=_letter("Will walk to us from Hollyhock Mews.", "Letter to the surgery in Hollyhock Mews"),
    )
    chart.add(
        Observation,
        "haemoglobin",
        status="final",
        category=_LABORATORY,
        code=concept("Haemoglobin", "718-7", "http://loinc.org"),
        effective=When("2025-05-22"),
        issued=When("2025-05-22T15:00:00+01:00"),
        value=ucum("117", "g/L"),
        performers=(Actor(organization="Pippin Lane Birth Centre", organization_code="ZZ223"),),
        note=("Taken at Pippin Lane.",),
    )
    return chart.view(settings=_records("0034", "Pippin Lane Birth Centre"))


def _very_restricted() -> SystemView:
    someone = portrait(
        role="very-restricted",
        number="9990000042",
        family="Penhaligon-Sable",
        given="Theodosia",
        gender="female",
        birth_date="1990-01-06",
        street="The Old Lock House",
        postal_code="ZZ99 6VR",
        mobile="07700 900042",
    )
    chart = _chart("0042", "very")
    chart.add(
        AllergyIntolerance,
        "wasps",
        code=concept("Allergy to wasp venom", "241931001"),
        recorded=When("2011-08-14"),
        note=("Stung on the towpath by the old lock house.",),
    )
    return chart.view(known_as(someone), _records("0042", "Marina Walk Surgery"))


def _deceased() -> SystemView:
    chart = _chart("0050", "deceased")
    chart.add(
        Encounter,
        "last-admission",
        status="finished",
        encounter_class="IMP",
        type=(concept("Emergency admission"),),
        period=Period(start=When("2024-12-02T03:30:00"), end=When("2024-12-09T12:00:00")),
        service=_MEDICINE,
        provider=HOSPITAL,
        location=(HOSPITAL,),
    )
    return chart.view(settings=_records("0050", "Northmere General Hospital"))


def _superseded() -> SystemView:
    chart = _chart("0069", "superseded")
    chart.add(
        Observation,
        "clozapine",
        status="final",
        category=_LABORATORY,
        code=concept("Neutrophil count"),
        effective=When("2025-07-08"),
        issued=When("2025-07-08T14:00:00+01:00"),
        value=ucum("3.10", "10*9/L"),
        performers=(LABORATORY,),
    )
    return chart.view(settings=_records("0069", "Northmere General Hospital"))


def _birth_date_differs() -> SystemView:
    chart = _chart("0085", "birth")
    chart.add(
        Encounter,
        "withdrawal-seizure",
        status="finished",
        encounter_class="EMER",
        type=(concept("Emergency attendance"),),
        period=Period(start=When("2024-07-13T01:55:00"), end=When("2024-07-13T08:20:00")),
        service=_EMERGENCY,
        provider=HOSPITAL,
        location=(HOSPITAL,),
    )
    return chart.view(settings=_records("0085", "Northmere General Hospital"))


def _twin(last_four: str, which: str, alert: str) -> SystemView:
    chart = _chart(last_four, f"twin-{which}")
    chart.add(Flag, "hospital", status="active", code=concept(alert), author=HOSPITAL)
    return chart.view(settings=_records(last_four, "Northmere General Hospital"))


def _changed_name() -> SystemView:
    """The hospital still files her under the name that she was born with."""
    someone = portrait(
        role="changed-name",
        number="9990000182",
        family="O'Varley",
        given="Héloïse",
        gender="female",
        birth_date="1992-07-24",
        street="9 Lanternmaker Row",
        postal_code="ZZ99 3CN",
        mobile="07700 900182",
        names=(HumanName(use="usual", family="O'Varley", given=("Héloïse",)),),
    )
    chart = _chart("0182", "changed")
    chart.add(
        Encounter,
        "maternity",
        status="finished",
        type=(concept("Maternity admission"),),
        period=Period(start=When("2022-09-28T04:10:00"), end=When("2022-10-01T15:00:00")),
        provider=HOSPITAL,
        location=(HOSPITAL,),
    )
    return chart.view(known_as(someone), _records("0182", "Northmere General Hospital"))


def _sexual_health(with_excluded: bool) -> SystemView:
    chart = _chart("0123", "sh")
    chart.add(
        Encounter,
        "burn",
        status="finished",
        encounter_class="EMER",
        type=(concept("Emergency attendance"),),
        reason=(concept("Burn of the forearm at work"),),
        period=Period(start=When("2025-08-30T06:20:00"), end=When("2025-08-30T08:05:00")),
        service=_EMERGENCY,
        provider=HOSPITAL,
        location=(HOSPITAL,),
    )
    chart.add(
        Condition,
        "hay-fever",
        code=concept("Hay fever"),
        recorded=When("2012-05-08"),
    )
    chart.add(
        Observation,
        "crp",
        status="final",
        category=_LABORATORY,
        code=concept("C-reactive protein"),
        effective=When("2025-08-30"),
        issued=When("2025-08-30T07:30:00+01:00"),
        value=ucum("3", "mg/L"),
        performers=(HOSPITAL_LABORATORY,),
    )
    if not with_excluded:
        return chart.view(settings=_records("0123", "Northmere General Hospital"))
    _excluded(chart)
    held_by = {"Encounter/sh-walk-in": 1, "Immunization/sh-hepatitis-b": 1}
    records = _records("0123", "Northmere General Hospital", CLINIC)
    return chart.view(settings=records | {"held_by": held_by})


def _excluded(chart: Chart) -> None:
    clinic = Actor(name=CLINIC, organization=CLINIC, organization_code=CLINIC_CODE)
    chart.add(  # by code alone
        Condition,
        "infection",
        code=concept("Gonorrhoea", "15628003"),
        clinical_status=_ACTIVE,
        recorded=When("2025-07-02"),
    )
    chart.add(  # by organisation, which sent it as a linked record of its own
        Encounter,
        "walk-in",
        status="finished",
        type=(concept("Walk-in attendance"),),
        period=Period(start=When("2025-07-02T17:00:00"), end=When("2025-07-02T17:30:00")),
        provider=clinic,
    )
    chart.add(  # by whose record it is of
        Immunization,
        "hepatitis-b",
        status="completed",
        vaccine=concept("Hepatitis B vaccination"),
        occurrence=When("2025-07-02"),
        performers=(clinic,),
    )
    chart.add(  # by service
        Appointment,
        "repeat-test",
        status="booked",
        description="Repeat test in three weeks",
        service=service(SERVICE, SERVICE_CODE),
        start=When("2025-07-23T17:00:00"),
    )
    chart.add(  # by place
        Appointment,
        "second-dose",
        status="booked",
        description="Second dose of the vaccine",
        start=When("2025-08-02T17:00:00"),
        location=(clinic,),
    )
    chart.add(  # by words in free text alone
        Flag,
        "contact",
        status="active",
        category=(concept("Contact"),),
        code=concept("Call the mobile only"),
        note=(f"Asked for this at the {CLINIC} in July.",),
        author=HOSPITAL,
    )
    chart.add(  # by whose document it is
        DocumentReference,
        "letter",
        status="current",
        type=concept("Clinic letter"),
        date=When("2025-07-04"),
        description="Letter after attendance on 2 July",
        custodian=clinic,
        attachments=_letter("Treated on the day; partner informed.", "Letter after attendance on 2 July"),
    )
    chart.add(  # by the laboratory's customer
        Observation,
        "swab",
        status="final",
        category=_LABORATORY,
        code=concept("Nucleic acid amplification test"),
        effective=When("2025-07-02"),
        issued=When("2025-07-03T10:00:00+01:00"),
        value="Detected",
        performers=(Actor(organization=CLINIC, organization_code=CLINIC_CODE),),
    )
