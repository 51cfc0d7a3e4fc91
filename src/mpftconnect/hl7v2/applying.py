"""What stands after a change: an update keeps what it does not state, and a withdrawn thing stays to be seen as that.

Whether a change may be applied at all is `may_stand_over`'s to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from mpftconnect.hl7v2.changes import Replace, Retract, Upsert
from mpftconnect.model import ContactPoint, Extra, Identifier, Item, Period

__all__ = ["applied"]

# Lists that a message adds to: the results of one report come in several messages, and one message's numbers of a
# thing are not all that it has.
_ADDS: Final = frozenset(("results", "specimens", "identifiers", "attachments"))
# Where an item says that it no longer stands, and why.
_WITHDRAWS: Final = ("status", "verification_status", "cancellation_reason", "status_reason")


def applied(standing: Item | None, change: Upsert | Replace | Retract) -> Item:
    """The item that stands after the change.

    Args:
        standing: What stands under the change's key; None if nothing does. One of another type counts as nothing.
        change: The change, which `may_stand_over` allows.
    Returns:
        Of an `Upsert`, `standing` with what the message states or removes. Of a `Replace`, the change's item. Of a
        `Retract`, `standing` with the status and note that say that it was withdrawn.

    HL7 v2.5.1, chapter 2, section 2.10.4 (repeating fields are sent whole) and 2.5.3 (null).
    """
    item = change.item
    if standing is None or type(standing) is not type(item) or isinstance(change, Replace):
        return item
    if isinstance(change, Upsert):
        return standing if change.mentions else _updated(standing, change)
    return _withdrawn(standing, item)


def _updated(standing: Item, change: Upsert) -> Item:
    item = change.item
    updates: dict[str, Any] = {"source": item.source}
    for name in type(item).model_fields:
        if name in ("source", "also", "extra"):
            continue
        new, old = getattr(item, name), getattr(standing, name)
        if name == "telecom":
            updates[name] = _telecom(old, new, change.removed)
        elif new is None or new == ():
            if name in change.removed:
                updates[name] = new
        elif isinstance(new, Period) and isinstance(old, Period):
            updates[name] = Period(start=new.start or old.start, end=new.end or old.end)
        elif name == "identifiers" and type(item).__name__ == "Patient":
            updates[name] = _numbers(old, new)
        elif name in _ADDS:
            stated = set(new)
            updates[name] = (*new, *(known for known in old if known not in stated))
        else:
            updates[name] = new
    for path in change.removed:
        name, _, part = path.partition(".")
        held = updates.get(name, getattr(standing, name, None))
        if part and isinstance(held, Period):
            kept = held.model_copy(update={part: getattr(getattr(item, name, None), part, None)})
            updates[name] = None if kept == Period() else kept
    updates["extra"] = _extras(standing.extra, item.extra)
    return standing.model_copy(update=updates)


def _numbers(old: tuple[Identifier, ...], new: tuple[Identifier, ...]) -> tuple[Identifier, ...]:
    """PID-3 is sent whole, so what it does not hold is gone; an NHS number keeps the status that it was sent with.

    A message that knows no NHS number does not take it away: it is removed by a merge or a new number only.
    """
    numbers = {known.value: known for known in old if known.is_nhs_number}
    kept = tuple(
        known.model_copy(update={"verification_status": numbers[known.value].verification_status})
        if known.is_nhs_number and known.verification_status is None and known.value in numbers
        else known
        for known in new
    )
    return kept if any(known.is_nhs_number for known in new) else (*kept, *numbers.values())


def _telecom(
    old: tuple[ContactPoint, ...], new: tuple[ContactPoint, ...], removed: Iterable[str]
) -> tuple[ContactPoint, ...]:
    """Numbers at home and at work come in two fields: a message that states only one of them keeps the other."""
    if not new:
        return () if "telecom" in removed else old
    stated = {point.use == "work" for point in new}
    return (*new, *(point for point in old if (point.use == "work") not in stated))


_FIELD: Final = re.compile(r"([A-Z][A-Z0-9]{2}(?:\[\d+\])?-\d+)")


def _extras(old: tuple[Extra, ...], new: tuple[Extra, ...]) -> tuple[Extra, ...]:
    """A field that is sent again takes the place of what was kept of it, with all its components."""
    stated = {_field_of(extra) for extra in new}
    return (*(extra for extra in old if _field_of(extra) not in stated), *new)


def _field_of(extra: Extra) -> str:
    found = _FIELD.match(extra.path)
    return found[1] if found else extra.path


def _withdrawn(standing: Item, item: Item) -> Item:
    """What stood, marked as withdrawn; its values stay as they were, so that a reader sees what was withdrawn."""
    updates: dict[str, Any] = {"source": item.source}
    for name in _WITHDRAWS:
        if name in type(item).model_fields and getattr(item, name) not in (None, ()):
            updates[name] = getattr(item, name)
    if "note" in type(item).model_fields:
        old, new = getattr(standing, "note", ()), getattr(item, "note", ())
        updates["note"] = (*old, *(line for line in new if line not in old))
    updates["extra"] = _extras(standing.extra, item.extra)
    return standing.model_copy(update=updates)
