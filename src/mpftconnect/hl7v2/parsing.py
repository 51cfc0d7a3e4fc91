"""`parse`: bytes or text into a `Message`. Nothing is lost and nothing is mended: what is odd is for `check` to say."""

from __future__ import annotations

import re
from functools import lru_cache

from mpftconnect.errors import MessageUnreadable
from mpftconnect.hl7v2.delimiters import Delimiters, read_delimiters
from mpftconnect.hl7v2.encodings import EXACT, Charset, choose, codec_of, is_in_table, wide_codec
from mpftconnect.hl7v2.limits import DEFAULT_LIMITS, Limits
from mpftconnect.hl7v2.message import Message

__all__ = ["parse"]

# What may stand before MSH and after the last segment without belonging to the message: a byte order mark, blank
# lines, and the frame of MLLP where a file was written straight from a socket.
_BEFORE, _AFTER = b"\xef\xbb\xbf\x1c\x0b \t\r\n", b"\x1c\r\n\0"


def parse(raw: bytes | str, *, encoding: str | None = None, limits: Limits = DEFAULT_LIMITS) -> Message:
    r"""Read one ER7 message of any version.

    Args:
        raw: The message, its segments ended by CR, LF or CRLF. Bytes are read by MSH-18.
        encoding: A name of HL7 table 0211 that was agreed with the sender, used where MSH-18 is empty.
        limits: How much is read at most.
    Returns:
        The message; fields are split when they are asked for.
    Raises:
        MessageUnreadable: Nothing that can be read as one message, or more than the limits allow. Says where.

    >>> message = parse("MSH|^~\\&|LAB|ZZ1|||20260102||ORU^R01|M1|P|2.4\rPID|||9990000018^^^NHS\r")
    >>> message.type, message["PID-3.4"], message["PID-5"]
    ('ORU^R01', 'NHS', None)
    """
    size = len(raw)
    if size > limits.size:
        raise MessageUnreadable("too-large", f"byte {limits.size + 1}", "the message is larger than is read")
    if isinstance(raw, str):
        return _from_text(raw, encoding, limits)
    if raw[:3] != b"MSH":
        codec = wide_codec(raw)
        if codec:
            return _wide(raw, codec, limits)
    prefix, body, suffix = _trimmed(raw)
    _first_segment(body[:3])
    marked = "UNICODE UTF-8" if prefix.startswith(b"\xef\xbb\xbf") else None
    charset = choose(body, _declared(body), encoding or marked)
    if charset.codec in EXACT:
        text = body.decode(charset.codec, "surrogateescape")
        return _divided(text, charset, limits, raw=raw, prefix=prefix, suffix=suffix)
    return _by_segments(body, charset, limits, raw=raw, prefix=prefix, suffix=suffix)


def _trimmed(raw: bytes) -> tuple[bytes, bytes, bytes]:
    if (
        raw[:3] == b"MSH"
        and raw[-1:] not in (b"\n", b"\x1c", b"\0")
        and raw[-2:-1] not in (b"\r", b"\n", b"\x1c", b"\0")
    ):
        return b"", raw, b""
    start = len(raw) - len(raw.lstrip(_BEFORE))
    body = raw[start:]
    kept = body.rstrip(_AFTER)
    end = body[len(kept) :]
    # The end of the last segment belongs to the message, and what follows it does not.
    length = 2 if end.startswith(b"\r\n") else 1 if end[:1] in (b"\r", b"\n") else 0
    return raw[:start], kept + end[:length], end[length:]


def _first_segment(start: bytes | str) -> None:
    name = start if isinstance(start, str) else start.decode("ascii", "replace")
    if name == "MSH":
        return
    if name in ("FHS", "BHS"):
        raise MessageUnreadable("a-batch", name, "a batch or a file of messages: read it with read_messages")
    rule = "nothing is there" if not name.strip() else "a message begins with the segment MSH"
    raise MessageUnreadable("no-header", "segment 1", rule)


def _declared(body: bytes) -> str | None:
    """MSH-18's first repetition, read before anything else can be."""
    ends = [place for place in (body.find(b"\r"), body.find(b"\n")) if place >= 0]
    header = body[: min(ends)] if ends else body
    return _declared_in(header[:4096].decode("ascii", "surrogateescape"))


@lru_cache(maxsize=64)
def _sets(field: str, repetition: str | None) -> str | None:
    return (field.split(repetition)[0] if repetition else field) or None


def _declared_in(header: str) -> str | None:
    mark = header[3:4]
    if not mark:
        return None
    fields = header.split(mark, 18)
    if len(fields) <= 17:
        return None
    return _sets(fields[17][:64], fields[1][1:2] or None)


def _divided(
    text: str,
    charset: Charset,
    limits: Limits,
    *,
    raw: bytes | None = None,
    prefix: bytes = b"",
    suffix: bytes = b"",
) -> Message:
    delimiters = read_delimiters(text[:16] if "\n" not in text[:16] and "\r" not in text[:16] else text[:16].split()[0])
    _within(text, delimiters, limits)
    ends: list[str] | None = None
    if "\n" in text:
        lines, ends = _lines(text, delimiters.field)
    else:
        lines = text.split("\r")
        if not lines[-1]:
            lines.pop()
        else:
            ends = ["\r"] * (len(lines) - 1) + [""]
    return Message(lines, delimiters, charset, raw=raw, ends=ends, prefix=prefix, suffix=suffix)


def _within(text: str, delimiters: Delimiters, limits: Limits) -> None:
    count = text.count
    if count("\r") + count("\n") > 2 * limits.segments:
        raise MessageUnreadable("too-many-segments", f"segment {limits.segments + 1}", "more segments than are read")
    if count(delimiters.field) > limits.fields:
        raise MessageUnreadable("too-many-fields", f"field {limits.fields + 1}", "more fields than are read")
    marks = (delimiters.component, delimiters.repetition, delimiters.subcomponent)
    if len(text) > limits.parts and sum(count(mark) for mark in marks if mark) > limits.parts:
        raise MessageUnreadable(
            "too-many-parts", f"part {limits.parts + 1}", "more repetitions and parts than are read"
        )


def _lines(text: str, field: str) -> tuple[list[str], list[str]]:
    """Segments and what ends each, where there are line feeds.

    If carriage returns end the segments, a line feed alone ends one only if a segment's name follows it: otherwise it
    is part of a text that somebody forgot to escape, and cutting it there would lose what follows.
    """
    pattern = _mixed(field) if "\r" in text else _FEED
    pieces = pattern.split(text)
    lines, ends = pieces[::2], pieces[1::2]
    if lines[-1]:
        ends.append("")
    else:
        lines.pop()
    return lines, ends


_FEED = re.compile("(\n)")


@lru_cache(maxsize=64)
def _mixed(field: str) -> re.Pattern[str]:
    return re.compile(f"(\r\n|\r|\n(?=[A-Z][A-Z0-9]{{2}}{re.escape(field)}|\\Z))")


def _by_segments(body: bytes, charset: Charset, limits: Limits, *, raw: bytes, prefix: bytes, suffix: bytes) -> Message:
    """A character set whose bytes cannot be made again from text alone: the bytes of each segment are kept."""
    pieces = re.split(rb"(\r\n|\r|\n)", body)
    data, ends = pieces[::2], [end.decode("ascii") for end in pieces[1::2]]
    if data[-1]:
        ends.append("")
    else:
        data.pop()
    lines = [piece.decode(charset.codec, "surrogateescape") for piece in data]
    delimiters = read_delimiters(lines[0])
    if len(lines) > limits.segments:
        raise MessageUnreadable("too-many-segments", f"segment {limits.segments + 1}", "more segments than are read")
    _within("\r".join(lines), delimiters, limits)
    return Message(lines, delimiters, charset, raw=raw, ends=ends, segment_bytes=data, prefix=prefix, suffix=suffix)


def _wide(raw: bytes, codec: str, limits: Limits) -> Message:
    prefix = "\ufeff".encode(codec)
    prefix = prefix if raw.startswith(prefix) else b""
    raw = raw[len(prefix) :]
    try:
        text = raw.decode(codec, "surrogatepass")
    except UnicodeDecodeError as error:
        raise MessageUnreadable(
            "undecodable",
            f"byte {error.start + len(prefix) + 1}",
            f"not {codec.upper()}, as the message's first bytes say",
        ) from None
    _first_segment(text[:3])
    declared = _declared_in(re.split("[\r\n]", text, maxsplit=1)[0][:4096])
    agrees = declared is not None and (codec_of(declared) or "") in codec
    charset = Charset(declared, codec, None if agrees else "false" if declared else "undeclared")
    return _divided(text, charset, limits, raw=prefix + raw, prefix=prefix)


def _from_text(text: str, encoding: str | None, limits: Limits) -> Message:
    body = text.lstrip("\ufeff\x1c\x0b \t\r\n")
    _first_segment(body[:3])
    prefix = text[: len(text) - len(body)].encode("utf-8", "surrogateescape")
    declared = _declared_in(re.split("[\r\n]", body, maxsplit=1)[0][:4096])
    codec = codec_of(declared or encoding or "ASCII")
    problem = "unknown" if codec is None else "not-in-table" if declared and not is_in_table(declared) else None
    if codec is None or (codec == "ascii" and not body.isascii()):
        problem = problem or ("false" if declared or encoding else "undeclared")
        codec = "utf-8"
    try:
        data = body.encode(codec, "surrogateescape")
    except UnicodeEncodeError:
        codec, problem = "utf-8", "false"
        data = body.encode(codec, "surrogatepass")
        body = data.decode(codec, "surrogateescape")
    if codec in ("utf-16", "utf-32"):
        codec += "-le"
        data = body.encode(codec, "surrogatepass")
    charset = Charset(declared, codec, problem)
    if codec in EXACT or codec.startswith("utf-"):
        return _divided(body, charset, limits, raw=prefix + data, prefix=prefix)
    return _by_segments(data, charset, limits, raw=prefix + data, prefix=prefix, suffix=b"")
