"""Slicing: which slice an item belongs to, and how many items each slice may have."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mpftconnect.errors import DefinitionBroken, PackageNotFound
from mpftconnect.validation.check.paths import Step, element_at, parse_path, values_at
from mpftconnect.validation.check.run import Run
from mpftconnect.validation.check.values import equal, fits
from mpftconnect.validation.compile.element import Discriminator, Element
from mpftconnect.validation.fast.recipes import ByKey, described
from mpftconnect.validation.places import Place

if TYPE_CHECKING:
    from mpftconnect.validation.check.compiler import Checks

__all__ = ["Slices", "compile_slices"]

# True: belongs; False: does not; None: cannot be judged.
Belongs = Callable[[Any, str | None, Place, Run], bool | None]
ItemCheck = Callable[[Any, str | None, Place, Run], None]


class _Slice:
    __slots__ = ("belongs", "check", "element", "inner", "label", "least", "most", "name", "unknown")

    def __init__(
        self, element: Element, belongs: Belongs | None, check: ItemCheck, inner: Slices | None, unknown: str | None
    ) -> None:
        self.element = element
        self.name = element.slice_name or ""
        self.least = element.min
        self.most = element.max
        self.label = f"{element.path}:{self.name}"
        self.belongs = belongs
        self.check = check
        self.inner = inner
        self.unknown = unknown


class Slices:
    """The slices of one element, in their order."""

    __slots__ = ("by_url", "element", "ordered", "pieces", "profile", "rules", "unknown")

    def __init__(self, element: Element, pieces: list[_Slice], profile: str | None) -> None:
        self.element = element
        self.pieces = pieces
        self.profile = profile
        self.unknown = any(piece.unknown is not None for piece in pieces)
        self.rules = element.slicing.rules if element.slicing else "open"
        self.ordered = bool(element.slicing and element.slicing.ordered)

    def check(self, items: list[tuple[Any, str | None, Place]], place: Place, run: Run) -> None:
        """Assign each item to its slice, check it there, and count."""
        counts = [0] * len(self.pieces)
        uncertain = False
        latest, after_slices = -1, False
        default = next((i for i, piece in enumerate(self.pieces) if piece.name == "@default"), None)
        for value, code, where in items:
            chosen, doubt = self._slice_of(value, code, where, run, default)
            uncertain = uncertain or doubt
            if chosen is None:
                if doubt:
                    continue
                if self.rules == "closed" and self.unknown:
                    reason = "whether it belongs to a slice depends on one that cannot be told apart"
                    run.not_checked("slice-closed", where, reason, decisive=True, profile=self.profile)
                elif self.rules == "closed":
                    run.error(
                        "slice-closed", where,
                        f"must belong to one of the slices of {self.element.path} "
                        f"({', '.join(p.name for p in self.pieces)}), because the slicing is closed", self.profile,
                    )  # fmt: skip
                after_slices = True
                continue
            if after_slices and self.rules == "openAtEnd":
                run.error(
                    "slice-order",
                    where,
                    f"slice {self.pieces[chosen].name} must stand before items of no slice",
                    self.profile,
                )
            if self.ordered and chosen < latest:
                run.error("slice-order", where, f"slice {self.pieces[chosen].name} is out of order", self.profile)
            latest = max(latest, chosen)
            counts[chosen] += 1
            self.pieces[chosen].check(value, code, where, run)
        self._count(counts, uncertain, place, run)
        for index, piece in enumerate(self.pieces):
            if piece.inner is not None and counts[index]:
                mine = [item for item in items if self._slice_of(*item, run, default)[0] == index]
                piece.inner.check(mine, place, run)

    def _slice_of(
        self, value: Any, code: str | None, where: Place, run: Run, default: int | None
    ) -> tuple[int | None, bool]:
        doubt = False
        for index, piece in enumerate(self.pieces):
            if piece.belongs is None:
                continue
            verdict = piece.belongs(value, code, where, run)
            if verdict:
                return index, False
            if verdict is None:
                doubt = True
        # The default is for what belongs to no other, which must be known of all of them.
        return (default, False) if default is not None and not doubt and not self.unknown else (None, doubt)

    def _count(self, counts: list[int], uncertain: bool, place: Place, run: Run) -> None:
        for piece, count in zip(self.pieces, counts, strict=True):
            if piece.unknown is not None:
                if piece.least or piece.most is not None:
                    run.not_checked("slice-min", place, piece.unknown, decisive=piece.least > 0, profile=self.profile)
                continue
            if count < piece.least:
                if uncertain:
                    run.not_checked(
                        "slice-min",
                        place,
                        f"whether slice {piece.label} is there depends on what could not be checked",
                        decisive=True,
                        profile=self.profile,
                    )
                else:
                    run.error(
                        "slice-min",
                        place,
                        f"slice {piece.label} must have at least {piece.least} item(s), and has {count}",
                        self.profile,
                    )
            if piece.most is not None and count > piece.most:
                run.error(
                    "slice-max",
                    place,
                    f"slice {piece.label} may have at most {piece.most} item(s), and has {count}",
                    self.profile,
                )


def compile_slices(
    checks: Checks, element: Element, profile: str | None, item_check: Callable[[Element], ItemCheck]
) -> Slices | None:
    """The slices of an element, compiled. `item_check` compiles what a slice demands of its items."""
    if not element.slices:
        return None
    discriminators = element.slicing.discriminators if element.slicing else ()
    pieces = []
    for piece in element.slices.values():
        belongs, unknown = _belongs(checks, element, piece, discriminators)
        inner = compile_slices(checks, piece, profile, item_check) if piece.slices else None
        pieces.append(_Slice(piece, belongs, item_check(piece), inner, unknown))
    return Slices(element, pieces, profile)


def _belongs(
    checks: Checks, element: Element, piece: Element, discriminators: tuple[Discriminator, ...]
) -> tuple[Belongs | None, str | None]:
    if piece.slice_name == "@default":
        return None, None
    if not discriminators:
        if element.is_choice:
            discriminators = (Discriminator("type", "$this"),)
        else:
            return None, f"the slicing of {element.path} has no discriminator"
    tests: list[Belongs] = []
    for discriminator in discriminators:
        try:
            steps = parse_path(discriminator.path)
            test = _test(checks, piece, discriminator.type, steps)
        except (DefinitionBroken, PackageNotFound) as error:
            return None, str(error)
        if test is not None:
            tests.append(test)
    if not tests:
        return None, f"no discriminator of {element.path} tells slice {piece.slice_name} apart"
    if len(tests) == 1:
        return tests[0], None

    def all_of(value: Any, code: str | None, place: Place, run: Run) -> bool | None:
        doubt = False
        for test in tests:
            verdict = test(value, code, place, run)
            if verdict is False:
                return False
            doubt = doubt or verdict is None
        return None if doubt else True

    return all_of, None


def _test(checks: Checks, piece: Element, kind: str, steps: tuple[Step, ...]) -> Belongs | None:
    if kind == "type":
        return _by_type(checks, piece, steps)
    if kind == "profile":
        return _by_profile(checks, piece, steps)
    target = element_at(checks.trees, piece, steps)
    if kind == "exists":
        return _by_existence(target, steps)
    if target is None:
        # An extension slice is told by the address of its profile.
        if len(steps) == 1 and steps[0].text == "url" and piece.types and piece.types[0].profiles:
            return _by_url(piece.types[0].profiles)
        return None
    return _by_value(checks, target, steps, piece)


def _by_url(profiles: tuple[str, ...]) -> Belongs:
    urls = {profile.split("|")[0] for profile in profiles}
    # What stands at `url` may be of any type, and need not have a hash.
    return described(
        lambda value, code, place, run: (
            isinstance(value, dict) and value.get("url").__class__ is str and value["url"] in urls
        ),
        ByKey("url", frozenset(urls)),
    )


def _by_value(checks: Checks, target: Element, steps: tuple[Step, ...], piece: Element) -> Belongs | None:
    if (
        len(steps) == 1
        and steps[0].text == "url"
        and piece.types
        and piece.types[0].profiles
        and (target.fixed is None)
    ):
        return _by_url(piece.types[0].profiles)
    test = _demand(checks, target, 0)
    if test is None:
        return None

    def belongs(value: Any, code: str | None, place: Place, run: Run) -> bool | None:
        doubt = False
        for found, _ in values_at(value, code, steps, run):
            verdict = test(found, run)
            if verdict:
                return True
            doubt = doubt or verdict is None
        return None if doubt else False

    wanted = target.fixed or target.pattern
    if len(steps) == 1 and steps[0].kind == "name" and wanted is not None and isinstance(wanted[1], str):
        return described(belongs, ByKey(steps[0].text, frozenset((wanted[1],))))
    return belongs


def _demand(checks: Checks, target: Element, depth: int) -> Callable[[Any, Run], bool | None] | None:
    """What a tree demands of a value by fixed values, patterns and required bindings, at any depth."""
    if target.fixed is not None:
        wanted = target.fixed[1]
        return lambda value, run: equal(value, wanted)
    if target.pattern is not None:
        wanted = target.pattern[1]
        return lambda value, run: fits(value, wanted)
    inner: list[tuple[str, Callable[[Any, Run], bool | None]]] = []
    if target.children is not None and depth < 6:
        for name, child in target.children.items():
            demand = _demand(checks, child, depth + 1) if not child.slices else _any_slice(checks, child, depth)
            if demand is not None and (child.min > 0 or child.fixed or child.pattern or child.slices):
                inner.append((name, demand))
    if inner:
        return lambda value, run: _all_inside(value, inner, run)
    if target.binding is not None and target.binding.strength == "required" and target.binding.value_set:
        value_set = target.binding.value_set
        return lambda value, run: run.checks.coded.member(value, value_set)
    return None


def _any_slice(checks: Checks, child: Element, depth: int) -> Callable[[Any, Run], bool | None] | None:
    needed = [d for p in child.slices.values() if p.min > 0 and (d := _demand(checks, p, depth + 1)) is not None]
    if not needed:
        return _demand(checks, Element(child.name, child.path, fixed=child.fixed, pattern=child.pattern), depth)

    # Each required slice must be met by some item; `_all_inside` asks item by item, so one is enough here.
    return lambda value, run: any(test(value, run) for test in needed)


def _all_inside(value: Any, inner: list[tuple[str, Callable[[Any, Run], bool | None]]], run: Run) -> bool | None:
    if not isinstance(value, dict):
        return False
    doubt = False
    for name, test in inner:
        found = value.get(name)
        verdicts = [
            test(item, run) for item in (found if isinstance(found, list) else [] if found is None else [found])
        ]
        if not any(verdicts):
            if None not in verdicts:
                return False
            doubt = True
    return None if doubt else True


def _by_existence(target: Element | None, steps: tuple[Step, ...]) -> Belongs | None:
    if target is None:
        return None
    if target.max == 0:
        return lambda value, code, place, run: next(values_at(value, code, steps, run), None) is None
    if target.min > 0:
        return lambda value, code, place, run: next(values_at(value, code, steps, run), None) is not None
    return None


def _by_type(checks: Checks, piece: Element, steps: tuple[Step, ...]) -> Belongs | None:
    target = element_at(checks.trees, piece, steps)
    if target is None or not target.types:
        if target is None or not target.name[:1].isupper():
            return None
        codes = {target.name}
    else:
        codes = {ref.code for ref in target.types}
    if steps and steps[-1].kind == "resolve":
        from mpftconnect.validation.check.references import type_of_target

        before = steps[:-1]

        def leads_to(value: Any, code: str | None, place: Place, run: Run) -> bool | None:
            doubt = False
            for reference, _ in values_at(value, code, before, run):
                found = type_of_target(reference, run)
                if found in codes or (found and checks.is_a(found, codes)):
                    return True
                doubt = doubt or found is None
            return None if doubt else False

        return leads_to

    def is_type(value: Any, code: str | None, place: Place, run: Run) -> bool | None:
        for found, found_code in values_at(value, code, steps, run):
            if isinstance(found, dict) and "resourceType" in found:
                found_code = str(found["resourceType"])
            if found_code is None:
                found_code = checks.type_at(piece, steps)
            if found_code in codes or (found_code and checks.is_a(found_code, codes)):
                return True
        return False

    return is_type


def _by_profile(checks: Checks, piece: Element, steps: tuple[Step, ...]) -> Belongs | None:
    target = element_at(checks.trees, piece, steps)
    if target is None:
        return None
    profiles = [p for ref in target.types for p in ref.profiles]
    if not profiles:
        return None
    candidates = [checks.structure(profile) for profile in profiles if checks.has(profile)]
    if not candidates:
        return lambda value, code, place, run: None

    def conforms(value: Any, code: str | None, place: Place, run: Run) -> bool | None:
        for found, _ in values_at(value, code, steps, run):
            if not isinstance(found, dict):
                continue
            for candidate in candidates:
                if run.checks.fits(candidate, found, place, run):
                    return True
        return False

    return conforms
