"""Regular expressions: what they mean, and that none runs away."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mpftconnect.errors import FhirPathError, NotEvaluable
from mpftconnect.validation.fhirpath.patterns import RegularExpression, pattern
from mpftconnect.validation.fhirpath.patterns.automaton import Automaton
from mpftconnect.validation.fhirpath.patterns.syntax import read


def free(_: int) -> None:
    return None


@pytest.mark.parametrize(
    ("expression", "text", "found", "whole"),
    [
        ("a.c", "xa\ncx", True, False),
        ("^abc$", "abc", True, True),
        ("^abc$", "abc\n", True, False),
        (r"\Aabc\z", "abc\n", False, False),
        ("a|bc", "bc", True, True),
        ("", "abc", True, False),
        ("[a-c-]+", "a-b", True, True),
        ("[^a-c]", "b", False, False),
        (r"[\[\]x]{2}", "[]", True, True),
        ("[]a]+", "]a", True, True),
        (r"\d{2,3}", "1234", True, False),
        (r"\d{2,3}", "123", True, True),
        (r"x{a}", "x{a}", True, True),
        (r"\bcat\b", "a cat.", True, False),
        (r"\Bat", "cat", True, False),
        (r"\u0041\x42", "AB", True, True),
        (r"\p{Lu}\p{Ll}+", "Élan", True, True),
        (r"\P{L}", "é", False, False),
        (r"[\p{L}\d]+", "é1", True, True),
        (r"\w\W\s\S\D", "a- bc", True, True),
        ("(?i)ABC[x-z]", "abcY", True, True),
        ("(?:a(?:b|c)?){2}", "abac", True, True),
        ("(?<n>a)b", "ab", True, True),
        ("(a)\\1", "aa", True, True),
        ("a(?!b)", "ac", True, False),
        ("a(?=b)", "ac", False, False),
        ("(?<=a)b", "ab", True, False),
        ("a+?b", "aab", True, True),
    ],
)
def test_a_pattern_matches(expression: str, text: str, found: bool, whole: bool) -> None:
    assert pattern(expression).found_in(text) is found
    assert pattern(expression).is_whole(text) is whole


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        *(
            ("(", FhirPathError),
            (")", FhirPathError),
            ("*a", FhirPathError),
            ("[a", FhirPathError),
            ("a{3,2}", FhirPathError),
        ),
        *(("\\", FhirPathError), ("[z-a]", FhirPathError), (r"\u00", FhirPathError), (r"\2", FhirPathError)),
        *(("a++", NotEvaluable), ("(?>a)", NotEvaluable), ("[a&&b]", NotEvaluable), (r"\p{Greek}", NotEvaluable)),
        *(("a{9999}", NotEvaluable), (r"\Q", NotEvaluable), ("[[:alpha:]]", NotEvaluable), ("a(?i)b", NotEvaluable)),
        *(("(" * 100 + ")" * 100, NotEvaluable), ("a" * 20_000, NotEvaluable)),
    ],
)
def test_what_is_no_pattern_or_not_supported_is_told_apart(expression: str, error: type[FhirPathError]) -> None:
    with pytest.raises(FhirPathError) as raised:
        RegularExpression(expression, 4)
    assert type(raised.value) is error
    assert str(raised.value).startswith("character 5: ")


@pytest.mark.parametrize(
    "expression",
    [
        "(a+)+$",
        "(a*)*b",
        "(a|a)*b",
        "(a|aa)+$",
        "(.*a){12}b",
        "(a?){25}a{25}b",
        "a*a*a*a*a*a*a*a*b",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(x+x+)+y",
        r"(\w+\s?)*!",
    ],
)
def test_a_pattern_that_would_run_away_does_not(expression: str) -> None:
    text = "a" * 4000 + "x" * 4000
    assert pattern(expression).found_in(text + "!") in (True, False)
    assert pattern(expression).is_whole(text) is False


def test_what_can_only_be_done_by_trying_is_refused_where_it_might_run_away() -> None:
    for expression in (r"(a+)+\1$", "(?!b)(a+)+$"):
        with pytest.raises(NotEvaluable, match="safely"):
            pattern(expression).found_in("a" * 100)
    with pytest.raises(NotEvaluable, match="safely"):
        pattern("(a+)+$").replaced("a" * 100, "b")
    with pytest.raises(NotEvaluable, match="safely"):
        pattern("((a{99}){99}){9}|(b+)+").found_in("a" * 100)
    with pytest.raises(NotEvaluable, match="too long"):
        pattern("a").found_in("a" * 1_000_001)
    assert pattern("(a+)+$").replaced("aa", "b") == "b"


def test_parts_and_wholes_do_not_share_what_they_learn() -> None:
    ready = pattern(r"(?:b+)+c|\p{Lt}")
    for _ in range(2):
        assert ready.found_in("abc")
        assert not ready.is_whole("abc")
        assert ready.is_whole("bbc")


def test_a_replacement_names_groups() -> None:
    assert pattern("(?<day>\\d+)/(\\d+)").replaced("30/11 1/2", "$2-${day}\\$") == "11-30$ 2-1$"
    with pytest.raises(FhirPathError, match="a group that is not there"):
        pattern("a").replaced("a", "$3")


ATOMS = st.sampled_from(["a", "b", "c", ".", "[ab]", "[^a]", r"\w", "^", "$", r"\b", r"\B", "(?:)", "ab"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("(?:{}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,3}", "*?"])),
    ),
    max_leaves=6,
)


@settings(max_examples=600, deadline=None)
@given(PATTERNS, st.text("abc \n", max_size=8))
def test_the_automaton_and_python_agree(expression: str, text: str) -> None:
    assume(text or r"\B" not in expression)  # Python 3.14 changes what \B is of an empty text
    python = re.compile(expression, re.DOTALL | re.ASCII)
    tree = read(expression)
    assert Automaton(tree).matches(text, free, anywhere=True) is (python.search(text) is not None)
    assert Automaton(tree).matches(text, free, anywhere=False) is (python.fullmatch(text) is not None)
    ready = RegularExpression(expression, None)
    assert ready.found_in(text) is (python.search(text) is not None)
    assert ready.is_whole(text) is (python.fullmatch(text) is not None)
