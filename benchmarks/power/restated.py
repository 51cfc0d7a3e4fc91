"""Breaks every restated rule once: builds an instance in which it matters, and breaks that rule.

Reads the rules as the files state them, and R4's own types; imports nothing of the compiler.
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from power.instances import Json, Spot, Types

__all__ = ["PACK", "Broken", "broken_rules"]

PACK = Path(__file__).parents[2] / "conformance" / "mpftconnect_conformance" / "profiles" / "ukcore_rules"
_HOSTS = {"Address": "Patient.address", "Identifier": "Patient.identifier", "ContactPoint": "Patient.telecom",
          "ContactPoint.system": "Patient.telecom.system", "HumanName": "Patient.name",
          "CodeableConcept": "Condition.code", "Coding": "Condition.code.coding", "Reference": "Condition.subject",
          "Resource": "Patient", "DomainResource": "Patient", "Element": "Patient", "*": "Patient",
          "Timing": "MedicationRequest.dosageInstruction.timing",
          "Dosage": "MedicationRequest.dosageInstruction"}  # fmt: skip
# The object that holds an element, its name there, and its number in a list.
Where = tuple[Json, str, int | None]


@dataclass(frozen=True, slots=True)
class Broken:
    """One restated rule, in an instance that keeps it and in one that breaks it.

    Args:
        kind: `min`, `max`, `fixed`, `type`, `target`, `binding`, `closed`, `invariant`, `context`.
        name: Profile, element and rule.
        severity: Of the finding that has to come.
        expected: The rules by which it may be told.
    """

    kind: str
    name: str
    severity: str
    expected: tuple[str, ...]
    whole: Json
    broken: Json


class _Instance:
    """One resource under construction; items made for a slice are remembered as that slice's."""

    def __init__(self, pack: _Rules, resource: Json, rules: list[Json]) -> None:
        self.resource = resource
        self.pack = pack
        self.rules = rules
        self._slices: dict[tuple[int, str], Json] = {}

    def ensure(self, path: str) -> None:
        """Make the element at a path, and all that the rules then demand."""
        self._walk(path, make=True)
        for rule in self.rules:
            steps = rule["at"].split(".")
            if rule.get("min") and rule["at"] != "." and list(self._walk(".".join(steps[:-1]) or ".", make=False)):
                self._walk(rule["at"], make=True)
        for rule in self.rules:
            if rule.get("fixed") and self._walk(_anchor(rule["at"]), make=False):
                for owner, key, index in self._walk(rule["at"], make=True):
                    _set(owner, key, index, next(iter(rule["fixed"].values())))
            if "required" in rule.get("bind", {}) and not _is_slice(rule["at"]):
                for owner, key, index in self._walk(rule["at"], make=False):
                    _set(owner, key, index, self.pack.coded(rule["bind"]["required"], rule.get("types", ("",))[0]))

    def places(self, path: str) -> list[Where]:
        """Each place at which the element of a path stands: its object, its name there, and its number in a list."""
        return self._walk(path, make=False)

    def _walk(self, path: str, *, make: bool) -> list[Where]:
        name = self.resource["resourceType"]
        at: list[tuple[Where, Any, Spot]] = [(({"": self.resource}, "", None), self.resource, (name, name))]
        reached = ""
        for step in [] if path == "." else path.split("."):
            reached = f"{reached}.{step}".lstrip(".")
            at = [place for one in at for place in self._step(one, step, reached, make=make)]
        return [where for where, _, _ in at]

    def _step(
        self, one: tuple[Where, Any, Spot], step: str, path: str, *, make: bool
    ) -> Iterator[tuple[Where, Any, Spot]]:
        (above, at, _), value, spot = one
        name, _, slice_ = step.partition(":")
        if name == "extension" and not isinstance(value, dict):  # beside a primitive
            value = above.setdefault(f"_{at}", {})
        row = self.pack.types.child(spot, name)
        type_ = self.pack.type_of(path, self.rules, row)
        key = name.replace("[x]", type_[:1].upper() + type_[1:]) if name.endswith("[x]") else name
        many = row["max"] != "1"
        item = self._slices.get((id(value), step)) if slice_ else None
        if item is None and slice_ and name == "extension":
            url = self.pack.item(path, self.rules, spot, row, type_)["url"]
            item = next((each for each in value.get(key, ()) if each.get("url") == url), None)
        if make and slice_ and item is None:
            item = self.pack.item(path, self.rules, spot, row, type_)
            self._slices[id(value), step] = item
            value.setdefault(key, []).append(item) if many else value.__setitem__(key, item)
        elif make and not slice_ and key not in value:
            slices = [r["at"] for r in self.rules if r["at"].startswith(f"{path}:") and "." not in r["at"][len(path) :]]
            if slices and many and name != "extension":
                yield from self._step(one, slices[0].rpartition(".")[2], slices[0], make=True)
                return
            made = self.pack.item(path, self.rules, spot, row, type_)
            value[key] = [made] if many else made
        if key not in value:
            return
        below = self.pack.types.below(spot, row, type_)
        held = value[key]
        for index, each in enumerate(held) if isinstance(held, list) else ((None, held),):
            if not slice_ or each is item:
                yield (value, key, index), each, below


class _Rules:
    """The files of the pack."""

    def __init__(self) -> None:
        self.types = Types()
        self.head = tomllib.loads((PACK / "pack.toml").read_text(encoding="utf-8"))
        read = [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(PACK.glob("*.toml"))]
        self.profiles: dict[str, Json] = {one["name"]: one for table in read for one in table.get("profile", ())}
        self.extensions: dict[str, Json] = {
            one.get("published", self.head["published"] + one["name"]): one
            for table in read
            for one in table.get("extension", ())
        }

    def chain(self, name: str) -> list[Json]:
        profile = self.profiles[name]
        base = profile.get("base")
        return [*(self.chain(base) if base else ()), *profile.get("rules", ())]

    @staticmethod
    def type_of(path: str, rules: list[Json], row: Json) -> str:
        stated = [rule["types"][0] for rule in rules if rule["at"] == path and rule.get("types")]
        return str(stated[-1]) if stated else Types.code(row)

    def item(self, path: str, rules: list[Json], spot: Spot, row: Json, type_: str) -> Any:
        stated = next((rule["extension"] for rule in rules if rule["at"] == path and "extension" in rule), None)
        if stated is not None:
            return self.extension(stated if ":" in stated else self.head["published"] + stated)
        if type_ == "Extension":
            return {"url": path.rpartition(":")[2]}
        value_set = next(
            (r["bind"]["required"] for r in rules if r["at"] == path and "required" in r.get("bind", {})), ""
        )
        return self.coded(value_set, type_) if value_set else self.types.value(spot, row, type_)

    def coded(self, value_set: str, type_: str) -> Any:
        """A value of a value set, where its codes are known."""
        if value_set.endswith("all-distance-units"):
            return {"value": 1, "system": "http://unitsofmeasure.org", "code": "cm"}
        coding = {"system": "urn:ietf:bcp:47", "code": "en"}
        for one in tomllib.loads((PACK / "value_sets.toml").read_text(encoding="utf-8"))["value_set"]:
            if one["name"] == value_set:
                coding = {"system": one["include"][0]["system"], "code": one["include"][0]["codes"][0]}
        return coding["code"] if type_ == "code" else coding if type_ == "Coding" else {"coding": [coding]}

    def extension(self, url: str) -> Json:
        """An extension as its own rules want it; of one that is not restated, a text."""
        known = self.extensions.get(url)
        if known is None:
            part = {"url": "type", "valueCoding": {"display": "x"}}
            return {"url": url, "extension": [part]} if "proficiency" in url else {"url": url, "valueString": "x"}
        found: Json = {"url": url}
        rules = known.get("rules", [])
        value = next((r for r in rules if r["at"] == "value[x]" and r.get("types")), None)
        if value is not None and value.get("max") != 0:
            found.update(self._valued(value))
        parts = [r for r in rules if r["at"].startswith("extension:") and "." not in r["at"]]
        made = []
        for part in parts:
            inner = next((r for r in rules if r["at"] == f"{part['at']}.value[x]" and r.get("types")), None)
            if inner is not None:
                made.append({"url": part["at"].partition(":")[2], **self._valued(inner)})
        return {**found, "extension": made} if made else found

    def _valued(self, rule: Json) -> Json:
        type_ = rule["types"][0]
        row = {"path": "Extension.value[x]", "type": [{"code": type_}], "max": "1"}
        value = self.item("value[x]", [{**rule, "at": "value[x]"}], ("Extension", "Extension"), row, type_)
        return {f"value{type_[:1].upper()}{type_[1:]}": value}


def broken_rules() -> Iterator[Broken]:
    """Every decidable rule of the pack, broken once."""
    pack = _Rules()
    for name in pack.profiles:
        yield from _of_profile(pack, name)
    for url, extension in pack.extensions.items():
        yield from _of_extension(pack, url, extension)


def _of_profile(pack: _Rules, name: str) -> Iterator[Broken]:
    profile, rules = pack.profiles[name], pack.chain(name)
    claim = {"meta": {"profile": [pack.head["published"] + name]}}

    def instance(path: str = ".") -> _Instance:
        made = _Instance(pack, {**pack.types.resource(profile["type"]), **copy.deepcopy(claim)}, rules)
        made.ensure(".")
        made.ensure(path)
        return made

    for rule in profile.get("rules", ()):
        yield from _of_rule(f"{name} {rule['at']}", rule, rules, instance)


def _of_extension(pack: _Rules, url: str, extension: Json) -> Iterator[Broken]:
    rules = extension.get("rules", [])
    where = _HOSTS.get(extension["on"][0], extension["on"][0])
    type_, _, path = where.partition(".")
    inside = f"{path}.extension:it" if path else "extension:it"
    own = [{"at": inside, "extension": url}]
    own += [{**r, "at": f"{inside}.{r['at']}"} for r in rules if r["at"] != "."]

    def instance(at: str = inside) -> _Instance:
        made = _Instance(pack, pack.types.resource(type_), own)
        made.ensure(inside)
        if at != ".":
            made.ensure(at)
        return made

    for rule in own[1:]:
        yield from _of_rule(f"{extension['name']} {rule['at']}", rule, own, instance)
    elsewhere = {"resourceType": "Basic", "code": {"text": "x"}, "extension": [pack.extension(url)]}
    if not any(on in ("Element", "*", "Resource", "DomainResource", "Basic") for on in extension["on"]):
        yield Broken(
            "context", f"{extension['name']} context", "error", ("extension-context",), instance().resource, elsewhere
        )


Make = Callable[[str], _Instance]


def _of_rule(name: str, rule: Json, rules: list[Json], make: Make) -> Iterator[Broken]:
    at = rule["at"]

    def broken(kind: str, expected: tuple[str, ...], change: Callable[[Any, Any, Any], None]) -> Broken:
        whole, other = make(at), make(at)
        for owner, key, index in other.places(at)[:1]:
            change(owner, key, index)
        return Broken(kind, f"{name} {kind}", "error", expected, whole.resource, other.resource)

    tells_apart = _tells_apart(at, rules)
    if rule.get("min") and at != "." and not tells_apart:
        yield broken(
            "min", ("cardinality-min", "slice-min", "element-empty", "ext-1"), _remove if _is_slice(at) else _remove_all
        )
    if rule.get("max") == 0:
        whole, other = make("."), make(at)
        yield Broken("max", f"{name} max", "error", ("cardinality-max", "ext-1"), whole.resource, other.resource)
    elif "max" in rule and at != ".":
        most = rule["max"]
        yield broken("max", ("cardinality-max", "slice-max", "json-list"), lambda o, k, i: _repeat(o, k, i, most))
    if "fixed" in rule and not tells_apart:
        expected = ("fixed", "slice-min", "slice-closed") if ":" in at else ("fixed",)
        yield broken("fixed", expected, lambda o, k, i: _set(o, k, i, "https://zz.example.test/other"))
    if rule.get("targets", ["Resource"]) != ["Resource"]:
        wrong = {"reference": "SubstancePolymer/1"}
        yield broken("target", ("reference-type",), lambda o, k, i: _put_reference(o, k, i, wrong))
    elif rule.get("types") and at.endswith("[x]") and rule.get("max") != 0:
        yield broken("type", ("choice", "type", "element-unknown"), _other_type)
    if "required" in rule.get("bind", {}) and _is_known(rule["bind"]["required"]):
        yield broken("binding", ("binding-required",), _other_code)
    if rule.get("closed"):
        yield broken("closed", ("slice-closed",), lambda o, k, i: o[k].append({"code": {"text": "other"}}))
    if "rule" in rule:
        stated = rule["rule"]
        whole, other = make(at), make(at)
        for path, value in _KEEPS.get(stated["key"], ()):
            _put(whole.resource, path, value)
            _put(other.resource, path, value)
        for path, value in _BREAKS[stated["key"]]:
            _put(other.resource, path, value)
        yield Broken(
            "invariant", f"{name} {stated['key']}", stated["severity"], (stated["key"],), whole.resource, other.resource
        )


def _is_slice(at: str) -> bool:
    return ":" in at.rpartition(".")[2]


def _anchor(at: str) -> str:
    """What has to be there for a fixed value to be stated: the slice that it is in, else what holds it."""
    steps = at.split(".")
    last = max((number for number, step in enumerate(steps[:-1], start=1) if ":" in step), default=len(steps) - 1)
    return ".".join(steps[:last]) or "."


def _tells_apart(at: str, rules: list[Json]) -> bool:
    """Whether an element only tells an optional slice from others: without it the item is of no slice, as it may be."""
    slice_, path = at.rpartition(":")[0], at.rpartition(":")[2].partition(".")[2]
    by = [
        rule["sliced_by"] for rule in rules if rule["at"] == slice_ and rule.get("sliced_by") and not rule.get("closed")
    ]
    if slice_.rpartition(".")[2] == "extension":
        by.append(["value:url"])
    item = f"{slice_}:{at.rpartition(':')[2].partition('.')[0]}"
    required = any(rule["at"] == item and rule.get("min") for rule in rules)
    return bool(path) and not required and any(f"value:{path}" in each for each in by)


def _is_known(value_set: str) -> bool:
    return ":" not in value_set or "all-languages" in value_set or "all-distance-units" in value_set


_R5 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-"
_KEEPS: dict[str, list[tuple[str, Any]]] = {
    "ukcore-bodstr-001": [("description", "x")],
    "ukcore-diag-lab-001": [("status", "final"), ("issued", "2024-01-01T00:00:00Z")],
    "ukcore-obs-lab-001": [("valueString", "x")],
    "ukcore-obs-vs-001": [],
}
_MEDIA = {"extension": [{"url": _R5 + "DiagnosticReport.media.link", "valueReference": {"display": "x"}}],
          "link": {"reference": "Media/1"}}  # fmt: skip
_BREAKS: dict[str, list[tuple[str, Any]]] = {
    "ukcore-bodstr-001": [("description", None)],
    "ukcore-diag-lab-001": [("issued", None)],
    "ukcore-diag-lab-002": [("media", [_MEDIA])],
    "ukcore-imm-001": [("status", "not-done")],
    "ukcore-obs-grplab-001": [("valueString", "x")],
    "ukcore-obs-lab-001": [("valueString", None)],
    "ukcore-obs-vs-001": [("code", {"text": "x"})],
    "ukcore-spec-001": [
        (
            "collection",
            {
                "collector": {
                    "extension": [{"url": _R5 + "Specimen.collection.collector", "valueReference": {"display": "x"}}],
                    "reference": "Practitioner/1",
                }
            },
        )
    ],
}


def _put(resource: Json, name: str, value: Any) -> None:
    if value is None:
        resource.pop(name, None)
    else:
        resource[name] = copy.deepcopy(value)


def _set(owner: Json, key: str, index: int | None, value: Any) -> None:
    if index is None:
        owner[key] = copy.deepcopy(value)
    else:
        owner[key][index] = copy.deepcopy(value)


def _remove(owner: Json, key: str, index: int | None) -> None:
    if index is not None and len(owner[key]) > 1:
        del owner[key][index]
    else:
        del owner[key]


def _remove_all(owner: Json, key: str, index: int | None) -> None:
    del owner[key]


def _repeat(owner: Json, key: str, index: int | None, most: int) -> None:
    item = owner[key] if index is None else owner[key][index]
    more = [copy.deepcopy(item) for _ in range(most)]
    owner[key] = [item, *more] if index is None else [*owner[key], *more]


def _put_reference(owner: Json, key: str, index: int | None, value: Json) -> None:
    if key.startswith("value"):
        del owner[key]
        key = "valueReference"
    _set(owner, key, index, value)


def _other_type(owner: Json, key: str, index: int | None) -> None:
    stem = next(s for s in ("value", "effective", "performed", "onset") if key.startswith(s))
    tail, value = ("Boolean", True) if "Boolean" not in key else ("String", "x")
    del owner[key]
    owner[stem + tail] = value


def _other_code(owner: Json, key: str, index: int | None) -> None:
    value = owner[key] if index is None else owner[key][index]
    if isinstance(value, str):
        owner[key] = "1zz"
        return
    for coding in value.get("coding", [value]):
        coding["code"] = "1zz"
