"""LOINC and dm+d as they were imported."""

from __future__ import annotations

import re
from typing import Any

from mpftconnect.validation.terminology.code_systems import DMD, LOINC
from mpftconnect.validation.terminology.imported_index import Database, ImportedSystem

__all__ = ["DmdSystem", "LoincSystem"]

_LOINC_CODE = re.compile(r"(?P<prefix>L[PLAG])?(?P<number>[0-9]{1,8})-(?P<check>[0-9])", re.IGNORECASE)


class ListedSystem(ImportedSystem):
    """LOINC or dm+d: codes, names, properties and a hierarchy in tables."""

    def __init__(self, url: str, database: Database, *, case_sensitive: bool) -> None:
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

    def __init__(self, database: Database) -> None:
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

    def __init__(self, database: Database) -> None:
        super().__init__(DMD, database, case_sensitive=True)

    def _unknown(self, code: str) -> bool | None:
        if not (code.isascii() and code.isdigit() and len(code) <= 18):
            return False
        return False if {"vtm", "vmp", "vmpp", "amp", "ampp", "ingredient", "lookup"} <= self.covered else None
