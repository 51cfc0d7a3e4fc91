"""What is said of a document that was fetched."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mpftconnect.hub.documents import FetchedDocument
from mpftconnect.model import Attachment, DocumentReference, Source, concept

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "differences", "words"),
    [
        ("Discharge summary", (), "3 bytes, text/plain, from acute; as promised."),
        (
            "Radiology report",
            (),
            "3 bytes, text/plain, from acute; as promised. "
            "Viewing is not acknowledging: acknowledge a result where it was ordered.",
        ),
        (
            "Pathology",
            ("hash",),
            "3 bytes, text/plain, from acute; not as promised: its digest is not the one that was promised. "
            "Viewing is not acknowledging: acknowledge a result where it was ordered.",
        ),
    ],
)
def test_a_document_that_is_a_result_says_what_viewing_is_not(
    kind: str, differences: tuple[str, ...], words: str
) -> None:
    document = DocumentReference(source=Source(system="acute", id="D1", fetched=NOW), type=concept(kind))
    fetched = FetchedDocument("acute:D1", document, Attachment(), "text/plain", b"abc", NOW, "c1", differences)
    assert fetched.words() == words
