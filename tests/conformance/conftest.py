"""What conformance tests share: the installed catalogue, and definitions that are read once."""

from __future__ import annotations

import pytest

from mpftconnect.conformance.catalog import Catalog, load_catalog
from mpftconnect.conformance.definitions import Definitions
from mpftconnect.plugins import PluginRegistry, load_plugins


@pytest.fixture(scope="session")
def registry() -> PluginRegistry:
    return load_plugins()


@pytest.fixture(scope="session")
def catalog(registry: PluginRegistry) -> Catalog:
    return load_catalog(registry)


@pytest.fixture(scope="session")
def definitions() -> Definitions:
    """Packages are read once for all tests."""
    return Definitions()
