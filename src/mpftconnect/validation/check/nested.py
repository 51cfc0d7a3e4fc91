"""Resources: which profiles hold for one, at the root or inside another, and the rules of whole resources."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from mpftconnect.errors import DefinitionBroken, PackageNotFound
from mpftconnect.validation.check.navigation import is_logical
from mpftconnect.validation.check.run import Frame, Run
from mpftconnect.validation.compile.element import Element, TypeRef
from mpftconnect.validation.definitions.installed import hint_for
from mpftconnect.validation.definitions.store import CORE, split_canonical
from mpftconnect.validation.places import Place
from mpftconnect.validation.rules import RESOURCE_RULES
from mpftconnect.validation.shown import address_shown

if TYPE_CHECKING:
    from mpftconnect.validation.check.children import ValueCheck
    from mpftconnect.validation.check.compiler import Checks, Structure

__all__ = ["nested_check", "resource_check"]

_MOST_APPLIED = 1_000
_KINDS = {"contained": "contained", "entry.resource": "entry"}


def nested_check(checks: Checks, element: Element, ref: TypeRef, profile: str | None) -> ValueCheck:
    """The check of an element that holds a resource (`contained`, `Bundle.entry.resource`, ...)."""
    kind = (
        "contained"
        if element.name == "contained"
        else "entry"
        if element.path.endswith("entry.resource")
        else "parameter"
    )
    wanted = tuple(t.code for t in element.types) or (ref.code,)
    profiles = tuple(p for t in element.types for p in t.profiles)
    inline = _inline(checks, element, profile)

    def check(value: Any, place: Place, run: Run) -> None:
        outer = run.frame
        if outer is None:
            return
        full_url = None
        if kind == "entry":
            entry = run.checks.value_at(place[0], run) if place[0] else None
            full_url = entry.get("fullUrl") if isinstance(entry, dict) else None
        if kind == "contained" and run.options.validate_contains == "IGNORE":
            return
        inner = Frame(value, place, outer, kind, full_url if isinstance(full_url, str) else None)
        run.frame = inner
        try:
            code = value.get("resourceType")
            if isinstance(code, str) and checks.is_resource(code) and not checks.is_a(code, wanted):
                run.error("resource-type", place, f"must be a {' or '.join(wanted)}, and is a {code}", profile)
            elif isinstance(code, str) and checks.is_resource(code):
                _fit_profiles(checks, profiles, value, place, run, profile)
                if inline is not None:
                    inline(value, place, run)
            if (id(value), "resource") not in run.visiting:
                run.visiting.add((id(value), "resource"))
                try:
                    resource_check(checks, value, place, run, ())
                finally:
                    run.visiting.discard((id(value), "resource"))
        finally:
            inner.close()
            run.frame = outer

    return check


def _inline(checks: Checks, element: Element, profile: str | None) -> ValueCheck | None:
    if element.children is None:
        return None
    from mpftconnect.validation.check.objects import compile_object

    specific = len(element.types) == 1 and element.types[0].code not in ("Resource", "DomainResource")
    return compile_object(checks, element.children, element.path, profile, is_resource=True, partial=not specific)


def _fit_profiles(
    checks: Checks, profiles: tuple[str, ...], value: Any, place: Place, run: Run, profile: str | None
) -> None:
    if not profiles:
        return
    known = [url for url in profiles if checks.has(url)]
    unknown = [url for url in profiles if not checks.has(url)]
    if len(profiles) == 1 and known:
        structure = _usable(checks, known[0], place, run)
        if structure is not None and _type_fits(checks, structure, value, place, run):
            structure.check(value, place, run)
        return
    for url in known:
        structure = _usable(checks, url, place, run)
        if structure is not None and checks.fits(structure, value, place, run):
            return
    if unknown:
        run.not_checked("profile-unknown", place, f"profile {unknown[0]} is not loaded", decisive=True, profile=profile)
    elif known:
        run.error("profile-none", place, f"must fit one of the profiles: {', '.join(known)}", profile)


def _usable(checks: Checks, url: str, place: Place, run: Run) -> Structure | None:
    try:
        return checks.structure(url)
    except (PackageNotFound, DefinitionBroken) as error:
        run.not_checked("profile-unknown", place, str(error), decisive=True, profile=url)
        return None


def _type_fits(checks: Checks, structure: Structure, value: dict[str, Any], place: Place, run: Run) -> bool:
    code = value.get("resourceType")
    if (
        not isinstance(code, str)
        or structure.code in checks.ancestors(code)
        or structure.code.rpartition("/")[2] == code
    ):
        return True
    run.error("profile-type", place, f"profile {structure.url} is for {structure.code}, not for {code}", structure.url)
    return False


def resource_check(checks: Checks, value: Any, place: Place, run: Run, profiles: Iterable[str]) -> None:
    """A resource against its type, the profiles that are asked for, and those that it claims."""
    code = value.get("resourceType")
    wanted = tuple(profiles)
    meta = value.get("meta")
    simple = code.__class__ is str and (meta.__class__ is not dict or "profile" not in meta)
    applied = checks.applied.get((code, wanted)) if simple else None
    if applied is None:
        said = len(run.findings), len(run.unchecked)
        applied = _applied(checks, code, value, place, run, wanted)
        if applied is None:
            return
        if simple and said == (len(run.findings), len(run.unchecked)) and len(checks.applied) < _MOST_APPLIED:
            checks.applied[code, wanted] = applied
    used, base = applied
    for structure in used:
        run.profiles.append(structure.url)
        structure.check(value, place, run)
        if run.options.must_support:
            checks.show_must_support(structure, value, place, run)
    if base is not None:
        base.check(value, place, run)
    for rule in RESOURCE_RULES.get(code, ()):
        rule(value, place, run)
    for rule in RESOURCE_RULES["*"]:
        rule(value, place, run)


Applied = tuple[tuple["Structure", ...], "Structure | None"]


def _applied(checks: Checks, code: Any, value: Any, place: Place, run: Run, wanted: tuple[str, ...]) -> Applied | None:
    """The profiles that hold for a resource, and its type if none of them covers it; None for what is no resource."""
    if not isinstance(code, str) or not code:
        run.error("resource-type", place, "must name its type in resourceType")
        return None
    if not checks.is_resource(code) and not is_logical(checks, code, wanted):
        run.error("resource-type", place, "has a resourceType that no loaded package defines")
        return None
    base = None
    if checks.is_resource(code):
        base = checks.structure(CORE + code)
        if base.abstract:
            run.error("resource-type", place, f"must be of a concrete type: {code} is abstract")
            return None
    used: list[Structure] = []
    claimed = _claimed(checks, value, place, run)
    for url in [*wanted, *claimed, *checks.global_profiles.get(code, ())]:
        structure = _usable(checks, url, place, run)
        if structure is not None and structure not in used and _type_fits(checks, structure, value, place, run):
            used.append(structure)
            if structure.abstract and structure.is_profile and url in claimed:
                # StructureDefinition.abstract: not intended to be instantiated. It can be fitted all the same.
                run.add("warning", "profile-abstract", place, f"claims {url}, which is abstract", url)
            if run.options.crumb_trail:
                why = "asked for" if url in wanted else "in meta.profile" if url in claimed else "a guide demands it"
                run.add("information", "profile-applied", place, f"is validated against {url}: {why}", url)
    if any(structure.is_profile for structure in used):
        base = None
    return tuple(used), base


def _claimed(checks: Checks, value: dict[str, Any], place: Place, run: Run) -> list[str]:
    """Profiles of `meta.profile` that are loaded; the others are said to be unknown."""
    meta = value.get("meta")
    listed = meta.get("profile") if isinstance(meta, dict) else None
    found: list[str] = []
    for index, url in enumerate(listed if isinstance(listed, list) else ()):
        if not isinstance(url, str) or url in found:
            continue
        if checks.has(url):
            found.append(url)
            continue
        here = ((place, "meta", None, None), "profile", index, None)
        address, version = split_canonical(url)
        if version is not None and checks.has(address):
            reason = f"profile {address} is loaded, but not in version {_version_shown(version)}"
        else:
            reason = f"profile {address_shown(url)} is in no loaded package{hint_for(url)}"
        if checks.definitions.find(address) is not None and not checks.has(address):
            run.error("profile-unknown", here, "must be the address of a profile")
        elif run.options.unknown_profile in ("error", "warning"):
            run.add(run.options.unknown_profile, "profile-unknown", here, reason)
        else:
            run.not_checked("profile-unknown", here, reason, decisive=True)
    return found


def _version_shown(version: str) -> str:
    return version if re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4}){0,3}(-[a-z0-9]{1,8})?", version) else "that is claimed"


Rule = Callable[[dict[str, Any], Place, Run], None]
