"""Bundles: what each type demands, how entries are identified, and whether a document hangs together.

FHIR R4 "Bundle", sections 2.36.3 (uniqueness) to 2.36.5; "Documents" 2.4 and "Messaging" 2.5. Bundle's own
invariants (bdl-*) are FHIRPath and are evaluated like all others. Linear in the number of entries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.check.references import bundle_index, rest_parts
from mpftconnect.validation.places import Place

if TYPE_CHECKING:
    from mpftconnect.validation.check.run import Run

__all__ = ["bundle_rules"]

_WITHOUT_FULL_URL = {"transaction", "transaction-response", "batch", "batch-response"}
_LINK = re.compile(r"""(?:href|src)\s*=\s*["']([^"']+)["']""")
# References of a Composition that must lead to an entry of the document (FHIR R4 "Documents", 2.4.1).
_COMPOSITION = ("subject", "encounter", "custodian")


def bundle_rules(value: dict[str, Any], place: Place, run: Run) -> None:
    """Rules of a Bundle as a whole."""
    kind = str(value.get("type"))
    listed = value.get("entry")
    entries = [e if isinstance(e, dict) else {} for e in listed] if isinstance(listed, list) else []
    if kind in ("document", "message") and not entries:
        run.error("bundle", place, f"a {kind} must have at least one entry")
        return
    _full_urls(kind, entries, place, run)
    if kind == "document":
        _document(entries, place, run)
    elif kind == "message":
        _first(entries, "MessageHeader", place, run)
        _interlinked(entries, place, run, "MessageHeader", "warning")
    elif kind == "searchset":
        _search_set(entries, place, run)
    if run.options.certificate and "signature" in value:
        run.not_checked("signature", (place, "signature", None, None), "signatures are not verified", decisive=True)
    _by_parameter(entries, place, run)


def _full_urls(kind: Any, entries: list[dict[str, Any]], place: Place, run: Run) -> None:
    for number, entry in enumerate(entries):
        here = (place, "entry", number, None)
        resource = entry.get("resource")
        full_url = entry.get("fullUrl")
        if not isinstance(full_url, str):
            if str(kind) not in _WITHOUT_FULL_URL and isinstance(resource, dict) and "_fullUrl" not in entry:
                run.error(
                    "bundle-full-url", here, "must have a fullUrl: only entries of a transaction or batch may lack it"
                )
            continue
        if ":" not in full_url:
            run.error("bundle-full-url", here, "must have an absolute URL as fullUrl")
            continue
        if isinstance(resource, dict):
            _identifies(full_url, resource, here, run)


def _identifies(full_url: str, resource: dict[str, Any], here: Place, run: Run) -> None:
    parts = rest_parts(full_url)
    if parts is None or parts[0] is None or not run.checks.is_resource(parts[1]):
        return
    own = resource.get("id")
    if not isinstance(own, str):
        run.error(
            "bundle-full-url", here, "has a fullUrl that looks like a REST address, so its resource must have an id"
        )
    elif (parts[1], parts[2]) != (resource.get("resourceType"), own):
        run.error(
            "bundle-full-url",
            here,
            "has a fullUrl that looks like a REST address, so it must end with the type and id of its resource",
        )


def _first(entries: list[dict[str, Any]], wanted: str, place: Place, run: Run) -> dict[str, Any] | None:
    resource = entries[0].get("resource")
    if not isinstance(resource, dict) or resource.get("resourceType") != wanted:
        run.error("bundle", (place, "entry", 0, None), f"must hold a {wanted}, because it is the first entry")
        return None
    return resource


def _document(entries: list[dict[str, Any]], place: Place, run: Run) -> None:
    composition = _first(entries, "Composition", place, run)
    if composition is None:
        return
    here = ((place, "entry", 0, None), "resource", None, None)
    for key, reference, where in _composition_references(composition, here):
        found = _entries_of(reference, entries[0].get("fullUrl"), run)
        if found == 0:
            run.error(
                "bundle-reference", where, f"Composition.{key} must lead to an entry of the document, and does not"
            )
        elif found > 1:
            run.error("bundle-reference", where, f"Composition.{key} must lead to one entry, and leads to {found}")
    _interlinked(entries, place, run, "Composition", "error")


def _composition_references(composition: dict[str, Any], here: Place) -> Iterator[tuple[str, str, Place]]:
    def of(value: Any, key: str, where: Place) -> Iterator[tuple[str, str, Place]]:
        reference = value.get("reference") if isinstance(value, dict) else None
        if isinstance(reference, str) and not reference.startswith("#"):
            yield key, reference, where

    for key in _COMPOSITION:
        found = composition.get(key)
        for index, item in enumerate(found if isinstance(found, list) else [found]):
            yield from of(item, key, (here, key, index if isinstance(found, list) else None, None))
    for index, item in enumerate(
        composition.get("author") or () if isinstance(composition.get("author"), list) else ()
    ):
        yield from of(item, "author", (here, "author", index, None))
    attesters = composition.get("attester")
    for index, item in enumerate(attesters if isinstance(attesters, list) else ()):
        if isinstance(item, dict):
            party = item.get("party")
            for one in party if isinstance(party, list) else [party]:
                yield from of(one, "attester.party", ((here, "attester", index, None), "party", None, None))
    events = composition.get("event")
    for index, item in enumerate(events if isinstance(events, list) else ()):
        details = item.get("detail") if isinstance(item, dict) else None
        for inner, one in enumerate(details if isinstance(details, list) else ()):
            yield from of(one, "event.detail", ((here, "event", index, None), "detail", inner, None))
    yield from _sections(composition.get("section"), here, 0)


def _sections(sections: Any, here: Place, depth: int) -> Iterator[tuple[str, str, Place]]:
    for index, section in enumerate(sections if isinstance(sections, list) else ()):
        if not isinstance(section, dict) or depth > 30:
            continue
        where = (here, "section", index, None)
        listed = section.get("entry")
        for inner, one in enumerate(listed if isinstance(listed, list) else ()):
            reference = one.get("reference") if isinstance(one, dict) else None
            if isinstance(reference, str) and not reference.startswith("#"):
                yield "section.entry", reference, (where, "entry", inner, None)
        yield from _sections(section.get("section"), where, depth + 1)


def _entries_of(reference: str, full_url: Any, run: Run) -> int:
    """To how many entries a reference leads, by the rules of fullUrl (R4 2.36.4); one that cannot be judged: 1."""
    if run.frame is None:
        return 1
    index = bundle_index(run.frame)
    parts = rest_parts(reference)
    plain = reference.split("#")[0]
    version = None
    if parts is not None and parts[3] is not None:
        version = parts[3]
        plain = plain[: plain.rindex("/_history/")]
    base = rest_parts(full_url) if isinstance(full_url, str) else None
    if ":" not in plain and base is not None and base[0] is not None:
        plain = f"{base[0]}/{plain}"
    found = index.by_url.get(plain, [])
    if not found and ":" not in plain and parts is not None:
        found = index.by_id.get((parts[1], parts[2]), [])
    if version is not None and len(found) > 1:
        found = [f for f in found if _version_of(f[0]) == version] or found[:1]
    return len(found)


def _version_of(resource: dict[str, Any]) -> Any:
    meta = resource.get("meta")
    return meta.get("versionId") if isinstance(meta, dict) else None


def _interlinked(entries: list[dict[str, Any]], place: Place, run: Run, first: str, severity: str) -> None:
    """Every entry is reached from the first by references, in either direction (union of linked entries)."""
    if run.frame is None:
        return
    index = bundle_index(run.frame)
    above = list(range(len(entries)))

    def top(number: int) -> int:
        while above[number] != number:
            above[number] = above[above[number]]
            number = above[number]
        return number

    for number, entry in enumerate(entries):
        resource = entry.get("resource")
        if not isinstance(resource, dict):
            continue
        for text in _texts(resource):
            parts = rest_parts(text)
            plain = text.split("/_history/")[0] if parts is not None else text
            found = index.by_url.get(plain) or index.by_url.get(text)
            if not found and parts is not None and parts[0] is None:
                found = index.by_id.get((parts[1], parts[2]))
            for _, other in found or ():
                above[top(number)] = top(other)
    links = run.frame.resource.get("link")
    for text in _texts({"link": links}) if links else ():
        for _, other in index.by_url.get(text, ()):
            above[top(0)] = top(other)
    for number, entry in enumerate(entries):
        if number and isinstance(entry.get("resource"), dict) and top(number) != top(0):
            run.add(
                severity,
                "bundle-reference",
                (place, "entry", number, None),
                f"must be reached from the {first} by references, forward or backward",
            )


def _texts(value: Any) -> Iterator[str]:
    """Every text of a resource that may be an address, links of narratives included."""
    stack: list[Any] = [value]
    while stack:
        item = stack.pop()
        if item.__class__ is dict:
            stack.extend(item.values())
        elif item.__class__ is list:
            stack.extend(item)
        elif item.__class__ is str:
            if item.startswith("<"):
                yield from _LINK.findall(item)
            elif "/" in item or ":" in item:
                yield item


def _searched(run: Run) -> str | None:
    """The type that a search set's self link asks for; None where it includes others or cannot be told."""
    links = run.frame.resource.get("link") if run.frame is not None else None
    for link in links if isinstance(links, list) else ():
        url = link.get("url") if isinstance(link, dict) and link.get("relation") == "self" else None
        if isinstance(url, str) and "?" in url and "_include" not in url and "_revinclude" not in url:
            code = url.split("?")[0].rstrip("/").rpartition("/")[2]
            return code if run.checks.is_resource(code) else None
    return None


def _search_set(entries: list[dict[str, Any]], place: Place, run: Run) -> None:
    wanted = _searched(run)
    for number, entry in enumerate(entries):
        resource = entry.get("resource")
        code = resource.get("resourceType") if isinstance(resource, dict) else None
        search = entry.get("search")
        mode = search.get("mode") if isinstance(search, dict) else None
        here = ((place, "entry", number, None), "resource", None, None)
        if isinstance(resource, dict) and code != "OperationOutcome" and "id" not in resource:
            run.error("bundle", here, "must have an id, because it is found by a search")
        if (
            wanted is not None
            and mode in (None, "match")
            and isinstance(code, str)
            and code not in (wanted, "OperationOutcome")
        ):
            run.error("bundle", here, f"must be a {wanted}, because that is what was searched for")
    for number, entry in enumerate(entries):
        search = entry.get("search")
        mode = search.get("mode") if isinstance(search, dict) else None
        resource = entry.get("resource")
        code = resource.get("resourceType") if isinstance(resource, dict) else None
        if mode == "outcome" and code is not None and code != "OperationOutcome":
            run.error(
                "bundle",
                (place, "entry", number, None),
                "must hold an OperationOutcome, because its search mode is outcome",
            )
        elif mode in ("match", "include") and code == "OperationOutcome":
            run.add(
                "warning",
                "bundle",
                (place, "entry", number, None),
                "holds an OperationOutcome, whose search mode should be outcome",
            )


def _by_parameter(entries: list[dict[str, Any]], place: Place, run: Run) -> None:
    """`bundle_param`: `Patient:0` is the first entry of that type, `0` the first entry."""
    wanted = run.options.bundle_param
    if not wanted or run.frame is None:
        return
    rule, profile = str(wanted.get("rule", "")), str(wanted.get("profile", ""))
    code, _, number = rule.rpartition(":")
    held = [
        (i, e["resource"])
        for i, e in enumerate(entries)
        if isinstance(e.get("resource"), dict) and (not code or e["resource"].get("resourceType") == code)
    ]
    if not number.isdigit() or int(number) >= len(held):
        run.error("bundle", place, f"must have an entry for the rule {rule}")
        return
    index, resource = held[int(number)]
    here = ((place, "entry", index, None), "resource", None, None)
    if not run.checks.has(profile):
        run.not_checked("profile-unknown", here, f"profile {profile} is in no loaded package", decisive=True)
        return
    from mpftconnect.validation.check.run import Frame

    outer = run.frame
    run.frame = Frame(resource, here, outer, "entry", entries[index].get("fullUrl"))
    try:
        run.checks.structure(profile).check(resource, here, run)
    finally:
        run.frame = outer
