"""The same tests run against the compiled mapping (`make compiled`)."""

from __future__ import annotations

import os

import pytest

from mpftconnect.hl7v2.mapping import draft


def test_what_is_tested_is_what_was_meant() -> None:
    meant = os.environ.get("MPFT_MAPPING")
    if meant is None:
        pytest.skip("nothing says which mapping is meant: MPFT_MAPPING is not set")
    assert ("source" if str(draft.__file__).endswith(".py") else "compiled") == meant
