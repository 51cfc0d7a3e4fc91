"""Prints the text of the PDF on standard input. Run as a process of its own: see `document_text`."""

from __future__ import annotations

import io
import logging
import sys

__all__ = ["read"]

_MOST_PAGES = 1000
_MOST_TEXT = 5_000_000
_MOST_MEMORY = 2_000_000_000


def read(data: bytes) -> str:
    """The text of a PDF, page by page.

    Raises:
        Exception: Whatever pypdf makes of a file that is none, is locked, or is larger than is allowed.
    """
    import pypdf

    reader = pypdf.PdfReader(io.BytesIO(data))
    if len(reader.pages) > _MOST_PAGES:
        raise ValueError("too many pages")
    found: list[str] = []
    size = 0
    for page in reader.pages:
        found.append(page.extract_text())
        size += len(found[-1])
        if size > _MOST_TEXT:
            raise ValueError("too much text")
    return "\n".join(found)


def _main() -> int:
    logging.disable()
    try:
        import resource
    except ImportError:  # Windows has no such limit; the time is limited everywhere
        pass
    else:
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    try:
        text = read(sys.stdin.buffer.read())
    except BaseException:  # noqa: BLE001 - nothing of the file may be printed, and no trace of a stack
        return 1
    sys.stdout.buffer.write(text.encode("utf-8", errors="replace"))
    return 0


if __name__ == "__main__":
    raise SystemExit(_main())
