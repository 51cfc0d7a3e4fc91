"""Read a FHIR STU3 resource as an item of the model, and write what was read as STU3 again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mpftconnect.errors import UsageError
from mpftconnect.fhir import people as r4_people
from mpftconnect.fhir.reading import Resolver
from mpftconnect.fhir.resource import Resource
from mpftconnect.fhir.resources import read_by_table
from mpftconnect.fhir.stu3 import clinical, contacts, medicines, people, results
from mpftconnect.model import DEFAULT_ZONE, Item, MedicationStatement, Source

__all__ = ["STU3_READS_TYPES", "read_stu3_resource", "write_stu3_resource"]

_TABLES: Final[dict[str, Resource]] = {
    table.resource_type: table
    for table in (
        people.PATIENT,
        people.RELATED_PERSON,
        r4_people.PRACTITIONER,
        people.PRACTITIONER_ROLE,
        r4_people.ORGANIZATION,
        r4_people.LOCATION,
        clinical.CONDITION,
        clinical.ALLERGY_INTOLERANCE,
        medicines.MEDICATION_STATEMENT,
        medicines.MEDICATION_REQUEST,
        clinical.IMMUNIZATION,
        clinical.FLAG_RESOURCE,
        results.OBSERVATION,
        results.DIAGNOSTIC_REPORT,
        results.SPECIMEN,
        contacts.ENCOUNTER,
        contacts.APPOINTMENT,
        contacts.PROCEDURE_REQUEST,
        contacts.REFERRAL_REQUEST,
        contacts.DOCUMENT_REFERENCE,
        contacts.CARE_TEAM,
        contacts.CARE_PLAN,
    )
}
# Where a type of the model has two resources, the later one is written unless the item's own id names the other.
_BY_MODEL: Final[dict[type[Item], Resource]] = {
    table.item_type: table for table in _TABLES.values() if table is not people.PRACTITIONER_ROLE
}

STU3_READS_TYPES: Final[frozenset[str]] = frozenset(_TABLES)
"""FHIR STU3 resource types that `read_stu3_resource` reads."""


def read_stu3_resource(
    resource: Mapping[str, Any],
    *,
    source: Source | None = None,
    zone: str = DEFAULT_ZONE,
    contained_or_bundle: Resolver | None = None,
) -> Item:
    """Read a FHIR STU3 (3.0.2) resource, with the extensions of Care Connect and GP Connect.

    As `mpftconnect.fhir.read_resource` does for R4: nothing that was sent is lost, and what cannot be an item is
    refused. Codes that STU3 and R4 share read alike from either; any other is kept as it came.

    Args:
        resource: JSON as `parse_json` gives it.
        source: Where it comes from; None for a resource that `write_stu3_resource` wrote.
        zone: IANA zone of times without an offset.
        contained_or_bundle: Finds the resource that a reference points to: authors, medicines, organisations.
    Raises:
        NotMapped: As `read_resource` does; `STU3_READS_TYPES` are read.
        NotADate: `zone` is not a zone.

    >>> from datetime import UTC, datetime
    >>> source = Source(system="gp", id="Condition/1", fetched=datetime(2026, 1, 1, tzinfo=UTC))
    >>> asthma = {"resourceType": "Condition", "id": "1", "code": {"text": "Asthma"}, "clinicalStatus": "active"}
    >>> read_stu3_resource(asthma, source=source).clinical_status.coding[0].code
    'active'
    """
    return read_by_table(_table_of, resource, source, zone, contained_or_bundle)


def _table_of(content: Mapping[str, Any]) -> Resource | None:
    kind = content.get("resourceType")
    return _TABLES.get(kind) if type(kind) is str else None


def write_stu3_resource(item: Item) -> dict[str, Any]:
    """Write an item as a FHIR STU3 resource: for twins of systems that speak STU3, and to prove that nothing is lost.

    What `read_stu3_resource` read is written whole. Of an item from elsewhere, what STU3 has no element for is written
    in an extension of ours or, where there is none, left out: to send an item on, use `write_resource`.

    Raises:
        UsageError: The item is of a type that has no STU3 form here.
    """
    named = _TABLES.get(item.source.id.partition("/")[0])
    table = named if named is not None and named.item_type is type(item) else _BY_MODEL.get(type(item))
    if table is None:
        raise UsageError(f"{type(item).__name__} has no STU3 form")
    if isinstance(item, MedicationStatement):
        table = medicines.MEDICATION_REQUEST if item.kind == "request" else medicines.MEDICATION_STATEMENT
    return table.write_item(item)
