from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpftconnect_rio.dates import date_format, iso_text

UK = tuple(date_format(text) for text in ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y"))


@pytest.mark.parametrize(
    ("form", "text", "iso"),
    [
        ("%d/%m/%Y", "1/2/2024", "2024-02-01"),
        ("%d/%m/%Y", "00/03/2024", "2024-03-00"),  # not taken for March: the model refuses the day
        ("%m/%Y", "03/2024", "2024-03"),
        ("%Y", "2024", "2024"),
        ("%d-%b-%Y", "03-MAR-2024", "2024-03-03"),
        ("%d %B %Y", "3 September 2024", "2024-09-03"),
        ("%d %B %Y", "3 Septembre 2024", None),
        ("%Y-%m-%dT%H:%M:%S.%f%z", "2024-03-03T09:05:06.120+01:00", "2024-03-03T09:05:06.120+01:00"),
        ("%d/%m/%Y", "03/03/24", None),
        ("%d/%m/%Y", "٣/٣/٢٠٢٤", None),
        ("%d/%m/%Y", "03/03/2024 09:00", None),
    ],
)
def test_reads_what_the_format_says_and_no_more(form: str, text: str, iso: str | None) -> None:
    assert iso_text(text, (date_format(form),)) == iso


@pytest.mark.parametrize("form", ["%y", "%d/%m", "%d/%Y", "%Y %H", "%Y%Y", "%Y-%m-%b", "%Y-%m-%d %H:%M %p", "%Y %"])
def test_a_format_that_would_have_to_guess_is_refused(form: str) -> None:
    with pytest.raises(ValueError):
        date_format(form)


@given(st.text(max_size=30))
def test_no_text_breaks_it(text: str) -> None:
    found = iso_text(text, UK)
    assert found is None or found[:4].isdigit()


@given(st.datetimes())
def test_what_a_report_prints_is_read_back(moment: object) -> None:
    assert iso_text(f"{moment:%d/%m/}{moment.year:04d} {moment:%H:%M}", UK) == f"{moment.year:04d}{moment:-%m-%dT%H:%M}"  # type: ignore[attr-defined]
