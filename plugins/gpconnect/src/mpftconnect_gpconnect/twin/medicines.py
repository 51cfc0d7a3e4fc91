"""Medicines in STU3: a MedicationStatement, the plan that it rests on, its product, and single issues.

Source: GP Connect API 1.5, profile pages MedicationStatement, MedicationRequest (`intent` plan and order,
prescription type, status reason, repeat information) and Medication.
"""

from __future__ import annotations

from typing import Any

from mpftconnect.model import Concept, Dosage, MedicationStatement, When
from mpftconnect_gpconnect.twin.people import Surroundings
from mpftconnect_gpconnect.twin.writing import (
    GPC,
    GPC_CODES,
    coded,
    codes_of,
    concept,
    extension,
    filled,
    identifier,
    moment,
    notes,
    period,
    profiled,
    quantity,
    stable_id,
    tail,
)

__all__ = ["medicine_resources"]

_EXTENSION = f"{GPC}Extension-CareConnect-GPC-"


def medicine_resources(item: MedicationStatement, around: Surroundings, *, issues: bool) -> list[dict[str, Any]]:
    """The statement first, then what it refers to.

    Args:
        issues: Whether single issues are wanted.
    """
    own_id = tail(item.source.id)
    product = stable_id("med", item.medication.text, codes_of(item.medication))
    subject = {"reference": item.subject.reference} if item.subject else None
    context = {"reference": item.encounter.reference} if item.encounter else None
    shared: dict[str, Any] = {
        "medicationReference": {"reference": f"Medication/{product}"},
        "subject": subject,
        "context": context,
    }
    statement = profiled(
        "MedicationStatement",
        "MedicationStatement",
        own_id,
        extension=_statement_extensions(item),
        identifier=identifier(own_id),
        basedOn=[{"reference": f"MedicationRequest/{own_id}-plan"}],
        status=item.status,
        effectivePeriod=period(item.effective),
        dateAsserted=moment(item.recorded),
        taken="unk",
        reasonCode=[concept(reason) for reason in item.reason],
        note=notes(item),
        dosage=[_dosage(dose) for dose in item.dosage],
        **shared,
    )
    plan = _request(item, f"{own_id}-plan", "plan", item.status, item.authored or item.recorded, around, shared)
    found = [statement, plan, _medication(product, item.medication)]
    if issues and item.last_issued is not None:
        order = _request(item, f"{own_id}-issue", "order", "completed", item.last_issued, around, shared)
        order["basedOn"] = [{"reference": f"MedicationRequest/{own_id}-plan"}]
        found.append(order)
    return found


def _statement_extensions(item: MedicationStatement) -> list[dict[str, Any]]:
    agency = coded(
        f"{GPC_CODES}CareConnect-PrescribingAgency-1", "prescribed-at-gp-practice", "Prescribed at GP practice"
    )
    found = [extension(f"{_EXTENSION}PrescribingAgency-1", "CodeableConcept", agency)]
    if item.last_issued is not None:
        found.append(extension(f"{_EXTENSION}MedicationStatementLastIssueDate-1", "DateTime", moment(item.last_issued)))
    return found


def _request(
    item: MedicationStatement,
    own_id: str,
    intent: str,
    status: str | None,
    authored: When | None,
    around: Surroundings,
    shared: dict[str, Any],
) -> dict[str, Any]:
    course = codes_of(item.course) or "repeat"
    type_ = coded(f"{GPC_CODES}CareConnect-PrescriptionType-1", course, course.capitalize())
    extensions = [extension(f"{_EXTENSION}PrescriptionType-1", "CodeableConcept", type_)]
    if intent == "plan" and item.repeats_allowed is not None:
        allowed = {"url": "numberOfRepeatPrescriptionsAllowed", "valuePositiveInt": item.repeats_allowed}
        extensions.append({"url": f"{_EXTENSION}MedicationRepeatInformation-1", "extension": [allowed]})
    if intent == "plan" and item.status_reason:
        ended = item.status_changed or getattr(item.effective, "end", None)
        parts = [{"url": "statusReason", "valueCodeableConcept": concept(item.status_reason[0])}]
        if ended is not None:
            parts.append({"url": "statusChangeDate", "valueDateTime": moment(ended)})
        extensions.append({"url": f"{_EXTENSION}MedicationStatusReason-1", "extension": parts})
    return profiled(
        "MedicationRequest",
        "MedicationRequest",
        own_id,
        extension=extensions,
        identifier=identifier(own_id),
        groupIdentifier={"value": tail(item.source.id)},
        status=status,
        intent=intent,
        authoredOn=moment(authored),
        recorder=around.reference(item.author),
        reasonCode=[concept(reason) for reason in item.reason],
        dosageInstruction=[_dosage(dose) for dose in item.dosage],
        dispenseRequest=filled({"validityPeriod": period(item.effective), "quantity": quantity(item.quantity)}),
        **shared,
    )


def _dosage(dose: Dosage) -> dict[str, Any]:
    return filled({"text": dose.text, "patientInstruction": dose.patient_instruction})


def _medication(own_id: str, product: Concept) -> dict[str, Any]:
    return profiled("Medication", "Medication", own_id, code=concept(product))
