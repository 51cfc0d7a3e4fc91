"""UKC-07: an unknown extension is passed over, an unknown modifier extension is refused.

Source: HL7 FHIR R4 (4.0.1), BackboneElement.modifierExtension: whoever processes a resource must check for modifier
extensions; Extensibility: a resource should not be refused merely because it has extensions.
"""

from __future__ import annotations

from mpftconnect.conformance import Cause, CauseKind, Evidence, Finding, Outcome, Probe, Recorded, Undecided, json_of
from mpftconnect_conformance.checks.uk_core_r4.gathered import supplier
from mpftconnect_conformance.checks.uk_core_r4.made_up import heart_rate, subject_of_full, take_away

__all__ = ["ask_extensions", "judge_extensions"]

_UNKNOWN = "https://mpftconnect.example/fhir/StructureDefinition/not-known-anywhere"
_BARE, _PLAIN, _MODIFIED, _INSIDE = (
    "create without extension",
    "create with unknown extension",
    "create with unknown modifier",
    "create with unknown modifier inside",
)


def ask_extensions(probe: Probe) -> None:
    """Create four Observations of the full person, and take away what was made."""
    who = subject_of_full(probe)
    if who is None:
        return
    unknown = [{"url": _UNKNOWN, "valueBoolean": True}]
    part = {
        "modifierExtension": unknown,
        "code": {"text": "Heart rate"},
        "valueQuantity": heart_rate(who)["valueQuantity"],
    }
    for step, more in (
        (_BARE, {}),
        (_PLAIN, {"extension": unknown}),
        (_MODIFIED, {"modifierExtension": unknown}),
        (_INSIDE, {"component": [part]}),
    ):
        take_away(probe, probe.post("Observation", json=heart_rate(who, **more), step=step, person="full"))


def judge_extensions(evidence: Evidence) -> Outcome:
    json_of(evidence.answered("Patient of full"))
    bare, plain, modified, inside = (evidence.one(step) for step in (_BARE, _PLAIN, _MODIFIED, _INSIDE))
    # One that differs in nothing must be taken, or the refusal of the others says nothing.
    for each in (bare, plain, modified, inside):
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
    if inside.ok:
        findings.append(
            Finding(
                rule="modifier-accepted",
                message="an Observation with an unknown modifier extension in a component was taken",
                exchange=inside.id,
                place="component.modifierExtension",
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
        return Outcome.failed(findings, cause, observations=4, observed="4 creates")
    return Outcome.passed(4, "4 creates that differ in the kind and place of an extension alone")


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
