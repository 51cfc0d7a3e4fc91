"""How the agreement rules judge generated near-twins: wrong-person merges, and true matches that are set apart.

python benchmarks/near_twins.py                  # 100,000 pairs; the table of docs/matching.md
python benchmarks/near_twins.py --pairs 20000 --seed 7
python benchmarks/near_twins.py --write-docs     # and the table put into docs/matching.md
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from near_twin_pairs import Pair, pairs

from mpftconnect.hub.match import match
from mpftconnect.hub.person_conflicts import patient_conflicts

__all__ = ["Judged", "as_markdown", "judge"]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "matching.md"
BEGIN, END = "<!-- near twins: begin -->", "<!-- near twins: end -->"
PAIRS, SEED = 100_000, 2026


@dataclass
class Judged:
    """What came of the pairs of one kind.

    Args:
        sort: `same`, `other` or `unseen`.
        rules: How many were decided by each rule.
        joined: How many were joined.
        flagged: How many of the joined carry a conflict on the person that asks somebody to look.
    """

    sort: str
    made: int = 0
    joined: int = 0
    flagged: int = 0
    rules: Counter[str] = field(default_factory=Counter)


def judge(generated: Iterable[Pair]) -> dict[str, Judged]:
    """Each pair put to the rules, by kind."""
    found: dict[str, Judged] = {}
    for pair in generated:
        outcome = match(pair.found, pair.traced, pair.numbers)
        kind = found.setdefault(pair.kind, Judged(pair.sort))
        kind.made += 1
        kind.rules[outcome.rule] += 1
        if outcome.joins:
            kind.joined += 1
            kind.flagged += bool(patient_conflicts(pair.traced, {"rio": pair.found}, pair.numbers))
    return found


def _total(judged: dict[str, Judged], sort: str) -> Judged:
    chosen = [kind for kind in judged.values() if kind.sort == sort]
    return Judged(sort, sum(k.made for k in chosen), sum(k.joined for k in chosen), sum(k.flagged for k in chosen))


def as_markdown(judged: dict[str, Judged]) -> str:
    """The table, and what it comes to."""
    order = {"same": 0, "other": 1, "unseen": 2}
    lines = ["| What was generated | Pairs | Joined | Set apart | Flagged | Decided by |", "|---|---|---|---|---|---|"]
    for name, kind in sorted(judged.items(), key=lambda one: (order[one[1].sort], one[0])):
        rules = ", ".join(f"`{rule}`" for rule, _ in sorted(kind.rules.items(), key=lambda r: (-r[1], r[0])))
        lines.append(f"| {name} | {kind.made} | {kind.joined} | {kind.made - kind.joined} | {kind.flagged} | {rules} |")
    same, other, unseen = (_total(judged, sort) for sort in ("same", "other", "unseen"))
    share = (same.made - same.joined) / same.made if same.made else 0.0
    return "\n".join(
        [
            *lines,
            "",
            f"- **Two people, {other.made} pairs: {other.joined} joined.**",
            f"- **One person, {same.made} pairs: {same.made - same.joined} set apart ({share:.1%}).**",
            "- Two people that nothing in number, date of birth, family name or birth order tells apart, "
            f"{unseen.made} pairs: {unseen.joined} joined, {unseen.flagged} of them flagged for somebody to look.",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 if anybody was merged with somebody else, or joined unseen and unflagged."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--write-docs", action="store_true", help="bring docs/matching.md up to date")
    given = parser.parse_args(arguments)
    judged = judge(pairs(given.pairs, given.seed))
    table = as_markdown(judged)
    print(table)
    if given.write_docs:
        before, begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        _, end, after = rest.partition(END)
        if not (begin and end):
            raise SystemExit(f"{PAGE.name} lacks the markers {BEGIN} and {END}")
        PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")
    unseen = _total(judged, "unseen")
    return int(_total(judged, "other").joined > 0 or unseen.flagged < unseen.joined)


if __name__ == "__main__":
    raise SystemExit(main())
