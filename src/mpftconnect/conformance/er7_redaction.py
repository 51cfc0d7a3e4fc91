"""How HL7 v2 messages are redacted (rule 15): stand-ins leaf by leaf, structure, codes and delimiters as they were.

A body holds one message or several, as they stand one after the other in a stream (`read_messages`). Which segments
speak of people is HL7 2.5.1, chapters 3 (PID, NK1, MRG), 6 (GT1, IN1, IN2) and 2.A (XCN); a Z-segment may hold
anything, so it counts as one of them.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator

from mpftconnect.conformance.redaction import BODIES, DROPPED_TEXT, FILLERS, Redactor
from mpftconnect.errors import AnswerRejected, MessageUnreadable
from mpftconnect.hl7v2 import Delimiters, Message, parse, read_messages

__all__ = ["Er7Redactor"]

# Fields of people that hold codes, counts and flags alone; all others get stand-ins.
_KEPT: dict[str, set[int]] = {
    "PID": {1, 8, 10, 15, 16, 17, 22, 24, 25, 28, 30, 31, 32, 34, 35, 36},
    "NK1": {1, 3, 7, 14, 15},
    "MRG": set(),
    "GT1": {1, 9, 11},
    "IN1": {1, 15},
    "IN2": set(),
}
# Components that say what a value is: authority and type of an identifier, use of a name, address or number.
_KINDS_OF: tuple[tuple[tuple[tuple[str, int], ...], frozenset[int]], ...] = (
    ((("PID", 2), ("PID", 3), ("PID", 4), ("PID", 18), ("PID", 20), ("PID", 21)), frozenset((4, 5, 6))),
    ((("MRG", 1), ("MRG", 2), ("MRG", 3), ("MRG", 4), ("NK1", 33), ("PV1", 19), ("PV1", 50)), frozenset((4, 5, 6))),
    ((("PID", 5), ("PID", 6), ("PID", 9), ("MRG", 7), ("NK1", 2), ("NK1", 30)), frozenset((7, 8))),
    ((("PID", 11), ("NK1", 4), ("NK1", 32)), frozenset((6, 7))),
    ((("PID", 13), ("PID", 14), ("NK1", 5), ("NK1", 6), ("NK1", 31)), frozenset((2, 3))),
)
_KINDS = {place: kinds for places, kinds in _KINDS_OF for place in places}
_DATES = {("PID", 7), ("PID", 29), ("PID", 33), ("NK1", 16)}
# People in segments that are about something else: XCN (id and name; 9 is the authority, 10 and 13 are kinds), and
# numbers of visits.
_OTHERS: dict[str, set[int]] = {
    "PV1": {5, 7, 8, 9, 17, 19, 50, 52},
    "PD1": {4},
    "EVN": {5},
    "ORC": {10, 11, 12, 19},
    "OBR": {10, 16, 28, 32, 33, 34, 35},
    "OBX": {16},
    "AL1": set(),
    "TXA": {5, 9, 10, 11, 22},
    "ROL": {4},
}
_XCN_KINDS = frozenset((8, 9, 10, 13, 14))
_TEXTS = {("NTE", 3), ("MSA", 3), ("ERR", 7), ("ERR", 8), ("EVN", 4), ("PV2", 3), ("PV2", 12), ("AL1", 5)}
_NONE: frozenset[int] = frozenset()
_WORDS = frozenset({"ST", "TX", "FT", "ED", "RP", ""})
_ESCAPE = re.compile(r"\\[^\\\r]*\\")
_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})")

Change = Callable[[str], str]


class Er7Redactor:
    """Reads each message and changes its leaves; what cannot be read is dropped by the caller."""

    def learn(self, body: bytes, redactor: Redactor) -> None:
        try:
            for message in _messages(body):
                _redacted(message, redactor, learn=True)
        except AnswerRejected:
            return

    def redact(self, body: bytes, redactor: Redactor) -> bytes:
        """
        Raises:
            AnswerRejected: It holds something that is no message.
        """
        return b"".join(_redacted(message, redactor, learn=False) for message in _messages(body))


def _messages(body: bytes) -> Iterator[Message]:
    found = False
    for part in read_messages(io.BytesIO(body)):
        if part.raw is None:
            raise AnswerRejected("it is no HL7 v2 message")
        rule = ""
        try:
            message = parse(part.raw)
            found = True
            yield message
        except MessageUnreadable as error:
            rule = error.code
        if rule:
            raise AnswerRejected(f"it is no HL7 v2 message: {rule}")
    if not found:
        raise AnswerRejected("it is no HL7 v2 message")


def _redacted(message: Message, redactor: Redactor, *, learn: bool) -> bytes:
    marks = message.delimiters
    lines = []
    for index, name in enumerate(message.names):
        fields = list(message.fields_of(index))
        first = 2 if name in ("MSH", "BHS", "FHS") else 1
        for number in range(first, len(fields)):
            if name in ("MSH", "BHS", "FHS") and number == 2:
                continue
            fields[number] = _field(name, number, fields, marks, redactor)
        if name in ("MSH", "BHS", "FHS"):
            lines.append(name + marks.field + marks.field.join(fields[2:]))
        else:
            lines.append(marks.field.join(fields))
    if learn:
        return b""
    text = "\r".join(lines) + "\r"
    return text.encode("utf-8" if message.charset.codec.startswith("utf") else message.charset.codec, "replace")


def _field(name: str, number: int, fields: list[str], marks: Delimiters, redactor: Redactor) -> str:
    text = fields[number]
    if not text or text == '""':
        return text
    if (name, number) in _TEXTS or (name == "OBX" and number == 5 and fields[2] in _WORDS):
        return _dropped(text, fields, name, marks)
    if name in _KEPT or name.startswith("Z"):
        if number in _KEPT.get(name, ()):
            return redactor.text(text)
        change: Change = _dates(redactor) if (name, number) in _DATES else _shaped(redactor)
        return _leaves(text, marks, change, _KINDS.get((name, number), _NONE))
    if number in _OTHERS.get(name, ()):
        kinds = _KINDS.get((name, number)) or (_NONE if name == "TXA" and number == 5 else _XCN_KINDS)
        return _leaves(text, marks, _shaped(redactor), kinds)
    return _leaves(text, marks, redactor.text, _NONE)


def _dropped(text: str, fields: list[str], name: str, marks: Delimiters) -> str:
    """Free text goes; of an attachment its kind stays (ED: source, type, subtype, encoding, data)."""
    component = marks.component or "^"
    if name == "OBX" and fields[2] == "ED":
        parts = text.split(component)
        return component.join([*parts[:4], DROPPED_TEXT] if len(parts) > 4 else parts[:4])
    if name == "OBX" and text.strip().lower() in FILLERS:
        return text
    return DROPPED_TEXT


def _leaves(text: str, marks: Delimiters, change: Change, kinds: frozenset[int]) -> str:
    repetition = marks.repetition
    component = marks.component
    sub = marks.subcomponent
    out = []
    for each in text.split(repetition) if repetition else [text]:
        parts = each.split(component) if component else [each]
        for place, part in enumerate(parts, start=1):
            if part and place not in kinds:
                parts[place - 1] = (sub or "").join(change(p) for p in part.split(sub)) if sub else change(part)
        out.append((component or "").join(parts))
    return (repetition or "").join(out)


def _shaped(redactor: Redactor) -> Change:
    def change(text: str) -> str:
        if text == '""' or not any(c.isalnum() for c in text) or text.strip().lower() in FILLERS:
            return text
        day = _DAY.fullmatch(text[:8])
        if day and len(text) in (8, 12, 14) and text.isdigit() and text[:2] in ("18", "19", "20"):
            return _dates(redactor)(text)
        # Escapes stay as they are: what stands between them is the text.
        pieces, at = [], 0
        for found in _ESCAPE.finditer(text):
            pieces += [text[at : found.start()], found.group()]
            at = found.end()
        pieces.append(text[at:])
        return "".join(
            piece if _ESCAPE.fullmatch(piece) or not any(c.isalnum() for c in piece) else _stand_in(piece, redactor)
            for piece in pieces
        )

    return change


def _stand_in(text: str, redactor: Redactor) -> str:
    bare = re.sub(r"[ -]", "", text)
    return redactor.number(text) if len(bare) == 10 and bare.isdigit() and bare.isascii() else redactor.shape(text)


def _dates(redactor: Redactor) -> Change:
    def change(text: str) -> str:
        found = _DAY.match(text)
        if found is None:
            return redactor.shape(text) if any(c.isdigit() for c in text) else text
        made = redactor.birth_date("-".join(found.groups()))
        return made.replace("-", "") + text[8:]

    return change


BODIES["mllp"] = Er7Redactor()
