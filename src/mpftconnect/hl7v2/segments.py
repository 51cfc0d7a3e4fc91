"""Handles on parts of a message: its segments, and the repetitions of their fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mpftconnect.errors import NotAnHl7Path
from mpftconnect.hl7v2.nulls import Value
from mpftconnect.hl7v2.paths import Path, read_path

if TYPE_CHECKING:
    from mpftconnect.hl7v2.message import Message

__all__ = ["HEADERS", "Repetition", "Segment"]

# In these the first field is the field separator itself, and the second is not divided.
HEADERS = frozenset(("MSH", "BHS", "FHS"))


class Repetition:
    """One repetition of a field: `repetition[4, 2]` is its fourth component's second sub-component, decoded.

    A field that does not repeat has one. Shows no value of itself: write `repetition.er7` to see it.
    """

    __slots__ = ("_message", "er7")

    def __init__(self, message: Message, er7: str) -> None:
        self._message, self.er7 = message, er7

    def __getitem__(self, place: int | tuple[int, int]) -> Value:
        component, subcomponent = place if isinstance(place, tuple) else (place, 1)
        if component < 1 or subcomponent < 1:
            raise NotAnHl7Path("components and sub-components are counted from 1")
        return self._message.leaf(self.er7, component, subcomponent)

    @property
    def components(self) -> list[str]:
        """The components' ER7 text, in order."""
        mark = self._message.delimiters.component
        return self.er7.split(mark) if mark else [self.er7]

    @property
    def value(self) -> Value:
        """The first component's first sub-component: the value itself, for a type that has no parts."""
        return self[1]

    def __repr__(self) -> str:
        return f"<Repetition of {len(self.components)} components>"


class Segment:
    """One segment of a message. `segment["3[1].1"]` is a value of it, as `message["PID-3[1].1"]` is.

    Args:
        index: Where it stands among the message's segments, from 0.

    A handle, not a copy: what `Message.set` changes shows here.
    """

    __slots__ = ("_message", "index")

    def __init__(self, message: Message, index: int) -> None:
        self._message, self.index = message, index

    @property
    def name(self) -> str:
        return self._message.names[self.index]

    @property
    def occurrence(self) -> int:
        """The number among the segments of the same name, from 1: `OBX[occurrence]` is its path."""
        return self._message.occurrences[self.index]

    @property
    def place(self) -> str:
        """Its path: `PID`, or `OBX[3]` from the second on."""
        occurrence = self.occurrence
        return self.name if occurrence == 1 else f"{self.name}[{occurrence}]"

    @property
    def er7(self) -> str:
        """The segment's text as it was sent, without the end of the line."""
        return self._message.lines[self.index]

    @property
    def fields(self) -> Sequence[str]:
        """ER7 text of each field; item 0 is the segment's name, so that `fields[5]` is the fifth field."""
        return self._message.fields_of(self.index)

    def field(self, number: int) -> str:
        """The whole field's ER7 text, repetitions included; "" where it was not sent."""
        fields = self._message.fields_of(self.index)
        return fields[number] if 0 < number < len(fields) else ""

    def repetitions(self, number: int) -> list[Repetition]:
        """The repetitions of a field; none where it was not sent. A null field has one, whose value is `NULL`."""
        text = self.field(number)
        if not text:
            return []
        mark = self._message.delimiters.repetition
        if mark is None or mark not in text or (number <= 2 and self.name in HEADERS):
            return [Repetition(self._message, text)]
        return [Repetition(self._message, one) for one in text.split(mark)]

    def __getitem__(self, place: int | str) -> Value:
        if isinstance(place, int):
            return self._message.value(self.index, Path(self.name, field=place))
        return self._message.value(self.index, read_path(f"ZZZ-{place}"))

    def __repr__(self) -> str:
        return f"<Segment {self.place} of {len(self.fields) - 1} fields>"
