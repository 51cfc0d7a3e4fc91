"""From what systems said to a record: every status, and what each failure does and does not spoil."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from generated import asked_systems

from mpftconnect.adapters.contract import Found, Refusal
from mpftconnect.cli.summary import summary
from mpftconnect.errors import GapReason, UsageError
from mpftconnect.governance.exclusion import Exclusion, ExclusionSettings, exclusion_spec
from mpftconnect.hub.assemble import Asked, Person, assemble
from mpftconnect.hub.fan_out import Failure, SectionRead, SystemRead
from mpftconnect.hub.record import Joined, Record
from mpftconnect.model import (
    Address,
    AllergyIntolerance,
    Concept,
    Condition,
    Demographics,
    Extra,
    HumanName,
    Identifier,
    Notice,
    PartialDate,
    Patient,
    Reference,
    SamenessSpec,
    SectionName,
    Source,
    concept,
)
from mpftconnect.pages import record_page

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NUMBER = "9990000018"
ALLERGIES, PROBLEMS = SectionName.ALLERGIES, SectionName.PROBLEMS
TIMED_OUT = Failure(GapReason.TIMED_OUT, "late")


def patient(system: str, born: str = "1950-03-04", **more: Any) -> Patient:
    return Patient(
        source=Source(system=system, id="Patient/1", fetched=NOW),
        identifiers=(Identifier.nhs(NUMBER),),
        names=(HumanName(family="Okonjo"),),
        birth_date=PartialDate(born),
        **more,
    )


def allergy(system: str, text: str = "Penicillin", code: str | None = None, **more: Any) -> AllergyIntolerance:
    source = Source(system=system, id=f"AllergyIntolerance/{text}", fetched=NOW)
    return AllergyIntolerance(source=source, code=concept(text, code), **more)


NONE_KNOWN = ("No known allergies", "716186003")


def read(system: str, *found: Found, failure: Failure | None = None, name: SectionName = ALLERGIES) -> SystemRead:
    return SystemRead(patient(system), True, None, {name: SectionRead(found, failure)})


def asked(system: str, said: SystemRead | None, *, holds: tuple[SectionName, ...] = (ALLERGIES,), **more: Any) -> Asked:
    return Asked(system, "S", "P", "nothing", False, "test", frozenset(holds), read=said, **more)


SILENT = SystemRead(None, False, TIMED_OUT, {})
NOT_HELD = SystemRead(None, True, None, {})


def record(
    *parts: Asked, traced: Patient | None = None, wanted: tuple[SectionName, ...] = (ALLERGIES,), **more: Any
) -> Record:
    person = Person(NUMBER, frozenset({NUMBER}), traced or patient("pds", restriction="U"), "pds")
    person = replace(person, traced=None) if more.pop("untraced", False) else person
    return assemble(
        person, parts, wanted=frozenset(wanted), policies=more.pop("policies", ()), made=NOW, correlation_id="c", **more
    ).record


@pytest.mark.parametrize(
    ("parts", "status", "missing"),
    [
        ([asked("rio", read("rio", allergy("rio")))], "items", ()),
        ([asked("rio", read("rio", allergy("rio", *NONE_KNOWN)))], "asserted-none", ()),
        ([asked("rio", read("rio"))], "nothing-recorded", ()),
        ([asked("rio", NOT_HELD)], "nothing-recorded", ()),
        ([asked("rio", SILENT)], "unavailable", ("rio",)),
        ([], "unavailable", ()),
        ([asked("rio", read("rio")), asked("gp", SILENT)], "partial", ("gp",)),
        ([asked("rio", read("rio", allergy("rio", *NONE_KNOWN))), asked("gp", SILENT)], "partial", ("gp",)),
        ([asked("rio", read("rio", allergy("rio"))), asked("gp", SILENT)], "partial", ("gp",)),
        ([asked("rio", read("rio", failure=TIMED_OUT))], "unavailable", ("rio",)),
        ([asked("rio", read("rio", allergy("rio"), failure=TIMED_OUT))], "partial", ("rio",)),
        ([asked("rio", read("rio", Refusal("entry[3]", "broken")))], "partial", ("rio",)),
        ([asked("rio", None, holds=(), undeclared=frozenset({ALLERGIES}))], "unavailable", ("rio",)),
        (
            [asked("gp", read("gp")), asked("rio", None, holds=(), undeclared=frozenset({ALLERGIES}))],
            "partial",
            ("rio",),
        ),
        ([asked("gp", read("gp")), asked("rio", None, holds=(), refused={ALLERGIES: "expired"})], "partial", ("rio",)),
        ([asked("rio", read("rio"), partly=frozenset({ALLERGIES}))], "partial", ("rio",)),
        ([asked("rio", read("rio", allergy("rio", *NONE_KNOWN)), partly=frozenset({ALLERGIES}))], "partial", ("rio",)),
    ],
)
def test_what_a_section_says(parts: list[Asked], status: str, missing: tuple[str, ...]) -> None:
    section = record(*parts).allergies
    assert section.status == status
    assert section.complete == (status in ("items", "asserted-none", "nothing-recorded") and not missing)
    if status != "unavailable" or missing:
        assert section.missing == missing


def test_a_section_not_asked_for_says_so() -> None:
    assert record(asked("rio", read("rio"))).problems.status == "not-asked"


def test_an_entry_that_cannot_be_read_is_a_warning_with_its_place() -> None:
    made = record(asked("rio", read("rio", allergy("rio"), Refusal("entry[3]", "has no code"))))
    (warning,) = made.allergies.warnings
    assert (warning.code, warning.system) == ("entries-refused", "rio")
    assert "entry[3]: has no code" in warning.text
    assert len(made.allergies) == 1


def test_a_modifier_that_is_not_understood_is_a_warning() -> None:
    changed = allergy("rio", extra=(Extra(path="reaction[0].modifierExtension[0]", json_text="{}"),))
    plain = allergy("rio", "Latex", extra=(Extra(path="text", json_text="{}"),))
    (warning,) = record(asked("rio", read("rio", changed, plain))).allergies.warnings
    assert (warning.code, warning.system) == ("modifier-not-understood", "rio")
    assert warning.text.startswith("1 entries")
    assert record(asked("rio", read("rio", plain))).allergies.warnings == ()


def test_a_notice_of_the_source_reaches_the_reader() -> None:
    made = record(asked("gp", read("gp", Notice("confidential-items", "Items are withheld."))))
    assert made.allergies.warnings == (Notice("confidential-items", "Items are withheld.", "gp"),)


@pytest.mark.parametrize("found", [(), (allergy("gp"),), (allergy("gp", *NONE_KNOWN),)])
def test_a_source_that_says_there_is_more_leaves_the_section_incomplete(found: tuple[Found, ...]) -> None:
    more = Notice("confidential-items", "Items are withheld.", incomplete=True)
    section = record(asked("gp", read("gp", *found, more))).allergies
    assert (section.status, section.missing, section.complete) == ("partial", ("gp",), False)
    remark = replace(more, incomplete=False)
    assert record(asked("gp", read("gp", *found, remark))).allergies.complete


@pytest.mark.parametrize(
    "stranger",
    [
        Refusal("entry[0]", "about somebody else", wrong_person=True),
        allergy("rio", subject=Reference(reference="Patient/2")),
        allergy("rio", subject=Reference(reference="https://rio/fhir/Patient/2")),
        allergy("rio", subject=Reference(identifier=Identifier.nhs("9990000026"))),
    ],
)
def test_somebody_elses_data_is_set_aside_and_said(stranger: Found) -> None:
    mine = allergy("rio", "Latex", subject=Reference(reference="Patient/1"))
    made = record(asked("rio", read("rio", stranger, mine)), asked("gp", read("gp", allergy("gp"))))
    assert [item.words() for item in made.allergies] == ["Penicillin", "Latex"]
    assert [item.source.system for item in made.allergies] == ["gp", "rio"]
    assert [(g.system, g.reason) for g in made.gaps] == [("rio", GapReason.WRONG_PERSON)]
    assert made.allergies.status == "partial"


def test_an_item_filed_under_a_former_number_is_the_persons() -> None:
    old = allergy("rio", subject=Reference(identifier=Identifier.nhs("9990000026")))
    person = Person(NUMBER, frozenset({NUMBER, "9990000026"}), patient("pds", restriction="U"), "pds")
    made = assemble(
        person,
        [asked("rio", read("rio", old))],
        wanted=frozenset({ALLERGIES}),
        policies=(),
        made=NOW,
        correlation_id="c",
    ).record
    assert made.gaps == ()
    assert len(made.allergies) == 1


def test_a_contribution_that_does_not_match_is_set_apart_and_not_shown() -> None:
    other = SystemRead(patient("rio", "1950-04-03"), True, None, {ALLERGIES: SectionRead((allergy("rio"),))})
    made = record(asked("rio", other), asked("gp", read("gp")))
    assert len(made.allergies) == 0
    assert made.allergies.status == "partial"
    (apart,) = made.unmatched
    assert (apart.system, apart.reason, apart.kinds) == ("rio", "birth-date-differs", (ALLERGIES,))
    assert next(s.outcome for s in made.systems if s.system == "rio") == "set-apart"


def test_an_excluded_kind_is_not_named_among_what_was_set_apart() -> None:
    other = SystemRead(
        patient("rio", "1950-04-03"), True, None, {ALLERGIES: SectionRead((allergy("rio", "X", "111"),))}
    )
    policy = Exclusion(ExclusionSettings(codes=("111",), seed=False))
    made = record(asked("rio", other), policies=[(exclusion_spec, policy)])
    assert made.unmatched[0].kinds == ()


def test_without_a_trace_the_person_is_treated_as_restricted_and_the_record_says_so() -> None:
    made = record(
        asked("rio", read("rio", allergy("rio", note=("Lives at 1 Wolfscote",)))),
        untraced=True,
        trace_failure=TIMED_OUT,
        wanted=(ALLERGIES, SectionName.CONTACTS),
    )
    assert not made.identity_confirmed
    assert {g.reason for g in made.gaps} == {GapReason.TIMED_OUT, GapReason.IDENTITY_UNCONFIRMED}
    assert made.allergies[0].note == ()
    assert made.contacts.status == "restricted"
    assert "Wolfscote" not in made.to_json()


def test_without_a_trace_systems_that_disagree_are_all_set_apart() -> None:
    other = SystemRead(patient("gp", "1950-04-03"), True, None, {ALLERGIES: SectionRead((allergy("gp"),))})
    made = record(asked("rio", read("rio", allergy("rio"))), asked("gp", other), untraced=True, trace_failure=TIMED_OUT)
    assert {apart.system for apart in made.unmatched} == {"rio", "gp"}
    assert len(made.allergies) == 0
    assert made.patient.source.system == "caller"


@pytest.mark.parametrize("level", ["R", "V", "REDACTED", None])
def test_whoever_is_not_known_to_be_unrestricted_is_restricted(level: Any) -> None:
    noted = allergy("rio", note=("Lives at 1 Wolfscote",))
    made = record(asked("rio", read("rio", noted)), traced=patient("pds", restriction=level))
    assert made.is_restricted
    assert made.identity_confirmed
    assert "Wolfscote" not in made.to_json()
    assert made.allergies[0].words() == "text not shown"


def test_the_patient_is_the_tracing_services() -> None:
    made = record(asked("rio", read("rio")), traced=patient("pds", gender="female", restriction="U"))
    assert made.patient.source.system == "pds"
    assert made.identity_confirmed


def test_what_other_systems_hold_of_the_person_is_kept_beside_the_trace() -> None:
    deaf = patient("rio", reasonable_adjustments=(concept("Needs a sign language interpreter"),))
    said = SystemRead(deaf, True, None, {ALLERGIES: SectionRead()})
    made = record(asked("rio", said), asked("gp", NOT_HELD))
    assert made.patient.source.system == "pds"
    assert made.patient.reasonable_adjustments == ()
    assert made.held_as == (deaf,)
    # The tracing service's own record of the person is kept too, where it keeps one under another id.
    own = deaf.model_copy(update={"source": Source(system="pds", id="Patient/77", fetched=NOW)})
    made = record(asked("pds", SystemRead(own, True, None, {ALLERGIES: SectionRead()})))
    assert made.held_as == (own,)
    assert record(asked("pds", SystemRead(patient("pds"), True, None, {}))).held_as == ()
    # Of a restricted person nothing of it that could say where they are.
    made = record(asked("rio", said), traced=patient("pds", restriction="R"))
    assert [a.words() for a in made.held_as[0].reasonable_adjustments] == ["text not shown"]
    # And nothing at all of somebody who was set apart.
    other = SystemRead(deaf.model_copy(update={"birth_date": PartialDate("1950-04-03")}), True, None, {})
    assert record(asked("rio", other)).held_as == ()


def test_expectations_that_fail_are_named() -> None:
    made = record(asked("rio", read("rio")), expect=Demographics(family="Smith", birth_date=PartialDate("1950-03-04")))
    assert made.mismatches == ("family name",)


def test_explain_says_by_which_rule_a_source_joined() -> None:
    made = record(asked("rio", read("rio", allergy("rio"))), asked("gp", read("gp", allergy("gp"))))
    (one,) = made.allergies
    why = made.explain(one)
    assert {j.system: j.rule for j in why.joined} == {
        "rio": "number-birth-date-name",
        "gp": "number-birth-date-name",
    }
    assert "the same in every clinical field" in why.merged


def test_the_order_of_systems_makes_no_difference() -> None:
    parts = [
        asked("rio", read("rio", allergy("rio"), allergy("rio", "Latex"))),
        asked("gp", read("gp", allergy("gp"), allergy("gp", *NONE_KNOWN))),
        asked("icr", SILENT),
    ]
    one, other = record(*parts), record(*reversed(parts))
    assert one.allergies.items == other.allergies.items
    assert one.conflicts == other.conflicts
    assert set(one.gaps) == set(other.gaps)


def test_a_problem_in_the_wrong_section_never_arrives() -> None:
    stray = Condition(source=Source(system="rio", id="Condition/1", fetched=NOW), code=concept("Asthma"))
    made = record(asked("rio", read("rio", stray, name=PROBLEMS), holds=(PROBLEMS,)), wanted=(PROBLEMS,))
    assert [item.words() for item in made.problems] == ["Asthma"]
    assert made.allergies.status == "not-asked"


def test_a_section_has_no_truth_value() -> None:
    with pytest.raises(TypeError, match="empty never means none"):
        bool(record(asked("rio", read("rio"))).allergies)


def test_a_silent_system_is_a_gap_and_joins_nothing_nor_does_one_that_holds_nothing() -> None:
    made = record(asked("rio", read("rio")), asked("gp", SILENT), asked("icr", NOT_HELD))
    assert [(gap.system, gap.section, gap.reason) for gap in made.gaps] == [("gp", None, GapReason.TIMED_OUT)]
    assert [why.system for why in made.joined] == ["rio"]
    assert [answer.outcome for answer in made.systems] == ["answered", "silent", "holds-nothing"]


def test_an_item_may_name_any_number_that_the_system_has_for_the_person() -> None:
    old = Identifier.nhs("9990000026").model_copy(update={"use": "old"})
    both = patient("rio").model_copy(update={"identifiers": (Identifier.nhs(NUMBER), old)})
    filed = allergy("rio", subject=Reference(identifier=Identifier.nhs("9990000026")))
    made = record(asked("rio", SystemRead(both, True, None, {ALLERGIES: SectionRead((filed,), None)})))
    assert len(made.allergies) == 1
    assert made.gaps == ()


def test_of_a_restricted_person_a_warning_is_told_without_its_words() -> None:
    found = read("rio", Notice("data-in-transit", "From Elm Row."), Refusal("row of Elm Row", "Elm Row is not known"))
    (warning, refused) = record(asked("rio", found), traced=patient("pds", restriction="R")).allergies.warnings
    assert (warning.code, refused.code) == ("data-in-transit", "entries-refused")
    assert "Elm Row" not in warning.text + refused.text
    assert refused.text.startswith("1 entries could not be read")


def test_why_each_joined_is_its_own_rule_and_without_a_trace_nobody_is_shown_twice() -> None:
    made = record(asked("rio", read("rio")))
    assert [why.rule for why in made.joined] == ["number-birth-date-name"]
    elsewhere = patient("pds").model_copy(update={"source": Source(system="pds", id="Patient/9", fetched=NOW)})
    own = SystemRead(elsewhere, True, None, {ALLERGIES: SectionRead((), None)})
    assert [why.rule for why in record(asked("pds", own)).joined] == ["traced"]
    untraced = record(asked("rio", read("rio")), asked("gp", read("gp")), untraced=True)
    assert (untraced.patient.source.system, [held.source.system for held in untraced.held_as]) == ("gp", ["rio"])


def test_explain_says_what_makes_a_merged_item_one_and_which_plugin_says_so() -> None:
    def same(one: Concept, other: Concept, section: SectionName) -> bool | None:
        return True

    terms = SamenessSpec(name="terms", same=same, words="test")
    parts = [
        asked(
            "rio", read("rio", allergy("rio", "Latex", "1"), allergy("rio", "Wasp venom", "7"), allergy("rio", "Nuts"))
        ),
        asked(
            "gp",
            read("gp", allergy("gp", "Rubber latex", "1"), allergy("gp", "Wasp sting", "8"), allergy("gp", "NUTS")),
        ),
    ]
    made = record(*parts, sameness=[terms], wanted=(ALLERGIES,))
    told = {item.source.key: made.explain(item) for item in made.allergies}
    # The plugin calls everything the same: only what is exactly coded is joined by its word.
    assert {key: why.sameness.rule for key, why in told.items() if why.sameness} == {
        "gp:AllergyIntolerance/NUTS": "text",
        "gp:AllergyIntolerance/Rubber latex": "plugin",
        "gp:AllergyIntolerance/Wasp sting": "plugin",
    }
    assert "terms" in told["gp:AllergyIntolerance/Rubber latex"].merged
    without = record(*parts)
    told = {item.source.key: without.explain(item) for item in without.allergies}
    by = told["gp:AllergyIntolerance/Rubber latex"]
    assert by.sameness is not None and by.sameness.rule == "code"
    assert "the same in every clinical field; what it is about has the same code in each." in by.merged
    assert told["rio:AllergyIntolerance/Wasp venom"].merged == "Only rio says this."
    assert Record.from_json(without.to_json()) == without


def test_explain_tells_of_an_override_as_of_any_rule() -> None:
    made = record(asked("rio", read("rio", allergy("rio"))))
    linked = Joined(system="rio", rule="linked", text="two people said that this is the same person")
    overruled = made.model_copy(update={"joined": (linked,)})
    assert overruled.explain(overruled.allergies[0]).joined == (linked,)
    assert "two people said" in overruled.explain(overruled.allergies[0]).words()


def test_explain_of_the_person_themself() -> None:
    made = record(asked("pds", SystemRead(patient("pds"), True, None, {ALLERGIES: SectionRead()})))
    assert [why.rule for why in made.explain(made.patient).joined] == ["traced"]
    nobody = record(untraced=True)
    assert nobody.explain(nobody.patient).merged == "No system says this: it is what the record was asked for by."
    with pytest.raises(UsageError):
        made.explain(allergy("rio"))


def test_a_terminology_plugin_that_fails_is_said_and_costs_nothing() -> None:
    def fails(one: Concept, other: Concept, section: SectionName) -> bool | None:
        raise RuntimeError(one.words())

    broken = SamenessSpec(name="terms", same=fails, words="test")
    parts = [
        asked("rio", read("rio", allergy("rio", "Penicillin", "1"))),
        asked("gp", read("gp", allergy("gp", "Latex", "2"), allergy("gp", *NONE_KNOWN))),
    ]
    made, plain = record(*parts, sameness=[broken]), record(*parts)
    (notice,) = made.notices
    assert notice.code == "sameness-failed" and "terms" in notice.text and "Penicillin" not in notice.text
    assert (made.allergies, made.conflicts) == (plain.allergies, plain.conflicts)


def test_uncoded_allergies_of_a_restricted_person_are_not_taken_for_one() -> None:
    parts = [asked("rio", read("rio", allergy("rio", "Latex"))), asked("gp", read("gp", allergy("gp", "Penicillin")))]
    made = record(*parts, traced=patient("pds", restriction="R"))
    assert [item.words() for item in made.allergies] == ["text not shown", "text not shown"]
    assert made.conflicts == ()


def test_the_address_of_a_restricted_person_is_not_compared() -> None:
    home = patient("rio", addresses=(Address(postal_code="ZZ99 1AA"),))
    said = SystemRead(home, True, None, {ALLERGIES: SectionRead()})
    elsewhere = (Address(postal_code="ZZ99 9ZZ"),)
    expect = Demographics(postal_code="ZZ99 5ZZ")
    open_ = record(asked("rio", said), traced=patient("pds", restriction="U", addresses=elsewhere), expect=expect)
    assert [conflict.kind for conflict in open_.conflicts] == ["address-differs"]
    assert open_.mismatches == ("postcode",)
    hidden = record(asked("rio", said), traced=patient("pds", restriction="R", addresses=elsewhere), expect=expect)
    assert hidden.conflicts == ()
    assert hidden.mismatches == ()


def test_a_record_says_what_was_withdrawn_everywhere() -> None:
    gone = allergy("rio", verification_status=concept(None, "entered-in-error", "http://x"))
    made = record(asked("rio", read("rio", gone)))
    assert "WITHDRAWN (Entered in error): Penicillin" in summary(made)
    lists = [e["resource"] for e in made.to_fhir()["entry"] if e["resource"]["resourceType"] == "List"]
    flags = [entry["flag"]["text"] for one in lists for entry in one.get("entry", ()) if "flag" in entry]
    assert flags == ["Withdrawn: Entered in error"]
    assert "Entered in error" in record_page(made)


@pytest.mark.parametrize("seed", range(3))
def test_a_whole_record_is_the_same_in_any_order_of_systems_and_entries(seed: int) -> None:
    """Three systems, 400 items of nine kinds; test_merge_properties.py has every kind and field."""
    chance = random.Random(seed)

    def shuffled(one: Asked) -> Asked:
        assert one.read is not None
        sections = {
            name: SectionRead(tuple(chance.sample(section.found, len(section.found))))
            for name, section in chance.sample(sorted(one.read.sections.items()), len(one.read.sections))
        }
        return replace(one, read=replace(one.read, sections=sections))

    parts = asked_systems(400)
    every = tuple(SectionName)
    one = record(*parts, wanted=every)
    other = record(*map(shuffled, chance.sample(parts, len(parts))), wanted=every)
    assert sum(bool(item.also) for item in one.items()) > 50
    assert len(one.conflicts) > 1
    for name in SectionName:
        assert one.section(name).items == other.section(name).items
    assert (one.conflicts, one.sameness, one.held_as) == (other.conflicts, other.sameness, other.held_as)
    assert set(one.joined) == set(other.joined)


def index(number: str = NUMBER) -> Asked:
    """An index that files under NHS numbers and says nothing else of anybody."""
    bare = Patient(
        source=Source(system="nrl", id=f"Patient/{number}", fetched=NOW), identifiers=(Identifier.nhs(number),)
    )
    said = SystemRead(bare, True, None, {ALLERGIES: SectionRead((allergy("nrl", "Latex"),), None)})
    return asked("nrl", said, keeps_demographics=False)


def test_what_an_index_files_under_the_traced_number_joins_and_is_no_account_of_the_person() -> None:
    found = record(index())
    assert [item.key for item in found.allergies] == ["nrl:AllergyIntolerance/Latex"]
    assert [why.rule for why in found.joined] == ["traced-number"]
    assert found.held_as == ()
    assert found.explain(found.allergies[0]).words().startswith("nrl: the source keeps no demographics")


def test_what_it_files_under_another_number_is_set_apart() -> None:
    found = record(index("9990000026"))
    assert found.allergies.status == "unavailable"
    assert [(apart.system, apart.reason) for apart in found.unmatched] == [("nrl", "number-differs")]


def test_without_a_trace_an_index_is_set_apart_and_spoils_nobodys_agreement() -> None:
    found = record(asked("rio", read("rio", allergy("rio"))), index(), untraced=True)
    assert [(apart.system, apart.reason) for apart in found.unmatched] == [("nrl", "number-not-traced")]
    assert [why.rule for why in found.joined] == ["untraced-agree"]
