"""The SDK's contract of adapters, on both of this plugin's twins."""

from __future__ import annotations

from dataclasses import replace

import pytest

import mpftconnect_rio
from mpftconnect.adapters import AdapterSpec, TwinSpec
from mpftconnect.adapters.contract_tests import AdapterContract


class TestRioExtract(AdapterContract):
    @pytest.fixture
    def spec(self) -> AdapterSpec:
        return mpftconnect_rio.mpft_adapters()[0]

    @pytest.fixture
    def twin_spec(self) -> TwinSpec:
        # Under the name by which the sandbox's people hold a RiO record.
        return replace(mpftconnect_rio.mpft_twins()[1], name="rio")


class TestRioFhir(AdapterContract):
    @pytest.fixture
    def spec(self) -> AdapterSpec:
        return mpftconnect_rio.mpft_adapters()[1]

    @pytest.fixture
    def twin_spec(self) -> TwinSpec:
        return mpftconnect_rio.mpft_twins()[0]
