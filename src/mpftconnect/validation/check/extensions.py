"""Extensions: each is checked against its own definition, and for standing where it may.

FHIR R4 "Extensibility" and "Defining Extensions" (context of use); STU3 wrote the context as a type and a
list of paths, R4 as a list of both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mpftconnect.errors import DefinitionBroken, PackageNotFound
from mpftconnect.validation.check.cross_version import check_cross_version
from mpftconnect.validation.check.run import Run
from mpftconnect.validation.definitions.installed import hint_for
from mpftconnect.validation.definitions.store import CORE
from mpftconnect.validation.places import Place

if TYPE_CHECKING:
    from mpftconnect.validation.check.compiler import Checks

__all__ = ["Extensions"]

_CROSS_VERSION = re.compile(r"http://hl7\.org/fhir/[0-9]\.[0-9]/StructureDefinition/extension-")
_ANYWHERE = {"Element", "*", "Any"}
_SPECIFIC_USE = "http://hl7.org/fhir/StructureDefinition/version-specific-use"


def _host(url: str) -> str:
    """Who publishes at an address: its host, or the whole address of another scheme."""
    return url.split("/", 3)[2].lower() if url.startswith(("http://", "https://")) else url


def _may_publish(package: str, host: str) -> bool:
    """Whether a package of a name may define what stands at a host: HL7's own do at HL7's, and nobody else's."""
    if package.startswith("hl7.terminology"):
        return host == "terminology.hl7.org"
    return package.startswith("hl7.") == (host == "hl7.org")


class _Known:
    """A defined extension, compiled."""

    __slots__ = ("by_path", "check", "contexts", "invariants", "is_modifier", "url", "usable")

    def __init__(
        self,
        definition: Mapping[str, Any],
        check: Callable[[dict[str, Any], Place, Run], None],
        version: str,
        *,
        is_modifier: bool,
    ) -> None:
        self.url = str(definition.get("url"))
        self.check = check
        self.is_modifier = is_modifier
        self.usable = _of_version(definition, version)
        self.contexts = _contexts(definition, version)
        listed = definition.get("contextInvariant")
        self.invariants = [i for i in listed if isinstance(i, str)] if isinstance(listed, list) else []
        # Whether the path from the resource alone decides where it may stand.
        self.by_path = not self.invariants and all(kind not in ("fhirpath", "extension") for kind, _ in self.contexts)


def _numbers(version: Any) -> tuple[int, ...]:
    """Major and minor number of a FHIR version; empty if it has none."""
    found = re.match(r"(\d+)\.(\d+)", version) if isinstance(version, str) else None
    return (int(found[1]), int(found[2])) if found else ()


def _of_version(source: Mapping[str, Any], version: str) -> bool:
    """Whether what carries `version-specific-use` (hl7.fhir.uv.extensions) may be used in a FHIR version."""
    own = _numbers(version + ".0")
    listed = source.get("extension")
    for extension in listed if isinstance(listed, list) else ():
        if not isinstance(extension, Mapping) or extension.get("url") != _SPECIFIC_USE:
            continue
        parts = extension.get("extension")
        for part in parts if isinstance(parts, list) else ():
            stated = _numbers(part.get("valueCode")) if isinstance(part, Mapping) else ()
            if stated and (
                (part.get("url") == "startFhirVersion" and own < stated)
                or (part.get("url") == "endFhirVersion" and own > stated)
            ):
                return False
    return True


def _contexts(definition: Mapping[str, Any], version: str) -> list[tuple[str, str]]:
    """Pairs of kind (element, extension, fhirpath) and expression: those that hold for a FHIR version."""
    found: list[tuple[str, str]] = []
    listed = definition.get("context")
    kind = definition.get("contextType")  # STU3
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, Mapping) and _of_version(entry, version):
            found.append((str(entry.get("type", "element")), str(entry.get("expression", ""))))
        elif isinstance(entry, str):
            found.append(("extension" if kind == "extension" else "element", entry))
    # Seen in STU3: the kind says extension, and the expression is the path of an element. An extension has an address.
    return [("element" if kind == "extension" and ":" not in text else kind, text.strip()) for kind, text in found]


class Extensions:
    """Finds and runs the check of each extension by its url."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self.known_so_far: dict[str, _Known | None] = {}
        self._hosts: frozenset[str] | None = None

    def known(self, url: str) -> _Known | None:
        """The extension's definition, compiled; None if no loaded package has it."""
        if url in self.known_so_far:
            return self.known_so_far[url]
        definition = self._checks.trees.definitions.structure(url)
        found: _Known | None = None
        if definition is not None and definition.get("type") == "Extension":
            try:
                structure = self._checks.structure(url)
                found = _Known(
                    definition, structure.check, self._checks.version, is_modifier=structure.element.is_modifier
                )
            except (DefinitionBroken, PackageNotFound):
                found = None
        self.known_so_far[url] = found
        return found

    def check(
        self, item: dict[str, Any], place: Place, run: Run, *, modifier: bool, inside: dict[str, Any], sliced: bool
    ) -> None:
        """One extension. `inside`: the element that holds it; `sliced`: the profile at hand defines it inline."""
        url = item.get("url")
        plain = self._checks.type_check("Extension")
        if not isinstance(url, str) or not url:
            plain(item, place, run)
            return
        if ":" not in url:
            # Parts of a complex extension have short names, which the outer extension defines.
            plain(item, place, run)
            if place[0] is not None and place[0][1] not in ("extension", "modifierExtension") and not sliced:
                run.error("extension-url", place, "must have an absolute URL")
            return
        address, bar, _ = url.partition("|")
        if bar:
            run.error("extension-url", place, "must have a URL without a version")
        known = self.known(address)
        if known is None:
            plain(item, place, run)
            if not sliced and not check_cross_version(item, address, place, run, modifier=modifier):
                self._unknown(url, place, run, modifier)
            return
        known.check(item, place, run)
        self.standing(known, item, place, run, modifier=modifier, inside=inside)

    def standing(
        self, known: _Known, item: dict[str, Any], place: Place, run: Run, *, modifier: bool, inside: dict[str, Any]
    ) -> None:
        """Whether a defined extension may stand where it does."""
        if not known.usable:
            run.error("extension-context", place[0], f"{known.url} is not for this version of FHIR")
        if modifier and not known.is_modifier:
            run.error(
                "extension-modifier", place, f"{known.url} is not a modifier extension, so it must stand in extension"
            )
        elif not modifier and known.is_modifier:
            run.error(
                "extension-modifier",
                place,
                f"{known.url} is a modifier extension, so it must stand in modifierExtension",
            )
        if known.contexts and not _inside_definition(place, run) and not self._allowed(known, place, run):
            words = ", ".join(expression for _, expression in known.contexts)
            run.error("extension-context", place[0], f"{known.url} may not stand here, only on: {words}")
        for invariant in known.invariants:
            run.checks.invariants.context(invariant, item, inside, place, run, known.url)

    def _unknown(self, url: str, place: Place, run: Run, modifier: bool) -> None:
        allowed = run.options.allowed_extension_domain
        domains = (allowed,) if isinstance(allowed, str) else allowed
        if any(domain == "any" or url.startswith(domain) for domain in domains):
            return
        # As the reference validator: two example domains by policy, and DICOM's, whose extensions it does not have.
        if "nema.org" in url or (run.options.examples and any(part in url for part in ("example.org", "acme.com"))):
            run.not_checked(
                "extension-unknown",
                place,
                "an extension of an example or of DICOM, which no loaded package defines",
                decisive=False,
            )
            return
        if url.startswith("http://hl7.org/fhir/tools/"):
            return
        if _CROSS_VERSION.match(url):
            # An element of another FHIR version, carried as an extension; only that version's package defines it.
            run.not_checked("extension-unknown", place, f"the package that defines {url} is not loaded", decisive=True)
            return
        hint = hint_for(url) or run.near(url, lambda: self._checks.extension_urls, 0.9)
        elsewhere = "" if modifier else self._may_be_defined_elsewhere(url)
        if elsewhere:
            run.not_checked("extension-unknown", place, f"{elsewhere}{hint}", decisive=True)
            return
        run.error("extension-unknown", place, f"no loaded package defines this extension{hint}")

    def _may_be_defined_elsewhere(self, url: str) -> str:
        """Why what is loaded cannot say that nobody defines an extension; empty if it can.

        R4 "Extensibility": anybody may publish extensions, and one that a reader does not know is no error by itself.
        A modifier extension that is not known is ("Modifier Extensions": it may not be ignored), and is never asked
        about here.
        """
        if self._hosts is None:
            definitions = self._checks.definitions.entries("StructureDefinition")
            self._hosts = frozenset(_host(entry.head.url) for entry in definitions)
        if _host(url) not in self._hosts:
            return "no definition of this publisher is loaded: load the package that defines the extension"
        if url.startswith(CORE):
            return ""
        absent = self._checks.definitions.missing_packages
        able = sorted(how for name, how in absent.items() if _may_publish(name, _host(url)))
        return f"a package that is not here may define this extension: {'; '.join(able[:3])}" if able else ""

    def _allowed(self, known: _Known, place: Place, run: Run) -> bool:
        hosts: set[str] | None = None
        for kind, expression in known.contexts:
            if expression in _ANYWHERE and kind in ("element", "datatype", "resource"):
                return True
            if kind == "extension":
                if self._inside_extension(place, expression.split("#")[0], run):
                    return True
                continue
            if kind == "fhirpath":
                verdict = run.checks.invariants.context_path(expression, place, run)
                if verdict is None:
                    run.not_checked(
                        "extension-context",
                        place,
                        f"the context of {known.url} is an expression that could not be evaluated",
                        decisive=True,
                    )
                    return True
                if verdict:
                    return True
                continue
            if hosts is None:
                hosts = self._checks.hosts(place[0], run)
            name = (
                expression.split("#")[-1]
                if "#" in expression
                else expression.rpartition("/")[2]
                if expression.startswith("http")
                else expression
            )
            if name in hosts or name.replace("[x]", "") in hosts:
                return True
        return False

    def _inside_extension(self, place: Place, url: str, run: Run) -> bool:
        """Whether the extension stands in the extension of a url, or on its value."""
        outer = place[0]
        for _ in range(2):
            if outer is None:
                return False
            if outer[1] in ("extension", "modifierExtension"):
                value = self._checks.value_at(outer, run)
                return isinstance(value, dict) and value.get("url") == url
            outer = outer[0]
        return False


def _inside_definition(place: Place, run: Run) -> bool:
    """Whether a place is in a value that a definition states (`fixed[x]`, `example.value[x]`): of another context."""
    frame = run.frame
    if frame is None or frame.resource.get("resourceType") != "StructureDefinition":
        return False
    cell: Place | None = place
    while cell is not None:
        key = cell[1].removeprefix("_")
        if key.startswith(("fixed", "pattern", "defaultValue", "minValue", "maxValue")):
            return True
        if key.startswith("value") and cell[0] is not None and cell[0][1] == "example":
            return True
        cell = cell[0]
    return False
