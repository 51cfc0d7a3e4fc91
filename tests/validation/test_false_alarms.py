"""What was called broken in published UK data, and is not: each beside what is, and must still be called so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from judging import BASE, CORE, PATIENT, found, profile, rules

from mpftconnect.validation import Validator

Make = Callable[..., Validator]
BY_NAME = {"slicing": {"discriminator": [{"type": "value", "path": "name"}], "rules": "open"}}


def test_a_contained_resource_is_of_the_type_of_its_slice(make: Make) -> None:
    flag = profile(
        "flag",
        "Flag",
        {
            "path": "Flag.contained",
            "slicing": {"discriminator": [{"type": "type", "path": "$this"}], "rules": "open"},
        },
        {
            "path": "Flag.contained",
            "sliceName": "provenance",
            "max": "1",
            "type": [{"code": "Provenance", "profile": [BASE + "provenance"]}],
        },
    )
    provenance = profile("provenance", "Provenance", {"path": "Provenance.activity", "min": 1})
    validator = make(flag, provenance)
    inner: dict[str, Any] = {
        "resourceType": "Provenance",
        "id": "p",
        "target": [{"reference": "#"}],
        "recorded": "2024-01-01T11:00:00Z",
        "activity": {"text": "made"},
        "agent": [{"who": {"display": "a ward"}}],
    }
    outer: dict[str, Any] = {
        "resourceType": "Flag",
        "status": "active",
        "code": {"text": "x"},
        "subject": {"reference": "Patient/1"},
    }
    url = [BASE + "flag"]
    assert validator.validate({**outer, "contained": [inner]}, url).verdict == "valid"
    without = {name: value for name, value in inner.items() if name != "activity"}
    assert found(validator.validate({**outer, "contained": [without]}, url)) == [
        ("cardinality-min", "Flag.contained[0]")
    ]
    assert rules(validator.validate({**outer, "contained": [inner, {**inner, "id": "q"}]}, url)) == ["slice-max"]
    # A resource of another type belongs to no slice, and the slicing is open.
    patient = {"resourceType": "Patient", "id": "p", "link": [{"other": {"reference": "#"}, "type": "seealso"}]}
    assert "type" not in rules(validator.validate({**outer, "contained": [patient]}, url))


def test_invariants_of_a_sliced_content_reference_know_its_type(make: Make) -> None:
    event = profile(
        "event",
        "Parameters",
        {"path": "Parameters.parameter", **BY_NAME},
        {"path": "Parameters.parameter", "sliceName": "event"},
        {"path": "Parameters.parameter.name", "fixedString": "event"},
        {"path": "Parameters.parameter.part", **BY_NAME},
        {"path": "Parameters.parameter.part", "sliceName": "number", "max": "1"},
        {"path": "Parameters.parameter.part.name", "fixedString": "number"},
        {"path": "Parameters.parameter.part.value[x]", "min": 1, "type": [{"code": "string"}]},
    )
    validator = make(event)

    def judged(part: dict[str, Any]) -> list[tuple[str, str]]:
        resource = {"resourceType": "Parameters", "parameter": [{"name": "event", "part": [part]}]}
        return found(validator.validate(resource, [BASE + "event"]))

    assert judged({"name": "number", "valueString": "1"}) == []
    assert judged({"name": "number"})  # no value
    both = {"name": "number", "valueString": "1", "part": [{"name": "other", "valueString": "1"}]}
    assert ("inv-1", "Parameters.parameter[0].part[0]") in judged(both)


def extended(url: str, key: str = "extension") -> dict[str, Any]:
    return {**PATIENT, key: [{"url": url, "valueString": "x"}]}


def shift() -> dict[str, Any]:
    return profile("shift", "Extension", context=[{"type": "element", "expression": "Patient"}])


def test_an_extension_of_a_publisher_of_whom_nothing_is_loaded_is_not_checked(core: Validator, make: Make) -> None:
    report = core.validate(extended(BASE + "absent"))
    assert (report.verdict, found(report)) == ("undecided", [])
    skipped = next(item for item in report.not_checked if item.rule == "extension-unknown")
    assert (skipped.expression, skipped.decisive) == ("Patient.extension[0]", True)
    assert "load the package that defines the extension" in skipped.reason
    # Of a publisher whose definitions are loaded it is known not to be one of them.
    assert rules(make(shift()).validate(extended(BASE + "absent"))) == ["extension-unknown"]
    assert rules(core.validate(extended(CORE + "absent"))) == ["extension-unknown"]


def test_an_unknown_modifier_extension_is_an_error_whoever_publishes_it(core: Validator) -> None:
    assert rules(core.validate(extended(BASE + "absent", "modifierExtension"))) == ["extension-unknown"]


@pytest.mark.parametrize(
    ("absent", "url", "verdict"),
    [
        ("zz.absent", BASE + "absent", "undecided"),
        ("zz.absent", CORE + "absent", "invalid"),
        ("zz.absent", "http://hl7.org/fhir/uv/zz/StructureDefinition/absent", "invalid"),
        ("hl7.fhir.uv.zz", "http://hl7.org/fhir/uv/zz/StructureDefinition/absent", "undecided"),
        ("hl7.fhir.uv.zz", BASE + "absent", "invalid"),
        # It holds code systems and value sets, and publishes at an address of its own.
        ("hl7.terminology.r4", "http://hl7.org/fhir/uv/zz/StructureDefinition/absent", "invalid"),
    ],
)
def test_a_dependency_that_is_missing_may_define_an_extension(
    tmp_path: Path, absent: str, url: str, verdict: str
) -> None:
    folder = tmp_path / "zz.needing" / "package"
    folder.mkdir(parents=True)
    manifest = {"name": "zz.needing", "version": "1.0.0", "dependencies": {absent: "2.0.0"}}
    (folder / "package.json").write_text(json.dumps(manifest), encoding="utf-8")
    (folder / "shift.json").write_text(json.dumps(shift()), encoding="utf-8")
    validator = Validator([folder.parent])
    report = validator.validate(extended(url))
    assert report.verdict == verdict
    reasons = [item.reason for item in report.not_checked if item.rule == "extension-unknown"]
    assert any(f"mpftconnect packages install {absent}" in reason for reason in reasons) is (verdict == "undecided")
