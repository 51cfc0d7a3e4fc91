"""Reports as text: for people, for machines, and in the forms that build servers read. Each is written as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import msgspec

from mpftconnect.validation.findings import RULES, Finding, Report
from mpftconnect.validation.inputs import Input

__all__ = ["FORMATS", "Judged", "write_reports"]

Judged = tuple[Input, Report]
_SHOWN_NOT_CHECKED = 10
# A text that is not XML 1.0 must not break a JUnit file.
_NOT_XML = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 65534, 65535])


def _dump(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def as_row(judged: Judged) -> dict[str, Any]:
    """One input's report as JSON holds it."""
    source, report = judged
    return {
        "input": source.name,
        **({"line": source.line} if source.line is not None else {}),
        "verdict": report.verdict,
        "profiles": list(report.profiles),
        "restated_rules": list(report.restated),
        "findings": [asdict(finding) for finding in report.findings],
        "not_checked": [asdict(item) for item in report.not_checked],
    }


def headline(report: Report) -> str:
    """The verdict in words that claim no more than was done (rule 17).

    >>> headline(Report())
    'structurally valid; not clinically validated; 0 codes not checked'
    """
    by = f"; by restated rules ({', '.join(report.restated)})" if report.restated else ""
    if report.verdict == "valid":
        return f"structurally valid; not clinically validated; {report.codes_not_checked} codes not checked{by}"
    if report.verdict == "undecided":
        return f"undecided: {sum(item.decisive for item in report.not_checked)} rules could not be checked{by}"
    return f"invalid: {sum(f.severity in ('error', 'fatal') for f in report.findings)} errors{by}"


def _text(judged: Iterable[Judged]) -> Iterator[str]:
    counts = {"valid": 0, "invalid": 0, "undecided": 0}
    for source, report in judged:
        counts[report.verdict] += 1
        yield f"{source}: {headline(report)}"
        for finding in report.findings:
            yield f"  {_where(finding)}{finding.severity}: {finding.expression} {finding.message} [{finding.rule}]"
        shown = sorted(report.not_checked, key=lambda item: not item.decisive)
        for item in shown[:_SHOWN_NOT_CHECKED]:
            mark = "not checked, and it decides" if item.decisive else "not checked"
            yield f"  {mark}: {item.expression} [{item.rule}]: {item.reason}"
        if len(shown) > _SHOWN_NOT_CHECKED:
            yield f"  not checked: {len(shown) - _SHOWN_NOT_CHECKED} more (--format json lists all)"
    if sum(counts.values()) != 1:
        yield f"{sum(counts.values())} inputs: " + ", ".join(
            f"{number} {verdict}" for verdict, number in counts.items()
        )


def _where(finding: Finding) -> str:
    return f"{finding.line}:{finding.column} " if finding.line is not None else ""


def _json(judged: Iterable[Judged]) -> Iterator[str]:
    yield "["
    previous: str | None = None
    for item in judged:
        if previous is not None:
            yield previous + ","
        previous = "  " + _dump(as_row(item))
    if previous is not None:
        yield previous
    yield "]"


def _ndjson(judged: Iterable[Judged]) -> Iterator[str]:
    for item in judged:
        yield _dump(as_row(item))


def _outcomes(judged: Iterable[Judged]) -> Iterator[str]:
    for _, report in judged:
        yield _dump(report.to_operation_outcome())


def _junit(judged: Iterable[Judged]) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield '<testsuites><testsuite name="mpftconnect validate">'
    for source, report in judged:
        yield f'<testcase classname="validate" name={quoteattr(str(source).translate(_NOT_XML))}>'
        for finding in report.findings:
            if finding.severity in ("error", "fatal"):
                words = f"{finding.expression} {finding.message}".translate(_NOT_XML)
                where = escape(_where(finding) + words)
                yield f"<failure type={quoteattr(finding.rule)} message={quoteattr(words)}>{where}</failure>"
        if report.verdict == "undecided":
            yield f"<skipped message={quoteattr(headline(report))}/>"
        if report.restated:
            yield f"<system-out>{escape(headline(report))}</system-out>"
        yield "</testcase>"
    yield "</testsuite></testsuites>"


_LEVEL = {"fatal": "error", "error": "error", "warning": "warning", "information": "note"}


def _sarif(judged: Iterable[Judged]) -> Iterator[str]:
    rules = [{"id": rule, "shortDescription": {"text": words}} for rule, (_, words) in RULES.items()]
    driver = {"name": "mpftconnect validate", "rules": rules}
    yield '{"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": ['
    yield f'{{"tool": {{"driver": {_dump(driver)}}}, "results": ['
    first = True
    for source, report in judged:
        for finding in report.findings:
            yield ("" if first else ",") + _dump(_result(source, finding))
            first = False
    yield "]}]}"


def _result(source: Input, finding: Finding) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": {"uri": source.name.replace("\\", "/")}}
    line = finding.line if source.line is None else source.line
    if line is not None:
        location["region"] = {"startLine": line, "startColumn": finding.column or 1}
    return {
        "ruleId": finding.rule,
        "level": _LEVEL[finding.severity],
        "message": {"text": f"{finding.expression} {finding.message}"},
        "locations": [{"physicalLocation": location}],
    }


FORMATS: dict[str, Callable[[Iterable[Judged]], Iterator[str]]] = {
    "text": _text,
    "json": _json,
    "ndjson": _ndjson,
    "operation-outcome": _outcomes,
    "junit": _junit,
    "sarif": _sarif,
}


def write_reports(form: str, judged: Iterable[Judged]) -> Iterator[str]:
    """Lines of output, as reports come."""
    return FORMATS[form](judged)
