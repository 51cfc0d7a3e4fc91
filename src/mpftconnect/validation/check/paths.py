"""The restricted FHIRPath of discriminators: read, followed in a profile's tree, and followed in a value.

FHIR R4 "Profiling FHIR", section 5.1.0.9: element selections, `extension(url)`, `resolve()`, `ofType()` and
`$this`. STU3 allows the same, and `reference` and `@type`, `@profile` of DSTU2 do not occur any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mpftconnect.errors import DefinitionBroken, PackageNotFound
from mpftconnect.validation.compile.element import Element, TypeRef
from mpftconnect.validation.compile.placing import choice_of
from mpftconnect.validation.compile.trees import Trees
from mpftconnect.validation.lists import listed

if TYPE_CHECKING:
    from mpftconnect.validation.check.run import Run

__all__ = ["Step", "element_at", "parse_path", "values_at"]

_STEP = re.compile(
    r"""(?P<extension>(?:extension|modifierExtension)\(\s*['"](?P<url>[^'"]*)['"]\s*\))
      |(?P<of>(?:ofType|as)\(\s*(?:FHIR\.)?(?P<type>[A-Za-z]+)\s*\))
      |(?P<resolve>resolve\(\))
      |(?P<this>\$this)
      |(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\[x\])?)(?P<slice>:[^.]+)?""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Step:
    kind: str  # name, extension, type, resolve
    text: str = ""


def parse_path(path: str) -> tuple[Step, ...]:
    """The steps of a discriminator's path.

    >>> [s.kind for s in parse_path("extension('http://x.y/z').value.resolve()")]
    ['extension', 'name', 'resolve']
    """
    steps: list[Step] = []
    at = 0
    path = path.strip()
    while at < len(path):
        if path[at] == ".":
            at += 1
            continue
        match = _STEP.match(path, at)
        if match is None:
            raise DefinitionBroken(f"discriminator path {path!r} is not of the form that FHIR allows")
        at = match.end()
        if match["extension"]:
            steps.append(Step("extension", match["url"]))
        elif match["of"]:
            steps.append(Step("type", match["type"]))
        elif match["resolve"]:
            steps.append(Step("resolve"))
        elif match["name"]:
            steps.append(Step("name", match["name"].removesuffix("[x]")))
    return tuple(steps)


# -- in the tree


def _children(trees: Trees, element: Element) -> dict[str, Element]:
    if element.children is not None:
        return element.children
    if element.content_reference:
        return trees.referred(element).children or {}
    if len(element.types) == 1:
        ref = element.types[0]
        for profile in ref.profiles[:1]:
            if trees.definitions.structure(profile) is not None:
                return trees.tree(profile).children or {}
        return trees.type_tree(ref.code).children or {}
    if "." not in element.path:
        return element.children or {}
    return trees.type_tree("Element").children or {}


def element_at(trees: Trees, element: Element, steps: tuple[Step, ...]) -> Element | None:
    """What a profile says of the element that the steps lead to; None where it says nothing."""
    for step in steps:
        if step.kind == "name":
            children = _children(trees, element)
            found = children.get(step.text) or children.get(step.text + "[x]") or choice_of(children, step.text)
            if found is None:
                return None
            if found.is_choice and len(found.slices) == 1 and not (found.fixed or found.pattern):
                # The profile speaks of one type of the choice only.
                found = next(iter(found.slices.values()))
            element = found
        elif step.kind == "extension":
            found = _extension(trees, element, step.text)
            if found is None:
                return None
            element = found
        elif step.kind == "type":
            matching = [ref for ref in element.types if ref.code == step.text]
            piece = next((s for s in element.slices.values() if [t.code for t in s.types] == [step.text]), None)
            if piece is not None:
                element = piece
            elif matching and len(element.types) > 1:
                element = element.clone()
                element.types = (matching[0],)
        else:
            target = _resolved(trees, element)
            if target is None:
                return None
            element = target
    return element


def _extension(trees: Trees, element: Element, url: str) -> Element | None:
    for name in ("extension", "modifierExtension"):
        holder = _children(trees, element).get(name)
        found = [piece for piece in _pieces(holder) if _is_extension(piece, url)] if holder else []
        if found:
            # A re-slice that says something of its inside is the one that tells slices apart.
            return next((piece for piece in reversed(found) if piece.children is not None), found[0])
    if trees.definitions.structure(url) is not None:
        return trees.tree(url)
    return None


def _pieces(element: Element) -> Iterator[Element]:
    for piece in element.slices.values():
        yield piece
        yield from _pieces(piece)


def _is_extension(piece: Element, url: str) -> bool:
    profiles = piece.types[0].profiles if piece.types else ()
    own = (piece.children or {}).get("url")
    return url in [p.split("|")[0] for p in profiles] or (
        own is not None and own.fixed is not None and own.fixed[1] == url
    )


def _resolved(trees: Trees, element: Element) -> Element | None:
    """What a reference leads to, as an element whose types are the allowed targets."""
    targets = [t for ref in element.types if ref.code in ("Reference", "canonical") for t in ref.targets]
    if not targets:
        return None
    if len(targets) == 1:
        try:
            root = trees.tree(targets[0]).clone()
        except (PackageNotFound, DefinitionBroken):
            root = Element("Resource", element.path + ".resolve()")
        definition = trees.definitions.structure(targets[0])
        code = str(definition.get("type")) if definition else targets[0].rpartition("/")[2]
        root.types = (TypeRef(code, (targets[0],)),)
        return root
    made = Element("Resource", element.path + ".resolve()")
    refs = []
    for target in targets:
        definition = trees.definitions.structure(target)
        refs.append(TypeRef(str(definition.get("type")) if definition else target.rpartition("/")[2], (target,)))
    made.types = tuple(refs)
    return made


# -- in a value


def values_at(value: Any, code: str | None, steps: tuple[Step, ...], run: Run) -> Iterator[tuple[Any, str | None]]:
    """The values that the steps lead to, each with its type where the name tells it; lists are gone through."""
    if not steps:
        yield value, code
        return
    step, rest = steps[0], steps[1:]
    if step.kind == "type":
        if code is None or code == step.text:
            yield from values_at(value, code or step.text, rest, run)
        return
    if step.kind == "resolve":
        from mpftconnect.validation.check.references import resolve

        found = resolve(value, run)
        if found is not None:
            yield from values_at(found, str(found.get("resourceType")), rest, run)
        return
    if not isinstance(value, dict):
        return
    if step.kind == "extension":
        for name in ("extension", "modifierExtension"):
            for item in listed(value.get(name)):
                if isinstance(item, dict) and item.get("url") == step.text:
                    yield from values_at(item, "Extension", rest, run)
        return
    if step.text in value:
        found_value = value[step.text]
        for item in found_value if isinstance(found_value, list) else (found_value,):
            inner = str(item.get("resourceType")) if isinstance(item, dict) and "resourceType" in item else None
            yield from values_at(item, inner, rest, run)
        return
    for key, item in value.items():
        if key.startswith(step.text) and len(key) > len(step.text) and key[len(step.text)].isupper():
            tail = key[len(step.text) :]
            types = run.checks.choice_types
            if tail in types:
                yield from values_at(item, types[tail], rest, run)
