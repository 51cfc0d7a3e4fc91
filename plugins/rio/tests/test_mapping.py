"""What a row becomes, column by column."""

from __future__ import annotations

from typing import Any

import pytest

from mpftconnect.model import PartialDate, When

from .conftest import CLIENT, OURS, everyone


def extra(item: Any) -> dict[str, Any]:
    return {each.path: each.value for each in item.extra}


def test_a_client(rio: Any) -> None:
    patient = rio.found().patient
    assert patient.source.id == f"client_index#{CLIENT}"
    assert (patient.nhs_number, patient.verification_status) == (OURS, "01")
    assert patient.identifiers[1].value == CLIENT
    assert patient.name.words() == "FAMILY OURS, Given ours (Mx)"
    assert patient.birth_date == PartialDate("1950-03-02")
    assert patient.gender == "female"
    assert patient.addresses[0].words() == "1 ours Row, ZZ99 3CZ"
    assert patient.telecom[0].value == "01632 960001"
    assert patient.communication[0].words() == "Polish, interpreter required"
    assert extra(patient) == {"client_index.Gender": "F"}


def test_a_client_with_every_column(make: Any) -> None:
    rows = everyone()
    rows["client_index"][0] |= {
        "known_as": "Wren",
        "previous_family_name": "Oldname",
        "death_date": "01/02/2025",
        "address_line_2": "Two",
        "address_line_3": "Three",
        "town": "Wexham",
        "mobile_phone": "07700 900001",
        "email": "someone@example.org",
        "gp_name": "Dr Lee",
        "gp_practice_code": "ZZ101",
        "gp_practice_name": "Mossbridge",
        "ethnic_category": "White - British",
        "reasonable_adjustments": "Large print",
        "birth_date": "02/03/1950 00:00",
        "interpreter": "Sometimes",
    }
    patient = make(rows).found().patient
    assert [(name.use, name.text or name.family) for name in patient.names] == [
        ("usual", "Family ours"),
        ("nickname", "Wren"),
        ("old", "Oldname"),
    ]
    assert patient.deceased == When("2025-02-01")
    assert patient.addresses[0].words() == "1 ours Row, Two, Three, Wexham, ZZ99 3CZ"
    assert [point.words() for point in patient.telecom] == [
        "01632 960001 (home)",
        "07700 900001 (mobile)",
        "someone@example.org",
    ]
    assert patient.general_practitioner[0].words() == "Dr Lee, Mossbridge"
    assert patient.ethnic_category.words() == "White - British"
    assert patient.reasonable_adjustments[0].words() == "Large print"
    # What it cannot hold it keeps: the time beside the birth date, and a word that is neither yes nor no.
    assert patient.communication[0].interpreter_required is None
    assert extra(patient) == {
        "client_index.Gender": "F",
        "client_index.Date of Birth": "02/03/1950 00:00",
        "client_index.Interpreter Required": "Sometimes",
    }


def test_a_contact(rio: Any) -> None:
    contact = rio.read("encounters").item
    assert contact.source.id == f"contacts#C{CLIENT}"
    assert contact.source.mode == "extract"
    assert contact.source.as_of is not None
    assert contact.subject.identifier.value == OURS
    assert contact.words() == "Home visit ours"
    assert contact.status == "finished"
    assert contact.period.start == When("2025-08-20T14:00")
    assert contact.service.words() == "Larkfield Community Team"
    assert contact.service.coding[0].code == "T1"
    actor = contact.participants[0].actor
    assert (actor.words(), actor.identifier.value) == ("Nurse ours, nurse, RRE", "555000001")
    assert contact.based_on[0].reference == f"caseload#R{CLIENT}"
    assert extra(contact) == {"contacts.Contact Outcome": "Attended"}


def test_a_progress_note(rio: Any) -> None:
    note = rio.read("notes").item
    assert note.text == 'Seen at home ours.\nSaid: "better, thank you".'
    assert note.status == "final"
    assert note.date == When("2025-08-20T15:10")
    assert note.encounter.reference == f"contacts#C{CLIENT}"


def test_a_note_without_text_is_refused_and_not_shown_empty(make: Any) -> None:
    rows = everyone()
    rows["progress_notes"][0]["text"] = " "
    notes = make(rows).read("notes")
    assert notes.items == []
    assert [(r.place, r.rule) for r in notes.refusals] == [("progress_notes row 1", "a row without any text")]


def test_referrals_and_the_teams_of_open_ones(rio: Any) -> None:
    referrals = rio.read("referrals").items
    assert [(r.status, r.service.words()) for r in referrals] == [
        ("active", "Larkfield Community Team"),
        ("completed", "Podiatry"),
    ]
    assert referrals[1].occurrence.end == When("2020-03-01")
    team = rio.read("care_team").item
    assert team.words() == "Larkfield Community Team: Nurse ours, nurse, RRE"
    assert team.based_on[0].reference == referrals[0].source.id
    assert team.source.id not in {r.source.id for r in referrals}


def test_what_cannot_be_read_of_the_caseload_is_told_with_both_its_sections(make: Any) -> None:
    rows = everyone()
    rows["caseload"][0]["referred"] = "some time in June"
    rows["caseload"][1]["referral_id"] = ""
    rio = make(rows)
    told = [(r.place, r.rule) for r in rio.read("referrals").refusals]
    assert [place for place, _ in told] == ["caseload row 1, column 'Referral Date'", "caseload row 2"]
    assert [(r.place, r.rule) for r in rio.read("care_team").refusals] == told


def test_an_alert(make: Any) -> None:
    rows = everyone()
    rows["alerts"][0] |= {"detail": "Ring first", "category": "Risk", "end": "01/01/2026", "start": "01/01/2021"}
    flag = make(rows).read("alerts").item
    assert (flag.words(), flag.status, flag.note) == ("Dog at home ours", "active", ("Ring first",))
    assert flag.period.words() == "1 January 2021 to 1 January 2026"


def test_an_appointment(make: Any) -> None:
    rows = everyone()
    rows["appointments"][0] |= {"minutes": "three", "instruction": "Bring glasses", "location": "Room 4"}
    booking = make(rows).read("appointments").item
    assert (booking.status, booking.start) == ("booked", When("2025-11-20T10:30"))
    assert booking.words() == "Review ours"
    assert booking.minutes is None
    assert extra(booking)["appointments.Duration (minutes)"] == "three"
    assert booking.location[0].words() == "Room 4"
    assert booking.patient_instruction == "Bring glasses"


def test_words_that_nobody_has_explained_stay_as_they_came(make: Any) -> None:
    rows = everyone()
    rows["contacts"][0]["outcome"] = "Client not in"
    contact = make(rows).read("encounters").item
    assert contact.status == "Client not in"
    assert not extra(contact)
    explained = make(rows, contacts={"values": {"outcome": {"Client NOT in ": "cancelled"}}}).read("encounters").item
    assert explained.status == "cancelled"
    assert extra(explained) == {"contacts.Contact Outcome": "Client not in"}


def test_a_local_time_that_was_not_is_marked_and_not_moved(make: Any) -> None:
    rows = everyone()
    rows["contacts"][0]["start"] = "30/03/2025 01:30"
    assert make(rows).read("encounters").item.period.start.mark == "non-existent"


@pytest.mark.parametrize("text", ["31/02/2025", "soon", "2025-02-03", "01/01/25", "25/12/2025 25:00"])
def test_a_date_that_does_not_exist_is_kept_as_text_and_told(make: Any, text: str) -> None:
    rows = everyone()
    rows["contacts"][0]["start"] = text
    section = make(rows).read("encounters")
    contact = section.item
    assert contact.period.start is None
    assert contact.period.end == When("2025-08-20T14:50")
    assert extra(contact)["contacts.Contact Date"] == text
    [refusal] = section.refusals
    assert refusal.place == "contacts row 1, column 'Contact Date'"
    assert refusal.content is contact
    assert text not in refusal.rule + refusal.place


def test_columns_that_nobody_asked_for_are_kept_for_the_person(make: Any, tmp_path: Any) -> None:
    rio = make()
    path = rio.folder / "alerts.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0] + ",Ward,Ward", lines[1] + ",7,8", *(line + ",9,9" for line in lines[2:])]))
    flag = rio.read("alerts").item
    assert extra(flag)["alerts.Ward"] == "7"
    assert extra(flag)["alerts.Ward[2]"] == "8"
