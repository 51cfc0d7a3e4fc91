"""What a GP's system holds of the full person: every kind of entry, problems linked, two consultations."""

from __future__ import annotations

from mpftconnect.model import (
    Actor,
    AllergyIntolerance,
    Attachment,
    Condition,
    DiagnosticReport,
    DocumentReference,
    Dosage,
    Encounter,
    Immunization,
    MedicationStatement,
    Observation,
    ObservationComponent,
    Participant,
    Period,
    ProgressNote,
    Quantity,
    Reaction,
    ReferenceRange,
    ServiceRequest,
    When,
    concept,
)
from mpftconnect.sandbox.chart import Chart
from mpftconnect.sandbox.gp_shorthand import (
    ACTIVE,
    ALLERGY_ACTIVE,
    ALLERGY_ENDED,
    INACTIVE,
    LABORATORY_CATEGORY,
    PRACTICE_NURSE,
    about,
    course,
    within,
)
from mpftconnect.sandbox.people import SystemView
from mpftconnect.sandbox.services import (
    DOCTOR,
    GP,
    LABORATORY,
    PODIATRIST,
    PODIATRY,
    SURGERY,
    SURGERY_CODE,
    coded,
    ucum,
)

__all__ = ["full_record"]


def full_record() -> SystemView:
    """The view; see `gp_record` for how it is written."""
    chart = Chart("gp-7410018", "full")
    _full_problems(chart)
    _full_medicines(chart)
    _full_allergies_and_immunisations(chart)
    _full_results(chart)
    _full_consultations(chart)
    _full_letters(chart)
    return chart.view()


def _full_problems(chart: Chart) -> None:
    chart.add(
        Condition,
        "gp-diabetes",
        code=concept("Type 2 diabetes mellitus", "44054006"),
        clinical_status=ACTIVE,
        significance="major",
        onset=When("2009-05-14"),
        recorded=When("2009-05-14"),
        author=DOCTOR,
    )
    chart.add(
        Condition,
        "gp-bipolar",
        code=concept("Bipolar affective disorder", "13746004"),
        clinical_status=ACTIVE,
        significance="major",
        onset=When("1984"),
        recorded=When("1998-02-03"),
        author=DOCTOR,
        note=("Looked after by the community mental health team; lithium levels come to us as well.",),
    )
    chart.add(
        Condition,
        "gp-leg-ulcer",
        code=concept("Venous ulcer of leg", "402863000"),
        clinical_status=ACTIVE,
        significance="minor",
        onset=When("2025-06"),
        recorded=When("2025-06-16T09:40:00"),
        author=DOCTOR,
        encounter=within("Encounter/full-gp-june-visit"),
        based_on=about("Condition/full-gp-diabetes"),
    )
    chart.add(
        Condition,
        "gp-plantar-fasciitis",
        code=concept("Plantar fasciitis", "202882003"),
        clinical_status=INACTIVE,
        significance="minor",
        onset=When("2016-03"),
        abatement=When("2017-01"),
        recorded=When("2016-03-22"),
        author=DOCTOR,
    )


def _full_medicines(chart: Chart) -> None:
    chart.add(
        MedicationStatement,
        "gp-metformin",
        status="active",
        medication=concept("Metformin 500mg tablets", "325278007"),
        course=course("repeat"),
        effective=Period(start=When("2009-06-01")),
        recorded=When("2009-06-01"),
        authored=When("2025-03-11"),
        last_issued=When("2025-08-12"),
        dosage=(Dosage(text="One tablet twice a day with meals."),),
        quantity=Quantity(value="56", unit="tablet"),
        repeats_allowed=6,
        author=DOCTOR,
        based_on=about("Condition/full-gp-diabetes"),
    )
    chart.add(
        MedicationStatement,
        "gp-ramipril",
        status="active",
        medication=concept("Ramipril 2.5mg capsules", "318857005"),
        course=course("repeat"),
        effective=Period(start=When("2018-10-02")),
        recorded=When("2018-10-02"),
        last_issued=When("2025-08-12"),
        dosage=(Dosage(text="One capsule each morning."),),
        quantity=Quantity(value="28", unit="capsule"),
        author=DOCTOR,
        based_on=about("Condition/full-gp-diabetes"),
    )
    chart.add(
        MedicationStatement,
        "gp-flucloxacillin-alternative",
        status="completed",
        medication=concept("Doxycycline 100mg capsules", "324057003"),
        course=course("acute"),
        effective=Period(start=When("2025-06-16"), end=When("2025-06-23")),
        recorded=When("2025-06-16T09:52:00"),
        last_issued=When("2025-06-16"),
        dosage=(Dosage(text="Two capsules on the first day, then one a day for six days."),),
        quantity=Quantity(value="8", unit="capsule"),
        author=DOCTOR,
        encounter=within("Encounter/full-gp-june-visit"),
        based_on=about("Condition/full-gp-leg-ulcer"),
    )
    chart.add(
        MedicationStatement,
        "gp-gliclazide",
        status="stopped",
        status_reason=(concept("Three low sugars in a fortnight while the appetite was poor."),),
        status_changed=When("2023-11-06"),
        medication=concept("Gliclazide 80mg tablets", "325242002"),
        course=course("repeat"),
        effective=Period(start=When("2020-01-20"), end=When("2023-11-06")),
        recorded=When("2020-01-20"),
        last_issued=When("2023-10-10"),
        dosage=(Dosage(text="Half a tablet with breakfast."),),
        author=DOCTOR,
    )


def _full_allergies_and_immunisations(chart: Chart) -> None:
    chart.add(
        AllergyIntolerance,
        "gp-penicillin",
        code=concept("Allergy to penicillin", "91936005"),
        clinical_status=ALLERGY_ACTIVE,
        type="allergy",
        category=("medication",),
        criticality="high",
        onset=When("1979"),
        recorded=When("1991-04-08"),
        author=DOCTOR,
        reactions=(Reaction(manifestation=(concept("Facial swelling"),), severity="severe"),),
    )
    chart.add(
        AllergyIntolerance,
        "gp-plasters",
        code=concept("Contact allergy to adhesive plaster"),
        clinical_status=ALLERGY_ENDED,
        category=("environment",),
        recorded=When("2003-02-17"),
        ended=When("2014-09-01"),
        reason_ended="Patch test negative",
        author=PRACTICE_NURSE,
        note=("Plasters have been used since then without any rash.",),
    )
    chart.add(
        Immunization,
        "gp-influenza",
        status="completed",
        vaccine=concept("Seasonal influenza vaccination", "822851000000102"),
        occurrence=When("2024-10-08"),
        recorded=When("2024-10-08T11:05:00"),
        primary_source=True,
        lot_number="AX24-0917",
        expiration=When("2025-03-31"),
        manufacturer=Actor(organization="Hollowell Biologicals"),
        site=concept("Left upper arm"),
        route=concept("Intramuscular"),
        performers=(PRACTICE_NURSE,),
    )
    chart.add(
        Immunization,
        "gp-shingles",
        status="not-done",
        status_reason=concept("Asked to think it over until after the interpreter could come."),
        vaccine=concept("Herpes zoster vaccination", "722215002"),
        occurrence=When("2024-10-08"),
        recorded=When("2024-10-08T11:07:00"),
        performers=(PRACTICE_NURSE,),
    )


def _full_results(chart: Chart) -> None:
    chart.add(
        Observation,
        "gp-hba1c",
        status="final",
        category=LABORATORY_CATEGORY,
        code=concept("Haemoglobin A1c level - IFCC standardised", "999791000000106"),
        effective=When("2025-06-10T08:15:00"),
        issued=When("2025-06-11T14:20:00"),
        value=ucum("61.0", "mmol/mol"),
        interpretation=(coded("H", "High", "v3-ObservationInterpretation"),),
        reference_ranges=(ReferenceRange(low=ucum("20", "mmol/mol"), high=ucum("41", "mmol/mol")),),
        performers=(LABORATORY,),
    )
    chart.add(
        DiagnosticReport,
        "gp-diabetic-bloods",
        status="final",
        category=LABORATORY_CATEGORY,
        code=concept("Diabetic annual review bloods"),
        issued=When("2025-06-11T14:20:00"),
        conclusion="Higher than in December; to be talked over at the June visit.",
        results=about("Observation/full-gp-hba1c"),
        performers=(LABORATORY,),
        based_on=about("Condition/full-gp-diabetes"),
    )
    chart.add(
        Observation,
        "gp-blood-pressure",
        status="final",
        code=concept("Blood pressure reading", "75367002"),
        effective=When("2025-06-16T09:45:00"),
        performers=(PRACTICE_NURSE,),
        encounter=within("Encounter/full-gp-june-visit"),
        components=(
            ObservationComponent(code=concept("Systolic blood pressure", "72313002"), value=ucum("138", "mm[Hg]")),
            ObservationComponent(
                code=concept("Diastolic blood pressure", "1091811000000102"), value=ucum("76", "mm[Hg]")
            ),
        ),
    )
    chart.add(
        Observation,
        "gp-smoking",
        status="final",
        code=concept("Never smoked tobacco", "266919005"),
        effective=When("2024-12-03"),
        performers=(PRACTICE_NURSE,),
    )


def _full_consultations(chart: Chart) -> None:
    chart.add(
        Encounter,
        "gp-june-visit",
        status="finished",
        type=(concept("Face to face consultation"),),
        period=Period(start=When("2025-06-16T09:30:00"), end=When("2025-06-16T09:55:00")),
        participants=(Participant(actor=DOCTOR),),
        location=(Actor(name="Consulting room 2", organization=SURGERY, organization_code=SURGERY_CODE),),
        provider=GP,
    )
    for heading, id_, text in (
        ("History", "gp-june-history", "Ulcer above the inner ankle since Whitsun, weeping since the weekend."),
        ("Examination", "gp-june-examination", "Four centimetres across, edges red and warm, foot pulses felt."),
        ("Plan", "gp-june-plan", "Antibiotic for a week, not penicillin; district nurses to dress it thrice weekly."),
    ):
        chart.add(
            ProgressNote,
            id_,
            text=text,
            type=concept(heading),
            date=When("2025-06-16T09:30:00"),
            status="final",
            author=DOCTOR,
            encounter=within("Encounter/full-gp-june-visit"),
        )
    chart.add(
        Encounter,
        "gp-july-call",
        status="finished",
        type=(concept("Telephone consultation with carer"),),
        period=Period(start=When("2025-07-22T12:10:00")),
        participants=(Participant(actor=PRACTICE_NURSE),),
        provider=GP,
    )
    chart.add(
        ProgressNote,
        "gp-july-note",
        text="Daughter rang: the dressing slips in the heat. Asked the district nurses to try another bandage.",
        type=concept("Comment"),
        date=When("2025-07-22T12:10:00"),
        status="final",
        author=PRACTICE_NURSE,
        encounter=within("Encounter/full-gp-july-call"),
    )


def _full_letters(chart: Chart) -> None:
    chart.add(
        ServiceRequest,
        "gp-podiatry",
        status="active",
        intent="order",
        priority="routine",
        code=concept("Referral to podiatry service", "306140002"),
        service=PODIATRY,
        authored=When("2025-06-16T10:05:00"),
        author=DOCTOR,
        performers=(PODIATRIST,),
        based_on=about("Condition/full-gp-diabetes"),
        note=("Please see within six weeks; the foot pulses are good but the nails are long.",),
    )
    chart.add(  # a diary entry: something that the practice means to do
        ServiceRequest,
        "gp-recall",
        status="active",
        intent="plan",
        code=concept("Diabetic annual review", "170777000"),
        authored=When("2025-06-16T10:02:00"),
        occurrence=When("2025-12-08"),
        author=DOCTOR,
        based_on=about("Condition/full-gp-diabetes"),
        note=("Book the interpreter with it, two weeks ahead.",),
    )
    chart.add(
        DocumentReference,
        "gp-podiatry-letter",
        status="current",
        type=concept("Referral letter", "25611000000107"),
        date=When("2025-06-16T10:06:00"),
        description="Letter to podiatry about diabetic foot care",
        author=DOCTOR,
        custodian=GP,
        attachments=(
            Attachment(
                content_type="text/plain",
                data_base64=(
                    "RGVhciBjb2xsZWFndWUsIHBsZWFzZSBzZWUgdGhpcyBsYWR5IGFib3V0IGhlciBuYWlscy4gSGVyIHB1bHNlcyBhcmUgZ29vZC4="
                ),
            ),
        ),
        based_on=about("Condition/full-gp-diabetes"),
    )
    chart.add(
        DocumentReference,
        "gp-eye-letter",
        status="current",
        type=concept("Clinical letter", "823691000000103"),
        date=When("2025-02-18"),
        recorded=When("2025-02-25T08:31:00"),
        description="Retinal screening result, both eyes",
        author=Actor(organization="Northmere Eye Screening", organization_code="ZZ215"),
        custodian=GP,
        practice_setting=concept("Diabetic retinopathy screening"),
        attachments=(
            Attachment(
                content_type="application/pdf",
                data_base64="JVBERi0xLjQKJSBOb3RoaW5nIGJ1dCBhIHN5bnRoZXRpYyBzYW1wbGUgb2YgYSBsZXR0ZXIuCiUlRU9GCg==",
            ),
        ),
    )
    chart.add(
        DocumentReference,
        "gp-old-notes",
        status="current",
        type=concept("Paper record, scanned"),
        date=When("1998-02-03"),
        description="Lloyd George envelope",
        custodian=GP,
        attachments=(Attachment(content_type="image/tiff", title="Kept on paper at the surgery, not scanned yet."),),
    )
