"""The page of published OpenAPI documents is what the checks say today."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
ARCHIVE = Path(os.environ.get("MPFT_MATERIAL") or REPOSITORY.parent / "shared" / "material") / "api.tgz"


def test_the_page_is_what_the_checks_say() -> None:
    if not ARCHIVE.is_file():
        pytest.skip("no published material: set MPFT_MATERIAL to the folder that holds api.tgz")
    place = REPOSITORY / "docs" / "rendering" / "published_apis.py"
    spec = importlib.util.spec_from_file_location("published_apis", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = module.page(ARCHIVE)
    assert (REPOSITORY / "docs" / "conformance" / "published-documents.md").read_text(encoding="utf-8") == page
    assert "| error |" not in page
    assert page.count("\n| ") > 30
