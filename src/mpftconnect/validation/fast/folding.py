"""Invariants in the light of which properties an object has: many are true whatever the values are.

`holds` gives a piece of Python that, if true, means that the expression gives true; "True" where the properties alone
decide. It stands for what the FHIRPath engine would give only where no part that is left out could be an error: names
of elements, `exists()`, `empty()`, `not()`, literals and the operators of logic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mpftconnect.validation.fhirpath import Compiled
from mpftconnect.validation.fhirpath.items import TEXT_TYPES
from mpftconnect.validation.fhirpath.syntax import Binary, Chain, Expression, Function, Literal, Member

__all__ = ["holds"]

# Functions that find nothing, or these truths, where there is nothing to look at.
_NOTHING = frozenset(("where", "select", "first", "last", "tail", "ofType", "as", "resolve", "extension", "distinct"))
_LONGEST = 600
_MOMENTS = frozenset(("date", "dateTime", "instant"))
_NUMBERS = frozenset(("decimal", "integer", "positiveInt", "unsignedInt"))


class _Object:
    """What is known of an object: its properties, each with the name of the variable that holds its value."""

    def __init__(self, compiled: Compiled, variables: Mapping[str, str]) -> None:
        self.compiled = compiled
        self.variables = variables

    def lacks(self, name: str) -> bool:
        """Whether there is no property that the name could mean (`value` may mean `valueCode` or `_valueCode`)."""
        return name[:1].islower() and not any(key.startswith((name, "_" + name)) for key in self.variables)

    def has(self, name: str) -> str | None:
        """A test that the element stands; None where the properties do not say that it may."""
        if name not in self.variables or self.compiled.element_type(name) is None:
            return None
        v = self.variables[name]
        return (
            f"({v}.__class__ is dict or {v}.__class__ is str or {v}.__class__ is list and {v}[:1] not in ([], [None]))"
        )

    def text(self, node: Expression) -> str | None:
        """The variable of an element whose JSON is one text, and which reads as that text."""
        return self._of_type(node, TEXT_TYPES)

    def number(self, node: Expression) -> str | None:
        """The variable of a number."""
        return self._of_type(node, _NUMBERS)

    def moment(self, node: Expression) -> str | None:
        """The variable of a date, with a time or without."""
        return self._of_type(node, _MOMENTS)

    def _of_type(self, node: Expression, types: frozenset[str]) -> str | None:
        """The variable of an element of one of some primitive types, without extensions beside it."""
        if not isinstance(node, Member) or node.source is not None or "_" + node.name in self.variables:
            return None
        return self.variables.get(node.name) if self.compiled.element_type(node.name) in types else None


def holds(compiled: Compiled, variables: Mapping[str, str]) -> str | None:
    """A test under which an invariant holds for an object that has the properties; None where none is known."""
    found = _true(compiled.tree, _Object(compiled, variables))
    return found if found is None or len(found) <= _LONGEST else None


def _true(node: Expression, known: _Object) -> str | None:
    match node:
        case Literal(value=True):
            return "True"
        case Function(source=source, name="exists", arguments=()) if source is not None:
            return _stands(source, known)
        case Function(source=source, name="empty", arguments=()) if source is not None:
            return "True" if _is_nothing(source, known) else None
        case Function(source=source, name="not", arguments=()) if source is not None:
            return _false(source, known)
        case Function(source=source, name="all") if source is not None:
            return "True" if _is_nothing(source, known) else None
        case Chain(operator="and", operands=operands):
            return _both([_true(operand, known) for operand in operands])
        case Chain(operator="or", operands=operands):
            return _any(operands, _true, known)
        case Binary(operator="implies", left=left, right=right):
            return _either(_false(left, known), _both([_safe(left, known), _true(right, known)]))
        case Binary(operator="=" | "!=" as operator, left=left, right=Literal(value=str() as text)):
            return _compared(known.text(left), "==" if operator == "=" else "!=", text)
        case Binary(operator="=" | "!=" as operator, left=left, right=right) if _tells(left) and _tells(right):
            same = operator == "="
            yes, no = _true(left, known), _false(left, known)
            first = _both([yes, _true(right, known) if same else _false(right, known)])
            return _either(first, _both([no, _false(right, known) if same else _true(right, known)]))
        case Binary(operator=">=", left=left, right=Literal(value=int() as least)):
            v = known.number(left)
            return f"({v}.__class__ in NUMBERS and {least} <= {v} <= 1000000)" if v is not None else None
        case Binary(operator="<=", left=left, right=right):
            first, then = known.moment(left), known.moment(right)
            return f"is_not_after({first}, {then})" if first is not None and then is not None else None
    return None


def _false(node: Expression, known: _Object) -> str | None:
    match node:
        case Literal(value=False):
            return "True"
        case Function(source=source, name="exists") if source is not None:
            return "True" if _is_nothing(source, known) else None
        case Function(source=source, name="empty", arguments=()) if source is not None:
            return _stands(source, known)
        case Function(source=source, name="hasValue", arguments=()) if source is not None:
            return "True" if _is_nothing(source, known) else None
        case Function(source=source, name="not", arguments=()) if source is not None:
            return _true(source, known)
        case Chain(operator="or", operands=operands):
            return _both([_false(operand, known) for operand in operands])
        case Chain(operator="and", operands=operands):
            return _any(operands, _false, known)
        case Binary(operator="=" | "!=" as operator, left=left, right=Literal(value=str() as text)):
            return _compared(known.text(left), "!=" if operator == "=" else "==", text)
    return None


def _compared(v: str | None, operator: str, text: str) -> str | None:
    return f"({v}.__class__ is str and {v} {operator} {text!r})" if v is not None else None


def _both(tests: list[str | None]) -> str | None:
    told = [test for test in tests if test is not None]
    if len(told) < len(tests):
        return None
    rest = [test for test in told if test != "True"]
    return "True" if not rest else rest[0] if len(rest) == 1 else f"({' and '.join(rest)})"


def _either(first: str | None, second: str | None) -> str | None:
    if first is None or second is None:
        return first if second is None else second
    return "True" if "True" in (first, second) else f"({first} or {second})"


def _any(
    operands: tuple[Expression, ...], test: Callable[[Expression, _Object], str | None], known: _Object
) -> str | None:
    """One operand is enough, if those before it are no error."""
    found: str | None = None
    before: str | None = "True"
    for operand in operands:
        found = _either(found, _both([before, test(operand, known)]))
        before = _both([before, _safe(operand, known)])
        if found == "True" or before is None:
            break
    return found


def _stands(path: Expression, known: _Object) -> str | None:
    """A test that a path of one or two names finds something."""
    match path:
        case Member(source=None, name=name):
            return known.has(name)
        case Member(source=Member(source=None, name="text"), name="div"):  # dom-6, which every resource is asked
            if known.compiled.element_type("text") == "Narrative" and "text" in known.variables:
                v = known.variables["text"]
                return f"({v}.__class__ is dict and {v}.get('div').__class__ is str)"
    return None


def _is_nothing(node: Expression, known: _Object) -> bool:
    """Whether an expression surely finds nothing: it begins at an element that does not stand."""
    match node:
        case Member(source=None, name=name):
            return known.lacks(name)
        case Member(source=source) if source is not None:
            return _is_nothing(source, known)
        case Function(source=source, name=name) if source is not None and name in _NOTHING:
            return _is_nothing(source, known)
    return False


def _tells(node: Expression) -> bool:
    """Whether an expression gives true or false, and never nothing."""
    return isinstance(node, Function) and node.name in ("exists", "empty") and node.source is not None


def _safe(node: Expression, known: _Object) -> str | None:
    """A test under which an expression is no error; None where none is known."""
    match node:
        case Literal():
            return "True"
        case Function(source=source, name="exists" | "empty" | "hasValue", arguments=()) if source is not None:
            return "True" if _is_path(source) or _is_nothing(source, known) else None
        case Function(source=source, name="not", arguments=()) if source is not None:
            return _safe(source, known)
        case Chain(operator="and" | "or", operands=operands):
            return _both([_safe(operand, known) for operand in operands])
        case Binary(operator="implies", left=left, right=right):
            return _both([_safe(left, known), _safe(right, known)])
        case Binary(operator="=" | "!=", left=left, right=Literal(value=str())):
            v = known.text(left)
            return f"{v}.__class__ is str" if v is not None else None
    return None


def _is_path(node: Expression) -> bool:
    match node:
        case Member(source=None):
            return True
        case Member(source=source) if source is not None:
            return _is_path(source)
    return False
