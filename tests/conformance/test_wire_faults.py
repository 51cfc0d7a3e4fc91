"""Whatever the wire does, a run ends, and nothing of it is reported as a requirement that failed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mpftconnect.adapters import WIRE_FAULTS, Fault, Twin, TwinRequest, TwinResponse
from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.conformance import CauseKind, Check, Evidence, Outcome, Probe, Status
from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.definitions import Definitions
from mpftconnect.conformance.demonstration import supplier_of_twin
from mpftconnect.conformance.guard import RealPersonSeen
from mpftconnect.conformance.reporting.document import report_of
from mpftconnect.conformance.run import Run, RunResult
from mpftconnect.conformance.supplier import Supplier
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
    touched = [finding for finding in document["environment"] if finding["code"] == "at-fault"]
    assert 1 <= len(touched) <= 2  # asked and refused; not asked any more
    assert any("401" in finding["words"] for finding in document["environment"])


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
