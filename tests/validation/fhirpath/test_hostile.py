"""Expressions and data that mean harm end in an error within bounded time and memory, and never in another exception.

No time is asserted: what would run away is stopped by counting, so these tests end or hang.
"""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpftconnect.validation.fhirpath import FhirPathError, Node, NotEvaluable, Scope, compile_expression, evaluate
from mpftconnect.validation.fhirpath.functions import FUNCTIONS
from mpftconnect.validation.fhirpath.lexer import LONGEST_EXPRESSION
from mpftconnect.validation.fhirpath.parser import DEEPEST


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 5000 + "1" + ")" * 5000,
        "-" * 5000 + "1",
        "a" + ".a" * 5000,
        "a" + "[0]" * 5000,
        "1" + " + 1" * 4000,
        "iif(true, " * 1000 + "1" + ")" * 1000,
        "a.where(" * 1000 + "b" + ")" * 1000,
        "a" + " is Patient" * 1000,
        "{}" + " implies {}" * 1000,
    ],
)
def test_an_expression_that_nests_too_deep_is_refused(expression: str) -> None:
    with pytest.raises(FhirPathError, match=f"nested deeper than {DEEPEST} levels"):
        compile_expression(expression)


def test_an_expression_as_deep_as_is_allowed_is_compiled_and_evaluated() -> None:
    assert evaluate("iif(true, " * 75 + "1" + ")" * 75, {}) == [1]
    assert evaluate("a.where(" * 35 + "true" + ")" * 35, {}) == []
    assert evaluate("(" * 78 + "1" + ")" * 78, {}) == [1]


def test_length_is_no_depth() -> None:
    many = " | ".join(str(each) for each in range(2000))
    assert len(evaluate(many, {})) == 2000
    assert evaluate(" and ".join(["true"] * 1500), {}) == [True]
    with pytest.raises(FhirPathError, match="longer than"):
        compile_expression("1 " * LONGEST_EXPRESSION)


def nested(depth: int) -> Any:
    found: Any = {"resourceType": "Questionnaire"}
    for _ in range(depth):
        found = {"resourceType": "Questionnaire", "item": [found]}
    return found


@pytest.mark.parametrize(
    "expression",
    ["item = item", "item | item", "item ~ item", "item in item", "repeat(item).count()"],
)
def test_data_that_nests_too_deep_is_an_error(expression: str) -> None:
    with pytest.raises(NotEvaluable, match="nested too deep"):
        evaluate(expression, nested(5000))


def test_data_may_nest_deep_where_nothing_recurses() -> None:
    assert evaluate("descendants().count()", nested(5000)) == [5000]
    assert evaluate("repeat($this.item.first()).empty()", {"resourceType": "Questionnaire"}) == [True]


@pytest.mark.parametrize(
    "expression",
    [
        "repeat($this)",  # a cycle
        "(1).repeat(1 | 2 | 3)",
        "(1 | 2).repeat(iif($this = 1, 2, 1))",
    ],
)
def test_repeat_ends_although_what_it_finds_comes_round_again(expression: str) -> None:
    assert 0 < len(evaluate(expression, {"resourceType": "Patient", "id": "a"})) <= 3


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("(1).repeat($this + 1)", "more effort"),
        ("'a'.repeat($this & 'a')", "more effort|longer than"),
        ("%big.select(%big.select(%big))", "more effort"),
        ("%big.where(%big.where(%big.exists($this = 'x')).exists())", "more effort"),
        ("%big.aggregate($total | (%big.combine(%big)), {})", "more effort"),
        ("%big.aggregate($total & $total, 'ab')", "more effort|longer than"),
        ("%big.aggregate($total.combine($total), 1)", "more effort"),
        ("%big.aggregate($total * $total, 2 'mg')", "a unit too long"),
        ("%long.replace('a', %long)", "too long a text"),
        ("%big.select(%long).join(%long)", "more effort|too long"),
        ("%long.toChars().select(%long.toChars())", "more effort"),
        ("%big.select((%long & $this).matches('(a+)+b'))", "more effort"),
        ("%big.all(%long.replaceMatches('(a+)+$', ''))", "safely"),
        ("%long.replaceMatches('a', %long)", "too long"),
    ],
)
def test_what_grows_without_end_is_stopped(expression: str, reason: str) -> None:
    environment = {"big": [f"x{each}" for each in range(3000)], "long": "a" * 100_000}
    scope = Scope({"resourceType": "Patient"}, environment=environment, effort=200_000)
    with pytest.raises(NotEvaluable, match=reason):
        compile_expression(expression).holds(scope.resource, scope)


def test_the_effort_that_is_allowed_is_enough_for_the_largest_bundle() -> None:
    entries = [{"fullUrl": f"urn:uuid:{each}", "resource": {"resourceType": "Basic"}} for each in range(100_000)]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    scope = Scope(bundle)
    allowed = scope.effort
    unique = "entry.where(fullUrl.exists()).select(fullUrl & resource.meta.versionId).isDistinct()"
    assert compile_expression(unique).holds(bundle, scope)
    assert allowed - scope.effort < allowed / 4


@pytest.mark.parametrize(
    "number", ["1e999999999", "-1e999999999", "1e-999999999", "NaN", "Infinity", "1" * 5000, "0." + "1" * 5000]
)
@pytest.mark.parametrize(
    "expression",
    ["value + 1", "value.truncate()", "value.toString()", "value * value", "value.power(value)", "value.lowBoundary()"],
)
def test_numbers_beyond_measure_are_an_error_or_empty(number: str, expression: str) -> None:
    value = 10**5000 if number == "1" * 5000 else json.loads(number, parse_float=Decimal)
    resource = {"resourceType": "Parameters", "parameter": [{"valueDecimal": value}]}
    try:
        found = evaluate(f"parameter.{expression}", resource)
    except FhirPathError:
        return
    assert len(str(found)) < 20_000


@pytest.mark.parametrize("odd", ["sNaN", "NaN", "Infinity"])
@pytest.mark.parametrize("expression", ["name = name", "name in name", "name | name", "name.distinct()", "name ~ name"])
def test_a_decimal_that_is_no_number_is_an_error_or_nothing(odd: str, expression: str) -> None:
    patient = {"resourceType": "Patient", "name": [{"family": Decimal(odd)}]}
    try:
        assert evaluate(expression, patient) in ([], [True], [False], patient["name"])
    except FhirPathError as error:
        assert odd not in str(error)


def test_an_error_never_holds_a_value() -> None:
    resource = {
        "resourceType": "Patient",
        "birthDate": "19500332",
        "name": [{"family": "Ashdown"}, {"family": "Ashdown-Grey"}],
        "active": "Ashdown",
    }
    for expression in (
        *("birthDate < today()", "name.family.single()", "name.family + 1", "name.family - 1", "-name.first().family"),
        *("name.first().family.abs()", "name.family.matches('[')", "name.family.toInteger()", "active.allTrue()"),
        *("name.first().family.round(birthDate)", "name[active]", "name.skip(active)", "birthDate in ('a')"),
        *("name.first().family.memberOf(active)", "name.first().comparable(active)", "name.first().family.power(2)"),
    ):
        with pytest.raises(FhirPathError) as raised:
            evaluate(expression, resource)
        trail: BaseException | None = raised.value
        while trail is not None:
            assert "Ashdown" not in str(trail), expression
            assert "19500332" not in str(trail), expression
            trail = trail.__cause__
    assert "Ashdown" not in repr(Node("Ashdown", "string"))


# ---- Fuzzed ----------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(
    ["name", "given", "family", "birthDate", "deceased", "contact", "extension", "value", "id", "contained", "Patient"]
)
LITERALS = st.sampled_from(
    [
        "1",
        "0",
        "2147483647",
        "1.50",
        "'a'",
        "''",
        "'(a+)+'",
        "true",
        "{}",
        "@2014",
        "@2014-02-28T10:00Z",
        "@T10:30",
        "4 'mg'",
        "3 days",
        "1 year",
        "$this",
        "$index",
        "$total",
        "%resource",
        "%context",
        "%ucum",
        "%none",
        "'base64'",
        "'%Y'",
    ]
)
TYPES = st.sampled_from(["Patient", "string", "Quantity", "System.String", "HumanName", "Resource", "Boolean"])
OPERATORS = st.sampled_from(
    [
        "+",
        "-",
        "*",
        "/",
        "div",
        "mod",
        "&",
        "|",
        "=",
        "!=",
        "~",
        "!~",
        "<",
        "<=",
        ">",
        ">=",
        "in",
        "contains",
        "and",
        "or",
        "xor",
        "implies",
    ]
)
TYPED = ("is", "as", "ofType")


def _call(source: str, name: str, arguments: list[str], kind: str) -> str:
    if name in TYPED:
        return f"({source}).{name}({kind})"
    known = FUNCTIONS[name]
    return f"({source}).{name}({', '.join(arguments[: max(known.least, min(known.most, len(arguments)))])})"


EXPRESSIONS = st.recursive(
    st.one_of(NAMES, LITERALS),
    lambda inner: st.one_of(
        st.builds("({}) {} ({})".format, inner, OPERATORS, inner),
        st.builds("({}).{}".format, inner, NAMES),
        st.builds("({})[{}]".format, inner, inner),
        st.builds("-({})".format, inner),
        st.builds("({}) {} {}".format, inner, st.sampled_from(["is", "as"]), TYPES),
        st.builds(_call, inner, st.sampled_from(sorted(FUNCTIONS)), st.lists(inner, min_size=2, max_size=3), TYPES),
    ),
    max_leaves=12,
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.decimals(),
        st.sampled_from(["2014", "2014-02-30", "10:30", "a", "", "#p", "Patient", "\ud800", "1 'mg'", "[("]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "resourceType",
                    "id",
                    "name",
                    "_name",
                    "given",
                    "_given",
                    "family",
                    "birthDate",
                    "_birthDate",
                    "contact",
                    "deceasedBoolean",
                    "_deceasedDateTime",
                    "extension",
                    "url",
                    "valueQuantity",
                    "valueDate",
                    "contained",
                    "value",
                    "code",
                    "system",
                    "reference",
                    "text",
                    "div",
                ]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
RESOURCES = st.one_of(
    VALUES,
    st.builds(lambda value: {**value, "resourceType": "Patient"} if isinstance(value, dict) else value, VALUES),
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(EXPRESSIONS, RESOURCES, st.sampled_from(["4.0", "3.0"]))
def test_only_our_errors_escape(expression: str, resource: Any, version: Any) -> None:
    try:
        compiled = compile_expression(expression, version=version)
    except FhirPathError:
        return
    before = repr(resource)
    for judge in (
        lambda: compiled.evaluate(resource),
        lambda: compiled.holds(resource, Scope(resource, effort=100_000)),
        lambda: compiled.for_type("Patient").evaluate(resource),
    ):
        with contextlib.suppress(FhirPathError):
            judge()
    assert repr(resource) == before, "the data was changed"


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.text("abc.()[]{}'`\"\\|&<>=~!%$@/*-+0123456789T:Z ", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        compile_expression(text).evaluate({"resourceType": "Patient"})
    except FhirPathError as error:
        assert error.position is None or 0 <= error.position <= len(text)
