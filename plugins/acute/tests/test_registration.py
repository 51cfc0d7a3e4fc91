"""What the SDK finds when it loads the plugin."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from mpftconnect.adapters import READS, AdapterContext, Capability, Support
from mpftconnect.errors import ConfigurationError
from mpftconnect.plugins import load_plugins
from mpftconnect_acute.sections import SECTIONS
from mpftconnect_acute.settings import AcuteSettings

PLUGIN = [EntryPoint("acute", "mpftconnect_acute", "mpftconnect")]


def test_it_loads() -> None:
    registry = load_plugins(PLUGIN)
    assert not registry.broken
    assert sorted(registry.adapters) == ["acute"]
    assert {name: spec.default for name, spec in registry.twins.items()} == {"acute": True, "acute-west": False}
    assert registry.adapters["acute"].endpoint == "none"


def test_no_section_can_look_complete_by_what_was_pushed() -> None:
    spec = load_plugins(PLUGIN).adapters["acute"]
    assert not [each for each in Capability if spec.support(each) is Support.UNKNOWN]
    assert {each for each in READS.values() if spec.support(each) is Support.PARTIAL} == {
        READS[section] for section in SECTIONS
    }
    assert not [each for each in READS.values() if spec.support(each) is Support.FULL]
    assert spec.support(Capability.READ_MEDICATIONS) is Support.NOT_IMPLEMENTED


def test_without_an_inbox_it_says_what_is_missing() -> None:
    spec = load_plugins(PLUGIN).adapters["acute"]
    context = AdapterContext(
        name="royal",
        environment="test",
        settings=AcuteSettings(),
        secret=lambda name: name,
        wire=None,  # type: ignore[arg-type]
        events=None,  # type: ignore[arg-type]
    )
    with pytest.raises(ConfigurationError, match="royal"):
        spec.open(context)


@pytest.mark.parametrize("late", ["adapter", "twin", "day", "messages"])
def test_only_what_is_needed_is_loaded(late: str) -> None:
    code = (
        "import sys, mpftconnect_acute; mpftconnect_acute.mpft_twins(); "
        f"sys.exit('mpftconnect_acute.{late}' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
