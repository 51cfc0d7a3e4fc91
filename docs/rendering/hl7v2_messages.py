"""What other people's HL7 v2 messages are found to be: counts what `check` says, and writes the tables of the page.

`python docs/rendering/hl7v2_messages.py` prints the tables; with `--write` it puts them into
`docs/hl7v2/published-messages.md`. The messages are looked for where `MPFT_MATERIAL` says, or in `../shared/material`.
"""

from __future__ import annotations

import json
import os
import sys
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mpftconnect.hl7v2 import Finding, check
from mpftconnect.hl7v2.findings import CODES

__all__ = ["main", "tables"]

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "hl7v2" / "published-messages.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

# How hl7apy 1.3.5 says it, and what that means. The first that fits.
_KINDS: tuple[tuple[str, str], ...] = (
    ("version 2.7.1", "it has no tables of 2.7.1, though it has those of 2.7, which 2.7.1 amends"),
    ("version  is", "MSH-12 is empty"),
    ("UnsupportedVersion", "MSH-12 names a version that HL7 never published"),
    ("duplicate", "MSH-2 has one character for two levels"),
    ("Missing required", "MSH-2 leaves out delimiters that the message does not use"),
    ("Invalid name", "a segment that the version does not have"),
    ("IndexError", "a segment that the version has withdrawn (QRD, QRF, URD): its table has no fields, and it raises"),
)
# Which of our findings say the same. None: the message is sound in this respect, and is read.
_SAID_BY: dict[str, tuple[str, ...]] = {
    "version  is": ("version-missing",),
    "UnsupportedVersion": ("version-unknown",),
    "duplicate": ("encoding-characters",),
    "IndexError": ("segment-withdrawn",),
    "Invalid name": ("segment-unknown", "segment-name"),
}


def _messages() -> Iterator[tuple[dict[str, Any], bytes]]:
    folder = Path(os.environ.get("MPFT_MATERIAL") or ROOT.parent / "shared" / "material")
    with tarfile.open(folder / "hl7v2.tgz") as archive:
        held = {
            member.name.partition("hl7v2/")[2]: file.read()
            for member in archive
            if member.isfile() and (file := archive.extractfile(member)) is not None
        }
    for line in held["manifest.jsonl"].decode("utf-8").splitlines():
        row = json.loads(line)
        yield row, held[row["file"]]


def _kind(error: str) -> str:
    return next((mark for mark, _ in _KINDS if mark in error), error.partition(":")[0])


def tables() -> str:
    """Both tables, and the counts above them."""
    messages = errors = british = 0
    by_code: Counter[str] = Counter()
    failed: dict[str, list[list[Finding]]] = defaultdict(list)
    for row, raw in _messages():
        findings = check(raw)
        messages += 1
        errors += any(one.severity == "error" for one in findings)
        british += bool(row["ukFlavoured"])
        by_code.update({one.code for one in findings})
        if not row["parsesWithHl7apy"]:
            failed[_kind(row["hl7apyError"])].append(findings)
    lines = [
        f"{messages} messages, {british} of them from the UK. Every one is read and comes back byte for byte; "
        f"{errors} have at least one error.",
        "",
        "| finding | severity | messages |",
        "|---|---|---|",
        *(f"| [`{code}`](findings.md) | {CODES[code][0]} | {count} |" for code, count in by_code.most_common()),
        "",
        "Where hl7apy 1.3.5 cannot read a message:",
        "",
        "| why | messages | what is said here |",
        "|---|---|---|",
    ]
    meanings = dict(_KINDS)
    for kind, cases in sorted(failed.items(), key=lambda one: -len(one[1])):
        said = _SAID_BY.get(kind)
        if said is None:
            words = "nothing of it: the message is read"
        else:
            found = sum(any(one.code in said for one in findings) for findings in cases)
            words = f"{', '.join(f'`{code}`' for code in said)} ({found} of {len(cases)})"
        lines.append(f"| {meanings.get(kind, kind)} | {len(cases)} | {words} |")
    return "\n".join(lines)


def main() -> None:
    """Print the tables, or write them into the page."""
    made = tables()
    if "--write" not in sys.argv:
        sys.stdout.write(made + "\n")
        return
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
