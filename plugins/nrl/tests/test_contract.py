"""The SDK's contract of adapters, on this plugin's twin."""

from __future__ import annotations

import pytest

import mpftconnect_nrl
from mpftconnect.adapters import AdapterSpec, TwinSpec
from mpftconnect.adapters.contract_tests import AdapterContract


class TestNrl(AdapterContract):
    @pytest.fixture
    def spec(self) -> AdapterSpec:
        return mpftconnect_nrl.mpft_adapters()[0]

    @pytest.fixture
    def twin_spec(self) -> TwinSpec:
        return mpftconnect_nrl.mpft_twins()[0]
