"""Elements of other FHIR versions as extensions (R4 "Extensions for converting between versions")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from judging import BASE, CORE, found

from mpftconnect.validation import Validator

ADDRESS = "http://hl7.org/fhir/{}/StructureDefinition/extension-{}"


def patient(version: str, path: str, *, key: str = "extension", **value: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", key: [{"url": ADDRESS.format(version, path), **value}]}


SPECIES = {"url": "species", "valueCodeableConcept": {"text": "cat"}}


@pytest.mark.parametrize(
    ("resource", "error"),
    [
        (patient("3.0", "Patient.animal", key="modifierExtension", extension=[SPECIES]), None),
        (patient("1.0", "Patient.animal", key="modifierExtension", extension=[SPECIES]), None),
        (patient("1.0", "Patient.animal", extension=[SPECIES]), ("extension-modifier", "Patient.extension[0]")),
        (
            patient("3.0", "Patient.birthDate", key="modifierExtension", valueDate="2000-01-01"),
            ("extension-modifier", "Patient.modifierExtension[0]"),
        ),
        (
            patient("3.0", "Patient.animal", key="modifierExtension", extension=[{"url": "fur", "valueString": "x"}]),
            ("extension-unknown", "Patient.modifierExtension[0].extension[0]"),
        ),
        (
            patient("3.0", "Patient.animal", key="modifierExtension",
                    extension=[{"url": "species", "valueString": "cat"}]),
            ("type", "Patient.modifierExtension[0].extension[0].valueString"),
        ),
        (
            patient("3.0", "Patient.animal", key="modifierExtension", valueString="cat"),
            ("type", "Patient.modifierExtension[0]"),
        ),
        (patient("3.0", "Patient.birthDate", valueDate="2000-01-01"), None),
        (
            patient("3.0", "Patient.birthDate", valueString="2000-01-01"),
            ("type", "Patient.extension[0].valueString"),
        ),
        (
            patient("3.0", "Patient.animal", key="modifierExtension", extension=[
                {"url": "species", "extension": [{"url": CORE + "absent", "valueString": "x"}]}]),
            ("extension-unknown", "Patient.modifierExtension[0].extension[0].extension[0]"),
        ),
        (patient("3.0", "Patient.birthDate", id="a"), ("type", "Patient.extension[0]")),
        (patient("3.0", "Observation.value", valueQuantity={"value": 1}), None),
        (patient("3.0", "Observation.value[x]", valueQuantity={"value": 1}), None),
        (patient("3.0", "Patient.furColour", valueString="x"), ("extension-unknown", "Patient.extension[0]")),
        (patient("3.0", "Patient", valueString="x"), ("extension-unknown", "Patient.extension[0]")),
    ],
)  # fmt: skip
def test_an_element_of_another_version_is_judged_by_that_version(
    core: Validator, resource: dict[str, Any], error: tuple[str, str] | None
) -> None:
    errors = found(core.validate(resource))
    assert error in errors if error else errors == []
    assert core.validate(resource).verdict == ("invalid" if error else "valid")


def test_a_version_that_is_not_known_here_is_not_checked(core: Validator) -> None:
    report = core.validate(patient("5.0", "Patient.birthDate", valueDate="2000-01-01"))
    assert (report.verdict, [n.rule for n in report.not_checked if n.decisive]) == ("undecided", ["extension-unknown"])


def test_a_value_whose_type_no_package_defines_is_not_checked(make: Callable[..., Validator]) -> None:
    logical = {
        "resourceType": "StructureDefinition", "url": BASE + "Odd", "name": "Odd", "status": "draft", "kind": "logical",
        "abstract": False, "type": BASE + "Odd", "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Element",
        "derivation": "specialization",
        "snapshot": {"element": [
            {"id": "Odd", "path": "Odd", "min": 0, "max": "*"},
            {"id": "Odd.part", "path": "Odd.part", "min": 0, "max": "1", "type": [{"code": "Nowhere"}]},
        ]},
    }  # fmt: skip
    report = make(logical).validate({"resourceType": "Odd", "part": {"x": 1}}, [BASE + "Odd"])
    assert report.verdict == "undecided"
    assert "type Nowhere is in no loaded package" in [n.reason for n in report.not_checked]
