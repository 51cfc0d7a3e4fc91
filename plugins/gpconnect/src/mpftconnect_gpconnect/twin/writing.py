"""FHIR STU3 data types, as GP Connect writes them.

Source: HL7 FHIR STU3 (3.0.2), data types; GP Connect API 1.5, "FHIR resource population fundamentals" (code and
identifier systems) and the profile pages of each resource.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

from mpftconnect.model import Concept, Item, Period, Quantity, Range, When

__all__ = [
    "CARE_CONNECT",
    "GPC",
    "GPC_CODES",
    "coded",
    "codes_of",
    "concept",
    "extension",
    "filled",
    "identifier",
    "moment",
    "notes",
    "period",
    "profiled",
    "quantity",
    "reference_range",
    "stable_id",
    "tail",
]

GPC = "https://fhir.nhs.uk/STU3/StructureDefinition/"
CARE_CONNECT = "https://fhir.hl7.org.uk/STU3/StructureDefinition/"
GPC_CODES = "https://fhir.nhs.uk/STU3/CodeSystem/"
_OWN_IDS = "https://gp-system.example/Id/record-entry"


def filled(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what is empty: FHIR has no empty elements."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {}, ())}


def profiled(resource_type: str, profile: str, own_id: str, **fields: Any) -> dict[str, Any]:
    """A resource of a GP Connect profile."""
    meta = {"versionId": "1", "profile": [f"{GPC}CareConnect-GPC-{profile}-1"]}
    return filled({"resourceType": resource_type, "id": own_id, "meta": meta, **fields})


def tail(source_id: str) -> str:
    """The id within its type.

    >>> tail("Condition/full-asthma")
    'full-asthma'
    """
    return source_id.rpartition("/")[2]


def stable_id(kind: str, *parts: str | None) -> str:
    """An id that is always the same for the same parts."""
    return f"{kind}-{zlib.crc32('|'.join(part or '' for part in parts).encode()):08x}"


def identifier(own_id: str) -> list[dict[str, str]]:
    """The business identifier of a record entry: unique, and the same at every request."""
    return [{"system": _OWN_IDS, "value": own_id}]


def extension(url: str, kind: str, value: Any) -> dict[str, Any]:
    return {"url": url, f"value{kind}": value}


def coded(system: str, code: str, display: str | None = None) -> dict[str, Any]:
    return {"coding": [filled({"system": system, "code": code, "display": display})]}


def concept(given: Concept | None) -> dict[str, Any] | None:
    if given is None:
        return None
    coding = [
        filled({"system": one.system, "code": one.code, "display": one.display or given.text}) for one in given.coding
    ]
    return filled({"coding": coding, "text": given.text}) or None


def codes_of(given: Concept | None) -> str | None:
    """The first code alone: STU3 has plain codes where R4 has concepts."""
    return next((coding.code for coding in given.coding if coding.code), None) if given else None


def moment(given: When | None) -> str | None:
    """A dateTime: with an offset if it has a time, as partial as it was if it has not."""
    if given is None or not given.has_time:
        return given.text if given else None
    instant = given.instant
    return instant.isoformat() if instant else given.date_text


def period(given: Period | When | None) -> dict[str, Any] | None:
    if isinstance(given, When):
        return filled({"start": moment(given)})
    return filled({"start": moment(given.start), "end": moment(given.end)}) if given else None


def quantity(given: Quantity | None) -> dict[str, Any] | None:
    if given is None:
        return None
    return filled(
        {
            "value": given.value,
            "comparator": given.comparator,
            "unit": given.unit,
            "system": given.system,
            "code": given.code,
        }
    )


def reference_range(low: Quantity | None, high: Quantity | None, text: str | None) -> dict[str, Any]:
    return filled({"low": quantity(low), "high": quantity(high), "text": text})


def range_(given: Range) -> dict[str, Any]:
    return filled({"low": quantity(given.low), "high": quantity(given.high)})


def notes(item: Item, *further: str) -> list[dict[str, str]]:
    texts: Iterable[str] = getattr(item, "note", ())
    return [{"text": text} for text in (*texts, *further)]
