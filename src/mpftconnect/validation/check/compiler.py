"""Profiles and types compiled to checks, each when first needed; shared by all runs of a validator."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mpftconnect.errors import DefinitionBroken, PackageNotFound
from mpftconnect.validation.check.children import ValueCheck
from mpftconnect.validation.check.coded import Coded
from mpftconnect.validation.check.extensions import Extensions
from mpftconnect.validation.check.facets import Facet
from mpftconnect.validation.check.invariants import STRUCTURAL, Invariants
from mpftconnect.validation.check.must_support import Node, must_support_of, show_absent
from mpftconnect.validation.check.navigation import hosts_of, type_name_of, value_at
from mpftconnect.validation.check.nested import nested_check, resource_check
from mpftconnect.validation.check.objects import compile_object
from mpftconnect.validation.check.paths import Step, element_at
from mpftconnect.validation.check.references import Target
from mpftconnect.validation.check.run import Frame, Run
from mpftconnect.validation.check.special import SPECIAL, form_facets
from mpftconnect.validation.compile.element import Element, TypeRef
from mpftconnect.validation.compile.trees import Trees
from mpftconnect.validation.definitions.store import CORE, Definitions, split_canonical
from mpftconnect.validation.fast import recipes
from mpftconnect.validation.fast.recipes import described, in_order
from mpftconnect.validation.fast.shapes import Shapes
from mpftconnect.validation.options import Options
from mpftconnect.validation.places import Place

if TYPE_CHECKING:
    from mpftconnect.validation.terminology.imported import TerminologyStore
    from mpftconnect.validation.terminology.service import ServiceAnswers

__all__ = ["Checks", "Structure"]


def _unusable(problems: list[str], profile: str) -> ValueCheck:
    """Rows of a profile that cannot be used are said wherever it is applied."""

    def check(value: Any, place: Place, run: Run) -> None:
        for problem in problems:
            run.not_checked(
                "definition", place, f"a row of the profile cannot be used: {problem}", decisive=False, profile=profile
            )

    return check


def _of_no_type(code: str, profile: str | None) -> ValueCheck:
    """The check of a value whose type no loaded package defines (of another FHIR version, or a logical model's)."""

    def check(value: Any, place: Place, run: Run) -> None:
        run.not_checked("type", place, f"type {code} is in no loaded package", decisive=True, profile=profile)

    return check


class Structure:
    """A profile or type, compiled when first asked to check."""

    __slots__ = ("_checks", "_compiled", "abstract", "code", "element", "is_profile", "is_resource", "url")

    def __init__(
        self,
        checks: Checks,
        url: str,
        element: Element,
        code: str,
        *,
        is_resource: bool,
        is_profile: bool,
        abstract: bool,
    ) -> None:
        self.is_profile = is_profile
        self.abstract = abstract
        self._checks = checks
        self._compiled: ValueCheck | None = None
        self.url = url
        self.element = element
        self.code = code
        self.is_resource = is_resource

    @property
    def compiled(self) -> ValueCheck:
        """The check itself."""
        if self._compiled is None:
            self._compiled = self._checks.compile_structure(self)
        return self._compiled

    def check(self, value: Any, place: Place, run: Run) -> None:
        """Check an object against this structure."""
        (self._compiled or self.compiled)(value, place, run)


class Checks:
    """Everything compiled for one set of definitions."""

    def __init__(
        self,
        definitions: Definitions,
        version: str,
        store: TerminologyStore | None = None,
        service: ServiceAnswers | None = None,
    ) -> None:
        self.definitions = definitions
        self.version = version
        # Tests set it to False, to hold what is found without plans against what is found with them.
        self.quick = True
        self._usual: tuple[Options | None, bool, bool] = (None, False, False)
        self.trees = Trees(definitions)
        self.coded = Coded(definitions, store, service)
        self.extensions = Extensions(self)
        self.invariants = Invariants(self)
        # The quicker way for objects of a shape that is met often.
        self.shapes = Shapes(self)
        # By resource type and the profiles that were asked for: what `nested.py` found to hold, saying nothing.
        self.applied: dict[tuple[str, tuple[str, ...]], tuple[tuple[Structure, ...], Structure | None]] = {}
        self._loaded: set[str] = set()
        self._structures: dict[str, Structure] = {}
        self._must_support: dict[str, Node | None] = {}
        self._types: dict[str, ValueCheck] = {}
        self._extras: dict[str, ValueCheck] = {}
        self._ancestors: dict[str, tuple[str, ...]] = {}
        self._kinds: dict[str, str | None] = {}
        # Names of an element (by the path to it) that an extension's context may use.
        self.host_names: dict[tuple[str, ...], set[str]] = {}
        self._extension_urls: list[str] | None = None
        self._choice_types: dict[str, str] | None = None
        self._globals: dict[str, list[str]] | None = None

    # -- what is known

    def has(self, url: str) -> bool:
        """Whether a structure is loaded."""
        if url in self._loaded:
            return True
        found = self.definitions.structure(url) is not None
        if found and len(self._loaded) < 10_000:
            self._loaded.add(url)
        return found

    def kind(self, code: str) -> str | None:
        """`resource`, `complex-type`, `primitive-type` or `logical`; None for what is no type."""
        if code not in self._kinds:
            definition = self.definitions.structure(code if ":" in code else CORE + code)
            ok = definition is not None and definition.get("derivation") != "constraint"
            self._kinds[code] = str(definition.get("kind")) if ok and definition else None
        return self._kinds[code]

    def is_primitive(self, code: str) -> bool:
        return self.kind(code) == "primitive-type" or code == "xhtml"

    def is_resource(self, code: str) -> bool:
        return self.kind(code) == "resource"

    def is_profile(self, url: str) -> bool:
        """Whether a structure constrains a type, rather than being one."""
        definition = self.definitions.structure(url)
        return definition is None or definition.get("derivation") == "constraint"

    def ancestors(self, code: str) -> tuple[str, ...]:
        """A type and all that it specialises."""
        if code not in self._ancestors:
            found: list[str] = [code]
            url: Any = code if ":" in code else CORE + code
            while isinstance(url, str) and len(found) < 20:
                definition = self.definitions.structure(url)
                url = definition.get("baseDefinition") if definition else None
                if isinstance(url, str):
                    found.append(url.removeprefix(CORE))
            self._ancestors[code] = tuple(found)
        return self._ancestors[code]

    def is_a(self, code: str, wanted: Iterable[str]) -> bool:
        """Whether a type is one of some, or specialises one."""
        return not set(wanted).isdisjoint(self.ancestors(code))

    @property
    def global_profiles(self) -> dict[str, list[str]]:
        """Profiles that a loaded ImplementationGuide demands of every resource of a type (`global`)."""
        if self._globals is None:
            found: dict[str, list[str]] = {}
            for entry in list(self.definitions.entries("ImplementationGuide")):
                listed = entry.resource.get("global")
                for item in listed if isinstance(listed, list) else ():
                    profile = item.get("profile") if isinstance(item, dict) else None
                    if isinstance(profile, dict):  # STU3
                        profile = profile.get("reference")
                    if isinstance(profile, str) and self.has(profile):
                        found.setdefault(str(item.get("type")), []).append(profile)
            self._globals = found
        return self._globals

    @property
    def extension_urls(self) -> list[str]:
        """Addresses of all extensions that are loaded."""
        if self._extension_urls is None:
            self._extension_urls = [
                e.head.url for e in self.definitions.entries("StructureDefinition") if e.head.type == "Extension"
            ]
        return self._extension_urls

    @property
    def choice_types(self) -> dict[str, str]:
        """How a type is written at the end of a choice's name (`Quantity`, `DateTime`), to the type."""
        if self._choice_types is None:
            self._choice_types = {
                e.head.type[:1].upper() + e.head.type[1:]: e.head.type
                for e in list(self.definitions.entries("StructureDefinition"))
                if isinstance(e.head.type, str)
                and e.head.kind in ("complex-type", "primitive-type")
                and e.head.derivation != "constraint"
            }
        return self._choice_types

    # -- compiled

    def structure(self, url: str) -> Structure:
        """A profile or type.

        Raises:
            PackageNotFound, DefinitionBroken: It, or what it is based on, cannot be used.
        """
        found = self._structures.get(url)
        if found is None:
            definition = self.definitions.structure(url)
            if definition is None:
                raise PackageNotFound(f"no loaded package defines {url}")
            own = definition.get("url")
            if isinstance(own, str) and own != split_canonical(url)[0] and self.definitions.restated(own):
                # Restated rules keep their own address: nothing is reported under the published one.
                found = self._structures[url] = self.structure(own)
                return found
            element = self.trees.tree(url)
            code = str(definition.get("type") or element.name)
            found = Structure(
                self, url, element, code,
                is_resource=definition.get("kind") in ("resource", "logical") or self.is_resource(code),
                is_profile=definition.get("derivation") == "constraint",
                abstract=definition.get("abstract") is True,
            )  # fmt: skip
            self._structures[url] = found
        return found

    def type_check(self, code: str) -> ValueCheck:
        """The check of a FHIR type."""
        found = self._types.get(code)
        if found is None:
            found = self._types[code] = self.structure(code if ":" in code else CORE + code).check
        return found

    def compile_structure(self, structure: Structure) -> ValueCheck:
        """Properties, then what is special to the type, then the invariants of the root."""
        element = structure.element
        profile = structure.url
        properties = compile_object(
            self, element.children or {}, element.path, profile, is_resource=structure.is_resource
        )
        special = SPECIAL.get(structure.code.rpartition("/")[2])
        constraints = [
            (constraint, self.invariants.compile(constraint, structure.code))
            for key, constraint in element.constraints.items()
            if key not in STRUCTURAL
        ]
        parts = self._parts(properties, special, constraints, profile)
        restated = self.definitions.restated(structure.url)
        if restated:
            # After the properties, and never described: a plan that begins with it could not be written.
            parts.insert(1, lambda value, place, run: run.restated.update(restated))
        if element.problems:
            parts.append(_unusable(list(element.problems), profile))
        if structure.code == "xhtml":
            parts.extend(form_facets(self, structure.code, element))
        return self.quickened(in_order(tuple(parts)))

    def quickened(self, check: ValueCheck) -> ValueCheck:
        """The check, with a quicker way for objects of a shape that is met often (`fast/`)."""
        return self.shapes.quickened(check)

    def usual(self, options: Options) -> tuple[bool, bool]:
        """Whether plans may be used with these options, and whether references are followed nowhere."""
        last = self._usual
        if last[0] is not options:
            last = self._usual = (options, self.quick and options.usual, options.reference_level == "none")
        return last[1:]

    def _parts(
        self, properties: ValueCheck, special: Any, constraints: list[tuple[Any, Any]], profile: str | None
    ) -> list[ValueCheck]:
        """What the check of a type consists of, one by one."""
        parts: list[ValueCheck] = [properties]
        if special is not None:
            parts.append(special)
        if constraints:
            parts.append(
                described(
                    lambda value, place, run: run.checks.invariants.check(constraints, value, place, run, profile),
                    recipes.Constraints(tuple(constraints), profile),
                )
            )
        return parts

    def show_must_support(self, structure: Structure, value: dict[str, Any], place: Place, run: Run) -> None:
        """Say which must-support elements of a profile are absent."""
        if structure.url not in self._must_support:
            self._must_support[structure.url] = must_support_of(self, structure)
        node = self._must_support[structure.url]
        if node is not None:
            show_absent(node, value, place, run, structure.url)

    def inherited(self, element: Element, ref: TypeRef) -> frozenset[str]:
        """Invariants that a value's own type checks, so that the element need not."""
        if element.content_reference or self.kind(ref.code) is None:
            return frozenset()
        try:
            keys = set(self.trees.type_tree(ref.code).constraints)
        except (PackageNotFound, DefinitionBroken):
            return frozenset()
        return frozenset(keys)

    def inner_check(self, element: Element, ref: TypeRef, profile: str | None) -> ValueCheck:
        """What a complex value must fit, without the element's own facets."""
        if self.is_resource(ref.code):
            return nested_check(self, element, ref, profile)
        parts: list[ValueCheck] = []
        if element.children is not None and len(element.types) <= 1:
            parts.append(self.inline_check(element, ref, profile))
        elif element.children is not None:
            # Constrained whatever the type is (`value[x].extension`): the type itself is checked besides.
            parts.append(compile_object(self, element.children, element.path, profile, is_resource=False, partial=True))
            if not ref.profiles:
                parts.append(self._later(ref.code))
        elif element.content_reference and not element.children:
            return self._by_content(element, profile)
        parts.extend(self._profiles(ref, profile))
        if not parts:
            return self._later(ref.code) if self.kind(ref.code) is not None else _of_no_type(ref.code, profile)
        if len(parts) == 1:
            return parts[0]

        return self.quickened(in_order(tuple(parts)))

    def _later(self, code: str) -> ValueCheck:
        """A type's check, compiled when first called: types refer to each other."""
        held: list[ValueCheck] = []

        def check(value: Any, place: Place, run: Run) -> None:
            if not held:
                held.append(self.structure(code if ":" in code else CORE + code).compiled)
            held[0](value, place, run)

        return described(check, recipes.Later(lambda: self.structure(code if ":" in code else CORE + code).compiled))

    def _by_content(self, element: Element, profile: str | None) -> ValueCheck:
        held: list[ValueCheck] = []

        def check(value: Any, place: Place, run: Run) -> None:
            if not held:
                try:
                    target = self.trees.referred(element)
                except (PackageNotFound, DefinitionBroken):
                    held.append(_of_no_type(element.content_reference or "", profile))
                else:
                    held.append(self._content(element.content_reference or "", target, profile))
            held[0](value, place, run)

        return described(
            check,
            recipes.Later(
                lambda: self._content(element.content_reference or "", self.trees.referred(element), profile)
            ),
        )

    def _content(self, reference: str, target: Element, profile: str | None) -> ValueCheck:
        key = f"content:{reference}"
        found = self._types.get(key)
        if found is None:
            ref = target.types[0] if target.types else TypeRef("BackboneElement")
            properties = self.inline_check(target, ref, profile)
            from mpftconnect.validation.check.facets import compile_facets

            facets = compile_facets(self, target, ref, profile, self.inherited(target, ref))

            found = self._types[key] = self.quickened(in_order((properties, *facets)))
        return found

    def inline_check(self, element: Element, ref: TypeRef, profile: str | None) -> ValueCheck:
        """What a profile constrains inside an element. A data type's own invariants hold there too."""
        properties = compile_object(self, element.children or {}, element.path, profile, is_resource=False)
        special = SPECIAL.get(ref.code)
        root = self.trees.type_tree(ref.code) if self.kind(ref.code) is not None else None
        constraints = [
            (constraint, self.invariants.compile(constraint, ref.code))
            for key, constraint in (root.constraints if root else {}).items()
            if key not in STRUCTURAL
        ]

        return self.quickened(in_order(tuple(self._parts(properties, special, constraints, profile))))

    def _profiles(self, ref: TypeRef, profile: str | None) -> list[ValueCheck]:
        """The profiles of a type: one is checked in place; of several, one must fit."""
        if not ref.profiles:
            return []
        known = [url for url in ref.profiles if self.has(url)]
        unknown = [url for url in ref.profiles if not self.has(url)]
        if len(ref.profiles) == 1:
            if unknown:
                return [self._not_loaded(unknown[0], ref, profile)]
            return [self._structure_later(known[0])]

        def check(value: Any, place: Place, run: Run) -> None:
            outcomes = []
            for url in known:
                outcome = run.probe(self.structure(url).check, value, place)
                if outcome[0]:
                    run.take(outcome)
                    return
                outcomes.append(outcome)
            if unknown:
                run.not_checked(
                    "profile-none", place, f"profile {unknown[0]} is not loaded", decisive=True, profile=profile
                )
                self.type_check(ref.code)(value, place, run)
                return
            run.error("profile-none", place, f"must fit one of the profiles: {', '.join(known)}", profile)

        return [check]

    def _structure_later(self, url: str) -> ValueCheck:
        def check(value: Any, place: Place, run: Run) -> None:
            try:
                structure = self.structure(url)
            except (PackageNotFound, DefinitionBroken) as error:
                run.not_checked("profile-unknown", place, str(error), decisive=True, profile=url)
                return
            structure.check(value, place, run)

        return described(check, recipes.Later(lambda: self.structure(url).compiled))

    def _not_loaded(self, url: str, ref: TypeRef, profile: str | None) -> ValueCheck:
        def check(value: Any, place: Place, run: Run) -> None:
            run.not_checked("profile-unknown", place, f"profile {url} is not loaded", decisive=True, profile=profile)
            self.type_check(ref.code)(value, place, run)

        return check

    def profile_facets(self, ref: TypeRef, profile: str | None) -> list[Facet]:
        """Profiles of a primitive type (rare): their facets on the value."""
        facets: list[Facet] = []
        from mpftconnect.validation.check.facets import compile_facets

        for url in ref.profiles:
            if not self.has(url):
                continue
            root = self.structure(url).element
            value = (root.children or {}).get("value")
            for element in (root, value):
                if element is not None:
                    facets.extend(
                        compile_facets(self, element, TypeRef(ref.code), url, self.inherited(root, TypeRef(ref.code)))
                    )
        return facets

    def form_facets(self, code: str, element: Element) -> list[Facet]:
        """What a primitive's text must be beyond its form (narratives, addresses, HTML)."""
        return form_facets(self, code, element)

    def extras_check(self, code: str) -> ValueCheck:
        """The check of `id` and `extension` beside a primitive of a type."""
        found = self._extras.get(code)
        if found is None:
            children = dict(self.trees.type_tree("Element").children or {})
            found = self._extras[code] = compile_object(self, children, code, None, is_resource=False, beside=True)
        return found

    # -- resources

    def resource(self, value: Any, place: Place, run: Run, profiles: Iterable[str] = ()) -> None:
        """Validate a resource that is the run's frame: its type, what it claims in meta.profile, and more."""
        resource_check(self, value, place, run, profiles)

    def fits(self, structure: Structure, value: Any, place: Place, run: Run) -> bool:
        """Whether a value fits a structure; nothing is reported. An open question counts as fitting."""
        frame = run.frame
        if structure.is_resource and isinstance(value, dict):
            if structure.code not in self.ancestors(str(value.get("resourceType"))):
                return False
            if frame is None or frame.resource is not value:
                run.frame = self._frame_of(value, place, run)
        run.probing += 1
        try:
            return run.probe(structure.check, value, place)[0]
        finally:
            run.probing -= 1
            if run.frame is not None and run.frame is not frame:
                run.frame.close()
            run.frame = frame

    @staticmethod
    def _frame_of(value: dict[str, Any], place: Place, run: Run) -> Frame:
        outer = run.frame
        kind = "entry"
        if outer is not None and any(item is value for item in outer.container.contained.values()):
            outer, kind = outer.container, "contained"
        return Frame(value, place, outer, kind)

    def fits_target(self, structure: Structure, target: Target, run: Run) -> bool:
        """Whether what a reference leads to fits a profile."""
        if structure.code not in self.ancestors(str(target.resource.get("resourceType"))):
            return False
        outer, key = run.frame, (id(target.resource), structure.url)
        if key in run.visiting:
            return True
        run.visiting.add(key)
        frame = target.frame or Frame(
            target.resource, (None, str(target.resource.get("resourceType")), None, None), None, "root"
        )
        run.frame = frame
        try:
            return run.probe(structure.check, target.resource, frame.place)[0]
        finally:
            frame.close()
            run.frame = outer
            run.visiting.discard(key)

    def loaded_target(self, reference: str) -> Target | None:
        """A resource among the definitions that a reference means (examples and terminology that were given)."""
        parts = reference.split("/")
        entry = self.definitions.find(reference) if ":" in reference else None
        if entry is None and len(parts) >= 2:
            entry = self.definitions.by_reference("/".join(parts[-2:])) if ":" not in reference else None
        return Target(entry.resource, "loaded", None) if entry else None

    # -- where something stands

    def type_name(self, element: Element, ref: TypeRef) -> str:
        """The name by which FHIRPath knows a value's type: its own, or the path of a nested element.

        An element that refers to the content of another (`Parameters.parameter.part`) is of that one's type.
        """
        if element.content_reference:
            return element.content_reference.partition("#")[2]
        if ref.code in ("BackboneElement", "Element") and "." in element.path:
            return element.path
        return ref.code

    def type_at(self, piece: Element, steps: tuple[Step, ...]) -> str | None:
        """The type that a value at the steps has, where only one is possible."""
        target = element_at(self.trees, piece, steps)
        return target.types[0].code if target is not None and len(target.types) == 1 else None

    def type_of_reference(self, element: Element) -> TypeRef:
        """The type of an element without types: of what it refers to."""
        if element.content_reference:
            target = self.trees.referred(element)
            if target.types:
                return target.types[0]
        return TypeRef("BackboneElement")

    def common(self, refs: tuple[TypeRef, ...]) -> TypeRef:
        """One type for an element with several that is no choice (contained resources in old profiles)."""
        if all(self.is_resource(ref.code) for ref in refs):
            return TypeRef("Resource")
        return refs[0]

    def hosts(self, place: Place | None, run: Run) -> set[str]:
        """Every name under which an extension's context may mean the element at a place."""
        return hosts_of(self, place, run)

    def type_name_at(self, place: Place | None, run: Run) -> str | None:
        """The type of the element at a place."""
        return type_name_of(self, place, run)

    @staticmethod
    def primitive_at(place: Place | None, run: Run) -> Any:
        """The value of a primitive whose extensions stand at a place (`_birthDate`)."""
        if place is None or not place[1].startswith("_"):
            return value_at(place, run)
        return value_at((place[0], place[1][1:], place[2], place[3]), run)

    @staticmethod
    def value_at(place: Place | None, run: Run) -> Any:
        """The value at a place."""
        return value_at(place, run)
