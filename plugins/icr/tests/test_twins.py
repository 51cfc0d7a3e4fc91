"""Both twins over real HTTP: what they tell, and what their faults do."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_plus

import pytest

import mpftconnect_icr
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
from mpftconnect.model import DocumentReference, Item, SectionName
from mpftconnect.sandbox import PEOPLE, FaultTiming, Host, person, seeded_values
from mpftconnect_icr.settings import PATIENT_NUMBER_SYSTEM

from .conftest import WHO, Section, collect

ADAPTERS = {spec.name: spec for spec in mpftconnect_icr.mpft_adapters()}
TWINS = {spec.name: spec for spec in mpftconnect_icr.mpft_twins()}
TIMING = FaultTiming(slow_seconds=3.0, drip_seconds=0.05)
FULL = person("full")


class Served:
    """One twin and the adapter that reads it, over a socket."""

    def __init__(self, name: str, deadline_seconds: float = 20.0) -> None:
        self.name = name
        self.spec: AdapterSpec = ADAPTERS[TWINS[name].adapter]
        self.twin: Any = TWINS[name].build(PEOPLE)
        self.host = Host(self.twin, timing=TIMING)
        self.host.start()
        table = TWINS[name].configure(self.twin, self.host.base_url)
        self.events = EventStream([log_listener])
        self.recorder = MemoryRecorder(limit=500)
        endpoint = Endpoint(
            base_url=table["endpoint"],
            environment="test",
            retries=0,
            max_bytes=1_000_000,
            deadline_seconds=deadline_seconds,
        )
        self.wire = Wire(name, endpoint, events=self.events, recorder=self.recorder)
        assert self.spec.settings is not None
        self.adapter: Any = self.spec.open(
            AdapterContext(
                name=name,
                environment="test",
                settings=self.spec.settings.model_validate(table["settings"]),
                secret=table["secrets"].__getitem__,
                wire=self.wire,
                events=self.events,
            )
        )

    def reading(self, someone: Any = FULL, seconds: float = 20.0, **more: Any) -> Reading:
        deadline = Deadline.after(seconds)
        given = {
            "system": self.name,
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


@pytest.fixture(params=sorted(TWINS))
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    system = Served(request.param)
    yield system
    system.close()


@pytest.fixture
def region() -> Iterator[Served]:
    system = Served("icr")
    yield system
    system.close()


@pytest.fixture
def border() -> Iterator[Served]:
    system = Served("icr-border")
    yield system
    system.close()


def sections(spec: AdapterSpec) -> list[str]:
    offered = (Support.FULL, Support.PARTIAL)
    return [str(name) for name in SectionName if spec.support(Capability(f"read_{name}")) in offered]


def test_everybody_is_found_as_the_record_has_them(served: Served) -> None:
    for someone in PEOPLE:
        patient = served.adapter.find_patient(served.reading(someone))
        if served.name not in someone.systems:
            assert patient is None, someone.role
            continue
        assert patient is not None, someone.role
        held = someone.patient_at(served.name)
        assert patient.nhs_number == held.nhs_number
        assert patient.birth_date == held.birth_date
        assert patient.name.family == held.name.family
        assert patient.restriction is None
        assert patient.source.id == f"Patient/{someone.systems[served.name].local_id}"


def test_they_tell_everything_that_they_hold(served: Served) -> None:
    for someone in PEOPLE:
        if served.name not in someone.systems:
            continue
        held = someone.systems[served.name].items
        assert {str(name) for name in held} <= set(sections(served.spec))
        reading = served.found(someone)
        for section in sections(served.spec):
            found = served.read(section, reading)
            assert (found.error, found.refusals, found.notices) == (None, [], []), (someone.role, section)
            expected = held.get(SectionName(section), ())
            assert sorted(i.words() for i in found.items) == sorted(i.words() for i in expected), someone.role


def test_what_the_region_tells_is_what_its_people_hold(region: Served) -> None:
    """Beyond the words: status, dates, amounts and organisations come through the rows as they were written."""
    reading = region.found()
    told = {item.words(): item for section in sections(region.spec) for item in region.read(section, reading).items}
    for items in FULL.systems["icr"].items.values():
        for item in items:
            other = told[item.words()]
            for field in ("status", "clinical_status", "effective", "issued", "value", "period", "start", "performers"):
                if getattr(item, field, None):
                    seen, meant = getattr(other, field), getattr(item, field)
                    if field == "clinical_status":
                        seen, meant = seen.coding[0].code, meant.coding[0].code
                    assert seen == meant, (item.words(), field)
    letter = next(item for item in told.values() if isinstance(item, DocumentReference))
    (attachment,) = letter.attachments
    assert attachment.data_base64 == FULL.systems["icr"].items[SectionName.DOCUMENTS][0].attachments[0].data_base64  # type: ignore[attr-defined]


def test_the_region_is_asked_by_detail_ids_and_never_by_number(region: Served) -> None:
    reading = region.found()
    for section in sections(region.spec):
        region.read(section, reading)
    urls = [unquote_plus(exchange.url or "") for exchange in region.recorder.exchanges]
    assert urls
    assert not [url for url in urls if FULL.nhs_number in url]
    assert [e.label for e in region.recorder.exchanges][:2] == ["token", "find-patient"]
    asked = {url.partition("?")[0].rpartition("/")[2] for url in urls if "/gp/" in url}
    assert asked == {record["detail_id"] for record in FULL.systems["icr"].settings["records"]}
    # And in pages.
    assert sum(exchange.label == "adt-episodes" for exchange in region.recorder.exchanges) > len(asked)


def test_the_secrets_are_in_no_evidence(served: Served) -> None:
    reading = served.found()
    served.read("allergies", reading)
    text = " ".join(str(getattr(e, name)) for e in served.recorder.exchanges for name in e.__slots__)
    secrets = [getattr(served.twin, name, None) for name in ("subscription_key", "client_secret", "token")]
    assert not [secret for secret in secrets if secret and secret in text]


def test_local_numbers_are_resolved(region: Served) -> None:
    patient = region.found().patient
    assert patient is not None
    own = next(i for i in patient.identifiers if i.system == PATIENT_NUMBER_SYSTEM)
    reading = region.reading(nhs_number=None)
    assert region.adapter.resolve_identifier(reading, own) == FULL.nhs_number
    assert region.adapter.resolve_identifier(reading, own.model_copy(update={"value": "nobody"})) is None


def test_the_border_keeps_a_superseded_number(border: Served) -> None:
    former = person("superseded")
    patient = border.found(former).patient
    assert patient is not None
    assert patient.nhs_number == former.former_numbers[0]
    assert border.adapter.find_patient(border.reading(former, former_numbers=())) is None


def test_a_letter_beyond_the_border_is_fetched(border: Served) -> None:
    reading = border.found()
    (letter,) = border.read("documents", reading).items
    (attachment,) = letter.attachments
    got = border.adapter.fetch_document(reading, letter, attachment)
    assert got.content_type == "text/plain"
    assert got.data.startswith(b"Right hip replaced")
    binary = attachment.model_copy(update={"content_type": "application/fhir+json"})
    as_resource = border.adapter.fetch_document(reading, letter, binary)
    assert json.loads(as_resource.data)["resourceType"] == "Binary"
    with pytest.raises(AnswerRejected, match="status 404"):
        border.adapter.fetch_document(reading, letter, attachment.model_copy(update={"url": "Binary/nobody"}))


def test_the_twins_refuse_what_they_should(region: Served, border: Served) -> None:
    key = {"Ocp-Apim-Subscription-Key": region.twin.subscription_key}
    for request, status in (
        (TwinRequest.of("POST", "/ccapi/demographics/patients/search", {}, b"{}"), 401),
        (TwinRequest.of("POST", "/ccapi/demographics/patients/search", key, b"{}"), 401),
        (TwinRequest.of("POST", "/ccapi/oauth/token", {}, b"grant_type=password"), 401),
        (TwinRequest.of("GET", "/ccapi/oauth/token"), 401),
    ):
        assert region.twin.handle(request).status == status
    form = f"grant_type=client_credentials&client_id={region.twin.client_id}&client_secret={region.twin.client_secret}"
    token = json.loads(region.twin.handle(TwinRequest.of("POST", "/ccapi/oauth/token", {}, form.encode())).body)
    assert "expires_in" not in token
    signed = key | {"Authorization": f"Bearer {token['access_token']}"}
    for request, status in (
        (TwinRequest.of("POST", "/ccapi/demographics/patients/search", signed, b"["), 400),
        (TwinRequest.of("POST", "/ccapi/demographics/patients/search", signed, b"{}"), 400),
        (TwinRequest.of("GET", f"/ccapi/alerts/{FULL.nhs_number}", signed), 404),
        (TwinRequest.of("GET", "/ccapi/alerts/x", signed), 404),
        (TwinRequest.of("GET", "/ccapi/nothing", signed), 404),
        (TwinRequest.of("GET", "/ccapi/alerts/77410018", signed), 200),
    ):
        assert region.twin.handle(request).status == status, request.path
    bearer = {"Authorization": f"Bearer {border.twin.token}"}
    said = json.loads(border.twin.handle(TwinRequest.of("GET", "/UKCore/R4/metadata", bearer)).body)
    types = {resource["type"] for resource in said["rest"][0]["resource"]}
    assert {"AllergyIntolerance", "CarePlan"} <= types
    assert not {"Basic", "Consent", "CareTeam"} & types
    for path, status in (("CareTeam?patient=br-7740018", 404), ("Binary/nobody", 404)):
        assert border.twin.handle(TwinRequest.of("GET", f"/UKCore/R4/{path}", bearer)).status == status


WIRE_FAULTS = {
    Fault.REFUSED: Unreachable,
    Fault.SERVER_ERROR: SystemFailed,
    Fault.TOO_MANY_REQUESTS: RateLimited,
    Fault.TRUNCATED: AdapterError,
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
        assert isinstance(error, WIRE_FAULTS[fault]), repr(error)
    said = "\n".join([caplog.text, *(f"{e!r} {e} {e.__cause__!r}" for e in errors if e)])
    assert not [value for value in seeded_values(FULL) if value in said]


@pytest.mark.parametrize("fault", [Fault.SLOW, Fault.DRIP, Fault.TIMEOUT])
def test_a_system_that_keeps_one_waiting_is_left(served: Served, fault: Fault) -> None:
    served.twin.faults.set(fault)
    with pytest.raises(TimedOut):
        served.adapter.find_patient(served.reading(seconds=0.3))


@pytest.mark.parametrize("fault", [Fault.DROPPED_PAGE, Fault.REPEATED_PAGE, Fault.LYING_TOTAL])
def test_lost_pages_are_noticed_and_what_came_is_kept(served: Served, fault: Fault) -> None:
    reading = served.found()
    section = "encounters" if served.name == "icr" else "results"
    if served.name == "icr-border":
        served.twin.page_size = 1
    served.twin.faults.set(fault)
    found = served.read(section, reading)
    assert found.items
    assert isinstance(found.error, AnswerRejected)


def test_somebody_elses_data_is_refused(served: Served) -> None:
    reading = served.found()
    served.twin.faults.set(Fault.WRONG_PATIENT)
    with pytest.raises(WrongPerson):
        served.adapter.find_patient(served.reading())
    taken: list[Item] = []
    for section in sections(served.spec):
        taken += served.read(section, replace(served.reading(), patient=reading.patient)).items
    assert taken == []


def test_rows_of_another_record_under_the_right_detail_id_are_refused_where_they_can_be_told(region: Served) -> None:
    """The reading has found its person, and only then the server mixes people up."""
    reading = region.found()
    region.twin.faults.set(Fault.WRONG_PATIENT)
    mixed = region.read("alerts", reading)
    assert mixed.items == []
    assert mixed.refusals
    assert all(refusal.wrong_person for refusal in mixed.refusals)
