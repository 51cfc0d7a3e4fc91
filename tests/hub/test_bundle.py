"""A record as a FHIR R4 Bundle: all of it, nothing more than it, and the items back as they were."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpftconnect.errors import GapReason
from mpftconnect.fhir import NotMapped, dump_json, parse_json, to_fhir_resources
from mpftconnect.hub.bundle import bundle_items, record_bundle
from mpftconnect.hub.record import NEVER_SHOWN, NOT_FOR, Gap, Record, SystemAnswer
from mpftconnect.model import (
    SECTION_TYPES,
    Appointment,
    CarePlan,
    Condition,
    Goal,
    Item,
    Observation,
    Quantity,
    Reference,
    Section,
    SectionName,
    SectionStatus,
    concept,
)

Make = Callable[..., Record]


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def issues(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    (outcome,) = resources(bundle, "OperationOutcome")
    found: list[dict[str, Any]] = outcome["issue"]
    return found


def lists(bundle: dict[str, Any]) -> dict[str, dict[str, Any]]:
    def name_of(resource: dict[str, Any]) -> str:
        return next(str(e["valueCode"]) for e in resource["extension"][0]["extension"] if e["url"] == "name")

    return {name_of(resource): resource for resource in resources(bundle, "List")}


def everything(record: Record) -> list[Item]:
    return [record.patient, *record.held_as, *record.items()]


def test_the_patient_is_first_then_every_item_then_lists_then_the_outcome(lifelike: Make) -> None:
    record = lifelike()
    bundle = record_bundle(record)
    kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    count = len(everything(record))
    assert (bundle["resourceType"], bundle["type"], bundle["timestamp"]) == (
        "Bundle",
        "collection",
        "2026-07-01T09:30:00.000Z",
    )
    assert kinds[0] == "Patient" and len(kinds) == count + len(SectionName) + 1
    assert kinds[count:] == ["List"] * len(SectionName) + ["OperationOutcome"]
    # bdl-1, bdl-3 and bdl-4: nothing that belongs to searches and transactions.
    assert bundle.keys() == {"resourceType", "id", "meta", "type", "timestamp", "entry"}
    assert all(entry.keys() == {"fullUrl", "resource"} for entry in bundle["entry"])


def test_addresses_are_legal_unique_and_always_the_same(lifelike: Make) -> None:
    bundle = record_bundle(lifelike())
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(urls)) == len(urls)
    for entry in bundle["entry"]:
        # FHIR R4, data type id.
        assert re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", entry["resource"]["id"])
        assert entry["fullUrl"] == UUID(entry["resource"]["id"]).urn
    again = [entry["fullUrl"] for entry in record_bundle(lifelike(correlation_id="another"))["entry"]]
    count = len(everything(lifelike()))
    assert again[:count] == urls[:count] and not set(again[count:]) & set(urls[count:])


def test_every_item_comes_back_as_it_was(lifelike: Make) -> None:
    record = lifelike()
    sent = parse_json(dump_json(record_bundle(record)))
    assert list(bundle_items(sent)) == everything(record)


def test_reading_a_bundle_back_does_not_change_it(lifelike: Make) -> None:
    bundle = record_bundle(lifelike())
    before = dump_json(bundle)
    list(bundle_items(bundle))
    assert dump_json(bundle) == before


@pytest.mark.parametrize("alternative", range(6))
def test_every_field_of_every_type_comes_back(filled: Callable[..., Any], record_of: Make, alternative: int) -> None:
    items = {name: filled(kind, alternative=alternative) for name, kind in SECTION_TYPES.items()}
    record = record_of({name: Section(name, (item,), SectionStatus.ITEMS) for name, item in items.items()})
    bundle = record_bundle(record)
    assert list(bundle_items(bundle)) == everything(record)
    to_fhir_resources(entry["resource"] for entry in bundle["entry"])


_NEEDED = {"source", "code", "medication", "vaccine", "text", "kind"}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(list(SectionName)), alternative=st.integers(0, 5))
def test_items_with_any_of_their_fields_come_back(
    filled: Callable[..., Any], record_of: Make, data: st.DataObject, name: SectionName, alternative: int
) -> None:
    kind = SECTION_TYPES[name]
    full = filled(kind, alternative=alternative)
    optional = sorted(field for field in kind.model_fields if field not in _NEEDED)
    gone = data.draw(st.sets(st.sampled_from(optional)))
    item = full.model_copy(update={field: kind.model_fields[field].default for field in gone})
    record = record_of({name: Section(name, (item,), SectionStatus.ITEMS)})
    assert list(bundle_items(parse_json(dump_json(record_bundle(record))))) == [record.patient, item]


# Whom it is about

_NO_SUBJECT = {"List", "Patient", "OperationOutcome"}


def test_every_resource_points_to_the_patient_entry(lifelike: Make) -> None:
    subject = Reference(reference="Patient/77", display="as the source has it")
    bookings = tuple(item.model_copy(update={"subject": subject}) for item in lifelike().appointments)
    booked = Section(SectionName.APPOINTMENTS, bookings, SectionStatus.ITEMS)
    record = lifelike().model_copy(update={"appointments": booked})
    bundle = record_bundle(record)
    patient = {"reference": bundle["entry"][0]["fullUrl"]}
    for entry in bundle["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] == "Appointment":
            (found,) = [
                p["actor"] for p in resource["participant"] if p["actor"].get("reference") == patient["reference"]
            ]
            assert found["display"] == "as the source has it"
        elif resource["resourceType"] not in _NO_SUBJECT:
            found = resource.get("subject") or resource["patient"]
        else:
            continue
        assert found["reference"] == patient["reference"], resource["resourceType"]
    assert list(bundle_items(bundle)) == everything(record)


@pytest.mark.parametrize("subject", [None, Reference(reference="Patient/9"), Reference(display="someone")])
def test_what_the_source_said_of_the_subject_is_kept(
    record_of: Make, lifelike: Make, subject: Reference | None
) -> None:
    source = lifelike().patient.source
    goal = Goal(description="Walk to the shop", status="active")
    items: dict[SectionName, Item] = {
        SectionName.PROBLEMS: Condition(source=source, code=concept("Asthma"), subject=subject),
        SectionName.APPOINTMENTS: Appointment(source=source, subject=subject),
        SectionName.CARE_PLANS: CarePlan(source=source, goals=(goal,), subject=subject),
    }
    record = record_of({name: Section(name, (item,), SectionStatus.ITEMS) for name, item in items.items()})
    bundle = record_bundle(record)
    assert list(bundle_items(bundle)) == everything(record)
    (plan,) = resources(bundle, "CarePlan")
    (booking,) = resources(bundle, "Appointment")
    patient = bundle["entry"][0]["fullUrl"]
    assert {plan["subject"]["reference"], plan["contained"][0]["subject"]["reference"]} == {patient}
    assert [p["actor"]["reference"] for p in booking["participant"]] == [patient]
    to_fhir_resources(entry["resource"] for entry in bundle["entry"])


# Sections


def test_each_section_is_a_list_that_says_how_far_it_can_be_trusted(lifelike: Make) -> None:
    record = lifelike()
    bundle = record_bundle(record)
    known = {entry["fullUrl"] for entry in bundle["entry"]}
    found = lists(bundle)
    assert list(found) == [str(name) for name in SectionName]
    for name, section in record.sections.items():
        resource = found[str(name)]
        assert (resource["status"], resource["mode"]) == ("current", "snapshot")
        assert resource["note"][0]["text"] == section.words()
        pointed = [entry["item"]["reference"] for entry in resource["entry"]]
        assert len(pointed) == len(section) and set(pointed) <= known
        assert "emptyReason" not in resource
    assert "gp: Some items are confidential" in found["medications"]["note"][1]["text"]
    state = {e["url"]: e for e in found["allergies"]["extension"][0]["extension"]}
    assert state["status"]["valueCode"] == "partial" and state["missing"]["valueString"] == "icr"
    assert state["complete"]["valueBoolean"] is False


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (SectionStatus.ASSERTED_NONE, "nilknown"),
        (SectionStatus.NOT_ASKED, "notasked"),
        (SectionStatus.UNAVAILABLE, "unavailable"),
        (SectionStatus.RESTRICTED, "withheld"),
        (SectionStatus.NOTHING_RECORDED, None),
        (SectionStatus.PARTIAL, None),
        (SectionStatus.ITEMS, None),
    ],
)
def test_an_empty_list_says_why_it_is_empty_and_never_more(
    record_of: Make, status: SectionStatus, code: str | None
) -> None:
    section: Section[Any] = Section(SectionName.ALLERGIES, (), status, missing=("gp",))
    resource = lists(record_bundle(record_of({SectionName.ALLERGIES: section})))["allergies"]
    assert "entry" not in resource
    assert resource["emptyReason"]["text"] == section.words() and "gp" in resource["emptyReason"]["text"]
    assert [c["code"] for c in resource["emptyReason"].get("coding", [])] == ([code] if code else [])


def test_only_an_asserted_absence_is_nil_known(record_of: Make) -> None:
    for status in SectionStatus:
        sections = {name: Section(name, (), status) for name in SectionName}
        text = json.dumps(lists(record_bundle(record_of(sections))))
        assert ("nilknown" in text) is (status is SectionStatus.ASSERTED_NONE)


# What the record says of itself


def test_what_is_missing_disputed_apart_or_kept_back_is_an_issue(lifelike: Make) -> None:
    doubts = {"identity_confirmed": False, "restriction": "R", "mismatches": ("the family name differs",)}
    record = lifelike(**doubts)
    bundle = record_bundle(record)
    told = {issue["details"]["coding"][0]["code"]: issue for issue in issues(bundle)}
    assert (
        told["timed-out"]["code"] == "timeout" and told["timed-out"]["details"]["text"] == "icr did not answer in time."
    )
    assert told["not-declared"]["extension"][1]["valueCode"] == "consents"
    assert (
        "prison" in str(told["birth-date-differs"])
        and "medications, notes" in told["birth-date-differs"]["details"]["text"]
    )
    assert told["role-to-sections"]["code"] == "suppressed"
    assert told["not-as-expected"]["details"]["text"] == "the family name differs"
    assert {"identity-not-confirmed", "person-restricted", "extract-age", "joined", "system"} <= told.keys()
    texts = [issue["details"]["text"] for issue in issues(bundle)]
    assert NEVER_SHOWN in texts and NOT_FOR in texts
    assert any("Access, RiO; test" in text and "the interface is assumed" in text for text in texts)
    plans = lists(bundle)["care_plans"]["entry"]
    disputed = [e["valueUri"] for e in told["several-active-plans"]["extension"] if "valueUri" in e]
    assert len(disputed) == 2 and set(disputed) < {entry["item"]["reference"] for entry in plans}


@pytest.mark.parametrize("reason", GapReason)
def test_every_reason_for_a_gap_has_an_issue_type(record_of: Make, reason: GapReason) -> None:
    bundle = record_bundle(record_of(gaps=(Gap(system="rio", reason=reason, detail="status 503"),)))
    (issue,) = [i for i in issues(bundle) if i["severity"] == "warning"]
    assert issue["details"]["coding"][0]["code"] == reason and issue["diagnostics"] == "status 503"
    to_fhir_resources(resources(bundle, "OperationOutcome"))


def test_a_record_of_gaps_alone_still_says_so(record_of: Make) -> None:
    gone = {name: Section(name, (), SectionStatus.UNAVAILABLE, ("rio",), ("rio",)) for name in SectionName}
    bundle = record_bundle(record_of(gone, gaps=(Gap(system="rio", reason=GapReason.UNREACHABLE),)))
    assert len(bundle["entry"]) == 1 + len(SectionName) + 1
    assert all(found["emptyReason"]["coding"][0]["code"] == "unavailable" for found in lists(bundle).values())
    assert "rio could not be reached." in [issue["details"]["text"] for issue in issues(bundle)]


def test_a_quiet_record_says_only_what_every_record_says(record_of: Make) -> None:
    assert [issue["details"]["text"] for issue in issues(record_bundle(record_of()))] == [NEVER_SHOWN, NOT_FOR]


@pytest.mark.parametrize("restriction", ["U", "R", "V", "REDACTED", None])
def test_a_person_not_known_to_be_unrestricted_is_called_restricted(record_of: Make, restriction: str | None) -> None:
    told = [i["details"]["text"] for i in issues(record_bundle(record_of(restriction=restriction)))]
    assert any("is left out" in text for text in told) is (restriction != "U")


def test_restriction_and_test_data_are_security_labels(record_of: Make) -> None:
    def labels(**fields: Any) -> list[str]:
        return [label["code"] for label in record_bundle(record_of(**fields)).get("meta", {}).get("security", [])]

    live = SystemAnswer(system="s", supplier="x", product="y", outcome="answered", tried_against="nothing")
    assert labels(systems=(live,)) == [] and labels(restriction="U") == []
    assert labels(restriction="V", systems=(live.model_copy(update={"environment": "test"}),)) == ["V", "HTEST"]


# Edges


def test_decimals_keep_their_digits(lifelike: Make) -> None:
    text = dump_json(record_bundle(lifelike())).decode()
    assert '"value":5.60' in text.replace(" ", "")


def test_items_of_the_same_key_are_kept_apart_unless_they_are_the_same(lifelike: Make, record_of: Make) -> None:
    source = lifelike().patient.source.model_copy(update={"id": "R-1"})

    def result(digits: str) -> Observation:
        return Observation(source=source, code=concept("Weight"), value=Quantity(value=Decimal(digits), unit="kg"))

    items = (result("72.5"), result("72.50"), result("72.5"))
    record = record_of({SectionName.RESULTS: Section(SectionName.RESULTS, items, SectionStatus.ITEMS)})
    bundle = record_bundle(record)
    assert [str(r["valueQuantity"]["value"]) for r in resources(bundle, "Observation")] == ["72.5", "72.50"]
    pointed = [entry["item"]["reference"] for entry in lists(bundle)["results"]["entry"]]
    assert pointed[0] == pointed[2] != pointed[1]


def test_the_typed_export_takes_every_entry(lifelike: Make) -> None:
    record = lifelike()
    assert len(record.to_fhir_resources()) == len(record.to_fhir()["entry"])


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {},
        {"resource": 5},
        {"resource": {"resourceType": ["List"]}},
        {"resource": {"resourceType": "Condition", "subject": 5}},
        {"resource": {"resourceType": "Condition", "subject": {"extension": [5]}}},
        {"resource": {"resourceType": "Appointment", "participant": [5]}},
        {"resource": {"resourceType": "Appointment", "participant": 5}},
        {"resource": {"resourceType": "Condition", "contained": [5]}},
        {"resource": {"resourceType": "Person"}},
        {"resource": {"resourceType": "Condition", "code": {"text": "secret words"}}},
    ],
)
def test_a_bundle_of_others_is_refused_without_a_value(entry: Any) -> None:
    with pytest.raises(NotMapped) as refused:
        list(bundle_items({"resourceType": "Bundle", "entry": [entry]}))
    assert "secret" not in str(refused.value)


def test_a_bundle_is_the_same_however_many_were_made_before(lifelike: Make) -> None:
    """Once, a booking of nobody kept the pointers to all the people of whom a Bundle had been made before."""
    source = lifelike().appointments[0].source
    bare = Section(SectionName.APPOINTMENTS, (Appointment(source=source),), SectionStatus.ITEMS)
    record = lifelike().model_copy(update={"appointments": bare})
    first = dump_json(record_bundle(record))
    other = record.model_copy(update={"patient": record.patient.model_copy(update={"source": source})})
    record_bundle(other)
    assert dump_json(record_bundle(record)) == first
