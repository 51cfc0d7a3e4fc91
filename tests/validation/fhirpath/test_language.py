"""Reading expressions: FHIRPath N1 (2.0.0), 4 and 6.8, and its grammar."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from mpftconnect.validation.fhirpath import FhirPathError, Quantity, compile_expression, evaluate


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        # 4.1 Literals
        ("true", [True]),
        ("'it\\'s'", ["it's"]),
        (r"'\\ \/ \f\r\n\t\"\` \u0041'", ['\\ / \f\r\n\t"` A']),
        (r"'\d+'", [r"\d+"]),
        ("42", [42]),
        ("3.140", [Decimal("3.140")]),
        ("2147483648", [Decimal(2147483648)]),
        ("@2014", ["@2014"]),
        ("@2014-01-25T14:30:14.559", ["@2014-01-25T14:30:14.559"]),
        ("@2014-01T", ["@2014-01"]),
        ("@2014-01-25T14+01:00", ["@2014-01-25T14+01:00"]),
        ("@T14:30", ["@T14:30"]),
        ("4.5 'mg'", [Quantity(Decimal("4.5"), "mg")]),
        ("100 days", [Quantity(Decimal(100), "day", calendar=True)]),
        ("{}", []),
        # 6.8 Precedence
        ("1 + 2 * 3", [7]),
        ("-2 + 5", [3]),
        ("1 | 2 + 1", [1, 3]),
        ("1 = 1 and 2 > 1", [True]),
        ("true or false and false", [True]),
        ("false implies false or true", [True]),
        ("1 is Integer = true", [True]),
        ("2 in (1 | 2) and true", [True]),
        ("7 mod 4 div 2", [1]),
        ("'a' & 'b' + 'c'", ["abc"]),
        # 12.1 Comments, delimited identifiers, key words as names
        ("1 /* one */ + // and\n 2", [3]),
        ("`Patient`.`active`", [True]),
        ("contact.telecom.system contains 'phone'", [True]),
        ("name.where(is(HumanName)).exists()", [True]),
        # 4.4 Indexers, 9 $this
        ("name[1].use", ["nickname"]),
        ("name[5]", []),
        ("name.given[2]", ["Annie"]),
        ("name.given.where($this = 'Beth')", ["Beth"]),
        ("name.select($index)", [0, 1]),
        ("name.where($index = 1).use", ["nickname"]),
        ("name.select(given.select($index) | $index)", [0, 1, 0, 1]),
    ],
)
def test_an_expression_is_read(
    ask: Callable[..., list[Any]], patient: dict[str, Any], expression: str, found: list[Any]
) -> None:
    answer = ask(expression, patient)
    assert answer == found
    assert [type(each) for each in answer] == [type(each) for each in found]


@pytest.mark.parametrize(
    ("expression", "position", "rule"),
    [
        ("name.where(use = 'official'", 28, "')' is expected here"),
        ("1 +", 4, "a value or a path is expected here"),
        ("name name", 6, "an operator or the end is expected here"),
        ("'open", 1, "a string is not closed"),
        ("`open", 1, "a quoted name is not closed"),
        ("1 /* open", 3, "a comment is not closed"),
        ("1 # 2", 3, "a character that begins no token"),
        ("@2014-02-30", 1, "a date or time that does not exist"),
        ("@T25:00", 1, "a date or time that does not exist"),
        ("a.", 3, "a name is expected here"),
        ("a.$index", 3, "a name is expected here"),
        ("% ", 3, "the name of a variable is expected here"),
        ("{1}", 2, "'}' is expected here"),
        ("name is", 8, "a name is expected here"),
        ("name.is(1)", 6, "the name of a type is expected"),
        ("name.first(1)", 6, "first() takes another number of arguments"),
        ("name is Person2", 6, "the name of no known type"),
    ],
)
def test_what_is_no_expression_is_refused_with_its_place(expression: str, position: int, rule: str) -> None:
    with pytest.raises(FhirPathError) as raised:
        compile_expression(expression)
    assert str(raised.value) == f"character {position}: {rule}"


@pytest.mark.parametrize(
    ("expression", "rule"),
    [
        ("name.given1", "HumanName has no element of this name"),
        ("Encounter.name", "the focus is a Patient"),
        ("multipleBirthInteger", "Patient has no element of this name"),
        ("(multipleBirth as integer).unit", "integer has no element of this name"),
        ("children().first()", "the collection has no order"),
        ("(name | contact.name)[0]", "the collection has no order"),
        ("name.never()", "a function that does not exist"),
        ("iif('a', 1, 2)", "iif() takes a boolean first"),
    ],
)
def test_strictly_read_a_mistake_is_refused_and_else_finds_nothing_or_says_so(
    patient: dict[str, Any], expression: str, rule: str
) -> None:
    with pytest.raises(FhirPathError, match=rule.replace("(", r"\(").replace(")", r"\)")):
        compile_expression(expression, context="Patient", strict=True)
    compile_expression(expression, context="Patient")


def test_the_name_of_a_type_begins_a_path_only_where_the_focus_has_it(patient: dict[str, Any]) -> None:
    assert evaluate("Patient.active", patient) == [True]
    assert evaluate("DomainResource.active", patient) == [True]
    assert evaluate("Observation.active", patient) == []
    assert evaluate("name.select(HumanName.use)", patient) == ["official", "nickname"]


def test_an_expression_is_compiled_once(patient: dict[str, Any]) -> None:
    compiled = compile_expression("name.family")
    assert compile_expression("name.family") is compiled
    assert compiled.for_type("Patient") is compiled.for_type("Patient")
    assert compiled.for_type("Patient").evaluate(patient) == compiled.evaluate(patient) == ["Ashdown"]
    assert repr(compiled) == "Compiled('name.family', context=None)"
