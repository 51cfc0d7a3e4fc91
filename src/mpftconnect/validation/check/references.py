"""References: their form, where they lead inside the same document, and whether that is allowed.

FHIR R4 "References" (contained, relative, absolute) and "Bundle", section 2.36.4 "Resolving references in
Bundles". Nothing is ever fetched over a network here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from mpftconnect.validation.check.run import Frame, Run
from mpftconnect.validation.compile.element import TypeRef
from mpftconnect.validation.fast.recipes import Refers, described
from mpftconnect.validation.lists import listed
from mpftconnect.validation.places import Place

if TYPE_CHECKING:
    from mpftconnect.validation.check.compiler import Checks

__all__ = ["Target", "compile_reference", "find_target", "implied_type", "resolve", "type_of_target"]

_REST = re.compile(
    r"(?:(?P<base>(?:https?|ftp)://[^\s?#]+)/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[A-Za-z0-9\-.]{1,64})(?:/_history/(?P<version>[A-Za-z0-9\-.]{1,64}))?(?P<anchor>#.*)?"
)


@dataclass(frozen=True, slots=True)
class Target:
    """What a reference leads to: the resource, how (`contained`, `bundled`, `loaded`), and its frame, if any."""

    resource: dict[str, Any]
    how: str
    frame: Frame | None


def rest_parts(reference: str) -> tuple[str | None, str, str, str | None] | None:
    """Base, type, id and version of a RESTful reference."""
    match = _REST.fullmatch(reference)
    return (match["base"], match["type"], match["id"], match["version"]) if match else None


def implied_type(reference: str) -> str | None:
    """The resource type that a reference's text names.

    >>> implied_type("http://example.org/fhir/Patient/1"), implied_type("urn:uuid:1"), implied_type("#a")
    ('Patient', None, None)
    """
    parts = rest_parts(reference)
    return parts[1] if parts else None


class _BundleIndex:
    """Entries of a Bundle by fullUrl and by type and id; made once, so a large Bundle stays linear."""

    __slots__ = ("by_id", "by_url")

    def __init__(self, bundle: Frame) -> None:
        self.by_url: dict[str, list[tuple[dict[str, Any], int]]] = {}
        self.by_id: dict[tuple[str, str], list[tuple[dict[str, Any], int]]] = {}
        entries = bundle.resource.get("entry")
        for number, entry in enumerate(entries if isinstance(entries, list) else ()):
            if not isinstance(entry, dict):
                continue
            resource = entry.get("resource")
            if not isinstance(resource, dict):
                continue
            full_url = entry.get("fullUrl")
            if isinstance(full_url, str):
                self.by_url.setdefault(full_url, []).append((resource, number))
            key = (str(resource.get("resourceType")), str(resource.get("id")))
            self.by_id.setdefault(key, []).append((resource, number))


def bundle_index(bundle: Frame) -> _BundleIndex:
    """The index of a Bundle's entries."""
    if bundle._index is None:
        bundle._index = _BundleIndex(bundle)
    return bundle._index  # type: ignore[no-any-return]


def _entry_frame(bundle: Frame, resource: dict[str, Any], number: int, full_url: str | None) -> Frame:
    place = ((bundle.place, "entry", number, None), "resource", None, None)
    return Frame(resource, place, bundle, "entry", full_url)


Parts: TypeAlias = tuple[str | None, str, str, str | None] | None
_UNREAD: Parts = ("", "", "", "")


def find_target(reference: str, run: Run, parts: Parts = _UNREAD) -> Target | None:
    """Where a reference leads inside the document, or among what is loaded.

    Args:
        parts: What `rest_parts` gave, where it was asked already.
    """
    frame = run.frame
    if frame is None:
        return None
    if reference.startswith("#"):
        container = frame.container
        if reference == "#":
            return Target(container.resource, "contained", container)
        found = container.contained.get(reference[1:])
        if found is None:
            return None
        held = listed(container.resource.get("contained"))
        number = next((i for i, item in enumerate(held) if item is found), 0)
        return Target(
            found, "contained", Frame(found, (container.place, "contained", number, None), container, "contained")
        )
    if parts is _UNREAD:
        parts = rest_parts(reference)
    inner = frame.container
    full_url = inner.full_url
    for bundle in frame.bundles():
        if bundle.resource.get("resourceType") == "Parameters":
            target = _in_parameters(bundle, parts)
        else:
            target = _in_bundle(bundle, reference, parts, full_url, run)
        if target is not None:
            return target
        full_url = bundle.full_url
    return run.checks.loaded_target(reference)


def _in_parameters(parameters: Frame, parts: tuple[str | None, str, str, str | None] | None) -> Target | None:
    if parts is None:
        return None
    listed = parameters.resource.get("parameter")
    stack: list[Any] = [
        ((parameters.place, "parameter", i, None), p) for i, p in enumerate(listed if isinstance(listed, list) else ())
    ]
    while stack:
        place, parameter = stack.pop()
        if not isinstance(parameter, dict):
            continue
        resource = parameter.get("resource")
        if isinstance(resource, dict) and (resource.get("resourceType"), resource.get("id")) == parts[1:3]:
            return Target(
                resource, "bundled", Frame(resource, (place, "resource", None, None), parameters, "parameter")
            )
        inner = parameter.get("part")
        stack.extend(((place, "part", i, None), p) for i, p in enumerate(inner if isinstance(inner, list) else ()))
    return None


def _in_bundle(
    bundle: Frame, reference: str, parts: tuple[str | None, str, str, str | None] | None, full_url: str | None, run: Run
) -> Target | None:
    index = bundle_index(bundle)
    plain = reference.split("#")[0]
    version = None
    if parts is not None and parts[3] is not None:
        version = parts[3]
        plain = plain[: plain.rindex("/_history/")]
    wanted = [plain]
    if parts is not None and parts[0] is None and full_url:
        own = rest_parts(full_url)
        if own is not None and own[0] is not None:
            wanted = [f"{own[0]}/{plain}"]
    for address in wanted:
        found = index.by_url.get(address)
        if found:
            if version is not None:
                found = [f for f in found if (f[0].get("meta") or {}).get("versionId") in (version, None)] or found
            resource, number = found[0]
            return Target(resource, "bundled", _entry_frame(bundle, resource, number, address))
    if parts is not None and parts[0] is None:
        # A relative reference from an entry whose fullUrl is no REST address: by type and id.
        own_base = rest_parts(full_url) if full_url else None
        if own_base is None or own_base[0] is None or run.options.r5_bundle_relative_reference_policy == "always":
            by_id = index.by_id.get((parts[1], parts[2]))
            if by_id:
                resource, number = by_id[0]
                return Target(resource, "bundled", _entry_frame(bundle, resource, number, None))
    return None


def resolve(value: Any, run: Run) -> dict[str, Any] | None:
    """The resource that a Reference (or a canonical, as text) leads to."""
    reference = value.get("reference") if isinstance(value, dict) else value
    if not isinstance(reference, str) or not reference:
        return None
    target = find_target(reference, run)
    return target.resource if target else None


def type_of_target(value: Any, run: Run) -> str | None:
    """The type of what a Reference leads to: of the resource if found, else as its text or `type` says."""
    reference = value.get("reference") if isinstance(value, dict) else value
    if isinstance(reference, str) and reference:
        target = find_target(reference, run)
        if target is not None:
            return str(target.resource.get("resourceType"))
        implied = implied_type(reference)
        if implied is not None and run.checks.is_resource(implied):
            return implied
    stated = value.get("type") if isinstance(value, dict) else None
    return stated if isinstance(stated, str) and run.checks.is_resource(stated) else None


def compile_reference(checks: Checks, ref: TypeRef, profile: str | None):  # type: ignore[no-untyped-def]
    """What an element of type Reference demands of where it points."""
    targets: dict[str, list[str]] = {}
    unknown: list[str] = []
    for address in ref.targets:
        definition = checks.trees.definitions.structure(address)
        if definition is None:
            unknown.append(address)
            continue
        targets.setdefault(str(definition.get("type") or address.rpartition("/")[2]), []).append(address)
    anything = not ref.targets or "Resource" in targets
    aggregation = set(ref.aggregation)
    words = ", ".join(sorted(targets))
    fitting: dict[str, list[str]] = {}

    def shown(code: str) -> str:
        # What is no type may be anything.
        return f"a {code}" if checks.is_resource(code) else "what is of no type that is loaded"

    def check(value: dict[str, Any], place: Place, run: Run) -> None:
        reference = value.get("reference")
        if not isinstance(reference, str) or not reference:
            _stated_type(value, place, run)
            return
        parts = rest_parts(reference)
        if parts is None and ":" not in reference and not reference.startswith("#"):
            _relative(reference, place, run)
        target = find_target(reference, run, parts)
        level = run.options.reference_level if target is None or target.how == "loaded" else "none"
        implied = parts[1] if parts is not None else None
        if implied is not None and not run.checks.is_resource(implied):
            implied = None
        if target is None:
            if reference.startswith("#"):
                run.error(
                    "reference-resolve",
                    (place, "reference", None, None),
                    "must lead to a contained resource, and does not",
                    profile,
                )
                return
            if level in ("exists", "valid") and not (run.options.assume_valid_rest_references and implied):
                _not_found(reference, place, run)
            found_type = implied
        else:
            found_type = str(target.resource.get("resourceType"))
            if implied is not None and implied != found_type:
                run.error(
                    "reference-type",
                    place,
                    f"names the type {implied}, and leads to {shown(found_type)}",
                    profile,
                )
        _stated_type(value, place, run, found_type)
        if aggregation:
            _aggregated(reference, target, place, run)
        if found_type is None or anything:
            return
        matching = fitting.get(found_type)
        if matching is None:
            matching = [a for code, held in targets.items() if checks.is_a(found_type, {code}) for a in held]
            if checks.is_resource(found_type):  # never more than there are types
                fitting[found_type] = matching
        if not matching:
            if not unknown:
                run.error(
                    "reference-type",
                    place,
                    f"must lead to one of: {words}; and leads to {shown(found_type)}",
                    profile,
                )
            else:
                run.not_checked("reference-type", place, f"{unknown[0]} is not loaded", decisive=True, profile=profile)
            return
        if target is None or (target.how == "loaded" and level != "valid"):
            return
        _fits_one(matching, target, place, run)

    def _relative(reference: str, place: Place, run: Run) -> None:
        """R4 "References" 2.3.0.1: a relative reference is [type]/[id]; in a transaction it may be a search."""
        holder = run.frame.container.outer if run.frame is not None else None
        bundle = holder.resource if holder is not None and holder.resource.get("resourceType") == "Bundle" else None
        if "?" in reference and bundle is not None and bundle.get("type") in ("transaction", "batch"):
            return
        # Inside a Bundle it can lead to no entry (2.36.4.1); elsewhere a server may give it a meaning.
        run.add(
            "error" if bundle is not None else "warning", "reference-form", (place, "reference", None, None),
            "must be [type]/[id], because it is relative", profile,
        )  # fmt: skip

    def _not_found(reference: str, place: Place, run: Run) -> None:
        if run.frame is not None and run.frame.bundles() and ":" not in reference:
            run.error("reference-resolve", place, "must lead to a resource that can be found, and does not", profile)
        else:
            run.not_checked(
                "reference-resolve", place, "what it leads to is not loaded", decisive=True, profile=profile
            )

    def _aggregated(reference: str, target: Target | None, place: Place, run: Run) -> None:
        in_bundle = bool(run.frame and run.frame.bundles())
        if not in_bundle and not run.options.enforce_aggregation_outside_bundles and not reference.startswith("#"):
            return
        mode = (
            "contained"
            if reference.startswith("#")
            else "bundled"
            if target and target.how == "bundled"
            else "referenced"
        )
        if mode not in aggregation and not (mode == "bundled" and "referenced" in aggregation):
            run.error(
                "reference-aggregation", place, f"must be {' or '.join(sorted(aggregation))}, and is {mode}", profile
            )

    def _fits_one(matching: list[str], target: Target, place: Place, run: Run) -> None:
        derived = [address for address in matching if checks.is_profile(address)]
        if len(derived) < len(matching) or not derived:
            return  # the plain type is allowed
        missing = [address for address in derived if not checks.has(address)]
        for address in derived:
            if address not in missing and checks.fits_target(checks.structure(address), target, run):
                return
        if missing:
            run.not_checked("reference-profile", place, f"{missing[0]} is not loaded", decisive=True, profile=profile)
        else:
            # As the reference validator: what stands in the same Bundle is held to it only where that is asked for.
            strict = target.how == "contained" or run.options.reference_level == "valid" or run.probing > 0
            run.add(
                "error" if strict else "warning", "reference-profile", place,
                f"must lead to a resource that fits {' or '.join(derived)}", profile,
            )  # fmt: skip

    def _stated_type(value: dict[str, Any], place: Place, run: Run, found: str | None = None) -> None:
        stated = value.get("type")
        if not isinstance(stated, str):
            return
        if found is not None and stated != found and stated.rpartition("/")[2] != found:
            run.error("reference-type", place, f"says another type than its address does: {shown(found)}", profile)
        elif (
            found is None
            and not anything
            and targets
            and run.checks.is_resource(stated)
            and not any(checks.is_a(stated, {code}) for code in targets)
            and not unknown
        ):
            run.error("reference-type", place, f"must lead to one of: {words}", profile)

    return described(check, Refers(frozenset(targets), anything, not aggregation))
