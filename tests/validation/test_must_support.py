"""Must-support: shown where it is asked for, as information, and silent otherwise."""

from __future__ import annotations

import re
from typing import Any

import pytest
from judging import PATIENT, profile

from mpftconnect.validation import Options, Report, Validator

ASKED = Options(must_support=True)
BY_SYSTEM = {"discriminator": [{"type": "value", "path": "system"}], "rules": "open"}
MARKED = profile(
    "marked",
    "Patient",
    {"path": "Patient.identifier", "mustSupport": True, "slicing": BY_SYSTEM},
    {"path": "Patient.identifier", "sliceName": "nhs", "mustSupport": True},
    {"path": "Patient.identifier.system", "fixedUri": "https://fhir.nhs.uk/Id/nhs-number"},
    {"path": "Patient.identifier.value", "mustSupport": True},
    {"path": "Patient.identifier", "sliceName": "local"},
    {"path": "Patient.identifier.system", "fixedUri": "https://zz.example.test/local"},
    {"path": "Patient.name", "mustSupport": True},
    {"path": "Patient.deceased[x]", "mustSupport": True},
    {"path": "Patient.contact.name", "mustSupport": True},
    {"path": "Patient.birthDate", "mustSupport": True},
)


def absent(report: Report) -> list[str]:
    """What is said to be absent; nothing else may be said of it."""
    shown = [finding for finding in report.findings if finding.rule == "must-support"]
    assert {finding.severity for finding in shown} <= {"information"}
    found = [
        (finding, re.match(r"(?:is absent|has no item of slice (\S+)), which", finding.message)) for finding in shown
    ]
    return [f"{finding.expression}:{said[1]}" if said and said[1] else finding.expression for finding, said in found]


@pytest.fixture(scope="module")
def marked(core: Validator) -> Validator:
    return core.with_resources([MARKED])


def judge(validator: Validator, options: Options | None = ASKED, **changed: Any) -> Report:
    resource = {**PATIENT, "deceasedBoolean": False, **changed}
    held = {key: value for key, value in resource.items() if value is not None}
    return validator.validate(held, profiles=[MARKED["url"]], options=options)


def test_what_is_there_is_not_said_to_be_absent(marked: Validator) -> None:
    assert absent(judge(marked)) == []


BESIDE = {"extension": [{"url": "https://example.org/x", "valueString": "x"}]}
CONTACTS = [{"gender": "male", "name": {"text": "x"}}, {"telecom": [{"value": "x"}]}]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": None}, ["Patient.name"]),
        ({"deceasedBoolean": None}, ["Patient.deceased"]),
        ({"deceasedBoolean": None, "deceasedDateTime": "2024-01-01"}, []),
        ({"identifier": None}, ["Patient.identifier"]),
        ({"identifier": [{"system": "https://zz.example.test/local", "value": "1"}]}, ["Patient.identifier:nhs"]),
        ({"identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number"}]}, ["Patient.identifier[0].value"]),
        ({"contact": CONTACTS}, ["Patient.contact[1].name"]),
        ({"birthDate": None, "_birthDate": BESIDE}, []),
    ],
)
def test_what_is_absent_is_shown_where_it_would_stand(
    marked: Validator, changed: dict[str, Any], said: list[str]
) -> None:
    report = judge(marked, **changed)
    assert absent(report) == said
    assert {f.profile for f in report.findings if f.rule == "must-support"} <= {MARKED["url"]}


def test_it_changes_no_verdict_and_is_silent_unless_asked_for(marked: Validator) -> None:
    asked, not_asked = (judge(marked, options, name=None) for options in (ASKED, None))
    assert asked.verdict == not_asked.verdict == "valid"
    assert absent(not_asked) == []
    assert [f for f in asked.findings if f.rule != "must-support"] == list(not_asked.findings)


def test_uk_core_by_profile() -> None:
    validator = Validator(["mpftconnect.ukcore-rules"], options=ASKED)
    claim = {"meta": {"profile": ["https://fhir.hl7.org.uk/StructureDefinition/UKCore-Patient"]}}
    said = absent(validator.validate({**PATIENT, **claim, "address": [{"city": "Nowhere"}]}))
    assert "Patient.identifier[0].extension:nhsNumberVerificationStatus" in said
    assert "Patient.address[0].extension:addressKey" in said
    assert "Patient.telecom" in said
    assert not [line for line in said if line.startswith(("Patient.name", "Patient.gender"))]
