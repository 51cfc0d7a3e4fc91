"""Policies: each has its effect on the verdict, or says that it has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import pytest
from judging import BASE, PATIENT, found, profile

from mpftconnect.errors import ConfigurationError
from mpftconnect.validation import Options, Validator
from mpftconnect.validation.options import WITHOUT_EFFECT


@pytest.mark.parametrize(
    ("policy", "verdict"), [("not-checked", "undecided"), ("warning", "valid"), ("error", "invalid")]
)
def test_a_profile_that_is_not_loaded_counts_as_is_asked(core: Validator, policy: str, verdict: str) -> None:
    claiming = {**PATIENT, "meta": {"profile": [BASE + "none"]}}
    report = core.validate(claiming, options=Options(unknown_profile=policy))
    assert report.verdict == verdict
    assert any(item.rule == "profile-unknown" for item in (*report.findings, *report.not_checked))


def test_what_was_applied_is_told_where_that_is_asked_for(make: Callable[..., Validator]) -> None:
    validator = make(profile("claimed", "Patient"), profile("wanted", "Patient"))
    patient = {**PATIENT, "meta": {"profile": [BASE + "claimed"]}}
    assert "profile-applied" not in [f.rule for f in validator.validate(patient, [BASE + "wanted"]).findings]
    report = validator.validate(patient, [BASE + "wanted"], options=Options(crumb_trail=True))
    told = [f for f in report.findings if f.rule == "profile-applied"]
    assert [(f.severity, f.profile, f.message.rpartition(": ")[2]) for f in told] == [
        ("information", BASE + "wanted", "asked for"),
        ("information", BASE + "claimed", "in meta.profile"),
    ]  # fmt: skip
    assert report.verdict == "valid"


def test_a_signature_that_should_be_verified_is_not_checked(core: Validator) -> None:
    signed = {
        "resourceType": "Bundle", "type": "collection",
        "signature": {
            "type": [{"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.1"}],
            "when": "2024-01-01T00:00:00Z", "who": {"display": "x"}, "data": "AAAA",
        },
    }  # fmt: skip
    assert core.validate(signed).verdict == "valid"
    report = core.validate(signed, options=Options(certificate="key.json"))
    assert report.verdict == "undecided"
    assert [(n.rule, n.expression) for n in report.not_checked if n.decisive] == [("signature", "Bundle.signature")]


def test_what_changes_no_verdict_says_so() -> None:
    assert set(WITHOUT_EFFECT) <= {field.name for field in fields(Options)}
    assert Options().without_effect() == []
    asked = Options(fetcher="standalone", new_xver_mode=True).without_effect()
    assert [words.partition(":")[0] for words in asked] == ["fetcher", "new_xver_mode"]


@pytest.mark.parametrize("name", sorted(WITHOUT_EFFECT))
def test_an_option_without_effect_has_none(core: Validator, name: str) -> None:
    value = {"supporting5": ("x.xml",), "matchetype": True, "scoring": True}.get(name, True)
    broken = {**PATIENT, "gender": "femal"}
    for resource in (PATIENT, broken):
        assert core.validate(resource, options=Options(**{name: value})) == core.validate(resource)
    assert found(core.validate(broken)) != []


def test_a_policy_that_is_not_one_is_refused_all_at_once() -> None:
    """A word that means nothing must not pass for a policy: it would switch checking off without a word."""
    given = {"validateReference": "CHECK_VALD", "checkDisplay": "no", "unknwon_profile": "error", "examples": "maybe"}
    with pytest.raises(ConfigurationError) as refused:
        Options.from_mapping({**given, "bundle_param": "Patient:0"})
    assert refused.value.problems == (
        "option unknwon_profile: there is no such option; did you mean unknown_profile?",
        "option examples: expected true or false",
        "option check_display: expected one of error, warning, ignore",
        "option validate_reference: expected one of true, false, CHECK_VALID, CHECK_EXISTS, CHECK_EXISTS_AND_TYPE, "
        "CHECK_TYPE_IF_EXISTS, IGNORE",
        'option bundle_param: expected {"rule": "Patient:0", "profile": "https://..."}',
    )
    for name in ("best_practice", "check_display", "validate_contains", "r5_bundle_relative_reference_policy"):
        with pytest.raises(ConfigurationError, match=name):
            Options(**{name: "nonsense"})  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="there are allow_comments, "):
        Options.from_mapping({"zz": "1"})


def test_policies_may_be_written_as_text_in_any_case() -> None:
    made = Options.from_mapping(
        {
            "best-practice": "Warning", "validateReference": "check_valid", "for-publication": "TRUE",
            "bundleParam": '{"rule": "Patient:0", "profile": "https://zz.example.test/p"}', "supporting5": "a.xml",
            "allowed_extension_domain": ["https://zz.example.test/", "https://yy.example.test/"],
        }
    )  # fmt: skip
    assert (made.best_practice, made.validate_reference, made.for_publication) == ("warning", "CHECK_VALID", True)
    assert made.bundle_param == {"rule": "Patient:0", "profile": "https://zz.example.test/p"}
    assert made.allowed_extension_domain == ("https://zz.example.test/", "https://yy.example.test/")
    assert made.supporting5 == ("a.xml",)
    assert Options.from_mapping({"validate_reference": "true"}).reference_level == "exists"
    assert Options.from_mapping({"validate_reference": "IGNORE"}).reference_level == "none"


def test_one_option_under_two_names_is_given_twice() -> None:
    with pytest.raises(ConfigurationError, match="option validate_reference: is given more than once"):
        Options.from_mapping({"validateReference": "true", "validate_reference": "false"})


@pytest.mark.parametrize("name", [field.name for field in fields(Options) if str(field.type) == "bool"])
def test_a_switch_that_is_given_twice_is_a_mistake(name: str) -> None:
    with pytest.raises(ConfigurationError, match="given more than once"):
        Options.from_mapping({name: ["true", "false"]})
