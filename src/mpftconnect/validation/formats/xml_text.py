"""XML as FHIR has it, turned into the JSON form by the definitions' types; mistakes of the XML are kept.

Read with expat: a document type, an entity or a processing instruction for style is refused where it is an
attack, so nothing is expanded or fetched (FHIR R4 "XML", security). Depth and number of nodes are limited.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from mpftconnect.errors import DefinitionBroken, PackageNotFound
from mpftconnect.validation.compile.element import Element
from mpftconnect.validation.compile.placing import choice_of
from mpftconnect.validation.compile.trees import Trees
from mpftconnect.validation.formats.json_text import DEEPEST, Careful, Problem
from mpftconnect.validation.shown import name_told

__all__ = ["read_xml"]

FHIR = "http://hl7.org/fhir"
XHTML = "http://www.w3.org/1999/xhtml"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)|[1-9][0-9]*")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_MOST_NODES = 20_000_000
_MOST_PROBLEMS = 1000


@dataclass(slots=True)
class _Node:
    namespace: str
    name: str
    attributes: dict[str, str]
    line: int
    column: int
    children: list[_Node | str] = field(default_factory=list)


class _Refused(Exception):
    pass


class _Builder:
    def __init__(self) -> None:
        self.root: _Node | None = None
        self._open: list[_Node] = []
        self._count = 0
        self._parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._doctype
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def read(self, data: bytes) -> _Node:
        self._parser.Parse(data, True)
        if self.root is None:
            raise _Refused("holds no element")
        return self.root

    def where(self) -> tuple[int, int]:
        return self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1

    def _doctype(self, *ignored: object) -> None:
        raise _Refused("has a document type declaration, which is not allowed")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        line, column = self.where()
        node = _Node(namespace, local, attributes, line, column)
        self._count += 1
        if len(self._open) >= DEEPEST or self._count > _MOST_NODES:
            raise _Refused(f"is nested deeper than {DEEPEST} levels, or has too many elements")
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def _end(self, name: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        if self._open:
            self._open[-1].children.append(text)


def read_xml(data: bytes, trees: Trees) -> Careful:
    """Read a resource from XML into the JSON form.

    Args:
        data: UTF-8 (or as its declaration says).
        trees: Types, by which lists, primitives and choices are told apart.
    """
    result = Careful()
    builder = _Builder()
    try:
        node = builder.read(data)
    except expat.ExpatError as error:
        result.problems.append(
            Problem(
                "xml-syntax", (), error.lineno, error.offset + 1, f"is not well-formed: {expat.ErrorString(error.code)}"
            )
        )
        return result
    except _Refused as refused:
        line, column = builder.where()
        result.problems.append(Problem("xml-syntax", (), line, column, str(refused)))
        return result
    except (LookupError, ValueError):
        result.problems.append(Problem("encoding", (), 1, 1, "names an encoding that cannot be read"))
        return result
    _Converter(trees, result).document(node)
    return result


class _Converter:
    def __init__(self, trees: Trees, result: Careful) -> None:
        self._trees = trees
        self._result = result
        self._primitive: dict[str, bool] = {}

    def _problem(self, rule: str, pointer: tuple[str | int, ...], node: _Node, message: str) -> None:
        if len(self._result.problems) < _MOST_PROBLEMS:
            self._result.problems.append(Problem(rule, pointer, node.line, node.column, message))

    def _unknown(self, pointer: tuple[str | int, ...], node: _Node, known: Iterable[str] = ()) -> None:
        if len(self._result.problems) >= _MOST_PROBLEMS:  # each costs a comparison with all names
            return
        told = f"has an element that is no part of its type: a name {name_told(node.name, known)}"
        self._problem("element-unknown", pointer, node, told)

    def _unknown_attribute(self, pointer: tuple[str | int, ...], node: _Node, name: str) -> None:
        told = f"has an attribute that is no part of its type: a name {name_told(name)}"
        self._problem("xml-attribute", pointer, node, told)

    def document(self, node: _Node) -> None:
        self._result.value = self._resource(node, ())

    def _resource(self, node: _Node, pointer: tuple[str | int, ...]) -> dict[str, Any]:
        self._result.positions.setdefault(pointer, (node.line, node.column))
        if node.namespace != FHIR:
            # Logical models have namespaces of their own.
            self._problem("xml-namespace", pointer, node, f"must be of the namespace {FHIR}") if not self._logical(
                node
            ) else None
        tree = self._type(node.name)
        if tree is None:
            return {"resourceType": node.name}
        return {"resourceType": node.name, **self._object(node, tree, pointer)}

    def _logical(self, node: _Node) -> bool:
        return not self._trees.has_type(node.name)

    def _type(self, code: str) -> Element | None:
        try:
            return self._trees.type_tree(code)
        except (PackageNotFound, DefinitionBroken):
            return None

    def _is_primitive(self, code: str) -> bool:
        known = self._primitive.get(code)
        if known is None:
            definition = self._trees.definitions.structure("http://hl7.org/fhir/StructureDefinition/" + code)
            known = self._primitive[code] = bool(definition) and definition.get("kind") == "primitive-type"  # type: ignore[union-attr]
        return known

    def _children_of(self, element: Element, code: str) -> dict[str, Element]:
        if element.children is not None:
            return element.children
        if element.content_reference:
            return self._trees.referred(element).children or {}
        tree = self._type(code)
        return (tree.children or {}) if tree else {}

    def _object(self, node: _Node, element: Element, pointer: tuple[str | int, ...], code: str = "") -> dict[str, Any]:
        children = self._children_of(element, code)
        order = {name: index for index, name in enumerate(children)}
        out: dict[str, Any] = {}
        self._attributes(node, children, out, pointer)
        last = -1
        for item in node.children:
            if isinstance(item, str):
                if item.strip():
                    self._problem("xml-text", pointer, node, "holds text; in FHIR values are attributes")
                continue
            name = item.name
            spec = children.get(name)
            if spec is None or spec.is_choice:
                spec = choice_of(children, name)
            if spec is None:
                self._unknown(pointer, item, children)
                continue
            wanted = XHTML if any(t.code == "xhtml" for t in spec.types) else FHIR
            if item.namespace != wanted and node.namespace == FHIR:
                self._problem("xml-namespace", (*pointer, name), item, f"must be of the namespace {wanted}")
            place = order[spec.name]
            if place < last:
                self._problem("xml-order", pointer, item, f"has {spec.name} out of order")
            last = max(last, place)
            self._child(item, spec, name, out, pointer)
        self._pad(out)
        return out

    def _attributes(
        self, node: _Node, children: dict[str, Element], out: dict[str, Any], pointer: tuple[str | int, ...]
    ) -> None:
        for full, value in node.attributes.items():
            space, _, name = full.rpartition(" ")
            spec = children.get(name)
            if not space and spec is not None and (spec.xml_attribute or name in ("id", "url")):
                out[name] = value
            elif space != _XSI:
                self._unknown_attribute(pointer, node, name)

    def _child(
        self, node: _Node, spec: Element, name: str, out: dict[str, Any], pointer: tuple[str | int, ...]
    ) -> None:
        code = self._code(spec, name)
        inner: tuple[str | int, ...] = (*pointer, name)
        many = spec.is_list
        if many:
            inner = (*inner, max(len(out.get(name, ())), len(out.get("_" + name, ()))))
        elif name in out or "_" + name in out:
            # Written twice though it does not repeat: kept as a list, which the cardinality check sees.
            previous = out.get(name)
            out[name] = previous if isinstance(previous, list) else [previous]
            inner, many = (*inner, len(out[name])), True
        self._result.positions.setdefault(inner, (node.line, node.column))
        if code == "xhtml":
            out[name] = _serialise(node)
        elif code in ("Resource", "DomainResource") or (
            code and self._trees.has_type(code) and self._is_resource(code)
        ):
            resources = [item for item in node.children if isinstance(item, _Node)]
            for item in resources:
                converted = self._resource(item, inner)
                self._put(out, name, converted, many or len(resources) > 1)
            if not resources:
                self._put(out, name, {}, many)
        elif self._is_primitive(code):
            self._primitive_child(node, code, name, out, inner, many)
        else:
            self._put(out, name, self._object(node, spec, inner, code), many)

    def _is_resource(self, code: str) -> bool:
        definition = self._trees.definitions.structure("http://hl7.org/fhir/StructureDefinition/" + code)
        return definition is not None and definition.get("kind") == "resource"

    @staticmethod
    def _put(out: dict[str, Any], name: str, value: Any, many: bool) -> None:
        if many:
            held = out.setdefault(name, [])
            if isinstance(held, list):
                held.append(value)
            else:
                out[name] = [held, value]
        else:
            out[name] = value

    @staticmethod
    def _code(spec: Element, name: str) -> str:
        if len(spec.types) == 1:
            return spec.types[0].code
        for ref in spec.types:
            if name == spec.stem + ref.code[:1].upper() + ref.code[1:]:
                return ref.code
        return ""

    def _primitive_child(
        self, node: _Node, code: str, name: str, out: dict[str, Any], pointer: tuple[str | int, ...], many: bool
    ) -> None:
        value: Any = None
        extra: dict[str, Any] = {}
        for full, text in node.attributes.items():
            if full == "value":
                value = _typed(code, text)
            elif full == "id":
                extra["id"] = text
            elif not full.startswith(_XSI):
                self._unknown_attribute(pointer, node, full.rpartition(" ")[2])
        for item in node.children:
            if isinstance(item, str):
                if item.strip():
                    self._problem("xml-text", pointer, node, "holds text; in FHIR values are attributes")
            elif item.name == "extension":
                tree = self._type("Extension")
                extensions = extra.setdefault("extension", [])
                if tree is not None:
                    inner = (*pointer, "extension", len(extensions))
                    self._result.positions.setdefault(inner, (item.line, item.column))
                    extensions.append(self._object(item, tree, inner, "Extension"))
            else:
                self._unknown(pointer, item)
        if value is None and not extra:
            self._problem("element-empty", pointer, node, "must have a value or an extension (ele-1)")
        if many:
            values, extras = out.setdefault(name, []), out.setdefault("_" + name, [])
            values.append(value)
            extras.append(extra or None)
        else:
            if value is not None:
                out[name] = value
            if extra:
                out["_" + name] = extra

    @staticmethod
    def _pad(out: dict[str, Any]) -> None:
        """Lists of primitives: leave out the list that holds nothing."""
        for key in [k for k in out if k.startswith("_") and isinstance(out[k], list)]:
            if all(item is None for item in out[key]):
                del out[key]
            values = out.get(key[1:])
            if isinstance(values, list) and values and all(item is None for item in values) and key in out:
                del out[key[1:]]


def _typed(code: str, text: str) -> Any:
    if code == "boolean" and text in ("true", "false"):
        return text == "true"
    if code in ("integer", "positiveInt", "unsignedInt") and len(text) < 30 and _INTEGER.fullmatch(text):
        return int(text)
    if code == "decimal" and _DECIMAL.fullmatch(text):
        with suppress(InvalidOperation):  # an exponent beyond what can be held: left as text, which is no decimal
            return Decimal(text)
    return text


def _serialise(node: _Node) -> str:
    """A narrative as text again, with the namespaces that its elements have."""
    pieces: list[str] = []

    def write(item: _Node | str, outer: str) -> None:
        if isinstance(item, str):
            pieces.append(escape(item))
            return
        pieces.append(f"<{item.name}")
        if item.namespace != outer:
            pieces.append(f" xmlns={quoteattr(item.namespace)}")
        for full, value in item.attributes.items():
            space, _, name = full.rpartition(" ")
            prefix = "xml:" if space == "http://www.w3.org/XML/1998/namespace" else ""
            pieces.append(f" {prefix}{name}={quoteattr(value)}")
        pieces.append(">")
        for inner in item.children:
            write(inner, item.namespace)
        pieces.append(f"</{item.name}>")

    write(node, "")
    return "".join(pieces)
