"""Contained resources and the container: dom-1 to dom-5.

FHIR R4 and STU3 DomainResource; "References", section 2.3.0.1 "Contained Resources". Checked here and not by
FHIRPath, because dom-3 as published says less than it means: what refers to a contained resource may be any
address (`#id` in a Reference, canonical, uri or narrative link), and the contained resource may point back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.places import Place

if TYPE_CHECKING:
    from mpftconnect.validation.check.run import Run

__all__ = ["contained_rules"]

_LINK = re.compile(r"""(?:href|src)\s*=\s*["']#([^"']+)["']""")
_DOMAIN_RESOURCE = "http://hl7.org/fhir/StructureDefinition/DomainResource"


def contained_rules(value: dict[str, Any], place: Place, run: Run) -> None:
    """dom-1 to dom-5, where a resource contains others."""
    held = value.get("contained")
    if not isinstance(held, list) or not held:
        return
    resources = [(index, item) for index, item in enumerate(held) if isinstance(item, dict)]
    for index, item in resources:
        here = (place, "contained", index, None)
        if "contained" in item:
            run.error(
                "dom-2", here, "breaks dom-2: a contained resource SHALL NOT contain nested resources", _DOMAIN_RESOURCE
            )
        meta = item.get("meta")
        if isinstance(meta, dict):
            if "versionId" in meta or "lastUpdated" in meta:
                run.error(
                    "dom-4",
                    here,
                    "breaks dom-4: a contained resource SHALL NOT have a meta.versionId or a meta.lastUpdated",
                    _DOMAIN_RESOURCE,
                )
            if "security" in meta:
                run.error(
                    "dom-5",
                    here,
                    "breaks dom-5: a contained resource SHALL NOT have a security label",
                    _DOMAIN_RESOURCE,
                )
        if run.checks.version == "3.0" and "text" in item:
            run.error("dom-1", here, "breaks dom-1: a contained resource SHALL NOT have a narrative", _DOMAIN_RESOURCE)
    if run.options.validate_contains == "IGNORE":
        return
    everything = _addresses(value, skip_contained=True)
    inside = {id(item): _addresses(item, skip_contained=False) for _, item in resources}
    reached = set(everything)
    by_id: dict[str | None, list[dict[str, Any]]] = {}
    for _, item in resources:
        by_id.setdefault(_id(item), []).append(item)
    # What a contained resource that is reached refers to is reached too.
    todo = [item for _, item in resources if _id(item) in reached or "" in inside[id(item)]]
    done: set[int] = set()
    while todo:
        item = todo.pop()
        if id(item) in done:
            continue
        done.add(id(item))
        # Taken out, since ids may be repeated and each is followed once.
        todo.extend(other for address in inside[id(item)] for other in by_id.pop(address, ()))
    referred = set().union(*inside.values()) | reached
    for index, item in resources:
        if id(item) not in done and _id(item) not in referred:
            run.error(
                "dom-3", (place, "contained", index, None),
                "breaks dom-3: a contained resource SHALL be referred to from elsewhere in the resource "
                "or SHALL refer to the containing resource",
                _DOMAIN_RESOURCE,
            )  # fmt: skip


def _id(resource: dict[str, Any]) -> str | None:
    found = resource.get("id")
    return found if isinstance(found, str) else None


def _addresses(value: Any, *, skip_contained: bool) -> set[str]:
    """Every local address (without its `#`) in a value; the empty one means the container."""
    found: set[str] = set()
    stack: list[Any] = [{k: v for k, v in value.items() if not (skip_contained and k == "contained")}]
    while stack:
        item = stack.pop()
        if item.__class__ is dict:
            stack.extend(item.values())
        elif item.__class__ is list:
            stack.extend(item)
        elif item.__class__ is str:
            if item.startswith("#"):
                found.add(item[1:])
            elif item.startswith("<") and "#" in item:
                found.update(_LINK.findall(item))
    return found
