"""What the SDK finds when it loads the plugin."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from mpftconnect.adapters import Capability, Support
from mpftconnect.model import SectionName
from mpftconnect.plugins import load_plugins

PLUGIN = [EntryPoint("rio", "mpftconnect_rio", "mpftconnect")]


def test_it_loads() -> None:
    registry = load_plugins(PLUGIN)
    assert not registry.broken
    assert sorted(registry.adapters) == ["rio-adt", "rio-extract", "rio-fhir"]
    assert {name: spec.default for name, spec in registry.twins.items()} == {
        "rio": True,
        "rio-extract": False,
        "rio-adt": False,
    }
    for spec in registry.adapters.values():
        assert spec.tried_against.assumed
        assert spec.tried_against.what == "nothing"


def test_what_is_not_read_leaves_its_section_incomplete() -> None:
    extract = load_plugins(PLUGIN).adapters["rio-extract"]
    assert extract.support(Capability.READ_ALLERGIES) is Support.NOT_IMPLEMENTED
    assert extract.support(Capability.READ_NOTES) is Support.FULL
    assert not [c for c in Capability if extract.support(c) is Support.UNKNOWN]
    facade = load_plugins(PLUGIN).adapters["rio-fhir"]
    assert all(facade.support(Capability(f"read_{name}")) is Support.FULL for name in SectionName)
    feed = load_plugins(PLUGIN).adapters["rio-adt"]
    assert feed.support(Capability.READ_ENCOUNTERS) is Support.PARTIAL
    assert feed.support(Capability.READ_NOTES) is Support.NOT_IMPLEMENTED


@pytest.mark.parametrize("late", ["adapter", "facade", "twin", "facade_twin", "adt", "adt_twin"])
def test_only_what_is_needed_is_loaded(late: str) -> None:
    code = (
        f"import sys, mpftconnect_rio; mpftconnect_rio.mpft_twins(); sys.exit('mpftconnect_rio.{late}' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
