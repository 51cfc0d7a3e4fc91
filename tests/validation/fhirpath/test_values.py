"""Dates, times, quantities and units as values: FHIRPath N1 (2.0.0), 4.1.5 to 4.1.8; UCUM."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpftconnect.validation.fhirpath import Quantity
from mpftconnect.validation.fhirpath.items import key_of
from mpftconnect.validation.fhirpath.quantity import compare as compare_quantities
from mpftconnect.validation.fhirpath.temporal import add, compare, key, read_date, read_date_time, read_time
from mpftconnect.validation.fhirpath.ucum import _UNITS, size_of


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2014-13",
            "2014-02-29",
            "0000",
            "2014-1",
            "14",
            "2014-01-01T24:00",
            "2014-01-01T10:60",
            "2014-01-01T10:00:61",
        ),
        *(
            "2014-01-01T10:00:00+15:00",
            "2014-01-01T10:00+01",
            "2014T10",
            "2014-01-01T10T",
            "２０１４",
            "2014-01-01T10:00z",
        ),
        *("2014-01-01T10:00:00." + "1" * 100, ""),
    ],
)
def test_what_is_no_date_time_is_none(text: str) -> None:
    assert read_date_time(text) is None
    assert read_date(text) is None


def test_what_is_no_time_is_none() -> None:
    assert [read_time(text) for text in ("24", "10:60", "1:00", "10:00Z", "T10", "")] == [None] * 6


MOMENTS = st.datetimes(datetime.datetime(2, 1, 2), datetime.datetime(9998, 12, 30)).map(
    lambda each: each.replace(microsecond=0)
)
OFFSETS = st.sampled_from(["Z", "+14:00", "-12:00", "+05:45"])


@given(MOMENTS, OFFSETS, MOMENTS, OFFSETS)
def test_moments_compare_as_python_has_them(
    one: datetime.datetime, offset: str, other: datetime.datetime, other_offset: str
) -> None:
    first, second = (read_date_time(each.isoformat() + at) for each, at in ((one, offset), (other, other_offset)))
    assert first is not None and second is not None
    left, right = (datetime.datetime.fromisoformat(each.text) for each in (first, second))
    assert compare(first, second) == (left > right) - (left < right)
    assert (key(first) == key(second)) is (left == right)


@given(MOMENTS, st.integers(-10_000_000, 10_000_000))
def test_seconds_are_added_as_python_has_them(moment: datetime.datetime, seconds: int) -> None:
    value = read_date_time(moment.isoformat())
    assert value is not None
    moved = add(value, Decimal(seconds), "second")
    try:
        expected = (moment + datetime.timedelta(seconds=seconds)).isoformat()
    except OverflowError:
        assert moved is None
    else:
        assert str(moved) == expected


def test_every_unit_of_the_table_has_a_size() -> None:
    for name in _UNITS:
        assert size_of(name) is not None, name


@pytest.mark.parametrize(
    ("one", "unit", "other", "other_unit"),
    [
        ("1", "[in_i]", "2.54", "cm"),
        ("1", "[lb_av]", "0.45359237", "kg"),
        ("1", "mm[Hg]", "133.322", "Pa"),
        ("1", "mmol/L", "1", "mol/m3"),
        ("1", "U/L", "1", "umol/min/L"),
        ("1", "kg/m2", "0.1", "g/cm2"),
        ("1", "10*3/uL", "1", "10*9/L"),
        ("50", "%", "0.5", "1"),
        ("1", "{count}/min", "60", "/h"),
        ("1", "kcal", "4184", "J"),
        ("1", "mg/(24.h)", "1", "mg/d"),
        ("60", "min", "1", "h"),
        ("1", "m[iU]/mL", "1", "[iU]/L"),
    ],
)
def test_units_of_one_kind_convert(one: str, unit: str, other: str, other_unit: str) -> None:
    left, right = Quantity(Decimal(one), unit), Quantity(Decimal(other), other_unit)
    assert compare_quantities(left, right) == 0
    assert key_of(left, None) == key_of(right, None)


@pytest.mark.parametrize(
    ("unit", "other"),
    [
        ("Cel", "K"),
        ("[iU]", "mol"),
        ("m", "s"),
        ("rad", "1"),
        ("[arb'U]", "[iU]"),
        ("nonsense", "mg"),
        ("mg/", "mg"),
        ("", "mg"),
    ],
)
def test_units_that_do_not_convert_do_not_compare(unit: str, other: str) -> None:
    assert compare_quantities(Quantity(Decimal(1), unit), Quantity(Decimal(1), other)) is None
    assert compare_quantities(Quantity(Decimal(1), unit), Quantity(Decimal(2), unit)) == -1


@pytest.mark.parametrize("text", ["((((((((((m))))))))))", "m" * 200, "(m", "m)", "m..s", "9" * 40, "m99999"])
def test_what_is_no_unit_has_no_size(text: str) -> None:
    assert size_of(text) is None
