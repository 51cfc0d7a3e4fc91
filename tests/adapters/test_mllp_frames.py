"""Blocks are found however the stream was cut, what is none is counted and located, and memory is bounded."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpftconnect.adapters.mllp_frames import Frame, FrameReader, Oversize, Stray, framed
from mpftconnect.errors import UsageError

# Bytes that matter, and some that do not.
NOISE = st.binary(max_size=40) | st.lists(st.sampled_from([b"\x0b", b"\x1c", b"\r", b"\n", b"A", b"MSH|"])).map(
    b"".join
)
CONTENT = st.binary(max_size=60).filter(lambda each: b"\x0b" not in each and b"\x1c" not in each)


def chopped(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


def read(reader: FrameReader, pieces: list[bytes]) -> list[Any]:
    return [found for piece in pieces for found in reader.feed(piece)]


def frames(found: list[Any]) -> list[bytes]:
    return [each.data for each in found if isinstance(each, Frame)]


@given(st.lists(CONTENT, max_size=6), st.lists(st.integers(0, 500), max_size=12))
def test_split_and_joined_blocks_come_out_whole_and_in_order(contents: list[bytes], cuts: list[int]):
    stream = b"".join(framed(each) for each in contents)
    reader = FrameReader()
    assert read(reader, chopped(stream, cuts)) == [
        Frame(each, sum(len(before) + 3 for before in contents[:number])) for number, each in enumerate(contents)
    ]
    assert reader.held == 0 and reader.end() == []


@given(NOISE, st.lists(st.integers(0, 100), max_size=8), st.integers(1, 30))
def test_any_bytes_cut_in_any_way_give_the_same_and_every_byte_is_accounted_for(
    noise: bytes, cuts: list[int], most: int
):
    def told(pieces: list[bytes]) -> tuple[list[bytes], int]:
        reader = FrameReader(most)
        found = read(reader, pieces)
        assert reader.held <= most + 2 or not reader.inside
        found += reader.end()
        stray = sum(each.count for each in found if isinstance(each, Stray | Oversize))
        taken = sum(len(each.data) for each in found if isinstance(each, Frame))
        assert all(len(each.data) <= most for each in found if isinstance(each, Frame))
        # Start and end bytes of whole blocks are all that is neither content nor stray.
        assert 0 <= len(noise) - stray - taken <= 3 * sum(isinstance(each, Frame) for each in found)
        return frames(found), stray

    assert told([noise]) == told(chopped(noise, cuts)) == told([noise[i : i + 1] for i in range(len(noise))])


def test_junk_between_blocks_is_counted_and_located():
    found = FrameReader().feed(b"hello" + framed(b"A") + b"\r\n" + framed(b"B"))
    assert found == [
        Stray(0, 5, "between-frames"),
        Frame(b"A", 5),
        Stray(9, 2, "between-frames"),
        Frame(b"B", 11),
    ]


def test_a_block_that_never_ended_is_no_message():
    found = FrameReader().feed(b"\x0bHALF" + framed(b"WHOLE"))
    assert found == [Stray(0, 5, "frame-without-end"), Frame(b"WHOLE", 5)]
    reader = FrameReader()
    reader.feed(b"\x0bHALF")
    assert reader.inside and reader.end() == [Stray(0, 5, "frame-without-end")]


def test_a_block_that_ends_without_its_last_byte_is_taken_when_the_next_begins():
    assert frames(FrameReader().feed(b"\x0bA\x1c\x0bB\x1c\r")) == [b"A", b"B"]


def test_an_end_byte_within_the_content_ends_nothing():
    assert frames(FrameReader().feed(b"\x0bA\x1cB\x1c\r")) == [b"A\x1cB"]


def test_a_message_that_is_too_long_is_skipped_and_the_next_is_taken():
    reader = FrameReader(100)
    found = read(reader, [b"\x0b" + b"MSH|" + b"x" * 5000, b"y" * 5000, b"\x1c", b"\r" + framed(b"next")])
    (long, after) = found
    assert isinstance(long, Oversize) and long.head.startswith(b"MSH|xx") and long.count == 10_007
    assert after == Frame(b"next", 10_007)
    exactly = FrameReader(4)
    assert frames(exactly.feed(framed(b"1234") + framed(b"12345"))) == [b"1234"]


def test_a_message_that_cannot_be_framed_is_refused():
    for content in (b"a\x0bb", b"a\x1c\rb", b"a\x1c"):
        with pytest.raises(UsageError):
            framed(content)


def test_contents_do_not_show():
    assert "SECRET" not in repr(FrameReader().feed(framed(b"SECRET")))
