"""When two concepts are the same, and what a terminology plugin can and cannot do about it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpftconnect.hub import sameness
from mpftconnect.hub.sameness import Opinions, alike, concept_key, figures, is_stated, linked, literal, same_text
from mpftconnect.model import SNOMED, Coding, Concept, SamenessSpec, SectionName, concept

PROBLEMS, ALLERGIES, MEDICATIONS = SectionName.PROBLEMS, SectionName.ALLERGIES, SectionName.MEDICATIONS


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Asthma", " ASTHMA ", True),
        ("Type  2\tdiabetes", "type 2 diabetes", True),
        ("Asthma.", "asthma", True),
        ("Fear of falling, at night;", "fear of falling at night", True),
        ("‘Asthma’", "'asthma'", True),
        ("Known as “asthma.”.", "known as asthma", True),
        ("Cafe\u0301", "CAFÉ", True),
        ("Sertraline 50mg Tablets", "sertraline 50mg tablets.", True),
        ("Asthma", "Astma", False),
        ("Asthma", "Bronchial asthma", False),
        ("?Asthma", "Asthma", False),
        ("HIV -", "HIV +", False),
        ("HIV-", "HIV+", False),
        ("HIV+", "HIV", False),
        ("Asthma?", "Asthma", False),
        ("HIV negative", "HIV positive", False),
        ("Asthma (history of)", "Asthma", False),
        ("Café", "Cafe", False),
        ("Co-codamol", "Co codamol", False),
        ("Sertraline 50mg", "Sertraline 100mg", False),
        ("Sertraline 50mg", "Sertraline 50Mg", False),
        ("Sertraline 50 mg", "Sertraline 50 Mg", False),
        ("Sertraline 50 mg", "Sertraline 50mg", False),
        ("Digoxin 0.5 mg", "Digoxin 05 mg", False),
        ("Digoxin 62.5 micrograms", "Digoxin 62,5 micrograms", False),
        ("Digoxin .5 mg", "Digoxin 5 mg", False),
        ("Insulin 1,000 units", "Insulin 1000 units", False),
        ("H2O", "H²O", False),
        ("<5", ">5", False),
    ],
)
def test_the_same_text(one: str, other: str, same: bool) -> None:
    assert (same_text(one) == same_text(other)) == same
    assert (alike([concept(one), concept(other)]) == "text") == same


@given(st.one_of(st.text(max_size=30), st.text(alphabet="ab5M .,;:'\"-", max_size=12)))
@settings(max_examples=400, deadline=None)
def test_no_number_and_no_unit_is_ever_altered(text: str) -> None:
    assert same_text(same_text(text)) == same_text(text)
    kept = same_text(text)
    assert [c for c in kept if c.isnumeric()] == [
        c for c in sameness.unicodedata.normalize("NFC", text) if c.isnumeric()
    ]
    assert figures(kept) == figures(text)


def coded(text: str | None, *codes: str, system: str = SNOMED, display: str | None = None) -> Concept:
    return Concept(text=text, coding=tuple(Coding(system=system, code=code, display=display) for code in codes))


READ = "http://read.info/ctv3"


@pytest.mark.parametrize(
    ("concepts", "how"),
    [
        ([coded("Asthma", "1"), coded("Asthma", "1")], "equal"),
        ([coded(None, "1", display="Asthma"), coded(None, "1", display="Asthma (disorder)")], "code"),
        ([coded("Asthma", "1"), coded("Bronchial asthma", "1")], "code"),
        ([coded("Asthma", "1"), concept("asthma.")], "text"),
        ([coded(None, "1", display="Asthma"), concept("Asthma")], "text"),
        ([coded("Asthma", "1"), coded("Asthma", "H33", system=READ)], "text"),
        ([coded("A", "1", "2"), coded("B", "2")], "code"),
        # The same code in another system, or without one, is another code.
        ([coded("A", "1"), coded("B", "1", system=READ)], None),
        ([Concept(text="A", coding=(Coding(code="1"),)), Concept(text="B", coding=(Coding(code="1"),))], None),
        # The same text, and codes of one system that differ: the code is the finer word.
        ([coded("Diabetes", "1"), coded("Diabetes", "2")], None),
        # The same code, and figures that differ: one of them is miscoded.
        ([coded("Sertraline 50mg", "1"), coded("Sertraline 100mg", "1")], None),
        ([coded("Sertraline 50mg", "1"), coded(None, "1")], "code"),
        # A chain holds nobody together.
        ([coded("A", "1"), coded("A", "H", system=READ), coded("B", "H", system=READ)], None),
        ([coded("Asthma", "1"), concept("Gout")], None),
    ],
)
def test_by_what_concepts_are_the_same(concepts: list[Concept], how: str | None) -> None:
    for order in itertools.permutations(concepts):
        assert alike(order) == how


def test_other_coded_fields_need_the_same_codes_or_no_code_and_the_same_text() -> None:
    assert concept_key(coded("Oral", "1", display="x")) == concept_key(coded("By mouth", "1"))
    assert concept_key(coded("Oral", "1")) != concept_key(concept("Oral"))
    assert concept_key(concept("Oral")) == concept_key(concept("ORAL "))
    assert concept_key(coded("Oral", "1", "2")) == concept_key(coded("Oral", "2", "1"))
    assert concept_key(coded("Oral", "1")) != concept_key(coded("Oral", "1", "2"))
    assert literal(coded("Oral", "1")) != literal(coded("By mouth", "1"))


def test_what_is_not_stated_or_hidden_is_said_to_be_so() -> None:
    assert not is_stated(Concept())
    assert not is_stated(concept("text not shown"))
    for system in ("http://hl7.org/fhir/v3/NullFlavor", "http://terminology.hl7.org/CodeSystem/data-absent-reason"):
        assert not is_stated(concept(None, "unknown", system, display="Unknown"))
        assert alike([concept(None, "unknown", system), concept("Flu", "unknown", system)]) is None
    assert is_stated(concept(None, "1")) and is_stated(concept("Asthma"))


def test_linked_goes_by_chains_and_keeps_the_order() -> None:
    assert linked([("a", [1]), ("b", [2]), ("c", [3, 1]), ("d", []), ("e", [2, 3])]) == [["a", "b", "c", "e"], ["d"]]


@given(st.lists(st.lists(st.integers(0, 6), max_size=3), max_size=12))
@settings(max_examples=200, deadline=None)
def test_linked_loses_nothing_and_parts_nothing_that_shares_a_key(keys: list[list[int]]) -> None:
    groups = linked(list(enumerate(keys)))
    assert sorted(at for group in groups for at in group) == list(range(len(keys)))
    place = {at: number for number, group in enumerate(groups) for at in group}
    for one, other in itertools.combinations(range(len(keys)), 2):
        if set(keys[one]) & set(keys[other]):
            assert place[one] == place[other]


# Terminology plugins

A, B, C = coded("Alpha", "1"), coded("Beta", "2"), coded("Gamma", "3")


def plugin(same: Callable[[Concept, Concept, SectionName], Any], name: str = "terms") -> SamenessSpec:
    return SamenessSpec(name=name, same=same, words="test")


def pairs_of(*pairs: tuple[Concept, Concept]) -> Callable[[Concept, Concept, SectionName], Any]:
    return lambda one, other, section: (one, other) in pairs or None


def both(*pairs: tuple[Concept, Concept]) -> Callable[[Concept, Concept, SectionName], Any]:
    return pairs_of(*pairs, *((other, one) for one, other in pairs))


def groups(spec: SamenessSpec | list[SamenessSpec], *, strict: bool = True, section: SectionName = PROBLEMS) -> Any:
    opinions = Opinions(spec if isinstance(spec, list) else [spec])
    return sorted(opinions.groups([A, B, C], section, strict=strict)), opinions.failed


APART = [([0], ()), ([1], ()), ([2], ())]


def test_an_opinion_joins_what_it_calls_the_same() -> None:
    assert groups(plugin(both((A, B)))) == ([([0, 1], ("terms",)), ([2], ())], set())
    assert groups(plugin(lambda *_: None)) == (APART, set())
    assert groups(plugin(lambda *_: False)) == (APART, set())
    assert groups([]) == (APART, set())


def test_an_opinion_that_holds_one_way_round_or_in_a_chain_joins_nothing_and_still_asks_for_a_look() -> None:
    assert groups(plugin(pairs_of((A, B)))) == (APART, set())
    assert groups(plugin(pairs_of((B, A))), strict=False)[0] == [([0, 1], ("terms",)), ([2], ())]
    chain = plugin(both((A, B), (B, C)))
    assert groups(chain) == (APART, set())
    assert groups(chain, strict=False)[0] == [([0, 1, 2], ("terms",))]


def test_a_plugin_that_says_no_outweighs_one_that_says_yes_for_joining_only() -> None:
    yes, no = plugin(both((A, B))), plugin(lambda *_: False, "other")
    assert groups([yes, no]) == (APART, set())
    assert groups([yes, no], strict=False)[0][0] == ([0, 1], ("terms",))
    assert groups([yes, plugin(lambda *_: None, "other")])[0][0] == ([0, 1], ("terms",))


def raises(*_: Any) -> Any:
    raise RuntimeError("no release loaded")


def exits(*_: Any) -> Any:
    raise SystemExit(3)


@pytest.mark.parametrize("broken", [raises, exits, lambda *_: "yes", lambda *_: 1])
def test_a_plugin_that_fails_has_no_opinion_and_is_named(broken: Callable[..., Any]) -> None:
    assert groups(plugin(broken)) == (APART, {"terms"})
    good = plugin(both((A, B)), "good")
    assert groups([plugin(broken), good]) == ([([0, 1], ("good",)), ([2], ())], {"terms"})


@pytest.mark.parametrize("section", [ALLERGIES, MEDICATIONS])
@pytest.mark.parametrize("strict", [True, False])
def test_of_allergies_and_medicines_an_opinion_counts_between_codes_alone(section: SectionName, strict: bool) -> None:
    everything = Opinions([plugin(lambda *_: True)])
    words = [coded("Penicillin", "1"), concept("Amoxicillin")]
    assert everything.groups(words, section, strict=strict) == [([0], ()), ([1], ())]
    assert everything.groups([A, B], section, strict=strict) == [([0, 1], ("terms",))]
    assert everything.groups(words, PROBLEMS, strict=strict) == [([0, 1], ("terms",))]


def test_no_opinion_joins_what_has_other_figures() -> None:
    doses = [coded("Sertraline 50mg", "1"), coded("Sertraline 100mg", "2")]
    assert Opinions([plugin(lambda *_: True)]).groups(doses, MEDICATIONS, strict=True) == [([0], ()), ([1], ())]


def test_so_many_concepts_are_not_asked_about_two_by_two() -> None:
    asked: list[Any] = []
    many = [coded(f"T{n}", str(n)) for n in range(sameness.MOST_ASKED + 1)]
    opinions = Opinions([plugin(lambda *pair: asked.append(pair))])
    assert opinions.groups(many, PROBLEMS, strict=True) == [([at], ()) for at in range(len(many))]
    assert asked == []
    opinions.groups(many[:-1], PROBLEMS, strict=True)
    assert len(asked) == sameness.MOST_ASKED * (sameness.MOST_ASKED - 1)
