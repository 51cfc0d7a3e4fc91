"""Sends to a product that receives, and takes what a product sends.

Source: HL7 2.4, chapters 2 (2.12, 2.16), 3 and 7; HL7 Version 2 Transport: MLLP, Release 1; HSCIC, ITK HL7 v2 Message
Specifications 1.0.15 and HL7V2 DMS 1.1. People and places are invented; numbers are those of supplier.toml.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mpftconnect.conformance import Probe, ProbeEnded, Recorded, deliver, listen, recorded_message
from mpftconnect.errors import MessageUnreadable
from mpftconnect.hl7v2 import check, parse, read_messages
from mpftconnect.model import NHS_NUMBER_SYSTEM
from mpftconnect_conformance.checks.hl7v2_uk.made import CLEAN, MADE, UNKNOWN, Case, good

__all__ = ["CLEAN", "UNKNOWN", "ask", "control_of", "facts_of", "look", "messages_of", "send_one", "step_of"]

# How files of a kind begin; of other kinds only encoding and size are seen.
_BEGINS = {
    "PDF": (b"%PDF-",),
    "RTF": (b"{\\rtf",),
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG",),
    "GIF": (b"GIF8",),
    "TIFF": (b"II*\x00", b"MM\x00*"),
}


def step_of(name: str) -> str:
    return f"send {name}"


def control_of(name: str) -> str:
    """A good message that follows one which was not answered: whether the product still answers at all."""
    return f"control after {name}"


def ask(
    *names: str, sender: bool = False, read_back: bool = False, then: Callable[[Probe, str], None] | None = None
) -> Callable[[Probe], None]:
    """A probe: takes what a sender sends, sends a receiver those messages, as the product is.

    Args:
        read_back: Look at what a receiver shows of the person afterwards.
        then: What else a receiver is sent and asked, about the person of that number.
    """

    def probe_it(probe: Probe) -> None:
        lines = probe.lines
        if sender and lines.sender is not None:
            probe.once("messages", lambda: _taken(probe))
        if names and lines.receiver is not None:
            _send(probe, (CLEAN, *names), read_back)
            if then is not None:
                then(probe, probe.person("full").nhs_number)
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
    return [*made, *listen(line, deadline=probe.deadline, facts=facts_of, mark=probe.message_mark)]


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
    number = probe.person("full").nhs_number
    if not number:
        raise ProbeEnded("person", "people.full needs an nhs_number for messages to be about")
    if read_back:
        look(probe, UNKNOWN, "Patient of an unknown number before")
    for name in names:
        send_one(probe, name, Case(number))
    if read_back:
        look(probe, number, f"Patient of full after {names[-1]}")
        look(probe, UNKNOWN, f"Patient of an unknown number after {names[-1]}")


def send_one(probe: Probe, name: str, case: Case) -> None:
    """Send one kind of message, once a run; after one that was not answered, a good one."""
    receiver = probe.lines.receiver
    if receiver is None:
        return
    step, control = step_of(name), control_of(name)
    messages, pieces, expect = MADE[name](replace(case, mark=probe.message_mark(step)))

    def speak(step: str, m: Sequence[bytes], p: Sequence[bytes], e: int | None) -> Callable[[], list[Recorded]]:
        return lambda: [deliver(receiver, step, m, pieces=p, expect=e, deadline=probe.deadline)]

    (said,) = probe.once(step, speak(step, messages, pieces, expect))
    if said.error is None and (said.facts.get("ended") != "answered" or expect == 0):
        probe.once(control, speak(control, *good(replace(case, mark=probe.message_mark(control)))))


def look(probe: Probe, number: str, step: str) -> Recorded | None:
    """What the product then shows of a person over FHIR, if it gives an address."""
    try:
        return probe.get("Patient", {"identifier": f"{NHS_NUMBER_SYSTEM}|{number}"}, step=step, again=True)
    except ProbeEnded as ended:
        if ended.kind != "wire":
            raise
    return None


def messages_of(body: bytes) -> list[bytes]:
    return [part.raw for part in read_messages(io.BytesIO(body)) if part.raw is not None]
