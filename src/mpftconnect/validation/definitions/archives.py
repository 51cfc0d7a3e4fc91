"""The files of a FHIR NPM package, from a `.tgz` or a folder that may be hostile.

Nothing is extracted: members are read into memory, within limits. A member that is a link, a device, or
whose name leaves the package is an attack or a fault, and refuses the whole archive with the reason.
"""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from mpftconnect.errors import PackageRefused

__all__ = ["MAXIMUM_FILES", "MAXIMUM_TOTAL_BYTES", "digest_of", "package_files", "safe_name"]

MAXIMUM_FILE_BYTES = 64 * 1024 * 1024
MAXIMUM_TOTAL_BYTES = 1024 * 1024 * 1024
MAXIMUM_FILES = 100_000
# What gzip can make of one byte is bounded by the format (about 1032); this stops a bomb long before its end.
_CHUNK = 1024 * 1024
_LONGEST_READ = 64 * 1024


def safe_name(name: str) -> str | None:
    """The member's name if it stays inside the package, else None.

    >>> safe_name("package/a.json"), safe_name("../a"), safe_name("/etc/a"), safe_name("package/../../a")
    ('package/a.json', None, None, None)
    """
    name = name.replace("\\", "/").removeprefix("./")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or ":" in (path.parts[0] if path.parts else "") or "\0" in name:
        return None
    return str(path)


def package_files(source: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each file of a package, in its own order.

    Raises:
        PackageRefused: Not an archive, a link, a path outside the package, or over a limit.
    """
    if source.is_dir():
        yield from _folder_files(source)
    else:
        yield from _archive_files(source)


def digest_of(source: Path) -> str:
    """SHA-256 of a package: of the archive's bytes, or of the folder's names and bytes."""
    digest = hashlib.sha256()
    if source.is_dir():
        for name, data in _folder_files(source):
            digest.update(f"{name}\0{len(data)}\0".encode())
            digest.update(data)
    else:
        with source.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def _folder_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    total = count = 0
    root = folder.resolve()
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        if not path.resolve().is_relative_to(root):
            raise PackageRefused(f"{folder.name}: a link leaves the package")
        size = path.stat().st_size
        count, total = count + 1, total + size
        _within_limits(folder, count, size, total)
        yield path.relative_to(folder).as_posix(), path.read_bytes()


def _archive_files(archive: Path) -> Iterator[tuple[str, bytes]]:
    total = count = 0
    try:
        with (
            archive.open("rb") as raw,
            _unpacked(raw) as unpacked,
            tarfile.open(fileobj=_Bounded(unpacked, archive.name), mode="r:") as members,  # type: ignore[call-overload]
        ):
            for member in members:
                count, total = count + 1, total + member.size
                _within_limits(archive, count, member.size, total)
                if member.isdir():
                    continue
                name = safe_name(member.name)
                if name is None:
                    raise PackageRefused(f"{archive.name}: a member's path leaves the package")
                if not member.isfile():
                    raise PackageRefused(f"{archive.name}: a member is a link or a device")
                stream = members.extractfile(member)
                if stream is not None:
                    yield name, b"".join(iter(lambda stream=stream: stream.read(_LONGEST_READ), b""))  # type: ignore[misc]
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, RecursionError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise PackageRefused(f"{archive.name}: not a readable package archive ({type(error).__name__})") from None


def _unpacked(raw: BinaryIO) -> BinaryIO:
    """What gzip holds, or a plain archive; no other compression, since some ask for memory as they please."""
    start = raw.read(2)
    raw.seek(0)
    return gzip.GzipFile(fileobj=raw) if start == b"\x1f\x8b" else raw  # type: ignore[return-value]


class _Bounded:
    """A file of which `tarfile` can read no header that fills memory, nor go round in a circle.

    Names and attributes of members are headers whose length an archive states itself, and that are read whole
    (POSIX.1-2001 pax, GNU long names). A stated length may be negative, too.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self._furthest = 0

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LONGEST_READ:
            raise PackageRefused(f"{self._name}: a member's header is longer than {_LONGEST_READ} bytes")
        data = self._file.read(size)
        self._furthest = max(self._furthest, self._file.tell())
        return data

    def seek(self, to: int, whence: int = 0) -> int:
        if whence or not self._furthest - _LONGEST_READ <= to <= MAXIMUM_TOTAL_BYTES * 2:
            raise PackageRefused(f"{self._name}: its members do not follow one another")
        return self._file.seek(to)

    def tell(self) -> int:
        return self._file.tell()


def _within_limits(source: Path, count: int, size: int, total: int) -> None:
    if count > MAXIMUM_FILES:
        raise PackageRefused(f"{source.name}: more than {MAXIMUM_FILES} files")
    if size < 0:
        raise PackageRefused(f"{source.name}: a member has less than no bytes")
    if size > MAXIMUM_FILE_BYTES:
        raise PackageRefused(f"{source.name}: a file is larger than {MAXIMUM_FILE_BYTES} bytes")
    if total > MAXIMUM_TOTAL_BYTES:
        raise PackageRefused(f"{source.name}: more than {MAXIMUM_TOTAL_BYTES} bytes in all")
