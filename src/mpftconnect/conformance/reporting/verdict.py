"""The verdict of a pack, from the outcomes of its requirements. There is no score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mpftconnect.conformance.numbers import many
from mpftconnect.conformance.outcome import UNDECIDING, Status
from mpftconnect.conformance.run import Judged

__all__ = ["Counted", "Verdict", "counted", "counted_row", "counts_of", "verdict_of"]

Verdict = Literal["not-met", "undetermined", "met-the-checks-run"]

_ASIDE = (Status.ATTESTED, Status.EVIDENCE_FOUND, Status.NOT_ASKED, Status.NOT_OFFERED)


@dataclass(frozen=True, slots=True)
class Counted:
    """What a verdict needs of one requirement.

    Args:
        level: `must`, `should`, `may` or `advisory`.
        decides: Whether the verdict depends on it.
    """

    ref: str
    level: str
    decides: bool
    status: Status


def counted(judged: Iterable[Judged]) -> list[Counted]:
    """What was judged, to be counted."""
    return [
        Counted(r.ref, "advisory" if r.advisory else str(r.level), r.decides, each.outcome.status)
        for each in judged
        for r in (each.requirement,)
    ]


def counted_row(row: Mapping[str, Any]) -> Counted:
    """A row of a report's results, to be counted again. What decides is worked out, not read.

    Raises:
        KeyError, TypeError, ValueError: It is no such row.
    """
    level = "advisory" if row.get("advisory") else str(row["level"])
    return Counted(str(row["ref"]), level, level == "must", Status(row["outcome"]["status"]))


def verdict_of(judged: Sequence[Counted], not_run: Sequence[str] = ()) -> tuple[Verdict, str]:
    """The verdict, and why in one sentence.

    *Not met* if any must that applies fails; *undetermined* if any must is error, inconclusive or not tested, was left
    out of the run, or if no must passed; else *met the checks run*, with what was only attested, found, excused or not
    offered counted beside.

    Args:
        not_run: References of musts that this run left out.
    """
    musts = [j for j in judged if j.decides and j.status is not Status.NOT_APPLICABLE]
    failed = [j.ref for j in musts if j.status is Status.FAIL]
    if failed:
        return "not-met", f"{many(len(failed), 'must')} failed: {', '.join(failed)}"
    open_ = [j.ref for j in musts if j.status in UNDECIDING]
    told = f"{many(len(open_), 'must')} could not be decided: {', '.join(open_)}" if open_ else ""
    if not_run:
        verb = "was" if len(not_run) == 1 else "were"
        left = f"{many(len(not_run), 'must')} {verb} not run here: {', '.join(not_run)}"
        return "undetermined", "; ".join(filter(None, (told, left)))
    if open_:
        return "undetermined", told
    passed = sum(j.status is Status.PASS for j in musts)
    if not passed:
        return "undetermined", "no must was observed to be met"
    aside = Counter(j.status for j in musts if j.status in _ASIDE)
    beside = "".join(f"; {aside[status]} {status}" for status in _ASIDE if aside[status])
    return "met-the-checks-run", f"{many(passed, 'must')} passed{beside}"


def counts_of(judged: Sequence[Counted]) -> dict[str, Any]:
    """How many came to what, in all and by level; statuses of which there are none are left out."""
    levels: dict[str, Counter[str]] = {}
    for each in judged:
        levels.setdefault(each.level, Counter())[str(each.status)] += 1
    total: Counter[str] = sum(levels.values(), Counter())
    return {
        "counts": {str(s): total[str(s)] for s in Status if total[str(s)]},
        "counts_by_level": {
            level: {str(s): levels[level][str(s)] for s in Status if levels[level][str(s)]}
            for level in ("must", "should", "may", "advisory")
            if level in levels
        },
    }
