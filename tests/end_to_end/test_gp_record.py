"""A GP's record beside the others: shown, told apart, and lost alone when GP Connect fails."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mpftconnect import AccessContext, Hub, Record, SectionName, connect
from mpftconnect.adapters import WIRE_FAULTS, Fault
from mpftconnect.cli.summary import summary
from mpftconnect.errors import GapReason
from mpftconnect.fhir import dump_json
from mpftconnect.pages import record_page
from mpftconnect.plugins import PluginRegistry
from mpftconnect.sandbox import PEOPLE, FaultTiming, Sandbox, people_without_excluded_data, person

SYSTEMS = ["pds", "rio", "gpconnect"]
GP = "gpconnect"
READ = {
    *(SectionName.PROBLEMS, SectionName.MEDICATIONS, SectionName.ALLERGIES, SectionName.RESULTS, SectionName.REPORTS),
    *(SectionName.ENCOUNTERS, SectionName.NOTES, SectionName.REFERRALS, SectionName.IMMUNISATIONS),
    SectionName.DOCUMENTS,
}
DEADLINE_SECONDS = 2.0
# As in test_faults: what each fault of the wire must be called; None for one that passes by itself.
CALLED: dict[Fault, GapReason | None] = {
    Fault.SLOW: GapReason.TIMED_OUT,
    Fault.DRIP: GapReason.TIMED_OUT,
    Fault.TIMEOUT: GapReason.TIMED_OUT,
    Fault.REFUSED: GapReason.UNREACHABLE,
    Fault.TOO_MANY_REQUESTS: GapReason.RATE_LIMITED,
    Fault.SERVER_ERROR: GapReason.SYSTEM_FAILED,
    Fault.SERVER_ERROR_ONCE: None,
    Fault.TRUNCATED: GapReason.ANSWER_REJECTED,
    Fault.MALFORMED: GapReason.ANSWER_REJECTED,
    Fault.OVERSIZED: GapReason.ANSWER_REJECTED,
    Fault.WRONG_TYPE: GapReason.ANSWER_REJECTED,
    Fault.WRONG_PATIENT: GapReason.WRONG_PERSON,
    Fault.NO_CONSENT: GapReason.NOT_SHOWN,
}


# The fields in which two reads may differ: when, under which request id, on which port.
MAY_DIFFER = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d+(Z|[+-]\d{2}:\d{2})"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|127\.0\.0\.1:\d+"
    r"|\d{1,2} \w+ \d{4},? (at )?\d{2}:\d{2}(:\d{2})?( UTC| GMT| BST)?"
)


def sandbox_of(registry: PluginRegistry, people: Any = PEOPLE) -> Sandbox:
    timing = FaultTiming(slow_seconds=DEADLINE_SECONDS * 3, retry_after_seconds=30)
    return Sandbox(registry, people, only=SYSTEMS, timing=timing)


@pytest.fixture(scope="module")
def spine(registry: PluginRegistry) -> Iterator[Sandbox]:
    with sandbox_of(registry) as running:
        running.twins["pds"].requests_per_second = 10_000  # type: ignore[attr-defined]
        yield running


@pytest.fixture(scope="module")
def clean() -> dict[str, Record]:
    return {}


def contributed(record: Record, *, by_gp: bool) -> dict[SectionName, list[str]]:
    return {
        name: sorted(s.key for item in section for s in item.sources if (s.system == GP) == by_gp)
        for name, section in record.sections.items()
    }


def of_gp(record: Record) -> list[tuple[GapReason, SectionName | None]]:
    """The gaps that GP Connect leaves, but for what is never read from it."""
    return [(g.reason, g.section) for g in record.gaps if g.system == GP and g.reason is not GapReason.NOT_DECLARED]


def test_the_full_persons_gp_record_is_shown(spine: Sandbox, open_hub: Callable[..., Hub], who: AccessContext) -> None:
    record = open_hub(of=spine).record("9990000018", who)
    assert of_gp(record) == []
    held = contributed(record, by_gp=True)
    assert {name for name, keys in held.items() if keys} == READ
    assert {j.system: j.rule for j in record.joined}[GP] == "number-birth-date-name"
    # Whatever a GP may hold and is not read keeps its section from looking complete.
    assert GP in record.care_plans.missing
    assert not record.alerts.complete
    assert record.allergies.complete


def test_with_no_configuration_at_all(who: AccessContext) -> None:
    with connect(sandbox=True) as hub:
        assert GP in {system.name for system in hub.systems}
        record = hub.record("9990000018", who, sections=["allergies", "documents"])
    assert contributed(record, by_gp=True)[SectionName.ALLERGIES]
    assert len(contributed(record, by_gp=True)[SectionName.DOCUMENTS]) == 3


def test_the_conflicting_person(spine: Sandbox, open_hub: Callable[..., Hub], who: AccessContext) -> None:
    record = open_hub(of=spine).record(person("conflicting").nhs_number, who)
    assert {"allergy-against-none-known"} <= {conflict.kind for conflict in record.conflicts}
    strengths = {m.medication.text or m.medication.words() for m in record.medications}
    assert {"Amlodipine 5mg tablets", "Amlodipine 10mg tablets"} <= strengths
    assert any(w.code == "confidential-items" and w.system == GP for w in record.medications.warnings)
    assert not record.medications.complete


def test_a_record_in_transit_is_said_to_be_so(spine: Sandbox, open_hub: Callable[..., Hub], who: AccessContext) -> None:
    record = open_hub(of=spine).record(person("cross-border").nhs_number, who)
    assert contributed(record, by_gp=True)[SectionName.PROBLEMS]
    for name in READ - {SectionName.DOCUMENTS}:
        section = record.section(name)
        assert any(w.code == "data-in-transit" for w in section.warnings), name
        assert GP in section.missing, name


@pytest.mark.parametrize("role", ["restricted", "very-restricted", "deceased", "unverified", "sparse"])
def test_who_is_not_shown_is_a_gap_and_nothing_more(
    spine: Sandbox, open_hub: Callable[..., Hub], who: AccessContext, role: str
) -> None:
    record = open_hub(of=spine).record(person(role).nhs_number, who)
    assert not any(keys for keys in contributed(record, by_gp=True).values())
    assert of_gp(record) == [(GapReason.NOT_SHOWN, None)]
    assert not record.problems.complete
    assert "no such person" not in " ".join(gap.words() + gap.detail for gap in record.gaps)


def test_another_date_of_birth_sets_the_record_apart(
    spine: Sandbox, open_hub: Callable[..., Hub], who: AccessContext
) -> None:
    record = open_hub(of=spine).record(person("birth-date-differs").nhs_number, who)
    assert GP in {apart.system for apart in record.unmatched}
    assert not any(keys for keys in contributed(record, by_gp=True).values())


@pytest.mark.parametrize("fault", CALLED)
def test_faults_cost_the_gp_record_alone(
    fault: Fault, spine: Sandbox, open_hub: Callable[..., Hub], who: AccessContext, clean: dict[str, Record]
) -> None:
    assert set(CALLED) >= WIRE_FAULTS
    hub = open_hub(of=spine)
    before = clean.setdefault("record", hub.record("9990000018", who))
    with spine.faults[GP].on(fault):
        record = hub.record("9990000018", who)
    assert contributed(record, by_gp=False) == contributed(before, by_gp=False)
    assert record.identity_confirmed
    expected = CALLED[fault]
    if expected is None:
        assert of_gp(record) == []
        assert contributed(record, by_gp=True) == contributed(before, by_gp=True)
        return
    assert of_gp(record) == [(expected, None)]
    assert not any(keys for keys in contributed(record, by_gp=True).values())
    for name in READ:
        assert GP in record.section(name).missing, name
        assert record.section(name).status in ("partial", "unavailable"), name


def test_a_lying_document_server_costs_the_documents_alone(
    spine: Sandbox, open_hub: Callable[..., Hub], who: AccessContext
) -> None:
    hub = open_hub(of=spine)
    with spine.faults[GP].on(Fault.LYING_TOTAL):
        record = hub.record("9990000018", who)
    assert of_gp(record) == [(GapReason.ANSWER_REJECTED, SectionName.DOCUMENTS)]
    assert contributed(record, by_gp=True)[SectionName.PROBLEMS]
    assert GP in record.documents.missing


def test_no_more_is_asked_than_somebody_wants(spine: Sandbox, open_hub: Callable[..., Hub], who: AccessContext) -> None:
    # Without a policy that judges by links: with one, the other sections are read for judging (decision 0018).
    hub = open_hub(lambda table: table.update(policies=[]), of=spine)
    hub.record("9990000018", who, sections=["allergies"])
    (system,) = (one for one in hub.systems if one.name == GP)
    labels = [exchange.label for exchange in system.recorder.exchanges]
    assert labels == ["Device.search", "Endpoint.search", "structured record"]
    (asked,) = (x.request_body for x in system.recorder.exchanges if x.label == "structured record")
    assert [one["name"] for one in json.loads(asked or b"{}")["parameter"]] == ["patientNHSNumber", "includeAllergies"]


def test_the_excluded_data_of_a_gp_record_leaves_no_trace(
    registry: PluginRegistry, open_hub: Callable[..., Hub], who: AccessContext
) -> None:
    """Rule 6, for what a practice wrote of a clinic: with and without it, the output is the same."""
    number = person("sexual-health").nhs_number
    told = []
    for people in (PEOPLE, people_without_excluded_data()):
        with sandbox_of(registry, people) as running:
            record = open_hub(of=running).record(number, who)
        assert contributed(record, by_gp=True)[SectionName.PROBLEMS] == ["gpconnect:Condition/sh-gp-anxiety"]
        told.append(
            [
                MAY_DIFFER.sub("~", text)
                for text in (
                    record.to_json(),
                    dump_json(record.to_fhir()).decode(),
                    record_page(record),
                    summary(record, most=1000),
                )
            ]
        )
    assert told[0] == told[1]
