"""The populated leaves of a message: every sub-component that holds something, under its place.

What is mapped is taken away from what is left, so that nothing can be dropped by forgetting it: what is left in the
end is kept as extra.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from mpftconnect.hl7v2.delimiters import STANDARD, Delimiters
from mpftconnect.hl7v2.escapes import unescape
from mpftconnect.hl7v2.message import HEADERS

__all__ = ["NULL", "Place", "Segment", "leaves_of", "read_segments", "short_path"]

Place = tuple[int, ...]
"""Field, repetition, component and sub-component, each counted from 1."""

Leaves = dict[Place, str]
Components = dict[tuple[int, int], int]
"""Which components each repetition of a field has, as bits: bit 3 is component 3 (up to 60)."""

NULL: Final = '""'


_NO_NULLS: frozenset[int] = frozenset()
_LEAVES: Final = frozenset(("sent", "left", "repetitions", "components", "nulls"))
# What is longer is divided: nothing that is read plainly is long.
_LONGEST: Final = 4000


def is_plain(line: str) -> bool:
    """Whether a segment's text holds no escape, sub-component, null, or value that is not printable or only space.

    >>> is_plain("PID|1||77^^^RRE"), is_plain('PID|1||""'), is_plain("PID|1|| "), is_plain("PID|1||a&b")
    (True, False, False, False)
    """
    return (
        line[3:4] == "|"
        and len(line) <= _LONGEST
        and line.isprintable()
        and "\\" not in line
        and "&" not in line
        and '""' not in line
        and "| " not in line
        and "^ " not in line
        and "~ " not in line
    )


class Segment:
    """One segment that is being mapped.

    Args:
        name: `OBX`.
        number: Which of its name, from 1.
        line: Its text.
        delimiters: Of the message.
        codec: Of the message, for its escapes.
        plain: It may be read plainly, if its text is plain.

    Most segments hold nothing but printable text and the usual delimiters. Such a segment stays `plain` while only
    plain readers read it: `fields` is its text, and `open` the same text without what was taken. Whoever asks for one
    of the following gets them, and the segment is plain no more:

    - `sent`: its populated leaves, decoded; `left`: those that no item has taken yet;
    - `repetitions`: how many repetitions each populated field has;
    - `components`: which components each repetition has, as bits: bit 3 is component 3 (up to 60);
    - `nulls`: the fields that are `""` as a whole.
    """

    __slots__ = (
        "_source",
        "components",
        "fields",
        "left",
        "line",
        "name",
        "nulls",
        "number",
        "open",
        "plain",
        "repetitions",
        "sent",
    )
    sent: Leaves
    left: Leaves
    repetitions: dict[int, int]
    components: Components
    nulls: frozenset[int]

    def __init__(
        self,
        name: str,
        number: int,
        line: str = "",
        delimiters: Delimiters = STANDARD,
        codec: str = "utf-8",
        *,
        plain: bool = False,
    ) -> None:
        self.name, self.number, self.line, self._source = name, number, line, (delimiters, codec)
        self.plain = plain and is_plain(line)
        self.fields: list[str] = line.split("|") if self.plain else []
        self.open = self.fields.copy()

    def __getattr__(self, name: str) -> Any:
        # Reached only while what is asked for is not there yet.
        if name not in _LEAVES:
            raise AttributeError(name)
        self.divide()
        return getattr(self, name)

    def divide(self) -> None:
        """Make the leaves, and those that are left; the segment is plain no more."""
        delimiters, codec = self._source
        sent, repetitions, components = leaves_of(self.line, delimiters, codec, header=self.name in HEADERS)
        self.hold(sent, repetitions, components)
        if self.open != self.fields:
            self.left = leaves_of("|".join(self.open), delimiters, codec)[0]
        self.plain = False

    def hold(self, sent: Leaves, repetitions: dict[int, int], components: Components) -> None:
        """The leaves of the segment, of which none is taken yet."""
        self.sent, self.repetitions, self.components = sent, repetitions, components
        self.left = sent.copy()
        self.nulls = _nulls(sent, repetitions, components) if NULL in sent.values() else _NO_NULLS

    def among(self, text: str) -> Leaves:
        """The leaves of a text of this segment."""
        return leaves_of(text, *self._source)[0]

    @property
    def remains(self) -> bool:
        """Whether something may be left of it."""
        return any(self.open[1:]) if self.plain else bool(self.left)

    def has(self, field: int) -> bool:
        """Whether a field is populated."""
        if self.plain:
            return field < len(self.fields) and bool(self.fields[field].strip("^~"))
        return field in self.repetitions

    def first_left(self, field: int) -> str | None:
        """What is left of a field's first component."""
        if self.plain:
            text = self.open[field] if field < len(self.open) else ""
            return text.partition("~")[0].partition("^")[0] or None
        return self.left.get((field, 1, 1, 1))

    def get(self, field: int, component: int = 1, repetition: int = 1, sub: int = 1) -> str | None:
        """What was sent there, taken or not; None for absent and null."""
        if self.plain:
            text = self.fields[field] if field < len(self.fields) else ""
            if component == 1 and "^" not in text and "~" not in text:
                return text or None if repetition == 1 == sub else None
            return self._get(text, component, repetition, sub)
        value = self.sent.get((field, repetition, component, sub))
        return None if value == NULL else value

    def take_first(self, field: int) -> None:
        """Take a field's first component, of a plain segment."""
        text = self.open[field]
        first = text.partition("~")[0].partition("^")[0]
        self.open[field] = text[len(first) :]

    @staticmethod
    def _get(text: str, component: int, repetition: int, sub: int) -> str | None:
        if not text or sub > 1:
            return None
        if repetition > 1 or "~" in text:
            parts = text.split("~")
            text = parts[repetition - 1] if repetition <= len(parts) else ""
        if component > 1 or "^" in text:
            parts = text.split("^")
            text = parts[component - 1] if component <= len(parts) else ""
        return text or None

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
        repeated = field.split(repetition) if repetition and repetition in field else (field,)
        before = len(found)
        for nth, repeat in enumerate(repeated, 1):
            if not repeat:
                continue
            held = 0
            parts = repeat.split(component) if component and component in repeat else (repeat,)
            for c, part in enumerate(parts, 1):
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


def read_segments(
    names: Sequence[str], lines: Sequence[str], delimiters: Delimiters, codec: str, *, plain: bool
) -> list[Segment]:
    """The segments of a message in order, each numbered among those of its name.

    Args:
        plain: Those whose text is plain may be read plainly.
    """
    plain = plain and delimiters == STANDARD
    counts: dict[str, int] = {}
    segments = []
    for name, line in zip(names, lines, strict=True):
        number = counts[name] = counts.get(name, 0) + 1
        segments.append(Segment(name, number, line, delimiters, codec, plain=plain and name not in HEADERS))
    return segments
