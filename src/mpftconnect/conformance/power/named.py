"""The first figure: each check passes on the clean twin, fails on each fault that it names, and an empty system leaves
it undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mpftconnect.adapters import TwinSpec
from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.conformance.catalog import Catalog, Chosen
from mpftconnect.conformance.definitions import Definitions
from mpftconnect.conformance.demonstration import supplier_of_twin
from mpftconnect.conformance.outcome import Status
from mpftconnect.conformance.run import Run, RunResult
from mpftconnect.errors import UsageError
from mpftconnect.plugins import PluginRegistry
from mpftconnect.sandbox import PEOPLE

__all__ = ["CaughtOrNot", "NamedPower", "named_power", "twin_run"]

_ADDRESS = "http://twin.invalid"


@dataclass(frozen=True, slots=True)
class CaughtOrNot:
    """One check on one state of its twin: `clean`, `empty`, or the name of a fault."""

    requirement: str
    twin: str
    state: str
    expected: Status
    got: Status

    @property
    def good(self) -> bool:
        return self.got is self.expected


@dataclass(frozen=True, slots=True)
class NamedPower:
    """Every check on every state that it names.

    Args:
        without_fault: Ids of checks that probe and name no fault: nobody knows what they would catch.
    """

    rows: tuple[CaughtOrNot, ...]
    without_fault: tuple[str, ...] = ()

    @property
    def caught(self) -> tuple[int, int]:
        """Faults caught, of how many named."""
        faults = [row for row in self.rows if row.expected is Status.FAIL]
        return sum(row.good for row in faults), len(faults)

    @property
    def false_alarms(self) -> tuple[CaughtOrNot, ...]:
        """Failures on the clean twin or on an empty system."""
        return tuple(row for row in self.rows if row.expected is not Status.FAIL and row.got is Status.FAIL)

    @property
    def wrong(self) -> tuple[CaughtOrNot, ...]:
        return tuple(row for row in self.rows if not row.good)

    def as_dict(self) -> dict[str, Any]:
        caught, named = self.caught
        return {
            "faults_named": named,
            "faults_caught": caught,
            "false_alarms": len(self.false_alarms),
            "wrong": [f"{row.requirement} on {row.state}: {row.got}, expected {row.expected}" for row in self.wrong],
        }


def twin_run(
    spec: TwinSpec,
    chosen: Chosen,
    catalog: Catalog,
    *,
    faults: Sequence[str] = (),
    empty: bool = False,
    definitions: Definitions | None = None,
) -> RunResult:
    """A run against a twin in this process.

    Args:
        faults: Switched on from the start.
        empty: Built for nobody; the supplier still names the people, whom the system does not hold.
    """
    twin = spec.build(() if empty else PEOPLE)
    twin.faults.set(*faults)
    supplier = supplier_of_twin(spec, twin, _ADDRESS, PEOPLE)
    transport = TwinTransport(twin, _ADDRESS)
    try:
        return Run(supplier, chosen, catalog.checks, transport=transport, definitions=definitions).go()
    finally:
        close = getattr(twin, "close", None)  # of a twin that has a line of its own beside HTTP
        if close is not None:
            close()


def named_power(
    registry: PluginRegistry, catalog: Catalog, pack: str, *, tell: Callable[[str], None] = lambda text: None
) -> NamedPower:
    """Try every check of a pack on its twins.

    Args:
        tell: Called with a line for each state.
    Raises:
        UsageError: A check names a twin or a fault that is not installed.
    """
    chosen = catalog.choose([pack])
    checks = [catalog.checks[r.id] for r in chosen.requirements if r.id in catalog.checks]
    states: dict[tuple[str, str], list[str]] = {}
    for check in checks:
        for catch in check.catches:
            spec = registry.twins.get(catch.twin)
            if spec is None or catch.fault not in spec.faults:
                raise UsageError(f"{check.name} names fault {catch.fault} of twin {catch.twin}, which does not exist")
            states.setdefault((catch.twin, catch.fault), []).append(check.name)
            for state in ("clean", "empty"):
                names = states.setdefault((catch.twin, state), [])
                if check.name not in names:
                    names.append(check.name)
    rows: list[CaughtOrNot] = []
    definitions = Definitions()
    for (twin, state), names in sorted(states.items()):
        tell(f"{twin}: {state}")
        faults = () if state in ("clean", "empty") else (state,)
        result = twin_run(
            registry.twins[twin], chosen, catalog, faults=faults, empty=state == "empty", definitions=definitions
        )
        got = {judged.requirement.id: judged.outcome.status for judged in result.judged}
        expected = {"clean": Status.PASS, "empty": Status.INCONCLUSIVE}.get(state, Status.FAIL)
        rows.extend(CaughtOrNot(name, twin, state, expected, got[name]) for name in names)
    without = tuple(check.name for check in checks if check.probe is not None and not check.catches)
    return NamedPower(tuple(rows), without)
