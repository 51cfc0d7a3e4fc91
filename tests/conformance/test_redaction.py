"""Stand-ins keep shape and validity, agree everywhere, and nothing that was learned remains (rule 15); the guard."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mpftconnect.conformance import Recorded, TestPerson
from mpftconnect.conformance.guard import PUBLISHED, RealPersonSeen, numbers_in, refuse_real_people
from mpftconnect.conformance.redaction import BODIES, DROPPED_TEXT, FILLERS, Redactor
from mpftconnect.errors import NotAnNhsNumber
from mpftconnect.model import NHS_NUMBER_SYSTEM, nhs_number


def is_number(text: str) -> bool:
    try:
        nhs_number(text)
    except NotAnNhsNumber:
        return False
    return True


def recorded(body: Any, **changes: Any) -> Recorded:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    settled: dict[str, Any] = {
        "id": "x001",
        "step": "s",
        "method": "GET",
        "url": "https://f.example/Patient",
        "status": 200,
        "response_body": data,
    }
    return Recorded(**(settled | changes))


def redact(*exchanges: Recorded, people: tuple[TestPerson, ...] = ()) -> list[Recorded]:
    redactor = Redactor(key=b"a key of the test")
    redactor.learn(exchanges, people)
    made = [redactor.redact(each) for each in exchanges]
    assert not any(redactor.remains(each) for each in made)
    return made


@pytest.mark.parametrize("id_", ["7", "17", "a-b", "4711"])
def test_an_id_agrees_wherever_it_points_however_short(id_: str) -> None:
    patient = {"resourceType": "Patient", "id": id_, "link": [{"other": {"reference": f"Patient/{id_}x"}}]}
    problem = {"resourceType": "Condition", "id": id_, "subject": {"reference": f"Patient/{id_}"}}
    bundle = {
        "resourceType": "Bundle",
        "entry": [
            {"fullUrl": f"https://f.example/{each['resourceType']}/{id_}", "resource": each}
            for each in (patient, problem)
        ],
    }
    (made,) = redact(recorded(bundle, url=f"https://f.example/Condition?patient={id_}&_count={id_}"))
    entries = made.json()["entry"]
    new = entries[0]["resource"]["id"]
    assert new != id_
    assert entries[0]["fullUrl"] == f"https://f.example/Patient/{new}"
    assert entries[1]["resource"]["subject"]["reference"] == f"Patient/{new}"
    assert entries[0]["resource"]["link"][0]["other"]["reference"] == f"Patient/{id_}x"
    assert entries[1]["fullUrl"] == f"https://f.example/Condition/{entries[1]['resource']['id']}"
    assert f"?patient={new}&" in made.url


@given(st.from_regex(r"\A[0-9]{10}\Z"))
def test_a_valid_number_becomes_a_valid_one_and_an_invalid_an_invalid(number: str) -> None:
    made = Redactor(key=b"k").number(number)
    assert made != number
    assert len(made) == 10
    assert made.startswith("999")
    assert is_number(made) is is_number(number)


def test_the_grouping_of_a_number_is_kept() -> None:
    redactor = Redactor(key=b"k")
    plain = redactor.number("9990000018")
    assert redactor.number("999 000 0018") == f"{plain[:3]} {plain[3:6]} {plain[6:]}"


def test_another_key_gives_another_stand_in() -> None:
    assert Redactor().number("9990000018") != Redactor().number("9990000018")


PERSON = {
    "resourceType": "Patient",
    "id": "local-4711",
    "identifier": [{"system": NHS_NUMBER_SYSTEM, "value": "9990000018"}, {"system": "urn:x", "value": "MRN-88812"}],
    "name": [{"family": "Wolfenstein", "given": ["Edwina", "Al"]}],
    "birthDate": "1951-03-12",
    "telecom": [{"system": "phone", "value": "01632 960018"}, {"system": "email", "value": "e.wolf@mail.example"}],
    "address": [{"line": ["14 Quillfeather Lane"], "city": "Mossbridge", "postalCode": "ZZ99 7TK"}],
    "text": {"status": "generated", "div": "<div xmlns='http://www.w3.org/1999/xhtml'>Edwina W.</div>"},
    "photo": [{"contentType": "image/png", "data": "aGVsbG8="}],
}
NUMBER = quote(f"{NHS_NUMBER_SYSTEM}|9990000018", safe="")
SECRETS = ("local-4711", "9990000018", "MRN-88812", "Wolfenstein", "Edwina", "1951-03-12", "01632 960018", "e.wolf")
PLACES = ("Quillfeather", "Mossbridge", "ZZ99 7TK", "aGVsbG8")


def test_nothing_of_a_person_remains_in_any_place() -> None:
    note = {
        "resourceType": "Condition",
        "note": [{"text": "Edwina says so"}],
        "subject": {"reference": "Patient/local-4711"},
    }
    search = recorded(
        {"resourceType": "Bundle", "entry": [{"fullUrl": "https://f.example/Patient/local-4711", "resource": PERSON}]},
        url=f"https://f.example/Patient?identifier={NUMBER}&family=Wolfenstein",
        response_headers=(("Content-Location", "/Patient/local-4711/_history/1"),),
    )
    made = redact(search, recorded(note), people=(TestPerson(role="full", nhs_number="9990000018"),))
    text = repr([(m.url, m.request_headers, m.response_headers, m.response_body) for m in made])
    for value in (*SECRETS, *PLACES, "Edwina says so"):
        assert value not in text, value


def test_what_agreed_still_agrees() -> None:
    made = redact(
        recorded(PERSON), recorded({"resourceType": "Condition", "subject": {"reference": "Patient/local-4711"}})
    )
    patient, condition = (json.loads(m.response_body or b"") for m in made)
    assert condition["subject"]["reference"] == f"Patient/{patient['id']}"
    assert patient["name"][0]["family"] != "Wolfenstein"
    assert len(patient["name"][0]["family"]) == len("Wolfenstein")


@pytest.mark.parametrize(
    ("birth", "valid"), [("1951-03-12", True), ("2026-02-30", False), ("1951-13-01", False), ("1951", None)]
)
def test_a_birth_date_keeps_its_precision_and_validity(birth: str, valid: bool | None) -> None:
    from datetime import date

    (made,) = redact(recorded({**PERSON, "birthDate": birth}))
    got = json.loads(made.response_body or b"")["birthDate"]
    assert len(got) == len(birth)
    if valid is None:
        assert got == birth  # a year points at nobody
        return
    assert got != birth
    try:
        date.fromisoformat(got)
        assert valid
    except ValueError:
        assert not valid


def test_codes_ods_and_fillers_are_kept_and_free_text_is_dropped() -> None:
    body = {
        "resourceType": "Observation",
        "code": {
            "coding": [{"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}],
            "text": "Heart rate",
        },
        "performer": [{"identifier": {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "ZZ101"}}],
        "method": {"text": "As Edwina showed me"},
        "valueString": "Not known",
        "interpretation": [{"text": ""}],
    }
    (made,) = redact(recorded(body))
    got = json.loads(made.response_body or b"")
    assert got["code"] == body["code"]
    assert got["performer"] == body["performer"]
    assert got["method"]["text"] == DROPPED_TEXT
    assert got["valueString"] == "Not known"
    assert "not known" in FILLERS
    assert got["interpretation"] == [{"text": ""}]


def test_a_body_that_is_no_json_is_dropped_with_what_is_wrong_as_a_fact() -> None:
    (made,) = redact(recorded(b"<html>Edwina Wolfenstein</html>"))
    assert made.response_body is None
    assert made.dropped
    assert "is not JSON" in made.facts["json"]


def test_what_can_carry_no_patient_keeps_its_words_and_its_form() -> None:
    yaml = "openapi: 3.1.0\ninfo:\n  description: Edwina wrote this\n"
    documentation = recorded(yaml.encode(), facts={"patient": False})
    statement = recorded({"description": "What it does"}, facts={"patient": False})
    made = redact(documentation, statement)
    assert made[0].response_body == yaml.encode()
    assert json.loads(made[1].response_body or b"") == {"description": "What it does"}


def test_what_can_carry_no_patient_and_is_no_text_is_dropped_with_that_as_a_fact() -> None:
    (made,) = redact(recorded(b'{"fhirVersion": "\xff\xfe', facts={"patient": False}))
    assert made.response_body is None
    assert "is not UTF-8" in made.facts["json"]


def test_another_protocol_brings_its_own_redactor(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipes:
        def learn(self, body: bytes, redactor: Redactor) -> None:
            redactor.number(body.decode().split("|")[1])

        def redact(self, body: bytes, redactor: Redactor) -> bytes:
            return redactor.text(body.decode()).encode()

    monkeypatch.setitem(BODIES, "pipes", Pipes())
    message, page = redact(recorded(b"PID|9990000018", protocol="pipes"), recorded({"id": "9990000018"}))
    assert (message.response_body or b"").startswith(b"PID|999")
    assert (message.response_body or b"").decode().split("|")[1] == json.loads(page.response_body or b"")["id"]


def test_decimals_keep_their_digits() -> None:
    (made,) = redact(recorded(b'{"resourceType":"Observation","valueQuantity":{"value":72.50}}'))
    assert made.response_body is not None
    assert b"72.50" in made.response_body


@example({"family": ":{{\u00b2"})
@example({"family": "{{{{"})
@given(st.dictionaries(st.sampled_from(["family", "text", "id", "value"]), st.text(max_size=30), max_size=4))
def test_redaction_never_raises_and_leaves_nothing(name: dict[str, str]) -> None:
    redact(recorded({"resourceType": "Patient", "name": [name], "identifier": [name], "id": name.get("id", "a")}))


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Patient", "identifier": [{"system": NHS_NUMBER_SYSTEM, "value": "4010232137"}]},
        {"resourceType": "Patient", "identifier": [{"system": NHS_NUMBER_SYSTEM, "value": "401 023 2137"}]},
        {"nhsNumber": "4010232137"},
        {"nhs_number": 4010232137},
        {"reference": "Patient/4010232137"},
        {"note": "seen under 401 023 2137 today"},
        b"PID|1||4010232137^^^NHS",
    ],
)
def test_a_number_that_is_not_for_testing_stops_the_run(body: Any) -> None:
    with pytest.raises(RealPersonSeen) as raised:
        refuse_real_people(recorded(body))
    assert "4010232137" not in str(raised.value)


@pytest.mark.parametrize(
    "body",
    [
        {"identifier": [{"system": NHS_NUMBER_SYSTEM, "value": "9990000018"}]},
        *({"identifier": [{"system": NHS_NUMBER_SYSTEM, "value": number}]} for number in sorted(PUBLISHED)),
        {"identifier": [{"system": NHS_NUMBER_SYSTEM, "value": "4010232138"}]},  # no valid number at all
        {"telecom": [{"value": "4010232137"}]},
        {"code": "4010232137"},
        {"value": 4010232137},
        {"id": "local-9434765919"},
        {"text": "9434765919"},  # says nothing of itself, and is of no range that is issued
    ],
)
def test_what_is_for_testing_or_no_number_does_not(body: Any) -> None:
    refuse_real_people(recorded(body))


def test_the_address_is_looked_at_too() -> None:
    url = f"https://f.example/Patient?identifier={quote(NHS_NUMBER_SYSTEM + '|4010232137', safe='')}"
    assert list(numbers_in(recorded({}, url=url))) == ["4010232137"]


@pytest.mark.parametrize("number", sorted(PUBLISHED))
def test_published_numbers_are_numbers(number: str) -> None:
    assert is_number(number)
