"""The engine's door: an expression is read once, compiled once for each type of focus, and evaluated often."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from mpftconnect.errors import FhirPathError, NotEvaluable
from mpftconnect.validation.fhirpath.code import Code, Truth
from mpftconnect.validation.fhirpath.compiler import Compiler
from mpftconnect.validation.fhirpath.errata import corrected
from mpftconnect.validation.fhirpath.items import FAULTS, Items, Node, Scope, plain
from mpftconnect.validation.fhirpath.parser import parse
from mpftconnect.validation.fhirpath.paths import type_of
from mpftconnect.validation.fhirpath.syntax import Expression
from mpftconnect.validation.fhirpath.types import TypeProvider, Types, Version, core_types

__all__ = ["Compiled", "compile_expression", "evaluate"]

_TYPES: dict[Version, Types] = {}


class Compiled:
    """An expression made ready. Immutable to its users and safe to share between threads.

    It is compiled when it is first evaluated on a focus of some type, and kept for that type.
    """

    def __init__(self, text: str, types: Types, *, context: str | None = None, strict: bool = False) -> None:
        self.text, self.context = text, context
        self._tree = parse(text)
        self._types, self._strict = types, strict
        self._codes: dict[str | None, Code] = {}
        self._for: dict[str, Compiled] = {}
        # What is wrong whatever the focus is, is said at once.
        self._code(context)

    def __repr__(self) -> str:
        return f"Compiled({self.text!r}, context={self.context!r})"

    @property
    def tree(self) -> Expression:
        """The expression as it was read."""
        return self._tree

    def element_type(self, name: str) -> str | None:
        """The type of an element of the focus; None for a choice, and where the type of the focus is not known."""
        found = self._types.element(self.context, name) if self.context is not None else None
        return found.types[0] if found is not None and not found.choice else None

    def truth_of(self) -> Truth | None:
        """What gives the truth where the type of the focus is known: the work of `holds` without its surroundings."""
        return self._code(self.context).truth if self.context is not None else None

    def _code(self, kind: str | None) -> Code:
        code = self._codes.get(kind)
        if code is None:
            try:
                code = Compiler(self._types, focus=kind, strict=self._strict).compile(self._tree, kind)
                code.truth, code.items  # noqa: B018 - made now, so that evaluating makes nothing
            except RecursionError:
                raise FhirPathError("nested too deep", position=0) from None
            self._codes[kind] = code
        return code

    def for_type(self, name: str) -> Compiled:
        """The same expression where the focus is known to be of a type: an element's path or a type's name.

        >>> compile_expression("family").for_type("HumanName").evaluate({"family": "Ashdown"})
        ['Ashdown']
        """
        if name not in self._for:
            self._for[name] = Compiled(self.text, self._types, context=name, strict=self._strict)
        return self._for[name]

    def _kind(self, node: Any, type_of_focus: Callable[[Any], str | None] | None) -> str | None:
        if self.context is not None:
            return self.context
        kind = type_of_focus(node) if type_of_focus is not None else type_of(node, None)
        return kind if kind is not None and self._types.known(kind) else None

    def evaluate(
        self,
        node: Any,
        *,
        root: Any = None,
        resource: Any = None,
        environment: Mapping[str, Any] | None = None,
        resolve: Callable[[str], Any] | None = None,
        conforms: Callable[[Any, str], bool | None] | None = None,
        member_of: Callable[[Any, str], bool | None] | None = None,
        type_of: Callable[[Any], str | None] | None = None,
    ) -> list[Any]:
        """What the expression finds from a focus.

        Args:
            node: The focus: JSON as Python's readers give it (plain `dict`, `list`, `str`, ...; numbers as `int`,
                `Decimal` or `float`), or a `Node`: a primitive with its extensions, or an object with its type.
            root: `%rootResource`: the resource that contains `resource`; `resource` itself unless given.
            resource: `%resource`: the resource that the focus is in; the focus unless given.
            environment: Values of further `%variables`, names without the sign.
            resolve: Gives the resource that a reference or URL means, None where there is none. References to
                contained resources need none.
            conforms: Says whether an item conforms to the profile of a URL; None where it cannot tell.
            member_of: Says whether an item is in the value set of a URL; None where it cannot tell.
            type_of: Gives the FHIR type of the focus; by default a resource's own name.
        Returns:
            Plain values: `str`, `bool`, `int`, `Decimal`, `Date`, `DateTime`, `Time`, `Quantity`, and JSON objects as
            they are. A primitive without a value is the object that holds its extensions.
        Raises:
            FhirPathError: FHIRPath makes it an error for this focus.
            NotEvaluable: It needs what is not here, or more effort than is allowed.
        """
        kind = self._kind(node, type_of)
        node = _bare(node)
        code = self._code(kind)
        scope = Scope(
            node if resource is None else resource,
            root,
            context=node,
            environment=environment,
            resolve=resolve,
            conforms=conforms,
            member_of=member_of,
        )
        try:
            return _plain_items(code.items(node, scope), code.type)
        except FAULTS:
            raise NotEvaluable("the data is nested too deep or has a number too large") from None

    def truth(
        self,
        node: Any,
        *,
        root: Any = None,
        resource: Any = None,
        environment: Mapping[str, Any] | None = None,
        resolve: Callable[[str], Any] | None = None,
        conforms: Callable[[Any, str], bool | None] | None = None,
        member_of: Callable[[Any, str], bool | None] | None = None,
        type_of: Callable[[Any], str | None] | None = None,
    ) -> bool:
        """Whether the expression, as an invariant, is met: it must give true, so nothing at all is not enough.

        The reference validator takes an empty result as false too. Arguments and errors as of `evaluate`.
        """
        scope = Scope(
            node if resource is None else resource,
            root,
            context=node,
            environment=environment,
            resolve=resolve,
            conforms=conforms,
            member_of=member_of,
        )
        return self.holds(node, scope, type_of)

    def holds(self, node: Any, scope: Scope, type_of: Callable[[Any], str | None] | None = None) -> bool:
        """`truth` in a scope made once for many invariants of one resource. Sets `scope.context`."""
        kind = self.context if self.context is not None else self._kind(node, type_of)
        code = self._codes.get(kind) or self._code(kind)
        if node.__class__ is Node:
            node = _bare(node)
        if scope.memo:
            scope.memo = {}
        scope.context = node
        try:
            return code.truth(node, scope) is True
        except FAULTS:
            raise NotEvaluable("the data is nested too deep or has a number too large") from None


def _bare(node: Any) -> Any:
    """A focus without its wrapping, unless that is all that tells what it is."""
    return node.value if node.__class__ is Node and node.value.__class__ is dict else node


def _plain_items(items: Items, kind: str | None) -> list[Any]:
    found = []
    for item in items:
        value = plain(item, kind)
        if value is None and item.__class__ is Node:
            value = dict(item.element or {})
        found.append(value)
    return found


def _core(version: Version) -> Types:
    if version not in _TYPES:
        _TYPES[version] = Types(core_types(version))
    return _TYPES[version]


@lru_cache(maxsize=2048)
def _compiled(expression: str, version: Version, context: str | None, strict: bool) -> Compiled:
    return Compiled(corrected(expression, version), _core(version), context=context, strict=strict)


def compile_expression(
    expression: str,
    *,
    version: Version = "4.0",
    types: TypeProvider | None = None,
    context: str | None = None,
    strict: bool = False,
) -> Compiled:
    """An expression made ready to be evaluated often.

    Args:
        version: FHIR R4 (`"4.0"`) or STU3 (`"3.0"`). Expressions that were published with a mistake which a later
            version of FHIR mends are read as they were meant: see `errata`.
        types: The definitions to go by; those of the FHIR version's own types unless given.
        context: The type of the focus, where it is known; otherwise the focus tells.
        strict: Refuse what the definitions show to be a mistake, such as an element that a type does not have,
            where FHIRPath would find nothing.
    Raises:
        FhirPathError: Not FHIRPath. The message says where in the expression and which rule.

    >>> compile_expression("name.exists() or telecom.exists()").truth({"resourceType": "Patient"})
    False
    >>> compile_expression("name.where(use = 'official'")
    Traceback (most recent call last):
    mpftconnect.errors.FhirPathError: character 28: ')' is expected here
    """
    if types is None:
        return _compiled(expression, version, context, strict)
    return Compiled(corrected(expression, version), Types(types), context=context, strict=strict)


def evaluate(
    expression: str, resource: Any, *, environment: Mapping[str, Any] | None = None, version: Version = "4.0"
) -> list[Any]:
    """What a FHIRPath expression finds in a resource.

    Args:
        resource: A FHIR resource as Python reads its JSON.
        environment: Values of further `%variables`, names without the sign.
        version: FHIR R4 (`"4.0"`) or STU3 (`"3.0"`).
    Returns:
        Plain values: `str`, `bool`, `int`, `Decimal`, `Date`, `DateTime`, `Time`, `Quantity`, and JSON objects as they
        are. Nothing found is an empty list.
    Raises:
        FhirPathError: Not FHIRPath, or an error for this resource.
        NotEvaluable: It needs what is not here: a terminology service, profiles, something that resolves references.

    >>> patient = {"resourceType": "Patient", "birthDate": "1950-03", "name": [{"given": ["Ann", "Beth"]}]}
    >>> evaluate("Patient.name.given.first()", patient)
    ['Ann']
    >>> [str(date) for date in evaluate("birthDate", patient)], evaluate("birthDate = @1950-03-01", patient)
    (['1950-03'], [])
    """
    return compile_expression(expression, version=version).evaluate(resource, environment=environment)
