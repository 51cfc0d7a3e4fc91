"""Every page, nothing twice, nobody else's data."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mpftconnect.adapters import Deadline, Reading, Refusal, TwinRequest, TwinResponse
from mpftconnect.adapters.fhir_r4 import items, search
from mpftconnect.adapters.fhir_subject import subject_fault
from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.errors import AnswerRejected, SystemFailed
from mpftconnect.model import (
    NHS_NUMBER_SYSTEM,
    AccessContext,
    Condition,
    Encounter,
    Identifier,
    NhsNumber,
    Notice,
    Patient,
    Source,
)

OURS, FORMER, THEIRS = NhsNumber("9990000018"), NhsNumber("9990000026"), NhsNumber("9990000034")
BASE = "https://acme.example/fhir"


def condition(number: int, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "id": f"c{number}",
        "meta": {"versionId": "3", "lastUpdated": "2026-01-02T03:04:05Z"},
        "code": {"text": f"Condition {number}"},
        "subject": {"reference": "Patient/p1"},
        **more,
    }


def entry(resource: Any, mode: str | None = "match", **more: Any) -> dict[str, Any]:
    made = {"resource": resource, "fullUrl": f"{BASE}/{resource.get('resourceType')}/{resource.get('id')}"}
    return made | ({"search": {"mode": mode}} if mode else {}) | more


def bundle(*entries: Any, following: str | None = None, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "entry": list(entries)}
    if following:
        made["link"] = [{"relation": "self", "url": f"{BASE}/x"}, {"relation": "next", "url": following}]
    return made | more


class Pages:
    """Answers the first request with the first page, and `?page=n` with the n-th."""

    def __init__(self, *pages: Any) -> None:
        self.pages = pages
        self.asked: list[TwinRequest] = []

    def handle(self, request: TwinRequest) -> TwinResponse:
        self.asked.append(request)
        page = self.pages[int(request.first("page") or 0)]
        return TwinResponse(200, {"Content-Type": "application/fhir+json"}, json.dumps(page).encode())


def page(number: int) -> str:
    return f"{BASE}/Condition?page={number}"


@pytest.fixture
def reading_of(line) -> Callable[..., Reading]:
    def make(*pages: Any) -> Reading:
        transport = TwinTransport(Pages(*pages), "https://acme.example")
        deadline = Deadline.after(5)
        wire = line(BASE, transport=transport).bound(deadline=deadline)
        patient = Patient(
            source=Source(system="acme", id="Patient/p1", fetched=datetime.now(UTC)),
            identifiers=(Identifier.nhs(OURS), Identifier(system="https://acme.example/mrn", value="M1")),
        )
        who = AccessContext(user="u", name="N", role="r", organisation="RRE", purpose="direct-care", relationship="x")
        return Reading("acme", who, wire, deadline, nhs_number=OURS, former_numbers=(FORMER,), patient=patient)

    return make


def ids(found: Any) -> list[str]:
    return [each["id"] for each in found]


def test_all_pages_are_read_in_order(reading_of, line):
    reading = reading_of(
        bundle(entry(condition(1)), entry(condition(2)), following=page(1), total=5),
        bundle(entry(condition(3)), entry(condition(4)), following=page(2), total=5),
        bundle(entry(condition(5)), total=5),
    )
    assert ids(search(reading, "Condition", {"patient": "p1", "_count": 2})) == ["c1", "c2", "c3", "c4", "c5"]
    first, second, _ = (each.url for each in line.recorder.exchanges)
    assert first == f"{BASE}/Condition?patient=p1&_count=2"
    assert second == page(1)
    assert {each.label for each in line.recorder.exchanges} == {"Condition.search"}
    assert len({each.correlation_id for each in line.recorder.exchanges}) == 1


def test_pages_come_as_they_are_needed(reading_of, line):
    found = search(reading_of(bundle(entry(condition(1)), following=page(1)), bundle()), "Condition")
    next(found)
    assert len(line.recorder.exchanges) == 1


def test_nothing_found_is_no_error(reading_of):
    assert list(search(reading_of(bundle(total=0)), "Condition")) == []
    empty = bundle()
    del empty["entry"]
    assert list(search(reading_of(empty), "Condition")) == []


@pytest.mark.parametrize(
    "pages",
    [
        [bundle(entry(condition(1)), total=2)],
        [bundle(entry(condition(1)), entry(condition(2)), total=1)],
        [bundle(total=1)],
        [bundle(entry(condition(1)), following=page(1), total=2), bundle(total=2)],
        [bundle(entry(condition(1)), following=page(1), total=1), bundle(entry(condition(2)), total=2)],
        [bundle(entry(condition(1)), entry(condition(1)), total=2)],
    ],
    ids=["fewer", "more", "none", "dropped page", "total changes", "one twice"],
)
def test_a_total_that_does_not_fit_is_raised_after_all_was_yielded(reading_of, pages):
    found = []
    with pytest.raises(AnswerRejected, match=r"total: what came is not as many as Bundle.total states") as caught:
        found.extend(search(reading_of(*pages), "Condition"))
    expected = {each["resource"]["id"] for one in pages for each in one["entry"]}
    assert set(ids(found)) == expected
    assert not any(character.isdigit() for character in str(caught.value))


def test_what_comes_twice_is_yielded_once(reading_of):
    pages = [bundle(entry(condition(1)), entry(condition(2)), following=page(1), total=3),
             bundle(entry(condition(2)), entry(condition(3)), total=3)]  # fmt: skip
    assert ids(search(reading_of(*pages), "Condition")) == ["c1", "c2", "c3"]


def test_included_resources_and_outcomes_do_not_count_towards_the_total(reading_of):
    practitioner = {"resourceType": "Practitioner", "id": "x1"}
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "informational"}]}
    reading = reading_of(
        bundle(
            entry(condition(1)),
            entry(practitioner, "include"),
            entry(practitioner, None),
            entry(condition(9), "include"),
            entry(outcome, "outcome"),
            total=1,
        )
    )
    found = list(search(reading, "Condition"))
    notice, only = found
    assert only["id"] == "c1"
    assert notice == Notice("source-warning", "The system attached a message to its answer: informational.")


def test_a_message_is_told_once_and_repeats_no_value(reading_of):
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [
            {"severity": "warning", "code": "not-found", "diagnostics": "Zzyzx 9990000018",
             "details": {"text": "Zzyzx", "coding": [{"code": "CONFIDENTIAL_ITEMS"}, {"code": "Zzyzx9990000018"}]}},
            {"severity": "information", "code": "Zzyzx"},
            "Zzyzx",
            {"severity": "warning", "code": 7, "details": "Zzyzx"},
        ],
    }  # fmt: skip
    pages = [bundle(entry(outcome, "outcome"), following=page(1)), bundle(entry(outcome, "outcome"))]
    found = list(search(reading_of(*pages), "Condition"))
    assert [notice.text for notice in found] == [
        "The system attached a message to its answer: not-found, CONFIDENTIAL_ITEMS.",
        "The system attached a message to its answer: no known code.",
    ]


def test_a_stated_error_makes_the_section_partial(reading_of):
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
    pages = [bundle(entry(outcome, "outcome"), entry(condition(1)), following=page(1)), bundle(entry(condition(2)))]
    found = []
    with pytest.raises(SystemFailed, match=r"not whole \(timeout\)"):
        found.extend(search(reading_of(*pages), "Condition"))
    assert ids(found) == ["c1", "c2"]


@pytest.mark.parametrize(
    ("answer", "place", "rule"),
    [
        ([], "Bundle", "is not a JSON object"),
        (None, "Bundle", "is not a JSON object"),
        ({"resourceType": "Patient"}, "type", "is not a searchset Bundle"),
        (bundle(type="history"), "type", "is not a searchset Bundle"),
        (bundle(total="3"), "total", "is not a number"),
        (bundle(total=-1), "total", "is not a number"),
        (bundle(total=True), "total", "is not a number"),
        (bundle(total=1.5), "total", "is not a number"),
        (bundle(entry={}), "entry", "is not a list"),
        (bundle(link="x"), "link", "is not a list"),
        (bundle(link=[{"relation": "next"}]), "link", "does not say which page is next"),
        (bundle(link=[{"relation": "next", "url": "a"}, {"relation": "next", "url": "b"}]), "link", "does not say"),
        (bundle(following="https://elsewhere.example/fhir?page=2"), "", "another origin"),
        (bundle(following="http://acme.example/fhir?page=2"), "", "another origin"),
    ],
)
def test_a_page_that_is_none_is_rejected(reading_of, answer, place, rule):
    with pytest.raises(AnswerRejected, match=rule) as caught:
        list(search(reading_of(answer), "Condition"))
    assert (caught.value.place or "") == place
    assert caught.value.system == "acme"


def test_a_second_page_that_is_none_keeps_the_first(reading_of):
    found = []
    with pytest.raises(AnswerRejected, match=r"page\[1\].type"):
        found.extend(search(reading_of(bundle(entry(condition(1)), following=page(1)), {}), "Condition"))
    assert ids(found) == ["c1"]


def test_an_outcome_in_place_of_results_is_the_systems_failure(reading_of):
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "processing"}]}
    with pytest.raises(SystemFailed, match=r"OperationOutcome in place of results \(processing\)"):
        list(search(reading_of(outcome), "Condition"))


def test_a_loop_of_pages_ends(reading_of, line):
    pages = [
        bundle(entry(condition(1)), following=page(1)),
        bundle(entry(condition(2)), following=page(2)),
        bundle(entry(condition(3)), following=page(1)),
    ]
    found = []
    with pytest.raises(AnswerRejected, match="page already seen"):
        found.extend(search(reading_of(*pages), "Condition"))
    assert ids(found) == ["c1", "c2", "c3"]
    assert len(line.recorder.exchanges) == 3


def test_the_same_page_under_another_address_is_noticed(reading_of):
    pages = [bundle(entry(condition(1)), following=page(1)), bundle(entry(condition(1)), following=page(2)), bundle()]
    with pytest.raises(AnswerRejected, match="repeats what came before"):
        list(search(reading_of(*pages), "Condition"))


def test_pages_without_end_are_given_up(reading_of):
    pages = [bundle(entry(condition(n)), following=page(n + 1)) for n in range(20)]
    found = []
    with pytest.raises(AnswerRejected, match="more than 5 pages"):
        found.extend(search(reading_of(*pages), "Condition", page_limit=5))
    assert len(found) == 5


@pytest.mark.parametrize(
    "broken", [{}, {"resource": 1}, {"resource": {"id": "x"}}, "x", {"resource": {"resourceType": 1}}]
)
def test_an_entry_that_is_no_resource_is_reported_and_the_rest_kept(reading_of, broken):
    made = bundle(entry(condition(1)), broken, entry(condition(2)), total=3)
    found = []
    with pytest.raises(AnswerRejected, match=r"entry\[1\].resource: is not a resource"):
        found.extend(search(reading_of(made), "Condition"))
    assert ids(found) == ["c1", "c2"]
    first, refusal, second = items(reading_of(made), "Condition")
    assert isinstance(first, Condition)
    assert isinstance(second, Condition)
    assert isinstance(refusal, Refusal)
    assert (refusal.place, refusal.content) == ("entry[1].resource", broken)


def test_items_are_of_the_model_with_their_source(reading_of):
    (item,) = items(reading_of(bundle(entry(condition(1)), total=1)), "Condition", {"patient": "p1"}, of=Condition)
    assert isinstance(item, Condition)
    assert item.code.text == "Condition 1"
    assert (item.source.system, item.source.id, item.source.version) == ("acme", "Condition/c1", "3")
    assert item.source.updated is not None
    assert item.source.updated.text == "2026-01-02T03:04:05Z"
    assert item.source.fetched.utcoffset() is not None


def test_an_entry_that_cannot_be_read_is_refused_and_not_raised(reading_of):
    made = bundle(
        entry(condition(1, id="b@d")),
        entry(condition(2, id=7)),
        entry({"resourceType": "Condition"}),
        entry(condition(4)),
    )
    *refused, good = items(reading_of(made), "Condition")
    assert all(isinstance(each, Refusal) and not each.wrong_person for each in refused)
    assert [each.content for each in refused] == [each["resource"] for each in made["entry"][:3]]
    assert isinstance(good, Condition)


def test_a_type_that_the_model_does_not_know_is_refused(reading_of):
    made = {"resourceType": "MolecularSequence", "id": "m1", "patient": {"reference": "Patient/p1"}}
    (refusal,) = items(reading_of(bundle(entry(made))), "MolecularSequence")
    assert isinstance(refusal, Refusal)
    assert refusal.content == made


def test_an_item_of_another_type_than_the_section_is_refused(reading_of):
    (refusal,) = items(reading_of(bundle(entry(condition(1)))), "Condition", of=Encounter)
    assert isinstance(refusal, Refusal)
    assert refusal.rule == "is a Condition, not a Encounter"


def test_a_broken_last_update_does_not_cost_the_item(reading_of):
    (item,) = items(reading_of(bundle(entry(condition(1, meta={"lastUpdated": "Zzyzx", "versionId": 3})))), "Condition")
    assert isinstance(item, Condition)
    assert (item.source.updated, item.source.version) == (None, None)


def test_included_resources_can_be_followed(reading_of):
    recorder = {"resourceType": "Practitioner", "id": "x1", "name": [{"text": "Dr Sam Patel"}]}
    made = bundle(entry(condition(1, recorder={"reference": "Practitioner/x1"})), entry(recorder, "include"), total=1)
    (item,) = items(reading_of(made), "Condition")
    assert isinstance(item, Condition)
    assert item.author is not None
    assert item.author.reference == "Practitioner/x1"


def nhs(number: str, **more: Any) -> dict[str, Any]:
    return {"identifier": {"system": NHS_NUMBER_SYSTEM, "value": number}, **more}


GOOD_SUBJECTS = [
    {"reference": "Patient/p1"},
    {"reference": "Patient/p1/_history/4"},
    {"reference": f"{BASE}/Patient/p1"},
    {"reference": "Patient/p1", "identifier": {"system": NHS_NUMBER_SYSTEM, "value": OURS}},
    nhs(OURS),
    nhs("999 000 0018"),
    nhs(FORMER),
    {"identifier": {"system": "https://acme.example/mrn", "value": "M1"}},
    {"reference": "Patient/p1", "identifier": {"system": "https://acme.example/mrn", "value": "another of theirs"}},
    {"reference": "#p", "display": "contained, of ours"},
    {"reference": "urn:uuid:ours"},
]
OTHER_SUBJECTS = [
    {"reference": "Patient/p2"},
    {"reference": "Patient/P1"},
    {"reference": "Patient/p1x"},
    {"reference": "https://elsewhere.example/fhir/Patient/p1"},
    {"reference": f"{BASE}/v2/Patient/p1"},
    {"reference": "Group/p1"},
    {"reference": "Device/p1"},
    nhs(THEIRS),
    nhs(THEIRS, reference="Patient/p1"),
    nhs(OURS, reference="Patient/p2"),
    {"reference": "#q"},
    {"reference": "urn:uuid:theirs"},
]
UNKNOWABLE_SUBJECTS: list[Any] = [
    None,
    "Patient/p1",
    [],
    {},
    {"display": "Grace Okafor"},
    {"reference": 7},
    {"reference": ""},
    {"reference": "p1"},
    {"reference": "#absent"},
    {"reference": "#empty"},
    {"reference": "urn:uuid:absent"},
    {"identifier": {"system": "https://acme.example/mrn", "value": "M2"}},
    {"identifier": {"system": NHS_NUMBER_SYSTEM}},
    {"identifier": {"value": OURS}},
]
CONTAINED = [
    {"resourceType": "Patient", "id": "p", "identifier": [nhs(OURS)["identifier"]]},
    {"resourceType": "Patient", "id": "q", "identifier": [nhs(THEIRS)["identifier"]]},
    {"resourceType": "Patient", "id": "empty"},
]
BESIDE = {
    "urn:uuid:ours": {"resourceType": "Patient", "id": "p1", "identifier": [nhs(OURS)["identifier"]]},
    "urn:uuid:theirs": {"resourceType": "Patient", "id": "p2"},
}


def judge(reading: Reading, subject: Any) -> Any:
    made = condition(1, subject=subject, contained=CONTAINED)
    return subject_fault(made, reading, full_url=f"{BASE}/Condition/c1", resolve=BESIDE.get)


@pytest.mark.parametrize("subject", GOOD_SUBJECTS)
def test_who_is_meant_is_recognised(reading_of, subject):
    assert judge(reading_of(), subject) is None


@pytest.mark.parametrize("subject", OTHER_SUBJECTS)
def test_somebody_else_is_refused(reading_of, subject):
    fault = judge(reading_of(), subject)
    assert fault is not None
    assert fault.wrong_person


@pytest.mark.parametrize("subject", UNKNOWABLE_SUBJECTS, ids=repr)
def test_a_subject_that_cannot_be_checked_is_refused(reading_of, subject):
    fault = judge(reading_of(), subject)
    assert fault is not None
    assert not fault.wrong_person


def test_the_wrong_person_is_refused_with_what_it_was_and_without_saying_who(reading_of):
    made = bundle(entry(condition(1, subject={"reference": "Patient/p2"})), entry(condition(2)), total=2)
    refusal, good = items(reading_of(made), "Condition")
    assert isinstance(refusal, Refusal)
    assert refusal.wrong_person
    assert refusal.content == made["entry"][0]["resource"]
    assert "p2" not in repr(refusal)
    assert isinstance(good, Condition)


def test_a_resource_that_names_nobody_is_refused(reading_of):
    made = condition(1)
    del made["subject"]
    (refusal,) = items(reading_of(bundle(entry(made))), "Condition")
    assert isinstance(refusal, Refusal)
    assert refusal.rule == "does not say whom it is about"


def appointment(*actors: Any) -> dict[str, Any]:
    return {"resourceType": "Appointment", "id": "a1", "participant": [{"actor": actor} for actor in actors]}


def test_an_appointment_is_taken_if_the_person_is_its_only_patient(reading_of):
    reading, practitioner = reading_of(), {"reference": "Practitioner/x"}
    ours, theirs = {"reference": "Patient/p1"}, {"reference": "Patient/p2"}
    assert subject_fault(appointment(practitioner, ours), reading) is None
    for actors in ([practitioner], [], [None]):
        assert not subject_fault(appointment(*actors), reading).wrong_person
    for actors in ([theirs], [ours, theirs], [practitioner, nhs(THEIRS)], [{"type": "Patient", **theirs}]):
        assert subject_fault(appointment(*actors), reading).wrong_person


def test_an_appointment_group_is_refused_with_a_clear_rule(reading_of):
    fault = subject_fault(appointment({"reference": "Patient/p2"}), reading_of())
    assert fault.rule == "is about somebody else"


@pytest.mark.parametrize("element", ["subject", "patient", "beneficiary", "for"])
def test_every_element_that_names_a_subject_is_looked_at(reading_of, element):
    made = {"resourceType": "Anything", "id": "1", element: {"reference": "Patient/p2"}}
    assert subject_fault(made, reading_of()).wrong_person
    both = {"resourceType": "Anything", "id": "1", "subject": {"reference": "Patient/p1"}} | made
    assert subject_fault(both, reading_of()).wrong_person


def test_patients_themselves_are_checked_by_id_and_number(reading_of):
    reading = reading_of()

    def patient(id_: str, *numbers: str, use: str | None = None) -> dict[str, Any]:
        identifiers = [nhs(number)["identifier"] | ({"use": use} if use else {}) for number in numbers]
        return {"resourceType": "Patient", "id": id_, "identifier": identifiers}

    assert subject_fault(patient("p1", OURS), reading) is None
    assert subject_fault(patient("p1"), reading) is None
    assert subject_fault(patient("p1", OURS, THEIRS), reading).wrong_person
    assert subject_fault(patient("p2", OURS), reading).wrong_person
    unfound = replace(reading, patient=None)
    assert subject_fault(patient("p9", OURS), unfound) is None
    assert subject_fault(patient("p9", THEIRS), unfound).wrong_person
    assert subject_fault(patient("p9"), unfound).wrong_person


def test_before_the_patient_is_found_only_the_nhs_number_says_who(reading_of):
    unfound = replace(reading_of(), patient=None)
    assert judge(unfound, nhs(OURS)) is None
    assert judge(unfound, {"reference": f"Patient/{OURS}"}) is None
    assert not judge(unfound, {"reference": "Patient/p1"}).wrong_person
