"""Messages made: `build` a new one, `ack` one that came."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from mpftconnect.errors import NotWritable
from mpftconnect.hl7v2.delimiters import STANDARD, Delimiters
from mpftconnect.hl7v2.encodings import Charset, codec_of
from mpftconnect.hl7v2.escapes import escape
from mpftconnect.hl7v2.message import Message
from mpftconnect.hl7v2.nulls import Null
from mpftconnect.hl7v2.paths import read_path

__all__ = ["AckCode", "AckError", "ack", "build"]

AckCode = Literal["AA", "AE", "AR", "CA", "CE", "CR"]
_CODE = re.compile(r"[A-Za-z0-9.]{1,8}")
_CODES = frozenset(("AA", "AE", "AR", "CA", "CE", "CR"))
# Table 0357, the conditions that an acknowledgement names; the texts are the table's own.
_CONDITIONS = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application internal error",
}


def build(
    type: str,
    *,
    version: str = "2.4",
    sending: tuple[str, str] = ("", ""),
    receiving: tuple[str, str] = ("", ""),
    control_id: str | None = None,
    at: datetime | None = None,
    processing: str = "P",
    charset: str | None = None,
    delimiters: Delimiters = STANDARD,
    values: Mapping[str, str | Null | None] | None = None,
) -> Message:
    r"""A new message with its header.

    Args:
        type: MSH-9 with `^` between its parts: `ADT^A01^ADT_A01`.
        sending, receiving: Application and facility, as text.
        control_id: MSH-10; a random one of 20 characters if None.
        at: MSH-7; now, if None. A time without zone is written without one.
        charset: MSH-18, a name of table 0211; UTF-8 is used where it is None, though then only ASCII is legal.
        values: What `Message.set` sets, in this order.
    Raises:
        NotWritable: A value cannot be written; an unknown character set; no component separator for the header.

    >>> message = build("ADT^A08", control_id="M1", at=datetime(2026, 1, 2), values={"EVN-1": "A08", "PID-5.1": "O|x"})
    >>> message.text.split("\r")[2]
    'PID|||||O\\F\\x'
    """
    codec = codec_of(charset) if charset else "utf-8"
    if codec is None:
        raise NotWritable("MSH-18: HL7 table 0211 has no such character set")
    if codec in ("utf-16", "utf-32"):
        raise NotWritable("MSH-18: messages are not made in UTF-16 or UTF-32; UNICODE UTF-8 has the same characters")
    component = delimiters.component
    if component is None:
        raise NotWritable("MSH-2: a header needs a component separator")
    header = f"MSH{delimiters.field}{delimiters.encoding_characters}"
    message = Message([header], delimiters, Charset(charset, codec))
    stamp = at or datetime.now(UTC)
    written = stamp.strftime("%Y%m%d%H%M%S") + (stamp.strftime("%z") if stamp.tzinfo else "")
    for number, text in ((3, sending[0]), (4, sending[1]), (5, receiving[0]), (6, receiving[1])):
        message.set(f"MSH-{number}", text or None)
    message.set("MSH-7", written)
    message.set_er7("MSH-9", component.join(escape(part, delimiters) for part in type.split("^")))
    message.set("MSH-10", control_id if control_id is not None else secrets.token_hex(10).upper())
    message.set("MSH-11", processing).set("MSH-12", version)
    if charset:
        message.set("MSH-18", charset)
    for place, value in (values or {}).items():
        message.set(place, value)
    return message


@dataclass(frozen=True, kw_only=True)
class AckError:
    """What an acknowledgement says is wrong: where, and which condition. Never a value.

    Args:
        location: A path, as findings have it; "" for the message as a whole.
        code: Of table 0357.
        severity: Of table 0516: E, W or I.
        text: In words of ours, for people. It may reach the sender's log.
    """

    location: str = ""
    code: str = "207"
    severity: Literal["E", "W", "I"] = "E"
    text: str = ""


def ack(
    message: Message,
    code: AckCode,
    *,
    text: str | None = None,
    errors: Sequence[AckError] = (),
    control_id: str | None = None,
    at: datetime | None = None,
) -> Message:
    r"""The acknowledgement of a message, in its version, delimiters and character set.

    Args:
        code: MSA-1, table 0008: AA, AE, AR, or in enhanced mode CA, CE, CR.
        text: MSA-3, in our words.
        errors: One ERR each from 2.5 on; before that, repetitions of ERR-1 (HL7 2.4, 2.16.4; 2.5.1, 2.15.5).
    Raises:
        NotWritable: No such code.

    MSA-2 is MSH-10 of the message, character by character, empty if it was empty. A code of error goes with condition
    207 if no error is named and the version has ERR: a sender is not left to guess.

    >>> from mpftconnect.hl7v2 import parse
    >>> came = parse("MSH|^~\\&|A|ZZ1|B|ZZ2|||ADT^A01^ADT_A01|7|P|2.4\r")
    >>> ack(came, "AA", at=datetime(2026, 1, 2), control_id="X").text.split("\r")[:2]
    ['MSH|^~\\&|B|ZZ2|A|ZZ1|20260102000000||ACK^A01^ACK|X|P|2.4', 'MSA|AA|7']
    """
    if code not in _CODES:
        raise NotWritable("MSA-1: an acknowledgement says AA, AE, AR, CA, CE or CR")
    delimiters = message.delimiters if _usable(message.delimiters) else STANDARD
    version = _plain(message.version) or "2.4"
    # 2.1 and 2.2 know MSH-9 of one or two parts; MSH-9.3 came with 2.3.1.
    trigger = _plain(message["MSH-9.2"])
    parts = ["ACK", *([trigger] if trigger else []), *(["ACK"] if trigger and version >= "2.3.1" else [])]
    answer = build(
        "ACK",
        version=version,
        control_id=control_id,
        at=at,
        processing=_plain(message["MSH-11"]) or "P",
        charset=_writable(message.charset),
        delimiters=delimiters,
    )
    answer.set_er7("MSH-9", (delimiters.component or "^").join(escape(part, delimiters) for part in parts))
    for target, source in (("3", "5"), ("4", "6"), ("5", "3"), ("6", "4")):
        _echo(answer, f"MSH-{target}", message, f"MSH-{source}[1]")
    answer.set("MSA-1", code)
    _echo(answer, "MSA-2", message, "MSH-10")
    if text:
        answer.set("MSA-3", text)
    named = errors or ((AckError(),) if code[1] in "ER" and text is None else ())
    for number, error in enumerate(named, start=1):
        _write_error(answer, number, error, modern=version >= "2.5")
    return answer


def _usable(delimiters: Delimiters) -> bool:
    """Whether an acknowledgement can be written with a message's delimiters: all there, and none a letter of a code."""
    marks = delimiters.encoding_characters
    return len(marks) >= 4 and (delimiters.field + marks).isascii() and not any(mark.isalnum() for mark in marks)


def _plain(value: str | Null | None) -> str | None:
    """A code of the message's header, if it is one: what cannot be a code is not handed back."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None


def _writable(charset: Charset) -> str | None:
    known = charset.declared and codec_of(charset.declared)
    return charset.declared if known and known not in ("utf-16", "utf-32") else None


def _echo(answer: Message, target: str, message: Message, source: str) -> None:
    """A field is handed back as it was sent where the delimiters are the same; else its first value is."""
    try:
        if answer.delimiters == message.delimiters:
            answer.set_er7(target, message.er7(source))
        else:
            answer.set(target, message[source] or None)
    except NotWritable:
        # Not in the answer's character set: an acknowledgement that names less is better than none.
        answer.set(target, None)


def _write_error(answer: Message, number: int, error: AckError, *, modern: bool) -> None:
    place = _located(error.location)
    condition = _CONDITIONS.get(error.code, "")
    if modern:
        segment = f"ERR[{number}]"
        for component, part in enumerate(place, start=1):
            answer.set(f"{segment}-2.{component}", part)
        answer.set(f"{segment}-3.1", error.code).set(f"{segment}-3.2", condition or None).set(
            f"{segment}-3.3", "HL70357"
        )
        answer.set(f"{segment}-4", error.severity)
        if error.text:
            answer.set(f"{segment}-8", error.text)
        return
    for component, part in enumerate(place[:3], start=1):
        answer.set(f"ERR-1[{number}].{component}", part)
    answer.set(f"ERR-1[{number}].4.1", error.code).set(f"ERR-1[{number}].4.2", condition or None)
    answer.set(f"ERR-1[{number}].4.3", "HL70357")


def _located(location: str) -> list[str]:
    """A path as ERL has it: segment, its number, field, repetition, component, sub-component (2.5.1, 2.A.28)."""
    try:
        path = read_path(location)
    except ValueError:
        return []
    numbers = (
        path.occurrence or 1,
        path.field,
        (path.repetition or 1) if path.field else 0,
        path.component,
        path.subcomponent,
    )
    return [path.segment, *(str(number) for number in numbers if number)]
