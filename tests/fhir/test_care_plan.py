"""Care plans: every section has its place in FHIR, and nothing of a contingency plan is dropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from leaves import lost
from strategies import SOURCE

from mpftconnect.fhir import extensions, read_resource, write_resource
from mpftconnect.model import (
    Action,
    Actor,
    CarePlan,
    ContactPoint,
    ContingencyPlan,
    Goal,
    Line,
    Need,
    Participant,
    Reference,
    When,
    concept,
)


def _read(sent: dict[str, Any], **rest: Any) -> CarePlan:
    item = read_resource({"resourceType": "CarePlan", **sent}, source=SOURCE, **rest)
    assert isinstance(item, CarePlan)
    assert not lost(sent, item)
    assert read_resource(write_resource(item)) == item
    return item


def _ids(written: dict[str, Any], name: str) -> list[str]:
    return [entry["reference"] for entry in written[name]]


@pytest.mark.parametrize("alternative", range(4))
def test_a_plan_with_every_field_filled(filled: Callable[..., CarePlan], alternative: int) -> None:
    plan = filled(CarePlan, alternative=alternative)
    written = write_resource(plan)
    assert read_resource(written) == plan
    contained = {f"#{resource['id']}" for resource in written["contained"]}
    pointed_to = {
        reference
        for holder in (written, *written["contained"])
        for name in ("addresses", "goal", "supportingInfo", "careTeam")
        for reference in (_ids(holder, name) if holder["resourceType"] == "CarePlan" and name in holder else ())
    }
    assert pointed_to == contained  # FHIR R4, constraint dom-3: whatever is contained is pointed to


def test_sections_are_where_fhir_readers_look_for_them() -> None:
    plan = CarePlan(
        source=SOURCE,
        needs=(Need(id="n1", description="Low mood", status="active"),),
        goals=(Goal(id="g1", description="Out in the garden", addresses=("n1",), target=When("2026-09")),),
        actions=(Action(id="a1", description="Weekly visit", goals=("g1",), who=(Actor(name="Sam Patel"),)),),
    )
    written = write_resource(plan)
    need, goal = written["contained"]
    assert written["addresses"] == [{"reference": "#n1"}]
    assert (need["resourceType"], need["code"]) == ("Condition", {"text": "Low mood"})
    assert written["goal"] == [{"reference": "#g1"}]
    assert (goal["description"], goal["addresses"]) == ({"text": "Out in the garden"}, [{"reference": "#n1"}])
    assert goal["target"] == [{"dueDate": "2026-09"}]
    detail = written["activity"][0]["detail"]
    assert (detail["description"], detail["goal"]) == ("Weekly visit", [{"reference": "#g1"}])
    assert read_resource(written) == plan


def test_a_contingency_plan_is_written_without_needing_our_extensions() -> None:
    crisis = ContingencyPlan(
        kind="crisis",
        triggers=(Line(description="The days around 14 February"),),
        early_signs=(Line(heading="At home", description="Curtains stay shut"),),
        what_to_do=(Line(description="Ring her sister first"), Line(description="Visit the same day")),
        what_not_to_do=(Line(description="Do not send her in alone"),),
        whom_to_call=(
            Actor(
                name="Ada Jones",
                role="care coordinator",
                organization="Midshire",
                telecom=(ContactPoint(system="phone", value="01632 960044"),),
            ),
        ),
        other=(Line(heading="Pets", description="Feed the cat"),),
    )
    plan = CarePlan(source=SOURCE, contingency=(crisis, ContingencyPlan()))
    written = write_resource(plan)
    assert read_resource(written) == plan
    inner = next(part for part in written["contained"] if part["resourceType"] == "CarePlan" and "activity" in part)
    told = [(step["detail"]["description"], step["detail"].get("doNotPerform", False)) for step in inner["activity"]]
    assert told == [
        ("Ring her sister first", False),
        ("Visit the same day", False),
        ("Do not send her in alone", True),
    ]
    team = next(part for part in written["contained"] if part["resourceType"] == "CareTeam")
    assert team["telecom"] == [{"system": "phone", "value": "01632 960044"}]
    assert team["participant"][0]["member"] == {"display": "Ada Jones"}
    texts = [part["valueString"] for part in written["contained"] if part["resourceType"] == "Observation"]
    assert texts == ["The days around 14 February", "Curtains stay shut", "Feed the cat"]


def test_needs_and_goals_of_other_systems_are_read_from_what_they_contain() -> None:
    sent = {
        "contained": [
            {
                "resourceType": "Condition",
                "id": "c",
                "code": {"coding": [{"display": "Asthma"}]},
                "severity": {"text": "x"},
            },
            {"resourceType": "Goal", "id": "g", "description": {"text": "Climb stairs"}, "lifecycleStatus": "active"},
            {"resourceType": "Device", "id": "d"},
        ],
        "addresses": [{"reference": "#c"}],
        "goal": [{"reference": "#g"}],
    }
    plan = _read(sent)
    assert [(need.id, need.description) for need in plan.needs] == [("c", "Asthma")]
    assert [(goal.id, goal.description, goal.status) for goal in plan.goals] == [("g", "Climb stairs", "active")]
    assert {extra.path for extra in plan.extra} == {"contained[0].severity", "contained[2]"}


def test_pointers_elsewhere_stay_pointers_and_read_as_well_as_they_can() -> None:
    sent = {
        "addresses": [
            {"reference": "Condition/1", "display": "Asthma"},
            {"reference": "Condition/2"},
            {"identifier": {"value": "x"}},
        ],
        "goal": [{"reference": "Goal/1"}],
        "activity": [{"reference": {"reference": "ServiceRequest/1"}}],
    }
    plan = _read(sent)
    assert [need.description for need in plan.needs] == ["Asthma", "Condition/2"]
    assert [extra.path for extra in plan.extra] == ["addresses[2]"]
    assert plan.actions == (Action(description="ServiceRequest/1", reference=Reference(reference="ServiceRequest/1")),)
    elsewhere = {
        "Condition/2": {"resourceType": "Condition", "code": {"text": "Eczema"}},
        "Goal/1": {"resourceType": "Goal", "description": {"text": "Climb stairs"}},
        "ServiceRequest/1": {"resourceType": "ServiceRequest", "code": {"text": "Physiotherapy"}},
    }
    plan = _read(sent, contained_or_bundle=elsewhere.get)
    assert [need.description for need in plan.needs] == ["Asthma", "Eczema"]
    assert [(goal.id, goal.description) for goal in plan.goals] == [("Goal/1", "Climb stairs")]
    assert plan.actions[0].description == "Physiotherapy"


def test_what_is_to_be_avoided_never_reads_as_what_is_to_be_done() -> None:
    plan = _read({"activity": [{"detail": {"description": "Restrain", "doNotPerform": True}}]})
    assert plan.actions[0].words() == "Do not do this: Restrain"
    assert _read({"activity": [{"detail": {"description": "Walk", "doNotPerform": False}}]}).actions[0].heading is None


@pytest.mark.parametrize("code", ["refuted", "entered-in-error"])
def test_what_is_not_so_never_reads_as_a_need(code: str) -> None:
    condition = {
        "resourceType": "Condition",
        "id": "c",
        "code": {"text": "Falls"},
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "verificationStatus": {"coding": [{"code": code}]},
    }
    plan = _read({"contained": [condition], "addresses": [{"reference": "#c"}]})
    assert plan.needs[0].status == code


def test_when_an_action_is_scheduled() -> None:
    moments = (When("2026-06-23T10:20"), When("2024-10-27T01:30:00"), When("2026-06"), "every Tuesday")
    plan = CarePlan(source=SOURCE, actions=tuple(Action(description="Visit", scheduled=when) for when in moments))
    assert read_resource(write_resource(plan)) == plan
    repeat = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "wk"}}
    read = _read({"activity": [{"detail": {"description": "Visit", "scheduledTiming": repeat}}]})
    assert read.actions[0].scheduled == "1 per 1 wk"
    assert [extra.path for extra in read.extra] == ["activity[0].detail.scheduledTiming"]


def test_an_action_with_a_reference_and_a_detail_keeps_both() -> None:
    reference = Reference(reference="Task/1", display="Visit")
    for action in (
        Action(description="Visit", reference=reference),
        Action(description="Visit", reference=reference, status="in-progress"),
        Action(description="Visit weekly", reference=reference),
    ):
        written = write_resource(CarePlan(source=SOURCE, actions=(action,)))
        # FHIR R4, constraint cpl-3: a reference or a detail, not both.
        assert ("reference" in written["activity"][0]) != ("detail" in written["activity"][0])
        plan = read_resource(written)
        assert isinstance(plan, CarePlan)
        assert plan.actions == (action,)
    both = {"reference": {"reference": "Task/1"}, "detail": {"description": "Visit weekly"}}
    assert _read({"activity": [both]}).actions[0].reference == Reference(reference="Task/1")


def test_lines_keep_their_ids_even_where_fhir_cannot_carry_them() -> None:
    ids = ("n1", "n1", "with space", "mpftconnect-need-1", "careplans.csv#12", None, "Condition/1")
    plan = CarePlan(
        source=SOURCE,
        needs=tuple(Need(id=line_id, description="Low mood", status="active") for line_id in ids),
        goals=(Goal(id="n1", description="Sleep", addresses=tuple(line_id for line_id in ids if line_id)),),
    )
    written = write_resource(plan)
    contained = [resource["id"] for resource in written["contained"]]
    assert len(set(contained)) == len(contained)
    assert read_resource(written) == plan


def test_teams_are_read_from_wherever_they_are() -> None:
    sent = {"careTeam": [{"reference": "CareTeam/1", "display": "Community team"}]}
    assert _read(sent).team == (Participant(actor=Actor(name="Community team", reference="CareTeam/1")),)
    team = {
        "resourceType": "CareTeam",
        "participant": [{"member": {"display": "Sam Patel"}, "role": [{"text": "nurse"}]}],
    }
    found = _read(sent, contained_or_bundle={"CareTeam/1": team}.get)
    assert found.team == (Participant(actor=Actor(name="Sam Patel"), role=concept("nurse")),)


@pytest.mark.parametrize("name", ["contained", "addresses", "goal", "activity", "supportingInfo", "careTeam"])
@pytest.mark.parametrize(
    "value", [7, "x", {"a": 1}, [7], [None], [[]], [{"reference": 7}], [{"reference": "#nowhere"}]]
)
def test_malformed_parts_are_kept(name: str, value: Any) -> None:
    _read({name: value})


def test_a_tampered_contingency_plan_is_kept_whole() -> None:
    plan = CarePlan(source=SOURCE, contingency=(ContingencyPlan(what_not_to_do=(Line(description="Shout"),)),))
    written = write_resource(plan)
    written["contained"][0]["activity"][0]["detail"]["doNotPerform"] = "maybe"
    again = read_resource(written)
    assert isinstance(again, CarePlan)
    assert again.contingency == (ContingencyPlan(),)
    assert [extra.path for extra in again.extra] == ["contained[0].activity[0]"]
    assert not lost(written, again)
    assert extensions.PLAN_KIND in str(written)
