"""Addresses: query parameters are written as requests itself writes them."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from mpftconnect.adapters import Endpoint
from mpftconnect.adapters.ask import address
from mpftconnect.errors import AdapterError

BASE = "https://x.example/fhir"
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.integers() | st.none()


@given(
    st.sampled_from(["Patient", "Patient?_count=2", "Patient/1/$everything"]),
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6), VALUES | st.lists(VALUES)
    ),
)
def test_parameters_are_written_as_requests_writes_them(path: str, params: dict[str, Any]) -> None:
    expected = requests.Request("GET", f"{BASE}/{path}", params=params).prepare().url
    assert address(Endpoint(base_url=BASE), "GET", path, params) == expected


def test_parameters_may_be_pairs() -> None:
    pairs = [("date", "ge2024-01-01"), ("date", "lt2025-01-01")]
    assert address(Endpoint(base_url=BASE), "GET", "Patient", pairs).endswith("?date=ge2024-01-01&date=lt2025-01-01")


def test_a_value_that_is_no_text_of_a_url_is_refused_without_being_shown() -> None:
    with pytest.raises(AdapterError, match="cannot be written") as refused:
        address(Endpoint(base_url=BASE), "GET", "Patient", {"family": "Okafor\ud800"})
    assert "Okafor" not in str(refused.value)
