"""Write the FHIRPath engine's type tables from the official definitions (FHIR is CC0): which element has which type.

    python scripts/fhirpath_types.py FOLDER      # holds the two packages; writes tables/r4.txt and tables/r3.txt

The packages are pinned by digest. Only facts are kept: names, types, whether an element repeats. The form of a table:

    Patient DomainResource                a type and the type that it specialises
     contact Patient.contact*             an element that may repeat; its own elements stand under that name
     deceased[x] boolean|dateTime         a choice
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

PACKAGES = {
    "r4": ("hl7.fhir.r4.core-4.0.1.tgz", "11ea8dcbe4a871334b1c1de235f3f1f1ba7430a249477f25ff8b128d98894b37"),
    "r3": ("hl7.fhir.r3.core-3.0.2.tgz", "f57dbee59e959a17dad1ca28abff715c87d9c633b52e91ad3e66dd364925839c"),
}
TABLES = Path(__file__).parent.parent / "src" / "mpftconnect" / "validation" / "fhirpath" / "tables"
FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
SYSTEM = "http://hl7.org/fhirpath/System."
# STU3 calls these constraints on Quantity; its invariants and its JSON call them types all the same.
QUANTITIES = ("Age", "Count", "Distance", "Duration", "Money")


def definitions(package: Path, digest: str) -> list[dict[str, Any]]:
    if hashlib.sha256(package.read_bytes()).hexdigest() != digest:
        raise SystemExit(f"{package.name} is not the package that this script is pinned to")
    found = []
    with tarfile.open(package) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.name.endswith(".json") else None
            if stream is not None:
                document = json.load(stream)
                if document.get("resourceType") == "StructureDefinition":
                    found.append(document)
    return found


def type_name(kind: dict[str, Any]) -> str | None:
    """The FHIR type of one `ElementDefinition.type`; None for the value of a primitive."""
    for extension in kind.get("extension", ()):
        if extension.get("url") == FHIR_TYPE:
            return str(extension.get("valueUrl") or extension.get("valueUri"))
    code = kind.get("code")
    if code is None or str(code).startswith(SYSTEM):
        return None
    return str(code)


def table(structures: list[dict[str, Any]]) -> str:
    bases: dict[str, str] = {}
    elements: dict[str, dict[str, str]] = {}
    for structure in structures:
        name = structure["id"]
        if structure.get("kind") == "logical" or "/" in structure.get("type", ""):
            continue
        if structure.get("derivation") == "constraint" and name not in QUANTITIES:
            continue
        base = structure.get("baseDefinition", "").rpartition("/")[2]
        bases[name] = base
        elements.setdefault(name, {})
        root = structure["snapshot"]["element"][0]["path"]
        for element in structure["snapshot"]["element"][1:]:
            path = element["path"].replace(root, name, 1) if element["path"].startswith(root + ".") else element["path"]
            owner, _, child = path.rpartition(".")
            origin = element.get("base", {}).get("path", path).partition(".")[0]
            if origin not in (name, root) or base == "Quantity" or (child == "value" and name[0].islower()):
                continue  # the supertype has it, or it is the value of a primitive
            many = "" if element.get("max") in ("0", "1") else "*"
            if "contentReference" in element:
                kinds = [element["contentReference"].rpartition("#")[2]]
            else:
                kinds = []
                for kind in element.get("type", ()):
                    known = type_name(kind)
                    if known is not None and known not in kinds:
                        kinds.append(known)
                if kinds in (["BackboneElement"], ["Element"]) and any(
                    other["path"].startswith(element["path"] + ".") for other in structure["snapshot"]["element"]
                ):
                    bases[path] = kinds[0]
                    elements.setdefault(path, {})
                    kinds = [path]
            if kinds:
                elements.setdefault(owner, {})[child] = "|".join(kinds) + many
    lines = []
    for name in sorted(bases):
        lines.append(f"{name} {bases[name]}".rstrip())
        lines += [f" {child} {kinds}" for child, kinds in elements.get(name, {}).items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    TABLES.mkdir(exist_ok=True)
    for name, (package, digest) in PACKAGES.items():
        (TABLES / f"{name}.txt").write_text(table(definitions(folder / package, digest)), encoding="ascii")


if __name__ == "__main__":
    main()
