"""Conformance resources: a StructureDefinition agrees with itself, its base, and what it names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from judging import BASE, CORE, found, profile

from mpftconnect.validation import Validator

EXTENSION = profile("Shift", "Extension", {"id": "Extension.url", "path": "Extension.url", "fixedUri": BASE + "Shift"})

BY_USE = {"rules": "open", "discriminator": [{"type": "value", "path": "use"}]}
POINTING = {"code": "HumanName", "targetProfile": [CORE + "Patient"]}


def extension(**changes: Any) -> dict[str, Any]:
    context = [{"type": "element", "expression": "Patient"}]
    return {**EXTENSION, "context": context, **changes}


def definition_errors(validator: Validator, resource: dict[str, Any]) -> list[str]:
    return [place for rule, place in found(validator.validate(resource)) if rule == "definition"]


@pytest.mark.parametrize(
    ("resource", "place"),
    [
        (profile("P", "Patient", base=CORE + "Observation"), "StructureDefinition.type"),
        ({**profile("P", "Patient"), "kind": "complex-type"}, "StructureDefinition.kind"),
        ({**profile("P", "Patient"), "derivation": "specialization"}, "StructureDefinition.type"),
        (
            profile("P", "Patient", {"path": "Patient.birthDate", "type": [{"code": "date"}], "fixedString": "x"}),
            "StructureDefinition.differential.element[0].fixedString",
        ),
        (
            profile("P", "Patient", {"path": "Patient.active", "type": [{"code": "boolean"}], "maxLength": 3}),
            "StructureDefinition.differential.element[0].maxLength",
        ),
        (
            profile("P", "Patient", {"path": "Patient.active", "type": [{"code": "boolean"}], "minValueInteger": 3}),
            "StructureDefinition.differential.element[0].minValueInteger",
        ),
        (
            profile(
                "P", "Patient",
                {"path": "Patient.birthDate", "slicing": BY_USE},
            ),
            "StructureDefinition.differential.element[0].slicing",
        ),
        (
            profile("P", "Patient", {"path": "Patient.name", "type": [POINTING]}),
            "StructureDefinition.differential.element[0].type[0]",
        ),
        (extension(context=[{"type": "element", "expression": "Patient.shoeSize"}]), "StructureDefinition.context[0]"),
        (extension(context=[{"type": "element", "expression": "Patients"}]), "StructureDefinition.context[0]"),
        (extension(differential={"element": [{"path": "Extension", "max": "1"}]}), "StructureDefinition"),
        (
            profile("P", "Patient", {"path": "Patient.name", "constraint": [
                {"key": "zz-1", "severity": "error", "human": "x", "expression": "use ="}]}),
            "StructureDefinition.differential.element[0].constraint[0]",
        ),
        (
            extension(differential={"element": [{"path": "Extension.url", "fixedUri": BASE + "Other"}]}),
            "StructureDefinition.differential.element[0]",
        ),
        (
            profile("P", "Patient", {"path": "Patient.name", "type": [
                {"code": "HumanName", "profile": [CORE + "Address"]}]}),
            "StructureDefinition.differential.element[0].type[0].profile[0]",
        ),
    ],
)  # fmt: skip
def test_a_definition_that_contradicts_itself_or_its_base_is_found(
    core: Validator, resource: dict[str, Any], place: str
) -> None:
    assert definition_errors(core, resource) == [place]


@pytest.mark.parametrize(
    "resource",
    [
        profile("P", "Patient", {"path": "Patient.birthDate", "type": [{"code": "date"}], "fixedDate": "2000"}),
        profile("P", "Patient", {"path": "Patient.gender", "type": [{"code": "code"}], "maxLength": 3}),
        profile("P", "Observation", {
            "path": "Observation.value[x]", "type": [{"code": "Quantity"}, {"code": "integer"}],
            "slicing": {"rules": "open", "discriminator": [{"type": "type", "path": "$this"}]},
        }),
        profile("P", "Patient", {
            "path": "Patient.name", "slicing": BY_USE,
        }),
        extension(context=[{"type": "element", "expression": "Patient.contact.name"}]),
        extension(context=[{"type": "element", "expression": "Patient.deceased[x]"}]),
        extension(context=[{"type": "element", "expression": "CanonicalResource.url"}]),
        extension(context=[{"type": "fhirpath", "expression": "Patient.nothing"}]),
        extension(),
    ],
)  # fmt: skip
def test_a_sound_definition_has_no_finding(core: Validator, resource: dict[str, Any]) -> None:
    assert definition_errors(core, resource) == []


def test_a_key_means_one_constraint_of_a_structure(core: Validator) -> None:
    def rows(second: str) -> dict[str, Any]:
        return profile("P", "Patient", *(
            {"path": path, "constraint": [{"key": "zz-1", "severity": "error", "human": "x", "expression": expression}]}
            for path, expression in (("Patient.name", "true"), ("Patient.contact", second))
        ))  # fmt: skip

    assert definition_errors(core, rows("true")) == []
    assert definition_errors(core, rows("false")) == ["StructureDefinition.differential.element[1].constraint[0]"]


def test_an_extension_that_is_derived_from_another_keeps_its_url(make: Callable[..., Validator]) -> None:
    derived = profile("Night", "Extension", base=BASE + "Shift")
    assert definition_errors(make(extension()), derived) == ["StructureDefinition"]


def test_a_modifier_extension_is_named_for_modifier_extension_only(make: Callable[..., Validator]) -> None:
    stops = profile(
        "Stops", "Extension", {"path": "Extension", "isModifier": True},
        {"id": "Extension.url", "path": "Extension.url", "fixedUri": BASE + "Stops"},
        context=[{"type": "element", "expression": "Patient"}],
    )  # fmt: skip
    validator = make(stops, extension())

    def wrong(element: str, name: str) -> bool:
        row = {
            "path": f"Patient.{element}",
            "sliceName": "a",
            "type": [{"code": "Extension", "profile": [BASE + name]}],
        }
        return bool(definition_errors(validator, profile("P", "Patient", row)))

    assert [wrong("extension", "Stops"), wrong("modifierExtension", "Shift")] == [True, True]
    assert [wrong("modifierExtension", "Stops"), wrong("extension", "Shift")] == [False, False]


FLAG = {"url": CORE + "obligation-profile", "valueBoolean": True}


def inherits(name: str) -> dict[str, Any]:
    return {"url": CORE + "inherit-obligations", "valueCanonical": BASE + name}


def obligations(name: str, *rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return profile(name, "Patient", *rows, extension=[FLAG], **more)


def test_obligations_are_inherited_from_an_obligation_profile_on_the_same_base(make: Callable[..., Validator]) -> None:
    plain = profile("Plain", "Patient")
    elsewhere = obligations("Elsewhere", base=BASE + "Plain")
    validator = make(obligations("Right"), plain, elsewhere)

    def wrong(name: str) -> list[str]:
        return definition_errors(validator, profile("P", "Patient", extension=[inherits(name)]))

    assert wrong("Right") == []
    assert wrong("Plain") == ["StructureDefinition.extension[0]"]
    assert wrong("Elsewhere") == ["StructureDefinition.extension[0]"]
    report = validator.validate(profile("P", "Patient", extension=[inherits("Absent")]))
    assert [n.reason for n in report.not_checked if n.rule == "definition"] == [
        f"profile {BASE}Absent is in no loaded package"
    ]


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ({"path": "Patient.name", "mustSupport": True, "min": 1}, None),
        ({"path": "Patient.name", "extension": [{"url": CORE + "obligation"}]}, None),
        ({"path": "Patient.name", "short": "x"}, ""),
        ({"path": "Patient.name", "extension": [{"url": CORE + "regex"}]}, ".extension[0]"),
        ({"id": "Patient.name:legal", "path": "Patient.name"}, ""),
        ({"path": "Patient.gender", "binding": {"strength": "required", "valueSet": BASE + "v"}}, ".binding"),
        (
            {"path": "Patient.gender", "binding": {"strength": "required", "extension": [{"url": CORE + "regex"}]}},
            ".binding.extension[0]",
        ),
        (
            {"path": "Patient.gender", "binding": {"strength": "required", "extension": [
                {"url": "http://hl7.org/fhir/tools/StructureDefinition/additional-binding",
                 "extension": [{"url": "purpose", "valueCode": "required"}]}]}},
            ".binding.extension[0]",
        ),
        (
            {"path": "Patient.gender", "binding": {"strength": "required", "extension": [
                {"url": "http://hl7.org/fhir/tools/StructureDefinition/additional-binding",
                 "extension": [{"url": "purpose", "valueCode": "candidate"}]}]}},
            None,
        ),
    ],
)  # fmt: skip
def test_an_obligation_profile_adds_only_obligations(core: Validator, row: dict[str, Any], place: str | None) -> None:
    errors = definition_errors(core, obligations("O", row))
    assert errors == ([] if place is None else ["StructureDefinition.differential.element[0]" + place])


def test_an_obligation_profile_is_a_constraint_and_what_is_inherited_is_named(core: Validator) -> None:
    logical = {**obligations("O"), "derivation": "specialization", "type": "Odd"}
    assert "StructureDefinition" in definition_errors(core, logical)
    nameless = profile("P", "Patient", extension=[{"url": CORE + "inherit-obligations", "valueString": "x"}])
    assert definition_errors(core, nameless) == ["StructureDefinition.extension[0]"]


def test_an_extension_may_be_for_some_versions_of_fhir_only(make: Callable[..., Validator]) -> None:
    def report(start: str, end: str, *, on_context: bool) -> list[tuple[str, str]]:
        use = {
            "url": CORE + "version-specific-use",
            "extension": [{"url": "startFhirVersion", "valueCode": start}, {"url": "endFhirVersion", "valueCode": end}],
        }
        context = [{"type": "element", "expression": "Patient", **({"extension": [use]} if on_context else {})}]
        context.append({"type": "element", "expression": "CodeSystem"})
        given = extension(context=context, **({} if on_context else {"extension": [use]}))
        patient = {"resourceType": "Patient", "extension": [{"url": BASE + "Shift", "valueString": "late"}]}
        return found(make(given).validate(patient))

    for on_context in (True, False):
        assert report("4.0.0", "4.0.1", on_context=on_context) == []
        assert report("5.0.0", "5.0.0", on_context=on_context) == [("extension-context", "Patient")]
        assert report("1.0.2", "3.0.2", on_context=on_context) == [("extension-context", "Patient")]


def test_compliance_that_is_claimed_is_with_a_profile_that_is_loaded(make: Callable[..., Validator]) -> None:
    def claiming(name: str) -> dict[str, Any]:
        url = CORE + "structuredefinition-compliesWithProfile"
        return profile("P", "Patient", extension=[{"url": url, "valueCanonical": BASE + name}])

    validator = make(profile("Known", "Patient"))
    assert definition_errors(validator, claiming("Absent")) == ["StructureDefinition.extension[0]"]
    report = validator.validate(claiming("Known"))
    assert [n.decisive for n in report.not_checked if n.rule == "definition"] == [True]
