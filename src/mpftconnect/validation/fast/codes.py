"""Codes that were found to be of a value set before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.fast.recipes import Bound, Check
from mpftconnect.validation.primitives import PRIMITIVES
from mpftconnect.validation.terminology.code_systems import CodeSystem, not_loaded

if TYPE_CHECKING:
    from mpftconnect.validation.check.coded import Coded
    from mpftconnect.validation.check.run import Run, Unchecked
    from mpftconnect.validation.places import Place

__all__ = ["Codings", "Known", "known_codes", "quick_binding"]

_MOST = 1_000
_LONGEST = 64
_is_uri, _is_code, _is_string = PRIMITIVES["uri"], PRIMITIVES["code"], PRIMITIVES["string"]


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


class Codings:
    """Codings whose parts are at hand: a known code with a known display, or a code of a system that is not loaded."""

    __slots__ = ("_coded", "right", "unloaded")

    def __init__(self, coded: Coded) -> None:
        self._coded = coded
        # By system and code: the displays that the system gives it. Only what was found to be right is here.
        self.right: dict[tuple[str, str], Iterable[str]] = {}
        self.unloaded: dict[str, str] = {}

    def judge(self, system: Any, code: Any, display: Any, value: dict[str, Any], place: Place, run: Run) -> None:
        """Judge a coding, and remember what is the same for each of its kind."""
        if code.__class__ is str and system.__class__ is str:
            reason = self.unloaded.get(system)
            if reason is not None:
                run.not_checked("code-unknown", place, reason, decisive=False)
                return
            said, open_before = len(run.findings), len(run.unchecked)
            self._coded.coding(value, place, run)
            if said == len(run.findings):
                self._remember(system, code, run.unchecked[open_before:])
            return
        self._coded.coding(value, place, run)

    def _remember(self, system: str, code: str, left_open: list[Unchecked]) -> None:
        if len(self.right) >= _MOST or len(system) > 200 or len(code) > _LONGEST:
            return
        known = self._coded.systems.find(system)
        if known is None or (known.__class__ is CodeSystem and known.is_empty):
            # Only what is said of every code of the system: another code, or another day, may be told more.
            reason = not_loaded(system)
            if [each[2] for each in left_open] == [reason] and len(self.unloaded) < _MOST:
                self.unloaded[system] = reason
        elif not left_open and known.has(code) and _is_uri(system) is None and _is_code(code) is None:
            self.right[system, code] = frozenset(
                name for name in known.displays.get(code, ()) if name and _is_string(name) is None
            )
