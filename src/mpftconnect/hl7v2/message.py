"""A message: its segments at once, its fields when they are asked for, and its bytes as they came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mpftconnect.errors import NotAnHl7Path, NotWritable
from mpftconnect.hl7v2.delimiters import Delimiters
from mpftconnect.hl7v2.encodings import WIDE, Charset
from mpftconnect.hl7v2.escapes import escape, unescape
from mpftconnect.hl7v2.nulls import NULL, Null, Value
from mpftconnect.hl7v2.paths import Path, read_path
from mpftconnect.hl7v2.segments import HEADERS, Segment

__all__ = ["HEADERS", "Message"]


class Message:
    """One ER7 message, as `parse` reads it and `build` makes it.

    `message["PID-3[1].1"]` is the decoded text at a path, None where nothing was sent, `NULL` where `""` was. What a
    path leaves out is the first: `message["PID-5"]` is the first component of the first repetition of the first PID.
    That is how HL7 lets a field grow components without breaking its readers (2.5.1, 2.8.2 c). `er7` gives a
    place whole.

    `bytes(message)` is what came in, byte for byte, but for segments that `set` changed. Neither `repr` nor `str` shows
    a value: a message must not reach a log by being mentioned.

    Not to be changed by several threads at once; reading is safe.
    """

    __slots__ = (
        "_bytes",
        "_changed",
        "_ends",
        "_fields",
        "_names",
        "_occurrences",
        "_raw",
        "charset",
        "delimiters",
        "lines",
        "prefix",
        "suffix",
    )

    def __init__(
        self,
        lines: list[str],
        delimiters: Delimiters,
        charset: Charset,
        *,
        raw: bytes | None = None,
        ends: list[str] | None = None,
        segment_bytes: list[bytes] | None = None,
        prefix: bytes = b"",
        suffix: bytes = b"",
    ) -> None:
        self.lines, self.delimiters, self.charset = lines, delimiters, charset
        self.prefix, self.suffix = prefix, suffix
        self._raw, self._bytes = raw, segment_bytes
        # What ends each segment; None while every one ends with a carriage return.
        self._ends = ends
        self._changed = raw is None
        self._fields: list[list[str] | None] = [None] * len(lines)
        self._names: list[str] | None = None
        self._occurrences: list[int] | None = None

    # Reading

    @property
    def names(self) -> list[str]:
        """The segments' names in order."""
        if self._names is None:
            mark = self.delimiters.field
            self._names = [line[:3] if line[3:4] in (mark, "") else line.partition(mark)[0] for line in self.lines]
        return self._names

    @property
    def occurrences(self) -> list[int]:
        """Of each segment, its number among those of its name, from 1."""
        if self._occurrences is None:
            counts: dict[str, int] = {}
            self._occurrences = []
            for name in self.names:
                counts[name] = counts.get(name, 0) + 1
                self._occurrences.append(counts[name])
        return self._occurrences

    @property
    def raw(self) -> bytes:
        """The message as bytes: what was received, or what was built."""
        return bytes(self)

    @property
    def text(self) -> str:
        """The message as text, each segment ended by a carriage return. Patient data."""
        return "".join(f"{line}\r" for line in self.lines)

    @property
    def control_id(self) -> str | None:
        """MSH-10: by this the sender knows the message, and an acknowledgement names it."""
        return self["MSH-10"] or None

    @property
    def type(self) -> str:
        """MSH-9 with `^` between its parts, whatever the message's own delimiter: `ADT^A01^ADT_A01`."""
        mark = self.delimiters.component
        text = self.er7("MSH-9[1]")
        return text.replace(mark, "^") if mark else text

    @property
    def version(self) -> str:
        """MSH-12, its first component: `2.4`. "" where nothing was sent."""
        return self["MSH-12"] or ""

    def segments(self, name: str | None = None) -> list[Segment]:
        """All segments in order, or those of one name. None is an empty list."""
        if name is None:
            return [Segment(self, index) for index in range(len(self.lines))]
        return [Segment(self, index) for index, known in enumerate(self.names) if known == name]

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments())

    def __len__(self) -> int:
        return len(self.lines)

    def fields_of(self, index: int) -> list[str]:
        """ER7 text of a segment's fields; item 0 is its name. Split once, when first asked for. Not to be changed."""
        known = self._fields[index]
        if known is None:
            mark = self.delimiters.field
            known = self.lines[index].split(mark)
            if known[0] in HEADERS:
                known.insert(1, mark)
            self._fields[index] = known
        return known

    def _index(self, path: Path) -> int | None:
        wanted, name = path.occurrence or 1, path.segment
        mark = self.delimiters.field
        for index, line in enumerate(self.lines):
            if line.startswith(name) and (len(line) == 3 or line[3] == mark):
                wanted -= 1
                if not wanted:
                    return index
        return None

    def leaf(self, text: str, component: int, subcomponent: int) -> Value:
        """The decoded value at a component and sub-component of one repetition's ER7 text."""
        delimiters = self.delimiters
        mark = delimiters.component
        if mark is not None and mark in text:
            parts = text.split(mark, component)
            text = parts[component - 1] if component <= len(parts) else ""
        elif component > 1:
            return None
        mark = delimiters.subcomponent
        if mark is not None and mark in text:
            parts = text.split(mark, subcomponent)
            text = parts[subcomponent - 1] if subcomponent <= len(parts) else ""
        elif subcomponent > 1:
            return None
        if not text:
            return None
        if text == '""':
            return NULL
        mark = delimiters.escape
        return unescape(text, delimiters, self.charset.codec) if mark is not None and mark in text else text

    def value(self, index: int, path: Path) -> Value:
        """The value at a path's field of the segment at an index."""
        fields = self.fields_of(index)
        number = path.field
        text = fields[number] if number < len(fields) else ""
        if not text:
            return None
        if number <= 2 and fields[0] in HEADERS:
            first = path.repetition <= 1 and path.component <= 1 and path.subcomponent <= 1
            return text if first else None
        mark = self.delimiters.repetition
        repetition = path.repetition or 1
        if mark is not None and mark in text:
            parts = text.split(mark, repetition)
            text = parts[repetition - 1] if repetition <= len(parts) else ""
        elif repetition > 1:
            return None
        return self.leaf(text, path.component or 1, path.subcomponent or 1)

    def __getitem__(self, place: str) -> Value:
        path = read_path(place)
        if not path.field:
            raise NotAnHl7Path("a value has a path with a field; for a whole segment ask segments() or er7()")
        index = self._index(path)
        return None if index is None else self.value(index, path)

    def er7(self, place: str) -> str:
        """The ER7 text of a segment, field, repetition or component, as it was sent; "" where nothing was.

        `er7("PID-3")` has all repetitions, `er7("PID-3[1]")` the first.
        """
        path = read_path(place)
        index = self._index(path)
        if index is None:
            return ""
        if not path.field:
            return self.lines[index]
        fields = self.fields_of(index)
        text = fields[path.field] if path.field < len(fields) else ""
        if path.field <= 2 and fields[0] in HEADERS:
            return text if path.repetition <= 1 and path.component <= 1 and path.subcomponent <= 1 else ""
        if path.repetition or path.component:
            text = _nth(text, self.delimiters.repetition, path.repetition or 1)
        if path.component:
            text = _nth(text, self.delimiters.component, path.component)
        if path.subcomponent:
            text = _nth(text, self.delimiters.subcomponent, path.subcomponent)
        return text

    # Writing

    def set(self, place: str, value: str | Null | None) -> Message:
        r"""Write a value at a path, escaped as the message's delimiters need it.

        Args:
            place: A path with a field. A segment that is not there is added at the end, if it is the next of its name.
            value: Text; None leaves the place empty; `NULL` writes `""`.
        Returns:
            The message itself, so that calls can follow each other.
        Raises:
            NotWritable: MSH-1 or MSH-2; a place that the delimiters cannot reach; text that the character set does not
                have. The message is as it was.

        >>> from mpftconnect.hl7v2 import parse
        >>> parse("MSH|^~\\&|A\rPID|1\r").set("PID-5.2", "R&D").er7("PID-5")
        '^R\\T\\D'
        """
        text = '""' if value is NULL else escape(value, self.delimiters) if isinstance(value, str) else ""
        return self.set_er7(place, text)

    def set_er7(self, place: str, text: str) -> Message:
        """Write ER7 text, delimiters and all, at a path: a whole field with its repetitions, or a part of one.

        Raises:
            NotWritable: As `set`; or the text holds a field separator or the end of a line.
        """
        path = read_path(place)
        delimiters = self.delimiters
        if not path.field:
            raise NotWritable(f"{place}: a path with a field is needed")
        if path.segment in HEADERS and path.field <= 2:
            raise NotWritable(f"{place}: delimiters are stated when a message is built and cannot be changed")
        if delimiters.field in text or "\r" in text or "\n" in text:
            raise NotWritable(f"{place}: the text holds a field separator or the end of a line")
        self._encoded(text, place)
        levels: list[tuple[str | None, int]] = []
        if path.repetition or path.component:
            levels.append((delimiters.repetition, path.repetition or 1))
        if path.component:
            levels.append((delimiters.component, path.component))
        if path.subcomponent:
            levels.append((delimiters.subcomponent, path.subcomponent))
        if any(mark is None and number > 1 for mark, number in levels):
            raise NotWritable(f"{place}: the message has no delimiter for this level")
        index = self._index(path)
        if index is None:
            index = self._appended(path, place)
        fields = list(self.fields_of(index))
        fields.extend([""] * (path.field + 1 - len(fields)))
        fields[path.field] = _replaced(fields[path.field], levels, text)
        self._fields[index] = fields
        mark = delimiters.field
        start = [fields[0] + mark + fields[2], *fields[3:]] if fields[0] in HEADERS else fields
        self.lines[index] = mark.join(start)
        if self._bytes is not None:
            self._bytes[index] = self._encoded(self.lines[index], place)
        self._changed = True
        return self

    def add(self, er7: str, *, at: int | None = None) -> Segment:
        """Add a whole segment, given as ER7 text, at the end or before the segment at an index.

        Raises:
            NotWritable: No segment's name at the beginning, or the end of a line within.
        """
        name = er7.partition(self.delimiters.field)[0]
        if len(name) != 3 or not (name.isascii() and name.isalnum() and name[0].isupper() and name == name.upper()):
            raise NotWritable("a segment begins with its name: three capital letters or digits, the first a letter")
        if "\r" in er7 or "\n" in er7:
            raise NotWritable(f"{name}: the text holds the end of a line")
        index = len(self.lines) if at is None else at
        data = self._encoded(er7, name)
        self.lines.insert(index, er7)
        self._fields.insert(index, None)
        if self._bytes is not None:
            self._bytes.insert(index, data)
        if self._ends is not None:
            last = self._ends[index - 1] if index else "\r"
            if not last:  # the last segment came without an end, and another one follows now
                self._ends[index - 1] = last = next((end for end in self._ends if end), "\r")
            self._ends.insert(index, last)
        self._names = self._occurrences = None
        self._changed = True
        return Segment(self, index)

    def _appended(self, path: Path, place: str) -> int:
        if self.names.count(path.segment) + 1 != (path.occurrence or 1):
            raise NotWritable(f"{place}: there is no such segment, and it would not be the next of its name")
        return self.add(path.segment).index

    def _encoded(self, text: str, place: str) -> bytes:
        try:
            return text.encode(self.charset.codec, _handler(self.charset.codec))
        except UnicodeEncodeError:
            raise NotWritable(f"{place}: the message's character set does not have a character of the text") from None

    def __bytes__(self) -> bytes:
        if not self._changed and self._raw is not None:
            return self._raw
        ends = self._ends or ["\r"] * len(self.lines)
        codec = self.charset.codec
        if self._bytes is not None:
            middle = b"".join(
                part for data, end in zip(self._bytes, ends, strict=True) for part in (data, end.encode("ascii"))
            )
        else:
            text = "".join(part for line, end in zip(self.lines, ends, strict=True) for part in (line, end))
            middle = text.encode(codec, _handler(codec))
        return self.prefix + middle + self.suffix

    def to_hl7apy(self, **options: Any) -> Any:
        """The message as hl7apy's own type, for code that already uses it. Needs the extra `hl7`.

        Args:
            options: Those of `hl7apy.parser.parse_message`.
        Raises:
            UsageError: hl7apy is not installed.
            MessageUnreadable: hl7apy cannot read the message. Only the kind of its error is told.
        """
        from mpftconnect.hl7v2.hl7apy_bridge import to_hl7apy

        return to_hl7apy(self, **options)

    def __repr__(self) -> str:
        return f"<Message of {len(self.lines)} segments>"


def _handler(codec: str) -> str:
    return "surrogatepass" if codec.startswith(WIDE) else "surrogateescape"


def _nth(text: str, mark: str | None, number: int) -> str:
    if mark is None or mark not in text:
        return text if number == 1 else ""
    parts = text.split(mark, number)
    return parts[number - 1] if number <= len(parts) else ""


def _replaced(text: str, levels: list[tuple[str | None, int]], new: str) -> str:
    if not levels:
        return new
    (mark, number), deeper = levels[0], levels[1:]
    if mark is None:
        return _replaced(text, deeper, new)
    parts = text.split(mark)
    parts.extend([""] * (number - len(parts)))
    parts[number - 1] = _replaced(parts[number - 1], deeper, new)
    return mark.join(parts)
