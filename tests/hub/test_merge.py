"""Same fact once with all its sources, different facts kept, and no order ever matters."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpftconnect.hub.merge import SameAs, merge, put_together
from mpftconnect.hub.sameness import Opinions
from mpftconnect.model import (
    SNOMED,
    Coding,
    Concept,
    Condition,
    Dosage,
    Extra,
    Identifier,
    Item,
    MedicationStatement,
    Observation,
    ObservationComponent,
    Quantity,
    Reference,
    SamenessSpec,
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


# Coded sameness


def result(system: str, id_: str = "1", **more: object) -> Observation:
    known: dict[str, object] = {
        "code": concept("Serum potassium", "1000651000000109"),
        "status": "final",
        "effective": When("2026-01-05T08:15:00Z"),
        "value": Quantity(value=Decimal("4.10"), unit="mmol/L"),
    }
    return Observation(source=source(system, id_), **(known | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("other", "rule"),
    [
        (concept("Serum potassium", "1000651000000109"), None),
        (concept("Potassium (serum)", "1000651000000109"), "code"),
        (concept("SERUM  potassium."), "text"),
        (concept("Serum potassium", "441k", "http://read.info/ctv3"), "text"),
    ],
)
def test_the_same_code_or_the_same_text_is_one_fact_and_the_other_wording_is_kept(
    other: Concept, rule: str | None
) -> None:
    merged = put_together([result("gp"), result("rio", code=other)])
    (one,) = merged.items
    assert [s.key for s in one.sources] == ["gp:1", "rio:1"]
    assert one.code == result("gp").code
    assert merged.same_as == ({} if rule is None else {"gp:1": SameAs(rule)})
    kept = {part.path: part.value for part in one.extra}
    if rule is None:
        assert kept == {}
    elif other.text:
        assert kept["also[rio].code"]["text"] == other.text


@pytest.mark.parametrize(
    "change",
    [
        {"value": Quantity(value=Decimal("4.1"), unit="mmol/L")},
        {"value": Quantity(value=Decimal("4.10"), unit="mmol/l")},
        {"value": "4.10 mmol/L"},
        {"status": "amended"},
        {"effective": When("2026-01-05T08:16:00Z")},
        {"code": concept("Serum sodium", "1000651000000109000")},
        {"method": concept("ISE")},
        {"note": ("haemolysed",)},
        {"recorded": When("2026-01-06")},
    ],
)
def test_a_difference_in_any_other_field_keeps_both(change: dict[str, object]) -> None:
    assert len(merge([result("gp"), result("rio", **change)])) == 2


def test_digits_count_wherever_they_stand() -> None:
    def pressure(system: str, top: str) -> Observation:
        value = Quantity(value=Decimal(top), unit="mmHg")
        return result(system, value=None, components=(ObservationComponent(code=concept("Systolic"), value=value),))

    assert len(merge([pressure("gp", "120.0"), pressure("rio", "120.0")])) == 1
    assert len(merge([pressure("gp", "120"), pressure("rio", "120.0")])) == 2


def test_an_entry_joins_no_fact_that_its_system_already_holds() -> None:
    joined = merge([condition("gp", "2", "Asthma"), condition("rio", "2", "Asthma")])
    for order in ([condition("gp", "1", "Asthma"), *joined], [*joined, condition("gp", "1", "Asthma")]):
        merged = merge(order)
        assert [[source.key for source in item.sources] for item in merged] == [["gp:1"], ["gp:2", "rio:2"]]


def test_yes_is_not_one() -> None:
    assert len(merge([result("gp", value=True), result("rio", value=1)])) == 2
    assert len(merge([result("gp", value="1"), result("rio", value=1)])) == 2


def test_other_coded_fields_may_be_displayed_otherwise_and_no_more() -> None:
    oral = [concept("Oral", "26643006"), concept("By mouth", "26643006"), concept("Oral"), concept("Oral", "1")]

    def medicine(system: str, route: Concept) -> MedicationStatement:
        return MedicationStatement(
            source=source(system), medication=concept("Sertraline 50mg"), dosage=(Dosage(text="one", route=route),)
        )

    assert [len(merge([medicine("gp", oral[0]), medicine("rio", other)])) for other in oral] == [1, 1, 2, 2]


def test_a_chain_joins_nothing_and_contradiction_parts() -> None:
    read = "http://read.info/ctv3"
    bridge = Concept(text="B", coding=(Coding(system=SNOMED, code="1"), Coding(system=read, code="H")))
    chain = [
        result("gp", code=concept("A", "1")),
        result("icr", code=bridge),
        result("rio", code=concept("C", "H", read)),
    ]
    assert len(merge(chain[:2])) == len(merge(chain[1:])) == 1
    assert len(merge(chain)) == 3
    # Those that are equal stay together even then.
    assert len(merge([*chain, result("acute", code=concept("A", "1"))])) == 3


@pytest.mark.parametrize("unknown", [Concept(), concept("text not shown")])
def test_two_that_do_not_say_what_they_are_about_stay_two(unknown: Concept) -> None:
    pair = [result("gp", code=unknown), result("rio", code=unknown)]
    assert len(merge(pair)) == 2
    assert merge([*merge(pair), *pair]) == merge(pair)


def test_what_is_hidden_may_differ_so_it_is_not_the_same() -> None:
    """Of a restricted person texts are hidden before items are merged."""
    assert len(merge([result("gp", value="text not shown"), result("rio", value="text not shown")])) == 2
    hidden = concept("text not shown")
    assert len(merge([result("gp", method=hidden), result("rio", method=hidden)])) == 2
    assert len(merge([result("gp", category=(hidden,)), result("rio", category=(hidden,))])) == 2


def test_a_terminology_plugin_joins_only_what_agrees_in_all_else_and_is_named() -> None:
    def same(one: Concept, other: Concept, section: SectionName) -> bool | None:
        assert section is SectionName.RESULTS
        return {c.coding[0].code for c in (one, other)} == {"1", "2"} or None

    opinions = Opinions([SamenessSpec(name="terms", same=same, words="test")])
    one, other = concept("Potassium", "1"), concept("Kalium", "2")
    merged = put_together([result("gp", code=one), result("rio", code=other)], opinions)
    assert len(merged.items) == 1
    assert merged.same_as == {"gp:1": SameAs("plugin", ("terms",))}
    assert [part.value["text"] for part in merged.items[0].extra if part.path == "also[rio].code"] == ["Kalium"]
    assert len(put_together([result("gp", code=one), result("rio", code=other, note=("x",))], opinions).items) == 2
    # What one system holds under both codes stays two all the same.
    assert len(put_together([result("gp", code=one), result("gp", "2", code=other)], opinions).items) == 2


# Withdrawn items


@pytest.mark.parametrize(
    ("standing", "gone"),
    [
        (result("gp"), result("rio", status="entered-in-error")),
        (result("gp"), result("rio", status="cancelled")),
        (condition("gp", "1", "Asthma"), condition("rio", "1", "Asthma").model_copy(
            update={"verification_status": concept(None, "refuted")})),
    ],
)  # fmt: skip
def test_a_withdrawn_item_never_joins_one_that_stands(standing: Item, gone: Item) -> None:
    merged = merge([standing, gone])
    assert sorted(str(item.withdrawn is None) for item in merged) == ["False", "True"]
    assert not any(item.also for item in merged)


def test_a_correction_does_not_hide_what_it_corrects() -> None:
    first = result("lab", "1")
    corrected = result("lab", "2", status="corrected", value=Quantity(value=Decimal("5.1"), unit="mmol/L"))
    assert {item.key for item in merge([first, corrected, result("gp", "9")])} == {"gp:9", "lab:2"}
    assert {s.key for item in merge([first, corrected, result("gp", "9")]) for s in item.sources} == {
        "lab:1",
        "lab:2",
        "gp:9",
    }


def test_the_same_entry_that_arrives_twice_is_one_and_two_entries_of_one_id_are_two() -> None:
    once = condition("rio", "1", "Asthma")
    assert merge([once, once]) == (once,)
    later = once.model_copy(update={"source": once.source.model_copy(update={"fetched": NOW.replace(year=2027)})})
    assert len(merge([once, later])) == 1
    assert merge([once, later]) == merge([later, once])
    other = condition("rio", "1", "Gout")
    assert merge([once, other]) == merge([other, once])
    assert len(merge([once, other])) == 2
    final, amended = result("lab"), result("lab", status="amended")
    assert merge([final, amended]) == merge([amended, final])


def test_ten_thousand_equal_entries_take_no_pairs() -> None:
    """By counting comparisons, not time: each entry is put into its place once."""
    many = [condition(("gp", "rio")[n % 2], str(n), "Asthma") for n in range(10_000)]
    merged = merge(many)
    assert len(merged) == 5_000
    assert all(len(item.sources) == 2 for item in merged)
