"""A piece of compiled expression: closures that give items, a truth or mere existence, each as cheap as it can be.

Every closure takes `(this, scope)`: the item that `$this` is, and the `Scope` of the evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from mpftconnect.errors import FhirPathError
from mpftconnect.validation.fhirpath.items import EMPTY, TEXT_TYPES, Items, Node, Scope, plain

__all__ = ["Code", "Exists", "Fetch", "Truth", "labelled", "one", "same_kind"]

Fetch: TypeAlias = Callable[[Any, Scope], Items]
Truth: TypeAlias = Callable[[Any, Scope], bool | None]
Exists: TypeAlias = Callable[[Any, Scope], bool]
One: TypeAlias = Callable[[Any, Scope], Any]

TRUE: Items = (True,)
FALSE: Items = (False,)


class Code:
    """What one expression compiles to. Give `items` or `truth`; the other forms follow from it.

    Args:
        items: Gives the collection. It is not to be changed: it may be the resource's own list.
        truth: For a boolean: True, False, or None for empty.
        exists: Whether there is any item, where that is cheaper to tell.
        type: The type of every item that does not carry one (see `Node`); None where it is not known.
        ordered: False where the order of the items means nothing.
        narrow: For a choice: the code for only those items that are of one type.
        position: Where it stands in the expression, for errors.
    """

    __slots__ = ("_exists", "_items", "_truth", "narrow", "ordered", "position", "type")

    def __init__(
        self,
        items: Fetch | None = None,
        *,
        truth: Truth | None = None,
        exists: Exists | None = None,
        type: str | None = None,
        ordered: bool = True,
        narrow: Callable[[str], Code | None] | None = None,
        position: int = 0,
    ) -> None:
        self._items, self._truth, self._exists = items, truth, exists
        self.type = "System.Boolean" if truth is not None else type
        self.ordered, self.narrow, self.position = ordered, narrow, position

    @property
    def tells(self) -> bool:
        """Whether it gives a truth rather than items that may be one."""
        return self._items is None and self._truth is not None

    @property
    def items(self) -> Fetch:
        if self._items is None:
            self._items = _items_of(self.truth)
        return self._items

    @property
    def truth(self) -> Truth:
        if self._truth is None:
            self._truth = _truth_of(self.items, self.position)
        return self._truth

    @property
    def exists(self) -> Exists:
        if self._exists is None:
            self._exists = _exists_of(self._items) if self._items is not None else _told(self.truth)
        return self._exists


def _items_of(truth: Truth) -> Fetch:
    def items(this: Any, scope: Scope) -> Items:
        found = truth(this, scope)
        return EMPTY if found is None else TRUE if found else FALSE

    return items


def _exists_of(items: Fetch) -> Exists:
    return lambda this, scope: bool(items(this, scope))


def _told(truth: Truth) -> Exists:
    return lambda this, scope: truth(this, scope) is not None


def _truth_of(items: Fetch, position: int) -> Truth:
    """N1, 4.5 "Singleton Evaluation of Collections": one item that is no Boolean is true."""

    def truth(this: Any, scope: Scope) -> bool | None:
        found = items(this, scope)
        if not found:
            return None
        if len(found) > 1:
            raise FhirPathError("one value is needed and there are several", position=position)
        item = found[0]
        if item.__class__ is Node:
            item = item.value
        if item is True or item is False:
            return item
        return None if item is None else True

    return truth


def one(code: Code) -> One:
    """The single value of a code as a System value, None where it is empty.

    Raises, when called:
        FhirPathError: There are several.
    """
    items, kind, position = code.items, code.type, code.position
    is_text = kind in TEXT_TYPES

    def single(this: Any, scope: Scope) -> Any:
        found = items(this, scope)
        if not found:
            return None
        if len(found) > 1:
            raise FhirPathError("one value is needed and there are several", position=position)
        item = found[0]
        if is_text and item.__class__ is str:
            return item
        return plain(item, kind)

    return single


def same_kind(codes: list[Code]) -> tuple[str | None, list[Fetch]]:
    """One type for the items of several codes: theirs where it is one, or none, and then each item carries its own."""
    kinds = {code.type for code in codes}
    if len(kinds) == 1:
        return kinds.pop(), [code.items for code in codes]
    return None, [labelled(code) for code in codes]


def labelled(code: Code) -> Fetch:
    """The items of a code, each carrying its type."""
    items, kind = code.items, code.type
    if kind is None or kind.startswith("System."):
        return items  # a value of ours tells its type by itself

    def with_type(this: Any, scope: Scope) -> Items:
        return [item if item.__class__ is Node else Node(item, kind) for item in items(this, scope)]

    return with_type
