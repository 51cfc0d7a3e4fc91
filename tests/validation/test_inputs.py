"""What is read to be validated: every kind of path, one at a time, and each that cannot be read said."""

from __future__ import annotations

import gzip
import io
import os
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpftconnect.validation import folders, inputs
from mpftconnect.validation.inputs import Input, read_inputs

GOOD = b'{"resourceType": "Patient"}'
links = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a system with links and pipes")


def read(*paths: Path | str, largest: int = 1000) -> list[tuple[str, str | None]]:
    """Last part of the name, and the problem."""
    return [(Path(one.name).name, one.problem) for one in read_inputs(map(str, paths), largest=largest)]


def standard_input(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_a_folder_is_read_in_the_order_of_names_in_several_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_AT_ONCE", 3)
    names = [f"{letter}.json" for letter in "gabfced"]
    for name in [*names, ".hidden.json", "note.txt"]:
        (tmp_path / name).write_bytes(GOOD)
    (tmp_path / "bb").mkdir()
    (tmp_path / "bb" / "z.XML").write_bytes(GOOD)
    expected = sorted([*names, "z.XML"], key=lambda name: "bb/z" if name == "z.XML" else name)
    assert read(tmp_path) == [(name, None) for name in expected]


def test_the_memory_of_a_folder_does_not_grow_with_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_AT_ONCE", 50)
    peaks = []
    for count in (200, 4000):
        folder = tmp_path / str(count)
        folder.mkdir()
        for number in range(count):
            (folder / f"{number:0100}.json").touch()
        assert sum(1 for _ in read_inputs([str(folder)])) == count
        tracemalloc.start()
        for _ in read_inputs([str(folder)]):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # 3,800 names of 105 letters would be more than 500,000 bytes.
    assert peaks[1] < peaks[0] + 100_000


@links
def test_what_is_no_file_or_leads_nowhere_is_an_entry_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_bytes(GOOD)
    (tmp_path / "dangling.json").symlink_to(tmp_path / "gone.json")
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    (tmp_path / "notes.txt").symlink_to(tmp_path / "gone.txt")
    (tmp_path / "circle.json").symlink_to(tmp_path / "circle.json")
    os.mkfifo(tmp_path / "pipe.json")
    assert read(tmp_path) == [
        ("circle.json", "it is a link that leads in a circle"),
        ("dangling", "is a link that leads nowhere"),
        ("dangling.json", "is a link that leads nowhere"),
        ("good.json", None),
        ("pipe.json", "is no file, but a pipe, socket or device"),
    ]
    assert read(tmp_path / "dangling.json", tmp_path / "circle.json", tmp_path / "good.json") == [
        ("dangling.json", "cannot be read: it is a link that leads nowhere"),
        ("circle.json", "cannot be read: it is a link that leads in a circle"),
        ("good.json", None),
    ]


@links
def test_links_to_folders_are_followed_once_and_never_in_a_circle(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "a.json").write_bytes(GOOD)
    (inner / "back").symlink_to(tmp_path)
    (tmp_path / "z1").symlink_to(inner)
    (tmp_path / "z2").symlink_to(inner)
    back = ("back", "is a link back to a folder that holds it")
    assert read(tmp_path) == [("a.json", None), back, ("a.json", None), back]
    assert [one.name for one in read_inputs([str(tmp_path)])][2] == str(tmp_path / "z1" / "a.json")


def test_an_unreadable_folder_or_file_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.json").write_bytes(GOOD)
    (tmp_path / "c.json").write_bytes(GOOD)
    scan, open_ = os.scandir, Path.open

    def refused(path: Path) -> Iterator[os.DirEntry[str]]:
        if path.name == "a":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)  # type: ignore[return-value]

    def vanished(path: Path, mode: str) -> object:
        if path.name == "c.json":
            raise FileNotFoundError(2, "No such file", str(path))
        return open_(path, mode)

    monkeypatch.setattr(folders.os, "scandir", refused)
    monkeypatch.setattr(Path, "open", vanished)
    assert read(tmp_path) == [
        ("a", "this folder cannot be read: it may not be read (no permission)"),
        ("b.json", None),
        ("c.json", "cannot be read: there is no such file"),
    ]


def test_folders_within_folders_have_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_DEEPEST", 2)
    (tmp_path / "one" / "two").mkdir(parents=True)
    (tmp_path / "one" / "a.json").write_bytes(GOOD)
    assert read(tmp_path) == [("a.json", None), ("two", "is not read: folders are nested deeper than 2")]


def test_each_cause_has_its_words(tmp_path: Path) -> None:
    (tmp_path / "broken.ndjson.gz").write_bytes(b"no gzip")
    (tmp_path / "cut.ndjson.gz").write_bytes(gzip.compress(GOOD)[:-4])
    packed = bytearray(gzip.compress(os.urandom(2000)))
    packed[600] ^= 255
    (tmp_path / "torn.ndjson.gz").write_bytes(packed)
    (tmp_path / "large.json").write_bytes(b"x" * 1001)
    (tmp_path / "just.json").write_bytes(b"x" * 1000)
    said = dict(read(tmp_path, tmp_path / "none.json", str(tmp_path / "a\0b"), tmp_path / "just.json" / "x.json"))
    assert said["broken.ndjson.gz"] == "cannot be read: it is not gzip, or is broken"
    assert said["cut.ndjson.gz"] == "cannot be read: its gzip archive breaks off"
    assert said["torn.ndjson.gz"] == "cannot be read: it is not gzip, or is broken"
    assert said["large.json"] == "is larger than 1000 bytes"
    assert said["just.json"] is None
    assert said["none.json"] == "cannot be read: there is no such file"
    assert said["a\0b"] == "cannot be read: its name holds a character that no name may hold"
    assert said["x.json"] == "cannot be read: a part of its path is no folder"


def test_a_line_that_is_too_long_is_skipped_and_the_next_is_read(tmp_path: Path) -> None:
    path = tmp_path / "many.ndjson.gz"
    path.write_bytes(gzip.compress(GOOD + b"\n" + b"x" * 5000 + b"\n\n" + GOOD))
    found = list(read_inputs([str(path)], largest=1000))
    assert [(one.line, one.problem) for one in found] == [(1, None), (2, "is larger than 1000 bytes"), (4, None)]
    path.write_bytes(gzip.compress(b"y" * 1000 + b"\n" + b"x" * 1001))
    assert [one.problem for one in read_inputs([str(path)], largest=1000)] == [None, "is larger than 1000 bytes"]


def test_an_archive_that_unpacks_without_end_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gzip bomb of one line, and one of blank lines: neither fills memory nor takes for ever."""
    monkeypatch.setattr(inputs, "_BLANK_AT_MOST", 100)
    path = tmp_path / "bomb.ndjson.gz"
    path.write_bytes(gzip.compress(b"\n" * 99 + GOOD + b"x" * 10_000_000 + b"\n" + GOOD))
    tracemalloc.start()
    found = [(one.line, one.problem) for one in read_inputs([str(path)], largest=1000)]
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
    assert found == [
        (100, "is larger than 1000 bytes"),
        (100, "does not end; what follows in the file is not read"),
    ]
    path.write_bytes(gzip.compress((b"\n" * 60 + GOOD) * 3))
    assert [one.problem for one in read_inputs([str(path)])] == [None] * 3
    path.write_bytes(gzip.compress(b"\n" * 101 + GOOD))
    assert [one.problem for one in read_inputs([str(path)])] == [
        "ends 100 blank lines; what follows in the file is not read"
    ]


@links
def test_a_pipe_is_read_as_it_comes(tmp_path: Path) -> None:
    """The first line is an input before the second is written."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    second, waited_in_vain = threading.Event(), []

    def write() -> None:
        with pipe.open("wb", buffering=0) as file:
            file.write(GOOD + b"\n")
            waited_in_vain.append(not second.wait(10))
            file.write(GOOD + b"\n")

    writer = threading.Thread(target=write)
    writer.start()
    found = read_inputs([str(pipe)])
    assert next(found) == Input(str(pipe), GOOD, 1)
    second.set()
    assert list(found) == [Input(str(pipe), GOOD, 2)]
    writer.join()
    assert waited_in_vain == [False]


@links
def test_a_pipe_without_end_is_too_large(tmp_path: Path) -> None:
    if Path("/dev/zero").exists():
        assert read("/dev/zero") == [("zero", "is larger than 1000 bytes")]


@given(st.lists(st.one_of(st.binary(max_size=30), st.just(GOOD), st.just(b"")), max_size=8), st.integers(0, 60))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_lines_are_inputs_or_are_said_to_be_too_long(tmp_path: Path, pieces: list[bytes], cut: int) -> None:
    data = b"\n".join(pieces)
    path = tmp_path / "any.ndjson"
    path.write_bytes(data)
    lines = {number: line.strip() for number, line in enumerate(data.split(b"\n"), start=1) if line.strip()}
    assert {one.line: one.data for one in read_inputs([str(path)])} == lines
    short = {one.line: one.problem for one in read_inputs([str(path)], largest=10)}
    assert set(short) == {n for n, line in enumerate(data.split(b"\n"), 1) if line.strip() or len(line) > 10}
    # What is cut short ends in a reason, and is never an error of Python's.
    packed = tmp_path / "any.ndjson.gz"
    packed.write_bytes(gzip.compress(data)[:cut])
    for one in read_inputs([str(packed)]):
        assert one.problem is None or one.problem.startswith("cannot be read: ")


def test_standard_input_is_one_resource_or_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    for data, expected in {
        GOOD: [(1, None)],
        GOOD + b"\r\n\n" + GOOD: [(1, None), (3, None)],
        b'{"a": 1,}\n{"b": 2}\n': [(1, None), (2, None)],
        b'{"text": {"status": "generated"}\n}': [(None, None)],
        b'{"text": {"div": "}"}\n}': [(None, None)],
        b'{"text": {"div": "\\"}"}\n}': [(None, None)],
        b"{\n}\n": [(None, None)],
        b"<Patient/>": [(None, None)],
        b"": [(None, "is empty")],
        b" \n ": [(None, "is empty")],
        b"x" * 1001: [(None, "is larger than 1000 bytes")],
        b"x\n" * 501: [(None, "is larger than 1000 bytes")],
    }.items():
        standard_input(monkeypatch, data)
        assert [(one.line, one.problem) for one in read_inputs(["-"], largest=1000)] == expected, data[:40]
        if expected == [(None, None)]:
            standard_input(monkeypatch, data)
            assert next(read_inputs(["-"])).data == data
