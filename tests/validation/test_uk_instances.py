"""Published UK instances of every set are judged without a crash: a sample of `benchmarks/validation_uk.py`."""

from __future__ import annotations

import importlib
import json
import sys
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.validation import Validator

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
OF_EACH_SET = 3


@pytest.fixture(scope="module")
def instances() -> Iterator[list[tuple[str, str, bytes]]]:
    """FHIR version, name and bytes of the first few of each set."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        folder = importlib.import_module("validation_uk").material()
    finally:
        sys.path.remove(str(BENCHMARKS))
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
