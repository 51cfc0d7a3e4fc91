"""No seeded patient value in logs, events, errors, file names, or, in production mode, in stored exchanges."""

from __future__ import annotations

import io
import json
import logging
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mpftconnect import AccessContext, Event, Hub
from mpftconnect.adapters import Fault
from mpftconnect.errors import MpftConnectError
from mpftconnect.events import NdjsonListener
from mpftconnect.model import Demographics, Identifier
from mpftconnect.sandbox import PEOPLE, Person, Sandbox, seeded_values

FAULTS = (
    Fault.MALFORMED, Fault.TRUNCATED, Fault.SERVER_ERROR, Fault.TOO_MANY_REQUESTS, Fault.WRONG_PATIENT,
    Fault.STALE_TOKEN, Fault.REPEATED_PAGE, Fault.LYING_TOTAL, Fault.REFUSED, Fault.WRONG_TYPE,
)  # fmt: skip
SEEDED = {person.role: seeded_values(person) for person in PEOPLE}


def found(text: str) -> list[str]:
    """Which people's values stand in the text, by role: never the value, or the test's own output would leak it."""
    return sorted(role for role, values in SEEDED.items() if any(value in text for value in values))


@pytest.fixture
def everything_logged() -> Iterator[io.StringIO]:
    """All that anybody logs, at the finest level, exceptions included."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s %(pathname)s %(args)s"))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield out
    root.removeHandler(handler)
    root.setLevel(before)


def reads(hub: Hub, who: AccessContext, people: Iterable[Person]) -> Iterator[str]:
    """Reads each person in every way and gives the text of whatever is raised."""
    for person in people:
        name = person.patient.name
        asks: list[Callable[[], Any]] = [
            lambda person=person: hub.record(person.nhs_number, who),
            lambda person=person: hub.record(Identifier(system="urn:x", value=person.nhs_number), who),
            lambda person=person: hub.record(person.nhs_number + "1", who),
            lambda person=person, name=name: hub.find(
                Demographics(family=name.family if name else None, birth_date=person.patient.birth_date), who
            ),
        ]
        for ask in asks:
            try:
                ask()
            except MpftConnectError as error:
                yield "".join(traceback.format_exception_only(error))


def test_nothing_is_logged_or_raised(
    sandbox: Sandbox, open_hub: Callable[..., Hub], who: AccessContext, everything_logged: io.StringIO
) -> None:
    ndjson = io.StringIO()
    events: list[Event] = []
    hub = open_hub(listeners=[events.append, NdjsonListener(ndjson)])
    raised = list(reads(hub, who, PEOPLE))
    full = [person for person in PEOPLE if person.role in ("full", "superseded")]
    for fault in FAULTS:
        for system, switch in sandbox.faults.items():
            if fault in sandbox.specs[system].faults or fault not in (
                Fault.WRONG_PATIENT, Fault.STALE_TOKEN, Fault.REPEATED_PAGE, Fault.LYING_TOTAL
            ):  # fmt: skip
                with switch.on(fault):
                    raised += reads(hub, who, full[:1])
    assert raised
    assert events
    assert found("".join(raised)) == []
    assert found(ndjson.getvalue()) == []
    assert found(everything_logged.getvalue()) == []


def test_the_sweep_would_notice(everything_logged: io.StringIO) -> None:
    logging.getLogger("somebody.else").debug("GET /Patient/%s", PEOPLE[0].nhs_number)
    assert found(everything_logged.getvalue()) == [PEOPLE[0].role]


def test_gaps_and_warnings_hold_no_values(sandbox: Sandbox, open_hub: Callable[..., Hub], who: AccessContext) -> None:
    hub = open_hub()
    for fault in FAULTS:
        with sandbox.faults["rio"].on(fault):
            record = hub.record("9990000018", who)
        told = [gap.words() + gap.detail for gap in record.gaps]
        told += [warning.text for section in record.sections.values() for warning in section.warnings]
        told += [apart.text for apart in record.unmatched]
        assert found(" ".join(told)) == []


@pytest.mark.parametrize("live", [True, False])
def test_stored_exchanges(open_hub: Callable[..., Hub], who: AccessContext, live: bool) -> None:
    hub = open_hub(live=live)
    for person in PEOPLE:
        try:
            hub.record(person.nhs_number, who)
        except MpftConnectError:
            continue
    stored = [exchange for system in hub.systems for exchange in system.recorder.exchanges]
    assert {exchange.system for exchange in stored} == {"pds", "rio", "synthetic"}
    text = " ".join(repr(exchange) + json.dumps([str(getattr(exchange, name)) for name in exchange.__slots__])
                    for exchange in stored)  # fmt: skip
    assert found(text) == ([] if live else sorted(found(text)))
    assert bool(found(text)) is not live
    assert all(exchange.status for exchange in stored)
    assert all(exchange.request_id for exchange in stored)


def test_file_names_and_files_but_for_the_trails(
    open_hub: Callable[..., Hub], who: AccessContext, tmp_path: Path
) -> None:
    hub = open_hub(live=True)
    hub.record("9990000018", who)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert found(" ".join(str(path.relative_to(tmp_path)) for path in files)) == []
    for path in files:
        content = path.read_bytes().decode(errors="replace")
        if path.name.startswith("trail.sqlite"):
            # The trails say whose record was read, by NHS number, and which items, by the sources' ids, the source's id
            # of the person among them; nothing else of the person.
            full = next(person for person in PEOPLE if person.role == "full")
            for own_id in (full.nhs_number, *(view.local_id for view in full.systems.values())):
                content = content.replace(own_id, "")
        assert found(content) == [], path.name
