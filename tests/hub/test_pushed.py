"""A hub with an inbox: what a hospital pushes is mapped, traced and shown, and a silent feed is a gap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mpftconnect import AccessContext, Hub
from mpftconnect.adapters import PushedAdapter, reads_pushed
from mpftconnect.adapters.contract import AdapterContext, AdapterSpec, Capability, Reading, Trace, TriedAgainst, only
from mpftconnect.errors import ConfigurationError, GapReason, SystemFailed
from mpftconnect.events import EventStream
from mpftconnect.governance.exclusion import exclusion_spec
from mpftconnect.hub import load_configuration
from mpftconnect.hub.feed_configuration import load_feeds
from mpftconnect.inbox import Answering
from mpftconnect.model import HumanName, Identifier, PartialDate, Patient, SectionName
from mpftconnect.pages import record_page
from mpftconnect.plugins import Plugin, PluginRegistry

ADA, STRANGER = "9990000018", "9990000042"
WHO = AccessContext(
    user="u", name="N", role="nurse", organisation="RRE", purpose="direct-care", relationship="caseload"
)
AGREEMENT = {
    "name": "ISA",
    "parties": ["RRE"],
    "purposes": ["direct-care"],
    "sections": ["all"],
    "expires": "2099-01-01",
}
HIV = "86406008"


@dataclass
class HospitalAdapter:
    """All that an adapter of pushed records needs."""

    context: AdapterContext

    def find_patient(self, reading: Reading) -> Patient | None:
        assert self.context.inbox is not None and reading.nhs_number is not None
        return next(iter(self.context.inbox.patients(reading.nhs_number)), None)

    def check_connection(self, wire: Any) -> Any:
        return ()

    def read_results(self, reading: Reading) -> Iterator[Any]:
        assert self.context.inbox is not None and reading.nhs_number is not None
        yield from self.context.inbox.read(reading.nhs_number, SectionName.RESULTS)

    def read_encounters(self, reading: Reading) -> Iterator[Any]:
        assert self.context.inbox is not None and reading.nhs_number is not None
        yield from self.context.inbox.read(reading.nhs_number, SectionName.ENCOUNTERS)


class PushingHospital(PushedAdapter):
    """The same by the class that plugins use."""

    read_results = reads_pushed(SectionName.RESULTS)
    read_encounters = reads_pushed(SectionName.ENCOUNTERS)


class Tracer:
    """A tracing service that knows Ada, unless it is down."""

    def __init__(self) -> None:
        self.down = False
        self.asked: list[str] = []

    def find_patient(self, reading: Reading) -> Patient:
        return self._ada(reading)

    def check_connection(self, wire: Any) -> Any:
        return ()

    def trace_person(self, reading: Reading) -> Trace:
        self.asked.append(reading.nhs_number or "")
        if self.down:
            raise SystemFailed("status 503")
        return Trace("found", self._ada(reading)) if reading.nhs_number == ADA else Trace("not-found")

    @staticmethod
    def _ada(reading: Reading) -> Patient:
        return Patient(
            source=reading.source("Patient/1"),
            identifiers=(Identifier.nhs(ADA),),
            names=(HumanName(family="Testworth"),),
            birth_date=PartialDate("1950-03-04"),
            restriction="U",
        )


def adt(control: str, trigger: str = "A01", *, nhs: str = ADA, at: str = "20260102090000", more: str = "") -> bytes:
    pid = f"PID|1||{nhs}^^^NHS^NH~M1^^^ZZ1^MR||TESTWORTH^ADA||19500304|F"
    head = f"MSH|^~\\&|PAS|ZZ1|MPFT|RRE|{at}||ADT^{trigger}|{control}|P|2.4"
    visit = f"PV1|1|I|WARD7^BAY2{'|' * 16}V77{'|' * 25}{at}"
    return f"{head}\rEVN|{trigger}|{at}\r{pid}\r{visit}\r{more}".encode()


def oru(control: str, value: str, status: str = "F", *, at: str = "20260102100000") -> bytes:
    pid = f"PID|1||{ADA}^^^NHS^NH~M1^^^ZZ1^MR||TESTWORTH^ADA||19500304|F"
    head = f"MSH|^~\\&|LAB|ZZ1|MPFT|RRE|{at}||ORU^R01|{control}|P|2.4"
    obr = f"OBR|1|P1^PAS|F1^LAB|U&E^Urea and electrolytes^L|||{at}|||||||||||||||{at}|||{status}"
    obx = f"OBX|1|NM|K^Potassium^L||{value}|mmol/L|3.5-5.3||||{status}|||{at}"
    return f"{head}\r{pid}\r{obr}\r{obx}\r".encode()


@dataclass
class Bench:
    hub: Hub
    tracer: Tracer
    table: dict[str, Any]
    registry: PluginRegistry

    def take(self, *messages: bytes) -> None:
        assert self.hub.inbox is not None
        for each in messages:
            self.hub.inbox.receive(each)
        self.hub.inbox.process()

    def record(self) -> Any:
        return self.hub.record(ADA, WHO)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    with ExitStack() as stack:

        def make(
            inbox: dict[str, Any] | None = None,
            policies: list[dict[str, Any]] | None = None,
            adapter: Any = HospitalAdapter,
        ) -> Bench:
            tracer = Tracer()
            specs = (
                _spec("tracing", lambda context: tracer, Capability.TRACE_PERSON),
                _spec("hospital", adapter, Capability.READ_RESULTS, Capability.READ_ENCOUNTERS),
            )
            registry = PluginRegistry((Plugin("p", "p", "1", None, specs, (), (exclusion_spec,), ()),))
            table = _table(tmp_path, inbox, policies)
            settled = load_configuration(table, registry, sandbox=True)
            return Bench(stack.enter_context(Hub(settled, events=EventStream())), tracer, table, registry)

        yield make


def _spec(name: str, open_: Any, *offered: Capability) -> AdapterSpec:
    return AdapterSpec(
        name=name,
        supplier="S",
        product="P",
        tried_against=TriedAgainst("nothing"),
        endpoint="none",
        capabilities=only(Capability.FIND_PATIENT, *offered),
        open=open_,
    )


def _table(folder: Path, inbox: dict[str, Any] | None, policies: list[dict[str, Any]] | None) -> dict[str, Any]:
    feed = {"system": "hospital", "expected_minutes": 60, "agreement": AGREEMENT}
    return {
        "version": 1,
        "state": str(folder / "state"),
        "systems": {
            "tracing": {"adapter": "tracing", "environment": "test", "agreement": AGREEMENT},
            "hospital": {"adapter": "hospital", "environment": "test", "agreement": AGREEMENT},
        },
        "inbox": {
            "store": str(folder / "inbox"),
            "who": {**WHO.model_dump(exclude_none=True), "user": "listener", "relationship": "feed"},
            "feeds": {
                "pas": {**feed, "senders": [{"application": "PAS", "facility": "ZZ1"}], "sections": ["encounters"]},
                "lab": {**feed, "senders": [{"application": "LAB", "facility": "ZZ1"}], "sections": ["results"]},
            },
            **(inbox or {}),
        },
        "policies": policies or [],
        **{
            trail: {
                "store": str(folder / trail / "trail.sqlite"),
                "anchor": str(folder / f"{trail}-anchor" / "a.jsonl"),
                "fallback": str(folder / f"{trail}-fallback" / "f.jsonl"),
                "key": {"value": digit * 64},
            }
            for trail, digit in (("audit", "1"), ("privacy", "2"))
        },
    }


def test_a_record_shows_what_the_hospital_pushed(bench):
    one = bench()
    one.take(adt("1"), oru("2", "4.20"))
    record = one.record()
    (result,) = record.results
    assert str(result.value.value) == "4.20" and result.source.system == "hospital" and result.source.mode == "feed"
    assert len(record.encounters) == 1 and record.gaps == ()
    assert "hospital" in [joined.system for joined in record.joined]
    # A correction replaces it, and a withdrawal stays visible as such.
    one.take(oru("3", "4.60", "C", at="20260102110000"))
    assert [str(each.value.value) for each in one.record().results] == ["4.60"]
    one.take(oru("4", "4.60", "W", at="20260102120000"))
    (withdrawn,) = one.record().results
    assert withdrawn.withdrawn


def test_an_overdue_feed_is_a_gap_on_what_it_serves(bench):
    one = bench()
    one.take(adt("1"), oru("2", "4.20"))
    inbox = one.hub.inbox
    late = datetime.now(UTC) + timedelta(minutes=61)
    inbox._clock = lambda: late
    record = one.record()
    gaps = {gap.section: gap for gap in record.gaps}
    assert set(gaps) == {SectionName.RESULTS, SectionName.ENCOUNTERS}
    gap = gaps[SectionName.RESULTS]
    assert gap.reason == GapReason.FEED_OVERDUE and gap.detail.startswith("last heard ")
    assert "last heard" in gap.words() and "may be out of date" in gap.words()
    assert record.results.status == "partial" and len(record.results) == 1
    assert "last heard" in record_page(record)


def test_an_unknown_person_is_parked_and_a_silent_tracing_service_is_waited_for(bench):
    one = bench()
    one.take(adt("1", nhs=STRANGER))
    assert [entry.reason for entry in one.hub.inbox.store.entries(["parked"])] == ["nhs-number-unknown"]
    one.tracer.down = True
    one.take(oru("2", "4.20"))
    assert one.hub.inbox.process().waiting
    one.tracer.down = False
    one.hub.inbox.process()
    assert [entry.control_id for entry in one.hub.inbox.store.entries(["processed"])] == ["2"]
    # Every question to the tracing service is in the audit trail, with whom it was about and how it ended.
    told = [str(entry.event) for entry in one.hub.audit.entries()]
    for reason in ("trace-unknown", "trace-system-failed"):
        assert any(reason in each for each in told)
    asked = len(one.tracer.asked)
    one.hub.inbox.replay()
    assert len(one.tracer.asked) == asked


def test_what_is_excluded_is_in_the_privacy_stream_alone(bench):
    one = bench(policies=[{"policy": "never-shown"}])
    (reply,) = Answering(one.hub.inbox)([adt("SECRETNUMBER", more=f"DG1|1||{HIV}^x^SCT\r")])
    assert b"MSA|AA|SECRETNUMBER" in reply.answers[0]
    (entry,) = one.hub.privacy.entries()
    text = str(entry.event)
    assert "SECRETNUMBER" in text and "message-not-kept" in text
    assert ADA not in text and HIV not in text and "TESTWORTH" not in text
    assert list(one.hub.audit.entries()) == []
    assert list(one.hub.inbox.store.entries(["received", "processed", "parked"])) == []


def test_mistakes_of_a_configuration_are_said_at_once(bench, tmp_path: Path):
    one = bench()
    feeds = one.table["inbox"]["feeds"]
    bad = {
        **one.table,
        "inbox": {
            "key": {"env": "NOT_SET_ANYWHERE"},
            "feeds": {
                "pas": {**feeds["pas"], "system": "nowhere"},
                "bad name": {**feeds["pas"], "senders": [{"application": "X"}]},
                "twin": feeds["pas"],
                "sited": {**feeds["lab"], "site": "none.toml"},
            },
        },
    }
    with pytest.raises(ConfigurationError) as wrong:
        load_configuration(bad, one.registry, sandbox=True)
    said = "\n".join(wrong.value.problems)
    for expected in (
        *("inbox.who", "inbox.key", "inbox.feeds.pas.system"),
        *("inbox.feeds.bad name", "has the same", "feeds.sited.site"),
    ):
        assert expected in said, said


def test_a_file_of_feeds_alone_is_enough_to_listen(bench):
    one = bench()
    alone = {key: one.table[key] for key in ("version", "inbox")}
    known = load_feeds(alone, one.registry)
    assert known.whole is None and known.privacy is None and set(known.inbox.settings.feeds) == {"pas", "lab"}
    with pytest.raises(ConfigurationError, match="nonsense: no such setting"):
        load_feeds({**alone, "nonsense": 1}, one.registry)
    with pytest.raises(ConfigurationError, match="inbox: field required"):
        load_feeds({"version": 1}, one.registry)


def test_what_came_under_another_number_of_the_same_person_is_theirs(bench):
    """A laboratory has numbers of its own, and a merge gives one person two: to the inbox all of it is one person's."""
    one = bench(adapter=PushingHospital)
    of_the_laboratory = oru("2", "4.20").replace(b"M1^^^ZZ1^MR", b"L77^^^LAB^MR")
    without_nhs_number = (
        oru("4", "4.90", at="20260102110000")
        .replace(b"P1^PAS|F1", b"P2^PAS|F2")
        .replace(f"{ADA}^^^NHS^NH~M1".encode(), b"M0")
    )
    merge = adt("3", "A40").replace(b"PV1|", b"MRG|M0^^^ZZ1^MR\rPV1|")
    one.take(adt("1"), of_the_laboratory, merge, without_nhs_number)
    record = one.record()
    assert sorted(str(each.value.value) for each in record.results) == ["4.20", "4.90"]
    assert record.gaps == () and record.unmatched == () and len(record.encounters) == 1


def test_a_listener_that_keeps_messages_from_being_stored_needs_an_account_of_that(bench, tmp_path: Path):
    """Else a message would be acknowledged, not kept, and written down nowhere."""
    one = bench(policies=[{"policy": "never-shown", "settings": {"codes": [HIV]}}])
    alone = {key: one.table[key] for key in ("version", "inbox", "policies")}
    with pytest.raises(ConfigurationError, match="privacy: expected, since a silent policy"):
        load_feeds(alone, one.registry)
    (tmp_path / "key").write_text("3" * 64)
    privacy = {**one.table["privacy"], "key": {"file": str(tmp_path / "key")}}
    assert load_feeds({**alone, "privacy": privacy}, one.registry).privacy is not None
