"""`check`: what is wrong with a message, where, and by which rule. Never what stands there."""

from __future__ import annotations

import re
from functools import lru_cache
from os import PathLike
from typing import TYPE_CHECKING

from mpftconnect.errors import MessageUnreadable
from mpftconnect.hl7v2.encodings import undecodable
from mpftconnect.hl7v2.escapes import malformed_escapes
from mpftconnect.hl7v2.fields import Compiled, Judge, Place
from mpftconnect.hl7v2.findings import CODES, Finding, Severity
from mpftconnect.hl7v2.message import Message
from mpftconnect.hl7v2.overlays import Profile, profile_of
from mpftconnect.hl7v2.parsing import parse
from mpftconnect.hl7v2.segments import HEADERS
from mpftconnect.hl7v2.structure import Automaton
from mpftconnect.hl7v2.tables import NEIGHBOURS, VERSIONS, tables_of
from mpftconnect.hl7v2.triggers import structures_for
from mpftconnect.hl7v2.uk import is_uk, uk_findings

if TYPE_CHECKING:
    from mpftconnect.hl7v2.fields import _Field, _Type

__all__ = ["check"]

_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_LOCAL = re.compile(r"Z[A-Z0-9]{2}")
_VERSION = re.compile(r"2\.[0-9]{1,2}(?:\.[0-9]{1,2})?")
# From 2.7 on the lengths that remain are normative.
_NORMATIVE = "2.7"
# Segments that continue a message or a segment (HL7 2.5.1, 2.10.2); the structure is judged without them.
_CONTINUING = frozenset(("ADD", "DSC"))


def check(message: Message | bytes | str, profile: Profile | str | PathLike[str] | None = None) -> list[Finding]:
    r"""Judge a message.

    Args:
        message: Parsed, or as it came: what cannot be parsed is one finding.
        profile: `standard`, `uk`, a site overlay's file (TOML) or a `Profile`; None: the standard of MSH-12's version,
            and the UK overlay where the message says that it is British (MSH-17 or MSH-12.2 is GBR).
    Returns:
        Findings in the order of the message; none is no promise beyond the rules of `docs/hl7v2/findings.md`.
    Raises:
        UsageError: No such profile.
        ConfigurationError: Every mistake of the profile's file.

    >>> [str(one) for one in check("MSH|^~\\&|A|B|C|D|20260230||ACK|1|P|2.4\rMSA|AA|1\r")]
    ['error: MSH-7[1].1: not a date and time that exist, as HL7 writes them (TS, DTM) [not-a-date-time; HL7 2.4, DTM]']
    """
    judged_by = profile_of(profile)
    if not isinstance(message, Message):
        try:
            message = parse(message)
        except MessageUnreadable as error:
            return [Finding("error", error.code, error.place, "HL7 v2", error.rule)]
    return _Check(message, judged_by).run()


@lru_cache(maxsize=256)
def _automaton(version: str, structure: str) -> Automaton:
    tables = tables_of(version)
    return Automaton(tables.structures[structure], tables)


def _nearest(version: str) -> str:
    """The version that an unknown one is judged as: the last before it, else 2.4."""
    if not _VERSION.fullmatch(version):
        return "2.4"
    wanted = tuple(int(part) for part in version.split("."))
    known = [one for one in VERSIONS if tuple(int(part) for part in one.split(".")) <= wanted]
    return known[-1] if known else "2.4"


class _Check:
    """One check of one message."""

    def __init__(self, message: Message, profile: Profile) -> None:
        self.message, self.profile = message, profile
        self.found: list[tuple[str, Place, str]] = []
        # What says its location itself: code, location, rule, and the index that it is sorted by.
        self.told: list[tuple[int, str, str, str]] = []
        self.names = message.names
        sent = message.version
        version = NEIGHBOURS.get(sent, sent)
        if not sent:
            self._tell(0, "version-missing", "MSH-12")
            version = NEIGHBOURS.get(profile.version, profile.version)
        elif version not in VERSIONS:
            self._tell(0, "version-unknown", "MSH-12")
            version = _nearest(sent)
        self.version = version
        self.uk = is_uk(message) if profile.uk is None else profile.uk
        self.compiled: Compiled = profile.compiled(version, self.uk)

    def _tell(self, index: int, code: str, location: str, rule: str = "") -> None:
        self.told.append((index, code, location, rule))

    def run(self) -> list[Finding]:
        self._header()
        skipped = self._segments()
        self._structure(skipped)
        if self.uk:
            uk_findings(self.message, self.version, lambda code, place, rule: self._tell(0, code, place, rule))
        if not self.found and not self.told:
            return []
        return self._rendered()

    # The header

    def _header(self) -> None:
        message = self.message
        header = message.fields_of(0)
        written = header[2] if len(header) > 2 else ""
        if not written:
            self._tell(0, "encoding-characters-missing", "MSH-2")
        elif (
            len(set(written) | {header[1]}) != len(written) + 1
            or len(written) > 5
            or any(character.isalnum() or character in ' "' for character in written)
        ):
            self._tell(0, "encoding-characters", "MSH-2")
        if message.charset.problem:
            self._tell(0, f"charset-{message.charset.problem}", "MSH-18")
        if len(header) > 14 and header[14]:
            self._tell(0, "continued", "MSH-14")

    # The segments and their fields

    def _segments(self) -> set[int]:
        message, compiled, names = self.message, self.compiled, self.names
        delimiters = message.delimiters
        mark = delimiters.escape
        lines = message.lines
        ascii_only = all(map(str.isascii, lines))
        judge = Judge(delimiters.component, delimiters.repetition, delimiters.subcomponent, self.found)
        allowed = self.profile.z_segments
        skipped: set[int] = set()
        for index, name in enumerate(names):
            line = lines[index]
            rules = compiled.segment(name)
            if mark is not None and mark in line and (index or line.count(mark) > 1):
                self._escapes(index)
            if not ascii_only and undecodable(line):
                self._bytes(index)
            if "\n" in line:
                self.found.append(("line-feed", (index, 0, 0, 0, 0), ""))
            if rules is None:
                skipped.add(index)
                self._unknown(index, name, allowed)
                continue
            if len(rules) == 1 and name not in _CONTINUING:
                self.found.append(("segment-withdrawn", (index, 0, 0, 0, 0), name))
                continue
            if name[0] == "Z" or name in _CONTINUING:
                skipped.add(index)
                if name in _CONTINUING:
                    self.found.append(("continued", (index, 0, 0, 0, 0), ""))
            self._fields(index, name, rules, judge)
        return skipped

    def _unknown(self, index: int, name: str, allowed: frozenset[str] | None) -> None:
        place = (index, 0, 0, 0, 0)
        if not _NAME.fullmatch(name):
            self.found.append(("segment-name", place, ""))
        elif name[0] != "Z":
            self.found.append(("segment-unknown", place, ""))
        elif allowed is not None and name not in allowed:
            self.found.append(("segment-not-allowed", place, self.profile.name))

    def _fields(self, index: int, name: str, rules: list[_Field], judge: Judge) -> None:
        fields = self.message.fields_of(index)
        sent, known = len(fields), len(rules)
        first = 3 if name in HEADERS else 1
        found = self.found
        varies = self._varying(index, fields) if name == "OBX" else None
        for number in range(first, min(sent, known)):
            text = fields[number]
            rule = rules[number]
            if not text:
                if rule.least:
                    found.append(("field-required", (index, number, 0, 0, 0), rule.name))
                continue
            if text == '""':
                if rule.least:
                    found.append(("field-null", (index, number, 0, 0, 0), rule.name))
                continue
            if rule.forbidden:
                found.append(("field-forbidden", (index, number, 0, 0, 0), self.profile.name))
            type_ = rule.type
            if type_ is None:
                if rule.most == 0:
                    found.append(("field-withdrawn", (index, number, 0, 0, 0), rule.name))
                    continue
                if number == 5 and varies is not None:
                    type_ = varies
            judge.field(text, rule, type_, index, number)
        if sent < known:
            for number in range(sent, known):
                if rules[number].least:
                    found.append(("field-required", (index, number, 0, 0, 0), rules[number].name))
        elif sent > known and any(fields[known:]):
            number = next(place for place in range(known, sent) if fields[place])
            found.append(("field-extra", (index, number, 0, 0, 0), f"{name} has {known - 1} fields"))

    def _varying(self, index: int, fields: list[str]) -> _Type | None:
        """The type that OBX-2 says for OBX-5 (HL7 2.5.1, 7.4.2.2)."""
        if len(fields) <= 5 or not fields[5] or fields[5] == '""':
            return None
        named = fields[2]
        if not named or named == '""':
            self.found.append(("obx-type-missing", (index, 2, 0, 0, 0), "OBX-2"))
            return None
        type_ = self.compiled.value_type(named)
        if type_ is None:
            self.found.append(("obx-type-unknown", (index, 2, 0, 0, 0), "table 0125"))
        return type_

    def _escapes(self, index: int) -> None:
        fields = self.message.fields_of(index)
        start = 3 if fields[0] in HEADERS else 1
        for number in range(start, len(fields)):
            if malformed_escapes(fields[number], self.message.delimiters):
                self.found.append(("escape-malformed", (index, number, 0, 0, 0), ""))

    def _bytes(self, index: int) -> None:
        for number, text in enumerate(self.message.fields_of(index)):
            if undecodable(text):
                self.found.append(("bytes-undecodable", (index, number, 0, 0, 0), self.message.charset.codec))

    # The structure

    def _structure(self, skipped: set[int]) -> None:
        message, tables = self.message, self.compiled.tables
        code, event = message["MSH-9.1"] or "", message["MSH-9.2"] or ""
        if not code:
            self._tell(0, "type-missing", "MSH-9")
            return
        declared = message["MSH-9.3"] or ""
        expected = structures_for(tables, code, event)
        if declared and expected and declared not in expected:
            self._tell(0, "structure-mismatch", "MSH-9[1].3", "table 0354")
        structure = declared if declared in tables.structures and not expected else (expected[:1] or [""])[0]
        if declared in expected:
            structure = declared
        sent = message["EVN-1"]
        if event and isinstance(sent, str) and sent != event:
            self._tell(self.names.index("EVN"), "trigger-mismatch", "EVN-1")
        if not structure:
            self._tell(0, "structure-unknown", "MSH-9", "table 0354")
        else:
            optional = {name for name, required in self.profile.segments.items() if not required}
            for fault in _automaton(self.version, structure).faults(self.names, skipped):
                if fault.code == "segment-missing":
                    if fault.name not in optional:
                        self._missing(fault.index, fault.name, structure)
                else:
                    self.found.append((fault.code, (fault.index, 0, 0, 0, 0), structure))
        for name, required in self.profile.segments.items():
            if required and name not in self.names:
                self._missing(len(self.names), name, self.profile.name)

    def _missing(self, index: int, name: str, rule: str) -> None:
        before = self._place((index, 0, 0, 0, 0)) if index < len(self.names) else "the end"
        self.told.append((index, "segment-missing", name, f"{rule}\0{before}"))

    # Findings

    def _place(self, place: Place) -> str:
        index, number, repetition, component, subcomponent = place
        name = self.names[index]
        if name not in self.compiled.tables.segments and not (
            _LOCAL.fullmatch(name) and len(self.message.lines[index]) > 3
        ):
            # What stands there may be a text that was cut in two, and no name at all: only its number is told.
            text = f"segment {index + 1}"
        else:
            occurrence = self.message.occurrences[index]
            text = f"{name}[{occurrence}]" if occurrence > 1 else name
        if not number:
            return text
        text += f"-{number}"
        if repetition or component:
            text += f"[{repetition or 1}]"
        if component:
            text += f".{component}"
        return f"{text}.{subcomponent}" if subcomponent else text

    def _rendered(self) -> list[Finding]:
        made: list[tuple[tuple[int, int, int], Finding]] = []
        for code, place, word in self.found:
            made.append((place[:3], self._finding(code, self._place(place), word)))
        for index, code, location, word in self.told:
            made.append(((index, 0, 0), self._finding(code, location, word)))
        made.sort(key=lambda one: one[0])
        return [finding for _, finding in made]

    def _finding(self, code: str, location: str, word: str) -> Finding:
        severity, about = CODES[code]
        if code == "too-long" and self.version >= _NORMATIVE:
            severity = "error"
        # A sentence that begins with a name, such as MSH-9 or EVN, keeps its capitals.
        message = about if about[1:2].isupper() else about[0].lower() + about[1:]
        word, _, before = word.partition("\0")
        if code == "segment-missing":
            message = f"{location} is required and not there: expected before {before}"
        elif code == "field-required" and word:
            message = f"a required field is empty: {word}"
        rule = word if word.startswith(("ITK", "ODS", "HL7V2", "NHS")) else f"HL7 {self.version}"
        if rule != word and word and code != "field-required":
            rule = f"{rule}, {word}"
        return self._lowered(severity, code, location, rule, message)

    def _lowered(self, severity: Severity, code: str, location: str, rule: str, message: str) -> Finding:
        bare = re.sub(r"\[\d+\]", "", location)
        for one in self.profile.lowered:
            if one.code == code and (not one.location or bare == one.location or bare.startswith(f"{one.location}.")):
                return Finding(one.severity, code, location, rule, message, one.reason)
        return Finding(severity, code, location, rule, message)
