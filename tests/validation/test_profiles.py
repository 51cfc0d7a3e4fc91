"""Profiles that are differentials: merging, slicing, fixed values, and what a profile cannot decide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from judging import BASE, CORE, PATIENT, found, profile, rules

from mpftconnect.errors import DefinitionBroken, PackageNotFound
from mpftconnect.validation import Options, Validator

Make = Callable[..., Validator]
VALUE = {"slicing": {"discriminator": [{"type": "value", "path": "system"}], "rules": "open"}}


def sliced(rules_: str = "open", kind: str = "value", path: str = "system", **more: Any) -> dict[str, Any]:
    slicing = {"discriminator": [{"type": kind, "path": path}], "rules": rules_, **more}
    return profile(
        "sliced",
        "Patient",
        {"path": "Patient.identifier", "slicing": slicing},
        {"path": "Patient.identifier", "sliceName": "nhs", "min": 1, "max": "1"},
        {"path": "Patient.identifier.system", "min": 1, "fixedUri": "https://fhir.nhs.uk/Id/nhs-number"},
        {"path": "Patient.identifier.value", "min": 1, "maxLength": 10},
    )


def test_a_slice_is_required_counted_and_judged(make: Make) -> None:
    validator = make(sliced())
    url = [BASE + "sliced"]
    nhs = {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}
    assert validator.validate(PATIENT, url).verdict == "valid"
    assert rules(validator.validate({**PATIENT, "identifier": [{"system": "urn:oid:1.2", "value": "1"}]}, url)) == [
        "slice-min"
    ]
    assert rules(validator.validate({k: v for k, v in PATIENT.items() if k != "identifier"}, url)) == ["slice-min"]
    assert rules(validator.validate({**PATIENT, "identifier": [nhs, nhs]}, url)) == ["slice-max"]
    assert found(validator.validate({**PATIENT, "identifier": [{**nhs, "value": "99900000180"}]}, url)) == [
        ("max-length", "Patient.identifier[0].value")
    ]
    assert rules(validator.validate({**PATIENT, "identifier": [{"system": nhs["system"]}]}, url)) == ["cardinality-min"]


def test_closed_and_open_at_end_slicing(make: Make) -> None:
    other = {"system": "urn:oid:1.2", "value": "1"}
    nhs = PATIENT["identifier"][0]
    url = [BASE + "sliced"]
    closed, at_end, open_ = make(sliced("closed")), make(sliced("openAtEnd")), make(sliced())
    assert rules(closed.validate({**PATIENT, "identifier": [nhs, other]}, url)) == ["slice-closed"]
    assert rules(at_end.validate({**PATIENT, "identifier": [other, nhs]}, url)) == ["slice-order"]
    assert at_end.validate({**PATIENT, "identifier": [nhs, other]}, url).verdict == "valid"
    assert open_.validate({**PATIENT, "identifier": [other, nhs]}, url).verdict == "valid"


@pytest.mark.parametrize(
    ("row", "good", "bad"),
    [
        ({"patternIdentifier": {"system": "urn:oid:1.2"}}, {"system": "urn:oid:1.2", "value": "1"}, {"value": "1"}),
        ({"fixedIdentifier": {"value": "1"}}, {"value": "1"}, {"value": "1", "system": "urn:oid:1.2"}),
    ],
)
def test_fixed_is_exact_and_a_pattern_is_not(make: Make, row: dict[str, Any], good: Any, bad: Any) -> None:
    validator = make(profile("fixed", "Patient", {"path": "Patient.identifier", **row}))
    assert validator.validate({**PATIENT, "identifier": [good]}, [BASE + "fixed"]).verdict == "valid"
    assert validator.validate({**PATIENT, "identifier": [bad]}, [BASE + "fixed"]).verdict == "invalid"


def test_a_profile_on_a_profile_holds_what_both_say(make: Make) -> None:
    validator = make(
        profile("lower", "Patient", {"path": "Patient.birthDate", "min": 1}),
        profile("upper", "Patient", {"path": "Patient.gender", "min": 1}, base=BASE + "lower"),
    )
    bare = {"resourceType": "Patient", "active": True}
    assert rules(validator.validate(bare, [BASE + "upper"])) == ["cardinality-min", "cardinality-min"]
    assert validator.validate(PATIENT, [BASE + "upper"]).verdict == "valid"


def test_a_profile_that_is_based_on_itself_is_refused(make: Make) -> None:
    validator = make(profile("a", "Patient", base=BASE + "b"), profile("b", "Patient", base=BASE + "a"))
    report = validator.validate(PATIENT, [BASE + "a"])
    assert report.verdict == "undecided"
    assert "based on itself" in report.not_checked[0].reason
    with pytest.raises(DefinitionBroken, match="based on itself"):
        validator.profile(BASE + "a")


def test_a_claimed_profile_that_nobody_has_leaves_it_undecided(core: Validator) -> None:
    report = core.validate({**PATIENT, "meta": {"profile": [BASE + "nowhere"]}})
    assert (report.verdict, report.not_checked[0].rule) == ("undecided", "profile-unknown")
    strict = core.validate(
        {**PATIENT, "meta": {"profile": [BASE + "nowhere"]}}, options=Options(unknown_profile="error")
    )
    assert strict.verdict == "invalid"
    with pytest.raises(PackageNotFound, match="nowhere"):
        core.validate(PATIENT, [BASE + "nowhere"])


def test_a_claimed_profile_is_taken_in_the_version_that_is_claimed(make: Make) -> None:
    old = profile("versioned", "Patient", {"path": "Patient.gender", "max": "0"})
    new = {**profile("versioned", "Patient"), "version": "2.0.0"}
    validator = make(old, new)
    claims = lambda version: {**PATIENT, "meta": {"profile": [f"{BASE}versioned{version}"]}}  # noqa: E731
    assert rules(validator.validate(claims("|1.0.0"))) == ["cardinality-max"]
    assert validator.validate(claims("|2.0.0")).verdict == "valid"
    assert validator.validate(claims("")).verdict == "valid"
    assert "version 3.0.0" in validator.validate(claims("|3.0.0")).not_checked[0].reason


def test_a_profile_of_another_type_is_said(make: Make) -> None:
    assert rules(make(sliced()).validate({"resourceType": "Basic", "code": {"text": "x"}}, [BASE + "sliced"])) == [
        "profile-type"
    ]


def test_a_choice_that_is_narrowed_by_a_typed_path(make: Make) -> None:
    validator = make(profile("typed", "Observation", {"path": "Observation.valueQuantity", "min": 1}))
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    url = [BASE + "typed"]
    assert validator.validate({**observation, "valueQuantity": {"value": 1}}, url).verdict == "valid"
    assert "choice" in rules(validator.validate({**observation, "valueString": "1"}, url))
    assert rules(validator.validate(observation, url)) == ["cardinality-min"]


def test_type_slices_of_a_choice(make: Make) -> None:
    by_type = {"discriminator": [{"type": "type", "path": "$this"}], "rules": "closed"}
    validator = make(
        profile(
            "types",
            "Observation",
            {"path": "Observation.value[x]", "slicing": by_type},
            {"path": "Observation.value[x]", "sliceName": "valueString", "type": [{"code": "string"}], "maxLength": 3},
            {"path": "Observation.value[x]", "sliceName": "valueQuantity", "type": [{"code": "Quantity"}]},
            {"path": "Observation.value[x].unit", "min": 1},
        )
    )  # fmt: skip
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    url = [BASE + "types"]
    assert rules(validator.validate({**observation, "valueString": "four"}, url)) == ["max-length"]
    assert rules(validator.validate({**observation, "valueQuantity": {"value": 1}}, url)) == ["cardinality-min"]
    assert rules(validator.validate({**observation, "valueBoolean": True}, url)) == ["slice-closed"]


def test_extensions_by_url_with_context_and_modifier(make: Make) -> None:
    extension = profile(
        "colour",
        "Extension",
        {"path": "Extension", "isModifier": False},
        {"path": "Extension.url", "fixedUri": BASE + "colour"},
        {"path": "Extension.value[x]", "min": 1, "type": [{"code": "code"}]},
        context=[{"type": "element", "expression": "Patient"}],
    )
    validator = make(extension)
    good = {"url": BASE + "colour", "valueCode": "red"}
    assert validator.validate({**PATIENT, "extension": [good]}).verdict == "valid"
    assert "choice" in rules(
        validator.validate({**PATIENT, "extension": [{"url": BASE + "colour", "valueString": "red"}]})
    )
    assert rules(validator.validate({**PATIENT, "name": [{"family": "A", "extension": [good]}]})) == [
        "extension-context"
    ]
    assert "extension-modifier" in rules(validator.validate({**PATIENT, "modifierExtension": [good]}))
    assert (
        rules(validator.validate({**PATIENT, "extension": [{**good, "url": BASE + "colour|1.0.0"}]}))[0]
        == "extension-url"
    )
    unknown = validator.validate({**PATIENT, "extension": [{**good, "url": BASE + "color"}]})
    assert f"did you mean {BASE}colour?" in unknown.findings[0].message
    allowed = Options(allowed_extension_domain=BASE)
    assert (
        validator.validate({**PATIENT, "extension": [{**good, "url": BASE + "other"}]}, options=allowed).verdict
        == "valid"
    )


def test_a_complex_extension(make: Make) -> None:
    extension = profile(
        "complex",
        "Extension",
        {"path": "Extension.extension", "sliceName": "part", "min": 1, "max": "1"},
        {"path": "Extension.extension.url", "fixedUri": "part"},
        {"path": "Extension.extension.value[x]", "min": 1, "type": [{"code": "boolean"}]},
        {"path": "Extension.url", "fixedUri": BASE + "complex"},
        {"path": "Extension.value[x]", "max": "0"},
        context=[{"type": "element", "expression": "Element"}],
    )
    validator = make(extension)

    def judged(*parts: Any) -> list[str]:
        return rules(
            validator.validate({**PATIENT, "extension": [{"url": BASE + "complex", "extension": list(parts)}]})
        )

    assert judged({"url": "part", "valueBoolean": True}) == []
    assert judged({"url": "other", "valueBoolean": True}) == ["slice-min"]
    assert "choice" in judged({"url": "part", "valueString": "x"})


def test_profiles_of_a_data_type_and_one_of_several(make: Make) -> None:
    def row(*names: str) -> dict[str, Any]:
        return {"path": "Patient.address", "type": [{"code": "Address", "profile": [BASE + name for name in names]}]}

    validator = make(
        profile("address-a", "Address", {"path": "Address.use", "min": 1}),
        profile("address-b", "Address", {"path": "Address.city", "min": 1}),
        profile("one", "Patient", row("address-a")),
        profile("two", "Patient", row("address-a", "address-b")),
    )  # fmt: skip
    resource = {**PATIENT, "address": [{"city": "Fennimoor"}]}
    assert rules(validator.validate(resource, [BASE + "one"])) == ["cardinality-min"]
    assert validator.validate(resource, [BASE + "two"]).verdict == "valid"
    assert rules(validator.validate({**PATIENT, "address": [{"text": "x"}]}, [BASE + "two"])) == ["profile-none"]


def test_least_and_greatest_values(make: Make) -> None:
    validator = make(
        profile(
            "limits",
            "Patient",
            {"path": "Patient.birthDate", "minValueDate": "1900-01-01", "maxValueDate": "2000-12-31"},
        )
    )
    url = [BASE + "limits"]
    assert validator.validate(PATIENT, url).verdict == "valid"
    assert rules(validator.validate({**PATIENT, "birthDate": "1899-12-31"}, url)) == ["min-value"]
    assert rules(validator.validate({**PATIENT, "birthDate": "2001"}, url)) == ["max-value"]


def test_invariants_of_a_profile_and_one_that_cannot_be_read(make: Make) -> None:
    def row(expression: str, severity: str = "error") -> dict[str, Any]:
        return {
            "path": "Patient",
            "constraint": [{"key": "zz-1", "severity": severity, "human": "h", "expression": expression}],
        }

    url = [BASE + "inv"]
    assert rules(make(profile("inv", "Patient", row("name.exists()"))).validate(PATIENT, url)) == []
    assert rules(make(profile("inv", "Patient", row("telecom.exists()"))).validate(PATIENT, url)) == ["zz-1"]
    unread = make(profile("inv", "Patient", row("name.((")))
    assert unread.validate(PATIENT, url).verdict == "undecided"
    assert make(profile("inv", "Patient", row("name.((", "warning"))).validate(PATIENT, url).verdict == "valid"


def test_a_required_value_set_that_is_not_loaded_leaves_it_undecided(make: Make) -> None:
    def bound(strength: str) -> Validator:
        binding = {"strength": strength, "valueSet": "https://zz.example.test/ValueSet/none"}
        return make(profile("bound", "Patient", {"path": "Patient.maritalStatus", "binding": binding}))

    resource = {**PATIENT, "maritalStatus": {"coding": [{"system": "https://zz.example.test/cs", "code": "x"}]}}
    required = bound("required").validate(resource, [BASE + "bound"])
    assert required.verdict == "undecided"
    assert any(item.rule == "binding-required" and item.decisive for item in required.not_checked)
    extensible = bound("extensible").validate(resource, [BASE + "bound"])
    assert extensible.verdict == "valid"
    assert any(item.rule == "binding-extensible" and not item.decisive for item in extensible.not_checked)


def test_a_profile_can_be_printed(make: Make) -> None:
    printed = make(sliced()).profile(BASE + "sliced")
    identifier = printed["children"]["identifier"]
    assert identifier["slicing"] == {"by": ["value:system"], "rules": "open"}
    assert identifier["slices"]["nhs"]["min"] == 1
    assert identifier["slices"]["nhs"]["children"]["system"]["fixed"] == {"Uri": "https://fhir.nhs.uk/Id/nhs-number"}
    assert "children" not in printed["children"]["name"], "what a profile does not touch stays the type's"


def test_core_types_are_printed_as_their_definitions_say(core: Validator) -> None:
    period = core.profile(CORE + "Period")
    assert period["constraints"] == {"per-1": "start.hasValue().not() or end.hasValue().not() or (start <= end)"}
    assert list(period["children"]) == ["id", "extension", "start", "end"]


def test_a_profile_that_asks_whether_it_fits_itself_ends(make: Make) -> None:
    asking = {"key": "zz-1", "severity": "error", "human": "h", "expression": f"conformsTo('{BASE}self')"}
    validator = make(profile("self", "Patient", {"path": "Patient", "constraint": [asking]}))
    assert validator.validate(PATIENT, [BASE + "self"]).verdict == "valid"


def test_as_string_means_fhir_strings_too(make: Make) -> None:
    row = {
        "key": "zz-1",
        "severity": "error",
        "human": "h",
        "expression": "(name.first().family as String) = 'Ashdown'",
    }
    validator = make(profile("as", "Patient", {"path": "Patient", "constraint": [row]}))
    assert validator.validate(PATIENT, [BASE + "as"]).verdict == "valid"
    assert rules(validator.validate({**PATIENT, "name": [{"family": "Other"}]}, [BASE + "as"])) == ["zz-1"]


def test_threads_share_a_validator(make: Make) -> None:
    from concurrent.futures import ThreadPoolExecutor

    validator = make(sliced("closed"))
    resources = [PATIENT, {**PATIENT, "identifier": [{"system": "urn:oid:1.2"}]}, {**PATIENT, "gender": "femal"}] * 20
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda resource: validator.validate(resource, [BASE + "sliced"]), resources))
    assert together == [make(sliced("closed")).validate(resource, [BASE + "sliced"]) for resource in resources[:3]] * 20


def test_a_typed_path_leaves_one_type_in_an_extension_inside_an_extension(make: Callable[..., Validator]) -> None:
    shift = profile(
        "Shift", "Extension",
        {"path": "Extension.extension", "sliceName": "when", "min": 1, "max": "1"},
        {"path": "Extension.extension.extension", "sliceName": "day", "min": 1, "max": "1"},
        {"path": "Extension.extension.extension.url", "fixedUri": "day"},
        {"path": "Extension.extension.extension.valueDate", "type": [{"code": "date"}]},
        {"path": "Extension.extension.url", "fixedUri": "when"},
        {"path": "Extension.extension.value[x]", "max": "0"},
        {"path": "Extension.url", "fixedUri": BASE + "Shift"},
        {"path": "Extension.value[x]", "max": "0"},
        context=[{"type": "element", "expression": "Patient"}],
    )  # fmt: skip

    def wrong(**value: str) -> list[str]:
        day = {"url": "day", **value}
        item = {"url": BASE + "Shift", "extension": [{"url": "when", "extension": [day]}]}
        return rules(make(shift).validate({**PATIENT, "extension": [item]}))

    assert wrong(valueDate="2024-01-01") == []
    assert wrong(valueString="soon") == ["choice"]


def test_a_reference_with_the_profile_of_its_target_is_a_reference_inside(make: Callable[..., Validator]) -> None:
    # Seen in STU3: type.profile names the Patient profile that targetProfile should.
    odd = profile(
        "Odd", "Observation",
        {"path": "Observation.subject", "type": [{"code": "Reference", "profile": [BASE + "Known"]}]},
        {"path": "Observation.subject.reference", "min": 1},
    )  # fmt: skip
    validator = make(odd, profile("Known", "Patient"))
    tree = validator.profile(BASE + "Odd")["children"]["subject"]["children"]
    assert set(tree) == {"id", "extension", "reference", "type", "identifier", "display"}
