"""A release file into the local index, whatever of the three it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mpftconnect.errors import PackageRefused, UsageError
from mpftconnect.validation.terminology.releases.dmd import import_dmd, is_dmd
from mpftconnect.validation.terminology.releases.files import open_release
from mpftconnect.validation.terminology.releases.index import Building, building
from mpftconnect.validation.terminology.releases.loinc import import_loinc, is_loinc
from mpftconnect.validation.terminology.releases.place import default_store
from mpftconnect.validation.terminology.releases.rf2 import import_rf2, is_rf2

__all__ = ["Imported", "import_release"]

_KINDS: dict[str, tuple[Callable[..., bool], Callable[[Sequence[Path], Building], None]]] = {
    "snomed": (is_rf2, import_rf2),
    "dmd": (is_dmd, import_dmd),
    "loinc": (is_loinc, import_loinc),
}


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import made: the index, and rows that could not be read (file, line, what was expected)."""

    kind: str
    index: Path
    version: str
    edition: str
    concepts: int
    malformed: int
    problems: tuple[str, ...]


def import_release(
    paths: Sequence[Path], *, store: Path | None = None, tell: Callable[[str], None] = lambda text: None
) -> Imported:
    """Index the user's own licensed release: SNOMED CT RF2, dm+d XML, or LOINC.

    Args:
        paths: Zip archives or folders. International and extension releases of SNOMED CT are given together.
        store: Folder of the indexes; the user's data folder unless given.
        tell: Called with a line for each step and each row that cannot be read.
    Raises:
        UsageError: The files are of more than one code system.
        PackageNotFound: A file is not there.
        PackageRefused: A file is none of the three, broken or hostile. The former index stays as it was.
        ConfigurationError: The store cannot be written, or another import is under way.
    """
    kinds = {_kind_of(path) for path in paths}
    if len(kinds) != 1:
        raise UsageError("import the releases of one code system at a time")
    kind = kinds.pop()
    folder = store or default_store()
    with building(folder, kind, tell) as build:
        _KINDS[kind][1](paths, build)
        meta = dict(build.final.execute("SELECT key, value FROM meta"))
    return Imported(
        kind,
        folder / f"{kind}.sqlite",
        meta["version"],
        meta["edition"],
        int(meta["concepts"]),
        build.problems.count,
        tuple(build.problems.first),
    )


def _kind_of(path: Path) -> str:
    with open_release(path) as release:
        for kind, (is_kind, _) in _KINDS.items():
            if is_kind(release):
                return kind
    raise PackageRefused(f"{path.name}: neither SNOMED CT RF2, nor dm+d XML, nor LOINC")
