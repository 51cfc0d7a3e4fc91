"""What the tests of the FHIRPath engine share: short ways to ask, and published material."""

from __future__ import annotations

import json
import os
import sys
import tarfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.validation.fhirpath import Date, DateTime, Time, evaluate

# `published` stands beside the tests; importlib mode puts no test directory on the path.
sys.path.insert(0, str(Path(__file__).parent))

_REPOSITORY = Path(__file__).resolve().parents[3]


def shown(value: Any) -> Any:
    """A value as an expression would write it, so that a test can state what it expects in one line."""
    if isinstance(value, Date | DateTime):
        return f"@{value}"
    if isinstance(value, Time):
        return f"@T{value}"
    return value


@pytest.fixture(scope="session")
def ask() -> Callable[..., list[Any]]:
    """`ask(expression, resource=None, **options)`: what it finds, dates and times as they are written."""

    def asked(expression: str, resource: Any = None, **options: Any) -> list[Any]:
        return [shown(value) for value in evaluate(expression, resource, **options)]

    return asked


@pytest.fixture
def patient() -> dict[str, Any]:
    """A synthetic person."""
    return {
        "resourceType": "Patient",
        "id": "full",
        "active": True,
        "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}],
        "name": [
            {"use": "official", "family": "Ashdown", "given": ["Ann", "Beth"]},
            {"use": "nickname", "given": ["Annie"], "_given": [{"extension": [{"url": "urn:x", "valueString": "y"}]}]},
        ],
        "gender": "female",
        "birthDate": "1950-03",
        "_birthDate": {"extension": [{"url": "urn:time", "valueDateTime": "1950-03-01T10:00:00Z"}]},
        "_deceasedBoolean": {"extension": [{"url": "urn:unknown", "valueCode": "unknown"}]},
        "contact": [{"name": {"family": "Ashdown"}}, {"telecom": [{"system": "phone", "value": "01632 960001"}]}],
        "multipleBirthInteger": 2,
    }


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder of published packages. Skips where it is not at hand."""
    folder = _material() / "packages"
    if not folder.is_dir():
        pytest.skip("the published packages are not here; MPFT_MATERIAL names the folder that holds them")
    return folder


@pytest.fixture(scope="session")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The official suite and its inputs, unpacked. Skips where they are not at hand."""
    return _unpacked("fhirpath", tmp_path_factory)


@pytest.fixture(scope="session")
def uk_examples(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Published UK resources with the major version of FHIR that each is of, under `version`."""
    folder = _unpacked("uk-fhir", tmp_path_factory) / "uk-fhir"
    found = []
    for line in (folder / "cases.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        file = folder / "files" / case["file"]
        file = file if file.suffix == ".json" else file.with_suffix(".converted.json")
        try:
            resource = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
        except (OSError, ValueError):
            continue  # some are broken on purpose
        if isinstance(resource, dict) and isinstance(resource.get("resourceType"), str):
            version = "4.0" if str(case.get("fhirVersion") or "").startswith("4") else "3.0"
            found.append({"version": version, "resource": resource})
    return found


def _material() -> Path:
    return Path(os.environ.get("MPFT_MATERIAL") or _REPOSITORY.parent / "shared" / "material")


def _unpacked(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    archive = _material() / f"{name}.tgz"
    if not archive.is_file():
        pytest.skip(f"no {archive.name}: MPFT_MATERIAL names the folder that holds the published material")
    folder = tmp_path_factory.mktemp(name)
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder
