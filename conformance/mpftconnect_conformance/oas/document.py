"""An OpenAPI document as checks see it: its operations, what its references lead to, and what is wrong with it.

Source: OpenAPI Specification 3.0.3 and 3.1.0, sections "OpenAPI Object", "Paths Object", "Operation Object",
"Responses Object", "Reference Object". Only what both say is judged; 3.2 is read as 3.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

from mpftconnect_conformance.oas.text import Unreadable, values_in

__all__ = ["METHODS", "Document", "Fault", "Operation", "document_in", "faults_of", "leads", "table_of"]

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_VERSION = re.compile(r"3\.[0-2]\.\d+(-.+)?")
_STATUS = re.compile(r"[1-5](\d\d|XX)|default")
_MOST_HOPS = 20
_MOST_FAULTS = 200


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong; `place` is a path within the document, of keys that the document has."""

    rule: str
    message: str
    place: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. Everything in `table` is as the document has it, of any type."""

    path: str
    method: str
    table: Mapping[str, Any] = field(repr=False)
    item: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """For messages: method and path template, which name nobody."""
        return f"{self.method.upper()} {self.path[:80]}"

    @property
    def id(self) -> str:
        given = self.table.get("operationId")
        return given if isinstance(given, str) else ""


class Document:
    """A document whose root is an object.

    Args:
        root: Never changed: it is shared.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root

    @property
    def version(self) -> str:
        given = self.root.get("openapi")
        return given if isinstance(given, str) else ""

    @property
    def info(self) -> Mapping[str, Any]:
        return table_of(self.root.get("info"))

    def at(self, pointer: str) -> Any:
        """What a local reference leads to (RFC 6901); None if nothing stands there."""
        value: Any = self.root
        for part in pointer.removeprefix("#").split("/")[1:]:
            name = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(value, Mapping) and name in value:
                value = value[name]
            elif isinstance(value, list) and name.isdigit() and len(name) < 7 and int(name) < len(value):
                value = value[int(name)]
            else:
                return None
        return value

    def resolved(self, value: Any) -> Any:
        """The value, or what its `$ref` leads to; an empty table where that is not in this document, or a circle."""
        for _ in range(_MOST_HOPS):
            if not isinstance(value, Mapping) or not isinstance(value.get("$ref"), str):
                return value
            reference = value["$ref"]
            value = self.at(reference) if reference.startswith("#") else {}
        return {}

    def operations(self) -> Iterator[Operation]:
        for path, given in table_of(self.root.get("paths")).items():
            item = self.resolved(given)
            if not isinstance(item, Mapping) or not str(path).startswith("/"):
                continue
            for method in METHODS:
                table = item.get(method)
                # One that stands in another file is not seen; `external` counts it.
                if isinstance(table, Mapping) and not isinstance(table.get("$ref"), str):
                    yield Operation(str(path), method, table, item)

    def parameters(self, operation: Operation) -> list[Mapping[str, Any]]:
        """Those of the path and of the operation, which comes first where both name one."""
        found: dict[tuple[str, str], Mapping[str, Any]] = {}
        for rows in (operation.item.get("parameters"), operation.table.get("parameters")):
            for given in rows if isinstance(rows, list) else ():
                row = self.resolved(given)
                if isinstance(row, Mapping):
                    found[(str(row.get("name")), str(row.get("in")))] = row
        return list(found.values())

    def responses(self, operation: Operation) -> dict[str, Mapping[str, Any]]:
        """By status as it is written: `200`, `4XX`, `default`."""
        rows = table_of(operation.table.get("responses"))
        return {str(status): table_of(self.resolved(row)) for status, row in rows.items() if not _extra(status)}

    def references(self) -> Iterator[str]:
        """Every `$ref`, each once; those inside examples are no references."""
        seen: set[str] = set()
        walked: set[int] = set()
        waiting: list[tuple[Any, str]] = [(self.root, "")]
        while waiting:
            value, name = waiting.pop()
            if isinstance(value, Mapping | list):
                if id(value) in walked:
                    continue
                walked.add(id(value))
            if isinstance(value, Mapping):
                given = value.get("$ref")
                if isinstance(given, str) and name != "properties" and given not in seen:
                    seen.add(given)
                    yield given
                waiting.extend((part, str(key)) for key, part in value.items() if key not in ("example", "examples"))
                # `examples` is a map of Example Objects, which may be references; what they hold is not looked into.
                rows = table_of(value.get("examples")).values()
                waiting.extend(
                    ({"$ref": row["$ref"]}, "") for row in rows if isinstance(row, Mapping) and "$ref" in row
                )
            elif isinstance(value, list):
                waiting.extend((part, "") for part in value)

    @property
    def external(self) -> list[str]:
        """References that lead out of the document. They are never followed."""
        return [each for each in self.references() if not each.startswith("#")]


def table_of(value: Any) -> Mapping[str, Any]:
    """The value if it is an object; an empty one otherwise."""
    return value if isinstance(value, Mapping) else {}


def _extra(name: Any) -> bool:
    return str(name).startswith("x-")


@lru_cache(maxsize=4)
def document_in(body: bytes) -> Document:
    """The document that the bytes hold.

    Raises:
        Unreadable: See `values_in`; also where the root is no object.
    """
    root = values_in(body)
    if not isinstance(root, Mapping):
        raise Unreadable("syntax", "it is no object")
    return Document(root)


def faults_of(document: Document) -> list[Fault]:
    """What is wrong with the document, whatever its author meant; external references are apart, in `external`."""
    return [fault for fault, _ in zip(_faults(document), range(_MOST_FAULTS), strict=False)]


def _faults(document: Document) -> Iterator[Fault]:
    if not _VERSION.fullmatch(document.version):
        yield Fault("openapi-version", "openapi is not a version 3.0, 3.1 or 3.2", "openapi")
    for name in ("title", "version"):
        given = document.info.get(name)
        if not isinstance(given, str) or not given.strip():
            yield Fault(f"info-{name}", f"info.{name} is missing, or no text", f"info.{name}")
    servers = document.root.get("servers", [])
    if not isinstance(servers, list) or not all(isinstance(table_of(row).get("url"), str) for row in servers):
        yield Fault("servers", "servers is no list of objects with a url", "servers")
    paths = document.root.get("paths")
    if not isinstance(paths, Mapping):
        yield Fault("paths", "paths is missing, or no object", "paths")
        return
    for path in paths:
        if not str(path).startswith("/") and not _extra(path):
            yield Fault("path-slash", "a path does not begin with /", f"paths.{str(path)[:80]}")
    ids: set[str] = set()
    count = 0
    for operation in document.operations():
        count += 1
        if operation.id and operation.id in ids:
            yield Fault("operation-id", f"{operation.name}: its operationId stands twice", operation.name)
        ids.add(operation.id)
        yield from _of_operation(document, operation)
    yield from _of_security(document)
    if not count and not document.external:
        yield Fault("no-operation", "no path has an operation", "paths")
    yield from _of_references(document)


def _of_operation(document: Document, operation: Operation) -> Iterator[Fault]:
    place = operation.name
    if not any(isinstance(operation.table.get(each), str) for each in ("summary", "description")):
        yield Fault("summary", f"{place}: has neither summary nor description", place)
    whole = all(row for row in document.parameters(operation))  # an empty one leads out of the document
    declared = {str(row.get("name")) for row in document.parameters(operation) if row.get("in") == "path"}
    for name in re.findall(r"\{([^{}/]{1,100})\}", operation.path):
        if whole and name not in declared:
            yield Fault("path-parameter", f"{place}: a parameter of the path is not declared", place)
    for row in document.parameters(operation):
        if not isinstance(row.get("name"), str) or row.get("in") not in ("path", "query", "header", "cookie"):
            if not row:  # it leads out of the document, and is counted there
                continue
            yield Fault("parameter", f"{place}: a parameter has no name, or stands nowhere", place)
        elif ("schema" in row) is ("content" in row):
            yield Fault("parameter-schema", f"{place}: a parameter has neither schema nor content, or both", place)
        elif row.get("in") == "path" and row.get("required") is not True:
            yield Fault("parameter-required", f"{place}: a parameter of the path is not said to be required", place)
    responses = document.responses(operation)
    if not responses:
        yield Fault("responses", f"{place}: names no response", place)
        return
    for status, response in responses.items():
        if not _STATUS.fullmatch(status):
            yield Fault("status", f"{place}: a response is named neither by status nor default", place)
        elif response and not isinstance(response.get("description"), str):
            yield Fault("response-description", f"{place}: response {status} has no description", f"{place} {status}")
        elif any("json" in str(kind) and "schema" not in table_of(row) for kind, row in _content(response)):
            yield Fault("schema", f"{place}: the JSON of response {status} has no schema", f"{place} {status}")
        for header in table_of(response.get("headers")).values():
            told = table_of(document.resolved(header))
            if told and ("schema" in told) is ("content" in told):
                message = f"{place}: a header of response {status} has neither schema nor content, or both"
                yield Fault("header-schema", message, f"{place} {status}")
    if not any(status[0] in "45d" for status in responses):
        yield Fault("error-response", f"{place}: says nothing of what happens on an error", place)


_FLOWS = {
    "implicit": ("authorizationUrl",),
    "password": ("tokenUrl",),
    "clientCredentials": ("tokenUrl",),
    "authorizationCode": ("authorizationUrl", "tokenUrl"),
}


def _of_security(document: Document) -> Iterator[Fault]:
    """Source: "OAuth Flows Object" (what each flow must have), "Security Requirement Object" (names are declared)."""
    schemes = table_of(table_of(document.root.get("components")).get("securitySchemes"))
    for name, given in schemes.items():
        flows = table_of(table_of(document.resolved(given)).get("flows"))
        for flow, needed in _FLOWS.items():
            missing = [
                each for each in needed if flow in flows and not isinstance(table_of(flows[flow]).get(each), str)
            ]
            if missing:
                place = f"components.securitySchemes.{str(name)[:80]}"
                yield Fault("oauth-flow", f"the OAuth flow {flow} lacks {missing[0]}", place)
    wanted = [document.root.get("security"), *(each.table.get("security") for each in document.operations())]
    for rows in wanted:
        for row in rows if isinstance(rows, list) else ():
            if any(name not in schemes for name in table_of(row)):
                yield Fault("security-scheme", "a security requirement names a scheme that is not declared", "security")


def _content(response: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return list(table_of(response.get("content")).items())


def _of_references(document: Document) -> Iterator[Fault]:
    for reference in document.references():
        if not reference.startswith("#"):
            continue
        target = document.at(reference)
        if target is None:
            yield Fault("reference", "a reference leads nowhere in the document", reference[:120])
        elif isinstance(target, Mapping) and "$ref" in target and document.resolved(target) == {}:
            last = target.get("$ref")
            if isinstance(last, str) and last.startswith("#"):
                yield Fault("reference-circle", "a reference leads to itself", reference[:120])


def leads(reference: str) -> str:
    """Where an external reference leads: `file`, `elsewhere` or `beside`.

    >>> leads("file:///etc/passwd"), leads("https://x.example/a.yaml"), leads("schemas/Patient.yaml")
    ('file', 'elsewhere', 'beside')
    """
    try:
        scheme = urlsplit(reference).scheme
    except ValueError:
        return "elsewhere"
    if scheme == "file":
        return "file"
    return "elsewhere" if scheme or reference.startswith("//") else "beside"
