"""What is asked for of a record: no more than the sections that somebody wants, and only legal combinations.

Source: GP Connect API 1.5, "Retrieve a patient's structured record": Payload request body (parameters and their
parts), "Not permitted parameter combinations", Payload response body.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import Any

from mpftconnect.model import NHS_NUMBER_SYSTEM, NhsNumber, SectionName

__all__ = ["STRUCTURED", "asks_not_given", "medications_from", "parameters"]

_CONSULTATIONS = frozenset({SectionName.ENCOUNTERS, SectionName.NOTES})
# What Access Record Structured can tell, and this adapter reads.
STRUCTURED = _CONSULTATIONS | {
    SectionName.ALLERGIES,
    SectionName.MEDICATIONS,
    SectionName.PROBLEMS,
    SectionName.IMMUNISATIONS,
    SectionName.RESULTS,
    SectionName.REPORTS,
    SectionName.REFERRALS,
}


def parameters(
    number: NhsNumber,
    sections: Collection[SectionName],
    *,
    today: date,
    prescription_issues: bool = False,
    active_within_days: int | None = None,
) -> dict[str, Any]:
    """The `Parameters` of `$gpc.getstructuredrecord` for these sections.

    >>> asked = parameters(NhsNumber("9990000018"), [SectionName.ALLERGIES], today=date(2025, 9, 1))
    >>> [one["name"] for one in asked["parameter"]]
    ['patientNHSNumber', 'includeAllergies']
    >>> asked["parameter"][1]["part"]
    [{'name': 'includeResolvedAllergies', 'valueBoolean': True}]
    """
    wanted = frozenset(sections)
    asked: list[dict[str, Any]] = [
        {"name": "patientNHSNumber", "valueIdentifier": {"system": NHS_NUMBER_SYSTEM, "value": number}}
    ]
    if SectionName.ALLERGIES in wanted:
        # The part is mandatory. Ended allergies are wanted: shown as ended, they explain what is no longer active.
        asked.append(_include("includeAllergies", includeResolvedAllergies=True))
    if SectionName.MEDICATIONS in wanted:
        since = medications_from(wanted, today, active_within_days)
        parts: dict[str, bool | date] = {"includePrescriptionIssues": prescription_issues}
        asked.append(_include("includeMedication", **parts, **({"medicationSearchFromDate": since} if since else {})))
    if wanted & _CONSULTATIONS:
        asked.append(_include("includeConsultations"))
    if SectionName.PROBLEMS in wanted:
        asked.append(_include("includeProblems"))
    if SectionName.IMMUNISATIONS in wanted:
        given_or_not = {"includeNotGiven": True} if asks_not_given(wanted) else {}
        asked.append(_include("includeImmunisations", **given_or_not))
    if SectionName.RESULTS in wanted:
        # Measurements such as blood pressure are uncategorised data; what laboratories report are investigations.
        asked.append(_include("includeUncategorisedData"))
    if wanted & {SectionName.RESULTS, SectionName.REPORTS}:
        asked.append(_include("includeInvestigations"))
    if SectionName.REFERRALS in wanted:
        # Diary entries are what the practice means to do or to have done: requests, as referrals are.
        asked += [_include("includeReferrals"), _include("includeDiaryEntries")]
    return {"resourceType": "Parameters", "parameter": asked}


def medications_from(wanted: Collection[SectionName], today: date, active_within_days: int | None) -> date | None:
    """From which day on medicines are asked for; None for all. Never in the future, never a partial date.

    With consultations or problems a date is not permitted: what they link to could go missing.
    """
    if active_within_days is None or not _may_filter(wanted):
        return None
    return today - timedelta(days=min(active_within_days, (today - date(1900, 1, 1)).days))


def asks_not_given(wanted: Collection[SectionName]) -> bool:
    """Whether immunisations that were not given are asked for: not permitted with consultations or problems."""
    return _may_filter(wanted)


def _may_filter(wanted: Collection[SectionName]) -> bool:
    return not frozenset(wanted) & {*_CONSULTATIONS, SectionName.PROBLEMS}


def _include(name: str, **parts: bool | date) -> dict[str, Any]:
    # HL7's invariant wants a value or parts; GP Connect states that a parameter of optional parts may have neither.
    if not parts:
        return {"name": name}
    return {"name": name, "part": [_part(part, value) for part, value in parts.items()]}


def _part(name: str, value: bool | date) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"name": name, "valueBoolean": value}
    return {"name": name, "valueDate": value.isoformat()}
