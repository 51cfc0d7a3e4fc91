"""What is said when a plan is made known elsewhere: a pointer, which says that a plan exists and where it can be had.

A pointer holds no clinical content; whom it is about is said by the reading. Each system puts a `NewPointer` into its
own form; a `Draft` is that form, ready to be sent, so that what is previewed and what is sent are made by the same
code (rule 12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mpftconnect.model import Coding, When

__all__ = ["Draft", "NewPointer", "PublishedPointer", "Written"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPointer:
    """What a pointer shall say.

    Args:
        reference: UUID by which the publisher names the plan; the same for all its versions, and no id of a person.
        version: UUID of this version of the plan: the idempotency key of its publication.
        kind: Type of the document, as a SNOMED CT coding with its display.
        author: ODS code of the organisation that wrote the plan.
        created: When the plan was made.
        practice_setting: Where it was made, as a SNOMED CT coding; None where the system's settings say it.
    """

    reference: str
    version: str
    kind: Coding
    author: str
    created: When | None = None
    practice_setting: Coding | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPointer:
    """A pointer of ours that a system holds.

    Args:
        id: The system's own id of it.
        reference: The publisher's name of the plan; None for a pointer that was not made by this SDK.
        version: Of the plan, as it was published.
        kind: Code of the document's type.
    """

    id: str
    reference: str | None = None
    version: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """One request, exactly as it will leave, but for credentials and request ids.

    Args:
        url: Whole; it holds no value of a person.
        headers: Those that say for whom it is sent.
        body: The bytes; None for a request without one.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Written:
    """What a system answered to a draft that was sent and done.

    Args:
        pointer: Id of the pointer that was made or removed.
        status: HTTP status.
        answer: The answer's bytes.
        request_id: The `X-Request-ID` that went with it.
        already: Nothing had to be done: it was so before.
    """

    pointer: str
    sent: Draft
    status: int
    answer: bytes = field(default=b"", repr=False)
    request_id: str = ""
    already: bool = False
