"""What `validate` is pointed at: files, folders, lines of NDJSON, standard input; one at a time.

Nothing is held but the input at hand, so memory does not grow with their number. One that cannot be read is
an input with a problem, never an end of the rest.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

__all__ = ["Input", "read_inputs"]

_KINDS = (".json", ".xml", ".ndjson", ".ndjson.gz")
LONGEST_INPUT = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Input:
    """One resource to validate. `line` is that of an NDJSON file; `problem` says why it could not be read."""

    name: str
    data: bytes = b""
    line: int | None = None
    problem: str | None = None

    def __str__(self) -> str:
        return self.name if self.line is None else f"{self.name}:{self.line}"


def read_inputs(paths: Iterable[str]) -> Iterator[Input]:
    """Each resource of some paths; `-` is standard input (one resource, or NDJSON if its first line is a whole one)."""
    for text in paths:
        if text == "-":
            yield from _standard_input(sys.stdin.buffer)
            continue
        path = Path(text)
        if path.is_dir():
            for inner in sorted(path.rglob("*")):
                if inner.is_file() and inner.name.lower().endswith(_KINDS) and not inner.name.startswith("."):
                    yield from _file(inner)
        else:
            yield from _file(path)


def _file(path: Path) -> Iterator[Input]:
    name = str(path)
    try:
        if path.name.lower().endswith((".ndjson", ".ndjson.gz")):
            with path.open("rb") as raw:
                file = gzip.GzipFile(fileobj=raw) if path.name.lower().endswith(".gz") else raw
                yield from _lines(name, file)  # type: ignore[arg-type]
            return
        if path.stat().st_size > LONGEST_INPUT:
            yield Input(name, problem=f"is larger than {LONGEST_INPUT} bytes")
            return
        yield Input(name, path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        yield Input(name, problem=f"cannot be read ({type(error).__name__})")


def _lines(name: str, file: IO[bytes], first: bytes | None = None) -> Iterator[Input]:
    number = 0
    if first is not None:
        number = 1
        if first.strip():
            yield Input(name, first.strip(), 1)
    while True:
        line = file.readline(LONGEST_INPUT)
        if not line:
            return
        number += 1
        if line.strip():
            yield Input(name, line.strip(), number)


def _standard_input(file: IO[bytes]) -> Iterator[Input]:
    first = file.readline(LONGEST_INPUT)
    whole = first.strip()
    if whole.startswith(b"{") and whole.endswith(b"}"):
        second = file.readline(LONGEST_INPUT)
        if not second.strip():
            yield Input("-", whole)
            yield from _lines("-", file)
            return
        yield Input("-", whole, 1)
        yield Input("-", second.strip(), 2)
        for item in _lines("-", file):
            yield Input("-", item.data, (item.line or 0) + 2)
        return
    rest = file.read(LONGEST_INPUT)
    if not first and not rest:
        yield Input("-", problem="is empty")
        return
    yield Input("-", first + rest)
