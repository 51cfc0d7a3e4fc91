"""One validator for everybody: it never changes, and threads get what one would."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from judging import BASE, PATIENT, found, profile, rules

from mpftconnect.errors import PackageRefused
from mpftconnect.validation import Options, Validator

Make = Callable[..., Validator]


def corpus() -> list[tuple[bytes, list[str], Options]]:
    """Resources of many types, each with what makes it valid, invalid and undecided."""
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "valueQuantity": {"value": 1},
    }
    made: list[dict[str, Any]] = [
        PATIENT,
        {**PATIENT, "gender": "femal"},
        {**PATIENT, "meta": {"profile": [BASE + "none"]}},
        {**PATIENT, "meta": {"profile": [BASE + "strict"]}},
        {**PATIENT, "identifier": [{"system": "urn:oid:1.2"}] * 3},
        observation,
        {**observation, "status": "x", "component": [{"code": {"text": "y"}, "valueString": "z"}] * 5},
        {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": PATIENT}, {"resource": observation}]},
        {"resourceType": "Questionnaire", "status": "active", "item": [{"linkId": "1", "type": "group"}]},
    ]
    options = [Options(), Options(validate_reference="CHECK_VALID", must_support=True), Options(no_invariants=True)]
    return [(json.dumps(one).encode(), [], option) for one in made for option in options]


def strict() -> dict[str, Any]:
    return profile(
        "strict", "Patient", {"path": "Patient.telecom", "min": 1}, {"path": "Patient.birthDate", "mustSupport": True}
    )


def test_eight_threads_that_begin_together_say_what_one_says(make: Make) -> None:
    """Everything is compiled on first use, so the first moments are what could go wrong."""
    given = corpus()
    alone = [make(strict()).validate(data, profiles, options=options) for data, profiles, options in given]
    shared, start = make(strict()), threading.Barrier(8)

    def work(turn: int) -> list[Any]:
        start.wait()
        order = given[turn:] + given[:turn]
        reports = [shared.validate(data, profiles, options=options) for data, profiles, options in order]
        return reports[len(given) - turn :] + reports[: len(given) - turn]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(work, range(8)))
    assert all(reports == alone for reports in together)
    assert {report.verdict for report in alone} == {"valid", "invalid", "undecided"}


def test_validating_changes_neither_the_validator_nor_what_it_is_given(make: Make) -> None:
    validator = make(strict())
    before = (validator.packages, dict(validator.missing_packages), validator.fhir_version, validator.options)
    tree = json.dumps(validator.profile(BASE + "strict"))
    first = [validator.validate(data, profiles, options=options) for data, profiles, options in corpus()]
    broken = {**PATIENT, "identifier": "x", "contained": [{"resourceType": "Patient", "id": 5}], "zz": [None]}
    kept = copy.deepcopy(broken)
    validator.validate(broken)
    assert broken == kept
    assert [validator.validate(data, profiles, options=options) for data, profiles, options in corpus()] == first
    assert (validator.packages, dict(validator.missing_packages), validator.fhir_version, validator.options) == before
    assert json.dumps(validator.profile(BASE + "strict")) == tree


def test_what_it_hands_out_leads_to_no_change(make: Make) -> None:
    validator = make(strict())
    validator.missing_packages.clear()  # type: ignore[attr-defined]
    validator.profile(BASE + "strict").clear()
    report = validator.validate({**PATIENT, "gender": "femal"})
    with pytest.raises((AttributeError, TypeError)):
        report.findings[0].message = "x"  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        validator.options.examples = False  # type: ignore[misc]
    assert isinstance(report.findings, tuple) and isinstance(report.not_checked, tuple)
    assert found(validator.validate(PATIENT, [BASE + "strict"])) == [("cardinality-min", "Patient")]


def test_definitions_that_are_added_are_of_the_new_one_only(core: Validator) -> None:
    first = core.with_resources([strict()])
    given = strict()
    second = first.with_resources([given])
    given["differential"]["element"].clear()
    other = profile("strict", "Patient", {"path": "Patient.telecom", "max": "0"})
    third = first.with_resources([other])
    assert rules(first.validate(PATIENT, [BASE + "strict"])) == ["cardinality-min"]
    assert rules(second.validate(PATIENT, [BASE + "strict"])) == ["cardinality-min"]
    assert rules(third.validate(PATIENT, [BASE + "strict"])) == []
    given["differential"]["element"].append(given)
    with pytest.raises(PackageRefused, match="holds itself"):
        first.with_resources([given])


# -- profiles that are claimed: abstract, unknown, of a version


def test_a_claim_to_an_abstract_profile_is_a_warning_and_is_still_judged(make: Make) -> None:
    made = profile("abstract", "Patient", {"path": "Patient.telecom", "min": 1}, abstract=True)
    derived = profile("derived", "Patient", base=BASE + "abstract")
    validator = make(made, derived)
    claiming = {**PATIENT, "meta": {"profile": [BASE + "abstract"]}}
    report = validator.validate(claiming)
    assert [(f.severity, f.profile) for f in report.findings if f.rule == "profile-abstract"] == [
        ("warning", BASE + "abstract")
    ]
    assert rules(report) == ["cardinality-min"]
    # Asked for by the user, or claimed through a profile that is based on it, it is no mistake of the resource.
    for given, wanted in ((PATIENT, [BASE + "abstract"]), ({**PATIENT, "meta": {"profile": [BASE + "derived"]}}, [])):
        report = validator.validate(given, wanted)
        assert "profile-abstract" not in [f.rule for f in report.findings]
        assert rules(report) == ["cardinality-min"]


@pytest.mark.parametrize(
    ("claimed", "verdict", "rule"),
    [
        ("strict", "invalid", "cardinality-min"),
        ("strict|1.0.0", "invalid", "cardinality-min"),
        ("strict|9.9.9", "undecided", "profile-unknown"),
        ("none", "undecided", "profile-unknown"),
        ("none|1.0.0", "undecided", "profile-unknown"),
        ("strict|", "invalid", "cardinality-min"),
    ],
)
def test_a_claim_is_taken_by_its_version_or_not_checked(make: Make, claimed: str, verdict: str, rule: str) -> None:
    report = make(strict()).validate({**PATIENT, "meta": {"profile": [BASE + claimed]}})
    assert report.verdict == verdict
    assert rule in [item.rule for item in (*report.findings, *report.not_checked)]


# -- the aggregation option


@pytest.mark.parametrize(
    ("modes", "reference", "option", "broken"),
    [
        (["contained"], "#org", True, False),
        (["contained"], "Organization/1", True, True),
        (["contained"], "Organization/1", False, False),
        (["referenced"], "#org", True, True),
        (["referenced"], "#org", False, True),
        (["referenced"], "Organization/1", True, False),
        (["bundled"], "Organization/1", True, True),
        (["bundled"], "Organization/1", False, False),
        (["contained", "referenced"], "Organization/1", True, False),
    ],
)
def test_aggregation_outside_a_bundle_is_a_policy(
    make: Make, modes: list[str], reference: str, option: bool, broken: bool
) -> None:
    """What is contained is certain; what stands elsewhere may be another server's affair."""
    organization = {"resourceType": "Organization", "id": "org", "name": "Invented"}
    rows = {
        "path": "Patient.managingOrganization",
        "type": [{"code": "Reference", "targetProfile": ["http://hl7.org/fhir/StructureDefinition/Organization"],
                  "aggregation": modes}],
    }  # fmt: skip
    given = {**PATIENT, "managingOrganization": {"reference": reference}}
    if reference.startswith("#"):
        given["contained"] = [organization]
    options = Options(enforce_aggregation_outside_bundles=option)
    report = make(profile("held", "Patient", rows)).validate(given, [BASE + "held"], options=options)
    assert rules(report) == (["reference-aggregation"] if broken else [])


@pytest.mark.parametrize("option", [True, False])
@pytest.mark.parametrize(("modes", "broken"), [(["bundled"], False), (["contained"], True), (["referenced"], False)])
def test_aggregation_inside_a_bundle_always_binds(make: Make, modes: list[str], broken: bool, option: bool) -> None:
    rows = {
        "path": "Patient.managingOrganization",
        "type": [{"code": "Reference", "targetProfile": ["http://hl7.org/fhir/StructureDefinition/Organization"],
                  "aggregation": modes}],
    }  # fmt: skip
    base = "https://zz.example.test/"
    claiming = {
        **PATIENT, "id": "p", "meta": {"profile": [BASE + "held"]},
        "managingOrganization": {"reference": "Organization/1"},
    }  # fmt: skip
    organization = {"resourceType": "Organization", "id": "1", "name": "Invented"}
    bundle = {
        "resourceType": "Bundle", "type": "collection",
        "entry": [{"fullUrl": base + "Patient/p", "resource": claiming},
                  {"fullUrl": base + "Organization/1", "resource": organization}],
    }  # fmt: skip
    report = make(profile("held", "Patient", rows)).validate(
        bundle, options=Options(enforce_aggregation_outside_bundles=option)
    )
    assert rules(report) == (["reference-aggregation"] if broken else [])
