"""Profiles: the standard, the UK overlay, and what a site's file adds. A profile is TOML: nothing in it is executed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from mpftconnect.errors import ConfigurationError, UsageError
from mpftconnect.hl7v2.fields import Compiled, FieldRule
from mpftconnect.hl7v2.findings import CODES, Severity
from mpftconnect.hl7v2.tables import NEIGHBOURS, VERSIONS, tables_of
from mpftconnect.hl7v2.uk import UK_AS_TEXT, UK_TABLES

__all__ = ["STANDARD_PROFILE", "UK_PROFILE", "Lowered", "Profile", "profile_of", "read_overlay"]

_RANK = {"information": 0, "warning": 1, "error": 2}
_LARGEST = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Lowered:
    """A finding that a site judges less hard, and why. `location` is a path without numbers of segments, or ""."""

    code: str
    severity: Severity
    reason: str
    location: str = ""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What messages are judged by, beside the standard.

    Args:
        name: As findings name it.
        uk: Whether the UK overlay holds; None: for messages that say that they are British.
        version: What a message without MSH-12 is judged as.
        z_segments: The Z-segments that may come; None: any.
        segments: Whether a segment is required, against its structure.
        fields: By segment and field number.
        tables: Codes by table number or name; those of a table of HL7 replace it.
        lowered: Findings that are judged less hard.
    """

    name: str = "standard"
    uk: bool | None = None
    version: str = "2.4"
    z_segments: frozenset[str] | None = None
    segments: Mapping[str, bool] = field(default_factory=dict)
    fields: Mapping[tuple[str, int], FieldRule] = field(default_factory=dict)
    tables: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lowered: tuple[Lowered, ...] = ()
    _compiled: dict[tuple[str, bool], Compiled] = field(default_factory=dict, repr=False, compare=False)

    def compiled(self, version: str, uk: bool) -> Compiled:
        """This profile for a version, compiled once."""
        found = self._compiled.get((version, uk))
        if found is None:
            own = {**(UK_TABLES if uk else {}), **self.tables}
            found = self._compiled[version, uk] = Compiled(
                tables_of(version), self.fields, own, UK_AS_TEXT if uk else frozenset()
            )
        return found


STANDARD_PROFILE = Profile(uk=False)
UK_PROFILE = Profile(name="uk", uk=True)
_AUTOMATIC = Profile()
_NAMED = {"standard": STANDARD_PROFILE, "uk": UK_PROFILE}


def profile_of(profile: Profile | str | PathLike[str] | None) -> Profile:
    """A profile by its name (`standard`, `uk`), its file, or itself; None: the standard, and the UK overlay for
    messages that say that they are British.

    Raises:
        UsageError: No such name, or a file that is not TOML by its name.
        ConfigurationError: Every mistake in the file.
    """
    if profile is None:
        return _AUTOMATIC
    if isinstance(profile, Profile):
        return profile
    if isinstance(profile, str) and profile in _NAMED:
        return _NAMED[profile]
    path = Path(profile)
    if path.suffix != ".toml":
        raise UsageError("a profile is standard, uk, or a site overlay's file, NAME.toml")
    return read_overlay(path)


def read_overlay(path: str | PathLike[str]) -> Profile:
    """The `[check]` of a site file.

    Raises:
        ConfigurationError: Every mistake at once, each with file, key and what is expected.
    """
    place = Path(path)
    try:
        content = tomllib.loads(place.read_text(encoding="utf-8"))
    except OSError:
        raise ConfigurationError([f"{place.name}: cannot be read"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        raise ConfigurationError([f"{place.name}: is not TOML"]) from None
    return _Reader(place.name).read(content, place.stem)


_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")
_FIELD = re.compile(r"([A-Z][A-Z0-9]{2})-([1-9][0-9]{0,2})")
_LOCATION = re.compile(r"[A-Z][A-Z0-9]{2}(?:-[1-9][0-9]{0,2}(?:\.[1-9][0-9]{0,2}){0,2})?")
_CHECK = ("name", "uk", "hl7_version", "z_segments", "segments", "fields", "tables", "findings")
_FIELD_KEYS = ("required", "forbidden", "repetitions", "length", "table")
_FINDING_KEYS = ("code", "severity", "reason", "location")


class _Reader:
    """Reads one file, gathering every mistake."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[str] = []

    def _say(self, key: str, expected: str) -> None:
        self.problems.append(f"{self.file}: {key}: expected {expected}")

    def _unknown(self, table: Mapping[str, Any], at: str, known: tuple[str, ...]) -> None:
        for key in table:
            if key not in known:
                self._say(f"{at}{key}", f"one of {', '.join(known)}")

    def _table(self, value: Any, at: str) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        self._say(at, "a table")
        return {}

    def _texts(self, value: Any, at: str, what: str) -> frozenset[str]:
        if isinstance(value, list) and value and all(isinstance(one, str) and one for one in value):
            return frozenset(value)
        self._say(at, f"a list of {what}")
        return frozenset()

    def read(self, content: Mapping[str, Any], stem: str) -> Profile:
        if type(content.get("version")) is not int or content["version"] != 1:
            self._say("version", "1")
        self._unknown(content, "", ("version", "check", "mapping"))
        check = self._table(content.get("check", {}), "check")
        self._unknown(check, "check.", _CHECK)
        name = check.get("name", stem)
        if not isinstance(name, str) or not name.strip() or len(name) > 60:
            self._say("check.name", "a name of at most 60 characters")
        uk = check.get("uk")
        if uk is not None and not isinstance(uk, bool):
            self._say("check.uk", "true or false")
        version = check.get("hl7_version", "2.4")
        if version not in (*VERSIONS, *NEIGHBOURS):
            self._say("check.hl7_version", f"one of {', '.join(VERSIONS)}")
        z_segments = None
        if "z_segments" in check:
            z_segments = self._z_segments(check["z_segments"])
        tables = {
            str(key): self._texts(codes, f"check.tables.{key}", "codes")
            for key, codes in self._table(check.get("tables", {}), "check.tables").items()
        }
        segments = self._segments(check.get("segments", {}))
        fields = self._fields(check.get("fields", {}), tables)
        lowered = self._lowered(check.get("findings", []))
        if self.problems:
            raise ConfigurationError(self.problems)
        return Profile(
            name=name,
            uk=uk,
            version=version,
            z_segments=z_segments,
            segments=segments,
            fields=fields,
            tables=tables,
            lowered=lowered,
        )

    def _z_segments(self, value: Any) -> frozenset[str]:
        if isinstance(value, list) and all(
            isinstance(one, str) and _SEGMENT.fullmatch(one) and one[0] == "Z" for one in value
        ):
            return frozenset(value)
        self._say("check.z_segments", "a list of Z-segments' names, such as ZPI")
        return frozenset()

    def _segments(self, value: Any) -> dict[str, bool]:
        made = {}
        for name, table in self._table(value, "check.segments").items():
            at = f"check.segments.{name}"
            if not _SEGMENT.fullmatch(name):
                self._say(at, "a segment's name as key")
            table = self._table(table, at)
            self._unknown(table, f"{at}.", ("required",))
            if not isinstance(table.get("required"), bool):
                self._say(f"{at}.required", "true or false")
            else:
                made[name] = table["required"]
        return made

    def _fields(self, value: Any, tables: Mapping[str, frozenset[str]]) -> dict[tuple[str, int], FieldRule]:
        made = {}
        for key, table in self._table(value, "check.fields").items():
            at = f"check.fields.{key}"
            found = _FIELD.fullmatch(key)
            if found is None or key in ("MSH-1", "MSH-2"):
                self._say(at, "a field as key, such as PID-8, and neither MSH-1 nor MSH-2")
            table = self._table(table, at)
            self._unknown(table, f"{at}.", _FIELD_KEYS)
            for name in ("required", "forbidden"):
                if not isinstance(table.get(name, False), bool):
                    self._say(f"{at}.{name}", "true or false")
            for name in ("repetitions", "length"):
                number = table.get(name, 1)
                if type(number) is not int or not 1 <= number <= _LARGEST:
                    self._say(f"{at}.{name}", f"a whole number from 1 to {_LARGEST}")
            if table.get("required") is True and table.get("forbidden") is True:
                self._say(at, "either required or forbidden")
            named = table.get("table")
            if named is not None and named not in tables:
                self._say(f"{at}.table", "the name of a table under check.tables")
            if found is not None:
                made[found[1], int(found[2])] = FieldRule(
                    required=table.get("required"),
                    forbidden=table.get("forbidden") is True,
                    repetitions=table.get("repetitions"),
                    length=table.get("length"),
                    table=tables.get(named) if isinstance(named, str) else None,
                    table_name=named if isinstance(named, str) else "",
                )
        return made

    def _lowered(self, value: Any) -> tuple[Lowered, ...]:
        if not isinstance(value, list):
            self._say("check.findings", "a list of tables, each [[check.findings]]")
            return ()
        made = []
        for number, table in enumerate(value, start=1):
            at = f"check.findings[{number}]"
            table = self._table(table, at)
            before = len(self.problems)
            self._unknown(table, f"{at}.", _FINDING_KEYS)
            code: Any = table.get("code")
            severity: Any = table.get("severity")
            reason: Any = table.get("reason")
            if code not in CODES:
                self._say(f"{at}.code", "the code of a finding")
            elif severity not in _RANK or _RANK[severity] >= _RANK[CODES[code][0]]:
                self._say(f"{at}.severity", f"less than {CODES[code][0]}: findings are lowered here, never silenced")
            if not isinstance(reason, str) or not reason.strip():
                self._say(f"{at}.reason", "why, in words")
            location = table.get("location", "")
            if not isinstance(location, str) or (location and not _LOCATION.fullmatch(location)):
                self._say(f"{at}.location", "a place such as PV1-3 or PID-5.2")
            if len(self.problems) == before:
                made.append(Lowered(code=code, severity=severity, reason=reason, location=location))
        return tuple(made)
