"""Whatever comes in, a report or an error of ours comes out: targets of the fuzzers, and what they found."""

from __future__ import annotations

import importlib
import json
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from judging import profile

from mpftconnect.errors import MpftConnectError
from mpftconnect.validation import Options, Validator
from mpftconnect.validation.compile.element import Element
from mpftconnect.validation.compile.placing import Placing
from mpftconnect.validation.formats import source
from mpftconnect.validation.rules import contained, enabling
from mpftconnect.validation.terminology.value_sets import ValueSets

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NAMES = ("json", "xml", "archive", "definition", "expression", "pattern", "unit", "text", "resource")


@pytest.fixture(scope="module")
def targets() -> Iterator[ModuleType]:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("fuzzing.targets")
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.mark.parametrize("name", NAMES)
def test_seeds_and_bytes_end_in_a_report_or_an_error_of_ours(targets: ModuleType, name: str) -> None:
    target, seeds = targets.TARGETS[name], targets.seeds_of(name)
    assert set(targets.TARGETS) == set(NAMES)
    for seed in seeds:
        target(seed)

    @settings(
        max_examples=25 if name in ("archive", "definition") else 100,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        seed=st.sampled_from(seeds),
        cut=st.tuples(st.integers(0, 400), st.integers(0, 40)),
        put=st.binary(max_size=60),
    )
    def run(seed: bytes, cut: tuple[int, int], put: bytes) -> None:
        at, length = cut[0] % (len(seed) + 1), cut[1]
        target(seed[:at] + put + seed[at + length :])
        target(put)

    run()


# -- what fuzzing found, each mended


def test_an_object_where_an_extension_has_its_url(core: Validator) -> None:
    """An address that is no text has no hash: telling slices apart by url failed."""
    validator = Validator(["mpftconnect.ukcore-rules"])
    claim = {"profile": ["https://fhir.hl7.org.uk/StructureDefinition/UKCore-Patient"]}
    for url in ({"x": "y"}, ["x"], None, 1):
        report = validator.validate({"resourceType": "Patient", "meta": claim, "extension": [{"url": url}]})
        assert report.verdict == "invalid"


ROW = {"path": "Patient.name", "type": [{"code": "HumanName"}]}


@pytest.mark.parametrize(
    "where", ["extension", "type", "constraint", "representation", "slicing", "binding", "min", "max"]
)
@pytest.mark.parametrize("odd", [5, "x", {"x": "y"}, [5], [None], True])
def test_a_profile_with_something_else_where_it_has_lists(core: Validator, where: str, odd: Any) -> None:
    """Rows were read as if what repeats were always a list."""
    made = profile("odd", "Patient", {**ROW, where: odd})
    try:
        core.with_resources([made]).validate({"resourceType": "Patient"}, profiles=[made["url"]]).to_operation_outcome()
    except MpftConnectError as error:
        assert "Patient" in str(error)


@pytest.mark.parametrize("odd", [5, "x", {"x": "y"}, [5], [None], True])
def test_a_resource_with_something_else_where_it_has_lists(core: Validator, odd: Any) -> None:
    patient = {
        "resourceType": "Patient",
        "contained": odd,
        "extension": odd,
        "managingOrganization": {"reference": "#x", "extension": odd},
    }
    assert core.validate(patient, options=Options(validate_reference="CHECK_VALID")).verdict == "invalid"


def deep(levels: int) -> dict[str, Any]:
    item: dict[str, Any] = {"linkId": "x"}
    for _ in range(levels):
        item = {"linkId": "x", "item": item}  # no list, which is said and goes on
    return {"resourceType": "QuestionnaireResponse", "status": "completed", "item": item}


@pytest.mark.parametrize("levels", [10, 240, 400, 5000])
def test_nesting_within_the_readers_limit_but_deeper_than_the_checks_go(core: Validator, levels: int) -> None:
    """Within 256 levels of JSON the checks could still run out of Python's stack."""
    given = [deep(levels), json.dumps(deep(levels)).encode()] if levels < 400 else [deep(levels)]
    reports = [core.validate(data) for data in given]
    for report in reports:
        assert ("too-deep" in [finding.rule for finding in report.findings]) is (levels > 10)
        report.to_operation_outcome()
    # The same validator goes on as before.
    assert core.validate({"resourceType": "Patient", "gender": "female"}).verdict == "valid"


def test_a_dict_that_holds_itself_or_others_many_times_over(core: Validator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_MOST_PARTS", 100_000)
    patient: dict[str, Any] = {"resourceType": "Patient", "contained": []}
    patient["contained"].append(patient)
    laughing: dict[str, Any] = {"url": "https://zz.example.test/x"}
    for _ in range(100):
        laughing = {"url": "https://zz.example.test/x", "extension": [laughing] * 10}
    for endless in (patient, {"resourceType": "Patient", "extension": [laughing]}):
        report = core.validate(endless)
        assert [finding.rule for finding in report.findings] == ["too-deep"]


# -- what costs much more than it is long, by counting work rather than time


def peak(core: Validator, data: bytes, **options: Any) -> tuple[Any, int]:
    """The report, and the most memory that was in use beside the text."""
    tracemalloc.start()
    try:
        report = core.validate(data, options=Options(**options))
        report.to_operation_outcome()
        return report, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


LONG = b"Q" * 5_000_000


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"resourceType": "Patient", "gender": "', b'"}'),
        (b'{"resourceType": "Patient", "', b'": 1}'),
        (b'{"resourceType": "', b'"}'),
        (b'{"resourceType": "Patient", "extension": [{"url": "http://', b'", "valueString": "x"}]}'),
        (b'{"resourceType": "Patient", "meta": {"profile": ["http://', b'"]}}'),
        (b'{"resourceType": "Patient", "managingOrganization": {"reference": "', b'"}}'),
        (b'{"resourceType": "Patient", "maritalStatus": {"coding": [{"code": "', b'", "system": '
         b'"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"}]}}'),
        (b'{"resourceType": "Patient", "maritalStatus": {"coding": [{"code": "x", "system": "http://', b'"}]}}'),
        (b'<Patient xmlns="http://hl7.org/fhir"><gender value="', b'"/></Patient>'),
        (b'<Patient xmlns="http://hl7.org/fhir"><', b' value="x"/></Patient>'),
        (b'<Patient xmlns="http://hl7.org/fhir">', b"</Patient>"),
    ],
)  # fmt: skip
def test_a_long_text_costs_a_few_times_its_length(core: Validator, before: bytes, after: bytes) -> None:
    """Looking for a near-miss took 38 bytes for each of its letters, and 12 s for 100 MB."""
    report, used = peak(core, before + LONG + after, validate_reference="CHECK_VALID", unknown_profile="error")
    assert used < 12 * len(LONG)
    assert all(len(finding.message) < 500 for finding in report.findings)


@pytest.mark.parametrize("number", ["1e99999999999999999999999", "-1E-99999999999999999999999"])
def test_a_number_that_nothing_can_hold(core: Validator, number: str) -> None:
    """Python's decimal refuses the exponent: the careful reader failed with its error."""
    given = '{"resourceType": "Observation", "valueQuantity": {"value": %s}}'
    report = core.validate(given % number)
    assert ("json-syntax", "Observation.valueQuantity.value") in [(f.rule, f.expression) for f in report.findings]
    xml = '<Observation xmlns="http://hl7.org/fhir"><valueQuantity><value value="%s"/></valueQuantity></Observation>'
    found = [f.expression for f in core.validate(xml % number).findings if f.rule == "primitive-form"]
    assert found == ["Observation.value.ofType(Quantity).value"]


@pytest.mark.parametrize("number", ["1e999999999999", "-1e999999999999", "1e-999999999999"])
def test_a_number_that_would_fill_memory_is_compared_as_it_is(make: Callable[..., Validator], number: str) -> None:
    """As a fraction, 1e999999999 takes a gigabyte."""
    row = {"path": "Observation.value[x]", "maxValueQuantity": {"value": 10, "unit": "kg"}}
    limited = profile("limited", "Observation", row)
    given = '{"resourceType": "Observation", "valueQuantity": {"value": %s, "unit": "kg"}}'
    report = make(limited).validate(given % number, [limited["url"]])
    assert ("max-value" in [f.rule for f in report.findings]) is (number == "1e999999999999")


def test_contained_resources_of_one_id_are_followed_once(core: Validator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each was compared with each: 100,000 of them took an hour."""
    asked = []
    real = contained._id
    monkeypatch.setattr(contained, "_id", lambda resource: asked.append(1) or real(resource))
    held = [{"resourceType": "Organization", "id": "a", "partOf": {"reference": "#a"}} for _ in range(500)]
    patient = {"resourceType": "Patient", "contained": held, "managingOrganization": {"reference": "#a"}}
    core.validate(patient)
    assert len(asked) < 5 * len(held)
    # Nor is each put down to be followed once for each: 4,000,000 entries.
    _, used = peak(core, json.dumps({**patient, "contained": held * 4}).encode())
    assert used < 20_000_000


def test_near_misses_are_looked_for_at_the_first_findings_only(
    core: Validator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A code is compared with up to 5,000 others, so a million wrong ones took hours."""
    asked = []
    monkeypatch.setattr("mpftconnect.validation.check.run.near", lambda *a, **k: asked.append(1) or "")
    identifiers = [{"use": f"x{number}", "value": "1"} for number in range(1000)]
    report = core.validate({"resourceType": "Patient", "identifier": identifiers})
    assert len([f for f in report.findings if f.rule == "binding-required"]) == 1000
    assert len(asked) == 200


def test_elements_of_xml_that_are_not_known_are_compared_while_they_are_told(
    core: Validator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr("mpftconnect.validation.formats.xml_text.name_told", lambda *given: asked.append(1) or "x")
    report = core.validate(b'<Patient xmlns="http://hl7.org/fhir">' + b"<zz/>" * 3000 + b"</Patient>")
    assert report.verdict == "invalid"
    assert len(asked) == 1000


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 1_000_000,
        b'{"a":' * 1_000_000,
        b'{"resourceType": "Patient", "contained": ' + b'[{"contained":' * 300_000 + b"[]" + b"}]" * 300_000 + b"}",
        b'<Patient xmlns="http://hl7.org/fhir">' + b"<name>" * 1_000_000,
        b'{"resourceType": "Patient", "text": {"status": "generated", "div": "<div>' + b"<b>" * 1_000_000 + b'"}}',
    ],
    ids=["array", "object", "contained", "xml", "narrative"],
)
def test_a_million_levels_are_too_deep(core: Validator, text: bytes) -> None:
    report, used = peak(core, text)
    assert report.verdict == "invalid"
    assert any("deep" in f.message or f.rule in ("too-deep", "narrative-xml") for f in report.findings)
    assert used < 60_000_000


@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE a [<!ENTITY a "Quibble"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE a SYSTEM "file:///etc/hostname">',
        '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE a [<!ENTITY % a SYSTEM "http://127.0.0.1:9/x"> %a;]>',
        "<!DOCTYPE a [<!ATTLIST Patient id CDATA 'x'>]>",
    ],
)
def test_no_document_type_is_read(core: Validator, prolog: str) -> None:
    report = core.validate(prolog + '<Patient xmlns="http://hl7.org/fhir"><gender value="&b;"/></Patient>')
    assert [(f.rule, f.message) for f in report.findings] == [
        ("xml-syntax", "has a document type declaration, which is not allowed")
    ]


def test_value_sets_that_include_others_twice_over(
    make: Callable[..., Validator], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty of them have a thousand million ways down."""
    address = "https://zz.example.test/ValueSet/"
    chain = [
        {
            "resourceType": "ValueSet", "url": f"{address}{number}", "status": "active",
            "compose": {"include": [{"valueSet": [f"{address}{number - 1}"]}] * 3},
        }
        for number in range(1, 30)
    ]  # fmt: skip
    bound = profile("bound", "Patient", {"path": "Patient.gender", "binding": _required(f"{address}29")})
    asked: list[str] = []
    real = ValueSets._member_of
    monkeypatch.setattr(ValueSets, "_member_of", lambda self, *given: asked.append(given[0]) or real(self, *given))
    for bottom, verdict in (([], "undecided"), ([_of_code(f"{address}0", "male")], "invalid"),
                            ([_of_code(f"{address}0", "female")], "valid")):  # fmt: skip
        asked.clear()
        report = make(*chain, *bottom, bound).validate({"resourceType": "Patient", "gender": "female"}, [bound["url"]])
        assert report.verdict == verdict
        assert 29 < len(asked) < 100


def _required(address: str) -> dict[str, str]:
    return {"strength": "required", "valueSet": address}


def _of_code(address: str, code: str) -> dict[str, Any]:
    include = {"system": "http://hl7.org/fhir/administrative-gender", "concept": [{"code": code}]}
    return {"resourceType": "ValueSet", "url": address, "status": "active", "compose": {"include": [include]}}


def test_conditions_upon_conditions_of_a_questionnaire(
    make: Callable[..., Validator], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole response was gone through for each condition."""
    asked: list[int] = []
    real = enabling._answers_in
    monkeypatch.setattr(enabling, "_answers_in", lambda holder: asked.append(1) or real(holder))
    count = 2000
    items = [
        {"linkId": str(n), "type": "string",
         "enableWhen": [{"question": str((n + 1) % count), "operator": "exists", "answerBoolean": n % 2 == 0}]}
        for n in range(count)
    ]  # fmt: skip
    address = "https://zz.example.test/q"
    made = make({"resourceType": "Questionnaire", "url": address, "status": "active", "item": items})
    answers = [{"linkId": str(number), "answer": [{"valueString": "x"}]} for number in range(count)]
    given = {"resourceType": "QuestionnaireResponse", "questionnaire": address, "status": "completed", "item": answers}
    report = made.validate(given)
    # Every other question is asked only where the next has no answer.
    assert len([f for f in report.findings if f.rule == "questionnaire-enabled"]) == count // 2
    assert len(asked) == 1


def test_a_slice_costs_no_more_than_the_one_before(
    make: Callable[..., Validator], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each was made with copies of all before it."""
    copied: list[int] = []
    real = Element.clone

    def clone(self: Element, **options: Any) -> Element:
        copied.append(1)
        return real(self, **options)

    monkeypatch.setattr(Element, "clone", clone)
    costs = []
    for count in (50, 200):
        rows = [{"path": "Patient.identifier", "sliceName": f"s{number}"} for number in range(count)]
        slicing = {"discriminator": [{"type": "value", "path": "system"}], "rules": "open"}
        sliced = profile(f"sliced{count}", "Patient", {"path": "Patient.identifier", "slicing": slicing}, *rows)
        copied.clear()
        make(sliced).profile(sliced["url"])
        costs.append(len(copied))
    assert costs[1] < 5 * costs[0]


def test_rows_of_one_choice_are_looked_through_once(
    make: Callable[..., Validator], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row went through all the others: 50,000, which a definition may have, took hours."""
    asked: list[int] = []
    real = Placing._names_stated
    monkeypatch.setattr(Placing, "_names_stated", lambda self, *given: asked.append(1) or real(self, *given))
    typed = profile("typed", "Observation", *[{"path": "Observation.valueString"}] * 1000)
    given = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    assert make(typed).validate({**given, "valueString": "x"}, [typed["url"]]).verdict == "valid"
    assert make(typed).validate({**given, "valueBoolean": True}, [typed["url"]]).verdict == "invalid"
    assert len(asked) == 2, "once for each validator"
