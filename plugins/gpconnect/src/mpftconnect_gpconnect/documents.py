"""Access Document: the person on that server, their documents, and one document's content.

Source: GP Connect API 1.5, Access Document: "Find a patient", "Search for a patient's documents" (mandatory
`_include` parameters), "Retrieve a document", DocumentReference (`content.attachment.url` is the full URL of the
Binary) and Binary (`contentType`, `content`); HL7 FHIR STU3 (3.0.2), Bundle (`total` counts matches alone).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mpftconnect.adapters import DocumentContent, Reading
from mpftconnect.errors import AnswerRejected, NotShown, WrongPerson
from mpftconnect.model import NHS_NUMBER_SYSTEM, Attachment, NhsNumber
from mpftconnect_gpconnect.directory import Practice
from mpftconnect_gpconnect.interactions import FIND_PATIENT, READ_DOCUMENT, SEARCH_DOCUMENTS
from mpftconnect_gpconnect.outcomes import NOT_SHOWN
from mpftconnect_gpconnect.spine import Spine

__all__ = ["document_content", "document_search", "find_on_document_server"]

_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)
# "Consumer systems MUST send the following parameters"
_INCLUDES = (
    ("_include", "DocumentReference:subject:Patient"),
    ("_include", "DocumentReference:custodian:Organization"),
    ("_include", "DocumentReference:author:Organization"),
    ("_include", "DocumentReference:author:Practitioner"),
    ("_revinclude:recurse", "PractitionerRole:practitioner"),
)
_MOST_PAGES = 50


def find_on_document_server(spine: Spine, reading: Reading, number: NhsNumber) -> Mapping[str, Any]:
    """The Bundle with the one Patient under whose id the document server files the person.

    Raises:
        NotShown: The server shows nobody under the number.
        WrongPerson: It shows somebody else.
        AnswerRejected: It shows more than one, or not as it should.
    """

    def find() -> Mapping[str, Any]:
        practice = spine.practice(reading, FIND_PATIENT)
        asked = [("identifier", f"{NHS_NUMBER_SYSTEM}|{number}")]
        bundle = spine.get(reading, practice, FIND_PATIENT, "Patient", asked)
        patients = [one for one in _resources(reading, bundle) if one.get("resourceType") == "Patient"]
        if not patients:
            # "Failure to find a record with the supplied business identifier is not considered an error."
            raise NotShown(NOT_SHOWN, system=reading.system)
        if len(patients) > 1:
            raise _rejected(reading, "entry", "more than one person under one NHS number")
        held = _numbers(patients[0])
        if not held or not held <= {number, *reading.former_numbers}:
            raise WrongPerson("another NHS number than was asked for", system=reading.system, place="Patient")
        return bundle

    return reading.once("gpconnect.documents.patient", find)


def document_search(spine: Spine, reading: Reading, number: NhsNumber) -> dict[str, Any]:
    """All that the search for documents found, over its pages, as one Bundle.

    Raises:
        AdapterError: It did not answer, or not as it should.
    """
    return reading.once("gpconnect.documents.search", lambda: _searched(spine, reading, number))


def _searched(spine: Spine, reading: Reading, number: NhsNumber) -> dict[str, Any]:
    found = find_on_document_server(spine, reading, number)
    (patient,) = (one for one in _resources(reading, found) if one.get("resourceType") == "Patient")
    local = patient.get("id")
    if not isinstance(local, str) or not _FHIR_ID.fullmatch(local) or not local.strip("."):
        raise _rejected(reading, "Patient.id", "is not a FHIR id")
    practice = spine.practice(reading, SEARCH_DOCUMENTS)
    path: str | None = f"Patient/{local}/DocumentReference"
    params: tuple[tuple[str, str], ...] = _INCLUDES
    seen: set[str] = set()
    entries: list[Any] = []
    stated: set[int] = set()
    while path is not None:
        if path in seen or len(seen) >= _MOST_PAGES:
            raise _rejected(reading, "link", "the next link leads to a page already seen, or there is no end")
        seen.add(path)
        bundle = spine.get(reading, practice, SEARCH_DOCUMENTS, path, params)
        list(_resources(reading, bundle))  # it is a searchset, or refused
        entries += bundle.get("entry", [])
        if isinstance(total := bundle.get("total"), int):
            stated.add(total)
        path, params = _next(reading, bundle, practice), ()
    documents = sum(_kind(entry) == "DocumentReference" for entry in entries)
    if stated and stated != {documents}:
        # How many came, and how many should have, stays unsaid: it would count what a silent policy takes out.
        raise _rejected(reading, "total", "what came is not as many as Bundle.total states")
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


def document_content(spine: Spine, reading: Reading, attachment: Attachment, *, most_bytes: int) -> DocumentContent:
    """The content of one document.

    Raises:
        NotShown: The source lists the document and has no content for it.
        AnswerRejected: Its address is not the practice's own, it is too large, or not what was promised.
        AdapterError: It did not come.
    """
    if not attachment.url:
        raise NotShown("the source lists this document without an address of its content", system=reading.system)
    if attachment.size is not None and attachment.size > most_bytes:
        raise _rejected(reading, "attachment.size", f"the document is larger than {most_bytes} bytes")
    practice = spine.practice(reading, READ_DOCUMENT)
    # To no other address, with nothing after it: a document's address is what a system wrote somewhere.
    prefix, own_id = f"{practice.base}/Binary/", ""
    if attachment.url.startswith(prefix):
        own_id = attachment.url.removeprefix(prefix)
    if not _FHIR_ID.fullmatch(own_id) or not own_id.strip("."):
        raise _rejected(reading, "attachment.url", "is not an address of the practice's own document server")
    binary = spine.get(reading, practice, READ_DOCUMENT, f"Binary/{own_id}")
    if binary.get("resourceType") != "Binary":
        raise _rejected(reading, "resourceType", "is not a Binary")
    kind, content = binary.get("contentType"), binary.get("content")
    if not isinstance(kind, str) or not isinstance(content, str):
        raise _rejected(reading, "Binary", "has no content type or no content")
    if len(content) * 3 // 4 > most_bytes + 2:
        raise _rejected(reading, "Binary.content", f"the document is larger than {most_bytes} bytes")
    if attachment.content_type is not None and _media_type(kind) != _media_type(attachment.content_type):
        raise _rejected(reading, "Binary.contentType", "is not the content type that was promised")
    try:
        data = base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _rejected(reading, "Binary.content", "is not base64") from None
    if len(data) > most_bytes:
        raise _rejected(reading, "Binary.content", f"the document is larger than {most_bytes} bytes")
    return DocumentContent(kind, data)


def _next(reading: Reading, bundle: Mapping[str, Any], practice: Practice) -> str | None:
    """The path of the next page below the practice's base URL."""
    links = bundle.get("link", [])
    if not isinstance(links, list):
        raise _rejected(reading, "link", "is not a list")
    urls = {link.get("url") for link in links if isinstance(link, Mapping) and link.get("relation") == "next"}
    if not urls:
        return None
    url = urls.pop()
    if urls or not isinstance(url, str) or not url.startswith(f"{practice.base}/"):
        raise _rejected(reading, "link", "does not lead to a next page of the same server")
    return url.removeprefix(f"{practice.base}/")


def _resources(reading: Reading, bundle: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "searchset":
        raise _rejected(reading, "type", "is not a searchset Bundle")
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        raise _rejected(reading, "entry", "is not a list")
    for entry in entries:
        resource = entry.get("resource") if isinstance(entry, Mapping) else None
        if isinstance(resource, Mapping):
            yield resource


def _kind(entry: Any) -> Any:
    resource = entry.get("resource") if isinstance(entry, Mapping) else None
    return resource.get("resourceType") if isinstance(resource, Mapping) else None


def _numbers(patient: Mapping[str, Any]) -> set[str]:
    held = patient.get("identifier")
    identifiers = [each for each in held if isinstance(each, Mapping)] if isinstance(held, list) else []
    return {
        str(each.get("value")).replace(" ", "")
        for each in identifiers
        if each.get("system") == NHS_NUMBER_SYSTEM and each.get("use") != "old"
    }


def _media_type(text: str) -> str:
    return text.partition(";")[0].strip().casefold()


def _rejected(reading: Reading, place: str, rule: str) -> AnswerRejected:
    return AnswerRejected(rule, system=reading.system, place=place)
