"""What a check is made of, said beside the check, so that a quicker one for the usual case can be made from it.

A check without a recipe is run as it is. So a new check is never skipped: at worst it is as slow as before. What is
added to a check that has a recipe must be added to what is made of the recipe, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from mpftconnect.validation.compile.element import Binding

__all__ = [
    "Beside",
    "Bound",
    "ByKey",
    "Choice",
    "Complex",
    "Constraints",
    "Equals",
    "Extensions",
    "Later",
    "Longest",
    "Nothing",
    "Parts",
    "Primitive",
    "Properties",
    "Refers",
    "Sliced",
    "Unless",
    "described",
    "in_order",
    "recipe_of",
]

AnyCheck = TypeVar("AnyCheck", bound=Callable[..., Any])
Check = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Nothing:
    """A property of which nothing is left to say (`resourceType`)."""


@dataclass(frozen=True, slots=True)
class Primitive:
    """A property of a primitive type. `form`: its type's check; `facets`: what the element demands besides."""

    key: str
    code: str
    form: Callable[[Any], str | None]
    facets: tuple[Check, ...]
    is_list: bool
    least: int
    most: int | None
    sliced: bool


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside a primitive (`_key`): checked with it, where it has a value."""

    key: str


@dataclass(frozen=True, slots=True)
class Complex:
    """A property of a complex type. `check` takes each value; `slices` all of them."""

    key: str
    label: str | None
    code: str
    is_list: bool
    least: int
    most: int | None
    check: Check
    slices: Any
    wrong_shape: Check


@dataclass(frozen=True, slots=True)
class Extensions:
    """`extension` or `modifierExtension`. `inline`: addresses that slices define in place."""

    key: str
    least: int
    most: int | None
    facets: tuple[Check, ...]
    slices: Any
    inline: frozenset[Any]
    wrong_shape: Check


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice: one of the keys may stand, and must, where `required`."""

    keys: tuple[str, ...]
    required: bool


@dataclass(frozen=True, slots=True)
class Properties:
    """The properties of an object: handlers by name, what must stand, and choices."""

    table: dict[str, Check]
    required: tuple[str, ...]
    choices: tuple[Choice, ...]
    absent_slices: tuple[str, ...]
    id_alone: bool  # whether an id alone is something


@dataclass(frozen=True, slots=True)
class Parts:
    """Checks of one value that are run one after another."""

    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Later:
    """A check that is made when it is first needed. May raise what making it may raise."""

    make: Callable[[], Check]


@dataclass(frozen=True, slots=True)
class Sliced:
    """What a slice demands of an item, made for the item's type."""

    of_type: Callable[[str | None], Check]


@dataclass(frozen=True, slots=True)
class Constraints:
    """Invariants, each with its compiled expression."""

    listed: tuple[tuple[Any, Any], ...]
    profile: str | None


@dataclass(frozen=True, slots=True)
class Bound:
    """A binding of a value of a type."""

    binding: Binding
    code: str
    profile: str | None


@dataclass(frozen=True, slots=True)
class Refers:
    """Where a reference may lead: types by name (none: anywhere), and whether it says nothing else."""

    targets: frozenset[str]
    anything: bool
    plain: bool


@dataclass(frozen=True, slots=True)
class Equals:
    """A fixed value or pattern that is one text or truth."""

    wanted: str | bool


@dataclass(frozen=True, slots=True)
class ByKey:
    """A slice of items whose property `key` is one of some texts."""

    key: str
    texts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Longest:
    """At most so many characters."""

    most: int


@dataclass(frozen=True, slots=True)
class Unless:
    """Says nothing if a quick test of the value is met. `test`: of the value alone; None: with the usual options."""

    test: Callable[[Any], object] | None


def described(check: AnyCheck, recipe: object) -> AnyCheck:
    """The check, with what it is made of."""
    check.__dict__["recipe"] = recipe
    return check


def in_order(parts: tuple[Check, ...]) -> Check:
    """A check that runs others one after another."""

    def check(value: Any, place: Any, run: Any) -> None:
        for part in parts:
            part(value, place, run)

    return described(check, Parts(parts))


def recipe_of(check: Check) -> Any:
    """What a check is made of; None where that is not said."""
    return getattr(check, "recipe", None)
