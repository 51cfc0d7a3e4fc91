"""Which exchanges of a report carry the mark of the challenge that it answers."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mpftconnect.conformance.evidence import Recorded
from mpftconnect.conformance.probe import MESSAGE_MARK
from mpftconnect.conformance.signing.challenge import HEADER, Challenge
from mpftconnect.errors import MpftConnectError
from mpftconnect.hl7v2 import parse, read_messages

__all__ = ["Marks", "marks_in"]


@dataclass(frozen=True, slots=True)
class Marks:
    """What the mark was looked for in.

    Args:
        carried: How many exchanges carry it.
        lacking: Ids of those that should and do not.
        unbound: How many messages nothing of ours went with, such as those that a supplier gives as files: these may
            be of any day.
    """

    carried: int
    lacking: tuple[str, ...]
    unbound: int


def marks_in(challenge: Challenge, exchanges: Iterable[Recorded]) -> Marks:
    """Looks in a header of every HTTP request, and in MSH-10 of every HL7 v2 message that we made."""
    carried, unbound, lacking = 0, 0, []
    for each in exchanges:
        mark = challenge.mark(each.step)
        if each.protocol == "mllp":
            ours = each.request_body if each.direction == "sent" else each.response_body
            if ours is None:
                unbound += each.request_body is not None
                continue
            good = all(control.startswith(mark[:MESSAGE_MARK]) for control in _control_ids(ours))
        elif each.protocol == "http" and each.direction == "sent" and each.request_headers:
            good = each.request_header(HEADER) == mark
        else:
            continue
        if good:
            carried += 1
        else:
            lacking.append(each.id)
    return Marks(carried, tuple(lacking), unbound)


def _control_ids(body: bytes) -> Iterator[str]:
    """MSH-10 of each; empty for what cannot be read, which carries no mark."""
    found = False
    for part in read_messages(io.BytesIO(body)):
        found, control = True, ""
        if part.raw is not None:
            try:
                control = str(parse(part.raw)["MSH-10"] or "")
            except MpftConnectError:
                control = ""
        yield control
    if not found:
        yield ""
