"""UKC-10: references lead somewhere, and what is read twice is the same twice.

Source: HL7 FHIR R4 (4.0.1), Resource.id, Meta.versionId and lastUpdated, RESTful API 3.1.0.1.3 and 3.1.0.7 (read).
"""

from __future__ import annotations

from collections.abc import Mapping

from mpftconnect.conformance import Evidence, Finding, Outcome, Probe, Recorded
from mpftconnect_conformance.checks.uk_core_r4.gathered import Held, ask_person, gathered, objects, references, supplier

__all__ = ["ask_references", "judge_references"]

_MOST = 25
_FOLLOWED, _AGAIN = "follow a reference", "read again"


def ask_references(probe: Probe) -> None:
    ask_person(probe, "full")
    person = probe.person("full")
    by = {"identifier": f"https://fhir.nhs.uk/Id/nhs-number|{person.nhs_number}"}
    first = probe.get("Patient", by, step="Patient of full", person="full")
    patients = [r for r in objects(first) if r.get("resourceType") == "Patient"]
    if not patients or not isinstance(patients[0].get("id"), str):
        return
    wanted = dict.fromkeys(references(patients[0]))
    for type_ in ("Condition", "MedicationStatement", "Observation", "DiagnosticReport", "Encounter", "CarePlan"):
        page = probe.get(type_, {"patient": patients[0]["id"]}, step=f"{type_} of full", person="full")
        for resource in objects(page):
            wanted.update(dict.fromkeys(references(resource)))
    for reference in list(wanted)[:_MOST]:
        probe.get(reference, step=_FOLLOWED, person="full")
    for _ in range(2):
        probe.get(f"Patient/{patients[0]['id']}", step=_AGAIN, person="full", again=True)


def judge_references(evidence: Evidence) -> Outcome:
    found = gathered(evidence, "full")
    if _FOLLOWED not in evidence.steps() and _AGAIN not in evidence.steps():
        return Outcome.passed(0)
    findings: list[Finding] = []
    followed = evidence.every(_FOLLOWED) if _FOLLOWED in evidence.steps() else ()
    for each in followed:
        findings += _followed(each)
    again = list(evidence.every(_AGAIN))
    findings += _same_twice(again)
    findings += _versioned(found.held)
    for each in (*followed, *again):
        trouble = each.trouble()
        if trouble is not None and each.status not in (404, 410):
            found.troubles.append(trouble)
    observed = f"{len(followed)} references, {len(again)} reads of the same Patient"
    if findings:
        cause = supplier(
            "what one answer names, another does not have, or has otherwise",
            "point only at what can be read; keep ids and versions until something changes",
            "the record changed while it was read",
        )
        return Outcome.failed(findings, cause, observations=len(followed) + len(again), observed=observed)
    return found.whole(Outcome.passed(len(followed) + len(again), observed))


def _followed(each: Recorded) -> list[Finding]:
    wanted_type, wanted_id = each.url.rstrip("/").split("/")[-2:]
    if each.error is None and each.status in (404, 410):
        message = f"a reference to a {wanted_type} leads to status {each.status}"
        return [Finding(rule="reference-resolves", message=message, exchange=each.id, place="reference")]
    for resource in objects(each)[:1]:
        if resource.get("resourceType") != wanted_type or resource.get("id") != wanted_id:
            message = f"a read of a {wanted_type} gives a resource of another type or id"
            return [Finding(rule="read-same", message=message, exchange=each.id, place="Resource.id")]
    return []


def _same_twice(again: list[Recorded]) -> list[Finding]:
    bodies = [objects(each)[0] for each in again if objects(each)]
    if len(bodies) < 2:
        return []
    findings = []
    for name, element in (("id", "Resource.id"), ("versionId", "Meta.versionId")):
        values = {str(body.get("id") if name == "id" else _meta(body).get(name)) for body in bodies}
        if len(values) > 1:
            findings.append(
                Finding(
                    rule=f"stable-{name.lower()}",
                    message=f"{element} differs between two reads, one directly after the other",
                    exchange=again[-1].id,
                    place=element,
                )
            )
    return findings


def _versioned(held: list[Held]) -> list[Finding]:
    """Either element says whether a resource changed; without both nobody can tell."""
    without = [
        each for each in held if not (_meta(each.resource).get("versionId") or _meta(each.resource).get("lastUpdated"))
    ]
    if not without or len(without) < len(held):
        return []
    return [
        Finding(
            rule="versioned",
            message="no resource has meta.versionId or meta.lastUpdated: nobody can tell whether it changed",
            exchange=without[0].exchange.id,
            place=f"{without[0].place}.meta",
        )
    ]


def _meta(resource: Mapping[str, object]) -> Mapping[str, object]:
    meta = resource.get("meta")
    return meta if isinstance(meta, Mapping) else {}
