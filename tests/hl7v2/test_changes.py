"""Which of two changes stands, whatever order they arrive in."""

from __future__ import annotations

import re
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpftconnect.hl7v2.changes import Key, Stated, Subject, is_older, may_stand_over
from mpftconnect.hl7v2.mapping.making import alias_to, key_to
from mpftconnect.model import Identifier, When


def at(text: str, basis: str = "event", **more: object) -> Stated:
    return Stated(at=When(text), basis=basis, **more)  # type: ignore[arg-type]


MOMENTS = st.sampled_from(
    [
        "2026-03-01T10:00:00",
        "2026-03-01T10:00:30",
        "2026-03-01T10:00",
        "2026-03-01T11:00:00+02:00",
        "2026-03-01",
        "2026-03",
        "2026",
        "2026-10-25T01:30:00",
        "2026-03-29T01:30:00",
        "2026-10-25T03:30:00",
        "0001-01-01",
        "9999",
    ]
)


@given(MOMENTS, MOMENTS)
def test_the_order_of_two_is_the_same_from_both_sides(one: str, other: str) -> None:
    here, there = is_older(at(one), at(other)), is_older(at(other), at(one))
    assert (here, there) in {(True, False), (False, True), (None, None)}


@pytest.mark.parametrize(
    ("one", "other", "older"),
    [
        ("2026-03-01T10:00:00", "2026-03-01T10:00:01", True),
        ("2026-03-01T10:00", "2026-03-01T10:00:30", None),
        ("2026-03-01T10:00", "2026-03-01T10:01:00", True),
        ("2026-07-01T10:00:00", "2026-07-01T09:30:00Z", True),
        ("2026-03-01", "2026-03-05T10:00:00", True),
        ("2026-10-25T01:30:00", "2026-10-25T01:45:00", None),
    ],
)
def test_a_time_is_as_exact_as_it_was_written(one: str, other: str, older: bool | None) -> None:
    assert is_older(at(one), at(other)) is older


def test_sending_and_sequence_decide_where_the_event_does_not() -> None:
    event = "2026-03-01T10:00"
    assert is_older(at(event, sent=When("2026-03-01T10:01:00Z")), at(event, sent=When("2026-03-01T10:02:00Z")))
    assert is_older(at(event, sequence=4), at(event, sequence=5)) is True
    assert is_older(at(event, sequence=5), at(event, sequence=5)) is None
    assert is_older(Stated(), at(event)) is None


def test_a_withdrawal_stands_in_every_order_of_arrival() -> None:
    first, withdrawn, repeat = at("2026-03-01T10:00:00"), at("2026-03-01T12:00:00"), at("2026-03-01T10:00:00")
    for order in permutations([(first, False), (withdrawn, True), (repeat, False)]):
        standing, gone = order[0]
        for new, withdraws in order[1:]:
            if may_stand_over(new, standing, withdraws=withdraws, standing_withdrawn=gone):
                standing, gone = new, withdraws
        assert gone


def test_old_content_in_a_new_message_does_not_undo_a_withdrawal() -> None:
    withdrawn = at("2026-03-01T12:00:00")
    assert not may_stand_over(at("2026-03-02T12:00:00", "sent"), withdrawn, standing_withdrawn=True)
    assert may_stand_over(at("2026-03-02T12:00:00"), withdrawn, standing_withdrawn=True)
    assert not may_stand_over(Stated(), withdrawn, standing_withdrawn=True)
    assert may_stand_over(Stated(), withdrawn, withdraws=True, standing_withdrawn=True)


def test_no_value_shows_in_a_repr() -> None:
    key = Key(kind="Encounter", authority="RRE", value="V-SECRET")
    subject = Subject(identifiers=(Identifier.nhs("9990000018"),))
    assert "SECRET" not in repr(key) and "999" not in repr(subject)
    assert subject.nhs_number == "9990000018"


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_keys_of_different_things_have_different_texts(one: tuple[str, str], other: tuple[str, str]) -> None:
    texts = [Key(kind="Encounter", authority=a, value=v).text for a, v in (one, other)]
    assert (texts[0] == texts[1]) == (one == other)


NAMES = st.text(st.sampled_from("aZ09-.%/ é_\n"), max_size=40)


@given(NAMES, NAMES)
def test_a_reference_is_readable_just_where_an_id_may_be(authority: str, value: str):
    """FHIR R4 (4.0.1), data types: id."""
    key = Key(kind="Encounter", authority=authority, value=value)
    plain = f"{authority}.{value}"
    readable = re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", plain) is not None and plain.count(".") == 1
    assert (key.reference == f"Encounter/{plain}") == readable
    assert re.fullmatch(r"Encounter/[A-Za-z0-9\-.]{1,64}", key.reference)
    assert (key_to("Encounter", authority, value), key_to("Encounter", authority, value).reference) == (
        key,
        key.reference,
    )
    assert alias_to("Encounter", authority, value).reference == key.reference
