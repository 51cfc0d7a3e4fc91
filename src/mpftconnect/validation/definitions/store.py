"""Every definition that is loaded, found by its canonical address, type or id; decoded when first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from mpftconnect.validation.definitions.core_pack import CorePack
from mpftconnect.validation.definitions.packages import Head, Package
from mpftconnect.validation.definitions.restated import Restated, StandIn
from mpftconnect.validation.definitions.versions import matches, order

__all__ = ["Definitions", "Entry", "split_canonical"]

_LONGEST_CHAIN = 64
CORE = "http://hl7.org/fhir/StructureDefinition/"


def split_canonical(canonical: str) -> tuple[str, str | None]:
    """Address and version of a canonical.

    >>> split_canonical("http://example.org/Profile|1.0")
    ('http://example.org/Profile', '1.0')
    """
    url, bar, version = canonical.partition("|")
    return url, (version or None) if bar else None


class Entry:
    """One definition: its head at once, its whole content on demand."""

    __slots__ = ("_load", "_resource", "head", "package")

    def __init__(self, head: Head, load: Callable[[], dict[str, Any]], package: str) -> None:
        self.head = head
        self.package = package
        self._load = load
        self._resource: dict[str, Any] | None = None

    @property
    def resource(self) -> dict[str, Any]:
        """The definition. Shared: never change it."""
        if self._resource is None:
            self._resource = self._load()
        return self._resource


class Definitions:
    """Definitions of one validator, by canonical address. Filled once, then only read."""

    def __init__(self) -> None:
        self._by_url: dict[str, list[Entry]] = {}
        self._by_reference: dict[str, Entry] = {}
        # Published address -> what of restated rules is applied to it, and the pack, where it is not loaded itself.
        self._stand_ins: dict[str, tuple[StandIn, str]] = {}
        self.missing_packages: dict[str, str] = {}
        self.loaded: list[str] = []

    def copy(self) -> Definitions:
        """The same definitions, to which others can be added."""
        made = Definitions()
        made._by_url = {url: list(entries) for url, entries in self._by_url.items()}
        made._by_reference = dict(self._by_reference)
        made._stand_ins = dict(self._stand_ins)
        made.missing_packages = dict(self.missing_packages)
        made.loaded = list(self.loaded)
        return made

    # -- filling

    def add_pack(self, pack: CorePack) -> None:
        """Add a core pack of the wheel."""
        name = f"{pack.package['name']}@{pack.package['version']}"
        self.loaded.append(name)
        for head, place in pack.heads():
            self._add(Entry(head, lambda place=place: pack.read(place), name))  # type: ignore[misc]

    def add_package(self, package: Package) -> None:
        """Add every resource of a package."""
        self.loaded.append(str(package))
        for head, data in package.resources():
            if head.resourceType == "ImplementationGuide" and not head.url:
                continue
            self._add(Entry(head, lambda data=data: _decode(data), str(package)))  # type: ignore[misc]

    def add_restated(self, pack: Restated) -> None:
        """Add restated rules: under their own addresses, and in the place of what is published and not loaded."""
        self.loaded.append(str(pack))
        for resource in pack.resources:
            self.add_resource(resource, str(pack))
        self._stand_ins |= {published: (stand_in, str(pack)) for published, stand_in in pack.stands_for.items()}

    def add_resource(self, resource: dict[str, Any], package: str = "given") -> None:
        """Add one definition that was given by itself; of equal ones, the last given is used."""

        def text(key: str) -> str:
            value = resource.get(key)
            return value if isinstance(value, str) else ""

        head = Head(
            text("resourceType"), text("id"), text("url"), text("version"), resource.get("type"), text("kind"),
            text("derivation"), resource.get("name"),
        )  # fmt: skip
        self._add(Entry(head, lambda: resource, package))

    def _add(self, entry: Entry) -> None:
        head = entry.head
        if head.url:
            entries = self._by_url.setdefault(head.url, [])
            # Equal address, version and type: what comes later in the order of loading is meant.
            entries[:] = [
                e for e in entries if (e.head.version, e.head.resourceType) != (head.version, head.resourceType)
            ]
            entries.append(entry)
        if head.id:
            self._by_reference[f"{head.resourceType}/{head.id}"] = entry

    # -- reading

    def find(self, canonical: str, resource_type: str | None = None) -> Entry | None:
        """The definition at an address, in the version that is asked for, else the newest.

        What is restated is found, under its own address, where the published definition is not loaded.
        """
        url, version = split_canonical(canonical)
        entries = self._by_url.get(url)
        if entries is None:
            stand_in = self._stand_ins.get(url)
            if stand_in is None or not matches(stand_in[0].version, version or "*"):
                return None
            return self.find(stand_in[0].address, resource_type)
        if resource_type is not None:
            entries = [e for e in entries if e.head.resourceType == resource_type]
        if version is not None:
            exact = [e for e in entries if e.head.version == version]
            entries = exact or [e for e in entries if matches(e.head.version, version)]
        if not entries:
            return None
        return entries[0] if len(entries) == 1 else max(entries, key=lambda e: order(e.head.version))

    def has_any_version(self, canonical: str, resource_type: str | None = None) -> bool:
        """Whether the address is known in some version."""
        return self.find(split_canonical(canonical)[0], resource_type) is not None

    def restated(self, canonical: str) -> dict[str, str]:
        """Published address to pack, for all restated rules that a structure is, or is based on."""
        found: dict[str, str] = {}
        url: Any = canonical
        for _ in range(_LONGEST_CHAIN):
            entry = self.find(url, "StructureDefinition") if isinstance(url, str) else None
            if entry is None:
                break
            found.update((url, pack) for url, (it, pack) in self._stand_ins.items() if it.address == entry.head.url)
            url = entry.resource.get("baseDefinition")
        return found

    def structure(self, canonical: str) -> dict[str, Any] | None:
        """A StructureDefinition by address; an element id after `#` is left out."""
        entry = self.find(canonical.partition("#")[0] if "#" in canonical else canonical, "StructureDefinition")
        return entry.resource if entry else None

    def by_reference(self, reference: str) -> Entry | None:
        """A definition by its relative reference (`ValueSet/x`), as old profiles refer to them."""
        return self._by_reference.get(reference)

    def entries(self, resource_type: str | None = None) -> Iterator[Entry]:
        """Every definition, of one type if asked."""
        for entries in self._by_url.values():
            for entry in entries:
                if resource_type is None or entry.head.resourceType == resource_type:
                    yield entry

    def urls(self, resource_type: str) -> Iterable[str]:
        """Addresses of one type of definition (for near-miss hints)."""
        return [e.head.url for e in self.entries(resource_type)]


def _decode(data: bytes) -> dict[str, Any]:
    value = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    return value if isinstance(value, dict) else {}
