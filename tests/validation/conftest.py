"""Validators that are made once, and definitions of our own to validate against."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mpftconnect.validation import Validator

REPOSITORY = Path(__file__).resolve().parents[2]
# `judging` stands beside the tests; importlib mode puts no test directory on the path.
sys.path.insert(0, str(Path(__file__).parent))


def material() -> Path:
    """The published test material, if it is there."""
    return Path(os.environ.get("MPFT_MATERIAL") or REPOSITORY.parent / "shared" / "material")


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder of published packages; a test that needs it is skipped where it is absent."""
    folder = material() / "packages"
    if not folder.is_dir():
        pytest.skip("the published test material is not there (MPFT_MATERIAL)")
    return folder


@pytest.fixture(scope="session")
def core() -> Validator:
    """R4 core alone."""
    return Validator()


@pytest.fixture(scope="session")
def make(core: Validator) -> Callable[..., Validator]:
    """A validator with further definitions."""
    return lambda *resources: core.with_resources(resources)
