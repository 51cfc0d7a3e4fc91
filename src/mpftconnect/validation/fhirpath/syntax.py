"""The parts that a parsed expression is made of.

Two parts are equal if they say the same, wherever they stand: what is worked out once is then known again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

from mpftconnect.validation.fhirpath.quantity import Quantity
from mpftconnect.validation.fhirpath.temporal import Date, DateTime, Time

__all__ = [
    "Binary",
    "Chain",
    "Constant",
    "Empty",
    "Expression",
    "Function",
    "Index",
    "Literal",
    "Member",
    "TypeOperation",
    "Unary",
    "Variable",
    "children",
]

LiteralValue: TypeAlias = str | bool | int | Decimal | Date | DateTime | Time | Quantity


@dataclass(frozen=True, slots=True)
class Empty:
    """`{}`"""

    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written in the expression, with its System type."""

    value: LiteralValue
    type: str
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Variable:
    """`$this`, `$index` or `$total`."""

    name: str
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Constant:
    """`%name`"""

    name: str
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Member:
    """`source.name`, or `name` at the start of a path."""

    source: Expression | None
    name: str
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Function:
    """`source.name(arguments)`, or a function at the start of a path."""

    source: Expression | None
    name: str
    arguments: tuple[Expression, ...]
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Index:
    """`source[at]`"""

    source: Expression
    at: Expression
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """`+x` or `-x`"""

    operator: str
    operand: Expression
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands of an operator that is not gathered into a chain."""

    operator: str
    left: Expression
    right: Expression
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Chain:
    """`a and b and c`, or the same with `or` or `|`: one node however long, so that length is not depth."""

    operator: str
    operands: tuple[Expression, ...]
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class TypeOperation:
    """`x is T` or `x as T`. `type_name` is as written, with its namespace if it has one."""

    operator: str
    operand: Expression
    type_name: str
    position: int = field(compare=False)


Expression: TypeAlias = (
    Empty | Literal | Variable | Constant | Member | Function | Index | Unary | Binary | Chain | TypeOperation
)


def children(node: Expression) -> tuple[Expression, ...]:
    """The expressions that stand directly in this one."""
    match node:
        case Member(source=source):
            return (source,) if source is not None else ()
        case Function(source=source, arguments=arguments):
            return (source, *arguments) if source is not None else arguments
        case Index(source=source, at=at):
            return (source, at)
        case Unary(operand=operand) | TypeOperation(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case Chain(operands=operands):
            return operands
        case _:
            return ()
