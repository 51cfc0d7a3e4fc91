"""Whatever comes in, a report or an error of ours comes out: targets of the fuzzers, and what they found."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from judging import profile

from mpftconnect.errors import MpftConnectError
from mpftconnect.validation import Options, Validator
from mpftconnect.validation.formats import source

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NAMES = ("json", "xml", "archive", "definition", "expression", "pattern", "unit", "text", "resource")


@pytest.fixture(scope="module")
def targets() -> Iterator[ModuleType]:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("fuzzing.targets")
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.mark.parametrize("name", NAMES)
def test_seeds_and_bytes_end_in_a_report_or_an_error_of_ours(targets: ModuleType, name: str) -> None:
    target, seeds = targets.TARGETS[name], targets.seeds_of(name)
    assert set(targets.TARGETS) == set(NAMES)
    for seed in seeds:
        target(seed)

    @settings(
        max_examples=25 if name in ("archive", "definition") else 100,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        seed=st.sampled_from(seeds),
        cut=st.tuples(st.integers(0, 400), st.integers(0, 40)),
        put=st.binary(max_size=60),
    )
    def run(seed: bytes, cut: tuple[int, int], put: bytes) -> None:
        at, length = cut[0] % (len(seed) + 1), cut[1]
        target(seed[:at] + put + seed[at + length :])
        target(put)

    run()


# -- what fuzzing found, each mended


def test_an_object_where_an_extension_has_its_url(core: Validator) -> None:
    """An address that is no text has no hash: telling slices apart by url failed."""
    validator = Validator(["mpftconnect.ukcore-rules"])
    claim = {"profile": ["https://fhir.hl7.org.uk/StructureDefinition/UKCore-Patient"]}
    for url in ({"x": "y"}, ["x"], None, 1):
        report = validator.validate({"resourceType": "Patient", "meta": claim, "extension": [{"url": url}]})
        assert report.verdict == "invalid"


ROW = {"path": "Patient.name", "type": [{"code": "HumanName"}]}


@pytest.mark.parametrize(
    "where", ["extension", "type", "constraint", "representation", "slicing", "binding", "min", "max"]
)
@pytest.mark.parametrize("odd", [5, "x", {"x": "y"}, [5], [None], True])
def test_a_profile_with_something_else_where_it_has_lists(core: Validator, where: str, odd: Any) -> None:
    """Rows were read as if what repeats were always a list."""
    made = profile("odd", "Patient", {**ROW, where: odd})
    try:
        core.with_resources([made]).validate({"resourceType": "Patient"}, profiles=[made["url"]]).to_operation_outcome()
    except MpftConnectError as error:
        assert "Patient" in str(error)


@pytest.mark.parametrize("odd", [5, "x", {"x": "y"}, [5], [None], True])
def test_a_resource_with_something_else_where_it_has_lists(core: Validator, odd: Any) -> None:
    patient = {
        "resourceType": "Patient",
        "contained": odd,
        "extension": odd,
        "managingOrganization": {"reference": "#x", "extension": odd},
    }
    assert core.validate(patient, options=Options(validate_reference="CHECK_VALID")).verdict == "invalid"


def deep(levels: int) -> dict[str, Any]:
    item: dict[str, Any] = {"linkId": "x"}
    for _ in range(levels):
        item = {"linkId": "x", "item": item}  # no list, which is said and goes on
    return {"resourceType": "QuestionnaireResponse", "status": "completed", "item": item}


@pytest.mark.parametrize("levels", [10, 240, 400, 5000])
def test_nesting_within_the_readers_limit_but_deeper_than_the_checks_go(core: Validator, levels: int) -> None:
    """Within 256 levels of JSON the checks could still run out of Python's stack."""
    given = [deep(levels), json.dumps(deep(levels)).encode()] if levels < 400 else [deep(levels)]
    reports = [core.validate(data) for data in given]
    for report in reports:
        assert ("too-deep" in [finding.rule for finding in report.findings]) is (levels > 10)
        report.to_operation_outcome()
    # The same validator goes on as before.
    assert core.validate({"resourceType": "Patient", "gender": "female"}).verdict == "valid"


def test_a_dict_that_holds_itself_or_others_many_times_over(core: Validator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_MOST_PARTS", 100_000)
    patient: dict[str, Any] = {"resourceType": "Patient", "contained": []}
    patient["contained"].append(patient)
    laughing: dict[str, Any] = {"url": "https://zz.example.test/x"}
    for _ in range(100):
        laughing = {"url": "https://zz.example.test/x", "extension": [laughing] * 10}
    for endless in (patient, {"resourceType": "Patient", "extension": [laughing]}):
        report = core.validate(endless)
        assert [finding.rule for finding in report.findings] == ["too-deep"]
