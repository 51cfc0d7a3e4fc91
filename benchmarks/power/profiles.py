"""Breaks what a profile adds: its cardinalities, fixed and pattern values, slices and the types of its extensions.

Read from the profile's differential as published, along its chain of base profiles.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from power.published import Json, Published

__all__ = ["broken_by_profile"]

Broken = tuple[str, str, str, Json]
_TEXTS = ("fixedUri", "fixedCode", "fixedString", "patternUri", "patternCode")


def broken_by_profile(published: Published, resource: Json, profiles: tuple[str, ...]) -> Iterator[Broken]:
    """Resources that break one rule that one of the profiles states."""
    for url in profiles:
        for element in _stated(published, url):
            yield from _cardinality(resource, element)
            yield from _fixed(resource, element)
            yield from _slices(published, url, resource, element)
    yield from _extensions(published, resource)


def _stated(published: Published, url: str | None) -> Iterator[Json]:
    seen: set[str] = set()
    while url and url not in seen and (definition := published.structures.get(url)):
        seen.add(url)
        if definition.get("derivation") != "constraint":
            return
        yield from definition.get("differential", {}).get("element", [])
        url = definition.get("baseDefinition")


def _steps(element: Json) -> list[str] | None:
    """The names below the resource, if the element is not inside a slice."""
    id_ = str(element.get("id", element.get("path", "")))
    return None if ":" in id_ or "[x]" in id_ else id_.split(".")[1:]


def _holders(value: Any, steps: list[str]) -> Iterator[tuple[Json, str]]:
    """Each object that holds the last of the steps."""
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict) or not steps:
            continue
        if len(steps) == 1:
            if steps[0] in one:
                yield one, steps[0]
        else:
            yield from _holders(one.get(steps[0]), steps[1:])


def _cardinality(resource: Json, element: Json) -> Iterator[Broken]:
    steps = _steps(element)
    if not steps or int(element.get("min", 0)) < 1:
        return
    broken = copy.deepcopy(resource)
    for holder, key in _holders(broken, steps):
        if len(holder) > 1:
            del holder[key]
            holder.pop(f"_{key}", None)
            yield "profile", ".".join(steps), "a profile's required element is missing", broken
            return


def _fixed(resource: Json, element: Json) -> Iterator[Broken]:
    steps = _steps(element)
    stated = next((key for key in element if key.startswith(("fixed", "pattern"))), None)
    if not steps or stated is None or not isinstance(element[stated], str):
        return
    broken = copy.deepcopy(resource)
    for holder, key in _holders(broken, steps):
        holder[key] = "zzz" if stated.endswith(("String", "Code", "Id")) else "https://example.org/zzz"
        yield "fixed", ".".join(steps), f"not the profile's {stated}", broken
        return


def _slices(published: Published, url: str, resource: Json, element: Json) -> Iterator[Broken]:
    """A slice that may occur once occurs twice; one that must occur is gone. Of slices told apart by a fixed text."""
    id_ = str(element.get("id", ""))
    name = element.get("sliceName")
    if not name or id_.count(":") != 1 or not id_.endswith(f":{name}"):
        return
    steps = id_.partition(":")[0].split(".")[1:]
    marks = [
        (str(other["id"])[len(id_) + 1 :].split("."), other[key])
        for other in _stated(published, url)
        if str(other.get("id", "")).startswith(f"{id_}.")
        for key in other
        if key in ("fixedUri", "fixedCode", "fixedString", "patternUri", "patternCode")
        and ":" not in str(other["id"])[len(id_) :]
    ]
    mark = next(((path, value) for path, value in marks if path[-1] in ("system", "code", "url", "use")), None)
    if len(steps) != 1 or mark is None:
        return
    for one, rule in (("max", "a slice occurs too often"), ("min", "a required slice is missing")):
        broken = copy.deepcopy(resource)
        held = broken.get(steps[0])
        if not isinstance(held, list):
            return
        found = [each for each in held if mark[1] in list(_values(each, mark[0]))]
        if one == "max" and str(element.get("max", "")) == "1" and len(found) == 1:
            held.append(copy.deepcopy(found[0]))
        elif one == "min" and int(element.get("min", 0)) == 1 and found:
            broken[steps[0]] = [each for each in held if each not in found]
            if not broken[steps[0]]:
                del broken[steps[0]]
        else:
            continue
        yield "slice", id_, rule, broken


def _values(value: Any, path: list[str]) -> Iterator[Any]:
    for one in value if isinstance(value, list) else [value]:
        if not path:
            yield one
        elif isinstance(one, dict):
            yield from _values(one.get(path[0]), path[1:])


def _extensions(published: Published, resource: Json) -> Iterator[Broken]:
    """A known extension whose value is of a type that its definition does not allow."""
    for number, (url, key) in enumerate(_simple_extensions(resource)):
        allowed = {
            each.get("code")
            for element in published.structures.get(url, {}).get("differential", {}).get("element", [])
            if element.get("path") == "Extension.value[x]"
            for each in element.get("type", ())
        }
        if not allowed:
            continue
        wrong, value = ("valueInteger", 7) if "integer" not in allowed else ("valueString", "seven")
        broken = copy.deepcopy(resource)
        extension = list(_found_extensions(broken))[number]
        del extension[key]
        extension.pop(f"_{key}", None)
        extension[wrong] = value
        yield "extension", url.rpartition("/")[2], "a value of a type that the extension does not have", broken


def _simple_extensions(value: Any) -> list[tuple[str, str]]:
    return [(each["url"], next(key for key in each if key.startswith("value"))) for each in _found_extensions(value)]


def _found_extensions(value: Any) -> Iterator[Json]:
    if isinstance(value, list):
        for one in value:
            yield from _found_extensions(one)
    elif isinstance(value, dict):
        for name, inner in value.items():
            for one in inner if name in ("extension", "modifierExtension") and isinstance(inner, list) else ():
                if (
                    isinstance(one, dict)
                    and isinstance(one.get("url"), str)
                    and any(k.startswith("value") for k in one)
                ):
                    yield one
            yield from _found_extensions(inner)
