"""The checks of the pack mpft-safety: rules of ours on identity, which no invariant of UK Core has.

Source: NHS Data Dictionary, NHS NUMBER (Modulus 11); UK Core, UKCore-Patient (identifier:nhsNumber) and CodeSystem
UKCore-NHSNumberVerificationStatusEngland. What is made a rule of them here is ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mpftconnect.conformance import Catch, Check, Evidence, Finding, Outcome, Probe
from mpftconnect.errors import NotAnNhsNumber
from mpftconnect.model import NHS_NUMBER_SYSTEM, nhs_number
from mpftconnect_conformance.checks.uk_core_r4.gathered import (
    MAY_HOLD,
    Held,
    ask_person,
    gathered,
    is_json,
    objects,
    supplier,
)

__all__ = ["CHECKS", "judge_numbers", "judge_verification"]

# UK Core, Extension-UKCore-NHSNumberVerificationStatus.
VERIFICATION = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus"
# No check digit fits the nine digits before it (the sum leaves 1), so that it can be nobody's number.
IMPOSSIBLE = "9990000000"
_BY_IMPOSSIBLE = "Patient by an impossible number"
# Other ways in which systems write that an identifier is an NHS number; the OID is NHS England's.
_MEANT = re.compile(r"nhs[-_ ]?(?:no|number|num|nbr)\b|2\.16\.840\.1\.113883\.2\.1\.4\.1\b", re.I)
_STATUS_SYSTEM = "https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatusEngland"
_STATUSES = frozenset(f"0{number}" for number in range(1, 9))
_OURS = ("a rule of ours, in no standard's conformance",)


def ask_numbers(probe: Probe) -> None:
    for role in ("full", "sparse"):
        ask_person(probe, role)
    probe.get("Patient", {"identifier": f"{NHS_NUMBER_SYSTEM}|{IMPOSSIBLE}"}, step=_BY_IMPOSSIBLE)


def ask_full(probe: Probe) -> None:
    ask_person(probe, "full")


def judge_numbers(evidence: Evidence) -> Outcome:
    """UKC-03: the system, the form and the check digit of every NHS number; and nobody has an impossible one."""
    findings: list[Finding] = []
    good = 0
    both = [gathered(evidence, role) for role in ("full", "sparse")]
    for held in (each for found in both for each in found.all):
        for place, identifier in _identifiers(held.resource, held.type):
            system, value = identifier.get("system"), identifier.get("value")
            if system == NHS_NUMBER_SYSTEM:
                fault = _fault_of(value)
                if fault is None:
                    good += 1
                else:
                    findings.append(_finding("nhs-number-form", fault, held, f"{place}.value"))
            elif isinstance(system, str) and _MEANT.search(system):
                message = f"the system means the NHS number and is not {NHS_NUMBER_SYSTEM}"
                findings.append(_finding("nhs-number-system", message, held, f"{place}.system"))
    asked = evidence.one(_BY_IMPOSSIBLE)
    refused = asked.error is None and asked.status in (400, 404, 422)
    if not refused:
        evidence.answered(_BY_IMPOSSIBLE)  # what went wrong on the way decides nothing
    if any(resource.get("resourceType") == "Patient" for resource in objects(asked)):
        findings.append(
            Finding(
                rule="nhs-number-impossible",
                message="a search by a number whose check digit cannot be right gave a person",
                exchange=asked.id,
                place="Bundle.entry",
            )
        )
    observed = f"{good} NHS numbers, and a search by one that cannot exist"
    if findings:
        cause = supplier(
            "NHS numbers were received in another form, or a person for a number that nobody has",
            "hold NHS numbers as ten digits in the one system, check the digit on entry, search by the whole value",
        )
        return Outcome.failed(findings, cause, observations=good + len(findings), observed=observed, notes=_OURS)
    outcome = Outcome.passed(good, observed, notes=_OURS) if refused or is_json(asked) else Outcome.passed(0)
    for found in both:
        outcome = found.whole(outcome)
    return outcome


def judge_verification(evidence: Evidence) -> Outcome:
    """UKC-04: the verification status stands with the number, and only 01 is shared by."""
    found = gathered(evidence, "full")
    findings: list[Finding] = []
    good = 0
    clinical = sum(1 for held in found.held if held.type in MAY_HOLD)
    for held in found.of("Patient"):
        for place, identifier in _identifiers(held.resource, held.type):
            if identifier.get("system") != NHS_NUMBER_SYSTEM:
                continue
            where = f"{place}.extension"
            statuses = list(_statuses(identifier))
            if not statuses:
                findings.append(
                    _finding("verification-unsaid", "an NHS number has no verification status", held, where)
                )
                continue
            status = statuses[0] if len(set(statuses)) == 1 else None
            if status not in _STATUSES:
                message = f"the verification status is not one code of {_STATUS_SYSTEM}"
                findings.append(_finding("verification-code", message, held, where))
            elif status == "07":
                message = "the verification status says that there is no number, beside a number"
                findings.append(_finding("verification-contradicts", message, held, where))
            elif status != "01" and clinical:
                message = f"a record is given by a number of verification status {status}; only 01 is verified"
                findings.append(_finding("unverified-shared", message, held, where))
            else:
                good += 1
    observed = f"{good} numbers with their verification status, {clinical} clinical resources"
    if findings:
        cause = supplier(
            "the person's own resource says so, and the clinical resources came in the same run",
            "state the status that the last trace gave; give no record by a number that is not verified",
            otherwise="the test person's number was never traced in the test system",
        )
        return Outcome.failed(findings, cause, observations=good + len(findings), observed=observed, notes=_OURS)
    return found.whole(Outcome.passed(good, observed, notes=_OURS))


def _finding(rule: str, message: str, held: Held, place: str) -> Finding:
    return Finding(rule=rule, message=message, exchange=held.exchange.id, place=f"{held.place}: {place}")


def _fault_of(value: object) -> str | None:
    """What is wrong with an NHS number as FHIR carries it; None if nothing is."""
    if not isinstance(value, str) or not value:
        return "an identifier of the NHS number's system has no value"
    try:
        bare = nhs_number(value)
    except NotAnNhsNumber as error:
        return str(error)
    return None if bare == value else "an NHS number is written with separators; ten digits are expected"


def _identifiers(resource: Mapping[str, Any], type_: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every identifier of a resource, of what it contains and of its references, with where it stands."""
    waiting: list[tuple[Any, str]] = [(resource, type_)]
    while waiting:
        value, place = waiting.pop(0)
        if not isinstance(value, Mapping):
            continue
        for key, part in value.items():
            for index, each in enumerate(part if isinstance(part, list) else [part]):
                at = f"{place}.{key if str(key).isalpha() and len(key) < 40 else '?'}"
                at = f"{at}[{index}]" if isinstance(part, list) else at
                if key == "identifier" and isinstance(each, Mapping):
                    yield at, each
                waiting.append((each, at))


def _statuses(identifier: Mapping[str, Any]) -> Iterator[str]:
    """The codes of the verification status of an identifier; `?` for one of another system."""
    extensions = identifier.get("extension")
    for extension in extensions if isinstance(extensions, list) else ():
        if not isinstance(extension, Mapping) or extension.get("url") != VERIFICATION:
            continue
        concept = extension.get("valueCodeableConcept")
        codings = concept.get("coding") if isinstance(concept, Mapping) else None
        for coding in codings if isinstance(codings, list) else ():
            if isinstance(coding, Mapping):
                code = coding.get("code")
                yield code if coding.get("system") == _STATUS_SYSTEM and isinstance(code, str) else "?"


def _catches(*faults: str) -> tuple[Catch, ...]:
    return tuple(Catch("uk-core", fault) for fault in faults)


CHECKS = [
    Check(
        name="mpft-safety#1",
        probe=ask_numbers,
        judge=judge_numbers,
        people=("full", "sparse"),
        catches=_catches(
            "nhs-number-system-misspelt", "nhs-number-wrong-digit", "nhs-number-spaced", "impossible-number-found"
        ),
    ),
    Check(
        name="mpft-safety#2",
        probe=ask_full,
        judge=judge_verification,
        people=("full",),
        catches=_catches(
            "verification-unsaid", "verification-code-unknown", "verification-contradicts", "unverified-shared"
        ),
    ),
]
