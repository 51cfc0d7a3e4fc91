"""Puts the items of several systems together: the same fact once with all its sources, everything else kept.

Two items are the same fact only if *every* clinical field is the same, and what they are about (the code of a problem,
the product of a medicine) is the same by `sameness`. Nothing is chosen, nothing is averaged, and the order in which
systems answered makes no difference (rule 8). A withdrawn item never joins one that stands.

Work is done only where it can matter, so the cost grows with the number of items: those that share kind, date and
standing with an item of another system are compared, by keys and never two by two.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from mpftconnect.governance.restriction import HIDDEN_TEXT
from mpftconnect.hub.sameness import Opinions, alike, concept_key, is_stated, linked, literal, tokens
from mpftconnect.model import (
    SECTION_TYPES,
    ClinicalItem,
    Concept,
    Extra,
    Immunization,
    Item,
    Model,
    Observation,
    Quantity,
    extra_from,
)

__all__ = ["ABOUT", "Merged", "SameAs", "comparable", "fact_key", "merge", "put_together", "thing_of"]

T = TypeVar("T", bound=Item)
V = TypeVar("V", bound=Hashable)

# What tells where something was said rather than what was said. Pointers are the source's own ids.
_POINTERS = ("encounter", "based_on", "actual", "content")
ORIGIN = frozenset({"source", "also", "extra", "subject", "identifiers", *_POINTERS})
# The field that says what an item is about, by kind. Here sameness by a shared code or text is enough; every other
# coded field must have the same codes, or none and the same text.
ABOUT: dict[str, str] = {
    "AllergyIntolerance": "code",
    "Condition": "code",
    "DiagnosticReport": "code",
    "DocumentReference": "type",
    "Flag": "code",
    "Immunization": "vaccine",
    "LegalStatus": "code",
    "MedicationStatement": "medication",
    "Observation": "code",
    "ServiceRequest": "code",
}
_SECTION = {kind.__name__: name for name, kind in SECTION_TYPES.items()}
_JSON: TypeAdapter[Any] = TypeAdapter(Any)


@dataclass(frozen=True, slots=True)
class SameAs:
    """By what the items of one fact are the same, beyond being equal.

    Args:
        rule: `code`, `text` or `plugin`.
        plugins: Names of the terminology plugins that say so.
    """

    rule: str
    plugins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Merged(Generic[T]):
    """The items of a section, and of those that are not simply equal: by what each is one fact, by its key."""

    items: tuple[T, ...]
    same_as: dict[str, SameAs]


def merge(items: Iterable[T]) -> tuple[T, ...]:
    """The items of `put_together`, without any terminology plugin."""
    return put_together(items).items


def put_together(items: Iterable[T], opinions: Opinions | None = None) -> Merged[T]:
    """Items without repeats, in an order that depends on nothing but the items: newest first, then by key.

    Items of one system are never joined with each other: what a system holds twice, under two ids, is shown twice. The
    same entry that arrives twice is one. What each source said beyond the model (`extra`), and each wording that is
    not the one shown, is kept of all.

    Args:
        opinions: What terminology plugins say; nothing by default.
    """
    nearby: dict[Hashable, list[T]] = defaultdict(list)
    for item in items:
        nearby[_hint(item)].append(item)
    merged: list[T] = []
    same_as: dict[str, SameAs] = {}
    for near in nearby.values():
        if not _can_join(near):
            merged += near
            continue
        groups: dict[Hashable, list[T]] = defaultdict(list)
        for item in near:
            groups[fact_key(item)].append(item)
        for group in groups.values():
            for same, how in _same(group, opinions or Opinions()):
                for fact in _facts(same):
                    merged.append(fact)
                    if how is not None and fact.also:
                        same_as[fact.key] = how
    return Merged(_ordered(merged), same_as)


def _ordered(items: list[T]) -> tuple[T, ...]:
    keys = [item.key for item in items]
    repeated = len(set(keys)) < len(keys)
    # Two different items under one key are a system's mistake, and must not change places all the same.
    items.sort(key=lambda item: (item.key, item.model_dump_json() if repeated else ""))
    items.sort(key=lambda item: item.clinical_date.sort_key if item.clinical_date else "", reverse=True)
    return tuple(items)


def thing_of(item: Item) -> Concept | None:
    """What the item is about; of a vaccination whose product is not known, the procedure."""
    name = ABOUT.get(type(item).__name__)
    about: Concept | None = getattr(item, name) if name else None
    if isinstance(item, Immunization) and not is_stated(item.vaccine):
        return item.procedure
    return about


def _hint(item: Item) -> Hashable:
    """Equal wherever `fact_key` is equal, and cheap: most items are told apart by it alone."""
    date = item.clinical_date
    plain = tuple(value for value in item.__dict__.values() if type(value) is str)
    value = getattr(item, "value", None) if isinstance(item, Observation) else None
    amount = str(value.value) if isinstance(value, Quantity) else None
    return (type(item).__name__, date.text if date else None, amount, plain)


def _can_join(items: Sequence[Item]) -> bool:
    if len(items) < 2:
        return False
    systems = {source.system for item in items for source in item.sources}
    return len(systems) > 1 or len({item.key for item in items}) < len(items)


def fact_key(item: Item) -> Hashable:
    """All that an item says but what it is about: equal where two items may be one fact."""
    about = ABOUT.get(type(item).__name__)
    hidden: list[str] = []
    said = tuple(
        (name, comparable(value, hidden))
        for name, value in item.__dict__.items()
        if value is not None and value != () and name != about and name not in ORIGIN
    )
    # What a reader may not see may differ, so it is the same as nothing but itself.
    return (type(item).__name__, item.withdrawn is None, item.key if hidden else None, said)


def comparable(value: Any, hidden: list[str] | None = None) -> Hashable:
    """A value in the form in which it is compared: as written, with concepts as `concept_key` has them.

    Args:
        hidden: Gets an entry for each part that is hidden from the reader.
    """
    if isinstance(value, str):
        if hidden is not None and value == HIDDEN_TEXT:
            hidden.append(value)
        return value
    if isinstance(value, Concept):
        if hidden is not None and value.text == HIDDEN_TEXT:
            hidden.append(value.text)
        return concept_key(value)
    if isinstance(value, tuple):
        return tuple(comparable(part, hidden) for part in value)
    if isinstance(value, Model):
        fields = value.__dict__.items()
        return (type(value).__name__, *((n, comparable(v, hidden)) for n, v in fields if v is not None and v != ()))
    if isinstance(value, Decimal):
        return str(value)  # 4.10 is not 4.1: decimals keep their digits
    return (type(value).__name__, value)  # 1 is not True


def _same(group: Sequence[T], opinions: Opinions) -> Iterable[tuple[list[T], SameAs | None]]:
    """The items of equal `fact_key` parted by what they are about, with what makes those of a part the same."""
    about = ABOUT.get(type(group[0]).__name__)
    if about is None:
        yield list(group), None
        return
    stated: list[tuple[T, Concept]] = []
    silent: dict[str, list[T]] = defaultdict(list)
    for item in _ranked(group):
        value = thing_of(item)
        if value is not None and is_stated(value):
            stated.append((item, value))
        else:
            # Two that do not say what they are about may be about two things: each is the same as itself alone.
            silent[item.key].append(item)
    for alone in silent.values():
        yield alone, None
    parts: list[tuple[list[tuple[T, Concept]], str]] = []
    for part in linked((pair, tokens(pair[1]) or {literal(pair[1])}) for pair in stated):
        how = alike([value for _, value in part])
        if how is not None:
            parts.append((part, how))
            continue
        # They hang together by a chain alone, or contradict one another: only what is equal goes together.
        apart: dict[Hashable, list[tuple[T, Concept]]] = defaultdict(list)
        for pair in part:
            apart[literal(pair[1])].append(pair)
        parts += [(equal, alike([value for _, value in equal]) or "text") for equal in apart.values()]
    section = _SECTION[type(group[0]).__name__]
    for places, plugins in opinions.groups([part[0][1] for part, _ in parts], section, strict=True):
        together = [item for at in places for item, _ in parts[at][0]]
        hows = {parts[at][1] for at in places} - {"equal"}
        if plugins:
            yield together, SameAs("plugin", plugins)
        else:
            yield together, SameAs(min(hows)) if hows else None


def _ranked(items: Iterable[T]) -> list[T]:
    """The order of items of one fact: merged ones first, then by key, and by all that they say where keys repeat."""
    known = list(items)
    if len({(len(item.also), item.key) for item in known}) == len(known):
        return sorted(known, key=lambda item: (-len(item.also), item.key))
    return sorted(known, key=lambda item: (-len(item.also), item.key, item.model_dump_json()))


def _facts(same: Sequence[T]) -> list[T]:
    """One item for each time that a single system holds the fact, with the systems that hold it as often."""
    whole: list[list[T]] = []
    holder: dict[str, int] = {}
    for item in _ranked(same):
        held = {holder.get(source.key) for source in item.sources}
        at = held.pop() if len(held) == 1 else None
        if at is not None:
            whole[at].append(item)  # the same entry again
            continue
        for source in item.sources:
            holder.setdefault(source.key, len(whole))
        whole.append([item])
    # The first entry of each system makes one fact, the second of each another, and so on.
    facts: list[list[T]] = []
    used: dict[str, int] = defaultdict(int)
    for entries in sorted(whole, key=lambda entries: entries[0].key):
        systems = {source.system for source in entries[0].sources}
        place = max(used[system] for system in systems)
        if place == len(facts):
            facts.append([])
        facts[place] += entries
        for system in systems:
            used[system] = place + 1
    return [_one(fact[0], fact[1:]) if len(fact) > 1 else fact[0] for fact in facts]


def _one(first: T, others: Sequence[T]) -> T:
    known = {source.key for source in first.sources}
    # One source a key: the first of them in the order of the items.
    also = {source.key: source for item in reversed(others) for source in reversed(item.sources)}
    added = dict.fromkeys(s.key for item in others for s in item.sources if s.key not in known)
    extra = (part for item in others for part in (*item.extra, *_otherwise(item, first)))
    update: dict[str, object] = {
        "also": (*first.also, *(also[key] for key in added)),
        "extra": _with_new(first.extra, extra),
    }
    if isinstance(first, ClinicalItem):
        identifiers = (i for item in others if isinstance(item, ClinicalItem) for i in item.identifiers)
        update["identifiers"] = _with_new(first.identifiers, identifiers)
    return first.model_copy(update=update)


def _with_new(known: tuple[V, ...], more: Iterable[V]) -> tuple[V, ...]:
    """What is known, untouched, and of the rest what is not among it."""
    seen = set(known)
    return (*known, *(value for value in dict.fromkeys(more) if value not in seen))


def _otherwise(item: Item, first: Item) -> Iterable[Extra]:
    """What another item of the fact points at or words otherwise, kept beside the first's own.

    Ids mean something only in their system. A concept that counts as the same may be worded or coded otherwise.
    """
    if item is first:
        return
    again = item.source.key == first.source.key
    for name, value in item.__dict__.items():
        if name in ORIGIN and name not in _POINTERS:
            continue
        if value and (value != getattr(first, name) or (name in ORIGIN and not again)):
            yield extra_from(
                f"also[{item.source.system}].{name}", json.loads(_JSON.dump_json(value, exclude_none=True))
            )
