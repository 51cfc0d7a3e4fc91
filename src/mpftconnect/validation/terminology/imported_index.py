"""One imported index, and what is asked of every code system that is in one."""

from __future__ import annotations

import functools
import sqlite3
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpftconnect.errors import ConfigurationError
from mpftconnect.validation.terminology.code_systems import CodeSystem

__all__ = ["About", "Database", "ImportedSystem"]

_REMEMBERED = 16_384


@dataclass(frozen=True, slots=True)
class About:
    """What an index holds: system, version, edition, concepts, rows that could not be read, day of the import."""

    system: str
    version: str
    edition: str
    concepts: int
    malformed: int
    imported: str
    file: Path


class Database:
    """One index, read only, shared between threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = sqlite3.connect(
            # Never changed in place, only replaced, so no lock files are needed: a read-only folder will do.
            f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )  # fmt: skip
        self._lock = threading.Lock()
        weakref.finalize(self, self._connection.close)
        self.meta: dict[str, str] = dict(self.rows("SELECT key, value FROM meta"))

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._connection.execute(query, values).fetchall()
        except UnicodeEncodeError:  # half a surrogate pair, which JSON can hold and no index does
            return []
        except sqlite3.Error as error:
            raise ConfigurationError(
                [f"terminology store: {self.path.name} cannot be read ({type(error).__name__}); import it again"]
            ) from None

    def about(self) -> About:
        meta = self.meta
        return About(
            meta["system"],
            meta["version"],
            meta["edition"],
            int(meta["concepts"]),
            int(meta["malformed"]),
            meta["imported"],
            self.path,
        )


class ImportedSystem(CodeSystem):
    """A code system whose codes are in an index.

    Has the questions of `CodeSystem`. Its `displays` stay empty, so that no near-miss is suggested: a number that is
    near another means something else.
    """

    imported = True

    def __init__(self, url: str, database: Database, *, case_sensitive: bool = True) -> None:
        super().__init__(url, None, None)
        self._database = database
        self.about = database.about()
        self.complete = True
        self.case_sensitive = case_sensitive
        self.version = self.about.version
        self._lookup = functools.lru_cache(_REMEMBERED)(self._find)
        self._names = functools.lru_cache(_REMEMBERED)(self._find_names)
        self._above = functools.lru_cache(_REMEMBERED)(self._find_above)

    def _find(self, code: str) -> bool | None:
        """True: active; False: inactive; None: not there."""
        raise NotImplementedError

    def _find_names(self, code: str) -> tuple[str, ...]:
        raise NotImplementedError

    def _find_above(self, code: str) -> frozenset[Any]:
        raise NotImplementedError

    def _unknown(self, code: str) -> bool | None:
        """False if a code that is not there is surely no code, None if it may be one."""
        raise NotImplementedError

    def has(self, code: str) -> bool | None:
        if self._lookup(code) is not None:
            return True
        verdict = self._unknown(code)
        return None if verdict is False and self.about.malformed else verdict

    def active(self, code: str) -> bool | None:
        """Whether a code is active; None where it is not known."""
        found = self._lookup(code)
        return found if found is not None else self.has(code)

    def names(self, code: str) -> tuple[str, ...]:
        return self._names(code)

    def of_version(self, version: str) -> bool:
        """Whether a version that a resource or value set states is the one that was imported."""
        return version == self.version

    def reason(self, filter_value: str) -> str:
        """Why a filter cannot be computed, if it is not the code that is in doubt."""
        return ""

    def missing(self, code: str) -> str:
        """Why it cannot be said whether a code exists."""
        if self.about.malformed:
            return f"{self.about.malformed} rows of the imported release could not be read"
        return f"the imported edition ({self.about.edition}, {self.version}) does not cover the code"

    def passes(self, prop: str, op: str, value: str, code: str) -> bool | None:
        """Whether a code passes a filter of a value set."""
        known = self.has(code)
        if known is not True:
            return known
        if prop in ("concept", "code") and op in ("is-a", "descendent-of", "is-not-a"):
            under = code == value or self.under(code, value)
            if op == "descendent-of":
                return False if code == value else under
            return under if op == "is-a" or under is None else not under
        return self._passes(prop, op, value, code)

    def _passes(self, prop: str, op: str, value: str, code: str) -> bool | None:
        raise NotImplementedError

    def under(self, code: str, ancestor: str) -> bool | None:
        """Whether a code is under another."""
        if self._key(ancestor) in self._above(code):
            return True
        return None if self.has(code) is None or self.has(ancestor) is not True or self.about.malformed else False

    @staticmethod
    def _key(code: str) -> Any:
        return code
