"""What a supplier enters of each test person, from the twin that holds it: as FHIR, as a table, as a sheet to read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mpftconnect.adapters import TwinSpec
from mpftconnect.errors import UsageError
from mpftconnect.sandbox import PEOPLE
from mpftconnect.spreadsheet import csv_lines

__all__ = ["as_bundle", "as_csv", "as_sheet", "records_of"]

Resource = Mapping[str, Any]


def records_of(spec: TwinSpec) -> dict[str, list[Resource]]:
    """The resources of each role that the twin's supplier names.

    Raises:
        UsageError: The twin does not say what it holds of people (`record_of(role)`).
    """
    twin: Any = spec.build(PEOPLE)
    if not hasattr(twin, "record_of"):
        raise UsageError(f"twin {spec.name} does not say what it holds of people")
    return {role: list(twin.record_of(role)) for role in spec.supplier.get("people", {})}


def as_bundle(resources: Sequence[Resource]) -> bytes:
    """A FHIR R4 Bundle of type collection; local ids and versions are the twin's own, and yours will differ."""
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": f"https://mpftconnect.example/sandbox/{r['resourceType']}/{r['id']}", "resource": r}
            for r in resources
        ],
    }
    return (json.dumps(bundle, indent=2, ensure_ascii=False) + "\n").encode()


def as_csv(records: Mapping[str, Sequence[Resource]]) -> bytes:
    """One row an element: role, resource, element, value."""
    rows = [
        (role, f"{resource['resourceType']}/{resource['id']}", element, value)
        for role, resources in records.items()
        for resource in resources
        for element, value in _leaves(resource)
    ]
    return "".join(csv_lines(("role", "resource", "element", "value"), rows)).encode("utf-8-sig")


def as_sheet(records: Mapping[str, Sequence[Resource]]) -> bytes:
    """Plain text, to be entered by hand and ticked off."""
    lines = ["Made-up people for a test system. Nobody in these sheets is real.", ""]
    for role, resources in records.items():
        lines += [f"ROLE {role}", ""]
        for resource in resources:
            lines.append(f"{resource['resourceType']} {resource['id']}")
            lines += [f"  [ ] {element}: {value}" for element, value in _leaves(resource)]
            lines.append("")
    return "\n".join(lines).encode()


def _leaves(resource: Resource) -> Iterator[tuple[str, str]]:
    waiting: list[tuple[Any, str]] = [(resource, "")]
    while waiting:
        value, place = waiting.pop(0)
        if isinstance(value, Mapping):
            inner = [
                (part, f"{place}.{key}" if place else key)
                for key, part in value.items()
                if place or key not in ("resourceType", "id", "meta")
            ]
            waiting = inner + waiting
        elif isinstance(value, list):
            waiting = [(part, f"{place}[{index}]") for index, part in enumerate(value)] + waiting
        else:
            yield place, str(value).lower() if isinstance(value, bool) else str(value)
