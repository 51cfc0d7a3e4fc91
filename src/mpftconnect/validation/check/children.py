"""Handlers of an object's properties: shape on the wire, then each value's type, facets and slices."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.check.facets import Facet, compile_facets
from mpftconnect.validation.check.run import Run
from mpftconnect.validation.check.slices import ItemCheck, Slices, compile_slices
from mpftconnect.validation.compile.element import Element, TypeRef
from mpftconnect.validation.fast import recipes
from mpftconnect.validation.fast.recipes import described, in_order
from mpftconnect.validation.places import Place
from mpftconnect.validation.primitives import JSON_KIND, check_for

if TYPE_CHECKING:
    from mpftconnect.validation.check.compiler import Checks

__all__ = ["Handler", "compile_child", "value_check"]

# value, the object that holds it, the object's place, run
Handler = Callable[[Any, dict[str, Any], Place, Run], None]
ValueCheck = Callable[[Any, Place, Run], None]
_ENOUGH = 100


def compile_child(
    checks: Checks, element: Element, ref: TypeRef, key: str, profile: str | None, slices: Slices | None
) -> dict[str, Handler]:
    """Handlers for an element written under `key`, and for its `_key` where it is a primitive."""
    label = None if key == element.name else f"{element.stem}.ofType({ref.code})"
    if key in ("extension", "modifierExtension") and ref.code == "Extension":
        return {key: _extensions(checks, element, key, profile, slices)}
    if checks.is_primitive(ref.code):
        return _primitive(checks, element, ref, key, label, profile, slices)
    check = value_check(checks, element, ref, profile)
    return {key: _complex(element, ref, key, label, profile, check, slices)}


def value_check(checks: Checks, element: Element, ref: TypeRef, profile: str | None) -> ValueCheck:
    """What a complex value must fit: its type or profiles, what is constrained inside, and its facets."""
    inner = checks.inner_check(element, ref, profile)
    facets = compile_facets(checks, element, ref, profile, checks.inherited(element, ref))
    if not facets:
        return inner

    return checks.quickened(in_order((inner, *facets)))


def _wrong_shape(value: Any, place: Place, run: Run, wanted: str) -> None:
    if value is None:
        run.error("json-null", place, "must not be null: leave it out")
    else:
        run.error("json-object", place, f"must be {wanted}")


def _count(element: Element, count: int, place: Place, run: Run, profile: str | None) -> None:
    if element.max is not None and count > element.max:
        run.error(
            "cardinality-max",
            place,
            f"{element.path} may stand at most {element.max} time(s), and stands {count}",
            profile,
        )
    if 0 < count < element.min:
        run.error(
            "cardinality-min",
            place,
            f"{element.path} must stand at least {element.min} time(s), and stands {count}",
            profile,
        )


def _complex(
    element: Element,
    ref: TypeRef,
    key: str,
    label: str | None,
    profile: str | None,
    check: ValueCheck,
    slices: Slices | None,
) -> Handler:
    code = ref.code
    least, most = element.min, element.max
    recipe = recipes.Complex(key, label, code, element.is_list, least, most, check, slices, _wrong_shape)

    if element.is_list:

        def handle_list(value: Any, obj: dict[str, Any], place: Place, run: Run) -> None:
            if value.__class__ is not list:
                here: Place = (place, key, None, label)
                run.error("json-list", here, "must be an array, because it may repeat", profile)
                if value.__class__ is dict:
                    check(value, here, run)
                return
            if not value:
                run.error("json-empty-array", (place, key, None, label), "must not be an empty array: leave it out")
            count = len(value)
            if (most is not None and count > most) or count < least:
                _count(element, count, place, run, profile)
            for index, item in enumerate(value):
                here = (place, key, index, label)
                if item.__class__ is dict:
                    check(item, here, run)
                else:
                    _wrong_shape(item, here, run, "an object")
            if slices is not None:
                items: list[tuple[Any, str | None, Place]] = [
                    (item, code, (place, key, i, label)) for i, item in enumerate(value) if item.__class__ is dict
                ]
                slices.check(items, place, run)

        return described(handle_list, recipe)

    def handle(value: Any, obj: dict[str, Any], place: Place, run: Run) -> None:
        here: Place = (place, key, None, label)
        if value.__class__ is dict:
            if most == 0:
                _count(element, 1, place, run, profile)
            check(value, here, run)
            if slices is not None:
                slices.check([(value, code, here)], place, run)
        elif value.__class__ is list:
            if run.xml:
                _count(element, len(value), place, run, profile)
            else:
                run.error("json-list", here, "must not be an array, because it does not repeat", profile)
            for index, item in enumerate(value):
                if item.__class__ is dict:
                    check(item, (place, key, index, label), run)
        else:
            _wrong_shape(value, here, run, "an object")

    return described(handle, recipe)


def _extras(
    checks: Checks, ref: TypeRef, key: str
) -> Callable[[Any, Any, int | None, dict[str, Any], Place, Run, str | None], None]:
    """The check of what stands beside a primitive: `id` and `extension`."""
    code = ref.code
    name = "_" + key

    def check(
        extra: Any, value: Any, index: int | None, obj: dict[str, Any], place: Place, run: Run, label: str | None
    ) -> None:
        here = (place, name, index, label or key)
        if extra.__class__ is not dict:
            _wrong_shape(extra, here, run, "an object with id or extension")
            return
        if not extra or (value is None and not extra.get("extension")):
            run.error("element-empty", here, "must have a value or children (ele-1)")
        checks.extras_check(code)(extra, here, run)

    return check


def _primitive(
    checks: Checks,
    element: Element,
    ref: TypeRef,
    key: str,
    label: str | None,
    profile: str | None,
    slices: Slices | None,
) -> dict[str, Handler]:
    code = ref.code
    form = check_for(code)
    facets = compile_facets(checks, element, ref, profile, checks.inherited(element, ref))
    facets = [*checks.form_facets(code, element), *facets]
    profiles = checks.profile_facets(ref, profile)
    facets.extend(profiles)
    extras = _extras(checks, ref, key)
    under = "_" + key
    least, most = element.min, element.max
    must_have = element.must_have_value
    kind = JSON_KIND.get(code, "text")
    recipe = recipes.Primitive(key, code, form, tuple(facets), element.is_list, least, most, slices is not None)

    def one(value: Any, here: Place, run: Run) -> None:
        problem = form(value)
        if problem is not None:
            shaped = value.__class__ in (dict, list)
            run.error(
                "json-object" if shaped else "primitive-form", here, problem if not shaped else f"must be a {kind}"
            )
        else:
            for facet in facets:
                facet(value, here, run)

    def only_extras(extra: Any, obj: dict[str, Any], place: Place, run: Run) -> None:
        if key in obj:
            return
        if must_have:
            run.error("value-required", (place, key, None, label), "must have a value, not only extensions", profile)
        if element.is_list:
            if extra.__class__ is list:
                for index, item in enumerate(extra):
                    if item is not None:
                        extras(item, None, index, obj, place, run, label)
                _count(element, len(extra), place, run, profile)
            else:
                run.error("json-list", (place, under, None, key), "must be an array, because it may repeat", profile)
        else:
            if most == 0:
                _count(element, 1, place, run, profile)
            extras(extra, None, None, obj, place, run, label)

    if not element.is_list:
        allowed = most != 0

        def handle(value: Any, obj: dict[str, Any], place: Place, run: Run) -> None:
            if allowed and form(value) is None:  # the usual case, in as few steps as it can be
                if facets or slices is not None:
                    here: Place = (place, key, None, label)
                    for facet in facets:
                        facet(value, here, run)
                    if slices is not None:
                        slices.check([(value, code, here)], place, run)
                if under in obj:
                    extras(obj[under], value, None, obj, place, run, label)
                return
            unusual(value, obj, place, run)

        def unusual(value: Any, obj: dict[str, Any], place: Place, run: Run) -> None:
            here = (place, key, None, label)
            if most == 0:
                _count(element, 1, place, run, profile)
            if value is None:
                run.error("json-null", here, "must not be null: leave it out")
            elif value.__class__ is list and not run.xml:
                run.error("json-list", here, "must not be an array, because it does not repeat", profile)
            elif value.__class__ is list:
                _count(element, len(value), place, run, profile)
            else:
                one(value, here, run)
                if slices is not None:
                    slices.check([(value, code, here)], place, run)
            if under in obj:
                extras(obj[under], value, None, obj, place, run, label)

        return {key: described(handle, recipe), under: described(only_extras, recipes.Beside(key))}

    def handle_list(value: Any, obj: dict[str, Any], place: Place, run: Run) -> None:
        if value.__class__ is not list:
            run.error("json-list", (place, key, None, label), "must be an array, because it may repeat", profile)
            one(value, (place, key, None, label), run)
            return
        if not value:
            run.error("json-empty-array", (place, key, None, label), "must not be an empty array: leave it out")
        beside = obj.get(under)
        if beside is not None:
            if beside.__class__ is not list:
                run.error("json-list", (place, under, None, key), "must be an array, because it may repeat", profile)
                beside = None
            elif len(beside) != len(value):
                run.error("json-pairs", (place, key, None, label), "must have as many items as its list of extensions")
        count = len(value)
        if (most is not None and count > most) or count < least:
            _count(element, count, place, run, profile)
        for index, item in enumerate(value):
            extra = beside[index] if beside is not None and index < len(beside) else None
            if item is None:
                if extra is None:
                    run.error(
                        "json-null", (place, key, index, label), "must not be null, where there is no extension either"
                    )
                elif must_have:
                    run.error(
                        "value-required", (place, key, index, label), "must have a value, not only extensions", profile
                    )
            else:
                one(item, (place, key, index, label), run)
            if extra is not None:
                extras(extra, item, index, obj, place, run, label)
        if slices is not None:
            slices.check(
                [(item, code, (place, key, i, label)) for i, item in enumerate(value) if item is not None], place, run
            )

    return {key: described(handle_list, recipe), under: described(only_extras, recipes.Beside(key))}


def _extensions(checks: Checks, element: Element, key: str, profile: str | None, slices: Slices | None) -> Handler:
    modifier = key == "modifierExtension"
    inline = set()
    for piece in element.slices.values():
        own = (piece.children or {}).get("url")
        if own is not None and own.fixed is not None:
            inline.add(own.fixed[1])
    facets = compile_facets(checks, element, TypeRef("Extension"), profile, frozenset({"ext-1"}))
    least, most = element.min, element.max

    def handle(value: Any, obj: dict[str, Any], place: Place, run: Run) -> None:
        if value.__class__ is not list:
            run.error("json-list", (place, key, None, None), "must be an array, because it may repeat")
            return
        if not value:
            run.error("json-empty-array", (place, key, None, None), "must not be an empty array: leave it out")
        count = len(value)
        if (most is not None and count > most) or count < least:
            _count(element, count, place, run, profile)
        check = run.checks.extensions.check
        for index, item in enumerate(value):
            here = (place, key, index, None)
            if item.__class__ is dict:
                check(item, here, run, modifier=modifier, inside=obj, sliced=str(item.get("url")) in inline)
                for facet in facets:
                    facet(item, here, run)
            else:
                _wrong_shape(item, here, run, "an object")
        if slices is not None:
            slices.check(
                [(item, "Extension", (place, key, i, None)) for i, item in enumerate(value) if item.__class__ is dict],
                place,
                run,
            )

    return described(
        handle, recipes.Extensions(key, least, most, tuple(facets), slices, frozenset(inline), _wrong_shape)
    )


def slices_of(checks: Checks, element: Element, profile: str | None) -> Slices | None:
    """The slices of an element, each compiled to what it demands of an item."""

    def item_check(piece: Element) -> ItemCheck:
        by_type: dict[str | None, ValueCheck] = {}

        def check(value: Any, code: str | None, place: Place, run: Run) -> None:
            found = by_type.get(code)
            if found is None:
                found = by_type[code] = _slice_value(checks, element, piece, code, profile)
            found(value, place, run)

        return described(check, recipes.Sliced(lambda code: _slice_value(checks, element, piece, code, profile)))

    return compile_slices(checks, element, profile, item_check)


def _slice_value(checks: Checks, element: Element, piece: Element, code: str | None, profile: str | None) -> ValueCheck:
    refs = [ref for ref in piece.types if code is None or ref.code == code]
    if not refs:
        refs = [ref for ref in piece.types if code and checks.is_a(code, {ref.code})]
    if not refs and code and checks.is_resource(code):
        # A resource stands there whose type the item says, not the element (`contained`, `entry.resource`): each is
        # held to the slice's type where it is read.
        refs = [ref for ref in piece.types if checks.is_a(ref.code, {code})]
    if not refs and piece.types and not piece.content_reference and code is not None:
        codes = ", ".join(t.code for t in piece.types)
        return lambda value, place, run: run.error(
            "type", place, f"must be of type {codes} in slice {piece.slice_name}", profile
        )
    ref = refs[0] if refs else TypeRef(code or "BackboneElement")
    if checks.is_primitive(ref.code):
        facets: list[Facet] = compile_facets(checks, piece, ref, profile, checks.inherited(piece, ref))
        facets.extend(checks.profile_facets(ref, profile))

        def check(value: Any, place: Place, run: Run) -> None:
            for facet in facets:
                facet(value, place, run)

        return check
    if ref.code == "Extension" and element.name in ("extension", "modifierExtension"):
        return _slice_of_extension(checks, piece, ref, profile)
    return value_check(checks, piece, ref, profile)


def _slice_of_extension(checks: Checks, piece: Element, ref: TypeRef, profile: str | None) -> ValueCheck:
    """The extension's own definition was checked by its url; here, what this profile adds."""
    facets = compile_facets(checks, piece, ref, profile, frozenset({"ext-1"}))
    inner = (checks.inline_check(piece, ref, profile),) if piece.children is not None else ()
    return in_order((*inner, *facets))
