"""Whether a code is of a value set: yes, no, or not to be said with what is loaded.

FHIR R4 ValueSet, "Composition Rules": includes add up, excludes take away; inside one include, the system's
filters and all named value sets must hold together. Filters are computed where the code system is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mpftconnect.validation.definitions.store import Definitions, split_canonical
from mpftconnect.validation.lists import listed as items_of
from mpftconnect.validation.shown import address_shown
from mpftconnect.validation.terminology.code_systems import UCUM, CodeSystem, CodeSystems, not_loaded
from mpftconnect.validation.terminology.implicit import implicit_value_set
from mpftconnect.validation.terminology.service import Question, ServiceAnswers
from mpftconnect.validation.terminology.ucum import comparable, read_unit

__all__ = ["Answer", "ValueSets"]

_DEEPEST = 32
# Addresses by which core definitions bind to what is a value set by another.
_ALIASES = {
    "http://www.rfc-editor.org/bcp/bcp13.txt": "http://hl7.org/fhir/ValueSet/mimetypes",
    "http://tools.ietf.org/html/bcp47": "http://hl7.org/fhir/ValueSet/all-languages",
}
_UNSAFE = re.compile(r"[*+}]\)?[*+{]")


@dataclass(frozen=True, slots=True)
class Answer:
    """`member`: True, False or None; `reason` says why it is None; `system` is where a bare code was found."""

    member: bool | None
    reason: str = ""
    system: str | None = None


class _Include:
    """One include or exclude, ready to be asked."""

    __slots__ = ("codes", "displays", "filters", "system", "value_sets", "version")

    def __init__(self, source: Mapping[str, Any]) -> None:
        system = source.get("system")
        self.system = system if isinstance(system, str) else None
        version = source.get("version")
        self.version = version if isinstance(version, str) else None
        listed = source.get("concept")
        self.codes: set[str] | None = None
        self.displays: dict[str, str] = {}
        if isinstance(listed, list) and listed:
            self.codes = set()
            for concept in listed:
                if isinstance(concept, Mapping) and isinstance(concept.get("code"), str):
                    self.codes.add(concept["code"])
                    if isinstance(concept.get("display"), str):
                        self.displays[concept["code"]] = concept["display"]
        self.filters = [f for f in items_of(source.get("filter")) if isinstance(f, Mapping)]
        value_sets = source.get("valueSet")
        self.value_sets = (
            [value_sets] if isinstance(value_sets, str) else [v for v in value_sets or () if isinstance(v, str)]
        )


# Set, system, how deep -> answer, while one code is judged.
_Asked = dict[tuple[str, str | None, int], Answer]


class _ValueSet:
    __slots__ = ("excludes", "expansion", "expansion_complete", "includes", "url")

    def __init__(self, url: str, definition: Mapping[str, Any]) -> None:
        self.url = url
        compose = definition.get("compose")
        compose = compose if isinstance(compose, Mapping) else {}
        self.includes = [_Include(i) for i in items_of(compose.get("include")) if isinstance(i, Mapping)]
        # DSTU2 and STU3 imports of other sets
        for imported in items_of(compose.get("import")):
            if isinstance(imported, str):
                self.includes.append(_Include({"valueSet": [imported]}))
        self.excludes = [_Include(i) for i in items_of(compose.get("exclude")) if isinstance(i, Mapping)]
        self.expansion: dict[str, set[str]] | None = None
        self.expansion_complete = False
        expansion = definition.get("expansion")
        if isinstance(expansion, Mapping) and isinstance(expansion.get("contains"), list):
            self._expand(expansion)

    def _expand(self, expansion: Mapping[str, Any]) -> None:
        self.expansion = {}
        stack, count = [expansion["contains"]], 0
        while stack:
            for item in stack.pop():
                if not isinstance(item, Mapping):
                    continue
                if isinstance(item.get("code"), str) and item.get("abstract") is not True:
                    self.expansion.setdefault(str(item.get("system")), set()).add(item["code"])
                count += 1
                if isinstance(item.get("contains"), list):
                    stack.append(item["contains"])
        total = expansion.get("total")
        toocostly = any(
            "toocostly" in str(e.get("url")) for e in items_of(expansion.get("extension")) if isinstance(e, Mapping)
        )
        self.expansion_complete = count > 0 and not toocostly and (not isinstance(total, int) or total <= count)


class ValueSets:
    """Value sets by address; each is read once, and each answer is remembered."""

    def __init__(self, definitions: Definitions, systems: CodeSystems, service: ServiceAnswers | None = None) -> None:
        self._definitions = definitions
        self._service = service
        self.systems = systems
        self._read: dict[str, _ValueSet | None] = {}
        self._answers: dict[tuple[str, str | None, str], Answer] = {}

    def known(self, canonical: str) -> bool:
        """Whether the value set is loaded."""
        return self._find(canonical) is not None

    def _find(self, canonical: str) -> _ValueSet | None:
        if canonical in self._read:
            return self._read[canonical]
        canonical = _ALIASES.get(canonical, canonical)
        if "#" in canonical:
            return self._contained(canonical)
        entry = self._definitions.find(canonical, "ValueSet")
        if entry is None and "/" in canonical and ":" not in canonical:
            entry = self._definitions.by_reference(canonical)  # STU3 bindings by relative reference
        if entry is None and split_canonical(canonical)[1] is not None:
            # A binding of the core names its own version; a terminology package may hold a newer one.
            url = split_canonical(canonical)[0]
            if url.startswith(("http://hl7.org/fhir/", "http://terminology.hl7.org/")):
                entry = self._definitions.find(url, "ValueSet")
        definition = entry.resource if entry else implicit_value_set(canonical)
        found = _ValueSet(canonical, definition) if definition else None
        self._read[canonical] = found
        return found

    def _contained(self, canonical: str) -> _ValueSet | None:
        """A value set that is contained in the profile that binds to it (`profile#id`)."""
        url, _, local = canonical.partition("#")
        entry = self._definitions.find(url)
        held = entry.resource.get("contained") if entry else None
        for resource in held if isinstance(held, list) else ():
            if (
                isinstance(resource, Mapping)
                and resource.get("id") == local
                and resource.get("resourceType") == "ValueSet"
            ):
                found = self._read[canonical] = _ValueSet(canonical, resource)
                return found
        return None

    def member(self, canonical: str, system: str | None, code: str) -> Answer:
        """Whether a code is of a value set; without a system, of any of its systems."""
        key = (canonical, system, code)
        known = self._answers.get(key)
        if known is None:
            known = self._member(canonical, system, code, 0, {})
            if len(self._answers) < 100_000:
                self._answers[key] = known
        # What was worked out here stays so; what a service says, or fails to say, is its own affair.
        if known.member is None and self._service is not None and system is not None and "#" not in canonical:
            return self._asked(known, Question(system, code, canonical), self._service)
        return known

    @staticmethod
    def _asked(known: Answer, question: Question, service: ServiceAnswers) -> Answer:
        answer = service.ask(question)
        if answer.result is None:
            return Answer(None, f"{known.reason}; {answer.reason}")
        return Answer(answer.result, "", question.system if answer.result else None)

    def member_of_given(self, definition: Mapping[str, Any], system: str | None, code: str) -> Answer:
        """`member` of a value set that is at hand but not among the definitions."""
        return self._judge(_ValueSet("that is contained", definition), system, code, 0, {})

    def _member(self, canonical: str, system: str | None, code: str, depth: int, asked: _Asked) -> Answer:
        # Sets that include others twice over have as many ways down as there are powers of two; each is gone once.
        key = (canonical, system, depth)
        known = asked.get(key)
        if known is None:
            known = asked[key] = self._member_of(canonical, system, code, depth, asked)
        return known

    def _member_of(self, canonical: str, system: str | None, code: str, depth: int, asked: _Asked) -> Answer:
        if depth > _DEEPEST:
            return Answer(None, f"value set {address_shown(canonical)} refers to itself")
        found = self._find(canonical)
        if found is None:
            return Answer(None, f"value set {address_shown(canonical)} is not loaded")
        return self._judge(found, system, code, depth, asked)

    def _judge(self, found: _ValueSet, system: str | None, code: str, depth: int, asked: _Asked) -> Answer:
        if not found.includes:
            return self._in_expansion(found, system, code, "has no content")
        doubt = ""
        included: str | bool | None = False
        for include in found.includes:
            answer = self._included(include, system, code, depth, asked)
            if answer.member:
                included = answer.system or system or ""
                break
            if answer.member is None:
                doubt = doubt or answer.reason
        if included is False:
            return self._in_expansion(found, system, code, doubt) if doubt else Answer(False)
        for exclude in found.excludes:
            answer = self._included(exclude, system or (included or None), code, depth, asked)  # type: ignore[arg-type]
            if answer.member:
                return Answer(False)
            if answer.member is None:
                doubt = answer.reason
        if doubt and found.excludes and doubt:
            return self._in_expansion(found, system, code, doubt)
        return Answer(True, "", str(included) or None)

    def _in_expansion(self, found: _ValueSet, system: str | None, code: str, doubt: str) -> Answer:
        if found.expansion is not None:
            for held, codes in found.expansion.items():
                if (system is None or held == system) and code in codes:
                    return Answer(True, "", held)
            if found.expansion_complete:
                return Answer(False)
        return Answer(
            None,
            doubt if doubt.startswith(("value set", "code system")) else f"value set {found.url} {doubt}",
        )

    def _included(self, include: _Include, system: str | None, code: str, depth: int, asked: _Asked) -> Answer:
        for canonical in include.value_sets:
            answer = self._member(canonical, system, code, depth + 1, asked)
            if not answer.member:
                return answer
            system = system or answer.system
        if include.system is None:
            return Answer(True, "", system) if include.value_sets else Answer(False)
        if system is not None and split_canonical(system)[0] != include.system:
            return Answer(False)
        if include.codes is not None:
            if code in include.codes:
                return Answer(True, "", include.system)
            known = self.systems.find(include.system)
            if known is not None and not known.case_sensitive and any(code.lower() == c.lower() for c in include.codes):
                return Answer(True, "", include.system)
            return Answer(False)
        known = self.systems.find(include.system)
        if known is None:
            return Answer(None, not_loaded(include.system))
        if include.version is not None and known.imported and not known.of_version(include.version):
            return Answer(None, f"value set is of a version of {include.system} that is not the imported one")
        for filter_ in include.filters:
            verdict = _filter(known, filter_, code)
            if verdict is not True:
                return Answer(verdict, _why(known, filter_, code))
        verdict = known.has(code)
        return Answer(verdict, known.missing(code), include.system)

    def display_of(self, canonical: str, code: str) -> str | None:
        """A display that the value set itself gives a code."""
        found = self._find(canonical)
        for include in found.includes if found else ():
            if code in include.displays:
                return include.displays[code]
        return None

    def codes(self, canonical: str, depth: int = 0, seen: set[str] | None = None) -> list[str]:
        """Codes that the value set surely holds, for near-miss hints."""
        seen = set() if seen is None else seen
        found = self._find(canonical)
        out: list[str] = []
        if found is None or depth > 4 or canonical in seen:
            return out
        seen.add(canonical)
        for include in found.includes:
            if include.codes is not None:
                out.extend(include.codes)
            elif include.system and not include.filters:
                system = self.systems.find(include.system)
                out.extend(list(system.displays)[:2000] if system else ())
            for canonical_ in include.value_sets:
                out.extend(self.codes(canonical_, depth + 1, seen))
        return out


def _why(system: CodeSystem, filter_: Mapping[str, Any], code: str) -> str:
    """Why a filter cannot be computed."""
    if not system.imported:
        return f"code system {system.url} is not loaded far enough for a filter"
    if system.has(code) is None:
        return f"code system {system.url}: {system.missing(code)}"
    reason = system.reason(str(filter_.get("value"))) or "the filter is not supported"
    return f"code system {system.url}: a filter cannot be computed: {reason}"


def _filter(system: CodeSystem, filter_: Mapping[str, Any], code: str) -> bool | None:
    """Whether a code passes one filter; None where the system is not known well enough."""
    prop, op, value = str(filter_.get("property")), str(filter_.get("op")), filter_.get("value")
    if system.url == UCUM and prop == "canonical" and op == "=" and isinstance(value, str):
        unit, wanted = read_unit(code), read_unit(value)
        return None if wanted is None else False if unit is None else comparable(unit, wanted)
    if system.imported:
        return system.passes(prop, op, value, code) if isinstance(value, str) else None
    if code not in system.displays:
        return False if system.complete else None
    if not isinstance(value, str):
        return None
    if op in ("is-a", "descendent-of", "is-not-a") and prop in ("concept", "code"):
        under = system.is_a(code, value)
        if op == "descendent-of":
            return under and code != value
        return not under if op == "is-not-a" else under
    if op in ("in", "not-in") and prop in ("concept", "code"):
        inside = code in [part.strip() for part in value.split(",")]
        return inside if op == "in" else not inside
    if op == "regex" and prop in ("concept", "code", "display"):
        if len(value) > 200 or _UNSAFE.search(value):
            return None
        text = code if prop != "display" else system.preferred.get(code, "")
        try:
            return re.fullmatch(value, text[:500]) is not None
        except re.error:
            return None
    if prop in ("parent", "child", "concept", "code") and op == "=":
        return (
            value in system.parents.get(code, ())
            if prop == "parent"
            else code in system.parents.get(value, ())
            if prop == "child"
            else code == value
        )
    held = [v for name, v in system.properties.get(code, ()) if name == prop]
    words = [
        str(v).lower() if isinstance(v, bool) else str(v.get("code")) if isinstance(v, Mapping) else str(v)
        for v in held
    ]
    if op == "=":
        return value in words
    if op in ("in", "not-in"):
        listed = {part.strip() for part in value.split(",")}
        inside = bool(listed.intersection(words))
        return inside if op == "in" else not inside
    if op == "exists":
        return bool(held) == (value == "true")
    return None
