"""The published UK Core examples of one package, as JSON, with the profile that each is an example of."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CORE", "EXPANSIONS", "UK_CORE", "Example", "examples", "material"]

CORE = "hl7.fhir.r4.core-4.0.1.tgz"
EXPANSIONS = "hl7.fhir.r4.expansions-4.0.1.tgz"
UK_CORE = "fhir.r4.ukcore.stu3.currentbuild-0.0.0-gh55dd5f7e.tgz"
_SET = "fhir.r4.ukcore.stu3.currentbuild"


@dataclass(frozen=True, slots=True)
class Example:
    """One published example.

    Args:
        name: Its file.
        data: JSON as published, or as converted from XML.
        profiles: The profile that it is an example of; empty where that cannot be told.
    """

    name: str
    data: bytes
    profiles: tuple[str, ...]


def material() -> Path | None:
    """The folder of published material; None if it is not there."""
    here = Path(__file__).resolve().parents[2]
    folder = Path(os.environ["MPFT_MATERIAL"]) if "MPFT_MATERIAL" in os.environ else here.parent / "shared" / "material"
    return folder if (folder / "packages" / UK_CORE).is_file() else None


def examples(folder: Path) -> Iterator[Example]:
    """Every UK Core example of the package's own version, in the order of its manifest."""
    with tarfile.open(folder / "uk-fhir.tgz") as archive:
        files = {member.name.removeprefix("./"): member for member in archive if member.isfile()}

        def read(name: str) -> bytes:
            stream = archive.extractfile(files[name])
            return stream.read() if stream else b""

        for line in io.BytesIO(read("uk-fhir/cases.jsonl")):
            row = json.loads(line)
            if row["set"] != _SET:
                continue
            name = row.get("jsonFile") or row["file"]
            guess = row.get("profileGuess")
            yield Example(name, read(f"uk-fhir/files/{name}"), (guess,) if guess else ())
