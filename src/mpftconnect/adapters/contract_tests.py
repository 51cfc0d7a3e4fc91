"""The contract of adapters as tests, for plugin authors: inherit, supply two fixtures, run pytest.

    import pytest
    from mpftconnect.adapters.contract_tests import AdapterContract
    import mpftconnect_acme

    class TestAcme(AdapterContract):
        @pytest.fixture
        def spec(self):
            return mpftconnect_acme.mpft_adapters()[0]

        @pytest.fixture
        def twin_spec(self):
            return mpftconnect_acme.mpft_twins()[0]

The adapter speaks to its own twin in process. These tests say that an adapter keeps the contract, and nothing of
any product: a twin is written by the same author.
"""

# ruff: noqa: S101 - assertions are what a test's failures are made of

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mpftconnect.adapters.contract import (
    READS,
    AdapterSpec,
    Capability,
    Found,
    Reading,
    Refusal,
    Step,
    Support,
    Trace,
)
from mpftconnect.adapters.contract_bench import DEADLINE_SECONDS, Bench, Opener
from mpftconnect.adapters.deadline import Deadline
from mpftconnect.adapters.pushed import Pushed
from mpftconnect.adapters.twin import Fault, Twin, TwinRequest, TwinResponse, TwinSpec
from mpftconnect.errors import AdapterError, FeedOverdue, NotAnNhsNumber, NotPermitted, NotShown, SystemFailed
from mpftconnect.model import (
    SECTION_TYPES,
    Identifier,
    Item,
    NhsNumber,
    Notice,
    Patient,
    Reference,
    SectionName,
    nhs_number,
)

if TYPE_CHECKING:
    from mpftconnect.sandbox.people import Person

__all__ = ["AdapterContract", "Bench"]

_THREADS = 8


class AdapterContract:
    """Supply `spec` and `twin_spec`; override `people` to test with your own."""

    @pytest.fixture
    def spec(self) -> AdapterSpec:
        """The adapter under test."""
        pytest.fail("supply a fixture `spec` that returns the AdapterSpec under test")

    @pytest.fixture
    def twin_spec(self) -> TwinSpec:
        """The twin that it is tested with."""
        pytest.fail("supply a fixture `twin_spec` that returns the TwinSpec of the adapter's twin")

    @pytest.fixture
    def people(self) -> Sequence[Person]:
        """Whom the twin knows: the sandbox's synthetic people."""
        # Imported here: the sandbox stands on this room, and only this fixture looks up to it.
        from mpftconnect.sandbox.cast import PEOPLE

        return PEOPLE

    @pytest.fixture
    def pushed(self) -> Callable[[Twin], Pushed] | None:
        """Of an adapter of pushed records: makes the inbox of a twin, filled with what the twin sent."""
        return None

    @pytest.fixture
    def open_bench(
        self,
        spec: AdapterSpec,
        twin_spec: TwinSpec,
        people: Sequence[Person],
        pushed: Callable[[Twin], Pushed] | None,
    ) -> Iterator[Opener]:
        """Opens the adapter on a fresh twin, as often as it is called."""
        opener = Opener(spec, twin_spec, people, pushed)
        yield opener
        opener.close()

    @pytest.fixture
    def bench(self, open_bench: Opener) -> Bench:
        return open_bench()

    # Declarations

    def test_spec_and_twin_belong_together(self, spec: AdapterSpec, twin_spec: TwinSpec) -> None:
        assert twin_spec.adapter == spec.name, "the twin names another adapter"
        assert twin_spec.written_from.strip(), "the twin does not say which document it was written from"

    def test_declared_capabilities_are_methods_and_methods_are_declared(self, bench: Bench) -> None:
        methods = {capability for capability in Capability if callable(getattr(bench.adapter, capability, None))}
        declared = {capability for capability in Capability if bench.offers(capability)}
        assert not declared - methods, f"declared, and no method: {_names(declared - methods)}"
        assert not methods - declared, f"a method, and not declared full or partial: {_names(methods - declared)}"
        assert Capability.FIND_PATIENT in declared, "find_patient is required of every adapter"
        assert callable(getattr(bench.adapter, "check_connection", None)), "check_connection is required"

    def test_support_is_declared_for_every_capability(self, spec: AdapterSpec) -> None:
        unknown = {capability for capability in Capability if spec.support(capability) is Support.UNKNOWN}
        if unknown:
            # Honest, so no failure; but a reader of the results must see what nobody has looked into.
            pytest.skip(f"support is unknown for: {_names(unknown)}")

    # People

    def test_finds_the_full_person(self, bench: Bench) -> None:
        person = bench.people[0]
        patient = bench.adapter.find_patient(bench.reading(person))
        assert isinstance(patient, Patient), "find_patient does not find the full person"
        _check_source(patient, bench.name)
        assert patient.nhs_number == person.nhs_number, "find_patient gives a patient of another NHS number, or of none"

    def test_says_that_an_unknown_person_is_not_held(self, bench: Bench, people: Sequence[Person]) -> None:
        number = _unused_number(people)
        try:
            patient = bench.adapter.find_patient(bench.reading(bench.people[0], number))
        except NotShown:
            return
        if bench.spec.keeps_demographics:
            assert patient is None, "find_patient gives a patient for a number that nobody has"
            return
        # An index files under numbers alone: that it gives one back says nothing, if there is nothing under it.
        if patient is not None:
            assert patient.nhs_number == number, "find_patient gives another number than was asked for"
            reading = bench.reading(bench.people[0], number).found(patient)
            held = [each for section in bench.sections for each in bench.read(reading, section)]
            assert not held, "something is held under a number that nobody has"

    def test_traces_the_full_person(self, bench: Bench, people: Sequence[Person]) -> None:
        if not bench.offers(Capability.TRACE_PERSON):
            pytest.skip("the adapter does not trace")
        trace_person: Callable[[Reading], Trace] = bench.adapter.trace_person  # type: ignore[attr-defined]
        person = bench.people[0]
        trace = trace_person(bench.reading(person))
        assert trace.outcome == "found", "trace_person does not find the full person"
        assert trace.patient is not None, "a trace that found somebody holds the patient"
        assert trace.patient.nhs_number == person.nhs_number, "the trace gives another number"
        unknown = trace_person(bench.reading(person, _unused_number(people)))
        assert (unknown.outcome, unknown.patient) == ("not-found", None), "the trace of a number that nobody has"

    # Sections

    def test_every_declared_read_yields_items_of_its_section(self, bench: Bench) -> None:
        yielded = dict.fromkeys(bench.sections, 0)
        for person in bench.people:
            reading = bench.reading(person)
            try:
                patient = bench.adapter.find_patient(reading)
            except NotShown:
                continue
            if patient is None:
                continue
            for section in bench.sections:
                yielded[section] += _check_section(bench.read(reading.found(patient), section), section, bench, person)
        empty = [section for section, count in yielded.items() if not count]
        assert not empty, (
            f"nobody among the twin's people has anything in {', '.join(empty)}, so nothing was tested: "
            "give the twin somebody who has, or do not declare the capability"
        )

    def test_reads_only_what_it_declares_to_read(self, bench: Bench) -> None:
        assert bench.sections or any(
            bench.offers(each) for each in (Capability.TRACE_PERSON, Capability.VERIFY_RELATIONSHIP)
        ), "the adapter reads no section, traces nobody and verifies nothing"

    def test_several_threads_read_what_one_thread_reads(self, bench: Bench) -> None:
        person = bench.people[0]
        alone = [_shape(work()) for work in bench.everything(person)]
        results: list[object] = []
        start = threading.Barrier(_THREADS)

        def run() -> None:
            try:
                works = bench.everything(person)
                start.wait(timeout=DEADLINE_SECONDS)
                results.append([_shape(work()) for work in works])
            except BaseException as error:  # noqa: BLE001 - shown by the assertion below
                start.abort()
                results.append(type(error).__name__)

        threads = [threading.Thread(target=run, daemon=True) for _ in range(_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_SECONDS)
        assert results == [alone] * _THREADS, "threads read something else than one reader alone"

    # Failures

    @pytest.mark.parametrize("spoilt", ["malformed", "truncated", "empty", "wrong-type", "unexpected", "server-error"])
    def test_a_bad_answer_is_an_adapter_error_without_values(
        self, open_bench: Opener, twin_spec: TwinSpec, caplog: pytest.LogCaptureFixture, spoilt: str
    ) -> None:
        _skip_what_pushes(twin_spec)
        bench = open_bench()
        person = bench.people[0]
        count = len(bench.everything(person))
        caplog.set_level(logging.DEBUG)
        texts: dict[str, str] = {}
        for index in range(count):
            # An adapter may keep what it has read once, so each read begins with one that has read nothing.
            fresh = open_bench()
            work = fresh.everything(person)[index]
            asked = len(fresh.transport.asked)
            fresh.transport.spoil = _SPOILS[spoilt]
            error = _error_of(work)
            what = "find_patient" if index == 0 else READS[bench.sections[index - 1]]
            if error is None and len(fresh.transport.asked) == asked:
                continue  # it needed no further answer, so it met no bad one
            assert isinstance(error, AdapterError), (
                f"{what} meets an answer that is {spoilt} and "
                f"{f'raises {type(error).__name__}' if error else 'says nothing'}: "
                "an AdapterError is expected"
            )
            texts[f"the error of {what} on an answer that is {spoilt}"] = _text_of(error)
        _check_silent({**texts, "a log line": caplog.text}, bench.people)

    def test_some_read_meets_a_bad_answer(self, open_bench: Opener, twin_spec: TwinSpec) -> None:
        _skip_what_pushes(twin_spec)
        # The test above lets a read pass that asks nothing; this one sees that not all do.
        bench = open_bench()
        bench.transport.spoil = _SPOILS["malformed"]
        error = _error_of(lambda: bench.adapter.find_patient(bench.reading(bench.people[0])))
        assert isinstance(error, AdapterError), "find_patient finds somebody in a malformed answer, or asks nothing"

    def test_faults_of_the_twin_are_noticed(self, open_bench: Opener, twin_spec: TwinSpec) -> None:
        looked_for = [fault for fault in _NOTICED if fault in twin_spec.faults]
        if not looked_for:
            pytest.skip("the twin declares no fault of its own that this test knows")
        for fault in looked_for:
            bench = open_bench()
            works = bench.everything(bench.people[0])
            with bench.twin.faults.on(fault):
                outcomes = [_outcome(work) for work in works]
            assert _NOTICED[fault](outcomes), f"with the fault {fault} on, no read noticed"

    def test_somebody_elses_data_is_refused(self, open_bench: Opener, twin_spec: TwinSpec) -> None:
        if Fault.WRONG_PATIENT not in twin_spec.faults:
            pytest.skip("the twin cannot answer with another person's data")
        bench = open_bench()
        person = bench.people[0]
        works = bench.everything(person)
        with bench.twin.faults.on(Fault.WRONG_PATIENT):
            outcomes = [_outcome(work) for work in works]
        refused = 0
        for outcome in outcomes:
            refused += isinstance(outcome, AdapterError) or outcome is None
            if isinstance(outcome, Patient):
                assert outcome.nhs_number in (person.nhs_number, *person.former_numbers), "another person was found"
            elif isinstance(outcome, list):
                refused += sum(isinstance(each, Refusal) for each in outcome)
                taken = [each for each in outcome if isinstance(each, Item)]
                assert not taken, f"{len(taken)} items of another person were taken"
        assert refused, "with another person's data in every answer, nothing was refused"

    # What is pushed

    def test_an_inbox_that_does_not_answer_is_an_adapter_error(
        self, spec: AdapterSpec, twin_spec: TwinSpec, people: Sequence[Person]
    ) -> None:
        if twin_spec.sends is None:
            pytest.skip("the system is asked, and pushes nothing")
        bench = self._on(spec, twin_spec, people, _Unanswering())
        person = bench.people[0]
        with pytest.raises(AdapterError):
            bench.adapter.find_patient(bench.reading(person))
        for section in bench.sections:
            with pytest.raises(AdapterError):
                bench.read(bench.reading(person), section)
        steps = list(bench.adapter.check_connection(bench.wire.bound(deadline=Deadline.after(DEADLINE_SECONDS))))
        assert any(not step.ok and step.advice for step in steps), "check_connection finds nothing wrong with the inbox"

    def test_silence_is_not_that_nothing_is_held(
        self, spec: AdapterSpec, twin_spec: TwinSpec, people: Sequence[Person]
    ) -> None:
        if twin_spec.sends is None:
            pytest.skip("the system is asked, and pushes nothing")
        bench = self._on(spec, twin_spec, people, _Overdue())
        person = bench.people[0]
        with pytest.raises(FeedOverdue):
            bench.adapter.find_patient(bench.reading(person))
        for section in bench.sections:
            with pytest.raises(FeedOverdue):
                bench.read(bench.reading(person), section)
        steps = list(bench.adapter.check_connection(bench.wire.bound(deadline=Deadline.after(DEADLINE_SECONDS))))
        assert any(not step.ok and step.advice for step in steps), "check_connection does not say that a feed is silent"

    def _on(self, spec: AdapterSpec, twin_spec: TwinSpec, people: Sequence[Person], inbox: Pushed) -> Bench:
        return Opener(spec, twin_spec, people, lambda twin: inbox)()

    # The connection

    def test_check_connection_walks_through_and_names_nobody(self, bench: Bench) -> None:
        steps = list(bench.adapter.check_connection(bench.wire.bound(deadline=Deadline.after(DEADLINE_SECONDS))))
        assert steps, "check_connection yields no step"
        assert all(isinstance(step, Step) for step in steps), "check_connection yields something that is no Step"
        failed = [step.name for step in steps if not step.ok]
        assert not failed, f"against its own twin these steps fail: {', '.join(failed)}"
        for request in bench.transport.asked:
            _check_names_nobody(request, bench.people)

    def test_check_connection_says_which_step_fails(self, bench: Bench, twin_spec: TwinSpec) -> None:
        _skip_what_pushes(twin_spec)
        bench.transport.spoil = lambda _: TwinResponse(status=503)
        steps = list(bench.adapter.check_connection(bench.wire.bound(deadline=Deadline.after(DEADLINE_SECONDS))))
        failed = [step for step in steps if not step.ok]
        assert failed, "the system answers 503 to everything, and check_connection finds nothing wrong"
        assert all(step.advice for step in failed), "a step fails without advice"


def _skip_what_pushes(spec: TwinSpec) -> None:
    if spec.sends is not None:
        pytest.skip("the system pushes: it is asked nothing, so no answer of it can be bad")


class _Unanswering:
    """An inbox whose disk has failed."""

    def serves(self, section: SectionName) -> bool:
        return True

    def patients(self, number: str) -> Sequence[Patient]:
        raise SystemFailed("the inbox does not answer")

    def read(self, number: str, section: SectionName) -> Iterator[Item | Notice]:
        raise SystemFailed("the inbox does not answer")

    def overdue(self, section: SectionName | None = None) -> str | None:
        raise SystemFailed("the inbox does not answer")


class _Overdue:
    """An inbox into which nothing has come for too long."""

    def serves(self, section: SectionName) -> bool:
        return True

    def patients(self, number: str) -> Sequence[Patient]:
        return ()

    def read(self, number: str, section: SectionName) -> Iterator[Item | Notice]:
        yield from ()
        raise FeedOverdue("last heard 14:02")

    def overdue(self, section: SectionName | None = None) -> str | None:
        return "last heard 14:02"


def _names(capabilities: set[Capability]) -> str:
    return ", ".join(sorted(capabilities))


def _check_source(item: Item, system: str) -> None:
    kind = type(item).__name__
    assert item.source.system == system, f"the source of a {kind} names another system"
    assert item.source.id, f"the source of a {kind} has no id"
    assert item.source.fetched.utcoffset() == timedelta(0), f"the fetched time of a {kind} is not in UTC"


def _check_section(found: list[Found], section: SectionName, bench: Bench, person: Person) -> int:
    """How many items the section holds, each of which is as it should be."""
    items = [each for each in found if isinstance(each, Item)]
    strange = [type(each).__name__ for each in found if not isinstance(each, Item | Notice | Refusal)]
    assert not strange, f"{READS[section]} yields {strange[0]}"
    refused = [each.rule for each in found if isinstance(each, Refusal)]
    assert not refused, f"{READS[section]} refuses entries of its own twin ({refused[0]})"
    for item in items:
        kind = type(item).__name__
        assert isinstance(item, SECTION_TYPES[section]), f"{READS[section]} yields a {kind}"
        _check_source(item, bench.name)
        subject = getattr(item, "subject", None)
        assert subject is None or _is(subject, person, bench), f"{READS[section]} yields a {kind} about somebody else"
    keys = [item.key for item in items]
    assert len(keys) == len(set(keys)), f"{READS[section]} yields the same id twice"
    return len(items)


def _is(subject: Reference, person: Person, bench: Bench) -> bool:
    numbers = {person.nhs_number, *person.former_numbers}
    view = person.systems.get(bench.name)
    ids = {*numbers, view.local_id.rpartition("/")[2]} if view else numbers
    named = isinstance(subject.identifier, Identifier) and subject.identifier.is_nhs_number
    if named and subject.identifier is not None and subject.identifier.value not in numbers:
        return False
    return named or (subject.reference or "").rpartition("/")[2] in ids


def _unused_number(people: Sequence[Person]) -> NhsNumber:
    used = {number for person in people for number in (person.nhs_number, *person.former_numbers)}
    for candidate in range(9_999_999_999, 9_999_000_000, -1):
        try:
            number = nhs_number(str(candidate))
        except NotAnNhsNumber:
            continue
        if number not in used:
            return number
    raise AssertionError("every number is used")


def _shape(result: object) -> object:
    """What two reads of the same must have in common."""
    if isinstance(result, Item):
        return result.key
    if isinstance(result, list):
        return sorted(each.key if isinstance(each, Item) else repr(each) for each in result)
    return result


def _error_of(work: Callable[[], object]) -> BaseException | None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - the test judges it
        return error
    return None


def _outcome(work: Callable[[], object]) -> object:
    try:
        return work()
    except AdapterError as error:
        return error


def _text_of(error: BaseException) -> str:
    """All that a log or a traceback would show of it, without the source lines of tests."""
    seen: list[str] = []
    each: BaseException | None = error
    while each is not None:
        seen += [str(each), repr(each), repr(each.args)]
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    return "\n".join(seen)


def _check_silent(texts: Mapping[str, str], people: Sequence[Person]) -> None:
    """No value of anybody stands in any of the texts, which are named by what they are."""
    from mpftconnect.sandbox.sweep import seeded_values

    for person in people:
        for value in seeded_values(person):
            for what, text in texts.items():
                # Looked for by itself first: the pattern, which spares parts of longer words, costs far more.
                holds = value in text and re.search(rf"(?<![A-Za-z0-9]){re.escape(value)}(?![A-Za-z0-9])", text)
                # The value itself stays unsaid here too: test reports are kept.
                assert not holds, f"{what} holds a value of the person of role {person.role}"


_TEN_DIGITS = re.compile(r"(?<!\d)\d{3}[ -]?\d{3}[ -]?\d{4}(?!\d)")


def _check_names_nobody(request: TwinRequest, people: Sequence[Person]) -> None:
    parts = [request.path, *(value for _, value in request.query), request.body.decode("latin-1")]
    # The wire's own ids are random: now and then one holds ten digits that pass for a number.
    ours = ("x-request-id", "x-correlation-id")
    text = "\n".join([*parts, *(value for name, value in request.headers.items() if name.lower() not in ours)])
    for candidate in _TEN_DIGITS.findall(text):
        try:
            nhs_number(candidate)
        except NotAnNhsNumber:
            continue
        raise AssertionError("check_connection sends an NHS number")
    _check_silent({"a request of check_connection": text}, people)


def _body(said: TwinResponse, body: bytes, **headers: str) -> TwinResponse:
    return TwinResponse(said.status, {**said.headers, **headers}, body)


_SPOILS: dict[str, Callable[[TwinResponse], TwinResponse]] = {
    "malformed": lambda said: _body(said, said.body[: len(said.body) // 3] + b'\x00\xff{"'),
    "truncated": lambda said: _body(said, said.body[: len(said.body) // 2], **{"Content-Length": str(len(said.body))}),
    "empty": lambda said: _body(said, b""),
    "wrong-type": lambda said: _body(said, b"<html><body>Sorry</body></html>", **{"Content-Type": "text/html"}),
    "unexpected": lambda said: _body(said, b'[{"resourceType": 1}]'),
    "server-error": lambda said: TwinResponse(503, {"Content-Type": "text/plain"}, said.body),
}

# What counts as having noticed a fault of the twin's own.
_NOTICED: dict[Fault, Callable[[list[object]], bool]] = {
    Fault.STALE_TOKEN: lambda outcomes: all(isinstance(each, NotPermitted) for each in outcomes[:1]),
    Fault.DROPPED_PAGE: lambda outcomes: any(isinstance(each, AdapterError) for each in outcomes),
    Fault.REPEATED_PAGE: lambda outcomes: any(isinstance(each, AdapterError) for each in outcomes),
    Fault.LYING_TOTAL: lambda outcomes: any(isinstance(each, AdapterError) for each in outcomes),
}
