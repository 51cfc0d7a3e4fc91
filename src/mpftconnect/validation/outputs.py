"""Reports as text: for people, for machines, and in the forms that build servers read. Each is written as it comes.

A document is closed whatever stops the work, so that what was judged can be read; where its form has a place for it,
it says that it is not whole. Names of files and of elements are anybody's: none can forge a line or break a document.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

import msgspec

from mpftconnect.validation.findings import RULES, Finding, NotChecked, Report
from mpftconnect.validation.inputs import Input

__all__ = ["FORMATS", "Document", "Judged", "document_of", "plain", "write_reports"]

Judged = tuple[Input, Report]
_SHOWN_NOT_CHECKED = 10
# Controls, line separators, direction marks (UAX #9), half surrogates (a name that is not UTF-8), and what XML 1.0
# (2.2) has not: each is shown by its escape.
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def plain(text: str) -> str:
    """The text on one line, without what would steer a terminal or break a document.

    >>> print(plain("a\\nb.json"))
    a\\x0ab.json
    """
    return _STEERING.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def _dump(value: Any) -> str:
    try:
        text = msgspec.json.encode(value).decode()
    except UnicodeEncodeError:  # half a surrogate pair, which a dict may hold
        import json

        text = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()
    return _STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def as_row(judged: Judged) -> dict[str, Any]:
    """One input's report as JSON holds it."""
    source, report = judged
    return {
        "input": source.name.encode("utf-8", "backslashreplace").decode(),
        **({"line": source.line} if source.line is not None else {}),
        "verdict": report.verdict,
        "profiles": list(report.profiles),
        "restated_rules": list(report.restated),
        "findings": [asdict(finding) for finding in report.findings],
        "not_checked": [item._asdict() for item in report.not_checked],
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


class Document:
    """One run's output: lines for each report as it comes, and those that open and close the whole."""

    def __init__(self) -> None:
        self._opened = False

    def lines_of(self, judged: Judged) -> Iterator[str]:
        """What there is to say of one input; before the first also what opens the document."""
        yield from self._open()
        yield from self.entry(judged)

    def end(self, *, whole: bool = True) -> Iterator[str]:
        """What closes the document. `whole`: every input was judged."""
        yield from self._open()
        yield from self.closing(whole)

    def _open(self) -> Iterator[str]:
        if not self._opened:
            self._opened = True
            yield from self.opening()

    def opening(self) -> Iterable[str]:
        return ()

    def entry(self, judged: Judged) -> Iterable[str]:
        raise NotImplementedError

    def closing(self, whole: bool) -> Iterable[str]:
        return ()


class _Text(Document):
    def __init__(self) -> None:
        super().__init__()
        self._counts = {"valid": 0, "invalid": 0, "undecided": 0}

    def entry(self, judged: Judged) -> Iterable[str]:
        return map(plain, self._entry(*judged))

    def _entry(self, source: Input, report: Report) -> Iterator[str]:
        self._counts[report.verdict] += 1
        yield f"{source}: {headline(report)}"
        for finding in report.findings:
            place = f"{finding.expression} " if finding.expression else ""
            yield f"  {_where(finding)}{finding.severity}: {place}{finding.message} [{finding.rule}]"
        shown = sorted(report.not_checked, key=lambda item: not item.decisive)
        for item in shown[:_SHOWN_NOT_CHECKED]:
            mark = "not checked, and it decides" if item.decisive else "not checked"
            yield f"  {mark}: {item.expression} [{item.rule}]: {item.reason}"
        if len(shown) > _SHOWN_NOT_CHECKED:
            yield f"  not checked: {len(shown) - _SHOWN_NOT_CHECKED} more (--format json lists all)"

    def closing(self, whole: bool) -> Iterable[str]:
        total = sum(self._counts.values())
        if total != 1 or not whole:
            by_verdict = ", ".join(f"{number} {verdict}" for verdict, number in self._counts.items())
            yield f"{'' if whole else 'not finished: '}{total} inputs: {by_verdict}"


def _where(finding: Finding) -> str:
    return f"{finding.line}:{finding.column} " if finding.line is not None else ""


class _Json(Document):
    _comma = ""

    def opening(self) -> Iterable[str]:
        return ("[",)

    def entry(self, judged: Judged) -> Iterable[str]:
        # The comma stands before what follows, so that nothing waits for the next input.
        yield f"{self._comma or ' '} {_dump(as_row(judged))}"
        self._comma = ","

    def closing(self, whole: bool) -> Iterable[str]:
        return ("]",)


class _Lines(Document):
    def entry(self, judged: Judged) -> Iterable[str]:
        return (_dump(as_row(judged)),)


class _Outcomes(Document):
    def entry(self, judged: Judged) -> Iterable[str]:
        return (_dump(judged[1].to_operation_outcome()),)


class _JUnit(Document):
    def opening(self) -> Iterable[str]:
        return ('<?xml version="1.0" encoding="UTF-8"?>', '<testsuites><testsuite name="mpftconnect validate">')

    def entry(self, judged: Judged) -> Iterable[str]:
        source, report = judged
        yield f'<testcase classname="validate" name={quoteattr(plain(str(source)))}>'
        for finding in report.findings:
            if finding.severity in ("error", "fatal"):
                words = plain(f"{finding.expression} {finding.message}")
                where = escape(_where(finding) + words)
                yield f"<failure type={quoteattr(plain(finding.rule))} message={quoteattr(words)}>{where}</failure>"
        if report.verdict == "undecided":
            yield f"<skipped message={quoteattr(plain(headline(report)))}/>"
        yield f"<system-out>{escape(plain(headline(report)))}</system-out>"
        yield "</testcase>"

    def closing(self, whole: bool) -> Iterable[str]:
        if not whole:
            yield "<system-err>not finished: further inputs were not judged</system-err>"
        yield "</testsuite></testsuites>"


_LEVEL = {"fatal": "error", "error": "error", "warning": "warning", "information": "note"}


class _Sarif(Document):
    """SARIF 2.1.0 (OASIS, 2020): a result for each finding, and for each rule that was not checked."""

    _comma = ""

    def opening(self) -> Iterable[str]:
        rules = [{"id": rule, "shortDescription": {"text": words}} for rule, (_, words) in RULES.items()]
        driver = {"name": "mpftconnect validate", "rules": rules}
        yield '{"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": ['
        yield f'{{"tool": {{"driver": {_dump(driver)}}}, "results": ['

    def entry(self, judged: Judged) -> Iterable[str]:
        source, report = judged
        items: tuple[Finding | NotChecked, ...] = (*report.findings, *report.not_checked)
        for item in items:
            yield self._comma + _dump(_result(source, item))
            self._comma = ","

    def closing(self, whole: bool) -> Iterable[str]:
        # 3.20.14 executionSuccessful: whether the tool ended as it should.
        yield f'], "invocations": [{_dump({"executionSuccessful": whole})}]}}]}}'


def _result(source: Input, item: Finding | NotChecked) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": {"uri": _uri(source.name)}}
    finding = item if isinstance(item, Finding) else None
    line = source.line if source.line is not None else finding and finding.line
    if line is not None:
        location["region"] = {"startLine": line, "startColumn": (finding and finding.column) or 1}
    if isinstance(item, Finding):
        rule, level, words = item.rule, _LEVEL[item.severity], item.message
    else:
        # Neither right nor wrong: a reader who sees only results must not take silence for a pass.
        rule, level = "not-checked", "warning" if item.decisive else "note"
        words = f"was not checked ({item.rule}): {item.reason}"
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": plain(f"{item.expression} {words}".strip())},
        "locations": [{"physicalLocation": location}],
    }


def _uri(name: str) -> str:
    """A name as the URI reference that SARIF demands (3.4.3; RFC 3986).

    >>> _uri("a folder/100%.json")
    'a%20folder/100%25.json'
    """
    path = Path(name)
    if path.is_absolute():
        return path.as_uri()
    return quote(os.fsencode(name.replace("\\", "/") if os.sep == "\\" else name))


FORMATS: dict[str, type[Document]] = {
    "text": _Text,
    "json": _Json,
    "ndjson": _Lines,
    "operation-outcome": _Outcomes,
    "junit": _JUnit,
    "sarif": _Sarif,
}


def document_of(form: str) -> Document:
    """A document in one of `FORMATS`."""
    return FORMATS[form]()


def write_reports(form: str, judged: Iterable[Judged]) -> Iterator[str]:
    """Lines of output, as reports come."""
    document = document_of(form)
    for item in judged:
        yield from document.lines_of(item)
    yield from document.end()
