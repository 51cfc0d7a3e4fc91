"""What `hl7 check` is pointed at: files, folders, standard input; one message at a time."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mpftconnect.hl7v2.batches import Part, Trouble, read_messages
from mpftconnect.hl7v2.limits import DEFAULT_LIMITS, Limits

__all__ = ["KINDS", "Source", "read_sources"]

# What is read of a folder. A file that is named is read whatever it is called.
KINDS = (".hl7", ".er7", ".v2", ".hl7v2", ".mllp")


@dataclass(frozen=True)
class Source:
    """A message, or trouble, and where it came from. The name is the path as given, with the message's number."""

    name: str
    part: Part


def read_sources(paths: Iterable[str], *, limits: Limits = DEFAULT_LIMITS) -> Iterator[Source]:
    """Each message and each trouble of some paths; `-` is standard input.

    A file that cannot be read, and one without any message, is trouble and never an end of the rest.
    """
    for text in paths:
        if text == "-":
            yield from _stream("-", sys.stdin.buffer, limits)
            continue
        path = Path(text)
        if not path.is_dir():
            yield from _file(path, limits)
            continue
        for inner in sorted(path.rglob("*")):
            if inner.name.lower().endswith(KINDS) and not inner.name.startswith(".") and inner.is_file():
                yield from _file(inner, limits)


def _file(path: Path, limits: Limits) -> Iterator[Source]:
    try:
        with path.open("rb") as stream:
            yield from _stream(str(path), stream, limits)
    except OSError as error:
        yield _trouble(str(path), "unreadable-file", "file", f"cannot be read ({type(error).__name__})")


def _stream(name: str, stream: BinaryIO, limits: Limits) -> Iterator[Source]:
    empty = True
    for part in read_messages(stream, limits=limits):
        empty = False
        # From the first message it cannot be told whether it is the only one, so each has its number.
        yield Source(f"{name}#{part.number}" if part.raw is not None else name, part)
    if empty:
        yield _trouble(name, "no-header", "segment 1", "nothing is there")


def _trouble(name: str, code: str, place: str, rule: str) -> Source:
    return Source(name, Part(0, 1, 0, trouble=Trouble(code, place, rule)))
