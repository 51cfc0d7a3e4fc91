"""PDF, Word and Excel: opened again, marked, harmless, the same each time, and said plainly when they cannot be."""

from __future__ import annotations

import builtins
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pypdf
import pytest

from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.definitions import Definitions
from mpftconnect.conformance.demonstration import supplier_of_twin
from mpftconnect.conformance.reporting.document import report_of
from mpftconnect.conformance.reporting.folder import write_folder
from mpftconnect.conformance.reporting.office import docx_bytes, xlsx_bytes
from mpftconnect.conformance.reporting.summary import Summary, summary_of
from mpftconnect.conformance.reporting.words import DEMONSTRATION, IS, IS_NOT
from mpftconnect.conformance.run import Run, RunResult
from mpftconnect.plugins import PluginRegistry
from mpftconnect.sandbox import PEOPLE

FORMS = ("pdf", "docx", "xlsx")


def text_of(form: str, data: bytes) -> str:
    """What a reader reads in it, spaces apart."""
    if form == "pdf":
        found = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages]
    elif form == "docx":
        document = docx.Document(io.BytesIO(data))
        cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
        found = [*(p.text for p in document.paragraphs), *cells]
    else:
        book = openpyxl.load_workbook(io.BytesIO(data))
        found = [
            str(cell.value) for sheet in book.worksheets for row in sheet.iter_rows() for cell in row if cell.value
        ]
    return " ".join("\n".join(found).split())


@pytest.fixture(scope="module")
def failing(registry: PluginRegistry, catalog: Catalog, definitions: Definitions) -> RunResult:
    spec = registry.twins["uk-core"]
    twin = spec.build(PEOPLE)
    twin.faults.set("vital-sign-unit")
    supplier = supplier_of_twin(spec, twin, "http://twin.invalid", PEOPLE)
    transport = TwinTransport(twin, "http://twin.invalid")
    chosen = catalog.choose(["uk-core-r4"])
    return Run(supplier, chosen, catalog.checks, transport=transport, definitions=definitions).go()


@pytest.fixture(scope="module")
def report(failing: RunResult, catalog: Catalog) -> dict[str, Any]:
    return report_of(failing, catalog.checks, power=catalog.power)


@pytest.fixture
def summary(report: dict[str, Any]) -> Summary:
    return summary_of(report)


@pytest.mark.parametrize("form", FORMS)
def test_it_opens_and_says_what_it_is_and_is_not_and_what_failed(
    form: str, report: dict[str, Any], registry: PluginRegistry
) -> None:
    write = registry.report_formats[form].write
    data = write(summary_of(report))
    text = text_of(form, data)
    for words in (DEMONSTRATION, *IS, *IS_NOT, "UKC-12", "the unit is not UCUM kg", "Not met"):
        assert words in text, words
    assert text.index(DEMONSTRATION) < text.index(IS[0]) < text.index("UKC-12")
    assert write(summary_of(report)) == data
    real = summary_of({name: value for name, value in report.items() if name != "demonstration"})
    assert "DEMONSTRATION" not in text_of(form, write(real))


@pytest.mark.parametrize("form", FORMS)
def test_hostile_text_is_text_in_it(
    form: str, report: dict[str, Any], registry: PluginRegistry, hostile_summary: Callable[[dict[str, Any]], Summary]
) -> None:
    data = registry.report_formats[form].write(hostile_summary({**report, "results": report["results"][:2]}))
    assert "alert(1)" in text_of(form, data)
    if form == "xlsx":
        book = openpyxl.load_workbook(io.BytesIO(data))
        cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row]
        assert {cell.data_type for cell in cells}.isdisjoint({"f"})


def test_no_cell_is_a_formula(report: dict[str, Any], registry: PluginRegistry) -> None:
    summary = summary_of(report)
    results = tuple(replace(r, reason="=cmd|' /C calc'!A0", title="@SUM(A1)") for r in summary.results)
    data = registry.report_formats["xlsx"].write(replace(summary, results=results))
    cells = [c for row in openpyxl.load_workbook(io.BytesIO(data))["Requirements"].iter_rows() for c in row]
    said = [c.value for c in cells if isinstance(c.value, str) and ("calc" in c.value or "SUM" in c.value)]
    assert len(said) == 2 * len(results) and all(value.startswith("'") for value in said)
    assert {c.data_type for c in cells}.isdisjoint({"f"})


@pytest.mark.parametrize(("form", "library"), [("pdf", "weasyprint"), ("docx", "docx"), ("xlsx", "openpyxl")])
def test_a_form_whose_extra_is_missing_is_said_plainly_and_costs_no_other(
    form: str,
    library: str,
    failing: RunResult,
    report: dict[str, Any],
    registry: PluginRegistry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == library:
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    problems = write_folder(
        tmp_path / "r",
        report,
        supplier=failing.supplier,
        exchanges=failing.exchanges,
        preflight=[],
        today="2026-11-25",
        formats=[registry.report_formats[name] for name in (form, "csv")],
    )
    assert problems == [f"report.{form}: was not written: it needs pip install 'mpftconnect[{form}]'"]
    assert (tmp_path / "r" / "requirements.csv").is_file()


def test_the_document_says_what_the_page_says_of_causes_leave_power_and_judge(summary: Summary) -> None:
    made = docx.Document(io.BytesIO(docx_bytes(summary)))
    text = "\n".join(paragraph.text for paragraph in made.paragraphs)
    failed = summary.failed_musts[0]
    assert f"{failed.title}. Failed. " in text and "Likely cause: the supplier's system. " in text
    assert f"Allowed by {summary.authorised_by['name']}" in text
    assert "What the checks catch: " in text and summary.judge["engine"] in text
    assert "by the supplier itself; nobody else was there" in text and "ruled_out" not in text
    assert 'w:val="en-GB"' in made.styles.element.xml
    assert "w:tblHeader" in made.tables[0].rows[0]._tr.xml


def test_a_sheet_keeps_its_headings_in_sight_and_wraps_long_texts(summary: Summary) -> None:
    book = openpyxl.load_workbook(io.BytesIO(xlsx_bytes(summary)))
    sheet = book["Requirements"]
    assert sheet["A1"].value == summary.demonstration and sheet["A2"].value == "pack"
    assert sheet.freeze_panes == "A3" and sheet.auto_filter.ref.startswith("A2:")
    assert sheet["A2"].font.bold and sheet["H3"].alignment.wrap_text
    assert all(10 <= column.width <= 48 for column in sheet.column_dimensions.values())
