"""Instances made from the published R4 types: as little as a type demands, and whatever a path asks for.

Reads the formal definitions of the wheel's core pack as they are; imports nothing of the compiler.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from mpftconnect.validation.definitions.core_pack import load_core_pack

__all__ = ["Json", "Spot", "Types"]

Json = dict[str, Any]
# A type, and the path of an element inside its definition.
Spot = tuple[str, str]
CORE = "http://hl7.org/fhir/StructureDefinition/"
_PRIMITIVES: Json = {
    "boolean": True, "integer": 1, "positiveInt": 1, "unsignedInt": 1, "decimal": 1.5, "string": "x", "markdown": "x",
    "code": "x", "id": "x", "uri": "https://zz.example.test/x", "url": "https://zz.example.test/x",
    "canonical": "https://zz.example.test/x", "date": "2024-01-01", "dateTime": "2024-01-01",
    "instant": "2024-01-01T00:00:00Z", "time": "10:00:00", "base64Binary": "YQ==", "oid": "urn:oid:1.2",
    "uuid": "urn:uuid:00000000-0000-4000-8000-000000000001",
    "xhtml": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>',
}  # fmt: skip
# Where nothing is required, something must be there all the same (ele-1), and fit the type's invariants.
_VALUES: Json = {
    "CodeableConcept": {"text": "x"},
    "Coding": {"system": "https://zz.example.test/codes", "code": "x"},
    "Quantity": {"value": 1},
    "Duration": {"value": 1, "system": "http://unitsofmeasure.org", "code": "h"},
    "Reference": {"display": "x"},
    "Identifier": {"value": "x"},
    "Period": {"start": "2024-01-01"},
    "HumanName": {"text": "x"},
    "Address": {"text": "x"},
    "ContactPoint": {"system": "phone", "value": "01632 960001"},
    "Attachment": {"title": "x"},
    "Timing": {"code": {"text": "x"}},
    "Dosage": {"text": "x"},
    "Ratio": {"numerator": {"value": 1}, "denominator": {"value": 1}},
    "Range": {"low": {"value": 1}},
}
# What the invariants of a resource ask for beyond its required elements (FHIR R4, the page of each type).
_RESOURCES: dict[str, Json] = {
    "AllergyIntolerance": {
        "clinicalStatus": {
            "coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}
            ]
        }
    },
    "Consent": {"policyRule": {"text": "x"}},
    "Medication": {},
    "Bundle": {"type": "collection", "entry": [{"fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000002",
                                                "resource": {"resourceType": "Basic", "code": {"text": "x"}}}]},
    "Organization": {"name": "x"},
    "Questionnaire": {"name": "X"},
    "Location": {"name": "x"},
}  # fmt: skip
# The same for elements.
_ELEMENTS: dict[str, Json] = {
    "Appointment.participant": {"actor": {"display": "x"}},
    "Patient.contact": {"name": {"text": "x"}},
    "Specimen.collection": {"collectedDateTime": "2024-01-01"},
}


class Types:
    """R4's own definitions."""

    def __init__(self) -> None:
        pack = load_core_pack()
        self._read = pack.read
        self._places = {head.url: place for head, place in pack.heads() if head.resourceType != "SearchParameter"}
        self._rows: dict[str, dict[str, Json]] = {}

    def rows(self, type_: str) -> dict[str, Json]:
        if type_ not in self._rows:
            definition = self._read(self._places[CORE + type_])
            self._rows[type_] = {row["path"]: row for row in definition["snapshot"]["element"]}
        return self._rows[type_]

    def child(self, spot: Spot, name: str) -> Json:
        """The row of an element below a spot; a choice by its name with `[x]`."""
        return self.rows(spot[0])[f"{spot[1]}.{name}"]

    def below(self, spot: Spot, row: Json, type_: str | None = None) -> Spot:
        """Where the children of an element are defined."""
        if "contentReference" in row:
            return spot[0], row["contentReference"].lstrip("#")
        code = type_ or self.code(row)
        return (spot[0], row["path"]) if code in ("BackboneElement", "Element") else (code, code)

    @staticmethod
    def code(row: Json) -> str:
        first = row.get("type", [{"code": "BackboneElement"}])[0]
        for extension in first.get("extension", ()):
            if extension["url"].endswith("structuredefinition-fhir-type"):
                return str(extension["valueUrl"])
        return str(first["code"])

    def value(self, spot: Spot, row: Json, type_: str | None = None) -> Any:
        """A value that the element may have."""
        code = type_ or self.code(row)
        bound = row.get("binding", {})
        if bound.get("strength") == "required":
            coded = next(self._codes(bound.get("valueSet", "")), None)
            if coded is not None and code == "code":
                return coded[1]
            if coded is not None and code == "CodeableConcept":
                return {"coding": [{"system": coded[0], "code": coded[1]}]}
        if code in _PRIMITIVES:
            return _PRIMITIVES[code]
        if code == "Resource":
            return {"resourceType": "Basic", "code": {"text": "x"}}
        return self.least(self.below(spot, row, type_)) or copy.deepcopy(_VALUES.get(code, {"id": "x"}))

    def least(self, spot: Spot) -> Json:
        """An object with its required children."""
        found: Json = copy.deepcopy(_ELEMENTS.get(spot[1], {}))
        for path, row in self.rows(spot[0]).items():
            head, _, name = path.rpartition(".")
            if head == spot[1] and row["min"] > 0 and name not in ("id", "extension"):
                type_ = self.code(row)
                key = name.replace("[x]", type_[:1].upper() + type_[1:])
                value = self.value(spot, row)
                found[key] = value if row["max"] == "1" else [value]
        return found

    def resource(self, type_: str) -> Json:
        """A resource that is valid, with little in it."""
        return {"resourceType": type_, **self.least((type_, type_)), **copy.deepcopy(_RESOURCES.get(type_, {}))}

    def _codes(self, value_set: str) -> Iterator[tuple[str, str]]:
        place = self._places.get(value_set.partition("|")[0])
        for include in self._read(place).get("compose", {}).get("include", ()) if place else ():
            system = include.get("system", "")
            concepts = include.get("concept")
            if concepts is None and system in self._places:
                concepts = self._read(self._places[system]).get("concept", ())
            yield from ((system, concept["code"]) for concept in concepts or ())
