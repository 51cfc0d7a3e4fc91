"""Rows as CSV that a spreadsheet opens as what they are: text, never a formula.

RFC 4180, sections 2.6 and 2.7, for quoting; OWASP ASVS 5.0.0, requirement 1.2.10, for a cell that begins like a
formula: it gets an apostrophe before it, which spreadsheets take as "text follows".
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["cell", "csv_lines"]

# The characters of ASVS, and the full-width forms that some spreadsheets read as the same.
_FORMULA = tuple("=+-@\t\r\n\x00" + "\uff1d\uff0b\uff0d\uff20")
# Whatever ends a line or steers, wherever it stands: a cell is one line of text.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def cell(value: object) -> str:
    """The value as a cell's text.

    >>> cell("=1+1"), cell(" @SUM(A1)"), cell("RRE"), cell(12), cell(None)
    ("'=1+1", "' @SUM(A1)", 'RRE', '12', '')
    """
    if value is None:
        return ""
    text = str(value)
    dangerous = text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA)
    text = _CONTROLS.sub(" ", text)
    return f"'{text}" if dangerous else text


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The header and each row as a line of CSV, ended by CR LF.

    >>> list(csv_lines(("a", "b"), [("x,y", "=z")]))
    ['a,b\\r\\n', '"x,y",\\'=z\\r\\n']
    """
    yield _line(header)
    for row in rows:
        yield _line([cell(value) for value in row])


def _line(row: Sequence[str]) -> str:
    made = io.StringIO()
    csv.writer(made, lineterminator="\r\n").writerow(row)
    return made.getvalue()
