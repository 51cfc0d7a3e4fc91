"""Coverage-guided fuzzing of everything in the validator that hostile bytes can reach.

    pip install "mpftconnect[fuzz]"                            # atheris: Linux, Python 3.11 and 3.12
    python benchmarks/fuzz_validation.py --seconds 60          # each target for a minute, one after the other
    python benchmarks/fuzz_validation.py --target resource     # one target
    python benchmarks/fuzz_validation.py --write-docs          # and the table of docs/validation/hostile-input.md

Each input must end within 10 seconds and 2 GB with a report or one of the SDK's own errors. The corpus begins with
invented seeds (`fuzzing/seeds.py`). The targets also run in the tests, without atheris, on bytes that Hypothesis makes.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "validation" / "hostile-input.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
SECONDS_AN_INPUT = 10
MEGABYTES = 2048
LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Outcome:
    """One target's run."""

    target: str
    inputs: int
    features: int
    fault: str | None


def run(name: str, seconds: int, corpus: Path) -> Outcome:
    """Fuzz one target in a process of its own, which libFuzzer ends at the first fault."""
    command = [
        sys.executable, str(HERE / "fuzz_validation.py"), "--inside", name, str(corpus), f"-max_total_time={seconds}",
        f"-timeout={SECONDS_AN_INPUT}", f"-rss_limit_mb={MEGABYTES}", f"-max_len={LONGEST}", "-seed=1",
        "-print_final_stats=1", f"-artifact_prefix={corpus.parent}/{name}-",
    ]  # fmt: skip
    ran = subprocess.run(command, cwd=HERE, capture_output=True, text=True, errors="replace", check=False)
    said = ran.stderr + ran.stdout
    counted = re.findall(r"stat::number_of_executed_units:\s*(\d+)", said) or re.findall(r"^#(\d+)\s", said, re.M)
    features = re.findall(r" ft: (\d+)", said)
    fault = None if ran.returncode == 0 else said[-3000:]
    return Outcome(name, int(counted[-1]) if counted else 0, int(features[-1]) if features else 0, fault)


def inside(name: str, arguments: list[str]) -> None:
    """The fuzzed process: the SDK is loaded under instrumentation."""
    import atheris

    with atheris.instrument_imports(include=["mpftconnect.validation"]):
        from fuzzing.targets import TARGETS, seeds_of
    corpus = Path(arguments[0])
    for number, seed in enumerate(seeds_of(name)):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup([name, *arguments], TARGETS[name])
    atheris.Fuzz()


def table(outcomes: Sequence[Outcome]) -> str:
    rows = ["| target | inputs | features of the code reached | faults |", "|---|---|---|---|"]
    rows += [f"| {o.target} | {o.inputs:,} | {o.features:,} | {'one' if o.fault else 'none'} |" for o in outcomes]
    rows.append(f"| **all** | {sum(o.inputs for o in outcomes):,} | | {sum(o.fault is not None for o in outcomes)} |")
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    given_words = list(sys.argv[1:] if arguments is None else arguments)
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: pip install 'mpftconnect[fuzz]' (not every platform and version has it)")
        return 3
    if given_words[:1] == ["--inside"]:
        inside(given_words[1], given_words[2:])
        return 0
    from fuzzing.targets import TARGETS

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--target", choices=list(TARGETS), action="append", help="only this target (repeatable)")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--corpus", type=Path, help="a folder to keep what was found in, for a later run")
    parser.add_argument("--write-docs", action="store_true", help="bring docs/validation/hostile-input.md up to date")
    given = parser.parse_args(given_words)
    outcomes = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in given.target or TARGETS:
            corpus = (given.corpus or Path(scratch)) / name
            corpus.mkdir(parents=True, exist_ok=True)
            outcomes.append(run(name, given.seconds, corpus))
            if outcomes[-1].fault:
                print(f"{name}: {outcomes[-1].fault}", file=sys.stderr)
    print(table(outcomes))
    if given.write_docs:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{table(outcomes)}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return 1 if any(outcome.fault for outcome in outcomes) else 0


if __name__ == "__main__":
    raise SystemExit(main())
