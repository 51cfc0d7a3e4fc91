"""No message repeats what a document holds, wherever it stands: values, names of properties, types, addresses."""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.validation import Options, Report, Validator
from mpftconnect.validation.definitions.archives import package_files
from mpftconnect.validation.inputs import Input
from mpftconnect.validation.outputs import FORMATS, write_reports
from mpftconnect.validation.shown import address_shown, name_told

PAGE = Path(__file__).resolve().parents[2] / "docs" / "validation" / "rule-examples.json"
EXAMPLES: dict[str, dict[str, Any]] = json.loads(PAGE.read_text(encoding="utf-8"))["examples"]
# In forms that different readers take for different things: a reference, an address, an expression, markup.
SEEDS = [
    "Quibble", "Patient/Quibble", "#Quibble", "urn:uuid:Quibble", "https://zz.example.test/p?name=Quibble",
    "Quibble|Quibble", "1985-13-45 Quibble", "<Quibble/>", "%Quibble + Quibble()", "Quibble\ud800",
]  # fmt: skip
STRICT = Options(
    validate_reference="CHECK_VALID", must_support=True, crumb_trail=True, security_checks=True,
    no_html_in_markdown=True, for_publication=True, no_experimental_content=True, examples=False,
    unknown_profile="error",
)  # fmt: skip
Path_ = tuple[str | int, ...]


def leaves(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))
    else:
        yield path


def names(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from names(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from names(inner, (*path, index))


def with_value(resource: Any, path: Path_, seed: str) -> Any:
    made = inner = copy.deepcopy(resource)
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = seed
    return made


def with_name(resource: Any, path: Path_, seed: str) -> Any:
    made = inner = copy.deepcopy(resource)
    for step in path[:-1]:
        inner = inner[step]
    items = [(seed if key == path[-1] else key, value) for key, value in inner.items()]
    inner.clear()
    inner.update(items)
    return made


def seed_of(count: int, path: Path_, put: Any) -> str:
    seed = SEEDS[count % len(SEEDS)]
    # A name may begin as a choice does, or as that of a primitive's extensions.
    begun = [seed, "_Quibble", re.sub("[A-Z].*", "", str(path[-1])) + "Quibble", f"_{path[-1]}Quibble"]
    return seed if put is with_value else begun[count % len(begun)]


def repeated(report: Report, form: str = "json") -> list[str]:
    lines = [*write_reports(form, [(Input("a.json"), report)]), repr(report)]
    return [line for line in lines if "uibble" in line]


@pytest.mark.parametrize("rule", sorted(EXAMPLES))
def test_a_value_or_name_planted_anywhere_is_not_repeated(core: Validator, rule: str) -> None:
    example = EXAMPLES[rule]
    validator = core.with_resources(example.get("definitions", []))
    profiles = [example["profile"]] if "profile" in example else []
    own = Options.from_mapping(example.get("options", {}))
    count = 0
    for resource in (example["broken"], example["mended"]):
        if not isinstance(resource, dict):
            continue
        for put, paths in ((with_value, leaves(resource)), (with_name, names(resource))):
            for path in paths:
                count += 1
                planted = put(resource, path, seed_of(count, path, put))
                for options in (own, STRICT):
                    report = validator.validate(planted, profiles, options=options)
                    assert repeated(report) == [], (path, options)


TEXTS = [
    '{"resourceType": "Patient", "Quibble": 1, "Quibble": 2}',
    '{"resourceType": "Patient", "Quibble": {"Quibble": [,]}}',
    '{"resourceType": "Patient", "name": [{"Quibble": {"family": "a", "family": "a"}}]}',
    '{"resourceType": "Quibble", "name": [{"family": "a", "family": "a"}]}',
    '{"resourceType": "Patient", "contained": [{"resourceType": "Quibble", "Quibble": 1, "Quibble": 2}]}',
    '{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Quibble", "Quibble": null}}]}',
    '{"resourceType": "Patient", Quibble: Quibble}',
    '{"resourceType": "Patient", "Quibble" "Quibble"}',
    '{"resourceType": "Patient", "active": Quibble}',
    '{"resourceType": "Patient", "birthDate": 0Quibble}',
    '{"resourceType": "Patient"} Quibble',
    '{"resourceType": "Patient", "name": [{"family": "Quibble\\q"}]}',
    '{"resourceType": "Patient", "name": [{"family": "Quibble\\ud800"}]}',
    '{"resourceType": ["Quibble"], "name": "Quibble"}',
    '{"resourceType": "Observation", "valueQuibble": 1, "valueQuibble": 1}',
    '<Observation xmlns="http://hl7.org/fhir"><valueQuibble x="1"><y/></valueQuibble></Observation>',
    '<Observation xmlns="http://hl7.org/fhir"><note/><valueQuibble x="1"/></Observation>',
    '["Quibble"]',
    '"Quibble"',
    "Quibble",
    '<Quibble xmlns="http://hl7.org/fhir"><id value="Quibble"/></Quibble>',
    '<Patient xmlns="http://hl7.org/fhir" Quibble="Quibble"><Quibble value="x"/></Patient>',
    '<Patient xmlns="http://hl7.org/fhir"><name Quibble="1"><Quibble/></name></Patient>',
    '<Patient xmlns="http://hl7.org/fhir"><gender value="male" Quibble="1"><Quibble/>Quibble</gender></Patient>',
    '<Patient xmlns="http://hl7.org/Quibble"><gender value="male"/></Patient>',
    '<Q:Patient xmlns:Q="Quibble"><gender value="male"/></Q:Patient>',
    '<!DOCTYPE Quibble [<!ENTITY Quibble "Quibble">]><Patient xmlns="http://hl7.org/fhir"/>',
    '<?xml version="1.0" encoding="Quibble"?><Patient xmlns="http://hl7.org/fhir"/>',
    '<Patient xmlns="http://hl7.org/fhir"><gender value="Quibble" value="Quibble"/></Patient>',
    '<Patient xmlns="http://hl7.org/fhir"><contained><Quibble><Quibble/></Quibble></contained></Patient>',
    '<Patient xmlns="http://hl7.org/fhir"><text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml">'
    '<Quibble Quibble="x" onQuibble="x"/><p Quibble="x"><a href="Quibble:x">x</a></p></div></text></Patient>',
    '<Patient xmlns="http://hl7.org/fhir"><text><div xmlns="Quibble">&Quibble;</div></text></Patient>',
]  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_that_cannot_be_read_is_not_repeated(core: Validator, text: str, form: str) -> None:
    report = core.validate(text.encode(), options=STRICT)
    assert report.verdict == "invalid"
    assert repeated(report, form) == []


def test_published_examples_with_planted_values_are_not_repeated(packages: Path) -> None:
    """Leaves and names of a few published examples of each of some packages, each with a seed."""
    validator = Validator(["mpftconnect.ukcore-rules"])
    count = 0
    for archive in sorted(packages.glob("*.tgz"))[::3]:
        for resource in itertools.islice(published_examples(archive), 2):
            for put, paths in ((with_value, leaves(resource)), (with_name, names(resource))):
                for path in list(paths)[:40]:
                    count += 1
                    report = validator.validate(put(resource, path, seed_of(count, path, put)), options=STRICT)
                    assert repeated(report) == [], (archive.name, path)
    assert count > 400


def published_examples(archive: Path) -> Iterator[dict[str, Any]]:
    for name, data in package_files(archive):
        if "example" in name.lower() and name.endswith(".json") and len(data) < 30_000:
            resource = json.loads(data.decode("utf-8-sig"))
            if isinstance(resource, dict) and "resourceType" in resource:
                yield resource


def test_a_questionnaire_that_comes_with_its_answers_is_as_they_are(core: Validator) -> None:
    item = {"linkId": "Quibble", "type": "string", "required": True}
    questionnaire = {"resourceType": "Questionnaire", "id": "q", "status": "active", "item": [item]}
    response = {"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": "#q"}
    report = core.validate({**response, "contained": [questionnaire]})
    assert "questionnaire-required" in [f.rule for f in report.findings]
    assert repeated(report) == []
    # One that was loaded is its publisher's, and the question can be named.
    given = {**questionnaire, "url": "https://zz.example.test/q"}
    report = core.with_resources([given]).validate({**response, "questionnaire": "https://zz.example.test/q"})
    assert "must have an answer for the required item 'Quibble'" in [f.message for f in report.findings]


def test_a_name_that_is_not_known_is_said_by_place_length_and_near_miss(core: Validator) -> None:
    data = b'{"resourceType": "Patient",\n "name": [{"given": ["x"],\n "famly": "x"}]}'
    finding = next(f for f in core.validate(data).findings if f.rule == "element-unknown")
    assert (finding.expression, finding.line, finding.column) == ("Patient.name[0]", 3, 11)
    assert finding.message == (
        "has a property that is no element: property 2 of 2, with a name of 5 characters; did you mean family?"
    )
    xml = b'<Patient xmlns="http://hl7.org/fhir">\n<name><famly value="x"/></name></Patient>'
    finding = next(f for f in core.validate(xml).findings if f.rule == "element-unknown")
    assert (finding.expression, finding.line) == ("Patient.name[0]", 2)
    assert finding.message.endswith(": a name of 5 characters; did you mean family?")


def test_many_names_that_are_not_known_cost_no_more_each(core: Validator, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beyond the findings of a report is counted, and compared with nothing."""
    compared = []
    monkeypatch.setattr(
        "mpftconnect.validation.check.objects.name_told", lambda *given: compared.append(given) or "told"
    )
    report = core.validate({"resourceType": "Patient", **{f"x{number}": 1 for number in range(12_000)}})
    assert report.verdict == "invalid"
    assert len(compared) == 10_000
    assert report.findings[0].message.startswith("has a property that is no element: one of 12001, with a name")


def test_an_element_of_a_text_that_is_wrong_is_still_named(core: Validator) -> None:
    """Names of the definitions stay; only others are left out."""
    text = (
        b'{"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {"resourceType": "Patient", '
        b'"contact": [{"name": {"family": "a", "family": "b"}}], "deceasedBoolean": true, "deceasedBoolean": true}}]}'
    )
    found = [f.expression for f in core.validate(text).findings if f.rule == "json-duplicate"]
    assert found == ["Bundle.entry[0].resource.contact[0].name.family", "Bundle.entry[0].resource.deceasedBoolean"]


@pytest.mark.parametrize(
    "address",
    ["https://fhir.nhs.uk/STU3/ValueSet/X-1|1.0.0-beta", "http://snomed.info/sct", "urn:oid:2.16.840.1.113883.6.1",
     "urn:ietf:bcp:47", "http://127.0.0.1:8080/fhir/"],
)  # fmt: skip
def test_the_address_of_a_definition_is_shown(address: str) -> None:
    assert address_shown(address) == address


@pytest.mark.parametrize(
    "text",
    ["Quibble", "Patient/Quibble", "urn:uuid:Quibble", "https://zz.test/?q=Quibble", "https://zz.test/#Quibble",
     "https://Quibble@zz.test/", "https://zz.test/%51uibble", "https://zz.test/Patient/9990001234",
     "https://zz.test/a Quibble", "https://zz.test/" + "Quibble" * 40, "http://zz.test/x|Quibble Quibble"],
)  # fmt: skip
def test_what_may_be_anything_is_told_by_its_length(text: str) -> None:
    assert address_shown(text) == f"(an address of {len(text)} characters that is not shown)"
    assert re.fullmatch(r"of \d+ characters", name_told(text, ["family"]))
