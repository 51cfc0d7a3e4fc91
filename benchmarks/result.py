"""One line of the table, and the three forms that the table is given in: terminal, JSON, Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Goal", "Result", "as_json", "as_markdown", "as_text"]


@dataclass(frozen=True, slots=True)
class Goal:
    """At most so much, of the measured value or of its ratio to the peer's."""

    of: Literal["measured", "ratio"]
    at_most: float

    def words(self, unit: str) -> str:
        return f"at most {self.at_most:g} x" if self.of == "ratio" else f"at most {self.at_most:g} {unit}"


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured, beside a peer in the same run.

    Args:
        name: What was measured.
        measured: The least of the runs, in `unit`.
        peer_name: What it is compared with.
        peer: The peer's least.
        spread: How far the middle run lay above the least, as a part of it.
        goal: What was set out to be reached; None where the number is only to be known.
    """

    name: str
    measured: float
    unit: str
    peer_name: str
    peer: float
    spread: float
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        return self.measured / self.peer if self.peer > 0 else None

    @property
    def met(self) -> bool | None:
        """Whether the goal was met; None if there is none, or nothing to compare with."""
        value = None if self.goal is None else self.measured if self.goal.of == "measured" else self.ratio
        return None if self.goal is None or value is None else value <= self.goal.at_most


_HEADINGS = ("what", "measured", "peer", "ratio", "spread", "goal", "")


def _cells(result: Result) -> tuple[str, ...]:
    return (
        result.name,
        f"{_number(result.measured)} {result.unit}",
        f"{_number(result.peer)} {result.unit} ({result.peer_name})",
        _ratio(result.ratio) if result.ratio is not None else "-",
        f"{result.spread:+.0%}",
        result.goal.words(result.unit) if result.goal else "-",
        {True: "met", False: "not met", None: ""}[result.met],
    )


def _ratio(value: float) -> str:
    # Goals such as a fiftieth or a hundredth are told from what just misses them.
    return f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def as_text(results: Sequence[Result]) -> str:
    """A table for a terminal."""
    rows = [_HEADINGS, *(_cells(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def as_markdown(document: dict[str, Any]) -> str:
    """The table of a document that `as_json` made, with a line on where it was measured."""
    results = [
        Result(**{**entry, "goal": Goal(**entry["goal"]) if entry["goal"] else None})
        for entry in ({k: v for k, v in one.items() if k not in ("ratio", "met")} for one in document["results"])
    ]
    machine = document["machine"]
    lines = [
        f"Measured with Python {machine['python']} on {machine['system']} ({machine['processor']}, "
        f"{machine['processors']} processors, {machine['busy']}).",
        "",
        "| What | Measured | Beside | Ratio | Spread | Goal | |",
        "|---|---|---|---|---|---|---|",
        *("| " + " | ".join(_cells(result)) + " |" for result in results),
    ]
    return "\n".join(lines)


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    """All results with their ratios, and the machine in general terms."""
    return {
        "machine": {
            "python": platform.python_version(),
            "system": platform.system(),
            "processor": platform.machine(),
            "processors": os.cpu_count(),
            "busy": _busy(),
        },
        "results": [{**asdict(result), "ratio": result.ratio, "met": result.met} for result in results],
    }


def _busy() -> str:
    """How busy the machine was with other work, as far as it says."""
    try:
        load = os.getloadavg()[0] / (os.cpu_count() or 1)
    except (AttributeError, OSError):
        return "load not known"
    return "idle otherwise" if load < 0.7 else "busy" if load < 2 else "very busy with other work"
