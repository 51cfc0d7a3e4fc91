"""Streams of messages: divided without loss, counted, and never held whole."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpftconnect.hl7v2 import Limits, batches, parse, read_messages


def message(number: int, end: str = "\r") -> str:
    return f"MSH|^~\\&|A|B|||||ADT^A01|{number}|P|2.4{end}PID|{number}{end}"


def codes(text: str | bytes, limits: Limits | None = None) -> list[str | None]:
    stream = io.BytesIO(text if isinstance(text, bytes) else text.encode("utf-8"))
    return [
        part.trouble.code if part.trouble else parse(part.raw or b"").control_id
        for part in read_messages(stream, limits=limits or Limits())
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (message(1), ["1"]),
        (message(1) + "\r\r" + message(2) + "\r", ["1", "2"]),
        ("\x0b" + message(1) + "\x1c\r\x0b" + message(2) + "\x1c\r", ["1", "2"]),
        ("\x0b" + message(1) + "\x1c\x0b" + message(2) + "\x1c", ["1", "2"]),
        ("\ufeff" + message(1, "\r\n"), ["1"]),
        (f"BHS|^~\\&|A\r{message(1)}{message(2)}BTS|2\r", ["1", "2"]),
        (f"BHS|^~\\&|A\r{message(1)}BTS\r", ["1"]),
        (f"BHS|^~\\&|A\r{message(1)}BTS|2\r", ["1", "batch-count"]),
        (f"BHS|^~\\&|A\r{message(1)}BTS|x\r", ["1", "batch-count"]),
        (f"BHS#*+!$#A\r{message(1)}BTS#2#\r", ["1", "batch-count"]),
        (f"BHS|^~\\&|A\r{message(1)}", ["1", "batch-not-closed"]),
        (f"FHS|^~\\&|A\rBHS|^~\\&\r{message(1)}BTS|1\rFTS|1\r", ["1"]),
        (f"FHS|^~\\&|A\rBHS|^~\\&\r{message(1)}BTS|1\rFTS|2\r", ["1", "file-count"]),
        (f"FHS|^~\\&|A\rBHS|^~\\&\r{message(1)}FTS|1\r", ["1", "batch-not-closed"]),
        (f"FHS|^~\\&|A\r{message(1)}", ["1", "file-not-closed"]),
        (f"FHS|^~\\&\rFHS|^~\\&\r{message(1)}FTS\r", ["wrapper-order", "1"]),
        (f"{message(1)}BTS|1\r", ["1", "wrapper-order"]),
        (f"{message(1)}FTS|1\r", ["1", "wrapper-order"]),
        (f"BHS|^~\\&\rBHS|^~\\&\r{message(1)}BTS|1\r", ["batch-not-closed", "1"]),
        ("one\rtwo\r" + message(1), ["outside-message", "1"]),
    ],
)  # fmt: skip
def test_streams(text: str, expected: list[str]) -> None:
    assert codes(text) == expected


@given(
    st.lists(st.sampled_from([message(1), message(2, "\r\n"), message(3, "\n"), "\r\n", "\x0b", "\x1c\r"]), max_size=8),
    st.integers(1, 40),
)
def test_where_a_block_ends_makes_no_difference(pieces: list[str], size: int) -> None:
    data = "".join(pieces).encode("ascii")
    whole = list(read_messages(io.BytesIO(data)))
    original, batches._CHUNK = batches._CHUNK, size
    try:
        assert list(read_messages(io.BytesIO(data))) == whole
    finally:
        batches._CHUNK = original
    assert len([part for part in whole if part.raw]) == sum(piece.startswith("MSH") for piece in pieces)


def test_a_message_that_is_too_large_is_left_out_and_the_next_is_read() -> None:
    long = message(1) + "NTE|1||" + "x" * 300 + "\r" + "NTE|2\r" * 50
    assert codes(long + message(2), Limits(size=200)) == ["too-large", "2"]
    assert codes("y" * 5000 + "\r" + message(2), Limits(size=200)) == ["outside-message", "2"]


class _Endless(io.RawIOBase):
    """A long stream that is made while it is read."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.blocks = blocks

    def read(self, size: int = -1) -> bytes:
        return next(self.blocks, b"")


def test_memory_does_not_grow_with_the_stream() -> None:
    block = message(1).encode("ascii") * 20

    def peak(blocks: int) -> int:
        tracemalloc.start()
        stream = _Endless(iter([block] * blocks))
        count = sum(1 for part in read_messages(stream) if part.raw)  # type: ignore[arg-type]
        assert count == 20 * blocks
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    assert peak(500) < peak(20) + 100_000


def test_a_stream_of_utf_16_is_one_message() -> None:
    for codec in ("utf-16", "utf-16-be", "utf-32-le"):
        raw = message(7).encode(codec)
        assert codes(raw) == ["7"]
        assert codes(raw, Limits(size=20)) == ["too-large"]


def test_nothing_of_a_message_shows_by_mention() -> None:
    (part,) = read_messages(io.BytesIO(b"MSH|^~\\&|A\rPID|||9990000018\r"))
    assert "999" not in repr(part)
