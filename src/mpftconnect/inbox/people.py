"""Whose message it is: by the tracing service, or by a hospital number that a traced message gave before.

Nobody is made up here. Whoever is not known is parked; by a hospital number, until a message tells whose it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mpftconnect.hl7v2.changes import Subject
from mpftconnect.inbox.naming import identifier_text
from mpftconnect.inbox.store import Store
from mpftconnect.model import NhsNumber

__all__ = ["Belonging", "Remembered", "Resolution", "Resolve", "belonging", "local_identifiers"]


_SECONDS = 60.0
_MOST = 1000


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


class Remembered:
    """A tracing service that is not asked twice within a minute about the same number.

    Messages come in bursts, and tracing services limit their callers. Only whose a message is, is decided by
    what it remembers: whoever reads a record is traced anew. That the service did not answer is never remembered.

    Args:
        resolve: Asks the service.
        clock: Seconds; for tests.
    """

    def __init__(self, resolve: Resolve, clock: Callable[[], float] = time.monotonic) -> None:
        self._resolve, self._clock = resolve, clock
        self._known: dict[str, tuple[float, Resolution]] = {}

    def __call__(self, subject: Subject) -> Resolution:
        number, now = subject.nhs_number, self._clock()
        known = self._known.get(number) if number else None
        if known is not None and now - known[0] < _SECONDS:
            return known[1]
        answer = self._resolve(subject)
        if number and answer.outcome != "unavailable":
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[number] = (now, answer)
        return answer


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
