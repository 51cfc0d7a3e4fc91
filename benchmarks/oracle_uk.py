"""Our validator beside the reference Java validator over every published UK instance, R4 and STU3.

    python benchmarks/oracle_uk.py [--set TEXT] [--list]   # what the two say differently, by kind
    python benchmarks/oracle_uk.py --write-docs            # and the table of docs/validation/uk-data.md

Both get the same definitions: of several versions at one address, the one that we take. Needs what
`oracle_comparison.py` needs; says so and ends with 3 where it is missing.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oracle_comparison import ORACLE, missing
from validation_uk import Judged, cases, judge, material, validator_of, write_between

from mpftconnect.validation import Validator

BEGIN, END = "<!-- oracle: begin -->", "<!-- oracle: end -->"
# What the oracle cannot judge with what it is given, or judges only because it is told to ask nobody.
UNJUDGED = {"Terminology_PassThrough_TX_Message", "Validation_VAL_Profile_Unknown"}


@dataclass(frozen=True, slots=True)
class Compared:
    """One instance, judged by both."""

    ours: Judged
    verdict: str
    findings: tuple[dict[str, Any], ...]

    @property
    def theirs(self) -> str:
        """valid, invalid, crashed; undecided where all that is wrong is what could not be judged."""
        wrong = [each for each in self.findings if each["severity"] in ("error", "fatal")]
        if self.verdict == "invalid" and wrong and all(each["id"] in UNJUDGED for each in wrong):
            return "undecided"
        return self.verdict

    @property
    def differ(self) -> bool:
        """Whether one says invalid, and the other does not."""
        return self.theirs != "crashed" and (self.theirs == "invalid") != (self.ours.report.verdict == "invalid")

    def kinds(self) -> list[str]:
        """What the one that objects objects to."""
        if self.theirs == "invalid":
            return sorted(
                {str(f["id"] or f["message"][:60]) for f in self.findings if f["severity"] in ("error", "fatal")}
            )
        return sorted({finding.rule for finding in self.ours.errors})


def package_of(validator: Validator, path: Path) -> None:
    """Write what a validator has loaded as one package: for each address the definition that it takes."""
    definitions = validator._checks.definitions
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:

        def add(name: str, content: dict[str, Any]) -> None:
            data = json.dumps(content, ensure_ascii=False).encode()
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))

        add("package.json", {"name": "all.of.it", "version": "1.0.0"})
        number = 0
        for kind in ("StructureDefinition", "ValueSet", "CodeSystem"):
            for url in sorted(set(definitions.urls(kind))):
                entry = definitions.find(url, kind)
                if entry is not None:
                    number += 1
                    add(f"{kind}-{number}.json", dict(entry.resource))


def by_oracle(version: str, package: Path, files: Iterable[Judged]) -> list[dict[str, Any]]:
    """What the oracle says of each, in the same order."""
    lines = "".join(f"{one.path}\t{' '.join(one.profiles)}\n" for one in files)
    java = ["java", "-Xmx2g", "-cp", f"{ORACLE / 'target' / 'classes'}:{ORACLE / 'target' / 'lib'}/*"]
    command = [*java, "mpftconnect.oracle.Oracle", "--fhir", version, str(package)]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def compared(part: str = "") -> list[Compared]:
    """Every instance whose set has this in its name, judged by both."""
    groups: dict[tuple[str, ...], list[Judged]] = defaultdict(list)
    for one in judge(cases(part)):
        groups[one.fhir_version, *one.packages].append(one)
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for number, ((version, *packages), ours) in enumerate(sorted(groups.items())):
            package = Path(scratch) / f"{number}.tgz"
            package_of(validator_of(tuple(packages)), package)
            for one, answer in zip(ours, by_oracle(version, package, ours), strict=True):
                found.append(Compared(one, answer["verdict"], tuple(answer.get("findings", ()))))
    return found


def table(found: Sequence[Compared]) -> str:
    """Agreement by FHIR version, and each kind of disagreement with how often and where it is first seen."""
    verdicts = ("valid", "invalid", "undecided")
    lines = ["| FHIR | reference | we: valid | we: invalid | we: undecided |", "|---|---|---|---|---|"]
    for version in ("4.0", "3.0"):
        held = [one for one in found if one.ours.fhir_version == version]
        for theirs in (*verdicts, "crashed"):
            row = Counter(one.ours.report.verdict for one in held if one.theirs == theirs)
            if row:
                lines.append(f"| {version} | {theirs} | {' | '.join(str(row[verdict]) for verdict in verdicts)} |")
    kinds: dict[tuple[str, str, str], list[Compared]] = defaultdict(list)
    for one in found:
        if one.differ:
            who = "the reference" if one.theirs == "invalid" else "we"
            kinds[who, one.ours.fhir_version, ", ".join(one.kinds())].append(one)
    differing = sum(one.differ for one in found)
    lines += ["", f"{differing} of {len(found)} are called invalid by one of the two alone:", ""]
    lines += ["| who objects | FHIR | files | to what | for instance |", "|---|---|---|---|---|"]
    for (who, version, what), held in sorted(kinds.items(), key=lambda pair: (pair[0][0], -len(pair[1]), pair[0])):
        lines.append(f"| {who} | {version} | {len(held)} | {what.replace('|', ' ')} | `{held[0].ours.file}` |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--set", default="", help="only sets with this in their name")
    parser.add_argument("--list", action="store_true", help="each file on which the two differ")
    parser.add_argument("--write-docs", action="store_true", help="bring docs/validation/uk-data.md up to date")
    given = parser.parse_args(arguments)
    lacks = missing() or (None if (material() / "uk-fhir.tgz").exists() else "no published material: set MPFT_MATERIAL")
    if lacks:
        print(lacks, file=sys.stderr)
        return 3
    found = compared(given.set)
    print(table(found))
    for one in found if given.list else ():
        if one.differ:
            print(one.ours.file, "reference:", one.theirs, "we:", one.ours.report.verdict, one.kinds())
    if given.write_docs:
        write_between(BEGIN, END, table(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
