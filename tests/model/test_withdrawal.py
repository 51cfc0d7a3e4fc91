"""An item that its source withdrew says so, in words and with the reason; one that ended or was replaced does not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mpftconnect.model import (
    SECTION_TYPES,
    AllergyIntolerance,
    Appointment,
    CarePlan,
    ClinicalItem,
    Concept,
    Condition,
    DiagnosticReport,
    DocumentReference,
    Encounter,
    Flag,
    Immunization,
    Item,
    LegalStatus,
    MedicationStatement,
    Observation,
    ProgressNote,
    RelatedPerson,
    ServiceRequest,
    Source,
    concept,
)

SOURCE = Source(system="s", id="1", fetched=datetime(2026, 1, 1, tzinfo=UTC))
CODE = {"code": concept("x", "1")}
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def status(code: str) -> Concept:
    return concept(None, code, VERIFICATION)


@pytest.mark.parametrize(
    ("kind", "fields", "withdrawn"),
    [
        (Observation, CODE | {"status": "final"}, None),
        (Observation, CODE | {"status": "preliminary"}, None),
        (Observation, CODE | {"status": "corrected"}, None),
        (Observation, CODE | {"status": "entered-in-error"}, "Entered in error"),
        (Observation, CODE | {"status": "Entered in Error"}, "Entered in error"),
        (Observation, CODE | {"status": "cancelled", "note": ("Haemolysed",)}, "Cancelled: Haemolysed"),
        (
            Observation,
            CODE | {"status": "cancelled", "data_absent_reason": concept("Leaked"), "note": ("Ask again",)},
            "Cancelled: Leaked; Ask again",
        ),
        (Observation, CODE | {"status": "withdrawn"}, "Withdrawn"),
        (DiagnosticReport, CODE | {"status": "cancelled", "note": ("Wrong patient",)}, "Cancelled: Wrong patient"),
        (DiagnosticReport, CODE | {"status": "appended"}, None),
        (DocumentReference, {"status": "entered-in-error"}, "Entered in error"),
        (DocumentReference, {"status": "current", "doc_status": "entered-in-error"}, "Entered in error"),
        (DocumentReference, {"status": "superseded"}, None),
        (ProgressNote, {"text": "x", "status": "entered-in-error"}, "Entered in error"),
        (Condition, CODE | {"verification_status": status("refuted")}, "Refuted"),
        (Condition, CODE | {"verification_status": status("entered-in-error")}, "Entered in error"),
        (Condition, CODE | {"verification_status": concept("Refuted")}, "Refuted"),
        (Condition, CODE | {"verification_status": status("unconfirmed")}, None),
        (Condition, CODE | {"clinical_status": status("resolved")}, None),
        (AllergyIntolerance, CODE | {"verification_status": status("refuted")}, "Refuted"),
        (AllergyIntolerance, CODE | {"verification_status": status("entered-in-error")}, "Entered in error"),
        (AllergyIntolerance, CODE | {"clinical_status": status("inactive")}, None),
        (MedicationStatement, {"medication": concept("x"), "status": "active"}, None),
        (MedicationStatement, {"medication": concept("x"), "status": "completed"}, None),
        (
            MedicationStatement,
            {"medication": concept("x"), "status": "stopped", "status_reason": (concept("Rash"), concept("Asked to"))},
            "Stopped: Rash; Asked to",
        ),
        (MedicationStatement, {"medication": concept("x"), "status": "stopped"}, "Stopped"),
        (MedicationStatement, {"medication": concept("x"), "status": "cancelled"}, "Cancelled"),
        (MedicationStatement, {"medication": concept("x"), "status": "on-hold"}, None),
        (Immunization, {"vaccine": concept("x"), "status": "not-done"}, None),
        (
            Immunization,
            {"vaccine": concept("x"), "status": "entered-in-error", "status_reason": concept("Other child")},
            "Entered in error: Other child",
        ),
        (
            Appointment,
            {"status": "cancelled", "cancellation_reason": concept("Clinic closed")},
            "Cancelled: Clinic closed",
        ),
        (Appointment, {"status": "noshow"}, None),
        (Encounter, {"status": "cancelled"}, "Cancelled"),
        (ServiceRequest, {"status": "revoked"}, "Revoked"),
        (CarePlan, {"status": "revoked"}, "Revoked"),
        (CarePlan, {"status": "completed"}, None),
        (Flag, CODE | {"status": "inactive"}, None),
        (LegalStatus, CODE | {"status": "entered-in-error"}, "Entered in error"),
        (RelatedPerson, {}, None),
    ],
)
def test_what_is_withdrawn_and_why(kind: type[Item], fields: dict[str, Any], withdrawn: str | None) -> None:
    assert kind(source=SOURCE, **fields).withdrawn == withdrawn


@pytest.mark.parametrize("kind", [t for t in SECTION_TYPES.values() if issubclass(t, ClinicalItem)])
def test_whatever_has_a_status_can_be_entered_in_error(kind: type[Item]) -> None:
    needed = {"code", "medication", "vaccine"} & kind.model_fields.keys()
    required: dict[str, Any] = {name: concept("x") for name in needed if kind.model_fields[name].is_required()}
    required |= {"text": "x"} if "text" in kind.model_fields else {}
    where = {"verification_status": status("entered-in-error")}
    if "verification_status" not in kind.model_fields:
        where = {"status": "entered-in-error"}  # type: ignore[dict-item]
    assert kind(source=SOURCE, **required, **where).withdrawn == "Entered in error"
