"""Reading what was published: packages, resources in XML, and the elements of a resource with their types."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from mpftconnect.validation.fhirpath import Node, TypeProvider, core_types

FHIR = "{http://hl7.org/fhir}"
XHTML = "{http://www.w3.org/1999/xhtml}"
WHOLE_NUMBERS = {"integer", "positiveInt", "unsignedInt"}


def read_xml(file: Path, version: str = "4.0") -> dict[str, Any]:
    """A FHIR resource from XML in the form of JSON."""
    types = core_types(version)  # type: ignore[arg-type]
    root = ElementTree.parse(file).getroot()
    name = root.tag.removeprefix(FHIR)
    return {"resourceType": name, **_object(root, name, types)}


def _object(element: ElementTree.Element, kind: str, types: TypeProvider) -> dict[str, Any]:
    found: dict[str, Any] = {name: value for name, value in element.attrib.items() if name in ("id", "url")}
    members = {member: (each, of) for each in (types.elements(kind) or {}).values() for member, of in each.members}
    for child in element:
        if child.tag == f"{XHTML}div":
            ElementTree.register_namespace("", XHTML[1:-1])
            found["div"] = ElementTree.tostring(child, encoding="unicode").strip()
            continue
        member = child.tag.removeprefix(FHIR)
        described, of = members[member]
        value, beside = _value(child, of, types)
        if described.many:
            found.setdefault(member, []).append(value)
            if beside or f"_{member}" in found:
                found.setdefault(f"_{member}", [None] * (len(found[member]) - 1)).append(beside)
        else:
            if value is not None:
                found[member] = value
            if beside:
                found[f"_{member}"] = beside
    return found


def _value(child: ElementTree.Element, kind: str, types: TypeProvider) -> tuple[Any, Any]:
    if kind == "Resource":
        inside = child[0]
        name = inside.tag.removeprefix(FHIR)
        return {"resourceType": name, **_object(inside, name, types)}, None
    if not kind[0].islower():
        return _object(child, kind, types), None
    text = child.get("value")
    beside = _object(child, "Element", types)
    if text is None:
        return None, beside
    if kind == "boolean":
        return text == "true", beside
    return (int(text) if kind in WHOLE_NUMBERS else Decimal(text) if kind == "decimal" else text), beside


def documents(package: Path) -> Iterator[dict[str, Any]]:
    """Every resource of a package."""
    with tarfile.open(package) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.name.endswith(".json") else None
            if stream is not None:
                document = json.loads(stream.read(), parse_float=Decimal)
                if isinstance(document, dict) and isinstance(document.get("resourceType"), str):
                    yield document


class Constraint(NamedTuple):
    key: str
    path: str
    expression: str
    severity: str


def constraints(structure: dict[str, Any]) -> Iterator[Constraint]:
    """The constraints of a StructureDefinition that are written in FHIRPath."""
    for view in ("snapshot", "differential"):
        for element in structure.get(view, {}).get("element", ()):
            for each in element.get("constraint", ()):
                if each.get("expression"):
                    yield Constraint(
                        each["key"], element["path"].replace("[x]", ""), each["expression"], each.get("severity", "")
                    )


class Place(NamedTuple):
    """One element of a resource: where it stands, its type, and which resource it is in."""

    path: str
    type: str
    focus: Any
    resource: dict[str, Any]
    root: dict[str, Any]


def places(root: dict[str, Any], types: TypeProvider) -> Iterator[Place]:
    """Every element of a resource with its type; contained resources and entries too."""
    name = root["resourceType"]
    yield from _places(root, name, name, root, root, types)


def _places(focus: Any, kind: str, path: str, resource: Any, root: Any, types: TypeProvider) -> Iterator[Place]:
    yield Place(path, kind, focus, resource, root)
    value = focus.element if isinstance(focus, Node) else focus
    if not isinstance(value, dict):
        return
    for element in (types.elements("Element" if kind[0].islower() else kind) or {}).values():
        for member, of in element.members:
            if of == "Resource":
                for inside in _listed(value.get(member)):
                    if isinstance(inside, dict) and types.elements(str(inside.get("resourceType"))):
                        at = inside["resourceType"]
                        over = root if element.name == "contained" else inside
                        yield from _places(inside, at, at, inside, over, types)
            elif of[0].islower() and "." not in of:
                values, besides = _listed(value.get(member)), _listed(value.get(f"_{member}"))
                for at in range(max(len(values), len(besides))):
                    one = values[at] if at < len(values) else None
                    beside = besides[at] if at < len(besides) else None
                    if one is not None or beside:
                        yield from _places(Node(one, of, beside), of, f"{path}.{element.name}", resource, root, types)
            else:
                for inside in _listed(value.get(member)):
                    if isinstance(inside, dict):
                        yield from _places(inside, of, f"{path}.{element.name}", resource, root, types)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
