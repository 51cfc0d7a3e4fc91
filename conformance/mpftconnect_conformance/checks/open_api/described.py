"""Gets the OpenAPI document of a system, and reads it back out of evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from mpftconnect.conformance import (
    Cause,
    CauseKind,
    Evidence,
    Finding,
    NotInEvidence,
    Outcome,
    Probe,
    Recorded,
    Undecided,
)
from mpftconnect.errors import MpftConnectError
from mpftconnect_conformance.oas.document import Document, document_in
from mpftconnect_conformance.oas.text import Unreadable

__all__ = [
    "DOCUMENT",
    "DOCUMENT_LET_IN",
    "ask_document",
    "body_of",
    "described",
    "failed",
    "sent",
    "supplier",
    "undecided",
    "unreadable",
    "whole_elsewhere",
]

DOCUMENT, DOCUMENT_LET_IN = "openapi document", "openapi document with credentials"
# Where it is looked for if supplier.toml does not say.
_USUAL = ("openapi.json", "openapi.yaml")
_MOST_NAMED = 300


def ask_document(probe: Probe) -> Recorded:
    """As a stranger; where a stranger is refused, again with the credentials, so that what is in it can be judged.

    Returns:
        The last exchange: the document, if it came at all.
    """
    told = probe.subject.settings.get("openapi", "")
    paths = (told,) if told else _USUAL
    for path in paths:
        found = probe.get(path[:_MOST_NAMED], step=DOCUMENT, credentials=False)
        if found.status in (401, 403):
            found = probe.get(path[:_MOST_NAMED], step=DOCUMENT_LET_IN)
        if found.ok or found.error is not None:
            break
    return found


def sent(evidence: Evidence) -> Recorded:
    """The exchange in which the document came.

    Raises:
        NotInEvidence: It was never asked for.
        Undecided: It never came.
    """
    asked = list(evidence.every(DOCUMENT))
    with suppress(NotInEvidence):
        asked += evidence.every(DOCUMENT_LET_IN)
    came = next((each for each in asked if each.ok), None)
    if came is None:
        trouble = asked[-1].trouble()
        if asked[-1].status in (404, 410):
            raise undecided(
                "no OpenAPI document was found",
                f"the addresses tried answered {asked[-1].status}",
                "say in target.settings.openapi where it stands, below base_url",
                "the product publishes none",
            )
        raise Undecided(trouble) if trouble is not None else NotInEvidence(DOCUMENT)
    return came


def described(evidence: Evidence) -> tuple[Document, Recorded]:
    """The document, and the exchange in which it came.

    Raises:
        NotInEvidence, Undecided: There is none that can be read.
    """
    came = sent(evidence)
    try:
        return document_in(body_of(came)), came
    except Unreadable as error:
        raise Undecided(unreadable(error, "it cannot be read; open-api#1 says what is wrong with it")) from None


def body_of(came: Recorded) -> bytes:
    """The body of the document.

    Raises:
        NotInEvidence: It was not kept.
        Unreadable: It was no text, and is not kept for that.
    """
    if came.response_body is None:
        if "json" in came.facts:
            raise Unreadable("syntax", str(came.facts["json"]))
        raise NotInEvidence(came.step)
    return came.response_body


def whole_elsewhere(evidence: Evidence) -> bool:
    """Whether another answer came whole by the same connection: only then is what is broken the product's own."""
    try:
        return isinstance(evidence.json("metadata"), Mapping)
    except MpftConnectError:
        return False


def unreadable(error: Unreadable, words: str = "") -> Outcome:
    """An outcome that decides nothing, of a document that cannot be read."""
    if error.rule == "no-yaml":
        return Outcome.not_tested(
            f"the OpenAPI document: {error}",
            Cause(kind=CauseKind.HARNESS, because="the extra api is not installed here", mend="install it, run again"),
        )
    kind = CauseKind.HARNESS if error.rule == "too-large" else CauseKind.UNCLEAR
    return Outcome.inconclusive(
        f"the OpenAPI document: {words or error}",
        Cause(
            kind=kind,
            because=str(error),
            otherwise="a sign-in page or proxy answered in the product's place",
            mend="open the address without credentials and look at what comes",
        ),
    )


def undecided(reason: str, because: str, mend: str, otherwise: str = "") -> Undecided:
    return Undecided(
        Outcome.inconclusive(reason, Cause(kind=CauseKind.UNCLEAR, because=because, otherwise=otherwise, mend=mend))
    )


def supplier(because: str, mend: str, otherwise: str = "") -> Cause:
    return Cause(
        kind=CauseKind.SUPPLIER,
        because=because,
        ruled_out="the answers that it stands on came whole, by the connection on which the others came",
        otherwise=otherwise,
        mend=mend,
    )


def failed(findings: Sequence[Finding], mend: str, *, because: str = "", seen: int = 1) -> Outcome:
    cause = supplier(because or "what the system itself sent says so", mend)
    return Outcome.failed(findings, cause, observations=max(1, seen))
