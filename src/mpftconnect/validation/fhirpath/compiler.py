"""From the tree of an expression to closures, with the types that the definitions give.

Source:
    FHIRPath N1 (2.0.0); FHIR R4 (4.0.1), 2.9.1 "Use of FHIRPath".
"""

from __future__ import annotations

from typing import Any

from mpftconnect.errors import FhirPathError, NotEvaluable
from mpftconnect.validation.fhirpath import operators
from mpftconnect.validation.fhirpath.code import Code, one
from mpftconnect.validation.fhirpath.constants import constant
from mpftconnect.validation.fhirpath.functions import FUNCTIONS, Call
from mpftconnect.validation.fhirpath.items import EMPTY, Items, Scope
from mpftconnect.validation.fhirpath.paths import step, step_by_instance, type_of
from mpftconnect.validation.fhirpath.syntax import (
    Binary,
    Chain,
    Constant,
    Empty,
    Expression,
    Function,
    Index,
    Literal,
    Member,
    TypeOperation,
    Unary,
    Variable,
    children,
)
from mpftconnect.validation.fhirpath.type_tests import as_type, is_type
from mpftconnect.validation.fhirpath.types import ABSTRACT, Types

__all__ = ["Compiler"]


def _this(this: Any, scope: Scope) -> Items:
    return EMPTY if this is None else (this,)


def _stands_alone(node: Expression) -> bool:
    """Whether an expression means the same for every `$this`."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Variable) or (isinstance(part, Member | Function) and part.source is None):
            return False
        waiting += children(part)
    return True


class Compiler:
    """Compiles one expression for one type of focus.

    Args:
        focus: The type of the focus, which `%context` keeps.
        strict: Refuse what the definitions show to be a mistake (an element that the type does not have) rather than
            find nothing.
    """

    def __init__(self, types: Types, *, focus: str | None = None, strict: bool = False) -> None:
        self.types, self.focus, self.strict = types, focus, strict
        self._kept: dict[Expression, int] = {}

    def compile(self, node: Expression, this: str | None) -> Code:
        """The code of an expression where `$this` is of a type, None where that is not known."""
        match node:
            case Literal():
                return self._literal(node)
            case Empty():
                return Code(lambda this, scope: EMPTY, position=node.position)
            case Member():
                return self._member(node, this)
            case Function():
                return self._kept_once(node, self._function(node, this))
            case Binary():
                return self._binary(node, this)
            case Chain(operator="|"):
                return self._kept_once(node, self._union(node, this))
            case Chain():
                codes = [self.compile(operand, this) for operand in node.operands]
                return operators.conjunction(node.operator, codes, node.position)
            case TypeOperation():
                apply = is_type if node.operator == "is" else as_type
                return apply(self.compile(node.operand, this), node.type_name, self.types, node.position)
            case Unary():
                operand = self.compile(node.operand, this)
                return operators.negated(operand, node.position) if node.operator == "-" else operand
            case Index():
                return self._index(node, this)
            case Variable():
                return self._variable(node, this)
            case Constant():
                return constant(node.name, self.focus, node.position)

    def _literal(self, node: Literal) -> Code:
        items: Items = (node.value,)
        if node.value is True or node.value is False:
            told = node.value
            return Code(truth=lambda this, scope: told, position=node.position)
        return Code(lambda this, scope: items, exists=lambda this, scope: True, type=node.type, position=node.position)

    def _variable(self, node: Variable, this: str | None) -> Code:
        if node.name == "$index":
            return Code(lambda this, scope: (scope.index,), type="System.Integer", position=node.position)
        if node.name == "$total":
            return Code(lambda this, scope: scope.total, position=node.position)
        return Code(_this, type=this, position=node.position)

    # ---- Paths -------------------------------------------------------------------------------------------------

    def _member(self, node: Member, this: str | None) -> Code:
        source = self.compile(node.source, this) if node.source is not None else None
        if source is None and node.name[:1].isupper() and self._names_the_focus(node.name, this):
            return self._focus(node, this)
        kind = source.type if source is not None else this
        if kind is not None and kind not in ABSTRACT and self.types.known(kind):
            element = self.types.element(kind, node.name)
            if element is not None and not (kind[0].islower() or kind == "Element"):
                return step(source, element, node.position)
            if element is None:
                if self.strict:
                    raise FhirPathError(f"{kind} has no element of this name", position=node.position)
                return self._nothing(source, node.position)
        return step_by_instance(source, node.name, self.types, node.position)

    def _nothing(self, source: Code | None, position: int) -> Code:
        return Code(lambda this, scope: EMPTY, exists=lambda this, scope: False, position=position)

    def _names_the_focus(self, name: str, this: str | None) -> bool:
        """Whether a name at the start of a path is that of a type (N1, 4.2), and not of an element."""
        if this is not None and self.types.element(this, name) is not None:
            return False
        return self.types.known(name)

    def _focus(self, node: Member, this: str | None) -> Code:
        types, name = self.types, node.name
        if this is not None and this not in ABSTRACT:
            if types.is_subtype(this, name):
                return Code(_this, type=this, position=node.position)
            if self.strict:
                raise FhirPathError(f"the focus is a {this}", position=node.position)
            return self._nothing(None, node.position)

        def focus(this: Any, scope: Scope) -> Items:
            return (this,) if this is not None and types.is_subtype(type_of(this, None), name) else EMPTY

        return Code(focus, type=name, position=node.position)

    def _index(self, node: Index, this: str | None) -> Code:
        source, at = self.compile(node.source, this), one(self.compile(node.at, this))
        self._needs_order(source, node.position)
        items = source.items

        def item(this: Any, scope: Scope) -> Items:
            place = at(this, scope)
            if place is None:
                return EMPTY
            if place.__class__ is not int:
                raise FhirPathError("an index is a whole number", position=node.position)
            return items(this, scope)[place : place + 1] if place >= 0 else EMPTY

        return Code(item, type=source.type, position=node.position)

    def _needs_order(self, source: Code, position: int) -> None:
        if self.strict and not source.ordered:
            raise FhirPathError("the collection has no order", position=position)

    # ---- Functions and operators -------------------------------------------------------------------------------

    def _function(self, node: Function, this: str | None) -> Code:
        known = FUNCTIONS.get(node.name)
        if known is None:
            if self.strict:
                raise FhirPathError("a function that does not exist", position=node.position)
            return _unknown(node.position)
        if not known.least <= len(node.arguments) <= known.most:
            raise FhirPathError(f"{node.name}() takes another number of arguments", position=node.position)
        if node.source is None:
            source = Code(_this, type=this, position=node.position)
        else:
            source = self.compile(node.source, this)
        if known.needs_order:
            self._needs_order(source, node.position)
        return known.build(Call(self, node.name, source, node.source, node.arguments, this, node.position))

    def _kept_once(self, node: Expression, code: Code) -> Code:
        """What is the same for every `$this` is worked out once in an evaluation, however often it is asked for."""
        if not _stands_alone(node):
            return code
        slot, items = self._slot(node), code.items

        def kept(this: Any, scope: Scope) -> Items:
            found = scope.memo.get(slot)
            if found is None:
                found = scope.memo[slot] = items(this, scope)
            return found

        return Code(kept, type=code.type, ordered=code.ordered, position=code.position)

    def _slot(self, node: Expression) -> int:
        return self._kept.setdefault(node, len(self._kept))

    def _union(self, node: Chain, this: str | None) -> Code:
        return operators.union([self.compile(operand, this) for operand in node.operands], node.position)

    def _binary(self, node: Binary, this: str | None) -> Code:
        left, right = self.compile(node.left, this), self.compile(node.right, this)
        position = node.position
        match node.operator:
            case "=" | "!=" as operator:
                literal = node.right.value if isinstance(node.right, Literal) else None
                return operators.equality(left, right, literal, negate=operator == "!=", position=position)
            case "~" | "!~" as operator:
                return operators.equivalence(left, right, negate=operator == "!~", position=position)
            case "<" | "<=" | ">" | ">=" as operator:
                return operators.comparison(operator, left, right, position)
            case "in":
                return self._membership(left, right, node.right, position)
            case "contains":
                return self._membership(right, left, node.left, position)
            case "xor":
                return operators.exclusive(left, right, position)
            case "implies":
                return operators.implication(left, right, position)
            case operator:
                return operators.arithmetic(operator, left, right, position)

    def _membership(self, item: Code, collection: Code, written: Expression, position: int) -> Code:
        memo = ~self._slot(written) if _stands_alone(written) else None
        return operators.membership(item, collection, memo, position)


def _unknown(position: int) -> Code:
    def items(this: Any, scope: Scope) -> Items:
        raise NotEvaluable("a function that is not known", position=position)

    return Code(items, position=position)
