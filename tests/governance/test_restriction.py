"""Of a restricted person nothing is shown that could reveal where they are: a place is planted in every field."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from mpftconnect.governance import restriction
from mpftconnect.governance.restriction import SHOWN_SECTIONS, restrict, restrict_patient, restricted_sections
from mpftconnect.model import (
    SECTION_TYPES,
    Address,
    AllergyIntolerance,
    Coding,
    CommunicationNeed,
    Dosage,
    HumanName,
    Identifier,
    MedicationStatement,
    Observation,
    Patient,
    Quantity,
    Range,
    Ratio,
    SectionName,
    Source,
    concept,
    parts,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLACE = "14 Wolfscote Rise"


KEPT_TEXT = {"code", "system", "version", "status", "comparator", "kind", "intent", "type", "severity"} | {
    "criticality", "category", "decision", "lot_number", "dose_number", "priority", "use", "significance"
}  # fmt: skip


def planted(path: str) -> str:
    """The place in every string, but for codes and the like, which cannot hold an address."""
    name = path.rstrip(".0123456789").rpartition(".")[2]
    return "code" if name in KEPT_TEXT else PLACE


@pytest.mark.parametrize("alternative", range(9))
@pytest.mark.parametrize("name", sorted(SectionName))
def test_no_place_survives_in_any_section(name: SectionName, alternative: int, filled: Callable[..., Any]) -> None:
    item = filled(SECTION_TYPES[name], alternative=alternative, text=planted)
    assert any(PLACE in part for _, part in parts(item) if isinstance(part, str))
    safe = restrict(item)
    if name not in SHOWN_SECTIONS:
        assert safe is None
        return
    assert safe is not None
    left = {path for path, part in parts(safe) if isinstance(part, str) and PLACE in part}
    left -= {f"{source}.{name}" for source in ("source", "also[0]") for name in ("system", "id")}
    assert left == set()


def test_a_field_that_is_added_to_the_model_stays_hidden() -> None:
    for kind, allowed in restriction._ALLOWED.items():
        assert allowed <= set(kind.model_fields)
        hidden = set(kind.model_fields) - allowed
        assert {"author", "note", "service", "encounter", "extra", "identifiers", "subject", "based_on"} <= hidden


def test_whole_sections_that_say_where_are_hidden() -> None:
    hidden = restricted_sections(SectionName)
    assert {"contacts", "documents", "notes", "appointments", "care_team", "encounters", "care_plans"} <= hidden
    assert {"allergies", "medications", "problems", "results"} & hidden == set()


def test_a_patient_keeps_name_number_and_birth_date_and_no_place() -> None:
    source = Source(system="pds", id="1", fetched=NOW)
    patient = Patient(
        source=source,
        names=(HumanName(family="Okonjo", text=PLACE),),
        addresses=(Address(line=(PLACE,)),),
        birth_place=Address(city=PLACE),
        communication=(CommunicationNeed(language=concept(PLACE, "bfi", "urn:l"), note=PLACE),),
        reasonable_adjustments=(concept(PLACE),),
        restriction="R",
    )
    safe = restrict_patient(patient)
    assert safe.names[0].family == "Okonjo"
    assert safe.restriction == "R"
    assert safe.communication[0].language is not None
    assert safe.communication[0].language.coding[0].code == "bfi"
    assert not any(PLACE in part for _, part in parts(safe) if isinstance(part, str))


def test_amounts_and_doses_are_exact_and_codes_keep_their_display() -> None:
    source = Source(system="rio", id="1", fetched=NOW)
    weight = Observation(source=source, code=concept("Weight", "27113001", display="Body weight"),
                         value=Quantity(value="72.50", unit="kg"))  # fmt: skip
    safe = restrict(weight)
    assert isinstance(safe, Observation)
    assert str(safe.value.value) == "72.50"  # type: ignore[union-attr]
    assert safe.code.coding == (Coding(system="http://snomed.info/sct", code="27113001", display="Body weight"),)
    drug = MedicationStatement(source=source, medication=concept("X"), dosage=(Dosage(text="One at night"),))
    kept = restrict(drug)
    assert isinstance(kept, MedicationStatement)
    assert kept.dosage[0].text == "One at night"


def test_every_section_is_decided() -> None:
    assert {SECTION_TYPES[name] for name in SHOWN_SECTIONS} <= set(SECTION_TYPES.values())


def test_a_word_is_kept_and_what_could_be_a_place_is_not() -> None:
    source = Source(system="rio", id="1", fetched=NOW)
    drug = MedicationStatement(source=source, medication=concept("X"), status="active", intent=PLACE)
    kept = restrict(drug)
    assert isinstance(kept, MedicationStatement)
    assert (kept.status, kept.intent) == ("active", None)


def test_a_number_that_is_none_costs_no_patient() -> None:
    junk = Identifier.nhs("9990000018").model_copy(update={"value": PLACE})
    old = Identifier.nhs("9990000026").model_copy(update={"use": "old"})
    good = Identifier.nhs("9990000018", "01")
    safe = restrict_patient(
        Patient(
            source=Source(system="rio", id="1", fetched=NOW), identifiers=(junk, old, good, Identifier(value=PLACE))
        )
    )
    assert safe.identifiers == (good,)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (Quantity(value="5", comparator="<", unit="mmol/L"), Quantity(value="5", comparator="<", unit="mmol/L")),
        (Quantity(value="5", comparator=PLACE), "text not shown"),
        (Quantity(value="5", system=PLACE), Quantity(value="5")),
        (Range(low=Quantity(value="5")), Range(low=Quantity(value="5"))),
        (Range(high=Quantity(value="5", comparator=PLACE)), "text not shown"),
        (Ratio(denominator=Quantity(value="5", comparator=PLACE)), "text not shown"),
        (Ratio(numerator=Quantity(value="1"), denominator=Quantity(value="5")),
         Ratio(numerator=Quantity(value="1"), denominator=Quantity(value="5"))),
        (True, True),
        (PLACE, "text not shown"),
    ],
)  # fmt: skip
def test_an_amount_is_shown_as_it_is_or_not_at_all(given: Any, shown: Any) -> None:
    made = Observation(source=Source(system="rio", id="1", fetched=NOW), code=concept("X", "1"), value=given)
    safe = restrict(made)
    assert isinstance(safe, Observation)
    assert safe.value == shown


def test_a_code_with_white_space_is_none_and_a_list_loses_what_is_no_word() -> None:
    source = Source(system="rio", id="1", fetched=NOW)
    made = AllergyIntolerance(source=source, code=concept("X", PLACE), category=("food", PLACE))
    safe = restrict(made)
    assert isinstance(safe, AllergyIntolerance)
    assert safe.code.words() == "text not shown"
    assert safe.category == ("food",)
