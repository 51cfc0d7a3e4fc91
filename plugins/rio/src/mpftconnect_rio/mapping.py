"""Rows of the extracts as items of the common model. Columns and their assumed headings: `layout.py`.

Every function takes the cells that it maps; `cells.extra()`, always the last argument, keeps whatever is left.
"""

from __future__ import annotations

from dataclasses import dataclass

from mpftconnect.errors import NotADate
from mpftconnect.model import (
    NHS_NUMBER_SYSTEM,
    Actor,
    Address,
    Appointment,
    CareTeam,
    CommunicationNeed,
    Concept,
    ContactPoint,
    Encounter,
    Flag,
    HumanName,
    Identifier,
    Participant,
    Patient,
    Period,
    ProgressNote,
    Reference,
    ServiceRequest,
    Source,
    When,
    nhs_number,
)
from mpftconnect_rio.cells import Cells
from mpftconnect_rio.dates import iso_text
from mpftconnect_rio.extracts import PersonRow
from mpftconnect_rio.settings import ExtractSettings

__all__ = [
    "Told",
    "alert",
    "appointment",
    "care_team",
    "client",
    "contact",
    "is_open",
    "progress_note",
    "referral",
    "subject",
]


@dataclass(frozen=True, slots=True)
class Told:
    """What a row's mapping needs besides the row.

    Args:
        organisation: ODS code of the trust whose RiO it is.
        client_id_system: Namespace of its client ids.
        numbers: The NHS numbers under which the client index knows the person.
    """

    source: Source
    organisation: str
    client_id_system: str
    numbers: frozenset[str]


def subject(cells: Cells, told: Told) -> Reference | None:
    """Whom the row names; it was matched before by all that it says. A row under a number of the person's that the
    client index does not have is named by client id, if it has one."""
    stated, client_id = cells.text("nhs_number"), cells.text("client_id")
    number = nhs_number(stated) if stated else None
    if client_id and number not in told.numbers:
        identifier = Identifier(system=told.client_id_system, value=client_id)
    elif number:
        identifier = Identifier(system=NHS_NUMBER_SYSTEM, value=number)
    else:
        return None
    return Reference(type="Patient", identifier=identifier)


def client(cells: Cells, told: Told) -> Patient:
    """A row of the client index."""
    number, status = cells.text("nhs_number"), cells.word("nhs_number_status")
    identifiers = [Identifier(system=told.client_id_system, value=cells.text("client_id"), use="secondary")]
    if number:
        identifiers.insert(0, Identifier.nhs(number, status))
    family, given, title = cells.text("family_name"), cells.text("given_names"), cells.text("title")
    names = [HumanName(use="usual", family=family, given=(given,) if given else (), prefix=(title,) if title else ())]
    if known_as := cells.text("known_as"):
        names.append(HumanName(use="nickname", text=known_as))
    if previous := cells.text("previous_family_name"):
        names.append(HumanName(use="old", family=previous))
    language, interpreter = cells.concept("language"), cells.yes("interpreter")
    communication = language is not None or interpreter is not None
    gp = Actor(
        name=cells.text("gp_name"),
        organization=cells.text("gp_practice_name"),
        organization_code=cells.text("gp_practice_code"),
    )
    return Patient(
        source=told.source,
        identifiers=tuple(identifiers),
        names=tuple(names),
        gender=cells.word("gender"),
        birth_date=cells.date("birth_date"),
        deceased=cells.when("death_date"),
        addresses=_address(cells),
        telecom=_telecom(cells),
        general_practitioner=(gp,) if gp != Actor() else (),
        managing_organization=Actor(organization_code=told.organisation),
        communication=(CommunicationNeed(language=language, interpreter_required=interpreter),)
        if communication
        else (),
        reasonable_adjustments=cells.concepts("reasonable_adjustments"),
        ethnic_category=cells.concept("ethnic_category"),
        extra=cells.extra(),
    )


def _address(cells: Cells) -> tuple[Address, ...]:
    lines = [cells.text(f"address_line_{number}") for number in (1, 2, 3)]
    found = Address(
        use="home",
        line=tuple(line for line in lines if line),
        city=cells.text("town"),
        postal_code=cells.text("postcode"),
    )
    return (found,) if found != Address(use="home") else ()


def _telecom(cells: Cells) -> tuple[ContactPoint, ...]:
    columns = (("home_phone", "phone", "home"), ("mobile_phone", "phone", "mobile"), ("email", "email", None))
    found = [ContactPoint(system=system, value=cells.text(column), use=use) for column, system, use in columns]
    return tuple(point for point in found if point.value)


def is_open(row: PersonRow, settings: ExtractSettings, today: str) -> bool:
    """Whether a row of the caseload is an open referral on the day `today` (ISO).

    It must be called active and have no date of discharge, or one still to come. A date that cannot be read counts as
    a discharge: a referral that only might be open opens nothing.
    """
    word = row.cells["status"].strip().lower()
    discharged = row.cells["discharged"].strip()
    if settings.meanings("caseload", "status").get(word, word) != "active":
        return False
    if not discharged:
        return True
    try:
        return When(iso_text(discharged, settings.formats) or "").date_text > today
    except NotADate:
        return False


def referral(cells: Cells, told: Told) -> ServiceRequest:
    """A row of the caseload: a referral to a team, open or closed."""
    whom, team = subject(cells, told), cells.team()
    referred = cells.when("referred")
    discharged = cells.when("discharged")
    staff, referrer = cells.staff(told.organisation), cells.text("referrer")
    return ServiceRequest(
        source=told.source,
        subject=whom,
        service=team,
        status=cells.word("status"),
        priority=cells.word("priority"),
        reason=cells.concepts("reason"),
        authored=referred,
        occurrence=Period(start=referred, end=discharged) if referred or discharged else None,
        performers=(staff,) if staff else (),
        author=Actor(name=referrer) if referrer else None,
        extra=cells.extra(),
    )


def care_team(found: ServiceRequest, told: Told) -> CareTeam:
    """The team that an open referral puts around the person."""
    return CareTeam(
        source=told.source,
        subject=found.subject,
        based_on=(Reference(reference=found.source.id),),
        service=found.service,
        name=found.service.words() if found.service else None,
        status="active",
        period=found.occurrence if isinstance(found.occurrence, Period) else None,
        participants=tuple(Participant(actor=actor) for actor in found.performers),
        organization=(Actor(organization_code=told.organisation),),
    )


def contact(cells: Cells, told: Told) -> Encounter:
    """A clinical contact."""
    staff, location = cells.staff(told.organisation), cells.text("location")
    return Encounter(
        source=told.source,
        subject=subject(cells, told),
        service=cells.team(),
        status=cells.word("outcome"),
        type=(*cells.concepts("type"), *cells.concepts("medium")),
        reason=cells.concepts("reason"),
        period=cells.period("start", "end"),
        participants=(Participant(actor=staff),) if staff else (),
        location=(Actor(name=location),) if location else (),
        provider=Actor(organization_code=told.organisation),
        based_on=_pointer(cells.reference("referral_id", "caseload")),
        extra=cells.extra(),
    )


def progress_note(cells: Cells, told: Told) -> ProgressNote | None:
    """A progress note; None where the row has no text at all."""
    text = cells.text("text")
    if text is None:
        return None
    return ProgressNote(
        source=told.source,
        subject=subject(cells, told),
        service=cells.team(),
        author=cells.staff(told.organisation),
        encounter=cells.reference("contact_id", "contacts"),
        text=text,
        type=cells.concept("type"),
        date=cells.when("date"),
        recorded=cells.when("entered"),
        status=cells.word("validated"),
        extra=cells.extra(),
    )


def alert(cells: Cells, told: Told) -> Flag:
    """An alert or risk."""
    detail = cells.text("detail")
    return Flag(
        source=told.source,
        subject=subject(cells, told),
        service=cells.team(),
        author=cells.staff(told.organisation),
        code=cells.concept("text") or Concept(),
        category=cells.concepts("category"),
        status=cells.word("status"),
        period=cells.period("start", "end"),
        recorded=cells.when("recorded"),
        note=(detail,) if detail else (),
        extra=cells.extra(),
    )


def appointment(cells: Cells, told: Told) -> Appointment:
    """A booking."""
    staff, location = cells.staff(told.organisation), cells.text("location")
    return Appointment(
        source=told.source,
        subject=subject(cells, told),
        service=cells.team(),
        status=cells.word("status"),
        type=cells.concept("type"),
        reason=cells.concepts("reason"),
        start=cells.when("start"),
        end=cells.when("end"),
        minutes=cells.number("minutes"),
        created=cells.when("created"),
        participants=(Participant(actor=staff),) if staff else (),
        location=(Actor(name=location),) if location else (),
        patient_instruction=cells.text("instruction"),
        cancellation_reason=cells.concept("cancellation_reason"),
        based_on=_pointer(cells.reference("referral_id", "caseload")),
        extra=cells.extra(),
    )


def _pointer(found: Reference | None) -> tuple[Reference, ...]:
    return (found,) if found else ()
