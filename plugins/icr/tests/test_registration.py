"""What the SDK finds when it loads the plugin."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from mpftconnect.adapters import Capability, Support
from mpftconnect.plugins import load_plugins
from mpftconnect_icr.layout import OPERATIONS

PLUGIN = [EntryPoint("icr", "mpftconnect_icr", "mpftconnect")]


def test_it_loads() -> None:
    registry = load_plugins(PLUGIN)
    assert not registry.broken
    assert sorted(registry.adapters) == ["icr-ccapi", "icr-fhir"]
    assert {name: spec.default for name, spec in registry.twins.items()} == {"icr": True, "icr-border": True}
    for spec in registry.adapters.values():
        assert spec.tried_against.assumed
        assert spec.tried_against.what == "nothing"


def test_what_is_not_read_or_only_in_part_leaves_its_section_incomplete() -> None:
    adapters = load_plugins(PLUGIN).adapters
    for spec in adapters.values():
        assert not [c for c in Capability if spec.support(c) is Support.UNKNOWN]
        assert spec.support(Capability.TRACE_PERSON) is Support.UNSUPPORTED
        assert spec.support(Capability.READ_NOTES) is Support.NOT_IMPLEMENTED
    ccapi, fhir = adapters["icr-ccapi"], adapters["icr-fhir"]
    reads = [c for c in Capability if c.startswith("read_")]
    assert not [c for c in reads if ccapi.support(c) is Support.FULL]
    assert {str(operation.section) for operation in OPERATIONS.values()} == {
        c.removeprefix("read_") for c in reads if ccapi.support(c) is Support.PARTIAL
    }
    assert [c for c in reads if fhir.support(c) is Support.FULL] == [
        Capability.READ_ALLERGIES,
        Capability.READ_IMMUNISATIONS,
    ]
    # HL7 UK's draft has no CarePlan.
    assert fhir.support(Capability.READ_CARE_PLANS) is Support.PARTIAL


@pytest.mark.parametrize("late", ["ccapi", "fhir", "twin", "border_twin"])
def test_only_what_is_needed_is_loaded(late: str) -> None:
    code = (
        f"import sys, mpftconnect_icr; mpftconnect_icr.mpft_twins(); sys.exit('mpftconnect_icr.{late}' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
