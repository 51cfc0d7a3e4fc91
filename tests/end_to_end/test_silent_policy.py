"""Rule 6: one person's output with and without the excluded data is equal, but for stated time and id fields."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mpftconnect import AccessContext, Demographics, Event, Hub, Record, SectionName
from mpftconnect.cli.summary import summary
from mpftconnect.fhir import dump_json
from mpftconnect.pages import record_page
from mpftconnect.plugins import PluginRegistry
from mpftconnect.sandbox import PEOPLE, Sandbox, people_without_excluded_data, person

SYSTEMS = ["pds", "rio", "synthetic", "gpconnect", "nrl", "icr", "icr-border", "sexual-health"]
PERSON = person("sexual-health")
# The fields in which two reads may differ: when, under which request id, on which port, after how long.
MAY_DIFFER = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d+(Z|[+-]\d{2}:\d{2})"  # fetched, made
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # correlation and audit ids
    r"|127\.0\.0\.1:\d+"
    r"|\d{1,2} \w+ \d{4},? (at )?\d{2}:\d{2}(:\d{2})?( UTC| GMT| BST)?"  # times of reading, in words
)


def same(text: str) -> str:
    return MAY_DIFFER.sub("~", text)


@pytest.fixture(scope="module")
def pair(registry: PluginRegistry) -> Iterator[tuple[Sandbox, Sandbox]]:
    with (
        Sandbox(registry, PEOPLE, only=SYSTEMS) as with_data,
        Sandbox(registry, people_without_excluded_data(), only=SYSTEMS) as without,
    ):
        for sandbox in (with_data, without):
            sandbox.twins["pds"].requests_per_second = 10_000  # type: ignore[attr-defined]
        yield with_data, without


def outputs(hub: Hub, who: AccessContext, events: list[Event]) -> dict[str, str]:
    record: Record = hub.record(PERSON.nhs_number, who)
    name = PERSON.patient.name
    assert name is not None
    found = hub.find(
        Demographics(
            family=name.family, given=name.given[:1], birth_date=PERSON.patient.birth_date, gender=PERSON.patient.gender
        ),
        who,
    )
    assert [patient.nhs_number for patient in found] == [PERSON.nhs_number]
    audit = [entry.event for entry in hub.audit.entries()]
    codes = [
        {key: value for key, value in event.as_dict().items() if key not in ("at", "duration_ms", "request_id")}
        for event in events
        # How many exchanges a system needs for its pages is between it and the wire.
        if not event.code.startswith(("exchange", "token"))
    ]
    return {
        "json": same(record.to_json()),
        "fhir": same(dump_json(record.to_fhir()).decode()),
        "page": same(record_page(record)),
        "search": same(json.dumps([patient.model_dump(mode="json") for patient in found])),
        "text": same(summary(record, most=1000)),
        "audit": same(json.dumps(audit, sort_keys=True)),
        "events": json.dumps(sorted(map(json.dumps, codes))),
    }


def test_with_and_without_the_excluded_data_everything_is_equal(
    pair: tuple[Sandbox, Sandbox],
    open_hub: Callable[..., Hub],
    who: AccessContext,
    caplog: pytest.LogCaptureFixture,
) -> None:
    results = []
    for sandbox in pair:
        events: list[Event] = []
        results.append(outputs(open_hub(of=sandbox, listeners=[events.append]), who, events))
    with_data, without = results
    for name in with_data:
        assert with_data[name] == without[name], name


@pytest.mark.parametrize("section", sorted(SectionName))
def test_a_read_of_one_section_is_equal_too(
    pair: tuple[Sandbox, Sandbox], open_hub: Callable[..., Hub], who: AccessContext, section: SectionName
) -> None:
    """What an item points at may stand in a section that nobody asked for: it is read for judging, and not shown."""
    results = []
    for sandbox in pair:
        hub = open_hub(of=sandbox)
        record = hub.record(PERSON.nhs_number, who, sections=[section])
        assert {name for name, held in record.sections.items() if held.status != "not-asked"} == {section}
        assert all(gap.section in (None, section) for gap in record.gaps)
        audit = [entry.event for entry in hub.audit.entries()]
        results.append((same(record.to_json()), same(record_page(record)), same(json.dumps(audit, sort_keys=True))))
    assert results[0] == results[1]


def test_the_comparison_would_notice(
    pair: tuple[Sandbox, Sandbox], open_hub: Callable[..., Hub], who: AccessContext
) -> None:
    def no_policy(table: dict[str, Any]) -> None:
        table["policies"] = []

    results = [outputs(open_hub(no_policy, of=sandbox), who, []) for sandbox in pair]
    for name in ("json", "fhir", "page", "text", "audit"):
        assert results[0][name] != results[1][name], name


def test_an_excluded_system_is_not_even_asked(
    pair: tuple[Sandbox, Sandbox], open_hub: Callable[..., Hub], who: AccessContext
) -> None:
    hub = open_hub(of=pair[0])
    assert "sexual-health" not in {system.name for system in hub.systems}
    record = hub.record(PERSON.nhs_number, who)
    assert "sexual-health" not in record.model_dump_json(exclude={"never_shown"})


def test_only_the_privacy_officers_stream_knows(
    pair: tuple[Sandbox, Sandbox], open_hub: Callable[..., Hub], who: AccessContext, caplog: pytest.LogCaptureFixture
) -> None:
    hub = open_hub(of=pair[0])
    with caplog.at_level(logging.DEBUG):
        hub.record(PERSON.nhs_number, who)
    (entry,) = hub.privacy.entries()
    told = json.dumps(entry.event)
    assert "never-shown" in told
    assert hub.privacy.verify().ok
    assert "never-shown" not in json.dumps([e.event for e in hub.audit.entries()])
    assert "never-shown" not in caplog.text
    # Written for everybody, so that whether it was written tells nothing.
    other = open_hub(of=pair[1])
    other.record(PERSON.nhs_number, who)
    assert len(list(other.privacy.entries())) == 1


def test_every_record_carries_the_same_sentence(
    pair: tuple[Sandbox, Sandbox], open_hub: Callable[..., Hub], who: AccessContext
) -> None:
    hub = open_hub(of=pair[0])
    sentences = {hub.record(number, who).never_shown for number in (PERSON.nhs_number, "9990000018")}
    assert len(sentences) == 1
    assert "never shown here" in sentences.pop()
