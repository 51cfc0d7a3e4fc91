"""Validate the published UK instances and say how many are clean, by set; a crash is shown in full.

    python benchmarks/validation_uk.py [--set TEXT] [--list] [--verdict invalid]

The instances are claimed valid by their authors and were not validated by anybody independently. UK Core examples
are validated against the profile that their file name or type stands for (one of 215 says `meta.profile`).
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import re
import sys
import tarfile
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from mpftconnect.validation import Validator

REPOSITORY = Path(__file__).resolve().parent.parent
UKCORE = "fhir.r4.ukcore.stu3.currentbuild"
R3 = [
    "hl7.fhir.r3.core@3.0.2",
    "hl7.fhir.r3.expansions@3.0.2",
    "careconnect.stu3",
    "nhs.stu3.assets",
    "nhs.stu3.gpconnect",
    "nhs.stu3.nrls",
]
EXTENSIONS = "hl7.fhir.uv.extensions.r4@5.3.0"


def material() -> Path:
    return Path(os.environ.get("MPFT_MATERIAL") or REPOSITORY.parent / "shared" / "material")


def packages_of(row: dict[str, Any]) -> list[str]:
    """The packages that an instance's set is for."""
    if row["fhirVersion"] == "3.0":
        return R3
    if "ukcore" in row["set"].lower() or "ukcore" in row["file"].lower():
        return [UKCORE, EXTENSIONS]
    own = row["set"]
    found = sorted((material() / "packages").glob(f"{own}-*.tgz"))
    return [UKCORE, EXTENSIONS, *([own] if found else [])]


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--verdict", default="")
    arguments = parser.parse_args()
    if not (material() / "uk-fhir.tgz").exists():
        print("the test material is not there; nothing was measured")
        return 0
    cached = os.environ.get("MPFT_MATERIAL_UNPACKED")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(cached or scratch)
        if not (folder / "uk-fhir").exists():
            with tarfile.open(material() / "uk-fhir.tgz") as archive:
                archive.extractall(folder, filter="data")
        return run(folder / "uk-fhir", arguments)


def run(folder: Path, arguments: argparse.Namespace) -> int:
    rows = [json.loads(line) for line in (folder / "cases.jsonl").read_text(encoding="utf-8").splitlines()]
    validators: dict[tuple[str, ...], Validator] = {}
    counts: dict[tuple[str, str], collections.Counter[str]] = collections.defaultdict(collections.Counter)
    rules: collections.Counter[str] = collections.Counter()
    crashes, slow = 0, []
    for row in rows:
        if arguments.set not in row["id"]:
            continue
        key = tuple(packages_of(row))
        if key not in validators:
            validators[key] = Validator(list(key), search_path=[material() / "packages"])
        validator = validators[key]
        data = (folder / "files" / row["file"]).read_bytes()
        start = time.perf_counter()
        try:
            report = validator.validate(data, profile_of(row, validator))
        except Exception:  # noqa: BLE001 - shown in full
            crashes += 1
            print("CRASH", row["file"])
            traceback.print_exc(limit=-6, file=sys.stdout)
            continue
        slow.append((time.perf_counter() - start, len(data), row["file"]))
        counts[row["set"], row["expected"]["verdict"]][report.verdict] += 1
        errors = [f for f in report.findings if f.severity in ("error", "fatal")]
        for rule in {f.rule for f in errors}:
            rules[f"{row['expected']['verdict']}: {rule}"] += 1
        if arguments.list and (not arguments.verdict or arguments.verdict == report.verdict):
            print(row["file"], row["expected"]["verdict"], "->", report.verdict)
            for finding in errors[:8]:
                print("    ", finding.expression, f"[{finding.rule}]", finding.message[:200])
            for item in [n for n in report.not_checked if n.decisive][:3]:
                print("     not checked:", item.expression, f"[{item.rule}]", item.reason[:160])
    for (name, claim), counted in sorted(counts.items()):
        print(f"{name} ({claim}): {dict(counted)}")
    print("errors by rule (files):", rules.most_common(60))
    print("crashes:", crashes)
    print("slowest:", [(f"{t * 1000:.0f} ms", n, f) for t, n, f in sorted(slow)[-5:]])
    return 1 if crashes else 0


if __name__ == "__main__":
    raise SystemExit(main())
