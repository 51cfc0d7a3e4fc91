"""The official FHIRPath suite for FHIR R4. What we answer otherwise stands on the page, each with its reason."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from published import read_xml

from mpftconnect.validation.fhirpath import Date, DateTime, FhirPathError, Quantity, Time, compile_expression

PAGE = Path(__file__).parents[3] / "docs" / "validation" / "fhirpath.md"
NUMBERS = re.compile(r"-?\d+(\.\d+)?")


class Suite:
    def __init__(self, folder: Path) -> None:
        self._examples = folder / "fhirpath" / "examples"
        self._read: dict[str, dict[str, Any]] = {}
        root = ElementTree.parse(folder / "fhirpath" / "fhirpath" / "tests-fhir-r4.xml").getroot()
        self.tests = list(root.iter("test"))

    def resource(self, name: str | None) -> dict[str, Any] | None:
        if name is None:
            return None
        if name not in self._read:
            written = self._examples / name
            if written.suffix == ".xml" and written.is_file():
                self._read[name] = read_xml(written)
            else:
                text = written.with_suffix(".json").read_text(encoding="utf-8")
                self._read[name] = json.loads(text, parse_float=Decimal)
        return self._read[name]

    def has(self, name: str | None) -> bool:
        return name is None or any((self._examples / name).with_suffix(end).is_file() for end in (".xml", ".json"))


def conforms(item: Any, url: str) -> bool | None:
    """As much of conformsTo() as the suite asks: the base types."""
    base = url.removeprefix("http://hl7.org/fhir/StructureDefinition/")
    return None if base == url else bool(item["resourceType"] == base)


def written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Date | DateTime):
        return f"@{value}"
    return f"@T{value}" if isinstance(value, Time) else f"{value:f}" if isinstance(value, Decimal) else str(value)


def same(found: Any, expected: str, kind: str | None) -> bool:
    if kind in ("decimal", "Quantity") and not isinstance(found, str):
        # The suite writes these with any number of decimals, as `Quantity` 1 '1' for 1.0 '1'.
        text = written(found)
        return NUMBERS.sub(lambda each: f"{Decimal(each[0]).normalize():f}", text) == NUMBERS.sub(
            lambda each: f"{Decimal(each[0]).normalize():f}", expected
        ) and isinstance(found, Quantity | Decimal | int)
    return written(found) == expected


def passes(suite: Suite, test: ElementTree.Element) -> bool:
    expression = test.find("expression")
    assert expression is not None and expression.text is not None
    resource = suite.resource(test.get("inputfile"))
    invalid = expression.get("invalid")
    strict = "strict" in (test.get("mode"), expression.get("mode")) or invalid == "semantic"
    outputs = test.findall("output")
    try:
        compiled = compile_expression(
            expression.text, strict=strict, context=resource["resourceType"] if resource is not None else None
        )
        found = compiled.evaluate(resource, conforms=conforms)
    except FhirPathError:
        return invalid is not None
    if invalid is not None:
        return False
    if test.get("predicate") == "true":
        found = [bool(found)]
    if test.get("ordered") == "false":
        return sorted(map(written, found)) == sorted(each.text or "" for each in outputs)
    return len(found) == len(outputs) and all(
        same(one, each.text or "", each.get("type")) for one, each in zip(found, outputs, strict=True)
    )


def listed_exceptions() -> dict[str, str]:
    """Name of a test to the reason why we answer otherwise, from the table of the page."""
    text = PAGE.read_text(encoding="utf-8")
    table = text.partition("<!-- exceptions: begin -->")[2].partition("<!-- exceptions: end -->")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]
    return {name.strip("`"): row[-1] for *row, _ in [[*r, ""] for r in rows] for name in row[0].split(", ")}


@pytest.fixture(scope="module")
def suite(official: Path) -> Suite:
    return Suite(official)


def test_the_suite_passes_but_for_the_exceptions_that_are_listed(suite: Suite) -> None:
    run = [test for test in suite.tests if suite.has(test.get("inputfile"))]
    failed = {str(test.get("name")) for test in run if not passes(suite, test)}
    exceptions = listed_exceptions()
    assert failed == set(exceptions)
    assert all(exceptions.values())
    assert len(run) - len(failed) >= 0.98 * len(suite.tests)
    said = f"{len(run) - len(failed)} of {len(suite.tests)} tests pass, {len(failed)} differ"
    assert said in PAGE.read_text(encoding="utf-8"), said


def test_only_a_test_whose_input_is_not_there_is_not_run(suite: Suite) -> None:
    missing = [test.get("inputfile") for test in suite.tests if not suite.has(test.get("inputfile"))]
    assert missing == ["patient-name-extensions.json"]


def test_the_runner_tells_a_wrong_answer(suite: Suite) -> None:
    for wrong in (
        '<test name="a"><expression>1 + 1</expression><output type="integer">3</output></test>',
        '<test name="b"><expression>1 + 1</expression></test>',
        '<test name="c"><expression invalid="execution">1 + 1</expression></test>',
        '<test name="d"><expression>single(</expression><output type="integer">2</output></test>',
        '<test name="e"><expression>1.5</expression><output type="decimal">1.6</output></test>',
    ):
        assert not passes(suite, ElementTree.fromstring(wrong)), wrong
