"""Validate the published UK instances and say how many are clean, by set; a crash is shown in full.

    python benchmarks/validation_uk.py [--set TEXT] [--list] [--verdict invalid]
    python benchmarks/validation_uk.py --write   # and the tables of docs/validation/uk-data.md

The instances are claimed valid by their authors and were not validated by anybody independently. Each is judged by the
packages that its set is written for. UK Core examples are validated against the profile that their file name or type
stands for (one of 215 says `meta.profile`).
"""

from __future__ import annotations

import functools
import json
import os
import re
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpftconnect.validation import Finding, Report, Validator

REPOSITORY = Path(__file__).resolve().parent.parent
UKCORE = "fhir.r4.ukcore.stu3.currentbuild"
R3 = ("hl7.fhir.r3.core@3.0.2", "hl7.fhir.r3.expansions@3.0.2")
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
    """The packages that an instance's set is for: its own, and those that it says it depends on, or the nearest."""
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
