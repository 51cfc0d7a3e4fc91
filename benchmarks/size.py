"""How much is measured: enough for honest numbers, or just enough to show that everything runs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FULL", "SMALL", "Size"]


@dataclass(frozen=True, slots=True)
class Size:
    """Numbers of runs and of items.

    Args:
        processes: Fresh interpreters of each kind.
        records: Whole reads of a record.
        rounds: Runs of work that only computes.
        items: Items of the record that is merged, written and rendered.
        growth: Items of the records by which growth is seen.
        concepts: Concepts of the terminology that is imported.
        delay_seconds: After how long the twins answer where they answer late.
    """

    processes: int
    records: int
    rounds: int
    items: int
    growth: tuple[int, ...]
    concepts: int
    delay_seconds: float


FULL = Size(
    processes=15,
    records=40,
    rounds=15,
    items=1_000,
    growth=(1_000, 3_000, 10_000),
    concepts=500_000,
    delay_seconds=0.05,
)
SMALL = Size(processes=1, records=1, rounds=1, items=30, growth=(30, 60), concepts=2_000, delay_seconds=0.001)
