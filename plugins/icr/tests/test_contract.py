"""The SDK's contract of adapters, on both of this plugin's twins."""

from __future__ import annotations

import pytest

import mpftconnect_icr
from mpftconnect.adapters import AdapterSpec, TwinSpec
from mpftconnect.adapters.contract_tests import AdapterContract


class TestCcapi(AdapterContract):
    @pytest.fixture
    def spec(self) -> AdapterSpec:
        return mpftconnect_icr.mpft_adapters()[0]

    @pytest.fixture
    def twin_spec(self) -> TwinSpec:
        return mpftconnect_icr.mpft_twins()[0]


class TestIcrFhir(AdapterContract):
    @pytest.fixture
    def spec(self) -> AdapterSpec:
        return mpftconnect_icr.mpft_adapters()[1]

    @pytest.fixture
    def twin_spec(self) -> TwinSpec:
        return mpftconnect_icr.mpft_twins()[1]
