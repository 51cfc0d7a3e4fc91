"""Resources: which profiles hold for one, at the root or inside another, and the rules of whole resources."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from mpftconnect.errors import DefinitionBroken, PackageNotFound
from mpftconnect.validation.check.run import Frame, Run
from mpftconnect.validation.compile.element import Element, TypeRef
from mpftconnect.validation.definitions.installed import hint_for
from mpftconnect.validation.definitions.store import CORE, split_canonical
from mpftconnect.validation.places import Place
from mpftconnect.validation.rules import RESOURCE_RULES

if TYPE_CHECKING:
    from mpftconnect.validation.check.children import ValueCheck
    from mpftconnect.validation.check.compiler import Checks, Structure

__all__ = ["nested_check", "resource_check"]

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
        run.frame = Frame(value, place, outer, kind, full_url if isinstance(full_url, str) else None)
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
    if not isinstance(code, str) or not code:
        run.error("resource-type", place, "must name its type in resourceType")
        return
    chosen = list(profiles)
    if not checks.is_resource(code) and not _is_logical(checks, code, chosen):
        run.error("resource-type", place, "has a resourceType that no loaded package defines")
        return
    base = None
    if checks.is_resource(code):
        base = checks.structure(CORE + code)
        if base.abstract:
            run.error("resource-type", place, f"must be of a concrete type: {code} is abstract")
            return
    used: list[Structure] = []
    for url in [*chosen, *_claimed(checks, value, place, run), *checks.global_profiles.get(code, ())]:
        structure = _usable(checks, url, place, run)
        if structure is not None and structure not in used and _type_fits(checks, structure, value, place, run):
            used.append(structure)
    covered = False
    for structure in used:
        run.profiles.append(structure.url)
        structure.check(value, place, run)
        covered = covered or (base is not None and structure.is_profile)
    if base is not None and not covered:
        base.check(value, place, run)
    for rule in RESOURCE_RULES.get(code, ()):
        rule(value, place, run)
    for rule in RESOURCE_RULES["*"]:
        rule(value, place, run)


def _is_logical(checks: Checks, code: str, profiles: list[str]) -> bool:
    """Whether one of the profiles is a logical model, of which this is an instance."""
    for url in profiles:
        definition = checks.definitions.structure(url) or {}
        if str(definition.get("type")).rpartition("/")[2] == code:
            return True
    return False


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
            reason = f"profile {address} is loaded, but not in version {version}"
        else:
            reason = f"profile {url} is in no loaded package{hint_for(url)}"
        if checks.definitions.find(address) is not None and not checks.has(address):
            run.error("profile-unknown", here, "must be the address of a profile")
        elif run.options.unknown_profile == "error":
            run.error("profile-unknown", here, reason)
        else:
            run.not_checked("profile-unknown", here, reason, decisive=True)
    return found


Rule = Callable[[dict[str, Any], Place, Run], None]
