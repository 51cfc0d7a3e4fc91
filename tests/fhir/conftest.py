"""What the tests of this room share."""

from __future__ import annotations

import os
import sys
import tarfile
from pathlib import Path

import pytest

# `strategies` and `leaves` stand beside the tests; importlib mode puts no test directory on the path.
sys.path.insert(0, str(Path(__file__).parent))

_REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Published UK examples, unpacked: `uk-fhir/` and `api/`. Skips where they are not at hand."""
    packed = Path(os.environ.get("MPFT_MATERIAL") or _REPOSITORY.parent / "shared" / "material")
    archives = [packed / f"{name}.tgz" for name in ("uk-fhir", "api")]
    if not all(archive.is_file() for archive in archives):
        pytest.skip("the published examples are not here; MPFT_MATERIAL names the folder that holds their archives")
    unpacked = tmp_path_factory.mktemp("material")
    for archive in archives:
        with tarfile.open(archive) as packed_files:
            packed_files.extractall(unpacked, filter="data")
    return unpacked
