"""Takes the members of one row one by one, and keeps account of what was not taken.

Whatever no field of the model holds goes into `extra`: members that nobody asked for, words that were given another
meaning, dates that cannot be read, and values of another type than expected. Nothing of a row is dropped.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from mpftconnect.errors import NotADate
from mpftconnect.model import SNOMED, Coding, Concept, Extra, PartialDate, Period, When, extra_from
from mpftconnect_icr.settings import CcapiSettings

__all__ = ["Row", "fingerprint"]

_NUMBER = re.compile(r"-?\d{1,30}(\.\d{1,30})?", re.ASCII)
# An id may stand in a source's id, which is shown and audited: nothing but what can be a technical key.
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
# What .NET writes for a date that was never set (System.DateTime.MinValue).
_NEVER = "0001-01-01"
_MIDNIGHT = re.compile(r"(\d{4}-\d{2}-\d{2})T00:00(:00(\.0+)?)?", re.ASCII)


def fingerprint(content: Any) -> str:
    """A short name for content that has no id of its own: the same for the same content, whatever its order."""
    text = json.dumps(content, sort_keys=True, default=str, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


class Row:
    """One row of one operation's answer, being taken.

    Args:
        name: The operation.
        content: As sent.
        settings: Say where each field stands.
        zone: Of times without an offset.
        within: Members of the row that holds this one: kept as `extra` of this one too.
    """

    def __init__(
        self, name: str, content: Mapping[str, Any], settings: CcapiSettings, zone: str, within: tuple[Extra, ...] = ()
    ) -> None:
        self.name, self.content = name, content
        self._settings, self._zone = settings, zone
        self._places = settings.places(name)
        self._left: dict[str, Any] = {}
        self._kept: list[Extra] = list(within)
        self.unread: list[str] = []
        wanted = {place for place in self._places.values() if "." in place}
        inner = {place.rpartition(".")[0] for place in wanted}
        for path, value in _leaves(content, inner):
            if path in self._left:
                self._keep(path, value)
            else:
                self._left[path] = value

    def text(self, field: str) -> str | None:
        """Text, or a number as it was written; None if there is none. Anything else stays for `extra`."""
        place = self._places.get(field)
        value = self._left.get(place) if place else None
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            return None
        del self._left[place or ""]
        text = value.strip() if isinstance(value, str) else str(value)
        return text or None

    def word(self, field: str, kind: str) -> str | None:
        """A coded field: as configured where the word is known, otherwise as it came."""
        text = self.text(field)
        if text is None:
            return None
        meaning = self._settings.meaning(kind, text)
        if meaning is None:
            return text
        if meaning != text:
            self._keep(self._places[field], text)
        return meaning

    def when(self, field: str) -> When | None:
        """A date or time; one that cannot be read is kept in `extra` and told of, one that was never set is none."""
        text = self.text(field)
        if text is None:
            return None
        try:
            found = When(text, self._zone)
        except NotADate:
            self._keep(self._places[field], text)
            self.unread.append(self._places[field])
            return None
        if found.date_text == _NEVER:
            self._keep(self._places[field], text)
            return None
        return found

    def date(self, field: str) -> PartialDate | None:
        """A date without a time of day; midnight beside it is how a date is written where only date-times are."""
        text = self.text(field)
        if text is None or text.startswith(_NEVER):
            return None
        midnight = _MIDNIGHT.fullmatch(text)
        try:
            return PartialDate(midnight[1] if midnight else text)
        except NotADate:
            self._keep(self._places[field], text)
            self.unread.append(self._places[field])
            return None

    def period(self, start: str, end: str) -> Period | None:
        found = Period(start=self.when(start), end=self.when(end))
        return found if found.start or found.end else None

    def number(self, field: str) -> Decimal | None:
        """A plain decimal number with the digits as written; any other text stays."""
        place = self._places.get(field)
        value = self._left.get(place) if place else None
        text = value.strip() if isinstance(value, str) else str(value)
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal) or not _NUMBER.fullmatch(text):
            return None
        del self._left[place or ""]
        return Decimal(text)

    def concept(self, text: str, *codes: str) -> Concept | None:
        """Words and codes. No page says of which system a code is, unless its field is named so."""
        words = self.text(text)
        found = [(field, code) for field in codes if (code := self.text(field))]
        if not words and not found:
            return None
        return Concept(
            text=words,
            coding=tuple(Coding(system=SNOMED if field == "snomed" else None, code=code) for field, code in found),
        )

    def concepts(self, text: str, *codes: str) -> tuple[Concept, ...]:
        found = self.concept(text, *codes)
        return (found,) if found else ()

    def notes(self, *fields: str) -> tuple[str, ...]:
        return tuple(text for field in fields if (text := self.text(field)))

    def rows(self, field: str) -> list[Mapping[str, Any]]:
        """The objects of a list; what in it is none stays for `extra`."""
        place = self._places.get(field)
        value = self._left.get(place) if place else None
        if not isinstance(value, list):
            return []
        del self._left[place or ""]
        for each in value:
            if not isinstance(each, Mapping):
                self._keep(place or "", each)
        return [each for each in value if isinstance(each, Mapping)]

    def id(self) -> str | None:
        """The row's own id, if it can be one."""
        place = self._places.get("id")
        value = self._left.get(place) if place else None
        if isinstance(value, bool) or not isinstance(value, str | int) or not _ID.fullmatch(str(value)):
            return None
        return self.text("id")

    def put_back(self, field: str, value: Any) -> None:
        """Keep something that was taken and has no place in the model."""
        self._keep(self._places.get(field, field), value)

    def extra(self) -> tuple[Extra, ...]:
        """What is left, and what was kept aside; call it last."""
        for place in tuple(self._left):
            value = self._left.pop(place)
            if value is not None and value != "" and value != [] and value != {}:
                self._keep(place, value)
        return tuple(dict.fromkeys(self._kept))

    def _keep(self, place: str, value: Any) -> None:
        self._kept.append(extra_from(f"{self.name}.{place}", value))


def _leaves(content: Mapping[str, Any], inner: set[str], path: str = "") -> Iterator[tuple[str, Any]]:
    """Each member by its path. Only objects that hold a wanted member are gone into; any other stays whole."""
    for name, value in content.items():
        place = f"{path}.{name}" if path else name
        goes_on = any(each == place or each.startswith(f"{place}.") for each in inner)
        if isinstance(value, Mapping) and goes_on:
            yield from _leaves(value, inner, place)
        else:
            yield place, value
