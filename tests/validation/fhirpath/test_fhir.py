"""FHIR's own: types from definitions, choices, primitives with extensions, its functions and variables.

FHIR R4 (4.0.1), 2.9.1 "Use of FHIRPath".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from mpftconnect.validation.fhirpath import (
    Element,
    FhirPathError,
    Node,
    NotEvaluable,
    Quantity,
    Scope,
    TypeProvider,
    compile_expression,
    core_types,
    evaluate,
)

Ask = Callable[..., list[Any]]
UCUM = "http://unitsofmeasure.org"
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">'


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        # A choice is called by its name (2.9.1.2 "Polymorphism"), never by that of its JSON member.
        ("multipleBirth", [2]),
        ("multipleBirthInteger", []),
        ("deceased.exists()", [True]),
        ("deceased.hasValue()", [False]),
        ("deceased.extension('urn:unknown').value", ["unknown"]),
        # A primitive has what stands beside it.
        ("birthDate.extension('urn:time').exists()", [True]),
        ("birthDate.extension.url", ["urn:time"]),
        ("birthDate.hasValue()", [True]),
        ("birthDate.getValue() = @1950-03", [True]),
        ("name.given.select(hasValue())", [True, True, True]),
        ("name.given.extension('urn:x').value", ["y"]),
        ("name.given.where(extension.exists())", ["Annie"]),
        ("name.first().hasValue()", [False]),
        ("name.given.hasValue()", [False]),
        ("name.getValue()", []),
        ("extension('urn:none')", []),
        ("%resource.id", ["full"]),
        ("name.select(%context.id & '/' & %rootResource.id)", ["full/full", "full/full"]),
        ("%ucum", [UCUM]),
        ("%sct & %loinc", ["http://snomed.info/scthttp://loinc.org"]),
        ("%`vs-administrative-gender`", ["http://hl7.org/fhir/ValueSet/administrative-gender"]),
        ("%`ext-patient-birthTime`", ["http://hl7.org/fhir/StructureDefinition/patient-birthTime"]),
    ],
)
def test_elements_of_fhir(ask: Ask, patient: dict[str, Any], expression: str, found: list[Any]) -> None:
    assert ask(expression, patient) == found


def test_arrays_of_primitives_keep_their_holes() -> None:
    """R4 2.6.2.3: null in one array where the other has something; `count()` counts elements."""
    named = {
        "resourceType": "Patient",
        "name": [{"given": [None, "Beth", None], "_given": [{"id": "a"}, None, None, {"id": "d"}]}],
    }
    assert evaluate("name.given.count()", named) == [3]
    assert evaluate("name.given.select(hasValue())", named) == [False, True, False]
    assert evaluate("name.given.id", named) == ["a", "d"]
    assert evaluate("name.given", named) == [{"id": "a"}, "Beth", {"id": "d"}]
    assert evaluate("name.given.where($this = 'Beth').exists()", named) == [True]
    assert evaluate("name.given.first() = 'Ann'", named) == [False]
    assert evaluate("name.given.first().startsWith('A')", named) == []


def test_a_quantity_of_fhir_is_one_of_the_language_if_it_is_ucum() -> None:
    def observed(**value: Any) -> dict[str, Any]:
        return {"resourceType": "Observation", "valueQuantity": value}

    weight = observed(value=Decimal("1.5"), unit="kilograms", system=UCUM, code="kg")
    assert evaluate("value = 1500 'g' and value > 1400 'g'", weight) == [True]
    assert evaluate("value * 2", weight) == [Quantity(Decimal("3.0"), "kg")]
    assert evaluate("value.ofType(Quantity).unit", weight) == ["kilograms"]
    assert evaluate("value = 1.5 'kg'", observed(value=1.5, unit="kg")) == []
    both = {"low": {"value": 1, "unit": "tabs"}, "high": {"value": 2, "unit": "tabs"}}
    assert compile_expression("low <= high", context="Range").truth(both)
    with pytest.raises(NotEvaluable, match="comparator"):
        evaluate("value < 4 'kg'", observed(value=3, comparator="<", system=UCUM, code="kg"))


def test_the_type_of_a_resource_is_what_it_says() -> None:
    bundle = {
        "resourceType": "Bundle",
        "entry": [
            {"resource": {"resourceType": "Composition", "date": "2024"}},
            {"resource": {"resourceType": "Observation", "effectiveDateTime": "2024-01", "valueString": "x"}},
        ],
    }
    assert evaluate("entry.first().resource.is(Composition)", bundle) == [True]
    assert evaluate("entry.resource.ofType(Observation).effective = @2024-01", bundle) == [True]
    assert evaluate("entry.resource.value", bundle) == ["x"]
    assert evaluate("entry.resource.date is dateTime", bundle) == [True]
    assert evaluate("descendants().ofType(dateTime).count()", bundle) == [2]


def test_what_nothing_is_known_of_is_gone_through_by_name() -> None:
    odd = {"resourceType": "Sonstiges", "part": [{"value": 1}, {"value": None}], "_note": {"id": "n"}}
    assert evaluate("part.value", odd) == [1]
    assert evaluate("note.id", odd) == ["n"]
    assert evaluate("descendants().count()", odd) == [5]
    with pytest.raises(NotEvaluable, match="type of an element is not known"):
        evaluate("part.first() is HumanName", odd)


# ---- Functions -------------------------------------------------------------------------------------------------


@pytest.fixture
def group() -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "o",
        "contained": [{"resourceType": "Patient", "id": "p", "active": True}],
        "subject": {"reference": "#p"},
        "performer": [{"reference": "Practitioner/1"}, {"identifier": {"value": "x"}}, {"reference": "Practitioner/2"}],
        "code": {"coding": [{"system": "urn:s", "code": "c"}]},
    }


def test_resolve_finds_contained_resources_itself_and_asks_for_others(group: dict[str, Any]) -> None:
    assert evaluate("subject.resolve().active", group) == [True]
    assert evaluate("subject.resolve() is Patient", group) == [True]
    assert evaluate("performer.where(identifier.exists()).resolve()", group) == []
    with pytest.raises(NotEvaluable, match=r"resolve\(\) needs"):
        evaluate("performer.resolve()", group)
    known = {"Practitioner/1": {"resourceType": "Practitioner", "id": "1"}}
    compiled = compile_expression("performer.resolve().id")
    assert compiled.evaluate(group, resolve=known.get) == ["1"]
    inside = compile_expression("subject.resolve().id")
    assert inside.evaluate({"resourceType": "Observation", "subject": {"reference": "#p"}}, root=group) == ["p"]
    assert evaluate("'#'.resolve().id", group) == ["o"]


@pytest.mark.parametrize(
    ("expression", "service"), [("code.memberOf('urn:vs')", "member_of"), ("$this.conformsTo('urn:sd')", "conforms")]
)
def test_what_a_service_tells_is_asked_of_it(group: dict[str, Any], expression: str, service: str) -> None:
    compiled = compile_expression(expression)
    asked = []

    def judge(item: Any, url: str) -> bool | None:
        asked.append((item, url))
        return answer

    for answer in (True, False):
        assert compiled.evaluate(group, **{service: judge}) == [answer]  # type: ignore[arg-type]
    answer = None
    with pytest.raises(NotEvaluable, match="could not be told"):
        compiled.evaluate(group, **{service: judge})  # type: ignore[arg-type]
    with pytest.raises(NotEvaluable, match="needs"):
        compiled.evaluate(group)
    assert asked[0][1].startswith("urn:")
    assert asked[0][0] in (group, group["code"])


@pytest.mark.parametrize(
    "expression",
    [
        "code.subsumes(code)",
        "code.subsumedBy(code)",
        "elementDefinition()",
        "slice('urn:x', 'a')",
        "checkModifiers('a')",
    ],
)
def test_what_is_not_judged_here_says_so(group: dict[str, Any], expression: str) -> None:
    with pytest.raises(NotEvaluable) as raised:
        evaluate(expression, group)
    assert "needs" in raised.value.reason


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        (f"{DIV}<p>Seen&nbsp;today</p></div>", True),
        (f'{DIV}<img src="#a" alt="x"/></div>', True),
        (f'{DIV}<table><tr><td class="x" colspan="2">1</td></tr></table></div>', True),
        ("<div>No namespace</div>", True),
        (f"{DIV}  <p> </p></div>", False),
        (f"{DIV}<script>x</script></div>", False),
        (f'{DIV}<p onclick="x()">a</p></div>', False),
        (f'{DIV}<a href="java&#10;script:x">a</a></div>', False),
        (f"{DIV}<form>a</form></div>", False),
        ('<p xmlns="http://www.w3.org/1999/xhtml">a</p>', False),
        (f"{DIV}<p>open</div>", False),
        (f"{DIV}&unknown;</div>", False),
        (f"<!DOCTYPE div [<!ENTITY a 'b'>]>{DIV}&a;</div>", False),
        (f"<?run it?>{DIV}a</div>", False),
        (DIV + "<p>" * 300 + "a" + "</p>" * 300 + "</div>", False),
        ("not markup", False),
        ("\ud800", False),
    ],
)
def test_html_checks(text: str, allowed: bool) -> None:
    narrative = {"resourceType": "Patient", "text": {"status": "generated", "div": text}}
    assert evaluate("text.`div`.htmlChecks()", narrative) == [allowed]
    assert compile_expression("text.div.htmlchecks()", version="3.0").evaluate(narrative) == [allowed]


# ---- Variables, scope and types --------------------------------------------------------------------------------


def test_variables_are_given_by_the_environment(patient: dict[str, Any]) -> None:
    assert evaluate("%limit + 1", patient, environment={"limit": 2}) == [3]
    assert evaluate("%list.count()", patient, environment={"list": [1, 2]}) == [2]
    assert evaluate("%none", patient, environment={"none": None}) == []
    with pytest.raises(NotEvaluable, match="a variable that is not given"):
        evaluate("%limit", patient)


def test_a_contained_resource_has_a_resource_and_a_root() -> None:
    inside = {"resourceType": "Patient", "id": "p", "link": [{"other": {"reference": "#q"}}]}
    outside = {"resourceType": "Observation", "id": "o", "contained": [inside]}
    compiled = compile_expression("%resource.id & ' in ' & %rootResource.id", context="Patient.link")
    assert compiled.evaluate(inside["link"][0], resource=inside, root=outside) == ["p in o"]


def test_an_invariant_is_met_only_by_true() -> None:
    """Empty is not enough: so `name.matches(...)` on a resource without a name is not met (see errata)."""
    nothing = {"resourceType": "Patient"}
    assert compile_expression("name.empty()").truth(nothing) is True
    assert compile_expression("name.exists()").truth(nothing) is False
    assert compile_expression("name.family.startsWith('A')").truth(nothing) is False
    assert compile_expression("active").truth({**nothing, "active": False}) is False
    assert compile_expression("id").truth({**nothing, "id": "a"}) is True
    with pytest.raises(FhirPathError, match="there are several"):
        compile_expression("name.given").truth({**nothing, "name": [{"given": ["a", "b"]}]})


def test_a_member_that_is_null_or_an_empty_array_is_no_item() -> None:
    """JSON of FHIR has neither (R4 2.6.2); what has them all the same holds nothing."""
    odd = {
        "resourceType": "Patient",
        "name": None,
        "telecom": [],
        "deceasedBoolean": None,
        "gender": None,
        "address": [None],
    }
    for path in ("name", "telecom", "deceased", "gender", "address", "children().where($this is Address)"):
        assert evaluate(f"{path}.exists()", odd) == [False], path
        assert evaluate(path, odd) == [], path
    many = {"url": "urn:x", "valueString": None}
    assert not compile_expression("value.exists()", context="Extension").truth(many)


def test_what_is_the_same_for_every_item_is_worked_out_once(patient: dict[str, Any]) -> None:
    scope = Scope(patient, environment={"many": list(range(1000))}, effort=20_000)
    assert compile_expression("%many.all(%resource.descendants().count() > 10)").holds(patient, scope)
    assert compile_expression("%many.all($this in %many)").holds(patient, scope)


@pytest.mark.parametrize("version", ["4.0", "3.0"])
def test_a_constraint_published_with_a_mistake_is_read_as_it_was_meant(version: Any) -> None:
    rule = compile_expression("fullUrl.contains('/_history/').not()", version=version, context="Bundle.entry")
    assert rule.truth({})
    assert not rule.truth({"fullUrl": "https://example.org/Patient/1/_history/2"})
    assert evaluate("{}.contains('/_history/').not()", {}, version=version) == []


def test_one_scope_serves_many_invariants_and_remembers_nothing_of_the_last() -> None:
    one, other = ({"resourceType": "Patient", "id": name, "name": [{"family": name}]} for name in ("a", "b"))
    compiled = compile_expression("%resource.descendants().where($this = 'a').exists() and %context.id = %resource.id")
    scope = Scope(one)
    assert compiled.holds(one, scope)
    scope.resource = scope.root = other
    assert not compiled.holds(other, scope)


def test_a_focus_may_be_a_primitive_with_its_extensions() -> None:
    rule = compile_expression("hasValue() or (children().count() > id.count())")
    extended = Node(None, "date", {"extension": [{"url": "urn:x", "valueCode": "y"}]})
    assert rule.for_type("date").truth(extended)
    assert not rule.for_type("date").truth(Node(None, "date", {"id": "a"}))
    assert rule.for_type("date").truth("2014")
    assert not rule.for_type("HumanName").truth({})
    assert not rule.for_type("HumanName").truth({"id": "a"})
    assert rule.for_type("HumanName").truth({"id": "a", "_family": {"id": "b"}})
    assert compile_expression("family").evaluate(Node({"family": "A"}, "HumanName")) == ["A"]
    assert compile_expression("$this is string").evaluate("a", type_of=lambda _: "code") == [True]


class OwnTypes:
    """A provider with one type, as a validator would bring it."""

    def elements(self, name: str) -> Mapping[str, Element] | None:
        if name == "Thing":
            return {
                "size": Element("size", ("decimal", "Quantity"), choice=True),
                "part": Element("part", ("Thing",), True),
            }
        return core_types("4.0").elements(name)

    def base(self, name: str) -> str | None:
        return "Element" if name == "Thing" else core_types("4.0").base(name)


def test_types_come_from_the_provider_that_is_given() -> None:
    assert isinstance(OwnTypes(), TypeProvider)
    thing = {"part": [{"sizeDecimal": 1}, {"sizeQuantity": {"value": 2}}]}
    compiled = compile_expression("part.size.ofType(decimal)", types=OwnTypes(), context="Thing")
    assert compiled.evaluate(thing) == [Decimal(1)]
    assert compile_expression("repeat(part).count()", types=OwnTypes(), context="Thing").evaluate(thing) == [2]
    assert compile_expression("$this is Element", types=OwnTypes(), context="Thing").truth(thing)
    with pytest.raises(FhirPathError, match="no known type"):
        compile_expression("$this is Thing")


def test_each_version_of_fhir_has_its_types() -> None:
    assert core_types("3.0").elements("MedicationAdministration")["notGiven"].types == ("boolean",)  # type: ignore[index]
    assert "notGiven" not in core_types("4.0").elements("MedicationAdministration")  # type: ignore[operator]
    assert core_types("3.0").base("Money") == "Quantity"
    assert core_types("4.0").base("Money") == "Element"
    assert core_types("4.0").elements("Nothing") is None
    with pytest.raises(FhirPathError, match=r"4\.0 or 3\.0"):
        compile_expression("a", version="5.0")  # type: ignore[arg-type]


def test_the_tables_are_what_the_script_makes_of_the_packages(packages: Any) -> None:
    import importlib.util
    from pathlib import Path

    script = Path(__file__).parents[3] / "scripts" / "fhirpath_types.py"
    spec = importlib.util.spec_from_file_location("fhirpath_types", script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, (package, digest) in module.PACKAGES.items():
        made = module.table(module.definitions(packages / package, digest))
        assert made == (module.TABLES / f"{name}.txt").read_text(encoding="ascii"), name
