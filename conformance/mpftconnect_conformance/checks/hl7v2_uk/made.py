"""The messages that are sent to a product that receives.

Source: HL7 2.4, chapters 2 (2.12, 2.16), 3 and 7; ITK HL7 v2 Message Specifications 1.0.15; HL7V2 DMS 1.1. People and
places are invented.

MSH-10 says which run a message is of: a buyer's challenge stands in its first letters. It is the one field that every
receiver takes as it is, 20 characters long at most (HL7 2.4 and 2.5.1, 2.16.9.10 and 2.15.9.10, ST of 20), that
nobody reads a meaning into, and that comes back in MSA-2, so that the answer is bound as well as what was asked.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mpftconnect.hl7v2 import build, parse

__all__ = ["CLEAN", "MADE", "UNKNOWN", "WARDS", "Case", "Made", "good", "wrong_digit"]

# Of the 999 range, with a right check digit, and nobody's of the test people.
UNKNOWN = "9991234578"
FAMILY, GIVEN, BORN, UPDATED, OLDER = "Quillfeather", "Tamsin", "19560312", "Harrowgate", "Nettleship"
MERGED = "Ambrosine"
WARDS = ("NORTHWARD", "SOUTHWARD")
CLEAN = "a good message"
_ORU, _A28, _A31 = "ORU^R01^ORU_R01", "ADT^A28^ADT_A05", "ADT^A31^ADT_A05"
_LONG = 400_000
_PDF = b"%PDF-1.4\n%%EOF\n"

Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """Whom messages are about, and how MSH-10 begins in answer to a challenge; empty if there is none.

    Args:
        other: A number of the 999 range that nobody has: of a person who is then merged, or with its digit changed.
        visits: Numbers of visits, each another's; PV1-19.
        values: What a result says, and what it is corrected to.
        comment: Of the result (NTE-3).
    """

    number: str
    mark: str = ""
    other: str = ""
    visits: tuple[str, str, str] = ("", "", "")
    values: tuple[str, str] = ("37.2", "38.4")
    comment: str = ""

    def control_id(self) -> str:
        """Another one for each message, in letters alone: no digit of it looks like anybody's number to a redactor."""
        return self.mark + "".join(secrets.choice("ABCDEFGHIJKLMNOP") for _ in range(20 - len(self.mark)))


def _message(
    case: Case,
    type_: str,
    values: Values,
    *,
    version: str = "2.4",
    charset: str = "UNICODE UTF-8",
    ago: timedelta = timedelta(),
    segments: Sequence[str] = (),
) -> bytes:
    at = datetime.now(UTC) - ago
    event = type_.split("^")[1]
    stated = {"EVN-1": event, "EVN-2": at.strftime("%Y%m%d%H%M%S")} if type_.startswith("ADT") else {}
    visit = {"PV1-2": "N"} if type_.startswith("ADT") and event != "A40" and "PV1-2" not in values else {}
    message = build(
        type_,
        version="2.4",
        sending=("MPFTCONNECT", "ZZ999"),
        receiving=("SUPPLIER", "ZZ999"),
        control_id=case.control_id(),
        at=at,
        processing="T",
        charset=charset,
        values={**stated, **values, **visit},
    )
    message.set("MSH-12", version)
    for segment in segments:
        message.add(segment)
    return bytes(message)


def _person(number: str, family: str = FAMILY, given: str = GIVEN) -> Values:
    return {
        "PID-3.1": number,
        "PID-3.4": "NHS",
        "PID-3.5": "NH",
        "PID-5.1": family,
        "PID-5.2": given,
        "PID-7": BORN,
        "PID-8": "F",
        "PID-32": "01",
    }


def _result(number: str, *, type_: str = "NM", value: str = "37.2") -> Values:
    unit = {"OBX-6.1": "Cel", "OBX-6.3": "UCUM"} if type_ == "NM" else {}
    code = {"1": "8310-5", "2": "Body temperature", "3": "LN"}
    return {
        **_person(number),
        "OBR-1": "1",
        **{f"OBR-4.{place}": text for place, text in code.items()},
        "OBR-7": "20250901",
        "OBR-25": "F",
        "OBX-1": "1",
        "OBX-2": type_,
        **{f"OBX-3.{place}": text for place, text in code.items()},
        **({"OBX-5": value} if type_ != "ED" else {}),
        **unit,
        "OBX-11": "F",
    }


def _attached(c: Case, content: bytes) -> bytes:
    values = dict(_result(c.number, type_="ED")) | {"OBX-5.2": "AP", "OBX-5.3": "PDF", "OBX-5.4": "Base64"}
    return _message(c, _ORU, values | {"OBX-5.5": base64.b64encode(content).decode()})


def _block(message: bytes) -> bytes:
    return b"\x0b" + message + b"\x1c\r"


Made = tuple[Sequence[bytes], Sequence[bytes], int | None]


def _one(raw: bytes) -> Made:
    return [raw], [_block(raw)], None


def _pieces(c: Case) -> Made:
    raw = _message(c, _A28, _person(c.number))
    block = _block(raw)
    return [raw], [block[:1], block[1:40], block[40:-1], block[-1:]], None


def _joined(c: Case) -> Made:
    both = [_message(c, _A28, _person(c.number)) for _ in range(2)]
    return both, [b"".join(_block(each) for each in both)], None


def _half(c: Case) -> Made:
    raw = _message(c, _A28, _person(c.number))
    return [raw], [_block(raw)[: len(raw) // 2]], 0


def _twice(c: Case) -> Made:
    raw = _message(c, _A28, _person(c.number))
    return [raw, raw], [_block(raw), _block(raw)], None


def _admitted(c: Case, type_: str, visit: int, ward: str = WARDS[0], before: str = "") -> Made:
    place = {"PV1-2": "I", "PV1-3.1": ward, "PV1-3.4": "ZZ101", "PV1-19.1": c.visits[visit], "PV1-44": "20250901090000"}
    came = {"PV1-6.1": before, "PV1-6.4": "ZZ101"} if before else {}
    left = {"PV1-45": "20250902090000"} if "A03" in type_ else {}
    return _one(_message(c, type_, {**_person(c.number), **place, **came, **left}))


def _measured(c: Case, which: int, status: str) -> Made:
    values = dict(_result(c.number, value=c.values[which])) | {"OBR-3": f"F{c.visits[0]}", "OBR-25": status}
    values |= {"OBX-7": "36.1-37.0", "OBX-8": "H", "OBX-11": status}
    return _one(_message(c, _ORU, values, segments=[f"NTE|1||{c.comment}"]))


def wrong_digit(number: str) -> str:
    return number[:9] + str((int(number[9]) + 1) % 10)


def good(c: Case) -> Made:
    return _one(_message(c, _A28, _person(c.number)))


MADE: dict[str, Callable[[Case], Made]] = {
    CLEAN: good,
    "an unknown version": lambda c: _one(_message(c, _A28, _person(c.number), version="9.9")),
    "an unknown type": lambda c: _one(_message(c, "ZZZ^Z99", _person(c.number))),
    "a broken header": lambda c: _one(_broken(c)),
    "a long message": lambda c: _one(
        _message(c, _ORU, _result(c.number), segments=[f"NTE|{i}||{'x' * 20_000}" for i in range(1, _LONG // 20_000)])
    ),
    "an update": lambda c: _one(_message(c, _A31, _person(c.number, family=UPDATED))),
    "an older update": lambda c: _one(_message(c, _A31, _person(c.number, family=OLDER), ago=timedelta(hours=1))),
    "another number": lambda c: _one(_message(c, _A28, _person(c.other, family=MERGED))),
    "a merge": lambda c: _one(
        _message(c, "ADT^A40^ADT_A39", {**_person(c.number), "MRG-1.1": c.other, "MRG-1.4": "NHS", "MRG-1.5": "NH"})
    ),
    "a late update of what ended": lambda c: _one(
        _message(c, _A31, _person(c.other, family=MERGED), ago=timedelta(hours=1))
    ),
    "an admission": lambda c: _admitted(c, "ADT^A01^ADT_A01", 0),
    "the admission taken back": lambda c: _admitted(c, "ADT^A11^ADT_A09", 0),
    "an admission to move": lambda c: _admitted(c, "ADT^A01^ADT_A01", 1),
    "a transfer": lambda c: _admitted(c, "ADT^A02^ADT_A02", 1, WARDS[1], WARDS[0]),
    "the transfer taken back": lambda c: _admitted(c, "ADT^A12^ADT_A09", 1, WARDS[0], WARDS[1]),
    "an admission to end": lambda c: _admitted(c, "ADT^A01^ADT_A01", 2),
    "a discharge": lambda c: _admitted(c, "ADT^A03^ADT_A03", 2),
    "the discharge taken back": lambda c: _admitted(c, "ADT^A13^ADT_A01", 2),
    "a wrong number": lambda c: _one(_message(c, _A28, _person(wrong_digit(c.other), family=MERGED))),
    "a result": lambda c: _measured(c, 0, "F"),
    "the result corrected": lambda c: _measured(c, 1, "C"),
    "in pieces": _pieces,
    "two in one write": _joined,
    "half a message": _half,
    "the same twice": _twice,
    "of an unknown number": lambda c: _one(
        _message(
            c, _ORU, {p: v for p, v in _result(UNKNOWN).items() if p not in ("PID-5.1", "PID-5.2", "PID-7", "PID-8")}
        )
    ),
    "in UTF-8": lambda c: _one(_message(c, _A28, _person(c.number, given="Siân-Zoë"))),
    "in 8859/1": lambda c: _one(_message(c, _A28, _person(c.number, given="Zoë"), charset="8859/1")),
    "with escapes": lambda c: _one(
        _message(c, _A28, {**_person(c.number), "PID-11.1": "Flat 1 & 2 | Heron^Lane", "PID-11.7": "H"})
    ),
    "with a Z-segment": lambda c: _one(_message(c, _A28, _person(c.number), segments=["ZZ9|1|local"])),
    "an attachment": lambda c: _one(_attached(c, _PDF)),
    "a false attachment": lambda c: _one(_attached(c, b"this is no PDF")),
}


def _broken(c: Case) -> bytes:
    message = parse(_message(c, _A28, _person(c.number)))
    message.set("MSH-9", None)
    return bytes(message)
