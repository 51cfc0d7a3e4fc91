"""MLLP's frames: bytes from a stream in, whole messages out, whatever way the stream was cut.

HL7 Version 2 Transport: MLLP, Release 1, section 2.3 (block format): `<SB> dddd <EB><CR>`, where SB is 0x0B, EB 0x1C
and CR 0x0D. Whatever stands between two blocks is not the protocol's; it is counted and located, and never a message.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mpftconnect.errors import UsageError

__all__ = ["DEFAULT_MAX_BYTES", "Frame", "FrameReader", "Oversize", "Stray", "framed"]

START, END = b"\x0b", b"\x1c"
_TRAILER = b"\x1c\r"
DEFAULT_MAX_BYTES = 20_000_000
# Of a message that is too long this much is kept, so that the refusal can name it.
_HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole block's content.

    Args:
        data: Between start and end.
        offset: Where in the stream it began, counted from 0.
    """

    data: bytes = field(repr=False)
    offset: int


@dataclass(frozen=True, slots=True)
class Stray:
    """Bytes that belong to no whole block.

    Args:
        offset: Where in the stream they began.
        count: How many.
        rule: `between-frames`; `frame-without-end`: another frame began, or the stream ended, inside it;
            `end-without-cr`: the block ended in EB alone, and was taken.
    """

    offset: int
    count: int
    rule: str


@dataclass(frozen=True, slots=True)
class Oversize:
    """A block that is longer than allowed. Nothing but its beginning was kept, up to 4,096 bytes."""

    head: bytes = field(repr=False)
    offset: int
    count: int


def framed(message: bytes) -> bytes:
    r"""The message as one block.

    Raises:
        UsageError: It holds a byte that would end the block, or begin another.

    >>> framed(b"MSH|")
    b'\x0bMSH|\x1c\r'
    """
    if START in message or _TRAILER in message or message.endswith(END):
        raise UsageError("a message that holds 0x0B or ends like a block cannot be framed")
    return b"".join((START, message, _TRAILER))


class FrameReader:
    r"""Cuts a stream into blocks. It keeps at most `max_bytes` and one chunk, and looks at each byte once.

    Args:
        max_bytes: Longest content of a block.

    >>> reader = FrameReader()
    >>> reader.feed(b"\x0bMSH|"), reader.feed(b"x\x1c"), reader.feed(b"\r?\x0b")
    ([], [], [Frame(offset=0), Stray(offset=8, count=1, rule='between-frames')])
    """

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        if max_bytes < 1:
            raise UsageError("max_bytes must be more than 0")
        self._max = max_bytes
        self._held = bytearray()
        self._offset = 0  # of the first byte held
        self._scanned = 0  # how far into what is held nothing ends
        self._inside = False
        self._skipping: Oversize | None = None

    @property
    def inside(self) -> bool:
        """Whether a block has begun and not ended."""
        return self._inside or self._skipping is not None

    @property
    def held(self) -> int:
        """How many bytes wait here."""
        return len(self._held)

    def feed(self, data: bytes) -> list[Frame | Stray | Oversize]:
        """Take the next bytes of the stream; returns what they complete, in order."""
        if not self._held and self._skipping is None and self._is_one(data):
            # The usual case: a sender writes one message at a time.
            frame = Frame(data[1:-2], self._offset)
            self._offset += len(data)
            return [frame]
        self._held += data
        out: list[Frame | Stray | Oversize] = []
        while self._step(out):
            pass
        return out

    def _is_one(self, data: bytes) -> bool:
        """Whether it is one block and nothing else."""
        return (
            data[:1] == START
            and 3 <= len(data) <= self._max + 3
            and data.find(END, 1) == len(data) - 2
            and data[-1] == 0x0D
            and data.find(START, 1) < 0
        )

    def end(self) -> list[Stray | Oversize]:
        """The stream has ended; returns what was left over."""
        left: list[Stray | Oversize] = []
        if self._skipping is not None:
            skipped = self._skipping
            left.append(Oversize(skipped.head, skipped.offset, skipped.count + len(self._held)))
        elif self._held:
            left.append(Stray(self._offset, len(self._held), "frame-without-end" if self._inside else "between-frames"))
        self._drop(len(self._held))
        self._inside, self._skipping = False, None
        return left

    def _drop(self, count: int) -> None:
        del self._held[:count]
        self._offset += count
        self._scanned = 0

    def _step(self, out: list[Frame | Stray | Oversize]) -> bool:
        if self._skipping is not None:
            return self._skip(out)
        if not self._inside:
            return self._seek(out)
        return self._take(out)

    def _seek(self, out: list[Frame | Stray | Oversize]) -> bool:
        if not self._held:
            return False
        start = self._held.find(START)
        junk = len(self._held) if start < 0 else start
        if junk:
            _stray(out, self._offset, junk, "between-frames")
            self._drop(junk)
        self._inside = start >= 0
        return self._inside

    def _take(self, out: list[Frame | Stray | Oversize]) -> bool:
        end = self._held.find(END, max(1, self._scanned))
        again = self._held.find(START, max(1, self._scanned), end if end >= 0 else len(self._held))
        if again >= 0:
            # The sender began anew: what came before was never whole, so it was never a message.
            _stray(out, self._offset, again, "frame-without-end")
            self._drop(again)
            return True
        if end - 1 > self._max or (end < 0 and len(self._held) - 1 > self._max):
            self._skipping = Oversize(bytes(self._held[1 : 1 + _HEAD_BYTES]), self._offset, 0)
            self._inside = False
            return True
        if end < 0 or end + 1 == len(self._held):
            self._scanned = len(self._held) if end < 0 else end
            return False
        if self._held[end + 1] == 0x0D:
            out.append(Frame(bytes(self._held[1:end]), self._offset))
            self._drop(end + 2)
            self._inside = False
            return True
        if self._held[end + 1] == 0x0B:
            out.append(Frame(bytes(self._held[1:end]), self._offset))
            out.append(Stray(self._offset + end, 1, "end-without-cr"))
            self._drop(end + 1)
            return True
        self._scanned = end + 1  # 0x1C inside the content, as some character sets have it
        return True

    def _skip(self, out: list[Frame | Stray | Oversize]) -> bool:
        skipping = self._skipping
        assert skipping is not None  # noqa: S101 - the caller looked
        end = self._held.find(_TRAILER)
        # A last 0x1C may be the first half of an end.
        gone = end + 2 if end >= 0 else len(self._held) - (1 if self._held.endswith(END) else 0)
        self._skipping = Oversize(skipping.head, skipping.offset, skipping.count + gone)
        self._drop(gone)
        if end >= 0:
            out.append(self._skipping)
            self._skipping = None
        return end >= 0


def _stray(out: list[Frame | Stray | Oversize], offset: int, count: int, rule: str) -> None:
    """Add it to the stray bytes before it, so that a stream of junk stays one finding."""
    last = out[-1] if out else None
    if isinstance(last, Stray) and last.rule == rule and last.offset + last.count == offset:
        out[-1] = Stray(last.offset, last.count + count, rule)
    else:
        out.append(Stray(offset, count, rule))
