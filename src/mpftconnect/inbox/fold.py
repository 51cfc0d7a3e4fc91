"""What stands under a key after all changes to it: a fold over them in the order in which they were stated.

So it does not matter in which order they arrived, save where their times leave it open; then the later arrival is
taken as the later change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mpftconnect.hl7v2.changes import Replace, Retract, Stated, Upsert, is_older, may_stand_over
from mpftconnect.model import Item, Model

__all__ = ["ItemChange", "Standing", "after", "folded", "in_order"]

ItemChange = Upsert | Replace | Retract


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What stands.

    Args:
        item: The thing.
        stated: When the newest change was stated that was applied.
        seq: Number of that change's message.
        withdrawn: Why it is withdrawn, with the sender's code.
        restricted: Fields of its messages that asked for confidence.
        mentioned: It was only mentioned so far.
    """

    item: Item = field(repr=False)
    stated: Stated = field(repr=False)
    seq: int
    withdrawn: str | None = None
    restricted: tuple[str, ...] = ()
    mentioned: bool = False


def in_order(changes: Iterable[tuple[int, ItemChange]]) -> list[tuple[int, ItemChange]]:
    """Changes, given as they arrived, as they were stated: each goes before the last of those that are surely newer."""
    out: list[tuple[int, ItemChange]] = []
    for each in changes:
        place = len(out)
        while place and is_older(each[1].stated, out[place - 1][1].stated) is True:
            place -= 1
        out.insert(place, each)
    return out


def folded(changes: Sequence[tuple[int, ItemChange]], ground: Standing | None = None) -> Standing | None:
    """What stands after changes that are in order, on what stood before them."""
    standing = ground
    for seq, change in changes:
        standing = after(standing, seq, change)
    return standing


def after(standing: Standing | None, seq: int, change: ItemChange) -> Standing:
    """What stands after one change that is not older than what stands."""
    mention = isinstance(change, Upsert) and change.mentions
    asked = tuple(dict.fromkeys((*(standing.restricted if standing else ()), *change.subject.restricted)))
    if standing is None:
        reason = _reason(change) if isinstance(change, Retract) else None
        return Standing(
            item=change.item, stated=change.stated, seq=seq, withdrawn=reason, restricted=asked, mentioned=mention
        )
    kept = Standing(
        item=standing.item,
        stated=standing.stated,
        seq=standing.seq,
        withdrawn=standing.withdrawn,
        restricted=asked,
        mentioned=standing.mentioned,
    )
    if mention:
        return kept
    withdraws = isinstance(change, Retract)
    if not may_stand_over(
        change.stated, standing.stated, withdraws=withdraws, standing_withdrawn=standing.withdrawn is not None
    ):
        return kept
    item: Item
    if isinstance(change, Upsert):
        item = _updated(standing.item, change)
    elif isinstance(change, Retract):
        item = _updated_by(standing.item, change.item)
    else:
        item = change.item
    reason = _reason(change) if isinstance(change, Retract) else None
    return Standing(item=item, stated=change.stated, seq=seq, withdrawn=reason, restricted=asked)


def _reason(change: Retract) -> str:
    return f"{change.reason} ({change.code})" if change.code else change.reason


def _updated(base: Item, change: Upsert) -> Item:
    item = _updated_by(base, change.item)
    for path in change.removed:
        item = _without(item, path.split("."))
    return item


def _updated_by(base: Item, newer: Item) -> Item:
    """What the newer one says, and of what it leaves out what the base says."""
    if type(base) is not type(newer):
        return newer
    said = {name: getattr(newer, name) for name in newer.model_fields_set if getattr(newer, name) not in (None, ())}
    return base.model_copy(update=said)


def _without(item: Any, path: Sequence[str]) -> Any:
    """The object without what a path of field names leads to; as it is where that cannot be left out."""
    name, rest = path[0], path[1:]
    if not isinstance(item, Model) or name not in type(item).model_fields:
        return item
    value = getattr(item, name)
    if rest:
        return item.model_copy(update={name: _without(value, rest)}) if isinstance(value, Model) else item
    known = type(item).model_fields[name]
    return item if known.is_required() else item.model_copy(update={name: known.get_default(call_default_factory=True)})
