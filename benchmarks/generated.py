"""What three systems would say of one person of whom much is known: any number of items, the same at every run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from mpftconnect import load_plugins
from mpftconnect.governance.policies import Policy, PolicySpec
from mpftconnect.hub import Record
from mpftconnect.hub.assemble import Asked, Person, assemble
from mpftconnect.hub.fan_out import SectionRead, SystemRead
from mpftconnect.model import (
    Actor,
    AllergyIntolerance,
    Appointment,
    CarePlan,
    Condition,
    DocumentReference,
    Dosage,
    Encounter,
    Extra,
    HumanName,
    Identifier,
    Item,
    MedicationStatement,
    Observation,
    PartialDate,
    Patient,
    Period,
    ProgressNote,
    Quantity,
    ReferenceRange,
    SectionName,
    Source,
    When,
    concept,
)
from mpftconnect.model.care_plan import Action, Goal
from mpftconnect.sandbox import EXCLUDED

__all__ = ["asked_systems", "assembled", "policies"]

NUMBER = "9990000018"
MADE = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
SYSTEMS = ("practice", "hospital", "community")
NURSE = Actor(name="Ifeoma Adeyemi-Clarke", role="community nurse", organization="Northmere Community Services")
WORDS = "Seen at home.\nWalks to the gate with a stick, sleeps better, eats twice a day. Reviewed the plan with her. "
# What a source sends beyond the model; every third result has some.
LEFT_OVER = (Extra(path="extension[0]", json_text='{"url":"https://example.org/device","valueString":"Bench 4"}'),)


def _day(n: int) -> str:
    return (MADE - timedelta(days=n % 4000)).strftime("%Y-%m-%d")


def _result(source: Source, n: int) -> Item:
    return Observation(
        source=source,
        code=concept("Serum potassium", "1000651000000109"),
        status="final",
        category=(concept("Laboratory"),),
        effective=When(f"{_day(n)}T08:15:00+00:00"),
        value=Quantity(
            value=f"{3 + n % 30 / 10:.2f}", unit="mmol/L", system="http://unitsofmeasure.org", code="mmol/L"
        ),
        reference_ranges=(ReferenceRange(low=Quantity(value="3.5"), high=Quantity(value="5.3")),),
        performers=(Actor(organization="Northmere Pathology Service"),),
        extra=LEFT_OVER if n % 3 == 0 else (),
    )


def _medicine(source: Source, n: int) -> Item:
    return MedicationStatement(
        source=source,
        status="active" if n % 3 else "stopped",
        medication=concept(f"Medicine {n % 97} 50 mg tablets", f"3219270{n % 97:02}"),
        dosage=(Dosage(text="One tablet each morning", route=concept("Oral")),),
        effective=Period(start=When(_day(n))),
        author=NURSE,
    )


def _problem(source: Source, n: int) -> Item:
    return Condition(
        source=source,
        code=concept(f"Problem {n}", str(59_621_000 + n)),
        clinical_status=concept("Active"),
        onset=When(_day(n)[:7]),
        recorded=When(_day(n)),
        author=NURSE,
    )


def _encounter(source: Source, n: int) -> Item:
    period = Period(start=When(f"{_day(n)}T10:00:00"), end=When(f"{_day(n)}T10:40:00"))
    return Encounter(source=source, status="finished", type=(concept("Home visit"),), period=period, provider=NURSE)


def _note(source: Source, n: int) -> Item:
    return ProgressNote(source=source, text=WORDS * (1 + n % 8), date=When(f"{_day(n)}T10:45:00"), author=NURSE)


def _document(source: Source, n: int) -> Item:
    return DocumentReference(
        source=source, status="current", type=concept("Letter"), date=When(_day(n)), description=f"Letter {n}"
    )


def _appointment(source: Source, n: int) -> Item:
    return Appointment(source=source, status="booked", start=When(f"{_day(n)}T14:00:00"), description="Clinic visit")


def _allergy(source: Source, n: int) -> Item:
    return AllergyIntolerance(source=source, code=concept(f"Substance {n}"), recorded=When(_day(n)), author=NURSE)


def _plan(source: Source, n: int) -> Item:
    return CarePlan(
        source=source,
        status="active" if n % 2 else "completed",
        title=f"Plan {n}",
        period=Period(start=When(_day(n))),
        goals=tuple(Goal(description=f"Goal {goal}: {WORDS}") for goal in range(4)),
        actions=tuple(Action(description=f"Action {action}: {WORDS}") for action in range(6)),
    )


# Of every hundred items so many of each kind, about as a long record of community care has them.
_KINDS: tuple[tuple[int, SectionName, Callable[[Source, int], Item]], ...] = (
    (40, SectionName.RESULTS, _result),
    (12, SectionName.MEDICATIONS, _medicine),
    (10, SectionName.PROBLEMS, _problem),
    (14, SectionName.ENCOUNTERS, _encounter),
    (14, SectionName.NOTES, _note),
    (4, SectionName.DOCUMENTS, _document),
    (3, SectionName.APPOINTMENTS, _appointment),
    (2, SectionName.ALLERGIES, _allergy),
    (1, SectionName.CARE_PLANS, _plan),
)
_BY_HUNDRED = tuple(kind for kind in _KINDS for _ in range(kind[0]))


def _patient(system: str) -> Patient:
    return Patient(
        source=Source(system=system, id="Patient/1", fetched=MADE),
        identifiers=(Identifier.nhs(NUMBER),),
        names=(HumanName(family="Okonjo", given=("Ada",)),),
        birth_date=PartialDate("1950-03-04"),
        restriction="U" if system == "pds" else None,
    )


def asked_systems(count: int) -> list[Asked]:
    """The answers of three systems with `count` items in all, one in five of which two systems both hold."""
    found: dict[str, dict[SectionName, list[Item]]] = {system: {} for system in SYSTEMS}
    for n in range(count):
        # Every fifth says what the one before it said, from the next system.
        told = n - 1 if n % 5 == 4 else n
        system = SYSTEMS[n % len(SYSTEMS)]
        _, name, make = _BY_HUNDRED[told * 37 % 100]
        source = Source(system=system, id=f"{name}/{n}", fetched=MADE)
        found[system].setdefault(name, []).append(make(source, told))
    every = frozenset(SectionName)
    return [
        Asked(
            system=system,
            supplier="Generated",
            product=system,
            tried_against="nothing",
            assumed=False,
            environment="test",
            could_hold=every,
            read=SystemRead(
                _patient(system), True, None, {name: SectionRead(tuple(items)) for name, items in sections.items()}
            ),
        )
        for system, sections in found.items()
    ]


def policies() -> list[tuple[PolicySpec, Policy]]:
    """The policy on what is never shown, as the sandbox configures it."""
    spec = load_plugins().policies["never-shown"]
    return [(spec, spec.build(spec.settings.model_validate(EXCLUDED)))]


def assembled(asked: list[Asked], settled: list[tuple[PolicySpec, Policy]]) -> Record:
    """One record of what the systems said."""
    person = Person(NUMBER, frozenset({NUMBER}), _patient("pds"), "pds")
    return assemble(
        person, asked, wanted=frozenset(SectionName), policies=settled, made=MADE, correlation_id="benchmark"
    ).record
