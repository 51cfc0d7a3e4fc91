"""Validation beside reading the same bytes, beside two other validators, and as the input grows.

One thread, the default `validate(bytes)` with its verdict and what it did not check. The examples are the published
ones of UK Core where the test material is there, each against the profile that it is an example of; otherwise two made
here, against FHIR R4 alone. The rival and orjson come with the `bench` extra, the reference validator is built in
`oracle/`; what is not there is not compared.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import oracle_comparison
from power.examples import CORE, UK_CORE, Example, examples, material
from result import Goal, Result
from size import Size
from timing import Samples, cpu_clock, fresh_process, interleaved

from mpftconnect.validation import Validator

__all__ = ["bundle_of", "run"]

_RIVAL = "pyrofile-validator"
_PATIENT = {
    "resourceType": "Patient",
    "id": "ann",
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Ann Ashdown</div>'},
    "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}],
    "name": [{"use": "official", "family": "Ashdown", "given": ["Ann"]}],
    "telecom": [{"system": "phone", "value": "01632 960001", "use": "home"}],
    "gender": "female",
    "birthDate": "1950-03-14",
}


def _observation(number: int, other: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">A pulse</div>'},
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}], "text": "Pulse"},
        "effectiveDateTime": "2026-02-01T09:30:00Z",
        "valueQuantity": {"value": 72, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
        "hasMember": [{"reference": other}],
    }


def bundle_of(count: int) -> bytes:
    """A Bundle whose entries all refer to another one."""

    def address(number: int) -> str:
        return f"urn:uuid:00000000-0000-4000-8000-{number % count:012d}"

    entries = [
        {"fullUrl": address(n), "resource": _observation(n, address(n * 7 + 1))} for n in range(count)
    ]  # fmt: skip
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def run(size: Size) -> list[Result]:
    small = size.items < 1_000
    with tempfile.TemporaryDirectory() as scratch:
        return [
            *_single(size, Path(scratch), small),
            *_bundles((10, 100) if small else (10, 1_000, 100_000)),
            *_lines(Path(scratch), 100 if small else 1_000, 200 if small else 100_000),
            _cold(size, Path(scratch)),
        ]


def _single(size: Size, scratch: Path, small: bool) -> list[Result]:
    folder = material()
    if folder is None:
        validator, what = Validator(), "R4 example made here"
        made = [_PATIENT, _observation(1, "Observation/2")]
        chosen = [Example(str(r["resourceType"]), json.dumps(r).encode(), ()) for r in made]
    else:
        validator = Validator([str(folder / "packages" / UK_CORE)], search_path=[folder / "packages"])
        what, chosen = "UK Core example", list(examples(folder))[:: 40 if small else 1]

    def own(example: Example) -> object:
        report = validator.validate(example.data, profiles=example.profiles)
        return report.verdict, report.not_checked

    readers: dict[str, Callable[[bytes], object]] = {"msgspec.json.decode": msgspec.json.decode}
    if find_spec("orjson"):
        import orjson

        readers["orjson.loads"] = orjson.loads
    taken: dict[str, list[Samples]] = {"own": [], **{name: [] for name in readers}}
    for example in chosen:
        works: dict[str, Callable[[], object]] = {"own": lambda example=example: own(example)}  # type: ignore[misc]
        for name, read in readers.items():
            works[name] = lambda read=read, example=example: read(example.data)  # type: ignore[misc]
        for name, samples in interleaved(works, rounds=size.rounds, clock=cpu_clock).items():
            taken[name].append(samples)
    spread = statistics.median(s.spread for s in taken["own"])
    median = {name: statistics.median(s.least for s in samples) * 1e6 for name, samples in taken.items()}
    results = [
        Result(f"median {what} validated, CPU", median["own"], "us", name, median[name], spread,
               Goal("ratio", 15.0) if name == "orjson.loads" else None)
        for name in readers
    ]  # fmt: skip
    first, its_spread = _first(validator, chosen, size)
    results.append(
        Result(f"median {what} validated, of shapes not met before, CPU", first, "us", "of shapes met before",
               median["own"], its_spread)
    )  # fmt: skip
    if folder is not None and find_spec("pyrofile_validator"):
        rival = _rival(folder, scratch, chosen[:: 1 if small else 4])
        some = statistics.median(s.least for s in taken["own"][:: 1 if small else 4]) * 1e6
        results.append(
            Result(f"median {what} validated, beside another validator, CPU", some, "us", _RIVAL, rival, spread,
                   Goal("ratio", 1 / 50))
        )  # fmt: skip
    if folder is not None and not small and oracle_comparison.missing() is None:
        oracle = _oracle(folder, chosen)
        results.append(
            Result(f"median {what} validated, beside the reference validator, warm", median["own"], "us",
                   "its own time, wall", oracle, spread, Goal("ratio", 1 / 10))
        )  # fmt: skip
    return results


def _first(validator: Validator, chosen: Sequence[Example], size: Size) -> tuple[float, float]:
    """Median microseconds, and their spread, as for objects whose shapes have no plans yet."""
    plain = validator.with_resources(())
    plain._checks.quick = False

    def judge(example: Example) -> object:
        report = plain.validate(example.data, profiles=example.profiles)
        return report.verdict, report.not_checked

    taken = [
        interleaved({"own": lambda one=one: judge(one)}, rounds=min(size.rounds, 5), clock=cpu_clock)["own"]  # type: ignore[misc]
        for one in chosen
    ]
    return statistics.median(s.least for s in taken) * 1e6, statistics.median(s.spread for s in taken)


def _oracle(folder: Path, chosen: Sequence[Example]) -> float:
    """Median microseconds of the reference validator, as it counts them itself in one warm process."""
    files = [oracle_comparison.Judged(one.name, "unbroken", one.data, one.profiles) for one in chosen]
    return statistics.median(answer.get("micros", 0) for answer in oracle_comparison.by_oracle(files, folder))


def _rival(folder: Path, scratch: Path, chosen: Sequence[Example]) -> float:
    """Median microseconds of the other validator, warm, given the resource as read. It prints; that is not shown."""
    from pyrofile_validator import Validator as Rival  # type: ignore[import-not-found]
    from pyrofile_validator.config import ValidatorConfig  # type: ignore[import-not-found]

    paths = []
    for name in (CORE, UK_CORE):
        target = scratch / name.removesuffix(".tgz")
        with tarfile.open(folder / "packages" / name) as archive:
            archive.extractall(target, filter="data")
        paths.append(str(target / "package"))
    seconds = []
    with contextlib.redirect_stdout(io.StringIO()):
        rival = Rival(ValidatorConfig(local_package_paths=paths))
        for example in chosen:
            resource = json.loads(example.data)
            if example.profiles:  # it goes by what a resource claims
                resource["meta"] = {**resource.get("meta", {}), "profile": list(example.profiles)}
            least = float("inf")
            for _ in range(2):
                begun = cpu_clock()
                rival.validate_resource(resource)
                least = min(least, cpu_clock() - begun)
            seconds.append(least)
    return statistics.median(seconds) * 1e6


def _bundles(counts: Sequence[int]) -> list[Result]:
    validator = Validator()
    taken: dict[int, list[float]] = {count: [] for count in counts}
    held = {count: bundle_of(count) for count in counts}
    validator.validate(held[counts[0]])
    for _ in range(3):
        for count, data in held.items():
            repeats = max(1, counts[1] // count)
            gc.collect()
            begun = cpu_clock()
            for _ in range(repeats):
                report = validator.validate(data)
                _ = report.verdict, report.not_checked
            taken[count].append((cpu_clock() - begun) / repeats / count * 1e6)
    first = min(taken[counts[0]])
    return [
        Result(f"each entry of a Bundle of {count} that refer to each other, CPU", min(taken[count]), "us",
               f"of {counts[0]}", first, Samples(tuple(taken[count])).spread, Goal("ratio", 1.5))
        for count in counts[1:]
    ]  # fmt: skip


_PEAK = """
status = pathlib.Path("/proc/self/status")
if status.exists():  # what the system counts for a process may include what its parent used
    peak = int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1])
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
_marks["peak.cpu"] = peak / 1024
"""
_BY_LIBRARY = """
import pathlib, re, resource, sys
from mpftconnect.validation import Validator
from mpftconnect.validation.inputs import read_inputs
validator = Validator()
for one in read_inputs([sys.argv[1]]):
    report = validator.validate(one.data)
    report.verdict, report.not_checked
"""
_BY_COMMAND = """
import contextlib, os, pathlib, re, resource, sys
from mpftconnect.cli import main
sys.argv = ["mpftconnect", "validate", sys.argv[1], "--format", "ndjson"]
with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.suppress(SystemExit):
    main()
"""


def _lines(scratch: Path, few: int, many: int) -> list[Result]:
    """Peak memory of reading many lines beside that of few."""
    paths = []
    for count in (few, many):
        paths.append(scratch / f"{count}.ndjson")
        with paths[-1].open("w", encoding="utf-8") as file:
            for number in range(count):
                file.write(json.dumps(_observation(number, f"Observation/o{number + 1}")) + "\n")
    results = []
    for words, code in (("", _BY_LIBRARY), (" through the command", _BY_COMMAND)):
        peaks = [fresh_process(code + _PEAK, [str(path)])["peak.cpu"] for path in paths]
        results.append(
            Result(f"peak memory, {many} lines of NDJSON{words}", peaks[1], "MB", f"{few} lines", peaks[0], 0.0,
                   Goal("ratio", 1.2))
        )  # fmt: skip
    return results


def _cold(size: Size, scratch: Path) -> Result:
    """The whole command on one Patient, from nothing, beside importing two common libraries."""
    path = scratch / "one-patient.json"
    path.write_text(json.dumps(_PATIENT), encoding="utf-8")
    folder = material()
    command = [sys.executable, "-c", "from mpftconnect.cli import main; main()", "validate", str(path)]
    words = "with R4"
    if folder is not None:
        words = "with UK Core"
        command += ["--package", str(folder / "packages" / UK_CORE), "--package-path", str(folder / "packages"),
                    "--profile", "https://fhir.hl7.org.uk/StructureDefinition/UKCore-Patient"]  # fmt: skip
    works = {"own": command, "peer": [sys.executable, "-c", "import pydantic, requests"]}
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(min(size.processes, 7) + 1):
        for name, work in works.items():
            begun = time.perf_counter()
            done = subprocess.run(work, capture_output=True, text=True, check=False)
            taken[name].append(time.perf_counter() - begun)
            if done.returncode:
                raise RuntimeError(f"a measured process failed:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    samples = {name: Samples(tuple(seconds[1:])) for name, seconds in taken.items()}
    return Result(
        f"mpftconnect validate one-patient.json {words}, from the start of the process, wall",
        samples["own"].least * 1e3, "ms", "import pydantic + import requests", samples["peer"].least * 1e3,
        samples["own"].spread, Goal("ratio", 4.0),
    )  # fmt: skip
