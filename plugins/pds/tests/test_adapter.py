"""The adapter against the twin, and against answers that no sound PDS would give."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from mpftconnect.adapters import Deadline, Fault, Refusal, TwinResponse, json_response
from mpftconnect.errors import (
    AdapterError,
    AnswerRejected,
    GapReason,
    NotPermitted,
    NotShown,
    RateLimited,
    SystemFailed,
    TooManyMatches,
    UsageError,
)
from mpftconnect.events import Code
from mpftconnect.model import Demographics, Notice, PartialDate, Patient, RelatedPerson, When
from mpftconnect_pds.outcomes import PdsCode
from mpftconnect_pds.twin import PdsTwin
from mpftconnect_pds.twin.refusals import TABLE, Refused

FULL, FORMER, SPARSE = "9990000018", "9990000107", "9990000026"
RESTRICTED, VERY_RESTRICTED, DECEASED = "9990000034", "9990000042", "9990000050"
INVALIDATED, TWIN_A, TWIN_B, UNKNOWN = "9990000069", "9990000077", "9990000085", "9990000093"


def patient_body(number: str = FULL, **more: Any) -> dict[str, Any]:
    security = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "U"}
    usual = {
        "resourceType": "Patient",
        "id": number,
        "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": number}],
        "meta": {"versionId": "7", "security": [security]},
        "name": [{"use": "usual", "family": "Quillfeather", "given": ["Tamsin"]}],
        "birthDate": "1971-03-09",
    }
    return {name: value for name, value in (usual | more).items() if value is not None}


def born(text: str) -> PartialDate:
    return PartialDate(text)


class TestTrace:
    def test_finds_the_person(self, line: Any) -> None:
        trace = line.adapter.trace_person(line.reading())
        patient = trace.patient
        assert trace.outcome == "found"
        assert (patient.nhs_number, patient.verification_status, patient.restriction) == (FULL, "01", "U")
        assert (patient.name.family, patient.birth_date) == ("Quillfeather", born("1971-03-09"))
        assert patient.general_practitioner[0].organization_code == "Y90001"
        assert patient.nominated_pharmacy[0].organization_code == "FZZ01"
        assert patient.communication[0].interpreter_required is True
        assert (patient.source.system, patient.source.id, patient.source.version) == ("pds", f"Patient/{FULL}", "1")

    def test_asks_once_per_reading(self, line: Any) -> None:
        reading = line.reading()
        assert line.adapter.trace_person(reading) is line.adapter.trace_person(reading)
        assert line.adapter.find_patient(reading).nhs_number == FULL
        assert [exchange.label for exchange in line.recorder.exchanges] == ["token", "retrieve"]

    def test_a_superseded_number_leads_to_the_current_one(self, line: Any) -> None:
        trace = line.adapter.trace_person(line.reading(FORMER))
        assert (trace.outcome, trace.patient.nhs_number) == ("found", FULL)

    @pytest.mark.parametrize(("number", "outcome"), [(UNKNOWN, "not-found"), (INVALIDATED, "invalidated")])
    def test_other_outcomes(self, line: Any, number: str, outcome: str) -> None:
        trace = line.adapter.trace_person(line.reading(number))
        assert (trace.outcome, trace.patient) == (outcome, None)

    @pytest.mark.parametrize(("number", "level"), [(RESTRICTED, "R"), (VERY_RESTRICTED, "V")])
    def test_restricted_people(self, line: Any, number: str, level: str) -> None:
        patient = line.adapter.trace_person(line.reading(number)).patient
        assert patient.restriction == level
        assert not (patient.addresses or patient.telecom or patient.general_practitioner or patient.birth_place)
        assert (patient.name is None) == (level == "V")

    @pytest.mark.parametrize("meta", [{"versionId": "1"}, {"security": [{"code": "X9"}]}, {"security": []}])
    def test_an_unstated_or_unknown_level_protects(self, script: Any, meta: Any) -> None:
        line, _ = script({f"Patient/{FULL}": patient_body(meta=meta)})
        assert line.adapter.trace_person(line.reading()).patient.restriction == "R"

    def test_a_redacted_record_is_an_invalidated_number(self, script: Any) -> None:
        system = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
        meta = {"security": [{"system": system, "code": "REDACTED"}]}
        line, _ = script({f"Patient/{FULL}": patient_body(meta=meta)})
        assert line.adapter.trace_person(line.reading()).outcome == "invalidated"

    def test_a_death_and_its_notification(self, line: Any) -> None:
        patient = line.adapter.trace_person(line.reading(DECEASED)).patient
        assert patient.deceased == When("2023-12-24T06:30:00+00:00")
        assert patient.death_notification.coding[0].code == "2"

    def test_needs_a_number(self, line: Any) -> None:
        with pytest.raises(UsageError):
            line.adapter.trace_person(line.reading(None))


class TestFindPatient:
    def test_is_the_traced_person_without_another_request(self, line: Any) -> None:
        traced = line.adapter.trace_person(line.reading()).patient
        before = len(line.recorder.exchanges)
        assert line.adapter.find_patient(line.reading(traced=traced)) is traced
        assert len(line.recorder.exchanges) == before

    def test_asks_where_another_system_traced(self, line: Any) -> None:
        other = Patient(source=line.reading().source("x").model_copy(update={"system": "rio"}))
        assert line.adapter.find_patient(line.reading(traced=other)).nhs_number == FULL

    def test_tells_unknown_from_invalidated(self, line: Any) -> None:
        assert line.adapter.find_patient(line.reading(UNKNOWN)) is None
        with pytest.raises(NotShown):
            line.adapter.find_patient(line.reading(INVALIDATED))


class TestWrongPerson:
    def test_the_fault_is_refused_and_not_taken_for_a_superseded_number(self, line: Any, twin: PdsTwin) -> None:
        with twin.faults.on(Fault.WRONG_PATIENT), pytest.raises(AnswerRejected) as caught:
            line.adapter.trace_person(line.reading())
        assert caught.value.reason is GapReason.WRONG_PERSON

    @pytest.mark.parametrize(
        "second",
        [
            pytest.param({f"Patient/{TWIN_A}": patient_body(TWIN_A)}, id="the old number now answers for itself"),
            pytest.param({f"Patient/{TWIN_A}": patient_body(TWIN_B)}, id="the new number is itself not current"),
            pytest.param(
                {f"Patient/{TWIN_A}": Refused(PdsCode.RESOURCE_NOT_FOUND).response()}, id="the new number is unknown"
            ),
        ],
    )
    def test_one_mixed_up_answer_is_refused(self, script: Any, second: Any) -> None:
        line, _ = script({f"Patient/{FULL}": [patient_body(TWIN_A), patient_body(FULL)], **second})
        with pytest.raises(AnswerRejected) as caught:
            line.adapter.trace_person(line.reading())
        assert caught.value.reason is GapReason.WRONG_PERSON
        assert str(caught.value) == (
            "pds: Patient.id: another number than was asked for, and not confirmed as superseding it"
        )

    def test_two_numbers_in_one_patient_are_refused(self, script: Any) -> None:
        identifier = [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": TWIN_A}]
        line, _ = script({f"Patient/{FULL}": patient_body(identifier=identifier)})
        with pytest.raises(AnswerRejected, match=r"Patient.identifier\[0\].value"):
            line.adapter.trace_person(line.reading())

    def test_somebody_elses_related_people_are_refused(self, line: Any, twin: PdsTwin) -> None:
        traced = line.adapter.trace_person(line.reading(TWIN_B)).patient
        with twin.faults.on(Fault.WRONG_PATIENT):
            found = list(line.adapter.read_contacts(line.reading(TWIN_B, traced=traced)))
        assert [type(each) for each in found] == [Refusal, Refusal]
        assert all(refusal.wrong_person and refusal.content for refusal in found)

    def test_a_search_result_of_another_birth_date_is_refused(self, script: Any) -> None:
        bundle = {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": 1,
            "entry": [{"resource": patient_body(birthDate="1971-03-10")}],
        }
        line, _ = script({"Patient": bundle})
        with pytest.raises(AnswerRejected) as caught:
            wanted = Demographics(family="Quillfeather", birth_date=born("1971-03-09"))
            list(line.adapter.search_people(line.reading(None), wanted))
        assert caught.value.reason is GapReason.WRONG_PERSON


class TestContacts:
    def test_emergency_numbers_related_people_and_people_known_by_number(self, line: Any) -> None:
        found = list(line.adapter.read_contacts(line.reading()))
        emergency, guardian, by_number, notice = found
        assert (emergency.emergency_contact, emergency.telecom[0].value) == (True, "07700900222")
        assert emergency.source.id.startswith(f"Patient/{FULL}/contact/")
        assert (guardian.names[0].family, guardian.relationship[0].coding[0].code) == ("Brackenridge", "Guardian")
        assert guardian.source.id.startswith(f"Patient/{FULL}/RelatedPerson/")
        assert {person.reference.identifier.value for person in (emergency, guardian, by_number)} == {FULL}
        [own_record] = [extra.value for extra in by_number.extra if extra.path == "patient"]
        assert (own_record["identifier"]["value"], by_number.names) == (TWIN_A, ())
        assert isinstance(notice, Notice)
        assert notice.code == "contact-by-reference"

    def test_the_trace_of_the_same_reading_is_not_asked_again(self, line: Any) -> None:
        reading = line.reading()
        line.adapter.trace_person(reading)
        list(line.adapter.read_contacts(reading))
        assert [exchange.label for exchange in line.recorder.exchanges] == ["token", "retrieve", "related people"]

    @pytest.mark.parametrize("number", [SPARSE, RESTRICTED, VERY_RESTRICTED, UNKNOWN])
    def test_of_nobody_restricted_or_unknown_are_none(self, line: Any, number: str) -> None:
        assert list(line.adapter.read_contacts(line.reading(number))) == []

    def test_a_404_that_says_so_means_none_and_any_other_does_not(self, script: Any) -> None:
        path = f"Patient/{FULL}/RelatedPerson"
        answers = {f"Patient/{FULL}": patient_body()}
        line, _ = script(answers | {path: Refused(PdsCode.RESOURCE_NOT_FOUND).response()})
        assert list(line.adapter.read_contacts(line.reading())) == []
        line, _ = script(answers | {path: Refused(PdsCode.INVALIDATED_RESOURCE).response()})
        with pytest.raises(NotShown):
            list(line.adapter.read_contacts(line.reading()))
        line, _ = script(answers | {path: json_response({}, 404)})
        with pytest.raises(AnswerRejected):
            list(line.adapter.read_contacts(line.reading()))

    def test_an_entry_that_cannot_be_taken_costs_no_other(self, script: Any) -> None:
        root = f"https://pds.example/Patient/{FULL}/RelatedPerson"
        good = {"resourceType": "RelatedPerson", "id": "B", "patient": {}, "relationship": [{"text": "carer"}]}
        entries = [
            "nonsense",
            {"fullUrl": f"{root}/A", "resource": "text"},
            {"resource": good},
            {"fullUrl": f"{root}/B", "resource": good | {"id": None}},
            {"fullUrl": f"{root}/B", "resource": {"resourceType": "Basic", "id": "B"}},
            {"fullUrl": f"{root}/B", "resource": good},
        ]
        bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}
        line, _ = script({f"Patient/{FULL}": patient_body(), f"Patient/{FULL}/RelatedPerson": bundle})
        *refused, taken = list(line.adapter.read_contacts(line.reading()))
        assert isinstance(taken, RelatedPerson)
        assert [refusal.place for refusal in refused] == [
            "entry[0]",
            "entry[1]",
            "entry[2].fullUrl",
            "entry[3].resource.id",
            "entry[4].resource",
        ]
        assert not any(refusal.wrong_person for refusal in refused)

    def test_an_emergency_contact_that_is_no_object_is_refused(self, script: Any) -> None:
        bundle = {"resourceType": "Bundle", "type": "searchset", "total": 0}
        body = patient_body(contact=["x", {"telecom": [{"system": "phone", "value": "07700900777"}]}])
        line, _ = script({f"Patient/{FULL}": body, f"Patient/{FULL}/RelatedPerson": bundle})
        refusal, contact = list(line.adapter.read_contacts(line.reading()))
        assert refusal.place == "Patient.contact[0]"
        assert (contact.telecom[0].value, contact.emergency_contact) == ("07700900777", True)


class TestSearch:
    def find(self, line: Any, **demographics: Any) -> list[Patient]:
        return list(line.adapter.search_people(line.reading(None), Demographics(**demographics)))

    def test_finds_the_one_who_fits(self, line: Any) -> None:
        [found] = self.find(
            line, family="Quillfeather", given=("Tamsin",), birth_date=born("1971-03-09"), gender="female",
            postal_code="ST99 1QF", telephone="07700900333",
        )  # fmt: skip
        assert found.nhs_number == FULL

    def test_a_partial_date_of_birth_is_a_range(self, line: Any) -> None:
        assert [found.nhs_number for found in self.find(line, family="Quillfeather", birth_date=born("1971"))] == [FULL]
        assert self.find(line, family="Quillfeather", birth_date=born("1971-02")) == []

    def test_former_names_are_searched_as_configured(self, line_to: Any, twin: PdsTwin) -> None:
        wanted = {"family": "Oldershaw", "birth_date": born("1971-03-09")}
        assert [p.nhs_number for p in self.find(line_to(twin, authorisation=twin), **wanted)] == [FULL]
        assert self.find(line_to(twin, authorisation=twin, search_history=False), **wanted) == []

    def test_more_than_one_is_too_many(self, line: Any) -> None:
        with pytest.raises(TooManyMatches):
            self.find(line, family="Dunnocksley", birth_date=born("2001-08-17"))

    def test_restricted_people_are_found_without_their_whereabouts(self, line: Any) -> None:
        [found] = self.find(line, family="Hollowmere", birth_date=born("1988-11-30"))
        assert (found.restriction, found.addresses, found.telecom) == ("R", (), ())

    @pytest.mark.parametrize("few", [{"family": "Quillfeather"}, {"birth_date": PartialDate("1971-03-09")}, {}])
    def test_too_little_is_not_asked(self, line: Any, few: Any) -> None:
        with pytest.raises(UsageError):
            self.find(line, **few)
        assert line.recorder.exchanges == ()

    @pytest.mark.parametrize(
        ("body", "place"),
        [
            ({"resourceType": "Patient"}, "resourceType"),
            ({"resourceType": "Bundle", "type": "collection"}, "Bundle.type"),
            ({"resourceType": "Bundle", "type": "searchset", "total": 2, "entry": [{}]}, "Bundle.total"),
            ({"resourceType": "Bundle", "type": "searchset", "entry": {}}, "Bundle.entry"),
            ({"resourceType": "Bundle", "type": "searchset", "entry": [7]}, "entry[0]"),
            ({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": {}}]}, "resourceType"),
        ],
    )
    def test_what_is_no_result_is_rejected_with_its_place(self, script: Any, body: Any, place: str) -> None:
        line, _ = script({"Patient": body})
        with pytest.raises(AnswerRejected) as caught:
            self.find(line, family="Quillfeather", birth_date=born("1971-03-09"))
        assert caught.value.place == place


FAILURES: dict[PdsCode, type[AdapterError]] = {
    PdsCode.ACCESS_DENIED: NotPermitted,
    PdsCode.ADDITIONAL_PROPERTIES: AnswerRejected,
    PdsCode.FORBIDDEN_UPDATE: NotPermitted,
    PdsCode.INVALID_METHOD: NotPermitted,
    PdsCode.INVALID_RESOURCE_ID: AnswerRejected,
    PdsCode.INVALID_SEARCH_DATA: AnswerRejected,
    PdsCode.INVALID_UPDATE: AnswerRejected,
    PdsCode.INVALID_VALUE: AnswerRejected,
    PdsCode.MISSING_VALUE: AnswerRejected,
    PdsCode.PRECONDITION_FAILED: AnswerRejected,
    PdsCode.RESOURCE_VERSION_MISMATCH: AnswerRejected,
    PdsCode.SERVICE_UNAVAILABLE: SystemFailed,
    PdsCode.TOO_MANY_MATCHES: AnswerRejected,
    PdsCode.TOO_MANY_REQUESTS: RateLimited,
    PdsCode.UNABLE_TO_CALL_SERVICE: SystemFailed,
    PdsCode.UNSUPPORTED_SERVICE: AnswerRejected,
}


class TestErrors:
    @pytest.mark.parametrize(
        ("system", "known"),
        [
            ("https://fhir.nhs.uk/R4/CodeSystem/Spine-ErrorOrWarningCode", True),
            ("https://fhir.hl7.org.uk/CodeSystem/Spine-ErrorOrWarningCode", True),
            ("https://fhir.nhs.uk/CodeSystem/NHSD-API-ErrorOrWarningCode", False),
            (None, False),
        ],
    )
    def test_a_code_counts_in_its_own_code_system(self, script: Any, system: str | None, known: bool) -> None:
        coding = {"system": system, "code": "RESOURCE_NOT_FOUND"}
        body = {"resourceType": "OperationOutcome", "issue": [{"details": {"coding": [coding]}}]}
        line, _ = script({f"Patient/{FULL}": json_response(body, 404)})
        if known:
            assert line.adapter.trace_person(line.reading()).outcome == "not-found"
        else:
            with pytest.raises(AnswerRejected, match="status 404, no known code"):
                line.adapter.trace_person(line.reading())

    def test_every_code_is_accounted_for(self) -> None:
        assert set(FAILURES) | {PdsCode.RESOURCE_NOT_FOUND, PdsCode.INVALIDATED_RESOURCE} == set(PdsCode)

    @pytest.mark.parametrize(("code", "kind"), FAILURES.items())
    def test_every_code_under_its_own_status(
        self, line: Any, twin: PdsTwin, code: PdsCode, kind: type[AdapterError]
    ) -> None:
        with twin.answering(code), pytest.raises(AdapterError) as caught:
            line.adapter.trace_person(line.reading())
        assert type(caught.value) is kind
        assert str(caught.value) == f"pds: status {TABLE[code].status}, {code}"

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (404, b"<html>no such proxy</html>"),
            (404, b"{}"),
            (404, json_response({"resourceType": "OperationOutcome"}).body),
            (404, Refused(PdsCode.TOO_MANY_MATCHES).response().body),
            (200, Refused(PdsCode.RESOURCE_NOT_FOUND).response().body),
            (200, Refused(PdsCode.INVALIDATED_RESOURCE).response().body),
            (410, Refused(PdsCode.RESOURCE_NOT_FOUND).response().body),
            (200, b"[]"),
            (200, b'"text"'),
            (200, b'{"resourceType": "Bundle"}'),
            (200, b"{"),
            (200, b""),
            (204, b""),
        ],
    )
    def test_a_status_and_a_body_that_do_not_agree_are_never_an_outcome(
        self, script: Any, status: int, body: bytes
    ) -> None:
        line, _ = script({f"Patient/{FULL}": TwinResponse(status, {"Content-Type": "application/fhir+json"}, body)})
        with pytest.raises(AnswerRejected):
            line.adapter.trace_person(line.reading())

    @pytest.mark.parametrize(
        "body",
        [
            patient_body(id=None),
            patient_body(id=9990000018),
            patient_body(id="9990000019"),
            patient_body(id="999 000 0018"),
            patient_body(identifier=["x"]),
            patient_body(identifier={}),
            patient_body(identifier=[{"value": None}]),
        ],
    )
    def test_a_patient_without_a_sound_number_is_rejected(self, script: Any, body: Any) -> None:
        line, _ = script({f"Patient/{FULL}": body})
        with pytest.raises(AnswerRejected):
            line.adapter.trace_person(line.reading())

    def test_a_patient_without_identifiers_but_with_the_id_is_taken(self, script: Any) -> None:
        for identifier in (None, [{"system": "https://example.org/other", "value": "7"}]):
            line, _ = script({f"Patient/{FULL}": patient_body(identifier=identifier)})
            trace = line.adapter.trace_person(line.reading())
            assert (trace.outcome, trace.patient.nhs_number) == ("found", FULL)
            # Nothing but the id says so: that is no verification.
            assert trace.patient.verification_status is None

    def test_no_message_repeats_what_pds_said(self, line: Any, twin: PdsTwin, seeded: Any) -> None:
        said = []
        diagnostics = " ".join(sorted(seeded))
        for code in FAILURES:
            response = Refused(code, diagnostics, display=diagnostics).response()
            twin_answers = replace_handle(twin, response)
            with twin_answers, pytest.raises(AdapterError) as caught:
                line.adapter.trace_person(line.reading())
            said += [str(caught.value), repr(caught.value)]
        assert len(said) == 2 * len(FAILURES)
        assert [secret for secret in seeded for text in said if secret in text] == []


class replace_handle:  # noqa: N801 - reads as a verb where it is used
    """For a while, the twin's API answers with this response whatever is asked."""

    def __init__(self, twin: PdsTwin, response: TwinResponse) -> None:
        self._twin, self._response = twin, response

    def __enter__(self) -> None:
        own = self._twin.handle

        def handle(request: Any) -> TwinResponse:
            return own(request) if request.path == self._twin.authorisation.path else self._response

        self._twin.handle = handle  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        del self._twin.handle


class TestHeaders:
    def test_who_asks_goes_with_the_request(self, script: Any) -> None:
        line, script_ = script({f"Patient/{FULL}": patient_body()})
        line.adapter.trace_person(line.reading())
        headers = script_.asked[0].headers
        assert headers["NHSD-End-User-Organisation-ODS"] == "RRE"
        assert headers["NHSD-Session-URID"] == "555254240100"
        assert headers["Accept"] == "application/fhir+json"
        assert headers["X-Request-ID"]
        assert headers["Authorization"].startswith("Bearer ")

    def test_an_unknown_role_is_left_out(self, script: Any, who: Any) -> None:
        line, script_ = script({f"Patient/{FULL}": patient_body()})
        for role in (None, "not a number"):
            line.adapter.trace_person(line.reading(who=who.model_copy(update={"role_profile_id": role})))
        assert ["NHSD-Session-URID" in request.headers for request in script_.asked] == [False, False]

    def test_the_configured_organisation_comes_first(self, line_to: Any, twin: PdsTwin) -> None:
        line = line_to(twin, authorisation=twin, end_user_organisation="X26")
        line.adapter.trace_person(line.reading())
        assert ("NHSD-End-User-Organisation-ODS", "X26") in line.recorder.exchanges[-1].request_headers

    @pytest.mark.parametrize("organisation", ["", "RRE\r\nX-Evil: 1", "Midlands Partnership"])
    def test_what_is_no_ods_code_is_not_sent(self, line: Any, who: Any, organisation: str) -> None:
        someone = who.model_copy(update={"organisation": organisation})
        with pytest.raises(NotPermitted, match="not an ODS code"):
            line.adapter.trace_person(line.reading(who=someone))
        assert line.recorder.exchanges == ()


class TestTokens:
    def test_sixteen_threads_share_one_token(self, socket_line: Any, twin: PdsTwin) -> None:
        line = socket_line
        together(16, lambda: line.adapter.trace_person(line.reading()))
        assert twin.authorisation.tokens_given == 1
        assert line.count(Code.TOKEN_FETCHED) == 1

    def test_a_refused_token_is_renewed_once_for_all_threads(self, socket_line: Any, twin: PdsTwin) -> None:
        line = socket_line
        line.adapter.trace_person(line.reading())
        twin.authorisation.revoke_all()
        together(8, lambda: line.adapter.trace_person(line.reading()))
        assert twin.authorisation.tokens_given == 2

    def test_a_token_is_kept_while_it_is_good(self, line: Any, twin: PdsTwin) -> None:
        for number in (FULL, SPARSE, DECEASED):
            line.adapter.trace_person(line.reading(number))
        assert twin.authorisation.tokens_given == 1

    def test_a_token_that_stays_stale_is_not_permitted(self, line: Any, twin: PdsTwin) -> None:
        with twin.faults.on(Fault.STALE_TOKEN), pytest.raises(NotPermitted):
            line.adapter.trace_person(line.reading())
        assert line.adapter.trace_person(line.reading()).outcome == "found"

    def test_a_refused_assertion_is_not_permitted(self, line_to: Any, twin: PdsTwin) -> None:
        line = line_to(twin, authorisation=twin, key_id="unregistered")
        with pytest.raises(NotPermitted):
            line.adapter.trace_person(line.reading())


class TestRate:
    def test_a_429_is_waited_for_and_asked_again(self, people: Any, line_to: Any) -> None:
        clock = [0.0]
        twin = PdsTwin(people, requests_per_second=2, retry_after_seconds=0, monotonic=lambda: clock[0])
        line = line_to(twin, authorisation=twin, retries=0)
        line.adapter.trace_person(line.reading())
        line.adapter.trace_person(line.reading())
        with pytest.raises(RateLimited):
            line.adapter.trace_person(line.reading())
        clock[0] += 1
        assert line.adapter.trace_person(line.reading()).outcome == "found"

    def test_a_passing_failure_is_tried_again_under_one_request_id(self, line_to: Any, twin: PdsTwin) -> None:
        line = line_to(twin, authorisation=twin, retries=1)
        with twin.answering(PdsCode.TOO_MANY_REQUESTS), pytest.raises(RateLimited):
            line.adapter.trace_person(line.reading())
        token, first, second = line.recorder.exchanges
        assert (token.label, first.attempt, second.attempt) == ("token", 1, 2)
        assert first.request_id == second.request_id

    def test_the_deadline_ends_it(self, line: Any) -> None:
        with pytest.raises(AdapterError) as caught:
            line.adapter.trace_person(line.reading(deadline=Deadline.after(0)))
        assert caught.value.reason is GapReason.TIMED_OUT


class TestConnection:
    def steps(self, line: Any) -> list[tuple[str, bool]]:
        return [(step.name, step.ok) for step in line.adapter.check_connection(line.wire)]

    def test_walks_to_a_harmless_call(self, line: Any) -> None:
        assert self.steps(line) == [("token", True), ("harmless call", True)]
        assert line.recorder.exchanges[-1].url.endswith("/personal-demographics/FHIR/R4/Patient")

    def test_names_the_token(self, line_to: Any, twin: PdsTwin) -> None:
        line = line_to(twin, authorisation=twin, key_id="unregistered")
        [step] = line.adapter.check_connection(line.wire)
        assert (step.name, step.ok) == ("token", False)
        assert "key_id" in step.advice

    def test_names_the_permission(self, line: Any, twin: PdsTwin) -> None:
        with twin.faults.on(Fault.STALE_TOKEN):
            *_, step = line.adapter.check_connection(line.wire)
        assert (step.name, step.ok) == ("harmless call", False)
        assert "developer portal" in step.advice

    @pytest.mark.parametrize("answer", [TwinResponse(404), patient_body()])
    def test_names_an_address_that_is_not_pds(self, script: Any, answer: Any) -> None:
        line, _ = script({"Patient": answer})
        *_, step = line.adapter.check_connection(line.wire)
        assert (step.name, step.ok) == ("harmless call", False)
        assert "/personal-demographics/FHIR/R4" in step.advice


def together(count: int, work: Callable[[], Any]) -> None:
    """Do the same in many threads at once; raise what any of them raised."""
    barrier, failures = threading.Barrier(count), []

    def run() -> None:
        barrier.wait()
        try:
            work()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
