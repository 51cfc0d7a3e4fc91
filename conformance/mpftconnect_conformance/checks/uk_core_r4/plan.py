"""UKC-14: the single plan comes with what it stands on: goals, team, consent and provenance.

Source: UK Core, UKCore-CarePlan, -CareTeam, -Consent, -Provenance (drafts); UK Core has no profile of Goal, so that of
base FHIR R4 (4.0.1) is meant. DAPB4022 Amd 38/2021, Personalised Care and Support Plan: one plan, its contributors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mpftconnect.conformance import Evidence, Finding, Outcome, Probe
from mpftconnect_conformance.checks.uk_core_r4.gathered import ask_person, gathered, objects, references, supplier

__all__ = ["ask_plan", "judge_plan"]

_SOURCES = "provenance of the plan"


def ask_plan(probe: Probe) -> None:
    ask_person(probe, "full")
    person = probe.person("full")
    by = {"identifier": f"https://fhir.nhs.uk/Id/nhs-number|{person.nhs_number}"}
    patients = [
        r
        for r in objects(probe.get("Patient", by, step="Patient of full", person="full"))
        if r.get("resourceType") == "Patient"
    ]
    if not patients or not isinstance(patients[0].get("id"), str):
        return
    page = probe.get("CarePlan", {"patient": patients[0]["id"]}, step="CarePlan of full", person="full")
    for plan in objects(page)[:3]:
        if isinstance(plan.get("id"), str):
            probe.get("Provenance", {"target": f"CarePlan/{plan['id']}"}, step=_SOURCES, person="full")


def judge_plan(evidence: Evidence) -> Outcome:
    found = gathered(evidence, "full")
    plans = found.of("CarePlan")
    if not plans:
        return found.whole(Outcome.passed(0))
    keys = {held.key for held in found.all}
    targets = {
        reference
        for step in evidence.steps(_SOURCES)
        for exchange in evidence.every(step)
        for provenance in objects(exchange)
        for reference in references(provenance.get("target"))
    } | {r for held in found.of("Provenance") for r in references(held.resource.get("target"))}
    findings: list[Finding] = []

    def say(rule: str, message: str, held: Any, element: str) -> None:
        place = f"{held.place}.{element}"
        findings.append(Finding(rule=rule, message=message, exchange=held.exchange.id, place=place))

    for held in plans:
        plan = held.resource
        for element, type_ in (("goal", "Goal"), ("careTeam", "CareTeam")):
            named = [r for r in references(plan.get(element)) if r.startswith(f"{type_}/")]
            inside = _contained(plan, type_)
            if not named and not inside:
                say(f"plan-{element.lower()}", f"the plan names no {type_}", held, element)
            elif any(reference not in keys for reference in named):
                say(
                    f"plan-{element.lower()}", f"a {type_} that the plan names is not among the person's", held, element
                )
        if f"CarePlan/{plan.get('id')}" not in targets:
            say("plan-provenance", "no Provenance has the plan as its target: nobody can see who wrote it", held, "id")
    if not found.of("Consent"):
        held = plans[0]
        say("plan-consent", "there is no Consent of the person", held, "subject")
    observed = f"{len(plans)} plans with goals, team, consent and provenance"
    if findings:
        cause = supplier(
            "the plan came whole, and what it should stand on did not",
            "send Goal, CareTeam, Consent and Provenance with the plan, and let it point at them",
            "the full person's sheet was not entered in full",
        )
        return Outcome.failed(findings, cause, observations=len(plans), observed=observed)
    return found.whole(Outcome.passed(len(plans), observed))


def _contained(plan: Mapping[str, Any], type_: str) -> bool:
    inside = plan.get("contained")
    return any(
        isinstance(each, Mapping) and each.get("resourceType") == type_
        for each in (inside if isinstance(inside, list) else [])
    )
