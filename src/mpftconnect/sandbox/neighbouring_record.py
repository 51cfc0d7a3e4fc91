"""What a bordering region's integrated care record holds of the synthetic people: those who crossed the border."""

from __future__ import annotations

from collections.abc import Mapping

from mpftconnect.model import (
    Actor,
    AllergyIntolerance,
    Appointment,
    Attachment,
    CarePlan,
    Condition,
    DiagnosticReport,
    DocumentReference,
    Dosage,
    Encounter,
    Flag,
    Goal,
    Identifier,
    Immunization,
    Line,
    MedicationStatement,
    Observation,
    PartialDate,
    Participant,
    Period,
    Reference,
    ReferenceRange,
    ServiceRequest,
    When,
    concept,
)
from mpftconnect.sandbox.chart import Chart
from mpftconnect.sandbox.people import SystemView
from mpftconnect.sandbox.portraits import known_as, portrait
from mpftconnect.sandbox.services import LABORATORY, coded, service, ucum
from mpftconnect.sandbox.sexual_health import CLINIC, CLINIC_CODE, SERVICE, SERVICE_CODE

__all__ = ["views"]

# The hospital beyond the border, which the people of the cast already know.
ABROAD = Actor(name="Ysbyty Bryn Hedydd", organization="Ysbyty Bryn Hedydd", organization_code="ZZ702")
_ABROAD_LABORATORY = Actor(organization="Ysbyty Bryn Hedydd", organization_code="ZZ702")
_SURGEON = Actor(
    name="Miss Angharad Penrhyn-Lloyd",
    role="consultant orthopaedic surgeon",
    organization="Ysbyty Bryn Hedydd",
    organization_code="ZZ702",
)
_ORTHOPAEDICS = service("Orthopaedics", "trauma-and-orthopaedics")
_ACTIVE = coded("active", "Active", "condition-clinical")
_RESOLVED = coded("resolved", "Resolved", "condition-clinical")
_LABORATORY = (coded("laboratory", "Laboratory", "observation-category"),)


def views(*, with_excluded: bool = True) -> Mapping[str, SystemView]:
    """By the person's role."""
    return {
        "full": _full(),
        "conflicting": _conflicting(),
        "cross-border": _cross_border(),
        "restricted": _restricted(),
        "very-restricted": _very_restricted(),
        "superseded": _superseded(),
        "birth-date-differs": _birth_date_differs(),
        "sexual-health": _sexual_health(with_excluded),
        "twin-a": _twin_a(),
    }


def _chart(last_four: str, prefix: str) -> Chart:
    return Chart(f"br-774{last_four}", prefix)


def _full() -> SystemView:
    chart = _chart("0018", "full")
    _full_illness(chart)
    _full_stay(chart)
    letter = {"content_type": "text/plain", "text": "Right hip replaced without complication. Stick for six weeks."}
    return chart.view(settings={"binaries": {"Binary/full-hip-letter": letter}})


def _full_illness(chart: Chart) -> None:
    chart.add(
        Condition,
        "hip",
        code=concept("Osteoarthritis of the right hip"),
        clinical_status=_RESOLVED,
        onset=When("2017"),
        abatement=When("2019-05-14"),
        recorded=When("2018-11-20"),
        author=_SURGEON,
    )
    chart.add(
        AllergyIntolerance,
        "iodine",
        code=concept("Intolerance of povidone-iodine"),
        criticality="low",
        recorded=When("2019-05-14"),
        author=_SURGEON,
    )
    chart.add(
        MedicationStatement,
        "vitamin-d",
        status="active",
        medication=concept("Colecalciferol 800unit capsules"),
        recorded=When("2019-05-17"),
        dosage=(Dosage(text="One capsule each day."),),
        author=_SURGEON,
    )
    chart.add(
        MedicationStatement,
        "dalteparin",
        kind="request",
        status="completed",
        intent="order",
        medication=concept("Dalteparin 5,000units/0.2ml injection"),
        authored=When("2019-05-15"),
        dosage=(Dosage(text="Once a day under the skin for five weeks."),),
        author=_SURGEON,
    )
    chart.add(
        Immunization,
        "tetanus",
        status="completed",
        vaccine=concept("Tetanus booster vaccination"),
        occurrence=When("2018-08-06"),
        performers=(ABROAD,),
    )
    # Taken here, and copied across the border because her hip surgeon watches the kidneys: the trust has it too.
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
        "haemoglobin",
        status="entered-in-error",
        category=_LABORATORY,
        code=concept("Haemoglobin"),
        effective=When("2019-05-15"),
        value=ucum("71", "g/L"),
        performers=(_ABROAD_LABORATORY,),
        note=("Withdrawn: diluted by the drip; repeated within the hour.",),
    )


def _full_stay(chart: Chart) -> None:
    chart.add(
        Encounter,
        "hip-stay",
        status="finished",
        encounter_class="IMP",
        type=(concept("Planned admission for a new hip"),),
        period=Period(start=When("2019-05-14T07:30:00"), end=When("2019-05-18T11:00:00")),
        participants=(Participant(actor=_SURGEON),),
        provider=ABROAD,
        service=_ORTHOPAEDICS,
        location=(ABROAD,),
    )
    chart.add(
        DiagnosticReport,
        "hip-film",
        status="final",
        code=concept("Radiograph of the right hip"),
        effective=When("2024-05-21"),
        issued=When("2024-05-21T15:00:00+01:00"),
        conclusion="Prosthesis in good position five years after the operation.",
        performers=(ABROAD,),
    )
    chart.add(
        DocumentReference,
        "hip-letter",
        status="current",
        type=concept("Discharge letter"),
        date=When("2019-05-18"),
        description="Discharge letter after the new hip",
        author=_SURGEON,
        custodian=ABROAD,
        attachments=(Attachment(content_type="text/plain", url="Binary/full-hip-letter", title="Discharge letter"),),
    )
    chart.add(
        CarePlan,
        "hip-plan",
        status="completed",
        intent="plan",
        title="Getting about with a new hip",
        service=_ORTHOPAEDICS,
        created=When("2019-05-17"),
        author=_SURGEON,
        goals=(Goal(id="g1", description="To kneel in chapel again by the autumn.", status="completed"),),
    )
    chart.add(
        Appointment,
        "hip-review",
        status="booked",
        description="Hip review, seven years after the operation",
        start=When("2026-05-19T11:00:00"),
        service=_ORTHOPAEDICS,
        location=(ABROAD,),
    )
    chart.add(
        ServiceRequest,
        "physiotherapy",
        status="completed",
        intent="order",
        code=concept("Referral to physiotherapy after a new hip"),
        authored=When("2019-05-18"),
        author=_SURGEON,
    )
    chart.add(
        Flag,
        "hip-precautions",
        status="inactive",
        category=(coded("safety", "Safety", "flag-category"),),
        code=concept("Must not bend the right hip beyond a right angle"),
        period=Period(start=When("2019-05-14"), end=When("2019-08-14")),
        author=_SURGEON,
    )


def _conflicting() -> SystemView:
    chart = _chart("0212", "conflicting")
    chart.add(
        CarePlan,
        "stroke-plan",
        status="active",
        intent="plan",
        title="Stroke rehabilitation plan",
        period=Period(start=When("2025-05-27")),
        author=Actor(name="Gwilym Tresaith", role="stroke nurse", organization_code="ZZ702"),
        about_me=(
            Line(id="a1", description="Says little in company since the stroke; give him time to find the word."),
        ),
        goals=(Goal(id="g1", description="To live with his brother and give up the house.", status="active"),),
    )
    return chart.view()


def _cross_border() -> SystemView:
    chart = _chart("0093", "border")
    # The community record has this one from the same laboratory, in the same words.
    chart.add(
        Observation,
        "creatinine-2",
        status="final",
        category=_LABORATORY,
        code=concept("Serum creatinine"),
        effective=When("2025-07-29"),
        value=ucum("104.0", "umol/L"),
        reference_ranges=(ReferenceRange(low=ucum("45", "umol/L"), high=ucum("84", "umol/L")),),
        performers=(_ABROAD_LABORATORY,),
    )
    chart.add(
        Observation,
        "urine-protein",
        status="final",
        category=_LABORATORY,
        code=concept("Urine albumin to creatinine ratio"),
        effective=When("2025-07-29"),
        value=ucum("41.0", "mg/mmol"),
        performers=(_ABROAD_LABORATORY,),
    )
    chart.add(
        AllergyIntolerance,
        "trimethoprim",
        code=concept("Allergy to trimethoprim"),
        criticality="high",
        recorded=When("2021-10-12"),
        author=ABROAD,
    )
    chart.add(
        MedicationStatement,
        "losartan",
        status="active",
        medication=concept("Losartan 50mg tablets"),
        recorded=When("2025-07-30"),
        dosage=(Dosage(text="One tablet each morning."),),
        author=ABROAD,
    )
    chart.add(
        Encounter,
        "kidney-clinic",
        status="finished",
        type=(concept("Kidney clinic"),),
        period=Period(start=When("2025-07-30T09:40:00"), end=When("2025-07-30T10:10:00")),
        provider=ABROAD,
        location=(ABROAD,),
    )
    chart.add(
        DocumentReference,
        "kidney-letter",
        status="current",
        type=concept("Clinic letter"),
        date=When("2025-08-01"),
        description="Letter after the kidney clinic, in Welsh and English",
        custodian=ABROAD,
        attachments=(Attachment(content_type="text/plain", url="Binary/border-kidney-letter", title="Clinic letter"),),
    )
    letter = {"content_type": "text/plain", "text": "Wedi dechrau losartan. Started losartan; bloods in four weeks."}
    return chart.view(settings={"binaries": {"Binary/border-kidney-letter": letter}})


def _restricted() -> SystemView:
    place = Actor(name="Damson Quay Refuge", organization="Damson Quay Refuge", organization_code="ZZ703")
    chart = _chart("0034", "restricted")
    chart.add(
        AllergyIntolerance,
        "ibuprofen",
        code=concept("Allergy to ibuprofen", "293616002"),
        recorded=When("2024-01-04"),
        author=place,
        note=("Came out in weals in the week that she stayed at Damson Quay.",),
    )
    chart.add(
        Appointment,
        "support",
        status="booked",
        description="Support meeting at Damson Quay",
        start=When("2025-10-14T10:00:00"),
        location=(place,),
    )
    return chart.view()


def _very_restricted() -> SystemView:
    someone = portrait(
        role="very-restricted",
        number="9990000042",
        family="Penhaligon-Sable",
        given="Theodosia",
        gender="female",
        birth_date="1990-01-06",
        street="3 Sluice Cottages",
        postal_code="ZZ99 6VS",
        mobile="07700 900042",
    )
    chart = _chart("0042", "very")
    chart.add(
        MedicationStatement,
        "sertraline",
        status="active",
        medication=concept("Sertraline 100mg tablets"),
        recorded=When("2024-06-11"),
        dosage=(Dosage(text="One tablet each morning."),),
        author=Actor(organization="Sluice Cottages Surgery", organization_code="ZZ704"),
    )
    return chart.view(known_as(someone))


def _superseded() -> SystemView:
    """Still filed under the number that was merged into another."""
    someone = portrait(
        role="superseded",
        number="9990000077",
        family="Dragonwyck",
        given="Ambrose",
        gender="male",
        birth_date="1967-06-21",
        street="23 Cobbler's Yard",
        postal_code="ZZ99 8SN",
        mobile="07700 900069",
    )
    chart = _chart("0069", "superseded")
    chart.add(
        AllergyIntolerance,
        "haloperidol",
        code=concept("Dystonic reaction to haloperidol"),
        criticality="high",
        recorded=When("2014-02-20"),
        author=ABROAD,
    )
    return chart.view(known_as(someone, identifiers=(Identifier.nhs("9990000077", "01"),)))


def _birth_date_differs() -> SystemView:
    """Its day and month of birth are the wrong way round, as another system's are."""
    someone = portrait(
        role="birth-date-differs",
        number="9990000085",
        family="Featherington",
        given="Ignatius",
        gender="male",
        birth_date="1962-07-04",
        street="40 Ropewalk Steps",
        postal_code="ZZ99 9BD",
        mobile="07700 900085",
    )
    chart = _chart("0085", "birth")
    chart.add(
        Condition,
        "gout",
        code=concept("Gout"),
        clinical_status=_ACTIVE,
        recorded=When("2020-03-05"),
        author=ABROAD,
    )
    return chart.view(known_as(someone, birth_date=PartialDate("1962-07-04")))


def _twin_a() -> SystemView:
    chart = _chart("0131", "twin-a")
    chart.add(
        Immunization,
        "holiday",
        status="completed",
        vaccine=concept("Hepatitis A vaccination"),
        occurrence=When("2024-08-02"),
        performers=(ABROAD,),
    )
    return chart.view()


def _sexual_health(with_excluded: bool) -> SystemView:
    chart = _chart("0123", "sh")
    chart.add(
        AllergyIntolerance,
        "kiwi",
        code=concept("Allergy to kiwi fruit"),
        recorded=When("2019-07-22"),
        author=ABROAD,
    )
    chart.add(
        Appointment,
        "physiotherapy",
        status="booked",
        description="Physiotherapy for the shoulder",
        start=When("2025-09-22T16:00:00"),
        location=(ABROAD,),
    )
    if with_excluded:
        _excluded(chart)
    return chart.view()


def _excluded(chart: Chart) -> None:
    clinic = Actor(name=CLINIC, organization=CLINIC, organization_code=CLINIC_CODE)
    chart.add(  # by code alone
        Condition,
        "past-infection",
        code=concept("Syphilis, treated", "76272004"),
        clinical_status=_RESOLVED,
        recorded=When("2023-02-14"),
        author=ABROAD,
    )
    chart.add(  # by service
        Encounter,
        "clinic",
        status="finished",
        type=(concept("Follow-up consultation"),),
        service=service(SERVICE, SERVICE_CODE),
        period=Period(start=When("2023-02-28T17:30:00"), end=When("2023-02-28T17:50:00")),
    )
    chart.add(  # by the encounter in which it was given
        MedicationStatement,
        "treatment",
        status="completed",
        medication=concept("Benzathine benzylpenicillin 2.4million unit injection"),
        recorded=When("2023-02-14"),
        encounter=Reference(reference="Encounter/sh-clinic"),
    )
    chart.add(  # by whom it was sent to
        ServiceRequest,
        "onward",
        status="completed",
        intent="order",
        code=concept("Onward referral at the person's own wish"),
        authored=When("2023-02-13"),
        performers=(clinic,),
    )
    chart.add(  # by what asked for it
        Observation,
        "serology",
        status="final",
        category=_LABORATORY,
        code=concept("Serology, follow-up"),
        effective=When("2023-05-30"),
        value=ucum("1", "{titre}"),
        performers=(_ABROAD_LABORATORY,),
        based_on=(Reference(reference="ServiceRequest/sh-onward"),),
    )
    chart.add(  # by what it reports
        DiagnosticReport,
        "serology-report",
        status="final",
        code=concept("Serology report"),
        issued=When("2023-06-01T12:00:00+01:00"),
        conclusion="Falling as expected after treatment.",
        results=(Reference(reference="Observation/sh-serology"),),
    )
    chart.add(  # by organisation, in its code alone
        DocumentReference,
        "clinic-letter",
        status="current",
        type=concept("Clinic letter"),
        date=When("2023-03-02"),
        description="Letter after the follow-up in February",
        custodian=Actor(organization_code=CLINIC_CODE),
        attachments=(Attachment(content_type="text/plain", url="Binary/sh-clinic-letter", title="Clinic letter"),),
    )
    chart.add(  # by place
        Appointment,
        "last-test",
        status="booked",
        description="Last blood test",
        start=When("2025-11-18T17:00:00"),
        location=(clinic,),
    )
    chart.add(  # by words in free text alone
        Flag,
        "contact",
        status="active",
        code=concept("No letters home"),
        note=(f"Asked for at the {CLINIC}.",),
        author=ABROAD,
    )
