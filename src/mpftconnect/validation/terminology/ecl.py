"""SNOMED CT Expression Constraint Language: the operators that published value sets use.

ECL 2.2, "Syntax": `<` `<<` `<!` `>` `>>` `>!`, `^`, `*`, brackets, AND (or a comma), OR, MINUS, terms between bars,
comments, and the words of the long syntax (`descendantOrSelfOf`, ...). AND and OR are not mixed without brackets, and
MINUS has two sides. Of the expressions in the UK's published packages (72 use OR, 51 `<<`, 21 `<`, 19 `^`, 17 MINUS),
none uses a refinement, a cardinality, a dot or a filter; these are refused, and what uses them is not checked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Edition", "Node", "NotParsed", "judge", "parse_ecl"]

_LONGEST = 200_000
_DEEPEST = 64
_TOKENS = re.compile(
    r"\s+|/\*.*?\*/|(?P<bar>\|[^|]*\|)|(?P<op><<!|<<|<!|<|>>!|>>|>!|>|\^|\(|\)|\*|,)|(?P<number>[0-9]{6,18})(?![0-9A-Za-z])"
    r"|(?P<word>[A-Za-z]+)",
    re.DOTALL,
)
_WORDS = {
    "descendantof": "<", "descendantorselfof": "<<", "childof": "<!", "ancestorof": ">", "ancestororselfof": ">>",
    "parentof": ">!", "memberof": "^", "any": "*",
}  # fmt: skip
_UNSUPPORTED = {
    ":": "a refinement",
    "{": "a group or filter",
    "[": "a cardinality",
    ".": "a dotted path",
    "|": "a term that does not end",
}
_JOINS = {"and": "and", ",": "and", "or": "or", "minus": "minus"}


class NotParsed(ValueError):
    """An expression that is not understood; the message says what stands in the way."""


@dataclass(frozen=True, slots=True)
class Node:
    """One step: an operator over a concept, or over other steps."""

    op: str
    concept: str = ""
    parts: tuple[Node, ...] = ()


class Edition(Protocol):
    """What an expression is judged with: each answer is True, False or None."""

    def has(self, code: str) -> bool | None: ...
    def active(self, code: str) -> bool | None: ...
    def under(self, code: str, ancestor: str) -> bool | None: ...
    def child(self, code: str, parent: str) -> bool | None: ...
    def member(self, code: str, refset: str) -> bool | None: ...


def parse_ecl(text: str) -> Node:
    """Read an expression.

    Raises:
        NotParsed: It is not ECL, or uses what is not supported.

    >>> parse_ecl("<< 404684003 |Clinical finding| MINUS ^ 723264001").op
    'minus'
    """
    if len(text) > _LONGEST:
        raise NotParsed("the expression is longer than is read")
    return _Parser(_tokens(text)).whole()


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKENS.match(text, at)
        if match is None:
            raise NotParsed(f"the expression has {_UNSUPPORTED.get(text[at], 'a character that is not supported')}")
        at = match.end()
        if match["op"] or match["number"]:
            found.append(match[0])
        elif match["word"]:
            word = match["word"].lower()
            if word in _WORDS or word in _JOINS:
                found.append(_WORDS.get(word) or word)
            else:
                raise NotParsed("the expression has a word that is not supported")
        elif match["bar"] and (not found or not found[-1].isdigit()):
            raise NotParsed("the expression has a term without a concept")
    return found


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._compound()
        if self._at != len(self._tokens):
            raise NotParsed("the expression goes on where it should end")
        return node

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _compound(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise NotParsed("the expression is nested too deeply")
        parts = [self._simple()]
        join = ""
        while (op := _JOINS.get(self._peek(), "")) != "":
            if join and (op != join or op == "minus"):
                raise NotParsed("the expression mixes AND, OR or MINUS without brackets")
            join = op
            self._at += 1
            parts.append(self._simple())
        self._depth -= 1
        return Node(join, parts=tuple(parts)) if join else parts[0]

    def _simple(self) -> Node:
        symbol = self._peek()
        self._at += 1
        if symbol in ("<", "<<", "<!", ">", ">>", ">!", "^"):
            self._depth += 1
            if self._depth > _DEEPEST:
                raise NotParsed("the expression is nested too deeply")
            inner = self._simple()
            self._depth -= 1
            if inner.op == "self":
                return Node(symbol, inner.concept)
            if inner.op == "*" and symbol in ("<<", ">>"):
                return inner
            if symbol in ("<", "<<", "<!") and inner.op == "or" and all(part.op == "self" for part in inner.parts):
                # The descendants of a union are the union of the descendants.
                return Node("or", parts=tuple(Node(symbol, part.concept) for part in inner.parts))
            raise NotParsed("the expression applies an operator to what is not one concept")
        if symbol == "(":
            node = self._compound()
            if self._peek() != ")":
                raise NotParsed("the expression has a bracket that is not closed")
            self._at += 1
            return node
        if symbol == "*":
            return Node("*")
        if symbol.isdigit():
            return Node("self", symbol)
        raise NotParsed("the expression ends, or has an operator, where a concept should be")


def judge(node: Node, code: str, edition: Edition) -> bool | None:
    """Whether a code fits an expression: True, False, or None where the edition does not know."""
    if node.op in ("and", "or", "minus"):
        answers = (judge(part, code, edition) for part in node.parts)
        if node.op == "and":
            return _all(answers)
        if node.op == "or":
            return _any(answers)
        first, second = answers
        return _all([first, None if second is None else not second])
    if node.op == "*":
        return edition.active(code)
    if node.op == "self":
        return code == node.concept
    if node.op == "^":
        return edition.member(code, node.concept)
    if node.op in ("<", "<<"):
        if code == node.concept:
            return node.op == "<<"
        return edition.under(code, node.concept)
    if node.op in (">", ">>"):
        if code == node.concept:
            return node.op == ">>"
        return edition.under(node.concept, code)
    return edition.child(code, node.concept) if node.op == "<!" else edition.child(node.concept, code)


def _any(answers: object) -> bool | None:
    doubt = False
    for answer in answers:  # type: ignore[attr-defined]
        if answer:
            return True
        doubt = doubt or answer is None
    return None if doubt else False


def _all(answers: object) -> bool | None:
    doubt = False
    for answer in answers:  # type: ignore[attr-defined]
        if answer is False:
            return False
        doubt = doubt or answer is None
    return None if doubt else True
