"""The forms that the engine brings: JUnit for build servers, CSV for spreadsheets. `office` makes office files."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from mpftconnect.conformance.outcome import Status
from mpftconnect.conformance.reporting.summary import ResultView, Summary
from mpftconnect.spreadsheet import csv_lines

__all__ = ["COLUMNS", "clean", "csv_bytes", "junit_bytes", "marks_of", "row_of"]

# XML 1.0, section 2.2: what no document may hold, not even as a reference.
_NOT_XML = dict.fromkeys((*range(9), 11, 12, *range(14, 32), *range(0xD800, 0xE000), 65534, 65535), "�")


def junit_bytes(summary: Summary) -> bytes:
    """JUnit XML: one suite a pack, one case a requirement.

    Fail is a failure, error an error; whatever was not decided is skipped with its reason, since a build server knows
    no fourth word. The verdict of a pack stands among its properties.
    """
    suites = ET.Element("testsuites", name=clean(" ".join(filter(None, ("conformance", summary.demonstration)))))
    for pack in summary.packs:
        results = [r for r in summary.results if r.pack == pack.name]
        suite = ET.SubElement(
            suites,
            "testsuite",
            name=clean(f"{pack.name} {pack.revision}"),
            tests=str(len(results)),
            failures=str(sum(r.status is Status.FAIL for r in results)),
            errors=str(sum(r.status is Status.ERROR for r in results)),
            skipped=str(sum(r.status not in (Status.PASS, Status.FAIL, Status.ERROR) for r in results)),
        )
        properties = ET.SubElement(suite, "properties")
        for name, value in (
            ("verdict", pack.verdict_words),
            ("because", pack.because),
            ("demonstration", summary.demonstration),
            ("partial", summary.partial),
            ("is_not", " ".join(summary.is_not)),
        ):
            if value:
                ET.SubElement(properties, "property", name=name, value=clean(value))
        for result in results:
            _case(suite, result)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suites, encoding="unicode").encode()


def _case(suite: ET.Element, result: ResultView) -> None:
    case = ET.SubElement(suite, "testcase", classname=clean(result.pack), name=clean(f"{result.ref} {result.title}"))
    if result.status is Status.PASS:
        return
    tag = {Status.FAIL: "failure", Status.ERROR: "error"}.get(result.status, "skipped")
    told = ET.SubElement(case, tag, message=clean(f"{result.status_words}: {result.reason}"))
    if tag != "skipped":
        told.set("type", result.findings[0]["rule"] if result.findings else str(result.status))
    lines = [f"{f['rule']}: {f['message']} ({f.get('exchange', '')} {f.get('place', '')})" for f in result.findings]
    if result.cause:
        lines.append(f"likely cause: {result.cause['kind']}: {result.cause['because']}")
    told.text = clean("\n".join((*lines, *result.reproduce)))


def clean(text: str) -> str:
    """The text without what no XML document may hold."""
    return text.translate(_NOT_XML)


COLUMNS = (
    *("pack", "id", "ref", "level", "severity", "decides", "title", "requirement", "source", "section", "source date"),
    *("hazard", "verified by", "limits", "outcome", "observations", "observed", "reason", "findings", "likely cause"),
    *("because", "mend", "notes", "exception", "response", "exchanges"),
)


def csv_bytes(summary: Summary) -> bytes:
    """One row a requirement; no cell can be a formula. A byte order mark comes first: by it spreadsheets see UTF-8."""
    marks = marks_of(summary)
    rows = [row_of(result) for result in summary.results]
    lines = csv_lines((*COLUMNS, *marks), [(*row, *marks.values()) for row in rows])
    return "".join(lines).encode("utf-8-sig")


def marks_of(summary: Summary) -> dict[str, str]:
    """What every row of a table says of the whole report, by the name of its column."""
    told = {"demonstration": summary.demonstration, "partial": summary.partial}
    return {name: text for name, text in told.items() if text}


def row_of(r: ResultView) -> tuple[object, ...]:
    """What stands of a requirement under `COLUMNS`."""
    return (
        *(r.pack, r.id, r.ref, r.level, r.severity, "yes" if r.decides else "no", r.title, r.text),
        *(r.source.get("document", ""), r.source.get("section", ""), r.source.get("date", ""), r.hazard, r.verified_by),
        *(r.limits, r.status_words, r.observations, r.observed, r.reason),
        "; ".join(f"{f['rule']}: {f['message']}" for f in r.findings),
        *(r.cause.get("kind", ""), r.cause.get("because", ""), r.cause.get("mend", "")),
        "; ".join(r.notes),
        " / ".join(f"{k}: {v}" for k, v in r.exception.items() if v),
        " / ".join(f"{k}: {v}" for k, v in r.response.items() if v),
        " ".join(e.id for e in r.exchanges),
    )
