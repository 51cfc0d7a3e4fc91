"""Same fact once with all its sources, different facts kept, and no order ever matters."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpftconnect.hub.conflicts import conflicts
from mpftconnect.hub.merge import merge
from mpftconnect.hub.person_conflicts import patient_conflicts
from mpftconnect.model import (
    AllergyIntolerance,
    CarePlan,
    Condition,
    Dosage,
    Extra,
    HumanName,
    Identifier,
    Item,
    MedicationStatement,
    Patient,
    Reference,
    SectionName,
    Source,
    When,
    concept,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def source(system: str, id_: str = "1") -> Source:
    return Source(system=system, id=id_, fetched=NOW)


def condition(system: str, id_: str, text: str, day: int = 1) -> Condition:
    return Condition(source=source(system, id_), code=concept(text), onset=When(f"2024-01-{day:02}"))


def test_the_same_fact_is_shown_once_with_all_its_sources() -> None:
    (one,) = merge([condition("rio", "1", "Asthma"), condition("gp", "9", "Asthma")])
    assert [s.key for s in one.sources] == ["gp:9", "rio:1"]


def test_any_difference_keeps_both() -> None:
    assert len(merge([condition("rio", "1", "Asthma"), condition("gp", "9", "Astma")])) == 2
    assert len(merge([condition("rio", "1", "Asthma", 1), condition("gp", "9", "Asthma", 2)])) == 2


def test_what_one_system_holds_twice_stays_twice() -> None:
    twice = [condition("rio", "1", "Asthma"), condition("rio", "2", "Asthma")]
    assert len(merge(twice)) == 2
    merged = merge([*twice, condition("gp", "9", "Asthma")])
    assert sorted(len(item.sources) for item in merged) == [1, 2]


def test_nothing_of_the_joined_ones_is_lost() -> None:
    first = condition("gp", "9", "Asthma").model_copy(
        update={"identifiers": (Identifier(value="a"),), "extra": (Extra(path="x", json_text="1"),)}
    )
    second = condition("rio", "1", "Asthma").model_copy(
        update={
            "identifiers": (Identifier(value="b"),),
            "extra": (Extra(path="y", json_text="2"),),
            "encounter": Reference(reference="Encounter/5"),
        }
    )
    (one,) = merge([second, first])
    assert isinstance(one, Condition)
    assert [i.value for i in one.identifiers] == ["a", "b"]
    assert {part.path for part in one.extra} == {"x", "y", "also[rio].encounter"}


_FACTS = st.lists(
    st.tuples(st.sampled_from(["rio", "gp", "icr"]), st.sampled_from(["Asthma", "Gout", "Angina"]), st.integers(1, 3)),
    max_size=12,
)


@given(_FACTS, st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_order_makes_no_difference_and_repeating_changes_nothing(
    facts: list[tuple[str, str, int]], chance: random.Random
) -> None:
    items = [condition(system, str(n), text, day) for n, (system, text, day) in enumerate(facts)]
    shuffled = chance.sample(items, len(items))
    merged = merge(items)
    assert merge(shuffled) == merged
    assert merge(merged) == merged
    assert sorted(s.key for item in merged for s in item.sources) == sorted(item.key for item in items)


@given(_FACTS)
@settings(max_examples=100, deadline=None)
def test_newest_first(facts: list[tuple[str, str, int]]) -> None:
    items = merge([condition(system, str(n), text, day) for n, (system, text, day) in enumerate(facts)])
    dates = [item.clinical_date.sort_key for item in items if item.clinical_date]
    assert dates == sorted(dates, reverse=True)


def allergy(system: str, text: str, code: str | None = None, verification: str | None = None) -> AllergyIntolerance:
    return AllergyIntolerance(
        source=source(system),
        code=concept(text, code),
        verification_status=concept(None, verification, "http://x") if verification else None,
    )


@pytest.mark.parametrize(
    ("items", "kinds"),
    [
        (
            [allergy("gp", "No known allergies", "716186003"), allergy("rio", "Penicillin")],
            ["allergy-against-none-known"],
        ),
        ([allergy("gp", "No known allergies", "716186003"), allergy("rio", "P", None, "refuted")], []),
        ([allergy("gp", "No known allergies", "716186003"), allergy("rio", "P", None, "entered-in-error")], []),
        ([allergy("gp", "Latex"), allergy("rio", "Penicillin")], []),
        ([allergy("gp", "No known allergies", "716186003")], []),
    ],
)
def test_none_known_never_cancels_an_allergy(items: list[Item], kinds: list[str]) -> None:
    assert [c.kind for c in conflicts({SectionName.ALLERGIES: items})] == kinds


def test_several_active_plans_are_a_conflict_that_names_them_all() -> None:
    plans = [CarePlan(source=source(system), status=status) for system, status in
             [("gp", "active"), ("rio", "active"), ("icr", "completed")]]  # fmt: skip
    (found,) = conflicts({SectionName.CARE_PLANS: plans})
    assert found.items == ("gp:1", "rio:1")


def test_a_medicine_on_which_systems_disagree() -> None:
    def drug(system: str, dose: str, status: str = "active", id_: str = "1") -> MedicationStatement:
        return MedicationStatement(
            source=source(system, id_),
            medication=concept("Sertraline 50mg"),
            status=status,
            dosage=(Dosage(text=dose),),
        )

    assert [c.kind for c in conflicts({SectionName.MEDICATIONS: [drug("gp", "one"), drug("rio", "two")]})] == [
        "medicine-differs"
    ]
    assert conflicts({SectionName.MEDICATIONS: [drug("gp", "one"), drug("rio", "one", "stopped")]})
    assert not conflicts({SectionName.MEDICATIONS: [drug("gp", "one"), drug("rio", "one")]})
    assert not conflicts({SectionName.MEDICATIONS: [drug("gp", "one"), drug("gp", "two", id_="2")]})


def test_demographics_that_differ_are_named_without_values() -> None:
    traced = Patient(source=source("pds"), names=(HumanName(family="Okonjo"),), gender="female", deceased=False)
    other = Patient(source=source("rio"), names=(HumanName(family="Wolfenstein"),), gender="male", deceased=True)
    found = patient_conflicts(traced, {"rio": other})
    assert {c.kind for c in found} == {"family-name-differs", "gender-differs", "death-differs"}
    assert "Wolfenstein" not in str(found)
    assert patient_conflicts(traced, {"rio": Patient(source=source("rio"))}) == ()
    died = Patient(source=source("rio"), deceased=When("2026-01-01"))
    assert [c.kind for c in patient_conflicts(traced, {"rio": died})] == ["death-differs"]
    assert patient_conflicts(traced.model_copy(update={"deceased": True}), {"rio": died}) == ()
