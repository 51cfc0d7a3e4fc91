"""Whatever the items, and however they are spread over systems: the same record. Over every field of every type.

"The same record" means, where the set of systems differs: the same facts, each once for every time that a single system
holds it, with the sources that hold it. Which of the sources comes first is the order of their names.
"""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from strategies import items

from mpftconnect.hub.conflicts import conflicts
from mpftconnect.hub.merge import ORIGIN, put_together
from mpftconnect.hub.sameness import Opinions
from mpftconnect.model import SECTION_TYPES, Coding, Concept, Item, SamenessSpec, SectionName

SYSTEMS = ("gp", "icr", "rio")
TYPES = [pytest.param(name, id=str(name)) for name in SECTION_TYPES]
SETTINGS = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    # Items have so many fields that making a failing one small takes longer than reading it.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


def held(item: Item, system: str, id_: str) -> Item:
    """The item as that system would hold it."""
    source = item.source.model_copy(update={"system": system, "id": id_})
    return item.model_copy(update={"source": source, "also": ()})


def said(item: Item) -> str:
    return item.model_dump_json(exclude=set(ORIGIN))


def known_to(items_: list[Item]) -> Counter[str]:
    return Counter(source.key for item in items_ for source in item.sources)


@st.composite
def entries(draw: st.DrawFn, name: SectionName) -> list[Item]:
    """Items of one kind in several systems: some held by several, some twice by one, some worded otherwise."""
    facts = draw(st.lists(items(SECTION_TYPES[name]), min_size=1, max_size=3))
    facts += [_worded_otherwise(fact) for fact in facts]
    places = st.tuples(st.integers(0, len(facts) - 1), st.sampled_from(SYSTEMS))
    return [
        held(facts[at], system, str(number))
        for number, (at, system) in enumerate(draw(st.lists(places, min_size=1, max_size=10)))
    ]


def _worded_otherwise(item: Item) -> Item:
    """The same but for the case of its main text, where it has one."""
    for name in ("code", "medication", "vaccine", "type"):
        value = getattr(item, name, None)
        if isinstance(value, Concept) and value.text:
            return item.model_copy(update={name: value.model_copy(update={"text": value.text.swapcase()})})
    return item


@pytest.mark.parametrize("name", TYPES)
@given(data=st.data(), chance=st.randoms(use_true_random=False))
@SETTINGS
def test_no_order_matters_nothing_is_lost_and_repeating_changes_nothing(
    name: SectionName, data: st.DataObject, chance: random.Random
) -> None:
    found = data.draw(entries(name))
    merged = put_together(found)
    again = put_together(chance.sample(found, len(found)))
    assert (again.items, again.same_as) == (merged.items, merged.same_as)
    # Every entry of every system stands in it exactly once.
    assert known_to(list(merged.items)) == Counter({item.key: 1 for item in found})
    for mix in ([*merged.items], [*merged.items, *found], [*found, *merged.items, *found]):
        assert put_together(chance.sample(mix, len(mix))).items == merged.items
    # No system twice in one fact: what it holds twice is shown twice.
    for item in merged.items:
        systems = [source.system for source in item.sources]
        assert len(set(systems)) == len(systems)
    # And what disagrees does so in every order.
    one, other = (conflicts({name: list(order)}) for order in (merged.items, merged.items[::-1]))
    assert sorted(one, key=str) == sorted(other, key=str)


@pytest.mark.parametrize("name", TYPES)
@given(data=st.data())
@SETTINGS
def test_however_the_same_facts_are_spread_over_systems_the_record_is_the_same(
    name: SectionName, data: st.DataObject
) -> None:
    drawn = data.draw(st.lists(items(SECTION_TYPES[name]), min_size=1, max_size=4))
    facts: list[Item] = []
    for fact in drawn:
        if all(len(put_together([held(fact, "gp", "1"), held(other, "rio", "2")]).items) == 2 for other in facts):
            facts.append(fact)
    in_one = put_together([held(fact, "gp", str(n)) for n, fact in enumerate(facts)])
    some = st.sets(st.sampled_from(SYSTEMS), min_size=1)
    where = [data.draw(some) for _ in facts]
    spread = put_together([held(fact, system, str(n)) for n, fact in enumerate(facts) for system in sorted(where[n])])
    if all(_states_what_it_is_about(fact) for fact in facts):
        assert Counter(map(said, spread.items)) == Counter(map(said, in_one.items))
        expected = Counter(frozenset(systems) for systems in where)
        assert Counter(frozenset(s.system for s in item.sources) for item in spread.items) == expected


def _states_what_it_is_about(item: Item) -> bool:
    return len(put_together([held(item, "gp", "1"), held(item, "rio", "2")]).items) == 1


@pytest.mark.parametrize("name", [SectionName.PROBLEMS, SectionName.ALLERGIES, SectionName.RESULTS])
@given(data=st.data(), chance=st.randoms(use_true_random=False), seed=st.integers(0, 9))
@SETTINGS
def test_no_terminology_plugin_however_wild_loses_an_item_or_a_conflict(
    name: SectionName, data: st.DataObject, chance: random.Random, seed: int
) -> None:
    def wild(one: Concept, other: Concept, section: SectionName) -> bool | None:
        answer = random.Random(f"{seed}{one}{other}").choice((True, True, False, None, "boom"))
        if answer == "boom":
            raise ValueError(str(one))
        return answer  # type: ignore[return-value]

    spec = SamenessSpec(name="wild", same=wild, words="nothing")
    found = data.draw(entries(name))
    # Different things of one day and standing, so that the plugin is asked about them.
    blank = SECTION_TYPES[name].model_fields.keys() - {"source", "code"}
    for n in range(4):
        coding = (Coding(system="urn:x", code=str(n)),)
        plain = found[0].model_copy(update={field: _empty(found[0], field) for field in blank})
        found.append(held(plain.model_copy(update={"code": Concept(coding=coding)}), SYSTEMS[n % 3], f"n{n}"))
    merged = put_together(found, Opinions([spec]))
    assert known_to(list(merged.items)) == Counter({item.key: 1 for item in found})
    again = put_together(chance.sample(found, len(found)), Opinions([spec]))
    assert (again.items, again.same_as) == (merged.items, merged.same_as)
    for one, other in combinations(merged.items, 2):
        assert {s.key for s in one.sources}.isdisjoint(s.key for s in other.sources)
    without = conflicts({name: merged.items})
    with_it = conflicts({name: merged.items}, Opinions([spec]))
    for conflict in without:
        assert any(conflict.kind == more.kind and set(conflict.items) <= set(more.items) for more in with_it)


def _empty(item: Item, field: str) -> object:
    return type(item).model_fields[field].get_default(call_default_factory=True)
