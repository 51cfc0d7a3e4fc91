"""What is read fast is judged as what is read with care."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mpftconnect.validation import Validator, xhtml
from mpftconnect.validation.formats.json_text import read_carefully, read_fast

_TEXTS = st.text(alphabet='ab:"\\, \n\t{}é', max_size=6)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=10,
)


@given(_VALUES, st.booleans(), st.sampled_from([None, 1]), st.sampled_from([(",", ":"), (", ", ": "), (" ,", " :\n")]))
def test_what_repeats_nothing_is_read_fast_and_alike(
    value: Any, escaped: bool, indent: int | None, separators: tuple[str, str]
) -> None:
    text = json.dumps(value, ensure_ascii=escaped, indent=indent, separators=separators)
    fast = read_fast(text.encode())
    if fast is not None:
        assert fast == value == read_carefully(text).value


@given(st.dictionaries(_TEXTS, _VALUES, min_size=1, max_size=3), _VALUES, st.booleans(), st.sampled_from([":", " : "]))
def test_what_is_repeated_is_never_read_fast(value: dict[str, Any], other: Any, escaped: bool, colon: str) -> None:
    key = json.dumps(next(iter(value)), ensure_ascii=escaped)
    again = f"{key}{colon}{json.dumps(other, ensure_ascii=escaped)}"
    text = json.dumps(value, ensure_ascii=escaped)[:-1] + f", {again}}}"
    assert read_fast(text.encode()) is None
    assert read_fast(f'{{"a": [{text}]}}'.encode()) is None


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": "\\u0022:"}',
        '{"a": "\\u003a", "a": 1}',
        '{"a": 1, "a": "\\u003a"}',
        '{"a": 1, "a": "\\\\u003a \\u003a"}',
        '{"a": "\\":", "a": 1}',
        '{"a": 1, "\\u0061": 1}',
        '{"a":1, "a" :1}',
    ],
)
def test_no_escape_hides_a_repeated_property(text: str) -> None:
    assert read_fast(text.encode()) is None
    assert [problem.rule for problem in read_carefully(text).problems] == ["json-duplicate"]


@example("", "")
@example(" ", "")
@given(st.text(alphabet="a <>&]\n\t\u00a0\u0001\ufffe/pbr;", max_size=12), st.sampled_from(["", " ", "\n"]))
def test_a_plain_narrative_is_judged_as_by_the_xml_reader(text: str, after: str) -> None:
    div = f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>{after}'
    quick = xhtml.read_narrative(div)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xhtml, "is_plain_narrative", lambda text: False)
        assert xhtml.read_narrative(div) == quick


@given(st.sampled_from(["active", "gender", "birthDate", "unknown", "name"]), _VALUES, st.sampled_from([1, None]))
def test_bytes_text_and_dict_have_one_verdict(core: Validator, key: str, value: Any, indent: int | None) -> None:
    resource = {"resourceType": "Patient", key: value}
    text = json.dumps(resource, indent=indent)
    of_bytes = core.validate(text.encode())
    of_dict = core.validate(resource)
    assert of_bytes.verdict == core.validate(text).verdict == of_dict.verdict
    assert {(f.rule, f.expression) for f in of_bytes.findings} == {(f.rule, f.expression) for f in of_dict.findings}
