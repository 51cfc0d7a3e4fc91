"""Which functions there are, and what one of them is given to compile itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

from mpftconnect.errors import FhirPathError
from mpftconnect.validation.fhirpath.code import Code, one
from mpftconnect.validation.fhirpath.items import EMPTY, Items, Scope
from mpftconnect.validation.fhirpath.syntax import Expression, Member, Variable, children
from mpftconnect.validation.fhirpath.types import Types

__all__ = ["FUNCTIONS", "Call", "function", "numbered", "value_function"]


class _Compiler(Protocol):
    types: Types
    strict: bool

    def compile(self, node: Expression, this: str | None) -> Code: ...


@dataclass(frozen=True, slots=True)
class Call:
    """One call in an expression, while it is compiled.

    Args:
        source: What stands before the dot; `$this` where nothing does.
        this: The type of `$this` where the call stands.
    """

    compiler: _Compiler
    name: str
    source: Code
    written_source: Expression | None
    arguments: tuple[Expression, ...]
    this: str | None
    position: int

    @property
    def types(self) -> Types:
        return self.compiler.types

    def value(self, at: int) -> Code:
        """An argument that is evaluated once, where the call stands."""
        return self.compiler.compile(self.arguments[at], self.this)

    def each(self, at: int) -> Code:
        """An argument that is evaluated for each item of the source, which is its `$this`."""
        return self.compiler.compile(self.arguments[at], self.source.type)

    def given(self, at: int) -> bool:
        return at < len(self.arguments)

    def fault(self, rule: str) -> FhirPathError:
        return FhirPathError(rule, position=self.position)

    def type_name(self, at: int) -> str:
        """An argument that names a type."""
        parts = []
        node: Expression | None = self.arguments[at]
        while isinstance(node, Member):
            parts.append(node.name)
            node = node.source
        if node is not None:
            raise self.fault("the name of a type is expected")
        return ".".join(reversed(parts))

    def indexed(self, at: int) -> bool:
        """Whether an argument uses `$index`."""
        waiting = [self.arguments[at]]
        while waiting:
            node = waiting.pop()
            if isinstance(node, Variable) and node.name == "$index":
                return True
            waiting += children(node)
        return False


Builder: TypeAlias = Callable[[Call], Code]


class Known(NamedTuple):
    build: Builder
    least: int
    most: int
    needs_order: bool


FUNCTIONS: dict[str, Known] = {}


def function(
    name: str, least: int = 0, most: int | None = None, *, needs_order: bool = False
) -> Callable[[Builder], Builder]:
    """Register what compiles the calls of one function.

    Args:
        least, most: How many arguments it takes; `most` is `least` unless given.
        needs_order: It asks for items by their place, which strict FHIRPath refuses of unordered collections.
    """

    def register(build: Builder) -> Builder:
        FUNCTIONS[name] = Known(build, least, least if most is None else most, needs_order)
        return build

    return register


def value_function(
    name: str, least: int = 0, most: int | None = None, *, type: str | None = None, weighs: int = 4
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function of one System value and of arguments that are single values.

    The Python function is called as `work(call, value, *arguments)`, with None for an argument that is not given. It
    gives a System value, or None for empty. If the value or an argument that is given is empty, so is the result.
    Work on a text is counted: its length, shifted right by `weighs`.
    """

    def register(work: Callable[..., Any]) -> Callable[..., Any]:
        @function(name, least, most)
        def build(call: Call) -> Code:
            value = one(call.source)
            arguments = [one(call.value(at)) for at in range(len(call.arguments))]
            rest = (None,) * ((least if most is None else most) - len(arguments))

            def items(this: Any, scope: Scope) -> Items:
                found = value(this, scope)
                if found is None:
                    return EMPTY
                if found.__class__ is str:
                    scope.spend(1 + (len(found) >> weighs))
                given = []
                for argument in arguments:
                    single = argument(this, scope)
                    if single is None:
                        return EMPTY
                    given.append(single)
                result = work(call, found, *given, *rest)
                return EMPTY if result is None else (result,)

            return Code(items, type=type, position=call.position)

        return work

    return register


def numbered(items: Items, scope: Scope) -> Iterator[Any]:
    """The items one by one, with `$index` set to the place of each, and put back afterwards."""
    before = scope.index
    try:
        for at, item in enumerate(items):
            scope.index = at
            yield item
    finally:
        scope.index = before
