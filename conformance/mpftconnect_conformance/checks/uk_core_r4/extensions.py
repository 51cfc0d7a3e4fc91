"""UKC-07: an unknown extension is passed over, an unknown modifier extension is refused.

Source: HL7 FHIR R4 (4.0.1), Extensibility 2.4.1.0: a modifier extension that is not understood forbids to process what
holds it; other extensions may be ignored. RESTful API, create 3.1.0.8.
"""

from __future__ import annotations

from typing import Any

from mpftconnect.conformance import Cause, CauseKind, Evidence, Finding, Outcome, Probe, Recorded, Undecided
from mpftconnect.model import NHS_NUMBER_SYSTEM
from mpftconnect_conformance.checks.uk_core_r4.gathered import objects, supplier

__all__ = ["ask_extensions", "judge_extensions"]

_UNKNOWN = "https://mpftconnect.example/fhir/StructureDefinition/not-known-anywhere"
_BARE, _PLAIN, _MODIFIED = (
    "create without extension",
    "create with unknown extension",
    "create with unknown modifier",
)


def ask_extensions(probe: Probe) -> None:
    """Create three Observations of the full person, and take away what was made."""
    person = probe.person("full")
    first = probe.get(
        "Patient", {"identifier": f"{NHS_NUMBER_SYSTEM}|{person.nhs_number}"}, step="Patient of full", person="full"
    )
    found = [r for r in objects(first) if r.get("resourceType") == "Patient"]
    if not found or not isinstance(found[0].get("id"), str):
        return
    who = {"reference": f"Patient/{found[0]['id']}"}
    for step, where in ((_BARE, ""), (_PLAIN, "extension"), (_MODIFIED, "modifierExtension")):
        made = probe.post("Observation", json=_observation(who, where), step=step, person="full")
        for resource in objects(made):
            if isinstance(resource.get("id"), str):
                probe.delete(f"Observation/{resource['id']}", step="take away what was made")


def _observation(who: dict[str, str], where: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        **({where: [{"url": _UNKNOWN, "valueBoolean": True}]} if where else {}),
        "status": "final",
        "category": [
            {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}
                ]
            }
        ],
        "code": {
            "coding": [
                {"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"},
                {"system": "http://snomed.info/sct", "code": "364075005", "display": "Heart rate"},
            ]
        },
        "subject": who,
        "effectiveDateTime": "2025-09-01T09:00:00+01:00",
        "valueQuantity": {
            "value": 70,
            "unit": "per minute",
            "system": "http://unitsofmeasure.org",
            "code": "/min",
        },
    }


def judge_extensions(evidence: Evidence) -> Outcome:
    evidence.answered("Patient of full")
    bare, plain, modified = (evidence.one(step) for step in (_BARE, _PLAIN, _MODIFIED))
    # One that differs in nothing must be taken, or the refusal of the others says nothing.
    for each in (bare, plain, modified):
        refused = each is bare and not each.ok
        if each.error is not None or refused or each.status in (401, 403, 429) or (each.status or 0) >= 500:
            raise Undecided(_no_answer(each))
    findings = []
    if modified.ok:
        findings.append(
            Finding(
                rule="modifier-accepted",
                message="an Observation with an unknown modifier extension was taken",
                exchange=modified.id,
                place="modifierExtension",
            )
        )
    if not plain.ok:
        findings.append(
            Finding(
                rule="extension-refused",
                message="an Observation was refused for an unknown extension that modifies nothing",
                exchange=plain.id,
                place="extension",
            )
        )
    if findings:
        cause = supplier(
            "the requests differ in the kind of extension alone, and the one without any was taken",
            "pass over an extension that is not known; refuse a modifier extension that is not known, with 4xx",
        )
        return Outcome.failed(findings, cause, observations=3, observed="3 creates")
    return Outcome.passed(3, "3 creates that differ in the kind of extension alone")


def _no_answer(each: Recorded) -> Outcome:
    trouble = each.trouble()
    return trouble or Outcome.inconclusive(
        f"{each.step}: status {each.status}",
        Cause(
            kind=CauseKind.UNCLEAR,
            because="an Observation without any extension was not taken, so the refusal of others says nothing",
            otherwise="the product takes no Observation",
            mend="look at why the Observation is refused, or declare that the product takes none",
        ),
    )
