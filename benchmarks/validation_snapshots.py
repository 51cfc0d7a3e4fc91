"""Profiles made from differentials, compared with the snapshots that their publishers made.

    python benchmarks/validation_snapshots.py [--write] [--list]

Compared is every constraint that affects validation: cardinality, types, profiles and targets, fixed and pattern
values, limits, bindings, invariants, slices. Left out is what says the same in two ways: invariants that a data
type's own definition states anyway, the least number of an element whose required slices add up to it, slicing
without a slice, `|4.0.1` after a core address, and a choice of one type written as a closed slicing, and an extension's
own root cardinality copied into the slice that uses it.
"""

from __future__ import annotations

import argparse
import collections
import os
import tarfile
import tempfile
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mpftconnect.errors import DefinitionBroken, PackageNotFound
from mpftconnect.validation import Validator
from mpftconnect.validation.compile.element import Element, TypeRef
from mpftconnect.validation.compile.trees import Trees

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs" / "validation-snapshots.md"
# What a person found of profiles that no kind explains, by the end of their address.
REASONS = Path(__file__).with_name("validation_snapshots_reasons.toml")
SETS = {
    "UK.Core.r4@1.2.0": ["UK.Core.r4@1.2.0"],
    "hl7.fhir.us.core@3.1.1": ["hl7.fhir.us.core@3.1.1"],
    "hl7.fhir.us.core@4.0.0": ["hl7.fhir.us.core@4.0.0"],
    "hl7.fhir.uv.extensions.r4@5.3.0": ["hl7.fhir.uv.extensions.r4@5.3.0"],
    "hl7.fhir.r4.core@4.0.1 (profiles)": [],
    "careconnect.stu3": ["hl7.fhir.r3.core@3.0.2", "careconnect.stu3"],
    "nhs.stu3.gpconnect": ["hl7.fhir.r3.core@3.0.2", "careconnect.stu3", "nhs.stu3.gpconnect"],
    "nhs.stu3.assets": ["hl7.fhir.r3.core@3.0.2", "nhs.stu3.assets"],
    "hl7.fhir.r3.core@3.0.2 (profiles)": ["hl7.fhir.r3.core@3.0.2"],
}
# Checked structurally everywhere, or of R4B (the version of the snapshot-generation cases) only.
_STRUCTURAL = {"ele-1", "ext-1", "dom-r4b"}
Difference = tuple[str, str, Any, Any]
Explained = tuple[str, str, str, Any, Any]  # its kind before it


def material() -> Path:
    return Path(os.environ.get("MPFT_MATERIAL") or REPOSITORY.parent / "shared" / "material")


def plain(ref: TypeRef) -> tuple[str, frozenset[str], frozenset[str]]:
    """A type without versions, and without targets where it may point anywhere."""
    targets = frozenset(t.split("|")[0] for t in ref.targets)
    if any(t.endswith("/Resource") for t in targets):
        targets = frozenset()
    return ref.code, frozenset(p.split("|")[0] for p in ref.profiles), targets


class Comparison:
    """Compares two trees of one profile."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees

    def differences(self, made: Element, published: Element, path: str) -> Iterator[Difference]:
        made, published = made.clone(), published.clone()
        self._normalise(made)
        self._normalise(published)
        for facet in ("fixed", "pattern", "min_value", "max_value", "max_length", "max"):
            if facet == "max" and self._from_extension(made, published):
                continue
            if getattr(made, facet) != getattr(published, facet):
                yield facet, path, getattr(made, facet), getattr(published, facet)
        if self._least(made) != self._least(published) and not self._from_extension(made, published):
            yield "min", path, made.min, published.min
        if made.name == "id":  # R4B names as id what R4 names as string
            return
        types = [{plain(ref) for ref in self._types_of(tree)} for tree in (made, published)]
        if types[0] != types[1] and not (made.max == 0 == published.max):
            yield "types", path, types[0], types[1]
        bindings = [
            (t.binding.strength, (t.binding.value_set or "").split("|")[0]) if t.binding else None
            for t in (made, published)
        ]
        if bindings[0] != bindings[1] and not (
            set(bindings) & {None} and all(b is None or b[0] in ("example", "preferred") for b in bindings)
        ):
            yield "binding", path, bindings[0], bindings[1]
        keys = [set(t.constraints) - _STRUCTURAL - self._of_type(t) for t in (made, published)]
        if keys[0] != keys[1]:
            yield "constraints", path, keys[0] - keys[1], keys[1] - keys[0]
        if (
            made.slices
            and published.slices
            and made.slicing
            and published.slicing
            and (
                set(made.slicing.discriminators) != set(published.slicing.discriminators)
                or made.slicing.rules != published.slicing.rules
            )
        ):
            yield "slicing", path, made.slicing, published.slicing
        yield from self._below(made, published, path)

    def _below(self, made: Element, published: Element, path: str) -> Iterator[Difference]:
        for name in {**made.slices, **published.slices}:
            pair = made.slices.get(name), published.slices.get(name)
            if pair[0] is None or pair[1] is None:
                yield "slice", f"{path}:{name}", pair[0] is not None, pair[1] is not None
            else:
                yield from self.differences(pair[0], pair[1], f"{path}:{name}")
        if made.children is None and published.children is None:
            return
        for tree in (made, published):
            self._trees.unfold(tree)
        ours, theirs = made.children or {}, published.children or {}
        for name in {**ours, **theirs}:
            if name not in ours or name not in theirs:
                yield "child", f"{path}.{name}", name in ours, name in theirs
            else:
                yield from self.differences(ours[name], theirs[name], f"{path}.{name}")

    def _normalise(self, tree: Element) -> None:
        """A choice that a closed slicing leaves one type is a choice of that type."""
        pieces = list(tree.slices.values())
        if (
            tree.is_choice
            and len(pieces) == 1
            and tree.slicing
            and (tree.slicing.rules == "closed" or len(tree.types) == 1)
        ):
            piece = pieces[0]
            tree.types, tree.children = piece.types, piece.children
            tree.fixed, tree.pattern, tree.binding = (
                piece.fixed or tree.fixed,
                piece.pattern or tree.pattern,
                piece.binding or tree.binding,
            )
            tree.max_length, tree.min = piece.max_length or tree.max_length, max(tree.min, piece.min)
            tree.min_value, tree.max_value = piece.min_value or tree.min_value, piece.max_value or tree.max_value
            tree.constraints = {**tree.constraints, **piece.constraints}
            tree.slices, tree.slicing = {}, None

    def _from_extension(self, made: Element, published: Element) -> bool:
        """Some tools copy the cardinality of an extension's own root into each slice that uses it."""
        if (
            made.name not in ("extension", "modifierExtension")
            or not made.slice_name
            or not made.types
            or not made.types[0].profiles
        ):
            return False
        profile = made.types[0].profiles[0]
        if self._trees.definitions.structure(profile) is None:
            return False
        root = self._trees.tree(profile)
        return (published.max, published.min) in ((root.max, root.min), (root.max, made.min), (made.max, root.min))

    def _types_of(self, tree: Element) -> tuple[TypeRef, ...]:
        """Types; of what an element refers to, where it only refers."""
        if tree.types or not tree.content_reference:
            return tree.types
        target = self._referred(tree)
        return target.types if target else ()

    def _referred(self, tree: Element) -> Element | None:
        try:
            return self._trees.referred(tree)
        except (PackageNotFound, DefinitionBroken):
            return None

    @staticmethod
    def _least(tree: Element) -> int:
        return max(tree.min, sum(piece.min for piece in tree.slices.values()))

    def _of_type(self, tree: Element) -> set[str]:
        keys: set[str] = set()
        target = self._referred(tree) if tree.content_reference else None
        if target is not None:
            keys.update(target.constraints)
        for ref in tree.types:
            if self._trees.has_type(ref.code):
                keys.update(self._trees.type_tree(ref.code).constraints)
            for profile in ref.profiles:
                if self._trees.definitions.structure(profile) is not None:
                    keys.update(self._trees.tree(profile).constraints)
        return keys


KINDS = {
    "differential": "the profile's own differential says it; the published snapshot does not",
    "base": "the base says it and the differential is silent; the published snapshot has lost or changed it",
    "version": "the published snapshot is built on another version of FHIR (R4B), whose own definition differs",
    "items": "said of every item of a list, which the tree says of each slice too; the published snapshot says it once",
    "profile": "said by the profile of a type or extension that is used; the published snapshot leaves it there",
    "extension": "an extension's definition says it of itself (cardinality of its root, no extensions inside); the "
    "published snapshot repeats it where the extension is used, here the extension's own check holds",
    "published": "the published snapshot constrains what neither its differential nor its base mentions",
    "typed": "a typed path (`valueQuantity`) alone: R4 core, US Core and the text allow no other type, this one does",
    "other": "not explained by a kind: see the entry",
}


def steps_of(path: str) -> list[tuple[str, str | None]]:
    """A path of the tree as names and slice names."""
    return [(step.partition(":")[0], step.partition(":")[2] or None) for step in path.split(".")[1:]]


def find(tree: Element | None, steps: list[tuple[str, str | None]], trees: Trees) -> Element | None:
    """The element of a tree at some steps, unfolded where need be."""
    for name, slice_name in steps:
        if tree is None:
            return None
        tree = tree.clone()
        try:
            trees.unfold(tree)
        except (DefinitionBroken, PackageNotFound):
            return None
        tree = (tree.children or {}).get(name)
        if tree is not None and slice_name:
            tree = tree.slices.get(slice_name)
    return tree


_FACETS = {"max": "max", "min": "min", "max_length": "maxLength", "binding": "binding", "types": "type",
           "constraints": "constraint", "slicing": "slicing"}  # fmt: skip


class Explaining:
    """Of which kind a difference is; found by looking, not by name."""

    def __init__(self, trees: Trees, definition: dict[str, Any], made: Element, published: Element, later: str) -> None:
        self._trees, self._made, self._published, self._later = trees, made, published, later
        self._rows = [r for r in definition["differential"]["element"] if isinstance(r, dict)]
        try:
            self._base = trees.tree(str(definition.get("baseDefinition")))
        except (DefinitionBroken, PackageNotFound):
            self._base = None

    def kind(self, difference: Difference) -> str:
        facet, path, ours, theirs = difference
        steps = steps_of(path)
        if facet == "error":
            return "other"
        if any(f in ("types", "slice") and self._typed(steps) for f in (facet,)):
            return "typed"
        if self._stated(facet, steps):
            return "differential"
        if facet in ("slice", "child"):
            if ours is False:
                return "published"
            return "base" if find(self._base, steps, self._trees) else "items" if self._of_items(facet, steps) else (
                "profile" if self._of_profile(steps) else "other"
            )  # fmt: skip
        if facet in ("max", "min") and steps and self._looser(facet, ours, theirs):
            inside = any(name in ("extension", "modifierExtension") and piece for name, piece in steps)
            return "extension" if inside else "other"
        if facet == "constraints" and not ours:
            base = find(self._base, steps, self._trees)
            return "published" if base is None or not set(theirs) & set(base.constraints) else "other"
        if self._same(facet, self._base, steps, ours):
            return self._later if self._later and facet in ("types", "binding") else "base"
        if self._of_items(facet, steps):
            return "items"
        if self._of_profile(steps):
            return "profile"
        return self._later if self._later and facet in ("types", "binding") else "other"

    @staticmethod
    def _looser(facet: str, ours: Any, theirs: Any) -> bool:
        if facet == "max":
            return theirs is not None and (ours is None or ours > theirs)
        return bool(ours < theirs)

    def _typed(self, steps: list[tuple[str, str | None]]) -> bool:
        stem = ".".join(name for name, _ in steps).removesuffix("[x]")
        return bool(steps) and steps[-1][0].endswith("[x]") and any(
            str(r.get("path")).partition(".")[2].startswith(stem) and not str(r.get("path")).endswith("[x]")
            and len(str(r.get("path")).partition(".")[2].split(".")) == len(steps)
            for r in self._rows
        )  # fmt: skip

    def _stated(self, facet: str, steps: list[tuple[str, str | None]]) -> bool:
        plain_path = ".".join(name for name, _ in steps)
        last = steps[-1][1] if steps else None
        for row in self._rows:
            path = str(row.get("path")).partition(".")[2]
            if path != plain_path or (row.get("sliceName") or None) != last:
                continue
            if facet in ("slice", "child") or _FACETS.get(facet, facet) in row:
                return True
            if facet in ("fixed", "pattern") and any(k.startswith(facet) for k in row):
                return True
        return False

    def _same(self, facet: str, tree: Element | None, steps: list[tuple[str, str | None]], ours: Any) -> bool:
        element = find(tree, steps, self._trees)
        made = find(self._made, steps, self._trees)
        if element is None or made is None:
            return False
        if facet == "constraints":
            return set(ours) <= set(element.constraints)
        if facet == "types":
            return {plain(r) for r in element.types} == {plain(r) for r in made.types}
        return bool(getattr(element, facet, None) == getattr(made, facet, None))

    def _of_items(self, facet: str, steps: list[tuple[str, str | None]]) -> bool:
        """Whether the tree says the same where a slice name is left out."""
        here = find(self._made, steps, self._trees)
        for at, (name, slice_name) in enumerate(steps):
            if slice_name is None:
                continue
            wide = [*steps[:at], (name, None), *steps[at + 1 :]]
            there = find(self._made, wide, self._trees)
            if there is not None and here is not None and (
                facet in ("slice", "child") or getattr(there, facet, None) == getattr(here, facet, None)
            ):  # fmt: skip
                return True
        return False

    def _of_profile(self, steps: list[tuple[str, str | None]]) -> bool:
        return any(
            (held := find(self._made, steps[:at], self._trees)) is not None
            and any(ref.profiles for ref in held.types)
            for at in range(1, len(steps) + 1)
        )  # fmt: skip


def of_package(name: str, packages: list[str]) -> tuple[int, dict[str, list[Explained]]]:
    validator = Validator(packages or ["hl7.fhir.r4.core"], search_path=[material() / "packages"])
    if name.startswith(("hl7.fhir.r4.core", "hl7.fhir.r3.core")):
        # The wheel's packs have no differentials; the packages themselves have.
        validator = Validator([str(next((material() / "packages").glob(f"{name.partition('@')[0]}-*.tgz")))])
    checks = validator._checks
    compared, found = 0, {}
    for entry in list(checks.definitions.entries("StructureDefinition")):
        if entry.head.derivation != "constraint" or not entry.package.startswith(name.split(" ")[0].split("@")[0]):
            continue
        resource = entry.resource
        if not resource.get("snapshot") or not resource.get("differential"):
            continue
        compared += 1
        try:
            made = checks.trees.build(resource, from_differential=True)
            published = checks.trees.build(resource)
        except Exception as error:  # noqa: BLE001 - shown as an exception like any other
            found[entry.head.url] = [("other", "error", "", str(error), "")]
            continue
        differences = list(Comparison(checks.trees).differences(made, published, made.path))
        if differences:
            explain = Explaining(checks.trees, resource, made, published, "")
            found[entry.head.url] = [(explain.kind(d), *d) for d in differences]
    return compared, found


def _registered(folder: Path) -> dict[str, list[Path]]:
    """The definitions that the manifest gives to each case: several cases reuse an address for other content."""
    found = {}
    for test in ET.parse(folder / "manifest.xml").getroot().iter("test"):
        names = [name.strip() for name in test.get("register", "").split(",") if name.strip()]
        files = []
        for name in names:
            for suffix in (".xml", ".json", "-input.xml", "-input.json"):
                if (folder / f"{name}{suffix}").exists():
                    files.append(folder / f"{name}{suffix}")
                    break
        found[str(test.get("id"))] = files
    return found


def generation_cases(folder: Path) -> tuple[int, dict[str, list[Explained]]]:
    """HL7's snapshot-generation cases: input and expected output in pairs."""
    compared, found = 0, {}
    base = Validator(["hl7.fhir.r4.core"])
    # The cases take US Core for granted.
    guides = [
        entry.resource
        for entry in Validator(
            ["hl7.fhir.us.core@4.0.0"], search_path=[material() / "packages"]
        )._checks.definitions.entries("StructureDefinition")
        if entry.package.startswith("hl7.fhir.us.core")
    ]
    registered = _registered(folder)
    for path in sorted(folder.glob("*-expected.*")):
        inputs = list(folder.glob(path.name.split("-expected")[0] + "-input.*"))
        if not inputs:
            continue
        try:
            beside = registered.get(path.name.split("-expected")[0], [])
            loaded = base.with_resources([*guides, *(base._read_definition(one) for one in beside)])
            checks = loaded._checks
            given, expected = loaded._read_definition(inputs[0]), loaded._read_definition(path)
            if (
                not str(given.get("fhirVersion", "4")).startswith("4.0")
                or not expected.get("snapshot")
                or not given.get("differential")
            ):
                continue
            compared += 1
            made = checks.trees.build({**given, "snapshot": None}, from_differential=True)
            published = checks.trees.build(expected)
            differences = list(Comparison(checks.trees).differences(made, published, made.path))
        except Exception as error:  # noqa: BLE001 - shown
            found[path.name] = [("other", "error", "", f"{type(error).__name__}: {error}", "")]
            continue
        if differences:
            explain = Explaining(checks.trees, given, made, published, "version")
            found[path.name] = [(explain.kind(d), *d) for d in differences]
    return compared, found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    if not (material() / "packages").is_dir():
        print("the test material is not there; nothing was measured")
        return 0
    rows = []
    for name, packages in SETS.items():
        if arguments.only in name:
            rows.append((name, *of_package(name, packages)))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(os.environ.get("MPFT_MATERIAL_UNPACKED") or scratch)
        if not (folder / "snapshot-generation").exists():
            with tarfile.open(material() / "snapshot-generation.tgz") as archive:
                archive.extractall(folder, filter="data")
        if arguments.only in "snapshot-generation":
            rows.append(("snapshot-generation", *generation_cases(folder / "snapshot-generation")))
    for name, compared, found in rows:
        kinds = collections.Counter(d[0] for held in found.values() for d in held)
        open_ = sum(any(d[0] == "other" for d in held) for held in found.values())
        print(f"{name}: {compared - len(found)} of {compared} agree, {open_} not explained; {dict(kinds)}")
        if arguments.list:
            for url, held in found.items():
                for difference in sorted(held, key=lambda d: d[0] != "other")[:6]:
                    print("    ", url.rpartition("/")[2], *(str(d)[:160] for d in difference))
    if arguments.write:
        PAGE.write_text(page(rows), encoding="utf-8")
    return 0


def page(rows: list[tuple[str, int, dict[str, list[Explained]]]]) -> str:
    lines = [
        "# Snapshots made here and as published",
        "",
        "Generated by `python benchmarks/validation_snapshots.py --write`: each profile that has a differential and a",
        "published snapshot, made anew from its differential and compared in every constraint that affects validation.",
        "*Explained*: every difference of the profile is of one of the kinds below, in which the tree made here says",
        "what the specification demands; the kind is found by looking into the differential, the base and the tree.",
        "",
        "| set | profiles | agree | differ, explained | not explained |",
        "|---|---|---|---|---|",
    ]
    for name, compared, found in rows:
        open_ = sum(any(d[0] == "other" for d in held) for held in found.values())
        lines.append(f"| {name} | {compared} | {compared - len(found)} | {len(found) - open_} | {open_} |")
    lines += ["", "## Kinds of difference", "", "| kind | differences | profiles | why |", "|---|---|---|---|"]
    for kind, why in KINDS.items():
        held_ = [d for _, _, found in rows for held in found.values() for d in held if d[0] == kind]
        profiles = sum(any(d[0] == kind for d in held) for _, _, found in rows for held in found.values())
        lines.append(f"| {kind} | {len(held_)} | {profiles} | {why} |")
    reviewed = tomllib.loads(REASONS.read_text(encoding="utf-8")) if REASONS.exists() else {}
    lines += ["", "## Exceptions", "", "Each: kind, facet and element, *as made here* and *as published*.", ""]
    for name, _, found in rows:
        if found:
            lines += [f"### {name}", ""]
        alike: dict[str, int] = collections.Counter()
        for url, held in found.items():
            shown = {(d[0], d[1], d[2], str(d[3]), str(d[4])) for d in held}
            # Hundreds of profiles with the one same difference are counted, not listed.
            key = "; ".join(sorted(f"{k}: {f} `{p}` {a} / {b}" for k, f, p, a, b in shown)) if len(shown) == 1 else ""
            if key:
                alike[key] += 1
                if alike[key] > 2:
                    continue
            short = url.rpartition("/")[2]
            lines.append(f"- `{short}`")
            if short in reviewed:
                lines.append(f"    - reviewed: {reviewed[short]}")
            for kind, facet, path, ours, theirs in held[:8]:
                words = f"{str(ours)[:100]}; {str(theirs)[:100]}".replace("<", "&lt;").replace("|", "/")
                lines.append(f"    - {kind}: {facet} `{path}`: {words}")
            if len(held) > 8:
                rest = collections.Counter(d[0] for d in held[8:])
                lines.append(f"    - and {len(held) - 8} more: {', '.join(f'{n} {k}' for k, n in rest.items())}")
        for key, count in alike.items():
            if count > 2:
                lines.append(
                    f"- and {count - 2} profiles more with the same one difference: {key.replace('<', '&lt;')}"
                )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
