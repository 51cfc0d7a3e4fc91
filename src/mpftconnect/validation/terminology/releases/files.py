"""The files of a terminology release, from a `.zip` or a folder, which may be hostile.

Nothing is extracted: members are read as streams, within limits. A member that is a link or encrypted, whose name
leaves the release, or that promises far more than it stores, refuses the whole release with the reason.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mpftconnect.errors import PackageNotFound, PackageRefused
from mpftconnect.validation.definitions.archives import safe_name

__all__ = ["Release", "lines_of", "open_release"]

MAXIMUM_FILE_BYTES = 8 * 1024**3
MAXIMUM_TOTAL_BYTES = 64 * 1024**3
MAXIMUM_FILES = 20_000
# Release files are text, which deflate makes 5 to 30 times smaller; a bomb is at the format's limit of 1032.
MAXIMUM_RATIO = 300
MAXIMUM_LINE_BYTES = 1024 * 1024
_SMALL = 10 * 1024 * 1024
_CHUNK = 1024 * 1024


class Release:
    """The names of a release's files, and how to open one."""

    def __init__(self, name: str, files: dict[str, Callable[[], BinaryIO]]) -> None:
        self.name = name
        self.names = tuple(files)
        self._files = files

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A file as a stream of bytes.

        Raises:
            PackageRefused: It cannot be read, or is not what the archive says.
        """
        try:
            with self._files[name]() as stream:
                yield stream
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            short = name.rsplit("/", 1)[-1]
            raise PackageRefused(f"{self.name}: {short} cannot be read ({type(error).__name__})") from None


@contextmanager
def open_release(path: Path) -> Iterator[Release]:
    """A release from a `.zip`, a folder, or one file.

    Raises:
        PackageNotFound: There is nothing there.
        PackageRefused: Not a zip archive, or a hostile one.
    """
    if path.is_dir():
        yield Release(path.name, dict(_folder(path)))
    elif not path.is_file():
        raise PackageNotFound(f"{path.name}: no such file or folder")
    elif zipfile.is_zipfile(path):
        try:
            archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
            raise PackageRefused(f"{path.name}: not a readable zip archive ({type(error).__name__})") from None
        with archive:
            yield Release(path.name, dict(_members(path.name, archive)))
    elif path.suffix.lower() in (".csv", ".xml", ".txt"):
        yield Release(path.name, {path.name: lambda: path.open("rb")})
    else:
        raise PackageRefused(f"{path.name}: not a zip archive, a folder, or a release file")


def _folder(folder: Path) -> Iterator[tuple[str, Callable[[], BinaryIO]]]:
    root = folder.resolve()
    count = 0
    for place, _, names in os.walk(folder):  # links to folders are not followed
        for name in sorted(names):
            path = Path(place, name)
            if not path.is_file():
                continue
            if not path.resolve().is_relative_to(root):
                raise PackageRefused(f"{folder.name}: a link leaves the release")
            count += 1
            if count > MAXIMUM_FILES:
                raise PackageRefused(f"{folder.name}: more than {MAXIMUM_FILES} files")
            yield path.relative_to(folder).as_posix(), lambda path=path: path.open("rb")  # type: ignore[misc]


def _members(archive_name: str, archive: zipfile.ZipFile) -> Iterator[tuple[str, Callable[[], BinaryIO]]]:
    total = 0
    if len(archive.infolist()) > MAXIMUM_FILES:
        raise PackageRefused(f"{archive_name}: more than {MAXIMUM_FILES} files")
    for info in archive.infolist():
        name = safe_name(info.filename)
        if name is None:
            raise PackageRefused(f"{archive_name}: a member's path leaves the release")
        mode = info.external_attr >> 16
        if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_IFMT(mode) == 0):
            raise PackageRefused(f"{archive_name}: a member is a link or a device")
        if info.is_dir():
            continue
        if info.flag_bits & 0x1:
            raise PackageRefused(f"{archive_name}: a member is encrypted")
        total += info.file_size
        if info.file_size > MAXIMUM_FILE_BYTES or total > MAXIMUM_TOTAL_BYTES:
            raise PackageRefused(f"{archive_name}: larger than is allowed when unpacked")
        if info.file_size > _SMALL and info.file_size > MAXIMUM_RATIO * max(info.compress_size, 1):
            raise PackageRefused(f"{archive_name}: a member is compressed more than {MAXIMUM_RATIO} times")
        # zipfile reads no more than file_size, and compares the checksum at the end.
        yield name, lambda info=info: archive.open(info)  # type: ignore[misc]


def lines_of(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """The lines of a stream without their ends, in bounded memory.

    Raises:
        PackageRefused: A line is longer than `MAXIMUM_LINE_BYTES`.
    """
    rest = b""
    while chunk := stream.read(_CHUNK):
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        if len(rest) > MAXIMUM_LINE_BYTES:
            raise PackageRefused(f"{name}: a line is longer than {MAXIMUM_LINE_BYTES} bytes")
        for line in lines:
            yield line[:-1] if line.endswith(b"\r") else line
    if rest:
        yield rest.removesuffix(b"\r")
