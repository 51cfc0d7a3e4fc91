"""Plans (`validation/fast`) find what the checks that they stand for find: the same verdict, findings and not checked.

Everything is validated twice, once with a plan for every shape that was met once, and once without plans.
"""

from __future__ import annotations

import copy
import importlib
import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_values import KEYS, ODD, RESOURCES

from mpftconnect.validation import Options, Report, Validator
from mpftconnect.validation.fast import codes, shapes, source

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
CORE = "http://hl7.org/fhir/StructureDefinition/"

Both = Callable[..., tuple[Report, Report]]


def eager(validator: Validator) -> Validator:
    """A validator that writes a plan for each shape at once."""
    validator._checks.shapes.often = 1
    return validator


def without_plans(validator: Validator) -> Validator:
    validator._checks.quick = False
    return validator


def both_of(quick: Validator, slow: Validator) -> Both:
    """Validates with plans, and without; with plans a second time, when what is remembered is used."""

    def both(data: Any, profiles: tuple[str, ...] = (), options: Options | None = None) -> tuple[Report, Report]:
        first = quick.validate(data, profiles, options=options)
        again = quick.validate(data, profiles, options=options)
        assert (again, again.verdict) == (first, first.verdict)
        return first, slow.validate(data, profiles, options=options)

    return both


@pytest.fixture(scope="module")
def both() -> Both:
    """R4 core alone."""
    return both_of(eager(Validator()), without_plans(Validator()))


def assert_alike(both: Both, data: Any, profiles: tuple[str, ...] = (), options: Options | None = None) -> None:
    quick, slow = both(data, profiles, options)
    assert quick == slow
    assert quick.verdict == slow.verdict


# -- resources, whole and mutilated


def spots(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a resource."""
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from spots(item, (*at, key))


@st.composite
def mutilated(draw: st.DrawFn) -> dict[str, Any]:
    """A resource in which one to three things were changed."""
    resource: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(RESOURCES)))
    for _ in range(draw(st.integers(1, 3))):
        places = [spot for spot in spots(resource) if spot]
        at = draw(st.sampled_from(places))
        holder: Any = resource
        for step in at[:-1]:
            holder = holder[step]
        match draw(st.sampled_from(["set", "drop", "add", "repeat", "turn", "wrap"])):
            case "set":
                holder[at[-1]] = copy.deepcopy(draw(st.sampled_from(ODD)))
            case "drop":
                del holder[at[-1]]
            case "add" if isinstance(holder, dict):
                holder[draw(st.sampled_from(KEYS))] = copy.deepcopy(draw(st.sampled_from(ODD)))
            case "repeat" if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[at[-1]]))
            case "turn" if isinstance(holder, dict):
                turned = dict(reversed(list(holder.items())))
                holder.clear()
                holder.update(turned)
            case "wrap":
                holder[at[-1]] = [holder[at[-1]]]
    return resource


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(mutilated(), st.booleans())
def test_whatever_is_changed_plans_find_what_the_checks_find(both: Both, resource: dict[str, Any], text: bool) -> None:
    data = json.dumps(resource, default=str) if text else resource
    quick, slow = both(data)
    assert quick == slow
    assert quick.verdict == slow.verdict


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda r: str(r["resourceType"]))
@pytest.mark.parametrize(
    "options",
    [
        Options(security_checks=True),
        Options(no_html_in_markdown=True),
        Options(examples=False),
        Options(no_invariants=True),
        Options(validate_reference=True),
        Options(check_display="ignore", language="de", best_practice="error"),
    ],
    ids=["security", "markdown", "examples", "no invariants", "references", "displays"],
)
def test_plans_keep_to_the_options(both: Both, resource: dict[str, Any], options: Options) -> None:
    assert_alike(both, resource)
    assert_alike(both, resource, options=options)
    assert_alike(both, resource)


OPTIONAL = {
    "resourceType": "CodeSystem",
    "status": "active",
    "content": "complete",
    "url": "http://acme.com/CodeSystem/x",
    "title": "<b>x</b>",
    "description": "<i>y</i>",
    "concept": [{"code": "a"}],
}


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (Options(security_checks=True), "html-in-text"),
        (Options(no_html_in_markdown=True), "html-in-text"),
        (Options(examples=False), "example-url"),
    ],
    ids=["security", "markdown", "examples"],
)
def test_what_only_an_option_forbids_is_found_where_there_is_a_plan(both: Both, options: Options, rule: str) -> None:
    assert rule not in {finding.rule for finding in both(OPTIONAL)[0].findings}
    quick, slow = both(OPTIONAL, (), options)
    assert quick == slow
    assert rule in {finding.rule for finding in quick.findings}


PROFILE = "http://x.y/StructureDefinition/limited"
LIMITED: dict[str, Any] = {
    "resourceType": "StructureDefinition", "url": PROFILE, "name": "Limited", "status": "active", "kind": "resource",
    "abstract": False, "type": "Patient", "derivation": "constraint", "fhirVersion": "4.0.1",
    "baseDefinition": CORE + "Patient",
    "differential": {
        "element": [
            {"id": "Patient", "path": "Patient"},
            {"id": "Patient.extension", "path": "Patient.extension", "max": "1"},
            {"id": "Patient.identifier", "path": "Patient.identifier",
             "slicing": {"discriminator": [{"type": "value", "path": "system"}], "rules": "open"}},
            {"id": "Patient.identifier:one", "path": "Patient.identifier", "sliceName": "one", "min": 1, "max": "1"},
            {"id": "Patient.identifier:one.system", "path": "Patient.identifier.system", "min": 1,
             "fixedUri": "urn:x:y"},
            {"id": "Patient.identifier:one.value", "path": "Patient.identifier.value", "min": 1, "maxLength": 3},
        ]
    },
}  # fmt: skip
ONLY_OF_NAMES: dict[str, Any] = {
    "resourceType": "StructureDefinition", "url": "http://x.y/StructureDefinition/of-names", "name": "OfNames",
    "status": "active", "kind": "complex-type", "abstract": False, "type": "Extension", "derivation": "constraint",
    "fhirVersion": "4.0.1", "baseDefinition": CORE + "Extension",
    "context": [{"type": "element", "expression": "Patient.name"}],
    "differential": {"element": [{"id": "Extension", "path": "Extension"}]},
}  # fmt: skip
OF_NAMES = {"family": "Ashdown", "extension": [{"url": "http://x.y/StructureDefinition/of-names", "valueCode": "a"}]}
UNKNOWN = {"url": "http://example.org/x", "valueString": "y"}
BIRTH_PLACE = {"url": CORE + "patient-birthPlace", "valueAddress": {"city": "Zedford"}}
BIRTH_TIME = {"url": CORE + "patient-birthTime", "valueDateTime": "1950-03-14T06:15:00Z"}
ONE, OTHER = {"system": "urn:x:y", "value": "1"}, {"system": "urn:x:z", "value": "12345"}
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


def _limited(**properties: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "extension": [BIRTH_PLACE], "identifier": [ONE], **properties}


def _observed(category: dict[str, Any], subject: dict[str, Any]) -> dict[str, Any]:
    coding = {"system": CATEGORY, **category}
    return {"resourceType": "Observation", "status": "final", "category": [{"coding": [coding]}], "code": {"text": "a"},
            "subject": subject}  # fmt: skip


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        (_limited(), _limited(extension=[BIRTH_PLACE, BIRTH_PLACE]), "cardinality-max"),
        (_limited(), _limited(extension=[BIRTH_TIME]), "extension-context"),
        (_limited(extension=[UNKNOWN]), _limited(extension=[{**UNKNOWN, "extension": [UNKNOWN]}]), "ext-1"),
        (_limited(name=[OF_NAMES]), _limited(name=[OF_NAMES], contact=[{"name": OF_NAMES}]), "extension-context"),
        (_limited(), _limited(identifier=[ONE, ONE]), "slice-max"),
        (_limited(), _limited(identifier=[OTHER]), "slice-min"),
        (_limited(), _limited(identifier=[{**ONE, "value": "1234"}]), "max-length"),
        (
            _observed({"code": "laboratory", "display": "Laboratory"}, {"reference": "Patient/1", "type": "Patient"}),
            _observed({"code": "laboratory", "display": "Laboratory"}, {"reference": "Patient/1", "type": "Group"}),
            "reference-type",
        ),
        (
            _observed({"code": "laboratory", "display": "Laboratory"}, {"reference": "Patient/1"}),
            _observed({"code": "laboratory", "display": "Laboratory"}, {"reference": "Medication/1"}),
            "reference-type",
        ),
        (
            _observed({"code": "laboratory", "display": "Laboratory"}, {"reference": "Patient/1"}),
            _observed({"code": "laboratory", "display": "Exam"}, {"reference": "Patient/1"}),
            "display",
        ),
        (
            _observed({"code": "exam", "display": "Exam"}, {"reference": "Patient/1"}),
            _observed({"code": "examination", "display": "Exam"}, {"reference": "Patient/1"}),
            "code-unknown",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_shape_that_has_a_plan_is_found(
    limited: Both, right: dict[str, Any], wrong: dict[str, Any], rule: str
) -> None:
    profiles = (PROFILE,) if right["resourceType"] == "Patient" else ()
    for resource, found in ((right, False), (wrong, True), (right, False)):
        quick, slow = limited(resource, profiles)
        assert quick == slow
        assert (rule in {finding.rule for finding in quick.findings}) == found


@pytest.fixture(scope="module")
def limited() -> Both:
    """R4 core and a profile of ours."""
    return both_of(*(make(Validator(resources=[LIMITED, ONLY_OF_NAMES])) for make in (eager, without_plans)))


def test_plans_are_written_and_used() -> None:
    validator = eager(Validator())
    resource = {"resourceType": "Patient", "name": [{"family": "Ashdown"}]}
    validator.validate(resource)
    unit = validator._checks.structure(CORE + "Patient").compiled.unit  # type: ignore[attr-defined]
    assert set(unit.plans) == {("resourceType", "name")}
    unit.plans["resourceType", "name"] = lambda value, place, run: run.error("pattern", place, "was used")
    assert validator.validate(resource).findings[0].message == "was used"


def test_a_shape_gets_a_plan_when_it_is_met_often() -> None:
    validator = Validator()
    unit = validator._checks.structure(CORE + "Patient").compiled.unit  # type: ignore[attr-defined]
    for count in range(1, shapes.OFTEN + 1):
        assert not unit.plans
        validator.validate({"resourceType": "Patient", "active": True})
        assert bool(unit.plans) == (count >= shapes.OFTEN)


def test_names_that_are_unknown_are_not_kept() -> None:
    validator = eager(Validator())
    for _ in range(3):
        validator.validate({"resourceType": "Patient", "ann ashdown": True})
    unit = validator._checks.structure(CORE + "Patient").compiled.unit  # type: ignore[attr-defined]
    assert not unit.plans
    assert not unit._met


def test_there_are_never_more_plans_than_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "MOST_PLANS", 3)
    monkeypatch.setattr(shapes, "MOST_SHAPES", 5)
    validator = eager(Validator())
    keys = ["active", "gender", "birthDate", "id", "language", "implicitRules", "deceasedBoolean"]
    values: dict[str, Any] = {"active": True, "gender": "male", "birthDate": "2001-01-01", "id": "a", "language": "en",
                              "implicitRules": "http://x.y/z", "deceasedBoolean": False}  # fmt: skip
    for key in keys:
        validator.validate({"resourceType": "Patient", key: values[key]})
    unit = validator._checks.structure(CORE + "Patient").compiled.unit  # type: ignore[attr-defined]
    assert len(unit.plans) == 3
    assert len(unit._met) == 5


def test_a_plan_can_be_read() -> None:
    unit = Validator()._checks.structure(CORE + "Reference").compiled.unit  # type: ignore[attr-defined]
    written = source.write_plan(unit, ("reference", "display"))
    assert written is not None
    assert written.text == (
        "def plan(o, at, run):\n"
        "    v0, v1, = o.values()\n"
        "    if not (v0.__class__ is str and v0 >= '!' and v0.isprintable() and len(v0) <= 1048576): "
        "handle0(v0, o, at, run)\n"
        "    if not (v1.__class__ is str and v1 >= '!' and v1.isprintable() and len(v1) <= 1048576): "
        "handle1(v1, o, at, run)\n"
        "    if v0.__class__ is not str or v0[:1] == '#': special2(o, at, run)\n"
    )


@pytest.mark.parametrize(
    "keys",
    [(), ("nonsense",), ("id",), ("valueString", "valueCode", "url"), ("valueString",), ("url", "valueString", "x")],
)  # fmt: skip
def test_a_shape_that_is_wrong_itself_has_no_plan(keys: tuple[str, ...]) -> None:
    unit = Validator()._checks.structure(CORE + "Extension").compiled.unit  # type: ignore[attr-defined]
    assert source.write_plan(unit, keys) is None
    assert source.write_plan(unit, ("url", "valueString")) is not None


NASTY = "'); __import__('os').abort() #\n\"\"\" {v} {} \\"


def test_what_a_profile_says_is_never_run() -> None:
    profile = {
        "resourceType": "StructureDefinition", "url": "http://x.y/StructureDefinition/nasty", "name": "Nasty",
        "status": "active", "kind": "resource", "abstract": False, "type": "Patient", "derivation": "constraint",
        "fhirVersion": "4.0.1", "baseDefinition": CORE + "Patient",
        "differential": {
            "element": [
                {"id": "Patient", "path": "Patient", "constraint": [
                    {"key": NASTY, "severity": "error", "human": NASTY, "expression": "language = 'a\\'b\"\\\\{v}'"}
                ]},
                {"id": "Patient.name.family", "path": "Patient.name.family", "fixedString": NASTY},
                {"id": "Patient.name.text", "path": "Patient.name.text", "patternString": NASTY, "maxLength": 100},
            ]
        },
    }  # fmt: skip
    url = "http://x.y/StructureDefinition/nasty"
    quick, slow = eager(Validator(resources=[profile])), without_plans(Validator(resources=[profile]))
    resource = {"resourceType": "Patient", "language": "en", "name": [{"family": NASTY, "text": "b"}]}
    reports = [quick.validate(resource, [url]) for _ in range(3)]
    assert quick._checks.shapes.written
    assert all(report == slow.validate(resource, [url]) for report in reports)
    assert {NASTY, "pattern"} <= {finding.rule for finding in reports[0].findings}


def test_threads_share_plans() -> None:
    quick, slow = eager(Validator()), without_plans(Validator())
    wanted = [slow.validate(resource) for resource in RESOURCES]
    with ThreadPoolExecutor(4) as pool:
        for number, report in enumerate(pool.map(quick.validate, RESOURCES * 15)):
            assert report == wanted[number % len(RESOURCES)]


def test_nothing_is_left_for_the_collector() -> None:
    import gc

    validator = eager(Validator())
    for _ in range(3):
        for resource in RESOURCES:
            assert validator.validate(resource).verdict
    gc.collect()
    gc.disable()
    try:
        for resource in RESOURCES:
            assert validator.validate(resource).verdict
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_known_codings_are_only_those_of_loaded_systems() -> None:
    validator = eager(Validator())
    for resource in RESOURCES:
        validator.validate(resource)
        validator.validate(resource)
    held = validator._checks.shapes.codings
    assert {system for system, _ in held.right} == {"http://terminology.hl7.org/CodeSystem/observation-category",
                                                    "urn:ietf:bcp:47"}  # fmt: skip
    assert set(held.unloaded) == {"urn:x:y", "http://snomed.info/sct", "http://loinc.org"}
    assert len(held.right) <= codes._MOST


# -- the published examples, and what was broken in them


@pytest.fixture(scope="module")
def power() -> Iterator[ModuleType]:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("validation_power")
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_uk_examples_and_what_is_broken_in_them_are_judged_alike(power: ModuleType) -> None:
    folder = power.material()
    if folder is None:
        pytest.skip("no published material: set MPFT_MATERIAL to the folder that holds packages/ and uk-fhir.tgz")
    published = power.Published(
        tuple(folder / "packages" / name for name in (power.CORE, power.EXPANSIONS, power.UK_CORE))
    )
    made = {"packages": [folder / "packages" / power.UK_CORE], "search_path": [folder / "packages"]}
    quick, slow = eager(Validator(**made)), without_plans(Validator(**made))
    found = list(power.examples(folder))
    for one in found * 2:
        assert quick.validate(one.data, one.profiles) == slow.validate(one.data, one.profiles), one.name
    count = 0
    for one in found:
        for number, mutation in enumerate(power.mutations(published, json.loads(one.data), one.profiles)):
            if number % 40 == 7:
                count += 1
                data = json.dumps(mutation.resource).encode()
                assert quick.validate(data, one.profiles) == slow.validate(data, one.profiles), mutation.where
    assert count > 300
