"""From a care plan to what its pointer says: names that never change, versions that always do, and nothing clinical."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpftconnect.errors import UsageError
from mpftconnect.hub.plan_pointers import KINDS, kind_of, new_pointer, reference_of
from mpftconnect.model import Actor, CarePlan, Coding, Concept, ContingencyPlan, Extra, Line, Source, When, concept

SOURCE = Source(system="rio", id="CarePlan/1", fetched=datetime(2026, 1, 1, tzinfo=UTC))
WROTE = Actor(name="Tomasz Wilkanowski", organization_code="RRE")


def plan(**fields: Any) -> CarePlan:
    return CarePlan(**{"source": SOURCE, "status": "active", "author": WROTE, **fields})


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_reference_is_a_uuid_that_depends_on_both_and_says_neither(publisher: str, key: str) -> None:
    reference = reference_of(publisher, key)
    assert str(uuid.UUID(reference)) == reference
    assert reference == reference_of(publisher, key)
    assert reference != reference_of(publisher, f"{key}x")
    assert reference != reference_of(f"{publisher}x", key)


def test_a_reference_stays_what_it_is() -> None:
    """What is published under it is found by it years later: it may never change."""
    assert reference_of("RRE", "rio:CarePlan/1") == "d95cc466-18d2-5be1-be41-70849c6e2ae2"


@pytest.mark.parametrize(
    ("fields", "kind", "code"),
    [
        ({}, None, KINDS["personalised"]),
        ({"contingency": (ContingencyPlan(kind="crisis"),)}, None, KINDS["crisis"]),
        ({"contingency": (ContingencyPlan(kind="contingency"),)}, None, KINDS["contingency"]),
        ({"contingency": (ContingencyPlan(kind="crisis"), ContingencyPlan())}, None, KINDS["personalised"]),
        ({"category": (concept("A plan", "325691000000100"),), "contingency": (ContingencyPlan(kind="crisis"),)}, None,
         KINDS["contingency"]),
        ({"category": (concept("A plan", "325691000000100", "http://other"),)}, None, KINDS["personalised"]),
        ({}, "crisis", KINDS["crisis"]),
        ({"contingency": (ContingencyPlan(kind="crisis"),)}, "736373009", "736373009"),
    ],
)  # fmt: skip
def test_as_which_document(fields: dict[str, Any], kind: str | None, code: str) -> None:
    assert kind_of(plan(**fields), kind) == code


@pytest.mark.parametrize("kind", ["", "holiday", "12", "1" * 19, "\u0661" * 8, "736253002 "])
def test_no_other_word_is_taken_for_a_kind(kind: str) -> None:
    with pytest.raises(UsageError, match="kind"):
        kind_of(plan(), kind)


REFERENCE = reference_of("RRE", "rio:CarePlan/1")


def version(given: CarePlan, **more: Any) -> str:
    return new_pointer(given, REFERENCE, **{"kind": KINDS["crisis"], "author": None, **more}).version


CHANGES: dict[str, Any] = {
    "title": "Another",
    "status": "on-hold",
    "goals": (),
    "contingency": (ContingencyPlan(triggers=(Line(description="Noise"),)),),
    "review": When("2027-01-01"),
    "note": ("A note",),
    "extra": (Extra(path="x", json_text="1"),),
    "service": concept("Service"),
}


@pytest.mark.parametrize("field", CHANGES)
def test_any_change_that_a_reader_would_see_is_another_version(field: str) -> None:
    before = plan(title="A plan", goals=(), about_me=(Line(description="Tea at four"),))
    changed = before.model_copy(update={field: CHANGES[field]})
    assert (version(before) == version(changed)) == (before == changed)


def test_another_kind_or_author_is_another_version() -> None:
    assert (
        len({version(plan()), version(plan(), kind=KINDS["contingency"]), version(plan(author=None), author="ZZ1")})
        == 3
    )


def test_when_and_where_it_was_read_makes_no_other_version() -> None:
    other = SOURCE.model_copy(update={"fetched": datetime(2027, 1, 1, tzinfo=UTC), "version": "9", "mode": "cache"})
    assert version(plan()) == version(plan(source=other, also=(SOURCE,)))


def test_the_author_is_the_plans_own_or_the_callers_and_never_both() -> None:
    assert new_pointer(plan(), REFERENCE, kind="736253002", author=None).author == "RRE"
    assert new_pointer(plan(), REFERENCE, kind="736253002", author="RRE").author == "RRE"
    nobody = plan(author=Actor(name="Somebody"))
    assert new_pointer(nobody, REFERENCE, kind="736253002", author="ZZ1").author == "ZZ1"
    for wrong, author in ((nobody, None), (plan(author=None), None), (plan(), "ZZ1")):
        with pytest.raises(UsageError, match="author"):
            new_pointer(wrong, REFERENCE, kind="736253002", author=author)


def test_nothing_that_the_plan_says_is_in_it(filled: Callable[..., Any]) -> None:
    whole = filled(CarePlan, path="p", text=lambda path: f"SECRET {path}").model_copy(
        update={"author": WROTE, "service": Concept(text="SECRET service")}
    )
    pointer = new_pointer(whole, REFERENCE, kind=KINDS["crisis"], author=None)
    assert "SECRET" not in repr(pointer)
    assert pointer.practice_setting is None


def test_a_service_by_snomed_ct_is_the_practice_setting() -> None:
    coding = Coding(system="http://snomed.info/sct", code="788002001", display="Adult mental health service")
    given = plan(service=Concept(coding=(Coding(system="urn:x", code="1", display="x"), coding)))
    assert new_pointer(given, REFERENCE, kind=KINDS["crisis"], author=None).practice_setting == coding
    bare = plan(service=Concept(coding=(Coding(system="http://snomed.info/sct", code="788002001"),)))
    assert new_pointer(bare, REFERENCE, kind=KINDS["crisis"], author=None).practice_setting is None
