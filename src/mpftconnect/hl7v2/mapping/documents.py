"""MDM: TXA and the OBX that follow as a `DocumentReference`.

HL7 v2.5.1, chapter 9: sections 9.5 (the events T01 to T11) and 9.6.1 (TXA).
"""

from __future__ import annotations

from typing import Any, Final

from mpftconnect.hl7v2.changes import Key
from mpftconnect.hl7v2.mapping.attachments import inline_document, text_document
from mpftconnect.hl7v2.mapping.datatypes import (
    coded_in,
    concept,
    entity_identifier,
    moment,
    person,
    text,
)
from mpftconnect.hl7v2.mapping.draft import Draft, Row
from mpftconnect.hl7v2.mapping.leaves import Segment
from mpftconnect.hl7v2.mapping.results import notes
from mpftconnect.hl7v2.mapping.tables import DOCUMENT_STATUS
from mpftconnect.hl7v2.mapping.values import LINES
from mpftconnect.hl7v2.mapping.ways import coded
from mpftconnect.hl7v2.mapping.work import Part, Person, Work, key_of
from mpftconnect.model import Attachment, DocumentReference, Identifier, Reference

__all__ = ["DOCUMENT", "read_document"]

# 0273 Document availability status.
_AVAILABLE: Final = coded("0273", {"AV": "current", "OB": "superseded", "CA": "entered-in-error"})

DOCUMENT: Final = (
    Row(12, "identifiers", entity_identifier, many=True, removable=False),
    Row(2, "type", concept),
    Row(9, "author", person),
    Row(5, "author", person),
    Row(6, "date", moment),
    Row(4, "date", moment),
    Row(17, "doc_status", coded_in(DOCUMENT_STATUS), removable=False),
    Row(19, "status", coded_in(_AVAILABLE), removable=False),
    Row(25, "description", text),
)
# T08 edits a document and T10 replaces one; both give all of it (sections 9.5.8 and 9.5.10). T11 cancels it.
_WHOLE: Final = frozenset(("T08", "T10"))


def read_document(work: Work, part: Part, someone: Person, encounter: Reference | None) -> None:
    """The document of a part."""
    txa = part.first("TXA")
    if txa is None:
        work.park("no-document", "a document message without TXA", "TXA")
        return
    draft = work.draft(DocumentReference)
    draft.fill(txa, DOCUMENT)
    identifiers: list[Identifier] = draft.values.get("identifiers", [])
    if not identifiers:
        work.undo(draft)
        work.park("no-document-number", "the document has no unique number (TXA-12)", "TXA-12")
        return
    key = key_of("DocumentReference", identifiers[0])
    work.own(draft, txa, *part.all("OBX"), *part.all("NTE"), *part.all("OBR"), *part.all("ORC"), *part.all("CON"))
    _contents(work, draft, part)
    notes(draft, part.all("NTE"))
    parent = _parent(draft, txa)
    if parent is not None:
        draft.values["based_on"] = [Reference(type="DocumentReference", identifier=parent)]
    about: dict[str, Any] = {"subject": someone.reference, "encounter": encounter, "custodian": work.organisation}
    if work.trigger == "T11" or draft.values.get("status") == "entered-in-error":
        draft.values["status"] = "entered-in-error"
        code = "T11" if work.trigger == "T11" else "TXA-19 CA"
        reason = f"the sender cancelled the document ({code})"
        draft.add("note", reason)
        work.retract(draft, someone, key, about, code=code, reason=reason)
        return
    if work.trigger not in ("T03", "T04"):
        draft.values.setdefault("status", "current")
    if work.trigger in _WHOLE:
        work.replace(draft, someone, key, about)
    else:
        work.upsert(draft, someone, key, about)
    if work.trigger in ("T09", "T10") and parent is not None:
        _supersede(work, parent, someone)


def _parent(draft: Draft, txa: Segment) -> Identifier | None:
    """TXA-13: the document that this one adds to or replaces."""
    return entity_identifier(draft, txa, 13, 1, "based_on[0].identifier") if 13 in txa.repetitions else None


def _supersede(work: Work, parent: Identifier, someone: Person) -> None:
    draft = work.draft(DocumentReference)
    draft.values["status"] = "superseded"
    work.upsert(draft, someone, key_of("DocumentReference", parent), {"subject": someone.reference})


def _contents(work: Work, draft: Draft, part: Part) -> None:
    """OBX of type ED each as an attachment; lines of text as one."""
    lines: list[Segment] = []
    attachments: list[Attachment] = []
    for segment in part.all("OBX"):
        if segment.get(11) in ("D", "W", "X"):
            draft.add("note", f"A part of this document was withdrawn by its sender (OBX-11 {segment.get(11)}).")
        elif segment.get(2) == "ED":
            found = inline_document(work, draft, segment, f"attachments[{len(attachments)}]")
            if found is not None:
                attachments.append(found)
        elif (segment.get(2) or "TX") in LINES:
            lines.append(segment)
    if lines:
        written = text_document(draft, lines, f"attachments[{len(attachments)}]")
        if written is not None:
            attachments.append(written)
    named = (
        draft.take(part.all("TXA")[0], 16, 1, 1, 1, "attachments[0].title")
        if attachments and not attachments[0].title
        else None
    )
    if named:
        attachments[0] = attachments[0].model_copy(update={"title": named})
    draft.values["attachments"] = attachments


def document_key(identifier: Identifier) -> Key:
    """The key of a document by its number."""
    return key_of("DocumentReference", identifier)
