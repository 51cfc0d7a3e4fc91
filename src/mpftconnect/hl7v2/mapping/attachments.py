"""Documents inside a message: OBX-5 of type ED, and lines of text, as attachments.

HL7 v2.5.1, section 2.A.24 (ED): source application, type of data, subtype, encoding, data.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any, Final

from mpftconnect.hl7v2.mapping.draft import Draft
from mpftconnect.hl7v2.mapping.leaves import Place, Segment
from mpftconnect.hl7v2.mapping.making import make
from mpftconnect.hl7v2.mapping.ways import TEXT, Way
from mpftconnect.hl7v2.mapping.work import Work
from mpftconnect.model import Attachment

__all__ = ["inline_document", "text_document"]

# Table 0291, subtype of referenced data, as media types (RFC 6838 registry). A subtype that is not here says nothing.
_MEDIA: Final = {
    "PDF": "application/pdf",
    "RTF": "application/rtf",
    "TIFF": "image/tiff",
    "TIF": "image/tiff",
    "JPEG": "image/jpeg",
    "JPG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "HTML": "text/html",
    "XML": "text/xml",
    "TXT": "text/plain",
    "PLAIN": "text/plain",
    "TEXT": "text/plain",
    "MSWORD": "application/msword",
    "DOC": "application/msword",
    "DICOM": "application/dicom",
}
_PLAIN: Final = "text/plain; charset=utf-8"
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}", re.ASCII)
_MEDIA_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9.+-]+", re.ASCII)


def inline_document(work: Work, draft: Draft, segment: Segment, path: str) -> Attachment | None:
    """OBX-5 of type ED as an attachment; None where it holds no document that can be read, which is then kept."""
    place = next(
        (one for one in ((5, 1, 5, 1), (5, 1, 4, 1), (5, 1, 1, 1)) if len(segment.left.get(one, "")) > 200),
        (5, 1, 5, 1),
    )
    data = segment.left.get(place)
    if data is None or data == '""':
        return None
    if len(data) > work.site.max_document:
        work.drop(segment, place, "document-too-large")
        return None
    encoding = (segment.get(5, 4) or "").casefold()
    subtype = (segment.get(5, 3) or "").strip()
    if encoding == "base64" or (place != (5, 1, 5, 1) and _is_base64(data)):
        clean = "".join(data.split())
        if not _is_base64(clean):
            return None
        # Line ends inside base64 say nothing; only they are not written back.
        del segment.left[place]
        draft.taken.append((segment, place, f"{path}.data_base64", TEXT))
    elif encoding in ("a", "") and data.isprintable():
        clean = base64.b64encode(data.encode("utf-8", "replace")).decode("ascii")
        del segment.left[place]
        draft.taken.append((segment, place, f"{path}.data_base64", _DECODED))
    else:
        return None
    return make(
        Attachment,
        content_type=_media_type(draft, segment, path, subtype, encoding),
        data_base64=clean,
        title=_title(draft, segment, path),
    )


def _media_type(draft: Draft, segment: Segment, path: str, subtype: str, encoding: str) -> str | None:
    media = _MEDIA.get(subtype.upper())
    if media is None and _MEDIA_TYPE.fullmatch(subtype):
        media = subtype
    if media is not None and (5, 1, 3, 1) in segment.left:
        place: Place = (5, 1, 3, 1)
        draft._exact(segment, place, media, segment.left[place], f"{path}.content_type", _MEDIA_WAY)
    return media or (_PLAIN if encoding in ("a", "") else None)


_MEDIA_BACK: Final = {media: name for name, media in reversed(_MEDIA.items())}
_MEDIA_WAY: Final = Way("media type", lambda value: _MEDIA_BACK.get(value) if isinstance(value, str) else None)


def _title(draft: Draft, segment: Segment, path: str) -> str | None:
    for component in (2, 1):
        said = draft.take(segment, 3, 1, component, 1, f"{path}.title")
        if said is not None:
            return said
    return None


def text_document(draft: Draft, lines: Sequence[Segment], path: str) -> Attachment | None:
    """The lines of a letter, as they stand, in one attachment of plain text."""
    pieces: list[str] = []
    length = 0
    pending: list[tuple[Segment, Place, int, int]] = []
    for number, segment in enumerate(lines):
        for repetition in range(1, max(1, segment.repetitions.get(5, 0)) + 1):
            if number or repetition > 1:
                pieces.append("\n")
                length += 1
            place: Place = (5, repetition, 1, 1)
            sent = segment.left.get(place)
            if sent is None or sent == '""':
                continue
            pieces.append(sent)
            pending.append((segment, place, length, length + len(sent)))
            length += len(sent)
    whole = "".join(pieces)
    if not whole.strip():
        return None
    for segment, place, start, end in pending:
        del segment.left[place]
        draft.taken.append((segment, place, f"{path}.data_base64", _decoded(start, end)))
    clean = whole.encode("utf-8", "replace")
    return make(
        Attachment,
        content_type=_PLAIN,
        data_base64=base64.b64encode(clean).decode("ascii"),
        title=_title(draft, lines[0], path),
    )


def _decoded(start: int, end: int | None) -> Way:
    def back(value: Any) -> str | None:
        if not isinstance(value, str):
            return None
        try:
            return base64.b64decode(value).decode("utf-8")[start:end]
        except (binascii.Error, UnicodeDecodeError):
            return None

    return Way("text in base64", back)


_DECODED: Final = _decoded(0, None)


def _is_base64(text: str) -> bool:
    return len(text) % 4 == 0 and bool(text) and _BASE64.fullmatch(text) is not None
