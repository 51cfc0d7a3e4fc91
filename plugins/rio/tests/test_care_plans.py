"""Several rows a plan, and nothing of them lost."""

from __future__ import annotations

from typing import Any

from mpftconnect.model import CarePlan, When, parts
from mpftconnect_rio.layout import LINE_TYPES

from .conftest import CLIENT, OURS, everyone, person_rows


def plan_of(make: Any, *lines: dict[str, str], **whole: str) -> CarePlan:
    rows = everyone()
    one = rows["care_plans"][0] | whole
    base = {k: v for k, v in one.items() if k not in ("line_type", "text")}
    rows["care_plans"] = [{**base, **line} for line in lines]
    plan: CarePlan = make(rows).read("care_plans").item
    return plan


def leaves(item: Any) -> str:
    return "\n".join(str(part) for _, part in parts(item) if isinstance(part, str))


def test_a_plan(rio: Any) -> None:
    section = rio.read("care_plans")
    plan = section.item
    assert section.refusals == []
    assert plan.source.id == f"care_plans#P{CLIENT}"
    assert (plan.title, plan.status, plan.is_active) == ("Plan ours", "active", True)
    assert plan.created == When("2025-05-20")
    assert plan.about_me[0].description == "Likes the garden ours"
    assert (plan.goals[0].id, plan.goals[0].target) == ("g1", When("2025-12-01"))
    assert plan.actions[0].scheduled == "every Monday"
    assert plan.actions[0].who[0].name == "Nurse"
    crisis = plan.contingency[0]
    assert crisis.kind == "crisis"
    # A trigger has no place for a telephone number, so it is said in words.
    assert crisis.triggers[0].description == "January ours; Telephone: 01632 960077"
    assert crisis.whom_to_call[0].telecom[0].value == "01632 960099"
    assert plan.agreement.words() == "agreed with the person, 20 May 2025"
    assert plan.coordinator.words() == "Nurse ours, care coordinator"


def test_each_kind_of_line_goes_where_it_belongs(make: Any) -> None:
    plan = plan_of(make, *({"line_type": word.upper(), "text": f"words of {word}"} for word in LINE_TYPES))
    for word, kind in LINE_TYPES.items():
        place, _, part = kind.partition(".")
        if part:
            [contingency] = [each for each in plan.contingency if each.kind == place]
            found = getattr(contingency, part)
        else:
            found = getattr(plan, place)
        assert any(f"words of {word}" in leaves(each) for each in found), word


def test_every_cell_of_every_line_is_somewhere(make: Any) -> None:
    for number, word in enumerate([*LINE_TYPES, "a kind that nobody knows", ""]):
        line = {
            "line_type": word,
            "line_id": f"id-{number}",
            "heading": "the-heading",
            "text": "the-text",
            "line_status": "the-status",
            "priority": "the-priority",
            "who": "the-person",
            "phone": "the-phone",
            "when": "the-time",
            "outcome": "the-outcome",
            "line_author": "the-author",
            "line_date": "the-date",
        }
        said = leaves(plan_of(make, line))
        lost = [cell for field, cell in line.items() if field != "line_type" and cell not in said]
        assert not lost, (word, lost)


def test_a_line_of_a_kind_that_nobody_knows_is_shown_as_a_note_or_placed_by_configuration(make: Any) -> None:
    line = {"line_type": "Wellbeing star", "heading": "Sleep", "text": "Four of ten"}
    assert plan_of(make, line).note == ("Wellbeing star: Sleep: Four of ten",)
    rows = everyone()
    rows["care_plans"] = [{**rows["care_plans"][0], **line}]
    rio = make(rows, settings={"line_types": {"wellbeing STAR": "strengths"}})
    assert rio.read("care_plans").item.strengths[0].words() == "Sleep: Four of ten"


def test_rows_of_several_plans_and_people_may_be_mixed(make: Any) -> None:
    rows = everyone()
    second = [{**row, "plan_id": "P2", "title": "Second"} for row in person_rows(OURS, CLIENT, "ours")["care_plans"]]
    mixed = [row for pair in zip(rows["care_plans"][:5], second, rows["care_plans"][5:10], strict=True) for row in pair]
    rows["care_plans"] = mixed
    plans = make(rows).read("care_plans").items
    assert [(plan.title, len(plan.goals), len(plan.actions)) for plan in plans] == [
        ("Plan ours", 1, 1),
        ("Second", 1, 1),
    ]


def test_rows_that_disagree_about_the_plan_are_told_and_kept(make: Any) -> None:
    rows = everyone()
    rows["care_plans"][1]["status"] = "Closed"
    rows["care_plans"][0]["title"] = ""
    section = make(rows).read("care_plans")
    assert section.item.status == "active"
    assert section.item.title == "Plan ours"
    assert {(each.path, each.value) for each in section.item.extra} >= {("care_plans[1].Care Plan Status", "Closed")}
    [refusal] = section.refusals
    assert "different things" in refusal.rule


def test_columns_that_nobody_asked_for_are_kept_for_every_row(make: Any) -> None:
    rio = make()
    path = rio.folder / "care_plans.csv"
    lines = path.read_text().splitlines()
    wards = ["Ward", "7", "7", "9", "", "9"]
    path.write_text("\n".join(f"{line},{ward}" for line, ward in zip(lines, wards + ["-"] * 10, strict=False)))
    kept = {each.path: each.value for each in rio.read("care_plans").item.extra if "Ward" in each.path}
    assert kept == {"care_plans.Ward": "7", "care_plans[2].Ward": "9"}


def test_a_plan_without_lines_is_a_plan(make: Any) -> None:
    plan = plan_of(make, {"line_type": "", "text": ""})
    assert plan.title == "Plan ours"
    assert plan.note == ()


def test_a_row_without_the_plans_id_is_refused(make: Any) -> None:
    rows = everyone()
    rows["care_plans"][4]["plan_id"] = ""
    section = make(rows).read("care_plans")
    assert section.item.contingency[0].whom_to_call == ()
    assert [r.place for r in section.refusals] == ["care_plans row 5"]
    assert section.refusals[0].content["Text"] == "Crisis line"


def test_dates_of_lines_that_cannot_be_read_are_told(make: Any) -> None:
    rows = everyone()
    rows["care_plans"][1]["when"] = "30/02/2025"
    section = make(rows).read("care_plans")
    assert section.item.goals[0].target is None
    assert [r.place for r in section.refusals] == ["care_plans row 2, column 'When'"]
