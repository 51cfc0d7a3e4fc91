"""What counts as a disagreement of systems, kind by kind; and what does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from mpftconnect.hub.conflicts import KINDS, conflicts
from mpftconnect.hub.merge import merge
from mpftconnect.hub.sameness import Opinions
from mpftconnect.model import (
    AllergyIntolerance,
    Attachment,
    CarePlan,
    Condition,
    DiagnosticReport,
    DocumentReference,
    Dosage,
    Identifier,
    Immunization,
    Item,
    LegalStatus,
    MedicationStatement,
    Observation,
    ObservationComponent,
    Period,
    Quantity,
    SamenessSpec,
    SectionName,
    Source,
    When,
    concept,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECTIONS = {
    AllergyIntolerance: SectionName.ALLERGIES,
    CarePlan: SectionName.CARE_PLANS,
    Condition: SectionName.PROBLEMS,
    DiagnosticReport: SectionName.REPORTS,
    DocumentReference: SectionName.DOCUMENTS,
    Immunization: SectionName.IMMUNISATIONS,
    LegalStatus: SectionName.LEGAL_STATUS,
    MedicationStatement: SectionName.MEDICATIONS,
    Observation: SectionName.RESULTS,
}


def source(system: str, id_: str = "1") -> Source:
    return Source(system=system, id=id_, fetched=NOW)


def found(items: Sequence[Item], opinions: Opinions | None = None) -> list[tuple[str, tuple[str, ...]]]:
    """Kind and items of each conflict; whatever the order of the items and whether they were merged first."""
    section = SECTIONS[type(items[0])]
    once = conflicts({section: items}, opinions)
    for order in permutations(items):
        again = conflicts({section: order}, opinions)
        assert sorted(map(str, again)) == sorted(map(str, once))
    for conflict in once:
        assert conflict.kind in KINDS
        assert conflict.section == section
        concerned = (item for item in items if item.key in conflict.items)
        assert conflict.systems == tuple(sorted({source.system for item in concerned for source in item.sources}))
    return [(conflict.kind, conflict.items) for conflict in once]


def kinds(*items: Item) -> list[str]:
    return [kind for kind, _ in found(items)]


def allergy(system: str, text: str, code: str | None = None, id_: str = "1", **more: Any) -> AllergyIntolerance:
    return AllergyIntolerance(source=source(system, id_), code=concept(text, code), **more)


NONE = ("No known allergies", "716186003")
REFUTED, MISTAKEN, CONFIRMED = (
    concept(None, code, "http://x") for code in ("refuted", "entered-in-error", "confirmed")
)


@pytest.mark.parametrize(
    ("items", "kinds"),
    [
        ([allergy("gp", *NONE), allergy("rio", "Penicillin")], ["allergy-against-none-known"]),
        ([allergy("gp", *NONE), allergy("gp", "Penicillin", id_="2")], ["allergy-against-none-known"]),
        ([allergy("gp", *NONE), allergy("rio", "P", verification_status=REFUTED)], []),
        ([allergy("gp", *NONE), allergy("rio", "P", verification_status=MISTAKEN)], []),
        ([allergy("gp", *NONE, verification_status=MISTAKEN), allergy("rio", "P")], []),
        ([allergy("gp", *NONE), allergy("rio", "text not shown")], ["allergy-against-none-known"]),
        ([allergy("gp", *NONE), allergy("rio", *NONE)], []),
        ([allergy("gp", "Latex"), allergy("rio", "Penicillin")], []),
        ([allergy("gp", *NONE)], []),
    ],
)
def test_none_known_never_cancels_an_allergy(items: list[Item], kinds: list[str]) -> None:
    assert [kind for kind, _ in found(items)] == kinds
    assert len(merge(items)) >= len({item.words() for item in items})


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        ({"criticality": "high"}, {"criticality": "low"}, True),
        ({"criticality": "high"}, {}, False),
        ({"clinical_status": concept("active")}, {"clinical_status": concept("resolved")}, True),
        ({"clinical_status": concept("Active")}, {"clinical_status": concept("active")}, False),
        ({}, {"verification_status": REFUTED}, True),
        ({"verification_status": CONFIRMED}, {"verification_status": REFUTED}, True),
        ({"verification_status": CONFIRMED}, {}, False),
        ({}, {"ended": When("2024")}, True),
        ({"ended": When("2023")}, {"ended": When("2024")}, False),
        ({"recorded": When("2020")}, {"recorded": When("2021")}, False),
    ],
)
def test_the_same_substance_with_another_criticality_or_status(
    one: dict[str, Any], other: dict[str, Any], differ: bool
) -> None:
    expected = [("allergy-differs", ("gp:1", "rio:1"))] if differ else []
    assert found([allergy("gp", "Penicillin", "91936005", **one), allergy("rio", "penicillin", **other)]) == expected
    # Of one system alone it is no disagreement, and of two substances neither; what is hidden cannot be told.
    assert found([allergy("gp", "Latex", id_="1", **one), allergy("gp", "Latex", id_="2", **other)]) == []
    assert found([allergy("gp", "Latex", **one), allergy("rio", "Lattex", **other)]) == []
    assert found([allergy("gp", "text not shown", **one), allergy("rio", "text not shown", **other)]) == []


def test_what_one_system_alone_says_both_ways_is_no_disagreement_of_systems() -> None:
    own = [allergy("gp", "Latex", criticality="high"), allergy("gp", "Latex", id_="2", criticality="low")]
    assert found([*own, allergy("rio", "Latex")]) == []
    assert kinds(*own, allergy("rio", "Latex", criticality="low")) == ["allergy-differs"]


def test_a_withdrawn_value_contradicts_no_other() -> None:
    assert kinds(result("gp"), result("lab", "5.1", **GONE)) == ["result-withdrawn-by-one-source"]
    assert kinds(result("gp", **GONE), result("lab", "5.1", **GONE)) == []


def test_several_active_plans_are_a_conflict_that_names_them_all() -> None:
    plans = [CarePlan(source=source(system), status=status) for system, status in
             [("gp", "active"), ("rio", "active"), ("icr", "completed")]]  # fmt: skip
    assert found(plans) == [("several-active-plans", ("gp:1", "rio:1"))]
    two = [plans[0], plans[0].model_copy(update={"source": source("gp", "2")})]
    assert kinds(*two) == ["several-active-plans"]
    assert "2 care plans" in conflicts({SectionName.CARE_PLANS: two})[0].text


def drug(system: str, dose: Any = "one", status: str | None = "active", id_: str = "1", **more: Any) -> Item:
    known = {"medication": concept("Sertraline 50mg tablets", "39112411000001101")} | more
    dosage = (Dosage(text=dose),) if isinstance(dose, str) else dose
    return MedicationStatement(source=source(system, id_), status=status, dosage=dosage, **known)


@pytest.mark.parametrize(
    ("other", "differ"),
    [
        (drug("rio", "two"), True),
        (drug("rio", status="stopped"), True),
        (drug("rio", status=None), True),
        (drug("rio", ()), True),
        (drug("rio", (Dosage(text="one", route=concept("Oral")),)), True),
        (drug("rio", (Dosage(text="one", timing="BD"),)), True),
        (drug("rio", (Dosage(text="one", dose=Quantity(value=Decimal(50), unit="mg")),)), True),
        (drug("rio"), False),
        (drug("rio", recorded=When("2020")), False),
        (drug("rio", medication=concept("sertraline 50mg tablets")), False),
        (drug("rio", "two", medication=concept("Sertraline 100mg tablets")), False),
        (drug("gp", "two", id_="2"), False),
    ],
)
def test_a_medicine_on_which_systems_disagree(other: Item, differ: bool) -> None:
    assert found([drug("gp"), other]) == ([("medicine-differs", ("gp:1", "rio:1"))] if differ else [])
    if differ:
        assert len(merge([drug("gp"), other])) == 2


def test_medicines_join_only_when_product_dose_route_frequency_and_status_agree() -> None:
    whole = (Dosage(dose=Quantity(value=Decimal(50), unit="mg"), route=concept("Oral", "26643006"), timing="OD"),)
    assert len(merge([drug("gp", whole), drug("rio", whole)])) == 1
    for change in (
        {"dose": Quantity(value=Decimal(50), unit="g")},
        {"route": concept("Oral", "1")},
        {"timing": "BD"},
        {"as_needed": True},
    ):
        assert len(merge([drug("gp", whole), drug("rio", (whole[0].model_copy(update=change),))])) == 2


def problem(system: str, status: str | None = None, code: str = "195967001", id_: str = "1", **more: Any) -> Condition:
    return Condition(
        source=source(system, id_),
        code=concept("Asthma", code),
        clinical_status=concept(None, status, "http://s") if status else None,
        **more,
    )


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        (problem("gp", "active"), problem("rio", "resolved"), True),
        (problem("gp", "active"), problem("rio", "active"), False),
        (problem("gp", "active"), problem("rio"), False),
        (problem("gp", "active"), problem("rio", verification_status=REFUTED), True),
        # Another code under the same words: too little to join, enough to ask.
        (problem("gp", "active"), problem("rio", "resolved", "1"), True),
        (problem("gp", "active"), problem("rio", "resolved").model_copy(update={"code": concept("Gout", "1")}), False),
        (problem("gp", "active"), problem("gp", "resolved", id_="2"), False),
    ],
)
def test_a_problem_on_whose_status_systems_disagree(one: Condition, other: Condition, differ: bool) -> None:
    assert kinds(one, other) == (["problem-status-differs"] if differ else [])


AT = When("2026-01-05T08:15:00Z")


def result(system: str, value: Any = "4.10", id_: str = "1", **more: Any) -> Observation:
    known: dict[str, Any] = {
        "code": concept("Serum potassium", "1000651000000109"),
        "status": "final",
        "effective": AT,
        "value": Quantity(value=Decimal(value), unit="mmol/L") if isinstance(value, str) else value,
    }
    return Observation(source=source(system, id_), **(known | more))


def pressure(system: str, top: str) -> Observation:
    part = ObservationComponent(code=concept("Systolic", "271649006"), value=Quantity(value=Decimal(top), unit="mmHg"))
    return result(system, None, components=(part,))


@pytest.mark.parametrize(
    ("items", "differ"),
    [
        ([result("gp"), result("rio", "5.1")], True),
        ([result("gp"), result("rio", "4.1")], False),
        ([result("gp"), result("rio", Quantity(value=Decimal("4.10"), unit="mg"))], True),
        ([result("gp"), result("rio", Quantity(value=Decimal("4.10"), unit="mmol/L", comparator="<"))], True),
        ([result("gp"), result("rio", None)], False),
        ([result("gp"), result("rio", "5.1", effective=When("2026-01-05T09:15:00+01:00"))], True),
        ([result("gp"), result("rio", "5.1", effective=When("2026-01-05T08:16:00Z"))], False),
        ([result("gp", effective=When("2026-01-05")), result("rio", "5.1", effective=When("2026-01-05"))], True),
        ([result("gp", effective=When("2026-01")), result("rio", "5.1", effective=When("2026-01"))], False),
        ([result("gp", effective=None), result("rio", "5.1", effective=None)], False),
        ([result("gp"), result("gp", "5.1", id_="2")], False),
        ([result("gp"), result("rio", "5.1", code=concept("Sodium", "1"))], False),
        ([result("gp"), result("rio", "5.1", code=concept("serum potassium"))], True),
        ([result("gp", concept("Positive", "1")), result("rio", concept("Negative", "2"))], True),
        ([result("gp", concept("Positive", "1")), result("rio", concept("POS", "1"))], False),
        ([pressure("gp", "120"), pressure("rio", "150")], True),
        ([pressure("gp", "120"), pressure("rio", "120.0")], False),
        # A merged item speaks for both of its systems; the lab's own correction contradicts the practice's copy.
        ([*merge([result("gp"), result("rio")]), result("gp", "5.1", id_="2", status="corrected")], True),
    ],
)
def test_the_same_result_with_another_value(items: list[Item], differ: bool) -> None:
    assert kinds(*items) == (["result-differs"] if differ else [])


GONE = {"status": "entered-in-error"}


@pytest.mark.parametrize(
    ("items", "conflict"),
    [
        ([result("gp"), result("lab", **GONE)], True),
        ([result("gp"), result("lab", None, status="cancelled")], True),
        ([result("gp"), result("lab", effective=When("2026-01-06T08:15:00Z"), **GONE)], False),
        ([result("gp"), result("lab", code=concept("Sodium", "1"), **GONE)], False),
        ([result("gp", **GONE), result("lab", **GONE)], False),
        # A system that withdraws and puts another in its place does not disagree with itself,
        ([result("lab", **GONE), result("lab", "5.1", id_="2")], False),
        # nor with one that holds that other too,
        ([result("lab", **GONE), result("lab", "5.1", id_="2"), result("gp", "5.1", recorded=When("2026"))], False),
        # but with one that still shows the first.
        ([result("lab", **GONE), result("lab", "4.1", id_="2", status="corrected"), result("gp", "9.9")], True),
    ],
)
def test_a_result_withdrawn_by_one_source_and_not_by_another(items: list[Item], conflict: bool) -> None:
    assert ("result-withdrawn-by-one-source" in kinds(*items)) == conflict
    assert Counter(item.withdrawn is None for item in merge(items)).keys() == {i.withdrawn is None for i in items}


def report(system: str, status: str = "final", **more: Any) -> DiagnosticReport:
    return DiagnosticReport(source=source(system), code=concept("Chest X-ray", "399208008"), status=status, **more)


def test_a_report_withdrawn_by_one_source_is_known_by_its_time_or_else_its_identifier() -> None:
    number = (Identifier(system="urn:lab", value="A1"),)
    other = (Identifier(system="urn:lab", value="A2"),)
    assert kinds(report("gp", effective=AT), report("lab", "cancelled", effective=AT)) == [
        "result-withdrawn-by-one-source"
    ]
    assert kinds(report("gp", identifiers=number), report("lab", "cancelled", identifiers=number)) != []
    assert kinds(report("gp", identifiers=number), report("lab", "cancelled", identifiers=other)) == []
    assert kinds(report("gp"), report("lab", "cancelled")) == []


def letter(system: str, status: str = "current", number: str | None = "A1", **more: Any) -> DocumentReference:
    identifiers = (Identifier(system="urn:doc", value=number),) if number else ()
    return DocumentReference(source=source(system), status=status, identifiers=identifiers, **more)


def test_a_document_withdrawn_by_one_source_is_known_by_its_identifier() -> None:
    assert kinds(letter("gp"), letter("rio", "entered-in-error")) == ["document-withdrawn-by-one-source"]
    assert kinds(letter("gp"), letter("rio", "current", doc_status="entered-in-error")) != []
    assert kinds(letter("gp"), letter("rio", "superseded")) == []
    assert kinds(letter("gp"), letter("rio", "entered-in-error", "A2")) == []
    assert kinds(letter("gp", number=None), letter("rio", "entered-in-error", None)) == []
    copies = [letter(s, attachments=(Attachment(hash="x"),)) for s in ("gp", "rio")]
    assert kinds(*copies) == []


def vaccine(system: str, status: str, day: str = "2026-01-05") -> Immunization:
    return Immunization(source=source(system), vaccine=concept("Flu", "1"), status=status, occurrence=When(day))


def test_a_vaccination_that_one_says_was_given_and_another_not() -> None:
    assert kinds(vaccine("gp", "completed"), vaccine("rio", "not-done")) == ["immunisation-differs"]
    assert kinds(vaccine("gp", "completed"), vaccine("rio", "completed")) == []
    assert kinds(vaccine("gp", "completed"), vaccine("rio", "not-done", "2026-01-06")) == []


def test_vaccinations_of_unknown_products_are_told_apart_by_the_procedure() -> None:
    """GP systems code the act alone, and then `vaccineCode` says that the product is not known."""
    unknown = concept(None, "UNK", "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "Unknown")

    def given(system: str, status: str, procedure: str | None) -> Immunization:
        act = concept(f"Act {procedure}", procedure) if procedure else None
        return vaccine(system, status).model_copy(update={"vaccine": unknown, "procedure": act})

    assert kinds(given("gp", "completed", "1"), given("icr", "not-done", "2")) == []
    assert kinds(given("gp", "completed", None), given("icr", "not-done", None)) == []
    assert kinds(given("gp", "completed", "1"), given("icr", "not-done", "1")) == ["immunisation-differs"]
    assert len(merge([given("gp", "completed", "1"), given("icr", "completed", "1")])) == 1
    assert len(merge([given("gp", "completed", "1"), given("icr", "completed", "2")])) == 2
    assert len(merge([given("gp", "completed", None), given("icr", "completed", None)])) == 2


def section(system: str, code: str, start: str | None = None, end: str | None = None, **more: Any) -> LegalStatus:
    period = Period(start=When(start) if start else None, end=When(end) if end else None) if start or end else None
    known = {"id_": "1"} | more
    return LegalStatus(
        source=source(system, known.pop("id_")), code=concept(f"Section {code}", code), period=period, **known
    )


@pytest.mark.parametrize(
    ("items", "concerned"),
    [
        ([section("gp", "2"), section("rio", "3")], ("gp:1", "rio:1")),
        ([section("gp", "2"), section("rio", "2")], ()),
        # The one that holds fewer is silent on the rest.
        ([section("gp", "LPA"), section("rio", "LPA"), section("rio", "3", id_="2")], ()),
        ([section("gp", "LPA"), section("gp", "2", id_="2"), section("rio", "LPA"), section("rio", "3", id_="2")],
         ("gp:2", "rio:2")),
        ([section("gp", "2"), section("gp", "3", id_="2")], ()),
        ([section("gp", "2", status="ended"), section("rio", "3")], ()),
        ([section("gp", "2", status="entered-in-error"), section("rio", "3")], ()),
        ([section("gp", "2", "2020-01-01", "2020-01-28"), section("rio", "3", "2020-02-01")], ()),
        ([section("gp", "2", "2020-01-01", "2020-02"), section("rio", "3", "2020-02-11")], ("gp:1", "rio:1")),
        ([section("gp", "2", "2020-01-01"), section("rio", "3", "2020-02-01")], ("gp:1", "rio:1")),
    ],
)  # fmt: skip
def test_legal_statuses_in_force_at_once(items: list[Item], concerned: tuple[str, ...]) -> None:
    assert found(items) == ([("legal-status-differs", concerned)] if concerned else [])


def test_more_legal_statuses_than_can_be_are_a_conflict_of_all() -> None:
    many = [section(("gp", "rio")[n % 2], str(n), id_=str(n)) for n in range(60)]
    (one,) = conflicts({SectionName.LEGAL_STATUS: many})
    assert len(one.items) == 60


def test_a_terminology_plugin_can_raise_a_conflict_and_the_text_says_that_it_did() -> None:
    spec = SamenessSpec(name="dmd", same=lambda one, other, section: True, words="test")
    two = [drug("gp"), drug("rio", "two", medication=concept("Lustral 50mg tablets", "1"))]
    (raised,) = conflicts({SectionName.MEDICATIONS: two}, Opinions([spec]))
    assert raised.kind == "medicine-differs"
    assert raised.text.endswith("is said by: dmd.")
    assert conflicts({SectionName.MEDICATIONS: two}) == ()
    uncoded = [drug("gp"), drug("rio", "two", medication=concept("Lustral 50mg tablets"))]
    assert conflicts({SectionName.MEDICATIONS: uncoded}, Opinions([spec])) == ()


def test_no_text_of_a_conflict_can_hold_a_value() -> None:
    for kind in KINDS.values():
        assert kind.text.replace("{count}", "").count("{") == 0
