"""Packs of definitions that installed distributions bring: found by entry point, read as data; none of their code runs.

A distribution names a pack in the entry-point group `mpftconnect.definitions`: the entry's name is the pack's, its value
the dotted path of a folder inside the distribution. The folder holds a FHIR package (`package.json`), or restated rules
(`pack.toml`, see `restated.py`).
"""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path

from mpftconnect.errors import PackageRefused
from mpftconnect.validation.definitions.restated import MANIFEST, Restated, read_restated

__all__ = ["GROUP", "hint_for", "installed_packs", "restated_pack"]

GROUP = "mpftconnect.definitions"
_DOTTED = re.compile(r"\w+(\.\w+)*")


@functools.cache
def installed_packs() -> Mapping[str, Path | None]:
    """Name of each pack to its folder; None for one whose folder is not there."""
    found: dict[str, Path | None] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        if found.get(point.name) is None:
            found[point.name] = _folder(point.value)
    return found


def _folder(value: str) -> Path | None:
    if _DOTTED.fullmatch(value) is None:
        return None
    top, *rest = value.split(".")
    spec = importlib.util.find_spec(top)  # of a name without points this imports nothing
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place, *rest)
        if folder.is_dir():
            return folder
    return None


def restated_pack(name: str) -> Restated | None:
    """The restated rules of that name, if they are installed.

    Raises:
        PackageRefused: They are installed, and cannot be used.
    """
    folder = installed_packs().get(name)
    if folder is None or not (folder / MANIFEST).is_file():
        return None
    pack = _read(folder)
    if pack.name != name:
        raise PackageRefused(f"pack {name} calls itself {pack.name}")
    return pack


@functools.cache
def _read(folder: Path) -> Restated:
    return read_restated(folder)


def hint_for(canonical: str) -> str:
    """How to have a definition that is not loaded: its own package, or rules of ours that restate it; else nothing."""
    address = canonical.partition("|")[0]
    for name, folder in installed_packs().items():
        if folder is None or not (folder / MANIFEST).is_file():
            continue
        try:
            pack = restated_pack(name)
        except PackageRefused:
            continue
        if pack is None or address not in pack.stands_for:
            continue
        install = " or ".join(f"mpftconnect packages install {package}" for package in pack.instead_of)
        version = pack.stands_for[address].version
        return f"; get what defines it ({install}), or judge by restated rules of {version} (--package {name})"
    return ""
