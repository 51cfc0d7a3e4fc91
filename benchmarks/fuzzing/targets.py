"""A function for each thing that hostile bytes can reach. Each takes bytes, and may raise only the SDK's own errors."""

from __future__ import annotations

import copy
import functools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzzing.seeds import DEFINITIONS, EXPRESSIONS, ODD, RESOURCES, UNITS, package
from mpftconnect.errors import MpftConnectError
from mpftconnect.validation import Options, Report, Validator
from mpftconnect.validation.definitions.archives import package_files
from mpftconnect.validation.definitions.packages import read_package
from mpftconnect.validation.fhirpath import Scope, compile_expression, evaluate
from mpftconnect.validation.formats.json_text import read_carefully, read_fast
from mpftconnect.validation.formats.source import read_source
from mpftconnect.validation.outputs import headline
from mpftconnect.validation.terminology.ucum import read_unit

__all__ = ["TARGETS", "seeds_of"]

Json = dict[str, Any]
# What an expression may cost here: an eighth of a second or so, so that a run sees many.
EFFORT = 20_000
# What choices make of a seed may be long; what is judged here is not, so that a run sees many.
LONGEST = 200_000


class Choices:
    """Bytes read as a series of choices; when they run out, the first of each."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def below(self, limit: int) -> int:
        byte = self._data[self._at : self._at + 2]
        self._at += 2
        return int.from_bytes(byte, "big") % limit if byte and limit > 0 else 0

    def of(self, things: Any) -> Any:
        return things[self.below(len(things))]

    @property
    def more(self) -> bool:
        return self._at < len(self._data)


@functools.cache
def core() -> Validator:
    return Validator(["mpftconnect.ukcore-rules"], options=Options(validate_reference="CHECK_VALID", must_support=True))


@functools.cache
def with_profiles() -> Validator:
    return core().with_resources(DEFINITIONS)


def read_whole(report: Report) -> None:
    """Everything that a report works out late."""
    report.to_operation_outcome()
    headline(report)
    repr(report)
    assert (report.verdict == "invalid") is any(f.severity in ("error", "fatal") for f in report.findings)


def json_reader(data: bytes) -> None:
    """The fast reader takes nothing that the careful one finds fault with, and reads it the same."""
    fast = read_fast(data)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        assert fast is None
        return
    careful = read_carefully(text)
    if fast is not None:
        assert not careful.problems
        assert careful.value == fast


def xml_reader(data: bytes) -> None:
    source = read_source(b"<" + data, core()._checks.trees, Options())
    assert source.value is not None or source.problems
    read_whole(core().validate(b"<" + data))


def validate_text(data: bytes) -> None:
    read_whole(core().validate(data))


def archive(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "zz.tgz"
        path.write_bytes(data)
        try:
            for name, _ in package_files(path):
                assert ".." not in name.split("/")
                assert not name.startswith("/")
            found = read_package(path)
            list(found.resources())
            Validator([path]).validate(RESOURCES[0])
        except MpftConnectError:
            return


def definition(data: bytes) -> None:
    """A profile broken by choices is compiled, and judges a resource that claims it."""
    choices = Choices(data)
    made = mutated(choices.of(DEFINITIONS), choices)
    if not isinstance(made, dict):
        return
    try:
        validator = core().with_resources([made])
        url = made.get("url")
        if isinstance(url, str) and validator._checks.has(url):
            validator.profile(url)
            read_whole(validator.validate(RESOURCES[0], profiles=[url]))
    except MpftConnectError:
        return


def resource(data: bytes) -> None:
    """A resource broken by choices, as JSON text and as a dict: the same verdict."""
    choices = Choices(data)
    made = mutated(choices.of(RESOURCES), choices)
    if choices.below(2) and isinstance(made, dict):
        made = {**made, "meta": {"profile": ["https://zz.example.test/P"]}}
    try:
        text = json.dumps(made, ensure_ascii=bool(choices.below(2)))
    except RecursionError:  # Python's own writer gives up before the reader here does
        return
    if len(text) > LONGEST:
        return
    report = with_profiles().validate(text.encode("utf-8", "replace"))
    read_whole(report)
    if isinstance(made, dict):
        read_whole(with_profiles().validate(made))


def expression(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for context in (None, "Patient"):
        try:
            compiled = compile_expression(text, context=context)
        except MpftConnectError:
            return
        for one in RESOURCES[:2] if context is None else RESOURCES[:1]:
            try:
                compiled.holds(one, Scope(one, effort=EFFORT))
            except MpftConnectError:
                continue


def pattern(data: bytes) -> None:
    """A pattern and a text, split at the first zero byte."""
    wanted, _, text = data.decode("utf-8", "replace").partition("\0")
    for function in ("matches", "matchesFull"):
        try:
            evaluate(f"text.{function}(wanted)", {"text": text or "a" * 40 + "!", "wanted": wanted})
        except MpftConnectError:
            continue


def unit(data: bytes) -> None:
    read_unit(data.decode("utf-8", "replace"))


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each holder and key in a value, as far as there are some thousands."""
    found: list[tuple[Any, Any]] = []
    open_ = [value]
    while open_ and len(found) < 3000:
        holder = open_.pop(0)
        for key, inner in holder.items() if isinstance(holder, dict) else enumerate(holder):
            found.append((holder, key))
            if isinstance(inner, dict | list):
                open_.append(inner)
    return found


def mutated(seed: Json, choices: Choices) -> Any:
    """A copy that is broken in up to eight places."""
    made: Any = copy.deepcopy(seed)
    for _ in range(8):
        if not choices.more or not isinstance(made, dict | list):
            break
        found = places(made)
        if not found:
            break
        holder, key = choices.of(found)
        _break(made, holder, key, choices)
    return made


def _break(made: Any, holder: Any, key: Any, choices: Choices) -> None:
    way = choices.below(9)
    value = holder[key]
    if way == 0:
        holder[key] = copy.deepcopy(choices.of(ODD))
    elif way == 1:
        del holder[key]
    elif way == 2:
        holder[key] = [value, copy.deepcopy(value)]
    elif way == 3 and isinstance(holder, dict):
        name = choices.of(["valueString", "extension", "_" + str(key), "contained", "url", "id", "zz", ""])
        holder[name] = copy.deepcopy(value)
    elif way == 4:
        for _ in range(choices.below(120)):
            value = {key: value} if isinstance(key, str) else [value]
        holder[key] = value
    elif way == 5:  # something of elsewhere in the same resource
        other, at = choices.of(places(made))
        holder[key] = copy.deepcopy(other[at])
    elif way == 6 and isinstance(value, list):
        holder[key] = value * (1 + choices.below(20))
    elif way == 7 and isinstance(value, str):
        at = choices.below(len(value) + 1)
        holder[key] = value[:at] + str(choices.of(ODD)) + value[at:]
    else:
        holder[key] = copy.deepcopy(choices.of(RESOURCES))


Target = Callable[[bytes], None]
TARGETS: dict[str, Target] = {
    "json": json_reader,
    "xml": xml_reader,
    "archive": archive,
    "definition": definition,
    "expression": expression,
    "pattern": pattern,
    "unit": unit,
    "text": validate_text,
    "resource": resource,
}
PATTERNS = [b"^(a+)+$\0aaaa", b"[^\\d]{2,3}|x", b"(?=a)b", b"\\p{L}+", b"(a|aa)*b", b"a{1,1000}{1,1000}"]


def seeds_of(name: str) -> list[bytes]:
    """What a target begins with."""
    if name in ("json", "text"):
        return [json.dumps(one).encode() for one in RESOURCES]
    if name == "xml":
        return [
            b'Patient xmlns="http://hl7.org/fhir"><id value="a"/><name><given value="b"/></name></Patient>',
            b'!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
            b'?xml version="1.0"?><Bundle xmlns="http://hl7.org/fhir"/>',
        ]
    if name == "archive":
        return [package()]
    if name == "expression":
        return [text.encode() for text in EXPRESSIONS]
    if name == "pattern":
        return PATTERNS
    if name == "unit":
        return [text.encode() for text in UNITS]
    kinds = range(len(RESOURCES if name == "resource" else DEFINITIONS))
    return [
        bytes([0, kind, 0, place, 0, way, 0, odd])
        for kind in kinds
        for place in (2, 9)
        for way in range(9)
        for odd in (3, 12)
    ]
