"""The verdict of a pack, from the outcomes of its requirements. There is no score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from mpftconnect.conformance.outcome import UNDECIDING, Status
from mpftconnect.conformance.run import Judged

__all__ = ["Verdict", "counts_of", "verdict_of"]

Verdict = Literal["not-met", "undetermined", "met-the-checks-run"]

_ASIDE = (Status.ATTESTED, Status.EVIDENCE_FOUND, Status.NOT_ASKED, Status.NOT_OFFERED)


def verdict_of(judged: Sequence[Judged]) -> tuple[Verdict, str]:
    """The verdict, and why in one sentence.

    *Not met* if any must that applies fails; *undetermined* if any must is error, inconclusive or not tested, or if no
    must passed; else *met the checks run*, with what was only attested, found, excused or not offered counted beside.
    """
    musts = [j for j in judged if j.requirement.decides and j.outcome.status is not Status.NOT_APPLICABLE]
    failed = [j.requirement.ref for j in musts if j.outcome.status is Status.FAIL]
    if failed:
        return "not-met", f"{_many(len(failed), 'must')} failed: {', '.join(failed)}"
    open_ = [j.requirement.ref for j in musts if j.outcome.status in UNDECIDING]
    if open_:
        return "undetermined", f"{_many(len(open_), 'must')} could not be decided: {', '.join(open_)}"
    passed = sum(j.outcome.status is Status.PASS for j in musts)
    if not passed:
        return "undetermined", "no must was observed to be met"
    aside = Counter(j.outcome.status for j in musts if j.outcome.status in _ASIDE)
    beside = "".join(f"; {aside[status]} {status}" for status in _ASIDE if aside[status])
    return "met-the-checks-run", f"{_many(passed, 'must')} passed{beside}"


def counts_of(judged: Sequence[Judged]) -> dict[str, Any]:
    """How many came to what, in all and by level; statuses of which there are none are left out."""
    levels: dict[str, Counter[str]] = {}
    for each in judged:
        level = "advisory" if each.requirement.advisory else str(each.requirement.level)
        levels.setdefault(level, Counter())[str(each.outcome.status)] += 1
    total: Counter[str] = sum(levels.values(), Counter())
    return {
        "counts": {str(s): total[str(s)] for s in Status if total[str(s)]},
        "counts_by_level": {
            level: {str(s): levels[level][str(s)] for s in Status if levels[level][str(s)]}
            for level in ("must", "should", "may", "advisory")
            if level in levels
        },
    }


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
