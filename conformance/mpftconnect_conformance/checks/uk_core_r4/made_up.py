"""Observations that the probes make where writes are allowed, and take away again.

Every word in them is also the display of a code in them, so that redaction keeps it: what was written can then be
compared with what is read back, on the evidence as received and as redacted alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mpftconnect.conformance import Evidence, NotInEvidence, Outcome, Probe, Recorded
from mpftconnect.model import NHS_NUMBER_SYSTEM
from mpftconnect_conformance.checks.uk_core_r4.gathered import objects

__all__ = ["WORDS", "heart_rate", "id_of", "kept_as", "subject_of_full", "take_away"]

WORDS = "Heart rate, lying down, after five minutes of rest"
"""Text of an Observation's code that is the term of none of its national codes."""

_LOCAL = "https://mpftconnect.example/fhir/CodeSystem/ways-of-measuring"


def subject_of_full(probe: Probe) -> dict[str, str] | None:
    """The full person as a subject; None if the system does not find the person."""
    number = probe.person("full").nhs_number
    first = probe.get("Patient", {"identifier": f"{NHS_NUMBER_SYSTEM}|{number}"}, step="Patient of full", person="full")
    found = [r for r in objects(first) if r.get("resourceType") == "Patient"]
    if not found or not isinstance(found[0].get("id"), str):
        return None
    return {"reference": f"Patient/{found[0]['id']}"}


def heart_rate(who: Mapping[str, str], *, value: int = 70, words: bool = False, **more: Any) -> dict[str, Any]:
    """An Observation that fits UKCore-Observation-VitalSigns-HeartRate.

    Args:
        words: With a code of our own beside the national ones, and its words as text.
        more: Elements that stand before all others.
    """
    coding = [
        {"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"},
        {"system": "http://snomed.info/sct", "code": "364075005", "display": "Heart rate"},
    ]
    if words:
        coding.append({"system": _LOCAL, "code": "pulse-lying", "display": WORDS})
    return {
        "resourceType": "Observation",
        **more,
        "status": "final",
        "category": [
            {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}
                ]
            }
        ],
        "code": {"coding": coding, **({"text": WORDS} if words else {})},
        "subject": dict(who),
        "effectiveDateTime": "2025-09-01T09:00:00+01:00",
        "valueQuantity": {
            "value": value,
            "unit": "per minute",
            "system": "http://unitsofmeasure.org",
            "code": "/min",
        },
    }


def id_of(made: Recorded) -> str | None:
    """The id of what a create made: in the body, else in the header Location (FHIR R4, RESTful API 3.1.0.8)."""
    for resource in objects(made):
        if resource.get("resourceType") == "Observation" and isinstance(resource.get("id"), str):
            return str(resource["id"])
    parts = (made.header("Location") or "").partition("/_history/")[0].rstrip("/").split("/")
    return parts[-1] if made.ok and len(parts) > 1 and parts[-2] == "Observation" and parts[-1] else None


def take_away(probe: Probe, made: Recorded) -> None:
    id_ = id_of(made)
    if id_ is not None:
        probe.delete(f"Observation/{id_}", step="take away what was made")


def kept_as(evidence: Evidence, step: str) -> Mapping[str, Any] | Outcome | None:
    """The Observation that a read gave, why it gave none, or None where nothing was asked."""
    try:
        answer = evidence.one(step)
    except NotInEvidence:
        return None
    trouble = answer.trouble()
    if trouble is not None:
        return trouble
    return next((r for r in objects(answer) if r.get("resourceType") == "Observation"), None)
