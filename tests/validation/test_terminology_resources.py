"""CodeSystem and ValueSet as resources: what the specification says of them in prose."""

from __future__ import annotations

from typing import Any

import pytest
from judging import found

from mpftconnect.validation import Validator

BASE = "https://zz.example.test/CodeSystem/base"
PROPERTY = "http://hl7.org/fhir/concept-properties#"


def code_system(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "CodeSystem", "url": "https://zz.example.test/CodeSystem/x", "name": "X", "status": "active",
        "content": "complete", "concept": [{"code": "a"}], **more,
    }  # fmt: skip


def value_set(*includes: Any, where: str = "include") -> dict[str, Any]:
    compose = {"include": [{"system": BASE}], where: list(includes)}
    return {
        "resourceType": "ValueSet", "url": "https://zz.example.test/ValueSet/x", "name": "X", "status": "active",
        "compose": compose,
    }  # fmt: skip


@pytest.fixture(scope="module")
def validator(core: Validator) -> Validator:
    return core.with_resources([code_system(url=BASE, concept=[{"code": "a", "concept": [{"code": "b"}]}])])


def definitions(validator: Validator, resource: dict[str, Any]) -> list[str]:
    return [place for rule, place in found(validator.validate(resource)) if rule == "definition"]


@pytest.mark.parametrize(
    ("resource", "places"),
    [
        (code_system(), []),
        (code_system(content="not-present"), ["CodeSystem.concept[0]"]),
        ({k: v for k, v in code_system(content="not-present").items() if k != "concept"}, []),
        (code_system(content="fragment"), []),
        (code_system(supplements=BASE), ["CodeSystem.content"]),
        (code_system(content="supplement"), ["CodeSystem"]),
        (code_system(content="supplement", supplements=BASE), []),
        (code_system(content="supplement", supplements=BASE + "|1.0", concept=[{"code": "b"}]), []),
        (code_system(content="supplement", supplements=BASE, concept=[{"code": "a"}, {"code": "z"}]),
         ["CodeSystem.concept[1]"]),
        (code_system(content="supplement", supplements=BASE + "|1.0", concept=[{"code": "z"}]),
         ["CodeSystem.concept[0]"]),
        # What is supplemented is not loaded, so nothing can be said of its codes.
        (code_system(content="supplement", supplements="https://zz.example.test/none", concept=[{"code": "z"}]), []),
        (code_system(supplements=BASE, concept=[{"code": "z"}]), ["CodeSystem.content", "CodeSystem.concept[0]"]),
    ],
)  # fmt: skip
def test_content_and_supplements_agree(validator: Validator, resource: dict[str, Any], places: list[str]) -> None:
    assert definitions(validator, resource) == places


@pytest.mark.parametrize(
    ("properties", "places"),
    [
        ([{"code": "a", "type": "string"}, {"code": "b", "type": "string"}], []),
        ([{"code": "a", "type": "string"}, {"code": "a", "type": "code"}], ["CodeSystem.property[1]"]),
        ([{"code": "a", "type": "string", "uri": "https://zz.example.test/p"},
          {"code": "b", "type": "string", "uri": "https://zz.example.test/p"}], ["CodeSystem.property[1]"]),
        ([{"code": "inactive", "type": "boolean", "uri": PROPERTY + "inactive"}], []),
        ([{"code": "inactive", "type": "code", "uri": PROPERTY + "inactive"}], ["CodeSystem.property[0]"]),
        ([{"code": "dead", "type": "boolean", "uri": PROPERTY + "deprecationDate"}], ["CodeSystem.property[0]"]),
        ([{"code": "own", "type": "boolean", "uri": PROPERTY + "own"}], []),
        ([{"code": "inactive", "type": "code", "uri": "https://zz.example.test/inactive"}], []),
    ],
)  # fmt: skip
def test_properties_are_declared_once_and_as_fhir_types_them(
    validator: Validator, properties: list[dict[str, str]], places: list[str]
) -> None:
    assert definitions(validator, code_system(property=properties)) == places


@pytest.mark.parametrize("where", ["include", "exclude"])
def test_a_value_set_names_systems_by_address(validator: Validator, where: str) -> None:
    named = value_set({"system": "base"}, {"system": BASE}, where=where)
    assert definitions(validator, named) == [f"ValueSet.compose.{where}[0]"]


def test_a_listed_code_that_its_system_has_not_is_a_warning(validator: Validator) -> None:
    """The set may be meant for another version of the system, so it is no error."""
    report = validator.validate(
        value_set({"system": BASE, "concept": [{"code": "b"}, {"code": "z"}]}, {"system": "https://zz.example.test/none",
                  "concept": [{"code": "z"}]}),
    )  # fmt: skip
    said = [(f.severity, f.expression) for f in report.findings if f.rule == "code-unknown"]
    assert said == [("warning", "ValueSet.compose.include[0].concept[1]")]


@pytest.mark.parametrize("odd", [None, 5, "x", {}, [], [5], [None], [{}], {"x": "y"}])
@pytest.mark.parametrize("where", ["concept", "property", "supplements", "content", "compose", "include", "system"])
def test_something_else_in_their_place_is_found_by_the_other_rules(core: Validator, where: str, odd: Any) -> None:
    resource = code_system(**{where: odd}) if where in ("concept", "property", "supplements", "content") else None
    if where == "compose":
        resource = {**value_set(), "compose": odd}
    elif resource is None:
        resource = {**value_set(), "compose": {"include": odd if where == "include" else [{"system": odd}]}}
    core.validate(resource).to_operation_outcome()
