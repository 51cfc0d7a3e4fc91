"""UKC-02 and UKC-15: resources are valid under the package that the supplier declares.

Which profiles are drafts: UK Core (STU3 sequence, June 2025), StructureDefinition.status.
"""

from __future__ import annotations

from typing import Any

from mpftconnect.conformance import Cause, CauseKind, Evidence, Finding, Outcome, Probe, Undecided
from mpftconnect.errors import PackageNotFound
from mpftconnect.fhir.json_text import dump_json
from mpftconnect_conformance.checks.uk_core_r4.gathered import Held, ask_person, gathered, supplier

__all__ = ["DRAFTS", "ask_both", "judge_drafts", "judge_validity"]

PROFILE = "https://fhir.hl7.org.uk/StructureDefinition/UKCore-"
RESTATED = "mpftconnect.ukcore-rules"
DRAFTS = frozenset(
    (
        *("AuditEvent", "BodyStructure", "Bundle", "CarePlan", "CareTeam", "Communication", "Consent", "Device"),
        *("DocumentReference", "EpisodeOfCare", "Flag", "ImagingStudy", "MessageHeader", "OperationOutcome"),
        *("OrganizationAffiliation", "Provenance", "Questionnaire", "QuestionnaireResponse", "RequestGroup"),
        *("Subscription", "Task"),
    )
)


def ask_both(probe: Probe) -> None:
    for role in ("full", "sparse"):
        ask_person(probe, role)


def judge_validity(evidence: Evidence) -> Outcome:
    """Every resource of both people but those of draft profiles."""
    return _judge(evidence, drafts=False)


def judge_drafts(evidence: Evidence) -> Outcome:
    """The resources of draft profiles."""
    return _judge(evidence, drafts=True)


def _judge(evidence: Evidence, *, drafts: bool) -> Outcome:
    package = evidence.subject.package
    if not package:
        raise Undecided(
            Outcome.not_tested(
                "supplier.toml declares no package to judge by",
                Cause(
                    kind=CauseKind.TEST_DATA,
                    because="target.package is not given",
                    mend="declare the UK Core package and version that the product was built for, in target.package",
                ),
            )
        )
    people = [gathered(evidence, role) for role in ("full", "sparse")]
    found = {
        (held.key, held.exchange.id): held
        for person in people
        for held in person.all
        if (held.type in DRAFTS) is drafts
    }
    if not found:
        return Outcome.passed(0)
    validator = evidence.definitions.validator(package)
    findings: list[Finding] = []
    undecided = 0
    codes = 0
    for held in found.values():
        report = _validate(validator, held)
        codes += report.codes_not_checked
        undecided += report.verdict == "undecided"
        findings += [
            Finding(rule=f.rule, message=f.message, exchange=held.exchange.id, place=_place(held, f.expression))
            for f in report.findings
            if f.severity in ("error", "fatal")
        ]
    notes = [f"judged under {', '.join(validator.packages)}"]
    if package.startswith(RESTATED):
        notes.append(f"restated rules: {package} is this SDK's restatement of UK Core, not the published package")
    if codes:
        notes.append(f"{codes} codes not checked")
    notes.append("structurally valid; not clinically validated" if not findings else "")
    notes = [note for note in notes if note]
    types = len({held.type for held in found.values()})
    observed = f"{len(found)} resources of {types} types"
    if findings:
        cause = supplier(
            f"{len(findings)} constraint{'' if len(findings) == 1 else 's'} broken in what was received",
            "mend the resources; mpftconnect validate judges a single one",
            f"the product was built for another package than {package}",
        )
        return Outcome.failed(findings, cause, observations=len(found), observed=observed, notes=notes)
    if undecided:
        return Outcome.inconclusive(
            f"{undecided} of {len(found)} resources could not be decided: definitions that they claim are not loaded",
            Cause(
                kind=CauseKind.TERMINOLOGY,
                because=f"what is loaded ({', '.join(validator.packages)}) does not define all that they claim",
                otherwise="the resources claim profiles of another package",
                mend="declare the package that defines the profiles claimed, and install it",
            ),
            notes=notes,
        )
    outcome = Outcome.passed(len(found), observed, notes=notes)
    for person in people:
        outcome = person.whole(outcome)
    return outcome


def _validate(validator: Any, held: Held) -> Any:
    """Under the UK Core profile of its type, whether or not the resource claims one."""
    data = dump_json(dict(held.resource))
    try:
        return validator.validate(data, [f"{PROFILE}{held.type}"])
    except PackageNotFound:
        return validator.validate(data)


def _place(held: Held, expression: str) -> str:
    return f"{held.place}: {expression}"
