"""Acknowledgements: MSH, MSA and, where something is wrong, ERR. Their texts are ours and hold no value (rule 16).

Source: HL7 v2.5.1, chapter 2, sections 2.9 (processing rules), 2.15.5 (ERR) and 2.15.8 (MSA); ERR-1 as before version
2.5: HL7 v2.4, section 2.16.5. Codes: HL7 tables 0008 (acknowledgement), 0357 (error condition), 0516 (severity).
"""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import lru_cache

from mpftconnect.inbox.header import Header

__all__ = ["Problem", "acknowledgement"]

_WORDS = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application internal error",
}

# Acknowledgements have control ids of their own (MSH-10, at most 20 characters): of this process, then counted.
_ORIGIN = uuid.uuid4().hex[:10]
_SERIAL = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong: a code of HL7 table 0357, where (`MSH-10`), and which rule, in our words."""

    code: str
    place: str
    rule: str


def acknowledgement(header: Header | None, code: str, at: datetime, problem: Problem | None = None) -> bytes:
    r"""The bytes of an acknowledgement.

    Args:
        header: Of the message that is answered; None where it has none that could be read.
        code: MSA-1.
        at: For MSH-7; aware.

    >>> from mpftconnect.inbox.header import header_of
    >>> from datetime import UTC
    >>> header = header_of(b"MSH|^~\\&|RIO|RRE|US|ZZ1|20260102||ADT^A01|7|P|2.4\r")
    >>> acknowledgement(header, "AA", datetime(2026, 1, 2, tzinfo=UTC)).split(b"\r")[1]
    b'MSA|AA|7'
    """
    second = int(at.timestamp())
    before, between, after = (
        _around(
            header.separators,
            header.kind,
            header.receiver,
            header.application,
            header.facility,
            header.processing,
            header.version,
            second,
            at.tzinfo,
            code,
        )
        if header
        else _around("", "", ("", ""), "", "", "P", "2.4", second, at.tzinfo, code)
    )
    text = f"{before}{_ORIGIN}{next(_SERIAL):x}{between}{header.control_id if header else ''}{after}"
    if problem is not None:
        marks = _marks(header.separators if header else "")
        text += _error(problem, header.version if header else "2.4", marks[0], marks[1], marks[4]) + "\r"
    return text.encode("latin-1", errors="replace")


# What a sender's messages of one kind have in common is put together once a second.
@lru_cache(maxsize=256)
def _around(
    separators: str,
    kind: str,
    receiver: tuple[str, str],
    application: str,
    facility: str,
    processing: str,
    version: str,
    second: int,
    zone: tzinfo | None,
    code: str,
) -> tuple[str, str, str]:
    """What stands before the acknowledgement's own control id, between that and the message's, and after it."""
    marks = _marks(separators)
    bar, hat = marks[0], marks[1]
    stamp = datetime.fromtimestamp(second, zone).strftime("%Y%m%d%H%M%S%z")
    trigger = kind.split(hat)[1] if hat in kind else ""
    first = (f"MSH{bar}{marks[1:]}", *receiver, application, facility, stamp, "")
    before = bar.join((*first, hat.join(("ACK", trigger)) if trigger else "ACK", ""))
    return before, f"{bar}{processing}{bar}{version}\rMSA{bar}{code}{bar}", "\r"


def _marks(separators: str) -> str:
    # MSH-2 is given back only where it is encoding characters: a broken header may have anything there.
    return separators if _are_marks(separators) else "|^~\\&"


def _are_marks(text: str) -> bool:
    return 5 <= len(text) <= 6 and not any(each.isalnum() or each.isspace() for each in text)


def _error(problem: Problem, version: str, bar: str, hat: str, amp: str) -> str:
    segment, _, position = problem.place.partition("-")
    words = _WORDS.get(problem.code, "Error")
    if version[:3] in ("2.1", "2.2", "2.3", "2.4"):
        return bar.join(("ERR", hat.join((segment, "1", position, amp.join((problem.code, words, "HL70357"))))))
    location = hat.join((segment, "1", position)) if position else hat.join((segment, "1"))
    # The rule is our own text, without delimiters.
    return bar.join(("ERR", "", location, hat.join((problem.code, words, "HL70357")), "E", "", "", "", problem.rule))
