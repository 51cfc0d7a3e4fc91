"""STU3 (3.0.2) says in other forms what R4 says: each is read as it is meant, and what breaks it is found.

STU3 "ElementDefinition" (2.29): `targetProfile` and `type.profile` are one address each, so a type that may lead to
two is listed twice; a binding has `valueSet[x]`; "StructureDefinition" (5.3): `contextType` and a list of paths.
"""

from __future__ import annotations

from typing import Any

import pytest
from judging import BASE, CORE, found

from mpftconnect.validation import Report, Validator

SYSTEM, SET = BASE + "cs", BASE + "vs"
EXTENSION = {"path": "Extension.url", "fixedUri": BASE + "shift"}


def stu3(name: str, type_: str, *rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A profile as STU3 writes it, only a differential."""
    return {
        "resourceType": "StructureDefinition",
        "url": BASE + name,
        "name": name,
        "status": "active",
        "fhirVersion": "3.0.1",
        "kind": "complex-type" if type_ == "Extension" else "resource",
        "abstract": False,
        "type": type_,
        "baseDefinition": CORE + type_,
        "derivation": "constraint",
        "differential": {"element": list(rows)},
        **more,
    }


@pytest.fixture(scope="module")
def plain() -> Validator:
    """STU3 core alone, as the wheel carries it."""
    return Validator(["hl7.fhir.r3.core@3.0.2"])


TERMS: list[dict[str, Any]] = [
    {
        "resourceType": "CodeSystem",
        "url": SYSTEM,
        "status": "active",
        "content": "complete",
        "concept": [{"code": "a"}, {"code": "b"}],
    },
    {
        "resourceType": "ValueSet",
        "url": SET,
        "status": "active",
        "compose": {"include": [{"system": SYSTEM, "concept": [{"code": "a"}]}]},
    },
]
OBSERVATION: dict[str, Any] = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
PATIENT: dict[str, Any] = {"resourceType": "Patient"}


def judged(plain: Validator, resource: dict[str, Any], *definitions: dict[str, Any]) -> Report:
    """What is said under the first of some definitions."""
    return plain.with_resources(definitions).validate(resource, [definitions[0]["url"]])


@pytest.mark.parametrize("form", ["valueSetUri", "valueSetReference"])
def test_a_binding_is_to_the_value_set_by_either_form(plain: Validator, form: str) -> None:
    value = SET if form == "valueSetUri" else {"reference": SET}
    bound = stu3("bound", "Observation", {"path": "Observation.code", "binding": {"strength": "required", form: value}})
    inside = {**OBSERVATION, "code": {"coding": [{"system": SYSTEM, "code": "a"}]}}
    outside = {**OBSERVATION, "code": {"coding": [{"system": SYSTEM, "code": "b"}]}}
    assert judged(plain, inside, bound, *TERMS).verdict == "valid"
    assert found(judged(plain, outside, bound, *TERMS)) == [("binding-required", "Observation.code")]


def test_each_listed_reference_type_is_allowed_and_no_other(plain: Validator) -> None:
    types = [{"code": "Reference", "targetProfile": CORE + name} for name in ("Practitioner", "Device")]
    led = stu3("led", "Observation", {"path": "Observation.performer", "type": types})
    for name, errors in (
        ("Practitioner", []),
        ("Device", []),
        ("Patient", [("reference-type", "Observation.performer[0]")]),
    ):
        assert found(judged(plain, {**OBSERVATION, "performer": [{"reference": f"{name}/1"}]}, led)) == errors


def test_the_target_of_a_reference_fits_its_one_profile(plain: Validator) -> None:
    target = stu3("target", "Device", {"path": "Device.model", "min": 1})
    types = [{"code": "Reference", "targetProfile": BASE + "target"}]
    led = stu3("led", "Observation", {"path": "Observation.device", "type": types})

    def leading(device: dict[str, Any]) -> dict[str, Any]:
        contained = {"resourceType": "Device", "id": "d", **device}
        return {**OBSERVATION, "contained": [contained], "device": {"reference": "#d"}}

    assert found(judged(plain, leading({"model": "M"}), led, target)) == []
    assert found(judged(plain, leading({}), led, target)) == [("reference-profile", "Observation.device")]


@pytest.mark.parametrize(
    ("kind", "context", "host", "allowed"),
    [
        ("resource", "Patient", "Patient", True),
        ("resource", "Patient.name", "Patient", False),
        ("resource", "Patient.name", "Patient.name", True),
        ("datatype", "HumanName", "Patient.name", True),
        ("datatype", "HumanName", "Patient", False),
        ("resource", "*", "Patient", True),
        ("extension", BASE + "outer", "Patient", False),
    ],
)
def test_an_extension_stands_where_its_context_type_says(
    plain: Validator, kind: str, context: str, host: str, allowed: bool
) -> None:
    shift = stu3("shift", "Extension", EXTENSION, contextType=kind, context=[context])
    extension = {"extension": [{"url": BASE + "shift", "valueString": "x"}]}
    name = {"family": "Ashdown"}
    resource = (
        {**PATIENT, "name": [name], **extension} if host == "Patient" else {**PATIENT, "name": [name | extension]}
    )
    errors = [rule for rule, _ in found(plain.with_resources([shift]).validate(resource))]
    assert errors == ([] if allowed else ["extension-context"])


def test_an_extension_that_belongs_in_another_stands_on_its_value(plain: Validator) -> None:
    outer = stu3("outer", "Extension", contextType="resource", context=["Patient"])
    shift = stu3("shift", "Extension", EXTENSION, contextType="extension", context=[BASE + "outer"])
    inner = {"url": BASE + "shift", "valueString": "x"}
    value = {"family": "Ashdown", "extension": [inner]}
    resource = {**PATIENT, "extension": [{"url": BASE + "outer", "valueHumanName": value}]}
    validator = plain.with_resources([outer, shift])
    assert found(validator.validate(resource)) == []
    assert found(validator.validate({**PATIENT, "name": [value]})) == [("extension-context", "Patient.name[0]")]


def test_a_slice_of_extension_is_told_by_the_one_profile_of_its_type(plain: Validator) -> None:
    shift = stu3(
        "shift",
        "Extension",
        EXTENSION,
        # STU3 names a choice of one type by the type: the path is that of valueCode, not of value[x].
        {"path": "Extension.valueCode", "type": [{"code": "code"}], "min": 1},
        contextType="resource",
        context=["Patient"],
    )
    sliced = stu3(
        "sliced",
        "Patient",
        {
            "path": "Patient.extension",
            "slicing": {"discriminator": [{"type": "value", "path": "url"}], "rules": "open"},
        },
        {
            "path": "Patient.extension",
            "sliceName": "shift",
            "min": 1,
            "type": [{"code": "Extension", "profile": BASE + "shift"}],
        },
    )

    def extended(**value: Any) -> list[str]:
        resource = {**PATIENT, "extension": [{"url": BASE + "shift", **value}]}
        return [rule for rule, _ in found(judged(plain, resource, sliced, shift))]

    assert extended(valueCode="x") == []
    assert "choice" in extended(valueString="x")
    assert [rule for rule, _ in found(judged(plain, PATIENT, sliced, shift))] == ["slice-min"]


@pytest.mark.parametrize(
    ("kind", "slicing", "rows"),
    [
        ("value", "open", [{"path": "Patient.identifier.system", "min": 1, "fixedUri": "urn:x"}]),
        ("pattern", "openAtEnd", [{"path": "Patient.identifier.system", "min": 1, "patternUri": "urn:x"}]),
        ("value", "closed", [{"path": "Patient.identifier.system", "min": 1, "fixedUri": "urn:x"}]),
    ],
)
def test_slices_by_value_are_counted(plain: Validator, kind: str, slicing: str, rows: list[dict[str, Any]]) -> None:
    sliced = stu3(
        "sliced",
        "Patient",
        {
            "path": "Patient.identifier",
            "slicing": {"discriminator": [{"type": kind, "path": "system"}], "rules": slicing, "ordered": False},
        },
        {"path": "Patient.identifier", "sliceName": "one", "min": 1, "max": "1"},
        *rows,
    )
    mine, other = {"system": "urn:x", "value": "1"}, {"system": "urn:y", "value": "1"}

    def errors(*identifiers: dict[str, Any]) -> list[str]:
        return [rule for rule, _ in found(judged(plain, {**PATIENT, "identifier": list(identifiers)}, sliced))]

    assert errors(mine) == []
    assert "slice-min" in errors(other)
    assert errors(mine, mine) == ["slice-max"]
    assert errors(mine, other) == (["slice-closed"] if slicing == "closed" else [])


def test_what_refers_to_the_content_of_another_is_judged_as_that(plain: Validator) -> None:
    item = {"linkId": "1", "type": "group", "item": [{"linkId": "2", "type": "string"}]}
    asked: dict[str, Any] = {"resourceType": "Questionnaire", "status": "draft", "item": [item]}
    assert found(plain.validate(asked)) == []
    asked["item"][0]["item"][0].pop("linkId")
    assert found(plain.validate(asked)) == [("cardinality-min", "Questionnaire.item[0].item[0]")]


@pytest.mark.parametrize(
    ("value", "sound"),
    [
        ({"valueUri": "urn:x"}, True),
        ({"valueUnsignedInt": 1}, True),
        # Types that R4 brought: STU3 has no such choice.
        ({"valueCanonical": "urn:x"}, False),
        ({"valueUrl": "urn:x"}, False),
        ({"valueUuid": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"}, False),
    ],
)
def test_an_extension_has_a_value_of_a_type_of_stu3(plain: Validator, value: dict[str, Any], sound: bool) -> None:
    shift = stu3("shift", "Extension", EXTENSION, contextType="resource", context=["Patient"])
    resource = {**PATIENT, "extension": [{"url": BASE + "shift", **value}]}
    assert (found(plain.with_resources([shift]).validate(resource)) == []) is sound


@pytest.mark.parametrize(
    ("content_type", "verdict"),
    [("application/pdf", "valid"), ("application/vnd.zz.a+xml", "valid"), ("no type", "invalid")],
)
def test_a_media_type_is_judged_by_its_form(plain: Validator, content_type: str, verdict: str) -> None:
    resource = {"resourceType": "Binary", "contentType": content_type, "content": "AAAA"}
    assert plain.validate(resource).verdict == verdict


def test_bundle_rules(plain: Validator) -> None:
    entry: dict[str, Any] = {
        "fullUrl": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
        "resource": PATIENT | {"active": True},
    }
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "collection", "entry": [entry]}
    assert found(plain.validate(bundle)) == []
    assert "bdl-7" in [rule for rule, _ in found(plain.validate({**bundle, "entry": [entry, entry]}))]
    assert "bdl-1" in [rule for rule, _ in found(plain.validate({**bundle, "total": 1}))]
    # A document of STU3 begins with a Composition (bdl-11 of R4 is no invariant of STU3; the page says it).
    assert found(plain.validate({**bundle, "type": "document", "identifier": {"system": "urn:x", "value": "1"}}))


@pytest.mark.parametrize(
    ("status", "rule"),
    [
        ({"clinicalStatus": "active"}, None),
        ({}, "con-3"),
        ({"clinicalStatus": "active", "abatementString": "x"}, "con-4"),
    ],
)
def test_invariants_are_those_of_stu3(plain: Validator, status: dict[str, Any], rule: str | None) -> None:
    condition: dict[str, Any] = {
        "resourceType": "Condition",
        "verificationStatus": "confirmed",
        "subject": {"reference": "Patient/1"},
        **status,
    }
    assert [name for name, _ in found(plain.validate(condition))] == ([rule] if rule else [])


def test_a_code_that_r4_made_a_concept_is_a_code(plain: Validator) -> None:
    concept = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}
    condition = {"resourceType": "Condition", "clinicalStatus": concept, "subject": {"reference": "Patient/1"}}
    assert "json-object" in [rule for rule, _ in found(plain.validate(condition))]
