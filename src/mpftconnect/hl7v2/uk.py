"""The UK overlay: what HL7 v2 messages in England add to the standard.

Sources, cited beside each rule: HSCIC, ITK HL7 v2 Message Specifications 1.0.15 (2014), and its ADT Domain Message
Specification, HL7V2 DMS 1.1; NHS Data Dictionary. They are paper: these rules are our restatement of a few of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from mpftconnect.errors import NotAnNhsNumber
from mpftconnect.model import nhs_number

if TYPE_CHECKING:
    from mpftconnect.hl7v2.message import Message
    from mpftconnect.hl7v2.segments import Repetition, Segment

__all__ = ["UK_AS_TEXT", "UK_TABLES", "is_uk", "uk_findings"]

# DMS 1.1, table 0445 (user-defined): HL7's own codes, and the NHS Data Dictionary's NHS NUMBER STATUS INDICATOR CODE
# 01 to 08 as NSTS01 to NSTS08. Many systems send the two digits alone, and the check lets them.
_STATUS = {f"NSTS0{number}": number for number in range(1, 9)} | {f"0{number}": number for number in range(1, 9)}
UK_TABLES = {"0445": frozenset((*_STATUS, "AL", "ED", "UA", "UD", "US"))}
# Organisations carry their ODS code in XON.3, which the standard has as a number (2.4, 2.9.57.3).
UK_AS_TEXT = frozenset((("XON", 3),))
# ITK 1.0.15 and DMS 1.1, PID-3: assigning authority NHS, type NH; by its OID the number is NHS England's.
_AUTHORITIES = frozenset(("NHS", "NHSNBR"))
_OID = "2.16.840.1.113883.2.1.4.1"
_TYPES = frozenset(("NH", "NHSNMBR"))
# DMS 1.1, MSH-4 and MSH-6: an ODS code of three characters for an organisation, five for a site. GP practices and
# newer codes have up to ten (ODS, code formats). Letters and digits only.
_ODS = re.compile(r"[A-Z0-9]{3,10}")

Add = Callable[[str, str, str], None]  # code, location, rule


def is_uk(message: Message) -> bool:
    """Whether a message says of itself that it is British: MSH-17 (country, ISO 3166) or MSH-12.2 is GBR."""
    return message["MSH-17"] == "GBR" or message["MSH-12.2"] == "GBR"


def uk_findings(message: Message, version: str, add: Add) -> None:
    """Judge a message by the overlay.

    Args:
        add: Called with a code, a location and a rule for each finding.
    """
    if version not in ("2.4", "2.5.1"):
        add("uk-version", "MSH-12", "ITK HL7 v2 1.0.15")
    for number in (4, 6):
        _organisation(message, f"MSH-{number}", add)
    for segment in message.segments("PID"):
        _person(segment, add)
    for segment in message.segments("PV1"):
        # Point of care, room, bed, facility: the facility is a site (DMS 1.1, PL.4).
        for place, repetition in enumerate(segment.repetitions(3), start=1):
            _ods(repetition[4], f"{segment.place}-3[{place}].4", add)
    for segment in message.segments("PD1"):
        # DMS 1.1, PD1-3, XON: the practice, its code in the third or (from 2.5) the tenth component.
        for place, repetition in enumerate(segment.repetitions(3), start=1):
            component = 10 if repetition[10] else 3
            _ods(repetition[component], f"{segment.place}-3[{place}].{component}", add)


def _organisation(message: Message, place: str, add: Add) -> None:
    _ods(message[place], place, add)


def _ods(value: object, place: str, add: Add) -> None:
    if isinstance(value, str) and not _ODS.fullmatch(value):
        add("ods-code", place, "ODS, HL7V2 DMS 1.1")


def _is_nhs(repetition: Repetition) -> bool:
    return repetition[4] in _AUTHORITIES or repetition[4, 2] == _OID


def _person(segment: Segment, add: Add) -> None:
    rule = "ITK HL7 v2 1.0.15, PID-3"
    numbers = 0
    for place, repetition in enumerate(segment.repetitions(3), start=1):
        location = f"{segment.place}-3[{place}]"
        if not _is_nhs(repetition):
            if repetition[5] in _TYPES:
                add("nhs-number-authority", f"{location}.4", rule)
            continue
        if repetition[5] not in _TYPES:
            add("nhs-number-type", f"{location}.5", rule)
        value = repetition.value
        if not isinstance(value, str):
            continue
        numbers += 1
        if numbers == 2:
            add("nhs-number-repeats", location, rule)
        try:
            bare = nhs_number(value)
        except NotAnNhsNumber:
            add("nhs-number-invalid", f"{location}.1", "NHS Data Dictionary, NHS NUMBER: modulus 11")
        else:
            if bare != value:
                add("nhs-number-form", f"{location}.1", "NHS Data Dictionary, NHS NUMBER: ten digits")
    if not numbers:
        add("nhs-number-missing", f"{segment.place}-3", rule)
    _status(segment, numbers, add)


def _status(segment: Segment, numbers: int, add: Add) -> None:
    rule = "HL7V2 DMS 1.1, PID-32, table 0445"
    statuses = [_STATUS[value] for one in segment.repetitions(32) if (value := one.value) in _STATUS and value]
    if not statuses and numbers:
        add("nhs-number-status", f"{segment.place}-32", rule)
    if 7 in statuses and numbers:
        add("nhs-number-status-contradicts", f"{segment.place}-32", rule)
