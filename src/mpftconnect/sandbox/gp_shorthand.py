"""Shorthand in which the GP records of the synthetic people are written."""

from __future__ import annotations

from mpftconnect.model import Actor, Coding, Concept, Reference
from mpftconnect.sandbox.services import SURGERY, SURGERY_CODE, coded

__all__ = [
    "ACTIVE",
    "ALLERGY_ACTIVE",
    "ALLERGY_ENDED",
    "INACTIVE",
    "LABORATORY_CATEGORY",
    "PRACTICE_NURSE",
    "about",
    "course",
    "within",
]

_PRESCRIPTION = "https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-PrescriptionType-1"
ACTIVE = coded("active", "Active", "condition-clinical")
INACTIVE = coded("inactive", "Inactive", "condition-clinical")
ALLERGY_ACTIVE = coded("active", "Active", "allergyintolerance-clinical")
ALLERGY_ENDED = coded("resolved", "Resolved", "allergyintolerance-clinical")
LABORATORY_CATEGORY = (coded("laboratory", "Laboratory", "observation-category"),)
PRACTICE_NURSE = Actor(
    name="Cordelia Banbridge", role="practice nurse", organization=SURGERY, organization_code=SURGERY_CODE
)


def course(code: str) -> Concept:
    """Whether a medicine is a repeat or acute."""
    return Concept(coding=(Coding(system=_PRESCRIPTION, code=code, display=code.capitalize()),))


def about(reference: str) -> tuple[Reference, ...]:
    """The problem that an entry belongs to."""
    return (Reference(reference=reference),)


def within(reference: str) -> Reference:
    """The consultation in which an entry was made."""
    return Reference(reference=reference)
