"""Many messages in one stream: batch and file wrappers, plain concatenation, and captures of MLLP.

HL7 2.5.1 chapter 2, 2.10.3 (Batch protocol): `[FHS] { [BHS] { MSH ... } [BTS] } [FTS]`. One message is in memory at a
time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from mpftconnect.errors import MessageUnreadable
from mpftconnect.hl7v2.delimiters import read_delimiters
from mpftconnect.hl7v2.encodings import wide_codec
from mpftconnect.hl7v2.limits import DEFAULT_LIMITS, Limits

__all__ = ["Part", "Trouble", "read_messages"]

_CHUNK = 64 * 1024
_WRAPPERS = (b"FHS", b"BHS", b"BTS", b"FTS")
_FRAME = b"\x0b\x1c"
_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a wrapper or with what stands between messages: a permanent code, a place and a rule."""

    code: str
    place: str
    rule: str


@dataclass(frozen=True)
class Part:
    """What was found next in a stream: a message's bytes, or trouble.

    Args:
        number: Of the message, from 1; of trouble, that of the message before it.
        line: Where it begins, counted in segments of the stream, from 1.
        offset: Where it begins, in bytes.
        raw: The message; None for trouble.
        trouble: None for a message.
    """

    number: int
    line: int
    offset: int
    raw: bytes | None = None
    trouble: Trouble | None = None

    def __repr__(self) -> str:
        what = f"message {self.number}" if self.raw is not None else repr(self.trouble)
        return f"<Part {what} at line {self.line}>"


def read_messages(stream: BinaryIO, *, limits: Limits = DEFAULT_LIMITS) -> Iterator[Part]:
    r"""Divide a stream into messages, without holding more than one.

    Args:
        stream: Read in blocks; may be a pipe.
        limits: `size` is that of one message. A larger one is trouble, and reading goes on behind it.
    Returns:
        Each message, and each trouble, in order: counts of BTS-1 and FTS-1 that are not so, a wrapper out of order or
        not closed, and segments that belong to no message. A lone message is the simplest stream.

    >>> import io
    >>> parts = list(read_messages(io.BytesIO(b"BHS|^~\\&|A\rMSH|^~\\&|A\rMSH|^~\\&|B\rBTS|3\r")))
    >>> [part.number for part in parts], parts[2].trouble.code
    ([1, 2, 2], 'batch-count')
    """
    return _Reader(limits).read(stream)


class _Reader:
    """Reads one stream; holds the message that is being gathered and the wrappers that are open."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.gathered: list[bytes] = []
        self.size = 0
        self.skipping = False
        self.started = (0, 0)
        self.number = 0
        # Open wrapper: how many messages (of a batch) or batches (of a file) it has had. None while it is not open.
        self.batch: int | None = None
        self.file: int | None = None
        self.separator = b"|"
        self.stray = False

    def read(self, stream: BinaryIO) -> Iterator[Part]:
        offset = 0
        number = 0
        head = _filled(stream, b"", 8)
        if wide_codec(head):
            # Two or four bytes a character: lines cannot be told by bytes, so the stream is one message.
            yield self._whole(_filled(stream, head, self.limits.size + 1))
            return
        for number, line in enumerate(_lines(stream, self.limits.size + 1, head), start=1):
            yield from self._take(line, number, offset)
            offset += len(line)
        yield from self._message()
        if self.batch is not None:
            yield self._trouble("batch-not-closed", "BTS", "the stream ends within a batch", number, offset)
        if self.file is not None:
            yield self._trouble("file-not-closed", "FTS", "the stream ends within a file of batches", number, offset)

    def _whole(self, raw: bytes) -> Part:
        self.number = 1
        if len(raw) > self.limits.size:
            return self._trouble("too-large", "message 1", "the message is larger than is read", 1, 0)
        return Part(1, 1, 0, raw=raw)

    def _trouble(self, code: str, place: str, rule: str, line: int, offset: int) -> Part:
        return Part(self.number, line, offset, trouble=Trouble(code, place, rule))

    def _message(self) -> Iterator[Part]:
        if self.gathered:
            raw, self.gathered, self.size = b"".join(self.gathered), [], 0
            yield Part(self.number, *self.started, raw=raw)

    def _take(self, line: bytes, number: int, offset: int) -> Iterator[Part]:
        bare = line.lstrip(_FRAME + _MARK + b" \t\r\n") if line[:1] in b"\x0b\x1c\xef \t\r\n" else line
        name = bare[:3]
        header = bare[3:4] not in (b"", b"\r", b"\n") and not bare[3:4].isalnum()
        if name == b"MSH" and header:
            yield from self._message()
            self.number += 1
            self.batch = self.batch + 1 if self.batch is not None else None
            self.started, self.skipping, self.stray = (number, offset), False, False
            yield from self._gather(line, number, offset)
        elif name in _WRAPPERS and (header or bare[3:4] in (b"", b"\r", b"\n")):
            yield from self._message()
            self.skipping, self.stray = False, False
            yield from self._wrap(bare, name.decode("ascii"), number, offset)
        elif self.gathered or self.skipping:
            yield from self._gather(line, number, offset)
        elif bare.strip(_FRAME + b" \t\r\n\0") and not self.stray:
            # Told once for each run of them, so that a file that is no HL7 at all does not answer with a line for each.
            self.stray = True
            yield self._trouble("outside-message", f"line {number}", "text that belongs to no message", number, offset)

    def _gather(self, line: bytes, number: int, offset: int) -> Iterator[Part]:
        if self.skipping:
            return
        self.size += len(line)
        if self.size > self.limits.size:
            self.gathered, self.size, self.skipping = [], 0, True
            rule = "the message is larger than is read"
            yield self._trouble("too-large", f"message {self.number}", rule, *self.started)
            return
        self.gathered.append(line)

    def _wrap(self, line: bytes, name: str, number: int, offset: int) -> Iterator[Part]:
        if name in ("FHS", "BHS"):
            try:
                self.separator = read_delimiters(line[:16].decode("ascii", "replace")).field.encode("ascii", "replace")
            except MessageUnreadable as error:
                yield self._trouble(error.code, f"{name}-1", error.rule, number, offset)
        if name == "FHS":
            if self.file is not None or self.batch is not None:
                yield self._trouble("wrapper-order", name, "a file begins within another", number, offset)
            self.file, self.batch = 0, None
        elif name == "BHS":
            if self.batch is not None:
                yield self._trouble("batch-not-closed", name, "a batch begins within another", number, offset)
            self.batch = 0
            self.file = self.file + 1 if self.file is not None else None
        elif name == "BTS":
            yield from self._closed(line, "BTS-1", self.batch, "batch", "messages", number, offset)
            self.batch = None
        else:
            if self.batch is not None:
                yield self._trouble("batch-not-closed", "FTS", "the file ends within a batch", number, offset)
                self.batch = None
            yield from self._closed(line, "FTS-1", self.file, "file", "batches", number, offset)
            self.file = None

    def _closed(
        self, line: bytes, place: str, count: int | None, what: str, items: str, number: int, offset: int
    ) -> Iterator[Part]:
        if count is None:
            yield self._trouble("wrapper-order", place[:3], f"the end of a {what} that did not begin", number, offset)
            return
        stated = line.rstrip(b"\r\n" + _FRAME).split(self.separator, 2)
        text = stated[1].strip() if len(stated) > 1 else b""
        if not text:
            return
        if not text.isdigit() or len(text) > 10:
            yield self._trouble(f"{what}-count", place, "the count is not a number", number, offset)
        elif int(text) != count:
            rule = f"states {int(text)} {items}, and {count} came"
            yield self._trouble(f"{what}-count", place, rule, number, offset)


def _filled(stream: BinaryIO, data: bytes, size: int) -> bytes:
    """Bytes of a stream, which may give few at a time, up to a size."""
    held = [data]
    missing = size - len(data)
    while missing > 0 and (block := stream.read(min(missing, _CHUNK))):
        held.append(block)
        missing -= len(block)
    return b"".join(held)


def _lines(stream: BinaryIO, longest: int, head: bytes) -> Iterator[bytes]:
    """Lines with their ends, CR, LF or CRLF. One that is longer than `longest` comes in pieces."""
    held: list[bytes] = []
    size = 0
    ended = False
    pending = head
    while not ended:
        block = stream.read(_CHUNK)
        ended = not block
        block = pending + block
        # A CRLF that the block's end divides is one end all the same: its first half waits for the next block.
        pending = b"\r" if block[-1:] == b"\r" and not ended else b""
        for piece in block[: len(block) - len(pending)].splitlines(keepends=True):
            held.append(piece)
            size += len(piece)
            if piece[-1:] in b"\r\n" or size >= longest:
                yield b"".join(held)
                held, size = [], 0
    if held:
        yield b"".join(held)
