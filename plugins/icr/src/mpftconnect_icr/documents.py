"""Fetches what a document's attachment points at, from below the server's own base address and nowhere else.

Source: HL7 FHIR R4 (4.0.1), Attachment (`url`, `data`, `size`); Binary, "Serving Binary Resources using the RESTful
API": asked for with another media type than FHIR's, a server gives the content itself; with FHIR's, a Binary with the
content in `data`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from mpftconnect.adapters import Answer, DocumentContent, Wire
from mpftconnect.errors import AnswerRejected, NotShown
from mpftconnect.model import Attachment

__all__ = ["content_of"]

_FHIR = "application/fhir+json"


def content_of(attachment: Attachment, wire: Wire, *, max_bytes: int) -> DocumentContent:
    """The attachment's content.

    Args:
        wire: Signed; what it asks is below its endpoint's base URL.
        max_bytes: More than this is not taken.
    Raises:
        NotShown: The attachment holds neither content nor an address.
        AnswerRejected: It is too large, lies elsewhere, or is not what its source says it is.
        AdapterError: As `Wire.get` and `Answer.require_ok` do.
    """
    if attachment.data_base64 is not None:
        return DocumentContent(attachment.content_type, _limited(_decoded(attachment.data_base64), max_bytes))
    if attachment.url is None:
        raise NotShown("the document has neither content nor an address", place="attachment")
    if attachment.size is not None and attachment.size > max_bytes:
        raise AnswerRejected(f"the document is larger than {max_bytes} bytes", place="attachment.size")
    path = _below(attachment.url, wire.endpoint.base_url)
    wanted = attachment.content_type or "*/*"
    answer = wire.get(path, headers={"Accept": wanted}, label="document").require_ok()
    if answer.content_type == _FHIR and attachment.content_type != _FHIR:
        return _of_binary(answer, max_bytes)
    return DocumentContent(answer.content_type or None, _limited(answer.body, max_bytes))


def _below(url: str, base_url: str) -> str:
    """The address as a path below the base."""
    base = base_url.rstrip("/") + "/"
    path = url.removeprefix(base) if url.startswith(base) else url
    if "://" in path or path.startswith(("/", "\\")) or ":" in path.partition("/")[0]:
        raise AnswerRejected("the document lies outside the system that names it", place="attachment.url")
    return path


def _of_binary(answer: Answer, max_bytes: int) -> DocumentContent:
    resource = answer.json()
    if not isinstance(resource, Mapping) or resource.get("resourceType") != "Binary":
        raise AnswerRejected("a document or a Binary is expected", place="resourceType")
    data, kind = resource.get("data"), resource.get("contentType")
    if not isinstance(data, str):
        raise AnswerRejected("the Binary has no content", place="Binary.data")
    return DocumentContent(kind if isinstance(kind, str) else None, _limited(_decoded(data), max_bytes))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise AnswerRejected("the content is not base64", place="attachment.data") from None


def _limited(data: bytes, max_bytes: int) -> bytes:
    if len(data) > max_bytes:
        raise AnswerRejected(f"the document is larger than {max_bytes} bytes", place="attachment")
    return data
