"""Partial dates stay partial; times without an offset take their zone and say so; nothing is guessed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpftconnect.errors import NotADate
from mpftconnect.model import PartialDate, When


@pytest.mark.parametrize(
    ("text", "mark", "instant"),
    [
        ("2024-06-01T09:00:00Z", "stated", "2024-06-01T09:00:00+00:00"),
        ("2024-06-01T09:00:00+01:00", "stated", "2024-06-01T08:00:00+00:00"),
        ("2024-06-01T09:00:00", "zone-assumed", "2024-06-01T08:00:00+00:00"),
        ("2024-01-01T09:00", "zone-assumed", "2024-01-01T09:00:00+00:00"),
        ("2024-10-27T01:30:00", "ambiguous", None),
        ("2024-10-27T00:59:59", "zone-assumed", "2024-10-26T23:59:59+00:00"),
        ("2024-10-27T02:00:00", "zone-assumed", "2024-10-27T02:00:00+00:00"),
        ("2024-03-31T01:00:00", "non-existent", None),
        ("2024-03-31T02:00:00", "zone-assumed", "2024-03-31T01:00:00+00:00"),
        ("2024-10-27T01:30:00+00:00", "stated", "2024-10-27T01:30:00+00:00"),
        ("2024", "stated", None),
        ("2024-06", "stated", None),
        ("2024-06-01", "stated", None),
        ("2016-12-31T23:59:60Z", "stated", "2017-01-01T00:00:00+00:00"),
    ],
)
def test_what_is_known_of_a_moment(text: str, mark: str, instant: str | None) -> None:
    when = When(text)
    assert when.mark == mark
    assert (when.instant.isoformat() if when.instant else None) == instant
    assert when.text == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "24",
        "2024-13",
        "2024-02-30",
        "2023-02-29",
        "2024-6-1",
        "2024-06-01 09:00",
        "2024-06-01T25:00:00Z",
        "now",
        "2024-06-01T09:60",
        "2024-06-01T09:00:61Z",
        "2024-06-01T09:00+19:00",
        "0000-01-01",
        "２０２４-01-01",
        "2024-06-01T",
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(NotADate):
        When(text)


def test_a_partial_date_is_never_padded() -> None:
    assert PartialDate("1950").words() == "1950"
    assert PartialDate("1950-03").words() == "March 1950"
    assert [PartialDate(t).precision for t in ("1950", "1950-03", "1950-03-04")] == ["year", "month", "day"]
    with pytest.raises(NotADate):
        PartialDate("1950-03-04T10:00:00")


def test_another_zone_is_another_moment() -> None:
    assert When("2024-06-01T09:00:00", "Europe/Paris").instant == datetime(2024, 6, 1, 7, tzinfo=UTC)
    with pytest.raises(NotADate):
        When("2024-06-01T09:00:00", "Mars/Olympus")
    with pytest.raises(NotADate):
        When("2024-06-01T09:00:00", "../../etc/passwd")


def test_equal_stated_moments_are_equal_whatever_zone_the_source_has() -> None:
    assert When("2024-06-01T09:00:00Z", "Europe/Paris") == When("2024-06-01T09:00:00Z")


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1)))
def test_order_by_sort_key_is_order_in_time(moment: datetime) -> None:
    earlier = When(moment.replace(microsecond=0).isoformat() + "Z")
    later = When(moment.replace(microsecond=0).isoformat() + "-00:30")
    assert earlier.sort_key < later.sort_key
    assert When(earlier.date_text).sort_key <= earlier.sort_key


@given(st.text(max_size=30))
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    try:
        when = When(text)
    except NotADate:
        return
    assert when.text == text
    assert when.words()
