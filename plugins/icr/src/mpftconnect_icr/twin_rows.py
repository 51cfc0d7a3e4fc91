"""What the twin holds of a person, as rows of the CareCentric APIs. Members and their standing: `layout.py`.

A view's `settings["records"]` names the linked records: `{"detail_id", "tenancy", "number"}` each, the first of which
has the view's local id; `settings["held_by"]` says which of them holds an item, by its id, where it is not the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mpftconnect.model import (
    SNOMED,
    Actor,
    AllergyIntolerance,
    Appointment,
    Concept,
    Condition,
    DiagnosticReport,
    DocumentReference,
    Encounter,
    Flag,
    Immunization,
    Item,
    MedicationStatement,
    Observation,
    Patient,
    Period,
    Quantity,
    When,
)
from mpftconnect.sandbox import Person
from mpftconnect_icr.layout import OPERATIONS

__all__ = ["patient_rows", "rows"]

JsonRow = dict[str, Any]
_UNITS = {"http://unitsofmeasure.org": "UCUM"}


def patient_rows(person: Person, system: str) -> list[JsonRow]:
    """The person's linked records, as Find Patient gives them."""
    records = _records(person, system)
    return [
        _bare(
            {
                "PatientDetailId": int(record["detail_id"]),
                "PatientNumber": record.get("number"),
                **_demographics(person.patient_at(system)),
                "TenancyDescription": record["tenancy"],
                "LinkedPatients": [
                    _bare(
                        {
                            "PatientDetailId": int(other["detail_id"]),
                            "PatientNumber": other.get("number"),
                            "TenancyDescription": other["tenancy"],
                        }
                    )
                    for other in records
                    if other is not record
                ],
            }
        )
        for record in records
    ]


def _records(person: Person, system: str) -> list[Mapping[str, Any]]:
    view = person.systems[system]
    alone = {"detail_id": view.local_id, "tenancy": "Northmereshire Shared Care"}
    return list(view.settings.get("records", (alone,)))


def _demographics(patient: Patient) -> JsonRow:
    name, gp = patient.name, next(iter(patient.general_practitioner), Actor())
    old = next((each.family for each in patient.names if each.use == "old"), None)
    address = next(iter(patient.addresses), None)
    line = {f"Line{n}": text for n, text in enumerate(address.line, 1)} if address else {}
    telecom = {(point.system, point.use): point.value for point in patient.telecom}
    return {
        "NhsNumber": patient.nhs_number,
        "NhsNumberStatus": patient.verification_status,
        "Title": " ".join(name.prefix) if name else None,
        "Forename": name.given[0] if name and name.given else None,
        "MiddleNames": " ".join(name.given[1:]) if name else None,
        "Surname": name.family if name else None,
        "PreviousSurname": old,
        "DateOfBirth": f"{patient.birth_date.text}T00:00:00" if patient.birth_date else None,
        "DateOfDeath": patient.deceased.text if isinstance(patient.deceased, When) else None,
        "Gender": {"female": "F", "male": "M"}.get(patient.gender or ""),
        "Address": {**line, "Town": address.city, "County": address.district} if address else None,
        "PostCode": address.postal_code if address else None,
        "HomeTelephone": telecom.get(("phone", "home")),
        "MobileTelephone": telecom.get(("phone", "mobile")),
        "Email": telecom.get(("email", "home")),
        "GPPracticeCode": gp.organization_code,
        "GPPracticeName": gp.organization,
    }


def rows(person: Person, system: str, operation: str) -> list[JsonRow]:
    """What the operation gives of all the person's records."""
    view = person.systems[system]
    records = _records(person, system)
    held_by: Mapping[str, int] = view.settings.get("held_by", {})
    found = []
    for item in view.items.get(OPERATIONS[operation].section, ()):
        record = records[held_by.get(item.source.id, 0)]
        if (row := _ROWS[operation](item)) is not None:
            of = {} if OPERATIONS[operation].published else {"PatientDetailId": int(record["detail_id"])}
            id_ = {"Id": item.source.id.rpartition("/")[2]} if operation not in _WITHOUT_ID else {}
            found.append(_bare({**id_, **of, **row, **_sent_by(operation, record)}))
    return found


# The published rows of the GP bundle have no id, and a document's stands elsewhere.
_WITHOUT_ID = {*(name for name in OPERATIONS if name.startswith("gp_")), "documents", "pathology_results"} - {
    "gp_allergies",
    "gp_immunisations",
}


def _sent_by(operation: str, record: Mapping[str, Any]) -> JsonRow:
    return {} if operation in ("documents", "pathology_results") else {"TenancyDescription": record["tenancy"]}


def _bare(row: JsonRow) -> JsonRow:
    return {name: value for name, value in row.items() if value is not None and value != "" and value != {}}


def _code(concept: Concept | None, *, snomed: bool) -> str | None:
    coded = concept.coding if concept else ()
    return next((each.code for each in coded if (each.system == SNOMED) is snomed), None)


def _any_code(concept: Concept | None) -> str | None:
    return _code(concept, snomed=False) or _code(concept, snomed=True)


def _pair(concept: Concept | None) -> JsonRow | None:
    return _bare({"Code": _any_code(concept), "Description": concept.text}) if concept else None


def _of(when: object) -> str | None:
    return when.text if isinstance(when, When) else None


def _gp_text(concept: Concept) -> JsonRow:
    return {"Rubric": concept.text, "ReadCode": _code(concept, snomed=False)}


def _medicine(item: Item, course: str) -> JsonRow | None:
    if not isinstance(item, MedicationStatement) or (item.course or Concept()).text != course:
        return None
    return {
        "Date": _of(item.recorded),
        **_gp_text(item.medication),
        "Dosage": item.dosage[0].text if item.dosage else None,
        "Quantity": str(item.quantity.value) if item.quantity else None,
        "Units": item.quantity.unit if item.quantity else None,
        "LastIssuedDate": _of(item.last_issued),
    }


def _repeat(item: Item) -> JsonRow | None:
    return _medicine(item, "Repeat")


def _issued(item: Item) -> JsonRow | None:
    assert isinstance(item, MedicationStatement)  # noqa: S101 - the section's type
    row = _medicine(item, "Issued")
    return {**row, "Status": item.status} if row else None


def _main_problem(item: Item) -> JsonRow | None:
    """A problem that has a status or a SNOMED code: the published additional problems have neither."""
    assert isinstance(item, Condition)  # noqa: S101
    status, snomed = _any_code(item.clinical_status), _code(item.code, snomed=True)
    if not (status or snomed):
        return None
    return {**_problem(item), "SnomedCode": snomed, "Status": status}


def _additional_problem(item: Item) -> JsonRow | None:
    assert isinstance(item, Condition)  # noqa: S101
    return None if _main_problem(item) else _problem(item)


def _problem(item: Condition) -> JsonRow:
    notes = dict(zip(("Notes", "Notes1"), item.note, strict=False))
    return {"Date": _of(item.recorded), **_gp_text(item.code), **notes}


def _allergy(item: Item) -> JsonRow:
    assert isinstance(item, AllergyIntolerance)  # noqa: S101
    reaction = item.reactions[0] if item.reactions else None
    return {
        "Date": _of(item.recorded),
        **_gp_text(item.code),
        "SnomedCode": _code(item.code, snomed=True),
        "Reaction": reaction.manifestation[0].text if reaction and reaction.manifestation else None,
        "Severity": reaction.severity if reaction else None,
        "Notes": item.note[0] if item.note else None,
    }


def _immunisation(item: Item) -> JsonRow:
    assert isinstance(item, Immunization)  # noqa: S101
    return {
        "Date": _of(item.occurrence),
        **_gp_text(item.vaccine),
        "SnomedCode": _code(item.vaccine, snomed=True),
        "Batch": item.lot_number,
        "Status": {"completed": "Given", "not-done": "Not given"}.get(item.status or ""),
    }


def _result(item: Item) -> JsonRow:
    assert isinstance(item, Observation)  # noqa: S101
    performer = item.performers[0] if item.performers else Actor()
    value = item.value
    amount = value if isinstance(value, Quantity) else None
    withdrawn = item.status == "entered-in-error"
    return {
        "Provider": {
            "Department": _bare({"CodeDescription": performer.organization, "Code": performer.organization_code})
        },
        "Report": {"Status": "Final"} if not withdrawn else {"Status": "Withdrawn"},
        "Specimen": _bare(
            {
                "Collected": _of(item.effective),
                "InvestigationDetailsList": [
                    _bare(
                        {
                            "Id": item.source.id.rpartition("/")[2],
                            "Type": _pair(item.code),
                            "AuthorisedDateTime": _of(item.issued),
                            "Value": str(amount.value) if amount else _words(value),
                            "Units": _units(amount) if amount else None,
                            "ReferenceRange": item.reference_ranges[0].text if item.reference_ranges else None,
                            "StatusReason" if withdrawn else "InvestigationComments": item.note[0]
                            if item.note
                            else None,
                        }
                    )
                ],
            }
        ),
    }


def _words(value: object) -> str | None:
    return value if isinstance(value, str) else value.text if isinstance(value, Concept) else None


def _units(value: Quantity) -> JsonRow:
    return _bare({"Description": value.unit, "Code": value.code, "CodingSystem": _UNITS.get(value.system or "")})


def _report(item: Item) -> JsonRow:
    assert isinstance(item, DiagnosticReport)  # noqa: S101
    performer = item.performers[0] if item.performers else Actor()
    return {
        "Examination": _pair(item.code),
        "Performed": _of(item.effective),
        "Report": _bare({"DateTime": _of(item.issued), "Status": "Final", "Text": item.conclusion}),
        "Provider": {
            "Department": _bare({"CodeDescription": performer.organization, "Code": performer.organization_code})
        },
    }


def _document(item: Item) -> JsonRow:
    assert isinstance(item, DocumentReference)  # noqa: S101
    custodian, author = item.custodian or Actor(), item.author or Actor()
    attachment = item.attachments[0] if item.attachments else None
    return {
        "DocumentInformation": _bare(
            {
                "DocumentId": item.source.id.rpartition("/")[2],
                "DocumentDate": _of(item.date),
                "CreationDate": _of(item.recorded),
                "OrganisationCode": custodian.organization_code,
                "TenancyDescription": custodian.organization,
            }
        ),
        "Type": _pair(item.type),
        "Title": item.description,
        "Author": _bare({"Name": author.name, "Role": author.role}),
        "Specialty": _pair(item.service),
        "Status": "Final",
        "ContentType": attachment.content_type if attachment else None,
        "Content": attachment.data_base64 if attachment else None,
    }


def _place(actors: tuple[Actor, ...]) -> JsonRow:
    place = actors[0] if actors else Actor()
    return {
        "Ward": place.name if place.name != place.organization else None,
        "Site": _bare({"Description": place.organization, "Code": place.organization_code}),
    }


def _episode(item: Item) -> JsonRow:
    assert isinstance(item, Encounter)  # noqa: S101
    period = item.period or Period()
    return {
        "Class": item.encounter_class,
        "Type": item.type[0].text if item.type else None,
        "Status": {"finished": "Discharged", "in-progress": "Admitted"}.get(item.status or ""),
        "AdmissionDate": _of(period.start),
        "DischargeDate": _of(period.end),
        "Consultant": item.participants[0].actor.name if item.participants else None,
        "Reason": item.reason[0].text if item.reason else None,
        "Specialty": _pair(item.service),
        "OrganisationCode": item.provider.organization_code if item.provider else None,
        **_place(item.location),
    }


def _appointment(item: Item) -> JsonRow:
    assert isinstance(item, Appointment)  # noqa: S101
    return {
        "Type": item.type.text if item.type else None,
        "Status": {"booked": "Booked", "cancelled": "Cancelled"}.get(item.status or ""),
        "DateTime": _of(item.start),
        "EndDateTime": _of(item.end),
        "Clinician": item.participants[0].actor.name if item.participants else None,
        "Description": item.description,
        "Instructions": item.patient_instruction,
        "Specialty": _pair(item.service),
        **{name: value for name, value in _place(item.location).items() if name == "Site"},
    }


def _alert(item: Item) -> JsonRow:
    assert isinstance(item, Flag)  # noqa: S101
    period = item.period or Period()
    return {
        "Category": item.category[0].text if item.category else None,
        "Description": item.code.text,
        "Code": _code(item.code, snomed=False),
        "SnomedCode": _code(item.code, snomed=True),
        "Status": {"active": "Active", "inactive": "Inactive"}.get(item.status or ""),
        "StartDate": _of(period.start),
        "EndDate": _of(period.end),
        "Notes": item.note[0] if item.note else None,
        "Author": item.author.name if item.author else None,
        "OrganisationCode": item.author.organization_code if item.author else None,
    }


_ROWS: Mapping[str, Callable[[Any], JsonRow | None]] = {
    "gp_repeat_medications": _repeat,
    "gp_issued_medications": _issued,
    "gp_additional_problems": _additional_problem,
    "gp_problems": _main_problem,
    "gp_allergies": _allergy,
    "gp_immunisations": _immunisation,
    "pathology_results": _result,
    "radiology_reports": _report,
    "documents": _document,
    "adt_episodes": _episode,
    "adt_appointments": _appointment,
    "alerts": _alert,
}
