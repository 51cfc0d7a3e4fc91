"""How a sender's name of a thing reads as a FHIR reference, and as one line."""

from __future__ import annotations

import hashlib
from typing import Final

__all__ = ["line_of", "reference_of"]

# The resource that carries a kind of another name.
_RESOURCES: Final = {"MedicationStatement": "MedicationRequest"}


def line_of(kind: str, authority: str, value: str) -> str:
    """The three in one line, another for each."""
    return "/".join([part.replace("%", "%25").replace("/", "%2F") for part in (kind, authority, value)])


def reference_of(kind: str, authority: str, value: str) -> str:
    """The three as a FHIR reference: readable where FHIR's `id` can carry them, else their digest.

    Source: FHIR R4 (4.0.1), data types: id, `[A-Za-z0-9\\-\\.]{1,64}`.
    """
    plain = f"{authority}.{value}"
    letters = plain.replace("-", "").replace(".", "")
    if len(plain) > 64 or plain.count(".") > 1 or not plain.isascii() or (letters and not letters.isalnum()):
        plain = hashlib.sha256(line_of(kind, authority, value).encode("utf-8", "surrogatepass")).hexdigest()[:40]
    return f"{_RESOURCES.get(kind, kind)}/{plain}"
