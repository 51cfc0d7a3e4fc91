"""A profile as a tree: what is required of each element, and of each slice of it.

The tree is what a snapshot says, keyed by name instead of by row. It is built from a published snapshot or
from a chain of differentials, unfolds into a data type only where a profile constrains inside it, and can be
printed as JSON (`Element.to_json`), which tests pin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["Binding", "Constraint", "Discriminator", "Element", "Slicing", "TypeRef"]


@dataclass(frozen=True, slots=True)
class TypeRef:
    """One allowed type: its code, the profiles it must fit (any of them), and where a reference may point."""

    code: str
    profiles: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    aggregation: tuple[str, ...] = ()
    versioning: str | None = None

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {"code": self.code}
        for name in ("profiles", "targets", "aggregation"):
            if getattr(self, name):
                out[name] = list(getattr(self, name))
        if self.versioning and self.versioning != "either":
            out["versioning"] = self.versioning
        return out


@dataclass(frozen=True, slots=True)
class Binding:
    strength: str
    value_set: str | None
    max_value_set: str | None = None


@dataclass(frozen=True, slots=True)
class Constraint:
    key: str
    severity: str
    expression: str | None
    human: str
    source: str | None = None
    best_practice: bool = False


@dataclass(frozen=True, slots=True)
class Discriminator:
    type: str
    path: str


@dataclass(frozen=True, slots=True)
class Slicing:
    discriminators: tuple[Discriminator, ...]
    rules: str = "open"
    ordered: bool = False


@dataclass(slots=True)
class Element:
    """What a profile says of one element, or of one slice."""

    name: str
    path: str
    min: int = 0
    max: int | None = 1  # None: any number
    types: tuple[TypeRef, ...] = ()
    is_list: bool = False
    slice_name: str | None = None
    content_reference: str | None = None
    fixed: tuple[str, Any] | None = None
    pattern: tuple[str, Any] | None = None
    min_value: tuple[str, Any] | None = None
    max_value: tuple[str, Any] | None = None
    max_length: int | None = None
    min_length: int | None = None
    binding: Binding | None = None
    constraints: dict[str, Constraint] = field(default_factory=dict)
    is_modifier: bool = False
    must_support: bool = False
    must_have_value: bool = False
    xml_attribute: bool = False
    slicing: Slicing | None = None
    slices: dict[str, Element] = field(default_factory=dict)
    # None: as the type says. A profile that constrains inside the element unfolds it.
    children: dict[str, Element] | None = None
    extensions: dict[str, Any] = field(default_factory=dict)
    origin: str = ""
    # Rows of the profile that could not be used, each with its reason (roots only).
    problems: list[str] = field(default_factory=list)

    def clone(self, *, with_slices: bool = True) -> Element:
        """A copy that can be changed without changing this one."""
        copy = replace(self)
        copy.constraints = dict(self.constraints)
        copy.slices = {name: piece.clone() for name, piece in self.slices.items()} if with_slices else {}
        copy.extensions = dict(self.extensions)
        copy.problems = list(self.problems)
        if self.children is not None:
            copy.children = {name: child.clone() for name, child in self.children.items()}
        return copy

    @property
    def is_choice(self) -> bool:
        """Whether the element is written under one name for each type (`value[x]`)."""
        return self.name.endswith("[x]")

    @property
    def stem(self) -> str:
        """The name without `[x]`."""
        return self.name.removesuffix("[x]")

    def to_json(self) -> dict[str, Any]:
        """The tree as JSON: only what is said, in a fixed order."""
        out: dict[str, Any] = {"min": self.min, "max": "*" if self.max is None else self.max}
        if self.slice_name:
            out["slice"] = self.slice_name
        if self.types:
            out["types"] = [t.to_json() for t in self.types]
        if self.content_reference:
            out["contentReference"] = self.content_reference
        for name in ("fixed", "pattern", "min_value", "max_value"):
            found = getattr(self, name)
            if found is not None:
                out[name] = {found[0]: found[1]}
        if self.max_length is not None:
            out["max_length"] = self.max_length
        if self.binding is not None:
            out["binding"] = {"strength": self.binding.strength, "valueSet": self.binding.value_set}
        if self.constraints:
            out["constraints"] = {k: c.expression for k, c in sorted(self.constraints.items())}
        if self.is_modifier:
            out["modifier"] = True
        if self.must_support:
            out["must_support"] = True
        if self.slicing is not None:
            out["slicing"] = {
                "by": [f"{d.type}:{d.path}" for d in self.slicing.discriminators],
                "rules": self.slicing.rules,
                **({"ordered": True} if self.slicing.ordered else {}),
            }
        if self.slices:
            out["slices"] = {name: piece.to_json() for name, piece in self.slices.items()}
        if self.children is not None:
            out["children"] = {name: child.to_json() for name, child in self.children.items()}
        return out


def first_value(source: Mapping[str, Any], prefix: str) -> tuple[str, Any] | None:
    """A choice such as `fixed[x]`: its type as written (`Uri`) and value."""
    for key, value in source.items():
        if key.startswith(prefix) and len(key) > len(prefix) and key[len(prefix)].isupper():
            return key[len(prefix) :], value
    return None
