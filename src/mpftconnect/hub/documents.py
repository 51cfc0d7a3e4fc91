"""Following a document of the record to its bytes: which it is, whether it may be had, and whether it is what it says.

A document that the record does not show is not to be had, and the error is the same whether it is withheld or was never
there (rule 6).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mpftconnect.adapters.contract import Capability, DocumentContent, Reading
from mpftconnect.adapters.deadline import Deadline
from mpftconnect.errors import (
    AccessRefused,
    AdapterError,
    AnswerRejected,
    GapReason,
    ItemNotShown,
    NotPermitted,
    NotShown,
    RateLimited,
    SystemFailed,
    TimedOut,
    Unreachable,
    UsageError,
    WrongPerson,
)
from mpftconnect.hub.account import Account
from mpftconnect.hub.asking import failure_of, method
from mpftconnect.hub.assemble import Asked
from mpftconnect.hub.fan_out import Failure, call
from mpftconnect.hub.gathering import Gathering
from mpftconnect.hub.record import Record
from mpftconnect.hub.systems import OpenSystem
from mpftconnect.model import (
    AccessContext,
    Attachment,
    DocumentReference,
    Identifier,
    NhsNumber,
    SectionName,
    Source,
)

__all__ = ["Documents", "FetchedDocument", "content_of", "differences_of", "error_of", "system_of", "wanted_document"]

_WORDS = {
    "content-type": "it is of another type than was promised",
    "content-type-not-stated": "its holder does not say of which type it is",
    "size": "it is not as long as was promised",
    "hash": "its digest is not the one that was promised",
}


@dataclass(frozen=True, slots=True)
class FetchedDocument:
    """A document's bytes as its holder gave them, and what was promised of them.

    Args:
        key: Of the item of the record that it belongs to.
        document: That item, as it is now.
        attachment: Which of its attachments was followed.
        content_type: The media type that the holder states; None if it states none.
        data: The bytes, unchanged. They are somebody else's: open them as such.
        fetched: When, UTC.
        correlation_id: By which the audit knows the fetch.
        differences: In what it is not as was promised: `content-type`, `content-type-not-stated`, `size`, `hash`.
    """

    key: str
    document: DocumentReference
    attachment: Attachment
    content_type: str | None
    data: bytes = field(repr=False)
    fetched: datetime
    correlation_id: str
    differences: tuple[str, ...] = ()

    @property
    def source(self) -> Source:
        return self.document.source

    @property
    def promised(self) -> str | None:
        """The media type that the pointer promises."""
        return self.attachment.content_type

    def words(self) -> str:
        """What came, in what it is not as was promised, and what must stand beside it."""
        kind = self.content_type or "type not stated"
        not_as = "; ".join(_WORDS[code] for code in self.differences)
        kept = f"not as promised: {not_as}" if not_as else "as promised"
        caution = f" {self.document.caution}" if self.document.caution else ""
        return f"{len(self.data)} bytes, {kind}, from {self.source.system}; {kept}.{caution}"


class Documents:
    """Fetches documents of people's records. Safe between threads."""

    def __init__(self, systems: Sequence[OpenSystem], gathering: Gathering, account: Account) -> None:
        self._systems, self._gathering, self._account = systems, gathering, account

    def fetch(
        self, about: NhsNumber | Identifier, key: str, who: AccessContext, attachment: int, until: Deadline
    ) -> FetchedDocument:
        """See `Hub.fetch_document`."""
        correlation = str(uuid.uuid4())
        system = system_of(key, self._systems)
        entry = self._account.entry(who, "fetch", correlation, about, (SectionName.DOCUMENTS,))
        with entry:
            of = system.name if system else ""
            wanted = frozenset({SectionName.DOCUMENTS})
            gathered = self._gathering.gather(entry, who, about, wanted, until, correlation, of=of)
            asked = gathered.of(of)
            document = wanted_document(gathered.assembled.record, asked, key)
            if system is None or asked is None or asked.read is None or asked.read.patient is None:
                raise UsageError("only a document that a system gave can be fetched")
            if not 0 <= attachment < len(document.attachments):
                raise UsageError(f"the document has {len(document.attachments)} attachments, counted from 0")
            chosen = document.attachments[attachment]
            reading = self._gathering.reading_of(system, gathered.traced, who, until, correlation)
            limit = system.configured.settings.max_bytes
            content = content_of(system, reading.found(asked.read.patient), document, chosen, limit)
            fetching = entry.fetching(next(s for s in document.sources if s.system == system.name))
            # The privacy officer first, as for a record.
            self._account.tell_privacy_officer(fetching, gathered.assembled.taken)
            entry.write(fetching)
        return FetchedDocument(
            key=key,
            document=document,
            attachment=chosen,
            content_type=content.content_type,
            data=content.data,
            fetched=datetime.now(UTC),
            correlation_id=correlation,
            differences=differences_of(chosen, content),
        )


def system_of(key: str, systems: Sequence[OpenSystem]) -> OpenSystem | None:
    """The system to which an item's key belongs; None if there is none, whatever the reason."""
    return next((system for system in systems if key.startswith(f"{system.name}:")), None)


def wanted_document(record: Record, asked: Asked | None, key: str) -> DocumentReference:
    """The document of that key, if the record shows it.

    Raises:
        ItemNotShown: It does not, for whatever reason.
        AccessRefused: No agreement covers documents of that system.
        AdapterError: The system did not answer, so that nobody can say.
    """
    for item in record.documents:
        if key in {source.key for source in item.sources}:
            return item
    if asked is not None and not record.is_restricted:
        if SectionName.DOCUMENTS in asked.refused:
            raise AccessRefused("no-agreement", asked.refused[SectionName.DOCUMENTS])
        gap = next((g for g in record.gaps if g.system == asked.system and g.section in (None, "documents")), None)
        if gap is not None:
            raise error_of(Failure(gap.reason, gap.detail), asked.system)
    raise ItemNotShown("the record shows no such document; it may not exist, or may not be shown")


def content_of(
    system: OpenSystem, reading: Reading, document: DocumentReference, attachment: Attachment, limit: int
) -> DocumentContent:
    """The bytes, asked of the system that gave the document, or as they stand in it.

    Raises:
        UsageError: The system cannot fetch documents.
        AdapterError: They could not be had.
    """
    if attachment.url is None and attachment.data_base64 is not None:
        return _inline(attachment, limit, system.name)
    if not system.offers(Capability.FETCH_DOCUMENT):
        raise UsageError(f"{system.name} cannot fetch documents: look in the system itself")
    fetch = method(system, Capability.FETCH_DOCUMENT)
    asking = call(lambda: fetch(reading, document, attachment), f"fetch-{system.name}")
    content, error = asking.result(reading.deadline)
    if isinstance(error, AdapterError):
        # A new one: what an adapter chains to its own might hold a value.
        raise type(error)(error.rule, system=error.system or system.name, place=error.place)
    if failure := failure_of(error):
        raise error_of(failure, system.name)
    if not isinstance(content, DocumentContent) or not isinstance(content.data, bytes):
        raise AdapterError("fetch_document gave no DocumentContent", system=system.name)
    if len(content.data) > limit:
        raise AnswerRejected("the document is larger than the system's limit", system=system.name)
    return content


def differences_of(attachment: Attachment, content: DocumentContent) -> tuple[str, ...]:
    """In what the bytes are not as the attachment promised.

    FHIR R4 (4.0.1), Attachment: `size` in bytes, `hash` is SHA-1 as base64.
    """
    found = []
    if attachment.content_type:
        if content.content_type is None:
            found.append("content-type-not-stated")
        elif _media_type(content.content_type) != _media_type(attachment.content_type):
            found.append("content-type")
    if attachment.size is not None and attachment.size != len(content.data):
        found.append("size")
    if attachment.hash:
        digest = hashlib.sha1(content.data, usedforsecurity=False).digest()
        if base64.b64encode(digest).decode() != "".join(attachment.hash.split()):
            found.append("hash")
    return tuple(found)


_BY_REASON: dict[GapReason, type[AdapterError]] = {
    kind.reason: kind
    for kind in (
        *(Unreachable, TimedOut, RateLimited, SystemFailed, NotPermitted, AnswerRejected, WrongPerson),
        NotShown,
    )
}


def error_of(failure: Failure, system: str) -> AdapterError:
    """A failure that would be a gap, as the error that it is where one thing alone was asked for."""
    return _BY_REASON.get(failure.reason, AdapterError)(failure.detail or str(failure.reason), system=system)


def _inline(attachment: Attachment, limit: int, system: str) -> DocumentContent:
    text = attachment.data_base64 or ""
    if len(text) > limit * 3 // 2:
        raise AnswerRejected("the document is larger than the system's limit", system=system)
    try:
        return DocumentContent(attachment.content_type, base64.b64decode("".join(text.split()), validate=True))
    except (binascii.Error, ValueError):
        raise AnswerRejected("the document's data is not base64", system=system) from None


def _media_type(text: str) -> str:
    return text.partition(";")[0].strip().lower()
