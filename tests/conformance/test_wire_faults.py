"""Whatever the wire does, a run ends, and nothing of it is reported as a requirement that failed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.adapters import WIRE_FAULTS, Fault, Twin, TwinRequest, TwinResponse, Wire
from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.conformance import CauseKind, Check, Evidence, Outcome, Probe, ProbeEnded, Recorded, Status
from mpftconnect.conformance.breaker import Breaker
from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.definitions import Definitions
from mpftconnect.conformance.demonstration import supplier_of_twin
from mpftconnect.conformance.guard import RealPersonSeen
from mpftconnect.conformance.probe import Ledger, Tap
from mpftconnect.conformance.reporting.document import report_of
from mpftconnect.conformance.run import Run, RunResult
from mpftconnect.conformance.supplier import Supplier
from mpftconnect.errors import GapReason
from mpftconnect.events import Code, Event, EventStream
from mpftconnect.plugins import PluginRegistry
from mpftconnect.sandbox import PEOPLE, FaultTiming, Host, Sandbox

PACK = "uk-core-r4"
QUICK = FaultTiming(slow_seconds=3, drip_seconds=0.02, retry_after_seconds=30, oversized_bytes=1 << 22)


def impatient(supplier: Supplier) -> Supplier:
    assert supplier.endpoint is not None
    return replace(supplier, endpoint=replace(supplier.endpoint, deadline_seconds=0.4, retries=1, max_bytes=300_000))


@pytest.mark.parametrize("fault", sorted(WIRE_FAULTS))
def test_every_fault_of_the_wire_ends_undecided(
    fault: Fault, registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    with Sandbox(registry, only=["uk-core"], faults={"uk-core": [fault]}, timing=QUICK) as sandbox:
        spec, twin = registry.twins["uk-core"], sandbox.twins["uk-core"]
        supplier = impatient(supplier_of_twin(spec, twin, sandbox.hosts["uk-core"].base_url, PEOPLE))
        result = Run(supplier, catalog.choose([PACK]), catalog.checks, run_seconds=60, definitions=definitions).go()
    statuses = {judged.requirement.id: judged.outcome.status for judged in result.judged}
    assert Status.FAIL not in statuses.values()
    assert Status.ERROR not in statuses.values()
    if fault is Fault.SERVER_ERROR_ONCE:  # what passes by itself is tried again, but for what would be done twice
        assert statuses.pop("uk-core-r4#7") is Status.INCONCLUSIVE
        assert set(statuses.values()) == {Status.PASS}
        return
    assert set(statuses.values()) <= {Status.INCONCLUSIVE, Status.NOT_TESTED}
    for judged in result.judged:
        assert judged.outcome.cause is not None
        assert judged.outcome.cause.kind is not CauseKind.SUPPLIER
    document = report_of(result, catalog.checks)
    assert document["packs"][0]["verdict"] == "undetermined"


def run_on(
    answer: Callable[[TwinRequest, Twin], TwinResponse],
    registry: PluginRegistry,
    catalog: Catalog,
    definitions: Definitions,
    *,
    events: EventStream | None = None,
    only: list[str] | None = None,
    checks: dict[str, Check] | None = None,
) -> RunResult:
    spec = registry.twins["uk-core"]
    inner = spec.build(PEOPLE)

    class Changed:
        faults = inner.faults

        def handle(self, request: TwinRequest) -> TwinResponse:
            return answer(request, inner)

    transport = TwinTransport(Changed(), "http://twin.invalid")
    supplier = supplier_of_twin(spec, inner, "http://twin.invalid", PEOPLE)
    return Run(
        supplier,
        catalog.choose([PACK], only=only),
        checks or catalog.checks,
        events=events or EventStream(),
        transport=transport,
        definitions=definitions,
    ).go()


def test_a_storm_of_401_is_one_finding_of_the_environment(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    asked = []

    def refuse(request: TwinRequest, inner: Twin) -> TwinResponse:
        asked.append(request.path)
        return TwinResponse(401, {"Content-Type": "application/fhir+json"}, b'{"resourceType": "OperationOutcome"}')

    document = report_of(run_on(refuse, registry, catalog, definitions), catalog.checks)
    assert document["packs"][0]["verdict"] == "undetermined"
    assert len(asked) < 10
    (found,) = document["environment"]  # asked first, asked and refused, not asked any more: one thing to mend
    assert found["kind"] == "environment" and "401" in found["words"] and "secrets" in found["mend"]
    assert found["requirements"] == [row["id"] for row in document["results"]]
    assert {row["outcome"]["cause"]["kind"] for row in document["results"]} == {"environment"}


LIES = {
    "a list": b"[]",
    "null": b"null",
    "a number": b"17",
    "nested deep": b'{"a":' * 2000 + b"1" + b"}" * 2000,
    "the same name twice": b'{"resourceType":"Bundle","resourceType":"Patient"}',
    "entries of the wrong type": b'{"resourceType":"Bundle","type":"searchset","entry":[1,null,{"resource":[]},{}]}',
    "entry no list": b'{"resourceType":"Bundle","type":"searchset","entry":{"a":1},"link":"x","total":"y"}',
    "codes of the wrong type": json.dumps(
        {
            "resourceType": "Bundle",
            "type": "searchset",
            "entry": [
                {"resource": {"resourceType": "Patient", "id": 7, "name": 3, "identifier": "x", "meta": []}},
                {"resource": {"resourceType": "Condition", "id": {}, "code": {"coding": "x"}, "subject": []}},
            ],
        }
    ).encode(),
    "rest of the wrong type": b'{"resourceType":"CapabilityStatement","rest":{"resource":7},"format":3}',
    "half a surrogate": b'{"resourceType":"Patient","id":"\\ud800"}',
}


@pytest.mark.parametrize("lie", sorted(LIES))
def test_a_lying_system_crashes_nothing(
    lie: str, registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    def answer(request: TwinRequest, inner: Twin) -> TwinResponse:
        return TwinResponse(200, {"Content-Type": "application/fhir+json"}, LIES[lie])

    result = run_on(answer, registry, catalog, definitions)
    assert len(result.judged) == 13
    assert [j.outcome for j in result.judged if j.outcome.status is Status.ERROR] == []
    report_of(result, catalog.checks)


def test_a_lie_in_one_place_crashes_nothing(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    """Each element of the clean answers, replaced by something of another type, in turn."""

    def spoil(value: object, number: list[int]) -> object:
        number[0] -= 1
        if number[0] == 0:
            return {"x": [1, None, "y"]} if not isinstance(value, dict) else 7
        if isinstance(value, dict):
            return {key: spoil(part, number) for key, part in value.items()}
        return [spoil(part, number) for part in value] if isinstance(value, list) else value

    for place in range(2, 60, 7):

        def answer(request: TwinRequest, inner: Twin, place: int = place) -> TwinResponse:
            said = inner.handle(request)
            if not said.body:
                return said
            return replace(said, body=json.dumps(spoil(json.loads(said.body), [place])).encode())

        result = run_on(answer, registry, catalog, definitions)
        assert [j.outcome for j in result.judged if j.outcome.status is Status.ERROR] == [], place


def test_a_real_looking_person_stops_the_run_and_leaves_nothing(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    def answer(request: TwinRequest, inner: Twin) -> TwinResponse:
        said = inner.handle(request)
        return replace(said, body=said.body.replace(b"9990000018", b"4010232137"))

    events: list[Event] = []
    with pytest.raises(RealPersonSeen) as raised:
        run_on(answer, registry, catalog, definitions, events=EventStream([events.append]))
    assert "4010232137" not in str(raised.value)
    assert events[-1].reason == "real-person-seen"


def test_a_check_that_raises_is_our_error_and_costs_no_other(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    def broken(evidence: Evidence) -> Outcome:
        raise ZeroDivisionError("Wolfenstein")

    def broken_probe(probe: Probe) -> None:
        raise KeyError("Wolfenstein")

    checks = dict(catalog.checks)
    checks["uk-core-r4#1"] = replace(checks["uk-core-r4#1"], judge=broken)
    checks["uk-core-r4#5"] = replace(checks["uk-core-r4#5"], probe=broken_probe)
    result = run_on(lambda request, inner: inner.handle(request), registry, catalog, definitions, checks=checks)
    by = {j.requirement.id: j.outcome for j in result.judged}
    assert by["uk-core-r4#1"].status is by["uk-core-r4#5"].status is Status.ERROR
    assert by["uk-core-r4#1"].cause is not None
    assert by["uk-core-r4#1"].cause.kind is CauseKind.HARNESS
    assert by["uk-core-r4#6"].status is Status.PASS
    assert "Wolfenstein" not in json.dumps(report_of(result, checks))


def test_an_interrupted_run_gives_a_partial_report(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    def stop(evidence: Evidence) -> Outcome:
        raise KeyboardInterrupt

    checks = dict(catalog.checks)
    checks["uk-core-r4#6"] = replace(checks["uk-core-r4#6"], judge=stop)
    result = run_on(lambda request, inner: inner.handle(request), registry, catalog, definitions, checks=checks)
    assert result.partial == "interrupted"
    by = {j.requirement.id: j.outcome.status for j in result.judged}
    assert by["uk-core-r4#1"] is Status.PASS
    assert by["uk-core-r4#6"] is by["uk-core-r4#15"] is Status.NOT_TESTED
    assert report_of(result, checks)["run"]["partial"] == "interrupted"


def test_in_live_nothing_of_a_patient_is_asked(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    spec = registry.twins["uk-core"]
    twin = spec.build(PEOPLE)
    transport = TwinTransport(twin, "http://twin.invalid")
    supplier = supplier_of_twin(spec, twin, "http://twin.invalid", PEOPLE)
    assert supplier.endpoint is not None
    live = replace(
        supplier,
        subject=replace(supplier.subject, environment="live"),
        endpoint=replace(supplier.endpoint, environment="live"),
    )
    result = Run(live, catalog.choose([PACK]), catalog.checks, transport=transport, definitions=definitions).go()
    assert {request.path for request in transport.asked} == {"/fhir/metadata"}
    by = {j.requirement.id: j.outcome.status for j in result.judged}
    assert by.pop("uk-core-r4#1") is Status.PASS
    assert set(by.values()) == {Status.NOT_TESTED}
    assert all(each.response_body is None and each.dropped for each in result.exchanges)


def test_progress_comes_before_anything_is_asked(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    events: list[Event] = []
    first_asked: list[int] = []

    def answer(request: TwinRequest, inner: Twin) -> TwinResponse:
        first_asked.append(len(events))
        return inner.handle(request)

    run_on(answer, registry, catalog, definitions, events=EventStream([events.append]), only=["uk-core-r4#1"])
    assert events[0].code is Code.RUN_STARTED
    assert first_asked[0] >= 1
    assert [e.code for e in events if e.step == "uk-core-r4#1"] == [
        Code.REQUIREMENT_STARTED,
        Code.REQUIREMENT_JUDGED,
    ]


def test_a_hung_system_holds_no_thread(registry: PluginRegistry, catalog: Catalog, definitions: Definitions) -> None:
    before = threading.active_count()
    spec = registry.twins["uk-core"]
    twin = spec.build(PEOPLE)
    twin.faults.set(Fault.TIMEOUT)
    with Host(twin) as host:
        supplier = impatient(supplier_of_twin(spec, twin, host.base_url, PEOPLE))
        chosen = catalog.choose([PACK], only=["uk-core-r4#1"])
        Run(supplier, chosen, catalog.checks, definitions=definitions).go()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(5)
    assert sum(not t.daemon for t in threading.enumerate()) <= before


def test_the_report_of_a_run_holds_no_person_of_the_sandbox(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions, tmp_path: Path
) -> None:
    result = run_on(lambda request, inner: inner.handle(request), registry, catalog, definitions)
    text = json.dumps(report_of(result, catalog.checks)) + repr(
        [(e.url, e.request_headers, e.response_headers, e.request_body, e.response_body) for e in result.exchanges]
    )
    for value in ("9990000018", "Threlkeld", "Quillfeather", "1951-03-12", "01632 960018", "uk-core-full", "ZZ99 7TK"):
        assert value not in text, value


def test_a_pass_over_half_of_a_record_is_none(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    """One search fails; what the others gave is clean, and nothing may pass that stands on them all."""

    def answer(request: TwinRequest, inner: Twin) -> TwinResponse:
        if request.path == "/fhir/Immunization":
            return TwinResponse(503, {"Content-Type": "text/plain"}, b"down")
        return inner.handle(request)

    result = run_on(answer, registry, catalog, definitions)
    by = {j.requirement.ref: j.outcome.status for j in result.judged}
    assert by.pop("UKC-01") is by.pop("UKC-07") is Status.PASS  # these do not ask for it
    assert set(by.values()) == {Status.INCONCLUSIVE}


def test_a_judge_that_sees_another_thing_after_redaction_is_our_error(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    def by_name(evidence: Evidence) -> Outcome:
        body = evidence.one("Patient of full").response_body or b""
        return Outcome.passed(1 if b"Threlkeld" in body else 0)

    checks = dict(catalog.checks)
    checks["uk-core-r4#6"] = replace(checks["uk-core-r4#6"], judge=by_name)
    result = run_on(
        lambda request, inner: inner.handle(request),
        registry,
        catalog,
        definitions,
        checks=checks,
        only=["uk-core-r4#6"],
    )
    outcome = result.judged[0].outcome
    assert outcome.status is Status.ERROR
    assert "redaction changed the outcome" in outcome.reason


def exchange(status: int | None, *, error: str | None = None) -> Recorded:
    return Recorded(id="x", step="s", method="GET", url="https://f.example", status=status, error=error)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502, 503, 504])
def test_a_refusal_or_a_breakdown_points_at_the_environment(status: int) -> None:
    trouble = exchange(status).trouble()
    assert trouble is not None
    assert trouble.status is Status.INCONCLUSIVE
    assert trouble.cause is not None
    assert trouble.cause.kind is CauseKind.ENVIRONMENT


@pytest.mark.parametrize("reason", list(GapReason))
def test_whatever_went_wrong_on_the_way_is_inconclusive(reason: GapReason) -> None:
    trouble = exchange(None, error=str(reason)).trouble()
    assert trouble is not None
    assert trouble.status is Status.INCONCLUSIVE


def test_an_answer_of_2xx_is_no_trouble() -> None:
    assert exchange(200).trouble() is None


def test_the_breaker_opens_after_the_same_trouble_three_times() -> None:
    breaker = Breaker()
    for status in (503, 503, 200, 503, 503, 429):
        breaker.saw(exchange(status))
    breaker.gate()
    for _ in range(3):
        breaker.saw(exchange(429))
    with pytest.raises(ProbeEnded) as ended:
        breaker.gate()
    assert ended.value.kind == "breaker"


def test_a_refusal_opens_it_only_until_somebody_was_let_in() -> None:
    breaker = Breaker()
    for _ in range(2):
        breaker.saw(exchange(401))
    breaker.saw(exchange(200))
    for _ in range(9):
        breaker.saw(exchange(403))
    breaker.gate()
    stranger = Breaker()
    for _ in range(9):
        stranger.saw(exchange(401), credentials=False)
    stranger.gate()
    other = Breaker()
    for _ in range(3):
        other.saw(exchange(401))
    with pytest.raises(ProbeEnded):
        other.gate()


def probe_of(registry: PluginRegistry, *, patient: bool = True, **changes: Any) -> Probe:
    spec = registry.twins["uk-core"]
    twin = spec.build(PEOPLE)
    supplier = supplier_of_twin(spec, twin, "http://twin.invalid", PEOPLE)
    assert supplier.endpoint is not None
    tap = Tap()
    transport = TwinTransport(twin, "http://twin.invalid")
    wire = Wire("twin", supplier.endpoint, events=EventStream(), recorder=tap, transport=transport)
    subject = replace(supplier.subject, **changes)
    return Probe(wire, tap, subject=subject, people={}, ledger=Ledger(), keep=lambda recorded: None, patient=patient)


def test_a_probe_asks_nothing_of_a_patient_in_live(registry: PluginRegistry) -> None:
    live = probe_of(registry, environment="live")
    with pytest.raises(ProbeEnded) as ended:
        live.get("Patient", step="Patient of full")
    assert ended.value.kind == "live"
    assert probe_of(registry, environment="live", patient=False).get("metadata", step="metadata").status == 401


def test_a_probe_changes_nothing_without_leave(registry: PluginRegistry) -> None:
    for act in (
        lambda p: p.post("Observation", json={}, step="create"),
        lambda p: p.delete("Observation/1", step="remove"),
    ):
        with pytest.raises(ProbeEnded) as ended:
            act(probe_of(registry))  # the check does not declare that it writes
        assert ended.value.kind == "writes"
    assert probe_of(registry).post("Observation/_search", data="a=b", reads=True, step="search").status == 401


def test_the_same_request_of_a_step_is_sent_once(registry: PluginRegistry) -> None:
    probe = probe_of(registry)
    first = probe.get("metadata", step="metadata")
    assert probe.get("metadata", step="metadata") is first
    assert probe.get("metadata", step="metadata", again=True).id != first.id
    assert probe.get("metadata", step="another step").id != first.id
