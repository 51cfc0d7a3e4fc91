"""Tokens to an expression tree, by precedence climbing.

Source:
    FHIRPath N1 (2.0.0), 6.8 "Operator Precedence", and the published grammar.
"""

from __future__ import annotations

from decimal import Decimal

from mpftconnect.errors import FhirPathError
from mpftconnect.validation.fhirpath.lexer import Token, tokenise
from mpftconnect.validation.fhirpath.quantity import CALENDAR_UNITS, Quantity
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
from mpftconnect.validation.fhirpath.temporal import read_date, read_date_time, read_time

__all__ = ["DEEPEST", "parse"]

# How deep an expression may nest. The deepest constraint of the published core packages nests 15 deep; the limit
# keeps compiling and evaluating well inside Python's own recursion limit.
DEEPEST = 80

_PRECEDENCE = {
    "implies": 1,
    **dict.fromkeys(("or", "xor"), 2),
    "and": 3,
    **dict.fromkeys(("in", "contains"), 4),
    **dict.fromkeys(("=", "~", "!=", "!~"), 5),
    **dict.fromkeys(("<", "<=", ">", ">="), 6),
    "|": 7,
    **dict.fromkeys(("is", "as"), 8),
    **dict.fromkeys(("+", "-", "&"), 9),
    **dict.fromkeys(("*", "/", "div", "mod"), 10),
}
_CHAINED = {"and", "or", "|"}
_LARGEST_INTEGER = 2**31 - 1  # N1, 4.1.3: an Integer has 32 bits


def parse(text: str) -> Expression:
    """The tree of an expression.

    Raises:
        FhirPathError: Not FHIRPath; the message says where (counted in characters from 1) and which rule.
    """
    parser = _Parser(tokenise(text))
    tree = parser.expression(0)
    if parser.token.kind != "end":
        raise FhirPathError("an operator or the end is expected here", position=parser.token.position)
    return tree


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._heights: dict[int, int] = {}
        self.token = tokens[0]

    def _next(self) -> Token:
        token = self.token
        if token.kind != "end":
            self._at += 1
            self.token = self._tokens[self._at]
        return token

    def _is(self, symbol: str) -> bool:
        return self.token.kind == "symbol" and self.token.text == symbol

    def _expect(self, symbol: str) -> None:
        if not self._is(symbol):
            raise FhirPathError(f"'{symbol}' is expected here", position=self.token.position)
        self._next()

    def _grown(self, node: Expression) -> Expression:
        """The node, once it is known not to nest too deep: a long path or sum is as deep as brackets are."""
        height = 1 + max((self._heights.get(id(child), 0) for child in children(node)), default=0)
        if height > DEEPEST:
            raise FhirPathError(f"nested deeper than {DEEPEST} levels", position=node.position)
        self._heights[id(node)] = height
        return node

    def expression(self, lowest: int) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            raise FhirPathError(f"nested deeper than {DEEPEST} levels", position=self.token.position)
        left = self._unary()
        while True:
            token = self.token
            precedence = _PRECEDENCE.get(token.text, 0) if token.kind in ("symbol", "name") else 0
            if not precedence or precedence <= lowest:
                self._depth -= 1
                return left
            self._next()
            if token.text in ("is", "as"):
                left = self._grown(TypeOperation(token.text, left, self._type_name(), token.position))
            elif token.text in _CHAINED:
                left = self._chain(token, left, precedence)
            else:
                left = self._grown(Binary(token.text, left, self.expression(precedence), token.position))

    def _chain(self, token: Token, first: Expression, precedence: int) -> Expression:
        operands = [first, self.expression(precedence)]
        while self.token.text == token.text and self.token.kind == token.kind:
            self._next()
            operands.append(self.expression(precedence))
        return self._grown(Chain(token.text, tuple(operands), token.position))

    def _type_name(self) -> str:
        parts = [self._name()]
        while self._is("."):
            self._next()
            parts.append(self._name())
        return ".".join(parts)

    def _name(self) -> str:
        token = self._next()
        if token.kind not in ("name", "quoted"):
            raise FhirPathError("a name is expected here", position=token.position)
        return token.text

    def _unary(self) -> Expression:
        if self._is("-") or self._is("+"):
            token = self._next()
            self._depth += 1
            if self._depth > DEEPEST:
                raise FhirPathError(f"nested deeper than {DEEPEST} levels", position=token.position)
            operand = self._unary()
            self._depth -= 1
            return self._grown(Unary(token.text, operand, token.position))
        return self._postfix()

    def _postfix(self) -> Expression:
        node = self._term()
        while True:
            if self._is("."):
                self._next()
                node = self._invocation(node)
            elif self._is("["):
                position = self._next().position
                at = self.expression(0)
                self._expect("]")
                node = self._grown(Index(node, at, position))
            else:
                return node

    def _invocation(self, source: Expression | None) -> Expression:
        token = self.token
        if token.kind == "symbol" and token.text.startswith("$"):
            self._next()
            if source is None or token.text == "$this":
                return source if source is not None else Variable(token.text, token.position)
            raise FhirPathError("a name is expected here", position=token.position)
        name = self._name()
        if not self._is("("):
            return self._grown(Member(source, name, token.position))
        self._next()
        arguments = []
        if not self._is(")"):
            arguments.append(self.expression(0))
            while self._is(","):
                self._next()
                arguments.append(self.expression(0))
        self._expect(")")
        return self._grown(Function(source, name, tuple(arguments), token.position))

    def _term(self) -> Expression:
        token = self.token
        if token.kind == "symbol":
            if token.text == "(":
                self._next()
                node = self.expression(0)
                self._expect(")")
                return node
            if token.text == "{":
                self._next()
                self._expect("}")
                return Empty(token.position)
            if token.text == "%":
                self._next()
                name = self._next()
                if name.kind not in ("name", "quoted", "string"):
                    raise FhirPathError("the name of a variable is expected here", position=name.position)
                return Constant(name.text, token.position)
            if not token.text.startswith("$"):
                raise FhirPathError("a value or a path is expected here", position=token.position)
        if token.kind in ("name", "quoted", "symbol"):
            if token.kind == "name" and token.text in ("true", "false"):
                self._next()
                return Literal(token.text == "true", "System.Boolean", token.position)
            return self._invocation(None)
        return self._literal()

    def _literal(self) -> Expression:
        token = self._next()
        position = token.position
        match token.kind:
            case "string":
                return Literal(token.text, "System.String", position)
            case "number":
                return self._number(token)
            case "time":
                if (time := read_time(token.text[2:])) is not None:
                    return Literal(time, "System.Time", position)
            case "moment" if "T" in token.text:
                if (moment := read_date_time(token.text[1:])) is not None:
                    return Literal(moment, "System.DateTime", position)
            case "moment":
                if (date := read_date(token.text[1:])) is not None:
                    return Literal(date, "System.Date", position)
            case _:
                raise FhirPathError("a value or a path is expected here", position=position)
        raise FhirPathError("a date or time that does not exist", position=position)

    def _number(self, token: Token) -> Expression:
        unit = self.token
        if unit.kind == "string" or (unit.kind == "name" and unit.text in CALENDAR_UNITS):
            self._next()
            calendar = unit.kind == "name"
            name = CALENDAR_UNITS[unit.text] if calendar else unit.text
            return Literal(Quantity(Decimal(token.text), name, calendar), "System.Quantity", token.position)
        if "." in token.text:
            return Literal(Decimal(token.text), "System.Decimal", token.position)
        if len(token.text) > 10 or int(token.text) > _LARGEST_INTEGER:
            # Published constraints have SNOMED CT codes without quotes. No Integer is so large, but a Decimal is.
            return Literal(Decimal(token.text), "System.Decimal", token.position)
        return Literal(int(token.text), "System.Integer", token.position)
