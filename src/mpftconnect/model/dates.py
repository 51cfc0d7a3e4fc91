"""Dates and times as sources really write them: partial, without an offset, or in an hour that never was.

Nothing here guesses. A partial date stays partial; a time without an offset takes its source's zone and says
so; a local time that occurs twice or not at all when the clocks change is marked (rule 2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mpftconnect.errors import NotADate

__all__ = ["DEFAULT_ZONE", "PartialDate", "Precision", "When"]

DEFAULT_ZONE = "Europe/London"

Precision = Literal["year", "month", "day", "minute", "second"]
Mark = Literal["stated", "zone-assumed", "ambiguous", "non-existent"]

# FHIR R4 (4.0.1), data types: the patterns of date and dateTime, and seconds made optional because HL7 v2 and
# extracts often leave them out.
_SHAPE = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2})"
    r"(?:T(?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?P<fraction>\.\d{1,9})?)?(?P<offset>Z|[+-]\d{2}:\d{2})?)?)?)?",
    re.ASCII,
)
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise NotADate("the time zone is not a known IANA name") from None


def _matched(text: str) -> re.Match[str]:
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise NotADate("not a FHIR date or dateTime")
    try:
        date(int(found["year"]), int(found["month"] or 1), int(found["day"] or 1))
    except ValueError:
        raise NotADate("a day that does not exist") from None
    return found


@dataclass(frozen=True, slots=True)
class PartialDate:
    """A date of year, month or day precision (FHIR `date`), such as a birth date.

    >>> PartialDate("1950-03").words()
    'March 1950'
    >>> PartialDate("1950-02-30")
    Traceback (most recent call last):
    mpftconnect.errors.NotADate: a day that does not exist
    """

    text: str

    def __post_init__(self) -> None:
        if _matched(self.text)["hour"] is not None:
            raise NotADate("a date without a time is expected")

    @property
    def precision(self) -> Precision:
        return {4: "year", 7: "month"}.get(len(self.text), "day")  # type: ignore[return-value]

    def words(self) -> str:
        """The date for people, as precise as it is and no more."""
        return _date_words(self.text)


def _date_words(text: str) -> str:
    year, _, rest = text.partition("-")
    month, _, day = rest.partition("-")
    return " ".join(part for part in (day.lstrip("0"), _MONTHS[int(month) - 1] if month else "", year) if part)


@dataclass(frozen=True, slots=True)
class When:
    """A moment as its source wrote it (FHIR `dateTime`), with what is and is not known about it.

    Args:
        text: ISO 8601 as sent: `2024`, `2024-03`, `2024-03-31`, `2024-03-31T01:30`, `...:00+01:00`.
        zone: IANA zone of the source, needed only where a time has no offset.

    >>> When("2024-06-01T09:00:00").mark
    'zone-assumed'
    >>> When("2024-10-27T01:30:00").mark, When("2024-03-31T01:30:00").mark
    ('ambiguous', 'non-existent')
    >>> When("2024-06-01T09:00:00").instant.isoformat()
    '2024-06-01T08:00:00+00:00'
    >>> print(When("2024-10-27T01:30:00").instant)
    None
    """

    text: str
    zone: str = DEFAULT_ZONE

    def __post_init__(self) -> None:
        found = _matched(self.text)
        if found["hour"] is not None and (
            int(found["hour"]) > 23 or int(found["minute"]) > 59 or int(found["second"] or 0) > 60
        ):
            raise NotADate("a time of day that does not exist")
        offset = found["offset"]
        if offset and offset != "Z" and (int(offset[1:3]) > 14 or int(offset[4:6]) > 59):
            raise NotADate("an offset from UTC that does not exist")
        if offset:
            # A stated offset leaves nothing for a zone to say; equal moments must compare equal.
            object.__setattr__(self, "zone", DEFAULT_ZONE)
        _zone(self.zone)

    @property
    def precision(self) -> Precision:
        length = len(self.text)
        if length <= 10:
            return {4: "year", 7: "month"}.get(length, "day")  # type: ignore[return-value]
        return "second" if self.text[16:17] == ":" else "minute"

    @property
    def date_text(self) -> str:
        """The date part as sent, at most `YYYY-MM-DD`."""
        return self.text[:10]

    @property
    def has_time(self) -> bool:
        return len(self.text) > 10

    def _local(self) -> tuple[datetime, str | None]:
        found = _matched(self.text)
        fraction = found["fraction"] or ""
        second = int(found["second"] or 0)
        naive = datetime(  # noqa: DTZ001 - the offset is added by the callers
            int(found["year"]),
            int(found["month"]),
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            min(second, 59),
            int(fraction[1:7].ljust(6, "0")) if fraction else 0,
        )
        return naive + timedelta(seconds=1) if second == 60 else naive, found["offset"]

    @property
    def mark(self) -> Mark:
        """`stated` where nothing was assumed; otherwise what is uncertain."""
        if not self.has_time or self.text.endswith("Z") or self.text[-6:-5] in ("+", "-"):
            return "stated"
        naive, _ = self._local()
        zone = _zone(self.zone)
        first, second = naive.replace(tzinfo=zone, fold=0), naive.replace(tzinfo=zone, fold=1)
        if first.utcoffset() == second.utcoffset():
            return "zone-assumed"
        back = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
        return "ambiguous" if back == naive else "non-existent"

    @property
    def instant(self) -> datetime | None:
        """The moment in UTC; None where the text is only a date, or the local time is not one moment."""
        if not self.has_time:
            return None
        naive, offset = self._local()
        try:
            if offset:
                return datetime.fromisoformat(naive.isoformat() + offset).astimezone(UTC)
            if self.mark != "zone-assumed":
                return None
            return naive.replace(tzinfo=_zone(self.zone)).astimezone(UTC)
        except OverflowError:
            return None

    @property
    def sort_key(self) -> str:
        """Orders moments of mixed precision by what is known; a partial date sorts before its days."""
        instant = self.instant
        return instant.isoformat(timespec="microseconds")[:26] if instant else self.text

    def words(self) -> str:
        """The moment for people, in the source's zone, with any uncertainty said.

        >>> When("2024-06-01T09:00:00Z").words()
        '1 June 2024, 10:00'
        >>> When("2024-10-27T01:30:00").words()
        '27 October 2024, 01:30 (this time occurred twice: the clocks went back)'
        """
        if not self.has_time:
            return _date_words(self.text)
        instant, mark = self.instant, self.mark
        if instant is not None:
            local = instant.astimezone(_zone(self.zone))
            return f"{_date_words(local.strftime('%Y-%m-%d'))}, {local:%H:%M}"
        said = {
            "ambiguous": " (this time occurred twice: the clocks went back)",
            "non-existent": " (this time did not exist: the clocks went forward)",
        }.get(mark, "")
        return f"{_date_words(self.date_text)}, {self.text[11:16]}{said}"
