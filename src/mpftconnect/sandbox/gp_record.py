"""What a GP's system holds of the synthetic people, as GP Connect gives it.

Here a problem is what an entry's `based_on` names, a note's type is the heading under which it was written, a
resolved allergy is one that has ended, and a severity says how significant a problem is. What only the twin of GP
Connect understands stands in the settings of a view: `confidential`, `in_transit_since`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mpftconnect.model import (
    Actor,
    AllergyIntolerance,
    Attachment,
    Condition,
    DocumentReference,
    Dosage,
    Encounter,
    HumanName,
    Identifier,
    Immunization,
    MedicationStatement,
    PartialDate,
    Participant,
    Patient,
    Period,
    ProgressNote,
    Reaction,
    When,
    concept,
)
from mpftconnect.sandbox.chart import Chart, placeholder
from mpftconnect.sandbox.gp_excluded_record import sexual_health_record
from mpftconnect.sandbox.gp_full_record import full_record
from mpftconnect.sandbox.gp_shorthand import ACTIVE, ALLERGY_ACTIVE, PRACTICE_NURSE, course, within
from mpftconnect.sandbox.people import SystemView
from mpftconnect.sandbox.services import DOCTOR, GP

__all__ = ["views"]


def views(*, with_excluded: bool = True) -> Mapping[str, Mapping[str, SystemView]]:
    """By system, then by the person's role.

    Args:
        with_excluded: Whether what a silent policy hides was ever written down.
    """
    made: dict[str, Callable[[], SystemView]] = {
        "full": full_record,
        "conflicting": _conflicting,
        "cross-border": _cross_border,
        "restricted": _restricted,
        "deceased": _deceased,
        "superseded": _superseded,
        "sexual-health": lambda: sexual_health_record(with_excluded=with_excluded),
        "changed-name": _changed_name,
        "birth-date-differs": _birth_date_differs,
        "unverified": _unverified,
        "twin-a": lambda: _twin("a"),
        "twin-b": lambda: _twin("b"),
        "father": lambda: _generation("father"),
        "son": lambda: _generation("son"),
    }
    return {"gpconnect": {role: make() for role, make in made.items()}}


def _known(
    number: str,
    family: str,
    given: tuple[str, ...],
    born: str,
    gender: str,
    *,
    practice: Actor = GP,
    status: str = "01",
    **further: Any,
) -> Patient:
    """The person as the practice registered them."""
    return Patient(
        source=placeholder(f"Patient/{number}"),
        identifiers=(Identifier.nhs(number, status),),
        names=(HumanName(use="official", family=family, given=given),),
        gender=gender,
        birth_date=PartialDate(born),
        general_practitioner=(practice,),
        active=True,
        **further,
    )


def _conflicting() -> SystemView:
    """Against the trust's record: an allergy where none is known there, and another strength of amlodipine."""
    chart = Chart("gp-7410212", "conflicting")
    chart.add(
        AllergyIntolerance,
        "gp-penicillin",
        code=concept("Allergy to penicillin", "91936005"),
        clinical_status=ALLERGY_ACTIVE,
        category=("medication",),
        criticality="high",
        recorded=When("1988-03-02"),
        author=DOCTOR,
        reactions=(Reaction(manifestation=(concept("Widespread hives"),), severity="moderate"),),
    )
    chart.add(
        MedicationStatement,
        "gp-amlodipine",
        status="active",
        medication=concept("Amlodipine 10mg tablets"),
        course=course("repeat"),
        effective=Period(start=When("2025-06-02")),
        recorded=When("2025-06-02"),
        last_issued=When("2025-08-05"),
        dosage=(Dosage(text="One tablet each morning."),),
        author=DOCTOR,
        note=("Put up from five milligrams after three weeks of home readings.",),
    )
    chart.add(
        Condition,
        "gp-hypertension",
        code=concept("Essential hypertension", "59621000"),
        clinical_status=ACTIVE,
        significance="major",
        onset=When("2012"),
        recorded=When("2012-09-19"),
        author=DOCTOR,
    )
    return chart.view(settings={"confidential": ("medications", "problems")})


def _cross_border() -> SystemView:
    """Her practice lies beyond the border, and her former practice's record has not come yet."""
    practice = Actor(name="Meddygfa Cwm Llwyd", organization="Meddygfa Cwm Llwyd", organization_code="ZZ701")
    doctor = Actor(
        name="Dr Bronwen Tudor-Vane",
        role="general practitioner",
        organization="Meddygfa Cwm Llwyd",
        organization_code="ZZ701",
    )
    chart = Chart("gp-7410093", "border")
    chart.add(
        Condition,
        "gp-kidneys",
        code=concept("Chronic kidney disease stage 3", "433144002"),
        clinical_status=ACTIVE,
        significance="major",
        onset=When("2021-11"),
        recorded=When("2025-05-27"),
        author=doctor,
    )
    chart.add(
        MedicationStatement,
        "gp-atorvastatin",
        status="active",
        medication=concept("Atorvastatin 20mg tablets"),
        course=course("repeat"),
        effective=Period(start=When("2025-05-27")),
        recorded=When("2025-05-27"),
        dosage=(Dosage(text="Un dabled gyda'r nos; one tablet at night."),),
        author=doctor,
    )
    return chart.view(
        _known("9990000093", "Llewellyn-Price", ("Gwenhwyfar",), "1944-02-29", "female", practice=practice),
        {"in_transit_since": "27-May-2025"},
    )


def _restricted() -> SystemView:
    """The practice knows where she lives, and so does much of what it wrote. No practice shows her to anybody."""
    chart = Chart("gp-7410034", "restricted")
    chart.add(
        Condition,
        "gp-asthma",
        code=concept("Asthma", "195967001"),
        clinical_status=ACTIVE,
        significance="major",
        recorded=When("2011-01-12"),
        author=DOCTOR,
        note=("Worse since the move to Hollyhock Mews; the walls of the flat are damp.",),
    )
    chart.add(
        Encounter,
        "gp-visit",
        status="finished",
        type=(concept("Home visit"),),
        period=Period(start=When("2025-04-30T13:00:00")),
        participants=(Participant(actor=DOCTOR),),
        location=(Actor(name="5 Hollyhock Mews"),),
        provider=GP,
    )
    chart.add(
        ProgressNote,
        "gp-visit-note",
        text="Seen above the bakery; the side door by the canal is the one that is used.",
        type=concept("History"),
        date=When("2025-04-30T13:00:00"),
        author=DOCTOR,
        encounter=within("Encounter/restricted-gp-visit"),
    )
    chart.add(
        DocumentReference,
        "gp-housing-letter",
        status="current",
        type=concept("Letter"),
        date=When("2025-05-02"),
        description="Support for rehousing away from Hollyhock Mews",
        author=DOCTOR,
        custodian=Actor(organization="Mossbridge Housing Office", organization_code="ZZ402"),
        attachments=(
            Attachment(
                content_type="text/plain",
                data_base64="VGhlIGRhbXAgZmxhdCBhdCBIb2xseWhvY2sgTWV3cyBtYWtlcyBoZXIgYXN0aG1hIHdvcnNlLg==",
            ),
        ),
    )
    return chart.view()


def _deceased() -> SystemView:
    chart = Chart("gp-7410050", "deceased")
    chart.add(
        Condition,
        "gp-heart-failure",
        code=concept("Heart failure", "84114007"),
        clinical_status=ACTIVE,
        significance="major",
        recorded=When("2022-06-08"),
        author=DOCTOR,
    )
    return chart.view()


def _superseded() -> SystemView:
    chart = Chart("gp-7410069", "superseded")
    chart.add(
        AllergyIntolerance,
        "gp-peanut",
        code=concept("Allergy to peanuts", "91935009"),
        clinical_status=ALLERGY_ACTIVE,
        category=("food",),
        criticality="high",
        recorded=When("1974-08-01"),
        author=DOCTOR,
    )
    chart.add(
        MedicationStatement,
        "gp-procyclidine",
        status="active",
        medication=concept("Procyclidine 5mg tablets"),
        course=course("repeat"),
        effective=Period(start=When("2017-01-09")),
        recorded=When("2017-01-09"),
        dosage=(Dosage(text="One tablet when the hands will not keep still."),),
        author=DOCTOR,
    )
    return chart.view()


def _changed_name() -> SystemView:
    chart = Chart("gp-7410182", "changed")
    chart.add(
        Immunization,
        "gp-pertussis",
        status="completed",
        vaccine=concept("Pertussis vaccination in pregnancy"),
        occurrence=When("2022-06-14"),
        recorded=When("2022-06-14"),
        performers=(PRACTICE_NURSE,),
    )
    chart.add(
        Condition,
        "gp-anaemia",
        code=concept("Iron deficiency anaemia", "87522002"),
        clinical_status=ACTIVE,
        significance="minor",
        recorded=When("2025-05-14"),
        author=DOCTOR,
    )
    return chart.view(_known("9990000182", "O'Varley", ("Héloïse", "Marguerite"), "1992-07-24", "female"))


def _birth_date_differs() -> SystemView:
    """The practice, too, has day and month of birth the wrong way round: what it holds must be set apart."""
    chart = Chart("gp-7410085", "birth")
    chart.add(
        Condition,
        "gp-fibrillation",
        code=concept("Atrial fibrillation", "49436004"),
        clinical_status=ACTIVE,
        significance="major",
        recorded=When("2019-01-28"),
        author=DOCTOR,
    )
    return chart.view(_known("9990000085", "Featherington", ("Ignatius",), "1962-07-04", "male"))


def _unverified() -> SystemView:
    """The practice never verified her number, so GP Connect shows nobody what it holds."""
    chart = Chart("gp-7410204", "unverified")
    chart.add(
        Condition,
        "gp-migraine",
        code=concept("Migraine", "37796009"),
        clinical_status=ACTIVE,
        significance="minor",
        recorded=When("2024-02-06"),
        author=DOCTOR,
    )
    return chart.view(_known("9990000204", "Kettlewell-Munro", ("Jocasta",), "1999-10-31", "female", status="02"))


def _twin(which: str) -> SystemView:
    number = "0131" if which == "a" else "0158"
    chart = Chart(f"gp-741{number}", f"twin-{which}")
    chart.add(
        Immunization,
        "gp-mmr",
        status="completed",
        vaccine=concept("Measles, mumps and rubella vaccination"),
        occurrence=When("2013-10-21") if which == "a" else When("2013-11-04"),
        recorded=When("2013-11-04"),
        performers=(PRACTICE_NURSE,),
    )
    return chart.view()


def _generation(role: str) -> SystemView:
    chart = Chart("gp-7410166" if role == "father" else "gp-7410174", role)
    product, dosage = (
        ("Tiotropium 18microgram inhalation capsules", "One capsule inhaled each morning.")
        if role == "father"
        else ("Lamotrigine 100mg tablets", "One tablet in the morning and one at night.")
    )
    chart.add(
        MedicationStatement,
        "gp-repeat",
        status="active",
        medication=concept(product),
        course=course("repeat"),
        effective=Period(start=When("2023-05-05")),
        recorded=When("2023-05-05"),
        dosage=(Dosage(text=dosage),),
        author=DOCTOR,
    )
    return chart.view()
