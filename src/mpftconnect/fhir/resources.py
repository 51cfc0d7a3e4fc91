"""Read a FHIR R4 resource as an item of the model, and write an item as a FHIR R4 resource."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ValidationError

from mpftconnect.errors import NotADate, UsageError
from mpftconnect.fhir import clinical, contacts, people
from mpftconnect.fhir.care_plan import CARE_PLAN
from mpftconnect.fhir.datatypes import REFERENCE, reference_type
from mpftconnect.fhir.reading import ABSENT, NotMapped, Reading, Resolver, Unreadable
from mpftconnect.fhir.resource import Resource
from mpftconnect.model import (
    DEFAULT_ZONE,
    NHS_NUMBER_SYSTEM,
    Identifier,
    Item,
    MedicationStatement,
    Reference,
    Source,
)

__all__ = ["READS_TYPES", "read_by_table", "read_resource", "subject_of", "write_resource"]

_TABLES: Final[dict[str, Resource]] = {
    table.resource_type: table
    for table in (
        people.PATIENT,
        people.RELATED_PERSON,
        people.PRACTITIONER,
        people.ORGANIZATION,
        people.LOCATION,
        clinical.CONDITION,
        clinical.ALLERGY_INTOLERANCE,
        clinical.MEDICATION_STATEMENT,
        clinical.MEDICATION_REQUEST,
        clinical.OBSERVATION,
        clinical.DIAGNOSTIC_REPORT,
        clinical.SPECIMEN,
        contacts.DOCUMENT_REFERENCE,
        contacts.ENCOUNTER,
        contacts.APPOINTMENT,
        clinical.SERVICE_REQUEST,
        clinical.FLAG_RESOURCE,
        clinical.CONSENT,
        clinical.IMMUNIZATION,
        contacts.CARE_TEAM,
        CARE_PLAN,
        clinical.LEGAL_STATUS,
    )
}
_BY_MODEL: Final[dict[type[Item], Resource]] = {
    table.item_type: table for table in (*_TABLES.values(), contacts.PROGRESS_NOTE)
}

READS_TYPES: Final[frozenset[str]] = frozenset(_TABLES)
"""FHIR resource types that `read_resource` reads. `Basic` only where it is a legal status that we wrote."""


@lru_cache(maxsize=64)
def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise NotADate("the time zone is not a known IANA name") from None


def _contained_by_id(resource: Mapping[str, Any]) -> dict[str, tuple[int, dict[str, Any]]]:
    found: dict[str, tuple[int, dict[str, Any]]] = {}
    contained = resource.get("contained")
    for index, part in enumerate(contained if type(contained) is list else ()):
        if type(part) is dict and type(part.get("id")) is str:
            found.setdefault(part["id"], (index, part))
    return found


def read_resource(
    resource: Mapping[str, Any],
    *,
    source: Source | None = None,
    zone: str = DEFAULT_ZONE,
    contained_or_bundle: Resolver | None = None,
) -> Item:
    """Read a FHIR R4 resource.

    Nothing that was sent is lost: what the model cannot hold, and every element that is malformed, is in the item's
    `extra` with its path. An item is refused only if it cannot be one.

    Args:
        resource: JSON as `parse_json` gives it: a number with a fraction is a `Decimal`.
        source: Where it comes from; version and time of change are added from `meta` where it has none. None for a
            resource that `write_resource` wrote: the source it carries is restored.
        zone: IANA zone of times without an offset.
        contained_or_bundle: Finds the resource that a reference points to, such as the Practitioner in the same
            Bundle, so that authors are shown by name. Contained resources are found without it.
    Returns:
        The item; its type follows `resourceType`. A DocumentReference of category clinical-note with one inline plain
        text is a `ProgressNote`.
    Raises:
        NotMapped: Not an object, no `resourceType` or one that is not in `READS_TYPES`, no source, or a modifier
            element that turns the meaning round and that the model cannot show. Never with a value.
        NotADate: `zone` is not a zone.

    >>> from datetime import UTC, datetime
    >>> source = Source(system="gp", id="Condition/1", fetched=datetime(2026, 1, 1, tzinfo=UTC))
    >>> read_resource({"resourceType": "Condition", "id": "1", "code": {"text": "Asthma"}}, source=source).words()
    'Asthma'
    """
    return read_by_table(_table_of, resource, source, zone, contained_or_bundle)


def _table_of(content: Mapping[str, Any]) -> Resource | None:
    kind = content.get("resourceType")
    table = _TABLES.get(kind) if type(kind) is str else None
    return contacts.PROGRESS_NOTE if table is contacts.DOCUMENT_REFERENCE and contacts.is_note(content) else table


def read_by_table(
    table_of: Callable[[Mapping[str, Any]], Resource | None],
    resource: Mapping[str, Any],
    source: Source | None,
    zone: str,
    contained_or_bundle: Resolver | None,
) -> Item:
    """Read a resource by the table that `table_of` chooses for it; arguments and errors as of `read_resource`."""
    if not isinstance(resource, Mapping):
        raise NotMapped("is not a JSON object")
    _check_zone(zone)
    content: dict[str, Any] = resource if type(resource) is dict else dict(resource)
    table = table_of(content)
    if table is None:
        raise NotMapped("names no resource type that is read here", place="resourceType")
    ctx = Reading(zone, contained_or_bundle, _contained_by_id(content), content.get("subject", ABSENT))
    try:
        return table.read_item(content, source, ctx)
    except (Unreadable, ValidationError, UnicodeEncodeError):
        raise NotMapped("holds text that is not Unicode", place=table.resource_type) from None
    except RecursionError:
        raise NotMapped("is nested too deeply", place=table.resource_type) from None
    except TypeError:
        raise NotMapped("holds something that is not JSON", place=table.resource_type) from None


def write_resource(item: Item) -> dict[str, Any]:
    """Write an item as a FHIR R4 resource.

    `read_resource(write_resource(item)) == item`, exactly. Required elements that the item has no value for carry
    a reason for absence. Whatever R4 has no element for stands in an extension (`mpftconnect.fhir.extensions`).

    Args:
        item: Any item of the model.
    Returns:
        JSON with `Decimal`s; `dump_json` writes it as text.
    Raises:
        UsageError: The item is of a type that has no FHIR form here.

    >>> from datetime import UTC, datetime
    >>> from mpftconnect.model import Flag, concept
    >>> source = Source(system="rio", id="Flag/7", fetched=datetime(2026, 1, 1, tzinfo=UTC))
    >>> written = write_resource(Flag(source=source, code=concept("Lone working risk"), status="active"))
    >>> written["id"], written["code"]
    ('7', {'text': 'Lone working risk'})
    """
    table = _BY_MODEL.get(type(item))
    if table is None:
        raise UsageError(f"{type(item).__name__} has no FHIR form")
    if isinstance(item, MedicationStatement):
        table = clinical.MEDICATION_REQUEST if item.kind == "request" else clinical.MEDICATION_STATEMENT
    return table.write_item(item)


_SUBJECTS: Final = ("subject", "patient", "beneficiary")


def subject_of(resource: Mapping[str, Any]) -> Reference | None:
    """Whom a raw resource says it is about, before anything else of it is read.

    Of a Patient this is the patient: reference and NHS number. Of an Appointment it is the participant that is a
    Patient. None where the resource does not say.

    >>> subject_of({"resourceType": "Flag", "subject": {"reference": "Patient/9"}}).reference
    'Patient/9'
    """
    kind = resource.get("resourceType")
    if kind == "Patient":
        return _patient_itself(resource)
    if kind == "Appointment":
        return _booked_patient(resource)
    for name in _SUBJECTS:
        raw = resource.get(name)
        if type(raw) is dict:
            return _reference(raw)
    return None


def _reference(raw: dict[str, Any]) -> Reference | None:
    try:
        reference: Reference = REFERENCE.read(raw, "", Reading(DEFAULT_ZONE))
    except (Unreadable, NotMapped, UnicodeEncodeError, RecursionError, TypeError):
        return None
    return reference


def _patient_itself(resource: Mapping[str, Any]) -> Reference:
    own_id, identifiers = resource.get("id"), resource.get("identifier")
    numbers = [
        identifier["value"]
        for identifier in (identifiers if type(identifiers) is list else ())
        if type(identifier) is dict
        and identifier.get("system") == NHS_NUMBER_SYSTEM
        and identifier.get("use") != "old"
        and type(identifier.get("value")) is str
    ]
    return Reference(
        reference=f"Patient/{own_id}" if type(own_id) is str else None,
        identifier=Identifier(system=NHS_NUMBER_SYSTEM, value=numbers[0]) if numbers else None,
    )


def _booked_patient(resource: Mapping[str, Any]) -> Reference | None:
    participants = resource.get("participant")
    for participant in participants if type(participants) is list else ():
        actor = participant.get("actor") if type(participant) is dict else None
        if type(actor) is dict:
            reference = actor.get("reference")
            named = reference_type(reference) if type(reference) is str else None
            if "Patient" in (named, actor.get("type")):
                return _reference(actor)
    return None
