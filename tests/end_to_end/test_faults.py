"""Every fault on every system gives the right gap and section status, and loses nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mpftconnect import AccessContext, Hub, Record, SectionName
from mpftconnect.adapters import Fault
from mpftconnect.errors import GapReason
from mpftconnect.sandbox import Sandbox

from .conftest import CALLED

NUMBER = "9990000018"
CLINICAL = ("rio", "synthetic")
PAGED = (Fault.DROPPED_PAGE, Fault.REPEATED_PAGE, Fault.LYING_TOTAL)


@pytest.fixture(scope="module")
def clean(sandbox: Sandbox) -> dict[str, Record]:
    return {}


def of_others(record: Record, system: str) -> dict[SectionName, list[str]]:
    """What the other systems contributed, section by section."""
    return {
        name: sorted(source.key for item in section for source in item.sources if source.system != system)
        for name, section in record.sections.items()
    }


def read_clean(clean: dict[str, Record], hub: Hub, who: AccessContext) -> Record:
    if not clean:
        clean["record"] = hub.record(NUMBER, who)
        assert clean["record"].gaps == ()
    return clean["record"]


@pytest.mark.parametrize("system", CLINICAL)
@pytest.mark.parametrize("fault", list(CALLED))
def test_a_fault_of_a_record_system(
    fault: Fault,
    system: str,
    sandbox: Sandbox,
    open_hub: Callable[..., Hub],
    who: AccessContext,
    clean: dict[str, Record],
) -> None:
    hub = open_hub()
    before = read_clean(clean, hub, who)
    with sandbox.faults[system].on(fault):
        record = hub.record(NUMBER, who)
    expected = CALLED[fault]
    gaps = [gap for gap in record.gaps if gap.system == system]
    assert {gap.system for gap in record.gaps} <= {system}
    assert of_others(record, system) == of_others(before, system)
    assert record.identity_confirmed
    if expected is None:
        assert gaps == []
        assert all(section.complete for section in record.sections.values())
        return
    assert {gap.reason for gap in gaps} == {expected}
    held = {s.system for s in before.items() for s in s.sources}
    assert system in held
    for name, section in record.sections.items():
        could = system in before.section(name).asked
        touched = could and (any(gap.section in (None, name) for gap in gaps))
        assert (system in section.missing) == touched, name
        assert section.complete == (not touched), name
        if touched:
            assert section.status in ("partial", "unavailable"), name
    if fault not in PAGED:
        assert not any(source.system == system for item in record.items() for source in item.sources)


@pytest.mark.parametrize("system", CLINICAL)
def test_somebody_elses_data_is_never_shown(
    system: str, sandbox: Sandbox, open_hub: Callable[..., Hub], who: AccessContext, clean: dict[str, Record]
) -> None:
    hub = open_hub()
    before = read_clean(clean, hub, who)
    with sandbox.faults[system].on(Fault.WRONG_PATIENT):
        record = hub.record(NUMBER, who)
    assert of_others(record, system) == of_others(before, system)
    assert not any(source.system == system for item in record.items() for source in item.sources)
    told = {gap.reason for gap in record.gaps if gap.system == system} | {u.system for u in record.unmatched}
    assert told & {GapReason.WRONG_PERSON, GapReason.ANSWER_REJECTED, system}
    assert not record.problems.complete


@pytest.mark.parametrize("fault", [*(fault for fault in CALLED if fault not in PAGED), Fault.WRONG_PATIENT])
def test_a_fault_of_the_tracing_service(
    fault: Fault, sandbox: Sandbox, open_hub: Callable[..., Hub], who: AccessContext, clean: dict[str, Record]
) -> None:
    hub = open_hub()
    before = read_clean(clean, hub, who)
    with sandbox.faults["pds"].on(fault):
        record = hub.record(NUMBER, who)
    if CALLED.get(fault, GapReason.WRONG_PERSON) is None:
        assert record.identity_confirmed
        assert record.gaps == ()
        return
    # Without a trace: treated as restricted, and said so; the others still answer as far as they may be shown.
    assert not record.identity_confirmed
    reasons = {gap.reason for gap in record.gaps}
    assert GapReason.IDENTITY_UNCONFIRMED in reasons
    expected = CALLED.get(fault)
    assert (expected or GapReason.WRONG_PERSON) in reasons
    assert record.contacts.status == "restricted"
    assert record.patient.addresses == ()
    assert {i.source.id for i in record.allergies} == {i.source.id for i in before.allergies}


@pytest.mark.parametrize("system", ["pds", *CLINICAL])
def test_a_system_that_is_not_there_at_all(system: str, open_hub: Callable[..., Hub], who: AccessContext) -> None:
    def gone(table: dict[str, dict[str, dict[str, object]]]) -> None:
        table["systems"][system]["endpoint"] = "http://127.0.0.1:9/fhir"

    record = open_hub(gone).record(NUMBER, who)
    assert GapReason.UNREACHABLE in {gap.reason for gap in record.gaps if gap.system == system}
    assert {gap.system for gap in record.gaps} == {system}


def test_all_systems_silent_still_gives_a_record_that_says_so(
    sandbox: Sandbox, open_hub: Callable[..., Hub], who: AccessContext
) -> None:
    hub = open_hub()
    for switch in sandbox.faults.values():
        switch.set(Fault.SERVER_ERROR)
    try:
        record = hub.record(NUMBER, who)
    finally:
        for switch in sandbox.faults.values():
            switch.set()
    assert list(record.items()) == []
    assert {section.status for section in record.sections.values()} <= {"unavailable", "restricted"}
    assert record.patient.nhs_number == NUMBER
    assert record.patient.name is None


@pytest.mark.parametrize("system", CLINICAL)
@pytest.mark.parametrize(
    ("fault", "step"), [(Fault.STALE_TOKEN, "token"), (Fault.SERVER_ERROR, "capability statement"), (None, None)]
)
def test_doctor_names_the_step_that_fails(
    fault: Fault | None, step: str | None, system: str, sandbox: Sandbox, open_hub: Callable[..., Hub]
) -> None:
    (opened,) = [one for one in open_hub().systems if one.name == system]
    assert opened.adapter is not None
    with sandbox.faults[system].on(*([fault] if fault else [])):
        failed = [one for one in opened.adapter.check_connection(opened.wire) if not one.ok]
    assert [one.name for one in failed] == ([step] if step else [])
    assert all("check" in one.advice for one in failed)
