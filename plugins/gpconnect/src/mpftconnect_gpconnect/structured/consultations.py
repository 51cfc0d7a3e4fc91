"""Consultations: the tree of lists consultation > topic > heading > entries, as notes that keep their headings.

Source: GP Connect 1.x, accessrecord_structured_development_consultation_guidance and ..._list_consultation. The notes
of a consultation are its entries read in order: their terms, values and comments. Here the order of a list's own
entries does mean something: it is how the practice shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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


@dataclass(frozen=True, slots=True)
class _Topic:
    """What a part of a consultation is about."""

    key: str
    title: str | None = None
    problems: tuple[Reference, ...] = ()


@dataclass
class _Told:
    held: Held
    items: Mapping[str, Item]
    reading: Reading
    seen: set[str] = field(default_factory=set)
    not_sent: bool = False
    not_supported: bool = False

    def note(self, entry: Entry) -> ProgressNote:
        headings = tuple(self._headings(entry))
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
            headings=tuple(heading for _, heading in headings),
            text="\n".join(self._lines(headings)) or "no entries",
        )

    def _headings(self, top: Entry) -> Iterator[tuple[str, NoteHeading]]:
        """The headings below a list in its order, each with the key of its topic; each list once, so that lists that
        contain each other come to an end."""
        waiting: list[tuple[Entry, _Topic]] = [(top, _Topic(top.key))]
        while waiting:
            entry, topic = waiting.pop()
            if entry.key in self.seen:
                continue
            self.seen.add(entry.key)
            level, title = _level(entry), entry.resource.get("title")
            title = title if type(title) is str and title else None
            if level == TOPIC:
                topic = _Topic(entry.key, title, tuple(self._problems(entry.resource)) or topic.problems)
            own, below = self._entries(entry)
            if own or (level == TOPIC and topic.problems and not below):
                heading = title if level == CATEGORY else None
                yield (
                    topic.key,
                    NoteHeading(title=heading, topic=topic.title, problems=topic.problems, items=tuple(own)),
                )
            waiting += [(found, topic) for found in reversed(below)]

    def _entries(self, entry: Entry) -> tuple[list[Reference], list[Entry]]:
        """What stands in a list itself, and the lists of the tree below it."""
        own: list[Reference] = []
        below: list[Entry] = []
        for one in mappings(entry.resource.get("entry")):
            pointer = one.get("item")
            found = self.held.find(pointer.get("reference")) if type(pointer) is dict else None
            if found is not None and found.kind == "List" and _level(found) is not None:
                below.append(found)
            elif type(pointer) is dict:
                own.append(self._entry(pointer, found))
        return own, below

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

    @staticmethod
    def _lines(headings: Iterable[tuple[str, NoteHeading]]) -> Iterator[str]:
        """The note as text: topics apart from each other, so that no entry reads as one of the heading before it."""
        before: str | None = None
        for topic, heading in headings:
            if topic != before:
                if before is not None:
                    yield ""
                if heading.topic is not None:
                    yield heading.topic
                for problem in heading.problems:
                    yield f"Problem: {problem.display or _NOT_SENT}"
                before = topic
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
