"""The populated leaves of a message: every sub-component that holds something, under its place.

What is mapped is taken away from what is left, so that nothing can be dropped by forgetting it: what is left in the
end is kept as extra.
"""

from __future__ import annotations

from typing import Final

from mpftconnect.hl7v2.delimiters import Delimiters
from mpftconnect.hl7v2.escapes import unescape
from mpftconnect.hl7v2.message import HEADERS, Message

__all__ = ["NULL", "Place", "Segment", "leaves_of", "read_segments", "short_path"]

Place = tuple[int, ...]
"""Field, repetition, component and sub-component, each counted from 1."""

Leaves = dict[Place, str]
Components = dict[tuple[int, int], int]
"""Which components each repetition of a field has, as bits: bit 3 is component 3 (up to 60)."""

NULL: Final = '""'


_NO_NULLS: Final[frozenset[int]] = frozenset()


class Segment:
    """One segment that is being mapped.

    Args:
        name: `OBX`.
        number: Which of its name, from 1.
        sent: Its populated leaves, decoded.
        repetitions: How many repetitions each populated field has.
        components: Which components each repetition has, as bits: bit 3 is component 3 (up to 60).
        nulls: Fields that are `""` as a whole.

    `left` is what no item has taken yet.
    """

    __slots__ = ("components", "left", "name", "nulls", "number", "repetitions", "sent")

    def __init__(
        self,
        name: str,
        number: int,
        sent: Leaves,
        repetitions: dict[int, int],
        components: Components,
        nulls: frozenset[int] = _NO_NULLS,
    ) -> None:
        self.name, self.number, self.sent, self.repetitions = name, number, sent, repetitions
        self.left = sent.copy()
        self.nulls = nulls
        self.components = components

    def get(self, field: int, component: int = 1, repetition: int = 1, sub: int = 1) -> str | None:
        """What was sent there, taken or not; None for absent and null."""
        value = self.sent.get((field, repetition, component, sub))
        return None if value == NULL else value

    def location(self, place: Place) -> str:
        """The place as a path: `PID-3[2].1.2`, `OBX[3]-5`."""
        return f"{self.where}-{short_path(place)}"

    @property
    def where(self) -> str:
        """The segment as a path: `PID`, `OBX[3]`."""
        return self.name if self.number == 1 else f"{self.name}[{self.number}]"


def _nulls(sent: Leaves, repetitions: dict[int, int], components: Components) -> frozenset[int]:
    """The fields of which `""` is all that was sent."""
    return frozenset(
        place[0]
        for place, value in sent.items()
        if value == NULL
        and place[1:] == (1, 1, 1)
        and repetitions[place[0]] == 1
        and components[place[0], 1] == 0b10
        and (place[0], 1, 1, 2) not in sent
    )


def short_path(place: Place) -> str:
    """Field, repetition, component, sub-component, as far as they say anything.

    >>> short_path((3, 1, 1, 1)), short_path((3, 2, 4, 1)), short_path((3, 1, 4, 2))
    ('3', '3[2].4', '3.4.2')
    """
    field, repetition, component, sub = place
    path = f"{field}[{repetition}]" if repetition > 1 else str(field)
    if sub > 1:
        return f"{path}.{component}.{sub}"
    return f"{path}.{component}" if component > 1 else path


def leaves_of(
    text: str, delimiters: Delimiters, codec: str = "utf-8", *, header: bool = False
) -> tuple[Leaves, dict[int, int], Components]:
    """Every populated leaf of a segment's text, how often each populated field is there, and with which components.

    >>> leaves_of("PID|1||7^^^RRE~8", Delimiters())[0]
    {(1, 1, 1, 1): '1', (3, 1, 1, 1): '7', (3, 1, 4, 1): 'RRE', (3, 2, 1, 1): '8'}
    """
    found: dict[Place, str] = {}
    repetitions: dict[int, int] = {}
    components: Components = {}
    component, repetition, escape, sub = (
        delimiters.component,
        delimiters.repetition,
        delimiters.escape,
        delimiters.subcomponent,
    )
    fields = text.split(delimiters.field)
    first = 1
    if header:
        found[1, 1, 1, 1], repetitions[1], components[1, 1] = delimiters.field, 1, 2
        if len(fields) > 1 and fields[1]:
            found[2, 1, 1, 1], repetitions[2], components[2, 1] = fields[1], 1, 2
        first = 2
    for index in range(first, len(fields)):
        field = fields[index]
        if not field:
            continue
        number = index + 1 if header else index
        if field.isalnum():
            found[number, 1, 1, 1], repetitions[number], components[number, 1] = field, 1, 2
            continue
        repeated: list[str] = field.split(repetition) if repetition and repetition in field else [field]
        before = len(found)
        nth = 0
        for repeat in repeated:
            nth += 1
            if not repeat:
                continue
            held = c = 0
            parts: list[str] = repeat.split(component) if component and component in repeat else [repeat]
            for part in parts:
                c += 1
                if not part:
                    continue
                held |= 1 << (c if c < 60 else 60)
                if sub and sub in part:
                    for s, leaf in enumerate(part.split(sub), 1):
                        if leaf:
                            value = unescape(leaf, delimiters, codec) if escape and escape in leaf else leaf
                            found[number, nth, c, s] = value
                else:
                    value = unescape(part, delimiters, codec) if escape and escape in part else part
                    found[number, nth, c, 1] = value
            if held:
                components[number, nth] = held
        if len(found) > before:
            repetitions[number] = len(repeated)
    return found, repetitions, components


def read_segments(message: Message) -> list[Segment]:
    """The segments of a message in order, each numbered among those of its name."""
    delimiters, codec = message.delimiters, message.charset.codec
    escape = delimiters.escape
    counts: dict[str, int] = {}
    segments = []
    for name, line in zip(message.names, message.lines, strict=True):
        sent, repetitions, components = leaves_of(line, delimiters, codec, header=name in HEADERS)
        number = counts[name] = counts.get(name, 0) + 1
        # An escape may stand for a quotation mark.
        odd = NULL in line or (escape is not None and escape in line)
        nulls = _nulls(sent, repetitions, components) if odd else _NO_NULLS
        segments.append(Segment(name, number, sent, repetitions, components, nulls))
    return segments
