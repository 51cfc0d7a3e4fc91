"""Invented resources, definitions and texts that the fuzzers begin with, and values that break things."""

# ruff: noqa: E501 - data

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

__all__ = ["DEFINITIONS", "EXPRESSIONS", "ODD", "RESOURCES", "UNITS", "archive"]

Json = dict[str, Any]
XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'
RESOURCES: list[Json] = [
    {
        "resourceType": "Patient",
        "id": "p1",
        "meta": {"profile": ["https://fhir.hl7.org.uk/StructureDefinition/UKCore-Patient"]},
        "text": {"status": "generated", "div": f'<div {XHTML}><p>Ann <a href="#p2">x</a></p></div>'},
        "contained": [{"resourceType": "Organization", "id": "o1", "name": "ZZ"}],
        "extension": [
            {
                "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-BirthSex",
                "valueCodeableConcept": {"coding": [{"system": "https://zz.example.test/s", "code": "F"}]},
            }
        ],
        "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}],
        "name": [{"family": "Ashdown", "given": ["Wren", None], "_given": [None, {"id": "g"}]}],
        "telecom": [{"system": "phone", "value": "01632 960001", "period": {"start": "2024-01-01"}}],
        "gender": "female",
        "birthDate": "1950-03-01",
        "_birthDate": {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime",
                                      "valueDateTime": "1950-03-01T01:00:00Z"}]},
        "managingOrganization": {"reference": "#o1"},
    },
    {
        "resourceType": "Observation",
        "meta": {"profile": ["https://fhir.hl7.org.uk/StructureDefinition/UKCore-Observation-VitalSigns-BloodPressure"]},
        "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category",
                                  "code": "vital-signs"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2024-02-29",
        "component": [
            {
                "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}], "text": "Systolic blood pressure"},
                "valueQuantity": {"value": 120.5, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"},
            }
        ],
        "referenceRange": [{"low": {"value": 1}, "high": {"value": 2}}],
    },
    {
        "resourceType": "Bundle",
        "type": "document",
        "identifier": {"system": "https://zz.example.test/b", "value": "1"},
        "timestamp": "2024-01-01T00:00:00Z",
        "entry": [
            {
                "fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001",
                "resource": {
                    "resourceType": "Composition", "status": "final", "type": {"text": "x"}, "date": "2024",
                    "author": [{"reference": "urn:uuid:00000000-0000-4000-8000-000000000002"}], "title": "x",
                    "section": [{"title": "y", "entry": [{"reference": "Patient/1"}]}],
                },
            },
            {
                "fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000002",
                "resource": {"resourceType": "Patient", "link": [
                    {"other": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000002"}, "type": "seealso"}]},
            },
        ],
    },
    {
        "resourceType": "Questionnaire",
        "url": "https://zz.example.test/q", "status": "active", "name": "Q",
        "item": [
            {"linkId": "1", "type": "choice", "answerOption": [{"valueCoding": {"code": "a"}}],
             "enableWhen": [{"question": "2", "operator": "=", "answerBoolean": True}]},
            {"linkId": "2", "type": "boolean", "item": [{"linkId": "3", "type": "string", "maxLength": 2}]},
        ],
    },
    {
        "resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": "https://zz.example.test/q",
        "item": [{"linkId": "1", "answer": [{"valueCoding": {"code": "a"}}]}, {"linkId": "2", "item": [{"linkId": "3"}]}],
    },
    {
        "resourceType": "ValueSet", "url": "https://zz.example.test/v", "status": "active",
        "compose": {"include": [{"system": "https://zz.example.test/s", "filter": [
            {"property": "concept", "op": "is-a", "value": "a"}]}, {"valueSet": ["https://zz.example.test/v"]}]},
        "expansion": {"timestamp": "2024", "contains": [{"system": "https://zz.example.test/s", "code": "a"}]},
    },
    {
        "resourceType": "Parameters",
        "parameter": [{"name": "x", "part": [{"name": "y", "valueString": "z"}]}, {"name": "r", "resource": {
            "resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": {"display": "x"},
            "medicationCodeableConcept": {"text": "x"},
            "dosageInstruction": [{"timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}}]}}],
    },
]  # fmt: skip
DEFINITIONS: list[Json] = [
    {
        "resourceType": "StructureDefinition", "url": "https://zz.example.test/P", "name": "P", "status": "active",
        "fhirVersion": "4.0.1", "kind": "resource", "abstract": False, "type": "Patient",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient", "derivation": "constraint",
        "differential": {"element": [
            {"id": "Patient", "path": "Patient", "constraint": [
                {"key": "zz-1", "severity": "error", "human": "x", "expression": "name.exists() and name.given.count() < 3"}]},
            {"id": "Patient.identifier", "path": "Patient.identifier", "slicing": {
                "discriminator": [{"type": "value", "path": "system"}], "rules": "open", "ordered": False}},
            {"id": "Patient.identifier:a", "path": "Patient.identifier", "sliceName": "a", "min": 1, "max": "2"},
            {"id": "Patient.identifier:a.system", "path": "Patient.identifier.system", "fixedUri": "https://zz.example.test/a"},
            {"id": "Patient.deceased[x]", "path": "Patient.deceased[x]", "type": [{"code": "boolean"}]},
            {"id": "Patient.maritalStatus", "path": "Patient.maritalStatus", "patternCodeableConcept": {"text": "x"},
             "binding": {"strength": "required", "valueSet": "http://hl7.org/fhir/ValueSet/marital-status"}},
            {"id": "Patient.contact.name", "path": "Patient.contact.name", "min": 1, "mustSupport": True},
            {"id": "Patient.extension:e", "path": "Patient.extension", "sliceName": "e",
             "type": [{"code": "Extension", "profile": ["https://zz.example.test/E"]}]},
        ]},
    },
    {
        "resourceType": "StructureDefinition", "url": "https://zz.example.test/E", "name": "E", "status": "active",
        "fhirVersion": "4.0.1", "kind": "complex-type", "abstract": False, "type": "Extension",
        "context": [{"type": "element", "expression": "Patient"}],
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Extension", "derivation": "constraint",
        "differential": {"element": [
            {"path": "Extension.url", "fixedUri": "https://zz.example.test/E"},
            {"path": "Extension.value[x]", "type": [{"code": "Quantity"}], "minValueQuantity": {"value": 1}},
        ]},
    },
]  # fmt: skip
EXPRESSIONS = [
    "name.where(use = 'official').given.first()", "name.given.matches('^(a+)+$')", "birthDate + 1 year > today()",
    "identifier.all(system.exists() implies value.length() < 10)", "contained.repeat(children()).count()",
    "(1 | 2 | 3).aggregate($this + $total, 0)", "telecom.select(iif(system = 'phone', value, {}))",
    "%resource.descendants().where($this is Reference).reference.distinct()", "4.5 'mg' = 0.0045 'g'",
    "name.given.join(',').replaceMatches('(?<n>.)', '${n}${n}')", "'abc'.substring(1).toChars().tail()",
    "@2024-02-29T10:00:00.123+01:00.lowBoundary(4)", "1000000000000.power(99).round(2)",
]  # fmt: skip
UNITS = [
    "mm[Hg]",
    "10*-3.kg/m2",
    "{ScoreOf}",
    "m/s2",
    "umol/L{x}",
    "/min",
    "[in_i'H2O]",
    "%",
    "10^3",
    "((((m))))",
    "1/(2.m)",
]
# Values of the wrong type, size or kind.
ODD: list[Any] = [
    None, True, 0, -1, 1e308, 10**40, "", " ", "\x00", "\ud83d\ude00", "x" * 3000, [], {}, [[]], [None], [{}],
    {"resourceType": "Patient"}, {"reference": "#"}, {"reference": "#p1"}, "http://[", "urn:uuid:", "2024-02-30",
    "0000-00-00", "<div", "&lt;", "a|b", "Patient/p1", {"url": {"x": "y"}}, {"coding": [None]}, {"extension": {}},
    "^(a+)+$", "%", "\\", "()", {"value": "NaN"}, 1.0000000000000000000000001, ["a", 1, {}],
]  # fmt: skip


def archive(files: dict[str, bytes]) -> bytes:
    """A tar of a package."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return held.getvalue()


def package() -> bytes:
    """A small package."""
    manifest = {"name": "zz.one", "version": "1.0.0", "fhirVersions": ["4.0.1"], "dependencies": {"zz.two": "1.0.x"}}
    files = {"package/package.json": json.dumps(manifest).encode()}
    return archive(files | {f"package/{d['name']}.json": json.dumps(d).encode() for d in DEFINITIONS})
