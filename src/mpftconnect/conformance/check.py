"""A check: our code for one requirement. `probe` makes exchanges, `judge` reads them and is pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mpftconnect.conformance.evidence import Evidence, NotInEvidence, Undecided
from mpftconnect.conformance.outcome import Cause, CauseKind, Outcome

if TYPE_CHECKING:
    from mpftconnect.conformance.probe import Probe

__all__ = ["Catch", "Check", "decide"]


@dataclass(frozen=True, slots=True)
class Catch:
    """A named fault of a twin that the check must catch: it passes on the clean twin and fails with this fault on."""

    twin: str
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The check of one requirement.

    Args:
        name: Id of the requirement: `uk-core-r4#3`.
        judge: Reads evidence and decides. Pure: no network, no clock, no files. It may raise `Undecided`, and what
            `Evidence` raises.
        probe: Makes the exchanges; None where documents and answers are all that is judged.
        catches: Faults of twins that it must catch; at least one for every check that has a probe.
        people: Roles that the probe asks about; one that supplier.toml does not name makes it `not-tested`.
        patient: Whether an exchange could carry a patient's data. Live environments are not asked such things.
        writes: Whether the probe changes anything; needs `allow_writes`.
        may_write: The probe changes something where `allow_writes` is set, and asks less where it is not
            (`Probe.may_write`).
        protocol: What its probe speaks: `http`, which needs target.base_url; or `mllp`, which has a section of its own.
        after: Packs whose outcomes the judge reads; they are judged before.
    """

    name: str
    judge: Callable[[Evidence], Outcome]
    probe: Callable[[Probe], object] | None = None
    catches: tuple[Catch, ...] = ()
    people: tuple[str, ...] = ()
    patient: bool = True
    writes: bool = False
    may_write: bool = False
    after: tuple[str, ...] = ()
    protocol: str = "http"

    @property
    def pack(self) -> str:
        return self.name.partition("#")[0]


def decide(check: Check, evidence: Evidence) -> Outcome:
    """The outcome of a check, whatever its judge does: a judge that fails is our own fault, never the supplier's."""
    try:
        outcome: object = check.judge(evidence)
    except Undecided as undecided:
        return undecided.outcome
    except NotInEvidence as missing:
        return Outcome.not_tested(
            str(missing),
            Cause(
                kind=CauseKind.UNCLEAR,
                because="the step was not taken: what it needs did not come, or the evidence is older than the check",
                mend="look at what the steps before it came to; or run again",
            ),
        )
    except Exception as error:  # noqa: BLE001 - a judge meets hostile answers; its fault is an outcome, not a crash
        return Outcome.error(
            f"the check failed ({type(error).__name__})",
            Cause(
                kind=CauseKind.HARNESS,
                because=f"the judge of {check.name} raised {type(error).__name__}",
                otherwise="an answer of a shape that the judge did not foresee",
                mend="report it with report reproduce",
            ),
        )
    if not isinstance(outcome, Outcome):
        return Outcome.error(
            "the check gave no outcome",
            Cause(kind=CauseKind.HARNESS, because=f"the judge of {check.name} returned {type(outcome).__name__}"),
        )
    return outcome
