"""A structured record of a synthetic person, as a practice sends it, and the ways to read it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from mpftconnect.adapters import Reading, Refusal
from mpftconnect.model import Item, NhsNumber, Notice, SectionName
from mpftconnect_gpconnect.structured import StructuredRecord, read_structured_record

GPC = "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-"
CARE_CONNECT = "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-"
SNOMED = "http://snomed.info/sct"
OURS, OTHER = NhsNumber("9990000018"), NhsNumber("9990000026")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PATIENT = {"reference": "Patient/p1"}

LISTS = {
    "allergies": "886921000000105",
    "ended": "1103671000000101",
    "medications": "933361000000108",
    "problems": "717711000000103",
    "immunisations": "1102181000000102",
    "consultations": "1149501000000101",
    "investigations": "887191000000108",
    "uncategorised": "826501000000100",
    "referrals": "792931000000107",
    "diary": "714311000000108",
    "consultation": "325851000000107",
    "topic": "25851000000105",
    "heading": "24781000000107",
}


def reading(number: NhsNumber | None = OURS, **known: Any) -> Reading:
    """A read of the person, as far as reading a Bundle needs one."""
    nowhere: Any = SimpleNamespace(endpoint=SimpleNamespace(base_url="https://gp.example"))
    nobody: Any = None
    return Reading("gp", nobody, nowhere, nobody, number, now=lambda: NOW, **known)


def patient(number: str = OURS, own_id: str = "p1") -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": own_id,
        "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": number}],
        "name": [{"use": "official", "family": "Okafor", "given": ["Grace"]}],
    }


def bundle(*resources: Any, who: Any = None) -> dict[str, Any]:
    people = [patient()] if who is None else who
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": resource} for resource in (*people, *resources)],
    }


def resource(kind: str, own_id: str, **members: Any) -> dict[str, Any]:
    subject = "patient" if kind in ("AllergyIntolerance", "Immunization") else "subject"
    return {"resourceType": kind, "id": own_id, subject: PATIENT, **members}


def allergy(own_id: str = "a1", text: str = "Penicillin", **members: Any) -> dict[str, Any]:
    return resource("AllergyIntolerance", own_id, clinicalStatus="active", code={"text": text}, **members)


def observation(own_id: str, text: str, **members: Any) -> dict[str, Any]:
    return resource("Observation", own_id, status="unknown", code={"text": text}, **members)


def problem(own_id: str = "c1", text: str = "Asthma", **members: Any) -> dict[str, Any]:
    return resource("Condition", own_id, clinicalStatus="active", code={"text": text}, **members)


def listed(kind: str, *references: Any, own_id: str | None = None, **members: Any) -> dict[str, Any]:
    """A list; a reference is a string, or an item as it stands."""
    items = [{"item": {"reference": one} if isinstance(one, str) else one} for one in references]
    made = {
        "resourceType": "List",
        "status": "current",
        "mode": "snapshot",
        "code": {"coding": [{"system": SNOMED, "code": LISTS.get(kind, kind)}]},
        "subject": PATIENT,
        **({"id": own_id} if own_id else {}),
        **({"entry": items} if items else {}),
    }
    return made | members


def empty(kind: str, code: str, **members: Any) -> dict[str, Any]:
    system = "https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-ListEmptyReasonCode-1"
    return listed(kind, emptyReason={"coding": [{"system": system, "code": code}]}, **members)


def warned(kind: str, code: str, *references: str, base: str = GPC) -> dict[str, Any]:
    return listed(kind, *references, extension=[{"url": base + "ListWarningCode-1", "valueCode": code}])


def consultation() -> list[dict[str, Any]]:
    """A contact of two topics, the first with headings, as a practice sends it."""
    link = {"url": "target", "valueReference": {"reference": "Condition/c1"}}
    of = {"encounter": {"reference": "Encounter/e1"}}
    return [
        problem(),
        observation("o1", "Comment note", comment="Wheezy at night."),
        observation("o2", "Peak flow", valueQuantity={"value": 310, "unit": "L/min"}),
        observation("o3", "Seen in surgery"),
        {"resourceType": "Practitioner", "id": "d1", "name": [{"family": "One", "prefix": ["Dr"]}]},
        resource(
            "Encounter",
            "e1",
            status="finished",
            type=[{"text": "GP Surgery"}],
            period={"start": "2020-02-04T10:00:00+00:00"},
            participant=[
                {"type": [{"coding": [{"code": "REC"}]}], "individual": {"display": "A clerk"}},
                {"type": [{"coding": [{"code": "PPRF"}]}], "individual": {"reference": "Practitioner/d1"}},
            ],
        ),
        listed("consultations", "Encounter/e1"),
        listed("consultation", "List/t1", "List/t2", own_id="l1", title="GP Surgery", date="2020-02-05", **of),
        listed(
            "topic",
            "List/h1",
            "List/h2",
            own_id="t1",
            title="Asthma review",
            extension=[{"url": CARE_CONNECT + "RelatedProblemHeader-1", "extension": [link]}],
            **of,
        ),
        listed("heading", "Observation/o1", own_id="h1", title="History", **of),
        listed("heading", "Observation/o2", own_id="h2", title="Examination", **of),
        listed("topic", "Observation/o3", own_id="t2", **of),
    ]


def read(content: Any, *, included: Iterable[SectionName] | None = None, **known: Any) -> StructuredRecord:
    return read_structured_record(
        content, reading=reading(**known), included=None if included is None else frozenset(included)
    )


def items(record: StructuredRecord, section: SectionName) -> list[Any]:
    return [one for one in record.sections[section] if isinstance(one, Item)]


def notices(record: StructuredRecord, section: SectionName) -> dict[str, Notice]:
    return {one.code: one for one in record.sections[section] if isinstance(one, Notice)}


def refused(record: StructuredRecord, section: SectionName) -> list[Refusal]:
    return [one for one in record.sections[section] if isinstance(one, Refusal)]
