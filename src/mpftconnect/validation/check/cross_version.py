"""Extensions that carry an element of another FHIR version.

FHIR R4 "Version Management Policy", section "Extensions for converting between versions": the address
`http://hl7.org/fhir/[version]/StructureDefinition/extension-[Path]` means an element of another version. Its value is
of the element's type; an element with children of its own has them as extensions inside, named as the children are.
A modifier element is a modifier extension. DSTU2, STU3 and R4 are known here; of others nothing can be said.
"""

from __future__ import annotations

import functools
import gzip
import json
import re
from importlib import resources
from typing import Any

from mpftconnect.validation.check.run import Run
from mpftconnect.validation.places import Place, child, property_of

__all__ = ["check_cross_version"]

_ADDRESS = re.compile(r"http://hl7\.org/fhir/([0-9]\.[0-9])/StructureDefinition/extension-([A-Za-z.\[\]]+)")
_NESTED = {"BackboneElement", "Element"}
_DEEPEST = 12


@functools.cache
def _versions() -> dict[str, dict[str, str]]:
    data = resources.files("mpftconnect.validation.definitions").joinpath("data/other_versions.json.gz").read_bytes()
    return json.loads(gzip.decompress(data))  # type: ignore[no-any-return]


def check_cross_version(item: dict[str, Any], url: str, place: Place, run: Run, *, modifier: bool) -> bool:
    """Judge a cross-version extension; False if the address is of no such form, or of a version not known here."""
    match = _ADDRESS.fullmatch(url)
    if match is None:
        return False
    version, path = match.groups()
    table = _versions().get(version)
    if table is None or version == run.checks.version:
        return False
    name = _found(table, path)
    if name is None:
        run.error("extension-unknown", place, f"names no element of FHIR {version}")
        return True
    must_modify = table[name].startswith("!")
    if must_modify != modifier:
        words = "modifierExtension" if must_modify else "extension"
        run.error("extension-modifier", place, f"must stand in {words}, as the element of FHIR {version} demands")
        return True
    _value(item, table, name, place, run, 0)
    return True


def _found(table: dict[str, str], path: str) -> str | None:
    """The path as the version writes it, with `[x]` or without."""
    for candidate in (path, path + "[x]"):
        if candidate in table and "." in candidate:
            return candidate
    return None


def _value(item: dict[str, Any], table: dict[str, str], name: str, place: Place, run: Run, depth: int) -> None:
    types = set(table[name].lstrip("!").split("|"))
    held = next((key for key in item if key.startswith(("value", "_value"))), None)
    inside = item.get("extension")
    if types & _NESTED:
        if held is not None:
            run.error("type", place, "must hold extensions for the parts of the element, and no value")
        elif isinstance(inside, list) and depth < _DEEPEST:
            _parts(inside, table, name, place, run, depth)
        return
    if any(code.startswith("#") for code in types) or "*" in types:
        return  # refers to another element, or is of any type
    if held is None:
        if not isinstance(inside, list):
            run.error("type", place, "must have a value of the element's type")
        return
    key = held.removeprefix("_")
    code = key[5:] if run.checks.trees.has_type(key[5:]) else key[5:6].lower() + key[6:]
    if code not in {code if code != "String" else "string" for code in types}:
        here = child(place, key) if run.checks.trees.has_type(code) else property_of(place, key)
        run.error("type", here, f"must be of the type {' or '.join(sorted(types))}")


def _parts(listed: list[Any], table: dict[str, str], name: str, place: Place, run: Run, depth: int) -> None:
    for index, part in enumerate(listed):
        url = part.get("url") if isinstance(part, dict) else None
        if not isinstance(url, str) or ":" in url:
            continue  # an extension of the part itself
        here = (place, "extension", index, None)
        inner = _found(table, f"{name}.{url}")
        if inner is None:
            run.error("extension-unknown", here, "names no part of the element")
        else:
            _value(part, table, inner, here, run, depth + 1)
