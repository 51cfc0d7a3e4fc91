"""Codes that were found to be of a value set before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.check.coded import not_loaded
from mpftconnect.validation.fast.recipes import Bound, Check

if TYPE_CHECKING:
    from mpftconnect.validation.check.coded import Coded
    from mpftconnect.validation.check.run import Run
    from mpftconnect.validation.places import Place

__all__ = ["Known", "known_codes", "quick_binding", "quick_coding"]

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

    required = binding.strength == "required"
    profile = bound.profile
    if binding.strength not in ("required", "extensible"):
        return check

    def concept(value: dict[str, Any], place: Place, run: Run) -> None:
        codings = value.get("coding")
        if codings.__class__ is list and codings:
            first = codings[0]
            if first.__class__ is dict:
                system, code = first.get("system"), first.get("code")
                if system.__class__ is str and code.__class__ is str:
                    answer = run.checks.coded.value_sets.member(value_set, system, code)
                    if answer.member:
                        return
                    if answer.member is None and len(codings) == 1:
                        run.checks.coded.doubt(answer.reason, place, run, profile, required=required)
                        return
        check(value, place, run)

    return concept


def quick_coding(coded: Coded) -> Callable[[Any, Any, Any, dict[str, Any], Place, Run], None]:
    """The check of a Coding whose parts are at hand: a known code with a known display, or of a system not loaded."""
    displays: dict[str, dict[str, set[str]]] = {}
    unloaded: dict[str, str] = {}

    def look(system: str) -> None:
        if len(displays) + len(unloaded) >= _MOST:
            return
        known = coded.systems.find(system)
        if known is None:
            unloaded[system] = not_loaded(system)
        elif known.displays.__class__ is dict:
            displays[system] = known.displays

    def judge(system: Any, code: Any, display: Any, value: dict[str, Any], place: Place, run: Run) -> None:
        if code.__class__ is str and system.__class__ is str:
            names = displays.get(system)
            if names is not None:
                held = names.get(code)
                if held is not None and (display is None or (display.__class__ is str and display in held)):
                    return
            elif system in unloaded:
                run.not_checked("code-unknown", place, unloaded[system], decisive=False)
                return
            else:
                said = len(run.findings)
                coded.coding(value, place, run)
                if said == len(run.findings):  # the system's address itself is right
                    look(system)
                return
        coded.coding(value, place, run)

    return judge
