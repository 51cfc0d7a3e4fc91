"""Published StructureDefinitions read as they are: no compiler, no snapshot of ours, nothing of the SDK.

What a mutation breaks must not be decided by the code that is tested, so this reads the snapshots that HL7 published
for R4 types, and the differentials that profiles state.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Element", "Place", "Published"]

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Element:
    """One ElementDefinition, as far as a mutation needs it."""

    path: str
    min: int
    max: str
    types: tuple[Json, ...]
    binding: Json | None = None
    content_reference: str | None = None
    constraints: tuple[Json, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(_type_code(each) for each in self.types)


@dataclass(slots=True)
class Place:
    """A value in an instance: `holder[key]`, with what the definitions say of it.

    Args:
        expression: Where it stands, for people.
        type_: FHIR type of the value.
    """

    holder: Any
    key: Any
    element: Element
    type_: str
    expression: str

    @property
    def value(self) -> Any:
        return self.holder[self.key]


def _type_code(each: Json) -> str:
    # FHIR R4, ElementDefinition.type.code: primitives' values are FHIRPath system types, with the FHIR type beside.
    for extension in each.get("extension", ()):
        if extension.get("url", "").endswith("structuredefinition-fhir-type"):
            return str(extension.get("valueUrl") or extension.get("valueUri"))
    return str(each.get("code", ""))


@dataclass
class Published:
    """The definitions of some packages, by canonical URL.

    Args:
        packages: Paths of FHIR NPM packages (.tgz), the core package first.
    """

    packages: tuple[Path, ...]
    structures: dict[str, Json] = field(default_factory=dict)
    value_sets: dict[str, Json] = field(default_factory=dict)
    _elements: dict[str, dict[str, Element]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for package in self.packages:
            for resource in _resources(package):
                into = {"StructureDefinition": self.structures, "ValueSet": self.value_sets}.get(
                    resource["resourceType"]
                )
                url = resource.get("url")
                if into is None or not isinstance(url, str):
                    continue
                if into is self.value_sets and "expansion" in into.get(url, {}) and "expansion" not in resource:
                    continue
                into[url] = resource

    def elements(self, type_: str) -> dict[str, Element]:
        """The elements of a type's published snapshot, by path."""
        if type_ not in self._elements:
            definition = self.structures.get(f"http://hl7.org/fhir/StructureDefinition/{type_}", {})
            listed = definition.get("snapshot", {}).get("element", [])
            self._elements[type_] = {each["path"]: _element(each) for each in listed if "sliceName" not in each}
        return self._elements[type_]

    def places(self, resource: Json) -> Iterator[Place]:
        """Every value of a resource that the definitions know, outermost first."""
        type_ = resource.get("resourceType")
        if isinstance(type_, str) and self.elements(type_):
            yield from self._below(resource, type_, type_, type_)

    def _below(self, holder: Json, type_: str, path: str, expression: str) -> Iterator[Place]:
        table = self.elements(type_)
        for key in list(holder):
            if key in ("resourceType", "fhir_comments") or key.startswith("_"):
                continue
            found = self._named(table, path, key)
            if found is None:
                continue
            element, value_type = found
            values = holder[key] if isinstance(holder[key], list) else [holder[key]]
            yield Place(holder, key, element, value_type, f"{expression}.{key}")
            for index, value in enumerate(values):
                here = f"{expression}.{key}" + (f"[{index}]" if isinstance(holder[key], list) else "")
                if isinstance(holder[key], list):
                    yield Place(holder[key], index, element, value_type, here)
                if isinstance(value, dict):
                    yield from self._inside(value, element, value_type, type_, here)

    def _inside(self, value: Json, element: Element, value_type: str, type_: str, here: str) -> Iterator[Place]:
        if value_type in ("Resource", "DomainResource") or "resourceType" in value:
            yield from self.places(value)
        elif element.content_reference:
            yield from self._below(value, type_, element.content_reference.partition("#")[2], here)
        elif value_type in ("BackboneElement", "Element"):
            yield from self._below(value, type_, element.path, here)
        elif self.elements(value_type):
            yield from self._below(value, value_type, value_type, here)

    @staticmethod
    def _named(table: dict[str, Element], path: str, key: str) -> tuple[Element, str] | None:
        if element := table.get(f"{path}.{key}"):
            return element, element.codes[0] if element.codes else "Element"
        for index in range(len(key) - 1, 0, -1):
            element = table.get(f"{path}.{key[:index]}[x]")
            if element is None:
                continue
            for code in element.codes:
                if key[index:] == code[:1].upper() + code[1:]:
                    return element, code
        return None

    def codes_of(self, canonical: str) -> frozenset[str] | None:
        """All codes of a value set whose published expansion is whole; None if it cannot be listed."""
        found = self.value_sets.get(canonical.partition("|")[0], {})
        contains = found.get("expansion", {}).get("contains")
        if not contains or found["expansion"].get("total", 0) > len(contains):
            return None
        return frozenset(each["code"] for each in contains if "code" in each)


def _element(raw: Json) -> Element:
    return Element(
        raw["path"],
        int(raw.get("min", 0)),
        str(raw.get("max", "*")),
        tuple(raw.get("type", ())),
        raw.get("binding"),
        raw.get("contentReference"),
        tuple(raw.get("constraint", ())),
    )


def _resources(package: Path) -> Iterator[Json]:
    with tarfile.open(package) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".json") and "/." not in member.name:
                stream = archive.extractfile(member)
                try:
                    resource = json.load(stream) if stream else None
                except ValueError:
                    continue
                if isinstance(resource, dict) and resource.get("resourceType") in ("StructureDefinition", "ValueSet"):
                    yield resource
