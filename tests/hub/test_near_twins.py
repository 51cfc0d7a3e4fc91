"""Over generated near-twins nobody is merged with somebody else, and every single rule is needed for that.

`python benchmarks/near_twins.py` does the same over 100,000 pairs, and docs/matching.md quotes what it prints.
"""

from __future__ import annotations

import ast
import inspect
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import near_twin_pairs
import pytest
from near_twin_pairs import KINDS, Pair, pairs

from mpftconnect.hub import match as rules
from mpftconnect.hub.person_conflicts import patient_conflicts
from mpftconnect.model import Patient

COUNT = 20_000


@pytest.fixture(scope="module")
def generated() -> list[Pair]:
    return list(pairs(COUNT))


def joined(generated: Iterable[Pair], sort: str) -> list[Pair]:
    of_sort = (pair for pair in generated if pair.sort == sort)
    return [pair for pair in of_sort if rules.match(pair.found, pair.traced, pair.numbers).joins]


def test_nobody_is_merged_with_somebody_else(generated: list[Pair]) -> None:
    assert sum(pair.sort == "other" for pair in generated) > COUNT / 3
    assert joined(generated, "other") == []


def test_two_people_whom_no_rule_can_tell_apart_are_flagged_for_somebody_to_look(generated: list[Pair]) -> None:
    unseen = joined(generated, "unseen")
    assert len(unseen) > 50
    for pair in unseen:
        assert patient_conflicts(pair.traced, {"rio": pair.found}, pair.numbers), pair.kind


def test_most_of_what_is_one_persons_is_joined(generated: list[Pair]) -> None:
    """The share that is set apart is the price; it may not grow unnoticed. What is in it, docs/matching.md says."""
    same = [pair for pair in generated if pair.sort == "same"]
    apart = 1 - len(joined(generated, "same")) / len(same)
    assert 0.07 < apart < 0.10
    wholly = Counter(pair.kind for pair in same) - Counter(pair.kind for pair in joined(generated, "same"))
    assert {kind for kind, count in wholly.items() if count} == {
        "same, changed name unknown to the trace",
        "same, date of birth exchanged or mistyped",
        "same, date of birth missing or partial",
        "same, double-barrelled in one",
        "same, name misspelt",
        "same, no name held",
        "same, under a former number that nobody states",
    }


def test_the_pairs_are_the_same_every_time_and_every_kind_is_among_them(generated: list[Pair]) -> None:
    assert list(pairs(200)) == generated[:200]
    assert list(pairs(200, seed=1)) != generated[:200]
    assert len({pair.kind for pair in generated}) == len(KINDS)


def test_the_generator_knows_nothing_of_the_rules() -> None:
    modules = {
        node.module
        for node in ast.walk(ast.parse(inspect.getsource(near_twin_pairs)))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mpftconnect")
    }
    assert modules == {"mpftconnect.model"}


def always(*_: Any) -> bool:
    return True


def halves(fold: Callable[[str], str]) -> Callable[[Patient], frozenset[str]]:
    """Family names, of which each part of a double-barrelled one counts by itself."""

    def names(patient: Patient) -> frozenset[str]:
        found = (name.family for name in patient.names if name.family and name.use != "anonymous")
        return frozenset(fold(part) for family in found for part in family.replace("-", " ").split() if fold(part))

    return names


def folded_as(change: Callable[[str], str]) -> Callable[[str], str]:
    fold = rules._folded
    return lambda text: change(fold(text))


def all_names(patient: Patient) -> Any:
    return patient.names


DROPPED: dict[str, tuple[str, Any]] = {
    "the number must be stated": ("_states_a_number", always),
    "the number must agree": ("_number_agrees", always),
    "no second number that is another's": ("_is_one_person", always),
    "the date of birth must be full": ("_birth_dates_are_full", always),
    "the date of birth must agree": ("_birth_dates_agree", always),
    "day and month may not be exchanged": (
        "_birth_dates_agree",
        lambda c: sorted(c.found.birth_date.text.split("-")) == sorted(c.traced.birth_date.text.split("-")),
    ),
    "the family name must agree": ("_family_names_agree", always),
    "status 01 and no other": (
        "_is_verified",
        lambda c: any(i.verification_status for i in c.found.identifiers),
    ),
    "verified must be the number that agrees": ("_is_verified", always),
    "twins must be told apart": ("_is_told_from_a_twin", always),
    "an alias is nobody's name": ("_own_names", all_names),
    "a half of a double-barrelled name is not the name": ("family_names", halves(rules._folded)),
    "Mac is not Mc": ("_folded", folded_as(lambda name: name.replace("mac", "mc"))),
    "a vowel counts": ("_folded", folded_as(lambda name: "".join(c for c in name if c not in "aeiouy"))),
    "an O' is not left out": ("_folded", folded_as(lambda name: name.removeprefix("o"))),
    "the signs of other scripts count": ("_folded", folded_as(lambda name: "".join(filter(str.isalnum, name)))),
    "ø is not o": ("_folded", folded_as(lambda name: name.replace("ø", "o"))),
}


@pytest.mark.parametrize("dropped", DROPPED)
def test_without_any_one_of_the_rules_somebody_is_merged_with_somebody_else(
    generated: list[Pair], monkeypatch: pytest.MonkeyPatch, dropped: str
) -> None:
    name, instead = DROPPED[dropped]
    monkeypatch.setattr(rules, name, instead)
    assert joined(generated, "other"), dropped


BARS = [rule.code for rule in rules.RULES[: next(n for n, rule in enumerate(rules.RULES) if rule.joins)]]


@pytest.mark.parametrize("code", BARS)
def test_without_any_one_row_of_the_table_somebody_is_merged_with_somebody_else(
    generated: list[Pair], monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr(rules, "RULES", tuple(rule for rule in rules.RULES if rule.code != code))
    assert joined(generated, "other")


def test_every_rule_of_the_table_decides_something(generated: list[Pair]) -> None:
    decided = {rules.match(pair.found, pair.traced, pair.numbers).rule for pair in generated}
    assert decided == {rule.code for rule in rules.RULES}
