"""What is sent to a product that receives, and how what a product sends is taken.

Source: HL7 2.4, chapters 2 (2.12, 2.16), 3 and 7; HL7 Version 2 Transport: MLLP, Release 1; HSCIC, ITK HL7 v2 Message
Specifications 1.0.15 and HL7V2 DMS 1.1. People and places are invented; numbers are those of supplier.toml.
"""

from __future__ import annotations

import base64
import binascii
import io
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from mpftconnect.conformance import Probe, ProbeEnded, Recorded, deliver, listen, recorded_message
from mpftconnect.errors import MessageUnreadable
from mpftconnect.hl7v2 import build, check, parse, read_messages
from mpftconnect.model import NHS_NUMBER_SYSTEM

__all__ = ["CLEAN", "UNKNOWN", "ask", "control_of", "facts_of", "messages_of", "step_of"]

# Of the 999 range, with a right check digit, and nobody's of the test people.
UNKNOWN = "9991234578"
FAMILY, GIVEN, BORN, UPDATED, OLDER = "Quillfeather", "Tamsin", "19560312", "Harrowgate", "Nettleship"
CLEAN = "a good message"
_ORU, _A28, _A31 = "ORU^R01^ORU_R01", "ADT^A28^ADT_A05", "ADT^A31^ADT_A05"
_LONG = 400_000
# How files of a kind begin; of other kinds only encoding and size are seen.
_BEGINS = {
    "PDF": (b"%PDF-",),
    "RTF": (b"{\\rtf",),
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG",),
    "GIF": (b"GIF8",),
    "TIFF": (b"II*\x00", b"MM\x00*"),
}
_PDF = b"%PDF-1.4\n%%EOF\n"

Values = Mapping[str, str]


def step_of(name: str) -> str:
    return f"send {name}"


def control_of(name: str) -> str:
    """A good message that follows one which was not answered: whether the product still answers at all."""
    return f"control after {name}"


def ask(*names: str, sender: bool = False, read_back: bool = False) -> Callable[[Probe], None]:
    """A probe: takes what a sender sends, sends a receiver those messages, as the product is."""

    def probe_it(probe: Probe) -> None:
        lines = probe.lines
        if sender and lines.sender is not None:
            probe.once("messages", lambda: _taken(probe))
        if names and lines.receiver is not None:
            _send(probe, (CLEAN, *names), read_back)
        elif not (sender and lines.sender is not None):
            wanted = " or ".join([*(["[mllp.receiver]"] if names else []), *(["[mllp.sender]"] if sender else [])])
            raise ProbeEnded("wire", f"supplier.toml has no {wanted}")

    return probe_it


# Taking


def _taken(probe: Probe) -> list[Recorded]:
    line = probe.lines.sender
    if line is None:
        return []
    made: list[Recorded] = []
    for path in line.recorded:
        with path.open("rb") as stream:
            for part in read_messages(stream):
                raw = part.raw if part.raw is not None else b""
                made += [recorded_message(raw, facts_of(raw))] if raw else []
    return [*made, *listen(line, deadline=probe.deadline, facts=facts_of)]


def facts_of(raw: bytes) -> dict[str, Any]:
    """What is found out about a message before texts and attachments are dropped: codes, places, sizes."""
    try:
        message = parse(raw)
        found = check(message, "uk")
    except MessageUnreadable as error:
        return {"unreadable": error.code}
    attachments = []
    for segment in message.segments("OBX"):
        parts = segment.repetitions(5)[:1]
        if segment[2] == "ED" and parts and any(parts[0][place] for place in range(1, 6)):
            kind, encoding, data = (str(parts[0][place] or "") for place in (3, 4, 5))
            attachments.append({"place": segment.place, **_attachment(data, encoding, kind)})
    return {
        "codes": sorted({f"{one.code} {one.location}" for one in found})[:200],
        "beyond_ascii": not raw.isascii() or b"\\" in raw[9:],
        "attachments": attachments[:50],
    }


def _attachment(data: str, encoding: str, kind: str) -> dict[str, Any]:
    """Its size, and what is wrong with it: HL7 2.4, 2.9.16 (ED), tables 0299 (encoding) and 0291 (kind)."""
    if not data:
        return {"fault": "holds no data"}
    try:
        if encoding == "Base64":
            content = base64.b64decode(data, validate=True)
        elif encoding == "Hex":
            content = bytes.fromhex(data)
        elif encoding == "A":
            content = data.encode("utf-8", "replace")
        else:
            return {"fault": "names no encoding of table 0299"}
    except (binascii.Error, ValueError):
        return {"fault": "is not of the encoding that it names"}
    shown = _BEGINS.get(kind.upper())
    if shown is not None and not content.startswith(shown):
        return {"fault": f"says {kind.upper()} and is none"}
    return {"bytes": len(content)}


# Sending


def _send(probe: Probe, names: Sequence[str], read_back: bool) -> None:
    if not probe.subject.allow_writes:
        raise ProbeEnded("writes", "messages change something in the system, and supplier.toml does not allow writes")
    receiver = probe.lines.receiver
    number = probe.person("full").nhs_number
    if receiver is None or not number:
        raise ProbeEnded("person", "people.full needs an nhs_number for messages to be about")
    if read_back:
        _look(probe, UNKNOWN, "Patient of an unknown number before")
    for name in names:
        messages, pieces, expect = _MADE[name](number)

        def speak(step: str, m: Sequence[bytes], p: Sequence[bytes], e: int | None) -> Callable[[], list[Recorded]]:
            return lambda: [deliver(receiver, step, m, pieces=p, expect=e, deadline=probe.deadline)]

        (said,) = probe.once(step_of(name), speak(step_of(name), messages, pieces, expect))
        if said.error is None and (said.facts.get("ended") != "answered" or expect == 0):
            good = _message(_A28, _person(number))
            probe.once(control_of(name), speak(control_of(name), [good], [_block(good)], None))
    if read_back:
        _look(probe, number, f"Patient of full after {names[-1]}")
        _look(probe, UNKNOWN, f"Patient of an unknown number after {names[-1]}")


def _look(probe: Probe, number: str, step: str) -> None:
    """What the product then shows of a person over FHIR, if it gives an address."""
    try:
        probe.get("Patient", {"identifier": f"{NHS_NUMBER_SYSTEM}|{number}"}, step=step, again=True)
    except ProbeEnded as ended:
        if ended.kind != "wire":
            raise


def _message(
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
    visit = {"PV1-2": "N"} if type_.startswith("ADT") else {}
    message = build(
        type_,
        version="2.4",
        sending=("MPFTCONNECT", "ZZ999"),
        receiving=("SUPPLIER", "ZZ999"),
        control_id=secrets.token_hex(8).upper(),
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


def _attached(number: str, content: bytes) -> bytes:
    values = dict(_result(number, type_="ED")) | {"OBX-5.2": "AP", "OBX-5.3": "PDF", "OBX-5.4": "Base64"}
    return _message(_ORU, values | {"OBX-5.5": base64.b64encode(content).decode()})


def _block(message: bytes) -> bytes:
    return b"\x0b" + message + b"\x1c\r"


Made = tuple[Sequence[bytes], Sequence[bytes], int | None]


def _one(raw: bytes) -> Made:
    return [raw], [_block(raw)], None


def _pieces(number: str) -> Made:
    raw = _message(_A28, _person(number))
    block = _block(raw)
    return [raw], [block[:1], block[1:40], block[40:-1], block[-1:]], None


def _joined(number: str) -> Made:
    both = [_message(_A28, _person(number)) for _ in range(2)]
    return both, [b"".join(_block(each) for each in both)], None


def _half(number: str) -> Made:
    raw = _message(_A28, _person(number))
    return [raw], [_block(raw)[: len(raw) // 2]], 0


def _twice(number: str) -> Made:
    raw = _message(_A28, _person(number))
    return [raw, raw], [_block(raw), _block(raw)], None


_MADE: dict[str, Callable[[str], Made]] = {
    CLEAN: lambda n: _one(_message(_A28, _person(n))),
    "an unknown version": lambda n: _one(_message(_A28, _person(n), version="9.9")),
    "an unknown type": lambda n: _one(_message("ZZZ^Z99", _person(n))),
    "a broken header": lambda n: _one(_broken(n)),
    "a long message": lambda n: _one(
        _message(_ORU, _result(n), segments=[f"NTE|{i}||{'x' * 20_000}" for i in range(1, _LONG // 20_000)])
    ),
    "an update": lambda n: _one(_message(_A31, _person(n, family=UPDATED))),
    "an older update": lambda n: _one(_message(_A31, _person(n, family=OLDER), ago=timedelta(hours=1))),
    "in pieces": _pieces,
    "two in one write": _joined,
    "half a message": _half,
    "the same twice": _twice,
    "of an unknown number": lambda n: _one(
        _message(_ORU, {p: v for p, v in _result(UNKNOWN).items() if p not in ("PID-5.1", "PID-5.2", "PID-7", "PID-8")})
    ),
    "in UTF-8": lambda n: _one(_message(_A28, _person(n, given="Siân-Zoë"))),
    "in 8859/1": lambda n: _one(_message(_A28, _person(n, given="Zoë"), charset="8859/1")),
    "with escapes": lambda n: _one(
        _message(_A28, {**_person(n), "PID-11.1": "Flat 1 & 2 | Heron^Lane", "PID-11.7": "H"})
    ),
    "with a Z-segment": lambda n: _one(_message(_A28, _person(n), segments=["ZZ9|1|local"])),
    "an attachment": lambda n: _one(_attached(n, _PDF)),
    "a false attachment": lambda n: _one(_attached(n, b"this is no PDF")),
}


def _broken(number: str) -> bytes:
    message = parse(_message(_A28, _person(number)))
    message.set("MSH-9", None)
    return bytes(message)


def messages_of(body: bytes) -> list[bytes]:
    return [part.raw for part in read_messages(io.BytesIO(body)) if part.raw is not None]
