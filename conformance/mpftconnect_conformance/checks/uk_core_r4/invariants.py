"""UKC-13: the invariants of error severity that UK Core adds, evaluated whatever the resource claims.

Source: UK Core (STU3 sequence, June 2025), keys and expressions of UKCore-Immunization, -Observation-VitalSigns,
-DiagnosticReport and -Specimen.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from mpftconnect.conformance import Cause, CauseKind, Evidence, Finding, Outcome
from mpftconnect.errors import MpftConnectError
from mpftconnect_conformance.checks.uk_core_r4.gathered import Held, gathered, supplier

__all__ = ["INVARIANTS", "judge_invariants"]

_R5 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-"
# Key, type, FHIRPath from the resource, and what it says in our words.
INVARIANTS: tuple[tuple[str, str, str, str], ...] = (
    (
        "ukcore-imm-001",
        "Immunization",
        "(status != 'not-done') or (status = 'not-done' and statusReason.exists())",
        "an immunisation that was not done says why",
    ),
    (
        "ukcore-obs-vs-001",
        "Observation",
        "category.coding.where(code = 'vital-signs').empty() or code.coding.where(system = 'http://loinc.org').exists()",
        "a vital sign has a LOINC code",
    ),
    (
        "ukcore-diag-lab-002",
        "DiagnosticReport",
        f"media.extension('{_R5}DiagnosticReport.media.link').empty() or media.link.reference.empty()",
        "a report's media are linked in one way only",
    ),
    (
        "ukcore-spec-001",
        "Specimen",
        "collection.collector.reference.empty() or "
        f"collection.collector.extension('{_R5}Specimen.collection.collector').empty()",
        "a specimen's collector is named in one way only",
    ),
)


@lru_cache(maxsize=16)
def _compiled(expression: str) -> Any:
    from mpftconnect.validation.fhirpath import compile_expression  # here, since loading plugins passes by

    return compile_expression(expression)


def judge_invariants(evidence: Evidence) -> Outcome:
    found = gathered(evidence, "full")
    findings: list[Finding] = []
    evaluated = 0
    unevaluated: list[str] = []
    for key, type_, expression, words in INVARIANTS:
        for held in found.of(type_):
            met = _met(expression, held.resource)
            if met is None:
                unevaluated.append(key)
                continue
            evaluated += 1
            if not met:
                findings.append(_finding(key, f"breaks {key}: {words}", held))
    observed = f"{evaluated} evaluations of {len(INVARIANTS)} invariants"
    if findings:
        cause = supplier("the invariant was evaluated on what was received, and is broken", "mend the resources named")
        return Outcome.failed(findings, cause, observations=evaluated, observed=observed)
    if unevaluated:
        return Outcome.inconclusive(
            f"{', '.join(sorted(set(unevaluated)))} could not be evaluated",
            Cause(
                kind=CauseKind.UNCLEAR,
                because="a resource is of a shape on which FHIRPath gives no answer",
                otherwise="our evaluator is at fault",
                mend="validate the resource alone: mpftconnect validate",
            ),
        )
    return found.whole(Outcome.passed(evaluated, observed))


def _met(expression: str, resource: Mapping[str, Any]) -> bool | None:
    try:
        answer = list(_compiled(expression).evaluate(dict(resource)))
    except (MpftConnectError, TypeError, ValueError, AttributeError, RecursionError):
        return None
    value = answer[0] if answer else None
    value = getattr(value, "value", value)
    return value if isinstance(value, bool) else None


def _finding(rule: str, message: str, held: Held) -> Finding:
    return Finding(rule=rule, message=message, exchange=held.exchange.id, place=held.place)
