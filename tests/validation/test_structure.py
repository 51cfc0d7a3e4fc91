"""Structure of R4 core: elements, cardinality, types, primitives, choices, JSON's own form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import PATIENT, found, rules

from mpftconnect.validation import Validator


def with_(**changes: Any) -> dict[str, Any]:
    return {**PATIENT, **changes}


def test_a_good_patient_is_valid_and_says_what_was_applied(core: Validator) -> None:
    report = core.validate(PATIENT)
    assert report.verdict == "valid"
    assert rules(report) == []
    assert [f.rule for f in report.findings] == ["dom-6"]


@pytest.mark.parametrize(
    ("changes", "rule", "place"),
    [
        ({"colour": "red"}, "element-unknown", "Patient"),
        ({"gender": "femal"}, "binding-required", "Patient.gender"),
        ({"birthDate": "1950-02-30"}, "primitive-form", "Patient.birthDate"),
        ({"birthDate": "01/03/1950"}, "primitive-form", "Patient.birthDate"),
        ({"active": "true"}, "primitive-form", "Patient.active"),
        ({"name": {"family": "Ashdown"}}, "json-list", "Patient.name"),
        ({"name": []}, "json-empty-array", "Patient.name"),
        ({"name": [{}]}, "element-empty", "Patient.name[0]"),
        ({"name": [{"given": [None]}]}, "json-null", "Patient.name[0].given[0]"),
        ({"gender": None}, "json-null", "Patient.gender"),
        ({"gender": ["female"]}, "json-list", "Patient.gender"),
        ({"maritalStatus": "M"}, "json-object", "Patient.maritalStatus"),
        ({"deceasedBoolean": True, "deceasedDateTime": "2020"}, "cardinality-max", "Patient"),
        ({"deceasedString": "yes"}, "choice", "Patient"),
        ({"deceasedDateTime": "2020-01-01T10:00:00"}, "primitive-form", "Patient.deceased.ofType(dateTime)"),
        ({"multipleBirthInteger": 2.5}, "primitive-form", "Patient.multipleBirth.ofType(integer)"),
        ({"contact": [{"period": {"start": "2020"}}]}, "pat-1", "Patient.contact[0]"),
        ({"link": [{"other": {"reference": "Patient/1"}}]}, "cardinality-min", "Patient.link[0]"),
        ({"id": "a" * 65}, "primitive-form", "Patient.id"),
        ({"photo": [{"data": "not base64!"}]}, "primitive-form", "Patient.photo[0].data"),
        ({"photo": [{"data": "AAAA", "size": 5}]}, "primitive-form", "Patient.photo[0]"),
        ({"generalPractitioner": [{"reference": "#gp"}]}, "ref-1", "Patient.generalPractitioner[0]"),
        ({"generalPractitioner": [{"reference": "Patient/1"}]}, "reference-type", "Patient.generalPractitioner[0]"),
        ({"_birthDate": {}}, "element-empty", "Patient.birthDate"),
        ({"extension": [{"url": "https://zz.example.test/none"}]}, "ext-1", "Patient.extension[0]"),
        ({"text": {"status": "generated", "div": "<div>x</div>"}}, "narrative-namespace", "Patient.text.div"),
        ({"implicitRules": "a b"}, "primitive-form", "Patient.implicitRules"),
    ],
)  # fmt: skip
def test_each_broken_rule_is_found_where_it_is(core: Validator, changes: Any, rule: str, place: str) -> None:
    assert (rule, place) in found(core.validate(with_(**changes)))


def test_near_misses_are_named(core: Validator) -> None:
    message = core.validate(with_(gendre="female")).findings[0].message
    assert "did you mean gender?" in message


def test_no_message_holds_a_value_unless_asked(core: Validator) -> None:
    from mpftconnect.validation import Options

    resource = with_(gender="Quibble", birthDate="Quibble", active="Quibble", id="Quibble Quibble")
    assert "Quibble" not in repr(core.validate(resource).findings) + repr(core.validate(resource).not_checked)
    shown = core.validate(resource, options=Options(show_values=True))
    assert "Quibble" in repr(shown.findings)


def test_lines_and_columns_of_a_file(core: Validator) -> None:
    text = '{\n  "resourceType": "Patient",\n  "name": [\n    {"family": 5}\n  ]\n}'
    finding = core.validate(text).findings[0]
    assert (finding.expression, finding.line, finding.column) == ("Patient.name[0].family", 4, 16)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('{"resourceType": "Patient", "active": true, "active": false}', "json-duplicate"),
        ('{"resourceType": "Patient", "active": true,}', "json-syntax"),
        ('{"resourceType": "Patient" // no\n}', "json-comment"),
        ('{resourceType: "Patient"}', "json-syntax"),
        ('{"resourceType": "Patient"', "json-syntax"),
        ("", "json-syntax"),
        ("[]", "json-object"),
        ('{"resourceType": "Chicken"}', "resource-type"),
        ('{"resourceType": "DomainResource"}', "resource-type"),
        ('{"name": "x"}', "resource-type"),
        (b'{"resourceType": "Patient", "name": [{"family": "\xff"}]}', "encoding"),
        ("[" * 5000, "too-deep"),
        ('{"a":' * 5000, "too-deep"),
        ('{"resourceType": "Patient", "active": tru}', "json-syntax"),
        ('{"resourceType": "Patient", "multipleBirthInteger": 01}', "json-syntax"),
    ],
)
def test_text_that_is_not_fhir_json(core: Validator, text: Any, rule: str) -> None:
    report = core.validate(text)
    assert report.verdict == "invalid"
    assert rule in rules(report)


def test_a_repeated_property_is_found_however_the_text_is_spaced(core: Validator) -> None:
    for spaces in ("", " ", "\n", "\t"):
        text = f'{{"resourceType"{spaces}: "Patient", "name": [{{"text": "a \\": b", "text"{spaces}: "c"}}]}}'
        assert "json-duplicate" in rules(core.validate(text)), repr(spaces)


def test_comments_can_be_allowed(core: Validator) -> None:
    from mpftconnect.validation import Options

    text = '{"resourceType": "Patient" /* ok */}'
    assert core.validate(text, options=Options(allow_comments=True)).verdict == "valid"


def test_decimals_keep_their_digits_and_are_judged(core: Validator) -> None:
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "weight"},
        "valueQuantity": {"value": "72.50", "unit": "kg"},
    }
    assert ("primitive-form", "Observation.value.ofType(Quantity).value") in found(core.validate(observation))
    text = json.dumps(observation).replace('"72.50"', "72.50")
    assert core.validate(text).verdict == "valid"


def test_a_primitive_with_an_extension_only_has_no_value_to_judge(core: Validator) -> None:
    absent = {
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
    }
    resource = {k: v for k, v in PATIENT.items() if k != "birthDate"}
    assert core.validate({**resource, "_birthDate": absent}).verdict == "valid"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["resourceType", "name", "_name", "extension", "contained", "id", "url", "valueString", "meta", "text"]
            )
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(
    JSON,
    st.sampled_from(["Patient", "Bundle", "Observation", "QuestionnaireResponse", "Parameters", "StructureDefinition"]),
)
def test_no_json_makes_it_fail(core: Validator, value: Any, code: str) -> None:
    resource = (
        {**value, "resourceType": code} if isinstance(value, dict) else {"resourceType": code, "contained": value}
    )
    report = core.validate(resource)
    assert report.verdict in ("valid", "invalid", "undecided")
    assert core.validate(json.dumps(resource)).verdict == report.verdict
    report.to_operation_outcome()


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(core: Validator, data: bytes) -> None:
    for text in (data, b"{" + data, b"<" + data, b'{"resourceType":"Patient",' + data):
        assert core.validate(text).verdict == "invalid"


JUNK = [
    None,
    True,
    0,
    1.5,
    "",
    " ",
    "x" * 300,
    [],
    {},
    [None],
    [[]],
    {"a": {}},
    "#",
    "urn:uuid:x",
    ["a"],
    {"coding": [{}]},
]
KEYS = [
    "resourceType",
    "id",
    "url",
    "system",
    "code",
    "contained",
    "extension",
    "reference",
    "item",
    "linkId",
    "type",
    "_id",
]
SEEDS: list[dict[str, Any]] = [
    {**PATIENT, "contained": [{"resourceType": "Basic", "id": "o"}], "managingOrganization": {"reference": "#o"}},
    {"resourceType": "Bundle", "type": "document", "entry": [{"fullUrl": "urn:x", "resource": PATIENT}, {"link": []}]},
    {
        "resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": "#q",
        "contained": [{"resourceType": "Questionnaire", "id": "q", "item": [{"linkId": "1", "type": "string"}]}],
        "item": [{"linkId": "1", "answer": [{"valueString": "x"}]}],
    },
    {
        "resourceType": "StructureDefinition", "url": "https://zz.example.test/s", "type": "Patient",
        "differential": {"element": [{"path": "Patient.name", "type": [{"code": "HumanName", "profile": ["x"]}]}]},
    },
    {"resourceType": "Parameters", "parameter": [{"name": "a", "resource": PATIENT}, {"part": [{"name": "b"}]}]},
    {"resourceType": "ValueSet", "url": "x", "compose": {"include": [{"system": "y", "concept": [{"code": "z"}]}]}},
    {"resourceType": "CodeSystem", "content": "complete", "property": [{"code": "a"}], "concept": [{"code": "c"}]},
]  # fmt: skip


def broken(value: Any, draw: Any) -> Any:
    """A value with one part replaced, removed or added."""
    if isinstance(value, dict) and value and draw(st.booleans()):
        key = draw(st.sampled_from([*value, draw(st.sampled_from(KEYS))]))
        return {**value, key: broken(value.get(key), draw)}
    if isinstance(value, list) and value and draw(st.booleans()):
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], broken(value[index], draw), *value[index + 1 :]]
    return draw(st.sampled_from(JUNK))


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_broken_resource_makes_it_fail(core: Validator, data: Any) -> None:
    resource = data.draw(st.sampled_from(SEEDS))
    for _ in range(data.draw(st.integers(1, 3))):
        resource = broken(resource, data.draw)
        if not isinstance(resource, dict):
            return
    report = core.validate(json.dumps(resource))
    assert report.verdict in ("valid", "invalid", "undecided")
    assert report.to_operation_outcome()["issue"]


NOTED = {"id": "a", "extension": [{"url": "http://example.org/x", "valueString": "x"}]}


@pytest.mark.parametrize("beside", [{"id": "a"}, NOTED])
def test_a_primitive_with_a_value_may_have_an_id_alone(core: Validator, beside: dict[str, Any]) -> None:
    assert found(core.validate(with_(_birthDate=beside))) == []
    assert found(core.validate(with_(name=[{"given": ["Wren", "May"], "_given": [beside, None]}]))) == []
    bare = {key: value for key, value in with_(_birthDate={"id": "a"}).items() if key != "birthDate"}
    assert found(core.validate(bare)) == [("element-empty", "Patient.birthDate")]


@pytest.mark.parametrize(("name", "rule"), [("colour", "element-unknown"), ("deceasedString", "choice")])
def test_what_is_no_element_is_shown_on_its_own_line(core: Validator, name: str, rule: str) -> None:
    report = core.validate('{\n "resourceType": "Patient",\n "active": true,\n "NAME":\n  "x"\n}'.replace("NAME", name))
    assert [(f.rule, f.expression, f.line) for f in report.findings if f.severity == "error"] == [(rule, "Patient", 5)]
    nested = core.validate('{"resourceType": "Patient",\n"contact": [{"gender": "male"},\n{"colour": "x"}]}')
    wrong = [(f.expression, f.line) for f in nested.findings if f.rule == "element-unknown"]
    assert wrong == [("Patient.contact[1]", 3)]


def test_what_is_no_element_is_shown_on_its_own_line_in_xml(core: Validator) -> None:
    text = '<Patient xmlns="http://hl7.org/fhir">\n<active value="true"/>\n<colour value="x"/>\n</Patient>'
    report = core.validate(text)
    assert [(f.rule, f.line) for f in report.findings if f.rule == "element-unknown"] == [("element-unknown", 3)]
