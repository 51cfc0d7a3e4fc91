"""A record as plain text."""

from __future__ import annotations

from mpftconnect.cli.summary import summary
from mpftconnect.hub.record import Record
from mpftconnect.model import NOT_ACKNOWLEDGED

MARK = "(Viewing is not acknowledging)"


def results(record: Record) -> set[str]:
    """By what the record was made of: every observation but two, every report, every document but the letter."""
    none = ("Pulse", "Smoking", "Discharge letter")
    return {item.source.id for name in ("results", "reports", "documents") for item in record.section(name)} - {*none}


def test_each_result_says_that_viewing_is_not_acknowledging(record_of_results: Record) -> None:
    lines = [line for line in summary(record_of_results, most=1000).splitlines() if line.startswith("  - ")]
    for item in (*record_of_results.results, *record_of_results.reports, *record_of_results.documents):
        of_item = [line for line in lines if f"{item.words()}  [" in line]
        assert len(of_item) == 1, item.key
        assert of_item[0].count(MARK) == (item.source.id in results(record_of_results)), item.key
    assert sum(line.count(MARK) for line in lines) == 32


def test_withdrawn_and_corrected_results_say_it_too(record_of_results: Record) -> None:
    said = summary(record_of_results, most=1000).splitlines()
    marked = [line for line in said if MARK in line]
    assert [line for line in marked if "WITHDRAWN (Cancelled: Sample haemolysed)" in line]
    assert [line for line in marked if "Sodium, corrected" in line]


def test_the_whole_sentence_stands_once_a_section(record_of_results: Record) -> None:
    assert summary(record_of_results, most=0).count(f"! {NOT_ACKNOWLEDGED}") == 3
