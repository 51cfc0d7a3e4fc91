"""Every value of a person that must never be found in a log, an error, a file name or a stored exchange."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

from mpftconnect.model import (
    Actor,
    Address,
    Attachment,
    Coding,
    ContactPoint,
    HumanName,
    Identifier,
    Item,
    PartialDate,
    Source,
    format_nhs_number,
    parts,
)
from mpftconnect.sandbox.people import Person

__all__ = ["seeded_values"]

_SENTENCE_WORDS = 5
# Names of services, kinds and headings: the same for many people, and said of the systems rather than of a person.
_NOT_THEIRS = frozenset({"service", "practice_setting", "category", "type", "heading", "title", "name"})
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def seeded_values(person: Person) -> set[str]:
    """What a sweep for leaks looks for: names, addresses, telephones, numbers, birth dates and free text.

    Each value stands in the forms in which it might come out: a number with and without its groups and as a URL
    writes them, a telephone without its spaces, a birth date in the usual orders, a sentence as JSON escapes it.
    Professionals and organisations are not in it, nor are codes: a sweep must have no false alarms.

    >>> from mpftconnect.sandbox.cast import person
    >>> found = seeded_values(person("full"))
    >>> {"999 000 0018", "Threlkeld", "1951-03-12", "07700900018"} <= found
    True
    """
    found: set[str] = set()
    for number in (person.nhs_number, *person.former_numbers):
        found |= _numbers(number)
    for view in person.systems.values():
        found.add(view.local_id)
        items = [item for section in view.items.values() for item in section]
        if view.patient:
            items.append(view.patient)
        for item in items:
            found |= set(_of(item))
    found |= set(_of(person.patient))
    return found | {escaped for value in found for escaped in (json.dumps(value)[1:-1], _html(value))}


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("'", "&#39;")


def _numbers(number: str) -> set[str]:
    spaced = format_nhs_number(number)
    return {number, *(spaced.replace(" ", between) for between in (" ", "-", "+", "%20"))}


def _of(item: Item) -> Iterator[str]:
    skipped: list[str] = []
    for path, part in parts(item):
        if any(path == prefix or path.startswith((f"{prefix}.", f"{prefix}[")) for prefix in skipped):
            continue
        if isinstance(part, Source | Coding) or path.rpartition(".")[2].partition("[")[0] in _NOT_THEIRS:
            skipped.append(path)
        elif isinstance(part, Identifier):
            skipped.append(path)
            if part.is_nhs_number and part.value:
                yield from _numbers(part.value)
        elif isinstance(part, Actor):
            skipped.append(path)
            if not part.organization_code:
                yield from _private_actor(part)
        elif isinstance(part, HumanName):
            yield from _name(part)
        elif isinstance(part, Address):
            yield from filter(None, (*part.line, part.postal_code, part.text))
        elif isinstance(part, ContactPoint) and part.value:
            yield from _telephone(part.value)
        elif isinstance(part, Attachment) and part.data_base64:
            yield part.data_base64
            yield base64.b64decode(part.data_base64).decode(errors="replace")
        elif isinstance(part, PartialDate):
            yield from _dates(part.text)
        elif isinstance(part, str) and len(part.split()) >= _SENTENCE_WORDS:
            yield part


def _private_actor(actor: Actor) -> Iterator[str]:
    """Somebody of the person's own: a daughter, a neighbour, the person."""
    if actor.name:
        yield actor.name
    for contact in actor.telecom:
        if contact.value:
            yield from _telephone(contact.value)


def _name(name: HumanName) -> Iterator[str]:
    if name.family:
        yield from {name.family, name.family.upper()}
    yield from name.given
    if name.text:
        yield name.text


def _telephone(value: str) -> set[str]:
    return {value, value.replace(" ", "")}


def _dates(text: str) -> set[str]:
    if len(text) != len("2000-01-01"):
        return set()  # a year or a month by itself would be found everywhere
    year, month, day = text.split("-")
    named = PartialDate(text).words()
    return {
        *(text, f"{day}/{month}/{year}", f"{day}-{month}-{year}", f"{day}.{month}.{year}", f"{year}{month}{day}"),
        *(named, f"{day}-{_MONTHS[int(month) - 1]}-{year}"),
    }
