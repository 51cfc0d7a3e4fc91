"""Pointers as documents, and pointers of our own, by the adapter: what it asks, takes, refuses and reports."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mpftconnect.adapters import Deadline, Fault, NewPointer, Refusal, TwinResponse, json_response
from mpftconnect.errors import (
    AdapterError,
    AnswerRejected,
    NotPermitted,
    OutcomeUnknown,
    RateLimited,
    SystemFailed,
    UsageError,
    WrongPerson,
)
from mpftconnect.model import SNOMED, Coding, DocumentReference, When
from mpftconnect.sandbox import PEOPLE, person
from mpftconnect_nrl.outcomes import NrlCode
from mpftconnect_nrl.twin.refusals import TABLE

PRODUCER = "/record-locator/producer/FHIR/R4/DocumentReference"


def outcome(code: str, status: int, **issue: Any) -> TwinResponse:
    coding = {"system": "https://fhir.nhs.uk/CodeSystem/Spine-ErrorOrWarningCode", "code": code}
    body = {"resourceType": "OperationOutcome", "issue": [{"details": {"coding": [coding]}, **issue}]}
    return json_response(body, status)


def bundle(*resources: Any, **more: Any) -> dict[str, Any]:
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(resources), "entry": entries, **more}


class TestReading:
    def test_pointers_are_documents_with_type_category_custodian_and_setting(self, line: Any) -> None:
        crisis, eol, contact = line.documents()
        assert crisis.source.id == "DocumentReference/RRE-full-crisis"
        assert crisis.type.coding[0].display == "Mental health crisis plan"
        assert crisis.category[0].coding[0].code == "734163000"
        assert (crisis.custodian.organization_code, crisis.author.organization_code) == ("RRE", "RRE")
        assert crisis.practice_setting.coding[0].code == "788002001"
        assert crisis.date == When("2025-06-20T10:15:00Z")
        assert crisis.subject.identifier.value == "9990000018"
        assert eol.attachments[0].url == "ssp://documents.sandbox.invalid/documents/full-eol"
        assert contact.attachments[0].content_type == "text/html"
        assert {part.path for part in eol.extra} == {"content[0].format", "content[0].extension", "context.related"}

    @pytest.mark.parametrize("someone", [p for p in PEOPLE if "nrl" in p.systems], ids=lambda p: p.role)
    def test_every_synthetic_pointer_is_read(self, line: Any, someone: Any) -> None:
        (held,) = someone.systems["nrl"].items.values()
        found = line.documents(someone.nhs_number)
        assert [each.source.id for each in found] == [item.source.id for item in held]

    def test_the_search_is_made_once_for_a_reading(self, line: Any) -> None:
        line.documents()
        assert [r.path.rpartition("/")[2] for r in line.transport.asked] == ["token", "_search"]

    def test_former_numbers_are_searched_too(self, line: Any) -> None:
        former = person("conflicting").nhs_number
        found = line.documents(former_numbers=(former,))
        assert len(found) == 5
        asked = [json.loads(r.body)["subject:identifier"][-10:] for r in line.transport.asked[1:]]
        assert asked == ["9990000018", former]

    def test_nothing_but_the_number_is_said_of_the_person_whether_there_are_pointers_or_not(self, line: Any) -> None:
        for number in ("9990000018", "9990000026"):
            patient = line.adapter.find_patient(line.reading(number))
            assert patient.nhs_number == number
            assert patient.verification_status is None
            told = patient.model_dump(exclude={"source", "identifiers"}, exclude_defaults=True)
            assert told == {}
        assert line.documents("9990000026") == []

    def test_only_configured_types_are_asked_for(self, line_to: Any, twin: Any) -> None:
        line = line_to(twin, types=["736373009"])
        assert [each.type.coding[0].code for each in line.documents()] == ["736373009"]

    def test_the_count_and_one_pointer_by_its_id(self, line: Any) -> None:
        assert line.adapter.count_pointers(line.reading()) == 3
        found = line.adapter.read_pointer(line.reading(), "ZZ502-full-eol")
        assert isinstance(found, DocumentReference)
        theirs = line.adapter.read_pointer(line.reading("9990000026"), "ZZ502-full-eol")
        assert isinstance(theirs, Refusal)
        assert theirs.wrong_person
        with pytest.raises(AnswerRejected, match="status 404, NO_RECORD_FOUND"):
            line.adapter.read_pointer(line.reading(), "ZZ502-none")
        for wrong in ("../x", "Patient/1", "", "a", "x" * 70):
            with pytest.raises(AnswerRejected, match="not the id of a pointer"):
                line.adapter.read_pointer(line.reading(), wrong)

    def test_somebody_elses_pointers_are_refused_one_by_one(self, line: Any, twin: Any) -> None:
        with twin.faults.on(Fault.WRONG_PATIENT):
            found = line.documents()
        assert found
        assert all(isinstance(each, Refusal) and each.wrong_person for each in found)

    def test_one_bad_entry_spoils_no_other(self, line: Any, script: Any) -> None:
        good = json.loads(line.transport._twin.handle(_search_request(line)).body)["entry"][0]["resource"]
        without_number = {**good, "id": "RRE-2", "subject": {"reference": "Patient/1"}}
        shapeless = {**good, "id": "RRE-3", "content": "x"}
        found = script(json_response(bundle(good, without_number, shapeless, "text", {"resourceType": 3}))).documents()
        assert isinstance(found[0], DocumentReference)
        assert [type(each) for each in found[1:]].count(Refusal) >= 3

    def test_a_total_that_lies_leaves_the_section_incomplete_and_keeps_what_came(self, line: Any, twin: Any) -> None:
        reading = line.found()
        with twin.faults.on(Fault.LYING_TOTAL):
            fresh = replace(line.reading(), patient=reading.patient)
            found = []
            with pytest.raises(AnswerRejected, match="total"):
                found += line.adapter.read_documents(fresh)
                for each in line.adapter.read_documents(fresh):
                    found.append(each)


def _search_request(line: Any) -> Any:
    line.documents()
    return line.transport.asked[-1]


KINDS = {401: NotPermitted, 403: NotPermitted, 429: RateLimited, 500: SystemFailed}


class TestRefusals:
    """NRL-13: every published refusal is told apart, and nothing of the answer's own words is repeated."""

    @pytest.mark.parametrize("code", TABLE)
    def test_of_a_read(self, line: Any, twin: Any, code: NrlCode) -> None:
        with twin.answering(code), pytest.raises(AdapterError) as caught:
            line.documents()
        status = TABLE[code].status
        assert type(caught.value) is KINDS.get(status, AnswerRejected)
        assert caught.value.rule == f"status {status}, {code}"

    @pytest.mark.parametrize("spelt", ["ACCESS DENIED", "ACCESS_DENIED"])
    def test_a_denial_however_it_is_spelt(self, script: Any, spelt: str) -> None:
        with pytest.raises(NotPermitted, match=r"status 403, ACCESS_DENIED$"):
            script(outcome(spelt, 403)).documents()

    def test_the_place_is_repeated_where_it_can_be_no_value(self, script: Any) -> None:
        with pytest.raises(AnswerRejected) as caught:
            script(outcome("INVALID_RESOURCE", 400, expression=["category[0].coding[0].display"])).documents()
        assert caught.value.place == "category[0].coding[0].display"
        for said in ("Patient Wolfscote", "9990000018", ["a"], "x" * 400, "subject='9990000018'"):
            with pytest.raises(AnswerRejected) as caught:
                script(outcome("INVALID_RESOURCE", 400, expression=[said], diagnostics="Wolfscote")).documents()
            assert (caught.value.place, "Wolfscote" in str(caught.value)) == (None, False)

    def test_an_unknown_code_is_not_repeated(self, script: Any) -> None:
        with pytest.raises(AnswerRejected, match="status 400, no known code"):
            script(outcome("WOLFSCOTE", 400)).documents()

    def test_an_outcome_under_200_is_no_empty_answer(self, script: Any) -> None:
        with pytest.raises(AnswerRejected, match="status 200"):
            script(outcome("NO_RECORD_FOUND", 200)).documents()

    @pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"resourceType":"Bundle"}', b"{" * 5000])
    def test_what_is_no_search_result(self, script: Any, body: bytes) -> None:
        with pytest.raises(AnswerRejected):
            script(TwinResponse(200, {"Content-Type": "application/fhir+json"}, body)).documents()


class TestConnection:
    def steps(self, line: Any) -> list[tuple[str, bool]]:
        steps = line.adapter.check_connection(line.wire.bound(deadline=Deadline.after(10)))
        return [(step.name, step.ok) for step in steps]

    def test_all_well(self, line: Any) -> None:
        assert self.steps(line) == [("token", True), ("harmless call", True)]

    def test_which_step_fails(self, line_to: Any, twin: Any, script: Any) -> None:
        assert self.steps(line_to(twin, key_id="unregistered")) == [("token", False)]
        for answer in (outcome("ACCESS DENIED", 403), json_response({}), outcome("X", 400), TwinResponse(404)):
            assert self.steps(script(answer)) == [("token", True), ("harmless call", False)]


class TestOurOwnPointers:
    def publish(self, line: Any, pointer: NewPointer, *replaces: str) -> Any:
        draft = line.adapter.draft_pointer(line.reading(), pointer, replaces)
        return line.adapter.write_pointer(line.reading(), draft, replaces)

    def test_made_found_superseded_and_removed(self, line: Any, pointer: NewPointer) -> None:
        made = self.publish(line, pointer)
        assert made.pointer.startswith("RRE-")
        (found,) = [p for p in line.adapter.find_pointers(line.reading(), "736253002") if p.reference]
        assert (found.id, found.reference, found.version, found.kind) == (
            made.pointer, pointer.reference, pointer.version, "736253002",
        )  # fmt: skip
        newer = replace(pointer, version="11111111-2222-5333-8444-555555555555")
        again = self.publish(line, newer, made.pointer)
        assert again.pointer != made.pointer
        (found,) = [p for p in line.adapter.find_pointers(line.reading(), None) if p.reference]
        assert (found.id, found.version) == (again.pointer, newer.version)
        removal = line.adapter.draft_removal(line.reading(), again.pointer)
        gone = line.adapter.write_pointer(line.reading(), removal, ())
        assert (gone.pointer, gone.already) == (again.pointer, False)
        assert [p for p in line.adapter.find_pointers(line.reading(), None) if p.reference] == []
        assert line.adapter.write_pointer(line.reading(), removal, ()).already

    def test_what_is_sent_is_the_draft_byte_for_byte(self, line: Any, twin: Any, pointer: NewPointer) -> None:
        draft = line.adapter.draft_pointer(line.reading(), pointer, ())
        line.adapter.write_pointer(line.reading(), draft, ())
        assert twin.written == [draft.body]
        sent = line.transport.asked[-1]
        assert draft.url.endswith(sent.path)
        assert {name: sent.headers[name] for name in draft.headers} == draft.headers

    def test_drafting_asks_nobody(self, line: Any, pointer: NewPointer) -> None:
        line.adapter.draft_pointer(line.reading(), pointer, ("RRE-1",))
        line.adapter.draft_removal(line.reading(), "RRE-1")
        assert line.transport.asked == ()

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_a_failing_system_leaves_open_whether_it_was_done(
        self, script: Any, pointer: NewPointer, status: int
    ) -> None:
        line = script(TwinResponse(status))
        with pytest.raises(OutcomeUnknown):
            self.publish(line, pointer)
        with pytest.raises(OutcomeUnknown):
            line.adapter.write_pointer(line.reading(), line.adapter.draft_removal(line.reading(), "RRE-1"), ())
        assert len([r for r in line.transport.asked if r.path.startswith(PRODUCER)]) == 2

    @pytest.mark.parametrize(
        "answer",
        [
            TwinResponse(201),
            TwinResponse(200, {"Content-Type": "text/html"}, b"<html>"),
            outcome("RESOURCE_CREATED", 201),
            json_response({"resourceType": "Bundle"}, 201, {"Location": "/x/RRE-1"}),
            outcome("RESOURCE_UPDATED", 200),
        ],
    )
    def test_a_success_that_does_not_say_what_was_done_is_unknown(
        self, script: Any, pointer: NewPointer, answer: TwinResponse
    ) -> None:
        with pytest.raises(OutcomeUnknown):
            self.publish(script(answer), pointer)

    @pytest.mark.parametrize("location", ["/x/ZZ502-1", "/x/", "/x/Patient", "RRE-1 2", "/x/RRE-../1"])
    def test_an_id_that_cannot_be_ours_is_unknown(self, script: Any, pointer: NewPointer, location: str) -> None:
        answer = outcome("RESOURCE_CREATED", 201)
        answer = TwinResponse(201, {**answer.headers, "Location": location}, answer.body)
        with pytest.raises(OutcomeUnknown):
            self.publish(script(answer), pointer)

    def test_superseding_where_nothing_was_to_be_superseded_is_unknown(self, script: Any, pointer: NewPointer) -> None:
        answer = outcome("RESOURCE_SUPERSEDED", 201)
        with pytest.raises(OutcomeUnknown):
            self.publish(script(TwinResponse(201, {**answer.headers, "Location": "/x/RRE-1"}, answer.body)), pointer)

    def test_a_plain_refusal_is_no_unknown_outcome(self, script: Any, pointer: NewPointer) -> None:
        for answer, kind in (
            (outcome("INVALID_RESOURCE", 400), AnswerRejected),
            (outcome("AUTHOR_CREDENTIALS_ERROR", 403), NotPermitted),
            (outcome("TOO_MANY_REQUESTS", 429), RateLimited),
        ):
            with pytest.raises(kind):
                self.publish(script(answer), pointer)

    @pytest.mark.parametrize(
        ("number", "organisation"),
        [("9990000018", "ZZ502"), ("9990000026", "RRE"), ("9990000018", ["RRE"]), (None, "RRE"), ("9990000018", None)],
    )
    def test_pointers_of_somebody_else_among_ours_are_not_taken(
        self, line: Any, script: Any, number: Any, organisation: Any
    ) -> None:
        foreign = {
            "resourceType": "DocumentReference", "id": "RRE-1",
            "subject": {"identifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": number}},
            "custodian": {
                "identifier": {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": organisation}
            },
        }  # fmt: skip
        scripted = script(json_response(bundle(foreign)))
        with pytest.raises(WrongPerson):
            list(scripted.adapter.find_pointers(scripted.reading(), None))

    def test_the_organisation_of_the_settings_is_the_custodian(self, line_to: Any, twin: Any, pointer: Any) -> None:
        line = line_to(twin, end_user_organisation="ZZ777")
        draft = line.adapter.draft_pointer(line.reading(), pointer, ())
        assert json.loads(draft.body)["custodian"]["identifier"]["value"] == "ZZ777"
        assert draft.headers["NHSD-End-User-Organisation-ODS"] == "ZZ777"

    def test_a_user_without_an_ods_code_publishes_nothing(self, line: Any, pointer: NewPointer, who: Any) -> None:
        stranger = who.model_copy(update={"organisation": "Trust\r\nX: y"})
        with pytest.raises(NotPermitted, match="ODS"):
            line.adapter.draft_pointer(line.reading(who=stranger), pointer, ())

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"kind": Coding(system=SNOMED, code="410970009")}, "type"),
            ({"kind": Coding(system="http://loinc.org", code="736253002")}, "type"),
            ({"author": "Midlands Partnership"}, "author"),
            ({"author": "a b"}, "author"),
            ({"reference": "9990000018"}, "reference"),
            ({"version": "1"}, "version"),
        ],
    )
    def test_what_the_locator_would_refuse_is_not_drafted(
        self, line: Any, pointer: NewPointer, change: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(UsageError, match=words):
            line.adapter.draft_pointer(line.reading(), replace(pointer, **change), ())

    def test_what_settings_leave_out(self, line_to: Any, twin: Any, pointer: NewPointer) -> None:
        with pytest.raises(UsageError, match="publish"):
            line_to(twin, publish=None).adapter.draft_pointer(line_to(twin).reading(), pointer, ())
        bare = {"document_url": "https://plans.example/{reference}"}
        with pytest.raises(UsageError, match="practice setting"):
            line_to(twin, publish=bare).adapter.draft_pointer(line_to(twin).reading(), pointer, ())
        setting = Coding(system=SNOMED, code="395092004", display="Specialist palliative care")
        line = line_to(twin, publish=bare)
        body = json.loads(
            line.adapter.draft_pointer(line.reading(), replace(pointer, practice_setting=setting), ()).body
        )
        assert body["context"] == {"practiceSetting": {"coding": [setting.model_dump(exclude_none=True)]}}

    def test_no_address_names_the_person(self, line_to: Any, twin: Any, pointer: NewPointer) -> None:
        for number in ("9990000018", "999-000-0018"):
            publish = {"document_url": f"https://plans.example/{number}/{{reference}}",
                       "practice_setting": {"code": "1", "display": "x"}}  # fmt: skip
            line = line_to(twin, publish=publish)
            with pytest.raises(UsageError, match="names the person") as caught:
                line.adapter.draft_pointer(line.reading(), pointer, ())
            assert number not in str(caught.value)

    @pytest.mark.parametrize("pointer_id", ["ZZ502-full-eol", "RRE", "../RRE-1", "RRE-1/2", ""])
    def test_only_our_own_are_replaced_or_removed(self, line: Any, pointer: NewPointer, pointer_id: str) -> None:
        with pytest.raises(UsageError, match="own organisation"):
            line.adapter.draft_pointer(line.reading(), pointer, (pointer_id,))
        with pytest.raises(UsageError, match="own organisation"):
            line.adapter.draft_removal(line.reading(), pointer_id)

    def test_a_draft_for_another_address_is_not_sent(self, line: Any, pointer: NewPointer) -> None:
        draft = line.adapter.draft_pointer(line.reading(), pointer, ())
        for changed in (
            replace(draft, url="https://elsewhere.example/producer"),
            replace(draft, method="PUT"),
            replace(draft, body=None),
        ):
            with pytest.raises(UsageError):
                line.adapter.write_pointer(line.reading(), changed, ())
        assert line.transport.asked == ()

    @pytest.mark.parametrize(
        ("made", "sent"),
        [
            ("2025-05-20T10:15:00", "2025-05-20"),
            ("2025-05-20T10:15:00+01:00", "2025-05-20"),
            ("2025-05", "2025-05"),
            ("2025", "2025"),
            (None, None),
        ],
    )
    def test_when_it_was_made_is_no_more_precise_than_known(
        self, line: Any, pointer: NewPointer, made: str | None, sent: str | None
    ) -> None:
        new = replace(pointer, created=When(made) if made else None)
        body = json.loads(line.adapter.draft_pointer(line.reading(), new, ()).body)
        assert body["content"][0]["attachment"].get("creation") == sent
