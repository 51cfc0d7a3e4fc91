"""The synthetic people: valid, told apart, each able to show what they are there for."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import mpftconnect
from mpftconnect import sandbox
from mpftconnect.governance.exclusion import Exclusion, ExclusionSettings
from mpftconnect.governance.policies import Contribution
from mpftconnect.model import (
    SECTION_TYPES,
    CarePlan,
    ClinicalItem,
    HumanName,
    Item,
    Patient,
    Quantity,
    Reference,
    SectionName,
    is_test_number,
    nhs_number,
    parts,
)
from mpftconnect.sandbox import (
    EXCLUDED,
    PEOPLE,
    Person,
    SystemView,
    people_without_excluded_data,
    person,
    seeded_values,
)

RECORDS = ("rio", "synthetic")
GP = "gpconnect"
# Every system that holds excluded data among other things.
HOLDERS = (*RECORDS, GP, "icr", "icr-border")
ROLES = {
    *("full", "sparse", "restricted", "very-restricted", "deceased", "superseded", "birth-date-differs"),
    *(
        "cross-border",
        "sexual-health",
        "twin-a",
        "twin-b",
        "father",
        "son",
        "changed-name",
        "invalidated",
        "unverified",
        "conflicting",
    ),
}


def views() -> list[tuple[Person, str, SystemView]]:
    return [(someone, name, view) for someone in PEOPLE for name, view in someone.systems.items()]


def items_of(view: SystemView) -> list[Item]:
    return [item for section in view.items.values() for item in section]


def numbers_in(patient: Patient) -> set[str]:
    return {i.value for i in patient.identifiers if i.is_nhs_number and i.value}


def test_there_is_one_person_for_each_role():
    assert Counter(someone.role for someone in PEOPLE) == Counter(ROLES)
    assert all(person(role).role == role for role in ROLES)
    with pytest.raises(KeyError):
        person("no-such-role")


def test_the_full_person_has_the_number_of_all_examples():
    assert person("full").nhs_number == nhs_number("999 000 0018")


def test_numbers_are_valid_of_the_test_range_and_nobody_shares_one():
    numbers = [number for someone in PEOPLE for number in (someone.nhs_number, *someone.former_numbers)]
    assert len(numbers) == len(set(numbers)) > len(PEOPLE)
    assert all(is_test_number(number) and nhs_number(number) == number for number in numbers)


def test_every_number_that_anything_says_of_a_person_is_theirs():
    for someone, name, _ in views():
        own = {someone.nhs_number, *someone.former_numbers}
        said = numbers_in(someone.patient_at(name))
        assert said, (someone.role, name)
        assert said <= own, (someone.role, name)


def test_no_text_holds_another_number_of_ten_digits():
    grouped = re.compile(r"(?<!\d)\d{3}[ -]?\d{3}[ -]?\d{4}(?!\d)")
    for someone, name, view in views():
        for item in items_of(view):
            for path, part in parts(item):
                if isinstance(part, str) and ".telecom" not in path and not path.startswith("telecom"):
                    assert not grouped.search(part), (someone.role, name, path)


def test_items_stand_in_the_section_of_their_type_under_ids_that_nothing_else_has():
    for name in {name for _, name, _ in views()}:
        ids = [item.source.id for _, at, view in views() if at == name for item in items_of(view)]
        assert len(ids) == len(set(ids)), name
        local_ids = [view.local_id for _, at, view in views() if at == name]
        assert len(local_ids) == len(set(local_ids)), name
    for _, _, view in views():
        for section, items in view.items.items():
            assert all(type(item) is SECTION_TYPES[section] for item in items)


def test_every_clinical_item_names_its_subject_as_its_system_does():
    for someone, name, view in views():
        for item in items_of(view):
            if isinstance(item, ClinicalItem):
                assert item.subject == Reference(reference=f"Patient/{view.local_id}"), (someone.role, name, item.key)


def test_what_items_point_at_exists_in_their_system():
    for someone, name, view in views():
        known = {item.source.id for item in items_of(view)} | {f"Patient/{view.local_id}"}
        pointed = {
            part.reference
            for item in items_of(view)
            for _, part in parts(item)
            if isinstance(part, Reference) and part.reference
        }
        assert pointed <= known, (someone.role, name)


@pytest.mark.parametrize("system", RECORDS)
@pytest.mark.parametrize("section", SectionName)
def test_the_full_person_has_something_in_every_section_of_both_records(system, section):
    assert person("full").systems[system].items.get(section)


def test_the_full_person_has_two_active_plans_in_different_systems_with_everything_a_plan_can_say():
    active = [
        (system, plan)
        for system in RECORDS
        for plan in person("full").systems[system].items[SectionName.CARE_PLANS]
        if isinstance(plan, CarePlan) and plan.is_active
    ]
    assert [system for system, _ in active] == list(RECORDS)
    for system, plan in active:
        for name in ("about_me", "strengths", "needs", "goals", "actions", "contingency", "additional_plans"):
            assert getattr(plan, name), (system, name)
        for name in ("agreement", "review", "team", "coordinator", "author", "created", "period", "category"):
            assert getattr(plan, name), (system, name)
        (contingency,) = plan.contingency
        for name in ("triggers", "early_signs", "what_to_do", "what_not_to_do", "whom_to_call"):
            assert getattr(contingency, name), (system, name)
        assert any(action.who and action.scheduled and action.outcome for action in plan.actions)
    assert active[0][1].formulation
    assert {plan.contingency[0].kind for _, plan in active} == {"crisis", "contingency"}
    kinds = {p.type.words() for _, plan in active for p in plan.additional_plans}
    assert {"ReSPECT form", "Advance decision to refuse treatment"} <= kinds


def test_the_full_person_needs_an_interpreter_and_adjustments():
    patient = person("full").patient
    assert any(need.interpreter_required for need in patient.communication)
    assert patient.reasonable_adjustments


def test_of_the_medicines_in_both_records_one_agrees_in_every_word_and_one_does_not():
    rio, community = (person("full").systems[name].items[SectionName.MEDICATIONS] for name in RECORDS)

    def said(items: tuple[Item, ...], product: str) -> list[dict[str, object]]:
        where = {"source", "subject"}
        return [item.model_dump(exclude=where) for item in items if item.medication.text == product]

    assert len(said(rio, "Metformin 500mg tablets")) == 1
    assert said(rio, "Metformin 500mg tablets") == said(community, "Metformin 500mg tablets")
    (one,), (other,) = said(rio, "Ramipril 2.5mg capsules"), said(community, "Ramipril 2.5mg capsules")
    assert one["dosage"] != other["dosage"]


def test_decimals_keep_their_digits():
    written = {
        str(part.value)
        for item in person("full").systems["synthetic"].items[SectionName.RESULTS]
        for _, part in parts(item)
        if isinstance(part, Quantity)
    }
    assert {"72.50", "1.02"} <= written


def test_each_role_shows_what_it_is_there_for():
    assert person("sparse").systems["synthetic"].items == {}
    assert person("restricted").patient.restriction == "R"
    assert person("very-restricted").patient.restriction == "V"
    assert not person("very-restricted").patient.names
    assert not person("very-restricted").patient.addresses
    for role in ("restricted", "very-restricted"):  # the others do not know, and hold where the person lives
        local = person(role).patient_at("rio")
        assert local.restriction is None
        assert local.addresses
        assert local.names
    assert person("deceased").patient.deceased
    former = person("superseded")
    assert numbers_in(former.patient_at("rio")) == set(former.former_numbers) != {former.nhs_number}
    differs = person("birth-date-differs")
    assert differs.patient_at("synthetic").birth_date != differs.patient.birth_date
    assert differs.patient_at("rio").birth_date == differs.patient.birth_date
    assert person("invalidated").systems["pds"].settings["invalidated"] is True
    assert [p.role for p in PEOPLE if p.systems["pds"].settings.get("invalidated")] == ["invalidated"]
    assert person("unverified").patient_at("synthetic").verification_status == "02"
    families = {person("changed-name").patient_at(name).name.family for name in ("pds", *RECORDS)}
    assert len(families) == 3


def test_the_shared_records_hold_what_the_others_say_too_and_what_they_do_not():
    full, border = person("full"), person("cross-border")

    def said(someone: Person, system: str, id_: str) -> dict[str, object]:
        (item,) = [each for each in items_of(someone.systems[system]) if each.source.id == id_]
        return item.model_dump(exclude={"source", "subject"})

    assert said(full, "icr", "Observation/full-egfr") == said(full, "rio", "Observation/full-egfr")
    assert said(full, "icr-border", "Observation/full-lithium-level") == said(
        full, "rio", "Observation/full-lithium-level"
    )
    assert said(border, "icr-border", "Observation/border-creatinine-2") == said(
        border, "synthetic", "Observation/border-creatinine-2"
    )
    for system in ("icr", "icr-border"):
        results = full.systems[system].items[SectionName.RESULTS]
        (withdrawn,) = [each for each in results if each.status == "entered-in-error"]
        assert withdrawn.note
        assert full.systems[system].items[SectionName.DOCUMENTS]
    assert full.systems["icr"].items[SectionName.DOCUMENTS][0].attachments[0].data_base64
    former = person("superseded")
    assert numbers_in(former.patient_at("icr-border")) == set(former.former_numbers)
    assert numbers_in(former.patient_at("icr")) == {former.nhs_number}
    differs = person("birth-date-differs")
    assert differs.patient_at("icr-border").birth_date != differs.patient.birth_date
    assert differs.patient_at("icr").birth_date == differs.patient.birth_date
    conflicting = person("conflicting")
    assert not any(item.asserts_none for item in conflicting.systems["icr"].items[SectionName.ALLERGIES])
    assert any(plan.is_active for plan in conflicting.systems["icr-border"].items[SectionName.CARE_PLANS])
    assert person("very-restricted").patient_at("icr").names
    assert person("very-restricted").patient_at("icr").addresses


def test_near_twins_are_near():
    one, two = person("twin-a").patient, person("twin-b").patient
    assert (one.birth_date, one.addresses, one.name.family) == (two.birth_date, two.addresses, two.name.family)
    assert one.name.given != two.name.given
    father, son = person("father").patient, person("son").patient
    assert (father.names, father.addresses, father.telecom) == (son.names, son.addresses, son.telecom)
    assert father.birth_date != son.birth_date


def test_one_system_asserts_no_allergies_where_another_holds_one():
    border = person("cross-border")
    assert any(item.asserts_none for item in border.systems["rio"].items[SectionName.ALLERGIES])
    assert not any(item.asserts_none for item in border.systems["synthetic"].items[SectionName.ALLERGIES])


def test_a_gp_holds_something_of_every_kind_for_the_full_person():
    held = person("full").systems[GP].items
    kinds = {
        *("problems", "medications", "allergies", "immunisations", "results", "reports", "encounters", "notes"),
        *("referrals", "documents"),
    }
    assert {str(name) for name, items in held.items() if items} == kinds
    courses = {item.course.coding[0].code for item in held[SectionName.MEDICATIONS]}
    assert courses == {"repeat", "acute"}
    assert any(item.status == "stopped" and item.status_reason for item in held[SectionName.MEDICATIONS])
    assert any(item.clinical_status.coding[0].code == "resolved" for item in held[SectionName.ALLERGIES])
    assert any(item.based_on for item in held[SectionName.MEDICATIONS])
    assert len({item.type.text for item in held[SectionName.NOTES]}) >= 3
    assert {bool(d.attachments[0].data_base64) for d in held[SectionName.DOCUMENTS]} == {True, False}


def test_the_gp_disagrees_with_the_trust_about_the_conflicting_person():
    theirs, ours = (person("conflicting").systems[name].items for name in ("rio", GP))
    assert any(item.asserts_none for item in theirs[SectionName.ALLERGIES])
    assert not any(item.asserts_none for item in ours[SectionName.ALLERGIES])
    (one,), (other,) = theirs[SectionName.MEDICATIONS], ours[SectionName.MEDICATIONS]
    assert (one.medication.text, other.medication.text) == ("Amlodipine 5mg tablets", "Amlodipine 10mg tablets")
    assert one.status == other.status == "active"


def test_gp_views_show_what_their_role_is_there_for():
    practices = {
        someone.patient_at(GP).general_practitioner[0].organization_code for someone in PEOPLE if GP in someone.systems
    }
    assert practices == {"ZZ101", "ZZ701"}
    assert person("cross-border").patient_at(GP).general_practitioner[0].organization_code == "ZZ701"
    differs = person("birth-date-differs")
    assert differs.patient_at(GP).birth_date != differs.patient.birth_date
    assert person("unverified").patient_at(GP).verification_status == "02"
    assert person("changed-name").patient_at(GP).name.family != person("changed-name").patient.name.family
    street = person("restricted").patient.addresses[0].line[0].partition(" ")[2]
    told = [item for item in items_of(person("restricted").systems[GP]) if street in item.model_dump_json()]
    assert {type(item).__name__ for item in told} >= {"Condition", "Encounter", "DocumentReference"}


def test_the_people_are_the_same_in_every_process():
    from mpftconnect.sandbox import gp_record
    from mpftconnect.sandbox.full_person import full_person

    again = full_person()
    assert again == replace(person("full"), systems={name: person("full").systems[name] for name in again.systems})
    assert gp_record.views()[GP]["full"] == person("full").systems[GP]


def excluded_ids(with_: Person, without: Person) -> set[tuple[str, str]]:
    def held(someone: Person) -> set[tuple[str, str]]:
        return {(name, item.source.id) for name in HOLDERS for item in items_of(someone.systems[name])}

    return held(with_) - held(without)


def test_without_excluded_data_only_one_person_differs_and_only_by_what_is_excluded():
    with_, without = PEOPLE, people_without_excluded_data()
    assert [a.role for a, b in zip(with_, without, strict=True) if a != b] == ["sexual-health"]
    one = person("sexual-health")
    (other,) = (p for p in without if p.role == "sexual-health")
    assert replace(one, systems={}) == replace(other, systems={})
    assert "sexual-health" in one.systems
    assert "sexual-health" not in other.systems
    assert len(excluded_ids(one, other)) >= 25
    for name in HOLDERS:
        kept = {item.source.id: item for item in items_of(other.systems[name])}
        before = {item.source.id: item for item in items_of(one.systems[name])}
        changed = {id_ for id_, item in kept.items() if before[id_] != item}
        # A plan and a team lose a line, and nothing but a plan or a team is changed rather than gone.
        assert changed == ({"CarePlan/sh-therapy-plan", "CareTeam/sh-team"} if name == "rio" else set())
        assert list(kept) == [id_ for id_ in before if id_ in kept]


@pytest.mark.parametrize("system", HOLDERS)
def test_the_exclusion_policy_turns_the_one_person_into_the_other(system):
    one = person("sexual-health")
    (other,) = (p for p in people_without_excluded_data() if p.role == "sexual-health")
    held = one.systems[system].items
    policy = Exclusion(ExclusionSettings.model_validate(EXCLUDED))
    shown, taken = policy.apply(Contribution(system=system, patient=one.patient, items=held))
    assert {s: i for s, i in shown.items.items() if i} == dict(other.systems[system].items)
    assert taken


def test_every_excluded_item_needs_its_own_way_of_finding_it():
    """No single setting of the policy finds them all: each route of rule 6 is really there."""
    one = person("sexual-health")
    everything = {name: one.systems[name].items for name in HOLDERS}

    def gone(settings: dict[str, list[str]]) -> int:
        policy = Exclusion(ExclusionSettings(**settings, seed=False))
        return sum(len(policy.apply(Contribution(system=name, items=items))[1]) for name, items in everything.items())

    whole = gone({k: v for k, v in EXCLUDED.items() if k != "systems"})
    for setting in ("codes", "organisations", "services", "phrases"):
        rest = {k: v for k, v in EXCLUDED.items() if k not in ("systems", setting)}
        assert gone(rest) < whole, setting


def test_seeded_values_cover_every_name_place_number_and_sentence():
    for someone in PEOPLE:
        seeds = seeded_values(someone)
        everything = [someone.patient_at(name) for name in ("pds", *HOLDERS)]
        for number in (someone.nhs_number, *someone.former_numbers):
            assert {
                number,
                f"{number[:3]} {number[3:6]} {number[6:]}",
                f"{number[:3]}-{number[3:6]}-{number[6:]}",
            } <= seeds
        for patient in everything:
            for _, part in parts(patient):
                if isinstance(part, HumanName):
                    assert {*filter(None, [part.family]), *part.given} <= seeds
            for address in patient.addresses:
                assert {*address.line, address.postal_code} <= seeds
            assert {contact.value for contact in patient.telecom} <= seeds
            assert patient.birth_date.text in seeds
        for view in someone.systems.values():
            assert view.local_id in seeds
            for note in view.items.get(SectionName.NOTES, ()):
                assert note.text in seeds


def test_seeded_values_raise_no_false_alarm():
    """Looked for where no patient has any business: in the SDK's own source, beside the people themselves."""
    people = {"cast.py", "full_person.py", "sexual_health.py", "portraits.py", "chart.py", "sweep.py"}
    people |= {"regional_record.py", "neighbouring_record.py"}
    people |= {"gp_record.py", "gp_full_record.py", "gp_excluded_record.py"}
    people |= {"pointers.py", "shared_record.py"}
    source = {
        path: path.read_text(encoding="utf-8")
        for path in Path(mpftconnect.__file__).parent.rglob("*.py")
        if path.name not in people
    }
    assert len(source) > 20
    for someone in PEOPLE:
        seeds = seeded_values(someone)
        assert min(len(value) for value in seeds) >= 6, someone.role
        words = {value for value in seeds if not value.replace(" ", "").replace("-", "").isdigit()}
        assert {(path.name, value) for path, text in source.items() for value in words if value in text} == set()


def test_seeded_values_leave_professionals_and_services_alone():
    seeds = seeded_values(person("full"))
    assert not {s for s in seeds if "Community Mental Health Team" in s or s == "Tomasz Wilkanowski"}


def test_public_names_are_all_there_and_no_others():
    for name in sandbox.__all__:
        assert getattr(sandbox, name) is not None
    assert set(sandbox.__all__) <= set(dir(sandbox))
    with pytest.raises(AttributeError):
        sandbox.no_such_name  # noqa: B018
