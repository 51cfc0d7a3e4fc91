"""What goes out: to the directory, by the proxy, with which headers, asking for what."""

from __future__ import annotations

import json
import threading
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from mpftconnect.adapters import TwinResponse, json_response
from mpftconnect.errors import (
    AdapterError,
    AnswerRejected,
    ConfigurationError,
    NotPermitted,
    NotShown,
    SystemFailed,
    UsageError,
    WrongPerson,
)
from mpftconnect.model import Actor, Notice, SectionName
from mpftconnect.sandbox import PEOPLE
from mpftconnect_gpconnect.directory import NotRegistered
from mpftconnect_gpconnect.parameters import STRUCTURED, parameters
from mpftconnect_gpconnect.twin import GpConnectTwin

ALLERGIES, DOCUMENTS, PROBLEMS = SectionName.ALLERGIES, SectionName.DOCUMENTS, SectionName.PROBLEMS
STRUCTURED_URN = "urn:nhs:names:services:gpconnect:fhir:operation:gpc.getstructuredrecord-1"


class TestHeaders:
    def test_the_proxy_is_asked_for_the_whole_address_at_the_practice(self, line: Any) -> None:
        line.adapter.find_patient(line.reading("full", ALLERGIES))
        (request,) = line.practices()
        base = "https://gp-systems.example/ZZ101/STU3/1/GPConnect/Structured"
        assert (request.method, request.path) == ("POST", f"/ssp/{base}/Patient/$gpc.getstructuredrecord")
        assert request.headers["Content-Type"].startswith("application/fhir+json")
        assert request.headers["Accept"].startswith("application/fhir+json")
        assert request.headers["Ssp-InteractionID"] == STRUCTURED_URN
        assert request.headers["Ssp-From"] == "200000000359"
        (service,) = [s for s in line.twin._services if (s.practice, s.capability) == ("ZZ101", "structured")]
        assert request.headers["Ssp-To"] == service.asid
        assert str(uuid.UUID(request.headers["Ssp-TraceID"])) == request.headers["Ssp-TraceID"]

    def test_every_request_has_a_trace_id_and_a_token_of_its_own(self, line: Any, claims_of: Any) -> None:
        reading = line.reading("full", ALLERGIES, DOCUMENTS)
        line.adapter.find_patient(reading)
        list(line.adapter.read_documents(reading))
        requests = line.practices()
        assert len(requests) == 3
        for name in ("Ssp-TraceID", "Ssp-InteractionID", "Authorization"):
            assert len({one.headers[name] for one in requests}) == 3, name

    def test_the_audience_is_the_address_as_the_directory_gives_it(self, line: Any, claims_of: Any) -> None:
        reading = line.reading("cross-border", ALLERGIES, DOCUMENTS)
        line.adapter.find_patient(reading)
        list(line.adapter.read_documents(reading))
        assert [claims_of(one)["aud"] for one in line.practices()] == [
            "https://gp-systems.example/ZZ701/STU3/1/GPConnect/Structured",
            *["https://gp-systems.example/ZZ701/STU3/1/GPConnect/Documents"] * 2,
        ]

    def test_each_organisation_is_itself(self, line: Any, claims_of: Any) -> None:
        who = line.who.model_copy(update={"organisation": "ZZ210"})
        line.adapter.find_patient(line.reading("full", ALLERGIES, who=who))
        (request,) = line.practices()
        assert request.headers["Ssp-From"] == "200000000360"
        organisation = claims_of(request)["requesting_organization"]
        assert organisation["identifier"][0]["value"] == "ZZ210"
        assert organisation["name"] == "Northmere Pathology Service"

    def test_an_organisation_without_an_identifier_of_its_own_may_not_ask(self, line: Any) -> None:
        who = line.who.model_copy(update={"organisation": "ZZ999"})
        with pytest.raises(NotPermitted, match="no system identifier"):
            line.adapter.find_patient(line.reading("full", ALLERGIES, who=who))
        assert line.practices() == []

    def test_other_purposes_are_not_asked_for(self, line: Any) -> None:
        who = line.who.model_copy(update={"purpose": "research"})
        with pytest.raises(NotPermitted, match="direct care"):
            line.adapter.find_patient(line.reading("full", ALLERGIES, who=who))
        assert line.transport.asked == ()

    def test_the_directorys_key_goes_to_the_directory_alone(self, line: Any) -> None:
        reading = line.reading("full", ALLERGIES, DOCUMENTS)
        line.adapter.find_patient(reading)
        list(line.adapter.read_documents(reading))
        assert all(one.headers.get("apikey") == line.twin.api_key for one in line.directory())
        assert not any("apikey" in one.headers for one in line.practices())
        assert not any("Authorization" in one.headers for one in line.directory())

    def test_a_retry_carries_a_new_token(self, line_to: Any, claims_of: Any) -> None:
        clock = iter(datetime(2025, 9, 1, 9, second, tzinfo=UTC) for second in range(60))
        line = line_to(retries=1, answers={"Patient": None, "$gpc.getstructuredrecord": TwinResponse(503)})
        with pytest.raises(SystemFailed):
            line.adapter.find_patient(line.reading("full", ALLERGIES, now=lambda: next(clock)))
        first, second = line.practices()
        assert first.headers["X-Request-ID"] == second.headers["X-Request-ID"]
        assert claims_of(first)["iat"] < claims_of(second)["iat"]


class TestDirectory:
    def test_each_person_is_looked_up_anew(self, line: Any) -> None:
        for role in ("full", "conflicting", "full"):
            line.adapter.find_patient(line.reading(role, ALLERGIES))
        assert [one.path.rpartition("/")[2] for one in line.directory()] == ["Device", "Endpoint"] * 3

    def test_within_a_reading_each_capability_is_looked_up_once(self, line: Any) -> None:
        reading = line.reading("full", ALLERGIES, PROBLEMS, DOCUMENTS)
        patient = line.adapter.find_patient(reading)
        found = reading.found(patient)
        for read in (line.adapter.read_allergies, line.adapter.read_problems, line.adapter.read_documents) * 2:
            list(read(found))
        asked = [dict(one.query)["identifier"] for one in line.asked("/Device")]
        assert len(asked) == len(set(asked)) == 3
        assert [name.rpartition(":")[2] for name in asked] == [
            "gpc.getstructuredrecord-1",
            "patient-1",
            "documentreference-1",
        ]

    def test_capabilities_may_be_different_systems(self, line: Any) -> None:
        reading = line.reading("full", ALLERGIES, DOCUMENTS)
        line.adapter.find_patient(reading)
        list(line.adapter.read_documents(reading))
        receivers = [one.headers["Ssp-To"] for one in line.practices()]
        assert len(set(receivers)) == 2
        assert receivers[1] == receivers[2]

    @pytest.mark.parametrize("role", ["restricted", "very-restricted"])
    def test_a_restricted_persons_practice_is_not_asked(self, line: Any, role: str) -> None:
        with pytest.raises(NotShown, match="not told"):
            line.adapter.find_patient(line.reading(role, ALLERGIES))
        assert line.transport.asked == ()

    @pytest.mark.parametrize("practices", [(), ("ZZ101", "ZZ701"), (None,)])
    def test_a_practice_is_never_guessed(self, line: Any, people: Any, practices: Any) -> None:
        actors = tuple(Actor(organization="Surgery", organization_code=code) for code in practices)
        traced = people[0].patient.model_copy(update={"general_practitioner": actors})
        with pytest.raises(NotShown, match="no one GP practice"):
            line.adapter.find_patient(line.reading("full", ALLERGIES, traced=traced))
        assert line.transport.asked == ()

    @pytest.mark.parametrize("change", [{"traced": None}, {"level": None}])
    def test_without_a_trace_or_a_level_nothing_is_asked(self, line: Any, people: Any, change: Any) -> None:
        if "level" in change:
            change = {"traced": people[0].patient.model_copy(update={"restriction": None})}
        with pytest.raises(NotShown):
            line.adapter.find_patient(line.reading("full", ALLERGIES, **change))
        assert line.transport.asked == ()

    def test_a_practice_that_is_not_registered(self, line: Any, people: Any) -> None:
        practice = (Actor(organization="Elsewhere", organization_code="ZZ888"),)
        traced = people[0].patient.model_copy(update={"general_practitioner": practice})
        with pytest.raises(NotShown, match="not registered"):
            line.adapter.find_patient(line.reading("full", ALLERGIES, traced=traced))

    def test_a_refused_key(self, line_to: Any) -> None:
        line = line_to()
        line.twin._directory._api_key = "another"
        with pytest.raises(NotPermitted):
            line.adapter.find_patient(line.reading("full", ALLERGIES))

    def test_needs_a_number(self, line: Any) -> None:
        with pytest.raises(UsageError):
            line.adapter.find_patient(line.reading("full", ALLERGIES, nhs_number=None))


def searchset(*resources: dict[str, Any]) -> dict[str, Any]:
    entries = [{"resource": one, "search": {"mode": "match"}} for one in resources]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}


def device(
    asid: str = "200000000111", key: str = "ZZ101-1", interaction: str = STRUCTURED_URN, own_id: str = "1"
) -> Any:
    value = {"identifier": {"system": "https://fhir.nhs.uk/Id/nhsServiceInteractionId", "value": interaction}}
    url = "https://fhir.nhs.uk/StructureDefinition/Extension-SDS-NhsServiceInteractionId"
    return {
        "resourceType": "Device",
        "id": own_id,
        "identifier": [
            {"system": "https://fhir.nhs.uk/Id/nhsSpineASID", "value": asid},
            {"system": "https://fhir.nhs.uk/Id/nhsMhsPartyKey", "value": key},
        ],
        "extension": [{"url": url, "valueReference": value}],
    }


def endpoint(address: Any, own_id: str = "1", status: str = "active") -> dict[str, Any]:
    return {"resourceType": "Endpoint", "id": own_id, "status": status, "address": address}


GOOD = "https://gp-systems.example/ZZ101/STU3/1/GPConnect/Structured"


class TestWhatTheDirectorySays:
    @pytest.mark.parametrize(
        ("devices", "error"),
        [
            pytest.param([], NotRegistered, id="none"),
            pytest.param([device(), device("200000000222", own_id="2")], AnswerRejected, id="two"),
            pytest.param([device("12345")], AnswerRejected, id="no identifier of a system"),
            pytest.param([device("20000000011a")], AnswerRejected, id="not digits"),
            pytest.param([device(key="a\nb")], AnswerRejected, id="a line break"),
            pytest.param([device(key="k" * 101)], AnswerRejected, id="a long key"),
            pytest.param([{"resourceType": "Device", "id": "1"}], AnswerRejected, id="no identifiers"),
            pytest.param([device(interaction="urn:other")], NotRegistered, id="for another interaction"),
        ],
    )
    def test_devices(self, line_to: Any, devices: Any, error: type[AdapterError]) -> None:
        line = line_to(answers={"Device": searchset(*devices), "Endpoint": searchset(endpoint(GOOD))})
        with pytest.raises(AdapterError) as caught:
            line.adapter.find_patient(line.reading("full", ALLERGIES))
        assert type(caught.value) is error
        assert line.practices() == []

    @pytest.mark.parametrize(
        ("endpoints", "error"),
        [
            pytest.param([], NotRegistered, id="none"),
            pytest.param([endpoint(GOOD), endpoint(GOOD + "x", "2")], AnswerRejected, id="two"),
            pytest.param([endpoint(GOOD, status="off")], NotRegistered, id="not active"),
            *(
                pytest.param([endpoint(address)], AnswerRejected, id=str(address)[:40] or "empty")
                for address in (
                    "", None, 7, "gp.example/ZZ101", "file:///etc/passwd", "ldap://gp.example/x",
                    "https://user:word@gp.example/x", "https://gp.example/x?y=z", "https://gp.example/x#y",
                    "https://gp.example/../internal", "https://gp.example/%2e%2e/internal", "https:///x",
                    "https://gp.example/a b", "https://gp.example/a\r\nX: y", "https://gp.example\\@evil/",
                    "https://gp.example:port/", "https://gp.example/" + "x" * 600, "https://gp.example/\u202e",
                )
            ),
        ],
    )  # fmt: skip
    def test_endpoints(self, line_to: Any, endpoints: Any, error: type[AdapterError]) -> None:
        line = line_to(answers={"Device": searchset(device()), "Endpoint": searchset(*endpoints)})
        with pytest.raises(AdapterError) as caught:
            line.adapter.find_patient(line.reading("full", ALLERGIES))
        assert type(caught.value) is error
        assert line.practices() == []

    def test_the_same_twice_is_one(self, line_to: Any) -> None:
        answers = {
            "Device": searchset(device(), device(own_id="2")),
            "Endpoint": searchset(endpoint(GOOD), endpoint(GOOD, "2")),
        }
        line = line_to(answers=answers)
        with pytest.raises(NotPermitted):  # the proxy does not know the identifier; it was asked, though
            line.adapter.find_patient(line.reading("full", ALLERGIES))
        (request,) = line.practices()
        assert request.headers["Ssp-To"] == "200000000111"

    def test_whatever_address_it_names_the_proxy_is_what_is_spoken_to(self, line_to: Any) -> None:
        answers = {"Device": searchset(device()), "Endpoint": searchset(endpoint("https://169.254.169.254/latest"))}
        line = line_to(answers=answers)
        with pytest.raises(AdapterError):
            line.adapter.find_patient(line.reading("full", ALLERGIES))
        urls = [exchange.url for exchange in line.recorder.exchanges]
        assert all(url.startswith("http://spine.example/") for url in urls)

    def test_a_total_that_lies(self, line_to: Any) -> None:
        line = line_to(answers={"Device": searchset(device()) | {"total": 2}})
        with pytest.raises(AnswerRejected):
            line.adapter.find_patient(line.reading("full", ALLERGIES))


class TestWithoutTheProxy:
    def test_practices_are_spoken_to_directly_in_a_test_environment(self, line_to: Any) -> None:
        line = line_to(GpConnectTwin(PEOPLE, direct=True))
        assert line.adapter.find_patient(line.reading("full", ALLERGIES)).nhs_number == "9990000018"
        (request,) = line.practices()
        assert request.path == "/ZZ101/STU3/1/GPConnect/Structured/Patient/$gpc.getstructuredrecord"

    def test_in_a_live_one_only_those_that_are_allowed(self, line_to: Any) -> None:
        twin = GpConnectTwin(PEOPLE, direct=True)
        answers = {"Device": searchset(device()), "Endpoint": searchset(endpoint("https://evil.example/x"))}
        settings = {"direct_origins": ["https://gp-systems.example"], "answers": answers, "environment": "live"}
        line = line_to(twin, **settings)
        with pytest.raises(NotPermitted, match="may be spoken to directly"):
            line.adapter.find_patient(line.reading("full", ALLERGIES))
        assert line.practices() == []
        allowed = line_to(twin, **settings | {"answers": answers | {"Endpoint": searchset(endpoint(GOOD))}})
        with pytest.raises(AdapterError):
            allowed.adapter.find_patient(allowed.reading("full", ALLERGIES))
        assert len(allowed.practices()) == 1

    def test_not_by_clear_text_in_a_live_one(self, line_to: Any) -> None:
        answers = {"Device": searchset(device()), "Endpoint": searchset(endpoint("http://gp-systems.example/x"))}
        line = line_to(answers=answers, environment="live", direct_origins=["http://gp-systems.example"])
        with pytest.raises(AnswerRejected, match="not encrypted"):
            line.adapter.find_patient(line.reading("full", ALLERGIES))

    def test_a_live_system_without_any_way_is_not_opened(self, line_to: Any) -> None:
        with pytest.raises(ConfigurationError, match="spine_secure_proxy or direct_origins"):
            line_to(GpConnectTwin(PEOPLE, direct=True), environment="live")


class TestParameters:
    def test_no_more_is_asked_for_than_is_wanted(self, line: Any) -> None:
        names = {
            SectionName.ALLERGIES: ["includeAllergies"],
            SectionName.MEDICATIONS: ["includeMedication"],
            SectionName.NOTES: ["includeConsultations"],
            SectionName.ENCOUNTERS: ["includeConsultations"],
            SectionName.PROBLEMS: ["includeProblems"],
            SectionName.IMMUNISATIONS: ["includeImmunisations"],
            SectionName.RESULTS: ["includeUncategorisedData", "includeInvestigations"],
            SectionName.REPORTS: ["includeInvestigations"],
            SectionName.REFERRALS: ["includeReferrals", "includeDiaryEntries"],
        }
        assert names.keys() == STRUCTURED
        for section, expected in names.items():
            line.adapter.find_patient(line.reading("full", section))
            sent = json.loads(line.practices()[-1].body)
            assert [one["name"] for one in sent["parameter"]] == ["patientNHSNumber", *expected]

    def test_one_request_serves_every_section_and_thread(self, line: Any) -> None:
        reading = line.reading("full", *STRUCTURED)
        found = reading.found(line.adapter.find_patient(reading))
        reads = [getattr(line.adapter, f"read_{section}") for section in STRUCTURED]
        threads = [threading.Thread(target=lambda read=read: list(read(found))) for read in reads]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(line.practices()) == 1

    def test_parts_are_legal(self, line_to: Any) -> None:
        moment = datetime(2025, 9, 1, 23, 30, tzinfo=UTC)
        line = line_to(GpConnectTwin(PEOPLE, now=moment.timestamp), medications_active_within_days=400)
        line.adapter.find_patient(line.reading("full", SectionName.MEDICATIONS, SectionName.ALLERGIES,
                                               now=lambda: moment))  # fmt: skip
        sent = {one["name"]: one.get("part") for one in json.loads(line.practices()[-1].body)["parameter"]}
        assert sent["includeAllergies"] == [{"name": "includeResolvedAllergies", "valueBoolean": True}]
        # In London the second of September has begun.
        assert sent["includeMedication"] == [
            {"name": "includePrescriptionIssues", "valueBoolean": False},
            {"name": "medicationSearchFromDate", "valueDate": "2024-07-29"},
        ]

    @pytest.mark.parametrize("beside", [SectionName.PROBLEMS, SectionName.NOTES, SectionName.ENCOUNTERS])
    def test_a_date_is_not_sent_where_it_is_not_permitted(self, line_to: Any, beside: SectionName) -> None:
        line = line_to(medications_active_within_days=30)
        reading = line.reading("full", SectionName.MEDICATIONS, SectionName.IMMUNISATIONS, beside)
        found = reading.found(line.adapter.find_patient(reading))
        assert b"medicationSearchFromDate" not in line.practices()[-1].body
        assert b"includeNotGiven" not in line.practices()[-1].body
        notices = [one for one in line.adapter.read_immunisations(found) if isinstance(one, Notice)]
        assert [notice.code for notice in notices if notice.incomplete] == ["not-given-not-asked"]

    def test_a_section_that_a_date_cuts_short_says_so(self, line_to: Any) -> None:
        line = line_to(medications_active_within_days=30)
        reading = line.reading("full", SectionName.MEDICATIONS)
        found = list(line.adapter.read_medications(reading.found(line.adapter.find_patient(reading))))
        assert [one.code for one in found if isinstance(one, Notice) and one.incomplete] == ["limited-by-date"]
        assert not any("gliclazide" in getattr(one, "key", "") for one in found)

    def test_today_is_the_practices_today(self, line_to: Any) -> None:
        """Half past eleven at night by UTC in summer: at the practice tomorrow has begun, and may be asked from."""
        moment = datetime(2025, 9, 1, 23, 30, tzinfo=UTC)
        line = line_to(GpConnectTwin(PEOPLE, now=moment.timestamp), medications_active_within_days=0)
        assert line.adapter.find_patient(line.reading("full", SectionName.MEDICATIONS, now=lambda: moment))
        assert b'"valueDate":"2025-09-02"' in line.practices()[-1].body

    def test_the_earliest_date_is_not_before_people_were_born(self) -> None:
        asked = parameters("9990000018", [SectionName.MEDICATIONS],  # type: ignore[arg-type]
                           today=datetime(1900, 1, 5, tzinfo=UTC).date(), active_within_days=36_000)  # fmt: skip
        assert asked["parameter"][1]["part"][1] == {"name": "medicationSearchFromDate", "valueDate": "1900-01-01"}


class TestThePatient:
    def test_as_the_practice_knows_them(self, line: Any) -> None:
        patient = line.adapter.find_patient(line.reading("full", ALLERGIES))
        assert (patient.nhs_number, patient.verification_status) == ("9990000018", "01")
        assert (patient.source.system, patient.source.id) == ("gpconnect", "Patient/gp-7410018")
        assert patient.name.family == "Threlkeld"

    def test_by_the_document_server_where_no_structured_section_is_wanted(self, line: Any) -> None:
        patient = line.adapter.find_patient(line.reading("full", DOCUMENTS))
        assert patient.nhs_number == "9990000018"
        (request,) = line.practices()
        assert dict(request.query)["identifier"] == "https://fhir.nhs.uk/Id/nhs-number|9990000018"
        assert "%7C9990000018" in line.recorder.exchanges[-1].url

    def test_somebody_else_is_refused(self, line_to: Any) -> None:
        for role, sections in (("conflicting", [ALLERGIES]), ("conflicting", [DOCUMENTS])):
            other = line_to()
            other.adapter.find_patient(other.reading(role, *sections))
            wrong = json.loads(other.twin.handle(other.practices()[-1]).body)
            name = "$gpc.getstructuredrecord" if sections == [ALLERGIES] else "Patient"
            line = line_to(answers={name: json_response(wrong)})
            with pytest.raises(WrongPerson):
                line.adapter.find_patient(line.reading("full", *sections))

    def test_the_adapter_looks_for_itself(self, line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Even if the reader of the record let somebody else pass."""
        import mpftconnect_gpconnect.adapter as room

        other = line.adapter.find_patient(line.reading("conflicting", ALLERGIES))
        for sections in ([ALLERGIES], [DOCUMENTS]):
            monkeypatch.setattr(
                room, "read_structured_record", lambda *_, **__: room.StructuredRecord(patient=other, sections={})
            )
            with pytest.raises(WrongPerson, match="another NHS number"):
                line.adapter.find_patient(line.reading("full", *sections))
