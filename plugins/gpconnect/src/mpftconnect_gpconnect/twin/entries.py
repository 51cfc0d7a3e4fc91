"""Record entries in STU3: allergies, problems, immunisations, results, reports, referrals, documents, encounters.

Source: GP Connect API 1.5, the profile pages of each resource under Access Record Structured and Access Document.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from mpftconnect.model import (
    AllergyIntolerance,
    ClinicalItem,
    Concept,
    Condition,
    DiagnosticReport,
    DocumentReference,
    Encounter,
    Immunization,
    Observation,
    ProgressNote,
    Quantity,
    ServiceRequest,
    When,
)
from mpftconnect_gpconnect.twin.people import Surroundings
from mpftconnect_gpconnect.twin.writing import (
    CARE_CONNECT,
    GPC,
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
    reference_range,
    tail,
)

__all__ = ["document_bytes", "entry_resource", "reference_of"]

_PARTICIPATION = "http://hl7.org/fhir/v3/ParticipationType"
# SNOMED CT UK: free text within a consultation ("Observation - narrative").
_NARRATIVE = coded("http://snomed.info/sct", "37331000000100", "Comment note")


def entry_resource(
    item: ClinicalItem, around: Surroundings, *, related: Iterable[ClinicalItem] = (), documents: str = ""
) -> dict[str, Any]:
    """The resource of a record entry; medicines have a module of their own.

    Args:
        related: For a problem, the entries that belong to it.
        documents: Base URL of the document server, for addresses of Binaries.
    """
    match item:
        case AllergyIntolerance():
            return _allergy(item, around)
        case Condition():
            return _problem(item, around, related)
        case Immunization():
            return _immunisation(item, around)
        case Observation():
            return _observation(item, around)
        case ProgressNote():
            return _narrative(item, around)
        case DiagnosticReport():
            return _report(item, around)
        case ServiceRequest():
            return _diary_entry(item, around) if item.intent == "plan" else _referral(item, around)
        case DocumentReference():
            return _document(item, around, documents)
        case Encounter():
            return _encounter(item, around)
    raise TypeError(f"a GP record holds no {type(item).__name__}")


def document_bytes(item: DocumentReference) -> bytes | None:
    """The content that the practice holds; None for a placeholder."""
    held = next((attachment.data_base64 for attachment in item.attachments if attachment.data_base64), None)
    return base64.b64decode(held) if held else None


def _subject(item: ClinicalItem, name: str = "subject") -> dict[str, Any]:
    return {name: {"reference": item.subject.reference}} if item.subject else {}


def _context(item: ClinicalItem) -> dict[str, str] | None:
    return {"reference": str(item.encounter.reference)} if item.encounter else None


def _own(item: ClinicalItem) -> tuple[str, dict[str, Any]]:
    own_id = tail(item.source.id)
    return own_id, {"identifier": identifier(own_id)}


def _allergy(item: AllergyIntolerance, around: Surroundings) -> dict[str, Any]:
    own_id, own = _own(item)
    status = codes_of(item.clinical_status) or "active"
    extensions = []
    if item.encounter:
        url = "http://hl7.org/fhir/StructureDefinition/encounter-associatedEncounter"
        extensions.append(extension(url, "Reference", _context(item)))
    if status == "resolved":
        ended = item.ended or item.recorded
        parts = [{"url": "endDate", "valueDateTime": moment(ended)}] if ended else []
        reason = {"url": "reasonEnded", "valueString": item.reason_ended or "No information available"}
        extensions.append(
            {"url": f"{GPC}Extension-CareConnect-GPC-AllergyIntoleranceEnd-1", "extension": [*parts, reason]}
        )
    reactions = [
        filled(
            {
                "manifestation": [concept(each) for each in reaction.manifestation],
                "description": reaction.description,
                "severity": reaction.severity,
            }
        )
        for reaction in item.reactions
    ]
    return profiled(
        "AllergyIntolerance",
        "AllergyIntolerance",
        own_id,
        extension=extensions,
        clinicalStatus=status,
        verificationStatus=codes_of(item.verification_status) or "unconfirmed",
        type=item.type,
        category=list(item.category),
        criticality=item.criticality,
        code=concept(item.code),
        onsetDateTime=moment(item.onset) if isinstance(item.onset, When) else None,
        assertedDate=moment(item.recorded),
        recorder=around.reference(item.author),
        note=notes(item),
        reaction=reactions,
        **own,
        **_subject(item, "patient"),
    )


def _problem(item: Condition, around: Surroundings, related: Iterable[ClinicalItem]) -> dict[str, Any]:
    own_id, own = _own(item)
    links = [
        extension(
            f"{CARE_CONNECT}Extension-CareConnect-RelatedClinicalContent-1",
            "Reference",
            {"reference": reference_of(other)},
        )
        for other in related
        if not isinstance(other, Condition)
    ]
    heads = [
        {
            "url": f"{CARE_CONNECT}Extension-CareConnect-RelatedProblemHeader-1",
            "extension": [
                {"url": "type", "valueCode": "child"},
                {"url": "target", "valueReference": {"reference": reference_of(other)}},
            ],
        }
        for other in related
        if isinstance(other, Condition)
    ]
    significance = f"{CARE_CONNECT}Extension-CareConnect-ProblemSignificance-1"
    return profiled(
        "Condition",
        "ProblemHeader-Condition",
        own_id,
        extension=[
            extension(significance, "Code", item.significance or "minor"),
            *links,
            *heads,
        ],
        clinicalStatus=codes_of(item.clinical_status) or "active",
        category=[
            coded(
                "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-ConditionCategory-1",
                "problem-list-item",
                "Problem List Item",
            )
        ],
        code=concept(item.code),
        context=_context(item),
        onsetDateTime=moment(item.onset) if isinstance(item.onset, When) else None,
        abatementDateTime=moment(item.abatement) if isinstance(item.abatement, When) else None,
        assertedDate=moment(item.recorded),
        asserter=around.reference(item.author),
        note=notes(item),
        **own,
        **_subject(item),
    )


def reference_of(item: ClinicalItem) -> str:
    """How a Bundle refers to an entry."""
    request = "ProcedureRequest" if isinstance(item, ServiceRequest) and item.intent == "plan" else "ReferralRequest"
    kinds: Mapping[type[ClinicalItem], str] = {ProgressNote: "Observation", ServiceRequest: request}
    return f"{kinds.get(type(item), type(item).__name__)}/{tail(item.source.id)}"


def _immunisation(item: Immunization, around: Surroundings) -> dict[str, Any]:
    own_id, own = _own(item)
    given = item.status != "not-done"
    explanation = {}
    if item.status_reason is not None:
        explanation = {"reason" if given else "reasonNotGiven": [concept(item.status_reason)]}
    performers = [
        {"role": coded("http://hl7.org/fhir/v2/0443", "AP", "Administering Provider"), "actor": reference}
        for performer in item.performers
        if (reference := around.reference(performer))
    ]
    return profiled(
        "Immunization",
        "Immunization",
        own_id,
        extension=[
            extension(
                f"{CARE_CONNECT}Extension-CareConnect-DateRecorded-1",
                "DateTime",
                moment(item.recorded or (item.occurrence if isinstance(item.occurrence, When) else None)),
            ),
            extension(
                f"{CARE_CONNECT}Extension-CareConnect-VaccinationProcedure-1", "CodeableConcept", concept(item.vaccine)
            ),
        ],
        status="completed",
        notGiven=not given,
        vaccineCode=coded("http://hl7.org/fhir/v3/NullFlavor", "UNK", "unknown"),
        encounter=_context(item),
        date=moment(item.occurrence) if isinstance(item.occurrence, When) else None,
        primarySource=item.primary_source if item.primary_source is not None else True,
        location=around.location(item.location) if item.location else None,
        manufacturer=around.reference(item.manufacturer),
        lotNumber=item.lot_number,
        expirationDate=item.expiration.date_text if item.expiration else None,
        site=concept(item.site),
        route=concept(item.route),
        doseQuantity=quantity(item.dose),
        practitioner=performers,
        note=notes(item),
        explanation=explanation,
        **own,
        **_subject(item, "patient"),
    )


def _observation(item: Observation, around: Surroundings) -> dict[str, Any]:
    own_id, own = _own(item)
    effective = item.effective
    when = {"effectivePeriod": period(effective)} if effective and not isinstance(effective, When) else {}
    if isinstance(effective, When):
        when = {"effectiveDateTime": moment(effective)}  # type: ignore[dict-item]
    return profiled(
        "Observation",
        "Observation",
        own_id,
        status=item.status or "final",
        category=[_observation_category(each) for each in item.category],
        code=concept(item.code),
        context=_context(item),
        **when,
        issued=moment(item.issued) if item.issued and item.issued.has_time else None,
        performer=[reference for actor in item.performers if (reference := around.reference(actor))],
        **_value(item.value),
        interpretation=concept(next(iter(item.interpretation), None)),
        comment="\n".join(item.note),
        referenceRange=[reference_range(one.low, one.high, one.text) for one in item.reference_ranges],
        related=[{"type": "has-member", "target": {"reference": str(member.reference)}} for member in item.members],
        component=[
            filled({"code": concept(component.code), **_value(component.value)}) for component in item.components
        ],
        **own,
        **_subject(item),
    )


def _observation_category(given: Concept) -> dict[str, Any]:
    # STU3's code system, which R4 moved.
    return coded("http://hl7.org/fhir/observation-category", codes_of(given) or "laboratory", given.words())


def _value(value: Any) -> dict[str, Any]:
    match value:
        case None:
            return {}
        case Quantity():
            return {"valueQuantity": quantity(value)}
        case Concept():
            return {"valueCodeableConcept": concept(value)}
        case When():
            return {"valueDateTime": moment(value)}
    return {"valueString": str(value)}


def _narrative(item: ProgressNote, around: Surroundings) -> dict[str, Any]:
    own_id, own = _own(item)
    author = around.reference(item.author)
    return profiled(
        "Observation",
        "Observation",
        own_id,
        status="final",
        code=_NARRATIVE,
        context=_context(item),
        effectiveDateTime=moment(item.date),
        issued=moment(item.date) if item.date and item.date.has_time else None,
        performer=[author] if author else [],
        comment=item.text,
        **own,
        **_subject(item),
    )


def _report(item: DiagnosticReport, around: Surroundings) -> dict[str, Any]:
    own_id, own = _own(item)
    performers = [{"actor": reference} for actor in item.performers if (reference := around.reference(actor))]
    return profiled(
        "DiagnosticReport",
        "DiagnosticReport",
        own_id,
        status=item.status or "final",
        category=coded("http://hl7.org/fhir/v2/0074", "LAB", "Laboratory") if item.category else None,
        code=concept(item.code),
        context=_context(item),
        issued=moment(item.issued),
        performer=performers,
        result=[{"reference": str(result.reference)} for result in item.results],
        conclusion=item.conclusion,
        **own,
        **_subject(item),
    )


def _referral(item: ServiceRequest, around: Surroundings) -> dict[str, Any]:
    own_id, own = _own(item)
    requester = around.reference(item.author)
    return profiled(
        "ReferralRequest",
        "ReferralRequest",
        own_id,
        status=item.status or "unknown",
        intent="order",
        priority=item.priority or "routine",
        context=_context(item),
        authoredOn=moment(item.authored),
        requester={"agent": requester} if requester else None,
        specialty=concept(item.service),
        recipient=[reference for actor in item.performers if (reference := around.reference(actor))],
        reasonCode=[concept(reason) for reason in ((item.code,) if item.code else ()) + item.reason],
        description=item.code.words() if item.code else None,
        note=notes(item),
        **own,
        **_subject(item),
    )


def _diary_entry(item: ServiceRequest, around: Surroundings) -> dict[str, Any]:
    own_id, own = _own(item)
    requester = around.reference(item.author)
    return profiled(
        "ProcedureRequest",
        "ProcedureRequest",
        own_id,
        status=item.status or "active",
        intent="plan",
        code=concept(item.code),
        context=_context(item),
        occurrenceDateTime=moment(item.occurrence) if isinstance(item.occurrence, When) else None,
        authoredOn=moment(item.authored),
        requester={"agent": requester} if requester else None,
        note=notes(item),
        **own,
        **_subject(item),
    )


def _document(item: DocumentReference, around: Surroundings, documents: str) -> dict[str, Any]:
    own_id, own = _own(item)
    attachment = next(iter(item.attachments), None)
    data = document_bytes(item)
    author = around.reference(item.author)
    content = filled(
        {
            "contentType": attachment.content_type if attachment else "application/pdf",
            "url": f"{documents}/Binary/{own_id}" if data is not None else None,
            "size": len(data) if data is not None else 0,
            # "To be used when only a placeholder for a document is available": why it is not there.
            "title": attachment.title if attachment and data is None else None,
        }
    )
    return profiled(
        "DocumentReference",
        "DocumentReference",
        own_id,
        status="current",
        type=concept(item.type),
        created=moment(item.date),
        indexed=moment(item.recorded or item.date) if (item.recorded or item.date) else None,
        author=[author] if author else [],
        custodian=around.organization(item.custodian) if item.custodian else None,
        description=item.description,
        content=[{"attachment": content}],
        context=filled({"encounter": _context(item), "practiceSetting": concept(item.practice_setting)}),
        **own,
        **_subject(item),
    )


def _encounter(item: Encounter, around: Surroundings) -> dict[str, Any]:
    own_id, own = _own(item)
    participants = [
        {"type": [coded(_PARTICIPATION, "PPRF", "primary performer")], "individual": reference}
        for participant in item.participants
        if (reference := around.reference(participant.actor))
    ]
    return profiled(
        "Encounter",
        "Encounter",
        own_id,
        status=item.status or "finished",
        type=[concept(each) for each in item.type],
        participant=participants,
        period=period(item.period),
        location=[{"location": around.location(place)} for place in item.location],
        serviceProvider=around.organization(item.provider) if item.provider else None,
        **own,
        **_subject(item),
    )
