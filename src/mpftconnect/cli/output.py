"""What a command writes: into files that only their owner may read, and onto terminals that text cannot steer."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from mpftconnect.errors import UsageError

__all__ = ["check_writable", "printable", "write_private", "write_private_lines"]

# Controls could move the cursor, recolour or hide lines; direction marks reorder what is read. A source may send both.
# Unicode: general category Cc, and the bidirectional formatting characters of UAX #9.
_STEERING = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]")


def printable(text: str) -> str:
    """The text without what would steer a terminal; where something stood, it shows.

    >>> printable("dose \\x1b[8m5")
    'dose \\ufffd[8m5'
    """
    return _STEERING.sub("\N{REPLACEMENT CHARACTER}", text)


def check_writable(path: Path) -> None:
    """Refuse a file that cannot be written before anybody is asked for anything.

    Raises:
        UsageError: There is no such folder, or it or the file may not be written.
    """
    if not path.parent.is_dir():
        raise UsageError(f"{path} cannot be written: there is no folder {path.parent}")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{path} cannot be written")


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file of mode 0600: what a command writes may hold a patient's record.

    Raises:
        UsageError: It cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "wb") as file:
            if os.name == "posix":
                path.chmod(0o600)  # a file that was there keeps its old mode otherwise
            file.write(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({type(error).__name__})") from None


def write_private_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a file of mode 0600 line by line; one that does not come to its end leaves what was there before.

    Raises:
        UsageError: It cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            # As it is: CSV ends its lines with CR LF on every platform.
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.writelines(lines)
            part.replace(path)
        except OSError as error:
            raise UsageError(f"{path} cannot be written ({type(error).__name__})") from None
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
