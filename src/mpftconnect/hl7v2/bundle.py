"""The items of mapped messages as a FHIR R4 Bundle, through the tables of `mpftconnect.fhir`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from mpftconnect.fhir import write_resource
from mpftconnect.hl7v2.applying import applied
from mpftconnect.hl7v2.changes import Replace, Retract, Upsert
from mpftconnect.hl7v2.mapping import Mapped
from mpftconnect.model import Item

__all__ = ["to_bundle"]

# Where the resources of a Bundle stand to each other; `.example` is reserved (RFC 2606, section 2).
_BASE: Final = "https://mpftconnect.example/hl7v2/fhir/"
# FHIR R4, extension data-absent-reason.
_ABSENT: Final = {
    "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
}


def to_bundle(mapped: Iterable[Mapped]) -> dict[str, Any]:
    """One collection Bundle of what the messages leave standing, each thing once, in the order of first mention.

    It is what these messages say, not a record: no policy has looked at it, and nobody was matched.

    Returns:
        JSON with `Decimal`s; `mpftconnect.fhir.dump_json` writes it as text.
    """
    standing: dict[str, Item] = {}
    for one in mapped:
        for change in one.changes:
            if isinstance(change, Upsert | Replace | Retract):
                name = change.key.text
                standing[name] = applied(standing.get(name), change)
    entries = []
    for item in standing.values():
        resource = _completed(write_resource(item))
        entry: dict[str, Any] = {"resource": resource}
        if "id" in resource:
            entry = {"fullUrl": f"{_BASE}{resource['resourceType']}/{resource['id']}", **entry}
        entries.append(entry)
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "collection"}
    return {**bundle, "entry": entries} if entries else bundle


def _completed(resource: dict[str, Any]) -> dict[str, Any]:
    """FHIR R4, Appointment, constraint app-2: start and end stand together. An end that nobody stated is said to be
    unknown, and never worked out.
    """
    if resource["resourceType"] == "Appointment":
        for here, there in (("start", "end"), ("end", "start")):
            if here in resource and there not in resource and f"_{there}" not in resource:
                resource[f"_{there}"] = _ABSENT
    return resource
