"""Never on the number alone: each row of the table, and what counts as one name and one number."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mpftconnect.hub.match import RULES, agreeing, compare, match, match_by_number
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
        (person(number=None), "number-not-stated"),
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


def known(*names: str) -> Patient:
    return person(names=names)


@pytest.mark.parametrize(
    ("ours", "theirs", "agree"),
    [
        ("Okonjo", "okonjo", True),
        ("Smith-Jones", "Smith Jones", True),
        ("Smith\u2011Jones", "SMITHJONES", True),
        ("O'Hare", "O’Hare", True),
        ("O'Hare", "Ohare", True),
        ("St. John", "St John", True),
        ("Núñez", "Nunez", True),
        ("Nu\u0301ñez", "NÚÑEZ", True),
        ("Großmann", "Grossmann", True),
        ("van der Berg", "Vanderberg", True),
        # Everything else is another name, however like.
        ("Smith-Jones", "Smith", False),
        ("Smith-Jones", "Jones", False),
        ("Smith-Jones", "Jones-Smith", False),
        ("MacDonald", "McDonald", False),
        ("Smith", "Smyth", False),
        ("Müller", "Mueller", False),
        ("Sørensen", "Sorensen", False),
        ("O'Hare", "Hare", False),
        ("\u0915\u093f\u0930\u0923", "\u0915\u093e\u0930\u0923", False),
        # A mark of another script makes another letter: short and plain i, and a nukta.
        ("\u0427\u0430\u0439\u043a\u0430", "\u0427\u0430\u0438\u043a\u0430", False),
        ("\u0958\u0930", "\u0915\u0930", False),
        ("Li", "Le", False),
        ("-", "-", False),
        ("", "", False),
    ],
)
def test_which_ways_of_writing_are_one_family_name(ours: str, theirs: str, agree: bool) -> None:
    for one, other in ((ours, theirs), (theirs, ours)):
        assert match(known(one), known(other), {NUMBER}).joins == agree


@pytest.mark.parametrize("use", [None, "usual", "official", "old", "maiden", "nickname", "temp"])
def test_a_name_of_any_use_counts_but_an_alias(use: str | None) -> None:
    both = (HumanName(family="Wolfenstein", use="usual"), HumanName(family="Okonjo", use=use))
    assert match(person(names=both), person(), {NUMBER}).joins
    assert match(person(), person(names=both), {NUMBER}).joins
    alias = HumanName(family="Doe", use="anonymous")
    held, traced = person(names=("Smith", alias)), person(names=("Okonjo", alias))
    assert match(held, traced, {NUMBER}).rule == "family-name-differs"


def numbered(*identifiers: Identifier) -> Patient:
    return person().model_copy(update={"identifiers": identifiers})


def old(number: str) -> Identifier:
    return Identifier.nhs(number).model_copy(update={"use": "old"})


MINE, THEIRS = Identifier.nhs(NUMBER), Identifier.nhs(OTHER)


@pytest.mark.parametrize(
    ("held", "numbers", "rule"),
    [
        # The system itself states both the former and the current number, in whatever order.
        ((old(OTHER), MINE), {NUMBER}, "number-birth-date-name"),
        ((MINE, old(OTHER)), {NUMBER}, "number-birth-date-name"),
        # It files under a former number that the trace names.
        ((THEIRS,), {NUMBER, OTHER}, "number-birth-date-name"),
        ((THEIRS, MINE), {NUMBER, OTHER}, "number-birth-date-name"),
        # It gives two as current, and nobody says that both are this person's.
        ((MINE, THEIRS), {NUMBER}, "number-ambiguous"),
        ((THEIRS, MINE), {NUMBER}, "number-ambiguous"),
        # It says that this person's number was replaced.
        ((old(NUMBER),), {NUMBER}, "number-not-stated"),
        ((THEIRS, old(NUMBER)), {NUMBER}, "number-differs"),
        # What is no NHS number is nobody's, and a number may be written in groups.
        ((Identifier(system=MINE.system, value="9990000019"), MINE), {NUMBER}, "number-birth-date-name"),
        ((Identifier(system=MINE.system, value="9990000019"),), {NUMBER}, "number-not-stated"),
        ((Identifier(system=MINE.system, value="999 000 0018"),), {NUMBER}, "number-birth-date-name"),
        ((Identifier(system="urn:local", value=NUMBER),), {NUMBER}, "number-not-stated"),
    ],
)
def test_which_number_counts(held: tuple[Identifier, ...], numbers: set[str], rule: str) -> None:
    assert match(numbered(*held), person(), numbers).rule == rule


def test_verified_is_said_of_the_number_that_agrees() -> None:
    other_name = {"names": (HumanName(family="Smith"),)}
    verified_old = Identifier.nhs(OTHER, "01").model_copy(update={"use": "old"})
    held = numbered(MINE, verified_old).model_copy(update=other_name)
    assert match(held, person(), {NUMBER}).rule == "family-name-differs"
    held = numbered(verified_old, Identifier.nhs(NUMBER, "01")).model_copy(update=other_name)
    assert match(held, person(), {NUMBER}).rule == "number-birth-date-verified"
    held = numbered(Identifier.nhs(OTHER, "01")).model_copy(update=other_name)
    assert match(held, person(), {NUMBER, OTHER}).rule == "number-birth-date-verified"


@pytest.mark.parametrize(
    ("ours", "theirs", "order", "joins"),
    [
        ("Calantha", "Calanthe", 2, False),
        ("Calantha", "Calanthe", True, False),
        ("Calantha", "C", 2, False),
        ("Calantha", "calantha", 2, True),
        ("Calantha", "", 2, True),  # not stated: rule 4 alone decides
        ("Calantha", "Calanthe", 1, True),  # the first or the only one
        ("Calantha", "Calanthe", False, True),
        ("Calantha", "Calanthe", 8, True),
        ("Calantha", "Calanthe", 9, True),
        ("Calantha", "Calanthe", None, True),
    ],
)
def test_a_given_name_tells_twins_apart(ours: str, theirs: str, order: Any, joins: bool) -> None:
    def twin(given: str, order: Any) -> Patient:
        names = (HumanName(family="Okonjo", given=(given,) if given else ()),)
        return person(names=names, status="01").model_copy(update={"multiple_birth": order})

    assert match(twin(theirs, None), twin(ours, order), {NUMBER}).joins == joins
    assert match(twin(theirs, order), twin(ours, None), {NUMBER}).joins == joins


def test_the_rules_say_nothing_twice_and_no_value() -> None:
    assert len({rule.code for rule in RULES}) == len(RULES)
    assert len({rule.text for rule in RULES}) == len(RULES)
    outcomes = {match(found, person(), {NUMBER}) for found in (person(), person(number=OTHER), person(born=None))}
    assert all(outcome.text == next(r.text for r in RULES if r.code == outcome.rule) for outcome in outcomes)


def test_without_a_trace_all_must_agree() -> None:
    assert agreeing([], NUMBER)
    assert agreeing([person(), person(names=("okonjo",))], NUMBER)
    assert not agreeing([person(), person(born="1950-04-03")], NUMBER)
    assert not agreeing([person(), person(number=OTHER)], NUMBER)
    # Two that agree with a third and not with one another, whoever answers first.
    three = [person(names=("Okonjo", "Smith")), person(), person(names=("Smith",))]
    for turn in range(3):
        assert not agreeing([*three[turn:], *three[:turn]], NUMBER)


EXPECTED = person().model_copy(
    update={
        "names": (
            HumanName(family="Okonjo", given=("Ada Ngozi",)),
            HumanName(family="Bell", given=("Addy",), use="old"),
        ),
        "gender": "female",
        "addresses": (
            Address(city="Stoke"),
            Address(postal_code="ST1 2AB"),
            Address(postal_code="ZZ99 9ZZ", use="old"),
        ),
        "telecom": (
            ContactPoint(system="phone", value="01632 960 001"),
            ContactPoint(system="email", value="Ada@example.org"),
        ),
    }
)


@pytest.mark.parametrize(
    ("expected", "mismatches"),
    [
        ({}, ()),
        ({"family": "OKONJO", "given": ("ada",), "gender": "female"}, ()),
        ({"family": "bell", "given": ("Ngozi", "Wilhelmina")}, ()),
        ({"given": ("Ada Wilhelmina",)}, ()),
        ({"family": "Smith"}, ("family name",)),
        ({"family": "Okon"}, ("family name",)),
        ({"given": ("Ann",)}, ("given name",)),
        ({"birth_date": PartialDate("1950")}, ()),
        ({"birth_date": PartialDate("1950-03-04")}, ()),
        ({"birth_date": PartialDate("1950-04-03")}, ("birth date",)),
        ({"birth_date": PartialDate("1951")}, ("birth date",)),
        ({"gender": "male"}, ("gender",)),
        ({"gender": "unknown"}, ()),
        ({"postal_code": "st12ab"}, ()),
        ({"postal_code": "ZZ99 9ZZ"}, ()),
        ({"postal_code": "ST1 2AC"}, ("postcode",)),
        ({"telephone": "01632960001"}, ()),
        ({"telephone": "+44 1632 960001"}, ()),
        ({"telephone": "0044 (0)1632 960 001"}, ()),
        ({"telephone": "01632 960002"}, ("telephone",)),
        ({"email": "ada@EXAMPLE.org"}, ()),
        ({"email": "a-da@example.org"}, ("email",)),
        (
            {"family": "S", "given": ("X",), "birth_date": PartialDate("1951"), "gender": "male", "postal_code": "A",
             "telephone": "1", "email": "e"},
            ("family name", "given name", "birth date", "gender", "postcode", "telephone", "email"),
        ),
    ],
)  # fmt: skip
def test_what_the_user_expected_and_what_is_otherwise(expected: dict[str, Any], mismatches: tuple[str, ...]) -> None:
    assert compare(Demographics(**expected), EXPECTED) == mismatches
    # What the record does not state is no mismatch.
    nobody = Patient(source=EXPECTED.source)
    assert compare(Demographics(**expected), nobody) == ()


def test_every_field_that_can_be_expected_is_compared() -> None:
    odd: dict[str, Any] = dict.fromkeys(Demographics.model_fields, "x")
    odd |= {"given": ("x",), "birth_date": PartialDate("1900")}
    for field, value in odd.items():
        assert len(compare(Demographics(**{field: value}), EXPECTED)) == 1, field


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
