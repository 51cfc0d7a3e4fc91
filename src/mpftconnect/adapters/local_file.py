"""Reads a report's extract from a folder or a file share, whole or not at all."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from requests.structures import CaseInsensitiveDict

from mpftconnect.adapters.http_attempt import Received
from mpftconnect.errors import AdapterError, AnswerRejected, NotPermitted, Unreachable

__all__ = ["file_error", "read_unchanged"]


def read_unchanged(path: Path, limit: int) -> Received:
    """The file's bytes with status 200 and `Last-Modified`.

    Raises:
        AnswerRejected: It is no regular file, larger than `limit` bytes, or was written to meanwhile.
        OSError: See `file_error`.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # before it is opened: to open a pipe may wait for ever
        raise AnswerRejected("it is not a regular file")
    with path.open("rb") as file:
        before = path.stat()
        content = file.read(limit + 1)
        after = path.stat()
    if len(content) > limit:
        raise AnswerRejected(f"the file is larger than {limit} bytes")
    if before.st_mtime_ns != after.st_mtime_ns or not before.st_size == after.st_size == len(content):
        raise AnswerRejected("the file was written to while it was read")
    modified = format_datetime(datetime.fromtimestamp(after.st_mtime, UTC), usegmt=True)
    return Received(200, CaseInsensitiveDict({"Last-Modified": modified}), bytearray(content))


def file_error(error: OSError) -> AdapterError:
    """The error of ours; the original's text holds the path."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Unreachable("the file is not there")
    if isinstance(error, PermissionError):
        return NotPermitted("the file must not be read by this account")
    return Unreachable(f"the file cannot be read ({type(error).__name__})")
