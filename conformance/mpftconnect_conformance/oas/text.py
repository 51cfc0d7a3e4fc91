"""JSON or YAML text to plain values, with limits that hold against documents made to do harm.

Source: OpenAPI Specification 3.1.0, section 4.3 "Format" (JSON or YAML 1.2, tags of the JSON schema ruleset, string
keys); YAML 1.2.2, sections 7.1 (aliases) and 10.2 (JSON schema).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from mpftconnect.errors import AnswerRejected, MpftConnectError
from mpftconnect.fhir.json_text import parse_json

__all__ = ["INSTALL", "MOST_BYTES", "MOST_DEPTH", "MOST_NODES", "Unreadable", "values_in"]

MOST_BYTES = 5_000_000
MOST_NODES = 400_000  # as they stand written out, each alias counted as all that it stands for
MOST_DEPTH = 100
INSTALL = "pip install 'mpftconnect[api]'"

_INTEGER = re.compile(r"[-+]?[0-9]{1,400}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULL = ("", "~", "null", "Null", "NULL")
_TAGS = (None, "!", *(f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null")))
_MERGE = "tag:yaml.org,2002:merge"


class Unreadable(MpftConnectError):
    """The text cannot be read. `rule` is permanent: `syntax`, `too-large`, `alias`, `no-yaml`."""

    def __init__(self, rule: str, words: str) -> None:
        self.rule = rule
        super().__init__(words)


def values_in(body: bytes) -> Any:
    """The value that the text holds.

    Raises:
        Unreadable: It is neither JSON nor YAML, or passes a limit.

    >>> values_in(b'{"openapi": "3.0.3"}')
    {'openapi': '3.0.3'}
    """
    if len(body) > MOST_BYTES:
        raise Unreadable("too-large", f"it has more than {MOST_BYTES} bytes")
    if body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        try:
            value = parse_json(body)
        except AnswerRejected as error:
            fault = Unreadable("syntax", f"it begins as JSON does, and is not: {error}")
        else:
            _count(value)
            return value
        raise fault
    return _yaml(body)


def _count(value: Any) -> None:
    nodes = 0
    waiting = [(value, 1)]
    while waiting:
        each, depth = waiting.pop()
        nodes += 1
        if nodes > MOST_NODES:
            raise Unreadable("too-large", f"it holds more than {MOST_NODES} values")
        if depth > MOST_DEPTH:
            raise Unreadable("too-large", f"it is nested deeper than {MOST_DEPTH}")
        if isinstance(each, dict):
            waiting.extend((part, depth + 1) for part in each.values())
        elif isinstance(each, list):
            waiting.extend((part, depth + 1) for part in each)


def _yaml(body: bytes) -> Any:
    try:
        import yaml
    except ImportError:
        raise Unreadable("no-yaml", f"it is not JSON, and YAML is not read here: {INSTALL}") from None
    try:
        text = body.decode("utf-8-sig")
        return _Builder().build(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except UnicodeDecodeError as error:
        raise Unreadable("syntax", f"byte {error.start}: is not UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark is not None else ""
        raise Unreadable("syntax", f"{where}is not YAML") from None
    except RecursionError:
        raise Unreadable("too-large", "it is nested too deep to be read") from None


class _Builder:
    """Builds values out of YAML's events, counting as it goes: no recursion, and no alias is followed into itself."""

    def __init__(self) -> None:
        self.nodes = 0
        # Each open collection: kind, value, size so far, anchor, key that waits for its value, keys merged in.
        self.open: list[dict[str, Any]] = []
        self.anchors: dict[str, tuple[Any, int] | None] = {}
        self.root: list[Any] = []

    def build(self, events: Iterator[Any]) -> Any:
        documents = 0
        for event in events:
            name = type(event).__name__
            if name == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    raise Unreadable("syntax", "it holds more than one YAML document")
            elif name == "ScalarEvent":
                self._add(_scalar(event), 1, event.anchor, event)
            elif name == "AliasEvent":
                known = self.anchors.get(event.anchor)
                if known is None:
                    raise Unreadable("alias", "an alias stands for something that holds it, or for nothing")
                self._add(known[0], known[1], None, event)
            elif name in ("MappingStartEvent", "SequenceStartEvent"):
                _refuse_tag(event)
                if len(self.open) >= MOST_DEPTH:
                    raise Unreadable("too-large", f"it is nested deeper than {MOST_DEPTH}")
                if event.anchor:
                    self.anchors[event.anchor] = None
                value: Any = {} if name == "MappingStartEvent" else []
                self.open.append({"value": value, "size": 1, "anchor": event.anchor, "key": None, "merged": []})
            elif name in ("MappingEndEvent", "SequenceEndEvent"):
                closed = self.open.pop()
                for table in closed["merged"]:
                    for key, part in table.items():
                        closed["value"].setdefault(key, part)
                self._add(closed["value"], closed["size"], closed["anchor"], None)
        if not self.root:
            raise Unreadable("syntax", "it is empty")
        return self.root[0]

    def _add(self, value: Any, size: int, anchor: str | None, event: Any) -> None:
        if anchor:
            self.anchors[anchor] = (value, size)
        # A collection was counted while it was built; what an alias stands for counts again each time.
        self.nodes += size if event is not None else 0
        if self.nodes > MOST_NODES or size > MOST_NODES:
            raise Unreadable("too-large", f"written out it holds more than {MOST_NODES} values")
        if not self.open:
            self.root.append(value)
            return
        top = self.open[-1]
        top["size"] += size
        if isinstance(top["value"], list):
            top["value"].append(value)
        elif top["key"] is None:
            if not isinstance(value, str | int | bool | Decimal) and value is not None:
                raise Unreadable("syntax", "a key is no text")
            plain = event is not None and getattr(event, "value", None) == "<<" and event.implicit[0]
            top["key"] = (_MERGE if plain else _key(value, event),)
        else:
            (key,), top["key"] = top["key"], None
            if key == _MERGE:
                tables = value if isinstance(value, list) else [value]
                if not all(isinstance(each, dict) for each in tables):
                    raise Unreadable("syntax", "what is merged is no mapping")
                top["merged"].extend(tables)
            elif key in top["value"]:
                raise Unreadable("syntax", "a key stands twice in one mapping")
            else:
                top["value"][key] = value


def _key(value: Any, event: Any) -> str:
    """OpenAPI's keys are texts; `200:` without quotes is taken as it is written."""
    written = getattr(event, "value", None)
    return written if isinstance(written, str) else str(value)


def _refuse_tag(event: Any) -> None:
    if event.tag not in _TAGS:
        raise Unreadable("syntax", "a tag stands in it that JSON does not know")


def _scalar(event: Any) -> Any:
    text: str = event.value
    _refuse_tag(event)
    if not event.implicit[0] or event.style not in (None, ""):
        return text
    if text in _NULL:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        try:
            return Decimal(text)
        except InvalidOperation:
            return text
    return text
