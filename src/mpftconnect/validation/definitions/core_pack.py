"""The pruned pack of a core package that the wheel carries: its form, and how it is read.

A pack is the formal part of a FHIR core package (no narrative, no prose but each rule's own sentence), in
compressed groups, so that one resource type costs one small group. Layout: the magic, the length of the
compressed index (4 bytes, big-endian), the index, then the groups. Integrity: the index holds each group's
CRC (zlib's own Adler checksum besides), and `make_core_pack.py` writes it from a pinned digest.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Sequence
from importlib import resources
from typing import Any

import msgspec

from mpftconnect.errors import PackageRefused
from mpftconnect.validation.definitions.packages import Head

__all__ = ["PACKS", "CorePack", "load_core_pack", "write_pack"]

# Package -> file of the wheel.
PACKS = {"hl7.fhir.r4.core": "r4core", "hl7.fhir.r3.core": "stu3core"}
MAGIC = b"MPFTPACK1\n"


class _Entry(msgspec.Struct, array_like=True, frozen=True):
    resource_type: str
    url: str
    version: str
    id: str
    type: str
    kind: str
    derivation: str
    name: str
    group: int
    place: int


class _Index(msgspec.Struct, frozen=True):
    package: dict[str, Any]
    groups: list[tuple[int, int]]
    entries: list[_Entry]


class CorePack:
    """A pack opened for reading; groups are decompressed when first needed."""

    def __init__(self, data: bytes) -> None:
        if not data.startswith(MAGIC):
            raise PackageRefused("the core pack is damaged: reinstall mpftconnect")
        start = len(MAGIC) + 4
        length = int.from_bytes(data[len(MAGIC) : start], "big")
        try:
            index = msgspec.json.decode(zlib.decompress(data[start : start + length]), type=_Index)
        except (zlib.error, msgspec.MsgspecError):
            raise PackageRefused("the core pack is damaged: reinstall mpftconnect") from None
        self._data = data
        self._offset = start + length
        self._groups = index.groups
        self._open: dict[int, list[dict[str, Any]]] = {}
        self.package = index.package
        self.entries = index.entries

    def heads(self) -> list[tuple[Head, tuple[int, int]]]:
        """What is in the pack, each with its place for `read`."""
        return [
            (
                Head(e.resource_type, e.id, e.url, e.version, e.type or None, e.kind, e.derivation, e.name),
                (e.group, e.place),
            )
            for e in self.entries
        ]

    def read(self, place: tuple[int, int]) -> dict[str, Any]:
        """One resource. It is shared: never change it."""
        group, index = place
        resources_ = self._open.get(group)
        if resources_ is None:
            offset, length = self._groups[group]
            begin = self._offset + offset
            resources_ = msgspec.json.decode(zlib.decompress(self._data[begin : begin + length]))
            self._open[group] = resources_
        return resources_[index]


@functools.lru_cache(maxsize=4)
def load_core_pack(name: str = "r4core") -> CorePack:
    """A pack of the wheel."""
    file = resources.files("mpftconnect.validation.definitions") / "data" / f"{name}.pack"
    return CorePack(file.read_bytes())


def write_pack(package: dict[str, Any], groups: Sequence[Sequence[dict[str, Any]]]) -> bytes:
    """The bytes of a pack; the same input gives the same bytes."""
    blobs: list[bytes] = []
    places: list[tuple[int, int]] = []
    entries: list[_Entry] = []
    offset = 0
    for number, group in enumerate(groups):
        blob = zlib.compress(msgspec.json.encode(list(group)), 9)
        blobs.append(blob)
        places.append((offset, len(blob)))
        offset += len(blob)
        entries.extend(
            _Entry(
                resource["resourceType"],
                resource.get("url", ""),
                resource.get("version", ""),
                resource.get("id", ""),
                resource.get("type", "") if isinstance(resource.get("type"), str) else "",
                resource.get("kind", ""),
                resource.get("derivation", ""),
                resource.get("name", ""),
                number,
                place,
            )
            for place, resource in enumerate(group)
        )
    index = zlib.compress(msgspec.json.encode(_Index(package, places, entries)), 9)
    return MAGIC + len(index).to_bytes(4, "big") + index + b"".join(blobs)
