"""How long a validation takes, beside reading the same bytes with orjson (if it is installed) and msgspec.

    python benchmarks/validation_speed.py

One thread, UK Core examples of the test material as JSON, each against the profile that its name stands for; the best
of seven for each, the median over all. `validate` includes reading the bytes, the verdict and `not_checked`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import validation_uk

from mpftconnect.validation import Validator

_ROUNDS = 7


def best(work: Callable[[], object]) -> float:
    shortest = float("inf")
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        work()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest * 1e6


def examples(folder: Path, validator: Validator) -> list[tuple[bytes, list[str]]]:
    found = []
    for line in (folder / "cases.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["set"] != "fhir.r4.ukcore.stu3.currentbuild" or row["expected"]["verdict"] != "claimed-valid":
            continue
        path = folder / "files" / row["file"]
        if path.suffix == ".xml":
            path = path.parent / (path.name.removesuffix(".xml") + ".converted.json")
        if path.exists():
            compact = json.dumps(json.loads(path.read_bytes()), separators=(",", ":")).encode()
            found.append((compact, validation_uk.profile_of(row, validator)))
    return found


def cold() -> tuple[float, float]:
    """Seconds of the whole command on one Patient, and of importing two common libraries."""
    command = [
        sys.executable, "-c", "from mpftconnect.cli import main; main()",
        "validate", "-", "--package", validation_uk.UKCORE,
        "--package-path", str(validation_uk.material() / "packages"),
        "--profile", "https://fhir.hl7.org.uk/StructureDefinition/UKCore-Patient",
    ]  # fmt: skip
    data = b'{"resourceType": "Patient", "name": [{"family": "Ashdown"}]}'
    ours = best(lambda: subprocess.run(command, input=data, capture_output=True, check=False))
    theirs = best(lambda: subprocess.run([sys.executable, "-c", "import pydantic, requests"], check=False))
    return ours / 1e6, theirs / 1e6


def main() -> int:
    if not (validation_uk.material() / "uk-fhir.tgz").exists():
        print("the test material is not there; nothing was measured")
        return 0
    try:
        import orjson
    except ImportError:
        orjson = None
    packages = [validation_uk.material() / "packages"]
    validator = Validator([validation_uk.UKCORE, validation_uk.EXTENSIONS], search_path=packages)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(os.environ.get("MPFT_MATERIAL_UNPACKED") or scratch)
        if not (folder / "uk-fhir").exists():
            with tarfile.open(validation_uk.material() / "uk-fhir.tgz") as archive:
                archive.extractall(folder, filter="data")
        held = examples(folder / "uk-fhir", validator)

    def validate(data: bytes, profiles: list[str]) -> None:
        report = validator.validate(data, profiles)
        _ = report.verdict, report.not_checked

    for data, profiles in held:
        validate(data, profiles)
    ours = [best(lambda: validate(data, profiles)) for data, profiles in held]  # noqa: B023
    readers = {"msgspec": msgspec.json.decode, **({"orjson": orjson.loads} if orjson else {})}
    print(f"{len(held)} examples, median {statistics.median(len(d) for d, _ in held):.0f} bytes")
    print(f"validate: median {statistics.median(ours):.1f} us, largest {max(ours):.0f} us")
    for name, read in readers.items():
        theirs = [best(lambda: read(data)) for data, _ in held]  # noqa: B023
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        print(f"{name}: median {statistics.median(theirs):.2f} us; validate takes {ratio:.1f} times as long (median)")
    if orjson is None:
        print("orjson is not installed: pip install orjson to see it beside")
    whole, base = cold()
    print(f"cold command: {whole:.2f} s; import of pydantic and requests: {base:.2f} s; {whole / base:.1f} times")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
