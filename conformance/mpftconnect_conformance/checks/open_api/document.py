"""What the OpenAPI document says: judged by itself, without asking for more (OAPI-01, 08 to 13)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mpftconnect.conformance import Cause, CauseKind, Evidence, Finding, Outcome
from mpftconnect_conformance.checks.open_api.described import (
    DOCUMENT_LET_IN,
    body_of,
    described,
    failed,
    sent,
    unreadable,
    whole_elsewhere,
)
from mpftconnect_conformance.oas.document import Document, Operation, document_in, faults_of, leads, table_of
from mpftconnect_conformance.oas.schema import Schemas, TooMuch
from mpftconnect_conformance.oas.text import Unreadable

__all__ = [
    "judge_deprecation",
    "judge_document",
    "judge_examples",
    "judge_functions",
    "judge_limits",
    "judge_sandbox",
    "judge_version",
]

# Semantic Versioning 2.0.0, item 2 and the expression of its FAQ, shortened to what decides it.
_SEMVER = re.compile(r"v?(0|[1-9]\d{0,9})\.(0|[1-9]\d{0,9})\.(0|[1-9]\d{0,9})(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
_MAJOR = re.compile(r"/(v\d+|R\d[A-Z]?|STU\d)(/|$)", re.I)
_MEDIA_VERSION = re.compile(r";\s*(fhirVersion|version|v)\s*=|\.v\d+(\+|$)", re.I)
_CHANGELOG = re.compile(r"change ?log|release notes?|version history|change history", re.I)
_SANDBOX = re.compile(r"sandbox|mock", re.I)
_NOTICE = re.compile(
    r"deprecat[^.]{0,300}\b(\d+|three|six|twelve|eighteen)\b[^.]{0,40}\b(day|week|month|year)s?\b", re.I | re.S
)
_MOST_EXAMPLES = 400


def _finding(rule: str, message: str, exchange: str, place: str) -> Finding:
    return Finding(rule=rule, message=message, exchange=exchange, place=place[:200])


def judge_document(evidence: Evidence) -> Outcome:
    """OAPI-01. Source: OpenAPI Specification 3.0.3 and 3.1.0; NHS England, API policies and best practice."""
    came = sent(evidence)
    findings = []
    if came.step == DOCUMENT_LET_IN:
        message = "the document comes only to those who sign in"
        findings.append(_finding("login", message, came.id, "OpenAPI document"))
    try:
        document = document_in(body_of(came))
    except Unreadable as error:
        page = came.content_type in ("text/html", "application/xhtml+xml") or not whole_elsewhere(evidence)
        if error.rule in ("no-yaml", "too-large") or page:
            return failed(findings, "publish it without a login") if findings else unreadable(error)
        findings.append(_finding("syntax", f"the document cannot be read: {error}", came.id, "OpenAPI document"))
        return failed(findings, "publish the document as JSON or YAML that parses")
    for reference in document.external:
        if leads(reference) == "file":
            message = "a reference leads to a file of somebody's own machine"
            findings.append(_finding("file-reference", message, came.id, "$ref"))
    findings += [_finding(fault.rule, fault.message, came.id, fault.place) for fault in faults_of(document)]
    operations = sum(1 for _ in document.operations())
    if findings:
        mend = "publish one document of version 3 at a stable address without a login, and check it with any validator"
        return failed(findings, mend, seen=operations)
    if document.external:
        return Outcome.inconclusive(
            f"{len(document.external)} references lead out of the document, and are not followed",
            Cause(
                kind=CauseKind.UNCLEAR,
                because="what stands in other files was not looked at: nothing is fetched that a document names",
                mend="publish the document as one file, its parts within",
            ),
        )
    return Outcome.passed(operations, f"{operations} operations, OpenAPI {document.version}")


def judge_version(evidence: Evidence) -> Outcome:
    """OAPI-08. Source: Semantic Versioning 2.0.0; NHS England, API policies and best practice, Versioning."""
    document, came = described(evidence)
    findings = []
    version = document.info.get("version")
    if not isinstance(version, str) or not _SEMVER.fullmatch(version):
        findings.append(_finding("semver", "info.version is no semantic version (1.2.3)", came.id, "info.version"))
    rows = document.root.get("servers")
    servers = [str(table_of(row).get("url", "")) for row in rows] if isinstance(rows, list) else []
    places = [*servers, *(operation.path for operation in document.operations())]
    media = {name for op in document.operations() for row in document.responses(op).values() for name in _media(row)}
    if not any(_MAJOR.search(f"/{place}") for place in places) and not any(_MEDIA_VERSION.search(m) for m in media):
        message = "the major version stands neither in a path nor in a media type"
        findings.append(_finding("major", message, came.id, "servers, paths, content"))
    if not _CHANGELOG.search(_words(document)) and not evidence.files.get("changelog"):
        message = "neither the document nor the evidence names a list of changes"
        findings.append(_finding("changelog", message, came.id, "info.description"))
    if findings:
        return failed(findings, "state a semantic version, its major part in the path or media type, and the changes")
    return Outcome.passed(3, "version, its place, and the list of changes")


def judge_examples(evidence: Evidence) -> Outcome:
    """OAPI-09. Source: OpenAPI 3.0.3, Media Type Object and Parameter Object: an example matches its schema."""
    document, came = described(evidence)
    schemas = Schemas(document)
    findings: list[Finding] = []
    notes: list[str] = []
    seen = 0
    for place, schema, value in _examples(document):
        if seen >= _MOST_EXAMPLES:
            notes.append(f"only the first {_MOST_EXAMPLES} examples were looked at")
            break
        try:
            problems = schemas.problems(schema, value)
        except TooMuch:
            notes.append("some examples were not judged: their schemas need too many steps")
            break
        seen += 1
        if problems:
            message = f"{place}: an example breaks its own schema ({problems[0][1]})"
            findings.append(_finding("example", message, came.id, f"{place} {problems[0][0]}"))
    if findings:
        return failed(findings, "mend the example or the schema: a reader builds on both", seen=seen)
    return Outcome.passed(seen, f"{seen} examples", notes=notes)


def _media(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {str(name): value for name, value in table_of(row.get("content")).items()}


def _examples(document: Document) -> Iterator[tuple[str, Any, Any]]:
    """Place, schema and value of every example that has a schema."""
    for operation in document.operations():
        body = table_of(document.resolved(operation.table.get("requestBody")))
        carriers = [(f"{operation.name} request", row) for row in _media(body).values()]
        for status, response in document.responses(operation).items():
            carriers += [(f"{operation.name} {status}", row) for row in _media(response).values()]
        carriers += [(f"{operation.name} parameter", row) for row in document.parameters(operation)]
        for place, given in carriers:
            row = table_of(given)
            schema = row.get("schema")
            if not isinstance(schema, Mapping):
                continue
            if "example" in row:
                yield place, schema, row["example"]
            for each in table_of(row.get("examples")).values():
                held = table_of(document.resolved(each))
                if "value" in held:
                    yield place, schema, held["value"]


def judge_sandbox(evidence: Evidence) -> Outcome:
    """OAPI-10. Source: NHS England, API policies and best practice, Testing."""
    document, came = described(evidence)
    rows = document.root.get("servers")
    named = [r for row in rows if (r := table_of(row))] if isinstance(rows, list) else []
    found = [r for r in named if _SANDBOX.search(f"{r.get('url', '')} {r.get('description', '')}")]
    findings = []
    if not found:
        findings.append(_finding("sandbox", "no server that is named is a sandbox", came.id, "servers"))
    if not re.search(r"scenario|test data|test people|test patient", _words(document), re.I) and not evidence.files.get(
        "sandbox-guide"
    ):
        message = "neither the document nor the evidence says which cases the sandbox answers"
        findings.append(_finding("scenarios", message, came.id, "info.description"))
    if findings:
        return failed(findings, "name an open sandbox among servers, and describe the cases that it answers")
    return Outcome.passed(len(found), f"{len(found)} sandboxes named", notes=["whether it answers was not tried"])


def judge_limits(evidence: Evidence) -> Outcome:
    """OAPI-11. Source: RFC 6585, section 4 (429); RFC 9110, section 10.2.3 (Retry-After)."""
    document, came = described(evidence)
    findings = []
    limited = 0
    operations = list(document.operations())
    for operation in operations:
        responses = document.responses(operation)
        response = responses.get("429")
        if response is None:
            continue
        limited += 1
        if not any(str(name).lower() == "retry-after" for name in table_of(response.get("headers"))):
            message = f"{operation.name}: response 429 does not name the header Retry-After"
            findings.append(_finding("retry-after", message, came.id, f"{operation.name} 429"))
    if operations and limited < len(operations):
        message = (
            f"{len(operations) - limited} of {len(operations)} operations do not say what happens at the limit (429)"
        )
        findings.append(_finding("rate-limit", message, came.id, "responses"))
    if findings:
        return failed(findings, "document 429 with Retry-After on every operation", seen=len(operations))
    return Outcome.passed(limited, f"{limited} operations", notes=["the limit was not provoked"])


def judge_deprecation(evidence: Evidence) -> Outcome:
    """OAPI-12. Source: RFC 8594 (Sunset); RFC 9745 (Deprecation); NHS England, API policies and best practice."""
    document, came = described(evidence)
    findings = []
    if not _NOTICE.search(_words(document)) and not evidence.files.get("deprecation-policy"):
        message = "neither the document nor the evidence states how long before its end a version is announced"
        findings.append(_finding("notice", message, came.id, "info.description"))
    old = [operation for operation in document.operations() if operation.table.get("deprecated") is True]
    for operation in old:
        headers = {
            str(name).lower() for row in document.responses(operation).values() for name in table_of(row.get("headers"))
        }
        if not {"deprecation", "sunset"} & headers:
            message = f"{operation.name}: is deprecated, and its responses name neither Deprecation nor Sunset"
            findings.append(_finding("sunset", message, came.id, operation.name))
    if findings:
        return failed(findings, "state the notice period, and send Deprecation and Sunset with what is deprecated")
    return Outcome.passed(1 + len(old), f"a notice period, and {len(old)} deprecated operations")


def judge_functions(evidence: Evidence) -> Outcome:
    """OAPI-13. Source: NHS England, Open API Architecture Policy (May 2014), clause C.1 Scope."""
    document, came = described(evidence)
    answer = evidence.answers.get("OAPI-13")
    rows = answer.get("functions") if isinstance(answer, Mapping) else None
    if not isinstance(rows, list) or not rows:
        return Outcome.not_tested('answers."OAPI-13".functions lists no business function with its operations')
    known: dict[str, Operation] = {}
    for operation in document.operations():
        known |= {operation.id: operation, operation.name: operation}
    findings = []
    for number, given in enumerate(rows[:500], start=1):
        row = table_of(given)
        wanted = row.get("operations")
        wanted = [str(each) for each in wanted] if isinstance(wanted, list) else []
        if not wanted or any(each not in known for each in wanted):
            message = f"function {number} of the supplier's list has no operation, or one that the document lacks"
            findings.append(_finding("function", message, came.id, f"functions[{number}]"))
    if findings:
        return failed(findings, "offer and document an operation for each function, or take it off the list")
    notes = ["that the list holds every significant function is the supplier's word"]
    return Outcome.passed(len(rows), f"{len(rows)} functions", notes=notes)


def _words(document: Document) -> str:
    """What the document says for people, in its head."""
    parts = [document.info.get("description"), table_of(document.root.get("externalDocs")).get("description")]
    rows = document.root.get("tags")
    parts += [table_of(row).get("description") for row in rows[:200]] if isinstance(rows, list) else []
    return " ".join(part[:100_000] for part in parts if isinstance(part, str))
