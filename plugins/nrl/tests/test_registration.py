"""The plugin as the SDK finds it, and its settings as a configuration gives them."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import pytest
from pydantic import ValidationError

from mpftconnect.adapters import READS, Capability, Support
from mpftconnect.model import SectionName
from mpftconnect.plugins import load_plugins
from mpftconnect_nrl import NrlSettings, PublishSettings

SPEC_OF = {"token_url": "https://x.example/oauth2/token", "key_id": "k"}


def test_loads() -> None:
    registry = load_plugins([importlib.metadata.EntryPoint("nrl", "mpftconnect_nrl", "mpftconnect")])
    assert not registry.broken
    assert set(registry.adapters) == set(registry.twins) == {"nrl"}


def test_it_holds_documents_and_nothing_else() -> None:
    spec = load_plugins([importlib.metadata.EntryPoint("nrl", "mpftconnect_nrl", "mpftconnect")]).adapters["nrl"]
    read = {section for section, capability in READS.items() if spec.support(capability) is not Support.UNSUPPORTED}
    assert read == {SectionName.DOCUMENTS}
    assert not spec.keeps_demographics
    assert spec.support(Capability.WRITE_POINTER) is Support.FULL
    assert spec.tried_against.what == "published examples"


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"types": ["410970009"]}, "types"),
        ({"types": ["crisis"]}, "types"),
        ({"document_hosts": ["https://x.example"]}, "document_hosts"),
        ({"document_hosts": ["*"]}, "document_hosts"),
        ({"document_hosts": ["a b"]}, "document_hosts"),
        ({"document_hosts": ["x.example/path"]}, "document_hosts"),
        ({"max_document_bytes": 3}, "max_document_bytes"),
        ({"ssp": {"url": "https://p", "asid": "1", "issuer": "i"}}, "ssp"),
        ({"publish": {"document_url": "http://x/{reference}"}}, "publish"),
        ({"publish": {"document_url": "https://x/"}}, "publish"),
        ({"publish": {"document_url": "https://x/{reference}/{reference}"}}, "publish"),
        ({"publish": {"document_url": "https://x/{reference}%20"}}, "publish"),
        ({"publish": {"document_url": "https://x/ {reference}"}}, "publish"),
        ({"publish": {"document_url": "ssp://x/{reference}"}}, "publish"),
        ({"publish": {"document_url": "ssp://x/{reference}", "asid": "99"}}, "publish"),
        ({"publish": {"document_url": "https://x/{reference}", "content_type": "a pdf"}}, "publish"),
        ({"publish": {"document_url": "https://x/{reference}", "stability": "fixed"}}, "publish"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_settings_that_cannot_work_are_refused_when_they_are_read(settings: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as caught:
        NrlSettings.model_validate(SPEC_OF | settings)
    assert caught.value.errors()[0]["loc"][0] == where


def test_hosts_are_compared_without_case() -> None:
    settings = NrlSettings.model_validate(SPEC_OF | {"document_hosts": ["Plans.Example:8443"]})
    assert settings.document_hosts == ("plans.example:8443",)
    assert PublishSettings(document_url="https://x/{reference}").stability == "static"
