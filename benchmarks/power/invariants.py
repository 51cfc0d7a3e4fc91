"""Breaks invariants: one hand-made way for each, from the words in which the published constraint states its rule.

The engine that judges invariants must not decide how they are broken, so nothing here evaluates an expression.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from power.published import Json, Place, Published

__all__ = ["broken_invariants"]

Breaker = Callable[[Json], bool]
Broken = tuple[str, str, str, Json]


def broken_invariants(published: Published, resource: Json) -> Iterator[Broken]:
    """Resources that break one invariant each, where the resource has what the invariant is about."""
    for number, place in enumerate(published.places(resource)):
        if not isinstance(place.value, dict):
            continue
        for key, breaker in _OF_TYPE.get(place.type_, {}).items():
            broken = copy.deepcopy(resource)
            there: Place = list(published.places(broken))[number]
            if breaker(there.value):
                yield "invariant", place.expression, key, broken
    for key, breaker in {**_OF_TYPE["DomainResource"], **_OF_TYPE.get(str(resource.get("resourceType")), {})}.items():
        if resource.get("resourceType") in ("Bundle", "Binary", "Parameters") and key.startswith("dom-"):
            continue
        broken = copy.deepcopy(resource)
        if breaker(broken):
            yield "invariant", str(resource["resourceType"]), key, broken


def _put(**values: Any) -> Breaker:
    def change(value: Json) -> bool:
        value.update(copy.deepcopy(values))
        return True

    return change


def _period(value: Json) -> bool:
    value.update(start="2024-02-02", end="2024-01-01")
    return True


def _quantity_unit(value: Json) -> bool:
    value.pop("system", None)
    value["code"] = "mg"
    return True


def _reference(value: Json) -> bool:
    value["reference"] = "#zzz-nowhere"
    return True


def _contact_without_system(value: Json) -> bool:
    value.pop("_system", None)
    return "value" in value and value.pop("system", None) is not None


def _attachment(value: Json) -> bool:
    value["data"] = "YQ=="
    return value.pop("contentType", None) is not None


def _range(value: Json) -> bool:
    value.update(low={"value": 9, "unit": "mg"}, high={"value": 1, "unit": "mg"})
    return True


def _timing_repeat(value: Json) -> bool:
    repeat = value.get("repeat")
    if not isinstance(repeat, dict):
        return False
    repeat.pop("period", None)
    repeat.pop("periodUnit", None)
    repeat["duration"] = 3
    repeat.pop("durationUnit", None)
    return True


def _contained_in_contained(value: Json) -> bool:
    inner = {"resourceType": "Patient", "id": "inner"}
    value["contained"] = [
        {
            "resourceType": "Patient",
            "id": "outer",
            "contained": [inner],
            "link": [{"other": {"reference": "#inner"}, "type": "seealso"}],
        }
    ]
    return True


def _unreferenced(value: Json) -> bool:
    value["contained"] = [*value.get("contained", []), {"resourceType": "Basic", "id": "zzz", "code": {"text": "x"}}]
    return True


def _contained_meta(value: Json) -> bool:
    if not value.get("contained"):
        return False
    value["contained"][0]["meta"] = {"versionId": "1"}
    return True


def _patient_contact(value: Json) -> bool:
    value["contact"] = [{"gender": "male"}]
    return True


def _observation_both(value: Json) -> bool:
    held = next((key for key in value if key.startswith("value")), None)
    if held is None:
        return False
    value["dataAbsentReason"] = {"text": "not asked"}
    return True


def _allergy_status(value: Json) -> bool:
    code = "http://terminology.hl7.org/CodeSystem/allergyintolerance-"
    value["verificationStatus"] = {"coding": [{"system": f"{code}verification", "code": "entered-in-error"}]}
    value["clinicalStatus"] = {"coding": [{"system": f"{code}clinical", "code": "active"}]}
    return True


def _condition_abated(value: Json) -> bool:
    value["clinicalStatus"] = {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
    }
    value["abatementDateTime"] = "2024-01-01"
    return all(key not in value for key in ("abatementAge", "abatementPeriod", "abatementRange", "abatementString"))


def _goal_target(value: Json) -> bool:
    value["target"] = [{"detailString": "better"}]
    return True


def _plan_activity(value: Json) -> bool:
    value["activity"] = [{"reference": {"reference": "Task/1"}, "detail": {"status": "scheduled"}}]
    return True


def _consent(value: Json) -> bool:
    value.pop("policy", None)
    return value.pop("policyRule", None) is not None


def _bundle_total(value: Json) -> bool:
    if value.get("type") in ("searchset", "history"):
        return False
    value["total"] = 3
    return True


def _bundle_search(value: Json) -> bool:
    if value.get("type") == "searchset" or not value.get("entry"):
        return False
    value["entry"][0]["search"] = {"mode": "match"}
    return True


# Type -> key of the invariant -> how to break it. FHIR R4 (4.0.1), the page of each type, constraints.
_OF_TYPE: dict[str, dict[str, Breaker]] = {
    "Period": {"per-1": _period},
    "Quantity": {"qty-3": _quantity_unit},
    "Reference": {"ref-1": _reference},
    "ContactPoint": {"cpt-2": _contact_without_system},
    "Attachment": {"att-1": _attachment},
    "Range": {"rng-2": _range},
    "Timing": {"tim-1": _timing_repeat},
    "DomainResource": {
        "dom-2": _contained_in_contained,
        "dom-3": _unreferenced,
        "dom-4": _contained_meta,
    },
    "Patient": {"pat-1": _patient_contact},
    "Observation": {"obs-6": _observation_both},
    "AllergyIntolerance": {"ait-2": _allergy_status},
    "Condition": {"con-4": _condition_abated},
    "Goal": {"gol-1": _goal_target},
    "CarePlan": {"cpl-3": _plan_activity},
    "Consent": {"ppc-1": _consent},
    "Bundle": {"bdl-1": _bundle_total, "bdl-2": _bundle_search},
    "ValueSet": {"vsd-1": _put(compose={"include": [{"concept": [{"code": "a"}]}]})},
    "CodeSystem": {"csd-1": _put(concept=[{"code": "a"}, {"code": "a"}])},
}
