"""Which status codes say that an item no longer stands, or never did.

Source: HL7 FHIR R4 (4.0.1), the required value sets observation-status, diagnostic-report-status,
document-reference-status, composition-status, medication-statement-status, medicationrequest-status, request-status,
event-status, immunization-status, encounter-status, appointmentstatus, flag-status, care-team-status and
consent-state-codes; and of CodeableConcept, condition-ver-status and allergyintolerance-verification. "Withdrawn" and
"nullified" are no codes of those; sources write them all the same.
"""

from __future__ import annotations

from mpftconnect.model.coded import Concept

__all__ = ["withdrawal"]

# Never true, of whatever kind: who recorded it says that it was a mistake, or takes it back.
_ALWAYS = {
    "entered-in-error": "Entered in error",
    "refuted": "Refuted",
    "withdrawn": "Withdrawn",
    "nullified": "Withdrawn",
}
# What else takes an item of a kind out of force before its time.
_OF_KIND = {
    "Observation": {"cancelled": "Cancelled"},
    "DiagnosticReport": {"cancelled": "Cancelled"},
    "MedicationStatement": {"stopped": "Stopped", "cancelled": "Cancelled"},
    "CarePlan": {"revoked": "Revoked"},
    "ServiceRequest": {"revoked": "Revoked"},
    "Appointment": {"cancelled": "Cancelled"},
    "Encounter": {"cancelled": "Cancelled"},
}


def withdrawal(kind: str, *statuses: str | Concept | None) -> str | None:
    """What the first of the statuses that withdraws an item of this kind says; None if none does.

    >>> withdrawal("Observation", "cancelled"), withdrawal("Condition", "cancelled")
    ('Cancelled', None)
    """
    own = _OF_KIND.get(kind, {})
    for status in statuses:
        for code in _codes(status):
            if words := _ALWAYS.get(code) or own.get(code):
                return words
    return None


def _codes(status: str | Concept | None) -> tuple[str, ...]:
    if status is None:
        return ()
    if isinstance(status, str):
        return (_code(status),)
    # Without a code the text is all that the source says of it.
    coded = tuple(_code(coding.code) for coding in status.coding if coding.code)
    return coded or ((_code(status.text),) if status.text else ())


def _code(text: str) -> str:
    if text.isalpha() and text.islower():
        return text
    return "-".join(text.replace("_", " ").replace("-", " ").casefold().split())
