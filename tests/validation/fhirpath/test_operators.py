"""Operators: FHIRPath N1 (2.0.0), 6."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from mpftconnect.validation.fhirpath import FhirPathError, NotEvaluable, Quantity, compile_expression, evaluate

EQUALITY = [  # 6.1
    ("1 = 1.0", [True]),
    ("'a' = 'A'", [False]),
    ("'a' = 1", [False]),
    ("true = 1", [False]),
    ("(1 | 2) = (1 | 2)", [True]),
    ("(1 | 2) = (2 | 1)", [False]),
    ("(1 | 2) = 1", [False]),
    ("1 = {}", []),
    ("1 != 2", [True]),
    ("{} != {}", []),
    ("@2012 = @2012-01", []),
    ("@2012 = @2013-01", [False]),
    ("@2012-01-01 = @2012-01-01T10:00", []),
    ("@2012-01-01 = @T10:00", [False]),
    ("@2012-01-01T10:00:00Z = @2012-01-01T11:00:00+01:00", [True]),
    ("@2012-01-01T10:00:00Z = @2012-01-01T10:00:00", []),
    ("@2012-01-01T10:00:00Z = @2012-01-05T10:00:00", [False]),
    ("@T10:00:00 = @T10:00:00.0", [True]),
    ("1 'g' = 1000 'mg'", [True]),
    ("1 'g' = 1 'm'", []),
    ("1 'wk' = 7 days", [True]),
    ("1 year = 1 'a'", []),
    ("1 year = 12 months", [True]),
    ("name.first() = name.first()", [True]),
    ("name.first() = name.last()", [False]),
    ("'a' ~ ' A '.trim()", [True]),
    ("'a  b' ~ 'A B'", [True]),
    ("(1 | 2) ~ (2 | 1)", [True]),
    ("{} ~ {}", [True]),
    ("1 ~ {}", [False]),
    ("1.2 / 1.8 ~ 0.67", [True]),
    ("1.11 ~ 1.12", [False]),
    ("@2012 ~ @2012-01", [False]),
    ("1 year ~ 1 'a'", [True]),
    ("4 'g' ~ 4040 'mg'", [True]),
    ("1 !~ 2", [True]),
]
COMPARISON = [  # 6.2
    ("1 < 1.5", [True]),
    ("'a' < 'b'", [True]),
    ("2 <= 2", [True]),
    ("3 > 4", [False]),
    ("4 >= 4.0", [True]),
    ("@2018-03 < @2018-03-01", []),
    ("@2018-03 < @2018-04-01", [True]),
    ("@2018 > @2017-12-31", [True]),
    ("@2018-03-01T10:00:00+01:00 < @2018-03-01T10:00:00Z", [True]),
    ("@T10:30 > @T10:29:59", [True]),
    ("1 'g' > 900 'mg'", [True]),
    ("1 'g' > 1 'm'", []),
    ("1 < {}", []),
    ("birthDate < @1950-04-02", [True]),
    ("birthDate < @1950-03-02", []),
    ("1 < 'a'", FhirPathError),
    ("true < false", FhirPathError),
    ("@2018 < @T10", FhirPathError),
    ("(1 | 2) < 3", FhirPathError),
]
TRUTHS = {True: "true", False: "false", None: "{}"}
AND = {(True, True): True, (True, None): None, (None, None): None}
OR = {(False, False): False, (False, None): None, (None, None): None}
ARITHMETIC = [  # 6.6
    ("7 + 3", [10]),
    ("1.5 + 1", [Decimal("2.5")]),
    ("0.1 + 0.2", [Decimal("0.3")]),
    ("'a' + 'b'", ["ab"]),
    ("'a' + {}", []),
    ("'a' & {} & 1", ["a1"]),
    ("5 - 7", [-2]),
    ("1.2 * 1.8", [Decimal("2.16")]),
    ("5 / 2", [Decimal("2.5")]),
    ("5 / 0", []),
    ("-5 div 2", [-2]),
    ("5.5 div 0.7", [7]),
    ("5 div 0", []),
    ("-5 mod 2", [-1]),
    ("5.5 mod 0.7", [Decimal("0.6")]),
    ("2147483647 + 1", []),
    ("2.0 'cm' * 2.0 'm' = 0.040 'm2'", [True]),
    ("4.0 'g' / 2.0 'm' = 2 'g/m'", [True]),
    ("1 'm' / 1 'm' = 1 '1'", [True]),
    ("1 'm' / 0 'm'", []),
    ("1 'g' + 1 'mg'", [Quantity(Decimal("1.001"), "g")]),
    ("1 'g' + 1 'm'", []),
    ("-(4 'mg')", [Quantity(Decimal(-4), "mg")]),
    ("@1973-12-25 + 7 days", ["@1974-01-01"]),
    ("@1973-12-25 + 7.9 days", ["@1974-01-01"]),
    ("@2012-02-29 + 1 year", ["@2013-02-28"]),
    ("@2012-01-31 + 1 month", ["@2012-02-29"]),
    ("@2012-03-31 - 1 month", ["@2012-02-29"]),
    ("@2014 + 24 months", ["@2016"]),
    ("@2014-03 + 45 days", ["@2014-04"]),
    ("@2014-01-01T10 + 90 minutes", ["@2014-01-01T11"]),
    ("@2014-01-01T23:59:59.900+01:00 + 200 'ms'", ["@2014-01-02T00:00:00.100+01:00"]),
    ("@2014-01-01T10:00:00 + 1.5 seconds", ["@2014-01-01T10:00:01.5"]),
    ("@T23:30 + 45 minutes", ["@T00:15"]),
    ("@T01:00 - 2 hours", ["@T23:00"]),
    ("@9999-12-31 + 1 day", []),
    ("@0001 - 1 year", []),
    ("@2014-01-01 + 1 'mo'", FhirPathError),
    ("@2014-01-01 + 7", FhirPathError),
    ("@2014-01-01 - @2013-01-01", FhirPathError),
    ("'a' - 'b'", FhirPathError),
    ("'a' * 2", FhirPathError),
    ("true + 1", FhirPathError),
    ("-'a'", FhirPathError),
    ("-true", FhirPathError),
    ("(1 | 2) & 'a'", FhirPathError),
]
COLLECTIONS = [  # 6.4
    ("2 in (1 | 2)", [True]),
    ("{} in (1 | 2)", []),
    ("1 in {}", [False]),
    ("(1 | 2) in (1 | 2)", FhirPathError),
    ("(1 | 2) contains 3", [False]),
    ("name.given contains 'Beth'", [True]),
    ("name.use.select($this in ('official' | 'usual'))", [True, False]),
    ("4000 'mg' in (4 'g')", [True]),
]
CASES = [*EQUALITY, *COMPARISON, *ARITHMETIC, *COLLECTIONS]


@pytest.mark.parametrize(("expression", "found"), CASES, ids=[case[0] for case in CASES])
def test_an_operator_gives(ask: Callable[..., list[Any]], patient: dict[str, Any], expression: str, found: Any) -> None:
    if found is FhirPathError:
        with pytest.raises(FhirPathError):
            ask(expression, patient)
    else:
        answer = ask(expression, patient)
        assert answer == found
        assert [type(each) for each in answer] == [type(each) for each in found]


@pytest.mark.parametrize("left", TRUTHS)
@pytest.mark.parametrize("right", TRUTHS)
def test_boolean_logic_has_three_values(left: bool | None, right: bool | None) -> None:
    """6.5, the tables of and, or, xor and implies."""

    def told(operator: str) -> bool | None:
        found = evaluate(f"{TRUTHS[left]} {operator} {TRUTHS[right]}", {})
        return found[0] if found else None

    assert told("and") is AND.get((left, right), AND.get((right, left), False))
    assert told("or") is OR.get((left, right), OR.get((right, left), True))
    assert told("xor") is (None if left is None or right is None else left != right)
    expected = True if left is False or right is True else right if left is True else None
    assert told("implies") is expected
    # A chain of three is another piece of code.
    chained = evaluate(f"{TRUTHS[left]} and true and {TRUTHS[right]}", {})
    assert (chained[0] if chained else None) is AND.get((left, right), AND.get((right, left), False))


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("false and 'a'.memberOf('urn:x')", False),
        ("'a'.memberOf('urn:x') and false", False),
        ("'a'.memberOf('urn:x') or true", True),
        ("'a'.memberOf('urn:x') or false or true", True),
        ("'a'.memberOf('urn:x') and true and false", False),
        ("'a'.memberOf('urn:x') and true", None),
        ("'a'.memberOf('urn:x') or false", None),
        ("'a'.memberOf('urn:x') or false or false", None),
        ("false implies 'a'.memberOf('urn:x')", True),
        ("true and 'a'.never()", None),
        ("true or 'a'.never()", True),
    ],
)
def test_what_cannot_be_judged_matters_only_where_nothing_else_decides(expression: str, found: bool | None) -> None:
    if found is None:
        with pytest.raises(NotEvaluable):
            evaluate(expression, {})
    else:
        assert evaluate(expression, {}) == [found]


def test_primitives_of_fhir_are_compared_as_they_are_written() -> None:
    """STU3 mad-3 has `notGiven = 'false'`; UK constraints have SNOMED CT codes without quotes."""
    given = {"resourceType": "MedicationAdministration", "notGiven": False}
    assert compile_expression("notGiven = 'false'", version="3.0").evaluate(given) == [True]
    coded = {"resourceType": "Observation", "code": {"coding": [{"code": "1854971000000106"}]}}
    assert evaluate("code.coding.code = 1854971000000106", coded) == [True]
    assert evaluate("code.coding.code = 1854971000000107", coded) == [False]
    assert evaluate("'1' = 1", {}) == [False]
