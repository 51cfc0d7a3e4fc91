"""Puts the items of several systems together: the same fact once with all its sources, everything else kept.

Two items are the same fact only if *every* clinical field is equal. Nothing is chosen, nothing is averaged, and the
order in which systems answered makes no difference (rule 8). One pass, so the cost grows with the number of items.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import TypeAdapter

from mpftconnect.hub.match import family_names
from mpftconnect.hub.record import Conflict
from mpftconnect.model import (
    AllergyIntolerance,
    CarePlan,
    ClinicalItem,
    Extra,
    Item,
    MedicationStatement,
    Patient,
    SectionName,
    extra_from,
)

__all__ = ["conflicts", "merge", "patient_conflicts"]

T = TypeVar("T", bound=Item)

# What tells where something was said rather than what was said. Pointers are the source's own ids.
_ORIGIN = {"source", "also", "extra", "subject", "encounter", "based_on", "identifiers"}
_POINTERS: TypeAdapter[Any] = TypeAdapter(Any)


def _content(item: Item) -> str:
    return f"{type(item).__name__}:{item.model_dump_json(exclude=_ORIGIN, exclude_none=True)}"


def merge(items: Iterable[T]) -> tuple[T, ...]:
    """Items without repeats, in an order that depends on nothing but the items: newest first, then by key.

    Items of one system are never joined with each other: what a system holds twice is shown twice. What each source
    said beyond the model (`extra`) is kept of all.
    """
    groups: dict[str, list[T]] = defaultdict(list)
    for item in items:
        groups[_content(item)].append(item)
    merged: list[T] = []
    for alike in groups.values():
        merged.extend(_joined(alike) if len(alike) > 1 else alike)
    merged.sort(key=lambda item: item.key)
    merged.sort(key=lambda item: item.clinical_date.sort_key if item.clinical_date else "", reverse=True)
    return tuple(merged)


def _joined(alike: Sequence[T]) -> list[T]:
    # Each system once in a fact: two equal doses in one system stay two beside another system's two.
    facts: list[tuple[set[str], list[T]]] = []
    for item in sorted(alike, key=lambda item: item.key):
        systems = {source.system for source in item.sources}
        for known, same in facts:
            if not known & systems:
                known |= systems
                same.append(item)
                break
        else:
            facts.append((systems, [item]))
    return [_one(same[0], same[1:]) if len(same) > 1 else same[0] for _, same in facts]


def _one(first: T, others: Sequence[T]) -> T:
    also = tuple(source for item in others for source in item.sources)
    extra = tuple(dict.fromkeys(part for item in (first, *others) for part in (*item.extra, *_pointers(item, first))))
    update: dict[str, object] = {"also": (*first.also, *also), "extra": extra}
    if isinstance(first, ClinicalItem):
        identifiers = (i for item in (first, *others) if isinstance(item, ClinicalItem) for i in item.identifiers)
        update["identifiers"] = tuple(dict.fromkeys(identifiers))
    return first.model_copy(update=update)


def _pointers(item: Item, first: Item) -> Iterable[Extra]:
    """What the others point at, kept beside the first's own pointers: ids mean something only in their system."""
    if item is not first and isinstance(item, ClinicalItem):
        for name in ("encounter", "based_on"):
            if value := getattr(item, name):
                yield extra_from(f"also[{item.source.system}].{name}", json.loads(_POINTERS.dump_json(value)))


def conflicts(sections: Mapping[SectionName, Sequence[Item]]) -> tuple[Conflict, ...]:
    """What disagrees among the items. Nothing is settled here: each conflict names all the items concerned."""
    return (*_allergies(sections), *_plans(sections), *_medications(sections))


def _conflict(kind: str, section: SectionName, text: str, items: Sequence[Item]) -> Conflict:
    keys = tuple(sorted(item.key for item in items))
    systems = tuple(sorted({source.system for item in items for source in item.sources}))
    return Conflict(kind=kind, section=section, text=text, items=keys, systems=systems)


def _allergies(sections: Mapping[SectionName, Sequence[Item]]) -> Iterable[Conflict]:
    items = [item for item in sections.get(SectionName.ALLERGIES, ()) if isinstance(item, AllergyIntolerance)]
    none = [item for item in items if item.asserts_none]
    some = [item for item in items if not item.asserts_none and _stands(item)]
    if none and some:
        yield _conflict(
            "allergy-against-none-known",
            SectionName.ALLERGIES,
            "One source records that no allergies are known and another records an allergy. "
            "Treat the person as allergic until this is settled.",
            [*none, *some],
        )


def _stands(item: AllergyIntolerance) -> bool:
    gone = ("entered-in-error", "refuted")
    status = item.verification_status
    return status is None or not any(coding.code in gone for coding in status.coding)


def _plans(sections: Mapping[SectionName, Sequence[Item]]) -> Iterable[Conflict]:
    active = [i for i in sections.get(SectionName.CARE_PLANS, ()) if isinstance(i, CarePlan) and i.is_active]
    if len(active) > 1:
        yield _conflict(
            "several-active-plans",
            SectionName.CARE_PLANS,
            f"{len(active)} care plans are active at the same time. All are shown, newest first.",
            active,
        )


def _medications(sections: Mapping[SectionName, Sequence[Item]]) -> Iterable[Conflict]:
    by_product: dict[str, list[MedicationStatement]] = defaultdict(list)
    for item in sections.get(SectionName.MEDICATIONS, ()):
        if isinstance(item, MedicationStatement):
            for name in _products(item):
                by_product[name].append(item)
    seen: set[tuple[str, ...]] = set()
    for _, items in sorted(by_product.items()):
        systems = {source.system for item in items for source in item.sources}
        if len(items) < 2 or len(systems) < 2 or len({(i.status, i.dosage) for i in items}) < 2:
            continue
        found = _conflict(
            "medicine-differs",
            SectionName.MEDICATIONS,
            "Systems disagree on the status or the dosage of the same medicine.",
            items,
        )
        if found.items not in seen:
            seen.add(found.items)
            yield found


def _products(item: MedicationStatement) -> set[str]:
    codes = {f"{c.system}|{c.code}" for c in item.medication.coding if c.code}
    text = item.medication.text
    return codes | ({" ".join(text.split()).casefold()} if text else set())


def patient_conflicts(traced: Patient, others: Mapping[str, Patient]) -> tuple[Conflict, ...]:
    """Demographics in which joined systems differ from the tracing service; the values stand in the systems."""
    found = []
    for system, patient in sorted(others.items()):
        differs = {
            "family-name-differs": bool(family_names(traced))
            and bool(family_names(patient))
            and not family_names(traced) & family_names(patient),
            # Only a decision by people joins a record of another birth date.
            "birth-date-differs": _born_apart(traced, patient),
            "gender-differs": bool(traced.gender and patient.gender) and traced.gender != patient.gender,
            "death-differs": _dead(traced) is not None
            and _dead(patient) is not None
            and _dead(traced) != _dead(patient),
        }
        for kind, really in differs.items():
            if really:
                what = kind.removesuffix("-differs").replace("-", " ")
                text = f"{system} and {traced.source.system} disagree on the person's {what}."
                found.append(Conflict(kind=kind, text=text, systems=tuple(sorted((system, traced.source.system)))))
    return tuple(found)


def _born_apart(one: Patient, other: Patient) -> bool:
    if one.birth_date is None or other.birth_date is None:
        return False
    shorter = min(len(one.birth_date.text), len(other.birth_date.text))
    return one.birth_date.text[:shorter] != other.birth_date.text[:shorter]


def _dead(patient: Patient) -> bool | None:
    if patient.deceased is None:
        return None
    return patient.deceased if isinstance(patient.deceased, bool) else True
