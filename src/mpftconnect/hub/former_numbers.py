"""Former NHS numbers that a system states and the trace does not: PDS names them only when it is asked by them.

What another system still files under such a number is found only if it is asked by it. One system's word is not enough
for that: it may hold the number of a twin by mistake. So the tracing service is asked by the number, and only if it
leads to the current one does the number count as this person's. Nothing else that it says is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from mpftconnect.errors import NotAnNhsNumber
from mpftconnect.governance.decision import Decisions
from mpftconnect.governance.policies import Contribution, Policy, PolicySpec
from mpftconnect.hub.assemble import Asked, Person, screen
from mpftconnect.hub.decided import set_apart_by_decision
from mpftconnect.hub.match import match
from mpftconnect.model import NhsNumber, Notice, nhs_number

__all__ = ["Stated", "notices_of", "silent_systems", "stated_former_numbers", "with_numbers"]

# A person has few former numbers; a system that states many is not believed at the cost of the tracing service.
_MOST = 3


@dataclass(frozen=True, slots=True)
class Stated:
    """A number that a system calls a former one of the person.

    Args:
        confirmed: Whether the tracing service leads from it to the current number.
    """

    number: NhsNumber
    system: str
    confirmed: bool = False


def stated_former_numbers(
    person: Person,
    asked: Sequence[Asked],
    policies: Sequence[tuple[PolicySpec, Policy]],
    decided: Callable[[], Decisions],
) -> tuple[Stated, ...]:
    """Former numbers that systems which hold the right person state, and that are not known yet; at most three.

    What a silent policy takes must not be learnt from either, so it is screened first (rule 6). Nor is a record
    believed that people have decided is not this person's.

    Args:
        decided: Gives what people decided; asked only if a system states such a number.
    """
    found: dict[NhsNumber, Stated] = {}
    if person.traced is None:
        return ()
    for one in asked:
        if one.read is None or one.read.patient is None or one.withheld_by:
            continue
        patient = screen(Contribution(one.system, one.read.patient), policies).patient
        if patient is None or not match(patient, person.traced, person.numbers).joins:
            continue
        old = (_valid(i.value) for i in patient.identifiers if i.is_nhs_number and i.use == "old")
        unknown = [number for number in old if number is not None and number not in person.numbers]
        if unknown and set_apart_by_decision(patient, person.numbers, decided()) is None:
            for number in unknown:
                found.setdefault(number, Stated(number, one.system))
    return tuple(found[number] for number in sorted(found))[:_MOST]


def _valid(text: str | None) -> NhsNumber | None:
    try:
        return nhs_number(text or "")
    except NotAnNhsNumber:
        return None


def with_numbers(person: Person, stated: Iterable[Stated]) -> Person:
    """The person with the confirmed numbers among theirs."""
    return replace(person, numbers=person.numbers | {one.number for one in stated if one.confirmed})


def silent_systems(asked: Sequence[Asked], stated: Iterable[Stated]) -> frozenset[str]:
    """The systems to be asked by a confirmed number too: they answered, and hold nobody under the others."""
    if not any(one.confirmed for one in stated):
        return frozenset()
    return frozenset(one.system for one in asked if one.read and one.read.answered and one.read.patient is None)


def notices_of(stated: Iterable[Stated], tracer: str) -> tuple[Notice, ...]:
    """What the reader is told; never the number."""
    return tuple(
        Notice(
            "former-number-confirmed",
            f"{one.system} states a former NHS number of this person, which {tracer} confirms. Systems that hold "
            "nothing under the current number were asked by it too.",
            one.system,
        )
        if one.confirmed
        else Notice(
            "former-number-unconfirmed",
            f"{one.system} states a former NHS number of this person, which {tracer} does not confirm. What other "
            "systems may file under it is not looked for.",
            one.system,
        )
        for one in stated
    )
