"""The quick tests of `validation/fast`, each by itself: what passes is right by the check that it stands for."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_values import ODD

from mpftconnect.validation.fast import folding, forms
from mpftconnect.validation.fhirpath import compile_expression
from mpftconnect.validation.primitives import PRIMITIVES

_NEAR = st.one_of(
    st.sampled_from(ODD),
    st.text(max_size=6),
    st.integers(),
    st.decimals(allow_nan=True),
    st.booleans(),
    st.dates().map(str),
    st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9](:[0-6][0-9]){2}(Z|[+-]\d\d:\d\d)", fullmatch=True),
    st.from_regex(r"[0-9W-]{10}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9.\- ]{0,66}", fullmatch=True),
    st.from_regex(r"(urn:(oid|uuid):|oid:|http://)[0-9a-f.\-\s]{0,40}", fullmatch=True),
)  # fmt: skip


@settings(max_examples=100)
@given(_NEAR)
@pytest.mark.parametrize("code", sorted(PRIMITIVES))
def test_a_form_that_passes_quickly_is_right(code: str, value: Any) -> None:
    for key in ("system", "x"):
        test = forms.form_test(code, PRIMITIVES[code], key)
        if test is not None and eval(test.format(v="value"), dict(forms.NAMES), {"value": value}):
            assert PRIMITIVES[code](value) is None
    assert len(forms.SYSTEMS) <= forms._MOST_SYSTEMS


def test_usual_values_pass_quickly() -> None:
    usual = {"code": "final", "date": "1950-03-14", "dateTime": "2026-02-01T09:30:00+01:00", "id": "a-1",
             "string": "Ann B", "uri": "https://x.y/z", "decimal": Decimal("7.20"), "positiveInt": 3,
             "boolean": True}  # fmt: skip
    for code, value in usual.items():
        test = forms.form_test(code, PRIMITIVES[code], "x")
        assert test is not None
        assert eval(test.format(v="value"), dict(forms.NAMES), {"value": value}), code


def test_what_is_remembered_of_systems_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "SYSTEMS", kept := set[str]())
    monkeypatch.setattr(forms, "_MOST_SYSTEMS", 3)
    assert all(forms.is_system(f"http://x.y/{number}") for number in range(9))
    assert len(kept) == 3
    assert not forms.is_system("http://x.y/ z")


EXPRESSIONS = [
    "start.exists() or end.empty()",
    "start.hasValue().not() or end.hasValue().not() or (start <= end)",
    "start.empty() or end.exists()",
    "start.exists() implies end.exists()",
    "start.exists() = end.exists()",
    "start.exists() != end.exists()",
    "(start.exists() and end.empty()) or extension.exists().not()",
    "id = 'a' implies end.empty()",
    "id != 'a' or (start.empty() and end.empty())",
    "extension.where(url = 'x').exists().not() or id.exists()",
    "extension.all(url = 'x')",
]
_PERIOD = st.dictionaries(
    st.sampled_from(["id", "_id", "extension", "start", "end", "_start", "_end", "value"]),
    st.sampled_from([None, "a", "", "2026", "2026-02-01", "2026-02-31", "2026-02-02", "2026-02-01T09:30:00Z",
                     "2026-02-01T09:30:60Z", "2026-02-01T08:30:00+00:00", "2026-02-01T08:30:00-01:00", [], [None], {},
                     1, {"extension": [{"url": "x", "valueCode": "y"}]}, [{"url": "x"}], [{"url": "z"}]]),
)  # fmt: skip


@settings(max_examples=100)
@given(_PERIOD)
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_invariant_that_the_shape_decides_is_true(expression: str, value: dict[str, Any]) -> None:
    compiled = compile_expression(expression, context="Period")
    variables = {key: f"v{number}" for number, key in enumerate(value)}
    test = folding.holds(compiled, variables)
    names = {f"v{number}": item for number, item in enumerate(value.values())}
    if test is not None and eval(test, dict(forms.NAMES), names):
        assert compiled.truth(value)


@pytest.mark.parametrize(
    ("expression", "keys", "test"),
    [
        ("end.empty() or start.exists()", ("start",), "True"),
        ("extension.where(url = 'x').empty()", ("start",), "True"),
        ("start.length() > 3", ("start",), None),
        ("start.single().exists() or end.empty()", ("start",), None),
    ],
)
def test_only_what_surely_holds_is_left_out(expression: str, keys: tuple[str, ...], test: str | None) -> None:
    compiled = compile_expression(expression, context="Period")
    assert folding.holds(compiled, {key: f"v{number}" for number, key in enumerate(keys)}) == test
