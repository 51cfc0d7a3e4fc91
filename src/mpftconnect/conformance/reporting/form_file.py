"""Fills a copy of a form that the user has: each answer beside the question that bears its exact code.

Never a verdict: only what the supplier answered. Nothing of the form is lost; codes that it does not have are listed.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from mpftconnect.conformance.reporting.forms import clean
from mpftconnect.errors import UsageError
from mpftconnect.spreadsheet import cell

__all__ = ["Filled", "fill_form"]

_LARGEST = 50_000_000
_SAYS = "Supplier's answer: "
_ODF_TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"  # OpenDocument 1.3, part 3, section 2
_ODF_TABLE = "urn:oasis:names:tc:opendocument:xmlns:table:1.0"


@dataclass(frozen=True, slots=True)
class Filled:
    """The filled copy, and which codes were found in it."""

    data: bytes
    found: tuple[str, ...]
    missing: tuple[str, ...]


def fill_form(path: Path, answers: Mapping[str, Any], *, mark: str = "") -> Filled:
    """Fill a copy of a form.

    Args:
        path: `.docx`, `.odt`, `.csv` or `.xlsx`; it is only read.
        answers: By code: `{"C1.2.4": "yes"}`.
        mark: Stands before each answer: the marking of a demonstration.
    Raises:
        UsageError: The file cannot be read as what its name says, or its format needs an extra.
    """
    fillers = {".docx": _docx, ".odt": _odt, ".csv": _csv, ".xlsx": _xlsx}
    filler = fillers.get(path.suffix.lower())
    if filler is None:
        raise UsageError(f"{path.name}: a form is a {', '.join(fillers)} file")
    try:
        if path.stat().st_size > _LARGEST:
            raise UsageError(f"{path.name}: is larger than is allowed")
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path.name}: cannot be read ({type(error).__name__})") from None
    lead = f"{mark}. {_SAYS}" if mark else _SAYS
    said = {code: clean(lead + _words(value)) for code, value in answers.items() if _words(value)}
    try:
        if path.suffix.lower() != ".csv":
            _refuse_large(path.name, data)
        filled, found = filler(data, said)
    except ImportError:
        raise UsageError(f"{path.name}: needs pip install 'mpftconnect[{path.suffix[1:].lower()}]'") from None
    except UsageError:
        raise
    except Exception as error:  # noqa: BLE001 - a file of any kind may be given
        raise UsageError(f"{path.name}: is no such file ({type(error).__name__})") from None
    return Filled(filled, tuple(c for c in said if c in found), tuple(c for c in said if c not in found))


def _refuse_large(name: str, data: bytes) -> None:
    """The others are Zip: what they hold is as large as it says, since more than that is never unpacked."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(member.file_size for member in archive.infolist()) > _LARGEST:
            raise UsageError(f"{name}: is larger than is allowed")


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_words(part)}" for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_words, value))
    return "" if value is None else str(value) if not isinstance(value, float) else json.dumps(value)


def _code_in(text: str, codes: Iterable[str]) -> str:
    """The code with which a text begins, exactly: C1.2 is not C1.2.4.

    >>> _code_in("C1.2.4 Is there a DPIA?", ["C1.2", "C1.2.4"])
    'C1.2.4'
    """
    begun = re.match(r"\s*([A-Za-z]+\d+(?:\.\d+)*)(?![\w]|\.\d)", text)
    return begun[1] if begun and begun[1] in set(codes) else ""


def _docx(data: bytes, said: Mapping[str, str]) -> tuple[bytes, set[str]]:
    import docx

    form = docx.Document(io.BytesIO(data))
    found: set[str] = set()
    tables = list(form.tables)
    while tables:
        table = tables.pop()
        for row in table.rows:
            cells = list({id(c._tc): c for c in row.cells}.values())
            tables += [inner for each in cells for inner in each.tables]
            for place, each in enumerate(cells):
                code = _code_in(each.text, said)
                if code and code not in found:
                    (cells[place + 1] if place + 1 < len(cells) else each).add_paragraph(said[code])
                    found.add(code)
    for paragraph in list(form.paragraphs):
        code = _code_in(paragraph.text, said)
        if code and code not in found:
            paragraph.add_run().add_break()
            paragraph.add_run(said[code])
            found.add(code)
    out = io.BytesIO()
    form.save(out)
    return out.getvalue(), found


def _odt(data: bytes, said: Mapping[str, str]) -> tuple[bytes, set[str]]:
    found: set[str] = set()
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for member in source.infolist():
            content = source.read(member)
            if member.filename == "content.xml":
                content = _odt_content(content, said, found)
            target.writestr(member, content, member.compress_type)
    return out.getvalue(), found


def _odt_content(content: bytes, said: Mapping[str, str], found: set[str]) -> bytes:
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise UsageError("the form holds a document type, which is not read")
    for _, (prefix, uri) in ET.iterparse(io.BytesIO(content), events=["start-ns"]):  # noqa: S314 - no entities, above
        ET.register_namespace(prefix, uri)
    root = ET.fromstring(content)  # noqa: S314 - no entities, above
    parents = {child: parent for parent in root.iter() for child in parent}
    for each in list(root.iter()):
        if each.tag not in (f"{{{_ODF_TEXT}}}p", f"{{{_ODF_TEXT}}}h"):
            continue
        code = _code_in("".join(each.itertext()), said)
        if not code or code in found:
            continue
        answer = ET.Element(f"{{{_ODF_TEXT}}}p")
        answer.text = said[code]
        parent = parents[each]
        row = parents.get(parent)
        cells = list(row) if row is not None and parent.tag == f"{{{_ODF_TABLE}}}table-cell" else []
        place = cells.index(parent) + 1 if cells else 0
        if cells and place < len(cells) and cells[place].tag == parent.tag:
            cells[place].append(answer)
        else:
            parent.insert(list(parent).index(each) + 1, answer)
        found.add(code)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _csv(data: bytes, said: Mapping[str, str]) -> tuple[bytes, set[str]]:
    found: set[str] = set()
    text = data.decode("utf-8-sig")
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\r\n")
    for row in csv.reader(io.StringIO(text, newline="")):
        code = next((c for each in row if (c := _code_in(each, said)) and c not in found), "")
        if code:
            found.add(code)
        writer.writerow([*row, cell(said[code])] if code else row)
    return made.getvalue().encode("utf-8-sig"), found


def _xlsx(data: bytes, said: Mapping[str, str]) -> tuple[bytes, set[str]]:
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(data))
    found: set[str] = set()
    sheets: list[Any] = list(book.worksheets)
    for sheet in sheets:
        for row in list(sheet.iter_rows()):
            codes = [(each, _code_in(str(each.value), said)) for each in row if each.value is not None]
            code = next((c for _, c in codes if c and c not in found), "")
            if code:
                last = max(each.column for each in row if each.value is not None)
                sheet.cell(row=row[0].row, column=last + 1).value = cell(said[code])
                found.add(code)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue(), found
