"""What a validation found: rules with permanent names, findings, what was not checked, and the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["RULES", "Finding", "NotChecked", "Report", "Severity", "Verdict"]

Severity = Literal["fatal", "error", "warning", "information"]
Verdict = Literal["valid", "invalid", "undecided"]

# Rule -> FHIR issue type and what it says. Names are permanent: reports and users' filters refer to them.
# An invariant's rule is its own key (`pat-1`), and its issue type `invariant`.
RULES: dict[str, tuple[str, str]] = {
    "json-syntax": ("invalid", "The text is JSON"),
    "json-duplicate": ("invalid", "No property of an object is repeated"),
    "json-comment": ("invalid", "JSON has no comments"),
    "json-null": ("invalid", "null stands only in a list of primitives beside extensions"),
    "json-empty-array": ("invalid", "A list is left out rather than empty"),
    "json-list": ("structure", "An element that repeats is a JSON array, another is not"),
    "json-object": ("structure", "A complex element is a JSON object, a primitive is not"),
    "json-pairs": ("structure", "A list of primitives and its list of extensions have the same length"),
    "xml-syntax": ("invalid", "The text is XML, without document type or entities"),
    "xml-namespace": ("structure", "FHIR elements are of the FHIR namespace"),
    "xml-attribute": ("structure", "An element has no other attribute than FHIR gives it"),
    "xml-text": ("structure", "An element holds no text; values are attributes"),
    "xml-order": ("structure", "XML elements stand in the order of the definition"),
    "unreadable": ("invalid", "An input can be read"),
    "encoding": ("invalid", "The text is UTF-8"),
    "too-deep": ("too-costly", "Nesting stays within the limit"),
    "too-large": ("too-costly", "The input stays within the limit"),
    "resource-type": ("structure", "resourceType names a type that is loaded, concrete and allowed here"),
    "element-unknown": ("structure", "Only elements of the definition are used"),
    "element-empty": ("invariant", "ele-1: every element has a value or children"),
    "cardinality-min": ("structure", "An element stands at least as often as required"),
    "cardinality-max": ("structure", "An element stands at most as often as allowed"),
    "type": ("structure", "A value is of an allowed type"),
    "choice": ("structure", "A choice element has one of its allowed types"),
    "primitive-form": ("invalid", "A primitive has the form of its type"),
    "value-required": ("invalid", "A primitive has a value, where the profile demands one"),
    "fixed": ("value", "An element equals its fixed value"),
    "pattern": ("value", "An element fits its pattern"),
    "min-value": ("invalid", "A value is not under its least"),
    "max-value": ("invalid", "A value is not over its greatest"),
    "min-length": ("invalid", "A text is not shorter than allowed"),
    "max-length": ("invalid", "A text is not longer than allowed"),
    "regex": ("invalid", "A text has the form that its definition demands"),
    "binding-required": ("code-invalid", "A code is of the value set that is required"),
    "binding-extensible": ("code-invalid", "A code is of the extensible value set, if that holds its concept"),
    "binding-maximum": ("code-invalid", "A code is of the greatest value set allowed"),
    "code-unknown": ("code-invalid", "A code exists in its code system"),
    "code-system-form": ("code-invalid", "A code system is named by its address"),
    "display": ("invalid", "A display is one that the code system gives"),
    "ucum": ("code-invalid", "A unit is of the UCUM grammar"),
    "slice-closed": ("invalid", "Every item belongs to a slice, where slicing is closed"),
    "slice-order": ("structure", "Slices stand in order, where slicing is ordered"),
    "slice-min": ("structure", "A slice has at least as many items as required"),
    "slice-max": ("structure", "A slice has at most as many items as allowed"),
    "profile-none": ("structure", "A value fits one of the profiles of its type"),
    "profile-unknown": ("not-found", "A profile that is named is loaded"),
    "profile-type": ("structure", "A profile is of the resource's type"),
    "profile-abstract": ("structure", "A profile that is abstract is not used itself"),
    "extension-unknown": ("structure", "An extension is defined in a loaded package"),
    "extension-url": ("invalid", "An extension has an absolute URL without version"),
    "extension-context": ("structure", "An extension stands where it may be used"),
    "extension-modifier": ("structure", "A modifier extension stands in modifierExtension, another in extension"),
    "reference-form": ("structure", "A reference has the form of a reference"),
    "reference-type": ("structure", "A reference points at an allowed type"),
    "reference-profile": ("structure", "What is referred to fits a profile that is demanded of it"),
    "reference-aggregation": ("structure", "What is referred to is contained, in the Bundle or elsewhere, as allowed"),
    "reference-resolve": ("structure", "A reference into the same document leads somewhere"),
    "contained": ("structure", "Contained resources are as the specification allows"),
    "narrative-xml": ("invalid", "A narrative is well-formed XHTML"),
    "narrative-div": ("invalid", "A narrative is one div"),
    "narrative-namespace": ("invalid", "A narrative is of the XHTML namespace"),
    "narrative-link": ("invalid", "A narrative's links can be followed"),
    "narrative-image": ("invalid", "A narrative's images can be shown"),
    "narrative-control": ("business-rule", "A narrative says its sources and languages where a profile demands it"),
    "html-in-text": ("invalid", "A text holds no HTML tags, where that is asked for"),
    "example-url": ("invalid", "No example address is used, where that is asked for"),
    "bundle": ("invalid", "A Bundle is as its type demands"),
    "bundle-full-url": ("invalid", "An entry's fullUrl identifies its resource"),
    "bundle-reference": ("invalid", "References inside a Bundle lead to one entry"),
    "questionnaire-missing": ("required", "The questionnaire that is answered is loaded"),
    "questionnaire-item": ("structure", "Answers follow the items of the questionnaire"),
    "questionnaire-required": ("required", "A required item has an answer"),
    "questionnaire-answer": ("invariant", "An answer is of the type and options of its question"),
    "questionnaire-enabled": ("invalid", "Only enabled items have answers"),
    "definition": ("business-rule", "A conformance resource is consistent in itself"),
    "must-support": ("informational", "A profile's must-support elements are shown, where that is asked for"),
    "restated-rules": ("informational", "Rules of ours that restate a published profile are named as such"),
    "publication": ("business-rule", "Publication rules, where they are asked for"),
    "not-checked": ("incomplete", "A rule could not be evaluated"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Attributes:
        severity: `fatal`, `error`, `warning` or `information`; the first two make the resource invalid.
        code: FHIR issue type.
        expression: Where, as FHIRPath.
        line: Line of the file, from 1; None for what was given as a dict.
        column: Column, from 1.
        rule: Which rule: a name of `RULES`, or the key of an invariant.
        profile: Address of the profile or type that demands it.
        message: One sentence: what is expected. Never a value, unless values were asked for.
    """

    severity: Severity
    code: str
    expression: str
    line: int | None
    column: int | None
    rule: str
    profile: str | None
    message: str


@dataclass(frozen=True, slots=True)
class NotChecked:
    """A rule that could not be evaluated, and why. `decisive`: broken, it would make the resource invalid."""

    expression: str
    rule: str
    reason: str
    decisive: bool
    profile: str | None = None


class Report:
    """What a validation found. It is about structure; it says nothing clinical. Immutable.

    `profiles` are those that were applied; `restated` the packs of restated rules (`name@version`) that it rests on.

    Places and positions are worked out when `findings` or `not_checked` are first read, so a resource of which only
    the verdict is wanted costs less.
    """

    __slots__ = ("_decisive", "_findings", "_invalid", "_make", "_not_checked", "profiles", "restated")

    def __init__(
        self,
        findings: Iterable[Finding] = (),
        not_checked: Iterable[NotChecked] = (),
        profiles: tuple[str, ...] = (),
        restated: tuple[str, ...] = (),
    ) -> None:
        self._findings: tuple[Finding, ...] | None = tuple(findings)
        self._not_checked: tuple[NotChecked, ...] | None = tuple(not_checked)
        self._make: Callable[[], tuple[list[Finding], list[NotChecked]]] | None = None
        self._invalid = any(finding.severity in ("error", "fatal") for finding in self._findings)
        self._decisive = any(item.decisive for item in self._not_checked)
        self.profiles = profiles
        self.restated = restated

    @classmethod
    def later(
        cls,
        make: Callable[[], tuple[list[Finding], list[NotChecked]]],
        *,
        invalid: bool,
        decisive: bool,
        profiles: tuple[str, ...],
        restated: tuple[str, ...] = (),
    ) -> Report:
        """A report whose findings are made when they are read."""
        report = cls(profiles=profiles, restated=restated)
        report._findings = report._not_checked = None
        report._make, report._invalid, report._decisive = make, invalid, decisive
        return report

    @classmethod
    def unreadable(cls, reason: str) -> Report:
        """The report on an input that could not be read."""
        return cls((Finding("fatal", "invalid", "", None, None, "unreadable", None, reason),))

    def _made(self) -> None:
        if self._make is not None:
            findings, not_checked = self._make()
            self._findings, self._not_checked, self._make = tuple(findings), tuple(not_checked), None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, or worth knowing, in the order in which it was found."""
        self._made()
        return self._findings or ()

    @property
    def not_checked(self) -> tuple[NotChecked, ...]:
        """What could not be judged, and why."""
        self._made()
        return self._not_checked or ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Report) and (self.findings, self.not_checked, self.profiles) == (
            other.findings,
            other.not_checked,
            other.profiles,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        by = ", restated rules" if self.restated else ""
        return f"Report({self.verdict!r}, {len(self.findings)} findings, {len(self.not_checked)} not checked{by})"

    @property
    def verdict(self) -> Verdict:
        """`invalid` beats `undecided` beats `valid`."""
        return "invalid" if self._invalid else "undecided" if self._decisive else "valid"

    @property
    def codes_not_checked(self) -> int:
        """How many codes could not be judged against their value set or code system."""
        return sum(1 for item in self.not_checked if item.rule.startswith(("binding", "code", "display")))

    def to_operation_outcome(self) -> dict[str, Any]:
        """The report as a FHIR R4 OperationOutcome; what was not checked is information."""
        return {"resourceType": "OperationOutcome", "issue": list(self._issues())}

    def _issues(self) -> Iterator[dict[str, Any]]:
        for finding in self.findings:
            issue: dict[str, Any] = {
                "severity": finding.severity,
                "code": finding.code,
                "details": {
                    "coding": [{"system": "urn:mpftconnect:validation-rule", "code": finding.rule}],
                    "text": finding.message,
                },
            }
            where = [f"{finding.profile}"] if finding.profile else []
            if finding.line is not None:
                where.append(f"line {finding.line}, column {finding.column}")
            if where:
                issue["diagnostics"] = "; ".join(where)
            if finding.expression:
                issue["expression"] = [finding.expression]
            yield issue
        for item in self.not_checked:
            yield {
                "severity": "warning" if item.decisive else "information",
                "code": "incomplete",
                "details": {"text": f"not checked ({item.rule}): {item.reason}"},
                **({"expression": [item.expression]} if item.expression else {}),
            }
        if not self.findings and not self.not_checked:
            yield {
                "severity": "information",
                "code": "informational",
                "details": {"text": "structurally valid; not clinically validated"},
            }
