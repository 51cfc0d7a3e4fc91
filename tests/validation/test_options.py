"""Policies: each has its effect on the verdict, or says that it has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import pytest
from judging import BASE, PATIENT, found, profile

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
