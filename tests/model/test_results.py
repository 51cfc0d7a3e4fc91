"""What counts as a result, in the words of every source."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mpftconnect.model import (
    NOT_ACKNOWLEDGED,
    SECTION_TYPES,
    SNOMED,
    Attachment,
    Coding,
    Concept,
    DiagnosticReport,
    DocumentReference,
    Observation,
    Section,
    SectionName,
    Source,
    concept,
)

SOURCE = Source(system="acute", id="1", fetched=datetime(2026, 1, 5, 12, 0, tzinfo=UTC))
V2 = "http://terminology.hl7.org/CodeSystem/v2-"


def coded(code: str | None, system: str | None = None, display: str | None = None) -> Concept:
    return Concept(coding=(Coding(system=system, code=code, display=display),))


def observed(*category: Concept) -> str | None:
    return Observation(source=SOURCE, code=concept("x"), category=category).caution


@pytest.mark.parametrize("code", ["vital-signs", "social-history", "survey", "exam", "therapy", "activity"])
def test_what_was_seen_or_asked_at_the_bedside_is_no_result(code: str) -> None:
    assert observed(coded(code)) is None
    assert observed(coded(code), coded("vital-signs")) is None
    # Whatever else its source says of it is a doubt, and counts.
    for other in (coded("laboratory"), concept("Blood"), Concept()):
        assert observed(coded(code), other) == NOT_ACKNOWLEDGED
    assert observed(Concept(coding=(Coding(code=code), Coding(code="imaging")))) == NOT_ACKNOWLEDGED


@pytest.mark.parametrize(
    "category", [(), (coded("laboratory"),), (coded("imaging"),), (coded("procedure"),), (coded("Q"),)]
)
def test_every_other_observation_is_a_result(category: tuple[Concept, ...]) -> None:
    assert observed(*category) == NOT_ACKNOWLEDGED


@pytest.mark.parametrize("status", [None, "final", "corrected", "cancelled", "entered-in-error"])
def test_every_report_is_a_result_however_it_stands(status: str | None) -> None:
    assert DiagnosticReport(source=SOURCE, code=concept("x"), status=status).caution == NOT_ACKNOWLEDGED


RESULT_DOCUMENTS: list[dict[str, Any]] = [
    {"type": coded("DI")},
    {"type": coded("SP", f"{V2}0270")},
    {"type": coded("11502-2", "http://loinc.org")},
    {"type": coded("4241000179101", SNOMED)},
    {"category": (concept("Letters"), coded("RAD", f"{V2}0074"))},
    {"category": (coded("x", "urn:local", "PATHOLOGY"),)},
    {"practice_setting": concept("Clinical radiology")},
    {"service": concept("Medical Microbiology")},
    {"description": "Report of an X-ray of the chest"},
    {"attachments": (Attachment(), Attachment(title="MRI scan"))},
]
OTHER_DOCUMENTS: list[dict[str, Any]] = [
    {},
    {"type": coded("DS"), "description": "Discharge summary"},
    {"type": coded("DI", "urn:local"), "practice_setting": concept("Haematology clinic")},
    {"category": (coded("NRS", f"{V2}0074"), coded(None))},
    {"description": "Psychopathology of everyday life; elaboration; scanned letter"},
]


@pytest.mark.parametrize("said", RESULT_DOCUMENTS)
def test_a_document_is_a_result_by_any_word_or_code_of_its_source(said: dict[str, Any]) -> None:
    assert DocumentReference(source=SOURCE, **said).caution == NOT_ACKNOWLEDGED


@pytest.mark.parametrize("said", OTHER_DOCUMENTS)
def test_other_documents_are_none(said: dict[str, Any]) -> None:
    assert DocumentReference(source=SOURCE, **said).caution is None


def test_a_section_says_it_where_it_is_of_results_or_holds_one() -> None:
    empty = {name for name in SectionName if Section(name).caution}
    assert empty == {SectionName.RESULTS, SectionName.REPORTS}
    documents = (DocumentReference(source=SOURCE), DocumentReference(source=SOURCE, type=coded("DI")))
    assert Section(SectionName.DOCUMENTS, documents[:1]).caution is None
    assert Section(SectionName.DOCUMENTS, documents).caution == NOT_ACKNOWLEDGED


def test_no_item_has_a_field_of_that_name() -> None:
    assert not [kind for kind in SECTION_TYPES.values() if "caution" in kind.model_fields]
