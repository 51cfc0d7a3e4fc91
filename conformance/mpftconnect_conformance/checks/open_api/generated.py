"""OAPI-05: what the system answers to requests that are generated from its own OpenAPI document.

The requests are made by schemathesis (the extra `api`) and sent by the probe as all others are: GET alone, few, within
a time, and never with a number that could be a person's. The document must be whole in itself before it is handed on,
so that nothing is fetched for it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from mpftconnect.conformance import (
    Cause,
    CauseKind,
    Evidence,
    Finding,
    NotInEvidence,
    Outcome,
    Probe,
    Recorded,
    Undecided,
)
from mpftconnect.conformance.guard import PUBLISHED, numbers_in
from mpftconnect.errors import MpftConnectError
from mpftconnect.model import is_test_number
from mpftconnect_conformance.checks.open_api.described import ask_document, described, failed
from mpftconnect_conformance.oas.document import Document, Operation, document_in, faults_of, table_of
from mpftconnect_conformance.oas.schema import Schemas, TooMuch
from mpftconnect_conformance.oas.text import INSTALL, Unreadable

__all__ = ["ask_generated", "judge_generated"]

NOTE = "requests made by a generator"
_STEP = "generated"
_MOST_OPERATIONS, _EACH, _SECONDS = 10, 3, 20.0
# What redaction drops or replaces: a judgement on it would not be the same the next day.
_NOT_KEPT = frozenset(
    {"text", "note", "photo", "data", "div", "description", "comment", "display", "title", "diagnostics"}
)


def _reads(document: Document) -> list[Operation]:
    return [operation for operation in document.operations() if operation.method == "get"][:_MOST_OPERATIONS]


def ask_generated(probe: Probe) -> None:
    came = ask_document(probe)
    try:
        document = document_in((came.response_body if came.ok else b"") or b"")
    except Unreadable:
        return
    if document.external or faults_of(document):
        _note(probe, {"unfit": True})
        return
    try:
        cases = _cases(document)
        for step, path, query in cases:
            if probe.deadline.passed:
                return
            if not _names_a_person(path, query):
                probe.get(path, query or None, step=step)
    except ImportError:
        _note(probe, {"missing": "schemathesis"})


def _note(probe: Probe, facts: dict[str, Any]) -> None:
    probe.keep(Recorded(id="", step=NOTE, method="NOTE", url="", protocol="note", facts={**facts, "patient": False}))


def _names_a_person(path: str, query: list[tuple[str, str]]) -> bool:
    address = f"{path}?{'&'.join(f'{name}={value}' for name, value in query)}"
    found = numbers_in(Recorded(id="", step=_STEP, method="GET", url=address))
    return any(not is_test_number(number) and number not in PUBLISHED for number in found)


def _cases(document: Document) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Step, path below the base address, and query."""
    import schemathesis
    from hypothesis import HealthCheck, Phase, settings

    # Its own copy, of plain JSON types; only what is sent is handed on.
    paths = {
        operation.path: {
            "get": {
                "operationId": f"o{number}",
                "parameters": [
                    dict(row) for row in document.parameters(operation) if row.get("in") in ("path", "query")
                ],
                "responses": {"default": {"description": "any"}},
            }
        }
        for number, operation in enumerate(_reads(document))
    }
    components = {"schemas": table_of(table_of(document.root.get("components")).get("schemas"))}
    root = {
        "openapi": document.version,
        "info": {"title": "t", "version": "1"},
        "paths": paths,
        "components": components,
    }
    plain = json.loads(
        json.dumps(root, default=lambda value: float(value) if isinstance(value, Decimal) else str(value))
    )
    schema = schemathesis.openapi.from_dict(plain)
    until = time.monotonic() + _SECONDS
    limits = settings(
        max_examples=_EACH,
        database=None,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    for number, (path, _) in enumerate(paths.items()):
        made: list[Any] = []
        if time.monotonic() > until:
            return
        try:
            _drawn(schema[path]["GET"].as_strategy(), limits, made)
        except Exception:  # noqa: BLE001, S112 - a schema that nothing can be made of: that operation is not asked
            continue
        for index, case in enumerate(made[:_EACH]):
            query = [(str(name), str(value)) for name, value in (case.query or {}).items()]
            yield f"{_STEP} {number}.{index}", str(case.formatted_path).lstrip("/"), query


def _drawn(strategy: Any, limits: Any, made: list[Any]) -> None:
    from hypothesis import given

    def take(case: Any) -> None:  # a function of Python's own: what wraps it looks at its code
        made.append(case)

    hand_over: Any = given(strategy)
    limits(hand_over(take))()


def judge_generated(evidence: Evidence) -> Outcome:
    """Source: OpenAPI 3.0.3, Responses Object and Media Type Object."""
    document, _ = described(evidence)
    noted = evidence.every(NOTE)[0].facts if NOTE in evidence.steps(NOTE) else {}
    if noted.get("missing"):
        return Outcome.not_tested(
            f"requests are generated by schemathesis, which is not installed: {INSTALL}",
            Cause(kind=CauseKind.HARNESS, because="the extra api is not installed here", mend=INSTALL),
        )
    if noted.get("unfit"):
        raise Undecided(
            Outcome.inconclusive(
                "nothing was generated: the document is not whole in itself",
                Cause(kind=CauseKind.UNCLEAR, because="open-api#1 says what is wrong with it", mend="mend that first"),
            )
        )
    reads = _reads(document)
    schemas = Schemas(document)
    findings: list[Finding] = []
    seen = silent = 0
    steps = evidence.steps(f"{_STEP} ")
    for step in steps:
        number = step.removeprefix(f"{_STEP} ").partition(".")[0]
        if not number.isdigit() or int(number) >= len(reads):
            continue
        for found in evidence.every(step):
            if (
                found.error is not None
                or found.status is None
                or found.status >= 500
                or found.status in (401, 403, 429)
            ):
                silent += 1
                continue
            seen += 1
            fault = _unlike(document, schemas, reads[int(number)], found)
            if fault:
                message = f"{reads[int(number)].name}: {fault}"
                findings.append(Finding(rule="unlike-document", message=message, exchange=found.id, place="body"))
    notes = [f"{silent} requests were refused or broke down, and decide nothing"] if silent else []
    if findings:
        return failed(findings, "bring the document and the answers together", seen=seen)
    if not steps:
        raise NotInEvidence(NOTE)
    return Outcome.passed(seen, f"{seen} generated requests to {len(reads)} operations", notes=notes)


def _unlike(document: Document, schemas: Schemas, operation: Operation, found: Recorded) -> str:
    responses = document.responses(operation)
    status = str(found.status)
    response = responses.get(status) or responses.get(f"{status[0]}XX") or responses.get("default")
    if response is None:
        return f"status {status} is not in the document"
    content = {
        str(name).partition(";")[0].strip().lower(): row for name, row in table_of(response.get("content")).items()
    }
    if not content:
        return ""
    row = content.get(found.content_type) or content.get("*/*") or content.get("application/*")
    if row is None:
        return f"the media type of status {status} is not in the document"
    try:
        body = found.json()
    except MpftConnectError:
        return f"the body of status {status} is no JSON" if "json" in found.content_type else ""
    try:
        problems = schemas.problems(table_of(row).get("schema"), body)
    except TooMuch:
        return ""
    kept = [keyword for place, keyword in problems if place.rpartition(".")[2].partition("[")[0] not in _NOT_KEPT]
    return f"the body of status {status} breaks its schema ({kept[0]})" if kept else ""
