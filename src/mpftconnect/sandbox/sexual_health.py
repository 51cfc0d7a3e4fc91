"""A person with data of a service that a silent policy hides, and the same person without them.

Each excluded item has its own way of giving the service away: a code, the service's name, an organisation's code, a
place, a reference to something else that is excluded, words in a free text. The person without them is what a reader
of the record must not be able to tell apart from the one with them (rule 6).
"""

from __future__ import annotations

from mpftconnect.model import (
    Action,
    Actor,
    AllergyIntolerance,
    Appointment,
    Attachment,
    CarePlan,
    CareTeam,
    Condition,
    ContactPoint,
    DiagnosticReport,
    DocumentReference,
    Dosage,
    Encounter,
    Flag,
    Immunization,
    Line,
    MedicationStatement,
    Need,
    Observation,
    Participant,
    Period,
    ProgressNote,
    Reference,
    ServiceRequest,
    When,
    concept,
)
from mpftconnect.sandbox.chart import Chart
from mpftconnect.sandbox.people import Person, SystemView
from mpftconnect.sandbox.portraits import portrait
from mpftconnect.sandbox.services import COMMUNITY_NURSING, GP, LABORATORY, NURSE, coded, service, ucum

__all__ = [
    "EXCLUDED",
    "EXCLUDED_CODES",
    "EXCLUDED_ORGANISATIONS",
    "EXCLUDED_PHRASES",
    "EXCLUDED_SERVICES",
    "EXCLUDED_SYSTEMS",
    "sexual_health_person",
]

CLINIC = "Harbourside Wellbeing Clinic"
CLINIC_CODE = "ZZ555"
SERVICE = "Harbourside Integrated Contraception and Sexual Health"
SERVICE_CODE = "sexual-health"

# What a deployer of the sandbox would put into the settings of the exclusion policy.
EXCLUDED_SYSTEMS: tuple[str, ...] = ("sexual-health",)
EXCLUDED_ORGANISATIONS: tuple[str, ...] = (CLINIC_CODE, CLINIC)
EXCLUDED_SERVICES: tuple[str, ...] = (SERVICE_CODE, SERVICE)
EXCLUDED_PHRASES: tuple[str, ...] = (CLINIC,)
# SNOMED CT: 15628003 Gonorrhea (disorder), 76272004 Syphilis (disorder).
EXCLUDED_CODES: tuple[str, ...] = ("15628003", "76272004")
# The same as one table of settings for the policy `never-shown`.
EXCLUDED: dict[str, list[str]] = {
    "systems": list(EXCLUDED_SYSTEMS),
    "organisations": list(EXCLUDED_ORGANISATIONS),
    "services": list(EXCLUDED_SERVICES),
    "phrases": list(EXCLUDED_PHRASES),
    "codes": list(EXCLUDED_CODES),
}

_CLINIC = Actor(
    name=CLINIC,
    organization=CLINIC,
    organization_code=CLINIC_CODE,
    telecom=(ContactPoint(system="phone", value="01632 960155", use="work"),),
)
_CLINICIAN = Actor(name="Perpetua Hollinrake", role="nurse", organization=CLINIC, organization_code=CLINIC_CODE)
_SERVICE = service(SERVICE, SERVICE_CODE)
_ACTIVE = coded("active", "Active", "condition-clinical")
_LABORATORY = (coded("laboratory", "Laboratory", "observation-category"),)


def sexual_health_person(*, with_excluded: bool = True) -> Person:
    """The person; without what must not be shown if so asked."""
    person = portrait(
        role="sexual-health",
        number="9990000123",
        family="Marchbanks-Oduya",
        given="Leopoldina",
        gender="female",
        birth_date="1996-05-29",
        street="77 Cinnamon Wharf",
        postal_code="ZZ99 3HW",
        mobile="07700 900123",
    )
    systems = {
        "pds": SystemView(person.nhs_number),
        "rio": _rio(with_excluded),
        "synthetic": _synthetic(with_excluded),
    }
    if with_excluded:
        systems["sexual-health"] = _clinic()
    return Person(person.role, person.nhs_number, person.patient, systems=systems)


def _rio(with_excluded: bool) -> SystemView:
    chart = Chart("RX7410123", "sh")
    chart.add(
        Condition,
        "anxiety",
        code=concept("Generalised anxiety disorder", "21897009"),
        clinical_status=_ACTIVE,
        recorded=When("2024-11-05"),
        author=NURSE,
    )
    chart.add(
        AllergyIntolerance,
        "latex",
        code=concept("Latex allergy"),
        recorded=When("2024-11-05"),
        author=NURSE,
        category=("environment",),
    )
    chart.add(
        MedicationStatement,
        "sertraline",
        status="active",
        medication=concept("Sertraline 50mg tablets"),
        dosage=(Dosage(text="One tablet each morning."),),
        recorded=When("2024-11-05"),
    )
    chart.add(
        Encounter,
        "review",
        status="finished",
        type=(concept("Talking therapy review"),),
        period=Period(start=When("2025-06-11T11:00:00"), end=When("2025-06-11T11:50:00")),
    )
    chart.add(
        ProgressNote,
        "review-note",
        text="Panic attacks down to one a fortnight. Back at work at the bakery four mornings a week.",
        date=When("2025-06-11T12:05:00"),
        author=NURSE,
        encounter=Reference(reference="Encounter/sh-review"),
    )
    if with_excluded:
        _rio_excluded(chart)
    actions = [
        Action(id="ac-breathing", description="Breathing exercise before each early shift.", status="in-progress"),
        Action(
            id="ac-clinic",
            description="Go with Leopoldina to her clinic follow-up.",
            status="scheduled",
            who=(_CLINICIAN,),
            reference=Reference(reference="Appointment/sh-clinic-follow-up"),
        ),
    ]
    chart.add(
        CarePlan,
        "therapy-plan",
        status="active",
        intent="plan",
        title="Talking therapy care plan",
        created=When("2024-11-05"),
        author=NURSE,
        about_me=(Line(id="a1", description="The bakery is where I feel like myself."),),
        needs=(Need(id="n1", description="Panic on crowded buses.", status="active"),),
        # The plan stays; only the line that points at the clinic must go.
        actions=tuple(action for action in actions if with_excluded or action.id != "ac-clinic"),
    )
    members = [Participant(actor=NURSE, role=concept("Named nurse"))]
    if with_excluded:
        members.append(Participant(actor=_CLINICIAN, role=concept("Link nurse")))
    chart.add(CareTeam, "team", name="Talking therapies", status="active", participants=tuple(members))
    caseload = {
        "team": "Talking Therapies",
        "team_code": "TALK",
        "practitioner": "Ifeoma Adeyemi-Clarke",
        "opened": "2024-11-05",
        "closed": None,
    }
    return chart.view(settings={"caseload": (caseload,)})


def _rio_excluded(chart: Chart) -> None:
    chart.add(  # by code alone: nothing else in it says where it comes from
        Condition,
        "infection",
        code=concept("Gonorrhoea", "15628003"),
        clinical_status=_ACTIVE,
        recorded=When("2025-07-02"),
        author=NURSE,
    )
    chart.add(  # by service
        Encounter,
        "clinic-visit",
        status="finished",
        type=(concept("Walk-in consultation"),),
        service=_SERVICE,
        period=Period(start=When("2025-07-02T17:00:00"), end=When("2025-07-02T17:30:00")),
    )
    chart.add(  # by the encounter in which it was written
        ProgressNote,
        "clinic-note",
        text="Attended alone after work. Swabs taken, treated today, partner to be told by text.",
        date=When("2025-07-02T17:35:00"),
        encounter=Reference(reference="Encounter/sh-clinic-visit"),
    )
    chart.add(  # by organisation, in its code alone
        DocumentReference,
        "clinic-letter",
        status="current",
        type=concept("Clinic letter"),
        date=When("2025-07-04"),
        description="Letter after attendance on 2 July",
        custodian=Actor(organization_code=CLINIC_CODE),
        attachments=(Attachment(content_type="application/pdf", url="Binary/sh-clinic-letter", title="Clinic letter"),),
    )
    chart.add(  # by place
        Appointment,
        "clinic-follow-up",
        status="booked",
        description="Follow-up in three weeks",
        start=When("2025-07-23T17:00:00"),
        location=(_CLINIC,),
    )
    chart.add(  # by whom it was sent to
        ServiceRequest,
        "clinic-referral",
        status="active",
        intent="order",
        code=concept("Self-referral passed on"),
        authored=When("2025-07-01"),
        performers=(_CLINIC,),
    )
    chart.add(  # by what asked for it, two steps from the clinic
        Observation,
        "swab",
        status="final",
        category=_LABORATORY,
        code=concept("Nucleic acid amplification test"),
        value=concept("Detected"),
        effective=When("2025-07-02"),
        performers=(LABORATORY,),
        based_on=(Reference(reference="ServiceRequest/sh-clinic-referral"),),
    )
    chart.add(  # by what it reports, three steps away
        DiagnosticReport,
        "swab-report",
        status="final",
        category=_LABORATORY,
        code=concept("Microbiology report"),
        issued=When("2025-07-05"),
        conclusion="See single result; treat and repeat in three weeks.",
        performers=(LABORATORY,),
        results=(Reference(reference="Observation/sh-swab"),),
    )
    chart.add(  # by words in free text alone
        ProgressNote,
        "mention",
        text=f"Telephoned to move her session: she has to be at the {CLINIC} at five.",
        date=When("2025-07-21T10:00:00"),
        author=NURSE,
    )


def _synthetic(with_excluded: bool) -> SystemView:
    chart = Chart("sy-7410123", "sh")
    chart.add(
        Observation,
        "haemoglobin",
        status="final",
        category=_LABORATORY,
        code=concept("Haemoglobin"),
        effective=When("2025-06-03"),
        value=ucum("128", "g/L"),
        performers=(LABORATORY,),
    )
    chart.add(
        Appointment,
        "dressing",
        status="booked",
        description="Dressing of a burn on the forearm",
        service=COMMUNITY_NURSING,
        start=When("2025-09-09T09:00:00"),
    )
    chart.add(
        Immunization,
        "influenza",
        status="completed",
        vaccine=concept("Seasonal influenza vaccination"),
        occurrence=When("2024-10-21"),
        performers=(GP,),
    )
    if with_excluded:
        chart.add(  # by code, in a reason
            MedicationStatement,
            "ceftriaxone",
            status="completed",
            medication=concept("Ceftriaxone 1g injection"),
            effective=When("2025-07-02"),
            dosage=(Dosage(text="One gram into the muscle, once."),),
            reason=(concept("Gonorrhoea", "15628003"),),
        )
        chart.add(  # by the place where it was given
            Immunization,
            "hepatitis-b",
            status="completed",
            vaccine=concept("Hepatitis B vaccination"),
            occurrence=When("2025-07-02"),
            location=_CLINIC,
        )
        chart.add(  # by author
            Flag,
            "partner",
            status="active",
            code=concept("Do not write home; text only, and only about times"),
            author=_CLINICIAN,
        )
        chart.add(  # by code, as a value
            Observation,
            "serology",
            status="final",
            category=_LABORATORY,
            code=concept("Treponemal serology"),
            value=concept("Syphilis", "76272004"),
            effective=When("2025-07-02"),
        )
    return chart.view()


def _clinic() -> SystemView:
    """What the clinic's own system holds: never asked for at all."""
    chart = Chart("sh-7410123", "shc")
    chart.add(
        Encounter,
        "visit",
        status="finished",
        type=(concept("New patient consultation"),),
        service=_SERVICE,
        period=Period(start=When("2025-07-02T17:00:00"), end=When("2025-07-02T17:30:00")),
    )
    chart.add(
        ProgressNote,
        "note",
        text="New patient. Two partners in three months, full screen taken, first hepatitis B dose given.",
        date=When("2025-07-02T17:40:00"),
        author=_CLINICIAN,
    )
    chart.add(
        Condition,
        "infection",
        code=concept("Gonorrhoea", "15628003"),
        clinical_status=_ACTIVE,
        recorded=When("2025-07-05"),
    )
    return chart.view()
