"""Validate the published UK instances and say how many are clean, by set; a crash is shown in full.

    python benchmarks/validation_uk.py [--set TEXT] [--list] [--verdict invalid]
    python benchmarks/validation_uk.py --write   # and the tables of docs/validation/uk-data.md

The instances are claimed valid by their authors and were not validated by anybody independently. Each is judged by the
packages that its set is written for. UK Core examples are validated against the profile that their file name or type
stands for (one of 215 says `meta.profile`).
"""

from __future__ import annotations

import argparse
import collections
import functools
import json
import os
import random
import re
import tarfile
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpftconnect.validation import Finding, Report, Validator

REPOSITORY = Path(__file__).resolve().parent.parent
UKCORE = "fhir.r4.ukcore.stu3.currentbuild"
R3 = ("hl7.fhir.r3.core@3.0.2", "hl7.fhir.r3.expansions@3.0.2")
REVIEWED = REPOSITORY / "benchmarks" / "validation_uk_reviewed.toml"
PAGE = REPOSITORY / "docs" / "validation" / "uk-data.md"
EXTENSIONS = "hl7.fhir.uv.extensions.r4@5.3.0"
CARE_CONNECT, ASSETS, GP_CONNECT = "careconnect.stu3", "nhs.stu3.assets", "backup.gpconnectdirectcareapis-stu3"
# What the STU3 sets are written for; where the dependency that a set states is not published here, what stands nearest.
OF_STU3 = {
    "FHIR-Converter": (),
    "FHIR-NRLS-API": ("nhs.stu3.nrls", ASSETS, CARE_CONNECT),
    "CareConnectAPI": (CARE_CONNECT,),
    "careconnect-reference-implementation": (CARE_CONNECT, ASSETS),
    "careconnect-examples": (ASSETS, CARE_CONNECT),
    "Events-Management": (ASSETS, CARE_CONNECT),
    "nhs.stu3.assets": (ASSETS, CARE_CONNECT),
}
# The package that an R4 set belongs to, where its own package states another UK Core than the current build.
OF_R4 = {
    "backup.nhsbookingandreferrals": ("backup.nhsbookingandreferrals", "fhir.r4.ukcore.stu1", EXTENSIONS),
    "UK.Core.r4-1.2.0": ("UK.Core.r4@1.2.0",),
    "UK.Spine.r4-0.0.3-dev": ("UK.Spine.r4@0.0.3-dev", "UK.Core.r4@1.2.0"),
    "UK.DM.r4-0.0.18-dev": ("UK.DM.r4@0.0.18-dev", "UK.Spine.r4@0.0.3-dev", "UK.Core.r4@1.2.0"),
    "fhir-test-cases": (),
}


def material() -> Path:
    return Path(os.environ.get("MPFT_MATERIAL") or REPOSITORY.parent / "shared" / "material")


def packages_of(row: dict[str, Any]) -> list[str]:
    """The packages that an instance's set is for: its own, and what that depends on, or the nearest."""
    own = row["set"]
    if str(row["fhirVersion"]).startswith("3"):
        return [*R3, *OF_STU3.get(own, (GP_CONNECT, ASSETS, CARE_CONNECT))]
    if own in OF_R4:
        return list(OF_R4[own])
    if "ukcore.stu" in own:
        return [own, EXTENSIONS]
    held = any((material() / "packages").glob(f"{own}-*.tgz"))
    return [*([own] if held else []), UKCORE, EXTENSIONS]


@dataclass(frozen=True, slots=True)
class Judged:
    """One instance, and what we say of it."""

    set: str
    file: str
    claim: str
    fhir_version: str
    packages: tuple[str, ...]
    profiles: tuple[str, ...]
    path: Path
    report: Report
    seconds: float

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.report.findings if finding.severity in ("error", "fatal")]


def profile_of(row: dict[str, Any], validator: Validator) -> list[str]:
    """The UK Core profile that an example stands for: by its file name, the longest that fits."""
    if row["fhirVersion"] != "4.0" or not row["source"].startswith("NHSDigital/FHIR-R4-UKCORE"):
        return []
    stem = Path(row["file"]).name.split(".")[0]
    found = []
    for entry in validator._checks.definitions.entries("StructureDefinition"):
        name = entry.head.url.rpartition("/")[2]
        if entry.head.type == row["resourceType"] and "UKCore" in name and re.match(rf"{re.escape(name)}(-|$)", stem):
            found.append(entry.head.url)
    return sorted(found, key=len)[-1:]


@functools.cache
def unpacked() -> Path:
    """The folder of the instances, unpacked for the time of this process."""
    cached = os.environ.get("MPFT_MATERIAL_UNPACKED")
    if cached and Path(cached, "uk-fhir").is_dir():
        return Path(cached, "uk-fhir")
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    _KEPT.append(folder)
    with tarfile.open(material() / "uk-fhir.tgz") as archive:
        archive.extractall(folder.name, filter="data")
    return Path(folder.name, "uk-fhir")


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def cases(part: str = "") -> Iterator[dict[str, Any]]:
    """The rows of the manifest whose set has this in its name."""
    for line in (unpacked() / "cases.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if part in row["set"]:
            yield row


@functools.cache
def validator_of(packages: tuple[str, ...]) -> Validator:
    """One validator for all instances of the same packages."""
    return Validator(list(packages), search_path=[material() / "packages"])


def judge(rows: Iterable[dict[str, Any]]) -> Iterator[Judged]:
    """Each row judged by the packages of its set. A crash ends the run, as it must."""
    for row in rows:
        packages = tuple(packages_of(row))
        validator = validator_of(packages)
        profiles = tuple(profile_of(row, validator))
        path = unpacked() / "files" / row["file"]
        data = path.read_bytes()
        start = time.perf_counter()
        try:
            report = validator.validate(data, profiles)
        except Exception:
            print("CRASH", row["file"])
            raise
        version = "3.0" if str(row["fhirVersion"]).startswith("3") else "4.0"
        claim = row["expected"]["verdict"]
        seconds = time.perf_counter() - start
        yield Judged(row["set"], row["file"], claim, version, packages, profiles, path, report, seconds)


# -- the sample that is reviewed

FAMILIES = {
    "BaRS": ("backup.nhsbookingandreferrals",),
    "EPS": (
        "UK.DM",
        "backup.nhsdigitalfhirmedicinesimplementationguide",
        "backup.implementationguidefordigitalmedicines",
    ),
    "GP Connect": (
        "backup.gpconnectdirectcareapis",
        "gpc-consumer-support",
        "gpconnect",
        "integration-adaptor-gp",
        "nia-patient-switching",
    ),
    "ITK3": ("nhs.stu3.assets", "Events-Management", "careconnect-examples"),
    "NRL": ("FHIR-NRLS-API",),
}
SAMPLE, SEED = 60, 4


def sample(judged: Iterable[Judged]) -> list[tuple[str, Judged]]:
    """Family and instance, drawn at random from what is not called valid: in turn from each family while it lasts."""
    held: dict[str, list[Judged]] = {name: [] for name in FAMILIES}
    for one in judged:
        for name, sets in FAMILIES.items():
            if one.set.startswith(sets) and one.claim in ("claimed-valid", "unknown") and one.report.verdict != "valid":
                held[name].append(one)
    chance = random.Random(SEED)
    for found in held.values():
        found.sort(key=lambda one: one.file)
        chance.shuffle(found)
    drawn: list[tuple[str, Judged]] = []
    while len(drawn) < SAMPLE and any(held.values()):
        for name, found in held.items():
            if found and len(drawn) < SAMPLE:
                drawn.append((name, found.pop()))
    return sorted(drawn, key=lambda pair: (pair[0], pair[1].file))


def kinds_of(one: Judged) -> list[tuple[str, str]]:
    """Rule and words of what makes an instance not valid: its errors; where there are none, what was not checked."""
    errors = [(finding.rule, finding.message) for finding in one.errors]
    return errors or [(item.rule, item.reason) for item in one.report.not_checked if item.decisive]


def review_of(rule: str, words: str, reviews: Iterable[dict[str, str]]) -> dict[str, str] | None:
    """What was found of a kind: the first review of the rule whose words stand in the message."""
    return next((r for r in reviews if r["rule"] == rule and r.get("words", "") in words), None)


# -- the page


def counts(judged: Sequence[Judged]) -> list[str]:
    """Verdicts by set, beside what the authors claim."""
    table: dict[tuple[str, str], collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for one in judged:
        table[one.set, one.claim][one.report.verdict] += 1
    lines = ["| set | its authors say | files | valid | invalid | undecided |", "|---|---|---|---|---|---|"]
    for (name, claim), found in sorted(table.items()):
        row = " | ".join(str(found[verdict]) for verdict in ("valid", "invalid", "undecided"))
        lines.append(f"| {name} | {claim} | {sum(found.values())} | {row} |")
    every = collections.Counter(one.report.verdict for one in judged)
    row = " | ".join(f"**{every[verdict]}**" for verdict in ("valid", "invalid", "undecided"))
    return [*lines, f"| **all** | | **{len(judged)}** | {row} |"]


def uk_core(judged: Sequence[Judged], reviewed: dict[str, Any]) -> list[str]:
    """The UK Core examples that are not clean under their own version, each with its defect."""
    own = [one for one in judged if "ukcore" in one.set.lower().replace(".", "") and one.claim != "not-a-resource"]
    own = [one for one in own if "mapping" not in one.set]
    clean = sum(one.report.verdict == "valid" for one in own)
    lines = [
        f"{len(own)} examples, {clean} of them clean. The others:",
        "",
        "| example | verdict | why |",
        "|---|---|---|",
    ]
    for one in own:
        if one.report.verdict != "valid":
            said = {review_of(rule, words, reviewed["uk_core"]) is not None for rule, words in kinds_of(one)}
            whys = [review_of(rule, words, reviewed["uk_core"]) for rule, words in kinds_of(one)]
            why = " ".join(dict.fromkeys(found["why"] for found in whys if found)) + (
                "" if all(said) else " NOT REVIEWED"
            )
            lines.append(f"| `{one.file}` | {one.report.verdict} | {why} |")
    return lines


def sampled(judged: Sequence[Judged], reviewed: dict[str, Any]) -> list[str]:
    """The sample, each kind of reason with its review."""
    files = ["| family | file | verdict | reasons |", "|---|---|---|---|"]
    kinds: dict[tuple[str, str, str], int] = collections.Counter()
    for family, one in sample(judged):
        marks = []
        for rule, words in dict.fromkeys(kinds_of(one)):
            found = review_of(rule, words, reviewed["kind"])
            entry = (rule, found["is"], found["why"]) if found else (rule, "NOT REVIEWED", words)
            mark = f"{rule}: {entry[1]}"
            if mark not in marks:
                marks.append(mark)
            if ("seen", one.file, str(entry)) not in kinds:
                kinds["seen", one.file, str(entry)] = 0
                kinds[entry] += 1
        files.append(f"| {family} | `{one.file}` | {one.report.verdict} | {'; '.join(marks)} |")
    lines = ["| rule | files | is | why |", "|---|---|---|---|"]
    for (rule, verdict, why), number in sorted(kinds.items()):
        if rule != "seen":
            lines.append(f"| `{rule}` | {number} | {verdict} | {why} |")
    return [*lines, "", "<details markdown><summary>The files that were drawn</summary>", "", *files, "", "</details>"]


def write_between(begin: str, end: str, text: str) -> None:
    """Put text between two marks of the page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    PAGE.write_text(f"{before}{begin}\n\n{text}\n\n{end}{rest.partition(end)[2]}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--set", default="", help="only sets with this in their name")
    parser.add_argument("--list", action="store_true", help="what is wrong with each file")
    parser.add_argument("--verdict", default="", help="with --list: only files of this verdict")
    parser.add_argument("--write", action="store_true", help="bring docs/validation/uk-data.md up to date")
    arguments = parser.parse_args()
    if not (material() / "uk-fhir.tgz").exists():
        print("the test material is not there; nothing was measured")
        return 0
    judged = list(judge(cases(arguments.set)))
    if arguments.list:
        for one in judged:
            if arguments.verdict in ("", one.report.verdict):
                print(one.file, one.claim, "->", one.report.verdict)
                for finding in one.errors[:8]:
                    print("    ", finding.expression, f"[{finding.rule}]", finding.message[:200])
                for item in [n for n in one.report.not_checked if n.decisive][:3]:
                    print("     not checked:", item.expression, f"[{item.rule}]", item.reason[:160])
    rules = collections.Counter(f"{one.claim}: {rule}" for one in judged for rule in {f.rule for f in one.errors})
    print("\n".join(counts(judged)))
    print("errors by rule (files):", rules.most_common(60))
    slow = sorted(judged, key=lambda one: one.seconds)[-5:]
    print("slowest:", [(f"{one.seconds * 1000:.0f} ms", one.file) for one in slow])
    if arguments.write:
        reviewed = tomllib.loads(REVIEWED.read_text(encoding="utf-8"))
        write_between("<!-- counts: begin -->", "<!-- counts: end -->", "\n".join(counts(judged)))
        write_between("<!-- uk-core: begin -->", "<!-- uk-core: end -->", "\n".join(uk_core(judged, reviewed)))
        write_between("<!-- sample: begin -->", "<!-- sample: end -->", "\n".join(sampled(judged, reviewed)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
