"""A form that the user has is filled beside each exact code; the original is untouched, and nothing is lost."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import docx
import openpyxl
import pytest

from mpftconnect.conformance.reporting.form_file import fill_form
from mpftconnect.errors import UsageError

ANSWERS = {"C1.2": True, "C1.2.4": "=cmd() <b>", "D1.1": ["a", "b"], "C9.9": "no such question", "A1": None}
ODT = (
    '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"><office:body><office:text>'
    "<text:p>C1.2.4 Which?</text:p><table:table><table:table-row><table:table-cell><text:p>C1.2 Is it?</text:p>"
    "</table:table-cell><table:table-cell><text:p>Answer:</text:p></table:table-cell></table:table-row></table:table>"
    "<text:p>D1.1 <text:span>More</text:span></text:p></office:text></office:body></office:document-content>"
)


@pytest.fixture
def form(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / f"form.{request.param}"
    if request.param == "docx":
        made = docx.Document()
        made.add_paragraph("C1.2.4 Which?")
        table = made.add_table(rows=1, cols=2)
        table.rows[0].cells[0].text = "C1.2 Is it?"
        made.add_paragraph("D1.1 More")
        made.save(str(path))
    elif request.param == "odt":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("mimetype", "application/vnd.oasis.opendocument.text", zipfile.ZIP_STORED)
            archive.writestr("content.xml", ODT)
    elif request.param == "csv":
        path.write_bytes(b"code,question\r\nC1.2,Is it?\r\nC1.2.4,Which?\r\nD1.1,More\r\n")
    else:
        book = openpyxl.Workbook()
        for row in (("code", "question"), ("C1.2", "Is it?"), ("C1.2.4", "Which?"), ("D1.1", "More")):
            book.worksheets[0].append(row)
        book.save(path)
    return path


def lines_of(kind: str, data: bytes) -> list[str]:
    if kind == "docx":
        made = docx.Document(io.BytesIO(data))
        rows = [" | ".join(cell.text for cell in row.cells) for table in made.tables for row in table.rows]
        return [*(p.text for p in made.paragraphs), *rows]
    if kind == "odt":
        content = zipfile.ZipFile(io.BytesIO(data)).read("content.xml").decode()
        return content.replace("<text:p>", "\n").replace("<ns", "\n").split("\n")
    if kind == "csv":
        return [" | ".join(row) for row in csv.reader(io.StringIO(data.decode("utf-8-sig")))]
    sheet = openpyxl.load_workbook(io.BytesIO(data)).worksheets[0]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "inlineStr"}
    return [" | ".join(str(cell.value) for cell in row if cell.value) for row in sheet.iter_rows()]


@pytest.mark.parametrize("form", ["docx", "odt", "csv", "xlsx"], indirect=True)
def test_each_answer_stands_beside_its_exact_code(form: Path) -> None:
    before = form.read_bytes()
    filled = fill_form(form, ANSWERS)
    assert form.read_bytes() == before
    assert (filled.found, filled.missing) == (("C1.2", "C1.2.4", "D1.1"), ("C9.9",))
    text = "\n".join(lines_of(form.suffix[1:], filled.data))
    assert text.count("Supplier's answer: Yes") == 1 and text.count("Supplier's answer: a, b") == 1
    assert "Is it?" in text and "Which?" in text and "More" in text
    where = text.index("Supplier's answer: =cmd()")
    assert text.index("Which?") < where
    for verdict in ("pass", "Passed", "met", "compliant"):
        assert verdict not in text.lower().split()


@pytest.mark.parametrize("form", ["docx", "odt", "csv", "xlsx"], indirect=True)
def test_a_demonstration_is_marked_in_each_answer(form: Path) -> None:
    filled = fill_form(form, ANSWERS, mark="DEMONSTRATION: says nothing about any product")
    assert "\n".join(lines_of(form.suffix[1:], filled.data)).count("DEMONSTRATION") == 3


@pytest.mark.parametrize("name", ["form.docx", "form.odt", "form.xlsx", "form.pdf"])
def test_what_is_no_form_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff\x00 no such thing")
    with pytest.raises(UsageError, match=r"form\."):
        fill_form(tmp_path / name, ANSWERS)


def test_entities_of_a_form_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "form.odt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("content.xml", '<!DOCTYPE a [<!ENTITY b "c">]>' + ODT)
    with pytest.raises(UsageError, match="document type"):
        fill_form(path, ANSWERS)


@pytest.mark.parametrize("name", ["form.docx", "form.odt", "form.xlsx"])
def test_a_form_that_unpacks_without_end_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("content.xml", b"\0" * 50_000_001)
    with pytest.raises(UsageError, match="larger than is allowed"):
        fill_form(tmp_path / name, ANSWERS)


@pytest.mark.parametrize("form", ["csv", "xlsx"], indirect=True)
def test_an_answer_is_one_line_of_one_cell(form: Path) -> None:
    """A line that begins like a formula could be read as a row of its own."""
    filled = fill_form(form, {"C1.2": "yes\r\n=cmd()\tmore"})
    assert "Supplier's answer: yes =cmd() more" in "\n".join(lines_of(form.suffix[1:], filled.data))
    if form.suffix == ".csv":
        assert filled.data.count(b"\n") == form.read_bytes().count(b"\n")
