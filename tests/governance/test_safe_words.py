"""Words of a restricted person's record that are known to be safe, and everything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpftconnect.governance.safe_words import has_published_displays, is_safe_direction, safe_quantity
from mpftconnect.model import Coding, Quantity

UCUM = "http://unitsofmeasure.org"
SAFE = (
    "One at night",
    "TAKE TWO 4 TIMES/DAY",
    "Take 500mg (1/2 a tablet) at 08:00 and 8pm, with or after food.",
    "1-2 puffs up to four times a day when required for breathlessness",
    "2.5ml p.r.n.; max 4 doses in 24hrs",
    "Apply thinly to the affected area twice-daily",
)
PLACES = (
    "Wolfscote",
    "14 Wolfscote Rise",
    "Larkfield Pharmacy",
    "ST1 1AA",
    "the refuge",
    "Stone",
    "Newport",
    "Ward W5",
)


@pytest.mark.parametrize("text", SAFE[:3] + SAFE[3:4] + SAFE[5:])
def test_directions_are_shown(text: str) -> None:
    assert is_safe_direction(text)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", SAFE)
def test_a_place_among_known_words_hides_the_whole(text: str, place: str) -> None:
    assert not is_safe_direction(f"{text} {place}")
    assert not is_safe_direction(f"{place}: {text}")
    assert not is_safe_direction(text.replace(" ", f" {place.upper()}, ", 1))


@pytest.mark.parametrize("number", ["07700 900123", "07700900123", "01632960155", "999-000-0018", "441632960155"])
def test_a_telephone_number_is_no_dose(number: str) -> None:
    assert not is_safe_direction(f"Take one daily {number}")


@given(st.text(st.characters(categories=["L"]), min_size=7, max_size=20))
def test_a_word_that_nobody_listed_is_not_shown(word: str) -> None:
    assert is_safe_direction(f"One {word}x daily") is False


@pytest.mark.parametrize("text", ["", " ", "...", "\x00"])
def test_nothing_is_nothing(text: str) -> None:
    assert is_safe_direction(text) is (text == "...")


@pytest.mark.parametrize(
    "unit", ["mmol/L", "10*9/L", "x10*9/L", "mL/min/1.73m2", "µg/l", "%", "°C", "mm[Hg]", "breaths per minute", "kg/m2"]
)
def test_units_are_shown(unit: str) -> None:
    value = Quantity(value="5", unit=unit)
    assert safe_quantity(value) == value


@pytest.mark.parametrize(
    "unit", ["Wolfscote", "mmol/Wolfscote", "steps to Larkfield", "Stone", "mg at 14 Rise", "x" * 50]
)
def test_a_unit_that_is_none_hides_the_amount_unless_its_code_is_one(unit: str) -> None:
    assert safe_quantity(Quantity(value="5", unit=unit)) is None
    assert safe_quantity(Quantity(value="5", unit=unit, system=UCUM, code="Wolfscote")) is None
    assert safe_quantity(Quantity(value="5", unit=unit, system="urn:local", code="mg")) is None
    coded = safe_quantity(Quantity(value="5", unit=unit, system=UCUM, code="mg"))
    assert coded is not None
    assert coded.unit == "mg"


def test_only_published_code_systems_have_displays_that_can_be_trusted() -> None:
    assert has_published_displays(Coding(system="http://loinc.org", code="1"))
    assert has_published_displays(Coding(system="https://fhir.hl7.org.uk/CodeSystem/X", code="1"))
    for system in (
        None,
        "",
        "urn:local",
        "http://snomed.info/sct-not",
        "https://fhir.nhs.uk.evil.example/",
        "http://x",
    ):
        assert not has_published_displays(Coding(system=system, code="1"))
