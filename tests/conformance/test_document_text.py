"""Word and PDF documents are read so far that topics can be located; whatever the file is, reading it ends."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import docx
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpftconnect.conformance import document_text, pdf_reader
from mpftconnect.conformance.document_text import text_of
from mpftconnect.conformance.supplier_file import read_supplier
from mpftconnect_conformance.dtac.documents import look_at, rules

WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def word(xml: str | bytes) -> bytes:
    """A Word file that has this as its document."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", xml)
    return out.getvalue()


def pdf(*lines: str) -> bytes:
    """A PDF of one page with those lines (ISO 32000-1, section 7.5)."""
    content = "BT /F1 12 Tf 14 TL 50 780 Td " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"
    parts = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        f"<</Length {len(content)}>>stream\n{content}\nendstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    made, places = "%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(made))
        made += f"{number} 0 obj{part}endobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"trailer<</Size 6/Root 1 0 R>>\nstartxref\n{len(made)}\n%%EOF\n"
    return (made + f"xref\n0 6\n0000000000 65535 f \n{table}" + end).encode()


def headings(kind: str) -> list[str]:
    return [words[0].capitalize() for words in rules()[kind].sections.values()]


def word_of(lines: list[str]) -> bytes:
    made = docx.Document()
    table = made.add_table(rows=0, cols=2)
    for place, line in enumerate(lines):
        if place % 2:
            table.add_row().cells[1].text = line
        else:
            made.add_heading(line, 2)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


@pytest.mark.parametrize("ending", ["docx", "pdf"])
@pytest.mark.parametrize("kind", [kind for kind, rule in rules().items() if rule.sections])
def test_the_topics_of_a_document_are_located(kind: str, ending: str, tmp_path: Path) -> None:
    lines = [*headings(kind), "Version 4.2"]
    (tmp_path / f"d.{ending}").write_bytes(word_of(lines) if ending == "docx" else pdf(*lines))
    (tmp_path / "supplier.toml").write_text(
        f"""
version = 1
[product]
name = "P"
version = "4.2"
supplier = "S"
ods = "ZZ999"
[target]
environment = "test"
base_url = "http://127.0.0.1:9/fhir"
[authorised_by]
name = "A"
organisation = "B"
date = 2026-01-01
scope = "all"
[[evidence]]
kind = "{kind}"
file = "d.{ending}"
issued = {datetime.now(UTC).date()}
""",
        encoding="utf-8",
    )
    (found,) = read_supplier(tmp_path / "supplier.toml").files[kind]
    located = look_at(found, today=datetime.now(UTC).date().isoformat(), entity="S", version="4.2")
    total = len(rules()[kind].sections)
    assert f"{total} of {total} topics located" in located.seen
    assert not [u for u in located.unclear if "heading" in u or "read" in u or "version" in u]


def test_a_long_paragraph_is_no_heading_and_deleted_text_is_none() -> None:
    text = text_of(
        "d.docx",
        word(
            f"<w:document {WORD}><w:body><w:p><w:r><w:t>One</w:t><w:tab/><w:t>two</w:t></w:r></w:p>"
            "<w:p><w:del><w:r><w:delText>Gone</w:delText></w:r></w:del><w:r><w:t>Three</w:t></w:r></w:p>"
            "</w:body></w:document>"
        ),
    )
    assert text == "One two\nThree"


BOMB = '<!DOCTYPE d [<!ENTITY a "Wolfenstein"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04",
        word(b"\0" * (document_text._MOST_XML + 1)),
        word(f"{BOMB}<w:document {WORD}><w:p><w:t>&b;</w:t></w:p></w:document>"),
        word(f"<w:document {WORD}><w:p><w:t>{'x' * 6_000_000}</w:t></w:p></w:document>"),
        word(f"<w:document {WORD}><w:p>"),
        word(f"<w:document {WORD}><w:p/></w:document>"),
        word(f"<w:document {WORD}><w:p><w:t>x</w:t></w:p></w:document>")[:-30],
    ],
    ids=["empty", "begun", "huge", "entities", "long", "unclosed", "no-text", "cut"],
)
def test_a_word_file_that_is_none_or_means_harm_has_no_text(data: bytes) -> None:
    assert text_of("d.docx", data) is None


def test_a_word_file_may_nest_as_deep_as_it_likes() -> None:
    deep = 200_000
    xml = f"<w:document {WORD}>{'<w:x>' * deep}<w:p><w:t>here</w:t></w:p>{'</w:x>' * deep}</w:document>"
    assert text_of("d.docx", word(xml)) == "here"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.binary(max_size=8))
def test_no_damage_to_a_word_file_raises(place: int, put: bytes) -> None:
    whole = word(f"<w:document {WORD}><w:p><w:t>here</w:t></w:p></w:document>")
    at = place % len(whole)
    assert text_of("d.docx", whole[:at] + put + whole[at + len(put) :]) in (None, "here") or put


def locked() -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf("Wolfenstein")))
    writer.encrypt("a pass phrase", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize("data", [b"", b"%PDF-1.4\n", pdf("x")[:200], pdf(), locked()])
def test_a_pdf_that_is_none_or_is_locked_or_scanned_has_no_text(data: bytes) -> None:
    assert text_of("d.pdf", data) is None


def test_a_pdf_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_text, "_PDF_SECONDS", 0.001)
    assert text_of("d.pdf", pdf("here")) is None


@pytest.mark.parametrize(("name", "limit"), [("_MOST_PAGES", 0), ("_MOST_TEXT", 3)])
def test_a_pdf_of_too_much_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, limit: int) -> None:
    assert pdf_reader.read(pdf("here")).strip() == "here"
    monkeypatch.setattr(pdf_reader, name, limit)
    with pytest.raises(ValueError, match="too m"):
        pdf_reader.read(pdf("here"))


def test_the_reader_prints_nothing_of_a_file_that_it_cannot_read(capfd: pytest.CaptureFixture[str]) -> None:
    text_of("d.pdf", pdf("Wolfenstein").replace(b"xref", b"Wolf").replace(b"/Root", b"/Wolf"))
    assert capfd.readouterr() == ("", "")


def test_other_files_have_no_text_and_plain_ones_are_as_they_are() -> None:
    assert text_of("d.png", b"\x89PNG") is None
    assert text_of("d.MD", b"# Heading\xff") == "# Heading\ufffd"
