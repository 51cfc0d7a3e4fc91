"""The report as a Word document and as an Excel workbook. What it is and is not comes first in both."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mpftconnect.conformance.numbers import many
from mpftconnect.conformance.reporting.forms import COLUMNS, clean, row_of
from mpftconnect.conformance.reporting.page import lists_of, power_words
from mpftconnect.conformance.reporting.summary import ResultView, Summary
from mpftconnect.conformance.reporting.words import (
    CAUSE_WORDS,
    DEMONSTRATION,
    FINDING_WORDS,
    LEVEL_WORDS,
    RUN_WORDS,
    STATUS_WORDS,
    sentence,
)
from mpftconnect.rendering import clock_words
from mpftconnect.spreadsheet import cell

if TYPE_CHECKING:
    from docx.document import Document

__all__ = ["docx_bytes", "workbook_of", "xlsx_bytes"]

# What a cell of Excel may hold ("Excel specifications and limits", Microsoft Support).
_LONGEST_CELL = 32_767
_CUT = " [cut here: the whole stands in report.json]"
# As the page words them.
_CAUSE_PARTS = {
    "ruled_out": "Others ruled out, since",
    "otherwise": "It could also be that",
    "mend": "What would mend it",
}
_JUDGES = ("Harness", "Engine", "Checks", "Validator")
_STILL = (2000, 1, 1, 0, 0, 0)


def docx_bytes(summary: Summary) -> bytes:
    """The report to be edited or filed: everything of the page but the exchanges.

    Raises:
        ImportError: The extra `docx` is not installed.
    """
    import docx

    made = docx.Document()
    _in_british_english(made)
    made.core_properties.title = clean(f"{summary.demonstration} {_title(summary)}".strip())[:255]
    made.core_properties.author = "mpftconnect"
    made.core_properties.created = made.core_properties.modified = _moment(summary)
    if summary.demonstration:
        made.add_paragraph().add_run(clean(summary.demonstration)).bold = True
    if marks := _marks(summary):
        made.sections[0].header.paragraphs[0].text = marks
    made.add_heading(clean(_title(summary)), 1)
    _say(
        made,
        [f"{summary.subject['entity']} {summary.subject.get('entity_code', '')}", _target(summary), _leave(summary)],
    )
    if summary.partial:
        made.add_paragraph().add_run(clean(f"Partial report. {summary.partial}")).bold = True
    made.add_heading("What this report is", 2)
    _list(made, summary.is_)
    made.add_heading("What this report is not", 2)
    _list(made, summary.is_not)
    made.add_heading("Summary by pack and level", 2)
    _say(made, ["There is no score. A pack is not met if one must fails, and undetermined if one must is undecided."])
    _table(made, ("Pack", "Verdict", "Level", "Outcomes"), _counts(summary))
    _list(made, (f"{pack.name}: {power_words(pack)}" for pack in summary.packs))
    if summary.environment:
        made.add_heading("Environment and test data", 2)
        _list(made, map(_environment, summary.environment))
    for _, title, intro, results in lists_of(summary):
        made.add_heading(title, 2)
        _say(made, [intro])
        _list(made, map(_line, results) if results else ["None in this run."])
    made.add_heading("Age of the evidence", 2)
    _list(
        made,
        [_document(each) for each in summary.files] or ["No document was given."],
    )
    made.add_heading("Every requirement", 2)
    for result in summary.results:
        made.add_heading(clean(f"{result.ref}: {result.title}. {result.status_words}"), 3)
        _say(made, _lines(result, summary))
    made.add_heading("What judged", 2)
    judge = summary.judge
    _list(made, (f"{name}: {judge[name.lower()]}" for name in _JUDGES if judge.get(name.lower())))
    _list(made, (f"Pack {pack.name}: {pack.digest}" for pack in summary.packs))
    out = io.BytesIO()
    made.save(out)
    return _still(out.getvalue())


def xlsx_bytes(summary: Summary) -> bytes:
    """Three sheets: what to read first, the counts, one row a requirement. No cell can be a formula.

    Raises:
        ImportError: The extra `xlsx` is not installed.
    """
    rows = {"Requirements": [COLUMNS, *map(row_of, summary.results)]}
    return workbook_of(summary, {"Summary": [("Pack", "Verdict", "Level", "Outcomes"), *_counts(summary)], **rows})


def workbook_of(summary: Summary, sheets: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    """A workbook of those sheets, marked, after a sheet that says what it is and is not.

    Raises:
        ImportError: The extra `xlsx` is not installed.
    """
    import openpyxl

    book = openpyxl.Workbook()
    book.properties.creator = "mpftconnect"
    book.properties.created = book.properties.modified = _moment(summary)
    marked = [(f"PARTIAL REPORT. {summary.partial}",)] if summary.partial else []
    marked = [*([(summary.demonstration,)] if summary.demonstration else []), *marked]
    first = [
        *marked,
        (_title(summary),),
        *(("This is", line) for line in summary.is_),
        *(("This is not", line) for line in summary.is_not),
        (_target(summary),),
    ]
    sheet: Any = book.active
    sheet.title = "Read first"
    _fill(sheet, first)
    for name, rows in sheets.items():
        made = book.create_sheet(name)
        _fill(made, [*marked, *rows])
        _lay_out(made, heads=len(marked) + 1)
    sheet.column_dimensions["A"].width = 24
    sheet.column_dimensions["B"].width = 100
    for each in list[Any](book.worksheets):
        if marks := _marks(summary):
            each.oddHeader.center.text = marks
    out = io.BytesIO()
    book.save(out)
    return _still(out.getvalue())


def _fill(sheet: Any, rows: Iterable[Sequence[object]]) -> None:
    for row in rows:
        sheet.append([_cell(value) for value in row])


def _lay_out(sheet: Any, *, heads: int) -> None:
    """The row of headings stays in sight and filters; long texts wrap in columns that fit them."""
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    longest: dict[int, int] = {}
    for row in sheet.iter_rows(min_row=heads):
        for each in row:
            each.alignment = Alignment(wrap_text=True, vertical="top")
            if each.row == heads:
                each.font = Font(bold=True)
            longest[each.column] = max(longest.get(each.column, 0), len(str(each.value or "")))
    for column, length in longest.items():
        sheet.column_dimensions[get_column_letter(column)].width = min(max(length + 2, 10), 48)
    sheet.freeze_panes = f"A{heads + 1}"
    sheet.auto_filter.ref = f"A{heads}:{get_column_letter(sheet.max_column)}{sheet.max_row}"


def _cell(value: object) -> object:
    if isinstance(value, int):
        return value
    text = clean(cell(value))
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - len(_CUT)] + _CUT


def _marks(summary: Summary) -> str:
    """What stands at the head of every printed page."""
    return ". ".join(
        (*([DEMONSTRATION] if summary.demonstration else []), *(["Partial report"] if summary.partial else []))
    )


def _title(summary: Summary) -> str:
    return f"Conformance report: {summary.subject['product']} {summary.subject['version']}"


def _target(summary: Summary) -> str:
    reported = summary.target.get("version_reported") or "none"
    return (
        f"Environment {summary.subject['environment']}, host {summary.target.get('host', '')}, version that the system "
        f"reports: {reported}; run on {_day(summary)}, by {RUN_WORDS.get(summary.run['by'], summary.run['by'])}"
    )


def _day(summary: Summary) -> str:
    try:
        return clock_words(datetime.fromisoformat(str(summary.run["started"])))
    except ValueError:
        return str(summary.run["started"])


def _leave(summary: Summary) -> str:
    said = summary.authorised_by
    return "Allowed by " + ", ".join(str(said.get(name, "")) for name in ("name", "organisation", "date", "scope"))


def _counts(summary: Summary) -> list[tuple[str, ...]]:
    words = {str(status): text for status, text in STATUS_WORDS.items()}
    return [
        (
            f"{pack.title} ({pack.name} {pack.revision})",
            f"{pack.verdict_words}: {pack.because}",
            LEVEL_WORDS.get(level, level),
            "; ".join(f"{words.get(status, status)}: {count}" for status, count in counts.items()),
        )
        for pack in summary.packs
        for level, counts in pack.counts_by_level.items()
    ]


def _lines(r: ResultView, summary: Summary) -> list[str]:
    lines = [
        r.text,
        f"Level {r.level}, severity {r.severity}. Source: {r.source.get('document', '')}, "
        f"{r.source.get('section', '')}, {r.source.get('date', '')}. Hazard: {r.hazard}",
        f"Observed: {r.observed}" if r.observed else "",
        sentence(r.reason),
        *(f"{f['rule']}: {f['message']} ({f.get('exchange', '')} {f.get('place', '')})" for f in r.findings),
        f"and {r.more_findings} more" if r.more_findings else "",
    ]
    if r.cause:
        kind = CAUSE_WORDS.get(r.cause["kind"], r.cause["kind"])
        lines.append(f"Likely cause: {kind}. {sentence(r.cause['because'])}")
        lines += [f"{words}: {r.cause[name]}" for name, words in _CAUSE_PARTS.items() if r.cause.get(name)]
    lines += [*r.notes, *(f"Known mistake of ours: {text}" for text in r.errata)]
    lines.append(f"Not seen: {r.limits}" if r.limits else "")
    lines += r.reproduce
    if r.exception:
        lines.append("Exception asked for: " + "; ".join(f"{k}: {v}" for k, v in r.exception.items() if v))
        granted = [g for g in summary.grants if g["requirement"] == r.id]
        lines += [f"Granted by {g['granted_by']} until {g['until']}: {g['reason']}" for g in granted]
        lines += [] if granted else ["No grant was seen: the outcome stands."]
    if r.response:
        lines.append(f"The supplier says: {r.response['text']} ({r.response['by']}, {r.response['date']})")
    return [line for line in lines if line]


def _line(r: ResultView) -> str:
    kind = CAUSE_WORDS.get(r.cause["kind"], r.cause["kind"]) if r.cause else ""
    cause = f" Likely cause: {kind}." if kind else ""
    because = f" {sentence(r.cause['because'])}" if kind and r.cause["because"] != r.reason else ""
    return f"{r.ref}: {r.title}. {r.status_words}. {sentence(r.reason)}{cause}{because}"


def _environment(finding: Mapping[str, Any]) -> str:
    kind = FINDING_WORDS.get(finding["kind"], finding["kind"])
    touched = len(finding.get("requirements", ()))
    touches = f" It touches {many(touched, 'requirement')}." if touched else ""
    told = sentence(f"{kind}: {finding['words']}")
    return f"{told} {sentence(finding['mend'])}{touches}"


def _document(file: Mapping[str, str]) -> str:
    issued = f"Issued {file['issued']}." if file.get("issued") else "No date of issue is stated."
    due = f"In date until {file['due']}." if file.get("due") else "No last day is known."
    return f"{file['kind']}: {file['name']}. {issued} {due}"


def _say(made: Document, lines: Iterable[str]) -> None:
    for line in lines:
        made.add_paragraph(clean(line))


def _list(made: Document, lines: Iterable[str]) -> None:
    for line in lines:
        made.add_paragraph(clean(line), style="List Bullet")


def _in_british_english(made: Document) -> None:
    """So that it is read aloud and spell-checked as what it is (WCAG 2.2, 3.1.1)."""
    from docx.oxml.ns import qn

    for language in made.styles.element.iter(qn("w:lang")):
        language.set(qn("w:val"), "en-GB")


def _table(made: Document, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = made.add_table(rows=1, cols=len(header), style="Table Grid")
    from docx.oxml import OxmlElement

    table.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
    for place, text in enumerate(header):
        table.rows[0].cells[place].text = text
    for row in rows:
        cells = table.add_row().cells
        for place, text in enumerate(row):
            cells[place].text = clean(text)


def _moment(summary: Summary) -> datetime:
    """When the run began, so that the same report gives the same bytes; neither format keeps a zone."""
    try:
        return datetime.fromisoformat(str(summary.run["started"])).astimezone(UTC).replace(tzinfo=None, microsecond=0)
    except ValueError:
        return datetime(*_STILL)  # noqa: DTZ001 - as above


def _still(data: bytes) -> bytes:
    """The same archive with a fixed time on every member."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for member in source.infolist():
            target.writestr(zipfile.ZipInfo(member.filename, _STILL), source.read(member), zipfile.ZIP_DEFLATED)
    return out.getvalue()
