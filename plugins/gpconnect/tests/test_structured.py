"""A structured record becomes sections: items, what the lists say of them, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from structured_bundles import (
    CARE_CONNECT,
    GPC,
    OTHER,
    OURS,
    allergy,
    bundle,
    consultation,
    empty,
    items,
    listed,
    notices,
    observation,
    patient,
    problem,
    read,
    refused,
    resource,
    warned,
)

from mpftconnect.errors import AnswerRejected, WrongPerson
from mpftconnect.model import (
    AllergyIntolerance,
    Condition,
    DiagnosticReport,
    MedicationStatement,
    ProgressNote,
    Reference,
    SectionName,
    Specimen,
    When,
)

ALL = SectionName

# --- who it is about --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [None, [], {}, {"resourceType": "Bundle", "type": "searchset"}])
def test_what_is_no_collection_is_rejected(content: Any) -> None:
    with pytest.raises(AnswerRejected, match="gp: Bundle"):
        read(content)


@pytest.mark.parametrize(
    ("people", "rule"),
    [
        ([], "holds no patient"),
        ([patient(), patient(OTHER, "p2")], "does not hold one patient alone"),
        ([patient(), patient(OTHER)], "does not hold one patient alone"),
        ([{"resourceType": "Patient", "id": "p1"}], "states no NHS number"),
    ],
)
def test_a_record_holds_one_patient_with_a_number(people: list[Any], rule: str) -> None:
    with pytest.raises(AnswerRejected, match=rule):
        read(bundle(allergy(), who=people))


def test_the_same_patient_twice_is_one() -> None:
    assert read(bundle(allergy(), who=[patient(), patient()])).patient.nhs_number == OURS


def test_a_record_of_somebody_else_is_not_used() -> None:
    with pytest.raises(WrongPerson, match="is not the patient"):
        read(bundle(allergy(), who=[patient(OTHER)]))


def test_a_former_number_is_the_same_person() -> None:
    record = read(bundle(allergy(), who=[patient(OTHER)]), number=OURS, former_numbers=(OTHER,))
    assert len(items(record, ALL.ALLERGIES)) == 1


def test_an_entry_about_somebody_else_is_refused_alone() -> None:
    record = read(bundle(allergy(), allergy("a2", patient={"reference": "Patient/p2"})))
    assert [item.source.id for item in items(record, ALL.ALLERGIES)] == ["AllergyIntolerance/a1"]
    (refusal,) = refused(record, ALL.ALLERGIES)
    assert refusal.wrong_person
    assert "Patient/p2" not in f"{refusal.place} {refusal.rule} {refusal!r}"


def test_an_entry_about_nobody_is_refused_and_not_taken_for_somebody_elses() -> None:
    nobody = {key: value for key, value in allergy().items() if key != "patient"}
    (refusal,) = refused(read(bundle(nobody)), ALL.ALLERGIES)
    assert (refusal.rule, refusal.wrong_person) == ("does not say whom it is about", False)


def test_a_list_about_somebody_else_says_nothing_of_ours() -> None:
    theirs = warned("allergies", "confidential-items") | {"subject": {"reference": "Patient/p2"}}
    record = read(bundle(allergy(), theirs))
    assert notices(record, ALL.ALLERGIES) == {}
    assert [refusal.wrong_person for refusal in refused(record, ALL.ALLERGIES)] == [True]


# --- entries ----------------------------------------------------------------------------------------------------


def test_an_entry_that_no_list_names_is_shown() -> None:
    record = read(bundle(allergy(), listed("allergies")))
    assert [item.words() for item in items(record, ALL.ALLERGIES)] == ["Penicillin"]


def test_the_same_entry_twice_is_shown_once() -> None:
    record = read(bundle(allergy(), allergy()))
    assert len(record.sections[ALL.ALLERGIES]) == 1


def test_of_two_entries_of_one_id_that_differ_one_is_refused() -> None:
    one, other = allergy(), allergy(text="Latex")
    there, back = read(bundle(one, other)), read(bundle(other, one))
    assert items(there, ALL.ALLERGIES) == items(back, ALL.ALLERGIES)
    for record in (there, back):
        assert [refusal.rule for refusal in refused(record, ALL.ALLERGIES)] == [
            "has the id of another entry and differs from it"
        ]


@pytest.mark.parametrize("entry", [None, 1, "x", {}, {"resourceType": 1}])
def test_an_entry_that_is_no_resource_makes_every_section_doubtful(entry: Any) -> None:
    record = read(bundle(allergy(), entry))
    assert all([one.rule for one in refused(record, name)] == ["is not a resource"] for name in record.sections)
    assert len(items(record, ALL.ALLERGIES)) == 1


def test_an_entry_without_an_id_is_shown() -> None:
    nameless = {key: value for key, value in allergy().items() if key != "id"}
    (item,) = items(read(bundle(nameless)), ALL.ALLERGIES)
    assert item.source.id == "AllergyIntolerance/without-id-1"


def test_a_kind_that_is_not_read_yet_is_said_where_it_is_missed() -> None:
    record = read(bundle(resource("MedicationDispense", "m1"), resource("Hologram", "h1")))
    assert [one.rule for one in refused(record, ALL.MEDICATIONS)] == ["is a MedicationDispense, which is not read here"]
    assert [one.rule for one in refused(record, ALL.RESULTS)] == ["is of a kind that is not known here"]


def test_what_is_not_shown_is_kept_as_sent() -> None:
    medication = {"resourceType": "Medication", "id": "m1", "code": {"text": "Aspirin"}}
    record = read(bundle(medication, listed("allergies", own_id="l1")) | {"id": "b1"})
    assert [extra.path for extra in record.kept] == ["Bundle.id", "List/l1", "Medication/m1"]
    assert record.kept[2].value == medication


def test_only_what_was_asked_for_is_given() -> None:
    record = read(bundle(allergy(), problem()), included=[ALL.PROBLEMS])
    assert set(record.sections) == {ALL.PROBLEMS}


# --- what lists say ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["confidential-items", "data-in-transit", "data-awaiting-filing"])
@pytest.mark.parametrize("base", [GPC, CARE_CONNECT])
def test_a_warning_of_a_list_makes_its_section_incomplete(code: str, base: str) -> None:
    record = read(bundle(allergy(), warned("allergies", code, "AllergyIntolerance/a1", base=base)))
    assert notices(record, ALL.ALLERGIES)[code].incomplete
    assert notices(record, ALL.PROBLEMS) == {}


def test_a_warning_that_nobody_knows_is_said_in_our_words() -> None:
    record = read(bundle(warned("problems", "grace-okafor")))
    notice = notices(record, ALL.PROBLEMS)["list-warning"]
    assert notice.incomplete
    assert "okafor" not in f"{notice.code}{notice.text}".casefold()


@pytest.mark.parametrize(
    ("kind", "section"),
    [
        ("ended", ALL.ALLERGIES),
        ("medications", ALL.MEDICATIONS),
        ("immunisations", ALL.IMMUNISATIONS),
        ("consultations", ALL.ENCOUNTERS),
        ("consultations", ALL.NOTES),
        ("investigations", ALL.REPORTS),
        ("investigations", ALL.RESULTS),
        ("uncategorised", ALL.RESULTS),
        ("referrals", ALL.REFERRALS),
        ("diary", ALL.REFERRALS),
    ],
)
def test_each_list_speaks_of_its_section(kind: str, section: SectionName) -> None:
    record = read(bundle(warned(kind, "data-in-transit")))
    assert "data-in-transit" in notices(record, section)


@pytest.mark.parametrize(
    ("code", "section"),
    [
        ("consultations-medications-contained-in-consultations", ALL.MEDICATIONS),
        ("problems-allergies-that-have-been-ended-related-to-problems", ALL.ALLERGIES),
        ("problems-linked-problems-not-relating-to-the-primary-query", ALL.PROBLEMS),
        ("consultations-outbound-referrals-in-consultations", ALL.REFERRALS),
        ("problems-documents-related-to-problems", ALL.DOCUMENTS),
    ],
)
def test_a_secondary_list_speaks_of_its_section(code: str, section: SectionName) -> None:
    system = "https://fhir.hl7.org.uk/STU3/CodeSystem/GPConnect-SecondaryListValues-1"
    made = warned("allergies", "confidential-items") | {"code": {"coding": [{"system": system, "code": code}]}}
    record = read(bundle(made))
    said = {name for name in record.sections if notices(record, name)}
    assert said == {section}


def test_a_warning_of_a_list_that_nobody_knows_concerns_every_section() -> None:
    record = read(bundle(warned("12345", "confidential-items")))
    assert all("confidential-items" in notices(record, name) for name in record.sections)


def test_nothing_recorded_is_no_assertion() -> None:
    record = read(bundle(empty("allergies", "no-content-recorded", note=[{"text": "Information not available"}])))
    assert items(record, ALL.ALLERGIES) == []
    assert set(notices(record, ALL.ALLERGIES)) == {"no-content-recorded"}


@pytest.mark.parametrize("code", ["nilknown", "nil-known", "nilKnown"])
def test_nil_known_is_the_assertion_with_its_list_as_source(code: str) -> None:
    said = empty("allergies", code, own_id="l1", date="2020-02-05")
    (item,) = items(read(bundle(said)), ALL.ALLERGIES)
    assert isinstance(item, AllergyIntolerance)
    assert item.asserts_none
    assert (item.source.id, item.recorded) == ("List/l1", When("2020-02-05"))


def test_nil_known_of_ended_allergies_asserts_nothing_of_present_ones() -> None:
    record = read(bundle(empty("ended", "nilknown")))
    assert items(record, ALL.ALLERGIES) == []


@pytest.mark.parametrize(
    ("code", "incomplete"),
    [("notasked", True), ("withheld", True), ("unavailable", True), ("closed", False)],
)
def test_other_reasons_are_said(code: str, incomplete: bool) -> None:
    assert notices(read(bundle(empty("problems", code))), ALL.PROBLEMS)[code].incomplete is incomplete


def test_a_reason_that_nobody_knows_is_not_taken_for_none() -> None:
    assert notices(read(bundle(empty("problems", "because"))), ALL.PROBLEMS)["list-empty"].incomplete


def test_a_list_that_is_empty_for_a_reason_and_is_not_empty_is_not_trusted() -> None:
    contradiction = empty("allergies", "nilknown", entry=[{"item": {"reference": "AllergyIntolerance/a1"}}])
    record = read(bundle(allergy(), contradiction))
    assert [item.asserts_none for item in items(record, ALL.ALLERGIES)] == [False]
    assert notices(record, ALL.ALLERGIES)["list-contradicts-itself"].incomplete


def test_a_list_that_must_be_there_and_is_not_leaves_its_section_incomplete() -> None:
    record = read(bundle(allergy(), listed("allergies", "AllergyIntolerance/a1")), included=[ALL.ALLERGIES, ALL.NOTES])
    assert notices(record, ALL.ALLERGIES) == {}
    assert notices(record, ALL.NOTES)["list-missing"].incomplete


def test_a_remark_is_said_to_be_there_and_not_repeated() -> None:
    prescribed = (
        "Items excluded due to confidentiality and/or patient preferences. Patient record transfer from previous GP "
        "practice not yet complete; information recorded before 23-Jun-2010 may be missing. Information not available."
    )
    ordinary = listed("problems", note=[{"text": prescribed}])
    remark = listed("allergies", note=[{"text": "Grace says she is allergic to Elm Row."}])
    record = read(bundle(ordinary, remark))
    assert notices(record, ALL.PROBLEMS) == {}
    assert "Grace" not in notices(record, ALL.ALLERGIES)["list-note"].text


def test_a_list_that_is_not_current_is_not_trusted() -> None:
    assert notices(read(bundle(listed("problems", status="retired"))), ALL.PROBLEMS)["list-not-current"].incomplete


def test_a_message_of_the_system_concerns_every_section_and_shows_codes_alone() -> None:
    issue = {
        "severity": "warning",
        "code": "not-supported",
        "details": {"coding": [{"code": "NOT_IMPLEMENTED"}, {"code": "Grace Okafor"}], "text": "Grace Okafor"},
        "diagnostics": "Grace Okafor",
    }
    record = read(bundle({"resourceType": "OperationOutcome", "id": "oo1", "issue": [issue]}))
    for name in record.sections:
        notice = notices(record, name)["source-warning"]
        assert notice.incomplete
        assert "not-supported, NOT_IMPLEMENTED" in notice.text
        assert "Grace" not in notice.text


# --- allergies --------------------------------------------------------------------------------------------------


def test_ended_allergies_stand_in_their_list_and_are_shown_as_ended() -> None:
    gone = allergy("1", "Latex") | {
        "clinicalStatus": "resolved",
        "extension": [
            {
                "url": GPC + "AllergyIntoleranceEnd-1",
                "extension": [
                    {"url": "endDate", "valueDateTime": "2018-03-01"},
                    {"url": "reasonEnded", "valueString": "Tolerated since"},
                ],
            }
        ],
    }
    record = read(
        bundle(
            allergy("1"),
            listed("allergies", "AllergyIntolerance/1"),
            listed("ended", "#1", own_id="e", contained=[gone]),
        )
    )
    present, ended = items(record, ALL.ALLERGIES)
    assert (present.words(), present.ended) == ("Penicillin", None)
    assert (ended.words(), ended.ended, ended.reason_ended) == ("Latex", When("2018-03-01"), "Tolerated since")
    assert ended.source.id == "List/e#1"


# --- medicines --------------------------------------------------------------------------------------------------


def _medicines() -> list[dict[str, Any]]:
    pointer = {"reference": "Medication/m1"}
    course = {"url": GPC + "PrescriptionType-1", "valueCodeableConcept": {"coding": [{"code": "repeat"}]}}
    stopped = {
        "url": GPC + "MedicationStatusReason-1",
        "extension": [{"url": "statusReason", "valueCodeableConcept": {"text": "Not needed"}}],
    }
    common = {"medicationReference": pointer, "status": "stopped"}
    plan = {"extension": [course, stopped], "dispenseRequest": {"quantity": {"value": 28, "unit": "tablet"}}}
    return [
        {"resourceType": "Medication", "id": "m1", "code": {"text": "Aspirin 75mg tablets"}},
        resource("MedicationStatement", "s1", taken="unk", basedOn=[{"reference": "MedicationRequest/r1"}], **common),
        resource("MedicationRequest", "r1", intent="plan", **plan, **common),
        resource("MedicationRequest", "r2", intent="order", basedOn=[{"reference": "MedicationRequest/r1"}], **common),
    ]


def test_a_statement_shows_what_its_authorisation_says() -> None:
    record = read(bundle(*_medicines()))
    plan, order, statement = items(record, ALL.MEDICATIONS)
    assert [(one.kind, one.intent) for one in (plan, order, statement)] == [
        ("request", "plan"),
        ("request", "order"),
        ("statement", None),
    ]
    assert isinstance(statement, MedicationStatement)
    assert statement.medication.text == "Aspirin 75mg tablets"
    assert statement.course == plan.course
    assert statement.quantity == plan.quantity
    assert [reason.text for reason in statement.status_reason] == ["Not needed"]
    assert order.course is None


def test_a_statement_of_two_authorisations_shows_neither_as_its_own() -> None:
    made = _medicines()
    made[1]["basedOn"] = [{"reference": "MedicationRequest/r1"}, {"reference": "MedicationRequest/r3"}]
    made.append(made[2] | {"id": "r3"})
    statement = items(read(bundle(*made)), ALL.MEDICATIONS)[-1]
    assert (statement.kind, statement.course) == ("statement", None)


# --- problems, reports ------------------------------------------------------------------------------------------


def test_a_problem_names_what_it_is_linked_to() -> None:
    base = CARE_CONNECT + "RelatedClinicalContent-1"
    header = {
        "url": CARE_CONNECT + "RelatedProblemHeader-1",
        "extension": [
            {"url": "type", "valueCode": "child"},
            {"url": "target", "valueReference": {"reference": "Condition/c2"}},
        ],
    }
    links = [
        {"url": base, "valueReference": {"reference": "Observation/o1"}},
        {"url": base, "valueReference": {"reference": "Observation/gone"}},
        header,
    ]
    record = read(bundle(problem(extension=links), problem("c2", "Eczema"), observation("o1", "Seen in surgery")))
    item = items(record, ALL.PROBLEMS)[0]
    assert isinstance(item, Condition)
    assert item.content == (
        Reference(reference="Observation/o1", display="Seen in surgery"),
        Reference(reference="Observation/gone"),
    )
    assert [link.words() for link in item.related] == ["child: Eczema"]


def test_a_report_names_its_results_and_specimens() -> None:
    specimen = resource("Specimen", "s1", type={"text": "Serum"})
    report = resource(
        "DiagnosticReport",
        "r1",
        status="final",
        code={"text": "Biochemistry"},
        specimen=[{"reference": "Specimen/s1"}],
        result=[{"reference": "Observation/o1"}, {"reference": "Observation/o2"}],
    )
    potassium = observation("o1", "Potassium", valueQuantity={"value": 4, "unit": "mmol/L"})
    filing = observation("o2", "Comment note", comment="Normal, no action.")
    record = read(bundle(report, specimen, potassium, filing, listed("investigations", "DiagnosticReport/r1")))
    (item,) = items(record, ALL.REPORTS)
    assert isinstance(item, DiagnosticReport)
    assert [one.display for one in item.results] == ["Potassium: 4 mmol/L", "Comment note: Normal, no action."]
    assert [one.display for one in item.specimens] == ["Serum"]
    assert [type(one) for one in record.others] == [Specimen]
    assert len(items(record, ALL.RESULTS)) == 2


# --- consultations ----------------------------------------------------------------------------------------------


def test_a_consultation_is_a_note_that_keeps_its_headings() -> None:
    record = read(bundle(*consultation()))
    (note,) = items(record, ALL.NOTES)
    assert isinstance(note, ProgressNote)
    assert note.text.splitlines() == [
        "Asthma review",
        "Problem: Asthma",
        "History:",
        "- Comment note: Wheezy at night.",
        "Examination:",
        "- Peak flow: 310 L/min",
        "",
        "- Seen in surgery",
    ]
    assert [(one.topic, one.title, len(one.items)) for one in note.headings] == [
        ("Asthma review", "History", 1),
        ("Asthma review", "Examination", 1),
        (None, None, 1),
    ]
    assert note.encounter is not None
    assert note.encounter.reference == "Encounter/e1"
    assert (note.date, note.recorded) == (When("2020-02-04T10:00:00+00:00"), When("2020-02-05"))
    assert note.author is not None
    assert note.author.words() == "Dr One"
    assert len(items(record, ALL.ENCOUNTERS)) == 1


def test_a_topic_of_no_consultation_is_a_note_of_its_own() -> None:
    without = [one for one in consultation() if one.get("id") != "l1"]
    assert [note.source.id for note in items(read(bundle(*without)), ALL.NOTES)] == ["List/t1", "List/t2"]


def test_lists_that_contain_each_other_end() -> None:
    one = listed("consultation", "List/b", own_id="a")
    two = listed("topic", "List/a", "List/b", "Observation/o1", own_id="b")
    (note,) = items(read(bundle(one, two, observation("o1", "Well"))), ALL.NOTES)
    assert note.text == "- Well"


def test_entries_of_a_consultation_that_did_not_come_are_said() -> None:
    unsupported = {"display": "Referral items are not supported by the provider system."}
    record = read(bundle(listed("topic", "Observation/gone", unsupported, own_id="t")))
    (note,) = items(record, ALL.NOTES)
    assert note.text.splitlines() == [
        "- an entry that the practice names and did not send",
        "- Referral items are not supported by the provider system.",
    ]
    assert {code for code, notice in notices(record, ALL.NOTES).items() if notice.incomplete} == {
        "entries-missing",
        "entries-not-supported",
    }


def test_what_was_refused_is_not_put_into_words() -> None:
    theirs = observation("o1", "Their secret", subject={"reference": "Patient/p2"})
    record = read(bundle(theirs, listed("topic", "Observation/o1", own_id="t")))
    assert "secret" not in items(record, ALL.NOTES)[0].model_dump_json()
