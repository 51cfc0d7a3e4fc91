"""The standard's tables: what a version has of structures, segments, types and coded values (decision 0022).

They are compiled from hl7apy's (MIT; see NOTICE) by `make_tables`, and lie beside this file, one small pack a version.
They are data: reading them executes nothing.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["VERSIONS", "Child", "Group", "Part", "Tables", "tables_of"]

VERSIONS = ("2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8", "2.8.1", "2.8.2")
# Versions of which hl7apy has no tables, judged by those of the version that they amend.
NEIGHBOURS = {"2.7.1": "2.7"}


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A field of a segment or a component of a type: its type, how often, its table, its name."""

    type: str | None
    least: int
    most: int  # -1: any number
    table: str | None
    name: str


class Child(msgspec.Struct, frozen=True, array_like=True):
    """A segment or group within a structure."""

    name: str
    is_group: bool
    least: int
    most: int


class Group(msgspec.Struct, frozen=True, array_like=True):
    """A group or a whole structure: its children in order, or one of them."""

    is_choice: bool
    children: tuple[Child, ...]


class Tables(msgspec.Struct, frozen=True):
    """One version of HL7 v2."""

    version: str
    structures: dict[str, Group]
    groups: dict[str, Group]
    segments: dict[str, tuple[Part, ...]]
    types: dict[str, tuple[Part, ...]]
    tables: dict[str, frozenset[str]]


@lru_cache(maxsize=len(VERSIONS))
def tables_of(version: str) -> Tables:
    """The tables of a version, read once.

    >>> tables_of("2.4").segments["PID"][2].type
    'CX'
    """
    data = (Path(__file__).parent / f"v{version.replace('.', '_')}.pack").read_bytes()
    return msgspec.json.decode(zlib.decompress(data), type=Tables)


def write_tables(tables: dict[str, Any], path: Path) -> None:
    """Write one version's pack: the same bytes for the same tables."""
    path.write_bytes(zlib.compress(msgspec.json.encode(tables, order="deterministic"), 9))
