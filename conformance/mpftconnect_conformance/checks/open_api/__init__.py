"""The checks of the pack open-api."""

from __future__ import annotations

from mpftconnect.conformance import Catch, Check, Evidence, Outcome
from mpftconnect_conformance.checks.dtac_2_0 import judge_documents
from mpftconnect_conformance.checks.open_api.answering import (
    ask_access,
    ask_discovery,
    ask_errors,
    ask_request_id,
    ask_tls,
    judge_access,
    judge_discovery,
    judge_errors,
    judge_request_id,
    judge_tls,
)
from mpftconnect_conformance.checks.open_api.described import ask_document
from mpftconnect_conformance.checks.open_api.document import (
    judge_deprecation,
    judge_document,
    judge_examples,
    judge_functions,
    judge_limits,
    judge_sandbox,
    judge_version,
)
from mpftconnect_conformance.checks.open_api.generated import ask_generated, judge_generated

__all__ = ["CHECKS"]


def _catches(*faults: str) -> tuple[Catch, ...]:
    return tuple(Catch("uk-core", fault) for fault in faults)


def _judge_terms(evidence: Evidence) -> Outcome:
    return judge_documents(("api-documentation", "access-terms"), evidence)


def _judge_listing(evidence: Evidence) -> Outcome:
    return judge_documents(("api-catalogue-entry", "service-level"), evidence)


_STATIC = (
    (1, judge_document, ("oas-behind-login", "oas-invalid", "oas-parameter-untyped", "oas-flow-without-token")),
    (8, judge_version, ("oas-version-unsaid",)),
    (9, judge_examples, ("oas-example-broken",)),
    (10, judge_sandbox, ("oas-sandbox-unnamed",)),
    (11, judge_limits, ("oas-limit-unsaid",)),
    (12, judge_deprecation, ("oas-sunset-unsaid",)),
    (13, judge_functions, ("oas-function-missing",)),
)

CHECKS = [
    *(
        Check(name=f"open-api#{number}", probe=ask_document, judge=judge, patient=False, catches=_catches(*faults))
        for number, judge, faults in _STATIC
    ),
    Check(
        name="open-api#2",
        probe=ask_access,
        judge=judge_access,
        people=("full",),
        catches=_catches("open-to-all", "refusal-without-challenge"),
    ),
    Check(
        name="open-api#3",
        probe=ask_tls,
        judge=judge_tls,
        patient=False,
        catches=_catches("old-tls", "certificate-expired", "hsts-missing"),
    ),
    Check(name="open-api#4", judge=_judge_terms, patient=False),
    Check(name="open-api#5", probe=ask_generated, judge=judge_generated, catches=_catches("answers-unlike-oas")),
    Check(name="open-api#6", probe=ask_errors, judge=judge_errors, catches=_catches("errors-as-pages")),
    Check(
        name="open-api#7",
        probe=ask_discovery,
        judge=judge_discovery,
        patient=False,
        catches=_catches("oas-scheme-missing", "discovery-missing"),
    ),
    Check(
        name="open-api#14",
        probe=ask_request_id,
        judge=judge_request_id,
        patient=False,
        catches=_catches("request-id-dropped"),
    ),
    Check(name="open-api#15", judge=_judge_listing, patient=False),
]
