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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mpftconnect.validation import Validator
from mpftconnect.validation.compile.element import Element, TypeRef
from mpftconnect.validation.compile.trees import Trees

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs" / "validation-snapshots.md"
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
        types = [{plain(ref) for ref in tree.types} for tree in (made, published)]
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

    @staticmethod
    def _least(tree: Element) -> int:
        return max(tree.min, sum(piece.min for piece in tree.slices.values()))

    def _of_type(self, tree: Element) -> set[str]:
        keys: set[str] = set()
        for ref in tree.types:
            if self._trees.has_type(ref.code):
                keys.update(self._trees.type_tree(ref.code).constraints)
            for profile in ref.profiles:
                if self._trees.definitions.structure(profile) is not None:
                    keys.update(self._trees.tree(profile).constraints)
        return keys


def of_package(name: str, packages: list[str]) -> tuple[int, dict[str, list[Difference]]]:
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
            found[entry.head.url] = [("error", "", str(error), "")]
            continue
        differences = list(Comparison(checks.trees).differences(made, published, made.path))
        if differences:
            found[entry.head.url] = differences
    return compared, found


def generation_cases(folder: Path) -> tuple[int, dict[str, list[Difference]]]:
    """HL7's snapshot-generation cases: input and expected output in pairs."""
    compared, found = 0, {}
    base = Validator(["hl7.fhir.r4.core"])
    others = [
        p
        for p in sorted(folder.iterdir())
        if p.suffix in (".xml", ".json") and "-expected" not in p.name and "manifest" not in p.name
    ]
    loaded = base
    usable = []
    for path in others:
        try:
            resource = base._read_definition(path)
        except Exception:  # noqa: BLE001
            continue
        if resource.get("resourceType") == "StructureDefinition" and isinstance(resource.get("url"), str):
            usable.append(resource)
    loaded = base.with_resources(usable)
    checks = loaded._checks
    for path in sorted(folder.glob("*-expected.*")):
        inputs = list(folder.glob(path.name.split("-expected")[0] + "-input.*"))
        if not inputs:
            continue
        try:
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
            differences = [("error", "", f"{type(error).__name__}: {error}", "")]
        if differences:
            found[path.name] = differences
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
        print(f"{name}: {compared - len(found)} of {compared} agree; {dict(kinds)}")
        if arguments.list:
            for url, held in found.items():
                for difference in held[:6]:
                    print("    ", url.rpartition("/")[2], *(str(d)[:160] for d in difference))
    if arguments.write:
        PAGE.write_text(page(rows), encoding="utf-8")
    return 0


def page(rows: list[tuple[str, int, dict[str, list[Difference]]]]) -> str:
    lines = [
        "# Snapshots made here and as published",
        "",
        "Generated by `python benchmarks/validation_snapshots.py --write`: each profile that has a differential and a",
        "published snapshot, made anew from its differential and compared in every constraint that affects validation.",
        "",
        "| set | profiles | agree | differ |",
        "|---|---|---|---|",
    ]
    lines += [f"| {name} | {compared} | {compared - len(found)} | {len(found)} |" for name, compared, found in rows]
    lines += ["", "## Exceptions", "", "Each: facet and element, *as made here* and *as published*.", ""]
    for name, _, found in rows:
        if found:
            lines += [f"### {name}", ""]
        for url, held in found.items():
            lines.append(f"- `{url.rpartition('/')[2]}`")
            for kind, path, ours, theirs in held[:12]:
                shown = f"{str(ours)[:100]}; {str(theirs)[:100]}".replace("<", "&lt;").replace("|", "/")
                lines.append(f"    - {kind} `{path}`: {shown}")
            if len(held) > 12:
                lines.append(f"    - and {len(held) - 12} more")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
