"""What the tests of the documentation share: the repository, and the modules that render the site."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


def rendering(name: str) -> ModuleType:
    """A module of `docs/rendering`, which is no package: mkdocs loads its hooks by path."""
    qualified = f"docs_rendering_{name}"
    if qualified not in sys.modules:
        spec = importlib.util.spec_from_file_location(qualified, ROOT / "docs" / "rendering" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[qualified] = module
        spec.loader.exec_module(module)
    return sys.modules[qualified]


@pytest.fixture(scope="session")
def hazard_log() -> ModuleType:
    return rendering("hazard_log")


@pytest.fixture(scope="session")
def plugin_table() -> ModuleType:
    return rendering("plugin_table")


@pytest.fixture(scope="session")
def reference_pages() -> ModuleType:
    pytest.importorskip("griffe", reason="the extra docs is not installed")
    return rendering("reference_pages")


@pytest.fixture(scope="session")
def hl7v2_pages() -> ModuleType:
    return rendering("hl7v2_mapping")


@pytest.fixture(scope="session")
def hl7v2_conformance() -> ModuleType:
    return rendering("hl7v2_conformance")
