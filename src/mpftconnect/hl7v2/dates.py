"""Dates and times as HL7 v2 writes them: as precise as they are sent, and only those that exist.

DT, TM, TS and DTM: HL7 2.5.1 chapter 2A, 2.A.21, 2.A.75, 2.A.77, 2.A.22.
"""

from __future__ import annotations

import re

__all__ = ["is_date", "is_date_time", "is_time"]

_DAYS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DATE = re.compile(r"[0-9]{4}(?:[0-9]{2}){0,2}")
_ZONE = r"(?:[+-](?:0[0-9]|1[0-4])[0-5][0-9])?"
_CLOCK = r"(?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:[0-5][0-9](?:\.[0-9]{1,4})?)?)?"
_TIME = re.compile(_CLOCK + _ZONE)
# A year, a month or a day; the hour may follow the day only. (2.1 and 2.2 want the day always; that is not judged.)
_DATE_TIME = re.compile(rf"([0-9]{{4}}(?:[0-9]{{2}}){{0,1}}|([0-9]{{8}})(?:{_CLOCK})?){_ZONE}")


def _exists(text: str) -> bool:
    year = int(text[:4])
    if not year:
        return False
    if len(text) == 4:
        return True
    month = int(text[4:6])
    if not 1 <= month <= 12:
        return False
    if len(text) == 6:
        return True
    day = int(text[6:8])
    if not 1 <= day <= _DAYS[month]:
        return False
    return not (month == 2 and day == 29) or (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))


def is_date(text: str) -> bool:
    """A year, a month or a day that exists.

    >>> is_date("20000229"), is_date("19000229")
    (True, False)
    >>> [is_date(text) for text in ("2024", "202402", "20240229", "20230229", "202413", "2024-02-01", "00000101")]
    [True, True, True, False, False, False, False]
    """
    return _DATE.fullmatch(text) is not None and _exists(text)


def is_time(text: str) -> bool:
    """An hour to a fraction of a second, with or without a zone.

    >>> [is_time(text) for text in ("09", "0930", "093059.1234+0100", "2400", "9")]
    [True, True, True, False, False]
    """
    return _TIME.fullmatch(text) is not None


def is_date_time(text: str) -> bool:
    """A date that exists, a time if it is a day, and a zone if one is sent.

    >>> [is_date_time(text) for text in ("2024", "20240229", "202402290930+0100", "20240229093059.1234", "20230229")]
    [True, True, True, True, False]
    >>> [is_date_time(text) for text in ("2024022925", "2024022909305", "2024+1500", "20240230T0930", "20240231120000")]
    [False, False, False, False, False]
    """
    found = _DATE_TIME.fullmatch(text)
    return found is not None and _exists(found[2] or found[1])
