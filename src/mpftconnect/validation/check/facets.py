"""What one ElementDefinition demands of a single value, beyond its type: one small closure for each facet."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.check.invariants import STRUCTURAL
from mpftconnect.validation.check.limits import compare
from mpftconnect.validation.check.narrative_control import narrative_control
from mpftconnect.validation.check.references import compile_reference
from mpftconnect.validation.check.run import Run
from mpftconnect.validation.check.values import equal, fits
from mpftconnect.validation.compile.element import Element, TypeRef
from mpftconnect.validation.fast import recipes
from mpftconnect.validation.fast.recipes import described
from mpftconnect.validation.places import Place

if TYPE_CHECKING:
    from mpftconnect.validation.check.compiler import Checks

__all__ = ["Facet", "compile_facets"]

Facet = Callable[[Any, Place, Run], None]
_LONGEST_FOR_REGEX = 2000
# A repeated group that itself repeats can take exponential time; such a pattern is not run.
_CATASTROPHIC = re.compile(r"[*+}]\)+[*+{]|\|[^)]*\)[*+]")


def compile_facets(
    checks: Checks, element: Element, ref: TypeRef, profile: str | None, inherited: frozenset[str]
) -> list[Facet]:
    """The facets of an element for one of its types. `inherited`: invariants that the type itself checks."""
    facets: list[Facet] = []
    if element.fixed is not None:
        facets.append(_fixed(element.fixed, profile))
    if element.pattern is not None:
        facets.append(_pattern(element.pattern, profile))
    if element.min_value is not None or element.max_value is not None:
        facets.append(_limits(element, ref, profile))
    if element.max_length is not None:
        facets.append(_max_length(element.max_length, profile))
    if element.min_length is not None:
        facets.append(_min_length(element.min_length, profile))
    if "regex" in element.extensions and not element.path[:1].islower():  # a primitive's own form is checked anyway
        facets.append(_regex(str(element.extensions["regex"]), profile))
    if element.binding is not None and (
        element.binding.strength in ("required", "extensible") or element.binding.max_value_set
    ):
        binding, code = element.binding, ref.code
        facets.append(
            described(
                lambda value, place, run: run.checks.coded.check(value, code, binding, place, run, profile),
                recipes.Bound(binding, code, profile),
            )
        )
    if ref.code == "Reference":
        reference = compile_reference(checks, ref, profile)
        facets.append(
            described(
                lambda value, place, run: reference(value, place, run) if value.__class__ is dict else None,
                recipes.recipe_of(reference),
            )
        )
    type_name = checks.type_name(element, ref)
    constraints = [
        (constraint, checks.invariants.compile(constraint, type_name))
        for key, constraint in element.constraints.items()
        if key not in STRUCTURAL and key not in inherited
    ]
    if ref.code == "Narrative":
        facets.extend(narrative_control(element, profile))
    if constraints:
        facets.append(
            described(
                lambda value, place, run: run.checks.invariants.check(constraints, value, place, run, profile),
                recipes.Constraints(tuple(constraints), profile),
            )
        )
    return facets


def _fixed(fixed: tuple[str, Any], profile: str | None) -> Facet:
    wanted = fixed[1]
    words = _words(wanted)

    def check(value: Any, place: Place, run: Run) -> None:
        if not equal(value, wanted):
            run.error("fixed", place, f"must be exactly {words}", profile)

    return described(check, recipes.Equals(wanted)) if isinstance(wanted, str | bool) else check


def _words(wanted: Any) -> str:
    """A fixed value in words; it is the profile's, not the patient's."""
    if isinstance(wanted, dict | list):
        text = json.dumps(wanted, default=str, ensure_ascii=False)
    else:
        text = str(wanted).lower() if isinstance(wanted, bool) else str(wanted)
    return text if len(text) <= 200 else text[:197] + "..."


def _pattern(pattern: tuple[str, Any], profile: str | None) -> Facet:
    wanted = pattern[1]
    words = _words(wanted)

    def check(value: Any, place: Place, run: Run) -> None:
        if not fits(value, wanted):
            run.error("pattern", place, f"must hold at least {words}", profile)

    return described(check, recipes.Equals(wanted)) if isinstance(wanted, str | bool) else check


def _limits(element: Element, ref: TypeRef, profile: str | None) -> Facet:
    least = element.min_value[1] if element.min_value else None
    most = element.max_value[1] if element.max_value else None

    def check(value: Any, place: Place, run: Run) -> None:
        for rule, limit, wrong, words in (("min-value", least, -1, "at least"), ("max-value", most, 1, "at most")):
            if limit is None:
                continue
            outcome = compare(value, limit)
            if outcome is None:
                run.not_checked(
                    rule, place, "its value and the limit cannot be compared", decisive=True, profile=profile
                )
            elif outcome == wrong:
                run.error(rule, place, f"must be {words} {_words(limit)}", profile)

    return check


def _max_length(most: int, profile: str | None) -> Facet:
    def check(value: Any, place: Place, run: Run) -> None:
        if isinstance(value, str) and len(value) > most:
            run.error("max-length", place, f"must have at most {most} characters, and has {len(value)}", profile)

    return described(check, recipes.Longest(most))


def _min_length(least: int, profile: str | None) -> Facet:
    def check(value: Any, place: Place, run: Run) -> None:
        if isinstance(value, str) and len(value) < least:
            run.error("min-length", place, f"must have at least {least} characters, and has {len(value)}", profile)

    return check


def _regex(pattern: str, profile: str | None) -> Facet:
    compiled: re.Pattern[str] | None
    try:
        compiled = None if _CATASTROPHIC.search(pattern) or len(pattern) > 1000 else re.compile(pattern)
    except re.error:
        compiled = None

    def check(value: Any, place: Place, run: Run) -> None:
        text = value if isinstance(value, str) else str(value)
        if compiled is None or len(text) > _LONGEST_FOR_REGEX:
            run.not_checked("regex", place, "its pattern cannot be run safely", decisive=True, profile=profile)
        elif compiled.fullmatch(text) is None:
            run.error("regex", place, "must have the form that its definition demands", profile)

    return check
