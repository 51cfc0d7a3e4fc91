"""`is`, `as` and `ofType`: which type a name means, and whether an item has it.

Source:
    FHIRPath N1 (2.0.0), 4.9.3 "Type Specifiers", 6.3; FHIR R4 (4.0.1), 2.9.1.1 (namespaces System and FHIR).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpftconnect.errors import FhirPathError, NotEvaluable
from mpftconnect.validation.fhirpath.code import Code
from mpftconnect.validation.fhirpath.items import EMPTY, Item, Items, Node, Scope
from mpftconnect.validation.fhirpath.paths import is_primitive, type_of
from mpftconnect.validation.fhirpath.types import ABSTRACT, SYSTEM_TYPES, Types

__all__ = ["as_type", "is_type", "meant_types", "of_type"]


def meant_types(name: str, types: Types, position: int) -> tuple[str, ...]:
    """The types that a name may mean: `Quantity` is one of FHIR's and one of System's.

    Raises:
        FhirPathError: It means none.
    """
    space, _, bare = name.rpartition(".")
    found = []
    if space in ("", "FHIR") and types.known(bare):
        found.append(bare)
    if space in ("", "System") and f"System.{bare}" in SYSTEM_TYPES:
        found.append(f"System.{bare}")
    if space not in ("", "FHIR", "System") and types.known(name):
        found.append(name)  # a nested element by its path
    if not found and not (space == "System" and types.known(bare)):
        raise FhirPathError("the name of no known type", position=position)
    return tuple(found)


def _has(types: Types, wanted: tuple[str, ...], *, exact: bool) -> Callable[[str | None], bool]:
    known: dict[str, bool] = {}

    def has(kind: str | None) -> bool:
        if kind is None:
            raise NotEvaluable("the type of an element is not known")
        if kind not in known:
            known[kind] = any(
                kind == each
                or each == "System.Any"
                # The official suite has `gender.as(string)` empty although a code is a string; objects may be subtypes.
                or (not (exact and is_primitive(each)) and types.is_subtype(kind, each))
                for each in wanted
            )
        return known[kind]

    return has


def is_type(source: Code, name: str, types: Types, position: int) -> Code:
    """Whether the one item is of a type or of one that specialises it."""
    has = _has(types, meant_types(name, types, position), exact=False)
    items, known = source.items, source.type

    def truth(this: Any, scope: Scope) -> bool | None:
        found = items(this, scope)
        if not found:
            return None
        if len(found) > 1:
            raise FhirPathError("one value is needed and there are several", position=position)
        return has(type_of(found[0], known))

    return Code(truth=truth, position=position)


def of_type(source: Code, name: str, types: Types, position: int, *, converts: bool = False) -> Code:
    """The items that are of a type. `converts`: a System type means FHIR's primitive of that name too."""
    wanted = meant_types(name, types, position)
    primitive = name[:1].lower() + name[1:]
    if converts and wanted == (f"System.{name}",) and types.known(primitive):
        # Profiles write `as String`; FHIR's primitives convert to System types (R4, 2.9.1.1), so both are meant.
        wanted = (*wanted, primitive)
    if source.narrow is not None and len(wanted) == 1:
        narrowed = source.narrow(wanted[0])
        if narrowed is not None:
            return narrowed
    has = _has(types, wanted, exact=True)
    items, known = source.items, source.type
    # Objects of a known type need not carry it any longer.
    result = next((kind for kind in wanted if kind[0].isupper() and kind not in ABSTRACT), None)
    bare = result is not None and len(wanted) == 1 and not result.startswith("System.")

    def chosen(this: Any, scope: Scope) -> Items:
        found = items(this, scope)
        if not found:
            return EMPTY
        kept: list[Item] = []
        for item in found:
            kind = type_of(item, known)
            if kind is not None and has(kind):
                kept.append(item.value if bare and item.__class__ is Node else item)
        return kept

    kind = result if bare else wanted[0] if len(wanted) == 1 and wanted[0] not in ABSTRACT else known
    return Code(chosen, type=kind, ordered=source.ordered, position=position)


def as_type(source: Code, name: str, types: Types, position: int) -> Code:
    """The one item if it is of a type. Of a collection of mixed types, the items that are.

    N1, 6.3.2 makes several items an error. Invariant dom-3 of FHIR R4 applies `as` to `descendants()` all the same, so
    this asks it only of collections whose type is known.
    """
    chosen = of_type(source, name, types, position, converts=True)
    if source.type is None:
        return chosen
    items, kept = source.items, chosen.items

    def single(this: Any, scope: Scope) -> Items:
        if len(items(this, scope)) > 1:
            raise FhirPathError("one value is needed and there are several", position=position)
        return kept(this, scope)

    return Code(single, type=chosen.type, position=position)
