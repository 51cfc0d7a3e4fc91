"""What a GP's system holds of the person with data of a service that a silent policy hides.

As in `sexual_health`, each excluded entry has its own way of giving the service away.
"""

from __future__ import annotations

from mpftconnect.model import (
    Actor,
    Attachment,
    Condition,
    DocumentReference,
    Dosage,
    Encounter,
    Immunization,
    MedicationStatement,
    Observation,
    Participant,
    Period,
    ProgressNote,
    ServiceRequest,
    When,
    concept,
)
from mpftconnect.sandbox.chart import Chart
from mpftconnect.sandbox.gp_shorthand import ACTIVE, PRACTICE_NURSE, about, course, within
from mpftconnect.sandbox.people import SystemView
from mpftconnect.sandbox.services import DOCTOR, GP, actor
from mpftconnect.sandbox.sexual_health import CLINIC, CLINIC_CODE

__all__ = ["sexual_health_record"]


def sexual_health_record(*, with_excluded: bool) -> SystemView:
    """The view; without what must not be shown if so asked."""
    chart = Chart("gp-7410123", "sh")
    chart.add(
        Condition,
        "gp-anxiety",
        code=concept("Generalised anxiety disorder", "21897009"),
        clinical_status=ACTIVE,
        significance="major",
        recorded=When("2024-10-21"),
        author=DOCTOR,
    )
    chart.add(
        MedicationStatement,
        "gp-sertraline",
        status="active",
        medication=concept("Sertraline 50mg tablets"),
        course=course("repeat"),
        effective=Period(start=When("2024-10-21")),
        recorded=When("2024-10-21"),
        dosage=(Dosage(text="One tablet each morning."),),
        author=DOCTOR,
        based_on=about("Condition/sh-gp-anxiety"),
    )
    chart.add(
        Encounter,
        "gp-july",
        status="finished",
        type=(concept("Face to face consultation"),),
        period=Period(start=When("2025-07-08T08:40:00"), end=When("2025-07-08T08:55:00")),
        participants=(Participant(actor=DOCTOR),),
        provider=GP,
    )
    chart.add(
        ProgressNote,
        "gp-july-history",
        text="Panic is rarer and sleep is better; would like to stay on the tablets until spring.",
        type=concept("History"),
        date=When("2025-07-08T08:40:00"),
        author=DOCTOR,
        encounter=within("Encounter/sh-gp-july"),
    )
    chart.add(
        DocumentReference,
        "gp-therapy-letter",
        status="current",
        type=concept("Clinical letter"),
        date=When("2025-06-13"),
        description="Talking therapy, progress after twelve sessions",
        author=actor(None),
        custodian=GP,
        attachments=(
            Attachment(
                content_type="text/plain", data_base64="U2hlIGlzIGJhY2sgYXQgd29yayBmb3VyIG1vcm5pbmdzIGEgd2Vlay4="
            ),
        ),
    )
    if with_excluded:
        _sexual_health_excluded(chart)
    return chart.view()


def _sexual_health_excluded(chart: Chart) -> None:
    clinic = Actor(name=CLINIC, organization=CLINIC, organization_code=CLINIC_CODE)
    chart.add(  # by code alone
        Condition,
        "gp-coded",
        code=concept("Gonorrhoea", "15628003"),
        clinical_status=ACTIVE,
        significance="minor",
        recorded=When("2025-07-09"),
        author=DOCTOR,
    )
    chart.add(  # by the problem that it belongs to
        Observation,
        "gp-partner",
        status="final",
        code=concept("Contact tracing advice given"),
        effective=When("2025-07-09"),
        performers=(DOCTOR,),
        based_on=about("Condition/sh-gp-coded"),
    )
    chart.add(  # by words in a free text
        Observation,
        "gp-mention",
        status="final",
        code=concept("Did not attend health check", "281399006"),
        effective=When("2025-07-02"),
        performers=(PRACTICE_NURSE,),
        note=(f"Rang to say sorry: she had to be at the {CLINIC} at five.",),
    )
    chart.add(  # by place
        Encounter,
        "gp-clinic-call",
        status="finished",
        type=(concept("Third party consultation"),),
        period=Period(start=When("2025-07-09T17:20:00")),
        participants=(Participant(actor=DOCTOR),),
        location=(clinic,),
        provider=GP,
    )
    chart.add(  # by the heading of a consultation
        ProgressNote,
        "gp-clinic-call-note",
        text="Result told by telephone; a course of tablets is enough and has been given.",
        type=concept(f"Communication from {CLINIC}"),
        date=When("2025-07-09T17:20:00"),
        author=DOCTOR,
        encounter=within("Encounter/sh-gp-clinic-call"),
    )
    chart.add(  # by an organisation, in its code alone
        DocumentReference,
        "gp-clinic-letter",
        status="current",
        type=concept("Clinical letter"),
        date=When("2025-07-07"),
        description="Attendance on 2 July",
        author=Actor(organization_code=CLINIC_CODE),
        custodian=GP,
        attachments=(
            Attachment(
                content_type="text/plain", data_base64="VHJlYXRlZCB0b2RheSwgcGxlYXNlIGRvIG5vdCB3cml0ZSBob21lLg=="
            ),
        ),
    )
    chart.add(  # by whom it was sent to
        ServiceRequest,
        "gp-referral",
        status="completed",
        intent="order",
        priority="routine",
        code=concept("Onward referral at own request"),
        authored=When("2025-06-30"),
        author=DOCTOR,
        performers=(clinic,),
    )
    chart.add(  # by code, in a reason
        MedicationStatement,
        "gp-azithromycin",
        status="completed",
        medication=concept("Azithromycin 500mg tablets"),
        course=course("acute"),
        effective=Period(start=When("2025-07-09"), end=When("2025-07-10")),
        recorded=When("2025-07-09"),
        dosage=(Dosage(text="Two tablets once, then no more."),),
        reason=(concept("Gonorrhoea", "15628003"),),
        author=DOCTOR,
    )
    chart.add(  # by where it was given
        Immunization,
        "gp-hepatitis",
        status="completed",
        vaccine=concept("Hepatitis A vaccination"),
        occurrence=When("2025-07-02"),
        recorded=When("2025-07-09"),
        location=clinic,
    )
