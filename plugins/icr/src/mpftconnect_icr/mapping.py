"""Rows of the CareCentric APIs as items of the common model. Members and their standing: `layout.py`.

Every function takes the members that it maps; `row.extra()`, always the last argument, keeps whatever is left. The
organisation whose system sent a row (`TenancyDescription`) becomes its author's organisation or its provider, so that
every contribution names whom it comes from.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mpftconnect.model import (
    Actor,
    AllergyIntolerance,
    Appointment,
    Attachment,
    Coding,
    Concept,
    Condition,
    DiagnosticReport,
    DocumentReference,
    Dosage,
    Encounter,
    Flag,
    Immunization,
    Item,
    MedicationStatement,
    Observation,
    Participant,
    Quantity,
    Reaction,
    Reference,
    ReferenceRange,
    Source,
)
from mpftconnect_icr.row import Row

__all__ = ["BUILDERS", "LABORATORY", "Told"]

# HL7 FHIR R4 (4.0.1), observation-category; UCUM. The bundle itself says that its results are pathology's.
LABORATORY = Concept(
    coding=(
        Coding(
            system="http://terminology.hl7.org/CodeSystem/observation-category",
            code="laboratory",
            display="Laboratory",
        ),
    )
)
# HL7 v2.5.1, table 0396 (coding system): the name by which an interface calls UCUM.
_UNIT_SYSTEMS = {"UCUM": "http://unitsofmeasure.org"}
_CLINICAL_STATUS = "http://terminology.hl7.org/CodeSystem/condition-clinical"


@dataclass(frozen=True, slots=True)
class Told:
    """What mapping needs beside the members: provenance and whom it is about."""

    source: Source
    subject: Reference


def _sent_by(row: Row, name: str | None = None, role: str | None = None) -> Actor | None:
    """The organisation that sent the row, and who in it."""
    found = Actor(
        name=name, role=role, organization=row.text("organisation"), organization_code=row.text("organisation_code")
    )
    return found if found != Actor() else None


def _site(row: Row) -> tuple[Actor, ...]:
    ward, site, code = row.text("ward"), row.text("site"), row.text("site_code")
    found = Actor(name=ward or site, organization=site, organization_code=code)
    return (found,) if found != Actor() else ()


def _participants(row: Row) -> tuple[Participant, ...]:
    name = row.text("clinician")
    return (Participant(actor=Actor(name=name)),) if name else ()


def _medication(row: Row, told: Told, course: str) -> MedicationStatement | None:
    medication = row.concept("text", "code")
    if medication is None:
        return None
    dosage, amount = row.text("dosage"), row.number("quantity")
    return MedicationStatement(
        source=told.source,
        subject=told.subject,
        author=_sent_by(row),
        medication=medication,
        status=row.word("status", "medication_status"),
        course=Concept(text=course),
        recorded=row.when("recorded"),
        last_issued=row.when("last_issued"),
        dosage=(Dosage(text=dosage),) if dosage else (),
        quantity=Quantity(value=amount, unit=row.text("units")) if amount is not None else None,
        extra=row.extra(),
    )


def repeat_medication(row: Row, told: Told) -> MedicationStatement | None:
    """From the list of repeat medications; that list says nothing of whether it is still taken."""
    return _medication(row, told, "Repeat")


def issued_medication(row: Row, told: Told) -> MedicationStatement | None:
    """From the list of what was issued."""
    return _medication(row, told, "Issued")


def problem(row: Row, told: Told) -> Condition | None:
    """A problem of the GP's record."""
    code = row.concept("text", "snomed", "code")
    if code is None:
        return None
    status = row.word("status", "problem_status")
    coded = status in ("active", "inactive", "resolved")
    return Condition(
        source=told.source,
        subject=told.subject,
        author=_sent_by(row),
        code=code,
        clinical_status=Concept(
            text=None if coded else status,
            coding=(Coding(system=_CLINICAL_STATUS, code=status),) if coded else (),
        )
        if status
        else None,
        recorded=row.when("recorded"),
        note=row.notes("note", "further_note"),
        extra=row.extra(),
    )


def allergy(row: Row, told: Told) -> AllergyIntolerance | None:
    """An allergy, or the assertion that none is known."""
    code = row.concept("text", "snomed", "code")
    if code is None:
        return None
    reaction, severity = row.concepts("reaction"), row.text("severity")
    return AllergyIntolerance(
        source=told.source,
        subject=told.subject,
        author=_sent_by(row),
        code=code,
        recorded=row.when("recorded"),
        reactions=(Reaction(manifestation=reaction, severity=severity),) if reaction or severity else (),
        note=row.notes("note"),
        extra=row.extra(),
    )


def immunisation(row: Row, told: Told) -> Immunization | None:
    """A vaccination."""
    vaccine = row.concept("text", "snomed", "code")
    if vaccine is None:
        return None
    return Immunization(
        source=told.source,
        subject=told.subject,
        author=_sent_by(row),
        vaccine=vaccine,
        status=row.word("status", "immunisation_status"),
        occurrence=row.when("given"),
        lot_number=row.text("batch"),
        extra=row.extra(),
    )


def result(row: Row, told: Told) -> Observation | None:
    """One investigation of a pathology result, with what the result says of all of them."""
    code = row.concept("text", "code") or row.concept("type_text", "type_code")
    if code is None:
        return None
    performer = Actor(organization=row.text("performer"), organization_code=row.text("performer_code"))
    value, usual = _value(row), row.text("range")
    own, general = row.word("part_status", "result_status"), row.word("status", "result_status")
    if own and general and own != general:
        row.put_back("status", general)
    return Observation(
        source=told.source,
        subject=told.subject,
        code=code,
        status=own or general,
        category=(LABORATORY,),
        effective=row.when("collected"),
        issued=row.when("authorised") or row.when("issued"),
        value=value,
        interpretation=row.concepts("flag"),
        reference_ranges=(ReferenceRange(text=usual),) if usual else (),
        performers=(performer,) if performer != Actor() else (),
        note=row.notes("part_note", "reason", "note"),
        extra=row.extra(),
    )


def _value(row: Row) -> Quantity | str | None:
    """A plain number is an amount; any other value stays text, with its units as they were sent."""
    number = row.number("value")
    text = row.text("value") if number is None else None
    if number is None and text is None:
        return None
    units = row.text("units")
    if number is None:
        return " ".join(part for part in (text, units) if part)
    named = row.text("unit_system")
    system = _UNIT_SYSTEMS.get(named) if named else None
    if named and system is None:
        row.put_back("unit_system", named)
    return Quantity(value=number, unit=units, code=row.text("unit_code"), system=system)


def report(row: Row, told: Told) -> DiagnosticReport | None:
    """A radiology report."""
    code = row.concept("text", "code")
    if code is None:
        return None
    performer = Actor(organization=row.text("performer"), organization_code=row.text("performer_code"))
    return DiagnosticReport(
        source=told.source,
        subject=told.subject,
        author=_sent_by(row),
        code=code,
        status=row.word("status", "result_status"),
        effective=row.when("performed"),
        issued=row.when("issued"),
        conclusion=row.text("conclusion"),
        performers=(performer,) if performer != Actor() else (),
        extra=row.extra(),
    )


def document(row: Row, told: Told) -> DocumentReference | None:
    """A letter or other document, with its content where the row holds it."""
    kind, title = row.concept("text", "code"), row.text("title")
    sent_by = _sent_by(row)
    if kind is None and title is None:
        return None
    name, role = row.text("author"), row.text("author_role")
    return DocumentReference(
        source=told.source,
        subject=told.subject,
        author=Actor(name=name, role=role) if name or role else None,
        service=row.concept("service", "service_code"),
        status=row.word("status", "document_status"),
        type=kind,
        date=row.when("date"),
        recorded=row.when("recorded"),
        description=title,
        custodian=sent_by,
        attachments=_content(row, title),
        extra=row.extra(),
    )


def _content(row: Row, title: str | None) -> tuple[Attachment, ...]:
    content_type, content = row.text("content_type"), row.text("content")
    if content is not None:
        try:
            base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError):
            row.put_back("content", content)
            content = None
    if content_type is None and content is None:
        return ()
    return (Attachment(content_type=content_type, data_base64=content, title=title),)


def episode(row: Row, told: Told) -> Encounter | None:
    """A stay or an attendance, as the hospital's admissions, discharges and transfers told it."""
    return Encounter(
        source=told.source,
        subject=told.subject,
        service=row.concept("service", "service_code"),
        status=row.word("status", "encounter_status"),
        encounter_class=row.text("class"),
        type=row.concepts("text"),
        reason=row.concepts("reason"),
        period=row.period("start", "end"),
        participants=_participants(row),
        location=_site(row),
        provider=_sent_by(row),
        extra=row.extra(),
    )


def appointment(row: Row, told: Told) -> Appointment | None:
    """A booking."""
    return Appointment(
        source=told.source,
        subject=told.subject,
        author=_sent_by(row),
        service=row.concept("service", "service_code"),
        status=row.word("status", "appointment_status"),
        type=row.concept("text"),
        reason=row.concepts("reason"),
        description=row.text("description"),
        start=row.when("start"),
        end=row.when("end"),
        participants=_participants(row),
        location=_site(row),
        patient_instruction=row.text("instruction"),
        extra=row.extra(),
    )


def alert(row: Row, told: Told) -> Flag | None:
    """An alert or risk."""
    code = row.concept("text", "snomed", "code")
    if code is None:
        return None
    return Flag(
        source=told.source,
        subject=told.subject,
        author=_sent_by(row, row.text("author")),
        code=code,
        category=row.concepts("category"),
        status=row.word("status", "alert_status"),
        period=row.period("start", "end"),
        note=row.notes("note"),
        extra=row.extra(),
    )


# By operation. None from a builder: the row does not say what it is about.
BUILDERS: Mapping[str, Callable[[Row, Told], Item | None]] = {
    "gp_repeat_medications": repeat_medication,
    "gp_issued_medications": issued_medication,
    "gp_additional_problems": problem,
    "gp_problems": problem,
    "gp_allergies": allergy,
    "gp_immunisations": immunisation,
    "pathology_results": result,
    "radiology_reports": report,
    "documents": document,
    "adt_episodes": episode,
    "adt_appointments": appointment,
    "alerts": alert,
}
