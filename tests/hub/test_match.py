"""Never on the number alone: near-twins are generated, and none of them may be merged into somebody else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpftconnect.hub.match import agreeing, compare, match, match_by_number
from mpftconnect.model import Address, ContactPoint, Demographics, HumanName, Identifier, PartialDate, Patient, Source

NUMBER, OTHER = "9990000018", "9990000026"


def person(
    number: str | None = NUMBER, born: str | None = "1950-03-04", names: tuple[Any, ...] = ("Okonjo",), status: str = ""
) -> Patient:
    return Patient(
        source=Source(system="s", id="1", fetched=datetime(2026, 1, 1, tzinfo=UTC)),
        identifiers=(Identifier.nhs(number, status or None),) if number else (),
        birth_date=PartialDate(born) if born else None,
        names=tuple(n if isinstance(n, HumanName) else HumanName(family=n) for n in names),
    )


@pytest.mark.parametrize(
    ("found", "rule"),
    [
        (person(), "number-birth-date-name"),
        (person(names=("OKONJO",)), "number-birth-date-name"),
        (person(names=("O'Konjo",)), "number-birth-date-name"),
        (person(names=("Smith", HumanName(family="Okonjo", use="old"))), "number-birth-date-name"),
        (person(names=("Smith",), status="01"), "number-birth-date-verified"),
        (person(names=(), status="01"), "number-birth-date-verified"),
        (person(number=OTHER), "number-differs"),
        (person(number=None), "number-differs"),
        (person(born="1950-04-03"), "birth-date-differs"),
        (person(born="1950-04-03", status="01"), "birth-date-differs"),
        (person(born="1950-03"), "birth-date-not-stated"),
        (person(born=None, status="01"), "birth-date-not-stated"),
        (person(names=("Smith",)), "family-name-differs"),
        (person(names=("Smith",), status="02"), "family-name-differs"),
        (person(names=()), "family-name-not-stated"),
    ],
)
def test_the_table(found: Patient, rule: str) -> None:
    outcome = match(found, person(), {NUMBER})
    assert outcome.rule == rule
    assert outcome.joins == (rule in ("number-birth-date-name", "number-birth-date-verified"))


def test_a_former_number_joins_and_a_partial_trace_does_not() -> None:
    assert match(person(number=OTHER), person(), {NUMBER, OTHER}).joins
    assert match(person(), person(born="1950"), {NUMBER}).rule == "birth-date-not-stated"


def test_a_person_without_a_name_joins_only_when_verified() -> None:
    nameless = person(names=())
    assert not match(person(), nameless, {NUMBER}).joins
    assert match(person(status="01"), nameless, {NUMBER}).joins


def test_the_reasons_hold_no_values() -> None:
    outcome = match(person(names=("Wolfenstein",)), person(), {NUMBER})
    assert "Wolfenstein" not in outcome.text
    assert "Okonjo" not in outcome.text


FAMILIES = ["Okonjo", "Okonjo-Bell", "Bell", "Mac Donald", "MacDonald", "Smith", "Smyth", "O'Hare"]


@given(
    same_number=st.booleans(),
    day=st.integers(1, 28),
    month=st.integers(1, 12),
    how=st.sampled_from(["same", "swapped", "father", "twin", "off by one"]),
    mine=st.sampled_from(FAMILIES),
    theirs=st.sampled_from(FAMILIES),
    status=st.sampled_from(["", "01", "02", "03", "04"]),
)
@settings(max_examples=500, deadline=None)
def test_no_near_twin_is_merged(
    same_number: bool, day: int, month: int, how: str, mine: str, theirs: str, status: str
) -> None:
    born = f"1950-{month:02}-{day:02}"
    other = {
        "same": born,
        "twin": born,
        "swapped": f"1950-{day:02}-{month:02}" if day <= 12 else f"1950-{month:02}-{day % 28 + 1:02}",
        "father": f"1920-{month:02}-{day:02}",
        "off by one": f"1950-{month:02}-{day % 28 + 1:02}",
    }[how]
    found = person(number=NUMBER if same_number else OTHER, born=other, names=(theirs,), status=status)
    if match(found, person(born=born, names=(mine,)), {NUMBER}).joins:
        # Whoever joins has the number and the very date of birth, and either a family name or a verified number.
        assert same_number
        assert other == born
        assert (
            status == "01" or "".join(filter(str.isalpha, mine)).lower() == "".join(filter(str.isalpha, theirs)).lower()
        )


def test_without_a_trace_all_must_agree() -> None:
    assert agreeing([], NUMBER)
    assert agreeing([person(), person(names=("okonjo",))], NUMBER)
    assert not agreeing([person(), person(born="1950-04-03")], NUMBER)
    assert not agreeing([person(), person(number=OTHER)], NUMBER)
    # Two that agree with a third and not with one another, whoever answers first.
    three = [person(names=("Okonjo", "Smith")), person(), person(names=("Smith",))]
    for turn in range(3):
        assert not agreeing([*three[turn:], *three[:turn]], NUMBER)


def test_expected_demographics_name_the_fields_that_differ_and_nothing_else() -> None:
    known = person().model_copy(
        update={
            "gender": "female",
            "addresses": (Address(city="Stoke"), Address(postal_code="ST1 2AB")),
            "telecom": (ContactPoint(system="phone", value="01632 960 001"),),
        }
    )
    same = Demographics(
        family="OKONJO", birth_date=PartialDate("1950"), gender="female", postal_code="st12ab", telephone="01632960001"
    )
    assert compare(same, known) == ()
    different = Demographics(
        family="Smith", given=("Ann",), birth_date=PartialDate("1951"), gender="male", postal_code="ST9 9ZZ",
        telephone="1", email="a@b",
    )  # fmt: skip
    assert compare(different, known) == ("family name", "birth date", "gender", "postcode", "telephone")


@pytest.mark.parametrize(
    ("number", "traced", "rule"),
    [
        ("9990000018", True, "traced-number"),
        ("9990000018", False, "number-not-traced"),
        ("9990000026", True, "number-differs"),
        (None, True, "number-differs"),
    ],
)
def test_an_index_without_demographics_joins_by_the_traced_number_or_not_at_all(
    number: str | None, traced: bool, rule: str
) -> None:
    source = Source(system="nrl", id="1", fetched=datetime(2026, 1, 1, tzinfo=UTC))
    found = Patient(source=source, identifiers=(Identifier.nhs(number),) if number else ())
    told = match_by_number(found, {"9990000018"}, traced=traced)
    assert (told.rule, told.joins) == (rule, rule == "traced-number")
    assert told.text
