"""Whose message it is: by the tracing service, or by a hospital number that a traced message gave before.

Nobody is made up here. Whoever is not known is parked; by a hospital number, until a message tells whose it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mpftconnect.hl7v2.changes import Subject
from mpftconnect.inbox.projection import identifier_text
from mpftconnect.inbox.store import Store
from mpftconnect.model import NhsNumber

__all__ = ["Belonging", "Resolution", "Resolve", "belonging", "local_identifiers"]


@dataclass(frozen=True, slots=True)
class Resolution:
    """What the tracing service says of an NHS number.

    Args:
        outcome: `found`; `unknown`: it knows no such number, or the number must not be used; `unavailable`: it did not
            answer, so the message waits.
        number: The current number, if found.
    """

    outcome: Literal["found", "unknown", "unavailable"]
    number: NhsNumber | None = None


Resolve = Callable[[Subject], Resolution]
"""Asks the tracing service about `Subject.nhs_number`; called only for subjects that have one."""


@dataclass(frozen=True, slots=True)
class Belonging:
    """Whose a message is.

    Args:
        number: NHS number; None where that is not known.
        parked: Code of why it is parked: `nhs-number-unknown`, `person-unknown` (by a hospital number that nothing
            has told of yet), `person-ambiguous`, `hospital-number-of-another`.
        waits: The tracing service did not answer.
        via: Merges that were needed.
    """

    number: str | None = None
    parked: str | None = None
    waits: bool = False
    via: tuple[str, ...] = ()


def local_identifiers(subject: Subject) -> tuple[str, ...]:
    """The subject's identifiers with an authority, but for NHS numbers."""
    texts = (identifier_text(each) for each in subject.identifiers if not each.is_nhs_number)
    return tuple(dict.fromkeys(text for text in texts if text))


def belonging(subject: Subject, store: Store, resolve: Resolve, *, released: bool) -> Belonging:
    """Decide whose a message is.

    Args:
        released: A person released it: the NHS number is believed over what a hospital number stood for so far.
    """
    local = local_identifiers(subject)
    known = store.known_people(local) if local else {}
    if subject.nhs_number is not None:
        traced = resolve(subject)
        if traced.outcome == "unavailable":
            return Belonging(waits=True)
        if traced.outcome == "unknown" or traced.number is None:
            return Belonging(parked="nhs-number-unknown")
        if known and traced.number not in known and not released:
            # The same hospital number for two people: one of the two messages names the wrong one.
            return Belonging(parked="hospital-number-of-another")
        return Belonging(traced.number)
    if len(known) > 1:
        return Belonging(parked="person-ambiguous")
    for number, via in known.items():
        return Belonging(number, via=via)
    return Belonging(parked="person-unknown")
