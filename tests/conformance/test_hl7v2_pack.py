"""The pack hl7v2-uk on its twins: named faults caught, no false alarm, nothing decided by an empty or broken peer."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.conformance import Status
from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.guard import RealPersonSeen
from mpftconnect.conformance.power.mutations import mutants_of
from mpftconnect.conformance.power.named import twin_run
from mpftconnect.conformance.reporting.document import report_of
from mpftconnect.conformance.reporting.folder import read_folder, write_folder
from mpftconnect.conformance.reporting.rejudge import rejudge
from mpftconnect.conformance.run import Run, RunResult
from mpftconnect.conformance.supplier_file import supplier_from
from mpftconnect.plugins import PluginRegistry
from mpftconnect.sandbox import PEOPLE
from mpftconnect_conformance.checks.hl7v2_uk import CHECKS
from mpftconnect_conformance.twins.hl7v2_receiver import ReceiverTwin
from mpftconnect_conformance.twins.hl7v2_sender import SenderTwin
from mpftconnect_conformance.twins.mllp_line import WIRE

PACK = "hl7v2-uk"
TWINS = ("hl7v2-receiver", "hl7v2-sender")
FAULTS = sorted((catch.twin, catch.fault, check.name) for check in CHECKS for catch in check.catches)


def statuses(result: RunResult) -> dict[str, Status]:
    return {
        judged.requirement.ref: judged.outcome.status
        for judged in result.judged
        if judged.outcome.status is not Status.NOT_APPLICABLE and judged.requirement.ref != "V2-10"
    }


@pytest.fixture(scope="module", params=TWINS)
def clean(request: pytest.FixtureRequest, registry: PluginRegistry, catalog: Catalog) -> RunResult:
    return twin_run(registry.twins[request.param], catalog.choose([PACK]), catalog)


def test_the_clean_twin_raises_no_alarm(clean: RunResult) -> None:
    assert {ref: status for ref, status in statuses(clean).items() if status is not Status.PASS} == {}


@pytest.mark.parametrize(("twin", "fault", "requirement"), FAULTS, ids=[f"{t}-{f}" for t, f, _ in FAULTS])
def test_a_named_fault_is_caught(
    twin: str, fault: str, requirement: str, registry: PluginRegistry, catalog: Catalog
) -> None:
    chosen = catalog.choose([PACK], only=[requirement])
    result = twin_run(registry.twins[twin], chosen, catalog, faults=[fault])
    assert result.judged[0].outcome.status is Status.FAIL, result.judged[0].outcome


@pytest.mark.parametrize("twin", TWINS)
def test_an_empty_system_leaves_everything_undecided(twin: str, registry: PluginRegistry, catalog: Catalog) -> None:
    result = twin_run(registry.twins[twin], catalog.choose([PACK]), catalog, empty=True)
    assert set(statuses(result).values()) <= {Status.INCONCLUSIVE, Status.NOT_TESTED}


@pytest.mark.parametrize("fault", WIRE)
def test_a_broken_line_decides_nothing_against_the_product(
    fault: str, registry: PluginRegistry, catalog: Catalog
) -> None:
    chosen = catalog.choose([PACK], only=["hl7v2-uk#1", "hl7v2-uk#7", "hl7v2-uk#8", "hl7v2-uk#12"])
    result = twin_run(registry.twins["hl7v2-receiver"], chosen, catalog, faults=[fault])
    assert set(statuses(result).values()) <= {Status.INCONCLUSIVE, Status.NOT_TESTED}, statuses(result)


def test_a_lie_is_no_acknowledgement(registry: PluginRegistry, catalog: Catalog) -> None:
    chosen = catalog.choose([PACK], only=["hl7v2-uk#2"])
    result = twin_run(registry.twins["hl7v2-receiver"], chosen, catalog, faults=["line-lies"])
    assert statuses(result) == {"V2-02": Status.FAIL}


def test_nobody_listens(registry: PluginRegistry, catalog: Catalog, tmp_path: Path) -> None:
    supplier = supplier_from(_table(tmp_path, receiver={"host": "127.0.0.1", "port": 1, "answer_seconds": 0.5}))
    result = Run(supplier, catalog.choose([PACK]), catalog.checks).go()
    assert set(statuses(result).values()) <= {Status.INCONCLUSIVE, Status.NOT_TESTED, Status.NOT_APPLICABLE}
    assert Status.INCONCLUSIVE in statuses(result).values()


def _table(folder: Path, **mllp: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "product": {"name": "P", "version": "1", "supplier": "S", "ods": "ZZ999", "actors": list(mllp)},
        "target": {"environment": "test", "allow_writes": True},
        "authorised_by": {"name": "N", "organisation": "O", "date": "2025-09-01", "scope": "all"},
        "people": {"full": {"nhs_number": "9990000018", "entered": "2025-09-01"}},
        "mllp": mllp,
    }


def test_what_cannot_be_looked_at_is_not_tested(catalog: Catalog, tmp_path: Path) -> None:
    twin = ReceiverTwin(PEOPLE)
    try:
        line = {"host": "127.0.0.1", "port": twin.line.port, "answer_seconds": 1.0}
        found = statuses(
            Run(supplier_from(_table(tmp_path, receiver=line)), catalog.choose([PACK]), catalog.checks).go()
        )
    finally:
        twin.close()
    unseen = {ref for ref, status in found.items() if status is Status.NOT_TESTED}
    assert unseen == {"V2-03", "V2-04", "V2-05", "V2-06", "V2-09", "V2-14"}
    assert {status for ref, status in found.items() if ref not in unseen} == {Status.PASS}


def test_a_real_persons_message_stops_the_run(catalog: Catalog, tmp_path: Path) -> None:
    twin = SenderTwin(PEOPLE)
    twin.close()
    (tmp_path / "1.hl7").write_bytes(twin.messages()[0].replace(b"9990000018", b"9434765919"))
    supplier = supplier_from(_table(tmp_path, sender={"recorded": ["1.hl7"]}), folder=tmp_path)
    with pytest.raises(RealPersonSeen):
        Run(supplier, catalog.choose([PACK]), catalog.checks).go()


def test_messages_that_the_supplier_gives_are_judged_without_a_line(catalog: Catalog, tmp_path: Path) -> None:
    twin = SenderTwin(PEOPLE)
    twin.close()
    for number, raw in enumerate(twin.messages()):
        (tmp_path / f"{number}.hl7").write_bytes(raw)
    supplier = supplier_from(_table(tmp_path, sender={"recorded": ["."]}), folder=tmp_path)
    found = statuses(Run(supplier, catalog.choose([PACK]), catalog.checks).go())
    assert found.pop("V2-07") is Status.NOT_TESTED  # how they were framed is not in a file
    assert set(found.values()) == {Status.PASS}


def test_a_live_environment_is_sent_nothing(catalog: Catalog, tmp_path: Path) -> None:
    table = _table(tmp_path, receiver={"host": "127.0.0.1", "port": 1})
    table["target"]["environment"] = "live"
    result = Run(supplier_from(table), catalog.choose([PACK]), catalog.checks).go()
    assert set(statuses(result).values()) == {Status.NOT_TESTED}
    assert result.exchanges == ()


def test_without_leave_to_write_nothing_is_sent(catalog: Catalog, tmp_path: Path) -> None:
    table = _table(tmp_path, receiver={"host": "127.0.0.1", "port": 1})
    table["target"]["allow_writes"] = False
    result = Run(supplier_from(table), catalog.choose([PACK]), catalog.checks).go()
    assert set(statuses(result).values()) == {Status.NOT_TESTED}
    assert result.exchanges == ()


def test_evidence_is_redacted_and_judged_again_without_a_network(
    clean: RunResult, catalog: Catalog, tmp_path: Path
) -> None:
    document = report_of(clean, catalog.checks)
    write_folder(
        tmp_path / "r",
        document,
        supplier=clean.supplier,
        exchanges=clean.exchanges,
        preflight=[],
        today="2025-09-01",
        formats=(),
    )
    kept = b"".join(path.read_bytes() for path in (tmp_path / "r" / "evidence").iterdir())
    for value in (b"9990000018", b"Quillfeather", b"Tamsin", b"19560312", b"1956-03-12"):
        assert value not in kept
    again = rejudge(read_folder(tmp_path / "r"), catalog, now=datetime(2025, 9, 2, tzinfo=UTC))
    assert again.differences == ()


def test_mutants_of_messages_are_of_what_the_product_said(clean: RunResult) -> None:
    made = [m for m in mutants_of(clean.exchanges) if m.exchange.protocol == "mllp"]
    operators = {mutant.operator for mutant in made}
    assert {"drop-segment", "drop-field", "alter-field", "drop-component", "alter-component"} <= operators
    before = {each.id: each for each in clean.exchanges}
    for mutant in made:
        was = before[mutant.exchange.id]
        assert (mutant.exchange.request_body == was.request_body) is (was.direction == "sent")
