"""How `hl7 check` prints: text, JSON, NDJSON, JUnit. Lines come as messages do; no format holds a value by itself."""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from mpftconnect.hl7v2 import Finding

__all__ = ["FORMATS", "Judged"]

NOTE = (
    "Judged by the rules that are listed in docs/hl7v2/findings.md: structurally, not clinically. "
    "A message without findings met the checks run."
)
_NOT_XML = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 65534, 65535, *range(55296, 57344)), "�")


@dataclasses.dataclass(frozen=True)
class Judged:
    """One message or trouble, and what was found. `values` are by finding's number, and only with --show-values."""

    name: str
    line: int
    findings: list[Finding]
    values: dict[int, str] = dataclasses.field(default_factory=dict, repr=False)


def _rows(one: Judged) -> Iterator[dict[str, Any]]:
    for number, finding in enumerate(one.findings):
        row = {key: value for key, value in dataclasses.asdict(finding).items() if value is not None}
        if number in one.values:
            row["value"] = one.values[number]
        yield row


def _item(one: Judged) -> dict[str, Any]:
    return {"source": one.name, "line": one.line, "findings": list(_rows(one))}


def _text(judged: Iterable[Judged]) -> Iterator[str]:
    messages = with_errors = 0
    for one in judged:
        messages += 1
        counts = collections.Counter(finding.severity for finding in one.findings)
        with_errors += bool(counts["error"])
        words = ", ".join(f"{number} {severity}" for severity, number in sorted(counts.items())) or "nothing found"
        yield f"{one.name} (line {one.line}): {words}"
        for number, finding in enumerate(one.findings):
            shown = f" value: {one.values[number]!r}" if number in one.values else ""
            yield f"  {finding}{shown}"
    yield f"{messages} judged, {with_errors} with errors. {NOTE}"


def _json(judged: Iterable[Judged]) -> Iterator[str]:
    yield f'{{"version": 1, "note": {json.dumps(NOTE)}, "messages": ['
    first = True
    for one in judged:
        yield ("" if first else ",") + json.dumps(_item(one))
        first = False
    yield "]}"


def _ndjson(judged: Iterable[Judged]) -> Iterator[str]:
    for one in judged:
        yield json.dumps(_item(one))


def _junit(judged: Iterable[Judged]) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield '<testsuites><testsuite name="mpftconnect hl7 check">'
    for one in judged:
        yield f'<testcase classname="hl7-check" name={quoteattr(one.name.translate(_NOT_XML))}>'
        for number, finding in enumerate(one.findings):
            if finding.severity == "error":
                words = str(finding) + (f" value: {one.values[number]!r}" if number in one.values else "")
                words = words.translate(_NOT_XML)
                yield f"<failure type={quoteattr(finding.code)} message={quoteattr(words)}>{escape(words)}</failure>"
        yield "</testcase>"
    yield "</testsuite></testsuites>"


FORMATS: dict[str, Callable[[Iterable[Judged]], Iterator[str]]] = {
    "text": _text,
    "json": _json,
    "ndjson": _ndjson,
    "junit": _junit,
}
