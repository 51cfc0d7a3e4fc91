from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpftconnect.errors import NotAnNhsNumber
from mpftconnect.model import format_nhs_number, is_test_number, nhs_number


def check_digit(nine: str) -> int:
    """The long way round, as the NHS Data Dictionary writes it: an oracle apart from the code."""
    total = 0
    for position, digit in enumerate(nine, start=1):
        total += int(digit) * (11 - position)
    rest = 11 - (total % 11)
    return 0 if rest == 11 else rest


@given(st.integers(0, 999_999_999))
def test_exactly_one_last_digit_fits_or_none(nine: int) -> None:
    text = f"{nine:09d}"
    fitting = []
    for last in range(10):
        try:
            fitting.append(int(nhs_number(f"{text}{last}")[-1]))
        except NotAnNhsNumber:
            continue
    expected = check_digit(text)
    assert fitting == ([] if expected == 10 else [expected])


@pytest.mark.parametrize(
    "text", ["", "999000001", "99900000180", "999000001A", "９９９０００００１８", "999.000.0018", "None"]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(NotAnNhsNumber):
        nhs_number(text)


def test_separators_are_taken_and_given() -> None:
    assert nhs_number("999-000-0018") == nhs_number("999 000 0018") == "9990000018"
    assert format_nhs_number("9990000018") == "999 000 0018"
    assert is_test_number("9990000018")
    assert not is_test_number("9000000009")
