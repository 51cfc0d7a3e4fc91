"""Reads a pack's TOML and says everything that is wrong with it at once: a requirement with a blank is a mistake."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from mpftconnect.conformance.requirement import (
    Effect,
    Erratum,
    Level,
    Pack,
    Preset,
    Requirement,
    RequirementSource,
    Severity,
    Standard,
    VerifiedBy,
)
from mpftconnect.errors import ConfigurationError

__all__ = ["FORMAT_VERSION", "read_pack"]

FORMAT_VERSION = 1

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9.]+)*")
_REVISION = re.compile(r"\d{4}\.\d{2}\.\d{2}(\.\d+)?")
_PACK = {
    *("version", "name", "title", "revision", "summary", "standard", "requirement", "preset", "erratum"),
    "decides_standard",
}
_REQUIREMENT = {
    *("id", "ref", "level", "severity", "title", "text", "source", "hazard", "verified_by", "needs", "actors"),
    *("not_tested_because", "limits", "advisory", "group", "due", "due_note"),
}
_SOURCE = {"document", "section", "date", "url", "note"}
_STANDARD = {"title", "publisher", "version", "date", "url"}
_PRESET = {"name", "title", "requirements"}
_ERRATUM = {"id", "requirement", "revisions", "date", "text", "effect"}

Choice = TypeVar("Choice", bound=StrEnum)


def read_pack(path: Path, *, expected_name: str | None = None) -> Pack:
    """The pack in that file.

    Args:
        expected_name: The name under which it is registered.
    Raises:
        ConfigurationError: Every mistake, each with file, place and what is expected.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError([f"{path.name}: cannot be read ({type(error).__name__})"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{path.name}: is not TOML: {error}"]) from None
    reader = _Reader(path.name)
    pack = reader.pack(table, expected_name)
    if pack is None or reader.problems:
        raise ConfigurationError(reader.problems)
    return pack


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[str] = []

    def say(self, place: str, expected: str) -> None:
        self.problems.append(f"{self.file}: {place}: {expected}")

    def pack(self, table: Mapping[str, Any], expected_name: str | None) -> Pack | None:
        if table.get("version") != FORMAT_VERSION:
            self.say("version", f"expected {FORMAT_VERSION}, the version of this format")
        self.known(table, _PACK, "")
        name = self.text(table, "name", "")
        if name and not _NAME.fullmatch(name):
            self.say("name", "expected lower-case letters, digits and hyphens, such as uk-core-r4")
        if expected_name is not None and name != expected_name:
            self.say("name", f"expected {expected_name}, under which it is registered")
        revision = self.text(table, "revision", "")
        if revision and not _REVISION.fullmatch(revision):
            self.say("revision", "expected the date of the pack, such as 2026.11.25")
        standard = self.table(table, "standard", "")
        self.known(standard, _STANDARD, "standard.")
        requirements = self.requirements(self.tables(table, "requirement"), name)
        known = {r.id for r in requirements}
        made = Pack(
            name=name,
            title=self.text(table, "title", ""),
            revision=revision,
            summary=self.text(table, "summary", ""),
            standard=Standard(
                title=self.text(standard, "title", "standard."),
                publisher=self.text(standard, "publisher", "standard."),
                version=self.text(standard, "version", "standard."),
                date=self.day(standard, "date", "standard."),
                url=self.text(standard, "url", "standard.", needed=False),
            ),
            requirements=requirements,
            presets=tuple(self.preset(row, place, requirements) for place, row in self.tables(table, "preset")),
            errata=tuple(self.erratum(row, place, name, known) for place, row in self.tables(table, "erratum")),
            decides_standard=self.flag(table, "decides_standard", "", default=True),
        )
        if not requirements:
            self.say("requirement", "expected at least one [[requirement]]")
        return made

    def requirements(self, rows: Iterable[tuple[str, Mapping[str, Any]]], pack: str) -> tuple[Requirement, ...]:
        made = []
        ids: dict[str, str] = {}
        for place, row in rows:
            requirement = self.requirement(row, place, pack)
            for kind, name in (("id", requirement.id), ("ref", requirement.ref)):
                if name and name in ids:
                    self.say(f"{place}{kind}", f"{name} is taken by {ids[name].rstrip('.')}: ids are permanent")
                ids[name] = place
            made.append(requirement)
        return tuple(made)

    def requirement(self, row: Mapping[str, Any], place: str, pack: str) -> Requirement:
        self.known(row, _REQUIREMENT, place)
        number = row.get("id")
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            self.say(f"{place}id", "expected a whole number from 1, which is never used again")
        source = self.table(row, "source", place)
        self.known(source, _SOURCE, f"{place}source.")
        verified_by = self.choice(row, "verified_by", place, VerifiedBy)
        because = self.text(row, "not_tested_because", place, needed=verified_by is VerifiedBy.UNTESTABLE)
        if because and verified_by not in (VerifiedBy.UNTESTABLE, VerifiedBy.RECORDED):
            self.say(f"{place}not_tested_because", "is for what is untestable or recorded; expected limits here")
        return Requirement(
            id=f"{pack}#{number}",
            pack=pack,
            ref=self.text(row, "ref", place),
            level=self.choice(row, "level", place, Level),
            severity=self.choice(row, "severity", place, Severity),
            title=self.text(row, "title", place),
            text=self.text(row, "text", place),
            source=RequirementSource(
                document=self.text(source, "document", f"{place}source."),
                section=self.text(source, "section", f"{place}source."),
                date=self.day(source, "date", f"{place}source."),
                url=self.text(source, "url", f"{place}source.", needed=False),
                note=self.text(source, "note", f"{place}source.", needed=False),
            ),
            hazard=self.text(row, "hazard", place),
            verified_by=verified_by,
            needs=self.texts(row, "needs", place),
            actors=self.texts(row, "actors", place),
            not_tested_because=because,
            limits=self.text(row, "limits", place, needed=verified_by is VerifiedBy.SAMPLE),
            advisory=self.flag(row, "advisory", place),
            group=self.text(row, "group", place, needed=False),
            due=self.day(row, "due", place) if "due" in row else "",
            due_note=self.text(row, "due_note", place, needed="due" in row),
        )

    def preset(self, row: Mapping[str, Any], place: str, requirements: tuple[Requirement, ...]) -> Preset:
        self.known(row, _PRESET, place)
        by_ref = {r.ref: r.id for r in requirements}
        wanted = self.texts(row, "requirements", place, needed=True)
        for ref in wanted:
            if ref != "all" and ref not in by_ref:
                self.say(f"{place}requirements", f"{ref} is the reference of no requirement of this pack")
        ids = tuple(by_ref.values()) if "all" in wanted else tuple(by_ref[ref] for ref in wanted if ref in by_ref)
        return Preset(name=self.text(row, "name", place), title=self.text(row, "title", place), requirements=ids)

    def erratum(self, row: Mapping[str, Any], place: str, pack: str, known: set[str]) -> Erratum:
        self.known(row, _ERRATUM, place)
        requirement = f"{pack}#{row.get('requirement')}"
        if requirement not in known:
            self.say(f"{place}requirement", "expected the number of a requirement of this pack")
        return Erratum(
            id=self.text(row, "id", place),
            requirement=requirement,
            revisions=self.texts(row, "revisions", place, needed=True),
            date=self.day(row, "date", place),
            text=self.text(row, "text", place),
            effect=self.choice(row, "effect", place, Effect),
        )

    # Single values

    def known(self, row: Mapping[str, Any], names: set[str], place: str) -> None:
        for name in row:
            if name not in names:
                self.say(f"{place}{name}", f"no such key (known: {', '.join(sorted(names))})")

    def tables(self, row: Mapping[str, Any], name: str) -> list[tuple[str, Mapping[str, Any]]]:
        given = row.get(name, [])
        if not isinstance(given, list) or not all(isinstance(each, Mapping) for each in given):
            self.say(name, f"expected tables: [[{name}]]")
            return []
        return [(f"{name}[{index}].", each) for index, each in enumerate(given)]

    def table(self, row: Mapping[str, Any], name: str, place: str) -> Mapping[str, Any]:
        given = row.get(name)
        if isinstance(given, Mapping):
            return given
        self.say(f"{place}{name}", "expected a table")
        return {}

    def text(self, row: Mapping[str, Any], name: str, place: str, *, needed: bool = True) -> str:
        given = row.get(name)
        if given is None and not needed:
            return ""
        if not isinstance(given, str) or not given.strip():
            self.say(f"{place}{name}", "is blank; expected text")
            return ""
        return " ".join(given.split())

    def texts(self, row: Mapping[str, Any], name: str, place: str, *, needed: bool = False) -> tuple[str, ...]:
        given = row.get(name, [])
        if not isinstance(given, list) or not all(isinstance(each, str) and each for each in given):
            self.say(f"{place}{name}", "expected a list of texts")
            return ()
        if needed and not given:
            self.say(f"{place}{name}", "expected at least one")
        return tuple(given)

    def flag(self, row: Mapping[str, Any], name: str, place: str, *, default: bool = False) -> bool:
        given = row.get(name, default)
        if not isinstance(given, bool):
            self.say(f"{place}{name}", "expected true or false")
            return default
        return given

    def day(self, row: Mapping[str, Any], name: str, place: str) -> str:
        given = row.get(name)
        if isinstance(given, date):
            return given.isoformat()[:10]
        if isinstance(given, str) and re.fullmatch(r"\d{4}(-\d{2}(-\d{2})?)?", given):
            return given
        self.say(f"{place}{name}", "expected a date, such as 2026-02-24, 2026-02 or 2026")
        return ""

    def choice(self, row: Mapping[str, Any], name: str, place: str, kind: type[Choice]) -> Choice:
        given = row.get(name)
        for each in kind:
            if given == each.value:
                return each
        self.say(f"{place}{name}", f"expected one of {', '.join(kind)}")
        return next(iter(kind))
