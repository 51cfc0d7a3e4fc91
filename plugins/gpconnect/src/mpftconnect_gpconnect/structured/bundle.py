"""The Bundle as it came: what it holds, by id, each thing once. The order of entries means nothing.

Source: GP Connect 1.x, accessrecord_structured_development_bundle and ..._resources_overview; HL7 FHIR STU3 (3.0.2),
Bundle and References.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mpftconnect.adapters import Refusal
from mpftconnect.errors import AnswerRejected, UsageError
from mpftconnect.fhir import dump_json

__all__ = ["Entry", "Held", "hold", "mappings"]

# GP systems use ids that FHIR does not allow (with an underscore): refusing them would refuse whole records.
_ID = re.compile(r"[^\s/#?]{1,128}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource of the Bundle.

    Args:
        place: Where it stood: `entry[3].resource`.
        key: `Type/id`; of what a list contains `List/id#id`.
        resource: As sent.
        list_key: Key of the list that contains it; empty for an entry of its own.
    """

    place: str
    key: str
    resource: dict[str, Any] = field(repr=False)
    full_url: str | None = None
    list_key: str = ""

    @property
    def kind(self) -> str:
        return str(self.resource["resourceType"])


@dataclass
class Held:
    """All that the Bundle holds.

    Args:
        entries: By key, in the order of their keys.
        refusals: What is no resource, has no id, or has the id of another and differs from it.
    """

    entries: dict[str, Entry]
    refusals: list[Refusal]
    _by_url: dict[str, Entry] = field(default_factory=dict)

    def find(self, reference: Any) -> Entry | None:
        """What a literal reference points to, if it came in the same Bundle."""
        if type(reference) is not str:
            return None
        plain = reference.partition("/_history/")[0]
        return self.entries.get(plain) or self._by_url.get(plain) or self.entries.get("/".join(plain.split("/")[-2:]))

    def resolve(self, reference: str) -> Mapping[str, Any] | None:
        """For `read_stu3_resource`."""
        found = self.find(reference)
        return found.resource if found else None

    def without(self, keys: Container[str]) -> Held:
        """The same without these."""
        left = {key: entry for key, entry in self.entries.items() if key not in keys}
        urls = {url: entry for url, entry in self._by_url.items() if entry.key not in keys}
        return Held(left, self.refusals, urls)

    def of(self, *kinds: str) -> Iterator[Entry]:
        return (entry for entry in self.entries.values() if entry.kind in kinds)


def mappings(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; nothing of what is no list."""
    return [each for each in value if type(each) is dict] if type(value) is list else []


def hold(bundle: Any, system: str) -> Held:
    """Put the Bundle's resources in order.

    Raises:
        AnswerRejected: It is not a collection Bundle.
    """
    if not isinstance(bundle, Mapping):
        raise AnswerRejected("is not a JSON object", system=system, place="Bundle")
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "collection":
        raise AnswerRejected("is not a collection Bundle", system=system, place="Bundle.type")
    raw = bundle.get("entry", [])
    if type(raw) is not list:
        raise AnswerRejected("is not a list", system=system, place="Bundle.entry")
    found: dict[str, list[Entry]] = {}
    nameless: list[Entry] = []
    refusals: list[Refusal] = []
    for index, sent in enumerate(raw):
        place = f"entry[{index}].resource"
        resource = sent.get("resource") if type(sent) is dict else None
        if type(resource) is not dict or type(resource.get("resourceType")) is not str:
            refusals.append(Refusal(place, "is not a resource", content=sent))
            continue
        key, url = _key(resource), sent.get("fullUrl")
        entry = Entry(place, key or "", resource, url if type(url) is str else None)
        if key is None:
            nameless.append(entry)
        else:
            found.setdefault(key, []).append(entry)
    for entry in _numbered(nameless):
        found.setdefault(entry.key, []).append(entry)
    for entry in [entry for entries in found.values() for entry in entries if entry.kind == "List"]:
        for inner in _contained(entry):
            found.setdefault(inner.key, []).append(inner)
    held = Held({}, refusals)
    for key in sorted(found):
        first, *others = sorted(found[key], key=lambda entry: _text(entry.resource))
        held.entries[key] = first
        for entry in (first, *others):
            if entry.full_url:
                held._by_url.setdefault(entry.full_url, first)
        for other in others:
            if other.resource != first.resource:
                rule = "has the id of another entry and differs from it"
                refusals.append(Refusal(other.place, rule, content=other.resource))
    return held


def _key(resource: Mapping[str, Any]) -> str | None:
    own = resource.get("id")
    return f"{resource['resourceType']}/{own}" if type(own) is str and _ID.fullmatch(own) else None


def _numbered(nameless: list[Entry]) -> Iterator[Entry]:
    """Resources without an id, which GP systems make their lists: numbered by what they say, each thing once."""
    by_content = {(entry.kind, _text(entry.resource)): entry for entry in reversed(nameless)}
    for number, (_, entry) in enumerate(sorted(by_content.items()), 1):
        yield replace(entry, key=f"{entry.kind}/without-id-{number}")


def _contained(held_by: Entry) -> Iterator[Entry]:
    """What a list contains: ended allergies stand in their list, so that nobody takes them for present ones.

    GP Connect 1.x, accessrecord_structured_development_lists_for_message_structure.
    """
    for index, resource in enumerate(held_by.resource.get("contained") or ()) if _has_contained(held_by) else ():
        if type(resource) is dict and type(resource.get("resourceType")) is str and type(resource.get("id")) is str:
            place = f"{held_by.place}.contained[{index}]"
            yield Entry(place, f"{held_by.key}#{resource['id']}", resource, list_key=held_by.key)


def _has_contained(held_by: Entry) -> bool:
    return type(held_by.resource.get("contained")) is list


def _text(resource: Any) -> bytes:
    try:
        return dump_json(resource)
    except UsageError:
        return b""  # not JSON: it will be refused when it is read
