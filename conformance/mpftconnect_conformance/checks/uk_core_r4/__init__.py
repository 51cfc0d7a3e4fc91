"""The checks of the pack uk-core-r4."""

from __future__ import annotations

from mpftconnect.conformance import Catch, Check
from mpftconnect_conformance.checks.uk_core_r4.coding import ask_codes, judge_codes, judge_observations
from mpftconnect_conformance.checks.uk_core_r4.extensions import ask_extensions, judge_extensions
from mpftconnect_conformance.checks.uk_core_r4.identifiers import judge_ods
from mpftconnect_conformance.checks.uk_core_r4.invariants import judge_invariants
from mpftconnect_conformance.checks.uk_core_r4.linking import ask_references, judge_references
from mpftconnect_conformance.checks.uk_core_r4.must_support import (
    ask_full,
    ask_sparse,
    judge_fillers,
    judge_must_support,
)
from mpftconnect_conformance.checks.uk_core_r4.plan import ask_plan, judge_plan
from mpftconnect_conformance.checks.uk_core_r4.searching import ask_searches, judge_searches
from mpftconnect_conformance.checks.uk_core_r4.statement import ask_statement, judge_statement
from mpftconnect_conformance.checks.uk_core_r4.validity import ask_both, judge_drafts, judge_validity

__all__ = ["CHECKS"]


def _catches(*faults: str) -> tuple[Catch, ...]:
    return tuple(Catch("uk-core", fault) for fault in faults)


FULL, BOTH = ("full",), ("full", "sparse")

CHECKS = [
    Check(
        name="uk-core-r4#1",
        probe=ask_statement,
        judge=judge_statement,
        patient=False,
        catches=_catches("wrong-fhir-version", "guide-unsaid"),
    ),
    Check(
        name="uk-core-r4#2",
        probe=ask_both,
        judge=judge_validity,
        people=BOTH,
        catches=_catches("invalid-resource"),
    ),
    Check(
        name="uk-core-r4#5",
        probe=ask_full,
        judge=judge_ods,
        people=FULL,
        catches=_catches("ods-system-misspelt", "ods-code-misshapen"),
    ),
    Check(
        name="uk-core-r4#6",
        probe=ask_full,
        judge=judge_must_support,
        people=FULL,
        catches=_catches("must-support-dropped"),
    ),
    Check(
        name="uk-core-r4#7",
        probe=ask_extensions,
        judge=judge_extensions,
        people=FULL,
        writes=True,
        catches=_catches("modifier-extension-accepted", "modifier-extension-inside-accepted", "extension-refused"),
    ),
    Check(
        name="uk-core-r4#8",
        probe=ask_sparse,
        judge=judge_fillers,
        people=("sparse",),
        catches=_catches("filler"),
    ),
    Check(
        name="uk-core-r4#9",
        probe=ask_searches,
        judge=judge_searches,
        people=FULL,
        catches=_catches(
            "dropped-page",
            "lying-total",
            "repeated-page",
            "another-subject",
            "unknown-parameter-ignored",
            "wrong-patient",
        ),
    ),
    Check(
        name="uk-core-r4#10",
        probe=ask_references,
        judge=judge_references,
        people=FULL,
        may_write=True,
        catches=_catches(
            "dangling-reference",
            "dangling-team-member",
            "contained-missing",
            "unstable-id",
            "id-left-out",
            "full-url-disagrees",
            "version-moves-by-itself",
            "last-updated-moves-by-itself",
            "version-stands-still",
        ),
    ),
    Check(
        name="uk-core-r4#11",
        probe=ask_codes,
        judge=judge_codes,
        people=FULL,
        may_write=True,
        catches=_catches("wrong-display", "display-dropped", "description-for-concept", "words-replaced"),
    ),
    Check(
        name="uk-core-r4#12",
        probe=ask_full,
        judge=judge_observations,
        people=FULL,
        catches=_catches("vital-sign-unit", "vital-sign-without-loinc", "laboratory-unsaid"),
    ),
    Check(
        name="uk-core-r4#13",
        probe=ask_full,
        judge=judge_invariants,
        people=FULL,
        catches=_catches("not-done-without-reason"),
    ),
    Check(
        name="uk-core-r4#14",
        probe=ask_plan,
        judge=judge_plan,
        people=FULL,
        catches=_catches("plan-without-goal"),
    ),
    Check(
        name="uk-core-r4#15",
        probe=ask_both,
        judge=judge_drafts,
        people=BOTH,
        catches=_catches("draft-profile-broken"),
    ),
]
