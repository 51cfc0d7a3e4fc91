"""The plugin as the SDK finds it, and its twin as the sandbox serves it, with the sandbox's own people."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from typing import Any

import pytest

import mpftconnect_pds
from mpftconnect.adapters import (
    READS,
    AdapterContext,
    Capability,
    Deadline,
    Endpoint,
    MemoryRecorder,
    Reading,
    Support,
    Wire,
)
from mpftconnect.events import EventStream
from mpftconnect.model import AccessContext, SectionName
from mpftconnect.plugins import PluginRegistry, load_plugins
from mpftconnect.sandbox import PEOPLE, Sandbox
from mpftconnect_pds.twin import PdsTwin


@pytest.fixture(scope="module")
def registry() -> PluginRegistry:
    return load_plugins([importlib.metadata.EntryPoint("pds", "mpftconnect_pds", "mpftconnect")])


def test_loads(registry: PluginRegistry) -> None:
    assert not registry.broken
    assert set(registry.adapters) == set(registry.twins) == {"pds"}


def test_says_what_it_offers_and_what_it_was_tried_against(registry: PluginRegistry) -> None:
    spec = registry.adapters["pds"]
    read = {section for section, capability in READS.items() if spec.support(capability) is not Support.UNSUPPORTED}
    assert read == {SectionName.CONTACTS}
    assert spec.support(Capability.SEARCH_PEOPLE) is Support.PARTIAL
    assert spec.tried_against.what == "published examples"
    assert spec.rate_per_second == 5


def test_the_sandbox_asks_its_twin_for_no_more_than_it_takes(registry: PluginRegistry) -> None:
    with Sandbox(registry, only=["pds"]) as sandbox:
        twin = sandbox.twins["pds"]
        assert isinstance(twin, PdsTwin)
        for limit in (twin.requests_per_second, 5):
            twin.requests_per_second = limit
            assert sandbox.configuration()["systems"]["pds"]["rate_per_second"] == limit


@pytest.fixture(scope="module")
def reading_of(registry: PluginRegistry, who: AccessContext) -> Iterator[Any]:
    """Makes a reading of a number from the sandbox's PDS, over HTTP."""
    with Sandbox(registry, only=["pds"]) as sandbox:
        twin = sandbox.twins["pds"]
        assert isinstance(twin, PdsTwin)
        twin.requests_per_second = 1000
        table = sandbox.configuration()["systems"]["pds"]
        endpoint = Endpoint(base_url=table["endpoint"], environment=table["environment"])
        with Wire("pds", endpoint, events=EventStream(), recorder=MemoryRecorder(10)) as wire:
            adapter = mpftconnect_pds.PdsAdapter(
                AdapterContext(
                    name="pds",
                    environment="test",
                    settings=mpftconnect_pds.PdsSettings(**table["settings"]),
                    secret=lambda name: table["secrets"][name]["value"],
                    wire=wire,
                    events=wire.events,
                )
            )

            def reading(number: Any) -> tuple[Any, Reading]:
                return adapter, Reading(
                    system="pds", who=who, wire=wire, deadline=Deadline.after(10), nhs_number=number
                )

            yield reading


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.role)
def test_every_synthetic_person_is_traced_as_they_are(reading_of: Any, person: Any) -> None:
    for number in (person.nhs_number, *person.former_numbers):
        adapter, reading = reading_of(number)
        trace = adapter.trace_person(reading)
        if person.role == "invalidated":
            assert trace.outcome == "invalidated"
            continue
        found, held = trace.patient, person.patient
        assert (found.nhs_number, found.restriction) == (person.nhs_number, held.restriction)
        assert (found.birth_date, found.gender) == (held.birth_date, held.gender)
        if held.restriction == "V":
            assert found.names == ()
        else:
            assert [name.family for name in found.names] == [name.family for name in held.names]
        shown = held.restriction == "U"
        assert len(found.addresses) == (len(held.addresses) if shown else 0)
        assert len(found.telecom) == (len(held.telecom) if shown else 0)
        list(adapter.read_contacts(reading))
