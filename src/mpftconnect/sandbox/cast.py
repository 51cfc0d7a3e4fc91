"""The cast: seventeen synthetic people, each of whom exists for one reason, their role."""

from __future__ import annotations

from dataclasses import replace

from mpftconnect.model import (
    Actor,
    Address,
    AllergyIntolerance,
    Appointment,
    CarePlan,
    CommunicationNeed,
    Condition,
    ContactPoint,
    DiagnosticReport,
    Dosage,
    Encounter,
    Flag,
    Goal,
    HumanName,
    Identifier,
    LegalStatus,
    Line,
    MedicationStatement,
    Observation,
    PartialDate,
    Period,
    ProgressNote,
    ReferenceRange,
    RelatedPerson,
    ServiceRequest,
    When,
    concept,
)
from mpftconnect.sandbox import gp_record, pointers, shared_record
from mpftconnect.sandbox.chart import Chart
from mpftconnect.sandbox.full_person import full_person
from mpftconnect.sandbox.people import Person, SystemView
from mpftconnect.sandbox.portraits import known_as, portrait
from mpftconnect.sandbox.services import (
    COMMUNITY_NURSING,
    COORDINATOR,
    DOCTOR,
    LABORATORY,
    MENTAL_HEALTH,
    NURSE,
    PSYCHIATRIST,
    actor,
    at,
    coded,
    phone,
    service,
    ucum,
)
from mpftconnect.sandbox.sexual_health import sexual_health_person

__all__ = ["PEOPLE", "people_known_to", "people_without_excluded_data", "person"]

_ACTIVE = coded("active", "Active", "condition-clinical")
_LABORATORY = (coded("laboratory", "Laboratory", "observation-category"),)
_NO_KNOWN_ALLERGY = concept("No known allergies", "716186003")


def _caseload(team: str, code: str, practitioner: Actor, opened: str, closed: str | None = None) -> dict[str, object]:
    row = {"team": team, "team_code": code, "practitioner": practitioner.name, "opened": opened, "closed": closed}
    return {"caseload": (row,)}


def _sparse() -> Person:
    chart = Chart("RX7410026", "sparse")
    chart.add(
        AllergyIntolerance,
        "none-known",
        code=_NO_KNOWN_ALLERGY,
        recorded=When("2025-02-03T10:00:00"),
        author=NURSE,
    )
    return portrait(
        role="sparse",
        number="9990000026",
        family="Winterbottle",
        given="Ottoline",
        gender="female",
        birth_date="1988-11-17",
        street="1 Foxglove Rise",
        postal_code="ZZ99 1AA",
        mobile="07700 900026",
        systems={"rio": chart.view(), "synthetic": SystemView("sy-7410026")},
    )


def _restricted() -> Person:
    """Restricted by the tracing service; the other systems do not know, and hold where she lives."""
    someone = portrait(
        role="restricted",
        number="9990000034",
        family="Hartshorne-Quill",
        given="Evangeline",
        gender="female",
        birth_date="1979-08-30",
        street="5 Hollyhock Mews",
        postal_code="ZZ99 5RS",
        mobile="07700 900034",
        restriction="R",
    )
    rio = Chart("RX7410034", "restricted")
    rio.add(
        Condition,
        "ptsd",
        code=concept("Post-traumatic stress disorder", "47505003", display="Posttraumatic stress disorder"),
        clinical_status=_ACTIVE,
        recorded=When("2024-02-19"),
        author=PSYCHIATRIST,
        note=("Moved to Hollyhock Mews in March to be out of his reach.",),
    )
    rio.add(
        Appointment,
        "therapy",
        status="booked",
        description="Trauma therapy at the Larkfield Annexe",
        start=When("2025-09-24T15:00:00"),
        location=(at("Larkfield Annexe"),),
    )
    rio.add(
        ProgressNote,
        "note",
        text="Safe in the new flat above the bakery in Hollyhock Mews; school run goes past the canal.",
        date=When("2025-08-12T16:00:00"),
        author=COORDINATOR,
    )
    rio.add(
        RelatedPerson,
        "sister",
        relationship=(concept("Sister"),),
        names=(HumanName(family="Hartshorne-Quill", given=("Clementina",)),),
        addresses=(Address(line=("19 Thimble Court",), city="Upper Dunnock", postal_code="ZZ99 5RT"),),
        telecom=(phone("07700 900134", "mobile"),),
    )
    synthetic = Chart("sy-7410034", "restricted")
    synthetic.add(
        MedicationStatement,
        "salbutamol",
        status="active",
        medication=concept(
            "Salbutamol 100micrograms inhaler",
            "39113611000001102",
            display="Salbutamol 100micrograms/dose inhaler CFC free",
        ),
        dosage=(Dosage(text="Two puffs when needed."),),
        recorded=When("2024-05-07"),
    )
    synthetic.add(
        Encounter,
        "clinic",
        status="finished",
        type=(concept("Asthma review"),),
        period=Period(start=When("2025-04-02T10:00:00")),
        location=(at("Canalside Health Centre"),),
    )
    views = {
        "rio": rio.view(known_as(someone), _caseload("Trauma Service", "TRAUMA", COORDINATOR, "2024-02-19")),
        "synthetic": synthetic.view(known_as(someone)),
    }
    return Person(someone.role, someone.nhs_number, someone.patient, systems={**someone.systems, **views})


def _very_restricted() -> Person:
    """Very restricted: the tracing service gives not even a name; one other system still holds all of it."""
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
        restriction="V",
    )
    traced = someone.patient.model_copy(
        update={"names": (), "addresses": (), "telecom": (), "general_practitioner": ()}
    )
    rio = Chart("RX7410042", "very")
    rio.add(
        Condition,
        "depression",
        code=concept("Depressive disorder", "35489007", display="Depressive disorder"),
        clinical_status=_ACTIVE,
        recorded=When("2025-01-20"),
        author=PSYCHIATRIST,
    )
    rio.add(
        ProgressNote,
        "note",
        text="Met at the lock house by the marina; the family liaison officer was there.",
        date=When("2025-03-03T14:00:00"),
        author=COORDINATOR,
    )
    return Person(
        someone.role,
        someone.nhs_number,
        traced,
        systems={**someone.systems, "rio": rio.view(known_as(someone))},
    )


def _deceased() -> Person:
    rio = Chart("RX7410050", "deceased")
    rio.add(
        CarePlan,
        "plan",
        status="completed",
        intent="plan",
        title="End of life care plan",
        created=When("2024-09-10"),
        period=Period(start=When("2024-09-10"), end=When("2024-12-27")),
        author=NURSE,
        goals=(Goal(id="g1", description="To be at home with the dog at the end.", status="completed"),),
    )
    rio.add(
        Encounter,
        "last-visit",
        status="finished",
        type=(concept("Verification of death at home"),),
        period=Period(start=When("2024-12-27T05:40:00")),
    )
    synthetic = Chart("sy-7410050", "deceased")
    synthetic.add(
        MedicationStatement,
        "morphine",
        status="completed",
        medication=concept("Morphine sulfate 10mg/1ml injection"),
        effective=Period(start=When("2024-12-20"), end=When("2024-12-27")),
        dosage=(Dosage(text="2.5mg under the skin when needed for pain."),),
    )
    return portrait(
        role="deceased",
        number="9990000050",
        family="Abernathy-Frost",
        given="Cornelius",
        gender="male",
        birth_date="1938-10-02",
        street="8 Saddlers Orchard",
        postal_code="ZZ99 2DC",
        mobile="07700 900050",
        deceased=When("2024-12-27T05:15:00+00:00"),
        # UK Core, CodeSystem UKCore-DeathNotificationStatus: 1 informal, 2 formal, U removed.
        death_notification=concept(
            None,
            "2",
            "https://fhir.hl7.org.uk/CodeSystem/UKCore-DeathNotificationStatus",
            "Formal - death notice received from Registrar of Deaths",
        ),
        systems={"rio": rio.view(), "synthetic": synthetic.view()},
    )


def _superseded() -> Person:
    """Two numbers were merged; one system still files him under the former one."""
    someone = portrait(
        role="superseded",
        number="9990000069",
        family="Dragonwyck",
        given="Ambrose",
        gender="male",
        birth_date="1967-06-21",
        street="23 Cobbler's Yard",
        postal_code="ZZ99 8SN",
        mobile="07700 900069",
        former_numbers=("9990000077",),
    )
    rio = Chart("RX7410069", "superseded")
    rio.add(
        Condition,
        "schizophrenia",
        code=concept("Schizophrenia", "58214004"),
        clinical_status=_ACTIVE,
        recorded=When("2016-03-08"),
        author=PSYCHIATRIST,
    )
    rio.add(
        MedicationStatement,
        "depot",
        status="active",
        medication=concept("Paliperidone 100mg prolonged-release injection"),
        dosage=(Dosage(text="Once every four weeks into the upper arm."),),
        recorded=When("2025-08-06"),
    )
    synthetic = Chart("sy-7410069", "superseded")
    synthetic.add(
        AllergyIntolerance,
        "nuts",
        code=concept("Allergy to peanuts", "91935009"),
        criticality="high",
        recorded=When("2022-10-10"),
        author=NURSE,
    )
    former = known_as(someone, identifiers=(Identifier.nhs("9990000077", "01"),))
    views = {
        "rio": rio.view(former, _caseload("Assertive Outreach", "AOT", COORDINATOR, "2016-03-08")),
        "synthetic": synthetic.view(),
    }
    return Person(
        someone.role, someone.nhs_number, someone.patient, someone.former_numbers, {**someone.systems, **views}
    )


def _birth_date_differs() -> Person:
    """One system has day and month of birth the wrong way round: what it holds must be set apart."""
    someone = portrait(
        role="birth-date-differs",
        number="9990000085",
        family="Featherington",
        given="Ignatius",
        gender="male",
        birth_date="1962-04-07",
        street="40 Ropewalk Steps",
        postal_code="ZZ99 9BD",
        mobile="07700 900085",
    )
    rio = Chart("RX7410085", "birth")
    rio.add(
        Condition,
        "alcohol",
        code=concept("Alcohol dependence"),
        clinical_status=_ACTIVE,
        recorded=When("2024-07-15"),
        author=COORDINATOR,
    )
    synthetic = Chart("sy-7410085", "birth")
    synthetic.add(
        AllergyIntolerance,
        "aspirin",
        code=concept("Allergy to aspirin"),
        criticality="high",
        recorded=When("2019-01-30"),
        author=NURSE,
    )
    synthetic.add(
        MedicationStatement,
        "warfarin",
        status="active",
        medication=concept("Warfarin 3mg tablets"),
        dosage=(Dosage(text="As in the yellow book."),),
        recorded=When("2019-01-30"),
    )
    views = {
        "rio": rio.view(),
        "synthetic": synthetic.view(known_as(someone, birth_date=PartialDate("1962-07-04"))),
    }
    return Person(someone.role, someone.nhs_number, someone.patient, systems={**someone.systems, **views})


def _cross_border() -> Person:
    """Registered beyond the border, seen by several hospitals; two systems disagree about her allergies."""
    practice = Actor(name="Meddygfa Cwm Llwyd", organization="Meddygfa Cwm Llwyd", organization_code="ZZ701")
    abroad = Actor(organization="Ysbyty Bryn Hedydd", organization_code="ZZ702")
    rio = Chart("RX7410093", "border")
    rio.add(
        AllergyIntolerance,
        "none-known",
        code=_NO_KNOWN_ALLERGY,
        recorded=When("2023-12-04"),
        author=PSYCHIATRIST,
    )
    rio.add(
        ServiceRequest,
        "memory",
        status="active",
        intent="order",
        code=concept("Referral to the memory service"),
        authored=When("2025-06-17"),
        author=DOCTOR,
        performers=(actor(None, "memory service"),),
    )
    rio.add(
        LegalStatus,
        "dols",
        code=concept("Deprivation of liberty authorised under the Mental Capacity Act 2005, Schedule A1"),
        status="active",
        period=Period(start=When("2025-05-01"), end=When("2026-04-30")),
        review=When("2025-11-01"),
        authority=Actor(organization="Northmereshire Council", organization_code="ZZ401"),
        conditions="Family visits on every day of the week; outings twice a week.",
    )
    synthetic = Chart("sy-7410093", "border")
    synthetic.add(
        AllergyIntolerance,
        "penicillin",
        code=concept("Allergy to penicillin", "91936005"),
        criticality="high",
        recorded=When("2018-08-22"),
        author=NURSE,
    )
    for id_, day, value, where in (
        ("creatinine-1", "2025-03-04", "96", LABORATORY),
        ("creatinine-2", "2025-07-29", "104.0", abroad),
    ):
        synthetic.add(
            Observation,
            id_,
            status="final",
            category=_LABORATORY,
            code=concept("Serum creatinine"),
            effective=When(day),
            value=ucum(value, "umol/L"),
            reference_ranges=(ReferenceRange(low=ucum("45", "umol/L"), high=ucum("84", "umol/L")),),
            performers=(where,),
        )
    synthetic.add(
        DiagnosticReport,
        "chest",
        status="final",
        code=concept("Chest radiograph"),
        issued=When("2025-07-30"),
        conclusion="Old right apical scarring, unchanged since the film of 2021.",
        performers=(abroad,),
    )
    synthetic.add(
        Appointment,
        "kidney",
        status="booked",
        description="Kidney clinic",
        start=When("2025-10-07T09:20:00"),
        location=(Actor(name="Ysbyty Bryn Hedydd", organization="Ysbyty Bryn Hedydd", organization_code="ZZ702"),),
    )
    return portrait(
        role="cross-border",
        number="9990000093",
        family="Llewellyn-Price",
        given="Gwenhwyfar",
        gender="female",
        birth_date="1944-02-29",
        street="Tyddyn Hirwaun",
        postal_code="ZZ99 4CB",
        mobile="07700 900093",
        practice=practice,
        communication=(
            CommunicationNeed(
                language=concept("Welsh", "cy", "https://fhir.hl7.org.uk/CodeSystem/UKCore-HumanLanguage", "Welsh"),
                preferred=True,
                interpreter_required=False,
            ),
        ),
        systems={
            "rio": rio.view(settings=_caseload("Memory Service", "MEMORY", PSYCHIATRIST, "2025-06-17")),
            "synthetic": synthetic.view(),
        },
    )


def _twins() -> tuple[Person, Person]:
    """Born on one day at one address, with given names that differ by a letter."""
    found = []
    for role, number, given, order in (
        ("twin-a", "9990000131", "Calantha", 1),
        ("twin-b", "9990000158", "Calanthe", 2),
    ):
        chart = Chart(f"sy-741{number[-4:]}", role)
        chart.add(
            Condition,
            "reason",
            code=concept("Asthma", "195967001") if order == 1 else concept("Coeliac disease", "396331005"),
            clinical_status=_ACTIVE,
            recorded=When("2024-01-15"),
            author=NURSE,
        )
        rio = Chart(f"RX741{number[-4:]}", role)
        rio.add(Flag, "school", status="active", code=concept("Twin sister on the same caseload: check the given name"))
        found.append(
            portrait(
                role=role,
                number=number,
                family="Merriweather-Stokes",
                given=given,
                gender="female",
                birth_date="2012-09-09",
                street="62 Gooseberry Hill",
                postal_code="ZZ99 2TW",
                mobile="07700 900131",
                multiple_birth=order,
                systems={"rio": rio.view(), "synthetic": chart.view()},
            )
        )
    return found[0], found[1]


def _father_and_son() -> tuple[Person, Person]:
    """One name, one address, one telephone; a generation apart."""
    found = []
    for role, number, born, code in (
        ("father", "9990000166", "1955-12-01", concept("Chronic obstructive pulmonary disease", "13645005")),
        ("son", "9990000174", "1983-12-10", concept("Epilepsy", "84757009")),
    ):
        chart = Chart(f"sy-741{number[-4:]}", role)
        chart.add(Condition, "reason", code=code, clinical_status=_ACTIVE, recorded=When("2023-05-05"), author=NURSE)
        rio = Chart(f"RX741{number[-4:]}", role)
        rio.add(
            Encounter,
            "assessment",
            status="finished",
            type=(concept("First assessment"),),
            service=MENTAL_HEALTH if role == "father" else service("Early Intervention", "early-intervention"),
            period=Period(start=When("2024-04-18T09:30:00")),
        )
        found.append(
            portrait(
                role=role,
                number=number,
                family="Blackthistle",
                given="Montgomery",
                gender="male",
                birth_date=born,
                street="31 Pelham Cuttings",
                postal_code="ZZ99 7FS",
                mobile="07700 900166",
                systems={"rio": rio.view(), "synthetic": chart.view()},
            )
        )
    return found[0], found[1]


def _changed_name() -> Person:
    """Married and hyphenated: each system has another of her names, and all of them are hers."""
    someone = portrait(
        role="changed-name",
        number="9990000182",
        family="Ashcombe-O'Varley",
        given="Héloïse",
        gender="female",
        birth_date="1992-07-24",
        street="9 Lanternmaker Row",
        postal_code="ZZ99 3CN",
        mobile="07700 900182",
        names=(
            HumanName(
                use="usual",
                family="Ashcombe-O'Varley",
                given=("Héloïse", "Marguerite"),
                prefix=("Dr",),
                period=Period(start=When("2023-08-12")),
            ),
            HumanName(
                use="old", family="O'Varley", given=("Héloïse", "Marguerite"), period=Period(end=When("2023-08-12"))
            ),
        ),
    )
    rio = Chart("RX7410182", "changed")
    rio.add(
        Condition,
        "postnatal",
        code=concept("Postnatal depression", "58703003"),
        clinical_status=coded("resolved", "Resolved", "condition-clinical"),
        onset=When("2022-10"),
        abatement=When("2023-05"),
        recorded=When("2022-11-01"),
        author=PSYCHIATRIST,
    )
    synthetic = Chart("sy-7410182", "changed")
    synthetic.add(
        Observation,
        "ferritin",
        status="final",
        category=_LABORATORY,
        code=concept("Serum ferritin"),
        effective=When("2025-05-12"),
        value=ucum("11.0", "ug/L"),
        performers=(LABORATORY,),
    )
    views = {
        "rio": rio.view(known_as(someone, names=(HumanName(use="usual", family="OVARLEY", given=("HELOISE",)),))),
        "synthetic": synthetic.view(
            known_as(someone, names=(HumanName(use="official", family="Ashcombe O’Varley", given=("Heloise",)),))
        ),
    }
    return Person(someone.role, someone.nhs_number, someone.patient, systems={**someone.systems, **views})


def _invalidated() -> Person:
    """A number that must no longer be used and was not replaced by another; one system still files under it."""
    someone = portrait(
        role="invalidated",
        number="9990000190",
        family="Stonebreaker",
        given="Peregrine",
        gender="male",
        birth_date="1975-05-05",
        street="2 Vanished Alley",
        postal_code="ZZ99 1NV",
        mobile="07700 900190",
    )
    rio = Chart("RX7410190", "invalidated")
    rio.add(
        Encounter,
        "visit",
        status="finished",
        type=(concept("Duty contact"),),
        period=Period(start=When("2023-02-14T10:00:00")),
    )
    views = {
        "pds": SystemView(someone.nhs_number, settings={"invalidated": True}),
        "rio": rio.view(),
    }
    return Person(someone.role, someone.nhs_number, someone.patient, systems=views)


def _unsure_name() -> Person:
    """Known to one system under a name that is none of theirs, and with an unverified number: must be set apart."""
    someone = portrait(
        role="unverified",
        number="9990000204",
        family="Kettlewell-Munro",
        given="Jocasta",
        gender="female",
        birth_date="1999-10-31",
        street="54 Turnpike Hollow",
        postal_code="ZZ99 9UV",
        mobile="07700 900204",
        telecom=(ContactPoint(system="phone", value="07700 900204", use="mobile"),),
    )
    synthetic = Chart("sy-7410204", "unverified")
    synthetic.add(
        CarePlan,
        "plan",
        status="active",
        intent="plan",
        title="Wound care plan",
        service=COMMUNITY_NURSING,
        about_me=(Line(id="a1", description="Prefers to be seen before her shift at the tram depot."),),
    )
    rio = Chart("RX7410204", "unverified")
    rio.add(
        Condition,
        "insomnia",
        code=concept("Insomnia", "193462001"),
        clinical_status=_ACTIVE,
        recorded=When("2025-04-01"),
        author=PSYCHIATRIST,
    )
    stranger = known_as(
        someone,
        # UK Core, CodeSystem UKCore-NHSNumberVerificationStatusEngland: 02, number present but not traced.
        identifiers=(Identifier.nhs("9990000204", "02"),),
        names=(HumanName(use="usual", family="Drinkwater-Pym", given=("Araminta",)),),
    )
    views = {"rio": rio.view(), "synthetic": synthetic.view(stranger)}
    return Person(someone.role, someone.nhs_number, someone.patient, systems={**someone.systems, **views})


def _conflicting() -> Person:
    """Systems disagree: on an allergy, on a dose, on which plan is in force. All of it must stand side by side."""
    rio = Chart("RX7410212", "conflicting")
    rio.add(
        AllergyIntolerance,
        "none-known",
        code=_NO_KNOWN_ALLERGY,
        recorded=When("2025-01-14T11:20:00"),
        author=NURSE,
    )
    rio.add(
        MedicationStatement,
        "amlodipine",
        status="active",
        medication=concept("Amlodipine 5mg tablets"),
        dosage=(Dosage(text="One tablet each morning."),),
        recorded=When("2025-02-20"),
        author=PSYCHIATRIST,
    )
    rio.add(
        CarePlan,
        "plan",
        status="active",
        intent="plan",
        title="Memory service care plan",
        service=MENTAL_HEALTH,
        period=Period(start=When("2025-03-03")),
        author=COORDINATOR,
        goals=(Goal(id="g1", description="Stay in his own house with his brother nearby."),),
    )
    return portrait(
        role="conflicting",
        number="9990000212",
        family="Ravensbourne",
        given="Barnaby",
        gender="male",
        birth_date="1951-06-18",
        street="3 Tansy Bank",
        postal_code="ZZ99 2CF",
        mobile="07700 900212",
        systems={
            "rio": rio.view(settings=_caseload("Memory Service", "MEMORY", COORDINATOR, "2025-02-11")),
        },
    )


def _people(*, with_excluded: bool = True) -> tuple[Person, ...]:
    people = (
        full_person(),
        _sparse(),
        _restricted(),
        _very_restricted(),
        _deceased(),
        _superseded(),
        _birth_date_differs(),
        _cross_border(),
        sexual_health_person(with_excluded=with_excluded),
        *_twins(),
        *_father_and_son(),
        _changed_name(),
        _invalidated(),
        _unsure_name(),
        _conflicting(),
    )
    further = [
        (system, by_role)
        for room in (gp_record, pointers, shared_record)
        for system, by_role in room.views(with_excluded=with_excluded).items()
    ]
    return tuple(
        replace(
            each, systems={**each.systems, **{name: views[each.role] for name, views in further if each.role in views}}
        )
        for each in people
    )


PEOPLE: tuple[Person, ...] = _people()


def person(role: str) -> Person:
    """The person of that role.

    Raises:
        KeyError: There is none.

    >>> person("full").nhs_number
    '9990000018'
    """
    for someone in PEOPLE:
        if someone.role == role:
            return someone
    raise KeyError(role)


def people_known_to(system: str, *, like: str = "synthetic") -> tuple[Person, ...]:
    """The people as if a further system held what the one named by `like` holds: for a new plugin's first tests.

    >>> [one.role for one in people_known_to("acme") if "acme" in one.systems][0]
    'full'
    """
    return tuple(
        replace(each, systems={**each.systems, system: each.systems[like]}) if like in each.systems else each
        for each in PEOPLE
    )


def people_without_excluded_data() -> tuple[Person, ...]:
    """The same people, as if nothing that a silent policy hides had ever been written down."""
    return _people(with_excluded=False)
