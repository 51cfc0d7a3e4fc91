"""Every constraint that the packages publish is read, and judged on published resources without an accident."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from published import Constraint, constraints, documents, places

from mpftconnect.validation.fhirpath import FhirPathError, NotEvaluable, Scope, compile_expression, core_types
from mpftconnect.validation.fhirpath.errata import ERRATA

R4 = ("hl7.fhir.r4.core", "fhir.r4.ukcore", "UK.Core.r4", "UK.DM.r4", "UK.Spine.r4", "hl7.fhir.us.core", "backup.nhs")
STU3 = ("hl7.fhir.r3.core", "careconnect.stu3", "nhs.stu3", "backup.gpconnectdirectcareapis-stu3")
# Published, and not what FHIRPath can judge: each with why.
ODD = {
    "gen-2": "notExists() is no function",
}
MOST_OF_A_KIND = 40


class Published:
    """What the packages of one version of FHIR hold: constraints, and resources to try them on."""

    def __init__(self, folder: Path, names: tuple[str, ...], version: str) -> None:
        self.version = version
        self.types = core_types(version)  # type: ignore[arg-type]
        self.constraints: set[Constraint] = set()
        self.resources: list[dict[str, Any]] = []
        kinds: Counter[str] = Counter()
        for package in sorted(folder.glob("*.tgz")):
            if package.name.startswith(names):
                for document in documents(package):
                    if document["resourceType"] == "StructureDefinition":
                        self.constraints.update(constraints(document))
                    kinds[document["resourceType"]] += 1
                    if kinds[document["resourceType"]] <= MOST_OF_A_KIND:
                        self.resources.append(document)
        self.at: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for each in self.constraints:
            self.at[each.path].add((each.key, each.expression))

    def judged(self, resources: list[dict[str, Any]]) -> Iterator[tuple[str, str, bool | FhirPathError]]:
        """Key, expression and verdict of every constraint of every element of some resources."""
        for resource in resources:
            scope = Scope(resource)
            for place in places(resource, self.types):
                scope.resource, scope.root, scope.effort = place.resource, place.root, 10**7
                for key, expression in self.at[place.path] | (
                    self.at[place.type] if place.type != place.path else set()
                ):
                    compiled = compile_expression(expression, version=self.version, context=place.type)  # type: ignore[arg-type]
                    try:
                        yield key, expression, compiled.holds(place.focus, scope)
                    except FhirPathError as error:
                        yield key, expression, error


@pytest.fixture(scope="module", params=["4.0", "3.0"])
def published(request: pytest.FixtureRequest, packages: Path) -> Published:
    return Published(packages, R4 if request.param == "4.0" else STU3, request.param)


def test_every_published_constraint_is_read(published: Published) -> None:
    assert len(published.constraints) > 500
    for each in published.constraints:
        compile_expression(each.expression, version=published.version)  # type: ignore[arg-type]


def test_every_published_constraint_is_judged(published: Published, uk_examples: list[dict[str, Any]]) -> None:
    mine = [each["resource"] for each in uk_examples if each["version"] == published.version]
    known = [each for each in mine if published.types.elements(each["resourceType"]) is not None]
    tried: Counter[bool | str] = Counter()
    for key, expression, verdict in published.judged(published.resources + known[:300]):
        if isinstance(verdict, NotEvaluable):
            assert (
                verdict.reason
                in (
                    "resolve() needs something that resolves references",
                    "memberOf() needs a terminology service",
                    "conformsTo() needs profiles to judge by",
                )
                or key in ODD
            ), (key, expression, verdict.reason)
            tried["not evaluable"] += 1
        else:
            assert isinstance(verdict, bool), (key, expression, str(verdict))
            tried[verdict] += 1
    assert tried[True] > 20_000
    assert tried[True] > 5 * tried[False]


def test_the_core_definitions_keep_the_rules_that_make_a_resource_invalid(published: Published) -> None:
    """Few of the official definitions break a rule of severity error, and each that does breaks it truly."""
    errors = {each.expression for each in published.constraints if each.severity == "error"}
    broken: Counter[str] = Counter()
    judged = 0
    official = [
        each
        for each in published.resources
        if str(each.get("url", "")).startswith("http://hl7.org/fhir/") and each["resourceType"] != "StructureDefinition"
    ]
    for key, expression, verdict in published.judged(official):
        # `ele-1` and the like stand at every element; constraints of single extensions stand at "Extension".
        if expression in errors and key in CORE_RULES:
            judged += 1
            broken[key] += verdict is False
    assert judged > 1000
    assert +broken == Counter(KNOWN_BREACHES[published.version])


CORE_RULES = {
    *(
        "ele-1",
        "ext-1",
        "dom-2",
        "dom-3",
        "dom-4",
        "dom-5",
        "per-1",
        "ref-1",
        "csd-1",
        "vsd-1",
        "vsd-2",
        "vsd-3",
        "cpb-1",
    ),
    *("cpb-2", "cpb-3", "cpb-7", "cpb-9", "cpb-12", "cpb-14", "cpb-15", "cpb-16", "opd-1", "opd-2", "opd-3", "spd-1"),
    *("spd-2", "nsd-1", "nsd-2", "cmd-1", "vsd-6", "vsd-9", "qty-3", "rng-2", "txt-1", "txt-2"),
}
KNOWN_BREACHES: dict[str, dict[str, int]] = {"4.0": {}, "3.0": {}}


def test_every_erratum_corrects_a_text_that_is_published(packages: Path) -> None:
    texts = {
        version: {
            each.expression
            for package in sorted(packages.glob("*.tgz"))
            if package.name.startswith(names)
            for document in documents(package)
            if document["resourceType"] == "StructureDefinition"
            for each in constraints(document)
        }
        for version, names in (("4.0", (R4[0], R4[5])), ("3.0", STU3[:1]))
    }
    for each in ERRATA:
        for version in each.versions:
            assert each.published in texts[version], each.key
            assert each.reason
            compile_expression(each.meant, version=version)  # type: ignore[arg-type]
