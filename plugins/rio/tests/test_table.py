"""The CSV reader against what a report can do to it."""

from __future__ import annotations

import io

import pytest

from mpftconnect.errors import AnswerRejected
from mpftconnect_rio.settings import ExtractSettings
from mpftconnect_rio.table import MAX_LINE, MAX_ROW, Row, as_text, read_table

HEADING = "Alert ID,Client ID,NHS No,Alert Type,Alert,Alert Detail,Alert Status,Start Date,End Date,Team Code,Team,"
HEADING += "HCP Code,HCP Name,HCP Role,Recorded Date"
COLUMNS = HEADING.count(",") + 1


def read(text: str | bytes, **settings: object) -> tuple[list[Row], AnswerRejected | None]:
    """Every row before the end or the first error, and that error."""
    body = text.encode() if isinstance(text, str) else text
    rows: list[Row] = []
    try:
        given = ExtractSettings(path="x", **settings)
        _, found = read_table(as_text(io.BytesIO(body), given), given, "alerts")
        rows.extend(found)
    except AnswerRejected as error:
        return rows, error
    return rows, None


def line(*cells: str) -> str:
    return ",".join([*cells, *[""] * (COLUMNS - len(cells))])


def rule(text: str | bytes, **settings: object) -> str:
    error = read(text, **settings)[1]
    assert error is not None
    return error.rule


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_end_as_they_may(end: str) -> None:
    rows, error = read(end.join([HEADING, line("A1", "C1"), line("A2", "C2"), ""]))
    assert error is None
    assert [(row.number, row.cells[0], row.broken) for row in rows] == [(1, "A1", None), (2, "A2", None)]


def test_cells_keep_commas_quotation_marks_and_lines() -> None:
    rows, error = read(HEADING + "\n" + line("A1", "C1", "", "", '"one, ""two""\r\nthree\n"'))
    assert error is None
    assert rows[0].cells[4] == 'one, "two"\r\nthree\n'


def test_backslashes_where_they_are_configured() -> None:
    text = HEADING + "\n" + line("A1", "", "", "", '"say \\"no\\""')
    rows, error = read(text, quoting="backslash")
    assert error is None
    assert rows[0].cells[4] == 'say "no"'
    assert "quoted wrongly" in rule(text)


@pytest.mark.parametrize(
    ("encoding", "bytes_of"),
    [("utf-8", "utf-8"), ("utf-8", "utf-8-sig"), ("cp1252", "cp1252"), ("utf-16", "utf-16")],
)
def test_encodings(encoding: str, bytes_of: str) -> None:
    rows, error = read((HEADING + "\n" + line("A1", "", "", "", "Zoë – café")).encode(bytes_of), encoding=encoding)
    assert error is None
    assert rows[0].cells[4] == "Zoë – café"


def test_bytes_of_another_encoding_break_their_row_and_no_other() -> None:
    text = "\n".join([HEADING, line("A1", "", "", "", "Zoë"), line("A2")])
    rows, error = read(text.encode("cp1252"))
    assert error is None
    assert [row.broken for row in rows] == ["bytes that are not utf-8", None]


def test_another_encoding_altogether_is_refused() -> None:
    assert "encoding" in rule((HEADING + "\n").encode("utf-16")[:-1], encoding="utf-16")
    assert "lacks the column" in rule((HEADING + "\n").encode("utf-16"))


def test_ragged_rows_are_broken_and_blank_cells_behind_are_not() -> None:
    rows, error = read("\n".join([HEADING, "A1,C1", line("A2") + ",,", line("A3") + ",more"]))
    assert error is None
    assert [row.broken for row in rows] == [
        f"2 cells under {COLUMNS} headings",
        None,
        f"{COLUMNS + 1} cells under {COLUMNS} headings",
    ]


def test_blank_lines_are_no_rows() -> None:
    assert len(read("\n\n" + HEADING + "\n\n , ,\n" + line("A1") + "\n\n")[0]) == 1


def test_a_missing_column_is_named_as_configured_and_nothing_of_the_file_is() -> None:
    said = rule("Secretname,9990000018\n")
    assert "lacks the column 'Alert ID' (alert_id)" in said
    assert "Secretname" not in said
    assert "999" not in said


def test_a_renamed_column_is_missed_and_can_be_mapped() -> None:
    text = HEADING.replace("Alert Status", "State") + "\n" + line("A1")
    assert rule(text) == "the alerts extract lacks the column 'Alert Status' (status)"
    assert read(text, columns={"status": "State"})[1] is None
    # By any case, and with white space around it.
    assert read(text.replace("State", " sTATE "), columns={"status": "State"})[1] is None


def test_a_column_there_twice_is_refused_if_it_is_asked_for_and_kept_if_not() -> None:
    assert "more than once" in rule(HEADING + ",Alert\n")
    settings = ExtractSettings(path="x")
    text = as_text(io.BytesIO((HEADING + ",Ward,Ward,\n").encode()), settings)
    heading, _ = read_table(text, settings, "alerts")
    assert list(heading.others.values()) == ["Ward", "Ward[2]"]


def test_an_empty_extract_is_refused() -> None:
    assert "empty" in rule("")
    assert "empty" in rule("\n\n")


def test_a_heading_alone_is_a_report_of_nobody() -> None:
    assert read(HEADING) == ([], None)
    assert "fewer rows" in rule(HEADING, minimum_rows=1)


def test_lost_quoting_ends_the_extract_and_keeps_what_stood_before() -> None:
    rows, error = read("\n".join([HEADING, line("A1"), line("A2", '"open'), line("A3", '"closed"x')]))
    assert [row.cells[0] for row in rows] == ["A1"]
    assert error is not None
    assert "quoted wrongly" in error.rule
    rows, error = read("\n".join([HEADING, line("A1"), '"A2 and no end']))
    assert [row.cells[0] for row in rows] == ["A1"]
    assert error is not None


def test_the_closing_row_must_be_there_and_be_right() -> None:
    good = "\n".join([HEADING, line("A1"), line("A2"), "END,2"])
    assert read(good, trailer="END")[1] is None
    assert "closing row is missing" in rule("\n".join([HEADING, line("A1")]), trailer="END")
    assert "another number of rows" in rule(good.replace("END,2", "END,3"), trailer="END")
    assert "no number of rows" in rule(good.replace("END,2", "END,two"), trailer="END")
    assert "no number of rows" in rule(good.replace("END,2", "END"), trailer="END")
    assert "goes on after" in rule(good + "\n" + line("A3"), trailer="END")


def test_a_line_without_end_and_a_row_without_end_are_refused() -> None:
    assert "too long" in rule(HEADING + "\n" + "x," * MAX_LINE)
    row = '"' + "x" * 900 + '\n",'
    assert "too long" in rule(HEADING + "\n" + row * (MAX_ROW // 900 + 10))


def test_a_cell_without_end_ends_the_extract() -> None:
    rows, error = read("\n".join([HEADING, line("A1"), line("A2", "", "", "", "x" * 200_000), line("A3")]))
    assert [row.cells[0] for row in rows] == ["A1"]
    assert error is not None
    assert "a cell of more than 131072 characters, near line 3" in error.rule


class Endless(io.RawIOBase):
    """An extract that never ends, of which only what is read exists."""

    def __init__(self) -> None:
        self.given = 0
        self._row = (line("A1", "C1", "9990000026") + "\n").encode() * 100

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        chunk = (HEADING + "\n").encode() if not self.given else self._row
        chunk = chunk[: len(view)]
        view[: len(chunk)] = chunk
        self.given += len(chunk)
        return len(chunk)


def test_rows_are_read_as_they_come() -> None:
    stream = Endless()
    settings = ExtractSettings(path="x")
    _, rows = read_table(as_text(io.BufferedReader(stream, 4096), settings), settings, "alerts")
    for _ in range(1_000):
        assert next(rows).cells[1] == "C1"
    assert stream.given < 200_000
