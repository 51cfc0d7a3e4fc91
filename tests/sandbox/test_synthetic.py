"""The built-in system: the adapter keeps the contract, and twin and adapter do what each says of itself."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mpftconnect.adapters import READS, Capability, Fault, Refusal, TwinRequest, TwinResponse
from mpftconnect.adapters.contract_bench import Opener
from mpftconnect.adapters.contract_tests import AdapterContract
from mpftconnect.errors import AnswerRejected, NotPermitted, TooManyMatches, UsageError
from mpftconnect.model import Demographics, Identifier, NhsNumber, PartialDate, SectionName
from mpftconnect.plugins import load_plugins
from mpftconnect.sandbox import PEOPLE, person, portrait, seeded_values
from mpftconnect.sandbox.synthetic import mpft_adapters, mpft_twins
from mpftconnect.sandbox.synthetic.twin import MOST_MATCHES, SyntheticTwin


class TestContract(AdapterContract):
    @pytest.fixture
    def spec(self):
        return mpft_adapters()[0]

    @pytest.fixture
    def twin_spec(self):
        return mpft_twins()[0]


@pytest.fixture
def opener():
    opener = Opener(mpft_adapters()[0], mpft_twins()[0], PEOPLE)
    yield opener
    opener.close()


@pytest.fixture
def bench(opener):
    return opener()


def call(twin: SyntheticTwin, target: str) -> TwinResponse:
    return twin.handle(TwinRequest.of("GET", target, {"Authorization": f"Bearer {twin.token}"}))


def test_it_is_registered_under_its_entry_point():
    registry = load_plugins()
    assert "synthetic" in registry.adapters
    assert registry.twins["synthetic"].default
    assert not registry.twins["sexual-health"].default
    assert registry.adapters["synthetic"].tried_against.words() == "nothing (built for this SDK)"


# Tracing


@pytest.mark.parametrize("role", ["full", "sparse", "deceased", "twin-a", "very-restricted"])
def test_traces_whoever_there_is_even_those_whom_the_record_does_not_hold(bench, role):
    traced = bench.adapter.trace_person(bench.reading(person(role)))
    assert traced.outcome == "found"
    assert traced.patient.nhs_number == person(role).nhs_number
    assert traced.patient.restriction == person(role).patient.restriction
    assert traced.patient.birth_date == person(role).patient.birth_date


def test_a_superseded_number_leads_to_the_current_one(bench):
    someone = person("superseded")
    traced = bench.adapter.trace_person(bench.reading(someone, someone.former_numbers[0]))
    assert traced.outcome == "found"
    assert traced.patient.nhs_number == someone.nhs_number


def test_an_invalidated_number_and_an_unknown_one_are_told_apart(bench):
    assert bench.adapter.trace_person(bench.reading(person("invalidated"))).outcome == "invalidated"
    assert bench.adapter.trace_person(bench.reading(person("full"), NhsNumber("9990000581"))).outcome == "not-found"


@pytest.mark.parametrize("role", ["restricted", "very-restricted"])
def test_the_trace_of_a_restricted_person_gives_no_place_away(bench, role):
    patient = bench.adapter.trace_person(bench.reading(person(role))).patient
    assert (patient.addresses, patient.telecom, patient.general_practitioner) == ((), (), ())


def test_a_traced_person_who_is_somebody_else_is_refused(bench):
    with bench.twin.faults.on(Fault.WRONG_PATIENT), pytest.raises(AnswerRejected, match="number that was asked for"):
        bench.adapter.trace_person(bench.reading(person("full")))


def test_a_404_that_is_not_the_system_s_own_does_not_say_that_nobody_is_there(bench, monkeypatch):
    for status, body in [(404, b"<html>no such page</html>"), (404, b'{"message": "no route"}'), (410, b"{}")]:
        kind = "text/html" if body.startswith(b"<") else "application/json"
        monkeypatch.setattr(
            bench.twin, "handle", lambda _, s=status, k=kind, b=body: TwinResponse(s, {"Content-Type": k}, b)
        )
        with pytest.raises(AnswerRejected):
            bench.adapter.trace_person(bench.reading(person("full")))


# Finding and searching


def test_a_person_filed_with_another_birth_date_is_found_as_they_are_filed(bench):
    someone = person("birth-date-differs")
    found = bench.adapter.find_patient(bench.reading(someone))
    assert found.birth_date == someone.patient_at("synthetic").birth_date != someone.patient.birth_date
    assert found.source.id == f"Patient/{someone.systems['synthetic'].local_id}"
    assert found.restriction is None


def test_the_record_says_nothing_of_restrictions_which_only_the_trace_knows(bench):
    reading = bench.reading(person("full"))
    assert bench.adapter.find_patient(reading).restriction is None
    assert bench.adapter.trace_person(reading).patient.restriction == "U"


def test_a_person_whom_it_does_not_hold_is_not_found(bench):
    assert bench.adapter.find_patient(bench.reading(person("very-restricted"))) is None


def test_somebody_else_s_demographics_are_refused(bench):
    with bench.twin.faults.on(Fault.WRONG_PATIENT), pytest.raises(AnswerRejected):
        bench.adapter.find_patient(bench.reading(person("full")))


@pytest.mark.parametrize(
    ("asked", "roles"),
    [
        (Demographics(family="threlkeld"), {"full"}),
        (Demographics(family="threlk"), {"full"}),
        (Demographics(family="hrelkeld"), set()),
        (Demographics(family="Blackthistle"), {"father", "son"}),
        (Demographics(family="Blackthistle", birth_date=PartialDate("1983-12-10")), {"son"}),
        (Demographics(birth_date=PartialDate("2012-09-09"), given=("Calantha",)), {"twin-a"}),
        (Demographics(postal_code="zz997tk", gender="female"), {"full"}),
        (Demographics(family="Nobodyatall"), set()),
    ],
)
def test_people_are_found_by_what_is_known_of_them(bench, asked, roles):
    found = bench.adapter.search_people(bench.reading(person("full")), asked)
    assert {patient.nhs_number for patient in found} == {person(role).nhs_number for role in roles}


def test_too_many_and_too_little_to_go_by_are_said(bench):
    reading = bench.reading(person("full"))
    with pytest.raises(TooManyMatches):
        list(bench.adapter.search_people(reading, Demographics(gender="female")))
    with pytest.raises(UsageError):
        list(bench.adapter.search_people(reading, Demographics()))
    with bench.twin.faults.on(Fault.STALE_TOKEN), pytest.raises(NotPermitted):
        list(bench.adapter.search_people(reading, Demographics(gender="female")))


def test_the_limit_of_matches_is_met_exactly():
    people = [
        portrait(
            role=f"p{n}",
            number=number,
            family="Samesurname",
            given="One",
            gender="other",
            birth_date="1980",
            street="1 Street",
            postal_code="ZZ99 0AA",
            mobile="07700 900999",
            systems={"synthetic": replace(person("sparse").systems["synthetic"], local_id=f"l{n}")},
        )
        for n, number in enumerate(p.nhs_number for p in PEOPLE[: MOST_MATCHES + 1])
    ]
    for count, status in [(MOST_MATCHES, 200), (MOST_MATCHES + 1, 422)]:
        assert call(SyntheticTwin(people[:count]), "/fhir/Patient?family=Samesurname").status == status


def test_a_local_identifier_leads_to_the_number(bench):
    reading = bench.reading(person("full"))
    local = person("full").systems["synthetic"].local_id
    known = Identifier(system=bench.twin.local_id_system, value=local)
    assert bench.adapter.resolve_identifier(reading, known) == person("full").nhs_number
    for other in (
        known.model_copy(update={"value": "sy-0"}),
        Identifier(system="urn:other", value=local),
    ):
        assert bench.adapter.resolve_identifier(reading, other) is None


# Reading


@pytest.mark.parametrize("role", [p.role for p in PEOPLE if "synthetic" in p.systems])
def test_everything_that_it_holds_of_a_person_arrives_unchanged(bench, role):
    someone = person(role)
    reading = bench.found(someone)
    for section in SectionName:
        held = someone.systems["synthetic"].items.get(section, ())
        came = bench.read(reading, section)
        assert [item.source.id for item in came] == _in_order([item.source.id for item in held]), section
        by_id = {item.source.id: item for item in held}
        for item in came:
            original = by_id[item.source.id]
            assert item.model_copy(update={"source": original.source}) == original, item.source.id


def _in_order(ids: list[str]) -> list[str]:
    """Statements come before requests: they are two searches."""
    return sorted(ids, key=lambda id_: id_.startswith("MedicationRequest"))


def test_the_full_person_s_longer_sections_come_in_pages(bench):
    pages = json.loads(call(bench.twin, "/fhir/Observation?patient=sy-7410018").body)
    assert pages["total"] > len(pages["entry"]) == bench.twin.page_size
    assert {link["relation"] for link in pages["link"]} == {"self", "next"}


@pytest.mark.parametrize("fault", [Fault.DROPPED_PAGE, Fault.REPEATED_PAGE, Fault.LYING_TOTAL])
@pytest.mark.parametrize("section", [SectionName.RESULTS, SectionName.CARE_PLANS])
def test_a_fault_of_paging_is_seen_and_what_came_before_it_is_kept(bench, fault, section):
    someone = person("full")
    reading = bench.found(someone)
    whole = {item.source.id for item in someone.systems["synthetic"].items[section]}
    came = []
    with bench.twin.faults.on(fault), pytest.raises(AnswerRejected):
        for item in getattr(bench.adapter, READS[section])(reading):
            came.append(item.source.id)
    assert set(came) <= whole
    if fault is not Fault.DROPPED_PAGE or section is SectionName.RESULTS:
        assert came


def test_somebody_else_s_items_are_refused_as_such(bench):
    reading = bench.found(person("full"))
    with bench.twin.faults.on(Fault.WRONG_PATIENT):
        came = bench.read(reading, SectionName.RESULTS) + bench.read(reading, SectionName.ALLERGIES)
    assert all(isinstance(found, Refusal) and found.wrong_person for found in came)
    seeds = {value for someone in PEOPLE for value in seeded_values(someone)}
    assert not {value for value in seeds if value in repr(came)}


def test_a_stale_token_refuses_every_read(bench):
    reading = bench.found(person("full"))
    with bench.twin.faults.on(Fault.STALE_TOKEN):
        for section in SectionName:
            with pytest.raises(NotPermitted):
                bench.read(reading, section)


def test_notes_and_documents_are_not_mixed_up(bench):
    reading = bench.found(person("full"))
    notes = {item.source.id for item in bench.read(reading, SectionName.NOTES)}
    documents = {item.source.id for item in bench.read(reading, SectionName.DOCUMENTS)}
    assert notes
    assert documents
    assert not notes & documents


def test_a_read_before_find_patient_is_the_caller_s_mistake(bench):
    with pytest.raises(UsageError, match="find_patient"):
        bench.read(bench.reading(person("full")), SectionName.ALERTS)


def test_check_connection_says_what_failed_and_names_nobody(bench):
    assert [step.ok for step in bench.adapter.check_connection(bench.wire)] == [True]
    with bench.twin.faults.on(Fault.STALE_TOKEN):
        (step,) = bench.adapter.check_connection(bench.wire)
    assert not step.ok
    assert "token" in step.advice


# The twin


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/fhir/Patient", 400),
        ("/fhir/Patient?family=A&family=B", 400),
        ("/fhir/Patient?name=A", 400),
        ("/fhir/Patient?gender=female", 422),
        ("/fhir/tracing/Patient/1234567890", 400),
        ("/fhir/tracing/Patient/9990000581", 404),
        ("/fhir/tracing/Patient/", 400),
    ],
)
def test_a_request_that_makes_no_sense_is_answered_with_an_operation_outcome(target, status):
    answer = call(SyntheticTwin(PEOPLE), target)
    assert answer.status == status
    assert json.loads(answer.body)["resourceType"] == "OperationOutcome"


def test_what_is_read_declares_all_that_is_offered():
    spec = mpft_adapters()[0]
    assert set(spec.capabilities) == set(Capability)
