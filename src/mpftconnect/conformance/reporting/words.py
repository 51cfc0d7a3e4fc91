"""The words that every form of a report uses, so that none of them promises more than another."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mpftconnect.conformance.outcome import Status

__all__ = [
    "CAUSE_WORDS",
    "DEMONSTRATION",
    "FINDING_WORDS",
    "IS",
    "IS_NOT",
    "LEVEL_WORDS",
    "RUN_WORDS",
    "STATUS_WORDS",
    "VERDICT_WORDS",
    "sentence",
    "stopped",
]

DEMONSTRATION = "DEMONSTRATION: says nothing about any product"

IS = (
    "This is what was observed when the named product version was asked the named requirements, on the day of the run.",
    "Each outcome names what it stands on, and can be judged again from the evidence beside it.",
)
IS_NOT = (
    "Not a DTAC assessment or NHS endorsement.",
    "Structurally valid is not clinically validated.",
    "What was not tested is listed, and may be wrong.",
)

VERDICT_WORDS: Mapping[str, str] = {
    "not-met": "Not met",
    "undetermined": "Undetermined",
    "met-the-checks-run": "Met the checks run",
}

STATUS_WORDS: Mapping[Status, str] = {
    Status.FAIL: "Failed",
    Status.ERROR: "Our error",
    Status.INCONCLUSIVE: "Inconclusive",
    Status.NOT_TESTED: "Not tested",
    Status.NOT_OFFERED: "Not offered",
    Status.NOT_ASKED: "Not asked",
    Status.EVIDENCE_FOUND: "Evidence found, not judged",
    Status.ATTESTED: "Attested",
    Status.PASS: "Passed",
    Status.NOT_APPLICABLE: "Not applicable",
    Status.RECORDED: "Recorded",
}

LEVEL_WORDS: Mapping[str, str] = {"must": "Must", "should": "Should", "may": "May", "advisory": "Advisory"}

CAUSE_WORDS: Mapping[str, str] = {
    "supplier": "the supplier's system",
    "test-data": "the test data",
    "environment": "the environment",
    "terminology": "missing terminology",
    "harness": "this suite",
    "specification": "the specification",
    "unclear": "not clear",
}

FINDING_WORDS: Mapping[str, str] = {
    "environment": "Environment",
    "test-data": "Test data",
    "configuration": "Configuration",
}

RUN_WORDS: Mapping[str, str] = {
    "self-run": "the supplier itself; nobody else was there",
    "challenged": "the supplier, in answer to a buyer's challenge",
    "buyer-witnessed": "the supplier, with a buyer present",
}

_WORD = re.compile(r"[a-z]+(?=[ ,;:.]|$)")


def sentence(text: str) -> str:
    """Text as a sentence: with a capital, and a full stop where none ends it.

    Names keep their letters: only a plain word gets a capital, never `supplier.toml`, `birthDate` or `x-request-id`.

    >>> sentence("the unit is not UCUM kg")
    'The unit is not UCUM kg.'
    >>> sentence("supplier.toml names no evidence")
    'supplier.toml names no evidence.'
    """
    text = text.strip()
    word = _WORD.match(text)
    if word and not re.match(r"[.:]\S", text[word.end() :]):
        text = text[0].upper() + text[1:]
    return stopped(text)


def stopped(text: str) -> str:
    """Text with a full stop where none ends it.

    >>> stopped("none"), stopped("None."), stopped("")
    ('none.', 'None.', '')
    """
    return text if not text or text[-1] in ".!?:" else f"{text}."
