"""The SDK's contract of adapters, on this plugin's twin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

import mpftconnect_pds
from mpftconnect.adapters import AdapterSpec, TwinSpec
from mpftconnect.adapters.contract_tests import AdapterContract
from mpftconnect.model import RelatedPerson, SectionName
from mpftconnect.sandbox import Person
from mpftconnect_pds.twin import PdsTwin


class TestPds(AdapterContract):
    @pytest.fixture
    def spec(self) -> AdapterSpec:
        return mpftconnect_pds.mpft_adapters()[0]

    @pytest.fixture
    def twin_spec(self) -> TwinSpec:
        # The contract asks faster than PDS allows; the rate has tests of its own.
        return replace(mpftconnect_pds.mpft_twins()[0], build=_unhurried)

    @pytest.fixture
    def people(self, people: tuple[Person, ...]) -> Sequence[Person]:
        # An emergency number comes with the Patient itself, so it is still right when the wrong patient's related
        # people are answered with, which the contract does not expect.
        return [_without_emergency_numbers(person) for person in people]


def _unhurried(people: Sequence[Person]) -> PdsTwin:
    return PdsTwin(people, requests_per_second=100_000)


def _without_emergency_numbers(person: Person) -> Person:
    view = person.systems["pds"]
    contacts = tuple(
        item
        for item in view.items.get(SectionName.CONTACTS, ())
        if isinstance(item, RelatedPerson) and not item.emergency_contact
    )
    return replace(person, systems={"pds": replace(view, items={SectionName.CONTACTS: contacts})})
