"""One system in the background: what came is kept, what failed is said, and nobody waits beyond the deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from mpftconnect.adapters.contract import Found, Reading, Refusal
from mpftconnect.adapters.deadline import Deadline
from mpftconnect.errors import AnswerRejected, GapReason, NotShown
from mpftconnect.events import EventStream
from mpftconnect.hub.fan_out import Failure, SystemRead, SystemReading, call
from mpftconnect.model import AccessContext, Condition, Encounter, Notice, Patient, SectionName, Source, concept

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SOURCE = Source(system="rio", id="1", fetched=NOW)
PATIENT = Patient(source=SOURCE)
WHO = AccessContext(user="u", name="n", role="r", organisation="o", purpose="direct-care", relationship="caseload")
ASTHMA = Condition(source=SOURCE, code=concept("Asthma"))
PROBLEMS, NOTES = SectionName.PROBLEMS, SectionName.NOTES


class Fake:
    """An adapter of plain functions."""

    def __init__(self, find: Callable[[], Any] = lambda: PATIENT, **reads: Callable[[], Any]) -> None:
        self._find = find
        for name, read in reads.items():
            setattr(self, f"read_{name}", lambda reading, read=read: read())

    def find_patient(self, reading: Reading) -> Any:
        return self._find()

    def check_connection(self, wire: Any) -> Any:
        return ()


def read(adapter: Any, *sections: SectionName, seconds: float = 5, **more: Any) -> SystemRead:
    reading = Reading(system="rio", who=WHO, wire=None, deadline=Deadline.after(seconds))  # type: ignore[arg-type]
    one = SystemReading(adapter, reading, sections, parallel=2, events=EventStream(), **more).start()
    return one.result(reading.deadline)


def raising(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


def test_each_section_stands_for_itself() -> None:
    said = read(
        Fake(problems=lambda: [ASTHMA], notes=raising(AnswerRejected("bad", place="entry[1]"))), PROBLEMS, NOTES
    )
    assert said.sections[PROBLEMS].found == (ASTHMA,)
    assert said.sections[PROBLEMS].failure is None
    assert said.sections[NOTES].failure == Failure(GapReason.ANSWER_REJECTED, "entry[1]: bad")


def test_what_came_before_a_failure_is_kept() -> None:
    def half() -> Iterator[Found]:
        yield ASTHMA
        raise AnswerRejected("truncated")

    said = read(Fake(problems=half), PROBLEMS)
    assert said.sections[PROBLEMS].found == (ASTHMA,)
    assert said.sections[PROBLEMS].failure is not None


@pytest.mark.parametrize(
    ("find", "reason"),
    [
        (raising(NotShown("not found")), GapReason.NOT_SHOWN),
        (raising(ZeroDivisionError("Wolfenstein")), GapReason.ADAPTER_FAULT),
        (lambda: "no patient", GapReason.ADAPTER_FAULT),
    ],
)
def test_a_failure_to_find_is_the_systems_gap_without_a_strangers_words(
    find: Callable[[], Any], reason: GapReason
) -> None:
    said = read(Fake(find, problems=lambda: [ASTHMA]), PROBLEMS)
    assert not said.answered
    assert said.failure is not None
    assert said.failure.reason is reason
    assert "Wolfenstein" not in said.failure.detail
    assert said.sections[PROBLEMS].found == ()


def test_somebody_unknown_is_an_answer() -> None:
    said = read(Fake(lambda: None), PROBLEMS)
    assert said.answered
    assert said.patient is None


def test_a_hanging_section_costs_itself_and_not_the_others() -> None:
    never = threading.Event()

    def hang() -> Iterator[Found]:
        yield ASTHMA
        never.wait(30)

    said = read(Fake(problems=hang, notes=list), PROBLEMS, NOTES, seconds=0.3)
    # What hangs must not hold up the end of the program.
    assert {t.daemon for t in threading.enumerate() if t.name.startswith("mpftconnect-")} == {True}
    never.set()
    assert said.sections[PROBLEMS].found == (ASTHMA,)
    assert said.sections[PROBLEMS].failure is not None
    assert said.sections[PROBLEMS].failure.reason is GapReason.TIMED_OUT
    assert said.sections[NOTES].failure is None


def test_what_arrives_after_the_deadline_changes_nothing() -> None:
    late, done = threading.Event(), threading.Event()

    def slow() -> Iterator[Found]:
        late.wait(30)
        try:
            yield ASTHMA
            yield ASTHMA
        finally:
            done.set()

    said = read(Fake(problems=slow), PROBLEMS, seconds=0.2)
    late.set()
    assert done.wait(5)
    assert said.sections[PROBLEMS].found == ()


def test_what_is_not_of_the_section_is_refused_with_its_place() -> None:
    said = read(Fake(problems=lambda: [ASTHMA, Encounter(source=SOURCE), "text"]), PROBLEMS)
    refused = said.sections[PROBLEMS].found[1:]
    assert [(r.place, r.rule) for r in refused] == [  # type: ignore[union-attr]
        ("item 1", "is a Encounter, not a Condition"),
        ("item 2", "is a str"),
    ]


def test_a_method_that_is_not_there_is_the_adapters_fault() -> None:
    said = read(Fake(), PROBLEMS)
    assert said.sections[PROBLEMS].failure == Failure(GapReason.ADAPTER_FAULT, "AttributeError")


def test_a_known_patient_is_not_looked_for_again() -> None:
    said = read(Fake(raising(AssertionError("asked")), problems=lambda: [ASTHMA]), PROBLEMS, known=PATIENT)
    assert said.patient is PATIENT
    assert said.sections[PROBLEMS].found == (ASTHMA,)


def test_a_call_gives_its_value_its_error_or_a_timeout() -> None:
    assert call(lambda: 3, "x").result(Deadline.after(5)) == (3, None)
    value, error = call(raising(KeyError("k")), "x").result(Deadline.after(5))
    assert value is None
    assert isinstance(error, KeyError)
    hold = threading.Event()
    assert call(lambda: hold.wait(30), "x").result(Deadline.after(0.1))[1] == Failure(
        GapReason.TIMED_OUT, "no whole answer before the deadline"
    )
    hold.set()


def test_one_answer_is_fetched_once_for_all_threads() -> None:
    reading = Reading(system="rio", who=WHO, wire=None, deadline=Deadline.after(5))  # type: ignore[arg-type]
    fetched: list[int] = []

    def fetch() -> int:
        fetched.append(1)
        return 7

    threads = [threading.Thread(target=lambda: reading.once("all", fetch)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reading.found(PATIENT).once("all", fetch) == 7
    assert len(fetched) == 1
    with pytest.raises(KeyError):
        reading.once("fails", raising(KeyError("x")))
    with pytest.raises(KeyError):
        reading.once("fails", lambda: 3)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_an_adapter_that_tries_to_end_more_than_itself_is_a_gap_at_once(error: BaseException) -> None:
    def die() -> Any:
        raise error

    seconds = 30.0
    found = read(Fake(die, problems=list), PROBLEMS, seconds=seconds)
    assert found.failure == Failure(GapReason.ADAPTER_FAULT, type(error).__name__)
    said = read(Fake(problems=die, notes=list), PROBLEMS, NOTES, seconds=seconds)
    assert said.sections[PROBLEMS].failure == Failure(GapReason.ADAPTER_FAULT, type(error).__name__)
    assert said.sections[NOTES].failure is None
    assert call(die, "x").result(Deadline.after(seconds)) == (None, error)


def test_an_adapter_that_never_stops_yielding_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpftconnect.hub.fan_out.MOST_ENTRIES", 10)

    def for_ever() -> Iterator[Found]:
        while True:
            yield ASTHMA

    said = read(Fake(problems=for_ever), PROBLEMS, seconds=30)
    assert len(said.sections[PROBLEMS].found) == 10
    assert said.sections[PROBLEMS].failure is not None
    assert said.sections[PROBLEMS].failure.reason is GapReason.ANSWER_REJECTED


def test_nobody_speaks_in_another_systems_name() -> None:
    other = ASTHMA.model_copy(update={"source": SOURCE.model_copy(update={"system": "pds"})})
    (refused,) = read(Fake(problems=lambda: [other]), PROBLEMS).sections[PROBLEMS].found
    assert isinstance(refused, Refusal)
    assert refused.content is other
    stranger = PATIENT.model_copy(update={"source": other.source})
    said = read(Fake(lambda: stranger, problems=list), PROBLEMS)
    assert said.patient is None
    assert said.failure is not None


@pytest.mark.parametrize("nothing", [None, 7])
def test_what_cannot_be_walked_through_is_a_fault(nothing: object) -> None:
    said = read(Fake(problems=lambda: nothing), PROBLEMS)
    assert said.sections[PROBLEMS].failure == Failure(GapReason.ADAPTER_FAULT, "TypeError")


def test_what_an_adapter_refuses_and_warns_of_comes_through_as_it_is() -> None:
    refused, warned = Refusal("row 7", "has no date"), Notice("confidential-items", "Items are held back.")
    assert read(Fake(problems=lambda: [refused, warned]), PROBLEMS).sections[PROBLEMS].found == (refused, warned)


def test_after_the_deadline_an_adapter_is_stopped_at_its_next_entry() -> None:
    go, stopped = threading.Event(), threading.Event()

    def slow() -> Iterator[Found]:
        try:
            go.wait(30)
            while True:
                yield ASTHMA
        finally:
            stopped.set()

    read(Fake(problems=slow), PROBLEMS, seconds=0.05)
    go.set()
    assert stopped.wait(5)
