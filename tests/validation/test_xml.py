"""XML: the same verdict as of the JSON, its own mistakes, and attacks."""

from __future__ import annotations

import pytest
from judging import found, rules

from mpftconnect.validation import Validator

GOOD = """<Patient xmlns="http://hl7.org/fhir">
  <id value="p1"/>
  <text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml"><p>Wren</p></div></text>
  <extension url="http://hl7.org/fhir/StructureDefinition/patient-birthPlace"><valueAddress><city value="X"/></valueAddress></extension>
  <active value="true"/>
  <name><family value="Ashdown"/><given value="Wren"/><given><extension url="http://hl7.org/fhir/StructureDefinition/data-absent-reason"><valueCode value="masked"/></extension></given></name>
  <birthDate value="1950-03-01"/>
  <multipleBirthInteger value="2"/>
</Patient>"""  # noqa: E501


def test_a_good_resource_is_valid(core: Validator) -> None:
    report = core.validate(GOOD)
    assert (report.verdict, report.findings) == ("valid", ())


@pytest.mark.parametrize(
    ("old", "new", "rule", "place"),
    [
        ("<birthDate", "<colour/><birthDate", "element-unknown", "Patient"),
        ('<active value="true"/>', '<active value="maybe"/>', "primitive-form", "Patient.active"),
        ('<active value="true"/>', '<active value="true" other="x"/>', "xml-attribute", "Patient.active"),
        ('<active value="true"/>', "<active>true</active>", "xml-text", "Patient.active"),
        ('<active value="true"/>', "<active/>", "element-empty", "Patient.active"),
        (
            '<birthDate value="1950-03-01"/>',
            '<gender value="female"/><gender value="male"/>',
            "cardinality-max",
            "Patient",
        ),
        ('<active value="true"/>', "", "none", ""),
        ('value="2"', 'value="2.5"', "primitive-form", "Patient.multipleBirth.ofType(integer)"),
        ('<id value="p1"/>', "", "none", ""),
        ('<active value="true"/>', '<gender value="femal"/>', "binding-required", "Patient.gender"),
    ],
)
def test_each_mistake_is_found_where_it_is(core: Validator, old: str, new: str, rule: str, place: str) -> None:
    assert old in GOOD
    errors = found(core.validate(GOOD.replace(old, new, 1)))
    if rule == "none":
        assert errors == []
    else:
        assert (rule, place) in errors


def test_elements_stand_in_order(core: Validator) -> None:
    text = '<Patient xmlns="http://hl7.org/fhir"><birthDate value="1950"/><gender value="female"/></Patient>'
    assert rules(core.validate(text)) == ["xml-order"]


def test_positions_are_those_of_the_file(core: Validator) -> None:
    finding = core.validate(GOOD.replace('value="true"', 'value="maybe"')).findings[0]
    assert (finding.line, finding.column) == (5, 3)


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]><Patient xmlns="http://hl7.org/fhir"><id value="&a;"/></Patient>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><Patient xmlns="http://hl7.org/fhir"/>',
        '<Patient xmlns="http://hl7.org/fhir"><id value="&reg;"/></Patient>',
        '<Patient xmlns="http://hl7.org/fhir">',
        "<" * 1000,
        "<a>" * 5000,
        '<?xml version="1.0" encoding="no-such"?><Patient/>',
    ],
)
def test_attacks_and_broken_text_are_findings(core: Validator, text: str) -> None:
    report = core.validate(text)
    assert report.verdict == "invalid"
    assert set(rules(report)) <= {"xml-syntax", "encoding"}


def test_a_billion_laughs_are_never_expanded(core: Validator) -> None:
    entities = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 30))
    text = (
        f'<!DOCTYPE x [<!ENTITY a0 "ha">{entities}]><Patient xmlns="http://hl7.org/fhir"><id value="&a29;"/></Patient>'
    )
    assert rules(core.validate(text)) == ["xml-syntax"]


def test_another_namespace_is_said(core: Validator) -> None:
    assert "xml-namespace" in rules(core.validate('<Patient xmlns="urn:x"><active value="true"/></Patient>'))


def test_json_and_xml_of_one_resource_have_one_verdict(core: Validator) -> None:
    as_json = {
        "resourceType": "Patient", "active": True, "name": [{"family": "A", "given": [None]}],
        "deceasedDateTime": "2020-13-01",
    }  # fmt: skip
    as_xml = (
        '<Patient xmlns="http://hl7.org/fhir"><active value="true"/><name><family value="A"/><given/></name>'
        '<deceasedDateTime value="2020-13-01"/></Patient>'
    )
    json_report, xml_report = core.validate(as_json), core.validate(as_xml)
    assert json_report.verdict == xml_report.verdict == "invalid"
    place = "Patient.deceased.ofType(dateTime)"
    assert ("primitive-form", place) in found(json_report)
    assert ("primitive-form", place) in found(xml_report)
