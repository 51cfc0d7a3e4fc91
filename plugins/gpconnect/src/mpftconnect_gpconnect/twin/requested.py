"""What a `Parameters` resource asks for, or the error that it earns.

Source: GP Connect API 1.5, "Retrieve a patient's structured record": Payload request body, "Not permitted parameter
combinations" and Error handling.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from mpftconnect.errors import AnswerRejected, NotAnNhsNumber
from mpftconnect.fhir import parse_json
from mpftconnect.model import NHS_NUMBER_SYSTEM, NhsNumber, nhs_number
from mpftconnect_gpconnect.twin.refusals import Refused

__all__ = ["Requested", "identifier_number", "requested"]

_WHOLE_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

# By parameter: its area here, and its parts with the type of each.
_PARAMETERS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "includeAllergies": ("allergies", {"includeResolvedAllergies": "Boolean"}),
    "includeMedication": (
        "medications",
        {"includePrescriptionIssues": "Boolean", "medicationSearchFromDate": "Date"},
    ),
    "includeConsultations": (
        "consultations",
        {"consultationSearchPeriod": "Period", "includeNumberOfMostRecent": "PositiveInt"},
    ),
    "includeProblems": ("problems", {"filterStatus": "Code", "filterSignificance": "Code"}),
    "includeImmunisations": ("immunisations", {"includeNotGiven": "Boolean", "includeStatus": "Boolean"}),
    "includeUncategorisedData": ("uncategorised", {"uncategorisedDataSearchPeriod": "Period"}),
    "includeInvestigations": ("investigations", {"investigationSearchPeriod": "Period"}),
    "includeReferrals": ("referrals", {"referralSearchPeriod": "Period"}),
    "includeDiaryEntries": ("diary", {"diaryEntriesSearchDate": "Date"}),
}
# Parts that could hide what consultations or problems link to.
_NOT_WITH_PROBLEMS = frozenset(
    {
        *("medicationSearchFromDate", "uncategorisedDataSearchPeriod", "referralSearchPeriod"),
        *("diaryEntriesSearchDate", "includeNotGiven", "includeStatus"),
    }
)
_NOT_WITH_CONSULTATIONS = _NOT_WITH_PROBLEMS | {"filterSignificance", "filterStatus"}


@dataclass(frozen=True, slots=True)
class Requested:
    """What is asked for.

    Args:
        areas: Clinical areas, as `lists.AREAS` names them.
        ended_allergies: Whether those that have ended are wanted.
        issues: Whether single prescription issues are wanted.
        active_since: Medicines that were active on or after that day alone; None for all.
        not_given: Whether immunisations that were not given are wanted.
    """

    number: NhsNumber
    areas: frozenset[str]
    ended_allergies: bool = False
    issues: bool = True
    active_since: str | None = None
    not_given: bool = False


def requested(body: bytes, today: Callable[[], date]) -> Requested:
    """Read a request's body.

    Raises:
        Refused: With the code that the specification gives for what is wrong with it.
    """
    try:
        resource = parse_json(body)
    except AnswerRejected:
        raise Refused("INVALID_RESOURCE", "the body could not be parsed") from None
    listed = resource.get("parameter") if isinstance(resource, Mapping) else None
    if (
        not isinstance(resource, Mapping)
        or resource.get("resourceType") != "Parameters"
        or not isinstance(listed, list)
    ):
        raise Refused("INVALID_RESOURCE", "not a Parameters resource")
    if not all(isinstance(one, Mapping) and isinstance(one.get("name"), str) for one in listed):
        raise Refused("INVALID_RESOURCE", "a parameter has no name")
    numbers = [one for one in listed if one["name"] == "patientNHSNumber"]
    if len(numbers) != 1:
        raise Refused("INVALID_PARAMETER", "patientNHSNumber")
    number = identifier_number(numbers[0].get("valueIdentifier"))
    # What a provider does not know it ignores, and says so (forward compatibility); nothing known is an error.
    known = [one for one in listed if one["name"] in _PARAMETERS]
    if not known:
        raise Refused("INVALID_PARAMETER", "no recognised parameter")
    names = [one["name"] for one in known if one["name"] != "includeProblems"]
    if len(names) != len(set(names)):
        raise Refused("INVALID_RESOURCE", "a parameter is given twice")
    parts: dict[str, Any] = {}
    for one in known:
        parts |= _parts(one, today())
    areas = frozenset(_PARAMETERS[one["name"]][0] for one in known)
    if "allergies" in areas and "includeResolvedAllergies" not in parts:
        raise Refused("INVALID_PARAMETER", "includeResolvedAllergies")
    barred = _NOT_WITH_CONSULTATIONS if "consultations" in areas else frozenset()
    if "problems" in areas:
        barred |= _NOT_WITH_PROBLEMS
    if barred & parts.keys():
        raise Refused("INVALID_PARAMETER", "a combination of parameters that is not permitted")
    return Requested(
        number,
        areas,
        ended_allergies=parts.get("includeResolvedAllergies", False),
        issues=parts.get("includePrescriptionIssues", True),
        active_since=parts.get("medicationSearchFromDate"),
        not_given=parts.get("includeNotGiven", False),
    )


def identifier_number(identifier: Any) -> NhsNumber:
    """The NHS number that an Identifier holds.

    Raises:
        Refused: It holds none.
    """
    if not isinstance(identifier, Mapping):
        raise Refused("INVALID_PARAMETER", "patientNHSNumber")
    if identifier.get("system") != NHS_NUMBER_SYSTEM:
        raise Refused("INVALID_IDENTIFIER_SYSTEM")
    value = identifier.get("value")
    if not isinstance(value, str) or not re.fullmatch(r"\d{10}", value, re.ASCII):
        raise Refused("INVALID_NHS_NUMBER")
    try:
        return nhs_number(value)
    except NotAnNhsNumber:
        raise Refused("INVALID_NHS_NUMBER") from None


def _parts(parameter: Mapping[str, Any], today: date) -> dict[str, Any]:
    name, given = parameter["name"], parameter.get("part", [])
    _, types = _PARAMETERS[name]
    if not isinstance(given, list) or not all(isinstance(part, Mapping) for part in given):
        raise Refused("INVALID_RESOURCE", name)
    found: dict[str, Any] = {}
    for part in given:
        part_name = part.get("name")
        if part_name not in types:
            raise Refused("INVALID_PARAMETER", name)
        if f"value{types[part_name]}" not in part:
            raise Refused("INVALID_PARAMETER", f"{part_name} has no value")
        found[part_name] = _checked(part_name, types[part_name], part[f"value{types[part_name]}"], today)
    return found


def _checked(name: str, type_: str, value: Any, today: date) -> Any:
    if type_ == "Boolean" and not isinstance(value, bool):
        raise Refused("INVALID_RESOURCE", name)
    if type_ == "Date":
        if not isinstance(value, str) or not _WHOLE_DATE.fullmatch(value):
            raise Refused("INVALID_PARAMETER", f"{name} is not a whole date")
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise Refused("INVALID_PARAMETER", f"{name} is not a date") from None
        # A diary entry lies ahead; everything else lies behind.
        if (day < today) if name == "diaryEntriesSearchDate" else (day > today):
            raise Refused("INVALID_PARAMETER", f"{name} is on the wrong side of today")
    return value
