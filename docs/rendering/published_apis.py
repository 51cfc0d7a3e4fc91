"""What the pack open-api says of published OpenAPI documents: the page `docs/conformance/published-documents.md`.

Run it with the folder that holds `api.tgz`; it prints the page. Nothing is asked: the documents are recorded answers.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from mpftconnect.conformance import Evidence, Recorded, Subject
from mpftconnect.conformance.check import decide
from mpftconnect_conformance.checks.open_api import CHECKS

__all__ = ["documents", "page", "row"]

_STATIC = (1, 8, 9, 10, 11, 12)
_HEAD = """# Published documents, judged as recorded answers

What the checks of `open-api` that read the document alone say of OpenAPI documents that NHS England publishes in its
repositories (commits in the material's manifest). **It says nothing of a running service**: a document in a repository
may be joined from several files before it is published; references that lead out of it leave OAPI-01 inconclusive.
Only the first finding is named. Written by `docs/rendering/published_apis.py`.

| Document | OAPI-01 | OAPI-08 | OAPI-09 | OAPI-10 | OAPI-11 | OAPI-12 | First finding of OAPI-01 |
|---|---|---|---|---|---|---|---|
"""


def documents(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each root document, in the order of the manifest."""
    with tarfile.open(archive) as outer:
        names = {name.removeprefix("./"): name for name in outer.getnames()}
        manifest = next(name for name in names if name.endswith("specs.json"))
        folder = manifest.removesuffix("specs.json")
        for api in json.loads(_bytes(outer, names[manifest])):
            packed = names.get(f"{folder}specs/{api['api']}.tgz")
            if packed is None:
                continue
            with tarfile.open(fileobj=io.BytesIO(_bytes(outer, packed))) as inner:
                for root in api["oasRoots"]:
                    found = next((n for n in inner.getnames() if n.endswith(root["path"])), None)
                    if found is not None:
                        yield f"{api['api']}: {root['path'].removeprefix('specification/')}", _bytes(inner, found)


def _bytes(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    return file.read() if file is not None else b""


def row(body: bytes) -> list[str]:
    """The statuses of the static checks, and the first finding of OAPI-01."""
    exchanges = [
        Recorded(id="x001", step="metadata", method="GET", url="", status=200, response_body=b"{}"),
        Recorded(id="x002", step="openapi document", method="GET", url="", status=200, response_body=body),
    ]
    subject = Subject(product="published", version="1", entity="published", environment="test")
    said = {}
    for check in CHECKS:
        number = int(check.name.partition("#")[2])
        if number in _STATIC:
            said[number] = decide(check, Evidence(exchanges, subject=subject, today="2026-11-25"))
    first = said[1].findings[0].rule if said[1].findings else ""
    return [*(str(said[number].status) for number in _STATIC), first]


def page(archive: Path) -> str:
    lines = [f"| {name} | {' | '.join(row(body))} |" for name, body in documents(archive)]
    return _HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page(Path(sys.argv[1]) / "api.tgz"))
