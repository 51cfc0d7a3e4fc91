"""The page about the engine keeps to the engine."""

from __future__ import annotations

from pathlib import Path

from mpftconnect.validation.fhirpath.errata import ERRATA
from mpftconnect.validation.fhirpath.functions import FUNCTIONS
from mpftconnect.validation.fhirpath.lexer import LONGEST_EXPRESSION
from mpftconnect.validation.fhirpath.parser import DEEPEST

PAGE = (Path(__file__).parents[3] / "docs" / "validation" / "fhirpath.md").read_text(encoding="utf-8")


def test_the_page_lists_every_erratum() -> None:
    rows = [f"| {', '.join(each.versions)} | {each.key} | {each.reason} |" for each in ERRATA]
    table = PAGE.partition("<!-- errata: begin -->")[2].partition("<!-- errata: end -->")[0].strip()
    assert table == "\n".join(["| FHIR | Constraint | Why, and where the right text stands |", "|---|---|---|", *rows])


def test_the_page_names_the_functions_that_n1_does_not_have() -> None:
    beyond = {
        *("sort", "lowBoundary", "highBoundary", "precision", "comparable", "encode", "decode", "escape", "unescape"),
        *("trim", "split", "join", "lastIndexOf", "matchesFull", "extension", "hasValue", "getValue", "resolve"),
        *("memberOf", "conformsTo", "htmlChecks"),
    }
    assert beyond <= FUNCTIONS.keys()
    for name in beyond:
        assert f"`{name}`" in PAGE, name
    for name in ("subsumes", "elementDefinition", "slice", "checkModifiers"):
        assert f"`{name}()`" in PAGE, name


def test_the_page_states_the_limits() -> None:
    assert f"{LONGEST_EXPRESSION:,} characters and nests at most {DEEPEST} deep" in PAGE
