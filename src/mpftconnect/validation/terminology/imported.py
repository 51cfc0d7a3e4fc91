"""Code systems that the user imported: asked in SQLite, three-valued like every other.

An index answers "no" only where it could have said "yes". A SNOMED CT identifier of a namespace whose module is not in
the imported edition is undecided (the UK drug extension, where only the International edition was imported); so is
every "no" of an import of which rows could not be read.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from mpftconnect.errors import ConfigurationError
from mpftconnect.validation.terminology.code_systems import DMD, LOINC, SNOMED
from mpftconnect.validation.terminology.imported_index import About, Database, ImportedSystem
from mpftconnect.validation.terminology.imported_lists import DmdSystem, LoincSystem
from mpftconnect.validation.terminology.imported_snomed import SnomedSystem
from mpftconnect.validation.terminology.releases.index import FORMAT
from mpftconnect.validation.terminology.releases.place import default_store

__all__ = ["About", "ImportedSystem", "TerminologyStore"]

_SYSTEMS: dict[str, tuple[str, Callable[[Database], ImportedSystem]]] = {
    SNOMED: ("snomed", SnomedSystem),
    LOINC: ("loinc", LoincSystem),
    DMD: ("dmd", DmdSystem),
}


class TerminologyStore:
    """The indexes of a folder, opened when first asked for. Immutable and thread-safe.

    Args:
        folder: Where `mpftconnect packages import-terminology` put them; the user's data folder unless given.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_store()
        self._lock = threading.Lock()
        self._open: dict[str, ImportedSystem | None] = {}

    def find(self, url: str) -> ImportedSystem | None:
        """An imported code system; None if it was not imported.

        Raises:
            ConfigurationError: The index is broken, or of another version of this program.
        """
        if url not in _SYSTEMS:
            return None
        with self._lock:
            if url not in self._open:
                name, make = _SYSTEMS[url]
                path = self.folder / f"{name}.sqlite"
                self._open[url] = make(_opened(path)) if path.is_file() else None
            return self._open[url]

    def about(self) -> list[About]:
        """What is imported."""
        return [found.about for url in _SYSTEMS if (found := self.find(url)) is not None]


def _opened(path: Path) -> Database:
    try:
        database = Database(path)
    except sqlite3.Error:
        raise ConfigurationError([f"terminology store: {path.name} cannot be opened; import it again"]) from None
    if database.meta.get("format") != FORMAT:
        raise ConfigurationError(
            [f"terminology store: {path.name} was made by another version of this program; import it again"]
        )
    return database
