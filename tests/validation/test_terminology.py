"""Value sets, code systems, units, languages and media types: in, out, or not to be said."""

from __future__ import annotations

from typing import Any

import pytest
from judging import PATIENT, found, rules

from mpftconnect.validation import Options, Validator
from mpftconnect.validation.terminology.ucum import comparable, read_unit

CS = "https://zz.example.test/cs"
VS = "https://zz.example.test/vs"
SYSTEM = {
    "resourceType": "CodeSystem", "url": CS, "status": "active", "content": "complete", "caseSensitive": True,
    "property": [{"code": "kind", "type": "string"}],
    "concept": [
        {
            "code": "a",
            "display": "Alpha",
            "concept": [{"code": "a1"}, {"code": "a2", "property": [{"code": "kind", "valueString": "x"}]}],
        },
        {"code": "b", "display": "Beta"},
    ],
}  # fmt: skip


def member(core: Validator, compose: dict[str, Any], system: str | None, code: str, **more: Any) -> bool | None:
    value_set = {"resourceType": "ValueSet", "url": VS, "status": "active", "compose": compose, **more}
    return core.with_resources([SYSTEM, value_set])._checks.coded.value_sets.member(VS, system, code).member


@pytest.mark.parametrize(
    ("include", "inside", "outside"),
    [
        ({"system": CS}, ["a", "a1", "b"], ["c"]),
        ({"system": CS, "concept": [{"code": "b"}]}, ["b"], ["a"]),
        ({"system": CS, "filter": [{"property": "concept", "op": "is-a", "value": "a"}]}, ["a", "a1"], ["b", "zz"]),
        (
            {"system": CS, "filter": [{"property": "concept", "op": "descendent-of", "value": "a"}]},
            ["a1", "a2"],
            ["a", "b"],
        ),
        ({"system": CS, "filter": [{"property": "concept", "op": "is-not-a", "value": "a"}]}, ["b"], ["a", "a1"]),
        ({"system": CS, "filter": [{"property": "kind", "op": "=", "value": "x"}]}, ["a2"], ["a1"]),
        ({"system": CS, "filter": [{"property": "kind", "op": "exists", "value": "false"}]}, ["a1"], ["a2"]),
        ({"system": CS, "filter": [{"property": "code", "op": "regex", "value": "a[0-9]"}]}, ["a1"], ["a"]),
        ({"system": CS, "filter": [{"property": "parent", "op": "=", "value": "a"}]}, ["a1"], ["b"]),
        ({"system": CS, "filter": [{"property": "concept", "op": "in", "value": "a,b"}]}, ["a"], ["a1"]),
    ],
)
def test_includes_and_filters(core: Validator, include: Any, inside: list[str], outside: list[str]) -> None:
    for code in inside:
        assert member(core, {"include": [include]}, CS, code) is True, code
        assert member(core, {"include": [include]}, None, code) is True, code
    for code in outside:
        assert member(core, {"include": [include]}, CS, code) is False, code
    assert member(core, {"include": [include]}, "urn:other", inside[0]) is False


def test_excludes_and_sets_of_sets(core: Validator) -> None:
    excluded = {"include": [{"system": CS}], "exclude": [{"system": CS, "concept": [{"code": "b"}]}]}
    assert [member(core, excluded, CS, code) for code in ("a", "b")] == [True, False]
    other = {"include": [{"valueSet": ["http://hl7.org/fhir/ValueSet/administrative-gender"]}]}
    assert member(core, other, "http://hl7.org/fhir/administrative-gender", "male") is True
    both = {"include": [{"system": CS, "valueSet": ["https://zz.example.test/none"]}]}
    assert member(core, both, CS, "a") is None


def test_what_is_not_loaded_cannot_be_said(core: Validator) -> None:
    snomed = {"include": [{"system": "http://snomed.info/sct"}]}
    assert member(core, snomed, "http://snomed.info/sct", "1") is None
    assert member(core, snomed, CS, "a") is False, "another system is surely outside"
    itself = {"include": [{"valueSet": [VS]}]}
    assert member(core, itself, CS, "a") is None
    unsafe = {"include": [{"system": CS, "filter": [{"property": "code", "op": "regex", "value": "(a+)+$"}]}]}
    assert member(core, unsafe, CS, "a") is None


def test_an_expansion_decides_where_the_compose_cannot(core: Validator) -> None:
    snomed = {"include": [{"system": "http://snomed.info/sct"}]}
    contains = [{"system": "http://snomed.info/sct", "code": "1"}]
    assert member(core, snomed, "http://snomed.info/sct", "1", expansion={"contains": contains}) is True
    assert member(core, snomed, "http://snomed.info/sct", "2", expansion={"contains": contains, "total": 1}) is False
    assert member(core, snomed, "http://snomed.info/sct", "2", expansion={"contains": contains, "total": 9}) is None


def test_codes_and_displays_of_a_system_that_is_loaded(core: Validator) -> None:
    validator = core.with_resources([SYSTEM])

    def judged(**coding: Any) -> list[str]:
        return rules(validator.validate({**PATIENT, "maritalStatus": {"coding": [{"system": CS, **coding}]}}))

    assert judged(code="a", display="alpha") == []
    assert judged(code="c") == ["code-unknown"]
    assert judged(code="a", display="Beta") == ["display"]
    lenient = Options(check_display="warning")
    resource = {**PATIENT, "maritalStatus": {"coding": [{"system": CS, "code": "a", "display": "Beta"}]}}
    assert validator.validate(resource, options=lenient).verdict == "valid"


@pytest.mark.parametrize(
    ("code", "is_unit"),
    [
        ("mg", True), ("mmol/L", True), ("10*9/L", True), ("mm[Hg]", True), ("kg/m2", True), ("{score}", True),
        ("%", True),
        ("mL/min/{1.73_m2}", True), ("ug/kg/min", True), ("1", True), ("/min", True), ("Cel", True), ("g/(8.h)", True),
        ("mmHg", False), ("Kg", False), ("mg//L", False), ("", False), ("mg L", False), ("years", False),
        ("m" * 500, False),
    ],
)  # fmt: skip
def test_units(code: str, is_unit: bool) -> None:
    assert (read_unit(code) is not None) is is_unit


def test_units_compare_by_what_they_measure() -> None:
    units = {code: read_unit(code) for code in ("km", "m", "[mi_i]", "kg", "Cel", "K", "L", "dm3")}
    assert all(units.values())
    assert comparable(units["km"], units["[mi_i]"]) is True  # type: ignore[arg-type]
    assert comparable(units["km"], units["kg"]) is False  # type: ignore[arg-type]
    assert comparable(units["Cel"], units["K"]) is False, "Celsius is no multiple of kelvin"  # type: ignore[arg-type]
    assert units["L"] == units["dm3"]


def test_grammars_where_there_is_no_list(core: Validator) -> None:
    def language(tag: str) -> list[tuple[str, str]]:
        return found(core.validate({**PATIENT, "photo": [{"contentType": tag, "url": "https://zz.example.test/a"}]}))

    assert language("image/png") == []
    assert language("application/pdf; charset=utf-8") == []
    assert language("png") == [("binding-required", "Patient.photo[0].contentType")]
    quantity = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    ucum = {"value": 1, "system": "http://unitsofmeasure.org", "code": "mmHg"}
    assert "ucum" in rules(core.validate({**quantity, "valueQuantity": ucum}))
