"""Codecs of primitive values: JSON on one side, the model's value on the other, the same in both directions."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from decimal import Decimal
from functools import lru_cache
from typing import Any, ClassVar, Final, Literal
from zoneinfo import ZoneInfo

from mpftconnect.errors import NotADate
from mpftconnect.fhir.extensions import AS_SENT
from mpftconnect.fhir.reading import ABSENT, Reading, Unreadable
from mpftconnect.model import DEFAULT_ZONE, PartialDate, When

__all__ = [
    "DATE",
    "DATE_TIME",
    "FLAG",
    "INSTANT",
    "NUMBER",
    "PARTIAL_DATE",
    "TEXT",
    "WHOLE",
    "Codec",
    "Moment",
    "OneOf",
]


class Codec:
    """Reads one JSON value and writes it again.

    `sided` codecs also use the element's companion `_name`, where R4 puts extensions of a primitive (FHIR R4,
    JSON representation, section 2.6.2.1). `primitive` says where a reason for absence goes.
    """

    sided: ClassVar[bool] = False
    primitive: bool = True

    def read(self, raw: Any, path: str, ctx: Reading) -> Any:
        """The model's value.

        Raises:
            Unreadable: `raw` is not of this kind; the caller keeps it.
        """
        raise NotImplementedError

    def write(self, value: Any) -> Any:
        return value


class _Text(Codec):
    def read(self, raw: Any, path: str, ctx: Reading) -> str:
        if type(raw) is not str:
            raise Unreadable
        return raw


class _Flag(Codec):
    def read(self, raw: Any, path: str, ctx: Reading) -> bool:
        if type(raw) is not bool:
            raise Unreadable
        return raw


class _Whole(Codec):
    def read(self, raw: Any, path: str, ctx: Reading) -> int:
        if type(raw) is not int:
            raise Unreadable
        return raw


class _Number(Codec):
    """A decimal. A float is taken as it prints: whoever parsed it has already lost what digits it had."""

    def read(self, raw: Any, path: str, ctx: Reading) -> Decimal:
        kind = type(raw)
        if kind is Decimal and raw.is_finite():
            return raw  # type: ignore[no-any-return]
        if kind is int or (kind is float and math.isfinite(raw)):
            return Decimal(str(raw))
        raise Unreadable


class OneOf(Codec):
    """A string of a closed list."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = frozenset(allowed)

    def read(self, raw: Any, path: str, ctx: Reading) -> str:
        if type(raw) is not str or raw not in self._allowed:
            raise Unreadable
        return raw


class _PartialDate(Codec):
    def read(self, raw: Any, path: str, ctx: Reading) -> PartialDate:
        if type(raw) is not str:
            raise Unreadable
        try:
            return PartialDate(raw)
        except NotADate:
            raise Unreadable from None

    def write(self, value: PartialDate) -> str:
        return value.text


# FHIR R4 (4.0.1), data types: the patterns of date, dateTime and instant. The days of a month are checked by `When`.
_DAY = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_TIME = r"T(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))"
_SHAPES: Final = {
    "date": re.compile(rf"\d{{4}}(?:-(?:0[1-9]|1[0-2]))?|{_DAY}", re.ASCII),
    "dateTime": re.compile(rf"\d{{4}}(?:-(?:0[1-9]|1[0-2]))?|{_DAY}(?:{_TIME})?", re.ASCII),
    "instant": re.compile(_DAY + _TIME, re.ASCII),
}


def _offset(when: When) -> str | None:
    """The offset that the zone gives the local time: `+01:00`; None where it is not one, or has seconds."""
    instant = when.instant
    try:
        offset = instant.astimezone(ZoneInfo(when.zone)).utcoffset() if instant else None
    except OverflowError:
        return None
    if offset is None or offset.total_seconds() % 60:
        return None
    minutes = int(offset.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


class Moment(Codec):
    """A `When`, as FHIR date, dateTime or instant.

    Whatever R4 cannot say (no seconds, no offset, a local time that is not one moment, a date where an instant is
    required) is written as near as R4 allows without inventing anything, and the original text and zone stand in
    our extension on the element. Our extension is believed only if it gives exactly the value beside it.
    """

    sided = True

    def __init__(self, kind: Literal["date", "dateTime", "instant"]) -> None:
        self._kind = kind
        self._shape = _SHAPES[kind]

    def _native(self, when: When) -> Any:
        text = when.text
        if self._shape.fullmatch(text):
            return text
        if self._kind == "date":
            return when.date_text
        if when.has_time:
            local, offset = (text[:-1], "Z") if text.endswith("Z") else (text, "")
            if not offset and text[-6] in "+-":
                local, offset = text[:-6], text[-6:]
            full = local if local[16:17] == ":" else f"{local}:00"
            full += offset or _offset(when) or "?"
            if self._shape.fullmatch(full):
                return full
        return when.date_text if self._kind == "dateTime" else ABSENT

    def write_pair(self, when: When) -> tuple[Any, Any]:
        """The JSON value and its companion; either may be ABSENT, never both."""
        native = self._native(when)
        if native == when.text and when.zone == DEFAULT_ZONE:
            return native, ABSENT
        parts = [{"url": "text", "valueString": when.text}, {"url": "zone", "valueString": when.zone}]
        return native, {"extension": [{"url": AS_SENT, "extension": parts}]}

    def _as_sent(self, raw: Any, side: Any) -> When | None:
        try:
            text, zone = (part["valueString"] for part in side["extension"][0]["extension"])
            when = _when(text, zone)
        except (TypeError, ValueError, KeyError, IndexError):  # NotADate is a ValueError
            return None
        return when if self.write_pair(when) == (raw, side) else None

    def read_pair(self, raw: Any, side: Any, path: str, side_path: str, ctx: Reading) -> When:
        if side is not ABSENT:
            when = self._as_sent(raw, side)
            if when is not None:
                return when
            ctx.keep(side_path, side)
        return self.read(raw, path, ctx)

    def read(self, raw: Any, path: str, ctx: Reading) -> When:
        if type(raw) is not str:
            raise Unreadable
        try:
            return _when(raw, ctx.zone)
        except NotADate:
            raise Unreadable from None


@lru_cache(maxsize=4096)
def _when(text: str, zone: str) -> When:
    return When(text, zone)


TEXT: Final = _Text()
FLAG: Final = _Flag()
WHOLE: Final = _Whole()
NUMBER: Final = _Number()
PARTIAL_DATE: Final = _PartialDate()
DATE: Final = Moment("date")
DATE_TIME: Final = Moment("dateTime")
INSTANT: Final = Moment("instant")
