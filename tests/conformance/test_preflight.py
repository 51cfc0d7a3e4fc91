"""What is missing is said before any check, as what it is: test data, environment or configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mpftconnect.adapters import Endpoint
from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.conformance import CauseKind, Status, VerifiedBy
from mpftconnect.conformance.catalog import Catalog, Chosen
from mpftconnect.conformance.definitions import Definitions
from mpftconnect.conformance.demonstration import supplier_of_twin
from mpftconnect.conformance.preflight import missing_before
from mpftconnect.conformance.reporting.document import report_of
from mpftconnect.conformance.run import Run, standing
from mpftconnect.conformance.supplier import AuthSettings, Supplier
from mpftconnect.events import Code, Event, EventStream
from mpftconnect.plugins import PluginRegistry
from mpftconnect.sandbox import PEOPLE

PACK = "uk-core-r4"


def twin_supplier(registry: PluginRegistry) -> tuple[Supplier, Any]:
    spec = registry.twins["uk-core"]
    twin = spec.build(PEOPLE)
    return supplier_of_twin(spec, twin, "http://twin.invalid", PEOPLE), twin


def codes(supplier: Supplier, catalog: Catalog) -> dict[str, str]:
    found = missing_before(supplier, catalog.choose([PACK]).requirements, catalog.checks)
    return {finding.code: finding.kind for finding in found}


def test_nothing_is_missing_of_a_twin(registry: PluginRegistry, catalog: Catalog) -> None:
    assert codes(twin_supplier(registry)[0], catalog) == {}


def test_each_thing_that_is_missing_is_said_as_what_it_is(registry: PluginRegistry, catalog: Catalog) -> None:
    supplier, _ = twin_supplier(registry)
    unconfirmed = {"full": replace(supplier.people["full"], entered="")}
    bare = replace(supplier, people=unconfirmed, endpoint=None, auth=AuthSettings(kind="bearer"))
    assert codes(bare, catalog) == {
        "address-missing": "configuration",
        "secret-missing": "environment",
        "person-missing": "test-data",
        "sheet-unconfirmed": "test-data",
    }


def test_findings_come_before_any_requirement_and_are_not_its_failure(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    supplier, twin = twin_supplier(registry)
    without = replace(supplier, people={"full": supplier.people["full"]})
    events: list[Event] = []
    result = Run(
        without,
        catalog.choose([PACK]),
        catalog.checks,
        events=EventStream([events.append]),
        transport=TwinTransport(twin, "http://twin.invalid"),
        definitions=definitions,
    ).go()
    order = [event.code for event in events if event.code in (Code.PREFLIGHT_FINDING, Code.REQUIREMENT_STARTED)]
    assert order[0] is Code.PREFLIGHT_FINDING
    by = {j.requirement.ref: j.outcome for j in result.judged}
    assert by["UKC-08"].status is Status.NOT_TESTED
    assert by["UKC-08"].cause is not None
    assert by["UKC-08"].cause.kind is CauseKind.TEST_DATA
    assert by["UKC-06"].status is Status.PASS


def test_nothing_is_sent_where_credentials_are_missing(registry: PluginRegistry, catalog: Catalog) -> None:
    supplier, twin = twin_supplier(registry)
    transport = TwinTransport(twin, "http://twin.invalid")
    lacking = replace(supplier, auth=AuthSettings(kind="client-credentials"))
    result = Run(lacking, catalog.choose([PACK]), catalog.checks, transport=transport).go()
    assert transport.asked == ()
    assert {j.outcome.status for j in result.judged} == {Status.NOT_TESTED}
    assert report_of(result, catalog.checks)["packs"][0]["verdict"] == "undetermined"


def test_must_support_that_nobody_confirms_to_have_entered_is_test_data(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    supplier, twin = twin_supplier(registry)
    twin.faults.set("must-support-dropped")
    people = {**supplier.people, "full": replace(supplier.people["full"], entered="")}
    result = Run(
        replace(supplier, people=people),
        catalog.choose([PACK], only=["uk-core-r4#6"]),
        catalog.checks,
        transport=TwinTransport(twin, "http://twin.invalid"),
        definitions=definitions,
    ).go()
    outcome = result.judged[0].outcome
    assert outcome.status is Status.INCONCLUSIVE
    assert outcome.cause is not None
    assert outcome.cause.kind is CauseKind.TEST_DATA
    assert outcome.findings


def test_what_does_not_bind_or_is_not_offered_is_not_asked_for(registry: PluginRegistry, catalog: Catalog) -> None:
    supplier, _ = twin_supplier(registry)
    requirement = catalog.requirement("UKC-09")
    check = catalog.checks[requirement.id]
    consumer = replace(supplier, subject=replace(supplier.subject, actors=("consumer",)))
    other = replace(supplier, subject=replace(supplier.subject, offers=("documents",)))
    read_only = replace(supplier, subject=replace(supplier.subject, allow_writes=False))
    for changed, status in ((consumer, Status.NOT_APPLICABLE), (other, Status.NOT_OFFERED)):
        outcome = standing(requirement, check, changed)
        assert outcome is not None
        assert outcome.status is status
    writing = catalog.requirement("UKC-07")
    outcome = standing(writing, catalog.checks[writing.id], read_only)
    assert outcome is not None
    assert outcome.status is Status.NOT_TESTED
    assert standing(requirement, check, supplier) is None


def test_a_base_url_alone_is_enough_to_begin(registry: PluginRegistry) -> None:
    spec = registry.adapter("fhir-r4")
    assert spec.secrets == ()
    assert Endpoint(base_url="https://fhir.example/r4").environment == "live"


def test_a_named_person_attests_what_no_check_can_see(registry: PluginRegistry, catalog: Catalog) -> None:
    supplier, twin = twin_supplier(registry)
    pack = catalog.packs[PACK]
    stated = replace(pack.requirements[0], verified_by=VerifiedBy.ATTESTATION)
    chosen = Chosen((pack,), (stated,))
    checks = {name: check for name, check in catalog.checks.items() if name != stated.id}
    answers = {
        None: Status.NOT_TESTED,
        "Yes": Status.NOT_TESTED,
        ("A. Name", ""): Status.NOT_TESTED,
        ("A. Name", "2026-11-25"): Status.ATTESTED,
    }
    for answer, expected in answers.items():
        said: Any = answer
        if isinstance(answer, tuple):
            said = {"attested_by": answer[0], "date": answer[1], "text": "It is so."}
        given = replace(supplier, answers={stated.ref: said} if said else {})
        result = Run(given, chosen, checks, transport=TwinTransport(twin, "http://twin.invalid")).go()
        assert result.judged[0].outcome.status is expected, answer
    assert report_of(result, checks)["packs"][0]["verdict"] == "undetermined"  # attested is not observed
