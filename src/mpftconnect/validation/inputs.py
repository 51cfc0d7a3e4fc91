"""What `validate` is pointed at: files, folders, lines of NDJSON, pipes, standard input; one at a time.

Nothing is held but the input at hand, so memory does not grow with their number, and each is given as soon as it is
there. One that cannot be read is an input with a problem, never an end of the rest.
"""

from __future__ import annotations

import gzip
import re
import stat
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mpftconnect.validation.folders import reason, walk

__all__ = ["LARGEST_INPUT", "Input", "read_inputs"]

_KINDS = (".json", ".xml", ".ndjson", ".ndjson.gz")
LARGEST_INPUT = 256 * 1024 * 1024
# What follows the limit of a line is skipped, so that the lines after it are judged; but not for ever.
_SKIPPED_AT_MOST = 16
_BLANK_AT_MOST = 1_000_000
_CHUNK = 1024 * 1024
# Possessive: a text of many megabytes must not cost as much again for each of its letters.
_TEXTS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Input:
    """One resource to validate. `line` is that of an NDJSON file; `problem` says why it could not be read."""

    name: str
    data: bytes = b""
    line: int | None = None
    problem: str | None = None

    def __str__(self) -> str:
        return self.name if self.line is None else f"{self.name}:{self.line}"


def read_inputs(paths: Iterable[str], *, largest: int = LARGEST_INPUT) -> Iterator[Input]:
    """Each resource of some paths.

    Args:
        paths: Files, folders, pipes; `-` is standard input. A pipe and standard input hold one resource, or NDJSON if
            their first line is a whole resource.
        largest: Bytes of one input at most; a larger one is an input with a problem.
    """
    for text in paths:
        if text == "-":
            yield from _stream("-", sys.stdin.buffer, largest)
            continue
        path = Path(text)
        try:
            mode = path.stat().st_mode
        except (OSError, ValueError) as error:
            yield Input(text, problem=f"cannot be read: {_reason_of(path, error)}")
            continue
        if stat.S_ISDIR(mode):
            for inner, problem in walk(path, _is_wanted):
                if problem is None:
                    yield from _file(inner, largest)
                else:
                    yield Input(str(inner), problem=problem)
        else:
            yield from _file(path, largest, is_stream=not stat.S_ISREG(mode))


def _is_wanted(name: str) -> bool:
    return name.lower().endswith(_KINDS) and not name.startswith(".")


def _file(path: Path, largest: int, *, is_stream: bool = False) -> Iterator[Input]:
    name, lowered = str(path), path.name.lower()
    try:
        with path.open("rb") as raw:
            if lowered.endswith((".ndjson", ".ndjson.gz")):
                file = gzip.GzipFile(fileobj=raw) if lowered.endswith(".gz") else raw
                yield from _lines(name, file, largest)  # type: ignore[arg-type]
            elif is_stream:
                yield from _stream(name, raw, largest)
            else:
                # One byte more than allowed shows that it is too large, even if it grew since it was found.
                data = raw.read(largest + 1)
                yield Input(name, data) if len(data) <= largest else Input(name, problem=_too_large(largest))
    except (OSError, EOFError, zlib.error) as error:
        yield Input(name, problem=f"cannot be read: {_reason_of(path, error)}")


def _reason_of(path: Path, error: BaseException) -> str:
    if isinstance(error, gzip.BadGzipFile | zlib.error):
        return "it is not gzip, or is broken"
    if isinstance(error, EOFError):
        return "its gzip archive breaks off"
    if isinstance(error, ValueError):
        return "its name holds a character that no name may hold"
    if isinstance(error, FileNotFoundError) and path.is_symlink():
        return "it is a link that leads nowhere"
    return reason(error)


def _too_large(largest: int) -> str:
    return f"is larger than {largest} bytes"


def _lines(name: str, file: IO[bytes], largest: int, start: int = 0) -> Iterator[Input]:
    number, blank = start, 0
    while True:
        line = file.readline(largest + 1)
        if not line:
            return
        number += 1
        if len(line) > largest and not line.endswith(b"\n"):
            line = b""  # let it go before more is read
            yield Input(name, line=number, problem=_too_large(largest))
            if not _skipped(file, largest):
                yield Input(name, line=number, problem="does not end; what follows in the file is not read")
                return
        elif stripped := line.strip():
            blank = 0
            yield Input(name, stripped, number)
        else:
            blank += 1
            if blank > _BLANK_AT_MOST:
                words = f"ends {_BLANK_AT_MOST} blank lines; what follows in the file is not read"
                yield Input(name, line=number, problem=words)
                return


def _skipped(file: IO[bytes], largest: int) -> bool:
    """Go to the end of a line that is too long; False if that is too far away."""
    left = largest * _SKIPPED_AT_MOST
    while left > 0:
        piece = file.readline(min(_CHUNK, left))
        if not piece or piece.endswith(b"\n"):
            return True
        left -= len(piece)
    return False


def _stream(name: str, file: IO[bytes], largest: int) -> Iterator[Input]:
    try:
        first = file.readline(largest + 1)
        if _is_whole(first):
            # Given at once: whoever writes may wait for the answer before the next line.
            yield Input(name, first.strip(), 1)
            yield from _lines(name, file, largest, 1)
            return
        data = first + file.read(largest + 1 - len(first))
    except OSError as error:
        yield Input(name, problem=f"cannot be read: {reason(error)}")
        return
    if len(data) > largest:
        yield Input(name, problem=_too_large(largest))
    elif not data.strip():
        yield Input(name, problem="is empty")
    else:
        yield Input(name, data)


def _is_whole(line: bytes) -> bool:
    """Whether a line closes every object that it opens, so that it is an input of its own.

    >>> _is_whole(b'{"a": {}}'), _is_whole(b'{"a": {"b": "}}"}')
    (True, False)
    """
    text = line.strip()
    if not (text.startswith(b"{") and text.endswith(b"}")):
        return False
    bare = _TEXTS.sub(b"", text)
    return bare.count(b"{") == bare.count(b"}")
