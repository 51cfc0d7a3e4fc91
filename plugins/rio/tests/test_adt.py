"""RiO's ADT feed: the adapter by contract, and what its events become in a record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import mpftconnect_rio
from mpftconnect import AccessContext, Hub, connect
from mpftconnect.adapters import AdapterSpec, Pushed, Twin, TwinSpec
from mpftconnect.adapters.contract_tests import AdapterContract
from mpftconnect.hl7v2 import check
from mpftconnect.inbox import Feed, Inbox, Resolution, SqliteStore
from mpftconnect.inbox.mapping import site_mapper
from mpftconnect.inbox.reader import FeedReader
from mpftconnect.model import nhs_number
from mpftconnect.plugins import load_plugins
from mpftconnect.sandbox import PEOPLE, Person, Sandbox, person
from mpftconnect_rio.adt_twin import RioAdtTwin

NAME = "rio-adt"
AGREEMENT = {
    "name": "ISA",
    "parties": ["RRE"],
    "purposes": ["direct-care"],
    "sections": ["all"],
    "expires": "2099-01-01",
}
WHO = AccessContext(
    user="jane.doe",
    name="Jane Doe",
    role="community-nurse",
    organisation="RRE",
    purpose="direct-care",
    relationship="caseload",
)


class TestRioAdt(AdapterContract):
    @pytest.fixture
    def spec(self) -> AdapterSpec:
        return next(spec for spec in mpftconnect_rio.mpft_adapters() if spec.name == NAME)

    @pytest.fixture
    def twin_spec(self) -> TwinSpec:
        return next(spec for spec in mpftconnect_rio.mpft_twins() if spec.name == NAME)

    @pytest.fixture
    def people(self) -> Sequence[Person]:
        return tuple(
            replace(each, systems={**each.systems, NAME: each.systems["rio"]}) if "rio" in each.systems else each
            for each in PEOPLE
        )

    @pytest.fixture
    def pushed(self, twin_spec: TwinSpec, tmp_path: Path) -> Callable[[Twin], Pushed]:
        made: dict[str, Pushed] = {}

        def fill(twin: Any) -> Pushed:
            # Read only, so the benches of one test share it.
            if NAME not in made:
                feeds = {
                    name: Feed.model_validate({**table, "system": NAME, "agreement": AGREEMENT})
                    for name, table in twin_spec.configure(twin, "")["feeds"].items()
                }
                inbox = Inbox(
                    SqliteStore(tmp_path / "inbox"),
                    feeds,
                    mapper=site_mapper(feeds, tmp_path),
                    resolve=lambda subject: Resolution("found", nhs_number(subject.nhs_number or "")),
                )
                assert twin_spec.sends is not None
                for sent in twin_spec.sends(twin, datetime.now(UTC)):
                    inbox.receive(sent.body, sent.at)
                inbox.process()
                made[NAME] = FeedReader(inbox, NAME)
            return made[NAME]

        return fill


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    registry = load_plugins()
    with (
        Sandbox(registry, only=["pds", NAME]) as sandbox,
        connect(sandbox=sandbox, plugins=registry) as opened,
    ):
        yield opened


def _stays(hub: Hub, role: str) -> dict[str, Any]:
    """A person's stays, by the last figure of their number."""
    record = hub.record(person(role).nhs_number, WHO)
    assert not [gap for gap in record.gaps if gap.system == NAME and gap.section == "encounters"]
    return {each.source.id[-1]: each for each in record.encounters if each.source.system == NAME}


def test_the_days_messages_are_sound_and_the_same_every_time() -> None:
    now = datetime(2025, 9, 19, 9, tzinfo=UTC)
    sent = RioAdtTwin(PEOPLE).sent(now)
    assert sent == RioAdtTwin(PEOPLE).sent(now)
    wrong = [finding for one in sent for finding in check(one.body) if finding.severity == "error"]
    assert wrong == []
    told = {one.body.split(b"|", 9)[8].split(b"^")[1].decode() for one in sent}
    assert told == {*(f"A0{number}" for number in range(1, 9)), "A11", "A12", "A13", "A28", "A31", "A40"}


def test_a_stay_is_what_the_last_event_says_of_it(hub: Hub) -> None:
    stays = _stays(hub, "full")
    # A04, A06, A02, A12, A08, A03, A13: she is on the first ward still, since move and discharge were taken back.
    assert stays["1"].status == "in-progress"
    assert stays["1"].encounter_class == "IMP"
    assert stays["1"].period.end is None
    assert "WILLOW" in stays["1"].location[0].name
    assert stays["2"].status == "planned"


def test_a_cancelled_admission_stays_to_be_seen_as_cancelled(hub: Hub) -> None:
    assert _stays(hub, "sparse")["1"].status == "cancelled"


def test_an_inpatient_who_becomes_an_outpatient_is_one(hub: Hub) -> None:
    stay = _stays(hub, "conflicting")["1"]
    assert (stay.status, stay.encounter_class) == ("in-progress", "AMB")


def test_two_records_that_were_found_to_be_one_are_one_person(hub: Hub) -> None:
    assert hub.inbox is not None
    assert [link.kind for link in hub.inbox.links()] == ["merge"]
    # The second record, which had no NHS number, waited until the merge told whose it is.
    known = hub.inbox.items((NAME,), person("sparse").nhs_number, "patient")
    numbers = {number.value for each in known for number in each.item.identifiers}  # type: ignore[union-attr]
    assert {"RX7499026", person("sparse").systems["rio"].local_id} <= numbers


def test_of_a_restricted_person_the_ward_is_not_told(hub: Hub) -> None:
    record = hub.record(person("restricted").nhs_number, WHO)
    assert record.is_restricted
    # That nothing is told is not for want of a stay.
    assert hub.inbox is not None
    assert len(hub.inbox.items((NAME,), person("restricted").nhs_number, "encounters")) == 1
    assert record.encounters.status == "restricted"
    text = str(record.to_fhir())
    for place in ("WILLOW", "Hollyhock", "ZZ99 5RS"):
        assert place not in text
