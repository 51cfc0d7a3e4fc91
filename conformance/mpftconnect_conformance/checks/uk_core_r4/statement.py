"""UKC-01: the capability statement says what is spoken.

Source: HL7 FHIR R4 (4.0.1), CapabilityStatement; UK Core, CapabilityStatement-UKCore (kind requirements).
"""

from __future__ import annotations

from collections.abc import Mapping

from mpftconnect.conformance import Cause, CauseKind, Evidence, Finding, Outcome, Probe, Undecided
from mpftconnect_conformance.checks.uk_core_r4.gathered import supplier

__all__ = ["ask_statement", "judge_statement"]


def ask_statement(probe: Probe) -> None:
    probe.get("metadata", step="metadata")


def judge_statement(evidence: Evidence) -> Outcome:
    statement = evidence.json("metadata")
    answer = evidence.one("metadata")
    if not isinstance(statement, Mapping) or statement.get("resourceType") != "CapabilityStatement":
        raise Undecided(
            Outcome.inconclusive(
                "metadata is no CapabilityStatement",
                Cause(
                    kind=CauseKind.UNCLEAR,
                    because="the answer is JSON, and another resource or none",
                    otherwise="base_url is not the FHIR base",
                    mend="check target.base_url: metadata stands directly below it",
                ),
            )
        )
    findings = []

    def expect(good: bool, rule: str, message: str, element: str) -> None:
        if not good:
            place = f"CapabilityStatement.{element}"
            findings.append(Finding(rule=rule, message=message, exchange=answer.id, place=place))

    formats = statement.get("format")
    expect(statement.get("fhirVersion") == "4.0.1", "fhir-version", "fhirVersion is not 4.0.1", "fhirVersion")
    expect(statement.get("kind") == "instance", "kind", "kind is not instance: it speaks of no running system", "kind")
    expect(
        isinstance(formats, list) and any("json" in str(each) for each in formats),
        "format",
        "format does not list JSON",
        "format",
    )
    guides = statement.get("implementationGuide")
    versions = [str(g) for g in guides if "|" in str(g)] if isinstance(guides, list) else []
    expect(
        bool(versions),
        "guide-version",
        "implementationGuide names no guide with its version (canonical|version)",
        "implementationGuide",
    )
    declared = evidence.subject.package
    name, _, version = declared.partition("@")
    if versions and version and not any(g.endswith(f"|{version}") for g in versions):
        expect(
            False,
            "guide-agrees",
            f"no implementationGuide is of version {version}, which supplier.toml declares for {name}",
            "implementationGuide",
        )
    if findings:
        cause = supplier(
            "the statement came whole and says so",
            "state fhirVersion, kind, format and implementationGuide as the product really is",
            "supplier.toml declares another version than the product was built for",
        )
        return Outcome.failed(findings, cause, observations=4, observed="1 capability statement")
    return Outcome.passed(4, "1 capability statement, 4 elements")
