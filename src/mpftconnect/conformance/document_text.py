"""The text of a supplier's document, so that topics can be located in it. Whatever the file is, reading it ends.

Word files are read as the Zip of WordprocessingML that they are (ECMA-376, part 1, section 17.3): each paragraph and
each cell is a line, and text that was deleted under tracked changes is none. PDF files are read by `pypdf` (the extra
`pdf`) in a process of their own, which is ended if it takes too long. A scan has no text.
"""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import PurePath
from typing import NoReturn
from xml.etree import ElementTree as ET

__all__ = ["text_of"]

_PLAIN = frozenset({".txt", ".md", ".csv", ".json", ".toml", ".yaml", ".yml", ".html", ".xml"})
_MOST_TEXT = 5_000_000
_MOST_XML = 40_000_000
_PDF_SECONDS = 30.0
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_STRICT = "{http://purl.oclc.org/ooxml/wordprocessingml/main}"  # ISO/IEC 29500 strict


def text_of(name: str, data: bytes) -> str | None:
    """The text of a document, line by line; None if it has none that can be read here.

    Args:
        name: File name: its ending says of what kind it is.
    """
    ending = PurePath(name).suffix.lower()
    if ending in _PLAIN:
        return data.decode("utf-8", errors="replace") if len(data) <= _MOST_TEXT else None
    text = _word(data) if ending == ".docx" else _pdf(data) if ending == ".pdf" else None
    return text if text is not None and text.strip() and len(text) <= _MOST_TEXT else None


class _Lines:
    """Takes the paragraphs as the parser meets them: no tree is built, however deep the file nests."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._line: list[str] = []
        self._size = 0
        self._in_text = False

    def start(self, tag: str, attributes: object) -> None:
        kind = _kind(tag)
        self._in_text = kind == "t"
        if kind == "p":
            self._end()
        elif kind in ("tab", "br", "cr"):
            self._line.append(" ")

    def end(self, tag: str) -> None:
        self._in_text = False
        if _kind(tag) == "p":
            self._end()

    def data(self, text: str) -> None:
        if self._in_text:
            self._size += len(text)
            if self._size > _MOST_TEXT:
                raise ValueError
            self._line.append(text)

    def doctype(self, *_: object) -> NoReturn:
        raise ValueError  # no Word file has one; an entity could make the text endless

    def close(self) -> None:
        self._end()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def _end(self) -> None:
        if line := "".join(self._line).strip():
            self.lines.append(line)
        self._line = []


def _kind(tag: str) -> str:
    for space in (_WORD, _STRICT):
        if tag.startswith(space):
            return tag[len(space) :]
    return ""


def _word(data: bytes) -> str | None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open("word/document.xml") as member:
            content = member.read(_MOST_XML + 1)
        if len(content) > _MOST_XML:
            return None
        lines = _Lines()
        parser = ET.XMLParser(target=lines)  # noqa: S314 - a document type ends it, and no tree is built
        parser.feed(content)
        parser.close()
    except Exception:  # noqa: BLE001 - Zip, its packers and XML each have their own; none may say what the file holds
        return None
    return lines.text


def _pdf(data: bytes) -> str | None:
    """What the process of `pdf_reader` prints; None if it fails or is not done in time."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "mpftconnect.conformance.pdf_reader"],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PDF_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", errors="replace") if done.returncode == 0 else None
