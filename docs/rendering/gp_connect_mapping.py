"""What of the published STU3 examples is mapped, kept and refused: measures, and writes the tables of the page.

`python docs/rendering/gp_connect_mapping.py` prints the tables; with `--write` it puts them into
`docs/gp-connect-mapping.md`. The examples are looked for where `MPFT_MATERIAL` says, or in `../shared/material`.
"""

from __future__ import annotations

import json
import os
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mpftconnect.adapters import Reading, Refusal
from mpftconnect.errors import AnswerRejected
from mpftconnect.fhir import NotMapped, parse_json
from mpftconnect.fhir.stu3 import STU3_READS_TYPES, read_stu3_resource, write_stu3_resource
from mpftconnect.model import NHS_NUMBER_SYSTEM, Item, Source
from mpftconnect_gpconnect.structured import StructuredRecord, read_structured_record

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "fhir"))

from leaves import lost  # noqa: E402 - how the tests count what was lost

PAGE = ROOT / "docs" / "gp-connect-mapping.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
# Stubs of one publisher have the number that was asked for filled in when they are served.
_FILLED_IN = b"{{jsonPath request.body '$.parameter[0].valueIdentifier.value'}}"
_ASKED = "9990000018"
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
# Which rule is about the kind of resource, and not about a fault of the entry.
_KIND_NOT_READ = "which is not read here"


def archive() -> Path:
    """The packed examples."""
    return Path(os.environ.get("MPFT_MATERIAL") or ROOT.parent / "shared" / "material") / "uk-fhir.tgz"


def examples(packed: Path) -> Iterator[tuple[str, Any]]:
    """Each published STU3 example: its name in the set, and its content, or None where it is no JSON."""
    with tarfile.open(packed) as files:
        members = {member.name.removeprefix("./"): member for member in files.getmembers()}

        def content(name: str) -> bytes:
            extracted = files.extractfile(members[name])
            assert extracted is not None  # noqa: S101 - these are files
            return extracted.read()

        names = set()
        for line in content("uk-fhir/cases.jsonl").decode().splitlines():
            case = json.loads(line)
            if str(case.get("fhirVersion") or "").startswith("3"):
                name = str(case["file"])
                names.add(name if name.endswith(".json") else str(Path(name).with_suffix(".converted.json")))
        for name in sorted(names):
            if f"uk-fhir/files/{name}" in members:
                text = content(f"uk-fhir/files/{name}").replace(_FILLED_IN, _ASKED.encode())
                try:
                    yield name, parse_json(text)
                except AnswerRejected:
                    yield name, None


def reading(number: str | None) -> Reading:
    """A read of one person, as far as reading a Bundle needs one."""
    nowhere: Any = SimpleNamespace(endpoint=SimpleNamespace(base_url="https://gp.example"))
    nobody: Any = None
    return Reading("gp", nobody, nowhere, nobody, number, now=lambda: _NOW)  # type: ignore[arg-type]


def is_record(content: Any) -> bool:
    """Whether it is a structured record's Bundle: a collection."""
    return type(content) is dict and content.get("resourceType") == "Bundle" and content.get("type") == "collection"


def record_of(content: dict[str, Any]) -> StructuredRecord | AnswerRejected:
    """The structured record, or why there is none."""
    entries = [entry.get("resource", {}) for entry in content.get("entry", ())]
    numbers = (
        identifier.get("value")
        for resource in entries
        if resource.get("resourceType") == "Patient"
        for identifier in resource.get("identifier", ())
        if identifier.get("system") == NHS_NUMBER_SYSTEM
    )
    try:
        return read_structured_record(content, reading=reading(next(numbers, None)))
    except AnswerRejected as error:
        return error


def resources(value: Any) -> Iterator[dict[str, Any]]:
    """Every resource, wherever it stands: contained and in Bundles too."""
    if isinstance(value, list):
        for part in value:
            yield from resources(part)
    elif isinstance(value, dict):
        if isinstance(value.get("resourceType"), str):
            yield value
        for part in value.values():
            yield from resources(part)


def refusals(record: StructuredRecord) -> list[Refusal]:
    """Each refused entry once, whichever sections it may belong in."""
    found = [one for section in record.sections.values() for one in section if isinstance(one, Refusal)]
    return list({(one.place, one.rule): one for one in found}.values())


@dataclass
class Row:
    """One resource type: how many were read and refused; how many leaves were sent, kept as extra and dropped."""

    read: int = 0
    refused: int = 0
    leaves: int = 0
    kept: int = 0
    dropped: int = 0


@dataclass
class Measured:
    """The figures."""

    rows: dict[str, Row] = field(default_factory=dict)
    files: int = 0
    broken: list[str] = field(default_factory=list)
    records: int = 0
    entries: int = 0
    items: int = 0
    not_records: Counter[str] = field(default_factory=Counter)
    faults: Counter[tuple[str, str]] = field(default_factory=Counter)
    not_read: Counter[str] = field(default_factory=Counter)


def _leaves(value: Any) -> int:
    if isinstance(value, dict):
        return sum(_leaves(part) for part in value.values())
    return sum(_leaves(part) for part in value) if isinstance(value, list) else 1


def measure(packed: Path) -> Measured:
    """Read every example: structured records as such, and each resource of a type that is read by itself."""
    done = Measured()
    for name, content in examples(packed):
        done.files += 1
        if content is None:
            done.broken.append(name)
            continue
        for resource in resources(content):
            kind = resource["resourceType"]
            if kind not in STU3_READS_TYPES:
                continue
            row = done.rows.setdefault(kind, Row())
            try:
                source = Source(system="gp", id=f"{kind}/{resource.get('id')}", fetched=_NOW)
                item = read_stu3_resource(resource, source=source)
            except NotMapped:
                row.refused += 1
                continue
            row.read += 1
            row.leaves += _leaves(resource) - 1
            row.kept += sum(_leaves(extra.value) for extra in item.extra)
            row.dropped += lost(resource, item, write_stu3_resource).total()
        if is_record(content):
            _measure_record(content, done)
    return done


def _measure_record(content: dict[str, Any], done: Measured) -> None:
    record = record_of(content)
    if isinstance(record, AnswerRejected):
        done.not_records[record.rule] += 1
        return
    done.records += 1
    done.entries += len(content["entry"])
    done.items += sum(isinstance(one, Item) for section in record.sections.values() for one in section)
    for refusal in refusals(record):
        kind = refusal.content["resourceType"]
        if refusal.rule.endswith(_KIND_NOT_READ):
            done.not_read[kind] += 1
        else:
            done.faults[kind, refusal.rule] += 1


def render(done: Measured) -> str:
    """The tables, as Markdown."""
    return "\n".join(_lines(done)) + "\n"


def _lines(done: Measured) -> Iterator[str]:
    yield f"{done.files} files; {len(done.broken)} of them is no JSON."
    yield ""
    yield "| Resource type | Instances read | Leaves | Mapped | Kept as extra | Dropped | Refused |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    total = Row()
    for kind, row in sorted(done.rows.items()):
        yield _line(f"`{kind}`", row)
        for name in ("read", "refused", "leaves", "kept", "dropped"):
            setattr(total, name, getattr(total, name) + getattr(row, name))
    yield _line("all", total)
    yield ""
    faults = sum(done.faults.values())
    yield (
        f"{done.records} structured records with {done.entries} entries: {done.items} items, {faults} entries refused "
        f"for a fault ({faults / done.entries:.1%}), {sum(done.not_read.values())} of a kind that is not read yet."
    )
    yield ""
    yield "| Refused | Why | Entries |"
    yield "|---|---|---:|"
    for (kind, rule), number in sorted(done.faults.items()):
        yield f"| `{kind}` | {rule} | {number} |"
    for kind, number in sorted(done.not_read.items()):
        yield f"| `{kind}` | this kind of resource is not read yet | {number} |"
    for rule, number in sorted(done.not_records.items()):
        yield f"| a collection Bundle | {rule} | {number} |"


def _line(name: str, row: Row) -> str:
    mapped = (row.leaves - row.kept - row.dropped) / row.leaves
    kept = row.kept / row.leaves
    return f"| {name} | {row.read} | {row.leaves} | {mapped:.1%} | {kept:.1%} | {row.dropped} | {row.refused} |"


def main() -> None:
    text = render(measure(archive()))
    if "--write" not in sys.argv:
        sys.stdout.write(text)
        return
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
