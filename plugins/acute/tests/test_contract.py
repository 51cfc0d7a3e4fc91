"""The SDK's contract of adapters, on this plugin's twins: the adapter reads from an inbox that the twin filled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import mpftconnect_acute
from mpftconnect.adapters import AdapterSpec, Pushed, Twin, TwinSpec
from mpftconnect.adapters.contract_tests import AdapterContract
from mpftconnect.inbox import Feed, Inbox, Resolution, SqliteStore
from mpftconnect.inbox.mapping import site_mapper
from mpftconnect.inbox.reader import FeedReader
from mpftconnect.model import nhs_number
from mpftconnect.sandbox import PEOPLE, Person, SystemView

AGREEMENT = {
    "name": "ISA",
    "parties": ["RRE"],
    "purposes": ["direct-care"],
    "sections": ["all"],
    "expires": "2099-01-01",
}


class Hospital(AdapterContract):
    which = 0

    @pytest.fixture
    def spec(self) -> AdapterSpec:
        return mpftconnect_acute.mpft_adapters()[0]

    @pytest.fixture
    def twin_spec(self) -> TwinSpec:
        return mpftconnect_acute.mpft_twins()[self.which]

    @pytest.fixture
    def people(self, twin_spec: TwinSpec) -> Sequence[Person]:
        known = _told(twin_spec)
        return tuple(
            replace(each, systems={**each.systems, twin_spec.name: SystemView("1")})
            if each.nhs_number.encode() in known
            else each
            for each in PEOPLE
        )

    @pytest.fixture
    def pushed(self, twin_spec: TwinSpec, tmp_path: Path) -> Callable[[Twin], Pushed]:
        def fill(twin: Any) -> Pushed:
            feeds = {
                name: Feed.model_validate({**table, "system": twin_spec.name, "agreement": AGREEMENT})
                for name, table in twin_spec.configure(twin, "")["feeds"].items()
            }
            inbox = Inbox(
                SqliteStore(tmp_path / f"{id(twin)}"),
                feeds,
                mapper=site_mapper(feeds, tmp_path),
                resolve=lambda subject: Resolution("found", nhs_number(subject.nhs_number or "")),
            )
            assert twin_spec.sends is not None
            for sent in twin_spec.sends(twin, datetime.now(UTC)):
                inbox.receive(sent.body, sent.at)
            inbox.process()
            return FeedReader(inbox, twin_spec.name)

        return fill


def _told(spec: TwinSpec) -> set[bytes]:
    """The NHS numbers in the twin's messages."""
    twin = spec.build(PEOPLE)
    assert spec.sends is not None
    return {
        number.partition(b"^")[0]
        for sent in spec.sends(twin, datetime.now(UTC))
        for line in sent.body.split(b"\r")
        if line.startswith(b"PID")
        for number in line.split(b"|")[3].split(b"~")
    }


class TestNorthmere(Hospital):
    which = 0


class TestWestley(Hospital):
    which = 1
