"""The pack open-api on the twin of UK Core: every named fault is caught, and there is no false alarm."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from mpftconnect.adapters import WIRE_FAULTS, Fault, Twin, TwinRequest, TwinResponse
from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.conformance import Status
from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.definitions import Definitions
from mpftconnect.conformance.demonstration import supplier_of_twin
from mpftconnect.conformance.power.named import twin_run
from mpftconnect.conformance.reporting.document import report_of
from mpftconnect.conformance.run import Run, RunResult
from mpftconnect.errors import UsageError
from mpftconnect.plugins import PluginRegistry
from mpftconnect.sandbox import PEOPLE, FaultTiming, Sandbox
from mpftconnect_conformance.twins.uk_core_oas import oas

PACK = "open-api"
QUICK = FaultTiming(slow_seconds=3, drip_seconds=0.02, retry_after_seconds=30, oversized_bytes=1 << 22)


@pytest.fixture(scope="module")
def clean(registry: PluginRegistry, catalog: Catalog, definitions: Definitions) -> dict[str, Status]:
    result = twin_run(registry.twins["uk-core"], catalog.choose([PACK]), catalog, definitions=definitions)
    return {judged.requirement.id: judged.outcome.status for judged in result.judged}


def test_the_clean_twin_raises_no_alarm(clean: dict[str, Status]) -> None:
    assert {id_: status for id_, status in clean.items() if status is not Status.PASS} == {
        "open-api#4": Status.EVIDENCE_FOUND,
        "open-api#15": Status.EVIDENCE_FOUND,
    }


FAULTS = sorted(
    (catch.fault, check.name)
    for check in __import__("mpftconnect_conformance.checks.open_api", fromlist=["CHECKS"]).CHECKS
    for catch in check.catches
)


@pytest.mark.parametrize(("fault", "requirement"), FAULTS, ids=[fault for fault, _ in FAULTS])
def test_a_named_fault_is_caught(
    fault: str, requirement: str, registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    chosen = catalog.choose([PACK], only=[requirement])
    result = twin_run(registry.twins["uk-core"], chosen, catalog, faults=[fault], definitions=definitions)
    outcome = result.judged[0].outcome
    assert outcome.status is Status.FAIL, outcome
    assert outcome.cause is not None
    assert outcome.findings


def test_an_empty_system_leaves_everything_undecided(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    result = twin_run(registry.twins["uk-core"], catalog.choose([PACK]), catalog, empty=True, definitions=definitions)
    asking = {j.requirement.id: j.outcome.status for j in result.judged if catalog.checks[j.requirement.id].probe}
    assert {id_: status for id_, status in asking.items() if status is not Status.INCONCLUSIVE} == {}


def run_on(
    answer: Callable[[TwinRequest, Twin], TwinResponse],
    registry: PluginRegistry,
    catalog: Catalog,
    *,
    only: list[str] | None = None,
    faults: Sequence[str] = (),
) -> RunResult:
    spec = registry.twins["uk-core"]
    inner = spec.build(PEOPLE)
    inner.faults.set(*faults)

    class Changed:
        faults = inner.faults
        tls = inner.tls

        def handle(self, request: TwinRequest) -> TwinResponse:
            return answer(request, inner)

    supplier = supplier_of_twin(spec, inner, "http://twin.invalid", PEOPLE)
    transport = TwinTransport(Changed(), "http://twin.invalid")
    return Run(supplier, catalog.choose([PACK], only=only), catalog.checks, transport=transport).go()


def document_of(body: bytes, kind: str = "application/json") -> Callable[[TwinRequest, Twin], TwinResponse]:
    def answer(request: TwinRequest, inner: Twin) -> TwinResponse:
        if request.path == "/fhir/openapi.json":
            return TwinResponse(200, {"Content-Type": kind}, body)
        return inner.handle(request)

    return answer


def with_reference(reference: str) -> bytes:
    root = oas(["Flag", "Condition"])
    root["paths"]["/Condition"]["get"]["responses"]["4XX"] = {"$ref": reference}
    return json.dumps(root).encode()


CIRCLE = {"openapi": "3.0.3", "info": {"title": "x", "version": "1.0.0"}, "paths": {"/x": {"$ref": "#/paths/~1x"}}}
BOMB = b"a: &a [1,1,1,1,1,1,1,1,1,1]\n" + b"".join(
    b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 10)) for c in range(ord("b"), ord("j"))
)
# What open-api#1 says of each, and nothing but twin.invalid is ever asked.
HOSTILE = {
    "file reference": (with_reference("file:///etc/passwd"), Status.FAIL),
    "reference to another host": (with_reference("https://elsewhere.invalid/a.json#/x"), Status.INCONCLUSIVE),
    "reference beside": (with_reference("../a.json"), Status.INCONCLUSIVE),
    "circle": (json.dumps(CIRCLE).encode(), Status.FAIL),
    "bomb": (BOMB, Status.INCONCLUSIVE),
    "huge": (b'{"openapi": "' + b"3" * 6_000_000 + b'"}', Status.INCONCLUSIVE),
    "deep": (b'{"a":' * 5000 + b"1" + b"}" * 5000, Status.FAIL),
    "wrong types": (
        b'{"openapi": 3, "info": [], "paths": {"/x": {"get": {"responses": 7, "parameters": {}}}}}',
        Status.FAIL,
    ),
    "a list": (b"[]", Status.FAIL),
    "no text": (b"openapi: \xff\xfe", Status.FAIL),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_document_crashes_nothing_and_nothing_is_fetched_for_it(
    name: str, registry: PluginRegistry, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_socket(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.create_connection", no_socket)
    monkeypatch.setattr("socket.socket.connect", no_socket)
    body, expected = HOSTILE[name]
    result = run_on(document_of(body), registry, catalog)
    by = {judged.requirement.id: judged.outcome for judged in result.judged}
    assert [outcome for outcome in by.values() if outcome.status is Status.ERROR] == []
    assert by["open-api#1"].status is expected, by["open-api#1"]
    assert by["open-api#5"].status is not Status.FAIL
    assert by["open-api#14"].status is Status.PASS  # one bad document spoils no other requirement


def test_a_sign_in_page_is_no_document_and_no_failure(registry: PluginRegistry, catalog: Catalog) -> None:
    page = document_of(b"<html><title>Sign in</title></html>", "text/html")
    result = run_on(page, registry, catalog, only=["open-api#1", "open-api#9"])
    assert {judged.outcome.status for judged in result.judged} == {Status.INCONCLUSIVE}


def test_without_the_extra_it_is_not_tested_with_the_line_that_installs_it(
    registry: PluginRegistry, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "schemathesis", None)
    monkeypatch.setitem(sys.modules, "yaml", None)
    result = run_on(lambda request, inner: inner.handle(request), registry, catalog, only=["open-api#5"])
    outcome = result.judged[0].outcome
    assert outcome.status is Status.NOT_TESTED
    assert "pip install 'mpftconnect[api]'" in outcome.reason
    result = run_on(document_of(b"openapi: 3.0.3\n"), registry, catalog, only=["open-api#1", "open-api#9"])
    assert {judged.outcome.status for judged in result.judged} == {Status.NOT_TESTED}
    assert all("pip install 'mpftconnect[api]'" in judged.outcome.reason for judged in result.judged)


def test_generated_requests_are_few_and_get_alone(registry: PluginRegistry, catalog: Catalog) -> None:
    asked: list[TwinRequest] = []

    def answer(request: TwinRequest, inner: Twin) -> TwinResponse:
        asked.append(request)
        return inner.handle(request)

    result = run_on(answer, registry, catalog, only=["open-api#5"])
    made = [each for each in result.exchanges if each.step.startswith("generated ")]
    assert 10 <= len(made) <= 30
    assert {request.method for request in asked} == {"GET"}
    assert all(request.path.startswith("/fhir/") for request in asked)


def test_a_generated_number_that_could_be_a_persons_is_not_sent(
    registry: PluginRegistry, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The generator offers one by parameter, one by path and one for testing: only that one is sent."""
    offered = [
        ("generated 1.0", "Condition", [("patient", "4010232137")]),
        ("generated 1.1", "Condition/4010232137", []),
        ("generated 1.2", "Condition", [("patient", "9990000018")]),
    ]
    monkeypatch.setattr("mpftconnect_conformance.checks.open_api.generated._cases", lambda document: iter(offered))
    result = run_on(lambda request, inner: inner.handle(request), registry, catalog, only=["open-api#5"])
    assert [each.step for each in result.exchanges if each.step.startswith("generated ")] == ["generated 1.2"]


def test_in_live_nothing_of_a_patient_is_asked(registry: PluginRegistry, catalog: Catalog) -> None:
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
    result = Run(live, catalog.choose([PACK]), catalog.checks, transport=transport).go()
    assert {request.path for request in transport.asked} <= {
        "/fhir/metadata",
        "/fhir/openapi.json",
        "/fhir/.well-known/smart-configuration",
    }
    by = {judged.requirement.ref: judged.outcome.status for judged in result.judged}
    assert by["OAPI-01"] is by["OAPI-03"] is Status.PASS
    assert {by["OAPI-02"], by["OAPI-05"], by["OAPI-06"]} == {Status.NOT_TESTED}


@pytest.mark.parametrize("fault", sorted(WIRE_FAULTS))
def test_no_fault_of_the_wire_is_a_failed_requirement(fault: Fault, registry: PluginRegistry, catalog: Catalog) -> None:
    with Sandbox(registry, only=["uk-core"], faults={"uk-core": [fault]}, timing=QUICK) as sandbox:
        supplier = supplier_of_twin(
            registry.twins["uk-core"], sandbox.twins["uk-core"], sandbox.hosts["uk-core"].base_url, PEOPLE
        )
        assert supplier.endpoint is not None
        quick = replace(supplier.endpoint, deadline_seconds=0.4, retries=1, max_bytes=300_000)
        result = Run(replace(supplier, endpoint=quick), catalog.choose([PACK]), catalog.checks, run_seconds=60).go()
    statuses = {judged.requirement.ref: judged.outcome.status for judged in result.judged}
    assert Status.FAIL not in statuses.values(), statuses
    assert Status.ERROR not in statuses.values(), statuses


def test_the_fingerprint_stands_in_the_target(registry: PluginRegistry, catalog: Catalog) -> None:
    result = run_on(lambda request, inner: inner.handle(request), registry, catalog, only=["open-api#3"])
    target = report_of(result, catalog.checks)["target"]
    assert target == {
        "host": "twin.invalid",
        "certificate_sha256": "00" * 32,
        "version_reported": "1",
        "version_agrees": True,
    }


def test_dtac_reads_what_this_pack_found(registry: PluginRegistry, catalog: Catalog) -> None:
    assert {"open-api#1", "open-api#4"} <= {r.id for r in catalog.pack(PACK).requirements}
    assert [pack.name for pack in catalog.choose(["dtac-2.0", PACK]).packs] == [PACK, "dtac-2.0"]


PRESETS = {
    "patient-record-supplier": {"uk-core-r4", "open-api", "dtac-2.0", "mpft-safety"},
    "patient-app": {"open-api", "dtac-2.0"},
    "nhs-api-consumer": {"dtac-2.0"},
    "documents-only": {"open-api", "dtac-2.0", "mpft-local"},
    "feed-sender": {"hl7v2-uk", "dtac-2.0"},
    "procurement-minimum": {"uk-core-r4", "open-api", "dtac-2.0"},
}


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_preset_takes_its_packs_as_far_as_they_are_installed(preset: str, catalog: Catalog) -> None:
    taken = {pack.name for pack in catalog.choose(preset=preset).packs}
    wanted = PRESETS[preset] & set(catalog.packs)
    assert wanted <= taken


def test_a_pack_that_is_not_installed_is_a_clear_error(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match="no such pack: nowhere"):
        catalog.choose(["nowhere"])


def test_a_demonstration_of_every_pack_raises_no_alarm(registry: PluginRegistry, catalog: Catalog) -> None:
    """Over the socket, where the twin has no encryption: that requirement alone of the pack stays undecided."""
    with Sandbox(registry, only=["uk-core"]) as sandbox:
        spec, twin = registry.twins["uk-core"], sandbox.twins["uk-core"]
        supplier = supplier_of_twin(spec, twin, sandbox.hosts["uk-core"].base_url, PEOPLE)
        names = [name for name in ("uk-core-r4", PACK, "dtac-2.0", "mpft-local") if name in catalog.packs]
        result = Run(supplier, catalog.choose(names), catalog.checks).go()
    by = {judged.requirement.ref: judged.outcome.status for judged in result.judged}
    assert {ref for ref, status in by.items() if status in (Status.FAIL, Status.ERROR)} == set()
    undecided = {ref for ref, status in by.items() if status is Status.INCONCLUSIVE}
    assert {ref for ref in undecided if ref.startswith("OAPI")} == {"OAPI-03"}
    assert by["DTAC-C4.1.1"] is Status.ATTESTED
