"""What is known of a code system: its codes, their displays and hierarchy, or a grammar in their place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.definitions.store import Definitions
from mpftconnect.validation.lists import listed as items_of
from mpftconnect.validation.shown import address_shown
from mpftconnect.validation.terminology.iso_codes import COUNTRIES, CURRENCIES
from mpftconnect.validation.terminology.ucum import read_unit

if TYPE_CHECKING:
    from mpftconnect.validation.terminology.imported import TerminologyStore

__all__ = ["DMD", "LOINC", "SNOMED", "UCUM", "CodeSystem", "CodeSystems", "not_loaded"]

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
DMD = "https://dmd.nhs.uk"
UCUM = "http://unitsofmeasure.org"
# RFC 5646 section 2.1, well-formed tags: language, script, region, variants, extensions, private use.
_BCP_47 = re.compile(
    r"(?:[A-Za-z]{2,3}(?:-[A-Za-z]{3}){0,3}|[A-Za-z]{4,8})(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*(?:-[0-9A-WY-Za-wy-z](?:-[A-Za-z0-9]{2,8})+)*(?:-x(?:-[A-Za-z0-9]{1,8})+)?"
    r"|x(?:-[A-Za-z0-9]{1,8})+"
)
# RFC 6838 section 4.2 and RFC 2045 section 5.1: type/subtype and parameters.
_MIME = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9*][A-Za-z0-9!#$&^_.+-]{0,126}(?:\s*;\s*[A-Za-z0-9!#$&^_.+-]+=(?:\"[^\"]*\"|[^\s;\"]+))*"
)

_GRAMMARS: dict[str, Callable[[str], bool | None]] = {
    UCUM: lambda code: _ucum(code),
    "urn:ietf:bcp:47": lambda code: _BCP_47.fullmatch(code) is not None,
    "urn:ietf:bcp:13": lambda code: _MIME.fullmatch(code) is not None,
    "urn:ietf:rfc:3986": lambda code: bool(code) and not any(c.isspace() for c in code),
    "urn:iso:std:iso:4217": lambda code: code in CURRENCIES,
    # Alpha-3 and numeric codes are of the same system; only alpha-2 is known here, so others are not judged.
    "urn:iso:std:iso:3166": lambda code: code in COUNTRIES if len(code) == 2 else None,
}

_LICENSED = {SNOMED: "SNOMED CT (RF2)", LOINC: "LOINC", DMD: "dm+d"}


def not_loaded(url: str) -> str:
    """That a code system is not here, and how to get it where it is one that is never shipped."""
    reason = f"code system {address_shown(url)} is not loaded"
    if url in _LICENSED:
        reason += f"; import your own {_LICENSED[url]} release: mpftconnect packages import-terminology FILE"
    return reason


def _ucum(code: str) -> bool | None:
    unit = read_unit(code)
    return unit is not None and (True if unit.known else None)


class CodeSystem:
    """A code system with a list of codes, or a grammar."""

    # Whether it is the user's import (`imported.py`), which is asked instead of loaded.
    imported = False

    def __init__(
        self, url: str, definition: Mapping[str, Any] | None, grammar: Callable[[str], bool | None] | None
    ) -> None:
        self.url = url
        self.grammar = grammar
        self.complete = (
            definition is not None and definition.get("content", "complete") == "complete" and "concept" in definition
        )
        self.case_sensitive = definition is None or definition.get("caseSensitive", True) is not False
        self.displays: dict[str, set[str]] = {}
        self.preferred: dict[str, str] = {}
        self.parents: dict[str, list[str]] = {}
        self.properties: dict[str, list[tuple[str, Any]]] = {}
        self.value_set = definition.get("valueSet") if definition is not None else None
        if definition is not None:
            self._read(definition.get("concept"), None)

    def _read(self, concepts: Any, parent: str | None) -> None:
        stack: list[tuple[Any, str | None]] = [(concepts, parent)]
        while stack:
            listed, above = stack.pop()
            for concept in listed if isinstance(listed, list) else ():
                if not isinstance(concept, Mapping) or not isinstance(concept.get("code"), str):
                    continue
                code = concept["code"]
                display = concept.get("display")
                names = self.displays.setdefault(code, set())
                if isinstance(display, str):
                    names.add(display)
                    self.preferred.setdefault(code, display)
                for designation in items_of(concept.get("designation")):
                    if isinstance(designation, Mapping) and isinstance(designation.get("value"), str):
                        names.add(designation["value"])
                if above is not None:
                    self.parents.setdefault(code, []).append(above)
                for entry in items_of(concept.get("property")):
                    if isinstance(entry, Mapping):
                        self._property(code, entry)
                stack.append((concept.get("concept"), code))

    def _property(self, code: str, entry: Mapping[str, Any]) -> None:
        name = entry.get("code")
        value = next((v for k, v in entry.items() if k.startswith("value")), None)
        if not isinstance(name, str):
            return
        self.properties.setdefault(code, []).append((name, value))
        if name in ("parent", "subsumedBy") and isinstance(value, str):
            self.parents.setdefault(code, []).append(value)
        elif name == "child" and isinstance(value, str):
            self.parents.setdefault(value, []).append(code)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of any code: a system that is named and not published."""
        return not (self.displays or self.complete or self.grammar is not None)

    def has(self, code: str) -> bool | None:
        """Whether a code exists; None where that cannot be said."""
        if code in self.displays:
            return True
        if not self.case_sensitive and any(code.lower() == known.lower() for known in self.displays):
            return True
        if self.grammar is not None:
            return self.grammar(code)
        return False if self.complete else None

    def missing(self, code: str) -> str:
        """Why it cannot be said whether a code exists."""
        return f"code system {self.url} is not loaded in full"

    # What only an import can say; asked of nothing else (`imported`).

    def of_version(self, version: str) -> bool:
        """Whether a stated version is that of the system."""
        return True

    def active(self, code: str) -> bool | None:
        """Whether a code is active."""
        return None

    def names(self, code: str) -> tuple[str, ...]:
        """The displays of a code, the preferred first."""
        return ()

    def passes(self, prop: str, op: str, value: str, code: str) -> bool | None:
        """Whether a code passes a value set's filter."""
        return None

    def reason(self, filter_value: str) -> str:
        """Why a filter cannot be computed."""
        return ""

    def ancestors(self, code: str) -> Iterator[str]:
        """All codes above one, nearest first; safe where a hierarchy runs in a circle."""
        seen = {code}
        queue = list(self.parents.get(code, ()))
        while queue:
            above = queue.pop(0)
            if above not in seen:
                seen.add(above)
                yield above
                queue.extend(self.parents.get(above, ()))

    def is_a(self, code: str, ancestor: str) -> bool:
        """Whether a code is another, or under it."""
        return code == ancestor or ancestor in self.ancestors(code)


class CodeSystems:
    """Code systems by address, read once."""

    def __init__(self, definitions: Definitions, store: TerminologyStore | None = None) -> None:
        self._definitions = definitions
        self._store = store
        self._read: dict[str, CodeSystem | None] = {}

    def find(self, url: str) -> CodeSystem | None:
        """A code system; None if nothing is known of it."""
        if url in self._read:
            return self._read[url]
        imported = self._store.find(url) if self._store is not None else None
        if imported is not None:
            self._read[url] = imported
            return imported
        entry = self._definitions.find(url, "CodeSystem")
        grammar = _GRAMMARS.get(url)
        definition = entry.resource if entry else None
        found = CodeSystem(url, definition, grammar) if definition is not None or grammar is not None else None
        if found is not None and definition is not None and definition.get("content") == "supplement":
            found = None
        self._read[url] = found
        return found
