"""From a place back to values and types: slow, and only used where something needs saying."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mpftconnect.errors import DefinitionBroken, PackageNotFound
from mpftconnect.validation.check.run import Frame, Run
from mpftconnect.validation.compile.element import Element
from mpftconnect.validation.compile.placing import choice_of, type_of_choice
from mpftconnect.validation.places import Place, pointer_of, property_of, root

if TYPE_CHECKING:
    from mpftconnect.validation.check.compiler import Checks

__all__ = ["hosts_of", "is_logical", "place_in", "root_of", "type_name_of", "value_at"]


def value_at(place: Place | None, run: Run) -> Any:
    """The value at a place of the document; None if there is none."""
    value: Any = run.frame.document.resource if run.frame else None
    for step in pointer_of(place):
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def _inside_resource(place: Place | None, run: Run) -> tuple[dict[str, Any] | None, list[str]]:
    """The resource that holds a place, and the names from there."""
    names: list[str] = []
    frame: Frame | None = run.frame
    stops = {}
    while frame is not None:
        stops[frame.place] = frame.resource
        frame = frame.outer
    while place is not None:
        if place in stops:
            return stops[place], names[::-1]
        if place[0] is None:
            break
        names.append(place[1])
        place = place[0]
    document = run.frame.document.resource if run.frame else None
    return document, names[::-1]


def _walk(checks: Checks, place: Place | None, run: Run) -> list[tuple[str, Element | None, str | None]]:
    """Each element from the resource down to a place: name, definition and type."""
    resource, names = _inside_resource(place, run)
    code = str(resource.get("resourceType")) if resource else "Resource"
    try:
        element: Element | None = checks.trees.type_tree(code)
    except (PackageNotFound, DefinitionBroken):
        return []
    trail: list[tuple[str, Element | None, str | None]] = [(code, element, code)]
    kind: str | None = code
    for raw in names:
        name = raw.removeprefix("_")
        children = _children(checks, element, kind)
        found = children.get(name)
        kind = None
        if found is None:
            found = choice_of(children, name)
            ref = type_of_choice(found, name) if found is not None else None
            kind = ref.code if ref else None
        elif found.types:
            kind = found.types[0].code
        elif found.content_reference:
            kind = "BackboneElement"
        element = found
        trail.append((found.name if found is not None else name, found, kind))
    return trail


def root_of(checks: Checks, value: Any, profiles: tuple[str, ...] = ()) -> Place:
    """The place of a resource: named by its type, if that is one; whatever else it says may be anything."""
    code = value.get("resourceType") if isinstance(value, dict) else None
    if isinstance(code, str) and (checks.is_resource(code) or is_logical(checks, code, profiles)):
        return root(code)
    return root("Resource")


def place_in(checks: Checks, value: Any, outer: Place, pointer: tuple[str | int, ...]) -> Place:
    """A pointer into the text of a resource as a place; a name that no definition has is left out of it."""
    place, known = outer, True
    element: Element | None = None
    kind = _resource_type(checks, value, "Resource")
    for step in pointer:
        if isinstance(step, int):
            place = (place[0], place[1], step, place[3])
            value = value[step] if isinstance(value, list) and step < len(value) else None
            kind = _resource_type(checks, value, kind)
            continue
        name = step.removeprefix("_")
        children = _children(checks, element, kind)
        if element is None and kind is not None:
            try:
                children = checks.trees.type_tree(kind).children or {}
            except (PackageNotFound, DefinitionBroken):
                children = {}
        found = children.get(name)
        chosen = choice_of(children, name) if found is None else found
        ref = found.types[0] if found is not None and found.types else None
        if found is None and chosen is not None:
            ref = type_of_choice(chosen, name)
        known = known and (found is not None or ref is not None or step == "resourceType")
        place = (place, step, None, None) if known else property_of(place, step)
        value = value.get(step) if isinstance(value, dict) else None
        element, kind = chosen, ref.code if ref is not None else None
        if kind is not None and checks.is_resource(kind):
            element, kind = None, _resource_type(checks, value, kind)
    return place


def _resource_type(checks: Checks, value: Any, otherwise: str | None) -> str | None:
    code = value.get("resourceType") if isinstance(value, dict) else None
    return code if isinstance(code, str) and checks.is_resource(code) else otherwise


def is_logical(checks: Checks, code: str, profiles: tuple[str, ...]) -> bool:
    """Whether one of the profiles is a logical model, of which this is an instance."""
    for url in profiles:
        definition = checks.definitions.structure(url) or {}
        if str(definition.get("type")).rpartition("/")[2] == code:
            return True
    return False


def _children(checks: Checks, element: Element | None, code: str | None) -> dict[str, Element]:
    if element is None:
        return {}
    try:
        if element.children is not None:
            return element.children
        if element.content_reference:
            return checks.trees.referred(element).children or {}
        return checks.trees.type_tree(code).children or {} if code else {}
    except (PackageNotFound, DefinitionBroken):
        return {}


def hosts_of(checks: Checks, place: Place | None, run: Run) -> set[str]:
    """Names by which an extension's context may mean an element: its paths from each type on the way, and its types."""
    resource, names = _inside_resource(place, run)
    key = (str(resource.get("resourceType")) if resource else "", *names)
    known = checks.host_names.get(key)
    if known is None:
        known = _hosts(checks, place, run)
        if len(checks.host_names) < 10_000:
            checks.host_names[key] = known
    return known


def _hosts(checks: Checks, place: Place | None, run: Run) -> set[str]:
    trail = _walk(checks, place, run)
    hosts: set[str] = set()
    if not trail:
        return hosts
    names = [name for name, _, _ in trail]
    _, last, code = trail[-1]
    if code:
        hosts.update(checks.ancestors(code))
    for start, (_, element, kind) in enumerate(trail[:-1]):
        rest = names[start + 1 :]
        for type_name in checks.ancestors(kind) if kind else ():
            hosts.add(".".join([type_name, *rest]))
        if element is not None and "." in element.path:
            hosts.add(".".join([element.path, *rest]))
        if element is not None and element.content_reference:
            hosts.add(".".join([element.content_reference.partition("#")[2], *rest]))
    if last is not None:
        hosts.add(last.path)
        if last.content_reference:
            hosts.add(last.content_reference.partition("#")[2])
    hosts |= {host.replace("[x]", "") for host in hosts}
    return hosts


def type_name_of(checks: Checks, place: Place | None, run: Run) -> str | None:
    """The type of an element: its path where it is nested."""
    trail = _walk(checks, place, run)
    if not trail:
        return None
    _, element, code = trail[-1]
    if code in ("BackboneElement", "Element") and element is not None:
        return element.path
    return code
