"""What it costs to make one record of what the systems said, and how that grows."""

from __future__ import annotations

from generated import asked_systems, assembled, policies
from result import Goal, Result
from size import Size
from timing import cpu_clock, interleaved

__all__ = ["run"]

_PEER = "pydantic writes the same items as JSON, once"


def run(size: Size) -> list[Result]:
    settled = policies()
    results = []
    first_per_item = None
    for count in size.growth:
        asked = asked_systems(count)
        items = [item for one in asked if one.read for section in one.read.sections.values() for item in section.found]
        assert len(items) == count
        samples = interleaved(
            {
                "merge": lambda asked=asked: assembled(asked, settled),  # type: ignore[misc]
                "write": lambda items=items: [item.model_dump_json() for item in items],  # type: ignore[misc]
            },
            rounds=size.rounds,
            clock=cpu_clock,
        )
        own, peer = samples["merge"], samples["write"]
        goal = Goal("measured", 50.0) if count == 1_000 else None
        results.append(
            Result(
                f"a record of {count:,} items made", own.least * 1e3, "ms", _PEER, peer.least * 1e3, own.spread, goal
            )
        )
        per_item = own.least / count * 1e6
        if first_per_item is None:
            first_per_item = per_item
        else:
            # Linear: ten times the items may not cost much more than ten times the time.
            words = f"as much for an item of {size.growth[0]:,}"
            goal = Goal("ratio", 1.5)
            results.append(
                Result(f"for each item of {count:,}", per_item, "us", words, first_per_item, own.spread, goal)
            )
    return results
