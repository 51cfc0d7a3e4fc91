"""Published STU3 examples: every resource of a type that is read is read, and nothing of it is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from leaves import lost
from strategies import SOURCE

from mpftconnect.errors import AnswerRejected
from mpftconnect.fhir import dump_json, parse_json, read_resource, write_resource
from mpftconnect.fhir.stu3 import STU3_READS_TYPES, read_stu3_resource, write_stu3_resource

# Files that are no JSON, each with what is wrong with it.
BROKEN = {"example-allergy-intolerance-resource-15.json": "names a member twice"}


def _resources(value: Any) -> Iterator[dict[str, Any]]:
    """Every resource of a type that is read, wherever it stands: contained and in Bundles too."""
    if isinstance(value, list):
        for part in value:
            yield from _resources(part)
    elif isinstance(value, dict):
        if isinstance(value.get("resourceType"), str) and value["resourceType"] in STU3_READS_TYPES:
            yield value
        for part in value.values():
            yield from _resources(part)


def _examples(material: Path) -> Iterator[Path]:
    for line in (material / "uk-fhir" / "cases.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        if str(case.get("fhirVersion") or "").startswith("3"):
            file = material / "uk-fhir" / "files" / case["file"]
            yield file if file.suffix == ".json" else file.with_suffix(".converted.json")


def test_published_examples_are_read_and_nothing_is_lost(material: Path) -> None:
    number, broken = 0, {}
    for file in sorted(set(_examples(material))):
        if not file.is_file():
            continue  # left out of the sample
        try:
            content = parse_json(file.read_bytes())
        except AnswerRejected as error:
            broken[file.name] = error.rule
            continue
        for resource in _resources(content):
            number += 1
            source = SOURCE.model_copy(update={"id": f"{resource['resourceType']}/{resource.get('id')}"})
            item = read_stu3_resource(resource, source=source)
            assert not lost(resource, item, write_stu3_resource), file.name
            assert read_resource(parse_json(dump_json(write_resource(item)))) == item, file.name
            if resource["resourceType"] != "PractitionerRole":  # whose name stands in the Practitioner
                assert read_stu3_resource(parse_json(dump_json(write_stu3_resource(item)))) == item, file.name
    assert broken == BROKEN
    assert number > 9000
