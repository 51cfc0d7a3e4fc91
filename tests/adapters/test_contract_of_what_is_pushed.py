"""Of an adapter that reads what is pushed, the contract tests notice when silence reads as that nothing is held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mpftconnect.adapters import (
    AdapterSpec,
    Capability,
    FaultSwitch,
    Reading,
    Step,
    TriedAgainst,
    TwinSpec,
    json_response,
    only,
)
from mpftconnect.adapters.contract_tests import AdapterContract
from mpftconnect.errors import AdapterError, FeedOverdue
from mpftconnect.model import Patient, SectionName
from mpftconnect.sandbox import people_known_to

PEOPLE = people_known_to("pushes")


class Adapter:
    """Good, or bad in the way that a subclass is."""

    def __init__(self, context: Any) -> None:
        self.inbox = context.inbox

    def find_patient(self, reading: Reading) -> Patient | None:
        found = self.inbox.patients(reading.nhs_number)
        if not found and (silent := self.inbox.overdue()):
            raise FeedOverdue(silent)
        return found[0] if found else None

    def read_results(self, reading: Reading) -> Iterator[Any]:
        yield from self.inbox.read(reading.nhs_number, SectionName.RESULTS)

    def check_connection(self, wire: Any) -> Iterator[Step]:
        try:
            silent = self.inbox.overdue()
        except AdapterError:
            yield Step("inbox", False, "look at the disk")
            return
        yield Step("feeds", silent is None, silent or "")


class FindsNobody(Adapter):
    def find_patient(self, reading: Reading) -> Patient | None:
        return next(iter(self.inbox.patients(reading.nhs_number)), None)


class ReadsNothing(Adapter):
    def read_results(self, reading: Reading) -> Iterator[Any]:
        try:
            yield from self.inbox.read(reading.nhs_number, SectionName.RESULTS)
        except AdapterError:
            return


class AlwaysWell(Adapter):
    def check_connection(self, wire: Any) -> Iterator[Step]:
        yield Step("feeds", True)


class Twin:
    def __init__(self, people: Any) -> None:
        self.faults = FaultSwitch()

    def handle(self, request: Any) -> Any:
        return json_response({}, 404)


TRIED = TriedAgainst("nothing", assumed=True)
TWIN = TwinSpec(
    name="pushes",
    adapter="pushes",
    written_from="assumed: nothing is published",
    tried_against=TRIED,
    build=Twin,
    configure=lambda twin, base_url: {"feeds": {}},
    sends=lambda twin, now: (),
)


def spec(of: type[Adapter]) -> AdapterSpec:
    return AdapterSpec(
        name="pushes",
        supplier="S",
        product="P",
        tried_against=TRIED,
        capabilities=only(Capability.FIND_PATIENT, Capability.READ_RESULTS),
        open=of,
        endpoint="none",
    )


def silent(of: type[Adapter]) -> None:
    AdapterContract().test_silence_is_not_that_nothing_is_held(spec(of), TWIN, PEOPLE)


def unanswering(of: type[Adapter]) -> None:
    AdapterContract().test_an_inbox_that_does_not_answer_is_an_adapter_error(spec(of), TWIN, PEOPLE)


def test_a_good_one_passes() -> None:
    silent(Adapter)
    unanswering(Adapter)


@pytest.mark.parametrize("of", [FindsNobody, ReadsNothing, AlwaysWell])
def test_silence_that_reads_as_nothing_is_noticed(of: type[Adapter]) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        silent(of)


@pytest.mark.parametrize("of", [ReadsNothing, AlwaysWell])
def test_a_failed_inbox_that_reads_as_nothing_is_noticed(of: type[Adapter]) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        unanswering(of)
