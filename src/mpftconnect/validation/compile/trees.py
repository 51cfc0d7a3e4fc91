"""Profiles and types as trees, made from the definitions that are loaded; each once."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from mpftconnect.errors import DefinitionBroken, PackageNotFound
from mpftconnect.validation.compile.element import Element, TypeRef
from mpftconnect.validation.compile.facets import apply_facets
from mpftconnect.validation.compile.placing import Placing
from mpftconnect.validation.definitions.store import CORE, Definitions

__all__ = ["Trees"]

_MOST_ELEMENTS = 50_000
_DEEPEST = 64


class Trees:
    """The tree of each structure, by canonical address. Trees that are handed out are shared: never change one."""

    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions
        self._trees: dict[str, Element] = {}
        self._building: list[str] = []
        self._lock = threading.RLock()

    def tree(self, canonical: str, *, from_differential: bool = False) -> Element:
        """The tree of a profile or type.

        Args:
            canonical: Its address, with or without a version.
            from_differential: Ignore a published snapshot of this structure (tests compare the two).
        Raises:
            PackageNotFound: The structure, or one that it is based on, is not loaded.
            DefinitionBroken: It contradicts itself or is based on itself.
        """
        key = f"{canonical}!" if from_differential else canonical
        found = self._trees.get(key)
        if found is not None:
            return found
        with self._lock:
            found = self._trees.get(key)
            if found is None:
                found = self._trees[key] = self._build(canonical, from_differential)
            return found

    def type_tree(self, code: str) -> Element:
        """The tree of a FHIR type (`Patient`, `HumanName`), or of a logical model named by its address."""
        return self.tree(code if ":" in code else CORE + code)

    def has_type(self, code: str) -> bool:
        """Whether a type is defined."""
        return self.definitions.structure(code if ":" in code else CORE + code) is not None

    def _build(self, canonical: str, from_differential: bool) -> Element:
        definition = self.definitions.structure(canonical)
        if definition is None:
            raise PackageNotFound(f"no loaded package defines {canonical}")
        if "#" in canonical:
            url, _, element_id = canonical.partition("#")
            return self._inside(self.tree(url), element_id)
        if canonical in self._building or len(self._building) > _DEEPEST:
            raise DefinitionBroken(f"{canonical} is based on itself")
        self._building.append(canonical)
        try:
            return self.build(definition, from_differential=from_differential)
        finally:
            self._building.pop()

    def _inside(self, root: Element, element_id: str) -> Element:
        """The element of a tree that has an id such as `Composition.section:codeA`."""
        element = root
        for step in element_id.split(".")[1:]:
            name, _, slice_name = step.partition(":")
            found = (element.children or {}).get(name)
            if found is not None and slice_name:
                found = found.slices.get(slice_name)
            if found is None:
                raise DefinitionBroken(f"{root.origin} has no element {element_id}")
            element = found
        return element

    def build(self, definition: Mapping[str, Any], *, from_differential: bool = False) -> Element:
        """The tree of a structure that is given, made anew."""
        rows = _rows(definition, "snapshot")
        url = str(definition.get("url", ""))
        if rows and not from_differential:
            return self._from_snapshot(rows, definition, url)
        base = definition.get("baseDefinition")
        differential = _rows(definition, "differential")
        if not isinstance(base, str):
            if not rows and not differential:
                raise DefinitionBroken(f"{url}: neither a snapshot, nor a base to build one from")
            return self._from_snapshot(rows or differential, definition, url)
        if definition.get("derivation") == "specialization" and definition.get("kind") == "logical":
            return self._logical(differential, definition, url, base)
        root = self.tree(base).clone()
        root.origin = url
        placing = Placing(root, self.unfold, differential)
        for row in differential:
            try:
                element = placing.place(row, snapshot=False)
            except DefinitionBroken as error:
                # A row about an element that its type does not have can never hold or fail. It is kept as a problem.
                root.problems.append(str(error))
                continue
            before = [(t.code, t.profiles) for t in element.types]
            apply_facets(element, row, url, snapshot=False)
            if (
                element.children is not None
                and element is not root
                and before != [(t.code, t.profiles) for t in element.types]
            ):
                element.children = None
        return root

    def _from_snapshot(self, rows: list[dict[str, Any]], definition: Mapping[str, Any], url: str) -> Element:
        name = str(rows[0].get("path", "")).split(".")[0]
        root = Element(name, name, origin=url)
        placing = Placing(root, lambda element: None)
        for row in rows:
            element = placing.place(row, snapshot=True)
            apply_facets(element, row, url, snapshot=True)
            base = row.get("base")
            if element.slice_name is None:
                most = base.get("max") if isinstance(base, Mapping) else None
                element.is_list = (
                    most not in ("0", "1") if isinstance(most, str) else element.max is None or element.max > 1
                )
        if definition.get("derivation") == "constraint":
            self._lists_as_in_type(root, definition)
        return root

    def _lists_as_in_type(self, root: Element, definition: Mapping[str, Any]) -> None:
        """Rows of old tools lack `base`: whether an element repeats is then what its type says."""
        code = definition.get("type")
        rows = _rows(definition, "snapshot")
        if (
            not isinstance(code, str)
            or not self.has_type(code)
            or all("base" in row for row in rows if "." in row["path"])
        ):
            return
        own = self.type_tree(code)
        for name, child in (root.children or {}).items():
            known = (own.children or {}).get(name)
            if known is not None:
                child.is_list = known.is_list

    def _logical(self, rows: list[dict[str, Any]], definition: Mapping[str, Any], url: str, base: str) -> Element:
        """A logical model that is only a differential: its own elements after those of its base."""
        name = str(rows[0].get("path", "")).split(".")[0] if rows else str(definition.get("name", ""))
        try:
            inherited = self.tree(base).clone()
        except PackageNotFound:
            inherited = Element(name, name)
        root = self._from_snapshot(rows, {**definition, "derivation": "specialization"}, url)
        root.children = {**(inherited.children or {}), **(root.children or {})}
        return root

    def unfold(self, element: Element) -> None:
        """Give an element the children of its type (or of what it refers to), to be constrained further."""
        if element.children is not None:
            return
        if element.content_reference:
            source = self.referred(element)
        elif len(element.types) == 1:
            ref = element.types[0]
            source = self.tree(ref.profiles[0]) if self._profiled(ref) else self.type_tree(ref.code)
        elif "." in element.path and element.types:
            source = self.type_tree("Element")
        else:
            return
        self.unfold(source) if source.content_reference else None
        element.children = {name: child.clone() for name, child in (source.children or {}).items()}
        for key, constraint in source.constraints.items():
            element.constraints.setdefault(key, constraint)

    def _profiled(self, ref: TypeRef) -> bool:
        """Whether a type's one profile says what is inside: seen is a Reference with the profile of its target."""
        definition = self.definitions.structure(ref.profiles[0]) if len(ref.profiles) == 1 else None
        if definition is None:
            return False
        return ref.code != "Reference" or definition.get("type") in ("Reference", None)

    def referred(self, element: Element) -> Element:
        """The element that a content reference means (`#Questionnaire.item`)."""
        reference = element.content_reference or ""
        url, _, path = reference.partition("#")
        names = path.split(".")
        target = self.tree(url) if url else self.type_tree(names[0])
        for name in names[1:]:
            child = (target.children or {}).get(name.split(":")[0])
            if child is None:
                raise DefinitionBroken(f"{element.path} refers to {path}, which is not there")
            target = child
        return target


def _rows(definition: Mapping[str, Any], view: str) -> list[dict[str, Any]]:
    part = definition.get(view)
    rows = part.get("element") if isinstance(part, Mapping) else None
    if not isinstance(rows, list):
        return []
    rows = [row for row in rows if isinstance(row, dict) and isinstance(row.get("path"), str)]
    if len(rows) > _MOST_ELEMENTS:
        raise DefinitionBroken(f"{definition.get('url')}: more than {_MOST_ELEMENTS} elements")
    return rows
