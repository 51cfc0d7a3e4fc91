"""Codes that were found to be of a value set before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.fast.recipes import Bound, Check

if TYPE_CHECKING:
    from mpftconnect.validation.check.coded import Coded
    from mpftconnect.validation.check.run import Run
    from mpftconnect.validation.places import Place

__all__ = ["Known", "known_codes", "quick_binding"]

_MOST = 1_000
_LONGEST = 64


@dataclass(frozen=True, slots=True)
class Known:
    """Codes of the right form that are surely of a value set. `ask` says so of one, and keeps it."""

    ask: Callable[[str], bool]
    held: set[str] = field(default_factory=set)


def known_codes(coded: Coded, bound: Bound, form: Callable[[Any], str | None]) -> Known:
    """The codes of a binding, for values that are texts."""
    binding = bound.binding
    held: set[str] = set()
    value_set = binding.value_set if binding.strength in ("required", "extensible") else None

    def ask(value: str) -> bool:
        if form(value) is not None:
            return False
        if value_set is not None and coded.value_sets.member(value_set, None, value).member is not True:
            return False
        if len(held) < _MOST and len(value) <= _LONGEST:
            held.add(value)
        return True

    return Known(ask, held)


def quick_binding(bound: Bound, check: Check) -> Check:
    """The check of a binding; a CodeableConcept whose first coding is of the value set takes the short way."""
    binding = bound.binding
    value_set = binding.value_set
    if bound.code != "CodeableConcept" or binding.max_value_set or not value_set:
        return check

    def concept(value: dict[str, Any], place: Place, run: Run) -> None:
        codings = value.get("coding")
        if codings.__class__ is list and codings:
            first = codings[0]
            if first.__class__ is dict:
                system, code = first.get("system"), first.get("code")
                if (
                    system.__class__ is str
                    and code.__class__ is str
                    and run.checks.coded.value_sets.member(value_set, system, code).member is True
                ):
                    return
        check(value, place, run)

    return concept
