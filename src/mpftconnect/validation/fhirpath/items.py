"""What a collection holds while an expression is evaluated, and when two items are equal.

Most items are what the JSON holds (`dict`, `str`, `int`, ...) and their type is known from the expression. An item is a
`Node` only where that is not so: where the type depends on the instance (a choice, `children()`), or where a primitive
has extensions. So nothing is wrapped on the usual way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Context, Decimal, DecimalException, DivisionByZero, InvalidOperation, Overflow
from typing import Any, TypeAlias

from mpftconnect.errors import FhirPathError, NotEvaluable
from mpftconnect.validation.fhirpath import quantity, temporal
from mpftconnect.validation.fhirpath.quantity import Quantity
from mpftconnect.validation.fhirpath.temporal import (
    Date,
    DateTime,
    Temporal,
    Time,
    read_date,
    read_date_time,
    read_time,
)

__all__ = [
    "ARITHMETIC",
    "EMPTY",
    "Item",
    "Items",
    "Node",
    "Scope",
    "equal",
    "key_of",
    "plain",
    "plain_type",
    "tree_equal",
]

# One item: Node, dict, str, bool, int, float, Decimal, Date, DateTime, Time or Quantity.
Item: TypeAlias = Any
Items: TypeAlias = Sequence[Any]
EMPTY: Items = ()

UCUM = "http://unitsofmeasure.org"
# FHIR R4, 2.1.24.0.8 "Quantity" and the types that specialise it.
QUANTITY_TYPES = frozenset(("Quantity", "Age", "Count", "Distance", "Duration", "Money", "SimpleQuantity"))
_READERS: Mapping[str, Callable[[str], Temporal | None]] = {
    "date": read_date,
    "dateTime": read_date_time,
    "instant": read_date_time,
    "time": read_time,
}
# Types whose JSON string stands for itself.
TEXT_TYPES = frozenset(
    (
        "System.String",
        "string",
        "code",
        "id",
        "uri",
        "url",
        "canonical",
        "markdown",
        "oid",
        "uuid",
        "xhtml",
        "base64Binary",
    )
)
ARITHMETIC = Context(prec=34, Emax=9999, Emin=-9999, traps=[InvalidOperation, DivisionByZero, Overflow])
_WIDEST_NUMBER = 1000  # digits
_WIDEST_INTEGER = 3000  # bits
LONGEST_TEXT = 1_000_000
# Some seconds at worst; the invariants of a Bundle of 100,000 entries need a fifth of it.
MOST_EFFORT = 3_000_000


class Node:
    """An item that carries its type, or a primitive with its extensions.

    Args:
        value: The JSON value; None for a primitive that has only extensions.
        type: Its FHIR type, None where it is not known.
        element: The `id` and `extension` of a primitive: what JSON writes beside it under `_name`.
    """

    __slots__ = ("element", "type", "value")

    def __init__(self, value: Any, type: str | None = None, element: Mapping[str, Any] | None = None) -> None:
        self.value, self.type, self.element = value, type, element

    def __repr__(self) -> str:
        return f"Node(type={self.type!r})"  # no value: it may be a patient's


class Scope:
    """What an expression may see besides its focus, and how much effort is left. One for each evaluation, or one shared
    by the evaluations over one resource.

    Args:
        resource: `%resource`, the resource that holds the focus.
        root: `%rootResource`, where `resource` is contained in it.
        context: `%context`; the focus, if not given.
        environment: Further variables: name without `%` to a value or a list of values.
        resolve: Gives the resource that a reference means, or None where it knows of none.
        conforms: Says whether an item conforms to a profile; None where it cannot tell.
        member_of: Says whether a code is in a value set; None where it cannot tell.
        effort: How many items may be visited.
    """

    index = 0
    total: Items = EMPTY
    clock: datetime | None = None
    root_type: str | None = None

    def __init__(
        self,
        resource: Any = None,
        root: Any = None,
        *,
        context: Any = None,
        environment: Mapping[str, Any] | None = None,
        resolve: Callable[[str], Any] | None = None,
        conforms: Callable[[Any, str], bool | None] | None = None,
        member_of: Callable[[Any, str], bool | None] | None = None,
        effort: int = MOST_EFFORT,
    ) -> None:
        self.resource = resource
        self.root = resource if root is None else root
        self.context = context
        self.environment = environment
        self.resolve, self.conforms, self.member_of = resolve, conforms, member_of
        self.effort = effort
        self.memo: dict[int, Any] = {}

    def spend(self, amount: int) -> None:
        """Count work done, so that a hostile expression or resource ends in an error and not in a hang."""
        self.effort -= amount
        if self.effort < 0:
            raise NotEvaluable("it takes more effort than is allowed")

    def now(self) -> datetime:
        """The moment of this evaluation: the same however often it is asked for (N1, 5.9)."""
        if self.clock is None:
            self.clock = datetime.now().astimezone()
        return self.clock


def plain_type(item: Item) -> str | None:
    """The System type of a value of ours; None for JSON objects."""
    return _SYSTEM.get(item.__class__)


_SYSTEM: dict[type, str] = {
    bool: "System.Boolean",
    str: "System.String",
    int: "System.Integer",
    Decimal: "System.Decimal",
    float: "System.Decimal",
    Date: "System.Date",
    DateTime: "System.DateTime",
    Time: "System.Time",
    Quantity: "System.Quantity",
}


def number(value: int | float | Decimal) -> Decimal:
    """A JSON number with the digits that it was written with, as far as its reader kept them."""
    if value.__class__ is int:
        if value.bit_length() > _WIDEST_INTEGER:
            raise NotEvaluable("a number too large to reckon with")
        return Decimal(value)
    found = value if value.__class__ is Decimal else Decimal(repr(value))
    if not found.is_finite() or abs(found.adjusted()) > _WIDEST_NUMBER:
        raise NotEvaluable("a number too large to reckon with")
    return found


def plain(item: Item, kind: str | None) -> Any:
    """An item as a System value (FHIR R4, 2.9.1.1: FHIR primitives convert implicitly), or the JSON object that it is.

    Args:
        kind: The type known from the expression, for items that carry none.
    Returns:
        None for a primitive without a value.
    Raises:
        FhirPathError: A date or time that does not exist.
    """
    if item.__class__ is Node:
        item, kind = item.value, item.type
    of = item.__class__
    if of is str:
        reader = _READERS.get(kind) if kind is not None else None
        if reader is None:
            return item
        read = reader(item)
        if read is None:
            raise FhirPathError(f"not a FHIR {kind}")
        return read
    if of is float or of is Decimal or (of is int and kind == "decimal"):
        return number(item)
    if of is int and item.bit_length() > _WIDEST_INTEGER:
        raise NotEvaluable("a number too large to reckon with")
    return item


def as_quantity(value: Any, kind: str | None) -> Quantity | None:
    """A FHIR Quantity or a number as a System.Quantity; None where it is none.

    Source:
        FHIR R4, 2.9.1.1: converts where the system is UCUM. Other units are kept apart by their system, so that they
        compare only with themselves.
    """
    of = value.__class__
    if of is Quantity:
        return value  # type: ignore[no-any-return]
    if of is int or of is Decimal:
        return Quantity(Decimal(value), "1")
    if of is not dict or (kind is not None and kind not in QUANTITY_TYPES) or "comparator" in value:
        return None
    amount, system = value.get("value"), value.get("system")
    code = value.get("code", value.get("unit", value.get("currency", "")))
    if amount.__class__ not in (int, float, Decimal) or not isinstance(code, str):
        return None
    return Quantity(number(amount), code if system == UCUM and "code" in value else f"{system or ''}|{code}")


def _kind(item: Item, kind: str | None) -> str | None:
    return item.type if item.__class__ is Node else kind


def equal(left: Item, left_kind: str | None, right: Item, right_kind: str | None) -> bool | None:
    """`=` of two items: None where partial dates or units do not tell (N1, 6.1.1)."""
    one, other = plain(left, left_kind), plain(right, right_kind)
    of, by = one.__class__, other.__class__
    if of is by:
        if of is str or of is bool or of is int or of is Decimal:
            return bool(one == other)
        if of is dict:
            return tree_equal(one, other)
    if one is None or other is None:
        return one is other and tree_equal(_element(left), _element(right))
    if of in _NUMBERS and by in _NUMBERS:
        return bool(one == other)
    if of is Quantity or by is Quantity:
        first, second = as_quantity(one, _kind(left, left_kind)), as_quantity(other, _kind(right, right_kind))
        if first is None or second is None:
            return False
        order = quantity.compare(first, second)
        return None if order is None else order == 0
    if of in _SIMPLE and by in _SIMPLE and (_of_fhir(left, left_kind) or _of_fhir(right, right_kind)):
        return text_of(one) == text_of(other)
    first_moment, second_moment = moments(one, other)
    if first_moment is not None and second_moment is not None:
        if isinstance(first_moment, Time) != isinstance(second_moment, Time):
            return False
        order = temporal.compare(first_moment, second_moment)
        return None if order is None else order == 0
    return False


_NUMBERS = frozenset((int, Decimal))
_SIMPLE = frozenset((str, bool, int, Decimal))
_TEMPORAL = frozenset((Date, DateTime, Time))


def _of_fhir(item: Item, kind: str | None) -> bool:
    """Whether an item came out of the data. There, FHIR's primitives are compared by how they are written.

    N1 has values of different types unequal. Published constraints compare booleans and codes of FHIR with texts and
    numbers (STU3 mad-3: `notGiven = 'false'`), and the reference validator takes them as they are meant.
    """
    kind = _kind(item, kind)
    return kind is not None and not kind.startswith("System.")


def moments(left: Any, right: Any) -> tuple[Any, Any]:
    """Both as dates or times, where one is and the other is, or is a text that reads as one."""
    if left.__class__ in _TEMPORAL:
        if right.__class__ is str:
            right = read_time(right) if left.__class__ is Time else read_date_time(right)
        return left, right if right.__class__ in _TEMPORAL else None
    if right.__class__ in _TEMPORAL:
        second, first = moments(right, left)
        return first, second
    return None, None


def _element(item: Item) -> Any:
    return item.element if item.__class__ is Node else None


def tree_equal(left: Any, right: Any) -> bool:
    """Whether two JSON values are alike: numbers by their value, objects whatever the order of members."""
    of = left.__class__
    if of is dict:
        return (
            right.__class__ is dict
            and len(left) == len(right)
            and all(name in right and tree_equal(value, right[name]) for name, value in left.items())
        )
    if of is list:
        return (
            right.__class__ is list
            and len(left) == len(right)
            and all(tree_equal(one, other) for one, other in zip(left, right, strict=True))
        )
    if of is bool or right.__class__ is bool:
        return left is right
    if of is float or of is Decimal or right.__class__ in (float, Decimal):
        return (
            isinstance(left, int | float | Decimal)
            and isinstance(right, int | float | Decimal)
            and (number(left) == number(right))
        )
    return bool(left == right)


def key_of(item: Item, kind: str | None) -> Any:
    """Something hashable that two items share exactly if `equal` is true of them."""
    value = plain(item, kind)
    of = value.__class__
    if of is str or of is int or of is Decimal:
        return value
    if of is bool:
        return ("boolean", value)
    if of is dict:
        return _frozen(value)
    if value is None:
        return ("no value", _frozen(_element(item)))
    if of is Quantity:
        return quantity.key(value)
    if of in _TEMPORAL:
        return temporal.key(value)
    return ("other", id(value))


def _frozen(value: Any) -> Any:
    of = value.__class__
    if of is dict:
        return frozenset((name, _frozen(each)) for name, each in value.items())
    if of is list:
        return tuple(_frozen(each) for each in value)
    if of is bool:
        return ("boolean", value)
    # A Decimal too: a reader may give one that is no number, and that has no hash.
    return number(value) if of is float or of is Decimal else value


def text_of(value: Any) -> str | None:
    """A System value as text (N1, 5.5 `toString`); None where it has no text form."""
    of = value.__class__
    if of is str:
        return value  # type: ignore[no-any-return]
    if of is bool:
        return "true" if value else "false"
    if of is Decimal:
        return f"{value:f}"
    if of is int or of in _TEMPORAL or of is Quantity:
        return str(value)
    return None


def limited(text: str) -> str:
    """The text, if it is not so long that only a hostile expression can have made it."""
    if len(text) > LONGEST_TEXT:
        raise NotEvaluable(f"a text longer than {LONGEST_TEXT} characters")
    return text


FAULTS = (RecursionError, DecimalException, OverflowError)
