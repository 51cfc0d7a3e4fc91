"""Other people's messages: each is read and judged, comes back byte for byte, and nothing raises."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.hl7v2 import check, parse
from mpftconnect.hl7v2.findings import CODES

REPOSITORY = Path(__file__).parents[2]
ARCHIVE = Path(os.environ.get("MPFT_MATERIAL") or REPOSITORY.parent / "shared" / "material") / "hl7v2.tgz"


@pytest.fixture(scope="module")
def rows() -> list[tuple[dict[str, Any], bytes]]:
    """Each row of the manifest, with its message."""
    if not ARCHIVE.is_file():
        pytest.skip("no published material: set MPFT_MATERIAL to the folder that holds hl7v2.tgz")
    with tarfile.open(ARCHIVE) as archive:
        held = {
            member.name.partition("hl7v2/")[2] or member.name: file.read()
            for member in archive
            if member.isfile() and (file := archive.extractfile(member)) is not None
        }
    found = [json.loads(line) for line in held["manifest.jsonl"].decode("utf-8").splitlines()]
    return [(row, held[row["file"]]) for row in found]


def test_every_message_is_read_and_judged(rows: list[tuple[dict[str, Any], bytes]]) -> None:
    for row, raw in rows:
        message = parse(raw)
        assert bytes(message) == raw, row["file"]
        assert [segment.name for segment in message][: len(row["segments"])] == row["segments"], row["file"]
        assert message.type.split("^")[0] == row["messageCode"], row["file"]
        for segment in message:
            for number in range(1, len(segment.fields)):
                for repetition in segment.repetitions(number):
                    assert len([repetition[place] for place in range(1, len(repetition.components) + 1)]) > 0
        for profile in (None, "standard", "uk"):
            assert {one.code for one in check(message, profile)} <= set(CODES), row["file"]
        changed = parse(raw).set("ZQQ-1", "x")
        assert bytes(changed).startswith(raw.rstrip(b"\r\n")), row["file"]
    assert len(rows) > 500


def test_where_hl7apy_could_not_ours_says_why(rows: list[tuple[dict[str, Any], bytes]]) -> None:
    failed = [(row, raw) for row, raw in rows if not row["parsesWithHl7apy"]]
    assert failed
    told = {
        "Invalid name": {"segment-unknown", "segment-name"},
        "duplicate encoding": {"encoding-characters"},
        "version  is": {"version-missing"},
    }
    for row, raw in failed:
        codes = {one.code for one in check(raw)}
        for words, expected in told.items():
            if words in row["hl7apyError"]:
                assert codes & expected, row["file"]
