"""Integrated care records of two regions beside the other systems: what they add, and what one costs that is silent."""

from __future__ import annotations

import copy
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote_plus

import pytest

from mpftconnect import AccessContext, Hub, Record, SectionName, connect
from mpftconnect.adapters import Fault
from mpftconnect.cli.summary import summary
from mpftconnect.errors import GapReason, MpftConnectError
from mpftconnect.fhir import dump_json
from mpftconnect.pages import record_page
from mpftconnect.plugins import PluginRegistry
from mpftconnect.sandbox import PEOPLE, FaultTiming, Sandbox, person, seeded_values

from .conftest import CALLED, DEADLINE_SECONDS

RECORDS = ("icr", "icr-border")
FULL, BORDER = person("full"), person("cross-border")
# Those of the wire and of the token; lost pages cost a part, which the tests of each twin see.
WHOLE = sorted(set(CALLED) - {Fault.DROPPED_PAGE, Fault.REPEATED_PAGE, Fault.LYING_TOTAL})


@pytest.fixture(scope="module")
def regions(registry: PluginRegistry) -> Iterator[Sandbox]:
    timing = FaultTiming(slow_seconds=DEADLINE_SECONDS * 3, retry_after_seconds=30)
    with Sandbox(registry, only=["pds", "rio", "synthetic", *RECORDS], timing=timing) as running:
        running.twins["pds"].requests_per_second = 10_000  # type: ignore[attr-defined]
        yield running


@pytest.fixture
def hub(open_hub: Callable[..., Hub], regions: Sandbox) -> Hub:
    return open_hub(of=regions)


def by_sources(record: Record, *systems: str) -> set[str]:
    """What exactly these systems say together, in words."""
    return {item.words() for item in record.items() if {s.system for s in item.sources} == set(systems)}


def of(record: Record, system: str) -> set[str]:
    return {s.key for item in record.items() for s in item.sources if s.system == system}


def test_the_same_result_from_two_systems_is_one_fact_with_both_sources(hub: Hub, who: AccessContext) -> None:
    record = hub.record(FULL.nhs_number, who)
    assert by_sources(record, "icr", "rio") == {"Estimated glomerular filtration rate: 61 mL/min/1.73m2"}
    assert by_sources(record, "icr-border", "rio") == {"Serum lithium level: 0.70 mmol/L"}
    border = hub.record(BORDER.nhs_number, who)
    assert by_sources(border, "icr-border", "synthetic") == {"Serum creatinine: 104.0 umol/L"}


def test_a_withdrawn_result_stays_visible_with_its_reason(hub: Hub, who: AccessContext) -> None:
    record = hub.record(FULL.nhs_number, who)
    withdrawn = [item for item in record.results if item.status == "entered-in-error"]
    assert {source.system for item in withdrawn for source in item.sources} == set(RECORDS)
    assert all(item.note for item in withdrawn)


def test_hospitals_on_both_sides_of_the_border_are_in_one_record(hub: Hub, who: AccessContext) -> None:
    record = hub.record(BORDER.nhs_number, who)
    performers = {p.organization for item in record.results for p in item.performers}
    assert {"Northmere General Hospital, pathology", "Ysbyty Bryn Hedydd"} <= performers
    providers = {item.provider.organization for item in record.encounters if item.provider}
    assert {"Northmere General Hospital", "Ysbyty Bryn Hedydd"} <= providers
    assert {conflict.kind for conflict in record.conflicts} == {"allergy-against-none-known"}


def test_what_systems_disagree_about_stands_side_by_side(hub: Hub, who: AccessContext) -> None:
    record = hub.record(person("conflicting").nhs_number, who)
    found = {conflict.kind: set(conflict.systems) for conflict in record.conflicts}
    assert found == {
        "allergy-against-none-known": {"icr", "rio"},
        "medicine-differs": {"icr", "rio"},
        "several-active-plans": {"icr-border", "rio"},
    }


def test_no_section_that_a_shared_record_could_hold_reads_as_complete(hub: Hub, who: AccessContext) -> None:
    record = hub.record(FULL.nhs_number, who)
    assert {gap.reason for gap in record.gaps} == {GapReason.NOT_DECLARED}
    for name, section in record.sections.items():
        assert not section.complete, name
        assert "icr" in section.missing, name


@pytest.mark.parametrize("system", RECORDS)
@pytest.mark.parametrize("fault", WHOLE)
def test_one_that_fails_is_named_and_costs_the_others_nothing(
    fault: Fault, system: str, regions: Sandbox, hub: Hub, who: AccessContext
) -> None:
    before = hub.record(FULL.nhs_number, who)
    assert of(before, system)
    with regions.faults[system].on(fault):
        record = hub.record(FULL.nhs_number, who)
    for other in {"pds", "rio", "synthetic", *RECORDS} - {system}:
        assert of(record, other) == of(before, other), other
    told = {gap.reason for gap in record.gaps if gap.system == system} - {GapReason.NOT_DECLARED}
    expected = CALLED[fault]
    assert told == ({expected} if expected else set())
    if expected:
        assert of(record, system) == set()
        assert system in record.allergies.missing
        assert record.allergies.status == "partial"


@pytest.mark.parametrize("system", RECORDS)
def test_somebody_elses_data_is_never_shown(system: str, regions: Sandbox, hub: Hub, who: AccessContext) -> None:
    with regions.faults[system].on(Fault.WRONG_PATIENT):
        record = hub.record(FULL.nhs_number, who)
    assert of(record, system) == set()
    assert GapReason.WRONG_PERSON in {gap.reason for gap in record.gaps if gap.system == system}


def test_a_further_region_is_one_more_entry_with_its_own_name_and_agreement(
    open_hub: Callable[..., Hub], regions: Sandbox, who: AccessContext
) -> None:
    def change(table: dict[str, Any]) -> None:
        further = copy.deepcopy(table["systems"]["icr-border"])
        further["agreement"] |= {"name": "With the further region", "sections": ["results", "encounters"]}
        further["settings"] |= {"also_reads": ["Observation"]}
        table["systems"]["further-region"] = further

    hub = open_hub(change, of=regions)
    record = hub.record(BORDER.nhs_number, who)
    results = [item for item in record.results if "further-region" in {s.system for s in item.sources}]
    assert {s.system for item in results for s in item.sources} == {"further-region", "icr-border", "synthetic"}
    gaps = {(str(gap.section), gap.reason) for gap in record.gaps if gap.system == "further-region"}
    assert ("allergies", GapReason.NO_AGREEMENT) in gaps
    assert ("encounters", GapReason.NOT_DECLARED) in gaps  # its settings ask for results alone
    assert ("results", GapReason.NOT_DECLARED) not in gaps
    assert "further-region" in record.encounters.missing

    # Silent, it is missed under its own name, and its neighbour still tells.
    def silent(table: dict[str, Any]) -> None:
        change(table)
        table["systems"]["further-region"]["endpoint"] = "http://127.0.0.1:9/UKCore/R4"

    record = open_hub(silent, of=regions).record(BORDER.nhs_number, who)
    assert of(record, "icr-border")
    assert GapReason.UNREACHABLE in {gap.reason for gap in record.gaps if gap.system == "further-region"}


def test_times_without_an_offset_are_of_the_regions_own_zone(
    open_hub: Callable[..., Hub], regions: Sandbox, who: AccessContext
) -> None:
    def change(table: dict[str, Any]) -> None:
        table["systems"]["icr"]["zone"] = "Europe/Dublin"

    record = open_hub(change, of=regions).record(BORDER.nhs_number, who)
    zones = {s.system: item.clinical_date.zone for item in record.encounters for s in item.sources}
    # The neighbour's times come with an offset, which leaves nothing for a zone to say.
    assert zones == {"icr": "Europe/Dublin", "icr-border": "Europe/London"}


def test_who_is_born_on_another_day_there_is_set_apart(hub: Hub, who: AccessContext) -> None:
    record = hub.record(person("birth-date-differs").nhs_number, who)
    apart = {one.system: one.reason for one in record.unmatched}
    assert apart["icr-border"] == "birth-date-differs"
    assert of(record, "icr")
    assert of(record, "icr-border") == set()


PLACES = (
    *("Pippin Lane", "Hollyhock", "Damson Quay", "ZZ223", "ZZ703", "Birth Centre", "Refuge"),
    *("Lock House", "lock house", "towpath", "Marina Walk", "Sluice", "ZZ704", "ZZ99 6V", "ZZ99 5R"),
)


@pytest.mark.parametrize("role", ["restricted", "very-restricted"])
def test_nothing_of_a_restricted_person_says_where_they_are(role: str, hub: Hub, who: AccessContext) -> None:
    record = hub.record(person(role).nhs_number, who)
    assert of(record, "icr")
    assert of(record, "icr-border")
    out = [record.to_json(), dump_json(record.to_fhir()).decode(), record_page(record), summary(record, most=1000)]
    told = json.dumps([entry.event for entry in hub.audit.entries()])
    for text in (*out, told):
        assert not [place for place in PLACES if place in text]


def test_no_address_carries_a_number_to_the_regions_own_record(hub: Hub, who: AccessContext) -> None:
    for someone in (FULL, BORDER, person("superseded")):
        hub.record(someone.nhs_number, who)
    (system,) = [one for one in hub.systems if one.name == "icr"]
    urls = [unquote_plus(exchange.url or "") for exchange in system.recorder.exchanges]
    assert len(urls) > 30
    assert not [url for url in urls if any(number in url for p in PEOPLE for number in (p.nhs_number,))]


def test_nothing_is_logged_of_anybody(open_hub: Callable[..., Hub], regions: Sandbox, who: AccessContext) -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    told: list[str] = []
    try:
        hub = open_hub(of=regions, live=True)
        for someone in PEOPLE:
            try:
                record = hub.record(someone.nhs_number, who)
            except MpftConnectError as error:
                told.append(f"{error!r} {error}")
                continue
            told += [gap.words() + gap.detail for gap in record.gaps]
            told += [warning.text for section in record.sections.values() for warning in section.warnings]
        stored = [exchange for system in hub.systems for exchange in system.recorder.exchanges]
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
    text = out.getvalue() + " ".join(told)
    text += " ".join(repr(e) + str([getattr(e, name) for name in e.__slots__]) for e in stored)
    leaked = {p.role for p in PEOPLE if any(value in text for value in seeded_values(p))}
    assert leaked == set()


@pytest.mark.parametrize("someone", [FULL, BORDER], ids=["full", "cross-border"])
def test_the_sandbox_serves_both_by_itself(someone: Any, who: AccessContext) -> None:
    with connect(sandbox=True) as hub:
        assert set(RECORDS) <= {system.name for system in hub.systems}
        record = hub.record(someone.nhs_number, who, sections=[SectionName.RESULTS, SectionName.ENCOUNTERS])
    for system in RECORDS:
        assert of(record, system)
