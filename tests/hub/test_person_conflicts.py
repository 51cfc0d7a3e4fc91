"""Demographics on which systems disagree: named, never shown, and never a place of somebody in hiding."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mpftconnect.hub.person_conflicts import PERSON_KINDS, patient_conflicts
from mpftconnect.model import Address, HumanName, Identifier, PartialDate, Patient, Source, When

NUMBER, OTHER = "9990000018", "9990000026"


def person(system: str, **more: Any) -> Patient:
    return Patient(source=Source(system=system, id="1", fetched=datetime(2026, 1, 1, tzinfo=UTC)), **more)


def name(family: str | None = None, *given: str, use: str | None = None) -> dict[str, Any]:
    return {"names": (HumanName(family=family, given=given, use=use),)}


def home(code: str, use: str | None = "home") -> dict[str, Any]:
    return {"addresses": (Address(postal_code=code, use=use),)}


def born(text: str) -> dict[str, Any]:
    return {"birth_date": PartialDate(text)}


def numbered(number: str) -> dict[str, Any]:
    return {"identifiers": (Identifier.nhs(number),)}


U = {"restriction": "U"}


@pytest.mark.parametrize(
    ("ours", "theirs", "kinds"),
    [
        (name("Okonjo"), name("Wolfenstein"), ["family-name-differs"]),
        (name("Okonjo"), name("OKONJO"), []),
        (name("Okonjo"), {}, []),
        (name("Okonjo", "Ada"), name("Okonjo", "Boris"), ["given-name-differs"]),
        (name("Okonjo", "Ada"), name("Okonjo", "A"), []),
        (name("Okonjo", "A"), name("Okonjo", "Ada"), []),
        (name("Okonjo", "A"), name("Okonjo", "Boris"), ["given-name-differs"]),
        (name("Okonjo", "Ada", "Ngozi"), name("Okonjo", "Ngozi"), []),
        (born("1950-03-04"), born("1950-04-03"), ["birth-date-differs"]),
        (born("1950-03-04"), born("1950"), []),
        ({"gender": "female"}, {"gender": "male"}, ["gender-differs"]),
        ({"gender": "female"}, {"gender": "unknown"}, []),
        ({"gender": "female"}, {}, []),
        ({"deceased": False}, {"deceased": True}, ["death-differs"]),
        ({"deceased": False}, {"deceased": When("2026-01-01")}, ["death-differs"]),
        ({"deceased": True}, {"deceased": When("2026-01-01")}, []),
        ({"deceased": When("2026-01-01")}, {"deceased": When("2026-01-02T10:00:00Z")}, ["death-differs"]),
        ({"deceased": When("2026-01")}, {"deceased": When("2026-01-02")}, []),
        ({}, {"deceased": True}, []),
        (numbered(NUMBER), numbered(OTHER), ["nhs-number-differs"]),
        (numbered(NUMBER), numbered(NUMBER), []),
        (numbered(NUMBER), {}, []),
        (home("ZZ99 1AA") | U, home("ZZ99 1AB") | U, ["address-differs"]),
        (home("ZZ99 1AA") | U, home("zz991aa"), []),
        (home("ZZ99 1AA") | U, home("ZZ99 1AB", "old"), []),
        (home("ZZ99 1AA") | U, {}, []),
        (U, {"restriction": "R"}, ["restriction-differs"]),
        (U, {"restriction": "U"}, []),
        ({}, {"restriction": "R"}, []),
        (home("ZZ99 1AA") | U, home("ZZ99 1AB") | {"restriction": "R"}, ["restriction-differs"]),
    ],
)
def test_what_differs_is_named(ours: dict[str, Any], theirs: dict[str, Any], kinds: list[str]) -> None:
    found = patient_conflicts(person("pds", **ours), {"rio": person("rio", **theirs)})
    assert [conflict.kind for conflict in found] == kinds
    assert all(conflict.systems == ("pds", "rio") and conflict.kind in PERSON_KINDS for conflict in found)


def test_no_value_is_told() -> None:
    ours = name("Okonjo", "Ada") | born("1950-03-04") | numbered(NUMBER) | home("ZZ99 1AA") | U
    theirs = name("Wolfenstein", "Boris") | born("1961-01-01") | numbered(OTHER) | home("ZZ99 1AB")
    told = str(patient_conflicts(person("pds", **ours), {"rio": person("rio", **theirs)}))
    assert "family-name-differs" in told and "address-differs" in told
    for value in ("Okonjo", "Wolfenstein", "Boris", "1961", "1950", OTHER, NUMBER, "ZZ99"):
        assert value not in told


@pytest.mark.parametrize("restriction", ["R", "V", "REDACTED", None])
def test_that_addresses_differ_is_said_of_nobody_who_may_be_in_hiding(restriction: Any) -> None:
    ours = person("pds", restriction=restriction, **home("ZZ99 1AA"))
    assert patient_conflicts(ours, {"rio": person("rio", **home("ZZ99 1AB"))}) == ()


def test_a_former_number_is_no_disagreement() -> None:
    ours, theirs = person("pds", **numbered(NUMBER)), person("rio", **numbered(OTHER))
    assert patient_conflicts(ours, {"rio": theirs}, {NUMBER, OTHER}) == ()
    old = (Identifier.nhs(NUMBER), Identifier.nhs(OTHER).model_copy(update={"use": "old"}))
    assert patient_conflicts(person("pds", identifiers=old), {"rio": theirs}) == ()


def test_the_order_of_systems_makes_no_difference() -> None:
    ours = person("pds", gender="female")
    others = {system: person(system, gender="male") for system in ("rio", "gp", "icr")}
    backwards = dict(reversed(others.items()))
    assert patient_conflicts(ours, others) == patient_conflicts(ours, backwards)
    assert [conflict.systems for conflict in patient_conflicts(ours, others)] == [
        ("gp", "pds"),
        ("icr", "pds"),
        ("pds", "rio"),
    ]
