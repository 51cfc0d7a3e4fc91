"""An adapter that reads what was pushed: who it finds, what a silent or missing feed becomes, and former numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from mpftconnect.adapters import AdapterContext, PushedAdapter, Reading, reads_pushed
from mpftconnect.errors import AnswerRejected, ConfigurationError, FeedOverdue, NotDeclared
from mpftconnect.model import (
    NHS_NUMBER_SYSTEM,
    HumanName,
    Identifier,
    Item,
    NhsNumber,
    Observation,
    PartialDate,
    Patient,
    Reference,
    SectionName,
    Source,
    concept,
)

OURS, FORMER = NhsNumber("9990000018"), NhsNumber("9990000107")


class Hospital(PushedAdapter):
    read_results = reads_pushed(SectionName.RESULTS)
    read_encounters = reads_pushed(SectionName.ENCOUNTERS)


@dataclass
class Inbox:
    """What stands, by number; `silent` says since when."""

    people: Mapping[str, Sequence[Patient]] = field(default_factory=dict)
    held: Mapping[str, Sequence[Item]] = field(default_factory=dict)
    silent: str | None = None
    brings: frozenset[SectionName] = frozenset({SectionName.RESULTS})

    def serves(self, section: SectionName) -> bool:
        return section in self.brings

    def patients(self, number: str) -> Sequence[Patient]:
        return self.people.get(number, ())

    def read(self, number: str, section: SectionName) -> Iterator[Item]:
        yield from self.held.get(number, ())
        if self.silent is not None:
            raise FeedOverdue(self.silent)

    def overdue(self, section: SectionName | None = None) -> str | None:
        return self.silent


def _source(id: str) -> Source:
    return Source(system="hospital", id=id, mode="feed", fetched=datetime(2026, 1, 2, tzinfo=UTC))


def _patient(local: str, family: str = "Testworth", born: str | None = "1950-03-04") -> Patient:
    return Patient(
        source=_source(f"Patient/{local}"),
        identifiers=(Identifier.nhs(OURS), Identifier(system="urn:zz1", value=local)),
        names=(HumanName(family=family),),
        birth_date=PartialDate(born) if born else None,
    )


def _result(id: str, text: str = "Potassium") -> Observation:
    return Observation(source=_source(id), status="final", code=concept(text))


def _open(inbox: Inbox | None) -> Hospital:
    return Hospital(cast("AdapterContext", _Context(inbox)), site="Northmere")


@dataclass
class _Context:
    inbox: Any
    name: str = "hospital"


def _reading() -> Reading:
    unused = cast("Any", None)
    return Reading(
        system="hospital", who=unused, wire=unused, deadline=unused, nhs_number=OURS, former_numbers=(FORMER,)
    )


def test_without_an_inbox_it_does_not_open():
    with pytest.raises(ConfigurationError, match=r"systems\.hospital"):
        _open(None)


def test_a_system_without_feeds_does_not_say_that_it_holds_nobody():
    with pytest.raises(NotDeclared, match="no feed"):
        _open(Inbox(brings=frozenset())).find_patient(_reading())
    (step,) = _open(Inbox(brings=frozenset())).check_connection(None)
    assert not step.ok and "hospital" in step.advice


def test_nobody_is_nobody_only_while_every_feed_is_heard():
    assert _open(Inbox()).find_patient(_reading()) is None
    with pytest.raises(FeedOverdue, match="last heard 14:02"):
        _open(Inbox(silent="last heard 14:02")).find_patient(_reading())


def test_somebody_is_found_although_a_feed_is_silent():
    found = _open(Inbox({OURS: [_patient("1")]}, silent="last heard 14:02")).find_patient(_reading())
    assert found is not None and found.nhs_number == OURS


def test_records_of_one_person_are_one_with_all_their_numbers():
    found = _open(Inbox({OURS: [_patient("1")], FORMER: [_patient("2", born=None)]})).find_patient(_reading())
    assert found is not None
    assert {each.value for each in found.identifiers} == {OURS, "1", "2"}


@pytest.mark.parametrize("other", [_patient("2", born="1950-04-03"), _patient("2", family="Elsewhere")])
def test_records_of_two_people_under_one_number_are_rejected(other):
    with pytest.raises(AnswerRejected) as wrong:
        _open(Inbox({OURS: [_patient("1"), other]})).find_patient(_reading())
    assert "1950" not in str(wrong.value) and "Elsewhere" not in str(wrong.value)


def test_what_came_under_another_of_the_persons_numbers_names_the_person_as_found():
    """A hospital may have two numbers for one person; an item that names another NHS number is the hub's to refuse."""
    subject = Reference(
        reference="Patient/old", type="Patient", identifier=Identifier(system=NHS_NUMBER_SYSTEM, value=OURS)
    )
    elsewhere = Reference(reference="Group/7")
    items = [_result(str(place)).model_copy(update={"subject": one}) for place, one in enumerate((subject, elsewhere))]
    adapter = _open(Inbox({OURS: [_patient("new")]}, {OURS: items}))
    reading = replace(_reading(), patient=adapter.find_patient(_reading()))
    about, other = (item.subject for item in adapter.read_results(reading))
    assert (about.reference, about.identifier) == ("Patient/new", subject.identifier)
    assert other == elsewhere


def test_a_thing_under_a_former_number_is_shown_once_and_silence_comes_last():
    held = {OURS: [_result("a", "newer")], FORMER: [_result("a", "older"), _result("b")]}
    reads = _open(Inbox(held=held, silent="last heard 14:02")).read_results(_reading())
    found = [next(reads), next(reads)]
    with pytest.raises(FeedOverdue):
        next(reads)
    assert [(each.source.id, each.code.text) for each in found] == [("a", "newer"), ("b", "Potassium")]


def test_a_section_that_no_feed_brings_is_a_gap():
    with pytest.raises(NotDeclared, match="no feed of Northmere brings encounters"):
        list(_open(Inbox(held={OURS: [_result("a")]})).read_encounters(_reading()))
