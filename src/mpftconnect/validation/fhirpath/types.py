"""What the engine knows of FHIR's types: the elements of each, their types, and which type specialises which.

`TypeProvider` is the seam: whoever has the definitions at hand (a validator) passes its own. `core_types` reads the
small tables that come with the engine, made from the official definitions by `scripts/fhirpath_types.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

from mpftconnect.errors import FhirPathError

__all__ = ["Element", "TypeProvider", "Types", "Version", "core_types"]

Version: TypeAlias = Literal["4.0", "3.0"]

SYSTEM_TYPES = frozenset(
    f"System.{name}"
    for name in ("Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity", "Any")
)
# Of elements of these types, only the instance says which type it is.
ABSTRACT = frozenset(("Resource", "DomainResource", "Element", "BackboneElement"))


class Element(NamedTuple):
    """One element: `value[x]` has the name `value`, `choice` set, and each type that it may have."""

    name: str
    types: tuple[str, ...]
    many: bool = False
    choice: bool = False

    @property
    def members(self) -> tuple[tuple[str, str], ...]:
        """The JSON member for each type: `(("valueString", "string"), ...)`, or `(("name", "HumanName"),)`."""
        if not self.choice:
            return ((self.name, self.types[0]),)
        return tuple((self.name + kind[0].upper() + kind[1:], kind) for kind in self.types)


@runtime_checkable
class TypeProvider(Protocol):
    """How the engine learns types. Names are FHIR's; the type of a nested element is its path: `Patient.contact`."""

    def elements(self, name: str) -> Mapping[str, Element] | None:
        """Each element of a type by name, inherited ones included; None where the type is not known.

        A primitive type has `id` and `extension`.
        """

    def base(self, name: str) -> str | None:
        """The type that this one specialises, None for the topmost: `code` gives `string`."""


class _Tables:
    """The types of one FHIR version, each read from its table when it is first asked for."""

    def __init__(self, text: str) -> None:
        self._written: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._known: dict[str, Mapping[str, Element]] = {}
        for block in text.replace("\n ", "\0").splitlines():
            head, *members = block.split("\0")
            name, _, base = head.partition(" ")
            self._written[name] = (base, tuple(members))

    def base(self, name: str) -> str | None:
        known = self._written.get(name)
        return known[0] or None if known is not None else None

    def elements(self, name: str) -> Mapping[str, Element] | None:
        if name in self._known:
            return self._known[name]
        if name not in self._written:
            return None
        base, members = self._written[name]
        found = dict((self.elements(base) if base else None) or {})
        for member in members:
            path, _, kinds = member.partition(" ")
            short = path.removesuffix("[x]")
            types = tuple(kinds.removesuffix("*").split("|"))
            found[short] = Element(short, types, kinds.endswith("*"), path != short)
        self._known[name] = found
        return found


@lru_cache(maxsize=2)
def core_types(version: Version) -> TypeProvider:
    """The types of FHIR R4 (`"4.0"`) or STU3 (`"3.0"`).

    >>> core_types("4.0").elements("Patient")["deceased"].members
    (('deceasedBoolean', 'boolean'), ('deceasedDateTime', 'dateTime'))
    >>> core_types("4.0").base("code")
    'string'
    """
    table = {"4.0": "r4.txt", "3.0": "r3.txt"}.get(version)
    if table is None:
        raise FhirPathError("the FHIR version is 4.0 or 3.0")
    return _Tables((files(__package__) / "tables" / table).read_text(encoding="ascii"))


class Types:
    """A provider, with what the engine asks of it over and over kept."""

    def __init__(self, provider: TypeProvider) -> None:
        self._provider = provider
        self._subtype: dict[tuple[str, str], bool] = {}
        self._members: dict[str, dict[str, tuple[str, str]]] = {}

    def known(self, name: str) -> bool:
        return self._provider.elements(name) is not None

    def element(self, name: str, element: str) -> Element | None:
        return (self._provider.elements(name) or {}).get(element)

    def is_subtype(self, name: str | None, of: str) -> bool:
        """Whether a type is another or specialises it, at whatever distance."""
        if name is None or name == of:
            return name == of
        known = self._subtype.get((name, of))
        if known is None:
            seen = {name}
            above = self._provider.base(name)
            while above is not None and above != of and above not in seen:
                seen.add(above)
                above = self._provider.base(above)
            known = self._subtype[name, of] = above == of
        return known

    def members(self, name: str) -> Mapping[str, tuple[str, str]]:
        """JSON member to (name of the element, type) for every element of a type; empty where it is not known."""
        known = self._members.get(name)
        if known is None:
            elements = self._provider.elements(name) or {}
            known = self._members[name] = {
                member: (element.name, kind) for element in elements.values() for member, kind in element.members
            }
        return known
