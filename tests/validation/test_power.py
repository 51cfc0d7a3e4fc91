"""What is broken on purpose is caught, and what is published and right is not flagged.

A sample of `benchmarks/validation_power.py`, which makes its mutations from the published definitions alone; the whole
run is quoted in docs/validation/power.md.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
# Published examples that are called invalid as they are, and all the rules that say so. All but the list of allergies
# have true defects; that one refers out of its Bundle, which is only wrong where references have to lead somewhere.
DEFECTS = {
    "Extension-UKCore-DeliveryChannel-Example": {"display"},
    "UKCore-HealthcareService-OrthopaedicService-Example": {"display"},
    "UKCore-Bundle-AllergyList-Example": {"reference-resolve"},
    "UKCore-Bundle-NEWS2Observations-Example": {"bundle-full-url", "reference-resolve"},
}


@pytest.fixture(scope="module")
def benchmark() -> Iterator[ModuleType]:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("validation_power")
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_every_sampled_mutation_is_caught_and_no_clean_example_is_flagged(benchmark: ModuleType) -> None:
    folder = benchmark.material()
    if folder is None:
        pytest.skip("no published material: set MPFT_MATERIAL to the folder that holds packages/ and uk-fhir.tgz")
    names = (benchmark.CORE, benchmark.EXPANSIONS, benchmark.UK_CORE)
    published = benchmark.Published(tuple(folder / "packages" / name for name in names))
    power = benchmark.measure(benchmark.validator_of(folder), published, benchmark.examples(folder), most=6)
    assert dict(power.missed) == {}
    assert power.made.total() > 200
    assert len(power.made) >= 10
    flagged = {
        Path(name).name.partition(".")[0]: {one.rpartition("(")[2].rstrip(")") for one in found}
        for name, found in power.alarms.items()
    }
    assert flagged == DEFECTS
