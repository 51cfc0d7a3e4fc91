"""Our validator beside the reference Java validator: the same files, the same packages, one warm process each.

    python benchmarks/oracle_comparison.py                # UK Core examples, and a sample of what was broken in them
    python benchmarks/oracle_comparison.py --write-docs   # and the table of docs/validation/oracle.md

Needs Java 17 and `mvn -q -B package` in benchmarks/oracle; says so and ends with 3 where they are missing.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from power.examples import CORE, EXPANSIONS, UK_CORE, examples, material
from power.mutations import Mutation, mutations
from power.published import Published
from validation_power import validator_of

ORACLE = Path(__file__).resolve().parent / "oracle"
PAGE = ORACLE.parents[1] / "docs" / "validation" / "oracle.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
REPEAT = 3


@dataclass(frozen=True, slots=True)
class Judged:
    """One file, judged by both."""

    name: str
    kind: str
    data: bytes
    profiles: tuple[str, ...]


def missing() -> str | None:
    """What the oracle lacks to run; None if nothing."""
    if shutil.which("java") is None:
        return "no Java found (17 or newer)"
    if not (ORACLE / "target" / "lib").is_dir():
        return "the oracle is not built: run `mvn -q -B package` in benchmarks/oracle"
    return None


def chosen(folder: Path, most: int) -> list[Judged]:
    """Every example as it is, and at most so many of each kind and rule of what was broken in them."""
    published = Published(tuple(folder / "packages" / name for name in (CORE, EXPANSIONS, UK_CORE)))
    whole, broken = [], defaultdict(list)
    for example in examples(folder):
        whole.append(Judged(example.name, "unbroken", example.data, example.profiles))
        for mutation in mutations(published, json.loads(example.data), example.profiles):
            broken[mutation.kind, mutation.rule].append((mutation, example.profiles, example.name))
    sample = random.Random(1)
    for (kind, _), found in sorted(broken.items()):
        some: list[tuple[Mutation, tuple[str, ...], str]] = sample.sample(found, min(most, len(found)))
        whole += [
            Judged(
                f"{mutation.rule}: {mutation.where} in {name}", kind, json.dumps(mutation.resource).encode(), profiles
            )
            for mutation, profiles, name in some
        ]
    return whole


def by_oracle(files: Sequence[Judged], folder: Path) -> list[dict[str, Any]]:
    """What the oracle says of each, in the same order."""
    packages = [str(folder / "packages" / name) for name in (CORE, EXPANSIONS, UK_CORE)]
    with tempfile.TemporaryDirectory() as scratch:
        lines = []
        for number, one in enumerate(files):
            path = Path(scratch) / f"{number}.json"
            path.write_bytes(one.data)
            lines.append(f"{path}\t{' '.join(one.profiles)}\n")
        java = ["java", "-cp", f"{ORACLE / 'target' / 'classes'}:{ORACLE / 'target' / 'lib'}/*"]
        command = [*java, "mpftconnect.oracle.Oracle", "--repeat", str(REPEAT), *packages]
        done = subprocess.run(command, input="".join(lines), capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def by_ours(files: Sequence[Judged], folder: Path) -> list[tuple[str, float]]:
    """Our verdict of each, and the least of the same number of runs, in microseconds."""
    validator = validator_of(folder)
    found = []
    for one in files:
        least = float("inf")
        for _ in range(REPEAT):
            begin = time.perf_counter()
            report = validator.validate(one.data, profiles=one.profiles)
            least = min(least, (time.perf_counter() - begin) * 1e6)
        found.append((report.verdict, least))
    return found


def only_terminology(answer: dict[str, Any]) -> bool:
    """Whether all that the oracle objects to are codes of systems that neither of the two has."""
    wrong = [each for each in answer.get("findings", ()) if each["severity"] in ("error", "fatal")]
    return bool(wrong) and all(each["id"] == "Terminology_PassThrough_TX_Message" for each in wrong)


def table(files: Sequence[Judged], theirs: Sequence[dict[str, Any]], ours: Sequence[tuple[str, float]]) -> str:
    """Agreement by kind of rule, every disagreement on an unbroken example, and time."""
    rows = ["| files | both valid | both invalid | only the oracle objects | only we object | neither decided |"]
    rows.append("|---|---|---|---|---|---|")
    differ = []
    for kind in dict.fromkeys(one.kind for one in files):
        counts = dict.fromkeys(("valid", "invalid", "theirs", "ours", "neither"), 0)
        for one, answer, (verdict, _) in zip(files, theirs, ours, strict=True):
            if one.kind != kind:
                continue
            if answer["verdict"] == "crashed" or (only_terminology(answer) and verdict != "invalid"):
                counts["neither"] += 1
            elif (answer["verdict"] == "invalid") == (verdict == "invalid"):
                counts[answer["verdict"]] += 1
            else:
                who = "theirs" if answer["verdict"] == "invalid" else "ours"
                counts[who] += 1
                said = "; ".join(sorted({str(f["id"]) for f in answer.get("findings", ()) if f["severity"] == "error"}))
                differ.append(f"- {'the oracle' if who == 'theirs' else 'we'} object: `{one.name}` {said}")
        rows.append(f"| {kind} | {' | '.join(str(count) for count in counts.values())} |")
    unbroken = [number for number, one in enumerate(files) if one.kind == "unbroken"]
    slow = statistics.median(theirs[number].get("micros", 0) for number in unbroken)
    fast = statistics.median(ours[number][1] for number in unbroken)
    rows += [
        "",
        f"Median time of an unbroken example: oracle {slow:,.0f} µs, ours {fast:,.0f} µs, {slow / fast:,.0f} x.",
    ]
    return "\n".join([*rows, "", "Disagreements:", "", *(differ or ["- none"])])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--most", type=int, default=15, help="mutations of each kind and rule (%(default)s)")
    parser.add_argument("--write-docs", action="store_true", help="bring docs/validation/oracle.md up to date")
    given = parser.parse_args(arguments)
    folder, lacks = material(), missing()
    if folder is None or lacks:
        print(lacks or "no published material: set MPFT_MATERIAL", file=sys.stderr)
        return 3
    files = chosen(folder, given.most)
    text = table(files, by_oracle(files, folder), by_ours(files, folder))
    print(text)
    if given.write_docs:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
