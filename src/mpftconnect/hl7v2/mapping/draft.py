"""One item in the making: what it takes from which leaf, by what way, and what it keeps as extra."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from mpftconnect.hl7v2.mapping.leaves import NULL, Place, Segment, short_path
from mpftconnect.hl7v2.mapping.making import extra_of, make_of
from mpftconnect.hl7v2.mapping.site import Site
from mpftconnect.hl7v2.mapping.ways import DATE, NUMBER, TEXT, Way, read_date, read_number, timed
from mpftconnect.model import Extra, Item, PartialDate, When

__all__ = ["EXTRA", "REMOVED", "Draft", "Reader", "Row", "Taken"]


# A plain tuple: there is one a leaf, and most are never looked at.
Taken = tuple[Segment, Place, str, Way]
"""One leaf that was taken: from which segment, where in it, where in the item the value stands, how it got there."""


# A leaf of a field that is `""` as a whole: the field of the item is removed.
REMOVED: Final = Way("null", lambda value: NULL)
EXTRA: Final = Way("extra", lambda value: json.loads(value) if isinstance(value, str) else None)

Reader = Callable[["Draft", Segment, int, int, str], Any]
"""Reads one repetition of a field: draft, segment, field, repetition, path in the item. None: nothing usable."""


class Row(NamedTuple):
    """A line of a segment's table: which field is which attribute, read how.

    Args:
        field: Number of the field.
        attribute: Of the item: `names`, `period.start`.
        read: Reads a repetition.
        many: Each repetition is one more value of the attribute; else the first is its value.
        removable: `""` removes the attribute.
    """

    field: int
    attribute: str
    read: Reader
    many: bool = False
    removable: bool = True


class Draft:
    """An item that is being made.

    Args:
        kind: The model's type.
        site: What is agreed with the sender.
        authority: Who numbers what has no assigning authority: the sender.
    """

    __slots__ = ("authority", "extras", "kind", "removed", "result", "site", "taken", "values", "zone")

    def __init__(self, kind: type[Item] | None, site: Site, authority: str) -> None:
        self.kind, self.site, self.authority, self.zone = kind, site, authority, site.zone
        self.values: dict[str, Any] = {}
        self.taken: list[Taken] = []
        self.extras: list[Extra] = []
        self.removed: list[str] = []
        self.result: Any = None

    # --- taking a leaf -------------------------------------------------------------------------------------------

    def take(
        self, segment: Segment, field: int, repetition: int, component: int, sub: int, path: str, way: Way = TEXT
    ) -> str | None:
        """Take the text of a leaf for the item's `path`; None where there is none (or `""`, or only white space)."""
        place: Place = (field, repetition, component, sub)
        left = segment.left
        value = left.get(place)
        if value is None:
            return None
        if not value.isprintable():
            return self._take_odd(segment, place, value, path, way)
        if value == NULL or value.isspace():
            return None
        del left[place]
        self.taken.append((segment, place, path, way))
        return value

    def _take_odd(self, segment: Segment, place: Place, value: str, path: str, way: Way) -> str | None:
        """Characters that no text of FHIR may hold, and bytes that are no text, are kept as extra beside the text."""
        clean = "".join(character if _is_text(character) else "\ufffd" for character in value)
        if not clean.strip():
            return None
        if clean != value:
            self.keep_leaf(segment, place)
        else:
            del segment.left[place]
        self.taken.append((segment, place, path, way))
        return clean

    def take_code(self, segment: Segment, field: int, repetition: int, component: int, path: str) -> str | None:
        """Take a code, which has no white space at its ends and none twice (FHIR R4, data types: code)."""
        value = self.take(segment, field, repetition, component, 1, path)
        if value is None or not (" " in value or "\n" in value or "\t" in value or "\r" in value or "\xa0" in value):
            return value
        code = " ".join(value.split())
        return code if code == value else self._also(segment, (field, repetition, component, 1), code)

    def take_coded(
        self,
        segment: Segment,
        field: int,
        repetition: int,
        component: int,
        path: str,
        table: tuple[Any, Way],
        *,
        sub: int = 1,
    ) -> str | None:
        """Take a code of a table as what it means; None, and nothing taken, for a code that the table has not."""
        place: Place = (field, repetition, component, sub)
        sent = segment.left.get(place)
        codes, way = table
        meaning: str | None = codes.get(sent) if sent is not None else None
        if meaning is None:
            return None
        if way.back(meaning) != sent:
            self.keep_leaf(segment, place)
        else:
            del segment.left[place]
        self.taken.append((segment, place, path, way))
        return meaning

    def take_time(
        self, segment: Segment, field: int, repetition: int, path: str, component: int = 1, sub: int = 1
    ) -> When | None:
        """Take a DTM or TS; None, and nothing taken, where it is no time."""
        place: Place = (field, repetition, component, sub)
        sent = segment.left.get(place)
        if sent is None:
            return None
        when, way, exact = timed(sent, self.zone)
        if when is not None:
            if exact:
                del segment.left[place]
            else:
                self.keep_leaf(segment, place)
            self.taken.append((segment, place, path, way))
        return when

    def take_date(self, segment: Segment, field: int, repetition: int, path: str) -> PartialDate | None:
        """Take a date; of a time its day, and the time is kept as extra."""
        place: Place = (field, repetition, 1, 1)
        sent = segment.left.get(place)
        return None if sent is None else self._exact(segment, place, read_date(sent), sent, path, DATE)

    def take_number(
        self, segment: Segment, field: int, repetition: int, component: int, path: str, sub: int = 1
    ) -> Any:
        """Take an NM with its digits; None, and nothing taken, where it is no number."""
        place: Place = (field, repetition, component, sub)
        sent = segment.left.get(place)
        return None if sent is None else self._exact(segment, place, read_number(sent), sent, path, NUMBER)

    def take_whole(self, segment: Segment, field: int, path: str) -> int | None:
        """Take a whole number that is written as such."""
        sent = segment.left.get((field, 1, 1, 1))
        if sent is None or not (sent.isascii() and sent.isdigit() and len(sent) < 10 and str(int(sent)) == sent):
            return None
        del segment.left[field, 1, 1, 1]
        self.taken.append((segment, (field, 1, 1, 1), path, WHOLE))
        return int(sent)

    def put(self, segment: Segment, place: Place, path: str, way: Way, exact: bool) -> None:
        """A leaf became a value at the path; where the way back loses something, it is kept as extra as well."""
        if exact:
            del segment.left[place]
        else:
            self.keep_leaf(segment, place)
        self.taken.append((segment, place, path, way))

    def _exact(self, segment: Segment, place: Place, value: Any, sent: str, path: str, way: Way) -> Any:
        if value is None:
            return None
        if way.back(value) != sent:
            self.keep_leaf(segment, place)
        else:
            del segment.left[place]
        self.taken.append((segment, place, path, way))
        return value

    def _also(self, segment: Segment, place: Place, value: str) -> str:
        segment.left[place] = segment.sent[place]
        self.keep_leaf(segment, place)
        return value

    # --- keeping -------------------------------------------------------------------------------------------------

    def keep_leaf(self, segment: Segment, place: Place) -> None:
        """Keep a leaf as extra, under its place."""
        value = segment.left.pop(place)
        path = f"extra[{len(self.extras)}].json_text"
        self.extras.append(extra_of(f"{segment.where}-{short_path(place)}", _json(value)))
        self.taken.append((segment, place, path, EXTRA))

    def keep(self, segment: Segment) -> None:
        """Keep whatever is left of a segment as extra."""
        extras, taken, where = self.extras, self.taken, f"{segment.where}-"
        index = len(extras)
        for place, value in segment.left.items():
            field, repetition, component, sub = place
            path = str(field) if repetition == component == sub == 1 else short_path(place)
            extras.append(extra_of(where + path, _json(value)))
            taken.append((segment, place, f"extra[{index}].json_text", EXTRA))
            index += 1
        segment.left.clear()

    # --- filling -------------------------------------------------------------------------------------------------

    def fill(self, segment: Segment, table: Sequence[Row]) -> None:
        """Read a segment by its table."""
        repetitions = segment.repetitions
        for row in table:
            if row[0] not in repetitions:
                continue
            field, attribute, read, many, removable = row
            count = repetitions[field]
            if field in segment.nulls:
                if removable:
                    self.remove(segment, field, attribute)
                continue
            if many:
                values = self.values.setdefault(attribute, [])
                for repetition in range(1, count + 1):
                    value = read(self, segment, field, repetition, f"{attribute}[{len(values)}]")
                    if value is not None:
                        values.append(value)
            elif attribute not in self.values:
                value = read(self, segment, field, 1, attribute)
                if value is not None:
                    self.values[attribute] = value

    def remove(self, segment: Segment, field: int, attribute: str) -> None:
        """The sender removes an attribute: its field is `""`."""
        place: Place = (field, 1, 1, 1)
        if place in segment.left:
            del segment.left[place]
            self.taken.append((segment, place, attribute, REMOVED))
            if attribute not in self.removed:
                self.removed.append(attribute)

    def add(self, attribute: str, value: Any) -> None:
        """One more value of an attribute that has many."""
        if value is not None:
            self.values.setdefault(attribute, []).append(value)

    def next_path(self, attribute: str) -> str:
        """Where the next value of an attribute that has many will stand."""
        return f"{attribute}[{len(self.values.get(attribute, ()))}]"

    def made(self, more: dict[str, Any]) -> Item:
        """The item.

        Args:
            more: What comes from no leaf: source, subject.
        """
        # An empty list and an empty tuple state nothing; models are not compared, which would take long.
        fields: dict[str, Any] = {}
        for stated in (self.values, more):
            for name, value in stated.items():
                if type(value) is list:
                    if value:
                        fields[name] = tuple(value)
                elif value is not None and (value or type(value) is not tuple):
                    fields[name] = value
        if self.extras:
            fields["extra"] = tuple(self.extras)
        assert self.kind is not None  # noqa: S101 - drafts of no item are not made
        self.result = make_of(self.kind, fields)
        return self.result  # type: ignore[no-any-return]


def _json(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return json.dumps(text)


WHOLE: Final = Way("number", lambda value: str(value) if isinstance(value, int) else None)


def _is_text(character: str) -> bool:
    """Whether FHIR text may hold the character: no control but tab and line ends, and no half of a surrogate pair."""
    return (
        character >= " " and not 0xD800 <= ord(character) <= 0xDFFF and character != "\x7f"
    ) or character in "\t\r\n"
