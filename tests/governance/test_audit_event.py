"""An entry as a FHIR AuditEvent: complete, valid in structure, and silent about the patient but for the number."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from mpftconnect.errors import NotAnNhsNumber, UsageError
from mpftconnect.governance.audit_event import (
    PATIENT_READ,
    Action,
    AuditRecord,
    Outcome,
    Sent,
    Shown,
    Withholding,
    agent_of,
    housekeeping_event,
    patient_of,
    shown_in,
    to_audit_event,
    user_of,
    withheld_in,
)
from mpftconnect.model import AccessContext


def details(event, role):
    (entity,) = [e for e in event["entity"] if e.get("role", {}).get("code") == role]
    return [(d["type"], d["valueString"]) for d in entity["detail"]]


def agents(event):
    return {a["type"].get("text") or a["type"]["coding"][0]["code"]: a for a in event["agent"]}


@pytest.mark.parametrize("action", get_args(Action))
@pytest.mark.parametrize("outcome", get_args(Outcome))
@pytest.mark.parametrize("patient", ["9990000018", None])
def test_every_action_and_outcome_is_a_valid_audit_event(audit_record, action, outcome, patient):
    event = to_audit_event(audit_record(action=action, outcome=outcome, patient=patient, gaps=(("gp", "timed-out"),)))
    assert AuditEvent.model_validate(event).get_resource_type() == "AuditEvent"
    assert event["outcome"] in {"0", "4", "8", "12"}
    assert event["action"] in {"C", "R", "U", "D", "E"}
    assert event["outcomeDesc"].startswith(outcome)
    assert ("action", action) in [pair for role in ("4", "13") for pair in details_or_none(event, role)]


def details_or_none(event, role):
    return details(event, role) if any(e.get("role", {}).get("code") == role for e in event["entity"]) else []


def test_it_says_who_from_where_why_and_about_whom(audit_record):
    event = to_audit_event(audit_record())
    found = agents(event)
    user = found["IRCP"]
    assert user["who"]["identifier"]["value"] == "jane.doe"
    assert (user["name"], user["altId"], user["role"][0]["text"]) == ("Jane Doe", "555000111", "community-nurse")
    assert [name for name, agent in found.items() if agent["requestor"]] == ["IRCP"]
    organisation = found["PROV"]["who"]["identifier"]
    assert organisation == {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "RRE"}
    assert found["role profile"]["who"]["identifier"]["value"] == "777000222"
    assert found["110152"]["who"]["display"] == "ward-tablet-4"
    (purpose,) = event["purposeOfEvent"]
    assert (purpose["text"], purpose["coding"][0]["code"]) == ("direct-care", "TREAT")
    assert patient_of(event) == "9990000018"
    assert user_of(event) == "jane.doe"
    assert event["recorded"] == "2026-03-01T09:00:00.000000+00:00"
    assert agent_of(event)["organisation"] == "RRE"


def test_it_says_whether_the_relationship_was_verified_or_only_asserted(audit_record):
    assert ("relationship", "caseload") in details(to_audit_event(audit_record()), "4")
    assert ("relationship-status", "verified by rio") in details(to_audit_event(audit_record()), "4")
    asserted = to_audit_event(audit_record(verified_by=None))
    assert ("relationship-status", "asserted") in details(asserted, "4")


def test_it_says_what_was_asked_what_is_missing_and_what_was_shown(audit_record):
    event = to_audit_event(
        audit_record(
            outcome="partial",
            systems_asked=("pds", "rio", "gp"),
            gaps=(("gp", "timed-out"), ("acute", "no-agreement")),
            shown=(Shown("rio", ("CarePlan/1", "CarePlan/2")), Shown("pds", ("Patient/1",))),
        )
    )
    systems = {
        e["what"]["identifier"]["value"]: [(d["type"], d["valueString"]) for d in e["detail"]]
        for e in event["entity"]
        if e.get("role", {}).get("code") == "17"
    }
    assert systems == {
        "pds": [("asked", "yes"), ("shown", "Patient/1")],
        "rio": [("asked", "yes"), ("shown", "CarePlan/1"), ("shown", "CarePlan/2")],
        "gp": [("asked", "yes"), ("gap", "timed-out")],
        "acute": [("gap", "no-agreement")],
    }
    assert list(shown_in(event)) == [Shown("pds", ("Patient/1",)), Shown("rio", ("CarePlan/1", "CarePlan/2"))]
    assert [value for kind, value in details(event, "4") if kind == "section"] == ["allergies", "problems"]
    (transaction,) = [e for e in event["entity"] if e["type"]["code"] == "XrequestId"]
    assert transaction["what"]["identifier"]["value"] == "request-0"


def test_only_a_successful_read_of_a_person_claims_the_profile_for_it(audit_record):
    def profile(**changes):
        return to_audit_event(audit_record(**changes)).get("meta")

    assert profile() == {"profile": [PATIENT_READ]}
    assert profile(outcome="partial") == {"profile": [PATIENT_READ]}
    for changes in ({"outcome": "failure"}, {"outcome": "refused"}, {"patient": None}, {"action": "find"}):
        assert profile(**changes) is None


def test_the_profile_that_is_claimed_is_kept(audit_record):
    """IHE BALP, PatientRead and its parent Read: what it makes mandatory."""
    event = to_audit_event(audit_record())
    assert event["type"]["code"] == "rest"
    assert [s["code"] for s in event["subtype"]] == ["read"]
    assert (event["action"], event["outcome"]) == ("R", "0")
    for code in ("110152", "110153"):
        (agent,) = [a for a in event["agent"] if a["type"].get("coding", [{}])[0].get("code") == code]
        assert agent["who"]
        assert agent["network"]["address"]
    kinds = [e["type"]["code"] for e in event["entity"]]
    assert (kinds.count("1"), kinds.count("2"), kinds.count("XrequestId")) == (1, 1, 1)
    (patient,) = [e for e in event["entity"] if e["type"]["code"] == "1"]
    assert (patient["role"]["code"], patient["what"]["type"]) == ("1", "Patient")
    (data,) = [e for e in event["entity"] if e["type"]["code"] == "2"]
    assert data["role"]["code"] in {"3", "4", "20"}
    assert data["what"]


def test_reading_the_audit_breaking_the_glass_and_a_refusal_have_their_own_codes(audit_record):
    def coded(action):
        event = to_audit_event(audit_record(action=action))
        return [event["type"]["code"], *(s["code"] for s in event.get("subtype", ()))]

    assert coded("audit-read") == ["110101"]
    assert coded("export") == ["110106"]
    assert coded("break-glass") == ["110113", "110127"]
    assert coded("refused") == ["110113", "110132"]
    assert to_audit_event(audit_record(action="break-glass"))["purposeOfEvent"][0]["coding"][0]["code"] == "BTG"


def test_free_text_of_the_user_is_kept_only_where_the_glass_is_broken(audit_record):
    assert "Wollstonecraft" not in json.dumps(to_audit_event(audit_record()))
    broken = to_audit_event(audit_record(action="break-glass"))
    assert ("reason", "telephoned about the Wollstonecraft household") in details(broken, "4")


def test_a_refusal_carries_its_code(audit_record):
    event = to_audit_event(audit_record(action="refused", outcome="refused", reason_code="relationship-not-verified"))
    assert event["outcomeDesc"] == "refused: relationship-not-verified"
    assert event["outcome"] == "4"


def test_what_was_withheld_is_written_only_if_it_is_given(audit_record):
    things = (Withholding("gum", "Condition/3", "sexual-health", "problems"), Withholding("gum", None, "codes"))
    event = to_audit_event(audit_record(), things)
    AuditEvent.model_validate(event)
    assert tuple(withheld_in(event)) == things
    assert list(shown_in(event)) == [Shown("rio", ("Condition/0", "AllergyIntolerance/7"))]
    assert not list(withheld_in(to_audit_event(audit_record())))
    assert "gum" not in json.dumps(to_audit_event(audit_record()))


def test_who_asked_is_the_recipient_and_nobody_else():
    somebody = {"requestor": True, "name": "x", "who": {"identifier": {"value": "x"}}}
    assert user_of({"agent": [somebody]}) is None
    assert user_of({"agent": [{**somebody, "type": {"coding": [{"code": "IRCP"}]}}]}) == "x"


@pytest.mark.parametrize("what", ["purge", "loss"])
def test_upkeep_is_a_valid_audit_event_without_a_user(what):
    event = housekeeping_event(what, "words", datetime(2026, 1, 1, tzinfo=UTC))
    AuditEvent.model_validate(event)
    assert user_of(event) is None
    assert patient_of(event) is None


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"action": "peek"}, UsageError, "action"),
        ({"outcome": "fine"}, UsageError, "outcome"),
        ({"at": datetime(2026, 1, 1)}, UsageError, "offset"),
        ({"patient": "Mary Jones"}, NotAnNhsNumber, "ten digits"),
        ({"patient": "9990000019"}, NotAnNhsNumber, "check digit"),
    ],
)
def test_a_record_that_means_nothing_is_refused_without_its_value(audit_record, changes, error, words):
    with pytest.raises(error, match=words) as caught:
        audit_record(**changes)
    assert "Mary" not in str(caught.value)
    assert "9990000019" not in str(caught.value)


def test_numbers_and_times_are_written_in_one_form(audit_record):
    summer = timezone(timedelta(hours=1))
    event = to_audit_event(audit_record(patient="999 000-0018", at=datetime(2026, 7, 1, 0, 30, tzinfo=summer)))
    assert patient_of(event) == "9990000018"
    assert event["recorded"] == "2026-06-30T23:30:00.000000+00:00"


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=())), min_size=12, max_size=12))
def test_whatever_people_send_the_event_stays_valid_and_can_be_looked_up(texts):
    *rest, system, item = texts
    # A context cannot hold a lone surrogate, since pydantic refuses it; a source's ids can.
    user, name, role, organisation, purpose, relationship, device, session, practitioner, profile = (
        text.encode("utf-8", "replace").decode() for text in rest
    )
    who = AccessContext(
        user=user,
        name=name,
        role=role,
        organisation=organisation,
        purpose=purpose,
        relationship=relationship,
        reason=name,
        device=device,
        session=session,
        practitioner_id=practitioner,
        role_profile_id=profile,
    )
    record = AuditRecord(
        action="break-glass",
        outcome="partial",
        who=who,
        patient="9990000018",
        purpose=purpose,
        systems_asked=(system,),
        sections=(item,),
        gaps=((system, item),),
        shown=(Shown(system, (item,)),),
        verified_by=name,
        correlation_id=item,
        reason_code=name,
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    event = to_audit_event(record)
    AuditEvent.model_validate_json(json.dumps(event))
    assert patient_of(event) == "9990000018"
    assert len(list(shown_in(event))) == 1


_JUNK = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
_NAMES = st.sampled_from(["who", "what", "identifier", "type", "role", "detail", "coding", "code", "value", "system"])
_NESTED = st.recursive(
    _JUNK, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4), max_leaves=15
)
_PARTS = _NESTED | st.lists(st.dictionaries(_NAMES, _NESTED, max_size=4), max_size=3)


@settings(max_examples=200, deadline=None)
@given(st.fixed_dictionaries({"agent": _PARTS, "entity": _PARTS}))
def test_reading_an_event_that_somebody_made_up_raises_nothing(event):
    assert patient_of(event) is None
    assert user_of(event) is None or isinstance(user_of(event), str)
    list(shown_in(event))
    list(withheld_in(event))


def test_what_was_sent_stands_beside_its_system_and_is_nobodys_item(audit_record):
    sent = (Sent("nrl", (("verb", "POST"), ("body", "{}"))), Sent("nrl", (("verb", "DELETE"),)))
    event = to_audit_event(
        audit_record(action="write", outcome="intended", sent=sent, shown=(), systems_asked=("rio",))
    )
    AuditEvent.model_validate(event)
    (nrl,) = [e for e in event["entity"] if e["what"].get("identifier", {}).get("value") == "nrl"]
    told = [(d["type"], d["valueString"]) for d in nrl["detail"]]
    assert told == [("sent-verb", "POST"), ("sent-body", "{}"), ("sent-verb", "DELETE")]
    assert list(shown_in(event)) == []
    assert event["outcomeDesc"].startswith("intended")


def test_a_fetched_document_is_a_read_that_does_not_claim_the_profile(audit_record):
    event = to_audit_event(audit_record(action="fetch"))
    assert (event["action"], event["subtype"][0]["code"]) == ("R", "read")
    assert "meta" not in event
