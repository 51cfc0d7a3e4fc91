"""Invariants: FHIRPath constraints of elements, compiled once, and what happens when one cannot be judged.

`ele-1`, `ext-1`, `dom-1` to `dom-5`, `ref-1`, `txt-1` and `txt-2` are checked structurally (two thirds of all
evaluations are `ele-1`); every other constraint goes through the FHIRPath engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mpftconnect.errors import FhirPathError, NotEvaluable
from mpftconnect.validation.check.run import Run
from mpftconnect.validation.compile.element import Constraint
from mpftconnect.validation.fhirpath import Compiled, compile_expression
from mpftconnect.validation.fhirpath.types import Version
from mpftconnect.validation.places import Place

if TYPE_CHECKING:
    from mpftconnect.validation.check.compiler import Checks

__all__ = ["STRUCTURAL", "Invariants"]

# Checked by code of their own.
STRUCTURAL = {"ele-1", "ext-1", "dom-1", "dom-2", "dom-3", "dom-4", "dom-5", "ref-1", "txt-1", "txt-2"}
_SEVERITY = {"error": "error", "warning": "warning"}
_BEST_PRACTICE = {"hint": "information", "warning": "warning", "error": "error"}


class Invariants:
    """Compiles and evaluates constraints."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._compiled: dict[tuple[str, str | None], Compiled | str] = {}

    def compile(self, constraint: Constraint, type_name: str | None) -> Compiled | str:
        """The compiled expression, or the reason why there is none."""
        if constraint.expression is None:
            return "it has no FHIRPath expression"
        return self._expression(constraint.expression, type_name)

    def _expression(self, expression: str, type_name: str | None) -> Compiled | str:
        key = (expression, type_name)
        found = self._compiled.get(key)
        if found is None:
            version: Version = "3.0" if self._checks.version == "3.0" else "4.0"
            try:
                found = compile_expression(expression, version=version, context=type_name)
            except FhirPathError as error:
                found = f"its expression cannot be read: {error}"
            self._compiled[key] = found
        return found

    def check(
        self,
        constraints: list[tuple[Constraint, Compiled | str]],
        value: Any,
        place: Place,
        run: Run,
        profile: str | None,
    ) -> None:
        """Evaluate constraints on one value."""
        off = run.options.no_invariants
        scope = run.frame.scope(run) if run.frame is not None else None
        for constraint, compiled in constraints:
            if compiled.__class__ is str or off or scope is None:
                decisive = constraint.severity == "error" and not constraint.best_practice
                reason = compiled if isinstance(compiled, str) else "invariants were switched off"
                run.not_checked(constraint.key, place, reason, decisive=decisive, profile=profile)
                continue
            try:
                held = compiled.holds(value, scope)  # type: ignore[union-attr]
            except NotEvaluable as error:
                decisive = constraint.severity == "error" and not constraint.best_practice
                run.not_checked(constraint.key, place, error.reason, decisive=decisive, profile=profile)
                continue
            except FhirPathError as error:
                # An expression that this value makes an error is a broken rule of the profile, not of the resource.
                decisive = constraint.severity == "error" and not constraint.best_practice
                run.not_checked(
                    constraint.key, place, f"its expression failed: {error}", decisive=decisive, profile=profile
                )
                continue
            if not held:
                severity = _SEVERITY.get(constraint.severity, "information")
                if constraint.best_practice:
                    severity = _BEST_PRACTICE.get(run.options.best_practice.lower(), "ignore")
                run.add(
                    severity,
                    constraint.key,
                    place,
                    f"breaks {constraint.key}: {constraint.human}",
                    constraint.source or profile,
                )

    def context(self, expression: str, item: dict[str, Any], inside: Any, place: Place, run: Run, url: str) -> None:
        """An extension's context invariant, on the element that holds it; `%extension` is the extension."""
        outer = place[0]
        compiled = self._expression(expression, None)
        if isinstance(compiled, str) or run.frame is None:
            run.not_checked("extension-context", outer, str(compiled), decisive=True, profile=url)
            return
        frame = run.frame
        kind = run.checks.type_name_at(outer, run)
        try:
            held = compiled.truth(
                inside,
                root=frame.container.resource,
                resource=frame.resource,
                environment={"extension": item},
                type_of=lambda node: kind,
            )
        except FhirPathError as error:
            run.not_checked(
                "extension-context",
                outer,
                f"its invariant could not be evaluated: {error.rule}",
                decisive=True,
                profile=url,
            )
            return
        if not held:
            run.error("extension-context", outer, f"{url} may not stand here: its context invariant is not met", url)

    def context_path(self, expression: str, place: Place, run: Run) -> bool | None:
        """Whether the element that holds an extension is among those that a FHIRPath context selects."""
        frame = run.frame
        compiled = self._expression(expression, None)
        if isinstance(compiled, str) or frame is None:
            return None
        inside = run.checks.value_at(place[0], run)
        try:
            result = compiled.evaluate(frame.resource, root=frame.container.resource, resource=frame.resource)
        except FhirPathError:
            return None
        return any(
            item is inside or (not isinstance(item, dict) and item == run.checks.primitive_at(place[0], run))
            for item in result
        )
