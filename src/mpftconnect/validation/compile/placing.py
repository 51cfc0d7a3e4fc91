"""Where a row of a snapshot or differential belongs in the tree: by path, slice name and order.

Element ids would say it too, but STU3 tools wrote ids of their own, so the order of rows (which the
specification fixes: each slice is followed by its own children) is what is trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mpftconnect.errors import DefinitionBroken
from mpftconnect.validation.compile.element import Discriminator, Element, Slicing, TypeRef
from mpftconnect.validation.compile.facets import read_types

__all__ = ["Placing", "choice_of", "type_of_choice"]

_BY_URL = Slicing((Discriminator("value", "url"),))
_BY_TYPE = Slicing((Discriminator("type", "$this"),))


def choice_of(children: Mapping[str, Element], name: str) -> Element | None:
    """The choice element (`value[x]`) that a typed name (`valueQuantity`) belongs to."""
    for child in children.values():
        if (
            child.is_choice
            and len(name) > len(child.stem)
            and name.startswith(child.stem)
            and name[len(child.stem)].isupper()
        ):
            return child
    return None


def type_of_choice(element: Element, name: str) -> TypeRef | None:
    """Which of a choice's types a typed name or slice name means."""
    tail = name[len(element.stem) :]
    for ref in element.types:
        if ref.code[:1].upper() + ref.code[1:] == tail:
            return ref
    return None


class Placing:
    """Walks rows in order and gives the element that each one is about, making slices where it is a new one."""

    def __init__(
        self, root: Element, unfold: Callable[[Element], None], rows: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        self.root = root
        self._unfold = unfold
        self._rows = rows
        self._number = -1
        self._open: list[tuple[str, Element]] = [(root.path, root)]
        self._regions: dict[str, tuple[int, int]] = {}
        self._stated: dict[tuple[str, int, str, str], list[str] | None] = {}

    def place(self, row: Mapping[str, Any], *, snapshot: bool) -> Element:
        """The element of a row."""
        self._number += 1
        path = row.get("path")
        if not isinstance(path, str) or not path:
            raise DefinitionBroken(f"{self.root.path}: an element without a path")
        slice_name = row.get("sliceName")
        if not isinstance(slice_name, str) or not slice_name:
            slice_name = None
        if "." not in path:
            return self.root
        parent_path, _, name = path.rpartition(".")
        parent = self._parent(parent_path)
        element = (
            self._snapshot_child(parent, name, slice_name, row)
            if snapshot
            else self._child(parent, name, slice_name, row)
        )
        self._open.append((path, element))
        return element

    def _parent(self, path: str) -> Element:
        while len(self._open) > 1 and self._open[-1][0] != path:
            above = self._open[-1][0]
            if path.startswith(above + "."):
                break
            self._open.pop()
        above, element = self._open[-1]
        if above == path:
            return element
        if len(self._open) == 1:
            above = path.split(".")[0]
        for name in path[len(above) + 1 :].split("."):
            above = f"{above}.{name}"
            element = self._child(element, name, None, {})
            self._open.append((above, element))
        return element

    def _child(self, parent: Element, name: str, slice_name: str | None, row: Mapping[str, Any]) -> Element:
        self._unfold(parent)
        children = parent.children if parent.children is not None else {}
        element = children.get(name)
        if element is None:
            choice = children.get(name + "[x]") or choice_of(children, name)
            if choice is None:
                raise DefinitionBroken(f"{parent.path}.{name} is not an element of {parent.path}")
            if choice.name != name + "[x]":
                if slice_name in (None, name) and not choice.slices:
                    # By the row's own path: the path of an unfolded parent begins at its type.
                    above = str(row.get("path") or parent.path).rpartition(".")[0] or parent.path
                    stated = self._types_stated(above, choice, name)
                    if stated is not None:
                        return self._narrowed(choice, name, stated)
                return self._typed(choice, name, slice_name or name)
            element = choice
        if slice_name is None:
            return element
        if element.is_choice and element.slicing is None:
            element.slicing = _BY_TYPE
        if element.is_choice and slice_name not in element.slices and "type" not in row:
            ref = type_of_choice(element, slice_name)
            if ref is not None:
                return self._typed(element, slice_name, slice_name)
        return self._slice(element, slice_name)

    def _types_stated(self, parent_path: str, choice: Element, name: str) -> list[str] | None:
        """Typed names under which this differential speaks of a choice; None if it has a row for the choice itself.

        `Observation.valueQuantity` alone means that no other type is allowed (R4 "Profiling", 5.1.0.11; STU3 5.1.0.8).
        """
        start, end = self._region(parent_path)
        key = (parent_path, start, choice.name, name)
        if key not in self._stated:
            self._stated[key] = self._names_stated(parent_path, choice, name, start, end)
        return self._stated[key]

    def _region(self, parent_path: str) -> tuple[int, int]:
        """The rows around the one at hand that are under a parent; remembered, or each would look for all of them."""
        known = self._regions.get(parent_path)
        if known is not None and known[0] <= self._number < known[1]:
            return known
        start, end = self._number, self._number + 1
        while start > 0 and str(self._rows[start - 1].get("path")).startswith(parent_path + "."):
            start -= 1
        while end < len(self._rows) and str(self._rows[end].get("path")).startswith(parent_path + "."):
            end += 1
        self._regions[parent_path] = (start, end)
        return start, end

    def _names_stated(self, parent_path: str, choice: Element, name: str, start: int, end: int) -> list[str] | None:
        names = [name]
        for at in (*range(self._number - 1, start - 1, -1), *range(self._number + 1, end)):
            tail = str(self._rows[at].get("path"))[len(parent_path) + 1 :]
            if tail == choice.name:
                return None
            if "." not in tail and choice_of({choice.name: choice}, tail) is not None and tail not in names:
                names.append(tail)
        return names

    def _narrowed(self, choice: Element, name: str, stated: list[str]) -> Element:
        refs = [ref for one in stated if (ref := type_of_choice(choice, one)) is not None]
        if not refs:
            raise DefinitionBroken(f"{choice.path} has no type for {name}")
        if len(refs) == 1:
            if choice.types != (refs[0],):
                choice.types, choice.children = (refs[0],), None
            return choice
        element = self._typed(choice, name, name)
        choice.types = tuple(refs)
        return element

    def _typed(self, choice: Element, name: str, slice_name: str) -> Element:
        """`valueQuantity`: what is said of the choice where it has that type."""
        if choice.slicing is None:
            choice.slicing = _BY_TYPE
        ref = type_of_choice(choice, name)
        element = self._slice(choice, slice_name)
        if ref is None:
            if len(element.types) == 1:
                return element
            raise DefinitionBroken(f"{choice.path} has no type for {name}")
        if element.types != (ref,) and ref.code not in [t.code for t in element.types if len(element.types) == 1]:
            element.types = (ref,)
            element.children = None
        return element

    def _slice(self, element: Element, slice_name: str) -> Element:
        holder = element
        parts = slice_name.split("/")
        for depth in range(1, len(parts)):
            upper = "/".join(parts[:depth])
            if upper in holder.slices:
                holder = holder.slices[upper]
        found = holder.slices.get(slice_name)
        if found is not None:
            return found
        if holder.slicing is None and element.name in ("extension", "modifierExtension"):
            holder.slicing = _BY_URL
        made = holder.clone(with_slices=False)  # not those before it, or each slice would cost more than the last
        made.slicing, made.slice_name, made.min = None, slice_name, 0
        made.must_support = False  # of the element; of the slice only if its own row says so
        holder.slices[slice_name] = made
        return made

    # -- published snapshots: every element has a row

    def _snapshot_child(self, parent: Element, name: str, slice_name: str | None, row: Mapping[str, Any]) -> Element:
        if parent.children is None:
            parent.children = {}
        children = parent.children
        element = children.get(name)
        if element is None and not name.endswith("[x]"):
            choice = choice_of(children, name)
            if choice is not None:
                return self._snapshot_slice(choice, slice_name or name)
            base = row.get("base")
            original = base.get("path") if isinstance(base, Mapping) else None
            if isinstance(original, str) and original.endswith("[x]"):
                # STU3: a choice that is constrained to one type is renamed.
                made = Element(original.rpartition(".")[2], f"{parent.path}.{original.rpartition('.')[2]}")
                made.types = read_types(row.get("type"))
                children[made.name] = made
                return made
        if element is None:
            element = children[name] = Element(name, f"{parent.path}.{name}")
            return element
        if slice_name is None:
            slice_name = f"@{len(element.slices) + 1}"
        return self._snapshot_slice(element, slice_name)

    def _snapshot_slice(self, element: Element, slice_name: str) -> Element:
        holder = element
        parts = slice_name.split("/")
        for depth in range(1, len(parts)):
            upper = "/".join(parts[:depth])
            if upper in holder.slices:
                holder = holder.slices[upper]
        if holder.slicing is None:
            if element.name in ("extension", "modifierExtension"):
                holder.slicing = _BY_URL
            elif element.is_choice:
                holder.slicing = _BY_TYPE
        made = Element(element.name, element.path, is_list=element.is_list, slice_name=slice_name)
        holder.slices[slice_name] = made
        return made
