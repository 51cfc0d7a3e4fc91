"""The full person: every section has content in both systems, with two active care plans that must stand side by side.

She has type 2 diabetes, a leg ulcer and bipolar disorder. Community nursing keeps its record in one system, the mental
health team in the other, and each knows things that the other does not: the ordinary case that this SDK is for.
"""

from __future__ import annotations

from mpftconnect.model import (
    Action,
    Actor,
    AdditionalPlan,
    Address,
    Agreement,
    AllergyIntolerance,
    Appointment,
    Attachment,
    CarePlan,
    CareTeam,
    CommunicationNeed,
    Condition,
    Consent,
    ContactPoint,
    ContingencyPlan,
    DiagnosticReport,
    DocumentReference,
    Dosage,
    Encounter,
    Flag,
    Goal,
    HumanName,
    Identifier,
    Immunization,
    LegalStatus,
    Line,
    MedicationStatement,
    Need,
    Observation,
    ObservationComponent,
    PartialDate,
    Participant,
    Patient,
    Period,
    ProgressNote,
    Quantity,
    Reaction,
    Reference,
    ReferenceRange,
    RelatedPerson,
    ServiceRequest,
    When,
    concept,
    nhs_number,
)
from mpftconnect.sandbox.chart import Chart, placeholder
from mpftconnect.sandbox.people import Person, SystemView
from mpftconnect.sandbox.services import (
    COMMUNITY_NURSING,
    COORDINATOR,
    CRISIS_LINE,
    DOCTOR,
    GP,
    LABORATORY,
    MENTAL_HEALTH,
    NURSE,
    PODIATRIST,
    PODIATRY,
    PSYCHIATRIST,
    actor,
    at,
    coded,
    phone,
    ucum,
)

__all__ = ["full_person"]

NUMBER = nhs_number("9990000018")
RIO_ID, SYNTHETIC_ID = "RX7410018", "sy-7410018"

_DAUGHTER = Actor(name="Wilhelmina Threlkeld-Obuya", role="daughter", telecom=(phone("07700 900118", "mobile"),))
_NEIGHBOUR = Actor(name="Barnaby Quincewright", role="neighbour, holds a key", telecom=(phone("01632 960118"),))
_PERSON = Actor(name="Rosalind Threlkeld", role="the person")
_DISTRICT_LINE = Actor(
    name="Community nursing single point of access",
    role="08:00 to 20:00 every day",
    telecom=(phone("01632 960140", "work"),),
)

_ACTIVE = coded("active", "Active", "condition-clinical")
_CONFIRMED = coded("confirmed", "Confirmed", "condition-ver-status")
_ALLERGY_ACTIVE = coded("active", "Active", "allergyintolerance-clinical")
_ALLERGY_CONFIRMED = coded("confirmed", "Confirmed", "allergyintolerance-verification")
_LABORATORY = (coded("laboratory", "Laboratory", "observation-category"),)
_VITAL_SIGNS = (coded("vital-signs", "Vital Signs", "observation-category"),)
_PROBLEM = (coded("problem-list-item", "Problem List Item", "condition-category"),)


def full_person() -> Person:
    return Person(
        role="full",
        nhs_number=NUMBER,
        patient=_patient(),
        systems={
            "pds": SystemView(NUMBER),
            "rio": _rio(),
            "synthetic": _synthetic(),
        },
    )


def _patient() -> Patient:
    return Patient(
        source=placeholder(f"Patient/{NUMBER}"),
        identifiers=(Identifier.nhs(NUMBER, "01"),),
        names=(
            HumanName(use="usual", family="Threlkeld", given=("Rosalind", "Philippa"), prefix=("Mrs",)),
            HumanName(use="nickname", family="Threlkeld", given=("Rozzie",)),
            HumanName(use="old", family="Haverstock", given=("Rosalind", "Philippa"), prefix=("Miss",)),
        ),
        gender="female",
        birth_date=PartialDate("1951-03-12"),
        addresses=(
            Address(
                use="home",
                line=("14 Quillfeather Lane", "Little Ambering"),
                city="Mossbridge",
                district="Northmereshire",
                postal_code="ZZ99 7TK",
            ),
        ),
        telecom=(
            ContactPoint(system="phone", value="01632 960018", use="home"),
            ContactPoint(system="phone", value="07700 900018", use="mobile"),
            ContactPoint(system="email", value="rosalind.threlkeld@mail.example", use="home"),
        ),
        general_practitioner=(GP,),
        nominated_pharmacy=(Actor(organization="Amberwell Pharmacy", organization_code="ZZ301"),),
        communication=(
            CommunicationNeed(
                language=concept("British Sign Language"),
                preferred=True,
                interpreter_required=True,
                note="Please book the interpreter two weeks ahead; texts are read, telephone calls are not heard.",
            ),
            CommunicationNeed(
                language=concept("English", "en", "https://fhir.hl7.org.uk/CodeSystem/UKCore-HumanLanguage", "English")
            ),
        ),
        reasonable_adjustments=(
            concept("Give a double appointment, so that the interpreter has time."),
            concept("Write letters in large print of eighteen points."),
        ),
        ethnic_category=concept(
            "British", "A", "https://fhir.hl7.org.uk/CodeSystem/UKCore-EthnicCategory", "British, Mixed British"
        ),
        marital_status=coded("W", "Widowed", "v3-MaritalStatus"),
        active=True,
        restriction="U",
    )


# The mental health record


def _rio() -> SystemView:
    chart = Chart(RIO_ID, "full")
    _rio_clinical(chart)
    _rio_contacts_with_services(chart)
    _rio_around(chart)
    _rio_plan(chart)
    caseload = {
        "team": "Older Adults Community Mental Health Team",
        "team_code": "OACMHT",
        "practitioner": "Tomasz Wilkanowski",
        "opened": "2021-06-14",
        "closed": None,
    }
    return chart.view(settings={"caseload": (caseload,)})


def _rio_clinical(chart: Chart) -> None:
    chart.add(
        Condition,
        "bipolar",
        code=concept("Bipolar affective disorder", "13746004"),
        clinical_status=_ACTIVE,
        verification_status=_CONFIRMED,
        category=_PROBLEM,
        onset=When("1984"),
        recorded=When("2021-06-14T10:20:00"),
        author=PSYCHIATRIST,
        service=MENTAL_HEALTH,
        note=("Two admissions, in 1984 and 1997. Well between episodes when sleep is kept regular.",),
    )
    chart.add(
        Condition,
        "diabetes",
        code=concept("Type 2 diabetes mellitus", "44054006"),
        clinical_status=_ACTIVE,
        verification_status=_CONFIRMED,
        recorded=When("2021-06-14"),
        author=PSYCHIATRIST,
        note=("As told by the surgery on referral.",),
    )
    chart.add(
        MedicationStatement,
        "lithium",
        status="active",
        medication=concept("Lithium carbonate 400mg modified-release tablets"),
        effective=Period(start=When("1998-02")),
        recorded=When("2025-05-20"),
        dosage=(
            Dosage(
                text="One tablet at night, swallowed whole.",
                dose=Quantity(value="1", unit="tablet"),
                route=concept("Oral"),
                timing="at night",
            ),
        ),
        reason=(concept("Bipolar affective disorder", "13746004"),),
        author=PSYCHIATRIST,
        note=("Stop and seek advice with vomiting or diarrhoea; keep the purple lithium book up to date.",),
    )
    chart.add(
        MedicationStatement,
        "metformin",
        status="active",
        medication=concept("Metformin 500mg tablets"),
        recorded=When("2025-05-20"),
        dosage=(
            Dosage(
                text="One tablet twice a day with meals.",
                dose=Quantity(value="1", unit="tablet"),
                route=concept("Oral"),
                timing="twice a day",
            ),
        ),
        author=DOCTOR,
    )
    chart.add(
        MedicationStatement,
        "ramipril",
        status="active",
        medication=concept("Ramipril 2.5mg capsules"),
        recorded=When("2025-05-20"),
        dosage=(Dosage(text="One capsule at night."),),
        author=PSYCHIATRIST,
        note=("As the person tells it; the lithium level is watched the more closely for it.",),
    )
    chart.add(
        MedicationStatement,
        "olanzapine",
        status="stopped",
        status_reason=(concept("Gained nine kilograms in five months and asked to stop it."),),
        medication=concept("Olanzapine 5mg tablets"),
        effective=Period(start=When("2022-01-10"), end=When("2022-06-30")),
        dosage=(Dosage(text="One tablet at night."),),
        author=PSYCHIATRIST,
    )
    chart.add(
        AllergyIntolerance,
        "penicillin",
        code=concept("Allergy to penicillin", "91936005"),
        clinical_status=_ALLERGY_ACTIVE,
        verification_status=_ALLERGY_CONFIRMED,
        type="allergy",
        category=("medication",),
        criticality="high",
        recorded=When("2021-06-14"),
        author=PSYCHIATRIST,
        reactions=(Reaction(manifestation=(concept("Facial swelling"),), severity="severe"),),
    )
    chart.add(
        Observation,
        "lithium-level",
        status="final",
        category=_LABORATORY,
        code=concept("Serum lithium level"),
        effective=When("2025-08-19T07:50:00+01:00"),
        issued=When("2025-08-19T16:05:00+01:00"),
        value=ucum("0.70", "mmol/L"),
        reference_ranges=(ReferenceRange(low=ucum("0.40", "mmol/L"), high=ucum("1.00", "mmol/L")),),
        performers=(LABORATORY,),
        note=("Taken twelve hours after the last dose.",),
    )
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
        DiagnosticReport,
        "lithium-monitoring",
        status="final",
        category=_LABORATORY,
        code=concept("Lithium monitoring, three-monthly"),
        effective=When("2025-08-19"),
        issued=When("2025-08-19T16:30:00+01:00"),
        conclusion="Lithium level within the laboratory's range; kidney function steady since May.",
        results=(
            Reference(reference="Observation/full-lithium-level"),
            Reference(reference="Observation/full-egfr"),
        ),
        performers=(LABORATORY,),
    )
    chart.add(
        Immunization,
        "covid",
        status="completed",
        vaccine=concept("COVID-19 vaccination"),
        occurrence=When("2025-04-22"),
        primary_source=False,
        location=at("Northmere Ward drop-in clinic"),
        note=("Told by the person; not seen in the vaccination record.",),
    )
    chart.add(
        LegalStatus,
        "section-117",
        code=concept("Entitled to aftercare under section 117 of the Mental Health Act 1983"),
        status="active",
        period=Period(start=When("1997-11-03")),
        review=When("2025-11-20"),
        authority=actor(
            "Northmereshire Council and the integrated care board", None, "Northmereshire Council", "ZZ401"
        ),
        conditions="Aftercare covers the care coordinator, outpatient reviews and the day centre on Wednesdays.",
    )
    chart.add(
        LegalStatus,
        "section-3",
        code=concept("Detained under section 3 of the Mental Health Act 1983"),
        status="ended",
        period=Period(start=When("1997-08-12"), end=When("1997-11-03")),
        authority=PSYCHIATRIST,
    )


def _rio_contacts_with_services(chart: Chart) -> None:
    chart.add(
        Encounter,
        "home-visit",
        status="finished",
        encounter_class="HH",
        type=(concept("Home visit by the care coordinator"),),
        period=Period(start=When("2025-08-20T14:00:00"), end=When("2025-08-20T14:50:00")),
        participants=(Participant(actor=COORDINATOR, role=concept("Primary performer")),),
        provider=actor(None),
        service=MENTAL_HEALTH,
        reason=(concept("Monthly review"),),
    )
    chart.add(
        ProgressNote,
        "home-visit-note",
        text=(
            "Seen at home with the BSL interpreter. Sleeping six to seven hours, mood even. Proud of the knitting for "
            "the chapel sale. Worried that the leg smells; agreed that I would tell the district nurses today."
        ),
        type=concept("Community mental health note"),
        date=When("2025-08-20T15:30:00"),
        status="final",
        author=COORDINATOR,
        encounter=Reference(reference="Encounter/full-home-visit"),
        service=MENTAL_HEALTH,
    )
    chart.add(
        ProgressNote,
        "text-message-note",
        text="Text from daughter: mum has been up since four two nights running. Visit brought forward to Thursday.",
        type=concept("Telephone and text contact"),
        date=When("2025-07-08T09:12:00"),
        status="final",
        author=COORDINATOR,
        service=MENTAL_HEALTH,
    )
    chart.add(
        DocumentReference,
        "outpatient-letter",
        status="current",
        doc_status="final",
        type=concept("Outpatient letter"),
        date=When("2025-05-21T11:00:00"),
        description="Letter to Dr Pentland after the outpatient review of 20 May 2025",
        author=PSYCHIATRIST,
        custodian=actor(None),
        service=MENTAL_HEALTH,
        attachments=(
            Attachment(
                content_type="text/plain",
                data_base64="TGl0aGl1bSBjb250aW51ZXMgdW5jaGFuZ2VkLiBOZXh0IGJsb29kcyBpbiBBdWd1c3Qu",
                title="Outpatient letter, 20 May 2025",
                created=When("2025-05-21"),
            ),
        ),
    )
    chart.add(
        Appointment,
        "outpatients",
        status="booked",
        type=concept("Outpatient review"),
        description="Outpatient review with Dr Swale",
        service=MENTAL_HEALTH,
        start=When("2025-11-20T10:30:00"),
        end=When("2025-11-20T11:15:00"),
        minutes=45,
        created=When("2025-05-20"),
        participants=(Participant(actor=PSYCHIATRIST, status="accepted"),),
        location=(at("Thornbury House, consulting room 4"),),
        patient_instruction="Please bring the purple lithium book. The interpreter is booked.",
    )
    chart.add(
        ServiceRequest,
        "psychology",
        status="completed",
        intent="order",
        priority="routine",
        code=concept("Referral to psychology for sleep and relapse-prevention work"),
        service=MENTAL_HEALTH,
        reason=(concept("Early waking before each past episode"),),
        authored=When("2024-10-02"),
        author=PSYCHIATRIST,
        performers=(actor(None, "psychology"),),
    )
    chart.add(
        Flag,
        "suicide-risk",
        status="active",
        category=(coded("clinical", "Clinical", "flag-category"),),
        code=concept("Past suicide attempt by overdose when low; give medicines weekly when mood falls"),
        period=Period(start=When("1997-08-10")),
        author=PSYCHIATRIST,
    )


def _rio_around(chart: Chart) -> None:
    chart.add(
        CareTeam,
        "cmht",
        name="Older Adults Community Mental Health Team",
        status="active",
        participants=(
            Participant(actor=COORDINATOR, role=concept("Care coordinator")),
            Participant(actor=PSYCHIATRIST, role=concept("Consultant psychiatrist")),
        ),
        organization=(actor(None),),
        period=Period(start=When("2021-06-14")),
    )
    chart.add(
        RelatedPerson,
        "daughter",
        relationship=(coded("N", "Next-of-Kin", "v2-0131"), concept("Daughter")),
        names=(HumanName(use="usual", family="Threlkeld-Obuya", given=("Wilhelmina",), prefix=("Ms",)),),
        telecom=(phone("07700 900118", "mobile", 1),),
        emergency_contact=True,
        active=True,
    )
    chart.add(
        Consent,
        "share-with-daughter",
        status="active",
        scope=coded("patient-privacy", "Privacy Consent", "consentscope"),
        category=(concept("Consent to share with a relative"),),
        decision="permit",
        given=When("2021-06-14"),
        policy="May tell the daughter about appointments, medicines and relapse signs, not what is said in sessions.",
        author=COORDINATOR,
    )


def _rio_plan(chart: Chart) -> None:
    crisis = ContingencyPlan(
        kind="crisis",
        triggers=(
            Line(id="t1", description="Nights with less than four hours of sleep, three in a row."),
            Line(id="t2", description="The anniversary of Gerald's death in the second week of January."),
            Line(id="t3", description="Missed lithium, or a stomach upset that stops tablets staying down."),
        ),
        early_signs=(
            Line(id="s1", description="Rozzie starts three knitting patterns at once and rings friends before dawn."),
            Line(id="s2", description="She stops opening the curtains and leaves the post on the mat."),
        ),
        what_to_do=(
            Line(id="d1", description="Sit with her in the kitchen and sign slowly; keep the light on so she can see."),
            Line(id="d2", description="Text the care coordinator the same day; out of hours, the crisis line."),
            Line(id="d3", description="Check the tablets against the lithium book and take a level within a day."),
            Line(id="d4", description="If she talks of ending her life, stay with her and call 999."),
        ),
        what_not_to_do=(
            Line(id="n1", description="Do not telephone: she cannot hear it and it frightens her to miss calls."),
            Line(id="n2", description="Do not offer olanzapine; she will refuse it and lose trust."),
        ),
        whom_to_call=(COORDINATOR, CRISIS_LINE, _DAUGHTER, _NEIGHBOUR),
        other=(
            Line(
                heading="Where I would rather be looked after",
                description="At home with the home treatment team, or at my daughter's, before a ward.",
            ),
        ),
    )
    chart.add(
        CarePlan,
        "mental-health-plan",
        status="active",
        intent="plan",
        title="Mental health care and support plan",
        description="Staying well at home, and what to do when sleep goes.",
        category=(concept("Mental health personalised care and support plan"),),
        period=Period(start=When("2025-05-20"), end=When("2026-05-19")),
        created=When("2025-05-20"),
        recorded=When("2025-05-20T16:10:00"),
        author=COORDINATOR,
        contributors=(_PERSON, PSYCHIATRIST, _DAUGHTER),
        service=MENTAL_HEALTH,
        about_me=(
            Line(
                id="a1",
                heading="What is important to me",
                description="Chapel on Sundays, my knitting circle, and signing with my granddaughter Odalys.",
                author=_PERSON,
                recorded=When("2025-05-20"),
            ),
            Line(
                id="a2",
                heading="How best to support me",
                description="Face me when you sign or speak and give me time; lip-reading tires me within ten minutes.",
                author=_PERSON,
            ),
            Line(
                id="a3",
                heading="People who are important to me",
                description="Wilhelmina and Odalys, and Barnaby next door who takes me to chapel.",
            ),
        ),
        strengths=(
            Line(id="st1", description="Knows her early signs better than anybody and says so in good time."),
            Line(id="st2", description="Has kept the lithium book without a gap since 1998."),
        ),
        needs=(
            Need(
                id="n-sleep",
                description="Sleep breaks up before every relapse.",
                code=concept("Bipolar affective disorder", "13746004"),
                status="active",
                priority="high",
            ),
            Need(
                id="n-lonely", description="Winters are lonely since Gerald died.", status="active", priority="medium"
            ),
        ),
        goals=(
            Goal(
                id="g-home",
                description="I want to stay out of hospital and in my own kitchen.",
                status="active",
                expressed_by=_PERSON,
                start=When("2025-05-20"),
                target=When("2026-05-19"),
                importance="10 of 10",
                confidence="7 of 10",
                addresses=("n-sleep",),
            ),
            Goal(
                id="g-teach",
                description="I would like to teach signing at the chapel by Christmas.",
                status="active",
                achievement=coded("in-progress", "In Progress", "goal-achievement"),
                expressed_by=_PERSON,
                target=When("2025-12"),
                importance="8 of 10",
                confidence="5 of 10",
                addresses=("n-lonely",),
            ),
        ),
        actions=(
            Action(
                id="ac-visit",
                description="See Rosalind at home every four weeks with an interpreter.",
                status="in-progress",
                who=(COORDINATOR,),
                scheduled="every four weeks, Wednesdays at two",
                location="at home",
                outcome="Seen on 20 August; mood even, sleeping six to seven hours.",
                goals=("g-home",),
            ),
            Action(
                id="ac-bloods",
                description="Lithium level, kidney and thyroid function every three months.",
                status="in-progress",
                who=(DOCTOR,),
                scheduled=Period(start=When("2025-05-20"), end=When("2026-05-19")),
                outcome="Taken on 19 August 2025.",
                goals=("g-home",),
            ),
            Action(
                id="ac-class",
                description="Write to the minister about a Thursday signing class.",
                status="completed",
                who=(_PERSON, COORDINATOR),
                scheduled=When("2025-06-30"),
                outcome="The minister has offered the vestry from October.",
                goals=("g-teach",),
            ),
            Action(
                id="ac-buddy",
                description="Ask the befriending scheme for a volunteer who signs.",
                status="on-hold",
                status_reason="No volunteer who signs until the new year.",
                who=(COORDINATOR,),
                goals=("g-teach",),
            ),
        ),
        contingency=(crisis,),
        formulation=(
            Line(
                id="f1",
                heading="How we understand it together",
                description=(
                    "Early deafness taught Rosalind to watch closely and to work hard at keeping up. Losing sleep "
                    "takes that effort away first; grief in winter costs sleep, and the rest follows in a fortnight."
                ),
                author=PSYCHIATRIST,
                recorded=When("2024-12-11"),
            ),
        ),
        additional_plans=(
            AdditionalPlan(
                type=concept("Advance statement"),
                description="Wants the home treatment team first, and a female ward if it must be one.",
                date=When("2024-12-11"),
                location="In this record, and with the daughter",
            ),
        ),
        agreement=Agreement(agreed=True, by=_PERSON, date=When("2025-05-20"), note="Has her own copy in large print."),
        review=When("2025-11-20"),
        team=(
            Participant(actor=COORDINATOR, role=concept("Care coordinator")),
            Participant(actor=PSYCHIATRIST, role=concept("Consultant psychiatrist")),
            Participant(actor=_DAUGHTER, role=concept("Carer")),
        ),
        coordinator=COORDINATOR,
        replaces=(Reference(reference="CarePlan/full-mental-health-plan-2024"),),
    )
    chart.add(
        CarePlan,
        "mental-health-plan-2024",
        status="completed",
        intent="plan",
        title="Mental health care and support plan, 2024",
        category=(concept("Mental health personalised care and support plan"),),
        period=Period(start=When("2024-05-16"), end=When("2025-05-20")),
        created=When("2024-05-16"),
        author=COORDINATOR,
        goals=(Goal(id="g-1", description="To get through January without a crisis.", status="completed"),),
        agreement=Agreement(agreed=True, by=_PERSON, date=When("2024-05-16")),
    )


# The community record


def _synthetic() -> SystemView:
    chart = Chart(SYNTHETIC_ID, "full")
    _community_clinical(chart)
    _community_contacts_with_services(chart)
    _community_around(chart)
    _community_plan(chart)
    return chart.view()


def _community_clinical(chart: Chart) -> None:
    chart.add(
        Condition,
        "diabetes",
        code=concept("Type 2 diabetes mellitus", "44054006"),
        clinical_status=_ACTIVE,
        verification_status=_CONFIRMED,
        category=_PROBLEM,
        onset=When("2009-10"),
        recorded=When("2023-02-06"),
        author=NURSE,
        service=COMMUNITY_NURSING,
    )
    chart.add(
        Condition,
        "leg-ulcer",
        code=concept("Venous ulcer of the left lower leg"),
        clinical_status=_ACTIVE,
        verification_status=_CONFIRMED,
        category=_PROBLEM,
        severity=concept("Moderate"),
        body_site=(concept("Left gaiter area, inner side"),),
        onset=When("2025-06-02"),
        recorded=When("2025-06-09T09:40:00"),
        author=NURSE,
        service=COMMUNITY_NURSING,
        note=("Four by three centimetres on 25 August; edges pink, some slough, smell since last week.",),
    )
    chart.add(
        Condition,
        "cellulitis",
        code=concept("Cellulitis of the left lower leg"),
        clinical_status=coded("resolved", "Resolved", "condition-clinical"),
        verification_status=_CONFIRMED,
        onset=Period(start=When("2024-03-11"), end=When("2024-03-25")),
        abatement=When("2024-03-25"),
        author=NURSE,
    )
    chart.add(
        MedicationStatement,
        "metformin",
        status="active",
        medication=concept("Metformin 500mg tablets"),
        recorded=When("2025-05-20"),
        dosage=(
            Dosage(
                text="One tablet twice a day with meals.",
                dose=Quantity(value="1", unit="tablet"),
                route=concept("Oral"),
                timing="twice a day",
            ),
        ),
        author=DOCTOR,
    )
    chart.add(
        MedicationStatement,
        "ramipril",
        kind="request",
        status="active",
        intent="order",
        medication=concept("Ramipril 2.5mg capsules"),
        course=concept("Repeat"),
        authored=When("2025-04-14"),
        last_issued=When("2025-08-11"),
        dosage=(
            Dosage(text="One capsule each morning.", dose=Quantity(value="2.50", unit="mg"), route=concept("Oral")),
        ),
        quantity=Quantity(value="28", unit="capsule"),
        repeats_allowed=5,
        author=DOCTOR,
    )
    chart.add(
        MedicationStatement,
        "paracetamol",
        status="active",
        medication=concept("Paracetamol 500mg tablets"),
        effective=Period(start=When("2025-06-09")),
        dosage=(
            Dosage(
                text="One or two tablets up to four times a day when needed, half an hour before the dressing.",
                as_needed=concept("Pain at dressing change"),
                route=concept("Oral"),
            ),
        ),
        author=NURSE,
    )
    chart.add(
        AllergyIntolerance,
        "penicillin",
        code=concept("Allergy to penicillin", "91936005"),
        clinical_status=_ALLERGY_ACTIVE,
        verification_status=_ALLERGY_CONFIRMED,
        type="allergy",
        category=("medication",),
        criticality="high",
        onset=When("1969"),
        recorded=When("2023-02-06"),
        author=NURSE,
        reactions=(
            Reaction(
                manifestation=(concept("Urticaria", "126485001"),),
                description="Came out in weals over the whole body after two days of tablets.",
                severity="moderate",
            ),
        ),
    )
    chart.add(
        AllergyIntolerance,
        "zinc-paste",
        code=concept("Intolerance of zinc paste bandage"),
        clinical_status=_ALLERGY_ACTIVE,
        type="intolerance",
        criticality="low",
        recorded=When("2025-06-23"),
        author=NURSE,
        reactions=(Reaction(manifestation=(concept("Contact dermatitis"),), severity="mild"),),
    )
    chart.add(
        Observation,
        "weight",
        status="final",
        category=_VITAL_SIGNS,
        code=concept("Body weight", "27113001"),
        effective=When("2025-08-25T09:35:00"),
        value=ucum("72.50", "kg"),
        performers=(NURSE,),
    )
    chart.add(
        Observation,
        "blood-pressure",
        status="final",
        category=_VITAL_SIGNS,
        code=concept("Blood pressure", "75367002"),
        effective=When("2025-08-25T09:40:00"),
        components=(
            ObservationComponent(
                code=concept("Systolic blood pressure", "271649006"), value=ucum("138", "mmHg", "mm[Hg]")
            ),
            ObservationComponent(
                code=concept("Diastolic blood pressure", "271650006"), value=ucum("76", "mmHg", "mm[Hg]")
            ),
        ),
        performers=(NURSE,),
        body_site=concept("Right upper arm"),
    )
    chart.add(
        Observation,
        "hba1c",
        status="final",
        category=_LABORATORY,
        code=concept("Haemoglobin A1c"),
        effective=When("2025-07-14T08:20:00+01:00"),
        issued=When("2025-07-15T12:00:00+01:00"),
        value=ucum("58", "mmol/mol"),
        interpretation=(coded("H", "High", "v3-ObservationInterpretation"),),
        reference_ranges=(
            ReferenceRange(
                low=ucum("20", "mmol/mol"),
                high=ucum("41", "mmol/mol"),
                text="20 to 41 without diabetes",
            ),
        ),
        performers=(LABORATORY,),
    )
    chart.add(
        Observation,
        "abpi",
        status="final",
        code=concept("Ankle brachial pressure index, left"),
        effective=When("2025-06-16"),
        value=Quantity(value="1.02"),
        method=concept("Handheld Doppler"),
        performers=(NURSE,),
        note=("Suitable for strong compression.",),
    )
    chart.add(
        DiagnosticReport,
        "wound-swab",
        status="final",
        category=_LABORATORY,
        code=concept("Wound swab, left leg"),
        effective=When("2025-08-26"),
        issued=When("2025-08-29T10:15:00+01:00"),
        conclusion="Mixed skin growth. No organism that by itself calls for antibiotics.",
        performers=(LABORATORY,),
        based_on=(Reference(reference="ServiceRequest/full-swab-request"),),
    )
    chart.add(
        Immunization,
        "influenza",
        status="completed",
        vaccine=concept("Seasonal influenza vaccination"),
        occurrence=When("2024-10-08"),
        primary_source=True,
        lot_number="QX2417B",
        expiration=When("2025-06-30"),
        site=concept("Left deltoid"),
        route=concept("Intramuscular"),
        dose=ucum("0.50", "mL"),
        dose_number="1",
        target_disease=(concept("Influenza"),),
        performers=(NURSE,),
    )
    chart.add(
        Immunization,
        "shingles",
        status="not-done",
        status_reason=concept("Wants to ask her daughter first"),
        vaccine=concept("Shingles vaccination"),
        occurrence=When("2024-10-08"),
        performers=(NURSE,),
    )


def _community_contacts_with_services(chart: Chart) -> None:
    chart.add(
        Encounter,
        "dressing-visit",
        status="finished",
        encounter_class="HH",
        type=(concept("Leg ulcer dressing at home"),),
        period=Period(start=When("2025-08-25T09:30:00"), end=When("2025-08-25T10:15:00")),
        participants=(Participant(actor=NURSE),),
        provider=actor(None),
        service=COMMUNITY_NURSING,
    )
    chart.add(
        ProgressNote,
        "dressing-note",
        text=(
            "Left leg redressed, two-layer compression reapplied. Ulcer slightly smaller, smell and more exudate than "
            "last week; swab taken. Feet checked, no new broken skin. Interpreter present for the first half."
        ),
        type=concept("Community nursing note"),
        date=When("2025-08-25T10:20:00"),
        status="final",
        author=NURSE,
        encounter=Reference(reference="Encounter/full-dressing-visit"),
        service=COMMUNITY_NURSING,
    )
    chart.add(
        DocumentReference,
        "foot-screening",
        status="current",
        type=concept("Diabetic foot screening summary"),
        date=When("2025-03-18"),
        description="Yearly diabetic foot screening, increased risk",
        author=PODIATRIST,
        service=PODIATRY,
        practice_setting=PODIATRY,
        attachments=(
            Attachment(
                content_type="application/pdf", url="Binary/full-foot-screening", title="Foot screening", size=48213
            ),
        ),
    )
    chart.add(
        Appointment,
        "podiatry",
        status="booked",
        type=concept("Podiatry review"),
        description="Podiatry review, increased-risk foot",
        service=PODIATRY,
        start=When("2025-09-18T13:40:00"),
        end=When("2025-09-18T14:20:00"),
        minutes=40,
        created=When("2025-03-18"),
        participants=(Participant(actor=PODIATRIST, status="accepted"),),
        location=(at("Amberwell Health Centre, room 2"),),
        patient_instruction="Bring the shoes that you wear most.",
    )
    chart.add(
        Appointment,
        "wound-clinic",
        status="cancelled",
        type=concept("Wound clinic"),
        service=COMMUNITY_NURSING,
        start=When("2025-08-12T09:00:00"),
        cancellation_reason=concept("No interpreter could be found for the day"),
        location=(at("Amberwell Health Centre, treatment room"),),
    )
    chart.add(
        ServiceRequest,
        "vascular",
        status="active",
        intent="order",
        priority="urgent",
        code=concept("Referral to vascular outpatients"),
        reason=(concept("Ulcer not healing after twelve weeks of compression"),),
        authored=When("2025-08-27"),
        author=NURSE,
        performers=(Actor(organization="Northmere General Hospital, vascular outpatients", organization_code="ZZ220"),),
    )
    chart.add(
        ServiceRequest,
        "swab-request",
        status="completed",
        intent="order",
        code=concept("Wound swab for culture"),
        authored=When("2025-08-25"),
        author=NURSE,
        performers=(LABORATORY,),
    )
    chart.add(
        Flag,
        "falls",
        status="active",
        category=(coded("safety", "Safety", "flag-category"),),
        code=concept("Falls risk: two falls on the back step since Easter"),
        period=Period(start=When("2025-04-20")),
        author=NURSE,
    )
    chart.add(
        Flag,
        "deaf",
        status="active",
        category=(coded("contact", "Subject Contact", "flag-category"),),
        code=concept("Does not hear the bell or telephone: use the key safe, and switch the hall light on and off"),
        author=NURSE,
    )


def _community_around(chart: Chart) -> None:
    chart.add(
        CareTeam,
        "nursing",
        name="Mossbridge Community Nursing",
        status="active",
        participants=(
            Participant(actor=NURSE, role=concept("Named nurse")),
            Participant(actor=PODIATRIST, role=concept("Podiatrist")),
            Participant(actor=DOCTOR, role=concept("General practitioner")),
        ),
        organization=(actor(None),),
    )
    chart.add(
        RelatedPerson,
        "daughter",
        relationship=(coded("DAU", "natural daughter", "v3-RoleCode"),),
        names=(HumanName(use="usual", family="Threlkeld-Obuya", given=("Wilhelmina",)),),
        telecom=(phone("07700 900118", "mobile", 1), ContactPoint(system="email", value="mina.obuya@mail.example")),
        addresses=(Address(line=("3 Larkspur Terrace",), city="Upper Dunnock", postal_code="ZZ99 4BP"),),
        active=True,
    )
    chart.add(
        RelatedPerson,
        "neighbour",
        relationship=(concept("Neighbour, holds a key"),),
        names=(HumanName(family="Quincewright", given=("Barnaby",), prefix=("Mr",)),),
        telecom=(phone("01632 960118", "home", 2),),
        emergency_contact=True,
        active=True,
    )
    chart.add(
        LegalStatus,
        "lpa-health",
        code=concept("Lasting power of attorney for health and welfare, registered"),
        status="active",
        period=Period(start=When("2022-09-05")),
        authority=_DAUGHTER,
        conditions="May decide on life-sustaining treatment once capacity is lost.",
    )
    chart.add(
        Consent,
        "wound-photographs",
        status="active",
        scope=coded("treatment", "Treatment", "consentscope"),
        category=(concept("Consent to wound photographs"),),
        decision="permit",
        given=When("2025-06-09"),
        author=NURSE,
    )
    chart.add(
        Consent,
        "research",
        status="active",
        scope=coded("research", "Research", "consentscope"),
        category=(concept("Contact about research"),),
        decision="deny",
        given=When("2023-02-06"),
        author=NURSE,
    )


def _community_plan(chart: Chart) -> None:
    contingency = ContingencyPlan(
        kind="contingency",
        triggers=(Line(id="t1", description="The bandage slips, gets wet, or the leg swells over the top of it."),),
        early_signs=(
            Line(id="s1", description="Heat, spreading redness or a new smell from the left leg."),
            Line(id="s2", description="Sugar readings over fifteen on two mornings."),
        ),
        what_to_do=(
            Line(id="d1", description="Raise the leg, take the bandage off if the toes go blue, and text the nurses."),
            Line(id="d2", description="With fever or shaking, go to hospital and say penicillin allergy and lithium."),
        ),
        what_not_to_do=(Line(id="n1", description="No anti-inflammatory painkillers: they raise the lithium level."),),
        whom_to_call=(_DISTRICT_LINE, GP, _DAUGHTER),
    )
    chart.add(
        CarePlan,
        "community-plan",
        status="active",
        intent="plan",
        title="Community nursing care and support plan",
        description="Healing the leg, keeping the feet safe and living with diabetes.",
        category=(concept("Community nursing personalised care and support plan"),),
        period=Period(start=When("2025-06-09"), end=When("2025-12-09")),
        created=When("2025-06-09"),
        recorded=When("2025-08-25T10:25:00"),
        author=NURSE,
        contributors=(_PERSON, PODIATRIST),
        service=COMMUNITY_NURSING,
        about_me=(
            Line(
                id="a1",
                heading="What is important to me",
                description="Walking to chapel on my own two feet and not smelling of my leg.",
                author=_PERSON,
                recorded=When("2025-06-09"),
            ),
            Line(
                id="a2",
                heading="How to communicate with me",
                description="Sign, write it down or text. Use the key safe and flick the hall light so I know.",
            ),
        ),
        strengths=(Line(id="st1", description="Checks her feet every evening and keeps a sugar diary."),),
        needs=(
            Need(
                id="n-leg",
                description="Open venous ulcer above the left ankle.",
                status="active",
                priority="high",
                recorded=When("2025-06-09"),
            ),
            Need(
                id="n-sugar",
                description="Sugars run high when sleep is poor.",
                code=concept("Type 2 diabetes mellitus", "44054006"),
                status="active",
            ),
        ),
        goals=(
            Goal(
                id="g-heal",
                description="I want the leg closed before the Christmas concert.",
                status="active",
                achievement=coded("improving", "Improving", "goal-achievement"),
                expressed_by=_PERSON,
                start=When("2025-06-09"),
                target=When("2025-12-14"),
                importance="9 of 10",
                confidence="6 of 10",
                addresses=("n-leg",),
            ),
            Goal(
                id="g-sugar",
                description="HbA1c under 53 by the winter check.",
                status="active",
                expressed_by=NURSE,
                target=When("2025-12"),
                addresses=("n-sugar",),
            ),
        ),
        actions=(
            Action(
                id="ac-dressing",
                description="Redress the left leg and reapply compression.",
                status="in-progress",
                who=(NURSE,),
                scheduled="Mondays and Thursdays",
                location="at home",
                outcome="Four by three centimetres on 25 August, from five by four in June.",
                goals=("g-heal",),
            ),
            Action(
                id="ac-vascular",
                description="Ask the vascular team for an opinion.",
                status="scheduled",
                who=(NURSE,),
                scheduled=When("2025-08-27"),
                goals=("g-heal",),
                reference=Reference(reference="ServiceRequest/full-vascular"),
            ),
            Action(
                id="ac-diary",
                description="Measure sugars before breakfast and bring the diary.",
                status="in-progress",
                who=(_PERSON,),
                scheduled="every morning",
                goals=("g-sugar",),
            ),
        ),
        contingency=(contingency,),
        additional_plans=(
            AdditionalPlan(
                type=concept("ReSPECT form"),
                description="Wants hospital treatment and resuscitation; not ventilation if there is no way back.",
                location="Green folder by the front door",
                date=When("2024-11-28"),
            ),
            AdditionalPlan(
                type=concept("Advance decision to refuse treatment"),
                description="Refuses amputation above the knee, whatever the danger.",
                date=When("2022-09-05"),
                location="With the attorney and in the surgery's record",
            ),
        ),
        agreement=Agreement(agreed=True, by=_PERSON, date=When("2025-06-09")),
        review=When("2025-12-09"),
        team=(
            Participant(actor=NURSE, role=concept("Named nurse")),
            Participant(actor=PODIATRIST, role=concept("Podiatrist")),
        ),
        coordinator=NURSE,
    )
