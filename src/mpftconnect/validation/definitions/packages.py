"""One FHIR NPM package: its manifest and the conformance resources in it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from mpftconnect.errors import PackageRefused
from mpftconnect.validation.definitions.archives import digest_of, package_files

__all__ = ["Head", "Package", "PackageSpec", "read_package"]

# Folders of a package that hold no definitions (FHIR NPM package specification, "Package structure").
_NOT_DEFINITIONS = {"examples", "example", "openapi", "xml", "tests", "other", "bin"}
_SPEC = re.compile(r"(?P<name>[^@#\s]+)(?:[@#](?P<version>[^\s]+))?")


@dataclass(frozen=True, slots=True)
class PackageSpec:
    """What was asked for: a name, and perhaps a version or a range."""

    name: str
    version: str | None = None

    @classmethod
    def parse(cls, text: str) -> PackageSpec:
        """Read `name`, `name@version` or `name#version`.

        >>> PackageSpec.parse("hl7.fhir.r4.core@4.0.1")
        PackageSpec(name='hl7.fhir.r4.core', version='4.0.1')
        """
        match = _SPEC.fullmatch(text)
        if match is None:
            raise PackageRefused("a package is named as name, name@version, or by a path")
        return cls(match["name"], match["version"])

    def __str__(self) -> str:
        return f"{self.name}@{self.version}" if self.version else self.name


class Head(msgspec.Struct, frozen=True):
    """The few fields by which a definition is found, read without the rest of it."""

    resourceType: str = ""  # noqa: N815 (FHIR's name)
    id: str = ""
    url: str = ""
    version: str = ""
    type: Any = None
    kind: str = ""
    derivation: str = ""
    name: Any = None


_HEADS = msgspec.json.Decoder(Head)


@dataclass(slots=True)
class Package:
    """A package that was found; its resources are read when first needed."""

    name: str
    version: str
    fhir_versions: tuple[str, ...]
    dependencies: Mapping[str, str]
    source: Path
    unreadable: list[str] = field(default_factory=list)
    _digest: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the package as found."""
        if self._digest is None:
            self._digest = digest_of(self.source)
        return self._digest

    def resources(self) -> Iterator[tuple[Head, bytes]]:
        """Each resource of the package, once: some packages hold a file under two names."""
        seen: set[tuple[str, str, str, str]] = set()
        for name, data in package_files(self.source):
            parts = name.split("/")
            if parts[-1].startswith(".") or parts[-1] == "package.json" or _NOT_DEFINITIONS.intersection(parts[:-1]):
                continue
            if not data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{"):
                continue
            try:
                head = _HEADS.decode(data.removeprefix(b"\xef\xbb\xbf"))
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                self.unreadable.append(parts[-1])
                continue
            key = (head.resourceType, head.url, head.version, head.id)
            if not head.resourceType or key in seen:
                continue
            seen.add(key)
            yield head, data

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def read_package(source: Path) -> Package:
    """The manifest of a package, from an archive or a folder.

    Raises:
        PackageRefused: Unreadable, or without a `package.json` that names it.
    """
    for name, data in package_files(source):
        if name in ("package/package.json", "package.json") or name.endswith("/package/package.json"):
            return _package(source, data)
    raise PackageRefused(f"{source.name}: no package/package.json, so this is not a FHIR package")


@functools.lru_cache(maxsize=512)
def manifest_of(source: Path, stamp: int) -> Package:
    """`read_package`, remembered for as long as the file is unchanged (`stamp`: its modification time)."""
    return read_package(source)


def _package(source: Path, data: bytes) -> Package:
    try:
        manifest = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("name"), str):
        raise PackageRefused(f"{source.name}: package.json is not a package manifest")
    listed = manifest.get("fhirVersions") or manifest.get("fhir-version-list") or ()
    dependencies = manifest.get("dependencies") or {}
    return Package(
        name=manifest["name"],
        version=str(manifest.get("version") or ""),
        fhir_versions=tuple(v for v in listed if isinstance(v, str)) if isinstance(listed, list) else (),
        dependencies={k: v for k, v in dependencies.items() if isinstance(v, str)}
        if isinstance(dependencies, dict)
        else {},
        source=source,
    )
