"""The twin against the published specification: what it answers, and what it lets nobody do."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_schema_validator import OAS30Validator

from mpftconnect.adapters import Fault, TwinRequest, TwinResponse
from mpftconnect.sandbox import PEOPLE
from mpftconnect_pds.outcomes import PdsCode, codes_of
from mpftconnect_pds.twin import PdsTwin
from mpftconnect_pds.twin.refusals import TABLE

FULL, FORMER = "9990000018", "9990000107"
SPARSE, RESTRICTED, VERY_RESTRICTED = "9990000026", "9990000034", "9990000042"
DECEASED, INVALIDATED, TWIN_A, UNKNOWN = "9990000050", "9990000069", "9990000077", "9990000093"


def body_of(response: TwinResponse) -> dict[str, Any]:
    content = json.loads(response.body)
    assert isinstance(content, dict)
    return content


def code_of(response: TwinResponse) -> PdsCode | None:
    codes = codes_of(body_of(response))
    assert len(codes) <= 1
    return next(iter(codes), None)


class TestRetrieval:
    def test_answers_with_the_person_and_their_version(self, caller: Any) -> None:
        response = caller.get(f"/Patient/{FULL}")
        assert response.status == 200
        body = body_of(response)
        assert (body["id"], body["identifier"][0]["value"]) == (FULL, FULL)
        assert response.headers["ETag"] == f'W/"{body["meta"]["versionId"]}"'
        assert body["contact"][0]["telecom"][0]["value"] == "07700900222"

    def test_a_superseded_number_answers_with_the_current_one(self, caller: Any) -> None:
        assert body_of(caller.get(f"/Patient/{FORMER}"))["id"] == FULL

    @pytest.mark.parametrize(
        ("number", "status", "code"),
        [
            (UNKNOWN, 404, PdsCode.RESOURCE_NOT_FOUND),
            (INVALIDATED, 404, PdsCode.INVALIDATED_RESOURCE),
            ("9990000019", 400, PdsCode.INVALID_RESOURCE_ID),
            ("999000001", 400, PdsCode.INVALID_RESOURCE_ID),
            ("999%20000%200018", 400, PdsCode.INVALID_RESOURCE_ID),
            ("", 400, PdsCode.UNSUPPORTED_SERVICE),
        ],
    )
    def test_other_numbers(self, caller: Any, number: str, status: int, code: PdsCode) -> None:
        response = caller.get(f"/Patient/{number}")
        assert (response.status, code_of(response)) == (status, code)

    @pytest.mark.parametrize("number", [RESTRICTED, VERY_RESTRICTED])
    def test_a_restricted_person_is_shown_without_their_whereabouts(
        self, caller: Any, number: str, people: Any
    ) -> None:
        response = caller.get(f"/Patient/{number}")
        person = next(person for person in people if person.nhs_number == number)
        assert body_of(response)["meta"]["security"][0]["code"] == person.patient.restriction
        text = response.body.decode()
        address, point = person.patient.addresses[0], person.patient.telecom[0]
        for secret in (*address.line, address.postal_code, point.value, "Y90001", "FZZ01", "Thornaby Wath"):
            assert secret not in text

    def test_a_very_restricted_person_has_no_name(self, caller: Any) -> None:
        assert "name" in body_of(caller.get(f"/Patient/{RESTRICTED}"))
        assert "name" not in body_of(caller.get(f"/Patient/{VERY_RESTRICTED}"))

    def test_a_deceased_person_has_the_date_and_the_notification(self, caller: Any) -> None:
        body = body_of(caller.get(f"/Patient/{DECEASED}"))
        assert body["deceasedDateTime"] == "2023-12-24T06:30:00+00:00"
        assert body["extension"][0]["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "2"

    def test_the_wrong_patient_fault_answers_with_somebody_else(self, caller: Any) -> None:
        with caller.twin.faults.on(Fault.WRONG_PATIENT):
            assert body_of(caller.get(f"/Patient/{FULL}"))["id"] == SPARSE
        assert body_of(caller.get(f"/Patient/{FULL}"))["id"] == FULL

    def test_people_whom_pds_does_not_have_are_not_found(self, people: Any, caller_of: Any) -> None:
        elsewhere = [replace(person, systems={}) for person in people]
        twin = PdsTwin(elsewhere)
        caller = replace(caller_of(), twin=twin, token=twin.authorisation.grant())
        assert code_of(caller.get(f"/Patient/{FULL}")) is PdsCode.RESOURCE_NOT_FOUND


class TestRelatedPeople:
    def test_are_listed_without_the_emergency_contact(self, caller: Any) -> None:
        body = body_of(caller.get(f"/Patient/{FULL}/RelatedPerson"))
        assert body["total"] == len(body["entry"]) == 2
        assert f"/Patient/{FULL}/RelatedPerson/" in body["entry"][0]["fullUrl"]
        assert body["entry"][1]["resource"]["patient"]["identifier"]["value"] == TWIN_A

    @pytest.mark.parametrize("number", [SPARSE, RESTRICTED])
    def test_of_nobody_and_of_a_restricted_person_are_an_empty_bundle(self, caller: Any, number: str) -> None:
        body = body_of(caller.get(f"/Patient/{number}/RelatedPerson"))
        assert body["total"] == 0
        assert "entry" not in body


class TestSearch:
    def found(self, caller: Any, target: str) -> list[tuple[str, float]]:
        response = caller.get(target)
        assert response.status == 200
        body = body_of(response)
        assert body["total"] == len(body.get("entry", ()))
        return [(entry["resource"]["id"], entry["search"]["score"]) for entry in body.get("entry", ())]

    @pytest.mark.parametrize(
        "parameters",
        [
            "family=quillfeather&birthdate=eq1971-03-09",
            "family=Quillfeather&birthdate=1971-03-09&gender=female&given=Tamsin",
            "family=Quillfeather&birthdate=ge1971-03-01&birthdate=le1971-03-31",
            "family=Quillfeather&birthdate=le1971-03-09&address-postalcode=st991qf",
            "family=Quillfeather&birthdate=1971-03-09&address-postcode=ST99%201QF&general-practitioner=y90001",
            "family=Quillfeather&birthdate=1971-03-09&phone=07700900333&_exact-match=true&_max-results=1",
        ],
    )
    def test_finds_exactly(self, caller: Any, parameters: str) -> None:
        assert self.found(caller, f"/Patient?{parameters}") == [(FULL, 1.0)]

    @pytest.mark.parametrize(
        "parameters",
        [
            "family=Quill*&birthdate=1971-03-09",
            "family=Quillfeather&given=Ta*&birthdate=1971-03-09&address-postalcode=ST*",
            "family=Oldershaw&birthdate=1971-03-09&_history=true",
            "family=Quilfether&given=Tamzin&birthdate=1971-03-09&_fuzzy-match=true",
            "family=Tamsin&given=Quillfeather&birthdate=1971-03-09&_fuzzy-match=true",
            "family=Quillfeather&given=Tamsin&birthdate=1971-03-09&_fuzzy-match=true&general-practitioner=Y90002",
        ],
    )
    def test_finds_in_part_with_a_lower_score(self, caller: Any, parameters: str) -> None:
        [(number, score)] = self.found(caller, f"/Patient?{parameters}")
        assert number == FULL
        assert 0 < score < 1
        assert self.found(caller, f"/Patient?{parameters}&_exact-match=true") == []

    @pytest.mark.parametrize(
        "parameters",
        [
            "family=Quillfeather&birthdate=1971-03-10",
            "family=Oldershaw&birthdate=1971-03-09",
            "family=Quillfeather&birthdate=1971-03-09&gender=male",
            "family=Quillfeather&birthdate=1971-03-09&given=Marigold",
            "family=Quillfeather&birthdate=1971-03-09&phone=07700900999",
            "family=Quillfeather&birthdate=1971-03-09&death-date=le2024-01-01",
            "family=Nevermore&birthdate=1960-06-06",
            "family=Hollowmere&birthdate=1988-11-30&address-postalcode=ST99%202HM",
            "family=Hollowmere&birthdate=1988-11-30&general-practitioner=Y90001",
        ],
    )
    def test_does_not_find(self, caller: Any, parameters: str) -> None:
        assert self.found(caller, f"/Patient?{parameters}") == []

    def test_a_restricted_person_is_found_by_name_without_their_whereabouts(self, caller: Any) -> None:
        body = body_of(caller.get("/Patient?family=Hollowmere&birthdate=1988-11-30"))
        resource = body["entry"][0]["resource"]
        assert resource["meta"]["security"][0]["code"] == "R"
        assert not {"address", "telecom", "generalPractitioner"} & set(resource)

    def test_a_result_is_shorter_than_a_retrieval(self, caller: Any) -> None:
        body = body_of(caller.get("/Patient?family=Quillfeather&birthdate=1971-03-09"))
        resource = body["entry"][0]["resource"]
        assert [name["use"] for name in resource["name"]] == ["usual"]
        assert [address["use"] for address in resource["address"]] == ["home"]
        whole = body_of(caller.get(f"/Patient/{FULL}"))
        assert ([len(whole[kind]) for kind in ("name", "address")], len(whole["extension"])) == ([2, 2], 3)
        assert "extension" not in resource

    def test_more_than_fit_is_an_outcome_under_200(self, caller_of: Any) -> None:
        target = "/Patient?family=Dunnocksley&birthdate=2001-08-17"
        response = caller_of().get(target)
        assert (response.status, code_of(response)) == (200, PdsCode.TOO_MANY_MATCHES)
        worker = caller_of(access="healthcare-worker")
        assert len(self.found(worker, target)) == 2
        assert code_of(worker.get(f"{target}&_max-results=1")) is PdsCode.TOO_MANY_MATCHES

    @pytest.mark.parametrize(
        ("parameters", "status", "code"),
        [
            ("", 400, PdsCode.UNSUPPORTED_SERVICE),
            ("family=Smith&birthdate=1971-03-09&year=2003", 400, PdsCode.ADDITIONAL_PROPERTIES),
            ("manufacturer=Ford&model=focus", 400, PdsCode.ADDITIONAL_PROPERTIES),
            ("gender=female", 400, PdsCode.MISSING_VALUE),
            ("email=a@example.com&phone=0163", 400, PdsCode.MISSING_VALUE),
            ("birthdate=eq1971-03-09", 400, PdsCode.INVALID_SEARCH_DATA),
            ("family=A&birthdate=19710309", 400, PdsCode.INVALID_VALUE),
            ("family=A&birthdate=1971-02-30", 400, PdsCode.INVALID_VALUE),
            ("family=A&birthdate=gt1971-02-03", 400, PdsCode.INVALID_VALUE),
            ("family=A&birthdate=1971-02-03&death-date=2020", 400, PdsCode.INVALID_VALUE),
            ("family=A&birthdate=1971-02-03&gender=mal", 400, PdsCode.INVALID_VALUE),
            ("family=S*&birthdate=1971-02-03", 400, PdsCode.INVALID_VALUE),
            (f"family={'A' * 36}&birthdate=1971-02-03", 400, PdsCode.INVALID_VALUE),
            ("family=A&birthdate=1971-02-03&_history=yes", 400, PdsCode.INVALID_VALUE),
            ("family=A&birthdate=1971-02-03&_max-results=0", 400, PdsCode.INVALID_VALUE),
            ("family=A&birthdate=1971-02-03&_max-results=2", 403, PdsCode.INVALID_VALUE),
            ("family=A&birthdate=1971-02-03&_fuzzy-match=true", 400, PdsCode.INVALID_SEARCH_DATA),
            ("family=Ab*&given=B&birthdate=1971-02-03&_fuzzy-match=true", 400, PdsCode.INVALID_SEARCH_DATA),
            (
                "family=A&birthdate=1971-02-03&address-postcode=ST99&address-postalcode=ST99",
                400,
                PdsCode.INVALID_SEARCH_DATA,
            ),
        ],
    )
    def test_refuses(self, caller: Any, parameters: str, status: int, code: PdsCode) -> None:
        response = caller.get(f"/Patient?{parameters}")
        assert (response.status, code_of(response)) == (status, code)


class TestAdmission:
    def test_mirrors_the_ids_on_success_and_on_refusal(self, caller: Any) -> None:
        for number in (FULL, UNKNOWN):
            request_id = str(uuid.uuid4())
            headers = caller.get(f"/Patient/{number}", X_Request_ID=request_id).headers
            assert (headers["X-Request-ID"], headers["X-Correlation-ID"]) == (request_id, "correlation-1")

    @pytest.mark.parametrize(
        ("headers", "status", "code"),
        [
            ({"X_Request_ID": None}, 400, PdsCode.MISSING_VALUE),
            ({"X_Request_ID": "1234"}, 400, PdsCode.INVALID_VALUE),
            ({"Authorization": None}, 401, PdsCode.ACCESS_DENIED),
            ({"Authorization": ""}, 401, PdsCode.ACCESS_DENIED),
            ({"Authorization": "Bearer"}, 401, PdsCode.ACCESS_DENIED),
            ({"Authorization": "Bearer made-up"}, 401, PdsCode.ACCESS_DENIED),
        ],
    )
    def test_refuses_bad_headers(
        self, caller: Any, headers: Mapping[str, str | None], status: int, code: PdsCode
    ) -> None:
        response = caller.get(f"/Patient/{FULL}", **headers)
        assert (response.status, code_of(response)) == (status, code)

    def test_the_role_is_checked_only_for_a_healthcare_worker(self, caller_of: Any) -> None:
        assert caller_of().get(f"/Patient/{FULL}", NHSD_Session_URID="nurse").status == 200
        worker = caller_of(access="healthcare-worker")
        assert code_of(worker.get(f"/Patient/{FULL}", NHSD_Session_URID="nurse")) is PdsCode.INVALID_VALUE
        assert worker.get(f"/Patient/{FULL}", NHSD_Session_URID="555254240100").status == 200

    def test_five_requests_a_second_and_no_more(self, caller_of: Any, clock: Any) -> None:
        caller = caller_of(requests_per_second=5, retry_after_seconds=3)
        assert [caller.get(f"/Patient/{FULL}").status for _ in range(6)] == [200] * 5 + [429]
        refused = caller.get(f"/Patient/{FULL}")
        assert (code_of(refused), refused.headers["Retry-After"]) == (PdsCode.TOO_MANY_REQUESTS, "3")
        clock.seconds += 1
        assert caller.get(f"/Patient/{FULL}").status == 200

    def test_tokens_expire(self, caller_of: Any, clock: Any) -> None:
        caller = caller_of(token_lifetime_seconds=30)
        clock.seconds += 29
        assert caller.get(f"/Patient/{FULL}").status == 200
        clock.seconds += 1
        assert caller.get(f"/Patient/{FULL}").status == 401

    def test_the_stale_token_fault(self, caller: Any) -> None:
        with caller.twin.faults.on(Fault.STALE_TOKEN):
            assert caller.get(f"/Patient/{FULL}").status == 401
        assert caller.get(f"/Patient/{FULL}").status == 200

    @pytest.mark.parametrize(
        ("method", "target", "code"),
        [
            ("POST", "/Patient", PdsCode.INVALID_METHOD),
            ("DELETE", f"/Patient/{FULL}", PdsCode.INVALID_METHOD),
            ("GET", "/Coverage", PdsCode.UNSUPPORTED_SERVICE),
            ("GET", f"/Patient/{FULL}/Observation", PdsCode.UNSUPPORTED_SERVICE),
        ],
    )
    def test_what_it_does_not_offer(self, caller: Any, method: str, target: str, code: PdsCode) -> None:
        assert code_of(caller.send(method, target)) is code

    def test_addresses_of_other_apis_are_not_found(self, caller: Any) -> None:
        assert caller.twin.handle(TwinRequest.of("GET", "/metadata")).status == 404


class TestUpdates:
    JSON_PATCH = "application/json-patch+json"
    GENDER = json.dumps({"patches": [{"op": "replace", "path": "/gender", "value": "other"}]}).encode()

    @pytest.fixture
    def worker(self, caller_of: Any) -> Any:
        return caller_of(access="healthcare-worker")

    def test_are_forbidden_in_application_restricted_access(self, caller: Any) -> None:
        response = caller.send("PATCH", f"/Patient/{FULL}", self.GENDER, Content_Type=self.JSON_PATCH, If_Match='W/"1"')
        assert (response.status, code_of(response)) == (403, PdsCode.INVALID_METHOD)

    def test_move_the_version_on_and_refuse_the_old_one(self, worker: Any) -> None:
        def send(version: str) -> TwinResponse:
            response: TwinResponse = worker.send(
                "PATCH", f"/Patient/{FULL}", self.GENDER, Content_Type=self.JSON_PATCH, If_Match=version
            )
            return response

        first = send('W/"1"')
        assert (first.status, body_of(first)["gender"], first.headers["ETag"]) == (200, "other", 'W/"2"')
        assert body_of(worker.get(f"/Patient/{FULL}"))["gender"] == "other"
        second = send('W/"1"')
        assert (second.status, code_of(second)) == (409, PdsCode.RESOURCE_VERSION_MISMATCH)
        assert send('W/"2"').headers["ETag"] == 'W/"3"'

    @pytest.mark.parametrize(
        ("number", "body", "headers", "status", "code"),
        [
            (FULL, GENDER, {"If_Match": None}, 412, PdsCode.PRECONDITION_FAILED),
            (FULL, GENDER, {"If_Match": "1"}, 400, PdsCode.INVALID_VALUE),
            (FULL, GENDER, {"Content_Type": "application/bananas"}, 400, PdsCode.UNSUPPORTED_SERVICE),
            (FULL, b"{}", {}, 400, PdsCode.INVALID_UPDATE),
            (FULL, b"{", {}, 400, PdsCode.INVALID_UPDATE),
            (FULL, b'{"patches": [{"op": "remove", "path": "/gender"}]}', {}, 400, PdsCode.INVALID_UPDATE),
            (
                FULL,
                b'{"patches": [{"op": "add", "path": "/birthDate", "value": "tomorrow"}]}',
                {},
                400,
                PdsCode.INVALID_UPDATE,
            ),
            ("9990000019", GENDER, {}, 400, PdsCode.INVALID_RESOURCE_ID),
            (UNKNOWN, GENDER, {}, 404, PdsCode.RESOURCE_NOT_FOUND),
        ],
    )
    def test_refusals(
        self, worker: Any, number: str, body: bytes, headers: dict[str, str | None], status: int, code: PdsCode
    ) -> None:
        usual = {"Content_Type": self.JSON_PATCH, "If_Match": 'W/"1"'}
        response = worker.send("PATCH", f"/Patient/{number}", body, **(usual | headers))
        assert (response.status, code_of(response)) == (status, code)


class Specification:
    """The published OAS, its files joined."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._schemas: dict[str, dict[str, Any]] = {}

    def schema(self, name: str) -> dict[str, Any]:
        if name not in self._schemas:
            self._schemas[name] = self._joined(self._folder / "components" / "schemas" / f"{name}.yaml")
        return self._schemas[name]

    def codes(self, path: str) -> set[tuple[int, str]]:
        """The rows `| 404 | RESOURCE_NOT_FOUND |` of a path's tables of answers."""
        text = (self._folder / "components" / "paths" / f"{path}.yaml").read_text(encoding="utf-8")
        return {(int(status), code) for status, code in re.findall(r"\|\s*(\d{3})\s*\|\s*([A-Z_]+)\s*\|", text)}

    def _joined(self, file: Path, fragment: str = "") -> Any:
        node = yaml.safe_load(file.read_text(encoding="utf-8"))
        for part in fragment.strip("/").split("/") if fragment.strip("/") else ():
            node = node[part]
        return self._resolved(node, file)

    def _resolved(self, node: Any, file: Path) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                target, _, fragment = node["$ref"].partition("#")
                return self._joined((file.parent / target).resolve() if target else file, fragment)
            return {key: self._resolved(value, file) for key, value in node.items()}
        return [self._resolved(value, file) for value in node] if isinstance(node, list) else node


@pytest.fixture(scope="module")
def specification(material: Path) -> Specification:
    return Specification(material / "specification")


class TestAgainstTheSpecification:
    def complaints(self, schema: Mapping[str, Any], body: Any) -> list[str]:
        return [
            f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
            for error in OAS30Validator(schema).iter_errors(body)
        ]

    @pytest.mark.parametrize("number", [FULL, FORMER, SPARSE, RESTRICTED, VERY_RESTRICTED, DECEASED, TWIN_A])
    def test_patients(self, caller: Any, specification: Specification, number: str) -> None:
        body = body_of(caller.get(f"/Patient/{number}"))
        assert self.complaints(specification.schema("Patient"), body) == []

    @pytest.mark.parametrize("family", ["Quillfeather&birthdate=1971-03-09", "Hollowmere&birthdate=1988-11-30",
                                        "Ravelstone&birthdate=1930-01-02", "Nobody&birthdate=1930-01-02"])  # fmt: skip
    def test_search_results(self, caller: Any, specification: Specification, family: str) -> None:
        body = body_of(caller.get(f"/Patient?family={family}"))
        assert self.complaints(specification.schema("PatientSearch"), body) == []

    @pytest.mark.parametrize("number", [FULL, RESTRICTED])
    def test_related_people(self, caller: Any, specification: Specification, number: str) -> None:
        body = body_of(caller.get(f"/Patient/{number}/RelatedPerson"))
        assert self.complaints(specification.schema("RelatedPersonBundle"), body) == []

    def test_the_sandboxes_people(self, caller_of: Any, specification: Specification) -> None:
        caller = caller_of(people=PEOPLE)
        patient, related = specification.schema("Patient"), specification.schema("RelatedPersonBundle")
        asked = 0
        for person in PEOPLE:
            response = caller.get(f"/Patient/{person.nhs_number}")
            if response.status == 200:
                assert self.complaints(patient, body_of(response)) == [], person.role
                people = body_of(caller.get(f"/Patient/{person.nhs_number}/RelatedPerson"))
                assert self.complaints(related, people) == [], person.role
                asked += 1
        assert asked >= 10

    @pytest.mark.parametrize("code", list(TABLE))
    def test_every_refusal_it_can_give(self, caller: Any, specification: Specification, code: PdsCode) -> None:
        with caller.twin.answering(code):
            response = caller.get(f"/Patient/{FULL}")
        assert (response.status, code_of(response)) == (TABLE[code].status, code)
        assert self.complaints(specification.schema("OperationOutcome"), body_of(response)) == []

    @pytest.mark.parametrize("path", ["patient-get", "patient-search", "relatedpersons-get"])
    def test_it_knows_every_code_in_the_tables_with_its_status(self, specification: Specification, path: str) -> None:
        published = specification.codes(path)
        assert len(published) >= 8
        # These come under a second status, which the twin gives where they arise.
        elsewhere = {(403, "ACCESS_DENIED"), (403, "INVALID_VALUE")}
        ours = {(row.status, str(code)) for code, row in TABLE.items()}
        assert published - elsewhere - ours == set()

    def test_a_body_that_breaks_the_schema_is_noticed(self, caller: Any, specification: Specification) -> None:
        body = body_of(caller.get(f"/Patient/{FULL}")) | {"link": []}
        assert self.complaints(specification.schema("Patient"), body) != []
