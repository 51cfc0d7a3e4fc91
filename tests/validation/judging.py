"""Short ways to state a profile and to read a report."""

from __future__ import annotations

from typing import Any

from mpftconnect.validation import Report

BASE = "https://zz.example.test/StructureDefinition/"


def profile(name: str, type_: str, *rows: dict[str, Any], base: str | None = None, **more: Any) -> dict[str, Any]:
    """A profile that is only a differential."""
    return {
        "resourceType": "StructureDefinition",
        "url": BASE + name,
        "version": "1.0.0",
        "name": name,
        "status": "active",
        "fhirVersion": "4.0.1",
        "kind": "complex-type" if type_ in ("Extension", "Address", "Identifier") else "resource",
        "abstract": False,
        "type": type_,
        "baseDefinition": base or f"http://hl7.org/fhir/StructureDefinition/{type_}",
        "derivation": "constraint",
        "differential": {"element": list(rows)},
        **more,
    }


def rules(report: Report, severity: tuple[str, ...] = ("error", "fatal")) -> list[str]:
    """The rules that a report says are broken, in order."""
    return [finding.rule for finding in report.findings if finding.severity in severity]


def found(report: Report) -> list[tuple[str, str]]:
    """Rule and place of each error."""
    return [(f.rule, f.expression) for f in report.findings if f.severity in ("error", "fatal")]


CORE = "http://hl7.org/fhir/StructureDefinition/"
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}],
    "name": [{"family": "Ashdown", "given": ["Wren"]}],
    "gender": "female",
    "birthDate": "1950-03-01",
}
