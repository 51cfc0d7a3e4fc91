"""The plugin as the registry sees it."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import pytest
from pydantic import ValidationError

from mpftconnect.adapters import READS, Capability, Support
from mpftconnect.model import SectionName
from mpftconnect.plugins import load_plugins
from mpftconnect_gpconnect import GpConnectSettings
from mpftconnect_gpconnect.parameters import STRUCTURED


def test_loads_and_says_what_it_offers() -> None:
    registry = load_plugins([importlib.metadata.EntryPoint("gpconnect", "mpftconnect_gpconnect", "mpftconnect")])
    assert not registry.broken
    assert set(registry.adapters) == set(registry.twins) == {"gpconnect"}
    spec = registry.adapters["gpconnect"]
    read = {section for section, capability in READS.items() if spec.support(capability) is Support.FULL}
    assert read == STRUCTURED | {SectionName.DOCUMENTS}
    # A GP could hold all of the rest: none of it may look complete because it is not read.
    hidden = {section for section, capability in READS.items() if section not in read}
    assert {spec.support(READS[section]) for section in hidden} == {Support.NOT_IMPLEMENTED}
    assert spec.support(Capability.FETCH_DOCUMENT) is Support.FULL
    assert spec.support(Capability.TRACE_PERSON) is Support.UNSUPPORTED
    assert spec.tried_against.what == "published examples"


GOOD: dict[str, Any] = {
    "issuer": "https://portal.example/",
    "organisations": {"RRE": {"name": "Trust", "asid": "200000000359"}},
    "spine_secure_proxy": "https://proxy.example",
}


def test_good_settings() -> None:
    assert GpConnectSettings.model_validate(GOOD).organisations["RRE"].asid == "200000000359"


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "portal"}, {"issuer": "ftp://portal.example"}, {"issuer": "https://a:b@portal.example/"},
        {"issuer": "https://portal.example/?a=b"}, {"issuer": "https://portal .example/"}, {"organisations": {}},
        {"organisations": {"RRE": {"name": "Trust", "asid": "12"}}},
        {"organisations": {"RRE": {"name": " ", "asid": "200000000359"}}},
        {"organisations": {"rre!": {"name": "Trust", "asid": "200000000359"}}},
        {"spine_secure_proxy": ""}, {"direct_origins": ["gp.example"]}, {"medications_active_within_days": -1},
        {"most_document_bytes": 1}, {"check": {"practice": "ZZ101"}}, {"unknown": 1},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_meant(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GpConnectSettings.model_validate(GOOD | change)
