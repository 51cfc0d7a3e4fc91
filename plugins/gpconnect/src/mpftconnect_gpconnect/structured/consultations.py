"""Consultations: the tree of lists consultation > topic > heading > entries, as notes that keep their headings.

Source: GP Connect 1.x, accessrecord_structured_development_consultation_guidance and ..._list_consultation. The notes
of a consultation are its entries read in order: their terms, values and comments. Here the order of a list's own
entries does mean something: it is how the practice shows them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mpftconnect.adapters import Reading
from mpftconnect.errors import NotADate
from mpftconnect.model import (
    SNOMED,
    Actor,
    Concept,
    Encounter,
    Item,
    NoteHeading,
    Notice,
    ProgressNote,
    Reference,
    When,
)
from mpftconnect_gpconnect.structured.bundle import Entry, Held, mappings
from mpftconnect_gpconnect.structured.codes import CATEGORY, CONSULTATION, TOPIC
from mpftconnect_gpconnect.structured.linking import name_of
from mpftconnect_gpconnect.structured.lists import codes
from mpftconnect_gpconnect.structured.urls import RELATED_PROBLEM_HEADER

__all__ = ["notes"]

_LEVELS = {CONSULTATION: 0, TOPIC: 1, CATEGORY: 2}
_NOT_SENT = "an entry that the practice names and did not send"


def notes(held: Held, items: Mapping[str, Item], reading: Reading) -> Iterator[ProgressNote | Notice]:
    """A note for each consultation; and for each topic or heading that belongs to none.

    Args:
        held: The Bundle.
        items: What of it became an item, by key: nothing else may be put into words here.
    """
    told = _Told(held, items, reading)
    parts = sorted(
        (entry for entry in held.of("List") if _level(entry) is not None),
        key=lambda entry: (_LEVELS[str(_level(entry))], entry.key),
    )
    for entry in parts:
        if entry.key not in told.seen:
            yield told.note(entry)
    if told.not_sent:
        text = "The practice names entries of consultations that it did not send."
        yield Notice("entries-missing", text, incomplete=True)
    if told.not_supported:
        text = "The practice's system cannot send some entries of consultations."
        yield Notice("entries-not-supported", text, incomplete=True)


def _level(entry: Entry) -> str | None:
    """Which part of a consultation a list is; None if it is none."""
    return next((c for system, c in codes(entry.resource.get("code")) if system == SNOMED and c in _LEVELS), None)


@dataclass
class _Told:
    held: Held
    items: Mapping[str, Item]
    reading: Reading
    seen: set[str] = field(default_factory=set)
    not_sent: bool = False
    not_supported: bool = False

    def note(self, entry: Entry) -> ProgressNote:
        headings = tuple(self._headings(entry, None, ()))
        raw = entry.resource
        encounter = self._pointer(raw.get("encounter"))
        contact = self._item(encounter)
        title = raw.get("title")
        return ProgressNote(
            source=self.reading.source(entry.key),
            subject=self._pointer(raw.get("subject")),
            encounter=encounter,
            author=_author(contact),
            type=Concept(text=title) if type(title) is str and title else None,
            date=contact.clinical_date if contact else None,
            recorded=self._when(raw.get("date")),
            status=raw["status"] if type(raw.get("status")) is str else None,
            headings=headings,
            text="\n".join(self._lines(headings)) or "no entries",
        )

    def _headings(self, entry: Entry, topic: str | None, problems: tuple[Reference, ...]) -> Iterator[NoteHeading]:
        """The headings below a list, each list once: a list that contains itself ends there."""
        self.seen.add(entry.key)
        level, title = _level(entry), entry.resource.get("title")
        title = title if type(title) is str and title else None
        if level == TOPIC:
            topic, problems = title, (*problems, *self._problems(entry.resource))
        own: list[Reference] = []
        below: list[Entry] = []
        for one in mappings(entry.resource.get("entry")):
            pointer = one.get("item")
            found = self.held.find(pointer.get("reference")) if type(pointer) is dict else None
            if found is not None and found.kind == "List" and _level(found) is not None:
                below.append(found)
            elif type(pointer) is dict:
                own.append(self._entry(pointer, found))
        if own or (level == TOPIC and problems and not below):
            heading = title if level == CATEGORY else None
            yield NoteHeading(title=heading, topic=topic, problems=problems, items=tuple(own))
        for found in below:
            if found.key not in self.seen:
                yield from self._headings(found, topic, problems)

    def _entry(self, raw: dict[str, Any], found: Entry | None) -> Reference:
        if raw.get("reference") is None:
            self.not_supported = True
        elif found is None:
            self.not_sent = True
        return self._pointer(raw) or Reference()

    def _problems(self, raw: Mapping[str, Any]) -> Iterator[Reference]:
        for one in mappings(raw.get("extension")):
            if one.get("url") in RELATED_PROBLEM_HEADER:
                for part in mappings(one.get("extension")):
                    pointer = self._pointer(part.get("valueReference")) if part.get("url") == "target" else None
                    if pointer is not None:
                        yield pointer

    def _pointer(self, raw: Any) -> Reference | None:
        """A reference, with the words of what it points to where that is known."""
        if type(raw) is not dict:
            return None
        said = {name: raw[name] for name in ("reference", "display") if type(raw.get(name)) is str}
        item = self._item(Reference(reference=said.get("reference")))
        if item is not None and "display" not in said:
            said["display"] = name_of(item)
        return Reference(**said) if said else None

    def _item(self, pointer: Reference | None) -> Item | None:
        found = self.held.find(pointer.reference) if pointer else None
        return self.items.get(found.key) if found else None

    def _when(self, raw: Any) -> When | None:
        try:
            return self.reading.when(raw) if type(raw) is str else None
        except NotADate:
            return None

    def _lines(self, headings: tuple[NoteHeading, ...]) -> Iterator[str]:
        topic: str | None = None
        for heading in headings:
            if heading.topic is not None and heading.topic != topic:
                topic = heading.topic
                yield topic
            for problem in heading.problems:
                yield f"Problem: {problem.display or _NOT_SENT}"
            if heading.title is not None:
                yield f"{heading.title}:"
            for pointer in heading.items:
                yield f"- {pointer.display or _NOT_SENT}"


def _author(contact: Item | None) -> Actor | None:
    """Who mainly took part in the contact: HL7 v3 ParticipationType PPRF, as CareConnect-GPC-Encounter-1 has it."""
    if not isinstance(contact, Encounter):
        return None
    people = contact.participants
    main = [one for one in people if one.role and any(coding.code == "PPRF" for coding in one.role.coding)]
    return next((one.actor for one in (*main, *people)), None)
