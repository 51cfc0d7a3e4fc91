"""Code systems that the user imported: asked in SQLite, three-valued like every other.

An index answers "no" only where it could have said "yes". A SNOMED CT identifier of a namespace whose module is not in
the imported edition is undecided (the UK drug extension, where only the International edition was imported); so is
every "no" of an import of which rows could not be read.
"""

from __future__ import annotations

import functools
import re
import sqlite3
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpftconnect.errors import ConfigurationError
from mpftconnect.validation.terminology.code_systems import DMD, LOINC, SNOMED, CodeSystem
from mpftconnect.validation.terminology.ecl import Node, NotParsed, judge, parse_ecl
from mpftconnect.validation.terminology.releases.index import FORMAT
from mpftconnect.validation.terminology.releases.place import default_store
from mpftconnect.validation.terminology.releases.sctid import is_concept_id, namespace_of

__all__ = ["About", "ImportedSystem", "TerminologyStore"]

_REMEMBERED = 16_384
# Namespace of identifiers -> module in which its concepts are published (SNOMED International namespace registry).
_HOME = {"": 900000000000207008, "1000000": 999000011000000103, "1000001": 999000011000001104}
_MODULES = {"": "International", "1000000": "UK Clinical", "1000001": "UK Drug"}
_SNOMED_VERSION = re.compile(r"http://snomed\.info/x?sct/(?P<module>[0-9]{6,18})(?:/version/(?P<date>[0-9]{8}))?")
_LOINC_CODE = re.compile(r"(?P<prefix>L[PLAG])?(?P<number>[0-9]{1,8})-(?P<check>[0-9])", re.IGNORECASE)


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


class _Database:
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

    def __init__(self, url: str, database: _Database, *, case_sensitive: bool = True) -> None:
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


class SnomedSystem(ImportedSystem):
    """SNOMED CT from RF2."""

    def __init__(self, database: _Database) -> None:
        super().__init__(SNOMED, database)
        self.modules = {row[0]: str(row[1]) for row in database.rows("SELECT id, effective FROM module")}
        self._namespaces = {"" if n == "-" else n for n in database.meta["namespaces"].split()}
        self._refsets = dict(database.rows("SELECT id, members FROM refset"))
        self._parsed = functools.lru_cache(4096)(_parsed)

    def covers(self, code: str) -> bool:
        """Whether concepts of an identifier's namespace are in the imported edition."""
        namespace = namespace_of(code)
        home = _HOME.get(namespace)
        return home in self.modules if home is not None else namespace in self._namespaces

    def missing(self, code: str) -> str:
        if is_concept_id(code) and not self.covers(code):
            namespace = namespace_of(code)
            name = _MODULES.get(namespace) or f"the extension of namespace {namespace}"
            return f"the imported SNOMED CT ({self.about.edition}, {self.version}) is without {name}"
        return super().missing(code)

    def _find(self, code: str) -> bool | None:
        if not is_concept_id(code):
            return None
        rows = self._database.rows("SELECT active FROM concept WHERE id = ?", int(code))
        return bool(rows[0][0]) if rows else None

    def _unknown(self, code: str) -> bool | None:
        if is_concept_id(code):
            return False if self.covers(code) else None
        if code.isascii() and code.isdigit():
            return False
        return None if code[:1].isdigit() and re.search(r"[|:+]", code) else False

    def _find_names(self, code: str) -> tuple[str, ...]:
        if not is_concept_id(code):
            return ()
        rows = self._database.rows("SELECT term FROM name WHERE concept = ? ORDER BY place", int(code))
        return tuple(row[0] for row in rows)

    def _find_above(self, code: str) -> frozenset[Any]:
        if not is_concept_id(code):
            return frozenset()
        # UNION keeps each once, so that a hierarchy in a circle ends.
        rows = self._database.rows(
            "WITH RECURSIVE above (id) AS (SELECT parent FROM parent WHERE child = ? UNION "
            "SELECT parent.parent FROM above JOIN parent ON parent.child = above.id) SELECT id FROM above",
            int(code),
        )
        return frozenset(row[0] for row in rows)

    @staticmethod
    def _key(code: str) -> Any:
        return int(code) if is_concept_id(code) else None

    def child(self, code: str, parent: str) -> bool | None:
        """Whether a code stands directly under another."""
        if is_concept_id(code) and is_concept_id(parent):
            found = self._database.rows("SELECT 1 FROM parent WHERE child = ? AND parent = ?", int(code), int(parent))
            if found:
                return True
        return None if self.has(code) is None or self.has(parent) is not True or self.about.malformed else False

    def member(self, code: str, refset: str) -> bool | None:
        """Whether a code is a member of a simple reference set; None if the edition has no such set."""
        if not is_concept_id(refset) or int(refset) not in self._refsets:
            return None
        if is_concept_id(code) and self._database.rows(
            "SELECT 1 FROM refset_member WHERE concept = ? AND refset = ?", int(code), int(refset)
        ):
            return True
        return None if self.has(code) is None or self.about.malformed else False

    def expression(self, text: str) -> Node | None:
        """An expression constraint, read once; None if it is not understood."""
        parsed = self._parsed(text)
        return parsed if isinstance(parsed, Node) else None

    def reason(self, filter_value: str) -> str:
        parsed = self._parsed(filter_value)
        return parsed if isinstance(parsed, str) else "a concept or reference set of the filter is not in the edition"

    def of_version(self, version: str) -> bool:
        # `http://snomed.info/sct/MODULE/version/YYYYMMDD`, of which the date may be absent (FHIR R4 4.3.1.0.2).
        match = _SNOMED_VERSION.fullmatch(version)
        if match is None:
            return False
        return int(match["module"]) in self.modules and match["date"] in (None, self.version)

    def fits(self, text: str, code: str) -> bool | None:
        """Whether a code fits an expression constraint."""
        node = self.expression(text)
        return None if node is None else judge(node, code, self)

    def _passes(self, prop: str, op: str, value: str, code: str) -> bool | None:
        # FHIR R4 "Using SNOMED CT with FHIR" (4.3.1.0.5): filters of concept, constraint, and attributes.
        if prop in ("concept", "code") and op in ("in", "not-in"):
            inside = self.member(code, value) if value.isdigit() else self._of_text(value, code)
            return None if inside is None else inside if op == "in" else not inside
        if prop in ("concept", "code") and op == "=":
            return code == value if value.isdigit() else self.fits(value, code)
        if prop == "constraint" and op in ("=", "in"):
            return self.fits(value, code)
        if prop == "parent" and op == "=":
            return self.child(code, value)
        if prop == "inactive" and op == "=":
            return (self._lookup(code) is False) == (value == "true")
        if prop == "moduleId" and op == "=":
            rows = self._database.rows("SELECT module FROM concept WHERE id = ?", int(code))
            return bool(rows) and str(rows[0][0]) == value
        return None

    def _of_text(self, value: str, code: str) -> bool | None:
        """`in` with an expression in place of an identifier, as published sets have it, or with a list of codes."""
        if re.fullmatch(r"[0-9]+(\s*,\s*[0-9]+)+", value):
            return code in [part.strip() for part in value.split(",")]
        return self.fits(value, code)


def _parsed(text: str) -> Node | str:
    try:
        return parse_ecl(text)
    except NotParsed as error:
        return str(error)


class ListedSystem(ImportedSystem):
    """LOINC or dm+d: codes, names, properties and a hierarchy in tables."""

    def __init__(self, url: str, database: _Database, *, case_sensitive: bool) -> None:
        super().__init__(url, database, case_sensitive=case_sensitive)
        self.covered = set(database.meta.get("covered", "").split())

    def _code(self, code: str) -> str:
        return code if self.case_sensitive else code.upper()

    def _find(self, code: str) -> bool | None:
        rows = self._database.rows("SELECT active FROM concept WHERE code = ?", self._code(code))
        return bool(rows[0][0]) if rows else None

    def _find_names(self, code: str) -> tuple[str, ...]:
        code = self._code(code)
        rows = self._database.rows("SELECT display FROM concept WHERE code = ? AND display <> ''", code)
        rows += self._database.rows("SELECT term FROM name WHERE code = ?", code)
        return tuple(row[0] for row in rows)

    def _find_above(self, code: str) -> frozenset[Any]:
        rows = self._database.rows(
            "WITH RECURSIVE above (code) AS (SELECT parent FROM parent WHERE child = ? UNION "
            "SELECT parent.parent FROM above JOIN parent ON parent.child = above.code) SELECT code FROM above",
            self._code(code),
        )
        return frozenset(row[0] for row in rows)

    def _values(self, prop: str, code: str) -> list[str]:
        rows = self._database.rows("SELECT value FROM property WHERE code = ? AND name = ?", self._code(code), prop)
        return [row[0] for row in rows]

    def _passes(self, prop: str, op: str, value: str, code: str) -> bool | None:
        if prop in ("concept", "code"):
            if op == "=":
                return self._code(code) == self._code(value)
            if op in ("in", "not-in"):
                inside = self._code(code) in [self._code(part.strip()) for part in value.split(",")]
                return inside if op == "in" else not inside
            return None
        return self._has_property(prop, op, value, code)

    def _has_property(self, prop: str, op: str, value: str, code: str) -> bool | None:
        held = {text.lower() for text in self._values(prop, code)}
        wanted = {part.strip().lower() for part in value.split(",")} if op in ("in", "not-in") else {value.lower()}
        if op == "exists":
            return bool(held) == (value == "true")
        if op not in ("=", "in", "not-in"):
            return None
        return held.isdisjoint(wanted) if op == "not-in" else not held.isdisjoint(wanted)


class LoincSystem(ListedSystem):
    """LOINC. Codes are not case-sensitive; parts and answers are known only if their files were in the release."""

    def __init__(self, database: _Database) -> None:
        super().__init__(LOINC, database, case_sensitive=False)

    def _unknown(self, code: str) -> bool | None:
        match = _LOINC_CODE.fullmatch(code)
        if match is None:
            return False
        prefix = (match["prefix"] or "").upper()
        return False if not prefix or prefix in self.covered else None

    def under(self, code: str, ancestor: str) -> bool | None:
        found = super().under(code, ancestor)
        return None if found is False and "hierarchy" not in self.covered else found

    def _has_property(self, prop: str, op: str, value: str, code: str) -> bool | None:
        if prop in ("parent", "ancestor") and op == "=":
            if prop == "ancestor":
                return self.under(code, value)
            if "hierarchy" not in self.covered:
                return None
            return bool(
                self._database.rows(
                    "SELECT 1 FROM parent WHERE child = ? AND parent = ?", self._code(code), self._code(value)
                )
            )
        if value.upper().startswith("LP"):  # by the part's number; the table has the part's name
            names = self._names(self._code(value))
            if not names or op != "=":
                return None
            return any(super(LoincSystem, self)._has_property(prop, op, name, code) for name in names)
        return super()._has_property(prop, op, value, code)


class DmdSystem(ListedSystem):
    """dm+d. A kind of product whose file was not in the release is not known to be absent."""

    def __init__(self, database: _Database) -> None:
        super().__init__(DMD, database, case_sensitive=True)

    def _unknown(self, code: str) -> bool | None:
        if not (code.isascii() and code.isdigit() and len(code) <= 18):
            return False
        return False if {"vtm", "vmp", "vmpp", "amp", "ampp", "ingredient", "lookup"} <= self.covered else None


_SYSTEMS: dict[str, tuple[str, Callable[[_Database], ImportedSystem]]] = {
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


def _opened(path: Path) -> _Database:
    try:
        database = _Database(path)
    except sqlite3.Error:
        raise ConfigurationError([f"terminology store: {path.name} cannot be opened; import it again"]) from None
    if database.meta.get("format") != FORMAT:
        raise ConfigurationError(
            [f"terminology store: {path.name} was made by another version of this program; import it again"]
        )
    return database
