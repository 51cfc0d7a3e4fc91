"""What runs out: documents, exceptions that were asked for, a signature, and days that a standard names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from mpftconnect.conformance.evidence import EvidenceFile
from mpftconnect.conformance.requirement import Requirement

__all__ = ["Due", "due_documents", "due_exceptions", "due_requirements", "due_signature", "is_day"]


@dataclass(frozen=True, slots=True)
class Due:
    """One thing that runs out.

    Args:
        kind: `document`, `exception`, `signature`, `requirement`.
        name: Of the thing; never a person's.
        on: Its last day; for a requirement the day from which it binds, or by which it must be done.
        past: Whether the day is past.
        note: What to know of it.
    """

    kind: str
    name: str
    on: date
    past: bool
    note: str = ""

    def words(self) -> str:
        """
        >>> Due("document", "dspt: dspt.pdf", date(2026, 6, 30), True).words()
        '2026-06-30  past  document: dspt: dspt.pdf'
        """
        note = f" ({self.note})" if self.note else ""
        return f"{self.on}  {'past' if self.past else 'due '}  {self.kind}: {self.name}{note}"


def due_documents(
    files: Mapping[str, Iterable[EvidenceFile]], last_day: Callable[[EvidenceFile], str], today: date, days: int
) -> Iterator[Due]:
    """Documents of the evidence whose last day comes within so many days, or is past."""
    for rows in files.values():
        for each in rows:
            yield from _one("document", f"{each.kind}: {each.name}", last_day(each), today, days)


def due_exceptions(asked: Iterable[tuple[str, str]], today: date, days: int) -> Iterator[Due]:
    """Exceptions, as requirement and last day."""
    for requirement, expires in asked:
        yield from _one("exception", requirement, expires, today, days, "asked of a buyer")


def due_signature(predicate: Mapping[str, Any], today: date, days: int) -> Iterator[Due]:
    """The day until which the signer of a report stands by it."""
    yield from _one("signature", "report", str(predicate.get("expires", "")), today, days)


def due_requirements(requirements: Iterable[Requirement], today: date, days: int) -> Iterator[Due]:
    """Requirements that begin to bind within so many days, and those whose day came within so many before."""
    for each in requirements:
        found = list(_one("requirement", f"{each.id} ({each.ref}): {each.title}", each.due, today, days, each.due_note))
        # A day that is long past is a requirement like any other.
        yield from (one for one in found if one.on >= today - timedelta(days=days))


def is_day(given: object) -> bool:
    """Whether it is a day, ISO.

    >>> is_day("2026-11-25"), is_day("soon"), is_day(None)
    (True, False, False)
    """
    try:
        date.fromisoformat(str(given))
    except ValueError:
        return False
    return True


def _one(kind: str, name: str, day: str, today: date, days: int, note: str = "") -> Iterator[Due]:
    try:
        on = date.fromisoformat(day)
    except ValueError:
        return
    if on <= today + timedelta(days=days):
        yield Due(kind, name, on, on < today, note)
