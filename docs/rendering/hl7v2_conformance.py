"""Published HL7 v2 messages as recorded evidence of a sender: what the pack hl7v2-uk decides of each, counted.

`python docs/rendering/hl7v2_conformance.py` prints the table; with `--write` it puts it into
`docs/conformance/hl7v2.md`. The messages are looked for where `MPFT_MATERIAL` says, or in `../shared/material`.
"""

from __future__ import annotations

import json
import os
import sys
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from mpftconnect.conformance import Evidence, Status, Subject, decide, recorded_message
from mpftconnect_conformance.checks.hl7v2_uk import CHECKS
from mpftconnect_conformance.checks.hl7v2_uk.asking import facts_of

__all__ = ["archive", "main", "table"]

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "conformance" / "hl7v2.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_SHOWN = (Status.PASS, Status.FAIL, Status.INCONCLUSIVE, Status.NOT_TESTED)


def archive() -> Path:
    """Where the published messages are, if they are."""
    return Path(os.environ.get("MPFT_MATERIAL") or ROOT.parent / "shared" / "material") / "hl7v2.tgz"


def _messages(packed: Path) -> Iterator[tuple[bool, bytes]]:
    with tarfile.open(packed) as tar:
        held = {
            member.name.partition("hl7v2/")[2]: file.read()
            for member in tar
            if member.isfile() and (file := tar.extractfile(member)) is not None
        }
    for line in held["manifest.jsonl"].decode("utf-8").splitlines():
        row = json.loads(line)
        yield bool(row["ukFlavoured"]), held[row["file"]]


def table(packed: Path) -> str:
    """A row for each requirement that binds senders: outcomes, and the rules that are broken most."""
    subject = Subject(product="published", version="-", entity="-", environment="test", actors=("sender",))
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    rules: dict[str, Counter[str]] = defaultdict(Counter)
    british: dict[str, Counter[str]] = defaultdict(Counter)
    count = 0
    for uk, raw in _messages(packed):
        count += 1
        evidence = Evidence([recorded_message(raw, facts_of(raw))], subject=subject)
        for check in CHECKS:
            outcome = decide(check, evidence)
            outcomes[check.name][outcome.status] += 1
            if uk:
                british[check.name][outcome.status] += 1
            rules[check.name].update({finding.rule for finding in outcome.findings})
    lines = [
        f"{count} messages, each judged alone; those from the UK in brackets. Inconclusive: it holds none of the kind.",
        "",
        "| requirement | passed | failed | inconclusive | broken most |",
        "|---|---|---|---|---|",
    ]
    for check in CHECKS:
        seen, uk_seen = outcomes[check.name], british[check.name]
        if seen[Status.NOT_TESTED] == count:
            continue  # it binds receivers, or needs a line
        assert sum(seen[status] for status in _SHOWN) == count, check.name  # noqa: S101 - an error would be our fault
        cells = [f"{seen[status]} ({uk_seen[status]})" for status in _SHOWN[:3]]
        worst = ", ".join(f"`{rule}` {number}" for rule, number in sorted(rules[check.name].items(), key=_most)[:3])
        ref = f"V2-{int(check.name.partition('#')[2]):02}"
        lines.append(f"| {ref} | {' | '.join(cells)} | {worst or '-'} |")
    return "\n".join(lines)


def _most(pair: tuple[str, int]) -> tuple[int, str]:
    return -pair[1], pair[0]


def main() -> None:
    """Print the table, or write it into the page."""
    made = table(archive())
    if "--write" not in sys.argv:
        sys.stdout.write(made + "\n")
        return
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
