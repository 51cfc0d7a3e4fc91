"""An adapter open on its own twin, in process: what the contract tests, and a plugin's own tests, read from."""

# ruff: noqa: S101 - assertions are what a test's failures are made of

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from mpftconnect.adapters.contract import (
    READS,
    Adapter,
    AdapterContext,
    AdapterSpec,
    Capability,
    Found,
    Reading,
    Support,
)
from mpftconnect.adapters.deadline import Deadline
from mpftconnect.adapters.endpoint import Endpoint
from mpftconnect.adapters.pushed import Pushed
from mpftconnect.adapters.recorder import MemoryRecorder
from mpftconnect.adapters.twin import Twin, TwinSpec
from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.adapters.wire import Wire
from mpftconnect.events import EventStream
from mpftconnect.model import AccessContext, NhsNumber, SectionName

if TYPE_CHECKING:
    from mpftconnect.sandbox.people import Person

__all__ = ["DEADLINE_SECONDS", "Bench", "Opener"]

_BASE_URL = "http://twin.invalid"
DEADLINE_SECONDS = 30.0


@dataclass(frozen=True)
class Bench:
    """An adapter that is open on a fresh twin, ready to be read.

    Args:
        name: What the system is called.
        people: Whom the twin knows, the full person first.
    """

    name: str
    spec: AdapterSpec
    adapter: Adapter
    twin: Twin
    transport: TwinTransport
    wire: Wire
    people: tuple[Person, ...] = field(repr=False)  # a failing test shows its fixtures

    @property
    def sections(self) -> tuple[SectionName, ...]:
        """What the adapter declares that it reads, fully or in part."""
        return tuple(section for section, capability in READS.items() if self.offers(capability))

    def offers(self, capability: Capability) -> bool:
        return self.spec.support(capability) in (Support.FULL, Support.PARTIAL)

    def reading(self, person: Person, number: NhsNumber | None = None) -> Reading:
        """A reading of that person, or of another number; traced, unless the adapter is what traces."""
        deadline = Deadline.after(DEADLINE_SECONDS)
        traced = None if number or self.offers(Capability.TRACE_PERSON) else person.patient
        return Reading(
            system=self.name,
            who=AccessContext(
                user="contract",
                name="Contract Test",
                role="community-nurse",
                organisation="RRE",
                purpose="direct-care",
                relationship="caseload",
            ),
            wire=self.wire.bound(deadline=deadline),
            deadline=deadline,
            nhs_number=number or person.nhs_number,
            former_numbers=() if number else person.former_numbers,
            sections=frozenset(self.sections),
            traced=traced,
        )

    def found(self, person: Person) -> Reading:
        """A reading of that person after `find_patient`, which must find them."""
        reading = self.reading(person)
        patient = self.adapter.find_patient(reading)
        assert patient is not None, f"find_patient does not find the person of role {person.role}"
        return reading.found(patient)

    def read(self, reading: Reading, section: SectionName) -> list[Found]:
        """All that the section's method yields."""
        return list(getattr(self.adapter, READS[section])(reading))

    def everything(self, person: Person) -> list[Callable[[], object]]:
        """Finding the person, and each declared read of what was found, each with a reading of its own."""
        reading = self.found(person)

        def read_of(section: SectionName) -> Callable[[], object]:
            fresh = self.reading(person)
            return lambda: self.read(replace(fresh, patient=reading.patient), section)

        unread = self.reading(person)
        return [lambda: self.adapter.find_patient(unread), *map(read_of, self.sections)]


class Opener:
    """Opens an adapter on a fresh twin at every call, and closes them all."""

    def __init__(
        self,
        spec: AdapterSpec,
        twin_spec: TwinSpec,
        people: Sequence[Person],
        pushed: Callable[[Twin], Pushed] | None = None,
    ) -> None:
        self._spec, self._twin_spec, self._people, self._pushed = spec, twin_spec, people, pushed
        self._wires: list[Wire] = []

    def __call__(self) -> Bench:
        spec, twin_spec = self._spec, self._twin_spec
        twin = twin_spec.build(self._people)
        table = twin_spec.configure(twin, _BASE_URL)
        transport = TwinTransport(twin, _BASE_URL)
        endpoint = Endpoint(
            base_url=table.get("endpoint", ""), environment="test", deadline_seconds=DEADLINE_SECONDS, retries=0
        )
        wire = Wire(twin_spec.name, endpoint, events=EventStream(), recorder=MemoryRecorder(), transport=transport)
        self._wires.append(wire)
        settings = spec.settings.model_validate(table.get("settings", {})) if spec.settings else None
        secrets = {name: _secret(value) for name, value in table.get("secrets", {}).items()}
        context = AdapterContext(
            name=twin_spec.name,
            environment="test",
            settings=settings,
            secret=secrets.__getitem__,
            wire=wire,
            events=wire.events,
            inbox=self._pushed(twin) if self._pushed else None,
        )
        return Bench(
            name=twin_spec.name,
            spec=spec,
            adapter=spec.open(context),
            twin=twin,
            transport=transport,
            wire=wire,
            people=_held(self._people, twin_spec.name, spec),
        )

    def close(self) -> None:
        for wire in self._wires:
            wire.close()


def _secret(value: Any) -> str:
    return str(value["value"] if isinstance(value, dict) else value)


def _held(people: Sequence[Person], system: str, spec: AdapterSpec) -> tuple[Person, ...]:
    """The people whom the twin holds, the full one first. A tracing service holds everybody."""
    traces = spec.support(Capability.TRACE_PERSON) in (Support.FULL, Support.PARTIAL)
    held = sorted((each for each in people if traces or system in each.systems), key=lambda each: each.role != "full")
    if not held or held[0].role != "full":
        pytest.fail(f"the people hold nobody of role `full` whom the system {system} knows, so nothing can be tested")
    return tuple(held)
