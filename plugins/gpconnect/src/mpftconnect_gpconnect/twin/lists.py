"""The Lists of a structured record: one for each clinical area, those of what is linked, and consultations.

Source: GP Connect API 1.5, "Returning data in lists" (primary and secondary lists, warning codes and their texts),
"List" (`emptyReason`) and "List - consultation structure" (consultation, topic, heading).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mpftconnect.model import ClinicalItem, Condition, Encounter, ProgressNote
from mpftconnect_gpconnect.twin.entries import reference_of
from mpftconnect_gpconnect.twin.writing import CARE_CONNECT, GPC, coded, filled, moment, tail

__all__ = ["AREAS", "Warnings", "consultation_lists", "primary_list", "secondary_list"]

_SNOMED = "http://snomed.info/sct"
_SECONDARY = "https://fhir.hl7.org.uk/STU3/CodeSystem/GPConnect-SecondaryListValues-1"
_EMPTY = "https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-ListEmptyReasonCode-1"
_WARNING = f"{GPC}Extension-CareConnect-GPC-ListWarningCode-1"

# By area: SNOMED CT code, preferred term, title of the list.
AREAS: Mapping[str, tuple[str, str, str]] = {
    "allergies": ("886921000000105", "Allergies and adverse reactions", "Allergies and adverse reactions"),
    "ended-allergies": ("1103671000000101", "Ended allergies", "Ended allergies"),
    "consultations": ("1149501000000101", "List of consultations", "List of consultations"),
    "diary": ("714311000000108", "Patient recall administration", "Patient recall administration"),
    "immunisations": ("1102181000000102", "Immunisations", "Immunisations"),
    "investigations": ("887191000000108", "Investigations and results", "Investigations and results"),
    "medications": ("933361000000108", "Medications and medical devices", "Medications and medical devices"),
    "referrals": ("792931000000107", "Outbound referral", "Outbound referral"),
    "problems": ("717711000000103", "Problems", "Problems"),
    "uncategorised": ("826501000000100", "Miscellaneous record", "Uncategorised data"),
}
# What the titles of secondary lists call an area.
_LINKED = {
    "allergies": "allergies",
    "consultations": "consultations",
    "diary": "diary entries",
    "documents": "documents",
    "immunisations": "immunisations",
    "investigations": "investigations",
    "medications": "medications",
    "problems": "problems",
    "referrals": "outbound referrals",
    "uncategorised": "uncategorised data",
}


class Warnings:
    """What a list must say of itself.

    Args:
        confidential: Areas of which something is kept back.
        in_transit_since: The day on which the person registered here, where the former practice's record has not
            come yet; None if it has.
    """

    def __init__(self, confidential: Iterable[str] = (), in_transit_since: str | None = None) -> None:
        self._confidential, self._since = frozenset(confidential), in_transit_since

    def of(self, area: str) -> list[tuple[str, str]]:
        """Codes with their texts, for every list of the area."""
        found = []
        if area in self._confidential:
            found.append(("confidential-items", "Items excluded due to confidentiality and/or patient preferences."))
        if self._since is not None:
            text = (
                "Patient record transfer from previous GP practice not yet complete; information recorded before "
                f"{self._since} may be missing."
            )
            found.append(("data-in-transit", text))
        return found


def primary_list(
    area: str, patient: str, references: Sequence[str], warnings: Warnings, contained: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    code, term, title = AREAS[area]
    return _list(
        {"title": title, "code": coded(_SNOMED, code, term), "contained": list(contained)},
        patient,
        references,
        warnings.of(area),
    )


def secondary_list(
    group: str, area: str, patient: str, references: Sequence[str], warnings: Warnings
) -> dict[str, Any] | None:
    """The list of what consultations contain or problems are related to; None if there is nothing to say.

    Args:
        group: `consultations` or `problems`.
    """
    said = [one for one in warnings.of(area) if one[0] == "confidential-items"]
    if not references and not said:
        return None
    name = _LINKED[area]
    if group == "problems" and area == "problems":
        title = "Problems - linked problems not relating to the primary query"
    elif group == "problems":
        title = f"Problems - {name} related to problems"
    elif area == "referrals":
        title = "Consultations - outbound referrals in consultations"
    else:
        title = f"Consultations - {name} contained in consultations"
    code = title.casefold().replace(" - ", "-").replace(" ", "-")
    made = _list({"title": title, "code": coded(_SECONDARY, code, title)}, patient, references, said)
    if not references:
        made.pop("emptyReason", None)
    return made


def _list(
    fields: Mapping[str, Any], patient: str, references: Sequence[str], warnings: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    setting = {
        "url": f"{GPC}Extension-CareConnect-GPC-ClinicalSetting-1",
        "valueCodeableConcept": coded(_SNOMED, "1060971000000108", "General practice service"),
    }
    texts = [text for _, text in warnings]
    empty = coded(_EMPTY, "no-content-recorded", "No Content Recorded") if not references else None
    if empty is not None:
        texts = ["Information not available", *texts]
    return filled(
        {
            "resourceType": "List",
            "meta": {"profile": [f"{GPC}CareConnect-GPC-List-1"]},
            **fields,
            "extension": [setting, *({"url": _WARNING, "valueCode": code} for code, _ in warnings)],
            "status": "current",
            "mode": "snapshot",
            "subject": {"reference": patient},
            "note": [{"text": " ".join(texts)}] if texts else [],
            "entry": [{"item": {"reference": reference}} for reference in references],
            "emptyReason": empty,
        }
    )


def consultation_lists(
    encounter: Encounter, patient: str, contents: Sequence[ClinicalItem], problems: Sequence[Condition]
) -> list[dict[str, Any]]:
    """The consultation, its one topic, and a heading for each kind of what was written.

    A note's type is the heading under which it stands; everything else stands under its own kind.
    """
    own_id = tail(encounter.source.id)
    by_heading: dict[str, list[str]] = {}
    for item in contents:
        heading = item.type.words() if isinstance(item, ProgressNote) and item.type else _heading_of(item)
        by_heading.setdefault(heading, []).append(reference_of(item))
    headings = [
        _part(f"{own_id}-heading-{number}", "24781000000107", "Category (EHR)", encounter, patient, title, references)
        for number, (title, references) in enumerate(by_heading.items(), start=1)
    ]
    topic = _part(
        f"{own_id}-topic",
        "25851000000105",
        "Topic (EHR)",
        encounter,
        patient,
        problems[0].code.words() if problems else None,
        [f"List/{heading['id']}" for heading in headings],
    )
    if problems:
        topic["extension"] = [
            {
                "url": f"{CARE_CONNECT}Extension-CareConnect-RelatedProblemHeader-1",
                "extension": [{"url": "target", "valueReference": {"reference": reference_of(problem)}}],
            }
            for problem in problems
        ]
    title = encounter.type[0].words() if encounter.type else None
    whole = _part(
        f"{own_id}-consultation", "325851000000107", "Consultation", encounter, patient, title, [f"List/{topic['id']}"]
    )
    # "Empty consultations and empty subsections are suppressed at source"
    return [whole, topic, *headings] if headings else []


def _heading_of(item: ClinicalItem) -> str:
    return {
        "MedicationStatement": "Medication",
        "AllergyIntolerance": "Allergy",
        "Immunization": "Immunisation",
        "ServiceRequest": "Referral",
        "DocumentReference": "Document",
        "Condition": "Problem",
        "DiagnosticReport": "Test results",
    }.get(type(item).__name__, "Examination")


def _part(
    own_id: str,
    code: str,
    term: str,
    encounter: Encounter,
    patient: str,
    title: str | None,
    references: Sequence[str],
) -> dict[str, Any]:
    when = encounter.period.start if encounter.period else None
    return filled(
        {
            "resourceType": "List",
            "id": own_id,
            "meta": {"profile": [f"{GPC}CareConnect-GPC-List-1"]},
            "status": "current",
            "mode": "snapshot",
            "title": title,
            "code": coded(_SNOMED, code, term),
            "subject": {"reference": patient},
            "encounter": {"reference": reference_of(encounter)},
            "date": moment(when),
            "orderedBy": coded("http://hl7.org/fhir/list-order", "system", "Sorted by System"),
            "entry": [{"item": {"reference": reference}} for reference in references],
        }
    )
