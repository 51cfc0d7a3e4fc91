"""The files of a folder, in the order of their names, without holding more names than a few thousand.

A folder of a million files must cost no more memory than one of ten, and a link that leads back must end.
"""

from __future__ import annotations

import errno
import heapq
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["Found", "reason", "walk"]

# Names are taken in passes, the least that come after those before: sorted, and never all in memory.
_AT_ONCE = 10_000
_DEEPEST = 64

Found = tuple[Path, str | None]
_Key = tuple[int, int]


def walk(folder: Path, wanted: Callable[[str], bool]) -> Iterator[Found]:
    """Path of each wanted file under a folder, with None, or with why it or a folder cannot be read.

    Links to folders are followed, each folder that links lead to once. One that leads back to a folder that holds it is
    a problem, never a circle.
    """
    yield from _Walk(wanted).folder(folder, ())


class _Walk:
    def __init__(self, wanted: Callable[[str], bool]) -> None:
        self._wanted = wanted
        self._linked: set[_Key] = set()

    def folder(self, path: Path, above: tuple[_Key, ...]) -> Iterator[Found]:
        if len(above) >= _DEEPEST:
            yield path, f"is not read: folders are nested deeper than {_DEEPEST}"
            return
        try:
            known = path.stat()
            above = (*above, (known.st_dev, known.st_ino))
            after = ""
            while True:
                names = _names(path, after)
                for name in names:
                    yield from self._entry(path / name, name, above)
                if len(names) < _AT_ONCE:
                    return
                after = names[-1]
        except OSError as error:
            yield path, f"this folder cannot be read: {reason(error)}"

    def _entry(self, path: Path, name: str, above: tuple[_Key, ...]) -> Iterator[Found]:
        try:
            status = path.stat()
        except OSError as error:
            if self._wanted(name):
                yield path, _unreachable(path, error)
            elif path.is_symlink() and not path.suffix:
                # It may have led to a folder of inputs.
                yield path, _unreachable(path, error)
            return
        if stat.S_ISDIR(status.st_mode):
            if path.is_symlink():
                key = (status.st_dev, status.st_ino)
                if key in above:
                    yield path, "is a link back to a folder that holds it"
                    return
                if key in self._linked:
                    return
                self._linked.add(key)
            yield from self.folder(path, above)
        elif self._wanted(name):
            yield path, None if stat.S_ISREG(status.st_mode) else "is no file, but a pipe, socket or device"


def _names(path: Path, after: str) -> list[str]:
    """The next names of a folder, in their order."""
    with os.scandir(path) as entries:
        return heapq.nsmallest(_AT_ONCE, (entry.name for entry in entries if entry.name > after))


def _unreachable(path: Path, error: OSError) -> str:
    with suppress(OSError):
        if path.is_symlink() and isinstance(error, FileNotFoundError):
            return "is a link that leads nowhere"
    return reason(error)


def reason(error: BaseException) -> str:
    """Why something could not be read, in words; never the system's own, which repeat the path.

    >>> reason(PermissionError()), reason(OSError())
    ('it may not be read (no permission)', 'reading failed (OSError)')
    """
    for kind, words in _REASONS:
        if isinstance(error, kind):
            return words
    if isinstance(error, OSError) and error.errno in _CIRCLES:
        return "it is a link that leads in a circle"
    return f"reading failed ({type(error).__name__})"


_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (FileNotFoundError, "there is no such file"),
    (PermissionError, "it may not be read (no permission)"),
    (IsADirectoryError, "it is a folder"),
    (NotADirectoryError, "a part of its path is no folder"),
)
_CIRCLES = (errno.ELOOP, 1921)  # 1921: Windows, ERROR_CANT_RESOLVE_FILENAME
