"""What items of one record say of each other: names beside pointers, and the authorisation behind a medicine.

Source: GP Connect 1.x, accessrecord_structured_development_linkages and ..._medication_resource_relationships: a
relation stands in one of the two resources only, so a reader of the other would not see it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mpftconnect.model import (
    Condition,
    DiagnosticReport,
    Item,
    MedicationStatement,
    Observation,
    ProblemLink,
    Reference,
)
from mpftconnect_gpconnect.structured.bundle import Held

__all__ = ["linked", "name_of"]

# Pointers that a reader must be able to read.
_NAMED: Final[dict[type[Item], tuple[str, ...]]] = {
    Condition: ("actual", "content", "related"),
    DiagnosticReport: ("results", "specimens"),
    Observation: ("members", "specimen"),
}
# What GP Connect says of a medicine in its authorisation (MedicationRequest of intent `plan`) and not in its statement.
_OF_THE_PLAN: Final = (
    *("course", "status_reason", "status_changed", "repeats_allowed", "repeats_issued", "authorised_until"),
    *("quantity", "quantity_text", "supply"),
)


def name_of(item: Item) -> str:
    """An entry as it reads among others: most entries of GP systems are a code and have no value to be missed."""
    if (
        isinstance(item, Observation)
        and item.value is None
        and not (item.components or item.note or item.data_absent_reason)
    ):
        return item.code.words()
    return item.words()


def linked(items: Mapping[str, Item], held: Held) -> dict[str, Item]:
    """The items with what they say of each other; nothing that an item says itself is changed."""
    return {key: _with_plan(_with_names(item, items, held), items, held) for key, item in items.items()}


def _with_names(item: Item, items: Mapping[str, Item], held: Held) -> Item:
    changed: dict[str, Any] = {}
    for name in _NAMED.get(type(item), ()):
        value = getattr(item, name)
        named = tuple(_named(one, items, held) for one in value) if type(value) is tuple else _named(value, items, held)
        if named != value:
            changed[name] = named
    return item.model_copy(update=changed) if changed else item


def _named(value: Any, items: Mapping[str, Item], held: Held) -> Any:
    if isinstance(value, ProblemLink):
        return value.model_copy(update={"problem": _named(value.problem, items, held)})
    if not isinstance(value, Reference) or value.display is not None:
        return value
    target = _target(value, items, held)
    return value.model_copy(update={"display": name_of(target)}) if target else value


def _target(pointer: Reference, items: Mapping[str, Item], held: Held) -> Item | None:
    found = held.find(pointer.reference)
    return items.get(found.key) if found else None


def _with_plan(item: Item, items: Mapping[str, Item], held: Held) -> Item:
    """A statement with what its one authorisation says and it does not."""
    if not isinstance(item, MedicationStatement) or item.kind != "statement":
        return item
    behind = [_target(pointer, items, held) for pointer in item.based_on]
    plans = [one for one in behind if isinstance(one, MedicationStatement) and one.intent == "plan"]
    if len(plans) != 1:
        return item
    said = {name: getattr(plans[0], name) for name in _OF_THE_PLAN if getattr(item, name) in (None, ())}
    said = {name: value for name, value in said.items() if value not in (None, ())}
    return item.model_copy(update=said) if said else item
