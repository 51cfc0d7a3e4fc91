"""Which system contributed what: counted from the record, drawn, and said in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from mpftconnect.errors import GapReason
from mpftconnect.hub.record import Gap, Record, SystemAnswer, Unmatched
from mpftconnect.model import AllergyIntolerance, Observation, Section, SectionName, SectionStatus, Source, concept
from mpftconnect.pages import systems_page
from mpftconnect.pages.contributions import contributions

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def source(system: str, id: str = "1") -> Source:
    return Source(system=system, id=id, fetched=NOW)


def answer(system: str, outcome: str = "answered") -> SystemAnswer:
    return SystemAnswer(system=system, supplier="s", product="p", outcome=outcome, tried_against="nothing")


def example(record_of: Callable[..., Record], **more: Any) -> Record:
    both = Observation(source=source("rio"), also=(source("gp"),), code=concept("Sodium"))
    alone = Observation(source=source("gp", "2"), code=concept("Potassium"))
    nuts = AllergyIntolerance(source=source("icr"), code=concept("Nuts"))
    record = record_of(
        {
            SectionName.RESULTS: Section(SectionName.RESULTS, (both, alone), SectionStatus.ITEMS),
            SectionName.ALLERGIES: Section(SectionName.ALLERGIES, (nuts,), SectionStatus.PARTIAL),
        }
    )
    told = {
        "systems": (
            answer("pds"),
            answer("rio"),
            answer("gp"),
            answer("icr", "partly"),
            answer("nrl", "silent"),
            answer("apart", "set-apart"),
        ),
        "gaps": (
            Gap(system="nrl", reason=GapReason.TIMED_OUT),
            Gap(system="icr", section="notes", reason="not-declared"),
        ),
        "unmatched": (Unmatched(system="apart", reason="birth-date-differs", text="the date of birth differs"),),
    }
    return record.model_copy(update=told | more)


def test_each_system_counts_for_what_it_states(record_of: Callable[..., Record]) -> None:
    record = example(record_of)
    found = {one.system: one for one in contributions(record)}
    assert list(found) == ["pds", "rio", "gp", "icr", "nrl", "apart"]
    assert dict(found["rio"].items) == {SectionName.RESULTS: 1}
    assert dict(found["gp"].items) == {SectionName.RESULTS: 2}
    assert dict(found["gp"].shared) == {SectionName.RESULTS: 1}
    assert not found["icr"].shared
    assert [line.gap.reason for line in found["nrl"].gaps] == [GapReason.TIMED_OUT]
    assert found["apart"].apart is not None
    assert {one.system for one in found.values() if one.person} == {record.patient.source.system} & set(found)


def test_a_system_that_only_a_gap_or_an_item_names_is_there_too(record_of: Callable[..., Record]) -> None:
    record = example(record_of, systems=())
    assert {one.system for one in contributions(record)} == {"rio", "gp", "icr", "nrl"}


def test_the_page_draws_a_band_for_each_and_says_the_same_in_words(record_of: Callable[..., Record]) -> None:
    page = systems_page([("A person", example(record_of))], demonstration=True)
    bands = re.findall(r'class="band" d="[^"]+" stroke-width="([\d.]+)"><title>([^<]+)</title>', page)
    assert {words for _, words in bands if "person" not in words} == {
        "rio: 1, Results and measurements", "gp: 2, Results and measurements", "icr: 1, Allergies and intolerances",
    }  # fmt: skip
    thickness = {words.partition(":")[0]: float(width) for width, words in bands}
    assert thickness["gp"] > thickness["rio"]
    for words in (
        "DEMONSTRATION",
        "Results and measurements: 2 (1 said by others too)",
        "nrl did not answer in time.",
        "icr may hold this, but does not offer it to us, or its adapter does not read it: notes.",
        "Set apart: the date of birth differs.",
        "which does not mean that it holds none",
    ):
        assert words in page
    assert "DEMONSTRATION" not in systems_page([("A person", example(record_of))])


def test_hostile_names_are_text(record_of: Callable[..., Record]) -> None:
    bad = '<script>alert(1)</script>"\u202e'
    record = example(record_of, systems=(answer(bad),), gaps=(Gap(system=bad, reason="timed-out", detail=bad),))
    page = systems_page([(bad, record)])
    assert "<script" not in page
    assert "\u202e" not in page
    assert "[U+202E]" in page


def test_a_record_of_nothing_and_no_record_are_pages_too(record_of: Callable[..., Record]) -> None:
    nothing = record_of().model_copy(update={"systems": (), "gaps": ()})
    assert "no system. The table below says the same." in systems_page([("Nobody", nothing)])
    assert systems_page([]).rstrip().endswith("</html>")
