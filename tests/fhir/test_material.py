"""Published UK examples: each is read without error, nothing of it is lost, and how much is mapped is counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from leaves import lost, shares
from strategies import SOURCE

from mpftconnect.errors import AnswerRejected
from mpftconnect.fhir import READS_TYPES, dump_json, parse_json, read_resource, write_resource


def _resources(value: Any) -> Iterator[dict[str, Any]]:
    """Every resource of a type that is read, wherever it stands: contained and in Bundles too."""
    if isinstance(value, list):
        for part in value:
            yield from _resources(part)
    elif isinstance(value, dict):
        if value.get("resourceType") in READS_TYPES - {"Basic"}:
            yield value
        for part in value.values():
            yield from _resources(part)


def _uk_examples(material: Path) -> Iterator[Path]:
    for line in (material / "uk-fhir" / "cases.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        if str(case.get("fhirVersion") or "").startswith("4"):
            file = material / "uk-fhir" / "files" / case["file"]
            yield file if file.suffix == ".json" else file.with_suffix(".converted.json")


def _pds_examples(material: Path) -> Iterator[Path]:
    yield from sorted((material / "api" / "files" / "pds").rglob("*.json"))


@pytest.mark.parametrize("examples", [_uk_examples, _pds_examples], ids=["uk-core-r4", "pds"])
def test_published_examples_are_read_and_nothing_is_lost(
    examples: Any, material: Path, record_property: pytest.RecordProperty
) -> None:
    totals: dict[str, tuple[int, int, int]] = {}
    for file in sorted(set(examples(material))):
        try:
            content = parse_json(file.read_bytes())
        except (AnswerRejected, FileNotFoundError):
            continue  # the set holds broken files on purpose; some are left out of the sample
        for resource in _resources(content):
            kind = resource["resourceType"]
            source = SOURCE.model_copy(update={"id": f"{kind}/{resource.get('id')}"})
            item = read_resource(resource, source=source)
            assert not lost(resource, item), file.name
            assert read_resource(parse_json(dump_json(write_resource(item)))) == item, file.name
            sent, extra = shares(resource, item)
            number, leaves, beside = totals.get(kind, (0, 0, 0))
            totals[kind] = (number + 1, leaves + sent, beside + extra)
    assert totals["Patient"][0] > 60
    for kind, (number, leaves, beside) in sorted(totals.items()):
        record_property(kind, f"{number} read, {1 - beside / leaves:.1%} of {leaves} leaves mapped")
        print(f"{kind}: {number} read, {1 - beside / leaves:.1%} of {leaves} leaves mapped, the rest in extra")
