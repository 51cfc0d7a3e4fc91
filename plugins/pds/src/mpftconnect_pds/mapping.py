"""Between PDS's FHIR and the common model: what is particular to PDS, on top of the SDK's R4 mapping.

Source: PDS FHIR API specification, components/schemas/*.yaml and components/paths/*.yaml.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mpftconnect.adapters import Reading, Refusal
from mpftconnect.errors import AnswerRejected, NotAnNhsNumber, UsageError
from mpftconnect.fhir import read_resource
from mpftconnect.model import (
    DEFAULT_ZONE,
    NHS_NUMBER_SYSTEM,
    Demographics,
    Identifier,
    NhsNumber,
    Patient,
    RelatedPerson,
    Source,
    extra_from,
    nhs_number,
)

__all__ = [
    "Entry",
    "emergency_contacts",
    "entries_of",
    "is_known_by_number_alone",
    "number_of",
    "read_patient",
    "read_related_person",
    "search_parameters",
]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a searchset, with its place for messages."""

    place: str
    full_url: str
    resource: Mapping[str, Any]


def number_of(resource: Any) -> NhsNumber:
    """The NHS number of a Patient, which PDS states twice: as `id` and as `identifier`.

    Raises:
        AnswerRejected: Not a Patient, not an NHS number, or the two differ.
    """
    if not isinstance(resource, Mapping) or resource.get("resourceType") != "Patient":
        raise AnswerRejected("a Patient is expected", place="resourceType")
    number = _number(resource.get("id"), "Patient.id")
    identifiers = resource.get("identifier", [])
    for index, identifier in enumerate(identifiers if isinstance(identifiers, list) else [None]):
        place = f"Patient.identifier[{index}]"
        if not isinstance(identifier, Mapping):
            raise AnswerRejected("an object is expected", place=place)
        if identifier.get("system", NHS_NUMBER_SYSTEM) != NHS_NUMBER_SYSTEM:
            continue
        if _number(identifier.get("value"), f"{place}.value") != number:
            raise AnswerRejected("the identifier is not the number that the id states", place=f"{place}.value")
    return number


def _number(text: Any, place: str) -> NhsNumber:
    try:
        if isinstance(text, str) and re.fullmatch(r"\d{10}", text, re.ASCII):
            return nhs_number(text)
    except NotAnNhsNumber:
        pass
    raise AnswerRejected("a valid NHS number is expected", place=place)


def read_patient(reading: Reading, resource: Mapping[str, Any]) -> Patient:
    """A Patient, as a retrieval or a search gives it."""
    number = number_of(resource)
    version = _at(resource, "meta", "versionId")
    source = reading.source(f"Patient/{number}", version=version if isinstance(version, str) else None)
    item = read_resource(resource, source=source, zone=reading.zone)
    if not isinstance(item, Patient):
        raise AnswerRejected("a Patient is expected", place="resourceType")
    if item.nhs_number is None:
        # NhsNumber.yaml: the `id` is the NHS number too, and Patient.yaml requires it alone.
        item = item.model_copy(update={"identifiers": (Identifier.nhs(number), *item.identifiers)})
    if item.restriction is None:
        # PDS always states a level (Meta.yaml). Where it does not, or states one that is new, whether the person may
        # be located is unknown, and they are protected as a restricted person is.
        return item.model_copy(update={"restriction": "R"})
    return item


def entries_of(bundle: Any) -> Iterator[Entry | Refusal]:
    """The entries of a searchset. An entry that is none becomes a `Refusal`.

    Raises:
        AnswerRejected: Not a searchset, or `total` is not the number of entries (PDS does not page).
    """
    if not isinstance(bundle, Mapping) or bundle.get("resourceType") != "Bundle":
        raise AnswerRejected("a Bundle is expected", place="resourceType")
    if bundle.get("type") != "searchset":
        raise AnswerRejected("a searchset is expected", place="Bundle.type")
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        raise AnswerRejected("an array is expected", place="Bundle.entry")
    if bundle.get("total", len(entries)) != len(entries):
        raise AnswerRejected("the total is not the number of entries", place="Bundle.total")
    return _entries(entries)


def _entries(entries: list[Any]) -> Iterator[Entry | Refusal]:
    for index, entry in enumerate(entries):
        place = f"entry[{index}]"
        resource = entry.get("resource") if isinstance(entry, Mapping) else None
        if not isinstance(resource, Mapping):
            yield Refusal(place, "an entry with a resource is expected", content=entry)
            continue
        full_url = entry.get("fullUrl")
        yield Entry(place, full_url if isinstance(full_url, str) else "", resource)


def read_related_person(reading: Reading, entry: Entry, number: NhsNumber) -> RelatedPerson | Refusal:
    """A related person of the patient with that number.

    In PDS, `RelatedPerson.patient` names the related person's *own* record (PatientReference.yaml: "NHS number for
    the related person"), so whose related person it is stands in `fullUrl` alone. The item refers to the patient, as
    FHIR R4 means it, and keeps the own record in `extra`, as sent, under the path `patient`.
    """
    owner = re.search(r"/Patient/([^/]+)/RelatedPerson/[^/]+$", entry.full_url)
    if owner is None:
        return Refusal(f"{entry.place}.fullUrl", "it does not say whose related person it is", content=entry.resource)
    if owner[1] != number:
        return Refusal(
            f"{entry.place}.fullUrl", "somebody else's related person", wrong_person=True, content=entry.resource
        )
    if entry.resource.get("resourceType") != "RelatedPerson":
        return Refusal(f"{entry.place}.resource", "a RelatedPerson is expected", content=entry.resource)
    own_id = entry.resource.get("id")
    if not isinstance(own_id, str) or not own_id:
        return Refusal(f"{entry.place}.resource.id", "an id is expected", content=entry.resource)
    source = reading.source(f"Patient/{number}/RelatedPerson/{own_id}")
    resource = {**entry.resource, "patient": _subject(number)}
    item = _related_person(resource, source, entry.place, zone=reading.zone)
    own_record = entry.resource.get("patient")
    if isinstance(item, Refusal) or own_record in (None, {}):
        return item
    return item.model_copy(update={"extra": (*item.extra, extra_from("patient", own_record))})


def is_known_by_number_alone(person: RelatedPerson) -> bool:
    """Whether PDS gave no name but the person's own record (RelatedPerson.yaml, `name`)."""
    return not person.names and any(extra.path == "patient" for extra in person.extra)


def _subject(number: str) -> dict[str, Any]:
    return {"type": "Patient", "identifier": {"system": NHS_NUMBER_SYSTEM, "value": number}}


def emergency_contacts(patient: Patient) -> Iterator[RelatedPerson | Refusal]:
    """The numbers to call in an emergency, which PDS keeps in `Patient.contact` (Contact.yaml): no name, no kin.

    The Patient of the common model has no place for them, so they stand in its `extra`.
    """
    for extra in patient.extra:
        index = re.fullmatch(r"contact\[(\d+)\]", extra.path)
        if index:
            yield _emergency_contact(patient, int(index[1]), extra.value)
        elif extra.path == "contact":
            contacts = extra.value if isinstance(extra.value, list) else [extra.value]
            for at, contact in enumerate(contacts):
                yield _emergency_contact(patient, at, contact)


def _emergency_contact(patient: Patient, at: int, contact: Any) -> RelatedPerson | Refusal:
    place = f"Patient.contact[{at}]"
    if not isinstance(contact, Mapping):
        return Refusal(place, "an object is expected", content=contact)
    own_id = contact.get("id")
    name = own_id if isinstance(own_id, str) and own_id else str(at)
    source = patient.source.model_copy(update={"id": f"{patient.source.id}/contact/{name}"})
    resource = {**contact, "resourceType": "RelatedPerson", "id": name, "patient": _subject(patient.nhs_number or "")}
    item = _related_person(resource, source, place)
    return item if isinstance(item, Refusal) else item.model_copy(update={"emergency_contact": True})


def _related_person(
    resource: Mapping[str, Any], source: Source, place: str, *, zone: str = DEFAULT_ZONE
) -> RelatedPerson | Refusal:
    try:
        item = read_resource(resource, source=source, zone=zone)
    except AnswerRejected as error:
        return Refusal(f"{place}.{error.place}" if error.place else place, error.rule, content=resource)
    if not isinstance(item, RelatedPerson):
        return Refusal(place, "a RelatedPerson is expected", content=resource)
    return item


def search_parameters(demographics: Demographics, *, history: bool) -> list[tuple[str, str]]:
    """The query of a non-fuzzy search (patient-search.yaml, "Non-fuzzy search").

    A partial date of birth becomes a range. `_max-results` is 1: all that application-restricted access allows.

    Raises:
        UsageError: The family name or the date of birth is missing; PDS searches by nothing less.

    >>> from mpftconnect.model import PartialDate
    >>> search_parameters(Demographics(family="Quillfeather", birth_date=PartialDate("1950-02")), history=False)
    [('family', 'Quillfeather'), ('birthdate', 'ge1950-02-01'), ('birthdate', 'le1950-02-28'), ('_max-results', '1')]
    """
    if not demographics.family or demographics.birth_date is None:
        raise UsageError("PDS searches by family name and date of birth at least")
    text = demographics.birth_date.text
    start, end = _first_and_last_day(text)
    born = [("birthdate", f"eq{text}")] if start == end else [("birthdate", f"ge{start}"), ("birthdate", f"le{end}")]
    optional = (
        ("gender", demographics.gender),
        ("address-postalcode", demographics.postal_code),
        ("email", demographics.email),
        ("phone", demographics.telephone),
    )
    return [
        ("family", demographics.family),
        *(("given", given) for given in demographics.given),
        *born,
        *((name, value) for name, value in optional if value),
        *([("_history", "true")] if history else []),
        ("_max-results", "1"),
    ]


def _first_and_last_day(text: str) -> tuple[str, str]:
    year, month, day = (*text.split("-"), "", "")[:3]
    if day:
        return text, text
    last_month = int(month or 12)
    last_day = monthrange(int(year), last_month)[1]
    return f"{year}-{month or '01'}-01", f"{year}-{last_month:02}-{last_day:02}"


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
