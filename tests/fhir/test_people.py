"""Patients as PDS sends them, contacts, professionals and organisations."""

from __future__ import annotations

from typing import Any

import pytest
from leaves import lost
from strategies import SOURCE

from mpftconnect.fhir import extensions, read_resource, write_resource
from mpftconnect.model import (
    Actor,
    CommunicationNeed,
    Concept,
    Identifier,
    Organization,
    Patient,
    Practitioner,
    RelatedPerson,
    When,
    concept,
)

UK_CORE = "https://fhir.hl7.org.uk"


def _identifier(code: str, system: str = f"{UK_CORE}/CodeSystem/UKCore-NHSNumberVerificationStatus") -> dict[str, Any]:
    coding = {"system": system, "code": code}
    status = {
        "url": f"{UK_CORE}/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus",
        "valueCodeableConcept": {"coding": [coding]},
    }
    return {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018", "extension": [status]}


def _ods(code: str, **more: Any) -> dict[str, Any]:
    return {"identifier": {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": code, **more}}


def _pds_patient(**members: Any) -> dict[str, Any]:
    extension = f"{UK_CORE}/StructureDefinition/Extension-UKCore-"
    code = {"coding": [{"system": "https://example.org/codes", "code": "2", "display": "Formal"}]}
    return {
        "resourceType": "Patient",
        "id": "9990000018",
        "meta": {
            "versionId": "4",
            "security": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
                    "code": "U",
                    "display": "unrestricted",
                }
            ],
        },
        "identifier": [_identifier("01")],
        "name": [
            {"id": "n1", "use": "usual", "family": "Okafor", "given": ["Grace"], "period": {"start": "2001-02-03"}}
        ],
        "birthDate": "1950-03-02",
        "deceasedDateTime": "2025-04-05T00:00:00+00:00",
        "generalPractitioner": [{"id": "g1", "type": "Organization"} | _ods("Y12345", period={"start": "2020-01-01"})],
        "contact": [{"id": "c1", "telecom": [{"system": "phone", "value": "01632960001"}]}],
        "extension": [
            {"url": f"{extension}NominatedPharmacy", "valueReference": _ods("FA123")},
            {
                "url": f"{extension}DeathNotificationStatus",
                "extension": [
                    {"url": "deathNotificationStatus", "valueCodeableConcept": code},
                    {"url": "systemEffectiveDate", "valueDateTime": "2025-04-06T00:00:00+00:00"},
                ],
            },
            {
                "url": f"{extension}NHSCommunication",
                "extension": [
                    {"url": "language", "valueCodeableConcept": {"text": "Igbo"}},
                    {"url": "interpreterRequired", "valueBoolean": True},
                ],
            },
            {
                "url": f"{extension}ContactPreference",
                "extension": [
                    {"url": "PreferredWrittenCommunicationFormat", "valueCodeableConcept": {"text": "Braille"}},
                    {"url": "PreferredContactTimes", "valueString": "After lunch"},
                ],
            },
        ],
        **members,
    }


def _patient(**members: Any) -> Patient:
    sent = _pds_patient(**members)
    item = read_resource(sent, source=SOURCE.model_copy(update={"id": "Patient/9990000018"}))
    assert isinstance(item, Patient)
    assert not lost(sent, item)
    assert read_resource(write_resource(item)) == item
    return item


def test_a_patient_as_pds_sends_one() -> None:
    patient = _patient()
    assert patient.nhs_number == "9990000018"
    assert patient.verification_status == "01"
    assert patient.source.version == "4"
    assert patient.restriction == "U"
    assert patient.deceased == When("2025-04-05T00:00:00+00:00")
    assert patient.death_notification is not None
    assert patient.death_notification.words() == "Formal"
    assert patient.general_practitioner == (Actor(organization_code="Y12345"),)
    assert patient.nominated_pharmacy == (Actor(organization_code="FA123"),)
    assert CommunicationNeed(language=Concept(text="Igbo"), interpreter_required=True) in patient.communication
    assert "preferred contact times: After lunch" in [need.note for need in patient.communication]
    assert {extra.path for extra in patient.extra} >= {
        "name[0].id",
        "generalPractitioner[0].identifier.period",
        "contact",
        "extension[1].extension[1]",
    }


@pytest.mark.parametrize("code", ["U", "R", "V", "REDACTED"])
def test_whether_a_person_is_restricted_is_read_and_written(code: str) -> None:
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": code}
    patient = _patient(meta={"security": [label]})
    assert patient.restriction == code
    assert write_resource(patient)["meta"]["security"][0]["code"] == code


def test_a_security_label_of_another_system_restricts_nobody() -> None:
    patient = _patient(meta={"security": [{"system": "https://example.org/labels", "code": "R"}]})
    assert patient.restriction is None
    assert [extra.path for extra in patient.extra if extra.path.startswith("meta")] == ["meta.security[0]"]


@pytest.mark.parametrize(
    ("code", "system", "status"),
    [
        ("01", f"{UK_CORE}/CodeSystem/UKCore-NHSNumberVerificationStatusEngland", "01"),
        ("03", f"{UK_CORE}/CodeSystem/UKCore-NHSNumberVerificationStatus", "03"),
        ("number-present-and-verified", f"{UK_CORE}/CodeSystem/UKCore-NHSNumberVerificationStatus", "01"),
        ("01", f"{UK_CORE}/CodeSystem/UKCore-NHSNumberVerificationStatusWales", None),
        ("01", "https://example.org/statuses", None),
    ],
)
def test_only_english_verification_statuses_verify(code: str, system: str, status: str | None) -> None:
    assert _patient(identifier=[_identifier(code, system)]).verification_status == status


def test_a_superseded_patient_points_to_the_other() -> None:
    other = {"other": {"reference": "Patient/9990000026"}, "type": "replaced-by"}
    patient = _patient(link=[other, {"other": {"reference": "Patient/9990000034"}, "type": "seealso"}])
    assert [link.reference for link in patient.replaced_by] == ["Patient/9990000026"]
    assert "link[1]" in [extra.path for extra in patient.extra]


def test_an_interpreter_is_said_with_uk_cores_extension() -> None:
    need = CommunicationNeed(language=concept("Igbo"), preferred=True, interpreter_required=True)
    written = write_resource(Patient(source=SOURCE, communication=(need,)))
    assert written["extension"][0]["url"] == extensions.NHS_COMMUNICATION
    assert "communication" not in written


def test_a_language_without_a_word_on_interpreters_is_a_need_too() -> None:
    language = {"url": "language", "valueCodeableConcept": {"text": "Igbo"}}
    patient = _patient(extension=[{"url": extensions.NHS_COMMUNICATION, "extension": [language]}])
    assert patient.communication == (CommunicationNeed(language=Concept(text="Igbo")),)


def test_needs_keep_their_order_however_they_are_said() -> None:
    heard = CommunicationNeed(language=concept("Igbo"), interpreter_required=True)
    plain = CommunicationNeed(language=concept("English"), note="Speak slowly")
    for needs in ((heard, plain), (plain, heard), (heard, plain, heard), (heard,), (plain,)):
        patient = Patient(source=SOURCE, communication=needs)
        assert read_resource(write_resource(patient)) == patient


def test_an_emergency_contact_is_known_by_its_relationship() -> None:
    role = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0131", "code": "C"}]}
    person = read_resource({"resourceType": "RelatedPerson", "relationship": [role]}, source=SOURCE)
    assert isinstance(person, RelatedPerson)
    assert person.emergency_contact is True
    for stated in (None, False, True):
        item = person.model_copy(update={"emergency_contact": stated})
        assert read_resource(write_resource(item)) == item


def test_an_organisation_is_known_by_its_ods_code() -> None:
    sent = {
        "resourceType": "Organization",
        "name": "Elm Row",
        "identifier": [_ods("Y12345", use="official")["identifier"]],
    }
    item = read_resource(sent, source=SOURCE)
    assert isinstance(item, Organization)
    assert item.ods_code == "Y12345"
    assert [extra.path for extra in item.extra] == ["identifier[0].use"]
    unsaid = Organization(source=SOURCE, identifiers=(Identifier(system=_ods("")["identifier"]["system"], value="X"),))
    assert read_resource(write_resource(unsaid)) == unsaid


def test_a_professional() -> None:
    sent = {
        "resourceType": "Practitioner",
        "name": [{"text": "Sam Patel"}],
        "qualification": [{"code": {"text": "RN"}}],
    }
    item = read_resource(sent, source=SOURCE)
    assert isinstance(item, Practitioner)
    assert item.words() == "Sam Patel"
    assert [extra.path for extra in item.extra] == ["qualification"]
