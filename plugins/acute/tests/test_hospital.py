"""What a hub shows of a hospital's day."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from mpftconnect import connect
from mpftconnect.adapters import TwinRequest, TwinResponse
from mpftconnect.errors import GapReason
from mpftconnect.fhir import dump_json
from mpftconnect.model import SectionName
from mpftconnect.pages import record_page
from mpftconnect.plugins import load_plugins
from mpftconnect.sandbox import EXCLUDED_CODES, PEOPLE, Sandbox, people_without_excluded_data, person
from mpftconnect_acute import faults

from .conftest import WHO, Opened, parked

FULL = person("full").nhs_number


def held(record, section: str) -> list:
    return [item for item in getattr(record, section) if item.source.system == "acute"]


def test_the_sandbox_has_a_hospital_by_itself_and_everybody_in_its_day_is_traced() -> None:
    asked: list[tuple[str, int]] = []
    with Sandbox(load_plugins(), faults={"acute": [faults.UNKNOWN_PERSON]}) as sandbox:
        pds: Any = sandbox.twins["pds"]
        answer = pds.handle

        def handle(request: TwinRequest) -> TwinResponse:
            response = answer(request)
            if "/Patient/" in request.path:
                asked.append((request.path.rpartition("/")[2], response.status))
            return response

        pds.handle = handle
        with connect(sandbox=sandbox) as hub:
            traced = list(asked)
            assert [(entry.feed, entry.reason) for entry in hub.inbox.store.entries(["parked"])] == [
                ("ng-pas", "nhs-number-unknown")
            ]
            shown = held(hub.record(FULL, WHO), "results")
    # Each person once, the unknown one too; and the twin's limit made nobody wait.
    assert len(traced) == len(dict(traced)) > 10
    assert {number: status for number, status in traced if status != 200} == {"9990009996": 404}
    assert shown


def test_without_a_tracing_service_the_sandbox_has_no_hospital() -> None:
    names = ("acute", "rio")
    registry = load_plugins([EntryPoint(name, f"mpftconnect_{name}", "mpftconnect") for name in names])
    with Sandbox(registry) as sandbox:
        assert set(sandbox.twins) == {"rio"}


def test_a_day_ends_in_the_record(hospital: Opened) -> None:
    hub = hospital()
    record = hub.record(FULL, WHO)
    assert parked(hub) == []
    results = {item.code.coding[0].code: item for item in held(record, "results")}
    # Corrected, and the value before it is gone.
    assert (results["HB"].status, str(results["HB"].value.value)) == ("corrected", "108")
    # Withdrawn by the laboratory: it stays to be seen, with the reason.
    assert results["K"].withdrawn and "wrong patient" in results["K"].withdrawn
    (stay,) = held(record, "encounters")
    # Admitted, moved, and the discharge was taken back.
    assert (stay.status, stay.words(), stay.period.end) == ("in-progress", "inpatient stay", None)
    assert "Kingfisher Ward" in stay.location[0].words()
    # Moved by a week.
    (booking,) = held(record, "appointments")
    assert booking.status == "booked" and booking.start.instant is not None
    assert "Discharge summary, amended" in {item.words() for item in held(record, "documents")}
    for section in ("reports", "referrals", "immunisations", "allergies", "problems"):
        assert held(record, section), section
    assert {item.source.mode for item in held(record, "results")} == {"feed"}
    assert "Viewing is not acknowledging" in record_page(record)


def test_what_a_feed_brings_is_never_all(hospital: Opened) -> None:
    record = hospital().record(FULL, WHO)
    for section in (SectionName.RESULTS, SectionName.ENCOUNTERS, SectionName.ALLERGIES):
        assert "acute" in record.sections[section].missing
    # Nor is it for somebody about whom nothing was ever pushed.
    record = hospital().record(person("very-restricted").nhs_number, WHO)
    assert "acute" in record.sections[SectionName.RESULTS].missing


def test_a_silent_laboratory_is_a_gap_on_what_it_serves_alone(hospital: Opened) -> None:
    record = hospital(faults.SILENT).record(FULL, WHO)
    late = {gap.section: gap for gap in record.gaps if gap.reason is GapReason.FEED_OVERDUE}
    assert set(late) == {SectionName.RESULTS, SectionName.REPORTS}
    assert "14:02" in late[SectionName.RESULTS].detail
    assert held(record, "results"), "what came before the silence is shown"
    page = record_page(record)
    assert "last heard" in page and "14:02" in page
    # Of somebody about whom nothing came, silence is no answer either.
    quiet = hospital(faults.SILENT).record(person("very-restricted").nhs_number, WHO)
    assert [gap for gap in quiet.gaps if gap.system == "acute" and gap.reason is GapReason.FEED_OVERDUE]


def test_two_hospitals_are_two_systems(hospital: Opened) -> None:
    record = hospital(only=("acute", "acute-west")).record(FULL, WHO)
    # What both tell is one item with two sources.
    told = {source.system for item in record.results for source in (item.source, *item.also) if source.mode == "feed"}
    assert told == {"acute", "acute-west"}
    assert {joined.system for joined in record.joined} >= {"acute", "acute-west"}


def test_faults_of_a_feed_lose_nothing_and_show_nobody_elses(hospital: Opened) -> None:
    hub = hospital(faults.UNKNOWN_PERSON, faults.OTHER_CONTENT, faults.BROKEN_STRUCTURE, faults.WRONG_PATIENT)
    reasons = sorted(parked(hub))
    assert reasons == ["control-id-reused", "nhs-number-unknown", "no-patient"], reasons
    right, wrong = (hub.record(one.nhs_number, WHO) for one in PEOPLE[:2])
    (kept,) = [item for item in held(right, "results") if item.code.coding[0].code == "HBA1C"]
    (taken,) = [item for item in held(wrong, "results") if item.code.coding[0].code == "HBA1C"]
    assert kept.withdrawn is None and taken.withdrawn


def test_a_merged_number_brings_what_came_under_it(hospital: Opened) -> None:
    hub = hospital()
    merged = [row for row in hub.inbox.links() if row.kind == "merge"]
    assert merged and all(row.state == "in-force" for row in merged)
    troponin = [
        each.nhs_number
        for each in PEOPLE
        if each.patient.names and any(item.words().startswith("Troponin") for item in _results(hub, each.nhs_number))
    ]
    assert troponin, "nobody's second number was merged into a record that is shown"


def test_whichever_of_a_persons_numbers_it_came_under_it_is_theirs(hospital: Opened) -> None:
    hub = hospital()
    two_numbers = 0
    for someone in PEOPLE:
        if not hub.inbox.items(("acute",), someone.nhs_number, "patient"):
            continue
        record = hub.record(someone.nhs_number, WHO)
        assert not [gap for gap in record.gaps if gap.reason is GapReason.WRONG_PERSON], someone.role
        read = {
            one.item.source.id: one.item.subject for section in SectionName for one in _standing(hub, section, someone)
        }
        two_numbers += len({subject.reference for subject in read.values() if subject is not None}) > 1
        if not record.restriction:
            shown = {item.source.id for section in SectionName for item in held(record, section)}
            assert shown == set(read), someone.role
    assert two_numbers, "nobody's messages came under more than one number: this shows nothing"


def _standing(hub, section: SectionName, someone) -> list:
    return [one for one in hub.inbox.items(("acute",), someone.nhs_number, section) if hasattr(one.item, "subject")]


def _results(hub, number: str) -> list:
    return [one.item for one in hub.inbox.items(("acute",), number, SectionName.RESULTS)]


def test_what_a_silent_policy_excludes_leaves_no_trace(hospital: Opened) -> None:
    someone = person("sexual-health")
    with_, without = hospital(), hospital(people=people_without_excluded_data())
    shown, plain = (_shown(hub.record(someone.nhs_number, WHO)) for hub in (with_, without))
    assert shown == plain
    for hub in (with_,):
        text = "".join(
            [
                str([(feed.feed, feed.parked) for feed in hub.inbox.feeds()]),
                *(str(entry.event) for entry in hub.audit.entries()),
            ]
        )
        assert not any(code in text for code in EXCLUDED_CODES)
        assert not any(code.encode() in each for each in _kept(hub) for code in EXCLUDED_CODES)
    assert "message-not-kept" in str([str(entry.event) for entry in with_.privacy.entries()])


def _shown(record) -> object:
    """All that a reader sees, but for the moments at which it was made."""
    return sorted(
        (section, item.words(), str(item.withdrawn)) for section, items in record.sections.items() for item in items
    )


def _kept(hub) -> list[bytes]:
    return [entry.body or b"" for entry in hub.inbox.store.entries(["received", "processed", "parked"])]


def test_nothing_says_where_a_restricted_person_is(hospital: Opened) -> None:
    someone = person("restricted")
    record = hospital().record(someone.nhs_number, WHO)
    assert record.is_restricted and any(item.source.system == "acute" for item in record.items())
    told = dump_json(record.to_fhir()).decode() + record_page(record)
    for place in ("Kingfisher", "Heron", "BAY2", "ZZ220", "Northmere General", "CLINIC3", "Hollyhock"):
        assert place not in told, place


def test_a_day_needs_no_directory_that_is_not_its_own(hospital: Opened, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    hospital()
    assert list(tmp_path.iterdir()) == []


def test_several_records_of_one_person_are_one_with_all_their_numbers(hospital: Opened) -> None:
    from mpftconnect.adapters.pushed_adapter import _one

    hub = hospital()
    (known,) = hub.inbox.items(("acute",), FULL, "patient")
    second = replace_number(known.item, "NG999")
    joined = _one([known.item, second])
    assert {number.value for number in joined.identifiers} >= {"NG999", "NG410001"}
    assert joined.source == max((known.item, second), key=lambda one: one.source.updated.sort_key).source


def replace_number(patient, value: str):
    local = next(number for number in patient.identifiers if not number.is_nhs_number)
    kept = tuple(number for number in patient.identifiers if number.is_nhs_number)
    return patient.model_copy(update={"identifiers": (*kept, local.model_copy(update={"value": value}))})
