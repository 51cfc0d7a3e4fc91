"""SNOMED CT as it was imported: codes by module, hierarchy, reference sets, expression constraints."""

from __future__ import annotations

import functools
import re
from typing import Any

from mpftconnect.validation.terminology.code_systems import SNOMED
from mpftconnect.validation.terminology.ecl import Node, NotParsed, judge, parse_ecl
from mpftconnect.validation.terminology.imported_index import Database, ImportedSystem
from mpftconnect.validation.terminology.releases.sctid import is_concept_id, namespace_of

__all__ = ["SnomedSystem"]

# Namespace of identifiers -> module in which its concepts are published (SNOMED International namespace registry).
_HOME = {"": 900000000000207008, "1000000": 999000011000000103, "1000001": 999000011000001104}
_MODULES = {"": "International", "1000000": "UK Clinical", "1000001": "UK Drug"}
_SNOMED_VERSION = re.compile(r"http://snomed\.info/x?sct/(?P<module>[0-9]{6,18})(?:/version/(?P<date>[0-9]{8}))?")


class SnomedSystem(ImportedSystem):
    """SNOMED CT from RF2."""

    def __init__(self, database: Database) -> None:
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
