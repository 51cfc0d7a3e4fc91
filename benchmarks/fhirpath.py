"""FHIRPath invariants, as a validator evaluates them: over and over, compiled before, the type of the focus known."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from result import Goal, Result
from size import Size
from timing import cpu_clock, interleaved

from mpftconnect.validation.fhirpath import Scope, compile_expression

__all__ = ["run"]

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "full",
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Ann Ashdown</div>'},
    "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}],
    "name": [{"use": "official", "family": "Ashdown", "given": ["Ann", "Beth"]}],
    "telecom": [{"system": "phone", "value": "01632 960001"}],
    "gender": "female",
    "birthDate": "1950-03-14",
    "contact": [{"name": {"family": "Ashdown"}, "telecom": [{"system": "phone", "value": "01632 960002"}]}],
}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
    "effectivePeriod": {"start": "2024-02-01T09:30:00Z", "end": "2024-02-01T09:40:00Z"},
    "valueQuantity": {"value": 120, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"},
    "component": [{"code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}, "valueString": "x"}],
    "extension": [{"url": "https://example.org/a", "valueString": "a"}],
}
# Key in FHIR R4 (4.0.1), text, resource, and the path and type of the focus.
INVARIANTS: list[tuple[str, str, dict[str, Any], str, str]] = [
    (
        "pat-1",
        "name.exists() or telecom.exists() or address.exists() or organization.exists()",
        PATIENT,
        "contact",
        "Patient.contact",
    ),
    ("dom-2", "contained.contained.empty()", PATIENT, "", "Patient"),
    ("ext-1", "extension.exists() != value.exists()", OBSERVATION, "extension", "Extension"),
    (
        "obs-7",
        "value.empty() or component.code.where(coding.intersect(%resource.code.coding).exists()).empty()",
        OBSERVATION,
        "",
        "Observation",
    ),
    (
        "dom-3",
        "contained.where((('#'+id in (%resource.descendants().reference | %resource.descendants().as(canonical) | "
        "%resource.descendants().as(uri) | %resource.descendants().as(url))) or "
        "descendants().where(reference = '#').exists() or descendants().where(as(canonical) = '#').exists() or "
        "descendants().where(as(canonical) = '#').exists()).not()).trace('unmatched', id).empty()",
        PATIENT,
        "",
        "Patient",
    ),
    ("ele-1", "hasValue() or (children().count() > id.count())", PATIENT, "name", "HumanName"),
]
# What the peer does not know (upstream issue 66) it cannot be timed with.
UNKNOWN_TO_PEER = {"ele-1"}
PEER = "fhirpathpy"


def run(size: Size) -> list[Result]:
    return [_invariant(size, *each) for each in INVARIANTS] + [_reading(size)]


def _focus(resource: dict[str, Any], path: str) -> Any:
    return resource[path][0] if path else resource


def _invariant(size: Size, key: str, text: str, resource: dict[str, Any], path: str, kind: str) -> Result:
    compiled = compile_expression(text, context=kind)
    focus, scope = _focus(resource, path), Scope(resource)

    def own() -> bool:
        scope.effort = 3_000_000
        return compiled.holds(focus, scope)

    assert own(), f"{key} is met by the example"
    peer_name, peer = _peer(key, text, resource, path, kind)
    samples = interleaved({"own": own, "peer": peer}, rounds=size.rounds, clock=cpu_clock)
    return Result(
        f"invariant {key}",
        samples["own"].least * 1e6,
        "us",
        peer_name,
        samples["peer"].least * 1e6,
        samples["own"].spread,
        Goal("ratio", 0.1) if peer_name == PEER else None,
    )


def _peer(key: str, text: str, resource: dict[str, Any], path: str, kind: str) -> tuple[str, Callable[[], object]]:
    """fhirpathpy with its model of R4, where it is installed and knows the functions; else reading the same JSON."""
    if find_spec(PEER) is None or key in UNKNOWN_TO_PEER:
        written = json.dumps(resource)
        return "json.loads of the same resource", lambda: json.loads(written)
    import fhirpathpy
    from fhirpathpy.engine.nodes import ResourceNode
    from fhirpathpy.models import models

    compiled = fhirpathpy.compile(text, model=models["r4"], options={"traceFn": lambda *_: None})
    copy = json.loads(json.dumps(resource))  # the peer writes into what it is given
    focus = ResourceNode.create_node(_focus(copy, path), kind) if path else copy
    variables = {"resource": copy}
    assert compiled(focus, variables) == [True], f"the peer finds {key} met"
    return PEER, lambda: compiled(focus, variables)


def _reading(size: Size) -> Result:
    """Reading and compiling, which is done once for each expression and type."""
    from mpftconnect.validation.fhirpath.compiler import Compiler
    from mpftconnect.validation.fhirpath.parser import parse
    from mpftconnect.validation.fhirpath.types import Types, core_types

    text = next(text for key, text, *_ in INVARIANTS if key == "obs-7")
    types = Types(core_types("4.0"))

    def own() -> object:
        return Compiler(types).compile(parse(text), "Observation").truth

    written = json.dumps(OBSERVATION)
    peer_name, peer = "json.loads of an Observation", lambda: json.loads(written)
    if find_spec(PEER) is not None:
        import fhirpathpy

        peer_name, peer = PEER, lambda: fhirpathpy.compile(text)
    samples = interleaved({"own": own, "peer": peer}, rounds=size.rounds, clock=cpu_clock)
    return Result(
        "obs-7 read and compiled",
        samples["own"].least * 1e6,
        "us",
        peer_name,
        samples["peer"].least * 1e6,
        samples["own"].spread,
    )


if __name__ == "__main__":
    from result import as_text
    from size import FULL

    print(as_text(run(FULL)))
