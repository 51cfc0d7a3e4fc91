"""Python for one shape of one check: written, to be read by people too, and compiled.

Only names and numbers that this module makes, and texts quoted by `repr`, get into what is written; what profiles say
is bound to names and never written. Nothing that is compiled comes from a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.check.special import SPECIAL
from mpftconnect.validation.fast import recipes
from mpftconnect.validation.fast.codes import known_codes, quick_binding
from mpftconnect.validation.fast.extensions import quick_extensions
from mpftconnect.validation.fast.folding import holds
from mpftconnect.validation.fast.forms import NAMES, form_test
from mpftconnect.validation.fast.invariants import one_constraint, quick_truth
from mpftconnect.validation.fast.pointing import quick_reference
from mpftconnect.validation.fast.recipes import recipe_of
from mpftconnect.validation.fast.shapes import Keys, Plan, Unit, flattened, resolved, unit_of
from mpftconnect.validation.fast.slicing import quick_slices
from mpftconnect.validation.fast.specials import special_lines

if TYPE_CHECKING:
    from mpftconnect.validation.fast.recipes import Check

__all__ = ["Written", "write_plan"]

_CODING = ("system", "code", "display")


@dataclass(frozen=True, slots=True)
class Written:
    """A plan as text, and what its names mean."""

    text: str
    names: dict[str, Any]

    def compiled(self) -> Plan:
        """The plan as a function."""
        names = dict(self.names)
        exec(compile(self.text, "<a plan of mpftconnect.validation.fast>", "exec"), names)  # noqa: S102
        plan: Plan = names["plan"]
        return plan


def write_plan(unit: Unit, keys: Keys) -> Written | None:
    """The plan for objects that have these properties; None where the shape itself needs something said."""
    properties = unit.properties
    if not _is_sound(properties, keys):
        return None
    writer = _Writer(unit)
    variables = {key: f"v{number}" for number, key in enumerate(keys)}
    if SPECIAL["Coding"] in unit.parts and keys == _CODING:
        writer.known_coding(variables)
    for key, variable in variables.items():
        if not writer.property(key, variable, keys):
            return None
    for part in unit.parts[1:]:
        writer.rest(part, variables)
    lines = [f"    {', '.join(variables.values())}, = o.values()", *writer.lines]
    return Written("\n".join(["def plan(o, at, run):", *lines]) + "\n", writer.names)


def _is_sound(properties: recipes.Properties, keys: Keys) -> bool:
    """Whether what the names alone tell is right: all known, none missing, one of each choice, not empty."""
    held = set(keys)
    if not held or (held == {"id"} and not properties.id_alone) or not held <= properties.table.keys():
        return False
    if any(name not in held and "_" + name not in held for name in properties.required):
        return False
    if any(name not in held for name in properties.absent_slices):
        return False
    for choice in properties.choices:
        count = sum(1 for key in choice.keys if key in held or "_" + key in held)
        if count > 1 or (count == 0 and choice.required):
            return False
    return True


def _only_equal(recipe: recipes.Primitive) -> bool:
    """Whether a primitive is held to one text, and to nothing besides but what the usual options leave out."""
    found = [recipe_of(facet) for facet in recipe.facets]
    return len([each for each in found if isinstance(each, recipes.Equals)]) == 1 and all(
        isinstance(each, recipes.Equals) or each == recipes.Unless(None) for each in found
    )


class _Writer:
    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.checks = unit.shapes.checks
        self.lines: list[str] = []
        self.names: dict[str, Any] = dict(NAMES)
        self._bound: dict[int, str] = {}

    def bind(self, thing: Any, letter: str) -> str:
        """A name for a thing, the same for the same thing."""
        name = self._bound.get(id(thing))
        if name is None:
            name = self._bound[id(thing)] = f"{letter}{len(self._bound)}"
            self.names[name] = thing
        return name

    def line(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def known_coding(self, variables: dict[str, str]) -> None:
        """A way out for a coding that is known, with all its parts (see `Codings`)."""
        if len(self.unit.parts) > 2 or any(not self._is_plain(key) for key in variables):
            return
        right = self.bind(self.unit.shapes.codings.right, "right")
        s, c, d = variables.values()
        texts = " and ".join(f"{v}.__class__ is str" for v in (s, c, d))
        self.line(1, f"if {texts} and {d} in {right}.get(({s}, {c}), ()): return")

    def _is_plain(self, key: str) -> bool:
        """Whether nothing but its type's form is demanded of a primitive."""
        recipe = recipe_of(self.unit.properties.table[key])
        return (
            isinstance(recipe, recipes.Primitive)
            and not (recipe.is_list or recipe.sliced or recipe.most == 0)
            and all(recipe_of(facet) == recipes.Unless(None) for facet in recipe.facets)
        )

    # -- properties

    def property(self, key: str, v: str, keys: Keys) -> bool:
        """One property; False where its standing here is a mistake."""
        handler = self.unit.properties.table[key]
        recipe = recipe_of(handler)
        call = f"{self.bind(handler, 'handle')}({v}, o, at, run)"
        match recipe:
            case recipes.Nothing():
                return True
            case recipes.Beside(key=beside):
                if beside not in keys:
                    self.line(1, call)
                return True
            case recipes.Primitive(most=0) | recipes.Complex(most=0) | recipes.Extensions(most=0):
                return False
            case recipes.Primitive():
                test = self._primitive_test(recipe) if "_" + key not in keys and not recipe.sliced else None
                self._primitive(recipe, v, test, call)
            case recipes.Complex():
                self._complex(recipe, v, call)
            case recipes.Extensions():
                quick = self.bind(quick_extensions(self.checks, recipe), "extensions")
                self.line(1, f"if not {quick}({v}, o, at, run): {call}")
            case _:
                self.line(1, call)
        return True

    def _primitive_test(self, recipe: recipes.Primitive) -> str | None:
        tests: list[str] = []
        known = None
        fixed = next((r.wanted for f in recipe.facets if isinstance(r := recipe_of(f), recipes.Equals)), None)
        if isinstance(fixed, str) and recipe.form(fixed) is None and _only_equal(recipe):
            return f"{{v}}.__class__ is str and {{v}} == {self.bind(fixed, 'wanted')}"
        for facet in recipe.facets:
            match recipe_of(facet):
                case recipes.Unless(test=None):
                    continue
                case recipes.Unless(test=test):
                    tests.append(f"{self.bind(test, 'test')}({{v}})")
                case recipes.Equals(wanted=str() as wanted):
                    tests.append(f"{{v}} == {self.bind(wanted, 'wanted')}")
                case recipes.Equals(wanted=bool() as wanted):
                    tests.append(f"{{v}} is {wanted}")
                case recipes.Longest(most=most):
                    tests.append(f"len({{v}}) <= {most}")
                case recipes.Bound() as bound if known is None and bound.binding.max_value_set is None:
                    known = known_codes(self.checks.coded, bound, recipe.form)
                case _:
                    return None
        if known is not None:
            held, ask = self.bind(known.held, "codes"), self.bind(known.ask, "ask")
            tests.insert(0, f"{{v}}.__class__ is str and ({{v}} in {held} or {ask}({{v}}))")
        else:
            form = form_test(recipe.code, recipe.form, recipe.key)
            tests.insert(0, form if form is not None else f"{self.bind(recipe.form, 'form')}({{v}}) is None")
        return " and ".join(tests)

    def _primitive(self, recipe: recipes.Primitive, v: str, test: str | None, call: str) -> None:
        if test is None:
            self.line(1, call)
        elif not recipe.is_list:
            self.line(1, f"if not ({test.format(v=v)}): {call}")
        else:
            self.line(1, f"if {self._is_list(v, recipe.least, recipe.most)}:")
            self.line(2, f"for x in {v}:")
            self.line(3, f"if not ({test.format(v='x')}):")
            self.line(4, call)
            self.line(4, "break")
            self.line(1, f"else: {call}")

    @staticmethod
    def _is_list(v: str, least: int, most: int | None) -> str:
        count = "" if most is None else f" and len({v}) <= {most}"
        count += f" and len({v}) >= {least}" if least > 1 else ""
        return f"{v}.__class__ is list and {v}{count}"

    def _complex(self, recipe: recipes.Complex, v: str, call: str) -> None:
        place = f"(at, {recipe.key!r}, {{index}}, {recipe.label!r})"
        slices = quick_slices(recipe.slices, recipe.code) if recipe.slices is not None else None
        if not recipe.is_list:
            here = place.format(index=None)
            self.line(1, f"if {v}.__class__ is dict:")
            self._value(2, recipe.check, v, here)
            if slices is not None:
                self.line(2, f"{self.bind(slices, 'slices')}([({v}, {recipe.code!r}, {here})], at, run)")
            self.line(1, f"else: {call}")
            return
        here = place.format(index="i")
        self.line(1, f"if {self._is_list(v, recipe.least, recipe.most)}:")
        self.line(2, f"for i, x in enumerate({v}):")
        self.line(3, "if x.__class__ is dict:")
        self._value(4, recipe.check, "x", here)
        self.line(3, f"else: {self.bind(recipe.wrong_shape, 'shape')}(x, {here}, run, 'an object')")
        if slices is not None:
            items = f"[(x, {recipe.code!r}, {here}) for i, x in enumerate({v}) if x.__class__ is dict]"
            self.line(2, f"{self.bind(slices, 'slices')}({items}, at, run)")
        self.line(1, f"else: {call}")

    def _value(self, depth: int, check: Check, v: str, here: str) -> None:
        """Everything about one object inside this one."""
        parts = (check,) if unit_of(check) is not None else flattened(check)
        if len(parts) > 1:
            lone = self._lone_reference(parts)
            if lone is not None:
                self.line(depth, f"if not {lone}({v}, run):")
                depth += 1
            self.line(depth, f"w = {here}")
            here = "w"
        for part in parts:
            self._part(depth, part, v, here)

    def _lone_reference(self, parts: tuple[Check, ...]) -> str | None:
        """The name of a test that all is well with a Reference that holds nothing but an address; None for others."""
        unit, refers = unit_of(resolved(parts[0])), recipe_of(parts[1])
        if len(parts) != 2 or unit is None or not isinstance(refers, recipes.Refers):
            return None
        if unit.parts[1:] != (SPECIAL["Reference"],) or not _Writer(unit)._is_plain("reference"):
            return None
        return self.bind(quick_reference(self.checks, refers, lone=True), "lone")

    # -- what follows the properties

    def rest(self, part: Check, variables: dict[str, str]) -> None:
        """One part of the unit's own check, in the light of the shape."""
        recipe = recipe_of(part)
        if isinstance(recipe, recipes.Constraints):
            for constraint in recipe.listed:
                test = holds(constraint[1], variables) if not isinstance(constraint[1], str) else None
                if test == "True":
                    continue
                self._constraint(1, constraint, recipe.profile, "o", "at", test)
            return
        special = special_lines(part, variables, self.bind, self.unit.shapes.codings.judge)
        if special is None:
            self._part(1, part, "o", "at")
        for line in special or ():
            self.line(1, line)

    def _part(self, depth: int, part: Check, v: str, here: str) -> None:
        part = resolved(part)
        unit, recipe = unit_of(part), recipe_of(part)
        if unit is not None:
            plans, entry = self.bind(unit.plans, "plans"), self.bind(part, "check")
            self.line(depth, f"({plans}.get(tuple({v})) or {entry})({v}, {here}, run)")
            return
        match recipe:
            case recipes.Constraints(listed=listed, profile=profile):
                for constraint in listed:
                    self._constraint(depth, constraint, profile, v, here, None)
            case recipes.Bound():
                self.line(depth, f"{self.bind(quick_binding(recipe, part), 'bound')}({v}, {here}, run)")
            case recipes.Refers():
                quick = self.bind(quick_reference(self.checks, recipe), "leads")
                self.line(depth, f"if not {quick}({v}, run): {self.bind(part, 'check')}({v}, {here}, run)")
            case _:
                self.line(depth, f"{self.bind(part, 'check')}({v}, {here}, run)")

    def _constraint(
        self, depth: int, constraint: tuple[Any, Any], profile: str | None, v: str, here: str, test: str | None
    ) -> None:
        slow = self.bind(one_constraint(constraint, profile), "constraint")
        quick = quick_truth(constraint[1])
        tests = [test] if test is not None else []
        if quick is not None:
            tests.append(f"{self.bind(quick, 'holds')}({v}, run)")
        call = f"{slow}({v}, {here}, run)"
        self.line(depth, f"if not ({' or '.join(tests)}): {call}" if tests else call)
