"""Published UK instances of every set are judged without a crash: a sample of `benchmarks/validation_uk.py`."""

from __future__ import annotations

import importlib
import json
import sys
import tarfile
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mpftconnect.validation import Validator

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
OF_EACH_SET = 3


@pytest.fixture(scope="module")
def uk() -> ModuleType:
    """The script that judges them all."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module("validation_uk")
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def instances(uk: ModuleType) -> Iterator[list[tuple[str, str, bytes]]]:
    """FHIR version, name and bytes of the first few of each set."""
    folder = uk.material()
    if not (folder / "uk-fhir.tgz").is_file():
        pytest.skip("no published material: set MPFT_MATERIAL to the folder that holds uk-fhir.tgz")
    taken: dict[str, int] = defaultdict(int)
    found = []
    with tarfile.open(folder / "uk-fhir.tgz") as archive:
        files = {member.name.removeprefix("./"): member for member in archive if member.isfile()}

        def read(name: str) -> bytes:
            stream = archive.extractfile(files[name])
            return stream.read() if stream else b""

        for line in read("uk-fhir/cases.jsonl").splitlines():
            row: dict[str, Any] = json.loads(line)
            if taken[row["set"]] < OF_EACH_SET:
                taken[row["set"]] += 1
                found.append((str(row["fhirVersion"]), row["file"], read(f"uk-fhir/files/{row['file']}")))
    yield found


def test_a_few_of_every_set_get_a_verdict(instances: list[tuple[str, str, bytes]]) -> None:
    validator = Validator()
    judged = {name: validator.validate(data).verdict for version, name, data in instances if version == "4.0"}
    assert len(judged) >= 50
    assert set(judged.values()) <= {"valid", "invalid", "undecided"}
    # Without their packages few claimed profiles can be judged, which by itself is called neither valid nor invalid.
    assert "undecided" in judged.values()


@pytest.mark.parametrize(("set_", "files", "clean"), [("UK.Core.r4-1.2.0", 31, 29), ("fhir.r4.ukcore.stu1", 39, 39)])
def test_every_uk_core_example_is_clean_or_its_defect_is_named(
    uk: ModuleType, instances: list[tuple[str, str, bytes]], set_: str, files: int, clean: int
) -> None:
    assert instances  # the material is there, or this was skipped
    reviewed = tomllib.loads(uk.REVIEWED.read_text(encoding="utf-8"))["uk_core"]
    judged = list(uk.judge(uk.cases(set_)))
    assert len(judged) == files
    assert sum(one.report.verdict == "valid" for one in judged) == clean
    for one in judged:
        for rule, words in uk.kinds_of(one) if one.report.verdict != "valid" else ():
            assert uk.review_of(rule, words, reviewed), (one.file, rule)


def test_every_reason_on_the_page_was_reviewed(uk: ModuleType) -> None:
    page = uk.PAGE.read_text(encoding="utf-8")
    assert page.count("| BaRS |") > 5  # the sample stands there
    assert "NOT REVIEWED" not in page
