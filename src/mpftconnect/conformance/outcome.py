"""What a judgement says: a status, how much was observed, what was found, and the likely cause.

The words are those of the suite's rules: a pass needs at least one observation, and a failure never says "supplier"
unless an observation rules the other causes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from mpftconnect.errors import UsageError

__all__ = ["ORDER", "UNDECIDING", "Cause", "CauseKind", "Finding", "Outcome", "Status", "worst"]

MOST_FINDINGS = 25


class Status(StrEnum):
    """What became of one requirement. The values are permanent: reports and people's filters use them."""

    FAIL = "fail"  # observed not to be so
    ERROR = "error"  # our own fault, or one between us and the system
    INCONCLUSIVE = "inconclusive"  # tried, and what came back does not decide it
    NOT_TESTED = "not-tested"  # not tried, and why
    NOT_OFFERED = "not-offered"  # the supplier declares that the product does not offer it
    NOT_ASKED = "not-asked"  # the standard itself excuses the question
    EVIDENCE_FOUND = "evidence-found"  # a document is there and in date; nobody has judged it
    ATTESTED = "attested"  # a named person says so
    PASS = "pass"  # noqa: S105 - observed to be so
    NOT_APPLICABLE = "not-applicable"  # outside the order
    RECORDED = "recorded"  # outside the order


ORDER: tuple[Status, ...] = tuple(Status)[:9]
"""Worst first; `not-applicable` and `recorded` stand outside."""

UNDECIDING = frozenset({Status.ERROR, Status.INCONCLUSIVE, Status.NOT_TESTED})


def worst(statuses: Iterable[Status]) -> Status | None:
    """The worst of those that have a place in the order; None if none has.

    >>> worst([Status.PASS, Status.RECORDED, Status.NOT_TESTED])
    <Status.NOT_TESTED: 'not-tested'>
    """
    return min((s for s in statuses if s in ORDER), key=ORDER.index, default=None)


class CauseKind(StrEnum):
    """Where a non-pass most likely comes from."""

    SUPPLIER = "supplier"  # only where an observation rules the others out
    TEST_DATA = "test-data"
    ENVIRONMENT = "environment"
    TERMINOLOGY = "terminology"  # or definitions: what is needed to judge is not here
    HARNESS = "harness"
    SPECIFICATION = "specification"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The likely cause of a non-pass.

    Args:
        kind: Where it most likely lies.
        because: The observation that says so, in our words. Never a value.
        otherwise: What else it could be.
        mend: What would mend it.
        ruled_out: For `supplier`: which observation rules the other causes out. Required there.
    Raises:
        UsageError: It says `supplier` and rules nothing out.
    """

    kind: CauseKind
    because: str
    otherwise: str = ""
    mend: str = ""
    ruled_out: str = ""

    def __post_init__(self) -> None:
        if self.kind is CauseKind.SUPPLIER and not self.ruled_out:
            raise UsageError("a cause is the supplier only where an observation rules the others out: say which")

    def as_dict(self) -> dict[str, str]:
        return {
            name: str(value)
            for name in ("kind", "because", "ruled_out", "otherwise", "mend")
            if (value := getattr(self, name))
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found not to be as required.

    Args:
        rule: Permanent name of what was broken, in the check's own words: `fhir-version`, `cardinality-min`.
        message: One sentence: what is expected, and what is so instead. Never a value of a patient.
        exchange: The `Recorded.id` in which it shows; empty if it shows in none.
        place: Where in it, as FHIRPath or the name of a header.
    """

    rule: str
    message: str
    exchange: str = ""
    place: str = ""

    def as_dict(self) -> dict[str, str]:
        return {name: value for name in ("rule", "message", "exchange", "place") if (value := str(getattr(self, name)))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a judgement says of one requirement. Made by the functions below, which keep its promises.

    Args:
        observations: How many observations it stands on.
        reason: One sentence, for whatever is no pass.
        findings: What was found, the first of them; `more_findings` counts the rest.
        cause: The likely cause, for `fail`, `error` and `inconclusive`.
        notes: What must be said beside it: "restated rules", "3 codes not checked".
        observed: What was observed, in one line for a reader: "41 resources of 12 types".
    Raises:
        UsageError: A pass without an observation, or a failure without a finding or a cause.
    """

    status: Status
    observations: int = 0
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    more_findings: int = 0
    cause: Cause | None = None
    notes: tuple[str, ...] = ()
    observed: str = ""

    def __post_init__(self) -> None:
        if self.status is Status.PASS and self.observations < 1:
            raise UsageError("a pass needs at least one observation")
        if self.status is Status.FAIL and not (self.findings and self.cause):
            raise UsageError("a failure needs a finding and a likely cause")
        if self.status not in (Status.PASS, Status.FAIL, Status.RECORDED, Status.ATTESTED) and not self.reason:
            raise UsageError(f"{self.status} needs a reason")

    @classmethod
    def passed(cls, observations: int, observed: str = "", *, notes: Sequence[str] = ()) -> Outcome:
        """Met, as far as was observed; inconclusive if nothing was.

        >>> Outcome.passed(0).status
        <Status.INCONCLUSIVE: 'inconclusive'>
        """
        if observations < 1:
            return cls.inconclusive(
                "nothing was observed that could decide it",
                Cause(
                    kind=CauseKind.TEST_DATA,
                    because="no answer holds anything of the kind that the requirement speaks of",
                    otherwise="the product does not offer it",
                    mend="enter the test people with what their sheet lists, or declare that it is not offered",
                ),
                notes=notes,
            )
        return cls(status=Status.PASS, observations=observations, observed=observed, notes=tuple(notes))

    @classmethod
    def failed(
        cls,
        findings: Sequence[Finding],
        cause: Cause,
        *,
        observations: int = 1,
        observed: str = "",
        notes: Sequence[str] = (),
    ) -> Outcome:
        return cls(
            status=Status.FAIL,
            observations=observations,
            reason=findings[0].message if findings else "",
            findings=tuple(findings[:MOST_FINDINGS]),
            more_findings=max(0, len(findings) - MOST_FINDINGS),
            cause=cause,
            notes=tuple(notes),
            observed=observed,
        )

    @classmethod
    def inconclusive(
        cls, reason: str, cause: Cause, *, findings: Sequence[Finding] = (), notes: Sequence[str] = ()
    ) -> Outcome:
        return cls(
            status=Status.INCONCLUSIVE,
            reason=reason,
            cause=cause,
            findings=tuple(findings[:MOST_FINDINGS]),
            more_findings=max(0, len(findings) - MOST_FINDINGS),
            notes=tuple(notes),
        )

    @classmethod
    def not_tested(cls, reason: str, cause: Cause | None = None, *, notes: Sequence[str] = ()) -> Outcome:
        return cls(status=Status.NOT_TESTED, reason=reason, cause=cause, notes=tuple(notes))

    @classmethod
    def error(cls, reason: str, cause: Cause) -> Outcome:
        return cls(status=Status.ERROR, reason=reason, cause=cause)

    @classmethod
    def stated(cls, status: Status, reason: str, *, observations: int = 0, notes: Sequence[str] = ()) -> Outcome:
        """One that needs no more than a reason: `not-offered`, `not-asked`, `evidence-found`, `attested`, ..."""
        return cls(status=status, reason=reason, observations=observations, notes=tuple(notes))

    def with_notes(self, *notes: str) -> Outcome:
        return replace(self, notes=tuple(dict.fromkeys((*self.notes, *notes))))

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; what is empty is left out."""
        out: dict[str, Any] = {"status": str(self.status), "observations": self.observations}
        for name in ("observed", "reason"):
            if value := getattr(self, name):
                out[name] = value
        if self.findings:
            out["findings"] = [finding.as_dict() for finding in self.findings]
        if self.more_findings:
            out["more_findings"] = self.more_findings
        if self.cause:
            out["cause"] = self.cause.as_dict()
        if self.notes:
            out["notes"] = list(self.notes)
        return out
