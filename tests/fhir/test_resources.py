"""What is refused, what is followed, what must never read as its opposite, and where an item comes from."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

import pytest
from leaves import lost
from strategies import SOURCE

from mpftconnect.errors import UsageError
from mpftconnect.fhir import NotMapped, extensions, read_resource, subject_of, write_resource
from mpftconnect.model import (
    Actor,
    AllergyIntolerance,
    Appointment,
    Concept,
    Condition,
    DocumentReference,
    Encounter,
    Extra,
    Item,
    LegalStatus,
    MedicationStatement,
    Observation,
    Organization,
    ProgressNote,
    Quantity,
    When,
    concept,
)


def _read(sent: dict[str, Any], **rest: Any) -> Any:
    item = read_resource(sent, source=SOURCE, **rest)
    assert not lost(sent, item)
    assert read_resource(write_resource(item)) == item
    return item


# --- refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        (["Okafor"], None),
        ("Okafor", None),
        ({}, "resourceType"),
        ({"resourceType": "Okafor"}, "resourceType"),
        ({"resourceType": ["Okafor"]}, "resourceType"),
        ({"resourceType": "Basic", "code": {"text": "Okafor"}}, "Basic.code"),
        ({"resourceType": "MedicationRequest", "doNotPerform": True}, "doNotPerform"),
        ({"resourceType": "ServiceRequest", "doNotPerform": "Okafor"}, "doNotPerform"),
        ({"resourceType": "Condition", "unexpected": "\ud800Okafor"}, "Condition"),
        ({"resourceType": "Condition", "note": float("nan")}, None),
        ({"resourceType": "Condition", "note": object()}, "Condition"),
    ],
)
def test_what_cannot_be_an_item_is_refused_without_a_value(sent: Any, place: str | None) -> None:
    with pytest.raises(NotMapped) as refused:
        read_resource(sent, source=SOURCE)
    assert refused.value.place == place
    assert "Okafor" not in str(refused.value)


def test_bottomless_nesting_is_refused() -> None:
    deep: Any = 0
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(NotMapped, match="nested too deeply"):
        read_resource({"resourceType": "Condition", "unexpected": deep}, source=SOURCE)


def test_a_type_without_fhir_form_is_the_callers_mistake() -> None:
    with pytest.raises(UsageError):
        write_resource(Item(source=SOURCE))


@pytest.mark.parametrize(
    ("name", "value"),
    [("code", "Asthma"), ("code", None), ("onsetDateTime", {"year": 2024}), ("note", "text"), ("meta", 7), ("id", 7)],
)
def test_a_malformed_element_is_kept_and_the_item_too(name: str, value: Any) -> None:
    item = _read({"resourceType": "Condition", name: value})
    assert [(extra.path, extra.value) for extra in item.extra] == [(name, value)]


def test_what_has_no_code_is_still_an_item() -> None:
    item = _read({"resourceType": "AllergyIntolerance", "criticality": "high"})
    assert isinstance(item, AllergyIntolerance)
    assert item.code == Concept()
    assert item.words() == "not stated"
    assert not item.asserts_none


def test_one_bad_entry_of_a_list_spoils_no_other() -> None:
    item = _read({"resourceType": "Condition", "note": [{"text": "one"}, "two", {"text": "three"}]})
    assert item.note == ("one", "three")
    assert [extra.path for extra in item.extra] == ["note[1]"]


def test_even_a_null_is_kept() -> None:
    sent = {"resourceType": "Encounter", "class": {"code": "AMB", "unexpected": None}, "status": None}
    item = _read(sent)
    assert {(extra.path, extra.value) for extra in item.extra} == {("class.unexpected", None), ("status", None)}


# --- where it comes from ---------------------------------------------------------------------------------------


def test_version_and_time_of_change_come_from_meta() -> None:
    meta = {"versionId": "7", "lastUpdated": "2026-01-02T03:04:05Z"}
    item = _read({"resourceType": "Condition", "id": "1", "meta": meta})
    assert item.source.version == "7"
    assert item.source.updated == When("2026-01-02T03:04:05Z")
    assert not item.extra
    written = write_resource(item)
    assert {name: written["meta"][name] for name in meta} == meta


def test_the_source_is_restored_and_a_given_one_wins() -> None:
    item = Condition(source=SOURCE, also=(SOURCE.model_copy(update={"system": "rio"}),), code=concept("Asthma"))
    written = write_resource(item)
    assert read_resource(written) == item
    other = SOURCE.model_copy(update={"system": "icr"})
    again = read_resource(written, source=other)
    assert again.source == other
    assert again.also == ()
    assert [extra.path for extra in again.extra] == ["meta.extension"]


@pytest.mark.parametrize("meta", [{}, {"extension": []}, {"extension": [{"url": extensions.SOURCE}]}, "Okafor"])
def test_without_any_source_nothing_is_read(meta: Any) -> None:
    with pytest.raises(NotMapped, match="names no source") as refused:
        read_resource({"resourceType": "Condition", "meta": meta})
    assert "Okafor" not in str(refused.value)


def test_what_the_model_cannot_hold_travels_along() -> None:
    extra = Extra(path="stage[0]", json_text='{"summary":{"text":"II"},"dose":2.50}')
    item = Condition(source=SOURCE, code=concept("Asthma"), extra=(extra,))
    (carried,) = write_resource(item)["extension"]
    assert carried["url"] == extensions.EXTRA
    assert read_resource(write_resource(item)) == item
    carried["extension"][1]["valueString"] = "{not JSON"
    forged = write_resource(item) | {"extension": [carried]}
    assert [kept.path for kept in read_resource(forged).extra] == ["extension[0]"]


# --- following references --------------------------------------------------------------------------------------

_BUNDLE: dict[str, Any] = {
    "Practitioner/1": {
        "resourceType": "Practitioner",
        "name": [{"family": "Patel", "given": ["Sam"], "prefix": ["Dr"]}],
    },
    "PractitionerRole/2": {
        "resourceType": "PractitionerRole",
        "practitioner": {"reference": "Practitioner/1"},
        "organization": {"reference": "Organization/3"},
        "code": [{"text": "community nurse"}],
    },
    "Organization/3": {
        "resourceType": "Organization",
        "name": "Midshire Community Trust",
        "identifier": [{"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "RY9"}],
    },
    "Organization/broken": {"resourceType": "Organization", "name": 7, "identifier": "x"},
    "Medication/4": {"resourceType": "Medication", "code": {"text": "Sertraline 50 mg tablets"}},
}


@pytest.mark.parametrize(
    ("reference", "author"),
    [
        ("Practitioner/1", Actor(name="Dr Sam Patel", reference="Practitioner/1")),
        (
            "PractitionerRole/2",
            Actor(
                name="Dr Sam Patel",
                role="community nurse",
                organization="Midshire Community Trust",
                organization_code="RY9",
                reference="PractitionerRole/2",
            ),
        ),
        (
            "Organization/3",
            Actor(organization="Midshire Community Trust", organization_code="RY9", reference="Organization/3"),
        ),
        ("Organization/broken", Actor(reference="Organization/broken")),
        ("Practitioner/unknown", Actor(reference="Practitioner/unknown")),
    ],
)
def test_authors_are_shown_by_name(reference: str, author: Actor) -> None:
    sent = {"resourceType": "Condition", "recorder": {"reference": reference}}
    assert _read(sent, contained_or_bundle=_BUNDLE.get).author == author
    assert _read(sent).author == Actor(reference=reference)


def test_a_contained_author_needs_no_resolver_and_is_kept() -> None:
    who = {"resourceType": "Practitioner", "id": "p", "name": [{"text": "Sam Patel"}]}
    item = _read({"resourceType": "Condition", "contained": [who], "recorder": {"reference": "#p"}})
    assert item.author == Actor(name="Sam Patel", reference="#p")
    assert [extra.path for extra in item.extra] == ["contained[0]"]


def test_only_an_asserter_is_the_author_and_a_recorder_goes_before() -> None:
    asserter, recorder = {"display": "Grace Okafor"}, {"display": "Sam Patel"}
    assert _read({"resourceType": "Condition", "asserter": asserter}).author == Actor(name="Grace Okafor")
    both = _read({"resourceType": "Condition", "asserter": asserter, "recorder": recorder})
    assert both.author == Actor(name="Sam Patel")
    assert [extra.path for extra in both.extra] == ["asserter"]


def test_a_medicine_by_reference_is_shown_by_name() -> None:
    sent = {"resourceType": "MedicationStatement", "medicationReference": {"reference": "Medication/4"}}
    assert _read(sent, contained_or_bundle=_BUNDLE.get).medication.words() == "Sertraline 50 mg tablets"
    sent["medicationReference"]["display"] = "Sertraline"
    assert _read(sent).medication.words() == "Sertraline"


# --- medicines and results -------------------------------------------------------------------------------------


def test_a_structured_timing_is_seen_and_kept_as_sent() -> None:
    repeat = {"frequency": 2, "frequencyMax": 3, "period": Decimal("1.0"), "periodUnit": "d", "when": ["MORN", "EVE"]}
    sent = {"resourceType": "MedicationRequest", "dosageInstruction": [{"timing": {"repeat": repeat}}]}
    item = _read(sent)
    assert isinstance(item, MedicationStatement)
    assert item.kind == "request"
    assert item.dosage[0].timing == "2 to 3 per 1.0 d; when MORN, EVE"
    assert [extra.path for extra in item.extra] == ["dosageInstruction[0].timing"]


def test_an_age_at_onset_is_seen_and_kept_as_sent() -> None:
    age = {"value": 12, "unit": "years", "system": "http://unitsofmeasure.org", "code": "a"}
    item = _read({"resourceType": "Condition", "onsetAge": age})
    assert item.onset == "age 12 years"
    assert [extra.path for extra in item.extra] == ["onsetAge"]


@pytest.mark.parametrize("digits", ["72.50", "72.5", "72", "0.0", "1E+2"])
def test_a_result_keeps_its_digits(digits: str) -> None:
    item = _read({"resourceType": "Observation", "valueQuantity": {"value": Decimal(digits), "unit": "kg"}})
    assert isinstance(item, Observation)
    assert isinstance(item.value, Quantity)
    assert str(item.value.value) == digits
    assert str(write_resource(item)["valueQuantity"]["value"]) == digits


def test_of_two_values_one_is_shown_and_the_other_kept() -> None:
    item = _read({"resourceType": "Observation", "valueString": "high", "valueBoolean": True})
    assert item.value == "high"
    assert [extra.path for extra in item.extra] == ["valueBoolean"]


@pytest.mark.parametrize("name", ["valueSampledData", "valueTime", "effectiveTiming"])
def test_types_that_the_model_does_not_hold_are_kept(name: str) -> None:
    item = _read({"resourceType": "Observation", name: {"event": ["2024"]}})
    assert [extra.path for extra in item.extra] == [name]


def test_required_elements_that_are_not_there_say_so() -> None:
    written = write_resource(Observation(source=SOURCE, code=Concept()))
    reason = {
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
    }
    assert written["_status"] == reason
    assert written["code"] == reason


# --- notes, contacts, legal status -----------------------------------------------------------------------------


def test_a_note_is_a_document_with_plain_text() -> None:
    note = ProgressNote(source=SOURCE, text="Seen at home. “Brighter.”", date=When("2026-06-23T10:20"))
    written = write_resource(note)
    assert written["resourceType"] == "DocumentReference"
    assert base64.b64decode(written["content"][0]["attachment"]["data"]).decode() == note.text
    assert read_resource(written) == note


@pytest.mark.parametrize(
    "attachment",
    [
        {"contentType": "application/pdf", "data": "aGk="},
        {"contentType": "text/plain", "data": "not base64"},
        {"contentType": "text/plain", "data": "/w=="},
        {"contentType": "text/plain", "url": "https://example.org/1"},
    ],
)
def test_anything_else_of_that_category_is_a_document(attachment: dict[str, Any]) -> None:
    sent = write_resource(ProgressNote(source=SOURCE, text="hi")) | {"content": [{"attachment": attachment}]}
    assert isinstance(_read(sent), DocumentReference)


def test_a_document_that_looks_like_a_note_stays_a_document() -> None:
    note = write_resource(ProgressNote(source=SOURCE, text="hi"))
    document = read_resource(note | {"extension": [{"url": extensions.NOT_A_NOTE, "valueBoolean": True}]})
    assert isinstance(document, DocumentReference)
    assert read_resource(write_resource(document)) == document


def test_an_appointments_patient_and_place_are_among_its_participants() -> None:
    sent = {
        "resourceType": "Appointment",
        "participant": [
            {"actor": {"reference": "Location/2", "display": "Clinic 4"}, "status": "accepted"},
            {"actor": {"reference": "Practitioner/1", "display": "Sam Patel"}, "status": "accepted"},
            {"actor": {"reference": "Patient/9", "display": "Grace Okafor"}, "status": "needs-action"},
        ],
    }
    item = _read(sent)
    assert isinstance(item, Appointment)
    assert item.subject is not None
    assert item.subject.reference == "Patient/9"
    assert [place.name for place in item.location] == ["Clinic 4"]
    assert [(member.actor.name, member.status) for member in item.participants] == [("Sam Patel", "accepted")]
    assert {extra.path for extra in item.extra} == {"participant[0].status", "participant[2].status"}


def test_an_encounters_class() -> None:
    for value in ("AMB", "AMB ", "home visit"):
        item = Encounter(source=SOURCE, encounter_class=value)
        assert read_resource(write_resource(item)) == item
    assert write_resource(Encounter(source=SOURCE, encounter_class="AMB"))["class"]["display"] == "ambulatory"


def test_a_legal_status_is_basic_and_says_so() -> None:
    item = LegalStatus(source=SOURCE, code=concept("Section 3, Mental Health Act 1983"), status="in force")
    written = write_resource(item)
    assert written["resourceType"] == "Basic"
    assert written["code"]["coding"][0]["code"] == "legal-status"
    assert read_resource(written) == item


# --- whom it is about ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "reference", "number"),
    [
        ({"resourceType": "Condition", "subject": {"reference": "Patient/9"}}, "Patient/9", None),
        ({"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/9"}}, "Patient/9", None),
        ({"resourceType": "Coverage", "beneficiary": {"identifier": {"value": "9990000018"}}}, None, "9990000018"),
        (
            {"resourceType": "Appointment", "participant": [7, {"actor": {"reference": "Patient/9"}}]},
            "Patient/9",
            None,
        ),
        (
            {
                "resourceType": "Patient",
                "id": "9",
                "identifier": [
                    {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000026", "use": "old"},
                    {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"},
                ],
            },
            "Patient/9",
            "9990000018",
        ),
    ],
)
def test_whom_a_resource_is_about(sent: dict[str, Any], reference: str | None, number: str | None) -> None:
    subject = subject_of(sent)
    assert subject is not None
    assert subject.reference == reference
    assert (subject.identifier.value if subject.identifier else None) == number


@pytest.mark.parametrize("subject", [None, "Patient/9", ["Patient/9"], 7])
def test_a_subject_that_cannot_be_read_is_nobody(subject: Any) -> None:
    assert subject_of({"resourceType": "Condition", "subject": subject}) is None
    assert subject_of({"resourceType": "Appointment", "participant": subject}) is None


def test_an_organisation_is_about_nobody() -> None:
    assert subject_of(write_resource(Organization(source=SOURCE))) is None
