"""The pages on the HL7 v2 mapping say what the mapping does."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from mpftconnect.hl7v2.mapping.site import LOCAL_TARGETS

PARK = re.compile(r'work\.park\(\s*"([a-z-]+)"')


def generated(module: ModuleType, page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    inside: str = text.partition(module.BEGIN)[2].partition(module.END)[0]
    return inside.strip()


def test_the_field_tables_are_those_of_the_mapping(root: Path, hl7v2_pages: ModuleType) -> None:
    page = root / "docs" / "hl7v2" / "mapping.md"
    assert generated(hl7v2_pages, page) == hl7v2_pages.mapping_tables(), "run docs/rendering/hl7v2_mapping.py --write"


def test_the_comparison_and_the_ledger_are_of_the_published_messages(root: Path, hl7v2_pages: ModuleType) -> None:
    packed = hl7v2_pages.archive()
    if not packed.exists():
        pytest.skip("the published messages are not here; MPFT_MATERIAL names the folder that holds hl7v2.tgz")
    pages = {"mapping-compared.md": "comparison_tables", "reading-the-ledger.md": "ledger_table"}
    for name, tables in pages.items():
        page = root / "docs" / "hl7v2" / name
        assert generated(hl7v2_pages, page) == getattr(hl7v2_pages, tables)(packed), name


def test_every_difference_is_explained(root: Path, hl7v2_pages: ModuleType) -> None:
    source = (root / "docs" / "rendering" / "hl7v2_mapping.py").read_text(encoding="utf-8")
    used = set(
        re.findall(r'"((?:number|name|birth|gender|results|value|contact|contacts|several|no)-[a-z-]+)"', source)
    )
    assert used == set(hl7v2_pages.KINDS)


def test_every_reason_for_parking_and_every_local_target_is_on_the_page(root: Path) -> None:
    page = (root / "docs" / "hl7v2" / "mapping.md").read_text(encoding="utf-8")
    sources = (root / "src" / "mpftconnect" / "hl7v2" / "mapping").glob("*.py")
    codes = {code for source in sources for code in PARK.findall(source.read_text(encoding="utf-8"))}
    assert len(codes) > 12
    assert {code for code in codes if f"`{code}`" not in page} == set()
    assert [target for target in LOCAL_TARGETS if f"`{target}`" not in page] == []


def test_what_the_pack_decides_of_the_published_messages(root: Path, hl7v2_conformance: ModuleType) -> None:
    packed = hl7v2_conformance.archive()
    if not packed.exists():
        pytest.skip("the published messages are not here; MPFT_MATERIAL names the folder that holds hl7v2.tgz")
    page = root / "docs" / "conformance" / "hl7v2.md"
    made = hl7v2_conformance.table(packed)
    assert generated(hl7v2_conformance, page) == made, "run docs/rendering/hl7v2_conformance.py --write"
