"""Messages to map: made ones of synthetic people, and the published material where it is there."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.hl7v2 import Mapped, Site, map_message, parse

_REPOSITORY = Path(__file__).parents[3]
RECEIVED = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

Mapper = Callable[..., Mapped]


@pytest.fixture(scope="session")
def mapped() -> Mapper:
    """`mapped("ADT^A01", "PID|...", ...)`: a message of these segments, mapped. `sent`, `control`, `site` as needed."""

    def make(
        kind: str,
        *segments: str,
        site: Site | None = None,
        sent: str = "20260301100000+0000",
        control: str = "C1",
        version: str = "2.5.1",
    ) -> Mapped:
        header = f"MSH|^~\\&|PAS|RRE|TIE|RRE|{sent}||{kind}|{control}|P|{version}"
        return map_message(parse("\r".join((header, *segments)) + "\r"), site, received=RECEIVED)

    return make


@pytest.fixture(scope="session")
def published() -> list[tuple[dict[str, Any], bytes]]:
    """The manifest's line and the bytes of every published message."""
    packed = Path(os.environ.get("MPFT_MATERIAL") or _REPOSITORY.parent / "shared" / "material") / "hl7v2.tgz"
    if not packed.exists():
        pytest.skip("the published messages are not here; MPFT_MATERIAL names the folder that holds hl7v2.tgz")
    return list(_messages(packed))


def _messages(packed: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    with tarfile.open(packed) as archive:
        files: dict[str, bytes] = {}
        for member in archive:
            if member.isfile() and (stream := archive.extractfile(member)) is not None:
                files[member.name.removeprefix("./").removeprefix("hl7v2/")] = stream.read()
    for line in files["manifest.jsonl"].decode().splitlines():
        row = json.loads(line)
        if row.get("file") in files:
            yield row, files[row["file"]]
