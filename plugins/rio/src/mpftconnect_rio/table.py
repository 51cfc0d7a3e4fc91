"""Reads a CSV extract row by row, in bounded memory, and stops where its structure can no longer be trusted.

A report is written by somebody else's software and may be cut short, quoted wrongly or in another encoding than was
said. A row that does not fit the heading is handed on as broken, with its number, and reading goes on. Lost quoting is
different: text of a note could then be taken for rows, so everything after it is refused.

Source: RFC 4180, section 2 (rows, quoting, doubled quotation marks).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO

from mpftconnect.errors import AnswerRejected
from mpftconnect_rio.settings import ExtractSettings

__all__ = ["MAX_LINE", "MAX_ROW", "Heading", "Row", "as_text", "read_table"]

# Characters. A progress note runs to some thousands; what is longer than this is not a report's line.
MAX_LINE = 1_000_000
MAX_ROW = 4_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """One row under the heading.

    Args:
        number: Which row of data it is, the first being 1; the heading is not counted.
        cells: Cell by column number.
        broken: Which rule the row breaks; None if it fits. Its cells may stand in the wrong columns then.
    """

    number: int
    cells: tuple[str, ...] = field(repr=False)
    broken: str | None = None


class _Lines:
    """Lines of a stream, none longer than `MAX_LINE`, and no row of them longer than `MAX_ROW`."""

    def __init__(self, stream: io.TextIOWrapper, name: str) -> None:
        self._stream, self._name = stream, name
        self.read_in_row = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        try:
            line = self._stream.readline(MAX_LINE + 1)
        except UnicodeError:
            raise AnswerRejected(f"the {self._name} extract is not in the encoding that is configured for it") from None
        if not line:
            raise StopIteration
        self.read_in_row += len(line)
        if len(line) > MAX_LINE or self.read_in_row > MAX_ROW:
            raise AnswerRejected(f"the {self._name} extract has a row too long to be one")
        return line


def _is_broken(cells: list[str], width: int, encoding: str) -> str | None:
    if len(cells) < width:
        return f"{len(cells)} cells under {width} headings"
    if len(cells) > width and any(cell.strip() for cell in cells[width:]):
        return f"{len(cells)} cells under {width} headings"
    # surrogateescape marks each byte that is not of the encoding as U+DC80 to U+DCFF (PEP 383).
    whole = "".join(cells)
    if not whole.isascii() and any("\udc80" <= character <= "\udcff" for character in whole):
        return f"bytes that are not {encoding}"
    return None


@dataclass(frozen=True, slots=True)
class Heading:
    """The heading of an extract: where each field's column stands, and what the other columns are called."""

    width: int
    columns: Mapping[str, int]
    others: Mapping[int, str]

    @classmethod
    def of(cls, cells: list[str], settings: ExtractSettings, name: str) -> Heading:
        """The heading, with every configured column found exactly once.

        Raises:
            AnswerRejected: A column is missing or there twice. The message holds the *configured* heading: a report
                without its heading row would have a person's data there.
        """
        while cells and not cells[-1].strip():
            cells = cells[:-1]
        places: dict[str, list[int]] = {}
        for index, cell in enumerate(cells):
            places.setdefault(cell.strip().lower(), []).append(index)
        columns: dict[str, int] = {}
        lacking: list[str] = []
        for field_name, heading in settings.headings(name).items():
            found = places.get(heading.strip().lower(), [])
            if not found:
                lacking.append(f"lacks the column {heading!r} ({field_name})")
            elif len(found) > 1:
                lacking.append(f"has the column {heading!r} ({field_name}) more than once")
            else:
                columns[field_name] = found[0]
        if lacking:
            raise AnswerRejected(f"the {name} extract {'; '.join(lacking)}")
        taken = set(columns.values())
        others: dict[int, str] = {}
        for heading, indexes in places.items():
            for turn, index in enumerate(indexes, start=1):
                if index not in taken:
                    shown = cells[index].strip() or f"column {index + 1}"
                    others[index] = shown if turn == 1 or not heading else f"{shown}[{turn}]"
        return cls(len(cells), columns, others)


def as_text(stream: IO[bytes], settings: ExtractSettings) -> io.TextIOWrapper:
    """The extract's bytes as the text that `read_table` takes. Closing it closes `stream`.

    A byte that is not of the encoding becomes a mark, which breaks its row and no other.
    """
    encoding = {"utf-8": "utf-8-sig"}.get(settings.encoding, settings.encoding)
    return io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")


def read_table(text: io.TextIOWrapper, settings: ExtractSettings, name: str) -> tuple[Heading, Iterator[Row]]:
    """The heading, and each row of data as it is read.

    Args:
        text: From `as_text`; read as the rows are.
        name: Which extract, for messages.
    Raises:
        AnswerRejected: There is no usable heading. While rows are read: the quoting is lost; a row is too long; the
            closing row is missing or states another number of rows; there are fewer rows than the least.
    """
    lines = _Lines(text, name)
    table = _cells(lines, settings, name)
    first = next(table, None)
    if first is None:
        raise AnswerRejected(f"the {name} extract is empty: it has not even a heading")
    heading = Heading.of(first, settings, name)
    return heading, _rows(table, heading, settings, name)


def _cells(lines: _Lines, settings: ExtractSettings, name: str) -> Iterator[list[str]]:
    """The cells of every row that is not blank."""
    backslash = settings.quoting == "backslash"
    reader = csv.reader(
        lines,
        delimiter=settings.delimiter,
        quotechar='"',
        doublequote=not backslash,
        escapechar="\\" if backslash else None,
        strict=True,
    )
    while True:
        lines.read_in_row = 0
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            # `from None`: the csv module's own message can quote what it read.
            limit = csv.field_size_limit()
            raise AnswerRejected(
                f"the {name} extract is quoted wrongly, or has a cell of more than {limit} characters, near line "
                f"{reader.line_num}; nothing behind that can be trusted"
            ) from None
        if any(cell.strip() for cell in cells):
            yield cells


def _rows(table: Iterator[list[str]], heading: Heading, settings: ExtractSettings, name: str) -> Iterator[Row]:
    number = 0
    closed = False
    for cells in table:
        if closed:
            raise AnswerRejected(f"the {name} extract goes on after its closing row")
        if settings.trailer and cells[0].strip() == settings.trailer:
            closed = True
            _check_count(cells, number, name)
            continue
        number += 1
        broken = _is_broken(cells, heading.width, settings.encoding)
        yield Row(number, tuple(cells if broken else cells[: heading.width]), broken)
    if settings.trailer and not closed:
        raise AnswerRejected(f"the {name} extract was cut short: its closing row is missing")
    if number < settings.minimum_rows:
        raise AnswerRejected(f"the {name} extract has fewer rows than it must have")


def _check_count(cells: list[str], number: int, name: str) -> None:
    stated = cells[1].strip() if len(cells) > 1 else ""
    if not (stated.isascii() and stated.isdigit() and len(stated) < 19):
        raise AnswerRejected(f"the closing row of the {name} extract states no number of rows")
    if int(stated) != number:
        raise AnswerRejected(f"the {name} extract was cut short: its closing row states another number of rows")
