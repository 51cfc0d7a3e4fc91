"""Fields judged by their data types: each segment of a version is compiled once into a check for each of its fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mpftconnect.hl7v2.dates import is_date, is_date_time, is_time
from mpftconnect.hl7v2.tables import Part, Tables

__all__ = ["Compiled", "FieldRule", "Found", "Judge", "Place"]

# Where a fault was found: index of the segment, field, repetition, component, sub-component; 0 where it is the whole.
Place = tuple[int, int, int, int, int]
# Code, place, and a word for the rule: a type, a table, a number of ours. Never a value.
Found = tuple[str, Place, str]

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_TEXTUAL = frozenset(("ST", "TX", "FT", "TN", "GTS", "ID", "IS", "NUL", "SNM"))

# Lengths of primitive types. To 2.6: the maximum lengths of 2.5.1, chapter 2A (NM 16, SI 4, DT 8, TM 16, IS 20, DTM 24,
# TS 26, ST 199, TX and FT 65,536), which senders exceed often: a warning. From 2.7 lengths of text are for sites to
# agree, and only those of numbers and dates are normative (2.7, chapter 2, 2.5.3.3).
_OLD_LENGTHS = {"NM": 16, "SI": 4, "IS": 20, "ST": 199, "TX": 65_536, "FT": 65_536}
_NEW_LENGTHS = {"SI": 4}


def _number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def _sequence(text: str) -> bool:
    return text.isascii() and text.isdigit()


_JUDGED: dict[str, tuple[str, Callable[[str], bool]]] = {
    "NM": ("not-a-number", _number),
    "SI": ("not-a-sequence-id", _sequence),
    "DT": ("not-a-date", is_date),
    "TM": ("not-a-time", is_time),
    "DTM": ("not-a-date-time", is_date_time),
}


@dataclass(frozen=True, kw_only=True)
class FieldRule:
    """What a site says of one field. None leaves what the standard says."""

    required: bool | None = None
    forbidden: bool = False
    repetitions: int | None = None
    length: int | None = None
    table: frozenset[str] | None = None
    table_name: str = ""


@dataclass(slots=True)
class _Leaf:
    """A primitive type at a place: what is asked of its text."""

    type: str
    code: str | None = None
    judge: Callable[[str], bool] | None = None
    longest: int = 0
    table: frozenset[str] | None = None
    table_code: str = ""
    table_name: str = ""

    @property
    def plain(self) -> bool:
        return self.judge is None and self.table is None and not self.longest


@dataclass(slots=True)
class _Type:
    """A type: a leaf, or components that are types."""

    name: str
    leaf: _Leaf | None
    parts: list[_Type] = field(default_factory=list)
    required: tuple[int, ...] = ()
    asked: tuple[int, ...] = ()  # components in which anything can be wrong but for escapes and sub-components
    coded: frozenset[str] | None = None  # of a coded type: the codes of the field's table, where it is the standard's
    table_name: str = ""


@dataclass(slots=True)
class _Field:
    type: _Type | None  # None: varies
    least: int
    most: int
    name: str
    longest: int = 0
    forbidden: bool = False


class Compiled:
    """One version with a site's rules, ready to judge segments."""

    def __init__(
        self,
        tables: Tables,
        rules: Mapping[tuple[str, int], FieldRule] | None = None,
        own_tables: Mapping[str, frozenset[str]] | None = None,
        as_text: frozenset[tuple[str, int]] = frozenset(),
    ) -> None:
        self.tables = tables
        self.rules = dict(rules or {})
        self.own_tables = dict(own_tables or {})
        self.as_text = as_text
        self.lengths = _NEW_LENGTHS if tables.version >= "2.7" else _OLD_LENGTHS
        self._types: dict[tuple[str, str | None, int], _Type] = {}
        self._segments: dict[str, list[_Field]] = {}

    # Compiling

    def _leaf(self, name: str, table: str | None) -> _Leaf:
        code, judge = _JUDGED.get(name, (None, None))
        leaf = _Leaf(name, code, judge, self.lengths.get(name, 0))
        if table and name in ("ID", "IS"):
            own = self.own_tables.get(table)
            leaf.table = own if own is not None else self.tables.tables.get(table)
            leaf.table_name = f"table {table}"
            # ID is of HL7's tables and IS of user-defined ones (2.5.1, 2A.33, 2A.37), of which HL7 only suggests codes.
            leaf.table_code = (
                "site-table-value" if own is not None else "table-value" if name == "ID" else "user-table-value"
            )
        return leaf

    def _type(self, name: str, table: str | None, depth: int = 0) -> _Type:
        key = (name, table, depth)
        known = self._types.get(key)
        if known is not None:
            return known
        parts = self.tables.types.get(name)
        if not parts or depth > 1:
            made = _Type(name, self._leaf(name, table))
        else:
            children = [self._component(name, number, part, depth) for number, part in enumerate(parts)]
            made = _Type(
                name,
                None,
                children,
                tuple(number for number, part in enumerate(parts) if part.least),
                tuple(number for number, child in enumerate(children) if child.leaf is None or not child.leaf.plain),
            )
            if table and name in ("CE", "CWE", "CNE", "CF"):
                own = self.own_tables.get(table)
                made.coded = own if own is not None else self.tables.tables.get(table)
                made.table_name = table
        self._types[key] = made
        return made

    def _component(self, owner: str, number: int, part: Part, depth: int) -> _Type:
        name = part.type or "ST"
        if owner == "TS" and number == 0:
            name = "DTM"
        elif (owner, number + 1) in self.as_text:
            name = "ST"
        # A time stamp within a type is written in one sub-component; its degree of precision is not sent.
        return self._type(name, part.table, depth + 1)

    def segment(self, name: str) -> list[_Field] | None:
        """The fields of a segment; None if the version has none of the name. The first is the name itself."""
        known = self._segments.get(name)
        if known is not None:
            return known
        parts = self.tables.segments.get(name)
        if parts is None:
            return None
        made = [_Field(None, 0, 1, "")]
        for number, part in enumerate(parts, start=1):
            made.append(self._field(name, number, part))
        for rule_segment, number in self.rules:
            if rule_segment == name and number > len(parts):
                while len(made) <= number:
                    made.append(self._field(name, len(made), Part("ST", 0, -1, None, "")))
        self._segments[name] = made
        return made

    def value_type(self, name: str) -> _Type | None:
        """A data type by its name, as OBX-2 says it; None if the version has none of the name."""
        if name in self.tables.types or name in _TEXTUAL or name in _JUDGED:
            return self._type(name, None)
        return None

    def _field(self, segment: str, number: int, part: Part) -> _Field:
        rule = self.rules.get((segment, number))
        type_ = None if part.type == "varies" else self._type(part.type or "ST", part.table)
        made = _Field(type_, part.least, part.most, part.name)
        if part.type in ("WD", "NUL") or part.most == 0:
            # Withdrawn: told, and whatever stands there is not judged.
            made.type, made.most = None, 0
        if rule is None:
            return made
        if rule.required is not None:
            made.least = int(rule.required)
        if rule.repetitions is not None:
            made.most = rule.repetitions
        if rule.table is not None and type_ is not None:
            made.type = _with_table(type_, rule.table, rule.table_name)
        made.longest, made.forbidden = rule.length or 0, rule.forbidden
        return made


def _with_table(type_: _Type, table: frozenset[str], name: str) -> _Type:
    """The type with a site's table on its first value."""
    if type_.leaf is None:
        return _Type(type_.name, None, type_.parts, type_.required, type_.asked, coded=table, table_name=f"site {name}")
    old = type_.leaf
    leaf = _Leaf(old.type, old.code, old.judge, old.longest, table, "site-table-value", f"table {name}")
    return _Type(type_.name, leaf)


@dataclass(slots=True)
class Judge:
    """Judges the fields of one message: its delimiters, and what has been found."""

    component: str | None
    repetition: str | None
    subcomponent: str | None
    found: list[Found]

    def field(self, text: str, rule: _Field, type_: _Type | None, index: int, number: int) -> None:
        """One field that is not empty."""
        mark = self.repetition
        if mark is None or mark not in text:
            if type_ is not None:
                self._value(text, type_, (index, number, 0))
            if rule.longest and len(text) > rule.longest:
                self.found.append(("site-too-long", (index, number, 0, 0, 0), str(rule.longest)))
            return
        repetitions = text.split(mark)
        if 0 <= rule.most < len(repetitions) and rule.most:
            self.found.append(("field-repeats", (index, number, rule.most + 1, 0, 0), str(rule.most)))
        for place, one in enumerate(repetitions, start=1):
            if not one:
                continue
            if type_ is not None:
                self._value(one, type_, (index, number, place))
            if rule.longest and len(one) > rule.longest:
                self.found.append(("site-too-long", (index, number, place, 0, 0), str(rule.longest)))

    def _value(self, text: str, type_: _Type, at: tuple[int, int, int]) -> None:
        if text == '""':
            return
        leaf = type_.leaf
        component, subcomponent = self.component, self.subcomponent
        if leaf is not None:
            if component is not None and component in text:
                first, _, rest = text.partition(component)
                if rest.strip(component):
                    self.found.append(("component-extra", (*at, 2, 0), type_.name))
                text = first
            if subcomponent is not None and subcomponent in text:
                first, _, rest = text.partition(subcomponent)
                if rest.strip(subcomponent) and leaf.type not in ("TX", "FT", "ST"):
                    self.found.append(("subcomponent-extra", (*at, 1, 2), type_.name))
                    text = first
            if text and not leaf.plain:
                self._leaf(text, leaf, (*at, 0, 0))
            return
        parts = text.split(component) if component is not None and component in text else [text]
        if len(parts) > len(type_.parts) and any(parts[len(type_.parts) :]):
            self.found.append(("component-extra", (*at, len(type_.parts) + 1, 0), type_.name))
        for number in type_.required:
            if number >= len(parts) or not parts[number]:
                self.found.append(("component-required", (*at, number + 1, 0), type_.name))
        divided = subcomponent is not None and subcomponent in text
        for number in range(min(len(parts), len(type_.parts))) if divided else type_.asked:
            if number >= len(parts):
                break
            part = parts[number]
            if part and part != '""':
                self._component(part, type_.parts[number], at, number + 1)
        if type_.coded is not None and parts[0] and parts[0] not in type_.coded and parts[0] != '""':
            self._coded(parts, type_, at)

    def _coded(self, parts: list[str], type_: _Type, at: tuple[int, int, int]) -> None:
        """A code is of the field's table if it names that table, or no coding system (2.5.1, 2A.13)."""
        site = type_.table_name.startswith("site ")
        system = parts[2] if len(parts) > 2 else ""
        if not site and system and system != f"HL7{type_.table_name}":
            return
        name = type_.table_name.removeprefix("site ")
        if self.subcomponent is None or self.subcomponent not in parts[0]:
            self.found.append(("site-table-value" if site else "user-table-value", (*at, 1, 0), f"table {name}"))

    def _component(self, text: str, type_: _Type, at: tuple[int, int, int], number: int) -> None:
        mark = self.subcomponent
        leaf = type_.leaf
        if leaf is not None:
            if mark is not None and mark in text:
                text, _, rest = text.partition(mark)
                if rest.strip(mark):
                    self.found.append(("subcomponent-extra", (*at, number, 2), type_.name))
            if text and not leaf.plain:
                self._leaf(text, leaf, (*at, number, 0))
            return
        parts = text.split(mark) if mark is not None and mark in text else [text]
        if len(parts) > len(type_.parts) and any(parts[len(type_.parts) :]):
            self.found.append(("subcomponent-extra", (*at, number, len(type_.parts) + 1), type_.name))
        for place in type_.asked:
            if place >= len(parts):
                break
            inner = type_.parts[place].leaf
            if parts[place] and parts[place] != '""' and inner is not None:
                self._leaf(parts[place], inner, (*at, number, place + 1 if len(parts) > 1 else 0))

    def _leaf(self, text: str, leaf: _Leaf, place: Place) -> None:
        if leaf.judge is not None and not leaf.judge(text):
            self.found.append((leaf.code or "", place, leaf.type))
        if leaf.table is not None and text not in leaf.table:
            self.found.append((leaf.table_code, place, leaf.table_name))
        if leaf.longest and len(text) > leaf.longest:
            self.found.append(("too-long", place, f"{leaf.type}, {leaf.longest}"))
