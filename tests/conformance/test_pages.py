"""The files that the pages show are read by the real readers."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from mpftconnect.conformance.pack_file import read_pack
from mpftconnect.conformance.power.survivors import read_classes
from mpftconnect.conformance.supplier_file import supplier_from

PAGES = Path(__file__).resolve().parents[2] / "docs" / "conformance"


def toml_of(page: str) -> list[str]:
    return re.findall(r"^```toml\n(.*?)^```$", (PAGES / page).read_text(encoding="utf-8"), re.M | re.S)


def test_the_supplier_file_shown_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPPLIER_TOKEN", "made up")
    (text,) = toml_of("running.md")
    supplier = supplier_from(tomllib.loads(text))
    assert supplier.subject.environment == "test"
    assert supplier.exceptions[0].requirement == "UKC-12"
    assert supplier.auth.secrets == {"token": "made up"}


def test_the_pack_shown_is_read(tmp_path: Path) -> None:
    text, survivors = toml_of("writing-a-pack.md")
    classes = tmp_path / "ward-feed.survivors.toml"
    classes.write_text(survivors, encoding="utf-8")
    assert [each.name for each in read_classes(classes).classes] == ["displays"]
    file = tmp_path / "ward-feed.toml"
    file.write_text(text, encoding="utf-8")
    pack = read_pack(file, expected_name="ward-feed")
    assert [r.ref for r in pack.requirements] == ["WARD-01"]
    assert pack.errata[0].requirement == "ward-feed#1"
