"""The timeline: everything once, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from mpftconnect.hub.record import Record
from mpftconnect.model import Appointment, Observation, Section, SectionName, SectionStatus, Source, When, concept
from mpftconnect.pages.timeline import timeline
from mpftconnect.pages.words import TITLES

SOURCE = Source(system="rio", id="x", fetched=datetime(2026, 1, 1, tzinfo=UTC))


def result(id: str, moment: str | None, status: str = "final") -> Observation:
    return Observation(
        source=SOURCE.model_copy(update={"id": id}),
        code=concept(f"Result {id}"),
        status=status,
        effective=When(moment) if moment else None,
    )


def names(record: Record) -> list[tuple[str, list[str]]]:
    return [(period.name, [moment.item.source.id for moment in period.moments]) for period in timeline(record, TITLES)]


def test_years_newest_first_what_is_to_come_before_and_what_has_no_date_after(record_of: Callable[..., Record]) -> None:
    results = tuple(
        result(id, moment)
        for id, moment in (
            ("a", "2023-05-01"),
            ("b", None),
            ("c", "2025-01-01T09:00:00"),
            ("d", "2025"),
            ("e", "2025-02"),
        )
    )
    made = record_of().made.date()
    soon, later = (
        Appointment(
            source=SOURCE.model_copy(update={"id": f"in-{years}"}), start=When(f"{made.year + years}-03-01T09:00:00")
        )
        for years in (1, 2)
    )
    record = record_of(
        {
            SectionName.RESULTS: Section(SectionName.RESULTS, results, SectionStatus.ITEMS),
            SectionName.APPOINTMENTS: Section(SectionName.APPOINTMENTS, (later, soon), SectionStatus.ITEMS),
        }
    )
    assert names(record) == [
        ("To come", ["in-1", "in-2"]),
        ("2025", ["e", "c", "d"]),
        ("2023", ["a"]),
        ("Date not stated", ["b"]),
    ]


def test_nothing_is_left_out_and_what_was_withdrawn_stays(lifelike: Callable[..., Record]) -> None:
    record = lifelike()
    shown = sorted(moment.item.key for period in timeline(record, TITLES) for moment in period.moments)
    assert shown == sorted(item.key for item in record.items())
    assert set(TITLES) == set(SectionName)


def test_an_empty_record_has_an_empty_timeline(record_of: Callable[..., Record]) -> None:
    assert timeline(record_of(), TITLES) == ()
