"""What the safety papers promise of every output, held against the outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mpftconnect import AccessContext, Record, connect, load_plugins
from mpftconnect.adapters import Fault
from mpftconnect.cli.summary import summary
from mpftconnect.errors import IncompleteRecord
from mpftconnect.events import EventStream
from mpftconnect.fhir import dump_json
from mpftconnect.hub import NEVER_SHOWN, NOT_FOR, Hub, load_configuration, sandbox_table
from mpftconnect.model import Item, Section, SectionName, SectionStatus
from mpftconnect.pages import record_page
from mpftconnect.sandbox import PEOPLE, Sandbox, person

WHO = AccessContext(
    user="jane.doe",
    name="Jane Doe",
    role="community-nurse",
    organisation="RRE",
    purpose="direct-care",
    relationship="caseload",
)
LONDON = ZoneInfo("Europe/London")
ROLES = ("full", "sparse", "restricted", "sexual-health", "deceased")


@pytest.fixture(scope="module")
def records() -> Iterator[dict[str, Record]]:
    with connect(sandbox=True) as hub:
        yield {p.role: hub.record(p.nhs_number, WHO, sections=["allergies"]) for p in PEOPLE if p.role in ROLES}


OUTPUTS: dict[str, Callable[[Record], str]] = {
    "page": lambda record: record_page(record, demonstration=True),
    "summary": summary,
    "json": Record.to_json,
    "fhir": lambda record: dump_json(record.to_fhir()).decode(),
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_every_output_of_everybody_says_what_is_never_shown_and_what_it_is_not_for(
    records: dict[str, Record], output: str
) -> None:
    assert set(records) == set(ROLES)
    for record in records.values():
        told = OUTPUTS[output](record)
        assert NEVER_SHOWN in told
        assert NOT_FOR in told or output == "fhir"


@pytest.mark.parametrize("output", sorted(OUTPUTS.keys() - {"summary"}))
def test_a_saved_copy_says_when_it_was_read_and_who_did_not_answer(output: str) -> None:
    with Sandbox(load_plugins(), only=["synthetic"]) as sandbox, connect(sandbox=sandbox) as hub:
        number = person("full").nhs_number
        whole = hub.record(number, WHO, sections=["allergies"])
        with sandbox.faults["synthetic"].on(Fault.SERVER_ERROR):
            broken = hub.record(number, WHO, sections=["allergies"])
    told = OUTPUTS[output](broken)
    words = broken.gaps[0].words().rstrip(".")
    assert words in told or output == "json"
    assert "system-failed" in told or output == "page"
    assert words not in OUTPUTS[output](whole)
    moments = (f"{broken.made:%Y-%m-%dT%H:%M}", f"{broken.made:%H:%M}", f"{broken.made.astimezone(LONDON):%H:%M}")
    assert any(moment in told for moment in moments)


@pytest.mark.parametrize("role", ROLES)
def test_a_record_written_as_json_is_read_back_equal(records: dict[str, Record], role: str) -> None:
    assert Record.from_json(records[role].to_json()) == records[role]


@pytest.mark.parametrize("missing", [(), ("gp",)])
@pytest.mark.parametrize("status", SectionStatus)
def test_only_a_complete_section_passes_require_complete(status: SectionStatus, missing: tuple[str, ...]) -> None:
    section: Section[Item] = Section(SectionName.ALLERGIES, (), status, missing=missing)
    full = status in ("items", "asserted-none", "nothing-recorded") and not missing
    assert section.complete == full
    if full:
        assert section.require_complete() is section
    else:
        with pytest.raises(IncompleteRecord, match="gp" if missing else str(status)):
            section.require_complete()


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ({}, True),
        ({"sections": ["notes"]}, False),
        ({"expires": "2020-03-31"}, False),
        ({"purposes": ["audit"]}, False),
    ],
)
def test_a_system_outside_its_agreement_is_not_asked(tmp_path: Path, change: dict[str, Any], asked: bool) -> None:
    registry = load_plugins()
    with Sandbox(registry, only=["synthetic"]) as sandbox:
        table = sandbox_table(sandbox, tmp_path)
        table["systems"]["synthetic"]["agreement"] |= change
        hub = Hub(load_configuration(table, registry, sandbox=True), events=EventStream())
        twin = sandbox.twins["synthetic"]
        paths: list[str] = []
        answer = twin.handle
        twin.handle = lambda request: paths.append(request.path) or answer(request)  # type: ignore[method-assign, func-returns-value]
        with hub:
            record = hub.record(person("full").nhs_number, WHO, sections=["problems"])
    assert any("Condition" in path for path in paths) == asked
    gaps = {(gap.reason, gap.section) for gap in record.gaps}
    assert (("no-agreement", "problems") in gaps) != asked
    assert record.problems.complete == asked
