"""Stops a test run at the first sign of a real person: an NHS number that nobody gave out for testing (rule 14).

Numbers that say what they are (a FHIR identifier of the NHS number's system, a property or field of that name) count
whatever their range, if their check digit is right. A number that says nothing of itself counts only where it has the
form, the check digit and a range that is issued: otherwise every tenth local id would stop a run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mpftconnect.conformance.evidence import Recorded
from mpftconnect.errors import AnswerRejected, NotAnNhsNumber, UsageError
from mpftconnect.fhir.json_text import parse_json
from mpftconnect.model import NHS_NUMBER_SYSTEM, is_test_number, nhs_number

__all__ = ["PUBLISHED", "RealPersonSeen", "numbers_in", "refuse_real_people"]

# Numbers that NHS England publishes with its sandboxes: personal-demographics-service-api (MIT), sandbox/mocks, 2026;
# e-referrals-service-api (MIT), sandbox examples, 2026.
PUBLISHED = frozenset(("9000000009", "9000000017", "9000000025", "9000000033", "9912003888", "9111231130"))

_TOKEN = re.compile(r"(?<![\dA-Za-z.])\d{3}[ -]?\d{3}[ -]?\d{4}(?![\dA-Za-z]|\.\d)", re.ASCII)
_SAYS = re.compile(r"nhs[-_ ]?(number|no)\b|nhsnumber", re.I)
# HL7 v2, CX: the identifier, and by its fourth or fifth component that it is an NHS number.
_ER7 = re.compile(r"(?<![\dA-Za-z.])(\d[\d -]{8,11}\d)\^[^|^~\r]*\^[^|^~\r]*\^(?:NHS(?:NBR)?\b|[^|^~\r]*\^NH\b)")
# Whatever stands in these is no person's number: codes and addresses of terminologies, telephone numbers.
_NOT_NUMBERS = frozenset({"code", "system", "telecom", "phone", "versionId", "lastUpdated", "url"})


class RealPersonSeen(UsageError):
    """A number that is not for testing came. `step` says where; the number itself is nowhere."""

    def __init__(self, step: str) -> None:
        self.step = step
        super().__init__(
            f"{step}: an NHS number came that is neither of the 999 range nor of a published sandbox list. The run is "
            "stopped and its evidence erased: this may be a real person's. Use test data only"
        )


def refuse_real_people(recorded: Recorded) -> None:
    """
    Raises:
        RealPersonSeen: The exchange holds a number that is not for testing.
    """
    if any(not is_test_number(number) and number not in PUBLISHED for number in numbers_in(recorded)):
        raise RealPersonSeen(recorded.step)


def numbers_in(recorded: Recorded) -> Iterator[str]:
    """Every NHS number, as ten digits, that the exchange holds: in address, bodies or headers."""
    yield from _unsaid(recorded.url)
    for headers in (recorded.request_headers, recorded.response_headers):
        for name, value in headers:
            if name.lower() in ("location", "content-location", "link"):
                yield from _unsaid(value)
    for body in (recorded.request_body, recorded.response_body):
        if body:
            yield from _in_body(body)


def _in_body(body: bytes) -> Iterator[str]:
    try:
        content = parse_json(body)
    except AnswerRejected:
        text = body.decode("utf-8", errors="replace")
        says = _SAYS.search(text) is not None
        for found in _ER7.finditer(text):
            yield from _valid(found.group(1))
        for number in _valid(text):
            if says or _issued(number):
                yield number
        return
    yield from _in_json(content)


def _in_json(content: Any) -> Iterator[str]:
    waiting: list[tuple[Any, str]] = [(content, "")]
    while waiting:
        value, name = waiting.pop()
        if isinstance(value, Mapping):
            system = value.get("system")
            if isinstance(system, str) and system.rstrip("/") == NHS_NUMBER_SYSTEM:
                yield from _valid(str(value.get("value", "")))
            # The value of a telephone number says nothing of itself: that it is one, its owner says.
            waiting.extend((part, name if name == "telecom" else str(key)) for key, part in value.items())
        elif isinstance(value, list):
            waiting.extend((part, name) for part in value)
        elif isinstance(value, str | int) and not isinstance(value, bool):
            if _SAYS.search(name):
                yield from _valid(str(value))
            elif isinstance(value, str) and name not in _NOT_NUMBERS:
                yield from _unsaid(value)


def _unsaid(text: str) -> Iterator[str]:
    if "nhs-number" in text:  # a search by identifier: the address says what it is
        yield from _valid(text)
        return
    yield from (number for number in _valid(text) if _issued(number))


def _valid(text: str) -> Iterator[str]:
    for token in _TOKEN.findall(text.replace("%20", " ").replace("%7C", "|").replace("%7c", "|")):
        try:
            yield nhs_number(token)
        except NotAnNhsNumber:
            continue


def _issued(number: str) -> bool:
    """Whether the number is of a range that is issued: England, Wales and the Isle of Man 400 to 499 and 600 to 799.

    Source: NHS Data Dictionary, NHS NUMBER. Numbers of Scotland and Northern Ireland begin as dates and as 32 to 39
    do; without a name beside them too much else does as well.
    """
    return number[0] in "467"
