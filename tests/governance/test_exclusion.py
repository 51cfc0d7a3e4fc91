"""The silent exclusion: by code, organisation, service, phrase, raw entry, and in everything derived."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mpftconnect.adapters.contract import Refusal
from mpftconnect.errors import ConfigurationError
from mpftconnect.governance.exclusion import SEED_CODES, ExclusionSettings, exclusion_spec
from mpftconnect.governance.policies import Contribution, Taken
from mpftconnect.model import (
    Action,
    Actor,
    Appointment,
    CarePlan,
    CareTeam,
    Condition,
    ContingencyPlan,
    DiagnosticReport,
    DocumentReference,
    Encounter,
    Extra,
    Identifier,
    Item,
    Line,
    MedicationStatement,
    NoteHeading,
    Notice,
    Observation,
    Participant,
    Patient,
    ProblemLink,
    ProgressNote,
    Reference,
    SectionName,
    ServiceRequest,
    Source,
    concept,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = ExclusionSettings(
    systems=("clinic",), organisations=("ZZ9", "Quiet House"), services=("Quiet Service",), codes=("111",),
    phrases=("quiet matter",), seed=False,
)  # fmt: skip


def source(id_: str) -> Source:
    return Source(system="rio", id=id_, fetched=NOW)


def kept(items: list[Item], settings: ExclusionSettings = SETTINGS) -> tuple[list[Item], tuple[Taken, ...]]:
    policy = exclusion_spec.build(settings)
    shown, taken = policy.apply(Contribution("rio", None, {SectionName.NOTES: tuple(items)}))
    return list(shown.items[SectionName.NOTES]), taken


plain = Condition(source=source("Condition/1"), code=concept("Asthma", "195967001"))


@pytest.mark.parametrize(
    "item",
    [
        Condition(source=source("x"), code=concept("Something", "111")),
        Observation(source=source("x"), code=concept("Test"), value=concept(None, "111")),
        Appointment(source=source("x"), service=concept("quiet  SERVICE")),
        Appointment(source=source("x"), location=(Actor(name="Quiet House"),)),
        DocumentReference(source=source("x"), custodian=Actor(organization_code="ZZ9")),
        DocumentReference(source=source("x"), author=Actor(organization="quiet house")),
        ServiceRequest(source=source("x"), performers=(Actor(role="Quiet Service"),)),
        ProgressNote(source=source("x"), text="Seen about a Quiet\nMatter today."),
        Encounter(source=source("x"), encounter=None, provider=Actor(organization_code="ZZ9")),
        Condition(source=source("x"), code=concept("A"), extra=(Extra(path="a", json_text='{"b":[{"code":"111"}]}'),)),
        Condition(source=source("x"), code=concept("A"), extra=(Extra(path="a", json_text='"ZZ9"'),)),
        Encounter(source=source("x"), based_on=(Reference(display="Quiet House"),)),
        Encounter(source=source("x"), based_on=(Reference(identifier=Identifier(value="ZZ9")),)),
    ],
    ids=lambda item: type(item).__name__,
)
def test_each_way_of_giving_it_away(item: Item) -> None:
    shown, taken = kept([plain, item])
    assert shown == [plain]
    assert [one.item for one in taken] == ["x"]


def test_what_only_looks_like_it_stays() -> None:
    items: list[Item] = [
        Condition(source=source("1"), code=concept("Code 1111", "1111")),
        ProgressNote(source=source("2"), text="A quiet matterhorn picture"),
        Appointment(source=source("3"), service=concept("Quiet Service for Bats")),
    ]
    assert kept(items) == (items, ())


def test_what_is_derived_goes_too_however_long_the_chain() -> None:
    encounter = Encounter(source=source("Encounter/1"), service=concept("Quiet Service"))
    result = Observation(
        source=source("Observation/2"), code=concept("T"), encounter=Reference(reference="Encounter/1")
    )
    report = DiagnosticReport(
        source=source("DiagnosticReport/3"),
        code=concept("R"),
        results=(Reference(reference="https://rio.example/fhir/Observation/2"),),
    )
    letter = DocumentReference(
        source=source("DocumentReference/4"), based_on=(Reference(reference="DiagnosticReport/3/_history/7"),)
    )
    shown, taken = kept([letter, report, plain, result, encounter])
    assert shown == [plain]
    assert len(taken) == 4


def test_a_problem_takes_what_belongs_to_it_but_no_contact() -> None:
    """GP systems link from the problem to its entries, which do not point back."""
    visit = Encounter(source=source("Encounter/1"))
    problem = Condition(
        source=source("Condition/2"),
        code=concept("Something", "111"),
        content=(Reference(reference="Observation/3"), Reference(reference="Encounter/1")),
        actual=Reference(reference="https://gp.example/fhir/Observation/4"),
    )
    advice = Observation(source=source("Observation/3"), code=concept("Advice given"))
    finding = Observation(source=source("Observation/4"), code=concept("Finding"))
    report = DiagnosticReport(
        source=source("DiagnosticReport/5"), code=concept("Report"), results=(Reference(reference="Observation/3"),)
    )
    items: list[Item] = [report, finding, advice, problem, visit, plain]
    assert kept(items)[0] == [visit, plain]
    assert kept(items[::-1])[0] == [plain, visit]


def test_a_medicine_takes_the_prescription_that_it_rests_on() -> None:
    statement = MedicationStatement(
        source=source("MedicationStatement/1"),
        medication=concept("Tablets"),
        reason=(concept("Something", "111"),),
        based_on=(Reference(reference="MedicationRequest/2"), Reference(reference="CarePlan/3")),
    )
    prescription = MedicationStatement(
        source=source("MedicationRequest/2"), kind="request", medication=concept("Tablets")
    )
    plan = CarePlan(source=source("CarePlan/3"), title="Plan")
    assert kept([prescription, statement, plan])[0] == [plan]


def test_a_care_plan_and_a_team_lose_lines_and_not_themselves() -> None:
    appointment = Appointment(source=source("Appointment/9"), service=concept("Quiet Service"))
    plan = CarePlan(
        source=source("CarePlan/1"),
        status="active",
        actions=(
            Action(description="Go there", reference=Reference(reference="Appointment/9")),
            Action(description="Walk every day"),
        ),
        about_me=(Line(description="About the quiet matter"), Line(description="I like tea")),
        contingency=(
            ContingencyPlan(
                what_to_do=(Line(description="Ring me"), Line(description="x", code=concept(None, "111"))),
                whom_to_call=(Actor(organization_code="ZZ9"), Actor(name="Sister")),
            ),
        ),
        extra=(Extra(path="a", json_text='"111"'),),
    )
    team = CareTeam(
        source=source("CareTeam/1"),
        participants=(
            Participant(actor=Actor(name="A", organization="Quiet House")),
            Participant(actor=Actor(name="B")),
        ),
    )
    shown, taken = kept([appointment, plan, team])
    left, people = shown
    assert isinstance(left, CarePlan)
    assert isinstance(people, CareTeam)
    assert [a.description for a in left.actions] == ["Walk every day"]
    assert [a.description for a in left.about_me] == ["I like tea"]
    assert [a.description for a in left.contingency[0].what_to_do] == ["Ring me"]
    assert [a.name for a in left.contingency[0].whom_to_call] == ["Sister"]
    assert left.extra == ()
    assert [p.actor.name for p in people.participants] == ["B"]
    assert sorted((one.item, one.whole) for one in taken) == [
        ("Appointment/9", True),
        ("CarePlan/1", False),
        ("CareTeam/1", False),
    ]


def test_a_problem_loses_links_and_not_itself() -> None:
    excluded = Observation(source=source("Observation/9"), code=concept("x", "111"))
    there, hidden = Reference(reference="Observation/1"), Reference(reference="Observation/9", display="x")
    linked = plain.model_copy(update={"content": (there, hidden), "related": (ProblemLink(problem=hidden),)})
    (left,), taken = kept([excluded, linked])
    assert isinstance(left, Condition)
    assert (left.content, left.related) == ((there,), ())
    assert [(one.item, one.whole) for one in taken] == [("Observation/9", True), ("Condition/1", False)]


def test_a_problem_that_is_an_excluded_thing_goes_whole() -> None:
    excluded = Observation(source=source("Observation/9"), code=concept("x", "111"))
    for link in ({"actual": Reference(reference="Observation/9")}, {"encounter": Reference(reference="Observation/9")}):
        assert kept([excluded, plain.model_copy(update=link)])[0] == []


def test_a_note_with_an_excluded_entry_under_a_heading_goes_whole() -> None:
    excluded = Observation(source=source("Observation/9"), code=concept("x", "111"))
    for place in ("items", "problems"):
        heading = NoteHeading(title="History", **{place: (Reference(reference="Observation/9"),)})
        note = ProgressNote(source=source("List/1"), text="History:\n- x", headings=(heading,))
        assert kept([excluded, note])[0] == []


def test_a_plan_of_the_excluded_service_goes_whole() -> None:
    plan = CarePlan(source=source("CarePlan/1"), service=concept("Quiet Service"), about_me=(Line(description="x"),))
    assert kept([plan])[0] == []


def test_a_refused_entry_gives_no_hint_either() -> None:
    policy = exclusion_spec.build(SETTINGS)
    hinting = Refusal(
        "entry[3]", "broken", content={"resourceType": "Condition", "code": {"coding": [{"code": "111"}]}}
    )
    plainly = Refusal("entry[4]", "broken", content={"resourceType": "Condition"})
    item = Refusal("entry[5]", "broken", content=Condition(source=source("x"), code=concept("A", "111")))
    raw = Refusal("row 6", "broken", content=[b"ZZ9", 111])
    shown, taken = policy.apply(
        Contribution("rio", None, {}, {}, {SectionName.PROBLEMS: (hinting, plainly, item, raw)})
    )
    assert shown.refusals[SectionName.PROBLEMS] == (plainly,)
    assert len(taken) == 3


def test_an_excluded_system_is_never_asked() -> None:
    policy = exclusion_spec.build(SETTINGS)
    assert policy.withholds_system("clinic")
    assert not policy.withholds_system("rio")


def test_codes_come_from_files_too_and_the_seed_list_can_be_left_out(tmp_path: Path) -> None:
    refset = tmp_path / "refset.txt"
    refset.write_text('"222",Something\n\n333\tElse\n', encoding="utf-8-sig")
    settings = ExclusionSettings(code_files=(str(refset),))
    seed = sorted(SEED_CODES)[0]
    items: list[Item] = [
        Condition(source=source(code), code=concept("A", code)) for code in ("222", "333", seed, "444")
    ]
    assert [item.source.id for item in kept(items, settings)[0]] == ["444"]
    # The list that ships says that it is incomplete, until the licensed ones are configured.
    assert exclusion_spec.build(settings).cautions == ()
    assert "incomplete" in exclusion_spec.build(ExclusionSettings()).cautions[0]
    assert len(kept(items, settings.model_copy(update={"seed": False, "code_files": ()}))[0]) == 4


def test_a_patient_record_loses_what_names_it_and_nothing_else() -> None:
    policy = exclusion_spec.build(SETTINGS)
    patient = Patient(
        source=source("Patient/1"),
        gender="female",
        managing_organization=Actor(organization_code="ZZ9"),
        general_practitioner=(Actor(name="Dr Pentland"), Actor(organization="Quiet House")),
        extra=(Extra(path="a", json_text='"ZZ9"'), Extra(path="b", json_text="1")),
    )
    shown, _ = policy.apply(Contribution("rio", patient))
    assert shown.patient == patient.model_copy(
        update={
            "managing_organization": None,
            "general_practitioner": (Actor(name="Dr Pentland"),),
            "extra": (Extra(path="b", json_text="1"),),
        }
    )


def test_a_warning_that_speaks_of_it_goes_too() -> None:
    policy = exclusion_spec.build(SETTINGS)
    speaking = tuple(
        Notice("confidential-items", text)
        for text in ("Items of quiet house are held back.", "The Quiet  Service withholds 2.", "Code 111 is not shown.")
    )
    plainly = (Notice("confidential-items", "Items are held back."), Notice("x", "1111 disquiet houses"))
    shown, taken = policy.apply(Contribution("rio", None, {}, {SectionName.PROBLEMS: (*speaking, *plainly)}))
    assert shown.notices[SectionName.PROBLEMS] == plainly
    assert len(taken) == 3


@pytest.mark.parametrize(
    "item",
    [
        CareTeam(source=source("x"), name="Quiet Service"),
        Appointment(source=source("x"), description="quiet house"),
        Observation(source=source("x"), code=concept("T"), identifiers=(Identifier(value="ZZ9"),)),
    ],
)
def test_a_name_or_identifier_that_is_nothing_else(item: Item) -> None:
    assert kept([plain, item])[0] == [plain]


def test_what_points_at_it_from_a_plans_whole_or_from_left_over_values() -> None:
    encounter = Encounter(source=source("Encounter/1"), service=concept("Quiet Service"))
    plan = CarePlan(
        source=source("CarePlan/1"), encounter=Reference(reference="Encounter/1"), about_me=(Line(description="Tea"),)
    )
    extra = Extra(path="a", json_text='{"reference":"https://rio.example/fhir/Encounter/1/_history/2"}')
    hinting = Condition(source=source("Condition/2"), code=concept("A"), extra=(extra,))
    shown, _ = kept([encounter, plan, hinting, plain])
    assert shown == [plan.model_copy(update={"encounter": None}), plain]


def test_reference_set_files_are_read_by_their_own_columns(tmp_path: Path) -> None:
    refset = tmp_path / "der2_Refset.txt"
    header = "id\teffectiveTime\tactive\tmoduleId\trefsetId\treferencedComponentId"
    refset.write_text(f"{header}\n800aa109\t2024\t1\t9\t8\t222\n800aa110\t2024\t0\t9\t8\t333\nbroken\n")
    settings = ExclusionSettings(code_files=(str(refset),), seed=False)
    items: list[Item] = [Condition(source=source(code), code=concept("A", code)) for code in ("222", "333", "9")]
    assert [item.source.id for item in kept(items, settings)[0]] == ["333", "9"]


def test_a_list_that_would_exclude_nothing_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n \n")
    for name in ("empty.txt", "missing.txt"):
        with pytest.raises(ConfigurationError, match=r"code_files\.0"):
            exclusion_spec.build(ExclusionSettings(code_files=(str(tmp_path / name),)))
