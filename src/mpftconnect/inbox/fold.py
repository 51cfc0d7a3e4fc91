"""What stands under a key after all changes to it: a fold over them in the order in which they were stated.

So it does not matter in which order they arrived, save where their times leave it open; then the later arrival is
taken as the later change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mpftconnect.hl7v2 import applied
from mpftconnect.hl7v2.changes import Replace, Retract, Stated, Upsert, is_older, may_stand_over
from mpftconnect.model import Item

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
    item = applied(standing.item, change)
    reason = _reason(change) if isinstance(change, Retract) else None
    return Standing(item=item, stated=change.stated, seq=seq, withdrawn=reason, restricted=asked)


def _reason(change: Retract) -> str:
    return f"{change.reason} ({change.code})" if change.code else change.reason
