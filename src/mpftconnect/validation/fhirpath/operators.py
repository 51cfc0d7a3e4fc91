"""The operators, each compiled to a closure.

Source:
    FHIRPath N1 (2.0.0), 6 "Operations".
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, DecimalException
from typing import Any

from mpftconnect.errors import FhirPathError, NotEvaluable
from mpftconnect.validation.fhirpath import quantity, temporal
from mpftconnect.validation.fhirpath.code import Code, Truth, one, same_kind
from mpftconnect.validation.fhirpath.items import (
    ARITHMETIC,
    EMPTY,
    TEXT_TYPES,
    Item,
    Items,
    Scope,
    as_quantity,
    equal,
    key_of,
    limited,
    moments,
    plain,
    text_of,
)
from mpftconnect.validation.fhirpath.quantity import CALENDAR_OF, CALENDAR_UNITS, Quantity, same_when_rounded
from mpftconnect.validation.fhirpath.temporal import Date, DateTime, Time

__all__ = ["arithmetic", "comparison", "conjunction", "equality", "equivalence", "membership", "negated", "union"]

_NUMBERS: frozenset[type[Any]] = frozenset((int, Decimal))
_LARGEST_INTEGER = 2**31 - 1


# ---- Equality (6.1) --------------------------------------------------------------------------------------------


def equality(left: Code, right: Code, literal: Any, *, negate: bool, position: int) -> Code:
    """`=` and `!=`. `literal`: the text on the right where it is one, else None."""
    left_kind, right_kind = left.type, right.type

    if literal.__class__ is str and left_kind in TEXT_TYPES:
        fetch = left.items

        def to_text(this: Any, scope: Scope) -> bool | None:
            found = fetch(this, scope)
            if not found:
                return None
            if len(found) > 1:
                return negate
            item = found[0]
            same = item == literal if item.__class__ is str else equal(item, left_kind, literal, right_kind)
            return same is not negate if same is not None else None

        return Code(truth=to_text, position=position)

    if left.tells and right.tells:
        first_truth, second_truth = left.truth, right.truth

        def of_truths(this: Any, scope: Scope) -> bool | None:
            told, other = first_truth(this, scope), second_truth(this, scope)
            return None if told is None or other is None else (told is other) is not negate

        return Code(truth=of_truths, position=position)

    first, second = left.items, right.items

    def truth(this: Any, scope: Scope) -> bool | None:
        some, others = first(this, scope), second(this, scope)
        if not some or not others:
            return None
        if len(some) != len(others):
            return negate
        scope.spend(len(some))
        told: bool | None = True
        for item, other in zip(some, others, strict=True):
            same = equal(item, left_kind, other, right_kind)
            if same is False:
                return negate
            if same is None:
                told = None
        return None if told is None else not negate

    return Code(truth=truth, position=position)


def equivalence(left: Code, right: Code, *, negate: bool, position: int) -> Code:
    """`~` and `!~`: order does not matter, and neither do case, white space and precision (6.1.2)."""
    first, second, left_kind, right_kind = left.items, right.items, left.type, right.type

    def truth(this: Any, scope: Scope) -> bool:
        some, others = first(this, scope), list(second(this, scope))
        if len(some) != len(others):
            return negate
        for item in some:
            scope.spend(1 + len(others))
            for at, other in enumerate(others):
                if equivalent(plain(item, left_kind), left_kind, plain(other, right_kind), right_kind):
                    del others[at]
                    break
            else:
                return negate
        return not negate

    return Code(truth=truth, position=position)


def equivalent(left: Any, left_kind: str | None, right: Any, right_kind: str | None) -> bool:
    of, by = left.__class__, right.__class__
    if of is str and by is str:
        return " ".join(left.casefold().split()) == " ".join(right.casefold().split())
    if of in _NUMBERS and by in _NUMBERS:
        return same_when_rounded(Decimal(left), Decimal(right))
    if of is Quantity or by is Quantity:
        one_side, other = as_quantity(left, left_kind), as_quantity(right, right_kind)
        return one_side is not None and other is not None and quantity.equivalent(one_side, other)
    if of is dict and by is dict:
        return left.keys() == right.keys() and all(_tree_equivalent(left[name], right[name]) for name in left)
    return equal(left, left_kind, right, right_kind) is True


def _tree_equivalent(left: Any, right: Any) -> bool:
    if left.__class__ is list and right.__class__ is list:
        rest = list(right)
        for one_side in left:
            at = next((at for at, other in enumerate(rest) if _tree_equivalent(one_side, other)), None)
            if at is None:
                return False
            del rest[at]
        return not rest
    return equivalent(plain(left, None), None, plain(right, None), None)


# ---- Comparison (6.2) ------------------------------------------------------------------------------------------

_ORDERS: dict[str, Callable[[int], bool]] = {
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


def order_of(left: Any, left_kind: str | None, right: Any, right_kind: str | None, position: int) -> int | None:
    """-1, 0 or 1 for two System values; None where they cannot be told apart.

    Raises:
        FhirPathError: They are of kinds that have no order between them.
    """
    of, by = left.__class__, right.__class__
    if (of in _NUMBERS and by in _NUMBERS) or (of is str and by is str):
        return int(left > right) - int(left < right)
    if of is Quantity or by is Quantity or (of is dict and by is dict):
        first, second = as_quantity(left, left_kind), as_quantity(right, right_kind)
        if first is not None and second is not None:
            return quantity.compare(first, second)
        if of is dict or by is dict:
            raise NotEvaluable("a quantity without a number, or with a comparator, has no order")
    one_moment, other = moments(left, right)
    if one_moment is not None and other is not None and isinstance(one_moment, Time) == isinstance(other, Time):
        return temporal.compare(one_moment, other)
    raise FhirPathError("values of different kinds have no order", position=position)


def comparison(operator: str, left: Code, right: Code, position: int) -> Code:
    """`<`, `<=`, `>`, `>=`."""
    first, second, left_kind, right_kind, decide = one(left), one(right), left.type, right.type, _ORDERS[operator]

    def truth(this: Any, scope: Scope) -> bool | None:
        some = first(this, scope)
        if some is None:
            return None
        other = second(this, scope)
        if other is None:
            return None
        order = order_of(some, left_kind, other, right_kind, position)
        return None if order is None else decide(order)

    return Code(truth=truth, position=position)


# ---- Boolean logic (6.5) ---------------------------------------------------------------------------------------


def conjunction(operator: str, codes: list[Code], position: int) -> Code:
    """A chain of `and` or of `or`, three-valued. One operand that decides is enough, if others cannot be judged."""
    decides = operator == "or"
    truths = [code.truth for code in codes]
    if len(truths) == 2:
        return Code(truth=_both(truths[0], truths[1], decides), position=position)

    def truth(this: Any, scope: Scope) -> bool | None:
        result: bool | None = not decides
        missing: NotEvaluable | None = None
        for each in truths:
            try:
                told = each(this, scope)
            except NotEvaluable as reason:
                missing = reason
                continue
            if told is decides:
                return decides
            if told is None:
                result = None
        if missing is not None:
            raise missing
        return result

    return Code(truth=truth, position=position)


def _both(first: Truth, second: Truth, decides: bool) -> Truth:
    def truth(this: Any, scope: Scope) -> bool | None:
        try:
            told = first(this, scope)
        except NotEvaluable:
            if second(this, scope) is decides:
                return decides
            raise
        if told is decides:
            return decides
        other = second(this, scope)
        if other is decides:
            return decides
        return None if told is None or other is None else not decides

    return truth


def exclusive(left: Code, right: Code, position: int) -> Code:
    """`xor`."""
    first, second = left.truth, right.truth

    def truth(this: Any, scope: Scope) -> bool | None:
        told, other = first(this, scope), second(this, scope)
        return None if told is None or other is None else told is not other

    return Code(truth=truth, position=position)


def implication(left: Code, right: Code, position: int) -> Code:
    """`implies`."""
    first, second = left.truth, right.truth

    def truth(this: Any, scope: Scope) -> bool | None:
        told = first(this, scope)
        if told is False:
            return True
        other = second(this, scope)
        if told is True or other is True:
            return other
        return None

    return Code(truth=truth, position=position)


# ---- Collections (6.4) -----------------------------------------------------------------------------------------


def union(codes: list[Code], position: int) -> Code:
    """`|`: the items of all, each once."""
    kind, fetches = same_kind(codes)

    def items(this: Any, scope: Scope) -> Items:
        gathered: list[Item] = []
        for fetch in fetches:
            gathered += fetch(this, scope)
        return distinct(gathered, kind, scope)

    def exists(this: Any, scope: Scope) -> bool:
        return any(code.exists(this, scope) for code in codes)

    return Code(items, exists=exists, type=kind, ordered=False, position=position)


def distinct(items: Items, kind: str | None, scope: Scope) -> Items:
    """The items without repeats, each where it first stood."""
    if len(items) < 2:
        return items
    scope.spend(len(items))
    found: dict[Any, Item] = {}
    for item in items:
        found.setdefault(key_of(item, kind), item)
    return list(found.values())


def membership(inside: Code, collection: Code, memo: int | None, position: int) -> Code:
    """`in`, and `contains` with its operands exchanged. `memo`: where the collection is the same for every `$this`."""
    first, second, left_kind, right_kind = inside.items, collection.items, inside.type, collection.type

    def truth(this: Any, scope: Scope) -> bool | None:
        found = first(this, scope)
        if not found:
            return None
        if len(found) > 1:
            raise FhirPathError("one value is needed and there are several", position=position)
        keys = scope.memo.get(memo) if memo is not None else None
        if keys is None:
            others = second(this, scope)
            if not others:
                return False
            scope.spend(len(others))
            keys = frozenset([key_of(other, right_kind) for other in others])
            if memo is not None:
                scope.memo[memo] = keys
        return key_of(found[0], left_kind) in keys

    return Code(truth=truth, position=position)


# ---- Arithmetic (6.6) ------------------------------------------------------------------------------------------


def arithmetic(operator: str, left: Code, right: Code, position: int) -> Code:
    """`+ - * / div mod &`."""
    first, second, work = one(left), one(right), _WORK[operator]
    if operator == "&":

        def joined(this: Any, scope: Scope) -> Items:
            texts = (text_of(value) if value is not None else "" for value in (first(this, scope), second(this, scope)))
            some, other = texts
            if some is None or other is None:
                raise FhirPathError("& joins texts", position=position)
            scope.spend(1 + (len(some) + len(other) >> 4))
            return (limited(some + other),)

        return Code(joined, type="System.String", position=position)

    kind = next((code.type for code in (left, right) if code.type in _RESULT), None)

    def items(this: Any, scope: Scope) -> Items:
        some, other = first(this, scope), second(this, scope)
        if some is None or other is None:
            return EMPTY
        if some.__class__ is str:
            scope.spend(1 + (len(some) >> 4))
        try:
            found = work(some, other, left.type, right.type)
        except _Unfit:
            raise FhirPathError(f"{operator} does not take values of these kinds", position=position) from None
        except (DecimalException, OverflowError):
            return EMPTY  # 6.6: what overflows is empty
        return EMPTY if found is None else (found,)

    return Code(items, type=_RESULT.get(kind) if operator == "+" and kind is not None else None, position=position)


# Texts and what is made of them stay texts; of anything else the value tells its type.
_RESULT = {"System.String": "System.String"}


class _Unfit(Exception):
    pass


def _added(left: Any, right: Any, left_kind: str | None, right_kind: str | None, sign: int = 1) -> Any:
    of, by = left.__class__, right.__class__
    if of is str and by is str and sign == 1:
        return limited(left + right)
    if of in _NUMBERS and by in _NUMBERS:
        if of is int and by is int:
            return _integer(left + sign * right)
        return ARITHMETIC.add(Decimal(left), Decimal(right) * sign)
    if of in (Date, DateTime, Time):
        duration = as_quantity(right, right_kind) if by in (Quantity, dict) else None
        if duration is None:
            raise _Unfit
        return temporal.add(left, duration.value * sign, _calendar_unit(duration))
    first, second = as_quantity(left, left_kind), as_quantity(right, right_kind)
    if first is None or second is None:
        raise _Unfit
    return quantity.summed(first, second, sign)


def _calendar_unit(duration: Quantity) -> str:
    """The calendar unit to move a date by. A UCUM month or year is a length of time, not of the calendar."""
    name = duration.unit if duration.calendar else CALENDAR_OF.get(duration.unit) or CALENDAR_UNITS.get(duration.unit)
    if name is None:
        raise _Unfit
    return name


def _integer(value: int) -> int | None:
    return value if -_LARGEST_INTEGER - 1 <= value <= _LARGEST_INTEGER else None


def _subtracted(left: Any, right: Any, left_kind: str | None, right_kind: str | None) -> Any:
    return _added(left, right, left_kind, right_kind, -1)


def _numbers(left: Any, right: Any) -> tuple[Decimal, Decimal]:
    if left.__class__ not in _NUMBERS or right.__class__ not in _NUMBERS:
        raise _Unfit
    return Decimal(left), Decimal(right)


def _multiplied(left: Any, right: Any, left_kind: str | None, right_kind: str | None) -> Any:
    of, by = left.__class__, right.__class__
    if of is int and by is int:
        return _integer(left * right)
    if of in _NUMBERS and by in _NUMBERS:
        return ARITHMETIC.multiply(Decimal(left), Decimal(right))
    first, second = as_quantity(left, left_kind), as_quantity(right, right_kind)
    if first is None or second is None:
        raise _Unfit
    return quantity.multiplied(first, second, divide=False)


def _divided(left: Any, right: Any, left_kind: str | None, right_kind: str | None) -> Any:
    of, by = left.__class__, right.__class__
    if of in _NUMBERS and by in _NUMBERS:
        return ARITHMETIC.divide(Decimal(left), Decimal(right)) if right else None
    first, second = as_quantity(left, left_kind), as_quantity(right, right_kind)
    if first is None or second is None:
        raise _Unfit
    return quantity.multiplied(first, second, divide=True)


def _whole_quotient(left: Any, right: Any, left_kind: str | None, right_kind: str | None) -> Any:
    first, second = _numbers(left, right)
    return _integer(int(ARITHMETIC.divide_int(first, second))) if second else None


def _remainder(left: Any, right: Any, left_kind: str | None, right_kind: str | None) -> Any:
    first, second = _numbers(left, right)
    if not second:
        return None
    rest = ARITHMETIC.remainder(first, second)
    return int(rest) if left.__class__ is int and right.__class__ is int else rest


_WORK: dict[str, Callable[[Any, Any, str | None, str | None], Any]] = {
    "+": _added,
    "-": _subtracted,
    "*": _multiplied,
    "/": _divided,
    "div": _whole_quotient,
    "mod": _remainder,
    "&": _added,
}


def negated(operand: Code, position: int) -> Code:
    """Unary minus."""
    single = one(operand)

    def items(this: Any, scope: Scope) -> Items:
        value = single(this, scope)
        if value is None:
            return EMPTY
        if value.__class__ in _NUMBERS:
            return (-value,)
        if value.__class__ is Quantity:
            return (Quantity(-value.value, value.unit, value.calendar),)
        raise FhirPathError("only numbers and quantities have a sign", position=position)

    return Code(items, position=position)
