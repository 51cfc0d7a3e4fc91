"""Breaks one rule of a resource at a time, each by a rule that the published definitions state.

Every operator takes a `Place` and gives ways to break it. It changes the instance in place: the caller works on a copy.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from power.invariants import broken_invariants
from power.profiles import broken_by_profile
from power.published import Json, Place, Published

__all__ = ["Mutation", "mutations"]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One broken resource.

    Args:
        kind: Which kind of rule is broken: `cardinality`, `type`, ...
        where: The element.
        rule: What was done, in words.
        resource: The broken resource.
    """

    kind: str
    where: str
    rule: str
    resource: Json


# FHIR R4 (4.0.1), data types: for each primitive a value that its regular expression or its meaning forbids.
_BAD_FORM: dict[str, tuple[Any, ...]] = {
    "boolean": ("true",),
    "integer": (1.5, "1"),
    "positiveInt": (0,),
    "unsignedInt": (-1,),
    "decimal": ("1.0",),
    "date": ("2024-13-01", "2023-02-29", "01/02/2024"),
    "dateTime": ("2024-04-31", "2024-01-01T10:00:00", "2024-1-1"),
    "instant": ("2024-01-01", "2024-01-01T10:00:00"),
    "time": ("25:00:00",),
    "code": (" two  spaces",),
    "id": ("not an id!", "x" * 65),
    "uri": ("has a space",),
    "url": ("has a space",),
    "canonical": ("has a space",),
    "oid": ("urn:oid:9.1",),
    "uuid": ("urn:uuid:not-one",),
    "base64Binary": ("***",),
    "string": ("",),
    "markdown": ("",),
}
_RESOURCES = ("Medication", "Slot", "Substance", "MeasureReport", "Linkage")


def mutations(published: Published, resource: Json, profiles: tuple[str, ...] = ()) -> Iterator[Mutation]:
    """Every way in which the operators can break the resource, one at a time."""
    places = list(published.places(resource))
    for number, place in enumerate(places):
        for kind, rule, change in _ways(published, place):
            broken = copy.deepcopy(resource)
            change(list(published.places(broken))[number])
            yield Mutation(kind, place.expression, rule, broken)
    for kind, where, rule, broken in (
        *broken_by_profile(published, resource, profiles),
        *broken_invariants(published, resource),
    ):
        yield Mutation(kind, where, rule, broken)


Way = tuple[str, str, Callable[[Place], None]]


def _ways(published: Published, place: Place) -> Iterator[Way]:
    element, value = place.element, place.value
    whole = not isinstance(place.key, int)
    if whole and element.min >= 1 and len(place.holder) > 1:
        yield "cardinality", "a required element is missing", _remove
    if whole and element.max == "1":
        yield "cardinality", "an element that may occur once is a list of two", _double
    if whole and element.max != "1":
        yield "form", "a list is empty", _set([])
        yield "form", "a list holds null", _set([None])
    if isinstance(value, list):
        return
    yield "form", "a value is null", _set(None)
    if isinstance(value, dict):
        yield "type", "text in place of an object", _set("text")
        yield "form", "an object is empty", _set({})
        yield "unknown", "an element that does not exist", _put("zzzNotAnElement", "x")
        yield from _of_extension(place)
    elif place.type_ in _BAD_FORM:
        yield "type", "an object in place of a primitive", _set({"x": "y"})
        for bad in _BAD_FORM[place.type_]:
            yield "primitive", f"not a {place.type_}", _set(bad)
    yield from _of_binding(published, place)
    yield from _of_reference(place)


def _of_binding(published: Published, place: Place) -> Iterator[Way]:
    binding = place.element.binding or {}
    if binding.get("strength") != "required" or published.codes_of(binding.get("valueSet", "")) is None:
        return
    if place.type_ == "code":
        yield "binding", "a code outside a required value set", _set("zzz-not-a-code")
    elif place.type_ == "CodeableConcept" and isinstance(place.value, dict) and place.value.get("coding"):

        def change(there: Place) -> None:
            for coding in there.value["coding"]:
                coding["code"] = "zzz-not-a-code"

        yield "binding", "a concept outside a required value set", change


def _of_reference(place: Place) -> Iterator[Way]:
    value = place.value
    if place.type_ != "Reference" or not isinstance(value, dict) or not isinstance(value.get("reference"), str):
        return
    allowed = {
        target.rpartition("/")[2]
        for each in place.element.types
        if each.get("code") == "Reference"
        for target in each.get("targetProfile", ())
    }
    if allowed and "Resource" not in allowed and value["reference"][:1].isupper():
        wrong = next(name for name in _RESOURCES if name not in allowed)

        def change(there: Place) -> None:
            there.value["reference"] = f"{wrong}/1"
            there.value.pop("type", None)

        yield "reference", "a reference to a type that is not allowed", change


def _of_extension(place: Place) -> Iterator[Way]:
    value = place.value
    if place.type_ != "Extension":
        return
    if "url" in value:
        yield "extension", "an extension without url", lambda there: there.value.pop("url")
    held = [key for key in value if key.startswith("value")]
    if held:
        yield "extension", "an extension without value", lambda there: there.value.pop(held[0])

        def both(there: Place) -> None:
            there.value["extension"] = [{"url": "https://example.org/x", "valueString": "x"}]

        yield "extension", "an extension with a value and extensions", both

        def other(there: Place) -> None:
            there.value.pop(held[0])
            there.value["valueUnheardOf"] = "x"

        yield "extension", "an extension with a value of no type", other


def _set(value: Any) -> Callable[[Place], None]:
    def change(there: Place) -> None:
        there.holder[there.key] = copy.deepcopy(value)

    return change


def _put(name: str, value: Any) -> Callable[[Place], None]:
    def change(there: Place) -> None:
        there.value[name] = value

    return change


def _remove(there: Place) -> None:
    del there.holder[there.key]
    there.holder.pop(f"_{there.key}", None)


def _double(there: Place) -> None:
    there.holder[there.key] = [there.value, copy.deepcopy(there.value)]
