"""The glance lets nothing pass that a walk through the parts would find, and lets most of the rest pass."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpftconnect.governance.exclusion import Exclusion, ExclusionSettings
from mpftconnect.governance.glance import Glance
from mpftconnect.model import Actor, Condition, Encounter, Extra, ProgressNote, Reference, Source, concept

SOURCE = Source(system="rio", id="x", fetched=datetime(2026, 1, 1, tzinfo=UTC))

# Words that are hard to find in JSON: quotation marks, backslashes, controls, odd white space, odd case, bare numbers.
PIECES = st.sampled_from(
    [
        '"',
        "\\",
        "\n",
        "\t",
        "\f",
        "\x01",
        "\x1c",
        "\xa0",
        "\u2003",
        " ",
        "  ",
        "n",
        "ß",
        "İ",
        "é",
        "{",
        ":",
        "0",
        "12",
        "-",
    ]
)
WORDS = st.lists(PIECES | st.sampled_from(["quiet", "House", "STRASSE"]), min_size=1, max_size=4).map("".join)


def blank(word: str) -> bool:
    return not word.strip()


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, Any]:
    word = draw(WORDS.filter(lambda text: not blank(text)))
    told = draw(
        st.sampled_from(
            [word, word.upper(), word.lower(), f" {word}\n", word.replace(" ", "\t "), f"x {word} y", word * 2]
        )
    )
    raw = draw(st.sampled_from([told, {"a": [told]}, {told: 1}]) | st.just(int(word) if word.isdecimal() else told))
    item = draw(
        st.sampled_from(
            [
                Condition(source=SOURCE, code=concept("Something", told or None)),
                Condition(source=SOURCE, code=concept(told)),
                ProgressNote(source=SOURCE, text=told),
                Encounter(source=SOURCE, provider=Actor(organization=told, name='say "so"')),
                Encounter(source=SOURCE, based_on=(Reference(display=told),)),
                Condition(source=SOURCE, code=concept("A"), extra=(Extra(path="a", json_text=json.dumps(raw)),)),
                Condition(
                    source=SOURCE,
                    code=concept("A"),
                    extra=(Extra(path="a", json_text=json.dumps(raw, ensure_ascii=False)),),
                ),
            ]
        )
    )
    return word, item


@given(cases(), st.sampled_from(["codes", "organisations", "services", "phrases"]))
def test_nothing_passes_that_a_walk_would_find(case: tuple[str, Any], kind: str) -> None:
    word, item = case
    exclusion = Exclusion(ExclusionSettings(seed=False, **{kind: (word,)}))
    if exclusion._names_excluded(item):
        assert exclusion._glance.might_hold(item)


def test_what_holds_none_of_the_words_passes() -> None:
    glance = Glance(["111", "Quiet Service"], ["quiet matter"])
    for item in (
        Condition(source=SOURCE, code=concept("Code 1111", "1111"), extra=(Extra(path="a", json_text='{"b":1110}'),)),
        ProgressNote(source=SOURCE, text='She said "quiet"\nand that matters'),
        Encounter(source=SOURCE, provider=Actor(organization="Quiet Services")),
    ):
        assert not glance.might_hold(item)


@pytest.mark.parametrize("text", ['{"b":111}', "111", '[0,"111"]', "-0"])
def test_numbers_of_left_over_values_are_codes_too(text: str) -> None:
    item = Condition(source=SOURCE, code=concept("A"), extra=(Extra(path="a", json_text=text),))
    assert Glance(["111", "0"]).might_hold(item)


def test_a_word_of_which_nothing_is_left_can_be_anywhere() -> None:
    assert Glance(['"']).might_hold(concept("Asthma"))
    assert not Glance(["x"]).might_hold(concept("Asthma"))


@pytest.mark.parametrize(
    "text",
    ["Quiet\u2003House", "Quiet  House", "\u00a0quiet house", "QUIET HOUSE ", " Quiet\tHouse", "Quiet \nHouse\r"],
)
def test_white_space_and_case_hide_nothing(text: str) -> None:
    assert Glance(["Quiet House"]).might_hold(concept(text))
