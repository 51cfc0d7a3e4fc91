"""Both twins over real HTTP: what they tell, and what their faults do."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import mpftconnect_rio
from mpftconnect.adapters import (
    AdapterContext,
    AdapterSpec,
    Capability,
    Deadline,
    Endpoint,
    Fault,
    MemoryRecorder,
    Reading,
    Support,
    TwinRequest,
    Wire,
)
from mpftconnect.errors import (
    AdapterError,
    AnswerRejected,
    NotPermitted,
    RateLimited,
    SystemFailed,
    TimedOut,
    Unreachable,
    WrongPerson,
)
from mpftconnect.events import EventStream, log_listener
from mpftconnect.model import Item, SectionName
from mpftconnect.sandbox import PEOPLE, FaultTiming, Host, person, seeded_values
from mpftconnect_rio.facade_twin import RioFacadeTwin
from mpftconnect_rio.settings import CLIENT_ID_SYSTEM
from mpftconnect_rio.twin import RioExtractTwin, tables

from .conftest import WHO, Section, collect

# Those that are asked; what RiO pushes is tested in test_adt.
TWINS = {spec.adapter: spec for spec in mpftconnect_rio.mpft_twins() if spec.sends is None}
ADAPTERS = {spec.name: spec for spec in mpftconnect_rio.mpft_adapters() if spec.name in TWINS}
TIMING = FaultTiming(slow_seconds=3.0, drip_seconds=0.05)
FULL = person("full")


class Served:
    """One adapter on its twin, over a socket."""

    def __init__(self, adapter: str, deadline_seconds: float = 20.0) -> None:
        self.spec: AdapterSpec = ADAPTERS[adapter]
        self.twin: Any = TWINS[adapter].build(PEOPLE)
        self.host = Host(self.twin, timing=TIMING)
        self.host.start()
        self.table = TWINS[adapter].configure(self.twin, self.host.base_url)
        self.events = EventStream([log_listener])
        self.recorder = MemoryRecorder(limit=500)
        endpoint = Endpoint(
            base_url=self.table["endpoint"],
            environment="test",
            retries=0,
            max_bytes=1_000_000,
            deadline_seconds=deadline_seconds,
        )
        self.wire = Wire("rio", endpoint, events=self.events, recorder=self.recorder)
        assert self.spec.settings is not None
        self.adapter: Any = self.spec.open(
            AdapterContext(
                name="rio",
                environment="test",
                settings=self.spec.settings.model_validate(self.table["settings"]),
                secret=self.table["secrets"].__getitem__,
                wire=self.wire,
                events=self.events,
            )
        )

    def reading(self, someone: Any = FULL, seconds: float = 20.0, **more: Any) -> Reading:
        deadline = Deadline.after(seconds)
        given = {
            "system": "rio",
            "who": WHO,
            "nhs_number": someone.nhs_number,
            "former_numbers": someone.former_numbers,
        } | more
        return Reading(wire=self.wire.bound(deadline=deadline), deadline=deadline, **given)

    def found(self, someone: Any = FULL, **more: Any) -> Reading:
        reading = self.reading(someone, **more)
        patient = self.adapter.find_patient(reading)
        assert patient is not None
        return reading.found(patient)

    def read(self, section: str, reading: Reading) -> Section:
        return collect(lambda: getattr(self.adapter, f"read_{section}")(reading))

    def close(self) -> None:
        self.wire.close()
        self.host.stop()


@pytest.fixture(params=sorted(ADAPTERS))
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    system = Served(request.param)
    yield system
    system.close()


@pytest.fixture
def facade() -> Iterator[Served]:
    system = Served("rio-fhir")
    yield system
    system.close()


@pytest.fixture
def extracts() -> Iterator[Served]:
    system = Served("rio-extract")
    yield system
    system.close()


def sections(spec: AdapterSpec) -> list[str]:
    return [str(name) for name in SectionName if spec.support(Capability(f"read_{name}")) is Support.FULL]


def test_everybody_is_found_under_the_number_that_is_asked_for(served: Served) -> None:
    for someone in PEOPLE:
        patient = served.adapter.find_patient(served.reading(someone))
        assert patient is not None, someone.role
        held = someone.patient_at("rio")
        assert patient.nhs_number == held.nhs_number
        assert patient.birth_date == held.birth_date
        assert patient.name.family == held.name.family  # type: ignore[union-attr]
        assert patient.restriction is None


def test_the_facade_tells_everything_that_the_twin_holds(facade: Served) -> None:
    held = FULL.systems["rio"].items
    reading = facade.found()
    for section in sections(facade.spec):
        found = facade.read(section, reading)
        expected = {item.source.id for item in held.get(SectionName(section), ())}
        assert (found.error, found.refusals) == (None, []), section
        assert {item.source.id for item in found.items} == expected, section
    # And in pages.
    asked = sum(exchange.label == "Condition.search" for exchange in facade.recorder.exchanges)
    assert asked == len(held[SectionName.PROBLEMS]) > 1


def test_the_extracts_tell_the_same_plans_and_notes(extracts: Served) -> None:
    held = FULL.systems["rio"].items
    reading = extracts.found()
    plans = {item.source.id.partition("#")[2]: item for item in extracts.read("care_plans", reading).items}
    for plan in held[SectionName.CARE_PLANS]:
        told = plans[plan.source.id.rpartition("/")[2]]
        for part in ("about_me", "strengths", "needs", "goals", "actions", "formulation"):
            lines = [line.description for line in getattr(plan, part)]
            assert [
                line.description[: len(text)] for line, text in zip(getattr(told, part), lines, strict=True)
            ] == lines
        assert [len(c.triggers) for c in told.contingency] == [len(c.triggers) for c in plan.contingency]  # type: ignore[attr-defined]
        assert (told.created, told.review, told.status) == (plan.created, plan.review, plan.status)  # type: ignore[attr-defined]
    notes = extracts.read("notes", reading).items
    assert [note.text for note in notes] == [note.text.strip() for note in held[SectionName.NOTES]]  # type: ignore[attr-defined]
    assert notes[0].source.as_of == datetime(2025, 9, 1, 5, tzinfo=UTC)


def test_the_twin_writes_the_same_extracts_as_files(tmp_path: Path) -> None:
    twin = RioExtractTwin(PEOPLE)
    written = twin.write(tmp_path)
    assert set(written) == set(tables(PEOPLE))
    token = {"Authorization": "Bearer rio-extract-sandbox"}
    for name, path in written.items():
        assert path.read_bytes() == twin.handle(TwinRequest.of("GET", f"/{name}.csv", token)).body


def test_the_caseload_verifies_in_the_sandbox(served: Served) -> None:
    verified = served.adapter.verify_relationship(served.reading())
    assert "RRE" in verified.how
    assert "Older Adults" not in verified.how
    assert (
        served.adapter.verify_relationship(served.reading(who=WHO.model_copy(update={"organisation": "RXX"}))) is None
    )
    assert served.adapter.verify_relationship(served.reading(person("sparse"))) is None


def test_client_ids_are_resolved(served: Served) -> None:
    patient = served.found().patient
    assert patient is not None
    own = next(i for i in patient.identifiers if i.system == CLIENT_ID_SYSTEM)
    reading = served.reading(nhs_number=None)
    assert served.adapter.resolve_identifier(reading, own) == FULL.nhs_number
    assert served.adapter.resolve_identifier(reading, own.model_copy(update={"value": "nobody"})) is None


WIRE_FAULTS = {
    Fault.REFUSED: Unreachable,
    Fault.SERVER_ERROR: SystemFailed,
    Fault.TOO_MANY_REQUESTS: RateLimited,
    Fault.TRUNCATED: AnswerRejected,
    Fault.MALFORMED: AnswerRejected,
    Fault.OVERSIZED: AnswerRejected,
    Fault.WRONG_TYPE: AnswerRejected,
    Fault.STALE_TOKEN: NotPermitted,
}


@pytest.mark.parametrize("fault", WIRE_FAULTS)
def test_every_fault_is_an_error_that_says_nothing_of_the_person(
    served: Served, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reading = served.found()
    served.twin.faults.set(fault)
    errors: list[AdapterError | None] = []
    try:
        served.adapter.find_patient(served.reading())
    except AdapterError as error:
        errors.append(error)
    for section in sections(served.spec)[:3]:
        errors.append(served.read(section, replace(served.reading(), patient=reading.patient)).error)
    assert len(errors) == 4
    for error in errors:
        # A truncated answer may be told from a lost connection or not.
        assert isinstance(error, WIRE_FAULTS[fault] if fault is not Fault.TRUNCATED else AdapterError), repr(error)
    said = "\n".join([caplog.text, *(f"{e!r} {e} {e.__cause__!r}" for e in errors if e)])
    leaked = [value for value in seeded_values(FULL) if value in said]
    assert not leaked


@pytest.mark.parametrize("fault", [Fault.SLOW, Fault.DRIP, Fault.TIMEOUT])
def test_a_system_that_keeps_one_waiting_is_left(served: Served, fault: Fault) -> None:
    served.twin.faults.set(fault)
    with pytest.raises(TimedOut):
        served.adapter.find_patient(served.reading(seconds=0.3))


@pytest.mark.parametrize("fault", [Fault.DROPPED_PAGE, Fault.REPEATED_PAGE, Fault.LYING_TOTAL])
def test_lost_pages_are_noticed_and_what_came_is_kept(facade: Served, fault: Fault) -> None:
    reading = facade.found()
    facade.twin.faults.set(fault)
    found = facade.read("problems", reading)
    assert found.items
    assert isinstance(found.error, AnswerRejected)


def test_somebody_elses_data_is_refused(served: Served) -> None:
    reading = served.found()
    served.twin.faults.set(Fault.WRONG_PATIENT)
    wrong = 0
    for section in sections(served.spec):
        found = served.read(section, replace(served.reading(), patient=reading.patient))
        assert found.items == [], section
        wrong += sum(refusal.wrong_person for refusal in found.refusals)
    assert wrong


def test_the_wrong_patient_is_not_found(facade: Served) -> None:
    facade.twin.faults.set(Fault.WRONG_PATIENT)
    with pytest.raises(WrongPerson, match="not the one who was asked for"):
        facade.adapter.find_patient(facade.reading())


def test_no_refusal_or_notice_of_the_sandbox_holds_a_value(served: Served) -> None:
    for someone in PEOPLE:
        reading = served.found(someone)
        for section in sections(served.spec):
            found = served.read(section, reading)
            said = repr([(r.place, r.rule, r) for r in found.refusals]) + repr(found.notices) + repr(found.error)
            assert not [value for value in seeded_values(someone) if value in said]


def test_connections_are_checked_without_naming_anybody(served: Served) -> None:
    assert [step.ok for step in served.adapter.check_connection(served.wire)] == [True]
    served.twin.faults.set(Fault.STALE_TOKEN)
    [step] = served.adapter.check_connection(served.wire)
    assert not step.ok
    assert step.advice
    assert not [e for e in served.recorder.exchanges if "csv" in (e.url or "") or "Patient" in (e.url or "")]


# The facade twin itself


def ask(twin: RioFacadeTwin, target: str) -> Any:
    response = twin.handle(TwinRequest.of("GET", target, {"Authorization": f"Bearer {twin.token}"}))
    return response.status, json.loads(response.body)


def test_the_twin_answers_a_read_and_pages_of_any_size() -> None:
    twin = RioFacadeTwin(PEOPLE)
    twin.page_size = 50
    local_id = FULL.systems["rio"].local_id
    assert ask(twin, f"/FHIR/R4/Patient/{local_id}")[1]["id"] == local_id
    bundle = ask(twin, f"/FHIR/R4/Observation?patient=Patient/{local_id}&_count=1")[1]
    assert len(bundle["entry"]) == 1
    assert "_offset=1" in bundle["link"][1]["url"]
    whole = ask(twin, f"/FHIR/R4/Observation?patient=Patient/{local_id}")[1]
    assert len(whole["entry"]) == whole["total"] == bundle["total"]


def test_the_twin_finds_episodes_of_care_by_their_status() -> None:
    view = FULL.systems["rio"]
    (opened,) = view.settings["caseload"]
    caseload = (opened, opened | {"closed": "2024-05-01"}, opened)
    someone = replace(FULL, systems={"rio": replace(view, settings={"caseload": caseload})})
    found = {
        query: ask(RioFacadeTwin([someone]), f"/FHIR/R4/EpisodeOfCare?patient={view.local_id}{query}")[1]
        for query in ("", "&status=active", "&status=finished")
    }
    assert [bundle["total"] for bundle in found.values()] == [3, 2, 1]
    episode = found["&status=finished"]["entry"][0]["resource"]
    assert episode["period"] == {"start": opened["opened"], "end": "2024-05-01"}
    assert episode["patient"]["reference"] == f"Patient/{view.local_id}"
    assert episode["careManager"]["display"] == opened["practitioner"]


def test_every_item_has_this_systems_source(served: Served) -> None:
    reading = served.found()
    for section in sections(served.spec):
        for item in served.read(section, reading).items:
            assert isinstance(item, Item)
            assert item.source.system == "rio"
            assert item.source.mode == ("extract" if served.spec.name == "rio-extract" else "live")
