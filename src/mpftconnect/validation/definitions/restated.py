"""Rules of published profiles stated again as data of somebody else, compiled to differential StructureDefinitions.

Such a pack is no copy of the published package: it has its own name and its own addresses. Where it was asked for by
name, and what was published is not loaded, its profiles are applied to what claims the published addresses, and every
report that rests on them says "restated rules" (RULES of the project, 17).

A pack is a folder: `pack.toml` says what it is, every other `*.toml` holds `[[profile]]`, `[[extension]]` and
`[[value_set]]` tables. In a rule, `at` is the path below the root (`.`: the root itself), with slices as `name:slice`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from mpftconnect.errors import PackageRefused

__all__ = ["MANIFEST", "Restated", "StandIn", "read_restated"]

MANIFEST = "pack.toml"
_TYPE = "http://hl7.org/fhir/StructureDefinition/"
_T = TypeVar("_T")


class _Invariant(msgspec.Struct, forbid_unknown_fields=True):
    key: str
    severity: Literal["error", "warning"]
    expression: str
    says: str


class _Rule(msgspec.Struct, forbid_unknown_fields=True):
    at: str
    min: int | None = None
    max: int | None = None
    types: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    extension: str | None = None
    sliced_by: tuple[str, ...] = ()
    closed: bool = False
    fixed: dict[str, Any] = {}
    bind: dict[Literal["required", "extensible"], str] = {}
    rule: _Invariant | None = None


class _Profile(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    version: str
    type: str
    base: str | None = None
    must_support: tuple[str, ...] = ()
    rules: tuple[_Rule, ...] = ()


class _Extension(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    version: str
    on: tuple[str, ...]
    must_support: tuple[str, ...] = ()
    rules: tuple[_Rule, ...] = ()


class _Codes(msgspec.Struct, forbid_unknown_fields=True):
    system: str
    codes: tuple[str, ...]


class _ValueSet(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    include: tuple[_Codes, ...]


class _Tables(msgspec.Struct, forbid_unknown_fields=True):
    profile: tuple[_Profile, ...] = ()
    extension: tuple[_Extension, ...] = ()
    value_set: tuple[_ValueSet, ...] = ()


class _Pack(msgspec.Struct, forbid_unknown_fields=True):
    version: Literal[1]
    name: str
    revision: str
    fhir: str
    of: str
    instead_of: tuple[str, ...]
    published: str
    address: str
    not_carried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StandIn:
    """What is applied where a published definition is claimed: our address, and the version that is restated."""

    address: str
    version: str


@dataclass(frozen=True, slots=True)
class Restated:
    """A pack of restated rules, compiled.

    Attributes:
        name: Its own name, never that of a published package.
        version: Its revision.
        fhir: Version of FHIR.
        of: What is restated, in words.
        instead_of: Packages that define what is restated.
        not_carried: What of it is not restated, in words.
        stands_for: Published address to what is applied in its place.
        resources: StructureDefinitions and ValueSets.
        source: The folder.
    """

    name: str
    version: str
    fhir: str
    of: str
    instead_of: tuple[str, ...]
    not_carried: tuple[str, ...]
    source: Path
    stands_for: dict[str, StandIn] = field(default_factory=dict)
    resources: list[dict[str, Any]] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def read_restated(folder: Path) -> Restated:
    """Read and compile a pack.

    Raises:
        PackageRefused: A file is not of this form, or the pack takes a published name or address for its own.
    """
    head = _read(folder / MANIFEST, _Pack)
    if head.name in head.instead_of or head.address.startswith(head.published):
        raise PackageRefused(f"{head.name}: restated rules must not answer to what was published")
    pack = Restated(head.name, head.revision, head.fhir, head.of, head.instead_of, head.not_carried, folder)
    compiler = _Compiler(head)
    for path in sorted(folder.glob("*.toml")):
        if path.name == MANIFEST:
            continue
        tables = _read(path, _Tables)
        for one in (*tables.profile, *tables.extension):
            published = head.published + one.name
            if published in pack.stands_for:
                raise PackageRefused(f"{path.name}: {one.name} is stated twice")
            pack.stands_for[published] = StandIn(head.address + one.name, one.version)
            pack.resources.append(compiler.structure(one))
        pack.resources.extend(compiler.value_set(one) for one in tables.value_set)
    return pack


def _read(path: Path, kind: type[_T]) -> _T:
    try:
        with path.open("rb") as file:
            return msgspec.convert(tomllib.load(file), type=kind)
    except OSError as error:
        raise PackageRefused(f"{path.name}: cannot be read ({type(error).__name__})") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise PackageRefused(f"{path.name}: {error}") from None


class _Compiler:
    """Tables of one pack to FHIR."""

    def __init__(self, head: _Pack) -> None:
        self._head = head

    def structure(self, source: _Profile | _Extension) -> dict[str, Any]:
        """A StructureDefinition with a differential only."""
        type_ = source.type if isinstance(source, _Profile) else "Extension"
        rows = _Rows(type_)
        for path in source.must_support:
            rows.at(path)["mustSupport"] = True
        if isinstance(source, _Extension):
            rows.at("url")["fixedUri"] = self._head.published + source.name
        for rule in source.rules:
            rows.at(rule.at).update(self._facets(rule))
        base = source.base if isinstance(source, _Profile) else None
        return {
            "resourceType": "StructureDefinition",
            "id": source.name,
            "url": self._head.address + source.name,
            "version": self._head.revision,
            "name": source.name,
            "status": "active",
            "fhirVersion": self._head.fhir,
            "kind": "complex-type" if type_ == "Extension" else "resource",
            "abstract": False,
            **({"context": [_context(where) for where in source.on]} if isinstance(source, _Extension) else {}),
            "type": type_,
            "baseDefinition": self._head.address + base if base else _TYPE + type_,
            "derivation": "constraint",
            "differential": {"element": rows.in_order()},
        }

    def value_set(self, source: _ValueSet) -> dict[str, Any]:
        """A ValueSet that lists its codes."""
        include = [{"system": one.system, "concept": [{"code": code} for code in one.codes]} for one in source.include]
        return {
            "resourceType": "ValueSet",
            "id": source.name,
            "url": self._value_set_address(source.name),
            "version": self._head.revision,
            "name": source.name,
            "status": "active",
            "compose": {"include": include},
        }

    def _value_set_address(self, name: str) -> str:
        return name if ":" in name else f"{self._head.address}ValueSet:{name}"

    def _facets(self, rule: _Rule) -> dict[str, Any]:
        facets: dict[str, Any] = {}
        if rule.min is not None:
            facets["min"] = rule.min
        if rule.max is not None:
            facets["max"] = str(rule.max)
        if rule.sliced_by:
            by = [dict(zip(("type", "path"), one.split(":", 1), strict=True)) for one in rule.sliced_by]
            facets["slicing"] = {"discriminator": by, "rules": "closed" if rule.closed else "open"}
        if rule.extension is not None:
            facets["type"] = [{"code": "Extension", "profile": [self._published(rule.extension)]}]
        elif rule.types:
            targets = [self._target(name) for name in rule.targets]
            facets["type"] = [
                {"code": code, **({"targetProfile": targets} if code in ("Reference", "canonical") and targets else {})}
                for code in rule.types
            ]
        for type_, value in rule.fixed.items():
            facets[f"fixed{type_[:1].upper()}{type_[1:]}"] = value
        for strength, value_set in rule.bind.items():
            facets["binding"] = {"strength": strength, "valueSet": self._value_set_address(value_set)}
        if rule.rule is not None:
            stated = rule.rule
            facets["constraint"] = [
                {
                    "key": stated.key,
                    "severity": stated.severity,
                    "human": stated.says,
                    "expression": stated.expression,
                }
            ]
        return facets

    def _published(self, name: str) -> str:
        return name if ":" in name else self._head.published + name

    def _target(self, name: str) -> str:
        """A target: a FHIR type, or a profile of what is restated, whose name has a hyphen."""
        return self._published(name) if "-" in name else _TYPE + name


def _siblings(steps: Iterable[str]) -> list[str]:
    """In their order, but each element before its own slices, and these together."""
    groups: dict[str, list[str]] = {}
    for step in steps:
        groups.setdefault(step.partition(":")[0], []).append(step)
    return [step for group in groups.values() for step in sorted(group, key=lambda step: ":" in step)]


def _context(where: str) -> dict[str, str]:
    kind, space, address = where.partition(" ")
    return (
        {"type": "extension", "expression": address}
        if space and kind == "extension"
        else {
            "type": "element",
            "expression": where,
        }
    )


class _Rows:
    """Rows of a differential, put into the order that FHIR demands: each element before what is inside it."""

    def __init__(self, type_: str) -> None:
        self._type = type_
        self._rows: dict[tuple[str, ...], dict[str, Any]] = {}

    def at(self, path: str) -> dict[str, Any]:
        """The facets of the element at a path, to be added to."""
        steps = () if path == "." else tuple(path.split("."))
        for length in range(1, len(steps)):
            if ":" in steps[length - 1]:  # a slice is named before what is inside it
                self._rows.setdefault(steps[:length], {})
        return self._rows.setdefault(steps, {})

    def in_order(self) -> list[dict[str, Any]]:
        """The rows, depth first."""
        children: dict[tuple[str, ...], dict[str, None]] = {}
        for steps in self._rows:
            for length in range(len(steps)):
                children.setdefault(steps[:length], {})[steps[length]] = None
        found: list[dict[str, Any]] = []
        open_: list[tuple[str, ...]] = [()]
        while open_:
            steps = open_.pop()
            if steps in self._rows and (steps or self._rows[steps]):
                found.append(self._row(steps))
            inner = _siblings(children.get(steps, ()))
            open_ += [(*steps, step) for step in reversed(inner)]
        return found

    def _row(self, steps: tuple[str, ...]) -> dict[str, Any]:
        names = [step.partition(":")[0] for step in steps]
        slice_name = steps[-1].partition(":")[2] if steps else ""
        return {
            "id": ".".join((self._type, *steps)),
            "path": ".".join((self._type, *names)),
            **({"sliceName": slice_name} if slice_name else {}),
            **self._rows[steps],
        }
