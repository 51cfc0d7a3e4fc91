"""Resources of ours, and odd values to put into them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

DIV = '<div xmlns="http://www.w3.org/1999/xhtml">Ann Ashdown</div>'
RESOURCES: list[dict[str, Any]] = [
    {
        "resourceType": "Patient",
        "id": "ann",
        "meta": {"lastUpdated": "2026-02-01T09:30:00Z", "tag": [{"system": "urn:x:y", "code": "z"}]},
        "text": {"status": "generated", "div": DIV},
        "extension": [
            {"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": {"city": "Zedford"}}
        ],
        "identifier": [{"use": "official", "system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}],
        "name": [{"use": "official", "family": "Ashdown", "given": ["Ann", "Beth"], "period": {"start": "2001-02-03"}}],
        "telecom": [{"system": "phone", "value": "01632 960001", "use": "home", "rank": 1}],
        "gender": "female",
        "birthDate": "1950-03-14",
        "_birthDate": {
            "extension": [
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime",
                    "valueDateTime": "1950-03-14T06:15:00+01:00",
                }
            ]
        },
        "deceasedBoolean": False,
        "contact": [{"name": {"text": "Bo"}, "period": {"start": "2020-01-01", "end": "2021-01-01"}}],
        "communication": [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "en"}]}, "preferred": True}],
        "generalPractitioner": [{"reference": "Practitioner/1"}, {"reference": "#org"}],
        "contained": [{"resourceType": "Organization", "id": "org", "name": "Zed Surgery"}],
    },
    {
        "resourceType": "Observation",
        "id": "o",
        "text": {"status": "generated", "div": DIV},
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "laboratory",
                        "display": "Laboratory",
                    }
                ]
            }
        ],
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "26604007", "display": "Full blood count"}]},
        "subject": {"reference": "Patient/ann", "display": "Ann"},
        "effectivePeriod": {"start": "2026-02-01T09:30:00Z", "end": "2026-02-01T09:40:00Z"},
        "valueQuantity": {"value": 7.20, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
        "interpretation": [{"coding": [{"system": "http://loinc.org", "code": "1-8"}], "text": "High"}],
        "referenceRange": [{"low": {"value": 1}, "high": {"value": 2.5}, "text": "usual"}],
        "hasMember": [{"reference": "Observation/2"}, {"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"}],
        "component": [{"code": {"text": "a"}, "valueString": "b"}, {"code": {"text": "c"}, "valueBoolean": True}],
    },
    {
        "resourceType": "Questionnaire",
        "status": "active",
        "item": [
            {"linkId": "1", "type": "group", "item": [{"linkId": "1.1", "type": "string", "maxLength": 5}]},
            {"linkId": "2", "type": "display", "text": "Hello"},
            {"linkId": "3", "type": "choice", "answerOption": [{"valueCoding": {"code": "a"}}], "repeats": True},
        ],
    },
    {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {
                "fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001",
                "resource": {"resourceType": "Practitioner", "name": [{"family": "Zed"}]},
            },
            {
                "fullUrl": "http://example.org/fhir/PractitionerRole/2",
                "resource": {
                    "resourceType": "PractitionerRole",
                    "id": "2",
                    "practitioner": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"},
                },
            },
        ],
    },
]  # fmt: skip
ODD: list[Any] = [
    None, "", " ", "x", "a b", "a  b", " a", "\u0001", "\u00a0", "<b>", "é", "2026-02-30", "2026",
    "2026-02-29T25:00:00Z", "2026-02-01T09:30:00.5+14:30", "0000-01-01", "urn:oid:x", "urn:uuid:X",
    "http://a.b/ c", "#", "#org",
    "Patient/1", "Patient/", "/Patient/1", "Patient/1/_history/2", "Location/a.b", "patient/1", "final", "female",
    "http://loinc.org", "http://snomed.info/sct", "http://hl7.org/fhir/ValueSet/observation-status", 0, -1, 1,
    2**31, 2**70, 1.5,
    Decimal("1E+400"), True, False, [], {}, [None], [[]], ["x"], [{}], {"id": "a"}, {"x": 1}, {"extension": []},
    {"reference": "Patient/1"}, {"reference": 1}, {"coding": [{}]}, {"coding": None}, {"url": "x"}, "a" * 70,
    {"extension": [{"url": "http://example.org/x", "valueString": "y"}]}, {"url": [1]},
    {"extension": [{"url": {}, "valueString": "y"}]}, {"system": [], "code": {}, "display": []},
]  # fmt: skip
KEYS = ["id", "extension", "modifierExtension", "value", "valueString", "valueCode", "system", "code", "display", "url",
        "reference", "type", "text", "coding", "use", "period", "start", "end", "zzz", "_gender", "_status", "_value",
        "_zzz", "contained", "resourceType", "fhir_comments"]  # fmt: skip
