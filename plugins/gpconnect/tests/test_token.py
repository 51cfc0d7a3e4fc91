"""The token: what it says of the user, and that a provider would refuse any other."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpftconnect.errors import NotPermitted
from mpftconnect.model import AccessContext, SectionName
from mpftconnect_gpconnect.interactions import CAPABILITY_STATEMENT, STRUCTURED_RECORD
from mpftconnect_gpconnect.settings import ConsumingOrganisation
from mpftconnect_gpconnect.token import Consumer, UnsignedToken, claims, name_of

NOW = datetime(2025, 9, 1, 9, 30, 15, 999_999, tzinfo=UTC)
CONSUMER = Consumer(
    "https://portal.example/", "mpftconnect", {"RRE": ConsumingOrganisation(name="Trust", asid="200000000359")}
)
USUAL = ("iss", "sub", "aud", "exp", "iat", "reason_for_request", "requested_scope", "requesting_device",
         "requesting_organization", "requesting_practitioner")  # fmt: skip


def said(who: AccessContext, **changes: Any) -> dict[str, Any]:
    asked = who.model_copy(update=changes)
    return claims(asked, CONSUMER, STRUCTURED_RECORD, audience="https://gp.example/X", now=NOW, system="gp")


class TestClaims:
    def test_all_ten_and_no_other(self, who: AccessContext) -> None:
        assert tuple(said(who)) == USUAL

    def test_each_of_them(self, who: AccessContext) -> None:
        found = said(who)
        issued = int(NOW.timestamp())
        assert (found["iat"], found["exp"]) == (issued, issued + 300)
        assert (found["iss"], found["aud"]) == ("https://portal.example/", "https://gp.example/X")
        assert (found["reason_for_request"], found["requested_scope"]) == ("directcare", "patient/*.read conf/N")
        assert found["sub"] == found["requesting_practitioner"]["id"] == "jane.doe"
        assert found["requesting_device"]["identifier"] == [
            {"system": "https://portal.example/Id/device", "value": "ward-tablet-7"}
        ]
        assert found["requesting_organization"] == {
            "resourceType": "Organization",
            "identifier": [{"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "RRE"}],
            "name": "Trust",
        }
        assert found["requesting_practitioner"] == {
            "resourceType": "Practitioner",
            "id": "jane.doe",
            "identifier": [
                {"system": "https://fhir.nhs.uk/Id/sds-user-id", "value": "555254242100"},
                {"system": "https://fhir.nhs.uk/Id/sds-role-profile-id", "value": "555254240100"},
                {"system": "https://portal.example/Id/user", "value": "jane.doe"},
            ],
            "name": [{"family": "Doe", "given": ["Jane", "Amelia"], "prefix": ["Dr"]}],
        }

    def test_without_a_smartcard(self, who: AccessContext) -> None:
        found = said(who, practitioner_id=None, role_profile_id=None, device=None)
        values = [one["value"] for one in found["requesting_practitioner"]["identifier"]]
        assert values == ["UNK", "UNK", "jane.doe"]
        assert found["requesting_device"]["identifier"][0]["value"] == "mpftconnect"

    def test_a_user_id_that_is_no_fhir_id_stands_for_itself_beside_one(self, who: AccessContext) -> None:
        found = said(who, user="TRUST\\jane doe")
        again = said(who, user="TRUST\\jane doe")
        assert found["sub"] == again["sub"] == found["requesting_practitioner"]["id"]
        assert found["sub"] != said(who, user="TRUST\\john doe")["sub"]
        assert found["requesting_practitioner"]["identifier"][2]["value"] == "TRUST\\jane doe"

    @pytest.mark.parametrize("user", ["system", "SYSTEM", "admin", "svc-portal", "service_user", "user1", "root", "-"])
    def test_generic_users_are_refused(self, who: AccessContext, user: str) -> None:
        with pytest.raises(NotPermitted, match="not a system user"):
            said(who, user=user)

    @pytest.mark.parametrize("name", ["System", "Jane", "", "System User", "test user", "(Mrs)", "Dr Doe"])
    def test_names_that_name_nobody_are_refused(self, who: AccessContext, name: str) -> None:
        with pytest.raises(NotPermitted, match="given name and family name"):
            said(who, name=name)

    @pytest.mark.parametrize("user", ["a.system.administrator.jones", "systema", "jane.doe", "u4711x"])
    def test_people_are_not_taken_for_generic_users(self, who: AccessContext, user: str) -> None:
        assert said(who, user=user)["sub"] == user

    @given(st.text(max_size=40))
    def test_any_name_is_split_or_refused(self, text: str) -> None:
        found = name_of(text)
        assert found is None or (found["family"] and found["given"] and all(found["given"]))


class TestEncoding:
    def test_is_an_unsecured_jwt_with_an_empty_signature(self, who: AccessContext) -> None:
        made = UnsignedToken(who, CONSUMER, CAPABILITY_STATEMENT, audience="a", now=lambda: NOW, system="gp")
        scheme, _, token = made.apply({})["Authorization"].partition(" ")
        header, payload, signature = token.split(".")
        assert (scheme, signature) == ("Bearer", "")
        assert not {"=", "+", "/"} & set(token)
        assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "none", "typ": "JWT"}
        decoded = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        assert decoded["requested_scope"] == "organization/*.read"
        assert made.renew({}) is False

    def test_names_of_other_alphabets_survive(self, who: AccessContext) -> None:
        changed = who.model_copy(update={"name": "Zoë Łukasiewicz-Ó Súilleabháin"})
        made = UnsignedToken(changed, CONSUMER, STRUCTURED_RECORD, audience="a", now=lambda: NOW, system="gp")
        payload = made.apply({})["Authorization"].split(".")[1]
        decoded = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        assert decoded["requesting_practitioner"]["name"][0]["family"] == "Súilleabháin"


class TestWhatAProviderRefuses:
    """GPC-01 and GPC-13: the twin lets the good request pass and refuses each that differs in one claim."""

    def test_the_good_one_passes(self, knocker: Any) -> None:
        assert knocker.send().status == 200

    @pytest.mark.parametrize("name", USUAL)
    def test_a_missing_claim(self, knocker: Any, code_of: Any, name: str) -> None:
        answer = knocker.send(drop=name)
        assert (answer.status, code_of(answer)) == (400, "BAD_REQUEST")

    @pytest.mark.parametrize("name", USUAL)
    def test_an_empty_claim(self, knocker: Any, code_of: Any, name: str) -> None:
        for empty in (None, "", {}):
            answer = knocker.send(claims={name: empty})
            assert (answer.status, code_of(answer)) == (400, "BAD_REQUEST")

    @pytest.mark.parametrize("seconds", [299, 301, 0, -300, 3600])
    def test_a_life_of_other_than_five_minutes(self, knocker: Any, code_of: Any, seconds: int) -> None:
        issued = int(datetime.now(UTC).timestamp())
        answer = knocker.send(claims={"iat": issued, "exp": issued + seconds})
        assert code_of(answer) == "BAD_REQUEST"

    @pytest.mark.parametrize("shift", [-301, 60])
    def test_expired_and_of_the_future(self, knocker: Any, code_of: Any, shift: int) -> None:
        issued = int(datetime.now(UTC).timestamp()) + shift
        assert code_of(knocker.send(claims={"iat": issued, "exp": issued + 300})) == "BAD_REQUEST"

    @pytest.mark.parametrize(
        "changed",
        [
            {"iat": "1", "exp": "301"}, {"iat": True, "exp": 301}, {"iat": 1.5, "exp": 301.5},
            {"aud": "https://gp-systems.example/ZZ101/STU3/1/gpconnect/structured"}, {"aud": "https://other.example/"},
            {"iss": "portal"}, {"reason_for_request": "migration"}, {"reason_for_request": "research"},
            {"requested_scope": "patient/*.write"}, {"requested_scope": "organization/*.read"},
            {"requested_scope": "patient/*.read conf/X"}, {"requested_scope": 7},
            {"sub": "somebody-else"}, {"requesting_device": {"resourceType": "Patient", "identifier": []}},
            {"requesting_practitioner": "jane"}, {"requesting_organization": ["RRE"]},
        ],
    )  # fmt: skip
    def test_an_invalid_value(self, knocker: Any, code_of: Any, changed: dict[str, Any]) -> None:
        answer = knocker.send(claims=changed)
        assert (answer.status, code_of(answer)) == (400, "BAD_REQUEST")

    def test_claims_that_are_no_good_resources(self, knocker: Any, claims_of: Any, code_of: Any) -> None:
        usual = claims_of(knocker.good)
        practitioner = usual["requesting_practitioner"]
        for changed in (
            {"requesting_device": usual["requesting_device"] | {"model": ""}},
            {"requesting_device": usual["requesting_device"] | {"identifier": []}},
            {"requesting_organization": usual["requesting_organization"] | {"name": None}},
            {"requesting_organization": usual["requesting_organization"] | {"identifier": "RRE"}},
            {"requesting_practitioner": practitioner | {"name": []}},
            {"requesting_practitioner": practitioner | {"name": [{"family": "Doe"}]}},
            {"requesting_practitioner": practitioner | {"identifier": practitioner["identifier"][:2]}},
            {"requesting_practitioner": practitioner | {"identifier": practitioner["identifier"][1:]}},
        ):
            answer = knocker.send(claims=changed)
            assert (answer.status, code_of(answer)) == (422, "INVALID_RESOURCE"), changed

    @pytest.mark.parametrize("header", [{"alg": "HS256", "typ": "JWT"}, {"alg": "none"}, {"typ": "JWT"}])
    def test_another_header(self, knocker: Any, code_of: Any, header: dict[str, str]) -> None:
        assert code_of(knocker.send(header=header)) == "BAD_REQUEST"

    def test_what_is_no_token(self, knocker: Any, code_of: Any) -> None:
        usual = knocker.good.headers["Authorization"]
        for token in ("", "Bearer ", "Bearer a.b", usual.rstrip("."), usual + "c2ln", usual.replace("Bearer", "Basic"),
                      "Bearer *.*.", "Bearer e30.bm8.", "Bearer " + "a" * 5 + ".." ):  # fmt: skip
            assert code_of(knocker.send(token=token)) == "BAD_REQUEST", token
        assert code_of(knocker.send(headers={"Authorization": None})) == "BAD_REQUEST"


def test_the_adapter_never_sends_a_generic_user(line: Any) -> None:
    who = line.who.model_copy(update={"user": "system", "name": "System"})
    with pytest.raises(NotPermitted):
        line.adapter.find_patient(line.reading("full", SectionName.ALLERGIES, who=who))
    assert line.practices() == []
