"""Whose row it is, and what becomes of the others."""

from __future__ import annotations

import os
import tracemalloc
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.adapters import Deadline
from mpftconnect.errors import AnswerRejected, NotShown, TimedOut, Unreachable
from mpftconnect.model import Identifier
from mpftconnect_rio import extracts
from mpftconnect_rio.settings import CLIENT_ID_SYSTEM

from .conftest import CLIENT, FORMER, NOW, OTHER, OTHER_CLIENT, OURS, everyone

SECTIONS = ("referrals", "care_team", "encounters", "notes", "care_plans", "alerts", "appointments")
EXTRACT = {
    "referrals": "caseload",
    "care_team": "caseload",
    "encounters": "contacts",
    "notes": "progress_notes",
}


@pytest.mark.parametrize("section", SECTIONS)
def test_only_the_persons_rows_are_read(rio: Any, section: str) -> None:
    found = rio.read(section)
    assert found.items
    assert found.error is None
    assert "neighbour" not in repr(found)
    assert "stranger" not in repr(found)


def test_one_reading_opens_each_extract_once(rio: Any) -> None:
    reading = rio.found()
    for section in SECTIONS:
        assert rio.read(section, reading).items
    for path in rio.folder.iterdir():
        path.unlink()
    for section in SECTIONS:
        assert rio.read(section, reading).items


def test_an_unknown_person_is_not_held(rio: Any) -> None:
    assert rio.adapter.find_patient(rio.reading("9990000042")) is None


@pytest.mark.parametrize(
    ("cells", "taken", "rule"),
    [
        ({"nhs_number": "999 000 0018"}, True, None),
        ({"nhs_number": "999-000-0018", "client_id": ""}, True, None),
        ({"nhs_number": ""}, True, None),
        ({"nhs_number": str(FORMER)}, True, None),
        ({"nhs_number": "9990000019"}, False, "the check digit of the NHS number does not match"),
        ({"nhs_number": "12345"}, False, "an NHS number is ten digits"),
        ({"nhs_number": "", "client_id": ""}, False, "the row does not say whose it is"),
        ({"client_id": OTHER_CLIENT}, False, "its NHS number and its client id name two people"),
        ({"nhs_number": str(OTHER)}, False, "its NHS number and its client id name two people"),
        ({"nhs_number": str(OTHER), "client_id": OTHER_CLIENT}, False, None),
        ({"nhs_number": "", "client_id": OTHER_CLIENT}, False, None),
        ({"nhs_number": "12345", "client_id": OTHER_CLIENT}, False, None),
        ({"nhs_number": str(OTHER), "client_id": ""}, False, None),
    ],
)
def test_whose_row_it_is(make: Any, cells: dict[str, str], taken: bool, rule: str | None) -> None:
    rows = everyone()
    rows["contacts"][0] |= cells
    section_reading = make(rows)
    found = section_reading.read("encounters", section_reading.found(former_numbers=(FORMER,)))
    assert [bool(found.items)] == [taken]
    assert [r.rule for r in found.refusals] == ([rule] if rule else [])
    if rule:
        assert found.refusals[0].place == "contacts row 1"
        assert found.refusals[0].wrong_person is ("two people" in rule)
        assert "Home visit ours" in found.refusals[0].content.values()


def test_a_row_under_a_superseded_number_names_its_subject_by_client_id(make: Any) -> None:
    rows = everyone()
    rows["contacts"][0]["nhs_number"] = str(FORMER)
    rio = make(rows)
    contact = rio.read("encounters", rio.found(former_numbers=(FORMER,))).item
    assert contact.subject.identifier.value == CLIENT


def test_extracts_without_client_ids_go_by_number_alone(make: Any) -> None:
    rows = everyone()
    rows["alerts"][1]["nhs_number"] = ""
    rio = make(rows, alerts={"columns": {"client_id": ""}})
    found = rio.read("alerts")
    assert found.item.words() == "Dog at home ours"
    assert [r.rule for r in found.refusals if "date" not in r.rule] == ["the row does not say whose it is"]


def test_ragged_rows_of_the_person_are_refused_and_those_of_others_passed_over(make: Any) -> None:
    rio = make()
    path = rio.folder / "contacts.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1] + ",more", lines[2] + ",more", lines[3]]))
    found = rio.read("encounters")
    assert found.items == []
    assert [r.place for r in found.refusals] == ["contacts row 1"]
    assert "headings" in found.refusals[0].rule


def test_bytes_of_another_encoding_refuse_the_persons_row(make: Any) -> None:
    rows = everyone()
    rows["contacts"][0]["type"] = "Café visit"
    rio = make(rows, contacts={"encoding": "cp1252"})
    assert rio.read("encounters").item.words() == "Café visit"
    wrong = make(rows, raw={"contacts": (rio.folder / "contacts.csv").read_bytes()})
    found = wrong.read("encounters")
    assert found.items == []
    assert [r.rule for r in found.refusals] == ["bytes that are not utf-8"]


def test_what_stood_before_a_fault_is_kept(make: Any) -> None:
    rio = make()
    path = rio.folder / "contacts.csv"
    path.write_bytes(path.read_bytes() + b'"never closed')
    found = rio.read("encounters")
    assert found.item.words() == "Home visit ours"
    assert isinstance(found.error, AnswerRejected)


def test_a_trailer_that_is_missing_makes_the_section_partial(make: Any) -> None:
    rio = make(contacts={"trailer": "END"})
    assert rio.read("encounters").error is None
    path = rio.folder / "contacts.csv"
    path.write_bytes(path.read_bytes().rpartition(b"END")[0])
    found = rio.read("encounters")
    assert found.items
    assert isinstance(found.error, AnswerRejected)
    assert "cut short" in str(found.error)


@pytest.mark.parametrize("section", SECTIONS)
def test_an_extract_that_is_not_there_is_named(make: Any, section: str) -> None:
    name = EXTRACT.get(section, section)
    found = make(raw={name: None}).read(section)
    assert isinstance(found.error, Unreachable)
    assert f"the {name} extract is not where" in str(found.error)


def test_a_folder_in_place_of_an_extract(make: Any) -> None:
    rio = make(raw={"alerts": None})
    (rio.folder / "alerts.csv").mkdir()
    assert isinstance(rio.read("alerts").error, Unreachable)


def test_an_extract_that_is_not_configured_is_not_taken_as_empty(make: Any) -> None:
    rio = make()
    settings = rio.adapter._settings
    rio.adapter._settings = settings.model_copy(
        update={"extracts": settings.extracts.model_copy(update={"alerts": None})}
    )
    found = rio.read("alerts")
    assert isinstance(found.error, NotShown)
    assert "no alerts extract is configured" in str(found.error)


def test_old_extracts_say_so(make: Any) -> None:
    rio = make(alerts={"maximum_age_hours": 36})
    path = rio.folder / "alerts.csv"

    def notices(age: timedelta) -> list[str]:
        written = (NOW - age).timestamp()
        os.utime(path, (written, written))
        return [notice.code for notice in rio.read("alerts").notices]

    assert notices(timedelta(hours=35)) == []
    assert notices(timedelta(hours=50)) == ["extract-is-old"]
    assert notices(timedelta(hours=-2)) == ["extract-age-unknown"]
    flag = rio.read("alerts").item
    assert flag.source.as_of == NOW + timedelta(hours=2)
    assert flag.source.fetched == NOW


def test_keys(make: Any) -> None:
    rows = everyone()
    again, other = dict(rows["contacts"][0]), rows["contacts"][0] | {"type": "Telephone"}
    nameless = rows["contacts"][0] | {"contact_id": "  "}
    rows["contacts"] += [again, other, nameless]
    found = make(rows).read("encounters")
    # The same row twice is one fact; another row under the same key is another, told apart by the order.
    assert [item.source.id for item in found.items] == [f"contacts#C{CLIENT}", f"contacts#C{CLIENT}~2"]
    assert [(r.place, r.rule) for r in found.refusals] == [("contacts row 6", "the column 'Contact ID' is empty")]


def test_the_client_index_decides_who_it_is(make: Any) -> None:
    rows = everyone()
    first = rows["client_index"][0]
    rows["client_index"].append(first | {"client_id": "RX999", "postcode": "ZZ99 9ZZ"})
    twice = make(rows).found().patient
    assert [i.value for i in twice.identifiers] == [OURS, CLIENT, "RX999"]
    assert "ZZ99 9ZZ" in twice.extra[-1].json_text
    rows["contacts"][0]["client_id"] = "RX999"
    assert make(rows).read("encounters").items

    rows["client_index"][-1]["family_name"] = "Somebody else"
    with pytest.raises(AnswerRejected, match="different names or birth dates"):
        make(rows).found()


def test_the_persons_broken_row_of_the_index_is_not_taken_for_absence(make: Any) -> None:
    rio = make()
    path = rio.folder / "client_index.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1] + ",more", *lines[2:]]))
    with pytest.raises(AnswerRejected, match="client_index row 1: the person's row cannot be taken"):
        rio.found()
    assert rio.adapter.find_patient(rio.reading(OTHER)) is not None


def test_an_index_that_is_not_whole_names_nobody(make: Any) -> None:
    rio = make()
    path = rio.folder / "client_index.csv"
    path.write_bytes(path.read_bytes() + b'"never closed')
    for number in (OURS, "9990000042"):
        with pytest.raises(AnswerRejected, match="quoted wrongly"):
            rio.adapter.find_patient(rio.reading(number))
    with pytest.raises(AnswerRejected, match="quoted wrongly"):
        rio.adapter.resolve_identifier(rio.reading(None), local(CLIENT))


def test_an_empty_index_is_refused_where_a_least_size_is_configured(make: Any) -> None:
    rows = everyone() | {"client_index": []}
    assert make(rows).adapter.find_patient(make(rows).reading()) is None
    with pytest.raises(AnswerRejected, match="fewer rows"):
        rio = make(rows, client_index={"minimum_rows": 1000})
        rio.adapter.find_patient(rio.reading())


def test_rows_without_a_number_in_the_index_do_not_count_as_anybody(make: Any) -> None:
    rows = everyone()
    rows["client_index"] += [
        rows["client_index"][1] | {"client_id": f"RX{n}", "nhs_number": ""} for n in range(1000, 1500)
    ]
    assert make(rows).found().patient.nhs_number == OURS


def local(value: str, system: str = CLIENT_ID_SYSTEM) -> Identifier:
    return Identifier(system=system, value=value)


def test_client_ids_lead_to_nhs_numbers(make: Any) -> None:
    rows = everyone()
    rows["client_index"] += [
        rows["client_index"][1] | {"client_id": "RX400", "nhs_number": ""},
        rows["client_index"][1] | {"client_id": "RX500", "nhs_number": "9990000019"},
        rows["client_index"][1] | {"client_id": CLIENT.lower()},
    ]
    rio = make(rows)

    def number(identifier: Identifier) -> str | None:
        return rio.adapter.resolve_identifier(rio.reading(None), identifier)  # type: ignore[no-any-return]

    assert number(local(CLIENT)) == OURS
    assert number(local(f" {CLIENT} ")) == OURS
    assert number(local("RX400")) is None
    assert number(local("RX404")) is None
    assert number(local(CLIENT, "https://other.example/id")) is None
    with pytest.raises(AnswerRejected, match="client_index row 5: the check digit"):
        number(local("RX500"))
    rows["client_index"].append(rows["client_index"][1] | {"client_id": CLIENT})
    with pytest.raises(AnswerRejected, match="several NHS numbers"):
        again = make(rows)
        again.adapter.resolve_identifier(again.reading(None), local(CLIENT))


def test_more_than_can_be_taken_is_refused_aloud(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = everyone()
    one = rows["contacts"][0]
    rows["contacts"] = [one | {"contact_id": str(n)} for n in range(8)]
    monkeypatch.setattr(extracts, "MAX_KEPT", 5)
    found = make(rows).read("encounters")
    assert len(found.items) == 5
    assert "more rows for one person" in str(found.error)

    monkeypatch.setattr(extracts, "MAX_KEPT", 50)
    monkeypatch.setattr(extracts, "MAX_CHARACTERS", 500)
    found = make(rows).read("encounters")
    assert 0 < len(found.items) < 5
    assert "more rows for one person" in str(found.error)
    monkeypatch.setattr(extracts, "MAX_CHARACTERS", 50_000)

    rows["contacts"] = [{**one, "client_id": "", "nhs_number": "", "contact_id": str(n)} for n in range(8)] + [one]
    monkeypatch.setattr(extracts, "MAX_REFUSED", 3)
    found = make(rows).read("encounters")
    # The person's own row behind them is still found.
    assert (len(found.items), len(found.refusals)) == (1, 3)
    assert "cannot be taken" in str(found.error)


def big(path: Path, megabytes: int) -> None:
    heading, line = path.read_text().splitlines()[:2]
    other = line.replace(str(OURS), str(OTHER)).replace(CLIENT, OTHER_CLIENT)
    block = (other + "\n") * 2000
    with path.open("w") as file:
        file.write(f"{heading}\n{line}\n")
        for _ in range(megabytes * 1_000_000 // len(block) + 1):
            file.write(block)


def test_a_huge_file_is_streamed(make: Any) -> None:
    rio = make(max_bytes=1_000_000)
    big(rio.folder / "contacts.csv", 4)
    reading = rio.found()
    rio.read("alerts", reading)
    tracemalloc.start()
    try:
        found = rio.read("encounters", reading)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.item.words() == "Home visit ours"
    assert found.error is None
    assert peak < 2_000_000


def test_a_huge_file_stops_at_the_deadline(make: Any) -> None:
    rio = make(max_bytes=1_000_000)
    big(rio.folder / "contacts.csv", 2)
    passed = Deadline.after(-1)
    reading = rio.found()
    object.__setattr__(reading, "deadline", passed)
    found = rio.read("encounters", reading)
    assert len(found.items) == 1
    assert isinstance(found.error, TimedOut)


def test_a_huge_file_that_is_written_meanwhile_is_not_trusted(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rio = make(max_bytes=1_000_000)
    path = rio.folder / "contacts.csv"
    big(path, 2)
    reading = rio.found()
    pick = extracts._pick

    def meanwhile(*args: Any) -> None:
        pick(*args)
        with path.open("a") as file:
            file.write("more\n")

    monkeypatch.setattr(extracts, "_pick", meanwhile)
    found = rio.read("encounters", reading)
    assert found.items
    assert "written while it was read" in str(found.error)
