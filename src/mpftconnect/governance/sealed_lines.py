"""An append-only file of sealed JSON lines, durable line by line and shared by several processes.

It serves where the audit trail cannot lean on its own database: as the anchor at a second place, and as the second
sink when the database fails. So it uses nothing but a file, and a lock.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mpftconnect.governance.seal import Seal, canonical

__all__ = ["Line", "SealedLines", "create_private_file", "create_private_folder"]

_LONGEST_LINE_BYTES = 64 * 1024 * 1024
_TAIL_BYTES = 16 * 1024
_BINARY: int = getattr(os, "O_BINARY", 0)  # without it Windows rewrites line ends


def create_private_folder(folder: Path) -> None:
    """Make the folder, for its owner alone (0700), unless it is there. A folder that is there is left as it is."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def create_private_file(path: Path) -> None:
    """Make the file, empty and for its owner alone (0600), unless it is there; durable like its content."""
    if path.exists():
        return
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | _BINARY, 0o600))
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # Windows has no handle on a folder to flush; NTFS journals the entry
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it was found.

    Args:
        number: Counted from 1.
        fields: What it says; None unless its seal fits.
        state: `sealed`; `damaged` (a whole line whose seal does not fit); `torn` (a line without an end, as a crash
            in mid-write leaves it).
    """

    number: int
    fields: dict[str, Any] | None
    state: Literal["sealed", "damaged", "torn"]


class SealedLines:
    """The file. Whoever appends, clears or needs a steady view holds `lock()`.

    Args:
        path: The file; made on first use, as is its folder.
        seal: Seals of the trail that it belongs to.
        purpose: What the lines are for; part of every seal.
        lock_seconds: How long to wait for another process.
    """

    def __init__(self, path: Path, seal: Seal, purpose: str, lock_seconds: float) -> None:
        self.path = path
        self._seal = seal
        self._purpose = purpose
        self._lock_seconds = lock_seconds

    @property
    def lock_path(self) -> Path:
        return self.path.with_name(self.path.name + ".lock")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the file against other threads and processes.

        The lock is the write lock of an empty SQLite database: the one lock in the standard library that works
        between processes on every platform and that the system releases when its holder dies.

        Raises:
            OSError: Somebody else kept it for too long, or it cannot be made.
        """
        try:
            create_private_folder(self.path.parent)
            create_private_file(self.lock_path)
            held = sqlite3.connect(self.lock_path, timeout=self._lock_seconds, isolation_level=None)
        except sqlite3.Error as error:
            raise OSError(f"no lock: {error.sqlite_errorname}") from None
        try:
            try:
                held.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                raise OSError(f"no lock: {error.sqlite_errorname}") from None
            yield
        finally:
            held.close()

    def exists(self) -> bool:
        """Whether there is a file with something in it."""
        try:
            return self.path.stat().st_size > 0
        except OSError:
            return False

    def read(self) -> Iterator[Line]:
        """Every line; none if there is no file.

        Raises:
            OSError: There is something, and it cannot be read.
        """
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            number = 0
            while raw := file.readline(_LONGEST_LINE_BYTES):
                number += 1
                yield self._line(number, raw)

    def last(self) -> tuple[dict[str, Any] | None, bool]:
        """The newest line whose seal fits, and whether there are whole lines at all.

        Raises:
            OSError: There is something, and it cannot be read.
        """
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return None, False
        with file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            tail = file.read(_TAIL_BYTES).splitlines(keepends=True)
        for raw in reversed(tail if size <= _TAIL_BYTES else tail[1:]):
            line = self._line(0, raw)
            if line.fields is not None:
                return line.fields, True
        newest: dict[str, Any] | None = None
        whole = False
        for line in self.read():
            newest = line.fields if line.fields is not None else newest
            whole = whole or line.state != "torn"
        return newest, whole

    def append(self, fields: dict[str, Any]) -> str:
        """Add one line; it is on the disk when this returns. Returns its seal.

        Raises:
            OSError: It could not be made durable; the file is as it was.
        """
        made = self._seal.of(self._purpose, canonical(fields))
        data = canonical({**fields, "seal": made}).encode("ascii") + b"\n"
        create_private_folder(self.path.parent)
        create_private_file(self.path)
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | _BINARY)
        try:
            size = os.lseek(handle, 0, os.SEEK_END)
            if size:
                os.lseek(handle, size - 1, os.SEEK_SET)
                if os.read(handle, 1) != b"\n":
                    data = b"\n" + data  # a crash tore the line before; it stays as it is, ours stays whole
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(handle, rest) :]
                os.fsync(handle)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(handle, size)
                raise
        finally:
            os.close(handle)
        return made

    def clear(self) -> None:
        """Empty the file."""
        handle = os.open(self.path, os.O_WRONLY | os.O_TRUNC | _BINARY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _line(self, number: int, raw: bytes) -> Line:
        whole = raw.endswith(b"\n")
        try:
            fields = json.loads(raw)
        except (ValueError, RecursionError):
            # A torn line was given its end by the next append; what tells it from a damaged one is that its
            # JSON object was never closed.
            torn = not raw.rstrip().endswith(b"}")
            return Line(number, None, "torn" if torn else "damaged")
        if not isinstance(fields, dict) or not whole:
            return Line(number, None, "damaged" if whole else "torn")
        made = fields.pop("seal", None)
        try:
            text = canonical(fields)
        except (ValueError, RecursionError):
            return Line(number, None, "damaged")
        if raw != canonical({**fields, "seal": made}).encode("ascii") + b"\n":
            return Line(number, None, "damaged")
        if not self._seal.fits(made, self._purpose, text):
            return Line(number, None, "damaged")
        return Line(number, {**fields, "seal": made}, "sealed")
