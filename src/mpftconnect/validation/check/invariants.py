"""Invariants: FHIRPath constraints of elements, compiled once, and what happens when one cannot be judged.

`ele-1`, `ext-1`, `dom-2` to `dom-5` and `ref-1` are checked structurally (two thirds of all evaluations are
`ele-1`); every other constraint goes through the FHIRPath engine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mpftconnect.errors import UsageError
from mpftconnect.validation.check.run import Run
from mpftconnect.validation.compile.element import Constraint
from mpftconnect.validation.places import Place

if TYPE_CHECKING:
    from mpftconnect.validation.check.compiler import Checks

__all__ = ["STRUCTURAL", "Invariants"]

# Checked by code of their own.
STRUCTURAL = {"ele-1"}
_SEVERITY = {"error": "error", "warning": "warning"}

Evaluate = Callable[[Any, Place, Run], None]


class Invariants:
    """Compiles and evaluates constraints."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._compiled: dict[tuple[str, str | None], Any] = {}

    def compile(self, constraint: Constraint, type_name: str | None) -> Any:
        """The compiled expression, or the reason (text) why there is none."""
        if constraint.expression is None:
            return "it has no FHIRPath expression"
        return self._expression(constraint.expression, type_name)

    def _expression(self, expression: str, type_name: str | None) -> Any:
        key = (expression, type_name)
        if key not in self._compiled:
            self._compiled[key] = self._compile(expression, type_name)
        return self._compiled[key]

    def _compile(self, expression: str, type_name: str | None) -> Any:
        try:
            from mpftconnect.validation.fhirpath import compile_expression
        except ImportError:
            return "there is no FHIRPath engine"
        try:
            return compile_expression(expression, version=self._checks.version)
        except UsageError as error:
            return f"its expression cannot be read: {error}"

    def check(self, constraints: list[tuple[Constraint, Any]], value: Any, type_name: str | None, place: Place, run: Run, profile: str | None) -> None:
        """Evaluate constraints on one value."""
        for constraint, compiled in constraints:
            decisive = constraint.severity == "error" and not constraint.best_practice
            if isinstance(compiled, str):
                run.not_checked(constraint.key, place, compiled, decisive=decisive, profile=profile)
                continue
            if run.options.no_invariants:
                run.not_checked(constraint.key, place, "invariants were switched off", decisive=decisive, profile=profile)
                continue
            verdict = self._evaluate(compiled, value, type_name, place, run)
            if isinstance(verdict, str):
                run.not_checked(constraint.key, place, verdict, decisive=decisive, profile=profile)
            elif not verdict:
                severity = _SEVERITY.get(constraint.severity, "information")
                if constraint.best_practice:
                    severity = {"hint": "information", "warning": "warning", "error": "error"}.get(run.options.best_practice.lower(), "ignore")
                run.add(severity, constraint.key, place, f"breaks {constraint.key}: {constraint.human}", constraint.source or profile)

    def _evaluate(self, compiled: Any, value: Any, type_name: str | None, place: Place, run: Run) -> bool | str:
        """True or False, or the reason why it could not be judged."""
        from mpftconnect.validation.fhirpath import NotEvaluable

        frame = run.frame
        resource = frame.resource if frame else None
        root = frame.container.resource if frame else None
        try:
            result = compiled.evaluate(
                value,
                root=root,
                resource=resource,
                environment=None,
                resolve=lambda reference: self._resolve(reference, run),
                conforms=lambda node, profile: self._conforms(node, profile, place, run),
                member_of=lambda node, value_set: run.checks.coded.member(node, value_set),
                type_of=type_name,
            )
        except NotEvaluable as reason:
            return str(reason)
        except RecursionError:
            return "it is nested too deep to evaluate"
        except UsageError as error:
            return f"its expression failed: {error}"
        return _truth(result)

    @staticmethod
    def _resolve(reference: Any, run: Run) -> Any:
        from mpftconnect.validation.check.references import resolve

        return resolve(reference, run)

    @staticmethod
    def _conforms(node: Any, profile: str, place: Place, run: Run) -> bool | None:
        checks = run.checks
        if not isinstance(node, dict) or not checks.has(profile):
            return None
        return checks.fits(checks.structure(profile), node, place, run)

    def context(self, expression: str, item: dict[str, Any], inside: Any, place: Place, run: Run, url: str) -> None:
        """An extension's context invariant: evaluated on the element that holds it, `%extension` being the extension."""
        compiled = self._expression(expression, None)
        outer = place[0]
        if isinstance(compiled, str):
            run.not_checked("extension-context", outer, compiled, decisive=True, profile=url)
            return
        verdict = self._evaluate_context(compiled, item, inside, place, run)
        if isinstance(verdict, str):
            run.not_checked("extension-context", outer, verdict, decisive=True, profile=url)
        elif not verdict:
            run.error("extension-context", outer, f"{url} may not stand here: its context invariant is not met", url)

    def _evaluate_context(self, compiled: Any, item: Any, inside: Any, place: Place, run: Run) -> bool | str:
        from mpftconnect.validation.fhirpath import NotEvaluable

        frame = run.frame
        try:
            result = compiled.evaluate(
                inside,
                root=frame.container.resource if frame else None,
                resource=frame.resource if frame else None,
                environment={"extension": item},
                resolve=lambda reference: self._resolve(reference, run),
                conforms=lambda node, profile: self._conforms(node, profile, place, run),
                member_of=lambda node, value_set: run.checks.coded.member(node, value_set),
                type_of=run.checks.type_name_at(place[0], run),
            )
        except NotEvaluable as reason:
            return str(reason)
        except UsageError as error:
            return f"its expression failed: {error}"
        return _truth(result)

    def context_path(self, expression: str, place: Place, run: Run) -> bool | None:
        """Whether the element that holds an extension is among those that a FHIRPath context selects."""
        compiled = self._expression(expression, None)
        frame = run.frame
        if isinstance(compiled, str) or frame is None:
            return None
        from mpftconnect.validation.fhirpath import NotEvaluable

        inside = run.checks.value_at(place[0], run)
        try:
            result = compiled.evaluate(
                frame.resource, root=frame.container.resource, resource=frame.resource, environment=None,
                resolve=lambda reference: self._resolve(reference, run), conforms=None, member_of=None,
                type_of=str(frame.resource.get("resourceType")),
            )  # fmt: skip
        except (NotEvaluable, UsageError):
            return None
        return any(item is inside or getattr(item, "value", None) is inside for item in result)


def _truth(result: list[Any]) -> bool:
    """A constraint holds if its expression is true; empty counts as broken, as the reference has it."""
    return len(result) >= 1 and all(item is True or (item.__class__ is not bool and item is not None) for item in result)
